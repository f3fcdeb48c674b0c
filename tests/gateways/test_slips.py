"""Slips as files: pages, words and codes are read back from what was written."""

import io
import re
from dataclasses import replace
from threading import Barrier, Thread

import pypdfium2
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader

from gateways.documents import OfficeDocuments
from gateways.pdf_text import LAYING_OUT
from gateways.slips import PrintedSlips
from services.ports import Column, ColumnKind, TableDocument
from services.printing import SCAN_TO_PAY, DoorCode, ReceiptLine, ReceiptSheet

URL = "https://wuye.example.com/verify/CH-2025-0000123?c=abcdef0123456789"
LONG = "翡翠湖畔国际花园第二期（含商业配套及地下车库）东区高层住宅管理服务分中心壹号站点处"
MM = 72 / 25.4


def make_lines(count):
    return [
        ReceiptLine("1栋2单元1203", f"收费项目{n:03d}", "2025-03-01 ~ 2025-03-31", 126000 + n)
        for n in range(count)
    ]


def make_sheet(lines=None, **changes):
    lines = make_lines(2) if lines is None else lines
    given = {
        "community": "翠湖花园",
        "receipt_no": "CH-2025-0000123",
        "issued_on": "2025-05-17",
        "payer": "欧阳娜娜",
        "houses": ["1栋2单元1203"],
        "channel": "微信支付",
        "paid_at": "2025-05-17 09:30",
        "lines": lines,
        "total_fen": sum(line.amount_fen for line in lines),
        "verify_url": URL,
        "transaction_id": "4200001234202505171234567890",
        "out_trade_no": "P20250517093000ABCDEFGHIJKL",
    }
    return ReceiptSheet(**(given | changes))


def make_codes(count):
    return [
        DoorCode("翠湖花园", f"1栋2单元{n:04d}", f"https://wuye.example.com/h/{n:024d}")
        for n in range(count)
    ]


def receipts(*sheets):
    return PrintedSlips().write_receipts(sheets)


def door_codes(*codes):
    return PrintedSlips().write_door_codes(codes)


def pages(content):
    return PdfReader(io.BytesIO(content)).pages


def texts(content):
    """The text of each page without blanks, which extraction puts where it likes."""
    return [re.sub(r"\s", "", page.extract_text()) for page in pages(content)]


def drawn(content, dpi=150):
    """Each page as a grey image, drawn by a library that is not ours."""
    file = pypdfium2.PdfDocument(content)
    try:
        return [page.render(scale=dpi / 72, grayscale=True).to_pil() for page in file]
    finally:
        file.close()


def scanned(image):
    """What a scanner reads from an image, from the top, then from the left."""
    found = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.QRCode)
    return sorted(
        found, key=lambda code: (code.position.top_left.y // 50, code.position.top_left.x)
    )


def ink_at_edge(image, width):
    """Whether anything is drawn within ``width`` pixels of the paper's edge."""
    inner = Image.new("L", (image.width - 2 * width, image.height - 2 * width), 255)
    bare = image.copy()
    bare.paste(inner, (width, width))
    return bare.getextrema() != (255, 255)


def fonts(content):
    for page in pages(content):
        for font in page["/Resources"]["/Font"].values():
            yield font.get_object()


class TestReceipt:
    def test_every_word_is_there(self):
        lines = [
            ReceiptLine("1栋2单元1203", "物业服务费", "2025-03-01 ~ 2025-03-31", 126000, 500),
            ReceiptLine("1栋2单元1203", "预存", "", 1008),
        ]
        [text] = texts(
            receipts(
                make_sheet(
                    lines,
                    cashier="王小明",
                    voucher_no="PZ-0001",
                    remarks=["多付部分已转入预存", "第二条备注"],
                )
            )
        )

        for word in (
            "翠湖花园",
            "收款收据",
            "编号：CH-2025-0000123",
            "开具日期：2025-05-17",
            "交款人欧阳娜娜",
            "房屋1栋2单元1203",
            "收款方式微信支付",
            "收款时间2025-05-1709:30",
            "交易单号4200001234202505171234567890",
            "商户单号P20250517093000ABCDEFGHIJKL",
            "凭证号PZ-0001",
            "1栋2单元1203物业服务费2025-03-01~2025-03-315.001,260.00",
            "1栋2单元1203预存10.08",
            "合计（大写）：人民币壹仟贰佰柒拾元零捌分",
            "（小写）：¥1,270.08",
            "备注多付部分已转入预存",
            "第二条备注",
            "收款单位（盖章）",
            "收款人：王小明",
            "扫码验真",
            "第1/1页",
        ):
            assert word in text

    def test_what_is_empty_is_not_named(self):
        [text] = texts(receipts(make_sheet(transaction_id="", out_trade_no="")))

        for word in ("优惠", "交易单号", "商户单号", "凭证号", "收款人", "备注"):
            assert word not in text

    def test_the_one_number_of_counter_money_stands_there_once(self):
        number = "C20250517093000ABCDEFGHIJKL"
        [text] = texts(receipts(make_sheet(transaction_id=number, out_trade_no=number)))

        assert f"收款单号{number}" in text
        assert text.count(number) == 1

    def test_its_page_is_a_third_form(self):
        [page] = pages(receipts(make_sheet()))

        assert float(page.mediabox.width) == pytest.approx(210 * MM, abs=0.1)
        assert float(page.mediabox.height) == pytest.approx(140 * MM, abs=0.1)

    def test_its_title_is_its_number(self):
        read = PdfReader(io.BytesIO(receipts(make_sheet())))

        assert read.metadata.title == "收款收据 CH-2025-0000123"

    def test_the_code_opens_the_address(self):
        [image] = drawn(receipts(make_sheet()))

        assert [code.text for code in scanned(image)] == [URL]

    def test_the_longest_address_is_still_read(self):
        address = "https://wuye.example.com/".ljust(300, "x")

        [image] = drawn(receipts(make_sheet(verify_url=address)), dpi=200)

        assert [code.text for code in scanned(image)] == [address]

    def test_head_code_and_number_are_on_every_page(self):
        content = receipts(make_sheet(make_lines(50)))

        found = texts(content)
        assert len(found) > 2
        for number, (text, image) in enumerate(zip(found, drawn(content), strict=True), 1):
            assert "收款收据" in text
            assert "编号：CH-2025-0000123" in text
            assert "房屋收费项目计费期间实收（元）" in text
            assert f"第{number}/{len(found)}页" in text
            assert [code.text for code in scanned(image)] == [URL]
        assert ["合计" in text for text in found] == [False] * (len(found) - 1) + [True]

    def test_no_line_of_many_is_lost(self):
        found = re.findall(r"收费项目(\d{3})", "".join(texts(receipts(make_sheet(make_lines(50))))))

        assert found == [f"{n:03d}" for n in range(50)]

    @pytest.mark.parametrize("count", range(1, 22))
    def test_the_last_line_the_total_and_the_seal_stay_together(self, count):
        found = texts(receipts(make_sheet(make_lines(count), remarks=["备"])))

        assert "合计" in found[-1]
        assert "收款单位（盖章）" in found[-1]
        assert all(re.search(r"收费项目\d", text) for text in found)

    def test_long_names_are_wrapped_and_nothing_is_cut(self):
        assert len(LONG) >= 40
        lines = [ReceiptLine(LONG, LONG, LONG, 1, 1)]
        content = receipts(
            make_sheet(
                lines,
                community=LONG,
                payer=LONG,
                houses=[LONG],
                cashier=LONG,
                remarks=[LONG * 3],
                marks=[LONG],
                receipt_no="N" * 40,
                transaction_id="4" * 64,
            )
        )

        text = "".join(texts(content))
        for sign, times in (("翡", 10), ("壹号", 10), ("N", 40), ("4", 64)):
            assert text.count(sign) >= times, sign
        assert not any(ink_at_edge(image, 25) for image in drawn(content))

    def test_texts_longer_than_a_page_go_on_on_the_next(self):
        lines = [ReceiptLine("屋" * 3000, "项" * 900, "期" * 90, 1)]
        content = receipts(
            make_sheet(
                lines,
                community="区" * 1000,
                payer="名" * 3000,
                remarks=["注" * 3000],
                marks=["印"] * 60,
                watermark="底" * 100,
            )
        )

        pieces = "".join(texts(content))
        for sign, times in (("屋", 3000), ("项", 900), ("名", 3000), ("注", 3000)):
            # The words of the form hold some of these once or twice themselves.
            assert 0 <= pieces.count(sign) - times < 2 * len(pages(content)), sign
        assert pieces.count("区") == 1000 * len(pages(content))
        assert not any(ink_at_edge(image, 25) for image in drawn(content))

    def test_many_receipts_in_one_file(self):
        sheets = [make_sheet(receipt_no=f"CH-2025-{n:07d}") for n in range(99)]
        content = receipts(*sheets, make_sheet(make_lines(50), receipt_no="CH-2025-0000099"))

        found = texts(content)
        numbers = [re.search(r"CH-2025-(\d{7})", text)[1] for text in found]
        assert numbers[:100] == [f"{n:07d}" for n in range(100)]
        assert set(numbers[100:]) == {"0000099"}
        assert all("第1/1页" in text for text in found[:99])
        assert f"第1/{len(found) - 99}页" in found[99]

    def test_void_lies_grey_across_every_page_and_below_the_text(self):
        plain = make_sheet(make_lines(30))
        content = receipts(replace(plain, watermark="作废"))

        assert all("作废" in text for text in texts(content))
        for marked, bare in zip(drawn(content), drawn(receipts(plain)), strict=True):
            pairs = list(zip(bare.tobytes(), marked.tobytes(), strict=True))
            assert sum(below == 255 and 205 < above < 225 for below, above in pairs) > 10_000
            assert all(above <= 110 for below, above in pairs if below < 100)
            assert [code.text for code in scanned(marked)] == [URL]
        assert "作废" not in "".join(texts(receipts(plain)))

    def test_marks_stand_at_the_head_of_every_page(self):
        found = texts(
            receipts(make_sheet(make_lines(30), marks=["补打 第2次", "已退款 ¥1,260.00"]))
        )

        assert len(found) > 1
        assert all("补打第2次" in text and "已退款¥1,260.00" in text for text in found)

    def test_no_receipt_is_a_mistake_of_ours(self):
        with pytest.raises(ValueError, match="no receipt"):
            receipts()

    def test_no_line_is_a_mistake_of_ours(self):
        with pytest.raises(ValueError, match="needs a line"):
            make_sheet([])

    @pytest.mark.parametrize("total_fen", [252000, 252002, 0])
    def test_lines_must_add_up(self, total_fen):
        with pytest.raises(ValueError, match="add up"):
            make_sheet(total_fen=total_fen)

    def test_a_total_below_zero_is_no_receipt(self):
        with pytest.raises(ValueError, match="no amount"):
            receipts(make_sheet([ReceiptLine("a", "b", "", -1)]))

    @pytest.mark.parametrize("address", ["", "x" * 301, "字" * 101])
    def test_an_address_that_no_code_holds(self, address):
        with pytest.raises(ValueError, match="no text for a code"):
            receipts(make_sheet(verify_url=address))


class TestDoorCode:
    @pytest.mark.parametrize(("count", "expected"), [(1, 1), (6, 1), (7, 2), (13, 3)])
    def test_six_to_a_page_of_a4(self, count, expected):
        found = pages(door_codes(*make_codes(count)))

        assert len(found) == expected
        for page in found:
            assert float(page.mediabox.width) == pytest.approx(210 * MM, abs=0.1)
            assert float(page.mediabox.height) == pytest.approx(297 * MM, abs=0.1)

    def test_every_card_says_what_it_is(self):
        [text] = texts(door_codes(*make_codes(6)))

        assert text.count(SCAN_TO_PAY) == 6
        for n in range(6):
            assert text.count(f"1栋2单元{n:04d}") == 2
            assert f"翠湖花园1栋2单元{n:04d}" in text

    def test_each_code_is_on_its_card(self):
        codes = make_codes(8)

        found = [[code.text for code in scanned(image)] for image in drawn(door_codes(*codes))]

        assert found == [[code.url for code in codes[:6]], [code.url for code in codes[6:]]]

    @pytest.mark.parametrize("address", ["https://a.cn", URL, "https://a.cn/".ljust(300, "x")])
    def test_codes_are_large_and_bear_damage(self, address):
        [image] = drawn(door_codes(DoorCode("翠湖花园", "1栋2单元1203", address)), dpi=254)

        [code] = scanned(image)
        across_mm = (code.position.top_right.x - code.position.top_left.x) / 10
        assert across_mm >= 44.9
        assert code.text == address
        assert code.ec_level == "Q"

    def test_a_torn_code_is_still_read(self):
        [image] = drawn(door_codes(*make_codes(1)))
        [code] = scanned(image)
        side = code.position.bottom_right.x - code.position.top_left.x
        corner = code.position.bottom_right
        tear = Image.new("L", (side // 4, side // 4), 255)

        image.paste(tear, (corner.x - side // 4, corner.y - side // 4))

        assert [one.text for one in scanned(image)] == [make_codes(1)[0].url]

    def test_long_names_are_wrapped_and_nothing_is_cut(self):
        long = DoorCode(LONG, LONG, URL, hint=LONG)

        content = door_codes(long, long)

        [text] = texts(content)
        assert text.count(LONG[:2]) == text.count(LONG[-2:]) == 10
        [image] = drawn(content)
        assert [code.text for code in scanned(image)] == [URL, URL]
        assert not ink_at_edge(image, 50)

    def test_no_code_is_a_mistake_of_ours(self):
        with pytest.raises(ValueError, match="no door code"):
            door_codes()

    @pytest.mark.parametrize("address", ["", "x" * 301])
    def test_an_address_that_no_code_holds(self, address):
        with pytest.raises(ValueError, match="no text for a code"):
            door_codes(DoorCode("a", "b", address))


class TestQrPng:
    @pytest.mark.parametrize("text", [URL, "安居", "1", "x" * 300])
    def test_is_read_back(self, text):
        content = PrintedSlips().write_qr_png(text)

        image = Image.open(io.BytesIO(content))
        assert image.format == "PNG"
        assert [code.text for code in scanned(image.convert("L"))] == [text]

    def test_has_its_quiet_zone(self):
        image = Image.open(io.BytesIO(PrintedSlips().write_qr_png(URL))).convert("L")

        assert not ink_at_edge(image, 40)
        assert ink_at_edge(image, 41)

    @pytest.mark.parametrize("text", ["", "x" * 301, "\ud800"])
    def test_a_text_that_no_code_holds(self, text):
        with pytest.raises(ValueError, match=r"no text|surrogates"):
            PrintedSlips().write_qr_png(text)


HOSTILE = [
    ("a\x00b\x1b[31m", "ab[31m"),
    ("\u202egpj.exe", "gpj.exe"),
    ("<b>&amp;</para>", "<b>&amp;</para>"),
    ("😀\u200d👧", "〓〓"),
    ("\ud800", "〓"),
    ("%s{0}", "%s{0}"),
]


class TestBoth:
    def test_the_font_is_in_the_file_and_no_other(self):
        for content in (receipts(make_sheet(watermark="作废")), door_codes(*make_codes(2))):
            found = list(fonts(content))

            assert found
            for font in found:
                assert "WenQuanYiMicroHei" in font["/BaseFont"]
                assert "/FontFile2" in font["/FontDescriptor"].get_object()
            assert b"Helvetica" not in content

    def test_characters_without_a_glyph_are_shown_as_the_mark_for_it(self):
        [receipt] = texts(receipts(make_sheet(payer="王㛃𬱖", watermark="作废😀")))
        [card] = texts(door_codes(DoorCode("翠湖😀", "𬱖楼", URL)))

        assert "交款人王〓〓" in receipt
        assert "作废〓" in receipt
        assert "翠湖〓〓楼" in card

    @pytest.mark.parametrize(("text", "shown"), HOSTILE)
    def test_hostile_text_is_only_text(self, text, shown):
        lines = [ReceiptLine(text, text, text, 1)]
        sheet = make_sheet(
            lines,
            community=text,
            receipt_no=text,
            issued_on=text,
            payer=text,
            houses=[text],
            channel=text,
            paid_at=text,
            cashier=text,
            remarks=[text],
            marks=[text],
            watermark=text,
        )

        [receipt] = texts(receipts(sheet))
        [card] = texts(door_codes(DoorCode(text, text, URL, hint=text)))

        assert receipt.count(shown) == 14
        assert card.count(shown) == 5
        assert not set("\x00\x1b\u202e\ud800😀") & set(receipt + card)

    @settings(max_examples=30, deadline=None)
    @given(st.text(max_size=80), st.integers(0, 10**9))
    def test_any_text_makes_a_file(self, text, amount_fen):
        content = receipts(
            make_sheet([ReceiptLine(text, text, text, amount_fen)], payer=text, marks=[text])
        )

        assert f"第1/{len(pages(content))}页" in texts(content)[0]

    def test_the_same_slips_give_the_same_bytes(self):
        sheet, codes = make_sheet(make_lines(30), watermark="作废"), make_codes(7)

        assert receipts(sheet) == receipts(replace(sheet))
        assert door_codes(*codes) == door_codes(*map(replace, codes))
        assert PrintedSlips().write_qr_png(URL) == PrintedSlips().write_qr_png(URL)

    def test_are_written_by_many_threads_at_once_beside_other_documents(self):
        column = Column("收费项目", ColumnKind.TEXT, 10)
        table = TableDocument("表", "", [], [column], [[f"物业{n}"] for n in range(50)], [], [])
        sheets, codes = [make_sheet(make_lines(9))] * 3, make_codes(7)
        writer = PrintedSlips()
        jobs = [
            lambda: writer.write_receipts(sheets),
            lambda: writer.write_door_codes(codes),
            lambda: writer.write_qr_png(URL),
            lambda: OfficeDocuments().write_pdf(table),
        ] * 2
        expected = [job() for job in jobs]
        start, found = Barrier(len(jobs)), [b""] * len(jobs)

        def write(number):
            start.wait()
            found[number] = jobs[number]()

        threads = [Thread(target=write, args=(number,)) for number in range(len(jobs))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert found == expected

    @pytest.mark.parametrize(
        "write",
        [lambda: receipts(make_sheet()), lambda: door_codes(*make_codes(2))],
        ids=["receipts", "door_codes"],
    )
    def test_wait_while_another_file_is_laid_out(self, write):
        """The race itself is rare: what keeps it away is looked at."""
        found = []
        thread = Thread(target=lambda: found.append(write()))

        with LAYING_OUT:
            thread.start()
            thread.join(timeout=0.3)
            waits = thread.is_alive() and not found
        thread.join()

        assert waits
        assert found == [write()]
