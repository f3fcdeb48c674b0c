from datetime import timedelta

import pytest

from models import Account
from services.owner_sessions import SESSION_LIFE
from tests import factories
from tests.miniapp_api.answers import facts, refusal

PHONE = "19900000001"
STRANGER = "19900000099"


@pytest.fixture
def post(client):
    return lambda path, **body: client.post(f"/api/v1{path}", json=body)


@pytest.fixture
def newest_code(queue, simulator):
    """The code in the newest short message of a phone."""

    def newest_code(phone=PHONE):
        queue.run()
        return simulator.sms(phone)[0]["params"][0]

    return newest_code


@pytest.fixture
def code(post, newest_code, simulator):
    assert post("/phone-codes", phone=PHONE).status_code == 202
    return newest_code()


@pytest.fixture
def is_in(client):
    """Whether a token opens the door."""

    def is_in(token):
        answer = client.get("/api/v1/houses", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code in (200, 401)
        return answer.status_code == 200

    return is_in


def other(code):
    return f"{(int(code) + 1) % 1_000_000:06d}"


class TestRequestCode:
    def test_answers_with_the_pause_and_the_life(self, post):
        answer = post("/phone-codes", phone=PHONE)

        assert (answer.status_code, answer.json) == (
            202,
            {"resend_after_s": 60, "expires_in_s": 300},
        )

    def test_is_the_same_for_a_phone_on_file_and_a_strangers(self, post, database):
        with database.session() as session:
            factories.make_owner(session, phone=PHONE)

        assert facts(post("/phone-codes", phone=PHONE)) == facts(
            post("/phone-codes", phone=STRANGER)
        )

    @pytest.mark.parametrize("phone", ["+86 199 0000 0001", "199-0000-0001", "8619900000001"])
    def test_takes_the_usual_ways_to_write_a_number(self, post, newest_code, simulator, phone):
        assert post("/phone-codes", phone=phone).status_code == 202
        assert len(newest_code()) == 6

    @pytest.mark.parametrize(
        "phone",
        ["12345678901", "1990000000", "１９９００００００００１", "+1 2025550123", "199'--"],
    )
    def test_refuses_what_is_no_mobile_number(self, post, phone, database):
        assert refusal(post("/phone-codes", phone=phone), 422)["code"] == "not_a_phone"
        assert database.value("SELECT count(*) FROM login_code") == 0

    def test_says_when_to_come_back(self, post):
        post("/phone-codes", phone=PHONE)

        answer = post("/phone-codes", phone=PHONE)

        assert refusal(answer, 429)["code"] == "code_too_soon"
        assert 1 <= int(answer.headers["Retry-After"]) <= 61


class TestByPhoneCode:
    def test_opens_a_session(self, post, code, is_in):
        answer = post("/sessions/by-phone-code", phone=PHONE, code=code)

        assert answer.status_code == 201
        assert answer.json["phone_masked"] == "199****0001"
        assert answer.json["house_count"] == 0
        assert is_in(answer.json["token"])

    def test_binds_the_houses_on_file(self, post, code, database):
        with database.session() as session:
            factories.make_owner(session, house=factories.make_house(session), phone=PHONE)

        answer = post("/sessions/by-phone-code", phone=PHONE, code=code)

        assert answer.json["house_count"] == 1

    def test_a_code_opens_one_session_only(self, post, code):
        post("/sessions/by-phone-code", phone=PHONE, code=code)

        answer = post("/sessions/by-phone-code", phone=PHONE, code=code)

        assert refusal(answer, 422)["code"] == "wrong_code"

    def test_five_wrong_guesses_kill_the_code(self, post, code):
        for _ in range(5):
            answer = post("/sessions/by-phone-code", phone=PHONE, code=other(code))
            assert refusal(answer, 422)["code"] == "wrong_code"

        assert refusal(post("/sessions/by-phone-code", phone=PHONE, code=code), 422)

    def test_a_code_is_worth_nothing_after_five_minutes(self, post, code, clock):
        clock.advance(minutes=5)

        assert refusal(post("/sessions/by-phone-code", phone=PHONE, code=code), 422)

    def test_a_code_is_worth_nothing_for_another_phone(self, post, code):
        answer = post("/sessions/by-phone-code", phone=STRANGER, code=code)

        assert refusal(answer, 422)["code"] == "wrong_code"

    def test_a_disabled_account_stays_out(self, post, code, database):
        with database.session() as session:
            factories.make_account(session, phone=PHONE, is_active=False)

        answer = post("/sessions/by-phone-code", phone=PHONE, code=code)

        assert refusal(answer, 403)["code"] == "account_disabled"

    def test_a_wechat_code_that_is_refused_does_not_use_up_the_phone_code(self, post, code):
        answer = post("/sessions/by-phone-code", phone=PHONE, code=code, wechat_code="nonsense")
        assert refusal(answer, 422)["code"] == "wechat_code_used"

        assert post("/sessions/by-phone-code", phone=PHONE, code=code).status_code == 201


class TestByWechat:
    def test_asks_an_unknown_wechat_for_the_phone_first(self, post, simulator):
        answer = post("/sessions/by-wechat", wechat_code=simulator.wx_login(PHONE))

        assert refusal(answer, 401)["code"] == "wechat_not_bound"

    def test_lets_in_whoever_bound_it_before(self, post, code, simulator, is_in):
        wechat_code = simulator.wx_login(PHONE)
        post("/sessions/by-phone-code", phone=PHONE, code=code, wechat_code=wechat_code)

        answer = post("/sessions/by-wechat", wechat_code=simulator.wx_login(PHONE))

        assert answer.status_code == 201
        assert is_in(answer.json["token"])

    def test_a_code_of_another_app_is_refused(self, post, simulator):
        simulator.person(PHONE)
        foreign = simulator.post(f"people/{PHONE}/wx_login", tenant="foreign")["code"]

        assert refusal(post("/sessions/by-wechat", wechat_code=foreign), 422)

    def test_our_own_trouble_with_wechat_is_no_fault_of_the_client(self, post, simulator):
        simulator.fault(host="wx", path="jscode2session", errcode=40125)

        answer = post("/sessions/by-wechat", wechat_code=simulator.wx_login(PHONE))

        assert refusal(answer, 502)["code"] == "platform_refused"

    def test_says_to_try_later_when_wechat_is_away(self, post, simulator):
        simulator.fault(host="wx", path="jscode2session", times=None, status=502)

        answer = post("/sessions/by-wechat", wechat_code=simulator.wx_login(PHONE))

        assert refusal(answer, 503)["code"] == "platform_unavailable"

    @pytest.mark.parametrize("wechat_code", ["", "a b", "a\n", "码", "x" * 129, "'; DROP TABLE", 7])
    def test_refuses_what_can_be_no_code_without_asking(self, post, simulator, wechat_code):
        error = refusal(post("/sessions/by-wechat", wechat_code=wechat_code), 422)

        assert set(error["fields"]) == {"wechat_code"}
        assert simulator.journal("jscode2session") == []


class TestByWechatPhone:
    def test_opens_a_session_for_the_phone_that_wechat_tells(self, post, simulator, is_in):
        answer = post(
            "/sessions/by-wechat-phone",
            wechat_code=simulator.wx_login(PHONE),
            phone_code=simulator.phone_code(PHONE),
        )

        assert answer.status_code == 201
        assert answer.json["phone_masked"] == "199****0001"
        assert is_in(answer.json["token"])


class TestEnding:
    def test_sign_out_ends_this_session_at_once(self, owner, is_in, database):
        with database.session() as session:
            account = session.get_one(Account, owner.account_id)
            other_device = factories.make_session(session, account=account)

        assert owner.call("DELETE", "/sessions/current").status_code == 204

        assert not is_in(owner.token)
        assert is_in(other_device)

    def test_sign_out_everywhere_ends_all_of_them(self, owner, is_in, database):
        with database.session() as session:
            account = session.get_one(Account, owner.account_id)
            other_device = factories.make_session(session, account=account)

        assert owner.call("DELETE", "/sessions").status_code == 204

        assert not is_in(owner.token)
        assert not is_in(other_device)

    def test_a_session_ends_after_its_life(self, owner, is_in, clock):
        clock.advance(seconds=SESSION_LIFE.total_seconds() + 60)

        assert not is_in(owner.token)

    def test_a_disabled_account_is_out_on_the_next_request(self, owner, is_in, database):
        database.do("UPDATE account SET is_active = false")

        assert not is_in(owner.token)

    def test_sessions_of_others_go_on(self, make_signed_in, is_in):
        owner, neighbour = make_signed_in(), make_signed_in(phone="19900000002")

        owner.call("DELETE", "/sessions")

        assert is_in(neighbour.token)


class TestSecrecy:
    def test_neither_token_nor_code_stands_in_the_database(self, post, code, database, queue):
        token = post("/sessions/by-phone-code", phone=PHONE, code=code).json["token"]
        queue.run()

        tables = database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for table in tables:
            rows = str(database.rows(f"SELECT t::text FROM {table['tablename']} t"))
            assert token not in rows
            assert f'"{code}"' not in rows

    def test_a_session_lasts_thirty_days(self, post, code, clock):
        answer = post("/sessions/by-phone-code", phone=PHONE, code=code)

        assert answer.json["expires_at"].startswith(
            (clock.now() + timedelta(days=30)).isoformat()[:19]
        )
