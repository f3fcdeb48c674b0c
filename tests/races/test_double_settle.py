"""One payment, told of many times at once. The control shows what the unique insert is for."""

import threading
from dataclasses import replace

import pytest
from sqlalchemy import select

from models import Payment
from services.payments import settle as settling
from services.payments.settle import Verdict
from tests.services.payments.conftest import SYSTEM

COPIES = 8


@pytest.fixture
def settle_all(services, together):
    def settle_all(*trades):
        return together(
            *(
                lambda trade=trade: services.settlement.settle(actor=SYSTEM, trade=trade)
                for trade in trades
            )
        )

    return settle_all


class TestDoubleSettle:
    @pytest.mark.parametrize("round_no", range(5))
    def test_many_copies_at_once_book_once(
        self, settle_all, start, trade_for, database, bills, round_no
    ):
        trade = trade_for(start())

        verdicts = settle_all(*[trade] * COPIES)

        assert sorted(verdicts) == [Verdict.ALREADY_BOOKED] * (COPIES - 1) + [Verdict.BOOKED]
        assert database.value("SELECT count(*) FROM payment") == 1
        assert database.value("SELECT count(*) FROM receipt") == 1
        assert database.value("SELECT count(*) FROM suspense") == 0
        assert set(bills().values()) == {("paid", 21002), ("paid", 1200)}

    def test_two_different_payments_of_one_order_keep_the_second_whole(
        self, settle_all, start, trade_for, database
    ):
        trade = trade_for(start())

        verdicts = settle_all(trade, replace(trade, transaction_id="4200002"))

        assert sorted(verdicts) == [Verdict.BOOKED, Verdict.IN_SUSPENSE]
        assert database.value("SELECT sum(amount_fen) FROM suspense") == 22202

    @pytest.mark.breaks_promises
    def test_control_without_the_unique_insert_the_same_money_counts_many_times(
        self, settle_all, start, trade_for, database, monkeypatch
    ):
        """Check first, insert after, as one would without thinking: every copy sees nothing."""
        trade = trade_for(start())
        everybody_has_looked = threading.Barrier(COPIES)

        def look_then_insert(tx, trade):
            known = tx.session.scalars(
                select(Payment.id).where(Payment.provider_transaction_id == trade.transaction_id)
            ).all()
            everybody_has_looked.wait(timeout=30)
            if known:
                return None
            payment = Payment(
                channel=trade.channel,
                mchid=trade.mchid,
                provider_transaction_id=trade.transaction_id,
                out_trade_no=trade.out_trade_no,
                amount_fen=trade.amount_fen,
                paid_at=trade.paid_at,
                booked_at=tx.now,
            )
            tx.session.add(payment)
            tx.session.flush()
            return payment

        monkeypatch.setattr(settling, "_insert_payment", look_then_insert)
        constraint = "uq_payment_provider_transaction_id"
        database.do(f"ALTER TABLE payment DROP CONSTRAINT {constraint}")
        try:
            verdicts = settle_all(*[trade] * COPIES)

            assert sorted(verdicts) == [Verdict.BOOKED] + [Verdict.IN_SUSPENSE] * (COPIES - 1)
            assert database.value("SELECT count(*) FROM payment") == COPIES
            harm_fen = database.value("SELECT sum(amount_fen) FROM suspense")
            assert harm_fen == (COPIES - 1) * 22202
        finally:
            database.empty()
            database.do(
                f"ALTER TABLE payment ADD CONSTRAINT {constraint}"
                " UNIQUE (channel, mchid, provider_transaction_id)"
            )
