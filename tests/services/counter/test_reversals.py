"""What a cashier entered wrongly is taken back by somebody else, out of the same open drawer."""

import pytest

from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.payment_states import PaymentChannel
from services.approvals.requests import Payout
from services.counter.reversals import NotReversible, ShiftIsOver
from services.payments.money_in import MoneyIn


@pytest.fixture
def reverse(services, scene):
    def reverse(receipt, actor=None, reason="户号录错", community_id=None):
        return services.reversals.reverse(
            actor=actor or scene.manager,
            community_id=community_id or scene.community_id,
            receipt_no=receipt.receipt_no,
            reason=reason,
        )

    return reverse


@pytest.fixture
def unchanged(database):
    """Nothing was given back; the whole payment stands."""

    def unchanged():
        assert database.value("SELECT count(*) FROM refund") == 0
        assert database.value("SELECT count(*) FROM receipt_mark") == 0

    return unchanged


class TestReverse:
    def test_bills_owe_it_again_and_what_was_kept_is_gone(
        self, take, reverse, add_bill, bill, balance, database, audit
    ):
        bill_id = add_bill(3000)
        receipt = take(5000)

        done = reverse(receipt)

        assert done.amount_fen == 5000
        assert bill(bill_id) == ("published", 3000, 0)
        assert balance() == {None: 0}
        [mark] = database.rows("SELECT kind, amount_fen FROM receipt_mark")
        assert mark == {"kind": "void", "amount_fen": 5000}
        [refund] = database.rows(
            "SELECT refund.kind, refund.state, refund.shift_id = payment.shift_id AS same_shift,"
            " refund.staff_id <> payment.taken_by_staff_id AS other_person"
            " FROM refund JOIN payment ON payment.id = refund.payment_id"
        )
        assert refund == {
            "kind": "reversal",
            "state": "succeeded",
            "same_shift": True,
            "other_person": True,
        }
        assert audit("money_reversed")[0]["receipt_no"] == receipt.receipt_no

    def test_a_late_fee_and_a_discount_are_as_before(
        self, take, reverse, add_bill, charge_late, bill, late_fee
    ):
        charge_late()
        bill_id = add_bill(126000, days_late=47)
        receipt = take(128961)
        assert late_fee(bill_id) == (2961, 0, 2961)

        reverse(receipt)

        assert bill(bill_id) == ("published", 126000, 0)
        assert late_fee(bill_id) == (0, 0, None)

    def test_a_deposit_goes_back(self, take_deposit, reverse, database):
        receipt = take_deposit(10000)

        reverse(receipt)

        assert database.rows("SELECT amount_fen, returned_fen FROM deposit") == [
            {"amount_fen": 10000, "returned_fen": 10000}
        ]

    def test_the_drawer_holds_it_no_more(self, take, reverse, close):
        receipt = take(5000)
        take(700)
        reverse(receipt)

        counted = close(700)

        assert not counted.differs
        assert [(one.kind_shown, one.amount_fen) for one in counted.entries] == [
            ("收款", 5000),
            ("收款", 700),
            ("冲红", -5000),
        ]

    def test_nobody_takes_back_what_they_took_themselves(
        self, services, scene, reverse, finance, unchanged
    ):
        receipt = services.counter.take(
            actor=finance,
            community_id=scene.community_id,
            house_id=scene.house_id,
            money=MoneyIn(PaymentChannel.CASH, 5000, "王五"),
            client_key="finance-0001",
        )

        with pytest.raises(NotAllowed):
            reverse(receipt, actor=finance)
        unchanged()

    def test_a_cashier_takes_nothing_back(self, take, reverse, scene, unchanged):
        receipt = take(5000)

        with pytest.raises(NotAllowed):
            reverse(receipt, actor=scene.cashier)
        unchanged()

    def test_while_the_drawer_is_counted_and_after_it_must_be_a_refund(
        self, shifts, here, take, reverse, unchanged
    ):
        receipt = take(5000)
        shifts.begin_close(**here)
        with pytest.raises(ShiftIsOver) as refused:
            reverse(receipt)
        assert "请改走退款" in refused.value.message
        shifts.count(**here, counted_fen={PaymentChannel.CASH: 5000})

        with pytest.raises(ShiftIsOver):
            reverse(receipt)
        unchanged()

    def test_the_cashiers_next_drawer_is_another(self, take, reverse, close, unchanged):
        receipt = take(5000)
        close(5000)
        take(1000)

        with pytest.raises(ShiftIsOver):
            reverse(receipt)
        unchanged()

    def test_prepaid_money_that_was_spent_is_not_there(
        self, services, scene, take, reverse, add_bill, unchanged
    ):
        receipt = take(5000)
        add_bill(1000)
        services.prepaid_offsets.offset(actor=scene.manager, house_id=scene.house_id)

        with pytest.raises(NotReversible):
            reverse(receipt)
        unchanged()

    def test_a_deposit_that_was_used_is_not_there(
        self, services, scene, take_deposit, reverse, add_bill, unchanged
    ):
        receipt = take_deposit(10000)
        services.deposits.deduct(
            actor=scene.manager,
            deposit_id=1,
            bill_id=add_bill(1000),
            amount_fen=1000,
            reason="抵扣",
            client_key="deduct-0001",
        )

        with pytest.raises(NotReversible):
            reverse(receipt)
        unchanged()

    def test_what_was_refunded_in_part_is_not_whole(
        self, services, scene, take, reverse, finance, database
    ):
        receipt = take(5000)
        asked = services.payment_refund_requests.ask(
            actor=scene.manager,
            community_id=scene.community_id,
            payment_id=receipt.taken_id,
            amount_fen=100,
            reason="多收",
            payout=Payout("cash", "王五", "19900000001"),
        )
        services.money_decisions.approve(actor=finance, request_id=asked.request_id)

        with pytest.raises(NotReversible):
            reverse(receipt)
        assert database.value("SELECT count(*) FROM refund WHERE kind = 'reversal'") == 0

    def test_once_only(self, take, reverse, database):
        receipt = take(5000)
        reverse(receipt)

        with pytest.raises(NotReversible) as refused:
            reverse(receipt)
        assert refused.value.message == "这笔收款已有退款或已冲红，不能再冲红"
        assert database.value("SELECT count(*) FROM refund") == 1

    @pytest.mark.breaks_promises  # nobody gave the receipt of money that came online
    def test_money_that_came_online_was_in_no_drawer(self, take, reverse, tamper, unchanged):
        receipt = take(5000)
        tamper("UPDATE payment SET channel = 'wechat', shift_id = NULL, taken_by_staff_id = NULL")

        with pytest.raises(NotReversible):
            reverse(receipt)
        unchanged()

    def test_another_communitys_receipt(self, take, reverse, unchanged):
        receipt = take(5000)

        with pytest.raises(NotFound):
            reverse(receipt, community_id=999)
        unchanged()

    @pytest.mark.parametrize("reason", ["", "  ", "字" * 201])
    def test_a_reason_that_is_none(self, take, reverse, unchanged, reason):
        receipt = take(5000)

        with pytest.raises(InvalidInput):
            reverse(receipt, reason=reason)
        unchanged()
