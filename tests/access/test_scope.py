"""The data scope of staff, over every use-case that they have.

The world holds one row of everything in one community. Each use-case is asked for it three times:
by somebody of the whole company, who must find it; by somebody of another community; and by
somebody of another building. For these two it must be as if the row did not exist, and nothing may
change. A use-case that stands neither in the table nor on the reviewed list fails.
"""

import inspect
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from domain.actors import EVERYWHERE, Actor, ActorKind, DataScope, Permission, Role
from domain.charges import ChargeMethod
from domain.checklists import ChecklistItem
from domain.discount_rules import DiscountKind, DiscountRule
from domain.equipment import EquipmentCategory, EquipmentState
from domain.errors import NotFound, PropertyError
from domain.house_roles import PersonRole, Rights
from domain.houses import HouseState
from domain.maintenance_rules import Basis, DueRule, PlanUnit
from domain.maintenance_states import MaintenanceKind
from domain.meters import MeterKind
from domain.payment_states import PaymentChannel
from domain.periods import Span, local_date
from domain.refund_states import SurplusPolicy
from domain.repairs import FaultCause, PauseReason, RepairCategory, RepairSource
from domain.shares import ShareBy
from services.approvals.requests import Payout
from services.base_data.house_lists import HouseFilter
from services.bills.findings import FindingKind
from services.equipment.lists import EquipmentFilter
from services.fees.checks import NewFeeItem, NewPrice
from services.fees.pools import NewPool
from services.history import HistoryFilter
from services.late_fees import NewLateFeeRule
from services.maintenance.plan_rows import PlanWords
from services.maintenance.task_lists import TaskFilter, TaskList
from services.maintenance.templates import TemplateWords
from services.meters.judging import NewReading
from services.meters.register import NewCounter, NewMeter
from services.notices.rows import NoticeWords
from services.payments.community_rules import PaymentRules
from services.payments.money_in import MoneyIn
from services.payments.receipt_prints import WhichReceipts
from services.people.owners import OwnerWords
from services.people.part_rows import NewPart
from services.people.phones import PhoneProof
from services.people.search import OwnerFilter
from services.people.transfer_rows import Buyer
from services.people.transfers import TransferPlan
from services.repairs.opening import NewRepair
from services.repairs.rules import Rules
from services.repairs.views import RepairFilter
from services.repairs.working import FinishedWork
from services.reports.tables import (
    ArrearsBy,
    CashBy,
    CollectionBy,
    FileForm,
    OfflineBy,
    ReportFilter,
)
from services.sign_in_attempts import Visit
from tests import factories
from tests.architecture.test_permissions import USE_CASES
from tests.models.test_schema import world  # noqa: F401 - one row of everything

MONTH = date(2026, 10, 1)
DAY = date(2026, 11, 5)
SPAN = Span(date(2026, 10, 1), date(2026, 11, 1))
NO_STAFF = {
    Permission.SIGN_IN,
    Permission.MANAGE_OWN_SESSION,
    Permission.VIEW_OWN_BILLS,
    Permission.PAY_OWN_BILLS,
    Permission.MANAGE_OWN_BINDINGS,
    Permission.MANAGE_OWN_PRIVACY,
    Permission.REPORT_REPAIRS,
    Permission.PAY_AT_DOOR,
    Permission.VERIFY_RECEIPT,
    Permission.FOLLOW_FILE_LINKS,
    Permission.VIEW_NOTICES,
    Permission.RUN_PLATFORM_WORK,
    Permission.SCAN_EQUIPMENT,
}
MONEY = MoneyIn(PaymentChannel.CASH, 100, "王五")
PAYOUT = Payout("cash", "王五", "19900000001")
ITEM = NewFeeItem("N1", "新项目", ChargeMethod.FIXED, Decimal(5), date(2026, 1, 1))
RULE = DiscountRule(
    id=0,
    name="优惠",
    kind=DiscountKind.PERCENTAGE,
    percent=Decimal(5),
    amount_fen=None,
    buy_months=None,
    free_months=None,
    early_days=None,
    priority=0,
    is_stackable=True,
    cap_fen=None,
    starts_on=MONTH,
    ends_before=None,
)


def of_community(**more):
    return lambda row: {"community_id": row.community, **more}


def of_house_in_community(**more):
    return lambda row: {"community_id": row.community, "house_id": row.house, **more}


def of_a_house(**more):
    return lambda row: {"house_id": row.house, **more}


def of_a_building(**more):
    return lambda row: {"building_id": row.building, **more}


def of_owner(**more):
    return lambda row: {"owner_id": row.owner, **more}


def report(by):
    return lambda row: {"which": ReportFilter(row.community, SPAN), "by": by}


def of_repair(**more):
    return lambda row: {"repair_id": row.repair_order, **more}


def of_incident(**more):
    return lambda row: {"incident_id": row.repair_incident, **more}


CHECKLIST = (ChecklistItem("i1", "外观"),)
PLAN = PlanWords(
    "计划",
    MaintenanceKind.ROUTINE,
    Basis.FIXED_CALENDAR,
    DueRule(1, PlanUnit.MONTH),
    DAY,
    CHECKLIST,
)
TEMPLATE = TemplateWords(
    "N1",
    "模板",
    EquipmentCategory.LIFT,
    MaintenanceKind.ROUTINE,
    1,
    PlanUnit.MONTH,
    CHECKLIST,
)


def of_plan(**more):
    return lambda row: {"plan_id": row.maintenance_plan, "reason": "x", **more}


def of_task(**more):
    return lambda row: {"task_id": row.maintenance_task, "client_key": "k" * 16, **more}


def of_equipment(**more):
    return lambda row: {"equipment_id": row.equipment, **more}


WHOLE = {
    "MaintenancePlans.add": lambda row: {
        "community_id": row.community,
        "words": PLAN,
        "equipment_ids": [row.equipment],
    },
    "MaintenancePlans.change": of_plan(words=PLAN),
    "MaintenancePlans.end": of_plan(),
    "MaintenancePlans.pause": of_plan(),
    "MaintenancePlans.put_equipment": lambda row: {
        "plan_id": row.maintenance_plan,
        "equipment_ids": [row.equipment],
        "reason": "x",
    },
    "MaintenancePlans.resume": of_plan(),
    "MaintenancePlans.show": lambda row: {"plan_id": row.maintenance_plan},
    "MaintenanceTemplates.add": of_community(words=TEMPLATE),
    "MaintenanceTemplates.change": lambda row: {
        "template_id": row.maintenance_template,
        "words": TEMPLATE,
        "reason": "x",
    },
    "MaintenanceTemplates.load_library": of_community(),
    "RepairAnalysis.analyse": of_community(from_on=MONTH, until_on=DAY),
    "RepairRules.set_rules": of_community(rules=Rules()),
    "RepairRules.show": of_community(),
    "BuildingRegister.add": of_community(building={"name": "8栋"}),
    "NoticeBoard.draft": of_community(words=NoticeWords("x", "x")),
    "NoticeBoard.edit": lambda row: {"notice_id": row.notice, "words": NoticeWords("x", "x")},
    "NoticeBoard.list_notices": of_community(before_id=None, limit=20),
    "NoticeBoard.preview": lambda row: {"notice_id": row.notice},
    "NoticeBoard.publish": lambda row: {"notice_id": row.notice},
    "NoticeBoard.withdraw": lambda row: {"notice_id": row.notice, "reason": "x"},
    "CarRegister.add": of_community(car={"plate_no": "粤B12345"}),
    "CarRegister.edit": lambda row: {
        "car_id": row.car,
        "changes": {"note": "x"},
        "seen": {"note": ""},
    },
    "CarRegister.find": of_community(),
    "CarRegister.remove": lambda row: {"car_id": row.car, "reason": "x"},
    "CommunityRegister.edit": of_community(changes={"note": "x"}, seen={"note": ""}),
    "CommunityRegister.restore": of_community(reason="x"),
    "CommunityRegister.retire": of_community(retired_on=DAY, reason="x"),
    "SpaceRegister.add": of_community(space={"space_no": "B9", "right_kind": "owned"}),
    "SpaceRegister.edit": lambda row: {
        "space_id": row.parking_space,
        "changes": {"note": "x"},
        "seen": {"note": ""},
    },
    "SpaceRegister.find": of_community(),
    "SpaceRegister.remove": lambda row: {"space_id": row.parking_space, "reason": "x"},
    "SpaceRegister.restore": lambda row: {"space_id": row.parking_space, "reason": "x"},
    "SpaceRegister.retire": lambda row: {
        "space_id": row.parking_space,
        "retired_on": DAY,
        "reason": "x",
    },
    "BillBatches.draft": of_community(month=MONTH),
    "BillBatches.list_batches": of_community(),
    "BillBatches.show": lambda row: {"batch_id": row.batch},
    "BillBatches.approve": lambda row: {"batch_id": row.batch},
    "BillBatches.send_back": lambda row: {"batch_id": row.batch, "reason": "x"},
    "BillBatches.cancel": lambda row: {"batch_id": row.batch, "reason": "x"},
    "Owners.add": of_community(words=OwnerWords(name="新"), phone=None),
    "BillFindings.list_findings": lambda row: {"batch_id": row.batch},
    "BillFindings.list_rows": lambda row: {
        "batch_id": row.batch,
        "kind": FindingKind.MISSING,
        "fee_item_id": row.item,
    },
    "Counter.take": of_house_in_community(money=MONEY, client_key="k" * 16),
    "Deposits.take": of_house_in_community(name="押金", money=MONEY, client_key="k" * 16),
    "Deposits.list_held": of_community(),
    "Discounts.add": lambda row: {
        "community_id": row.community,
        "rule": RULE,
        "fee_item_ids": [row.item],
    },
    "Discounts.list_rules": of_community(),
    "Discounts.stop": lambda row: {"rule_id": row.discount_rule, "reason": "x"},
    "FeeTrials.try_item": lambda row: {
        "community_id": row.community,
        "fee_item_id": row.item,
        "month": MONTH,
    },
    "FeeTrials.try_new": of_community(item=ITEM, month=MONTH),
    "Fees.add_item": of_community(item=ITEM),
    "Fees.list_items": of_community(),
    "Fees.set_price": lambda row: {
        "fee_item_id": row.item,
        "price": NewPrice(Decimal(9)),
        "priced_from": DAY,
    },
    "Fees.end_item": lambda row: {"fee_item_id": row.item, "ends_before": DAY, "reason": "x"},
    "Generation.generate": lambda row: {"batch_id": row.batch},
    "ImportWorkbench.list_problems": lambda row: {
        "batch_id": row.import_batch,
        "after": 0,
        "limit": 5,
    },
    "ImportWorkbench.show": lambda row: {"batch_id": row.import_batch},
    "ImportWorkbench.carry_out": lambda row: {"batch_id": row.import_batch},
    "ImportWorkbench.undo": lambda row: {"batch_id": row.import_batch},
    "LateFees.end_rule": lambda row: {"fee_item_id": row.item, "ends_on": DAY},
    "LateFees.list_pauses": of_community(),
    "LateFees.list_rules": of_community(),
    "LateFees.pause": of_community(span=SPAN, reason="x"),
    "LateFees.set_rule": lambda row: {
        "fee_item_id": row.item,
        "rule": NewLateFeeRule(Decimal("0.0005"), DAY),
    },
    "MerchantAccounts.show": of_community(),
    "MeterRegister.register": of_community(
        meter=NewMeter(
            meter_no="W9", opening_reading=Decimal(0), kind=MeterKind.COLD_WATER, opened_on=MONTH
        )
    ),
    "MeterRegister.swap": lambda row: {
        "meter_id": row.meter,
        "other_meter_id": row.meter,
        "reason": "x",
    },
    "MeterReadings.enter": of_community(
        readings=[NewReading("W1", DAY, Decimal(9))], source="manual"
    ),
    "MoneyDecisions.approve": lambda row: {"request_id": row.approval_request},
    "MoneyDecisions.reject": lambda row: {"request_id": row.approval_request, "note": "x"},
    "MoneyDecisions.list_requests": of_community(),
    "OneOffCharges.add": lambda row: {
        "community_id": row.community,
        "house_id": row.house,
        "fee_item_id": row.one_off_item,
        "charged_on": DAY,
        "amount_fen": 5,
        "source_document": "x",
    },
    "OneOffCharges.cancel": lambda row: {"charge_id": row.one_off_charge, "reason": "x"},
    "OneOffCharges.list_charges": of_community(),
    "PayCodes.make": of_community(),
    "PayCodes.replace": of_house_in_community(),
    "PayCodes.revoke": of_house_in_community(),
    "PayCodes.show_token": of_house_in_community(),
    "PayCodes.write_sheet": of_community(base_url="http://x"),
    "CommunityPaymentRules.change": of_community(rules=PaymentRules(SurplusPolicy.ASK, 5)),
    "CommunityPaymentRules.show": of_community(),
    "PaymentRefundRequests.ask": lambda row: {
        "community_id": row.community,
        "payment_id": row.payment,
        "amount_fen": 1,
        "reason": "x",
    },
    "PaymentRefundRequests.look": of_community(number="P1"),
    "PaymentLife.show": of_community(number="P1"),
    "SuspenseMoney.list_open": of_community(),
    "SuspenseMoney.to_prepaid": of_house_in_community(suspense_id=1, amount_fen=1, note="x"),
    "PrepaidAccounts.transfer": lambda row: {
        "from_account_id": row.prepaid_account,
        "to_house_id": row.house,
        "to_fee_item_id": row.item,
        "amount_fen": 1,
        "reason": "x",
        "client_key": "k" * 16,
    },
    "PrepaidOffsets.offset_community": of_community(),
    "Publication.publish": lambda row: {"batch_id": row.batch},
    "Regeneration.regenerate": lambda row: {"batch_id": row.batch, "house_ids": [row.house]},
    "ReceiptPrints.print_receipts": of_community(
        which=WhichReceipts(receipt_nos=("CH-1",)), base_url="http://x"
    ),
    "Receipts.show_any": of_community(receipt_no="CH-1"),
    "ReconciliationCases.show": lambda row: {"case_id": row.reconciliation_case},
    "ReconciliationCases.handle": lambda row: {"case_id": row.reconciliation_case, "note": "x"},
    "ReconciliationCases.escalate": lambda row: {"case_id": row.reconciliation_case, "note": "x"},
    "ReconciliationCases.assign": lambda row: {
        "case_id": row.reconciliation_case,
        "login_name": "other",
    },
    "ReconciliationCases.list_runs": lambda _row: {},
    "Reports.arrears": report(ArrearsBy.BUILDING),
    "Reports.cash_in": report(CashBy.DAY),
    "Reports.collection": report(CollectionBy.MONTH),
    "Reports.find_ids": of_community(),
    "Reports.offline": report(OfflineBy.DAY),
    "Reports.recovery": report(CollectionBy.ITEM),
    "Reversals.reverse": of_community(receipt_no="CH-1", reason="x"),
    "Shifts.begin_close": of_community(),
    "Shifts.count": of_community(counted_fen={PaymentChannel.CASH: 0}),
    "Shifts.explain": lambda row: {
        "community_id": row.community,
        "shift_id": row.cashier_shift,
        "note": "x",
    },
    "Shifts.hand_over": lambda row: {
        "community_id": row.community,
        "shift_id": row.cashier_shift,
        "cash_fen": 0,
    },
    "Shifts.list_of_community": of_community(),
    "Shifts.list_own": of_community(),
    "Shifts.open": of_community(float_fen=0),
    "Shifts.reopen": of_community(),
    "Shifts.show": lambda row: {"community_id": row.community, "shift_id": row.cashier_shift},
    "SharePools.add": lambda row: {
        "community_id": row.community,
        "fee_item_id": row.share_item,
        "month": MONTH,
        "pool": NewPool(ShareBy.HOUSEHOLD, amount_fen=5),
    },
    "SharePools.cancel": lambda row: {"pool_id": row.share_pool, "reason": "x"},
    "SharePools.list_pools": of_community(),
    "StaffTasks.finish": lambda row: {"task_id": row.staff_task},
}
"""What asks for a community as a whole."""
OF_A_HOUSE = {
    "EquipmentLabels.print_labels": lambda row: {"equipment_ids": [row.equipment]},
    "EquipmentDocuments.list_documents": of_equipment(),
    "EquipmentLists.show": of_equipment(),
    "EquipmentRegister.add": lambda row: {
        "community_id": row.community,
        "equipment": {"name": "x", "category": "lift", "building_id": row.building},
    },
    "EquipmentRegister.change_state": of_equipment(
        state=EquipmentState.STOPPED,
        expected=EquipmentState.IN_USE,
        changed_on=DAY,
        reason="x",
    ),
    "EquipmentRegister.edit": of_equipment(changes={"note": "x"}, seen={"note": ""}, reason="x"),
    "EquipmentRegister.write_specs": of_equipment(specs={"a": "b"}, reason="x"),
    "MaintenanceTaskLists.show": lambda row: {"task_id": row.maintenance_task},
    "MaintenanceTasks.assign": of_task(assignee_id=None),
    "MaintenanceTasks.cancel": of_task(reason="x"),
    "MaintenanceTasks.send_back": of_task(reason="x"),
    "MaintenanceTasks.skip": of_task(reason="x"),
    "MaintenanceTasks.start": of_task(),
    "MaintenanceTasks.submit": of_task(findings=[]),
    "MaintenanceTasks.verify": of_task(),
    "RepairDesk.take_down": lambda row: {
        "new": NewRepair(
            RepairCategory.WATER, "漏水", house_id=row.house, source=RepairSource.PHONE
        ),
        "client_key": "k" * 16,
    },
    "RepairDispatch.assign": lambda row: {"repair_id": row.repair_order, "staff_id": row.actor},
    "RepairDispatch.follow_up": of_repair(is_satisfied=True, note="x"),
    "RepairDispatch.force_close": of_repair(reason="x"),
    "RepairDispatch.grab": of_repair(),
    "RepairDispatch.list_engineers": of_repair(),
    "RepairDispatch.offer": of_repair(),
    "RepairDispatch.rotate": of_repair(),
    "RepairDispatch.tell": of_repair(note="x"),
    "RepairIncidents.end": of_incident(note="x"),
    "RepairIncidents.tell": of_incident(note="x"),
    "RepairLists.show": of_repair(),
    "RepairWork.accept": of_repair(),
    "RepairWork.arrive": of_repair(),
    "RepairWork.finish": of_repair(work=FinishedWork(FaultCause.AGEING, "修好")),
    "RepairWork.give_back": of_repair(reason="x"),
    "RepairWork.quote": of_repair(amount_fen=1, note="x"),
    "RepairWork.resume": of_repair(),
    "RepairWork.suspend": of_repair(
        waits_for=PauseReason.PARTS, until_on=local_date(datetime.now(UTC)), note="x"
    ),
    "RepairWork.transfer": of_repair(staff_id=1, reason="x"),
    "BuildingLists.show": of_a_building(),
    "BuildingRegister.edit": of_a_building(changes={"note": "x"}, seen={"note": ""}),
    "BuildingRegister.edit_unit": of_a_building(
        unit_no="1", changes={"note": "x"}, seen={"note": ""}
    ),
    "BuildingRegister.remove": of_a_building(reason="x"),
    "BuildingRegister.restore": of_a_building(reason="x"),
    "BuildingRegister.retire": of_a_building(retired_on=DAY, reason="x"),
    "MeterKeeping.edit": lambda row: {
        "meter_id": row.meter,
        "changes": {"modulus": "100000"},
        "seen": {"modulus": None},
        "reason": "x",
    },
    "MeterKeeping.retire": lambda row: {
        "meter_id": row.meter,
        "closing_reading": Decimal(9),
        "closed_on": DAY,
        "reason": "x",
    },
    "BindingApplications.approve": lambda row: {
        "application_id": row.binding_application,
        "house_id": row.house,
        "reason": "x",
    },
    "BindingApplications.reject": lambda row: {
        "application_id": row.binding_application,
        "reason": "x",
    },
    "Counter.preview": of_house_in_community(amount_fen=5),
    "Deposits.deduct": lambda row: {
        "deposit_id": row.deposit,
        "bill_id": row.bill,
        "amount_fen": 1,
        "reason": "x",
        "client_key": "k" * 16,
    },
    "Deposits.show": lambda row: {"deposit_id": row.deposit},
    "Estate.find_building": lambda row: {"community_id": row.community, "name": row.building_name},
    "Estate.find_house": lambda row: {"community_id": row.community, "label": row.label},
    "HouseBindings.revoke": lambda row: {"binding_id": row.house_binding, "reason": "x"},
    "HousePeople.add": lambda row: {
        "house_id": row.house,
        "part": NewPart(row.owner, PersonRole.FAMILY, person_from=DAY),
        "reason": "x",
    },
    "HousePeople.decide_rights": lambda row: {
        "person_id": row.house_person,
        "rights": Rights(may_pay=False),
        "reason": "x",
    },
    "HousePeople.end": lambda row: {"person_id": row.house_person, "until": DAY, "reason": "x"},
    "HousePeople.list_people": lambda row: {"house_id": row.house},
    "HousePeople.remove": lambda row: {"person_id": row.house_person, "reason": "x"},
    "HousePeople.set_shares": lambda row: {
        "house_id": row.house,
        "shares": {row.house_person: Decimal(1)},
        "reason": "x",
    },
    "OwnerPhones.add": of_owner(phone="18800000077", reason="x"),
    "OwnerPhones.change": of_owner(
        phone_id=None,
        new_phone="18800000078",
        proof=PhoneProof(paper="身份证"),
        reason="x",
        visit=Visit("10.0.0.1"),
    ),
    "OwnerPhones.list_reveals": of_owner(),
    "OwnerPhones.remove": lambda row: {
        "owner_id": row.owner,
        "phone_id": row.owner_phone,
        "reason": "x",
    },
    "OwnerPhones.reveal": of_owner(reason="x"),
    "OwnerPhones.send_code": of_owner(phone="18800000079", visit=Visit("10.0.0.1")),
    "Owners.edit": of_owner(words=OwnerWords(note="x"), reason="x"),
    "Owners.end": of_owner(reason="x"),
    "Owners.remove": of_owner(reason="x"),
    "Owners.show": of_owner(),
    "TransferRecords.list_transfers": lambda row: {"house_id": row.house},
    "TransferRecords.undo": lambda row: {"transfer_id": row.house_transfer, "reason": "x"},
    "Transfers.carry_out": lambda row: {
        "plan": TransferPlan(row.house, DAY, [Buyer(name="赵买")], "v"),
        "reason": "x",
        "client_key": "k" * 16,
    },
    "Transfers.preview": lambda row: {"house_id": row.house, "cut_on": DAY},
    "HouseBills.explain": lambda row: {"bill_id": row.bill},
    "HouseBills.find": lambda row: {"community_id": row.community, "bill_no": row.bill_no},
    "HouseRegister.add": lambda row: {
        "building_id": row.building,
        "house": {"room_no": "909", "building_area": "80"},
    },
    "HouseRegister.edit": of_a_house(changes={"note": "x"}, seen={"note": ""}),
    "HouseRegister.remove": of_a_house(reason="x"),
    "HouseRegister.restore": of_a_house(reason="x"),
    "HouseRegister.retire": of_a_house(retired_on=DAY, reason="x"),
    "HouseLists.show": of_a_house(),
    "HousePreviews.preview": of_a_house(changes={"building_area": "80"}),
    "Houses.change_measure": lambda row: {
        "house_id": row.house,
        "billing_area": Decimal(80),
        "fee_coefficient": Decimal(1),
        "holds_from": None,
        "reason": "x",
    },
    "Houses.change_use": lambda row: {
        "house_id": row.house,
        "state": HouseState.VACANT,
        "holds_from": DAY,
        "reason": "x",
    },
    "LateFees.preview": lambda row: {"bill_id": row.bill},
    "MeterLists.find_house": lambda row: {"community_id": row.community, "label": row.label},
    "MeterLists.find_meter": of_community(meter_no="W1"),
    "MeterLists.show": lambda row: {"meter_id": row.meter},
    "MeterReadings.correct": lambda row: {
        "meter_id": row.meter,
        "read_on": date(2026, 10, 31),
        "reading": Decimal(6),
        "reason": "x",
    },
    "MeterRegister.replace": lambda row: {
        "meter_id": row.meter,
        "closing_reading": Decimal(9),
        "closed_on": DAY,
        "new": NewCounter(meter_no="W8", opening_reading=Decimal(0)),
    },
    "MoneyRequests.request_adjustment": lambda row: {
        "bill_id": row.bill,
        "amount_fen": 1,
        "reason": "x",
    },
    "MoneyRequests.request_deposit_return": lambda row: {
        "deposit_id": row.deposit,
        "amount_fen": 1,
        "payout": PAYOUT,
        "reason": "x",
    },
    "MoneyRequests.request_late_fee_waiver": lambda row: {
        "bill_id": row.bill,
        "amount_fen": 1,
        "reason": "x",
    },
    "MoneyRequests.request_prepaid_refund": lambda row: {
        "account_id": row.prepaid_account,
        "amount_fen": 1,
        "payout": PAYOUT,
        "reason": "x",
    },
    "MoneyRequests.request_void": lambda row: {"bill_id": row.bill, "reason": "x"},
    "MoneyRequests.request_waiver": lambda row: {
        "bill_id": row.bill,
        "amount_fen": 1,
        "reason": "x",
    },
    "MoneyRequests.request_write_off": lambda row: {"bill_id": row.bill, "reason": "x"},
    "PrepaidAccounts.show": lambda row: {"house_id": row.house},
    "PrepaidOffsets.offset": lambda row: {"house_id": row.house},
    "Statements.show": lambda row: {
        "community_id": row.community,
        "house": row.label,
        "from_on": MONTH,
        "until_on": DAY,
    },
    "Statements.write": lambda row: {
        "community_id": row.community,
        "house": row.label,
        "from_on": MONTH,
        "until_on": DAY,
        "form": FileForm.PDF,
    },
}
"""What asks for one house, or a row of it: somebody of its building may, too."""
LISTS = {
    "EquipmentLists.find": lambda _row: {"which": EquipmentFilter()},
    "EquipmentLists.list_expiring": lambda _row: {},
    "MaintenancePlans.list_plans": lambda _row: {},
    "MaintenanceTaskLists.find": lambda _row: {"which": TaskFilter(which=TaskList.ALL)},
    "MaintenanceTemplates.list_templates": lambda _row: {},
    "RepairIncidents.list_incidents": of_community(),
    "RepairLists.list_repairs": lambda _row: {"wanted": RepairFilter()},
    "Deposits.list_of_house": lambda row: {"house_id": row.house},
    "Estate.list_communities": lambda _row: {},
    "BindingApplications.list_applications": lambda _row: {},
    "HouseBindings.list_bindings": lambda _row: {},
    "ChangeHistory.list_changes": lambda row: {"which": HistoryFilter(subject_type="bill")},
    "PrivacyRequests.list_requests": lambda _row: {},
    "OwnerSearch.find": lambda _row: {"which": OwnerFilter()},
    "BuildingLists.list_buildings": of_community(),
    "HouseLists.find": lambda _row: {"which": HouseFilter()},
    "HouseBills.list_bills": lambda row: {"house_id": row.house},
    "ImportWorkbench.list_batches": of_community(before_id=None, limit=5),
    "MeterLists.list_meters": of_community(),
    "MeterLists.list_unread": of_community(
        kind=MeterKind.COLD_WATER, month=Span(date(2026, 11, 1), date(2026, 12, 1))
    ),
    "ReconciliationCases.list_cases": lambda _row: {},
    "StaffTasks.list_open": lambda _row: {},
}
"""What answers with a list, in which nothing may be of another's scope."""
REVIEWED = {
    "EquipmentDocuments.add": "needs a file handed in: tests/services/equipment",
    "EquipmentFailures.list_failing": "none of the world fails: tests/services/maintenance",
    "RepairDispatch.set_worker": "asks the scope of staff: tests/services/repairs/test_rotation.py",
    "RepairIncidents.merge": "needs two: tests/services/repairs/test_incidents.py",
    "RepairIncidents.suggest": "needs two: tests/services/repairs/test_incidents.py",
    "BillFindings.tick": "looks for a batch under review, of which the world has none",
    "AuditChain.check_and_tell": "of the whole company: see below",
    "AuditChain.verify": "of the whole company: see below",
    "ChangeHistory.write": "writes what list_changes tells: tests/services/test_history.py",
    "FileDesk.take_photo": "files are of whoever hands them in: tests/services/files",
    "FileDesk.take_document": "files are of whoever hands them in: tests/services/files",
    "Doctor.examine": "tells of the machine",
    "Estate.add_community": "makes a community: whole company only, see below",
    "CommunityRegister.show": "whoever works in a building of it may see it: see below",
    "Estate.show_community": "by code: see below",
    "MeterLists.find_community": "by code: see below",
    "HouseOwnerImport.carry_out": "takes a workbook: tests/services/imports",
    "HouseOwnerImport.check": "takes a workbook: tests/services/imports",
    "HouseOwnerImport.foresee": "called with what the workbench read",
    "HouseOwnerImport.write": "called with what the workbench read",
    "ImportWork.mark_problems": "called with what the workbench read",
    "ImportWorkbench.error_file": "needs a file: tests/services/imports",
    "ImportWorkbench.find_community": "by code: tests/services/imports",
    "ImportWorkbench.upload": "takes a workbook: tests/services/imports",
    "ImportWorkbench.write_template": "holds no data",
    "NameLetters.fill": "fills what is derived from names, and tells a count",
    "MeterReadingImport.foresee": "called with what the workbench read",
    "MeterReadingImport.write": "called with what the workbench read",
    "ParkingSpaceImport.carry_out": "takes a workbook: tests/services/imports",
    "ParkingSpaceImport.check": "takes a workbook: tests/services/imports",
    "ParkingSpaceImport.foresee": "called with what the workbench read",
    "ParkingSpaceImport.write": "called with what the workbench read",
    "OwnerPasswords.hand_out": "an account is of a phone, of no community",
    "RoleGrants.grant": "asks the scope of staff: tests/services/staff",
    "RoleGrants.list_open": "asks the scope of staff: tests/services/staff",
    "RoleGrants.refuse": "asks the scope of staff: tests/services/staff",
    "StaffAccounts.change_role": "asks the scope of staff: tests/services/staff",
    "StaffAccounts.change_scope": "asks the scope of whoever gives one: tests/services/staff",
    "StaffAccounts.disable": "asks the scope of staff: tests/services/staff",
    "StaffAccounts.edit": "asks the scope of staff: tests/services/staff",
    "StaffAccounts.enable": "asks the scope of staff: tests/services/staff",
    "StaffAccounts.find_id": "asks the scope of staff: tests/services/staff",
    "StaffAccounts.reset_password": "asks the scope of staff: tests/services/staff",
    "StaffSessions.change_password": "one's own",
    "StaffSessions.end_all_own": "one's own",
    "StaffSessions.end_own": "one's own",
    "StaffSessions.list_own": "one's own",
    "StaffSessions.reauthenticate": "one's own",
    "StaffSessions.sign_out": "one's own",
    "StaffTotp.confirm": "one's own",
    "StaffTotp.offer": "one's own",
    "StaffTotp.switch_off": "one's own",
    "MeterReadingImport.carry_out": "takes a workbook: tests/services/imports",
    "MeterReadingImport.check": "takes a workbook: tests/services/imports",
    "Ledger.check_and_tell": "tells of the whole ledger",
    "Ledger.verify": "tells of the whole ledger",
    "MerchantAccounts.assign": "needs an account of ours: see below",
    "PaymentLife.ask_now": "asks the platform: same step as PaymentLife.show, see below",
    "Reconciliation.run": "of the whole company: see below",
    "Reconciliation.run_due": "of the whole company: see below",
    "Reports.write": "writes what was reported before",
    "Retention.count_due": "of the whole company: see below",
    "StaffAccounts.create": "asks the scope of staff: tests/services/staff",
    "StaffAccounts.list_all": "asks the scope of staff: tests/services/staff",
    "StaffTokens.create": "asks the scope of staff: tests/services/test_staff_tokens.py",
    "StaffTokens.list_tokens": "asks the scope of staff: tests/services/test_staff_tokens.py",
    "StaffTokens.revoke": "asks the scope of staff: tests/services/test_staff_tokens.py",
}

PERMISSIONS = frozenset(Permission)


class Rows:
    """The ids of the world's rows."""

    def __init__(self, database, more):
        self.__dict__.update(more)
        for name, sql in {
            "community": "SELECT min(id) FROM community",
            "building": "SELECT min(id) FROM building",
            "building_name": "SELECT name FROM building ORDER BY id LIMIT 1",
            "house": "SELECT min(id) FROM house",
            "label": (
                "SELECT building.name || unit_no || '单元' || room_no FROM house"
                " JOIN building ON building.id = building_id ORDER BY house.id LIMIT 1"
            ),
            "notice": "SELECT min(id) FROM notice",
            "batch": "SELECT min(id) FROM bill_batch",
            "item": "SELECT min(id) FROM fee_item",
            "bill": "SELECT min(id) FROM bill",
            "bill_no": "SELECT bill_no FROM bill ORDER BY id LIMIT 1",
            "payment": "SELECT id FROM payment WHERE out_trade_no = 'P1'",
            "approval_request": "SELECT min(id) FROM approval_request WHERE state = 'requested'",
            **{
                table: f"SELECT min(id) FROM {table}"
                for table in (
                    "cashier_shift",
                    "deposit",
                    "discount_rule",
                    "equipment",
                    "maintenance_plan",
                    "maintenance_task",
                    "maintenance_template",
                    "binding_application",
                    "car",
                    "parking_space",
                    "house_binding",
                    "house_person",
                    "house_transfer",
                    "import_batch",
                    "meter",
                    "one_off_charge",
                    "owner",
                    "owner_phone",
                    "prepaid_account",
                    "reconciliation_case",
                    "repair_incident",
                    "repair_order",
                    "share_pool",
                    "staff_task",
                )
            },
        }.items():
            setattr(self, name, database.value(sql))


@pytest.fixture
def rows(services, world):  # noqa: F811
    """The world and a neighbour of each kind; emptied before the ledger is verified."""
    world.do("UPDATE staff_task SET community_id = (SELECT min(id) FROM community)")
    world.do("UPDATE reconciliation_case SET community_id = (SELECT min(id) FROM community)")
    world.do(
        "INSERT INTO audit_entry (at, actor_kind, actor_name, action, subject_type, subject_id,"
        " community_id, facts, request_id) SELECT now(), 'staff', 'x', 'bill_waived', 'bill', id,"
        " community_id, '{}', '' FROM bill"
    )
    with world.session() as session:
        community_id = world.value("SELECT min(id) FROM community")
        beside = factories.make_building(session, community=_of(session, community_id), name="9栋")
        more = {
            "other_community": factories.make_community(session, code="OTH", name="别处").id,
            "other_building": beside.id,
            "actor": factories.make_staff(session, login_name="scoped", name="范围").id,
            "one_off_item": factories.make_item(
                session,
                community=_of(session, community_id),
                code="ONE",
                charge_method="one_off",
                price=None,
            ).id,
            "share_item": factories.make_item(
                session,
                community=_of(session, community_id),
                code="SHA",
                charge_method="share",
                price=None,
            ).id,
        }
    world.do("UPDATE binding_application SET house_id = (SELECT min(id) FROM house)")
    world.do("UPDATE import_batch SET sheet = '房屋业主'")
    world.do(
        "UPDATE repair_order SET state = 'in_progress', assignee_staff_id = :id", id=more["actor"]
    )
    world.do("UPDATE repair_pause SET ended_at = started_at")
    world.do("UPDATE repair_quote SET state = 'refused', decided_at = now()")
    world.do("UPDATE cashier_shift SET staff_id = :id", id=more["actor"])
    world.do("UPDATE approval_request SET bill_id = (SELECT min(id) FROM bill)")
    yield Rows(world, more)
    world.empty()


def _of(session, community_id):
    return session.get(factories.Community, community_id)


def somebody(rows, scope):
    return Actor(ActorKind.STAFF, rows.actor, "范围", PERMISSIONS, role=Role.MANAGER, scope=scope)


def elsewhere(rows):
    return DataScope(frozenset({rows.other_community}))


def beside(rows):
    return DataScope(frozenset(), frozenset({rows.community}), frozenset({rows.other_building}))


def within(rows):
    return DataScope(frozenset(), frozenset({rows.community}), frozenset({rows.building}))


def call(services, name, actor, values):
    kind, method = name.split(".")
    for capability in vars(services).values():
        if type(capability).__name__ == kind:
            return getattr(capability, method)(actor=actor, **values)
    raise AssertionError(name)


def outcome(services, name, actor, values):
    """What somebody is answered: the refusal, or None."""
    try:
        call(services, name, actor, values)
    except (PropertyError, KeyError) as refusal:
        # The world's receipt is an empty one: whoever gets as far as to draw it has found it.
        return refusal
    return None


@pytest.fixture
def nothing_changes(world):  # noqa: F811
    """Look at the end whether any row came, went or changed."""

    def picture():
        tables = world.rows(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            " AND tablename <> 'alembic_version' ORDER BY 1"
        )
        return {
            one["tablename"]: world.value(
                f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), ''))"
                f" FROM {one['tablename']} t"
            )
            for one in tables
        }

    return picture


NAMES = {"label", "name", "house", "bill_no", "meter_no"}
"""Where a name is asked for, the answer repeats it."""
STRANGE = {**WHOLE, **OF_A_HOUSE}


class TestScope:
    def test_every_use_case_of_staff_is_tried_or_reviewed(self):
        of_staff = {
            name
            for name, kind, function in USE_CASES
            if "actor" in inspect.signature(function).parameters
            and not any(f"Permission.{one.name}" in _source(kind, function) for one in NO_STAFF)
        }

        assert of_staff == {*STRANGE, *LISTS, *REVIEWED}

    @pytest.mark.parametrize("name", sorted(STRANGE))
    def test_somebody_of_the_whole_company_finds_it(self, services, rows, name):
        found = outcome(services, name, somebody(rows, EVERYWHERE), STRANGE[name](rows))

        assert not isinstance(found, NotFound), found

    @pytest.mark.parametrize("name", sorted(OF_A_HOUSE))
    def test_somebody_of_the_building_finds_its_houses(self, services, rows, name):
        found = outcome(services, name, somebody(rows, within(rows)), STRANGE[name](rows))

        assert not isinstance(found, NotFound), found

    @pytest.mark.parametrize("name", sorted(WHOLE))
    def test_somebody_of_one_building_has_not_the_whole(
        self, services, rows, nothing_changes, name
    ):
        before = nothing_changes()

        found = outcome(services, name, somebody(rows, within(rows)), STRANGE[name](rows))

        assert isinstance(found, NotFound), found
        assert nothing_changes() == before

    @pytest.mark.parametrize("scope", [elsewhere, beside])
    @pytest.mark.parametrize("name", sorted(STRANGE))
    def test_out_of_scope_answers_as_what_is_not_there(
        self, services, rows, nothing_changes, name, scope
    ):
        actor = somebody(rows, scope(rows))
        values = STRANGE[name](rows)
        before = nothing_changes()

        found = outcome(services, name, actor, values)

        assert isinstance(found, NotFound), found
        missing = outcome(services, name, actor, _missing(values))
        assert (type(found), found.code) == (type(missing), missing.code)
        if not NAMES & set(values):
            assert found.message == missing.message
        assert nothing_changes() == before

    @pytest.mark.parametrize("scope", [elsewhere, beside])
    @pytest.mark.parametrize("name", sorted(LISTS))
    def test_lists_hold_nothing_of_another_scope(self, services, rows, name, scope):
        values = LISTS[name](rows)

        everything = call(services, name, somebody(rows, EVERYWHERE), values)
        try:
            found = call(services, name, somebody(rows, scope(rows)), values)
        except NotFound:
            found = []

        assert everything
        if name == "Estate.list_communities":
            own = {rows.other_community} if scope is elsewhere else {rows.community}
            assert {one.id for one in found} == own
        elif name == "BuildingLists.list_buildings":
            own = {rows.other_building} if scope is beside else set()
            assert {one.id for one in found} == own
        else:
            assert not found

    def test_a_communitys_code_opens_nothing_elsewhere(self, services, rows):
        code = services.estate.list_communities(actor=somebody(rows, EVERYWHERE))[0].code

        for capability, method in (
            (services.estate, "show_community"),
            (services.meter_lists, "find_community"),
        ):
            with pytest.raises(NotFound, match="没有编号或名称为"):
                getattr(capability, method)(actor=somebody(rows, elsewhere(rows)), code=code)
            assert getattr(capability, method)(actor=somebody(rows, within(rows)), code=code)

    def test_a_community_is_shown_to_whoever_works_in_it(self, services, rows):
        show = services.community_register.show

        with pytest.raises(NotFound):
            show(actor=somebody(rows, elsewhere(rows)), community_id=rows.community)
        for scope in (EVERYWHERE, within(rows), beside(rows)):
            shown = show(actor=somebody(rows, scope), community_id=rows.community)
            assert shown.id == rows.community

    def test_what_concerns_no_community_is_for_the_whole_company(self, services, rows):
        actor = somebody(rows, elsewhere(rows))

        for name, values in {
            "AuditChain.check_and_tell": {},
            "AuditChain.verify": {},
            "Estate.add_community": {"code": "NEW", "name": "新"},
            "Reconciliation.run": {"channel": "wechat", "mchid": "m", "day": MONTH},
            "Reconciliation.run_due": {},
            "PaymentLife.show": {"number": "P1"},
            "Retention.count_due": {},
            "PaymentLife.ask_now": {"number": "P1"},
        }.items():
            assert isinstance(outcome(services, name, actor, values), NotFound), name

    def test_a_merchant_account_is_not_given_elsewhere(self, services, rows):
        values = {"community_id": rows.community, "channel": "wechat", "mchid": "m"}

        found = outcome(
            services, "MerchantAccounts.assign", somebody(rows, elsewhere(rows)), values
        )

        assert isinstance(found, NotFound)


def _missing(values):
    """The same question about rows that nobody has."""
    nowhere = 999_999_999
    changed = {
        key: nowhere if key.endswith("_id") and isinstance(value, int) else value
        for key, value in values.items()
    }
    if "which" in changed and isinstance(changed["which"], ReportFilter):
        changed["which"] = ReportFilter(nowhere, SPAN)
    return changed


def _source(kind, function):
    private = [
        inspect.getsource(other)
        for name, other in inspect.getmembers(kind, inspect.isfunction)
        if name.startswith("_") and f"self.{name}(" in inspect.getsource(function)
    ]
    return inspect.getsource(function) + "".join(private)
