"""Late fees (滞纳金): rules by date, pauses, and what a bill owes as of a day and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.bill_states import OWNER_SEES
from domain.errors import Conflict, InvalidInput, NotFound
from domain.late_fees import GraceMode, LateFeeSegment, LateFeeTerms
from domain.periods import Span, local_date
from models import Bill, Community, FeeItem, House, LateFeePause, LateFeeRule
from services.accrued_late_fees import AccruedLateFee as AccruedLateFee
from services.accrued_late_fees import freeze as freeze
from services.accrued_late_fees import read_accrued as read_accrued
from services.accrued_late_fees import read_terms
from services.audit import record
from services.bindings import own_bill_ids
from services.scopes import houses_in_scope, in_scope
from services.unit_of_work import Transaction, UnitOfWork

_MOST_PER_DAY = Decimal("0.01")
_MOST_CAP = Decimal(10)
_STEP = Decimal("0.00000001")
_GRACE_DAYS = range(366)
_REASON_LENGTHS = range(1, 201)


class LateFeeRuleNotLater(Conflict):
    """A rule must begin after the newest one did; history is not rewritten."""

    code = "late_fee_rule_not_later"
    message = "滞纳金规则的日期必须晚于现行规则的开始日期"


@dataclass(frozen=True, slots=True)
class NewLateFeeRule:
    """What an item charges for paying late; ratios such as ``0.0005`` and ``0.3``."""

    daily_rate: Decimal
    starts_on: date
    cap_ratio: Decimal | None = Decimal("0.3")
    grace_days: int = 0
    grace_mode: GraceMode = GraceMode.EXEMPT


@dataclass(frozen=True, slots=True)
class LateFeeRuleView:
    """One version of an item's rule."""

    id: int
    fee_item_id: int
    item: str
    terms: LateFeeTerms


@dataclass(frozen=True, slots=True)
class LateFeePauseView:
    """Days that do not count; for the whole community without ``bill_no``."""

    id: int
    bill_id: int | None
    bill_no: str | None
    span: Span
    reason: str


@dataclass(frozen=True, slots=True)
class LateFeeView:
    """The late fee of a bill as of a day and of the day after, and why."""

    bill_id: int
    as_of: date
    total_fen: int
    paid_fen: int
    waived_fen: int
    open_fen: int
    next_day_open_fen: int
    is_frozen: bool
    segments: tuple[LateFeeSegment, ...]
    explanation: str


@dataclass(frozen=True)
class LateFees:
    """What paying late costs. Off until an item has a rule."""

    unit_of_work: UnitOfWork

    def set_rule(self, *, actor: Actor, fee_item_id: int, rule: NewLateFeeRule) -> int:
        """Let a rule hold for an item from a day on and return its id; the one before ends there.

        Raises:
            InvalidInput: the terms cannot be used.
            LateFeeRuleNotLater: the day is not after the newest rule's first day.
            NotFound: no such item.
        """
        actor.must(Permission.MANAGE_FEES)
        if problems := _find_problems(rule):
            raise InvalidInput(fields=problems)

        def work(tx: Transaction) -> int:
            item, newest = _lock_item(tx, actor, fee_item_id)
            if newest and newest.starts_on >= rule.starts_on:
                raise LateFeeRuleNotLater
            if newest and (newest.ends_on is None or newest.ends_on > rule.starts_on):
                newest.ends_on = rule.starts_on
                tx.session.flush()
            row = LateFeeRule(
                fee_item_id=fee_item_id,
                daily_rate=rule.daily_rate,
                cap_ratio=rule.cap_ratio,
                grace_days=rule.grace_days,
                grace_mode=rule.grace_mode,
                starts_on=rule.starts_on,
                created_at=tx.now,
            )
            tx.session.add(row)
            tx.session.flush()
            record(
                tx,
                actor,
                "late_fee_rule_set",
                subject_type="fee_item",
                subject_id=fee_item_id,
                community_id=item.community_id,
                facts={
                    "daily_rate": str(rule.daily_rate),
                    "cap_ratio": str(rule.cap_ratio) if rule.cap_ratio is not None else None,
                    "grace_days": rule.grace_days,
                    "grace_mode": rule.grace_mode,
                    "starts_on": rule.starts_on.isoformat(),
                },
            )
            return row.id

        return self.unit_of_work.run(work)

    def end_rule(self, *, actor: Actor, fee_item_id: int, ends_on: date) -> None:
        """End an item's newest rule: from ``ends_on`` on nothing more accrues.

        Raises:
            LateFeeRuleNotLater: it began on that day or later.
            NotFound: no such item, or it has no rule that goes on until then.
        """
        actor.must(Permission.MANAGE_FEES)

        def work(tx: Transaction) -> None:
            item, newest = _lock_item(tx, actor, fee_item_id)
            if newest is None or (newest.ends_on is not None and newest.ends_on <= ends_on):
                raise NotFound("这个收费项目没有生效的滞纳金规则")
            if newest.starts_on >= ends_on:
                raise LateFeeRuleNotLater
            newest.ends_on = ends_on
            record(
                tx,
                actor,
                "late_fee_rule_ended",
                subject_type="fee_item",
                subject_id=fee_item_id,
                community_id=item.community_id,
                facts={"ends_on": ends_on.isoformat()},
            )

        self.unit_of_work.run(work)

    def pause(
        self,
        *,
        actor: Actor,
        community_id: int,
        bill_id: int | None = None,
        span: Span,
        reason: str,
    ) -> int:
        """Leave days out, for one bill or for all of a community, and return the pause's id.

        Late fees that are frozen or paid already do not change.

        Raises:
            InvalidInput: no day, or no reason.
            NotFound: no such community, or the bill is not one of it.
        """
        actor.must(Permission.MANAGE_FEES)
        actor.must_cover(community_id)
        problems: dict[str, list[str]] = {}
        if not span:
            problems["span"] = ["结束日期不能早于开始日期"]
        if len(reason.strip()) not in _REASON_LENGTHS:
            problems["reason"] = ["请填写原因，200 字以内"]
        if problems:
            raise InvalidInput(fields=problems)

        def work(tx: Transaction) -> int:
            if tx.session.get(Community, community_id) is None:
                raise NotFound
            _check_bill(tx, community_id, bill_id)
            row = LateFeePause(
                community_id=community_id,
                bill_id=bill_id,
                paused_from=span.starts_on,
                paused_until=span.ends_before,
                reason=reason.strip(),
                made_by_staff_id=actor.id,
                created_at=tx.now,
            )
            tx.session.add(row)
            tx.session.flush()
            record(
                tx,
                actor,
                "late_fee_paused",
                subject_type="late_fee_pause",
                subject_id=row.id,
                community_id=community_id,
                facts={"bill_id": bill_id, "span": str(span), "reason": row.reason},
            )
            return row.id

        return self.unit_of_work.run(work)

    def list_rules(self, *, actor: Actor, community_id: int) -> Sequence[LateFeeRuleView]:
        """List the rules of a community's items, by item and first day."""
        actor.must(Permission.VIEW_ESTATE)
        actor.must_cover(community_id)
        with self.unit_of_work.reading() as session:
            rows = session.execute(
                select(LateFeeRule, FeeItem.name)
                .join(FeeItem, FeeItem.id == LateFeeRule.fee_item_id)
                .where(FeeItem.community_id == community_id)
                .order_by(FeeItem.id, LateFeeRule.starts_on)
            ).all()
        return [
            LateFeeRuleView(rule.id, rule.fee_item_id, item, read_terms(rule))
            for rule, item in rows
        ]

    def list_pauses(self, *, actor: Actor, community_id: int) -> Sequence[LateFeePauseView]:
        """List the pauses of a community, newest first."""
        actor.must(Permission.VIEW_ESTATE)
        actor.must_cover(community_id)
        with self.unit_of_work.reading() as session:
            rows = session.execute(
                select(LateFeePause, Bill.bill_no)
                .outerjoin(Bill, Bill.id == LateFeePause.bill_id)
                .where(LateFeePause.community_id == community_id)
                .order_by(LateFeePause.id.desc())
            ).all()
        return [
            LateFeePauseView(
                pause.id,
                pause.bill_id,
                bill_no,
                Span(pause.paused_from, pause.paused_until),
                pause.reason,
            )
            for pause, bill_no in rows
        ]

    def preview(self, *, actor: Actor, bill_id: int, as_of: date | None = None) -> LateFeeView:
        """Show staff what a bill's late fee is as of a day, today if none is named.

        Raises:
            NotFound: no such bill.
        """
        actor.must(Permission.VIEW_HOUSE_MONEY)
        day = as_of or local_date(self.unit_of_work.clock.now())
        with self.unit_of_work.reading() as session:
            seen = session.execute(
                select(Bill.id)
                .join(House, House.id == Bill.house_id)
                .where(Bill.id == bill_id, houses_in_scope(actor))
            ).first()
            if seen is None:
                raise NotFound
            return show_late_fee(session, bill_id, day)

    def preview_own(self, *, actor: Actor, bill_id: int) -> LateFeeView:
        """Show an owner what a bill of theirs costs extra today and from tomorrow on, and why.

        Raises:
            NotFound: none, not published, or not theirs.
        """
        actor.must(Permission.VIEW_OWN_BILLS)
        today = local_date(self.unit_of_work.clock.now())
        with self.unit_of_work.reading() as session:
            found = session.execute(
                select(Bill.id).where(
                    Bill.id == bill_id,
                    Bill.id.in_(own_bill_ids(actor, today)),
                    Bill.state.in_(OWNER_SEES),
                )
            ).first()
            if found is None:
                raise NotFound
            return show_late_fee(session, bill_id, today)


def show_late_fee(session: Session, bill_id: int, day: date) -> LateFeeView:
    """Read the late fee of a bill as of a day and of the day after.

    Raises:
        NotFound: no such bill.
    """
    accrued = read_accrued(session, [bill_id], day).get(bill_id)
    if accrued is None:
        raise NotFound
    tomorrow = read_accrued(session, [bill_id], day + timedelta(days=1))[bill_id]
    return LateFeeView(
        bill_id=bill_id,
        as_of=day,
        total_fen=accrued.total_fen,
        paid_fen=accrued.paid_fen,
        waived_fen=accrued.waived_fen,
        open_fen=accrued.open_fen,
        next_day_open_fen=tomorrow.open_fen,
        is_frozen=accrued.is_frozen,
        segments=accrued.fee.segments,
        explanation=accrued.explanation,
    )


def _lock_item(
    tx: Transaction, actor: Actor, fee_item_id: int
) -> tuple[FeeItem, LateFeeRule | None]:
    """Lock an item, so that nobody else changes its rules, and find its newest one."""
    item = tx.session.execute(
        select(FeeItem)
        .where(FeeItem.id == fee_item_id, in_scope(FeeItem.community_id, actor))
        .with_for_update()
    ).scalar_one_or_none()
    if item is None:
        raise NotFound
    newest = tx.session.scalars(
        select(LateFeeRule)
        .where(LateFeeRule.fee_item_id == fee_item_id)
        .order_by(LateFeeRule.starts_on.desc())
        .limit(1)
    ).one_or_none()
    return item, newest


def _check_bill(tx: Transaction, community_id: int, bill_id: int | None) -> None:
    if bill_id is None:
        return
    found = tx.session.execute(
        select(Bill.id).where(Bill.id == bill_id, Bill.community_id == community_id)
    ).first()
    if found is None:
        raise NotFound


def _find_problems(rule: NewLateFeeRule) -> dict[str, list[str]]:
    problems: dict[str, list[str]] = {}
    if not _is_ratio(rule.daily_rate, _MOST_PER_DAY):
        problems["daily_rate"] = ["每日比例应大于 0 且不超过 0.01，最多 8 位小数，例如 0.0005"]
    if rule.cap_ratio is not None and not _is_ratio(rule.cap_ratio, _MOST_CAP):
        problems["cap_ratio"] = ["封顶比例应大于 0 且不超过 10，最多 8 位小数，例如 0.3"]
    if rule.grace_days not in _GRACE_DAYS:
        problems["grace_days"] = ["宽限天数应为 0 至 365"]
    return problems


def _is_ratio(ratio: Decimal, most: Decimal) -> bool:
    return ratio.is_finite() and 0 < ratio <= most and ratio == ratio.quantize(_STEP)
