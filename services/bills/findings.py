"""What a reviewer should look at before bills are published: differences and exceptions.

Each bill is compared with the same house's last published one of the item. Findings are computed
from the bills as they are, so they cannot be out of date; a tick names the very findings it was
given for, and means nothing once they are others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import TextClause, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.bill_states import BatchState
from domain.errors import Conflict, NotAllowed, NotFound
from domain.houses import house_label
from models import BillBatch, BillBatchTick, Community, FeeItem
from services.audit import record
from services.scopes import find_batch, in_scope
from services.unit_of_work import Transaction, UnitOfWork

PAGE = 200


class FindingKind(StrEnum):
    """Why a bill, or the lack of one, is worth a look."""

    NOT_CHARGED = "not_charged"
    MISSING = "missing"
    NEW = "new"
    CHANGED = "changed"
    ZERO = "zero"
    PRICE_CHANGED = "price_changed"
    AREA_CHANGED = "area_changed"
    OWNER_CHANGED = "owner_changed"


FINDING_SHOWN = {
    FindingKind.NOT_CHARGED: "无法计费",
    FindingKind.MISSING: "上期有、本期没有",
    FindingKind.NEW: "本期新增",
    FindingKind.CHANGED: "金额变化较大",
    FindingKind.ZERO: "金额为零",
    FindingKind.PRICE_CHANGED: "单价变化",
    FindingKind.AREA_CHANGED: "面积或系数变化",
    FindingKind.OWNER_CHANGED: "产权人变化",
}

# The last principal line tells price and area at the end of a period: what changed inside it is
# in the lines before. Bills of one-off items have nothing to be compared with. An item of which
# nothing was ever published is on its first run: "new" would only say so for every house.
_FINDINGS = """
    WITH batch AS MATERIALIZED (
        SELECT bill_batch.id, bill_batch.community_id, bill_batch.period_from,
               bill_batch.period_until, community.review_change_percent AS percent
          FROM bill_batch JOIN community ON community.id = bill_batch.community_id
         WHERE bill_batch.id = :batch_id),
    items AS MATERIALIZED (
        SELECT item.*, EXISTS (SELECT FROM bill JOIN bill_batch earlier
                                  ON earlier.id = bill.batch_id AND earlier.state = 'published'
                                WHERE bill.fee_item_id = item.id
                                  AND bill.community_id = batch.community_id
                                  AND bill.batch_id <> batch.id) AS has_history
          FROM batch JOIN bill_batch_item chosen ON chosen.batch_id = batch.id
          JOIN fee_item item ON item.id = chosen.fee_item_id),
    pairs AS MATERIALIZED (
        SELECT bill.id, bill.house_id, bill.fee_item_id, bill.bill_no, bill.amount_fen,
               bill.period_from, bill.period_until, items.charge_method, items.has_history,
               before.id AS before_id, before.amount_fen AS before_fen,
               before.period_from AS before_from
          FROM bill JOIN items ON items.id = bill.fee_item_id
          LEFT JOIN LATERAL (
              SELECT id, amount_fen, period_from FROM bill earlier
               WHERE items.has_history AND items.charge_method <> 'one_off'
                 AND earlier.house_id = bill.house_id
                 AND earlier.fee_item_id = bill.fee_item_id
                 AND earlier.period_from < bill.period_from
                 AND earlier.is_live AND earlier.state <> 'pending_review'
               ORDER BY earlier.period_from DESC LIMIT 1) before ON true
         WHERE bill.batch_id = :batch_id AND bill.state = 'pending_review'),
    traces AS MATERIALIZED (
        SELECT DISTINCT ON (bill_id) bill_id, trace FROM bill_line
         WHERE kind = 'principal'
           AND (bill_id IN (SELECT id FROM pairs WHERE before_id IS NOT NULL)
                OR bill_id IN (SELECT before_id FROM pairs))
         ORDER BY bill_id, line_no DESC),
    compared AS MATERIALIZED (
        SELECT pairs.*, now.trace AS now_trace, earlier.trace AS then_trace
          FROM pairs JOIN traces now ON now.bill_id = pairs.id
          JOIN traces earlier ON earlier.bill_id = pairs.before_id),
    findings AS (
        SELECT 'not_charged' AS kind, exception.fee_item_id, exception.house_id,
               NULL::bigint AS bill_id, NULL::bigint AS before_fen, NULL::bigint AS after_fen,
               exception.why AS note
          FROM bill_exception exception WHERE exception.batch_id = :batch_id
        UNION ALL
        SELECT 'zero', fee_item_id, house_id, id, before_fen, amount_fen, ''
          FROM pairs WHERE amount_fen = 0
        UNION ALL
        SELECT 'new', fee_item_id, house_id, id, NULL, amount_fen, ''
          FROM pairs WHERE before_id IS NULL AND has_history AND charge_method <> 'one_off'
        UNION ALL
        SELECT 'changed', fee_item_id, house_id, pairs.id, before_fen, amount_fen, ''
          FROM pairs, batch
         WHERE before_id IS NOT NULL
           AND abs(amount_fen - before_fen) * 100 > before_fen * batch.percent
        UNION ALL
        SELECT 'price_changed', fee_item_id, house_id, id, before_fen, amount_fen,
               coalesce(then_trace ->> 'unit_price', then_trace ->> 'formula', '阶梯') || ' → '
                   || coalesce(now_trace ->> 'unit_price', now_trace ->> 'formula', '阶梯')
          FROM compared
         WHERE (now_trace ->> 'unit_price') IS DISTINCT FROM (then_trace ->> 'unit_price')
            OR (now_trace ->> 'formula') IS DISTINCT FROM (then_trace ->> 'formula')
        UNION ALL
        SELECT 'area_changed', fee_item_id, house_id, id, before_fen, amount_fen,
               concat_ws(' × ', then_trace ->> 'area', then_trace ->> 'coefficient') || ' → '
                   || concat_ws(' × ', now_trace ->> 'area', now_trace ->> 'coefficient')
          FROM compared
         WHERE (now_trace ->> 'area') IS DISTINCT FROM (then_trace ->> 'area')
            OR (now_trace ->> 'coefficient') IS DISTINCT FROM (then_trace ->> 'coefficient')
        UNION ALL
        SELECT 'owner_changed', fee_item_id, pairs.house_id, pairs.id, before_fen, amount_fen,
               to_char(sale.person_until, 'YYYY-MM-DD')
          FROM pairs JOIN (SELECT house_id, max(person_until) AS person_until FROM house_person
                            WHERE role = 'title_holder' GROUP BY house_id) sale
            ON sale.house_id = pairs.house_id AND sale.person_until > pairs.before_from
           AND sale.person_until < pairs.period_until
         WHERE before_id IS NOT NULL
        UNION ALL
        SELECT 'missing', before.fee_item_id, before.house_id, NULL, before.amount_fen, NULL, ''
          FROM batch, items
          JOIN bill before ON before.fee_item_id = items.id
           AND before.is_live AND before.state <> 'pending_review'
         WHERE items.charge_method <> 'one_off'
           AND CASE items.billing_timing WHEN 'in_arrears' THEN
                   before.period_until > batch.period_from - make_interval(months => cycle_months)
                   AND before.period_until
                       <= batch.period_until - make_interval(months => cycle_months)
               ELSE before.period_until >= batch.period_from
                   AND before.period_until < batch.period_until END
           AND (items.ends_on IS NULL OR items.ends_on > before.period_until)
           AND NOT EXISTS (SELECT FROM bill later
                            WHERE later.house_id = before.house_id
                              AND later.fee_item_id = before.fee_item_id
                              AND later.period_from >= before.period_until
                              AND later.is_live)
           AND NOT EXISTS (SELECT FROM bill_exception exception
                            WHERE exception.batch_id = batch.id
                              AND exception.house_id = before.house_id
                              AND exception.fee_item_id = before.fee_item_id))
"""


def _over_findings(query: str) -> TextClause:
    return text("\n".join((_FINDINGS, query)))


_SUMMARY = _over_findings(
    """
    SELECT kind, fee_item_id, count(*) AS row_count,
           encode(sha256(convert_to(string_agg(
               concat_ws(':', house_id, before_fen, after_fen, note),
               '|' ORDER BY house_id, bill_id), 'UTF8')), 'hex')
      FROM findings GROUP BY kind, fee_item_id
    """
)
_ROWS = _over_findings(
    """
    SELECT findings.kind, fee_item.name AS item, building.name AS building, house.unit_no,
           house.room_no, findings.house_id, bill.bill_no, findings.before_fen,
           findings.after_fen, findings.note
      FROM findings
      JOIN fee_item ON fee_item.id = findings.fee_item_id
      JOIN house ON house.id = findings.house_id
      JOIN building ON building.id = house.building_id
      LEFT JOIN bill ON bill.id = findings.bill_id
     WHERE findings.kind = :kind AND findings.fee_item_id = :fee_item_id
       AND findings.house_id > :after_house_id
     ORDER BY findings.house_id, findings.bill_id LIMIT :limit
    """
)


class ReviewerIsMaker(NotAllowed):
    """Whoever made a batch may not approve it, nor confirm its findings."""

    code = "reviewer_is_maker"
    message = "制单人不能审核自己的批次"


class FindingsNotTicked(Conflict):
    """The reviewer has not looked at all findings as they are now."""

    code = "findings_not_ticked"
    message = "还有差异没有确认，请逐项查看并勾选后再审核"


class FindingsChanged(Conflict):
    """The findings are not those that the reviewer saw."""

    code = "findings_changed"
    message = "差异刚刚发生变化，请重新查看后再确认"


@dataclass(frozen=True, slots=True)
class Finding:
    """All findings of one kind and item: how many, and whether they were ticked as they are."""

    kind: FindingKind
    fee_item_id: int
    item: str
    row_count: int
    is_ticked: bool


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One house in a finding; amounts of the last bill and of this one, if there are any."""

    house_id: int
    house: str
    item: str
    bill_no: str | None
    before_fen: int | None
    after_fen: int | None
    note: str


@dataclass(frozen=True)
class BillFindings:
    """The review of a batch."""

    unit_of_work: UnitOfWork

    def list_findings(self, *, actor: Actor, batch_id: int) -> Sequence[Finding]:
        """Tell what of a batch must be looked at; nothing when it holds no surprise.

        Raises:
            NotFound: no such batch.
        """
        actor.must(Permission.VIEW_ESTATE)
        with self.unit_of_work.reading() as session:
            find_batch(session, actor, batch_id)
            return _read(session, batch_id)

    def list_rows(
        self,
        *,
        actor: Actor,
        batch_id: int,
        kind: FindingKind,
        fee_item_id: int,
        after_house_id: int = 0,
        limit: int = PAGE,
    ) -> Sequence[FindingRow]:
        """List the houses of one finding by house id, from above ``after_house_id``.

        Raises:
            NotFound: no such batch.
        """
        actor.must(Permission.VIEW_ESTATE)
        with self.unit_of_work.reading() as session:
            find_batch(session, actor, batch_id)
            rows = session.execute(
                _ROWS,
                {
                    "batch_id": batch_id,
                    "kind": kind,
                    "fee_item_id": fee_item_id,
                    "after_house_id": after_house_id,
                    "limit": limit,
                },
            ).all()
        return [
            FindingRow(
                house_id=row.house_id,
                house=house_label(row.building, row.unit_no, row.room_no),
                item=row.item,
                bill_no=row.bill_no,
                before_fen=row.before_fen,
                after_fen=row.after_fen,
                note=row.note,
            )
            for row in rows
        ]

    def tick(
        self, *, actor: Actor, batch_id: int, kind: FindingKind, fee_item_id: int, row_count: int
    ) -> None:
        """Confirm that all findings of a kind and item were looked at.

        Raises:
            NotFound: no batch under review, or no such finding in it.
            FindingsChanged: there are more or fewer of them than the reviewer saw.
            ReviewerIsMaker: the community asks for a second person.
        """
        actor.must(Permission.REVIEW_BILLS)

        def work(tx: Transaction) -> None:
            batch = tx.session.execute(
                select(BillBatch)
                .where(BillBatch.id == batch_id, BillBatch.state == BatchState.PENDING_REVIEW)
                .where(in_scope(BillBatch.community_id, actor))
                .with_for_update()
            ).scalar_one_or_none()
            found = _summaries(tx.session, batch_id).get((kind, fee_item_id)) if batch else None
            if batch is None or found is None:
                raise NotFound
            check_reviewer(tx, actor, batch)
            if found[0] != row_count:
                raise FindingsChanged
            values: dict[str, Any] = {
                "row_count": found[0],
                "content_sha256": found[1],
                "ticked_by_staff_id": actor.id,
                "ticked_at": tx.now,
            }
            tx.session.execute(
                insert(BillBatchTick)
                .values(batch_id=batch_id, kind=kind, fee_item_id=fee_item_id, **values)
                .on_conflict_do_update(
                    index_elements=["batch_id", "kind", "fee_item_id"], set_=values
                )
            )
            record(
                tx,
                actor,
                "finding_ticked",
                subject_type="bill_batch",
                subject_id=batch_id,
                community_id=batch.community_id,
                facts={"kind": kind, "fee_item_id": fee_item_id, "row_count": row_count},
            )

        self.unit_of_work.run(work)


def check_reviewer(tx: Transaction, actor: Actor, batch: BillBatch) -> None:
    """Refuse a reviewer who made the batch, where the community asks for two people.

    Raises:
        ReviewerIsMaker: they did.
    """
    community = tx.session.get_one(Community, batch.community_id)
    if community.is_reviewer_other and actor.id == batch.made_by_staff_id:
        raise ReviewerIsMaker


def check_ticks(tx: Transaction, batch_id: int) -> None:
    """Refuse a batch of which some findings were not ticked as they are now.

    Raises:
        FindingsNotTicked: naming them.
    """
    open_ = [one for one in _read(tx.session, batch_id) if not one.is_ticked]
    if open_:
        shown = "、".join(
            f"{one.item}“{FINDING_SHOWN[one.kind]}”{one.row_count} 户" for one in open_[:10]
        )
        raise FindingsNotTicked(f"还有差异没有确认：{shown}")


def _summaries(session: Session, batch_id: int) -> dict[tuple[str, int], tuple[int, str]]:
    rows = session.execute(_SUMMARY, {"batch_id": batch_id})
    return {(kind, item_id): (count, sha256) for kind, item_id, count, sha256 in rows}


def _read(session: Session, batch_id: int) -> list[Finding]:
    found = _summaries(session, batch_id)
    if not found:
        return []
    ticked = {
        (tick.kind, tick.fee_item_id): (tick.row_count, tick.content_sha256)
        for tick in session.scalars(select(BillBatchTick).where(BillBatchTick.batch_id == batch_id))
    }
    names = dict(
        session.execute(
            select(FeeItem.id, FeeItem.name).where(FeeItem.id.in_({key[1] for key in found}))
        ).all()
    )
    order = list(FindingKind)
    findings = [
        Finding(
            FindingKind(kind),
            item_id,
            names[item_id],
            count,
            ticked.get((kind, item_id)) == (count, sha256),
        )
        for (kind, item_id), (count, sha256) in found.items()
    ]
    return sorted(findings, key=lambda one: (order.index(one.kind), one.fee_item_id))
