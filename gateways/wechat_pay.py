"""WeChat Pay API v3 for one merchant, in public-key mode, through wechatpayv3."""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from wechatpayv3 import WeChatPay, WeChatPayType

from domain.errors import PlatformRefused, PlatformUnavailable
from gateways.wechat_notices import CHANNEL, SignatureCheck, read_json, read_notice, read_trade
from services.pay_ports import (
    ChannelTrade,
    NoticeRefused,
    OrderToOpen,
    PayChannel,
    PrepayTicket,
    TradeState,
)
from settings import Settings, SettingsMissing

_log = logging.getLogger(__name__)

_TIMEOUT_S = (3, 8)
_BEIJING = timezone(timedelta(hours=8))
_DESCRIPTION_LIMIT = 127
_NUMBER_FORM = re.compile(r"[0-9A-Za-z]{6,32}", re.ASCII)
"""Source: platforms.md 4.6; of the marks some pages allow we use none."""
_CODE_FORM = re.compile(r"[A-Z0-9_]{1,64}", re.ASCII)
_SLOW_DOWN_S = 60
_ABSENT = "ORDER_NOT_EXIST"
_NOTHING_TO_CLOSE = frozenset({"ORDER_CLOSED", _ABSENT})
_PRIVATE_NAMES = ("_gate_way", "_verify_signature", "_update_certificates")


class WechatPay:
    """Opens, queries and closes orders, and reads notices.

    The SDK builds and signs the requests. What the platform signed is verified by our own code, and
    the SDK is kept from asking for platform certificates, which public-key mode does not have.

    Source: platforms.md 2 and 4.6.
    """

    def __init__(self, *, settings: Settings) -> None:
        public_key = _public_key(settings)
        _check_private_key(settings)
        self._cipher = _cipher(settings)
        self._signatures = SignatureCheck(keys={settings.wechatpay_public_key_id: public_key})
        self._mchid = settings.wechatpay_mchid
        self._appid = settings.wechat_miniapp_appid
        # Never a logger: the SDK would write whole requests and decrypted notices to it.
        self._sdk = WeChatPay(
            wechatpay_type=WeChatPayType.MINIPROG,
            mchid=self._mchid,
            private_key=settings.wechatpay_private_key,
            cert_serial_no=settings.wechatpay_cert_serial,
            appid=self._appid,
            apiv3_key=settings.wechatpay_apiv3_key,
            notify_url=settings.public_base_url.rstrip("/") + "/notify/wechatpay",
            timeout=_TIMEOUT_S,
            public_key=settings.wechatpay_public_key,
            public_key_id=settings.wechatpay_public_key_id,
        )
        core = self._sdk._core
        for name in _PRIVATE_NAMES:
            if not hasattr(core, name):
                raise RuntimeError(f"wechatpayv3 has changed: Core.{name} is gone")
        core._gate_way = settings.wechatpay_api_base.rstrip("/")
        core._verify_signature = self._verify_answer
        core._update_certificates = _no_certificates

    @property
    def mchid(self) -> str:
        """The merchant number that receives the money."""
        return self._mchid

    @property
    def appid(self) -> str:
        """The mini-program, in whose name JSAPI orders are opened."""
        return self._appid

    def open_jsapi_order(self, order: OrderToOpen) -> str:
        """Open or re-open an order and return its prepay_id, good for two hours.

        Raises:
            PlatformRefused: such as ORDERPAID, ORDER_CLOSED, OUT_TRADE_NO_USED, PARAM_ERROR.
            PlatformUnavailable: the order may exist: query it by the same number.
        """
        _check_number(order.out_trade_no)
        opened = self._call(
            "open",
            self._sdk.pay,
            description=order.description[:_DESCRIPTION_LIMIT],
            out_trade_no=order.out_trade_no,
            amount={"total": order.amount_fen, "currency": "CNY"},
            time_expire=order.expires_at.astimezone(_BEIJING).isoformat(timespec="seconds"),
            pay_type=WeChatPayType.MINIPROG,
            payer={"openid": order.openid},
        )
        return _answer_text(opened, "prepay_id")

    def ticket(self, *, prepay_id: str, now: datetime) -> PrepayTicket:
        """Sign what ``wx.requestPayment`` needs; calls nobody."""
        time_stamp = str(int(now.timestamp()))
        nonce_str = secrets.token_hex(16)
        package = f"prepay_id={prepay_id}"
        return PrepayTicket(
            appid=self._appid,
            time_stamp=time_stamp,
            nonce_str=nonce_str,
            package=package,
            sign_type="RSA",
            pay_sign=self._sdk.sign([self._appid, time_stamp, nonce_str, package]),
        )

    def query(self, *, out_trade_no: str) -> ChannelTrade:
        """Ask for a trade by our number; an unknown number is state ABSENT.

        Raises:
            PlatformRefused: the question itself is refused, such as SIGN_ERROR.
            PlatformUnavailable: no usable answer.
        """
        _check_number(out_trade_no)
        try:
            answer = self._call("query", self._sdk.query, out_trade_no=out_trade_no)
        except PlatformRefused as refused:
            if refused.vendor_code != _ABSENT:
                raise
            return ChannelTrade(
                channel=CHANNEL,
                mchid=self._mchid,
                appid=self._appid,
                out_trade_no=out_trade_no,
                state=TradeState.ABSENT,
            )
        return _trade_asked_for(answer, out_trade_no)

    def close(self, *, out_trade_no: str) -> None:
        """Close an unpaid order; closing a closed or absent one is no error.

        Raises:
            PlatformRefused: ORDERPAID when it was paid meanwhile.
            PlatformUnavailable: it may be closed or not.
        """
        _check_number(out_trade_no)
        try:
            self._call("close", self._sdk.close, out_trade_no=out_trade_no)
        except PlatformRefused as refused:
            if refused.vendor_code not in _NOTHING_TO_CLOSE:
                raise

    def read_notice(
        self, *, headers: Mapping[str, str], body: bytes, received_at: datetime
    ) -> ChannelTrade:
        """Verify, decrypt and read a payment notice; calls nobody, compares no business field.

        Raises:
            NoticeRefused: it is not a payment notice the platform signed within 300 s.
        """
        return read_notice(
            headers=headers,
            body=body,
            received_at=received_at,
            signatures=self._signatures,
            cipher=self._cipher,
        )

    def _call(self, what: str, send: Callable[..., Any], **kwargs: Any) -> dict[str, Any]:
        try:
            status, content = send(**kwargs)
        except (requests.RequestException, NoticeRefused) as error:
            reason = error.reason if isinstance(error, NoticeRefused) else type(error).__name__
            _log.warning("wechat pay %s: no usable answer (%s)", what, reason)
            raise PlatformUnavailable from None
        raw = content.encode() if isinstance(content, str) else content
        if 200 <= status < 300:
            return _verified_object(raw)
        raise _refusal(what, status, raw)

    def _verify_answer(self, headers: Mapping[str, str], body: str) -> bool:
        """Stand in for the SDK's check of answers, which would fetch certificates."""
        self._signatures.verify(headers=headers, body=body.encode(), received_at=None)
        return True


@dataclass(frozen=True, slots=True)
class PayProbe:
    """Queries an order that cannot exist: an answer shows that number, key and serial fit."""

    channel: PayChannel

    name = "微信支付"

    def check(self) -> str:
        """Query it.

        Raises:
            PlatformRefused: the platform refuses the signature, or knows that order.
            PlatformUnavailable: no usable answer.
        """
        trade = self.channel.query(out_trade_no="ANJUPROBE0000000000")
        if trade.state is not TradeState.ABSENT:
            raise PlatformRefused("查询不存在的订单，平台却说有", vendor_code=trade.state.value)
        return f"商户 {self.channel.mchid} 的签名被接受，不存在的订单查无此单"


def _verified_object(raw: bytes) -> dict[str, Any]:
    if not raw:
        return {}
    try:
        return read_json(raw)
    except NoticeRefused:
        raise PlatformUnavailable from None


def _refusal(what: str, status: int, raw: bytes) -> PlatformRefused | PlatformUnavailable:
    """Decide between no and unknown; nothing else is believed of an answer we did not verify."""
    code = _error_code(raw)
    # An order that is not there is an answer, not trouble: a query turns it into ABSENT.
    level = logging.INFO if code == _ABSENT else logging.WARNING
    _log.log(level, "wechat pay %s: HTTP %s %s", what, status, code)
    if status == 429:
        return PlatformUnavailable("微信支付要求放慢，请稍后再试", retry_after_s=_SLOW_DOWN_S)
    if 400 <= status < 500 and code:
        return PlatformRefused(f"微信支付拒绝了这次请求（{code}）", vendor_code=code)
    return PlatformUnavailable()


def _error_code(raw: bytes) -> str:
    try:
        code = json.loads(raw)["code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return code if isinstance(code, str) and _CODE_FORM.fullmatch(code) else ""


def _answer_text(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise PlatformUnavailable
    return value


def _trade_asked_for(answer: Mapping[str, Any], out_trade_no: str) -> ChannelTrade:
    try:
        trade = read_trade(answer)
    except NoticeRefused:
        _log.warning("wechat pay query: the answer is not a trade")
        raise PlatformUnavailable from None
    if trade.out_trade_no != out_trade_no:
        raise PlatformUnavailable
    return trade


def _check_number(out_trade_no: str) -> None:
    # It becomes part of the signed path.
    if not _NUMBER_FORM.fullmatch(out_trade_no):
        raise PlatformRefused("订单号格式不对", vendor_code="PARAM_ERROR")


def _no_certificates() -> None:
    raise NoticeRefused("serial_unknown")


def _public_key(settings: Settings) -> RSAPublicKey:
    try:
        key = load_pem_public_key(settings.wechatpay_public_key.encode())
    except ValueError:
        key = None
    if not isinstance(key, RSAPublicKey):
        raise SettingsMissing(["WECHATPAY_PUBLIC_KEY"])
    return key


def _check_private_key(settings: Settings) -> None:
    try:
        key = load_pem_private_key(settings.wechatpay_private_key.encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise SettingsMissing(["WECHATPAY_PRIVATE_KEY"])


def _cipher(settings: Settings) -> AESGCM:
    key = settings.wechatpay_apiv3_key.encode()
    if len(key) != 32:
        raise SettingsMissing(["WECHATPAY_APIV3_KEY"])
    return AESGCM(key)
