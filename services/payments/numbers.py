"""Finding a payment by what is printed somewhere: our number, the channel's, or a receipt's."""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_, select

from models import Payment, Receipt


def has_number(number: str) -> ColumnElement[bool]:
    """Say in SQL that a payment has the number; two communities may each have such a receipt."""
    with_receipt = select(Receipt.payment_id).where(Receipt.receipt_no == number)
    return or_(
        Payment.out_trade_no == number,
        Payment.provider_transaction_id == number,
        Payment.id.in_(with_receipt),
    )
