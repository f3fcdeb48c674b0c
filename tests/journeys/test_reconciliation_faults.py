"""F30: statements that are doctored in every way; each difference is found, none is put right."""

import random
from collections import Counter

import pytest

from domain.payment_states import PaymentChannel
from tests.services.conftest import tamper  # noqa: F401 - past the triggers
from tests.services.payments.conftest import make_payer  # noqa: F401 - who pays
from tests.services.reconciliation.conftest import DAY, days  # noqa: F401 - a day of payments

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(600)]

SEED = 30
PAYMENTS = 24
FOUND_AS = {
    "missing_row": "missing_channel",
    "extra_row": "missing_local",
    "amount_off": "amount",
    "duplicate_row": "duplicate",
}
MONEY = ("payment", "allocation", "refund", "suspense", "receipt")


def books(database):
    """Everything that is money, as it stands."""
    return {table: database.rows(f"SELECT * FROM {table} ORDER BY id") for table in MONEY}


def compared(days, channel):  # noqa: F811
    """Reconcile a day anew; give what is open, and how many hold."""
    days.database.do("DELETE FROM reconciliation_case")
    days.database.do("DELETE FROM reconciliation_run")
    run = days.reconcile(channel)
    return run, Counter(kind for kind, _, state in days.cases() if state == "open")


def a_day(days, chance, channel):  # noqa: F811
    """Many payments and some refunds, a minute or so apart."""
    paid = []
    for _ in range(PAYMENTS):
        paid.append(days.pay(chance.randint(1, 500_000), channel=channel))
        days.wait(seconds=chance.randint(10, 100))
    for payment in chance.sample(paid, 4):
        days.refund(payment, chance.randint(1, payment.amount_fen))
    days.morning_after()
    return [payment.out_trade_no for payment in paid]


@pytest.mark.parametrize("channel", [PaymentChannel.WECHAT, PaymentChannel.ALIPAY])
class TestF30:
    def test_each_difference_is_found_and_none_put_right(self, days, channel):  # noqa: F811
        """Figures are printed, as the fault matrix asks."""
        database, chance = days.database, random.Random(SEED)
        numbers = a_day(days, chance, channel)
        before = books(database)
        run, found = compared(days, channel)
        assert (run.our_count, found) == (PAYMENTS + 4, Counter()), "a false positive"
        seeded_in_all = found_in_all = 0
        for seeded in self.spoilt(days, chance, channel, numbers):
            run, found = compared(days, channel)
            assert found == seeded, (seeded, found)
            assert run.unsettled == seeded.total()
            seeded_in_all += seeded.total()
            found_in_all += found.total()
        assert books(database) == before, "something was put right by itself"
        assert compared(days, channel)[1] == Counter(), "a false positive"
        print(
            f"F30 {channel} seed {SEED}: {found_in_all}/{seeded_in_all} differences found, "
            "0 put right, 0 false positives in 2 days"
        )

    def spoilt(self, days, chance, channel, numbers):  # noqa: F811
        """Doctor one statement after the other and tell what is to be found in it."""
        if channel is PaymentChannel.ALIPAY:
            for kind, shown in FOUND_AS.items():
                days.spoil(kind, channel)
                yield Counter([shown])
            return
        for _ in range(6):
            # Each row of its own, so that no fault hides another.
            chosen = chance.sample(numbers, 9)
            seeded = []
            for number in chosen:
                kind = chance.choice(sorted(set(FOUND_AS) - {"extra_row"}))
                days.spoil(kind, out_trade_no=number)
                seeded.append(FOUND_AS[kind])
            days.spoil("extra_row")
            yield Counter([*seeded, FOUND_AS["extra_row"]])

    def test_a_refund_that_one_side_lacks(self, days, channel, database, tamper):  # noqa: F811
        paid = days.pay(channel=channel)
        days.wait(minutes=2)
        number = days.refund(paid, 300)
        days.morning_after()
        tamper(f"UPDATE refund SET refund_no = refund_no || 'X' WHERE refund_no = '{number}'")
        try:
            _, found = compared(days, channel)
        finally:
            tamper(f"UPDATE refund SET refund_no = '{number}'")

        # The channel has one that we have not, and we have one that it has not.
        assert found == Counter({"refund": 2})

    def test_what_was_not_read_is_never_no_difference(self, days, channel):  # noqa: F811
        days.pay(channel=channel)
        days.morning_after()
        if channel is PaymentChannel.WECHAT:
            for kind, state in (("wrong_hash", "failed"), ("STATEMENT_CREATING", "waiting")):
                days.spoil(kind)
                run, found = compared(days, channel)
                assert (run.state, run.done_at, found) == (state, None, Counter())
        days.simulator.fault(
            host="pay" if channel is PaymentChannel.WECHAT else "ali", status=502, times=3
        )
        run, found = compared(days, channel)
        assert (run.state, run.done_at, found) == ("failed", None, Counter())
        assert days.tasks("reconciliation_failed") == 1
        days.simulator.clear_faults()
        assert compared(days, channel)[0].day == DAY
