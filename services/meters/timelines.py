"""What is on file of meters: their readings in order of days, and up to when they were billed."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session, aliased

from domain.bill_states import LIVE_BILLS, BatchState, BillState
from domain.errors import Conflict
from domain.meters import KIND_SHOWN, MeterKind, MeterSpan, Reading, check_reading
from domain.periods import add_months
from domain.usages import USUAL_MONTHS, trim
from models import Bill, BillBatch, FeeItem, Meter, MeterReading
from services.bills.freshness import hold_reviews

BILLED = LIVE_BILLS - {BillState.PENDING_REVIEW}
"""A bill in these states has told its owner what the readings said. One that is approved is about
to; others are made anew."""
FIRST_YEAR = 1949
"""No meter is older."""


class ReadingBilled(Conflict):
    """The house was billed up to a day after the reading: what was billed is adjusted, not redone.

    Source: domain.md D2, "never regenerate a published bill", and what went wrong 25.
    """

    code = "reading_billed"
    message = "该月费用已出账，请用账单调整更正"


class MeterClosed(Conflict):
    """The meter was taken out of use."""

    code = "meter_closed"
    message = "该表已停用"


@dataclass(slots=True)
class KnownMeter:
    """A meter and its live readings, oldest first, one a day, as far as they were asked for.

    Opening and closing reading are among them. ``billed_until`` is the end of the last published
    period of its house for its kind.
    """

    id: int
    community_id: int
    meter_no: str
    kind: MeterKind
    house_id: int | None
    multiplier: Decimal
    modulus: Decimal | None
    opened_on: date
    closed_on: date | None
    readings: list[Reading]
    billed_until: date | None = None

    def on(self, day: date) -> Reading | None:
        """Tell what the meter showed on a day."""
        index = self._index(day)
        found = self.readings[index] if index < len(self.readings) else None
        return found if found is not None and found.read_on == day else None

    def after(self, day: date) -> Reading | None:
        """Tell the next reading after a day."""
        return next((one for one in self.readings[self._index(day) :] if one.read_on > day), None)

    def doubt(self, new: Reading, *, today: date) -> str:
        """Say in Chinese why a reading of a day without one cannot be taken; empty when it can."""
        index = self._index(new.read_on)
        return check_reading(
            reading=new.reading,
            read_on=new.read_on,
            before=self.readings[index - 1] if index else None,
            after=self.readings[index] if index < len(self.readings) else None,
            is_rollover=new.is_rollover,
            modulus=self.modulus,
            opened_on=self.opened_on,
            closed_on=self.closed_on,
            today=today,
        )

    def is_billed(self, day: date) -> bool:
        """Tell whether a reading of this day is part of what was billed."""
        return self.billed_until is not None and day < self.billed_until

    @property
    def why_billed(self) -> str:
        """Say in Chinese that it is."""
        return f"该月{KIND_SHOWN[self.kind]}费已出账，请用账单调整更正"

    def take(self, new: Reading) -> None:
        """Add a reading where it belongs."""
        insort(self.readings, new, key=lambda one: one.read_on)

    def drop(self, day: date) -> None:
        """Take the reading of a day out."""
        self.readings = [one for one in self.readings if one.read_on != day]

    def span(self, upto: date | None = None) -> MeterSpan:
        """Give the readings, up to a day if one is named, for measuring."""
        taken = tuple(one for one in self.readings if upto is None or one.read_on <= upto)
        return MeterSpan(self.meter_no, self.multiplier, self.modulus, taken)

    def _index(self, day: date) -> int:
        return bisect_left(self.readings, day, key=lambda one: one.read_on)


def load_meters(
    session: Session, which: ColumnElement[bool], *, since: date | None, locks: bool
) -> list[KnownMeter]:
    """Read meters with their readings from a day on and the last one before it; None is all.

    With ``locks`` the meters are locked, by id, so that what is read stays true to the end of the
    transaction. Four statements, however many meters.
    """
    chosen = select(Meter).where(which).order_by(Meter.id)
    if locks:
        hold_reviews(
            session, session.scalars(select(Meter.community_id).where(which).distinct()).all()
        )
        chosen = chosen.with_for_update(key_share=True)
    meters = [_known(row) for row in session.scalars(chosen)]
    by_id = {meter.id: meter for meter in meters}
    for row in session.execute(_readings_of(list(by_id), since)):
        by_id[row.meter_id].take(Reading(row.read_on, trim(row.reading), row.is_rollover))
    for meter in meters:
        # A reading may stand on the opening or closing day itself: one is enough.
        meter.readings = list({one.read_on: one for one in meter.readings}.values())
    _tell_billed(session, meters)
    return meters


def since_for(days: Sequence[date]) -> date:
    """Tell from when on readings are needed to judge readings of these days."""
    first = min(days).replace(day=1)
    if first.year < FIRST_YEAR:
        # Counting back from the year 1 would leave the calendar, and nothing is on file there.
        return first
    return add_months(first, -(USUAL_MONTHS + 1))


def _known(row: Meter) -> KnownMeter:
    readings = [Reading(row.opened_on, trim(row.opening_reading))]
    if row.closed_on is not None and row.closing_reading is not None:
        readings.append(Reading(row.closed_on, trim(row.closing_reading)))
    return KnownMeter(
        id=row.id,
        community_id=row.community_id,
        meter_no=row.meter_no,
        kind=MeterKind(row.kind),
        house_id=row.house_id,
        multiplier=row.multiplier,
        modulus=row.modulus,
        opened_on=row.opened_on,
        closed_on=row.closed_on,
        readings=readings,
    )


def _readings_of(meter_ids: list[int], since: date | None) -> Select[int, date, Decimal, bool]:
    asked = select(
        MeterReading.meter_id, MeterReading.read_on, MeterReading.reading, MeterReading.is_rollover
    ).where(MeterReading.meter_id.in_(meter_ids), MeterReading.superseded_at.is_(None))
    if since is None:
        return asked
    earlier = aliased(MeterReading)
    newest_before = (
        select(func.max(earlier.read_on))
        .where(
            earlier.meter_id == MeterReading.meter_id,
            earlier.superseded_at.is_(None),
            earlier.read_on < since,
        )
        .scalar_subquery()
    )
    return asked.where(or_(MeterReading.read_on >= since, MeterReading.read_on == newest_before))


def _tell_billed(session: Session, meters: Sequence[KnownMeter]) -> None:
    house_ids = {meter.house_id for meter in meters if meter.house_id is not None}
    if not house_ids:
        return
    until: dict[tuple[int | None, str | None], date] = {
        (house_id, kind): day
        for house_id, kind, day in session.execute(
            select(Bill.house_id, FeeItem.meter_kind, func.max(Bill.period_until))
            .join(FeeItem, FeeItem.id == Bill.fee_item_id)
            .join(BillBatch, BillBatch.id == Bill.batch_id)
            .where(
                Bill.house_id.in_(house_ids),
                Bill.is_live,
                Bill.state.in_(BILLED)
                | (
                    (Bill.state == BillState.PENDING_REVIEW)
                    & (BillBatch.state == BatchState.APPROVED)
                ),
                FeeItem.meter_kind.is_not(None),
            )
            .group_by(Bill.house_id, FeeItem.meter_kind)
        )
    }
    for meter in meters:
        meter.billed_until = until.get((meter.house_id, meter.kind))
