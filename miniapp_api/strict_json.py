"""Reading JSON from strangers: what is ambiguous or hostile is refused, never repaired."""

from __future__ import annotations

import json
from typing import Any

from flask import Request
from webargs import missing
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

_DEPTH = 20


class StrictParser(FlaskParser):
    """A webargs parser whose JSON knows no NaN, no key twice, no lone surrogate and no depth."""

    def _raw_load_json(self, req: Request) -> Any:
        if not req.is_json:
            if req.get_data(cache=True):
                raise UnsupportedMediaType
            return missing
        raw = req.get_data(cache=True)
        if req.content_length is None and len(raw) == req.max_content_length:
            # A chunked body is cut at the limit in silence.
            raise RequestEntityTooLarge
        return parse_strictly(raw)


def parse_strictly(raw: bytes) -> Any:
    """Parse JSON.

    Raises:
        BadRequest: not UTF-8, not JSON, NaN or Infinity, a key twice, deeper than 20 levels, or
            text that cannot be stored.

    Source: reliability.md, bad-input matrix.
    """
    try:
        parsed = json.loads(
            raw.decode("utf-8"), parse_constant=_refuse, object_pairs_hook=_unique_keys
        )
    except (ValueError, RecursionError) as error:
        raise BadRequest from error
    _check(parsed, _DEPTH)
    return parsed


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _check(value: Any, depth: int) -> None:
    if depth == 0:
        raise BadRequest
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise BadRequest
    elif isinstance(value, dict):
        for key, item in value.items():
            _check(key, depth)
            _check(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth - 1)
