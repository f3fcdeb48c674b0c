from typing import Any

import pytest

from tests.simulator.platforms import Platforms


def ask_plain(platforms: Platforms, settings: dict[str, str], **more: str) -> dict[str, Any]:
    query = {
        "grant_type": "client_credential",
        "appid": settings["WECHAT_OFFICIAL_APPID"],
        "secret": settings["WECHAT_OFFICIAL_SECRET"],
        **more,
    }
    return platforms.wx("GET", "cgi-bin/token", **query)


def ask_stable(platforms: Platforms, settings: dict[str, str], **more: Any) -> dict[str, Any]:
    data = {
        "grant_type": "client_credential",
        "appid": settings["WECHAT_OFFICIAL_APPID"],
        "secret": settings["WECHAT_OFFICIAL_SECRET"],
        **more,
    }
    return platforms.wx("POST", "cgi-bin/stable_token", data=data)


@pytest.fixture
def code_for(platforms: Platforms, owner: dict[str, Any]) -> Any:
    """What the platform says to a call with this token; 0 is fine."""

    def ask(token: str) -> int:
        answer = platforms.wx(
            "GET", "cgi-bin/user/info", access_token=token, openid=owner["openid_official"]
        )
        return int(answer.get("errcode", 0))

    return ask


class TestStableToken:
    def test_is_the_same_until_300_seconds_before_its_end(
        self, platforms: Platforms, settings: dict[str, str], code_for: Any
    ) -> None:
        first = ask_stable(platforms, settings)
        assert (len(first["access_token"]), first["expires_in"]) == (512, 7200)
        platforms.advance(6890)
        assert ask_stable(platforms, settings)["access_token"] == first["access_token"]

        platforms.advance(11)
        second = ask_stable(platforms, settings)

        assert second["access_token"] != first["access_token"]
        assert second["expires_in"] == 7200
        assert code_for(first["access_token"]) == code_for(second["access_token"]) == 0
        platforms.advance(300)
        assert code_for(first["access_token"]) == 42001

    def test_force_retires_the_old_one_at_once(
        self, platforms: Platforms, settings: dict[str, str], code_for: Any
    ) -> None:
        first = ask_stable(platforms, settings)["access_token"]

        second = ask_stable(platforms, settings, force_refresh=True)["access_token"]

        assert (code_for(first), code_for(second)) == (40001, 0)

    def test_forcing_again_within_30_seconds_gives_the_old_one(
        self, platforms: Platforms, settings: dict[str, str]
    ) -> None:
        ask_stable(platforms, settings)
        first = ask_stable(platforms, settings, force_refresh=True)["access_token"]

        assert ask_stable(platforms, settings, force_refresh=True)["access_token"] == first
        platforms.advance(31)
        assert ask_stable(platforms, settings, force_refresh=True)["access_token"] != first

    def test_may_be_forced_20_times_a_day(
        self, platforms: Platforms, settings: dict[str, str]
    ) -> None:
        platforms.control("clock", {"set": "2026-11-01T00:00:00+08:00"})
        tokens = [ask_stable(platforms, settings)["access_token"]]
        for _ in range(22):
            platforms.advance(31)
            tokens.append(ask_stable(platforms, settings, force_refresh=True)["access_token"])

        assert len(set(tokens)) == 21

    def test_stays_bad_in_normal_mode_when_asked(
        self, platforms: Platforms, settings: dict[str, str], code_for: Any
    ) -> None:
        bad = ask_stable(platforms, settings)["access_token"]
        path = f"tokens/{settings['WECHAT_OFFICIAL_APPID']}/revoke"
        platforms.control(path, {"keep_serving": True})

        assert ask_stable(platforms, settings)["access_token"] == bad
        assert code_for(bad) == 40001
        good = ask_stable(platforms, settings, force_refresh=True)["access_token"]
        assert code_for(good) == 0

    def test_is_new_after_a_revocation(
        self, platforms: Platforms, settings: dict[str, str], code_for: Any
    ) -> None:
        old = ask_stable(platforms, settings)["access_token"]

        answer = platforms.control(f"tokens/{settings['WECHAT_OFFICIAL_APPID']}/revoke")

        assert answer == {"count": 1}
        assert code_for(old) == 40001
        assert code_for(ask_stable(platforms, settings)["access_token"]) == 0

    def test_expires_by_hand(
        self, platforms: Platforms, settings: dict[str, str], code_for: Any
    ) -> None:
        old = ask_stable(platforms, settings)["access_token"]

        platforms.control(f"tokens/{settings['WECHAT_OFFICIAL_APPID']}/expire")

        assert code_for(old) == 42001

    @pytest.mark.parametrize(
        ("more", "code"),
        [
            ({"appid": "wx0000000000000000"}, 40013),
            ({"appid": ""}, 41002),
            ({"secret": "wrong"}, 40125),
            ({"secret": ""}, 41004),
            ({"grant_type": "other"}, 40002),
            ({"force_refresh": "true"}, 47001),
            ({"forceRefresh": True}, 47001),
        ],
    )
    def test_refuses(
        self, platforms: Platforms, settings: dict[str, str], more: dict[str, Any], code: int
    ) -> None:
        assert ask_stable(platforms, settings, **more)["errcode"] == code


class TestPlainToken:
    def test_the_one_before_lives_300_seconds_longer(
        self, platforms: Platforms, settings: dict[str, str], code_for: Any
    ) -> None:
        first = ask_plain(platforms, settings)["access_token"]
        second = ask_plain(platforms, settings)["access_token"]

        assert first != second
        assert (code_for(first), code_for(second)) == (0, 0)
        platforms.advance(301)
        assert (code_for(first), code_for(second)) == (42001, 0)

    def test_has_a_pool_of_its_own(
        self, platforms: Platforms, settings: dict[str, str], code_for: Any
    ) -> None:
        stable = ask_stable(platforms, settings)["access_token"]
        ask_plain(platforms, settings)
        platforms.advance(301)

        assert code_for(stable) == 0

    def test_is_used_up_after_2000_a_day(
        self, platforms: Platforms, settings: dict[str, str]
    ) -> None:
        platforms.fault({"errcode": 45009}, path="cgi-bin/token", times=1)

        assert ask_plain(platforms, settings)["errcode"] == 45009
        assert "access_token" in ask_plain(platforms, settings)


class TestEveryCall:
    @pytest.mark.parametrize(("token", "code"), [("", 41001), ("x" * 512, 40001)])
    def test_needs_a_token(self, code_for: Any, token: str, code: int) -> None:
        assert code_for(token) == code

    def test_needs_a_token_of_the_right_app(
        self, platforms: Platforms, settings: dict[str, str], code_for: Any
    ) -> None:
        assert code_for(platforms.token(settings, "MINIAPP")) == 48001

    def test_errors_end_with_a_request_id(self, platforms: Platforms) -> None:
        answer = platforms.wx("GET", "cgi-bin/user/info")

        assert answer["errmsg"].startswith("access_token missing rid: ")

    @pytest.mark.parametrize(
        ("method", "path", "code"),
        [
            ("POST", "cgi-bin/token", 43001),
            ("GET", "cgi-bin/stable_token", 43002),
            ("POST", "sns/jscode2session", 43001),
            ("GET", "wxa/business/getuserphonenumber", 43002),
            ("GET", "cgi-bin/message/template/send", 43002),
            ("GET", "cgi-bin/message/subscribe/send", 43002),
            ("POST", "cgi-bin/user/info", 43001),
        ],
    )
    def test_wrong_method(self, platforms: Platforms, method: str, path: str, code: int) -> None:
        assert platforms.wx(method, path)["errcode"] == code

    def test_unknown_path_is_404(self, platforms: Platforms) -> None:
        answer = platforms.http.get(f"{platforms.url}/wx/cgi-bin/no/such")

        assert answer.status_code == 404
        assert platforms.look("journal")["requests"][-1]["verdict"].startswith("404")
