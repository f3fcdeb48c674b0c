"""What a shift shows: of one that was counted its entries and figures, before that neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, func, literal, select, union_all
from sqlalchemy.orm import Session

from domain.money import show_yuan
from domain.payment_states import CHANNEL_SHOWN, PaymentChannel
from domain.refund_states import RefundKind, RefundState
from domain.shifts import SHIFT_SHOWN, ShiftState
from models import CashierShift, Payment, Receipt, Refund, ShiftCount, Staff

COUNTED_WAYS = (
    PaymentChannel.CASH,
    PaymentChannel.CARD,
    PaymentChannel.BANK_TRANSFER,
    PaymentChannel.CHEQUE,
)
_IS_COUNTED = (ShiftState.CLOSED, ShiftState.HANDED_OVER)
LIST_CAP = 200


@dataclass(frozen=True, slots=True)
class CountView:
    """One way of paying: what should be there, what was counted, and how they differ.

    Cash holds the float. A difference above zero is too much money, below zero too little.
    """

    channel: PaymentChannel
    expected_fen: int
    counted_fen: int

    @property
    def difference_fen(self) -> int:
        """Counted less expected."""
        return self.counted_fen - self.expected_fen


@dataclass(frozen=True, slots=True)
class EntryView:
    """Money that went through a shift; below zero it went out.

    ``number`` is the receipt's, or of money out the refund's.
    """

    at: datetime
    kind_shown: str
    channel: PaymentChannel
    amount_fen: int
    number: str
    payer_name: str


@dataclass(frozen=True, slots=True)
class ShiftView:
    """A shift; ``counts`` and ``entries`` stay empty until it was counted."""

    id: int
    community_id: int
    staff_id: int
    cashier: str
    state: ShiftState
    opened_at: datetime
    float_fen: int
    closed_at: datetime | None
    note: str
    taken_over_by: str
    taken_over_at: datetime | None
    counts: tuple[CountView, ...] = ()
    entries: tuple[EntryView, ...] = ()

    @property
    def state_shown(self) -> str:
        """The state in Chinese."""
        return SHIFT_SHOWN[self.state]

    @property
    def differs(self) -> bool:
        """Whether any way of paying was counted with another sum than expected."""
        return any(count.difference_fen for count in self.counts)

    @property
    def needs_note(self) -> bool:
        """Whether a difference was not explained yet."""
        return self.differs and not self.note


def say_differences(counts: Sequence[CountView]) -> str:
    """Say which ways differ and by how much: 现金短款 ¥5.00."""
    return "，".join(
        f"{CHANNEL_SHOWN[one.channel]}{'长款' if one.difference_fen > 0 else '短款'} "
        f"{show_yuan(abs(one.difference_fen))}"
        for one in counts
        if one.difference_fen
    )


def read_shifts(
    session: Session, *which: ColumnElement[bool], with_entries: bool = False
) -> list[ShiftView]:
    """Read shifts, newest first, at most `LIST_CAP`, with the counts of those that have some."""
    rows = session.execute(
        select(CashierShift, Staff.name)
        .join(Staff, Staff.id == CashierShift.staff_id)
        .where(*which)
        .order_by(CashierShift.id.desc())
        .limit(LIST_CAP)
        .execution_options(populate_existing=True)
    ).all()
    names = _read_names(session, [shift.taken_over_by_staff_id for shift, _ in rows])
    counts = _read_counts(session, [shift.id for shift, _ in rows])
    return [
        ShiftView(
            id=shift.id,
            community_id=shift.community_id,
            staff_id=shift.staff_id,
            cashier=cashier,
            state=ShiftState(shift.state),
            opened_at=shift.opened_at,
            float_fen=shift.float_fen,
            closed_at=shift.closed_at,
            note=shift.note,
            taken_over_by=names.get(shift.taken_over_by_staff_id or 0, ""),
            taken_over_at=shift.taken_over_at,
            counts=tuple(counts.get(shift.id, ())),
            entries=_read_entries(session, shift.id)
            if with_entries and shift.state in _IS_COUNTED
            else (),
        )
        for shift, cashier in rows
    ]


def _read_names(session: Session, staff_ids: Sequence[int | None]) -> dict[int, str]:
    found = select(Staff.id, Staff.name).where(Staff.id.in_(set(staff_ids)))
    return dict(session.execute(found).all())


def read_expected(session: Session, shift_id: int) -> dict[PaymentChannel, int]:
    """Reckon what should be there of each way of paying: float + in − out."""
    moved = _moves(shift_id).subquery()
    sums = {
        channel: int(amount_fen)
        for channel, amount_fen in session.execute(
            select(moved.c.channel, func.sum(moved.c.amount_fen)).group_by(moved.c.channel)
        )
    }
    float_fen = session.execute(
        select(CashierShift.float_fen).where(CashierShift.id == shift_id)
    ).scalar_one()
    return {
        way: sums.get(way, 0) + (float_fen if way is PaymentChannel.CASH else 0)
        for way in COUNTED_WAYS
    }


def _moves(shift_id: int) -> CompoundSelect[Any]:
    """Give every move of money through a shift; what goes out is below zero."""
    came = (
        select(
            Payment.booked_at.label("at"),
            literal("收款").label("kind"),
            Payment.channel,
            Payment.amount_fen,
            func.coalesce(Receipt.receipt_no, Payment.out_trade_no).label("number"),
            Payment.payer_name,
        )
        .outerjoin(Receipt, Receipt.payment_id == Payment.id)
        .where(Payment.shift_id == shift_id)
    )
    went = select(
        Refund.refunded_at,
        func.coalesce(func.nullif(Refund.kind, RefundKind.REVERSAL), "冲红"),
        Refund.channel,
        -Refund.amount_fen,
        Refund.refund_no,
        Refund.payee_name,
    ).where(Refund.shift_id == shift_id, Refund.state == RefundState.SUCCEEDED)
    return union_all(came, went)


_KIND_SHOWN = {
    RefundKind.PAYMENT: "退款",
    RefundKind.PREPAID: "退预存",
    RefundKind.DEPOSIT: "退押金",
}


def _read_entries(session: Session, shift_id: int) -> tuple[EntryView, ...]:
    moved = _moves(shift_id).subquery()
    rows = session.execute(select(moved).order_by(moved.c.at, moved.c.number))
    return tuple(
        EntryView(
            at=at,
            kind_shown=_KIND_SHOWN.get(kind, kind),
            channel=PaymentChannel(channel),
            amount_fen=int(amount_fen),
            number=number,
            payer_name=payer_name,
        )
        for at, kind, channel, amount_fen, number, payer_name in rows
    )


def _read_counts(session: Session, shift_ids: Sequence[int]) -> dict[int, list[CountView]]:
    rows = session.scalars(select(ShiftCount).where(ShiftCount.shift_id.in_(shift_ids)))
    found: dict[int, list[CountView]] = {}
    for row in sorted(rows, key=lambda one: COUNTED_WAYS.index(PaymentChannel(one.channel))):
        view = CountView(PaymentChannel(row.channel), row.expected_fen, row.counted_fen)
        found.setdefault(row.shift_id, []).append(view)
    return found
