"""Notices (公告) of a community: to all of it or to some buildings, and who has read them."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.notice_states import NoticeState
from models.base import BigId, Instant, Model, Words, one_of


class Notice(Model):
    """One notice; without a row of `NoticeBuilding` it is for the whole community."""

    __tablename__ = "notice"
    __table_args__ = (
        one_of("state", NoticeState),
        CheckConstraint("title <> '' AND body <> ''", name="not_empty"),
        CheckConstraint(
            "(state IN ('published', 'withdrawn')) = (published_at IS NOT NULL)",
            name="published_at_a_time",
        ),
        CheckConstraint(
            "(state = 'scheduled') = (publish_at IS NOT NULL)", name="scheduled_at_a_time"
        ),
        CheckConstraint(
            "(state = 'withdrawn') = (withdrawn_at IS NOT NULL)", name="withdrawn_at_a_time"
        ),
        Index("ix_notice_community_id", "community_id", "id"),
        Index("ix_notice_due", "publish_at", postgresql_where=text("state = 'scheduled'")),
    )

    id: Mapped[BigId]
    community_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("community.id"))
    title: Mapped[Words]
    body: Mapped[Words]
    is_pinned: Mapped[bool]
    state: Mapped[Words]
    written_by_staff_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("staff.id"))
    written_at: Mapped[Instant]
    publish_at: Mapped[Instant | None]
    """When it is to be published, while it is scheduled."""
    published_at: Mapped[Instant | None]
    withdrawn_at: Mapped[Instant | None]


class NoticeBuilding(Model):
    """A building that a notice is for."""

    __tablename__ = "notice_building"

    notice_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("notice.id"), primary_key=True)
    building_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("building.id"), primary_key=True
    )


class NoticeRead(Model):
    """An account has opened a notice."""

    __tablename__ = "notice_read"

    notice_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("notice.id"), primary_key=True)
    account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("account.id"), primary_key=True)
    read_at: Mapped[Instant]
