"""Staff at the doors, over HTTP."""

import pyotp
import pytest

from gateways.passwords import Argon2Hasher
from services.sign_in_attempts import FREE_FAILURES
from tests import factories
from tests.miniapp_api.answers import facts, refusal

PASSWORD = "three green ladders"
NEW = "four yellow bridges"
_HASHED = Argon2Hasher().hash(PASSWORD)


@pytest.fixture
def call(client):
    def call(method, path, token="", *, headers=None, ip="127.0.0.1", **body):
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        more = {"json": body} if method == "POST" and body else {}
        return client.open(
            f"/api/v1/staff{path}",
            method=method,
            headers=headers,
            environ_overrides={"REMOTE_ADDR": ip},
            **more,
        )

    return call


@pytest.fixture
def staff(database):
    def staff(login_name, role="manager", **changes):
        with database.session() as session:
            values = {"password_hash": _HASHED} | changes
            return factories.make_staff(session, login_name=login_name, role=role, **values)

    return staff


@pytest.fixture
def wang(staff):
    return staff("wang", "finance", name="王芳", phone="19900000001")


@pytest.fixture
def sign_in(call):
    def sign_in(login_name="wang", password=PASSWORD, **more):
        answer = call("POST", "/sessions", login_name=login_name, password=password, **more)
        assert answer.status_code == 201, answer.text
        return answer.json["token"]

    return sign_in


@pytest.fixture
def admin(staff, sign_in):
    staff("admin", "administrator")
    return sign_in("admin")


@pytest.fixture
def is_in(call):
    def is_in(token):
        answer = call("GET", "/sessions", token)
        assert answer.status_code in (200, 401)
        return answer.status_code == 200

    return is_in


class TestSignIn:
    def test_tells_the_token_once(self, call, wang, is_in):
        answer = call("POST", "/sessions", login_name="wang", password=PASSWORD)

        assert answer.status_code == 201
        assert set(answer.json) == {"token", "expires_at", "name", "role", "must_first"}
        assert (answer.json["name"], answer.json["must_first"]) == ("王芳", None)
        assert is_in(answer.json["token"])

    def test_unknown_names_wrong_passwords_and_the_disabled_are_told_alike(self, call, wang, staff):
        staff("gone", is_active=False)

        answers = [
            call("POST", "/sessions", login_name=name, password=password)
            for name, password in (("wang", "wrong"), ("nobody", PASSWORD), ("gone", PASSWORD))
        ]

        assert refusal(answers[0], 401)["code"] == "wrong_credentials"
        assert facts(answers[0]) == facts(answers[1]) == facts(answers[2])

    def test_guessing_is_slowed_with_a_time_to_come_back(self, call, wang):
        for _ in range(FREE_FAILURES):
            call("POST", "/sessions", login_name="wang", password="wrong")

        answer = call("POST", "/sessions", login_name="wang", password=PASSWORD)

        assert refusal(answer, 429)["code"] == "sign_in_too_soon"
        assert answer.headers["Retry-After"] == "61"
        assert (
            call(
                "POST", "/sessions", ip="198.51.100.7", login_name="wang", password=PASSWORD
            ).status_code
            == 201
        )

    def test_the_second_factor(self, call, wang, sign_in, clock):
        token = sign_in()
        offer = call("POST", "/totp", token)
        assert offer.status_code == 201
        totp = pyotp.TOTP(offer.json["secret"])
        confirmed = call("POST", "/totp/confirmation", token, code=totp.at(clock.now()))
        assert len(confirmed.json["recovery_codes"]) == 10

        answer = call("POST", "/sessions", login_name="wang", password=PASSWORD)
        assert refusal(answer, 401)["code"] == "totp_needed"
        answer = call("POST", "/sessions", login_name="wang", password=PASSWORD, totp="000000")
        assert refusal(answer, 401)["code"] == "wrong_totp"
        clock.advance(seconds=30)
        assert sign_in(totp=totp.at(clock.now()))

    def test_a_device_id_of_the_wrong_form_is_none(self, call, wang, database):
        for device in ("short", "x" * 65, "é" * 20, "a b c d e f g h i j"):
            call(
                "POST",
                "/sessions",
                headers={"X-Device-Id": device},
                login_name="wang",
                password=PASSWORD,
            )

        assert database.value("SELECT count(DISTINCT device_sha256) FROM sign_in_attempt") == 1
        assert database.value("SELECT min(device_sha256) FROM sign_in_attempt") == ""


class TestEndingAtOnce:
    """The next request of an ended session is refused."""

    def test_sign_out(self, call, wang, sign_in, is_in):
        here, there = sign_in(), sign_in()

        assert call("DELETE", "/sessions/current", here).status_code == 204

        assert (is_in(here), is_in(there)) == (False, True)

    def test_everywhere(self, call, wang, sign_in, is_in):
        here, there = sign_in(), sign_in()

        assert call("DELETE", "/sessions", here).status_code == 204

        assert (is_in(here), is_in(there)) == (False, False)

    def test_one_of_the_list(self, call, wang, sign_in, is_in):
        lost, here = sign_in(), sign_in()
        items = call("GET", "/sessions", here).json["items"]
        lost_id = next(item["id"] for item in items if not item["is_current"])

        assert call("DELETE", f"/sessions/{lost_id}", here).status_code == 204

        assert (is_in(lost), is_in(here)) == (False, True)

    def test_disabled(self, call, wang, sign_in, is_in, admin):
        token = sign_in()

        assert call("POST", f"/accounts/{wang.id}/disable", admin).status_code == 204

        assert not is_in(token)
        answer = call("POST", "/sessions", login_name="wang", password=PASSWORD)
        assert refusal(answer, 401)["code"] == "wrong_credentials"

    def test_another_role(self, call, wang, sign_in, is_in, admin):
        token = sign_in()

        answer = call("POST", f"/accounts/{wang.id}/role", admin, role="auditor")

        assert answer.json == {"grant_id": None}
        assert not is_in(token)

    def test_reset_by_an_administrator(self, call, wang, staff, sign_in, is_in, admin):
        token = sign_in()
        staff("boss", "manager")

        answer = call("POST", f"/accounts/{wang.id}/password-reset", admin, drops_totp=False)

        assert not is_in(token)
        grant_id = answer.json["grant_id"]
        call("POST", f"/role-grants/{grant_id}/grant", sign_in("boss"))
        assert is_in(sign_in(password=answer.json["password"]))

    def test_reset_by_phone(self, call, wang, sign_in, is_in, queue, simulator):
        token = sign_in()
        assert call("POST", "/password-resets", login_name="wang", by="phone").status_code == 202
        queue.run()
        code = simulator.sms("19900000001")[0]["params"][0]

        answer = call(
            "POST", "/password-resets/by-code", login_name="wang", code=code, new_password=NEW
        )

        assert answer.status_code == 204
        assert not is_in(token)
        assert is_in(sign_in(password=NEW))

    def test_a_new_password_of_ones_own(self, call, wang, sign_in, is_in):
        here, there = sign_in(), sign_in()

        answer = call("POST", "/password", here, password=PASSWORD, new_password=NEW)

        assert (is_in(here), is_in(there)) == (False, False)
        assert is_in(answer.json["token"])

    def test_proving_oneself_again(self, call, wang, sign_in, is_in, clock):
        token = sign_in()
        clock.advance(minutes=15)

        answer = call("POST", "/sessions/current/proof", token, password=PASSWORD)

        assert answer.status_code == 200
        assert (is_in(token), is_in(answer.json["token"])) == (False, True)

    def test_a_session_of_an_owner_is_none_of_staff(self, call, owner, sign_in, wang, client):
        refusal(call("GET", "/sessions", owner.token), 401)
        headers = {"Authorization": f"Bearer {sign_in()}"}
        refusal(client.get("/api/v1/houses", headers=headers), 401)


class TestResets:
    def test_known_and_unknown_names_are_answered_alike(self, call, wang):
        for by in ("phone", "mail"):
            answers = [
                call("POST", "/password-resets", login_name=name, by=by)
                for name in ("wang", "nobody")
            ]
            assert answers[0].status_code == 202
            assert facts(answers[0]) == facts(answers[1])

    def test_the_host_that_was_asked_is_not_in_the_link(
        self, client, staff, queue, simulator, settings
    ):
        staff("li", email="li@cuihu.cn")
        client.post(
            "/api/v1/staff/password-resets",
            json={"login_name": "li", "by": "mail"},
            headers={"Host": "localhost", "X-Forwarded-Host": "evil.example"},
        )
        queue.run()

        (mail,) = simulator.get("mails")
        assert f"{settings.public_base_url}/staff/reset#token=" in mail["text"]
        assert "localhost" not in mail["text"].replace("127.0.0.1", "")
        assert "evil" not in str(mail)

    def test_a_dead_link(self, client):
        answer = client.post(
            "/api/v1/staff/password-resets/by-link",
            json={"token": "x" * 43, "new_password": NEW},
        )

        assert refusal(answer, 422)["code"] == "reset_not_valid"


class TestFirstSignIn:
    def test_nothing_but_a_new_password(self, call, sign_in, admin, is_in):
        made = call("POST", "/accounts", admin, login_name="eng", name="工程", role="engineer").json
        token = sign_in("eng", made["password"])

        for method, path in (("GET", "/accounts"), ("GET", "/role-grants")):
            # What the role may never do is refused first, so that nothing is told by the order.
            assert call(method, path, token).status_code == 403
        answer = call("POST", "/meter-readings", token, community="CH", readings=[_READING])
        assert refusal(answer, 403)["code"] == "password_change_needed"

        weak = call("POST", "/password", token, password=made["password"], new_password="short")
        assert refusal(weak, 422)["fields"] == {
            "password": ["至少 15 个字符，可以是几个不相干的词"]
        }
        changed = call("POST", "/password", token, password=made["password"], new_password=NEW)
        answer = call(
            "POST", "/meter-readings", changed.json["token"], community="CH", readings=[_READING]
        )
        assert refusal(answer, 404)["code"] == "not_found"


_READING = {"meter_no": "W1", "read_on": "2026-10-31", "reading": "1"}


class TestAccounts:
    def test_a_money_role_takes_two(self, call, admin, staff, sign_in):
        staff("li", "manager")
        made = call("POST", "/accounts", admin, login_name="sun", name="孙", role="cashier").json
        assert made["grant_id"]
        own = call("POST", f"/role-grants/{made['grant_id']}/grant", admin)
        assert refusal(own, 403)["code"] == "requester_is_approver"

        manager = sign_in("li")
        (waiting,) = call("GET", "/role-grants", manager).json["items"]
        assert (waiting["login_name"], waiting["role"]) == ("sun", "cashier")
        granted = call("POST", f"/role-grants/{made['grant_id']}/grant", manager)

        assert granted.status_code == 204
        assert sign_in("sun", made["password"])

    def test_refused(self, call, admin, staff, sign_in):
        staff("li", "manager")
        made = call("POST", "/accounts", admin, login_name="sun", name="孙", role="cashier").json

        assert (
            call("POST", f"/role-grants/{made['grant_id']}/refuse", sign_in("li")).status_code
            == 204
        )

        answer = call("POST", "/sessions", login_name="sun", password=made["password"])
        refusal(answer, 401)

    def test_edit_scope_enable_and_list(self, call, admin, staff, database):
        eng = staff("eng", "engineer", phone="19900000003")
        with database.session() as session:
            community = factories.make_community(session, code="CH", name="翠湖花园")
            factories.make_building(session, community=community, name="3栋")

        changed = call("POST", f"/accounts/{eng.id}", admin, name="张工", no_phone=True)
        assert changed.json == {"grant_id": None}
        for path, body in (
            ("/scope", {"buildings": [{"community": "CH", "building": "3栋"}]}),
            ("/disable", {}),
        ):
            answer = call("POST", f"/accounts/{eng.id}{path}", admin, **body)
            assert answer.status_code == 204, answer.text

        items = call("GET", "/accounts", admin).json["items"]
        shown = next(item for item in items if item["login_name"] == "eng")
        assert shown == {
            "id": eng.id,
            "login_name": "eng",
            "name": "张工",
            "role": "engineer",
            "is_active": False,
            "phone_masked": "",
            "has_email": False,
            "has_password": True,
            "has_totp": False,
            "scope": ["翠湖花园/3栋"],
        }
        assert call("POST", f"/accounts/{eng.id}/enable", admin).json == {"grant_id": None}

    def test_only_for_administrators(self, call, wang, sign_in):
        token = sign_in()

        for method, path in (
            ("GET", "/accounts"),
            ("POST", f"/accounts/{wang.id}/disable"),
            ("POST", f"/accounts/{wang.id}/enable"),
        ):
            assert refusal(call(method, path, token), 403)["code"] == "not_allowed"

    def test_after_ten_minutes_the_password_again(self, call, admin, staff, clock):
        eng = staff("eng", "engineer")
        clock.advance(minutes=10)

        answer = call("POST", f"/accounts/{eng.id}/disable", admin)
        assert refusal(answer, 403)["code"] == "reauthentication_needed"

        token = call("POST", "/sessions/current/proof", admin, password=PASSWORD).json["token"]
        assert call("POST", f"/accounts/{eng.id}/disable", token).status_code == 204

    def test_a_key_gives_no_power_away(self, call, staff, database):
        row = staff("admin", "administrator")
        with database.session() as session:
            key = factories.make_staff_token(session, staff=row)

        assert call("GET", "/accounts", key).status_code == 200
        answer = call("POST", f"/accounts/{row.id}/disable", key)
        assert refusal(answer, 403)["code"] == "reauthentication_needed"


class TestOwnerAccounts:
    def test_from_handing_out_to_a_password_of_ones_own(
        self, call, client, staff, sign_in, database, queue, simulator
    ):
        staff("ke", "customer_service")
        with database.session() as session:
            factories.make_owner(session, house=factories.make_house(session), phone="19900000001")
        made = call(
            "POST", "/owner-accounts", sign_in("ke"), phone="19900000001", login_name="yezhu101"
        )
        assert made.status_code == 201

        def post(path, token="", **body):
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return client.post(f"/api/v1{path}", json=body, headers=headers)

        opened = post(
            "/sessions/by-password", login_name="yezhu101", password=made.json["password"]
        )
        assert (opened.status_code, opened.json["must_change_password"]) == (201, True)
        token = opened.json["token"]
        headers = {"Authorization": f"Bearer {token}"}
        answer = client.get("/api/v1/houses", headers=headers)
        assert refusal(answer, 403)["code"] == "password_change_needed"
        changed = post("/password", token, password=made.json["password"], new_password=NEW)
        assert changed.status_code == 204
        assert client.get("/api/v1/houses", headers=headers).status_code == 200

        assert post("/password-resets", phone="19900000001").status_code == 202
        queue.run()
        code = simulator.sms("19900000001")[0]["params"][0]
        reset = post(
            "/password-resets/by-code",
            phone="19900000001",
            code=code,
            new_password="six purple windows",
        )
        assert reset.status_code == 204
        assert client.get("/api/v1/houses", headers=headers).status_code == 401

    def test_wrong_and_unknown_are_told_alike(self, client, database):
        with database.session() as session:
            factories.make_account(session, login_name="yezhu101", password_hash=_HASHED)

        answers = [
            client.post(
                "/api/v1/sessions/by-password", json={"login_name": name, "password": "wrong"}
            )
            for name in ("yezhu101", "nobody")
        ]

        assert refusal(answers[0], 401)["code"] == "wrong_credentials"
        assert facts(answers[0]) == facts(answers[1])
