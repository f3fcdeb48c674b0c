"""A statement with more rows than a query may have parameters, which are 65,535."""

import pytest

from domain.reconciliation_states import CaseKind
from domain.reconciling import Difference, Entry
from models import ReconciliationRun
from services.reconciliation.books import read_books
from services.reconciliation.found import find_lost
from tests.services.reconciliation.conftest import DAY
from tests.world import merchant_of

ROWS = 70_000


@pytest.fixture
def order(days, database):
    """An order that was paid and booked on the day."""
    days.at(DAY, "12:00")
    days.pay(1000)
    return database.rows("SELECT id, out_trade_no FROM payment_order")[0]


def test_finds_its_refunds(services, order):
    named = [Entry(f"R{number:024d}", 1, is_refund=True) for number in range(ROWS)]

    with services.outbox.unit_of_work.snapshot() as session:
        [ours] = read_books(
            session, channel="wechat", mchid=merchant_of(services), day=DAY, named=named
        )

    assert ours.entry.number == order["out_trade_no"]


def test_finds_the_orders_that_it_says_were_paid(services, order):
    run = ReconciliationRun(channel="wechat", mchid=merchant_of(services), day=DAY)
    numbers = [f"P{number:024d}" for number in range(ROWS)] + [order["out_trade_no"]]
    found = [
        Difference(CaseKind.MISSING_LOCAL, number, number, False, None, 1, "") for number in numbers
    ]

    lost = services.outbox.unit_of_work.run(lambda tx: find_lost(tx, run, found))

    assert lost == [order["id"]]
