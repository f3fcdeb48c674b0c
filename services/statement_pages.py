"""A statement as pages to print and sheets to reckon with."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from domain.periods import SHANGHAI
from services.ports import Column, ColumnKind, TableCell, TableDocument
from services.statement_accounts import AccountKind, StatementAccount

TITLE = "对账单"
_COLUMNS = (
    Column("日期", ColumnKind.DATE, 6),
    Column("摘要", ColumnKind.TEXT, 20),
    Column("单据号", ColumnKind.TEXT, 13),
    Column("增加", ColumnKind.FEN, 6),
    Column("减少", ColumnKind.FEN, 6),
    Column("余额", ColumnKind.FEN, 7),
)
_NOTES = (
    "口径：应缴费用的余额＝当日结束时尚欠的账单本金＋已经固定、尚未缴的滞纳金。",
    "还在增长的滞纳金在缴费时计入；缴费按付款日期；余额为正表示应缴。",
    "预存和押金的余额是物业代收、尚未使用的款项，与应缴费用分开列示；起止两日均包含在内。",
)
_NOT_IN_FILE_NAMES = frozenset('/\\:*?"<>|=')
"""Signs that a file system refuses, or that a shell or a workbook would take for more than text."""
_CLOSING_SHOWN = {
    AccountKind.BILLS: "期末应缴费用合计",
    AccountKind.PREPAID: "期末预存余额合计",
    AccountKind.DEPOSIT: "期末押金余额合计",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """All accounts of a house from the start of ``from_on`` to the end of ``until_on``.

    The first account is what the house owes; the others are what is held for it.
    """

    house_id: int
    community: str
    house: str
    from_on: date
    until_on: date
    made_at: datetime
    accounts: tuple[StatementAccount, ...]

    @property
    def file_stem(self) -> str:
        """How a file of it is called, without its ending; any file system takes it."""
        name = f"{TITLE}_{self.community}_{self.house}_{self.from_on}_{self.until_on}"
        return "".join("-" if _is_not_in_file_names(sign) else sign for sign in name)


def _is_not_in_file_names(sign: str) -> bool:
    """Tell whether a sign is refused, or controls something, as a line end or a text direction."""
    kind = unicodedata.category(sign)
    return sign in _NOT_IN_FILE_NAMES or kind.startswith("C") or kind in ("Zl", "Zp")


def as_page(statement: Statement) -> TableDocument:
    """Write a statement as one table, account below account, to print."""
    rows: list[Sequence[TableCell]] = []
    for account in statement.accounts:
        if rows:
            rows.append((None,) * len(_COLUMNS))
        rows += _rows(account, statement)
        rows.append(_closing(account, statement))
    totals = []
    for kind, words in _CLOSING_SHOWN.items():
        closing = [one.closing_fen for one in statement.accounts if one.kind is kind]
        if closing:
            totals.append((None, words, None, None, None, sum(closing)))
    return _document(statement, TITLE, rows, totals)


def as_sheets(statement: Statement) -> list[TableDocument]:
    """Write a statement as one table for each account."""
    return [
        _document(
            statement,
            f"{TITLE} {account.name}",
            list(_rows(account, statement)),
            [_closing(account, statement)],
        )
        for account in statement.accounts
    ]


def _document(
    statement: Statement,
    title: str,
    rows: Sequence[Sequence[TableCell]],
    totals: Sequence[Sequence[TableCell]],
) -> TableDocument:
    return TableDocument(
        title=title,
        subtitle=statement.community,
        facts=(
            ("房屋", statement.house),
            ("期间", f"{statement.from_on} 至 {statement.until_on}"),
            ("制表时间", f"{statement.made_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"),
            ("金额单位", "元"),
        ),
        columns=_COLUMNS,
        rows=rows,
        totals=totals,
        notes=_NOTES,
    )


def _rows(account: StatementAccount, statement: Statement) -> Iterator[Sequence[TableCell]]:
    opening = f"【{account.name}】期初余额"
    yield (statement.from_on, opening, None, None, None, account.opening_fen)
    for entry in account.entries:
        is_added = entry.amount_fen > 0
        yield (
            entry.on,
            entry.words,
            entry.number,
            entry.amount_fen if is_added else None,
            None if is_added else -entry.amount_fen,
            entry.balance_fen,
        )


def _closing(account: StatementAccount, statement: Statement) -> Sequence[TableCell]:
    return (
        statement.until_on,
        f"【{account.name}】本期合计与期末余额",
        None,
        account.added_fen,
        account.taken_fen,
        account.closing_fen,
    )
