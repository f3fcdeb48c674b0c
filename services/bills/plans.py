"""What a bill run plans for houses of one handover date, and what it makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from domain.charges import Basis
from domain.periods import Span
from services.bills.run_items import RunItem


class Line(NamedTuple):
    """One line of a bill as it will be written; ``trace`` is JSON text."""

    kind: str
    amount_fen: int
    trace: str


class MadeBill(NamedTuple):
    """One bill as it will be written."""

    house_id: int
    plan: Plan
    amount_fen: int
    lines: tuple[Line, ...]
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
    why_not: str = ""
    known: dict[Basis, tuple[int, tuple[Line, ...]]] = field(default_factory=dict)
