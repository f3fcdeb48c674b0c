"""Staff accounts, as far as the command line needs them to say who acts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from domain.actors import Actor, Permission, Role, staff_actor
from domain.errors import Conflict, InvalidInput, NotFound
from models import Staff
from services.audit import record
from services.scopes import scope_of
from services.unit_of_work import Transaction, UnitOfWork, violates


class LoginNameTaken(Conflict):
    """Another member of staff has the login name."""

    code = "login_name_taken"
    message = "登录名已被使用"


@dataclass(frozen=True, slots=True)
class StaffView:
    """A member of staff, as far as one must know them to say who acts."""

    login_name: str
    name: str
    role: Role
    is_active: bool


@dataclass(frozen=True)
class StaffAccounts:
    """Who works here and in which role."""

    unit_of_work: UnitOfWork

    def create(self, *, actor: Actor, login_name: str, name: str, role: Role) -> int:
        """Hand out an account and return its id; login names are case-sensitive.

        Raises:
            LoginNameTaken: the login name is in use.
            InvalidInput: a name is empty or too long.
        """
        actor.must(Permission.MANAGE_STAFF)
        fields: dict[str, list[str]] = {}
        if not (1 <= len(login_name) <= 40 and login_name.isprintable()) or " " in login_name:
            fields["login_name"] = ["请填写登录名，40 字以内，不含空格"]
        if not 1 <= len(name.strip()) <= 40:
            fields["name"] = ["请填写姓名，40 字以内"]
        if fields:
            raise InvalidInput(fields=fields)

        def work(tx: Transaction) -> int:
            staff = Staff(login_name=login_name, name=name.strip(), role=role, created_at=tx.now)
            tx.session.add(staff)
            tx.session.flush()
            record(
                tx,
                actor,
                "staff_created",
                subject_type="staff",
                subject_id=staff.id,
                facts={"login_name": login_name, "role": role},
            )
            return staff.id

        try:
            return self.unit_of_work.run(work)
        except IntegrityError as error:
            if violates(error, "uq_staff_login_name"):
                raise LoginNameTaken from error
            raise

    def list_all(self, *, actor: Actor) -> Sequence[StaffView]:
        """List everybody who has an account, by login name."""
        actor.must(Permission.MANAGE_STAFF)
        with self.unit_of_work.reading() as session:
            rows = session.execute(
                select(Staff.login_name, Staff.name, Staff.role, Staff.is_active).order_by(
                    Staff.login_name
                )
            ).all()
        return [StaffView(row.login_name, row.name, Role(row.role), row.is_active) for row in rows]

    def act_as(self, *, login_name: str, request_id: str = "") -> Actor:
        """Become a member of staff at the machine's own shell.

        Raises:
            NotFound: nobody active has this login name.
        """
        with self.unit_of_work.reading() as session:
            staff = session.execute(
                select(Staff).where(Staff.login_name == login_name, Staff.is_active)
            ).scalar_one_or_none()
            if staff is None:
                raise NotFound(f"没有登录名为 {login_name} 的员工，可用 flask staff create 添加")
            scope = scope_of(session, staff_id=staff.id, sees_all=staff.sees_all)
        return staff_actor(
            staff_id=staff.id,
            name=staff.name,
            role=Role(staff.role),
            scope=scope,
            request_id=request_id,
        )
