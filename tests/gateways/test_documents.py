"""Tables as files: what is read back is what was written, to the fen and on every page."""

import io
import re
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path
from threading import Barrier, Thread

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader
from python_calamine import load_workbook

from gateways.documents import OfficeDocuments
from gateways.pdf_text import break_lines, glyphs, length
from services.ports import Column, ColumnKind, TableDocument

ROOT = Path(__file__).parents[2]
COLUMNS = [
    Column("账单号", ColumnKind.TEXT, 10),
    Column("收费项目", ColumnKind.TEXT, 10),
    Column("到期日", ColumnKind.DATE, 7),
    Column("月数", ColumnKind.COUNT, 4),
    Column("应缴（元）", ColumnKind.FEN, 8),
]
DUE = date(2025, 3, 31)
LONG = "公共区域水电分摊及电梯运行维护费（含年检），按建筑面积分摊"


def make_document(height=3, **changes):
    rows = [[f"CH{n:06d}", "物业服务费", DUE, n % 12 + 1, 126000 + n] for n in range(height)]
    given = {
        "title": "欠费明细表",
        "subtitle": "翠湖花园",
        "facts": [("制表时间", "2025-05-17 09:30"), ("楼栋", "全部")],
        "columns": COLUMNS,
        "rows": rows,
        "totals": [
            ["合计", f"{height} 张", None, sum(r[3] for r in rows), sum(r[4] for r in rows)]
        ],
        "notes": ["欠费：到期日早于制表日而未缴清的本金"],
    }
    return TableDocument(**(given | changes))


def pages(document):
    return PdfReader(io.BytesIO(OfficeDocuments().write_pdf(document))).pages


def page_texts(document):
    """The text of each page without blanks, which extraction puts where it likes."""
    return [re.sub(r"\s", "", page.extract_text()) for page in pages(document)]


def sheets(*documents):
    """All cells by sheet name; the rows of facts and notes included."""
    content = OfficeDocuments().write_workbook(documents)
    with load_workbook(io.BytesIO(content)) as book:
        return {
            name: book.get_sheet_by_name(name).to_python(skip_empty_area=False)
            for name in book.sheet_names
        }


def table_of(rows):
    """The cells below the header line."""
    head = next(n for n, row in enumerate(rows) if row[0] == "账单号")
    return rows[head + 1 :]


class TestWorkbook:
    def test_every_line_is_read_back(self):
        [(name, rows)] = sheets(make_document(2)).items()

        assert name == "欠费明细表"
        assert rows == [
            ["欠费明细表", "", "", "", ""],
            ["翠湖花园", "", "", "", ""],
            ["制表时间", "2025-05-17 09:30", "", "", ""],
            ["楼栋", "全部", "", "", ""],
            ["", "", "", "", ""],
            ["账单号", "收费项目", "到期日", "月数", "应缴（元）"],
            ["CH000000", "物业服务费", DUE, 1.0, 1260.0],
            ["CH000001", "物业服务费", DUE, 2.0, 1260.01],
            ["合计", "2 张", "", 3.0, 2520.01],
            ["", "", "", "", ""],
            ["欠费：到期日早于制表日而未缴清的本金", "", "", "", ""],
        ]

    def test_every_cell_and_sum_of_many_rows(self):
        document = make_document(2000)

        [rows] = sheets(document).values()

        *found, total = table_of(rows)[:2001]
        for cells, row in zip(found, document.rows, strict=True):
            assert cells == [*row[:4], row[4] / 100]
        assert round(sum(cells[4] for cells in found) * 100) == document.totals[0][4]
        assert total == ["合计", "2000 张", "", document.totals[0][3], document.totals[0][4] / 100]

    @settings(max_examples=25)
    @given(st.lists(st.integers(-(10**13), 10**13), min_size=1, max_size=30))
    def test_money_is_written_with_its_two_decimals_and_no_more(self, amounts):
        document = make_document(
            columns=[Column("金额", ColumnKind.FEN, 8)], rows=[[n] for n in amounts], totals=[]
        )

        content = OfficeDocuments().write_workbook([document])

        xml = zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml").decode()
        written = re.findall(r"<v>([^<]*)</v>", xml)
        assert len(written) == len(amounts)
        for text, amount_fen in zip(written, amounts, strict=True):
            whole, _, decimals = text.partition(".")
            assert len(decimals) <= 2
            assert int(whole + decimals.ljust(2, "0")) == amount_fen

    @pytest.mark.parametrize(
        "text",
        [
            "=1+1",
            "+86",
            "-1",
            "@SUM(A1)",
            "0012",
            "1e5",
            "http://example.com",
            "<b>&",
            "true",
            "{=1}",
        ],
    )
    def test_text_stays_text(self, text):
        document = make_document(
            rows=[[text, text, DUE, 1, 1]], totals=[[text, "", None, None, None]], title=text
        )

        content = OfficeDocuments().write_workbook([document])

        cells = [cell for row in openpyxl.load_workbook(io.BytesIO(content)).active for cell in row]
        found = [cell for cell in cells if cell.value == text]
        assert len(found) == 4
        # openpyxl tells formulas by their first sign; the type in the file is what counts.
        xml = zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in xml
        assert "hyperlink" not in xml
        assert {cell.value for cell in cells if cell.data_type == "n"} == {None, 1, 0.01}

    def test_what_no_file_may_hold_becomes_a_blank(self):
        [rows] = sheets(make_document(rows=[["a\x00b", "\ud800", DUE, 1, 1]])).values()

        assert table_of(rows)[0][:2] == ["a b", " "]

    def test_shows_money_and_dates_as_people_write_them(self):
        content = OfficeDocuments().write_workbook([make_document(1)])
        sheet = openpyxl.load_workbook(io.BytesIO(content)).active

        assert [cell.number_format for cell in sheet[7]] == [
            "General",
            "General",
            "yyyy-mm-dd",
            "#,##0",
            "#,##0.00",
        ]
        assert not sheet["E7"].font.bold
        assert [cell.font.bold for cell in sheet[8]] == [True] * 5
        assert sheet.freeze_panes == "A7"
        assert sheet.print_title_rows == "$6:$6"

    def test_days_before_spreadsheets_are_text(self):
        [rows] = sheets(make_document(rows=[["a", "b", date(1899, 12, 31), 1, 1]])).values()

        assert table_of(rows)[0][2] == "1899-12-31"

    def test_text_may_stand_in_any_column(self):
        [rows] = sheets(make_document(rows=[["a", 7, "无", "不限", "免"]])).values()

        assert table_of(rows)[0] == ["a", "7", "无", "不限", "免"]

    def test_each_document_has_a_sheet_of_its_own_name(self):
        titles = [
            "欠费明细表",
            "欠费明细表",
            "a/b:c*[d]?",
            "'",
            "",
            "很长" * 20,
            "很长" * 20,
            "History",
        ]

        found = sheets(*(make_document(title=title) for title in titles))

        assert len(found) == len(titles)
        assert list(found)[:5] == ["欠费明细表", "欠费明细表（2）", "a b c  d", "表", "表（2）"]
        assert all(0 < len(name) <= 31 for name in found)
        assert "history" not in {name.lower() for name in found}

    def test_watermark_and_no_subtitle(self):
        [rows] = sheets(make_document(subtitle="", watermark="演示数据")).values()

        assert [row[0] for row in rows[:3]] == ["欠费明细表", "演示数据", "制表时间"]

    def test_no_rows(self):
        [rows] = sheets(make_document(0)).values()

        assert table_of(rows)[0] == ["合计", "0 张", "", 0.0, 0.0]

    @pytest.mark.parametrize(("width", "orientation"), [(10, "portrait"), (40, "landscape")])
    def test_wide_tables_lie_across(self, width, orientation):
        columns = [*COLUMNS[:4], Column("应缴（元）", ColumnKind.FEN, width)]

        content = OfficeDocuments().write_workbook([make_document(columns=columns)])

        setup = openpyxl.load_workbook(io.BytesIO(content)).active.page_setup
        assert (setup.orientation, setup.paperSize) == (orientation, 9)

    def test_no_document_is_a_mistake_of_ours(self):
        with pytest.raises(ValueError, match="needs a sheet"):
            OfficeDocuments().write_workbook([])

    def test_a_row_of_another_width_is_a_mistake_of_ours(self):
        with pytest.raises(ValueError, match="zip"):
            OfficeDocuments().write_workbook([make_document(rows=[["a"]])])


class TestPdf:
    def test_every_word_is_there(self):
        [text] = page_texts(make_document(2))

        for word in (
            "欠费明细表",
            "翠湖花园",
            "制表时间",
            "2025-05-1709:30",
            "应缴（元）",
            "CH000001",
            "2025-03-31",
            "1,260.01",
            "合计2张",
            "2,520.01",
            "欠费：到期日早于制表日而未缴清的本金",
            "第1/1页",
        ):
            assert word in text

    def test_header_and_number_are_on_every_page(self):
        texts = page_texts(make_document(200))

        assert len(texts) > 3
        for number, text in enumerate(texts, 1):
            assert "账单号收费项目到期日" in text
            assert f"第{number}/{len(texts)}页" in text
        assert "252,199.00" in texts[-1]
        assert sum("合计" in text for text in texts) == 1

    def test_no_row_of_many_is_lost(self):
        texts = page_texts(make_document(2000))

        found = re.findall(r"CH\d{6}", "".join(texts))
        assert found == [f"CH{n:06d}" for n in range(2000)]

    @pytest.mark.parametrize(("width", "size"), [(10, (595, 842)), (40, (842, 595))])
    def test_wide_tables_lie_across(self, width, size):
        columns = [*COLUMNS[:4], Column("应缴（元）", ColumnKind.FEN, width)]

        [page] = pages(make_document(columns=columns))

        assert (round(page.mediabox.width), round(page.mediabox.height)) == size

    def test_long_text_wraps_and_nothing_of_it_is_lost(self):
        [text] = page_texts(
            make_document(
                rows=[["CH", LONG, DUE, 1, 1]], notes=[LONG * 5], facts=[("筛选条件", LONG)]
            )
        )

        assert text.count("分摊及") >= 6
        assert "".join(text.split(LONG[-4:])).count("年检") >= 6

    def test_text_longer_than_a_page_goes_on_on_the_next(self):
        document = make_document(
            rows=[["长" * 6000, "y" * 900, DUE, 1, 1]],
            notes=["短" * 6000],
            facts=[("标签", "实" * 6000)],
            title="题" * 100,
        )

        text = "".join(page_texts(document))

        for sign, times in (("长", 6000), ("y", 900), ("短", 6000), ("实", 6000), ("题", 100)):
            assert text.count(sign) == times

    def test_numbers_stay_whole_in_narrow_columns(self):
        columns = [Column("金额", ColumnKind.FEN, 1) for _ in range(7)] + [
            Column("备注", ColumnKind.TEXT, 30)
        ]
        document = make_document(columns=columns, rows=[[123456789012] * 7 + [LONG]], totals=[])

        [page] = pages(document)

        lines = page.extract_text().replace(" ", "\n").splitlines()
        assert lines.count("1,234,567,890.12") == 7

    def test_more_numbers_than_fit_still_make_a_page(self):
        columns = [Column("金额", ColumnKind.FEN, 5) for _ in range(30)]
        document = make_document(columns=columns, rows=[[10**13] * 30], totals=[])

        [text] = page_texts(document)

        assert text.count("第1/1页") == 1

    def test_characters_without_a_glyph_are_shown_as_the_mark_for_it(self):
        document = make_document(
            rows=[["😀𠮷", "a\x00b\u200b\ufe0f", DUE, 1, 1]], title="表😀", watermark="演示😀"
        )

        [text] = page_texts(document)

        assert "〓〓" in text
        assert "ab" in text
        assert "表〓" in text

    def test_markup_is_only_text(self):
        [text] = page_texts(make_document(rows=[["<b>&amp;", "</para>", DUE, 1, 1]]))

        assert "<b>&amp;" in text
        assert "</para>" in text

    def test_watermark_is_on_every_page(self):
        texts = page_texts(make_document(100, watermark="演示数据"))

        assert len(texts) > 1
        assert all("演示数据" in text for text in texts)

    def test_says_so_when_there_is_nothing(self):
        [text] = page_texts(make_document(0, facts=[], subtitle="", notes=[]))

        assert "没有符合条件的记录" in text

    def test_its_title_is_the_documents(self):
        content = OfficeDocuments().write_pdf(make_document())

        assert PdfReader(io.BytesIO(content)).metadata.title == "欠费明细表"

    def test_the_font_is_in_the_file(self):
        content = OfficeDocuments().write_pdf(make_document())

        assert b"WenQuanYiMicroHei" in content
        assert len(content) < 100_000

    def test_ships_the_licence_of_its_font(self):
        folder = ROOT / "gateways" / "fonts"

        assert "Font exception" in (folder / "LICENSE-wqy-microhei.txt").read_text("utf-8")
        assert {path.name for path in folder.glob("LICENSE*")} >= {
            "LICENSE-Apache-2.0.txt",
            "LICENSE-GPL-3.txt",
        }


class TestBoth:
    def test_the_same_document_gives_the_same_bytes(self):
        document = make_document(30, watermark="演示数据")
        writer = OfficeDocuments()

        assert writer.write_pdf(document) == writer.write_pdf(replace(document))
        assert writer.write_workbook([document]) == writer.write_workbook([replace(document)])

    def test_are_written_by_many_threads_at_once(self):
        writer, start = OfficeDocuments(), Barrier(4)
        document = make_document(50)
        expected = writer.write_pdf(document)
        found = []

        def write():
            start.wait()
            found.append(writer.write_pdf(document))

        threads = [Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert found == [expected] * 4


TEXTS = st.text(alphabet="物业费，。（）「ab1 .\n¥", max_size=60)


class TestBreakLines:
    @given(TEXTS, st.integers(1, 200))
    def test_loses_only_blanks(self, text, width):
        glyphs()

        lines = break_lines(text, 9, width)

        assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", text)
        assert all(length(line, 9) <= width + 0.1 or len(line) == 1 for line in lines)

    @pytest.mark.parametrize(
        ("text", "lines"),
        [
            ("", [""]),
            ("物业服务费", ["物业服务", "费"]),
            ("物业服务，费", ["物业服", "务，费"]),
            ("物业服（费）", ["物业服", "（费）"]),
            ("共 CH12 张", ["共 CH12 ", "张"]),
            ("物业 CH1234 张", ["物业 ", "CH1234 ", "张"]),
            ("ABCDEFGHIJK", ["ABCDEFG", "HIJK"]),
            ("物\n\n业", ["物", "", "业"]),
        ],
    )
    def test_keeps_together_what_belongs_together(self, text, lines):
        glyphs()

        assert break_lines(text, 10, 44) == lines
