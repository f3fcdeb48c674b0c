"""``flask community|import``: base data at the shell."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
from flask.cli import AppGroup

from domain.periods import LiableFromRule
from panel.commands.acting import (
    act_as,
    as_staff_or_operator,
    find_actor_and_community,
    find_services,
    in_community,
    progress_bar,
    tell_problems,
    telling,
)
from services.imports.plans import ImportReport

_PRICE = re.compile(r"\A[0-9]{1,9}(\.[0-9]{1,9})?\Z", re.ASCII)

community_cli = AppGroup("community", help="小区。")
import_cli = AppGroup("import", help="导入表格。")


@community_cli.command("add", help="添加一个小区。")
@click.argument("code", metavar="编号")
@click.option("--name", required=True, help="小区名称。")
@click.option("--address", default="", help="地址。")
@click.option(
    "--liable-from",
    type=click.Choice([str(rule) for rule in LiableFromRule]),
    default=str(LiableFromRule.HANDOVER_DATE),
    show_default=True,
    help="从交付日起，或从交付次月 1 日起收费。",
)
@as_staff_or_operator
@telling
def add_community(
    code: str, name: str, address: str, liable_from: str, login_name: str | None
) -> None:
    """Put a community on file."""
    found = find_services()
    community_id = found.estate.add_community(
        actor=act_as(login_name),
        code=code,
        name=name,
        address=address,
        liable_from_rule=LiableFromRule(liable_from),
    )
    click.echo(f"已添加小区 {name}（{code}），编号 {community_id}")


@community_cli.command("list", help="列出小区：编号、名称。")
@as_staff_or_operator
@telling
def list_communities(login_name: str | None) -> None:
    """List the communities on file."""
    communities = find_services().estate.list_communities(actor=act_as(login_name))
    for one in communities:
        click.echo(f"{one.code}：{one.name}")
    if not communities:
        click.echo("没有小区，可用 flask community add 添加")


@import_cli.command("owners", help="导入“房屋业主”表。")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="只检查，不写入。")
@in_community
@as_staff_or_operator
@telling
def import_owners(file: Path, dry_run: bool, code: str, login_name: str | None) -> None:
    """Import houses and owners; exit code 2 when rows were left out."""
    actor, community_id = find_actor_and_community(login_name, code)
    importing = find_services().house_owner_import
    content = file.read_bytes()
    if dry_run:
        report = importing.check(actor=actor, community_id=community_id, content=content)
    else:
        report = importing.carry_out(
            actor=actor,
            community_id=community_id,
            content=content,
            file_name=file.name,
            progress=progress_bar("已导入房屋"),
        )
    _show_report(report, dry_run=dry_run)
    if report.problems:
        sys.exit(2)


def _show_report(report: ImportReport, *, dry_run: bool) -> None:
    tell_problems(report.problems)
    click.echo(
        f"{'检查' if dry_run else '导入'}完成：{report.row_count} 行，{report.house_count} 户"
        f"（新增 {report.houses_new}，变更 {report.houses_changed}），"
        f"新增业主 {report.owners_new} 位，问题 {len(report.problems)} 处"
    )
