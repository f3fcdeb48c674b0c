"""A drawer under two hands: money that comes while it is stopped, and two counts of it."""

import threading

import pytest
from sqlalchemy import select

from domain.payment_states import PaymentChannel
from domain.shifts import ShiftState
from models import CashierShift
from services.counter import cashiers
from services.counter.reversals import ShiftIsOver
from services.counter.shifts import NoShiftToCount
from services.shifts import ShiftClosing

CASH = PaymentChannel.CASH
HANDS = 8


@pytest.fixture
def here(scene):
    return {"actor": scene.cashier, "community_id": scene.community_id}


class TestFirstMoney:
    @pytest.mark.parametrize("round_no", range(3))
    def test_many_takes_at_once_open_one_shift(self, take, together, database, round_no):
        results = together(*[lambda: take(1000)] * HANDS)

        assert [result for result in results if isinstance(result, Exception)] == []
        assert database.value("SELECT count(*) FROM cashier_shift") == 1
        assert database.value("SELECT count(DISTINCT shift_id) FROM payment") == 1


class TestTakeAgainstClose:
    @pytest.mark.parametrize("round_no", range(5))
    def test_what_was_taken_was_counted(self, services, here, take, together, database, round_no):
        """Whoever comes after the drawer was stopped goes into the next or is refused."""
        take(1000)

        def close():
            services.shifts.begin_close(**here)
            return services.shifts.count(**here, counted_fen={CASH: 0})

        counted, *takes = together(close, *[lambda: take(1000)] * HANDS)

        refused = [result for result in takes if isinstance(result, Exception)]
        assert all(isinstance(result, ShiftClosing) for result in refused)
        held_fen = database.value(
            "SELECT sum(amount_fen)::bigint FROM payment WHERE shift_id = :id", id=counted.id
        )
        assert counted.counts[0].expected_fen == held_fen

    @pytest.mark.breaks_promises
    def test_control_without_the_shared_row_money_slips_past_the_count(
        self, services, here, take, together, database, monkeypatch
    ):
        """The same look without its lock: the money is in the shift and not in its count."""
        take(1000)
        has_looked, has_counted = threading.Event(), threading.Event()
        take_money = cashiers.take_money

        def look_only(tx, actor, house, money, came):
            payment = take_money(tx, actor, house, money, came)
            has_looked.set()
            assert has_counted.wait(timeout=30)
            return payment

        def unlocked(tx, actor, community_id, staff_id):
            return tx.session.scalars(
                select(CashierShift.id).where(CashierShift.state == ShiftState.OPEN)
            ).one()

        monkeypatch.setattr(cashiers, "take_money", look_only)
        monkeypatch.setattr("services.payments.money_in.shift_to_take", unlocked)

        def close():
            assert has_looked.wait(timeout=30)
            services.shifts.begin_close(**here)
            counted = services.shifts.count(**here, counted_fen={CASH: 1000})
            has_counted.set()
            return counted

        counted, _ = together(close, lambda: take(500))

        held_fen = database.value(
            "SELECT sum(amount_fen)::bigint FROM payment WHERE shift_id = :id", id=counted.id
        )
        assert (counted.counts[0].expected_fen, held_fen) == (1000, 1500)


class TestCounts:
    @pytest.mark.parametrize("round_no", range(3))
    def test_of_many_counts_one_holds(self, services, here, take, together, database, round_no):
        take(1000)
        services.shifts.begin_close(**here)

        results = together(
            *(
                lambda fen=fen: services.shifts.count(**here, counted_fen={CASH: fen})
                for fen in range(HANDS)
            )
        )

        refused = [result for result in results if isinstance(result, NoShiftToCount)]
        [counted] = [result for result in results if not isinstance(result, Exception)]
        assert len(refused) == HANDS - 1
        assert database.rows("SELECT counted_fen FROM shift_count WHERE channel = 'cash'") == [
            {"counted_fen": counted.counts[0].counted_fen}
        ]


class TestReverseAgainstClose:
    @pytest.mark.parametrize("round_no", range(5))
    def test_what_was_taken_back_was_counted(
        self, services, scene, here, take, together, database, round_no
    ):
        receipt = take(1000)

        def close():
            services.shifts.begin_close(**here)
            return services.shifts.count(**here, counted_fen={CASH: 0})

        def reverse():
            return services.reversals.reverse(
                actor=scene.manager,
                community_id=scene.community_id,
                receipt_no=receipt.receipt_no,
                reason="录错",
            )

        counted, first, second = together(close, reverse, reverse)

        done = [one for one in (first, second) if not isinstance(one, Exception)]
        assert len(done) <= 1
        assert done or all(isinstance(one, ShiftIsOver) for one in (first, second))
        assert counted.counts[0].expected_fen == (0 if done else 1000)
        assert database.value("SELECT count(*) FROM refund") == len(done)
