"""Every action that any use-case records has a sentence in domain/acts.py."""

import ast
import re
from pathlib import Path

import pytest

from domain.acts import ACT_SHOWN
from domain.approvals import ApprovalState
from domain.bill_states import BatchState
from domain.maintenance_states import TASK_MOVES, Doer
from domain.reconciliation_states import CaseState
from domain.refund_states import RefundState

ROOT = Path(__file__).parents[2]
ACTION = re.compile(r"\A[a-z]+(_[a-z]+)*\Z")
OF_A_STATE = {
    "approval_": {ApprovalState.APPROVED, ApprovalState.REJECTED},
    "batch_": {BatchState.REJECTED, BatchState.CANCELLED},
    "consent_": {"given", "withdrawn"},
    "maintenance_": {act for (_, act), (_, doer) in TASK_MOVES.items() if doer is not Doer.PLAN},
    "reconciliation_": {CaseState.HANDLED, CaseState.ESCALATED},
    "refund_": {RefundState.SUCCEEDED, RefundState.FAILED},
}
"""Actions whose name ends with the state that was reached, and which states these are."""


class Source:
    """One module: which names its functions record, and what it passes to those of others."""

    def __init__(self, path):
        self.path = path.relative_to(ROOT)
        self.tree = ast.parse(path.read_text("utf-8"))

    def functions(self):
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)]


def calls(tree, name):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            said = called.id if isinstance(called, ast.Name) else getattr(called, "attr", None)
            if said == name:
                yield node


def parameters(function):
    return [one.arg for one in (*function.args.args, *function.args.kwonlyargs)]


def passed(call, function):
    """The expression that a call passes as ``action``."""
    for keyword in call.keywords:
        if keyword.arg == "action":
            return keyword.value
    at = parameters(function).index("action")
    if isinstance(call.func, ast.Attribute):
        at -= parameters(function)[:1] == ["self"]
    return call.args[at]


def actions(expression, function):
    """What words an expression may be, or the expression itself where that cannot be told."""
    if isinstance(expression, ast.Constant):
        yield expression.value
    elif isinstance(expression, ast.IfExp):
        yield from actions(expression.body, function)
        yield from actions(expression.orelse, function)
    elif isinstance(expression, ast.JoinedStr):
        head = expression.values[0].value
        for state in OF_A_STATE.get(head, [expression]):
            yield f"{head}{state}"
    elif isinstance(expression, ast.Name):
        assigned = [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == expression.id
        ]
        for value in assigned:
            yield from actions(value, function)
        if not assigned:
            yield expression
    else:
        yield expression


def said_to(recorder, home):
    """Every action that is passed to a recorder, with the file and function that passes it."""
    for source in SOURCES:
        if recorder is not None and recorder.name.startswith("_") and source.path != home:
            continue
        for function in source.functions():
            for call in calls(function, recorder.name if recorder else "record"):
                expression = passed(call, recorder) if recorder else call.args[2]
                for action in actions(expression, function):
                    yield source.path, function, action


def recorded():
    """Every action that the source records, with the file."""
    found, waiting, known = set(), [(None, None)], set()
    while waiting:
        for path, function, action in said_to(*waiting.pop()):
            if not isinstance(action, ast.AST):
                found.add((str(path), action))
            elif not isinstance(action, ast.Name) or action.id != "action":
                found.add((str(path), ast.unparse(action)))
            elif (path, function.name) not in known:
                # It passes its own parameter on, and so is a recorder, too.
                known.add((path, function.name))
                waiting.append((function, path))
    return found


SOURCES = [Source(path) for path in sorted((ROOT / "services").rglob("*.py"))]
RECORDED = recorded()


def test_the_walk_finds_what_is_recorded():
    assert len(RECORDED) > 100
    words = {action for _, action in RECORDED}
    assert {"house_changed", "owner_phone_revealed", "pay_code_revoked", "batch_rejected"} <= words
    assert {"owner_changed", "staff_role_granted", "refund_failed", "import_undone"} <= words


@pytest.mark.parametrize(("path", "action"), sorted(RECORDED))
def test_every_recorded_action_has_a_sentence(path, action):
    assert ACTION.match(action), f"{path} records what this test cannot read: {action}"
    assert action in ACT_SHOWN, f"{path} records {action}: add its line to domain/acts.py"
