"""Subscribe messages of the mini-program."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from domain.errors import PlatformRefused, PlatformUnavailable
from domain.message_fields import fit_field
from domain.messages import MESSAGES, MessageKind
from gateways.message_templates import ChosenTemplate, template_of
from gateways.wechat_client import AppClient

_log = logging.getLogger(__name__)
_BAD_PAGE = "41030"


class WechatSubscribeMessages:
    """Sends one message for one permission that somebody gave in the mini-program."""

    def __init__(
        self, *, client: AppClient, templates: Mapping[MessageKind, ChosenTemplate], state: str
    ) -> None:
        self._client = client
        self._templates = dict(templates)
        self._state = state

    @property
    def appid(self) -> str:
        """Whose openids these are."""
        return str(self._client.appid)

    @property
    def templates(self) -> Mapping[MessageKind, str]:
        """The ids of the templates that were chosen."""
        return {kind: chosen.id for kind, chosen in self._templates.items()}

    def send_subscribe(self, *, openid: str, kind: MessageKind, payload: Mapping[str, str]) -> str:
        """Send one message; the platform drops no repeat.

        Returns:
            The msgid as text, or an empty one; accepted, not yet delivered.

        Raises:
            PlatformRefused: 43101 nothing is permitted, 40003 not our openid, 40037 and 47003 the
                template or a field, 45009 the quota is used up; ``no_template`` if none is chosen.
            PlatformUnavailable: no usable answer; the message may have gone out.
            KeyError: the payload lacks a key: our mistake.

        Source: platforms.md 4.3. A page that is refused is left out: the message matters more.
        """
        chosen = template_of(self._templates, kind)
        body = {
            "touser": openid,
            "template_id": chosen.id,
            "miniprogram_state": self._state,
            "lang": "zh_CN",
            "data": {
                field: {"value": fit_field(field, payload[key])}
                for key, field in chosen.fields.items()
            },
        }
        page = MESSAGES[kind].page.format_map(dict(payload))
        try:
            answer = self._client.subscribe.send(body=body | ({"page": page} if page else {}))
        except PlatformRefused as refused:
            if refused.vendor_code != _BAD_PAGE:
                raise
            _log.error("the mini-program has no page %s", page)
            answer = self._client.subscribe.send(body=body)
        msgid = answer.get("msgid", "")
        if not isinstance(msgid, int | str):
            raise PlatformUnavailable
        return str(msgid)
