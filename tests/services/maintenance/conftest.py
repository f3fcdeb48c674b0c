"""A community with two lifts and a pump, those who plan and do, and plans for them."""

from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest

from domain.actors import system_actor
from domain.checklists import ChecklistItem, Finding
from domain.maintenance_rules import Basis, DueRule, PlanUnit
from domain.maintenance_states import MaintenanceKind, Verdict
from services.maintenance.plan_rows import PlanWords
from tests import factories

TODAY = date(2026, 11, 2)
SYSTEM = system_actor("测试")
ITEMS = (ChecklistItem("i1", "机房"), ChecklistItem("i2", "轿厢"))
WORDS = PlanWords(
    name="半月保养",
    kind=MaintenanceKind.ROUTINE,
    basis=Basis.FIXED_CALENDAR,
    rule=DueRule(15, PlanUnit.DAY),
    starts_on=TODAY,
    checklist=ITEMS,
)
GOOD = (Finding("i1", Verdict.NORMAL), Finding("i2", Verdict.NORMAL))


def set_scene(services, database):
    """Put the community on file; its day is the second of November 2026."""
    services.clock.set(datetime(2026, 11, 2, 2, 0, tzinfo=UTC))
    with database.session() as session:
        building = factories.make_building(session, name="3栋")
        community = session.get_one(factories.Community, building.community_id)
        return SimpleNamespace(
            community_id=community.id,
            building_id=building.id,
            lift_id=factories.make_equipment(session, building=building).id,
            other_lift_id=factories.make_equipment(session, building=building).id,
            pump_id=factories.make_equipment(
                session, community=community, name="水泵", category="water"
            ).id,
            manager=factories.staff(session, name="王经理"),
            engineer=factories.staff(session, role="engineer", name="李工"),
            colleague=factories.staff(session, role="engineer", name="张工"),
        )


@pytest.fixture
def scene(services, database):
    return set_scene(services, database)


@pytest.fixture
def make_plan(services, scene):
    def make_plan(words=WORDS, equipment_ids=None):
        return services.maintenance_plans.add(
            actor=scene.manager,
            community_id=scene.community_id,
            words=words,
            equipment_ids=equipment_ids or [scene.lift_id],
        )

    return make_plan


@pytest.fixture
def due_days(database):
    """The days that are asked for, in order; withdrawn ones are not."""

    def due_days(plan_id, *states):
        rows = database.rows(
            "SELECT due_on, state FROM maintenance_task WHERE plan_id = :id"
            " AND NOT is_withdrawn ORDER BY due_on, equipment_id",
            id=plan_id,
        )
        return [row["due_on"] for row in rows if not states or row["state"] in states]

    return due_days


@pytest.fixture
def generate(services):
    def generate():
        return services.maintenance_generation.generate_due(actor=SYSTEM)

    return generate


@pytest.fixture
def task_of(database):
    """The id of the first task of a plan, or of that of a day."""

    def task_of(plan_id, due_on=None):
        return database.value(
            "SELECT id FROM maintenance_task WHERE plan_id = :id"
            " AND (CAST(:day AS date) IS NULL OR due_on = :day) ORDER BY due_on LIMIT 1",
            id=plan_id,
            day=due_on,
        )

    return task_of


@pytest.fixture
def key():
    number = iter(range(10_000))
    return lambda: f"key-{next(number):08d}"


@pytest.fixture
def do(services, scene, key):
    """Carry a task through to a state, by the engineer and the manager."""

    def do(task_id, upto="verified", findings=GOOD):
        tasks = services.maintenance_tasks
        tasks.start(actor=scene.engineer, task_id=task_id, client_key=key())
        if upto == "in_progress":
            return
        tasks.submit(actor=scene.engineer, task_id=task_id, findings=findings, client_key=key())
        if upto == "verified":
            tasks.verify(actor=scene.manager, task_id=task_id, client_key=key())

    return do
