"""What a bill run plans for houses of one handover date, and what it makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from domain.periods import Span
from services.bills.run_items import RunItem


class Line(NamedTuple):
    """One line of a bill as it will be written; ``trace`` is JSON text."""

    kind: str
    amount_fen: int
    trace: str

    def as_row(self, line_no: int) -> str:
        """Write the line for COPY, all but the bill's id before it."""
        trace = self.trace
        if "\\" in trace:
            trace = trace.replace("\\", "\\\\")
        return f"\t{line_no}\t{self.kind}\t{self.amount_fen}\t{trace}\n"


class Charged(NamedTuple):
    """What a bill comes to; ``rows`` are its lines as COPY takes them, but for the bill's id."""

    amount_fen: int
    lines: tuple[Line, ...]
    rows: tuple[str, ...]


def make_charged(amount_fen: int, lines: tuple[Line, ...]) -> Charged:
    """Write out the lines of a bill; neighbours that owe the same share them."""
    rows = tuple(line.as_row(number) for number, line in enumerate(lines, start=1))
    return Charged(amount_fen, lines, rows)


class MadeBill(NamedTuple):
    """One bill as it will be written."""

    house_id: int
    plan: Plan
    charged: Charged
    sequence: int = 1
    period: Span | None = None
    """Only of a one-off charge: its day."""


@dataclass(slots=True)
class Chunk:
    """What was computed for some houses, ready to be written."""

    house_count: int
    bills: list[MadeBill] = field(default_factory=list)
    exceptions: list[tuple[int, int, str]] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """A period of an item for the houses that share a handover date, or why they cannot be billed.

    ``known`` holds what houses of some weight owe: neighbours often have the same area.
    """

    item: RunItem
    period: Span
    liable: Span
    anchor: date | None
    issue_date: date
    due_date: date
    is_quick: bool
    """Whether houses like one that was charged before owe the same."""
    why_not: str = ""
    known: dict[tuple[int, int], Charged] = field(default_factory=dict)
    """By area and coefficient in ten-thousandths."""
