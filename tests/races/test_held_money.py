"""Balances, deposits and counters under many hands; a control shows what the guard is for."""

import threading

import pytest
from sqlalchemy import insert, select, update

from domain.actors import operator
from domain.payment_states import PaymentChannel
from domain.prepaid import PrepaidMove
from models import PrepaidAccount, PrepaidEntry
from services.deposits import DepositTooLow
from services.payments.money_in import MoneyIn
from services.prepaid.ledger import BalanceTooLow, move
from tests import factories
from tests.services.payments.conftest import SYSTEM

HANDS = 8


@pytest.fixture
def account_id(take, database):
    take(10000)
    return database.value("SELECT id FROM prepaid_account")


class TestPrepaid:
    @pytest.mark.breaks_promises  # no note stands behind the corrections
    @pytest.mark.parametrize("round_no", range(3))
    def test_the_balance_never_falls_below_zero(
        self, unit_of_work, account_id, together, database, round_no
    ):
        def spend(tx):
            return move(tx, account_id=account_id, kind=PrepaidMove.CORRECTION, amount_fen=-3000)

        results = together(*[lambda: unit_of_work.run(spend)] * HANDS)

        assert sum(isinstance(result, BalanceTooLow) for result in results) == HANDS - 3
        assert sorted(result for result in results if isinstance(result, int)) == [1000, 4000, 7000]
        assert database.value("SELECT balance_fen FROM prepaid_account") == 1000

    @pytest.mark.breaks_promises
    def test_control_look_then_write_spends_the_same_money_many_times(
        self, unit_of_work, account_id, together, database, services
    ):
        everybody_has_looked = threading.Barrier(HANDS)

        def spend(tx):
            balance_fen = tx.session.scalars(
                select(PrepaidAccount.balance_fen).where(PrepaidAccount.id == account_id)
            ).one()
            everybody_has_looked.wait(timeout=30)
            if balance_fen < 3000:
                raise BalanceTooLow
            left_fen = balance_fen - 3000
            tx.session.execute(
                update(PrepaidAccount)
                .where(PrepaidAccount.id == account_id)
                .values(balance_fen=left_fen)
            )
            tx.session.execute(
                insert(PrepaidEntry).values(
                    account_id=account_id,
                    kind="correction",
                    amount_fen=-3000,
                    balance_fen=left_fen,
                    created_at=tx.now,
                )
            )

        assert together(*[lambda: unit_of_work.run(spend)] * HANDS) == [None] * HANDS

        spent = database.value(
            "SELECT sum(amount_fen) FROM prepaid_entry WHERE kind = 'correction'"
        )
        assert spent == -3000 * HANDS
        broken = {
            check.title for check in services.ledger.verify(actor=operator()) if not check.holds
        }
        assert any(title.startswith("预存余额") for title in broken)

    def test_opposite_transfers_do_not_lock_each_other_out(
        self,
        services,
        scene,
        take,
        together,
        database,
        balance,
    ):
        with database.session() as session:
            building = session.get_one(factories.Building, 1)
            other = factories.make_house(session, building=building).id
        take(10000)
        take(10000, house_id=other)
        houses = (scene.house_id, other)
        accounts = {
            row["house_id"]: row["id"]
            for row in database.rows("SELECT id, house_id FROM prepaid_account")
        }

        def transfer(number):
            source, target = houses if number % 2 else houses[::-1]
            return services.prepaid.transfer(
                actor=scene.manager,
                from_account_id=accounts[source],
                to_house_id=target,
                amount_fen=100,
                reason="对转",
                client_key=f"transfer-{number}",
            )

        results = together(*(lambda number=number: transfer(number) for number in range(HANDS)))

        assert all(isinstance(result, int) for result in results)
        assert balance() == balance(other) == {None: 10000}

    def test_offsets_at_once_pay_a_bill_once(
        self,
        services,
        take,
        add_bill,
        bill,
        balance,
        together,
        database,
    ):
        take(10000)
        bill_id = add_bill(6000)

        together(*[lambda: services.prepaid_offsets.offset_due(actor=SYSTEM)] * HANDS)

        assert bill(bill_id) == ("paid", 6000, 6000)
        assert balance() == {None: 4000}
        assert database.value("SELECT count(*) FROM payment WHERE channel = 'prepaid'") == 1


class TestCounter:
    def test_many_taps_with_one_key_take_the_money_once(
        self,
        take,
        add_bill,
        bill,
        together,
        database,
    ):
        bill_id = add_bill(6000)

        receipts = together(*[lambda: take(9000, key="one-key-0001")] * HANDS)

        assert len({receipt.receipt_no for receipt in receipts}) == 1
        assert bill(bill_id) == ("paid", 6000, 6000)
        assert database.value("SELECT count(*) FROM payment") == 1

    def test_many_cashiers_leave_no_gap_and_pay_a_bill_once(
        self,
        services,
        scene,
        add_bill,
        bill,
        together,
        balance,
        database,
    ):
        bill_id = add_bill(6000)

        def take_one(number):
            return services.counter.take(
                actor=scene.cashier,
                community_id=scene.community_id,
                house_id=scene.house_id,
                money=MoneyIn(PaymentChannel.CASH, 5000, "王五"),
                client_key=f"key-{number:08d}",
            )

        receipts = together(*(lambda number=number: take_one(number) for number in range(HANDS)))

        assert sorted(int(receipt.receipt_no[-7:]) for receipt in receipts) == list(
            range(1, HANDS + 1)
        )
        assert bill(bill_id) == ("paid", 6000, 6000)
        assert balance() == {None: 5000 * HANDS - 6000}

    def test_the_counter_against_the_offset(
        self,
        services,
        take,
        add_bill,
        bill,
        balance,
        together,
    ):
        take(10000)
        bill_id = add_bill(6000)

        together(
            lambda: take(6000, key="one-key-0001"),
            lambda: services.prepaid_offsets.offset_due(actor=SYSTEM),
        )

        assert bill(bill_id) == ("paid", 6000, 6000)
        assert balance() == {None: 10000}

    def test_a_deposit_is_not_spent_twice(
        self,
        services,
        scene,
        add_bill,
        together,
        database,
    ):
        services.deposits.take(
            actor=scene.cashier,
            community_id=scene.community_id,
            house_id=scene.house_id,
            name="押金",
            money=MoneyIn(PaymentChannel.CASH, 10000, "王五"),
            client_key="deposit-0001",
        )
        bills = [add_bill(4000) for _ in range(HANDS)]

        def deduct(bill_id):
            return services.deposits.deduct(
                actor=scene.manager,
                deposit_id=1,
                bill_id=bill_id,
                amount_fen=4000,
                reason="抵扣",
                client_key=f"deduct-{bill_id:04d}",
            ).left_fen

        results = together(*(lambda bill_id=bill_id: deduct(bill_id) for bill_id in bills))

        assert sum(isinstance(result, DepositTooLow) for result in results) == HANDS - 2
        assert database.value("SELECT deducted_fen FROM deposit") == 8000
