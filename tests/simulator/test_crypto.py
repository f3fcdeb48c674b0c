"""The platform's published examples, and what must not open."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import crypto, xml_form
from simulator.crypto import Undecipherable, decrypt_push, encrypt_push, push_signature

# Source: https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.md
KEY = "A" * 43
APPID = "wxba5fad812f8e6fb9"
PUSHED = (
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcv"
    "ZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3F"
    "n2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSe"
    "OBrebufAlr7F9mFUPAJGj04="
)
REPLIED = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="


class TestOfficialExamples:
    @pytest.mark.parametrize(
        ("parts", "signature"),
        [
            (("1714036504", "1514711492"), "f464b24fc39322e44b38aa78f5edd27bd1441696"),
            (("1714037059", "486452656"), "899cf89e464efb63f54ddac96b0a0a235f53aa78"),
            (("1714112445", "415670741"), "6c5c811b55cc85e0e1b54100749188c20beb3f5d"),
            (("1714112445", "415670741", PUSHED), "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"),
            (("1713424427", "415670741", REPLIED), "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"),
        ],
    )
    def test_signatures(self, parts: tuple[str, ...], signature: str) -> None:
        assert push_signature("AAAAA", *parts) == signature

    def test_opens_the_pushed_message(self) -> None:
        message = json.loads(decrypt_push(PUSHED, aes_key=KEY, appid=APPID))

        assert (message["Event"], message["debug_str"]) == ("debug_demo", "hello world")

    def test_encrypts_the_reply_to_the_byte(self) -> None:
        encrypted = encrypt_push(
            b'{"demo_resp":"good luck"}',
            aes_key=KEY,
            appid=APPID,
            random_bytes=b"707722b803182950",
        )

        assert encrypted == REPLIED


class TestPushEncryption:
    @given(st.text(), st.text("abcdef0123456789", min_size=1))
    def test_opens_what_it_sealed(self, text: str, appid: str) -> None:
        plain = text.encode("utf-8", "surrogatepass")
        sealed = encrypt_push(plain, aes_key=KEY, appid=appid)

        assert decrypt_push(sealed, aes_key=KEY, appid=appid) == plain

    @given(st.binary(max_size=200))
    def test_rubbish_is_refused_in_one_way(self, rubbish: bytes) -> None:
        with pytest.raises(Undecipherable):
            decrypt_push(base64.b64encode(rubbish).decode(), aes_key=KEY, appid=APPID)

    def test_another_appid_is_refused(self) -> None:
        with pytest.raises(Undecipherable, match="appid"):
            decrypt_push(PUSHED, aes_key=KEY, appid="wxsomeoneelse")


class TestRsa:
    def test_lines_end_with_a_line_feed_even_when_empty(self) -> None:
        assert crypto.lines("1", "n", b"") == b"1\nn\n\n"

    def test_a_changed_message_does_not_fit(self) -> None:
        key = crypto.new_rsa_key()
        signature = crypto.rsa_sign(key, b"message")

        assert crypto.is_rsa_signature(key.public_key(), b"message", signature)
        assert not crypto.is_rsa_signature(key.public_key(), b"Message", signature)
        assert not crypto.is_rsa_signature(key.public_key(), b"message", "*")

    def test_a_key_survives_its_file_form(self) -> None:
        key = crypto.new_rsa_key()

        again = crypto.load_private_pem(crypto.private_pem(key))

        assert crypto.public_pem(again) == crypto.public_pem(key)


class TestXml:
    @given(st.text("<>&]x中\n 'a\"").filter(lambda t: t.strip() == t))
    def test_reads_what_it_wrote(self, text: str) -> None:
        assert xml_form.parse(xml_form.build({"Content": text, "N": 5})) == {
            "Content": text,
            "N": "5",
        }

    def test_repeated_elements_are_a_list(self) -> None:
        raw = b"<xml><A><item><T>1</T></item><item><T>2</T></item></A></xml>"

        assert xml_form.parse(raw) == {"A": {"item": [{"T": "1"}, {"T": "2"}]}}

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"<xml>",
            b"<other></other>",
            b'<!DOCTYPE xml [<!ENTITY a "b">]><xml>&a;</xml>',
            b"plain",
        ],
    )
    def test_anything_else_is_refused(self, raw: bytes) -> None:
        with pytest.raises(xml_form.BadXml):
            xml_form.parse(raw)
