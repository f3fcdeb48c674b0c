import json

import pytest
from werkzeug.exceptions import BadRequest

from miniapp_api.strict_json import parse_strictly
from tests.miniapp_api.answers import refusal

PATH = "/api/v1/phone-codes"
GOOD = {"phone": "19900000001"}
HOSTILE = {
    "NaN": b'{"phone": NaN}',
    "Infinity": b'{"phone": Infinity}',
    "-Infinity": b'{"phone": -Infinity}',
    "the same key twice": b'{"phone": "19900000001", "phone": "19900000002"}',
    "the same key twice, deep": b'{"phone": "19900000001", "a": [{"b": 1, "b": 2}]}',
    "deep lists": b'{"phone": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "deep objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "a little too deep": b'{"phone": ' + b"[" * 20 + b"]" * 20 + b"}",
    "half a pair": b'{"phone": "\\ud800"}',
    "the other half": b'{"phone": "\\udfff"}',
    "half a pair as key": b'{"\\ud800": "19900000001"}',
    "half a pair in bytes": b'{"phone": "\xed\xa0\x80"}',
    "NUL": b'{"phone": "1990000\\u00000001"}',
    "NUL as key": b'{"pho\\u0000ne": "19900000001"}',
    "raw NUL": b'{"phone": "1990000\x000001"}',
    "raw line end": b'{"phone": "1990000\n0001"}',
    "not UTF-8": '{"phone": "手机"}'.encode("gbk"),
    "UTF-16": '{"phone": "19900000001"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"phone": "19900000001"}',
    "5,000 digits": b'{"phone": ' + b"9" * 5000 + b"}",
    "nothing": b"",
    "a space": b" ",
    "half": b'{"phone": "199',
    "two": b'{"phone": "19900000001"}{}',
    "single quotes": b"{'phone': '19900000001'}",
    "a comment": b'{"phone": "19900000001" /* me */}',
    "a comma too many": b'{"phone": "19900000001",}',
}


class TestParse:
    @pytest.mark.parametrize("what", sorted(set(HOSTILE)))
    def test_refuses_what_is_ambiguous_or_hostile(self, what):
        with pytest.raises(BadRequest):
            parse_strictly(HOSTILE[what])

    @pytest.mark.parametrize(
        "value", [{}, [], 0, -1, "", "𠮷\U0001f600", {"a": [1, {"b": None}]}, 2**63, True]
    )
    def test_reads_everything_else(self, value):
        assert parse_strictly(json.dumps(value).encode()) == value
        assert parse_strictly(json.dumps(value, ensure_ascii=False).encode()) == value

    def test_a_whole_pair_is_a_character(self):
        assert parse_strictly(b'"\\ud83d\\ude00"') == "\U0001f600"


class TestOverHttp:
    @pytest.mark.parametrize("what", sorted(set(HOSTILE)))
    def test_is_a_bad_request_and_nothing_happens(self, client, database, what):
        answer = client.post(PATH, data=HOSTILE[what], content_type="application/json")

        assert refusal(answer, 400)["code"] == "bad_request"
        assert database.value("SELECT count(*) FROM login_code") == 0

    @pytest.mark.parametrize("value", [[], "text", 5, None, True, 1.5, [GOOD]])
    def test_another_shape_is_named(self, client, value):
        answer = client.post(PATH, data=json.dumps(value), content_type="application/json")

        assert set(refusal(answer, 422)["fields"]) == {"body"}

    @pytest.mark.parametrize(
        "kind",
        [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/json",
            "application/jsonp",
            "",
            "码".encode().decode("latin-1"),
        ],
    )
    def test_another_content_type_is_refused(self, client, database, kind):
        answer = client.post(PATH, data=json.dumps(GOOD), content_type=kind)

        assert refusal(answer, 415)["code"] == "unsupported_media_type"
        assert database.value("SELECT count(*) FROM login_code") == 0

    @pytest.mark.parametrize(
        "kind", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"]
    )
    def test_the_right_content_type_is_taken(self, client, kind):
        assert client.post(PATH, data=json.dumps(GOOD), content_type=kind).status_code == 202

    def test_no_body_misses_its_fields(self, client):
        assert refusal(client.post(PATH), 422)["fields"] == {"phone": ["必填"]}

    @pytest.mark.parametrize("size", [64 * 1024 + 1, 10_000_000])
    def test_more_than_64_kilobytes_are_too_large(self, client, size):
        body = b'{"phone": "' + b"1" * size + b'"}'

        answer = client.post(PATH, data=body, content_type="application/json")

        assert refusal(answer, 413)["code"] == "too_large"

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("path", "status"),
        [(PATH, 413), ("/notify/wechatpay", 413), ("/wechat/official", 413)],
    )
    def test_a_chunked_body_without_a_length_is_cut_too(self, live, path, status):
        import requests

        def endless():
            for _ in range(80):
                yield b"x" * 1024

        answer = requests.post(
            live + path,
            data=endless(),
            headers={"Content-Type": "application/json", "Connection": "close"},
            timeout=20,
        )

        assert answer.status_code == status

    @pytest.mark.slow
    def test_a_small_chunked_body_is_read(self, live):
        import requests

        answer = requests.post(
            live + PATH,
            data=iter([b'{"phone": ', b'"19900000001"}']),
            headers={"Content-Type": "application/json"},
            timeout=20,
        )

        assert answer.status_code == 202
