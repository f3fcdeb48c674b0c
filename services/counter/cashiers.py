"""A lump sum over the counter: placed by the rule that is shown, receipted, booked once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.errors import InvalidInput, NotFound
from domain.periods import local_date
from domain.prepaid import PrepaidMove
from domain.settling import say_rule
from models import Bill, Community, FeeItem, House
from services.audit import record
from services.keys import Claim, keep_result
from services.payments.crediting import Credit, credit
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
from services.payments.quotes import Quote, read_quotes
from services.payments.receipts import (
    HeldFor,
    ReceiptView,
    issue_receipt,
    read_known,
    read_receipt,
    topup_of,
)
from services.payments.sweep import PaymentSweep
from services.payments.taking import (
    OpenBills,
    check_named,
    lock_open_bills,
    plan_credits,
    read_open_bills,
)
from services.prepaid.ledger import account_of, move
from services.retirement import hold_house
from services.unit_of_work import Transaction, UnitOfWork

_TAKE = "counter_take"


@dataclass(frozen=True, slots=True)
class PlacedView:
    """What a lump sum would pay of one bill."""

    bill_id: int
    bill_no: str
    item: str
    principal_fen: int
    discount_fen: int
    late_fee_fen: int


@dataclass(frozen=True, slots=True)
class OwedView:
    """What a house owes of one bill today; the discount is for paying all of it."""

    bill_id: int
    bill_no: str
    item: str
    due_date: date
    open_fen: int
    discount_fen: int
    late_fee_fen: int


@dataclass(frozen=True, slots=True)
class CounterPreview:
    """What would become of a lump sum, by which rule, and what is owed, the earliest due first.

    ``held_bill_nos`` are bills that an open payment holds: they are left out.
    """

    amount_fen: int
    owed_fen: int
    owed: tuple[OwedView, ...]
    placed: tuple[PlacedView, ...]
    prepaid_fen: int
    held_bill_nos: tuple[str, ...]
    rule: str


@dataclass(frozen=True)
class Counter:
    """Money that is handed over: cash, cards, transfers and cheques."""

    unit_of_work: UnitOfWork
    sweep: PaymentSweep

    def take(
        self,
        *,
        actor: Actor,
        community_id: int,
        house_id: int,
        money: MoneyIn,
        named_bill_ids: Sequence[int] = (),
        client_key: str,
    ) -> ReceiptView:
        """Book a lump sum for a house and return its receipt.

        It pays the bills that are named, in that order, or else all open ones, the earliest due
        first; what is left goes to the house's prepaid account. Bills that an open payment holds
        are left out and the receipt says so; one that was begun at the door is closed first, or
        booked if it was paid. The same key with the same request gives the same
        receipt. Money of an earlier day pays what bills cost on that day.

        Raises:
            InvalidInput: a field cannot be used; ``fields`` says which and why.
            KeyUsedForOther: the key came before with another request.
            BillInPayment, BillAlreadyPaid: a named bill cannot be paid now.
            ShiftClosing: the cashier counts their drawer.
            HouseRetired: something would be left to be kept for a retired house.
            NotFound: no such house in the community, or a named bill is not one of it.
            NotAllowed: whoever acts is no member of staff, or may not enter money of another day.

        Source: domain.md D7; reliability.md M9.
        """
        actor.must(Permission.TAKE_MONEY)
        actor.must_cover(community_id)
        check_money(money, client_key)
        named = list(dict.fromkeys(named_bill_ids))
        self.sweep.clear_door(community_id=community_id, house_id=house_id)

        def work(tx: Transaction) -> ReceiptView:
            claim = claim_money(
                tx, actor, _TAKE, client_key, money, community_id, house_id, tuple(named)
            )
            if claim.is_known:
                return read_known(tx, claim.payment_id)
            community, house = find_house(tx.session, actor, community_id, house_id)
            return self._take(tx, actor, community, house, money, named, claim)

        return self.unit_of_work.run(work)

    def _take(
        self,
        tx: Transaction,
        actor: Actor,
        community: Community,
        house: House,
        money: MoneyIn,
        named: Sequence[int],
        claim: Claim,
    ) -> ReceiptView:
        bills = lock_open_bills(tx, house.id)
        check_named(tx, house.id, bills, named)
        came = received(actor, money, tx.now)
        payment = take_money(tx, actor, house, money, came)
        quotes = read_quotes(tx.session, bills.free, came.on)
        credits, left_fen = plan_credits(
            amount_fen=money.amount_fen,
            bills=bills.free,
            quotes=quotes,
            named=named,
            late_fee_first=community.late_fee_first,
        )
        if left_fen:
            hold_house(tx, house.id)
        credit(tx, payment_id=payment.id, credits=credits, paid_on=came.on)
        held = _keep_ahead(tx, actor, house, payment.id, left_fen)
        receipt = issue_receipt(
            tx,
            community_id=community.id,
            payment=payment,
            credits=credits,
            held=held,
            remarks=[*late_remarks(came, tx.now), *_say_held(bills, named)],
        )
        tx.session.flush()
        keep_result(tx, claim, payment_id=payment.id)
        record(
            tx,
            actor,
            "money_taken",
            subject_type="payment",
            subject_id=payment.id,
            community_id=community.id,
            facts={
                "channel": money.channel,
                "amount_fen": money.amount_fen,
                "receipt_no": receipt.receipt_no,
                "placed_fen": {one.bill.id: one.amount_fen for one in credits},
                "prepaid_fen": left_fen,
                "named_bill_ids": list(named),
                **late_facts(came, tx.now),
            },
        )
        return read_receipt(receipt, None)

    def preview(
        self,
        *,
        actor: Actor,
        community_id: int,
        house_id: int,
        amount_fen: int,
        named_bill_ids: Sequence[int] = (),
    ) -> CounterPreview:
        """Show what would become of a lump sum now; nothing is booked or held.

        Raises:
            InvalidInput: the amount is below zero.
            NotFound: no such house in the community, or a named bill leaves nothing to pay.
        """
        actor.must(Permission.VIEW_HOUSE_MONEY)
        actor.must_reach(community_id)
        if amount_fen < 0:
            raise InvalidInput(fields={"amount_fen": ["金额不能小于 0"]})
        named = list(dict.fromkeys(named_bill_ids))
        today = local_date(self.unit_of_work.clock.now())
        with self.unit_of_work.snapshot() as session:
            community, _ = find_house(session, actor, community_id, house_id)
            bills = read_open_bills(session, house_id)
            quotes = read_quotes(session, bills.free, today)
            if set(named) - {bill_id for bill_id, quote in quotes.items() if quote.amount_fen}:
                raise NotFound("没有这张可缴的账单")
            credits, left_fen = plan_credits(
                amount_fen=amount_fen,
                bills=bills.free,
                quotes=quotes,
                named=named,
                late_fee_first=community.late_fee_first,
            )
            names = _read_items(session, bills.free.values())
            return CounterPreview(
                amount_fen=amount_fen,
                owed_fen=sum(quote.amount_fen for quote in quotes.values()),
                owed=_show_owed(bills, quotes, names),
                placed=tuple(_show(one, names) for one in credits),
                prepaid_fen=left_fen,
                held_bill_nos=tuple(bill.bill_no for bill in bills.held),
                rule=say_rule(names_bills=bool(named), late_fee_first=community.late_fee_first),
            )


def _show_owed(
    bills: OpenBills, quotes: dict[int, Quote], names: dict[int, str]
) -> tuple[OwedView, ...]:
    in_order = sorted(bills.free.values(), key=lambda bill: (bill.due_date, bill.id))
    return tuple(
        OwedView(
            bill_id=bill.id,
            bill_no=bill.bill_no,
            item=names[bill.fee_item_id],
            due_date=bill.due_date,
            open_fen=quotes[bill.id].open_fen,
            discount_fen=quotes[bill.id].discount_fen,
            late_fee_fen=quotes[bill.id].late_fee_fen,
        )
        for bill in in_order
    )


def _show(one: Credit, names: dict[int, str]) -> PlacedView:
    return PlacedView(
        bill_id=one.bill.id,
        bill_no=one.bill.bill_no,
        item=names[one.bill.fee_item_id],
        principal_fen=one.principal_fen,
        discount_fen=one.discount_fen,
        late_fee_fen=one.late_fee_fen,
    )


def _read_items(session: Session, bills: Iterable[Bill]) -> dict[int, str]:
    rows = session.execute(
        select(FeeItem.id, FeeItem.name).where(FeeItem.id.in_({bill.fee_item_id for bill in bills}))
    )
    return {row.id: row.name for row in rows}


def _keep_ahead(
    tx: Transaction, actor: Actor, house: House, payment_id: int, left_fen: int
) -> list[HeldFor]:
    """Put what no bill takes to the house's prepaid account for all items."""
    if not left_fen:
        return []
    account_id = account_of(tx, community_id=house.community_id, house_id=house.id)
    move(
        tx,
        account_id=account_id,
        kind=PrepaidMove.TOPUP,
        amount_fen=left_fen,
        payment_id=payment_id,
        note="柜台收款",
        staff_id=actor.id,
    )
    return [topup_of(house.id, left_fen)]


def _say_held(bills: OpenBills, named: Sequence[int]) -> list[str]:
    if named:
        return []
    return [f"账单 {bill.bill_no} 正在线上支付，本次没有抵扣" for bill in bills.held]
