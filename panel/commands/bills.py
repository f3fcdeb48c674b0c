"""``flask bills``: a batch from draft to published, at the shell."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import click
from flask.cli import AppGroup

from domain.bill_states import BATCH_SHOWN
from domain.money import show_yuan
from domain.periods import local_date
from panel.commands.acting import (
    ROW_ID,
    as_staff,
    find_actor_and_community,
    find_services,
    in_community,
    progress_bar,
    telling,
)
from panel.commands.fees import find_item, month_option
from services.bills.batches import BatchView
from services.bills.findings import FINDING_SHOWN, FindingRow
from services.bills.generation import BatchBusy

bills_cli = AppGroup("bills", help="账单批次：生成、审核、发布。")


@bills_cli.command("generate", help="生成一个月的账单批次，默认上个月。")
@month_option(help="例如 2026-10。", is_needed=False)
@click.option("--item", "item_codes", multiple=True, help="只出这些项目，可多次；不写则全部。")
@in_community
@as_staff
@telling
def generate_bills(
    month: datetime | None, item_codes: tuple[str, ...], code: str, login_name: str
) -> None:
    """Draft a batch and generate its bills."""
    found = find_services()
    actor, community_id = find_actor_and_community(login_name, code)
    batch_id = found.batches.draft(
        actor=actor,
        community_id=community_id,
        month=month.date() if month else _last_month(local_date(found.clock.now())),
        fee_item_ids=[find_item(actor, community_id, one).id for one in item_codes],
    )
    try:
        found.generation.generate(
            actor=actor, batch_id=batch_id, progress=progress_bar("已计算房屋")
        )
    except BatchBusy:
        found.batches.cancel(actor=actor, batch_id=batch_id, reason="同月账单正在生成")
        raise
    batch = found.batches.show(actor=actor, batch_id=batch_id)
    if not batch.bill_count and not batch.exception_count:
        found.batches.cancel(actor=actor, batch_id=batch_id, reason="没有需要生成的账单")
        click.echo(f"{batch.period} 没有需要生成的账单：小区还没有房屋，或者都已生成")
        return
    _show_batch(batch)
    click.echo(f"下一步：由另一位员工查看差异 flask bills review {batch_id} --as 登录名")


@bills_cli.command("resume", help="继续生成一个中断的批次，只补缺少的账单。")
@click.argument("batch_id", type=ROW_ID, metavar="批次")
@as_staff
@telling
def resume_bills(batch_id: int, login_name: str) -> None:
    """Go on with a batch that was cut off, or sent back."""
    found = find_services()
    actor = found.staff.act_as(login_name=login_name)
    found.generation.generate(actor=actor, batch_id=batch_id, progress=progress_bar("已计算房屋"))
    _show_batch(found.batches.show(actor=actor, batch_id=batch_id))


def _last_month(today: date) -> date:
    return today.replace(day=1) - timedelta(days=1)


@bills_cli.command("list", help="列出一个小区的批次。")
@in_community
@as_staff
@telling
def list_batches(code: str, login_name: str) -> None:
    """List the batches of a community."""
    actor, community_id = find_actor_and_community(login_name, code)
    batches = find_services().batches.list_batches(actor=actor, community_id=community_id)
    for batch in batches:
        click.echo(
            f"{batch.id} [{BATCH_SHOWN[batch.state]}] {batch.period} {batch.bill_count} 张 "
            f"{show_yuan(batch.amount_fen)}，制单 {batch.made_by}"
        )
    if not batches:
        click.echo("还没有批次")


@bills_cli.command("show", help="查看一个批次。")
@click.argument("batch_id", type=ROW_ID, metavar="批次")
@as_staff
@telling
def show_batch(batch_id: int, login_name: str) -> None:
    """Show a batch for review."""
    found = find_services()
    actor = found.staff.act_as(login_name=login_name)
    _show_batch(found.batches.show(actor=actor, batch_id=batch_id))


def _show_batch(batch: BatchView) -> None:
    click.echo(
        f"批次 {batch.id}：{BATCH_SHOWN[batch.state]}，{batch.period}，{batch.bill_count} 张账单，"
        f"合计 {show_yuan(batch.amount_fen)}"
    )
    for item in batch.items:
        click.echo(f"  {item.item}：{item.bill_count} 张，{show_yuan(item.amount_fen)}")
    if len(batch.buildings) > 1:
        for building in batch.buildings:
            click.echo(
                f"  {building.building}：{building.bill_count} 张，{show_yuan(building.amount_fen)}"
            )
    for row in batch.exceptions:
        click.echo(f"  未生成 {row.house} {row.item}：{row.why}")
    if batch.exception_count > len(batch.exceptions):
        click.echo(f"  ……共 {batch.exception_count} 处未生成")


@bills_cli.command("review", help="列出批次与上期相比的差异和异常，逐项确认后才能审核。")
@click.argument("batch_id", type=ROW_ID, metavar="批次")
@click.option(
    "--rows", type=click.IntRange(0, 1000), default=10, show_default=True, help="每项显示多少户。"
)
@click.option("--tick", "ticks", is_flag=True, help="确认已看过全部差异。")
@as_staff
@telling
def review_batch(batch_id: int, rows: int, ticks: bool, login_name: str) -> None:
    """Show what of a batch must be looked at, and confirm that it was."""
    found = find_services()
    actor = found.staff.act_as(login_name=login_name)
    findings = found.bill_findings.list_findings(actor=actor, batch_id=batch_id)
    for one in findings:
        mark = "已确认" if ticks or one.is_ticked else "待确认"
        click.echo(f"[{mark}] {one.item} {FINDING_SHOWN[one.kind]}：{one.row_count} 户")
        for row in found.bill_findings.list_rows(
            actor=actor,
            batch_id=batch_id,
            kind=one.kind,
            fee_item_id=one.fee_item_id,
            limit=rows,
        ):
            click.echo(f"  {row.house}：{_show_change(row)}")
        if ticks and not one.is_ticked:
            found.bill_findings.tick(
                actor=actor,
                batch_id=batch_id,
                kind=one.kind,
                fee_item_id=one.fee_item_id,
                row_count=one.row_count,
            )
    if not findings:
        click.echo("没有需要确认的差异")
    if ticks or all(one.is_ticked for one in findings):
        click.echo(f"已全部确认。下一步：审核 flask bills approve {batch_id} --as 登录名")
    else:
        click.echo(f"看过以后加 --tick 确认：flask bills review {batch_id} --tick --as 登录名")


def _show_change(row: FindingRow) -> str:
    before = "无" if row.before_fen is None else show_yuan(row.before_fen)
    after = "无" if row.after_fen is None else show_yuan(row.after_fen)
    note = f"（{row.note}）" if row.note else ""
    return f"上期 {before}，本期 {after}{note}"


@bills_cli.command("regenerate", help="更正基础数据后重算待审核的批次，只替换有变化的账单。")
@click.argument("batch_id", type=ROW_ID, metavar="批次")
@as_staff
@telling
def regenerate_bills(batch_id: int, login_name: str) -> None:
    """Make a batch under review agree with what is on file now."""
    found = find_services()
    actor = found.staff.act_as(login_name=login_name)
    done = found.regeneration.regenerate(
        actor=actor, batch_id=batch_id, progress=progress_bar("已重算房屋")
    )
    click.echo(
        f"不变 {done.kept} 张，变更 {done.changed} 张，新增 {done.added} 张，取消 {done.removed} 张"
    )
    _show_batch(found.batches.show(actor=actor, batch_id=batch_id))


@bills_cli.command("explain", help="说明一张账单的金额由来。")
@click.argument("bill_no", metavar="账单号")
@in_community
@as_staff
@telling
def explain_bill(bill_no: str, code: str, login_name: str) -> None:
    """Say why a bill is what it is."""
    actor, community_id = find_actor_and_community(login_name, code)
    bills = find_services().house_bills
    bill_id = bills.find(actor=actor, community_id=community_id, bill_no=bill_no)
    for sentence in bills.explain(actor=actor, bill_id=bill_id):
        click.echo(sentence)


@bills_cli.command("approve", help="审核通过一个批次（须由制单人以外的人）。")
@click.argument("batch_id", type=ROW_ID, metavar="批次")
@as_staff
@telling
def approve_batch(batch_id: int, login_name: str) -> None:
    """Approve a batch."""
    found = find_services()
    content_sha256 = found.batches.approve(
        actor=found.staff.act_as(login_name=login_name), batch_id=batch_id
    )
    click.echo(f"已审核，内容指纹 {content_sha256[:16]}")
    click.echo(f"下一步：发布 flask bills publish {batch_id} --as 登录名")


@bills_cli.command("send-back", help="退回一个待审核的批次，其账单作废，可重新生成。")
@click.argument("batch_id", type=ROW_ID, metavar="批次")
@click.option("--reason", required=True, help="原因。")
@as_staff
@telling
def send_back_batch(batch_id: int, reason: str, login_name: str) -> None:
    """Send a batch back to its maker."""
    found = find_services()
    found.batches.send_back(
        actor=found.staff.act_as(login_name=login_name), batch_id=batch_id, reason=reason
    )
    click.echo("已退回")


@bills_cli.command("cancel", help="取消一个未发布的批次。")
@click.argument("batch_id", type=ROW_ID, metavar="批次")
@click.option("--reason", required=True, help="原因。")
@as_staff
@telling
def cancel_batch(batch_id: int, reason: str, login_name: str) -> None:
    """Give up a batch."""
    found = find_services()
    found.batches.cancel(
        actor=found.staff.act_as(login_name=login_name), batch_id=batch_id, reason=reason
    )
    click.echo("已取消")


@bills_cli.command("publish", help="发布一个已审核的批次并通知业主。")
@click.argument("batch_id", type=ROW_ID, metavar="批次")
@as_staff
@telling
def publish_batch(batch_id: int, login_name: str) -> None:
    """Publish a batch."""
    found = find_services()
    published = found.publication.publish(
        actor=found.staff.act_as(login_name=login_name), batch_id=batch_id
    )
    click.echo(
        f"已发布 {published.bill_count} 张账单，合计 {show_yuan(published.amount_fen)}，"
        f"通知 {published.message_count} 条"
    )
