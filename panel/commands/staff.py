"""``flask staff``: accounts of staff and of owners, roles and scopes, at the machine's shell."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from domain.actors import ROLE_SHOWN, Role
from domain.periods import SHANGHAI
from panel.commands.acting import (
    ROW_ID,
    act_as,
    as_staff,
    as_staff_or_operator,
    find_services,
    give_up,
    telling,
)
from services.staff.accounts import HandedOut
from services.staff.reach import Reach

staff_cli = AppGroup("staff", help="员工账号。")
_ROLES = click.Choice([str(role) for role in Role])
_ROLES_SHOWN = "，".join(f"{role} {shown}" for role, shown in ROLE_SHOWN.items()) + "。"
_who = click.argument("who", metavar="登录名")
_communities = click.option(
    "--community",
    "communities",
    multiple=True,
    metavar="编号",
    help="负责的小区，可多次；不写为全部。",
)
_buildings = click.option(
    "--building",
    "buildings",
    multiple=True,
    metavar="小区/楼栋",
    help="只负责小区里的一栋，例如 CH/3栋，可多次。",
)


@staff_cli.command("create", help="添加一名员工，显示一次性密码。")
@_who
@click.option("--name", required=True, help="姓名。")
@click.option("--role", required=True, type=_ROLES, help=_ROLES_SHOWN)
@click.option("--phone", default="", help="手机号，用于找回密码。")
@click.option("--email", default="", help="邮箱，用于找回密码。")
@_communities
@_buildings
@as_staff_or_operator
@telling
def create_staff(
    who: str,
    name: str,
    role: str,
    phone: str,
    email: str,
    communities: tuple[str, ...],
    buildings: tuple[str, ...],
    login_name: str | None,
) -> None:
    """Hand out a staff account."""
    made = find_services().staff.create(
        actor=act_as(login_name),
        login_name=who,
        name=name,
        role=Role(role),
        phone=phone,
        email=email,
        reach=_reach(communities, buildings),
    )
    click.echo(f"已添加员工 {who}（{name}，{ROLE_SHOWN[Role(role)]}），编号 {made.staff_id}")
    _tell_password(made)


@staff_cli.command("list", help="列出员工账号：登录名、姓名、角色、范围。")
@as_staff_or_operator
@telling
def list_staff(login_name: str | None) -> None:
    """List who has an account."""
    staff = find_services().staff.list_all(actor=act_as(login_name))
    for one in staff:
        marks = [f"仅 {'、'.join(one.scope)}"] if one.scope else []
        marks += ["动态验证码"] if one.has_totp else []
        marks += [] if one.is_active else ["已停用"]
        ended = "".join(f"，{mark}" for mark in marks)
        click.echo(f"{one.login_name}：{one.name}，{ROLE_SHOWN[one.role]}（{one.role}）{ended}")
    if not staff:
        click.echo("没有员工，可用 flask staff create 添加")


@staff_cli.command("edit", help="修改姓名、手机号、邮箱、角色；空字符串表示去掉。")
@_who
@click.option("--name", default=None, help="姓名。")
@click.option("--phone", default=None, help="手机号。")
@click.option("--email", default=None, help="邮箱。")
@click.option("--role", default=None, type=_ROLES, help=_ROLES_SHOWN)
@as_staff_or_operator
@telling
def edit_staff(
    who: str,
    name: str | None,
    phone: str | None,
    email: str | None,
    role: str | None,
    login_name: str | None,
) -> None:
    """Change an account."""
    services, actor = find_services(), act_as(login_name)
    staff_id = services.staff.find_id(actor=actor, login_name=who)
    grant_id = services.staff.edit(
        actor=actor, staff_id=staff_id, name=name, phone=phone, email=email
    )
    if role is not None:
        grant_id = services.staff.change_role(actor=actor, staff_id=staff_id, role=Role(role))
    click.echo(f"已修改员工 {who}")
    _tell_grant(grant_id)


@staff_cli.command("scope", help="设置负责的小区和楼栋；都不写为全部。")
@_who
@_communities
@_buildings
@as_staff_or_operator
@telling
def scope_staff(
    who: str, communities: tuple[str, ...], buildings: tuple[str, ...], login_name: str | None
) -> None:
    """Set for what somebody works."""
    services, actor = find_services(), act_as(login_name)
    services.staff.change_scope(
        actor=actor,
        staff_id=services.staff.find_id(actor=actor, login_name=who),
        reach=_reach(communities, buildings),
    )
    click.echo(f"已设置 {who} 的范围：{'、'.join((*communities, *buildings)) or '全部小区'}")


@staff_cli.command("disable", help="停用一个账号，立即生效。")
@_who
@as_staff_or_operator
@telling
def disable_staff(who: str, login_name: str | None) -> None:
    """Switch an account off."""
    services, actor = find_services(), act_as(login_name)
    staff_id = services.staff.find_id(actor=actor, login_name=who)
    services.staff.disable(actor=actor, staff_id=staff_id)
    click.echo(f"已停用员工 {who}，其会话和密钥立即失效")


@staff_cli.command("enable", help="重新启用一个账号。")
@_who
@as_staff_or_operator
@telling
def enable_staff(who: str, login_name: str | None) -> None:
    """Switch an account on again."""
    services, actor = find_services(), act_as(login_name)
    staff_id = services.staff.find_id(actor=actor, login_name=who)
    grant_id = services.staff.enable(actor=actor, staff_id=staff_id)
    if grant_id is None:
        click.echo(f"已启用员工 {who}")
    _tell_grant(grant_id)


@staff_cli.command("reset-password", help="生成新的一次性密码，原会话立即失效。")
@_who
@click.option("--drop-totp", is_flag=True, help="同时取消动态验证码（手机和恢复码都丢失时）。")
@as_staff_or_operator
@telling
def reset_password(who: str, drop_totp: bool, login_name: str | None) -> None:
    """Hand out a new one-time password."""
    services, actor = find_services(), act_as(login_name)
    staff_id = services.staff.find_id(actor=actor, login_name=who)
    _tell_password(
        services.staff.reset_password(actor=actor, staff_id=staff_id, drops_totp=drop_totp)
    )


@staff_cli.command("grants", help="列出等待审批的角色；可同意或拒绝其中一个。")
@click.option("--grant", "granted", type=ROW_ID, default=None, metavar="编号", help="同意。")
@click.option("--refuse", "refused", type=ROW_ID, default=None, metavar="编号", help="拒绝。")
@as_staff
@telling
def grants(granted: int | None, refused: int | None, login_name: str) -> None:
    """List what waits for a second person, or decide one of it."""
    services, actor = find_services(), act_as(login_name)
    if granted is not None and refused is not None:
        give_up("一次只能同意或拒绝一个")
    if granted is not None:
        services.role_grants.grant(actor=actor, grant_id=granted)
        click.echo(f"已同意角色申请 {granted}")
        return
    if refused is not None:
        services.role_grants.refuse(actor=actor, grant_id=refused)
        click.echo(f"已拒绝角色申请 {refused}")
        return
    waiting = services.role_grants.list_open(actor=actor)
    for one in waiting:
        when = one.requested_at.astimezone(SHANGHAI)
        click.echo(
            f"  {one.id} {one.login_name}（{one.name}）申请 {ROLE_SHOWN[one.role]}，"
            f"{one.requested_by} {when:%Y-%m-%d %H:%M} 提交"
        )
    click.echo(f"共 {len(waiting)} 个")


@staff_cli.command("owner-account", help="给业主的手机号发放登录名和一次性密码。")
@click.argument("phone", metavar="手机号")
@click.argument("who", metavar="登录名")
@as_staff_or_operator
@telling
def hand_out_owner_account(phone: str, who: str, login_name: str | None) -> None:
    """Hand out an account to an owner whose phone is on file."""
    made = find_services().owner_passwords.hand_out(
        actor=act_as(login_name), phone=phone, login_name=who
    )
    click.echo(f"已为业主账号 {made.login_name} 生成一次性密码，只显示这一次：")
    click.echo(made.password)


def _reach(communities: tuple[str, ...], buildings: tuple[str, ...]) -> Reach:
    pairs = []
    for one in buildings:
        community, _, building = one.partition("/")
        if not community or not building:
            give_up(f"楼栋应写成 小区/楼栋，例如 CH/3栋，不是“{one}”")
        pairs.append((community, building))
    return Reach(communities, tuple(pairs))


def _tell_password(made: HandedOut) -> None:
    click.echo("一次性密码只显示这一次，七天内有效，首次登录后必须修改：")
    click.echo(made.password)
    _tell_grant(made.grant_id)


def _tell_grant(grant_id: int | None) -> None:
    if grant_id is not None:
        click.echo(
            f"涉及资金的角色要由另一人同意后生效：flask staff grants --grant {grant_id} --as …"
        )
