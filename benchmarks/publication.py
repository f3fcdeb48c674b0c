"""P2: publishing a month beside writing its bills and messages as they are into twin tables."""

from __future__ import annotations

import json
import time

from benchmarks.estate import ITEMS, fill
from benchmarks.figures import Figure
from benchmarks.world import make_world

ROUNDS = 3
_MADE = (
    "bill",
    "bill_line",
    "floor_bill",
    "floor_outbox_message",
    "outbox_message",
    "bill_batch",
    "bill_batch_item",
    "number_series",
    "audit_entry",
    "collection_change",
)


def measure(*, large: bool) -> list[Figure]:
    """Measure publication with a message per house, at 10,000, 100,000 and maybe more houses."""
    return [_measure_size(houses) for houses in (10_000, 100_000, *([1_000_000] if large else []))]


def _measure_size(houses: int) -> Figure:
    ours: list[float] = []
    floor: list[float] = []
    with make_world() as world:
        fill(world, houses)
        world.make_twins("bill", "outbox_message")
        world.plain_twin("bill", "is_live")
        world.plain_twin("outbox_message", "lane")
        for _ in range(ROUNDS):
            told = world.run("benchmarks.publication")
            if told["bills"] != houses * ITEMS or told["messages"] != houses:
                raise RuntimeError(f"published {told}")
            rows = told["bills"] + told["messages"]
            ours.append(rows / told["seconds"])
            seconds = world.time(
                "INSERT INTO floor_bill SELECT * FROM bill",
                "INSERT INTO floor_outbox_message SELECT * FROM outbox_message",
            )
            floor.append(rows / seconds)
            world.empty(*_MADE)
    return Figure(
        "P2",
        "publication with its messages",
        ours,
        floor,
        "rows/s",
        0.50,
        f"{houses * ITEMS:,} bills and {houses:,} messages, PostgreSQL 18 with fsync",
    )


def _run() -> None:
    """Generate, review and approve a batch, then publish it and print the seconds as JSON."""
    from datetime import date

    from domain.actors import EVERYWHERE, Role, staff_actor
    from services import assembly
    from wsgi import create_app

    found = assembly.of(create_app())
    maker = staff_actor(staff_id=1, name="基准", role=Role.FINANCE, scope=EVERYWHERE)
    manager = staff_actor(staff_id=2, name="经理", role=Role.MANAGER, scope=EVERYWHERE)
    batch_id = found.batches.draft(actor=maker, community_id=1, month=date(2026, 10, 1))
    found.generation.generate(actor=maker, batch_id=batch_id)
    findings = found.bill_findings.list_findings(actor=manager, batch_id=batch_id)
    for one in findings:
        found.bill_findings.tick(
            actor=manager,
            batch_id=batch_id,
            kind=one.kind,
            fee_item_id=one.fee_item_id,
            row_count=one.row_count,
        )
    found.batches.approve(actor=manager, batch_id=batch_id)
    began = time.perf_counter()
    published = found.publication.publish(actor=manager, batch_id=batch_id)
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - began,
                "bills": published.bill_count,
                "messages": published.message_count,
            }
        )
    )


if __name__ == "__main__":
    _run()
