"""F28, F29: notices that are faster than our own commit, and notices that never come."""

import threading
from datetime import timedelta

import pytest

from domain.payment_states import OrderState
from tests.faults.rig import percentile, report, seeded, sized, until
from tests.services.payments.conftest import SYSTEM
from tests.world import serve

EARLY = sized(5, 100)
SILENT = sized(30, 400)
GOAL_S = 600
FEN = 21002
TICKET_HELD_MS = 700

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def payers(make_payer):
    return lambda count: [
        make_payer(FEN, phone=f"199000{number:05d}") for number in range(1, count + 1)
    ]


@pytest.fixture
def start_for(services):
    return lambda payer: services.payments.start(
        actor=payer.actor, bill_ids=payer.bill_ids, idempotency_key="one-key-0001"
    )


def waiting_of(database):
    return database.rows("SELECT out_trade_no FROM payment_order WHERE state = 'created'")


class TestEarlyNotices:
    @pytest.fixture
    def paid_meanwhile(self, app, simulator, web_port, database, payers, start_for):
        """Start payments that are paid, and told of, before the channel's answer is with us."""

        def paid_meanwhile():
            simulator.fault(
                host="pay",
                path="transactions/jsapi",
                times=None,
                latency_ms=TICKET_HELD_MS,
                when="after",
            )
            with serve(app, web_port):
                for payer in payers(EARLY):
                    starting = threading.Thread(target=start_for, args=(payer,))
                    starting.start()
                    number = until(lambda: waiting_of(database))[0]["out_trade_no"]
                    until(lambda number=number: simulator.get("orders", out_trade_no=number))
                    simulator.post(f"pay/{number}", wait=True)
                    assert starting.is_alive(), "the notice was to be faster"
                    starting.join()

        return paid_meanwhile

    def test_they_are_booked(self, paid_meanwhile, services, clock, database, simulator, promises):
        paid_meanwhile()

        clock.advance(minutes=3)
        services.sweep.sweep(actor=SYSTEM)
        unmatched = database.value("SELECT count(*) FROM suspense")
        booked = database.value("SELECT count(*) FROM bill WHERE state = 'paid'")
        report("F28", early_notices=EARLY, booked=booked, unmatched_after_sweep=unmatched)
        assert (booked, unmatched) == (EARLY, 0)
        states = {row["state"] for row in database.rows("SELECT state FROM payment_order")}
        assert states == {OrderState.SUCCEEDED}
        assert promises()

    @pytest.mark.breaks_promises
    def test_control_who_expects_the_ticket_first_loses_them(self, paid_meanwhile, database):
        """A booking that wants the order to be where our second commit puts it finds none."""
        database.do(_EXPECTS_TICKET)
        try:
            paid_meanwhile()
            lost = EARLY - database.value("SELECT count(*) FROM naive_booked")
            report("F28 control", early_notices=EARLY, lost=lost)
            assert lost == EARLY
        finally:
            database.do(_FORGET)


_EXPECTS_TICKET = """
CREATE TABLE naive_booked (out_trade_no text);
CREATE FUNCTION naive_book() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO naive_booked SELECT out_trade_no FROM payment_order
     WHERE out_trade_no = NEW.out_trade_no AND ticket IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER naive_book AFTER INSERT ON payment FOR EACH ROW EXECUTE FUNCTION naive_book();
"""
_FORGET = """
DROP TRIGGER naive_book ON payment;
DROP FUNCTION naive_book;
DROP TABLE naive_booked;
"""


class TestNoNoticeAtAll:
    @pytest.fixture
    def paid_in_silence(self, payers, start_for, simulator, database, clock):
        """Start payments that are paid at any moment of their lives, told of never.

        Gives by number when each is paid; `pay_due` pays those whose moment has come.
        """
        rng = seeded("F29")
        simulator.post("clock", callers="real")
        began = clock.now()
        moments = {}
        for payer in payers(SILENT):
            number = start_for(payer).payment.out_trade_no
            moments[number] = began + timedelta(seconds=rng.uniform(1, 14 * 60))
        left = dict(moments)

        def pay_due():
            for number, moment in list(left.items()):
                if moment <= clock.now():
                    simulator.post(f"pay/{number}", callbacks="lost")
                    del left[number]

        return moments, pay_due

    def test_the_sweep_finds_the_money(
        self, paid_in_silence, services, clock, database, simulator, promises
    ):
        moments, pay_due = paid_in_silence
        began = clock.now()
        while clock.now() < began + timedelta(minutes=30):
            clock.advance(seconds=30)
            simulator.post("clock", advance=30, wait=False)
            pay_due()
            services.sweep.sweep(actor=SYSTEM)

        booked = {
            row["out_trade_no"]: (row["booked_at"] - moments[row["out_trade_no"]]).total_seconds()
            for row in database.rows("SELECT out_trade_no, booked_at FROM payment")
        }
        report(
            "F29",
            silent_payments=SILENT,
            found=len(booked),
            p50_s=percentile(booked.values(), 0.5),
            p95_s=percentile(booked.values(), 0.95),
            longest_s=max(booked.values()),
        )
        assert len(booked) == SILENT
        assert percentile(booked.values(), 0.95) < GOAL_S
        assert promises()

    def test_control_nobody_who_waits_for_notices_finds_it(
        self, paid_in_silence, clock, database, simulator
    ):
        _, pay_due = paid_in_silence
        clock.advance(minutes=14)
        pay_due()

        booked = database.value("SELECT count(*) FROM payment")
        there = len(simulator.get("orders", state="SUCCESS"))
        report("F29 control", paid_at_the_channel=there, booked=booked)
        assert (there, booked) == (SILENT, 0)
