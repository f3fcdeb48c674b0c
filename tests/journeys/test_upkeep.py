"""A lift falls due, somebody is told, finds it worn, and a repair is there."""

from datetime import UTC, datetime

import pytest

from jobs.tasks import JOBS
from tests import factories

PLAN = {
    "name": "半月保养",
    "kind": "routine",
    "basis": "after_completion",
    "every": 15,
    "unit": "day",
    "starts_on": "2026-11-09",
    "lead_days": 3,
    "checklist": [
        {"key": "i1", "title": "制动器间隙", "needs_value": True, "unit": "mm", "high": "0.7"}
    ],
}


@pytest.fixture
def people(database, clock):
    """Sessions of a manager and an engineer whom mail reaches, and their lift."""
    clock.set(datetime(2026, 11, 2, 2, 0, tzinfo=UTC))
    with database.session() as session:
        building = factories.make_building(session, name="3栋")
        lift = factories.make_equipment(session, building=building, name="1号电梯", place="机房")
        manager, engineer = (
            factories.make_staff(session, role=role, email=f"{role}@example.com")
            for role in ("manager", "engineer")
        )
        return {
            "community_id": building.community_id,
            "lift_id": lift.id,
            "ids": (manager.id, engineer.id),
        }


@pytest.fixture
def call(client, database, clock, people):
    """Ask the API as one of them, who signs in for it."""
    number = iter(range(1000))

    def call(who, method, path, **body):
        with database.session() as session:
            staff = session.get_one(factories.Staff, people["ids"][who])
            token = factories.make_staff_session(session, staff=staff, at=clock.now())
        answer = client.open(
            f"/api/v1/staff{path}",
            method=method,
            headers={
                "Authorization": f"Bearer {token}",
                "Idempotency-Key": f"key-{next(number):08d}",
            },
            **({"query_string": body} if method == "GET" else {"json": body}),
        )
        assert answer.status_code < 300, answer.text
        return answer.json if answer.data else None

    return call


@pytest.fixture
def tick(app):
    """Do what the clock would have a worker do."""

    def tick():
        with app.app_context():
            return [JOBS[name]() for name in ("generate_maintenance", "deliver_messages")]

    return tick


def test_from_the_reminder_to_the_repair(call, people, tick, clock, simulator):
    manager, engineer = 0, 1
    body = {"community_id": people["community_id"], "equipment_ids": [people["lift_id"]]}
    call(manager, "POST", "/maintenance-plans", **PLAN, **body)
    tick()
    assert simulator.get("mails") == []
    clock.set(datetime(2026, 11, 6, 2, 0, tzinfo=UTC))
    tick()
    tick()
    [mail] = simulator.get("mails")
    assert "engineer@example.com" in str(mail)
    assert "1号电梯 半月保养" in mail["text"]

    [task] = call(engineer, "GET", "/maintenance-tasks")["items"]
    path = f"/maintenance-tasks/{task['id']}"
    call(engineer, "POST", f"{path}/start")
    worn = {"key": "i1", "verdict": "abnormal", "value": "0.95", "note": "间隙过大"}
    call(engineer, "POST", f"{path}/submit", results=[worn])
    call(manager, "POST", f"{path}/verify")

    health = call(manager, "GET", f"/equipment/{people['lift_id']}")
    assert [repair["description"] for repair in health["repairs"]] == [
        "1号电梯 半月保养发现异常：制动器间隙：间隙过大（读数 0.95 mm）"
    ]
    assert [(line["due_on"], line["state_shown"]) for line in health["maintenance"]] == [
        ("2026-11-21", "待执行"),
        ("2026-11-09", "已完成"),
    ]
