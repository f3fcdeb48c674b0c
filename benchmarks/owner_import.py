"""P7: an import of houses and owners from Excel beside what nobody can leave out.

The floor reads the same file with calamine, unchecked and in this process, and copies the very rows
that the import wrote into twin tables with the same columns, checks, keys, indexes and references.
The dry run stands beside the reading of the file as we do it: checked, and in a child of its own.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import xlsxwriter

from benchmarks.figures import Figure
from benchmarks.world import World, make_world

ROUNDS = 3
ROWS = 50_000
_HEADER = (
    *("楼栋", "单元", "楼层", "房号", "户型", "建筑面积(㎡)", "套内面积(㎡)", "房屋状态"),
    *("交付日期", "业主姓名", "手机号", "邮箱", "产权份额", "备注"),
)
_TABLES = ("building", "house", "occupancy", "owner", "owner_phone", "house_person")
_REFERENCES = (
    ("building", "community_id", "community"),
    ("house", "community_id", "community"),
    ("house", "building_id", "floor_building"),
    ("occupancy", "house_id", "floor_house"),
    ("owner", "community_id", "community"),
    ("owner_phone", "community_id", "community"),
    ("owner_phone", "owner_id", "floor_owner"),
    ("house_person", "house_id", "floor_house"),
    ("house_person", "owner_id", "floor_owner"),
)
"""What LIKE does not copy."""
_MADE = (
    *_TABLES,
    *(f"floor_{table}" for table in _TABLES),
    "import_batch",
    "import_step",
    "audit_entry",
)


@dataclass
class _Seen:
    """What the rounds told, in rows per second, seconds and MiB."""

    ours: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    check_s: list[float] = field(default_factory=list)
    read_s: list[float] = field(default_factory=list)
    again_s: list[float] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)


def measure(*, large: bool) -> list[Figure]:  # noqa: ARG001 - the figure has one size
    """Measure the import, its dry run and the same file again."""
    seen = _Seen()
    with tempfile.TemporaryDirectory() as folder, make_world() as world:
        path = Path(folder) / "owners.xlsx"
        write_owners(path, ROWS)
        with world.connect() as connection:
            connection.execute(
                "INSERT INTO community (id, code, name, created_at) VALUES (1, 'BN', '基准', now())"
            )
        world.make_twins(*_TABLES)
        with world.connect() as connection:
            for table, column, other in _REFERENCES:
                connection.execute(
                    f"ALTER TABLE floor_{table} ADD FOREIGN KEY ({column}) REFERENCES {other} (id)"
                )
        for _ in range(ROUNDS):
            _round(world, path, seen)
            world.empty(*_MADE)
    conditions = f"{ROWS:,} rows × {len(_HEADER)} columns, PostgreSQL 18 with fsync"
    return [
        Figure("P7", "owner import", seen.ours, seen.floor, "rows/s", 0.50, conditions),
        Figure(
            "P7a",
            "dry run, beside our reading of the file",
            seen.check_s,
            seen.read_s,
            "s",
            1.3,
            conditions,
            is_most=True,
        ),
        Figure(
            "P7b",
            "the same file again, beside the first time",
            seen.again_s,
            seen.first_s,
            "s",
            1.0,
            conditions,
            is_most=True,
        ),
    ]


def _round(world: World, path: Path, seen: _Seen) -> None:
    told = world.run("benchmarks.owner_import", "run", str(path))
    if told["houses"] != ROWS or told["problems"] or told["again"]:
        raise RuntimeError(f"the import told {told}")
    seen.ours.append(ROWS / told["import_s"])
    seen.first_s.append(told["import_s"])
    seen.again_s.append(told["again_s"])
    seen.check_s.append(told["check_s"])
    seen.read_s.append(told["read_s"])
    copied_s = _copy_twins(world)
    seen.floor.append(ROWS / (told["plain_read_s"] + copied_s))


def _copy_twins(world: World) -> float:
    """Copy what the import wrote through a client into the twins, and tell the seconds."""
    texts = {}
    with world.connect() as connection:
        for table in _TABLES:
            with connection.cursor().copy(f"COPY {table} TO STDOUT") as copy:
                texts[table] = b"".join(bytes(block) for block in copy)
        connection.execute("CHECKPOINT")
        began = time.perf_counter()
        for table, text in texts.items():
            with connection.cursor().copy(f"COPY floor_{table} FROM STDIN") as copy:
                copy.write(text)
        return time.perf_counter() - began


def write_owners(path: Path, rows: int) -> None:
    """Write a workbook of houses with an owner each."""
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = book.add_worksheet("房屋业主")
        sheet.write_row(0, 0, _HEADER)
        for number in range(rows):
            building, room = divmod(number, 200)
            floor, door = divmod(room % 100, 4)
            line = [f"{building + 1}栋", f"{room // 100 + 1}单元", floor + 1]
            line += [f"{floor + 1}{door + 1:02d}", "三室两厅两卫"]
            line += [round(80 + number % 400 / 7, 2), round(60 + number % 400 / 9, 2), "自住", None]
            line += [f"业主{number}", f"199{number:08d}", f"o{number}@example.com", "100%", ""]
            sheet.write_row(number + 1, 0, line)
            handed_over = datetime(2020, 1 + number % 12, 1)  # noqa: DTZ001 - a cell has no zone
            sheet.write_datetime(number + 1, 8, handed_over, day)


def _run(path: Path) -> None:
    """Read, check, import and import again; print seconds as JSON."""
    from python_calamine import load_workbook

    from domain.actors import operator
    from services import assembly
    from wsgi import create_app

    found = assembly.of(create_app())
    content, actor = path.read_bytes(), operator()
    importing = found.house_owner_import
    # A running program has its connections, and has told its statements apart, once for all.
    write_owners(path.with_name("ten.xlsx"), 10)
    ten = path.with_name("ten.xlsx").read_bytes()
    importing.check(actor=actor, community_id=1, content=ten)
    seconds = {}

    began = time.perf_counter()
    load_workbook(str(path)).get_sheet_by_name("房屋业主").to_python()
    seconds["plain_read_s"] = time.perf_counter() - began
    began = time.perf_counter()
    importing.workbooks.read(content, sheet_name="房屋业主")
    seconds["read_s"] = time.perf_counter() - began
    began = time.perf_counter()
    importing.check(actor=actor, community_id=1, content=content)
    seconds["check_s"] = time.perf_counter() - began
    began = time.perf_counter()
    report = importing.carry_out(actor=actor, community_id=1, content=content, file_name="x.xlsx")
    seconds["import_s"] = time.perf_counter() - began
    began = time.perf_counter()
    again = importing.carry_out(actor=actor, community_id=1, content=content, file_name="x.xlsx")
    seconds["again_s"] = time.perf_counter() - began
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {
                **seconds,
                "houses": report.houses_new,
                "problems": len(report.problems),
                "again": again.houses_new + again.houses_changed + again.people_new,
                "peak_mib": peak_mib,
            }
        )
    )


if __name__ == "__main__":
    _run(Path(sys.argv[2]))
