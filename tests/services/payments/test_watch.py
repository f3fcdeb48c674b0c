"""What was paid and is not booked is put before a person, and goes away once it is mended."""

import pytest

from domain.actors import Permission
from domain.errors import NotAllowed
from services.inbox import Posted
from services.payments.sweep import PaymentSweep
from tests import factories
from tests.services.payments.conftest import SYSTEM


@pytest.fixture
def watch(services, database):
    """Look, and give the kinds of the open tasks of the watch."""

    def watch():
        services.payment_watch.look(actor=SYSTEM)
        rows = database.rows(
            "SELECT kind FROM staff_task WHERE done_at IS NULL AND kind LIKE 'watch%' ORDER BY id"
        )
        return [row["kind"] for row in rows]

    return watch


@pytest.fixture
def keep(services):
    """Keep a notice as it comes, unjudged; perhaps about an order."""

    def keep(body=b"{}", number=None, source="wechatpay"):
        notice_id = services.inbox.keep(
            source=source, posted=Posted({}, body, len(body), "127.0.0.1"), request_id="r"
        )
        if number:
            services.inbox.name_order(notice_id=notice_id, out_trade_no=number)
        return notice_id

    return keep


class TestNotBooked:
    def test_seen_paid_and_not_booked_for_three_minutes(
        self, services, start, simulator, watch, clock, database
    ):
        """The channel says paid; booking it breaks; a person must hear of it, also by the log."""
        payment = start()
        simulator.post(f"pay/{payment.out_trade_no}", callbacks="lost")

        class Broken:
            def settle(self, **given):
                raise ValueError("the settlement is broken")

        broken = PaymentSweep(
            services.sweep.unit_of_work, services.pay_channels, services.sweep.calls, Broken()
        )
        with pytest.raises(ValueError, match="broken"):
            broken.ask(order_id=payment.id)

        clock.advance(minutes=3)
        assert watch() == []
        clock.advance(seconds=1)
        assert watch() == ["watch_not_booked"]
        assert watch() == ["watch_not_booked"]
        title = database.value("SELECT title FROM staff_task")
        assert payment.out_trade_no in title
        assert services.doctor.count()["payments_stuck"] == 1

        services.sweep.ask(order_id=payment.id)
        assert watch() == []
        assert services.doctor.count()["payments_stuck"] == 0

    def test_is_logged_as_an_error(self, start, database, watch, clock, caplog):
        start()
        database.do("UPDATE payment_order SET paid_seen_at = now() - interval '1 day'")

        watch()

        assert [record.levelname for record in caplog.records] == ["ERROR"]


class TestNoVerdict:
    def test_a_kept_notice_without_a_verdict(self, app, keep, watch, clock, services):
        notice_id = keep()
        clock.advance(minutes=3)
        assert watch() == []

        clock.advance(seconds=1)
        assert watch() == ["watch_no_verdict"]

        services.inbox.judge(notice_id=notice_id, verdict="booked")
        assert watch() == []

    def test_a_later_copy_that_was_judged_mends_it(self, app, keep, watch, clock, services):
        keep(number="P1")
        clock.advance(minutes=4)
        assert watch() == ["watch_no_verdict"]

        later = keep(b"[]", number="P1")
        services.inbox.judge(notice_id=later, verdict="booked")

        assert watch() == []

    def test_a_later_copy_without_a_verdict_mends_nothing(self, app, keep, watch, clock):
        keep(number="P1")
        keep(number="P1")
        clock.advance(minutes=4)

        assert watch() == ["watch_no_verdict"] * 2

    def test_another_orders_notice_mends_nothing(self, app, keep, watch, clock, services):
        keep(b"{1}", number="P1")
        services.inbox.judge(notice_id=keep(number="P2"), verdict="booked")
        clock.advance(minutes=4)

        assert watch() == ["watch_no_verdict"]

    def test_what_was_refused_has_its_verdict(self, app, keep, watch, clock, services):
        services.inbox.judge(notice_id=keep(), verdict="signature")
        clock.advance(minutes=4)

        assert watch() == []

    def test_other_sources_are_not_money(self, app, keep, watch, clock):
        keep(source="wechat_official")
        clock.advance(minutes=4)

        assert watch() == []


class TestStillOpen:
    def test_an_order_that_the_sweep_cannot_close(self, services, start, watch, clock, simulator):
        payment = start()
        clock.set(payment.expires_at)
        clock.advance(minutes=5)
        assert watch() == []

        clock.advance(seconds=1)
        assert watch() == ["watch_still_open"]

        services.sweep.sweep(actor=SYSTEM)
        assert watch() == []


class TestRefunds:
    def test_a_refund_that_is_going_on_since_yesterday(
        self, services, start, trade_for, payer, database, watch, clock, simulator
    ):
        simulator.post("refund_mode", mode="manual")
        payment = start()
        simulator.post(f"pay/{payment.out_trade_no}", callbacks="lost")
        services.sweep.ask(order_id=payment.id)
        database.do("UPDATE community SET refund_alone_fen = 100000000")
        with database.session() as session:
            asker = factories.staff(session, "manager")
        services.payment_refund_requests.ask(
            actor=asker, community_id=payer.community_id, payment_id=1, amount_fen=1, reason="多收"
        )
        services.refunds.send_due(actor=SYSTEM)
        number = database.value("SELECT refund_no FROM refund")

        clock.advance(days=1)
        assert watch() == []
        clock.advance(seconds=1)
        assert watch() == ["watch_refund_stuck"]

        simulator.post(f"refund/{number}", state="SUCCESS")
        services.refunds.send_due(actor=SYSTEM)
        assert database.value("SELECT state FROM refund") == "succeeded"
        assert watch() == []


def test_only_our_machinery_watches(services, app):
    with pytest.raises(NotAllowed):
        services.payment_watch.look(actor=factories.actor_without(Permission.RUN_PLATFORM_WORK))


def test_a_whole_ordinary_life_is_never_stuck(services, start, simulator, watch, clock):
    payment = start()
    assert watch() == []
    simulator.post(f"pay/{payment.out_trade_no}", callbacks="lost")
    services.sweep.ask(order_id=payment.id)
    clock.advance(days=2)

    assert watch() == []
