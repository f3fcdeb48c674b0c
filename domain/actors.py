"""Who acts, on which data, and what they may do of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from domain.errors import NotAllowed, NotFound
from domain.permissions import MONEY_ROLES as MONEY_ROLES
from domain.permissions import ROLE_PERMISSIONS as ROLE_PERMISSIONS
from domain.permissions import ROLE_SHOWN as ROLE_SHOWN
from domain.permissions import Permission as Permission
from domain.permissions import Role as Role

_OWN_SESSION = frozenset({Permission.MANAGE_OWN_SESSION, Permission.MANAGE_OWN_STAFF_SESSION})


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
    may = frozenset(
        {
            Permission.SIGN_IN,
            Permission.PAY_AT_DOOR,
            Permission.VERIFY_RECEIPT,
            Permission.SCAN_EQUIPMENT,
            Permission.FOLLOW_FILE_LINKS,
        }
    )
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
            Permission.SIGN_IN,
            Permission.MANAGE_OWN_SESSION,
            Permission.VIEW_OWN_BILLS,
            Permission.PAY_OWN_BILLS,
            Permission.VERIFY_RECEIPT,
            Permission.MANAGE_OWN_BINDINGS,
            Permission.MANAGE_OWN_PRIVACY,
            Permission.SCAN_EQUIPMENT,
            Permission.REPORT_REPAIRS,
            Permission.HAND_IN_FILES,
            Permission.VIEW_NOTICES,
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
        permissions=actor.permissions | {Permission.MANAGE_OWN_STAFF_SESSION},
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
    may = frozenset({Permission.RUN_PLATFORM_WORK, Permission.CHECK_LEDGER, Permission.RECONCILE})
    return Actor(ActorKind.SYSTEM, None, name, may, request_id)


def operator(request_id: str = "") -> Actor:
    """Whoever holds the machine's shell: sets a community up and checks the ledger.

    Bills are made and reviewed by members of staff only: a batch names two of them.
    """
    may = frozenset(
        {
            Permission.MANAGE_STAFF,
            Permission.HAND_OUT_OWNER_ACCOUNTS,
            Permission.CHECK_LEDGER,
            Permission.VIEW_HISTORY,
            Permission.VIEW_ESTATE,
            Permission.MANAGE_ESTATE,
            Permission.IMPORT_OWNERS,
            Permission.VIEW_OWNERS,
            Permission.MANAGE_OWNERS,
            Permission.REVEAL_PHONES,
            Permission.MANAGE_FEES,
            Permission.MANAGE_METERS,
            Permission.READ_METERS,
            Permission.VIEW_HOUSE_MONEY,
            Permission.VIEW_REPORTS,
            Permission.RECONCILE,
            Permission.VIEW_PRIVACY_REQUESTS,
        }
    )
    return Actor(ActorKind.SYSTEM, None, "命令行", may, request_id)
