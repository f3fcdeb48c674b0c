"""What may become of a repair, who may do it, and how the parts of its life are called.

Source: domain.md D8. Returned and transferred are acts that lead back to an earlier state, so that
a repair is never in a state in which nobody has to do anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.errors import Conflict


class RepairState(StrEnum):
    """The states of a repair."""

    SUBMITTED = "submitted"
    PENDING_DISPATCH = "pending_dispatch"
    GRABBABLE = "grabbable"
    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    SUSPENDED = "suspended"
    AWAITING_QUOTE_APPROVAL = "awaiting_quote_approval"
    FINISHED = "finished"
    """Never rests here: the work leads on to the bill or to the owner at once."""
    AWAITING_PAYMENT = "awaiting_payment"
    AWAITING_CONFIRMATION = "awaiting_confirmation"
    REOPENED = "reopened"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    FORCE_CLOSED = "force_closed"


class RepairAct(StrEnum):
    """What people and our own machinery do with a repair."""

    OPEN = "open"
    QUEUE = "queue"
    OFFER = "offer"
    ASSIGN = "assign"
    GRAB = "grab"
    ACCEPT = "accept"
    RETURN = "return"
    TRANSFER = "transfer"
    ARRIVE = "arrive"
    SUSPEND = "suspend"
    RESUME = "resume"
    QUOTE = "quote"
    APPROVE_QUOTE = "approve_quote"
    REFUSE_QUOTE = "refuse_quote"
    FINISH = "finish"
    BILL = "bill"
    HAND_OVER = "hand_over"
    SETTLE = "settle"
    CONFIRM = "confirm"
    AUTO_CLOSE = "auto_close"
    REOPEN = "reopen"
    CANCEL = "cancel"
    FORCE_CLOSE = "force_close"
    NOTE = "note"
    """Tells something, and changes no state."""


class RepairSide(StrEnum):
    """As what somebody acts on a repair."""

    OWNER = "owner"
    WORKER = "worker"
    """The engineer to whom it is assigned; of what may be grabbed, any engineer in scope."""
    DISPATCHER = "dispatcher"
    MANAGER = "manager"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Move:
    """One line of the table."""

    from_state: RepairState
    act: RepairAct
    to_state: RepairState
    sides: frozenset[RepairSide]


_S = RepairState
_A = RepairAct
_OWNER = frozenset({RepairSide.OWNER})
_WORKER = frozenset({RepairSide.WORKER})
_DISPATCHER = frozenset({RepairSide.DISPATCHER})
_DISPATCH = frozenset({RepairSide.DISPATCHER, RepairSide.SYSTEM})
_MANAGER = frozenset({RepairSide.MANAGER})
_SYSTEM = frozenset({RepairSide.SYSTEM})

ENDED = frozenset({_S.CLOSED, _S.CANCELLED, _S.FORCE_CLOSED})
OPEN = frozenset(RepairState) - ENDED
BEFORE_ACCEPT = frozenset({_S.SUBMITTED, _S.PENDING_DISPATCH, _S.GRABBABLE, _S.ASSIGNED})
UNASSIGNED = frozenset({_S.SUBMITTED, _S.PENDING_DISPATCH, _S.GRABBABLE})
CLOCK_STOPS = frozenset({_S.SUSPENDED, _S.AWAITING_QUOTE_APPROVAL})
WORKED_ON = frozenset(
    {_S.ASSIGNED, _S.ACCEPTED, _S.IN_PROGRESS, _S.SUSPENDED, _S.AWAITING_QUOTE_APPROVAL}
) | {_S.REOPENED}
"""What makes the load of an engineer."""

MOVES: tuple[Move, ...] = (
    Move(_S.SUBMITTED, _A.QUEUE, _S.PENDING_DISPATCH, _SYSTEM),
    Move(_S.SUBMITTED, _A.OFFER, _S.GRABBABLE, _SYSTEM),
    Move(_S.PENDING_DISPATCH, _A.OFFER, _S.GRABBABLE, _DISPATCHER),
    Move(_S.PENDING_DISPATCH, _A.ASSIGN, _S.ASSIGNED, _DISPATCH),
    Move(_S.GRABBABLE, _A.ASSIGN, _S.ASSIGNED, _DISPATCHER),
    Move(_S.ASSIGNED, _A.ASSIGN, _S.ASSIGNED, _DISPATCHER),
    Move(_S.GRABBABLE, _A.GRAB, _S.ASSIGNED, _WORKER),
    Move(_S.ASSIGNED, _A.ACCEPT, _S.ACCEPTED, _WORKER),
    Move(_S.ASSIGNED, _A.RETURN, _S.PENDING_DISPATCH, _WORKER),
    Move(_S.ACCEPTED, _A.RETURN, _S.PENDING_DISPATCH, _WORKER),
    Move(_S.ASSIGNED, _A.TRANSFER, _S.ASSIGNED, _WORKER),
    Move(_S.ACCEPTED, _A.TRANSFER, _S.ASSIGNED, _WORKER),
    Move(_S.REOPENED, _A.TRANSFER, _S.ASSIGNED, _WORKER),
    Move(_S.REOPENED, _A.ASSIGN, _S.ASSIGNED, _DISPATCHER),
    Move(_S.ACCEPTED, _A.ARRIVE, _S.IN_PROGRESS, _WORKER),
    Move(_S.REOPENED, _A.ARRIVE, _S.IN_PROGRESS, _WORKER),
    Move(_S.IN_PROGRESS, _A.SUSPEND, _S.SUSPENDED, _WORKER),
    Move(_S.SUSPENDED, _A.RESUME, _S.IN_PROGRESS, _WORKER),
    Move(_S.IN_PROGRESS, _A.QUOTE, _S.AWAITING_QUOTE_APPROVAL, _WORKER),
    Move(_S.AWAITING_QUOTE_APPROVAL, _A.APPROVE_QUOTE, _S.IN_PROGRESS, _OWNER),
    Move(_S.AWAITING_QUOTE_APPROVAL, _A.REFUSE_QUOTE, _S.IN_PROGRESS, _OWNER),
    Move(_S.IN_PROGRESS, _A.FINISH, _S.FINISHED, _WORKER),
    Move(_S.FINISHED, _A.BILL, _S.AWAITING_PAYMENT, _SYSTEM),
    Move(_S.FINISHED, _A.HAND_OVER, _S.AWAITING_CONFIRMATION, _SYSTEM),
    Move(_S.AWAITING_PAYMENT, _A.SETTLE, _S.AWAITING_CONFIRMATION, _SYSTEM),
    Move(_S.AWAITING_CONFIRMATION, _A.CONFIRM, _S.CLOSED, _OWNER),
    Move(_S.AWAITING_CONFIRMATION, _A.AUTO_CLOSE, _S.CLOSED, _SYSTEM),
    Move(_S.AWAITING_CONFIRMATION, _A.REOPEN, _S.REOPENED, _OWNER),
    *(Move(state, _A.CANCEL, _S.CANCELLED, _OWNER) for state in sorted(BEFORE_ACCEPT)),
    *(Move(state, _A.FORCE_CLOSE, _S.FORCE_CLOSED, _MANAGER) for state in sorted(OPEN)),
)
_TABLE = {(move.from_state, move.act): move for move in MOVES}

STATE_SHOWN = {
    _S.SUBMITTED: "已提交",
    _S.PENDING_DISPATCH: "待派单",
    _S.GRABBABLE: "待抢单",
    _S.ASSIGNED: "已派单",
    _S.ACCEPTED: "已接单",
    _S.IN_PROGRESS: "处理中",
    _S.SUSPENDED: "已暂停",
    _S.AWAITING_QUOTE_APPROVAL: "待确认报价",
    _S.FINISHED: "已完工",
    _S.AWAITING_PAYMENT: "待缴费",
    _S.AWAITING_CONFIRMATION: "待业主确认",
    _S.REOPENED: "返工",
    _S.CLOSED: "已完成",
    _S.CANCELLED: "已取消",
    _S.FORCE_CLOSED: "已强制关闭",
}
ACT_SHOWN = {
    _A.OPEN: "提交报修",
    _A.QUEUE: "进入派单",
    _A.OFFER: "开放抢单",
    _A.ASSIGN: "派单",
    _A.GRAB: "抢单",
    _A.ACCEPT: "接单",
    _A.RETURN: "退回",
    _A.TRANSFER: "转派",
    _A.ARRIVE: "到达现场",
    _A.SUSPEND: "暂停处理",
    _A.RESUME: "继续处理",
    _A.QUOTE: "提交报价",
    _A.APPROVE_QUOTE: "同意报价",
    _A.REFUSE_QUOTE: "不同意报价",
    _A.FINISH: "完工",
    _A.BILL: "登记收费",
    _A.HAND_OVER: "等待确认",
    _A.SETTLE: "费用已缴清",
    _A.CONFIRM: "确认完成",
    _A.AUTO_CLOSE: "到期自动完成",
    _A.REOPEN: "要求返工",
    _A.CANCEL: "取消报修",
    _A.FORCE_CLOSE: "强制关闭",
    _A.NOTE: "进展说明",
}


class RepairCannotMove(Conflict):
    """The repair is not in a state that allows this act."""

    code = "repair_cannot_move"
    message = "工单当前状态不能进行此操作"


def check_move(state: RepairState, act: RepairAct, side: RepairSide) -> RepairState:
    """Tell to which state an act leads.

    Raises:
        RepairCannotMove: the table has no such move, or it is not this side's.
    """
    move = _TABLE.get((state, act))
    if move is None or side not in move.sides:
        raise RepairCannotMove(f"工单当前为“{STATE_SHOWN[state]}”，不能{ACT_SHOWN[act]}")
    return move.to_state
