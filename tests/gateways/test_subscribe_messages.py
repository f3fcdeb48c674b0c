"""Subscribe messages against the simulator, and the settings that name templates."""

import dataclasses

import pytest

from domain.errors import PlatformRefused, PlatformUnavailable
from domain.messages import MESSAGES, MessageKind
from gateways import build
from gateways.message_templates import read_templates
from settings import SettingsMissing

SEND = "/cgi-bin/message/subscribe/send"
PHONE = "19900000001"
PROGRESS = {
    "title": "水管漏水",
    "state": "已派工",
    "at": "2026年11月25日 10:00",
    "note": "王师傅",
}
KIND = MessageKind.REPAIR_PROGRESS
FIELDS = {KIND: MESSAGES[KIND].subscribe_fields}


@pytest.fixture
def subscribe(gateways):
    return gateways.subscribe


@pytest.fixture
def openid(simulator):
    return simulator.person()["openid_miniapp"]


@pytest.fixture
def permit(simulator, subscribe, openid):
    def permit(times=1, kind=KIND):
        simulator.post(
            f"people/{PHONE}/subscribe", {"template_id": subscribe.templates[kind], "times": times}
        )

    return permit


def send(subscribe, openid, payload=PROGRESS, kind=KIND):
    return subscribe.send_subscribe(openid=openid, kind=kind, payload=payload)


class TestSendSubscribe:
    @pytest.mark.parametrize(
        ("kind", "payload"),
        [
            (KIND, PROGRESS),
            (MessageKind.FEEDBACK_REPLY, PROGRESS),
            (MessageKind.NOTICE, {"title": "停水通知", "community": "翠湖", "at": "2026-11-25"}),
            (
                MessageKind.BILL_DUE_SOON,
                {"house": "1栋101", "amount": "210.02", "due_on": "2026年12月1日 23:59"},
            ),
        ],
    )
    def test_arrives(self, subscribe, openid, permit, simulator, kind, payload):
        permit(kind=kind)

        assert send(subscribe, openid, payload, kind).isdecimal()

        body = simulator.journal(SEND)[0]["body"]
        assert (body["miniprogram_state"], body["lang"]) == ("formal", "zh_CN")
        assert body["page"] == MESSAGES[kind].page
        assert not body["page"].startswith("/")

    def test_whatever_is_written_fits(self, subscribe, openid, permit):
        permit()
        payload = {"title": "很长的标题" * 9, "state": "OK!", "at": "2026-11-25", "note": "\n"}

        assert send(subscribe, openid, payload)

    def test_one_permission_is_one_message(self, subscribe, openid, permit):
        permit()
        send(subscribe, openid)

        with pytest.raises(PlatformRefused) as raised:
            send(subscribe, openid)

        assert raised.value.vendor_code == "43101"

    @pytest.mark.parametrize("errcode", [40003, 40037, 43101, 45009, 47003, 48001])
    def test_no(self, subscribe, openid, permit, simulator, errcode):
        permit()
        simulator.fault(host="wx", path=SEND, errcode=errcode)

        with pytest.raises(PlatformRefused) as raised:
            send(subscribe, openid)

        assert raised.value.vendor_code == str(errcode)

    def test_a_page_that_is_refused_is_left_out(self, subscribe, openid, permit, simulator):
        permit()
        simulator.fault(host="wx", path=SEND, errcode=41030)

        assert send(subscribe, openid)

        assert ["page" in one["body"] for one in simulator.journal(SEND)] == [True, False]

    @pytest.mark.parametrize("errcode", [-1, 45011])
    def test_no_usable_answer(self, subscribe, openid, permit, simulator, errcode):
        permit()
        simulator.fault(host="wx", path=SEND, errcode=errcode)

        with pytest.raises(PlatformUnavailable):
            send(subscribe, openid)

    def test_kind_without_a_template(self, subscribe, openid):
        with pytest.raises(PlatformRefused) as raised:
            send(subscribe, openid, {}, MessageKind.WORK_ORDER)

        assert raised.value.vendor_code == "no_template"

    def test_field_keys_of_the_settings(self, settings, redis, clock, subscribe, openid, simulator):
        entry = f"repair_progress={subscribe.templates[KIND]}:title>thing9"
        changed = dataclasses.replace(settings, wechat_subscribe_templates=(entry,))
        other = build(changed, redis, clock).subscribe

        with pytest.raises(PlatformRefused):
            send(other, openid)

        assert list(simulator.journal(SEND)[0]["body"]["data"]) == ["thing9"]


class TestReadTemplates:
    def test_own_keys_replace_ours(self):
        chosen = read_templates("X", ["repair_progress=abc:title>thing9:state>phrase1"], FIELDS)

        assert chosen[KIND].id == "abc"
        assert chosen[KIND].fields == {"title": "thing9", "state": "phrase1"}

    def test_without_keys_ours_hold(self):
        assert read_templates("X", ["repair_progress=abc"], FIELDS)[KIND].fields == FIELDS[KIND]

    @pytest.mark.parametrize(
        "entry",
        [
            "unheard_of=abc",
            "repair_progress=",
            "repair_progress",
            "work_order=abc",
            "repair_progress=abc:nothing>thing1",
            "repair_progress=abc:title>",
            "repair_progress=abc:title",
        ],
    )
    def test_what_cannot_be_meant_stops_the_start(self, entry):
        with pytest.raises(SettingsMissing, match="X"):
            read_templates("X", [entry], FIELDS)
