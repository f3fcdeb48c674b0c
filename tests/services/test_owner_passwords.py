"""Owners with an account that was handed out."""

from dataclasses import replace

import pytest

from domain.actors import (
    PasswordChangeNeeded,
    Permission,
    ReauthenticationNeeded,
    Role,
    operator,
    visitor,
)
from domain.errors import InvalidInput, NotAllowed, NotFound, NotSignedIn
from domain.passwords import WeakPassword
from services.password_doors import LoginNameTaken, WrongCredentials
from services.phone_codes import WrongCode
from services.sign_in_attempts import FREE_FAILURES, SignInTooSoon, Visit
from tests import factories
from tests.factories import actor_without

PHONE = "19900000001"
OTHER = "19900000002"
NEW = "four yellow bridges"
HOME = Visit("203.0.113.5", "device-of-chen-0001")


@pytest.fixture
def doors(services):
    return services.owner_passwords


@pytest.fixture
def on_file(database):
    with database.session() as session:
        house = factories.make_house(session)
        for phone in (PHONE, OTHER):
            factories.make_owner(session, house=house, phone=phone)
        return house


@pytest.fixture
def made(doors, on_file):
    return doors.hand_out(actor=operator(), phone=PHONE, login_name="yezhu101")


@pytest.fixture
def sign_in(doors):
    def sign_in(password, login_name="yezhu101", visit=HOME):
        return doors.sign_in(actor=visitor(), login_name=login_name, password=password, visit=visit)

    return sign_in


@pytest.fixture
def settled(services, doors, made, sign_in):
    """The account with a password of its owner's own; gives the session's token."""
    token = sign_in(made.password).token
    doors.change_password(
        actor=services.login.authenticate(token=token),
        token=token,
        password=made.password,
        new_password=NEW,
        visit=HOME,
    )
    return token


@pytest.fixture
def reset_code(doors, queue, simulator):
    def reset_code(phone=PHONE):
        doors.ask_reset(actor=visitor(), phone=phone, visit=HOME)
        queue.run()
        return simulator.sms(phone)[0]["params"][0]

    return reset_code


@pytest.fixture
def reset(doors):
    def reset(code, new_password=NEW, phone=PHONE):
        doors.reset_by_code(
            actor=visitor(), phone=phone, code=code, new_password=new_password, visit=HOME
        )

    return reset


class TestHandOut:
    def test_is_told_once_and_on_record(self, made, database, audit):
        assert audit("owner_password_handed_out") == [{"login_name": "yezhu101"}]
        assert made.password not in repr(made)
        assert made.password not in str(database.rows("SELECT * FROM account"))

    def test_only_for_a_phone_on_file(self, doors, on_file):
        with pytest.raises(NotFound):
            doors.hand_out(actor=operator(), phone="19900000009", login_name="x")

    def test_only_within_ones_communities(self, doors, on_file, database):
        with database.session() as session:
            elsewhere = factories.scope_of_community(factories.make_community(session))
            actor = factories.staff(session, Role.CUSTOMER_SERVICE, scope=elsewhere)

        with pytest.raises(NotFound):
            doors.hand_out(actor=actor, phone=PHONE, login_name="x")

    def test_what_was_handed_out_lapses(self, made, sign_in, clock):
        clock.advance(days=7)

        with pytest.raises(WrongCredentials):
            sign_in(made.password)

    def test_a_login_name_once(self, doors, made):
        with pytest.raises(LoginNameTaken):
            doors.hand_out(actor=operator(), phone=OTHER, login_name="yezhu101")

    def test_again_ends_what_was(self, services, doors, made, settled, sign_in):
        again = doors.hand_out(actor=operator(), phone=PHONE, login_name="yezhu101")

        with pytest.raises(NotSignedIn):
            services.login.authenticate(token=settled)
        with pytest.raises(WrongCredentials):
            sign_in(NEW)
        assert sign_in(again.password).must_change_password

    @pytest.mark.parametrize("login_name", ["", "x" * 41, "a\nb"])
    def test_a_name_that_cannot_be_one(self, doors, on_file, login_name):
        with pytest.raises(InvalidInput):
            doors.hand_out(actor=operator(), phone=PHONE, login_name=login_name)

    def test_takes_permission_and_a_fresh_session(self, doors, on_file, database):
        with database.session() as session:
            actor = factories.staff(session, Role.CUSTOMER_SERVICE)
        with pytest.raises(ReauthenticationNeeded):
            doors.hand_out(actor=replace(actor, is_fresh=False), phone=PHONE, login_name="x")
        with pytest.raises(NotAllowed):
            doors.hand_out(
                actor=actor_without(Permission.HAND_OUT_OWNER_ACCOUNTS),
                phone=PHONE,
                login_name="x",
            )

        assert doors.hand_out(actor=actor, phone=PHONE, login_name="x").password


class TestSignIn:
    def test_a_one_time_password_opens_nothing_but_the_change(self, services, made, sign_in):
        opened = sign_in(made.password)

        assert (opened.must_change_password, opened.house_count) == (True, 1)
        actor = services.login.authenticate(token=opened.token)
        with pytest.raises(PasswordChangeNeeded):
            services.estate.list_own_houses(actor=actor)

    def test_after_the_change_all_goes(self, services, settled, sign_in):
        actor = services.login.authenticate(token=settled)
        assert services.estate.list_own_houses(actor=actor)
        assert not sign_in(NEW).must_change_password

    def test_a_code_of_the_phone_needs_no_change(self, services, made, queue, simulator):
        services.login.request_code(actor=visitor(), phone=PHONE, visit=HOME)
        queue.run()
        opened = services.login.sign_in_by_code(
            actor=visitor(),
            phone=PHONE,
            code=simulator.sms(PHONE)[0]["params"][0],
            visit=HOME,
        )

        actor = services.login.authenticate(token=opened.token)

        assert services.estate.list_own_houses(actor=actor)

    @pytest.mark.parametrize("name", ["yezhu101", "YEZHU101", "nobody"])
    def test_what_is_wrong_is_never_told(self, made, sign_in, name):
        with pytest.raises(WrongCredentials):
            sign_in("wrong" if name == "yezhu101" else made.password, name)

    def test_a_disabled_account_answers_alike(self, made, sign_in, database):
        database.do("UPDATE account SET is_active = false")

        with pytest.raises(WrongCredentials):
            sign_in(made.password)

    def test_an_account_without_a_password_has_no_right_one(self, on_file, sign_in, database):
        with database.session() as session:
            factories.make_account(session, phone="19900000008", login_name="bare")

        with pytest.raises(WrongCredentials):
            sign_in("", "bare")

    def test_guesses_are_slowed_and_no_stranger_locks_out(self, settled, sign_in):
        for _ in range(FREE_FAILURES):
            with pytest.raises(WrongCredentials):
                sign_in("wrong", visit=Visit("198.51.100.7"))
        with pytest.raises(SignInTooSoon):
            sign_in(NEW, visit=Visit("198.51.100.7"))

        assert sign_in(NEW).token

    def test_a_member_of_staff_of_the_same_name_is_somebody_else(self, services, made, sign_in):
        for _ in range(FREE_FAILURES):
            with pytest.raises(WrongCredentials):
                services.staff_sessions.sign_in(
                    actor=visitor(), login_name="yezhu101", password="wrong", visit=HOME
                )

        assert sign_in(made.password).token


class TestChange:
    def test_the_other_sessions_end(self, services, doors, settled, sign_in, audit):
        other = sign_in(NEW).token

        doors.change_password(
            actor=services.login.authenticate(token=settled),
            token=settled,
            password=NEW,
            new_password="six purple windows",
            visit=HOME,
        )

        services.login.authenticate(token=settled)
        with pytest.raises(NotSignedIn):
            services.login.authenticate(token=other)
        assert audit().count("owner_password_changed") == 2

    @pytest.mark.parametrize("weak", ["short", "yezhu10119900000001", "wuye123456wuye123456"])
    def test_a_weak_one_is_refused(self, services, doors, settled, weak):
        with pytest.raises(WeakPassword):
            doors.change_password(
                actor=services.login.authenticate(token=settled),
                token=settled,
                password=NEW,
                new_password=weak,
                visit=HOME,
            )

    def test_only_with_the_old_one(self, services, doors, settled):
        with pytest.raises(WrongCredentials):
            doors.change_password(
                actor=services.login.authenticate(token=settled),
                token=settled,
                password="wrong",
                new_password="six purple windows",
                visit=HOME,
            )


class TestReset:
    def test_sets_it_and_ends_every_session(
        self, services, settled, reset_code, reset, sign_in, audit
    ):
        reset(reset_code(), "six purple windows")

        with pytest.raises(NotSignedIn):
            services.login.authenticate(token=settled)
        assert not sign_in("six purple windows").must_change_password
        assert "owner_password_forgotten" in audit()

    def test_once_and_not_with_a_wrong_code(self, settled, reset_code, reset):
        code = reset_code()
        with pytest.raises(WrongCode):
            reset(f"{(int(code) + 1) % 1_000_000:06d}")
        reset(code)

        with pytest.raises(WrongCode):
            reset(code)

    def test_a_phone_without_a_preset_account_has_no_right_code(self, on_file, reset_code, reset):
        code = reset_code(OTHER)

        with pytest.raises(WrongCode):
            reset(code, phone=OTHER)

    def test_a_weak_one_does_not_use_the_code_up(self, settled, reset_code, reset, sign_in):
        code = reset_code()
        with pytest.raises(WeakPassword):
            reset(code, "short")

        reset(code)

        assert sign_in(NEW).token

    def test_known_and_unknown_phones_are_the_same_work(self, doors, settled, statements):
        seen = []
        for phone in (PHONE, "19900000077"):
            statements.clear()
            doors.ask_reset(actor=visitor(), phone=phone, visit=HOME)
            seen.append(statements[:])

        assert seen[0] == seen[1]


def test_only_with_the_permission(doors):
    nobody = actor_without(Permission.SIGN_IN)
    for act in (
        lambda: doors.sign_in(actor=nobody, login_name="x", password="x", visit=HOME),
        lambda: doors.ask_reset(actor=nobody, phone=PHONE, visit=HOME),
        lambda: doors.reset_by_code(
            actor=nobody, phone=PHONE, code="1", new_password=NEW, visit=HOME
        ),
        lambda: doors.change_password(
            actor=visitor(), token="x", password="x", new_password=NEW, visit=HOME
        ),
    ):
        with pytest.raises(NotAllowed):
            act()
