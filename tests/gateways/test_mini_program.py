"""The mini-program's codes against the simulator."""

from typing import Any

import pytest

from domain.errors import PlatformRefused, PlatformUnavailable
from gateways.mini_program import TokenProbe, WechatMiniProgram
from gateways.wechat_client import AppClient

PHONE = "19900000001"
SESSION = "/sns/jscode2session"
NUMBER = "/wxa/business/getuserphonenumber"


@pytest.fixture
def mini_program(gateways):
    return gateways.mini_program


@pytest.fixture
def person(simulator):
    return simulator.person()


class TestSignIn:
    def test_who_holds_the_phone(self, mini_program, simulator, person):
        login = mini_program.sign_in(code=simulator.code("wx_login"))

        assert login.appid == mini_program.appid == simulator.mini_appid
        assert login.openid == person["openid_miniapp"]
        assert login.unionid == person["unionid"]

    def test_session_key_stays_here(self, mini_program, simulator, person):
        login = mini_program.sign_in(code=simulator.code("wx_login"))

        session_key = simulator.journal(SESSION)[-1]["answer"]["session_key"]
        assert session_key not in repr(login)

    def test_asks_without_an_access_token(self, mini_program, simulator, person):
        """wechatpy fetches one and sends it beside the secret (B5)."""
        simulator.fault(host="wx", path="token", times=None, status=500)

        mini_program.sign_in(code=simulator.code("wx_login"))

        assert [entry["path"] for entry in simulator.journal()] == [SESSION]
        assert "access_token" not in simulator.journal()[0]["query"]

    def test_code_is_good_once(self, mini_program, simulator, person):
        code = simulator.code("wx_login")
        mini_program.sign_in(code=code)

        with pytest.raises(PlatformRefused) as raised:
            mini_program.sign_in(code=code)

        assert raised.value.vendor_code == "40163"

    def test_code_nobody_gave(self, mini_program):
        with pytest.raises(PlatformRefused) as raised:
            mini_program.sign_in(code="made-up")

        assert raised.value.vendor_code == "40029"

    def test_blocked_user(self, mini_program, simulator, person):
        simulator.fault(host="wx", path=SESSION, errcode=40226)

        with pytest.raises(PlatformRefused) as raised:
            mini_program.sign_in(code=simulator.code("wx_login"))

        assert raised.value.vendor_code == "40226"

    def test_lost_answer_is_not_asked_again(self, mini_program, simulator, person):
        simulator.fault(host="wx", path=SESSION, lost_answer=True)

        with pytest.raises(PlatformUnavailable):
            mini_program.sign_in(code=simulator.code("wx_login"))

        assert len(simulator.journal(SESSION)) == 1

    def test_answer_without_an_openid(self, mini_program, simulator):
        simulator.fault(host="wx", path=SESSION, errcode=0)

        with pytest.raises(PlatformUnavailable):
            mini_program.sign_in(code="any")


class StubbedNumber:
    """A client whose one interface gives a fixed answer, for forms the simulator has not."""

    appid = "wx1"

    def __init__(self, answer):
        self.wxa = self
        self._answer = answer

    def get_phone_number(self, code):
        return self._answer


def answering(answer):
    client: Any = StubbedNumber(answer)
    return WechatMiniProgram(client=client)


def info(**changes):
    return {
        "phone_info": {
            "phoneNumber": PHONE,
            "purePhoneNumber": PHONE,
            "countryCode": "86",
            "watermark": {"timestamp": 1, "appid": "wx1"},
            **changes,
        }
    }


class TestPhoneNumber:
    @pytest.mark.parametrize("country_code", ["86", 86], ids=["text", "number"])
    def test_eleven_digits(self, mini_program, simulator, person, country_code):
        code = simulator.code("phone_code", country_code=country_code)

        assert mini_program.phone_number(code=code) == PHONE

    def test_country_elsewhere(self, mini_program, simulator, person):
        with pytest.raises(PlatformRefused) as raised:
            mini_program.phone_number(code=simulator.code("phone_code", country_code="852"))

        assert raised.value.vendor_code == "not_mainland"

    def test_code_is_good_once(self, mini_program, simulator, person):
        code = simulator.code("phone_code")
        mini_program.phone_number(code=code)

        with pytest.raises(PlatformRefused) as raised:
            mini_program.phone_number(code=code)

        assert raised.value.vendor_code == "40029"

    def test_login_code_is_another(self, mini_program, simulator, person):
        with pytest.raises(PlatformRefused) as raised:
            mini_program.phone_number(code=simulator.code("wx_login"))

        assert raised.value.vendor_code == "40029"

    def test_revoked_token_does_not_cost_the_code(self, mini_program, simulator, person):
        mini_program.phone_number(code=simulator.code("phone_code"))
        simulator.post(f"tokens/{simulator.mini_appid}/revoke")

        assert mini_program.phone_number(code=simulator.code("phone_code")) == PHONE

    @pytest.mark.parametrize(
        ("changes", "vendor_code"),
        [
            ({"watermark": {"timestamp": 1, "appid": "wx2"}}, "watermark_appid"),
            ({"watermark": None}, "watermark_appid"),
            ({"purePhoneNumber": "12345"}, "not_mainland"),
            ({"purePhoneNumber": None}, "not_mainland"),
            ({"countryCode": None}, "not_mainland"),
        ],
    )
    def test_number_that_is_not_for_us(self, changes, vendor_code):
        with pytest.raises(PlatformRefused) as raised:
            answering(info(**changes)).phone_number(code="c")

        assert raised.value.vendor_code == vendor_code

    def test_answer_without_a_number(self):
        with pytest.raises(PlatformUnavailable):
            answering({"errcode": 0}).phone_number(code="c")


class TestTokenProbe:
    def test_works(self, gateways):
        assert "凭证" in gateways.probes[0].check()

    def test_asks_though_a_token_is_stored(self, gateways, mini_program, simulator, person):
        mini_program.phone_number(code=simulator.code("phone_code"))
        before = len(simulator.journal("stable_token"))

        gateways.probes[0].check()

        assert len(simulator.journal("stable_token")) == before + 1

    def test_wrong_secret(self, settings, redis, clock):
        client = AppClient(
            appid=settings.wechat_miniapp_appid,
            secret="0" * 32,
            base_url=settings.wechat_api_base,
            redis=redis,
            clock=clock,
            width=1,
        )

        with pytest.raises(PlatformRefused, match="40125"):
            TokenProbe("微信小程序", client).check()
