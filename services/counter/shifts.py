"""The shifts of cashiers: begun with a float, counted blind, closed and handed over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import ColumnElement, update

from domain.actors import Actor, Permission, staff_id_of
from domain.errors import Conflict, InvalidInput, NotAllowed, NotFound
from domain.payment_states import PaymentChannel
from domain.periods import start_of_local_day
from domain.shifts import SHIFT_MOVES, ShiftState
from models import CashierShift, Community, ShiftCount
from services.audit import record
from services.counter.shift_checks import NOTE_LENGTHS, check_counted, check_fen
from services.counter.shift_views import (
    CountView,
    ShiftView,
    read_expected,
    read_shifts,
    say_differences,
)
from services.shifts import insert_shift
from services.tasks import open_task
from services.unit_of_work import Transaction, UnitOfWork


class ShiftAlreadyOpen(Conflict):
    """The cashier has a drawer in this community."""

    code = "shift_already_open"
    message = "已有当班的班次，请先日结"


class NoShiftToClose(Conflict):
    """The cashier has no open shift here."""

    code = "no_shift_to_close"
    message = "没有当班的班次"


class NoShiftToCount(Conflict):
    """The cashier has not stopped taking money, or has counted already."""

    code = "no_shift_to_count"
    message = "没有待清点的班次，请先停止收款再清点"


class NoShiftToExplain(Conflict):
    """The last count of the cashier does not differ, or was explained."""

    code = "no_shift_to_explain"
    message = "没有需要说明差额的班次"


class ShiftNotClosed(Conflict):
    """Only a shift that was counted is handed over, and only once."""

    code = "shift_not_closed"
    message = "这个班次不在“已日结”状态，不能交接"


class DifferenceUnexplained(Conflict):
    """The cashier has not said why the count differs."""

    code = "difference_unexplained"
    message = "清点有差额，请收款人先写明原因再交接"


class HandOverDiffers(Conflict):
    """Whoever takes over has counted other cash than the cashier."""

    code = "hand_over_differs"
    message = "接收的现金与清点的现金不一致，请双方重新点清"


@dataclass(frozen=True)
class Shifts:
    """Who holds a drawer, and what was in it when they counted.

    Nobody is shown a sum of a shift before it was counted, and a count is never done again.

    Source: domain.md D5 and idea 18, day-close with blind count.
    """

    unit_of_work: UnitOfWork

    def open(self, *, actor: Actor, community_id: int, float_fen: int) -> ShiftView:
        """Begin a shift with some cash in the drawer.

        Raises:
            InvalidInput: the float is below zero or too large.
            ShiftAlreadyOpen: the last one of the cashier here is not counted yet.
            NotFound: no such community, or it was switched off.
        """
        actor.must(Permission.TAKE_MONEY)
        actor.must_cover(community_id)
        staff_id = staff_id_of(actor)
        check_fen("float_fen", float_fen)

        def work(tx: Transaction) -> ShiftView:
            community = tx.session.get(Community, community_id)
            if community is None or not community.is_active:
                raise NotFound
            shift_id = insert_shift(tx, actor, community_id, staff_id, float_fen=float_fen)
            if shift_id is None:
                raise ShiftAlreadyOpen
            return _read(tx, shift_id)

        return self.unit_of_work.run(work)

    def begin_close(self, *, actor: Actor, community_id: int) -> ShiftView:
        """Stop taking money into one's own shift; whoever takes some now is waited for.

        Raises:
            NoShiftToClose: there is no open one.
        """
        actor.must(Permission.TAKE_MONEY)
        actor.must_cover(community_id)

        def work(tx: Transaction) -> ShiftView:
            shift = _move_own(
                tx, actor, community_id, ShiftState.OPEN, ShiftState.CLOSING, NoShiftToClose
            )
            _record(tx, actor, "shift_closing", shift)
            return shift

        return self.unit_of_work.run(work)

    def reopen(self, *, actor: Actor, community_id: int) -> ShiftView:
        """Go on taking money into one's own shift that was not counted yet.

        Raises:
            NoShiftToCount: there is none.
        """
        actor.must(Permission.TAKE_MONEY)
        actor.must_cover(community_id)

        def work(tx: Transaction) -> ShiftView:
            shift = _move_own(
                tx, actor, community_id, ShiftState.CLOSING, ShiftState.OPEN, NoShiftToCount
            )
            _record(tx, actor, "shift_reopened", shift)
            return shift

        return self.unit_of_work.run(work)

    def count(
        self,
        *,
        actor: Actor,
        community_id: int,
        counted_fen: Mapping[PaymentChannel, int],
        note: str = "",
    ) -> ShiftView:
        """Close one's own shift with what was counted; what should be there is shown only now.

        Cash counts the whole drawer, its float included; a way that is not named counts as
        nothing. A difference stays on file and asks finance to look; why it differs may be said
        here or with `explain`, as nobody can know before.

        Raises:
            InvalidInput: no cash is named, a way is none of the counter, or a sum cannot be.
            NoShiftToCount: the cashier still takes money, or has counted.
        """
        actor.must(Permission.TAKE_MONEY)
        actor.must_cover(community_id)
        check_counted(counted_fen, note)

        def work(tx: Transaction) -> ShiftView:
            shift = _move_own(
                tx,
                actor,
                community_id,
                ShiftState.CLOSING,
                ShiftState.CLOSED,
                NoShiftToCount,
                closed_at=tx.now,
                note=note.strip(),
            )
            for way, expected_fen in read_expected(tx.session, shift.id).items():
                tx.session.add(
                    ShiftCount(
                        shift_id=shift.id,
                        channel=way,
                        counted_fen=counted_fen.get(way, 0),
                        expected_fen=expected_fen,
                    )
                )
            tx.session.flush()
            counted = _read(tx, shift.id, with_entries=True)
            _record(tx, actor, "shift_counted", counted)
            _ask_finance(tx, counted)
            return counted

        return self.unit_of_work.run(work)

    def explain(self, *, actor: Actor, community_id: int, shift_id: int, note: str) -> ShiftView:
        """Say why one's own count differs; once.

        Raises:
            InvalidInput: no words, or more than 200.
            NoShiftToExplain: the count does not differ, or it was said.
            NotFound: no such shift of one's own.
        """
        actor.must(Permission.TAKE_MONEY)
        actor.must_cover(community_id)
        if not note.strip() or len(note.strip()) not in NOTE_LENGTHS:
            raise InvalidInput(fields={"note": ["请写明差额原因，200 字以内"]})

        def work(tx: Transaction) -> ShiftView:
            shift = _lock(tx, community_id, shift_id)
            if shift.staff_id != staff_id_of(actor):
                raise NotFound
            if not shift.needs_note:
                raise NoShiftToExplain
            tx.session.execute(
                update(CashierShift).where(CashierShift.id == shift_id).values(note=note.strip())
            )
            _record(tx, actor, "shift_explained", shift, note=note.strip())
            return _read(tx, shift_id, with_entries=True)

        return self.unit_of_work.run(work)

    def hand_over(
        self, *, actor: Actor, community_id: int, shift_id: int, cash_fen: int
    ) -> ShiftView:
        """Take the counted cash over from another person, who had the drawer.

        Raises:
            NotAllowed: it was the actor's own drawer.
            HandOverDiffers: they have not counted the same cash.
            DifferenceUnexplained: the cashier has not said why the count differs.
            ShiftNotClosed: it was not counted yet, or was taken over.
            NotFound: the community has no such shift.
        """
        actor.must(Permission.TAKE_OVER_SHIFT)
        actor.must_cover(community_id)
        taker_id = staff_id_of(actor)

        def work(tx: Transaction) -> ShiftView:
            shift = _lock(tx, community_id, shift_id)
            if shift.staff_id == taker_id:
                raise NotAllowed("不能接收自己的班次，请另一位财务或经理接收")
            if shift.state is not ShiftState.CLOSED:
                raise ShiftNotClosed
            if shift.needs_note:
                raise DifferenceUnexplained
            [cash] = [one for one in shift.counts if one.channel is PaymentChannel.CASH]
            if cash.counted_fen != cash_fen:
                raise HandOverDiffers
            tx.session.execute(
                update(CashierShift)
                .where(CashierShift.id == shift_id)
                .values(
                    state=ShiftState.HANDED_OVER,
                    taken_over_by_staff_id=taker_id,
                    taken_over_at=tx.now,
                )
            )
            _record(tx, actor, "shift_handed_over", shift, cash_fen=cash_fen)
            return _read(tx, shift_id, with_entries=True)

        return self.unit_of_work.run(work)

    def list_own(
        self, *, actor: Actor, community_id: int, opened_on: date | None = None
    ) -> list[ShiftView]:
        """List one's own shifts, of one local day or all, newest first."""
        actor.must(Permission.TAKE_MONEY)
        actor.must_cover(community_id)
        mine = CashierShift.staff_id == staff_id_of(actor)
        with self.unit_of_work.reading() as session:
            return read_shifts(session, mine, *_opened(community_id, opened_on))

    def list_of_community(
        self, *, actor: Actor, community_id: int, opened_on: date | None = None
    ) -> list[ShiftView]:
        """List the shifts of a community, of one local day or all, newest first."""
        actor.must(Permission.VIEW_REPORTS)
        actor.must_cover(community_id)
        with self.unit_of_work.reading() as session:
            return read_shifts(session, *_opened(community_id, opened_on))

    def show(self, *, actor: Actor, community_id: int, shift_id: int) -> ShiftView:
        """Show a shift: one's own, or any to whoever may see reports.

        Raises:
            NotFound: none, or not theirs.
        """
        actor.must(Permission.VIEW_HOUSE_MONEY)
        actor.must_cover(community_id)
        which = [CashierShift.id == shift_id, CashierShift.community_id == community_id]
        if Permission.VIEW_REPORTS not in actor.permissions:
            which.append(CashierShift.staff_id == staff_id_of(actor))
        with self.unit_of_work.snapshot() as session:
            found = read_shifts(session, *which, with_entries=True)
        if not found:
            raise NotFound("没有这个班次")
        return found[0]


def _opened(community_id: int, on: date | None) -> list[ColumnElement[bool]]:
    which = [CashierShift.community_id == community_id]
    if on:
        which.append(CashierShift.opened_at >= start_of_local_day(on))
        which.append(CashierShift.opened_at < start_of_local_day(on + timedelta(days=1)))
    return which


def _move_own(
    tx: Transaction,
    actor: Actor,
    community_id: int,
    old: ShiftState,
    new: ShiftState,
    missing: type[Conflict],
    **values: object,
) -> ShiftView:
    """Move the cashier's shift from one state to another, or refuse if it is not in it."""
    if new not in SHIFT_MOVES[old]:
        raise ValueError(f"a shift never goes from {old} to {new}")
    shift_id = tx.session.execute(
        update(CashierShift)
        .where(
            CashierShift.community_id == community_id,
            CashierShift.staff_id == staff_id_of(actor),
            CashierShift.state == old,
        )
        .values(state=new, **values)
        .returning(CashierShift.id)
    ).scalar_one_or_none()
    if shift_id is None:
        raise missing
    return _read(tx, shift_id)


def _lock(tx: Transaction, community_id: int, shift_id: int) -> ShiftView:
    locked = tx.session.get(CashierShift, shift_id, with_for_update=True)
    if locked is None or locked.community_id != community_id:
        raise NotFound("没有这个班次")
    return _read(tx, shift_id)


def _read(tx: Transaction, shift_id: int, *, with_entries: bool = False) -> ShiftView:
    [shift] = read_shifts(tx.session, CashierShift.id == shift_id, with_entries=with_entries)
    return shift


def _ask_finance(tx: Transaction, shift: ShiftView) -> None:
    if not shift.differs:
        return
    open_task(
        tx,
        kind="shift_difference",
        subject=f"shift:{shift.id}",
        title=f"班次 {shift.id}（{shift.cashier}）清点有差额：{say_differences(shift.counts)}",
        community_id=shift.community_id,
    )


def _record(tx: Transaction, actor: Actor, action: str, shift: ShiftView, **facts: object) -> None:
    record(
        tx,
        actor,
        action,
        subject_type="cashier_shift",
        subject_id=shift.id,
        community_id=shift.community_id,
        facts=facts | {"cashier": shift.cashier} | _figures(shift.counts),
    )


def _figures(counts: tuple[CountView, ...]) -> dict[str, object]:
    return {
        f"{one.channel}_fen": {"counted": one.counted_fen, "expected": one.expected_fen}
        for one in counts
    }
