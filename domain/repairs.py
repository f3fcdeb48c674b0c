"""Kinds of repairs, how urgent they are, why things broke, and the clocks of the service level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

AUTO_CLOSE_AFTER = timedelta(days=3)
RATING_WITHIN = timedelta(days=7)
REPEAT_WITHIN_DAYS = 30
WARNING_PERCENT = 80
SAME_OUTAGE_WITHIN = timedelta(hours=12)
"""Repairs of a building and category that are this close to each other look like one outage."""
ACCEPT_WITHIN_MINUTES = 30
"""How long an engineer may leave a repair unaccepted before managers are told, by default."""


class RepairCategory(StrEnum):
    """What kind of thing is broken."""

    WATER = "water"
    POWER = "power"
    DOORS = "doors"
    LEAK = "leak"
    DRAIN = "drain"
    LIFT = "lift"
    ACCESS = "access"
    LIGHTING = "lighting"
    FIRE = "fire"
    HEATING = "heating"
    WALL = "wall"
    OTHER = "other"


class RepairPriority(StrEnum):
    """How urgent a repair is."""

    EMERGENCY = "emergency"
    URGENT = "urgent"
    NORMAL = "normal"
    LOW = "low"


class RepairSource(StrEnum):
    """By which way a repair came in."""

    OWNER = "owner"
    CHAT = "chat"
    LABEL = "label"
    DESK = "desk"
    PHONE = "phone"
    STAFF = "staff"
    MAINTENANCE = "maintenance"


class FaultCause(StrEnum):
    """Why it broke. Source: domain.md idea 12."""

    AGEING = "ageing"
    MISUSE = "misuse"
    CONSTRUCTION = "construction"
    OUTSIDE_FORCE = "outside_force"
    DESIGN = "design"
    HUMAN = "human"
    OTHER = "other"


class PauseReason(StrEnum):
    """What work waits for while its clock stands still."""

    PARTS = "parts"
    OWNER = "owner"
    THIRD_PARTY = "third_party"
    QUOTE = "quote"


class DispatchMode(StrEnum):
    """How a community gives new repairs to engineers."""

    ASSIGN = "assign"
    GRAB = "grab"
    ROTATE = "rotate"


class QuoteState(StrEnum):
    """What an owner said to a price."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"


CATEGORY_SHOWN = {
    RepairCategory.WATER: "给水",
    RepairCategory.POWER: "供电",
    RepairCategory.DOORS: "门窗",
    RepairCategory.LEAK: "漏水渗水",
    RepairCategory.DRAIN: "下水疏通",
    RepairCategory.LIFT: "电梯",
    RepairCategory.ACCESS: "门禁对讲",
    RepairCategory.LIGHTING: "照明",
    RepairCategory.FIRE: "消防",
    RepairCategory.HEATING: "供暖",
    RepairCategory.WALL: "墙面地面",
    RepairCategory.OTHER: "其他",
}
PRIORITY_SHOWN = {
    RepairPriority.EMERGENCY: "特急",
    RepairPriority.URGENT: "紧急",
    RepairPriority.NORMAL: "普通",
    RepairPriority.LOW: "不急",
}
SOURCE_SHOWN = {
    RepairSource.OWNER: "业主",
    RepairSource.CHAT: "微信对话",
    RepairSource.LABEL: "扫设备码",
    RepairSource.DESK: "前台",
    RepairSource.PHONE: "电话",
    RepairSource.STAFF: "员工",
    RepairSource.MAINTENANCE: "维保",
}
CAUSE_SHOWN = {
    FaultCause.AGEING: "设备老化",
    FaultCause.MISUSE: "使用不当",
    FaultCause.CONSTRUCTION: "施工缺陷",
    FaultCause.OUTSIDE_FORCE: "外力",
    FaultCause.DESIGN: "设计",
    FaultCause.HUMAN: "人为",
    FaultCause.OTHER: "其他",
}
PAUSE_SHOWN = {
    PauseReason.PARTS: "等待配件",
    PauseReason.OWNER: "等待业主",
    PauseReason.THIRD_PARTY: "等待第三方",
    PauseReason.QUOTE: "等待确认报价",
}
_URGENT_KINDS = {
    RepairCategory.LIFT: RepairPriority.URGENT,
    RepairCategory.FIRE: RepairPriority.URGENT,
    RepairCategory.POWER: RepairPriority.URGENT,
    RepairCategory.LEAK: RepairPriority.URGENT,
}


@dataclass(frozen=True, slots=True)
class SlaMinutes:
    """Within how many minutes a repair is accepted, somebody is there, and it is mended."""

    response: int
    arrive: int
    finish: int


DEFAULT_SLA: Mapping[RepairPriority, SlaMinutes] = {
    RepairPriority.EMERGENCY: SlaMinutes(10, 30, 240),
    RepairPriority.URGENT: SlaMinutes(30, 120, 1_440),
    RepairPriority.NORMAL: SlaMinutes(120, 1_440, 4_320),
    RepairPriority.LOW: SlaMinutes(1_440, 4_320, 10_080),
}


@dataclass(frozen=True, slots=True)
class Pause:
    """A span in which a clock stood still; without an end it still does."""

    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Clock:
    """How one limit of the service level stands.

    ``warn_at`` is when so much of the time is gone that people are warned.
    """

    due_at: datetime
    warn_at: datetime
    is_warning: bool
    is_breached: bool


def usual_priority(category: RepairCategory) -> RepairPriority:
    """Tell how urgent a category is where nobody says it."""
    return _URGENT_KINDS.get(category, RepairPriority.NORMAL)


def sla_clock(
    *, started_at: datetime, minutes: int, pauses: Sequence[Pause], now: datetime
) -> Clock:
    """Reckon one limit: the time that pauses took does not count.

    Pauses do not overlap. What of a pause lies before the start or after the limit moves nothing;
    an open pause lasts until ``now``. A limit is warned of when 80 % of its own time is used up,
    and broken once it is past.
    """
    due_at = _after(started_at, timedelta(minutes=minutes), pauses, now)
    warn_at = _after(started_at, timedelta(minutes=minutes) * WARNING_PERCENT / 100, pauses, now)
    is_breached = now > due_at
    return Clock(due_at, warn_at, now >= warn_at and not is_breached, is_breached)


def _after(
    started_at: datetime, worked: timedelta, pauses: Sequence[Pause], now: datetime
) -> datetime:
    """Tell when so much time has passed outside of pauses."""
    at = started_at + worked
    for pause in sorted(pauses, key=lambda each: each.started_at):
        begins = max(pause.started_at, started_at)
        ends = max(pause.ended_at or now, begins)
        if begins >= at:
            break
        at += ends - begins
    return at
