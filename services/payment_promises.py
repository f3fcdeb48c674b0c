"""The promises about what goes out again and what waits for a person, as SQL.

Source: reliability.md, M1, M3, M6, M8, M9; domain.md D5.
"""

from __future__ import annotations

from services.promises import Rule

PAYMENT_RULES = (
    Rule(
        "M3",
        "每笔收款的退款（含处理中）不超过其金额",
        "SELECT count(*) FROM refund WHERE payment_id IS NOT NULL",
        """
        SELECT payment.provider_transaction_id
          FROM payment JOIN refund ON refund.payment_id = payment.id AND refund.state <> 'failed'
         GROUP BY payment.id HAVING sum(refund.amount_fen) > payment.amount_fen
        """,
    ),
    Rule(
        "M1",
        "每笔收款退款 = 其各部分之和，账单部分 = 冲回的分配",
        "SELECT count(*) FROM refund WHERE payment_id IS NOT NULL",
        """
        SELECT refund.refund_no FROM refund
         WHERE refund.payment_id IS NOT NULL
           AND (refund.amount_fen <>
                   (SELECT coalesce(sum(amount_fen), 0) FROM refund_part
                     WHERE refund_part.refund_id = refund.id)
             OR (SELECT coalesce(sum(-amount_fen), 0) FROM allocation
                  WHERE allocation.refund_id = refund.id) <>
                CASE refund.state WHEN 'succeeded' THEN
                   (SELECT coalesce(sum(amount_fen), 0) FROM refund_part
                     WHERE refund_part.refund_id = refund.id AND source = 'bill') ELSE 0 END
             OR EXISTS (SELECT FROM allocation WHERE allocation.refund_id = refund.id
                           AND allocation.payment_id <> refund.payment_id))
        """,
    ),
    Rule(
        "M1",
        "退款中的预存部分 = 其预存流水（失败的已退回）",
        "SELECT count(*) FROM refund_part WHERE source = 'prepaid'",
        """
        SELECT refund.refund_no FROM refund
         WHERE refund.payment_id IS NOT NULL
           AND (SELECT coalesce(sum(-amount_fen), 0) FROM prepaid_entry
                 WHERE prepaid_entry.refund_id = refund.id) <>
               CASE refund.state WHEN 'failed' THEN 0 ELSE
                   (SELECT coalesce(sum(amount_fen), 0) FROM refund_part
                     WHERE refund_part.refund_id = refund.id AND source = 'prepaid') END
        """,
    ),
    Rule(
        "M6",
        "暂存款的处理不超过暂存金额，退款的处理都有成功的退款",
        "SELECT count(*) FROM suspense_resolution",
        """
        SELECT suspense.payment_id::text
          FROM suspense JOIN suspense_resolution resolution
            ON resolution.suspense_id = suspense.id
          LEFT JOIN refund ON refund.id = resolution.refund_id
         GROUP BY suspense.id
        HAVING sum(resolution.amount_fen) > suspense.amount_fen
            OR bool_or(resolution.kind = 'refund' AND refund.state IS DISTINCT FROM 'succeeded')
        """,
    ),
    Rule(
        "M8",
        "处理中的退款都会再查询，结束的都不再查询",
        "SELECT count(*) FROM refund",
        """
        SELECT refund_no FROM refund
         WHERE (state IN ('processing', 'abnormal')) <> (query_at IS NOT NULL)
            OR (state IN ('processing', 'abnormal') AND kind <> 'payment')
        """,
    ),
    Rule(
        "A5",
        "每笔收款退款都有两人批准的申请，或是限额内一人、重复缴费自动退回",
        "SELECT count(*) FROM refund WHERE kind = 'payment'",
        """
        SELECT coalesce(refund.refund_no, 'approval_request:' || request.id)
          FROM (SELECT * FROM refund WHERE kind = 'payment') refund
          FULL JOIN (SELECT * FROM approval_request
                      WHERE kind = 'payment_refund' AND state = 'approved') request
            ON request.id = refund.approval_request_id
         WHERE (CASE WHEN refund.id IS NULL THEN false
                     WHEN request.id IS NOT NULL THEN
                          request.amount_fen = refund.amount_fen
                          AND request.facts ->> 'payment_id' = refund.payment_id::text
                     ELSE NOT EXISTS (SELECT FROM refund_part
                                       WHERE refund_part.refund_id = refund.id
                                         AND source <> 'suspense') END) IS NOT TRUE
        """,
    ),
    Rule(
        "M9",
        "冲红由收款人以外的人办理，金额 = 该笔收款",
        "SELECT count(*) FROM refund WHERE kind = 'reversal'",
        """
        SELECT refund.refund_no
          FROM refund JOIN payment ON payment.id = refund.payment_id
         WHERE refund.kind = 'reversal'
           AND (refund.staff_id IS NULL OR refund.staff_id = payment.taken_by_staff_id
                OR refund.amount_fen <> payment.amount_fen
                OR refund.shift_id IS DISTINCT FROM payment.shift_id)
        """,
    ),
    Rule(
        "M9",
        "收据的退款和作废标记 = 成功的退款",
        "SELECT count(*) FROM receipt_mark WHERE kind <> 'printed'",
        """
        SELECT coalesce(receipt.receipt_no, refund.refund_no)
          FROM (SELECT refund.* FROM refund JOIN receipt USING (payment_id)
                 WHERE refund.state = 'succeeded') refund
          FULL JOIN (SELECT * FROM receipt_mark WHERE kind <> 'printed') mark
            ON mark.refund_id = refund.id
          LEFT JOIN receipt ON receipt.id = mark.receipt_id
         WHERE (refund.amount_fen = mark.amount_fen
                AND refund.payment_id = receipt.payment_id) IS NOT TRUE
        """,
    ),
    Rule(
        "M9",
        "现金差额按班次可查：清点的应有金额 = 备用金 + 收 - 退",
        "SELECT count(*) FROM shift_count",
        """
        SELECT shift.id::text || ' ' || tally.channel
          FROM shift_count tally JOIN cashier_shift shift ON shift.id = tally.shift_id
         WHERE tally.expected_fen <>
               CASE tally.channel WHEN 'cash' THEN shift.float_fen ELSE 0 END
             + (SELECT coalesce(sum(amount_fen), 0) FROM payment
                 WHERE payment.shift_id = shift.id AND payment.channel = tally.channel)
             - (SELECT coalesce(sum(amount_fen), 0) FROM refund
                 WHERE refund.shift_id = shift.id AND refund.channel = tally.channel
                   AND refund.state = 'succeeded')
        """,
    ),
    Rule(
        "M9",
        "有班次以来，每笔柜台收款都在收款人自己的班次里，其他收款都不在",
        "SELECT count(*) FROM payment WHERE taken_by_staff_id IS NOT NULL",
        """
        SELECT payment.out_trade_no
          FROM payment LEFT JOIN cashier_shift shift ON shift.id = payment.shift_id
         WHERE CASE
               WHEN payment.channel IN ('cash', 'card', 'bank_transfer', 'cheque') THEN
                    CASE WHEN payment.shift_id IS NULL
                         THEN payment.booked_at >= (SELECT min(opened_at) FROM cashier_shift)
                         ELSE (shift.staff_id = payment.taken_by_staff_id
                               AND shift.community_id = payment.community_id) IS NOT TRUE END
               ELSE payment.shift_id IS NOT NULL END
        """,
    ),
    Rule(
        "M9",
        "每个已日结的班次都有清点，未日结的都没有",
        "SELECT count(*) FROM cashier_shift",
        """
        SELECT shift.id::text FROM cashier_shift shift
         WHERE CASE WHEN shift.state IN ('closed', 'handed_over') THEN 4 ELSE 0 END <>
               (SELECT count(*) FROM shift_count WHERE shift_count.shift_id = shift.id)
        """,
    ),
)
