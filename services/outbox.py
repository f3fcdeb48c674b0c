"""Messages on their way out: written with what made them due, delivered later, by lease."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import RowMapping, select, text, update
from sqlalchemy.dialects.postgresql import insert

from domain.actors import Actor, Permission
from domain.delivery import ATTEMPTS_CAP, Reaction, pause_before, react
from domain.errors import NotFound, PlatformRefused, PlatformUnavailable
from domain.messages import MESSAGES, Channel, MessageKind
from domain.periods import local_date, start_of_local_day
from models import ChannelPause, OutboxMessage
from services.accounts import note_identity
from services.lanes import LANES, Lanes
from services.messages.guards import hold_back
from services.messages.owed import refresh_reminders
from services.messages.quotas import end_permission, give_permission_back, use_permissions
from services.messages.senders import Claimed, Outcome, Senders, Sent
from services.messages.ways import go_on
from services.tasks import open_task
from services.unit_of_work import Transaction, UnitOfWork

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
"""Much longer than one batch takes, and well inside the ten minutes of ``client_msg_id``."""
_REST = timedelta(minutes=10)
_FINAL = (Reaction.NOT_FOLLOWING, Reaction.NOT_PERMITTED, Reaction.OTHER_CHANNEL)
"""After these the message will never be taken on this way."""
_DROP_STALE = text(
    """
    UPDATE outbox_message SET state = 'cancelled', payload = '{}', last_error = 'stale'
     WHERE state IN ('pending', 'sending') AND next_attempt_at <= :now AND expires_at <= :now
    """
)
_CLAIM = text(
    """
    UPDATE outbox_message
       SET state = 'sending', lease = :lease, attempts = attempts + 1,
           next_attempt_at = :lease_until
     WHERE id IN (
        SELECT id FROM outbox_message
         WHERE lane = :lane AND state IN ('pending', 'sending') AND next_attempt_at <= :now
           AND NOT EXISTS (SELECT FROM channel_pause
                            WHERE channel = :channel AND paused_until > :now)
         ORDER BY next_attempt_at, id
         LIMIT :width
           FOR UPDATE SKIP LOCKED)
    RETURNING id, community_id, kind, channel, recipient, fallback_phone, payload, dedup_key,
              attempts, account_id, owner_id, staff_id
    """
)


def queue_message(
    tx: Transaction,
    *,
    kind: MessageKind,
    channel: Channel,
    recipient: str,
    payload: Mapping[str, str],
    dedup_key: str,
    community_id: int | None = None,
    fallback_phone: str | None = None,
    expires_at: datetime | None = None,
) -> None:
    """Write one message, due at once; a second one with the same key is the same message.

    After ``expires_at`` it is worth nothing and is dropped unsent.
    """
    tx.session.execute(
        insert(OutboxMessage)
        .values(
            community_id=community_id,
            kind=kind,
            channel=channel,
            recipient=recipient,
            fallback_phone=fallback_phone,
            payload=dict(payload),
            dedup_key=dedup_key,
            state="pending",
            next_attempt_at=tx.now,
            expires_at=expires_at,
            created_at=tx.now,
        )
        .on_conflict_do_nothing(index_elements=["dedup_key"])
    )
    tx.wake("deliver_messages")


@dataclass(frozen=True)
class Outbox:
    """Delivers what is due. In each lane ``width`` messages are on the wire at once."""

    unit_of_work: UnitOfWork
    senders: Senders
    width: int

    def deliver_due(self, *, actor: Actor) -> int:
        """Send every message that is due and return how many the platforms took.

        Rows are leased, sent outside any transaction, and marked by their lease. Whoever dies in
        between leaves rows that are due again when the lease runs out; channels that take a client
        key drop the repeat.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        lanes = Lanes()
        with ThreadPoolExecutor(len(LANES), thread_name_prefix="lane") as pool:
            return sum(pool.map(lambda lane: self._deliver_lane(lane, lanes), LANES))

    def _deliver_lane(self, lane: str, lanes: Lanes) -> int:
        """Send what is due in one lane until every lane has run dry."""
        taken = 0
        with (
            lanes.watched(),
            ThreadPoolExecutor(self.width, thread_name_prefix=f"deliver-{lane}") as pool,
        ):
            while True:
                lease, looked_after = secrets.token_hex(8), lanes.done
                batch = self._claim(lease, lane)
                if not batch:
                    if lanes.is_over(lane, looked_after):
                        return taken
                    continue
                lanes.begin(lane)
                outcomes = list(pool.map(self.senders.send, batch))
                self._mark(lease, batch, outcomes)
                lanes.end()
                taken += sum(isinstance(outcome, Sent) for outcome in outcomes)

    def _claim(self, lease: str, lane: str) -> list[Claimed]:
        """Lease what may go now; empty only when nothing at all is due."""

        def work(tx: Transaction) -> tuple[int, list[Claimed]]:
            tx.session.execute(_DROP_STALE, {"now": tx.now})
            rows = (
                tx.session.execute(
                    _CLAIM,
                    {
                        "lease": lease,
                        "lane": lane,
                        "channel": LANES[lane],
                        "now": tx.now,
                        "lease_until": tx.now + LEASE,
                        "width": self.width,
                    },
                )
                .mappings()
                .all()
            )
            ids = [row["id"] for row in rows]
            payloads, paid = refresh_reminders(tx, ids)
            held = hold_back(tx, ids) | paid
            batch = [_claimed(row, payloads) for row in rows if row["id"] not in held]
            return len(held), use_permissions(tx, self.senders.subscribe, batch)

        while True:
            held_count, batch = self.unit_of_work.run(work)
            if batch or not held_count:
                return batch

    def _mark(self, lease: str, batch: list[Claimed], outcomes: list[Outcome]) -> None:
        def work(tx: Transaction) -> None:
            for message, outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, Sent):
                    self._mark_sent(tx, lease, message, outcome)
                elif isinstance(outcome, PlatformRefused):
                    self._mark_refused(tx, lease, message, outcome)
                else:
                    self._mark_unanswered(tx, lease, message, outcome)

        self.unit_of_work.run(work)

    def _mark_sent(self, tx: Transaction, lease: str, message: Claimed, sent: Sent) -> None:
        _update(
            tx,
            lease,
            message,
            state="sent",
            sent_at=tx.now,
            provider_id=sent.provider_id,
            last_error="",
            **_wiped(message),
        )

    def _mark_unanswered(
        self, tx: Transaction, lease: str, message: Claimed, failure: PlatformUnavailable
    ) -> None:
        give_permission_back(tx, self.senders.subscribe, message)
        if message.attempts >= ATTEMPTS_CAP:
            if _update(
                tx, lease, message, state="failed", last_error="no answer", **_wiped(message)
            ):
                _give_up(tx, message)
            return
        wait = pause_before(message.attempts)
        if failure.retry_after_s:
            wait = max(wait, timedelta(seconds=failure.retry_after_s))
        _update(
            tx,
            lease,
            message,
            state="pending",
            next_attempt_at=tx.now + wait,
            last_error="no answer",
        )

    def _mark_refused(
        self, tx: Transaction, lease: str, message: Claimed, refusal: PlatformRefused
    ) -> None:
        code = refusal.vendor_code
        reaction = react(message.channel, code)
        log.warning(
            "message refused",
            extra={"message_id": message.id, "vendor_code": code, "reaction": reaction},
        )
        if reaction is Reaction.NOT_PERMITTED:
            end_permission(tx, self.senders.subscribe, message)
        else:
            give_permission_back(tx, self.senders.subscribe, message)
        if reaction in _FINAL:
            if reaction is Reaction.NOT_FOLLOWING:
                note_identity(
                    tx,
                    appid=self.senders.official_account.appid,
                    openid=message.recipient,
                    is_following=False,
                )
            if _update(tx, lease, message, state="failed", last_error=code, **_wiped(message)):
                _take_other_channel(tx, message)
            return
        until = _rest_until(reaction, tx.now)
        _rest(tx, message.channel, until=until, reason=code)
        _update(
            tx,
            lease,
            message,
            state="pending",
            next_attempt_at=until,
            last_error=code,
            attempts=OutboxMessage.attempts - 1,
        )
        if reaction is Reaction.ALARM:
            open_task(
                tx,
                kind="message_channel_refused",
                subject=f"{message.channel}:{code}",
                title=f"消息通道 {message.channel} 被平台拒绝（{code}），请检查配置",
            )

    def note_result(
        self,
        *,
        actor: Actor,
        provider_id: str,
        status: str,
        channel: Channel = Channel.OFFICIAL_TEMPLATE,
    ) -> None:
        """Take WeChat's later word on a message: ``success``, or why it did not arrive.

        That one goes by the next way. Repeats change nothing.

        Raises:
            NotFound: no such message is marked sent yet; the platform will tell again.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)

        def work(tx: Transaction) -> None:
            row = tx.session.execute(
                select(OutboxMessage)
                .where(
                    OutboxMessage.channel == channel,
                    OutboxMessage.provider_id == provider_id,
                )
                .with_for_update()
            ).scalar_one_or_none()
            if row is None:
                raise NotFound
            if status == "success" or row.state != "sent":
                return
            row.state, row.last_error = "failed", status
            _take_other_channel(
                tx,
                Claimed(
                    id=row.id,
                    community_id=row.community_id,
                    kind=MessageKind(row.kind),
                    channel=channel,
                    recipient=row.recipient,
                    fallback_phone=row.fallback_phone,
                    payload=row.payload,
                    dedup_key=row.dedup_key,
                    attempts=row.attempts,
                    account_id=row.account_id,
                    owner_id=row.owner_id,
                    staff_id=row.staff_id,
                ),
            )

        self.unit_of_work.run(work)


def _claimed(row: RowMapping, payloads: Mapping[int, dict[str, str]]) -> Claimed:
    return Claimed(
        **{
            **row,
            "kind": MessageKind(row["kind"]),
            "channel": Channel(row["channel"]),
            "payload": payloads.get(row["id"], row["payload"]),
        }
    )


def _wiped(message: Claimed) -> dict[str, object]:
    """Tell what becomes of the payload once a message is over: a secret is kept nowhere."""
    return {"payload": {}} if MESSAGES[message.kind].is_secret else {}


def _update(tx: Transaction, lease: str, message: Claimed, **values: object) -> bool:
    """Change the row if the lease is still ours; tell whether it was."""
    changed = tx.session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == message.id, OutboxMessage.lease == lease)
        .values(**values, lease=None)
        .returning(OutboxMessage.id)
    ).scalar_one_or_none()
    return changed is not None


def _give_up(tx: Transaction, message: Claimed) -> None:
    """End with a way that gives no answer: the next one, or a person."""
    if message.goes_on:
        go_on(tx, message_id=message.id, kind=message.kind, channel=message.channel)
    else:
        _tell_staff(tx, message)


def _take_other_channel(tx: Transaction, message: Claimed) -> None:
    if message.goes_on:
        go_on(tx, message_id=message.id, kind=message.kind, channel=message.channel)
        return
    if message.channel is Channel.SMS or not message.fallback_phone:
        _tell_staff(tx, message)
        return
    if MESSAGES[message.kind].sms_params:
        queue_message(
            tx,
            kind=message.kind,
            channel=Channel.SMS,
            recipient=message.fallback_phone,
            payload=message.payload,
            dedup_key=f"{message.dedup_key}:sms",
            community_id=message.community_id,
        )


def _tell_staff(tx: Transaction, message: Claimed) -> None:
    if not MESSAGES[message.kind].is_secret:
        open_task(
            tx,
            kind="message_not_delivered",
            subject=str(message.id),
            title="有一条通知没有送达，请用其他方式联系业主",
            community_id=message.community_id,
        )


def _rest_until(reaction: Reaction, now: datetime) -> datetime:
    if reaction is Reaction.REST_UNTIL_MIDNIGHT:
        return start_of_local_day(local_date(now) + timedelta(days=1))
    return now + (timedelta(minutes=1) if reaction is Reaction.WAIT_A_MINUTE else _REST)


def _rest(tx: Transaction, channel: Channel, *, until: datetime, reason: str) -> None:
    tx.session.execute(
        insert(ChannelPause)
        .values(channel=channel, paused_until=until, reason=reason)
        .on_conflict_do_update(
            index_elements=["channel"], set_={"paused_until": until, "reason": reason}
        )
    )
