"""``flask approvals``: asking for money acts and deciding them, at the shell."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import AppGroup

from domain.approvals import APPROVAL_SHOWN, ApprovalState
from domain.errors import InvalidInput
from domain.money import parse_yuan, show_yuan
from domain.periods import SHANGHAI
from panel.commands.acting import (
    ROW_ID,
    as_staff,
    find_actor_and_community,
    find_services,
    in_community,
    telling,
)
from services.approvals.requests import Payout

approvals_cli = AppGroup("approvals", help="减免、作废、核销、调整、退款：申请与审批。")
_reason = click.option("--reason", required=True, help="原因。")
_amount = click.option("--amount", required=True, help="金额，元。")
_bill = click.argument("bill_no", metavar="账单号")
_STATE_SHOWN = {
    ApprovalState.REQUESTED: "待审批",
    ApprovalState.APPROVED: "已通过",
    ApprovalState.REJECTED: "已驳回",
}


def _tell(request_id: int) -> None:
    click.echo(f"已提交申请 {request_id}，由另一位员工审批：flask approvals approve {request_id}")


@approvals_cli.command("waive", help="申请减免一张账单的一部分。")
@_bill
@_amount
@_reason
@in_community
@as_staff
@telling
def waive(bill_no: str, amount: str, reason: str, code: str, login_name: str) -> None:
    """Ask for a waiver."""
    actor, bill_id = _find_bill(login_name, code, bill_no)
    _tell(
        find_services().money_requests.request_waiver(
            actor=actor, bill_id=bill_id, amount_fen=parse_yuan(amount), reason=reason
        )
    )


@approvals_cli.command("void", help="申请作废一张没有缴费的账单。")
@_bill
@_reason
@in_community
@as_staff
@telling
def void(bill_no: str, reason: str, code: str, login_name: str) -> None:
    """Ask to void a bill."""
    actor, bill_id = _find_bill(login_name, code, bill_no)
    _tell(find_services().money_requests.request_void(actor=actor, bill_id=bill_id, reason=reason))


@approvals_cli.command("write-off", help="申请核销一张账单的未缴部分。")
@_bill
@_reason
@in_community
@as_staff
@telling
def write_off(bill_no: str, reason: str, code: str, login_name: str) -> None:
    """Ask to write a bill off."""
    actor, bill_id = _find_bill(login_name, code, bill_no)
    requests = find_services().money_requests
    _tell(requests.request_write_off(actor=actor, bill_id=bill_id, reason=reason))


@approvals_cli.command("waive-late-fee", help="申请减免一张账单的滞纳金。")
@_bill
@_amount
@_reason
@in_community
@as_staff
@telling
def waive_late_fee(bill_no: str, amount: str, reason: str, code: str, login_name: str) -> None:
    """Ask to waive a late fee."""
    actor, bill_id = _find_bill(login_name, code, bill_no)
    _tell(
        find_services().money_requests.request_late_fee_waiver(
            actor=actor, bill_id=bill_id, amount_fen=parse_yuan(amount), reason=reason
        )
    )


@approvals_cli.command("adjust", help="申请在该户该项下一张账单上调增或调减（--amount 前加 -）。")
@_bill
@click.option("--amount", required=True, help="金额，元；调减写 -12.50。")
@_reason
@in_community
@as_staff
@telling
def adjust(bill_no: str, amount: str, reason: str, code: str, login_name: str) -> None:
    """Ask for a credit or debit note."""
    actor, bill_id = _find_bill(login_name, code, bill_no)
    amount_fen = parse_yuan(amount.removeprefix("-"))
    _tell(
        find_services().money_requests.request_adjustment(
            actor=actor,
            bill_id=bill_id,
            amount_fen=-amount_fen if amount.startswith("-") else amount_fen,
            reason=reason,
        )
    )


def _payout_options(command: Any) -> Any:
    for option in (
        click.option(
            "--by", "channel", type=click.Choice(["cash", "bank_transfer"]), default="cash"
        ),
        click.option("--payee", required=True, help="收款人姓名。"),
        click.option("--phone", required=True, help="收款人手机号。"),
        click.option("--voucher", default="", help="凭证号或转账流水号。"),
    ):
        command = option(command)
    return command


@approvals_cli.command("refund-prepaid", help="申请退还预存余额。")
@click.argument("account_id", type=ROW_ID, metavar="预存账户")
@_amount
@_payout_options
@_reason
@as_staff
@telling
def refund_prepaid(
    account_id: int,
    amount: str,
    channel: str,
    payee: str,
    phone: str,
    voucher: str,
    reason: str,
    login_name: str,
) -> None:
    """Ask to pay a prepaid balance back."""
    found = find_services()
    _tell(
        found.money_requests.request_prepaid_refund(
            actor=found.staff.act_as(login_name=login_name),
            account_id=account_id,
            amount_fen=parse_yuan(amount),
            payout=Payout(channel, payee, phone, voucher),
            reason=reason,
        )
    )


@approvals_cli.command("return-deposit", help="申请退还押金。")
@click.argument("deposit_id", type=ROW_ID, metavar="押金")
@_amount
@_payout_options
@_reason
@as_staff
@telling
def return_deposit(
    deposit_id: int,
    amount: str,
    channel: str,
    payee: str,
    phone: str,
    voucher: str,
    reason: str,
    login_name: str,
) -> None:
    """Ask to pay a deposit back."""
    found = find_services()
    _tell(
        found.money_requests.request_deposit_return(
            actor=found.staff.act_as(login_name=login_name),
            deposit_id=deposit_id,
            amount_fen=parse_yuan(amount),
            payout=Payout(channel, payee, phone, voucher),
            reason=reason,
        )
    )


@approvals_cli.command("approve", help="通过一个申请并立即执行（须由申请人以外的人）。")
@click.argument("request_id", type=ROW_ID, metavar="申请")
@click.option("--note", default="", help="备注。")
@as_staff
@telling
def approve(request_id: int, note: str, login_name: str) -> None:
    """Approve a request and carry it out."""
    found = find_services()
    found.money_decisions.approve(
        actor=found.staff.act_as(login_name=login_name), request_id=request_id, note=note
    )
    click.echo(f"申请 {request_id} 已通过并执行")


@approvals_cli.command("reject", help="驳回一个申请。")
@click.argument("request_id", type=ROW_ID, metavar="申请")
@click.option("--note", required=True, help="驳回原因。")
@as_staff
@telling
def reject(request_id: int, note: str, login_name: str) -> None:
    """Reject a request."""
    found = find_services()
    found.money_decisions.reject(
        actor=found.staff.act_as(login_name=login_name), request_id=request_id, note=note
    )
    click.echo(f"申请 {request_id} 已驳回")


@approvals_cli.command("list", help="列出申请。")
@click.option("--open", "only_open", is_flag=True, help="只看待审批的。")
@in_community
@as_staff
@telling
def list_requests(only_open: bool, code: str, login_name: str) -> None:
    """List the requests of a community."""
    actor, community_id = find_actor_and_community(login_name, code)
    requests = find_services().money_decisions.list_requests(
        actor=actor,
        community_id=community_id,
        state=ApprovalState.REQUESTED if only_open else None,
    )
    for one in requests:
        asked = one.requested_at.astimezone(SHANGHAI)
        decided = f"，{one.decided_by} {one.decision_note}".rstrip() if one.decided_by else ""
        words = [
            f"{one.id} [{_STATE_SHOWN[one.state]}{decided}] {APPROVAL_SHOWN[one.kind]} {one.house}",
            one.bill_no,
            one.receipt_no and f"收据 {one.receipt_no}",
            show_yuan(one.amount_fen),
            one.requested_by,
            f"{asked:%Y-%m-%d}：{one.reason}",
        ]
        click.echo(" ".join(filter(None, words)))
    if not requests:
        click.echo("没有申请")


def _find_bill(login_name: str, code: str, bill_no: str) -> tuple[Any, int]:
    """Tell who acts and which bill is meant."""
    actor, community_id = find_actor_and_community(login_name, code)
    if not bill_no.isascii():
        raise InvalidInput(fields={"bill_no": ["账单号不对"]})
    found = find_services().house_bills.find(
        actor=actor, community_id=community_id, bill_no=bill_no
    )
    return actor, found
