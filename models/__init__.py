"""All tables, through one door: importing this package is what makes the metadata complete."""

from domain.house_roles import PersonRole
from domain.houses import HouseState
from models.accounts import (
    Account,
    HouseBinding,
    LoginCode,
    SessionToken,
    Staff,
    StaffScope,
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
from models.bindings import BindingApplication, HouseInvitation
from models.discounts import DiscountHouse, DiscountItem, DiscountRule
from models.doors import (
    PasswordReset,
    RecoveryCode,
    RoleGrant,
    SignInAttempt,
    StaffSession,
)
from models.equipment import Equipment, EquipmentDocument, EquipmentStateChange
from models.estate import (
    Building,
    BuildingUnit,
    Community,
    House,
    HouseMeasure,
    Occupancy,
)
from models.fees import FeeItem, FeeStandard
from models.files import StoredFile
from models.imports import ImportBatch, ImportFile, ImportStep
from models.late_fees import BillLateFee, LateFeePause, LateFeeRule
from models.maintenance import (
    MaintenancePlan,
    MaintenanceResult,
    MaintenanceTask,
    MaintenanceTaskEvent,
    MaintenanceTemplate,
    PlanEquipment,
)
from models.merchants import CommunityMerchant, PayCode
from models.messages import (
    BillReminder,
    ChannelPause,
    MessageSetting,
    OutboxMessage,
    SubscribeQuota,
)
from models.meters import Meter, MeterReading
from models.notices import Notice, NoticeBuilding, NoticeRead
from models.parking import Car, ParkingSpace
from models.payments import (
    Allocation,
    BillLock,
    ChannelCall,
    IdempotencyKey,
    Payment,
    PaymentOrder,
    PaymentOrderBill,
    PlatformNotice,
    StaffTask,
    Suspense,
)
from models.people import HousePerson, Owner, OwnerPhone, PhoneReveal
from models.prepaid import Deposit, DepositEntry, PrepaidAccount, PrepaidEntry
from models.privacy import AccountDeletion, Consent, PrivacyExport
from models.receipts import Receipt, ReceiptMark
from models.reconciliation import ReconciliationCase, ReconciliationRun
from models.records import AuditEntry, AuditLink, JobSlot
from models.refunds import Refund, RefundPart, SuspenseResolution
from models.repairs import (
    RepairEvent,
    RepairFollowUp,
    RepairIncident,
    RepairOrder,
    RepairPart,
    RepairPause,
    RepairQuote,
    RepairRating,
    RepairRule,
    RepairSla,
    StaffDuty,
    StaffSkill,
)
from models.reports import CollectionChange, CollectionSummary
from models.shares import OneOffCharge, SharePool, SharePoolWeight
from models.shifts import CashierShift, ShiftCount
from models.transfers import HouseTransfer, TransferDebt, TransferParty, TransferShare

__all__ = [
    "Account",
    "AccountDeletion",
    "Allocation",
    "ApprovalRequest",
    "AuditEntry",
    "AuditLink",
    "Bill",
    "BillAdjustment",
    "BillBatch",
    "BillBatchItem",
    "BillBatchTick",
    "BillException",
    "BillLateFee",
    "BillLine",
    "BillLock",
    "BillReminder",
    "BindingApplication",
    "Building",
    "BuildingUnit",
    "Car",
    "CashierShift",
    "ChannelCall",
    "ChannelPause",
    "CollectionChange",
    "CollectionSummary",
    "Community",
    "CommunityMerchant",
    "Consent",
    "Deposit",
    "DepositEntry",
    "DiscountHouse",
    "DiscountItem",
    "DiscountRule",
    "Equipment",
    "EquipmentDocument",
    "EquipmentStateChange",
    "FeeItem",
    "FeeStandard",
    "House",
    "HouseBinding",
    "HouseInvitation",
    "HouseMeasure",
    "HousePerson",
    "HouseState",
    "HouseTransfer",
    "IdempotencyKey",
    "ImportBatch",
    "ImportFile",
    "ImportStep",
    "JobSlot",
    "LateFeePause",
    "LateFeeRule",
    "LoginCode",
    "MaintenancePlan",
    "MaintenanceResult",
    "MaintenanceTask",
    "MaintenanceTaskEvent",
    "MaintenanceTemplate",
    "MessageSetting",
    "Meter",
    "MeterReading",
    "Notice",
    "NoticeBuilding",
    "NoticeRead",
    "NumberSeries",
    "Occupancy",
    "OneOffCharge",
    "OutboxMessage",
    "Owner",
    "OwnerPhone",
    "ParkingSpace",
    "PasswordReset",
    "PayCode",
    "Payment",
    "PaymentOrder",
    "PaymentOrderBill",
    "PersonRole",
    "PhoneReveal",
    "PlanEquipment",
    "PlatformNotice",
    "PrepaidAccount",
    "PrepaidEntry",
    "PrivacyExport",
    "Receipt",
    "ReceiptMark",
    "ReconciliationCase",
    "ReconciliationRun",
    "RecoveryCode",
    "Refund",
    "RefundPart",
    "RepairEvent",
    "RepairFollowUp",
    "RepairIncident",
    "RepairOrder",
    "RepairPart",
    "RepairPause",
    "RepairQuote",
    "RepairRating",
    "RepairRule",
    "RepairSla",
    "RoleGrant",
    "SessionToken",
    "SharePool",
    "SharePoolWeight",
    "ShiftCount",
    "SignInAttempt",
    "Staff",
    "StaffDuty",
    "StaffScope",
    "StaffSession",
    "StaffSkill",
    "StaffTask",
    "StaffToken",
    "StoredFile",
    "SubscribeQuota",
    "Suspense",
    "SuspenseResolution",
    "TransferDebt",
    "TransferParty",
    "TransferShare",
    "WechatIdentity",
    "db",
]
