"""Clients that know nothing of the simulator: the product's Alipay library, and Alipay's for Node.

Alipay's SDK for Node is tried only where it is installed:
npm install --prefix .local/peers alipay-sdk@4.14.0
"""

import json
import os
import shutil
import subprocess
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.simulator.alipay_merchant import AlipayMerchant
from tests.simulator.conftest import ROOT, Backend
from tests.simulator.platforms import Platforms

# The library has no types.
library: Any = import_module("alipay")
config_of: Any = import_module("alipay.utils").AliPayConfig
errors: Any = import_module("alipay.exceptions")

PEERS = ROOT / ".local" / "peers"
SCRIPT = ROOT / "tests" / "simulator" / "peers" / "alipay.cjs"
NUMBER = "ALI000001"
FORGERIES = ["tampered_amount", "wrong_key", "bad_signature"]

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or not (PEERS / "node_modules" / "alipay-sdk").exists(),
    reason="needs node, and alipay-sdk in .local/peers",
)


def fields(body: bytes | str) -> dict[str, str]:
    return dict(parse_qsl(body if isinstance(body, str) else body.decode()))


@pytest.fixture
def sdk(settings: dict[str, str], backend: Backend) -> Any:
    sdk = library.AliPay(
        appid=settings["ALIPAY_APP_ID"],
        app_notify_url=backend.url + "/alipay/notify",
        app_private_key_string=settings["ALIPAY_PRIVATE_KEY"],
        alipay_public_key_string=settings["ALIPAY_PUBLIC_KEY"],
        config=config_of(timeout=5),
    )
    sdk._gateway = settings["ALIPAY_API_BASE"]
    return sdk


class TestPythonAlipaySdk:
    @pytest.fixture(autouse=True)
    def without_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def call(self, sdk: Any, alipay: AlipayMerchant, method: str, **biz: str) -> dict[str, Any]:
        now = alipay.params(method, {})["timestamp"]
        answer: dict[str, Any] = sdk.server_api(method, biz, timestamp=now)
        return answer

    def precreate(self, sdk: Any, alipay: AlipayMerchant, **more: str) -> dict[str, Any]:
        biz = {"out_trade_no": NUMBER, "total_amount": "123.45", "subject": "物业费", **more}
        return self.call(sdk, alipay, "alipay.trade.precreate", **biz)

    def test_precreates_queries_and_pays_back(
        self, sdk: Any, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        assert self.precreate(sdk, alipay)["qr_code"].startswith("https://qr.alipay.com/")
        query = self.call(sdk, alipay, "alipay.trade.query", out_trade_no=NUMBER)
        assert query["sub_code"] == "ACQ.TRADE_NOT_EXIST"
        platforms.control(f"alipay/pay/{NUMBER}")

        query = self.call(sdk, alipay, "alipay.trade.query", out_trade_no=NUMBER)
        refund = self.call(
            sdk, alipay, "alipay.trade.refund", out_trade_no=NUMBER, refund_amount="123.45"
        )

        assert (query["trade_status"], query["total_amount"]) == ("TRADE_SUCCESS", "123.45")
        assert (refund["fund_change"], refund["refund_fee"]) == ("Y", "123.45")

    def test_opens_the_cashier(
        self, sdk: Any, alipay: AlipayMerchant, settings: dict[str, str], platforms: Platforms
    ) -> None:
        now = alipay.params("x", {})["timestamp"]
        biz = alipay.form(NUMBER, product_code="QUICK_WAP_WAY")
        query = sdk.client_api("alipay.trade.wap.pay", biz, timestamp=now)

        page = platforms.http.get(f"{settings['ALIPAY_API_BASE']}?{query}")

        assert "¥123.45" in page.text

    def test_local_time_that_is_not_beijings_is_refused(
        self, sdk: Any, alipay: AlipayMerchant
    ) -> None:
        answer = sdk.server_api(
            "alipay.trade.query", {"out_trade_no": NUMBER}, timestamp="2020-01-01 00:00:00"
        )

        assert (answer["code"], answer["sub_code"]) == ("40002", "isv.invalid-timestamp")

    def test_verifies_our_notice(
        self, sdk: Any, alipay: AlipayMerchant, platforms: Platforms, backend: Backend
    ) -> None:
        alipay.precreate(NUMBER, backend.url, subject="水费 +%＆😀")
        platforms.control(f"alipay/pay/{NUMBER}", {"wait": True})

        data = fields(backend.received[0].body)

        assert sdk.verify(data, data.pop("sign")) is True

    @pytest.mark.parametrize("fault", FORGERIES)
    def test_rejects_a_forged_one(self, sdk: Any, platforms: Platforms, fault: str) -> None:
        data = fields(platforms.control("craft/alipay_notice", {"faults": [fault]})["body"])

        assert sdk.verify(data, data.pop("sign")) is False

    def test_notices_a_bad_signature_on_an_answer(
        self, sdk: Any, alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        platforms.fault({"badly_signed": True}, times=1, host="ali")
        with pytest.raises(errors.AliPayValidationError):
            self.precreate(sdk, alipay)

        platforms.fault({"unsigned": True}, times=1, host="ali")
        with pytest.raises(errors.AliPayException):
            self.precreate(sdk, alipay)


@needs_node
@pytest.mark.slow
class TestAlipaySdkForNode:
    def ask(self, settings: dict[str, str], **asked: Any) -> dict[str, Any]:
        node = shutil.which("node")
        assert node is not None
        done = subprocess.run(
            [node, str(SCRIPT), str(PEERS)],
            input=json.dumps({"settings": settings, **asked}),
            # Its timestamps are local time.
            env={**os.environ, "TZ": "Asia/Shanghai", "NO_PROXY": "127.0.0.1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said: dict[str, Any] = json.loads(done.stdout)
        return said

    def test_precreates_and_verifies_the_answer(
        self, settings: dict[str, str], alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        asked = {"action": "exec", "method": "alipay.trade.precreate", "biz": alipay.form(NUMBER)}

        result = self.ask(settings, **asked)["result"]

        assert (result["code"], result["outTradeNo"]) == ("10000", NUMBER)
        assert result["qrCode"].startswith("https://qr.alipay.com/")
        platforms.fault({"badly_signed": True}, times=1, host="ali")
        assert "error" in self.ask(settings, **asked)

    def test_opens_the_cashier(
        self, settings: dict[str, str], alipay: AlipayMerchant, platforms: Platforms
    ) -> None:
        url = self.ask(
            settings,
            action="page",
            method="alipay.trade.page.pay",
            biz=alipay.form(NUMBER, product_code="FAST_INSTANT_TRADE_PAY"),
            more={"returnUrl": "http://127.0.0.1/back"},
        )["result"]

        assert "¥123.45" in platforms.http.get(url).text

    def test_checks_our_notices(
        self,
        settings: dict[str, str],
        alipay: AlipayMerchant,
        platforms: Platforms,
        backend: Backend,
    ) -> None:
        alipay.precreate(NUMBER, backend.url)
        platforms.control(f"alipay/pay/{NUMBER}", {"wait": True})
        right = fields(backend.received[0].body)
        forged = [
            fields(platforms.control("craft/alipay_notice", {"faults": [fault]})["body"])
            for fault in FORGERIES
        ]

        checked = [
            self.ask(settings, action="check", notice=one)["result"] for one in [right, *forged]
        ]

        assert checked == [True, False, False, False]
