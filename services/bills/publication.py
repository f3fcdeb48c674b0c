"""Publishing a batch: a few set-based statements and one check, whatever its size."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from domain.actors import Actor, Permission
from domain.bill_states import BatchState
from domain.errors import Conflict
from domain.periods import local_date
from domain.prepaid import PrepaidMove
from models import Community
from services.audit import record
from services.bills.batches import check_content, lock_batch
from services.bills.gates import BatchDoesNotAddUp
from services.prepaid.ledger import account_of, move
from services.transfer_debts import mark_late_bills
from services.unit_of_work import Transaction, UnitOfWork

_PUBLISH = text(
    """
    UPDATE bill SET published_at = :now,
           state = CASE WHEN amount_fen = 0 THEN 'paid' ELSE 'published' END
     WHERE batch_id = :batch_id AND state = 'pending_review'
    """
)
_APPLY_NOTES = text(
    """
    UPDATE bill_adjustment note SET state = 'applied', applied_bill_id = bill.id
      FROM bill_line line JOIN bill ON bill.id = line.bill_id
     WHERE bill.batch_id = :batch_id AND bill.state IN ('published', 'paid')
       AND line.kind = 'adjustment' AND note.id = (line.trace ->> 'adjustment_id')::bigint
       AND note.state = 'open'
    RETURNING note.community_id, note.house_id, note.fee_item_id,
              (line.trace ->> 'to_prepaid_fen')::bigint AS excess_fen, bill.bill_no
    """
)
_COUNT_NOTES = text(
    """
    SELECT count(*) FROM bill_line line JOIN bill ON bill.id = line.bill_id
     WHERE bill.batch_id = :batch_id AND bill.state IN ('published', 'paid')
       AND line.kind = 'adjustment'
    """
)
_TELL = text(
    """
    WITH owed AS (
        SELECT bill.house_id, debt.transfer_id,
               sum(bill.amount_fen)::bigint AS amount_fen,
               string_agg(fee_item.name, '、' ORDER BY fee_item.id) AS items,
               min(bill.due_date) AS due_date
          FROM bill JOIN fee_item ON fee_item.id = bill.fee_item_id
          LEFT JOIN transfer_debt debt ON debt.bill_id = bill.id
         WHERE bill.batch_id = :batch_id AND bill.state = 'published'
         GROUP BY bill.house_id, debt.transfer_id),
    owing AS (
        SELECT owed.*, part.owner_id
          FROM owed
          JOIN house_person part ON part.house_id = owed.house_id
           AND part.role IN ('title_holder', 'co_owner')
           AND part.person_from <= :today
           AND (part.person_until IS NULL OR part.person_until > :today)
         WHERE owed.transfer_id IS NULL
        UNION ALL
        SELECT owed.*, party.owner_id
          FROM owed
          JOIN transfer_party party ON party.transfer_id = owed.transfer_id
           AND party.side = 'seller'),
    told AS (
        SELECT DISTINCT owing.house_id, owing.transfer_id, owing.amount_fen, owing.items,
               owing.due_date, owner.phone, identity.openid
          FROM owing
          JOIN owner ON owner.id = owing.owner_id AND owner.phone IS NOT NULL
          LEFT JOIN owner_phone ON owner_phone.owner_id = owner.id AND owner_phone.is_primary
          LEFT JOIN account ON account.phone = owner.phone AND account.is_active
           AND owner_phone.opens_houses
          LEFT JOIN wechat_identity identity
            ON identity.account_id = account.id AND identity.is_following)
    INSERT INTO outbox_message (community_id, kind, channel, recipient, fallback_phone, payload,
                                dedup_key, state, next_attempt_at, created_at)
    SELECT :community_id, 'bill_published',
           CASE WHEN openid IS NULL THEN 'sms' ELSE 'official_template' END,
           coalesce(openid, phone),
           CASE WHEN :sends_sms AND openid IS NOT NULL THEN phone END,
           jsonb_build_object(
               'house', building.name
                   || CASE WHEN house.unit_no = '' THEN '' ELSE house.unit_no || '单元' END
                   || house.room_no,
               'items', items,
               'amount', amount_fen / 100 || '.' || lpad((amount_fen % 100)::text, 2, '0'),
               'due_on', to_char(due_date, 'YYYY"年"FMMM"月"FMDD"日"') || ' 23:59'),
           'bill_published:' || :batch_id || ':' || house_id || ':' || coalesce(openid, phone)
               || coalesce(':' || transfer_id, ''),
           'pending', :now, :now
      FROM told
      JOIN house ON house.id = told.house_id
      JOIN building ON building.id = house.building_id
     WHERE openid IS NOT NULL OR :sends_sms
    ON CONFLICT (dedup_key) DO NOTHING
    """
)
_WITHOUT_NESTED_LOOPS = text("SET LOCAL enable_nestloop = off")
"""Bills were written moments ago and changed state just now, so the planner knows nothing of them,
expects one row and would nest loops over thousands: minutes instead of a second."""


class ContentChanged(Conflict):
    """A bill or line differs from what was approved: nothing is published."""

    code = "content_changed"
    message = "账单内容与审核时不一致，已停止发布，请重新审核"


@dataclass(frozen=True, slots=True)
class Published:
    """What publishing a batch did."""

    bill_count: int
    amount_fen: int
    message_count: int


@dataclass(frozen=True)
class Publication:
    """Makes approved bills payable and tells their owners."""

    unit_of_work: UnitOfWork

    def publish(self, *, actor: Actor, batch_id: int) -> Published:
        """Publish an approved batch: bills become payable, one message is due per person and house.

        A bill of zero is paid at once and nobody is told of it. Owners who follow the official
        account are told there; the others by SMS, if the community pays for that.

        Credit and debit notes on its bills are used up. Where the community says so, prepaid
        balances are offset right after, by a job.

        Raises:
            NotFound, BatchCannotMove: no such batch, or not approved.
            BatchDoesNotAddUp, ContentChanged: the content is not what was approved.

        Source: domain.md D4, D12.
        """
        actor.must(Permission.PUBLISH_BILLS)

        def work(tx: Transaction) -> Published:
            batch = lock_batch(tx, actor, batch_id, BatchState.PUBLISHED)
            if check_content(tx, batch) != batch.content_sha256:
                raise ContentChanged
            tx.session.execute(_PUBLISH, {"batch_id": batch_id, "now": tx.now})
            _apply_notes(tx, actor, batch_id)
            mark_late_bills(tx, batch_id)
            batch.state, batch.published_at = BatchState.PUBLISHED, tx.now
            community = tx.session.get_one(Community, batch.community_id)
            tx.session.execute(_WITHOUT_NESTED_LOOPS)
            told = tx.session.execute(
                _TELL,
                {
                    "batch_id": batch_id,
                    "community_id": community.id,
                    "sends_sms": community.sends_bill_sms,
                    "now": tx.now,
                    "today": local_date(tx.now),
                },
            )
            published = Published(batch.bill_count, batch.amount_fen, told.rowcount)  # type: ignore[attr-defined]
            record(
                tx,
                actor,
                "batch_published",
                subject_type="bill_batch",
                subject_id=batch_id,
                community_id=community.id,
                facts={
                    "bill_count": published.bill_count,
                    "amount_fen": published.amount_fen,
                    "message_count": published.message_count,
                },
            )
            tx.wake("deliver_messages")
            if community.offsets_prepaid:
                tx.wake("offset_prepaid")
            return published

        return self.unit_of_work.run(work)


def _apply_notes(tx: Transaction, actor: Actor, batch_id: int) -> None:
    """Use up the credit and debit notes of the bills; what a bill could not hold becomes prepaid.

    Raises:
        BatchDoesNotAddUp: another batch used one of them a moment ago.
    """
    expected = tx.session.execute(_COUNT_NOTES, {"batch_id": batch_id}).scalar_one()
    if not expected:
        return
    applied = tx.session.execute(_APPLY_NOTES, {"batch_id": batch_id}).all()
    if len(applied) != expected:
        raise BatchDoesNotAddUp("有调整单刚被其他批次使用，请重新生成后再发布")
    for note in applied:
        if note.excess_fen:
            account_id = account_of(
                tx,
                community_id=note.community_id,
                house_id=note.house_id,
                fee_item_id=note.fee_item_id,
            )
            move(
                tx,
                account_id=account_id,
                kind=PrepaidMove.CORRECTION,
                amount_fen=note.excess_fen,
                note=f"账单 {note.bill_no} 调减后的余额",
                staff_id=actor.id,
            )
