"""The merchants' own libraries against our pay simulator: they know nothing of it.

wechatpayv3 is what the product uses. wechatpay-axios-plugin is a stranger from npm, tried only
where it is installed: npm install --prefix .local/peers wechatpay-axios-plugin@0.9.6
"""

import base64
import gzip
import hashlib
import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.x509 import load_pem_x509_certificate
from wechatpayv3 import WeChatPay, WeChatPayType, core

from tests.simulator.conftest import ROOT, Backend
from tests.simulator.merchant import Merchant
from tests.simulator.platforms import Platforms

PEERS = ROOT / ".local" / "peers"
PLUGIN = PEERS / "node_modules" / "wechatpay-axios-plugin"
SCRIPT = ROOT / "tests" / "simulator" / "peers" / "wechatpay_axios.cjs"
SCENE = {"payer_client_ip": "14.23.150.211", "h5_info": {"type": "Wap"}}


@pytest.fixture
def sold(platforms: Platforms, merchant: Merchant, backend: Backend, owner: dict[str, Any]) -> str:
    """The day of an order that was paid two days ago; the clock is real again.

    The libraries sign with the real time, so the past must be made without them.
    """
    platforms.advance(-2 * 86_400)
    day: str = platforms.look("clock")["now"][:10]
    merchant.order(merchant.form(owner["openid_miniapp"], "SOLD000001", backend.url))
    platforms.control("pay/SOLD000001", {"wait": True})
    platforms.advance(2 * 86_400)
    backend.received.clear()
    return day


@pytest.fixture
def make_sdk(
    settings: dict[str, str], backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., WeChatPay]:
    base = settings["WECHATPAY_API_BASE"]

    class LocalCore(core.Core):  # type: ignore[misc]
        """In certificate mode the SDK calls the platform before one could redirect it."""

        _gate_way = property(lambda _: base, lambda _, __: None)

    monkeypatch.setattr(core, "Core", LocalCore)

    def make(*, by_key: bool) -> WeChatPay:
        keys = {
            "public_key": settings["WECHATPAY_PUBLIC_KEY"],
            "public_key_id": settings["WECHATPAY_PUBLIC_KEY_ID"],
        }
        return WeChatPay(
            wechatpay_type=WeChatPayType.H5,
            mchid=settings["WECHATPAY_MCHID"],
            private_key=settings["WECHATPAY_PRIVATE_KEY"],
            cert_serial_no=settings["WECHATPAY_CERT_SERIAL"],
            apiv3_key=settings["WECHATPAY_APIV3_KEY"],
            appid=settings["WECHAT_MINIAPP_APPID"],
            notify_url=backend.url + "/pay/notify",
            timeout=(3, 8),
            **(keys if by_key else {}),
        )

    return make


class TestWechatpayv3:
    @pytest.fixture(params=["pubkey_only", "pubkey", "grey:50", "cert"])
    def sdk(
        self,
        request: pytest.FixtureRequest,
        platforms: Platforms,
        make_sdk: Callable[..., WeChatPay],
    ) -> WeChatPay:
        """The SDK in each key mode; it knows its keys from its constructor or the list."""
        platforms.control("key_mode", {"mode": request.param})
        return make_sdk(by_key=request.param != "cert")

    def test_orders_for_a_browser(self, sdk: WeChatPay, platforms: Platforms) -> None:
        status, text = sdk.pay(
            description="物业费", out_trade_no="PEER000001", amount={"total": 1}, scene_info=SCENE
        )

        assert status == 200, text
        platforms.http.post(json.loads(text)["h5_url"])
        status, text = sdk.query(out_trade_no="PEER000001")
        assert (status, json.loads(text)["trade_state"]) == (200, "SUCCESS")

    def test_refunds_and_reads_the_notice(
        self, sdk: WeChatPay, sold: str, platforms: Platforms, backend: Backend
    ) -> None:
        status, text = sdk.refund(
            out_trade_no="SOLD000001",
            out_refund_no="PEER-R-1",
            amount={"refund": 45, "total": 12345, "currency": "CNY"},
        )
        assert (status, json.loads(text)["status"]) == (200, "PROCESSING")
        platforms.advance(1)

        (received,) = backend.received
        notice = sdk.callback(received.headers, received.body)
        assert notice["event_type"] == "REFUND.SUCCESS"
        assert notice["resource"]["amount"]["refund"] == 45
        status, text = sdk.query_refund("PEER-R-1")
        assert (status, json.loads(text)["status"]) == (200, "SUCCESS")

    def test_fetches_bills(self, sdk: WeChatPay, sold: str) -> None:
        for ask in (sdk.trade_bill, sdk.fundflow_bill):
            status, text = ask(sold)
            assert status == 200, text
            asked = json.loads(text)

            status, packed = sdk.download_bill(asked["download_url"])

            raw = gzip.decompress(packed)
            assert status == 200
            assert hashlib.sha1(raw).hexdigest() == asked["hash_value"]
            assert b",`123.45," in raw

    def test_follows_a_rotation(
        self, platforms: Platforms, make_sdk: Callable[..., WeChatPay]
    ) -> None:
        platforms.control("key_mode", {"mode": "cert"})
        sdk = make_sdk(by_key=False)
        platforms.control("rotate_certificate", {"percent_new": 100})

        made = platforms.control("craft/refund_callback", {})

        assert sdk.callback(made["headers"], made["body"])["event_type"] == "REFUND.SUCCESS"


@pytest.mark.skipif(not PLUGIN.exists(), reason="wechatpay-axios-plugin is not in .local/peers")
class TestAxiosPlugin:
    @pytest.fixture(params=["pubkey_only", "cert"])
    def mode(self, request: pytest.FixtureRequest, platforms: Platforms) -> str:
        platforms.control("key_mode", {"mode": request.param})
        return str(request.param)

    @pytest.fixture
    def do(self, settings: dict[str, str], mode: str) -> Callable[..., dict[str, Any]]:
        pem = settings["WECHATPAY_PLATFORM_CERTIFICATES"]
        serial = f"{load_pem_x509_certificate(pem.encode()).serial_number:X}"
        keys = {
            "pubkey_only": {settings["WECHATPAY_PUBLIC_KEY_ID"]: settings["WECHATPAY_PUBLIC_KEY"]},
            "cert": {serial: pem},
        }

        def run(step: str, **more: Any) -> dict[str, Any]:
            asked = {"step": step, "settings": settings, "certs": keys[mode], **more}
            done = subprocess.run(
                ["node", str(SCRIPT), str(PEERS)],
                input=json.dumps(asked),
                capture_output=True,
                text=True,
                timeout=30,
            )
            assert done.returncode == 0, done.stderr
            outcome: dict[str, Any] = json.loads(done.stdout)
            return outcome

        return run

    def test_orders_for_a_browser(
        self, do: Callable[..., dict[str, Any]], merchant: Merchant, backend: Backend
    ) -> None:
        form = merchant.form("", "PEER000001", backend.url, payer=None, scene_info=SCENE)

        outcome = do("order", kind="h5", form=form)

        assert "/pay/h5/" in outcome["result"]["h5_url"]
        assert merchant.query("PEER000001").data["trade_state"] == "NOTPAY"

    def test_refunds(
        self, do: Callable[..., dict[str, Any]], merchant: Merchant, sold: str
    ) -> None:
        form = {
            "out_trade_no": "SOLD000001",
            "out_refund_no": "PEER-R-1",
            "amount": {"refund": 45, "total": 12345, "currency": "CNY"},
        }

        done = do("refund", form=form)
        refused = do("refund", form=form | {"out_refund_no": "PEER-R-2"})

        assert done["result"]["status"] == "PROCESSING"
        assert refused["error"]["status"] == 429
        assert refused["error"]["data"]["code"] == "FREQUENCY_LIMITED"

    def test_fetches_a_bill(self, do: Callable[..., dict[str, Any]], sold: str) -> None:
        result = do("bill", params={"bill_date": sold, "tar_type": "GZIP"})["result"]

        raw = gzip.decompress(base64.b64decode(result["file"]))
        assert hashlib.sha1(raw).hexdigest() == result["hash_value"]
        assert raw.startswith("交易时间,".encode())

    @pytest.mark.parametrize(
        ("faults", "is_right"),
        [([], True), (["tampered_body"], False), (["wrong_key"], False), (["signtest"], False)],
    )
    @pytest.mark.parametrize("kind", ["pay", "refund"])
    def test_verifies_and_opens_callbacks(
        self,
        do: Callable[..., dict[str, Any]],
        platforms: Platforms,
        kind: str,
        faults: list[str],
        is_right: bool,
    ) -> None:
        made = platforms.control(f"craft/{kind}_callback", {"faults": faults})

        outcome = do("callback", headers=made["headers"], body=made["body"])

        assert outcome["result"]["verified"] is is_right
        if is_right:
            assert outcome["result"]["resource"] == made["resource"]
