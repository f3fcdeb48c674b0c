"""Shares of a pool, computed once per run over all houses that bear it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from domain.charges import ChargedLine, trim
from domain.periods import LiableFromRule, Span
from domain.shares import ShareBy, split
from domain.troubles import NotChargeable
from models import FeeItem, SharePool, SharePoolWeight

_BEARERS = text(
    """
    SELECT house.id, building_id, handover_date,
           coalesce(measure.billing_area, house.billing_area),
           coalesce(measure.fee_coefficient, house.fee_coefficient)
      FROM house
      LEFT JOIN LATERAL (
          SELECT billing_area, fee_coefficient FROM house_measure
           WHERE house_id = house.id AND measured_until >= :until
           ORDER BY measured_until LIMIT 1) measure ON true
     WHERE community_id = :community_id AND (retired_on IS NULL OR retired_on > :since)
     ORDER BY house.id
    """
)


@dataclass(frozen=True, slots=True)
class Shares:
    """What each house bears of a pool; ``by_house`` holds fen, ``weights`` why."""

    pool_id: int
    period: Span
    by_house: dict[int, int]
    weights: dict[int, Decimal]
    excluded: frozenset[int]
    trace_head: str

    def line(self, house_id: int) -> ChargedLine | None:
        """Make a house's line; none for a house that the pool does not concern.

        Raises:
            NotChargeable: the house would bear it but has no weight.
        """
        share_fen = self.by_house.get(house_id)
        if share_fen is None:
            if house_id in self.excluded:
                raise NotChargeable("没有分摊权重，不参加公摊")
            return None
        weight = trim(self.weights[house_id])
        return ChargedLine(share_fen, f'{self.trace_head},"weight":"{weight}"}}')


def read_shares(
    session: Session,
    *,
    community_id: int,
    items: Sequence[FeeItem],
    month: Span,
    rule: LiableFromRule,
) -> dict[int, Shares]:
    """Split the open pools of a month over the houses that owe on some day of their period.

    Which pool an item has is told by the month in which the pool's period begins or ends, as its
    cycle says; at most one. Houses without a weight bear nothing; area and coefficient are those of
    the period's last day.
    """
    pools = session.scalars(
        select(SharePool).where(
            SharePool.fee_item_id.in_([item.id for item in items]),
            SharePool.state == "open",
            SharePool.period_from < month.ends_before,
            SharePool.period_until > month.starts_on,
        )
    ).all()
    if not pools:
        return {}
    return {
        pool.fee_item_id: _share(
            session,
            pool,
            session.execute(
                _BEARERS,
                {
                    "community_id": community_id,
                    "since": pool.period_from,
                    "until": pool.period_until,
                },
            ).all(),
            rule,
        )
        for pool in pools
    }


def _share(
    session: Session,
    pool: SharePool,
    bearers: Sequence[tuple[int, int, date | None, Decimal, Decimal]],
    rule: LiableFromRule,
) -> Shares:
    by = ShareBy(pool.share_by)
    period = Span(pool.period_from, pool.period_until)
    custom: dict[int, Decimal] = {}
    if by is ShareBy.CUSTOM:
        custom = {
            row.house_id: row.weight
            for row in session.scalars(
                select(SharePoolWeight).where(SharePoolWeight.pool_id == pool.id)
            )
        }
    weights: dict[int, Decimal] = {}
    excluded = set()
    for house_id, building_id, handover_date, area, coefficient in bearers:
        if pool.building_ids is not None and building_id not in pool.building_ids:
            continue
        if handover_date is None or rule.liable_from(handover_date) >= period.ends_before:
            continue
        weight = {
            ShareBy.AREA: area,
            ShareBy.HOUSEHOLD: Decimal(1),
            ShareBy.COEFFICIENT: coefficient,
            ShareBy.CUSTOM: custom.get(house_id, Decimal(0)),
        }[by]
        if weight > 0:
            weights[house_id] = weight
        else:
            excluded.add(house_id)
    priced = ""
    if pool.units is not None and pool.unit_price is not None:
        priced = f',"units":"{trim(pool.units)}","unit_price":"{trim(pool.unit_price)}"'
    by_house = split(pool.amount_fen, weights) if weights else {}
    return Shares(
        pool_id=pool.id,
        period=period,
        by_house=by_house,
        weights=weights,
        excluded=frozenset(excluded),
        trace_head=(
            f'{{"method":"share","pool_id":{pool.id},"pool_fen":{pool.amount_fen}'
            f',"share_by":"{by}","weights":"{trim(sum(weights.values(), Decimal(0)))}"'
            f',"households":{len(weights)},"from":"{period.starts_on}"'
            f',"until":"{period.ends_before}"{priced}'
        ),
    )
