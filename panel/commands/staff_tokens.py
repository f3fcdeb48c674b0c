"""``flask staff token``: keys by which programs of members of staff call the API."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from domain.actors import operator
from domain.periods import SHANGHAI
from panel.commands.acting import ROW_ID, find_services, telling

token_cli = AppGroup("token", help="员工接口密钥，供抄表系统等程序使用。")


@token_cli.command("create", help="生成一个密钥，只显示这一次。")
@click.argument("login_name", metavar="登录名")
@click.option("--name", required=True, help="用途，例如 抄表系统。")
@telling
def create_token(login_name: str, name: str) -> None:
    """Make a key for a member of staff and print it once."""
    made = find_services().staff_tokens.create(actor=operator(), login_name=login_name, name=name)
    click.echo(f"已为 {login_name} 生成密钥（{name}），编号 {made.id}。请立即保存，不再显示：")
    click.echo(made.token)


@token_cli.command("revoke", help="停用一个密钥，立即生效。")
@click.argument("token_id", metavar="编号", type=ROW_ID)
@telling
def revoke_token(token_id: int) -> None:
    """End a key at once."""
    find_services().staff_tokens.revoke(actor=operator(), token_id=token_id)
    click.echo(f"已停用密钥 {token_id}")


@token_cli.command("list", help="列出一名员工的密钥。")
@click.argument("login_name", metavar="登录名")
@telling
def list_tokens(login_name: str) -> None:
    """List the keys of a member of staff, without what opens anything."""
    found = find_services().staff_tokens.list_tokens(actor=operator(), login_name=login_name)
    for token in found:
        state = "已停用" if token.revoked_at else "使用中"
        made = token.created_at.astimezone(SHANGHAI)
        click.echo(f"  {token.id} {token.name} {made:%Y-%m-%d} {state}")
    click.echo(f"共 {len(found)} 个")
