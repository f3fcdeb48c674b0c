"""Money that moves: orders, evidence, payments, allocations, suspense."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.payment_states import OrderState, PaymentChannel, PayWay
from domain.settling import AllocationKind
from models.base import BigId, Fen, Instant, Model, Words, one_of


class PaymentOrder(Model):
    """Our intent to be paid, written before the channel is called; ``out_trade_no`` is ours."""

    __tablename__ = "payment_order"
    __table_args__ = (
        one_of("state", OrderState),
        one_of("way", PayWay),
        CheckConstraint(
            "account_id IS NOT NULL OR pay_code_id IS NOT NULL AND visit_sha256 IS NOT NULL",
            name="somebody_pays",
        ),
        CheckConstraint("amount_fen > 0", name="amount_fen_positive"),
        CheckConstraint("topup_fen >= 0", name="topup_fen_range"),
        CheckConstraint("(topup_fen > 0) = (topup_house_id IS NOT NULL)", name="topup_of_a_house"),
        UniqueConstraint("out_trade_no"),
        Index("ix_payment_order_account_id", "account_id", "id"),
        Index(
            "ix_payment_order_query_at",
            "query_at",
            postgresql_where=text("query_at IS NOT NULL"),
        ),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    account_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("account.id"))
    """Who pays, if they are signed in; anybody may pay by the code on a door."""
    pay_code_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("pay_code.id"))
    visit_sha256: Mapped[str | None]
    """Hash of what a payer at a door holds to see what became of it."""
    channel: Mapped[Words]
    way: Mapped[Words] = mapped_column(server_default=PayWay.MINIAPP)
    mchid: Mapped[Words]
    appid: Mapped[Words]
    openid: Mapped[Words]
    payer_ip: Mapped[Words] = mapped_column(server_default="")
    out_trade_no: Mapped[Words]
    description: Mapped[Words]
    state: Mapped[Words]
    amount_fen: Mapped[Fen]
    ticket: Mapped[str | None]
    """What the channel gave to pay with: a prepay_id, a QR code's text or a page's address."""
    refused_because: Mapped[Words] = mapped_column(server_default="")
    created_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]
    query_at: Mapped[Instant | None]
    """When the sweep asks the channel next; none once the channel's last word is known."""
    query_count: Mapped[int] = mapped_column(server_default="0")
    paid_seen_at: Mapped[Instant | None]
    """When the channel first said that it was paid: by then it should be booked."""
    topup_fen: Mapped[Fen] = mapped_column(server_default="0")
    """What of the amount goes to the prepaid account of ``topup_house_id``."""
    topup_house_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("house.id"))


class PaymentOrderBill(Model):
    """What an order means to pay of a bill, as quoted when it was opened; fixed for its life.

    ``discount_fen`` is taken off the bill for early payment once the money is there.
    """

    __tablename__ = "payment_order_bill"
    __table_args__ = (
        CheckConstraint(
            "amount_fen >= 0 AND late_fee_fen >= 0 AND discount_fen >= 0", name="parts_range"
        ),
    )

    order_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("payment_order.id"), primary_key=True
    )
    bill_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("bill.id"), primary_key=True)
    amount_fen: Mapped[Fen]
    late_fee_fen: Mapped[Fen] = mapped_column(server_default="0")
    discount_fen: Mapped[Fen] = mapped_column(server_default="0")
    discount_rule_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("discount_rule.id"))


class BillLock(Model):
    """A bill that an open order is about to pay: "in payment" is this row, not a state."""

    __tablename__ = "bill_lock"
    __table_args__ = (Index("ix_bill_lock_order_id", "order_id"),)

    bill_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("bill.id"), primary_key=True)
    order_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("payment_order.id"))


class IdempotencyKey(Model):
    """A client's key for one act; a second call with the same body gets the stored answer."""

    __tablename__ = "idempotency_key"
    __table_args__ = (UniqueConstraint("subject", "action", "key", name="uq_idempotency_key_key"),)

    id: Mapped[BigId]
    subject: Mapped[Words]
    action: Mapped[Words]
    key: Mapped[Words]
    body_sha256: Mapped[Words]
    order_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("payment_order.id"))
    payment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("payment.id"))
    created_at: Mapped[Instant]


class PlatformNotice(Model):
    """Evidence of everything a platform, or somebody posing as one, posted to us.

    Written before anything is decided; ``verdict`` is filled in after. ``dedup_key`` is set on
    what was taken, so that the second copy finds the first.
    """

    __tablename__ = "platform_notice"
    __table_args__ = (
        Index("ix_platform_notice_received_at", "source", "received_at"),
        Index(
            "ix_platform_notice_out_trade_no",
            "out_trade_no",
            postgresql_where=text("out_trade_no IS NOT NULL"),
        ),
        Index(
            "uq_platform_notice_dedup_key",
            "source",
            "dedup_key",
            unique=True,
            postgresql_where=text("dedup_key IS NOT NULL"),
        ),
    )

    id: Mapped[BigId]
    source: Mapped[Words]
    received_at: Mapped[Instant]
    remote_ip: Mapped[Words]
    headers: Mapped[dict[str, str]] = mapped_column(JSONB)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    """The raw bytes, cut after the size limit of the endpoint."""
    body_size: Mapped[int] = mapped_column(BigInteger)
    body_sha256: Mapped[Words]
    verdict: Mapped[Words]
    dedup_key: Mapped[str | None]
    out_trade_no: Mapped[str | None]
    """The order that a notice which we could read is about."""
    request_id: Mapped[Words]


class Payment(Model):
    """Money that a channel or a cashier took, once per transaction. Never changed.

    Money that fits no order is of no community. Over the counter ``provider_transaction_id`` and
    ``out_trade_no`` are our own number. A payment from a prepaid account or a deposit moves money
    that we hold already.
    """

    __tablename__ = "payment"
    __table_args__ = (
        UniqueConstraint(
            "channel", "mchid", "provider_transaction_id", name="uq_payment_provider_transaction_id"
        ),
        CheckConstraint("amount_fen > 0", name="amount_fen_positive"),
        one_of("channel", PaymentChannel),
        Index("ix_payment_order_id", "order_id"),
        Index("ix_payment_community_id", "community_id", "paid_at"),
        Index("ix_payment_shift_id", "shift_id", postgresql_where=text("shift_id IS NOT NULL")),
    )

    id: Mapped[BigId]
    community_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("community.id"))
    order_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("payment_order.id"))
    channel: Mapped[Words]
    mchid: Mapped[Words]
    provider_transaction_id: Mapped[Words]
    out_trade_no: Mapped[Words]
    amount_fen: Mapped[Fen]
    paid_at: Mapped[Instant]
    booked_at: Mapped[Instant]
    house_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("house.id"))
    taken_by_staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    shift_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("cashier_shift.id"))
    payer_name: Mapped[Words] = mapped_column(server_default="")
    voucher_no: Mapped[Words] = mapped_column(server_default="")
    note: Mapped[Words] = mapped_column(server_default="")


class Allocation(Model):
    """What part of a payment pays which line, or the late fee of a bill.

    Append-only: a reversal is a negative row.
    """

    __tablename__ = "allocation"
    __table_args__ = (
        ForeignKeyConstraint(["bill_id", "line_no"], ["bill_line.bill_id", "bill_line.line_no"]),
        CheckConstraint("amount_fen <> 0", name="amount_fen_not_zero"),
        one_of("kind", AllocationKind),
        CheckConstraint("(kind = 'principal') = (line_no IS NOT NULL)", name="principal_of_a_line"),
        Index("ix_allocation_bill_id", "bill_id"),
        Index("ix_allocation_payment_id", "payment_id"),
    )

    id: Mapped[BigId]
    payment_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("payment.id"))
    bill_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("bill.id"))
    line_no: Mapped[int | None]
    kind: Mapped[Words]
    amount_fen: Mapped[Fen]
    refund_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("refund.id"))
    """Of a negative row: the refund or reversal that took the money back."""
    created_at: Mapped[Instant]


class Suspense(Model):
    """Money we hold that fits nothing yet; a `StaffTask` asks a person to place it."""

    __tablename__ = "suspense"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount_fen_positive"),
        Index("ix_suspense_payment_id", "payment_id"),
    )

    id: Mapped[BigId]
    payment_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("payment.id"))
    amount_fen: Mapped[Fen]
    reason: Mapped[Words]
    created_at: Mapped[Instant]


class ChannelCall(Model):
    """One call to a channel about an order or a refund, and what came of it. Append-only."""

    __tablename__ = "channel_call"
    __table_args__ = (
        CheckConstraint("num_nonnulls(order_id, refund_id) = 1", name="about_one"),
        Index("ix_channel_call_order_id", "order_id"),
        Index("ix_channel_call_refund_id", "refund_id"),
    )

    id: Mapped[BigId]
    order_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("payment_order.id"))
    refund_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("refund.id"))
    what: Mapped[Words]
    outcome: Mapped[Words]
    """The channel's word, such as NOTPAY; ``unavailable`` when there was no usable answer."""
    took_ms: Mapped[int]
    at: Mapped[Instant]


class StaffTask(Model):
    """Something a person must look at; one open task per kind and subject."""

    __tablename__ = "staff_task"
    __table_args__ = (
        Index(
            "uq_staff_task_open",
            "kind",
            "subject",
            unique=True,
            postgresql_where=text("done_at IS NULL"),
        ),
    )

    id: Mapped[BigId]
    community_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("community.id"))
    kind: Mapped[Words]
    subject: Mapped[Words]
    title: Mapped[Words]
    created_at: Mapped[Instant]
    done_at: Mapped[Instant | None]
