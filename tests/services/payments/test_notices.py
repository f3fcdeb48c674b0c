import pytest

from services.inbox import BODY_LIMIT, Posted
from services.pay_ports import NoticeRefused
from services.payments.settle import Verdict


@pytest.fixture
def craft(simulator, start):
    """Make a notice of the payer's order by hand, with faults, and take it."""

    def craft(*faults, **options):
        made = simulator.post(
            "craft/pay_callback",
            out_trade_no=options.pop("out_trade_no", None) or start().out_trade_no,
            faults=list(faults),
            **options,
        )
        body = made["body"].encode()
        return Posted(made["headers"], body, len(body), "127.0.0.1")

    return craft


@pytest.fixture
def take(services):
    return lambda posted: services.notices.take_wechat(posted=posted, request_id="request-1")


@pytest.fixture
def money(database):
    """Everything that a notice could change."""
    tables = ("payment", "allocation", "suspense", "receipt", "payment_order", "bill", "bill_lock")
    return lambda: {
        table: database.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables
    }


@pytest.fixture
def verdicts(database):
    return lambda: [
        row["verdict"] for row in database.rows("SELECT verdict FROM platform_notice ORDER BY id")
    ]


class TestTake:
    def test_books_what_the_platform_signed(self, craft, take, verdicts, bills):
        assert take(craft()) is Verdict.BOOKED

        assert verdicts() == ["booked"]
        assert {state for state, _ in bills().values()} == {"paid"}

    def test_keeps_every_copy_and_books_one(self, craft, take, verdicts):
        posted = craft()

        assert [take(posted) for _ in range(3)] == [
            Verdict.BOOKED,
            Verdict.ALREADY_BOOKED,
            Verdict.ALREADY_BOOKED,
        ]
        assert verdicts() == ["booked", "already_booked", "already_booked"]

    @pytest.mark.parametrize(
        "fault",
        [
            "wrong_key",
            "tampered_body",
            "missing_headers",
            "unknown_serial",
            "foreign_pub_key_id",
            "signtest",
            "stale:301",
            "stale:-301",
            "wrong_aes_key",
            "no_signature_type",
            "other_algorithm",
            "not_json",
            "not_base64",
        ],
    )
    def test_what_the_platform_did_not_sign_changes_nothing(
        self, craft, take, money, verdicts, fault
    ):
        posted = craft(fault)
        before = money()

        with pytest.raises(NoticeRefused) as refused:
            take(posted)

        assert money() == before
        assert verdicts() == [refused.value.reason]

    @pytest.mark.parametrize(
        ("overrides", "verdict"),
        [
            ({"amount_fen": 1}, "other_amount"),
            ({"amount_fen": 22203}, "other_amount"),
            ({"mchid": "1999999999"}, "other_merchant"),
            ({"appid": "wxforeign000000001"}, "other_app"),
            ({"currency": "USD"}, "other_currency"),
            ({"trade_state": "NOTPAY"}, "trade_state"),
            ({"trade_state": "REFUND"}, "trade_state"),
            ({"openid": "o-somebody-else"}, "other_payer"),
        ],
    )
    def test_what_contradicts_our_order_changes_no_money(
        self, craft, take, money, verdicts, overrides, verdict
    ):
        posted = craft(overrides=overrides)
        before = money()

        with pytest.raises(NoticeRefused):
            take(posted)

        assert money() == before
        assert verdicts() == [verdict]

    def test_another_amount_calls_a_person(self, craft, take, database):
        with pytest.raises(NoticeRefused):
            take(craft(overrides={"amount_fen": 1}))

        assert database.value("SELECT kind FROM staff_task") == "notice_of_other_amount"

    def test_money_for_an_order_that_we_do_not_know_is_kept(self, craft, take, database):
        posted = craft(overrides={"out_trade_no": "P20261124000000AAAAAAAAAAAA"})

        assert take(posted) is Verdict.IN_SUSPENSE

        assert database.value("SELECT sum(amount_fen) FROM suspense") == 22202

    @pytest.mark.parametrize("body", [b"", b"{}", b"\xff\xfe", b"[1]", b"null", b"x" * 1000])
    def test_garbage_is_on_record(self, take, money, verdicts, body, payer):
        before = money()

        with pytest.raises(NoticeRefused):
            take(Posted({}, body, len(body), "127.0.0.1"))

        assert money() == before
        assert len(verdicts()) == 1

    def test_what_is_too_large_is_on_record_unread(self, take, database):
        with pytest.raises(NoticeRefused, match="too_large"):
            take(Posted({}, b"x" * 4096, BODY_LIMIT + 1, "127.0.0.1"))

        [kept] = database.rows(
            "SELECT verdict, body_size, length(body) AS kept FROM platform_notice"
        )
        assert kept == {"verdict": "too_large", "body_size": BODY_LIMIT + 1, "kept": 4096}

    def test_the_evidence_outlives_a_failure_of_the_booking(self, craft, take, database, verdicts):
        posted = craft()
        database.do("ALTER TABLE receipt ADD CONSTRAINT no_room CHECK (false) NOT VALID")
        try:
            with pytest.raises(Exception, match="no_room"):
                take(posted)
        finally:
            database.do("ALTER TABLE receipt DROP CONSTRAINT no_room")

        assert verdicts() == ["received"]
        assert database.value("SELECT out_trade_no FROM platform_notice") is not None
        assert take(posted) is Verdict.BOOKED
