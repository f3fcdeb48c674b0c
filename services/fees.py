"""Fee items of a community and their prices by date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from domain.actors import Actor, Permission
from domain.charges import ChargeMethod, Price
from domain.errors import Conflict, InvalidInput, NotFound
from domain.money import Rounding
from domain.periods import Proration
from models import Community, FeeItem, FeeStandard
from services.audit import record
from services.unit_of_work import Transaction, UnitOfWork, violates

_MAX_PRICE = Decimal("999999.999999")
_PRICE_STEP = Decimal("0.000001")


class FeeItemCodeTaken(Conflict):
    """Another item of the community has the code."""

    code = "fee_item_code_taken"
    message = "收费项目编号已被使用"


class PriceNotLater(Conflict):
    """A price must begin after the newest one did; history is not rewritten."""

    code = "price_not_later"
    message = "新价格的开始日期必须晚于现行价格的开始日期"


@dataclass(frozen=True, slots=True)
class NewFeeItem:
    """What is needed to charge an item; price in yuan, per ㎡ and month or per month."""

    code: str
    name: str
    charge_method: ChargeMethod
    unit_price: Decimal
    starts_on: date
    rounding: Rounding = Rounding.FEN
    proration: Proration = Proration.ACTUAL_MONTH
    issue_offset_days: int = 0
    due_days: int = 30


@dataclass(frozen=True, slots=True)
class FeeItemView:
    """An item and its prices, oldest first."""

    id: int
    code: str
    name: str
    charge_method: ChargeMethod
    prices: tuple[Price, ...]
    is_active: bool


@dataclass(frozen=True)
class Fees:
    """What a community charges."""

    unit_of_work: UnitOfWork

    def add_item(self, *, actor: Actor, community_id: int, item: NewFeeItem) -> int:
        """Add an item with its first price and return its id.

        Raises:
            InvalidInput: a field cannot be used; ``fields`` says which and why.
            FeeItemCodeTaken: the code is in use in this community.
            NotFound: no such community.
        """
        actor.must(Permission.MANAGE_FEES)
        _check_item(item)

        def work(tx: Transaction) -> int:
            if tx.session.get(Community, community_id) is None:
                raise NotFound
            row = FeeItem(
                community_id=community_id,
                code=item.code,
                name=item.name.strip(),
                charge_method=item.charge_method,
                rounding=item.rounding,
                proration=item.proration,
                issue_offset_days=item.issue_offset_days,
                due_days=item.due_days,
                starts_on=item.starts_on,
                created_at=tx.now,
            )
            tx.session.add(row)
            tx.session.flush()
            tx.session.add(
                FeeStandard(
                    fee_item_id=row.id, unit_price=item.unit_price, priced_from=item.starts_on
                )
            )
            record(
                tx,
                actor,
                "fee_item_added",
                subject_type="fee_item",
                subject_id=row.id,
                community_id=community_id,
                facts={
                    "code": item.code,
                    "name": row.name,
                    "unit_price": str(item.unit_price),
                    "priced_from": item.starts_on.isoformat(),
                },
            )
            return row.id

        try:
            return self.unit_of_work.run(work)
        except IntegrityError as error:
            if violates(error, "uq_fee_item_community_id"):
                raise FeeItemCodeTaken from error
            raise

    def set_price(
        self, *, actor: Actor, fee_item_id: int, unit_price: Decimal, priced_from: date
    ) -> None:
        """Let a new price hold from a date on; the one before ends there.

        Raises:
            InvalidInput: the price cannot be used.
            PriceNotLater: the date is not after the newest price's first day.
            NotFound: no such item.
        """
        actor.must(Permission.MANAGE_FEES)
        if problem := _price_problem(unit_price):
            raise InvalidInput(fields={"unit_price": [problem]})

        def work(tx: Transaction) -> None:
            item = tx.session.execute(
                select(FeeItem).where(FeeItem.id == fee_item_id).with_for_update()
            ).scalar_one_or_none()
            if item is None:
                raise NotFound
            newest = tx.session.execute(
                select(FeeStandard)
                .where(FeeStandard.fee_item_id == fee_item_id, FeeStandard.priced_until.is_(None))
                .with_for_update()
            ).scalar_one()
            if priced_from <= newest.priced_from:
                raise PriceNotLater
            tx.session.execute(
                update(FeeStandard)
                .where(FeeStandard.id == newest.id)
                .values(priced_until=priced_from)
            )
            tx.session.add(
                FeeStandard(fee_item_id=fee_item_id, unit_price=unit_price, priced_from=priced_from)
            )
            record(
                tx,
                actor,
                "price_set",
                subject_type="fee_item",
                subject_id=fee_item_id,
                community_id=item.community_id,
                facts={
                    "before": str(newest.unit_price),
                    "after": str(unit_price),
                    "priced_from": priced_from.isoformat(),
                },
            )

        self.unit_of_work.run(work)

    def list_items(self, *, actor: Actor, community_id: int) -> Sequence[FeeItemView]:
        """List the items of a community with all their prices."""
        actor.must(Permission.VIEW_ESTATE)
        with self.unit_of_work.reading() as session:
            items = session.scalars(
                select(FeeItem).where(FeeItem.community_id == community_id).order_by(FeeItem.id)
            ).all()
            standards = session.scalars(
                select(FeeStandard)
                .where(FeeStandard.fee_item_id.in_([item.id for item in items]))
                .order_by(FeeStandard.priced_from)
            ).all()
        return [
            FeeItemView(
                id=item.id,
                code=item.code,
                name=item.name,
                charge_method=ChargeMethod(item.charge_method),
                prices=tuple(
                    Price(row.unit_price, row.priced_from, row.priced_until)
                    for row in standards
                    if row.fee_item_id == item.id
                ),
                is_active=item.is_active,
            )
            for item in items
        ]


def _check_item(item: NewFeeItem) -> None:
    fields: dict[str, list[str]] = {}
    if not (2 <= len(item.code) <= 4 and item.code.isascii() and item.code.isalpha()):
        fields["code"] = ["应为 2 至 4 位大写字母，例如 WY"]
    elif item.code != item.code.upper():
        fields["code"] = ["请用大写字母"]
    if not 1 <= len(item.name.strip()) <= 20:
        fields["name"] = ["请填写项目名称，20 字以内"]
    if problem := _price_problem(item.unit_price):
        fields["unit_price"] = [problem]
    for name in ("issue_offset_days", "due_days"):
        if not 0 <= getattr(item, name) <= 365:
            fields[name] = ["应为 0 至 365 天"]
    if fields:
        raise InvalidInput(fields=fields)


def _price_problem(unit_price: Decimal) -> str:
    if not unit_price.is_finite() or not 0 < unit_price <= _MAX_PRICE:
        return "单价应大于 0 且不超过 999999"
    if unit_price % _PRICE_STEP:
        return "单价最多 6 位小数"
    return ""
