"""Paying bills from prepaid balances: per house, in a transaction of its own."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, text

from domain.actors import Actor, Permission
from domain.errors import NotFound
from domain.payment_states import PaymentChannel
from domain.periods import local_date
from domain.prepaid import PrepaidMove
from models import Bill, Community, House, PrepaidAccount
from services.audit import record
from services.payments.crediting import Credit, credit
from services.payments.quotes import read_quotes
from services.payments.taking import insert_payment, lock_open_bills, plan_credits
from services.prepaid.ledger import move
from services.scopes import must_see
from services.unit_of_work import Transaction, UnitOfWork

log = logging.getLogger(__name__)

_NAMED_IN_NOTE = 3
_DUE = text(
    """
    SELECT DISTINCT account.house_id
      FROM prepaid_account account
      JOIN community ON community.id = account.community_id AND community.is_active
      JOIN bill ON bill.house_id = account.house_id AND bill.is_live
       AND (account.fee_item_id IS NULL OR account.fee_item_id = bill.fee_item_id)
     WHERE account.balance_fen > 0
       AND (community.offsets_prepaid OR NOT :only_automatic)
       AND (CAST(:community_id AS bigint) IS NULL OR account.community_id = :community_id)
       AND (bill.state IN ('published', 'partially_paid')
            OR bill.state = 'paid' AND EXISTS (
                   SELECT FROM bill_late_fee fee WHERE fee.bill_id = bill.id
                      AND fee.frozen_fen > fee.paid_fen + fee.waived_fen))
       AND NOT EXISTS (SELECT FROM bill_lock WHERE bill_lock.bill_id = bill.id)
     ORDER BY account.house_id
    """
)


@dataclass(frozen=True, slots=True)
class Offset:
    """What was paid from prepaid balances."""

    house_count: int
    bill_count: int
    amount_fen: int


@dataclass(frozen=True)
class PrepaidOffsets:
    """Pays published bills from what their houses have paid ahead."""

    unit_of_work: UnitOfWork

    def offset_due(self, *, actor: Actor) -> int:
        """Pay what can be paid in all communities that do so by themselves; return houses paid.

        One house that fails stops no other: it is found again next time.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        return self._offset_all(actor, community_id=None, only_automatic=True).house_count

    def offset_community(self, *, actor: Actor, community_id: int) -> Offset:
        """Pay what can be paid in one community, whether it does so by itself or not."""
        actor.must(Permission.MOVE_PREPAID)
        actor.must_cover(community_id)
        return self._offset_all(actor, community_id=community_id, only_automatic=False)

    def offset(self, *, actor: Actor, house_id: int) -> Offset:
        """Pay what can be paid of one house's bills.

        Raises:
            NotFound: no such house.
        """
        actor.must(Permission.MOVE_PREPAID)

        def work(tx: Transaction) -> Offset:
            house = tx.session.get(House, house_id)
            if house is None:
                raise NotFound
            must_see(tx.session, actor, community_id=house.community_id, house_id=house_id)
            return offset_house(tx, actor, house_id)

        return self.unit_of_work.run(work)

    def _offset_all(
        self, actor: Actor, *, community_id: int | None, only_automatic: bool
    ) -> Offset:
        with self.unit_of_work.reading() as session:
            house_ids = session.scalars(
                _DUE, {"community_id": community_id, "only_automatic": only_automatic}
            ).all()
        done = []
        for house_id in house_ids:
            try:
                done.append(
                    self.unit_of_work.run(
                        lambda tx, house_id=house_id: offset_house(tx, actor, house_id)  # type: ignore[misc]
                    )
                )
            except Exception:
                log.exception("a house's bills were not offset", extra={"house_id": house_id})
        return Offset(
            house_count=sum(one.house_count for one in done),
            bill_count=sum(one.bill_count for one in done),
            amount_fen=sum(one.amount_fen for one in done),
        )


def offset_house(tx: Transaction, actor: Actor, house_id: int) -> Offset:
    """Pay a house's open bills from its prepaid accounts, as far as these reach.

    Accounts for one item go first and pay that item only. Of each account the earliest due bill is
    paid first, within it the principal before the late fee unless the community says otherwise;
    never more than is open. A bill that an open payment holds is left alone. What each account
    gives is one payment and one entry.

    Raises:
        NotFound: no such house.

    Source: domain.md D3, D7.
    """
    house = tx.session.get(House, house_id)
    if house is None:
        raise NotFound
    community = tx.session.get_one(Community, house.community_id)
    bills = lock_open_bills(tx, house_id).free
    paid: set[int] = set()
    amount_fen = 0
    for account in _lock_accounts(tx, house_id):
        theirs = _bills_for(account, bills)
        credits = _plan(tx, account, theirs, late_fee_first=community.late_fee_first)
        if credits:
            amount_fen += _pay(tx, actor, account, credits)
            paid |= {one.bill.id for one in credits}
    return Offset(house_count=int(amount_fen > 0), bill_count=len(paid), amount_fen=amount_fen)


def _lock_accounts(tx: Transaction, house_id: int) -> Sequence[PrepaidAccount]:
    """Lock a house's accounts that hold something; those for one item come first."""
    accounts = tx.session.scalars(
        select(PrepaidAccount)
        .where(PrepaidAccount.house_id == house_id)
        .order_by(PrepaidAccount.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    full = [account for account in accounts if account.balance_fen > 0]
    return sorted(full, key=lambda account: (account.fee_item_id is None, account.id))


def _bills_for(account: PrepaidAccount, bills: Mapping[int, Bill]) -> dict[int, Bill]:
    return {
        bill_id: bill
        for bill_id, bill in bills.items()
        if account.fee_item_id in (None, bill.fee_item_id)
    }


def _plan(
    tx: Transaction, account: PrepaidAccount, bills: Mapping[int, Bill], *, late_fee_first: bool
) -> list[Credit]:
    if not bills:
        return []
    # Quoted for each account anew: the one before may have paid a part.
    quotes = read_quotes(tx.session, bills, local_date(tx.now))
    credits, _ = plan_credits(
        amount_fen=account.balance_fen, bills=bills, quotes=quotes, late_fee_first=late_fee_first
    )
    return credits


def _pay(tx: Transaction, actor: Actor, account: PrepaidAccount, credits: Sequence[Credit]) -> int:
    amount_fen = sum(one.amount_fen for one in credits)
    payment = insert_payment(
        tx,
        channel=PaymentChannel.PREPAID,
        community_id=account.community_id,
        house_id=account.house_id,
        amount_fen=amount_fen,
        note="预存抵扣",
    )
    move(
        tx,
        account_id=account.id,
        kind=PrepaidMove.OFFSET,
        amount_fen=-amount_fen,
        payment_id=payment.id,
        note=_say(credits),
    )
    credit(tx, payment_id=payment.id, credits=credits, paid_on=local_date(tx.now))
    record(
        tx,
        actor,
        "prepaid_offset",
        subject_type="prepaid_account",
        subject_id=account.id,
        community_id=account.community_id,
        facts={
            "payment_id": payment.id,
            "amount_fen": amount_fen,
            "placed_fen": {one.bill.id: one.amount_fen for one in credits},
        },
    )
    return amount_fen


def _say(credits: Sequence[Credit]) -> str:
    numbers = [one.bill.bill_no for one in credits]
    more = f"等 {len(numbers)} 张" if len(numbers) > _NAMED_IN_NOTE else ""
    return f"抵扣账单 {'、'.join(numbers[:_NAMED_IN_NOTE])}{more}"
