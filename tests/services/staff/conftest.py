"""Members of staff who sign in with real passwords, and what one asks of them."""

from dataclasses import dataclass, replace
from typing import Any

import pyotp
import pytest

from domain.actors import visitor
from gateways.passwords import Argon2Hasher
from models import Staff
from services.sign_in_attempts import Visit
from tests import factories

PASSWORD = "three green ladders"
HOME = Visit("203.0.113.5", "device-of-wang-0001", "Firefox")
_HASHED = Argon2Hasher().hash(PASSWORD)


@dataclass(frozen=True)
class Member:
    """A member of staff at the doors."""

    services: Any
    id: int
    login_name: str

    def sign_in(self, password=PASSWORD, *, visit=HOME, **more):
        return self.services.staff_sessions.sign_in(
            actor=visitor(),
            login_name=self.login_name,
            password=password,
            visit=visit,
            **more,
        )

    def signed_in(self, password=PASSWORD, **more):
        token = self.sign_in(password, **more).token
        return self.services.staff_sessions.authenticate(token=token)


@pytest.fixture
def member(services, database):
    def member(role="manager", **changes):
        with database.session() as session:
            values = {"password_hash": _HASHED} | changes
            row = factories.make_staff(session, role=role, **values)
            return Member(services, row.id, row.login_name)

    return member


@pytest.fixture
def wang(member):
    return member("finance", login_name="wang", name="王芳", phone="19900000001", email="w@c.cn")


@pytest.fixture
def administrator(member):
    return member("administrator", login_name="admin")


@pytest.fixture
def stale(clock):
    """Make somebody whose password was given too long ago."""
    return lambda actor: replace(actor, is_fresh=False)


@pytest.fixture
def with_totp(services, clock, database):
    """Switch the second factor of a member on; gives a maker of codes and the recovery codes."""

    def with_totp(member):
        actor = member.signed_in()
        offer = services.staff_totp.offer(actor=actor)
        totp = pyotp.TOTP(offer.secret)
        recovery = services.staff_totp.confirm(actor=actor, code=totp.at(clock.now()))
        clock.advance(seconds=60)
        return (lambda: totp.at(clock.now())), recovery

    return with_totp


@pytest.fixture
def row(database):
    def row(member):
        with database.session() as session:
            return session.get_one(Staff, member.id)

    return row
