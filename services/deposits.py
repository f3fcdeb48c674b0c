"""Deposits (押金): taken over the counter, deducted for a bill, given back once approved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.actors import Actor, Permission
from domain.errors import Conflict, InvalidInput, NotFound
from domain.payment_states import PaymentChannel
from domain.periods import local_date
from domain.prepaid import DepositMove
from models import Community, Deposit, DepositEntry, House
from services.audit import record
from services.deposit_views import DepositView as DepositView
from services.deposit_views import read_deposits
from services.keys import Claim, check_key, claim_key, keep_result, staff_subject
from services.payments.crediting import credit
from services.payments.money_in import (
    MoneyIn,
    check_money,
    claim_money,
    find_house,
    late_facts,
    late_remarks,
    received,
    take_money,
)
from services.payments.quotes import read_quotes
from services.payments.receipts import (
    HeldFor,
    ReceiptView,
    issue_receipt,
    read_known,
    read_receipt,
)
from services.payments.taking import (
    check_named,
    insert_payment,
    lock_open_bills,
    plan_credits,
)
from services.prepaid.deposit_ledger import DepositTooLow as DepositTooLow
from services.prepaid.deposit_ledger import spend as spend
from services.reasons import check_amount_and_reason
from services.retirement import hold_house
from services.scopes import houses_in_scope, must_see
from services.unit_of_work import Transaction, UnitOfWork

_TAKE, _DEDUCT = "deposit_take", "deposit_deduct"
_NAME_LENGTHS = range(1, 21)


class MoreThanOwed(Conflict):
    """The bill leaves less to pay than is to be deducted for it."""

    code = "more_than_owed"
    message = "抵扣金额超过账单应缴金额"


@dataclass(frozen=True)
class Deposits:
    """Money held against damage and debts."""

    unit_of_work: UnitOfWork

    def take(
        self,
        *,
        actor: Actor,
        community_id: int,
        house_id: int,
        name: str,
        money: MoneyIn,
        client_key: str,
    ) -> ReceiptView:
        """Take a deposit for a house over the counter and return its receipt.

        The same key with the same request gives the same receipt.

        Raises:
            InvalidInput: a field cannot be used; ``fields`` says which and why.
            KeyUsedForOther: the key came before with another request.
            ShiftClosing: the cashier counts their drawer.
            NotFound: no such house in the community.
            HouseRetired: it is retired.
            NotAllowed: whoever acts is no member of staff, or may not enter money of another day.
        """
        actor.must(Permission.TAKE_MONEY)
        actor.must_cover(community_id)
        check_money(money, client_key)
        if len(name.strip()) not in _NAME_LENGTHS:
            raise InvalidInput(fields={"name": ["请填写押金名称，20 字以内，例如 装修押金"]})

        def work(tx: Transaction) -> ReceiptView:
            claim = claim_money(
                tx, actor, _TAKE, client_key, money, community_id, house_id, name.strip()
            )
            if claim.is_known:
                return read_known(tx, claim.payment_id)
            community, house = find_house(tx.session, actor, community_id, house_id)
            hold_house(tx, house_id)
            return _take(tx, actor, community, house, name.strip(), money, claim)

        return self.unit_of_work.run(work)

    def deduct(
        self,
        *,
        actor: Actor,
        deposit_id: int,
        bill_id: int,
        amount_fen: int,
        reason: str,
        client_key: str,
    ) -> DepositView:
        """Pay one named bill of the same house from a deposit.

        The same key with the same request deducts once.

        Raises:
            InvalidInput: no amount or no reason.
            KeyUsedForOther: the key came before with another request.
            DepositTooLow: less is left of the deposit.
            MoreThanOwed: less is left to pay of the bill.
            BillInPayment, BillAlreadyPaid: the bill cannot be paid now.
            NotFound: no such deposit, or the bill is not one of its house.
        """
        actor.must(Permission.MOVE_PREPAID)
        check_key(client_key)
        check_amount_and_reason(amount_fen, reason)

        def work(tx: Transaction) -> DepositView:
            claim = claim_key(
                tx,
                subject=staff_subject(actor),
                action=_DEDUCT,
                key=client_key,
                body=(deposit_id, bill_id, amount_fen, reason),
            )
            if not claim.is_known:
                _deduct(tx, actor, deposit_id, bill_id, amount_fen, reason.strip(), claim)
            return read_deposits(tx.session, Deposit.id == deposit_id)[0]

        return self.unit_of_work.run(work)

    def list_of_house(self, *, actor: Actor, house_id: int) -> Sequence[DepositView]:
        """List the deposits of a house, newest first."""
        actor.must(Permission.VIEW_HOUSE_MONEY)
        with self.unit_of_work.reading() as session:
            return read_deposits(session, Deposit.house_id == house_id, houses_in_scope(actor))

    def list_held(self, *, actor: Actor, community_id: int) -> Sequence[DepositView]:
        """List the deposits of a community of which something is left, newest first."""
        actor.must(Permission.VIEW_HOUSE_MONEY)
        actor.must_cover(community_id)
        with self.unit_of_work.reading() as session:
            return read_deposits(
                session,
                Deposit.community_id == community_id,
                Deposit.amount_fen > Deposit.deducted_fen + Deposit.returned_fen,
            )

    def show(self, *, actor: Actor, deposit_id: int) -> DepositView:
        """Show one deposit with all its moves.

        Raises:
            NotFound: none.
        """
        actor.must(Permission.VIEW_HOUSE_MONEY)
        with self.unit_of_work.reading() as session:
            found = read_deposits(session, Deposit.id == deposit_id, houses_in_scope(actor))
        if not found:
            raise NotFound
        return found[0]


def _take(
    tx: Transaction,
    actor: Actor,
    community: Community,
    house: House,
    name: str,
    money: MoneyIn,
    claim: Claim,
) -> ReceiptView:
    came = received(actor, money, tx.now)
    payment = take_money(tx, actor, house, money, came)
    deposit = Deposit(
        community_id=community.id,
        house_id=house.id,
        name=name,
        payer_name=payment.payer_name,
        amount_fen=money.amount_fen,
        created_at=tx.now,
    )
    tx.session.add(deposit)
    tx.session.flush()
    tx.session.add(
        DepositEntry(
            deposit_id=deposit.id,
            kind=DepositMove.TAKE,
            amount_fen=money.amount_fen,
            payment_id=payment.id,
            note=payment.note,
            staff_id=actor.id,
            created_at=tx.now,
        )
    )
    receipt = issue_receipt(
        tx,
        community_id=community.id,
        payment=payment,
        credits=[],
        held=[HeldFor("deposit", house.id, name, money.amount_fen)],
        remarks=late_remarks(came, tx.now),
    )
    keep_result(tx, claim, payment_id=payment.id)
    record(
        tx,
        actor,
        "deposit_taken",
        subject_type="deposit",
        subject_id=deposit.id,
        community_id=community.id,
        facts={
            "name": name,
            "channel": money.channel,
            "amount_fen": money.amount_fen,
            "receipt_no": receipt.receipt_no,
            **late_facts(came, tx.now),
        },
    )
    return read_receipt(receipt, None)


def _deduct(
    tx: Transaction,
    actor: Actor,
    deposit_id: int,
    bill_id: int,
    amount_fen: int,
    reason: str,
    claim: Claim,
) -> None:
    deposit = tx.session.get(Deposit, deposit_id)
    if deposit is None:
        raise NotFound
    must_see(tx.session, actor, community_id=deposit.community_id, house_id=deposit.house_id)
    bills = lock_open_bills(tx, deposit.house_id)
    check_named(tx, deposit.house_id, bills, [bill_id])
    community = tx.session.get_one(Community, deposit.community_id)
    today = local_date(tx.now)
    credits, left_fen = plan_credits(
        amount_fen=amount_fen,
        bills=bills.free,
        quotes=read_quotes(tx.session, bills.free, today),
        named=[bill_id],
        late_fee_first=community.late_fee_first,
    )
    if left_fen:
        raise MoreThanOwed
    payment = insert_payment(
        tx,
        channel=PaymentChannel.DEPOSIT,
        community_id=deposit.community_id,
        house_id=deposit.house_id,
        amount_fen=amount_fen,
        staff_id=actor.id,
        payer_name=deposit.payer_name,
        note=reason,
    )
    left = spend(
        tx,
        deposit_id=deposit_id,
        kind=DepositMove.DEDUCT,
        amount_fen=amount_fen,
        payment_id=payment.id,
        note=reason,
        staff_id=actor.id,
    )
    credit(tx, payment_id=payment.id, credits=credits, paid_on=today)
    keep_result(tx, claim, payment_id=payment.id)
    record(
        tx,
        actor,
        "deposit_deducted",
        subject_type="deposit",
        subject_id=deposit_id,
        community_id=deposit.community_id,
        facts={
            "bill_id": bill_id,
            "amount_fen": amount_fen,
            "left_fen": left,
            "reason": reason,
        },
    )
    tx.session.expire(deposit)
