"""SMS pumping: limits on every side, and a budget that a person hears of."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from domain.actors import visitor
from domain.phones import NotAPhone
from services.login import Login
from services.phone_codes import (
    CODE_TRIES,
    CODES_PER_DEVICE_AND_DAY,
    CODES_PER_IP_AND_DAY,
    CODES_PER_NETWORK_AND_DAY,
    CODES_PER_PHONE_AND_HOUR,
    CodeTooSoon,
    PhoneCodes,
    WrongCode,
)
from services.sign_in_attempts import Visit

PHONE = "19900000001"
MORNING = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def morning(clock):
    clock.set(MORNING)


@pytest.fixture
def sent(services, database):
    """Ask with all pairs of a phone and a visit; tell how many messages were written."""

    def sent(pairs, login=None):
        for phone, visit in pairs:
            try:
                (login or services.login).request_code(actor=visitor(), phone=phone, visit=visit)
            except CodeTooSoon:
                continue
        return database.value("SELECT count(*) FROM outbox_message")

    return sent


def phones(many):
    return [f"199{number:08d}" for number in range(many)]


class TestPumping:
    @pytest.mark.slow
    def test_ten_thousand_phones_from_one_address(self, sent):
        pairs = [(phone, Visit("203.0.113.5")) for phone in phones(10_000)]

        assert sent(pairs) == CODES_PER_IP_AND_DAY

    def test_one_phone_from_a_thousand_addresses(self, sent, clock):
        pairs = [(PHONE, Visit(f"10.{n // 250}.{n % 250}.1")) for n in range(1_000)]

        assert sent(pairs) == 1
        for _ in range(10):
            clock.advance(seconds=61)
            many = sent(pairs[:3])
        assert many == CODES_PER_PHONE_AND_HOUR

    def test_a_farm_of_addresses_in_one_network(self, sent):
        pairs = [(phone, Visit(f"203.0.113.{n % 250}")) for n, phone in enumerate(phones(300))]

        assert sent(pairs) == CODES_PER_NETWORK_AND_DAY

    def test_an_ipv6_home_is_one_address(self, sent):
        pairs = [(phone, Visit(f"2001:db8:1:2::{n + 1:x}")) for n, phone in enumerate(phones(50))]

        assert sent(pairs) == CODES_PER_IP_AND_DAY

    def test_one_device_that_changes_its_address(self, sent):
        pairs = [
            (phone, Visit(f"10.0.{n}.1", "device-of-a-pumper-1"))
            for n, phone in enumerate(phones(40))
        ]

        assert sent(pairs) == CODES_PER_DEVICE_AND_DAY

    def test_no_device_is_not_one_device(self, sent):
        pairs = [(phone, Visit(f"10.0.{n}.1")) for n, phone in enumerate(phones(40))]

        assert sent(pairs) == 40

    @pytest.mark.parametrize("phone", ["+1 2025550123", "+852 51234567", "+44 7700900123"])
    def test_only_mainland_mobile_numbers(self, services, phone, database):
        with pytest.raises(NotAPhone):
            services.login.request_code(actor=visitor(), phone=phone, visit=Visit("10.0.0.1"))

        assert database.value("SELECT count(*) FROM outbox_message") == 0


class TestBudget:
    @pytest.fixture
    def capped(self, services):
        login = services.login
        codes = PhoneCodes(login.codes.code_key, daily_cap=10)
        return Login(login.unit_of_work, login.mini_program, codes, login.texts)

    def test_used_up_nothing_goes_out_and_a_person_hears_of_it_once(self, sent, capped, database):
        pairs = [(phone, Visit(f"10.0.{n}.1")) for n, phone in enumerate(phones(60))]

        assert sent(pairs, capped) == 10
        assert sent(pairs[10:], capped) == 10
        (task,) = database.rows("SELECT kind, title FROM staff_task")
        assert task["kind"] == "sms_cap_reached"
        assert "10 条" in task["title"]

    def test_the_next_day_has_a_budget_of_its_own(self, sent, capped, clock):
        pairs = [(phone, Visit(f"10.0.{n}.1")) for n, phone in enumerate(phones(60))]
        sent(pairs, capped)

        clock.advance(hours=15)

        assert sent(pairs, capped) == 20


class TestDevice:
    @pytest.fixture
    def code(self, services, database):
        services.login.request_code(
            actor=visitor(), phone=PHONE, visit=Visit("203.0.113.5", "device-of-chen-0001")
        )
        return database.value("SELECT payload->>'code' FROM outbox_message")

    @pytest.mark.parametrize("device", ["", "device-of-a-thief-1"])
    def test_a_code_opens_nothing_elsewhere(self, services, code, device, database):
        with pytest.raises(WrongCode):
            services.login.sign_in_by_code(
                actor=visitor(), phone=PHONE, code=code, visit=Visit("203.0.113.5", device)
            )

        assert database.value("SELECT tries_left FROM login_code") == CODE_TRIES - 1

    def test_it_opens_where_it_was_asked_for_whatever_the_address(self, services, code):
        assert services.login.sign_in_by_code(
            actor=visitor(),
            phone=PHONE,
            code=code,
            visit=Visit("198.51.100.7", "device-of-chen-0001"),
        ).token

    def test_the_nonce_is_kept_only_as_a_hash(self, code, database):
        assert "device-of-chen" not in str(database.rows("SELECT * FROM login_code"))


class TestManyGuesses:
    @pytest.fixture
    def guesses_checked(self, services, unit_of_work, together, database):
        """Try 20 wrong codes at once and tell how many found tries left."""

        def guesses_checked(statement_of):
            services.login.request_code(actor=visitor(), phone=PHONE, visit=Visit("203.0.113.5"))

            def guess():
                def work(tx):
                    left = tx.session.execute(text(statement_of)).scalar_one()
                    tx.session.execute(text("SELECT pg_sleep(0.05)"))
                    if left:
                        tx.session.execute(
                            text("UPDATE login_code SET tries_left = :left"), {"left": left - 1}
                        )
                    return left > 0

                return unit_of_work.run(work)

            return sum(together(*[guess] * 20))

        return guesses_checked

    def test_read_under_the_lock_five_are_checked(self, guesses_checked):
        assert guesses_checked("SELECT tries_left FROM login_code FOR UPDATE") == CODE_TRIES

    def test_read_without_it_more_would_be(self, guesses_checked):
        """The control of `TestManyAtOnce` in test_login.py: what its lock is good for."""
        assert guesses_checked("SELECT tries_left FROM login_code") > CODE_TRIES

    def test_the_step_reads_under_the_lock(self, services, statements):
        with pytest.raises(WrongCode):
            services.login.sign_in_by_code(
                actor=visitor(), phone=PHONE, code="123456", visit=Visit("203.0.113.5")
            )

        (read,) = [one for one in statements if "FROM login_code" in one]
        assert "FOR UPDATE" in read
