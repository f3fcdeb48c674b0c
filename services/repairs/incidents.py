"""One outage that many people report: found, merged, and told to all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update

from domain.actors import Actor, Permission, staff_id_of
from domain.errors import Conflict, InvalidInput, NotFound
from domain.repair_states import OPEN
from domain.repairs import SAME_OUTAGE_WITHIN
from models import RepairIncident, RepairOrder
from services.audit import record
from services.people.rows import check_community
from services.reasons import check_reason
from services.repairs.owner_acts import note_progress
from services.repairs.rows import repairs_in_scope
from services.unit_of_work import Transaction, UnitOfWork

_MOST = 200


class NotOneOutage(Conflict):
    """The repairs are not of one community and category, or one is over or merged already."""

    code = "not_one_outage"
    message = "只能合并同一小区、同一类别、尚未完成且未合并的报修"


class IncidentEnded(Conflict):
    """The outage is over."""

    code = "incident_ended"
    message = "该公共故障已经结束"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Open repairs of a building and category that came soon after each other."""

    community_id: int
    building_id: int
    category: str
    repair_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class IncidentView:
    """An outage and how many reports it holds."""

    id: int
    title: str
    category: str
    building_id: int | None
    opened_at: datetime
    ended_at: datetime | None
    repair_count: int


@dataclass(frozen=True)
class RepairIncidents:
    """Makes one outage of many reports."""

    unit_of_work: UnitOfWork

    def suggest(self, *, actor: Actor, community_id: int) -> Sequence[Suggestion]:
        """Suggest what to merge: at least two open repairs of a building and category in 12 hours.

        Raises:
            NotFound: no such community in scope.
        """
        actor.must(Permission.DISPATCH_REPAIRS)
        since = self.unit_of_work.clock.now() - SAME_OUTAGE_WITHIN
        ids = func.array_agg(RepairOrder.id)
        with self.unit_of_work.reading() as session:
            check_community(session, actor, community_id)
            rows = session.execute(
                select(RepairOrder.building_id, RepairOrder.category, ids)
                .where(
                    repairs_in_scope(actor),
                    RepairOrder.community_id == community_id,
                    RepairOrder.building_id.is_not(None),
                    RepairOrder.incident_id.is_(None),
                    RepairOrder.state.in_(sorted(OPEN)),
                    RepairOrder.opened_at >= since,
                )
                .group_by(RepairOrder.building_id, RepairOrder.category)
                .having(func.count() > 1)
                .order_by(func.count().desc(), RepairOrder.building_id, RepairOrder.category)
                .limit(50)
            ).all()
        return [
            Suggestion(community_id, building_id, category, tuple(sorted(found)))
            for building_id, category, found in rows
            if building_id is not None
        ]

    def merge(self, *, actor: Actor, repair_ids: Sequence[int], title: str) -> int:
        """Make one outage of open repairs and return its id; each goes on as its own repair.

        Raises:
            NotFound: one is not in scope. NotOneOutage: they do not belong together.
            InvalidInput: no title, or not 2 to 200 repairs.
        """
        actor.must(Permission.DISPATCH_REPAIRS)
        staff_id = staff_id_of(actor)
        wanted = sorted(set(repair_ids))
        fields = {}
        if not 2 <= len(wanted) <= _MOST:
            fields["repair_ids"] = [f"请选择 2 至 {_MOST} 个报修"]
        if not 1 <= len(title.strip()) <= 60:
            fields["title"] = ["请填写故障说明，60 字以内"]
        if fields:
            raise InvalidInput(fields=fields)

        def work(tx: Transaction) -> int:
            found = tx.session.scalars(
                select(RepairOrder)
                .where(RepairOrder.id.in_(wanted), repairs_in_scope(actor))
                .order_by(RepairOrder.id)
                .with_for_update()
            ).all()
            if len(found) != len(wanted):
                raise NotFound
            _check_together(found)
            buildings = {one.building_id for one in found}
            row = RepairIncident(
                community_id=found[0].community_id,
                building_id=buildings.pop() if len(buildings) == 1 else None,
                category=found[0].category,
                title=title.strip(),
                opened_by_staff_id=staff_id,
                opened_at=tx.now,
            )
            tx.session.add(row)
            tx.session.flush()
            tx.session.execute(
                update(RepairOrder).where(RepairOrder.id.in_(wanted)).values(incident_id=row.id)
            )
            _record(tx, actor, row, "repair_incident_opened", {"repair_ids": wanted})
            return row.id

        return self.unit_of_work.run(work)

    def tell(self, *, actor: Actor, incident_id: int, note: str) -> int:
        """Tell all reporters of an outage how it goes, and return how many repairs that were.

        Raises:
            NotFound: no such outage in scope. IncidentEnded: it is over.
            InvalidInput: no words.
        """
        actor.must(Permission.DISPATCH_REPAIRS)
        check_reason(note, field="note")

        def work(tx: Transaction) -> int:
            incident = _lock(tx, actor, incident_id)
            told = _open_repairs(tx, incident.id)
            for repair in told:
                note_progress(tx, actor, repair, note.strip())
            facts = {"reason": note.strip(), "repair_count": len(told)}
            _record(tx, actor, incident, "repair_incident_told", facts)
            return len(told)

        return self.unit_of_work.run(work)

    def end(self, *, actor: Actor, incident_id: int, note: str) -> None:
        """Say that an outage is over, to all reporters; their repairs are finished one by one.

        Raises:
            NotFound: no such outage in scope. IncidentEnded: it is over.
            InvalidInput: no words.
        """
        actor.must(Permission.DISPATCH_REPAIRS)
        check_reason(note, field="note")

        def work(tx: Transaction) -> None:
            incident = _lock(tx, actor, incident_id)
            for repair in _open_repairs(tx, incident.id):
                note_progress(tx, actor, repair, note.strip())
            incident.ended_at = tx.now
            _record(tx, actor, incident, "repair_incident_ended", {"reason": note.strip()})

        self.unit_of_work.run(work)

    def list_incidents(
        self, *, actor: Actor, community_id: int, before_id: int | None = None, limit: int = 50
    ) -> Sequence[IncidentView]:
        """List the outages of a community of which a repair is in scope, newest first.

        Raises:
            NotFound: no such community in scope.
        """
        actor.must(Permission.VIEW_REPAIRS)
        query = (
            select(RepairIncident, func.count(RepairOrder.id))
            .join(RepairOrder, RepairOrder.incident_id == RepairIncident.id)
            .where(RepairIncident.community_id == community_id, repairs_in_scope(actor))
            .group_by(RepairIncident.id)
            .order_by(RepairIncident.id.desc())
            .limit(limit)
        )
        if before_id is not None:
            query = query.where(RepairIncident.id < before_id)
        with self.unit_of_work.reading() as session:
            check_community(session, actor, community_id)
            rows = session.execute(query).all()
        return [
            IncidentView(
                row.id,
                row.title,
                row.category,
                row.building_id,
                row.opened_at,
                row.ended_at,
                count,
            )
            for row, count in rows
        ]


def _check_together(found: Sequence[RepairOrder]) -> None:
    kinds = {(one.community_id, one.category) for one in found}
    if len(kinds) != 1 or any(one.state not in OPEN or one.incident_id for one in found):
        raise NotOneOutage


def _lock(tx: Transaction, actor: Actor, incident_id: int) -> RepairIncident:
    """Lock an outage all of whose repairs are in scope: its words go to all of them."""
    incident = tx.session.execute(
        select(RepairIncident).where(RepairIncident.id == incident_id).with_for_update()
    ).scalar_one_or_none()
    if incident is None:
        raise NotFound
    beyond = tx.session.execute(
        select(RepairOrder.id)
        .where(RepairOrder.incident_id == incident_id, ~repairs_in_scope(actor))
        .limit(1)
    ).first()
    if beyond is not None:
        raise NotFound
    if incident.ended_at is not None:
        raise IncidentEnded
    return incident


def _open_repairs(tx: Transaction, incident_id: int) -> Sequence[RepairOrder]:
    return tx.session.scalars(
        select(RepairOrder)
        .where(RepairOrder.incident_id == incident_id, RepairOrder.state.in_(sorted(OPEN)))
        .order_by(RepairOrder.id)
        .with_for_update()
    ).all()


def _record(
    tx: Transaction, actor: Actor, incident: RepairIncident, action: str, facts: dict[str, object]
) -> None:
    record(
        tx,
        actor,
        action,
        subject_type="repair_incident",
        subject_id=incident.id,
        community_id=incident.community_id,
        facts=facts,
    )
