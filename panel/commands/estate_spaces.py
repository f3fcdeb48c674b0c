"""``flask space``: parking spaces at the shell."""

from __future__ import annotations

from datetime import datetime

import click
from flask.cli import AppGroup

from domain.actors import Actor
from domain.errors import NotFound
from domain.estate_fields import SPACE
from panel.commands.acting import (
    DAY,
    ROW_ID,
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
)
from services.base_data.spaces import SpaceView

space_cli = AppGroup("space", help="车位：查看、添加、修改、停用。")
_SPACE = click.argument("space_no", metavar="车位号")
_COLUMNS = [name for name in SPACE if name not in ("house_id", "owner_id")]


@space_cli.command("list", help="列出车位，新的在前；可写车位号的一部分。")
@click.argument("text", default="", metavar="内容")
@click.option("--before", "before_id", type=ROW_ID, help="翻页：上一页最后一个的编号。")
@in_community
@as_staff_or_operator
@telling
def list_spaces(text: str, before_id: int | None, code: str, login_name: str | None) -> None:
    """List the parking spaces of a community."""
    actor, community_id = find_actor_and_community(login_name, code)
    found = find_services().space_register.find(
        actor=actor, community_id=community_id, text=text, before_id=before_id
    )
    for one in found:
        retired = f"（已于 {one.retired_on} 停用）" if one.retired_on else ""
        words = [one.zone, one.house, one.owner, *one.plates]
        click.echo("  ".join([str(one.id), one.space_no + retired, *filter(None, words)]))
    if not found:
        click.echo("没有找到车位")


@space_cli.command("add", help="添加一个车位，例如 --set 权属=owned。")
@_SPACE
@set_columns
@in_community
@as_staff_or_operator
@telling
def add_space(space_no: str, sets: tuple[str, ...], code: str, login_name: str | None) -> None:
    """Put a parking space on file."""
    actor, community_id = find_actor_and_community(login_name, code)
    space = {**read_sets(sets, _COLUMNS), "space_no": space_no}
    find_services().space_register.add(actor=actor, community_id=community_id, space=space)
    click.echo(f"已添加车位 {space_no}")


@space_cli.command("edit", help="修改车位资料。")
@_SPACE
@set_columns
@reason_option
@in_community
@as_staff_or_operator
@telling
def edit_space(
    space_no: str, sets: tuple[str, ...], reason: str, code: str, login_name: str | None
) -> None:
    """Change columns of a parking space."""
    actor, space = _find(login_name, code, space_no)
    changes = read_sets(sets, _COLUMNS)
    find_services().space_register.edit(
        actor=actor,
        space_id=space.id,
        changes=changes,
        seen=seen_in(space, changes),
        reason=reason,
    )
    click.echo(f"已修改车位 {space_no}")


@space_cli.command("retire", help="停用车位；车上登记的车辆须先移走。")
@_SPACE
@click.option("--on", "retired_on", type=DAY, required=True, help="停用日期。")
@needed_reason
@in_community
@as_staff_or_operator
@telling
def retire_space(
    space_no: str, retired_on: datetime, reason: str, code: str, login_name: str | None
) -> None:
    """Let a parking space be none any more."""
    actor, space = _find(login_name, code, space_no)
    find_services().space_register.retire(
        actor=actor, space_id=space.id, retired_on=retired_on.date(), reason=reason
    )
    click.echo(f"已停用车位 {space_no}，自 {retired_on:%Y-%m-%d} 起")


@space_cli.command("restore", help="恢复已停用的车位。")
@_SPACE
@needed_reason
@in_community
@as_staff_or_operator
@telling
def restore_space(space_no: str, reason: str, code: str, login_name: str | None) -> None:
    """Take a retirement back."""
    actor, space = _find(login_name, code, space_no)
    find_services().space_register.restore(actor=actor, space_id=space.id, reason=reason)
    click.echo(f"已恢复车位 {space_no}")


def _find(login_name: str | None, code: str, space_no: str) -> tuple[Actor, SpaceView]:
    """Find a space by its whole number, however many others have it as a part of theirs.

    Raises:
        NotFound: the community has none of this number.
    """
    actor, community_id = find_actor_and_community(login_name, code)
    register, before_id = find_services().space_register, None
    while found := register.find(
        actor=actor, community_id=community_id, text=space_no, before_id=before_id
    ):
        for space in found:
            if space.space_no == space_no:
                return actor, space
        before_id = found[-1].id
    raise NotFound(f"没有车位 {space_no}")
