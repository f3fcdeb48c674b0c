"""``flask meters``: meters and what is read off them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import click
from flask.cli import AppGroup

from domain.actors import Actor
from domain.cells import BadCell, read_reading
from domain.errors import InvalidInput
from domain.meters import KIND_SHOWN, UNIT_SHOWN, MeterKind
from domain.periods import calendar_month
from panel.commands.acting import (
    DAY,
    MONTH,
    act_as,
    as_staff_or_operator,
    find_services,
    in_community,
    telling,
)
from services.meters.judging import NewReading
from services.meters.lists import MeterView
from services.meters.register import NewCounter, NewMeter

_BY_NAME = {name: kind for kind, name in KIND_SHOWN.items()}
_KIND = click.Choice([*_BY_NAME, *map(str, MeterKind)])
_ON = click.option("--on", "day", required=True, type=DAY, help="日期，以当天结束时的读数为准。")
_REASON = click.option("--reason", required=True, help="原因，记录在案。")
_MULTIPLIER = click.option("--multiplier", default="1", show_default=True, help="倍率。")
_MODULUS = click.option("--modulus", help="量程：表走满后归零的数，例如 100000。")

meters_cli = AppGroup("meters", help="表具与读数。")


@meters_cli.command("register", help="登记一只表。")
@click.argument("meter_no", metavar="表号")
@click.option("--kind", required=True, type=_KIND, help="表类型。")
@click.option("--house", help="房屋，例如 1栋1单元101；不写则为公共表。")
@click.option("--opening", required=True, help="起始读数。")
@_ON
@_MULTIPLIER
@_MODULUS
@in_community
@as_staff_or_operator
@telling
def register_meter(
    meter_no: str,
    kind: str,
    house: str | None,
    opening: str,
    day: datetime,
    multiplier: str,
    modulus: str | None,
    code: str,
    login_name: str | None,
) -> None:
    """Put a meter on file with its opening reading."""
    actor, community_id = _find_who_and_where(login_name, code)
    found = find_services()
    house_id = None
    if house is not None:
        house_id = found.meter_lists.find_house(actor=actor, community_id=community_id, label=house)
    meter_id = found.meter_register.register(
        actor=actor,
        community_id=community_id,
        meter=NewMeter(
            meter_no=meter_no,
            kind=_kind(kind),
            house_id=house_id,
            multiplier=_number(multiplier, "multiplier"),
            modulus=None if modulus is None else _number(modulus, "modulus"),
            opening_reading=_number(opening, "opening_reading"),
            opened_on=day.date(),
        ),
    )
    click.echo(f"已登记表 {meter_no}（{house or '公共表'}），起始读数 {opening}，编号 {meter_id}")


@meters_cli.command("replace", help="换表：旧表止于最后读数，新表从起始读数开始。")
@click.argument("meter_no", metavar="旧表号")
@click.argument("new_no", metavar="新表号")
@click.option("--closing", required=True, help="旧表最后读数。")
@click.option("--opening", required=True, help="新表起始读数。")
@_ON
@_MULTIPLIER
@_MODULUS
@in_community
@as_staff_or_operator
@telling
def replace_meter(
    meter_no: str,
    new_no: str,
    closing: str,
    opening: str,
    day: datetime,
    multiplier: str,
    modulus: str | None,
    code: str,
    login_name: str | None,
) -> None:
    """Close a meter and open another in its place."""
    actor, meter_id = _find_who_and_which(login_name, code, meter_no)
    find_services().meter_register.replace(
        actor=actor,
        meter_id=meter_id,
        closing_reading=_number(closing, "closing_reading"),
        closed_on=day.date(),
        new=NewCounter(
            meter_no=new_no,
            opening_reading=_number(opening, "opening_reading"),
            multiplier=_number(multiplier, "multiplier"),
            modulus=None if modulus is None else _number(modulus, "modulus"),
        ),
    )
    click.echo(f"表 {meter_no} 止于 {closing}，由表 {new_no} 从 {opening} 开始")


@meters_cli.command("read", help="录入一次读数。")
@click.argument("meter_no", metavar="表号")
@click.argument("reading", metavar="读数")
@_ON
@click.option("--rollover", is_flag=True, help="表走过了量程，从零重新开始。")
@click.option("--note", default="", help="备注。")
@in_community
@as_staff_or_operator
@telling
def read_meter(
    meter_no: str,
    reading: str,
    day: datetime,
    rollover: bool,
    note: str,
    code: str,
    login_name: str | None,
) -> None:
    """Enter one reading; exit code 2 when it cannot be taken."""
    actor, community_id = _find_who_and_where(login_name, code)
    new = NewReading(meter_no, day.date(), _number(reading, "reading"), rollover, note)
    entered = find_services().meter_readings.enter(
        actor=actor, community_id=community_id, readings=[new], source="manual"
    )
    for problem in entered.problems:
        click.secho(f"没有录入：{problem.why}", fg="red", err=True)
    _warn(warning.why for warning in entered.warnings)
    if entered.problems:
        sys.exit(2)
    done = "已录入" if entered.taken else "已有相同读数，没有变化："
    click.echo(f"{done}表 {meter_no} 在 {day:%Y-%m-%d} 的读数 {reading}")


@meters_cli.command("correct", help="更正一次读数，原读数与原因留存。")
@click.argument("meter_no", metavar="表号")
@click.argument("reading", metavar="读数")
@_ON
@click.option("--rollover/--no-rollover", default=None, help="是否归零；不写则不变。")
@_REASON
@in_community
@as_staff_or_operator
@telling
def correct_reading(
    meter_no: str,
    reading: str,
    day: datetime,
    rollover: bool | None,
    reason: str,
    code: str,
    login_name: str | None,
) -> None:
    """Put a reading in the place of a wrong one."""
    actor, meter_id = _find_who_and_which(login_name, code, meter_no)
    correction = find_services().meter_readings.correct(
        actor=actor,
        meter_id=meter_id,
        read_on=day.date(),
        reading=_number(reading, "reading"),
        is_rollover=rollover,
        reason=reason,
    )
    if correction.warning:
        _warn([correction.warning])
    click.echo(f"表 {meter_no} 在 {day:%Y-%m-%d} 的读数由 {correction.before:f} 更正为 {reading}")


@meters_cli.command("swap", help="互换两只接反的表所属的房屋。")
@click.argument("meter_no", metavar="表号")
@click.argument("other_no", metavar="另一表号")
@_REASON
@in_community
@as_staff_or_operator
@telling
def swap_meters(
    meter_no: str, other_no: str, reason: str, code: str, login_name: str | None
) -> None:
    """Exchange the houses of two meters and list the bills to adjust."""
    actor, meter_id = _find_who_and_which(login_name, code, meter_no)
    _, other_id = _find_who_and_which(login_name, code, other_no)
    wrong = find_services().meter_register.swap(
        actor=actor, meter_id=meter_id, other_meter_id=other_id, reason=reason
    )
    click.echo(f"已互换表 {meter_no} 与表 {other_no} 所属的房屋")
    if wrong:
        click.echo(f"以下 {len(wrong)} 张已发布的账单用了错的表，请调整：")
    for bill in wrong:
        click.echo(f"  {bill.bill_no}")


@meters_cli.command("list", help="列出表具。")
@click.option("--search", default="", help="表号或房屋的一部分。")
@in_community
@as_staff_or_operator
@telling
def list_meters(search: str, code: str, login_name: str | None) -> None:
    """List meters with their last readings."""
    actor, community_id = _find_who_and_where(login_name, code)
    found = find_services().meter_lists.list_meters(
        actor=actor, community_id=community_id, search=search
    )
    for meter in found:
        click.echo(f"  {_line(meter)}")
    click.echo(f"共 {len(found)} 只")


@meters_cli.command("show", help="显示一只表的全部读数与用量。")
@click.argument("meter_no", metavar="表号")
@in_community
@as_staff_or_operator
@telling
def show_meter(meter_no: str, code: str, login_name: str | None) -> None:
    """Show a meter with its readings, corrected ones too, and its usage by month."""
    actor, meter_id = _find_who_and_which(login_name, code, meter_no)
    detail = find_services().meter_lists.show(actor=actor, meter_id=meter_id)
    meter = detail.meter
    click.echo(_line(meter))
    for one in detail.readings:
        turned = "（归零）" if one.is_rollover else ""
        by = f" {one.read_by}" if one.read_by else ""
        gone = f" 已更正：{one.superseded_because}" if one.superseded_at else ""
        click.echo(f"  {one.read_on} {one.reading:f}{turned}{by}{gone}")
    click.echo(f"  {meter.opened_on} {meter.opening_reading:f}（起始）")
    for usage in detail.usages:
        click.echo(f"  {usage.month:%Y-%m} 用量 {usage.usage:f} {UNIT_SHOWN[meter.kind]}")


@meters_cli.command("unread", help="列出某月还没有抄的表。")
@click.option("--kind", required=True, type=_KIND, help="表类型。")
@click.option("--month", required=True, type=MONTH, help="例如 2026-10。")
@in_community
@as_staff_or_operator
@telling
def list_unread(kind: str, month: datetime, code: str, login_name: str | None) -> None:
    """List the meters that have still to be read."""
    actor, community_id = _find_who_and_where(login_name, code)
    found = find_services().meter_lists.list_unread(
        actor=actor,
        community_id=community_id,
        kind=_kind(kind),
        month=calendar_month(month.date()),
    )
    for meter in found:
        click.echo(f"  {_line(meter)}")
    click.echo(f"{month:%Y-%m} 还有 {len(found)} 只没有抄")


def _warn(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        click.secho(f"  提醒：{sentence}", fg="yellow")


def _line(meter: MeterView) -> str:
    last = f"{meter.read_on} {meter.reading:f}" if meter.reading is not None else "还没有抄过"
    closed = f"，{meter.closed_on} 停用" if meter.closed_on else ""
    return f"{meter.meter_no} {KIND_SHOWN[meter.kind]} {meter.house or '公共表'}：{last}{closed}"


def _find_who_and_where(login_name: str | None, code: str) -> tuple[Actor, int]:
    """Tell who acts and on which community, also for those who may only read meters."""
    actor = act_as(login_name)
    return actor, find_services().meter_lists.find_community(actor=actor, code=code).id


def _find_who_and_which(login_name: str | None, code: str, meter_no: str) -> tuple[Actor, int]:
    actor, community_id = _find_who_and_where(login_name, code)
    meter_id = find_services().meter_lists.find_meter(
        actor=actor, community_id=community_id, meter_no=meter_no
    )
    return actor, meter_id


def _kind(word: str) -> MeterKind:
    return _BY_NAME.get(word) or MeterKind(word)


def _number(words: str, name: str) -> Decimal:
    try:
        return read_reading(words)
    except BadCell as bad:
        raise InvalidInput(fields={name: [bad.why]}) from bad
