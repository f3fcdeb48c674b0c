"""What may be done, and what each role may do. Deny is the default."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """One thing that a use-case asks for."""

    SIGN_IN = "sign_in"
    MANAGE_OWN_SESSION = "manage_own_session"
    VIEW_OWN_BILLS = "view_own_bills"
    PAY_OWN_BILLS = "pay_own_bills"
    PAY_AT_DOOR = "pay_at_door"
    RUN_PLATFORM_WORK = "run_platform_work"
    CHECK_LEDGER = "check_ledger"
    VIEW_HISTORY = "view_history"
    VIEW_ESTATE = "view_estate"
    MANAGE_STAFF = "manage_staff"
    APPROVE_ROLES = "approve_roles"
    MANAGE_OWN_STAFF_SESSION = "manage_own_staff_session"
    HAND_OUT_OWNER_ACCOUNTS = "hand_out_owner_accounts"
    MANAGE_ESTATE = "manage_estate"
    IMPORT_OWNERS = "import_owners"
    MANAGE_FEES = "manage_fees"
    GENERATE_BILLS = "generate_bills"
    REVIEW_BILLS = "review_bills"
    PUBLISH_BILLS = "publish_bills"
    VOID_BILLS = "void_bills"
    MANAGE_METERS = "manage_meters"
    READ_METERS = "read_meters"
    TAKE_MONEY = "take_money"
    BACKDATE_MONEY = "backdate_money"
    REVERSE_MONEY = "reverse_money"
    TAKE_OVER_SHIFT = "take_over_shift"
    PRINT_RECEIPTS = "print_receipts"
    VERIFY_RECEIPT = "verify_receipt"
    MOVE_PREPAID = "move_prepaid"
    REQUEST_MONEY_OUT = "request_money_out"
    APPROVE_MONEY_OUT = "approve_money_out"
    VIEW_HOUSE_MONEY = "view_house_money"
    VIEW_REPORTS = "view_reports"
    RECONCILE = "reconcile"
    VIEW_OWNERS = "view_owners"
    MANAGE_OWNERS = "manage_owners"
    REVEAL_PHONES = "reveal_phones"
    TRANSFER_HOUSES = "transfer_houses"
    REVIEW_BINDINGS = "review_bindings"
    MANAGE_OWN_BINDINGS = "manage_own_bindings"
    MANAGE_OWN_PRIVACY = "manage_own_privacy"
    VIEW_PRIVACY_REQUESTS = "view_privacy_requests"
    SCAN_EQUIPMENT = "scan_equipment"
    VIEW_EQUIPMENT = "view_equipment"
    MANAGE_EQUIPMENT = "manage_equipment"
    PLAN_MAINTENANCE = "plan_maintenance"
    DO_MAINTENANCE = "do_maintenance"
    APPROVE_MAINTENANCE = "approve_maintenance"
    REPORT_REPAIRS = "report_repairs"
    OPEN_REPAIRS = "open_repairs"
    VIEW_REPAIRS = "view_repairs"
    DISPATCH_REPAIRS = "dispatch_repairs"
    WORK_REPAIRS = "work_repairs"
    MANAGE_REPAIRS = "manage_repairs"
    HAND_IN_FILES = "hand_in_files"
    HAND_IN_DOCUMENTS = "hand_in_documents"
    FOLLOW_FILE_LINKS = "follow_file_links"
    VIEW_NOTICES = "view_notices"
    MANAGE_NOTICES = "manage_notices"
    PUBLISH_NOTICES = "publish_notices"


class Role(StrEnum):
    """The staff roles of features.md R1.6."""

    ADMINISTRATOR = "administrator"
    MANAGER = "manager"
    FINANCE = "finance"
    CASHIER = "cashier"
    CUSTOMER_SERVICE = "customer_service"
    ENGINEER = "engineer"
    AUDITOR = "auditor"


ROLE_SHOWN = {
    Role.ADMINISTRATOR: "系统管理员",
    Role.MANAGER: "经理",
    Role.FINANCE: "财务",
    Role.CASHIER: "收款员",
    Role.CUSTOMER_SERVICE: "客服",
    Role.ENGINEER: "工程",
    Role.AUDITOR: "审计",
}
MONEY_ROLES = frozenset({Role.ADMINISTRATOR, Role.MANAGER, Role.FINANCE, Role.CASHIER})
"""Roles that take or give money, or that make those who do: two people hand them out."""
_P = Permission
ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.ADMINISTRATOR: frozenset(
        {
            _P.VIEW_HISTORY,
            _P.MANAGE_STAFF,
            _P.APPROVE_ROLES,
            _P.HAND_OUT_OWNER_ACCOUNTS,
            _P.MANAGE_ESTATE,
            _P.VIEW_ESTATE,
            _P.VIEW_PRIVACY_REQUESTS,
        }
    ),
    Role.MANAGER: frozenset(
        {
            _P.VIEW_HISTORY,
            _P.APPROVE_ROLES,
            _P.VIEW_ESTATE,
            _P.MANAGE_ESTATE,
            _P.IMPORT_OWNERS,
            _P.MANAGE_FEES,
            _P.GENERATE_BILLS,
            _P.REVIEW_BILLS,
            _P.PUBLISH_BILLS,
            _P.VOID_BILLS,
            _P.MANAGE_METERS,
            _P.READ_METERS,
            _P.REVERSE_MONEY,
            _P.TAKE_OVER_SHIFT,
            _P.PRINT_RECEIPTS,
            _P.MOVE_PREPAID,
            _P.REQUEST_MONEY_OUT,
            _P.APPROVE_MONEY_OUT,
            _P.VIEW_HOUSE_MONEY,
            _P.VIEW_REPORTS,
            _P.RECONCILE,
            _P.VIEW_OWNERS,
            _P.MANAGE_OWNERS,
            _P.REVEAL_PHONES,
            _P.TRANSFER_HOUSES,
            _P.REVIEW_BINDINGS,
            _P.MANAGE_NOTICES,
            _P.PUBLISH_NOTICES,
            _P.VIEW_PRIVACY_REQUESTS,
            _P.VIEW_EQUIPMENT,
            _P.MANAGE_EQUIPMENT,
            _P.PLAN_MAINTENANCE,
            _P.APPROVE_MAINTENANCE,
            _P.OPEN_REPAIRS,
            _P.VIEW_REPAIRS,
            _P.DISPATCH_REPAIRS,
            _P.MANAGE_REPAIRS,
            _P.HAND_IN_FILES,
            _P.HAND_IN_DOCUMENTS,
        }
    ),
    Role.FINANCE: frozenset(
        {
            _P.VIEW_HISTORY,
            _P.VIEW_ESTATE,
            _P.MANAGE_FEES,
            _P.GENERATE_BILLS,
            _P.REVIEW_BILLS,
            _P.CHECK_LEDGER,
            _P.VOID_BILLS,
            _P.MANAGE_METERS,
            _P.READ_METERS,
            _P.TAKE_MONEY,
            _P.BACKDATE_MONEY,
            _P.REVERSE_MONEY,
            _P.TAKE_OVER_SHIFT,
            _P.PRINT_RECEIPTS,
            _P.MOVE_PREPAID,
            _P.REQUEST_MONEY_OUT,
            _P.APPROVE_MONEY_OUT,
            _P.VIEW_HOUSE_MONEY,
            _P.VIEW_REPORTS,
            _P.RECONCILE,
            _P.VIEW_OWNERS,
            _P.REVEAL_PHONES,
        }
    ),
    Role.CASHIER: frozenset(
        {
            _P.VIEW_ESTATE,
            _P.TAKE_MONEY,
            _P.PRINT_RECEIPTS,
            _P.VIEW_HOUSE_MONEY,
            _P.VIEW_OWNERS,
        }
    ),
    Role.CUSTOMER_SERVICE: frozenset(
        {
            _P.VIEW_ESTATE,
            _P.IMPORT_OWNERS,
            _P.HAND_OUT_OWNER_ACCOUNTS,
            _P.READ_METERS,
            _P.REQUEST_MONEY_OUT,
            _P.VIEW_HOUSE_MONEY,
            _P.VIEW_OWNERS,
            _P.MANAGE_OWNERS,
            _P.REVEAL_PHONES,
            _P.TRANSFER_HOUSES,
            _P.MANAGE_NOTICES,
            _P.REVIEW_BINDINGS,
            _P.VIEW_EQUIPMENT,
            _P.OPEN_REPAIRS,
            _P.VIEW_REPAIRS,
            _P.DISPATCH_REPAIRS,
            _P.HAND_IN_FILES,
            _P.HAND_IN_DOCUMENTS,
        }
    ),
    Role.ENGINEER: frozenset(
        {
            _P.READ_METERS,
            _P.OPEN_REPAIRS,
            _P.WORK_REPAIRS,
            _P.VIEW_EQUIPMENT,
            _P.DO_MAINTENANCE,
            _P.HAND_IN_FILES,
            _P.HAND_IN_DOCUMENTS,
        }
    ),
    Role.AUDITOR: frozenset(
        {
            _P.VIEW_HISTORY,
            _P.VIEW_ESTATE,
            _P.CHECK_LEDGER,
            _P.VIEW_HOUSE_MONEY,
            _P.VIEW_REPORTS,
            _P.VIEW_OWNERS,
            _P.VIEW_EQUIPMENT,
            _P.VIEW_REPAIRS,
        }
    ),
}
