"""The mini-program's server side: who holds the phone, and its number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from domain.errors import PlatformRefused, PlatformUnavailable
from domain.phones import NotAPhone, normalise_phone
from gateways.wechat_client import AppClient
from services.ports import WechatLogin

_MAINLAND = "86"


class WechatMiniProgram:
    """Exchanges the single-use codes that the mini-program hands over."""

    def __init__(self, *, client: AppClient) -> None:
        self._client = client

    @property
    def appid(self) -> str:
        """Whose openids these are."""
        return str(self._client.appid)

    def sign_in(self, *, code: str) -> WechatLogin:
        """Exchange a ``wx.login`` code; the session_key is dropped here.

        Raises:
            PlatformRefused: 40029 or 40163 the code is wrong or used, 40226 the user is blocked.
            PlatformUnavailable: no usable answer, or 45011.

        Source: platforms.md 4.5; a success carries no errcode.
        """
        answer = self._client.sign_in.code_to_session(code=code)
        openid, unionid = answer.get("openid"), answer.get("unionid")
        if not isinstance(openid, str) or not openid:
            raise PlatformUnavailable
        return WechatLogin(
            appid=self.appid,
            openid=openid,
            unionid=unionid if isinstance(unionid, str) and unionid else None,
        )

    def phone_number(self, *, code: str) -> str:
        """Exchange a ``getPhoneNumber`` code for 11 digits; costs 0.03 yuan a call.

        Raises:
            PlatformRefused: 40029 the code is wrong, used or too old; ``not_mainland`` for another
                number; ``watermark_appid`` when the number was given to another app.
            PlatformUnavailable: no usable answer.

        Source: platforms.md 4.5; countryCode is a number on one page and text on another.
        """
        info = self._client.wxa.get_phone_number(code).get("phone_info")
        if not isinstance(info, dict):
            raise PlatformUnavailable
        if not self._is_ours(info.get("watermark")):
            raise PlatformRefused("手机号不是授权给本小程序的", vendor_code="watermark_appid")
        if str(info.get("countryCode")) != _MAINLAND:
            raise _not_mainland()
        try:
            return normalise_phone(info.get("purePhoneNumber", ""))
        except NotAPhone:
            raise _not_mainland() from None

    def _is_ours(self, watermark: Any) -> bool:
        return isinstance(watermark, dict) and watermark.get("appid") == self.appid


def _not_mainland() -> PlatformRefused:
    return PlatformRefused("只支持中国大陆的手机号", vendor_code="not_mainland")


@dataclass(frozen=True, slots=True)
class TokenProbe:
    """Asks WeChat for an access token, which proves appid, secret and allow-listed address."""

    name: str
    client: AppClient

    def check(self) -> str:
        """Fetch past the shared store; in normal mode this changes no token in use."""
        fresh = self.client.fetch_token(force=False)
        return f"取到接口凭证，还有 {fresh.life_s} 秒有效"
