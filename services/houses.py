"""What changes about a house by date: what is billed of it, and how it is used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import func, select, update

from domain.actors import Actor, Permission
from domain.errors import Conflict, InvalidInput
from domain.houses import HouseState
from models import House, HouseMeasure, Occupancy
from services.audit import record
from services.retirement import HouseRetired
from services.scopes import lock_house
from services.unit_of_work import Transaction, UnitOfWork

_STEP = Decimal("0.0001")
_LIMIT = Decimal(100_000)


class ChangeNotLater(Conflict):
    """A change must begin after the last one; history is not rewritten."""

    code = "change_not_later"
    message = "开始日期必须晚于上一次变更"


@dataclass(frozen=True)
class Houses:
    """Changes of houses that split their bills by date."""

    unit_of_work: UnitOfWork

    def change_measure(
        self,
        *,
        actor: Actor,
        house_id: int,
        billing_area: Decimal,
        fee_coefficient: Decimal,
        holds_from: date | None,
        reason: str,
    ) -> None:
        """Let another billing area (㎡) or coefficient hold from a day on.

        Without a day it is a correction of what was always wrong: it counts for every bill that is
        not published yet.

        Raises:
            InvalidInput: no reason, or a number cannot be used.
            NotFound: no such house. HouseRetired: it is retired.
            ChangeNotLater: a later change is on file already.
        """
        actor.must(Permission.MANAGE_ESTATE)
        fields = {}
        for name, number in (("billing_area", billing_area), ("fee_coefficient", fee_coefficient)):
            if not number.is_finite() or not 0 < number < _LIMIT or number % _STEP:
                fields[name] = ["应大于 0，最多 4 位小数"]
        if not reason.strip():
            fields["reason"] = ["请填写原因"]
        if fields:
            raise InvalidInput(fields=fields)

        def work(tx: Transaction) -> None:
            house = _lock(tx, actor, house_id)
            if holds_from is not None:
                last = tx.session.execute(
                    select(func.max(HouseMeasure.measured_until)).where(
                        HouseMeasure.house_id == house_id
                    )
                ).scalar_one()
                if last is not None and holds_from <= last:
                    raise ChangeNotLater
                tx.session.add(
                    HouseMeasure(
                        house_id=house_id,
                        measured_until=holds_from,
                        billing_area=house.billing_area,
                        fee_coefficient=house.fee_coefficient,
                    )
                )
            before = {
                "billing_area": str(house.billing_area),
                "fee_coefficient": str(house.fee_coefficient),
            }
            house.billing_area, house.fee_coefficient = billing_area, fee_coefficient
            record(
                tx,
                actor,
                "house_measure_changed",
                subject_type="house",
                subject_id=house_id,
                community_id=house.community_id,
                facts={
                    "before": before,
                    "after": {
                        "billing_area": str(billing_area),
                        "fee_coefficient": str(fee_coefficient),
                    },
                    "holds_from": holds_from.isoformat() if holds_from else None,
                    "reason": reason.strip()[:200],
                },
            )

        self.unit_of_work.run(work)

    def change_use(
        self, *, actor: Actor, house_id: int, state: HouseState, holds_from: date, reason: str
    ) -> None:
        """Let a house be used otherwise from a day on, such as vacant; the use before ends there.

        Raises:
            InvalidInput: no reason.
            NotFound: no such house. HouseRetired: it is retired.
            ChangeNotLater: a use that begins on this day or later is on file already.
        """
        actor.must(Permission.MANAGE_ESTATE)
        if not reason.strip():
            raise InvalidInput(fields={"reason": ["请填写原因"]})

        def work(tx: Transaction) -> None:
            house = _lock(tx, actor, house_id)
            last = tx.session.execute(
                select(Occupancy)
                .where(Occupancy.house_id == house_id)
                .order_by(Occupancy.occupied_from.desc())
                .limit(1)
            ).scalar_one_or_none()
            if last is not None and holds_from <= last.occupied_from:
                raise ChangeNotLater
            if last is not None and (
                last.occupied_until is None or last.occupied_until > holds_from
            ):
                tx.session.execute(
                    update(Occupancy)
                    .where(Occupancy.id == last.id)
                    .values(occupied_until=holds_from)
                )
            tx.session.add(Occupancy(house_id=house_id, state=state, occupied_from=holds_from))
            record(
                tx,
                actor,
                "house_use_changed",
                subject_type="house",
                subject_id=house_id,
                community_id=house.community_id,
                facts={
                    "before": last.state if last else None,
                    "after": state,
                    "holds_from": holds_from.isoformat(),
                    "reason": reason.strip()[:200],
                },
            )

        self.unit_of_work.run(work)


def _lock(tx: Transaction, actor: Actor, house_id: int) -> House:
    house = lock_house(tx, actor, house_id)
    if house.retired_on is not None:
        raise HouseRetired
    return house
