"""``flask merchant``, ``pay-code`` and ``community payments``: how houses pay, at the shell."""

from __future__ import annotations

from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext

from domain.actors import Actor
from domain.money import parse_yuan, show_yuan
from domain.payment_states import CHANNEL_SHOWN, PaymentChannel
from domain.refund_states import SurplusPolicy
from panel.commands.acting import (
    NEW_FILE,
    as_staff_or_operator,
    find_actor_and_community,
    find_services,
    in_community,
    telling,
)
from services.payments.community_rules import PaymentRules

merchant_cli = AppGroup("merchant", help="收款商户号：每个小区收到哪个商户。")
pay_code_cli = AppGroup("pay-code", help="房屋收款码：生成、打印、换发、作废。")
_CHANNELS = {"微信支付": PaymentChannel.WECHAT, "支付宝": PaymentChannel.ALIPAY}
_POLICY_SHOWN = {
    SurplusPolicy.PREPAID: "转入该房屋预存",
    SurplusPolicy.REFUND: "自动原路退回",
    SurplusPolicy.ASK: "暂存，由人工处理",
}
_HOUSE = click.option("--house", required=True, help="房屋，例如 1栋1单元101。")


@merchant_cli.command("show", help="查看小区的收款商户号。")
@in_community
@as_staff_or_operator
@telling
def show_merchants(code: str, login_name: str | None) -> None:
    """Show who takes a community's money."""
    actor, community_id = find_actor_and_community(login_name, code)
    for one in find_services().merchants.show(actor=actor, community_id=community_id):
        words = [one.mchid, "默认" if one.is_default else "本小区指定"]
        if not one.has_keys:
            words.append("没有密钥，无法收款")
        click.echo(f"{CHANNEL_SHOWN[one.channel]}：{'，'.join(words)}")


@merchant_cli.command("assign", help="指定小区的收款商户号；不写 --mchid 则恢复默认。")
@click.option("--channel", required=True, type=click.Choice(list(_CHANNELS)), help="渠道。")
@click.option("--mchid", help="商户号（支付宝为收款账号 2088…）。")
@in_community
@as_staff_or_operator
@telling
def assign_merchant(channel: str, mchid: str | None, code: str, login_name: str | None) -> None:
    """Let an account take a community's money from now on."""
    actor, community_id = find_actor_and_community(login_name, code)
    find_services().merchants.assign(
        actor=actor, community_id=community_id, channel=_CHANNELS[channel], mchid=mchid
    )
    click.echo(f"{channel}：以后的订单收到 {mchid or '默认商户号'}；已有订单和退款不受影响")


@click.command("payments", help="查看或修改小区的收款规则：多收款怎么处理、单人退款额度。")
@click.option(
    "--surplus", type=click.Choice([str(policy) for policy in SurplusPolicy]), help="多收款处理。"
)
@click.option("--refund-alone", help="单人每天可独自退款的额度，元；0 为一律两人。")
@in_community
@as_staff_or_operator
@telling
@with_appcontext
def payment_rules(
    surplus: str | None, refund_alone: str | None, code: str, login_name: str | None
) -> None:
    """Show or change what a community has decided about payments."""
    actor, community_id = find_actor_and_community(login_name, code)
    found = find_services().payment_rules
    rules = found.show(actor=actor, community_id=community_id)
    if surplus is not None or refund_alone is not None:
        rules = PaymentRules(
            SurplusPolicy(surplus) if surplus else rules.surplus_policy,
            rules.refund_alone_fen if refund_alone is None else parse_yuan(refund_alone),
        )
        found.change(actor=actor, community_id=community_id, rules=rules)
    click.echo(f"多收款处理：{_POLICY_SHOWN[rules.surplus_policy]}（{rules.surplus_policy}）")
    alone = show_yuan(rules.refund_alone_fen) if rules.refund_alone_fen else "没有，一律两人"
    click.echo(f"单人每天可独自退款：{alone}")


@pay_code_cli.command("make", help="为没有收款码的房屋生成收款码。")
@click.option("--building", help="只为一栋楼，例如 1栋。")
@click.option("--house", help="只为一处房屋，例如 1栋1单元101。")
@in_community
@as_staff_or_operator
@telling
def make_codes(building: str | None, house: str | None, code: str, login_name: str | None) -> None:
    """Give houses their codes."""
    actor, community_id = find_actor_and_community(login_name, code)
    made = find_services().pay_codes.make(
        actor=actor,
        community_id=community_id,
        building=building,
        house_id=None if house is None else _find_house(actor, community_id, house),
    )
    click.echo(f"{made.live_count} 处房屋都有收款码了，其中新生成 {made.new_count} 个")


@pay_code_cli.command("sheet", help="把收款码排成 A4 页，写成 PDF。")
@click.option("--out", "file", required=True, type=NEW_FILE, help="PDF 文件。")
@click.option("--building", help="只打印一栋楼，例如 1栋。")
@in_community
@as_staff_or_operator
@telling
def write_sheet(file: Path, building: str | None, code: str, login_name: str | None) -> None:
    """Write the codes to print and cut."""
    actor, community_id = find_actor_and_community(login_name, code)
    file.write_bytes(
        find_services().pay_codes.write_sheet(
            actor=actor,
            community_id=community_id,
            base_url=current_app.config["PUBLIC_BASE_URL"],
            building=building,
        )
    )
    click.echo(f"已写好 {file}")


@pay_code_cli.command("show", help="查看一处房屋收款码的网址。")
@_HOUSE
@in_community
@as_staff_or_operator
@telling
def show_code(house: str, code: str, login_name: str | None) -> None:
    """Tell the address behind a code."""
    actor, community_id = find_actor_and_community(login_name, code)
    token = find_services().pay_codes.show_token(
        actor=actor, community_id=community_id, house_id=_find_house(actor, community_id, house)
    )
    click.echo(f"{current_app.config['PUBLIC_BASE_URL']}/p/{token}")


@pay_code_cli.command("replace", help="换发一处房屋的收款码，旧码立即失效。")
@_HOUSE
@in_community
@as_staff_or_operator
@telling
def replace_code(house: str, code: str, login_name: str | None) -> None:
    """Revoke a code and make another."""
    actor, community_id = find_actor_and_community(login_name, code)
    find_services().pay_codes.replace(
        actor=actor, community_id=community_id, house_id=_find_house(actor, community_id, house)
    )
    click.echo(f"{house} 的收款码已换发，旧码不能再用，请打印新码")


@pay_code_cli.command("revoke", help="作废一处房屋的收款码。")
@_HOUSE
@in_community
@as_staff_or_operator
@telling
def revoke_code(house: str, code: str, login_name: str | None) -> None:
    """Revoke a code."""
    actor, community_id = find_actor_and_community(login_name, code)
    find_services().pay_codes.revoke(
        actor=actor, community_id=community_id, house_id=_find_house(actor, community_id, house)
    )
    click.echo(f"{house} 的收款码已作废")


def _find_house(actor: Actor, community_id: int, house: str) -> int:
    return find_services().estate.find_house(actor=actor, community_id=community_id, label=house)
