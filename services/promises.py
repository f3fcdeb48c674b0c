"""The promises about bills, reports, messages and the record, each as the SQL that finds a breach.

Those about money are in money_promises.py. ``population`` counts what was looked at; ``breaches``
names the rows that break it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """One promise of reliability.md and how to find what breaks it."""

    promise: str
    title: str
    population: str
    breaches: str


RULES = (
    Rule(
        "M10",
        "每户每项每期最多一张有效账单，账单 = 明细之和",
        "SELECT count(*) FROM bill",
        """
        SELECT bill.bill_no FROM bill
          LEFT JOIN (SELECT bill_id, sum(amount_fen) AS amount_fen FROM bill_line
                      GROUP BY bill_id) lines ON lines.bill_id = bill.id
         WHERE bill.amount_fen IS DISTINCT FROM lines.amount_fen
        UNION ALL
        SELECT min(bill_no) FROM bill WHERE is_live
         GROUP BY house_id, fee_item_id, period_from, sequence HAVING count(*) > 1
        """,
    ),
    Rule(
        "M10",
        "批次合计 = 其有效账单之和（不计发布后的减免和优惠）",
        "SELECT count(*) FROM bill_batch",
        """
        WITH later AS MATERIALIZED (
            SELECT bill_id, sum(amount_fen) AS amount_fen FROM bill_line
             WHERE kind IN ('waiver', 'restored')
                OR (kind = 'discount' AND trace ->> 'taken_on' IS NOT NULL)
             GROUP BY bill_id)
        SELECT batch.id::text FROM bill_batch batch
         WHERE batch.state IN ('pending_review', 'approved', 'published')
           AND (batch.bill_count || ':' || batch.amount_fen) <>
               (SELECT count(*) || ':'
                       || coalesce(sum(bill.amount_fen - coalesce(later.amount_fen, 0)), 0)
                  FROM bill
                  LEFT JOIN later ON later.bill_id = bill.id
                 WHERE bill.batch_id = batch.id AND bill.state <> 'cancelled')
        """,
    ),
    Rule(
        "M10",
        "已发布的公摊之和 = 公摊总额（有账单作废待补时不计）",
        "SELECT count(*) FROM share_pool WHERE state = 'open'",
        """
        SELECT pool_id::text
          FROM (SELECT pool.id AS pool_id, pool.amount_fen AS pool_fen,
                       bool_or(bill.is_live) AS is_billed,
                       coalesce(sum(line.amount_fen) FILTER (WHERE bill.is_live), 0) AS amount_fen,
                       bool_and(line.trace ->> 'pool_id' = pool.id::text)
                           FILTER (WHERE bill.is_live) AS is_named
                  FROM share_pool pool
                  JOIN bill ON bill.fee_item_id = pool.fee_item_id
                   AND bill.period_from = pool.period_from AND bill.published_at IS NOT NULL
                  JOIN bill_line line ON line.bill_id = bill.id AND line.kind = 'principal'
                 WHERE pool.state = 'open'
                 GROUP BY pool.id, bill.house_id) share
         GROUP BY pool_id, pool_fen
        HAVING bool_and(is_billed)
           AND (sum(amount_fen) <> pool_fen OR bool_and(is_named) IS NOT TRUE)
        """,
    ),
    Rule(
        "M10",
        "账单号连续无缺",
        "SELECT count(*) FROM number_series WHERE series LIKE 'bill:%'",
        """
        SELECT coalesce(taken.community_id, given.community_id) || ' '
               || coalesce(taken.series, given.series)
          FROM (SELECT community_id, series, last_number FROM number_series
                 WHERE series LIKE 'bill:%') taken
          FULL JOIN (SELECT bill.community_id, count(*) AS bills,
                            'bill:' || substr(bill_no, length(community.code) + 1, 6) AS series
                       FROM bill
                       JOIN bill_batch batch ON batch.id = bill.batch_id AND batch.houses_total > 0
                       JOIN community ON community.id = bill.community_id
                      GROUP BY 1, 3) given
            ON given.community_id = taken.community_id AND given.series = taken.series
         WHERE coalesce(taken.last_number, 0) <> coalesce(given.bills, 0)
        """,
    ),
    Rule(
        "R1",
        "报表汇总 = 逐笔计算",
        "SELECT count(*) FROM bill WHERE published_at IS NOT NULL",
        """
        WITH maintained AS (
            SELECT community_id, period_month, building_id, fee_item_id, due_date,
                   sum(bill_count) AS bill_count, sum(receivable_fen) AS receivable_fen,
                   sum(received_fen) AS received_fen, sum(written_off_fen) AS written_off_fen
              FROM (SELECT community_id, period_month, building_id, fee_item_id, due_date,
                           bill_count, receivable_fen, received_fen, written_off_fen
                      FROM collection_summary
                    UNION ALL
                    SELECT community_id, period_month, building_id, fee_item_id, due_date,
                           bill_count, receivable_fen, received_fen, written_off_fen
                      FROM collection_change) every
             GROUP BY 1, 2, 3, 4, 5),
        computed AS (
            SELECT bill.community_id, date_trunc('month', bill.period_from)::date AS period_month,
                   house.building_id, bill.fee_item_id, bill.due_date,
                   count(*) AS bill_count, sum(bill.amount_fen) AS receivable_fen,
                   sum(bill.paid_fen) AS received_fen,
                   coalesce(sum(bill.amount_fen - bill.paid_fen)
                            FILTER (WHERE bill.state = 'written_off'), 0) AS written_off_fen
              FROM bill JOIN house ON house.id = bill.house_id
             WHERE bill.state IN ('published', 'partially_paid', 'paid', 'written_off')
             GROUP BY 1, 2, 3, 4, 5)
        SELECT community_id || ' ' || to_char(period_month, 'YYYY-MM') || ' ' || building_id || ' '
               || fee_item_id || ' ' || due_date
          FROM maintained
          FULL JOIN computed USING (community_id, period_month, building_id, fee_item_id, due_date)
         WHERE (coalesce(maintained.bill_count, 0), coalesce(maintained.receivable_fen, 0),
                coalesce(maintained.received_fen, 0), coalesce(maintained.written_off_fen, 0))
            <> (coalesce(computed.bill_count, 0), coalesce(computed.receivable_fen, 0),
                coalesce(computed.received_fen, 0), coalesce(computed.written_off_fen, 0))
        """,
    ),
    Rule(
        "J1",
        "每条消息都有归宿，尝试次数不超限",
        "SELECT count(*) FROM outbox_message",
        """
        SELECT id::text FROM outbox_message
         WHERE (state = 'sent') <> (sent_at IS NOT NULL) AND state <> 'failed'
            OR attempts > 50
        """,
    ),
    Rule(
        "A2",
        "审计与收付记录只增不改（触发器在位）",
        "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'append_only%'",
        """
        SELECT name FROM unnest(ARRAY['audit_entry', 'allocation', 'payment', 'receipt',
                                      'bill_line', 'suspense', 'prepaid_entry',
                                      'deposit_entry', 'refund']) AS name
         WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'append_only_' || name
                              AND tgenabled IN ('O', 'A'))
        """,
    ),
)
