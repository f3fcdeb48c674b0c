"""Template messages and followers against the simulator."""

import pytest

from domain.errors import PlatformRefused, PlatformUnavailable
from domain.messages import MessageKind

SEND = "/cgi-bin/message/template/send"
INFO = "/cgi-bin/user/info"
PHONE = "19900000001"
BILL = {
    "house": "翠湖花园 1栋 1单元 101",
    "items": "物业费",
    "amount": "88.88元",
    "due_on": "2026-12-31",
}
PAYMENT = {
    "house": "翠湖花园 1栋 1单元 101",
    "amount": "88.88元",
    "paid_at": "2026-11-24 10:00",
    "receipt_no": "CH-2026-000001",
}


@pytest.fixture
def account(gateways):
    return gateways.official_account


@pytest.fixture
def follower(simulator):
    person = simulator.person()
    simulator.post(f"people/{PHONE}/follow")
    return person


def send(account, openid, *, kind=MessageKind.BILL_PUBLISHED, payload=BILL, key="m-1"):
    return account.send_template(openid=openid, kind=kind, payload=payload, client_msg_id=key)


def cards(simulator):
    return [one for one in simulator.get(f"people/{PHONE}/chat") if one.get("kind") == "template"]


class TestSendTemplate:
    @pytest.mark.parametrize(
        ("kind", "payload"),
        [(MessageKind.BILL_PUBLISHED, BILL), (MessageKind.PAYMENT_RECEIVED, PAYMENT)],
    )
    def test_arrives(self, account, simulator, follower, kind, payload):
        msgid = send(account, follower["openid_official"], kind=kind, payload=payload)

        assert msgid.isdecimal()
        body = simulator.journal(SEND)[0]["body"]
        assert body["client_msg_id"] == "m-1"
        shown = payload | {"amount": f"¥{payload['amount']}"}
        assert {one["value"] for one in body["data"].values()} == set(shown.values())

    def test_fields_are_fitted(self, account, simulator, follower):
        payload = {**BILL, "house": "很长的小区名字" * 5, "items": " \n"}

        send(account, follower["openid_official"], payload=payload)

        data = simulator.journal(SEND)[0]["body"]["data"]
        assert len(data["thing1"]["value"]) == 20
        assert data["thing2"]["value"] == "-"

    def test_same_key_is_delivered_once(self, account, simulator, follower):
        first = send(account, follower["openid_official"])
        again = send(account, follower["openid_official"])

        assert first == again
        assert send(account, follower["openid_official"], key="m-2") != first

    @pytest.mark.parametrize("errcode", [40003, 40037, 43004, 45009, 47003])
    def test_no(self, account, simulator, follower, errcode):
        simulator.fault(host="wx", path=SEND, errcode=errcode)

        with pytest.raises(PlatformRefused) as raised:
            send(account, follower["openid_official"])

        assert raised.value.vendor_code == str(errcode)

    def test_who_does_not_follow(self, account, simulator):
        with pytest.raises(PlatformRefused) as raised:
            send(account, simulator.person()["openid_official"])

        assert raised.value.vendor_code == "43004"

    def test_openid_of_the_mini_program(self, account, follower):
        with pytest.raises(PlatformRefused) as raised:
            send(account, follower["openid_miniapp"])

        assert raised.value.vendor_code == "40003"

    def test_lost_answer_then_again_gives_the_same_message(self, account, simulator, follower):
        simulator.fault(host="wx", path=SEND, lost_answer=True)
        with pytest.raises(PlatformUnavailable):
            send(account, follower["openid_official"])

        send(account, follower["openid_official"])

        assert len(simulator.journal(SEND)) == 2
        assert len(simulator.get("pushes", phone=PHONE)) == 2  # followed, and one message sent

    def test_answer_without_a_number(self, account, simulator, follower):
        simulator.fault(host="wx", path=SEND, errcode=0)

        with pytest.raises(PlatformUnavailable):
            send(account, follower["openid_official"])

    def test_kind_without_a_template(self, account):
        with pytest.raises(PlatformRefused) as raised:
            send(account, "o1", kind=MessageKind.LOGIN_CODE, payload={"code": "1", "minutes": "5"})

        assert raised.value.vendor_code == "no_template"

    def test_payload_lacks_a_key(self, account):
        with pytest.raises(KeyError):
            send(account, "o1", payload={"house": "1栋"})


class TestShowFollower:
    def test_follower(self, account, follower):
        found = account.show_follower(openid=follower["openid_official"])

        assert found.openid == follower["openid_official"]
        assert found.is_following
        assert found.unionid == follower["unionid"]

    def test_stranger(self, account, simulator):
        openid = simulator.person()["openid_official"]

        found = account.show_follower(openid=openid)

        assert not found.is_following
        assert found.unionid is None

    def test_openid_nobody_has(self, account):
        with pytest.raises(PlatformRefused) as raised:
            account.show_follower(openid="o" + "x" * 27)

        assert raised.value.vendor_code == "40003"

    def test_answer_without_a_follower(self, account, simulator, follower):
        simulator.fault(host="wx", path=INFO, errcode=0)

        with pytest.raises(PlatformUnavailable):
            account.show_follower(openid=follower["openid_official"])

    def test_appid(self, account, simulator):
        assert account.appid == simulator.official_appid
