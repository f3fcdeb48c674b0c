"""Passwords as all doors use them: checked, hashed outside of transactions, handed out."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from domain.passwords import LENGTH_CAP, check_password, new_one_time_password
from services.ports import PasswordHasher

ONE_TIME_LIFE = timedelta(days=7)
"""Source: OWASP ASVS 5.0, 6.4.1: passwords that are handed out lapse after a short time."""


@dataclass(frozen=True, slots=True)
class HashedPassword:
    """A password that was made for somebody; ``password`` is told this once."""

    password: str = field(repr=False)
    password_hash: str = field(repr=False)


@dataclass(frozen=True)
class Passwords:
    """The slow part of passwords: nothing here may be called inside a transaction."""

    hasher: PasswordHasher
    common: Container[str]

    def make_one_time(self) -> HashedPassword:
        """Make a password to hand out; its owner must change it."""
        password = new_one_time_password()
        return HashedPassword(password, self.hasher.hash(password))

    def hash_chosen(
        self, password: str, *, has_second_factor: bool, own_words: Iterable[str]
    ) -> str:
        """Hash a password that somebody chose.

        Raises:
            WeakPassword: it can be guessed.
        """
        check_password(
            password,
            has_second_factor=has_second_factor,
            own_words=own_words,
            common=self.common,
        )
        return self.hasher.hash(password)

    def is_right(self, password_hash: str, password: str) -> bool:
        """Tell whether it is the password; without a hash it takes as long and never is."""
        is_right = self.hasher.verify(password_hash, password[: LENGTH_CAP + 1])
        return is_right and len(password) <= LENGTH_CAP

    def renewed(self, password_hash: str, password: str) -> str:
        """Give the hash to keep: another one if its parameters are not those of today."""
        if self.hasher.needs_rehash(password_hash):
            return self.hasher.hash(password)
        return password_hash
