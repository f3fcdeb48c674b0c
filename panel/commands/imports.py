"""``flask import``: the template, the three sheets, what was imported, and taking it back."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from domain.actors import Actor, system_actor
from domain.imports import STATE_SHOWN, ImportKind, ImportState
from domain.periods import SHANGHAI
from domain.sheets import Problem
from panel.commands.acting import (
    NEW_FILE,
    ROW_ID,
    act_as,
    as_staff_or_operator,
    find_services,
    give_up,
    in_community,
    progress_bar,
    tell_problems,
    telling,
)
from services.imports.meter_readings import ReadingImportReport
from services.imports.parking_spaces import SpaceImportReport
from services.imports.plans import ImportReport
from services.imports.workbench import BatchView

_LISTED = 50
_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_DRY_RUN = click.option("--dry-run", is_flag=True, help="只检查，不写入。")
_ERRORS = click.option(
    "--errors",
    type=NEW_FILE,
    metavar="文件.xlsx",
    help="有问题时，把原表连同“问题”一列写入这个文件，改好后可再次导入。",
)

import_cli = AppGroup("import", help="导入表格。")


@import_cli.command("template", help="写出导入模板（房屋业主、车位、水表读数）。")
@click.argument("file", type=NEW_FILE, metavar="文件.xlsx")
@as_staff_or_operator
@telling
def write_template(file: Path, login_name: str | None) -> None:
    """Write the workbook that clerks fill in."""
    file.write_bytes(find_services().import_workbench.write_template(actor=act_as(login_name)))
    click.echo(f"已写出导入模板 {file}")


@import_cli.command("owners", help="导入“房屋业主”表。")
@_FILE
@_DRY_RUN
@_ERRORS
@in_community
@as_staff_or_operator
@telling
def import_owners(
    file: Path, dry_run: bool, errors: Path | None, code: str, login_name: str | None
) -> None:
    """Import houses and owners; exit code 2 when rows were left out."""
    actor, community_id = _find_actor_and_community(login_name, code)
    importing = find_services().house_owner_import
    report = _run(importing, actor, community_id, file, dry_run=dry_run, label="已导入房屋")
    _show_houses(report, dry_run=dry_run)
    _end(actor, ImportKind.OWNERS, file, errors, report.problems)


@import_cli.command("spaces", help="导入“车位”表。")
@_FILE
@_DRY_RUN
@_ERRORS
@in_community
@as_staff_or_operator
@telling
def import_spaces(
    file: Path, dry_run: bool, errors: Path | None, code: str, login_name: str | None
) -> None:
    """Import parking spaces; exit code 2 when rows were left out."""
    actor, community_id = _find_actor_and_community(login_name, code)
    importing = find_services().parking_space_import
    report = _run(importing, actor, community_id, file, dry_run=dry_run, label="已导入车位")
    _show_spaces(report, dry_run=dry_run)
    _end(actor, ImportKind.SPACES, file, errors, report.problems)


@import_cli.command("readings", help="导入“水表读数”表。")
@_FILE
@_DRY_RUN
@_ERRORS
@in_community
@as_staff_or_operator
@telling
def import_readings(
    file: Path, dry_run: bool, errors: Path | None, code: str, login_name: str | None
) -> None:
    """Import meter readings; exit code 2 when rows were left out."""
    actor, community_id = _find_actor_and_community(login_name, code)
    importing = find_services().meter_reading_import
    report = _run(importing, actor, community_id, file, dry_run=dry_run, label="已处理行")
    _show_readings(report, dry_run=dry_run)
    _end(actor, ImportKind.READINGS, file, errors, report.problems)


@import_cli.command("list", help="列出导入批次，新的在前。")
@as_staff_or_operator
@telling
def list_batches(login_name: str | None) -> None:
    """List what was imported."""
    batches = find_services().import_workbench.list_batches(
        actor=act_as(login_name), before_id=None, limit=_LISTED
    )
    for batch in batches:
        click.echo(f"  {_line(batch)}")
    if not batches:
        click.echo("还没有导入过表格")


@import_cli.command("undo", help="撤销一个导入批次：新增的删去，改动的复原。")
@click.argument("batch_id", metavar="批次编号", type=ROW_ID)
@as_staff_or_operator
@telling
def undo(batch_id: int, login_name: str | None) -> None:
    """Take an import back, unless something depends on it."""
    found = find_services()
    actor = act_as(login_name)
    found.import_workbench.undo(actor=actor, batch_id=batch_id)
    found.import_work.go_on(actor=system_actor("命令行撤销导入"), batch_id=batch_id)
    batch = found.import_workbench.show(actor=actor, batch_id=batch_id)
    if batch.state is not ImportState.UNDONE:
        give_up(batch.failure or f"批次 {batch_id} {STATE_SHOWN[batch.state]}")
    click.echo(f"已撤销导入批次 {batch_id}（{batch.file_name}）")


def _find_actor_and_community(login_name: str | None, code: str) -> tuple[Actor, int]:
    """Tell who acts and where, also for those who may only read meters."""
    actor = act_as(login_name)
    return actor, find_services().import_workbench.find_community(actor=actor, code=code)


def _run(
    importing: Any, actor: Actor, community_id: int, file: Path, *, dry_run: bool, label: str
) -> Any:
    content = file.read_bytes()
    if dry_run:
        return importing.check(actor=actor, community_id=community_id, content=content)
    return importing.carry_out(
        actor=actor,
        community_id=community_id,
        content=content,
        file_name=file.name,
        progress=progress_bar(label),
    )


def _end(
    actor: Actor, kind: ImportKind, file: Path, errors: Path | None, problems: Sequence[Problem]
) -> None:
    """Write the file of errors if it is wanted, and end with 2 when rows were left out."""
    if not problems:
        return
    if errors is not None:
        marked = find_services().import_work.mark_problems(
            actor=actor, kind=kind, content=file.read_bytes(), problems=problems
        )
        errors.write_bytes(marked)
        click.echo(f"问题已写入 {errors}，改好后可再次导入")
    sys.exit(2)


def _show_houses(report: ImportReport, *, dry_run: bool) -> None:
    tell_problems(report.problems)
    click.echo(
        f"{'检查' if dry_run else '导入'}完成：{report.row_count} 行，{report.house_count} 户"
        f"（新增 {report.houses_new}，变更 {report.houses_changed}），"
        f"新增业主 {report.owners_new} 位，问题 {len(report.problems)} 处"
        f"{_in_batch(report.batch_id)}"
    )


def _show_spaces(report: SpaceImportReport, *, dry_run: bool) -> None:
    tell_problems(report.problems)
    click.echo(
        f"{'检查' if dry_run else '导入'}完成：{report.row_count} 行，"
        f"新增车位 {report.spaces_new} 个，变更 {report.spaces_changed} 个，"
        f"新增车辆 {report.cars_new} 辆，问题 {len(report.problems)} 处"
        f"{_in_batch(report.batch_id)}"
    )


def _show_readings(report: ReadingImportReport, *, dry_run: bool) -> None:
    tell_problems(report.problems)
    for warning in report.warnings:
        words = f"  提醒：第 {warning.row} 行 表 {warning.meter_no}：{warning.why}"
        click.secho(words, fg="yellow")
    if report.meters_new:
        click.echo(f"  新表 {report.meters_new} 只，首次读数作为起始读数")
    click.echo(
        f"{'检查' if dry_run else '导入'}完成：{report.row_count} 行，"
        f"新读数 {report.readings_new} 条，已有 {report.unchanged} 条，"
        f"提醒 {len(report.warnings)} 条，问题 {len(report.problems)} 处"
        f"{_in_batch(report.batch_id)}"
    )


def _in_batch(batch_id: int | None) -> str:
    return f"（批次 {batch_id}，可用 flask import undo {batch_id} 撤销）" if batch_id else ""


def _line(batch: BatchView) -> str:
    at = f"{batch.created_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
    problems = f"，问题 {batch.problem_count} 处" if batch.problem_count else ""
    failure = f"：{batch.failure}" if batch.failure else ""
    return (
        f"{batch.id} {at} {batch.community} {batch.file_name} {STATE_SHOWN[batch.state]}"
        f"{problems}{failure}（{batch.by}）"
    )
