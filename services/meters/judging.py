"""Which of many readings can be taken, which are there already, and which are worth a look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from sqlalchemy import insert

from domain.actors import Actor, ActorKind
from domain.cells import BadCell, read_text
from domain.meters import UNIT_SHOWN, Reading
from domain.reading_sheet import NOTE_LIMIT, tidy_meter_no
from domain.usages import find_unusual
from models import MeterReading
from services.meters.timelines import KnownMeter
from services.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class NewReading:
    """What somebody read off a meter, at the end of a local day."""

    meter_no: str
    read_on: date
    reading: Decimal
    is_rollover: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReadingProblem:
    """A reading that was left out; ``row`` counts from 1 as the readings were given."""

    row: int
    meter_no: str
    why: str


@dataclass(frozen=True, slots=True)
class UsageWarning:
    """A reading that was taken and is worth a look: far more than usual."""

    row: int
    meter_no: str
    read_on: date
    why: str


@dataclass(slots=True)
class Judgement:
    """What becomes of readings: what is new, by row, and how many were there already."""

    taken: list[tuple[KnownMeter, NewReading]] = field(default_factory=list)
    unchanged: int = 0
    warnings: list[UsageWarning] = field(default_factory=list)
    problems: list[ReadingProblem] = field(default_factory=list)


def judge(
    meters: Mapping[str, KnownMeter], rows: Iterable[tuple[int, NewReading]], *, today: date
) -> Judgement:
    """Judge numbered readings, each meter's in the order of days, whatever the order of rows.

    What can be taken joins its meter's readings at once, so that the next is judged by it.
    """
    judgement = Judgement()
    for row, new in sorted(rows, key=lambda numbered: (numbered[1].read_on, numbered[0])):
        meter = meters.get(new.meter_no)
        why = "没有这只表" if meter is None else _refuse(meter, new, today)
        if why or meter is None:
            judgement.problems.append(ReadingProblem(row, new.meter_no, why))
            continue
        if meter.on(new.read_on) is not None:
            judgement.unchanged += 1
            continue
        meter.take(_as_read(new))
        judgement.taken.append((meter, new))
        if warning := warn_of_usage(meter, new.read_on):
            judgement.warnings.append(UsageWarning(row, new.meter_no, new.read_on, warning))
    judgement.warnings.sort(key=lambda one: one.row)
    judgement.problems.sort(key=lambda one: one.row)
    return judgement


def tidy(rows: Iterable[tuple[int, NewReading]]) -> tuple[list[tuple[int, NewReading]], Judgement]:
    """Write meter numbers and notes the way they are on file; what cannot be is a problem."""
    tidied, judgement = [], Judgement()
    for row, new in rows:
        try:
            meter_no = tidy_meter_no(new.meter_no)
            note = read_text(new.note, limit=NOTE_LIMIT)
        except BadCell as bad:
            judgement.problems.append(ReadingProblem(row, new.meter_no, bad.why))
            continue
        tidied.append((row, NewReading(meter_no, new.read_on, new.reading, new.is_rollover, note)))
    return tidied, judgement


def warn_of_usage(meter: KnownMeter, read_on: date) -> str:
    """Say in Chinese that the month up to a reading used far more than usual; empty when not."""
    unusual = find_unusual(meter.span(upto=read_on))
    if unusual is None:
        return ""
    unit = UNIT_SHOWN[meter.kind]
    used, usual = f"{unusual.usage:f} {unit}", f"{unusual.usual:f} {unit}"
    return f"{read_on:%Y-%m} 用量 {used}，超过此前月平均 {usual}的 3 倍"


def write_readings(
    tx: Transaction, actor: Actor, taken: Sequence[tuple[KnownMeter, NewReading]], *, source: str
) -> Sequence[int]:
    """Put readings on file that were judged in the same transaction; tell their ids."""
    if not taken:
        return ()
    return tx.session.scalars(
        insert(MeterReading).returning(MeterReading.id),
        [
            {
                "meter_id": meter.id,
                "read_on": new.read_on,
                "reading": new.reading,
                "is_rollover": new.is_rollover,
                "source": source,
                "read_by_staff_id": reader_id(actor),
                "note": new.note,
                "created_at": tx.now,
            }
            for meter, new in taken
        ],
    ).all()


def reader_id(actor: Actor) -> int | None:
    """Tell which member of staff stands behind a reading, if one does."""
    return actor.id if actor.kind is ActorKind.STAFF else None


def _refuse(meter: KnownMeter, new: NewReading, today: date) -> str:
    known = meter.on(new.read_on)
    if known is not None:
        is_same = (known.reading, known.is_rollover) == (new.reading, new.is_rollover)
        return "" if is_same else f"该表在 {new.read_on} 已有读数 {known.reading:f}，请用更正"
    doubt = meter.doubt(_as_read(new), today=today)
    if not doubt and meter.is_billed(new.read_on):
        return meter.why_billed
    return doubt


def _as_read(new: NewReading) -> Reading:
    return Reading(new.read_on, new.reading, new.is_rollover)
