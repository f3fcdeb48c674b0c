"""A merchant on Alipay written from the platform's page: a second opinion on the signatures."""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    load_pem_private_key,
    load_pem_public_key,
)

from tests.simulator.platforms import Platforms

ENVELOPE = re.compile(r'\{"(\w+)":(\{.*\})(?:,"sign":"([^"]+)")?\}', re.DOTALL)


def joined(params: dict[str, str]) -> str:
    return "&".join(f"{key}={params[key]}" for key in sorted(params) if params[key])


@dataclass
class Answer:
    name: str
    data: dict[str, Any]
    is_signed: bool
    text: str

    @property
    def error(self) -> tuple[str, str]:
        return self.data["code"], self.data.get("sub_code", "")


class AlipayMerchant:
    def __init__(self, settings: dict[str, str], platforms: Platforms) -> None:
        self.settings = settings
        self.platforms = platforms
        self.app_id = settings["ALIPAY_APP_ID"]
        key = load_pem_private_key(settings["ALIPAY_PRIVATE_KEY"].encode(), None)
        assert isinstance(key, RSAPrivateKey)
        self.key = key
        public = load_pem_public_key(settings["ALIPAY_PUBLIC_KEY"].encode())
        assert isinstance(public, RSAPublicKey)
        self.public = public

    def sign(self, message: str) -> str:
        return base64.b64encode(self.key.sign(message.encode(), PKCS1v15(), SHA256())).decode()

    def is_theirs(self, message: str, signature: str | None) -> bool:
        try:
            raw = base64.b64decode(signature or "")
            self.public.verify(raw, message.encode(), PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError):
            return False
        return True

    def has_signed(self, form: str) -> bool:
        """Whether the platform has signed this notice, or this way back."""
        data = dict(parse_qsl(form, keep_blank_values=True))
        signature = data.pop("sign", None)
        data.pop("sign_type", None)
        return self.is_theirs(joined(data), signature)

    def params(self, method: str, biz: dict[str, Any], /, **more: str | None) -> dict[str, str]:
        """Rightly signed parameters; one given as None is left out, `sign` replaces ours."""
        now = self.platforms.look("clock")["now"][:19].replace("T", " ")
        params = {
            "app_id": self.app_id,
            "method": method,
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": now,
            "version": "1.0",
            "biz_content": json.dumps(biz, ensure_ascii=False),
            **more,
        }
        kept = {key: value for key, value in params.items() if value is not None}
        if "sign" not in more:
            kept["sign"] = self.sign(joined(kept))
        return kept

    def call(self, method: str, biz: dict[str, Any], /, **more: str | None) -> Answer:
        return self.send(self.params(method, biz, **more))

    def send(self, params: dict[str, str], verb: str = "POST") -> Answer:
        query, form = ({}, params) if verb == "POST" else (params, {})
        answer = self.platforms.http.request(
            verb, self.settings["ALIPAY_API_BASE"], params=query, data=form
        )
        assert answer.status_code == 200, answer.text
        found = ENVELOPE.fullmatch(answer.content.decode())
        assert found, answer.text
        name, inner, signature = found.groups()
        return Answer(name, json.loads(inner), self.is_theirs(inner, signature), answer.text)

    def form(self, number: str, **more: Any) -> dict[str, Any]:
        """A right precreate; a field given as None is left out."""
        form = {
            "out_trade_no": number,
            "total_amount": "123.45",
            "subject": "安居花园1-101 物业费",
            **more,
        }
        return {key: value for key, value in form.items() if value is not None}

    def precreate(self, number: str, url: str = "", **more: Any) -> Answer:
        notify = {"notify_url": f"{url}/alipay/notify"} if url else {}
        return self.call("alipay.trade.precreate", self.form(number, **more), **notify)

    def query(self, number: str) -> Answer:
        return self.call("alipay.trade.query", {"out_trade_no": number})

    def close(self, number: str) -> Answer:
        return self.call("alipay.trade.close", {"out_trade_no": number})

    def refund(
        self, number: str, amount: str, request_no: str | None = None, **more: Any
    ) -> Answer:
        biz = {"out_trade_no": number, "refund_amount": amount, **more}
        if request_no is not None:
            biz["out_request_no"] = request_no
        return self.call("alipay.trade.refund", biz)

    def page(self, number: str, kind: str = "page", **more: str) -> Any:
        """Open the cashier as a browser would."""
        code = {"page": "FAST_INSTANT_TRADE_PAY", "wap": "QUICK_WAP_WAY"}[kind]
        biz = self.form(number, product_code=code)
        params = self.params(f"alipay.trade.{kind}.pay", biz, **more)
        url = f"{self.settings['ALIPAY_API_BASE']}?{urlencode(params)}"
        return self.platforms.http.get(url)
