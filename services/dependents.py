"""What on file refers to some rows: whoever takes rows away asks every table first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from models import Bill

_SHOWN = {
    "approval_request": "审批申请",
    "bill": "账单",
    "binding_application": "绑定申请",
    "bill_adjustment": "账单调整",
    "bill_exception": "账单批次中的异常",
    "building": "楼栋",
    "building_unit": "单元资料",
    "car": "车辆",
    "deposit": "押金",
    "discount_house": "优惠名单",
    "house": "房屋",
    "house_binding": "业主绑定",
    "house_invitation": "房屋邀请",
    "house_measure": "面积变更",
    "house_person": "住户关系",
    "house_transfer": "过户",
    "meter": "表具",
    "meter_reading": "读数",
    "occupancy": "居住状态",
    "one_off_charge": "一次性收费",
    "owner": "业主",
    "owner_phone": "业主手机号",
    "parking_space": "车位",
    "pay_code": "门上收款码",
    "payment": "收款",
    "payment_order": "支付订单",
    "phone_reveal": "手机号查看记录",
    "prepaid_account": "预存账户",
    "refund": "退款",
    "share_pool": "公摊",
    "share_pool_weight": "分摊权重",
    "staff_scope": "员工数据范围",
}
_OTHER = "其他记录"


@dataclass(frozen=True, slots=True)
class Dependent:
    """Rows of one kind that depend on others."""

    what: str
    count: int


def find_referring(
    session: Session,
    ids: Mapping[str, Select[Any]],
    apart: Mapping[str, ColumnElement[bool]] | None = None,
) -> Iterator[Dependent]:
    """Count the rows of every table that refer to rows given by table and ids, and are not of them.

    ``apart`` says by table which rows do not count.
    """
    for other in Bill.metadata.tables.values():
        refers = [
            key.parent.in_(ids[key.column.table.name])
            for key in other.foreign_keys
            if key.column.name == "id" and key.column.table.name in ids
        ]
        if not refers:
            continue
        wanted = select(func.count()).select_from(other).where(or_(*refers))
        if apart and other.name in apart:
            wanted = wanted.where(~apart[other.name])
        if other.name in ids:
            wanted = wanted.where(other.c.id.not_in(ids[other.name]))
        yield Dependent(_SHOWN.get(other.name, _OTHER), session.scalar(wanted) or 0)


def tell(found: Iterable[Dependent]) -> str:
    """Say what depends, kind by kind, such as ``账单 3 条、押金 1 条``; empty when nothing does."""
    sums: dict[str, int] = {}
    for one in found:
        if one.count:
            sums[one.what] = sums.get(one.what, 0) + one.count
    return "、".join(f"{what} {count} 条" for what, count in sums.items())
