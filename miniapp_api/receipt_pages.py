"""The page behind the code on a printed receipt: whether the paper is true."""

from __future__ import annotations

from flask import Blueprint, Response

from domain.errors import NotFound
from domain.money import show_yuan
from miniapp_api.limits import VERIFYING, limited
from miniapp_api.pages import show_page, without_script
from miniapp_api.security import actor, open_to_all, own_services

bp = Blueprint("receipt_pages", __name__)


@bp.get("/r/<door_token:token>")
@open_to_all
@limited(VERIFYING)
def show_receipt(token: str) -> Response:
    """Say whether we issued the receipt, and show what it should say."""
    try:
        receipt = own_services().receipt_prints.verify(actor=actor(), token=token)
    except NotFound:
        return without_script(show_page("receipt_unknown.html", 404))
    return without_script(
        show_page(
            "receipt.html",
            receipt=receipt,
            amount=show_yuan(receipt.amount_fen),
            refunded=show_yuan(receipt.refunded_fen),
        )
    )
