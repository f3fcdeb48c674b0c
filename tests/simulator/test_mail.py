"""The mail server of the simulator, spoken to by the standard library."""

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from tests.simulator.platforms import Platforms


@pytest.fixture
def message() -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "a@mail.example", "b@x.example", "你好"
    made["Message-ID"] = "<1@mail.example>"
    made.set_content("正文")
    return made


@pytest.fixture
def server(settings: dict[str, str]) -> Iterator[smtplib.SMTP]:
    with smtplib.SMTP(settings["MAIL_HOST"], int(settings["MAIL_PORT"]), timeout=10) as server:
        yield server


def sign_in(server: smtplib.SMTP, settings: dict[str, str]) -> None:
    server.login(settings["MAIL_USERNAME"], settings["MAIL_PASSWORD"])


class TestMail:
    def test_is_kept_as_people_read_it(
        self,
        platforms: Platforms,
        settings: dict[str, str],
        server: smtplib.SMTP,
        message: EmailMessage,
    ) -> None:
        sign_in(server, settings)
        server.send_message(message)

        (mail,) = platforms.look("mails?address=b@x.example")
        assert (mail["subject"], mail["text"].strip()) == ("你好", "正文")
        assert (mail["from"], mail["message_id"]) == ("a@mail.example", "<1@mail.example>")
        assert platforms.look("mails?address=c@x.example") == []

    def test_only_for_whoever_signs_in(
        self, settings: dict[str, str], server: smtplib.SMTP, message: EmailMessage
    ) -> None:
        with pytest.raises(smtplib.SMTPException):
            server.send_message(message)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            server.login(settings["MAIL_USERNAME"], "wrong")

    @pytest.mark.parametrize("code", [451, 550])
    def test_a_recipient_is_answered_as_asked_for(
        self,
        platforms: Platforms,
        settings: dict[str, str],
        server: smtplib.SMTP,
        message: EmailMessage,
        code: int,
    ) -> None:
        platforms.control("mails/answers", {"address": "b@x.example", "code": code})
        sign_in(server, settings)

        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            server.send_message(message)

        assert refused.value.recipients["b@x.example"][0] == code
        assert platforms.look("mails") == []

    def test_what_it_cannot_answer_is_refused(self, platforms: Platforms) -> None:
        platforms.control("mails/answers", {"address": "b@x.example", "code": 200}, status=400)
        platforms.control("mails/answers", {"code": 250}, status=400)

    def test_a_reset_forgets_it(
        self,
        platforms: Platforms,
        settings: dict[str, str],
        server: smtplib.SMTP,
        message: EmailMessage,
    ) -> None:
        sign_in(server, settings)
        server.send_message(message)

        platforms.control("reset")

        assert platforms.look("mails") == []
