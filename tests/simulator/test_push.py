"""What a person does in WeChat reaches the backend, and what the backend replies reaches them."""

import threading
from typing import Any

import pytest
from wechatpy import parse_message
from wechatpy.crypto import WeChatCrypto

from tests.simulator.conftest import Backend, Received
from tests.simulator.platforms import Platforms


@pytest.fixture
def follower(platforms: Platforms, owner: dict[str, Any], backend: Backend) -> dict[str, Any]:
    platforms.control(f"people/{owner['phone']}/follow")
    backend.received.clear()
    return owner


@pytest.fixture
def crypto(settings: dict[str, str]) -> WeChatCrypto:
    return WeChatCrypto(
        settings["WECHAT_OFFICIAL_TOKEN"],
        settings["WECHAT_OFFICIAL_AES_KEY"],
        settings["WECHAT_OFFICIAL_APPID"],
    )


def opened(crypto: WeChatCrypto, received: Received) -> Any:
    query = received.query
    return parse_message(
        crypto.decrypt_message(
            received.body, query["msg_signature"], query["timestamp"], query["nonce"]
        )
    )


class TestTries:
    def test_three_tries_with_the_same_message(
        self,
        platforms: Platforms,
        follower: dict[str, Any],
        backend: Backend,
        crypto: WeChatCrypto,
    ) -> None:
        backend.always(500)

        result = platforms.control(f"people/{follower['phone']}/text", {"content": "在吗"})

        assert [one["status"] for one in result["attempts"]] == [500] * 3
        assert (result["status"], result["reply"]) == (500, None)
        assert len({opened(crypto, one).id for one in backend.received}) == 1
        assert "出现故障" in platforms.look(f"people/{follower['phone']}/chat")[-1]["text"]

    def test_the_second_try_may_succeed(
        self, platforms: Platforms, follower: dict[str, Any], backend: Backend
    ) -> None:
        backend.answer = lambda _: (502 if len(backend.received) < 2 else 200, b"success")

        result = platforms.control(f"people/{follower['phone']}/text", {"content": "在吗"})

        assert [one["status"] for one in result["attempts"]] == [502, 200]
        assert platforms.look("pushes")[-1]["status"] == 200

    @pytest.mark.slow
    def test_five_seconds_each(
        self, platforms: Platforms, follower: dict[str, Any], backend: Backend
    ) -> None:
        release = threading.Event()

        def slow_once(_: Received) -> tuple[int, bytes]:
            if len(backend.received) == 1:
                release.wait(8)
            return 200, b""

        backend.answer = slow_once

        result = platforms.control(f"people/{follower['phone']}/text", {"content": "在吗"})
        release.set()

        assert [one["status"] for one in result["attempts"]] == [None, 200]

    def test_copies_arrive_at_the_same_instant(
        self, platforms: Platforms, follower: dict[str, Any], backend: Backend
    ) -> None:
        backend.together = threading.Barrier(3)

        result = platforms.control(
            f"people/{follower['phone']}/text", {"content": "在吗", "copies": 3}
        )

        assert [one["status"] for one in result["copies"]] == [200] * 3


class TestReplies:
    def reply_with(self, platforms: Platforms, owner: dict[str, Any], body: bytes) -> Any:
        return platforms.control(f"people/{owner['phone']}/text", {"content": "账单"})

    @pytest.mark.parametrize("body", [b"", b"success"])
    def test_nothing_to_say(
        self, platforms: Platforms, follower: dict[str, Any], backend: Backend, body: bytes
    ) -> None:
        backend.always(200, body)

        result = self.reply_with(platforms, follower, body)

        assert (result["reply"], result["error"]) == (None, None)

    @pytest.mark.parametrize(
        "body",
        [
            b"<xml><ToUserName>x</ToUserName></xml>",
            b"hello",
            b'{"a": 1}',
            (
                b"<xml><Encrypt>x</Encrypt><MsgSignature>x</MsgSignature>"
                b"<TimeStamp>1</TimeStamp><Nonce>1</Nonce></xml>"
            ),
        ],
    )
    def test_not_a_safe_reply(
        self, platforms: Platforms, follower: dict[str, Any], backend: Backend, body: bytes
    ) -> None:
        backend.always(200, body)

        result = self.reply_with(platforms, follower, body)

        assert result["reply"] is None
        assert result["error"]
        assert "出现故障" in platforms.look(f"people/{follower['phone']}/chat")[-1]["text"]

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ({"ToUserName": "somebody"}, "ToUserName"),
            ({"FromUserName": "gh_other"}, "FromUserName"),
            ({"CreateTime": "now"}, "CreateTime"),
            ({"MsgType": "html"}, "MsgType"),
            ({"Content": ""}, "MsgType"),
            ({"Content": "长" * 700}, "2048"),
        ],
    )
    def test_not_of_wechats_form(
        self,
        platforms: Platforms,
        follower: dict[str, Any],
        backend: Backend,
        crypto: WeChatCrypto,
        change: dict[str, str],
        problem: str,
    ) -> None:
        def answer(received: Received) -> tuple[int, bytes]:
            message = opened(crypto, received)
            fields = {
                "ToUserName": message.source,
                "FromUserName": message.target,
                "CreateTime": "1700000000",
                "MsgType": "text",
                "Content": "好",
                **change,
            }
            plain = "".join(f"<{key}>{value}</{key}>" for key, value in fields.items())
            sealed = crypto.encrypt_message(f"<xml>{plain}</xml>", "n", "1700000000")
            return 200, sealed.encode()

        backend.answer = answer

        result = self.reply_with(platforms, follower, b"")

        assert problem in result["error"]


class TestEvents:
    def test_follow_click_and_unfollow(
        self,
        platforms: Platforms,
        owner: dict[str, Any],
        backend: Backend,
        crypto: WeChatCrypto,
    ) -> None:
        person = f"people/{owner['phone']}"
        platforms.control(f"{person}/follow", {"scene": "house1"})
        platforms.control(f"{person}/follow", {"scene": "house2"})
        platforms.control(f"{person}/click", {"key": "BILLS"})
        platforms.control(f"{person}/unfollow")

        events = [opened(crypto, one) for one in backend.received]
        assert [one.event for one in events] == [
            "subscribe_scan",
            "scan",
            "click",
            "unsubscribe",
        ]
        assert [events[0].scene_id, events[1].scene_id, events[2].key] == [
            "house1",
            "house2",
            "BILLS",
        ]
        assert platforms.look("people")[0]["follows"] is False

    def test_who_does_not_follow_cannot_write(
        self, platforms: Platforms, owner: dict[str, Any]
    ) -> None:
        person = f"people/{owner['phone']}"
        platforms.control(f"{person}/text", {"content": "x"}, status=409)
        platforms.control(f"{person}/click", {"key": "x"}, status=409)
        platforms.control(f"{person}/text", {"content": ""}, status=400)
        platforms.control("people/19900000008/follow", status=404)

    def test_other_events(
        self,
        platforms: Platforms,
        follower: dict[str, Any],
        backend: Backend,
        crypto: WeChatCrypto,
    ) -> None:
        asked = {"event": "user_authorization_revoke", "fields": {"RevokeInfo": "1"}}
        platforms.control(f"people/{follower['phone']}/event", asked)

        plain = crypto.decrypt_message(
            backend.received[0].body,
            *(backend.received[0].query[k] for k in ("msg_signature", "timestamp", "nonce")),
        )
        assert "user_authorization_revoke" in plain


class TestVerification:
    @pytest.mark.parametrize("account", ["official", "miniapp"])
    def test_wants_the_echo_and_nothing_else(
        self, platforms: Platforms, backend: Backend, account: str
    ) -> None:
        backend.answer = lambda received: (200, received.query["echostr"].encode())
        assert platforms.control("push/verify", {"account": account})["ok"] is True
        assert backend.received[0].method == "GET"

        backend.answer = lambda received: (200, f'"{received.query["echostr"]}"'.encode())
        assert platforms.control("push/verify", {"account": account})["ok"] is False
