import socket
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from simulator.craft_pay import FAULTS

NOT_SIGNED = {
    "bad_signature",
    "bad_timestamp",
    "empty_serial",
    "empty_signature",
    "foreign_pub_key_id",
    "missing_headers",
    "no_nonce",
    "no_serial",
    "no_signature_type",
    "no_timestamp",
    "not_base64",
    "other_algorithm",
    "signtest",
    "stale:3600",
    "stale:-3600",
    "tampered_body",
    "unknown_serial",
    "wrong_key",
}
SIGNED_OTHERWISE = {"by_certificate"}
SIGNED_RUBBISH = {"array_body", "no_resource", "not_json", "wrong_aes_key"}
CONTRADICTIONS = {
    "other merchant": {"mchid": "1600000000"},
    "other app": {"appid": "wx0000000000000000"},
    "less money": {"amount_fen": 22201},
    "more money": {"amount_fen": 22203},
    "no money": {"amount_fen": 0},
    "money as text": {"amount_fen": "22202"},
    "money with a fraction": {"amount_fen": 22202.0},
    "other currency": {"currency": "USD"},
    "other payer": {"openid": "somebody-else"},
    "not paid": {"trade_state": "NOTPAY"},
    "closed": {"trade_state": "CLOSED"},
    "refunded": {"trade_state": "REFUND"},
    "unknown state": {"trade_state": "MAYBE"},
    "no transaction id": {"transaction_id": None},
    "no time": {"success_time": None},
    "rubbish for time": {"success_time": "yesterday"},
    "time without zone": {"success_time": "2026-11-24T10:00:00"},
}


@pytest.fixture
def order(owner):
    """An order that waits for its money."""
    return owner.started()["out_trade_no"]


@pytest.fixture
def verdicts(database):
    return lambda: [
        row["verdict"] for row in database.rows("SELECT verdict FROM platform_notice ORDER BY id")
    ]


def failed(answer):
    """Check that an answer tells the platform to come again, and return its status."""
    assert answer.is_json, answer.text
    assert set(answer.json) == {"code", "message"}
    assert answer.json["code"] == "FAIL"
    assert answer.json["message"]
    return answer.status_code


def test_every_fault_of_the_workshop_is_tried():
    tried = {fault.split(":")[0] for fault in NOT_SIGNED | SIGNED_OTHERWISE | SIGNED_RUBBISH}

    assert tried == {fault.split(":")[0] for fault in FAULTS}


class TestForged:
    @pytest.mark.parametrize("fault", sorted(NOT_SIGNED))
    def test_what_is_not_signed_by_the_platform_is_refused(
        self, order, craft, notify, money, verdicts, fault
    ):
        before = money()

        assert failed(notify(craft(order, faults=[fault]))) == 401

        assert money() == before
        assert len(verdicts()) == 1
        assert verdicts() != ["received"]

    @pytest.mark.parametrize("fault", sorted(SIGNED_RUBBISH))
    def test_signed_rubbish_is_refused(self, order, craft, notify, money, verdicts, fault):
        before = money()

        assert failed(notify(craft(order, faults=[fault]))) == 400

        assert money() == before
        assert len(verdicts()) == 1
        assert verdicts() != ["received"]

    @pytest.mark.parametrize("seconds", [301, -301])
    def test_a_second_past_five_minutes_is_stale(
        self, order, craft, notify, money, clock, verdicts, seconds
    ):
        before, crafted = money(), craft(order)
        sent_at = datetime.fromtimestamp(int(crafted["headers"]["Wechatpay-Timestamp"]), UTC)
        clock.set(sent_at + timedelta(seconds=seconds))

        assert failed(notify(crafted)) == 401

        assert money() == before
        assert verdicts() == ["stale"]

    @pytest.mark.parametrize("seconds", [300, -300])
    def test_five_minutes_are_fresh(self, order, craft, notify, clock, seconds):
        crafted = craft(order)
        sent_at = datetime.fromtimestamp(int(crafted["headers"]["Wechatpay-Timestamp"]), UTC)
        clock.set(sent_at + timedelta(seconds=seconds))

        assert notify(crafted).status_code == 204

    def test_a_notice_for_another_merchant_is_refused(self, order, craft, notify, money):
        before = money()

        assert failed(notify(craft(order, tenant="foreign"))) == 401

        assert money() == before

    def test_nobody_is_asked_about_an_unknown_serial(self, order, craft, notify, simulator):
        calls = len(simulator.journal())

        notify(craft(order, faults=["unknown_serial"]))

        assert len(simulator.journal()) == calls


class TestContradicting:
    @pytest.mark.parametrize("what", sorted(CONTRADICTIONS))
    def test_what_contradicts_our_order_is_refused(
        self, order, craft, notify, money, verdicts, what
    ):
        before = money()

        assert failed(notify(craft(order, overrides=CONTRADICTIONS[what]))) == 400

        assert money() == before
        assert len(verdicts()) == 1
        assert verdicts() != ["received"]

    def test_another_kind_of_event_is_refused(self, order, craft, notify, money):
        before = money()

        assert failed(notify(craft(order, event_type="REFUND.SUCCESS"))) == 400

        assert money() == before

    def test_another_amount_asks_a_person(self, order, craft, notify, database):
        notify(craft(order, overrides={"amount_fen": 1}))

        assert database.value("SELECT kind FROM staff_task") == "notice_of_other_amount"


class TestRubbish:
    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (b"", None),
            (b"{}", "application/json"),
            (b"\xff\xfe\x00", "application/json"),
            (b"[" * 60_000, "application/json"),
            (b"a=b", "application/x-www-form-urlencoded"),
            (b"<xml/>", "text/xml"),
            (b'{"id": NaN}', "application/json"),
        ],
    )
    def test_unsigned_rubbish_is_kept_and_refused(self, client, database, body, kind):
        answer = client.post("/notify/wechatpay", data=body, content_type=kind)

        assert failed(answer) == 401
        assert database.rows("SELECT body, verdict FROM platform_notice") == [
            {"body": body, "verdict": "header_missing"}
        ]

    @pytest.mark.parametrize("signed", [True, False])
    def test_ten_megabytes_are_not_even_read(self, client, database, craft, signed):
        headers = craft()["headers"] if signed else {}

        answer = client.post("/notify/wechatpay", data=b"x" * 10_000_000, headers=headers)

        assert failed(answer) == 413
        (kept,) = database.rows("SELECT length(body) AS n, body_size, verdict FROM platform_notice")
        assert kept == {"n": 4096, "body_size": 10_000_000, "verdict": "too_large"}

    @pytest.mark.slow
    @pytest.mark.parametrize("path", ["/notify/wechatpay", "/wechat/official", "/api/v1/payments"])
    def test_a_body_that_never_comes_is_not_waited_for(self, live, owner, path):
        address = urlsplit(live)
        headers = (
            f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 10000000\r\n"
            f"Authorization: Bearer {owner.token}\r\nContent-Type: application/json\r\n"
            "Idempotency-Key: key-00000001\r\n\r\n"
        )

        with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
            connection.sendall(headers.encode() + b"x" * 4096)
            status_line = connection.recv(100)

        assert b" 413 " in status_line

    def test_headers_of_any_size_and_bytes_are_survived(self, client, craft):
        headers = {**craft()["headers"], "Wechatpay-Nonce": "\xff" * 5000}

        assert failed(client.post("/notify/wechatpay", data=b"{}", headers=headers)) == 401

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
    def test_only_post_is_taken(self, client, database, method):
        assert client.open("/notify/wechatpay", method=method).status_code == 405
        assert database.value("SELECT count(*) FROM platform_notice") == 0

    @pytest.mark.parametrize("path", ["x", "wechatpay/x", "alipay/refund", "%00"])
    def test_unknown_notices_find_nothing(self, client, path):
        assert client.post(f"/notify/{path}", data=b"{}").status_code == 404


class TestGood:
    def test_is_booked_and_answered_with_nothing(self, order, craft, notify, money, verdicts):
        answer = notify(craft(order))

        assert (answer.status_code, answer.data) == (204, b"")
        assert money()["payment"][0]["amount_fen"] == 22202
        assert {bill["state"] for bill in money()["bill"]} == {"paid"}
        assert len(money()["receipt"]) == 1
        assert verdicts() == ["booked"]

    @pytest.mark.parametrize("way", sorted(SIGNED_OTHERWISE))
    def test_the_platforms_other_live_key_is_as_good(self, order, craft, notify, verdicts, way):
        assert notify(craft(order, faults=[way])).status_code == 204

        assert verdicts() == ["booked"]

    @pytest.mark.parametrize("copies", [1, 4])
    def test_more_copies_change_nothing(self, order, craft, notify, money, verdicts, copies):
        crafted = craft(order)
        notify(crafted)
        before = money()

        assert {notify(crafted).status_code for _ in range(copies)} == {204}

        assert money() == before
        assert verdicts() == ["booked"] + ["already_booked"] * copies

    def test_unknown_fields_are_no_reason_to_refuse(self, order, craft, notify):
        crafted = craft(order, overrides={"extra": {"promotion_detail": [], "新字段": {"a": 1}}})

        assert notify(crafted).status_code == 204

    def test_money_for_an_order_we_never_made_is_kept(self, client, craft, notify, money, database):
        answer = notify(craft("SIM00000000000000000000"))

        assert answer.status_code == 204
        assert [row["reason"] for row in money()["suspense"]] == ["unknown_order"]
        assert database.value("SELECT kind FROM staff_task") == "money_in_suspense"

    def test_the_evidence_holds_the_bytes_and_no_stray_headers(
        self, order, craft, client, database
    ):
        crafted = craft(order)
        headers = crafted["headers"] | {"Cookie": "a=b", "Authorization": "Bearer canary"}

        client.post("/notify/wechatpay", data=crafted["body"], headers=headers)

        (kept,) = database.rows("SELECT body, headers, request_id FROM platform_notice")
        assert kept["body"] == crafted["body"].encode()
        assert kept["request_id"]
        assert not {"cookie", "authorization"} & {name.lower() for name in kept["headers"]}
        assert "Wechatpay-Signature" in kept["headers"]

    @pytest.mark.slow
    def test_the_platform_itself_is_satisfied(self, live, order, simulator, owner):
        simulator.post(f"pay/{order}", copies=3, wait=True)

        notices = simulator.get("outbox")
        assert {notice["state"] for notice in notices} == {"done"}
        assert owner.get("/bills/outstanding").json["amount_fen"] == 0
