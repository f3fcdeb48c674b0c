"""Who acts, and what each role may do. Deny is the default."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from domain.errors import NotAllowed, NotFound


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
_OWN_SESSION = frozenset({_P.MANAGE_OWN_SESSION, _P.MANAGE_OWN_STAFF_SESSION})
ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.ADMINISTRATOR: frozenset(
        {
            _P.MANAGE_STAFF,
            _P.APPROVE_ROLES,
            _P.HAND_OUT_OWNER_ACCOUNTS,
            _P.MANAGE_ESTATE,
            _P.VIEW_ESTATE,
        }
    ),
    Role.MANAGER: frozenset(
        {
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
        }
    ),
    Role.CASHIER: frozenset(
        {_P.VIEW_ESTATE, _P.TAKE_MONEY, _P.PRINT_RECEIPTS, _P.VIEW_HOUSE_MONEY}
    ),
    Role.CUSTOMER_SERVICE: frozenset(
        {
            _P.VIEW_ESTATE,
            _P.IMPORT_OWNERS,
            _P.HAND_OUT_OWNER_ACCOUNTS,
            _P.READ_METERS,
            _P.REQUEST_MONEY_OUT,
            _P.VIEW_HOUSE_MONEY,
        }
    ),
    Role.ENGINEER: frozenset({_P.READ_METERS}),
    Role.AUDITOR: frozenset(
        {_P.VIEW_ESTATE, _P.CHECK_LEDGER, _P.VIEW_HOUSE_MONEY, _P.VIEW_REPORTS}
    ),
}


class PasswordChangeNeeded(NotAllowed):
    """The password was given by somebody else: nothing else goes before it is changed."""

    code = "password_change_needed"
    message = "请先设置新密码"


class TotpSetupNeeded(NotAllowed):
    """The role must have a second factor: nothing else goes before it is set up."""

    code = "totp_setup_needed"
    message = "请先开通动态验证码"


class ReauthenticationNeeded(NotAllowed):
    """The act gives money or power away, and the password was given too long ago or is a key."""

    code = "reauthentication_needed"
    message = "请重新输入密码后再操作"


class MustFirst(StrEnum):
    """What somebody who is signed in must do before anything else."""

    CHANGE_PASSWORD = "change_password"  # noqa: S105 - no password
    SET_UP_TOTP = "set_up_totp"


class ActorKind(StrEnum):
    """What kind of somebody acts."""

    VISITOR = "visitor"
    OWNER = "owner"
    STAFF = "staff"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class DataScope:
    """Which communities, and of some only which buildings, a member of staff works for.

    ``community_ids`` is None for the whole company. Of ``part_community_ids`` only the houses of
    ``building_ids`` are in scope, and nothing that concerns the whole community.
    """

    community_ids: frozenset[int] | None = None
    part_community_ids: frozenset[int] = frozenset()
    building_ids: frozenset[int] = frozenset()

    def covers(self, community_id: int | None) -> bool:
        """Tell whether all of a community is in scope; of no community: the whole company."""
        return self.community_ids is None or community_id in self.community_ids

    def reaches(self, community_id: int | None) -> bool:
        """Tell whether at least a building of a community is in scope."""
        return self.covers(community_id) or community_id in self.part_community_ids


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
    is_fresh: bool = True
    """Proved who they are a moment ago; whoever sits at the machine's shell always does."""
    must_first: MustFirst | None = None
    """What goes before everything but one's own session."""
    session_id: int | None = None
    """The session of a member of staff who is signed in; none at the shell or with a key."""

    def must(self, permission: Permission) -> None:
        """Refuse unless the actor holds the permission.

        Raises:
            NotAllowed: they do not.
            PasswordChangeNeeded, TotpSetupNeeded: that goes first.
        """
        if permission not in self.permissions:
            raise NotAllowed(permission=permission)
        if permission in _OWN_SESSION:
            return
        if self.must_first is MustFirst.CHANGE_PASSWORD:
            raise PasswordChangeNeeded
        if self.must_first is MustFirst.SET_UP_TOTP:
            raise TotpSetupNeeded

    def must_be_fresh(self) -> None:
        """Refuse unless the actor proved who they are a moment ago.

        Raises:
            ReauthenticationNeeded: the session is older, or it is a key of a program.
        """
        if not self.is_fresh:
            raise ReauthenticationNeeded

    def must_cover(self, community_id: int | None) -> None:
        """Refuse what concerns a community, or none, that is not in scope as a whole.

        Raises:
            NotFound: out of scope answers exactly as what does not exist.
        """
        if not self.scope.covers(community_id):
            raise NotFound

    def must_reach(self, community_id: int | None) -> None:
        """Refuse a community of which nothing is in scope; its houses are asked for themselves.

        Raises:
            NotFound: out of scope answers exactly as what does not exist.
        """
        if not self.scope.reaches(community_id):
            raise NotFound

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


def owner_actor(
    *,
    account_id: int,
    request_id: str = "",
    openid: str = "",
    must_first: MustFirst | None = None,
) -> Actor:
    """An owner who is signed in."""
    may = frozenset(
        {
            _P.SIGN_IN,
            _P.MANAGE_OWN_SESSION,
            _P.VIEW_OWN_BILLS,
            _P.PAY_OWN_BILLS,
            _P.VERIFY_RECEIPT,
        }
    )
    return Actor(
        ActorKind.OWNER,
        account_id,
        f"账号{account_id}",
        may,
        request_id,
        openid,
        must_first=must_first,
    )


def staff_actor(
    *, staff_id: int, name: str, role: Role, scope: DataScope, request_id: str = ""
) -> Actor:
    """A member of staff with the permissions of their role, within their data scope."""
    may = ROLE_PERMISSIONS[role]
    return Actor(ActorKind.STAFF, staff_id, name, may, request_id, role=role, scope=scope)


def signed_in_staff(
    actor: Actor, *, session_id: int, is_fresh: bool, must_first: MustFirst | None
) -> Actor:
    """Make of a member of staff somebody who acts through a session of theirs."""
    return replace(
        actor,
        permissions=actor.permissions | {_P.MANAGE_OWN_STAFF_SESSION},
        session_id=session_id,
        is_fresh=is_fresh,
        must_first=must_first,
    )


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
            _P.HAND_OUT_OWNER_ACCOUNTS,
            _P.CHECK_LEDGER,
            _P.VIEW_ESTATE,
            _P.MANAGE_ESTATE,
            _P.IMPORT_OWNERS,
            _P.MANAGE_FEES,
            _P.MANAGE_METERS,
            _P.READ_METERS,
            _P.VIEW_HOUSE_MONEY,
            _P.VIEW_REPORTS,
            _P.RECONCILE,
        }
    )
    return Actor(ActorKind.SYSTEM, None, "命令行", may, request_id)
