"""Trying an item on some houses: what they would owe, before anything is saved."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.charges import PRICED_METHODS, Price
from domain.errors import InvalidInput, NotFound
from domain.houses import house_label
from domain.periods import LiableFromRule, Span, add_months, calendar_month
from domain.traces import explain
from models import Building, Community, FeeItem, House
from services.bills.house_facts import count_households, read_chosen_houses, read_facts
from services.bills.plans import Chunk
from services.bills.run_items import RunItem, make_run_item, read_price, read_run_items
from services.bills.runs import make_charging, want
from services.fees.checks import NewFeeItem, check_item
from services.fees.rows import make_row, make_standard
from services.unit_of_work import UnitOfWork

SAMPLE_HOUSES = 20
"""How many houses a trial looks at unless some are named."""


@dataclass(frozen=True, slots=True)
class TrialRow:
    """What one house would owe for a period, with its explanations; or why it cannot be charged."""

    house_id: int
    house: str
    period: Span | None
    amount_fen: int
    explanations: tuple[str, ...]
    why_not: str = ""


@dataclass(frozen=True)
class FeeTrials:
    """Tries items on houses; nothing is written."""

    unit_of_work: UnitOfWork

    def try_new(
        self,
        *,
        actor: Actor,
        community_id: int,
        item: NewFeeItem,
        month: date,
        house_ids: Sequence[int] = (),
    ) -> Sequence[TrialRow]:
        """Tell what an item that is not saved yet would charge in the run of a month.

        Without named houses up to 20 spread over the community are taken.

        Raises:
            InvalidInput: a field cannot be used.
            NotFound: no such community, or a house is not one of it.
        """
        actor.must(Permission.MANAGE_FEES)
        actor.must_cover(community_id)
        check_item(item)
        with self.unit_of_work.reading() as session:
            community = _community(session, community_id)
            run_item = unsaved(community_id, item)
            return _try(session, community, run_item, calendar_month(month), house_ids)

    def try_item(
        self,
        *,
        actor: Actor,
        community_id: int,
        fee_item_id: int,
        month: date,
        house_ids: Sequence[int] = (),
    ) -> Sequence[TrialRow]:
        """Tell what an item of the community would charge in the run of a month.

        Raises:
            NotFound: no such community or item, or a house is not one of it.
        """
        actor.must(Permission.MANAGE_FEES)
        actor.must_cover(community_id)
        with self.unit_of_work.reading() as session:
            community = _community(session, community_id)
            known = session.execute(
                select(FeeItem.id).where(
                    FeeItem.id == fee_item_id, FeeItem.community_id == community_id
                )
            ).scalar_one_or_none()
            if known is None:
                raise NotFound
            [run_item] = read_run_items(session, [fee_item_id])
            return _try(session, community, run_item, calendar_month(month), house_ids)


def refuse_hopeless_formula(
    session: Session, community: Community, item: RunItem, *, since: date
) -> None:
    """Refuse a formula that fails for every house it was tried on in the cycle after a day.

    Houses that could not be tried, such as those without a handover date, say nothing.

    Raises:
        InvalidInput: with the reasons.
    """
    reasons: dict[str, None] = {}
    for ahead in range(1, item.cycle.months + 1):
        month = calendar_month(add_months(since.replace(day=1), ahead))
        for row in _try(session, community, item, month, ()):
            if not row.why_not:
                return
            if row.why_not.startswith("公式"):
                reasons[row.why_not] = None
    if reasons:
        raise InvalidInput(fields={"formula": list(reasons)})


def _community(session: Session, community_id: int) -> Community:
    community = session.get(Community, community_id)
    if community is None:
        raise NotFound
    return community


def unsaved(community_id: int, item: NewFeeItem) -> RunItem:
    """Make an item ready to charge that is not on file."""
    row = make_row(community_id, item)
    row.id = 0
    prices: tuple[Price, ...] = ()
    if item.charge_method in PRICED_METHODS:
        prices = (read_price(make_standard(0, item.price, item.starts_on)),)
    return make_run_item(row, prices)


def _try(
    session: Session,
    community: Community,
    item: RunItem,
    month: Span,
    house_ids: Sequence[int],
) -> list[TrialRow]:
    chosen = list(house_ids) or _sample(session, community.id)
    houses = read_chosen_houses(session, community.id, chosen)
    if len(houses) != len(set(chosen)):
        raise NotFound("有房屋不属于这个小区")
    total = count_households(session, community.id, month)
    rule = LiableFromRule(community.liable_from_rule)
    charging = make_charging(session, community.id, month, [item], rule, houses_total=total)
    wanted = want(community.id, month, [item], apart_from=0)
    facts = read_facts(session, wanted, houses)
    facts.billed.clear()
    return _rows(charging.charge(facts), _labels(session, chosen))


def _sample(session: Session, community_id: int) -> list[int]:
    """Choose houses spread evenly over the community by id."""
    numbered = (
        select(
            House.id,
            func.ntile(SAMPLE_HOUSES).over(order_by=House.id).label("tile"),
        )
        .where(House.community_id == community_id, House.retired_on.is_(None))
        .subquery()
    )
    return list(
        session.scalars(
            select(func.min(numbered.c.id)).group_by(numbered.c.tile).order_by(numbered.c.tile)
        )
    )


def _labels(session: Session, house_ids: Sequence[int]) -> dict[int, str]:
    rows = session.execute(
        select(House.id, Building.name, House.unit_no, House.room_no)
        .join(Building, Building.id == House.building_id)
        .where(House.id.in_(house_ids))
    )
    return {id_: house_label(building, unit, room) for id_, building, unit, room in rows}


def _rows(chunk: Chunk, labels: dict[int, str]) -> list[TrialRow]:
    rows = [
        TrialRow(
            house_id=bill.house_id,
            house=labels[bill.house_id],
            period=bill.period or bill.plan.period,
            amount_fen=bill.charged.amount_fen,
            explanations=tuple(
                explain(json.loads(line.trace), line.amount_fen) for line in bill.charged.lines
            ),
        )
        for bill in chunk.bills
    ]
    rows += [
        TrialRow(house_id, labels[house_id], None, 0, (), why)
        for house_id, _, why in chunk.exceptions
    ]
    return sorted(rows, key=lambda row: row.house_id)
