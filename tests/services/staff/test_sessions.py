"""Sessions of staff. Source of the numbers: NIST SP 800-63B-4, 2.2.3."""

from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from domain.actors import (
    ROLE_PERMISSIONS,
    MustFirst,
    PasswordChangeNeeded,
    Permission,
    Role,
    TotpSetupNeeded,
    operator,
    system_actor,
    visitor,
)
from domain.errors import NotAllowed, NotFound, NotSignedIn
from domain.passwords import WeakPassword
from services.password_doors import WrongCredentials
from services.sign_in_attempts import Visit
from services.staff.sessions import StaffSessions
from tests.factories import actor_without
from tests.services.staff.conftest import HOME, PASSWORD

NEW = "four yellow bridges"


@pytest.fixture
def authenticate(services):
    return lambda token: services.staff_sessions.authenticate(token=token, request_id="req-1")


@pytest.fixture
def is_out(authenticate):
    def is_out(token):
        try:
            authenticate(token)
        except NotSignedIn:
            return True
        return False

    return is_out


class TestSignIn:
    def test_the_right_password_opens_a_session(self, wang, authenticate, clock, audit):
        opened = wang.sign_in()

        assert (opened.name, opened.role, opened.must_first) == ("王芳", Role.FINANCE, None)
        assert opened.expires_at == clock.now() + timedelta(hours=12)
        actor = authenticate(opened.token)
        assert (actor.id, actor.request_id) == (wang.id, "req-1")
        assert actor.permissions - ROLE_PERMISSIONS[Role.FINANCE] == {
            Permission.MANAGE_OWN_STAFF_SESSION
        }
        assert actor.is_fresh
        assert [facts["remembered"] for facts in audit("staff_signed_in")] == [False]

    def test_only_a_hash_of_the_token_is_kept(self, wang, database):
        token = wang.sign_in().token

        assert len(token) >= 43
        assert token not in str(database.rows("SELECT * FROM staff_session"))
        assert token not in repr(wang.sign_in())

    def test_each_session_has_a_token_of_its_own(self, wang):
        assert wang.sign_in().token != wang.sign_in().token

    @pytest.mark.parametrize(
        ("login_name", "password"),
        [
            ("wang", PASSWORD + "x"),
            ("WANG", PASSWORD),
            ("nobody", PASSWORD),
            ("wang", ""),
            ("wang", PASSWORD.upper()),
            ("wang", "x" * 300),
        ],
    )
    def test_what_is_wrong_is_never_told(self, services, wang, database, login_name, password):
        with pytest.raises(WrongCredentials):
            services.staff_sessions.sign_in(
                actor=visitor(), login_name=login_name, password=password, visit=HOME
            )

        assert database.rows("SELECT * FROM staff_session") == []

    def test_known_and_unknown_names_take_the_same_statements(self, services, wang, statements):
        for name in ("wang", "nobody"):
            with pytest.raises(WrongCredentials):
                services.staff_sessions.sign_in(
                    actor=visitor(), login_name=name, password="wrong", visit=HOME
                )

        half = len(statements) // 2
        assert half > 3
        assert statements[:half] == statements[half:]

    def test_a_disabled_account_answers_like_a_wrong_password(self, wang, database):
        database.do("UPDATE staff SET is_active = false")

        with pytest.raises(WrongCredentials):
            wang.sign_in()

    def test_an_account_without_a_password_has_no_right_one(self, member):
        nobody = member(password_hash="")

        for password in ("", PASSWORD):
            with pytest.raises(WrongCredentials):
                nobody.sign_in(password)

    def test_a_hash_of_older_parameters_is_made_anew(self, member, row):
        old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
        somebody = member(password_hash=old)

        somebody.sign_in()

        assert row(somebody).password_hash.startswith("$argon2id$v=19$m=65536,t=3")
        assert somebody.sign_in().token

    def test_only_with_the_permission(self, services, wang):
        with pytest.raises(NotAllowed):
            services.staff_sessions.sign_in(
                actor=actor_without(Permission.SIGN_IN),
                login_name="wang",
                password=PASSWORD,
                visit=HOME,
            )


class TestLimitsOfASession:
    def test_idle_for_half_an_hour_ends_it(self, wang, is_out, clock):
        token = wang.sign_in().token
        clock.advance(minutes=29)
        assert not is_out(token)
        clock.advance(minutes=29)
        assert not is_out(token)
        clock.advance(minutes=30)
        assert is_out(token)

    def test_twelve_hours_end_it_however_busy(self, wang, is_out, clock):
        token = wang.sign_in().token
        for _ in range(12 * 3 - 1):
            clock.advance(minutes=20)
            assert not is_out(token)

        clock.advance(minutes=20)

        assert is_out(token)

    def test_remembered_only_if_asked_for(self, wang, is_out, clock):
        token = wang.sign_in(remember=True).token
        for _ in range(4):
            clock.advance(days=6)
            assert not is_out(token)
        clock.advance(days=6)
        assert is_out(token)

    def test_remembered_and_idle_for_a_week_is_over(self, wang, is_out, clock):
        token = wang.sign_in(remember=True).token
        clock.advance(days=7)

        assert is_out(token)

    def test_being_seen_is_written_once_a_minute(self, wang, authenticate, clock, statements):
        token = wang.sign_in().token
        statements.clear()

        for _ in range(5):
            authenticate(token)
            clock.advance(seconds=20)

        assert len([one for one in statements if one.startswith("UPDATE")]) == 1


class TestAuthority:
    def test_role_scope_and_state_are_read_each_time(self, wang, authenticate, database):
        token = wang.sign_in().token
        database.do("UPDATE staff SET role = 'auditor', sees_all = false")

        actor = authenticate(token)

        assert actor.role is Role.AUDITOR
        assert actor.scope.community_ids == frozenset()

    def test_a_disabled_account_is_out_at_once(self, wang, is_out, database):
        token = wang.sign_in().token
        database.do("UPDATE staff SET is_active = false")

        assert is_out(token)

    @pytest.mark.parametrize("token", ["", "ss_nonsense", "ss_" + "x" * 43])
    def test_an_unknown_token_is_nobody(self, wang, is_out, token):
        wang.sign_in()

        assert is_out(token)

    def test_the_stored_hash_is_no_token(self, wang, is_out, database):
        wang.sign_in()

        assert is_out("ss_" + database.value("SELECT token_sha256 FROM staff_session"))


class TestFirstSignIn:
    @pytest.fixture
    def new(self, member):
        return member("finance", login_name="new", must_change_password=True)

    def test_nothing_goes_before_a_new_password(self, services, new):
        opened = new.sign_in()
        actor = services.staff_sessions.authenticate(token=opened.token)

        assert opened.must_first is MustFirst.CHANGE_PASSWORD
        for permission in ROLE_PERMISSIONS[Role.FINANCE]:
            with pytest.raises(PasswordChangeNeeded):
                actor.must(permission)
        assert services.staff_sessions.list_own(actor=actor)

    def test_after_it_all_goes(self, services, new):
        actor = new.signed_in()

        changed = services.staff_sessions.change_password(
            actor=actor, password=PASSWORD, new_password=NEW, visit=HOME
        )

        assert changed.must_first is None
        services.staff_sessions.authenticate(token=changed.token).must(Permission.TAKE_MONEY)

    @pytest.mark.parametrize("same", [PASSWORD, PASSWORD + "1", PASSWORD.upper()])
    def test_the_one_that_was_handed_out_is_no_new_one(self, services, new, same):
        with pytest.raises(WeakPassword):
            services.staff_sessions.change_password(
                actor=new.signed_in(), password=PASSWORD, new_password=same, visit=HOME
            )


class TestRequiredTotp:
    @pytest.fixture
    def strict(self, services):
        sessions = services.staff_sessions
        return StaffSessions(sessions.unit_of_work, sessions.proofs, sessions.passwords, True)

    @pytest.mark.parametrize(
        ("role", "must_first"),
        [
            ("finance", MustFirst.SET_UP_TOTP),
            ("cashier", MustFirst.SET_UP_TOTP),
            ("administrator", MustFirst.SET_UP_TOTP),
            ("engineer", None),
        ],
    )
    def test_money_roles_set_it_up_first(self, strict, member, role, must_first):
        actor = strict.authenticate(token=member(role).sign_in().token)

        assert actor.must_first is must_first
        if must_first:
            with pytest.raises(TotpSetupNeeded):
                actor.must(Permission.VIEW_ESTATE)

    def test_whoever_has_it_goes_on(self, strict, wang, with_totp):
        code, _ = with_totp(wang)

        assert strict.authenticate(token=wang.sign_in(totp=code()).token).must_first is None


class TestReauthentication:
    def test_ten_minutes_are_fresh(self, services, wang, authenticate, clock):
        token = wang.sign_in().token
        clock.advance(minutes=9, seconds=59)
        assert authenticate(token).is_fresh
        clock.advance(seconds=1)
        assert not authenticate(token).is_fresh

    def test_the_password_makes_fresh_again_under_a_new_token(
        self, services, wang, authenticate, is_out, clock
    ):
        old = wang.sign_in()
        clock.advance(minutes=15)

        renewed = services.staff_sessions.reauthenticate(
            actor=authenticate(old.token), password=PASSWORD, visit=HOME
        )

        assert is_out(old.token)
        assert authenticate(renewed.token).is_fresh
        assert renewed.expires_at == old.expires_at

    def test_a_wrong_password_changes_nothing(self, services, wang, authenticate, clock):
        token = wang.sign_in().token
        clock.advance(minutes=15)

        with pytest.raises(WrongCredentials):
            services.staff_sessions.reauthenticate(
                actor=authenticate(token), password="wrong", visit=HOME
            )

        assert not authenticate(token).is_fresh

    def test_not_through_a_session_that_has_ended(self, services, wang, authenticate):
        actor = authenticate(wang.sign_in().token)
        services.staff_sessions.end_all_own(actor=actor)

        with pytest.raises(NotSignedIn):
            services.staff_sessions.reauthenticate(actor=actor, password=PASSWORD, visit=HOME)


class TestChangePassword:
    def test_other_sessions_end_and_this_one_goes_on(
        self, services, wang, authenticate, is_out, audit
    ):
        old, other = wang.sign_in().token, wang.sign_in(visit=Visit("203.0.113.9")).token

        changed = services.staff_sessions.change_password(
            actor=authenticate(old), password=PASSWORD, new_password=NEW, visit=HOME
        )

        assert is_out(old)
        assert is_out(other)
        assert not is_out(changed.token)
        assert wang.sign_in(NEW).token
        with pytest.raises(WrongCredentials):
            wang.sign_in(PASSWORD)
        assert "staff_password_changed" in audit()

    @pytest.mark.parametrize("weak", ["short", "password12345678", "王芳19900000001王芳王芳"])
    def test_a_weak_one_is_refused(self, services, wang, weak):
        with pytest.raises(WeakPassword):
            services.staff_sessions.change_password(
                actor=wang.signed_in(), password=PASSWORD, new_password=weak, visit=HOME
            )

    def test_eight_characters_are_enough_beside_a_second_factor(self, services, wang, with_totp):
        code, _ = with_totp(wang)
        actor = wang.signed_in(totp=code())

        with pytest.raises(WeakPassword):
            services.staff_sessions.change_password(
                actor=actor, password=PASSWORD, new_password="kq7mb2x", visit=HOME, totp="000000"
            )
        services.staff_sessions.passwords.hash_chosen(
            "kq7mb2xw", has_second_factor=True, own_words=()
        )

    def test_only_with_the_old_one(self, services, wang):
        with pytest.raises(WrongCredentials):
            services.staff_sessions.change_password(
                actor=wang.signed_in(), password="wrong", new_password=NEW, visit=HOME
            )


class TestOwnSessions:
    def test_are_listed_with_device_and_place(self, services, wang, clock):
        wang.sign_in(visit=Visit("198.51.100.7", "", "WeChat on iPhone"), remember=True)
        clock.advance(minutes=5)
        actor = wang.signed_in()

        here, phone = services.staff_sessions.list_own(actor=actor)

        assert (here.is_current, phone.is_current) == (True, False)
        assert (phone.device, phone.ip, phone.is_remembered) == (
            "WeChat on iPhone",
            "198.51.100.7",
            True,
        )

    def test_one_is_ended_the_others_stay(self, services, wang, is_out):
        lost = wang.sign_in().token
        actor = wang.signed_in()
        other = next(
            one.id for one in services.staff_sessions.list_own(actor=actor) if not one.is_current
        )

        services.staff_sessions.end_own(actor=actor, session_id=other)

        assert is_out(lost)
        assert len(services.staff_sessions.list_own(actor=actor)) == 1
        with pytest.raises(NotFound):
            services.staff_sessions.end_own(actor=actor, session_id=other)

    def test_nobody_ends_a_strangers(self, services, wang, administrator, is_out):
        token = administrator.sign_in().token
        theirs = services.staff_sessions.authenticate(token=token).session_id

        with pytest.raises(NotFound):
            services.staff_sessions.end_own(actor=wang.signed_in(), session_id=theirs)

        assert not is_out(token)

    def test_signing_out_ends_this_one(self, services, wang, is_out):
        here, there = wang.sign_in().token, wang.sign_in().token

        services.staff_sessions.sign_out(actor=services.staff_sessions.authenticate(token=here))

        assert (is_out(here), is_out(there)) == (True, False)

    def test_everywhere_is_every_one(self, services, wang, administrator, is_out):
        tokens = [wang.sign_in().token for _ in range(3)]
        other = administrator.sign_in().token

        services.staff_sessions.end_all_own(
            actor=services.staff_sessions.authenticate(token=tokens[0])
        )

        assert all(map(is_out, tokens))
        assert not is_out(other)

    def test_a_key_of_a_program_has_none_of_it(self, services, wang, database):
        made = services.staff_tokens.create(actor=operator(), login_name="wang", name="x")
        actor = services.staff_tokens.authenticate(token=made.token)

        with pytest.raises(NotAllowed):
            services.staff_sessions.list_own(actor=actor)
        assert not actor.is_fresh


class TestDropOld:
    def test_what_is_older_than_the_law_asks_for_is_forgotten(
        self, services, wang, clock, database, is_out
    ):
        wang.sign_in()
        services.staff_resets.ask_by_mail(actor=visitor(), login_name="wang", visit=HOME)
        clock.advance(days=189)
        assert services.staff_sessions.drop_old(actor=system_actor("测试")) == 0
        clock.advance(days=2)
        token = wang.sign_in().token

        assert services.staff_sessions.drop_old(actor=system_actor("测试")) == 3

        assert not is_out(token)
        assert database.value("SELECT count(*) FROM sign_in_attempt") == 1
        with pytest.raises(NotAllowed):
            services.staff_sessions.drop_old(actor=visitor())
