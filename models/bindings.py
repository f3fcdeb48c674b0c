"""How accounts come to houses that their phone does not open: applications and invitations."""

from __future__ import annotations

from datetime import date

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.accounts import BINDING_ROLES
from models.base import BigId, Instant, Model, Words, one_of

APPLICATION_STATES = ("pending", "approved", "rejected", "withdrawn")
INVITATION_STATES = ("open", "accepted", "revoked")


class BindingApplication(Model):
    """Somebody asks to be bound to a house, with words that prove it.

    ``house_id`` is what their words were taken for; they are never told whether it was found.
    """

    __tablename__ = "binding_application"
    __table_args__ = (
        one_of("role", BINDING_ROLES),
        one_of("state", APPLICATION_STATES),
        CheckConstraint(
            "(state IN ('approved', 'rejected')) = (decided_by_staff_id IS NOT NULL)",
            name="decided_by_somebody",
        ),
        CheckConstraint("(state = 'approved') = (binding_id IS NOT NULL)", name="approved_binds"),
        Index(
            "uq_binding_application_pending",
            "account_id",
            "community_id",
            "house_text",
            unique=True,
            postgresql_where=text("state = 'pending'"),
        ),
        Index("ix_binding_application_house_id", "house_id"),
        Index("ix_binding_application_community_id", "community_id", "state"),
    )

    id: Mapped[BigId]
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"))
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    house_text: Mapped[Words]
    house_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("house.id"))
    name: Mapped[Words]
    role: Mapped[Words]
    proof: Mapped[Words]
    state: Mapped[Words]
    created_at: Mapped[Instant]
    decided_by_staff_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("staff.id"))
    decided_at: Mapped[Instant | None]
    decision_note: Mapped[Words] = mapped_column(server_default="")
    """What the applicant is told."""
    binding_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("house_binding.id"))


class HouseInvitation(Model):
    """An owner invites somebody of the family or a tenant; only the token's hash is kept."""

    __tablename__ = "house_invitation"
    __table_args__ = (
        UniqueConstraint("token_sha256"),
        CheckConstraint("role IN ('family', 'tenant')", name="role_known"),
        one_of("state", INVITATION_STATES),
        CheckConstraint(
            "phone ~ '^1[3-9][0-9]{9}$' OR (phone = '' AND state <> 'open')", name="phone_form"
        ),
        CheckConstraint("(state = 'accepted') = (binding_id IS NOT NULL)", name="accepted_binds"),
        Index(
            "uq_house_invitation_open",
            "house_id",
            "phone",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
        Index("ix_house_invitation_phone", "phone"),
        Index("ix_house_invitation_invited_by", "invited_by_account_id"),
    )

    id: Mapped[BigId]
    house_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("house.id"))
    invited_by_account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"))
    phone: Mapped[Words]
    name: Mapped[Words]
    role: Mapped[Words]
    may_see_bills: Mapped[bool | None]
    may_pay: Mapped[bool | None]
    may_report: Mapped[bool | None]
    stays_until: Mapped[date | None]
    token_sha256: Mapped[Words]
    state: Mapped[Words]
    created_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]
    binding_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("house_binding.id"))
