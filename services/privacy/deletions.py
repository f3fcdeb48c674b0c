"""Closing an account: told what goes and what stays, proven by a code, done after a week."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.errors import Conflict, NotFound, NotSignedIn
from domain.payment_states import OPEN_ORDERS
from domain.personal_data import OnDeletion
from domain.privacy_states import COOLING, DeletionState
from domain.refund_states import RefundState
from domain.register import REGISTER
from models import Account, AccountDeletion, Payment, PaymentOrder, Refund
from services.audit import record
from services.phone_codes import CodeTooSoon, PhoneCodes, WrongCode
from services.privacy.erasing import erase_account
from services.sign_in_attempts import Visit
from services.unit_of_work import Transaction, UnitOfWork

log = logging.getLogger(__name__)
PURPOSE = "account_deletion"
_GOES = {OnDeletion.ERASE, OnDeletion.PSEUDONYMISE, OnDeletion.EXPIRE}
_STAYS = {OnDeletion.KEEP, OnDeletion.FILE, OnDeletion.PROOF}


class DeletionBlocked(Conflict):
    """Money of the account is on its way: a payment is open, or a refund is."""

    code = "deletion_blocked"
    message = "还有进行中的支付或退款，完成后才能注销"


class DeletionUnderWay(Conflict):
    """The account is being closed already."""

    code = "deletion_under_way"
    message = "已申请注销，冷静期内可以撤销"


@dataclass(frozen=True, slots=True)
class DeletionLine:
    """One kind of data, what of it is meant, and what becomes of it or until when it stays."""

    title: str
    content: str
    fate: str


@dataclass(frozen=True, slots=True)
class DeletionPreview:
    """What closing the account does; ``due_at`` is set while it was asked for and can be undone."""

    goes: tuple[DeletionLine, ...]
    stays: tuple[DeletionLine, ...]
    blocked_by: tuple[str, ...]
    asked_at: datetime | None
    due_at: datetime | None


@dataclass(frozen=True)
class AccountDeletions:
    """Accounts that their owners close."""

    unit_of_work: UnitOfWork
    codes: PhoneCodes

    def preview(self, *, actor: Actor) -> DeletionPreview:
        """Tell what would go, what the law keeps and until when, and what is in the way."""
        actor.must(Permission.MANAGE_OWN_PRIVACY)
        with self.unit_of_work.reading() as session:
            row = session.scalars(_cooling(actor.account_id)).one_or_none()
            return DeletionPreview(
                _lines(_GOES),
                _lines(_STAYS),
                tuple(what_blocks(session, actor.account_id)),
                row.asked_at if row else None,
                row.due_at if row else None,
            )

    def send_code(self, *, actor: Actor, visit: Visit) -> None:
        """Send a code to the account's own phone.

        Raises:
            CodeTooSoon: too many codes.
        """
        actor.must(Permission.MANAGE_OWN_PRIVACY)

        def work(tx: Transaction) -> CodeTooSoon | None:
            phone = _lock_account(tx, actor.account_id).phone
            return self.codes.send(tx, phone=phone, purpose=PURPOSE, visit=visit, recipient=phone)

        if too_soon := self.unit_of_work.run(work):
            raise too_soon

    def ask(self, *, actor: Actor, code: str, visit: Visit) -> DeletionPreview:
        """Ask for the account to be closed in seven days; until then it works as before.

        Raises:
            WrongCode: each wrong guess costs one of five tries.
            DeletionBlocked: money is on its way; the code is not used up.
            DeletionUnderWay: it was asked for before.
        """
        actor.must(Permission.MANAGE_OWN_PRIVACY)

        def work(tx: Transaction) -> bool:
            account = _lock_account(tx, actor.account_id)
            if tx.session.scalars(_cooling(account.id)).first():
                raise DeletionUnderWay
            if words := what_blocks(tx.session, account.id):
                raise DeletionBlocked(f"{'、'.join(words)}，完成后才能注销")
            # A wrong guess must be committed, so it is an answer and not an exception in here.
            if not self.codes.take(
                tx, phone=account.phone, purpose=PURPOSE, code=code, visit=visit, spends=True
            ):
                return False
            row = AccountDeletion(
                account_id=account.id,
                state=DeletionState.COOLING,
                asked_at=tx.now,
                due_at=tx.now + COOLING,
            )
            tx.session.add(row)
            record(
                tx,
                actor,
                "account_deletion_asked",
                subject_type="account",
                subject_id=account.id,
                facts={"due_at": row.due_at.isoformat()},
            )
            return True

        if not self.unit_of_work.run(work):
            raise WrongCode
        return self.preview(actor=actor)

    def cancel(self, *, actor: Actor) -> None:
        """Keep the account after all.

        Raises:
            NotFound: nothing was asked for.
        """
        actor.must(Permission.MANAGE_OWN_PRIVACY)

        def work(tx: Transaction) -> None:
            _lock_account(tx, actor.account_id)
            row = tx.session.scalars(_cooling(actor.account_id).with_for_update()).one_or_none()
            if row is None:
                raise NotFound("没有待办理的注销申请")
            row.state, row.ended_at = DeletionState.CANCELLED, tx.now
            record(
                tx,
                actor,
                "account_deletion_cancelled",
                subject_type="account",
                subject_id=actor.account_id,
            )

        self.unit_of_work.run(work)

    def carry_out_due(self, *, actor: Actor) -> int:
        """Close the accounts whose seven days are over and return how many.

        While money of an account is on its way it waits for a later run.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        with self.unit_of_work.reading() as session:
            due = session.scalars(
                select(AccountDeletion.id)
                .where(
                    AccountDeletion.state == DeletionState.COOLING,
                    AccountDeletion.due_at <= self.unit_of_work.clock.now(),
                )
                .order_by(AccountDeletion.due_at)
            ).all()
        done = 0
        for deletion_id in due:
            try:
                done += self.unit_of_work.run(
                    partial(_carry_out, actor=actor, deletion_id=deletion_id)
                )
            except Exception:
                log.exception("an account was not closed", extra={"deletion_id": deletion_id})
        return done


def what_blocks(session: Session, account_id: int) -> list[str]:
    """Say what money of an account is on its way."""
    words = []
    orders = select(PaymentOrder.id).where(PaymentOrder.account_id == account_id)
    if session.scalars(orders.where(PaymentOrder.state.in_(OPEN_ORDERS))).first():
        words.append("有未完成的支付")
    refunds = (
        select(Refund.id)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(
            Payment.order_id.in_(orders),
            Refund.state.in_([RefundState.PROCESSING, RefundState.ABNORMAL]),
        )
    )
    if session.scalars(refunds).first():
        words.append("有处理中的退款")
    return words


def _carry_out(tx: Transaction, *, actor: Actor, deletion_id: int) -> bool:
    account_id = tx.session.scalar(
        select(AccountDeletion.account_id).where(AccountDeletion.id == deletion_id)
    )
    # The account first, as everybody takes it: a payment that begins now begins before or after.
    account = tx.session.execute(
        select(Account).where(Account.id == account_id).with_for_update()
    ).scalar_one()
    row = tx.session.execute(
        select(AccountDeletion).where(AccountDeletion.id == deletion_id).with_for_update()
    ).scalar_one()
    if row.state != DeletionState.COOLING or what_blocks(tx.session, account.id):
        return False
    counts = erase_account(tx, actor, account)
    row.state, row.ended_at = DeletionState.DONE, tx.now
    record(
        tx,
        actor,
        "account_deleted",
        subject_type="account",
        subject_id=account.id,
        facts=counts,
    )
    return True


def _cooling(account_id: int) -> Select[AccountDeletion]:
    return select(AccountDeletion).where(
        AccountDeletion.account_id == account_id, AccountDeletion.state == DeletionState.COOLING
    )


def _lock_account(tx: Transaction, account_id: int) -> Account:
    account = tx.session.execute(
        select(Account).where(Account.id == account_id, Account.is_active).with_for_update()
    ).scalar_one_or_none()
    if account is None:
        raise NotSignedIn
    return account


def _lines(fates: set[OnDeletion]) -> tuple[DeletionLine, ...]:
    return tuple(
        DeletionLine(
            held.title,
            "、".join(held.columns.values()),
            held.kept if held.on_deletion in _STAYS else held.on_deletion,
        )
        for held in REGISTER
        if held.on_deletion in fates
    )
