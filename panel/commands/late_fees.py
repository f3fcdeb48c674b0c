"""``flask late-fee``: rules, pauses and previews of late fees, at the shell."""

from __future__ import annotations

from datetime import date, datetime

import click
from flask.cli import AppGroup

from domain.actors import Actor
from domain.late_fees import GraceMode
from domain.money import show_yuan
from domain.periods import Span
from domain.traces import percent
from panel.commands.acting import (
    as_staff,
    as_staff_or_operator,
    find_actor_and_community,
    find_services,
    in_community,
    telling,
)
from panel.commands.fees import day_option, find_item, read_decimal, words
from services.late_fees import LateFeeRuleView, NewLateFeeRule

_GRACE_SHOWN = {GraceMode.EXEMPT: "宽限期不计", GraceMode.RETROACTIVE: "过宽限期后从到期次日起计"}

late_fee_cli = AppGroup("late-fee", help="滞纳金：规则、暂停、试算。没有规则就不收。")


@late_fee_cli.command("set", help="设定一个收费项目的滞纳金规则，原规则到这天为止。")
@click.argument("item_code", metavar="项目编号")
@click.option("--rate", required=True, help="每日比例，例如 0.0005（万分之五）。")
@click.option("--cap", default="0.3", show_default=True, help="封顶：本金的比例；0 为不封顶。")
@click.option(
    "--grace", type=click.IntRange(0, 365), default=0, show_default=True, help="宽限天数。"
)
@click.option(
    "--grace-mode",
    type=words(GraceMode),
    default=str(GraceMode.EXEMPT),
    show_default=True,
    help="过了宽限期后，宽限期内的日子不计（exempt）或补计（retroactive）。",
)
@day_option("--from", "starts_on", help="从哪天起。")
@in_community
@as_staff_or_operator
@telling
def set_late_fee(
    item_code: str,
    rate: str,
    cap: str,
    grace: int,
    grace_mode: str,
    starts_on: datetime,
    code: str,
    login_name: str | None,
) -> None:
    """Let a rule hold from a day on."""
    actor, community_id = find_actor_and_community(login_name, code)
    find_services().late_fees.set_rule(
        actor=actor,
        fee_item_id=find_item(actor, community_id, item_code).id,
        rule=NewLateFeeRule(
            daily_rate=read_decimal(rate, field="rate"),
            cap_ratio=read_decimal(cap, field="cap") or None,
            grace_days=grace,
            grace_mode=GraceMode(grace_mode),
            starts_on=starts_on.date(),
        ),
    )
    click.echo("已设定")


@late_fee_cli.command("end", help="停止一个收费项目的滞纳金：从这天起不再增加。")
@click.argument("item_code", metavar="项目编号")
@day_option("--on", "ends_on", help="从哪天起不再计。")
@in_community
@as_staff_or_operator
@telling
def end_late_fee(item_code: str, ends_on: datetime, code: str, login_name: str | None) -> None:
    """End the rule of an item."""
    actor, community_id = find_actor_and_community(login_name, code)
    find_services().late_fees.end_rule(
        actor=actor,
        fee_item_id=find_item(actor, community_id, item_code).id,
        ends_on=ends_on.date(),
    )
    click.echo("已停止")


@late_fee_cli.command("pause", help="暂停计算：整个小区，或一张账单（如有异议）。")
@day_option("--from", "first", help="第一天。")
@day_option("--to", "last", help="最后一天，含当天。")
@click.option("--bill", "bill_no", help="只暂停这张账单（账单号）。")
@click.option("--reason", required=True, help="原因，记录在案。")
@in_community
@as_staff_or_operator
@telling
def pause_late_fee(
    first: datetime,
    last: datetime,
    bill_no: str | None,
    reason: str,
    code: str,
    login_name: str | None,
) -> None:
    """Leave days out."""
    actor, community_id = find_actor_and_community(login_name, code)
    until = date.fromordinal(last.date().toordinal() + 1)
    pause_id = find_services().late_fees.pause(
        actor=actor,
        community_id=community_id,
        bill_id=_find_bill(actor, community_id, bill_no) if bill_no else None,
        span=Span(first.date(), until),
        reason=reason,
    )
    click.echo(f"已暂停，编号 {pause_id}")


@late_fee_cli.command("preview", help="试算一张账单到某天的滞纳金，默认今天。")
@click.argument("bill_no", metavar="账单号")
@day_option("--on", "as_of", help="到哪天。", is_needed=False)
@in_community
@as_staff
@telling
def preview_late_fee(bill_no: str, as_of: datetime | None, code: str, login_name: str) -> None:
    """Show what a bill's late fee is as of a day."""
    actor, community_id = find_actor_and_community(login_name, code)
    shown = find_services().late_fees.preview(
        actor=actor,
        bill_id=_find_bill(actor, community_id, bill_no),
        as_of=as_of.date() if as_of else None,
    )
    frozen = "（已定额）" if shown.is_frozen else ""
    click.echo(
        f"到 {shown.as_of} 应计 {show_yuan(shown.total_fen)}{frozen}，"
        f"已缴 {show_yuan(shown.paid_fen)}，已减免 {show_yuan(shown.waived_fen)}，"
        f"未缴 {show_yuan(shown.open_fen)}；次日未缴 {show_yuan(shown.next_day_open_fen)}"
    )
    click.echo(f"  {shown.explanation}")


def _find_bill(actor: Actor, community_id: int, bill_no: str) -> int:
    return find_services().house_bills.find(actor=actor, community_id=community_id, bill_no=bill_no)


@late_fee_cli.command("list", help="列出一个小区的滞纳金规则和暂停。")
@in_community
@as_staff_or_operator
@telling
def list_late_fees(code: str, login_name: str | None) -> None:
    """List rules and pauses."""
    actor, community_id = find_actor_and_community(login_name, code)
    late_fees = find_services().late_fees
    rules = late_fees.list_rules(actor=actor, community_id=community_id)
    if not rules:
        click.echo("没有滞纳金规则：不收滞纳金")
    for rule in rules:
        _show_rule(rule)
    for pause in late_fees.list_pauses(actor=actor, community_id=community_id):
        click.echo(f"暂停 {pause.id} {pause.bill_no or '全小区'} {pause.span}：{pause.reason}")


def _show_rule(rule: LateFeeRuleView) -> None:
    terms = rule.terms
    until = f" 至 {terms.ends_before} 前" if terms.ends_before else " 起"
    cap = f"封顶本金的 {percent(str(terms.cap_ratio))}" if terms.cap_ratio else "不封顶"
    grace = f"，宽限 {terms.grace_days} 天（{_GRACE_SHOWN[terms.grace_mode]}）"
    click.echo(
        f"{rule.item}：{terms.starts_on}{until}，每日 {percent(str(terms.daily_rate))}，{cap}"
        f"{grace if terms.grace_days else ''}"
    )
