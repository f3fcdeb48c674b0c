"""The bill run beside ``INSERT … SELECT`` of rows of the same width, into tables built the same.

The floor copies the very rows that the run made, bills and lines, into twin tables with the same
columns, checks, keys and indexes: everything the engine must do, with nothing of ours in the way.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
import requests

from benchmarks.figures import Figure
from localstack.engine import Engine
from localstack.engines import start_postgres

ROUNDS = 3
ITEMS = 3
MEMORY_MIB = 200
_SETTINGS = {
    "ANJU_ENV": "development",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "SECRET_KEY": "only-for-the-benchmark",
    "PUBLIC_BASE_URL": "http://127.0.0.1",
    "TRUSTED_HOSTS": "127.0.0.1",
}

_FILL = """
INSERT INTO community (id, code, name, created_at) VALUES (1, 'BENCH', '基准小区', now());
INSERT INTO building (id, community_id, name)
SELECT n, 1, n || '栋' FROM generate_series(1, 1000) n;
INSERT INTO house (community_id, building_id, unit_no, room_no, building_area, billing_area,
                   fee_coefficient, handover_date)
SELECT 1, n % 1000 + 1, '1', n::text, 50 + n % 10000 / 100.0, 50 + n % 10000 / 100.0, 1,
       '2020-01-01'
  FROM generate_series(1, {houses}) n;
INSERT INTO staff (id, login_name, name, role, created_at)
VALUES (1, 'bench', '基准', 'finance', now());
INSERT INTO fee_item (id, community_id, code, name, charge_method, starts_on, created_at)
VALUES (1, 1, 'WY', '物业费', 'area', '2020-01-01', now()),
       (2, 1, 'LJ', '垃圾清运费', 'fixed', '2020-01-01', now());
INSERT INTO fee_item (id, community_id, code, name, charge_method, starts_on, created_at,
                      meter_kind)
VALUES (3, 1, 'SF', '水费', 'meter', '2020-01-01', now(), 'cold_water');
INSERT INTO fee_standard (fee_item_id, unit_price, tiers, priced_from)
VALUES (1, 2.35, NULL, '2020-01-01'), (2, 12, NULL, '2020-01-01'),
       (3, NULL, '[["12", "3"], ["25", "4.45"], [null, "6.9"]]', '2020-01-01');
INSERT INTO meter (community_id, house_id, meter_no, kind, opening_reading, opened_on, created_at)
SELECT 1, id, 'W' || id, 'cold_water', id % 900, '2026-08-31', now() FROM house;
INSERT INTO meter_reading (meter_id, read_on, reading, source, created_at)
SELECT meter.id, day, opening_reading + (day - date '2026-08-31') * (meter.id % 127) / 100.0,
       'excel', now()
  FROM meter, unnest(ARRAY[date '2026-09-30', date '2026-10-31']) day;
ANALYZE;
"""


def measure(*, houses: int) -> list[Figure]:
    """Measure rate and memory of the run for ``houses`` × 2 items, three rounds in turn."""
    ours: list[float] = []
    floor: list[float] = []
    memory: list[float] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        start_postgres(Path(folder) / "postgres") as engine,
    ):
        _prepare(engine, houses)
        for _ in range(ROUNDS):
            told = _run_in_process(engine)
            ours.append(houses * ITEMS / told["seconds"])
            memory.append(told["peak_mib"])
            floor.append(_run_floor(engine, houses * ITEMS))
    conditions = f"{houses:,} houses × {ITEMS} items, PostgreSQL 18 with fsync, {ROUNDS} rounds"
    return [
        Figure("P1", "bill run, bills/s", ours, floor, "bills/s", 0.40, conditions),
        Figure(
            "P1m",
            "bill run, peak memory of the process",
            memory,
            [MEMORY_MIB] * ROUNDS,
            "MiB",
            1.0,
            "against the limit; " + conditions,
            is_most=True,
        ),
    ]


def _environment(engine: Engine) -> dict[str, str]:
    # The run calls no platform, but the app wants to know them all; a throw-away simulator tells.
    words = [sys.executable, "-m", "simulator", "--port", "0", "--backend", "http://127.0.0.1:9"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise RuntimeError("the simulator says nothing")
        url = json.loads(process.stdout.readline())["url"]
        credentials: dict[str, str] = requests.get(f"{url}/_sim/credentials", timeout=10).json()
        process.terminate()
        process.stdout.read()
    return dict(os.environ) | credentials | _SETTINGS | {"DATABASE_URL": engine.url}


def _prepare(engine: Engine, houses: int) -> None:
    environment = _environment(engine)
    subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"],
        env=environment,
        check=True,
    )
    os.environ.update(environment)
    with _connect(engine) as connection:
        connection.execute(_FILL.format(houses=houses))
        for table in ("bill", "bill_line"):
            connection.execute(f"CREATE TABLE floor_{table} (LIKE {table} INCLUDING ALL)")


def _run_in_process(engine: Engine) -> dict[str, Any]:
    """Run one batch in a process of its own, so that its peak memory is its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bill_run"],
        env=dict(os.environ) | {"DATABASE_URL": engine.url},
        check=True,
        capture_output=True,
        text=True,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _run_floor(engine: Engine, bills: int) -> float:
    """Copy the rows just made, tell bills per second, and empty both sides for the next round."""
    with _connect(engine) as connection:
        connection.execute("CHECKPOINT")
        began = time.perf_counter()
        connection.execute("INSERT INTO floor_bill SELECT * FROM bill")
        connection.execute("INSERT INTO floor_bill_line SELECT * FROM bill_line")
        seconds = time.perf_counter() - began
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "TRUNCATE floor_bill, floor_bill_line, bill, bill_line, bill_batch, bill_batch_item,"
            " number_series, audit_entry CASCADE"
        )
        connection.execute("CHECKPOINT")
    return bills / seconds


def _connect(engine: Engine) -> psycopg.Connection[Any]:
    return psycopg.connect(engine.url.replace("+psycopg", "", 1), autocommit=True)


def _run_once() -> None:
    """Generate one batch and print seconds and peak memory as JSON."""
    from datetime import date

    from domain.actors import Role, staff_actor
    from services import assembly
    from wsgi import create_app

    found = assembly.of(create_app())
    actor = staff_actor(staff_id=1, name="基准", role=Role.FINANCE)
    batch_id = found.batches.draft(actor=actor, community_id=1, month=date(2026, 10, 1))
    began = time.perf_counter()
    made = found.generation.generate(actor=actor, batch_id=batch_id)
    seconds = time.perf_counter() - began
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "bills": made, "peak_mib": peak_mib}))


if __name__ == "__main__":
    _run_once()
