"""Readings by hand and by API: entered, and corrected with a trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from sqlalchemy import insert, select, update

from domain.actors import Actor, Permission
from domain.cells import BadCell
from domain.errors import InvalidInput, NotFound
from domain.meters import Reading
from domain.periods import local_date
from domain.sheets import required
from models import Community, Meter, MeterReading
from services.audit import record
from services.meters.judging import (
    Judgement,
    NewReading,
    ReadingProblem,
    UsageWarning,
    judge,
    reader_id,
    tidy,
    warn_of_usage,
    write_readings,
)
from services.meters.timelines import KnownMeter, ReadingBilled, load_meters, since_for
from services.scopes import must_see
from services.unit_of_work import Transaction, UnitOfWork

Source = Literal["manual", "api"]
_REASON_LIMIT = 200


@dataclass(frozen=True, slots=True)
class EnteredReadings:
    """What became of readings: every one is taken, was there already, or is a problem."""

    taken: int
    unchanged: int
    warnings: tuple[UsageWarning, ...]
    problems: tuple[ReadingProblem, ...]


@dataclass(frozen=True, slots=True)
class Correction:
    """What a corrected reading was before, and whether the new one is worth a look; or empty."""

    before: Decimal
    warning: str


@dataclass(frozen=True)
class MeterReadings:
    """What was read off meters."""

    unit_of_work: UnitOfWork

    def enter(
        self, *, actor: Actor, community_id: int, readings: Sequence[NewReading], source: Source
    ) -> EnteredReadings:
        """Take the readings that can be taken and tell of each other one why not.

        The same reading again changes nothing, so the whole list may be sent twice. A reading
        before the end of what its house was billed for its kind is refused: the bill is adjusted.
        The meters are locked, so two that enter at once see each other's readings.

        Raises:
            NotFound: no such community.
        """
        actor.must(Permission.READ_METERS)
        actor.must_cover(community_id)
        rows, found = tidy(enumerate(readings, start=1))

        def work(tx: Transaction) -> Judgement:
            if tx.session.get(Community, community_id) is None:
                raise NotFound
            judgement = Judgement()
            if rows:
                meters = load_meters(
                    tx.session,
                    (Meter.community_id == community_id)
                    & Meter.meter_no.in_({new.meter_no for _, new in rows}),
                    since=since_for([new.read_on for _, new in rows]),
                    locks=True,
                )
                judgement = judge(
                    {meter.meter_no: meter for meter in meters}, rows, today=local_date(tx.now)
                )
                write_readings(tx, actor, judgement.taken, source=source)
            if judgement.taken:
                record(
                    tx,
                    actor,
                    "readings_entered",
                    subject_type="community",
                    subject_id=community_id,
                    community_id=community_id,
                    facts={
                        "source": source,
                        "taken": len(judgement.taken),
                        "unchanged": judgement.unchanged,
                        "warnings": len(judgement.warnings),
                        "problems": len(judgement.problems) + len(found.problems),
                    },
                )
            return judgement

        judgement = self.unit_of_work.run(work)
        problems = sorted((*found.problems, *judgement.problems), key=lambda one: one.row)
        return EnteredReadings(
            taken=len(judgement.taken),
            unchanged=judgement.unchanged,
            warnings=tuple(judgement.warnings),
            problems=tuple(problems),
        )

    def correct(
        self,
        *,
        actor: Actor,
        meter_id: int,
        read_on: date,
        reading: Decimal,
        reason: str,
        is_rollover: bool | None = None,
    ) -> Correction:
        """Put a reading in the place of a wrong one, which stays on file with the reason.

        An opening or closing reading is corrected by its day. ``is_rollover`` None keeps what was
        declared. The reading after it must still be possible. Bills under review are made anew
        from the corrected reading.

        Raises:
            NotFound: no such meter, or it has no reading of this day.
            InvalidInput: the reason is missing, or the reading cannot be; ``fields`` says why.
            ReadingBilled: the house was billed up to a later day.
        """
        actor.must(Permission.MANAGE_METERS)
        reason = check_reason(reason)

        def work(tx: Transaction) -> Correction:
            meter = load_one(tx, meter_id, since=since_for([read_on]))
            must_see(tx.session, actor, community_id=meter.community_id, house_id=meter.house_id)
            before = meter.on(read_on)
            if before is None:
                raise NotFound(f"该表在 {read_on} 没有读数")
            declared = before.is_rollover if is_rollover is None else is_rollover
            after = Reading(read_on, reading, declared)
            _check_correction(meter, before, after, today=local_date(tx.now))
            _supersede(tx, actor, meter, after, reason)
            record(
                tx,
                actor,
                "reading_corrected",
                subject_type="meter",
                subject_id=meter.id,
                community_id=meter.community_id,
                facts={
                    "meter_no": meter.meter_no,
                    "read_on": read_on.isoformat(),
                    "before": f"{before.reading:f}",
                    "after": f"{reading:f}",
                    "reason": reason,
                },
            )
            return Correction(before.reading, warn_of_usage(meter, read_on))

        return self.unit_of_work.run(work)


def load_one(tx: Transaction, meter_id: int, *, since: date | None) -> KnownMeter:
    """Lock one meter and read what is on file of it.

    Raises:
        NotFound: no such meter.
    """
    found = load_meters(tx.session, Meter.id == meter_id, since=since, locks=True)
    if not found:
        raise NotFound
    return found[0]


def check_reason(reason: str) -> str:
    """Give the reason of a correction as it goes on record.

    Raises:
        InvalidInput: there is none, or it is too long.
    """
    try:
        return required("原因", _REASON_LIMIT)(reason)
    except BadCell as bad:
        raise InvalidInput(fields={"reason": [bad.why]}) from bad


def _check_correction(meter: KnownMeter, before: Reading, after: Reading, *, today: date) -> None:
    """Refuse a correction that changes nothing, cannot be, or comes too late; else take it."""
    if after == before:
        raise InvalidInput(fields={"reading": ["与现有读数相同"]})
    if meter.is_billed(after.read_on):
        raise ReadingBilled(meter.why_billed)
    meter.drop(after.read_on)
    if why := meter.doubt(after, today=today):
        raise InvalidInput(fields={"reading": [why]})
    meter.take(after)


def _supersede(
    tx: Transaction, actor: Actor, meter: KnownMeter, after: Reading, reason: str
) -> None:
    superseded = {"superseded_at": tx.now, "superseded_because": reason}
    new = {
        "meter_id": meter.id,
        "read_on": after.read_on,
        "source": "manual",
        "read_by_staff_id": reader_id(actor),
        "created_at": tx.now,
    }
    had_row = bool(
        tx.session.execute(
            update(MeterReading)
            .where(
                MeterReading.meter_id == meter.id,
                MeterReading.read_on == after.read_on,
                MeterReading.superseded_at.is_(None),
            )
            .values(**superseded)
            .returning(MeterReading.id)
        ).all()
    )
    if had_row:
        tx.session.execute(
            insert(MeterReading).values(**new, reading=after.reading, is_rollover=after.is_rollover)
        )
    row = tx.session.execute(select(Meter).where(Meter.id == meter.id)).scalar_one()
    for day, column in (
        (row.opened_on, "opening_reading"),
        (row.closed_on, "closing_reading"),
    ):
        if day != after.read_on:
            continue
        if not had_row:
            # The wrong value stood on the meter itself: it stays in sight among the readings.
            wrong = getattr(row, column)
            tx.session.execute(insert(MeterReading).values(**new, **superseded, reading=wrong))
            had_row = True
        setattr(row, column, after.reading)
