"""The life of a maintenance task, of a plan, and who may move them.

Source: domain.md D10. That a task is overdue is derived from its day, not a state.
"""

from __future__ import annotations

from enum import StrEnum


class TaskState(StrEnum):
    """The states of a maintenance task."""

    SCHEDULED = "scheduled"
    REMINDED = "reminded"
    IN_PROGRESS = "in_progress"
    SUBMITTED = "submitted"
    VERIFIED = "verified"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class TaskAct(StrEnum):
    """What moves a task."""

    REMIND = "remind"
    START = "start"
    SUBMIT = "submit"
    VERIFY = "verify"
    RETURN = "return"
    SKIP = "skip"
    CANCEL = "cancel"
    WITHDRAW = "withdraw"
    """The plan was paused, ended or changed, or the equipment was taken out of use."""
    REVIVE = "revive"
    """The plan asks again for a day that it had withdrawn."""


class Doer(StrEnum):
    """Who does an act: those it is assigned to, those who approve, or a plan by itself."""

    ENGINEER = "engineer"
    APPROVER = "approver"
    PLAN = "plan"


_S, _A = TaskState, TaskAct
TASK_MOVES: dict[tuple[TaskState, TaskAct], tuple[TaskState, Doer]] = {
    (_S.SCHEDULED, _A.REMIND): (_S.REMINDED, Doer.PLAN),
    (_S.SCHEDULED, _A.START): (_S.IN_PROGRESS, Doer.ENGINEER),
    (_S.REMINDED, _A.START): (_S.IN_PROGRESS, Doer.ENGINEER),
    (_S.IN_PROGRESS, _A.SUBMIT): (_S.SUBMITTED, Doer.ENGINEER),
    (_S.SUBMITTED, _A.VERIFY): (_S.VERIFIED, Doer.APPROVER),
    (_S.SUBMITTED, _A.RETURN): (_S.IN_PROGRESS, Doer.APPROVER),
    (_S.SCHEDULED, _A.SKIP): (_S.SKIPPED, Doer.APPROVER),
    (_S.REMINDED, _A.SKIP): (_S.SKIPPED, Doer.APPROVER),
    (_S.SCHEDULED, _A.CANCEL): (_S.CANCELLED, Doer.APPROVER),
    (_S.REMINDED, _A.CANCEL): (_S.CANCELLED, Doer.APPROVER),
    (_S.IN_PROGRESS, _A.CANCEL): (_S.CANCELLED, Doer.APPROVER),
    (_S.SCHEDULED, _A.WITHDRAW): (_S.CANCELLED, Doer.PLAN),
    (_S.REMINDED, _A.WITHDRAW): (_S.CANCELLED, Doer.PLAN),
    (_S.CANCELLED, _A.REVIVE): (_S.SCHEDULED, Doer.PLAN),
}
"""From a state by an act to a state, and who does it."""
OPEN = frozenset({_S.SCHEDULED, _S.REMINDED, _S.IN_PROGRESS, _S.SUBMITTED})
UNSTARTED = frozenset({_S.SCHEDULED, _S.REMINDED})
UNDONE = UNSTARTED | {_S.IN_PROGRESS}
"""States in which a task can be overdue: somebody still has to do it."""
TASK_SHOWN = {
    _S.SCHEDULED: "待执行",
    _S.REMINDED: "已提醒",
    _S.IN_PROGRESS: "执行中",
    _S.SUBMITTED: "待验收",
    _S.VERIFIED: "已完成",
    _S.SKIPPED: "已跳过",
    _S.CANCELLED: "已取消",
}


class PlanState(StrEnum):
    """Whether a plan makes tasks."""

    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


PLAN_SHOWN = {
    PlanState.ACTIVE: "执行中",
    PlanState.PAUSED: "已暂停",
    PlanState.ENDED: "已结束",
}
PLAN_MOVES: dict[PlanState, frozenset[PlanState]] = {
    PlanState.ACTIVE: frozenset({PlanState.PAUSED, PlanState.ENDED}),
    PlanState.PAUSED: frozenset({PlanState.ACTIVE, PlanState.ENDED}),
    PlanState.ENDED: frozenset(),
}


class Verdict(StrEnum):
    """What was found of an item."""

    NORMAL = "normal"
    ABNORMAL = "abnormal"
    NOT_APPLICABLE = "na"


VERDICT_SHOWN = {
    Verdict.NORMAL: "正常",
    Verdict.ABNORMAL: "异常",
    Verdict.NOT_APPLICABLE: "不适用",
}


class MaintenanceKind(StrEnum):
    """The kinds of features.md R4.2: 日常保养, 小修, 大修, 法定检验."""

    ROUTINE = "routine"
    MINOR = "minor"
    MAJOR = "major"
    STATUTORY = "statutory"


KIND_SHOWN = {
    MaintenanceKind.ROUTINE: "日常保养",
    MaintenanceKind.MINOR: "小修",
    MaintenanceKind.MAJOR: "大修",
    MaintenanceKind.STATUTORY: "法定检验",
}
