"""Fetching and unpacking what platforms hand out, never more of it than a limit."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import requests

from domain.errors import PlatformUnavailable
from services.pay_ports import StatementBroken

_log = logging.getLogger(__name__)

_GZIP_WINDOW = 31
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Download:
    """An answer of any status."""

    status: int
    body: bytes


def fetch(
    method: str,
    url: str,
    *,
    timeout_s: tuple[float, float],
    limit: int,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
) -> Download:
    """Send a request, follow no redirect, and read at most ``limit`` bytes.

    Raises:
        PlatformUnavailable: no whole answer, or it is longer.
    """
    try:
        with requests.request(
            method,
            url,
            headers=dict(headers or {}),
            data=None if form is None else dict(form),
            timeout=timeout_s,
            allow_redirects=False,
            stream=True,
        ) as response:
            body = bytearray()
            for chunk in response.iter_content(_CHUNK):
                body += chunk
                if len(body) > limit:
                    _log.warning("an answer is longer than %s bytes", limit)
                    raise PlatformUnavailable
            return Download(response.status_code, bytes(body))
    except requests.RequestException as error:
        _log.warning("no usable answer (%s)", type(error).__name__)
        raise PlatformUnavailable from None


def gunzip(packed: bytes, *, limit: int) -> bytes:
    """Unpack one whole gzip member.

    Raises:
        StatementBroken: ``gzip`` or ``too_large``.
    """
    unpacker = zlib.decompressobj(wbits=_GZIP_WINDOW)
    try:
        raw = unpacker.decompress(packed, limit + 1)
    except zlib.error:
        raise StatementBroken("gzip") from None
    if len(raw) > limit:
        raise StatementBroken("too_large")
    if not unpacker.eof or unpacker.unused_data:
        raise StatementBroken("gzip")
    return raw
