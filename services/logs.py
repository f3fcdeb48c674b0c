"""Structured logs: one JSON object a line, with the request id and without secrets or phones."""

from __future__ import annotations

import logging
import re
import sys
from contextvars import ContextVar

from pythonjsonlogger.json import JsonFormatter

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request or job that is being served; it goes into every log line and error."""

_PHONE = re.compile(r"(?<!\d)((?:86)?1[3-9]\d)\d{4}(\d{4})(?!\d)")
_SECRET = re.compile(
    r"(?i)((?:access_token|secret|session_key|js_code|token|authorization|password|aes_key"
    r"|apiv3_key|secret_key|secret_id|(?<![a-z_])code)"
    r"[\\\"']*\s*[=:]\s*[\\\"']*)(?:bearer\s+)?[^\s&\"',}\\]+"
)
_BARE_JSON_KEY = re.compile(r'(?<!\\)"\s*:\s*\Z')
_URL_PASSWORD = re.compile(r"(://[^:/@\s\"\\]*:)[^@/\s\"\\]+@")


def mask(text: str) -> str:
    """Hide phone numbers, passwords in addresses and the values of secret-looking keys.

    Text inside a JSON string, where quotes carry a backslash, is covered too; a JSON line stays
    one.
    """
    text = _URL_PASSWORD.sub(r"\1***@", _PHONE.sub(r"\1****\2", text))
    return _SECRET.sub(_hide, text)


def _hide(match: re.Match[str]) -> str:
    key = match[1]
    return key + ('"***"' if _BARE_JSON_KEY.search(key) else "***")


class MaskingFormatter(JsonFormatter):
    """The formatter of every handler of ours."""

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "at", "levelname": "level", "name": "logger"},
            json_ensure_ascii=False,
        )

    def format(self, record: logging.LogRecord) -> str:
        """Write the record as JSON; masking covers messages, extras and tracebacks alike."""
        if found := request_id.get():
            record.request_id = found
        return mask(super().format(record))


def configure(level: str) -> None:
    """Send all logs of this process to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(MaskingFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("urllib3", "werkzeug", "rq.worker", "alembic.runtime.migration"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))
