"""Who acts, and what each role may do. Deny is the default."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from domain.errors import NotAllowed


class Permission(StrEnum):
    """One thing that a use-case asks for."""

    SIGN_IN = "sign_in"
    MANAGE_OWN_SESSION = "manage_own_session"
    VIEW_OWN_BILLS = "view_own_bills"
    PAY_OWN_BILLS = "pay_own_bills"
    PAY_AT_DOOR = "pay_at_door"
    RUN_PLATFORM_WORK = "run_platform_work"
    CHECK_LEDGER = "check_ledger"
    VIEW_ESTATE = "view_estate"
    MANAGE_STAFF = "manage_staff"
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
_P = Permission
ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.ADMINISTRATOR: frozenset({_P.MANAGE_STAFF, _P.MANAGE_ESTATE, _P.VIEW_ESTATE}),
    Role.MANAGER: frozenset(
        {
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
        }
    ),
    Role.FINANCE: frozenset(
        {
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
            _P.READ_METERS,
            _P.REQUEST_MONEY_OUT,
            _P.VIEW_HOUSE_MONEY,
            _P.VIEW_OWNERS,
            _P.MANAGE_OWNERS,
            _P.REVEAL_PHONES,
            _P.TRANSFER_HOUSES,
            _P.REVIEW_BINDINGS,
        }
    ),
    Role.ENGINEER: frozenset({_P.READ_METERS}),
    Role.AUDITOR: frozenset(
        {
            _P.VIEW_ESTATE,
            _P.CHECK_LEDGER,
            _P.VIEW_HOUSE_MONEY,
            _P.VIEW_REPORTS,
            _P.VIEW_OWNERS,
        }
    ),
}


class ActorKind(StrEnum):
    """What kind of somebody acts."""

    VISITOR = "visitor"
    OWNER = "owner"
    STAFF = "staff"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class DataScope:
    """Which communities, and of some only which buildings, a member of staff works for.

    ``community_ids`` is None for the whole company. ``building_ids`` are of other communities:
    there only houses of these buildings are in scope, and nothing that concerns the whole.
    """

    community_ids: frozenset[int] | None = None
    building_ids: frozenset[int] = frozenset()

    def has_community(self, community_id: int | None) -> bool:
        """Tell whether all of a community is in scope; of none, only the whole company."""
        return self.community_ids is None or community_id in self.community_ids


EVERYWHERE = DataScope()


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever asks for a use-case: written to every audit row.

    ``id`` is the account for an owner, the staff row for staff, and None otherwise.
    """

    kind: ActorKind
    id: int | None
    name: str
    permissions: frozenset[Permission] = field(default_factory=frozenset)
    request_id: str = ""
    openid: str = ""
    """The mini-program's openid of the WeChat that opened an owner's session, if one did."""
    role: Role | None = None
    """The role of a member of staff."""
    scope: DataScope = EVERYWHERE
    """Which data a member of staff may touch; for others their use-cases say it."""

    def must(self, permission: Permission) -> None:
        """Refuse unless the actor holds the permission.

        Raises:
            NotAllowed: they do not.
        """
        if permission not in self.permissions:
            raise NotAllowed(permission=permission)

    @property
    def account_id(self) -> int:
        """The owner's account; every owner actor has one.

        Raises:
            NotAllowed: this actor is not an owner.
        """
        if self.kind is not ActorKind.OWNER or self.id is None:
            raise NotAllowed
        return self.id


def visitor(request_id: str = "") -> Actor:
    """Somebody who is not signed in."""
    may = frozenset({_P.SIGN_IN, _P.PAY_AT_DOOR, _P.VERIFY_RECEIPT})
    return Actor(ActorKind.VISITOR, None, "访客", may, request_id)


def owner_actor(*, account_id: int, request_id: str = "", openid: str = "") -> Actor:
    """An owner who is signed in."""
    may = frozenset(
        {
            _P.SIGN_IN,
            _P.MANAGE_OWN_SESSION,
            _P.VIEW_OWN_BILLS,
            _P.PAY_OWN_BILLS,
            _P.VERIFY_RECEIPT,
            _P.MANAGE_OWN_BINDINGS,
        }
    )
    return Actor(ActorKind.OWNER, account_id, f"账号{account_id}", may, request_id, openid)


def staff_actor(
    *, staff_id: int, name: str, role: Role, scope: DataScope, request_id: str = ""
) -> Actor:
    """A member of staff with the permissions of their role, within their data scope."""
    may = ROLE_PERMISSIONS[role]
    return Actor(ActorKind.STAFF, staff_id, name, may, request_id, role=role, scope=scope)


def staff_id_of(actor: Actor) -> int:
    """Tell which member of staff acts: requests and decisions name people.

    Raises:
        NotAllowed: nobody of the staff.
    """
    if actor.kind is not ActorKind.STAFF or actor.id is None:
        raise NotAllowed("请以员工身份操作")
    return actor.id


def system_actor(name: str, request_id: str = "") -> Actor:
    """Our own machinery: platform callbacks, sweeps, jobs and checks."""
    may = frozenset({_P.RUN_PLATFORM_WORK, _P.CHECK_LEDGER, _P.RECONCILE})
    return Actor(ActorKind.SYSTEM, None, name, may, request_id)


def operator(request_id: str = "") -> Actor:
    """Whoever holds the machine's shell: sets a community up and checks the ledger.

    Bills are made and reviewed by members of staff only: a batch names two of them.
    """
    may = frozenset(
        {
            _P.MANAGE_STAFF,
            _P.CHECK_LEDGER,
            _P.VIEW_ESTATE,
            _P.MANAGE_ESTATE,
            _P.IMPORT_OWNERS,
            _P.VIEW_OWNERS,
            _P.MANAGE_OWNERS,
            _P.REVEAL_PHONES,
            _P.MANAGE_FEES,
            _P.MANAGE_METERS,
            _P.READ_METERS,
            _P.VIEW_HOUSE_MONEY,
            _P.VIEW_REPORTS,
            _P.RECONCILE,
        }
    )
    return Actor(ActorKind.SYSTEM, None, "命令行", may, request_id)
