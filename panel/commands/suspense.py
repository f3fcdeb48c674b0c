"""``flask suspense``: money that fits nothing, at the shell."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from domain.money import parse_yuan, show_yuan
from domain.periods import SHANGHAI
from panel.commands.acting import (
    ROW_ID,
    as_staff,
    find_actor_and_community,
    find_services,
    in_community,
    telling,
)

suspense_cli = AppGroup("suspense", help="暂存款：收到但无法入账的钱，查看与处理。")


@suspense_cli.command("list", help="列出还没有处理完的暂存款。")
@in_community
@as_staff
@telling
def list_suspense(code: str, login_name: str) -> None:
    """List what waits for a person."""
    actor, community_id = find_actor_and_community(login_name, code)
    rows = find_services().suspense.list_open(actor=actor, community_id=community_id)
    if not rows:
        click.echo("没有待处理的暂存款")
    for one in rows:
        paid_at = one.paid_at.astimezone(SHANGHAI)
        of_none = "，不属于任何小区" if one.is_of_no_community else ""
        click.echo(
            f"{one.id}  {paid_at:%Y-%m-%d %H:%M}  订单 {one.out_trade_no}"
            f"  {one.reason_shown}{of_none}"
            f"  收到 {show_yuan(one.amount_fen)}，待处理 {show_yuan(one.open_fen)}"
        )
    if rows:
        click.echo("转入预存：flask suspense to-prepaid 编号 …；退回付款人：flask money refund …")


@suspense_cli.command("to-prepaid", help="把一笔暂存款转入房屋的预存账户。")
@click.argument("suspense_id", metavar="编号", type=ROW_ID)
@click.option("--house", required=True, help="房屋，例如 1栋1单元101。")
@click.option("--amount", required=True, help="金额，元。")
@click.option("--note", required=True, help="原因，记录在案。")
@in_community
@as_staff
@telling
def to_prepaid(
    suspense_id: int, house: str, amount: str, note: str, code: str, login_name: str
) -> None:
    """Put it where it belongs."""
    actor, community_id = find_actor_and_community(login_name, code)
    found = find_services()
    amount_fen = parse_yuan(amount)
    found.suspense.to_prepaid(
        actor=actor,
        community_id=community_id,
        suspense_id=suspense_id,
        house_id=found.estate.find_house(actor=actor, community_id=community_id, label=house),
        amount_fen=amount_fen,
        note=note,
    )
    click.echo(f"已把 {show_yuan(amount_fen)} 转入 {house} 的预存账户")
