"""Tencent SMS against the simulator."""

import logging
from dataclasses import replace

import pytest

from domain.errors import PlatformRefused, PlatformUnavailable
from domain.messages import MessageKind
from gateways import build

PHONE = "19900000001"
CODE = {"code": "246810", "minutes": "5"}


def send(sms, kind=MessageKind.LOGIN_CODE, payload=CODE):
    return sms.send(phone=PHONE, kind=kind, payload=payload)


class TestSend:
    @pytest.mark.parametrize(
        ("kind", "payload", "text"),
        [
            (MessageKind.LOGIN_CODE, CODE, "您的验证码是246810，5分钟内有效。请勿告诉他人。"),
            (
                MessageKind.BILL_PUBLISHED,
                {"house": "1栋101", "amount": "88.88", "due_on": "2026-12-31"},
                "您的房屋1栋101有新账单，应缴88.88元，请于2026-12-31前缴纳。",
            ),
            (
                MessageKind.PAYMENT_RECEIVED,
                {"house": "1栋101", "amount": "88.88", "receipt_no": "CH-1"},
                "已收到您为1栋101缴纳的88.88元，收据号CH-1。谢谢！",
            ),
        ],
    )
    def test_arrives(self, gateways, simulator, kind, payload, text):
        serial = send(gateways.sms, kind, payload)

        inbox = simulator.get("sms", phone=PHONE)
        assert [one["text"] for one in inbox] == [text]
        assert inbox[0]["serial_no"] == serial
        assert simulator.journal()[0]["body"]["PhoneNumberSet"] == ["+8619900000001"]

    @pytest.mark.parametrize(
        "code",
        [
            "LimitExceeded.PhoneNumberDailyLimit",
            "LimitExceeded.PhoneNumberThirtySecondLimit",
            "FailedOperation.InsufficientBalanceInSmsPackage",
            "InvalidParameterValue.IncorrectPhoneNumber",
            "AuthFailure.SecretIdNotFound",
        ],
    )
    def test_no(self, gateways, simulator, code):
        simulator.fault(host="sms", sms_code=code)

        with pytest.raises(PlatformRefused) as raised:
            send(gateways.sms)

        assert raised.value.vendor_code == code
        assert simulator.get("sms", phone=PHONE) == []

    @pytest.mark.parametrize(
        "code", ["InternalError", "InternalError.Timeout", "ServiceUnavailable"]
    )
    def test_their_trouble(self, gateways, simulator, code):
        simulator.fault(host="sms", sms_code=code)

        with pytest.raises(PlatformUnavailable):
            send(gateways.sms)

    def test_too_frequent(self, gateways, simulator):
        simulator.fault(host="sms", sms_code="RequestLimitExceeded")

        with pytest.raises(PlatformUnavailable) as raised:
            send(gateways.sms)

        assert raised.value.retry_after_s == 5

    @pytest.mark.parametrize(
        "action",
        [
            {"status": 500},
            {"status": 404},
            {"html": True},
            {"truncated_json": True},
            {"reset": True},
            {"lost_answer": True},
        ],
        ids=str,
    )
    def test_no_usable_answer(self, gateways, simulator, action):
        simulator.fault(host="sms", **action)

        with pytest.raises(PlatformUnavailable):
            send(gateways.sms)

        assert len(simulator.journal()) == 1

    def test_error_under_another_content_type(self, settings, redis, clock, odd_platform):
        """The SDK looks for errors only when the type is exactly ``application/json``."""
        body = b'{"Response": {"Error": {"Code": "AuthFailure.X", "Message": ""}, "RequestId": ""}}'
        odd_platform.answer = (200, {"Content-Type": "application/json; charset=utf-8"}, body)
        sms = build(replace(settings, sms_api_base=odd_platform.url), redis, clock).sms

        with pytest.raises(PlatformRefused) as raised:
            send(sms)

        assert raised.value.vendor_code == "AuthFailure.X"

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b"{}",
            b'{"Response": []}',
            b'{"Response": {}}',
            b'{"Response": {"SendStatusSet": []}}',
            b'{"Response": {"SendStatusSet": ["Ok"]}}',
            b'{"Response": {"SendStatusSet": [{}]}}',
            b'{"Response": {"SendStatusSet": [{"Code": 0}]}}',
        ],
        ids=str,
    )
    @pytest.mark.parametrize("content_type", ["application/json", "text/html"])
    def test_not_an_answer(self, settings, redis, clock, odd_platform, body, content_type):
        odd_platform.answer = (200, {"Content-Type": content_type}, body)
        sms = build(replace(settings, sms_api_base=odd_platform.url), redis, clock).sms

        with pytest.raises(PlatformUnavailable):
            send(sms)

    def test_success_under_another_content_type(self, gateways, simulator):
        simulator.fault(host="sms", wrong_content_type=True)

        assert send(gateways.sms)

    def test_nobody_listens(self, settings, redis, clock):
        sms = build(replace(settings, sms_api_base="http://127.0.0.1:9"), redis, clock).sms

        with pytest.raises(PlatformUnavailable):
            send(sms)

    def test_wrong_key(self, settings, redis, clock):
        sms = build(replace(settings, sms_secret_key="wrong"), redis, clock).sms

        with pytest.raises(PlatformRefused) as raised:
            send(sms)

        assert raised.value.vendor_code == "AuthFailure.SignatureFailure"

    def test_payload_lacks_a_key(self, gateways):
        with pytest.raises(KeyError):
            send(gateways.sms, payload={"code": "246810"})

    def test_nothing_personal_in_the_log(self, gateways, caplog, settings):
        with caplog.at_level(logging.DEBUG):
            send(gateways.sms)

        for secret in (PHONE, CODE["code"], settings.sms_secret_id):
            assert secret not in caplog.text


def _probe(gateways):
    return next(probe for probe in gateways.probes if probe.name == "短信")


class TestProbe:
    def test_complete(self, gateways, simulator):
        said = _probe(gateways).check()

        assert "安居物业" in said
        assert simulator.journal() == []

    def test_template_is_missing(self, settings, redis, clock):
        gateways = build(replace(settings, sms_template_login_code=""), redis, clock)

        with pytest.raises(PlatformRefused, match="login_code"):
            _probe(gateways).check()
