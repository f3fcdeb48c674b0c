from datetime import timedelta

import pytest

from domain.errors import NotAllowed
from tests.services.payments.conftest import SYSTEM


@pytest.fixture
def sweep(services):
    return lambda: services.sweep.sweep(actor=SYSTEM)


@pytest.fixture
def states(database):
    return lambda: [row["state"] for row in database.rows("SELECT state FROM payment_order")]


class TestSweep:
    def test_asks_nobody_before_it_is_time(self, start, sweep, clock):
        start()
        clock.advance(seconds=29)

        assert sweep() == 0

    def test_finds_money_of_which_nobody_told_us(self, start, sweep, clock, simulator, bills):
        simulator.post(f"pay/{start().out_trade_no}", callbacks="lost")
        clock.advance(seconds=31)

        assert sweep() == 1

        assert {state for state, _ in bills().values()} == {"paid"}
        assert sweep() == 0

    def test_asks_again_at_growing_distances(self, start, sweep, clock, database):
        born = database.value("SELECT created_at FROM payment_order") if start() else None

        for seconds, next_after in ((31, 120), (121, 600), (601, 900)):
            clock.set(born + timedelta(seconds=seconds))
            assert sweep() == 1
            wait = database.value("SELECT query_at FROM payment_order") - born
            assert round(wait.total_seconds()) in (next_after, next_after - 1)

    def test_closes_what_expired_and_frees_the_bills(
        self, start, sweep, clock, simulator, states, database
    ):
        start()
        clock.advance(minutes=16)

        assert sweep() == 1

        assert states() == ["closed"]
        assert simulator.get("orders")[0]["trade_state"] == "CLOSED"
        assert database.value("SELECT count(*) FROM bill_lock") == 0

    def test_a_payer_who_is_faster_than_the_close_wins(
        self, start, sweep, clock, simulator, states, bills
    ):
        """The first query says NOTPAY; the money arrives; the close is refused; we ask again."""
        number = start().out_trade_no
        clock.advance(minutes=16)
        simulator.post(f"pay/{number}", callbacks="lost", force=True)
        # WeChat answered the first question just before the payer confirmed.
        simulator.fault(
            host="pay",
            path=f"out-trade-no/{number}",
            nth=1,
            pay_error={"status": 404, "code": "ORDER_NOT_EXIST"},
        )

        assert sweep() == 1

        assert states() == ["succeeded"]
        assert {state for state, _ in bills().values()} == {"paid"}

    def test_an_order_that_never_arrived_ends_when_it_expires(
        self, start, sweep, clock, simulator, states
    ):
        simulator.fault(host="pay", reset=True)
        with pytest.raises(Exception, match="平台暂时没有响应"):
            start()
        clock.advance(seconds=31)
        assert sweep() == 1
        assert states() == ["unknown"]

        clock.advance(minutes=16)
        assert sweep() == 1
        assert states() == ["closed"]

    def test_a_silent_channel_changes_nothing_and_is_asked_again(
        self, start, sweep, clock, simulator, states
    ):
        start()
        clock.advance(minutes=16)
        simulator.fault(host="pay", status=502)

        assert sweep() == 1
        assert states() == ["prepaying"]

        clock.advance(minutes=3)
        assert sweep() == 1
        assert states() == ["closed"]

    def test_one_order_that_cannot_be_asked_stops_no_other(
        self, services, make_payer, sweep, clock, simulator, states
    ):
        for number in (1, 2):
            payer = make_payer(500, phone=f"1990000100{number}")
            services.payments.start(
                actor=payer.actor, bill_ids=payer.bill_ids, idempotency_key="key-00000001"
            )
        clock.advance(minutes=16)
        simulator.fault(host="pay", status=502, times=1)

        assert sweep() == 2

        assert sorted(states()) == ["closed", "prepaying"]

    def test_only_our_machinery_sweeps(self, services, payer):
        with pytest.raises(NotAllowed):
            services.sweep.sweep(actor=payer.actor)
