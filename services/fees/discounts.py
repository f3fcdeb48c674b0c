"""Discount rules of a community: who gets what off which items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select

from domain.actors import Actor, Permission
from domain.discounts import DiscountRule, check_rule
from domain.errors import InvalidInput, NotFound
from models import DiscountHouse, DiscountItem, FeeItem, House
from models import DiscountRule as DiscountRuleRow
from services.audit import record
from services.bills.run_items import read_rule
from services.scopes import in_scope
from services.unit_of_work import Transaction, UnitOfWork


@dataclass(frozen=True, slots=True)
class DiscountView:
    """A rule with its items, and its houses unless it is for all."""

    rule: DiscountRule
    fee_item_ids: tuple[int, ...]
    house_ids: tuple[int, ...] | None
    is_active: bool


@dataclass(frozen=True)
class Discounts:
    """Rules that make bills smaller; always computed here, never by a client."""

    unit_of_work: UnitOfWork

    def add(
        self,
        *,
        actor: Actor,
        community_id: int,
        rule: DiscountRule,
        fee_item_ids: Sequence[int],
        house_ids: Sequence[int] | None = None,
    ) -> int:
        """Add a rule for some items, for all houses or chosen ones, and return its id.

        ``rule.id`` is not looked at.

        Raises:
            InvalidInput: the rule makes no sense, or names no item or no house.
            NotFound: an item or a house is not of this community.
        """
        actor.must(Permission.MANAGE_FEES)
        actor.must_cover(community_id)
        fields = check_rule(replace(rule, id=0))
        if not fee_item_ids:
            fields["fee_item_ids"] = ["请选择适用的收费项目"]
        if house_ids is not None and not house_ids:
            fields["house_ids"] = ["请选择适用的房屋，或改为全部房屋"]
        if fields:
            raise InvalidInput(fields=fields)

        def work(tx: Transaction) -> int:
            _check_scope(tx, community_id, set(fee_item_ids), set(house_ids or ()))
            row = DiscountRuleRow(
                community_id=community_id,
                name=rule.name.strip(),
                kind=rule.kind,
                percent=rule.percent,
                amount_fen=rule.amount_fen,
                buy_months=rule.buy_months,
                free_months=rule.free_months,
                early_days=rule.early_days,
                priority=rule.priority,
                is_stackable=rule.is_stackable,
                cap_fen=rule.cap_fen,
                starts_on=rule.starts_on,
                ends_on=rule.ends_before,
                is_for_all_houses=house_ids is None,
                created_at=tx.now,
            )
            tx.session.add(row)
            tx.session.flush()
            tx.session.add_all(
                DiscountItem(rule_id=row.id, fee_item_id=item_id)
                for item_id in sorted(set(fee_item_ids))
            )
            tx.session.add_all(
                DiscountHouse(rule_id=row.id, house_id=house_id)
                for house_id in sorted(set(house_ids or ()))
            )
            record(
                tx,
                actor,
                "discount_added",
                subject_type="discount_rule",
                subject_id=row.id,
                community_id=community_id,
                facts={
                    "name": row.name,
                    "kind": rule.kind,
                    "percent": None if rule.percent is None else str(rule.percent),
                    "amount_fen": rule.amount_fen,
                    "fee_item_ids": sorted(set(fee_item_ids)),
                    "house_count": None if house_ids is None else len(set(house_ids)),
                },
            )
            return row.id

        return self.unit_of_work.run(work)

    def stop(self, *, actor: Actor, rule_id: int, reason: str) -> None:
        """Stop a rule for all bills to come; bills that have it keep it.

        Raises:
            InvalidInput: no reason given.
            NotFound: no such rule in use.
        """
        actor.must(Permission.MANAGE_FEES)
        if not reason.strip():
            raise InvalidInput(fields={"reason": ["请填写原因"]})

        def work(tx: Transaction) -> None:
            row = tx.session.execute(
                select(DiscountRuleRow)
                .where(
                    DiscountRuleRow.id == rule_id,
                    DiscountRuleRow.is_active,
                    in_scope(DiscountRuleRow.community_id, actor),
                )
                .with_for_update()
            ).scalar_one_or_none()
            if row is None:
                raise NotFound
            row.is_active = False
            record(
                tx,
                actor,
                "discount_stopped",
                subject_type="discount_rule",
                subject_id=rule_id,
                community_id=row.community_id,
                facts={"reason": reason.strip()[:200]},
            )

        self.unit_of_work.run(work)

    def list_rules(self, *, actor: Actor, community_id: int) -> Sequence[DiscountView]:
        """List the rules of a community by priority, stopped ones last."""
        actor.must(Permission.VIEW_ESTATE)
        actor.must_cover(community_id)
        with self.unit_of_work.reading() as session:
            rows = session.scalars(
                select(DiscountRuleRow)
                .where(DiscountRuleRow.community_id == community_id)
                .order_by(
                    DiscountRuleRow.is_active.desc(), DiscountRuleRow.priority, DiscountRuleRow.id
                )
            ).all()
            ids = [row.id for row in rows]
            items = session.scalars(select(DiscountItem).where(DiscountItem.rule_id.in_(ids))).all()
            houses = session.scalars(
                select(DiscountHouse).where(DiscountHouse.rule_id.in_(ids))
            ).all()
        return [
            DiscountView(
                rule=read_rule(row),
                fee_item_ids=tuple(one.fee_item_id for one in items if one.rule_id == row.id),
                house_ids=None
                if row.is_for_all_houses
                else tuple(one.house_id for one in houses if one.rule_id == row.id),
                is_active=row.is_active,
            )
            for row in rows
        ]


def _check_scope(
    tx: Transaction, community_id: int, fee_item_ids: set[int], house_ids: set[int]
) -> None:
    for model, ids in ((FeeItem, fee_item_ids), (House, house_ids)):
        found = tx.session.scalars(
            select(model.id).where(model.id.in_(ids), model.community_id == community_id)
        ).all()
        if len(found) != len(ids):
            raise NotFound("有收费项目或房屋不属于这个小区")
