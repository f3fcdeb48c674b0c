"""Guessing is slow, also many at once; and no stranger locks anybody out."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import text

from domain.actors import visitor
from gateways.passwords import Argon2Hasher
from services.password_doors import WrongCredentials
from services.passwords import Passwords
from services.sign_in_attempts import FREE_FAILURES, SignInTooSoon, Visit, open_attempt
from services.staff.proofs import StaffProofs
from services.staff.sessions import StaffSessions
from tests import factories

PASSWORD = "three green ladders"
HOME = Visit("203.0.113.5", "device-of-wang-0001")
ELSEWHERE = Visit("198.51.100.7")
_HASHED = Argon2Hasher().hash(PASSWORD)


class CountingHasher(Argon2Hasher):
    """The real one, which counts how many passwords were looked at."""

    def __init__(self):
        super().__init__()
        self.looks = 0

    def verify(self, password_hash, password):
        self.looks += 1
        return super().verify(password_hash, password)


@pytest.fixture
def hasher():
    return CountingHasher()


@pytest.fixture
def sessions(services, hasher):
    old = services.staff_sessions
    passwords = Passwords(hasher, old.passwords.common)
    proofs = replace(old.proofs, passwords=passwords)
    assert isinstance(proofs, StaffProofs)
    return StaffSessions(old.unit_of_work, proofs, passwords, False)


@pytest.fixture
def try_password(sessions, database):
    with database.session() as session:
        factories.make_staff(session, login_name="wang", password_hash=_HASHED)

    def try_password(password="wrong", visit=ELSEWHERE, login_name="wang"):
        return sessions.sign_in(
            actor=visitor(), login_name=login_name, password=password, visit=visit
        )

    return try_password


def fail(try_password, times, **more):
    for _ in range(times):
        with pytest.raises(WrongCredentials):
            try_password(**more)


class TestOnePlace:
    def test_five_wrong_ones_and_then_a_minute(self, try_password, clock, hasher):
        fail(try_password, FREE_FAILURES)

        with pytest.raises(SignInTooSoon) as refusal:
            try_password(PASSWORD)

        assert refusal.value.retry_after_s == 61
        assert hasher.looks == FREE_FAILURES
        clock.advance(seconds=60)
        assert try_password(PASSWORD).token

    def test_each_further_one_costs_twice_as_much_up_to_an_hour(self, try_password, clock):
        fail(try_password, FREE_FAILURES)
        waited = []
        for _ in range(8):
            with pytest.raises(SignInTooSoon) as refusal:
                try_password()
            waited.append(refusal.value.retry_after_s - 1)
            clock.advance(seconds=refusal.value.retry_after_s)
            fail(try_password, 1)

        assert waited == [60, 120, 240, 480, 960, 1920, 3600, 3600]

    def test_names_that_do_not_exist_are_slowed_alike(self, try_password):
        fail(try_password, FREE_FAILURES, login_name="nobody")

        with pytest.raises(SignInTooSoon):
            try_password(login_name="nobody")

    def test_the_right_one_forgives(self, try_password):
        fail(try_password, FREE_FAILURES - 1)
        try_password(PASSWORD)
        fail(try_password, FREE_FAILURES - 1)

        assert try_password(PASSWORD).token

    def test_after_a_day_all_is_forgotten(self, try_password, clock):
        fail(try_password, FREE_FAILURES)
        clock.advance(hours=24)

        fail(try_password, FREE_FAILURES)

    def test_an_ipv6_home_is_one_place(self, try_password):
        for number in range(FREE_FAILURES):
            fail(try_password, 1, visit=Visit(f"2001:db8:1:2::{number + 1}"))

        with pytest.raises(SignInTooSoon):
            try_password(visit=Visit("2001:db8:1:2:ffff::9"))


class TestNoLockOut:
    def test_strangers_elsewhere_do_not_lock_a_known_address_out(self, try_password, clock):
        known = Visit("203.0.113.5")
        try_password(PASSWORD, visit=known)
        for number in range(40):
            fail(try_password, 1, visit=Visit(f"198.51.100.{number}"))
            clock.advance(seconds=61)

        assert try_password(PASSWORD, visit=known).token

    def test_nor_a_known_device_at_the_same_address(self, try_password):
        try_password(PASSWORD, visit=HOME)
        fail(try_password, FREE_FAILURES, visit=Visit(HOME.ip, "device-of-a-stranger"))
        with pytest.raises(SignInTooSoon):
            try_password(visit=Visit(HOME.ip))

        assert try_password(PASSWORD, visit=HOME).token
        assert try_password(PASSWORD, visit=Visit("192.0.2.1", HOME.device)).token

    def test_a_device_that_never_signed_in_is_no_way_around(self, try_password):
        for number in range(FREE_FAILURES):
            fail(try_password, 1, visit=Visit(ELSEWHERE.ip, f"made-up-device-{number:04d}"))

        with pytest.raises(SignInTooSoon):
            try_password(visit=Visit(ELSEWHERE.ip, "made-up-device-9999"))

    def test_a_name_guessed_from_everywhere_takes_one_stranger_a_minute(
        self, try_password, clock, hasher
    ):
        for number in range(20):
            fail(try_password, 1, visit=Visit(f"198.51.100.{number}"))

        for number in range(20, 60):
            with pytest.raises(SignInTooSoon):
                try_password(visit=Visit(f"198.51.100.{number}"))

        assert hasher.looks == 20
        clock.advance(seconds=60)
        fail(try_password, 1, visit=Visit("198.51.100.99"))
        with pytest.raises(SignInTooSoon):
            try_password(PASSWORD, visit=Visit("198.51.100.98"))

    def test_another_name_is_not_slowed(self, try_password, database):
        with database.session() as session:
            factories.make_staff(session, login_name="li", password_hash=_HASHED)
        fail(try_password, FREE_FAILURES)

        assert try_password(PASSWORD, login_name="li").token


class TestManyAtOnce:
    def test_of_a_hundred_guesses_five_are_looked_at(
        self, try_password, together, hasher, database
    ):
        results = together(*[try_password] * 100)

        assert hasher.looks == FREE_FAILURES
        assert sum(isinstance(one, WrongCredentials) for one in results) == FREE_FAILURES
        assert sum(isinstance(one, SignInTooSoon) for one in results) == 100 - FREE_FAILURES
        assert database.value("SELECT count(*) FROM sign_in_attempt") == FREE_FAILURES

    def test_without_the_lock_many_more_would_be(self, unit_of_work, together, database):
        """The control: the same step with the lock taken out lets guesses through."""

        @contextmanager
        def unlocked(tx):
            execute = tx.session.execute

            def without_lock(statement, *more, **options):
                if "pg_advisory_xact_lock" in str(statement):
                    return execute(text("SELECT pg_sleep(0.2)"))
                return execute(statement, *more, **options)

            tx.session.execute = without_lock
            yield

        def guess():
            def work(tx):
                with unlocked(tx):
                    return open_attempt(tx, door="staff", login_hmac="x", visit=ELSEWHERE)

            return unit_of_work.run(work)

        results = together(*[guess] * 10)

        let_through = [one for one in results if isinstance(one, int)]
        assert len(let_through) > FREE_FAILURES


class TestSecrecy:
    def test_what_was_typed_is_nowhere(self, try_password, database):
        fail(try_password, 1, login_name="my-password-typed-as-name")

        assert "my-password" not in str(database.rows("SELECT * FROM sign_in_attempt"))
