"""A merchant written from the platform's page: a second opinion on the signatures."""

import base64
import json
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import requests
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509 import load_pem_x509_certificate

from tests.simulator.platforms import Platforms


@dataclass
class Answer:
    status: int
    data: dict[str, Any]
    is_signed: bool
    headers: dict[str, str]
    text: str


class Merchant:
    def __init__(self, settings: dict[str, str], platforms: Platforms) -> None:
        self.settings = settings
        self.platforms = platforms
        self.mchid = settings["WECHATPAY_MCHID"]
        key = load_pem_private_key(settings["WECHATPAY_PRIVATE_KEY"].encode(), None)
        assert isinstance(key, RSAPrivateKey)
        self.key = key
        public = load_pem_public_key(settings["WECHATPAY_PUBLIC_KEY"].encode())
        assert isinstance(public, RSAPublicKey)
        self.public = public

    def sign(self, message: str) -> str:
        return base64.b64encode(self.key.sign(message.encode(), PKCS1v15(), SHA256())).decode()

    def has_signed(self, headers: Any, body: str, certificate: str | None = None) -> bool:
        """Whether the platform's public key, or that certificate's, fits headers and body."""
        public = self.public
        if certificate is not None:
            of_certificate = load_pem_x509_certificate(certificate.encode()).public_key()
            assert isinstance(of_certificate, RSAPublicKey)
            public = of_certificate
        stamp, nonce = headers.get("Wechatpay-Timestamp"), headers.get("Wechatpay-Nonce")
        try:
            public.verify(
                base64.b64decode(headers["Wechatpay-Signature"]),
                f"{stamp}\n{nonce}\n{body}\n".encode(),
                PKCS1v15(),
                SHA256(),
            )
        except (InvalidSignature, KeyError, ValueError):
            return False
        return True

    def open(self, body: str) -> dict[str, Any]:
        resource = json.loads(body)["resource"]
        plain = AESGCM(self.settings["WECHATPAY_APIV3_KEY"].encode()).decrypt(
            resource["nonce"].encode(),
            base64.b64decode(resource["ciphertext"]),
            resource["associated_data"].encode(),
        )
        data: dict[str, Any] = json.loads(plain)
        return data

    def authorization(
        self, method: str, target: str, body: str, *, timestamp: int | None = None, **more: str
    ) -> str:
        stamp = timestamp or int(self.platforms.look("clock")["timestamp"])
        nonce = more.get("nonce", secrets.token_hex(16))
        signature = self.sign(f"{method}\n{target}\n{stamp}\n{nonce}\n{body}\n")
        pairs = {
            "mchid": more.get("mchid", self.mchid),
            "nonce_str": nonce,
            "signature": more.get("signature", signature),
            "timestamp": str(stamp),
            "serial_no": more.get("serial", self.settings["WECHATPAY_CERT_SERIAL"]),
        }
        return "WECHATPAY2-SHA256-RSA2048 " + ",".join(f'{k}="{v}"' for k, v in pairs.items())

    def call(
        self,
        method: str,
        target: str,
        data: Any = None,
        *,
        authorization: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Call an interface; the target is the real platform's path with its query."""
        body = "" if data is None else json.dumps(data, ensure_ascii=False)
        sent = {
            "Authorization": authorization or self.authorization(method, target, body),
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": "test",
            **(headers or {}),
        }
        answer = self.platforms.http.request(
            method, self.settings["WECHATPAY_API_BASE"] + target, data=body.encode(), headers=sent
        )
        return self._answer(answer)

    def _answer(self, answer: requests.Response) -> Answer:
        return Answer(
            answer.status_code,
            answer.json() if answer.content else {},
            self.has_signed(answer.headers, answer.content.decode()),
            dict(answer.headers),
            answer.content.decode(),
        )

    def form(self, openid: str, number: str, url: str, **more: Any) -> dict[str, Any]:
        """A right JSAPI order; a field given as None is left out."""
        form: dict[str, Any] = {
            "appid": self.settings["WECHAT_MINIAPP_APPID"],
            "mchid": self.mchid,
            "description": "安居花园1-101 物业费",
            "out_trade_no": number,
            "notify_url": url + "/pay/notify",
            "amount": {"total": 12345, "currency": "CNY"},
            "payer": {"openid": openid},
        }
        return {key: value for key, value in (form | more).items() if value is not None}

    def order(self, form: dict[str, Any], kind: str = "jsapi") -> Answer:
        return self.call("POST", f"/v3/pay/transactions/{kind}", form)

    def query(self, number: str) -> Answer:
        target = f"/v3/pay/transactions/out-trade-no/{number}?mchid={self.mchid}"
        return self.call("GET", target)

    def close(self, number: str) -> Answer:
        target = f"/v3/pay/transactions/out-trade-no/{number}/close"
        return self.call("POST", target, {"mchid": self.mchid})

    def refund(self, number: str, refund_number: str, fen: int, **more: Any) -> Answer:
        """Refund part of an order of 123.45; a field given as None is left out."""
        form = {
            "out_trade_no": number,
            "out_refund_no": refund_number,
            "reason": "多收了物业费",
            "amount": {"refund": fen, "total": 12345, "currency": "CNY"},
        }
        form = {key: value for key, value in (form | more).items() if value is not None}
        return self.call("POST", "/v3/refund/domestic/refunds", form)

    def query_refund(self, refund_number: str) -> Answer:
        return self.call("GET", f"/v3/refund/domestic/refunds/{refund_number}")

    def ask_bill(self, date: str, *, bill: str = "trade", **query: str) -> Answer:
        asked = urlencode({"bill_date": date} | query)
        return self.call("GET", f"/v3/bill/{bill}bill?{asked}")

    def fetch(self, url: str, **headers: str) -> requests.Response:
        """Fetch a bill's file: signed like any request, but the answer comes as it is."""
        target = url.removeprefix(self.settings["WECHATPAY_API_BASE"])
        sent = {
            "Authorization": self.authorization("GET", target, ""),
            "Accept": "application/json",
            "User-Agent": "test",
        }
        return self.platforms.http.get(url, headers=sent | headers)

    def ticket(self, prepay_id: str, **more: str) -> dict[str, str]:
        appid = self.settings["WECHAT_MINIAPP_APPID"]
        package = f"prepay_id={prepay_id}"
        pay_sign = self.sign(f"{appid}\n1700000000\nnonce\n{package}\n")
        return {
            "appId": appid,
            "timeStamp": "1700000000",
            "nonceStr": "nonce",
            "package": package,
            "signType": "RSA",
            "paySign": pay_sign,
            **more,
        }
