"""P1: the bill run beside ``INSERT … SELECT`` of the same rows into tables built the same.

The floor copies the very rows that the run made, bills and lines, into twin tables with the same
columns, checks, keys and indexes: everything the engine must do, with nothing of ours in the way.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.estate import ITEMS, fill
from benchmarks.figures import Figure
from benchmarks.world import World, make_world

ROUNDS = 3
ORM_HOUSES = 3_000
MEMORY_GROWTH_MIB = 20
_MADE = (
    "bill",
    "bill_line",
    "floor_bill",
    "floor_bill_line",
    "bill_batch",
    "bill_batch_item",
    "number_series",
    "audit_entry",
)


@dataclass
class _Seen:
    """What the rounds of one size told."""

    houses: int
    ours: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)
    second_s: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    @property
    def conditions(self) -> str:
        return f"{self.houses:,} houses × {ITEMS} items, PostgreSQL 18 with fsync"


def measure(*, large: bool) -> list[Figure]:
    """Measure the run at 10,000, 100,000 and, when large, 1,000,000 houses."""
    sizes = [10_000, 100_000, *([1_000_000] if large else [])]
    seen = [_measure_size(houses) for houses in sizes]
    figures = [
        Figure("P1", "bill run", one.ours, one.floor, "bills/s", 0.60, one.conditions)
        for one in seen
    ]
    small, middle, largest = seen[0], seen[1], seen[-1]
    figures += [
        Figure(
            "P1a",
            "a second run that finds nothing to do, beside the first",
            middle.second_s,
            middle.first_s,
            "s",
            1.0,
            middle.conditions,
            is_most=True,
        ),
        Figure(
            "P1b",
            f"memory of the process, beside {small.houses:,} houses + {MEMORY_GROWTH_MIB} MiB",
            largest.memory,
            [mib + MEMORY_GROWTH_MIB for mib in small.memory],
            "MiB",
            1.0,
            largest.conditions,
            is_most=True,
        ),
        Figure(
            "P1c",
            f"time per house, beside that at {small.houses:,} houses",
            [seconds / largest.houses * 1e6 for seconds in largest.first_s],
            [seconds / small.houses * 1e6 for seconds in small.first_s],
            "µs",
            1.15,
            largest.conditions,
            is_most=True,
        ),
        _beside_orm(middle.ours),
    ]
    return figures


def _measure_size(houses: int) -> _Seen:
    seen = _Seen(houses)
    with make_world() as world:
        fill(world, houses)
        world.make_twins("bill", "bill_line")
        world.plain_twin("bill", "is_live")
        for _ in range(ROUNDS):
            told = world.run("benchmarks.bill_run", "run")
            if told["bills"] != houses * ITEMS or told["second_bills"]:
                raise RuntimeError(f"the run made {told}")
            seen.first_s.append(told["seconds"])
            seen.second_s.append(told["second_seconds"])
            seen.memory.append(told["peak_mib"])
            seen.ours.append(told["bills"] / told["seconds"])
            seconds = world.time(
                "INSERT INTO floor_bill SELECT * FROM bill",
                "INSERT INTO floor_bill_line SELECT * FROM bill_line",
            )
            seen.floor.append(told["bills"] / seconds)
            world.empty(*_MADE)
    return seen


def _beside_orm(ours: Sequence[float]) -> Figure:
    with make_world() as world:
        fill(world, ORM_HOUSES)
        rates = [_time_orm(world) for _ in range(ROUNDS)]
    return Figure(
        "P1d",
        "bill run, beside ORM add_all",
        ours,
        rates,
        "bills/s",
        25.0,
        f"ours as above, ORM at {ORM_HOUSES:,} houses × {ITEMS} items",
    )


def _time_orm(world: World) -> float:
    told = world.run("benchmarks.bill_run", "orm")
    world.empty(*(table for table in _MADE if not table.startswith("floor_")))
    return float(told["rate"])


def _run() -> None:
    """Generate a batch, and again, and print seconds and peak memory as JSON."""
    from datetime import date

    from domain.actors import EVERYWHERE, Role, staff_actor
    from services import assembly
    from wsgi import create_app

    found = assembly.of(create_app())
    actor = staff_actor(staff_id=1, name="基准", role=Role.FINANCE, scope=EVERYWHERE)
    batch_id = found.batches.draft(actor=actor, community_id=1, month=date(2026, 10, 1))
    began = time.perf_counter()
    made = found.generation.generate(actor=actor, batch_id=batch_id)
    first_s = time.perf_counter() - began
    began = time.perf_counter()
    again = found.generation.generate(actor=actor, batch_id=batch_id)
    second_s = time.perf_counter() - began
    print(
        json.dumps(
            {
                "seconds": first_s,
                "second_seconds": second_s,
                "bills": made,
                "second_bills": again,
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


def _run_orm() -> None:
    """Write as many rows the way one would not: an object each, then commit."""
    from datetime import date

    from sqlalchemy import select
    from sqlalchemy.orm import Session

    from domain.actors import EVERYWHERE, Role, staff_actor
    from models import Bill, BillLine, House
    from services import assembly
    from wsgi import create_app

    found = assembly.of(create_app())
    actor = staff_actor(staff_id=1, name="基准", role=Role.FINANCE, scope=EVERYWHERE)
    batch_id = found.batches.draft(actor=actor, community_id=1, month=date(2026, 10, 1))
    engine = found.batches.unit_of_work.engine
    with Session(engine) as session:
        house_ids = session.scalars(select(House.id)).all()
        began = time.perf_counter()
        number = 0
        bills = []
        for house_id in house_ids:
            for item_id in range(1, ITEMS + 1):
                number += 1
                bills.append(
                    Bill(
                        community_id=1,
                        batch_id=batch_id,
                        house_id=house_id,
                        fee_item_id=item_id,
                        bill_no=f"BENCH202610XX{number:06d}",
                        period_from=date(2026, 10, 1),
                        period_until=date(2026, 11, 1),
                        issue_date=date(2026, 11, 1),
                        due_date=date(2026, 12, 1),
                        state="pending_review",
                        amount_fen=21002,
                    )
                )
        session.add_all(bills)
        session.flush()
        trace = {"method": "area", "unit_price": "2.35", "months": "1", "area": "89.37"}
        session.add_all(
            BillLine(bill_id=bill.id, line_no=1, amount_fen=21002, trace=trace) for bill in bills
        )
        session.commit()
        seconds = time.perf_counter() - began
    print(json.dumps({"rate": number / seconds}))


if __name__ == "__main__":
    {"run": _run, "orm": _run_orm}[sys.argv[1]]()
