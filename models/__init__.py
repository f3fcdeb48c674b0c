"""All tables, through one door: importing this package is what makes the metadata complete."""

from domain.houses import HouseState
from models.accounts import (
    Account,
    HouseBinding,
    LoginCode,
    SessionToken,
    Staff,
    StaffToken,
    WechatIdentity,
)
from models.approvals import ApprovalRequest, BillAdjustment
from models.base import db
from models.bills import (
    Bill,
    BillBatch,
    BillBatchItem,
    BillBatchTick,
    BillException,
    BillLine,
    NumberSeries,
)
from models.discounts import DiscountHouse, DiscountItem, DiscountRule
from models.estate import Building, Community, House, HouseMeasure, Occupancy
from models.fees import FeeItem, FeeStandard
from models.imports import ImportBatch
from models.late_fees import BillLateFee, LateFeePause, LateFeeRule
from models.messages import ChannelPause, OutboxMessage
from models.meters import Meter, MeterReading
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
from models.prepaid import Deposit, DepositEntry, PrepaidAccount, PrepaidEntry, Refund
from models.records import AuditEntry, JobSlot
from models.reports import CollectionChange, CollectionSummary
from models.shares import OneOffCharge, SharePool, SharePoolWeight

__all__ = [
    "Account",
    "Allocation",
    "ApprovalRequest",
    "AuditEntry",
    "Bill",
    "BillAdjustment",
    "BillBatch",
    "BillBatchItem",
    "BillBatchTick",
    "BillException",
    "BillLateFee",
    "BillLine",
    "BillLock",
    "Building",
    "ChannelPause",
    "CollectionChange",
    "CollectionSummary",
    "Community",
    "Deposit",
    "DepositEntry",
    "DiscountHouse",
    "DiscountItem",
    "DiscountRule",
    "FeeItem",
    "FeeStandard",
    "House",
    "HouseBinding",
    "HouseMeasure",
    "HousePerson",
    "HouseState",
    "IdempotencyKey",
    "ImportBatch",
    "JobSlot",
    "LateFeePause",
    "LateFeeRule",
    "LoginCode",
    "Meter",
    "MeterReading",
    "NumberSeries",
    "Occupancy",
    "OneOffCharge",
    "OutboxMessage",
    "Owner",
    "Payment",
    "PaymentOrder",
    "PaymentOrderBill",
    "PersonRole",
    "PlatformNotice",
    "PrepaidAccount",
    "PrepaidEntry",
    "Receipt",
    "Refund",
    "SessionToken",
    "SharePool",
    "SharePoolWeight",
    "Staff",
    "StaffTask",
    "StaffToken",
    "Suspense",
    "WechatIdentity",
    "db",
]
