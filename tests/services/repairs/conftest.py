"""A house with its people, the staff of a community, and repairs of it."""

from dataclasses import dataclass
from decimal import Decimal

import pytest

from domain.actors import Actor, DataScope, system_actor
from domain.repairs import DispatchMode, FaultCause, RepairCategory, RepairSource
from models import HouseBinding, RepairRule, StaffScope
from services.repairs.opening import NewRepair
from services.repairs.working import FinishedWork, Part
from tests import factories


@dataclass
class Desk:
    """Who and what there is."""

    community_id: int
    building_id: int
    house_id: int
    other_house_id: int
    fee_item_id: int
    owner: Actor
    family: Actor
    neighbour: Actor
    clerk: Actor
    manager: Actor
    auditor: Actor
    engineer: Actor
    colleague: Actor
    stranger: Actor
    """An engineer of another community."""
    machine: Actor


@pytest.fixture
def desk(database, app):
    with database.session() as session:
        building = factories.make_building(session, name="3栋")
        house = factories.make_house(session, building=building, room_no="502")
        other = factories.make_house(session, building=building, room_no="602")
        owner = factories.make_owner(session, house=house, name="王小明")
        account = factories.make_account(session, owner=owner, houses=[house])
        member = factories.make_owner(session, house=house, role="family", name="王小红")
        family = factories.make_account(
            session, owner=member, houses=[house], binding_role="family"
        )
        neighbour = factories.make_owner(session, house=other, name="李四")
        item = factories.make_item(
            session,
            community=session.get(factories.Community, house.community_id),
            price=None,
            code="BX",
            name="维修费",
            charge_method="one_off",
        )
        session.add(RepairRule(community_id=house.community_id, fee_item_id=item.id))
        elsewhere = factories.make_house(session)
        stranger = factories.staff(
            session,
            role="engineer",
            name="外人",
            sees_all=False,
            scope=DataScope(frozenset({elsewhere.community_id})),
        )
        session.add(StaffScope(staff_id=stranger.id, community_id=elsewhere.community_id))
        return Desk(
            community_id=house.community_id,
            building_id=building.id,
            house_id=house.id,
            other_house_id=other.id,
            fee_item_id=item.id,
            owner=factories.owner(account),
            family=factories.owner(family),
            neighbour=factories.owner(
                factories.make_account(session, owner=neighbour, houses=[other])
            ),
            clerk=factories.staff(session, role="customer_service"),
            manager=factories.staff(session, role="manager"),
            auditor=factories.staff(session, role="auditor"),
            engineer=factories.staff(session, role="engineer", name="赵工"),
            colleague=factories.staff(session, role="engineer", name="钱工"),
            stranger=stranger,
            machine=system_actor("测试"),
        )


@pytest.fixture
def set_mode(database, desk):
    """Let the community give out repairs in another way."""

    def set_mode(mode: DispatchMode):
        assert database.do("UPDATE repair_rule SET dispatch_mode = :mode", mode=mode)

    return set_mode


@pytest.fixture
def report(services, desk):
    """Report a repair as the owner, or as staff; each call is another report."""
    count = iter(range(1, 1000))

    def report(actor=None, **changes):
        actor = actor or desk.owner
        values = {
            "category": RepairCategory.WATER,
            "description": "厨房水龙头漏水",
            "house_id": desk.house_id,
        }
        key = f"key-report-{next(count):04d}"
        if actor.role is None:
            return services.repair_desk.report(
                actor=actor, new=NewRepair(**(values | changes)), client_key=key
            )
        values["source"] = RepairSource.PHONE
        return services.repair_desk.take_down(
            actor=actor, new=NewRepair(**(values | changes)), client_key=key
        )

    return report


@pytest.fixture
def at_work(services, desk, report):
    """A repair on which the engineer works."""

    def at_work(**changes):
        repair_id = report(**changes)
        services.repair_dispatch.assign(
            actor=desk.clerk, repair_id=repair_id, staff_id=desk.engineer.id
        )
        services.repair_work.accept(actor=desk.engineer, repair_id=repair_id)
        services.repair_work.arrive(actor=desk.engineer, repair_id=repair_id)
        return repair_id

    return at_work


@pytest.fixture
def finish(services, desk):
    """Finish a repair of the engineer."""

    def finish(repair_id, actor=None, **changes):
        values = {
            "cause": FaultCause.AGEING,
            "measure": "更换阀芯",
            "parts": (Part("阀芯", Decimal("1.5"), 1001),),
            "labour_minutes": 30,
            "labour_fen": 5000,
        }
        services.repair_work.finish(
            actor=actor or desk.engineer,
            repair_id=repair_id,
            work=FinishedWork(**(values | changes)),
        )

    return finish


@pytest.fixture
def agree(services, desk):
    """Ask the owner for a price, and let them agree."""

    def agree(repair_id, amount_fen=8000):
        services.repair_work.quote(
            actor=desk.engineer, repair_id=repair_id, amount_fen=amount_fen, note="换阀芯"
        )
        services.owner_repair_acts.decide_quote(actor=desk.owner, repair_id=repair_id, agrees=True)

    return agree


@pytest.fixture
def repair(database):
    """Look at a repair's row."""

    def repair(repair_id):
        [row] = database.rows("SELECT * FROM repair_order WHERE id = :id", id=repair_id)
        return row

    return repair


@pytest.fixture
def state(repair):
    return lambda repair_id: repair(repair_id)["state"]


@pytest.fixture
def events(database):
    """What happened to a repair: acts, with the states from and to, oldest first."""

    def events(repair_id):
        rows = database.rows(
            "SELECT act, from_state, to_state FROM repair_event WHERE repair_id = :id ORDER BY id",
            id=repair_id,
        )
        return [(row["act"], row["from_state"], row["to_state"]) for row in rows]

    return events


@pytest.fixture
def unbind(database):
    """Take an account's bindings away."""

    def unbind(actor):
        with database.session() as session:
            for row in session.query(HouseBinding).filter_by(account_id=actor.id):
                row.status = "revoked"

    return unbind
