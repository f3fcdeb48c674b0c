"""Mail against the simulator's server over loopback SMTP."""

import socket
from dataclasses import replace

import pytest

from domain.errors import PlatformRefused, PlatformUnavailable
from domain.messages import MessageKind
from gateways.mail import MailAccount, MailProbe, SmtpMail

PAYLOAD = {"name": "王芳", "minutes": "30", "url": "https://anju.example/staff/reset#token=abc"}
ADDRESS = "wang@cuihu.example"


@pytest.fixture
def account(settings):
    return MailAccount(
        host=settings.mail_host,
        port=settings.mail_port,
        security=settings.mail_security,
        username=settings.mail_username,
        password=settings.mail_password,
        sender=settings.mail_sender,
    )


@pytest.fixture
def send(account):
    def send(**changes):
        return SmtpMail(replace(account, **changes)).send(
            address=ADDRESS, kind=MessageKind.PASSWORD_RESET, payload=PAYLOAD, message_id="anju7"
        )

    return send


class TestSend:
    def test_arrives_in_plain_chinese(self, send, simulator, account):
        message_id = send()

        (mail,) = simulator.get("mails", address=ADDRESS)
        assert mail["message_id"] == message_id == "<anju7@mail.example>"
        assert mail["from"] == account.sender
        assert mail["subject"] == "安居：设置新密码"
        assert "王芳" in mail["text"]
        assert PAYLOAD["url"] in mail["text"]

    def test_a_recipient_that_is_not_there_is_refused(self, send, simulator):
        simulator.post("mails/answers", {"address": ADDRESS, "code": 550})

        with pytest.raises(PlatformRefused) as refusal:
            send()

        assert refusal.value.vendor_code == "550"

    def test_a_server_that_is_busy_is_asked_later(self, send, simulator):
        simulator.post("mails/answers", {"address": ADDRESS, "code": 451})

        with pytest.raises(PlatformUnavailable):
            send()

    def test_a_wrong_password_is_our_mistake(self, send):
        with pytest.raises(PlatformRefused) as refusal:
            send(password="wrong")

        assert refusal.value.vendor_code == "535"

    def test_nobody_there_is_no_answer(self, send):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]

        with pytest.raises(PlatformUnavailable):
            send(port=port)

    def test_nothing_goes_out_unencrypted_where_encryption_is_asked_for(self, send, simulator):
        with pytest.raises(PlatformRefused):
            send(security="starttls")
        with pytest.raises(PlatformUnavailable):
            send(security="tls")

        assert simulator.get("mails") == []

    def test_without_a_server_it_is_off(self, send):
        with pytest.raises(PlatformRefused) as refusal:
            send(host="")

        assert refusal.value.vendor_code == "off"


class TestProbe:
    def test_signs_in_and_sends_nothing(self, account, simulator):
        assert "可以登录" in MailProbe(SmtpMail(account)).check()
        assert simulator.get("mails") == []

    def test_without_a_server_says_so(self, account):
        assert "没有配置" in MailProbe(SmtpMail(replace(account, host=""))).check()

    def test_a_wrong_password_fails(self, account):
        with pytest.raises(PlatformRefused):
            MailProbe(SmtpMail(replace(account, password="wrong"))).check()
