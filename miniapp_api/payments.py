"""Payments and receipts of the signed-in owner."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, request

from domain.payment_states import PayWay
from miniapp_api.documentation import ApiBlueprint
from miniapp_api.limits import PAYING, PRINTING, limited
from miniapp_api.paging import make_page
from miniapp_api.schemas import (
    IdempotencyHeader,
    PageIn,
    PaymentIn,
    PaymentOut,
    PaymentsOut,
    PrepaidOut,
    ReceiptOut,
    StartedPaymentOut,
)
from miniapp_api.security import actor, own_services, signed_in
from services.payments.order_rows import HowToPay
from services.payments.receipts import ReceiptView
from services.payments.views import PaymentView, StartedPayment

_AFTER_PAYING = "/h5/payments"
"""Where the payer's browser goes after a page of the channel, which proves nothing there."""
_FILE = {"type": "string", "format": "binary"}

bp = ApiBlueprint("payments", __name__, description="缴费与收据")


@bp.route("/payments", methods=["POST"])
@signed_in
@limited(PAYING)
@bp.arguments(IdempotencyHeader, location="headers")
@bp.arguments(PaymentIn)
@bp.response(201, StartedPaymentOut)
@bp.refusals(401, 404, 409, 422, 429, 502, 503)
def start_payment(headers: dict[str, Any], form: dict[str, Any]) -> StartedPayment:
    """Open a payment for what the chosen bills cost today, a top-up, or both.

    The same key with the same request gives the same payment. After 503 call again with the same
    key; after 409 ``payment_ended`` take a new one.
    """
    topup = form.get("topup") or {}
    return own_services().payments.start(
        actor=actor(),
        bill_ids=form.get("bill_ids") or [],
        idempotency_key=headers["idempotency_key"],
        topup_fen=topup.get("amount_fen", 0),
        topup_house_id=topup.get("house_id"),
        how=HowToPay(
            way=PayWay(form["way"]),
            payer_ip=request.remote_addr or "",
            return_url=current_app.config["PUBLIC_BASE_URL"] + _AFTER_PAYING,
        ),
    )


@bp.route("/payments", methods=["GET"])
@signed_in
@bp.arguments(PageIn, location="query")
@bp.response(200, PaymentsOut)
@bp.refusals(401, 422, 503)
def list_payments(query: dict[str, Any]) -> dict[str, Any]:
    """List own payments, newest first."""
    found = own_services().payments.list_own(
        actor=actor(), before_id=query["before_id"], limit=query["limit"] + 1
    )
    return make_page(found, query["limit"])


@bp.route("/payments/<row_id:payment_id>", methods=["GET"])
@signed_in
@bp.response(200, PaymentOut)
@bp.refusals(401, 404, 503)
def show_payment(payment_id: int) -> PaymentView:
    """Show one payment as far as it is booked."""
    return own_services().payments.show(actor=actor(), payment_id=payment_id)


@bp.route("/payments/<row_id:payment_id>/refresh", methods=["POST"])
@signed_in
@limited(PAYING)
@bp.response(200, PaymentOut)
@bp.refusals(401, 404, 429, 502, 503)
def refresh_payment(payment_id: int) -> PaymentView:
    """Ask the channel now, book what it says, and show the payment."""
    return own_services().payments.refresh(actor=actor(), payment_id=payment_id)


@bp.route("/payments/<row_id:payment_id>/cancel", methods=["POST"])
@signed_in
@limited(PAYING)
@bp.response(200, PaymentOut)
@bp.refusals(401, 404, 429, 502, 503)
def cancel_payment(payment_id: int) -> PaymentView:
    """Give an open payment up; if it was paid meanwhile it is booked instead."""
    return own_services().payments.cancel(actor=actor(), payment_id=payment_id)


@bp.route("/prepaid", methods=["GET"])
@signed_in
@bp.response(200, PrepaidOut)
@bp.refusals(401, 503)
def list_prepaid() -> dict[str, Any]:
    """List what own houses have paid ahead, and the last moves of each account."""
    return {"items": own_services().prepaid.list_own(actor=actor())}


@bp.route("/receipts/<number:receipt_no>", methods=["GET"])
@signed_in
@bp.response(200, ReceiptOut)
@bp.refusals(401, 404, 503)
def show_receipt(receipt_no: str) -> ReceiptView:
    """Show a receipt of one's own payment as it was issued."""
    return own_services().receipts.show(actor=actor(), receipt_no=receipt_no)


@bp.route("/receipts/<number:receipt_no>.pdf", methods=["GET"])
@signed_in
@limited(PRINTING)
@bp.response(200, _FILE, content_type="application/pdf")
@bp.refusals(401, 404, 429, 503)
def print_receipt(receipt_no: str) -> Response:
    """Give a receipt of one's own payment as a PDF, with what became of its money since."""
    content = own_services().receipt_prints.write_own(
        actor=actor(), receipt_no=receipt_no, base_url=current_app.config["PUBLIC_BASE_URL"]
    )
    response = Response(content, mimetype="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="{receipt_no}.pdf"'
    response.headers["Cache-Control"] = "private, no-store"
    return response
