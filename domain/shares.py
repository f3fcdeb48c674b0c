"""Sharing one amount over many by weight, so that the shares add up to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

from domain.errors import InvalidInput


class ShareBy(StrEnum):
    """By what an amount is shared over houses."""

    AREA = "area"
    HOUSEHOLD = "household"
    COEFFICIENT = "coefficient"
    CUSTOM = "custom"


class NothingToShareOver(InvalidInput):
    """No one has a positive weight."""

    code = "nothing_to_share_over"
    message = "没有可以分摊的房屋"


def split(total_fen: int, weights: Mapping[int, Decimal | int]) -> dict[int, int]:
    """Share whole fen over ids by weight, by largest remainder; ties go to the smaller id.

    Each share is its exact part rounded down or up. Ids of weight 0 get no entry; a positive
    weight may still get 0 fen.

    Returns:
        Fen by id, ascending by id, adding up to the total.

    Raises:
        NothingToShareOver: no weight is positive.
        ValueError: a weight or the total is negative.

    Source: domain.md D1, ``share``.
    """
    if total_fen < 0:
        raise ValueError(f"cannot share {total_fen} fen")
    whole = _whole_weights(weights)
    sum_of_weights = sum(whole.values())
    if not sum_of_weights:
        raise NothingToShareOver
    shares: dict[int, int] = {}
    remainders: dict[int, int] = {}
    for id_, weight in sorted(whole.items()):
        shares[id_], remainders[id_] = divmod(total_fen * weight, sum_of_weights)
    left_fen = total_fen - sum(shares.values())
    # The sort is stable, also in reverse: equal remainders stay ascending by id.
    for id_ in sorted(remainders, key=remainders.__getitem__, reverse=True)[:left_fen]:
        shares[id_] += 1
    return shares


def _whole_weights(weights: Mapping[int, Decimal | int]) -> dict[int, int]:
    """Bring the positive weights to integers in the same proportion."""
    ratios = {id_: weight.as_integer_ratio() for id_, weight in weights.items()}
    if any(numerator < 0 for numerator, _ in ratios.values()):
        raise ValueError("a weight is negative")
    common = math.lcm(*{denominator for _, denominator in ratios.values()})
    return {
        id_: numerator * (common // denominator)
        for id_, (numerator, denominator) in ratios.items()
        if numerator
    }
