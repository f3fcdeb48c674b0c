"""Fee items of a community and their prices by date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.charges import PRICED_METHODS, ChargeMethod, Price
from domain.errors import Conflict, InvalidInput, NotFound
from domain.periods import local_date
from models import Bill, Community, FeeItem, FeeStandard
from services.audit import record
from services.bills.run_items import make_run_item, read_price
from services.fees.checks import NewFeeItem, NewPrice, check_item, find_price_problems
from services.fees.rows import make_row, make_standard
from services.fees.trials import refuse_hopeless_formula, unsaved
from services.scopes import in_scope
from services.unit_of_work import Transaction, UnitOfWork, violates


class FeeItemCodeTaken(Conflict):
    """Another item of the community has the code."""

    code = "fee_item_code_taken"
    message = "收费项目编号已被使用"


class PriceNotLater(Conflict):
    """A price must begin after the newest one did; history is not rewritten."""

    code = "price_not_later"
    message = "新价格的开始日期必须晚于现行价格的开始日期"


@dataclass(frozen=True, slots=True)
class FeeItemView:
    """An item and its prices, oldest first."""

    id: int
    code: str
    name: str
    charge_method: ChargeMethod
    prices: tuple[Price, ...]
    starts_on: date
    ends_before: date | None
    is_active: bool


@dataclass(frozen=True)
class Fees:
    """What a community charges."""

    unit_of_work: UnitOfWork

    def add_item(self, *, actor: Actor, community_id: int, item: NewFeeItem) -> int:
        """Add an item with its first price and return its id.

        A formula is tried on some houses first; one that fails for all of them is refused.

        Raises:
            InvalidInput: a field cannot be used; ``fields`` says which and why.
            FeeItemCodeTaken: the code is in use in this community.
            NotFound: no such community.
        """
        actor.must(Permission.MANAGE_FEES)
        actor.must_cover(community_id)
        check_item(item)

        def work(tx: Transaction) -> int:
            community = tx.session.get(Community, community_id)
            if community is None:
                raise NotFound
            if item.formula is not None:
                since = max(item.starts_on, local_date(tx.now))
                tried = unsaved(community_id, item)
                refuse_hopeless_formula(tx.session, community, tried, since=since)
            row = make_row(community_id, item)
            row.created_at = tx.now
            tx.session.add(row)
            tx.session.flush()
            if item.charge_method in PRICED_METHODS:
                tx.session.add(make_standard(row.id, item.price, item.starts_on))
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
                    "charge_method": item.charge_method,
                    **_price_facts(item.price),
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
        self, *, actor: Actor, fee_item_id: int, price: NewPrice, priced_from: date
    ) -> None:
        """Let a new price hold from a date on; the one before ends there.

        A formula is tried on some houses first; one that fails for all of them is refused.

        Raises:
            InvalidInput: the price cannot be used, or the item has none.
            PriceNotLater: the date is not after the newest price's first day.
            NotFound: no such item.
        """
        actor.must(Permission.MANAGE_FEES)

        def work(tx: Transaction) -> None:
            item = _lock_item(tx, actor, fee_item_id)
            method = ChargeMethod(item.charge_method)
            if method not in PRICED_METHODS:
                raise InvalidInput("这个收费项目没有单价")
            if problems := find_price_problems(method, price):
                raise InvalidInput(fields=problems)
            newest = tx.session.execute(
                select(FeeStandard)
                .where(FeeStandard.fee_item_id == fee_item_id, FeeStandard.priced_until.is_(None))
                .with_for_update()
            ).scalar_one()
            if priced_from <= newest.priced_from:
                raise PriceNotLater
            if price.formula is not None:
                _refuse_hopeless(tx, item, price, since=max(priced_from, local_date(tx.now)))
            tx.session.execute(
                update(FeeStandard)
                .where(FeeStandard.id == newest.id)
                .values(priced_until=priced_from)
            )
            tx.session.add(make_standard(fee_item_id, price, priced_from))
            before = NewPrice(
                newest.unit_price,
                newest.surcharge,
                _rows(newest.tiers),
                newest.formula,
                {name: Decimal(value) for name, value in newest.constants.items()},
            )
            record(
                tx,
                actor,
                "price_set",
                subject_type="fee_item",
                subject_id=fee_item_id,
                community_id=item.community_id,
                facts={
                    "before": _price_facts(before),
                    "after": _price_facts(price),
                    "priced_from": priced_from.isoformat(),
                },
            )

        self.unit_of_work.run(work)

    def end_item(self, *, actor: Actor, fee_item_id: int, ends_before: date, reason: str) -> None:
        """Let an item end: days from ``ends_before`` on are not charged any more.

        An item without any bill may end on its first day or before: it is withdrawn.

        Raises:
            InvalidInput: no reason, or the day is not after the item's first.
            NotFound: no such item.
        """
        actor.must(Permission.MANAGE_FEES)
        if not reason.strip():
            raise InvalidInput(fields={"reason": ["请填写原因"]})

        def work(tx: Transaction) -> None:
            item = _lock_item(tx, actor, fee_item_id)
            before = item.ends_on
            if ends_before > item.starts_on:
                item.ends_on = ends_before
            elif _has_bills(tx, fee_item_id):
                raise InvalidInput(fields={"ends_before": ["已出过账，停用日期必须晚于启用日期"]})
            else:
                item.is_active = False
            record(
                tx,
                actor,
                "fee_item_ended",
                subject_type="fee_item",
                subject_id=fee_item_id,
                community_id=item.community_id,
                facts={
                    "before": before.isoformat() if before else None,
                    "ends_before": ends_before.isoformat(),
                    "reason": reason.strip()[:200],
                },
            )

        self.unit_of_work.run(work)

    def list_items(self, *, actor: Actor, community_id: int) -> Sequence[FeeItemView]:
        """List the items of a community with all their prices."""
        actor.must(Permission.VIEW_ESTATE)
        actor.must_cover(community_id)
        with self.unit_of_work.reading() as session:
            return _read_items(session, community_id)


def _read_items(session: Session, community_id: int) -> Sequence[FeeItemView]:
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
            prices=tuple(read_price(row) for row in standards if row.fee_item_id == item.id),
            starts_on=item.starts_on,
            ends_before=item.ends_on,
            is_active=item.is_active,
        )
        for item in items
    ]


def _has_bills(tx: Transaction, fee_item_id: int) -> bool:
    drawn = select(Bill.id).where(Bill.fee_item_id == fee_item_id, Bill.is_live).limit(1)
    return tx.session.execute(drawn).first() is not None


def _lock_item(tx: Transaction, actor: Actor, fee_item_id: int) -> FeeItem:
    item = tx.session.execute(
        select(FeeItem)
        .where(FeeItem.id == fee_item_id, in_scope(FeeItem.community_id, actor))
        .with_for_update()
    ).scalar_one_or_none()
    if item is None:
        raise NotFound
    return item


def _refuse_hopeless(tx: Transaction, item: FeeItem, price: NewPrice, *, since: date) -> None:
    community = tx.session.get_one(Community, item.community_id)
    # As if it had always held: the period it is tried on may begin before it does.
    tried = make_run_item(item, (read_price(make_standard(item.id, price, item.starts_on)),))
    refuse_hopeless_formula(tx.session, community, tried, since=since)


def _rows(tiers: list[list[str | None]] | None) -> list[tuple[str | None, str]] | None:
    return None if tiers is None else [(upto, str(price)) for upto, price in tiers]


def _price_facts(price: NewPrice) -> dict[str, Any]:
    facts = {
        "unit_price": None if price.unit_price is None else str(price.unit_price),
        "surcharge": str(price.surcharge) if price.surcharge else None,
        "tiers": None if price.tiers is None else [list(row) for row in price.tiers],
        "formula": price.formula,
        "constants": {name: str(value) for name, value in price.constants.items()} or None,
    }
    return {name: value for name, value in facts.items() if value is not None}
