"""What must be true of a batch before it is approved, and again before it is published."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from domain.errors import Conflict


class BatchDoesNotAddUp(Conflict):
    """The sums of lines, bills, pools and batch disagree: nothing is approved or published."""

    code = "batch_does_not_add_up"
    message = "批次合计不一致，已停止"


@dataclass(frozen=True, slots=True)
class _Gate:
    title: str
    rows: str


_GATES = (
    _Gate(
        "明细与账单金额不一致",
        """
        SELECT bill.bill_no FROM bill
          LEFT JOIN bill_line ON bill_line.bill_id = bill.id
         WHERE bill.batch_id = :batch_id AND bill.state = 'pending_review'
         GROUP BY bill.id
        HAVING bill.amount_fen <> coalesce(sum(bill_line.amount_fen), -1)
         ORDER BY bill.bill_no LIMIT 20
        """,
    ),
    _Gate(
        "公摊之和与公摊总额不一致",
        """
        SELECT item.name || '（应 ' || coalesce(pool.amount_fen::text, '无') || ' 分，实 '
                   || coalesce(sum(line.amount_fen), 0) || ' 分）'
          FROM bill_batch batch
          JOIN bill_batch_item chosen ON chosen.batch_id = batch.id
          JOIN fee_item item ON item.id = chosen.fee_item_id AND item.charge_method = 'share'
          LEFT JOIN share_pool pool ON pool.fee_item_id = item.id AND pool.state = 'open'
           AND pool.period_from < batch.period_until AND pool.period_until > batch.period_from
          LEFT JOIN bill ON bill.fee_item_id = item.id AND bill.period_from = pool.period_from
           AND bill.is_live
          LEFT JOIN bill_line line ON line.bill_id = bill.id AND line.kind = 'principal'
           AND (line.trace ->> 'pool_id')::bigint = pool.id
         WHERE batch.id = :batch_id
         GROUP BY item.id, pool.id
        HAVING pool.amount_fen IS DISTINCT FROM coalesce(sum(line.amount_fen), 0)
        """,
    ),
    _Gate(
        "同一户同一项目的账期重叠",
        """
        SELECT bill.bill_no || ' 与 ' || other.bill_no
          FROM bill
          JOIN fee_item item ON item.id = bill.fee_item_id AND item.charge_method <> 'one_off'
          JOIN bill other ON other.house_id = bill.house_id
           AND other.fee_item_id = bill.fee_item_id AND other.id <> bill.id
           AND other.period_from < bill.period_until AND other.period_until > bill.period_from
           AND other.is_live
         WHERE bill.batch_id = :batch_id AND bill.state = 'pending_review'
         ORDER BY 1 LIMIT 20
        """,
    ),
    _Gate(
        "临时收费已撤销或金额不一致",
        """
        SELECT bill.bill_no FROM bill
          JOIN fee_item item ON item.id = bill.fee_item_id AND item.charge_method = 'one_off'
          LEFT JOIN one_off_charge charge ON charge.house_id = bill.house_id
           AND charge.fee_item_id = bill.fee_item_id AND charge.charged_on = bill.period_from
           AND charge.sequence = bill.sequence AND charge.state = 'open'
         WHERE bill.batch_id = :batch_id AND bill.state = 'pending_review'
           AND charge.amount_fen IS DISTINCT FROM bill.amount_fen
         ORDER BY 1 LIMIT 20
        """,
    ),
    _Gate(
        "调整单已用于其他账单或已撤销",
        """
        SELECT bill.bill_no FROM bill
          JOIN bill_line line ON line.bill_id = bill.id AND line.kind = 'adjustment'
          LEFT JOIN bill_adjustment note
            ON note.id = (line.trace ->> 'adjustment_id')::bigint AND note.state = 'open'
         WHERE bill.batch_id = :batch_id AND bill.state = 'pending_review'
           AND (note.id IS NULL OR note.house_id <> bill.house_id
                OR note.amount_fen <> line.amount_fen
                                       - (line.trace ->> 'to_prepaid_fen')::bigint)
         ORDER BY 1 LIMIT 20
        """,
    ),
)


def check_gates(session: Session, batch_id: int) -> None:
    """Refuse a batch that does not add up.

    Σ lines = bill, Σ shares = pool, no two live bills of a house and item overlap, and every credit
    or debit note is still open and whole. That Σ bills = batch is checked with the content.

    Raises:
        BatchDoesNotAddUp: naming the first rows that break a gate.

    Source: domain.md idea 3.
    """
    for gate in _GATES:
        broken = session.scalars(text(gate.rows), {"batch_id": batch_id}).all()
        if broken:
            raise BatchDoesNotAddUp(f"{gate.title}：{'、'.join(broken)}")
