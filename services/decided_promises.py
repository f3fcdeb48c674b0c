"""The promises that no money is given up, paid back or moved without a decision, as SQL.

What is named inside a trace or facts is compared as text: a forged one is a breach, not an error.
"""

from __future__ import annotations

from services.promises import Rule

DECIDED_RULES = (
    Rule(
        "M10",
        "减免明细与批准的减免申请一一对应，金额相同",
        "SELECT count(*) FROM bill_line WHERE kind = 'waiver'",
        """
        SELECT coalesce(line.bill_id, request.bill_id)::text
          FROM (SELECT bill_id, amount_fen, trace ->> 'request_id' AS request_id FROM bill_line
                 WHERE kind = 'waiver') line
          FULL JOIN (SELECT id, bill_id, amount_fen FROM approval_request
                      WHERE kind = 'waiver' AND state = 'approved') request
            ON request.id::text = line.request_id
         GROUP BY request.id, coalesce(line.bill_id, request.bill_id)
        HAVING count(request.id) <> 1 OR count(line.bill_id) <> 1
            OR bool_or(line.bill_id <> request.bill_id)
            OR sum(line.amount_fen) <> -sum(request.amount_fen)
        """,
    ),
    Rule(
        "M3",
        "减免的滞纳金 = 批准的滞纳金减免之和",
        "SELECT count(*) FROM bill_late_fee",
        """
        SELECT coalesce(fee.bill_id, decided.bill_id)::text
          FROM bill_late_fee fee
          FULL JOIN (SELECT bill_id, sum(amount_fen) AS amount_fen FROM approval_request
                      WHERE kind = 'late_fee_waiver' AND state = 'approved'
                      GROUP BY bill_id) decided
            ON decided.bill_id = fee.bill_id
         WHERE coalesce(fee.waived_fen, 0) <> coalesce(decided.amount_fen, 0)
        """,
    ),
    Rule(
        "M1",
        "退预存、退押金、批准的申请和预存或押金流水一一对应，金额相同",
        "SELECT count(*) FROM refund WHERE kind IN ('prepaid', 'deposit')",
        """
        WITH refund AS (SELECT * FROM refund WHERE kind IN ('prepaid', 'deposit')),
        request AS (
            SELECT id, house_id, amount_fen, CASE kind WHEN 'prepaid_refund'
                        THEN 'prepaid ' || (facts ->> 'account_id')
                        ELSE 'deposit ' || (facts ->> 'deposit_id') END AS source
              FROM approval_request
             WHERE kind IN ('prepaid_refund', 'deposit_return') AND state = 'approved'),
        entry AS (
            SELECT refund_id, sum(amount_fen) AS amount_fen, min(source) AS source,
                   count(*) AS entries
              FROM (SELECT refund_id, -amount_fen AS amount_fen,
                           'prepaid ' || account_id AS source
                      FROM prepaid_entry WHERE kind = 'refund' OR refund_id IS NOT NULL
                    UNION ALL
                    SELECT refund_id, amount_fen, 'deposit ' || deposit_id
                      FROM deposit_entry WHERE kind = 'return' OR refund_id IS NOT NULL) every
             WHERE refund_id IS NULL
                OR NOT EXISTS (SELECT FROM refund_part
                                WHERE refund_part.refund_id = every.refund_id)
             GROUP BY refund_id)
        SELECT coalesce(refund.refund_no, 'approval_request:' || request.id,
                        'refund:' || entry.refund_id, entry.source)
          FROM refund
          FULL JOIN request ON request.id = refund.approval_request_id
          FULL JOIN entry ON entry.refund_id = refund.id
         WHERE (refund.amount_fen = request.amount_fen AND refund.house_id = request.house_id
                AND entry.entries = 1 AND entry.amount_fen = refund.amount_fen
                AND entry.source = request.source) IS NOT TRUE
        """,
    ),
    Rule(
        "M10",
        "调整单与批准的账单调整申请一一对应，金额相同",
        "SELECT count(*) FROM bill_adjustment",
        """
        SELECT coalesce('bill_adjustment:' || min(note.id), 'approval_request:' || request.id)
          FROM bill_adjustment note
          FULL JOIN (SELECT id, bill_id, house_id, facts ->> 'note_fen' AS note_fen
                       FROM approval_request
                      WHERE kind = 'adjustment' AND state = 'approved') request
            ON request.id = note.approval_request_id
         GROUP BY request.id, note.approval_request_id
        HAVING count(request.id) <> 1 OR count(note.id) <> 1
            OR bool_or(note.of_bill_id <> request.bill_id OR note.house_id <> request.house_id)
            OR bool_and(note.amount_fen::text = request.note_fen) IS NOT TRUE
        """,
    ),
    Rule(
        "M10",
        "已用的调整单与有效账单的调整明细一一对应，金额相同",
        "SELECT count(*) FROM bill_adjustment WHERE state = 'applied'",
        """
        WITH line AS (
            SELECT line.bill_id, bill.house_id, bill.fee_item_id, line.amount_fen,
                   line.trace ->> 'adjustment_id' AS adjustment_id,
                   line.trace ->> 'to_prepaid_fen' AS to_prepaid_fen,
                   bill.is_live AND bill.state <> 'pending_review' AS counts
              FROM bill_line line JOIN bill ON bill.id = line.bill_id
             WHERE line.kind = 'adjustment'),
        note AS (SELECT * FROM bill_adjustment WHERE state = 'applied')
        SELECT coalesce('bill_adjustment:' || note.id, 'bill:' || min(line.bill_id))
          FROM note
          FULL JOIN line
            ON line.adjustment_id = note.id::text AND line.bill_id = note.applied_bill_id
         WHERE note.id IS NOT NULL OR line.counts
         GROUP BY note.id
        HAVING count(note.id) <> 1 OR count(line.bill_id) <> 1
            OR bool_and(line.counts AND line.house_id = note.house_id
                        AND line.fee_item_id = note.fee_item_id
                        AND line.amount_fen >= note.amount_fen
                        AND (line.amount_fen - note.amount_fen)::text = line.to_prepaid_fen)
               IS NOT TRUE
        """,
    ),
    Rule(
        "M1",
        "预存的更正 = 调整单超出账单的部分之和",
        "SELECT count(*) FROM prepaid_entry WHERE kind = 'correction' AND refund_id IS NULL",
        """
        SELECT 'house:' || coalesce(moved.house_id, owed.house_id)
          FROM (SELECT account.house_id, account.fee_item_id, sum(entry.amount_fen) AS amount_fen
                  FROM prepaid_entry entry JOIN prepaid_account account
                    ON account.id = entry.account_id
                 WHERE entry.kind = 'correction' AND entry.refund_id IS NULL
                 GROUP BY account.house_id, account.fee_item_id) moved
          FULL JOIN (SELECT note.house_id, note.fee_item_id,
                            sum(line.amount_fen - note.amount_fen) AS amount_fen
                       FROM bill_adjustment note
                       JOIN bill_line line
                         ON line.bill_id = note.applied_bill_id AND line.kind = 'adjustment'
                        AND line.trace ->> 'adjustment_id' = note.id::text
                      GROUP BY note.house_id, note.fee_item_id) owed
            ON owed.house_id = moved.house_id AND owed.fee_item_id = moved.fee_item_id
         WHERE coalesce(moved.amount_fen, 0) <> coalesce(owed.amount_fen, 0)
        """,
    ),
    Rule(
        "M3",
        "作废和核销的账单与批准的申请一一对应",
        "SELECT count(*) FROM bill WHERE state IN ('voided', 'written_off')",
        """
        SELECT coalesce(bill.bill_no, 'approval_request:' || request.id)
          FROM (SELECT id, bill_no,
                       CASE state WHEN 'voided' THEN 'void' ELSE 'write_off' END AS kind
                  FROM bill WHERE state IN ('voided', 'written_off')) bill
          FULL JOIN (SELECT id, bill_id, kind FROM approval_request
                      WHERE kind IN ('void', 'write_off') AND state = 'approved') request
            ON request.bill_id = bill.id AND request.kind = bill.kind
         WHERE bill.id IS NULL OR request.id IS NULL
        """,
    ),
)
