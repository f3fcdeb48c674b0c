"""``flask community``: base data at the shell."""

from __future__ import annotations

import re

import click
from flask.cli import AppGroup

from domain.periods import LiableFromRule
from panel.commands.acting import (
    act_as,
    as_staff_or_operator,
    find_services,
    telling,
)

_PRICE = re.compile(r"\A[0-9]{1,9}(\.[0-9]{1,9})?\Z", re.ASCII)

community_cli = AppGroup("community", help="小区。")


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
