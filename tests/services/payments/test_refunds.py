"""A refund from the request to the money back at the payer's, at the channel's own speed."""

from datetime import timedelta

import pytest

from domain.actors import Role
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.payment_states import PaymentChannel, PayWay
from domain.refund_states import SurplusPolicy
from services.approvals.decisions import RequesterIsApprover
from services.approvals.requests import Payout, RequestPending
from services.pay_ports import ChannelRefund, RefundWord
from services.payments.community_rules import PaymentRules
from services.payments.money_in import MoneyIn
from services.payments.order_rows import HowToPay
from services.payments.refund_rows import MoreThanRefundable, NotRefundable
from tests import factories
from tests.factories import actor_without
from tests.services.payments.conftest import SYSTEM


@pytest.fixture
def paid(start, simulator, services, database):
    """A payment of 210.02 and 12.00 that WeChat took; gives its id."""

    def paid(**how):
        payment = start(**how)
        simulator.post(f"pay/{payment.out_trade_no}", callbacks="lost")
        services.sweep.ask(order_id=payment.id)
        return database.value("SELECT max(id) FROM payment")

    return paid


@pytest.fixture
def ask(services, payer, people):
    def ask(payment_id, amount_fen, *, actor=None, **more):
        return services.payment_refund_requests.ask(
            actor=actor or people["asker"],
            community_id=payer.community_id,
            payment_id=payment_id,
            amount_fen=amount_fen,
            reason="业主申请退款",
            **more,
        )

    return ask


@pytest.fixture
def approved(services, ask, people):
    """Ask for a refund and let another approve it."""

    def approved(payment_id, amount_fen, **more):
        asked = ask(payment_id, amount_fen, **more)
        services.money_decisions.approve(actor=people["manager"], request_id=asked.request_id)

    return approved


@pytest.fixture
def send(services, simulator):
    simulator.post("refund_mode", mode="auto", delay_s=0)
    return lambda: services.refunds.send_due(actor=SYSTEM)


@pytest.fixture
def by_hand(simulator, send):
    """The channel's refunds end when they are told to."""
    simulator.post("refund_mode", mode="manual")

    def decide(state):
        [refund] = [one for one in simulator.get("refunds") if one["state"] != state]
        simulator.post(f"refund/{refund['out_refund_no']}", state=state, callbacks="lost")

    return decide


@pytest.fixture
def refunds(database):
    return lambda: [
        (row["state"], row["amount_fen"])
        for row in database.rows("SELECT state, amount_fen FROM refund ORDER BY id")
    ]


@pytest.fixture
def marks(database):
    return lambda: [
        (row["kind"], row["amount_fen"])
        for row in database.rows("SELECT kind, amount_fen FROM receipt_mark ORDER BY id")
    ]


@pytest.fixture
def tasks(database):
    return lambda: {row["kind"] for row in database.rows("SELECT kind FROM staff_task")}


class TestWhole:
    def test_goes_back_and_the_bills_are_owed_again(
        self, paid, approved, send, clock, bills, refunds, marks, database, simulator
    ):
        approved(paid(), 22202)
        assert refunds() == [("processing", 22202)]
        assert {state for state, _ in bills().values()} == {"paid"}

        assert send() == 1
        clock.advance(minutes=2)
        send()

        assert refunds() == [("succeeded", 22202)]
        assert set(bills().values()) == {("published", 0)}
        assert marks() == [("void", 22202)]
        assert database.value("SELECT sum(amount_fen) FROM allocation") == 0
        [there] = simulator.get("refunds")
        assert there["state"] == "SUCCESS"

    def test_bills_can_be_paid_again_afterwards(self, paid, approved, send, clock, bills, start):
        approved(paid(), 22202)
        send()
        clock.advance(minutes=2)
        send()

        paid(key="key-00000002")

        assert set(bills().values()) == {("paid", 21002), ("paid", 1200)}

    def test_the_owner_reads_how_far_it_is(self, paid, approved, send, clock, services, payer):
        approved(paid(), 22202)
        [before] = services.payments.list_own(actor=payer.actor, before_id=None, limit=9)
        send()
        clock.advance(minutes=2)
        send()
        [after] = services.payments.list_own(actor=payer.actor, before_id=None, limit=9)

        assert before.progress == "¥222.02 正在退款，原路退回"
        assert after.progress == "已全额退款 ¥222.02"
        assert (before.refunded_fen, after.refunded_fen) == (0, 22202)


class TestPart:
    def test_of_one_bill_leaves_the_other_paid(
        self, paid, approved, send, clock, bills, marks, payer
    ):
        approved(paid(), 1000, bill_id=payer.bill_ids[0])
        send()
        clock.advance(minutes=2)
        send()

        assert bills()[payer.bill_ids[0]] == ("partially_paid", 20002)
        assert bills()[payer.bill_ids[1]] == ("paid", 1200)
        assert marks() == [("refunded", 1000)]

    def test_parts_add_up_to_the_whole_and_not_a_fen_more(
        self, paid, approved, ask, send, clock, bills, marks, refunds, simulator
    ):
        payment_id = paid()
        for fen in (1, 22200, 1):
            approved(payment_id, fen)
            send()
            clock.advance(minutes=2)
            send()
            # The platform takes one refund of an order a minute.
            simulator.post("clock", advance=61)

        with pytest.raises(MoreThanRefundable):
            ask(payment_id, 1)
        assert [fen for _, fen in refunds()] == [1, 22200, 1]
        assert [kind for kind, _ in marks()] == ["refunded", "refunded", "void"]
        assert set(bills().values()) == {("published", 0)}

    def test_the_second_within_a_minute_waits_and_goes_too(
        self, paid, approved, send, clock, refunds, simulator
    ):
        payment_id = paid()
        for fen in (100, 200):
            approved(payment_id, fen)
            send()
        assert refunds() == [("processing", 100), ("processing", 200)]

        simulator.post("clock", advance=61)
        for _ in range(3):
            clock.advance(minutes=2)
            send()

        assert refunds() == [("succeeded", 100), ("succeeded", 200)]

    def test_what_is_on_its_way_cannot_be_asked_for_again(self, paid, approved, ask, by_hand, send):
        payment_id = paid()
        approved(payment_id, 22000)
        send()

        with pytest.raises(MoreThanRefundable, match=r"¥2\.02"):
            ask(payment_id, 203)
        assert ask(payment_id, 202).request_id

    def test_two_requests_at_once_are_one(self, paid, ask):
        payment_id = paid()
        ask(payment_id, 100)

        with pytest.raises(RequestPending):
            ask(payment_id, 100)

    def test_less_is_left_when_it_is_decided(self, paid, ask, services, people, database):
        """Between the question and the answer the money went elsewhere: nothing is guessed."""
        payment_id = paid()
        asked = ask(payment_id, 22202)
        database.do(
            "UPDATE approval_request SET state = 'rejected', decided_at = requested_at,"
            " decided_by_staff_id = :by, decision_note = 'x' WHERE id = :id",
            by=people["manager"].id,
            id=asked.request_id,
        )
        small = ask(payment_id, 300)
        services.money_decisions.approve(actor=people["manager"], request_id=small.request_id)
        database.do(
            "UPDATE approval_request SET state = 'requested', decided_at = NULL,"
            " decided_by_staff_id = NULL, decision_note = '' WHERE id = :id",
            id=asked.request_id,
        )

        with pytest.raises(MoreThanRefundable):
            services.money_decisions.approve(actor=people["manager"], request_id=asked.request_id)


class TestChannel:
    def test_one_number_through_every_silence(
        self, paid, approved, send, clock, simulator, refunds, database
    ):
        """Two calls are lost after the platform took them: the third still is the same refund."""
        approved(paid(), 22202)
        simulator.fault(host="pay", path="/refund", times=3, lost_answer=True)
        for _ in range(5):
            send()
            clock.advance(minutes=2)

        assert refunds() == [("succeeded", 22202)]
        assert len(simulator.get("refunds")) == 1
        asked = {
            row["outcome"]
            for row in database.rows("SELECT outcome FROM channel_call WHERE refund_id IS NOT NULL")
        }
        assert "unavailable" in asked

    def test_processing_waits_and_is_asked_about(
        self, paid, approved, send, clock, by_hand, refunds, simulator
    ):
        approved(paid(), 22202)
        send()
        assert send() == 0
        clock.advance(minutes=2)
        assert send() == 1
        assert refunds() == [("processing", 22202)]

        by_hand("SUCCESS")
        clock.advance(minutes=2)
        send()

        assert refunds() == [("succeeded", 22202)]
        sent = [one for one in simulator.journal("/refund/domestic") if one["method"] == "POST"]
        assert len(sent) == 1  # what the channel knows is only asked about

    def test_abnormal_calls_a_person_and_still_ends(
        self, paid, approved, send, clock, by_hand, refunds, tasks, bills
    ):
        approved(paid(), 22202)
        send()
        by_hand("ABNORMAL")
        clock.advance(minutes=2)
        send()
        assert refunds() == [("abnormal", 22202)]
        assert "refund_abnormal" in tasks()
        assert {state for state, _ in bills().values()} == {"paid"}

        by_hand("SUCCESS")
        clock.advance(hours=2)
        send()

        assert refunds() == [("succeeded", 22202)]

    def test_closed_changes_nothing_and_can_be_asked_for_anew(
        self, paid, approved, send, clock, by_hand, refunds, tasks, bills, marks
    ):
        payment_id = paid()
        approved(payment_id, 22202)
        send()
        by_hand("CLOSED")
        clock.advance(minutes=2)
        send()

        assert refunds() == [("failed", 22202)]
        assert "refund_failed" in tasks()
        assert set(bills().values()) == {("paid", 21002), ("paid", 1200)}
        assert marks() == []
        approved(payment_id, 22202)
        assert refunds()[1] == ("processing", 22202)

    def test_too_little_in_the_account_waits_for_more(
        self, paid, approved, send, clock, simulator, refunds, tasks, services, database
    ):
        approved(paid(), 22202)
        simulator.post("balance", fen=100)
        send()
        assert refunds() == [("processing", 22202)]
        assert tasks() == {"refund_not_enough"}

        simulator.post("balance", fen=None)
        clock.advance(hours=2)
        send()
        clock.advance(hours=2)
        send()

        assert refunds() == [("succeeded", 22202)]

    def test_a_refund_that_nobody_here_knows_is_put_before_a_person(
        self, paid, services, tasks, refunds, clock, database
    ):
        paid()
        [row] = database.rows("SELECT mchid, out_trade_no FROM payment")
        word = ChannelRefund(
            channel="wechat", refund_no="R-UNKNOWN", word=RefundWord.SUCCESS, amount_fen=1, **row
        )

        assert services.refunds.take_word(word, request_id="") == "unknown_refund"

        assert tasks() == {"refund_unknown"}
        assert refunds() == []

    def test_another_amount_changes_nothing(
        self, paid, approved, services, tasks, refunds, database
    ):
        approved(paid(), 22202)
        [row] = database.rows(
            "SELECT mchid, out_trade_no, refund_no FROM payment JOIN refund"
            " ON payment_id = payment.id"
        )
        word = ChannelRefund(channel="wechat", word=RefundWord.SUCCESS, amount_fen=1, **row)

        assert services.refunds.take_word(word, request_id="") == "other_amount"

        assert refunds() == [("processing", 22202)]
        assert tasks() == {"refund_of_other_amount"}


class TestWho:
    def test_whoever_decides_sees_which_payment_it_is(self, paid, ask, services, people, payer):
        ask(paid(), 100)

        [one] = services.money_decisions.list_requests(
            actor=people["manager"], community_id=payer.community_id
        )

        assert (one.receipt_no, one.bill_no, one.amount_fen) == ("CH1-2026-0000001", None, 100)

    def test_whoever_asks_does_not_decide(self, paid, ask, services, people):
        asked = ask(paid(), 100, actor=people["manager"])

        with pytest.raises(RequesterIsApprover):
            services.money_decisions.approve(actor=people["manager"], request_id=asked.request_id)

    def test_a_small_one_may_be_decided_alone_where_the_community_says_so(
        self, paid, ask, services, people, payer, refunds
    ):
        payment_id = paid()
        services.payment_rules.change(
            actor=people["manager"],
            community_id=payer.community_id,
            rules=PaymentRules(SurplusPolicy.PREPAID, 5000),
        )

        assert ask(payment_id, 5000, actor=people["manager"]).is_decided
        assert refunds() == [("processing", 5000)]

    def test_what_was_refunded_alone_today_counts_together(
        self, paid, ask, services, people, payer, refunds, clock
    ):
        payment_id = paid()
        services.payment_rules.change(
            actor=people["manager"],
            community_id=payer.community_id,
            rules=PaymentRules(SurplusPolicy.PREPAID, 5000),
        )
        ask(payment_id, 3000, actor=people["manager"])

        assert not ask(payment_id, 2001, actor=people["manager"]).is_decided
        assert refunds() == [("processing", 3000)]

    def test_whoever_may_not_decide_is_never_alone(
        self, paid, ask, services, people, payer, refunds
    ):
        payment_id = paid()
        services.payment_rules.change(
            actor=people["manager"],
            community_id=payer.community_id,
            rules=PaymentRules(SurplusPolicy.PREPAID, 5000),
        )

        assert not ask(payment_id, 1).is_decided
        assert refunds() == []

    def test_not_without_the_permission(self, paid, ask):
        with pytest.raises(NotAllowed):
            ask(paid(), 1, actor=actor_without("request_money_out"))

    def test_not_of_another_community(self, paid, services, people, payer):
        with pytest.raises(NotFound):
            services.payment_refund_requests.ask(
                actor=people["asker"],
                community_id=payer.community_id + 1,
                payment_id=paid(),
                amount_fen=1,
                reason="x",
            )

    @pytest.mark.parametrize(
        ("amount_fen", "reason"), [(0, "x"), (-1, "x"), (1, " "), (1, "x" * 201)]
    )
    def test_needs_an_amount_and_a_reason(self, paid, services, people, payer, amount_fen, reason):
        with pytest.raises(InvalidInput):
            services.payment_refund_requests.ask(
                actor=people["asker"],
                community_id=payer.community_id,
                payment_id=paid(),
                amount_fen=amount_fen,
                reason=reason,
            )

    def test_online_money_goes_back_by_its_way_only(self, paid, ask):
        with pytest.raises(InvalidInput, match="有误") as refused:
            ask(paid(), 1, payout=Payout("cash", "陈建", "19900000001"))

        assert refused.value.fields == {"channel": ["线上收款只能原路退回"]}


class TestCounter:
    @pytest.fixture
    def cash(self, services, payer, people, database):
        """Cash of 230.00 for the house: both bills, and 7.98 ahead."""
        with database.session() as session:
            cashier = factories.staff(session, Role.CASHIER)
        services.counter.take(
            actor=cashier,
            community_id=payer.community_id,
            house_id=payer.house_id,
            money=MoneyIn(PaymentChannel.CASH, 23000, "陈建"),
            client_key="key-00000009",
        )
        return database.value("SELECT max(id) FROM payment")

    def test_is_paid_out_to_a_named_person_when_it_is_approved(
        self, cash, approved, refunds, bills, database, simulator
    ):
        approved(cash, 23000, payout=Payout("cash", "陈建", "19900000001"))

        assert refunds() == [("succeeded", 23000)]
        assert set(bills().values()) == {("published", 0)}
        assert database.value("SELECT balance_fen FROM prepaid_account") == 0
        assert simulator.get("refunds") == []

    def test_needs_a_payee(self, cash, ask):
        with pytest.raises(InvalidInput):
            ask(cash, 1)

    def test_what_is_prepaid_goes_first(self, cash, approved, bills, database):
        approved(cash, 800, payout=Payout("cash", "陈建", "19900000001"))

        assert database.value("SELECT balance_fen FROM prepaid_account") == 0
        assert sum(fen for _, fen in bills().values()) == 22200

    def test_prepaid_money_of_one_payment_is_given_back_once(
        self, services, payer, people, ask, approved, database
    ):
        """However much others add to the account afterwards."""
        out = Payout("cash", "陈建", "19900000001")
        services.counter.take(
            actor=people["finance"],
            community_id=payer.community_id,
            house_id=payer.house_id,
            money=MoneyIn(PaymentChannel.CASH, 22202, "陈建"),
            client_key="key-00000001",
        )
        for number, fen in ((2, 800), (3, 1000)):
            services.counter.take(
                actor=people["finance"],
                community_id=payer.community_id,
                house_id=payer.house_id,
                money=MoneyIn(PaymentChannel.CASH, fen, "陈建"),
                client_key=f"key-0000000{number}",
            )
            if number == 2:
                approved(2, 500, payout=out)

        with pytest.raises(MoreThanRefundable, match=r"¥3\.00"):
            ask(2, 301, payout=out)
        assert database.value("SELECT balance_fen FROM prepaid_account") == 1300

    def test_money_that_only_moved_is_no_payment(
        self, cash, ask, services, payer, people, database
    ):
        with database.session() as session:
            house = session.get_one(factories.House, payer.house_id)
            factories.make_bill(session, house=house, lines=(500,))
        services.prepaid_offsets.offset(actor=people["finance"], house_id=payer.house_id)
        payment_id = database.value("SELECT id FROM payment WHERE channel = 'prepaid'")

        with pytest.raises(NotRefundable):
            ask(payment_id, 1)


class TestSurplus:
    @pytest.fixture
    def policy(self, database):
        return lambda policy: database.do("UPDATE community SET surplus_policy = :p", p=policy)

    @pytest.fixture
    def paid_twice(self, paid, start, services, payer, bills, database, simulator):
        """The order's money comes after a cashier took the same bills' money: nothing is owed."""

        def paid_twice():
            payment = start()
            database.do("DELETE FROM bill_lock")
            with database.session() as session:
                cashier = factories.staff(session, Role.CASHIER)
            services.counter.take(
                actor=cashier,
                community_id=payer.community_id,
                house_id=payer.house_id,
                money=MoneyIn(PaymentChannel.CASH, 22202, "陈建"),
                client_key="key-00000009",
            )
            simulator.post(f"pay/{payment.out_trade_no}", callbacks="lost")
            services.sweep.ask(order_id=payment.id)
            return database.value("SELECT id FROM payment WHERE channel = 'wechat'")

        return paid_twice

    def test_goes_to_the_houses_prepaid_account(self, policy, paid_twice, database, tasks):
        policy("prepaid")
        paid_twice()

        assert database.value("SELECT balance_fen FROM prepaid_account") == 22202
        assert tasks() == {"money_in_suspense"}

    def test_goes_back_to_the_payer_by_itself(
        self, policy, paid_twice, send, clock, refunds, bills, simulator
    ):
        policy("refund")
        paid_twice()
        assert refunds() == [("processing", 22202)]
        send()
        clock.advance(minutes=2)
        send()

        assert refunds() == [("succeeded", 22202)]
        assert [one["state"] for one in simulator.get("refunds")] == ["SUCCESS"]
        assert {state for state, _ in bills().values()} == {"paid"}

    def test_waits_for_a_person(self, policy, paid_twice, refunds, services, people, payer):
        policy("ask")
        paid_twice()

        assert refunds() == []
        listed = services.suspense.list_open(
            actor=people["finance"], community_id=payer.community_id
        )
        assert sum(one.open_fen for one in listed) == 22202
        assert {one.reason_shown for one in listed} == {"账单已缴清"}

    def test_a_person_may_refund_it_like_any_payment(
        self, policy, paid_twice, approved, send, clock, refunds, services, people, payer
    ):
        policy("ask")
        approved(paid_twice(), 22202)
        send()
        clock.advance(minutes=2)
        send()

        assert refunds() == [("succeeded", 22202)]
        assert (
            services.suspense.list_open(actor=people["finance"], community_id=payer.community_id)
            == []
        )


class TestAlipay:
    def test_goes_back_and_is_booked_at_once(
        self, services, payer, simulator, approved, send, refunds, bills, clock, database
    ):
        started = services.payments.start(
            actor=payer.actor,
            bill_ids=payer.bill_ids,
            idempotency_key="key-00000001",
            how=HowToPay(PayWay.ALIPAY_QR),
        )
        # Alipay cannot close what nobody has scanned yet: it holds the bills for less long.
        assert started.payment.expires_at <= clock.now() + timedelta(minutes=10)
        number = started.payment.out_trade_no
        simulator.post("alipay/scan", qr_code=started.to_pay_with.code_url)
        simulator.post(f"alipay/pay/{number}", callbacks="lost")
        services.sweep.ask(order_id=started.payment.id)
        assert {state for state, _ in bills().values()} == {"paid"}

        approved(database.value("SELECT id FROM payment"), 22202)
        send()

        assert refunds() == [("succeeded", 22202)]
        assert set(bills().values()) == {("published", 0)}
