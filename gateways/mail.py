"""E-mail over SMTP."""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate

from domain.errors import PlatformRefused, PlatformUnavailable
from domain.messages import MESSAGES, MessageKind

_log = logging.getLogger(__name__)

_TIMEOUT_S = 10
_OFF = "off"


@dataclass(frozen=True, slots=True)
class MailAccount:
    """The mail server and who sends; ``security`` is ``tls``, ``starttls`` or ``none``."""

    host: str
    port: int
    security: str
    username: str
    password: str = field(repr=False)
    sender: str


class SmtpMail:
    """Sends one plain text to one address, over a connection of its own."""

    def __init__(self, account: MailAccount) -> None:
        self._account = account

    @property
    def is_on(self) -> bool:
        """Whether a mail server is configured at all."""
        return bool(self._account.host)

    def send(
        self, *, address: str, kind: MessageKind, payload: Mapping[str, str], message_id: str
    ) -> str:
        """Send one message and return its Message-ID.

        Raises:
            PlatformRefused: ``vendor_code`` is the server's reply code, or ``off``.
            PlatformUnavailable: no usable answer; the message may have gone out.
        """
        if not self.is_on:
            raise PlatformRefused("没有配置邮件服务器", vendor_code=_OFF)
        message = _written(self._account.sender, address, kind, payload, message_id)
        with _translated(), self._connected() as server:
            server.send_message(message)
        return str(message["Message-ID"])

    def greet(self) -> None:
        """Connect, sign in and leave again, without sending.

        Raises:
            PlatformRefused, PlatformUnavailable: as for `send`.
        """
        if not self.is_on:
            raise PlatformRefused("没有配置邮件服务器", vendor_code=_OFF)
        with _translated(), self._connected() as server:
            server.noop()

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        account, context = self._account, ssl.create_default_context()
        if account.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                account.host, account.port, timeout=_TIMEOUT_S, context=context
            )
        else:
            server = smtplib.SMTP(account.host, account.port, timeout=_TIMEOUT_S)
        with server:
            if account.security == "starttls":
                server.starttls(context=context)
            if account.username:
                server.login(account.username, account.password)
            yield server


def _written(
    sender: str, address: str, kind: MessageKind, payload: Mapping[str, str], message_id: str
) -> EmailMessage:
    shape = MESSAGES[kind]
    message = EmailMessage()
    message["From"] = sender
    message["To"] = address
    message["Subject"] = shape.mail_subject.format_map(payload)
    message["Date"] = formatdate(localtime=False)
    message["Message-ID"] = f"<{message_id}@{sender.rpartition('@')[2].rstrip('> ')}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(shape.mail_text.format_map(payload))
    return message


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what the server says into our two kinds; 4xx of SMTP means: later."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        code = min(reply[0] for reply in error.recipients.values())
        raise _as_ours(code) from None
    except smtplib.SMTPResponseException as error:
        raise _as_ours(error.smtp_code) from None
    except smtplib.SMTPNotSupportedError:
        raise PlatformRefused("邮件服务器不支持所要求的加密或登录", vendor_code="530") from None
    except (smtplib.SMTPException, OSError) as error:
        _log.warning("mail: %s", type(error).__name__)
        raise PlatformUnavailable("邮件服务器没有响应，请稍后再试") from None


def _as_ours(code: int) -> PlatformRefused | PlatformUnavailable:
    _log.warning("mail: %s", code)
    if 400 <= code < 500:
        return PlatformUnavailable("邮件服务器要求稍后再试")
    return PlatformRefused(f"邮件服务器拒绝了这次发送（{code}）", vendor_code=str(code))


@dataclass(frozen=True, slots=True)
class MailProbe:
    """Looks whether the mail server lets us in."""

    mail: SmtpMail

    name = "邮件"

    def check(self) -> str:
        """Sign in for real and send nothing; without a server say that there is none.

        Raises:
            PlatformRefused, PlatformUnavailable: it does not work.
        """
        if not self.mail.is_on:
            return "没有配置邮件服务器：找回密码只能用手机"
        self.mail.greet()
        return "邮件服务器可以登录；没有试发"
