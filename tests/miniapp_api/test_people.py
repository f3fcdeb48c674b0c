"""Owners, bindings and transfers over HTTP: shapes, strictness, and the numbers of refusals."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests import factories
from tests.miniapp_api.answers import refusal

NEW = "18800000001"


@dataclass
class Desk:
    """A clerk's session, an owner's device and what they are about."""

    client: Any
    key: str
    token: str
    house_id: int
    owner_id: int
    phone: str

    def staff(self, method, path, **more):
        headers = {"Authorization": f"Bearer {self.key}"} | more.pop("headers", {})
        return self.client.open(f"/api/v1/staff{path}", method=method, headers=headers, **more)

    def owner(self, method, path, token=None, **more):
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **more)


@pytest.fixture
def desk(client, database, clock):
    with database.session() as session:
        house = factories.make_house(session)
        owner = factories.make_owner(
            session, house=house, name="王小明", pinyin="wangxiaoming", initials="wxm"
        )
        account = factories.make_account(session, owner=owner, houses=[house])
        staff = factories.make_staff(session, role="customer_service")
        return Desk(
            client,
            factories.make_staff_session(session, staff=staff, at=clock.now()),
            factories.make_session(session, account=account),
            house.id,
            owner.id,
            owner.phone,
        )


@pytest.fixture
def device(database):
    def device(phone=NEW):
        with database.session() as session:
            return factories.make_session(
                session, account=factories.make_account(session, phone=phone)
            )

    return device


class TestOwners:
    def test_found_by_anything_and_masked(self, desk):
        answer = desk.staff(
            "GET", "/owners", query_string={"text": "wxm", "community": "CH1", "arrears": "no"}
        )

        assert answer.status_code == 200
        [found] = answer.json["items"]
        assert (found["name"], found["binding"]) == ("王小明", "bound")
        assert found["houses"][0]["id"] == desk.house_id
        assert answer.json["next_before_id"] is None
        assert desk.phone not in answer.text

    def test_page_by_page(self, desk, database):
        with database.session() as session:
            for _ in range(2):
                factories.make_owner(session)

        answer = desk.staff("GET", "/owners", query_string={"limit": 2})

        assert len(answer.json["items"]) == 2
        assert answer.json["next_before_id"] == 2

    def test_added_shown_edited_and_taken_away(self, desk):
        made = desk.staff(
            "POST", "/owners", json={"community": "CH1", "name": "李四", "phone": NEW, "note": ""}
        )
        assert made.status_code == 201
        path = f"/owners/{made.json['id']}"

        edited = desk.staff("PATCH", path, json={"wechat_note": "李先生", "reason": "补充"})
        shown = desk.staff("GET", path).json
        assert edited.status_code == 204
        assert (shown["wechat_note"], shown["parts"]) == ("李先生", [])
        assert shown["phones"][0]["phone_masked"] == "188****0001"
        assert desk.staff("POST", f"{path}/end", json={"reason": "x"}).status_code == 204
        assert desk.staff("POST", f"{path}/remove", json={"reason": "x"}).status_code == 204
        assert refusal(desk.staff("GET", path), 404)["code"] == "not_found"

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/owners", {"community": "CH1", "name": "x", "id_number": "1101"}),
            ("POST", "/owners", {"community": "CH1", "name": "长" * 100}),
            ("PATCH", "/owners/1", {"name": "x"}),
            ("PATCH", "/owners/1", {"phone": NEW, "reason": "x"}),
            ("POST", "/owners/1/reveal", {}),
            ("POST", "/owners/1/phones/change", {"phone": NEW, "reason": "x"}),
            ("POST", "/houses/1/people", {"owner_id": 1, "role": "king", "reason": "x"}),
            (
                "POST",
                "/houses/1/people",
                {"owner_id": 1, "role": "co_owner", "share_ratio": 0.5, "reason": "x"},
            ),
            ("PUT", "/houses/1/shares", {"shares": [], "reason": "x"}),
            ("POST", "/bindings/applications/1/approve", {"reason": "x", "role": "owner"}),
        ],
    )
    def test_what_is_not_named_or_cannot_be_is_refused(self, desk, method, path, body):
        assert refusal(desk.staff(method, path, json=body), 422)["fields"]

    def test_a_phone_of_somebody_else(self, desk):
        answer = desk.staff(
            "POST", "/owners", json={"community": "CH1", "name": "x", "phone": desk.phone}
        )

        assert refusal(answer, 409)["code"] == "phone_taken"

    def test_revealed_with_a_reason_and_on_record(self, desk):
        answer = desk.staff("POST", f"/owners/{desk.owner_id}/reveal", json={"reason": "催缴"})

        assert answer.json == {"phones": [desk.phone]}
        [seen] = desk.staff("GET", f"/owners/{desk.owner_id}/reveals").json["items"]
        assert seen["reason"] == "催缴"

    def test_phones_are_added_changed_and_removed(self, desk):
        path = f"/owners/{desk.owner_id}/phones"
        made = desk.staff("POST", path, json={"phone": NEW, "label": "妻", "reason": "x"})
        changed = desk.staff(
            "POST",
            f"{path}/change",
            json={
                "phone_id": made.json["id"],
                "phone": "18800000002",
                "paper": "身份证",
                "reason": "x",
            },
        )
        assert changed.status_code == 204
        phones = desk.staff("GET", f"/owners/{desk.owner_id}").json["phones"]
        assert [phone["phone_masked"][-4:] for phone in phones] == [desk.phone[-4:], "0002"]

        removed = desk.staff("POST", f"{path}/{phones[1]['id']}/remove", json={"reason": "x"})
        assert removed.status_code == 204

    def test_the_first_phone_is_changed_by_a_code_and_the_old_one_opens_nothing(
        self, desk, database
    ):
        path = f"/owners/{desk.owner_id}"
        assert desk.staff("POST", f"{path}/phone-codes", json={"phone": NEW}).status_code == 202
        code = database.value(
            "SELECT payload ->> 'code' FROM outbox_message WHERE recipient = :new", new=NEW
        )

        changed = desk.staff(
            "POST", f"{path}/phones/change", json={"phone": NEW, "code": code, "reason": "换号"}
        )

        assert changed.status_code == 204
        assert refusal(desk.owner("GET", "/houses"), 401)["code"] == "not_signed_in"

    def test_a_role_without_the_permission(self, desk, database):
        with database.session() as session:
            engineer = factories.make_staff(session, role="engineer")
            desk.key = factories.make_staff_token(session, staff=engineer)

        for method, path in (
            ("GET", "/owners"),
            ("GET", f"/owners/{desk.owner_id}"),
            ("GET", f"/houses/{desk.house_id}/people"),
            ("GET", "/bindings"),
            ("GET", "/bindings/applications"),
        ):
            assert refusal(desk.staff(method, path), 403)["code"] == "not_allowed"

    def test_an_owners_session_is_no_key_of_staff(self, desk):
        desk.key = desk.token

        assert refusal(desk.staff("GET", "/owners"), 401)["code"] == "not_signed_in"


class TestPeople:
    def test_of_a_house(self, desk, database):
        with database.session() as session:
            wife = factories.make_owner(session, community_id=1, name="王太太")
        path = f"/houses/{desk.house_id}/people"

        made = desk.staff(
            "POST", path, json={"owner_id": wife.id, "role": "family", "reason": "家属"}
        )
        person = f"/house-people/{made.json['id']}"
        limited = desk.staff(
            "PUT", f"{person}/rights", json={"rights": {"may_pay": False}, "reason": "业主要求"}
        )
        people = desk.staff("GET", path).json["items"]

        assert (made.status_code, limited.status_code) == (201, 204)
        assert [one["role"] for one in people] == ["title_holder", "family"]
        assert people[1]["rights"] == {
            "may_see_bills": True,
            "may_pay": False,
            "may_report": True,
        }
        assert desk.staff("POST", f"{person}/remove", json={"reason": "x"}).status_code == 204

    def test_shares_and_ends(self, desk):
        [person] = desk.staff("GET", f"/houses/{desk.house_id}/people").json["items"]
        shares = {"shares": [{"person_id": person["id"], "share_ratio": "1"}], "reason": "x"}

        assert desk.staff("PUT", f"/houses/{desk.house_id}/shares", json=shares).status_code == 204
        shares["shares"][0]["share_ratio"] = "0.5"
        wrong = refusal(desk.staff("PUT", f"/houses/{desk.house_id}/shares", json=shares), 422)
        assert wrong["code"] == "shares_do_not_add_up"
        ended = desk.staff(
            "POST",
            f"/house-people/{person['id']}/end",
            json={"until": "2026-01-01", "reason": "x"},
        )
        assert ended.status_code == 204
        assert desk.staff("GET", f"/houses/{desk.house_id}/people").json["items"] == []


class TestBindings:
    def test_own_ones_left_and_taken_again(self, desk):
        [own] = desk.owner("GET", "/bindings").json["items"]
        assert (own["is_own"], own["role"], own["rights"]["may_pay"]) == (True, "owner", True)

        assert desk.owner("DELETE", f"/bindings/{own['id']}").status_code == 204
        assert desk.owner("GET", "/bindings").json["items"] == []
        assert desk.owner("POST", "/bindings").json == {"bound_count": 1}

    def test_applied_for_and_approved(self, desk, device, database):
        token = device()
        house = database.value("SELECT name FROM building LIMIT 1") + "1单元101"
        form = {
            "community": "CH1",
            "house": house,
            "name": "王太太",
            "role": "family",
            "proof": "户口本",
        }

        made = desk.owner("POST", "/bindings/applications", token, json=form)
        [review] = desk.staff("GET", "/bindings/applications").json["items"]
        [own] = desk.owner("GET", "/bindings/applications", token).json["items"]
        assert made.status_code == 201
        assert review["house_id"] == desk.house_id
        assert "house_id" not in own
        approved = desk.staff(
            "POST", f"/bindings/applications/{made.json['id']}/approve", json={"reason": "属实"}
        )
        assert approved.status_code == 201
        [house] = desk.owner("GET", "/houses", token).json["items"]
        assert house["role"] == "family"
        [live, _] = desk.staff("GET", "/bindings").json["items"]
        revoked = desk.staff("POST", f"/bindings/{live['id']}/revoke", json={"reason": "x"})
        assert revoked.status_code == 204
        assert desk.owner("GET", "/houses", token).status_code == 401

    def test_applied_for_and_refused_or_withdrawn(self, desk, device):
        token = device()
        form = {"community": "CH1", "house": "x", "name": "x", "role": "owner", "proof": "x"}
        ids = [
            desk.owner("POST", "/bindings/applications", token, json=form | {"house": house}).json[
                "id"
            ]
            for house in "ab"
        ]

        rejected = desk.staff(
            "POST", f"/bindings/applications/{ids[0]}/reject", json={"reason": "不清楚"}
        )
        withdrawn = desk.owner("DELETE", f"/bindings/applications/{ids[1]}", token)

        assert (rejected.status_code, withdrawn.status_code) == (204, 204)
        again = desk.owner("DELETE", f"/bindings/applications/{ids[0]}", token)
        assert refusal(again, 409)["code"] == "application_decided"

    def test_a_flood_is_refused(self, desk, device):
        token = device()
        form = {"community": "CH1", "name": "x", "role": "owner", "proof": "x"}

        answers = [
            desk.owner("POST", "/bindings/applications", token, json=form | {"house": f"h{n}"})
            for n in range(6)
        ]

        assert [answer.status_code for answer in answers] == [201] * 5 + [429]
        assert answers[-1].headers["Retry-After"]

    def test_invited_and_limited(self, desk, device):
        token = device()
        form = {
            "house_id": desk.house_id,
            "phone": NEW,
            "name": "房客",
            "role": "tenant",
            "rights": {"may_see_bills": True},
        }

        made = desk.owner("POST", "/invitations", json=form)
        [to_me] = desk.owner("GET", "/invitations", token).json["items"]
        taken = desk.owner("POST", "/invitations/accept", token, json={"token": made.json["token"]})

        assert (made.status_code, taken.status_code) == (201, 201)
        assert (to_me["is_own"], to_me["state"]) == (False, "open")
        path = f"/bindings/{taken.json['id']}"
        assert desk.owner("PATCH", path, json={"may_see_bills": False}).status_code == 204
        [own] = desk.owner("GET", "/bindings", token).json["items"]
        assert own["rights"]["may_see_bills"] is False
        assert refusal(desk.owner("PATCH", path, token, json={}), 404)["code"] == "not_found"

    def test_an_invitation_is_taken_back(self, desk):
        form = {"house_id": desk.house_id, "phone": NEW, "name": "x", "role": "family"}
        made = desk.owner("POST", "/invitations", json=form)

        assert desk.owner("DELETE", f"/invitations/{made.json['id']}").status_code == 204
        assert desk.owner("DELETE", f"/invitations/{made.json['id']}").status_code == 404

    def test_ones_own_number(self, desk, database):
        assert desk.owner("POST", "/phone-change/codes", json={"phone": NEW}).status_code == 202
        codes = {
            row["recipient"]: row["code"]
            for row in database.rows(
                "SELECT recipient, payload ->> 'code' AS code FROM outbox_message"
            )
        }

        changed = desk.owner(
            "POST",
            "/phone-change",
            json={"phone": NEW, "old_code": codes[desk.phone], "new_code": codes[NEW]},
        )

        assert changed.status_code == 204
        assert database.value("SELECT phone FROM owner") == NEW
        assert desk.owner("GET", "/houses").status_code == 401


class TestTransfers:
    def test_previewed_carried_out_told_and_undone(self, desk, database):
        with database.session() as session:
            factories.make_bill(session, house=session.get_one(factories.House, desk.house_id))
        path = f"/houses/{desk.house_id}/transfer"

        seen = desk.staff("GET", path, query_string={"cut_on": "2026-10-15"}).json
        form = {
            "cut_on": "2026-10-15",
            "version": seen["version"],
            "buyers": [{"name": "赵买", "phone": NEW, "share_ratio": "1"}],
            "reason": "买卖",
        }
        key = {"Idempotency-Key": "key-00000001"}
        made, again = (desk.staff("POST", path, json=form, headers=key) for _ in range(2))
        [told] = desk.staff("GET", f"{path}s").json["items"]

        assert seen["bills"][0]["parting"]["seller_fen"] == 9485
        assert (made.status_code, made.json) == (201, again.json)
        assert told["shares"][0]["buyer_fen"] == 11517
        assert told["buyers"] == ["赵买"]
        undone = desk.staff("POST", f"/transfers/{made.json['id']}/undo", json={"reason": "选错"})
        assert undone.status_code == 204

    def test_an_outdated_preview(self, desk):
        answer = desk.staff(
            "POST",
            f"/houses/{desk.house_id}/transfer",
            json={
                "cut_on": "2026-10-15",
                "version": "x",
                "buyers": [{"name": "赵买"}],
                "reason": "x",
            },
            headers={"Idempotency-Key": "key-00000001"},
        )

        assert refusal(answer, 409)["code"] == "transfer_outdated"

    @pytest.mark.parametrize(
        "change",
        [
            {"buyers": []},
            {"buyers": [{"name": "x", "id_number": "1"}]},
            {"unpaid": "nobody"},
            {"cut_on": "2999-01-01"},
            {"prepaid": "refund"},
        ],
    )
    def test_what_cannot_be(self, desk, change):
        form = {
            "cut_on": "2026-10-15",
            "version": "x",
            "buyers": [{"name": "赵买"}],
            "reason": "x",
        }

        answer = desk.staff(
            "POST",
            f"/houses/{desk.house_id}/transfer",
            json=form | change,
            headers={"Idempotency-Key": "key-00000001"},
        )

        assert answer.status_code == 422
