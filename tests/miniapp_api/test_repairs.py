"""Repairs over HTTP: a whole life, second taps, and who is told what."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests import factories
from tests.miniapp_api.answers import refusal


@dataclass
class Desk:
    """An owner's device and the sessions of staff."""

    client: Any
    tokens: dict[str, str]
    ids: dict[str, int]

    def call(self, who, method, path, **more):
        headers = {"Authorization": f"Bearer {self.tokens[who]}"} | more.pop("headers", {})
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **more)

    def done(self, who, path, **body):
        """Do an act twice: the second tap is answered as the first."""
        for _ in range(2):
            answer = self.call(who, "POST", path, **({"json": body} if body else {}))
            assert answer.status_code == 204, answer.text


@pytest.fixture
def desk(client, database, clock):
    with database.session() as session:
        house = factories.make_house(session)
        owner = factories.make_owner(session, house=house)
        account = factories.make_account(session, owner=owner, houses=[house])
        staff = {
            name: factories.make_staff(session, role=role)
            for name, role in {
                "clerk": "customer_service",
                "engineer": "engineer",
                "colleague": "engineer",
                "manager": "manager",
            }.items()
        }
        tokens = {
            name: factories.make_staff_session(session, staff=row, at=clock.now())
            for name, row in staff.items()
        }
        tokens["owner"] = factories.make_session(session, account=account)
        ids = {name: row.id for name, row in staff.items()}
        ids |= {"house": house.id, "community": house.community_id}
        return Desk(client, tokens, ids)


@pytest.fixture
def report(desk):
    def report(key="key-00000001", who="owner", **changes):
        body = {"house_id": desk.ids["house"], "category": "water", "description": "水管漏水"}
        path = "/repairs" if who == "owner" else "/staff/repairs"
        return desk.call(who, "POST", path, json=body | changes, headers={"Idempotency-Key": key})

    return report


class TestLife:
    def test_from_report_to_rating(self, desk, report):
        repair_id = report().json["id"]
        path = f"/staff/repairs/{repair_id}"
        [row] = desk.call("owner", "GET", "/repairs").json["items"]
        assert (row["state_shown"], row["id"]) == ("待派单", repair_id)
        engineers = desk.call("clerk", "GET", f"{path}/engineers").json["items"]
        assert {one["id"] for one in engineers} == {desk.ids["engineer"], desk.ids["colleague"]}

        desk.done("clerk", f"{path}/assign", staff_id=desk.ids["engineer"])
        [mine] = desk.call("engineer", "GET", "/staff/repairs?which=mine").json["items"]
        assert mine["id"] == repair_id
        desk.done("engineer", f"{path}/accept")
        assert desk.call("engineer", "POST", f"{path}/arrive", json={}).status_code == 204
        desk.done(
            "engineer",
            f"{path}/finish",
            cause="ageing",
            measure="换阀芯",
            parts=[{"name": "阀芯", "quantity": "1.5", "unit_price_fen": 1001}],
        )
        desk.done("owner", f"/repairs/{repair_id}/confirm")
        desk.done("owner", f"/repairs/{repair_id}/rating", score=5, note="好")
        follow_up = desk.call(
            "clerk", "POST", f"{path}/follow-up", json={"is_satisfied": True, "note": "满意"}
        )
        assert follow_up.status_code == 201

        own = desk.call("owner", "GET", f"/repairs/{repair_id}").json
        assert (own["state"], own["score"], own["cause_shown"]) == ("closed", 5, "设备老化")
        assert [one["act"] for one in own["progress"]] == [
            "open",
            "queue",
            "assign",
            "accept",
            "arrive",
            "finish",
            "hand_over",
            "confirm",
        ]
        assert "parts" not in own
        seen = desk.call("clerk", "GET", path).json
        assert seen["parts"] == [
            {"name": "阀芯", "quantity": "1.5", "unit_price_fen": 1001, "amount_fen": 1502}
        ]

    def test_the_same_key_is_the_same_repair(self, report):
        assert report().json == report().json
        assert refusal(report(description="别的"), 422)["code"] == "key_used_for_other"

    def test_whoever_is_late_is_told_in_words(self, desk, report):
        desk.call(
            "manager",
            "PUT",
            f"/staff/communities/{desk.ids['community']}/repair-rules",
            json={"dispatch_mode": "grab", "accept_minutes": 20, "fee_item_id": None},
        )
        path = f"/staff/repairs/{report().json['id']}/grab"
        desk.done("engineer", path)

        told = refusal(desk.call("colleague", "POST", path), 409)

        assert (told["code"], told["message"]) == ("repair_taken", "手慢了，这张工单已被其他人接走")

    def test_a_colleague_finds_nothing(self, desk, report):
        repair_id = report().json["id"]
        desk.done("clerk", f"/staff/repairs/{repair_id}/assign", staff_id=desk.ids["engineer"])

        refusal(desk.call("colleague", "GET", f"/staff/repairs/{repair_id}"), 404)
        refusal(desk.call("colleague", "POST", f"/staff/repairs/{repair_id}/accept"), 404)

    def test_the_number_is_masked_but_for_the_engineer(self, desk, report):
        repair_id = report(who="clerk", contact_phone="13800000001", source="phone").json["id"]
        path = f"/staff/repairs/{repair_id}"
        desk.done("clerk", f"{path}/assign", staff_id=desk.ids["engineer"])

        assert desk.call("clerk", "GET", path).json["contact_phone"] == "138****0001"
        assert desk.call("engineer", "GET", path).json["contact_phone"] == "13800000001"


class TestForms:
    @pytest.mark.parametrize(
        "changes",
        [{"category": "x"}, {"description": ""}, {"house_id": "1"}, {"contact_phone": "1"}],
    )
    def test_what_cannot_be_read_is_refused(self, report, changes):
        refusal(report(**changes), 422)

    @pytest.mark.parametrize("score", [0, 6, "5", True])
    def test_a_score_is_a_number_from_one_to_five(self, desk, report, score):
        path = f"/repairs/{report().json['id']}/rating"

        refusal(desk.call("owner", "POST", path, json={"score": score}), 422)

    @pytest.mark.parametrize("quantity", ["0", "-1", "1.0001", "一", "1e3"])
    def test_a_quantity_is_a_decimal(self, desk, report, quantity):
        repair_id = report().json["id"]
        path = f"/staff/repairs/{repair_id}"
        desk.done("clerk", f"{path}/assign", staff_id=desk.ids["engineer"])
        part = {"name": "阀", "quantity": quantity, "unit_price_fen": 1}

        answer = desk.call(
            "engineer",
            "POST",
            f"{path}/finish",
            json={"cause": "ageing", "measure": "x", "parts": [part]},
        )

        refusal(answer, 422)


class TestDesk:
    def test_an_outage_and_what_repairs_teach(self, desk, report):
        ids = [report(key=f"key-0000000{number}").json["id"] for number in range(2)]
        community = f"community_id={desk.ids['community']}"
        [found] = desk.call(
            "clerk", "GET", f"/staff/repair-incidents/suggestions?{community}"
        ).json["items"]
        assert found["repair_ids"] == ids

        merged = desk.call(
            "clerk", "POST", "/staff/repair-incidents", json={"repair_ids": ids, "title": "停水"}
        ).json["id"]
        told = desk.call(
            "clerk", "POST", f"/staff/repair-incidents/{merged}/note", json={"note": "抢修中"}
        )

        assert told.json == {"repair_count": 2}
        learned = desk.call(
            "manager",
            "GET",
            f"/staff/repair-analysis?{community}&from_on=2026-01-01&until_on=2027-12-31",
        )
        assert learned.json["speed"]["opened_n"] == 2

    def test_skills_and_duty(self, desk, database):
        answer = desk.call(
            "manager",
            "PUT",
            f"/staff/accounts/{desk.ids['engineer']}/repair-work",
            json={
                "skills": ["lift"],
                "duty": [{"weekday": 0, "from_minute": 480, "until_minute": 1080}],
            },
        )

        assert answer.status_code == 204
        assert database.value("SELECT until_minute FROM staff_duty") == 1080
