"""What cashiers say of their drawer, looked at before anything is written."""

from __future__ import annotations

from collections.abc import Mapping

from domain.errors import InvalidInput
from domain.money import MAX_FEN
from domain.payment_states import CHANNEL_SHOWN, PaymentChannel
from services.counter.shift_views import COUNTED_WAYS

NOTE_LENGTHS = range(201)


def check_fen(field: str, fen: int) -> None:
    """Refuse a sum that no drawer can hold.

    Raises:
        InvalidInput: it is below zero or too large.
    """
    if not 0 <= fen <= MAX_FEN:
        raise InvalidInput(fields={field: ["金额应在 0 至 999,999,999.99 元之间"]})


def check_counted(counted_fen: Mapping[PaymentChannel, int], note: str) -> None:
    """Refuse a count that cannot be.

    Raises:
        InvalidInput: no cash is named, a way is none of the counter, a sum or the note is too much.
    """
    problems = {}
    if PaymentChannel.CASH not in counted_fen:
        problems["cash"] = ["请填写清点的现金（含备用金），没有则填 0"]
    for way, fen in counted_fen.items():
        if way not in COUNTED_WAYS:
            problems[str(way)] = ["收款方式应为现金、刷卡、银行转账或支票"]
        elif not 0 <= fen <= MAX_FEN:
            problems[str(way)] = [f"{CHANNEL_SHOWN[way]}金额应在 0 至 999,999,999.99 元之间"]
    if len(note.strip()) not in NOTE_LENGTHS:
        problems["note"] = ["备注最多 200 字"]
    if problems:
        raise InvalidInput(fields=problems)
