"""Every move of what a house owes and of what is held for it, read from the rows that caused it.

No balance is looked up: each is the sum of the moves before it, so that it can be checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from domain.houses import house_label
from domain.payment_states import CHANNEL_SHOWN, PaymentChannel
from domain.periods import Span
from domain.prepaid import DEPOSIT_SHOWN, PREPAID_SHOWN, DepositMove, PrepaidMove

GENERAL = "通用"


class AccountKind(StrEnum):
    """What an account of a statement holds."""

    BILLS = "bills"
    PREPAID = "prepaid"
    DEPOSIT = "deposit"


class EntryKind(StrEnum):
    """What moved what a house owes, in the order of a day."""

    BILL = "bill"
    DISCOUNT = "discount"
    WAIVER = "waiver"
    LATE_FEE = "late_fee"
    LATE_FEE_WAIVER = "late_fee_waiver"
    PAYMENT = "payment"
    LATE_FEE_PAYMENT = "late_fee_payment"
    REVERSAL = "reversal"
    RESTORED = "restored"
    VOID = "void"
    WRITE_OFF = "write_off"


ENTRY_SHOWN = {
    EntryKind.BILL: "账单",
    EntryKind.DISCOUNT: "提前缴费优惠",
    EntryKind.WAIVER: "减免",
    EntryKind.LATE_FEE: "滞纳金",
    EntryKind.LATE_FEE_WAIVER: "滞纳金减免",
    EntryKind.PAYMENT: "缴费",
    EntryKind.LATE_FEE_PAYMENT: "缴滞纳金",
    EntryKind.REVERSAL: "退款",
    EntryKind.RESTORED: "收回提前缴费优惠",
    EntryKind.VOID: "作废",
    EntryKind.WRITE_OFF: "核销",
}


@dataclass(frozen=True, slots=True)
class StatementEntry:
    """One move: ``amount_fen`` above zero adds to the balance; ``number`` is on its paper."""

    on: date
    kind: str
    words: str
    number: str
    amount_fen: int
    balance_fen: int


@dataclass(frozen=True, slots=True)
class StatementAccount:
    """What is owed, or what is held, from the start of the first day to the end of the last."""

    kind: AccountKind
    name: str
    opening_fen: int
    entries: tuple[StatementEntry, ...]

    @property
    def added_fen(self) -> int:
        """What the moves added, together."""
        return sum(entry.amount_fen for entry in self.entries if entry.amount_fen > 0)

    @property
    def taken_fen(self) -> int:
        """What the moves took away, together; never negative."""
        return -sum(entry.amount_fen for entry in self.entries if entry.amount_fen < 0)

    @property
    def closing_fen(self) -> int:
        """The balance when the last day ended."""
        return self.entries[-1].balance_fen if self.entries else self.opening_fen


def read_accounts(
    session: Session,
    *,
    house_id: int,
    from_on: date,
    until_on: date,
    hidden: Sequence[int] = (),
) -> tuple[StatementAccount, ...]:
    """Read all accounts of a house over two days and those between, what it owes first.

    What is held is left out where nothing was there and nothing moved; so are the bills whose ids
    are ``hidden``.
    """
    values = {
        "house_id": house_id,
        "from_on": from_on,
        "until_on": until_on,
        "hidden": list(hidden),
    }
    owed = _Adding(AccountKind.BILLS, "应缴费用")
    for row in session.execute(_OWED, values).mappings():
        owed.take(row, row["kind"], _say_owed, row["number"])
    held: dict[tuple[AccountKind, int], _Adding] = {}
    for row in session.execute(_PREPAID, values).mappings():
        key = (AccountKind.PREPAID, row["account_id"])
        account = held.setdefault(key, _Adding(key[0], f"预存（{row['name'] or GENERAL}）"))
        account.take(row, row["kind"], _say_prepaid, row["number"])
    for row in session.execute(_DEPOSITS, values).mappings():
        key = (AccountKind.DEPOSIT, row["account_id"])
        account = held.setdefault(key, _Adding(key[0], f"押金（{row['name']}）"))
        account.take(row, row["kind"], _say_deposit, row["number"])
    return (owed.done(), *_with_something(account.done() for account in held.values()))


class _Adding:
    """An account while its moves are added up."""

    def __init__(self, kind: AccountKind, name: str) -> None:
        self._kind = kind
        self._name = name
        self._opening_fen = 0
        self._balance_fen = 0
        self._entries: list[StatementEntry] = []

    def take(self, row: Any, kind: str | None, say: Any, number: str | None) -> None:
        """Add a move; one without a day is all that was before."""
        amount_fen = int(row["amount_fen"])
        self._balance_fen += amount_fen
        if kind is None:
            self._opening_fen = amount_fen
            return
        self._entries.append(
            StatementEntry(
                row["on_day"], kind, say(row), number or "", amount_fen, self._balance_fen
            )
        )

    def done(self) -> StatementAccount:
        return StatementAccount(self._kind, self._name, self._opening_fen, tuple(self._entries))


def _with_something(accounts: Iterable[StatementAccount]) -> list[StatementAccount]:
    return [account for account in accounts if account.opening_fen or account.entries]


def _say_owed(row: Any) -> str:
    what = f"{row['item']} {_say_period(Span(row['period_from'], row['period_until']))}"
    word = ENTRY_SHOWN[EntryKind(row["kind"])]
    if row["channel"]:
        word += f"（{CHANNEL_SHOWN[PaymentChannel(row['channel'])]}）"
    return what if row["kind"] == EntryKind.BILL else f"{word}：{what}"


def _say_period(period: Span) -> str:
    """Write whole months as months: the most of a column is for the item."""
    if (period.starts_on.day, period.ends_before.day) != (1, 1):
        return str(period)
    first, last = f"{period.starts_on:%Y-%m}", f"{period.last_day:%Y-%m}"
    return first if first == last else f"{first} ~ {last}"


def _say_prepaid(row: Any) -> str:
    words = PREPAID_SHOWN[PrepaidMove(row["kind"])]
    if row["channel"] and row["kind"] == PrepaidMove.TOPUP:
        words += f"（{CHANNEL_SHOWN[PaymentChannel(row['channel'])]}）"
    if row["other_building"]:
        direction = "转入自" if row["amount_fen"] > 0 else "转出至"
        house = house_label(row["other_building"], row["other_unit_no"], row["other_room_no"])
        words += f"（{direction} {house} 预存 {row['other_item'] or GENERAL}）"
    return _with_note(words, row["note"])


def _say_deposit(row: Any) -> str:
    return _with_note(DEPOSIT_SHOWN[DepositMove(row["kind"])], row["note"])


def _with_note(words: str, note: str) -> str:
    if note.startswith(words):
        return note
    return f"{words}：{note}" if note else words


_OWED = text(
    """
    WITH billed AS (
        SELECT *, (published_at AT TIME ZONE 'Asia/Shanghai')::date AS published_on
          FROM (SELECT * FROM bill
                 WHERE house_id = :house_id AND is_live
                UNION ALL
                SELECT * FROM bill
                 WHERE house_id = :house_id AND NOT is_live AND state = 'voided') bill
         WHERE published_at IS NOT NULL AND id <> ALL (CAST(:hidden AS bigint[]))),
    joined AS (
        SELECT line.bill_id, line.kind, line.amount_fen,
               greatest(billed.published_on, (line.trace->>'taken_on')::date) AS on_day
          FROM billed JOIN bill_line line ON line.bill_id = billed.id
         WHERE line.kind IN ('waiver', 'discount', 'restored')
           AND line.trace ->> 'taken_on' IS NOT NULL),
    money AS (
        SELECT allocation.bill_id, allocation.kind, allocation.amount_fen > 0 AS is_paid,
               payment.channel, receipt.receipt_no AS number,
               allocation.payment_id, sum(allocation.amount_fen) AS amount_fen,
               greatest(billed.published_on, (CASE WHEN allocation.amount_fen > 0
                   THEN payment.paid_at ELSE allocation.created_at END
                   AT TIME ZONE 'Asia/Shanghai')::date) AS on_day
          FROM billed
          JOIN allocation ON allocation.bill_id = billed.id
          JOIN payment ON payment.id = allocation.payment_id
          LEFT JOIN receipt ON receipt.payment_id = payment.id
         GROUP BY 1, 2, 3, 4, 5, 6, 8),
    late AS (
        SELECT fee.bill_id, fee.frozen_fen, billed.community_id, billed.published_on,
               CASE WHEN fee.frozen_on IS NOT NULL
                    THEN greatest(fee.frozen_on, billed.published_on) END AS frozen_on,
               CASE WHEN fee.frozen_fen IS NULL THEN fee.waived_fen
                    ELSE least(fee.waived_fen, fee.frozen_fen - fee.paid_fen) END AS waived_fen
          FROM billed JOIN bill_late_fee fee ON fee.bill_id = billed.id),
    waived AS (
        SELECT late.bill_id, late.frozen_fen,
               greatest(late.frozen_on, late.published_on,
                        (request.decided_at AT TIME ZONE 'Asia/Shanghai')::date) AS on_day,
               least(sum(request.amount_fen) OVER one_by_one, late.waived_fen)
               - least(sum(request.amount_fen) OVER one_by_one - request.amount_fen,
                       late.waived_fen) AS amount_fen
          FROM late
          JOIN approval_request request
            ON request.community_id = late.community_id AND request.state = 'approved'
           AND request.kind = 'late_fee_waiver' AND request.bill_id = late.bill_id
        WINDOW one_by_one AS (PARTITION BY late.bill_id ORDER BY request.decided_at, request.id)),
    ended AS (
        -- What is given back of a bill after it was written off is not asked for any more either.
        SELECT billed.*, entry.at AS ended_at,
               coalesce((SELECT sum(amount_fen) FROM allocation
                          WHERE bill_id = billed.id AND kind = 'principal' AND amount_fen < 0
                            AND created_at > entry.at), 0) AS given_back_fen
          FROM billed
          LEFT JOIN LATERAL (
                SELECT min(at) AS at FROM audit_entry
                 WHERE subject_type = 'bill' AND subject_id = billed.id
                   AND action IN ('bill_voided', 'bill_written_off')) entry ON true
         WHERE state IN ('voided', 'written_off')),
    moves (on_day, kind, bill_id, amount_fen, channel, number, payment_id) AS (
        SELECT published_on, 'bill', id,
               amount_fen - coalesce((SELECT sum(amount_fen) FROM joined
                                       WHERE joined.bill_id = billed.id), 0),
               NULL, bill_no, 0
          FROM billed
        UNION ALL
        SELECT on_day, kind, bill_id, amount_fen, NULL, NULL, 0 FROM joined
        UNION ALL
        SELECT on_day, 'late_fee', money.bill_id, money.amount_fen, NULL, NULL, payment_id
          FROM money LEFT JOIN late USING (bill_id)
         WHERE kind = 'late_fee' AND (late.frozen_on IS NULL OR on_day <= late.frozen_on)
        UNION ALL
        SELECT frozen_on, 'late_fee', bill_id,
               frozen_fen - coalesce((SELECT sum(amount_fen) FROM money
                                       WHERE money.bill_id = late.bill_id AND kind = 'late_fee'
                                         AND on_day <= late.frozen_on), 0), NULL, NULL, 0
          FROM late WHERE frozen_fen IS NOT NULL
        UNION ALL
        SELECT on_day, 'late_fee', bill_id, amount_fen, NULL, NULL, 0
          FROM waived WHERE frozen_fen IS NULL
        UNION ALL
        SELECT on_day, 'late_fee_waiver', bill_id, -amount_fen, NULL, NULL, 0 FROM waived
        UNION ALL
        SELECT on_day,
               CASE WHEN NOT is_paid THEN 'reversal' WHEN kind = 'principal' THEN 'payment'
                    ELSE 'late_fee_payment' END,
               bill_id, -amount_fen, channel, number, payment_id
          FROM money
        UNION ALL
        SELECT coalesce((ended_at AT TIME ZONE 'Asia/Shanghai')::date, published_on),
               CASE state WHEN 'voided' THEN 'void' ELSE 'write_off' END,
               id, paid_fen - given_back_fen - amount_fen, NULL, NULL, 0
          FROM ended
        UNION ALL
        SELECT (allocation.created_at AT TIME ZONE 'Asia/Shanghai')::date, 'write_off',
               ended.id, allocation.amount_fen, NULL, NULL, allocation.payment_id
          FROM ended
          JOIN allocation ON allocation.bill_id = ended.id AND allocation.kind = 'principal'
           AND allocation.amount_fen < 0 AND allocation.created_at > ended.ended_at)
    SELECT NULL::date AS on_day, NULL AS kind, coalesce(sum(amount_fen), 0) AS amount_fen,
           NULL AS channel, NULL AS number, NULL AS item, NULL::date AS period_from,
           NULL::date AS period_until, NULL::int AS rank, NULL::bigint AS bill_id,
           NULL::bigint AS payment_id
      FROM moves WHERE on_day < :from_on
    UNION ALL
    SELECT on_day, kind, moves.amount_fen, channel, coalesce(number, bill_no), fee_item.name,
           period_from, period_until,
           array_position(ARRAY['bill', 'discount', 'waiver', 'late_fee', 'late_fee_waiver',
                                'payment', 'late_fee_payment', 'reversal', 'restored', 'void',
                                'write_off'],
                          kind),
           bill_id, payment_id
      FROM moves
      JOIN billed ON billed.id = moves.bill_id
      JOIN fee_item ON fee_item.id = billed.fee_item_id
     WHERE on_day BETWEEN :from_on AND :until_on AND moves.amount_fen <> 0
     ORDER BY on_day NULLS FIRST, rank, bill_id, payment_id, amount_fen DESC
    """
)
_PREPAID = text(
    """
    WITH moves AS (
        SELECT entry.*, item.name, (entry.created_at AT TIME ZONE 'Asia/Shanghai')::date AS on_day
          FROM prepaid_account account
          JOIN prepaid_entry entry ON entry.account_id = account.id
          LEFT JOIN fee_item item ON item.id = account.fee_item_id
         WHERE account.house_id = :house_id)
    SELECT account_id, name, NULL::date AS on_day, NULL AS kind, sum(amount_fen) AS amount_fen,
           NULL AS channel, NULL AS number, NULL AS note, NULL AS other_item,
           NULL AS other_building, NULL AS other_unit_no, NULL AS other_room_no, 0 AS id
      FROM moves WHERE on_day < :from_on GROUP BY account_id, name
    UNION ALL
    SELECT moves.account_id, moves.name, on_day, moves.kind, moves.amount_fen, payment.channel,
           coalesce(receipt.receipt_no, refund.refund_no), moves.note,
           other_item.name, other_building.name, other_house.unit_no, other_house.room_no, moves.id
      FROM moves
      LEFT JOIN payment ON payment.id = moves.payment_id
      LEFT JOIN receipt ON receipt.payment_id = payment.id
      LEFT JOIN refund ON refund.id = moves.refund_id
      LEFT JOIN prepaid_account other ON other.id = moves.other_account_id
      LEFT JOIN fee_item other_item ON other_item.id = other.fee_item_id
      LEFT JOIN house other_house ON other_house.id = other.house_id
      LEFT JOIN building other_building ON other_building.id = other_house.building_id
     WHERE on_day BETWEEN :from_on AND :until_on
     ORDER BY account_id, on_day NULLS FIRST, id
    """
)
_DEPOSITS = text(
    """
    WITH moves AS (
        SELECT entry.*, deposit.name,
               (entry.created_at AT TIME ZONE 'Asia/Shanghai')::date AS on_day,
               CASE entry.kind WHEN 'take' THEN entry.amount_fen
                    ELSE -entry.amount_fen END AS moved_fen
          FROM deposit JOIN deposit_entry entry ON entry.deposit_id = deposit.id
         WHERE deposit.house_id = :house_id)
    SELECT deposit_id AS account_id, name, NULL::date AS on_day, NULL AS kind,
           sum(moved_fen) AS amount_fen, NULL AS number, NULL AS note, 0 AS id
      FROM moves WHERE on_day < :from_on GROUP BY deposit_id, name
    UNION ALL
    SELECT moves.deposit_id, moves.name, on_day, moves.kind, moved_fen,
           coalesce(receipt.receipt_no, refund.refund_no), moves.note,
           moves.id
      FROM moves
      LEFT JOIN receipt ON receipt.payment_id = moves.payment_id
      LEFT JOIN refund ON refund.id = moves.refund_id
     WHERE on_day BETWEEN :from_on AND :until_on
     ORDER BY account_id, on_day NULLS FIRST, id
    """
)
