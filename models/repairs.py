"""Repairs: the order, its events, pauses, parts, quotes, what owners say, and how work is given."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Numeric,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from domain.repair_states import RepairAct, RepairState
from domain.repairs import (
    DispatchMode,
    FaultCause,
    PauseReason,
    QuoteState,
    RepairCategory,
    RepairPriority,
    RepairSource,
)
from models.base import BigId, Fen, Instant, Model, Words, one_of

_UNASSIGNED = "'submitted', 'pending_dispatch', 'grabbable'"
_WORKED_ON = (
    "'assigned', 'accepted', 'in_progress', 'suspended', 'awaiting_quote_approval', 'reopened'"
)
_ENDED = "'closed', 'cancelled', 'force_closed'"


class RepairIncident(Model):
    """One outage that many people reported; an update of it tells all of them."""

    __tablename__ = "repair_incident"
    __table_args__ = (
        one_of("category", RepairCategory),
        Index("ix_repair_incident_community_id", "community_id", "id"),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    building_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("building.id"))
    category: Mapped[Words]
    title: Mapped[Words]
    opened_by_staff_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("staff.id"))
    opened_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]


class RepairOrder(Model):
    """One 报修工单. What happened to it are its events; the row is how it stands now.

    Due times already count the pauses that are over; while one lasts they stand still.
    """

    __tablename__ = "repair_order"
    __table_args__ = (
        one_of("category", RepairCategory),
        one_of("priority", RepairPriority),
        one_of("source", RepairSource),
        one_of("state", RepairState),
        one_of("cause", ("", *FaultCause)),
        UniqueConstraint("community_id", "repair_no"),
        UniqueConstraint("key_id"),
        UniqueConstraint("one_off_charge_id"),
        CheckConstraint(
            "contact_phone = '' OR contact_phone ~ '^1[3-9][0-9]{9}$'", name="contact_phone_form"
        ),
        CheckConstraint(
            f"state NOT IN ({_UNASSIGNED}) OR assignee_staff_id IS NULL", name="unassigned_is_free"
        ),
        CheckConstraint(
            f"state NOT IN ({_WORKED_ON}) OR assignee_staff_id IS NOT NULL",
            name="worked_on_by_somebody",
        ),
        CheckConstraint(f"(state IN ({_ENDED})) = (ended_at IS NOT NULL)", name="ended_at_a_time"),
        CheckConstraint("charge_fen >= 0", name="charge_fen_range"),
        CheckConstraint("labour_minutes >= 0", name="labour_minutes_range"),
        CheckConstraint("charge_fen = 0 OR house_id IS NOT NULL", name="charged_to_a_house"),
        Index("ix_repair_order_community_id", "community_id", "id"),
        Index("ix_repair_order_house_id", "house_id", "id"),
        Index("ix_repair_order_building_id", "building_id", "category", "opened_at"),
        Index("ix_repair_order_equipment_id", "equipment_id", "opened_at"),
        Index("ix_repair_order_reporter", "reporter_account_id", "id"),
        Index("ix_repair_order_incident_id", "incident_id"),
        Index(
            "ix_repair_order_load",
            "assignee_staff_id",
            postgresql_where=text(f"state IN ({_WORKED_ON})"),
        ),
        Index("ix_repair_order_open", "state", postgresql_where=text(f"state NOT IN ({_ENDED})")),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    repair_no: Mapped[Words]
    house_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("house.id"))
    building_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("building.id"))
    """Of a house its own, so that one column says where work is."""
    equipment_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("equipment.id"))
    category: Mapped[Words]
    priority: Mapped[Words]
    source: Mapped[Words]
    description: Mapped[Words]
    contact_name: Mapped[Words] = mapped_column(server_default="")
    contact_phone: Mapped[Words] = mapped_column(server_default="")
    reporter_account_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("account.id"))
    opened_by_staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    key_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("idempotency_key.id"))
    state: Mapped[Words]
    assignee_staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    incident_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("repair_incident.id"))
    opened_at: Mapped[Instant]
    opened_on: Mapped[date]
    clock_from_at: Mapped[Instant]
    """Since when the clocks run: since it was opened, or opened again."""
    response_due_at: Mapped[Instant]
    arrive_due_at: Mapped[Instant]
    finish_due_at: Mapped[Instant]
    warn_due_at: Mapped[Instant]
    """When so much of the time to finish is gone that people are warned."""
    assigned_at: Mapped[Instant | None]
    accepted_at: Mapped[Instant | None]
    arrived_at: Mapped[Instant | None]
    finished_at: Mapped[Instant | None]
    confirm_from_at: Mapped[Instant | None]
    """Since when the owner may confirm it."""
    ended_at: Mapped[Instant | None]
    escalated_at: Mapped[Instant | None]
    warned_at: Mapped[Instant | None]
    breached_at: Mapped[Instant | None]
    reopened_count: Mapped[int] = mapped_column(server_default="0")
    cause: Mapped[Words] = mapped_column(server_default="")
    measure: Mapped[Words] = mapped_column(server_default="")
    labour_minutes: Mapped[int] = mapped_column(server_default="0")
    labour_fen: Mapped[Fen] = mapped_column(server_default="0")
    """What the work costs us, beside its parts."""
    charge_fen: Mapped[Fen] = mapped_column(server_default="0")
    """What the house owes for it."""
    one_off_charge_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("one_off_charge.id")
    )


class RepairEvent(Model):
    """Who did what to a repair, and from which state to which. Append-only."""

    __tablename__ = "repair_event"
    __table_args__ = (
        one_of("act", RepairAct),
        one_of("to_state", RepairState),
        CheckConstraint("(act = 'open') = (from_state IS NULL)", name="first_opens"),
        Index("ix_repair_event_repair_id", "repair_id", "id"),
    )

    id: Mapped[BigId]
    repair_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("repair_order.id"))
    at: Mapped[Instant]
    act: Mapped[Words]
    from_state: Mapped[str | None]
    to_state: Mapped[Words]
    actor_kind: Mapped[Words]
    actor_id: Mapped[int | None] = mapped_column(BigInteger)
    actor_name: Mapped[Words]
    assignee_staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    """To whom it was given by this."""
    note: Mapped[Words] = mapped_column(server_default="")
    is_internal: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether its note is for staff alone."""


class RepairPause(Model):
    """A span in which the clock of a repair stood still; one at a time."""

    __tablename__ = "repair_pause"
    __table_args__ = (
        one_of("reason", PauseReason),
        CheckConstraint("ended_at >= started_at", name="span_not_negative"),
        Index("ix_repair_pause_repair_id", "repair_id", "id"),
        Index(
            "uq_repair_pause_open",
            "repair_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[BigId]
    repair_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("repair_order.id"))
    reason: Mapped[Words]
    started_at: Mapped[Instant]
    until_on: Mapped[date | None]
    """Until when people think it lasts."""
    ended_at: Mapped[Instant | None]


class RepairPart(Model):
    """Material that a repair took; what it cost us is quantity × price."""

    __tablename__ = "repair_part"
    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("unit_price_fen >= 0", name="unit_price_fen_range"),
        CheckConstraint("amount_fen >= 0", name="amount_fen_range"),
        Index("ix_repair_part_repair_id", "repair_id"),
    )

    id: Mapped[BigId]
    repair_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("repair_order.id"))
    name: Mapped[Words]
    quantity: Mapped[Decimal] = mapped_column(Numeric(12, 3))
    unit_price_fen: Mapped[Fen]
    amount_fen: Mapped[Fen]
    """Rounded once, half up."""
    added_at: Mapped[Instant]


class RepairQuote(Model):
    """A price that an owner is asked to agree to; one waits at a time."""

    __tablename__ = "repair_quote"
    __table_args__ = (
        one_of("state", QuoteState),
        CheckConstraint("amount_fen > 0", name="amount_fen_positive"),
        CheckConstraint("(state = 'pending') = (decided_at IS NULL)", name="decided_at_a_time"),
        Index("ix_repair_quote_repair_id", "repair_id", "id"),
        Index(
            "uq_repair_quote_pending",
            "repair_id",
            unique=True,
            postgresql_where=text("state = 'pending'"),
        ),
    )

    id: Mapped[BigId]
    repair_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("repair_order.id"))
    amount_fen: Mapped[Fen]
    note: Mapped[Words]
    state: Mapped[Words]
    made_by_staff_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("staff.id"))
    made_at: Mapped[Instant]
    decided_by_account_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("account.id"))
    decided_at: Mapped[Instant | None]


class RepairRating(Model):
    """What an owner thinks of a repair, said once. Append-only."""

    __tablename__ = "repair_rating"
    __table_args__ = (CheckConstraint("score BETWEEN 1 AND 5", name="score_range"),)

    repair_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("repair_order.id"), primary_key=True
    )
    score: Mapped[int]
    note: Mapped[Words] = mapped_column(server_default="")
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"))
    at: Mapped[Instant]


class RepairFollowUp(Model):
    """Somebody asked an owner afterwards how it was (回访). Append-only."""

    __tablename__ = "repair_follow_up"
    __table_args__ = (Index("ix_repair_follow_up_repair_id", "repair_id", "id"),)

    id: Mapped[BigId]
    repair_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("repair_order.id"))
    is_satisfied: Mapped[bool]
    note: Mapped[Words]
    staff_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("staff.id"))
    at: Mapped[Instant]


class RepairRule(Model):
    """How a community gives repairs to engineers; without a row it is as domain/repairs.py says."""

    __tablename__ = "repair_rule"
    __table_args__ = (
        one_of("dispatch_mode", DispatchMode),
        CheckConstraint("accept_minutes BETWEEN 1 AND 10080", name="accept_minutes_range"),
    )

    community_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("community.id"), primary_key=True
    )
    dispatch_mode: Mapped[Words] = mapped_column(server_default=DispatchMode.ASSIGN)
    accept_minutes: Mapped[int] = mapped_column(server_default="30")
    fee_item_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("fee_item.id"))
    """The one-off item on which repairs are charged; none means they cannot be."""


class RepairSla(Model):
    """The limits of one priority in a community, in minutes; without a row the usual ones hold."""

    __tablename__ = "repair_sla"
    __table_args__ = (
        one_of("priority", RepairPriority),
        CheckConstraint(
            "response_minutes BETWEEN 1 AND arrive_minutes"
            " AND arrive_minutes <= finish_minutes AND finish_minutes <= 525600",
            name="minutes_in_order",
        ),
    )

    community_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("community.id"), primary_key=True
    )
    priority: Mapped[Words] = mapped_column(primary_key=True)
    response_minutes: Mapped[int]
    arrive_minutes: Mapped[int]
    finish_minutes: Mapped[int]


class StaffSkill(Model):
    """A category that an engineer can repair; whoever has none on file can repair all."""

    __tablename__ = "staff_skill"
    __table_args__ = (one_of("category", RepairCategory),)

    staff_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("staff.id"), primary_key=True)
    category: Mapped[Words] = mapped_column(primary_key=True)


class StaffDuty(Model):
    """When an engineer is on duty in a week, in local minutes; with no row it is always."""

    __tablename__ = "staff_duty"
    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday_range"),
        CheckConstraint(
            "from_minute >= 0 AND from_minute < until_minute AND until_minute <= 1440",
            name="minutes_in_order",
        ),
    )

    staff_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("staff.id"), primary_key=True)
    weekday: Mapped[int] = mapped_column(primary_key=True)
    """0 is Monday."""
    from_minute: Mapped[int] = mapped_column(primary_key=True)
    until_minute: Mapped[int]
