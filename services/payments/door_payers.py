"""Who holds the phone at a door: asked of WeChat, sealed for the page's next request."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta

from domain.actors import Actor, Permission
from services.payments.opening import WechatNeeded
from services.ports import Clock, OfficialAccount

_LIFE = timedelta(hours=2)
_FIELD = "|"


@dataclass(frozen=True)
class DoorPayers:
    """The payer's openid between the pages of a door; a client can neither make nor change it."""

    official: OfficialAccount
    clock: Clock
    key: bytes

    def sign_in_url(self, *, actor: Actor, token: str, return_url: str) -> str:
        """Tell where to send a browser inside WeChat; it comes back with ``code`` and ``state``."""
        actor.must(Permission.PAY_AT_DOOR)
        return self.official.page_sign_in_url(
            return_url=return_url, state=self._seal("state", token)
        )

    def payer(self, *, actor: Actor, token: str, code: str, state: str) -> str:
        """Exchange the code and return the payer sealed, for this door only, good for two hours.

        Raises:
            WechatNeeded: the state is not of this door, or too old.
            PlatformRefused: the code is wrong or used, or the user is a virtual one.
            PlatformUnavailable: WeChat did not answer.
        """
        actor.must(Permission.PAY_AT_DOOR)
        if self._open("state", state) != token:
            raise WechatNeeded("页面已过期，请重新扫码")
        return self._seal("payer", token + _FIELD + self.official.page_openid(code=code))

    def openid(self, *, token: str, payer: str) -> str:
        """Open what `payer` sealed.

        Raises:
            WechatNeeded: it was not sealed by us, for another door, or too long ago.
        """
        of_token, _, openid = self._open("payer", payer).partition(_FIELD)
        if of_token != token or not openid:
            raise WechatNeeded("页面已过期，请重新扫码")
        return openid

    def _seal(self, purpose: str, text: str) -> str:
        """Seal in letters and digits: WeChat takes no others in a state, and 128 at most.

        Source: WeChat, 网页授权, the parameter state.
        """
        until = int((self.clock.now() + _LIFE).timestamp())
        sealed = f"{until}{_FIELD}{text}".encode()
        tag = self._tag(purpose, sealed)
        return (tag + sealed).hex()

    def _open(self, purpose: str, sealed_text: str) -> str:
        try:
            raw = bytes.fromhex(sealed_text)
        except ValueError:
            return ""
        tag, sealed = raw[:16], raw[16:]
        if not hmac.compare_digest(tag, self._tag(purpose, sealed)):
            return ""
        until, _, text = sealed.decode().partition(_FIELD)
        return text if int(until) > self.clock.now().timestamp() else ""

    def _tag(self, purpose: str, sealed: bytes) -> bytes:
        return hmac.digest(self.key, purpose.encode() + b":" + sealed, hashlib.sha256)[:16]
