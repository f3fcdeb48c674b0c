"""The promises about money, each as the SQL that finds a breach.

Source: reliability.md, M1 to M9.
"""

from __future__ import annotations

from services.promises import Rule

MONEY_RULES = (
    Rule(
        "M1",
        "每笔收款 = 已入账 + 暂存 + 预存 + 押金 + 已退回",
        "SELECT count(*) FROM payment",
        """
        SELECT payment.provider_transaction_id FROM payment
         WHERE amount_fen <>
               (SELECT coalesce(sum(amount_fen), 0) FROM allocation WHERE payment_id = payment.id)
             + (SELECT coalesce(sum(amount_fen), 0) FROM suspense WHERE payment_id = payment.id)
             - (SELECT coalesce(sum(resolution.amount_fen), 0)
                  FROM suspense JOIN suspense_resolution resolution
                    ON resolution.suspense_id = suspense.id
                 WHERE suspense.payment_id = payment.id AND resolution.kind = 'prepaid')
             + (SELECT coalesce(sum(part.amount_fen), 0)
                  FROM refund JOIN refund_part part ON part.refund_id = refund.id
                 WHERE refund.payment_id = payment.id AND refund.state = 'succeeded'
                   AND part.source = 'bill')
             + (SELECT coalesce(sum(amount_fen), 0) FROM prepaid_entry
                 WHERE payment_id = payment.id AND kind = 'topup')
             + (SELECT coalesce(sum(amount_fen), 0) FROM deposit_entry
                 WHERE payment_id = payment.id AND kind = 'take')
        """,
    ),
    Rule(
        "M2",
        "每张账单的已缴金额 = 其本金分配之和",
        "SELECT count(*) FROM bill",
        """
        SELECT bill.bill_no FROM bill
          LEFT JOIN (SELECT bill_id, sum(amount_fen) AS amount_fen FROM allocation
                      WHERE kind = 'principal' GROUP BY bill_id) placed ON placed.bill_id = bill.id
         WHERE bill.paid_fen <> coalesce(placed.amount_fen, 0)
        """,
    ),
    Rule(
        "M2",
        "每张账单的已缴滞纳金 = 其滞纳金分配之和",
        "SELECT count(*) FROM bill_late_fee",
        """
        SELECT coalesce(fee.bill_id, placed.bill_id)::text
          FROM bill_late_fee fee
          FULL JOIN (SELECT bill_id, sum(amount_fen) AS amount_fen FROM allocation
                      WHERE kind = 'late_fee' GROUP BY bill_id) placed
            ON placed.bill_id = fee.bill_id
         WHERE coalesce(fee.paid_fen, 0) <> coalesce(placed.amount_fen, 0)
        """,
    ),
    Rule(
        "M2",
        "每条明细的分配不超过明细金额",
        "SELECT count(*) FROM bill_line",
        """
        SELECT line.bill_id || '-' || line.line_no FROM bill_line line
          JOIN (SELECT bill_id, line_no, sum(amount_fen) AS amount_fen FROM allocation
                 WHERE kind = 'principal' GROUP BY bill_id, line_no) placed
         USING (bill_id, line_no)
         WHERE placed.amount_fen NOT BETWEEN 0 AND line.amount_fen
        """,
    ),
    Rule(
        "M3",
        "已缴金额不小于 0、不超过账单金额，状态与金额相符",
        "SELECT count(*) FROM bill WHERE published_at IS NOT NULL",
        """
        SELECT bill_no FROM bill
         WHERE paid_fen NOT BETWEEN 0 AND amount_fen
            OR (state = 'voided' AND paid_fen <> 0)
            OR (state = 'written_off' AND paid_fen = amount_fen)
            OR (published_at IS NOT NULL AND state <> CASE
                    WHEN state IN ('voided', 'written_off') THEN state
                    WHEN paid_fen = amount_fen THEN 'paid'
                    WHEN paid_fen > 0 THEN 'partially_paid' ELSE 'published' END)
        """,
    ),
    Rule(
        "M3",
        "已缴滞纳金不超过应计滞纳金，本金缴清后不再增加",
        "SELECT count(*) FROM bill_late_fee",
        """
        SELECT bill.bill_no FROM bill_late_fee fee JOIN bill ON bill.id = fee.bill_id
         WHERE fee.paid_fen < 0 OR fee.waived_fen < 0 OR fee.frozen_fen < fee.paid_fen
            OR (bill.state = 'paid' AND fee.frozen_fen IS NULL)
            OR (bill.state IN ('published', 'partially_paid') AND fee.frozen_fen IS NOT NULL)
            OR (bill.state = 'voided' AND fee.paid_fen <> 0)
        """,
    ),
    Rule(
        "M4",
        "渠道的每个交易号只入账一次",
        "SELECT count(*) FROM payment",
        """
        SELECT provider_transaction_id FROM payment
         GROUP BY channel, mchid, provider_transaction_id HAVING count(*) > 1
        """,
    ),
    Rule(
        "M4",
        "每个订单最多有一笔收款（多出的必须在暂存）",
        "SELECT count(*) FROM payment_order",
        """
        SELECT payment_order.out_trade_no FROM payment_order
          JOIN payment ON payment.order_id = payment_order.id
          JOIN receipt ON receipt.payment_id = payment.id
         WHERE NOT EXISTS (SELECT FROM suspense WHERE suspense.payment_id = payment.id
                              AND suspense.amount_fen = payment.amount_fen)
         GROUP BY payment_order.id HAVING count(*) > 1
        """,
    ),
    Rule(
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
    Rule(
        "M6",
        "每笔暂存款都有待办或已处理的记录",
        "SELECT count(*) FROM suspense",
        """
        SELECT payment_id::text FROM suspense
         WHERE NOT EXISTS (SELECT FROM staff_task WHERE kind = 'money_in_suspense'
                              AND subject = 'payment:' || suspense.payment_id)
        """,
    ),
    Rule(
        "M7",
        "订单金额 = 各账单本金 + 滞纳金 + 预存",
        "SELECT count(*) FROM payment_order",
        """
        SELECT out_trade_no FROM payment_order
          LEFT JOIN (SELECT order_id, sum(amount_fen + late_fee_fen) AS amount_fen
                       FROM payment_order_bill GROUP BY order_id) parts
            ON parts.order_id = payment_order.id
         WHERE payment_order.amount_fen
               <> coalesce(parts.amount_fen, 0) + payment_order.topup_fen
        """,
    ),
    Rule(
        "M7",
        "收据金额 = 该笔收款入账、预存和押金之和",
        "SELECT count(*) FROM receipt",
        """
        SELECT receipt_no FROM receipt
         WHERE amount_fen <>
               (SELECT coalesce(sum(amount_fen), 0) FROM allocation
                 WHERE allocation.payment_id = receipt.payment_id AND amount_fen > 0)
             + (SELECT coalesce(sum(amount_fen), 0) FROM prepaid_entry
                 WHERE prepaid_entry.payment_id = receipt.payment_id AND kind = 'topup')
             + (SELECT coalesce(sum(amount_fen), 0) FROM deposit_entry
                 WHERE deposit_entry.payment_id = receipt.payment_id AND kind = 'take')
             - (SELECT coalesce(sum(resolution.amount_fen), 0)
                  FROM suspense JOIN suspense_resolution resolution
                    ON resolution.suspense_id = suspense.id
                 WHERE suspense.payment_id = receipt.payment_id AND resolution.kind = 'prepaid'
                   AND resolution.staff_id IS NOT NULL)
        """,
    ),
    Rule(
        "M7",
        "每笔入账的收款都有收据，预存和押金抵扣没有",
        "SELECT count(*) FROM payment",
        """
        SELECT provider_transaction_id FROM payment
         WHERE (channel IN ('prepaid', 'deposit')
                OR NOT EXISTS (SELECT FROM allocation WHERE payment_id = payment.id)
               AND NOT EXISTS (SELECT FROM prepaid_entry
                                WHERE payment_id = payment.id AND kind = 'topup'
                                  AND (staff_id IS NULL OR payment.taken_by_staff_id IS NOT NULL))
               AND NOT EXISTS (SELECT FROM deposit_entry
                                WHERE payment_id = payment.id AND kind = 'take'))
               = EXISTS (SELECT FROM receipt WHERE receipt.payment_id = payment.id)
        """,
    ),
    Rule(
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
    Rule(
        "M9",
        "每笔柜台收款都有收款人、小区、房屋和请求编号",
        "SELECT count(*) FROM payment WHERE channel IN ('cash', 'card', 'bank_transfer', 'cheque')",
        """
        SELECT payment.provider_transaction_id FROM payment
          LEFT JOIN idempotency_key key ON key.payment_id = payment.id
         WHERE payment.channel IN ('cash', 'card', 'bank_transfer', 'cheque')
           AND (payment.taken_by_staff_id IS NULL OR payment.community_id IS NULL
                OR payment.house_id IS NULL OR key.id IS NULL)
        """,
    ),
    Rule(
        "M1",
        "预存余额 = 其流水之和 = 最后一笔流水的余额",
        "SELECT count(*) FROM prepaid_account",
        """
        SELECT account.id::text FROM prepaid_account account
          LEFT JOIN (SELECT account_id, sum(amount_fen) AS amount_fen,
                            (array_agg(balance_fen ORDER BY id DESC))[1] AS balance_fen
                       FROM prepaid_entry GROUP BY account_id) moved
            ON moved.account_id = account.id
         WHERE account.balance_fen <> coalesce(moved.amount_fen, 0)
            OR account.balance_fen <> coalesce(moved.balance_fen, 0)
            OR account.balance_fen < 0
        """,
    ),
    Rule(
        "M1",
        "每笔预存流水的余额 = 上一笔的余额 + 金额",
        "SELECT count(*) FROM prepaid_entry",
        """
        SELECT id::text
          FROM (SELECT id, balance_fen, amount_fen
                       + coalesce(lag(balance_fen) OVER (PARTITION BY account_id ORDER BY id), 0)
                       AS expected_fen
                  FROM prepaid_entry) entry
         WHERE balance_fen <> expected_fen
        """,
    ),
    Rule(
        "M1",
        "每笔预存抵扣 = 其预存流水，押金抵扣 = 其押金流水",
        "SELECT count(*) FROM payment WHERE channel IN ('prepaid', 'deposit')",
        """
        SELECT payment.provider_transaction_id FROM payment
          LEFT JOIN (SELECT payment_id, sum(-amount_fen) AS amount_fen, count(*) AS entries
                       FROM prepaid_entry WHERE kind = 'offset' GROUP BY payment_id
                      UNION ALL
                     SELECT payment_id, sum(amount_fen), count(*)
                       FROM deposit_entry WHERE kind = 'deduct' GROUP BY payment_id) spent
            ON spent.payment_id = payment.id
         WHERE (payment.channel IN ('prepaid', 'deposit')) <> (spent.payment_id IS NOT NULL)
            OR spent.entries > 1 OR spent.amount_fen <> payment.amount_fen
        """,
    ),
    Rule(
        "M1",
        "每次预存转移的转出 = 转入",
        "SELECT count(*) FROM prepaid_entry WHERE kind = 'transfer'",
        """
        SELECT 'transfer' FROM prepaid_entry WHERE kind = 'transfer'
        HAVING coalesce(sum(amount_fen), 0) <> 0
        """,
    ),
    Rule(
        "M1",
        "押金 = 收取，已抵扣和已退还 = 其流水之和",
        "SELECT count(*) FROM deposit",
        """
        SELECT deposit.id::text FROM deposit
          LEFT JOIN (SELECT deposit_id,
                            sum(amount_fen) FILTER (WHERE kind = 'take') AS taken_fen,
                            sum(amount_fen) FILTER (WHERE kind = 'deduct') AS deducted_fen,
                            sum(amount_fen) FILTER (WHERE kind = 'return') AS returned_fen
                       FROM deposit_entry GROUP BY deposit_id) moved
            ON moved.deposit_id = deposit.id
         WHERE deposit.amount_fen <> coalesce(moved.taken_fen, 0)
            OR deposit.deducted_fen <> coalesce(moved.deducted_fen, 0)
            OR deposit.returned_fen <> coalesce(moved.returned_fen, 0)
        """,
    ),
    Rule(
        "M1",
        "每笔退预存、退押金 = 其预存或押金流水",
        "SELECT count(*) FROM refund WHERE kind IN ('prepaid', 'deposit')",
        """
        SELECT refund.refund_no FROM refund
         WHERE refund.kind IN ('prepaid', 'deposit') AND refund.amount_fen <>
               (SELECT coalesce(sum(-amount_fen), 0) FROM prepaid_entry
                 WHERE prepaid_entry.refund_id = refund.id)
             + (SELECT coalesce(sum(amount_fen), 0) FROM deposit_entry
                 WHERE deposit_entry.refund_id = refund.id)
        """,
    ),
)
