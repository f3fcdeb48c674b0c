"""What is shown of a repair: a row of a list, and all that happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.files.attaching import FileView


@dataclass(frozen=True, slots=True)
class RepairRow:
    """A repair in a list."""

    id: int
    repair_no: str
    community_id: int
    house_id: int | None
    place: str
    category: str
    category_shown: str
    priority: str
    priority_shown: str
    state: str
    state_shown: str
    description: str
    assignee: str
    opened_at: datetime
    finish_due_at: datetime
    is_late: bool
    incident_id: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    """One line of a progress page; owners read no internal notes and no staff's ids."""

    at: datetime
    act: str
    act_shown: str
    state: str
    state_shown: str
    who: str
    note: str
    photos: Sequence[FileView]


@dataclass(frozen=True, slots=True)
class PartView:
    """Material that was used; the quantity as text."""

    name: str
    quantity: str
    unit_price_fen: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class QuoteView:
    """A price that an owner was asked for."""

    amount_fen: int
    note: str
    state: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class FollowUpView:
    """What an owner said afterwards."""

    at: datetime
    is_satisfied: bool
    note: str


@dataclass(frozen=True, slots=True)
class RepairView:
    """A repair with all that happened to it.

    ``contact_phone`` is whole only for the engineer who works on it, until it has ended.
    """

    row: RepairRow
    contact_name: str
    contact_phone: str
    is_phone_masked: bool
    source: str
    cause: str
    cause_shown: str
    measure: str
    labour_minutes: int
    labour_fen: int
    charge_fen: int
    reopened_count: int
    response_due_at: datetime
    arrive_due_at: datetime
    breached_at: datetime | None
    finished_at: datetime | None
    score: int | None
    rating_note: str
    photos: Sequence[FileView]
    """Of what is broken; those of the work stand with its progress."""
    progress: Sequence[Progress]
    parts: Sequence[PartView]
    quotes: Sequence[QuoteView]
    follow_ups: Sequence[FollowUpView]
