"""Equipment by hand: put on file, corrected, and moved between its states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from sqlalchemy import select

from domain.actors import Actor, ActorKind, Permission
from domain.cells import BadCell, read_text
from domain.equipment import MAINTAINED, STATE_MOVES, STATE_SHOWN, EquipmentState, new_code
from domain.errors import Conflict, InvalidInput, NotFound
from domain.estate_fields import EQUIPMENT, read_values
from domain.periods import local_date
from models import Building, Equipment, EquipmentStateChange, Staff
from services.base_data.changes import (
    check_day,
    check_seen,
    hold_community,
    note,
    note_added,
    put,
    run_unless,
)
from services.equipment.lookup import lock_equipment
from services.maintenance_moves import count_anew, withdraw_for_equipment
from services.reasons import check_reason
from services.scopes import buildings_in_scope
from services.unit_of_work import Transaction, UnitOfWork

T = TypeVar("T")
SPECS_LIMIT = 30
_NEEDED = {"name": "", "category": None}


class AssetNoTaken(Conflict):
    """Other equipment of the community has the number."""

    code = "asset_no_taken"
    message = "本小区已有设备使用这个编号"


class EquipmentStateRefused(Conflict):
    """The state cannot follow the one that it is in, or somebody changed it meanwhile."""

    code = "equipment_state_refused"
    message = "设备当前状态不能这样变更，请刷新后再试"


class EquipmentScrapped(Conflict):
    """What was scrapped does not change any more."""

    code = "equipment_scrapped"
    message = "设备已报废，资料不能再修改"


@dataclass(frozen=True)
class EquipmentRegister:
    """Keeps the equipment of communities."""

    unit_of_work: UnitOfWork

    def add(self, *, actor: Actor, community_id: int, equipment: Mapping[str, object]) -> int:
        """Put equipment on file, in use since today, and return its id; its code is drawn.

        Raises:
            InvalidInput: a field cannot be used or is missing.
            NotFound: no such community, building or custodian, or it is out of scope.
            IsRetired: the community is retired.
            AssetNoTaken: other equipment of the community has the number.
        """
        actor.must(Permission.MANAGE_EQUIPMENT)
        actor.must_reach(community_id)
        today = local_date(self.unit_of_work.clock.now())
        values = read_values(EQUIPMENT, {**_NEEDED, **equipment}, today=today)

        def work(tx: Transaction) -> int:
            hold_community(tx, community_id)
            _check_places(tx, actor, community_id, values.get("building_id"))
            _check_custodian(tx, values)
            row = Equipment(community_id=community_id, code=new_code(), created_at=tx.now, **values)
            tx.session.add(row)
            tx.session.flush()
            _keep_state(tx, actor, row.id, "", EquipmentState.IN_USE, today, "登记")
            note_added(
                tx,
                actor,
                "equipment_added",
                of=("equipment", row.id),
                community_id=community_id,
                values=values,
            )
            return row.id

        return self._numbered(work)

    def edit(
        self,
        *,
        actor: Actor,
        equipment_id: int,
        changes: Mapping[str, object],
        seen: Mapping[str, object],
        reason: str,
    ) -> None:
        """Change columns of equipment.

        Raises:
            InvalidInput: a field cannot be used, or there is no reason.
            NotFound: no such equipment, building or custodian.
            EquipmentScrapped: it was scrapped. ChangedMeanwhile: somebody changed it since.
            AssetNoTaken: other equipment of the community has the number.
        """
        actor.must(Permission.MANAGE_EQUIPMENT)
        check_seen(changes, seen)
        check_reason(reason)
        today = local_date(self.unit_of_work.clock.now())
        wanted = read_values(EQUIPMENT, changes, today=today)

        def work(tx: Transaction) -> None:
            row = _lock_live(tx, actor, equipment_id)
            if "building_id" in wanted:
                _check_places(tx, actor, row.community_id, wanted["building_id"])
            _check_custodian(tx, wanted)
            if changed := put(row, wanted, seen):
                tx.session.flush()
                _note(tx, actor, "equipment_changed", row, changed, reason)

        self._numbered(work)

    def write_specs(
        self, *, actor: Actor, equipment_id: int, specs: Mapping[str, str], reason: str
    ) -> None:
        """Replace the technical data of equipment, such as ``{"载重": "1000 kg"}``.

        Raises:
            InvalidInput: more than 30 lines, a name over 20 or a value over 100 characters, or no
                reason.
            NotFound: no such equipment. EquipmentScrapped: it was scrapped.
        """
        actor.must(Permission.MANAGE_EQUIPMENT)
        check_reason(reason)
        kept = _read_specs(specs)

        def work(tx: Transaction) -> None:
            row = _lock_live(tx, actor, equipment_id)
            if row.specs != kept:
                before = "、".join(f"{name} {value}" for name, value in row.specs.items())
                after = "、".join(f"{name} {value}" for name, value in kept.items())
                row.specs = kept
                changed = {"specs": (before, after)}
                _note(tx, actor, "equipment_specs_changed", row, changed, reason)

        self.unit_of_work.run(work)

    def change_state(
        self,
        *,
        actor: Actor,
        equipment_id: int,
        state: EquipmentState,
        expected: EquipmentState,
        changed_on: date,
        reason: str,
    ) -> None:
        """Note that equipment came into another state on a day.

        Out of use, what its plans ask for and nobody began is withdrawn; back in use, they ask for
        nothing that fell due meanwhile.

        Raises:
            InvalidInput: no reason, or the day is ahead or before the last change.
            NotFound: no such equipment.
            EquipmentStateRefused: it is not in the expected state, or this one cannot follow it.
        """
        actor.must(Permission.MANAGE_EQUIPMENT)
        check_reason(reason)
        today = local_date(self.unit_of_work.clock.now())
        check_day("changed_on", changed_on, today=today)
        if changed_on > today:
            raise InvalidInput(fields={"changed_on": ["日期在将来，请核对"]})

        def work(tx: Transaction) -> None:
            row = lock_equipment(tx, actor, equipment_id)
            before = EquipmentState(row.state)
            if before is not expected or state not in STATE_MOVES[before]:
                raise EquipmentStateRefused
            _check_order(tx, row.id, changed_on)
            row.state = state
            _keep_state(tx, actor, row.id, before, state, changed_on, reason)
            if state not in MAINTAINED:
                why = f"设备已{STATE_SHOWN[state]}"
                withdraw_for_equipment(tx, row.id, reason=why)
            elif before not in MAINTAINED:
                count_anew(tx, row.id, today)
            changed = {"state": (before, state)}
            _note(tx, actor, "equipment_state_changed", row, changed, reason)

        self.unit_of_work.run(work)

    def _numbered(self, work: Callable[[Transaction], T]) -> T:
        return run_unless(self.unit_of_work, work, AssetNoTaken, rule="uq_equipment_asset_no")


def _lock_live(tx: Transaction, actor: Actor, equipment_id: int) -> Equipment:
    row = lock_equipment(tx, actor, equipment_id)
    if row.state == EquipmentState.SCRAPPED:
        raise EquipmentScrapped
    return row


def _check_places(tx: Transaction, actor: Actor, community_id: int, building_id: object) -> None:
    """Refuse a place that is out of scope; what serves the whole community needs all of it."""
    if building_id is None:
        actor.must_cover(community_id)
        return
    found = tx.session.scalars(
        select(Building.id).where(
            Building.id == building_id,
            Building.community_id == community_id,
            buildings_in_scope(actor),
        )
    ).one_or_none()
    if found is None:
        raise NotFound


def _check_custodian(tx: Transaction, values: Mapping[str, object]) -> None:
    custodian_id = values.get("custodian_id")
    if custodian_id is None:
        return
    found = tx.session.scalars(
        select(Staff.id).where(Staff.id == custodian_id, Staff.is_active)
    ).one_or_none()
    if found is None:
        raise NotFound


def _check_order(tx: Transaction, equipment_id: int, changed_on: date) -> None:
    last = tx.session.scalars(
        select(EquipmentStateChange.changed_on)
        .where(EquipmentStateChange.equipment_id == equipment_id)
        .order_by(EquipmentStateChange.id.desc())
        .limit(1)
    ).one_or_none()
    if last is not None and changed_on < last:
        raise InvalidInput(fields={"changed_on": [f"早于上次变更的日期 {last}"]})


def _read_specs(specs: Mapping[str, str]) -> dict[str, str]:
    kept: dict[str, str] = {}
    problems: list[str] = []
    for name, value in specs.items():
        try:
            key, kept_value = read_text(name, limit=20), read_text(value, limit=100)
        except BadCell as bad:
            problems.append(f"“{name[:20]}”{bad.why}")
            continue
        if not key or key in kept:
            problems.append("名称不能为空或重复")
        kept[key] = kept_value
    if len(specs) > SPECS_LIMIT:
        problems.append(f"最多 {SPECS_LIMIT} 项")
    if problems:
        raise InvalidInput(fields={"specs": problems})
    return kept


def _keep_state(
    tx: Transaction,
    actor: Actor,
    equipment_id: int,
    before: str,
    after: EquipmentState,
    changed_on: date,
    reason: str,
) -> None:
    tx.session.add(
        EquipmentStateChange(
            equipment_id=equipment_id,
            from_state=before,
            to_state=after,
            changed_on=changed_on,
            reason=reason.strip(),
            staff_id=actor.id if actor.kind is ActorKind.STAFF else None,
            at=tx.now,
        )
    )


def _note(
    tx: Transaction,
    actor: Actor,
    action: str,
    row: Equipment,
    changed: Mapping[str, tuple[Any, Any]],
    reason: str,
) -> None:
    note(
        tx,
        actor,
        action,
        of=("equipment", row.id),
        community_id=row.community_id,
        changed=dict(changed),
        reason=reason,
    )
