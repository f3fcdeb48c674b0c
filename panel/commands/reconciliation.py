"""``flask reconcile``, ``money`` and ``tasks``: does it agree, what became of it, what waits."""

from __future__ import annotations

import sys
from datetime import datetime

import click
from flask.cli import AppGroup, with_appcontext

from domain.money import show_yuan
from domain.payment_states import CHANNEL_SHOWN, PaymentChannel
from domain.periods import SHANGHAI
from domain.reconciliation_states import CASE_STATE_SHOWN, CaseState, RunState
from panel.commands.acting import (
    DAY,
    ROW_ID,
    act_as,
    as_staff_or_operator,
    find_actor_and_community,
    find_services,
    telling,
)
from services.payments.life import PaymentLifeView
from services.reconciliation.views import CaseView, RunView

reconcile_cli = AppGroup("reconcile", help="渠道对账：核对、查看和处理差异。")
tasks_cli = AppGroup("tasks", help="待办。")
_CHANNELS = {"微信支付": PaymentChannel.WECHAT, "支付宝": PaymentChannel.ALIPAY}
_CHANNEL = click.option("--channel", type=click.Choice(list(_CHANNELS)), help="渠道；不写则全部。")
_NOTE = click.option("--note", required=True, help="处理情况，记录在案。")
_CASE = click.argument("case_id", type=ROW_ID, metavar="差异")
_RUN_STATES = {RunState.WAITING: "等待对账单", RunState.DONE: "已核对", RunState.FAILED: "未核对"}


@reconcile_cli.command("run", help="核对一天；有差异或没有读到对账单则退出码为 1。")
@click.option("--day", required=True, type=DAY, help="日期，例如 2026-11-23。")
@_CHANNEL
@as_staff_or_operator
@telling
def run_reconciliation(day: datetime, channel: str | None, login_name: str | None) -> None:
    """Compare a day of every account, or of one channel's, now."""
    actor, found = act_as(login_name), find_services()
    accounts = [
        account
        for account in found.pay_channels.all()
        if channel is None or account.channel == _CHANNELS[channel]
    ]
    runs = [
        found.reconciliation.run(
            actor=actor, channel=account.channel, mchid=account.mchid, day=day.date()
        )
        for account in accounts
    ]
    for run in runs:
        _show_run(run)
    if any(run.state is not RunState.DONE or run.error or run.unsettled for run in runs):
        sys.exit(1)


def _show_run(run: RunView) -> None:
    click.echo(_say_run(run))
    if run.state is not RunState.DONE:
        return
    for side, count, paid_fen, refunded_fen in (
        ("系统", run.our_count, run.our_paid_fen, run.our_refunded_fen),
        ("渠道", run.their_count, run.their_paid_fen, run.their_refunded_fen),
    ):
        click.echo(
            f"  {side} {count} 笔：收款 {show_yuan(paid_fen)}，退款 {show_yuan(refunded_fen)}"
        )
    click.echo(f"  {_say_unsettled(run)}")


def _say_run(run: RunView) -> str:
    shown = CHANNEL_SHOWN[PaymentChannel(run.channel)]
    error = f"（{run.error}）" if run.error else ""
    return f"{run.day} {shown} {run.mchid}：{_RUN_STATES[run.state]}{error}"


def _say_unsettled(run: RunView) -> str:
    return f"待处理差异 {run.unsettled} 条" if run.unsettled else "没有待处理的差异"


@reconcile_cli.command("days", help="列出核对过的日子：渠道每个商户号、现金每个小区各一行。")
@click.option("--day", type=DAY, help="只看一天。")
@_CHANNEL
@as_staff_or_operator
@telling
def list_days(day: datetime | None, channel: str | None, login_name: str | None) -> None:
    """List the runs, the newest day first."""
    runs = find_services().reconciliation_cases.list_runs(
        actor=act_as(login_name),
        channel=_CHANNELS[channel] if channel else None,
        day=day.date() if day else None,
    )
    for run in runs:
        click.echo(f"{_say_run(run)}，{_say_unsettled(run)}")
    if not runs:
        click.echo("还没有核对过")


@reconcile_cli.command("list", help="列出差异；还有待处理的则退出码为 1。")
@click.option("--day", type=DAY, help="只看一天。")
@_CHANNEL
@click.option("--all", "with_settled", is_flag=True, help="包括已处理和已自动消除的。")
@as_staff_or_operator
@telling
def list_cases(
    day: datetime | None, channel: str | None, with_settled: bool, login_name: str | None
) -> None:
    """List differences."""
    cases = find_services().reconciliation_cases.list_cases(
        actor=act_as(login_name),
        is_unsettled=not with_settled,
        channel=_CHANNELS[channel] if channel else None,
        day=day.date() if day else None,
    )
    for case in cases:
        click.echo(_say_case(case))
    click.echo(f"共 {len(cases)} 条")
    if any(case.state in (CaseState.OPEN, CaseState.ESCALATED) for case in cases):
        sys.exit(1)


def _say_case(case: CaseView) -> str:
    shown = CHANNEL_SHOWN.get(PaymentChannel(case.channel), case.channel)
    owner = f" 负责人 {case.owner}" if case.owner else ""
    return (
        f"{case.id} {case.day} {shown} {case.kind_shown} {case.key}"
        f" 系统 {_say_fen(case.ours_fen)} 渠道 {_say_fen(case.theirs_fen)}"
        f" {CASE_STATE_SHOWN[case.state]}{owner}"
    )


def _say_fen(amount_fen: int | None) -> str:
    return "无" if amount_fen is None else show_yuan(amount_fen)


@reconcile_cli.command("show", help="查看一条差异。")
@_CASE
@as_staff_or_operator
@telling
def show_case(case_id: int, login_name: str | None) -> None:
    """Show one difference."""
    case = find_services().reconciliation_cases.show(actor=act_as(login_name), case_id=case_id)
    click.echo(_say_case(case))
    click.echo(f"  {case.detail}")
    if case.note:
        click.echo(f"  处理情况：{case.note}")


@reconcile_cli.command("assign", help="指定一条差异的负责人。")
@_CASE
@click.option("--to", "owner", required=True, metavar="登录名", help="负责人。")
@as_staff_or_operator
@telling
def assign_case(case_id: int, owner: str, login_name: str | None) -> None:
    """Give a difference to somebody."""
    find_services().reconciliation_cases.assign(
        actor=act_as(login_name), case_id=case_id, login_name=owner
    )
    click.echo(f"差异 {case_id} 由 {owner} 负责")


@reconcile_cli.command("handle", help="了结一条差异，写明怎么处理的。")
@_CASE
@_NOTE
@as_staff_or_operator
@telling
def handle_case(case_id: int, note: str, login_name: str | None) -> None:
    """Settle a difference."""
    find_services().reconciliation_cases.handle(
        actor=act_as(login_name), case_id=case_id, note=note
    )
    click.echo(f"差异 {case_id} 已处理")


@reconcile_cli.command("escalate", help="上报一条差异，写明原因。")
@_CASE
@_NOTE
@as_staff_or_operator
@telling
def escalate_case(case_id: int, note: str, login_name: str | None) -> None:
    """Pass a difference on."""
    find_services().reconciliation_cases.escalate(
        actor=act_as(login_name), case_id=case_id, note=note
    )
    click.echo(f"差异 {case_id} 已上报")


@click.command("life", help="按订单号、渠道交易号、收据号或退款单号查一笔钱的一生。")
@click.argument("number", metavar="编号")
@click.option("--community", "code", metavar="编号", help="只在一个小区里找，例如 CH。")
@click.option("--ask", is_flag=True, help="先向渠道查询，再显示。")
@as_staff_or_operator
@telling
@with_appcontext
def show_life(number: str, code: str | None, ask: bool, login_name: str | None) -> None:
    """Tell what happened to a payment."""
    if code is None:
        actor, community_id = act_as(login_name), None
    else:
        actor, community_id = find_actor_and_community(login_name, code)
    life = find_services().payment_life
    tell = life.ask_now if ask else life.show
    _show_life(tell(actor=actor, number=number, community_id=community_id))


def _show_life(view: PaymentLifeView) -> None:
    if view.progress:
        click.echo(f"现状：{view.progress}")
    for line in view.lines:
        at = line.at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
        click.echo(f"{at} {line.words}")


@tasks_cli.command("list", help="列出待办；有待办则退出码为 1。")
@as_staff_or_operator
@telling
def list_tasks(login_name: str | None) -> None:
    """List what waits for a person."""
    tasks = find_services().tasks.list_open(actor=act_as(login_name))
    for task in tasks:
        at = task.created_at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
        click.echo(f"{task.id} {at} {task.title}")
    click.echo(f"共 {len(tasks)} 件")
    if tasks:
        sys.exit(1)


@tasks_cli.command("done", help="办完一件待办；问题还在则会再次出现。")
@click.argument("task_id", type=ROW_ID, metavar="待办")
@as_staff_or_operator
@telling
def finish_task(task_id: int, login_name: str | None) -> None:
    """Note that a task was done."""
    find_services().tasks.finish(actor=act_as(login_name), task_id=task_id)
    click.echo(f"待办 {task_id} 已办完")
