"""The platform's own vectors, and everything that is not what the platform would send."""

import base64
import json
import sys
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from wechatpy.crypto import WeChatCrypto

from bot.pushes import (
    MAX_AGE_S,
    PushAccount,
    PushRefused,
    check_address,
    open_push,
    seal_reply,
    text_reply,
)
from simulator.crypto import encrypt_push, push_signature

KEY = "A" * 43
ACCOUNT = PushAccount(appid="wxba5fad812f8e6fb9", token="AAAAA", aes_key=KEY)
NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
SENT = str(int(NOW.timestamp()))


def sealed(plain, *, account=ACCOUNT, timestamp=SENT, form="xml", token=None, appid=None):
    """Query and body of a push, made by the simulator's own crypto."""
    plain = plain if isinstance(plain, bytes) else plain.encode()
    inner = encrypt_push(plain, aes_key=account.aes_key, appid=appid or account.appid)
    signature = push_signature(token or account.token, timestamp, "nonce", inner)
    body = (
        f"<xml><Encrypt><![CDATA[{inner}]]></Encrypt></xml>"
        if form == "xml"
        else json.dumps({"Encrypt": inner})
    )
    return {"timestamp": timestamp, "nonce": "nonce", "msg_signature": signature}, body.encode()


def opened(*made, now=NOW):
    return open_push(ACCOUNT, *made, now=now)


def why_refused(*made, now=NOW):
    with pytest.raises(PushRefused) as refused:
        open_push(ACCOUNT, *made, now=now)
    return refused.value.reason


class TestAccount:
    @pytest.mark.parametrize(("token", "key"), [("", KEY), ("t", "A" * 42), ("t", "A" * 44)])
    def test_is_not_made_with_an_empty_token_or_a_short_key(self, token, key):
        with pytest.raises(ValueError, match="token"):
            PushAccount(appid="wx", token=token, aes_key=key)


class TestCheckAddress:
    @pytest.mark.parametrize(
        ("timestamp", "nonce", "signature"),
        [
            ("1714036504", "1514711492", "f464b24fc39322e44b38aa78f5edd27bd1441696"),
            ("1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78"),
        ],
    )
    def test_knows_the_official_signatures(self, timestamp, nonce, signature):
        query = {"timestamp": timestamp, "nonce": nonce, "signature": signature, "echostr": "echo"}

        assert check_address(ACCOUNT, query) == "echo"

        with pytest.raises(PushRefused):
            check_address(ACCOUNT, query | {"nonce": nonce + "1"})

    @pytest.mark.parametrize("missing", ["timestamp", "nonce", "signature"])
    def test_needs_every_part(self, missing):
        query = {
            "timestamp": "1714036504",
            "nonce": "1514711492",
            "signature": "f464b24fc39322e44b38aa78f5edd27bd1441696",
        }
        del query[missing]

        with pytest.raises(PushRefused):
            check_address(ACCOUNT, query)


class TestOpenPush:
    def test_reads_xml(self):
        plain = "<xml><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[账单]]></Content></xml>"

        assert opened(*sealed(plain)) == {"MsgType": "text", "Content": "账单"}

    @pytest.mark.parametrize("entries", [{"TemplateId": "a"}, [{"TemplateId": "a"}, {"T": "b"}]])
    def test_reads_json_with_a_list_as_object_or_array(self, entries):
        plain = json.dumps({"MsgType": "event", "List": entries})

        assert opened(*sealed(plain, form="json"))["List"] == entries

    def test_refuses_the_plain_signature_alone(self):
        query, body = sealed("<xml><a>1</a></xml>")
        query["signature"] = push_signature(ACCOUNT.token, SENT, "nonce")
        del query["msg_signature"]

        assert why_refused(query, body) == "bad_signature"

    def test_refuses_another_token(self):
        assert why_refused(*sealed("<xml><a>1</a></xml>", token="other")) == "bad_signature"

    def test_refuses_another_appid_inside(self):
        assert why_refused(*sealed("<xml><a>1</a></xml>", appid="wx0")) == "cannot_decrypt"

    @pytest.mark.parametrize("age_s", [MAX_AGE_S + 1, -MAX_AGE_S - 1, 10**9])
    def test_refuses_what_is_too_old_or_too_new(self, age_s):
        timestamp = str(int(SENT) - age_s)

        assert why_refused(*sealed("<xml><a>1</a></xml>", timestamp=timestamp)) == "stale"

    @pytest.mark.parametrize("age_s", [MAX_AGE_S, -MAX_AGE_S, 0])
    def test_takes_what_is_fresh(self, age_s):
        assert opened(*sealed("<xml><a>1</a></xml>", timestamp=str(int(SENT) - age_s)))

    @pytest.mark.parametrize("timestamp", ["", "soon", "1e9", "１７", "-1", "9" * 13, "1.5"])
    def test_refuses_a_timestamp_that_is_no_number(self, timestamp):
        made = sealed("<xml><a>1</a></xml>", timestamp=timestamp)

        assert why_refused(*made) == "bad_timestamp"

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"x",
            b"\xff\xfe",
            b"<xml/>",
            b"<xml>",
            b"<xml><Encrypt></Encrypt></xml>",
            b"<xml><Encrypt><a>1</a></Encrypt></xml>",
            b"<xml><Encrypt>a</Encrypt><Encrypt>b</Encrypt></xml>",
            b"{}",
            b"[]",
            b'{"Encrypt": 5}',
            b'{"Encrypt": null}',
            b"{" * 60_000,
            b"[" * 60_000,
            b'{"a":' * 10_000,
            b"<a>" * 20_000,
            b"null",
            b'<!DOCTYPE x [<!ENTITY a "b">]><xml><Encrypt>&a;</Encrypt></xml>',
            b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><xml><Encrypt>a</Encrypt></xml>',
        ],
        ids=lambda body: repr(body[:30]),
    )
    def test_refuses_every_body_that_is_no_envelope(self, body):
        query, _ = sealed("<xml><a>1</a></xml>")

        assert why_refused(query, body) in {"not_encrypted", "cannot_parse", "bad_signature"}

    @pytest.mark.parametrize(
        "plain",
        [
            b"",
            b"rubbish",
            b"\xff\xff",
            b"<xml>",
            b"<html><a>1</a></html>",
            b"[1]",
            b'{"a": "\\u0000"}',
            b'{"\\u0000": 1}',
            b'{"a": [{"b": "\\ud800"}]}',
            b"{" * 3000,
            b'<!DOCTYPE x [<!ENTITY a "b">]><xml><a>&a;</a></xml>',
        ],
    )
    def test_refuses_signed_rubbish(self, plain):
        assert why_refused(*sealed(plain)) in {"cannot_parse", "cannot_decrypt"}

    @pytest.mark.parametrize("size", [0, 1, 15, 16, 20, 32, 48])
    def test_refuses_a_signed_cipher_of_any_length(self, size):
        inner = base64.b64encode(b"\x01" * size).decode() or "="
        query = {
            "timestamp": SENT,
            "nonce": "n",
            "msg_signature": push_signature(ACCOUNT.token, SENT, "n", inner),
        }

        assert why_refused(query, json.dumps({"Encrypt": inner}).encode()) == "cannot_decrypt"

    def test_a_whole_surrogate_pair_is_a_character(self):
        plain = b'{"Content": "\\ud83d\\ude00"}'

        assert opened(*sealed(plain)) == {"Content": "\U0001f600"}


class TestReply:
    @pytest.mark.parametrize("content", ["好", "a]]>b", "]]>]]>", "<xml>&amp;", "行一\n行二", "]]"])
    def test_says_exactly_what_was_meant(self, content):
        xml = text_reply(to_openid="o", from_id="gh", content=content, now=NOW)

        root = ElementTree.fromstring(xml)
        assert root.findtext("Content") == content
        assert [child.tag for child in root] == [
            "ToUserName",
            "FromUserName",
            "Content",
            "CreateTime",
            "MsgType",
        ]

    def test_no_field_of_the_sender_can_end_itself(self):
        hostile = "x]]></ToUserName><Content><![CDATA[evil]]></Content><ToUserName><![CDATA["

        root = ElementTree.fromstring(
            text_reply(to_openid=hostile, from_id=hostile, content="好", now=NOW)
        )

        assert root.findtext("ToUserName") == hostile
        assert root.findtext("Content") == "好"

    def test_is_sealed_for_this_account(self):
        xml = text_reply(to_openid="o", from_id="gh", content="好", now=NOW)

        envelope = ElementTree.fromstring(seal_reply(ACCOUNT, xml, now=NOW))

        crypto = WeChatCrypto(ACCOUNT.token, ACCOUNT.aes_key, ACCOUNT.appid)
        assert "好" in str(
            crypto.decrypt_message(
                ElementTree.tostring(envelope),
                envelope.findtext("MsgSignature"),
                envelope.findtext("TimeStamp"),
                envelope.findtext("Nonce"),
            )
        )


def test_deep_input_is_refused_whatever_the_stack_holds():
    before = sys.getrecursionlimit()

    query, _ = sealed("<xml><a>1</a></xml>")
    assert why_refused(query, b'{"a":' * 12_000 + b"1" + b"}" * 12_000) == "cannot_parse"

    assert sys.getrecursionlimit() == before
