from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.settling import AllocationKind, OpenBill, Placement, place

PRINCIPAL, LATE_FEE = AllocationKind
JANUARY = OpenBill(7, date(2025, 1, 31), 1000, 50)
MARCH = OpenBill(3, date(2025, 3, 31), 2000, 0)
ALSO_MARCH = OpenBill(5, date(2025, 3, 31), 700, 10)
ALL = [ALSO_MARCH, JANUARY, MARCH]


class TestPlace:
    def test_earliest_due_first_then_by_id_and_principal_before_late_fee(self):
        placements, left_fen = place(amount_fen=4000, bills=ALL)

        assert placements == [
            Placement(7, PRINCIPAL, 1000),
            Placement(7, LATE_FEE, 50),
            Placement(3, PRINCIPAL, 2000),
            Placement(5, PRINCIPAL, 700),
            Placement(5, LATE_FEE, 10),
        ]
        assert left_fen == 240

    @pytest.mark.parametrize(
        ("late_fee_first", "placements"),
        [
            (False, [Placement(7, PRINCIPAL, 30)]),
            (True, [Placement(7, LATE_FEE, 30)]),
        ],
    )
    def test_the_setting_says_what_of_a_bill_goes_first(self, late_fee_first, placements):
        assert place(amount_fen=30, bills=ALL, late_fee_first=late_fee_first) == (placements, 0)

    def test_late_fee_first_is_within_a_bill_only(self):
        placements, _ = place(amount_fen=1100, bills=ALL, late_fee_first=True)

        assert placements == [
            Placement(7, LATE_FEE, 50),
            Placement(7, PRINCIPAL, 1000),
            Placement(3, PRINCIPAL, 50),
        ]

    def test_named_bills_go_in_the_order_named(self):
        placements, left_fen = place(amount_fen=2500, bills=ALL, named=[3, 7])

        assert placements == [Placement(3, PRINCIPAL, 2000), Placement(7, PRINCIPAL, 500)]
        assert left_fen == 0

    def test_what_named_bills_leave_is_prepaid(self):
        assert place(amount_fen=2500, bills=ALL, named=[3]) == (
            [Placement(3, PRINCIPAL, 2000)],
            500,
        )

    def test_naming_twice_is_naming_once(self):
        assert place(amount_fen=2500, bills=ALL, named=[3, 3]) == place(
            amount_fen=2500, bills=ALL, named=[3]
        )

    def test_no_bills_is_all_prepaid(self):
        assert place(amount_fen=100, bills=[]) == ([], 100)

    def test_no_money_goes_nowhere(self):
        assert place(amount_fen=0, bills=ALL) == ([], 0)

    @pytest.mark.parametrize(
        "given",
        [
            {"amount_fen": -1, "bills": ALL},
            {"amount_fen": 1, "bills": [*ALL, MARCH]},
            {"amount_fen": 1, "bills": ALL, "named": [4]},
            {"amount_fen": 1, "bills": [MARCH._replace(principal_fen=-1)]},
            {"amount_fen": 1, "bills": [MARCH._replace(late_fee_fen=-1)]},
        ],
    )
    def test_nonsense_is_a_mistake_of_ours(self, given):
        with pytest.raises(ValueError, match=r"never negative|twice|not open"):
            place(**given)


FEN = st.integers(0, 3000)
BILLS = st.lists(
    st.builds(
        OpenBill,
        bill_id=st.integers(1, 9),
        due_date=st.dates(date(2025, 1, 1), date(2025, 1, 4)),
        principal_fen=FEN,
        late_fee_fen=FEN,
    ),
    max_size=6,
    unique_by=lambda bill: bill.bill_id,
)


@st.composite
def payments(draw):
    bills = draw(BILLS)
    ids = [bill.bill_id for bill in bills]
    return {
        "amount_fen": draw(st.integers(0, 20000)),
        "bills": bills,
        "named": draw(st.lists(st.sampled_from(ids), max_size=4)) if ids else [],
        "late_fee_first": draw(st.booleans()),
    }


class TestProperties:
    @given(payments())
    def test_no_fen_is_made_or_lost(self, payment):
        placements, left_fen = place(**payment)

        assert sum(each.amount_fen for each in placements) + left_fen == payment["amount_fen"]
        assert left_fen >= 0

    @given(payments())
    def test_nothing_is_paid_twice_or_beyond_what_is_open(self, payment):
        open_fen = {}
        for bill in payment["bills"]:
            open_fen[bill.bill_id, PRINCIPAL] = bill.principal_fen
            open_fen[bill.bill_id, LATE_FEE] = bill.late_fee_fen

        placements, _ = place(**payment)

        assert len({(each.bill_id, each.kind) for each in placements}) == len(placements)
        for each in placements:
            assert 0 < each.amount_fen <= open_fen[each.bill_id, each.kind]

    @given(payments(), st.randoms(use_true_random=False))
    def test_does_not_depend_on_the_order_of_the_bills(self, payment, random):
        bills = payment["bills"]

        assert place(**payment | {"bills": random.sample(bills, len(bills))}) == place(**payment)

    @given(payments())
    def test_money_is_left_only_when_all_that_may_be_paid_is(self, payment):
        placements, left_fen = place(**payment)

        if left_fen:
            payable = payment["named"] or [bill.bill_id for bill in payment["bills"]]
            due_fen = sum(
                bill.principal_fen + bill.late_fee_fen
                for bill in payment["bills"]
                if bill.bill_id in payable
            )
            assert sum(each.amount_fen for each in placements) == due_fen

    @given(payments())
    def test_only_the_last_placement_may_be_partial(self, payment):
        bills = {bill.bill_id: bill for bill in payment["bills"]}

        placements, _ = place(**payment)

        for each in placements[:-1]:
            bill = bills[each.bill_id]
            whole = bill.principal_fen if each.kind is PRINCIPAL else bill.late_fee_fen
            assert each.amount_fen == whole
