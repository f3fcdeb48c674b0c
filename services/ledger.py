"""Checks of the promises of reliability.md against live data; nothing is mended here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from domain.actors import Actor, Permission
from services.unit_of_work import UnitOfWork

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Check:
    """One promise: what was looked at, how many rows, and the first that break it."""

    promise: str
    title: str
    looked_at: int
    broken: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether no row breaks it."""
        return not self.broken


@dataclass(frozen=True, slots=True)
class _Rule:
    promise: str
    title: str
    population: str
    breaches: str


_RULES = (
    _Rule(
        "M1",
        "每笔收款 = 已入账 + 暂存",
        "SELECT count(*) FROM payment",
        """
        SELECT payment.provider_transaction_id FROM payment
         WHERE amount_fen <>
               (SELECT coalesce(sum(amount_fen), 0) FROM allocation WHERE payment_id = payment.id)
             + (SELECT coalesce(sum(amount_fen), 0) FROM suspense WHERE payment_id = payment.id)
        """,
    ),
    _Rule(
        "M2",
        "每张账单的已缴金额 = 其分配之和",
        "SELECT count(*) FROM bill",
        """
        SELECT bill.bill_no FROM bill
          LEFT JOIN (SELECT bill_id, sum(amount_fen) AS amount_fen FROM allocation
                      GROUP BY bill_id) placed ON placed.bill_id = bill.id
         WHERE bill.paid_fen <> coalesce(placed.amount_fen, 0)
        """,
    ),
    _Rule(
        "M2",
        "每条明细的分配不超过明细金额",
        "SELECT count(*) FROM bill_line",
        """
        SELECT line.bill_id || '-' || line.line_no FROM bill_line line
          JOIN (SELECT bill_id, line_no, sum(amount_fen) AS amount_fen FROM allocation
                 GROUP BY bill_id, line_no) placed USING (bill_id, line_no)
         WHERE placed.amount_fen NOT BETWEEN 0 AND line.amount_fen
        """,
    ),
    _Rule(
        "M3",
        "已缴金额不小于 0、不超过账单金额，状态与金额相符",
        "SELECT count(*) FROM bill WHERE published_at IS NOT NULL",
        """
        SELECT bill_no FROM bill
         WHERE paid_fen NOT BETWEEN 0 AND amount_fen
            OR (published_at IS NOT NULL AND state <> CASE
                    WHEN state = 'voided' THEN 'voided'
                    WHEN paid_fen = amount_fen THEN 'paid'
                    WHEN paid_fen > 0 THEN 'partially_paid' ELSE 'published' END)
        """,
    ),
    _Rule(
        "M4",
        "渠道的每个交易号只入账一次",
        "SELECT count(*) FROM payment",
        """
        SELECT provider_transaction_id FROM payment
         GROUP BY channel, mchid, provider_transaction_id HAVING count(*) > 1
        """,
    ),
    _Rule(
        "M4",
        "每个订单最多有一笔收款（多出的必须在暂存）",
        "SELECT count(*) FROM payment_order",
        """
        SELECT payment_order.out_trade_no FROM payment_order
          JOIN payment ON payment.order_id = payment_order.id
          JOIN receipt ON receipt.payment_id = payment.id
         GROUP BY payment_order.id HAVING count(*) > 1
        """,
    ),
    _Rule(
        "M5",
        "成功的订单都有收款，有收款的订单都不再等待支付",
        "SELECT count(*) FROM payment_order",
        """
        SELECT out_trade_no FROM payment_order
         WHERE (state = 'succeeded' AND NOT EXISTS
                   (SELECT FROM payment WHERE payment.order_id = payment_order.id))
            OR (state IN ('created', 'prepaying', 'unknown') AND EXISTS
                   (SELECT FROM payment WHERE payment.order_id = payment_order.id))
        """,
    ),
    _Rule(
        "M6",
        "每笔暂存款都有待办或已处理的记录",
        "SELECT count(*) FROM suspense",
        """
        SELECT payment_id::text FROM suspense
         WHERE NOT EXISTS (SELECT FROM staff_task WHERE kind = 'money_in_suspense'
                              AND subject = 'payment:' || suspense.payment_id)
        """,
    ),
    _Rule(
        "M7",
        "收据金额 = 该笔收款的分配之和",
        "SELECT count(*) FROM receipt",
        """
        SELECT receipt_no FROM receipt
         WHERE amount_fen <> (SELECT coalesce(sum(amount_fen), 0) FROM allocation
                               WHERE allocation.payment_id = receipt.payment_id)
        """,
    ),
    _Rule(
        "M9",
        "收据号连续无缺",
        "SELECT count(*) FROM receipt",
        """
        SELECT series.series FROM number_series series
         WHERE series.series LIKE 'receipt:%' AND series.last_number <>
               (SELECT count(*) FROM receipt JOIN community ON community.id = receipt.community_id
                 WHERE receipt.community_id = series.community_id
                   AND receipt_no LIKE community.code || '-' || split_part(series.series, ':', 2)
                                       || '-%')
        """,
    ),
    _Rule(
        "M10",
        "每户每项每期最多一张有效账单，账单 = 明细之和",
        "SELECT count(*) FROM bill",
        """
        SELECT bill.bill_no FROM bill
          LEFT JOIN (SELECT bill_id, sum(amount_fen) AS amount_fen FROM bill_line
                      GROUP BY bill_id) lines ON lines.bill_id = bill.id
         WHERE bill.amount_fen IS DISTINCT FROM lines.amount_fen
        UNION ALL
        SELECT min(bill_no) FROM bill WHERE state NOT IN ('cancelled', 'voided')
         GROUP BY house_id, fee_item_id, period_from HAVING count(*) > 1
        """,
    ),
    _Rule(
        "M10",
        "批次合计 = 其有效账单之和",
        "SELECT count(*) FROM bill_batch",
        """
        SELECT batch.id::text FROM bill_batch batch
         WHERE batch.state IN ('pending_review', 'approved', 'published')
           AND (batch.bill_count || ':' || batch.amount_fen) <>
               (SELECT count(*) || ':' || coalesce(sum(bill.amount_fen), 0) FROM bill
                 WHERE bill.batch_id = batch.id AND bill.state <> 'cancelled')
        """,
    ),
    _Rule(
        "J1",
        "每条消息都有归宿，尝试次数不超限",
        "SELECT count(*) FROM outbox_message",
        """
        SELECT id::text FROM outbox_message
         WHERE (state = 'sent') <> (sent_at IS NOT NULL) AND state <> 'failed'
            OR attempts > 50
        """,
    ),
    _Rule(
        "A2",
        "审计与收付记录只增不改（触发器在位）",
        "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'append_only%'",
        """
        SELECT name FROM unnest(ARRAY['audit_entry', 'allocation', 'payment', 'receipt',
                                      'bill_line', 'suspense']) AS name
         WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'append_only_' || name
                              AND tgenabled IN ('O', 'A'))
        """,
    ),
)


@dataclass(frozen=True)
class Ledger:
    """Proves that the money adds up, at any time, on a live system."""

    unit_of_work: UnitOfWork

    def verify(self, *, actor: Actor) -> Sequence[Check]:
        """Check every promise on one snapshot of the data.

        Source: reliability.md, "The promises".
        """
        actor.must(Permission.CHECK_LEDGER)
        with self.unit_of_work.snapshot() as session:
            return [
                Check(
                    promise=rule.promise,
                    title=rule.title,
                    looked_at=session.execute(text(rule.population)).scalar_one(),
                    broken=tuple(
                        session.scalars(
                            text(f"{rule.breaches} LIMIT {_SHOWN}"),
                        )
                    ),
                )
                for rule in _RULES
            ]
