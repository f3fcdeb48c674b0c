import time
from typing import Any

import pytest

from simulator.wechat_fields import is_valid
from tests.simulator.conftest import Backend
from tests.simulator.platforms import Platforms


@pytest.fixture
def follower(platforms: Platforms, owner: dict[str, Any]) -> dict[str, Any]:
    platforms.control(f"people/{owner['phone']}/follow")
    return owner


@pytest.fixture
def send(platforms: Platforms, settings: dict[str, str], owner: dict[str, Any]) -> Any:
    token = platforms.token(settings)

    def post(*, values: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        shown = {
            "thing1": "安居花园1-101",
            "thing2": "物业费、公摊水电费",
            "amount3": "¥1234.50",
            "time4": "2026年12月31日",
            **(values or {}),
        }
        data = {
            "touser": owner["openid_official"],
            "template_id": settings["WECHAT_TEMPLATE_BILL_PUBLISHED"],
            "data": {k: {"value": v} for k, v in shown.items() if v is not None},
            **more,
        }
        return platforms.wx("POST", "cgi-bin/message/template/send", data=data, access_token=token)

    return post


def pushed_events(platforms: Platforms, event: str) -> list[dict[str, Any]]:
    """The events of this name, once there is one: they are pushed after the answer."""
    for _ in range(100):
        found = [
            p["message"] for p in platforms.look("pushes") if p["message"].get("Event") == event
        ]
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"no {event} was pushed")


class TestTemplateMessage:
    def test_reaches_the_chat_with_its_labels(
        self, platforms: Platforms, follower: dict[str, Any], send: Any, settings: dict[str, str]
    ) -> None:
        mini = {"appid": settings["WECHAT_MINIAPP_APPID"], "pagepath": "pages/bills/index"}

        answer = send(miniprogram=mini, url="https://example.com")

        assert answer["errcode"] == 0
        card = platforms.look(f"people/{follower['phone']}/chat")[-1]
        assert (card["kind"], card["text"]) == ("template", "物业账单通知")
        assert card["fields"] == [
            {"label": "房屋", "value": "安居花园1-101"},
            {"label": "收费项目", "value": "物业费、公摊水电费"},
            {"label": "应缴金额", "value": "¥1234.50"},
            {"label": "缴费截止", "value": "2026年12月31日"},
        ]
        assert card["target"] == "pages/bills/index"

    def test_its_result_is_pushed_afterwards(
        self, platforms: Platforms, follower: dict[str, Any], send: Any
    ) -> None:
        msgid = send()["msgid"]

        (event,) = pushed_events(platforms, "TEMPLATESENDJOBFINISH")
        assert (event["MsgID"], event["Status"]) == (msgid, "success")

    def test_who_blocks_gets_nothing_and_the_event_says_so(
        self, platforms: Platforms, follower: dict[str, Any], send: Any
    ) -> None:
        platforms.control(f"people/{follower['phone']}/block")

        assert send()["errcode"] == 0

        (event,) = pushed_events(platforms, "TEMPLATESENDJOBFINISH")
        assert event["Status"] == "failed:user block"
        chat = platforms.look(f"people/{follower['phone']}/chat")
        assert not [one for one in chat if one["kind"] == "template"]

    def test_who_does_not_follow_cannot_be_reached(self, send: Any) -> None:
        assert send()["errcode"] == 43004

    def test_client_msg_id_keeps_a_second_copy_away_for_ten_minutes(
        self, platforms: Platforms, follower: dict[str, Any], send: Any
    ) -> None:
        first = send(client_msg_id="m-1")
        second = send(client_msg_id="m-1")
        other = send(client_msg_id="m-2")

        assert first["msgid"] == second["msgid"] != other["msgid"]
        chat = platforms.look(f"people/{follower['phone']}/chat")
        assert len([one for one in chat if one["kind"] == "template"]) == 2
        platforms.advance(600)
        assert send(client_msg_id="m-1")["msgid"] != first["msgid"]

    def test_openids_of_other_apps_are_refused(
        self, platforms: Platforms, follower: dict[str, Any], send: Any
    ) -> None:
        foreign = platforms.settings("foreign")["WECHAT_OFFICIAL_APPID"]
        openids = platforms.look(f"people/{follower['phone']}")["openids"]

        for openid in (follower["openid_miniapp"], openids[foreign], "", "nobody"):
            assert send(touser=openid)["errcode"] == 40003

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ({"thing1": "字" * 21}, "thing1"),
            ({"thing1": ""}, "thing1"),
            ({"thing1": "两\n行"}, "thing1"),
            ({"thing2": None}, "thing2"),
            ({"amount3": "很多钱"}, "amount3"),
            ({"amount3": 1234}, "amount3"),
            ({"time4": "明天"}, "time4"),
            ({"remark": "谢谢"}, "remark"),
            ({"first": "您好"}, "first"),
        ],
    )
    def test_names_the_field_at_fault(
        self, follower: dict[str, Any], send: Any, values: dict[str, Any], field: str
    ) -> None:
        answer = send(values=values)

        assert answer["errcode"] == 47003
        assert f"data.{field}.value invalid rid: " in answer["errmsg"]

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({"template_id": "x"}, 40037),
            ({"mini_program": {}}, 47001),
            ({"miniprogram": {"appid": "wx0000000000000000"}}, 40013),
            ({"data": []}, 47003),
            ({"client_msg_id": ""}, 47003),
        ],
    )
    def test_refuses(
        self, follower: dict[str, Any], send: Any, more: dict[str, Any], code: int
    ) -> None:
        assert send(**more)["errcode"] == code

    def test_the_body_must_be_json(self, platforms: Platforms, settings: dict[str, str]) -> None:
        url = f"{platforms.url}/wx/cgi-bin/message/template/send"
        query = {"access_token": platforms.token(settings)}

        codes = [
            platforms.http.post(url, params=query, data=body).json()["errcode"]
            for body in ("", "{", "[]")
        ]
        assert codes == [44002, 47001, 47001]


class TestFieldLimits:
    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("thing1", "二十个字" * 5),
            ("number1", "12.5"),
            ("character_string4", "SJ2026-0001"),
            ("time3", "2026年11月24日 18:30"),
            ("time3", "2026-11-24 18:30:00"),
            ("time3", "18:30"),
            ("time3", "2026年11月1日~2026年11月30日"),
            ("date3", "2026-11-24"),
            ("amount2", "¥1234.50"),
            ("amount2", "1234.5元"),
            ("phone_number1", "+86-0755-66888"),
            ("car_number1", "粤A8Z888挂"),
            ("name1", "欧阳小明"),
            ("name1", "Zhang San"),
            ("phrase1", "已受理"),
            ("symbol1", "!@#"),
            ("letter1", "ABC"),
        ],
    )
    def test_allows(self, key: str, value: str) -> None:
        assert is_valid(key, value)

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("thing1", " "),
            ("number1", "一"),
            ("number1", "1" * 33),
            ("character_string4", "收据1"),
            ("character_string4", "A" * 33),
            ("time3", "2026"),
            ("time3", "25:00"),
            ("amount2", "12345678901"),
            ("amount2", "1.234"),
            ("phone_number1", "1" * 18),
            ("name1", "一二三四五六七八九十一"),
            ("phrase1", "一二三四五六"),
            ("phrase1", "ok"),
            ("letter1", "A1"),
            ("symbol1", "!!!!!!"),
            ("unknown1", "x"),
        ],
    )
    def test_forbids(self, key: str, value: str) -> None:
        assert not is_valid(key, value)


class TestUserInfo:
    @pytest.fixture
    def ask(self, platforms: Platforms, settings: dict[str, str]) -> Any:
        token = platforms.token(settings)
        return lambda openid: platforms.wx(
            "GET", "cgi-bin/user/info", access_token=token, openid=openid, lang="zh_CN"
        )

    def test_tells_the_unionid_of_a_follower(self, follower: dict[str, Any], ask: Any) -> None:
        info = ask(follower["openid_official"])

        assert (info["subscribe"], info["unionid"]) == (1, follower["unionid"])

    def test_tells_only_the_openid_of_others(self, owner: dict[str, Any], ask: Any) -> None:
        openid = owner["openid_official"]

        assert ask(openid) == {"subscribe": 0, "openid": openid}

    def test_refuses_the_mini_programs_openid(self, owner: dict[str, Any], ask: Any) -> None:
        assert ask(owner["openid_miniapp"])["errcode"] == 40003


class TestMenuAndService:
    def test_a_menu_is_kept(self, platforms: Platforms, settings: dict[str, str]) -> None:
        token = platforms.token(settings)
        menu = {"button": [{"type": "click", "name": "我的账单", "key": "MY_BILLS"}]}

        answer = platforms.wx("POST", "cgi-bin/menu/create", data=menu, access_token=token)

        assert answer["errcode"] == 0
        assert platforms.look("menu") == menu
        assert platforms.wx("GET", "cgi-bin/menu/get", access_token=token) == {"menu": menu}
        platforms.wx("GET", "cgi-bin/menu/delete", access_token=token)
        assert platforms.wx("GET", "cgi-bin/menu/get", access_token=token)["errcode"] == 46003

    def test_a_broken_menu_is_refused(self, platforms: Platforms, settings: dict[str, str]) -> None:
        token = platforms.token(settings)
        for button in ([], [{"name": ""}], [{"name": "x", "type": "click"}], [{"name": "x"}]):
            answer = platforms.wx(
                "POST", "cgi-bin/menu/create", data={"button": button}, access_token=token
            )
            assert answer["errcode"] != 0

    def test_service_messages_need_a_recent_word(
        self, platforms: Platforms, settings: dict[str, str], follower: dict[str, Any]
    ) -> None:
        token = platforms.token(settings)
        data = {
            "touser": follower["openid_official"],
            "msgtype": "text",
            "text": {"content": "师傅已出发"},
        }

        def send() -> int:
            path = "cgi-bin/message/custom/send"
            return int(platforms.wx("POST", path, data=data, access_token=token)["errcode"])

        assert send() == 45015
        platforms.control(f"people/{follower['phone']}/text", {"content": "报修"})
        assert [send() for _ in range(6)] == [0] * 5 + [45047]

    def test_the_backend_hears_of_followers(
        self, platforms: Platforms, follower: dict[str, Any], backend: Backend
    ) -> None:
        (event,) = pushed_events(platforms, "subscribe")

        assert event["FromUserName"] == follower["openid_official"]
        assert backend.paths() == ["/wechat/official"]
