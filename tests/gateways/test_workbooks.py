"""Spreadsheets from strangers: the sample files read, everything hostile is refused and cheaply."""

import io
import random
import subprocess
import sys
import zipfile
import zlib
from datetime import date, datetime, time, timedelta
from pathlib import Path

import openpyxl
import pytest

from domain.errors import InvalidInput
from gateways.workbook_refusals import (
    NotXlsx,
    OldWorkbook,
    SheetMissing,
    SheetTooBig,
    WorkbookDamaged,
    WorkbookEncrypted,
    WorkbookTooLarge,
    WorkbookUnpacksTooLarge,
    WorkbookUnsafe,
)
from gateways.workbooks import XlsxReader

ROOT = Path(__file__).parents[2]
SHEET = "xl/worksheets/sheet1.xml"
HALF_PAST_EIGHT = datetime(2026, 11, 1, 8, 30)  # noqa: DTZ001  # a cell has no time zone
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def workbook(cells=None, *, title="房屋业主", others=()):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = title
    for reference, value in (cells or {"A1": "房号"}).items():
        sheet[reference] = value
    for name in others:
        book.create_sheet(name)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def repacked(content, *, method=zipfile.ZIP_DEFLATED, drop=(), **parts):
    """The same workbook with some parts replaced; part names as keys of ``parts``."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", method) as new:
        for name in old.namelist():
            if name not in drop and name not in parts:
                new.writestr(name, old.read(name))
        for name, value in parts.items():
            new.writestr(name, value)
    return out.getvalue()


def sheet_xml(rows, *, head=""):
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}<worksheet xmlns="{MAIN}"><sheetData>'
        f"{rows}</sheetData></worksheet>"
    )


def with_rows(rows, *, head=""):
    return repacked(workbook(), **{SHEET: sheet_xml(rows, head=head)})


def read(content, sheet_name="房屋业主"):
    return XlsxReader().read(content, sheet_name=sheet_name)


class TestRead:
    @pytest.mark.parametrize(
        ("sheet_name", "height"), [("房屋业主", 933), ("车位", 321), ("水表读数", 2542)]
    )
    def test_sample_community(self, sheet_name, height):
        sheet = read((ROOT / "sample/cuihu-garden.xlsx").read_bytes(), sheet_name)

        assert sheet.name == sheet_name
        assert len(sheet.rows) == height

    def test_sample_values_have_their_types(self):
        sheet = read((ROOT / "sample/cuihu-garden.xlsx").read_bytes())

        assert sheet.rows[0][:4] == ["楼栋", "单元", "楼层", "房号"]
        assert sheet.rows[1][5] == 168.89
        assert sheet.rows[1][8] == date(2021, 4, 1)

    def test_messy_list(self):
        sheet = read((ROOT / "sample/clerk-list-messy.xlsx").read_bytes(), "Sheet1")

        assert sheet.rows[0][0] == "翠湖花园业主信息登记表（2026年）"
        assert len(sheet.rows) == 67

    def test_rows_begin_at_row_one(self):
        sheet = read(workbook({"B3": "丙"}))

        assert sheet.rows == [["", ""], ["", ""], ["", "丙"]]

    def test_every_kind_of_cell(self):
        cells = {
            "A1": "文字",
            "B1": 1.5,
            "C1": True,
            "D1": date(2026, 11, 1),
            "E1": HALF_PAST_EIGHT,
            "F1": time(8, 30),
            "G1": timedelta(hours=30),
        }

        row = read(workbook(cells)).rows[0]

        assert row == [
            "文字",
            1.5,
            True,
            date(2026, 11, 1),
            HALF_PAST_EIGHT,
            "08:30:00",
            "1 day, 6:00:00",
        ]

    def test_formula_gives_its_stored_result(self):
        content = with_rows('<row r="1"><c r="A1"><f>1+1</f><v>2</v></c></row>')

        assert read(content).rows == [[2.0]]

    def test_number_that_is_none_becomes_text(self):
        content = with_rows('<row r="1"><c r="A1"><v>NaN</v></c></row>')

        assert read(content).rows == [["nan"]]

    def test_only_sheet_is_taken_whatever_its_name(self):
        assert read(workbook(title="Sheet1")).name == "Sheet1"

    def test_only_visible_sheet_is_taken(self):
        book = openpyxl.load_workbook(io.BytesIO(workbook(title="Sheet1", others=("隐藏",))))
        book["隐藏"].sheet_state = "hidden"
        out = io.BytesIO()
        book.save(out)

        assert read(out.getvalue()).name == "Sheet1"

    def test_sheet_by_name_among_others(self):
        assert read(workbook(others=("车位",)), "车位").name == "车位"

    def test_no_such_sheet(self):
        with pytest.raises(SheetMissing, match="水表读数"):
            read(workbook(others=("车位",)), "水表读数")

    def test_cells_that_only_carry_a_style_do_not_count(self):
        content = with_rows(
            '<row r="1"><c r="A1"><v>1</v></c></row>'
            '<row r="1048576"><c r="XFD1048576" s="1"/><extLst/></row>'
        )

        assert read(content).rows == [[1.0]]

    def test_cells_without_references(self):
        content = with_rows("<row><c><v>1</v></c><c><v>2</v></c></row><row><c><v>3</v></c></row>")

        assert read(content).rows[0] == [1.0, 2.0]

    def test_largest_sheet_is_accepted(self):
        content = with_rows(
            '<row r="1"><c r="BH1"><v>1</v></c></row>'
            '<row r="20000"><c r="A20000"><v>1</v></c></row>'
        )

        sheet = read(content)

        assert len(sheet.rows) == 20_000
        assert len(sheet.rows[0]) == 60


class TestContainer:
    def test_larger_than_ten_megabytes(self):
        with pytest.raises(WorkbookTooLarge):
            read(b"PK\x03\x04" + bytes(10 * 1024 * 1024))

    @pytest.mark.parametrize(
        "content",
        [b"", "楼栋,房号\n1,101\n".encode("gb18030"), b"<html></html>", b"%PDF-1.7", b"\x89PNG"],
        ids=["empty", "csv", "html", "pdf", "png"],
    )
    def test_renamed_files(self, content):
        with pytest.raises(NotXlsx):
            read(content)

    def test_another_kind_of_zip(self):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as package:
            package.writestr("word/document.xml", "<document/>")

        with pytest.raises(NotXlsx):
            read(out.getvalue())

    def test_old_workbook(self):
        with pytest.raises(OldWorkbook):
            read(bytes.fromhex("d0cf11e0a1b11ae1") + bytes(2048) + "Workbook".encode("utf-16-le"))

    def test_workbook_with_a_password(self):
        with pytest.raises(WorkbookEncrypted):
            read(
                bytes.fromhex("d0cf11e0a1b11ae1")
                + bytes(2048)
                + "EncryptedPackage".encode("utf-16-le")
            )

    def test_zip_with_a_password(self):
        content = bytearray(workbook())
        directory = content.index(b"PK\x01\x02")
        content[directory + 8] |= 1

        with pytest.raises(WorkbookEncrypted):
            read(bytes(content))

    def test_cut_short(self):
        content = workbook()

        with pytest.raises(WorkbookDamaged):
            read(content[: len(content) // 2])

    def test_part_cut_short(self):
        whole = sheet_xml('<row r="1"><c r="A1"><v>1</v></c></row>')

        with pytest.raises(WorkbookDamaged):
            read(repacked(workbook(), **{SHEET: whole.removesuffix("</worksheet>")}))

    def test_directory_that_is_not_where_it_says(self):
        content = bytearray(workbook())
        content[-6:-2] = (int.from_bytes(content[-6:-2], "little") + 100_000).to_bytes(4, "little")

        with pytest.raises(WorkbookDamaged):
            read(bytes(content))

    @pytest.mark.parametrize(
        "cell",
        ['t="s"><v>5</v>', 't="unheard-of"><v>1</v>', 't="b"><v>maybe</v>', 't="e"><v>#NEW!</v>'],
    )
    def test_cell_that_has_no_meaning(self, cell):
        with pytest.raises(WorkbookDamaged):
            read(with_rows(f'<row r="1"><c r="A1" {cell}</c></row>'))

    def test_wrong_checksum(self):
        content = bytearray(repacked(workbook(), method=zipfile.ZIP_STORED))
        place = content.index("房号".encode())
        content[place] ^= 1

        with pytest.raises(WorkbookDamaged):
            read(bytes(content))

    def test_unusual_packing(self):
        with pytest.raises(WorkbookDamaged):
            read(repacked(workbook(), method=zipfile.ZIP_BZIP2))

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_part_that_occurs_twice(self):
        out = io.BytesIO(workbook())
        with zipfile.ZipFile(out, "a") as package:
            package.writestr(SHEET, sheet_xml(""))

        with pytest.raises(WorkbookDamaged):
            read(out.getvalue())

    def test_sheet_part_is_missing(self):
        with pytest.raises(WorkbookDamaged):
            read(repacked(workbook(), drop=(SHEET,)))

    def test_sheet_link_leads_to_another_part(self):
        links = zipfile.ZipFile(io.BytesIO(workbook())).read("xl/_rels/workbook.xml.rels")
        bent = links.replace(b"worksheets/sheet1.xml", b"styles.xml")

        with pytest.raises(WorkbookDamaged):
            read(repacked(workbook(), **{"xl/_rels/workbook.xml.rels": bent}))

    def test_random_damage_is_always_an_invalid_input(self):
        chance = random.Random(20261101)
        for _ in range(300):
            content = bytearray(workbook({"A1": "房号", "B2": 1}))
            for _ in range(chance.randint(1, 6)):
                content[chance.randrange(len(content))] = chance.randrange(256)

            try:
                read(bytes(content))
            except InvalidInput:
                continue


AREA = (
    '<row r="1"><c r="BH1"><v>1</v></c></row>'  # within rows and columns, and too many cells
    '<row r="20001"><c r="A20001"><v>1</v></c></row>'
)


class TestBombs:
    def test_too_many_parts(self):
        extra = {f"xl/media/{number}.png": b"" for number in range(201)}

        with pytest.raises(WorkbookUnpacksTooLarge):
            read(repacked(workbook(), **extra))

    def test_unpacks_to_too_much(self):
        noise = random.Random(1).randbytes(600_000)
        extra = {f"xl/media/{number}.bin": noise + bytes(5_500_000) for number in range(9)}
        content = repacked(workbook(), **extra)
        assert len(content) < 10 * 1024 * 1024

        with pytest.raises(WorkbookUnpacksTooLarge):
            read(content)

    def test_too_dense(self):
        with pytest.raises(WorkbookUnpacksTooLarge):
            read(repacked(workbook(), **{"xl/media/zeros.bin": bytes(8_000_000)}))

    def test_directory_that_understates_a_part(self):
        """The copy that calamine opens ends where the directory says, whatever the stream holds."""
        honest = sheet_xml('<row r="1"><c r="A1"><v>1</v></c></row>').encode()
        content = bytearray(repacked(workbook(), **{SHEET: honest + b" " * 100_000}))
        directory = content.index(b"PK\x01\x02", content.rindex(SHEET.encode()) - 60)
        content[directory + 16 : directory + 20] = zlib.crc32(honest).to_bytes(4, "little")
        content[directory + 24 : directory + 28] = len(honest).to_bytes(4, "little")

        assert read(bytes(content)).rows == [[1.0]]

    @pytest.mark.parametrize(
        "rows",
        [
            '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
            '<row r="60001"><c r="A60001"><v>1</v></c></row>',
            '<row r="1"><c r="BI1"><v>1</v></c></row>',
            AREA,
            '<row r="1048576"><c><v>1</v></c></row>',
            '<row r="1048576"><c r="A1"><v>1</v></c></row>',
            '<row r="1048576"><c r="A1"/><c><v>1</v></c></row>',
            "<row>" + "<c/>" * 60 + '<c r="A1"/><c><v>1</v></c></row>',
            '<row r="1"><c r="A1048576" t="inlineStr"><is><t>x</t></is></c></row>',
            '<x:row xmlns:x="urn:x" r="1"><x:c r="XFD1"><x:v>1</x:v></x:c></x:row>',
        ],
        ids=[
            "corner",
            "row",
            "column",
            "area",
            "no-ref",
            "differ",
            "after",
            "sequence",
            "inline",
            "prefix",
        ],
    )
    def test_cell_far_away(self, rows):
        with pytest.raises(SheetTooBig):
            read(with_rows(rows))

    def test_more_cells_than_the_largest_sheet_has(self):
        chunk = '<c r="A1"/>' * 1000
        rows = "".join(f'<row r="1">{number:06d}{chunk}</row>' for number in range(1201))
        filler = random.Random(1).randbytes(400_000)
        content = repacked(workbook(), **{SHEET: sheet_xml(rows), "xl/media/filler.bin": filler})

        with pytest.raises(SheetTooBig):
            read(content)

    @pytest.mark.parametrize(
        "rows",
        ['<row r="99999999"/>', '<row r="１"/>', '<row><c r="1A"/></row>', '<row r="1">'],
    )
    def test_nonsense_references(self, rows):
        with pytest.raises(WorkbookDamaged):
            read(with_rows(rows))

    @pytest.mark.parametrize(
        "head",
        [
            '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
            '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
            "<!DOCTYPE x>",
        ],
        ids=["bomb", "external", "doctype"],
    )
    @pytest.mark.parametrize("part", [SHEET, "xl/styles.xml", "xl/workbook.xml"])
    def test_entity_declarations(self, head, part):
        old = zipfile.ZipFile(io.BytesIO(workbook())).read(part).decode()
        body = old[old.index("?>") + 2 :] if old.startswith("<?xml") else old

        with pytest.raises(WorkbookUnsafe):
            read(repacked(workbook(), **{part: head + body}))

    @pytest.mark.slow
    def test_far_cell_costs_no_memory_and_no_time(self, tmp_path):
        bomb = tmp_path / "bomb.xlsx"
        bomb.write_bytes(with_rows('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'))
        program = (
            "import re, sys, time\n"
            "from gateways.workbook_refusals import SheetTooBig\n"
            "from gateways.workbooks import XlsxReader\n"
            "content = open(sys.argv[1], 'rb').read()\n"
            "start = time.perf_counter()\n"
            "try:\n"
            "    XlsxReader().read(content, sheet_name='房屋业主')\n"
            "except SheetTooBig:\n"
            "    elapsed_s = time.perf_counter() - start\n"
            # Not ru_maxrss, which a child inherits from the process that started it.
            "    peak_kb = re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]\n"
            "    print(elapsed_s, peak_kb)\n"
        )

        done = subprocess.run(
            [sys.executable, "-c", program, str(bomb)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )

        assert bomb.stat().st_size < 8_000
        elapsed_s, peak_kb = done.stdout.split()
        assert float(elapsed_s) <= 1.0
        assert int(peak_kb) <= 200 * 1024


def test_every_refusal_has_a_code_and_a_chinese_sentence():
    kinds = [
        NotXlsx(),
        OldWorkbook(),
        SheetMissing("车位"),
        SheetTooBig(),
        WorkbookDamaged(),
        WorkbookEncrypted(),
        WorkbookTooLarge(),
        WorkbookUnpacksTooLarge(),
        WorkbookUnsafe(),
    ]

    assert len({kind.code for kind in kinds}) == len(kinds)
    assert all(
        "工作" in kind.message or "文件" in kind.message or "表格" in kind.message for kind in kinds
    )
