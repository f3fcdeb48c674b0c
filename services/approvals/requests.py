"""Asking for a money act: what is asked is checked now, and again when it is carried out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from domain.actors import Actor, Permission, staff_id_of
from domain.approvals import APPROVAL_SHOWN, ApprovalKind, ApprovalState
from domain.bill_states import BillState
from domain.errors import Conflict, InvalidInput, NotFound
from domain.periods import local_date
from models import ApprovalRequest, Bill, Deposit, House, PrepaidAccount
from services.accrued_late_fees import read_accrued
from services.approvals.checks import (
    MoreThanOpen,
    check_adjustable,
    check_open,
    check_voidable,
)
from services.audit import record
from services.reasons import check_amount_and_reason
from services.scopes import houses_in_scope, must_see
from services.unit_of_work import Transaction, UnitOfWork, violates

T = TypeVar("T")

_PHONE = re.compile(r"\A1[3-9][0-9]{9}\Z", re.ASCII)
_PAID_OUT_BY = ("cash", "bank_transfer")


class RequestPending(Conflict):
    """The same was asked for already and is not decided yet."""

    code = "request_pending"
    message = "同样的申请正在等待审批"


@dataclass(frozen=True, slots=True)
class Payout:
    """To whom money is paid back, and how: ``cash`` or ``bank_transfer`` with its voucher.

    Source: domain.md D5, cash refunds need a payee's name and phone.
    """

    channel: str
    payee_name: str
    payee_phone: str
    voucher_no: str = ""


@dataclass(frozen=True)
class MoneyRequests:
    """What staff may ask for; each raises ReauthenticationNeeded without a fresh proof."""

    unit_of_work: UnitOfWork

    def request_waiver(self, *, actor: Actor, bill_id: int, amount_fen: int, reason: str) -> int:
        """Ask to take something off an open bill and return the request's id.

        Raises:
            NotFound: no such bill.
            BillNotOpen, MoreThanOpen: nothing, or less, is open.
            RequestPending: the same is waiting to be decided.
            InvalidInput: no amount or no reason.
        """
        actor.must(Permission.REQUEST_MONEY_OUT)
        actor.must_be_fresh()

        def work(tx: Transaction) -> int:
            bill = _read_bill(tx, actor, bill_id)
            check_open(bill, amount_fen)
            return _ask(tx, actor, ApprovalKind.WAIVER, bill, amount_fen, reason)

        return self._run(work, amount_fen, reason)

    def request_write_off(self, *, actor: Actor, bill_id: int, reason: str) -> int:
        """Ask to give up what is open of a bill and return the request's id.

        Raises:
            NotFound, BillNotOpen, RequestPending, InvalidInput: as in `request_waiver`.
        """
        actor.must(Permission.REQUEST_MONEY_OUT)
        actor.must_be_fresh()

        def work(tx: Transaction) -> int:
            bill = _read_bill(tx, actor, bill_id)
            check_open(bill, 1)
            open_fen = bill.amount_fen - bill.paid_fen
            return _ask(tx, actor, ApprovalKind.WRITE_OFF, bill, open_fen, reason)

        return self._run(work, 1, reason)

    def request_void(self, *, actor: Actor, bill_id: int, reason: str) -> int:
        """Ask to void a published bill of which nothing was paid and return the request's id.

        Raises:
            BillHasPayment: something was paid.
            NotFound, BillNotOpen, RequestPending, InvalidInput: as in `request_waiver`.
        """
        actor.must(Permission.VOID_BILLS)
        actor.must_be_fresh()

        def work(tx: Transaction) -> int:
            bill = _read_bill(tx, actor, bill_id)
            check_voidable(tx, bill)
            return _ask(tx, actor, ApprovalKind.VOID, bill, bill.amount_fen, reason)

        return self._run(work, 1, reason)

    def request_late_fee_waiver(
        self, *, actor: Actor, bill_id: int, amount_fen: int, reason: str
    ) -> int:
        """Ask to take something off a bill's late fee and return the request's id.

        Raises:
            MoreThanOpen: less is open as of today.
            NotFound, RequestPending, InvalidInput: as in `request_waiver`.
        """
        actor.must(Permission.REQUEST_MONEY_OUT)
        actor.must_be_fresh()

        def work(tx: Transaction) -> int:
            bill = _read_bill(tx, actor, bill_id)
            accrued = read_accrued(tx.session, [bill_id], local_date(tx.now)).get(bill_id)
            if accrued is None or accrued.open_fen < amount_fen:
                raise MoreThanOpen("滞纳金未缴部分不足")
            return _ask(tx, actor, ApprovalKind.LATE_FEE_WAIVER, bill, amount_fen, reason)

        return self._run(work, amount_fen, reason)

    def request_adjustment(
        self, *, actor: Actor, bill_id: int, amount_fen: int, reason: str
    ) -> int:
        """Ask for a credit (below zero) or debit note on the next bill and return the request's id.

        Raises:
            MoreThanOpen: the credit notes of the bill would exceed it.
            NotFound, BillNotOpen, RequestPending, InvalidInput: as in `request_waiver`.
        """
        actor.must(Permission.REQUEST_MONEY_OUT)
        actor.must_be_fresh()

        def work(tx: Transaction) -> int:
            bill = _read_bill(tx, actor, bill_id)
            check_adjustable(tx, bill, amount_fen)
            facts = {"note_fen": amount_fen}
            kind = ApprovalKind.ADJUSTMENT
            return _ask(tx, actor, kind, bill, abs(amount_fen), reason, facts)

        return self._run(work, abs(amount_fen), reason)

    def request_prepaid_refund(
        self, *, actor: Actor, account_id: int, amount_fen: int, payout: Payout, reason: str
    ) -> int:
        """Ask to pay a prepaid balance back and return the request's id.

        Raises:
            NotFound: no such account.
            MoreThanOpen: it holds less.
            RequestPending, InvalidInput: as in `request_waiver`; the payee must be named.
        """
        actor.must(Permission.REQUEST_MONEY_OUT)
        actor.must_be_fresh()
        check_payout(payout)

        def work(tx: Transaction) -> int:
            account = tx.session.get(PrepaidAccount, account_id)
            if account is None:
                raise NotFound
            must_see(
                tx.session, actor, community_id=account.community_id, house_id=account.house_id
            )
            if account.balance_fen < amount_fen:
                raise MoreThanOpen("预存余额不足")
            return ask_about(
                tx,
                actor,
                ApprovalKind.PREPAID_REFUND,
                subject=f"prepaid:{account_id}",
                community_id=account.community_id,
                house_id=account.house_id,
                amount_fen=amount_fen,
                reason=reason,
                facts={"account_id": account_id, **asdict(payout)},
            )

        return self._run(work, amount_fen, reason)

    def request_deposit_return(
        self, *, actor: Actor, deposit_id: int, amount_fen: int, payout: Payout, reason: str
    ) -> int:
        """Ask to pay a deposit back and return the request's id.

        Raises:
            NotFound: no such deposit.
            MoreThanOpen: less is left of it.
            RequestPending, InvalidInput: as in `request_prepaid_refund`.
        """
        actor.must(Permission.REQUEST_MONEY_OUT)
        actor.must_be_fresh()
        check_payout(payout)

        def work(tx: Transaction) -> int:
            deposit = tx.session.get(Deposit, deposit_id)
            if deposit is None:
                raise NotFound
            must_see(
                tx.session, actor, community_id=deposit.community_id, house_id=deposit.house_id
            )
            left_fen = deposit.amount_fen - deposit.deducted_fen - deposit.returned_fen
            if left_fen < amount_fen:
                raise MoreThanOpen("押金余额不足")
            return ask_about(
                tx,
                actor,
                ApprovalKind.DEPOSIT_RETURN,
                subject=f"deposit:{deposit_id}",
                community_id=deposit.community_id,
                house_id=deposit.house_id,
                amount_fen=amount_fen,
                reason=reason,
                facts={"deposit_id": deposit_id, **asdict(payout)},
            )

        return self._run(work, amount_fen, reason)

    def _run(self, work: Callable[[Transaction], int], amount_fen: int, reason: str) -> int:
        check_amount_and_reason(amount_fen, reason)
        return run_request(self.unit_of_work, work)


def run_request(unit_of_work: UnitOfWork, work: Callable[[Transaction], T]) -> T:
    """Run the work that asks for something.

    Raises:
        RequestPending: the same waits to be decided.
    """
    try:
        return unit_of_work.run(work)
    except IntegrityError as error:
        if violates(error, "uq_approval_request_open"):
            raise RequestPending from error
        raise


def _read_bill(tx: Transaction, actor: Actor, bill_id: int) -> Bill:
    bill = tx.session.execute(
        select(Bill)
        .join(House, House.id == Bill.house_id)
        .where(
            Bill.id == bill_id,
            Bill.state.not_in([BillState.PENDING_REVIEW, BillState.CANCELLED]),
            houses_in_scope(actor),
        )
    ).scalar_one_or_none()
    if bill is None:
        raise NotFound
    return bill


def _ask(
    tx: Transaction,
    actor: Actor,
    kind: ApprovalKind,
    bill: Bill,
    amount_fen: int,
    reason: str,
    facts: dict[str, Any] | None = None,
) -> int:
    return ask_about(
        tx,
        actor,
        kind,
        subject=f"bill:{bill.id}",
        community_id=bill.community_id,
        house_id=bill.house_id,
        amount_fen=amount_fen,
        reason=reason,
        facts=facts or {},
        bill_id=bill.id,
    )


def ask_about(
    tx: Transaction,
    actor: Actor,
    kind: ApprovalKind,
    *,
    subject: str,
    community_id: int | None,
    house_id: int | None,
    amount_fen: int,
    reason: str,
    facts: dict[str, Any],
    bill_id: int | None = None,
) -> int:
    """Write a request, with its line on the record, and return its id; a step."""
    request = ApprovalRequest(
        community_id=community_id,
        kind=kind,
        subject=subject,
        house_id=house_id,
        bill_id=bill_id,
        amount_fen=amount_fen,
        reason=reason.strip(),
        facts=facts,
        state=ApprovalState.REQUESTED,
        requested_by_staff_id=staff_id_of(actor),
        requested_at=tx.now,
    )
    tx.session.add(request)
    tx.session.flush()
    record(
        tx,
        actor,
        "approval_requested",
        subject_type="approval_request",
        subject_id=request.id,
        community_id=community_id,
        facts={"kind": APPROVAL_SHOWN[kind], "amount_fen": amount_fen, "reason": request.reason},
    )
    return request.id


def check_payout(payout: Payout) -> None:
    """Refuse money out to nobody in particular.

    Raises:
        InvalidInput: a field cannot be used; ``fields`` says which and why.
    """
    fields = {}
    if payout.channel not in _PAID_OUT_BY:
        fields["channel"] = ["退款方式应为现金或银行转账"]
    if not 1 <= len(payout.payee_name.strip()) <= 50:
        fields["payee_name"] = ["请填写收款人姓名"]
    if not _PHONE.match(payout.payee_phone):
        fields["payee_phone"] = ["请填写收款人 11 位手机号"]
    if len(payout.voucher_no) > 64:
        fields["voucher_no"] = ["凭证号请在 64 个字以内"]
    if payout.channel == "bank_transfer" and not payout.voucher_no.strip():
        fields["voucher_no"] = ["银行转账请填写流水号"]
    if fields:
        raise InvalidInput(fields=fields)
