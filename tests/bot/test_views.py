import json
from datetime import UTC, datetime, timedelta

import pytest

from simulator.craft_push import FAULTS
from simulator.crypto import push_signature
from tests.bot.conftest import PHONE

FORGED = {
    "wrong_token",
    "foreign_appid",
    "bad_msg_signature",
    "no_msg_signature",
    "plain_signature_only",
    "stale",
    "stale:302",
    "stale:-303",
    "garbage_cipher",
    "not_base64",
    "xml_entity",
    "inner_xml_entity",
    "not_xml",
    "empty_body",
    "missing_params",
}
ELSEWHERE = {"huge_body", "foreign_account", "stale:SECONDS"}


@pytest.fixture
def effects(database):
    """All that a push may change, as it stands."""

    def effects():
        return {
            table: database.rows(f"SELECT * FROM {table} ORDER BY 1, 2")
            for table in ("wechat_identity", "outbox_message", "audit_entry", "staff_task")
        }

    return effects


def test_every_fault_of_the_workshop_is_tried():
    assert set(FAULTS) <= FORGED | ELSEWHERE


class TestAddress:
    @pytest.mark.slow
    @pytest.mark.parametrize("account", ["official", "miniapp"])
    def test_the_console_is_satisfied(self, live, simulator, account):
        assert simulator.post("push/verify", account=account)["ok"]

    @pytest.mark.parametrize("account", ["official", "miniapp"])
    def test_nobody_else_gets_an_echo(self, client, account):
        query = {"signature": "0" * 40, "timestamp": "1", "nonce": "1", "echostr": "<script>"}

        answer = client.get(f"/wechat/{account}", query_string=query)

        assert answer.status_code == 403
        assert "script" not in answer.text

    def test_an_echo_is_never_a_page(self, client, simulator, settings):
        query = {"timestamp": "1", "nonce": "2", "echostr": "<script>alert(1)</script>"}
        query["signature"] = push_signature(settings.wechat_official_token, "1", "2")

        answer = client.get("/wechat/official", query_string=query)

        assert (answer.status_code, answer.mimetype) == (200, "text/plain")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"

    @pytest.mark.parametrize("path", ["/wechat", "/wechat/", "/wechat/other", "/wechat/official/x"])
    def test_there_is_no_other(self, client, path):
        assert client.post(path, data=b"x").status_code == 404


class TestForged:
    @pytest.mark.parametrize("account", ["official", "miniapp"])
    @pytest.mark.parametrize("fault", sorted(FORGED))
    def test_is_refused_and_changes_nothing_but_the_record(
        self, follower, craft, push, effects, verdicts, account, fault
    ):
        before = effects()

        answer = push(craft(account=account, content="账单", faults=[fault]), account)

        assert (answer.status_code, answer.text) == (403, "forbidden")
        assert effects() == before
        assert len(verdicts()) == 1
        assert verdicts() != ["received"]

    @pytest.mark.parametrize("account", ["official", "miniapp"])
    def test_a_push_for_one_account_is_none_for_the_other(self, craft, push, effects, account):
        other = {"official": "miniapp", "miniapp": "official"}[account]
        before = effects()

        assert push(craft(account=account), other).status_code == 403

        assert effects() == before

    @pytest.mark.parametrize("seconds", [301, -301])
    def test_a_second_past_five_minutes_is_stale(self, craft, push, clock, verdicts, seconds):
        crafted = craft(content="账单")
        sent_at = datetime.fromtimestamp(int(crafted["query"]["timestamp"]), UTC)
        clock.set(sent_at + timedelta(seconds=seconds))

        assert push(crafted).status_code == 403
        assert verdicts() == ["stale"]

    @pytest.mark.parametrize("account", ["official", "miniapp"])
    @pytest.mark.parametrize("size", [64 * 1024 + 1, 10_000_000])
    def test_megabytes_are_not_even_read(self, client, database, account, size):
        answer = client.post(f"/wechat/{account}", data=b"x" * size)

        assert answer.status_code == 413
        (kept,) = database.rows("SELECT length(body) AS n, body_size, verdict FROM platform_notice")
        assert kept == {"n": 4096, "body_size": size, "verdict": "too_large"}

    def test_a_huge_push_of_the_workshop_is_too_large(self, craft, push, verdicts):
        assert push(craft(faults=["huge_body"])).status_code == 413
        assert verdicts() == ["too_large"]

    @pytest.mark.parametrize(
        "raw", ["", "rubbish", "<xml>", "[1]", '{"a": "\\u0000"}', '{"a": "\\ud800"}', "{" * 900]
    )
    @pytest.mark.parametrize("account", ["official", "miniapp"])
    def test_signed_rubbish_is_refused(self, craft, push, effects, account, raw):
        before = effects()

        assert push(craft(account=account, kind="raw", raw=raw), account).status_code == 403

        assert effects() == before


class TestOnce:
    def test_the_same_message_is_answered_once(self, follower, craft, push, verdicts):
        first = push(craft(content="账单", msg_id=7))
        again = push(craft(content="账单", msg_id=7))

        assert first.mimetype == "application/xml"
        assert (again.status_code, again.text) == (200, "success")
        assert verdicts() == ["done", "repeated"]

    def test_the_same_event_is_done_once(self, craft, push, verdicts):
        extra = {"CreateTime": 1_700_000_000}

        for _ in range(3):
            crafted = craft(kind="event", event="subscribe", event_key="", extra=extra)
            assert push(crafted).status_code == 200

        assert verdicts() == ["done", "repeated", "repeated"]

    def test_an_event_of_the_mini_program_is_none_of_the_chats(self, craft, push, effects):
        before = effects()

        crafted = craft(account="miniapp", event="user_authorization_revoke")
        answer = push(crafted, "miniapp")

        assert (answer.status_code, answer.text) == (200, "success")
        assert effects() == before

    def test_two_messages_are_two(self, follower, craft, push, verdicts):
        push(craft(content="账单", msg_id=7))
        push(craft(content="账单", msg_id=8))

        assert verdicts() == ["done", "done"]

    def test_the_accounts_do_not_share_their_numbers(self, craft, push, verdicts):
        for account in ("official", "miniapp"):
            crafted = craft(account=account, kind="raw", raw='{"MsgType": "event", "MsgId": 7}')
            push(crafted, account)

        assert verdicts() == ["done", "done"]


class TestReply:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("content", "says"),
        [
            ("账单", "合计 ¥222.02"),
            ("我要交物业费", "合计 ¥222.02"),
            ("绑定", "您已绑定"),
            ("帮助", "您可以发送"),
            ("]]>", "您可以发送"),
            ("<script>\U0001f600&amp;", "您可以发送"),
        ],
    )
    def test_the_owner_reads_it(self, live, follower, simulator, content, says):
        simulator.post(f"people/{PHONE}/follow")

        answer = simulator.post(f"people/{PHONE}/text", content=content)

        assert answer["error"] is None
        assert len(answer["attempts"]) == 1
        assert says in answer["reply"]["Content"]

    @pytest.mark.slow
    def test_a_text_in_our_reply_that_would_end_it_is_harmless(
        self, live, follower, simulator, database
    ):
        database.do("UPDATE fee_item SET name = '费]]></Content>'")
        simulator.post(f"people/{PHONE}/follow")

        answer = simulator.post(f"people/{PHONE}/text", content="账单")

        assert answer["error"] is None
        assert "费]]></Content> 2026-10" in answer["reply"]["Content"]

    @pytest.mark.slow
    def test_five_copies_at_once_get_one_answer(self, live, follower, simulator, verdicts):
        simulator.post(f"people/{PHONE}/follow")

        answer = simulator.post(f"people/{PHONE}/text", content="账单", copies=5, msg_id=77)

        replies = [copy["reply"] for copy in answer["copies"]]
        assert {copy["status"] for copy in answer["copies"]} == {200}
        assert sum(reply is not None for reply in replies) == 1
        assert verdicts().count("repeated") == 4

    @pytest.mark.slow
    @pytest.mark.parametrize("count", [1, 2])
    def test_the_mini_programs_lists_are_taken(self, live, simulator, database, count):
        simulator.person(PHONE)
        entries = [
            {"TemplateId": f"t{number}", "SubscribeStatusString": "accept"}
            for number in range(count)
        ]

        answer = simulator.post(f"people/{PHONE}/mini_push", list=entries)

        assert (answer["status"], answer["reply"]) == (200, None)
        assert database.value("SELECT verdict FROM platform_notice") == "done"

    def test_a_failure_of_ours_is_an_apology_and_leaves_the_message_open(
        self, follower, craft, push, database, verdicts, caplog
    ):
        database.do("ALTER TABLE house_binding RENAME TO gone")
        try:
            answer = push(craft(content="账单", msg_id=7))
        finally:
            database.do("ALTER TABLE gone RENAME TO house_binding")

        assert (answer.status_code, answer.mimetype) == (200, "application/xml")
        assert verdicts() == ["failed"]
        assert "push failed" in caplog.text
        assert push(craft(content="账单", msg_id=7)).mimetype == "application/xml"
        assert verdicts() == ["failed", "done"]


class TestTooEarly:
    @pytest.fixture
    def report(self, craft, push):
        """The platform's word on a template message."""

        def report(provider_id, status="failed:user block"):
            crafted = craft(
                kind="event",
                event="TEMPLATESENDJOBFINISH",
                extra={"MsgID": provider_id, "Status": status, "CreateTime": 1_700_000_000},
            )
            return push(crafted)

        return report

    @pytest.fixture
    def sent(self, database):
        """Mark a message as sent under a number of the platform."""

        def sent(provider_id):
            database.do(
                "INSERT INTO outbox_message (kind, channel, recipient, fallback_phone, payload,"
                " dedup_key, state, next_attempt_at, created_at, provider_id, sent_at, attempts)"
                " VALUES ('payment_received', 'official_template', 'o1', :phone, :payload, 'k1',"
                " 'sent', now(), now(), :provider_id, now(), 1)",
                phone=PHONE,
                payload=json.dumps(
                    {"house": "1栋", "amount": "1.00", "paid_at": "x", "receipt_no": "CH-1"}
                ),
                provider_id=provider_id,
            )

        return sent

    def test_word_of_a_message_we_have_not_marked_yet_is_asked_for_again(
        self, report, sent, database, verdicts
    ):
        assert report("900001").status_code == 503
        sent("900001")

        answer = report("900001")

        assert (answer.status_code, answer.text) == (200, "success")
        assert verdicts() == ["too_early", "done"]
        assert database.value("SELECT state FROM outbox_message WHERE dedup_key = 'k1'") == "failed"

    def test_what_did_not_arrive_goes_by_sms(self, report, sent, database, queue, simulator):
        sent("900001")

        report("900001")
        queue.run()

        (by_sms,) = database.rows("SELECT * FROM outbox_message WHERE channel = 'sms'")
        assert (by_sms["recipient"], by_sms["state"]) == (PHONE, "sent")
        assert len(simulator.sms(PHONE)) == 1

    def test_what_arrived_goes_nowhere_else(self, report, sent, database):
        sent("900001")

        assert report("900001", "success").status_code == 200

        assert database.value("SELECT count(*) FROM outbox_message") == 1

    def test_repeats_send_one_sms(self, report, sent, database):
        sent("900001")

        assert [report("900001").status_code for _ in range(3)] == [200, 200, 200]

        assert database.value("SELECT count(*) FROM outbox_message WHERE channel = 'sms'") == 1

    @pytest.mark.parametrize("provider_id", ["", "x", "9" * 400, "'; DROP TABLE house; --"])
    def test_word_of_nothing_of_ours_changes_nothing(self, report, database, provider_id):
        assert report(provider_id).status_code == 503

        assert database.value("SELECT count(*) FROM outbox_message") == 0
