"""Telling people what became of a repair: its reporter of progress, engineers of work.

A step of whoever moves repairs. Each event is told once, to whom it matters, and only if it is new
to them: nobody is told of what they did themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from domain.actors import ActorKind
from domain.houses import place_label
from domain.messages import MessageKind
from domain.periods import SHANGHAI, local_date
from domain.permissions import Role
from domain.repair_states import ACT_SHOWN, STATE_SHOWN, RepairAct, RepairState
from domain.repairs import CATEGORY_SHOWN, RepairCategory
from models import Building, House, HouseBinding, RepairEvent, RepairOrder
from services.bindings import is_live_binding
from services.messages.telling import tell_houses, tell_staff
from services.place_staff import ids_of_those_who_serve
from services.unit_of_work import Transaction

_OF_PROGRESS = frozenset(
    {
        RepairAct.ACCEPT,
        RepairAct.ARRIVE,
        RepairAct.SUSPEND,
        RepairAct.QUOTE,
        RepairAct.BILL,
        RepairAct.HAND_OVER,
        RepairAct.SETTLE,
        RepairAct.FORCE_CLOSE,
        RepairAct.NOTE,
    }
)
"""What whoever reported it wants to know; of the rest the page tells."""
_OF_WORK = frozenset(
    {
        RepairAct.ASSIGN,
        RepairAct.TRANSFER,
        RepairAct.APPROVE_QUOTE,
        RepairAct.REFUSE_QUOTE,
        RepairAct.REOPEN,
        RepairAct.CANCEL,
        RepairAct.FORCE_CLOSE,
    }
)
"""What the engineer who has the repair must know."""


def tell_of_event(tx: Transaction, repair: RepairOrder, event: RepairEvent) -> None:
    """Tell the reporter and the engineer of an event that was just written."""
    act = RepairAct(event.act)
    key = f"repair:{repair.id}:{event.id}"
    if act in _OF_PROGRESS:
        _tell_reporter(tx, repair, event, key)
    is_own_act = (event.actor_kind, event.actor_id) == (ActorKind.STAFF, repair.assignee_staff_id)
    if act in _OF_WORK and repair.assignee_staff_id is not None and not is_own_act:
        _tell_staff(tx, repair, [repair.assignee_staff_id], ACT_SHOWN[act], key)
    if act is RepairAct.OFFER:
        engineers = ids_of_those_who_serve(
            tx.session, Role.ENGINEER, repair.community_id, repair.building_id
        )
        _tell_staff(tx, repair, engineers, "可抢单", key)


def tell_managers(tx: Transaction, repair: RepairOrder, words: str, key: str) -> None:
    """Tell the managers of a repair's place what is wrong with it."""
    managers = ids_of_those_who_serve(
        tx.session, Role.MANAGER, repair.community_id, repair.building_id
    )
    _tell_staff(tx, repair, managers, words, f"repair:{repair.id}:{key}")


def _tell_reporter(tx: Transaction, repair: RepairOrder, event: RepairEvent, key: str) -> None:
    """Tell whoever reported it; of what was entered at the desk, the people of the house."""
    note = "" if event.is_internal else event.note
    tell_houses(
        tx,
        kind=MessageKind.REPAIR_PROGRESS,
        house_ids=_houses(tx, repair),
        payload={
            "title": f"{CATEGORY_SHOWN[RepairCategory(repair.category)]}报修",
            "state": STATE_SHOWN[RepairState(event.to_state)],
            "at": f"{event.at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}",
            "note": note or f"工单号 {repair.repair_no}",
        },
        event_key=key,
        community_id=repair.community_id,
        only_account_id=repair.reporter_account_id,
    )


def _houses(tx: Transaction, repair: RepairOrder) -> Sequence[int]:
    """Tell of which house it is, or for a public place, which houses its reporter has there."""
    if repair.house_id is not None:
        return [repair.house_id]
    return tx.session.scalars(
        select(HouseBinding.house_id)
        .join(House, House.id == HouseBinding.house_id)
        .where(
            HouseBinding.account_id == repair.reporter_account_id,
            House.community_id == repair.community_id,
            is_live_binding(local_date(tx.now)),
        )
    ).all()


def _tell_staff(
    tx: Transaction, repair: RepairOrder, staff_ids: Sequence[int], words: str, key: str
) -> None:
    tell_staff(
        tx,
        kind=MessageKind.WORK_ORDER,
        staff_ids=staff_ids,
        payload={
            "title": f"{words} {repair.repair_no}",
            "place": _place(tx, repair),
            "at": f"{repair.finish_due_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}",
        },
        event_key=key,
        community_id=repair.community_id,
    )


def _place(tx: Transaction, repair: RepairOrder) -> str:
    building, unit_no, room_no = tx.session.execute(
        select(Building.name, House.unit_no, House.room_no)
        .select_from(RepairOrder)
        .outerjoin(Building, Building.id == RepairOrder.building_id)
        .outerjoin(House, House.id == RepairOrder.house_id)
        .where(RepairOrder.id == repair.id)
    ).one()
    return place_label(building, unit_no, room_no)
