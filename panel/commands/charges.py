"""``flask pool|one-off|discount|house``: what else makes bills larger or smaller, at the shell."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import click
from flask.cli import AppGroup

from domain.actors import Actor
from domain.discounts import DiscountKind, DiscountRule
from domain.errors import InvalidInput
from domain.houses import HouseState
from domain.money import parse_yuan, show_yuan
from domain.shares import ShareBy
from panel.commands.acting import (
    ROW_ID,
    act_as,
    as_staff_or_operator,
    find_actor_and_community,
    find_services,
    in_community,
    telling,
)
from panel.commands.fees import (
    day_option,
    find_item,
    month_option,
    read_decimal,
    read_if_given,
    words,
)
from services.fees.pools import NewPool

pool_cli = AppGroup("pool", help="公摊总额。")
one_off_cli = AppGroup("one-off", help="临时收费。")
discount_cli = AppGroup("discount", help="优惠规则。")
house_cli = AppGroup("house", help="房屋的面积与使用状态变更。")
_reason = click.option("--reason", required=True, help="原因。")
_house = click.option("--house", "label", required=True, help="房号，例如 1栋1单元101。")


@pool_cli.command("add", help="录入一个公摊项目某月的总额：金额，或用量 × 单价。")
@click.argument("item_code", metavar="项目编号")
@month_option(help="例如 2026-10。")
@click.option("--amount", help="总额，元。")
@click.option("--units", help="用量。")
@click.option("--price", help="单价，元。")
@click.option("--by", "share_by", type=words(ShareBy), default=str(ShareBy.AREA), show_default=True)
@click.option(
    "--weight", "weights", multiple=True, help="约定权重，例如 1栋1单元101=2，可多次；配合 custom。"
)
@click.option("--building", "buildings", multiple=True, help="只由这些楼栋分摊，可多次。")
@click.option("--document", default="", help="依据，例如 供电局 10 月账单。")
@in_community
@as_staff_or_operator
@telling
def add_pool(
    item_code: str,
    month: datetime,
    amount: str | None,
    units: str | None,
    price: str | None,
    share_by: str,
    weights: tuple[str, ...],
    buildings: tuple[str, ...],
    document: str,
    code: str,
    login_name: str | None,
) -> None:
    """Put a pool on file."""
    actor, community_id = find_actor_and_community(login_name, code)
    estate = find_services().estate
    item = find_item(actor, community_id, item_code)
    pool = NewPool(
        share_by=ShareBy(share_by),
        amount_fen=_read_yuan(amount),
        units=read_if_given(units, field="units"),
        unit_price=read_if_given(price, field="price"),
        building_ids=[
            estate.find_building(actor=actor, community_id=community_id, name=name)
            for name in buildings
        ],
        weights=_read_weights(actor, community_id, weights),
        source_document=document,
    )
    pool_id = find_services().share_pools.add(
        actor=actor,
        community_id=community_id,
        fee_item_id=item.id,
        month=month.date(),
        pool=pool,
    )
    click.echo(f"已录入 {item.name} 公摊总额 {show_yuan(pool.total_fen)}，编号 {pool_id}")


def _read_yuan(text: str | None) -> int | None:
    """Read an amount if the option was written; written and empty is no amount."""
    return None if text is None else parse_yuan(text)


def _read_weights(actor: Actor, community_id: int, texts: tuple[str, ...]) -> dict[int, Decimal]:
    estate = find_services().estate
    weights: dict[int, Decimal] = {}
    for text in texts:
        label, _, weight = text.rpartition("=")
        house_id = estate.find_house(actor=actor, community_id=community_id, label=label)
        if house_id in weights:
            raise InvalidInput(fields={"weight": [f"{label} 写了两次"]})
        weights[house_id] = read_decimal(weight, field="weight")
    return weights


@pool_cli.command("cancel", help="撤销一个尚未发布的公摊总额。")
@click.argument("pool_id", type=ROW_ID, metavar="编号")
@_reason
@as_staff_or_operator
@telling
def cancel_pool(pool_id: int, reason: str, login_name: str | None) -> None:
    """Withdraw a pool."""
    find_services().share_pools.cancel(actor=act_as(login_name), pool_id=pool_id, reason=reason)
    click.echo("已撤销")


@pool_cli.command("list", help="列出公摊总额。")
@in_community
@as_staff_or_operator
@telling
def list_pools(code: str, login_name: str | None) -> None:
    """List the pools of a community."""
    actor, community_id = find_actor_and_community(login_name, code)
    pools = find_services().share_pools.list_pools(actor=actor, community_id=community_id)
    for pool in pools:
        state = "" if pool.state == "open" else "（已撤销）"
        click.echo(
            f"{pool.id} {pool.item} {pool.period} {show_yuan(pool.amount_fen)} "
            f"按 {pool.share_by}{state} {pool.source_document}"
        )
    if not pools:
        click.echo("还没有公摊总额")


@one_off_cli.command("add", help="录入一笔临时收费，随当月批次出账。")
@click.argument("item_code", metavar="项目编号")
@_house
@click.option("--amount", required=True, help="金额，元。")
@day_option("--on", "charged_on", help="收费日期。")
@click.option("--document", required=True, help="收费依据，例如 维修单 BX20261101。")
@in_community
@as_staff_or_operator
@telling
def add_one_off(
    item_code: str,
    label: str,
    amount: str,
    charged_on: datetime,
    document: str,
    code: str,
    login_name: str | None,
) -> None:
    """Put a one-off charge on file."""
    actor, community_id = find_actor_and_community(login_name, code)
    found = find_services()
    charge_id = found.one_offs.add(
        actor=actor,
        community_id=community_id,
        house_id=found.estate.find_house(actor=actor, community_id=community_id, label=label),
        fee_item_id=find_item(actor, community_id, item_code).id,
        charged_on=charged_on.date(),
        amount_fen=parse_yuan(amount),
        source_document=document,
    )
    click.echo(f"已录入临时收费 {label} {amount} 元，编号 {charge_id}")


@one_off_cli.command("cancel", help="撤销一笔尚未出账的临时收费。")
@click.argument("charge_id", type=ROW_ID, metavar="编号")
@_reason
@as_staff_or_operator
@telling
def cancel_one_off(charge_id: int, reason: str, login_name: str | None) -> None:
    """Withdraw a charge."""
    find_services().one_offs.cancel(actor=act_as(login_name), charge_id=charge_id, reason=reason)
    click.echo("已撤销")


@one_off_cli.command("list", help="列出临时收费。")
@in_community
@as_staff_or_operator
@telling
def list_one_offs(code: str, login_name: str | None) -> None:
    """List the one-off charges of a community."""
    actor, community_id = find_actor_and_community(login_name, code)
    charges = find_services().one_offs.list_charges(actor=actor, community_id=community_id)
    for charge in charges:
        state = "" if charge.state == "open" else "（已撤销）"
        click.echo(
            f"{charge.id} {charge.charged_on} {charge.house} {charge.item} "
            f"{show_yuan(charge.amount_fen)}{state} {charge.source_document}"
        )
    if not charges:
        click.echo("还没有临时收费")


@discount_cli.command("add", help="添加一条优惠规则。")
@click.argument("name", metavar="名称")
@click.option("--kind", type=words(DiscountKind), required=True)
@click.option("--item", "item_codes", multiple=True, required=True, help="适用项目编号，可多次。")
@click.option("--house", "labels", multiple=True, help="只给这些房屋，可多次；不写则全部。")
@click.option("--percent", help="减百分之几，例如 10。")
@click.option("--amount", help="每张账单减多少元。")
@click.option("--buy-months", type=int, help="缴几个月。")
@click.option("--free-months", type=int, help="送几个月。")
@click.option("--early-days", type=int, help="出账后几天内缴清。")
@click.option("--priority", default=100, show_default=True, help="小者优先。")
@click.option("--stackable", is_flag=True, help="可与其他优惠叠加。")
@click.option("--cap", help="每张账单最多减多少元。")
@day_option("--from", "starts_on", help="启用日期。")
@day_option("--until", "ends_before", help="从哪天起停用。", is_needed=False)
@in_community
@as_staff_or_operator
@telling
def add_discount(
    name: str,
    kind: str,
    item_codes: tuple[str, ...],
    labels: tuple[str, ...],
    percent: str | None,
    amount: str | None,
    buy_months: int | None,
    free_months: int | None,
    early_days: int | None,
    priority: int,
    stackable: bool,
    cap: str | None,
    starts_on: datetime,
    ends_before: datetime | None,
    code: str,
    login_name: str | None,
) -> None:
    """Add a discount rule."""
    actor, community_id = find_actor_and_community(login_name, code)
    found = find_services()
    rule = DiscountRule(
        id=0,
        name=name,
        kind=DiscountKind(kind),
        percent=read_if_given(percent, field="percent"),
        amount_fen=_read_yuan(amount),
        buy_months=buy_months,
        free_months=free_months,
        early_days=early_days,
        priority=priority,
        is_stackable=stackable,
        cap_fen=_read_yuan(cap),
        starts_on=starts_on.date(),
        ends_before=ends_before.date() if ends_before else None,
    )
    rule_id = found.discounts.add(
        actor=actor,
        community_id=community_id,
        rule=rule,
        fee_item_ids=[find_item(actor, community_id, one).id for one in item_codes],
        house_ids=[
            found.estate.find_house(actor=actor, community_id=community_id, label=label)
            for label in labels
        ]
        or None,
    )
    click.echo(f"已添加优惠“{name}”，编号 {rule_id}")


@discount_cli.command("stop", help="停用一条优惠规则；已出账的不变。")
@click.argument("rule_id", type=ROW_ID, metavar="编号")
@_reason
@as_staff_or_operator
@telling
def stop_discount(rule_id: int, reason: str, login_name: str | None) -> None:
    """Stop a rule."""
    find_services().discounts.stop(actor=act_as(login_name), rule_id=rule_id, reason=reason)
    click.echo("已停用")


@discount_cli.command("list", help="列出优惠规则。")
@in_community
@as_staff_or_operator
@telling
def list_discounts(code: str, login_name: str | None) -> None:
    """List the rules of a community."""
    actor, community_id = find_actor_and_community(login_name, code)
    rules = find_services().discounts.list_rules(actor=actor, community_id=community_id)
    for view in rules:
        rule = view.rule
        houses = "全部房屋" if view.house_ids is None else f"{len(view.house_ids)} 户"
        state = "" if view.is_active else "（已停用）"
        click.echo(f"{rule.id} {rule.name} {rule.kind} {houses} 自 {rule.starts_on}{state}")
    if not rules:
        click.echo("还没有优惠规则")


@house_cli.command("change-area", help="变更计费面积或系数；不写日期即更正，影响所有未发布账单。")
@_house
@click.option("--area", required=True, help="计费面积，㎡。")
@click.option("--coefficient", default="1", show_default=True, help="收费系数。")
@day_option("--from", "holds_from", help="从哪天起。", is_needed=False)
@_reason
@in_community
@as_staff_or_operator
@telling
def change_area(
    label: str,
    area: str,
    coefficient: str,
    holds_from: datetime | None,
    reason: str,
    code: str,
    login_name: str | None,
) -> None:
    """Let another area or coefficient hold."""
    actor, community_id = find_actor_and_community(login_name, code)
    found = find_services()
    found.houses.change_measure(
        actor=actor,
        house_id=found.estate.find_house(actor=actor, community_id=community_id, label=label),
        billing_area=_positive(area, "area"),
        fee_coefficient=_positive(coefficient, "coefficient"),
        holds_from=holds_from.date() if holds_from else None,
        reason=reason,
    )
    since = f"自 {holds_from:%Y-%m-%d} 起" if holds_from else "更正为"
    click.echo(f"{label} {since}计费面积 {area} ㎡，系数 {coefficient}")


def _positive(text: str, field: str) -> Decimal:
    number = read_decimal(text, field=field)
    if not number:
        raise InvalidInput(fields={field: ["应大于 0"]})
    return number


@house_cli.command("change-use", help="变更使用状态，例如空置。")
@_house
@click.option("--state", type=words(HouseState), required=True)
@day_option("--from", "holds_from", help="从哪天起。")
@_reason
@in_community
@as_staff_or_operator
@telling
def change_use(
    label: str, state: str, holds_from: datetime, reason: str, code: str, login_name: str | None
) -> None:
    """Let a house be used otherwise."""
    actor, community_id = find_actor_and_community(login_name, code)
    found = find_services()
    found.houses.change_use(
        actor=actor,
        house_id=found.estate.find_house(actor=actor, community_id=community_id, label=label),
        state=HouseState(state),
        holds_from=holds_from.date(),
        reason=reason,
    )
    click.echo(f"{label} 自 {holds_from:%Y-%m-%d} 起为 {state}")
