"""All tables, through one door: importing this package is what makes the metadata complete."""

from models.accounts import (
    Account,
    HouseBinding,
    LoginCode,
    SessionToken,
    Staff,
    WechatIdentity,
)
from models.base import db
from models.bills import Bill, BillBatch, BillBatchItem, BillException, BillLine, NumberSeries
from models.estate import Building, Community, House, HouseState, Occupancy
from models.fees import FeeItem, FeeStandard
from models.imports import ImportBatch
from models.messages import ChannelPause, OutboxMessage
from models.payments import (
    Allocation,
    BillLock,
    IdempotencyKey,
    Payment,
    PaymentOrder,
    PaymentOrderBill,
    PlatformNotice,
    Receipt,
    StaffTask,
    Suspense,
)
from models.people import HousePerson, Owner, PersonRole
from models.records import AuditEntry, JobSlot

__all__ = [
    "Account",
    "Allocation",
    "AuditEntry",
    "Bill",
    "BillBatch",
    "BillBatchItem",
    "BillException",
    "BillLine",
    "BillLock",
    "Building",
    "ChannelPause",
    "Community",
    "FeeItem",
    "FeeStandard",
    "House",
    "HouseBinding",
    "HousePerson",
    "HouseState",
    "IdempotencyKey",
    "ImportBatch",
    "JobSlot",
    "LoginCode",
    "NumberSeries",
    "Occupancy",
    "OutboxMessage",
    "Owner",
    "Payment",
    "PaymentOrder",
    "PaymentOrderBill",
    "PersonRole",
    "PlatformNotice",
    "Receipt",
    "SessionToken",
    "Staff",
    "StaffTask",
    "Suspense",
    "WechatIdentity",
    "db",
]
