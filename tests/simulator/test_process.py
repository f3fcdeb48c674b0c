"""The process itself: start, state on disk, end; and the control interface's manners."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.simulator.alipay_merchant import AlipayMerchant
from tests.simulator.conftest import ROOT, Backend, Process
from tests.simulator.merchant import Merchant
from tests.simulator.platforms import Platforms

CONSOLE = {
    "WECHAT_MINIAPP_APPID",
    "WECHAT_MINIAPP_SECRET",
    "WECHAT_MINIAPP_TOKEN",
    "WECHAT_MINIAPP_AES_KEY",
    "WECHAT_OFFICIAL_APPID",
    "WECHAT_OFFICIAL_SECRET",
    "WECHAT_OFFICIAL_TOKEN",
    "WECHAT_OFFICIAL_AES_KEY",
    "WECHAT_API_BASE",
    "WECHAT_OPEN_BASE",
    "WECHAT_TEMPLATE_BILL_PUBLISHED",
    "WECHAT_TEMPLATE_PAYMENT_RECEIVED",
    "WECHAT_TEMPLATES",
    "WECHAT_SUBSCRIBE_TEMPLATES",
    "WECHATPAY_MCHID",
    "WECHATPAY_APIV3_KEY",
    "WECHATPAY_PRIVATE_KEY",
    "WECHATPAY_CERT_SERIAL",
    "WECHATPAY_PUBLIC_KEY",
    "WECHATPAY_PUBLIC_KEY_ID",
    "WECHATPAY_PLATFORM_CERTIFICATES",
    "WECHATPAY_API_BASE",
    "ALIPAY_APP_ID",
    "ALIPAY_SELLER_ID",
    "ALIPAY_PRIVATE_KEY",
    "ALIPAY_PUBLIC_KEY",
    "ALIPAY_API_BASE",
    "SMS_PROVIDER",
    "SMS_SECRET_ID",
    "SMS_SECRET_KEY",
    "SMS_APP_ID",
    "SMS_SIGN_NAME",
    "SMS_TEMPLATE_LOGIN_CODE",
    "SMS_TEMPLATE_BILL_PUBLISHED",
    "SMS_TEMPLATE_PAYMENT_RECEIVED",
    "SMS_TEMPLATE_HOUSE_REGISTERED",
    "SMS_TEMPLATES",
    "SMS_API_BASE",
    "MAIL_HOST",
    "MAIL_PORT",
    "MAIL_SECURITY",
    "MAIL_USERNAME",
    "MAIL_PASSWORD",
    "MAIL_SENDER",
}


class TestConsole:
    def test_names_every_setting(self, platforms: Platforms, settings: dict[str, str]) -> None:
        assert set(settings) == CONSOLE
        assert all(isinstance(value, str) and value for value in settings.values())
        assert settings["WECHAT_API_BASE"] == f"{platforms.url}/wx/"
        assert len(settings["WECHATPAY_APIV3_KEY"]) == 32
        assert len(settings["WECHAT_OFFICIAL_AES_KEY"]) == 43

    def test_the_tenants_share_nothing(self, platforms: Platforms) -> None:
        main, foreign = platforms.settings(), platforms.settings("foreign")

        own = [key for key in CONSOLE if key.startswith(("WECHAT_MINI", "WECHAT_OFF", "WECHATPAY"))]
        same = [key for key in own if main[key] == foreign[key]]
        assert same == ["WECHATPAY_API_BASE"]


class TestManners:
    def test_misspelt_options_are_refused(self, platforms: Platforms) -> None:
        platforms.control("people", {"phone": "19900000001", "name": "x"}, status=400)
        platforms.control("people", {"phone": "1990000000"}, status=400)
        platforms.control("clock", {"advance": "1h"}, status=400)
        platforms.control("clock", {"set": "tomorrow"}, status=400)
        platforms.control("pay/NOSUCH01", status=404)
        platforms.control("tokens/wx0/revoke", status=404)

    def test_a_person_is_made_once(self, platforms: Platforms) -> None:
        first = platforms.control("people", {"phone": "19900000001", "nickname": "王芳"})
        second = platforms.control("people", {"phone": "19900000001"})

        assert first == second
        assert first["nickname"] == "王芳"
        assert len({first["unionid"], first["openid_miniapp"], first["openid_official"]}) == 3

    def test_reset_forgets_all_but_the_accounts(
        self, platforms: Platforms, settings: dict[str, str], owner: dict[str, Any]
    ) -> None:
        platforms.advance(1000)
        platforms.fault({"reset": True})

        platforms.control("reset")

        assert platforms.look("people") == []
        assert platforms.look("faults")["faults"] == []
        assert platforms.look("clock")["offset_s"] == 0
        assert platforms.settings() == settings
        again = platforms.control("people", {"phone": owner["phone"]})
        assert again["openid_miniapp"] == owner["openid_miniapp"]

    def test_the_clock_can_be_set(self, platforms: Platforms) -> None:
        platforms.control("clock", {"set": "2027-01-01T00:00:00+08:00"})

        assert platforms.look("clock")["now"].startswith("2027-01-01T00:00:0")


class TestJournal:
    def test_keeps_request_verdict_and_answer(
        self, platforms: Platforms, settings: dict[str, str]
    ) -> None:
        platforms.token(settings)
        platforms.wx("GET", "cgi-bin/user/info", access_token="x")

        found = platforms.look("journal")["requests"]

        assert [one["path"] for one in found] == ["/cgi-bin/stable_token", "/cgi-bin/user/info"]
        assert (found[0]["host"], found[0]["verdict"], found[0]["status"]) == ("wx", "ok", 200)
        assert found[0]["body"]["appid"] == settings["WECHAT_OFFICIAL_APPID"]
        assert found[0]["answer"]["expires_in"] == 7200
        assert found[1]["verdict"].startswith("errcode 40001")
        assert found[1]["query"] == {"access_token": "x"}

    def test_can_be_narrowed(self, platforms: Platforms, settings: dict[str, str]) -> None:
        for _ in range(3):
            platforms.token(settings)
        first = platforms.look("journal")["requests"][0]["seq"]

        assert len(platforms.look("journal", since=first)["requests"]) == 2
        assert len(platforms.look("journal", limit=1)["requests"]) == 1
        assert platforms.look("journal", path="template")["requests"] == []
        assert platforms.look("journal", host="pay")["requests"] == []


class TestLife:
    @pytest.mark.slow
    def test_state_survives_a_restart(
        self,
        start_simulator: Callable[..., Process],
        http: requests.Session,
        backend: Backend,
        tmp_path: Path,
    ) -> None:
        backend.always(500)
        first = start_simulator("--state", str(tmp_path), "--backend", backend.url)
        platforms = Platforms(first.url, http)
        settings = platforms.settings()
        person = platforms.control("people", {"phone": "19900000001"})
        merchant = Merchant(settings, platforms)
        merchant.order(merchant.form(person["openid_miniapp"], "RESTART01", backend.url))
        platforms.control("pay/RESTART01", {"wait": True})
        platforms.advance(5)
        token = platforms.token(settings)
        assert first.stop() == 0

        again = Platforms(
            start_simulator("--state", str(tmp_path), "--backend", backend.url).url, http
        )

        changed = [key for key, value in again.settings().items() if value != settings[key]]
        bases = {
            "WECHAT_API_BASE",
            "WECHAT_OPEN_BASE",
            "WECHATPAY_API_BASE",
            "ALIPAY_API_BASE",
            "SMS_API_BASE",
            "MAIL_PORT",
        }
        assert set(changed) <= bases
        assert again.look("people") == [person]
        assert again.look("clock")["offset_s"] == 5
        assert again.look("orders")[0]["trade_state"] == "SUCCESS"
        assert [one["path"] for one in again.look("journal")["requests"]] == [
            "/v3/pay/transactions/jsapi",
            "/cgi-bin/stable_token",
        ]
        assert again.token(settings) == token
        backend.always(200)
        again.advance(60)
        assert again.look("outbox")[0]["state"] == "done"

    @pytest.mark.slow
    def test_alipays_trades_and_notices_survive_too(
        self,
        start_simulator: Callable[..., Process],
        http: requests.Session,
        backend: Backend,
        tmp_path: Path,
    ) -> None:
        backend.always(200, b"fail")
        first = start_simulator("--state", str(tmp_path), "--backend", backend.url)
        platforms = Platforms(first.url, http)
        AlipayMerchant(platforms.settings(), platforms).precreate("RESTART02", backend.url)
        platforms.control("alipay/pay/RESTART02", {"wait": True})
        (trade,) = platforms.look("alipay/trades")
        assert first.stop() == 0

        again = Platforms(
            start_simulator("--state", str(tmp_path), "--backend", backend.url).url, http
        )

        assert again.look("alipay/trades") == [trade]
        backend.always(200, b"success")
        again.advance(240)
        assert again.look("outbox")[0]["state"] == "done"
        refunded = AlipayMerchant(again.settings(), again).refund("RESTART02", "123.45")
        assert refunded.data["fund_change"] == "Y"

    @pytest.mark.slow
    def test_a_seed_makes_the_same_accounts(
        self, start_simulator: Callable[..., Process], http: requests.Session
    ) -> None:
        appids = [
            Platforms(start_simulator("--seed", "3").url, http).settings()["WECHAT_MINIAPP_APPID"]
            for _ in range(2)
        ]

        assert len(set(appids)) == 1

    @pytest.mark.slow
    def test_ends_with_its_parent(self, tmp_path: Path) -> None:
        # The middle process starts the simulator and dies without a word to it.
        code = (
            "import os, subprocess, sys\n"
            "p = subprocess.Popen([sys.executable, '-m', 'simulator', '--port', '0',"
            " '--parent-pid', str(os.getpid())], stdout=subprocess.PIPE)\n"
            "p.stdout.readline()\n"
            "print(p.pid, flush=True)\n"
            "os._exit(0)\n"
        )
        middle = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        )
        pid = int(middle.stdout)

        for _ in range(100):
            if not Path(f"/proc/{pid}").exists() or is_zombie(pid):
                return
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        pytest.fail("the simulator outlived its parent")


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
