"""``flask staff|community|fees|import``: base data at the shell."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import click
from flask.cli import AppGroup

from domain.actors import Role, operator
from domain.charges import ChargeMethod
from domain.errors import InvalidInput, NotFound
from domain.money import Rounding
from domain.periods import LiableFromRule, Proration
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
from services.fees.checks import NewFeeItem, NewPrice
from services.imports.plans import ImportReport

_PRICE = re.compile(r"\A[0-9]{1,9}(\.[0-9]{1,9})?\Z", re.ASCII)

staff_cli = AppGroup("staff", help="员工账号。")
community_cli = AppGroup("community", help="小区。")
fees_cli = AppGroup("fees", help="收费项目。")
import_cli = AppGroup("import", help="导入表格。")


@staff_cli.command("create", help="添加一名员工。")
@click.argument("login_name", metavar="登录名")
@click.option("--name", required=True, help="姓名。")
@click.option("--role", required=True, type=click.Choice([str(role) for role in Role]))
@telling
def create_staff(login_name: str, name: str, role: str) -> None:
    """Hand out a staff account."""
    staff_id = find_services().staff.create(
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
@in_community
@as_staff_or_operator
@telling
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
    login_name: str | None,
) -> None:
    """Add a fee item with its first price."""
    actor, community_id = find_actor_and_community(login_name, code)
    find_services().fees.add_item(
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


@fees_cli.command("set-price", help="从某天起执行新价格，原价格到前一天为止。")
@click.argument("item_code", metavar="项目编号")
@click.option("--price", required=True, help="单价，元。")
@click.option("--from", "priced_from", required=True, type=click.DateTime(["%Y-%m-%d"]))
@in_community
@as_staff_or_operator
@telling
def set_price(
    item_code: str, price: str, priced_from: datetime, code: str, login_name: str | None
) -> None:
    """Let a new price hold from a date on."""
    actor, community_id = find_actor_and_community(login_name, code)
    fees = find_services().fees
    items = fees.list_items(actor=actor, community_id=community_id)
    item = next((item for item in items if item.code == item_code), None)
    if item is None:
        raise NotFound(f"没有编号为 {item_code} 的收费项目")
    fees.set_price(
        actor=actor,
        fee_item_id=item.id,
        price=NewPrice(_decimal(price)),
        priced_from=priced_from.date(),
    )
    click.echo(f"{item.name} 自 {priced_from:%Y-%m-%d} 起单价 {price} 元")


def _decimal(words: str) -> Decimal:
    # Decimal alone would take "1_0", "NaN" and digits of other scripts.
    if not _PRICE.match(words):
        raise InvalidInput(fields={"price": ["不是数字，例如 2.35"]})
    return Decimal(words)


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
