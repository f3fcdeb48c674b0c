"""The one place that moves a repair: a conditional update, its event and its audit row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select, update

from domain.actors import Actor
from domain.files import FileSubject
from domain.repair_states import RepairAct, RepairCannotMove, RepairSide, RepairState, check_move
from models import RepairEvent, RepairOrder
from services.audit import record
from services.files.attaching import attach_photos
from services.repair_telling import tell_of_event
from services.unit_of_work import Transaction


def move(
    tx: Transaction,
    actor: Actor,
    repair: RepairOrder,
    act: RepairAct,
    side: RepairSide,
    *,
    note: str = "",
    is_internal: bool = False,
    assignee_staff_id: int | None = None,
    values: Mapping[str, Any] | None = None,
    photo_ids: Sequence[int] = (),
) -> bool:
    """Move a repair by the table and tell whether this did it.

    False means that the same act of the same person is the last thing that happened: a second tap.
    ``values`` are columns that change with it; the row that was handed in has all of them then.

    Raises:
        RepairCannotMove: the table does not allow it, or somebody else was quicker.
        NotFound: a photo is not theirs, or was used before.
    """
    if is_repeated(tx, actor, repair, act, assignee_staff_id):
        return False
    old = RepairState(repair.state)
    new = check_move(old, act, side)
    moved = tx.session.execute(
        update(RepairOrder)
        .where(
            RepairOrder.id == repair.id,
            RepairOrder.state == old,
            RepairOrder.assignee_staff_id.is_not_distinct_from(repair.assignee_staff_id),
        )
        .values(state=new, **(values or {}))
        .returning(RepairOrder.id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    tx.session.refresh(repair)
    if moved is None:
        if is_repeated(tx, actor, repair, act, assignee_staff_id):
            return False
        raise RepairCannotMove("工单刚被别人处理，请刷新后再试")
    add_event(
        tx,
        actor,
        repair,
        act,
        old,
        note=note,
        is_internal=is_internal,
        assignee_staff_id=assignee_staff_id,
        photo_ids=photo_ids,
    )
    record(
        tx,
        actor,
        "repair_moved",
        subject_type="repair_order",
        subject_id=repair.id,
        community_id=repair.community_id,
        facts={
            "act": str(act),
            "before": {"state": str(old)},
            "after": {"state": str(new)},
            "reason": note,
        },
    )
    return True


def add_event(
    tx: Transaction,
    actor: Actor,
    repair: RepairOrder,
    act: RepairAct,
    from_state: RepairState | None,
    *,
    note: str = "",
    is_internal: bool = False,
    assignee_staff_id: int | None = None,
    photo_ids: Sequence[int] = (),
) -> RepairEvent:
    """Write down what happened to a repair, which is in its new state already, and tell of it."""
    event = RepairEvent(
        repair_id=repair.id,
        at=tx.now,
        act=act,
        from_state=from_state,
        to_state=repair.state,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        assignee_staff_id=assignee_staff_id,
        note=note,
        is_internal=is_internal,
    )
    tx.session.add(event)
    tx.session.flush()
    attach_photos(
        tx,
        actor=actor,
        photo_ids=photo_ids,
        subject_type=FileSubject.REPAIR_EVENT,
        subject_id=event.id,
        community_id=repair.community_id,
    )
    tell_of_event(tx, repair, event)
    return event


def is_repeated(
    tx: Transaction,
    actor: Actor,
    repair: RepairOrder,
    act: RepairAct,
    assignee_staff_id: int | None = None,
) -> bool:
    """Tell whether the last act of a person was this one, and the repair is where it led to.

    What our own machinery did right after it does not count.
    """
    last = tx.session.execute(
        select(RepairEvent)
        .where(
            RepairEvent.repair_id == repair.id,
            RepairEvent.actor_kind != "system",
            RepairEvent.act != RepairAct.NOTE,
        )
        .order_by(RepairEvent.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    return (
        last is not None
        and (last.act, last.actor_kind, last.actor_id) == (act, actor.kind, actor.id)
        and last.assignee_staff_id == assignee_staff_id
    )
