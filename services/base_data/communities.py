"""Communities in full: looking, correcting, retiring and taking that back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.bill_states import BatchState
from domain.errors import NotFound
from domain.estate_fields import COMMUNITY, read_values
from domain.periods import local_date
from models import BillBatch, Building, Community, House, Meter, ParkingSpace
from services.base_data.changes import (
    RetireBlocked,
    check_day,
    check_reason_for,
    check_seen,
    note,
    put,
    refuse_retired,
    restore,
    retire,
)
from services.bills.freshness import hold_reviews
from services.reasons import check_reason
from services.scopes import communities_reached, in_scope
from services.unit_of_work import Transaction, UnitOfWork

_ENDED = (BatchState.PUBLISHED, BatchState.CANCELLED)


@dataclass(frozen=True, slots=True)
class CommunityDetail:
    """A community on file, areas in ㎡; the counts are of what is not retired."""

    id: int
    code: str
    name: str
    address: str
    province: str
    city: str
    district: str
    street: str
    street_no: str
    land_area: Decimal | None
    built_area: Decimal | None
    building_type: str
    green_percent: Decimal | None
    completed_on: date | None
    developer: str
    service_phone: str
    note: str
    liable_from_rule: str
    retired_on: date | None
    building_count: int
    house_count: int


@dataclass(frozen=True)
class CommunityRegister:
    """Keeps communities; `services.estate.Estate` adds and lists them."""

    unit_of_work: UnitOfWork

    def show(self, *, actor: Actor, community_id: int) -> CommunityDetail:
        """Show a community of which at least a building is in scope.

        Raises:
            NotFound: no such community.
        """
        actor.must(Permission.VIEW_ESTATE)
        with self.unit_of_work.reading() as session:
            row = session.execute(
                select(Community).where(Community.id == community_id, communities_reached(actor))
            ).scalar_one_or_none()
            if row is None:
                raise NotFound
            houses = _count_kept(session, House, community_id)
            buildings = _count_kept(session, Building, community_id)
        return CommunityDetail(
            id=row.id,
            code=row.code,
            retired_on=row.retired_on,
            building_count=buildings,
            house_count=houses,
            **{name: getattr(row, name) for name in COMMUNITY},
        )

    def edit(
        self,
        *,
        actor: Actor,
        community_id: int,
        changes: Mapping[str, object],
        seen: Mapping[str, object],
        reason: str = "",
    ) -> None:
        """Change columns of a community; its code stands on bills and never changes.

        Raises:
            InvalidInput: a field cannot be used, or a reason is needed.
            NotFound: no such community. IsRetired: it is retired.
            ChangedMeanwhile: somebody changed it since.
        """
        actor.must(Permission.MANAGE_ESTATE)
        check_seen(changes, seen)
        today = local_date(self.unit_of_work.clock.now())
        wanted = read_values(COMMUNITY, changes, today=today)
        kept = check_reason_for(reason, wanted)

        def work(tx: Transaction) -> None:
            row = _lock(tx, actor, community_id)
            refuse_retired(row)
            if changed := put(row, wanted, seen):
                note(
                    tx,
                    actor,
                    "community_changed",
                    of=("community", row.id),
                    community_id=row.id,
                    changed=changed,
                    reason=kept,
                )

        self.unit_of_work.run(work)

    def retire(self, *, actor: Actor, community_id: int, retired_on: date, reason: str) -> None:
        """Manage a community no longer from a day on; its money and history stay.

        Raises:
            InvalidInput: no reason, or a day that cannot be meant.
            NotFound: no such community. IsRetired: it is retired since another day.
            RetireBlocked: something below it is not retired or ended; the message says what.
        """
        actor.must(Permission.MANAGE_ESTATE)
        check_reason(reason)
        check_day("retired_on", retired_on, today=local_date(self.unit_of_work.clock.now()))

        def work(tx: Transaction) -> None:
            row = _lock(tx, actor, community_id)
            was_active = row.is_active
            changed = retire(row, retired_on)
            if not changed:
                return
            row.is_active = False
            if blocks := list(_blocks(tx.session, community_id)):
                raise RetireBlocked(f"不能停用：{'、'.join(blocks)}")
            if was_active:
                changed["is_active"] = (True, False)
            note(
                tx,
                actor,
                "community_retired",
                of=("community", row.id),
                community_id=row.id,
                changed=changed,
                reason=reason,
            )

        self.unit_of_work.run(work)

    def restore(self, *, actor: Actor, community_id: int, reason: str) -> None:
        """Take the retirement of a community back; its buildings are taken back apart.

        Raises:
            InvalidInput: no reason.
            NotFound: no such community.
        """
        actor.must(Permission.MANAGE_ESTATE)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            row = _lock(tx, actor, community_id)
            if changed := restore(row):
                row.is_active = True
                changed["is_active"] = (False, True)
                note(
                    tx,
                    actor,
                    "community_restored",
                    of=("community", row.id),
                    community_id=row.id,
                    changed=changed,
                    reason=reason,
                )

        self.unit_of_work.run(work)


def _lock(tx: Transaction, actor: Actor, community_id: int) -> Community:
    found = tx.session.scalars(
        select(Community.id).where(Community.id == community_id, in_scope(Community.id, actor))
    ).one_or_none()
    if found is None:
        raise NotFound
    hold_reviews(tx.session, [community_id])
    return tx.session.execute(
        select(Community).where(Community.id == community_id).with_for_update()
    ).scalar_one()


def _count_kept(
    session: Session, kind: type[Building | House | ParkingSpace], community_id: int
) -> int:
    count = session.scalar(
        select(func.count())
        .select_from(kind)
        .where(kind.community_id == community_id, kind.retired_on.is_(None))
    )
    return count or 0


def _blocks(session: Session, community_id: int) -> Iterator[str]:
    """Say in Chinese what below a community is not retired or ended."""
    kinds: list[tuple[type[Building | House | ParkingSpace], str, str]] = [
        (Building, "楼栋", "栋"),
        (House, "房屋", "户"),
        (ParkingSpace, "车位", "个"),
    ]
    for kind, shown, unit in kinds:
        if count := _count_kept(session, kind, community_id):
            yield f"未停用的{shown} {count} {unit}"
    meters = session.scalar(
        select(func.count())
        .select_from(Meter)
        .where(Meter.community_id == community_id, Meter.closed_on.is_(None))
    )
    if meters:
        yield f"在用表具 {meters} 只"
    batches = session.scalar(
        select(func.count())
        .select_from(BillBatch)
        .where(BillBatch.community_id == community_id, BillBatch.state.not_in(_ENDED))
    )
    if batches:
        yield f"未完成的账单批次 {batches} 个"
