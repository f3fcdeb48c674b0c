"""Consents, copies of one's data and closing one's account over HTTP."""

import io
import zipfile

import pytest

from domain.actors import system_actor
from tests.miniapp_api.answers import refusal

SYSTEM = system_actor("测试")


@pytest.fixture
def code_for(database):
    return lambda phone: database.value(
        "SELECT payload ->> 'code' FROM outbox_message WHERE recipient = :phone"
        " ORDER BY id DESC LIMIT 1",
        phone=phone,
    )


@pytest.fixture
def sign_in(client, code_for):
    def sign_in(phone):
        client.post("/api/v1/phone-codes", json={"phone": phone})
        answer = client.post(
            "/api/v1/sessions/by-phone-code", json={"phone": phone, "code": code_for(phone)}
        )
        assert answer.status_code == 201, answer.text
        return answer.json

    return sign_in


class TestConsents:
    def test_signing_in_asks_and_agreeing_ends_it(self, owner, sign_in, clock):
        assert sign_in(owner.phone)["consent_needed"] == ["privacy_policy", "terms"]

        for item in owner.get("/consents").json["items"]:
            if item["is_needed"]:
                body = {"kind": item["kind"], "version": item["current_version"]}
                assert owner.call("POST", "/consents", json=body).status_code == 204
        clock.advance(minutes=2)

        assert sign_in(owner.phone)["consent_needed"] == []

    def test_withdrawing_is_told_the_next_time(self, owner, sign_in):
        for item in owner.get("/consents").json["items"]:
            body = {"kind": item["kind"], "version": item["current_version"]}
            owner.call("POST", "/consents", json=body)

        assert owner.call("POST", "/consents/terms/withdraw").status_code == 204

        assert sign_in(owner.phone)["consent_needed"] == ["terms"]
        assert [one["is_needed"] for one in owner.get("/consents").json["items"]] == [
            False,
            True,
            False,
        ]

    def test_nothing_waits_for_it(self, owner):
        assert owner.get("/bills").status_code == 200
        assert owner.start().status_code == 201

    def test_an_old_version_is_refused(self, owner):
        body = {"kind": "terms", "version": "2001-01-01"}

        answer = owner.call("POST", "/consents", json=body)

        assert refusal(answer, 409)["code"] == "consent_outdated"

    @pytest.mark.parametrize("body", [{}, {"kind": "terms"}, {"kind": "x", "version": "1"}])
    def test_what_cannot_be_read_is_refused(self, owner, body):
        assert refusal(owner.call("POST", "/consents", json=body), 422)["fields"]

    def test_an_unheard_of_kind_is_not_there(self, owner):
        assert refusal(owner.call("POST", "/consents/x/withdraw"), 404)


class TestExports:
    def test_asked_made_and_taken(self, owner, queue):
        asked = owner.call("POST", "/privacy/exports")
        assert (asked.status_code, asked.json["state"]) == (202, "asked")
        path = f"/privacy/exports/{asked.json['id']}/file"
        refusal(owner.get(path), 404)

        queue.run()

        [item] = owner.get("/privacy/exports").json["items"]
        assert item["state"] == "ready"
        file = owner.get(path)
        assert file.mimetype == "application/zip"
        assert file.headers["Cache-Control"] == "private, no-store"
        assert "personal-data.zip" in file.headers["Content-Disposition"]
        with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
            assert owner.phone in archive.read("data.json").decode()

    def test_one_at_a_time(self, owner):
        owner.call("POST", "/privacy/exports")

        answer = owner.call("POST", "/privacy/exports")

        assert refusal(answer, 409)["code"] == "export_under_way"

    def test_the_fourth_of_a_day(self, owner, services):
        for _ in range(3):
            owner.call("POST", "/privacy/exports")
            services.privacy_exports.make_due(actor=SYSTEM)

        answer = owner.call("POST", "/privacy/exports")

        assert refusal(answer, 429)["code"] == "export_too_often"
        assert int(answer.headers["Retry-After"]) > 0


class TestDeletion:
    def test_told_asked_and_kept(self, owner, code_for):
        told = owner.get("/privacy/deletion").json
        assert told["goes"]
        assert told["stays"]
        assert told["due_at"] is None
        assert owner.call("POST", "/privacy/deletion/codes").status_code == 202

        asked = owner.call("POST", "/privacy/deletion", json={"code": code_for(owner.phone)})
        assert asked.status_code == 202
        assert asked.json["due_at"]
        again = owner.call("POST", "/privacy/deletion", json={"code": "123456"})
        assert refusal(again, 409)["code"] == "deletion_under_way"

        assert owner.call("DELETE", "/privacy/deletion").status_code == 204
        assert refusal(owner.call("DELETE", "/privacy/deletion"), 404)

    def test_after_a_week_nothing_answers(self, owner, code_for, clock, services):
        owner.call("POST", "/privacy/deletion/codes")
        owner.call("POST", "/privacy/deletion", json={"code": code_for(owner.phone)})
        clock.advance(days=7)
        assert services.account_deletions.carry_out_due(actor=SYSTEM) == 1

        refusal(owner.get("/houses"), 401)
        refusal(owner.get("/privacy/deletion"), 401)

    def test_a_payment_in_the_way(self, owner):
        owner.started()

        answer = owner.call("POST", "/privacy/deletion", json={"code": "123456"})

        error = refusal(answer, 409)
        assert error["code"] == "deletion_blocked"
        assert "有未完成的支付" in error["message"]

    def test_a_wrong_code(self, owner):
        answer = owner.call("POST", "/privacy/deletion", json={"code": "123456"})

        assert refusal(answer, 422)["code"] == "wrong_code"
