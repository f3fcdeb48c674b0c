"""Our WeChat client: wechatpy with a shared token, one retry, time limits and two errors."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from redis import Redis
from requests.adapters import HTTPAdapter
from wechatpy import WeChatClient
from wechatpy.client.api.base import BaseWeChatAPI
from wechatpy.exceptions import WeChatClientException

from domain.errors import PlatformRefused, PlatformUnavailable
from gateways.wechat_tokens import AccessTokens, FreshToken
from services.ports import Clock

_log = logging.getLogger(__name__)

PUBLIC_BASE = "https://api.weixin.qq.com/"
TIMEOUT_S = (3, 5)
"""To connect, and to wait for an answer."""

_BAD_TOKEN = frozenset({40001, 40014, 42001})
_BUSY = -1
_TOO_FREQUENT = 45011
_QUOTA_USED_UP = 45009
"""Of the day, or of the minute if the words say so. Source: platforms.md 4.4."""
_NEXT_MINUTE_S = 60
"""Source: platforms.md 4.4; 45011 asks to come back in the next minute."""

_SECRET_IN_TEXT = re.compile(
    r"(\b(?:access_token|secret|js_code|code)[\"']?\s*[=:]\s*[\"']?)[^&\s\"',}]+", re.IGNORECASE
)


def redact(text: str) -> str:
    """Blank the secrets that WeChat addresses carry in their query strings."""
    return _SECRET_IN_TEXT.sub(r"\1***", text)


class RedactSecrets(logging.Filter):
    """Keeps tokens and secrets out of a library's log lines, which print whole addresses."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the line; none is dropped."""
        record.msg, record.args = redact(record.getMessage()), None
        return True


_HTTP_LOG = logging.getLogger("urllib3.connectionpool")
_REDACT_SECRETS = RedactSecrets()


class _SignIn(BaseWeChatAPI):  # type: ignore[misc]  # wechatpy has no types
    """Login codes, asked without the access token that wechatpy would fetch and send along."""

    API_BASE_URL = PUBLIC_BASE

    def code_to_session(self, *, code: str) -> dict[str, Any]:
        """Exchange a ``wx.login`` code.

        Source: platforms.md 1.3 B5; an explicit None keeps wechatpy from adding the token.
        """
        params = {
            "appid": self.appid,
            "secret": self.secret,
            "js_code": code,
            "grant_type": "authorization_code",
            "access_token": None,
        }
        answer: dict[str, Any] = self._get("sns/jscode2session", params=params)
        return answer

    def code_to_page_user(self, *, code: str) -> dict[str, Any]:
        """Exchange the code that a page got by web authorisation.

        Source: platforms.md 4.5; wechatpy's own call knows no timeout (B3).
        """
        params = {
            "appid": self.appid,
            "secret": self.secret,
            "code": code,
            "grant_type": "authorization_code",
            "access_token": None,
        }
        answer: dict[str, Any] = self._get("sns/oauth2/access_token", params=params)
        return answer


class _Template(BaseWeChatAPI):  # type: ignore[misc]  # wechatpy has no types
    """Template messages with ``client_msg_id``, which wechatpy cannot send."""

    API_BASE_URL = PUBLIC_BASE

    def send(self, *, body: Mapping[str, Any]) -> dict[str, Any]:
        """Post a message."""
        answer: dict[str, Any] = self._post("cgi-bin/message/template/send", data=dict(body))
        return answer


class _Subscribe(BaseWeChatAPI):  # type: ignore[misc]  # wechatpy has no types
    """Subscribe messages with ``miniprogram_state`` and ``lang``."""

    API_BASE_URL = PUBLIC_BASE

    def send(self, *, body: Mapping[str, Any]) -> dict[str, Any]:
        """Post a message."""
        answer: dict[str, Any] = self._post("cgi-bin/message/subscribe/send", data=dict(body))
        return answer


class AppClient(WeChatClient):  # type: ignore[misc]  # wechatpy has no types
    """Talks to WeChat in the name of one app; shared by threads.

    Every call raises `PlatformRefused` (``vendor_code`` is the errcode) or `PlatformUnavailable`.
    A call whose token is refused is repeated once with another token, unless it uploads: the
    stream is spent by then. Answers other than JSON objects count as no answer.

    Source: platforms.md 1.3 and 1.4.
    """

    sign_in = _SignIn()
    templates = _Template()
    subscribe = _Subscribe()

    def __init__(
        self,
        *,
        appid: str,
        secret: str,
        base_url: str,
        redis: Redis,
        clock: Clock,
        width: int,
        timeout_s: tuple[float, float] = TIMEOUT_S,
    ) -> None:
        super().__init__(appid, secret, timeout=timeout_s, auto_retry=False)
        self.base_url = base_url.rstrip("/") + "/"
        self._point_at(self.base_url)
        self._http = _session(width)
        self._tokens = AccessTokens(redis=redis, appid=appid, fetch=self.fetch_token, clock=clock)
        _HTTP_LOG.addFilter(_REDACT_SECRETS)

    def _point_at(self, base_url: str) -> None:
        self.API_BASE_URL = base_url + "cgi-bin/"
        for group in vars(self).values():
            if isinstance(group, BaseWeChatAPI):
                own: str = getattr(group, "API_BASE_URL", "")
                if own.startswith(PUBLIC_BASE):
                    group.API_BASE_URL = base_url + own.removeprefix(PUBLIC_BASE)

    @property
    def access_token(self) -> str:
        """The shared token. Before ``__init__``, when wechatpy looks, it has none (B10)."""
        return self._tokens.take()

    def fetch_access_token(self) -> dict[str, Any]:
        """Give wechatpy the shared token instead of a private one that would retire it."""
        return {"access_token": self._tokens.take()}

    def fetch_token(self, *, force: bool) -> FreshToken:
        """Ask ``stable_token`` now, past the store.

        Raises:
            PlatformRefused: bad appid or secret, an address not on the allow-list, no quota.
            PlatformUnavailable: no usable answer.
        """
        body = {
            "grant_type": "client_credential",
            "appid": self.appid,
            "secret": self.secret,
            "force_refresh": force,
        }
        answer = self._checked(
            super().post, "stable_token", json=body, params={"access_token": None}
        )
        token, life_s = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not token or type(life_s) is not int or life_s <= 0:
            raise PlatformUnavailable
        return FreshToken(token, life_s)

    def get(self, url: str, **kwargs: Any) -> dict[str, Any]:
        """Call by GET; every wechatpy method passes here or through `post`."""
        return self._with_token(super().get, url, **kwargs)

    def post(self, url: str, **kwargs: Any) -> dict[str, Any]:
        """Call by POST."""
        return self._with_token(super().post, url, **kwargs)

    def _with_token(self, send: Callable[..., Any], url: str, **kwargs: Any) -> dict[str, Any]:
        params = dict(kwargs.pop("params", None) or {})
        if "access_token" in params:
            return self._checked(send, url, params=params, **kwargs)
        token = self._tokens.take()
        try:
            return self._checked(send, url, params={**params, "access_token": token}, **kwargs)
        except _TokenRefused as refused:
            if kwargs.get("files"):
                raise
            other = self._tokens.take(rejected=token)
            if other == token:
                raise refused from None
        return self._checked(send, url, params={**params, "access_token": other}, **kwargs)

    def _checked(self, send: Callable[..., Any], url: str, **kwargs: Any) -> dict[str, Any]:
        # Errors are raised `from None`: the vendor's carry whole addresses into tracebacks.
        try:
            answer = send(url, allow_redirects=False, **kwargs)
        except WeChatClientException as error:
            raise _translated(error, url) from None
        except (requests.RequestException, ValueError, TypeError, RecursionError) as error:
            _log.warning("wechat %s: %s %s", url, type(error).__name__, redact(str(error)))
            raise PlatformUnavailable from None
        if not isinstance(answer, dict):
            _log.warning("wechat %s: the answer is not a JSON object", url)
            raise PlatformUnavailable
        return answer


class _TokenRefused(PlatformRefused):
    """The token, not the request, was refused."""


def _translated(error: WeChatClientException, url: str) -> PlatformRefused | PlatformUnavailable:
    errcode: int | None = error.errcode
    if errcode is None:
        _log.warning("wechat %s: HTTP %s", url, error.response.status_code)
        return _http_refusal(error.response.status_code)
    _log.warning("wechat %s: errcode %s %s", url, errcode, redact(str(error.errmsg)))
    if errcode == _BUSY:
        return PlatformUnavailable("微信系统繁忙，请稍后再试")
    if errcode == _TOO_FREQUENT:
        return PlatformUnavailable("微信要求放慢，请一分钟后再试", retry_after_s=_NEXT_MINUTE_S)
    kind = _TokenRefused if errcode in _BAD_TOKEN else PlatformRefused
    is_of_minute = errcode == _QUOTA_USED_UP and "minute" in str(error.errmsg)
    return kind(
        f"微信拒绝了这次请求（错误码 {errcode}）",
        vendor_code=f"{errcode}_minute" if is_of_minute else str(errcode),
    )


def _http_refusal(status: int) -> PlatformRefused | PlatformUnavailable:
    if status == 429:
        return PlatformUnavailable(retry_after_s=_NEXT_MINUTE_S)
    if status >= 500 or status == 408:
        return PlatformUnavailable()
    return PlatformRefused(f"微信拒绝了这次请求（HTTP {status}）", vendor_code=f"http_{status}")


def _session(width: int) -> requests.Session:
    session = requests.Session()
    adapter = HTTPAdapter(pool_connections=2, pool_maxsize=width)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    # The one part of a session that threads would change under each other.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session
