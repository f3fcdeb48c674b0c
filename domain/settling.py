"""Where the money of a payment goes: which bills, what of them, and what is left for prepaid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import NamedTuple


class AllocationKind(StrEnum):
    """What of a bill a piece of money pays."""

    PRINCIPAL = "principal"
    LATE_FEE = "late_fee"


class OpenBill(NamedTuple):
    """A bill with what is outstanding of it; the late fee as of the payment."""

    bill_id: int
    due_date: date
    principal_fen: int
    late_fee_fen: int


class Placement(NamedTuple):
    """A piece of money, above zero, for one part of one bill."""

    bill_id: int
    kind: AllocationKind
    amount_fen: int


def place(
    *,
    amount_fen: int,
    bills: Sequence[OpenBill],
    named: Sequence[int] = (),
    late_fee_first: bool = False,
) -> tuple[list[Placement], int]:
    """Spread a payment over open bills given in any order; return also what is left for prepaid.

    Whoever names bills pays those only, in the order named; the rest is prepaid, not put on other
    bills. Otherwise the earliest due goes first, ties by id. Within a bill the principal goes
    before the late fee, or after it if ``late_fee_first``.

    Raises:
        ValueError: the amount is negative, a bill is given twice or owes less than nothing, or a
            named bill is not among them.

    Source: domain.md D7.
    """
    by_id = {bill.bill_id: bill for bill in bills}
    if len(by_id) < len(bills):
        raise ValueError("a bill was given twice")
    if amount_fen < 0 or any(min(bill.principal_fen, bill.late_fee_fen) < 0 for bill in bills):
        raise ValueError("money to place and to pay is never negative")
    if unknown := set(named) - set(by_id):
        raise ValueError(f"named bills are not open: {sorted(unknown)}")
    if named:
        ordered = [by_id[bill_id] for bill_id in dict.fromkeys(named)]
    else:
        ordered = sorted(bills, key=lambda bill: (bill.due_date, bill.bill_id))
    placements = []
    left_fen = amount_fen
    for bill in ordered:
        for kind, open_fen in _parts(bill, late_fee_first=late_fee_first):
            if taken_fen := min(open_fen, left_fen):
                placements.append(Placement(bill.bill_id, kind, taken_fen))
                left_fen -= taken_fen
    return placements, left_fen


def _parts(bill: OpenBill, *, late_fee_first: bool) -> list[tuple[AllocationKind, int]]:
    parts = [
        (AllocationKind.PRINCIPAL, bill.principal_fen),
        (AllocationKind.LATE_FEE, bill.late_fee_fen),
    ]
    return parts[::-1] if late_fee_first else parts


def say_rule(*, names_bills: bool, late_fee_first: bool) -> str:
    """Say in Chinese by which rule `place` spreads a payment."""
    which = "只抵扣指定的账单，按指定的顺序" if names_bills else "先到期的账单先抵扣"
    within = "先滞纳金、后本金" if late_fee_first else "先本金、后滞纳金"
    return f"{which}；同一张账单{within}；多出的金额转入该房屋的预存账户"
