"""Transfers that were made: what was parted between the two parties, and undoing a mistake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission, staff_id_of
from domain.errors import Conflict, NotFound
from domain.periods import Span, local_date
from domain.transfers import Side
from models import (
    Allocation,
    ApprovalRequest,
    Bill,
    BillLock,
    FeeItem,
    House,
    HouseBinding,
    HousePerson,
    HouseTransfer,
    Owner,
    TransferDebt,
    TransferParty,
    TransferShare,
)
from services.audit import record
from services.people.endings import end_bindings
from services.reasons import check_reason
from services.scopes import houses_in_scope, lock_house
from services.unit_of_work import Transaction, UnitOfWork


class TransferHasConsequences(Conflict):
    """Something rests on the transfer, or it is of an earlier day: it stays."""

    code = "transfer_has_consequences"
    message = "过户之后已有缴费或其他变化，或已不是当天，不能撤销，请再办理一次过户"


@dataclass(frozen=True, slots=True)
class ShareView:
    """How a bill parts; seller and buyer add up to the amount."""

    bill_id: int
    bill_no: str
    item: str
    period: Span
    amount_fen: int
    seller_days: int
    buyer_days: int
    seller_fen: int
    buyer_fen: int
    is_sellers_debt: bool


@dataclass(frozen=True, slots=True)
class TransferView:
    """A transfer with the statement for its two parties."""

    id: int
    house_id: int
    cut_on: date
    sellers: Sequence[str]
    buyers: Sequence[str]
    unpaid: str
    prepaid: str
    reason: str
    made_at: datetime
    undone_at: datetime | None
    shares: Sequence[ShareView]
    debt_bill_ids: Sequence[int]
    refund_request_ids: Sequence[int]


@dataclass(frozen=True)
class TransferRecords:
    """Shows and undoes transfers."""

    unit_of_work: UnitOfWork

    def list_transfers(self, *, actor: Actor, house_id: int) -> Sequence[TransferView]:
        """List the transfers of a house, newest first, undone ones too.

        Raises:
            NotFound: no such house.
        """
        actor.must(Permission.VIEW_OWNERS)
        with self.unit_of_work.snapshot() as session:
            found = session.scalars(
                select(House.id).where(House.id == house_id, houses_in_scope(actor))
            ).first()
            if found is None:
                raise NotFound
            rows = session.scalars(
                select(HouseTransfer)
                .where(HouseTransfer.house_id == house_id)
                .order_by(HouseTransfer.id.desc())
            ).all()
            return [_read_view(session, row) for row in rows]

    def undo(self, *, actor: Actor, transfer_id: int, reason: str) -> None:
        """Take a transfer of today back that was made by mistake.

        Parts and bindings are as before; the statement stays on file as undone. A request to pay
        prepaid money back that nobody decided yet stays for its approver to reject.

        Raises:
            NotFound: no such transfer.
            TransferHasConsequences: it is of an earlier day or undone, something was paid or is
                being paid since, a refund was decided, or the people changed.
            InvalidInput: no reason.
        """
        actor.must(Permission.TRANSFER_HOUSES)
        actor.must_be_fresh()
        check_reason(reason)
        staff_id = staff_id_of(actor)

        def work(tx: Transaction) -> None:
            house_id = tx.session.execute(
                select(HouseTransfer.house_id).where(HouseTransfer.id == transfer_id)
            ).scalar_one_or_none()
            if house_id is None:
                raise NotFound
            house = lock_house(tx, actor, house_id)
            row = tx.session.get_one(HouseTransfer, transfer_id, with_for_update=True)
            if _has_consequences(tx, row):
                raise TransferHasConsequences
            _put_back(tx, actor, row)
            row.undone_at, row.undone_by_staff_id = tx.now, staff_id
            record(
                tx,
                actor,
                "house_transfer_undone",
                subject_type="house",
                subject_id=house.id,
                community_id=house.community_id,
                facts={
                    "before": {"transfer_id": row.id, "cut_on": row.cut_on.isoformat()},
                    "after": None,
                    "reason": reason.strip(),
                },
            )

        self.unit_of_work.run(work)


def _read_view(session: Session, row: HouseTransfer) -> TransferView:
    parties = session.execute(
        select(TransferParty.side, Owner.name)
        .join(Owner, Owner.id == TransferParty.owner_id)
        .where(TransferParty.transfer_id == row.id)
        .order_by(Owner.id)
    ).all()
    debts = session.scalars(
        select(TransferDebt.bill_id)
        .where(TransferDebt.transfer_id == row.id)
        .order_by(TransferDebt.bill_id)
    ).all()
    return TransferView(
        row.id,
        row.house_id,
        row.cut_on,
        tuple(name for side, name in parties if side == Side.SELLER),
        tuple(name for side, name in parties if side == Side.BUYER),
        row.unpaid,
        row.prepaid,
        row.reason,
        row.made_at,
        row.undone_at,
        _read_shares(session, row.id, debts),
        tuple(debts),
        tuple(row.done.get("requests", ())),
    )


def _read_shares(session: Session, transfer_id: int, debts: Sequence[int]) -> tuple[ShareView, ...]:
    rows = session.execute(
        select(TransferShare, Bill.bill_no, FeeItem.name, Bill.period_from, Bill.period_until)
        .join(Bill, Bill.id == TransferShare.bill_id)
        .join(FeeItem, FeeItem.id == Bill.fee_item_id)
        .where(TransferShare.transfer_id == transfer_id)
        .order_by(Bill.period_from, Bill.id)
    ).all()
    return tuple(
        ShareView(
            share.bill_id,
            bill_no,
            item,
            Span(period_from, period_until),
            share.amount_fen,
            share.seller_days,
            share.buyer_days,
            share.seller_fen,
            share.buyer_fen,
            share.bill_id in debts,
        )
        for share, bill_no, item, period_from, period_until in rows
    )


def _has_consequences(tx: Transaction, row: HouseTransfer) -> bool:
    if row.undone_at is not None or local_date(row.made_at) != local_date(tx.now):
        return True
    of_house = select(Bill.id).where(Bill.house_id == row.house_id)
    paid = select(Allocation.id).where(
        Allocation.bill_id.in_(of_house), Allocation.created_at >= row.made_at
    )
    in_payment = select(BillLock.bill_id).where(BillLock.bill_id.in_(of_house))
    decided = select(ApprovalRequest.id).where(
        ApprovalRequest.id.in_(row.done.get("requests", [])), ApprovalRequest.state != "requested"
    )
    later = select(HouseTransfer.id).where(
        HouseTransfer.house_id == row.house_id,
        HouseTransfer.id > row.id,
        HouseTransfer.undone_at.is_(None),
    )
    for query in (paid, in_payment, decided, later):
        if tx.session.scalars(query.limit(1)).first() is not None:
            return True
    return not _is_as_left(tx, row)


def _is_as_left(tx: Transaction, row: HouseTransfer) -> bool:
    """Tell whether the people of the house are still those that the transfer left."""
    added = row.done["added"]
    left = tx.session.scalars(
        select(HousePerson.id).where(HousePerson.id.in_(added), HousePerson.person_until.is_(None))
    ).all()
    ended = [id_ for id_, _ in row.done["ended"]]
    as_ended = tx.session.scalars(
        select(HousePerson.id).where(
            HousePerson.id.in_(ended), HousePerson.person_until == row.cut_on
        )
    ).all()
    return len(left) == len(added) and len(as_ended) == len(ended)


def _put_back(tx: Transaction, actor: Actor, row: HouseTransfer) -> None:
    added = HousePerson.id.in_(row.done["added"])
    buyers = tx.session.scalars(select(HousePerson.owner_id).where(added)).all()
    stayed = tx.session.scalars(
        select(HousePerson.owner_id).where(
            HousePerson.id.in_([id_ for id_, _ in row.done["ended"]]),
            HousePerson.owner_id.in_(buyers),
        )
    ).all()
    end_bindings(
        tx,
        actor,
        (HouseBinding.house_id == row.house_id)
        & HouseBinding.owner_id.in_([id_ for id_ in buyers if id_ not in stayed])
        & (HouseBinding.created_at >= row.made_at),
        because="transfer",
    )
    tx.session.execute(delete(HousePerson).where(added))
    for id_, until in row.done["ended"]:
        tx.session.execute(
            update(HousePerson)
            .where(HousePerson.id == id_)
            .values(person_until=date.fromisoformat(until) if until else None)
        )
    live = select(HouseBinding.account_id).where(
        HouseBinding.house_id == row.house_id, HouseBinding.status == "active"
    )
    tx.session.execute(
        update(HouseBinding)
        .where(HouseBinding.id.in_(row.done["bindings"]), HouseBinding.account_id.not_in(live))
        .values(status="active", ended_at=None, ended_because="")
    )
    tx.session.execute(delete(TransferDebt).where(TransferDebt.transfer_id == row.id))
