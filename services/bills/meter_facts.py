"""What meters counted, as a bill run needs it: chains of replaced meters with their readings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

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
from domain.tiers import USAGE_SCALE
from domain.usage_charges import segment_text, usage_text

_USAGE_PER_UNIT = USAGE_SCALE // 10_000
_METERS = text(
    """
    SELECT meter.id, meter.house_id, meter.kind, meter.meter_no, meter.multiplier = 1,
           trim_scale(meter.multiplier)::text, meter.modulus::text,
           trim_scale(meter.opening_reading)::text, meter.opened_on,
           meter.closing_reading::text, meter.closed_on, meter.replaces_meter_id,
           reading.read_on, trim_scale(reading.reading)::text, reading.is_rollover,
           (reading.reading * 10000)::bigint, (meter.opening_reading * 10000)::bigint
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
     ORDER BY meter.house_id, meter.kind, meter.id, reading.read_on
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


class PlainMeter(NamedTuple):
    """A house's only meter of a kind, read once in the days asked for, and nothing special."""

    meter_no: str
    from_on: date
    from_reading: str
    until_on: date
    until_reading: str
    usage: int

    def as_segment(self) -> str:
        """Write it for a trace."""
        return segment_text(
            json.dumps(self.meter_no, ensure_ascii=False),
            self.from_on,
            self.from_reading,
            self.until_on,
            self.until_reading,
            usage_text(self.usage),
        )


_Row = tuple[Any, ...]


def read_meters(
    session: Session, *, first_house_id: int, last_house_id: int, kinds: list[str], days: Span
) -> tuple[dict[int, list[Chain]], dict[tuple[int, str], PlainMeter]]:
    """Read the meters of some houses with all readings from the last one before the days on.

    Returns:
        All meters by house id, and those that are plain by house id and kind.
    """
    rows = session.execute(
        _METERS,
        {
            "first_id": first_house_id,
            "last_id": last_house_id,
            "kinds": kinds,
            "starts_on": days.starts_on,
            "ends_before": days.ends_before,
        },
    ).fetchall()
    of_house: dict[tuple[int, str], list[list[_Row]]] = {}
    last_id = 0
    for row in rows:
        if row[0] != last_id:
            last_id = row[0]
            of_house.setdefault((row[1], row[2]), []).append([row])
        else:
            of_house[row[1], row[2]][-1].append(row)
    plain = {
        key: meter
        for key, meters in of_house.items()
        if (meter := _plain(meters, days.starts_on)) is not None
    }
    return _LazyChains(of_house), plain


def _plain(meters: list[list[_Row]], starts_on: date) -> PlainMeter | None:
    """Make the plain form of a house's meters of a kind, if they have one."""
    rows = meters[0]
    if len(meters) > 1 or len(rows) > 2:
        return None
    row = rows[-1]
    _, _, _, meter_no, is_single, _, _, opening, opened_on, _, closed_on, replaces = row[:12]
    read_on, reading, is_rollover, units, opening_units = row[12:]
    if not is_single or closed_on or replaces or is_rollover or not read_on or read_on < starts_on:
        return None
    if len(rows) == 2:
        first = rows[0]
        if first[12] <= opened_on or first[12] >= starts_on:
            return None
        opened_on, opening, opening_units = first[12], first[13], first[15]
    if units < opening_units or read_on <= opened_on:
        return None
    usage = (units - opening_units) * _USAGE_PER_UNIT
    return PlainMeter(meter_no, opened_on, opening, read_on, reading, usage)


class _LazyChains(dict[int, list[Chain]]):
    """The meters of houses, made from their rows when somebody asks for a house."""

    def __init__(self, rows: dict[tuple[int, str], list[list[_Row]]]) -> None:
        super().__init__()
        self._rows: dict[int, list[list[_Row]]] = {}
        for (house_id, _), meters in rows.items():
            self._rows.setdefault(house_id, []).extend(meters)

    def __missing__(self, house_id: int) -> list[Chain]:
        meters = [_meter(rows) for rows in self._rows.get(house_id, ())]
        chains = self[house_id] = _link(meters)
        return chains


def _link(meters: list[MeterFacts]) -> list[Chain]:
    """Put meters that replaced each other into one chain, oldest first."""
    chains: list[Chain] = []
    chain_of: dict[int, Chain] = {}
    for meter in meters:
        chain = chain_of.get(meter.replaces_meter_id or 0)
        if chain is None:
            chain = []
            chains.append(chain)
        chain.append(meter)
        chain_of[meter.id] = chain
    return chains


def _meter(rows: list[_Row]) -> MeterFacts:
    id_, house_id, kind, meter_no, _, multiplier, modulus, opening, opened_on = rows[0][:9]
    closing_reading, closed_on, replaces = rows[0][9:12]
    meter = MeterFacts(
        id=id_,
        house_id=house_id,
        kind=kind,
        meter_no=meter_no,
        multiplier=Decimal(multiplier),
        modulus=None if modulus is None else Decimal(modulus),
        opening=Reading(opened_on, Decimal(opening)),
        closing=None if closed_on is None else Reading(closed_on, Decimal(closing_reading)),
        replaces_meter_id=replaces,
        readings=[Reading(opened_on, Decimal(opening))],
    )
    for row in rows:
        _add_reading(meter, *row[12:15])
    if meter.closing is not None:
        meter.readings = [one for one in meter.readings if one.read_on < meter.closing.read_on]
        meter.readings.append(meter.closing)
    return meter


def _add_reading(
    meter: MeterFacts, read_on: date | None, reading: str | None, is_rollover: bool | None
) -> None:
    """Add a live reading that lies between the opening and the closing one."""
    if read_on is None or read_on <= meter.opening.read_on:
        return
    if meter.closing is not None and read_on >= meter.closing.read_on:
        if read_on == meter.closing.read_on:
            meter.closing = meter.closing._replace(is_rollover=bool(is_rollover))
        return
    meter.readings.append(Reading(read_on, Decimal(reading or 0), bool(is_rollover)))


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
        if (readings := meter.between(period)) and not _is_just_opened(chain, meter, period)
    ]
    if not segments:
        raise ReadingMissing(f"没有登记{KIND_SHOWN[kind]}表")
    return segments


def _is_just_opened(chain: Chain, meter: MeterFacts, period: Span) -> bool:
    """Tell whether a meter took another's place in the period and was not read since.

    What it counted by then is billed with the next period, from its opening reading on.
    """
    return (
        meter is not chain[0]
        and len(meter.between(period)) == 1
        and meter.opening.read_on >= period.starts_on
    )


def stood(chain: Chain, days: Span) -> bool:
    """Tell whether a meter or what replaced it was in place on any of some days."""
    return any(meter.between(days) for meter in chain)


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
