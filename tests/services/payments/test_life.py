"""A payment's whole life is told, by any of its numbers, to its staff and in short to its owner."""

import pytest

from domain.actors import Permission
from domain.errors import NotAllowed, NotFound, PlatformUnavailable
from domain.money import show_yuan
from services.inbox import Posted
from services.payments.life_words import say_call, say_verdict
from tests import factories
from tests.services.payments.conftest import SYSTEM


@pytest.fixture
def life(services, payer, database):
    """Tell a life to a cashier of the payer's community."""
    with database.session() as session:
        cashier = factories.staff(session, "cashier")

    def life(number, *, ask=False, community_id=payer.community_id):
        tell = services.payment_life.ask_now if ask else services.payment_life.show
        return tell(actor=cashier, number=number, community_id=community_id)

    return life


@pytest.fixture
def paid(services, simulator, start):
    """A payment that the sweep booked."""
    payment = start()
    simulator.post(f"pay/{payment.out_trade_no}", callbacks="lost")
    services.sweep.ask(order_id=payment.id)
    return payment


@pytest.fixture
def refund(services, database, payer, simulator):
    """Ask for a refund of the one payment and send it; the channel holds it until told."""

    def refund(amount_fen):
        simulator.post("refund_mode", mode="manual")
        database.do("UPDATE community SET refund_alone_fen = 100000000")
        with database.session() as session:
            asker = factories.staff(session, "manager")
        services.payment_refund_requests.ask(
            actor=asker,
            community_id=payer.community_id,
            payment_id=1,
            amount_fen=amount_fen,
            reason="多收",
        )
        services.refunds.send_due(actor=SYSTEM)
        return database.value("SELECT refund_no FROM refund ORDER BY id DESC LIMIT 1")

    return refund


def words_of(view):
    return [line.what for line in view.lines]


class TestTimeline:
    def test_from_the_bill_to_the_refund(self, life, paid, refund, simulator, services, clock):
        clock.advance(minutes=1)
        number = refund(200)
        clock.advance(minutes=2)
        simulator.post(f"refund/{number}", state="SUCCESS")
        services.refunds.send_due(actor=SYSTEM)

        view = life(paid.out_trade_no)

        words = words_of(view)
        assert words[:2] == ["bill_published", "bill_published"]
        for what in (
            "order_created",
            "channel_call",
            "paid_seen",
            "payment_booked",
            "allocated",
            "receipt",
            "refund_begun",
            "refund_succeeded",
            "receipt_mark",
        ):
            assert what in words, what
        assert [line.at for line in view.lines] == sorted(line.at for line in view.lines)
        assert words.index("order_created") < words.index("payment_booked")
        assert words.index("payment_booked") < words.index("refund_begun")
        assert words.index("refund_begun") < words.index("refund_succeeded")
        assert sum(line.facts["amount_fen"] for line in view.lines if line.what == "allocated") == (
            paid.amount_fen - 200
        )
        calls = [line.facts["call"] for line in view.lines if line.what == "channel_call"]
        assert {"query", "refund", "query_refund"} <= set(calls)
        assert view.progress == "已退款 ¥2.00"
        said = {line.words for line in view.lines if line.what == "channel_call"}
        assert {"向渠道下单：成功", "向渠道查询订单：成功", "请渠道退款：处理中"} <= said

    def test_by_any_of_its_numbers(self, life, paid, refund, database):
        number = refund(200)
        by_order = life(paid.out_trade_no).lines

        for other in (
            database.value("SELECT provider_transaction_id FROM payment"),
            database.value("SELECT receipt_no FROM receipt"),
            number,
        ):
            assert life(other).lines == by_order

    def test_every_notice_with_its_verdict(self, life, start, services, simulator):
        payment = start()
        for verdict in ("signature", "booked", "already_booked"):
            notice_id = services.inbox.keep(
                source="wechatpay", posted=Posted({}, b"{}", 2, "127.0.0.1"), request_id=""
            )
            services.inbox.name_order(notice_id=notice_id, out_trade_no=payment.out_trade_no)
            services.inbox.judge(notice_id=notice_id, verdict=verdict)

        view = life(payment.out_trade_no)

        assert [line.facts["verdict"] for line in view.lines if line.what == "notice"] == [
            "signature",
            "booked",
            "already_booked",
        ]
        assert [line.words for line in view.lines if line.what == "notice"] == [
            "收到渠道通知：验签不通过，不采信",
            "收到渠道通知：已入账",
            "收到渠道通知：重复通知，早已入账",
        ]

    def test_money_that_fits_nothing_and_what_became_of_it(
        self, life, start, services, trade_for, database
    ):
        first = start()
        services.settlement.settle(actor=SYSTEM, trade=trade_for(first))
        again = trade_for(first, transaction_id="4200002")
        services.settlement.settle(actor=SYSTEM, trade=again)

        words = words_of(life("4200002"))

        assert words.count("payment_booked") == 2
        assert "suspense" in words
        assert "suspense_placed" in words
        assert "prepaid" in words

    def test_a_failed_refund(self, life, paid, refund, simulator, services, clock):
        number = refund(200)
        simulator.post(f"refund/{number}", state="CLOSED")
        clock.advance(minutes=2)
        services.refunds.send_due(actor=SYSTEM)

        assert "refund_failed" in words_of(life(number))

    def test_a_closed_order(self, life, start, services, clock):
        payment = start()
        services.sweep.ask(order_id=payment.id, and_close=True)

        assert "order_closed" in words_of(life(payment.out_trade_no))

    def test_the_reconciliation_that_saw_it(self, life, paid, database):
        database.do(
            """
            INSERT INTO reconciliation_run (channel, mchid, day, state, started_at, done_at)
            SELECT channel, mchid, (paid_at AT TIME ZONE 'Asia/Shanghai')::date + more,
                   'done', booked_at, booked_at FROM payment, generate_series(0, 1) AS more
            """
        )
        database.do(
            """
            INSERT INTO reconciliation_case (run_id, kind, key, state, note, opened_at, ended_at)
            SELECT 1, 'amount', out_trade_no, 'handled', '渠道更正', booked_at, booked_at
              FROM payment
            """
        )

        words = words_of(life(paid.out_trade_no))

        assert words.count("reconciled") == 1
        assert words.count("reconciliation_case") == 1
        assert words.count("reconciliation_case_ended") == 1


class TestAskNow:
    def test_books_what_the_channel_says(self, life, start, simulator):
        payment = start()
        simulator.post(f"pay/{payment.out_trade_no}", callbacks="lost")
        assert "payment_booked" not in words_of(life(payment.out_trade_no))

        view = life(payment.out_trade_no, ask=True)

        assert "payment_booked" in words_of(view)
        assert view.progress == "已入账"

    def test_asks_about_refunds_too(self, life, paid, refund, simulator):
        number = refund(200)
        simulator.post(f"refund/{number}", state="SUCCESS")

        assert "refund_succeeded" in words_of(life(paid.out_trade_no, ask=True))

    def test_a_silent_channel_is_told_and_on_record(self, life, start, simulator):
        payment = start()
        simulator.fault(host="pay", status=502)

        with pytest.raises(PlatformUnavailable):
            life(payment.out_trade_no, ask=True)

        outcomes = [line.facts.get("outcome") for line in life(payment.out_trade_no).lines]
        assert "unavailable" in outcomes


class TestWho:
    @pytest.mark.parametrize("ask", [False, True])
    @pytest.mark.parametrize(
        "number",
        [
            "SELECT out_trade_no FROM payment_order",
            "SELECT provider_transaction_id FROM payment",
            "SELECT receipt_no FROM receipt",
            "SELECT refund_no FROM refund",
        ],
    )
    def test_another_communitys_is_not_found(
        self, life, paid, payer, refund, database, number, ask
    ):
        refund(200)
        found = database.value(number)
        assert life(found).lines

        with pytest.raises(NotFound):
            life(found, ask=ask, community_id=payer.community_id + 1)
        with pytest.raises(NotFound):
            life("4200000", ask=ask)

    def test_all_of_the_companys_money_is_for_whoever_reconciles(
        self, life, paid, services, database
    ):
        for ask in (False, True):
            with pytest.raises(NotAllowed):
                life(paid.out_trade_no, ask=ask, community_id=None)
        assert services.payment_life.show(actor=SYSTEM_LIKE, number=paid.out_trade_no).lines

    def test_is_not_for_everybody(self, services, app):
        nobody = factories.actor_without(Permission.VIEW_HOUSE_MONEY)
        for tell in (services.payment_life.show, services.payment_life.ask_now):
            with pytest.raises(NotAllowed):
                tell(actor=nobody, number="P1", community_id=1)

    def test_a_number_that_only_the_channel_named(self, services, database, app):
        assert services.payment_life
        notice_id = services.inbox.keep(
            source="wechatpay", posted=Posted({}, b"{}", 2, "127.0.0.1"), request_id=""
        )
        services.inbox.name_order(notice_id=notice_id, out_trade_no="X1")

        view = services.payment_life.show(actor=SYSTEM_LIKE, number="X1")

        assert (view.progress, words_of(view)) == ("", ["notice"])
        with pytest.raises(NotFound):
            services.payment_life.show(actor=SYSTEM_LIKE, number="X2")
        with pytest.raises(NotFound):
            services.payment_life.show(actor=SYSTEM_LIKE, number="X1", community_id=1)


SYSTEM_LIKE = factories.actor_without(Permission.TAKE_MONEY)


class TestShortForm:
    def test_the_owner_is_told_in_a_sentence_at_every_step(
        self, services, payer, start, simulator, refund, clock, database, together
    ):
        """Waiting, taken, booked, going back, gone back: never more than is known."""
        payment = start()

        def progress():
            view = services.payments.show(actor=payer.actor, payment_id=payment.id)
            return view.progress

        assert progress() == "等待支付"
        simulator.post(f"pay/{payment.out_trade_no}", callbacks="lost")
        assert progress() == "等待支付"
        with database.engine.connect() as connection:
            # The bills are held by somebody, so that what was seen cannot be booked just now.
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql("SELECT FROM bill FOR UPDATE")
            seen = []

            def look():
                for _ in range(200):
                    if database.value("SELECT paid_seen_at FROM payment_order") is not None:
                        break
                    simulator.get("orders")
                seen.append(progress())
                connection.exec_driver_sql("ROLLBACK")

            results = together(look, lambda: services.sweep.ask(order_id=payment.id))
        assert results == [None, None]
        assert seen == ["微信已扣款，正在入账"]
        assert progress() == "已入账"

        part = refund(200)
        assert progress() == "¥2.00 正在退款，原路退回"
        simulator.post(f"refund/{part}", state="SUCCESS")
        clock.advance(minutes=2)
        services.refunds.send_due(actor=SYSTEM)
        assert progress() == "已退款 ¥2.00"

        # Refunds of one order are a minute apart, by the platform's clock.
        simulator.post("clock", advance=61)
        rest = refund(payment.amount_fen - 200)
        simulator.post(f"refund/{rest}", state="SUCCESS")
        clock.advance(minutes=2)
        services.refunds.send_due(actor=SYSTEM)
        assert progress() == f"已全额退款 {show_yuan(payment.amount_fen)}"


class TestWords:
    def test_a_channels_clock_puts_no_refund_before_our_asking(
        self, life, paid, refund, simulator, services, clock
    ):
        clock.advance(hours=1)
        number = refund(200)
        simulator.post(f"refund/{number}", state="SUCCESS")
        clock.advance(minutes=2)
        services.refunds.send_due(actor=SYSTEM)

        words = words_of(life(paid.out_trade_no))

        assert words.index("refund_begun") < words.index("refund_succeeded")

    @pytest.mark.parametrize(
        ("verdict", "shown"),
        [
            ("other_merchant", "商户号与订单不符"),
            ("noted_closed", "已记录"),
            ("serial_unknown", "不采信（serial_unknown）"),
        ],
    )
    def test_what_became_of_a_notice_is_said_in_chinese(self, verdict, shown):
        assert say_verdict(verdict) == shown

    def test_a_channels_own_error_code_stays(self):
        assert say_call("close", "ORDERPAID") == "请渠道关闭订单：ORDERPAID"
