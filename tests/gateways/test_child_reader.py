"""What a workbook may do to its reader: the child may die, the worker gets a sentence."""

import io
import json
import os
import subprocess
import sys
import zipfile
from datetime import date

import openpyxl
import pytest

from gateways.child_reader import ChildReader
from gateways.workbook_refusals import (
    NotXlsx,
    OldWorkbook,
    SheetMissing,
    SheetTooBig,
    WorkbookDamaged,
    WorkbookEncrypted,
    WorkbookTooLarge,
    WorkbookUnpacksTooLarge,
    WorkbookUnreadable,
    WorkbookUnsafe,
)
from gateways.workbooks import XlsxReader
from tests.gateways.test_workbooks import (
    HALF_PAST_EIGHT,
    MAIN,
    ROOT,
    SHEET,
    repacked,
    sheet_xml,
    with_rows,
    workbook,
)

OLE = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(2048)
MEGABYTE = 1024 * 1024
GROWTH_LIMIT_MB = 200
IDLE_MB = 60
"""About what an interpreter with the reader in it takes before it has read a byte."""
COARSE_LIMIT_S = 20


def read(content, sheet_name="房屋业主", **limits):
    return ChildReader(**limits).read(content, sheet_name=sheet_name)


@pytest.fixture
def program(tmp_path):
    """Make a child of a few lines, to see what becomes of its death."""

    def program(text):
        path = tmp_path / "child.py"
        path.write_text(text)
        return str(path)

    return program


class TestSameAsWithoutAChild:
    @pytest.mark.parametrize("sheet_name", ["房屋业主", "车位", "水表读数"])
    def test_sample_community(self, sheet_name):
        content = (ROOT / "sample/cuihu-garden.xlsx").read_bytes()

        assert read(content, sheet_name) == XlsxReader().read(content, sheet_name=sheet_name)

    def test_every_kind_of_cell(self):
        cells = {"A1": "文\t字", "B1": 1.5, "C1": True, "D1": date(2026, 11, 1)}
        content = workbook(cells | {"E1": HALF_PAST_EIGHT, "F1": "day"})

        assert read(content).rows == [
            ["文\t字", 1.5, True, date(2026, 11, 1), HALF_PAST_EIGHT, "day"]
        ]

    @pytest.mark.parametrize("name", ["--help", "'; rm -rf /", "表\n名"])
    def test_a_name_is_only_a_name(self, name):
        with pytest.raises(SheetMissing):
            read(workbook(others=("车位",)), name)

    def test_merged_cells_are_told(self):
        book = openpyxl.Workbook()
        book.active.title = "房屋业主"
        for line in (["楼栋", "房号"], ["1栋", "101"], [None, "102"], [None, "103"]):
            book.active.append(line)
        book.active.merge_cells("A2:A4")
        book.active.merge_cells("A1:B1")
        out = io.BytesIO()
        book.save(out)

        assert read(out.getvalue()).merged == [(1, 0, 3, 0)]

    def test_hidden_rows_are_data_and_hidden_sheets_are_not_asked_for(self):
        book = openpyxl.load_workbook(io.BytesIO(workbook({"A1": "房号", "A2": "101"})))
        book.active.row_dimensions[2].hidden = True
        book.create_sheet("草稿").sheet_state = "hidden"
        book.active.title = "Sheet1"
        out = io.BytesIO()
        book.save(out)

        assert read(out.getvalue()).rows == [["房号"], ["101"]]


class TestDeath:
    """However a child ends, it is a file that cannot be read."""

    @pytest.mark.parametrize(
        "text",
        [
            "import os; os.kill(os.getpid(), 9)",
            "import os; os.kill(os.getpid(), 11)",
            "raise MemoryError",
            "raise SystemExit(3)",
            "print('{')",
            "print('[]')",
            "print('{\"name\": 1}')",
            'print(\'{"refused": "unheard_of", "message": ""}\')',
            'print(\'{"name": "", "rows": [], "merged": [[1]]}\')',
            "print('[' * 100000)",
        ],
    )
    def test_of_any_kind(self, program, text):
        with pytest.raises(WorkbookUnreadable):
            read(b"", program=program(text))

    def test_by_saying_too_much(self, program):
        text = "import sys\nwhile True: sys.stdout.write('x' * 1000000)"

        with pytest.raises(WorkbookUnreadable):
            read(b"", program=program(text))

    def test_by_taking_too_long(self, program):
        with pytest.raises(WorkbookUnreadable):
            read(b"", program=program("import time; time.sleep(60)"), time_limit_s=1)

    def test_by_taking_too_much_memory(self):
        content = same_long_word(10)
        assert len(read(content).rows) == 9

        with pytest.raises(WorkbookUnreadable):
            read(content, memory_limit=60 * MEGABYTE)

    def test_a_child_has_no_secrets_of_ours(self, program, monkeypatch):
        monkeypatch.setenv("SECRET_KEY", "x")
        text = (
            "import json, os\n"
            "print(json.dumps({'name': '', 'rows': [sorted(os.environ)], 'merged': []}))"
        )

        assert "SECRET_KEY" not in read(b"", program=program(text)).rows[0]

    def test_nothing_is_left_behind(self, program):
        before = set(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with pytest.raises(WorkbookUnreadable):
                read(b"", program=program("raise SystemExit(1)"))

        assert set(os.listdir("/proc/self/fd")) == before


def zip_bomb():
    return repacked(workbook(), **{"xl/media/zeros.bin": bytes(210 * MEGABYTE)})


def far_columns():
    cells = "".join(f"<c><v>{number}</v></c>" for number in range(10_000))
    return with_rows(f"<row>{cells}</row>")


def same_long_word(count):
    """A sheet that names one long text again and again: small in the file, large in memory."""
    cells = '<c t="s"><v>0</v></c>' * 50
    rows = "".join(f'<row r="{n}">{cells}</row>' for n in range(1, count))
    strings = f'<sst xmlns="{MAIN}"><si><t>{"长" * 30_000}</t></si></sst>'
    parts = {SHEET: sheet_xml(rows), "xl/sharedStrings.xml": strings}
    return repacked(workbook({"A1": "字"}), method=zipfile.ZIP_STORED, **parts)


def merged_over_and_over():
    head = '<row r="1"><c r="A1"><v>1</v></c></row><row r="60000"><c r="A60000"><v>1</v></c></row>'
    merges = '<mergeCell ref="A1:A60000"/>' * 3_000
    whole = sheet_xml(head).replace(
        "</worksheet>", f"<mergeCells>{merges}</mergeCells></worksheet>"
    )
    return repacked(workbook(), **{SHEET: whole})


HOSTILE = {
    "far cell": (
        lambda: with_rows('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'),
        SheetTooBig,
    ),
    "zip bomb": (zip_bomb, WorkbookUnpacksTooLarge),
    "entities": (
        lambda: with_rows("", head='<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'),
        WorkbookUnsafe,
    ),
    "password": (lambda: OLE + "EncryptedPackage".encode("utf-16-le"), WorkbookEncrypted),
    "xls": (lambda: OLE + "Workbook".encode("utf-16-le"), OldWorkbook),
    "csv": (lambda: "楼栋,房号\n1,101\n".encode("gb18030"), NotXlsx),
    "html": (lambda: b"<html><table><tr><td>1</td></tr></table></html>", NotXlsx),
    "empty": (lambda: b"", NotXlsx),
    "truncated": (lambda: workbook()[: len(workbook()) // 2], WorkbookDamaged),
    "too large": (lambda: b"PK\x03\x04" + bytes(10 * MEGABYTE), WorkbookTooLarge),
    "10,000 columns": (far_columns, SheetTooBig),
    "merged over and over": (merged_over_and_over, SheetTooBig),
}


class TestHostileFiles:
    """Source: reliability.md, bad-input matrix, xlsx."""

    @pytest.mark.slow
    @pytest.mark.parametrize("name", HOSTILE)
    def test_each_is_refused_with_little_memory(self, name, measured):
        make, refusal = HOSTILE[name]

        refused, peak_mb = measured(make())

        assert refused == refusal.code
        assert peak_mb <= IDLE_MB + GROWTH_LIMIT_MB

    @pytest.mark.slow
    def test_a_million_formatted_rows_that_are_empty_are_read(self, measured):
        rows = "".join(f'<row r="{n}" s="1"/>' for n in range(2, 1_048_577))
        content = with_rows(f'<row r="1"><c r="A1"><v>1</v></c></row>{rows}')

        refused, peak_mb = measured(content)

        assert refused == ""
        assert peak_mb <= IDLE_MB + GROWTH_LIMIT_MB

    @pytest.mark.slow
    def test_one_long_word_named_again_and_again_is_stopped_by_the_limit(self):
        content = same_long_word(4_000)
        assert len(content) < 10 * MEGABYTE

        with pytest.raises(WorkbookUnreadable):
            read(content)

    def test_links_to_other_files_are_not_followed(self):
        links = (
            '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/'
            'package/2006/relationships"><Relationship Id="rId1" Target="file:///etc/passwd" '
            'TargetMode="External" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
            'relationships/externalLinkPath"/></Relationships>'
        )
        content = repacked(
            workbook({"A1": "房号", "A2": "=[1]Sheet1!A1"}),
            **{"xl/externalLinks/_rels/externalLink1.xml.rels": links},
        )

        assert read(content).rows[0] == ["房号"]


@pytest.fixture
def measured(tmp_path):
    """Run the child on a file; tell the code of its refusal, if any, and its peak in MB."""

    def measured(content):
        path = tmp_path / "hostile.xlsx"
        path.write_bytes(content)
        watcher = (
            "import resource, subprocess, sys, json\n"
            "done = subprocess.run([sys.executable, *sys.argv[2:]], stdin=open(sys.argv[1], 'rb'),"
            " capture_output=True, timeout=20)\n"
            "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024\n"
            "told = json.loads(done.stdout)\n"
            "print(json.dumps([told.get('refused', ''), peak]))\n"
        )
        program = ChildReader()
        words = [program.program, "房屋业主", str(program.memory_limit), "20"]
        done = subprocess.run(
            [sys.executable, "-c", watcher, str(path), *words],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            timeout=2 * COARSE_LIMIT_S,
        )
        refused, peak_mb = json.loads(done.stdout)
        return refused, peak_mb

    return measured
