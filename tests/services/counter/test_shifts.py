"""A cashier's day: a float, money in and out, a blind count, and who takes the cash over."""

import pytest

from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.payment_states import PaymentChannel
from domain.shifts import ShiftState
from services.approvals.requests import Payout
from services.counter.shifts import (
    DifferenceUnexplained,
    HandOverDiffers,
    NoShiftToClose,
    NoShiftToCount,
    NoShiftToExplain,
    ShiftAlreadyOpen,
    ShiftNotClosed,
)
from services.payments.money_in import MoneyIn
from services.shifts import ShiftClosing
from tests import factories

CASH = PaymentChannel.CASH


def figures(shift):
    return {one.channel.value: (one.expected_fen, one.counted_fen) for one in shift.counts}


@pytest.fixture
def another(database, scene):
    """Another cashier of the same counter."""
    with database.session() as session:
        return factories.staff(session, role="cashier")


class TestTaking:
    def test_money_goes_into_the_open_shift(self, shifts, here, take, take_deposit, database):
        shift = shifts.open(**here, float_fen=20000)

        take(5000)
        take_deposit(3000)

        assert database.rows("SELECT DISTINCT shift_id FROM payment") == [{"shift_id": shift.id}]

    def test_the_first_money_opens_a_shift_without_float(self, take, database, audit):
        take(5000)
        take(6000)

        [shift] = database.rows("SELECT id, state, float_fen FROM cashier_shift")
        assert (shift["state"], shift["float_fen"]) == ("open", 0)
        assert database.rows("SELECT DISTINCT shift_id FROM payment") == [{"shift_id": shift["id"]}]
        assert audit().count("shift_opened") == 1

    def test_who_counts_takes_nothing_and_may_go_on_afterwards(
        self, shifts, here, take, take_deposit, database, state
    ):
        take(5000)
        shifts.begin_close(**here)

        with pytest.raises(ShiftClosing):
            take(1000)
        with pytest.raises(ShiftClosing):
            take_deposit(1000)
        assert database.value("SELECT count(*) FROM payment") == 1

        shifts.reopen(**here)
        take(1000)
        assert database.value("SELECT count(DISTINCT shift_id) FROM payment") == 1
        assert state() == ["open"]

    def test_after_the_count_money_opens_the_next_shift(self, take, close, state):
        take(5000)
        close(5000)

        take(1000)

        assert state() == ["closed", "open"]

    def test_each_cashier_has_a_drawer_of_their_own(self, shifts, here, another, scene, take):
        shifts.open(**here, float_fen=0)
        theirs = shifts.open(actor=another, community_id=scene.community_id, float_fen=100)
        take(5000)
        shifts.begin_close(actor=another, community_id=scene.community_id)

        counted = shifts.count(
            actor=another, community_id=scene.community_id, counted_fen={CASH: 100}
        )

        assert counted.id == theirs.id
        assert not counted.differs
        take(1000)

    @pytest.mark.parametrize("float_fen", [-1, 100_000_000_000])
    def test_a_float_that_cannot_be(self, shifts, here, float_fen):
        with pytest.raises(InvalidInput):
            shifts.open(**here, float_fen=float_fen)

    def test_one_shift_at_a_time(self, shifts, here, state):
        shifts.open(**here, float_fen=0)

        with pytest.raises(ShiftAlreadyOpen):
            shifts.open(**here, float_fen=0)
        shifts.begin_close(**here)
        with pytest.raises(ShiftAlreadyOpen):
            shifts.open(**here, float_fen=0)
        assert state() == ["closing"]

    def test_no_shift_of_a_community_that_is_none_or_ended(self, shifts, scene, database):
        with pytest.raises(NotFound):
            shifts.open(actor=scene.cashier, community_id=999, float_fen=0)
        database.do("UPDATE community SET is_active = false")
        with pytest.raises(NotFound):
            shifts.open(actor=scene.cashier, community_id=scene.community_id, float_fen=0)


class TestCount:
    def test_each_way_is_counted_and_compared(self, shifts, here, take, close):
        shifts.open(**here, float_fen=20000)
        take(5000)
        take(700, channel=PaymentChannel.CARD)
        take(900, channel=PaymentChannel.BANK_TRANSFER, voucher_no="V1")
        take(1100, channel=PaymentChannel.CHEQUE, voucher_no="V2")

        counted = close(25000, card=700, bank_transfer=900, cheque=1100)

        assert counted.state is ShiftState.CLOSED
        assert figures(counted) == {
            "cash": (25000, 25000),
            "card": (700, 700),
            "bank_transfer": (900, 900),
            "cheque": (1100, 1100),
        }
        assert [(one.kind_shown, one.amount_fen) for one in counted.entries] == [
            ("收款", 5000),
            ("收款", 700),
            ("收款", 900),
            ("收款", 1100),
        ]
        assert not counted.differs

    def test_a_difference_stays_on_file_and_asks_finance(self, take, close, database, audit):
        take(5000)
        take(700, channel=PaymentChannel.CARD)

        counted = close(4500, note="找零时多给了 5 元", card=900)

        assert figures(counted)["cash"] == (5000, 4500)
        assert [one.difference_fen for one in counted.counts][:2] == [-500, 200]
        [task] = database.rows("SELECT kind, title, community_id FROM staff_task")
        assert task["kind"] == "shift_difference"
        assert "现金短款 ¥5.00，刷卡长款 ¥2.00" in task["title"]
        assert audit("shift_counted")[0]["cash_fen"] == {"counted": 4500, "expected": 5000}

    def test_what_fits_asks_nobody(self, take, close, database):
        take(5000)

        close(5000)

        assert database.value("SELECT count(*) FROM staff_task") == 0

    def test_a_way_that_is_not_named_counts_as_nothing(self, take, close):
        take(700, channel=PaymentChannel.CARD)

        assert figures(close(0))["card"] == (700, 0)

    def test_what_was_paid_out_elsewhere_is_still_in_the_drawer(
        self, services, scene, take, close, finance, database
    ):
        take(5000)
        asked = services.money_requests.request_prepaid_refund(
            actor=scene.manager,
            account_id=database.value("SELECT id FROM prepaid_account"),
            amount_fen=1200,
            reason="业主搬走",
            payout=Payout("cash", "王五", "19900000001"),
        )
        services.money_decisions.approve(actor=finance, request_id=asked)

        assert figures(close(5000))["cash"] == (5000, 5000)

    def test_a_refund_at_the_counter_comes_out_of_the_drawer(
        self, services, shifts, scene, take, database, finance
    ):
        """Finance takes money as a cashier does, and pays some of it back."""
        services.counter.take(
            actor=finance,
            community_id=scene.community_id,
            house_id=scene.house_id,
            money=MoneyIn(CASH, 5000, "王五"),
            client_key="finance-0001",
        )
        asked = services.payment_refund_requests.ask(
            actor=finance,
            community_id=scene.community_id,
            payment_id=database.value("SELECT id FROM payment"),
            amount_fen=1200,
            reason="多收",
            payout=Payout("cash", "王五", "19900000001"),
        )
        services.money_decisions.approve(actor=scene.manager, request_id=asked.request_id)
        mine = {"actor": finance, "community_id": scene.community_id}
        shifts.begin_close(**mine)

        counted = shifts.count(**mine, counted_fen={CASH: 3800})

        assert figures(counted)["cash"] == (3800, 3800)
        assert [(one.kind_shown, one.amount_fen) for one in counted.entries] == [
            ("收款", 5000),
            ("退款", -1200),
        ]

    def test_the_counts_are_blind(self, shifts, here, scene, take):
        """Nobody, not even finance, is shown a sum of a shift before it was counted."""
        shifts.open(**here, float_fen=0)
        take(5000)
        shift = shifts.begin_close(**here)

        for actor in (scene.cashier, scene.manager):
            shown = shifts.show(actor=actor, community_id=scene.community_id, shift_id=shift.id)
            assert (shown.counts, shown.entries) == ((), ())

    def test_only_what_was_stopped_is_counted_and_only_once(self, shifts, here, take, database):
        with pytest.raises(NoShiftToCount):
            shifts.count(**here, counted_fen={CASH: 0})
        take(5000)
        with pytest.raises(NoShiftToCount):
            shifts.count(**here, counted_fen={CASH: 5000})
        shifts.begin_close(**here)
        shifts.count(**here, counted_fen={CASH: 4000})

        with pytest.raises(NoShiftToCount):
            shifts.count(**here, counted_fen={CASH: 5000})
        with pytest.raises(NoShiftToCount):
            shifts.reopen(**here)
        assert database.value("SELECT counted_fen FROM shift_count WHERE channel = 'cash'") == 4000

    def test_nothing_to_stop(self, shifts, here):
        with pytest.raises(NoShiftToClose):
            shifts.begin_close(**here)

    @pytest.mark.parametrize(
        ("counted", "field"),
        [
            ({}, "cash"),
            ({CASH: -1}, "cash"),
            ({CASH: 100_000_000_000}, "cash"),
            ({CASH: 0, PaymentChannel.WECHAT: 1}, "wechat"),
            ({CASH: 0, PaymentChannel.CARD: -1}, "card"),
        ],
    )
    def test_a_count_that_cannot_be(self, shifts, here, take, counted, field):
        take(5000)
        shifts.begin_close(**here)

        with pytest.raises(InvalidInput) as refused:
            shifts.count(**here, counted_fen=counted)

        assert list(refused.value.fields) == [field]

    def test_too_many_words(self, take, close):
        take(5000)

        with pytest.raises(InvalidInput) as refused:
            close(5000, note="字" * 201)

        assert list(refused.value.fields) == ["note"]


class TestExplain:
    def test_why_it_differs_may_be_said_after_the_count_and_once(
        self, shifts, here, take, close, audit
    ):
        take(5000)
        shift = close(4500)

        said = shifts.explain(**here, shift_id=shift.id, note=" 找零多给 ")

        assert said.note == "找零多给"
        assert audit("shift_explained")[0]["note"] == "找零多给"
        with pytest.raises(NoShiftToExplain):
            shifts.explain(**here, shift_id=shift.id, note="其实不是")

    def test_nothing_to_explain(self, shifts, here, take, close):
        take(5000)
        shift = close(5000)

        with pytest.raises(NoShiftToExplain):
            shifts.explain(**here, shift_id=shift.id, note="没有差额")

    def test_nobody_explains_for_another(self, shifts, scene, another, take, close):
        take(5000)
        shift = close(4500)

        with pytest.raises(NotFound):
            shifts.explain(
                actor=another, community_id=scene.community_id, shift_id=shift.id, note="替他说"
            )

    @pytest.mark.parametrize("note", ["", "  ", "字" * 201])
    def test_words_that_cannot_be(self, shifts, here, take, close, note):
        take(5000)
        shift = close(4500)

        with pytest.raises(InvalidInput):
            shifts.explain(**here, shift_id=shift.id, note=note)


class TestHandOver:
    @pytest.fixture
    def hand_over(self, shifts, scene, finance):
        return lambda shift, cash_fen, actor=finance: shifts.hand_over(
            actor=actor, community_id=scene.community_id, shift_id=shift.id, cash_fen=cash_fen
        )

    def test_finance_confirms_the_cash(self, take, close, hand_over, finance, database, clock):
        take(5000)
        shift = close(5000)

        taken = hand_over(shift, 5000)

        assert taken.state is ShiftState.HANDED_OVER
        assert taken.taken_over_by == database.value(
            "SELECT name FROM staff WHERE id = :id", id=finance.id
        )
        assert taken.taken_over_at == clock.now()

    def test_other_cash_than_was_counted_is_not_taken_over(self, take, close, hand_over, state):
        take(5000)
        shift = close(5000)

        with pytest.raises(HandOverDiffers):
            hand_over(shift, 4999)
        assert state() == ["closed"]

    def test_a_difference_must_be_explained_first(self, shifts, here, take, close, hand_over):
        take(5000)
        shift = close(4500)

        with pytest.raises(DifferenceUnexplained):
            hand_over(shift, 4500)

        shifts.explain(**here, shift_id=shift.id, note="找零多给")
        assert hand_over(shift, 4500).state is ShiftState.HANDED_OVER

    def test_nobody_takes_over_their_own(self, services, shifts, scene, finance, hand_over):
        services.counter.take(
            actor=finance,
            community_id=scene.community_id,
            house_id=scene.house_id,
            money=MoneyIn(CASH, 5000, "王五"),
            client_key="finance-0001",
        )
        mine = {"actor": finance, "community_id": scene.community_id}
        shifts.begin_close(**mine)
        shift = shifts.count(**mine, counted_fen={CASH: 5000})

        with pytest.raises(NotAllowed):
            hand_over(shift, 5000, actor=finance)

    def test_a_cashier_takes_nothing_over(self, take, close, hand_over, another):
        take(5000)
        shift = close(5000)

        with pytest.raises(NotAllowed):
            hand_over(shift, 5000, actor=another)

    def test_not_before_the_count_and_not_twice(self, shifts, here, take, close, hand_over):
        take(5000)
        [shift] = shifts.list_own(**here)
        with pytest.raises(ShiftNotClosed):
            hand_over(shift, 5000)
        close(5000)
        hand_over(shift, 5000)

        with pytest.raises(ShiftNotClosed):
            hand_over(shift, 5000)

    def test_of_another_community(self, shifts, take, close, finance):
        take(5000)
        shift = close(5000)

        with pytest.raises(NotFound):
            shifts.hand_over(actor=finance, community_id=999, shift_id=shift.id, cash_fen=5000)


class TestLists:
    def test_newest_first(self, shifts, here, scene, take, close):
        take(5000)
        close(5000)
        take(1000)

        states = [shift.state for shift in shifts.list_own(**here)]

        assert states == [ShiftState.OPEN, ShiftState.CLOSED]
        everybodys = shifts.list_of_community(actor=scene.manager, community_id=scene.community_id)
        assert [shift.state for shift in everybodys] == states

    def test_of_one_day(self, shifts, scene, take, close, clock, today):
        take(5000)
        close(5000)
        first = today()
        clock.advance(days=1)
        take(1000)

        def on(day):
            return [
                shift.state.value
                for shift in shifts.list_of_community(
                    actor=scene.manager, community_id=scene.community_id, opened_on=day
                )
            ]

        assert on(first) == ["closed"]
        assert on(today()) == ["open"]

    def test_a_cashier_sees_their_own_only(self, shifts, here, scene, another, take, close):
        take(5000)
        shift = close(5000)

        assert shifts.show(**here, shift_id=shift.id).counts
        theirs = {"actor": another, "community_id": scene.community_id}
        assert shifts.list_own(**theirs) == []
        with pytest.raises(NotFound):
            shifts.show(**theirs, shift_id=shift.id)
        with pytest.raises(NotAllowed):
            shifts.list_of_community(**theirs)
        with pytest.raises(NotFound):
            shifts.show(actor=scene.manager, community_id=999, shift_id=shift.id)
