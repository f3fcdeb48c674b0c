"""Giving repairs to engineers: by a dispatcher, or to whoever grabs first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select

from domain.actors import Actor, Permission, Role, staff_id_of
from domain.errors import Conflict, InvalidInput, NotFound
from domain.repair_states import (
    ENDED,
    UNASSIGNED,
    RepairAct,
    RepairCannotMove,
    RepairSide,
    RepairState,
)
from domain.repairs import RepairCategory
from models import RepairFollowUp, RepairOrder, Staff, StaffDuty, StaffSkill
from services.audit import record
from services.place_staff import serves
from services.reasons import check_reason
from services.repair_moves import move
from services.repairs.clocks import drop_what_waits
from services.repairs.opening import give_to
from services.repairs.owner_acts import note_progress, record_about
from services.repairs.rotation import check_assignee, choose_engineer
from services.repairs.rows import find_scoped, repairs_in_scope
from services.scopes import staff_in_scope
from services.unit_of_work import Transaction, UnitOfWork


class RepairTaken(RepairCannotMove):
    """Somebody else grabbed the repair first."""

    code = "repair_taken"
    message = "手慢了，这张工单已被其他人接走"


class NobodyOnDuty(RepairCannotMove):
    """No engineer is on duty who can do it."""

    code = "nobody_on_duty"
    message = "现在没有当班且能处理此类报修的工程人员，请手动派单"


class RepairNotEnded(Conflict):
    """Nobody is asked how it was before it is over."""

    code = "repair_not_ended"
    message = "报修还没有完成，不能回访"


@dataclass(frozen=True, slots=True)
class Engineer:
    """Somebody to whom a repair may be given."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Duty:
    """When somebody is on duty in a week: minutes of local days, 0 is Monday."""

    weekday: int
    from_minute: int
    until_minute: int


@dataclass(frozen=True)
class RepairDispatch:
    """Gives repairs to engineers, tells owners meanwhile and asks them afterwards."""

    unit_of_work: UnitOfWork

    def assign(self, *, actor: Actor, repair_id: int, staff_id: int, note: str = "") -> None:
        """Give a repair to an engineer, also one that another has not accepted yet.

        Raises:
            NotFound: no such repair in scope.
            InvalidInput: they are no active engineer in whose scope it is.
            RepairCannotMove: work on it has begun, or somebody was quicker.
        """
        actor.must(Permission.DISPATCH_REPAIRS)
        _check_note(note)

        def work(tx: Transaction) -> None:
            repair = find_scoped(tx, actor, repair_id)
            check_assignee(tx.session, repair, staff_id)
            give_to(tx, actor, repair, staff_id, side=RepairSide.DISPATCHER, note=note.strip())

        self.unit_of_work.run(work)

    def rotate(self, *, actor: Actor, repair_id: int) -> int:
        """Give a repair to the engineer whose turn it is, and return who that is.

        Raises:
            NotFound: no such repair in scope.
            NobodyOnDuty: there is none who can do it now.
            RepairCannotMove: it is somebody's already.
        """
        actor.must(Permission.DISPATCH_REPAIRS)

        def work(tx: Transaction) -> int:
            repair = find_scoped(tx, actor, repair_id)
            if repair.state not in UNASSIGNED and repair.assignee_staff_id is not None:
                raise RepairCannotMove("工单已经派给工程人员")
            engineer = choose_engineer(tx, repair)
            if engineer is None:
                raise NobodyOnDuty
            give_to(tx, actor, repair, engineer, side=RepairSide.DISPATCHER)
            return engineer

        return self.unit_of_work.run(work)

    def offer(self, *, actor: Actor, repair_id: int) -> None:
        """Let engineers grab a repair that waits to be given out.

        Raises:
            NotFound: no such repair in scope.
            RepairCannotMove: it does not wait.
        """
        actor.must(Permission.DISPATCH_REPAIRS)
        self.unit_of_work.run(
            lambda tx: move(
                tx,
                actor,
                find_scoped(tx, actor, repair_id),
                RepairAct.OFFER,
                RepairSide.DISPATCHER,
            )
        )

    def grab(self, *, actor: Actor, repair_id: int) -> None:
        """Take a repair that may be grabbed, and accept it: the first who asks gets it.

        Raises:
            NotFound: no such repair in scope, or it was never to be had.
            RepairTaken: somebody else was quicker.
            RepairCannotMove: it is not to be had any more.
        """
        actor.must(Permission.WORK_REPAIRS)
        staff_id = staff_id_of(actor)

        def work(tx: Transaction) -> None:
            repair = _find_grabbable(tx, actor, repair_id)
            if _is_theirs(repair, staff_id):
                return
            check_assignee(tx.session, repair, staff_id)
            try:
                give_to(tx, actor, repair, staff_id, side=RepairSide.WORKER, act=RepairAct.GRAB)
            except RepairCannotMove:
                if _is_theirs(repair, staff_id):
                    return
                raise
            move(
                tx,
                actor,
                repair,
                RepairAct.ACCEPT,
                RepairSide.WORKER,
                values={"accepted_at": tx.now},
            )

        self.unit_of_work.run(work)

    def force_close(self, *, actor: Actor, repair_id: int, reason: str) -> None:
        """End a repair whatever its state, as a manager who says why.

        Raises:
            NotFound: no such repair in scope.
            InvalidInput: no reason.
            RepairCannotMove: it has ended.
        """
        actor.must(Permission.MANAGE_REPAIRS)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            repair = find_scoped(tx, actor, repair_id)
            is_first = move(
                tx,
                actor,
                repair,
                RepairAct.FORCE_CLOSE,
                RepairSide.MANAGER,
                note=reason.strip(),
                values={"ended_at": tx.now},
            )
            if is_first:
                drop_what_waits(tx, repair)

        self.unit_of_work.run(work)

    def follow_up(self, *, actor: Actor, repair_id: int, is_satisfied: bool, note: str) -> int:
        """Write down what an owner said afterwards, and return the id.

        Raises:
            NotFound: no such repair in scope. RepairNotEnded: it is not over.
            InvalidInput: no words.
        """
        actor.must(Permission.DISPATCH_REPAIRS)
        check_reason(note, field="note")
        staff_id = staff_id_of(actor)

        def work(tx: Transaction) -> int:
            repair = find_scoped(tx, actor, repair_id)
            if repair.state not in ENDED:
                raise RepairNotEnded
            row = RepairFollowUp(
                repair_id=repair.id,
                is_satisfied=is_satisfied,
                note=note.strip(),
                staff_id=staff_id,
                at=tx.now,
            )
            tx.session.add(row)
            tx.session.flush()
            record_about(tx, actor, repair, "repair_followed_up", {"is_satisfied": is_satisfied})
            return row.id

        return self.unit_of_work.run(work)

    def tell(self, *, actor: Actor, repair_id: int, note: str) -> None:
        """Tell the owner how an open repair goes, without changing its state.

        Raises:
            NotFound: no such repair in scope. InvalidInput: no words.
            Conflict: it has ended.
        """
        actor.must(Permission.DISPATCH_REPAIRS)
        check_reason(note, field="note")
        self.unit_of_work.run(
            lambda tx: note_progress(tx, actor, find_scoped(tx, actor, repair_id), note.strip())
        )

    def list_engineers(self, *, actor: Actor, repair_id: int) -> Sequence[Engineer]:
        """List the engineers to whom a repair may be given, by name.

        Raises:
            NotFound: no such repair in scope.
        """
        actor.must(Permission.DISPATCH_REPAIRS)
        with self.unit_of_work.reading() as session:
            repair = session.execute(
                select(RepairOrder).where(RepairOrder.id == repair_id, repairs_in_scope(actor))
            ).scalar_one_or_none()
            if repair is None:
                raise NotFound
            rows = session.execute(
                select(Staff.id, Staff.name)
                .where(serves(Role.ENGINEER, repair.community_id, repair.building_id))
                .order_by(Staff.name, Staff.id)
            ).all()
        return [Engineer(row.id, row.name) for row in rows]

    def set_worker(
        self,
        *,
        actor: Actor,
        staff_id: int,
        skills: Sequence[RepairCategory],
        duty: Sequence[Duty],
    ) -> None:
        """Say what an engineer can repair and when they are on duty; nothing means all and always.

        Raises:
            NotFound: no such engineer who works within one's own scope alone.
            InvalidInput: hours that are not in order.
        """
        actor.must(Permission.MANAGE_REPAIRS)
        _check_duty(duty)

        def work(tx: Transaction) -> None:
            known = tx.session.execute(
                select(Staff.id)
                .where(Staff.id == staff_id, Staff.role == Role.ENGINEER, staff_in_scope(actor))
                .with_for_update()
            ).first()
            if known is None:
                raise NotFound
            tx.session.execute(delete(StaffSkill).where(StaffSkill.staff_id == staff_id))
            tx.session.execute(delete(StaffDuty).where(StaffDuty.staff_id == staff_id))
            tx.session.add_all(
                StaffSkill(staff_id=staff_id, category=category) for category in set(skills)
            )
            tx.session.add_all(
                StaffDuty(
                    staff_id=staff_id,
                    weekday=one.weekday,
                    from_minute=one.from_minute,
                    until_minute=one.until_minute,
                )
                for one in set(duty)
            )
            record(
                tx,
                actor,
                "repair_worker_set",
                subject_type="staff",
                subject_id=staff_id,
                facts={"skills": sorted(skills), "duty_count": len(set(duty))},
            )

        self.unit_of_work.run(work)


def _is_theirs(repair: RepairOrder, staff_id: int) -> bool:
    """Tell whether somebody has a repair already.

    Raises:
        RepairTaken: somebody else has it.
    """
    if repair.assignee_staff_id not in (None, staff_id):
        raise RepairTaken
    return repair.assignee_staff_id == staff_id


def _find_grabbable(tx: Transaction, actor: Actor, repair_id: int) -> RepairOrder:
    """Find a repair in scope; whoever comes late is told so, of others there is nothing."""
    repair = find_scoped(tx, actor, repair_id)
    if repair.state in (RepairState.SUBMITTED, RepairState.PENDING_DISPATCH):
        raise NotFound
    return repair


def _check_note(note: str) -> None:
    if len(note) > 200:
        raise InvalidInput(fields={"note": ["请在 200 字以内"]})


def _check_duty(duty: Sequence[Duty]) -> None:
    starts = {(one.weekday, one.from_minute) for one in duty}
    is_good = all(
        0 <= one.weekday <= 6 and 0 <= one.from_minute < one.until_minute <= 1_440 for one in duty
    )
    if not is_good or len(starts) != len(set(duty)) or len(duty) > 50:
        raise InvalidInput(fields={"duty": ["班次时间不对"]})
