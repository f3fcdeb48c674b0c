"""``flask report`` and ``flask statement``: figures and statements, at the shell or as files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup, with_appcontext

from domain.actors import Actor
from domain.money import format_yuan
from domain.periods import Span, add_months, calendar_month, local_date
from panel.commands.acting import (
    DAY,
    DAY_YEARS,
    NEW_FILE,
    InYears,
    as_staff_or_operator,
    find_actor_and_community,
    find_services,
    in_community,
    save_file,
    telling,
)
from services.ports import ColumnKind, TableCell, TableDocument
from services.reports.tables import (
    ArrearsBy,
    CashBy,
    CollectionBy,
    FileForm,
    OfflineBy,
    R,
    Report,
    ReportFilter,
    as_document,
)
from services.statement_pages import as_page

_MONTH = re.compile(r"\A(20[0-9]{2})-(0[1-9]|1[0-2])\Z", re.ASCII)

_A_DAY = InYears("%Y-%m-%d", DAY_YEARS, "应为月份或日期，例如 2026-09 或 2026-09-15")


class _MonthOrDay(click.ParamType[Span]):
    """A month such as 2026-09, or a day such as 2026-09-15, as the days that it is."""

    name = "月份或日期"

    def convert(self, value: Any, param: Any, ctx: Any) -> Span:
        """Read the days that are meant."""
        if found := _MONTH.match(value):
            return calendar_month(date(int(found[1]), int(found[2]), 1))
        day = _A_DAY.convert(value, param, ctx).date()
        return Span(day, date.fromordinal(day.toordinal() + 1))


report_cli = AppGroup("report", help="报表：收缴、欠费、清欠、收款、柜台。")


def _common(command: Callable[..., None]) -> Callable[..., None]:
    """Give a report the options that all have."""
    options = [
        click.option(
            "--from",
            "first",
            type=_MonthOrDay(),
            help="从，例如 2026-09 或 2026-09-15；欠费报表以外必填。",
        ),
        click.option(
            "--until", "last", type=_MonthOrDay(), help="至（含）；不写则与 --from 同月或同日。"
        ),
        click.option("--as-of", type=DAY, help="截至这天的数字，默认现在。"),
        click.option("--building", "buildings", multiple=True, help="只看某楼栋，可写多次。"),
        click.option("--item", "items", multiple=True, help="只看某收费项目，可写多次。"),
        click.option("--xlsx", type=NEW_FILE, help="另存为 Excel 文件。"),
        click.option("--pdf", type=NEW_FILE, help="另存为 PDF 文件。"),
        in_community,
        as_staff_or_operator,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _by(words: Sequence[str], default: str) -> Callable[..., Any]:
    return click.option(
        "--by",
        default=default,
        show_default=True,
        type=click.Choice([str(word) for word in words]),
        help="按什么分行。",
    )


@report_cli.command("collection", help="收缴情况：应收、实收、未收、收缴率。")
@_by(list(CollectionBy), "month")
@_common
@telling
def report_collection(by: str, **chosen: Any) -> None:
    """Show what was asked for and what came."""
    asked = _Asked(chosen)
    asked.show(
        find_services().reports.collection(
            actor=asked.actor, which=asked.which, by=CollectionBy(by)
        )
    )


@report_cli.command("arrears", help="欠费账龄：到期未缴的本金。")
@_by(list(ArrearsBy), "building")
@_common
@telling
def report_arrears(by: str, **chosen: Any) -> None:
    """Show what is overdue by age."""
    asked = _Asked(chosen)
    asked.show(
        find_services().reports.arrears(
            actor=asked.actor, which=asked.which, by=ArrearsBy(by), limit=None
        )
    )


@report_cli.command("recovery", help="清欠情况：期间内收回的以前欠费。")
@_by(list(CollectionBy), "month")
@_common
@telling
def report_recovery(by: str, **chosen: Any) -> None:
    """Show what came in for bills that were due before."""
    asked = _Asked(chosen)
    asked.show(
        find_services().reports.recovery(actor=asked.actor, which=asked.which, by=CollectionBy(by))
    )


@report_cli.command("cash", help="收款汇总：按付款日期收到的款项及去向。")
@_by(list(CashBy), "day")
@_common
@telling
def report_cash(by: str, **chosen: Any) -> None:
    """Show the payments and what they went to."""
    asked = _Asked(chosen)
    asked.show(find_services().reports.cash_in(actor=asked.actor, which=asked.which, by=CashBy(by)))


@report_cli.command("offline", help="柜台收款统计：收款、冲红、退款、净额和收据数。")
@_by(list(OfflineBy), "cashier")
@_common
@telling
def report_offline(by: str, **chosen: Any) -> None:
    """Show the money over the counter."""
    asked = _Asked(chosen)
    asked.show(
        find_services().reports.offline(actor=asked.actor, which=asked.which, by=OfflineBy(by))
    )


class _Asked:
    """What was asked for at the shell, and how the answer is told."""

    actor: Actor
    which: ReportFilter

    def __init__(self, chosen: dict[str, Any]) -> None:
        self._files = {FileForm.XLSX: chosen["xlsx"], FileForm.PDF: chosen["pdf"]}
        self.actor, community_id = find_actor_and_community(chosen["login_name"], chosen["code"])
        building_ids, fee_item_ids = find_services().reports.find_ids(
            actor=self.actor,
            community_id=community_id,
            buildings=chosen["buildings"],
            items=chosen["items"],
        )
        self.which = ReportFilter(
            community_id=community_id,
            span=_span(chosen["first"], chosen["last"]),
            building_ids=building_ids,
            fee_item_ids=fee_item_ids,
            as_of=chosen["as_of"].date() if chosen["as_of"] else None,
        )

    def show(self, report: Report[R]) -> None:
        """Print a report, and write the files that were asked for."""
        print_table(as_document(report))
        for form, path in self._files.items():
            if path:
                content = find_services().reports.write(actor=self.actor, report=report, form=form)
                save_file(path, content)


def _span(first: Span | None, last: Span | None) -> Span | None:
    """Tell the days from the first of one to the last of the other; either stands for both."""
    first, last = first or last, last or first
    if first is None or last is None:
        return None
    return Span(first.starts_on, last.ends_before)


@click.command("statement", help="一户的对账单：期初、每笔变动、期末。")
@click.option("--house", required=True, help="房屋，例如 1栋1单元101。")
@click.option("--from", "first", type=DAY, help="从（含），默认一年前。")
@click.option("--until", "last", type=DAY, help="至（含），默认今天。")
@click.option("--xlsx", type=NEW_FILE, help="另存为 Excel 文件。")
@click.option("--pdf", type=NEW_FILE, help="另存为 PDF 文件。")
@in_community
@as_staff_or_operator
@with_appcontext
@telling
def statement(
    house: str,
    first: datetime | None,
    last: datetime | None,
    xlsx: Path | None,
    pdf: Path | None,
    code: str,
    login_name: str | None,
) -> None:
    """Print the statement of a house, and write the files that were asked for."""
    found = find_services()
    actor, community_id = find_actor_and_community(login_name, code)
    until_on = last.date() if last else local_date(found.clock.now())
    from_on = first.date() if first else add_months(until_on, -12)
    named: dict[str, Any] = {
        "actor": actor,
        "community_id": community_id,
        "house": house,
        "from_on": from_on,
        "until_on": until_on,
    }
    print_table(as_page(found.statements.show(**named)))
    for form, path in ((FileForm.XLSX, xlsx), (FileForm.PDF, pdf)):
        if path:
            save_file(path, found.statements.write(**named, form=form).content)


def print_table(document: TableDocument) -> None:
    """Print a table with its words around it, its columns below each other."""
    click.secho(f"{document.subtitle} {document.title}", bold=True)
    for label, value in document.facts:
        click.echo(f"{label}：{value}")
    kinds = [column.kind for column in document.columns]
    head = [column.title for column in document.columns]
    body = [
        [_shown(kind, cell) for kind, cell in zip(kinds, row, strict=True)]
        for row in (*document.rows, *document.totals)
    ]
    widths = [max(map(_width, cells)) for cells in zip(head, *body, strict=True)]
    click.echo(_line(head, widths, kinds))
    click.echo("─" * (sum(widths) + 2 * (len(widths) - 1)))
    for row in body:
        click.echo(_line(row, widths, kinds))
    if not document.rows:
        click.echo("没有符合条件的记录")
    for note in document.notes:
        click.echo(note)


def _shown(kind: ColumnKind, cell: TableCell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, int):
        return format_yuan(cell, separators=True) if kind is ColumnKind.FEN else f"{cell:,}"
    return str(cell)


def _line(cells: Sequence[str], widths: Sequence[int], kinds: Sequence[ColumnKind]) -> str:
    parts = []
    for cell, width, kind in zip(cells, widths, kinds, strict=True):
        gap = " " * (width - _width(cell))
        is_number = kind in (ColumnKind.FEN, ColumnKind.COUNT)
        parts.append(gap + cell if is_number else cell + gap)
    return "  ".join(parts).rstrip()


def _width(text: str) -> int:
    """Count columns of a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
