"""Rules that make the platforms misbehave: which requests they hit, how often, and how."""

import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from simulator.chance import Chance

MATCH_KEYS = {
    "host",
    "path",
    "method",
    "appid",
    "openid",
    "phone",
    "out_trade_no",
    "out_refund_no",
    "nth",
    "probability",
}
ACTION_KEYS = {
    "latency_ms",
    "when",
    "errcode",
    "pay_error",
    "alipay_error",
    "alipay_bill",
    "sms_code",
    "status",
    "lost_answer",
    "reset",
    "html",
    "truncated_json",
    "wrong_content_type",
    "unsigned",
    "badly_signed",
}
BILL_FAULTS = ("missing_row", "extra_row", "amount_off", "duplicate_row", "creating")


class BadRule(ValueError):
    """A fault rule nobody could have meant; the text says why."""


@dataclass
class Rule:
    """One fault rule and what became of it."""

    id: int
    match: dict[str, Any]
    times: int | None
    action: dict[str, Any]
    seen: int = 0
    fired: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the rule as the control interface shows it."""
        return dict(vars(self))


@dataclass
class Facts:
    """What a rule may ask about a request."""

    host: str
    path: str
    full_path: str
    method: str
    values: dict[str, set[str]] = field(default_factory=dict)


class Faults:
    """The rules now in force."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._last_id = 0

    def add(self, raw: dict[str, Any]) -> Rule:
        """Put a rule in force, behind those already there.

        Raises:
            BadRule: it has a key no rule has, or no action.
        """
        match, action = raw.get("match") or {}, raw.get("action") or {}
        strange = (set(raw) - {"match", "times", "action"}) | (set(match) - MATCH_KEYS)
        strange |= set(action) - ACTION_KEYS
        if strange:
            raise BadRule(f"unknown keys: {', '.join(sorted(strange))}")
        if not set(action) - {"when"}:
            raise BadRule("a rule needs an action")
        if action.get("when", "before") not in ("before", "after"):
            raise BadRule("when is before or after")
        if "alipay_bill" in action and action["alipay_bill"] not in BILL_FAULTS:
            raise BadRule(f"alipay_bill is one of {', '.join(BILL_FAULTS)}")
        with self._lock:
            self._last_id += 1
            rule = Rule(self._last_id, match, raw.get("times"), action)
            self._rules.append(rule)
            return rule

    def listed(self) -> list[Rule]:
        """Return the rules in the order they are asked."""
        with self._lock:
            return list(self._rules)

    def remove(self, rule_id: int) -> bool:
        """Take one rule out of force; tell whether there was one."""
        with self._lock:
            before = len(self._rules)
            self._rules = [rule for rule in self._rules if rule.id != rule_id]
            return len(self._rules) < before

    def clear(self) -> None:
        """Take all rules out of force."""
        with self._lock:
            self._rules = []

    def pick(self, facts: Facts) -> dict[str, Any]:
        """Return the action of the first rule that fires for this request; empty if none does."""
        with self._lock:
            for rule in self._rules:
                if not _fits(rule.match, facts):
                    continue
                rule.seen += 1
                if self._fires(rule):
                    rule.fired += 1
                    return dict(rule.action)
        return {}

    def _fires(self, rule: Rule) -> bool:
        if rule.times is not None and rule.fired >= rule.times:
            return False
        if "nth" in rule.match and rule.seen != int(rule.match["nth"]):
            return False
        return self.chance.share() < float(rule.match.get("probability", 1.0))


def _fits(match: dict[str, Any], facts: Facts) -> bool:
    if match.get("host", facts.host) != facts.host:
        return False
    # On Alipay's gateway all paths are one: there `method` may name the interface instead.
    method = str(match.get("method", facts.method))
    if method.upper() != facts.method and method not in facts.values.get("method", set()):
        return False
    pattern = match.get("path", "")
    if not _path_fits(pattern, facts.path) and not _path_fits(pattern, facts.full_path):
        return False
    asked = set(match) & {"appid", "openid", "phone", "out_trade_no", "out_refund_no"}
    return all(str(match[key]) in facts.values.get(key, set()) for key in asked)


def _path_fits(pattern: str, path: str) -> bool:
    return fnmatchcase(path, pattern) if "*" in pattern else pattern in path
