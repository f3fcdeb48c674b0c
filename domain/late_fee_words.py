"""What is remembered of a late fee when it is frozen, and how a late fee is said to people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from domain.charges import trim
from domain.late_fees import LateFee, LateFeeSegment
from domain.money import format_yuan, round_half_up


def write_trace(fee: LateFee, *, as_of: date) -> dict[str, Any]:
    """Write a late fee as JSON; both ends of a segment count."""
    return {
        "method": "late_fee",
        "as_of": as_of.isoformat(),
        "amount_fen": fee.amount_fen,
        "cap_fen": fee.cap_fen,
        "is_capped": fee.is_capped,
        "segments": [
            {
                "from_on": one.from_on.isoformat(),
                "until_on": one.until_on.isoformat(),
                "days": one.days,
                "principal_fen": one.principal_fen,
                "daily_rate": trim(one.daily_rate),
            }
            for one in fee.segments
        ],
    }


def read_trace(trace: Mapping[str, Any]) -> LateFee:
    """Read what `write_trace` wrote."""
    segments = tuple(
        LateFeeSegment(
            date.fromisoformat(one["from_on"]),
            date.fromisoformat(one["until_on"]),
            one["days"],
            one["principal_fen"],
            Decimal(one["daily_rate"]),
        )
        for one in trace["segments"]
    )
    return LateFee(
        trace["amount_fen"],
        trace["cap_fen"],
        trace["is_capped"],
        segments[0].from_on if segments else None,
        segments,
    )


def explain_late_fee(fee: LateFee) -> str:
    """Say in one Chinese sentence how a late fee came about."""
    if not fee.segments:
        return "没有产生滞纳金"
    parts = " + ".join(_say_segment(one) for one in fee.segments)
    if not fee.is_capped:
        return f"{parts} = {format_yuan(fee.amount_fen)} 元"
    uncapped_fen = round_half_up(sum((one.exact_fen for one in fee.segments), start=Fraction(0)))
    uncapped, capped = format_yuan(uncapped_fen), format_yuan(fee.amount_fen)
    return f"{parts} = {uncapped} 元，超过封顶，按封顶 {capped} 元"


def _say_segment(one: LateFeeSegment) -> str:
    return (
        f"{one.from_on.isoformat()} 至 {one.until_on.isoformat()}"
        f" 欠 {format_yuan(one.principal_fen)} 元 × 每日 {trim(one.daily_rate * 100)}%"
        f" × {one.days} 天"
    )
