"""What is asked of a report and what it answers: rows, totals and the words around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import ClassVar, Generic, Protocol, TypeVar

from domain.money import divide_half_up
from domain.periods import SHANGHAI, Span
from services.ports import Column, ColumnKind, TableCell, TableDocument

TOTAL = "合计"
NO_RATE = "—"


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """What a report looks at.

    ``span`` are whole months in which the periods of the bills begin, or, for what counts money by
    its day, the days. No ids mean all buildings or items. ``as_of`` is a local day up to whose end
    things count; without it everything up to now does.
    """

    community_id: int
    span: Span | None = None
    building_ids: tuple[int, ...] = ()
    fee_item_ids: tuple[int, ...] = ()
    as_of: date | None = None


class CollectionBy(StrEnum):
    """What a row of the collection report is about."""

    MONTH = "month"
    BUILDING = "building"
    ITEM = "item"


class ArrearsBy(StrEnum):
    """What a row of the arrears report is about."""

    BUILDING = "building"
    ITEM = "item"
    HOUSE = "house"


class CashBy(StrEnum):
    """What a row of the cash report is about."""

    DAY = "day"
    CHANNEL = "channel"
    CASHIER = "cashier"


class OfflineBy(StrEnum):
    """What a row of the report on the counter is about."""

    DAY = "day"
    CHANNEL = "channel"
    CASHIER = "cashier"
    BUILDING = "building"


class FileForm(StrEnum):
    """As what file a table is written."""

    PDF = "pdf"
    XLSX = "xlsx"


BY_SHOWN: dict[str, str] = {
    "month": "账期",
    "building": "楼栋",
    "item": "收费项目",
    "house": "房屋",
    "day": "日期",
    "channel": "渠道",
    "cashier": "收款人",
}


def _fen(title: str) -> Column:
    return Column(title, ColumnKind.FEN, 7)


class Row(Protocol):
    """One line of a report; its first cell is the label."""

    FIGURES: ClassVar[tuple[Column, ...]]

    def cells(self) -> tuple[TableCell, ...]:
        """Give the label and the figures in the order of the columns."""
        ...


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """What was asked for and what of it came."""

    FIGURES: ClassVar[tuple[Column, ...]] = (
        _fen("应收"),
        _fen("实收"),
        _fen("核销"),
        _fen("未收"),
        Column("收缴率", ColumnKind.TEXT, 6),
    )

    label: str
    receivable_fen: int
    received_fen: int
    written_off_fen: int

    @property
    def outstanding_fen(self) -> int:
        """What is still owed."""
        return self.receivable_fen - self.received_fen - self.written_off_fen

    @property
    def collection_rate(self) -> str:
        """Received ÷ receivable as percent with two decimals, half up; a dash of nothing."""
        if not self.receivable_fen:
            return NO_RATE
        hundredths = divide_half_up(self.received_fen * 10_000, self.receivable_fen)
        return f"{hundredths // 100}.{hundredths % 100:02d}%"

    def cells(self) -> tuple[TableCell, ...]:
        """Give the label and the figures in the order of the columns."""
        return (
            self.label,
            self.receivable_fen,
            self.received_fen,
            self.written_off_fen,
            self.outstanding_fen,
            self.collection_rate,
        )


AGES: tuple[tuple[int, int | None, str], ...] = (
    (1, 30, "1–30 天"),
    (31, 90, "31–90 天"),
    (91, 180, "91–180 天"),
    (181, 365, "181–365 天"),
    (366, None, "超过 365 天"),
)
"""Days overdue, both ends counted, and how that is said."""


@dataclass(frozen=True, slots=True)
class ArrearsRow:
    """What is overdue, by age: ``aged_fen`` has one amount for each of `AGES`."""

    FIGURES: ClassVar[tuple[Column, ...]] = (
        _fen("欠费合计"),
        *(_fen(title) for _, _, title in AGES),
    )

    label: str
    overdue_fen: int
    aged_fen: tuple[int, ...]
    house_id: int | None = None

    def cells(self) -> tuple[TableCell, ...]:
        """Give the label and the figures in the order of the columns."""
        return (self.label, self.overdue_fen, *self.aged_fen)


@dataclass(frozen=True, slots=True)
class RecoveryRow:
    """What came in for bills that were overdue already."""

    FIGURES: ClassVar[tuple[Column, ...]] = (
        Column("账单数", ColumnKind.COUNT, 5),
        _fen("本金"),
        _fen("滞纳金"),
        _fen("清欠合计"),
    )

    label: str
    bill_count: int
    principal_fen: int
    late_fee_fen: int

    def cells(self) -> tuple[TableCell, ...]:
        """Give the label and the figures in the order of the columns."""
        recovered_fen = self.principal_fen + self.late_fee_fen
        return (self.label, self.bill_count, self.principal_fen, self.late_fee_fen, recovered_fen)


@dataclass(frozen=True, slots=True)
class CashRow:
    """Money that came in, what it went to then, and what of it has gone back since."""

    FIGURES: ClassVar[tuple[Column, ...]] = (
        Column("笔数", ColumnKind.COUNT, 4),
        _fen("收款合计"),
        _fen("账单本金"),
        _fen("滞纳金"),
        _fen("预存"),
        _fen("押金"),
        _fen("暂存"),
        _fen("已退款"),
        _fen("净额"),
    )

    label: str
    payment_count: int
    amount_fen: int
    principal_fen: int
    late_fee_fen: int
    prepaid_fen: int
    deposit_fen: int
    suspense_fen: int
    refunded_fen: int

    @property
    def net_fen(self) -> int:
        """What is left of it."""
        return self.amount_fen - self.refunded_fen

    def cells(self) -> tuple[TableCell, ...]:
        """Give the label and the figures in the order of the columns."""
        return (
            self.label,
            self.payment_count,
            self.amount_fen,
            self.principal_fen,
            self.late_fee_fen,
            self.prepaid_fen,
            self.deposit_fen,
            self.suspense_fen,
            self.refunded_fen,
            self.net_fen,
        )


@dataclass(frozen=True, slots=True)
class OfflineRow:
    """Money over the counter: what came in, and apart from it what went out again."""

    FIGURES: ClassVar[tuple[Column, ...]] = (
        Column("收款笔数", ColumnKind.COUNT, 5),
        Column("收据数", ColumnKind.COUNT, 5),
        _fen("收款"),
        Column("冲红笔数", ColumnKind.COUNT, 5),
        _fen("冲红"),
        Column("退款笔数", ColumnKind.COUNT, 5),
        _fen("退款"),
        _fen("净额"),
    )

    label: str
    payment_count: int
    receipt_count: int
    received_fen: int
    reversed_count: int
    reversed_fen: int
    refund_count: int
    refunded_fen: int

    @property
    def net_fen(self) -> int:
        """What stays of what came in."""
        return self.received_fen - self.reversed_fen - self.refunded_fen

    def cells(self) -> tuple[TableCell, ...]:
        """Give the label and the figures in the order of the columns."""
        return (
            self.label,
            self.payment_count,
            self.receipt_count,
            self.received_fen,
            self.reversed_count,
            self.reversed_fen,
            self.refund_count,
            self.refunded_fen,
            self.net_fen,
        )


R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Report(Generic[R]):
    """A report: ``definition`` says what is counted, ``filter`` of what, ``as_of`` up to when.

    ``totals`` is over everything that the filter takes in, also when ``rows`` are one page of it;
    ``next_after_id`` is None on the last page.
    """

    title: str
    community: str
    definition: str
    filter: tuple[tuple[str, str], ...]
    as_of: datetime
    columns: tuple[Column, ...]
    rows: tuple[R, ...]
    totals: R
    next_after_id: int | None = None


def as_document(report: Report[R]) -> TableDocument:
    """Write a report as a table to print: the same rows and totals, definition, filter, as-of."""
    return TableDocument(
        title=report.title,
        subtitle=report.community,
        facts=report.filter,
        columns=report.columns,
        rows=[row.cells() for row in report.rows],
        totals=[report.totals.cells()],
        notes=[f"口径：{report.definition}", f"{show_as_of(report.as_of)}；金额单位：元。"],
    )


def columns_of(by: StrEnum, row: type[Row]) -> tuple[Column, ...]:
    """Name the columns of a report: what its rows are about, then the figures."""
    return (Column(BY_SHOWN[by], ColumnKind.TEXT, 12), *row.FIGURES)


def show_as_of(as_of: datetime) -> str:
    """Say up to when things were counted."""
    return f"截至 {as_of.astimezone(SHANGHAI):%Y-%m-%d %H:%M}（北京时间）"


def named(words: Sequence[str]) -> str:
    """List what was chosen; nothing chosen is everything."""
    return "、".join(words) if words else "全部"
