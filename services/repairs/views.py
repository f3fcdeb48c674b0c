"""Repairs as they are shown: to the owner as a progress page, to staff as work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from domain.actors import Actor, ActorKind, Permission
from domain.errors import InvalidInput, NotFound
from domain.files import FileSubject
from domain.houses import place_label
from domain.periods import local_date
from domain.phones import mask_phone
from domain.repair_states import (
    ACT_SHOWN,
    CLOCK_STOPS,
    ENDED,
    OPEN,
    STATE_SHOWN,
    UNASSIGNED,
    RepairAct,
    RepairState,
)
from domain.repairs import (
    CATEGORY_SHOWN,
    CAUSE_SHOWN,
    PRIORITY_SHOWN,
    FaultCause,
    RepairCategory,
    RepairPriority,
)
from models import (
    Building,
    House,
    RepairEvent,
    RepairFollowUp,
    RepairOrder,
    RepairPart,
    RepairQuote,
    RepairRating,
    Staff,
)
from services.files.attaching import files_of
from services.repairs.rows import own_repairs, reading_permission, seen_by_staff
from services.repairs.shapes import (
    FollowUpView,
    PartView,
    Progress,
    QuoteView,
    RepairRow,
    RepairView,
)
from services.repairs.watch import is_breached
from services.unit_of_work import UnitOfWork

_WHICH = ("mine", "grabbable", "unassigned", "late", "open", "ended", "all")


@dataclass(frozen=True, slots=True)
class RepairFilter:
    """Which repairs staff want to see."""

    which: str = "open"
    community_id: int | None = None
    state: RepairState | None = None
    category: RepairCategory | None = None


@dataclass(frozen=True)
class RepairLists:
    """Shows repairs to whom they concern."""

    unit_of_work: UnitOfWork

    def list_own(
        self, *, actor: Actor, before_id: int | None = None, limit: int = 20
    ) -> Sequence[RepairRow]:
        """List the repairs that are an owner's business, newest first."""
        actor.must(Permission.REPORT_REPAIRS)
        now = self.unit_of_work.clock.now()
        with self.unit_of_work.reading() as session:
            where = own_repairs(actor, local_date(now))
            return _read_rows(session, now, [where], before_id, limit)

    def show_own(self, *, actor: Actor, repair_id: int) -> RepairView:
        """Show one of an owner's repairs with its progress.

        Raises:
            NotFound: it is not theirs.
        """
        actor.must(Permission.REPORT_REPAIRS)
        now = self.unit_of_work.clock.now()
        with self.unit_of_work.reading() as session:
            where = own_repairs(actor, local_date(now))
            return _read_one(session, now, actor, repair_id, where)

    def list_repairs(
        self,
        *,
        actor: Actor,
        wanted: RepairFilter,
        before_id: int | None = None,
        limit: int = 50,
    ) -> Sequence[RepairRow]:
        """List repairs for staff, newest first; an engineer sees their own and what is to be had.

        Raises:
            InvalidInput: no such list.
        """
        actor.must(reading_permission(actor))
        seen = seen_by_staff(actor)
        now = self.unit_of_work.clock.now()
        where = [seen, *_which(actor, wanted.which, now)]
        if wanted.community_id is not None:
            where.append(RepairOrder.community_id == wanted.community_id)
        if wanted.state is not None:
            where.append(RepairOrder.state == wanted.state)
        if wanted.category is not None:
            where.append(RepairOrder.category == wanted.category)
        with self.unit_of_work.reading() as session:
            return _read_rows(session, now, where, before_id, limit)

    def show(self, *, actor: Actor, repair_id: int) -> RepairView:
        """Show one repair to staff.

        Raises:
            NotFound: none that they may see.
        """
        actor.must(reading_permission(actor))
        seen = seen_by_staff(actor)
        now = self.unit_of_work.clock.now()
        with self.unit_of_work.reading() as session:
            return _read_one(session, now, actor, repair_id, seen)


def _which(actor: Actor, which: str, now: datetime) -> list[ColumnElement[bool]]:
    if which == "mine":
        return [RepairOrder.assignee_staff_id == actor.id, RepairOrder.state.in_(sorted(OPEN))]
    if which == "grabbable":
        return [RepairOrder.state == RepairState.GRABBABLE]
    if which == "unassigned":
        return [RepairOrder.state.in_(sorted(UNASSIGNED))]
    if which == "late":
        return [RepairOrder.state.in_(sorted(OPEN)), is_running(), is_breached(now)]
    if which == "open":
        return [RepairOrder.state.in_(sorted(OPEN))]
    if which == "ended":
        return [RepairOrder.state.in_(sorted(ENDED))]
    if which == "all":
        return []
    raise InvalidInput(fields={"which": ["可选：" + "、".join(_WHICH)]})


def is_running() -> ColumnElement[bool]:
    """Hold rows of `RepairOrder` to those on which work is not finished."""
    return RepairOrder.finished_at.is_(None)


def _rows_query() -> Select[RepairOrder, str | None, str | None, str | None, str | None]:
    return (
        select(RepairOrder, Building.name, House.unit_no, House.room_no, Staff.name)
        .outerjoin(Building, Building.id == RepairOrder.building_id)
        .outerjoin(House, House.id == RepairOrder.house_id)
        .outerjoin(Staff, Staff.id == RepairOrder.assignee_staff_id)
    )


def _read_rows(
    session: Session,
    now: datetime,
    where: Iterable[ColumnElement[bool]],
    before_id: int | None,
    limit: int,
) -> list[RepairRow]:
    query = _rows_query().where(*where).order_by(RepairOrder.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(RepairOrder.id < before_id)
    return [
        _as_row(repair, place_label(building, unit, room), assignee or "", now)
        for repair, building, unit, room, assignee in session.execute(query)
    ]


def _as_row(repair: RepairOrder, place: str, assignee: str, now: datetime) -> RepairRow:
    return RepairRow(
        id=repair.id,
        repair_no=repair.repair_no,
        community_id=repair.community_id,
        house_id=repair.house_id,
        place=place,
        category=repair.category,
        category_shown=CATEGORY_SHOWN[RepairCategory(repair.category)],
        priority=repair.priority,
        priority_shown=PRIORITY_SHOWN[RepairPriority(repair.priority)],
        state=repair.state,
        state_shown=STATE_SHOWN[RepairState(repair.state)],
        description=repair.description,
        assignee=assignee,
        opened_at=repair.opened_at,
        finish_due_at=repair.finish_due_at,
        is_late=_is_late(repair, now),
        incident_id=repair.incident_id,
    )


def _is_late(repair: RepairOrder, now: datetime) -> bool:
    if repair.finished_at or repair.state in ENDED | CLOCK_STOPS:
        return False
    return (
        (repair.accepted_at is None and repair.response_due_at < now)
        or (repair.arrived_at is None and repair.arrive_due_at < now)
        or repair.finish_due_at < now
    )


def _read_one(
    session: Session, now: datetime, actor: Actor, repair_id: int, where: ColumnElement[bool]
) -> RepairView:
    found = session.execute(_rows_query().where(RepairOrder.id == repair_id, where)).one_or_none()
    if found is None:
        raise NotFound
    repair, building, unit, room, assignee = found
    is_owner = actor.kind is ActorKind.OWNER
    works_on_it = not is_owner and repair.assignee_staff_id == actor.id
    sees_phone = works_on_it and repair.state not in ENDED
    rating = session.get(RepairRating, repair.id)
    return RepairView(
        row=_as_row(repair, place_label(building, unit, room), assignee or "", now),
        contact_name=repair.contact_name,
        contact_phone=repair.contact_phone if sees_phone else mask_phone(repair.contact_phone),
        is_phone_masked=not sees_phone,
        source=repair.source,
        cause=repair.cause,
        cause_shown=CAUSE_SHOWN[FaultCause(repair.cause)] if repair.cause else "",
        measure=repair.measure,
        labour_minutes=repair.labour_minutes,
        labour_fen=0 if is_owner else repair.labour_fen,
        charge_fen=repair.charge_fen,
        reopened_count=repair.reopened_count,
        response_due_at=repair.response_due_at,
        arrive_due_at=repair.arrive_due_at,
        breached_at=None if is_owner else repair.breached_at,
        finished_at=repair.finished_at,
        score=rating.score if rating else None,
        rating_note=rating.note if rating else "",
        photos=files_of(session, subject_type=FileSubject.REPAIR, subject_ids=[repair.id])[
            repair.id
        ],
        progress=_read_progress(session, repair.id, is_owner),
        parts=() if is_owner else _read_parts(session, repair.id),
        quotes=_read_quotes(session, repair.id),
        follow_ups=() if is_owner else _read_follow_ups(session, repair.id),
    )


def _read_progress(session: Session, repair_id: int, is_owner: bool) -> list[Progress]:
    events = session.scalars(
        select(RepairEvent).where(RepairEvent.repair_id == repair_id).order_by(RepairEvent.id)
    ).all()
    photos = files_of(
        session,
        subject_type=FileSubject.REPAIR_EVENT,
        subject_ids=[event.id for event in events],
    )
    return [
        Progress(
            at=event.at,
            act=event.act,
            act_shown=ACT_SHOWN[RepairAct(event.act)],
            state=event.to_state,
            state_shown=STATE_SHOWN[RepairState(event.to_state)],
            who="住户" if event.actor_kind == ActorKind.OWNER else event.actor_name,
            note="" if is_owner and event.is_internal else event.note,
            photos=photos[event.id],
        )
        for event in events
    ]


def _read_parts(session: Session, repair_id: int) -> list[PartView]:
    parts = session.scalars(
        select(RepairPart).where(RepairPart.repair_id == repair_id).order_by(RepairPart.id)
    ).all()
    return [
        PartView(part.name, f"{part.quantity.normalize():f}", part.unit_price_fen, part.amount_fen)
        for part in parts
    ]


def _read_quotes(session: Session, repair_id: int) -> list[QuoteView]:
    quotes = session.scalars(
        select(RepairQuote).where(RepairQuote.repair_id == repair_id).order_by(RepairQuote.id)
    ).all()
    return [QuoteView(one.amount_fen, one.note, one.state, one.made_at) for one in quotes]


def _read_follow_ups(session: Session, repair_id: int) -> list[FollowUpView]:
    rows = session.scalars(
        select(RepairFollowUp)
        .where(RepairFollowUp.repair_id == repair_id)
        .order_by(RepairFollowUp.id)
    ).all()
    return [FollowUpView(row.at, row.is_satisfied, row.note) for row in rows]
