"""Houses by hand: adding, correcting, retiring, taking that back, deleting a mistake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from sqlalchemy import delete, func, select

from domain.actors import Actor, Permission
from domain.cells import BadCell
from domain.errors import Conflict, InvalidInput
from domain.estate_fields import HOUSE, read_day, read_values
from domain.houses import HouseState
from domain.periods import local_date
from models import Bill, Building, House, HouseMeasure, Occupancy
from services.base_data.changes import (
    IsRetired,
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
from services.base_data.house_rows import (
    HouseNameTaken,
    find_blocks,
    hold_building,
    label_of,
    lock_house,
    refuse_taken_name,
)
from services.bills.freshness import hold_reviews
from services.dependents import Dependent, find_referring, tell
from services.houses import ChangeNotLater
from services.reasons import check_reason
from services.unit_of_work import Transaction, UnitOfWork

T = TypeVar("T")


class HouseWasBilled(Conflict):
    """A house that was billed stays in its building: the reports name it by that."""

    code = "house_was_billed"
    message = "房屋已有账单，不能改到别的楼栋"


MEASURED = ("billing_area", "fee_coefficient")
_NAMED = {"building_id", "unit_no", "room_no"}


@dataclass(frozen=True)
class HouseRegister:
    """Keeps the houses of communities."""

    unit_of_work: UnitOfWork

    def add(
        self,
        *,
        actor: Actor,
        building_id: int,
        house: Mapping[str, object],
        state: HouseState = HouseState.DELIVERED,
    ) -> int:
        """Put a house on file and return its id.

        ``house`` are columns of `House`, areas in ㎡; without a billing area the building area is
        billed. It is used as ``state`` says from its hand-over on, or from today.

        Raises:
            InvalidInput: a field cannot be used or is missing; ``fields`` says which and why.
            NotFound: no such building. IsRetired: it is retired.
            HouseNameTaken: another house of the community is called so.
        """
        actor.must(Permission.MANAGE_ESTATE)
        today = local_date(self.unit_of_work.clock.now())
        values = read_values(HOUSE, {"unit_no": "", **house}, today=today)
        values.pop("building_id", None)
        missing = {"room_no": "房号", "building_area": "建筑面积"}
        if lacking := {
            name: [f"请填写{shown}"] for name, shown in missing.items() if not values.get(name)
        }:
            raise InvalidInput(fields=lacking)
        values.setdefault("billing_area", values["building_area"])

        def work(tx: Transaction) -> int:
            building = hold_building(tx, actor, building_id)
            hold_community(tx, building.community_id)
            hold_reviews(tx.session, [building.community_id])
            tx.hold(f"houses:{building.community_id}")
            row = House(community_id=building.community_id, building_id=building_id, **values)
            tx.session.add(row)
            refuse_taken_name(tx.session, row)
            tx.session.add(
                Occupancy(house_id=row.id, state=state, occupied_from=row.handover_date or today)
            )
            note_added(
                tx,
                actor,
                "house_added",
                of=("house", row.id),
                community_id=row.community_id,
                values=values | {"building_id": building_id},
                house=label_of(tx.session, row.id),
                state=str(state),
            )
            return row.id

        return self._named(work)

    def edit(
        self,
        *,
        actor: Actor,
        house_id: int,
        changes: Mapping[str, object],
        seen: Mapping[str, object],
        reason: str = "",
        holds_from: date | None = None,
    ) -> None:
        """Change columns of a house; ``seen`` holds what each of them was when it was looked at.

        Without a day it is a correction of what was always wrong. With one, billing area and
        coefficient hold from that day on and what was billed before stays. A new building area is
        billed as well where the old one was.

        Raises:
            InvalidInput: a field cannot be used, or a reason is needed.
            NotFound: no such house, or no such building in its community.
            IsRetired: it is retired. ChangedMeanwhile: somebody changed it since.
            HouseNameTaken: another house of the community is called so.
            HouseWasBilled: it has bills, and would move to another building.
            ChangeNotLater: a change from that day or later is on file.
        """
        actor.must(Permission.MANAGE_ESTATE)
        today = local_date(self.unit_of_work.clock.now())
        wanted = read_house_changes(changes, seen, holds_from, today=today)
        kept = check_reason_for(reason, wanted)

        def work(tx: Transaction) -> None:
            house = lock_house(tx, actor, house_id)
            apply_changes(tx, actor, house, wanted, seen=seen, holds_from=holds_from, reason=kept)

        self._named(work)

    def retire(self, *, actor: Actor, house_id: int, retired_on: date, reason: str) -> None:
        """Let a house be none of its own from a day on: it owes no longer, its history stays.

        Raises:
            InvalidInput: no reason, or a day that cannot be meant.
            NotFound: no such house. IsRetired: it is retired since another day.
            RetireBlocked: money is open, held or on its way; the message says what.
        """
        actor.must(Permission.MANAGE_ESTATE)
        check_reason(reason)
        check_day("retired_on", retired_on, today=local_date(self.unit_of_work.clock.now()))

        def work(tx: Transaction) -> None:
            house = lock_house(tx, actor, house_id)
            changed = retire(house, retired_on)
            if not changed:
                return
            if blocks := find_blocks(tx.session, house_id, retired_on):
                raise RetireBlocked(f"不能停用：{'、'.join(blocks)}")
            _note(tx, actor, "house_retired", house, changed, reason)

        self.unit_of_work.run(work)

    def restore(self, *, actor: Actor, house_id: int, reason: str) -> None:
        """Take the retirement of a house back: it owes again as if it had never been retired.

        Raises:
            InvalidInput: no reason.
            NotFound: no such house. IsRetired: its building is retired.
        """
        actor.must(Permission.MANAGE_ESTATE)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            house = lock_house(tx, actor, house_id)
            building = tx.session.execute(
                select(Building).where(Building.id == house.building_id).with_for_update(read=True)
            ).scalar_one()
            if building.retired_on is not None:
                raise IsRetired("所在楼栋已停用，请先恢复楼栋")
            if changed := restore(house):
                _note(tx, actor, "house_restored", house, changed, reason)

        self.unit_of_work.run(work)

    def remove(self, *, actor: Actor, house_id: int, reason: str) -> None:
        """Delete a house that was typed in by mistake and that nothing refers to.

        Raises:
            InvalidInput: no reason.
            NotFound: no such house.
            StillUsed: something refers to it; the message says what.
        """
        actor.must(Permission.MANAGE_ESTATE)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            house = lock_house(tx, actor, house_id)
            own = {"house": select(House.id).where(House.id == house_id)}
            apart = {"occupancy": Occupancy.house_id == house_id}
            bills = _count_bills(tx, house_id)
            found = [*find_referring(tx.session, own, apart), Dependent("账单", bills)]
            if listed := tell(found):
                raise StillUsed(f"不能删除：已有 {listed}，只能停用")
            before = {name: (getattr(house, name), None) for name in HOUSE}
            before = {name: pair for name, pair in before.items() if pair[0] not in (None, "")}
            _note(tx, actor, "house_removed", house, before, reason)
            tx.session.execute(delete(Occupancy).where(Occupancy.house_id == house_id))
            tx.session.execute(delete(House).where(House.id == house_id))

        run_unless(self.unit_of_work, work, StillUsed)

    def _named(self, work: Callable[[Transaction], T]) -> T:
        return run_unless(self.unit_of_work, work, HouseNameTaken, rule="uq_house_building_id")


def read_house_changes(
    changes: Mapping[str, object],
    seen: Mapping[str, object],
    holds_from: date | None,
    *,
    today: date,
) -> dict[str, Any]:
    """Read what is to change of a house.

    Raises:
        InvalidInput: a field cannot be used, or cannot change from a day on.
    """
    check_seen(changes, seen)
    wanted = read_values(HOUSE, changes, today=today)
    if holds_from is None:
        return wanted
    if others := sorted(wanted.keys() - set(MEASURED)):
        why = ["只有计费面积和收费系数可以从某日起变更，其余请另行更正"]
        raise InvalidInput(fields=dict.fromkeys(others, why))
    try:
        read_day(holds_from, today)
    except BadCell as bad:
        raise InvalidInput(fields={"holds_from": [bad.why]}) from bad
    return wanted


def apply_changes(
    tx: Transaction,
    actor: Actor,
    house: House,
    wanted: Mapping[str, Any],
    *,
    seen: Mapping[str, object],
    holds_from: date | None,
    reason: str,
) -> None:
    """Write changes of a locked house and put them on record; nothing where all is so already.

    Raises:
        IsRetired, ChangedMeanwhile, HouseNameTaken, HouseWasBilled, ChangeNotLater, NotFound: see
            `HouseRegister`.
    """
    refuse_retired(house)
    if wanted.get("building_id", house.building_id) != house.building_id:
        hold_building(tx, actor, wanted["building_id"], community_id=house.community_id)
        if _count_bills(tx, house.id):
            raise HouseWasBilled
    wanted = _with_billed_area(house, wanted)
    measures = {name: getattr(house, name) for name in MEASURED}
    label = label_of(tx.session, house.id)
    changed = put(house, wanted, seen)
    if not changed:
        return
    if holds_from is not None:
        _keep_measure(tx, house.id, holds_from, measures)
    if _NAMED & changed.keys():
        tx.hold(f"houses:{house.community_id}")
        refuse_taken_name(tx.session, house)
    more = {"holds_from": holds_from.isoformat()} if holds_from else {}
    action = "house_measure_changed" if holds_from else "house_corrected"
    note(
        tx,
        actor,
        action,
        of=("house", house.id),
        community_id=house.community_id,
        changed=changed,
        reason=reason,
        house=label,
        **more,
    )


def _count_bills(tx: Transaction, house_id: int) -> int:
    bills = select(func.count()).select_from(Bill).where(Bill.house_id == house_id)
    return tx.session.scalar(bills) or 0


def _with_billed_area(house: House, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Let the billing area follow a new building area, as imports do, unless it was another."""
    follows = "building_area" in wanted and "billing_area" not in wanted
    if follows and house.billing_area == house.building_area:
        return {**wanted, "billing_area": wanted["building_area"]}
    return dict(wanted)


def _keep_measure(
    tx: Transaction, house_id: int, holds_from: date, before: Mapping[str, Any]
) -> None:
    last = tx.session.execute(
        select(func.max(HouseMeasure.measured_until)).where(HouseMeasure.house_id == house_id)
    ).scalar_one()
    if last is not None and holds_from <= last:
        raise ChangeNotLater
    tx.session.add(HouseMeasure(house_id=house_id, measured_until=holds_from, **before))


def _note(
    tx: Transaction,
    actor: Actor,
    action: str,
    house: House,
    changed: Mapping[str, tuple[Any, Any]],
    reason: str,
) -> None:
    note(
        tx,
        actor,
        action,
        of=("house", house.id),
        community_id=house.community_id,
        changed=dict(changed),
        reason=reason,
        house=label_of(tx.session, house.id),
    )
