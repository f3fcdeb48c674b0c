"""One bill, many taps on 'pay'."""

import pytest

from services.payments.opening import BillInPayment
from tests.services.payments.conftest import SYSTEM

TAPS = 6


class TestDoubleStart:
    def test_many_taps_with_one_key_open_one_order(
        self, services, payer, together, database, simulator
    ):
        started = together(
            *[
                lambda: (
                    services.payments.start(
                        actor=payer.actor, bill_ids=payer.bill_ids, idempotency_key="one-key-1"
                    ).payment.id
                )
            ]
            * TAPS
        )

        assert len(set(started)) == 1
        assert database.value("SELECT count(*) FROM payment_order") == 1
        assert len(simulator.get("orders")) == 1

    def test_many_keys_still_open_one_order(self, services, payer, together, database):
        started = together(
            *(
                lambda key=f"key-{number:08d}": (
                    services.payments.start(
                        actor=payer.actor, bill_ids=payer.bill_ids, idempotency_key=key
                    ).payment.id
                )
                for number in range(TAPS)
            )
        )

        assert len(set(started)) == 1
        assert database.value("SELECT count(*) FROM payment_order") == 1

    def test_two_owners_of_a_house_cannot_both_pay(
        self, services, payer, make_payer, together, database
    ):
        other = make_payer(phone="19900000002", house_id=payer.house_id)

        results = together(
            *(
                lambda who=who: (
                    services.payments.start(
                        actor=who.actor, bill_ids=payer.bill_ids, idempotency_key="one-key-1"
                    ).payment.id
                )
                for who in (payer, other)
            )
        )

        assert sum(isinstance(result, BillInPayment) for result in results) == 1
        assert database.value("SELECT count(*) FROM payment_order") == 1

    def test_bills_in_opposite_orders_do_not_lock_each_other_out(
        self, services, payer, together, database
    ):
        first, second = payer.bill_ids
        results = together(
            *(
                lambda ids=ids, number=number: (
                    services.payments.start(
                        actor=payer.actor, bill_ids=ids, idempotency_key=f"key-{number:08d}"
                    ).payment.id
                )
                for number, ids in enumerate([[first, second], [second, first]] * 3)
            )
        )

        assert len(set(results)) == 1

    @pytest.mark.parametrize("round_no", range(3))
    def test_a_cancel_against_the_money(
        self, services, payer, start, trade_for, together, database, simulator, bills, round_no
    ):
        """Whoever is faster: the money is booked, and the bills are paid exactly once."""
        payment = start()
        simulator.post(f"pay/{payment.out_trade_no}", callbacks="lost")
        paid = simulator.get("orders")[0]
        trade = trade_for(payment, transaction_id=paid["transaction_id"])

        together(
            lambda: services.payments.cancel(actor=payer.actor, payment_id=payment.id),
            lambda: services.settlement.settle(actor=SYSTEM, trade=trade),
            lambda: services.payments.refresh(actor=payer.actor, payment_id=payment.id),
        )

        assert database.value("SELECT state FROM payment_order") == "succeeded"
        assert database.value("SELECT count(*) FROM payment") == 1
        assert set(bills().values()) == {("paid", 21002), ("paid", 1200)}
