"""Late fees, discounts and top-ups of online payments: quoted when opened, fixed until booked."""

from datetime import timedelta

import pytest

from domain.errors import InvalidInput, NotFound
from domain.payment_states import PaymentChannel
from domain.periods import Span, local_date
from services.payments.money_in import MoneyIn
from services.payments.opening import BillAlreadyPaid, BillInPayment, BillsOfTwoCommunities
from services.payments.orders import TOPUP_CAP_FEN
from services.payments.settle import Verdict
from tests import factories


@pytest.fixture
def late_fees(database):
    return lambda: [
        tuple(row.values())
        for row in database.rows("SELECT paid_fen, waived_fen, frozen_fen FROM bill_late_fee")
    ]


@pytest.fixture
def suspense(database):
    return lambda: {
        row["reason"]: row["amount_fen"]
        for row in database.rows("SELECT reason, amount_fen FROM suspense")
    }


class TestLateFee:
    def test_is_part_of_the_order_and_is_booked_and_frozen(
        self, late, pay, settle, bills, late_fees, database
    ):
        payment = pay(late)
        assert (payment.amount_fen, payment.late_fee_fen) == (128961, 2961)

        assert settle(payment) is Verdict.BOOKED

        assert list(bills().values()) == [("paid", 126000)]
        assert late_fees() == [(2961, 0, 2961)]
        assert database.rows("SELECT kind, line_no, amount_fen FROM allocation ORDER BY id") == [
            {"kind": "principal", "line_no": 1, "amount_fen": 126000},
            {"kind": "late_fee", "line_no": None, "amount_fen": 2961},
        ]
        [trace] = database.rows("SELECT frozen_on, trace FROM bill_late_fee")
        assert [one["days"] for one in trace["trace"]["segments"]] == [47]
        assert [
            (line["kind"], line["amount_fen"])
            for line in database.value("SELECT snapshot FROM receipt")["lines"]
        ] == [("principal", 126000), ("late_fee", 2961)]

    def test_what_was_quoted_stays_when_the_notice_comes_days_later(
        self, late, pay, settle, clock, late_fees, database, services
    ):
        payment, paid_at = pay(late), clock.now()
        clock.advance(days=9)

        assert settle(payment, paid_at=paid_at) is Verdict.BOOKED

        assert late_fees() == [(2961, 0, 2961)]
        bill = services.own_bills.list_own(
            actor=late.actor, which="all", house_id=None, before_id=None, limit=5
        )[0]
        assert bill.outstanding_fen == 0

    def test_midnight_between_tap_and_money_costs_nothing(
        self, late, pay, settle, clock, late_fees
    ):
        payment = pay(late)
        clock.advance(days=1)

        assert settle(payment) is Verdict.BOOKED

        assert late_fees() == [(2961, 0, 2961)]

    def test_a_rule_that_was_raised_meanwhile_is_not_asked_for(
        self, late, pay, settle, database, late_fees
    ):
        payment = pay(late)
        database.do("UPDATE late_fee_rule SET daily_rate = 0.001")

        assert settle(payment) is Verdict.BOOKED

        assert late_fees() == [(2961, 0, 2961)]

    def test_settling_twice_is_settling_once(self, late, pay, settle, database, late_fees):
        payment = pay(late)
        settle(payment)
        before = database.rows("SELECT * FROM allocation ORDER BY id")

        assert settle(payment) is Verdict.ALREADY_BOOKED
        assert settle(payment, number=2) is Verdict.IN_SUSPENSE

        assert database.rows("SELECT * FROM allocation ORDER BY id") == before
        assert late_fees() == [(2961, 0, 2961)]

    def test_a_bill_that_was_paid_meanwhile_takes_nothing(
        self, late, pay, settle, services, suspense, database
    ):
        payment = pay(late)
        services.payments.cancel(actor=late.actor, payment_id=payment.id)
        again = pay(late, key="key-00000002")
        settle(again)

        assert settle(payment) is Verdict.IN_SUSPENSE

        assert suspense() == {"bill_already_paid": 126000, "late_fee_settled": 2961}
        assert database.value("SELECT count(*) FROM staff_task") == 1

    @pytest.mark.parametrize("state", ["voided", "written_off"])
    def test_a_bill_that_is_no_longer_owed_takes_nothing(
        self, late, pay, settle, database, suspense, put_bill, state
    ):
        payment = pay(late)
        put_bill(state)

        assert settle(payment) is Verdict.IN_SUSPENSE

        assert set(suspense()) == {f"bill_{state}"}
        assert database.value("SELECT sum(amount_fen) FROM suspense") == 128961
        assert database.value("SELECT balance_fen FROM prepaid_account") == 128961
        assert database.value("SELECT amount_fen FROM receipt") == 128961

    def test_a_late_fee_that_was_waived_meanwhile_is_kept(
        self, late, pay, settle, database, suspense, bills, late_fees, decided
    ):
        payment = pay(late)
        decided("late_fee_waiver", 961)
        database.do("INSERT INTO bill_late_fee (bill_id, waived_fen) SELECT id, 961 FROM bill")

        assert settle(payment) is Verdict.IN_SUSPENSE

        assert suspense() == {"late_fee_settled": 961}
        assert late_fees() == [(2000, 961, 2961)]
        assert list(bills().values()) == [("paid", 126000)]

    def test_a_frozen_rest_can_be_paid_online(
        self, late, pay, settle, database, late_fees, services, bills
    ):
        with database.session() as session:
            cashier = factories.staff(session, role="cashier")
        services.counter.take(
            actor=cashier,
            community_id=late.community_id,
            house_id=late.house_id,
            money=MoneyIn(PaymentChannel.CASH, 126000, "王五"),
            client_key="key-00000001",
        )
        payment = pay(late)

        assert payment.amount_fen == 2961
        assert settle(payment) is Verdict.BOOKED
        assert late_fees() == [(2961, 0, 2961)]
        assert list(bills().values()) == [("paid", 126000)]
        with pytest.raises(BillAlreadyPaid):
            pay(late, key="key-00000009")

    def test_the_owner_sees_it_before_paying(self, late, services):
        [bill] = services.own_bills.list_own(
            actor=late.actor, which="unpaid", house_id=None, before_id=None, limit=5
        )
        detail = services.own_bills.show(actor=late.actor, bill_id=late.bill_ids[0])
        total = services.own_bills.sum_outstanding(actor=late.actor)

        assert (bill.late_fee_fen, bill.outstanding_fen, bill.is_overdue) == (2961, 128961, True)
        assert (total.amount_fen, total.late_fee_fen) == (128961, 2961)
        assert detail.late_fee.next_day_open_fen == 3024
        assert "47 天" in detail.late_fee.explanation


class TestEarlyPayment:
    def test_goes_off_the_order_and_off_the_bill(self, early, pay, settle, database, services):
        payment = pay(early)
        assert (payment.amount_fen, payment.discount_fen) == (9500, 500)

        assert settle(payment) is Verdict.BOOKED

        assert database.rows("SELECT state, amount_fen, paid_fen FROM bill") == [
            {"state": "paid", "amount_fen": 9500, "paid_fen": 9500}
        ]
        detail = services.own_bills.show(actor=early.actor, bill_id=early.bill_ids[0])
        assert detail.lines[-1].amount_fen == -500
        assert detail.lines[-1].explanation == (
            "优惠“提前缴费”：36500 天内缴费 9.5 折：100.00 元 × 5%，-5.00 元"
        )

    def test_stays_as_quoted_when_the_rule_ends_meanwhile(self, early, pay, settle, database):
        payment = pay(early)
        database.do("UPDATE discount_rule SET is_active = false, percent = 1")

        assert settle(payment) is Verdict.BOOKED

        assert database.value("SELECT amount_fen FROM bill") == 9500

    def test_settling_twice_takes_it_off_once(self, early, pay, settle, database):
        payment = pay(early)
        settle(payment)
        settle(payment)
        settle(payment, number=2)

        assert database.value("SELECT count(*) FROM bill_line WHERE kind = 'discount'") == 1

    def test_an_abandoned_order_takes_nothing_off(self, early, pay, services, database):
        payment = pay(early)
        services.payments.cancel(actor=early.actor, payment_id=payment.id)

        assert database.value("SELECT amount_fen FROM bill") == 10000

    def test_what_was_waived_meanwhile_is_not_taken_off_twice(
        self, early, pay, settle, database, suspense, decided
    ):
        payment = pay(early)
        database.do(
            "INSERT INTO bill_line (bill_id, line_no, kind, amount_fen, trace)"
            " SELECT id, 2, 'waiver', -800, json_build_object('method', 'waiver',"
            " 'taken_on', '2026-11-01', 'request_id', CAST(:request AS bigint)) FROM bill",
            request=decided("waiver", 800),
        )
        database.do("UPDATE bill SET amount_fen = 9200")

        assert settle(payment) is Verdict.IN_SUSPENSE

        assert suspense() == {"bill_already_paid": 300}
        assert database.value("SELECT amount_fen FROM bill") == 9200

    def test_paying_too_late_gets_nothing_off(self, early, pay, database):
        database.do("UPDATE discount_rule SET early_days = 1")
        database.do("UPDATE bill SET issue_date = '2020-01-01'")

        assert pay(early).amount_fen == 10000

    def test_a_rule_for_chosen_houses_is_for_them_only(self, early, pay, services, database):
        database.do("UPDATE discount_rule SET is_for_all_houses = false")
        assert pay(early).amount_fen == 10000
        services.payments.cancel(actor=early.actor, payment_id=1)
        database.do("INSERT INTO discount_house SELECT 1, :id", id=early.house_id)

        assert pay(early, key="key-00000002").amount_fen == 9500

    def test_is_never_given_twice(self, early, pay, database):
        database.do(
            "INSERT INTO bill_line (bill_id, line_no, kind, amount_fen, trace)"
            " SELECT id, 2, 'discount', -500,"
            ' \'{"kind": "early_payment", "taken_on": "2026-11-01"}\''
            " FROM bill"
        )
        database.do("UPDATE bill SET amount_fen = 9500")

        assert pay(early).amount_fen == 9500

    def test_a_rule_that_takes_everything_is_not_offered(self, early, pay, database):
        database.do("UPDATE discount_rule SET percent = 100")

        assert pay(early).amount_fen == 10000


class TestTopUp:
    def test_alone_goes_to_the_houses_account(self, payer, pay, settle, services, database):
        payment = pay(payer, bill_ids=[], topup_fen=50000, topup_house_id=payer.house_id)
        assert (payment.amount_fen, payment.topup_fen) == (50000, 50000)
        assert payment.bill_ids == ()

        assert settle(payment) is Verdict.BOOKED

        [account] = services.prepaid.list_own(actor=payer.actor)
        assert (account.balance_fen, account.item) == (50000, "通用")
        assert [(one.kind, one.amount_fen) for one in account.entries] == [("topup", 50000)]
        assert database.value("SELECT amount_fen FROM receipt") == 50000

    def test_with_bills_is_one_payment(self, payer, pay, settle, bills, database):
        payment = pay(payer, topup_fen=800, topup_house_id=payer.house_id)
        assert payment.amount_fen == 23002

        assert settle(payment) is Verdict.BOOKED

        assert {state for state, _ in bills().values()} == {"paid"}
        assert database.value("SELECT balance_fen FROM prepaid_account") == 800

    def test_a_second_payment_of_it_is_kept_and_placed_by_the_policy(
        self, payer, pay, settle, database, suspense
    ):
        payment = pay(payer, bill_ids=[], topup_fen=50000, topup_house_id=payer.house_id)
        settle(payment)

        assert settle(payment) is Verdict.ALREADY_BOOKED
        assert settle(payment, number=2) is Verdict.IN_SUSPENSE

        assert database.value("SELECT balance_fen FROM prepaid_account") == 100000
        assert suspense() == {"order_already_paid": 50000}
        assert database.value("SELECT sum(amount_fen) FROM suspense_resolution") == 50000

    def test_another_amount_than_was_asked_for_is_kept(
        self, payer, pay, settle, database, suspense
    ):
        payment = pay(payer, bill_ids=[], topup_fen=50000, topup_house_id=payer.house_id)

        assert settle(payment, amount_fen=50001) is Verdict.IN_SUSPENSE

        assert suspense() == {"other_amount": 50001}
        assert database.value("SELECT count(*) FROM prepaid_account") == 0

    def test_the_same_key_is_the_same_top_up(self, payer, pay, database):
        first = pay(payer, bill_ids=[], topup_fen=500, topup_house_id=payer.house_id)

        again = pay(payer, bill_ids=[], topup_fen=500, topup_house_id=payer.house_id)

        assert again == first
        assert database.value("SELECT count(*) FROM payment_order") == 1

    def test_other_money_on_top_is_another_payment(self, payer, pay):
        pay(payer)

        with pytest.raises(BillInPayment):
            pay(payer, key="key-00000002", topup_fen=1, topup_house_id=payer.house_id)

    @pytest.mark.parametrize(
        ("topup", "field"),
        [
            ({"topup_fen": 0, "topup_house_id": 1}, "topup_fen"),
            ({"topup_fen": -5, "topup_house_id": 1}, "topup_fen"),
            ({"topup_fen": TOPUP_CAP_FEN + 1, "topup_house_id": 1}, "topup_fen"),
            ({"topup_fen": 5}, "topup_house_id"),
            ({}, "bill_ids"),
        ],
    )
    def test_what_cannot_be_paid_ahead_is_named(self, payer, pay, topup, field):
        with pytest.raises(InvalidInput) as refused:
            pay(payer, bill_ids=[], **topup)

        assert set(refused.value.fields) == {field}

    def test_only_for_ones_own_house(self, payer, pay, database):
        with database.session() as session:
            other = factories.make_house(session).id

        with pytest.raises(NotFound):
            pay(payer, bill_ids=[], topup_fen=5, topup_house_id=other)

    def test_not_for_a_community_that_was_switched_off(self, payer, pay, database):
        database.do("UPDATE community SET is_active = false")

        with pytest.raises(NotFound):
            pay(payer, bill_ids=[], topup_fen=5, topup_house_id=payer.house_id)

    def test_one_payment_goes_to_one_community(self, payer, pay, database):
        with database.session() as session:
            house = factories.make_house(session)
            account = session.get_one(factories.Account, payer.account_id)
            session.add(
                factories.HouseBinding(
                    account_id=account.id,
                    house_id=house.id,
                    owner_id=1,
                    role="owner",
                    status="active",
                    created_at=factories.MADE_AT,
                )
            )

        with pytest.raises(BillsOfTwoCommunities):
            pay(payer, topup_fen=5, topup_house_id=house.id)


def test_pauses_count_when_the_order_is_opened(late, pay, services, clock, database):
    today = local_date(clock.now())
    with database.session() as session:
        manager = factories.staff(session)
    services.late_fees.pause(
        actor=manager,
        community_id=late.community_id,
        span=Span(today - timedelta(days=100), today + timedelta(days=1)),
        reason="协商",
    )

    assert pay(late).amount_fen == 126000
