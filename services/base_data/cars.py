"""Cars by hand: registered by their plate, moved to another space, deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import delete, func, select

from domain.actors import Actor, Permission
from domain.errors import Conflict, InvalidInput, NotFound
from domain.estate_fields import CAR, read_values
from domain.periods import local_date
from models import Car, Community, Owner, ParkingSpace
from services.base_data.changes import (
    check_reason_for,
    check_seen,
    hold_community,
    note,
    note_added,
    put,
    run_unless,
)
from services.base_data.house_lists import PAGE_LIMIT
from services.base_data.space_rows import check_references
from services.reasons import check_reason
from services.scopes import in_scope
from services.unit_of_work import Transaction, UnitOfWork

T = TypeVar("T")


class PlateTaken(Conflict):
    """The car is on file in this community."""

    code = "plate_taken"
    message = "该车牌已在本小区登记"


@dataclass(frozen=True, slots=True)
class CarView:
    """A car on file, where it stands and whose it is; empty where nobody said."""

    id: int
    community_id: int
    plate_no: str
    space_id: int | None
    space_no: str
    owner_id: int | None
    owner: str
    note: str


@dataclass(frozen=True)
class CarRegister:
    """Keeps the cars of communities; they are of a community as a whole."""

    unit_of_work: UnitOfWork

    def find(
        self,
        *,
        actor: Actor,
        community_id: int,
        text: str = "",
        before_id: int | None = None,
        limit: int = 50,
    ) -> Sequence[CarView]:
        """Find cars by part of their plate, newest first, from below ``before_id``.

        Raises:
            InvalidInput: the limit is out of range.
            NotFound: no such community.
        """
        actor.must(Permission.VIEW_ESTATE)
        actor.must_cover(community_id)
        if not 1 <= limit <= PAGE_LIMIT:
            raise InvalidInput(fields={"limit": [f"应为 1 至 {PAGE_LIMIT - 1}"]})
        query = (
            select(Car, ParkingSpace.space_no, Owner.name)
            .outerjoin(ParkingSpace, ParkingSpace.id == Car.space_id)
            .outerjoin(Owner, Owner.id == Car.owner_id)
            .where(Car.community_id == community_id)
        )
        if before_id is not None:
            query = query.where(Car.id < before_id)
        if text.strip():
            query = query.where(func.strpos(Car.plate_no, text.strip().upper()) > 0)
        with self.unit_of_work.reading() as session:
            if session.get(Community, community_id) is None:
                raise NotFound
            rows = session.execute(query.order_by(Car.id.desc()).limit(limit)).all()
        return [
            CarView(
                car.id,
                car.community_id,
                car.plate_no,
                car.space_id,
                space_no or "",
                car.owner_id,
                owner or "",
                car.note,
            )
            for car, space_no, owner in rows
        ]

    def add(self, *, actor: Actor, community_id: int, car: Mapping[str, object]) -> int:
        """Register a car and return its id.

        Raises:
            InvalidInput: a field cannot be used, such as what is no plate.
            NotFound: no such community. IsRetired: it is retired.
            PlateTaken: the car is on file.
        """
        actor.must(Permission.MANAGE_ESTATE)
        actor.must_cover(community_id)
        today = local_date(self.unit_of_work.clock.now())
        values = read_values(CAR, {"plate_no": "", **car}, today=today)

        def work(tx: Transaction) -> int:
            hold_community(tx, community_id)
            check_references(tx, community_id, values)
            row = Car(community_id=community_id, created_at=tx.now, **values)
            tx.session.add(row)
            tx.session.flush()
            note_added(
                tx,
                actor,
                "car_added",
                of=("car", row.id),
                community_id=community_id,
                values=values,
            )
            return row.id

        return self._plated(work)

    def edit(
        self,
        *,
        actor: Actor,
        car_id: int,
        changes: Mapping[str, object],
        seen: Mapping[str, object],
        reason: str = "",
    ) -> None:
        """Change columns of a car; another space is where it stands from now on.

        Raises:
            InvalidInput: a field cannot be used.
            NotFound: no such car.
            ChangedMeanwhile: somebody changed it since.
            PlateTaken: another car on file has the plate.
        """
        actor.must(Permission.MANAGE_ESTATE)
        check_seen(changes, seen)
        today = local_date(self.unit_of_work.clock.now())
        wanted = read_values(CAR, changes, today=today)
        kept = check_reason_for(reason, wanted)

        def work(tx: Transaction) -> None:
            row = _lock(tx, actor, car_id)
            check_references(tx, row.community_id, wanted)
            if changed := put(row, wanted, seen):
                tx.session.flush()
                _note(tx, actor, "car_changed", row, changed, kept)

        self._plated(work)

    def remove(self, *, actor: Actor, car_id: int, reason: str) -> None:
        """Delete a car that is here no more; no money hangs on it.

        Raises:
            InvalidInput: no reason.
            NotFound: no such car.
        """
        actor.must(Permission.MANAGE_ESTATE)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            row = _lock(tx, actor, car_id)
            gone = {name: (getattr(row, name), None) for name in CAR if getattr(row, name)}
            _note(tx, actor, "car_removed", row, gone, reason)
            tx.session.execute(delete(Car).where(Car.id == car_id))

        self.unit_of_work.run(work)

    def _plated(self, work: Callable[[Transaction], T]) -> T:
        return run_unless(self.unit_of_work, work, PlateTaken, rule="uq_car_community_id")


def _lock(tx: Transaction, actor: Actor, car_id: int) -> Car:
    row = tx.session.execute(
        select(Car).where(Car.id == car_id, in_scope(Car.community_id, actor)).with_for_update()
    ).scalar_one_or_none()
    if row is None:
        raise NotFound
    return row


def _note(
    tx: Transaction,
    actor: Actor,
    action: str,
    row: Car,
    changed: Mapping[str, tuple[Any, Any]],
    reason: str,
) -> None:
    note(
        tx,
        actor,
        action,
        of=("car", row.id),
        community_id=row.community_id,
        changed=dict(changed),
        reason=reason,
    )
