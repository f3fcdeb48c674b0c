"""``flask …``: what managers and operators do at the machine's own shell."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import click
from flask import Flask, current_app
from flask.cli import AppGroup, with_appcontext

from domain.actors import Actor, Role, operator
from domain.charges import ChargeMethod
from domain.errors import InvalidInput, PropertyError
from domain.money import Rounding, show_yuan
from domain.periods import LiableFromRule, Proration, local_date
from services import assembly
from services.bills.batches import BatchView
from services.fees import NewFeeItem
from services.imports.plans import ImportReport

P = ParamSpec("P")
R = TypeVar("R")

_PROBLEMS_SHOWN = 50
_PRICE = re.compile(r"\A[0-9]{1,9}(\.[0-9]{1,9})?\Z", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 2000, 2999
_ROW_ID = click.IntRange(1, 2**63 - 1)

staff_cli = AppGroup("staff", help="员工账号。")
community_cli = AppGroup("community", help="小区。")
fees_cli = AppGroup("fees", help="收费项目。")
import_cli = AppGroup("import", help="导入表格。")
bills_cli = AppGroup("bills", help="账单批次：生成、审核、发布。")
verify_cli = AppGroup("verify", help="核对。")

_as_staff = click.option(
    "--as", "login_name", required=True, metavar="登录名", help="以哪位员工的身份操作。"
)
_in_community = click.option(
    "--community", "code", required=True, metavar="编号", help="小区编号，例如 CH。"
)


def register(app: Flask) -> None:
    """Attach all commands to the app's command line."""
    for command in (staff_cli, community_cli, fees_cli, import_cli, bills_cli, verify_cli, doctor):
        app.cli.add_command(command)


def _services() -> assembly.Services:
    app: Any = current_app
    return assembly.of(app)


def _telling(command: Callable[P, R]) -> Callable[P, R]:
    """End with exit code 1 and a sentence when a use-case refuses."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except InvalidInput as error:
            for name, reasons in error.fields.items():
                click.secho(f"  {name}：{'；'.join(reasons)}", fg="red", err=True)
            _give_up(error.message)
        except PropertyError as error:
            _give_up(error.message)

    return run


def _give_up(message: str) -> NoReturn:
    click.secho(f"没有完成：{message}", fg="red", err=True)
    sys.exit(1)


def _bar(label: str) -> Callable[[int, int], None]:
    def show(done: int, total: int) -> None:
        end = "\n" if done >= total else "\r"
        click.echo(f"{label} {done}/{total}", nl=False)
        click.echo(end, nl=False)

    return show


def _actor_and_community(login_name: str, code: str) -> tuple[Actor, int]:
    found = _services()
    actor = found.staff.act_as(login_name=login_name)
    return actor, found.estate.show_community(actor=actor, code=code).id


@staff_cli.command("create", help="添加一名员工。")
@click.argument("login_name", metavar="登录名")
@click.option("--name", required=True, help="姓名。")
@click.option("--role", required=True, type=click.Choice([str(role) for role in Role]))
@_telling
def create_staff(login_name: str, name: str, role: str) -> None:
    """Hand out a staff account."""
    staff_id = _services().staff.create(
        actor=operator(), login_name=login_name, name=name, role=Role(role)
    )
    click.echo(f"已添加员工 {login_name}（{name}，{role}），编号 {staff_id}")


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
@_as_staff
@_telling
def add_community(code: str, name: str, address: str, liable_from: str, login_name: str) -> None:
    """Put a community on file."""
    found = _services()
    community_id = found.estate.add_community(
        actor=found.staff.act_as(login_name=login_name),
        code=code,
        name=name,
        address=address,
        liable_from_rule=LiableFromRule(liable_from),
    )
    click.echo(f"已添加小区 {name}（{code}），编号 {community_id}")


@fees_cli.command("add", help="添加一个收费项目，单价单位为元。")
@click.argument("item_code", metavar="项目编号")
@click.option("--name", required=True, help="项目名称，例如 物业费。")
@click.option("--method", type=click.Choice([str(way) for way in ChargeMethod]), required=True)
@click.option("--price", required=True, help="单价：按面积为 元/㎡·月，固定为 元/月。")
@click.option("--from", "starts_on", required=True, type=click.DateTime(["%Y-%m-%d"]))
@click.option("--due-days", default=30, show_default=True, help="出账后多少天到期。")
@click.option(
    "--rounding", type=click.Choice([str(way) for way in Rounding]), default=str(Rounding.FEN)
)
@click.option(
    "--proration",
    type=click.Choice([str(way) for way in Proration]),
    default=str(Proration.ACTUAL_MONTH),
)
@_in_community
@_as_staff
@_telling
def add_fee(
    item_code: str,
    name: str,
    method: str,
    price: str,
    starts_on: datetime,
    due_days: int,
    rounding: str,
    proration: str,
    code: str,
    login_name: str,
) -> None:
    """Add a fee item with its first price."""
    actor, community_id = _actor_and_community(login_name, code)
    _services().fees.add_item(
        actor=actor,
        community_id=community_id,
        item=NewFeeItem(
            code=item_code,
            name=name,
            charge_method=ChargeMethod(method),
            unit_price=_decimal(price),
            starts_on=starts_on.date(),
            rounding=Rounding(rounding),
            proration=Proration(proration),
            due_days=due_days,
        ),
    )
    click.echo(f"已添加收费项目 {name}（{item_code}），单价 {price} 元")


def _decimal(words: str) -> Decimal:
    # Decimal alone would take "1_0", "NaN" and digits of other scripts.
    if not _PRICE.match(words):
        raise InvalidInput(fields={"price": ["不是数字，例如 2.35"]})
    return Decimal(words)


@import_cli.command("owners", help="导入“房屋业主”表。")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="只检查，不写入。")
@_in_community
@_as_staff
@_telling
def import_owners(file: Path, dry_run: bool, code: str, login_name: str) -> None:
    """Import houses and owners; exit code 2 when rows were left out."""
    actor, community_id = _actor_and_community(login_name, code)
    importing = _services().house_owner_import
    content = file.read_bytes()
    if dry_run:
        report = importing.check(actor=actor, community_id=community_id, content=content)
    else:
        report = importing.commit(
            actor=actor,
            community_id=community_id,
            content=content,
            file_name=file.name,
            progress=_bar("已导入房屋"),
        )
    _show_report(report, dry_run=dry_run)
    if report.problems:
        sys.exit(2)


def _show_report(report: ImportReport, *, dry_run: bool) -> None:
    for problem in report.problems[:_PROBLEMS_SHOWN]:
        click.echo(
            f"  第 {problem.row} 行 {problem.column}“{problem.value}”："
            f"{problem.why}。{problem.suggestion}"
        )
    if len(report.problems) > _PROBLEMS_SHOWN:
        click.echo(f"  ……还有 {len(report.problems) - _PROBLEMS_SHOWN} 处")
    click.echo(
        f"{'检查' if dry_run else '导入'}完成：{report.row_count} 行，{report.house_count} 户"
        f"（新增 {report.houses_new}，变更 {report.houses_changed}），"
        f"新增业主 {report.owners_new} 位，问题 {len(report.problems)} 处"
    )


@bills_cli.command("generate", help="生成一个月的账单批次，默认上个月。")
@click.option(
    "--month",
    type=click.DateTime(["%Y-%m"]),
    callback=lambda _ctx, _option, month: _check_month(month),
    help="例如 2026-10。",
)
@_in_community
@_as_staff
@_telling
def generate_bills(month: datetime | None, code: str, login_name: str) -> None:
    """Draft a batch and generate its bills."""
    found = _services()
    actor, community_id = _actor_and_community(login_name, code)
    batch_id = found.batches.draft(
        actor=actor,
        community_id=community_id,
        month=month.date() if month else _last_month(local_date(found.clock.now())),
    )
    found.generation.generate(actor=actor, batch_id=batch_id, progress=_bar("已计算房屋"))
    _show_batch(found.batches.show(actor=actor, batch_id=batch_id))


@bills_cli.command("resume", help="继续生成一个中断的批次，只补缺少的账单。")
@click.argument("batch_id", type=_ROW_ID, metavar="批次")
@_as_staff
@_telling
def resume_bills(batch_id: int, login_name: str) -> None:
    """Go on with a batch that was cut off, or sent back."""
    found = _services()
    actor = found.staff.act_as(login_name=login_name)
    found.generation.generate(actor=actor, batch_id=batch_id, progress=_bar("已计算房屋"))
    _show_batch(found.batches.show(actor=actor, batch_id=batch_id))


def _check_month(month: datetime | None) -> datetime | None:
    if month and not _FIRST_YEAR <= month.year <= _LAST_YEAR:
        raise click.BadParameter(f"年份应在 {_FIRST_YEAR} 至 {_LAST_YEAR} 之间")
    return month


def _last_month(today: date) -> date:
    return today.replace(day=1) - timedelta(days=1)


@bills_cli.command("show", help="查看一个批次。")
@click.argument("batch_id", type=_ROW_ID, metavar="批次")
@_as_staff
@_telling
def show_batch(batch_id: int, login_name: str) -> None:
    """Show a batch for review."""
    found = _services()
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
@click.argument("batch_id", type=_ROW_ID, metavar="批次")
@_as_staff
@_telling
def approve_batch(batch_id: int, login_name: str) -> None:
    """Approve a batch."""
    found = _services()
    content_sha256 = found.batches.approve(
        actor=found.staff.act_as(login_name=login_name), batch_id=batch_id
    )
    click.echo(f"已审核，内容指纹 {content_sha256[:16]}")


@bills_cli.command("send-back", help="退回一个待审核的批次，其账单作废，可重新生成。")
@click.argument("batch_id", type=_ROW_ID, metavar="批次")
@click.option("--reason", required=True, help="原因。")
@_as_staff
@_telling
def send_back_batch(batch_id: int, reason: str, login_name: str) -> None:
    """Send a batch back to its maker."""
    found = _services()
    found.batches.send_back(
        actor=found.staff.act_as(login_name=login_name), batch_id=batch_id, reason=reason
    )
    click.echo("已退回")


@bills_cli.command("cancel", help="取消一个未发布的批次。")
@click.argument("batch_id", type=_ROW_ID, metavar="批次")
@click.option("--reason", required=True, help="原因。")
@_as_staff
@_telling
def cancel_batch(batch_id: int, reason: str, login_name: str) -> None:
    """Give up a batch."""
    found = _services()
    found.batches.cancel(
        actor=found.staff.act_as(login_name=login_name), batch_id=batch_id, reason=reason
    )
    click.echo("已取消")


@bills_cli.command("publish", help="发布一个已审核的批次并通知业主。")
@click.argument("batch_id", type=_ROW_ID, metavar="批次")
@_as_staff
@_telling
def publish_batch(batch_id: int, login_name: str) -> None:
    """Publish a batch."""
    found = _services()
    published = found.publication.publish(
        actor=found.staff.act_as(login_name=login_name), batch_id=batch_id
    )
    click.echo(
        f"已发布 {published.bill_count} 张账单，合计 {show_yuan(published.amount_fen)}，"
        f"通知 {published.message_count} 条"
    )


@verify_cli.command("ledger", help="逐条核对账目承诺；有一条不成立则退出码为 1。")
@_telling
def verify_ledger() -> None:
    """Check every promise of the ledger against the live data."""
    checks = _services().ledger.verify(actor=operator())
    for check in checks:
        mark = click.style("成立", fg="green") if check.holds else click.style("不成立", fg="red")
        click.echo(f"{check.promise:<4}{mark} {check.title}（{check.looked_at} 条）")
        for row in check.broken:
            click.echo(f"      {row}")
    if not all(check.holds for check in checks):
        _give_up("有承诺不成立，请立即停止收款并联系维护人员")
    click.echo(f"{len(checks)} 条承诺全部成立")


@click.command("doctor", help="逐项检查配置与连接；有一项不通则退出码为 1。")
@with_appcontext
@_telling
def doctor() -> None:
    """Say of every link whether it works."""
    findings = _services().doctor.examine(actor=operator())
    for finding in findings:
        mark = click.style("正常", fg="green") if finding.is_well else click.style("异常", fg="red")
        click.echo(f"{mark} {finding.name}：{finding.sentence}")
    if not all(finding.is_well for finding in findings):
        sys.exit(1)
