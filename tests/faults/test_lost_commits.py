"""F3: the line to PostgreSQL breaks at a COMMIT: the caller does not know and asks again."""

import contextlib
import logging
from dataclasses import replace
from itertools import count

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from domain.actors import Role
from domain.payment_states import PaymentChannel
from domain.refund_states import RefundState
from services.payments.money_in import MoneyIn
from tests import factories
from tests.faults.proxy import Cut, FaultProxy
from tests.faults.rig import libpq, report, sized
from tests.faults.scenery import BILL_FEN
from tests.services.payments.conftest import SYSTEM
from tests.world import RecordingQueue
from wsgi import create_app

ROUNDS = sized(1, 10)
TRIES = 60

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def proxy(database_url):
    with FaultProxy(database_url) as proxy:
        yield proxy


@pytest.fixture
def far(app, clock, proxy, settings):
    """The product over the same database, on the other side of the proxy."""
    handlers, level = logging.root.handlers[:], logging.root.level
    far = create_app(replace(settings, database_url=proxy.url), clock=clock, queue=RecordingQueue())
    logging.root.handlers[:], logging.root.level = handlers, level
    yield far
    far.extensions["services"].outbox.unit_of_work.engine.dispose()


@pytest.fixture
def far_services(far):
    return far.extensions["services"]


@pytest.fixture
def cut_at_each(proxy):
    """Do an act with the line cut at its 1st, 2nd, … COMMIT, each time anew, until none is left.

    After each cut it is done again as its caller would; gives how many cuts there were.
    """

    def cut_at_each(act, where):
        for nth in range(1, TRIES):
            before = proxy.cuts
            attempt = act(nth)
            proxy.cut(where, nth)
            first = attempt()
            proxy.heal()
            if proxy.cuts == before:
                assert first == "done"
                return nth - 1
            again = attempt()
            assert again == "done", (nth, again)
        raise AssertionError("it never ends")

    return cut_at_each


@pytest.fixture
def payer(scenery, simulator, database):
    """The scenery's payer as WeChat knows them."""
    person = simulator.person("19900000001")
    database.do("UPDATE wechat_identity SET openid = :it", it=person["openid_miniapp"])
    return scenery


@pytest.fixture
def approved_refund(payer, services, simulator, database, people):
    """Have one more refund of one more payment approved."""
    simulator.post("refund_mode", mode="auto", delay_s=0)
    bills = iter(payer.bills(TRIES))
    payer.bind_all()

    def approved_refund():
        bill_id = next(bills)
        started = services.payments.start(
            actor=payer.actor, bill_ids=[bill_id], idempotency_key=f"key-of-{bill_id:06d}"
        )
        simulator.post(f"pay/{started.payment.out_trade_no}", callbacks="lost")
        services.sweep.ask(order_id=started.payment.id)
        asked = services.payment_refund_requests.ask(
            actor=people["asker"],
            community_id=payer.community_id,
            payment_id=database.value("SELECT max(id) FROM payment"),
            amount_fen=100,
            reason="业主申请退款",
        )
        services.money_decisions.approve(actor=people["manager"], request_id=asked.request_id)

    return approved_refund


def tried(act):
    """Turn what a caller sees into a word: done, or unknown."""

    def attempt():
        try:
            act()
        except (OperationalError, psycopg.OperationalError):
            return "unknown"
        return "done"

    return attempt


@pytest.mark.parametrize("where", list(Cut))
class TestOnceUnderOneKey:
    def test_notices(self, where, scenery, notices, far, cut_at_each, database, promises):
        bills = iter(scenery.bills(TRIES * ROUNDS))
        numbers = count()
        client = far.test_client()
        told = []

        def act(nth):
            prefix = f"N{next(numbers)}"
            [order] = scenery.orders([[(next(bills), BILL_FEN)]], prefix=prefix)
            told.append(order)

            def attempt():
                headers, body = notices.paid(order)
                answer = client.post("/notify/wechatpay", data=body, headers=headers)
                assert answer.status_code in (204, 503)
                return "done" if answer.status_code == 204 else "unknown"

            return attempt

        cuts = sum(cut_at_each(act, where) for _ in range(ROUNDS))

        booked = database.value("SELECT count(*) FROM payment")
        doubles = booked - len(told)
        report(f"F3 notice, {where}", cuts=cuts, payments=booked, doubles=doubles)
        assert cuts >= 4 * ROUNDS
        assert doubles == 0
        assert database.value("SELECT count(*) FROM receipt") == len(told)
        assert promises()

    def test_orders(self, where, payer, far_services, cut_at_each, database, simulator, promises):
        bills = iter(payer.bills(TRIES * ROUNDS))
        payer.bind_all()
        numbers = count()
        keys = []

        def act(nth):
            key, bill_id = f"order-key-{next(numbers)}", next(bills)
            keys.append(key)
            return tried(
                lambda: far_services.payments.start(
                    actor=payer.actor, bill_ids=[bill_id], idempotency_key=key
                )
            )

        cuts = sum(cut_at_each(act, where) for _ in range(ROUNDS))

        orders = database.value("SELECT count(*) FROM payment_order")
        at_the_channel = len(simulator.get("orders"))
        report(f"F3 order, {where}", cuts=cuts, orders=orders, at_the_channel=at_the_channel)
        assert cuts >= 3 * ROUNDS
        assert orders == at_the_channel == len(keys)
        assert promises()

    def test_cash(self, where, scenery, far_services, cut_at_each, database, promises):
        with database.session() as session:
            cashier = factories.staff(session, Role.FINANCE)
        numbers = count()

        def act(nth):
            key = f"cash-key-{next(numbers):06d}"
            return tried(
                lambda: far_services.counter.take(
                    actor=cashier,
                    community_id=scenery.community_id,
                    house_id=scenery.house_id,
                    money=MoneyIn(PaymentChannel.CASH, 5000, "王五"),
                    client_key=key,
                )
            )

        cuts = sum(cut_at_each(act, where) for _ in range(ROUNDS))

        taken = next(numbers)
        payments = database.value("SELECT count(*) FROM payment")
        report(f"F3 cash, {where}", cuts=cuts, payments=payments, doubles=payments - taken)
        assert cuts >= ROUNDS
        assert payments == taken
        assert promises()


@pytest.mark.parametrize("where", list(Cut))
def test_refunds_go_back_once(
    where, payer, approved_refund, far_services, proxy, database, simulator, sweeps, promises
):
    """The worker that sends is cut off at each COMMIT in turn; the timetable comes again."""
    refunds = f"SELECT count(*) FROM refund WHERE state = '{RefundState.SUCCEEDED}'"
    made = 0
    for nth in range(1, TRIES):
        before = proxy.cuts
        approved_refund()
        made += 1
        proxy.cut(where, nth)
        with contextlib.suppress(OperationalError, psycopg.OperationalError):
            far_services.refunds.send_due(actor=SYSTEM)
        proxy.heal()
        sweeps(lambda made=made: database.value(refunds) == made)
        if proxy.cuts == before:
            break

    at_the_channel = len(simulator.get("refunds"))
    report(f"F3 refund, {where}", cuts=proxy.cuts, refunds=made, at_the_channel=at_the_channel)
    assert proxy.cuts >= 3
    assert at_the_channel == made == proxy.cuts + 1
    assert promises()


def test_control_without_a_key_asking_again_takes_the_money_twice(proxy, database):
    """The caller saw an error; the row is stored all the same."""
    database.do("CREATE TABLE naive_taken (amount_fen bigint)")
    try:

        def take():
            with psycopg.connect(libpq(proxy.url)) as connection:
                connection.execute("INSERT INTO naive_taken VALUES (5000)")

        proxy.cut(Cut.REPLY)
        assert tried(take)() == "unknown"
        assert database.value("SELECT count(*) FROM naive_taken") == 1
        assert tried(take)() == "done"

        rows = database.value("SELECT count(*) FROM naive_taken")
        report("F3 control", cuts=proxy.cuts, rows=rows)
        assert rows == 2
    finally:
        database.do("DROP TABLE naive_taken")
