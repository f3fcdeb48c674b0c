"""Who is bound to which house: for owners their own houses, for staff those in scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select, update

from domain.actors import Actor, Permission
from domain.errors import NotFound
from domain.house_roles import OWNING_ROLES, Rights
from domain.periods import local_date
from models import House, HouseBinding
from services.accounts import bind_houses
from services.audit import record
from services.people.binding_rows import BindingView, owner_house_ids, present_part, read_bindings
from services.people.endings import end_bindings
from services.people.part_rows import end_part
from services.people.rows import put_rights
from services.reasons import check_reason
from services.scopes import houses_in_scope
from services.unit_of_work import Transaction, UnitOfWork


@dataclass(frozen=True)
class HouseBindings:
    """Shows, limits and ends bindings."""

    unit_of_work: UnitOfWork

    def list_own(self, *, actor: Actor) -> Sequence[BindingView]:
        """List one's own bindings, and who else is bound to houses that one owns."""
        actor.must(Permission.MANAGE_OWN_BINDINGS)
        today = local_date(self.unit_of_work.clock.now())
        with self.unit_of_work.reading() as session:
            owned = owner_house_ids(session, actor.account_id, today)
            return read_bindings(
                session,
                or_(
                    HouseBinding.account_id == actor.account_id,
                    HouseBinding.house_id.in_(owned),
                ),
                account_id=actor.account_id,
            )

    def bind_by_phone(self, *, actor: Actor) -> int:
        """Bind the houses on file for one's own phone, also those one had left; tell how many.

        What an owner or staff ended stays ended.
        """
        actor.must(Permission.MANAGE_OWN_BINDINGS)

        def work(tx: Transaction) -> int:
            tx.session.execute(
                update(HouseBinding)
                .where(
                    HouseBinding.account_id == actor.account_id,
                    HouseBinding.ended_because == "self",
                )
                .values(ended_because="")
            )
            return bind_houses(tx, actor, account_id=actor.account_id)

        return self.unit_of_work.run(work)

    def unbind(self, *, actor: Actor, binding_id: int) -> None:
        """End one's own binding, or that of family or a tenant of a house that one owns.

        What an owner ends also ends the other's part in the house, so that it stays ended.

        Raises:
            NotFound: no such binding, or it is neither.
        """
        actor.must(Permission.MANAGE_OWN_BINDINGS)

        def work(tx: Transaction) -> None:
            row = _lock_own(tx, actor, binding_id)
            is_own = row.account_id == actor.account_id
            part = present_part(tx, row.house_id, row.owner_id)
            end_bindings(
                tx,
                actor,
                HouseBinding.id == binding_id,
                because="self" if is_own else "owner",
                ends_sessions=not is_own,
            )
            today = local_date(tx.now)
            if part is not None and part.role not in OWNING_ROLES and part.person_from < today:
                end_part(tx, actor, part, today, because="owner")

        self.unit_of_work.run(work)

    def decide_rights(self, *, actor: Actor, binding_id: int, rights: Rights) -> None:
        """Say what family or a tenant may do of a house that one owns; it holds at once.

        Raises:
            NotFound: no such binding, or the house is not one's own, or it is an owner's.
        """
        actor.must(Permission.MANAGE_OWN_BINDINGS)

        def work(tx: Transaction) -> None:
            row = _lock_own(tx, actor, binding_id)
            if row.account_id == actor.account_id or row.role == "owner":
                raise NotFound
            before = _rights_facts(row)
            put_rights(row, rights)
            part = present_part(tx, row.house_id, row.owner_id)
            if part is not None and part.role not in OWNING_ROLES:
                put_rights(part, rights)
            record(
                tx,
                actor,
                "binding_rights_changed",
                subject_type="house",
                subject_id=row.house_id,
                facts={
                    "account_id": row.account_id,
                    "before": before,
                    "after": _rights_facts(row),
                    "reason": "",
                },
            )

        self.unit_of_work.run(work)

    def list_bindings(
        self,
        *,
        actor: Actor,
        community_id: int | None = None,
        house_id: int | None = None,
        before_id: int | None = None,
        limit: int = 50,
    ) -> Sequence[BindingView]:
        """List live bindings for staff, newest first, phones masked."""
        actor.must(Permission.VIEW_OWNERS)
        where = [houses_in_scope(actor)]
        if community_id is not None:
            where.append(House.community_id == community_id)
        if house_id is not None:
            where.append(HouseBinding.house_id == house_id)
        if before_id is not None:
            where.append(HouseBinding.id < before_id)
        with self.unit_of_work.reading() as session:
            return read_bindings(session, *where, limit=limit)

    def revoke(self, *, actor: Actor, binding_id: int, reason: str) -> None:
        """End a binding for a reason; the account's devices must sign in again.

        Raises:
            NotFound: no such live binding.
            InvalidInput: no reason.
        """
        actor.must(Permission.REVIEW_BINDINGS)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            found = tx.session.scalars(
                select(HouseBinding.id)
                .join(House, House.id == HouseBinding.house_id)
                .where(HouseBinding.id == binding_id, houses_in_scope(actor))
            ).first()
            if found is None or not end_bindings(
                tx,
                actor,
                HouseBinding.id == binding_id,
                because="staff",
                reason=reason.strip(),
            ):
                raise NotFound

        self.unit_of_work.run(work)


def _lock_own(tx: Transaction, actor: Actor, binding_id: int) -> HouseBinding:
    """Lock a live binding of the account's own, or of family or a tenant of its own house."""
    owned = owner_house_ids(tx.session, actor.account_id, local_date(tx.now))
    row = tx.session.execute(
        select(HouseBinding)
        .where(
            HouseBinding.id == binding_id,
            HouseBinding.status == "active",
            or_(
                HouseBinding.account_id == actor.account_id,
                HouseBinding.house_id.in_(owned) & (HouseBinding.role != "owner"),
            ),
        )
        .with_for_update()
    ).scalar_one_or_none()
    if row is None:
        raise NotFound
    return row


def _rights_facts(row: HouseBinding) -> dict[str, bool | None]:
    return {
        "may_see_bills": row.may_see_bills,
        "may_pay": row.may_pay,
        "may_report": row.may_report,
    }
