from typing import Any

import pytest

from tests.simulator.conftest import Backend
from tests.simulator.platforms import Platforms


@pytest.fixture
def login(platforms: Platforms, settings: dict[str, str]) -> Any:
    def exchange(code: str, **more: str) -> dict[str, Any]:
        query = {
            "appid": settings["WECHAT_MINIAPP_APPID"],
            "secret": settings["WECHAT_MINIAPP_SECRET"],
            "js_code": code,
            "grant_type": "authorization_code",
            **more,
        }
        return platforms.wx("GET", "sns/jscode2session", **query)

    return exchange


@pytest.fixture
def phone_of(platforms: Platforms, settings: dict[str, str]) -> Any:
    token = platforms.token(settings, "MINIAPP")

    def exchange(code: str, **more: Any) -> dict[str, Any]:
        return platforms.wx(
            "POST",
            "wxa/business/getuserphonenumber",
            data={"code": code, **more},
            access_token=token,
        )

    return exchange


class TestLogin:
    def test_tells_openid_and_unionid_without_errcode(
        self, platforms: Platforms, owner: dict[str, Any], login: Any
    ) -> None:
        code = platforms.control(f"people/{owner['phone']}/wx_login")["code"]

        session = login(code)

        assert session["openid"] == owner["openid_miniapp"]
        assert session["unionid"] == owner["unionid"]
        assert set(session) == {"openid", "unionid", "session_key"}

    def test_a_code_works_once(
        self, platforms: Platforms, owner: dict[str, Any], login: Any
    ) -> None:
        code = platforms.control(f"people/{owner['phone']}/wx_login")["code"]
        login(code)

        assert login(code)["errcode"] == 40163

    def test_a_code_lasts_five_minutes(
        self, platforms: Platforms, owner: dict[str, Any], login: Any
    ) -> None:
        code = platforms.control(f"people/{owner['phone']}/wx_login")["code"]
        platforms.advance(301)

        assert login(code)["errcode"] == 40029

    def test_codes_of_other_kinds_and_apps_do_not_work(
        self, platforms: Platforms, owner: dict[str, Any], login: Any
    ) -> None:
        person = f"people/{owner['phone']}"
        other_kind = platforms.control(f"{person}/phone_code")["code"]
        other_app = platforms.control(f"{person}/wx_login", {"tenant": "foreign"})["code"]

        assert [login(c)["errcode"] for c in ("nonsense", other_kind, other_app)] == [40029] * 3

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({"secret": "wrong"}, 40125),
            ({"appid": "wx0000000000000000"}, 40013),
            ({"grant_type": "code"}, 40002),
            ({"js_code": ""}, 41008),
        ],
    )
    def test_refuses(self, login: Any, more: dict[str, str], code: int) -> None:
        assert login("x", **more)["errcode"] == code

    def test_the_official_account_has_no_such_login(
        self, login: Any, settings: dict[str, str]
    ) -> None:
        official = {
            "appid": settings["WECHAT_OFFICIAL_APPID"],
            "secret": settings["WECHAT_OFFICIAL_SECRET"],
        }
        assert login("x", **official)["errcode"] == 40013


class TestPhoneNumber:
    def test_is_told_with_a_watermark(
        self,
        platforms: Platforms,
        owner: dict[str, Any],
        phone_of: Any,
        settings: dict[str, str],
    ) -> None:
        code = platforms.control(f"people/{owner['phone']}/phone_code")["code"]

        info = phone_of(code)["phone_info"]

        assert (info["purePhoneNumber"], info["countryCode"]) == ("19900000001", "86")
        assert info["watermark"]["appid"] == settings["WECHAT_MINIAPP_APPID"]

    def test_country_code_may_be_a_number(
        self, platforms: Platforms, owner: dict[str, Any], phone_of: Any
    ) -> None:
        asked = {"country_code": 86}
        code = platforms.control(f"people/{owner['phone']}/phone_code", asked)["code"]

        assert phone_of(code)["phone_info"]["countryCode"] == 86

    def test_used_old_and_foreign_codes_are_refused_alike(
        self, platforms: Platforms, owner: dict[str, Any], phone_of: Any
    ) -> None:
        person = f"people/{owner['phone']}"
        used = platforms.control(f"{person}/phone_code")["code"]
        phone_of(used)
        foreign = platforms.control(f"{person}/phone_code", {"tenant": "foreign"})["code"]
        login_code = platforms.control(f"{person}/wx_login")["code"]

        for code in (used, foreign, login_code, "nonsense"):
            assert phone_of(code)["errcode"] == 40029
        old = platforms.control(f"{person}/phone_code")["code"]
        platforms.advance(301)
        assert phone_of(old)["errcode"] == 40029

    def test_misspelt_fields_are_refused(self, phone_of: Any) -> None:
        assert phone_of("x", js_code="x")["errcode"] == 47001


class TestSubscribeMessage:
    @pytest.fixture
    def template_id(self, platforms: Platforms) -> str:
        templates = platforms.look("templates")["templates"]
        return str(next(t["id"] for t in templates if t["kind"] == "miniapp"))

    @pytest.fixture
    def send(
        self,
        platforms: Platforms,
        settings: dict[str, str],
        owner: dict[str, Any],
        template_id: str,
    ) -> Any:
        token = platforms.token(settings, "MINIAPP")

        def post(**more: Any) -> dict[str, Any]:
            data = {
                "touser": owner["openid_miniapp"],
                "template_id": template_id,
                "page": "pages/bills/index",
                "data": {
                    "thing1": {"value": "安居花园1-101"},
                    "amount2": {"value": "¥123.45"},
                    "time3": {"value": "2026年12月31日"},
                },
                "miniprogram_state": "formal",
                "lang": "zh_CN",
                **more,
            }
            data = {key: value for key, value in data.items() if value is not None}
            return platforms.wx(
                "POST", "cgi-bin/message/subscribe/send", data=data, access_token=token
            )

        return post

    def test_uses_up_a_permission(
        self, platforms: Platforms, owner: dict[str, Any], template_id: str, send: Any
    ) -> None:
        person = f"people/{owner['phone']}"
        assert send()["errcode"] == 43101
        platforms.control(f"{person}/subscribe", {"template_id": template_id})

        assert send()["errcode"] == 0
        assert send()["errcode"] == 43101
        (card,) = platforms.look(f"{person}/chat")
        assert card["fields"][0] == {"label": "房屋", "value": "安居花园1-101"}

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({"touser": "nobody"}, 40003),
            ({"template_id": "x"}, 40037),
            ({"miniprogram_state": None}, 47003),
            ({"lang": None}, 47003),
            ({"page": "/pages/index"}, 41030),
            ({"data": {"thing1": {"value": "x"}}}, 47003),
            ({"mini_program_state": "formal"}, 47001),
        ],
    )
    def test_refuses(self, send: Any, more: dict[str, Any], code: int) -> None:
        assert send(**more)["errcode"] == code

    def test_an_accepted_prompt_is_pushed_and_counts(
        self,
        platforms: Platforms,
        owner: dict[str, Any],
        template_id: str,
        send: Any,
        backend: Backend,
    ) -> None:
        entry = {
            "TemplateId": template_id,
            "SubscribeStatusString": "accept",
            "PopupScene": "0",
        }
        result = platforms.control(f"people/{owner['phone']}/mini_push", {"list": [entry]})

        assert result["status"] == 200
        assert backend.paths() == ["/wechat/miniapp"]
        assert send()["errcode"] == 0
