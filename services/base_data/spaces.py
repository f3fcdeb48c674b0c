"""Parking spaces by hand: adding, correcting, retiring, taking that back, deleting a mistake."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import delete, func, select

from domain.actors import Actor, Permission
from domain.errors import Conflict, InvalidInput, NotFound
from domain.estate_fields import SPACE, read_values
from domain.periods import local_date
from models import Building, Car, Community, House, Owner, ParkingSpace
from services.base_data.changes import (
    RetireBlocked,
    StillUsed,
    check_day,
    check_reason_for,
    check_seen,
    hold_community,
    note,
    note_added,
    put,
    refuse_retired,
    restore,
    retire,
    run_unless,
)
from services.base_data.house_lists import PAGE_LIMIT
from services.base_data.space_rows import check_references
from services.dependents import find_referring, tell
from services.estate import house_label_column
from services.reasons import check_reason
from services.scopes import in_scope
from services.unit_of_work import Transaction, UnitOfWork

T = TypeVar("T")


class SpaceNoTaken(Conflict):
    """Another space of the community has the number."""

    code = "space_no_taken"
    message = "车位号已被使用"


@dataclass(frozen=True, slots=True)
class SpaceView:
    """A parking space on file, area in ㎡; ``plates`` are of the cars that stand on it."""

    id: int
    community_id: int
    space_no: str
    zone: str
    area: Decimal | None
    right_kind: str
    house_id: int | None
    house: str
    owner_id: int | None
    owner: str
    note: str
    retired_on: date | None
    plates: Sequence[str]


@dataclass(frozen=True)
class SpaceRegister:
    """Keeps the parking spaces of communities; they are of a community as a whole."""

    unit_of_work: UnitOfWork

    def find(
        self,
        *,
        actor: Actor,
        community_id: int,
        text: str = "",
        before_id: int | None = None,
        limit: int = 50,
    ) -> Sequence[SpaceView]:
        """Find spaces by part of their number, newest first, from below ``before_id``.

        Raises:
            InvalidInput: the limit is out of range.
            NotFound: no such community.
        """
        actor.must(Permission.VIEW_ESTATE)
        actor.must_cover(community_id)
        if not 1 <= limit <= PAGE_LIMIT:
            raise InvalidInput(fields={"limit": [f"应为 1 至 {PAGE_LIMIT - 1}"]})
        with self.unit_of_work.reading() as session:
            if session.get(Community, community_id) is None:
                raise NotFound
            query = _spaces().where(ParkingSpace.community_id == community_id)
            if before_id is not None:
                query = query.where(ParkingSpace.id < before_id)
            if text.strip():
                query = query.where(func.strpos(ParkingSpace.space_no, text.strip()) > 0)
            rows = session.execute(query.order_by(ParkingSpace.id.desc()).limit(limit)).all()
            plates: dict[int | None, list[str]] = {}
            for space_id, plate_no in session.execute(
                select(Car.space_id, Car.plate_no)
                .where(Car.space_id.in_([row[0].id for row in rows]))
                .order_by(Car.id)
            ):
                plates.setdefault(space_id, []).append(plate_no)
        return [
            _view(row, house if has_house else "", owner or "", plates.get(row.id, ()))
            for row, has_house, house, owner in rows
        ]

    def add(self, *, actor: Actor, community_id: int, space: Mapping[str, object]) -> int:
        """Put a space on file and return its id.

        Raises:
            InvalidInput: a field cannot be used or is missing.
            NotFound: no such community. IsRetired: it is retired.
            SpaceNoTaken: another space has the number. HouseRetired: its house is retired.
        """
        actor.must(Permission.MANAGE_ESTATE)
        actor.must_cover(community_id)
        today = local_date(self.unit_of_work.clock.now())
        values = read_values(SPACE, {"space_no": "", "right_kind": None, **space}, today=today)

        def work(tx: Transaction) -> int:
            hold_community(tx, community_id)
            check_references(tx, community_id, values)
            row = ParkingSpace(community_id=community_id, created_at=tx.now, **values)
            tx.session.add(row)
            tx.session.flush()
            note_added(
                tx,
                actor,
                "space_added",
                of=("parking_space", row.id),
                community_id=community_id,
                values=values,
            )
            return row.id

        return self._numbered(work)

    def edit(
        self,
        *,
        actor: Actor,
        space_id: int,
        changes: Mapping[str, object],
        seen: Mapping[str, object],
        reason: str = "",
    ) -> None:
        """Change columns of a space: its number, right, house, or who has or rents it.

        Raises:
            InvalidInput: a field cannot be used.
            NotFound: no such space. IsRetired: it is retired.
            ChangedMeanwhile: somebody changed it since.
            SpaceNoTaken: another space has the number. HouseRetired: its house is retired.
        """
        actor.must(Permission.MANAGE_ESTATE)
        check_seen(changes, seen)
        today = local_date(self.unit_of_work.clock.now())
        wanted = read_values(SPACE, changes, today=today)
        kept = check_reason_for(reason, wanted)

        def work(tx: Transaction) -> None:
            row = _lock(tx, actor, space_id)
            refuse_retired(row)
            check_references(tx, row.community_id, wanted)
            if changed := put(row, wanted, seen):
                tx.session.flush()
                _note(tx, actor, "space_corrected", row, changed, kept)

        self._numbered(work)

    def retire(self, *, actor: Actor, space_id: int, retired_on: date, reason: str) -> None:
        """Let a space be none any more from a day on; its cars are moved before.

        Raises:
            InvalidInput: no reason, or a day that cannot be meant.
            NotFound: no such space. IsRetired: it is retired since another day.
            RetireBlocked: cars stand on it.
        """
        actor.must(Permission.MANAGE_ESTATE)
        check_reason(reason)
        check_day("retired_on", retired_on, today=local_date(self.unit_of_work.clock.now()))

        def work(tx: Transaction) -> None:
            row = _lock(tx, actor, space_id)
            changed = retire(row, retired_on)
            if not changed:
                return
            plates = tx.session.scalars(
                select(Car.plate_no).where(Car.space_id == space_id).order_by(Car.id)
            ).all()
            if plates:
                raise RetireBlocked(f"不能停用：车位上还登记着车辆 {'、'.join(plates)}")
            _note(tx, actor, "space_retired", row, changed, reason)

        self.unit_of_work.run(work)

    def restore(self, *, actor: Actor, space_id: int, reason: str) -> None:
        """Take the retirement of a space back.

        Raises:
            InvalidInput: no reason.
            NotFound: no such space. IsRetired: its community is retired.
        """
        actor.must(Permission.MANAGE_ESTATE)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            row = _lock(tx, actor, space_id)
            hold_community(tx, row.community_id)
            if changed := restore(row):
                _note(tx, actor, "space_restored", row, changed, reason)

        self.unit_of_work.run(work)

    def remove(self, *, actor: Actor, space_id: int, reason: str) -> None:
        """Delete a space that was typed in by mistake and on which no car stands.

        Raises:
            InvalidInput: no reason.
            NotFound: no such space.
            StillUsed: something refers to it; the message says what.
        """
        actor.must(Permission.MANAGE_ESTATE)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            row = _lock(tx, actor, space_id)
            own = {"parking_space": select(ParkingSpace.id).where(ParkingSpace.id == space_id)}
            if listed := tell(find_referring(tx.session, own)):
                raise StillUsed(f"不能删除：已有 {listed}，只能停用")
            gone = {name: (getattr(row, name), None) for name in SPACE if getattr(row, name)}
            _note(tx, actor, "space_removed", row, gone, reason)
            tx.session.execute(delete(ParkingSpace).where(ParkingSpace.id == space_id))

        run_unless(self.unit_of_work, work, StillUsed)

    def _numbered(self, work: Callable[[Transaction], T]) -> T:
        return run_unless(
            self.unit_of_work, work, SpaceNoTaken, rule="uq_parking_space_community_id"
        )


def _lock(tx: Transaction, actor: Actor, space_id: int) -> ParkingSpace:
    row = tx.session.execute(
        select(ParkingSpace)
        .where(ParkingSpace.id == space_id, in_scope(ParkingSpace.community_id, actor))
        .with_for_update()
    ).scalar_one_or_none()
    if row is None:
        raise NotFound
    return row


def _spaces() -> Any:
    return (
        select(ParkingSpace, House.id.is_not(None), house_label_column(), Owner.name)
        .outerjoin(House, House.id == ParkingSpace.house_id)
        .outerjoin(Building, Building.id == House.building_id)
        .outerjoin(Owner, Owner.id == ParkingSpace.owner_id)
    )


def _view(row: ParkingSpace, house: str, owner: str, plates: Sequence[str]) -> SpaceView:
    return SpaceView(
        row.id,
        row.community_id,
        row.space_no,
        row.zone,
        row.area,
        row.right_kind,
        row.house_id,
        house,
        row.owner_id,
        owner,
        row.note,
        row.retired_on,
        tuple(plates),
    )


def _note(
    tx: Transaction,
    actor: Actor,
    action: str,
    row: ParkingSpace,
    changed: Mapping[str, tuple[Any, Any]],
    reason: str,
) -> None:
    note(
        tx,
        actor,
        action,
        of=("parking_space", row.id),
        community_id=row.community_id,
        changed=dict(changed),
        reason=reason,
    )
