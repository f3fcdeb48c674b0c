"""A mail server that keeps what it gets: SMTP on loopback, and an inbox for every address.

Source: RFC 5321 and 4954; platforms.md 7.5.
"""

import hmac
import socket
from email import message_from_bytes
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from simulator.clock import beijing_ms
from simulator.state import remember
from simulator.world import World

LARGEST_MAIL = 1_000_000
_ANSWERS = {
    250: "250 OK",
    451: "451 4.7.1 Please try again later",
    550: "550 5.1.1 No such user here",
}


def _free_port() -> int:
    # The controller connects to itself to see that it listens, so it must know its port before.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class MailServer:
    """Takes mail from whoever signs in, and answers each recipient as was asked for.

    Attributes:
        port: where it listens, once started.
    """

    def __init__(self, world: World, port: int) -> None:
        self._world = world
        self.port = port or _free_port()
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            auth_required=True,
            auth_require_tls=False,
            authenticator=self._sign_in,
            data_size_limit=LARGEST_MAIL,
            decode_data=False,
        )

    def start(self) -> None:
        """Listen, in a thread of its own."""
        self._controller.start()

    def close(self) -> None:
        """Stop listening."""
        self._controller.stop()

    def _sign_in(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any
    ) -> AuthResult:
        account = self._world.credentials.mail
        is_right = (
            isinstance(given, LoginPassword)
            and hmac.compare_digest(given.login, account.username.encode())
            and hmac.compare_digest(given.password, account.password.encode())
        )
        return AuthResult(success=is_right, handled=is_right)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        """Answer for one recipient."""
        with self._world.lock:
            code = self._world.state.mail_answers.get(address, 250)
        if code == 250:
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return _ANSWERS[code]

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep a message, once for each recipient."""
        content = envelope.content
        raw = content if isinstance(content, bytes) else str(content).encode()
        message = message_from_bytes(raw, policy=default)
        body = message.get_body(("plain",))
        with self._world.lock:
            for address in envelope.rcpt_tos:
                remember(
                    self._world.state.mails,
                    {
                        "to": address,
                        "from": str(message["From"]),
                        "subject": str(message["Subject"]),
                        "text": body.get_content() if body else "",
                        "message_id": str(message["Message-ID"]),
                        "headers": dict(message.items()),
                        "at": beijing_ms(self._world.clock.time()),
                    },
                )
        self._world.changed()
        return "250 Message accepted for delivery"
