"""What an import of readings has to do: rows compared with the register, then written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from sqlalchemy import insert, select

from domain.actors import Actor
from domain.houses import house_label
from domain.meters import KIND_SHOWN, MeterKind, Reading
from domain.periods import local_date
from domain.reading_sheet import ReadingSheet, SheetReading
from domain.sheets import HouseKey, Problem
from models import Building, House, Meter
from services.imports.steps import Step
from services.meters.judging import Judgement, NewReading, judge, write_readings
from services.meters.timelines import FIRST_YEAR, KnownMeter, load_meters, since_for
from services.unit_of_work import Transaction

_UNREGISTERED = 0
"""The id of a meter until it is on file."""


_Blame = tuple[str, str, str]


@dataclass(slots=True)
class ChunkPlan:
    """What has to be done for some rows of a sheet; warnings name rows as Excel counts them."""

    new: list[KnownMeter] = field(default_factory=list)
    judgement: Judgement = field(default_factory=Judgement)
    problems: list[Problem] = field(default_factory=list)


def read_houses(tx: Transaction, community_id: int) -> dict[HouseKey, int]:
    """Read the ids of all houses of a community."""
    rows = tx.session.execute(
        select(Building.name, House.unit_no, House.room_no, House.id)
        .join(Building, Building.id == House.building_id)
        .where(House.community_id == community_id)
    )
    return {(building, unit_no, room_no): id_ for building, unit_no, room_no, id_ in rows}


def plan_chunk(
    tx: Transaction,
    community_id: int,
    houses: Mapping[HouseKey, int],
    sheet: ReadingSheet,
    rows: Sequence[SheetReading],
    *,
    locks: bool,
    may_register: bool,
) -> ChunkPlan:
    """Compare rows with what is on file; all rows of a meter, and of a house, come together.

    A meter that nobody knows is new on its house, and its first reading is its opening reading:
    never a usage. Not so where the house has another meter of the kind: then the number is more
    likely misspelt, or the meter was replaced and nobody said so.
    """
    plan = ChunkPlan()
    known = {
        meter.meter_no: meter
        for meter in load_meters(
            tx.session,
            (Meter.community_id == community_id)
            & Meter.meter_no.in_({row.meter_no for row in rows}),
            since=since_for([row.read_on for row in rows]),
            locks=locks,
        )
    }
    in_use = _in_use(tx, community_id, houses, rows)
    finder = _Finder(community_id, houses, in_use, may_register, local_date(tx.now))
    fit = []
    for row in sorted(rows, key=lambda one: (one.read_on, one.row)):
        meter = known.get(row.meter_no)
        if meter is None:
            placed = finder.place(row)
            if isinstance(placed, KnownMeter):
                known[row.meter_no] = placed
                plan.new.append(placed)
            else:
                plan.problems.append(sheet.blame(row, *placed))
        elif blame := finder.doubt(row, meter):
            plan.problems.append(sheet.blame(row, *blame))
        else:
            fit.append(row)
    plan.judgement = judge(
        known, [(row.row, _as_new(row)) for row in fit], today=local_date(tx.now)
    )
    by_row = {row.row: row for row in fit}
    for problem in plan.judgement.problems:
        plan.problems.append(sheet.blame(by_row[problem.row], *_blame_reading(problem.why)))
    return plan


def write_chunk(tx: Transaction, actor: Actor, plan: ChunkPlan, step: Step) -> None:
    """Put the chunk's new meters on file, then the readings."""
    if plan.new:
        ids = tx.session.scalars(
            insert(Meter).returning(Meter.id, sort_by_parameter_order=True),
            [
                {
                    "community_id": meter.community_id,
                    "house_id": meter.house_id,
                    "meter_no": meter.meter_no,
                    "kind": meter.kind,
                    "opening_reading": meter.readings[0].reading,
                    "opened_on": meter.opened_on,
                    "created_at": tx.now,
                }
                for meter in plan.new
            ],
        ).all()
        for meter, meter_id in zip(plan.new, ids, strict=True):
            meter.id = meter_id
        step.made["meter"] += ids
    step.made["meter_reading"] += write_readings(tx, actor, plan.judgement.taken, source="excel")


@dataclass(frozen=True, slots=True)
class _Finder:
    """Tells of a row whether its meter can be the one that it names."""

    community_id: int
    houses: Mapping[HouseKey, int]
    in_use: Mapping[tuple[int, MeterKind], str]
    may_register: bool
    today: date

    def doubt(self, row: SheetReading, meter: KnownMeter) -> _Blame | None:
        """Say why a meter on file cannot be that of the row: column, reason, suggestion."""
        if row.house and self.houses.get(row.house) != meter.house_id:
            where = next(
                (house_label(*key) for key, id_ in self.houses.items() if id_ == meter.house_id),
                "公共表",
            )
            return "room_no", f"表 {meter.meter_no} 在档案中属于{where}", "请核对房号与表号"
        if row.kind and row.kind is not meter.kind:
            shown = KIND_SHOWN[meter.kind]
            return "kind", f"表 {meter.meter_no} 在档案中是{shown}表", "请核对表类型与表号"
        return None

    def place(self, row: SheetReading) -> KnownMeter | _Blame:
        """Make a new meter that opens with the row's reading, or say why it cannot be."""
        if row.house is None or not self.may_register:
            return "meter_no", "没有这只表", "请核对表号，或先登记这只表"
        house_id = self.houses.get(row.house)
        if house_id is None:
            return "room_no", f"档案中没有{house_label(*row.house)}", "请核对房号，或先导入房屋"
        if row.kind is None:
            return "kind", "没有这只表，且缺少表类型", "请填写表类型，例如 冷水"
        if other := self.in_use.get((house_id, row.kind)):
            why = f"该房屋已有{KIND_SHOWN[row.kind]}表 {other}"
            return "meter_no", why, "请核对表号；换了表或加了表，请先登记"
        if row.read_on.year < FIRST_YEAR:
            return "read_on", "年份太早", "请核对日期"
        meter = KnownMeter(
            id=_UNREGISTERED,
            community_id=self.community_id,
            meter_no=row.meter_no,
            kind=row.kind,
            house_id=house_id,
            multiplier=Decimal(1),
            modulus=None,
            opened_on=row.read_on,
            closed_on=None,
            readings=[],
        )
        opening = Reading(row.read_on, row.reading, row.is_rollover)
        if why := meter.doubt(opening, today=self.today):
            return _blame_reading(why)
        meter.take(opening)
        return meter


def _in_use(
    tx: Transaction,
    community_id: int,
    houses: Mapping[HouseKey, int],
    rows: Sequence[SheetReading],
) -> dict[tuple[int, MeterKind], str]:
    """Tell which meter of each kind the rows' houses have."""
    house_ids = {houses[row.house] for row in rows if row.house and row.house in houses}
    found = tx.session.execute(
        select(Meter.house_id, Meter.kind, Meter.meter_no)
        .where(
            Meter.community_id == community_id,
            Meter.house_id.in_(house_ids),
            Meter.closed_on.is_(None),
        )
        .order_by(Meter.id.desc())
    )
    return {(house_id, MeterKind(kind)): no for house_id, kind, no in found if house_id}


def _blame_reading(why: str) -> _Blame:
    """Tell beside which cell it stands why a reading cannot be taken."""
    column = "read_on" if why.startswith("抄表日期") else "reading"
    return column, why, "请核对读数与抄表日期"


def _as_new(row: SheetReading) -> NewReading:
    return NewReading(row.meter_no, row.read_on, row.reading, row.is_rollover, row.note)
