"""``flask shift``: the drawers of cashiers, at the shell."""

from __future__ import annotations

from datetime import datetime

import click
from flask.cli import AppGroup

from domain.money import parse_yuan, show_yuan
from domain.payment_states import CHANNEL_SHOWN, PaymentChannel
from domain.periods import SHANGHAI
from panel.commands.acting import (
    DAY,
    ROW_ID,
    as_staff,
    find_actor_and_community,
    find_services,
    in_community,
    telling,
)
from services.counter.shift_views import ShiftView

shift_cli = AppGroup("shift", help="收款班次：开班、清点日结、交接。")
_SHIFT = click.argument("shift_id", type=ROW_ID, metavar="班次")


@shift_cli.command("open", help="开班，记下备用金。不开班直接收款会自动开班，备用金记 0。")
@click.option("--float", "float_yuan", default="0", show_default=True, help="备用金，元。")
@in_community
@as_staff
@telling
def open_shift(float_yuan: str, code: str, login_name: str) -> None:
    """Begin a shift."""
    actor, community_id = find_actor_and_community(login_name, code)
    shift = find_services().shifts.open(
        actor=actor, community_id=community_id, float_fen=parse_yuan(float_yuan)
    )
    click.echo(f"已开班：班次 {shift.id}，备用金 {show_yuan(shift.float_fen)}")


@shift_cli.command("close", help="停止收款，准备清点。")
@in_community
@as_staff
@telling
def close_shift(code: str, login_name: str) -> None:
    """Stop taking money."""
    actor, community_id = find_actor_and_community(login_name, code)
    shift = find_services().shifts.begin_close(actor=actor, community_id=community_id)
    click.echo(f"班次 {shift.id} 已停止收款，请点清现金（含备用金）和单据后录入：flask shift count")


@shift_cli.command("reopen", help="还没清点时，恢复收款。")
@in_community
@as_staff
@telling
def reopen_shift(code: str, login_name: str) -> None:
    """Go on taking money."""
    actor, community_id = find_actor_and_community(login_name, code)
    shift = find_services().shifts.reopen(actor=actor, community_id=community_id)
    click.echo(f"班次 {shift.id} 恢复收款")


@shift_cli.command("count", help="录入清点金额并日结；录入后才显示应有金额，不能重来。")
@click.option("--cash", required=True, help="现金，元，含备用金。")
@click.option("--card", default="0", help="刷卡单合计，元。")
@click.option("--transfer", default="0", help="银行转账单合计，元。")
@click.option("--cheque", default="0", help="支票合计，元。")
@click.option("--note", default="", help="差额原因；也可以日结后用 flask shift explain 说明。")
@in_community
@as_staff
@telling
def count_shift(
    cash: str, card: str, transfer: str, cheque: str, note: str, code: str, login_name: str
) -> None:
    """Count and close."""
    actor, community_id = find_actor_and_community(login_name, code)
    shift = find_services().shifts.count(
        actor=actor,
        community_id=community_id,
        counted_fen={
            PaymentChannel.CASH: parse_yuan(cash),
            PaymentChannel.CARD: parse_yuan(card),
            PaymentChannel.BANK_TRANSFER: parse_yuan(transfer),
            PaymentChannel.CHEQUE: parse_yuan(cheque),
        },
        note=note,
    )
    _show_counts(shift)
    if shift.needs_note:
        click.echo(f"有差额，请说明原因：flask shift explain {shift.id} --note …")


@shift_cli.command("explain", help="日结后说明差额原因，只能说明一次。")
@_SHIFT
@click.option("--note", required=True, help="差额原因，记录在案。")
@in_community
@as_staff
@telling
def explain_shift(shift_id: int, note: str, code: str, login_name: str) -> None:
    """Say why a count differs."""
    actor, community_id = find_actor_and_community(login_name, code)
    find_services().shifts.explain(
        actor=actor, community_id=community_id, shift_id=shift_id, note=note
    )
    click.echo(f"班次 {shift_id} 的差额已说明")


@shift_cli.command("hand-over", help="由另一位财务或经理点清并接收现金。")
@_SHIFT
@click.option("--cash", required=True, help="接收人点清的现金，元，须与清点一致。")
@in_community
@as_staff
@telling
def hand_over_shift(shift_id: int, cash: str, code: str, login_name: str) -> None:
    """Take the cash over."""
    actor, community_id = find_actor_and_community(login_name, code)
    shift = find_services().shifts.hand_over(
        actor=actor, community_id=community_id, shift_id=shift_id, cash_fen=parse_yuan(cash)
    )
    click.echo(f"班次 {shift.id} 已由 {shift.taken_over_by} 接收现金 {show_yuan(parse_yuan(cash))}")


@shift_cli.command("list", help="列出班次，最近的在前；收款员加 --own 看自己的。")
@click.option("--own", is_flag=True, help="只看自己的。")
@click.option("--day", type=DAY, help="只看某天开的班，例如 2026-11-24。")
@in_community
@as_staff
@telling
def list_shifts(own: bool, day: datetime | None, code: str, login_name: str) -> None:
    """List shifts."""
    actor, community_id = find_actor_and_community(login_name, code)
    found = find_services().shifts
    opened_on = day.date() if day else None
    if own:
        shifts = found.list_own(actor=actor, community_id=community_id, opened_on=opened_on)
    else:
        shifts = found.list_of_community(
            actor=actor, community_id=community_id, opened_on=opened_on
        )
    for shift in shifts:
        click.echo(_line(shift))
    if not shifts:
        click.echo("没有班次")


@shift_cli.command("show", help="查看一个班次；日结后显示每笔收付和各方式的差额。")
@_SHIFT
@in_community
@as_staff
@telling
def show_shift(shift_id: int, code: str, login_name: str) -> None:
    """Show a shift."""
    actor, community_id = find_actor_and_community(login_name, code)
    shift = find_services().shifts.show(actor=actor, community_id=community_id, shift_id=shift_id)
    click.echo(_line(shift))
    for entry in shift.entries:
        click.echo(
            f"  {_at(entry.at)} {entry.kind_shown} {CHANNEL_SHOWN[entry.channel]} "
            f"{show_yuan(entry.amount_fen)} {entry.number} {entry.payer_name}".rstrip()
        )
    if shift.counts:
        _show_counts(shift)
    else:
        click.echo("  日结后显示收付明细和应有金额")


def _line(shift: ShiftView) -> str:
    parts = [
        f"班次 {shift.id} {shift.cashier} {shift.state_shown}",
        f"{_at(shift.opened_at)} 开班",
        f"备用金 {show_yuan(shift.float_fen)}",
    ]
    if shift.closed_at:
        parts.append(f"{_at(shift.closed_at)} 日结")
    if shift.taken_over_at:
        parts.append(f"{_at(shift.taken_over_at)} {shift.taken_over_by} 接收")
    if shift.differs:
        parts.append("有差额，已说明" if shift.note else "有差额，未说明")
    return "，".join(parts)


def _show_counts(shift: ShiftView) -> None:
    click.echo(f"班次 {shift.id} 已日结：")
    for one in shift.counts:
        way = CHANNEL_SHOWN[one.channel]
        click.echo(
            f"  {way}：应有 {show_yuan(one.expected_fen)}，清点 {show_yuan(one.counted_fen)}，"
            f"差额 {show_yuan(one.difference_fen)}"
        )
    if shift.note:
        click.echo(f"  差额说明：{shift.note}")


def _at(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
