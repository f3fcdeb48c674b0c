"""``flask house``: houses as base data at the shell."""

from __future__ import annotations

from datetime import datetime

import click

from domain.actors import Actor
from domain.estate_fields import HOUSE
from domain.field_words import FIELD_SHOWN
from domain.houses import HouseState
from domain.money import show_yuan
from panel.commands.acting import (
    DAY,
    ROW_ID,
    as_staff_or_operator,
    find_actor_and_community,
    find_services,
    in_community,
    telling,
)
from panel.commands.charges import house_cli as house_cli
from panel.commands.estate_changes import (
    needed_reason,
    read_sets,
    reason_option,
    seen_in,
    set_columns,
    show_value,
    tell_columns,
)
from services.base_data.house_lists import HouseFilter
from services.base_data.house_previews import HousePreview

_HOUSE = click.option("--house", "label", required=True, help="房号，例如 1栋1单元101。")
_FROM = click.option("--from", "holds_from", type=DAY, help="从哪天起；只用于计费面积和收费系数。")
_COLUMNS = [name for name in HOUSE if name != "building_id"]


@house_cli.command("list", help="列出房屋，新的在前；可写房号的一部分。")
@click.argument("text", default="", metavar="内容")
@click.option("--retired/--kept", "is_retired", default=None, help="只看已停用的，或未停用的。")
@click.option("--before", "before_id", type=ROW_ID, help="翻页：上一页最后一户的编号。")
@in_community
@as_staff_or_operator
@telling
def list_houses(
    text: str, is_retired: bool | None, before_id: int | None, code: str, login_name: str | None
) -> None:
    """List the houses of a community."""
    actor, community_id = find_actor_and_community(login_name, code)
    found = find_services().house_lists.find(
        actor=actor,
        which=HouseFilter(community_id=community_id, text=text, is_retired=is_retired),
        before_id=before_id,
    )
    for one in found:
        retired = f"，已于 {one.retired_on} 停用" if one.retired_on else ""
        area = show_value(one.billing_area)
        click.echo(f"{one.id}  {one.label}  计费面积 {area} ㎡{retired}")
    if not found:
        click.echo("没有找到房屋")


@house_cli.command("show", help="显示一户房屋的全部资料。")
@_HOUSE
@in_community
@as_staff_or_operator
@telling
def show_house(label: str, code: str, login_name: str | None) -> None:
    """Show a house."""
    actor, house_id = _find(login_name, code, label)
    shown = find_services().house_lists.show(actor=actor, house_id=house_id)
    retired = f"（已于 {shown.retired_on} 停用）" if shown.retired_on else ""
    click.echo(f"{shown.label}{retired}")
    tell_columns(shown, [*_COLUMNS, "state"])


@house_cli.command("add", help="添加一户房屋，例如 --set 房号=101 --set 建筑面积=89.37。")
@click.option("--building", required=True, help="楼栋，例如 1栋。")
@click.option(
    "--state",
    type=click.Choice([str(state) for state in HouseState]),
    default=str(HouseState.DELIVERED),
    show_default=True,
    help="使用状态。",
)
@set_columns
@in_community
@as_staff_or_operator
@telling
def add_house(
    building: str, state: str, sets: tuple[str, ...], code: str, login_name: str | None
) -> None:
    """Put a house on file."""
    actor, community_id = find_actor_and_community(login_name, code)
    found = find_services()
    house_id = found.house_register.add(
        actor=actor,
        building_id=found.estate.find_building(
            actor=actor, community_id=community_id, name=building
        ),
        house=read_sets(sets, _COLUMNS),
        state=HouseState(state),
    )
    label = found.house_lists.show(actor=actor, house_id=house_id).label
    click.echo(f"已添加房屋 {label}，编号 {house_id}")


@house_cli.command("edit", help="更正房屋资料；写 --from 则从那天起变更计费面积或系数。")
@_HOUSE
@set_columns
@_FROM
@reason_option
@in_community
@as_staff_or_operator
@telling
def edit_house(
    label: str,
    sets: tuple[str, ...],
    holds_from: datetime | None,
    reason: str,
    code: str,
    login_name: str | None,
) -> None:
    """Correct a house."""
    actor, house_id = _find(login_name, code, label)
    found = find_services()
    changes = read_sets(sets, _COLUMNS)
    seen = seen_in(found.house_lists.show(actor=actor, house_id=house_id), changes)
    found.house_register.edit(
        actor=actor,
        house_id=house_id,
        changes=changes,
        seen=seen,
        reason=reason,
        holds_from=holds_from.date() if holds_from else None,
    )
    click.echo(f"已修改 {label}")


@house_cli.command("preview", help="修改或停用之前，先看会影响什么；不写入任何内容。")
@_HOUSE
@set_columns
@_FROM
@click.option("--retire-on", "retired_on", type=DAY, help="若在这天停用。")
@in_community
@as_staff_or_operator
@telling
def preview_house(
    label: str,
    sets: tuple[str, ...],
    holds_from: datetime | None,
    retired_on: datetime | None,
    code: str,
    login_name: str | None,
) -> None:
    """Tell what a change will do."""
    actor, house_id = _find(login_name, code, label)
    preview = find_services().house_previews.preview(
        actor=actor,
        house_id=house_id,
        changes=read_sets(sets, _COLUMNS),
        holds_from=holds_from.date() if holds_from else None,
        retired_on=retired_on.date() if retired_on else None,
    )
    _tell(preview)


@house_cli.command("retire", help="停用房屋：从那天起不再出账，历史仍可查。")
@_HOUSE
@click.option("--on", "retired_on", type=DAY, required=True, help="停用日期。")
@needed_reason
@in_community
@as_staff_or_operator
@telling
def retire_house(
    label: str, retired_on: datetime, reason: str, code: str, login_name: str | None
) -> None:
    """Let a house owe no longer."""
    actor, house_id = _find(login_name, code, label)
    find_services().house_register.retire(
        actor=actor, house_id=house_id, retired_on=retired_on.date(), reason=reason
    )
    click.echo(f"已停用 {label}，自 {retired_on:%Y-%m-%d} 起")


@house_cli.command("restore", help="恢复已停用的房屋。")
@_HOUSE
@needed_reason
@in_community
@as_staff_or_operator
@telling
def restore_house(label: str, reason: str, code: str, login_name: str | None) -> None:
    """Take a retirement back."""
    actor, house_id = _find(login_name, code, label)
    find_services().house_register.restore(actor=actor, house_id=house_id, reason=reason)
    click.echo(f"已恢复 {label}")


@house_cli.command("delete", help="删除录错且没有任何业务记录的房屋。")
@_HOUSE
@needed_reason
@in_community
@as_staff_or_operator
@telling
def delete_house(label: str, reason: str, code: str, login_name: str | None) -> None:
    """Delete a mistake."""
    actor, house_id = _find(login_name, code, label)
    find_services().house_register.remove(actor=actor, house_id=house_id, reason=reason)
    click.echo(f"已删除 {label}")


def _find(login_name: str | None, code: str, label: str) -> tuple[Actor, int]:
    actor, community_id = find_actor_and_community(login_name, code)
    house_id = find_services().estate.find_house(
        actor=actor, community_id=community_id, label=label
    )
    return actor, house_id


def _tell(preview: HousePreview) -> None:
    click.echo(f"{preview.house}（仅预览，未写入）")
    for name, after in preview.after.items():
        shown, before = FIELD_SHOWN.get(name, name), show_value(preview.before[name])
        click.echo(f"  {shown} {before} → {show_value(after)}")
    for fee in preview.fees:
        period = fee.period_after or fee.period_before
        why = f"（{fee.why_not}）" if fee.why_not else ""
        click.echo(f"  {fee.name} {period}：{_yuan(fee.before_fen)} → {_yuan(fee.after_fen)}{why}")
    for draft in preview.drafts:
        click.echo(
            f"  批次 {draft.batch_id} 有 {draft.bill_count} 张账单不同："
            f"{_yuan(draft.before_fen)} → {_yuan(draft.after_fen)}，请重新计算"
        )
    if preview.unpaid_count:
        sum_shown = show_yuan(preview.unpaid_fen)
        click.echo(f"  已发布未缴账单 {preview.unpaid_count} 张共 {sum_shown}，不会改变")
    if preview.people_count or preview.binding_count:
        click.echo(
            f"  住户 {preview.people_count} 人、绑定 {preview.binding_count} 个，此后只能看历史"
        )
    for block in preview.blocks:
        click.echo(f"  不能停用：{block}")


def _yuan(fen: int | None) -> str:
    return "不出账" if fen is None else show_yuan(fen)
