"""Notices as the people of a house read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Row, Select, exists, or_, select
from sqlalchemy.dialects.postgresql import insert

from domain.actors import Actor, Permission
from domain.errors import NotFound
from domain.notice_states import NoticeState
from domain.periods import local_date
from models import Account, Community, House, HouseBinding, Notice, NoticeBuilding, NoticeRead
from services.unit_of_work import Transaction, UnitOfWork


@dataclass(frozen=True, slots=True)
class OwnNotice:
    """A published notice as one of its readers sees it."""

    id: int
    community: str
    title: str
    body: str
    is_pinned: bool
    published_at: datetime
    is_read: bool


@dataclass(frozen=True)
class OwnNotices:
    """The notices of one's own houses."""

    unit_of_work: UnitOfWork

    def list_own(self, *, actor: Actor, before_id: int | None, limit: int) -> Sequence[OwnNotice]:
        """List published notices for one's houses, newest first; one more than ``limit`` if any."""
        actor.must(Permission.VIEW_NOTICES)
        query = _visible(actor, self.unit_of_work.clock.now())
        if before_id is not None:
            query = query.where(Notice.id < before_id)
        with self.unit_of_work.reading() as session:
            rows = session.execute(query.order_by(Notice.id.desc()).limit(limit + 1)).all()
        return [_view(row) for row in rows]

    def show(self, *, actor: Actor, notice_id: int) -> OwnNotice:
        """Show one notice and note that it was read.

        Raises:
            NotFound: none, or it is for other houses, or it was withdrawn.
        """
        actor.must(Permission.VIEW_NOTICES)

        def work(tx: Transaction) -> OwnNotice:
            row = tx.session.execute(
                _visible(actor, tx.now).where(Notice.id == notice_id)
            ).one_or_none()
            if row is None:
                raise NotFound
            tx.session.execute(
                insert(NoticeRead)
                .values(notice_id=notice_id, account_id=actor.account_id, read_at=tx.now)
                .on_conflict_do_nothing()
            )
            return _view(row)

        return self.unit_of_work.run(work)


def _visible(actor: Actor, now: datetime) -> Select[Notice, str, bool]:
    account_id = actor.account_id
    today = local_date(now)
    chosen = (
        select(NoticeBuilding.building_id)
        .where(NoticeBuilding.notice_id == Notice.id)
        .correlate(Notice)
    )
    has_house: ColumnElement[bool] = (
        select(HouseBinding.id)
        .join(House, House.id == HouseBinding.house_id)
        .join(Account, Account.id == HouseBinding.account_id)
        .where(
            HouseBinding.account_id == account_id,
            Account.is_active,
            HouseBinding.status == "active",
            HouseBinding.live_until.is_(None) | (HouseBinding.live_until > today),
            House.community_id == Notice.community_id,
            or_(~exists(chosen), House.building_id.in_(chosen)),
        )
        .exists()
    )
    is_read = (
        select(NoticeRead.notice_id)
        .where(NoticeRead.notice_id == Notice.id, NoticeRead.account_id == account_id)
        .exists()
    )
    return (
        select(Notice, Community.name, is_read)
        .join(Community, Community.id == Notice.community_id)
        .where(Notice.state == NoticeState.PUBLISHED, has_house)
    )


def _view(row: Row[Notice, str, bool]) -> OwnNotice:
    notice, community, is_read = row
    if notice.published_at is None:
        raise NotFound
    return OwnNotice(
        id=notice.id,
        community=community,
        title=notice.title,
        body=notice.body,
        is_pinned=notice.is_pinned,
        published_at=notice.published_at,
        is_read=is_read,
    )
