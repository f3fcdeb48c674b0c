"""F1: web processes are killed while they take notices; the platform comes again until taken."""

import json
from functools import lru_cache

import pytest

from tests.faults import naive
from tests.faults.rig import Storm, Webs, percentile, report, seeded, sized
from tests.faults.scenery import BILL_FEN

COPIES = 3
ORDERS = sized(953, 31_750)
KILLS = sized(30, 500)
PAID_TWICE = 0.05  # so many orders are paid a second time, by other money
CONTROL_ORDERS = sized(200, 1_000)
CONTROL_KILLS = sized(6, 30)

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(3600)]


def test_kills_in_mid_notice_double_and_lose_nothing(
    scenery, notices, env, tmp_path, database, promises
):
    rng = seeded("F1")
    bills = scenery.bills(ORDERS)
    orders = scenery.orders([[(bill_id, BILL_FEN)] for bill_id in bills])
    paid_twice = orders[: round(ORDERS * PAID_TWICE)]
    money = [(order, order.transaction_id) for order in orders]
    money += [(order, f"{order.transaction_id}again") for order in paid_twice]
    rng.shuffle(money)

    @lru_cache(maxsize=256)  # the copies of a notice follow each other
    def send_as(delivery):
        order, transaction_id = delivery
        headers, body = notices.paid(order, transaction_id=transaction_id)
        return "/notify/wechatpay", headers, body

    with Webs(tmp_path, env) as webs:
        told = Storm(webs, rng, kills=KILLS).deliver(
            [one for one in money for _ in range(COPIES)], send_as
        )

    booked = database.value("SELECT count(*) FROM payment")
    doubles = booked - database.value("SELECT count(DISTINCT provider_transaction_id) FROM payment")
    surplus_fen = database.value("SELECT coalesce(sum(amount_fen), 0) FROM suspense")
    looked_at = promises()
    report(
        "F1",
        deliveries=told.deliveries,
        kills=told.kills,
        retries=told.retries,
        payments=booked,
        doubles=doubles,
        lost=len(money) - booked,
        surplus_fen_kept=surplus_fen,
        p99_s=percentile(told.answered_s, 0.99),
        rows_checked=looked_at,
    )
    assert told.deliveries == len(money) * COPIES
    assert told.kills == KILLS
    assert told.retries > 0
    assert (booked, doubles) == (len(money), 0)
    assert database.value("SELECT sum(amount_fen) FROM payment") == len(money) * BILL_FEN
    assert database.value("SELECT count(*) FROM bill WHERE state = 'paid'") == ORDERS
    assert surplus_fen == len(paid_twice) * BILL_FEN


def test_control_look_then_insert_doubles_and_loses(scenery, env, tmp_path, database):
    """The same storm over an app that looks, inserts and pays the bill one after another."""
    rng = seeded("F1 control")
    database.do(naive.DROP)
    database.do(naive.TABLES)
    try:
        database.do(
            "INSERT INTO naive_bill (bill_id) SELECT n FROM generate_series(1, :n) n",
            n=CONTROL_ORDERS,
        )
        with Webs(tmp_path, env, app="tests.faults.naive:create_app()") as webs:
            Storm(webs, rng, kills=CONTROL_KILLS).deliver(
                [number for number in range(1, CONTROL_ORDERS + 1) for _ in range(COPIES)],
                lambda number: (
                    "/",
                    {"Content-Type": "application/json"},
                    json.dumps(
                        {
                            "transaction_id": f"42{number}",
                            "bill_id": number,
                            "amount_fen": BILL_FEN,
                        }
                    ),
                ),
            )
        doubles = database.value(
            "SELECT count(*) - count(DISTINCT transaction_id) FROM naive_payment"
        )
        overpaid = database.value(
            "SELECT count(*) FROM naive_bill WHERE paid_fen > :fen", fen=BILL_FEN
        )
        report("F1 control", doubles=doubles, bills_over_paid=overpaid, bills=CONTROL_ORDERS)
        assert doubles > 0
        assert overpaid > 0
    finally:
        database.do(naive.DROP)
