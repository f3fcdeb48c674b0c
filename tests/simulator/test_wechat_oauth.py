"""Asking WeChat's browser who holds the phone."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.simulator.platforms import Platforms

PHONE = "19900000001"
BACK = "http://127.0.0.1:9/p/x?a=1"


@pytest.fixture
def good(platforms: Platforms) -> dict[str, str]:
    """The query of a request that is all right."""
    return {
        "appid": platforms.look("credentials")["WECHAT_OFFICIAL_APPID"],
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "snsapi_base",
        "state": "abc123",
    }


def ask(platforms: Platforms, query: dict[str, str], phone: str = PHONE) -> requests.Response:
    return requests.get(
        f"{platforms.url}/wx/connect/oauth2/authorize",
        params=query,
        cookies={"sim_phone": phone},
        allow_redirects=False,
        timeout=10,
    )


def exchange(platforms: Platforms, code: str, /, **changes: str) -> dict[str, Any]:
    query = {
        "appid": platforms.look("credentials")["WECHAT_OFFICIAL_APPID"],
        "secret": platforms.look("credentials")["WECHAT_OFFICIAL_SECRET"],
        "code": code,
        "grant_type": "authorization_code",
    }
    answer = requests.get(
        f"{platforms.url}/wx/sns/oauth2/access_token", params=query | changes, timeout=10
    )
    found: dict[str, Any] = answer.json()
    return found


class TestAuthorize:
    def test_comes_back_with_a_code_that_works_once(
        self, platforms: Platforms, good: dict[str, str]
    ) -> None:
        person = platforms.control("people", {"phone": PHONE})

        back = urlsplit(ask(platforms, good).headers["Location"])

        query = parse_qs(back.query)
        assert f"{back.scheme}://{back.netloc}{back.path}" == "http://127.0.0.1:9/p/x"
        assert (query["a"], query["state"]) == (["1"], ["abc123"])
        [code] = query["code"]
        assert exchange(platforms, code)["openid"] == person["openid_official"]
        assert exchange(platforms, code)["errcode"] == 40163

    @pytest.mark.parametrize(
        "change",
        [
            {"appid": "wx0000000000000000"},
            {"redirect_uri": "https://evil.example/p/x"},
            {"response_type": "token"},
            {"scope": "everything"},
            {"state": "a-b"},
            {"state": "a" * 129},
        ],
    )
    def test_refuses_what_wechat_refuses(
        self, platforms: Platforms, good: dict[str, str], change: dict[str, str]
    ) -> None:
        assert ask(platforms, good | change).status_code == 400

    @pytest.mark.parametrize(
        ("change", "errcode"),
        [
            ({"appid": "wx0000000000000000"}, 40013),
            ({"secret": "x"}, 40125),
            ({"code": "nonsense"}, 40029),
            ({"code": ""}, 41008),
            ({"grant_type": "x"}, 40002),
        ],
    )
    def test_a_wrong_exchange_is_refused(
        self, platforms: Platforms, good: dict[str, str], change: dict[str, str], errcode: int
    ) -> None:
        [code] = parse_qs(urlsplit(ask(platforms, good).headers["Location"]).query)["code"]

        assert exchange(platforms, code, **change)["errcode"] == errcode
