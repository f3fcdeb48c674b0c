"""``flask privacy``: the register of personal data, requests of owners, what is due to go."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from domain.actors import system_actor
from domain.periods import SHANGHAI
from domain.privacy_states import DELETION_SHOWN, EXPORT_SHOWN, DeletionState, ExportState
from domain.register import HEADINGS, as_markdown, rows_of
from panel.commands.acting import act_as, as_staff_or_operator, find_services, telling
from services.privacy.requests import DELETION, EXPORT, RequestView

privacy_cli = AppGroup("privacy", help="个人信息：清单、业主的请求、到期删除。")


@privacy_cli.command("register", help="列出个人信息清单。")
@click.option("--markdown", is_flag=True, help="写成 docs/privacy.md 中的表格。")
def register(markdown: bool) -> None:
    """Print the register."""
    if markdown:
        click.echo(as_markdown(), nl=False)
        return
    for row in rows_of():
        click.echo(row[0])
        for heading, words in zip(HEADINGS[1:], row[1:], strict=True):
            click.echo(f"    {heading}：{words}")


@privacy_cli.command("exports", help="列出业主申请的个人信息副本。")
@as_staff_or_operator
@telling
def exports(login_name: str | None) -> None:
    """List copies."""
    _tell(_requests(login_name, EXPORT), "没有申请")


@privacy_cli.command("deletions", help="列出申请注销的账号。")
@as_staff_or_operator
@telling
def deletions(login_name: str | None) -> None:
    """List closings of accounts."""
    _tell(_requests(login_name, DELETION), "没有申请")


@privacy_cli.command("erase", help="删除已到期的个人信息；定时任务每天也会做。")
@click.option("--dry-run", is_flag=True, help="只数有多少条到期，不删除。")
@as_staff_or_operator
@telling
def erase(dry_run: bool, login_name: str | None) -> None:
    """Erase what is due, after it was counted."""
    found = find_services().retention
    for due in found.count_due(actor=act_as(login_name)):
        click.echo(f"{due.title}（{due.table}）：{due.count} 条到期")
    if not dry_run:
        count = found.erase_outdated(actor=system_actor("命令行"))
        click.echo(f"已删除 {count} 条")


def _requests(login_name: str | None, kind: str) -> list[RequestView]:
    found = find_services().privacy_requests.list_requests(actor=act_as(login_name))
    return [one for one in found if one.kind == kind]


def _tell(found: list[RequestView], none: str) -> None:
    for one in found:
        asked = f"{one.asked_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
        due = f"，至 {one.due_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}" if one.due_at else ""
        state = (
            EXPORT_SHOWN[ExportState(one.state)]
            if one.kind == EXPORT
            else DELETION_SHOWN[DeletionState(one.state)]
        )
        whose = f"账号 {one.account_id}  {one.phone_masked or '已注销'}"
        click.echo(f"{one.id}  {whose}  {asked}  {state}{due}")
    if not found:
        click.echo(none)
