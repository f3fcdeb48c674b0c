"""Buildings by hand, and what is known of their units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from sqlalchemy import delete, func, select

from domain.actors import Actor, Permission
from domain.cells import BadCell
from domain.errors import Conflict, InvalidInput, NotFound
from domain.estate_fields import BUILDING, UNIT, UNIT_NO, read_values
from domain.periods import local_date
from models import Building, BuildingUnit, House, SharePool
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
from services.bills.freshness import hold_reviews
from services.dependents import Dependent, find_referring, tell
from services.reasons import check_reason
from services.scopes import buildings_in_scope
from services.unit_of_work import Transaction, UnitOfWork

T = TypeVar("T")


class BuildingNameTaken(Conflict):
    """Another building of the community has the name."""

    code = "building_name_taken"
    message = "本小区已有同名楼栋"


@dataclass(frozen=True)
class BuildingRegister:
    """Keeps the buildings of communities."""

    unit_of_work: UnitOfWork

    def add(self, *, actor: Actor, community_id: int, building: Mapping[str, object]) -> int:
        """Put a building on file and return its id.

        Raises:
            InvalidInput: a field cannot be used or is missing.
            NotFound: no such community, or not all of it is in scope. IsRetired: it is retired.
            BuildingNameTaken: another one of the community has the name.
        """
        actor.must(Permission.MANAGE_ESTATE)
        actor.must_cover(community_id)
        today = local_date(self.unit_of_work.clock.now())
        values = read_values(BUILDING, {"name": "", **building}, today=today)

        def work(tx: Transaction) -> int:
            hold_community(tx, community_id)
            row = Building(community_id=community_id, **values)
            tx.session.add(row)
            tx.session.flush()
            note_added(
                tx,
                actor,
                "building_added",
                of=("building", row.id),
                community_id=community_id,
                values=values,
            )
            return row.id

        return self._named(work)

    def edit(
        self,
        *,
        actor: Actor,
        building_id: int,
        changes: Mapping[str, object],
        seen: Mapping[str, object],
        reason: str = "",
    ) -> None:
        """Change columns of a building; a new name is in the name of all its houses.

        Raises:
            InvalidInput: a field cannot be used.
            NotFound: no such building. IsRetired: it is retired.
            ChangedMeanwhile: somebody changed it since.
            BuildingNameTaken: another one of the community has the name.
        """
        actor.must(Permission.MANAGE_ESTATE)
        check_seen(changes, seen)
        today = local_date(self.unit_of_work.clock.now())
        wanted = read_values(BUILDING, changes, today=today)
        kept = check_reason_for(reason, wanted)

        def work(tx: Transaction) -> None:
            row = _lock(tx, actor, building_id)
            refuse_retired(row)
            if changed := put(row, wanted, seen):
                tx.session.flush()
                _note(tx, actor, "building_changed", row, changed, kept)

        self._named(work)

    def edit_unit(
        self,
        *,
        actor: Actor,
        building_id: int,
        unit_no: str,
        changes: Mapping[str, object],
        seen: Mapping[str, object],
        reason: str = "",
    ) -> None:
        """Change what is known of a unit; of one that nobody wrote about, None and empty was seen.

        Raises:
            InvalidInput: a field cannot be used.
            NotFound: no such building. IsRetired: it is retired.
            ChangedMeanwhile: somebody changed it since.
        """
        actor.must(Permission.MANAGE_ESTATE)
        check_seen(changes, seen)
        today = local_date(self.unit_of_work.clock.now())
        wanted = read_values(UNIT, changes, today=today)
        kept = check_reason_for(reason, wanted)
        number = _read_unit_no(unit_no, today)

        def work(tx: Transaction) -> None:
            building = _lock(tx, actor, building_id)
            refuse_retired(building)
            unit = tx.session.get(BuildingUnit, (building_id, number))
            if unit is None:
                unit = BuildingUnit(building_id=building_id, unit_no=number, note="")
                tx.session.add(unit)
            if changed := put(unit, wanted, seen):
                _note(tx, actor, "building_unit_changed", building, changed, kept, unit_no=number)

        self.unit_of_work.run(work)

    def retire(self, *, actor: Actor, building_id: int, retired_on: date, reason: str) -> None:
        """Let a building be none any more from a day on; its houses are retired before.

        Raises:
            InvalidInput: no reason, or a day that cannot be meant.
            NotFound: no such building. IsRetired: it is retired since another day.
            RetireBlocked: houses of it are not retired.
        """
        actor.must(Permission.MANAGE_ESTATE)
        check_reason(reason)
        check_day("retired_on", retired_on, today=local_date(self.unit_of_work.clock.now()))

        def work(tx: Transaction) -> None:
            row = _lock(tx, actor, building_id)
            changed = retire(row, retired_on)
            if not changed:
                return
            kept = tx.session.scalar(
                select(func.count())
                .select_from(House)
                .where(House.building_id == building_id, House.retired_on.is_(None))
            )
            if kept:
                raise RetireBlocked(f"不能停用：未停用的房屋 {kept} 户")
            _note(tx, actor, "building_retired", row, changed, reason)

        self.unit_of_work.run(work)

    def restore(self, *, actor: Actor, building_id: int, reason: str) -> None:
        """Take the retirement of a building back; its houses are taken back apart.

        Raises:
            InvalidInput: no reason.
            NotFound: no such building. IsRetired: its community is retired.
        """
        actor.must(Permission.MANAGE_ESTATE)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            row = _lock(tx, actor, building_id)
            hold_community(tx, row.community_id)
            if changed := restore(row):
                _note(tx, actor, "building_restored", row, changed, reason)

        self.unit_of_work.run(work)

    def remove(self, *, actor: Actor, building_id: int, reason: str) -> None:
        """Delete a building that was typed in by mistake and that nothing refers to.

        Raises:
            InvalidInput: no reason.
            NotFound: no such building.
            StillUsed: something refers to it; the message says what.
        """
        actor.must(Permission.MANAGE_ESTATE)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            row = _lock(tx, actor, building_id)
            own = {"building": select(Building.id).where(Building.id == building_id)}
            pools = tx.session.scalar(
                select(func.count())
                .select_from(SharePool)
                .where(func.array_position(SharePool.building_ids, building_id).is_not(None))
            )
            found = [*find_referring(tx.session, own), Dependent("公摊", pools or 0)]
            if listed := tell(found):
                raise StillUsed(f"不能删除：已有 {listed}，只能停用")
            gone = {name: (getattr(row, name), None) for name in BUILDING if getattr(row, name)}
            _note(tx, actor, "building_removed", row, gone, reason)
            tx.session.execute(delete(Building).where(Building.id == building_id))

        run_unless(self.unit_of_work, work, StillUsed)

    def _named(self, work: Callable[[Transaction], T]) -> T:
        return run_unless(
            self.unit_of_work, work, BuildingNameTaken, rule="uq_building_community_id"
        )


def _read_unit_no(unit_no: str, today: date) -> str:
    try:
        number = str(UNIT_NO(unit_no, today))
    except BadCell as bad:
        raise InvalidInput(fields={"unit_no": [bad.why]}) from bad
    if not number:
        raise InvalidInput(fields={"unit_no": ["请填写单元号，例如 1"]})
    return number


def _lock(tx: Transaction, actor: Actor, building_id: int) -> Building:
    community_id = tx.session.scalars(
        select(Building.community_id).where(Building.id == building_id, buildings_in_scope(actor))
    ).one_or_none()
    if community_id is None:
        raise NotFound
    hold_reviews(tx.session, [community_id])
    return tx.session.execute(
        select(Building)
        .where(Building.id == building_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()


def _note(
    tx: Transaction,
    actor: Actor,
    action: str,
    row: Building,
    changed: Mapping[str, tuple[Any, Any]],
    reason: str,
    **more: str,
) -> None:
    note(
        tx,
        actor,
        action,
        of=("building", row.id),
        community_id=row.community_id,
        changed=dict(changed),
        reason=reason,
        **more,
    )
