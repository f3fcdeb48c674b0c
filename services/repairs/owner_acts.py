"""What an owner does with a repair of theirs, and words about how it goes."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from domain.actors import Actor, Permission
from domain.errors import Conflict, InvalidInput
from domain.repair_states import ENDED, RepairAct, RepairSide, RepairState
from domain.repairs import RATING_WITHIN, QuoteState, RepairPriority
from models import RepairOrder, RepairQuote, RepairRating
from services.audit import record
from services.reasons import check_reason
from services.repair_moves import add_event, move
from services.repairs.clocks import end_pause, start_clocks
from services.repairs.rows import find_own
from services.repairs.rules import rules_of
from services.unit_of_work import Transaction, UnitOfWork


class RatingClosed(Conflict):
    """The repair is not closed, or was more than seven days ago."""

    code = "rating_closed"
    message = "报修完成后 7 天内可以评价"


class AlreadyRated(Conflict):
    """The repair was rated before."""

    code = "already_rated"
    message = "您已经评价过这次报修"


@dataclass(frozen=True)
class OwnerRepairActs:
    """The acts of whoever the repair is for; for others there is no such repair."""

    unit_of_work: UnitOfWork

    def cancel(self, *, actor: Actor, repair_id: int, reason: str) -> None:
        """Take a repair back that nobody has accepted yet.

        Raises:
            NotFound: it is not theirs. RepairCannotMove: somebody accepted it.
            InvalidInput: no reason.
        """
        actor.must(Permission.REPORT_REPAIRS)
        check_reason(reason)
        self.unit_of_work.run(
            lambda tx: move(
                tx,
                actor,
                find_own(tx, actor, repair_id),
                RepairAct.CANCEL,
                RepairSide.OWNER,
                note=reason.strip(),
                values={"ended_at": tx.now},
            )
        )

    def confirm(self, *, actor: Actor, repair_id: int) -> None:
        """Say that it is mended.

        Raises:
            NotFound: it is not theirs. RepairCannotMove: it does not wait for that.
        """
        actor.must(Permission.REPORT_REPAIRS)
        self.unit_of_work.run(
            lambda tx: move(
                tx,
                actor,
                find_own(tx, actor, repair_id),
                RepairAct.CONFIRM,
                RepairSide.OWNER,
                values={"ended_at": tx.now},
            )
        )

    def reopen(self, *, actor: Actor, repair_id: int, reason: str) -> None:
        """Say that it is not mended: the same engineer comes again, and the clocks start anew.

        Raises:
            NotFound: it is not theirs. RepairCannotMove: it does not wait for that.
            InvalidInput: no reason.
        """
        actor.must(Permission.REPORT_REPAIRS)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            repair = find_own(tx, actor, repair_id)
            is_first = move(
                tx,
                actor,
                repair,
                RepairAct.REOPEN,
                RepairSide.OWNER,
                note=reason.strip(),
                values={
                    "reopened_count": RepairOrder.reopened_count + 1,
                    "finished_at": None,
                    "confirm_from_at": None,
                    "warned_at": None,
                },
            )
            if is_first:
                sla = rules_of(tx.session, repair.community_id).sla
                start_clocks(tx, repair, sla[RepairPriority(repair.priority)])

        self.unit_of_work.run(work)

    def decide_quote(self, *, actor: Actor, repair_id: int, agrees: bool) -> None:
        """Agree to the price that was asked for, or refuse it; work goes on either way.

        Raises:
            NotFound: it is not theirs. RepairCannotMove: no price waits.
        """
        actor.must(Permission.REPORT_REPAIRS)
        act = RepairAct.APPROVE_QUOTE if agrees else RepairAct.REFUSE_QUOTE

        def work(tx: Transaction) -> None:
            repair = find_own(tx, actor, repair_id)
            if not move(tx, actor, repair, act, RepairSide.OWNER):
                return
            tx.session.execute(
                update(RepairQuote)
                .where(RepairQuote.repair_id == repair.id, RepairQuote.state == QuoteState.PENDING)
                .values(
                    state=QuoteState.APPROVED if agrees else QuoteState.REFUSED,
                    decided_by_account_id=actor.account_id,
                    decided_at=tx.now,
                )
            )
            end_pause(tx, repair)

        self.unit_of_work.run(work)

    def rate(self, *, actor: Actor, repair_id: int, score: int, note: str = "") -> None:
        """Rate a closed repair from 1 to 5, once and within seven days.

        Raises:
            NotFound: it is not theirs. RatingClosed: it is too early or too late.
            AlreadyRated: somebody of the house did otherwise before.
            InvalidInput: no such score, or too many words.
        """
        actor.must(Permission.REPORT_REPAIRS)
        fields = {}
        if not 1 <= score <= 5:
            fields["score"] = ["请选择 1 至 5 分"]
        if len(note) > 500:
            fields["note"] = ["请在 500 字以内"]
        if fields:
            raise InvalidInput(fields=fields)
        self.unit_of_work.run(lambda tx: _rate(tx, actor, repair_id, score, note.strip()))


def note_progress(tx: Transaction, actor: Actor, repair: RepairOrder, note: str) -> None:
    """Put words about an open repair on its progress page; a step for whoever may.

    Raises:
        Conflict: it has ended.
    """
    tx.session.refresh(repair, with_for_update=True)
    if repair.state in ENDED:
        raise Conflict("报修已经结束")
    add_event(tx, actor, repair, RepairAct.NOTE, RepairState(repair.state), note=note)
    record_about(tx, actor, repair, "repair_noted", {"reason": note})


def _rate(tx: Transaction, actor: Actor, repair_id: int, score: int, note: str) -> None:
    repair = find_own(tx, actor, repair_id)
    is_closed = repair.state == RepairState.CLOSED and repair.ended_at is not None
    if not is_closed or tx.now > (repair.ended_at or tx.now) + RATING_WITHIN:
        raise RatingClosed
    rated = tx.session.execute(
        insert(RepairRating)
        .values(repair_id=repair.id, score=score, note=note, account_id=actor.account_id, at=tx.now)
        .on_conflict_do_nothing()
        .returning(RepairRating.repair_id)
    ).scalar_one_or_none()
    if rated is None:
        before = tx.session.get_one(RepairRating, repair.id)
        if (before.account_id, before.score, before.note) != (actor.account_id, score, note):
            raise AlreadyRated
        return
    record_about(tx, actor, repair, "repair_rated", {"score": score})


def record_about(
    tx: Transaction, actor: Actor, repair: RepairOrder, action: str, facts: dict[str, object]
) -> None:
    """Put an act that moves no repair on record."""
    record(
        tx,
        actor,
        action,
        subject_type="repair_order",
        subject_id=repair.id,
        community_id=repair.community_id,
        facts=facts,
    )
