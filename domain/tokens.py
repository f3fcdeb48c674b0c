"""Tokens that open something: drawn at random, kept only as a hash."""

from __future__ import annotations

import hashlib
import secrets

_BYTES = 32


def new_token() -> str:
    """Draw 256 bits, as 43 characters that fit into an address."""
    return secrets.token_urlsafe(_BYTES)


def hash_of_token(token: str) -> str:
    """Hash a token for the table; it has enough bits of its own to need no key or salt."""
    return hashlib.sha256(token.encode()).hexdigest()
