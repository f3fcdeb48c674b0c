"""Signing in. Source of the numbers: domain.md D11."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from domain.actors import ActorKind, Permission, operator, visitor
from domain.errors import NotAllowed, NotSignedIn, PlatformUnavailable
from domain.phones import NotAPhone
from services.login import Login, WechatCodeUsed, WechatNotBound
from services.owner_sessions import AccountDisabled
from services.phone_codes import CODE_TRIES, CodeTooSoon, PhoneCodes, WrongCode
from services.sign_in_attempts import Visit
from tests import factories
from tests.factories import actor_without

PHONE = "19900000001"
OTHER_PHONE = "19900000002"
IP = "203.0.113.5"
SHANGHAI_TEN_AM = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
SHANGHAI_MIDNIGHT = datetime(2026, 11, 24, 16, 0, tzinfo=UTC)


@pytest.fixture
def ask(services):
    """Ask for a code."""

    def ask(phone=PHONE, ip=IP, actor=None, device=""):
        services.login.request_code(actor=actor or visitor(), phone=phone, visit=Visit(ip, device))

    return ask


@pytest.fixture
def told(database):
    """The code of the newest message to a phone, before it is delivered and wiped."""

    def told(phone=PHONE):
        return database.value(
            "SELECT payload->>'code' FROM outbox_message WHERE recipient = :phone"
            " ORDER BY id DESC LIMIT 1",
            phone=phone,
        )

    return told


@pytest.fixture
def sign_in(services):
    def sign_in(code, phone=PHONE, actor=None, device="", **more):
        return services.login.sign_in_by_code(
            actor=actor or visitor(), phone=phone, code=code, visit=Visit(IP, device), **more
        )

    return sign_in


@pytest.fixture
def signed_in(ask, told, sign_in, clock):
    """Sign a phone in from nothing."""

    def signed_in(phone=PHONE, **more):
        clock.advance(seconds=61)
        ask(phone)
        return sign_in(told(phone), phone, **more)

    return signed_in


@pytest.fixture
def sessions(database):
    return lambda: database.value("SELECT count(*) FROM session_token")


def wrong(code):
    return f"{(int(code) + 1) % 1_000_000:06d}"


class TestRequestCode:
    def test_six_digits_go_out_by_sms_for_five_minutes(self, ask, database, clock, queue):
        ask()

        message = database.rows("SELECT * FROM outbox_message")[0]
        assert (message["kind"], message["channel"]) == ("login_code", "sms")
        assert message["recipient"] == PHONE
        assert re.fullmatch(r"[0-9]{6}", message["payload"]["code"])
        assert message["payload"]["minutes"] == "5"
        assert message["expires_at"] == clock.now() + timedelta(minutes=5)
        assert queue.jobs == [("deliver_messages", {})]

    def test_usual_ways_to_write_a_phone_are_one_phone(self, ask, database):
        ask("+86 199-0000-0001")

        assert database.value("SELECT phone FROM login_code") == PHONE

    @pytest.mark.parametrize("phone", ["", "1990000", "12900000001", "１９９００００００01"])
    def test_what_is_no_phone_is_refused(self, ask, database, phone):
        with pytest.raises(NotAPhone):
            ask(phone)

        assert database.rows("SELECT * FROM login_code") == []

    def test_once_delivered_the_code_stands_in_no_table(
        self, ask, queue, simulator, database, sign_in
    ):
        ask()
        queue.run()

        code = simulator.sms(PHONE)[0]["params"][0]
        tables = database.rows("SELECT tablename AS name FROM pg_tables WHERE schemaname='public'")
        found = [
            table["name"]
            for table in tables
            for row in database.rows(f"SELECT t::text AS words FROM {table['name']} t")
            if re.search(rf"(?<![0-9a-f.]){code}(?![0-9a-f])", row["words"])
        ]
        assert found == []
        assert sign_in(code).token

    def test_the_hash_is_bound_to_the_phone_and_keyed(self, ask, services, told, database):
        ask()
        ask(OTHER_PHONE)
        code = told()

        codes = services.login.codes
        hashes = {
            codes.hmac_of(PHONE, "sign_in", "", code),
            codes.hmac_of(OTHER_PHONE, "sign_in", "", code),
            codes.hmac_of(PHONE, "change_phone", "", code),
            codes.hmac_of(PHONE, "sign_in", "another device", code),
            PhoneCodes(b"x", 9).hmac_of(PHONE, "sign_in", "", code),
        }

        assert len(hashes) == 5
        stored = database.value("SELECT code_hmac FROM login_code WHERE phone = :p", p=PHONE)
        assert stored in hashes

    def test_a_known_and_an_unknown_phone_make_the_same_rows_and_work(
        self, ask, database, statements
    ):
        with database.session() as session:
            house = factories.make_house(session)
            known = factories.make_owner(session, house=house, phone=PHONE)
            factories.make_account(session, owner=known, houses=[house])

        ask(PHONE)
        for_known = statements[:]
        statements.clear()
        ask(OTHER_PHONE)

        assert statements == for_known
        assert database.value("SELECT count(*) FROM login_code") == 2
        assert database.value("SELECT count(*) FROM outbox_message") == 2
        assert database.value("SELECT count(*) FROM account") == 1

    def test_only_with_the_permission(self, ask, database):
        with pytest.raises(NotAllowed):
            ask(actor=actor_without(Permission.SIGN_IN))

        assert database.rows("SELECT * FROM login_code") == []


class TestLimits:
    @pytest.fixture(autouse=True)
    def morning(self, clock):
        clock.set(SHANGHAI_TEN_AM)

    def test_a_phone_pauses_for_a_minute(self, ask, clock, database):
        ask()
        clock.advance(seconds=59)

        with pytest.raises(CodeTooSoon) as refusal:
            ask()

        assert refusal.value.retry_after_s == 2
        assert database.value("SELECT count(*) FROM login_code") == 1
        clock.advance(seconds=1)
        ask()
        assert database.value("SELECT count(*) FROM outbox_message") == 2

    def test_another_phone_need_not_pause(self, ask, database):
        ask()
        ask(OTHER_PHONE)

        assert database.value("SELECT count(*) FROM login_code") == 2

    def test_five_an_hour_for_a_phone(self, ask, clock):
        for _ in range(5):
            ask()
            clock.advance(minutes=2)

        with pytest.raises(CodeTooSoon) as refusal:
            ask()

        assert 0 < refusal.value.retry_after_s <= 3600
        clock.set(SHANGHAI_TEN_AM + timedelta(minutes=60, seconds=1))
        ask()

    def test_ten_a_day_for_a_phone_until_midnight_in_shanghai(self, ask, clock):
        for _ in range(10):
            ask()
            clock.advance(minutes=15)

        with pytest.raises(CodeTooSoon) as refusal:
            ask()

        left_s = (SHANGHAI_MIDNIGHT - clock.now()).total_seconds()
        assert refusal.value.retry_after_s == pytest.approx(left_s, abs=1)
        clock.set(SHANGHAI_MIDNIGHT - timedelta(seconds=1))
        with pytest.raises(CodeTooSoon):
            ask()
        clock.set(SHANGHAI_MIDNIGHT)
        ask()

    def test_twenty_a_day_for_an_address(self, ask):
        for number in range(20):
            ask(f"199{number:08d}")

        with pytest.raises(CodeTooSoon):
            ask("19900000020")

        ask("19900000020", ip="203.0.113.6")

    def test_a_daily_cap_sends_no_more_and_calls_a_person(self, services, ask, database):
        login = services.login
        codes = PhoneCodes(login.codes.code_key, daily_cap=2)
        capped = Login(login.unit_of_work, login.mini_program, codes, login.texts)
        ask("19900000003", ip="203.0.113.3")
        capped.request_code(actor=visitor(), phone=PHONE, visit=Visit(IP))

        for _ in range(2):
            with pytest.raises(CodeTooSoon):
                capped.request_code(actor=visitor(), phone=OTHER_PHONE, visit=Visit("198.51.100.6"))

        assert database.value("SELECT count(*) FROM outbox_message") == 2
        assert database.rows("SELECT kind, subject FROM staff_task") == [
            {"kind": "sms_cap_reached", "subject": "2026-11-24"}
        ]

    def test_many_taps_at_once_send_one_code(self, ask, together, database):
        results = together(*[ask] * 8)

        assert sum(isinstance(result, CodeTooSoon) for result in results) == 7
        assert database.value("SELECT count(*) FROM outbox_message") == 1

    def test_many_phones_at_once_from_one_address_keep_its_limit(self, ask, together, database):
        works = [lambda number=number: ask(f"199{number:08d}") for number in range(24)]

        results = together(*works)

        assert sum(isinstance(result, CodeTooSoon) for result in results) == 4
        assert database.value("SELECT count(*) FROM login_code") == 20


class TestSignInByCode:
    def test_the_right_code_opens_a_session(self, signed_in, clock, database):
        opened = signed_in()

        assert opened.phone_masked == "199****0001"
        assert opened.expires_at == clock.now() + timedelta(days=30)
        assert database.value("SELECT phone FROM account") == PHONE

    def test_the_token_is_kept_only_as_a_hash(self, signed_in, database):
        opened = signed_in()

        row = database.rows("SELECT * FROM session_token")[0]
        assert opened.token not in str(row)
        assert len(opened.token) >= 43

    def test_it_is_on_record_without_the_phone(self, signed_in, audit, database):
        signed_in()

        assert audit() == ["signed_in"]
        assert PHONE not in str(database.rows("SELECT * FROM audit_entry"))

    def test_houses_of_the_phone_on_file_are_bound_and_counted(self, signed_in, database, audit):
        with database.session() as session:
            houses = [factories.make_house(session) for _ in range(2)]
            for house in houses:
                factories.make_owner(session, house=house, phone=PHONE)

        opened = signed_in()

        assert opened.house_count == 2
        assert audit() == ["house_bound", "house_bound", "signed_in"]

    def test_a_second_sign_in_finds_the_same_account(self, signed_in, database, sessions):
        signed_in()
        signed_in()

        assert database.value("SELECT count(*) FROM account") == 1
        assert sessions() == 2

    def test_five_wrong_guesses_and_the_right_one_is_too_late(self, ask, told, sign_in, sessions):
        ask()
        for _ in range(CODE_TRIES):
            with pytest.raises(WrongCode):
                sign_in(wrong(told()))

        with pytest.raises(WrongCode):
            sign_in(told())

        assert sessions() == 0

    def test_four_wrong_guesses_leave_one(self, ask, told, sign_in):
        ask()
        for _ in range(CODE_TRIES - 1):
            with pytest.raises(WrongCode):
                sign_in(wrong(told()))

        assert sign_in(told()).token

    def test_a_code_lives_for_five_minutes(self, ask, told, sign_in, clock, sessions):
        ask()
        clock.advance(minutes=5)

        with pytest.raises(WrongCode):
            sign_in(told())

        assert sessions() == 0

    def test_just_before_five_minutes_it_still_works(self, ask, told, sign_in, clock):
        ask()
        clock.advance(minutes=4, seconds=59)

        assert sign_in(told()).token

    def test_only_the_newest_code_counts(self, ask, told, sign_in, clock):
        ask()
        old = told()
        clock.advance(seconds=61)
        ask()
        if told() == old:
            pytest.skip("one in a million: both codes are the same")

        with pytest.raises(WrongCode):
            sign_in(old)

        assert sign_in(told()).token

    def test_a_code_is_good_for_its_own_phone_only(self, ask, told, sign_in):
        ask()
        ask(OTHER_PHONE)
        if told() == told(OTHER_PHONE):
            pytest.skip("one in a million: both codes are the same")

        with pytest.raises(WrongCode):
            sign_in(told(), OTHER_PHONE)

    def test_a_code_for_another_purpose_is_no_code(self, ask, told, sign_in, database):
        ask()
        database.do("UPDATE login_code SET purpose = 'change_phone'")

        with pytest.raises(WrongCode):
            sign_in(told())

    def test_a_code_works_once(self, ask, told, sign_in, sessions):
        ask()
        sign_in(told())

        with pytest.raises(WrongCode):
            sign_in(told())

        assert sessions() == 1

    @pytest.mark.parametrize("code", ["", "000000", "abc", "１２３４５６", "0" * 5000])
    def test_a_phone_that_never_asked_has_no_code(self, sign_in, sessions, code):
        with pytest.raises(WrongCode):
            sign_in(code)

        assert sessions() == 0

    def test_what_is_no_phone_is_refused(self, sign_in):
        with pytest.raises(NotAPhone):
            sign_in("123456", phone="1990000")

    def test_only_with_the_permission(self, sign_in, ask, told, sessions):
        ask()

        with pytest.raises(NotAllowed):
            sign_in(told(), actor=actor_without(Permission.SIGN_IN))

        assert sessions() == 0


class TestManyAtOnce:
    def test_of_a_hundred_guesses_five_are_checked(self, ask, told, sign_in, together, database):
        ask()
        code = int(told())
        guesses = [f"{(code + number) % 1_000_000:06d}" for number in range(1, 101)]

        results = together(*(lambda guess=guess: sign_in(guess) for guess in guesses))

        assert all(isinstance(result, WrongCode) for result in results)
        assert database.value("SELECT tries_left FROM login_code") == 0
        with pytest.raises(WrongCode):
            sign_in(told())

    def test_the_right_code_many_times_opens_one_session(
        self, ask, told, sign_in, together, sessions
    ):
        ask()
        code = told()

        results = together(*[lambda: sign_in(code)] * 12)

        assert sum(isinstance(result, WrongCode) for result in results) == 11
        assert sessions() == 1


class TestSignInByCodeWithWechat:
    def test_wechat_is_asked_only_after_the_code_was_right(self, ask, told, sign_in, simulator):
        ask()
        code = told()

        with pytest.raises(WrongCode):
            sign_in(wrong(code), wechat_code=simulator.wx_login(PHONE))

        assert simulator.journal("jscode2session") == []
        assert sign_in(code, wechat_code=simulator.wx_login(PHONE))

    def test_the_openid_is_bound_and_the_next_visit_needs_no_phone(
        self, services, signed_in, simulator, database, audit
    ):
        signed_in(wechat_code=simulator.wx_login(PHONE))

        opened = services.login.sign_in_by_wechat(
            actor=visitor(), wechat_code=simulator.wx_login(PHONE)
        )

        assert opened.phone_masked == "199****0001"
        assert database.value("SELECT count(*) FROM wechat_identity") == 1
        assert audit("wechat_identity_bound") == [
            {"appid": simulator.mini_appid, "moved_from_account_id": None}
        ]

    def test_a_code_that_wechat_refuses_uses_nothing_up(
        self, ask, told, sign_in, simulator, sessions
    ):
        ask()

        with pytest.raises(WechatCodeUsed):
            sign_in(told(), wechat_code="nonsense")

        assert sessions() == 0
        assert sign_in(told()).token

    def test_wechat_without_an_answer_uses_nothing_up(self, ask, told, sign_in, simulator):
        ask()
        simulator.fault(host="wx", path="jscode2session", times=None, lost_answer=True)

        with pytest.raises(PlatformUnavailable):
            sign_in(told(), wechat_code=simulator.wx_login(PHONE))

        simulator.clear_faults()
        assert sign_in(told()).token

    def test_a_wrong_phone_code_binds_nothing(self, ask, told, sign_in, simulator, database):
        ask()

        with pytest.raises(WrongCode):
            sign_in(wrong(told()), wechat_code=simulator.wx_login(PHONE))

        assert database.rows("SELECT * FROM wechat_identity") == []

    def test_an_openid_moves_to_whoever_proved_a_phone_last(
        self, services, signed_in, simulator, database, audit
    ):
        signed_in(PHONE, wechat_code=simulator.wx_login(PHONE))
        signed_in(OTHER_PHONE, wechat_code=simulator.wx_login(PHONE))

        opened = services.login.sign_in_by_wechat(
            actor=visitor(), wechat_code=simulator.wx_login(PHONE)
        )

        assert opened.phone_masked == "199****0002"
        assert database.value("SELECT count(*) FROM wechat_identity") == 1
        first = database.value("SELECT id FROM account WHERE phone = :p", p=PHONE)
        assert audit("wechat_identity_bound")[1]["moved_from_account_id"] == first

    def test_other_identities_of_the_person_come_along(self, signed_in, simulator, database):
        person = simulator.person(PHONE)
        with database.session() as session:
            factories.make_identity(
                session,
                appid=simulator.official_appid,
                openid=person["openid_official"],
                unionid=person["unionid"],
                is_following=True,
            )
            factories.make_identity(
                session, appid=simulator.official_appid, openid="stranger", unionid="another"
            )

        signed_in(wechat_code=simulator.wx_login(PHONE))

        bound = database.rows("SELECT openid FROM wechat_identity WHERE account_id IS NOT NULL")
        assert {row["openid"] for row in bound} == {
            person["openid_official"],
            person["openid_miniapp"],
        }


class TestSignInByWechat:
    def test_a_stranger_must_first_prove_a_phone(self, services, simulator, sessions):
        with pytest.raises(WechatNotBound):
            services.login.sign_in_by_wechat(actor=visitor(), wechat_code=simulator.wx_login(PHONE))

        assert sessions() == 0

    def test_a_wechat_code_works_once(self, services, signed_in, simulator):
        code = simulator.wx_login(PHONE)
        signed_in(wechat_code=code)

        with pytest.raises(WechatCodeUsed):
            services.login.sign_in_by_wechat(actor=visitor(), wechat_code=code)

    def test_wechat_without_an_answer(self, services, simulator):
        simulator.fault(host="wx", path="jscode2session", times=None, lost_answer=True)

        with pytest.raises(PlatformUnavailable):
            services.login.sign_in_by_wechat(actor=visitor(), wechat_code=simulator.wx_login(PHONE))

    def test_only_with_the_permission(self, services, simulator):
        with pytest.raises(NotAllowed):
            services.login.sign_in_by_wechat(
                actor=actor_without(Permission.SIGN_IN), wechat_code="x"
            )

        assert simulator.journal("jscode2session") == []


class TestSignInByWechatPhone:
    @pytest.fixture
    def tap(self, services):
        def tap(wechat_code, phone_code, actor=None):
            return services.login.sign_in_by_wechat_phone(
                actor=actor or visitor(), wechat_code=wechat_code, phone_code=phone_code
            )

        return tap

    def test_one_tap_proves_phone_and_wechat(self, services, tap, simulator, database):
        opened = tap(simulator.wx_login(PHONE), simulator.phone_code(PHONE))

        assert opened.phone_masked == "199****0001"
        assert database.value("SELECT phone FROM account") == PHONE
        again = services.login.sign_in_by_wechat(
            actor=visitor(), wechat_code=simulator.wx_login(PHONE)
        )
        assert again.phone_masked == opened.phone_masked

    def test_a_phone_code_works_once(self, tap, simulator, sessions):
        phone_code = simulator.phone_code(PHONE)
        tap(simulator.wx_login(PHONE), phone_code)

        with pytest.raises(WechatCodeUsed):
            tap(simulator.wx_login(PHONE), phone_code)

        assert sessions() == 1

    def test_wechat_without_an_answer(self, tap, simulator):
        simulator.fault(host="wx", path="getuserphonenumber", times=None, lost_answer=True)

        with pytest.raises(PlatformUnavailable):
            tap(simulator.wx_login(PHONE), simulator.phone_code(PHONE))

    def test_only_with_the_permission(self, tap, simulator):
        with pytest.raises(NotAllowed):
            tap("x", "y", actor=actor_without(Permission.SIGN_IN))

        assert simulator.journal("jscode2session") == []


class TestDisabledAccount:
    @pytest.fixture
    def switch_off(self, database):
        return lambda: database.do("UPDATE account SET is_active = false")

    def test_its_sessions_end_at_once(self, services, signed_in, switch_off):
        token = signed_in().token
        switch_off()

        with pytest.raises(NotSignedIn):
            services.login.authenticate(token=token)

    def test_no_door_opens(self, services, signed_in, switch_off, simulator, sessions):
        signed_in(wechat_code=simulator.wx_login(PHONE))
        switch_off()

        with pytest.raises(AccountDisabled):
            signed_in()
        with pytest.raises(AccountDisabled):
            services.login.sign_in_by_wechat(actor=visitor(), wechat_code=simulator.wx_login(PHONE))
        with pytest.raises(AccountDisabled):
            services.login.sign_in_by_wechat_phone(
                actor=visitor(),
                wechat_code=simulator.wx_login(PHONE),
                phone_code=simulator.phone_code(PHONE),
            )
        assert sessions() == 1


class TestAuthenticate:
    def test_a_token_names_its_owner(self, services, signed_in, database):
        actor = services.login.authenticate(token=signed_in().token, request_id="req-1")

        assert actor.kind is ActorKind.OWNER
        assert actor.account_id == database.value("SELECT id FROM account")
        assert actor.request_id == "req-1"

    @pytest.mark.parametrize("token", ["", "nonsense"])
    def test_an_unknown_token_is_nobody(self, services, signed_in, token):
        signed_in()

        with pytest.raises(NotSignedIn):
            services.login.authenticate(token=token)

    def test_the_stored_hash_is_no_token(self, services, signed_in, database):
        signed_in()

        with pytest.raises(NotSignedIn):
            services.login.authenticate(
                token=database.value("SELECT token_sha256 FROM session_token")
            )

    def test_a_session_ends_after_thirty_days(self, services, signed_in, clock):
        token = signed_in().token
        clock.advance(days=30, seconds=-1)
        services.login.authenticate(token=token)

        clock.advance(seconds=1)

        with pytest.raises(NotSignedIn):
            services.login.authenticate(token=token)


class TestSignOut:
    def test_this_device_is_out_the_other_stays(self, services, signed_in, audit):
        token, other = signed_in().token, signed_in().token
        actor = services.login.authenticate(token=token)

        services.login.sign_out(actor=actor, token=token)

        with pytest.raises(NotSignedIn):
            services.login.authenticate(token=token)
        services.login.authenticate(token=other)
        assert audit()[-1] == "signed_out"

    def test_nobody_ends_a_stranger_s_session(self, services, signed_in):
        token, strange = signed_in().token, signed_in(OTHER_PHONE).token

        services.login.sign_out(actor=services.login.authenticate(token=token), token=strange)

        services.login.authenticate(token=strange)

    def test_the_first_time_of_signing_out_is_kept(self, services, signed_in, database, clock):
        token = signed_in().token
        actor = services.login.authenticate(token=token)
        services.login.sign_out(actor=actor, token=token)
        first = database.value("SELECT revoked_at FROM session_token")
        clock.advance(minutes=1)

        services.login.sign_out(actor=actor, token=token)

        assert database.value("SELECT revoked_at FROM session_token") == first

    def test_everywhere_lets_no_wechat_in_again_without_a_code(
        self, services, signed_in, simulator
    ):
        """A lost phone has a WeChat on it."""
        token = signed_in(wechat_code=simulator.wx_login(PHONE)).token
        services.login.sign_in_by_wechat(actor=visitor(), wechat_code=simulator.wx_login(PHONE))

        services.login.sign_out_everywhere(actor=services.login.authenticate(token=token))

        with pytest.raises(WechatNotBound):
            services.login.sign_in_by_wechat(actor=visitor(), wechat_code=simulator.wx_login(PHONE))

    def test_a_session_remembers_the_wechat_that_opened_it(self, services, signed_in, simulator):
        token = signed_in(wechat_code=simulator.wx_login(PHONE)).token

        actor = services.login.authenticate(token=token)

        assert actor.openid == simulator.person(PHONE)["openid_miniapp"]

    def test_everywhere_is_every_device_of_the_account(self, services, signed_in, audit):
        token, other = signed_in().token, signed_in().token
        strange = signed_in(OTHER_PHONE).token

        services.login.sign_out_everywhere(actor=services.login.authenticate(token=token))

        for ended in (token, other):
            with pytest.raises(NotSignedIn):
                services.login.authenticate(token=ended)
        services.login.authenticate(token=strange)
        assert audit()[-1] == "signed_out_everywhere"

    @pytest.mark.parametrize(
        "actor", [visitor(), operator(), actor_without(Permission.MANAGE_OWN_SESSION)]
    )
    def test_only_with_the_permission(self, services, signed_in, actor):
        token = signed_in().token

        with pytest.raises(NotAllowed):
            services.login.sign_out(actor=actor, token=token)
        with pytest.raises(NotAllowed):
            services.login.sign_out_everywhere(actor=actor)

        services.login.authenticate(token=token)


def test_codes_are_spread_over_all_six_digits(unit_of_work, services, clock, database):
    """A weak generator, such as one that never begins with 0, would show here."""
    clock.set(SHANGHAI_TEN_AM)
    for number in range(60):
        services.login.request_code(
            actor=visitor(), phone=f"199{number:08d}", visit=Visit(f"203.0.113.{number}")
        )

    firsts = unit_of_work.run(
        lambda tx: tx.session.scalars(
            text("SELECT DISTINCT left(payload->>'code', 1) FROM outbox_message")
        ).all()
    )
    assert len(firsts) >= 6
