"""Rows of notices, and whom each is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.orm import Session

from domain.actors import Actor
from domain.errors import InvalidInput, NotFound
from domain.notice_states import BODY_LIMIT, NOTICE_SHOWN, TITLE_LIMIT, NoticeState
from models import Building, House, Notice, NoticeBuilding, NoticeRead, Staff
from services.scopes import in_scope
from services.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class NoticeWords:
    """What staff write; without buildings it is for the whole community."""

    title: str
    body: str
    is_pinned: bool = False
    building_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class NoticeView:
    """A notice as staff see it; ``read_count`` is of accounts that have opened it."""

    id: int
    community_id: int
    title: str
    body: str
    is_pinned: bool
    building_ids: tuple[int, ...]
    state: NoticeState
    state_shown: str
    written_by: str
    written_at: datetime
    publish_at: datetime | None
    published_at: datetime | None
    withdrawn_at: datetime | None
    read_count: int


def lock_notice(tx: Transaction, actor: Actor, notice_id: int) -> Notice:
    """Lock a notice of a community that is in scope as a whole.

    Raises:
        NotFound: there is none.
    """
    notice = tx.session.execute(
        select(Notice)
        .where(Notice.id == notice_id, in_scope(Notice.community_id, actor))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if notice is None:
        raise NotFound
    return notice


def put_words(tx: Transaction, notice: Notice, words: NoticeWords) -> None:
    """Write the words and buildings of a notice.

    Raises:
        InvalidInput: it is empty or too long, or a building is not of its community.
    """
    title, body = words.title.strip(), words.body.strip()
    wrong = {}
    if not 0 < len(title) <= TITLE_LIMIT:
        wrong["title"] = [f"标题请写 1 至 {TITLE_LIMIT} 个字"]
    if not 0 < len(body) <= BODY_LIMIT:
        wrong["body"] = [f"内容请写 1 至 {BODY_LIMIT} 个字"]
    building_ids = sorted(set(words.building_ids))
    if len(building_ids) != len(_own_buildings(tx, notice.community_id, building_ids)):
        wrong["building_ids"] = ["只能选择本小区的楼栋"]
    if wrong:
        raise InvalidInput(fields=wrong)
    notice.title, notice.body, notice.is_pinned = title, body, words.is_pinned
    tx.session.add(notice)
    tx.session.flush()
    tx.session.execute(delete(NoticeBuilding).where(NoticeBuilding.notice_id == notice.id))
    for building_id in building_ids:
        tx.session.add(NoticeBuilding(notice_id=notice.id, building_id=building_id))
    tx.session.flush()


def _own_buildings(
    tx: Transaction, community_id: int, building_ids: Sequence[int]
) -> Sequence[int]:
    return tx.session.scalars(
        select(Building.id).where(
            Building.community_id == community_id, Building.id.in_(building_ids)
        )
    ).all()


def house_ids_of(session: Session, notice: Notice) -> list[int]:
    """List the houses that a notice is for."""
    chosen = select(NoticeBuilding.building_id).where(NoticeBuilding.notice_id == notice.id)
    return list(
        session.scalars(
            select(House.id)
            .where(
                House.community_id == notice.community_id,
                or_(~exists(chosen), House.building_id.in_(chosen)),
            )
            .order_by(House.id)
        )
    )


def read_notices(session: Session, notices: Sequence[Notice]) -> list[NoticeView]:
    """Show rows as staff see them, with one query for each kind of fact."""
    ids = [notice.id for notice in notices]
    buildings: dict[int, list[int]] = {}
    for notice_id, building_id in session.execute(
        select(NoticeBuilding.notice_id, NoticeBuilding.building_id)
        .where(NoticeBuilding.notice_id.in_(ids))
        .order_by(NoticeBuilding.building_id)
    ):
        buildings.setdefault(notice_id, []).append(building_id)
    reads = {
        row.notice_id: row.readers
        for row in session.execute(
            select(NoticeRead.notice_id, func.count().label("readers"))
            .where(NoticeRead.notice_id.in_(ids))
            .group_by(NoticeRead.notice_id)
        )
    }
    writers = {
        staff.id: staff.name
        for staff in session.scalars(
            select(Staff).where(Staff.id.in_({notice.written_by_staff_id for notice in notices}))
        )
    }
    return [
        NoticeView(
            id=notice.id,
            community_id=notice.community_id,
            title=notice.title,
            body=notice.body,
            is_pinned=notice.is_pinned,
            building_ids=tuple(buildings.get(notice.id, ())),
            state=NoticeState(notice.state),
            state_shown=NOTICE_SHOWN[NoticeState(notice.state)],
            written_by=writers[notice.written_by_staff_id],
            written_at=notice.written_at,
            publish_at=notice.publish_at,
            published_at=notice.published_at,
            withdrawn_at=notice.withdrawn_at,
            read_count=reads.get(notice.id, 0),
        )
        for notice in notices
    ]
