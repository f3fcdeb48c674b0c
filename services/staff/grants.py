"""Roles with power over money: one administrator asks, somebody else grants or refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import aliased

from domain.actors import Actor, Permission, Role, staff_id_of
from domain.errors import Conflict, NotFound
from models import RoleGrant, Staff
from services.approvals.decisions import AlreadyDecided, RequesterIsApprover
from services.audit import record
from services.scopes import staff_in_scope
from services.staff.rows import end_sessions
from services.unit_of_work import Transaction, UnitOfWork


class GrantPending(Conflict):
    """A role was asked for already and is not decided."""

    code = "grant_pending"
    message = "这名员工已有一个角色申请等待审批"


@dataclass(frozen=True, slots=True)
class GrantView:
    """A role that waits for a decision."""

    id: int
    staff_id: int
    login_name: str
    name: str
    role: Role
    requested_by: str
    requested_at: datetime


def ask_for_role(tx: Transaction, actor: Actor, staff: Staff, role: Role, *, opens: bool) -> int:
    """Write that a locked member of staff should get a role; return the grant's id.

    Raises:
        GrantPending: one was asked for already.
    """
    pending = exists().where(RoleGrant.staff_id == staff.id, RoleGrant.state == "requested")
    if tx.session.execute(select(pending)).scalar_one():
        raise GrantPending
    grant = RoleGrant(
        staff_id=staff.id,
        role=role,
        state="requested",
        opens_account=opens,
        requested_by_staff_id=staff_id_of(actor),
        requested_at=tx.now,
    )
    tx.session.add(grant)
    tx.session.flush()
    _note(tx, actor, "staff_role_asked", grant)
    return grant.id


@dataclass(frozen=True)
class RoleGrants:
    """What waits for a second person."""

    unit_of_work: UnitOfWork

    def list_open(self, *, actor: Actor) -> Sequence[GrantView]:
        """List the roles that wait for a decision and are in scope, oldest first."""
        actor.must(Permission.APPROVE_ROLES)
        asker = aliased(Staff)
        with self.unit_of_work.reading() as session:
            rows = session.execute(
                select(RoleGrant, Staff, asker.name)
                .join(Staff, Staff.id == RoleGrant.staff_id)
                .join(asker, asker.id == RoleGrant.requested_by_staff_id)
                .where(RoleGrant.state == "requested", staff_in_scope(actor))
                .order_by(RoleGrant.id)
            ).all()
            return [
                GrantView(
                    id=grant.id,
                    staff_id=staff.id,
                    login_name=staff.login_name,
                    name=staff.name,
                    role=Role(grant.role),
                    requested_by=asked_by,
                    requested_at=grant.requested_at,
                )
                for grant, staff, asked_by in rows
            ]

    def grant(self, *, actor: Actor, grant_id: int) -> None:
        """Give the role; the sessions of before end, and an account made for it opens.

        Raises:
            NotFound: no such grant in scope.
            RequesterIsApprover: by whoever asked, or whose role it is.
            AlreadyDecided: decided before.
        """
        actor.must(Permission.APPROVE_ROLES)
        actor.must_be_fresh()

        def work(tx: Transaction) -> None:
            grant, staff = _take(tx, actor, grant_id, "granted")
            _note(tx, actor, "staff_role_granted", grant, before=staff.role)
            staff.role = grant.role
            staff.is_active = staff.is_active or grant.opens_account
            end_sessions(tx, staff.id)

        self.unit_of_work.run(work)

    def refuse(self, *, actor: Actor, grant_id: int) -> None:
        """Leave everything as it is.

        Raises:
            NotFound, RequesterIsApprover, AlreadyDecided: as for `grant`.
        """
        actor.must(Permission.APPROVE_ROLES)
        actor.must_be_fresh()

        def work(tx: Transaction) -> None:
            grant, _ = _take(tx, actor, grant_id, "refused")
            _note(tx, actor, "staff_role_refused", grant)

        self.unit_of_work.run(work)


def _take(tx: Transaction, actor: Actor, grant_id: int, state: str) -> tuple[RoleGrant, Staff]:
    grant = tx.session.execute(
        select(RoleGrant).where(RoleGrant.id == grant_id).with_for_update()
    ).scalar_one_or_none()
    if grant is None:
        raise NotFound
    staff = tx.session.execute(
        select(Staff).where(Staff.id == grant.staff_id, staff_in_scope(actor)).with_for_update()
    ).scalar_one_or_none()
    if staff is None:
        raise NotFound
    decider = staff_id_of(actor)
    if decider in (grant.requested_by_staff_id, grant.staff_id):
        raise RequesterIsApprover
    if grant.state != "requested":
        raise AlreadyDecided
    grant.state, grant.decided_by_staff_id, grant.decided_at = state, decider, tx.now
    return grant, staff


def _note(tx: Transaction, actor: Actor, action: str, grant: RoleGrant, **facts: str) -> None:
    record(
        tx,
        actor,
        action,
        subject_type="staff",
        subject_id=grant.staff_id,
        facts={"grant_id": grant.id, "role": grant.role, **facts},
    )
