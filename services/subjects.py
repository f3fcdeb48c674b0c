"""What people call the rows that audit entries are about; many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.phones import mask_phone
from models import (
    Account,
    Bill,
    BillBatch,
    BindingApplication,
    Building,
    Car,
    CashierShift,
    Community,
    Deposit,
    DiscountRule,
    Equipment,
    FeeItem,
    House,
    ImportBatch,
    MaintenancePlan,
    MaintenanceTask,
    MaintenanceTemplate,
    Meter,
    Notice,
    Owner,
    ParkingSpace,
    Payment,
    PaymentOrder,
    Refund,
    RepairIncident,
    RepairOrder,
    Staff,
    StaffTask,
    StaffToken,
)
from services.estate import house_label_column

KIND_SHOWN = {
    "account": "账号",
    "approval_request": "审批申请",
    "bill": "账单",
    "bill_batch": "账单批次",
    "binding_application": "绑定申请",
    "building": "楼栋",
    "car": "车辆",
    "cashier_shift": "班次",
    "community": "小区",
    "deposit": "押金",
    "discount_rule": "优惠",
    "equipment": "设备",
    "fee_item": "收费项目",
    "house": "房屋",
    "import_batch": "导入",
    "late_fee_pause": "滞纳金暂停",
    "maintenance_plan": "维保计划",
    "maintenance_task": "维保任务",
    "maintenance_template": "维保模板",
    "meter": "表具",
    "notice": "公告",
    "one_off_charge": "一次性收费",
    "owner": "业主",
    "parking_space": "车位",
    "payment": "款项",
    "payment_order": "支付订单",
    "prepaid_account": "预存账户",
    "receipt": "收据",
    "reconciliation_case": "对账差异",
    "refund": "退款",
    "repair_incident": "公共故障",
    "repair_order": "报修",
    "share_pool": "分摊",
    "staff": "员工",
    "staff_task": "待办",
    "staff_token": "程序密钥",
    "suspense": "待处理款",
    "wechat_identity": "微信",
}
_BARE = frozenset(
    {"house", "community", "owner", "building", "staff", "fee_item", "car", "equipment"}
)
"""Kinds whose name says what it is."""
_NAMES: Mapping[str, Any] = {
    "account": select(Account.id, Account.phone),
    "bill": select(Bill.id, Bill.bill_no),
    "bill_batch": select(BillBatch.id, BillBatch.period_from),
    "binding_application": select(BindingApplication.id, BindingApplication.house_text),
    "building": select(Building.id, Building.name),
    "car": select(Car.id, Car.plate_no),
    "cashier_shift": select(CashierShift.id, Staff.name).join(
        Staff, Staff.id == CashierShift.staff_id
    ),
    "community": select(Community.id, Community.name),
    "deposit": select(Deposit.id, Deposit.name),
    "discount_rule": select(DiscountRule.id, DiscountRule.name),
    "equipment": select(Equipment.id, Equipment.name),
    "fee_item": select(FeeItem.id, FeeItem.name),
    "house": select(House.id, house_label_column()).join(
        Building, Building.id == House.building_id
    ),
    "import_batch": select(ImportBatch.id, ImportBatch.sheet),
    "maintenance_plan": select(MaintenancePlan.id, MaintenancePlan.name),
    "maintenance_task": select(MaintenanceTask.id, MaintenanceTask.name),
    "maintenance_template": select(MaintenanceTemplate.id, MaintenanceTemplate.name),
    "meter": select(Meter.id, Meter.meter_no),
    "notice": select(Notice.id, Notice.title),
    "owner": select(Owner.id, Owner.name),
    "parking_space": select(ParkingSpace.id, ParkingSpace.space_no),
    "payment": select(Payment.id, Payment.out_trade_no),
    "payment_order": select(PaymentOrder.id, PaymentOrder.out_trade_no),
    "refund": select(Refund.id, Refund.refund_no),
    "repair_incident": select(RepairIncident.id, RepairIncident.title),
    "repair_order": select(RepairOrder.id, RepairOrder.repair_no),
    "staff": select(Staff.id, Staff.name),
    "staff_task": select(StaffTask.id, StaffTask.title),
    "staff_token": select(StaffToken.id, StaffToken.name),
}


def names_of(
    session: Session,
    subjects: Iterable[tuple[str, int | None]],
    *,
    on_record: Mapping[tuple[str, int | None], str] | None = None,
) -> dict[Any, str]:
    """Name rows by kind and id, with one query for each kind.

    A row that is gone has the name ``on_record``, and without one its number.
    """
    kept = on_record or {}
    wanted: dict[str, set[int]] = {}
    for kind, id_ in subjects:
        if id_ is not None:
            wanted.setdefault(kind, set()).add(id_)
    names: dict[Any, str] = {}
    for kind, ids in wanted.items():
        found: dict[int, str] = {}
        if kind in _NAMES:
            query = _NAMES[kind]
            key = query.selected_columns[0]
            rows = session.execute(query.where(key.in_(ids)))
            found = {id_: _say(kind, name) for id_, name in rows}
        word = KIND_SHOWN.get(kind, kind)
        for id_ in ids:
            if name := found.get(id_) or kept.get((kind, id_)):
                names[kind, id_] = name if kind in _BARE else f"{word} {name}"
            else:
                names[kind, id_] = f"{word}（编号 {id_}）"
    return names


def _say(kind: str, name: Any) -> str:
    if kind == "account":
        return mask_phone(name)
    return f"{name:%Y-%m}" if kind == "bill_batch" else str(name)
