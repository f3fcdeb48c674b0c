"""The rules of a transfer (过户): who owes what, and how a period parts at the cut day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from domain.errors import InvalidInput
from domain.periods import Span
from domain.shares import split

WHOLE = Decimal(1)


class UnpaidChoice(StrEnum):
    """Whose debt the unpaid bills of before the cut day are from then on."""

    SELLER = "seller"
    BUYER = "buyer"


class PrepaidChoice(StrEnum):
    """What becomes of what the house has paid ahead."""

    STAYS = "stays"
    REFUND = "refund"


class Side(StrEnum):
    """Seller or buyer."""

    SELLER = "seller"
    BUYER = "buyer"


UNPAID_SHOWN = {UnpaidChoice.SELLER: "原业主继续承担", UnpaidChoice.BUYER: "新业主承担"}
PREPAID_SHOWN = {PrepaidChoice.STAYS: "随房屋留给新业主", PrepaidChoice.REFUND: "退还原业主"}


class SharesDoNotAddUp(InvalidInput):
    """The shares of a house's owners are more than the whole, or all given and less than it."""

    code = "shares_do_not_add_up"
    message = "产权份额合计应等于 1"


@dataclass(frozen=True, slots=True)
class Parting:
    """A bill parted at the cut day: days and fen of each side."""

    seller_days: int
    buyer_days: int
    seller_fen: int
    buyer_fen: int


def part_bill(amount_fen: int, period: Span, cut_on: date) -> Parting | None:
    """Part a bill by days, by largest remainder; nothing when the cut day is not inside.

    The buyer has the cut day. The parts add up to the amount; of equal remainders the odd fen is
    the seller's. Source: docs/adr/0023.
    """
    if not period.starts_on < cut_on < period.ends_before:
        return None
    seller_days = (cut_on - period.starts_on).days
    buyer_days = period.days - seller_days
    parts = split(amount_fen, {1: seller_days, 2: buyer_days})
    return Parting(seller_days, buyer_days, parts[1], parts[2])


def check_shares(shares: list[Decimal | None], *, field: str = "share_ratio") -> None:
    """Refuse shares that cannot be those of all owners of one house.

    A sum above 1 is never right; when all are given, neither is one below.

    Raises:
        SharesDoNotAddUp: the sum is wrong; ``fields`` says what it is.
    """
    given = [share for share in shares if share is not None]
    total = sum(given, Decimal(0))
    if total > WHOLE or (given and len(given) == len(shares) and total != WHOLE):
        words = f"产权份额合计为 {total.normalize():f}，应等于 1"
        raise SharesDoNotAddUp(words, fields={field: [words]})
