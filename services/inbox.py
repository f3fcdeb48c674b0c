"""Everything that platforms, or somebody posing as one, send us: kept before it is judged."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from models import PlatformNotice
from services.unit_of_work import Transaction, UnitOfWork, violates

_KEPT_HEADERS = ("content-type", "content-length", "user-agent", "request-id")
_KEPT_PREFIX = "wechatpay-"
_HEADER_LIMIT = 1000


BODY_LIMIT = 64 * 1024
"""The largest notice or push that is read, in bytes. Source: reliability.md, bad-input matrix."""
ANY_LENGTH = sys.maxsize
"""What a front lets in so that `read_posted` can keep the beginning of whatever is too large."""
_KEPT_OF_TOO_LARGE = 4096


TAKEN = "taken"
"""The verdict of a notice that somebody is acting on."""
_CUT_OFF_AFTER = timedelta(seconds=4)
"""The platform gives up on an answer after 5 s and sends the next copy: by then none is at work."""


class Readable(Protocol):
    """A request's body."""

    def read(self, size: int, /) -> bytes:
        """Read at most ``size`` bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Posted:
    """What somebody posted, as far as it was read; ``size`` is the whole as far as it is known."""

    headers: Mapping[str, str]
    body: bytes
    size: int
    remote_ip: str

    @property
    def is_too_large(self) -> bool:
        """Whether it is past the limit, so that ``body`` is only its beginning."""
        return self.size > BODY_LIMIT


def read_posted(
    *, headers: Mapping[str, str], stream: Readable, announced: int | None, remote_ip: str | None
) -> Posted:
    """Read a body without ever holding much more of it than the limit."""
    too_large = (announced or 0) > BODY_LIMIT
    body = stream.read(_KEPT_OF_TOO_LARGE if too_large else BODY_LIMIT + 1)
    size = max(announced or 0, len(body))
    kept = body[:_KEPT_OF_TOO_LARGE] if size > BODY_LIMIT else body
    return Posted(dict(headers), kept, size, remote_ip or "")


@dataclass(frozen=True)
class Inbox:
    """The evidence of what came in, each piece with its verdict."""

    unit_of_work: UnitOfWork

    def keep(self, *, source: str, posted: Posted, request_id: str) -> int:
        """Store a notice as it came, in a transaction of its own, and return its id.

        Of the headers only those that matter as evidence are kept.
        """
        kept = {
            name: value[:_HEADER_LIMIT].replace("\x00", "")
            for name, value in posted.headers.items()
            if name.lower() in _KEPT_HEADERS or name.lower().startswith(_KEPT_PREFIX)
        }

        def work(tx: Transaction) -> int:
            notice = PlatformNotice(
                source=source,
                received_at=tx.now,
                headers=kept,
                body=posted.body,
                body_size=posted.size,
                body_sha256=hashlib.sha256(posted.body).hexdigest(),
                remote_ip=posted.remote_ip,
                verdict="received",
                request_id=request_id,
            )
            tx.session.add(notice)
            tx.session.flush()
            return notice.id

        return self.unit_of_work.run(work)

    def take_once(self, *, notice_id: int, dedup_key: str) -> bool:
        """Claim what a notice says, and tell whether this copy is the one to act on.

        Only a copy whose work was judged ends the matter: one that was taken and never judged was
        cut off, and the platform's next copy takes over. What pushes do may be done twice.
        """

        def work(tx: Transaction) -> bool:
            source = select(PlatformNotice.source).where(PlatformNotice.id == notice_id)
            first = tx.session.execute(
                select(PlatformNotice)
                .where(
                    PlatformNotice.source == source.scalar_subquery(),
                    PlatformNotice.dedup_key == dedup_key,
                )
                .with_for_update()
            ).scalar_one_or_none()
            if first is not None:
                if first.verdict != TAKEN or first.received_at > tx.now - _CUT_OFF_AFTER:
                    return first.id == notice_id
                first.dedup_key, first.verdict = None, "cut_off"
                tx.session.flush()
            tx.session.execute(
                update(PlatformNotice)
                .where(PlatformNotice.id == notice_id)
                .values(dedup_key=dedup_key, verdict=TAKEN)
            )
            return True

        try:
            return self.unit_of_work.run(work)
        except IntegrityError as error:
            if violates(error, "uq_platform_notice_dedup_key"):
                return False
            raise

    def give_back(self, *, notice_id: int, verdict: str) -> None:
        """Release a claim whose work failed, so that the platform's next copy is tried again."""
        self.unit_of_work.run(
            lambda tx: tx.session.execute(
                update(PlatformNotice)
                .where(PlatformNotice.id == notice_id)
                .values(dedup_key=None, verdict=verdict)
            )
        )

    def name_order(self, *, notice_id: int, out_trade_no: str) -> None:
        """Write which order a notice is about, so that its life can be told."""
        self.unit_of_work.run(
            lambda tx: tx.session.execute(
                update(PlatformNotice)
                .where(PlatformNotice.id == notice_id)
                .values(out_trade_no=out_trade_no)
            )
        )

    def judge(self, *, notice_id: int, verdict: str) -> None:
        """Write what became of a notice."""
        self.unit_of_work.run(
            lambda tx: tx.session.execute(
                update(PlatformNotice).where(PlatformNotice.id == notice_id).values(verdict=verdict)
            )
        )


def judge_with(tx: Transaction, *, notice_id: int, verdict: str, out_trade_no: str) -> None:
    """Write what became of a notice in the transaction that did it, and which order it is about."""
    tx.session.execute(
        update(PlatformNotice)
        .where(PlatformNotice.id == notice_id)
        .values(verdict=verdict, out_trade_no=out_trade_no)
    )
