"""What an engineer does with a repair that is theirs, from accepting it to finishing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from domain.actors import Actor, Permission, staff_id_of, system_actor
from domain.errors import InvalidInput, NotFound
from domain.money import MAX_FEN, round_half_up
from domain.periods import local_date
from domain.repair_states import RepairAct, RepairSide
from domain.repairs import FaultCause, PauseReason, QuoteState
from models import RepairOrder, RepairPart, RepairQuote
from services.reasons import check_amount_and_reason, check_reason
from services.repair_moves import is_repeated, move
from services.repairs.charging import charge_repair
from services.repairs.clocks import end_pause, start_pause
from services.repairs.opening import give_to
from services.repairs.rotation import check_assignee
from services.repairs.rows import find_assigned, find_scoped
from services.unit_of_work import Transaction, UnitOfWork

_WAITS_FOR = frozenset({PauseReason.PARTS, PauseReason.OWNER, PauseReason.THIRD_PARTY})
_MOST_PARTS = 50
_LONGEST_MINUTES = 14_400


@dataclass(frozen=True, slots=True)
class Part:
    """Material that was used; ``unit_price_fen`` is what one of it costs us."""

    name: str
    quantity: Decimal
    unit_price_fen: int

    @property
    def amount_fen(self) -> int:
        """What all of it costs, rounded once."""
        return round_half_up(Fraction(self.quantity) * self.unit_price_fen)


@dataclass(frozen=True, slots=True)
class FinishedWork:
    """How a repair was mended: why it broke, what was done, with what, and what the house owes."""

    cause: FaultCause
    measure: str
    parts: Sequence[Part] = ()
    labour_minutes: int = 0
    labour_fen: int = 0
    charge_fen: int = 0
    photo_ids: Sequence[int] = ()
    """Photos of what it looks like now."""


@dataclass(frozen=True)
class RepairWork:
    """The acts of the engineer to whom a repair is assigned; for others there is no such repair."""

    unit_of_work: UnitOfWork

    def accept(self, *, actor: Actor, repair_id: int) -> None:
        """Say that one will do it.

        Raises:
            NotFound: it is not theirs. RepairCannotMove: it is past that.
        """
        self._act(actor, repair_id, RepairAct.ACCEPT, stamp="accepted_at")

    def give_back(self, *, actor: Actor, repair_id: int, reason: str) -> None:
        """Return a repair to the dispatcher and say why.

        Raises:
            NotFound: it is not theirs. RepairCannotMove: work on it has begun.
            InvalidInput: no reason.
        """
        check_reason(reason)
        values = {"assignee_staff_id": None, "assigned_at": None, "accepted_at": None}
        self._act(
            actor,
            repair_id,
            RepairAct.RETURN,
            note=reason.strip(),
            is_internal=True,
            values=values,
        )

    def transfer(self, *, actor: Actor, repair_id: int, staff_id: int, reason: str) -> None:
        """Hand a repair over to another engineer and say why.

        Raises:
            NotFound: it is not theirs. RepairCannotMove: work on it goes on.
            InvalidInput: no reason, or the other is no active engineer in whose scope it is.
        """
        actor.must(Permission.WORK_REPAIRS)
        check_reason(reason)
        if staff_id == staff_id_of(actor):
            raise InvalidInput(fields={"staff_id": ["请选择另一位工程人员"]})

        def work(tx: Transaction) -> None:
            repair = _find(tx, actor, repair_id, RepairAct.TRANSFER, staff_id)
            if repair is None:
                return
            check_assignee(tx.session, repair, staff_id)
            give_to(
                tx,
                actor,
                repair,
                staff_id,
                side=RepairSide.WORKER,
                act=RepairAct.TRANSFER,
                note=reason.strip(),
            )

        self.unit_of_work.run(work)

    def arrive(self, *, actor: Actor, repair_id: int, note: str = "") -> None:
        """Say that one is there and begins.

        Raises:
            NotFound: it is not theirs. RepairCannotMove: it was not accepted.
        """
        _check_note(note)
        self._act(actor, repair_id, RepairAct.ARRIVE, note=note.strip(), stamp="arrived_at")

    def suspend(
        self, *, actor: Actor, repair_id: int, waits_for: PauseReason, until_on: date, note: str
    ) -> None:
        """Stop the clock while work waits for parts, the owner or others, likely until a day.

        Raises:
            NotFound: it is not theirs. RepairCannotMove: nobody works on it.
            InvalidInput: no such reason, no words, or a day that is over or more than a year off.
        """
        check_reason(note, field="note")
        today = local_date(self.unit_of_work.clock.now())
        fields = {}
        if waits_for not in _WAITS_FOR:
            fields["waits_for"] = ["应为等待配件、业主或第三方"]
        if not 0 <= (until_on - today).days <= 366:
            fields["until_on"] = ["应为今天或之后一年内的日期"]
        if fields:
            raise InvalidInput(fields=fields)
        self._act(
            actor,
            repair_id,
            RepairAct.SUSPEND,
            note=note.strip(),
            then=lambda tx, repair: start_pause(tx, repair, waits_for, until_on),
        )

    def resume(self, *, actor: Actor, repair_id: int) -> None:
        """Go on after a pause; the time that it took does not count.

        Raises:
            NotFound: it is not theirs. RepairCannotMove: it was not suspended.
        """
        self._act(actor, repair_id, RepairAct.RESUME, then=end_pause)

    def quote(self, *, actor: Actor, repair_id: int, amount_fen: int, note: str) -> None:
        """Ask the owner to agree to a price; the clock stands still until they answer.

        Raises:
            NotFound: it is not theirs. RepairCannotMove: nobody works on it.
            InvalidInput: no amount, no words, or there is no house that could pay.
        """
        check_amount_and_reason(amount_fen, note, field="note")
        staff_id = staff_id_of(actor)

        def ask(tx: Transaction, repair: RepairOrder) -> None:
            if repair.house_id is None:
                raise InvalidInput(fields={"amount_fen": ["公共区域报修不能收费"]})
            tx.session.add(
                RepairQuote(
                    repair_id=repair.id,
                    amount_fen=amount_fen,
                    note=note.strip(),
                    state=QuoteState.PENDING,
                    made_by_staff_id=staff_id,
                    made_at=tx.now,
                )
            )
            start_pause(tx, repair, PauseReason.QUOTE)

        self._act(actor, repair_id, RepairAct.QUOTE, note=note.strip(), then=ask)

    def finish(self, *, actor: Actor, repair_id: int, work: FinishedWork) -> None:
        """Say that it is mended, why it broke and what it took; a charge becomes a bill.

        Raises:
            NotFound: it is not theirs. RepairCannotMove: nobody works on it.
            InvalidInput: a field cannot be used.
            ChargeNotAgreed, RepairsNotCharged, RepairCharged: it cannot be charged so.
        """
        actor.must(Permission.WORK_REPAIRS)
        _check_work(work)

        def carry_out(tx: Transaction) -> None:
            repair = _find(tx, actor, repair_id, RepairAct.FINISH)
            if repair is None or is_repeated(tx, actor, repair, RepairAct.FINISH):
                return
            values = {
                "finished_at": tx.now,
                "cause": work.cause,
                "measure": work.measure.strip(),
                "labour_minutes": RepairOrder.labour_minutes + work.labour_minutes,
                "labour_fen": RepairOrder.labour_fen + work.labour_fen,
            }
            if work.charge_fen:
                values["one_off_charge_id"] = charge_repair(tx, actor, repair, work.charge_fen)
                values["charge_fen"] = work.charge_fen
            is_first = move(
                tx,
                actor,
                repair,
                RepairAct.FINISH,
                RepairSide.WORKER,
                note=work.measure.strip(),
                values=values,
                photo_ids=work.photo_ids,
            )
            if is_first:
                _add_parts(tx, repair, work.parts)
                _lead_on(tx, actor, repair, is_charged=bool(work.charge_fen))

        self.unit_of_work.run(carry_out)

    def _act(
        self,
        actor: Actor,
        repair_id: int,
        act: RepairAct,
        *,
        note: str = "",
        is_internal: bool = False,
        stamp: str = "",
        values: Mapping[str, Any] | None = None,
        then: Callable[[Transaction, RepairOrder], None] | None = None,
    ) -> None:
        actor.must(Permission.WORK_REPAIRS)

        def work(tx: Transaction) -> None:
            repair = _find(tx, actor, repair_id, act)
            if repair is None:
                return
            changed = dict(values or {}) | ({stamp: tx.now} if stamp else {})
            is_first = move(
                tx,
                actor,
                repair,
                act,
                RepairSide.WORKER,
                note=note,
                is_internal=is_internal,
                values=changed,
            )
            if is_first and then is not None:
                then(tx, repair)

        self.unit_of_work.run(work)


def _find(
    tx: Transaction,
    actor: Actor,
    repair_id: int,
    act: RepairAct,
    assignee_staff_id: int | None = None,
) -> RepairOrder | None:
    """Find an engineer's repair; none if they just gave it away by this act.

    Raises:
        NotFound: it is not theirs.
    """
    try:
        return find_assigned(tx, actor, repair_id)
    except NotFound:
        repair = find_scoped(tx, actor, repair_id)
        if is_repeated(tx, actor, repair, act, assignee_staff_id):
            return None
        raise


def _lead_on(tx: Transaction, actor: Actor, repair: RepairOrder, *, is_charged: bool) -> None:
    machine = system_actor("报修收费" if is_charged else "报修", actor.request_id)
    if is_charged:
        move(tx, machine, repair, RepairAct.BILL, RepairSide.SYSTEM)
        return
    move(
        tx,
        machine,
        repair,
        RepairAct.HAND_OVER,
        RepairSide.SYSTEM,
        values={"confirm_from_at": tx.now},
    )


def _add_parts(tx: Transaction, repair: RepairOrder, parts: Sequence[Part]) -> None:
    tx.session.add_all(
        RepairPart(
            repair_id=repair.id,
            name=part.name.strip(),
            quantity=part.quantity,
            unit_price_fen=part.unit_price_fen,
            amount_fen=part.amount_fen,
            added_at=tx.now,
        )
        for part in parts
    )


def _check_note(note: str) -> None:
    if len(note) > 200:
        raise InvalidInput(fields={"note": ["请在 200 字以内"]})


def _check_work(work: FinishedWork) -> None:
    fields: dict[str, list[str]] = {}
    if not 1 <= len(work.measure.strip()) <= 500:
        fields["measure"] = ["请填写处理措施，500 字以内"]
    if not 0 <= work.labour_minutes <= _LONGEST_MINUTES:
        fields["labour_minutes"] = ["应为 0 至 14400 分钟"]
    for name in ("labour_fen", "charge_fen"):
        if not 0 <= getattr(work, name) <= MAX_FEN:
            fields[name] = ["金额不能小于 0"]
    if len(work.parts) > _MOST_PARTS or not all(_is_good(part) for part in work.parts):
        fields["parts"] = ["请填写材料名称（40 字以内）、数量和单价，最多 50 项"]
    if fields:
        raise InvalidInput(fields=fields)


def _is_good(part: Part) -> bool:
    quantity = part.quantity
    is_counted = quantity.is_finite() and 0 < quantity < 100_000
    return (
        1 <= len(part.name.strip()) <= 40
        and is_counted
        and quantity == round(quantity, 3)
        and 0 <= part.unit_price_fen <= MAX_FEN
        and part.amount_fen <= MAX_FEN
    )
