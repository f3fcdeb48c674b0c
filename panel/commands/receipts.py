"""``flask receipts``: showing and printing receipts, at the shell."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup

from domain.money import show_yuan
from panel.commands.acting import (
    DAY,
    NEW_FILE,
    ROW_ID,
    as_staff,
    find_actor_and_community,
    find_services,
    give_up,
    in_community,
    telling,
)
from services.payments.receipt_prints import WhichReceipts
from services.payments.receipts import ReceiptView

receipts_cli = AppGroup("receipts", help="收据：查看、打印。")
_OUT = click.option("--out", "file", required=True, type=NEW_FILE, help="PDF 文件。")


def show_receipt(receipt: ReceiptView) -> None:
    """Print a receipt's lines, remarks, and what became of its money."""
    click.echo(f"收据 {receipt.receipt_no}：{show_yuan(receipt.amount_fen)}")
    for line in receipt.snapshot["lines"]:
        parts = [line["house"], line["item"], line["period"], line["bill_no"]]
        click.echo(f"  {' '.join(part for part in parts if part)}：{show_yuan(line['amount_fen'])}")
    for remark in receipt.snapshot["remarks"]:
        click.echo(f"  {remark}")
    for mark in receipt.marks:
        click.echo(f"  {mark.shown}{'（收据作废）' if mark.kind == 'void' else ''}")


@receipts_cli.command("show", help="查看一张收据。")
@click.argument("receipt_no", metavar="收据号")
@in_community
@as_staff
@telling
def show(receipt_no: str, code: str, login_name: str) -> None:
    """Show a receipt."""
    actor, community_id = find_actor_and_community(login_name, code)
    show_receipt(
        find_services().receipts.show_any(
            actor=actor, community_id=community_id, receipt_no=receipt_no
        )
    )


@receipts_cli.command("pdf", help="打印一张收据，写成 PDF；第二次起注明补打。")
@click.argument("receipt_no", metavar="收据号")
@_OUT
@in_community
@as_staff
@telling
def pdf(receipt_no: str, file: Path, code: str, login_name: str) -> None:
    """Print one receipt."""
    _write(WhichReceipts(receipt_nos=(receipt_no,)), file, code, login_name)


@receipts_cli.command("print", help="批量打印收据，写成一个 PDF，一次最多 200 张。")
@click.option("--no", "receipt_nos", multiple=True, help="收据号，可写多次。")
@click.option("--shift", "shift_id", type=ROW_ID, help="某个班次的。")
@click.option("--cashier", default="", help="某位收款人（登录名）的。")
@click.option("--day", type=DAY, help="某天开具的，例如 2026-11-24。")
@_OUT
@in_community
@as_staff
@telling
def print_many(
    receipt_nos: tuple[str, ...],
    shift_id: int | None,
    cashier: str,
    day: datetime | None,
    file: Path,
    code: str,
    login_name: str,
) -> None:
    """Print many receipts."""
    which = WhichReceipts(receipt_nos, shift_id, cashier, day.date() if day else None)
    _write(which, file, code, login_name)


def _write(which: WhichReceipts, file: Path, code: str, login_name: str) -> None:
    actor, community_id = find_actor_and_community(login_name, code)
    content = find_services().receipt_prints.print_receipts(
        actor=actor,
        community_id=community_id,
        which=which,
        base_url=current_app.config["PUBLIC_BASE_URL"],
    )
    try:
        file.write_bytes(content)
    except OSError as error:
        give_up(f"不能写入文件 {file}（{error.strerror}）")
    click.echo(f"已写好 {file}")
