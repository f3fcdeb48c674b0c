"""Days are compared with real statements of the simulated channels."""

import zlib
from datetime import timedelta

import pytest

from domain.actors import Permission
from domain.errors import InvalidInput, NotAllowed
from domain.payment_states import PaymentChannel
from services.pay_ports import MerchantUnknown
from tests import factories
from tests.services.payments.conftest import SYSTEM
from tests.services.reconciliation.conftest import DAY
from tests.world import merchant_of

BOTH = [PaymentChannel.WECHAT, PaymentChannel.ALIPAY]


@pytest.fixture
def due(services):
    """Reconcile what is due and tell how many days were tried."""
    return lambda: services.reconciliation.run_due(actor=SYSTEM)


@pytest.mark.parametrize("channel", BOTH)
class TestBothChannels:
    def test_a_day_that_agrees_has_no_difference(self, days, channel, database):
        paid = days.pay(channel=channel)
        days.pay(555, channel=channel)
        days.wait(minutes=1)
        days.refund(paid, 300)
        days.morning_after()

        run = days.reconcile(channel)

        assert (run.state, run.error, run.unsettled) == ("done", "", 0)
        assert (run.our_count, run.their_count) == (3, 3)
        assert (run.our_paid_fen, run.their_paid_fen) == (1555, 1555)
        assert (run.our_refunded_fen, run.their_refunded_fen) == (300, 300)
        assert run.next_at is None
        assert days.cases() == []
        kept = database.value("SELECT statement FROM reconciliation_run")
        assert paid.out_trade_no.encode() in zlib.decompress(kept)

    @pytest.mark.parametrize(
        ("fault", "kind"),
        [
            ("missing_row", "missing_channel"),
            ("extra_row", "missing_local"),
            ("amount_off", "amount"),
            ("duplicate_row", "duplicate"),
        ],
    )
    def test_a_seeded_difference_is_found_and_nothing_is_put_right(
        self, days, channel, fault, kind, database
    ):
        days.pay(channel=channel)
        days.morning_after()
        days.spoil(fault, channel)
        before = database.rows("SELECT * FROM payment")

        run = days.reconcile(channel)

        assert [case[0] for case in days.cases()] == [kind]
        assert run.unsettled == 1
        assert days.tasks("reconciliation_differs") == 1
        assert database.rows("SELECT * FROM payment") == before

    def test_what_is_not_found_again_resolves_itself_and_may_come_back(self, days, channel):
        days.pay(channel=channel)
        days.morning_after()
        days.spoil("missing_row", channel)
        days.reconcile(channel)

        assert days.reconcile(channel).unsettled == 0
        assert [case[2] for case in days.cases()] == ["auto_resolved"]
        assert days.tasks() == []

        days.spoil("missing_row", channel)
        assert days.reconcile(channel).unsettled == 1
        assert [case[2] for case in days.cases()] == ["open"]

    def test_a_lost_success_is_booked_by_asking_and_its_case_resolves_itself(
        self, days, channel, database
    ):
        lost = days.pay(channel=channel, is_heard=False)
        days.morning_after()

        run = days.reconcile(channel)

        assert run.unsettled == 0
        assert days.cases() == [("missing_local", lost.out_trade_no, "auto_resolved")]
        assert database.value("SELECT out_trade_no FROM payment") == lost.out_trade_no
        assert (run.our_count, run.their_count) == (1, 1)

    def test_no_statement_is_no_trade_and_ours_are_missing_there(self, days, channel):
        assert days.pay(channel=channel)
        days.morning_after()
        fault = "NO_STATEMENT_EXIST" if channel is PaymentChannel.WECHAT else "creating"
        days.spoil(fault, channel)

        run = days.reconcile(channel)

        assert (run.state, run.has_statement, run.unsettled) == ("done", False, 1)
        assert [case[0] for case in days.cases()] == ["missing_channel"]

    def test_a_day_without_trade_on_either_side_agrees(self, days, channel):
        days.morning_after()

        run = days.reconcile(channel)

        assert (run.state, run.has_statement, run.their_count) == ("done", False, 0)

    def test_a_statement_in_the_making_is_waited_for(self, days, channel):
        days.pay(channel=channel)
        days.at(DAY + timedelta(days=1), "09:00")
        if channel is PaymentChannel.ALIPAY:
            days.spoil("creating", channel)

        run = days.reconcile(channel)

        assert (run.state, run.error) == ("waiting", "statement_not_ready")
        assert run.next_at == days.services.clock.now() + timedelta(minutes=30)
        assert days.cases() == []


class TestFailures:
    @pytest.mark.parametrize(
        ("break_it", "error"),
        [
            (lambda days: days.spoil("wrong_hash"), "broken:checksum"),
            (
                lambda days: days.simulator.fault(host="pay", path="tradebill", status=502),
                "unavailable",
            ),
            (
                lambda days: days.simulator.fault(
                    host="pay",
                    path="tradebill",
                    pay_error={"status": 403, "code": "NO_AUTH"},
                ),
                "refused:NO_AUTH",
            ),
        ],
        ids=["checksum", "silence", "refusal"],
    )
    def test_a_statement_that_was_not_read_is_a_failed_run(self, days, break_it, error):
        """The payment is not in any statement we read: that is no difference, it is not known."""
        days.pay()
        days.morning_after()
        break_it(days)

        run = days.reconcile()

        assert (run.state, run.error, run.done_at) == ("failed", error, None)
        assert run.next_at == days.services.clock.now() + timedelta(hours=1)
        assert days.cases() == []
        assert days.tasks("reconciliation_failed") == 1

        assert days.reconcile().state == "done"
        assert days.tasks() == []

    def test_after_a_day_of_failures_it_is_left_to_a_person(self, days, database):
        days.morning_after()
        days.spoil("wrong_hash", times=30)
        days.pay()
        days.morning_after(DAY + timedelta(days=1))
        day = DAY + timedelta(days=1)
        days.reconcile(day=day)
        database.do("UPDATE reconciliation_run SET tries = 22")

        assert days.reconcile(day=day).next_at is not None
        assert days.reconcile(day=day).next_at is None

    def test_what_was_read_whole_stays_when_a_later_try_fails(self, days):
        days.pay()
        days.morning_after()
        days.reconcile()
        days.spoil("wrong_hash")

        run = days.reconcile()

        assert (run.state, run.error, run.their_count) == ("done", "broken:checksum", 1)

    def test_a_statement_that_never_comes_is_told(self, days, database):
        days.pay()
        days.morning_after()
        days.spoil("STATEMENT_CREATING", times=3)
        days.reconcile()
        assert days.tasks() == []
        database.do("UPDATE reconciliation_run SET tries = 47")

        assert days.reconcile().state == "waiting"
        assert days.tasks("reconciliation_failed") == 1

    def test_a_day_that_breaks_us_stops_no_other(self, services, days, due, database, monkeypatch):
        days.morning_after()
        wechat = services.pay_channels.default(PaymentChannel.WECHAT)
        monkeypatch.setattr(wechat, "read_statement", lambda day: 1 / 0)

        due()

        states = {
            (row["mchid"], row["state"], row["error"])
            for row in database.rows("SELECT * FROM reconciliation_run")
        }
        assert (wechat.mchid, "failed", "unexpected") in states
        assert (merchant_of(services, PaymentChannel.ALIPAY), "done", "") in states


class TestAtOnce:
    def test_two_runs_of_one_day_write_each_difference_once(self, days, together):
        days.pay()
        days.morning_after()
        days.spoil("missing_row", times=2)

        results = together(days.reconcile, days.reconcile)

        assert {run.unsettled for run in results} == {1}
        assert len(days.cases()) == 1

    def test_what_one_works_on_no_other_takes(self, services, days, due, monkeypatch):
        """A second ticker comes by while the first waits for its statement."""
        days.morning_after()
        wechat = services.pay_channels.default(PaymentChannel.WECHAT)
        read, tried = wechat.read_statement, []

        def slow(day):
            if not tried:
                tried.append(due())
            return read(day)

        monkeypatch.setattr(wechat, "read_statement", slow)

        assert due() == 2
        assert tried == [1], "the other account's only"

    def test_whoever_was_cut_off_is_followed_up(self, days, due, database):
        days.morning_after()
        due()
        database.do(
            "UPDATE reconciliation_run SET state = 'waiting', done_at = NULL, next_at = :at"
            " WHERE channel = 'wechat'",
            at=days.services.clock.now() + timedelta(minutes=10),
        )
        assert due() == 0

        days.wait(minutes=10)
        assert due() == 1
        assert set(database.rows("SELECT state FROM reconciliation_run")[0].values()) == {"done"}


class TestMidnight:
    @pytest.fixture
    def shift(self, tamper):
        """Let our payment be of another instant than the channel's statement has it."""
        return lambda instant: tamper(f"UPDATE payment SET paid_at = '{instant}'")

    @pytest.mark.parametrize(
        ("theirs", "ours", "is_found"),
        [
            ("23:59:58", "2026-11-21 00:00:02+08", False),
            ("12:00:00", "2026-11-21 12:00:00+08", True),
        ],
    )
    def test_ours_is_of_the_next_day(self, days, shift, theirs, ours, is_found):
        days.at(DAY, theirs)
        days.pay()
        shift(ours)
        days.morning_after(DAY + timedelta(days=1))

        # On their day we have it by its number; on ours their day is looked at, near midnight.
        assert days.reconcile().unsettled == 0
        assert days.reconcile(day=DAY + timedelta(days=1)).unsettled == int(is_found)

    def test_theirs_is_of_the_next_day_whose_statement_is_not_made_yet(self, days, shift):
        days.at(DAY + timedelta(days=1), "00:00:02")
        days.pay()
        shift("2026-11-20 23:59:58+08")
        days.morning_after()

        run = days.reconcile()

        assert run.unsettled == 0
        assert run.next_at is not None

        days.morning_after(DAY + timedelta(days=1))
        assert days.reconcile().next_at is None
        # On their day we have it by its number, of the day before.
        assert days.reconcile(day=DAY + timedelta(days=1)).unsettled == 0
        assert days.cases() == []

    def test_what_the_neighbour_does_not_have_either_is_missing_in_the_end(self, days):
        days.at(DAY, "23:59:50")
        days.pay()
        days.morning_after()
        days.spoil("missing_row")
        assert days.reconcile().unsettled == 0

        days.morning_after(DAY + timedelta(days=1))
        days.spoil("missing_row")

        assert days.reconcile().unsettled == 1

    def test_a_neighbour_that_is_never_read_is_not_waited_for_for_ever(self, days):
        days.at(DAY, "23:59:50")
        days.pay()
        for later, unsettled in ((4, 0), (5, 1)):
            days.at(DAY + timedelta(days=later), "12:00")
            # The day's own statement lacks the row; the neighbour's cannot be read.
            days.spoil("missing_row")
            days.simulator.fault(host="pay", path="tradebill", nth=2, status=502)
            assert days.reconcile().unsettled == unsettled
            days.simulator.clear_faults()

    def test_a_refund_near_midnight_may_stand_on_the_other_day(self, days, tamper):
        paid = days.pay()
        days.at(DAY, "23:57:30")
        days.refund(paid, 300)
        ours = "2026-11-21 00:00:02+08"
        tamper(f"UPDATE refund SET created_at = '{ours}', refunded_at = '{ours}'")
        days.morning_after(DAY + timedelta(days=1))

        assert days.reconcile(day=DAY + timedelta(days=1)).unsettled == 0

    def test_a_refund_that_ends_the_day_after_stands_in_the_statement_before(self, days):
        paid = days.pay()
        days.at(DAY, "23:58:30")
        days.simulator.post("refund_mode", delay_s=3 * 3600)
        days.refund(paid, 300)
        days.at(DAY + timedelta(days=1), "03:30")
        days.services.refunds.send_due(actor=SYSTEM)
        assert days.database.value("SELECT state FROM refund") == "succeeded"
        days.morning_after(DAY + timedelta(days=1))

        assert days.reconcile().unsettled == 0
        assert days.reconcile(day=DAY + timedelta(days=1)).unsettled == 0
        assert days.cases() == []


class TestDue:
    def days_of(self, database, channel):
        return [
            row["day"]
            for row in database.rows(
                "SELECT day FROM reconciliation_run WHERE channel = :channel ORDER BY day",
                channel=channel,
            )
        ]

    def test_yesterday_of_every_account_after_ten_without_any_order(
        self, days, due, services, database
    ):
        days.at(DAY + timedelta(days=1), "09:59")
        due()
        assert DAY not in self.days_of(database, "wechat")

        days.morning_after()
        due()

        assert self.days_of(database, "wechat")[-1] == DAY
        assert self.days_of(database, "alipay")[-1] == DAY
        assert due() == 0

    def test_missed_days_are_caught_up_with_but_not_all(self, days, due, database):
        days.pay()
        days.morning_after()
        due()
        days.morning_after(DAY + timedelta(days=3))

        due()
        newest = DAY + timedelta(days=3)
        assert self.days_of(database, "wechat")[-4:] == [
            newest - timedelta(days=n) for n in (3, 2, 1, 0)
        ]

        days.morning_after(DAY + timedelta(days=80))
        due()
        assert len(self.days_of(database, "wechat")) == 4 + 30

    def test_a_failed_day_is_tried_again_when_it_is_time(self, days, due):
        days.pay()
        days.morning_after()
        days.spoil("wrong_hash")
        due()
        days.wait(minutes=59)
        assert due() == 0

        days.wait(minutes=1)
        assert due() == 1
        assert days.tasks() == []

    def test_a_day_with_open_differences_is_looked_at_again_the_next_day(self, days, due):
        days.pay()
        days.morning_after()
        days.spoil("missing_row")
        due()
        days.wait(hours=23)
        assert [case[2] for case in days.cases()] == ["open"]

        days.wait(hours=2)
        due()

        assert [case[2] for case in days.cases()] == ["auto_resolved"]


class TestWho:
    def test_is_not_for_everybody(self, services, app):
        nobody = factories.actor_without(Permission.RECONCILE)
        with pytest.raises(NotAllowed):
            services.reconciliation.run(actor=nobody, channel="wechat", mchid="1", day=DAY)
        with pytest.raises(NotAllowed):
            services.reconciliation.run_due(actor=nobody)

    @pytest.mark.parametrize("ago", [0, -1, 91])
    def test_only_days_that_are_over_and_kept(self, days, ago):
        with pytest.raises(InvalidInput):
            days.reconcile(day=DAY - timedelta(days=ago))

    def test_only_our_accounts(self, services, days):
        days.morning_after()
        with pytest.raises(MerchantUnknown):
            services.reconciliation.run(actor=SYSTEM, channel="wechat", mchid="1", day=DAY)
