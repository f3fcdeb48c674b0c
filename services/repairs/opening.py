"""How repairs come in: from owners, at the desk, over the phone and by a label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select

from domain.actors import Actor, ActorKind, Permission, system_actor
from domain.errors import InvalidInput, NotFound
from domain.files import FileSubject
from domain.periods import local_date
from domain.phones import normalise_phone
from domain.repair_states import OPEN, RepairAct, RepairSide, RepairState
from domain.repairs import (
    DispatchMode,
    RepairCategory,
    RepairPriority,
    RepairSource,
    usual_priority,
)
from models import Account, Building, Community, House, HouseBinding, RepairOrder
from services.audit import record
from services.bindings import is_live_binding
from services.equipment.lookup import equipment_by_code, must_stand_in
from services.files.attaching import attach_photos
from services.keys import check_key, claim_key, staff_subject
from services.numbers import take_numbers
from services.repair_moves import add_event, move
from services.repairs.clocks import start_clocks
from services.repairs.rotation import choose_engineer
from services.repairs.rows import own_repairs, reports_for
from services.repairs.rules import Rules, rules_of
from services.scopes import houses_in_scope
from services.unit_of_work import Transaction, UnitOfWork

_AT_THE_DESK = frozenset(
    {RepairSource.DESK, RepairSource.PHONE, RepairSource.STAFF, RepairSource.LABEL}
)
_LONGEST = {"description": 500, "contact_name": 40}


@dataclass(frozen=True, slots=True)
class NewRepair:
    """What somebody reports: where, what kind, and in their own words.

    A house says where by itself; without one it is a building or a public place of the community.
    The code of a label says which equipment, and so where.
    """

    category: RepairCategory
    description: str
    house_id: int | None = None
    building_id: int | None = None
    community_id: int | None = None
    equipment_id: int | None = None
    equipment_code: str = ""
    priority: RepairPriority | None = None
    source: RepairSource = RepairSource.OWNER
    contact_name: str = ""
    contact_phone: str = ""
    photo_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Alike:
    """An open repair that may be the same thing."""

    id: int
    repair_no: str
    description: str
    state: str


@dataclass(frozen=True)
class RepairDesk:
    """Takes repairs in."""

    unit_of_work: UnitOfWork

    def report(self, *, actor: Actor, new: NewRepair, client_key: str) -> int:
        """Report a repair as an owner and return its id; the same key is the same repair.

        Raises:
            InvalidInput: a field cannot be used.
            NotFound: the house, or the community, is not one where the owner may report; or a photo
                is not theirs, or was used before.
            KeyUsedForOther: the key came before with another report.
        """
        actor.must(Permission.REPORT_REPAIRS)
        check_key(client_key)
        phone = _check(new)

        def work(tx: Transaction) -> int:
            subject = f"account:{actor.account_id}"
            key_id, known = _claim(tx, subject, client_key, new)
            if known is not None:
                return known
            at = _by_label(tx, new)
            community_id, building_id = _own_place(tx, actor, at)
            must_stand_in(tx, community_id, at.equipment_id)
            account = tx.session.get_one(Account, actor.account_id)
            return open_repair(
                tx,
                actor=actor,
                community_id=community_id,
                house_id=at.house_id,
                building_id=building_id,
                equipment_id=at.equipment_id,
                category=new.category,
                description=new.description,
                source=new.source,
                contact_name=new.contact_name,
                contact_phone=phone or account.phone,
                photo_ids=new.photo_ids,
                key_id=key_id,
            ).id

        return self.unit_of_work.run(work)

    def take_down(self, *, actor: Actor, new: NewRepair, client_key: str) -> int:
        """Enter a repair as staff, such as of a caller, and return its id.

        Raises:
            InvalidInput: a field cannot be used.
            NotFound: no such place in scope, or no such photo of theirs.
            KeyUsedForOther: the key came before with another report.
        """
        actor.must(Permission.OPEN_REPAIRS)
        check_key(client_key)
        phone = _check(new)
        if new.source not in _AT_THE_DESK:
            raise InvalidInput(fields={"source": ["应为前台、电话、员工或扫设备码"]})

        def work(tx: Transaction) -> int:
            key_id, known = _claim(tx, staff_subject(actor), client_key, new)
            if known is not None:
                return known
            at = _by_label(tx, new)
            community_id, building_id = _scoped_place(tx, actor, at)
            must_stand_in(tx, community_id, at.equipment_id)
            return open_repair(
                tx,
                actor=actor,
                community_id=community_id,
                house_id=at.house_id,
                building_id=building_id,
                equipment_id=at.equipment_id,
                category=new.category,
                description=new.description,
                source=new.source,
                priority=new.priority,
                contact_name=new.contact_name,
                contact_phone=phone,
                photo_ids=new.photo_ids,
                key_id=key_id,
            ).id

        return self.unit_of_work.run(work)

    def find_alike(
        self, *, actor: Actor, house_id: int, category: RepairCategory
    ) -> Sequence[Alike]:
        """List the owner's open repairs of a house and category: perhaps it was reported before.

        A house that is not theirs has none.
        """
        actor.must(Permission.REPORT_REPAIRS)
        today = local_date(self.unit_of_work.clock.now())
        with self.unit_of_work.reading() as session:
            rows = session.scalars(
                select(RepairOrder)
                .where(
                    own_repairs(actor, today),
                    RepairOrder.house_id == house_id,
                    RepairOrder.category == category,
                    RepairOrder.state.in_(sorted(OPEN)),
                )
                .order_by(RepairOrder.id.desc())
                .limit(10)
            ).all()
        return [Alike(row.id, row.repair_no, row.description, row.state) for row in rows]


def open_repair(
    tx: Transaction,
    *,
    actor: Actor,
    community_id: int,
    house_id: int | None,
    building_id: int | None,
    equipment_id: int | None,
    category: RepairCategory,
    description: str,
    source: RepairSource,
    priority: RepairPriority | None = None,
    contact_name: str = "",
    contact_phone: str = "",
    photo_ids: Sequence[int] = (),
    key_id: int | None = None,
) -> RepairOrder:
    """Put a repair on file, start its clocks and give it out as the community does it.

    A step for whoever has asked whether the actor may report there; the places exist.
    """
    rules = rules_of(tx.session, community_id)
    chosen = priority or usual_priority(category)
    today = local_date(tx.now)
    series = f"repair:{today:%Y%m%d}"
    number = take_numbers(tx, community_id=community_id, series=series)
    repair = RepairOrder(
        community_id=community_id,
        repair_no=f"BX{today:%Y%m%d}{number:04d}",
        house_id=house_id,
        building_id=building_id,
        equipment_id=equipment_id,
        category=category,
        priority=chosen,
        source=source,
        description=description.strip(),
        contact_name=contact_name.strip(),
        contact_phone=contact_phone,
        reporter_account_id=actor.id if actor.kind is ActorKind.OWNER else None,
        opened_by_staff_id=actor.id if actor.kind is ActorKind.STAFF else None,
        key_id=key_id,
        state=RepairState.SUBMITTED,
        opened_at=tx.now,
        opened_on=today,
        clock_from_at=tx.now,
        response_due_at=tx.now,
        arrive_due_at=tx.now,
        finish_due_at=tx.now,
        warn_due_at=tx.now,
        labour_fen=0,
    )
    tx.session.add(repair)
    tx.session.flush()
    attach_photos(
        tx,
        actor=actor,
        photo_ids=photo_ids,
        subject_type=FileSubject.REPAIR,
        subject_id=repair.id,
        community_id=community_id,
    )
    start_clocks(tx, repair, rules.sla[chosen])
    add_event(tx, actor, repair, RepairAct.OPEN, None)
    record(
        tx,
        actor,
        "repair_opened",
        subject_type="repair_order",
        subject_id=repair.id,
        community_id=community_id,
        facts={"repair_no": repair.repair_no, "category": str(category), "source": str(source)},
    )
    _give_out(tx, actor, repair, rules)
    return repair


def _give_out(tx: Transaction, actor: Actor, repair: RepairOrder, rules: Rules) -> None:
    machine = system_actor("派单", actor.request_id)
    if rules.dispatch_mode is DispatchMode.GRAB:
        move(tx, machine, repair, RepairAct.OFFER, RepairSide.SYSTEM)
        return
    move(tx, machine, repair, RepairAct.QUEUE, RepairSide.SYSTEM)
    if rules.dispatch_mode is not DispatchMode.ROTATE:
        return
    engineer = choose_engineer(tx, repair)
    if engineer is not None:
        give_to(tx, machine, repair, engineer, side=RepairSide.SYSTEM)


def give_to(
    tx: Transaction,
    actor: Actor,
    repair: RepairOrder,
    staff_id: int,
    *,
    side: RepairSide,
    act: RepairAct = RepairAct.ASSIGN,
    note: str = "",
) -> bool:
    """Give a repair to an engineer, and tell whether this did it.

    Raises:
        RepairCannotMove: it is past that, or somebody else was quicker.
    """
    return move(
        tx,
        actor,
        repair,
        act,
        side,
        note=note,
        is_internal=True,
        assignee_staff_id=staff_id,
        values={
            "assignee_staff_id": staff_id,
            "assigned_at": tx.now,
            "accepted_at": None,
            "escalated_at": None,
        },
    )


def _claim(
    tx: Transaction, subject: str, client_key: str, new: NewRepair
) -> tuple[int, int | None]:
    """Claim a key, and find the repair that it led to before."""
    claim = claim_key(tx, subject=subject, action="repair", key=client_key, body=new)
    if not claim.is_known:
        return claim.id, None
    known = tx.session.execute(
        select(RepairOrder.id).where(RepairOrder.key_id == claim.id)
    ).scalar_one()
    return claim.id, known


def _check(new: NewRepair) -> str:
    """Refuse what cannot be used, and bring the phone to its form."""
    fields: dict[str, list[str]] = {}
    if not 2 <= len(new.description.strip()) <= _LONGEST["description"]:
        fields["description"] = [f"请说明问题，2 至 {_LONGEST['description']} 字"]
    if len(new.contact_name.strip()) > _LONGEST["contact_name"]:
        fields["contact_name"] = [f"请在 {_LONGEST['contact_name']} 字以内"]
    if fields:
        raise InvalidInput(fields=fields)
    return normalise_phone(new.contact_phone) if new.contact_phone.strip() else ""


def _by_label(tx: Transaction, new: NewRepair) -> NewRepair:
    """Take which equipment it is, and where it stands, from its label's code if there is one."""
    if not new.equipment_code:
        return new
    found = equipment_by_code(tx, new.equipment_code)
    if found is None:
        raise NotFound("没有这个设备，请重新扫描设备码")
    return replace(
        new,
        equipment_id=found.id,
        house_id=None,
        building_id=found.building_id,
        community_id=found.community_id,
    )


def _own_place(tx: Transaction, actor: Actor, new: NewRepair) -> tuple[int, int | None]:
    """Find where an owner reports: their house, or a place of a community where they have one."""
    bound = (
        select(House.id, House.community_id, House.building_id)
        .join(HouseBinding, HouseBinding.house_id == House.id)
        .where(
            HouseBinding.account_id == actor.account_id,
            is_live_binding(local_date(tx.now)),
            reports_for(),
        )
    )
    if new.house_id is not None:
        house = tx.session.execute(bound.where(House.id == new.house_id)).first()
        if house is None:
            raise NotFound
        return house.community_id, house.building_id
    community_id = _community_of(tx, new)
    if tx.session.execute(bound.where(House.community_id == community_id)).first() is None:
        raise NotFound
    return community_id, new.building_id


def _scoped_place(tx: Transaction, actor: Actor, new: NewRepair) -> tuple[int, int | None]:
    if new.house_id is not None:
        house = tx.session.execute(
            select(House).where(House.id == new.house_id, houses_in_scope(actor))
        ).scalar_one_or_none()
        if house is None:
            raise NotFound
        return house.community_id, house.building_id
    community_id = _community_of(tx, new)
    is_covered = actor.scope.covers(community_id)
    if not is_covered and new.building_id not in actor.scope.building_ids:
        raise NotFound
    return community_id, new.building_id


def _community_of(tx: Transaction, new: NewRepair) -> int:
    """Tell in which community a public place is."""
    if new.building_id is not None:
        building = tx.session.get(Building, new.building_id)
        if building is None or new.community_id not in (None, building.community_id):
            raise NotFound
        return building.community_id
    if new.community_id is None:
        raise InvalidInput(fields={"house_id": ["请选择房屋、楼栋或小区"]})
    community = tx.session.get(Community, new.community_id)
    if community is None or not community.is_active:
        raise NotFound
    return community.id
