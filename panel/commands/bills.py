"""``flask bills``: a batch from draft to published, at the shell."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import click
from flask.cli import AppGroup

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
from services.bills.batches import BatchView
from services.bills.generation import BatchBusy

_FIRST_YEAR, _LAST_YEAR = 2000, 2999

bills_cli = AppGroup("bills", help="账单批次：生成、审核、发布。")


@bills_cli.command("generate", help="生成一个月的账单批次，默认上个月。")
@click.option(
    "--month",
    type=click.DateTime(["%Y-%m"]),
    callback=lambda _ctx, _option, month: _check_month(month),
    help="例如 2026-10。",
)
@in_community
@as_staff
@telling
def generate_bills(month: datetime | None, code: str, login_name: str) -> None:
    """Draft a batch and generate its bills."""
    found = find_services()
    actor, community_id = find_actor_and_community(login_name, code)
    batch_id = found.batches.draft(
        actor=actor,
        community_id=community_id,
        month=month.date() if month else _last_month(local_date(found.clock.now())),
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
    click.echo(f"下一步：由另一位员工审核 flask bills approve {batch_id} --as 登录名")


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


def _check_month(month: datetime | None) -> datetime | None:
    if month and not _FIRST_YEAR <= month.year <= _LAST_YEAR:
        raise click.BadParameter(f"年份应在 {_FIRST_YEAR} 至 {_LAST_YEAR} 之间")
    return month


def _last_month(today: date) -> date:
    return today.replace(day=1) - timedelta(days=1)


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
        f"批次 {batch.id}：{batch.period}，{batch.bill_count} 张账单，"
        f"合计 {show_yuan(batch.amount_fen)}"
    )
    for item in batch.items:
        click.echo(f"  {item.item}：{item.bill_count} 张，{show_yuan(item.amount_fen)}")
    for row in batch.exceptions:
        click.echo(f"  未生成 {row.house} {row.item}：{row.why}")
    if batch.exception_count > len(batch.exceptions):
        click.echo(f"  ……共 {batch.exception_count} 处未生成")


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
