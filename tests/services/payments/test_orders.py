from dataclasses import replace

import pytest

from domain.errors import NotAllowed, NotFound, PlatformRefused, PlatformUnavailable
from domain.payment_states import OrderState
from services.payments.opening import (
    BillAlreadyPaid,
    BillInPayment,
    BillsOfTwoCommunities,
    KeyUsedForOther,
    WechatNeeded,
)
from services.payments.tickets import PaymentEnded
from tests import factories
from tests.services.payments.conftest import SYSTEM
from tests.world import miniapp_of


@pytest.fixture
def begin(services, payer):
    """Start a payment of the payer's bills and give all of it."""

    def begin(bill_ids=None, key="key-00000001", actor=None):
        return services.payments.start(
            actor=actor or payer.actor,
            bill_ids=bill_ids or payer.bill_ids,
            idempotency_key=key,
        )

    return begin


@pytest.fixture
def orders(simulator):
    """The orders that WeChat Pay knows."""
    return lambda: simulator.get("orders")


class TestStart:
    def test_opens_one_order_for_what_the_bills_leave_open(self, begin, orders, payer):
        started = begin()

        [order] = orders()
        assert order["amount_fen"] == started.payment.amount_fen == 22202
        assert order["openid"] == payer.openid
        assert started.payment.state is OrderState.PREPAYING
        assert started.payment.bill_ids == tuple(payer.bill_ids)

    def test_the_ticket_opens_the_pay_sheet(self, begin, simulator):
        ticket = begin().ticket

        paid = simulator.post(
            "pay_ticket",
            appId=ticket.appid,
            timeStamp=ticket.time_stamp,
            nonceStr=ticket.nonce_str,
            package=ticket.package,
            signType=ticket.sign_type,
            paySign=ticket.pay_sign,
            callbacks="lost",
        )
        assert paid["errMsg"] == "requestPayment:ok"

    def test_a_number_has_the_form_that_the_platform_asks_for(self, begin):
        assert len(begin().payment.out_trade_no) == 27
        assert begin().payment.out_trade_no.isalnum()

    def test_pays_only_the_rest_of_a_bill(self, begin, payer, services, database, orders):
        database.do(
            "UPDATE bill SET state = 'partially_paid', paid_fen = 1 WHERE id = :id",
            id=payer.bill_ids[0],
        )
        try:
            assert begin([payer.bill_ids[0]]).payment.amount_fen == 21001
        finally:
            database.do("UPDATE bill SET state = 'published', paid_fen = 0")

    def test_the_same_key_gives_the_same_payment(self, begin, orders):
        assert begin().payment.id == begin().payment.id
        assert len(orders()) == 1

    def test_a_lost_key_still_finds_the_open_payment(self, begin, orders):
        assert begin(key="key-00000001").payment.id == begin(key="key-00000002").payment.id
        assert len(orders()) == 1

    def test_a_key_is_good_for_the_same_bills_only(self, begin, payer):
        begin()

        with pytest.raises(KeyUsedForOther):
            begin(payer.bill_ids[:1])

    def test_the_order_of_the_bills_does_not_matter(self, begin, payer):
        assert begin().payment.id == begin(payer.bill_ids[::-1] * 2).payment.id

    def test_two_owners_may_use_the_same_key(self, begin, make_payer):
        other = make_payer(500, phone="19900000002")

        assert begin(key="same-key").payment.id != (
            begin(other.bill_ids, key="same-key", actor=other.actor).payment.id
        )

    def test_a_bill_in_payment_cannot_be_paid_by_somebody_else(self, begin, payer, make_payer):
        begin()
        other = make_payer(phone="19900000002", house_id=payer.house_id)

        with pytest.raises(BillInPayment):
            begin(key="key-other", actor=other.actor)

    def test_part_of_an_open_payment_is_in_payment(self, begin, payer):
        begin()

        with pytest.raises(BillInPayment):
            begin(payer.bill_ids[:1], key="key-00000002")

    def test_a_paid_bill_is_not_paid_again(self, services, begin, trade_for):
        services.settlement.settle(actor=SYSTEM, trade=trade_for(begin().payment))

        with pytest.raises(BillAlreadyPaid):
            begin(key="key-00000002")

    def test_the_key_of_a_paid_payment_tells_of_it_without_a_ticket(
        self, services, begin, trade_for
    ):
        services.settlement.settle(actor=SYSTEM, trade=trade_for(begin().payment))

        again = begin()
        assert again.ticket is None
        assert again.payment.receipt_no is not None

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE bill SET state = 'pending_review', published_at = NULL",
            "UPDATE bill SET state = 'cancelled'",
            "UPDATE bill SET state = 'voided'",
            "UPDATE house_binding SET status = 'revoked'",
            "UPDATE house_binding SET role = 'tenant'",
            "UPDATE community SET is_active = false",
        ],
    )
    def test_what_is_not_theirs_to_pay_does_not_exist(self, begin, payer, database, sql):
        database.do(sql)

        with pytest.raises(NotFound):
            begin()
        database.do("UPDATE bill SET published_at = now(), state = 'published'")

    def test_a_neighbours_bill_does_not_exist(self, begin, make_payer):
        other = make_payer(500, phone="19900000002")

        with pytest.raises(NotFound):
            begin(other.bill_ids)

    def test_one_strange_bill_spoils_the_whole_payment(self, begin, payer, orders):
        with pytest.raises(NotFound):
            begin([*payer.bill_ids, 999_999])

        assert orders() == []

    def test_bills_of_two_communities_are_paid_apart(self, begin, payer, database):
        with database.session() as session:
            house = factories.make_house(session)
            account = session.get_one(factories.Account, payer.account_id)
            session.add(
                factories.HouseBinding(
                    account_id=account.id,
                    house_id=house.id,
                    owner_id=factories.make_owner(session, house=house).id,
                    role="owner",
                    status="active",
                    created_at=factories.MADE_AT,
                )
            )
            bill = factories.make_bill(session, house=house)

        with pytest.raises(BillsOfTwoCommunities):
            begin([*payer.bill_ids, bill.id])

    def test_without_a_bound_wechat_there_is_nothing_to_pay_with(self, begin, database):
        database.do("DELETE FROM wechat_identity")

        with pytest.raises(WechatNeeded):
            begin()

    @pytest.mark.parametrize("bill_ids", [[0], list(range(1, 52))])
    def test_none_or_too_many_bills_are_refused(self, begin, bill_ids):
        with pytest.raises((NotFound, Exception), match=r"没有找到|填写的内容有误"):
            begin(bill_ids)

    def test_only_owners_pay(self, services, payer, database):
        with database.session() as session:
            manager = factories.staff(session)

        with pytest.raises(NotAllowed):
            services.payments.start(
                actor=manager, bill_ids=payer.bill_ids, idempotency_key="key-manager"
            )


class TestStartWhenTheChannelFails:
    def test_a_refusal_frees_the_bills(self, begin, simulator, database, orders):
        simulator.fault(host="pay", pay_error={"status": 400, "code": "PARAM_ERROR"})

        with pytest.raises(PlatformRefused):
            begin()

        assert database.value("SELECT state FROM payment_order") == "failed"
        assert database.value("SELECT count(*) FROM bill_lock") == 0
        assert begin(key="key-00000002").ticket is not None

    def test_the_key_of_a_refused_payment_is_used_up(self, begin, simulator):
        simulator.fault(host="pay", pay_error={"status": 400, "code": "PARAM_ERROR"})
        with pytest.raises(PlatformRefused):
            begin()

        with pytest.raises(PaymentEnded):
            begin()

    @pytest.mark.parametrize(
        "fault",
        [
            {"lost_answer": True},
            {"reset": True},
            {"status": 502},
            {"badly_signed": True},
            {"pay_error": {"status": 500, "code": "SYSTEM_ERROR"}},
        ],
    )
    def test_without_an_answer_the_same_key_goes_on_with_the_same_number(
        self, begin, simulator, database, orders, fault
    ):
        simulator.fault(host="pay", **fault)

        with pytest.raises(PlatformUnavailable):
            begin()
        assert database.value("SELECT state FROM payment_order") == "unknown"
        assert database.value("SELECT count(*) FROM bill_lock") == 2

        assert begin().payment.state is OrderState.PREPAYING
        assert len(orders()) == 1

    def test_an_expired_payment_cannot_be_gone_on_with(self, begin, clock):
        begin()
        clock.advance(minutes=16)

        with pytest.raises(PaymentEnded):
            begin()


class TestShow:
    def test_shows_only_ones_own(self, services, begin, make_payer):
        payment = begin().payment
        other = make_payer(500, phone="19900000002")

        with pytest.raises(NotFound):
            services.payments.show(actor=other.actor, payment_id=payment.id)
        with pytest.raises(NotFound):
            services.payments.refresh(actor=other.actor, payment_id=payment.id)
        with pytest.raises(NotFound):
            services.payments.cancel(actor=other.actor, payment_id=payment.id)
        assert services.payments.list_own(actor=other.actor, before_id=None, limit=10) == []

    def test_pages_downwards(self, services, begin, payer):
        first = begin(payer.bill_ids[:1], key="key-00000001").payment
        second = begin(payer.bill_ids[1:], key="key-00000002").payment

        listed = services.payments.list_own(actor=payer.actor, before_id=None, limit=1)
        assert [view.id for view in listed] == [second.id]
        listed = services.payments.list_own(actor=payer.actor, before_id=second.id, limit=1)
        assert [view.id for view in listed] == [first.id]


class TestRefresh:
    def test_books_what_was_paid_without_any_notice(self, services, begin, simulator, payer):
        payment = begin().payment
        simulator.post(f"pay/{payment.out_trade_no}", callbacks="lost")

        view = services.payments.refresh(actor=payer.actor, payment_id=payment.id)

        assert view.state is OrderState.SUCCEEDED
        assert view.receipt_no is not None

    def test_of_an_unpaid_one_changes_nothing(self, services, begin, payer):
        payment = begin().payment

        view = services.payments.refresh(actor=payer.actor, payment_id=payment.id)

        assert view.state is OrderState.PREPAYING


class TestCancel:
    def test_closes_with_the_channel_and_frees_the_bills(
        self, services, begin, payer, orders, database
    ):
        payment = begin().payment

        view = services.payments.cancel(actor=payer.actor, payment_id=payment.id)

        assert view.state is OrderState.CLOSED
        assert orders()[0]["trade_state"] == "CLOSED"
        assert begin(key="key-00000002").payment.id != payment.id

    def test_money_that_was_faster_is_booked(self, services, begin, simulator, payer):
        payment = begin().payment
        simulator.post(f"pay/{payment.out_trade_no}", callbacks="lost")

        view = services.payments.cancel(actor=payer.actor, payment_id=payment.id)

        assert view.state is OrderState.SUCCEEDED

    def test_of_an_order_that_never_reached_the_channel(
        self, services, begin, simulator, payer, database
    ):
        simulator.fault(host="pay", reset=True)
        with pytest.raises(PlatformUnavailable):
            begin()
        payment_id = database.value("SELECT id FROM payment_order")

        view = services.payments.cancel(actor=payer.actor, payment_id=payment_id)

        assert view.state is OrderState.CLOSED

    def test_without_an_answer_nothing_changes(self, services, begin, simulator, payer, database):
        payment = begin().payment
        simulator.fault(host="pay", status=502)

        with pytest.raises(PlatformUnavailable):
            services.payments.cancel(actor=payer.actor, payment_id=payment.id)

        assert database.value("SELECT count(*) FROM bill_lock") == 2


class TestOneKeyTwice:
    """A refusal of the second call must not end an order whose ticket is out already."""

    @pytest.fixture
    def second_is_refused_late(self, begin, simulator, together):
        """Two calls with one key: the first to arrive is refused slowly, the other is not."""
        simulator.fault(
            host="pay",
            path="transactions/jsapi",
            nth=1,
            latency_ms=1200,
            pay_error={"status": 403, "code": "NO_AUTH"},
        )
        return together(begin, begin)

    def test_the_order_lives_on(self, second_is_refused_late, database, orders):
        started = [one for one in second_is_refused_late if not isinstance(one, Exception)]

        assert started
        assert all(one.ticket is not None for one in started)
        assert database.value("SELECT state FROM payment_order") == "prepaying"
        assert database.value("SELECT count(*) FROM bill_lock") == 2

    def test_its_money_is_found_without_a_notice(
        self, second_is_refused_late, services, payer, simulator, orders
    ):
        simulator.post(f"pay/{orders()[0]['out_trade_no']}", callbacks="lost")

        view = services.payments.refresh(actor=payer.actor, payment_id=1)

        assert view.state is OrderState.SUCCEEDED


class TestEndedOrders:
    @pytest.fixture
    def refused(self, begin, simulator, database):
        """An order that we hold for failed although the channel took it: the worst of luck."""
        simulator.fault(host="pay", path="jsapi", lost_answer=True)
        with pytest.raises(PlatformUnavailable):
            begin()
        simulator.fault(host="pay", path="jsapi", pay_error={"status": 403, "code": "NO_AUTH"})
        with pytest.raises(PlatformRefused):
            begin()
        assert database.value("SELECT state FROM payment_order") == "failed"
        return database.rows("SELECT * FROM payment_order")[0]

    def test_a_refresh_asks_about_them_too(
        self, refused, services, payer, simulator, database, bills
    ):
        simulator.post(f"pay/{refused['out_trade_no']}", callbacks="lost")

        services.payments.refresh(actor=payer.actor, payment_id=refused["id"])

        assert {state for state, _ in bills().values()} == {"paid"}
        assert database.value("SELECT state FROM payment_order") == "failed"

    def test_the_sweep_looks_once_more_when_they_would_have_expired(
        self, refused, services, simulator, clock, bills, database
    ):
        simulator.post(f"pay/{refused['out_trade_no']}", callbacks="lost")
        clock.advance(minutes=14)
        assert services.sweep.sweep(actor=SYSTEM) == 0

        clock.advance(minutes=3)

        assert services.sweep.sweep(actor=SYSTEM) == 1
        assert {state for state, _ in bills().values()} == {"paid"}
        clock.advance(days=1)
        assert services.sweep.sweep(actor=SYSTEM) == 0

    def test_an_unpaid_one_is_closed_at_that_look(self, refused, services, clock, orders):
        clock.advance(minutes=17)

        services.sweep.sweep(actor=SYSTEM)

        assert orders()[0]["trade_state"] == "CLOSED"
        clock.advance(days=1)
        assert services.sweep.sweep(actor=SYSTEM) == 0


class TestTwoWechats:
    def test_the_sheet_opens_on_the_phone_that_holds_the_session(
        self, services, payer, simulator, database, orders
    ):
        """A second WeChat of the same account was seen later; the first one pays all the same."""
        with database.session() as session:
            account = session.get_one(factories.Account, payer.account_id)
            factories.make_identity(
                session,
                account=account,
                appid=miniapp_of(services),
                openid="o-seen-later",
                seen_at=services.clock.now(),
            )
        holder = replace(payer.actor, openid=payer.openid)

        services.payments.start(
            actor=holder, bill_ids=payer.bill_ids, idempotency_key="key-00000001"
        )

        assert orders()[0]["openid"] == payer.openid

    def test_an_openid_that_is_no_longer_theirs_is_not_used(self, services, payer, orders):
        holder = replace(payer.actor, openid="o-moved-to-somebody-else")

        services.payments.start(
            actor=holder, bill_ids=payer.bill_ids, idempotency_key="key-00000001"
        )

        assert orders()[0]["openid"] == payer.openid
