"""Comparing a day of our books with a day of a channel's statement, both ways, by our numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.reconciliation_states import CaseKind


class Moved(StrEnum):
    """Whether one side says that the money moved."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"
    """It is on its way: only that the other side has it done already is a difference."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One payment or refund as one side has it; ``amount_fen`` is above zero for both.

    ``number`` is ours: of the order, or of the refund. Of our entries ``is_expected`` says that
    the statement must have it; the others are there to be found. ``key`` tells what is the same on
    both sides.
    """

    number: str
    amount_fen: int
    is_refund: bool = False
    transaction_id: str = ""
    moved: Moved = Moved.YES
    is_expected: bool = True

    @property
    def key(self) -> tuple[bool, str, str]:
        """What it is: a payment with its transaction, or a refund.

        The transaction of a refund is the payment's: two refunds of one payment are two.
        """
        return self.is_refund, self.number, "" if self.is_refund else self.transaction_id


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that the two sides say differently; ``detail`` says in Chinese what.

    ``key`` is our number; where a statement has more under one number, with the channel's.
    """

    kind: CaseKind
    key: str
    number: str
    is_refund: bool
    ours_fen: int | None
    theirs_fen: int | None
    detail: str


def compare(
    ours: Iterable[Entry], theirs: Iterable[Entry], *, elsewhere: Iterable[Entry] = ()
) -> Sequence[Difference]:
    """Compare both ways and list every difference, each with a key of its own within its kind.

    A payment is the same when number and transaction are, a refund when the number is. What the
    statement names twice is one difference, however it compares besides. ``elsewhere`` is what
    statements of neighbour days have: what stands there is not missing here.

    Source: domain.md D5.
    """
    unmatched = {entry.key: entry for entry in ours}
    found: list[tuple[Difference, Entry]] = []
    once, repeated = _tell_repeated(theirs)
    found += [_differ(CaseKind.DUPLICATE, one, None, one, "对账单里出现两次") for one in repeated]
    strangers = []
    for entry in once:
        known = unmatched.pop(entry.key, None)
        if known is None:
            strangers.append(entry)
        else:
            found += _compare_pair(known, entry)
    found += _tell_strangers(strangers, unmatched)
    found += _tell_missing(unmatched.values(), {entry.key: entry for entry in elsewhere})
    return _with_own_keys(found)


def list_missing(ours: Iterable[Entry], theirs: Iterable[Entry]) -> Sequence[Entry]:
    """List what the statement must have of ours and has not."""
    there = {entry.key for entry in theirs}
    return [entry for entry in ours if entry.is_expected and entry.key not in there]


def _tell_strangers(
    strangers: Iterable[Entry], unmatched: dict[tuple[bool, str, str], Entry]
) -> list[tuple[Difference, Entry]]:
    """Tell what only the channel has; a payment under our number may be ours all the same."""
    found = []
    by_number = {entry.number: entry for entry in unmatched.values() if not entry.is_refund}
    for theirs in strangers:
        ours = None if theirs.is_refund else by_number.pop(theirs.number, None)
        if ours is not None:
            del unmatched[ours.key]
            words = f"渠道交易号不同：系统 {ours.transaction_id}，渠道 {theirs.transaction_id}"
            found.append(_differ(CaseKind.STATUS, theirs, ours, theirs, words))
        elif theirs.moved is not Moved.NO:
            kind = CaseKind.REFUND if theirs.is_refund else CaseKind.MISSING_LOCAL
            words = "系统里没有这笔退款" if theirs.is_refund else "系统里这一天没有这笔收款"
            found.append(_differ(kind, theirs, None, theirs, words))
    return found


def _tell_missing(
    unmatched: Iterable[Entry], elsewhere: Mapping[tuple[bool, str, str], Entry]
) -> list[tuple[Difference, Entry]]:
    found = []
    for ours in unmatched:
        if not ours.is_expected:
            continue
        if theirs := elsewhere.get(ours.key):
            found += _compare_pair(ours, theirs)
            continue
        kind = CaseKind.REFUND if ours.is_refund else CaseKind.MISSING_CHANNEL
        words = "对账单里没有这笔退款" if ours.is_refund else "对账单里没有这笔收款"
        found.append(_differ(kind, ours, ours, None, words))
    return found


def _compare_pair(ours: Entry, theirs: Entry) -> list[tuple[Difference, Entry]]:
    if ours.amount_fen != theirs.amount_fen:
        kind = CaseKind.REFUND if ours.is_refund else CaseKind.AMOUNT
        return [_differ(kind, theirs, ours, theirs, "金额不同")]
    is_open = Moved.UNDECIDED in (ours.moved, theirs.moved)
    has_moved_there = theirs.moved is Moved.YES and ours.moved is not Moved.YES
    if has_moved_there or (ours.moved is not theirs.moved and not is_open):
        words = "渠道已完成，系统没有" if has_moved_there else "系统已完成，渠道没有"
        return [_differ(CaseKind.STATUS, theirs, ours, theirs, words)]
    return []


def _tell_repeated(theirs: Iterable[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Tell each entry once, in order, and those that were there more than once."""
    first: dict[tuple[bool, str, str], Entry] = {}
    repeated: dict[tuple[bool, str, str], Entry] = {}
    for entry in theirs:
        if entry.key in first:
            repeated[entry.key] = entry
        else:
            first[entry.key] = entry
    return list(first.values()), list(repeated.values())


def _differ(
    kind: CaseKind, named: Entry, ours: Entry | None, theirs: Entry | None, detail: str
) -> tuple[Difference, Entry]:
    return (
        Difference(
            kind=kind,
            key=named.number,
            number=named.number,
            is_refund=named.is_refund,
            ours_fen=ours.amount_fen if ours else None,
            theirs_fen=theirs.amount_fen if theirs else None,
            detail=detail,
        ),
        named,
    )


def _with_own_keys(found: Iterable[tuple[Difference, Entry]]) -> list[Difference]:
    """Give what shares a kind and a number keys apart, the same whenever they are compared."""
    taken: set[tuple[CaseKind, str]] = set()
    differences = []
    for one, entry in sorted(found, key=lambda pair: (pair[0].key, pair[1].transaction_id)):
        key = one.key
        if (one.kind, key) in taken:
            key = f"{one.number}:{entry.transaction_id}"
        taken.add((one.kind, key))
        differences.append(replace(one, key=key))
    return differences
