"""``flask counter``, ``prepaid`` and ``deposit``: money that houses hand over, at the shell."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import click
from flask.cli import AppGroup

from domain.actors import Actor
from domain.errors import NotFound
from domain.money import parse_yuan, show_yuan
from domain.payment_states import CHANNEL_SHOWN, OVER_THE_COUNTER, PaymentChannel
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
from panel.commands.fees import find_item
from panel.commands.receipts import show_receipt
from services.counter.cashiers import CounterPreview
from services.deposits import DepositView
from services.payments.money_in import MoneyIn
from services.prepaid.accounts import PrepaidAccountView

_BY_NAME = {CHANNEL_SHOWN[channel]: channel for channel in sorted(OVER_THE_COUNTER)}
_HOUSE = click.option("--house", required=True, help="房屋，例如 1栋1单元101。")
_AMOUNT = click.option("--amount", required=True, help="金额，元，例如 1260.00。")
_BILLS = click.option(
    "--bill", "bill_nos", multiple=True, help="指定缴哪张账单（账单号），可多次；不写则先到期先抵。"
)
_REASON = click.option("--reason", required=True, help="原因，记录在案。")
_KEY = click.option(
    "--key",
    default=lambda: secrets.token_hex(8),
    help="请求编号；重试同一笔时写同一个，避免重复收款。",
)

counter_cli = AppGroup("counter", help="柜台收款。")
prepaid_cli = AppGroup("prepaid", help="预存账户：余额、流水、转移、抵扣账单。")
deposit_cli = AppGroup("deposit", help="押金：收取、抵扣、查询。")


def _money_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--by",
            "channel",
            type=click.Choice([*_BY_NAME, *map(str, _BY_NAME.values())]),
            default=CHANNEL_SHOWN[PaymentChannel.CASH],
            show_default=True,
            help="收款方式。",
        ),
        click.option("--payer", required=True, help="付款人。"),
        click.option("--voucher", default="", help="凭证号；银行转账和支票必填。"),
        click.option("--note", default="", help="备注；补录须写明原因。"),
        click.option("--received-on", type=DAY, help="补录：实际收款日期，例如 2026-11-20。"),
    ):
        command = option(command)
    return command


def _read_money(chosen: dict[str, Any]) -> MoneyIn:
    channel, day = chosen["channel"], chosen["received_on"]
    return MoneyIn(
        channel=_BY_NAME.get(channel) or PaymentChannel(channel),
        amount_fen=parse_yuan(chosen["amount"]),
        payer_name=chosen["payer"],
        voucher_no=chosen["voucher"],
        note=chosen["note"],
        received_on=day.date() if day else None,
    )


def _find_house(actor: Actor, community_id: int, house: str) -> int:
    return find_services().meter_lists.find_house(
        actor=actor, community_id=community_id, label=house
    )


@counter_cli.command("preview", help="试算一笔收款会抵扣哪些账单，不入账。")
@_HOUSE
@_AMOUNT
@_BILLS
@in_community
@as_staff
@telling
def preview_counter(
    house: str, amount: str, bill_nos: tuple[str, ...], code: str, login_name: str
) -> None:
    """Show what would become of a lump sum."""
    actor, community_id = find_actor_and_community(login_name, code)
    house_id = _find_house(actor, community_id, house)
    shown = find_services().counter.preview(
        actor=actor,
        community_id=community_id,
        house_id=house_id,
        amount_fen=parse_yuan(amount),
        named_bill_ids=_find_bills(actor, community_id, house_id, bill_nos),
    )
    _show_owed(shown)
    click.echo(f"收款 {show_yuan(shown.amount_fen)}（{shown.rule}）：")
    for one in shown.placed:
        late_fee = f"，滞纳金 {show_yuan(one.late_fee_fen)}" if one.late_fee_fen else ""
        off = f"，优惠 {show_yuan(one.discount_fen)}" if one.discount_fen else ""
        click.echo(
            f"  {one.bill_no} {one.item}：本金 {show_yuan(one.principal_fen)}{late_fee}{off}"
        )
    if shown.prepaid_fen:
        click.echo(f"  转入预存：{show_yuan(shown.prepaid_fen)}")


def _show_owed(shown: CounterPreview) -> None:
    click.echo(f"今日应缴合计 {show_yuan(shown.owed_fen)}")
    for one in shown.owed:
        late_fee = f" + 滞纳金 {show_yuan(one.late_fee_fen)}" if one.late_fee_fen else ""
        off = f" - 提前缴费优惠 {show_yuan(one.discount_fen)}" if one.discount_fen else ""
        click.echo(
            f"  {one.bill_no} {one.item} {one.due_date} 到期："
            f"{show_yuan(one.open_fen)}{late_fee}{off}"
        )
    for bill_no in shown.held_bill_nos:
        click.echo(f"  {bill_no} 正在线上支付，不参与抵扣")


def _find_bills(
    actor: Actor, community_id: int, house_id: int, bill_nos: tuple[str, ...]
) -> list[int]:
    """Find open bills by their numbers.

    Raises:
        NotFound: one is not an open bill of the house.
    """
    if not bill_nos:
        return []
    shown = find_services().counter.preview(
        actor=actor, community_id=community_id, house_id=house_id, amount_fen=0
    )
    by_no = {one.bill_no: one.bill_id for one in shown.owed}
    for bill_no in bill_nos:
        if bill_no in shown.held_bill_nos:
            raise NotFound(f"账单 {bill_no} 正在线上支付，请先完成或取消那笔支付")
        if bill_no not in by_no:
            raise NotFound(f"这处房屋没有待缴的账单 {bill_no}")
    return [by_no[bill_no] for bill_no in bill_nos]


@counter_cli.command("take", help="收一笔款：抵扣账单，多出的转入预存，出收据。")
@_HOUSE
@_AMOUNT
@_BILLS
@_money_options
@_KEY
@in_community
@as_staff
@telling
def take_counter(
    house: str, bill_nos: tuple[str, ...], key: str, code: str, login_name: str, **chosen: Any
) -> None:
    """Take a lump sum."""
    actor, community_id = find_actor_and_community(login_name, code)
    house_id = _find_house(actor, community_id, house)
    receipt = find_services().counter.take(
        actor=actor,
        community_id=community_id,
        house_id=house_id,
        money=_read_money(chosen),
        named_bill_ids=_find_bills(actor, community_id, house_id, bill_nos),
        client_key=key,
    )
    show_receipt(receipt)


@prepaid_cli.command("show", help="查看一处房屋的预存账户和流水。")
@_HOUSE
@in_community
@as_staff
@telling
def show_prepaid(house: str, code: str, login_name: str) -> None:
    """Show the prepaid accounts of a house."""
    actor, community_id = find_actor_and_community(login_name, code)
    accounts = find_services().prepaid.show(
        actor=actor, house_id=_find_house(actor, community_id, house)
    )
    if not accounts:
        click.echo("没有预存账户")
    for account in accounts:
        _show_account(account)


def _show_account(account: PrepaidAccountView) -> None:
    click.echo(f"账户 {account.id}（{account.item}）：余额 {show_yuan(account.balance_fen)}")
    for one in account.entries:
        at = one.at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
        click.echo(
            f"  {at} {one.kind_shown} {show_yuan(one.amount_fen)}，"
            f"余额 {show_yuan(one.balance_fen)} {one.note}"
        )


@prepaid_cli.command("transfer", help="把一个预存账户的钱转到另一处房屋或另一个项目。")
@click.argument("account_id", type=ROW_ID, metavar="账户")
@click.option("--to-house", required=True, help="转到哪处房屋，例如 1栋1单元102。")
@click.option("--to-item", help="只用于哪个收费项目（编号）；不写则通用。")
@_AMOUNT
@_REASON
@_KEY
@in_community
@as_staff
@telling
def transfer_prepaid(
    account_id: int,
    to_house: str,
    to_item: str | None,
    amount: str,
    reason: str,
    key: str,
    code: str,
    login_name: str,
) -> None:
    """Move prepaid money."""
    actor, community_id = find_actor_and_community(login_name, code)
    to_account_id = find_services().prepaid.transfer(
        actor=actor,
        from_account_id=account_id,
        to_house_id=_find_house(actor, community_id, to_house),
        to_fee_item_id=find_item(actor, community_id, to_item).id if to_item else None,
        amount_fen=parse_yuan(amount),
        reason=reason,
        client_key=key,
    )
    click.echo(f"已转 {show_yuan(parse_yuan(amount))} 到账户 {to_account_id}")


@prepaid_cli.command("offset", help="用预存余额抵扣账单：一处房屋，或不写房屋则全小区。")
@click.option("--house", help="房屋，例如 1栋1单元101。")
@in_community
@as_staff
@telling
def offset_prepaid(house: str | None, code: str, login_name: str) -> None:
    """Pay bills from prepaid balances."""
    actor, community_id = find_actor_and_community(login_name, code)
    offsets = find_services().prepaid_offsets
    if house is None:
        done = offsets.offset_community(actor=actor, community_id=community_id)
    else:
        done = offsets.offset(actor=actor, house_id=_find_house(actor, community_id, house))
    click.echo(
        f"已抵扣 {done.house_count} 户 {done.bill_count} 张账单，合计 {show_yuan(done.amount_fen)}"
    )


@deposit_cli.command("take", help="收取押金并出收据。")
@click.argument("name", metavar="名称")
@_HOUSE
@_AMOUNT
@_money_options
@_KEY
@in_community
@as_staff
@telling
def take_deposit(
    name: str, house: str, key: str, code: str, login_name: str, **chosen: Any
) -> None:
    """Take a deposit."""
    actor, community_id = find_actor_and_community(login_name, code)
    receipt = find_services().deposits.take(
        actor=actor,
        community_id=community_id,
        house_id=_find_house(actor, community_id, house),
        name=name,
        money=_read_money(chosen),
        client_key=key,
    )
    show_receipt(receipt)


@deposit_cli.command("deduct", help="用押金抵扣同一房屋的一张账单。")
@click.argument("deposit_id", type=ROW_ID, metavar="押金")
@click.option("--bill", "bill_no", required=True, help="账单号。")
@_AMOUNT
@_REASON
@_KEY
@in_community
@as_staff
@telling
def deduct_deposit(
    deposit_id: int, bill_no: str, amount: str, reason: str, key: str, code: str, login_name: str
) -> None:
    """Pay a bill from a deposit."""
    found = find_services()
    actor, community_id = find_actor_and_community(login_name, code)
    house_id = found.deposits.show(actor=actor, deposit_id=deposit_id).house_id
    deposit = found.deposits.deduct(
        actor=actor,
        deposit_id=deposit_id,
        bill_id=_find_bills(actor, community_id, house_id, (bill_no,))[0],
        amount_fen=parse_yuan(amount),
        reason=reason,
        client_key=key,
    )
    _show_deposit(deposit)


@deposit_cli.command("list", help="列出一处房屋的押金；不写房屋则列全小区未退清的。")
@click.option("--house", help="房屋，例如 1栋1单元101。")
@in_community
@as_staff
@telling
def list_deposits(house: str | None, code: str, login_name: str) -> None:
    """List deposits."""
    actor, community_id = find_actor_and_community(login_name, code)
    deposits = find_services().deposits
    if house is None:
        found = deposits.list_held(actor=actor, community_id=community_id)
    else:
        house_id = _find_house(actor, community_id, house)
        found = deposits.list_of_house(actor=actor, house_id=house_id)
    if not found:
        click.echo("没有押金")
    for deposit in found:
        _show_deposit(deposit)


def _show_deposit(deposit: DepositView) -> None:
    click.echo(
        f"押金 {deposit.id} {deposit.house} {deposit.name}（{deposit.payer_name}）："
        f"收 {show_yuan(deposit.amount_fen)}，余 {show_yuan(deposit.left_fen)}"
    )
    for one in deposit.entries:
        at = one.at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
        click.echo(f"  {at} {one.kind_shown} {show_yuan(one.amount_fen)} {one.note}")
