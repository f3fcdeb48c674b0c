"""What staff do with notices: write, look whom they reach, publish, withdraw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, text

from domain.actors import Actor, Permission, staff_id_of
from domain.errors import Conflict, InvalidInput
from domain.messages import Channel, MessageKind
from domain.notice_states import NOTICE_MOVES, NoticeState
from domain.periods import SHANGHAI, local_date
from models import Community, Notice
from services.audit import record
from services.messages.telling import count_ways, tell_houses
from services.notices.rows import (
    NoticeView,
    NoticeWords,
    house_ids_of,
    lock_notice,
    put_words,
    read_notices,
)
from services.reasons import check_reason
from services.unit_of_work import Transaction, UnitOfWork

_AHEAD = timedelta(days=90)
_TAKE_BACK = text(
    """
    UPDATE outbox_message
       SET state = 'cancelled', payload = '{}', last_error = 'withdrawn', lease = NULL
     WHERE kind = 'notice' AND state IN ('pending', 'sending')
       AND dedup_key LIKE 'notice:' || :notice_id || ':%'
    """
)


class NoticeCannotMove(Conflict):
    """The notice is in a state from which this does not lead on."""

    code = "notice_cannot_move"
    message = "公告当前的状态不能这样操作，请刷新后再看"


@dataclass(frozen=True)
class NoticeBoard:
    """The notices of communities."""

    unit_of_work: UnitOfWork

    def list_notices(
        self, *, actor: Actor, community_id: int, before_id: int | None, limit: int
    ) -> Sequence[NoticeView]:
        """List a community's notices, newest first, one more than ``limit`` if there are more.

        Raises:
            NotFound: no such community, or it is not in scope.
        """
        actor.must(Permission.MANAGE_NOTICES)
        actor.must_cover(community_id)
        with self.unit_of_work.snapshot() as session:
            query = select(Notice).where(Notice.community_id == community_id)
            if before_id is not None:
                query = query.where(Notice.id < before_id)
            rows = session.scalars(query.order_by(Notice.id.desc()).limit(limit + 1)).all()
            return read_notices(session, rows)

    def draft(self, *, actor: Actor, community_id: int, words: NoticeWords) -> int:
        """Write a notice that nobody sees yet, and return its id.

        Raises:
            NotFound: no such community, or it is not in scope.
            InvalidInput: it is empty or too long, or a building is not of the community.
        """
        actor.must(Permission.MANAGE_NOTICES)
        actor.must_cover(community_id)

        def work(tx: Transaction) -> int:
            notice = Notice(
                community_id=community_id,
                state=NoticeState.DRAFT,
                written_by_staff_id=staff_id_of(actor),
                written_at=tx.now,
            )
            put_words(tx, notice, words)
            _record(tx, actor, "notice_drafted", notice)
            return notice.id

        return self.unit_of_work.run(work)

    def edit(self, *, actor: Actor, notice_id: int, words: NoticeWords) -> None:
        """Change a notice that is not published yet; a schedule ends by it.

        Raises:
            NotFound, InvalidInput: as above.
            NoticeCannotMove: it is published or withdrawn.
        """
        actor.must(Permission.MANAGE_NOTICES)

        def work(tx: Transaction) -> None:
            notice = lock_notice(tx, actor, notice_id)
            if notice.state not in (NoticeState.DRAFT, NoticeState.SCHEDULED):
                raise NoticeCannotMove
            notice.state, notice.publish_at = NoticeState.DRAFT, None
            put_words(tx, notice, words)
            _record(tx, actor, "notice_edited", notice)

        self.unit_of_work.run(work)

    def preview(self, *, actor: Actor, notice_id: int) -> dict[Channel, int]:
        """Count the people whom it would be told now, by the way; `Channel.VISIT` is nobody's.

        Raises:
            NotFound: no such notice, or it is not in scope.
        """
        actor.must(Permission.MANAGE_NOTICES)

        def work(tx: Transaction) -> dict[Channel, int]:
            notice = lock_notice(tx, actor, notice_id)
            return count_ways(
                tx.session,
                kind=MessageKind.NOTICE,
                house_ids=house_ids_of(tx.session, notice),
                community_id=notice.community_id,
                today=local_date(tx.now),
            )

        return self.unit_of_work.run(work)

    def publish(self, *, actor: Actor, notice_id: int, at: datetime | None = None) -> int:
        """Publish a notice now, or at an instant of the next 90 days; tell how many are told.

        Everybody of the houses is told once, on the way that reaches them.

        Raises:
            NotFound: no such notice, or it is not in scope.
            NoticeCannotMove: it is published or withdrawn.
            InvalidInput: the instant is past, or too far ahead.
        """
        actor.must(Permission.PUBLISH_NOTICES)

        def work(tx: Transaction) -> int:
            notice = lock_notice(tx, actor, notice_id)
            if at is None:
                return _publish(tx, actor, notice)
            if not tx.now < at <= tx.now + _AHEAD:
                raise InvalidInput(fields={"at": ["请填写之后 90 天内的时间"]})
            _move(notice, NoticeState.SCHEDULED)
            notice.publish_at = at
            _record(tx, actor, "notice_scheduled", notice, publish_at=at.isoformat())
            return 0

        return self.unit_of_work.run(work)

    def withdraw(self, *, actor: Actor, notice_id: int, reason: str) -> None:
        """Take a published notice back: nobody sees it any more, and what is not out stays in.

        Raises:
            NotFound: no such notice, or it is not in scope.
            NoticeCannotMove: it is not published.
            InvalidInput: no reason.
        """
        actor.must(Permission.PUBLISH_NOTICES)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            notice = lock_notice(tx, actor, notice_id)
            _move(notice, NoticeState.WITHDRAWN)
            notice.withdrawn_at = tx.now
            tx.session.execute(_TAKE_BACK, {"notice_id": str(notice.id)})
            _record(tx, actor, "notice_withdrawn", notice, reason=reason.strip())

        self.unit_of_work.run(work)

    def publish_due(self, *, actor: Actor) -> int:
        """Publish what was scheduled for now or before, each by itself; tell how many."""
        actor.must(Permission.RUN_PLATFORM_WORK)

        def work(tx: Transaction) -> bool:
            notice = tx.session.execute(
                select(Notice)
                .where(Notice.state == NoticeState.SCHEDULED, Notice.publish_at <= tx.now)
                .order_by(Notice.publish_at, Notice.id)
                .limit(1)
                .with_for_update(skip_locked=True)
            ).scalar_one_or_none()
            if notice is None:
                return False
            _publish(tx, actor, notice)
            return True

        count = 0
        while self.unit_of_work.run(work):
            count += 1
        return count


def _publish(tx: Transaction, actor: Actor, notice: Notice) -> int:
    _move(notice, NoticeState.PUBLISHED)
    notice.published_at, notice.publish_at = tx.now, None
    tx.session.flush()
    community = tx.session.get_one(Community, notice.community_id)
    told = tell_houses(
        tx,
        kind=MessageKind.NOTICE,
        house_ids=house_ids_of(tx.session, notice),
        payload={
            "title": notice.title,
            "community": community.name,
            "at": tx.now.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M"),
        },
        event_key=f"notice:{notice.id}",
        community_id=notice.community_id,
    )
    _record(tx, actor, "notice_published", notice, told=told)
    return told


def _move(notice: Notice, after: NoticeState) -> None:
    if after not in NOTICE_MOVES[NoticeState(notice.state)]:
        raise NoticeCannotMove
    notice.state = after


def _record(tx: Transaction, actor: Actor, action: str, notice: Notice, **facts: object) -> None:
    record(
        tx,
        actor,
        action,
        subject_type="notice",
        subject_id=notice.id,
        community_id=notice.community_id,
        facts={"title": notice.title, **facts},
    )
