"""Equipment and maintenance over HTTP: shapes, strictness, the numbers of refusals."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from tests import factories
from tests.miniapp_api.answers import refusal

WHY = {"reason": "年检"}
ITEM = {"key": "p", "title": "压力", "needs_value": True, "unit": "MPa", "low": "0.8", "high": "2"}
PLAN = {
    "name": "月度检查",
    "kind": "routine",
    "basis": "fixed_calendar",
    "every": 1,
    "unit": "month",
    "starts_on": "2026-11-02",
    "checklist": [ITEM],
}
LIFT = {"name": "1号电梯", "category": "lift"}


@dataclass
class Desk:
    """Sessions of a manager and an engineer."""

    client: Any
    community_id: int
    building_id: int
    keys: dict[str, str]
    numbers: Any = field(default_factory=lambda: iter(range(10_000)))

    def __call__(self, method, path, status=204, *, who="manager", **body):
        answer = self.client.open(
            f"/api/v1/staff{path}",
            method=method,
            headers={
                "Authorization": f"Bearer {self.keys[who]}",
                "Idempotency-Key": f"key-{next(self.numbers):08d}",
            },
            **({"query_string": body} if method == "GET" else {"json": body}),
        )
        assert answer.status_code == status, answer.text
        if status >= 400:
            return refusal(answer, status)
        return answer.json if answer.data and answer.is_json else answer.data

    def add(self, **more):
        return self(
            "POST", "/equipment", 201, **{"community_id": self.community_id, **LIFT, **more}
        )["id"]

    def plan(self, equipment_id, **more):
        body = PLAN | {"community_id": self.community_id, "equipment_ids": [equipment_id]} | more
        return self("POST", "/maintenance-plans", 201, **body)["id"]


@pytest.fixture
def desk(client, database, clock):
    clock.set(datetime(2026, 11, 2, 2, 0, tzinfo=UTC))
    with database.session() as session:
        building = factories.make_building(session, name="3栋")
        keys = {
            role: factories.make_staff_session(
                session, staff=factories.make_staff(session, role=role), at=clock.now()
            )
            for role in ("manager", "engineer")
        }
        return Desk(client, building.community_id, building.id, keys)


class TestEquipment:
    def test_added_found_shown_changed(self, desk):
        id_ = desk.add(building_id=desk.building_id, statutory_until="2026-11-20", place="机房")
        desk("PATCH", f"/equipment/{id_}", changes={"brand": "三菱"}, expected={"brand": ""}, **WHY)
        desk("POST", f"/equipment/{id_}/specs", specs={"载重": "1000 kg"}, **WHY)
        state = {"state": "under_repair", "expected": "in_use", "changed_on": "2026-11-02"}
        desk("POST", f"/equipment/{id_}/state", **state, **WHY)
        assert desk("POST", f"/equipment/{id_}/state", 409, **state, **WHY)["code"] == (
            "equipment_state_refused"
        )

        [found] = desk("GET", "/equipment", 200, text="电梯", state="under_repair")["items"]
        shown = desk("GET", f"/equipment/{id_}", 200, who="engineer")
        assert shown["equipment"] == found
        assert (found["brand"], found["specs"]) == ("三菱", {"载重": "1000 kg"})
        assert [one["state_shown"] for one in shown["states"]] == ["维修中", "在用"]
        [soon] = desk("GET", "/equipment/expiring", 200)["items"]
        assert (soon["kind_shown"], soon["days_left"]) == ("法定检验", 18)
        assert desk("GET", "/equipment", 200, limit="1")["next_before_id"] is None
        sheet = desk("POST", "/equipment/labels", 200, equipment_ids=[id_])
        assert sheet.startswith(b"%PDF")

    @pytest.mark.parametrize(
        ("field_name", "value"),
        [
            ("name", "长" * 300),
            ("name", 5),
            ("category", "spaceship"),
            ("installed_on", "1800-01-01"),
            ("installed_on", "2026-13-01"),
            ("building_id", 10**30),
            ("building_id", True),
            ("custodian_id", -1),
            ("asset_no", "x" * 300),
            ("code", "AAAAAAAAAAAA"),
            ("state", "scrapped"),
        ],
    )
    def test_refuses_bad_input(self, desk, database, field_name, value):
        refused = desk(
            *["POST", "/equipment", 422],
            **{"community_id": desk.community_id, **LIFT, field_name: value},
        )

        assert field_name in refused["fields"]
        assert database.value("SELECT count(*) FROM equipment") == 0


class TestMaintenance:
    def test_from_the_library_to_a_verified_task(self, desk):
        id_ = desk.add()
        path = "/maintenance-templates"
        loaded = desk("POST", f"{path}/library", 200, community_id=desk.community_id)
        assert loaded["loaded"] > 5
        assert desk("POST", f"{path}/library", 200, community_id=desk.community_id)["loaded"] == 0
        template = next(one for one in desk("GET", path, 200)["items"] if one["category"] == "lift")
        told = desk(
            *["POST", "/maintenance-plans", 422],
            **PLAN
            | {
                "community_id": desk.community_id,
                "equipment_ids": [id_],
                "template_id": template["id"],
                "every": 10,
                "unit": "year",
            },
        )
        assert "比模板宽松" in told["fields"]["looser_reason"][0]

        plan_id = desk.plan(id_)
        assert desk("GET", f"/maintenance-plans/{plan_id}", 200)["rule"] == "每 1 个月"
        tasks = desk("GET", "/maintenance-tasks", 200, who="engineer", limit="1")
        [task] = tasks["items"]
        assert (task["due_on"], task["is_overdue"]) == ("2026-11-02", False)
        more = {name: tasks[f"next_{name}"] for name in ("after_due_on", "after_id")}
        later = desk("GET", "/maintenance-tasks", 200, who="engineer", **more)
        assert [one["due_on"] for one in later["items"]] == ["2026-12-02"]
        one = f"/maintenance-tasks/{task['id']}"
        desk("POST", f"{one}/start", who="engineer")
        out = {"key": "p", "verdict": "normal", "value": "2.5"}
        told = desk("POST", f"{one}/submit", 422, who="engineer", results=[out])
        assert told["fields"] == {"results.p": ["读数超出范围，应判为异常"]}
        good = out | {"value": "1.25"}
        desk("POST", f"{one}/submit", who="engineer", results=[good], note="加注润滑油")
        assert desk("POST", f"{one}/verify", 403, who="engineer")["code"] == "not_allowed"
        desk("POST", f"{one}/verify")
        assert desk("POST", f"{one}/verify", 409)["code"] == "maintenance_task_moved"

        shown = desk("GET", one, 200)
        assert shown["task"]["state_shown"] == "已完成"
        assert shown["results"][0]["value"] == "1.25"
        assert [event["act"] for event in shown["events"]] == ["start", "submit", "verify"]
        health = desk("GET", f"/equipment/{id_}", 200)
        assert [line["state_shown"] for line in health["maintenance"]] == ["待执行", "已完成"]

    def test_a_plan_is_paused_changed_and_ended(self, desk):
        id_ = desk.add()
        plan_id = desk.plan(id_)
        path = f"/maintenance-plans/{plan_id}"
        desk("POST", f"{path}/pause", **WHY)
        assert desk("GET", "/maintenance-tasks", 200, which="open")["items"] == []
        assert [
            plan["id"] for plan in desk("GET", "/maintenance-plans", 200, state="paused")["items"]
        ] == [plan_id]
        desk("POST", f"{path}/resume", **WHY)
        fixed = {"every": None, "unit": None, "fixed_days": ["11-15", "12-15"]}
        desk("PATCH", path, **PLAN | fixed | WHY)
        tasks = desk("GET", "/maintenance-tasks", 200, which="open")["items"]
        assert [task["due_on"] for task in tasks] == ["2026-11-15", "2026-12-15"]
        desk("POST", f"{path}/equipment", equipment_ids=[desk.add(name="2号电梯")], **WHY)
        tasks = desk("GET", "/maintenance-tasks", 200, which="open")["items"]
        assert {task["equipment"] for task in tasks} == {"2号电梯"}
        desk("POST", f"{path}/end", **WHY)
        assert desk("GET", "/maintenance-tasks", 200, which="open")["items"] == []

    def test_a_template_is_added_and_changed(self, desk):
        words = {name: PLAN[name] for name in ("name", "kind", "every", "unit", "checklist")}
        words |= {"code": "X-1", "category": "water"}
        path = "/maintenance-templates"
        made = desk("POST", path, 201, **words, community_id=desk.community_id)
        taken = desk("POST", path, 409, **words, community_id=desk.community_id)
        assert taken["code"] == "maintenance_template_code_taken"
        desk("PATCH", f"{path}/{made['id']}", **words | {"every": 3}, **WHY)
        [shown] = desk("GET", path, 200, community_id=str(desk.community_id))["items"]
        assert shown["rule"] == "每 3 个月"

    def test_acts_that_decide(self, desk):
        desk.plan(desk.add())
        ids = [task["id"] for task in desk("GET", "/maintenance-tasks", 200, which="open")["items"]]
        desk("POST", f"/maintenance-tasks/{ids[0]}/assign", assignee_id=None)
        desk("POST", f"/maintenance-tasks/{ids[0]}/skip", **WHY)
        desk("POST", f"/maintenance-tasks/{ids[1]}/cancel", **WHY)
        assert desk("POST", f"/maintenance-tasks/{ids[1]}/return", 409, **WHY)["code"] == (
            "maintenance_task_moved"
        )

    @pytest.mark.parametrize(
        ("changes", "field_name"),
        [
            ({"every": 0}, "every"),
            ({"every": -1}, "every"),
            ({"every": 10**9}, "every"),
            ({"every": 1.5}, "every"),
            ({"every": True}, "every"),
            ({"unit": "century"}, "unit"),
            ({"starts_on": "1800-01-01"}, "starts_on"),
            ({"ends_on": "2020-01-01"}, "ends_on"),
            ({"lead_days": -1}, "lead_days"),
            ({"window_days": 10**6}, "window_days"),
            ({"fixed_days": ["13-45"], "every": None, "unit": None}, "fixed_days"),
            ({"fixed_days": ["01-01"] * 99}, "fixed_days"),
            ({"name": "长" * 300}, "name"),
            ({"checklist": []}, "checklist"),
            ({"checklist": [ITEM | {"low": "NaN"}]}, "checklist"),
            ({"checklist": [ITEM | {"low": "3", "high": "2"}]}, "checklist"),
            ({"checklist": [ITEM | {"title": "长" * 300}]}, "checklist"),
            ({"equipment_ids": []}, "equipment_ids"),
            ({"equipment_ids": [0]}, "equipment_ids"),
            ({"assignee_role": "cashier"}, "assignee_role"),
        ],
    )
    def test_refuses_bad_plans(self, desk, database, changes, field_name):
        body = PLAN | {"community_id": desk.community_id, "equipment_ids": [desk.add()]} | changes

        refused = desk("POST", "/maintenance-plans", 422, **body)

        assert field_name in str(refused["fields"])
        assert database.value("SELECT count(*) FROM maintenance_plan") == 0

    @pytest.mark.parametrize(
        "query",
        [
            {"which": "none"},
            {"limit": "0"},
            {"after_id": "1"},
            {"after_due_on": "2026-01-01"},
            {"after_due_on": "x", "after_id": "1"},
        ],
    )
    def test_refuses_bad_questions(self, desk, query):
        desk("GET", "/maintenance-tasks", 422, **query)

    @pytest.mark.parametrize("value", ["NaN", "1e9", "٣", "1.1234567", 5, ""])
    def test_a_value_is_a_plain_decimal(self, desk, value):
        desk.plan(desk.add())
        [task, _] = desk("GET", "/maintenance-tasks", 200, which="open")["items"]
        path = f"/maintenance-tasks/{task['id']}"
        desk("POST", f"{path}/start", who="engineer")
        result = {"key": "p", "verdict": "normal", "value": value}

        desk("POST", f"{path}/submit", 422, who="engineer", results=[result])
