"""What may become of a notice (公告), and by whom."""

from __future__ import annotations

from enum import StrEnum


class NoticeState(StrEnum):
    """The states of a notice."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


NOTICE_SHOWN = {
    NoticeState.DRAFT: "草稿",
    NoticeState.SCHEDULED: "定时发布",
    NoticeState.PUBLISHED: "已发布",
    NoticeState.WITHDRAWN: "已撤回",
}
NOTICE_MOVES: dict[NoticeState, frozenset[NoticeState]] = {
    NoticeState.DRAFT: frozenset({NoticeState.SCHEDULED, NoticeState.PUBLISHED}),
    NoticeState.SCHEDULED: frozenset(
        {NoticeState.DRAFT, NoticeState.SCHEDULED, NoticeState.PUBLISHED}
    ),
    NoticeState.PUBLISHED: frozenset({NoticeState.WITHDRAWN}),
    NoticeState.WITHDRAWN: frozenset(),
}
TITLE_LIMIT, BODY_LIMIT = 60, 5000
