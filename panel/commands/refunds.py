"""``flask money``: taking money, taking an entry back, giving money back, at the shell."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from domain.errors import InvalidInput
from domain.money import parse_yuan, show_yuan
from domain.payment_states import CHANNEL_SHOWN
from domain.periods import SHANGHAI
from panel.commands.acting import (
    as_staff,
    find_actor_and_community,
    find_services,
    in_community,
    telling,
)
from panel.commands.money import take_counter
from services.approvals.payment_refunds import RefundablePayment
from services.approvals.requests import Payout

money_cli = AppGroup("money", help="收款、冲红、退款。")
money_cli.add_command(take_counter)
_NUMBER = click.argument("number", metavar="收据号或订单号")


@money_cli.command("reverse", help="冲红一笔录错的柜台收款：当班内，由收款人以外的财务或经理办理。")
@click.argument("receipt_no", metavar="收据号")
@click.option("--reason", required=True, help="原因，记录在案。")
@in_community
@as_staff
@telling
def reverse(receipt_no: str, reason: str, code: str, login_name: str) -> None:
    """Take an entry back."""
    actor, community_id = find_actor_and_community(login_name, code)
    done = find_services().reversals.reverse(
        actor=actor, community_id=community_id, receipt_no=receipt_no, reason=reason
    )
    click.echo(
        f"已冲红 {done.receipt_no} {show_yuan(done.amount_fen)}（{done.refund_no}），收据作废"
    )


@money_cli.command("refundable", help="查看一笔收款还能退多少。")
@_NUMBER
@in_community
@as_staff
@telling
def refundable(number: str, code: str, login_name: str) -> None:
    """Show what can be given back."""
    actor, community_id = find_actor_and_community(login_name, code)
    _show(
        find_services().payment_refund_requests.look(
            actor=actor, community_id=community_id, number=number
        )
    )


@money_cli.command("refund", help="申请退一笔收款：线上原路退回，柜台收款退给指定的人。")
@_NUMBER
@click.option("--amount", help="金额，元；不写则退全部可退的。")
@click.option("--bill", "bill_no", help="只从这张账单退（账单号）。")
@click.option(
    "--by", "channel", type=click.Choice(["cash", "bank_transfer"]), help="柜台收款：退款方式。"
)
@click.option("--payee", default="", help="柜台收款：收款人姓名。")
@click.option("--phone", default="", help="柜台收款：收款人手机号。")
@click.option("--voucher", default="", help="柜台收款：凭证号或转账流水号。")
@click.option("--reason", required=True, help="原因，记录在案。")
@in_community
@as_staff
@telling
def refund(
    number: str,
    amount: str | None,
    bill_no: str | None,
    channel: str | None,
    payee: str,
    phone: str,
    voucher: str,
    reason: str,
    code: str,
    login_name: str,
) -> None:
    """Ask to give money back."""
    actor, community_id = find_actor_and_community(login_name, code)
    found = find_services()
    requests = found.payment_refund_requests
    payment = requests.look(actor=actor, community_id=community_id, number=number)
    _show(payment)
    bill_id = None
    if bill_no:
        bill_id = found.house_bills.find(actor=actor, community_id=community_id, bill_no=bill_no)
        if amount is None:
            raise InvalidInput(fields={"amount": ["从一张账单退请写明金额"]})
    asked = requests.ask(
        actor=actor,
        community_id=community_id,
        payment_id=payment.payment_id,
        amount_fen=parse_yuan(amount) if amount else payment.refundable_fen,
        reason=reason,
        bill_id=bill_id,
        payout=Payout(channel, payee, phone, voucher) if channel else None,
    )
    if asked.is_decided:
        click.echo(f"申请 {asked.request_id} 在限额内，已直接办理")
    else:
        click.echo(f"已提交申请 {asked.request_id}，待另一人审批：flask approvals approve")


def _show(payment: RefundablePayment) -> None:
    paid_at = payment.paid_at.astimezone(SHANGHAI)
    click.echo(
        f"{payment.out_trade_no} {CHANNEL_SHOWN[payment.channel]} {paid_at:%Y-%m-%d %H:%M} "
        f"收款 {show_yuan(payment.amount_fen)}，可退 {show_yuan(payment.refundable_fen)}"
    )
    for part in payment.parts:
        click.echo(f"  {part.shown}：{show_yuan(part.amount_fen)}")
