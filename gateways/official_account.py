"""The official account's server side: template messages and followers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from domain.errors import PlatformRefused, PlatformUnavailable
from domain.message_fields import fit_field
from domain.messages import MessageKind
from gateways.message_templates import ChosenTemplate, template_of
from gateways.wechat_client import AppClient
from services.ports import Follower


class WechatOfficialAccount:
    """Sends template messages and looks followers up."""

    def __init__(
        self,
        *,
        client: AppClient,
        templates: Mapping[MessageKind, ChosenTemplate],
        open_base: str,
    ) -> None:
        self._client = client
        self._open_base = open_base.rstrip("/")
        self._templates = dict(templates)

    @property
    def appid(self) -> str:
        """Whose openids these are."""
        return str(self._client.appid)

    def send_template(
        self,
        *,
        openid: str,
        kind: MessageKind,
        payload: Mapping[str, str],
        client_msg_id: str,
    ) -> str:
        """Send a template message; the same ``client_msg_id`` is delivered once in ten minutes.

        Returns:
            The msgid as text; accepted, not yet delivered.

        Raises:
            PlatformRefused: 43004 not following, 40003 not our openid, 40037 and 47003 the
                template or a field, 45009 the quota is used up; ``no_template`` if none is chosen.
            PlatformUnavailable: no usable answer; the message may have gone out.
            KeyError: the payload lacks a key: our mistake.

        Source: platforms.md 4.2.
        """
        chosen = template_of(self._templates, kind)
        body = {
            "touser": openid,
            "template_id": chosen.id,
            "client_msg_id": client_msg_id,
            "data": {
                field: {"value": fit_field(field, payload[key])}
                for key, field in chosen.fields.items()
            },
        }
        msgid = self._client.templates.send(body=body).get("msgid")
        if type(msgid) is not int:
            raise PlatformUnavailable
        return str(msgid)

    def show_follower(self, *, openid: str) -> Follower:
        """Look a follower up; WeChat tells nothing but the openid of one who does not follow.

        Raises:
            PlatformRefused: 40003 not an openid of this account.
            PlatformUnavailable: no usable answer.
        """
        answer = self._client.user.get(openid)
        if answer.get("openid") != openid or answer.get("subscribe") not in (0, 1):
            raise PlatformUnavailable
        unionid = answer.get("unionid")
        is_following = answer["subscribe"] == 1
        return Follower(
            openid=openid,
            unionid=unionid if is_following and isinstance(unionid, str) and unionid else None,
            is_following=is_following,
        )

    def page_sign_in_url(self, *, return_url: str, state: str) -> str:
        """Tell where to send a browser inside WeChat so that it comes back with a code.

        Source: platforms.md 4.5; the base scope asks the payer nothing.
        """
        query = urlencode(
            {
                "appid": self.appid,
                "redirect_uri": return_url,
                "response_type": "code",
                "scope": "snsapi_base",
                "state": state,
            }
        )
        return f"{self._open_base}/connect/oauth2/authorize?{query}#wechat_redirect"

    def page_openid(self, *, code: str) -> str:
        """Exchange the code of a page for the openid of whoever holds the phone.

        Raises:
            PlatformRefused: 40029 or 40163 the code is wrong or used; ``snapshot`` for a virtual
                user, whose openid is nobody's.
            PlatformUnavailable: no usable answer.
        """
        answer = self._client.sign_in.code_to_page_user(code=code)
        openid = answer.get("openid")
        if not isinstance(openid, str) or not openid:
            raise PlatformUnavailable
        if answer.get("is_snapshotuser") == 1:
            raise PlatformRefused("请在微信中点“使用完整服务”后再支付", vendor_code="snapshot")
        return openid
