"""What a bill run must know of a chunk of houses, read set-wise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from domain.charges import NO_CHANGES, Changes
from domain.periods import Span
from models import OneOffCharge
from services.bills.meter_facts import Chain, PlainMeter, read_meters

_HOUSES = text(
    """
    SELECT id, (billing_area * 10000)::bigint, (fee_coefficient * 10000)::bigint, handover_date,
           inner_area, floor_no, household_size, retired_on
      FROM house
     WHERE community_id = :community_id AND id > :after_id ORDER BY id LIMIT :limit
    """
)
_CHOSEN_HOUSES = text(
    """
    SELECT id, (billing_area * 10000)::bigint, (fee_coefficient * 10000)::bigint, handover_date,
           inner_area, floor_no, household_size, retired_on
      FROM house WHERE community_id = :community_id AND id = ANY(:house_ids) ORDER BY id
    """
)
_HOUSEHOLDS = text(
    """
    SELECT count(*) FROM house
     WHERE community_id = :community_id AND (retired_on IS NULL OR retired_on > :starts_on)
    """
)
_BILLED = text(
    """
    SELECT house_id, fee_item_id, period_from, period_until, sequence FROM bill
     WHERE house_id BETWEEN :first_id AND :last_id AND fee_item_id = ANY(:item_ids)
       AND period_until > :starts_on AND period_from < :ends_before
       AND is_live AND batch_id <> :apart_from
    """
)
_MEASURES = text(
    """
    SELECT house_id, measured_until, billing_area, fee_coefficient FROM house_measure
     WHERE house_id BETWEEN :first_id AND :last_id AND measured_until > :starts_on
     ORDER BY house_id, measured_until
    """
)
_VACANCIES = text(
    """
    SELECT house_id, occupied_from, occupied_until FROM occupancy
     WHERE house_id BETWEEN :first_id AND :last_id AND state = 'vacant'
       AND occupied_from < :ends_before
       AND (occupied_until IS NULL OR occupied_until > :starts_on)
     ORDER BY house_id, occupied_from
    """
)
_SALES = text(
    """
    SELECT DISTINCT house_id, person_until FROM house_person
     WHERE house_id BETWEEN :first_id AND :last_id AND role = 'title_holder'
       AND person_until > :starts_on AND person_until < :ends_before
     ORDER BY house_id, person_until
    """
)
_COUNTED_FROM = text(
    """
    SELECT waiting.house_id, waiting.fee_item_id, coalesce(last.period_until, waiting.since)
      FROM (SELECT exception.house_id, exception.fee_item_id, min(batch.period_from) AS since
              FROM bill_exception exception
              JOIN bill_batch batch ON batch.id = exception.batch_id
               AND batch.state = 'published' AND batch.period_from < :month
             WHERE exception.house_id BETWEEN :first_id AND :last_id
               AND exception.fee_item_id = ANY(:item_ids)
             GROUP BY exception.house_id, exception.fee_item_id) waiting
      LEFT JOIN LATERAL (
          SELECT period_until FROM bill
           WHERE bill.house_id = waiting.house_id AND bill.fee_item_id = waiting.fee_item_id
             AND bill.is_live AND bill.period_from < :month
           ORDER BY bill.period_from DESC LIMIT 1) last ON true
     WHERE coalesce(last.period_until, waiting.since) < :month
    """
)
_ADJUSTMENTS = text(
    """
    SELECT note.house_id, note.fee_item_id, note.id, note.amount_fen, bill.bill_no, note.reason
      FROM bill_adjustment note JOIN bill ON bill.id = note.of_bill_id
     WHERE note.community_id = :community_id AND note.state = 'open'
       AND note.house_id BETWEEN :first_id AND :last_id
     ORDER BY note.amount_fen < 0, note.id
    """
)


class House(NamedTuple):
    """A house as it is today; area (㎡) and coefficient in ten-thousandths."""

    id: int
    area_units: int
    coefficient_units: int
    handover_date: date | None
    inner_area: Decimal | None
    floor_no: int | None
    household_size: int | None
    retired_on: date | None = None
    """Since when it owes no longer."""

    @property
    def billing_area(self) -> Decimal:
        """The area in ㎡."""
        return Decimal(self.area_units).scaleb(-4)

    @property
    def fee_coefficient(self) -> Decimal:
        """The coefficient."""
        return Decimal(self.coefficient_units).scaleb(-4)


class Measure(NamedTuple):
    """Area and coefficient that held until a day."""

    until: date
    billing_area: Decimal
    fee_coefficient: Decimal


@dataclass(slots=True)
class History:
    """What changed about a house around the periods of a run."""

    measures: list[Measure] = field(default_factory=list)
    vacant: list[Span] = field(default_factory=list)
    sold: list[date] = field(default_factory=list)

    def changes(self, liable: Span, *, looks_at_area: bool, looks_at_vacancy: bool) -> Changes:
        """Tell what splits the lines of some liable days."""
        cuts = [(day, "owner") for day in self.sold]
        if looks_at_area:
            cuts += [(measure.until, "area") for measure in self.measures]
        vacant = []
        if looks_at_vacancy:
            vacant = [
                span.within(starts_on=liable.starts_on, ends_before=liable.ends_before)
                for span in self.vacant
            ]
            cuts += [
                (day, "vacancy")
                for span in vacant
                if span
                for day in (span.starts_on, span.ends_before)
            ]
        inside = [cut for cut in sorted(cuts) if liable.starts_on < cut[0] < liable.ends_before]
        vacant = [span for span in vacant if span]
        return Changes(tuple(inside), tuple(vacant)) if inside or vacant else NO_CHANGES

    def measure_on(self, house: House, day: date) -> tuple[Decimal, Decimal]:
        """Tell area and coefficient of a day."""
        for measure in self.measures:
            if day < measure.until:
                return measure.billing_area, measure.fee_coefficient
        return house.billing_area, house.fee_coefficient


PLAIN = History()


class Adjustment(NamedTuple):
    """A credit or debit note that waits for the next bill."""

    id: int
    amount_fen: int
    of_bill_no: str
    reason: str


@dataclass(slots=True)
class HouseFacts:
    """A chunk of houses, sorted by id, and what is known of them."""

    houses: Sequence[House]
    billed: dict[tuple[int, int], list[tuple[date, date, int]]] = field(default_factory=dict)
    histories: dict[int, History] = field(default_factory=dict)
    chains: dict[int, list[Chain]] = field(default_factory=dict)
    plain_meters: dict[tuple[int, str], PlainMeter] = field(default_factory=dict)
    """By house id and kind: houses with one meter of which nothing is special."""
    counted_from: dict[tuple[int, int], date] = field(default_factory=dict)
    """By house and metered item: since when usage is not billed, if that is before the month."""
    one_offs: dict[int, list[OneOffCharge]] = field(default_factory=dict)
    adjustments: dict[tuple[int, int], list[Adjustment]] = field(default_factory=dict)

    def find_unusual(self) -> set[int]:
        """Tell the houses that are not like any other: billed, changed, adjusted."""
        unusual = {house_id for house_id, _ in self.billed}
        unusual.update(house_id for house_id, _ in self.adjustments)
        unusual.update(self.histories)
        unusual.update(house_id for house_id, _ in self.counted_from)
        return unusual


class Wanted(NamedTuple):
    """Which facts the items of a run depend on, and over which days."""

    community_id: int
    item_ids: list[int]
    days: Span
    """All periods of the run."""
    month: Span
    looks_at_vacancy: bool
    meter_kinds: list[str]
    metered_item_ids: list[int]
    readings_from: date
    one_off_item_ids: list[int]
    apart_from_batch: int
    """A batch whose own bills do not count as billed; 0 for none."""


def read_houses(session: Session, community_id: int, *, after_id: int, limit: int) -> list[House]:
    """Read the next houses by id."""
    found = session.execute(
        _HOUSES, {"community_id": community_id, "after_id": after_id, "limit": limit}
    )
    return [House._make(row) for row in found.fetchall()]


def count_households(session: Session, community_id: int, month: Span) -> int:
    """Count the houses of a community that are not retired before a month."""
    return int(
        session.execute(
            _HOUSEHOLDS, {"community_id": community_id, "starts_on": month.starts_on}
        ).scalar_one()
    )


def read_chosen_houses(session: Session, community_id: int, house_ids: list[int]) -> list[House]:
    """Read chosen houses of a community by id."""
    found = session.execute(_CHOSEN_HOUSES, {"community_id": community_id, "house_ids": house_ids})
    return [House._make(row) for row in found.fetchall()]


def read_facts(session: Session, wanted: Wanted, houses: Sequence[House]) -> HouseFacts:
    """Read all that the run needs of these houses."""
    facts = HouseFacts(houses)
    if not houses:
        return facts
    keys = {
        "first_id": houses[0].id,
        "last_id": houses[-1].id,
        "starts_on": wanted.days.starts_on,
        "ends_before": wanted.days.ends_before,
    }
    billed = session.execute(
        _BILLED, keys | {"item_ids": wanted.item_ids, "apart_from": wanted.apart_from_batch}
    )
    for house_id, item_id, period_from, period_until, sequence in billed:
        facts.billed.setdefault((house_id, item_id), []).append(
            (period_from, period_until, sequence)
        )
    _read_histories(session, wanted, keys, facts)
    if wanted.meter_kinds:
        facts.counted_from = _read_counted_from(session, wanted, keys)
        readings_from = min([wanted.readings_from, *facts.counted_from.values()])
        facts.chains, facts.plain_meters = read_meters(
            session,
            first_house_id=houses[0].id,
            last_house_id=houses[-1].id,
            kinds=wanted.meter_kinds,
            days=Span(readings_from, wanted.days.ends_before),
        )
    if wanted.one_off_item_ids:
        _read_one_offs(session, wanted, keys, facts)
    for row in session.execute(_ADJUSTMENTS, keys | {"community_id": wanted.community_id}):
        house_id, item_id, *note = row
        facts.adjustments.setdefault((house_id, item_id), []).append(Adjustment(*note))
    return facts


def _read_counted_from(
    session: Session, wanted: Wanted, keys: dict[str, object]
) -> dict[tuple[int, int], date]:
    """Tell since when usage waits to be billed: since the last bill, or the first run without one.

    Houses whose last bill reaches to the month, as nearly all do, are left out.
    """
    rows = session.execute(
        _COUNTED_FROM,
        keys | {"item_ids": wanted.metered_item_ids, "month": wanted.month.starts_on},
    )
    return {(house_id, item_id): since for house_id, item_id, since in rows.fetchall()}


def _read_histories(
    session: Session, wanted: Wanted, keys: dict[str, object], facts: HouseFacts
) -> None:
    histories = facts.histories
    for house_id, until, area, coefficient in session.execute(_MEASURES, keys):
        measure = Measure(until, area, coefficient)
        histories.setdefault(house_id, History()).measures.append(measure)
    for house_id, sold_on in session.execute(_SALES, keys):
        histories.setdefault(house_id, History()).sold.append(sold_on)
    if wanted.looks_at_vacancy:
        for house_id, since, until in session.execute(_VACANCIES, keys):
            span = Span(since, until or wanted.days.ends_before)
            histories.setdefault(house_id, History()).vacant.append(span)


def _read_one_offs(
    session: Session, wanted: Wanted, keys: dict[str, object], facts: HouseFacts
) -> None:
    rows = session.scalars(
        select(OneOffCharge)
        .where(
            OneOffCharge.house_id.between(keys["first_id"], keys["last_id"]),
            OneOffCharge.fee_item_id.in_(wanted.one_off_item_ids),
            OneOffCharge.state == "open",
            OneOffCharge.charged_on >= wanted.month.starts_on,
            OneOffCharge.charged_on < wanted.month.ends_before,
        )
        .order_by(OneOffCharge.id)
    )
    for row in rows:
        facts.one_offs.setdefault(row.house_id, []).append(row)
