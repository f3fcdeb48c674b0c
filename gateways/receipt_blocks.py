"""The strips that a receipt's pages are made of: facts, lines of the table, total, foot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from reportlab.lib.units import mm

from domain.capitals import in_capitals
from domain.money import format_yuan, show_yuan
from gateways.pdf_boxes import Box, fit_text
from gateways.pdf_text import GREY, LEADING, LINE, SHADE, FlowingText, break_lines, glyphs
from services.printing import ReceiptLine, ReceiptSheet

LEFT, WIDTH = 12 * mm, 186 * mm
_BESIDE_CODE = 157 * mm
_SIZE = 9
_PADDING = 1.3 * mm
_LINES_LIMIT = 15
"""Lines of text in one strip, fewer than fit a page; longer texts go on in further strips."""
_LABEL_WIDTH = 17 * mm
_GUTTER = 4 * mm
_TOGETHER_LIMIT = 75 * mm
"""Up to this height the last line, the total, the remarks and the foot stay on one page."""


@dataclass(frozen=True, slots=True)
class Block:
    """A strip that stays whole; ``draw`` gets a canvas and the height of its upper edge.

    It goes to a page that has ``keep`` points left for it; ``head`` stands above the first one of
    its kind on each page. Lengths in points.
    """

    height: float
    keep: float
    draw: Callable[[Any, float], None]
    head: Block | None = None


def blocks_of(sheet: ReceiptSheet) -> Iterator[Block]:
    """Cut a receipt into strips, from the top.

    Raises:
        ValueError: the total has no capitals.
    """
    *lines, last = _lines(sheet)
    ending = [_total(sheet), *_remarks(sheet), _foot(sheet)]
    height = last.height + sum(block.height for block in ending)
    yield from _facts(sheet)
    yield from lines
    yield replace(last, keep=min(height, _TOGETHER_LIMIT))
    yield from ending


def _facts(sheet: ReceiptSheet) -> Iterator[Block]:
    """Two facts to a line, beside the code."""
    facts = [
        ("交款人", sheet.payer),
        ("收款方式", sheet.channel),
        ("房屋", "、".join(sheet.houses)),
        ("收款时间", sheet.paid_at),
        *_numbers(sheet),
        ("凭证号", sheet.voucher_no),
    ]
    shown = [fact for fact in facts if fact[1]]
    value = (_BESIDE_CODE - _GUTTER) / 2 - _LABEL_WIDTH
    widths = [_LABEL_WIDTH, value, _GUTTER, _LABEL_WIDTH, value]
    looks = [{"colour": GREY}, {}, {}, {"colour": GREY}, {}]
    for left, right in zip_longest(shown[::2], shown[1::2], fillvalue=("", "")):
        yield from _strips([*left, "", *right], widths, looks, padding=0)


def _numbers(sheet: ReceiptSheet) -> list[tuple[str, str]]:
    """The channel's number and ours; money taken at a counter has but one."""
    if sheet.transaction_id == sheet.out_trade_no:
        return [("收款单号", sheet.out_trade_no)]
    return [("交易单号", sheet.transaction_id), ("商户单号", sheet.out_trade_no)]


def _lines(sheet: ReceiptSheet) -> Iterator[Block]:
    """The table; the column of discounts is there if there is one."""
    texts: list[tuple[str, float, str, Callable[[ReceiptLine], str]]] = [
        ("房屋", 54, "left", lambda line: line.house),
        ("收费项目", 50, "left", lambda line: line.item),
        ("计费期间", 46, "center", lambda line: line.period),
        ("实收（元）", 29, "right", lambda line: format_yuan(line.amount_fen, separators=True)),
    ]
    if any(line.discount_fen for line in sheet.lines):
        texts.insert(3, ("优惠（元）", 25, "right", _discount))
    whole = sum(width for _, width, _, _ in texts)
    widths = [WIDTH * width / whole for _, width, _, _ in texts]
    looks = [{"alignment": alignment} for _, _, alignment, _ in texts]
    titles = [title for title, _, _, _ in texts]
    [head] = _strips(titles, widths, [{"alignment": "center", "is_bold": True}] * len(texts), SHADE)
    for line in sheet.lines:
        cells = [show(line) for _, _, _, show in texts]
        for block in _strips(cells, widths, looks):
            yield replace(block, keep=block.height, head=head)


def _discount(line: ReceiptLine) -> str:
    return format_yuan(line.discount_fen, separators=True) if line.discount_fen else ""


def _total(sheet: ReceiptSheet) -> Block:
    """The total in capitals, which the word 人民币 touches so that nothing can be put before it."""
    height = 8.5 * mm
    words = f"合计（大写）：人民币{in_capitals(sheet.total_fen)}"

    def draw(canvas: Any, top: float) -> None:
        canvas.setStrokeColor(LINE)
        canvas.setLineWidth(0.4)
        canvas.rect(LEFT, top - height, WIDTH, height)
        inner = WIDTH - 2 * _PADDING
        left = Box(LEFT + _PADDING, top, inner * 0.7, height)
        fit_text(canvas, words, left, 11, is_bold=True)
        right = Box(LEFT + _PADDING + inner * 0.7, top, inner * 0.3, height)
        text = f"（小写）：{show_yuan(sheet.total_fen)}"
        fit_text(canvas, text, right, 11, alignment="right", is_bold=True)

    room = height + 1.5 * mm
    return Block(room, room, draw)


def _remarks(sheet: ReceiptSheet) -> Iterator[Block]:
    for number, remark in enumerate(sheet.remarks):
        label = "" if number else "备注"
        widths = [_LABEL_WIDTH, WIDTH - _LABEL_WIDTH]
        yield from _strips([label, remark], widths, [{"colour": GREY}, {}], padding=0)


def _foot(sheet: ReceiptSheet) -> Block:
    """Room for the seal, and who took the money."""
    height = 13 * mm

    def draw(canvas: Any, top: float) -> None:
        seal = Box(LEFT, top - 3 * mm, 90 * mm, 5 * mm)
        fit_text(canvas, "收款单位（盖章）：", seal, 10)
        if sheet.cashier:
            taker = Box(LEFT + 100 * mm, top - 3 * mm, WIDTH - 100 * mm, 5 * mm)
            fit_text(canvas, f"收款人：{sheet.cashier}", taker, 10)

    return Block(height, height, draw)


def _strips(
    texts: Sequence[str],
    widths: Sequence[float],
    looks: Sequence[dict[str, Any]],
    fill: Any = None,
    padding: float = _PADDING,
) -> Iterator[Block]:
    """Set texts side by side, each in its width; with ``padding`` also the lines around them."""
    broken = [
        break_lines(text.translate(glyphs()), _SIZE, width - 2 * padding - 1)
        for text, width in zip(texts, widths, strict=True)
    ]
    most = max(len(lines) for lines in broken)
    for start in range(0, most, _LINES_LIMIT):
        parts = ["\n".join(lines[start : start + _LINES_LIMIT]) for lines in broken]
        yield _strip(parts, widths, looks, fill, padding)


def _strip(
    parts: Sequence[str],
    widths: Sequence[float],
    looks: Sequence[dict[str, Any]],
    fill: Any,
    padding: float,
) -> Block:
    count = max(part.count("\n") for part in parts) + 1
    gap = 0.9 * mm if padding else 0.4 * mm
    height = count * _SIZE * LEADING + 2 * gap

    def draw(canvas: Any, top: float) -> None:
        x = LEFT
        for part, width, look in zip(parts, widths, looks, strict=True):
            if padding:
                canvas.setStrokeColor(LINE)
                canvas.setLineWidth(0.4)
                if fill:
                    canvas.setFillColor(fill)
                canvas.rect(x, top - height, width, height, fill=int(bool(fill)))
            flowing = FlowingText(part, _SIZE, **look)
            flowing.wrap(width - 2 * padding, height)
            flowing.drawOn(canvas, x + padding, top - gap - flowing.height)
            x += width

    return Block(height, height, draw)
