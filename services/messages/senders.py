"""One message onto the wire, by the channel it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domain.errors import PlatformRefused, PlatformUnavailable
from domain.messages import Channel, MessageKind
from services.ports import MailSender, OfficialAccount, SmsSender, SubscribeSender

NO_QUOTA = "no_quota"
"""Our own word for a subscribe message that nobody permitted: the platform is not even asked."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is ours for as long as the lease lasts."""

    id: int
    community_id: int | None
    kind: MessageKind
    channel: Channel
    recipient: str
    fallback_phone: str | None
    payload: dict[str, str]
    dedup_key: str
    attempts: int
    account_id: int | None
    owner_id: int | None
    staff_id: int | None
    has_permission: bool = True
    """Whether a permission was used up for it; only subscribe messages need one."""

    @property
    def goes_on(self) -> bool:
        """Whether it goes from way to way until one reaches its person."""
        return (self.account_id, self.owner_id, self.staff_id) != (None, None, None)


@dataclass(frozen=True, slots=True)
class Sent:
    """The platform took it; accepted, not yet delivered."""

    provider_id: str


Outcome = Sent | PlatformRefused | PlatformUnavailable


@dataclass(frozen=True, slots=True)
class Senders:
    """The channels."""

    official_account: OfficialAccount
    subscribe: SubscribeSender
    sms: SmsSender
    mail: MailSender

    def send(self, message: Claimed) -> Outcome:
        """Send once; what goes wrong is an outcome."""
        try:
            return Sent(self._send(message))
        except (PlatformRefused, PlatformUnavailable) as failure:
            return failure

    def _send(self, message: Claimed) -> str:
        to, kind, payload = message.recipient, message.kind, message.payload
        key = f"anju{message.id}"
        match message.channel:
            case Channel.SUBSCRIBE:
                return self._send_permitted(message, kind, payload)
            case Channel.SMS:
                return self.sms.send(phone=to, kind=kind, payload=payload)
            case Channel.MAIL:
                return self.mail.send(address=to, kind=kind, payload=payload, message_id=key)
        return self.official_account.send_template(
            openid=to, kind=kind, payload=payload, client_msg_id=key
        )

    def _send_permitted(
        self, message: Claimed, kind: MessageKind, payload: Mapping[str, str]
    ) -> str:
        if not message.has_permission:
            raise PlatformRefused("没有订阅次数", vendor_code=NO_QUOTA)
        return self.subscribe.send_subscribe(openid=message.recipient, kind=kind, payload=payload)
