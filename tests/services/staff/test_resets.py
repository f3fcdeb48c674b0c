"""Forgotten passwords of staff: nothing tells whether there is an account."""

import re
from dataclasses import replace

import pytest

from domain.actors import Permission, visitor
from domain.errors import InvalidInput, NotAllowed, NotSignedIn
from domain.passwords import WeakPassword
from services.password_doors import WrongCredentials
from services.phone_codes import CODE_TRIES, CodeTooSoon, WrongCode
from services.sign_in_attempts import Visit
from services.staff.proofs import TotpNeeded
from services.staff.resets import LINKS_PER_IP_AND_DAY, LINKS_PER_NAME_AND_DAY, ResetNotValid
from tests.factories import actor_without
from tests.services.staff.conftest import HOME

NEW = "four yellow bridges"


@pytest.fixture
def resets(services):
    return services.staff_resets


@pytest.fixture
def ask_phone(resets):
    def ask_phone(login_name="wang", visit=HOME):
        resets.ask_by_phone(actor=visitor(), login_name=login_name, visit=visit)

    return ask_phone


@pytest.fixture
def ask_mail(resets):
    def ask_mail(login_name="wang", visit=HOME):
        resets.ask_by_mail(actor=visitor(), login_name=login_name, visit=visit)

    return ask_mail


@pytest.fixture
def code(ask_phone, queue, simulator, wang):
    ask_phone()
    queue.run()
    return simulator.sms("19900000001")[0]["params"][0]


@pytest.fixture
def mailed_token(queue, simulator):
    """The token in the newest mail."""

    def mailed_token():
        queue.run()
        return re.search(r"#token=(\S+)", simulator.get("mails")[0]["text"])[1]

    return mailed_token


@pytest.fixture
def by_code(resets):
    def by_code(code, new_password=NEW, *, login_name="wang", visit=HOME):
        resets.reset_by_code(
            actor=visitor(),
            login_name=login_name,
            code=code,
            new_password=new_password,
            visit=visit,
        )

    return by_code


@pytest.fixture
def by_link(resets):
    def by_link(token, new_password=NEW):
        resets.reset_by_link(actor=visitor(), token=token, new_password=new_password, visit=HOME)

    return by_link


def wrong(code):
    return f"{(int(code) + 1) % 1_000_000:06d}"


class TestSameForAll:
    @pytest.mark.parametrize("ask", ["ask_phone", "ask_mail"])
    def test_statements_and_jobs(self, request, ask, wang, statements, queue):
        asking = request.getfixturevalue(ask)
        seen = []
        for name in ("wang", "nobody"):
            statements.clear()
            queue.jobs.clear()
            asking(name, Visit(f"203.0.113.{len(seen)}"))
            seen.append((statements[:], queue.jobs[:]))

        assert seen[0] == seen[1]
        assert len(seen[0][0]) > 5

    @pytest.mark.parametrize("ask", ["ask_phone", "ask_mail"])
    def test_limits(self, request, ask, wang):
        asking = request.getfixturevalue(ask)
        for name in ("wang", "nobody"):
            asking(name)
            with pytest.raises(CodeTooSoon):
                asking(name)

    def test_nothing_goes_out_for_nobody(self, ask_phone, ask_mail, member, queue, simulator):
        member(login_name="bare")
        for name in ("nobody", "bare"):
            ask_phone(name)
            ask_mail(name)

        queue.run()

        assert simulator.get("sms") == []
        assert simulator.get("mails") == []
        assert simulator.journal("sms") == []

    def test_nobody_disabled_gets_one(self, ask_phone, wang, database, queue, simulator):
        database.do("UPDATE staff SET is_active = false")

        ask_phone()
        queue.run()

        assert simulator.get("sms") == []

    def test_a_code_of_nobody_is_wrong(self, ask_phone, by_code):
        ask_phone("nobody")

        with pytest.raises(WrongCode):
            by_code("123456", login_name="nobody")


class TestByPhone:
    def test_sets_the_password_and_ends_all_sessions(self, services, code, by_code, wang, audit):
        token = wang.sign_in().token

        by_code(code)

        with pytest.raises(NotSignedIn):
            services.staff_sessions.authenticate(token=token)
        with pytest.raises(WrongCredentials):
            wang.sign_in()
        assert wang.sign_in(NEW).must_first is None
        assert audit("staff_password_forgotten") == [{"by": "phone"}]

    def test_once(self, code, by_code):
        by_code(code)

        with pytest.raises(WrongCode):
            by_code(code, "six purple windows")

    def test_five_guesses_and_it_is_dead(self, code, by_code):
        for _ in range(CODE_TRIES):
            with pytest.raises(WrongCode):
                by_code(wrong(code))

        with pytest.raises(WrongCode):
            by_code(code)

    def test_five_minutes(self, code, by_code, clock):
        clock.advance(minutes=5)

        with pytest.raises(WrongCode):
            by_code(code)

    def test_not_from_another_device_and_not_for_another_name(self, code, by_code, administrator):
        with pytest.raises(WrongCode):
            by_code(code, visit=Visit(HOME.ip, "another-device-0001"))
        with pytest.raises(WrongCode):
            by_code(code, login_name="admin")

        by_code(code)

    def test_not_a_sign_in_code_of_the_same_phone(self, services, wang, by_code, queue, simulator):
        services.login.request_code(actor=visitor(), phone="19900000001", visit=HOME)
        queue.run()

        with pytest.raises(WrongCode):
            by_code(simulator.sms("19900000001")[0]["params"][0])

    def test_a_weak_password_does_not_use_the_code_up(self, code, by_code, wang):
        with pytest.raises(WeakPassword):
            by_code(code, "19900000001wang")

        by_code(code)
        assert wang.sign_in(NEW).token

    def test_the_second_factor_stays(self, wang, with_totp, ask_phone, by_code, queue, simulator):
        with_totp(wang)
        ask_phone()
        queue.run()

        by_code(simulator.sms("19900000001")[0]["params"][0])

        with pytest.raises(TotpNeeded):
            wang.sign_in(NEW)

    def test_whoever_proved_the_phone_is_known_here(self, code, by_code, wang):
        for number in range(20):
            with pytest.raises(WrongCredentials):
                wang.sign_in("wrong", visit=Visit(f"198.51.100.{number}"))

        by_code(code)

        assert wang.sign_in(NEW).token


class TestByMail:
    def test_the_link_is_ours_and_sets_the_password(
        self, services, wang, ask_mail, by_link, mailed_token, simulator, settings, audit
    ):
        session = wang.sign_in().token
        ask_mail()
        token = mailed_token()
        (mail,) = simulator.get("mails", address="w@c.cn")
        assert f"{settings.public_base_url}/staff/reset#token={token}" in mail["text"]
        assert len(token) >= 22

        by_link(token)

        assert wang.sign_in(NEW).token
        with pytest.raises(NotSignedIn):
            services.staff_sessions.authenticate(token=session)
        assert audit("staff_password_forgotten") == [{"by": "mail"}]

    def test_once(self, wang, ask_mail, by_link, mailed_token):
        ask_mail()
        token = mailed_token()
        by_link(token)

        with pytest.raises(ResetNotValid):
            by_link(token, "six purple windows")

    def test_many_at_once_set_one(self, wang, ask_mail, by_link, mailed_token, together):
        ask_mail()
        token = mailed_token()

        results = together(*[lambda: by_link(token)] * 4)

        assert sum(isinstance(one, ResetNotValid) for one in results) == 3

    def test_half_an_hour(self, wang, ask_mail, by_link, mailed_token, clock):
        ask_mail()
        token = mailed_token()
        clock.advance(minutes=30)

        with pytest.raises(ResetNotValid):
            by_link(token)

    def test_dead_after_any_new_password(
        self, services, wang, ask_mail, by_link, mailed_token, clock
    ):
        ask_mail()
        first = mailed_token()
        services.staff_sessions.change_password(
            actor=wang.signed_in(),
            password="three green ladders",
            new_password=NEW,
            visit=HOME,
        )

        with pytest.raises(ResetNotValid):
            by_link(first, "six purple windows")

    def test_a_disabled_accounts_link_is_dead(
        self, wang, ask_mail, by_link, mailed_token, database
    ):
        ask_mail()
        token = mailed_token()
        database.do("UPDATE staff SET is_active = false")

        with pytest.raises(ResetNotValid):
            by_link(token)

    def test_a_weak_password_does_not_use_it_up(self, wang, ask_mail, by_link, mailed_token):
        ask_mail()
        token = mailed_token()
        with pytest.raises(WeakPassword):
            by_link(token, "password")

        by_link(token)

    def test_sent_or_not_the_token_stands_in_no_table(self, wang, ask_mail, mailed_token, database):
        ask_mail()
        token = mailed_token()

        for table in ("password_reset", "outbox_message", "audit_entry"):
            assert token not in str(database.rows(f"SELECT * FROM {table}"))

    def test_a_mailbox_that_is_not_there_leaves_no_token_and_no_task(
        self, wang, ask_mail, queue, simulator, database
    ):
        simulator.post("mails/answers", address="w@c.cn", code=550)
        ask_mail()
        queue.run()

        (row,) = database.rows("SELECT state, payload, last_error FROM outbox_message")
        assert row == {"state": "failed", "payload": {}, "last_error": "550"}
        assert database.rows("SELECT * FROM staff_task") == []

    def test_a_busy_server_is_asked_again(self, wang, ask_mail, queue, simulator, clock, database):
        simulator.post("mails/answers", address="w@c.cn", code=451)
        ask_mail()
        queue.run()
        assert simulator.get("mails") == []

        simulator.post("mails/answers", address="w@c.cn", code=250)
        clock.advance(seconds=10)
        queue.enqueue("deliver_messages")
        queue.run()

        assert len(simulator.get("mails")) == 1

    def test_limits_of_a_name_and_of_an_address(self, ask_mail, wang, clock):
        for _ in range(LINKS_PER_NAME_AND_DAY):
            ask_mail()
            clock.advance(minutes=2)
        with pytest.raises(CodeTooSoon):
            ask_mail()
        for number in range(LINKS_PER_IP_AND_DAY - LINKS_PER_NAME_AND_DAY):
            ask_mail(f"nobody{number}")

        with pytest.raises(CodeTooSoon):
            ask_mail("one-more")

        ask_mail("one-more", Visit("198.51.100.1"))

    def test_without_a_mail_server_the_phone_is_named(self, resets, wang, settings):
        class NoMail:
            is_on = False

        off = replace(resets, mail=NoMail())

        with pytest.raises(InvalidInput) as refusal:
            off.ask_by_mail(actor=visitor(), login_name="wang", visit=HOME)

        assert "手机" in refusal.value.fields["by"][0]

    @pytest.mark.parametrize("token", ["", "nonsense", "x" * 43])
    def test_an_unknown_token_opens_nothing(self, by_link, token):
        with pytest.raises(ResetNotValid):
            by_link(token)


def test_only_with_the_permission(resets):
    nobody = actor_without(Permission.SIGN_IN)
    for act in (
        lambda: resets.ask_by_phone(actor=nobody, login_name="wang", visit=HOME),
        lambda: resets.ask_by_mail(actor=nobody, login_name="wang", visit=HOME),
        lambda: resets.reset_by_code(
            actor=nobody, login_name="wang", code="1", new_password=NEW, visit=HOME
        ),
        lambda: resets.reset_by_link(actor=nobody, token="x", new_password=NEW, visit=HOME),
    ):
        with pytest.raises(NotAllowed):
            act()
