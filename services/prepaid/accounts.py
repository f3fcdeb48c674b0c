"""Prepaid accounts (预存) as owners and staff see them, and moving money between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.errors import InvalidInput, NotFound
from domain.houses import house_label
from domain.periods import local_date
from domain.prepaid import PREPAID_SHOWN, PrepaidMove
from models import Building, FeeItem, House, HouseBinding, PrepaidAccount, PrepaidEntry
from services.audit import record
from services.bindings import bought_on, sees_bills_of
from services.keys import check_key, claim_key, staff_subject
from services.prepaid.ledger import account_of, move
from services.reasons import check_amount_and_reason
from services.scopes import must_see
from services.unit_of_work import Transaction, UnitOfWork

GENERAL = "通用"
_TRANSFER = "prepaid_transfer"
_LAST_ENTRIES = 10


@dataclass(frozen=True, slots=True)
class PrepaidEntryView:
    """One move: ``amount_fen`` below zero takes away, ``balance_fen`` is what it left."""

    id: int
    at: datetime
    kind: PrepaidMove
    kind_shown: str
    amount_fen: int
    balance_fen: int
    note: str


@dataclass(frozen=True, slots=True)
class PrepaidAccountView:
    """One account with its entries, newest first; without ``fee_item_id`` it is for all items."""

    id: int
    house_id: int
    house: str
    fee_item_id: int | None
    item: str
    balance_fen: int
    entries: tuple[PrepaidEntryView, ...]


@dataclass(frozen=True)
class PrepaidAccounts:
    """What houses have paid ahead."""

    unit_of_work: UnitOfWork

    def list_own(self, *, actor: Actor) -> Sequence[PrepaidAccountView]:
        """List the accounts of the signed-in owner's houses, each with its last ten entries.

        Entries of before the house was theirs are not among them.
        """
        actor.must(Permission.VIEW_OWN_BILLS)
        today = local_date(self.unit_of_work.clock.now())
        own = select(HouseBinding.house_id, bought_on().label("since")).where(
            sees_bills_of(HouseBinding.house_id, actor, today)
        )
        with self.unit_of_work.reading() as session:
            since = {row.house_id: row.since for row in session.execute(own)}
            return [
                replace(account, entries=_since(account.entries, since[account.house_id]))
                for account in _read(
                    session, PrepaidAccount.house_id.in_(since), last=_LAST_ENTRIES
                )
            ]

    def show(self, *, actor: Actor, house_id: int) -> Sequence[PrepaidAccountView]:
        """Show staff the accounts of a house with all their entries.

        Raises:
            NotFound: no such house.
        """
        actor.must(Permission.VIEW_HOUSE_MONEY)
        with self.unit_of_work.reading() as session:
            house = session.get(House, house_id)
            if house is None:
                raise NotFound
            must_see(session, actor, community_id=house.community_id, house_id=house_id)
            return _read(session, PrepaidAccount.house_id == house_id, last=None)

    def transfer(
        self,
        *,
        actor: Actor,
        from_account_id: int,
        to_house_id: int,
        to_fee_item_id: int | None = None,
        amount_fen: int,
        reason: str,
        client_key: str,
    ) -> int:
        """Move money to another account of the same community; return that account's id.

        Each of the two entries names the other account. The same key with the same request moves
        it once.

        Raises:
            KeyUsedForOther: the key came before with another request.
            BalanceTooLow: the account holds less.
            InvalidInput: no amount, no reason, or both are the same account.
            NotFound: no such account, or house or item are not of its community.
        """
        actor.must(Permission.MOVE_PREPAID)
        check_key(client_key)
        check_amount_and_reason(amount_fen, reason)

        def work(tx: Transaction) -> int:
            community_id = tx.session.execute(
                select(PrepaidAccount.community_id).where(PrepaidAccount.id == from_account_id)
            ).scalar_one_or_none()
            if community_id is None or not actor.scope.covers(community_id):
                raise NotFound
            claim = claim_key(
                tx,
                subject=staff_subject(actor),
                action=_TRANSFER,
                key=client_key,
                body=(from_account_id, to_house_id, to_fee_item_id, amount_fen, reason),
            )
            _check_target(tx, community_id, to_house_id, to_fee_item_id)
            to_account_id = account_of(
                tx, community_id=community_id, house_id=to_house_id, fee_item_id=to_fee_item_id
            )
            if to_account_id == from_account_id:
                raise InvalidInput(fields={"to_house_id": ["不能转到同一个预存账户"]})
            if not claim.is_known:
                _transfer(tx, actor, from_account_id, to_account_id, amount_fen, reason.strip())
                record(
                    tx,
                    actor,
                    "prepaid_transferred",
                    subject_type="prepaid_account",
                    subject_id=from_account_id,
                    community_id=community_id,
                    facts={
                        "to_account_id": to_account_id,
                        "amount_fen": amount_fen,
                        "reason": reason.strip(),
                    },
                )
            return to_account_id

        return self.unit_of_work.run(work)


def _transfer(
    tx: Transaction,
    actor: Actor,
    from_account_id: int,
    to_account_id: int,
    amount_fen: int,
    reason: str,
) -> None:
    _lock(tx, from_account_id, to_account_id)
    for account_id, other_id, moved_fen in (
        (from_account_id, to_account_id, -amount_fen),
        (to_account_id, from_account_id, amount_fen),
    ):
        move(
            tx,
            account_id=account_id,
            kind=PrepaidMove.TRANSFER,
            amount_fen=moved_fen,
            other_account_id=other_id,
            note=reason,
            staff_id=actor.id,
        )


def _check_target(
    tx: Transaction, community_id: int, house_id: int, fee_item_id: int | None
) -> None:
    house = tx.session.get(House, house_id)
    item = tx.session.get(FeeItem, fee_item_id) if fee_item_id is not None else None
    if house is None or house.community_id != community_id:
        raise NotFound
    if fee_item_id is not None and (item is None or item.community_id != community_id):
        raise NotFound


def _lock(tx: Transaction, *account_ids: int) -> None:
    """Lock accounts by ascending id, so that two opposite transfers do not wait for each other."""
    tx.session.execute(
        select(PrepaidAccount.id)
        .where(PrepaidAccount.id.in_(account_ids))
        .order_by(PrepaidAccount.id)
        .with_for_update()
    ).all()


def _since(entries: tuple[PrepaidEntryView, ...], day: date | None) -> tuple[PrepaidEntryView, ...]:
    return tuple(entry for entry in entries if day is None or local_date(entry.at) >= day)


def _read(
    session: Session, which: ColumnElement[bool], *, last: int | None
) -> list[PrepaidAccountView]:
    accounts = session.execute(
        select(PrepaidAccount, Building.name, House.unit_no, House.room_no, FeeItem.name)
        .join(House, House.id == PrepaidAccount.house_id)
        .join(Building, Building.id == House.building_id)
        .outerjoin(FeeItem, FeeItem.id == PrepaidAccount.fee_item_id)
        .where(which)
        .order_by(PrepaidAccount.house_id, PrepaidAccount.fee_item_id.nulls_first())
    ).all()
    entries = _read_entries(session, [row[0].id for row in accounts], last)
    return [
        PrepaidAccountView(
            id=account.id,
            house_id=account.house_id,
            house=house_label(building, unit_no, room_no),
            fee_item_id=account.fee_item_id,
            item=item or GENERAL,
            balance_fen=account.balance_fen,
            entries=tuple(entries.get(account.id, ())),
        )
        for account, building, unit_no, room_no, item in accounts
    ]


def _read_entries(
    session: Session, account_ids: list[int], last: int | None
) -> dict[int, list[PrepaidEntryView]]:
    nth = (
        func.row_number()
        .over(partition_by=PrepaidEntry.account_id, order_by=PrepaidEntry.id.desc())
        .label("nth")
    )
    ranked = select(PrepaidEntry, nth).where(PrepaidEntry.account_id.in_(account_ids)).subquery()
    query = select(ranked).order_by(ranked.c.id.desc())
    if last is not None:
        query = query.where(ranked.c.nth <= last)
    entries: dict[int, list[PrepaidEntryView]] = {}
    for row in session.execute(query):
        kind = PrepaidMove(row.kind)
        entries.setdefault(row.account_id, []).append(
            PrepaidEntryView(
                id=row.id,
                at=row.created_at,
                kind=kind,
                kind_shown=PREPAID_SHOWN[kind],
                amount_fen=row.amount_fen,
                balance_fen=row.balance_fen,
                note=row.note,
            )
        )
    return entries
