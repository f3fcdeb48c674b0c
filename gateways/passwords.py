"""Passwords as argon2id hashes, sealed secrets, codes of authenticator apps, common passwords."""

from __future__ import annotations

import base64
import secrets
import threading
from datetime import datetime
from functools import cache
from pathlib import Path

import pyotp
from argon2 import PasswordHasher as Argon2
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_AT_ONCE = 4
"""Each hash takes 64 MiB: guesses that come together wait for each other, not for memory."""
_ISSUER = "安居"
_COMMON = Path(__file__).with_name("common_passwords.txt")


class Argon2Hasher:
    """argon2id with the parameters of RFC 9106, 4, second choice: 64 MiB, 3 passes, 4 lanes."""

    def __init__(self) -> None:
        self._argon2 = Argon2()
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def hash(self, password: str) -> str:
        """Hash with a salt of its own."""
        with self._turns:
            return self._argon2.hash(password)

    def verify(self, password_hash: str, password: str) -> bool:
        """Tell whether it is the password; an empty hash takes as long and is never right."""
        with self._turns:
            try:
                return self._argon2.verify(password_hash or self._nobodys(), password) and bool(
                    password_hash
                )
            except (VerificationError, InvalidHashError):
                return False

    def needs_rehash(self, password_hash: str) -> bool:
        """Tell whether the hash was made with other parameters than those of today."""
        return self._argon2.check_needs_rehash(password_hash)

    @cache  # noqa: B019 - one hasher lives as long as the process
    def _nobodys(self) -> str:
        return self._argon2.hash(secrets.token_hex(32))


class FernetBox:
    """Seals with a key of its own, derived from the program's secret."""

    def __init__(self, secret_key: bytes) -> None:
        key = HKDF(SHA256(), 32, salt=None, info=b"anju: sealed secrets").derive(secret_key)
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def seal(self, words: str) -> str:
        """Seal; the same words never look the same twice."""
        return self._fernet.encrypt(words.encode()).decode()

    def open(self, sealed: str) -> str:
        """Open what was sealed.

        Raises:
            ValueError: it was changed, or sealed under another key.
        """
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as error:
            raise ValueError("sealed under another key, or changed") from error


class AuthenticatorCodes:
    """Six digits that change every 30 seconds.

    Source: RFC 6238; 5.2 there: one step before and after, for clocks and slow fingers.
    """

    def new_secret(self) -> str:
        """Make a secret of 160 bits, in base 32."""
        return pyotp.random_base32()

    def uri(self, *, secret: str, login_name: str) -> str:
        """Tell the ``otpauth:`` address that an app reads from a QR code."""
        return pyotp.TOTP(secret).provisioning_uri(name=login_name, issuer_name=_ISSUER)

    def step_of(self, *, secret: str, code: str, at: datetime) -> int | None:
        """Tell which step a code is of; None for a wrong one."""
        totp = pyotp.TOTP(secret)
        now = int(at.timestamp()) // totp.interval
        for step in (now, now - 1, now + 1):
            if secrets.compare_digest(totp.generate_otp(step).encode(), code.encode()):
                return step
        return None


@cache
def common_passwords() -> frozenset[str]:
    """Read the list of common passwords, in lower case, some 7,000."""
    return frozenset(_COMMON.read_text("utf-8").split())
