"""Base data over HTTP: shapes, strictness, and the numbers of refusals."""

import re
from dataclasses import dataclass
from typing import Any

import pytest

from tests import factories
from tests.miniapp_api.answers import refusal

WHY = {"reason": "房产证更正"}


@dataclass
class Desk:
    """A manager's session, and a house."""

    client: Any
    key: str
    building_id: int
    house_id: int
    community_id: int

    def __call__(self, method, path, status=204, **body):
        answer = self.client.open(
            f"/api/v1/staff{path}",
            method=method,
            headers={"Authorization": f"Bearer {self.key}"},
            **({"query_string": body} if method == "GET" else {"json": body}),
        )
        assert answer.status_code == status, answer.text
        return answer.json if answer.data else None


@pytest.fixture
def desk(client, database, clock):
    with database.session() as session:
        building = factories.make_building(session, name="3栋")
        house = factories.make_house(session, building=building, unit_no="1", room_no="502")
        community = session.get_one(factories.Community, house.community_id)
        factories.make_item(session, community=community, billing_timing="in_arrears")
        staff = factories.make_staff(session, role="manager")
        key = factories.make_staff_session(session, staff=staff, at=clock.now())
        return Desk(client, key, building.id, house.id, community.id)


class TestHouses:
    def test_added_found_shown_edited_and_taken_away(self, desk):
        made = desk(
            *["POST", "/houses", 201],
            building_id=desk.building_id,
            unit_no="1",
            room_no="503",
            building_area="92.10",
            handover_date="2026-06-01",
        )
        path = f"/houses/{made['id']}"
        shown = desk("GET", path, 200)
        assert (shown["label"], shown["building_area"]) == ("3栋1单元503", "92.1")
        assert (shown["fee_coefficient"], shown["state"]) == ("1", "delivered")

        page = desk("GET", "/houses", 200, text="3-1-50", limit="1", community="CH1")
        assert page["items"] == []
        page = desk("GET", "/houses", 200, text="3栋1单元50", limit="1", retired="no")
        assert [one["id"] for one in page["items"]] == [made["id"]]
        page = desk("GET", "/houses", 200, before_id=str(page["next_before_id"]))
        assert [one["id"] for one in page["items"]] == [desk.house_id]
        assert page["next_before_id"] is None

        desk(
            *["PATCH", path],
            changes={"building_area": "93"},
            expected={"building_area": "92.1"},
            **WHY,
        )
        assert desk("GET", path, 200)["billing_area"] == "93"
        desk("POST", f"{path}/remove", **WHY)
        desk("GET", path, 404)

    def test_of_two_who_saw_the_same_the_second_is_told(self, desk):
        path = f"/houses/{desk.house_id}"
        edit = {"expected": {"layout": ""}, "reason": ""}
        desk("PATCH", path, changes={"layout": "三室"}, **edit)

        told = desk("PATCH", path, 409, changes={"layout": "两室"}, **edit)

        assert told["error"]["code"] == "changed_meanwhile"
        assert desk("GET", path, 200)["layout"] == "三室"

    def test_a_preview_and_then_the_change(self, desk, database):
        path = f"/houses/{desk.house_id}"

        told = desk("POST", f"{path}/preview", 200, changes={"building_area": "92.10"})

        assert told["before"]["building_area"] == "89.37"
        assert told["after"]["building_area"] == "92.1"
        [fee] = told["fees"]
        assert (fee["before_fen"], fee["after_fen"]) == (21002, 21644)
        assert set(fee["period_after"]) == {"period_from", "period_until"}
        assert (told["drafts"], told["blocks"], told["unpaid_fen"]) == ([], [], 0)
        assert str(database.value("SELECT building_area FROM house")) == "89.3700"

    def test_used_otherwise_retired_and_taken_back(self, desk):
        path = f"/houses/{desk.house_id}"
        desk("POST", f"{path}/use", state="vacant", holds_from="2026-11-01", **WHY)
        desk("POST", f"{path}/retire", retired_on="2026-11-16", **WHY)
        assert desk("GET", path, 200)["retired_on"] == "2026-11-16"
        told = desk(
            *["PATCH", path, 409], changes={"layout": "x"}, expected={"layout": ""}, reason=""
        )
        assert told["error"]["code"] == "is_retired"
        desk("POST", f"{path}/restore", **WHY)
        assert desk("GET", path, 200)["retired_on"] is None

    def test_what_stands_in_the_way_is_told(self, desk, database):
        with database.session() as session:
            factories.make_bill(session, house=session.get_one(factories.House, desk.house_id))
        path = f"/houses/{desk.house_id}"

        told = desk("POST", f"{path}/retire", 409, retired_on="2026-11-16", **WHY)
        assert told["error"]["code"] == "retire_blocked"
        assert "未缴账单 1 张共 ¥210.02" in told["error"]["message"]
        told = desk("POST", f"{path}/remove", 409, **WHY)
        assert told["error"]["code"] == "still_used"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("building_area", 89.37),
            ("building_area", "NaN"),
            ("building_area", "-1"),
            ("building_area", "0"),
            ("building_area", "１２"),
            ("building_area", None),
            ("floor_no", True),
            ("floor_no", 10**9),
            ("floor_no", "3"),
            ("household_size", 0),
            ("handover_date", "1800-01-01"),
            ("handover_date", "2056-01-01"),
            ("handover_date", "x"),
            ("layout", "长" * 300),
            ("layout", "三室\u0007"),
            ("room_no", ""),
            ("retired_on", "2026-01-01"),
            ("community_id", 2),
            ("id", 2),
        ],
    )
    def test_what_cannot_be_is_named(self, desk, name, value):
        path = f"/houses/{desk.house_id}"
        before = desk("GET", path, 200)

        told = desk("PATCH", path, 422, changes={name: value}, expected={name: None}, **WHY)

        assert name in str(told["error"]["fields"])
        assert desk("GET", path, 200) == before

    @pytest.mark.parametrize("given", [None, 5, [], "x"])
    @pytest.mark.parametrize("name", ["floor_no", "layout", "building_area", "handover_date"])
    def test_every_refusal_of_a_field_is_in_chinese(self, desk, name, given):
        body = {"building_id": desk.building_id, "room_no": "9", "building_area": "80"}
        answer = desk.client.post(
            "/api/v1/staff/houses",
            headers={"Authorization": f"Bearer {desk.key}"},
            json=body | {name: given},
        )

        if answer.status_code != 201:
            assert not re.search("[A-Za-z]{2}", "".join(refusal(answer, 422)["fields"][name]))

    @pytest.mark.parametrize("name", ["building_id", "room_no", "building_area"])
    def test_what_is_needed_is_asked_for(self, desk, name):
        body = {"building_id": desk.building_id, "room_no": "9", "building_area": "80"}
        del body[name]

        told = desk("POST", "/houses", 422, **body)

        assert told["error"]["fields"] == {name: ["必填"]}

    def test_without_what_was_seen_nothing_changes(self, desk):
        path = f"/houses/{desk.house_id}"

        told = desk("PATCH", path, 422, changes={"layout": "x"}, expected={}, **WHY)

        assert list(told["error"]["fields"]) == ["expected.layout"]
        desk("PATCH", path, 422, changes={}, expected={}, **WHY)
        desk("POST", f"{path}/preview", 422)


class TestCommunitiesAndBuildings:
    def test_communities(self, desk, database):
        made = desk("POST", "/communities", 201, code="NEW", name="新小区", address="湖边路 1 号")
        path = f"/communities/{made['id']}"
        codes = [one["code"] for one in desk("GET", "/communities", 200)["items"]]
        assert codes == ["CH1", "NEW"]

        changes = {"land_area": "20000.5", "completed_on": "2018-06-30", "developer": "翠湖置业"}
        seen = {"land_area": None, "completed_on": None, "developer": ""}
        desk("PATCH", path, changes=changes, expected=seen, reason="")
        shown = desk("GET", path, 200)
        assert {name: shown[name] for name in changes} == changes
        desk("POST", f"{path}/retire", retired_on="2026-12-01", **WHY)
        desk("POST", f"{path}/restore", **WHY)
        told = desk(
            *["POST", f"/communities/{desk.community_id}/retire", 409],
            retired_on="2026-12-01",
            **WHY,
        )
        assert told["error"]["code"] == "retire_blocked"
        told = desk("POST", "/communities", 409, code="NEW", name="x")
        assert told["error"]["code"] == "community_code_taken"

    def test_a_new_community_is_for_the_whole_company(self, desk, database):
        database.do("UPDATE staff SET sees_all = false")
        database.do(
            "INSERT INTO staff_scope (staff_id, community_id) SELECT id, :id FROM staff",
            id=desk.community_id,
        )

        desk("POST", "/communities", 404, code="NEW", name="新小区")

        assert database.value("SELECT count(*) FROM community") == 1

    def test_buildings_with_units(self, desk):
        made = desk("POST", "/buildings", 201, community="CH1", name="4", floor_count=32)
        path = f"/buildings/{made['id']}"
        names = [one["name"] for one in desk("GET", "/buildings", 200, community="CH1")["items"]]
        assert names == ["3栋", "4栋"]
        told = desk("POST", "/buildings", 409, community="CH1", name="4栋")
        assert told["error"]["code"] == "building_name_taken"

        desk("PATCH", path, changes={"note": "临街"}, expected={"note": ""})
        desk(
            *["PATCH", f"{path}/units"],
            unit_no="1",
            changes={"lift_count": 2},
            expected={"lift_count": None},
        )
        shown = desk("GET", path, 200)
        assert shown["building"]["note"] == "临街"
        assert shown["units"][0]["lift_count"] == 2
        desk("POST", f"{path}/retire", retired_on="2026-11-16", **WHY)
        desk("POST", f"{path}/restore", **WHY)
        told = desk("POST", f"{path}/remove", 409, **WHY)
        assert "单元资料 1 条" in told["error"]["message"]


class TestParking:
    def test_a_space_with_its_car(self, desk):
        made = desk(
            *["POST", "/parking-spaces", 201],
            community="CH1",
            space_no="B1-001",
            right_kind="rented",
            house_id=desk.house_id,
            area="12.50",
        )
        path = f"/parking-spaces/{made['id']}"
        car = desk("POST", "/cars", 201, community="CH1", plate_no="粤b·96741")
        told = desk("POST", "/cars", 409, community="CH1", plate_no="粤B96741")
        assert told["error"]["code"] == "plate_taken"
        desk(
            *["PATCH", f"/cars/{car['id']}"],
            changes={"space_id": made["id"]},
            expected={"space_id": None},
        )

        [space] = desk("GET", "/parking-spaces", 200, community="CH1", text="B1")["items"]
        assert (space["area"], space["house"], space["plates"]) == (
            "12.5",
            "3栋1单元502",
            ["粤B96741"],
        )
        [found] = desk("GET", "/cars", 200, community="CH1")["items"]
        assert found["space_no"] == "B1-001"
        desk("PATCH", path, changes={"right_kind": "owned"}, expected={"right_kind": "rented"})
        desk("POST", f"{path}/retire", 409, retired_on="2026-11-16", **WHY)
        desk("POST", f"/cars/{car['id']}/remove", **WHY)
        desk("POST", f"{path}/retire", retired_on="2026-11-16", **WHY)
        desk("POST", f"{path}/restore", **WHY)
        desk("POST", f"{path}/remove", **WHY)
        assert desk("GET", "/parking-spaces", 200, community="CH1")["items"] == []

    @pytest.mark.parametrize("right_kind", ["bought", "", None, 1])
    def test_only_rights_that_there_are(self, desk, right_kind):
        desk(
            *["POST", "/parking-spaces", 422],
            community="CH1",
            space_no="B1-001",
            right_kind=right_kind,
        )


def test_meters(desk, database):
    with database.session() as session:
        house = session.get_one(factories.House, desk.house_id)
        meter = factories.make_meter(session, house=house, meter_no="W1")
    path = f"/meters/{meter.id}"

    desk(
        *["PATCH", path],
        changes={"meter_no": "W2", "modulus": "100000"},
        expected={"meter_no": "W1", "modulus": None},
        **WHY,
    )
    desk("POST", f"{path}/retire", 422, closing_reading=None, closed_on="2026-10-31", **WHY)
    desk("POST", f"{path}/retire", closing_reading="130.5", closed_on="2026-10-31", **WHY)

    [found] = desk("GET", "/meters", 200, community="CH1", text="W2")["items"]
    assert (found["closing_reading"], found["closed_on"]) == ("130.5", "2026-10-31")
    told = desk("POST", f"{path}/retire", 409, closing_reading="131", closed_on="2026-10-31", **WHY)
    assert told["error"]["code"] == "meter_closed"


def test_who_may_only_look_changes_nothing(desk, database):
    database.do("UPDATE staff SET role = 'auditor'")
    answer = desk.client.patch(
        f"/api/v1/staff/houses/{desk.house_id}",
        headers={"Authorization": f"Bearer {desk.key}"},
        json={"changes": {"note": "x"}, "expected": {"note": ""}},
    )

    assert refusal(answer, 403)["code"] == "not_allowed"
    assert desk("GET", f"/houses/{desk.house_id}", 200)["note"] == ""


@pytest.mark.parametrize(
    ("field", "value"), [("building_area", 89.37), ("note", 3), ("room_no", 3), ("layout", None)]
)
def test_what_is_of_another_kind_is_told_in_chinese(desk, field, value):
    answer = desk.client.post(
        "/api/v1/staff/houses",
        json={"building_id": desk.building_id, "room_no": "9", "building_area": "1", field: value},
        headers={"Authorization": f"Bearer {desk.key}"},
    )

    assert field in refusal(answer, 422)["fields"]
