"""The platform request being served, and what the platform thinks of it."""

import json
from dataclasses import dataclass
from typing import Any

from flask import g


@dataclass
class Call:
    """One platform request on its way through."""

    host: str
    path: str
    body: bytes
    action: dict[str, Any]
    verdict: str = "ok"
    cut: str = ""  # "soft" drops the line, "hard" resets it
    merchant_id: str = ""
    is_signed: bool = True  # WeChat Pay signs all its answers but a bill's file

    def json(self) -> dict[str, Any] | None:
        """Return the body as a JSON object; None if it is not one."""
        try:
            data = json.loads(self.body)
        except ValueError:
            return None
        return data if isinstance(data, dict) else None


def current_call() -> Call | None:
    """Return the platform request being served; None for the control interface and the page."""
    found = g.get("call")
    return found if isinstance(found, Call) else None


def this_call() -> Call:
    """Return the platform request being served, where there must be one."""
    call = current_call()
    if call is None:
        raise RuntimeError("not inside a platform request")
    return call


def judge(verdict: str) -> None:
    """Note for the journal what was wrong with the request."""
    call = current_call()
    if call is not None:
        call.verdict = verdict
