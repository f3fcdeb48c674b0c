from dataclasses import replace

import pytest

from domain.errors import NotAllowed
from services.pay_ports import TradeState
from services.payments.settle import Verdict
from tests import factories
from tests.services.payments.conftest import SYSTEM


@pytest.fixture
def settle(services):
    return lambda trade: services.settlement.settle(actor=SYSTEM, trade=trade)


class TestSettle:
    def test_books_the_money_once_and_for_all(self, start, trade_for, settle, bills, database):
        payment = start()

        assert settle(trade_for(payment)) is Verdict.BOOKED

        assert set(bills().values()) == {("paid", 21002), ("paid", 1200)}
        assert database.value("SELECT state FROM payment_order") == "succeeded"
        assert database.value("SELECT count(*) FROM bill_lock") == 0
        assert database.value("SELECT sum(amount_fen) FROM allocation") == 22202

    @pytest.mark.parametrize("copies", [2, 5])
    def test_more_copies_change_nothing(self, start, trade_for, settle, database, copies):
        trade = trade_for(start())
        settle(trade)
        before = database.rows("SELECT * FROM allocation ORDER BY id")

        assert {settle(trade) for _ in range(copies)} == {Verdict.ALREADY_BOOKED}

        assert database.rows("SELECT * FROM allocation ORDER BY id") == before
        assert database.value("SELECT count(*) FROM receipt") == 1
        assert database.value("SELECT count(*) FROM audit_entry WHERE action='payment_booked'") == 1

    def test_a_copy_with_another_time_still_keeps_the_first(
        self, start, trade_for, settle, clock, database
    ):
        trade = trade_for(start())
        settle(trade)
        first = database.value("SELECT paid_at FROM payment")
        clock.advance(minutes=5)

        settle(replace(trade, paid_at=clock.now()))

        assert database.value("SELECT paid_at FROM payment") == first

    def test_money_of_an_unknown_order_is_kept(self, start, trade_for, settle, database):
        trade = trade_for(start(), out_trade_no="P0000000000000XXXXXXXXXXXX")

        assert settle(trade) is Verdict.IN_SUSPENSE

        assert database.rows("SELECT amount_fen, reason FROM suspense") == [
            {"amount_fen": 22202, "reason": "unknown_order"}
        ]
        assert database.value("SELECT count(*) FROM staff_task WHERE done_at IS NULL") == 1

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"amount_fen": 1}, "other_amount"),
            ({"amount_fen": 99999}, "other_amount"),
            ({"mchid": "1999999999"}, "other_merchant"),
            ({"appid": "wxforeign"}, "other_app"),
            ({"currency": "USD"}, "other_currency"),
        ],
    )
    def test_a_trade_that_is_not_what_we_asked_for_pays_no_bill(
        self, start, trade_for, settle, bills, database, changes, reason
    ):
        trade = trade_for(start(), **changes)

        assert settle(trade) is Verdict.IN_SUSPENSE

        assert {paid for _, paid in bills().values()} == {0}
        assert database.rows("SELECT amount_fen, reason FROM suspense") == [
            {"amount_fen": trade.amount_fen, "reason": reason}
        ]
        assert database.value("SELECT count(*) FROM bill_lock") == 0
        assert database.value("SELECT count(*) FROM receipt") == 0

    def test_a_second_payment_of_a_paid_bill_is_kept_whole(
        self, start, trade_for, settle, bills, database
    ):
        trade = trade_for(start())
        settle(trade)

        assert settle(replace(trade, transaction_id="4200002")) is Verdict.IN_SUSPENSE

        assert {paid for _, paid in bills().values()} == {21002, 1200}
        assert database.value("SELECT sum(amount_fen) FROM suspense") == 22202
        assert database.value("SELECT balance_fen FROM prepaid_account") == 22202
        assert database.rows("SELECT amount_fen FROM receipt ORDER BY id") == [
            {"amount_fen": 22202},
            {"amount_fen": 22202},
        ]

    def test_a_bill_voided_meanwhile_takes_nothing_the_others_do(
        self, start, trade_for, settle, payer, bills, database, put_bill
    ):
        payment = start()
        put_bill("voided", payer.bill_ids[0])

        assert settle(trade_for(payment)) is Verdict.IN_SUSPENSE

        assert bills()[payer.bill_ids[1]] == ("paid", 1200)
        assert database.rows("SELECT amount_fen, reason FROM suspense") == [
            {"amount_fen": 21002, "reason": "bill_voided"}
        ]
        assert database.value("SELECT balance_fen FROM prepaid_account") == 21002
        [receipt] = database.rows("SELECT amount_fen, snapshot FROM receipt")
        assert [line["amount_fen"] for line in receipt["snapshot"]["lines"]] == [1200, 21002]

    def test_money_after_a_close_counts_and_the_order_stays_closed(
        self, services, start, trade_for, settle, payer, bills, database
    ):
        payment = start()
        services.payments.cancel(actor=payer.actor, payment_id=payment.id)
        assert database.value("SELECT state FROM payment_order") == "closed"

        assert settle(trade_for(payment)) is Verdict.BOOKED

        assert database.value("SELECT state FROM payment_order") == "closed"
        assert {state for state, _ in bills().values()} == {"paid"}

    def test_lines_are_paid_in_their_order(self, database, services, make_payer, clock, trade_for):
        payer = make_payer(phone="19900000077")
        with database.session() as session:
            house = session.get_one(factories.House, payer.house_id)
            bill_id = factories.make_bill(session, house=house, lines=(10501, 11171)).id
        payment = services.payments.start(
            actor=payer.actor, bill_ids=[bill_id], idempotency_key="key-lines"
        ).payment

        services.settlement.settle(actor=SYSTEM, trade=trade_for(payment))

        assert database.rows(
            "SELECT line_no, amount_fen FROM allocation WHERE bill_id = :id ORDER BY line_no",
            id=bill_id,
        ) == [{"line_no": 1, "amount_fen": 10501}, {"line_no": 2, "amount_fen": 11171}]

    @pytest.mark.parametrize(
        "changes",
        [
            {"state": TradeState.NOTPAY},
            {"transaction_id": ""},
            {"amount_fen": None},
            {"amount_fen": 0},
            {"paid_at": None},
        ],
    )
    def test_what_is_no_success_is_a_mistake_of_ours(self, start, trade_for, settle, changes):
        trade = trade_for(start(), **changes)

        with pytest.raises(ValueError, match="successful trade"):
            settle(trade)

    def test_only_our_machinery_books(self, services, start, trade_for, payer):
        trade = trade_for(start())

        with pytest.raises(NotAllowed):
            services.settlement.settle(actor=payer.actor, trade=trade)

    def test_a_failure_half_way_books_nothing(self, start, trade_for, settle, bills, database):
        trade = trade_for(start())
        database.do("ALTER TABLE receipt ADD CONSTRAINT no_room CHECK (false) NOT VALID")
        try:
            with pytest.raises(Exception, match="no_room"):
                settle(trade)
        finally:
            database.do("ALTER TABLE receipt DROP CONSTRAINT no_room")
        assert {paid for _, paid in bills().values()} == {0}
        assert database.value("SELECT count(*) FROM payment") == 0

        assert settle(trade) is Verdict.BOOKED
        assert database.value("SELECT receipt_no FROM receipt").endswith("0000001")


class TestReceipt:
    def test_says_everything_that_was_paid(self, services, start, trade_for, settle, payer):
        settle(trade_for(start()))
        number = services.payments.list_own(actor=payer.actor, before_id=None, limit=5)[
            0
        ].receipt_no

        receipt = services.receipts.show(actor=payer.actor, receipt_no=number)

        assert receipt.amount_fen == 22202
        assert [line["amount_fen"] for line in receipt.snapshot["lines"]] == [21002, 1200]
        assert receipt.snapshot["channel"] == "微信支付"
        assert receipt.snapshot["payer_phone"] == "199****0001"

    def test_the_payer_is_told_by_sms_when_they_do_not_follow(
        self, start, trade_for, settle, database
    ):
        settle(trade_for(start()))

        [message] = database.rows("SELECT * FROM outbox_message WHERE kind = 'payment_received'")
        assert (message["channel"], message["recipient"]) == ("sms", "19900000001")
        assert message["payload"]["amount"] == "222.02"

    def test_the_payer_is_told_in_the_chat_when_they_follow(
        self, services, start, trade_for, settle, payer, database
    ):
        with database.session() as session:
            account = session.get_one(factories.Account, payer.account_id)
            factories.make_identity(
                session,
                account=account,
                appid=services.accounts.official_account.appid,
                openid="o-follower",
                is_following=True,
            )

        settle(trade_for(start()))

        [message] = database.rows("SELECT * FROM outbox_message WHERE kind = 'payment_received'")
        assert (message["channel"], message["recipient"]) == ("official_template", "o-follower")
        assert message["fallback_phone"] == "19900000001"
