"""``flask community``, ``flask building``: base data at the shell."""

from __future__ import annotations

import re
from datetime import datetime

import click
from flask.cli import AppGroup

from domain.actors import Actor
from domain.estate_fields import BUILDING, COMMUNITY, UNIT
from domain.periods import LiableFromRule
from panel.commands.acting import (
    DAY,
    act_as,
    as_staff_or_operator,
    find_actor_and_community,
    find_services,
    in_community,
    telling,
)
from panel.commands.estate_changes import (
    needed_reason,
    read_sets,
    reason_option,
    seen_in,
    set_columns,
    tell_columns,
)

_PRICE = re.compile(r"\A[0-9]{1,9}(\.[0-9]{1,9})?\Z", re.ASCII)

community_cli = AppGroup("community", help="小区：查看、添加、修改、停用。")
building_cli = AppGroup("building", help="楼栋与单元：查看、添加、修改、停用。")
_RETIRED_ON = click.option(
    "--on", "retired_on", type=DAY, required=True, help="停用日期，例如 2026-12-01。"
)
_BUILDING = click.argument("name", metavar="楼栋")


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


@community_cli.command("show", help="显示一个小区的全部资料。")
@click.argument("code", metavar="编号")
@as_staff_or_operator
@telling
def show_community(code: str, login_name: str | None) -> None:
    """Show a community."""
    actor, community_id = find_actor_and_community(login_name, code)
    shown = find_services().community_register.show(actor=actor, community_id=community_id)
    retired = f"，已于 {shown.retired_on} 停用" if shown.retired_on else ""
    click.echo(f"{shown.code}：{shown.building_count} 栋，{shown.house_count} 户{retired}")
    tell_columns(shown, COMMUNITY)


@community_cli.command("edit", help="修改小区资料。")
@click.argument("code", metavar="编号")
@set_columns
@reason_option
@as_staff_or_operator
@telling
def edit_community(code: str, sets: tuple[str, ...], reason: str, login_name: str | None) -> None:
    """Change columns of a community."""
    actor, community_id = find_actor_and_community(login_name, code)
    register = find_services().community_register
    changes = read_sets(sets, COMMUNITY)
    seen = seen_in(register.show(actor=actor, community_id=community_id), changes)
    register.edit(actor=actor, community_id=community_id, changes=changes, seen=seen, reason=reason)
    click.echo(f"已修改小区 {code}")


@community_cli.command("retire", help="停用小区；楼栋、房屋、车位须先停用。")
@click.argument("code", metavar="编号")
@_RETIRED_ON
@needed_reason
@as_staff_or_operator
@telling
def retire_community(code: str, retired_on: datetime, reason: str, login_name: str | None) -> None:
    """Manage a community no longer."""
    actor, community_id = find_actor_and_community(login_name, code)
    find_services().community_register.retire(
        actor=actor, community_id=community_id, retired_on=retired_on.date(), reason=reason
    )
    click.echo(f"已停用小区 {code}，自 {retired_on:%Y-%m-%d} 起")


@community_cli.command("restore", help="恢复已停用的小区。")
@click.argument("code", metavar="编号")
@needed_reason
@as_staff_or_operator
@telling
def restore_community(code: str, reason: str, login_name: str | None) -> None:
    """Take a retirement back."""
    actor, community_id = find_actor_and_community(login_name, code)
    find_services().community_register.restore(
        actor=actor, community_id=community_id, reason=reason
    )
    click.echo(f"已恢复小区 {code}")


@building_cli.command("list", help="列出楼栋及未停用的房屋数。")
@in_community
@as_staff_or_operator
@telling
def list_buildings(code: str, login_name: str | None) -> None:
    """List the buildings of a community."""
    actor, community_id = find_actor_and_community(login_name, code)
    found = find_services().building_lists.list_buildings(actor=actor, community_id=community_id)
    for one in found:
        retired = f"，已于 {one.retired_on} 停用" if one.retired_on else ""
        click.echo(f"{one.name}：{one.house_count} 户{retired}")
    if not found:
        click.echo("没有楼栋，可用 flask building add 添加")


@building_cli.command("show", help="显示一栋楼与它的单元。")
@_BUILDING
@in_community
@as_staff_or_operator
@telling
def show_building(name: str, code: str, login_name: str | None) -> None:
    """Show a building with its units."""
    actor, building_id = _find_building(login_name, code, name)
    shown = find_services().building_lists.show(actor=actor, building_id=building_id)
    tell_columns(shown.building, BUILDING)
    for unit in shown.units:
        click.echo(f"{unit.unit_no or '（无单元）'}：{unit.house_count} 户")
        tell_columns(unit, UNIT)


@building_cli.command("add", help="添加一栋楼。")
@_BUILDING
@set_columns
@in_community
@as_staff_or_operator
@telling
def add_building(name: str, sets: tuple[str, ...], code: str, login_name: str | None) -> None:
    """Put a building on file."""
    actor, community_id = find_actor_and_community(login_name, code)
    building = {**read_sets(sets, BUILDING), "name": name}
    find_services().building_register.add(actor=actor, community_id=community_id, building=building)
    click.echo(f"已添加楼栋 {name}")


@building_cli.command("edit", help="修改楼栋资料；写 --unit 则修改单元资料。")
@_BUILDING
@click.option("--unit", "unit_no", default="", help="单元，例如 1。")
@set_columns
@reason_option
@in_community
@as_staff_or_operator
@telling
def edit_building(
    name: str,
    unit_no: str,
    sets: tuple[str, ...],
    reason: str,
    code: str,
    login_name: str | None,
) -> None:
    """Change columns of a building or of a unit."""
    actor, building_id = _find_building(login_name, code, name)
    found = find_services()
    shown = found.building_lists.show(actor=actor, building_id=building_id)
    changes = read_sets(sets, UNIT if unit_no else BUILDING)
    if not unit_no:
        seen = seen_in(shown.building, changes)
        found.building_register.edit(
            actor=actor, building_id=building_id, changes=changes, seen=seen, reason=reason
        )
    else:
        number = unit_no.strip().removesuffix("单元")
        unit = next((one for one in shown.units if one.unit_no == number), None)
        unknown: dict[str, object] = {"floor_count": None, "lift_count": None, "note": ""}
        seen = seen_in(unit, changes) if unit else {one: unknown[one] for one in changes}
        found.building_register.edit_unit(
            actor=actor,
            building_id=building_id,
            unit_no=unit_no,
            changes=changes,
            seen=seen,
            reason=reason,
        )
    click.echo(f"已修改楼栋 {name}")


@building_cli.command("retire", help="停用楼栋；它的房屋须先停用。")
@_BUILDING
@_RETIRED_ON
@needed_reason
@in_community
@as_staff_or_operator
@telling
def retire_building(
    name: str, retired_on: datetime, reason: str, code: str, login_name: str | None
) -> None:
    """Let a building be none any more."""
    actor, building_id = _find_building(login_name, code, name)
    find_services().building_register.retire(
        actor=actor, building_id=building_id, retired_on=retired_on.date(), reason=reason
    )
    click.echo(f"已停用楼栋 {name}，自 {retired_on:%Y-%m-%d} 起")


@building_cli.command("restore", help="恢复已停用的楼栋。")
@_BUILDING
@needed_reason
@in_community
@as_staff_or_operator
@telling
def restore_building(name: str, reason: str, code: str, login_name: str | None) -> None:
    """Take a retirement back."""
    actor, building_id = _find_building(login_name, code, name)
    find_services().building_register.restore(actor=actor, building_id=building_id, reason=reason)
    click.echo(f"已恢复楼栋 {name}")


def _find_building(login_name: str | None, code: str, name: str) -> tuple[Actor, int]:
    actor, community_id = find_actor_and_community(login_name, code)
    building_id = find_services().estate.find_building(
        actor=actor, community_id=community_id, name=name
    )
    return actor, building_id
