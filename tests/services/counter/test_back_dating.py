"""Money that was handed over on an earlier day and is entered only now."""

from datetime import datetime, time, timedelta

import pytest

from domain.errors import InvalidInput, NotAllowed
from domain.payment_states import PaymentChannel
from domain.periods import SHANGHAI
from services.keys import KeyUsedForOther
from services.payments.money_in import MoneyIn
from tests import factories


@pytest.fixture
def take_of(services, scene, finance, today):
    """Let finance enter money of so many days ago."""

    def take_of(days_ago, amount_fen=5000, actor=None, note="停电，手工收据补录", key="late-0001"):
        return services.counter.take(
            actor=actor or finance,
            community_id=scene.community_id,
            house_id=scene.house_id,
            money=MoneyIn(
                PaymentChannel.CASH,
                amount_fen,
                "王五",
                note=note,
                received_on=today() - timedelta(days=days_ago),
            ),
            client_key=key,
        )

    return take_of


class TestReceivedOn:
    def test_the_late_fee_is_that_of_the_day(
        self, take_of, add_bill, charge_late, bill, late_fee, balance
    ):
        charge_late()
        bill_id = add_bill(126000, days_late=50)

        take_of(3, 128961)

        assert bill(bill_id) == ("paid", 126000, 126000)
        assert late_fee(bill_id) == (2961, 0, 2961)
        assert balance() == {}

    def test_paying_early_counts_by_the_day(self, take_of, add_bill, bill, database, scene):
        with database.session() as session:
            item = session.get_one(factories.FeeItem, scene.item_id)
            factories.make_early_discount(session, item=item, early_days=31)
        bill_id = add_bill(10000, days_late=3)

        take_of(3, 9500)

        assert bill(bill_id) == ("paid", 9500, 9500)

    def test_the_books_say_which_day_and_when_it_was_entered(
        self, take_of, today, clock, database, audit
    ):
        day = today() - timedelta(days=3)

        receipt = take_of(3)

        [payment] = database.rows("SELECT paid_at, booked_at, shift_id FROM payment")
        assert payment["paid_at"] == datetime.combine(day, time(12), SHANGHAI)
        assert payment["booked_at"] == clock.now()
        assert payment["shift_id"] == database.value("SELECT id FROM cashier_shift")
        assert (
            audit("money_taken")[0]
            | {
                "received_on": day.isoformat(),
                "entered_on": today().isoformat(),
            }
            == audit("money_taken")[0]
        )
        assert f"补录：{day} 收款，{today()} 录入" in receipt.snapshot["remarks"]

    def test_today_is_nothing_special(self, take_of, scene, audit, clock, database):
        receipt = take_of(0, actor=scene.cashier, note="")

        assert receipt.snapshot["remarks"] == []
        assert "received_on" not in audit("money_taken")[0]
        assert database.value("SELECT paid_at FROM payment") == clock.now()

    def test_a_deposit_likewise(self, services, scene, finance, today, database):
        day = today() - timedelta(days=3)
        receipt = services.deposits.take(
            actor=finance,
            community_id=scene.community_id,
            house_id=scene.house_id,
            name="装修押金",
            money=MoneyIn(PaymentChannel.CASH, 5000, "王五", note="补录", received_on=day),
            client_key="late-0001",
        )

        assert database.value("SELECT paid_at FROM payment") == datetime.combine(
            day, time(12), SHANGHAI
        )
        assert f"补录：{day} 收款，{today()} 录入" in receipt.snapshot["remarks"]

    def test_the_cashier_may_not(self, take_of, scene, database):
        with pytest.raises(NotAllowed):
            take_of(1, actor=scene.cashier)
        assert database.value("SELECT count(*) FROM payment") == 0

    @pytest.mark.parametrize("days_ago", [-1, 61])
    def test_a_day_to_come_or_too_long_ago(self, take_of, database, days_ago):
        with pytest.raises(InvalidInput) as refused:
            take_of(days_ago)

        assert list(refused.value.fields) == ["received_on"]
        assert database.value("SELECT count(*) FROM payment") == 0

    def test_sixty_days_ago_is_the_last(self, take_of, database):
        take_of(60)

        assert database.value("SELECT count(*) FROM payment") == 1

    def test_nobody_says_why(self, take_of, database):
        with pytest.raises(InvalidInput) as refused:
            take_of(1, note=" ")

        assert list(refused.value.fields) == ["note"]
        assert database.value("SELECT count(*) FROM payment") == 0

    def test_the_same_key_with_another_day_is_another_request(self, take_of):
        take_of(1)

        with pytest.raises(KeyUsedForOther):
            take_of(2)

    def test_more_waived_since_than_had_accrued_on_the_day_leaves_nothing(
        self, services, scene, take_of, add_bill, charge_late, bill, late_fee, finance
    ):
        charge_late()
        bill_id = add_bill(126000, days_late=47)
        asked = services.money_requests.request_late_fee_waiver(
            actor=scene.manager, bill_id=bill_id, amount_fen=2000, reason="停电"
        )
        services.money_decisions.approve(actor=finance, request_id=asked)

        take_of(45, 126000)

        assert bill(bill_id) == ("paid", 126000, 126000)
        assert late_fee(bill_id) == (0, 2000, 126)
