"""What meters counted, as a bill run needs it: chains of replaced meters with their readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import text
from sqlalchemy.orm import Session

from domain.meters import (
    KIND_SHOWN,
    MeterKind,
    MeterSpan,
    Reading,
    ReadingMissing,
    Segment,
    measure,
)
from domain.periods import Span

_METERS = text(
    """
    SELECT meter.id, meter.house_id, meter.kind, meter.meter_no, meter.multiplier, meter.modulus,
           meter.opening_reading, meter.opened_on, meter.closing_reading, meter.closed_on,
           meter.replaces_meter_id, reading.read_on, reading.reading, reading.is_rollover
      FROM meter
      LEFT JOIN LATERAL (
          (SELECT read_on, reading, is_rollover FROM meter_reading
            WHERE meter_id = meter.id AND superseded_at IS NULL AND read_on < :starts_on
            ORDER BY read_on DESC LIMIT 1)
          UNION ALL
          SELECT read_on, reading, is_rollover FROM meter_reading
           WHERE meter_id = meter.id AND superseded_at IS NULL
             AND read_on >= :starts_on AND read_on < :ends_before
      ) reading ON true
     WHERE meter.house_id BETWEEN :first_id AND :last_id AND meter.kind = ANY(:kinds)
       AND meter.opened_on < :ends_before
       AND (meter.closed_on IS NULL OR meter.closed_on >= :starts_on)
     ORDER BY meter.house_id, meter.id, reading.read_on
    """
)


@dataclass(slots=True)
class MeterFacts:
    """One meter with what it showed: the last reading before some days or its opening, and on."""

    id: int
    house_id: int
    kind: str
    meter_no: str
    multiplier: Decimal
    modulus: Decimal | None
    opening: Reading
    closing: Reading | None
    replaces_meter_id: int | None
    readings: list[Reading]

    def between(self, days: Span) -> tuple[Reading, ...]:
        """Tell the last reading before some days, and those in them; none when closed before."""
        until = [one for one in self.readings if one.read_on < days.ends_before]
        before = [one for one in until if one.read_on < days.starts_on]
        if self.closing is not None and self.closing.read_on < days.starts_on:
            return ()
        return tuple(until[max(len(before) - 1, 0) :])

    def measure(self, readings: tuple[Reading, ...]) -> Segment:
        """Count between readings; raises as `domain.meters.measure`."""
        return measure(MeterSpan(self.meter_no, self.multiplier, self.modulus, readings))


Chain = list[MeterFacts]
"""A meter and those that replaced it, oldest first."""


def read_chains(
    session: Session, *, first_house_id: int, last_house_id: int, kinds: list[str], days: Span
) -> dict[int, list[Chain]]:
    """Read the meters of some houses with all readings from the last one before the days on."""
    rows = session.execute(
        _METERS,
        {
            "first_id": first_house_id,
            "last_id": last_house_id,
            "kinds": kinds,
            "starts_on": days.starts_on,
            "ends_before": days.ends_before,
        },
    )
    meters: dict[int, MeterFacts] = {}
    for row in rows:
        meter = meters.get(row[0])
        if meter is None:
            meter = meters[row[0]] = _meter(row)
        _add_reading(meter, *row[11:])
    chains: dict[int, list[Chain]] = {}
    chain_of: dict[int, Chain] = {}
    for meter in meters.values():
        if meter.closing is not None:
            meter.readings = [r for r in meter.readings if r.read_on < meter.closing.read_on]
            meter.readings.append(meter.closing)
        chain = chain_of.get(meter.replaces_meter_id or 0)
        if chain is None:
            chain = []
            chains.setdefault(meter.house_id, []).append(chain)
        chain.append(meter)
        chain_of[meter.id] = chain
    return chains


def _meter(row: Sequence[object]) -> MeterFacts:
    values: tuple[int, int, str, str, Decimal, Decimal | None, Decimal, date] = tuple(row[:8])  # type: ignore[assignment]
    id_, house_id, kind, meter_no, multiplier, modulus, opening_reading, opened_on = values
    closing_reading, closed_on, replaces = row[8:11]
    opening = Reading(opened_on, opening_reading)
    closing = None
    if isinstance(closed_on, date) and isinstance(closing_reading, Decimal):
        closing = Reading(closed_on, closing_reading)
    return MeterFacts(
        id=id_,
        house_id=house_id,
        kind=kind,
        meter_no=meter_no,
        multiplier=multiplier,
        modulus=modulus,
        opening=opening,
        closing=closing,
        replaces_meter_id=replaces if isinstance(replaces, int) else None,
        readings=[opening],
    )


def _add_reading(
    meter: MeterFacts, read_on: date | None, reading: Decimal, is_rollover: bool
) -> None:
    """Add a live reading; the first one makes what came before it unnecessary."""
    if read_on is None or read_on <= meter.opening.read_on:
        return
    if meter.closing is not None and read_on == meter.closing.read_on:
        meter.closing = meter.closing._replace(is_rollover=is_rollover)
        return
    meter.readings.append(Reading(read_on, reading, is_rollover))


def count_usage(chains: Sequence[Chain], kind: MeterKind, period: Span) -> list[Segment]:
    """Count what some meters of a house measured in a period, a segment each.

    Raises:
        ReadingMissing: there is no such meter, or one was not read.
        ReadingFellBack: a counter went back.
    """
    segments = [
        meter.measure(readings)
        for chain in chains
        for meter in chain
        if (readings := meter.between(period))
    ]
    if not segments:
        raise ReadingMissing(f"没有登记{KIND_SHOWN[kind]}表")
    return segments


def count_used_before(chains: Sequence[Chain], window: Span) -> int:
    """Count what some meters measured in a tier window before a period, in scaled units."""
    if not window:
        return 0
    return sum(
        meter.measure(readings).usage
        for chain in chains
        for meter in chain
        if len(readings := meter.between(window)) > 1
    )
