"""Money that fits nothing: kept in suspense, and placed from there by the community's policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from domain.actors import Actor
from domain.money import show_yuan
from domain.payment_states import ONLINE
from domain.prepaid import PrepaidMove
from domain.refund_states import RefundKind, RefundSource, ResolutionKind, SurplusPolicy
from models import Community, Payment, Suspense, SuspenseResolution
from services.audit import record
from services.payments.meant import Surplus
from services.payments.receipts import HeldFor, topup_of
from services.payments.refund_rows import Part, begin_refund
from services.prepaid.ledger import account_of, move
from services.tasks import open_task
from services.unit_of_work import Transaction


@dataclass
class PlacedSurplus:
    """What became of surplus by itself."""

    held: list[HeldFor] = field(default_factory=list)
    refunded_fen: int = 0

    @property
    def prepaid_fen(self) -> int:
        """What went to prepaid accounts."""
        return sum(one.amount_fen for one in self.held)


def keep_surplus(tx: Transaction, payment: Payment, surpluses: Sequence[Surplus]) -> PlacedSurplus:
    """Write surplus to suspense, and move it on as the community's policy says.

    What goes to prepaid is to stand on the receipt; a refund is written and sent after the commit.

    Source: domain.md D5 rule 6; reliability.md M6.
    """
    placed = PlacedSurplus()
    policy = _policy(tx, payment)
    to_refund: list[Part] = []
    for surplus in surpluses:
        suspense = Suspense(
            payment_id=payment.id,
            amount_fen=surplus.amount_fen,
            reason=surplus.reason,
            created_at=tx.now,
        )
        tx.session.add(suspense)
        tx.session.flush()
        if surplus.house_id is None:
            continue  # whose it is, nobody knows: a person looks at it
        if policy is SurplusPolicy.PREPAID:
            resolve_to_prepaid(tx, payment, suspense, surplus.house_id, surplus.amount_fen)
            placed.held.append(topup_of(surplus.house_id, surplus.amount_fen))
        elif policy is SurplusPolicy.REFUND and payment.channel in ONLINE:
            part = Part(RefundSource.SUSPENSE, surplus.amount_fen, suspense_id=suspense.id)
            to_refund.append(part)
    if to_refund:
        begin_refund(tx, payment, to_refund, kind=RefundKind.PAYMENT, reason="重复缴费，原路退回")
        placed.refunded_fen = sum(part.amount_fen for part in to_refund)
    return placed


def resolve_to_prepaid(
    tx: Transaction,
    payment: Payment,
    suspense: Suspense,
    house_id: int,
    amount_fen: int,
    *,
    community_id: int | None = None,
    staff_id: int | None = None,
    note: str = "多缴转预存",
) -> None:
    """Move money from suspense to the prepaid account of a house of the payment's community.

    Money that fits no order has none: then ``community_id`` says whose the house is.
    """
    community_id = payment.community_id or community_id
    if community_id is None:
        raise ValueError("money of no community has no prepaid account")
    account_id = account_of(tx, community_id=community_id, house_id=house_id)
    move(
        tx,
        account_id=account_id,
        kind=PrepaidMove.TOPUP,
        amount_fen=amount_fen,
        payment_id=payment.id,
        note=note,
        staff_id=staff_id,
    )
    tx.session.add(
        SuspenseResolution(
            suspense_id=suspense.id,
            kind=ResolutionKind.PREPAID,
            amount_fen=amount_fen,
            account_id=account_id,
            note=note,
            staff_id=staff_id,
            created_at=tx.now,
        )
    )


def tell_of_surplus(
    tx: Transaction,
    actor: Actor,
    payment: Payment,
    surpluses: Sequence[Surplus],
    placed: PlacedSurplus,
) -> None:
    """Put surplus on the record and before a person, whatever became of it."""
    record(
        tx,
        actor,
        "payment_in_suspense",
        subject_type="payment",
        subject_id=payment.id,
        community_id=payment.community_id,
        facts={
            "out_trade_no": payment.out_trade_no,
            "reasons": [surplus.reason for surplus in surpluses],
            "prepaid_fen": placed.prepaid_fen,
            "refunded_fen": placed.refunded_fen,
        },
    )
    open_task(
        tx,
        kind="money_in_suspense",
        subject=f"payment:{payment.id}",
        title=_say(payment, placed),
        community_id=payment.community_id,
    )


def _say(payment: Payment, placed: PlacedSurplus) -> str:
    number = payment.out_trade_no
    if placed.prepaid_fen:
        return f"订单 {number} 多收 {show_yuan(placed.prepaid_fen)}，已转入该房屋预存，请知悉"
    if placed.refunded_fen:
        return f"订单 {number} 多收 {show_yuan(placed.refunded_fen)}，正在原路退回，请知悉"
    return f"收到一笔无法入账的款项（订单 {number}），请核实后处理"


def _policy(tx: Transaction, payment: Payment) -> SurplusPolicy:
    if payment.community_id is None:
        return SurplusPolicy.ASK
    return SurplusPolicy(
        tx.session.execute(
            select(Community.surplus_policy).where(Community.id == payment.community_id)
        ).scalar_one()
    )
