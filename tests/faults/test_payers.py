"""F6, F7: many payers of one bill, and payments over the same bills in opposite orders."""

import multiprocessing
import random
import threading

import psycopg
import pytest
from psycopg.errors import DeadlockDetected
from sqlalchemy import event

from domain.actors import system_actor
from services.pay_ports import ChannelTrade, TradeState
from tests.faults.rig import libpq, report, seeded, sized

PROCESSES = sized(4, 8)
PAYMENTS = sized(15, 30)
COPIES = 3
PART_FEN = 1000
ROUNDS = sized(12, 60)

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(900)]


def trade_of(order, now):
    return ChannelTrade(
        channel="wechat",
        mchid=order.mchid,
        appid=order.appid,
        out_trade_no=order.out_trade_no,
        state=TradeState.SUCCESS,
        transaction_id=order.transaction_id,
        amount_fen=order.amount_fen,
        currency="CNY",
        payer_openid=order.openid,
        paid_at=now,
    )


@pytest.fixture
def settle_in_processes(services):
    """Settle lists of trades, each in a process of its own, all beginning together.

    Gives how many deadlocks PostgreSQL broke in these processes. Its own statistics would count
    those of earlier tests as well, as a session tells of them only when it is idle or closed.
    """

    def settle_in_processes(lists):
        engine = services.outbox.unit_of_work.engine
        engine.dispose()
        context = multiprocessing.get_context("fork")
        start = context.Barrier(len(lists))
        deadlocks = context.Value("i", 0)

        def count(failure):
            if isinstance(failure.original_exception, DeadlockDetected):
                with deadlocks.get_lock():
                    deadlocks.value += 1

        def work(trades):
            engine.dispose(close=False)
            event.listen(engine, "handle_error", count)
            start.wait(timeout=60)
            for trade in trades:
                services.settlement.settle(actor=system_actor("测试"), trade=trade)

        processes = [context.Process(target=work, args=(trades,)) for trades in lists]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * len(lists)
        return deadlocks.value

    return settle_in_processes


class TestManyPayersOfOneBill:
    @pytest.mark.parametrize("share_open", [1, 0.25], ids=["ample", "tight"])
    def test_each_counts_once_and_no_bill_is_over_paid(
        self, scenery, settle_in_processes, database, clock, promises, share_open
    ):
        rng = seeded("F6")
        payments = PROCESSES * PAYMENTS
        total_fen = round(payments * PART_FEN * share_open)
        [bill_id] = scenery.bills(1, amount_fen=total_fen)
        orders = scenery.orders([[(bill_id, PART_FEN)]] * payments, state="closed")
        lists = []
        for number in range(PROCESSES):
            # Two processes tell of each payment: its own, and the neighbour of another.
            own = orders[number::PROCESSES] * (COPIES - 1)
            neighbours = orders[(number + 1) % PROCESSES :: PROCESSES]
            trades = [trade_of(order, clock.now()) for order in own + neighbours]
            lists.append(rng.sample(trades, len(trades)))

        settle_in_processes(lists)

        booked = database.value("SELECT count(*) FROM payment")
        paid_fen = database.value("SELECT paid_fen FROM bill WHERE id = :id", id=bill_id)
        surplus_fen = database.value("SELECT coalesce(sum(amount_fen), 0) FROM suspense")
        report(
            f"F6 {'ample' if share_open == 1 else 'tight'}",
            processes=PROCESSES,
            deliveries=sum(map(len, lists)),
            payments=booked,
            doubles=booked - payments,
            paid_fen=paid_fen,
            surplus_fen=surplus_fen,
        )
        assert booked == payments
        assert paid_fen == total_fen
        assert surplus_fen == payments * PART_FEN - total_fen
        assert promises()

    def test_control_read_then_write_loses_money(self, database, database_url):
        """What is paid is read, added to and written back: the last to write wins."""
        database.do("CREATE TABLE naive_bill (paid_fen bigint)")
        database.do("INSERT INTO naive_bill VALUES (0)")

        def pay():
            with psycopg.connect(libpq(database_url), autocommit=True) as connection:
                for _ in range(PAYMENTS):
                    with connection.transaction():
                        [paid_fen] = connection.execute("SELECT * FROM naive_bill").fetchone()
                        connection.execute(
                            "UPDATE naive_bill SET paid_fen = %s", [paid_fen + PART_FEN]
                        )

        payers = [threading.Thread(target=pay) for _ in range(PROCESSES)]
        try:
            for payer in payers:
                payer.start()
            for payer in payers:
                payer.join()
            lost_fen = PROCESSES * PAYMENTS * PART_FEN - database.value("SELECT * FROM naive_bill")
            report("F6 control", payments=PROCESSES * PAYMENTS, lost_fen=lost_fen)
            assert lost_fen > 0
        finally:
            database.do("DROP TABLE naive_bill")


class TestOppositeOrders:
    def test_sorted_locks_meet_no_deadlock(
        self, scenery, settle_in_processes, database, clock, promises
    ):
        rng = seeded("F7")
        bills = scenery.bills(5, amount_fen=10**7)
        parts = [
            [(bill_id, PART_FEN) for bill_id in rng.sample(bills, 3)]
            for _ in range(PROCESSES * ROUNDS)
        ]
        orders = scenery.orders(parts, state="closed")
        trades = [trade_of(order, clock.now()) for order in orders]

        met = settle_in_processes([trades[number::PROCESSES] for number in range(PROCESSES)])

        booked = database.value("SELECT count(*) FROM payment")
        report("F7", processes=PROCESSES, payments=booked, deadlocks=met)
        assert met == 0
        assert booked == len(orders)
        assert database.value("SELECT sum(paid_fen) FROM bill") == booked * 3 * PART_FEN
        assert promises()

    def test_control_unsorted_locks_deadlock(self, database, database_url):
        """The same load over rows that are taken as they come, by threads without our unit."""
        rng = seeded("F7 control")
        database.do("CREATE TABLE naive_bill (id int PRIMARY KEY, paid_fen bigint)")
        database.do("INSERT INTO naive_bill SELECT n, 0 FROM generate_series(1, 5) n")
        met = []

        def pay(seed):
            mine = random.Random(seed)
            with psycopg.connect(libpq(database_url), autocommit=True) as connection:
                connection.execute("SET deadlock_timeout = '20ms'")
                for _ in range(ROUNDS * 3):
                    try:
                        with connection.transaction():
                            for bill_id in mine.sample(range(1, 6), 3):
                                connection.execute(
                                    "UPDATE naive_bill SET paid_fen = paid_fen + 1 WHERE id = %s",
                                    [bill_id],
                                )
                    except DeadlockDetected as deadlock:
                        met.append(deadlock)

        payers = [threading.Thread(target=pay, args=(rng.random(),)) for _ in range(6)]
        try:
            for payer in payers:
                payer.start()
            for payer in payers:
                payer.join()
            report("F7 control", payers=len(payers), deadlocks=len(met))
            assert met
        finally:
            database.do("DROP TABLE naive_bill")
