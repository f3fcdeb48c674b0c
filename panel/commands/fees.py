"""``flask fees``: items, prices, pools, one-off charges, discounts, and trials, at the shell."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import click
from flask.cli import AppGroup

from domain.actors import Actor
from domain.charges import ChargeMethod, Price, trim
from domain.cycles import CYCLE_MONTHS, BillingTiming, CycleAnchor
from domain.errors import InvalidInput, NotFound
from domain.meters import MeterKind
from domain.money import Rounding, show_yuan
from domain.periods import Proration, local_date
from domain.tiers import TierWindow
from panel.commands.acting import (
    DAY,
    MONTH,
    as_staff_or_operator,
    find_actor_and_community,
    find_services,
    in_community,
    telling,
)
from services.fees.checks import NewFeeItem, NewPrice
from services.fees.items import FeeItemView
from services.fees.trials import TrialRow

_NUMBER = re.compile(r"\A[0-9]{1,9}(\.[0-9]{1,9})?\Z", re.ASCII)
_CONSTANT = re.compile(r"\A([a-z][a-z0-9_]{0,20})=([0-9.]{1,20})\Z", re.ASCII)

fees_cli = AppGroup("fees", help="收费项目、价格与试算。")


def words(kind: Any) -> click.Choice[str]:
    """Offer the words of an enumeration."""
    return click.Choice([str(word) for word in kind])


def day_option(flag: str, name: str, *, help: str, is_needed: bool = True) -> Callable[..., Any]:
    """Offer a day."""
    return click.option(flag, name, required=is_needed, type=DAY, help=help)


def month_option(*, help: str, is_needed: bool = True) -> Callable[..., Any]:
    """Offer a month."""
    return click.option("--month", required=is_needed, type=MONTH, help=help)


def read_decimal(text: str, *, field: str) -> Decimal:
    """Read a plain number; `Decimal` alone would take ``1_0``, ``NaN`` and other digits.

    Raises:
        InvalidInput: anything else.
    """
    if not _NUMBER.match(text):
        raise InvalidInput(fields={field: ["不是数字，例如 2.35"]})
    return Decimal(text)


def read_if_given(text: str | None, *, field: str) -> Decimal | None:
    """Read a plain number if the option was written; written and empty is no number.

    Raises:
        InvalidInput: it is no plain number.
    """
    return None if text is None else read_decimal(text, field=field)


def _price_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--price", help="单价：元/㎡·月，固定为 元/月（或每期），抄表为 元/单位。"),
        click.option("--surcharge", default="0", help="附加费，元/月。"),
        click.option(
            "--tiers", help="阶梯：上限:单价，用逗号分隔，末档不写上限，例如 180:5,260:7,:9。"
        ),
        click.option("--formula", help="公式，例如 max(area*0.5, 20)*months。"),
        click.option("--constant", "constants", multiple=True, help="公式常量，例如 rate=0.5。"),
    ):
        command = option(command)
    return command


@fees_cli.command("add", help="添加一个收费项目，金额单位为元。")
@click.argument("item_code", metavar="项目编号")
@click.option("--name", required=True, help="项目名称，例如 物业费。")
@click.option("--method", type=words(ChargeMethod), required=True)
@_price_options
@day_option("--from", "starts_on", help="启用日期。")
@click.option("--due-days", default=30, show_default=True, help="出账后多少天到期。")
@click.option("--due-day", type=int, help="固定每月几日到期，代替天数。")
@click.option("--issue-offset-days", default=0, show_default=True, help="出账日推后天数。")
@click.option("--rounding", type=words(Rounding), default=str(Rounding.FEN))
@click.option("--proration", type=words(Proration), default=str(Proration.ACTUAL_MONTH))
@click.option("--cycle", type=click.Choice([str(n) for n in CYCLE_MONTHS]), default="1")
@click.option("--anchor", type=words(CycleAnchor), default=str(CycleAnchor.CALENDAR))
@click.option("--cycle-from-month", default=1, show_default=True, help="自然周期从几月起。")
@click.option("--timing", type=words(BillingTiming), default=str(BillingTiming.IN_ARREARS))
@click.option("--per-period", is_flag=True, help="固定金额按期计，不按月计。")
@click.option("--vacancy-rate", default="1", show_default=True, help="空置期间按几成收，例如 0.7。")
@click.option("--meter", type=words(MeterKind), help="抄表项目使用的表类型。")
@click.option("--tier-window", type=words(TierWindow), default=str(TierWindow.MONTH))
@click.option("--tier-from-month", default=1, show_default=True, help="年度阶梯从几月起。")
@click.option("--tier-per-house", is_flag=True, help="一户多表合并计阶梯。")
@click.option("--tier-per-person", is_flag=True, help="阶梯上限按人口计。")
@in_community
@as_staff_or_operator
@telling
def add_fee(item_code: str, code: str, login_name: str | None, **given: Any) -> None:
    """Add a fee item with its first price."""
    actor, community_id = find_actor_and_community(login_name, code)
    item = _item(item_code, given)
    found = find_services()
    item_id = found.fees.add_item(actor=actor, community_id=community_id, item=item)
    priced = f"，单价 {given['price']} 元" if given["price"] else ""
    click.echo(f"已添加收费项目 {item.name}（{item_code}）{priced}")
    if item.formula is not None:
        rows = found.fee_trials.try_item(
            actor=actor,
            community_id=community_id,
            fee_item_id=item_id,
            month=max(item.starts_on, local_date(found.clock.now())),
        )
        _show_trial(rows)


def _item(item_code: str, given: dict[str, Any]) -> NewFeeItem:
    price = _price(given)
    return NewFeeItem(
        code=item_code,
        name=given["name"],
        charge_method=ChargeMethod(given["method"]),
        unit_price=price.unit_price,
        starts_on=given["starts_on"].date(),
        rounding=Rounding(given["rounding"]),
        proration=Proration(given["proration"]),
        issue_offset_days=given["issue_offset_days"],
        due_days=given["due_days"],
        due_day=given["due_day"],
        surcharge=price.surcharge,
        tiers=price.tiers,
        formula=price.formula,
        constants=price.constants,
        cycle_months=int(given["cycle"]),
        cycle_anchor=CycleAnchor(given["anchor"]),
        cycle_from_month=given["cycle_from_month"],
        billing_timing=BillingTiming(given["timing"]),
        is_per_period=given["per_period"],
        vacancy_rate=read_decimal(given["vacancy_rate"], field="vacancy_rate"),
        meter_kind=MeterKind(given["meter"]) if given["meter"] else None,
        tier_window=TierWindow(given["tier_window"]),
        tier_from_month=given["tier_from_month"],
        is_tier_per_house=given["tier_per_house"],
        is_tier_per_person=given["tier_per_person"],
    )


def _price(given: dict[str, Any]) -> NewPrice:
    tiers = None
    if given["tiers"] is not None:
        rows = (row.partition(":") for row in given["tiers"].split(","))
        tiers = [(upto.strip() or None, price.strip()) for upto, _, price in rows]
    return NewPrice(
        unit_price=read_if_given(given["price"], field="price"),
        surcharge=read_decimal(given["surcharge"], field="surcharge"),
        tiers=tiers,
        formula=given["formula"],
        constants=_constants(given["constants"]),
    )


def _constants(texts: Sequence[str]) -> dict[str, Decimal]:
    constants = dict(map(_constant, texts))
    if len(constants) != len(texts):
        raise InvalidInput(fields={"constant": ["同一个常量写了两次"]})
    return constants


def _constant(text: str) -> tuple[str, Decimal]:
    match = _CONSTANT.match(text)
    if not match:
        raise InvalidInput(fields={"constant": ["应写作 名称=数值，例如 rate=0.5"]})
    return match[1], read_decimal(match[2], field="constant")


@fees_cli.command("set-price", help="从某天起执行新价格，原价格到前一天为止。")
@click.argument("item_code", metavar="项目编号")
@_price_options
@day_option("--from", "priced_from", help="从哪天起执行。")
@in_community
@as_staff_or_operator
@telling
def set_price(
    item_code: str, code: str, login_name: str | None, priced_from: datetime, **given: Any
) -> None:
    """Let a new price hold from a date on."""
    actor, community_id = find_actor_and_community(login_name, code)
    item = find_item(actor, community_id, item_code)
    price = _price(given)
    find_services().fees.set_price(
        actor=actor, fee_item_id=item.id, price=price, priced_from=priced_from.date()
    )
    priced = f"单价 {given['price']} 元" if given["price"] else "新价格"
    click.echo(f"{item.name} 自 {priced_from:%Y-%m-%d} 起{priced}")


@fees_cli.command("end", help="停用一个收费项目：从某天起不再收费。")
@click.argument("item_code", metavar="项目编号")
@day_option("--from", "ends_before", help="从哪天起不再收费。")
@click.option("--reason", required=True, help="原因。")
@in_community
@as_staff_or_operator
@telling
def end_item(
    item_code: str, code: str, login_name: str | None, ends_before: datetime, reason: str
) -> None:
    """Let an item end."""
    actor, community_id = find_actor_and_community(login_name, code)
    item = find_item(actor, community_id, item_code)
    find_services().fees.end_item(
        actor=actor, fee_item_id=item.id, ends_before=ends_before.date(), reason=reason
    )
    click.echo(f"{item.name} 自 {ends_before:%Y-%m-%d} 起停收")


@fees_cli.command("list", help="列出收费项目与各期价格。")
@in_community
@as_staff_or_operator
@telling
def list_items(code: str, login_name: str | None) -> None:
    """List the items of a community with all their prices."""
    actor, community_id = find_actor_and_community(login_name, code)
    items = find_services().fees.list_items(actor=actor, community_id=community_id)
    for item in items:
        ended = f"，{item.ends_before} 起停收" if item.ends_before else ""
        click.echo(f"{item.code} {item.name}（{item.charge_method}，{item.starts_on} 起{ended}）")
        for price in item.prices:
            click.echo(f"  {price.starts_on} 起 {_show_price(price)}")
    if not items:
        click.echo("还没有收费项目")


def _show_price(price: Price) -> str:
    shown = ""
    if price.unit_price is not None:
        shown = f"{trim(price.unit_price)} 元"
    elif price.formula is not None:
        shown = f"公式 {price.formula.text}"
    elif price.tiers is not None:
        shown = "；".join(
            f"{f'至 {upto}' if upto else '以上'} {unit_price} 元"
            for upto, unit_price in price.tiers.as_rows()
        )
    return shown + (f" + 附加费 {trim(price.surcharge)} 元/月" if price.surcharge else "")


@fees_cli.command("try", help="试算一个收费项目：样本房屋在某月会收多少，不写入。")
@click.argument("item_code", metavar="项目编号")
@month_option(help="例如 2026-10。")
@in_community
@as_staff_or_operator
@telling
def try_item(item_code: str, month: datetime, code: str, login_name: str | None) -> None:
    """Tell what an item would charge some houses."""
    actor, community_id = find_actor_and_community(login_name, code)
    item = find_item(actor, community_id, item_code)
    rows = find_services().fee_trials.try_item(
        actor=actor, community_id=community_id, fee_item_id=item.id, month=month.date()
    )
    _show_trial(rows)


def _show_trial(rows: Sequence[TrialRow]) -> None:
    click.echo(f"试算 {len(rows)} 户：")
    for row in rows:
        if row.why_not:
            click.echo(f"  {row.house}：不能计费，{row.why_not}")
            continue
        click.echo(f"  {row.house}：{show_yuan(row.amount_fen)}")
        for sentence in row.explanations:
            click.echo(f"    {sentence}")


def find_item(actor: Actor, community_id: int, item_code: str) -> FeeItemView:
    """Find an item of a community by its code.

    Raises:
        NotFound: there is none.
    """
    items = find_services().fees.list_items(actor=actor, community_id=community_id)
    item = next((item for item in items if item.code == item_code), None)
    if item is None:
        raise NotFound(f"没有编号为 {item_code} 的收费项目")
    return item
