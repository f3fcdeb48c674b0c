"""Deciding what was asked for, by somebody else, within the limit of their role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.orm import aliased

from domain.actors import Actor, Permission, staff_id_of
from domain.approvals import APPROVAL_LIMIT_FEN, WITHOUT_LIMIT, ApprovalKind, ApprovalState
from domain.errors import Conflict, InvalidInput, NotAllowed, NotFound
from domain.houses import house_label
from domain.money import show_yuan
from domain.periods import local_date, start_of_local_day
from models import ApprovalRequest, Bill, Building, House, Receipt, Staff
from services.approvals.acts import carry_out
from services.audit import record
from services.unit_of_work import Transaction, UnitOfWork


class RequesterIsApprover(NotAllowed):
    """Whoever asked may not decide."""

    code = "requester_is_approver"
    message = "不能审批自己提交的申请"


class OverLimit(NotAllowed):
    """The amount is above what the role may decide."""

    code = "over_limit"
    message = "金额超过你的审批限额"


class AlreadyDecided(Conflict):
    """The request was decided before."""

    code = "already_decided"
    message = "这个申请已经处理过了"


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request and what became of it."""

    id: int
    kind: ApprovalKind
    house: str
    bill_no: str | None
    receipt_no: str | None
    """Of the payment that is to be refunded."""
    amount_fen: int
    reason: str
    state: ApprovalState
    requested_by: str
    requested_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decision_note: str


@dataclass(frozen=True)
class MoneyDecisions:
    """Approves and rejects requests; an approved one is carried out in the same transaction.

    Both raise ReauthenticationNeeded without a fresh proof.
    """

    unit_of_work: UnitOfWork

    def approve(self, *, actor: Actor, request_id: int, note: str = "") -> None:
        """Approve a request and carry it out, or do neither.

        Raises:
            NotFound: no such request.
            AlreadyDecided: it was decided before.
            RequesterIsApprover: the actor asked for it.
            OverLimit: with what the actor approved for the house today, the amount is above the
                limit of their role.
            BillNotOpen, BillHasPayment, BillInPayment, MoreThanOpen, BalanceTooLow: things changed
                since it was asked for.

        Source: domain.md D3, D13; reliability.md A5.
        """
        actor.must(Permission.APPROVE_MONEY_OUT)
        actor.must_be_fresh()

        def work(tx: Transaction) -> None:
            request = _lock(tx, actor, request_id)
            if request.kind not in WITHOUT_LIMIT:
                _check_limit(tx, actor, request)
            carry_out(tx, actor, request)
            _decide(tx, actor, request, ApprovalState.APPROVED, note)

        self.unit_of_work.run(work)

    def reject(self, *, actor: Actor, request_id: int, note: str) -> None:
        """Reject a request; nothing else happens.

        Raises:
            NotFound, AlreadyDecided, RequesterIsApprover: as in `approve`.
            InvalidInput: no reason given.
        """
        actor.must(Permission.APPROVE_MONEY_OUT)
        actor.must_be_fresh()
        if not note.strip():
            raise InvalidInput(fields={"note": ["请填写驳回原因"]})

        def work(tx: Transaction) -> None:
            request = _lock(tx, actor, request_id)
            _decide(tx, actor, request, ApprovalState.REJECTED, note)

        self.unit_of_work.run(work)

    def list_requests(
        self, *, actor: Actor, community_id: int, state: ApprovalState | None = None
    ) -> Sequence[RequestView]:
        """List the requests of a community, newest first."""
        actor.must(Permission.VIEW_HOUSE_MONEY)
        actor.must_cover(community_id)
        asker, decider = aliased(Staff), aliased(Staff)
        query = (
            select(
                ApprovalRequest,
                Building.name,
                House.unit_no,
                House.room_no,
                Bill.bill_no,
                Receipt.receipt_no,
                asker.name,
                decider.name,
            )
            .outerjoin(House, House.id == ApprovalRequest.house_id)
            .outerjoin(Building, Building.id == House.building_id)
            .join(asker, asker.id == ApprovalRequest.requested_by_staff_id)
            .outerjoin(decider, decider.id == ApprovalRequest.decided_by_staff_id)
            .outerjoin(Bill, Bill.id == ApprovalRequest.bill_id)
            .outerjoin(
                Receipt,
                Receipt.payment_id == cast(ApprovalRequest.facts["payment_id"].astext, BigInteger),
            )
            .where(ApprovalRequest.community_id == community_id)
            .order_by(ApprovalRequest.id.desc())
        )
        if state is not None:
            query = query.where(ApprovalRequest.state == state)
        with self.unit_of_work.reading() as session:
            rows = session.execute(query).all()
        return [
            RequestView(
                id=row.id,
                kind=ApprovalKind(row.kind),
                house=house_label(building, unit_no, room_no) if building else "",
                bill_no=bill_no,
                receipt_no=receipt_no,
                amount_fen=row.amount_fen,
                reason=row.reason,
                state=ApprovalState(row.state),
                requested_by=requested_by,
                requested_at=row.requested_at,
                decided_by=decided_by,
                decided_at=row.decided_at,
                decision_note=row.decision_note,
            )
            for (
                row,
                building,
                unit_no,
                room_no,
                bill_no,
                receipt_no,
                requested_by,
                decided_by,
            ) in rows
        ]


def _lock(tx: Transaction, actor: Actor, request_id: int) -> ApprovalRequest:
    """Lock a request that is to be decided by the actor.

    Bills are locked before requests by nobody, so the order does not matter here.
    """
    request = tx.session.execute(
        select(ApprovalRequest).where(ApprovalRequest.id == request_id).with_for_update()
    ).scalar_one_or_none()
    if request is None or not actor.scope.covers(request.community_id):
        raise NotFound
    if request.state != ApprovalState.REQUESTED:
        raise AlreadyDecided
    if request.requested_by_staff_id == staff_id_of(actor):
        raise RequesterIsApprover
    return request


def _check_limit(tx: Transaction, actor: Actor, request: ApprovalRequest) -> None:
    """Refuse what exceeds the limit of a role, alone or with what the actor approved today.

    One person decides one after the other, or two decisions at once would not see each other.

    Raises:
        OverLimit: it does.
    """
    limit_fen = APPROVAL_LIMIT_FEN.get(actor.role, 0) if actor.role else 0
    if request.amount_fen > limit_fen:
        raise OverLimit(f"金额超过你的审批限额 {show_yuan(limit_fen)}")
    staff_id = staff_id_of(actor)
    tx.session.execute(select(Staff.id).where(Staff.id == staff_id).with_for_update(key_share=True))
    approved = tx.session.execute(
        select(func.coalesce(func.sum(ApprovalRequest.amount_fen), 0)).where(
            ApprovalRequest.community_id.is_not_distinct_from(request.community_id),
            ApprovalRequest.state == ApprovalState.APPROVED,
            ApprovalRequest.house_id.is_not_distinct_from(request.house_id),
            ApprovalRequest.kind.not_in(WITHOUT_LIMIT),
            ApprovalRequest.decided_by_staff_id == staff_id,
            ApprovalRequest.decided_at >= start_of_local_day(local_date(tx.now)),
        )
    ).scalar_one()
    if int(approved) + request.amount_fen > limit_fen:
        raise OverLimit(
            f"你今天为这户已审批 {show_yuan(int(approved))}，"
            f"加上这笔超过你的审批限额 {show_yuan(limit_fen)}"
        )


def _decide(
    tx: Transaction, actor: Actor, request: ApprovalRequest, state: ApprovalState, note: str
) -> None:
    request.state = state
    request.decided_by_staff_id = staff_id_of(actor)
    request.decided_at = tx.now
    request.decision_note = note.strip()[:200]
    record(
        tx,
        actor,
        f"approval_{state}",
        subject_type="approval_request",
        subject_id=request.id,
        community_id=request.community_id,
        facts={
            "kind": request.kind,
            "amount_fen": request.amount_fen,
            "note": request.decision_note,
        },
    )
