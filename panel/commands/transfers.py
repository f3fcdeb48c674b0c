"""``flask transfer``: handing a house on (过户), at the shell."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal, InvalidOperation

import click
from flask.cli import AppGroup

from domain.actors import Actor
from domain.errors import InvalidInput
from domain.money import show_yuan
from domain.transfers import PREPAID_SHOWN, UNPAID_SHOWN, PrepaidChoice, UnpaidChoice
from panel.commands.acting import (
    DAY,
    as_staff,
    find_actor_and_community,
    find_services,
    in_community,
    telling,
)
from services.approvals.requests import Payout
from services.people.transfer_rows import Buyer
from services.people.transfers import TransferPlan, TransferPreview

transfer_cli = AppGroup("transfer", help="过户：先预览，再办理。")
_HOUSE = click.argument("house", metavar="房屋")
_CUT = click.option(
    "--on", "cut_on", type=DAY, required=True, help="过户日：从这天起归新业主，例如 2026-10-15。"
)


@transfer_cli.command("preview", help="列出过户会涉及的账单、预存、绑定和人员，不做任何改动。")
@_HOUSE
@_CUT
@in_community
@as_staff
@telling
def preview(house: str, cut_on: datetime, code: str, login_name: str) -> None:
    """Tell what a transfer will do."""
    _, seen = _preview(house, cut_on.date(), code, login_name)
    click.echo(f"{seen.house}，{seen.cut_on} 起归新业主")
    click.echo("原业主：" + "、".join(one.name for one in seen.sellers))
    for person in seen.others:
        click.echo(f"同住：{person.name}（{person.role_shown}，业主编号 {person.owner_id}）")
    for bill in seen.bills:
        parting = bill.parting
        parts = (
            f"；原业主 {parting.seller_days} 天 {show_yuan(parting.seller_fen)}，"
            f"新业主 {parting.buyer_days} 天 {show_yuan(parting.buyer_fen)}"
            if parting
            else ""
        )
        click.echo(
            f"账单 {bill.bill_no}  {bill.item}  {bill.period}  {show_yuan(bill.amount_fen)}，"
            f"未缴 {show_yuan(bill.open_fen)}{parts}"
        )
    click.echo(
        f"未缴合计 {show_yuan(seen.open_fen)}；预存 {show_yuan(seen.prepaid_fen)}；"
        f"将解除绑定 {seen.binding_count} 个"
    )
    for warning in seen.warnings:
        click.echo(f"注意：{warning}")


@transfer_cli.command("run", help="办理过户；同一请求编号重复执行只办理一次。")
@_HOUSE
@_CUT
@click.option(
    "--buyer",
    "buyers",
    multiple=True,
    required=True,
    metavar="姓名,手机号,份额",
    help="新业主，可多次；手机号和份额可省略，例如 赵买,18800000001,0.5。",
)
@click.option(
    "--unpaid",
    type=click.Choice([str(choice) for choice in UnpaidChoice]),
    default="seller",
    show_default=True,
    help="未缴账单由谁承担。",
)
@click.option(
    "--refund-to",
    "payee",
    default=None,
    metavar="姓名,手机号",
    help="把预存以现金退还给谁（提交审批）；不写则随房屋留给新业主。",
)
@click.option("--key", "client_key", required=True, help="请求编号，8 至 64 个字符，自己定。")
@click.option("--reason", required=True, help="原因，记录在案。")
@in_community
@as_staff
@telling
def run(
    house: str,
    cut_on: datetime,
    buyers: tuple[str, ...],
    unpaid: str,
    payee: str | None,
    client_key: str,
    reason: str,
    code: str,
    login_name: str,
) -> None:
    """Hand a house on."""
    actor, seen = _preview(house, cut_on.date(), code, login_name)
    plan = TransferPlan(
        house_id=seen.house_id,
        cut_on=seen.cut_on,
        buyers=[_read_buyer(text) for text in buyers],
        version=seen.version,
        unpaid=UnpaidChoice(unpaid),
        prepaid=PrepaidChoice.REFUND if payee else PrepaidChoice.STAYS,
        payout=_read_payee(payee) if payee else None,
    )
    transfer_id = find_services().transfers.carry_out(
        actor=actor, plan=plan, reason=reason, client_key=client_key
    )
    click.echo(
        f"过户 {transfer_id} 已办理：未缴账单{UNPAID_SHOWN[plan.unpaid]}，"
        f"预存{PREPAID_SHOWN[plan.prepaid]}"
    )


def _preview(house: str, cut_on: date, code: str, login_name: str) -> tuple[Actor, TransferPreview]:
    actor, community_id = find_actor_and_community(login_name, code)
    found = find_services()
    house_id = found.estate.find_house(actor=actor, community_id=community_id, label=house)
    return actor, found.transfers.preview(actor=actor, house_id=house_id, cut_on=cut_on)


def _read_buyer(text: str) -> Buyer:
    name, phone, share, *rest = [part.strip() for part in f"{text},,".split(",")]
    if any(rest):
        raise InvalidInput(fields={"buyers": ["应为 姓名,手机号,份额"]})
    try:
        ratio = Decimal(share) if share else None
    except InvalidOperation:
        raise InvalidInput(fields={"share_ratio": ["份额应为小数，例如 0.5"]}) from None
    if ratio is not None and not ratio.is_finite():
        raise InvalidInput(fields={"share_ratio": ["份额应为小数，例如 0.5"]})
    return Buyer(name=name, phone=phone, share_ratio=ratio)


def _read_payee(text: str) -> Payout:
    name, phone, *_ = [part.strip() for part in f"{text},".split(",")]
    return Payout("cash", name, phone)
