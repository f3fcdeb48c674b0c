import io
import json
import logging

import pytest

from services import logs
from services.logs import MaskingFormatter, configure, mask, request_id


class TestMask:
    @pytest.mark.parametrize(
        ("text", "masked"),
        [
            ("call 19900000001 now", "call 199****0001 now"),
            ("8619900000001", "86199****0001"),
            ("+8619900000001", "+86199****0001"),
            ("号码19900000001。", "号码199****0001。"),
            ("order 420000119900000001", "order 420000119900000001"),
            ("199000000012", "199000000012"),
            ("12900000001", "12900000001"),
            ("https://x/?access_token=abc&next=1", "https://x/?access_token=***&next=1"),
            ("js_code=081Ab, next", "js_code=***, next"),
            ('{"session_key": "s3cret", "a": 1}', '{"session_key": "***", "a": 1}'),
            ("{'password': 'hunter2'}", "{'password': '***'}"),
            ('{"body": "{\\"token\\": \\"abc\\"}"}', '{"body": "{\\"token\\": \\"***\\"}"}'),
            ("Authorization: Bearer abc.def", "Authorization: ***"),
            ("code: 123456", "code: ***"),
            ("vendor_code: 40001", "vendor_code: 40001"),
            ("postgresql://anju:secret@db/anju", "postgresql://anju:***@db/anju"),
            ("redis://:secret@host:6379", "redis://:***@host:6379"),
        ],
    )
    def test_phones_and_secrets_go_the_rest_stays(self, text, masked):
        assert mask(text) == masked

    def test_a_number_in_json_stays_json(self):
        assert json.loads(mask('{"code": 123456, "n": 1}')) == {"code": "***", "n": 1}


def written(**record):
    values = {"name": "services.x", "levelname": "INFO", "levelno": 20, "msg": "hello"}
    return json.loads(MaskingFormatter().format(logging.makeLogRecord(values | record)))


class TestMaskingFormatter:
    def test_a_line_is_one_json_object_in_our_words(self):
        line = written(msg="%s 登录", args=("业主",), attempt=2)

        assert line["message"] == "业主 登录"
        assert (line["level"], line["logger"], line["attempt"]) == ("INFO", "services.x", 2)
        assert "at" in line

    def test_messages_extras_and_tracebacks_are_masked(self):
        try:
            raise ValueError("19900000001")
        except ValueError as error:
            line = written(
                msg="19900000001",
                phone="19900000001",
                exc_info=(ValueError, error, error.__traceback__),
            )

        assert "19900000001" not in json.dumps(line)
        assert line["phone"] == "199****0001"
        assert "ValueError: 199****0001" in line["exc_info"]

    def test_the_request_id_is_in_every_line_of_its_request(self):
        token = request_id.set("req-7")
        try:
            assert written()["request_id"] == "req-7"
        finally:
            request_id.reset(token)
        assert "request_id" not in written()


class TestConfigure:
    @pytest.fixture(autouse=True)
    def restored(self):
        root = logging.getLogger()
        noisy = [
            logging.getLogger(name)
            for name in ("urllib3", "werkzeug", "rq.worker", "alembic.runtime.migration")
        ]
        handlers, level, levels = root.handlers[:], root.level, [one.level for one in noisy]
        # basicConfig(force=True) closes what it removes; pytest still needs its own.
        root.handlers[:] = []
        yield
        root.handlers[:] = handlers
        root.setLevel(level)
        for one, before in zip(noisy, levels, strict=True):
            one.setLevel(before)

    def test_lines_go_to_stderr_as_json(self, monkeypatch):
        stderr = io.StringIO()
        monkeypatch.setattr(logs.sys, "stderr", stderr)

        configure("INFO")
        logging.getLogger("services.x").info("hello 19900000001")

        assert json.loads(stderr.getvalue())["message"] == "hello 199****0001"

    @pytest.mark.parametrize(
        ("level", "noisy_level"), [("DEBUG", logging.WARNING), ("ERROR", logging.ERROR)]
    )
    def test_noisy_libraries_are_kept_quiet(self, level, noisy_level):
        configure(level)

        assert logging.getLogger().level == logging.getLevelName(level)
        assert logging.getLogger("urllib3").level == noisy_level
