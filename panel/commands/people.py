"""``flask owners``, ``flask bindings``: owners and who is bound to their houses, at the shell."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from domain.house_roles import Rights
from domain.houses import HouseState
from domain.money import parse_yuan, show_yuan
from domain.owner_search import BINDING_SHOWN, BindingFilter
from domain.periods import SHANGHAI
from panel.commands.acting import (
    ROW_ID,
    act_as,
    as_staff,
    as_staff_or_operator,
    find_actor_and_community,
    find_services,
    in_community,
    telling,
)
from services.people.owners import OwnerWords
from services.people.phones import PhoneProof
from services.people.search import OwnerFilter
from services.sign_in_attempts import Visit

owners_cli = AppGroup("owners", help="业主：查找、查看、登记、修改、换手机号。")
bindings_cli = AppGroup("bindings", help="绑定：查看申请，通过或驳回。")
_OWNER = click.argument("owner_id", type=ROW_ID, metavar="业主编号")
_REASON = click.option("--reason", required=True, help="原因，记录在案。")


@owners_cli.command("search", help="按姓名、拼音、手机号片段或房号查找，可混写，例如 王 138。")
@click.argument("text", default="", metavar="内容")
@click.option("--house", default="", help="房号，例如 3-1-502 或 502。")
@click.option("--state", type=click.Choice([str(state) for state in HouseState]), help="使用状态。")
@click.option("--arrears", "owes", default="", help="逾期欠费至少多少元；写 0.01 即有欠费。")
@click.option("--binding", type=click.Choice([str(one) for one in BindingFilter]), help="绑定。")
@click.option("--before", "before_id", type=ROW_ID, help="翻页：上一页最后一位的编号。")
@in_community
@as_staff_or_operator
@telling
def search(
    text: str,
    house: str,
    state: str | None,
    owes: str,
    binding: str | None,
    before_id: int | None,
    code: str,
    login_name: str | None,
) -> None:
    """Find owners."""
    actor, community_id = find_actor_and_community(login_name, code)
    found = find_services().owner_search.find(
        actor=actor,
        which=OwnerFilter(
            community_id=community_id,
            text=text,
            house=house,
            state=HouseState(state) if state else None,
            arrears_from_fen=parse_yuan(owes) if owes else None,
            binding=BindingFilter(binding) if binding else None,
        ),
        before_id=before_id,
    )
    for owner in found:
        houses = "、".join(f"{one.label}（{one.role_shown}）" for one in owner.houses)
        owed = f"  逾期 {show_yuan(owner.arrears_fen)}" if owner.arrears_fen else ""
        click.echo(
            f"{owner.id}  {owner.name}  {'、'.join(owner.phones_masked) or '无手机号'}"
            f"  {houses or '无房屋'}  {BINDING_SHOWN[owner.binding]}{owed}"
        )
    if not found:
        click.echo("没有找到")


@owners_cli.command("show", help="查看一位业主及其房屋。")
@_OWNER
@as_staff_or_operator
@telling
def show(owner_id: int, login_name: str | None) -> None:
    """Show one."""
    owner = find_services().owners.show(actor=act_as(login_name), owner_id=owner_id)
    ended = f"，{owner.ended_on} 起停用" if owner.ended_on else ""
    click.echo(f"{owner.id}  {owner.name}{ended}")
    for phone in owner.phones:
        kind = "主号" if phone.is_primary else f"手机编号 {phone.id}"
        click.echo(f"  {phone.phone_masked}  {kind}  {phone.label}".rstrip())
    for part in owner.parts:
        share = f"，份额 {part.share_ratio}" if part.share_ratio else ""
        until = part.person_until or "今"
        bound = "，已绑定" if part.is_bound else ""
        click.echo(
            f"  {part.house}  {part.role_shown}{share}  {part.person_from} 至 {until}{bound}"
            f"{_rights(part.rights)}"
        )


def _rights(rights: Rights) -> str:
    missing = [
        word
        for word, may in (
            ("看账单", rights.may_see_bills),
            ("缴费", rights.may_pay),
            ("报修", rights.may_report),
        )
        if not may
    ]
    return f"，不能{'、'.join(missing)}" if missing else ""


@owners_cli.command("add", help="登记一位业主，不含房屋。")
@click.option("--name", required=True, help="姓名。")
@click.option("--phone", default=None, help="手机号。")
@click.option("--email", default=None, help="邮箱。")
@click.option("--wechat", default=None, help="微信备注。")
@in_community
@as_staff_or_operator
@telling
def add(
    name: str,
    phone: str | None,
    email: str | None,
    wechat: str | None,
    code: str,
    login_name: str | None,
) -> None:
    """Put one on file."""
    actor, community_id = find_actor_and_community(login_name, code)
    owner_id = find_services().owners.add(
        actor=actor,
        community_id=community_id,
        words=OwnerWords(name=name, email=email, wechat_note=wechat),
        phone=phone,
    )
    click.echo(f"已登记业主 {owner_id}")


@owners_cli.command("edit", help="修改姓名、邮箱、微信备注或备注。")
@_OWNER
@click.option("--name", default=None, help="姓名。")
@click.option("--email", default=None, help="邮箱。")
@click.option("--wechat", default=None, help="微信备注。")
@click.option("--note", default=None, help="备注。")
@_REASON
@as_staff_or_operator
@telling
def edit(
    owner_id: int,
    name: str | None,
    email: str | None,
    wechat: str | None,
    note: str | None,
    reason: str,
    login_name: str | None,
) -> None:
    """Change what is written of one."""
    words = OwnerWords(name=name, email=email, wechat_note=wechat, note=note)
    find_services().owners.edit(
        actor=act_as(login_name), owner_id=owner_id, words=words, reason=reason
    )
    click.echo("已修改")


@owners_cli.command("phone", help="换手机号：原号的绑定和登录立即失效，新号收到短信。")
@_OWNER
@click.option("--to", "new_phone", required=True, help="新手机号。")
@click.option("--paper", required=True, help="核对了什么证明材料。")
@click.option("--phone-id", type=ROW_ID, help="换哪个号；不写则换主号。")
@_REASON
@as_staff_or_operator
@telling
def phone(
    owner_id: int,
    new_phone: str,
    paper: str,
    phone_id: int | None,
    reason: str,
    login_name: str | None,
) -> None:
    """Put a new phone in the place of an old one."""
    find_services().owner_phones.change(
        actor=act_as(login_name),
        owner_id=owner_id,
        phone_id=phone_id,
        new_phone=new_phone,
        proof=PhoneProof(paper=paper),
        reason=reason,
        visit=Visit(ip=""),
    )
    click.echo("已换号")


@owners_cli.command("letters", help="为已有业主补写拼音，供查找；升级后运行一次。")
@as_staff_or_operator
@telling
def letters(login_name: str | None) -> None:
    """Fill the letters of names."""
    filled = find_services().name_letters.fill(actor=act_as(login_name))
    click.echo(f"已补写 {filled} 位业主的拼音")


@bindings_cli.command("list", help="列出等待审核的绑定申请。")
@in_community
@as_staff
@telling
def list_applications(code: str, login_name: str) -> None:
    """List what waits for a person."""
    actor, community_id = find_actor_and_community(login_name, code)
    found = find_services().binding_applications.list_applications(
        actor=actor, community_id=community_id
    )
    for one in found:
        at = one.created_at.astimezone(SHANGHAI)
        house = f"即 {one.house}" if one.house else "没有这个房屋，通过时请用 --house 指定"
        click.echo(
            f"{one.id}  {at:%Y-%m-%d %H:%M}  {one.name} {one.phone_masked}  申请为{one.role_shown}"
            f"  {one.house_text}（{house}）  证明：{one.proof}"
        )
    if not found:
        click.echo("没有等待审核的申请")


@bindings_cli.command("approve", help="通过一项申请。")
@click.argument("application_id", type=ROW_ID, metavar="申请编号")
@click.option("--house", default=None, help="房屋，例如 1栋1单元101；申请写不清时必填。")
@click.option("--owner", "owner_id", type=ROW_ID, help="申请人是哪一位业主；以业主身份申请时填写。")
@_REASON
@in_community
@as_staff
@telling
def approve(
    application_id: int,
    house: str | None,
    owner_id: int | None,
    reason: str,
    code: str,
    login_name: str,
) -> None:
    """Bind the applicant."""
    actor, community_id = find_actor_and_community(login_name, code)
    found = find_services()
    house_id = (
        found.estate.find_house(actor=actor, community_id=community_id, label=house)
        if house
        else None
    )
    found.binding_applications.approve(
        actor=actor,
        application_id=application_id,
        house_id=house_id,
        owner_id=owner_id,
        reason=reason,
    )
    click.echo("已通过并绑定")


@bindings_cli.command("reject", help="驳回一项申请；申请人会看到原因。")
@click.argument("application_id", type=ROW_ID, metavar="申请编号")
@_REASON
@as_staff
@telling
def reject(application_id: int, reason: str, login_name: str) -> None:
    """Refuse the applicant."""
    find_services().binding_applications.reject(
        actor=act_as(login_name), application_id=application_id, reason=reason
    )
    click.echo("已驳回")
