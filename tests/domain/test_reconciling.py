"""What differs between two sides of a day: each kind, and random days with seeded differences."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.reconciliation_states import CaseKind
from domain.reconciling import Entry, Moved, compare, list_missing

PAID = Entry("P1", 1000, transaction_id="T1")
BACK = Entry("R1", 300, is_refund=True, transaction_id="T1")


def kinds(ours, theirs, **more):
    return [one.kind for one in compare(ours, theirs, **more)]


class TestCompare:
    def test_the_same_on_both_sides_is_no_difference(self):
        assert kinds([PAID, BACK], [BACK, PAID]) == []

    @pytest.mark.parametrize(
        ("ours", "theirs", "kind"),
        [
            ([], [PAID], CaseKind.MISSING_LOCAL),
            ([PAID], [], CaseKind.MISSING_CHANNEL),
            ([PAID], [replace(PAID, amount_fen=1001)], CaseKind.AMOUNT),
            ([PAID], [replace(PAID, moved=Moved.NO)], CaseKind.STATUS),
            ([PAID], [replace(PAID, transaction_id="T2")], CaseKind.STATUS),
            ([PAID], [PAID, PAID], CaseKind.DUPLICATE),
            ([], [BACK], CaseKind.REFUND),
            ([BACK], [], CaseKind.REFUND),
            ([BACK], [replace(BACK, amount_fen=301)], CaseKind.REFUND),
            ([replace(BACK, moved=Moved.NO)], [BACK], CaseKind.STATUS),
            ([replace(BACK, moved=Moved.UNDECIDED)], [BACK], CaseKind.STATUS),
            ([BACK], [BACK, BACK], CaseKind.DUPLICATE),
        ],
    )
    def test_each_kind_of_difference(self, ours, theirs, kind):
        (found,) = compare(ours, theirs)

        assert found.kind is kind
        assert found.number in ("P1", "R1")
        assert found.detail

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            # What the channel has on its way may have ended for us later, or go on.
            ([BACK], [replace(BACK, moved=Moved.UNDECIDED)]),
            ([replace(BACK, moved=Moved.UNDECIDED)], [replace(BACK, moved=Moved.UNDECIDED)]),
            ([replace(BACK, moved=Moved.NO)], [replace(BACK, moved=Moved.NO)]),
            # What did not move is not missing.
            ([], [replace(PAID, moved=Moved.NO)]),
            # Not of this day: it need not be there, but it may.
            ([replace(PAID, is_expected=False)], []),
            ([replace(PAID, is_expected=False)], [PAID]),
        ],
    )
    def test_what_is_no_difference(self, ours, theirs):
        assert kinds(ours, theirs) == []

    def test_what_a_neighbour_day_has_is_not_missing(self):
        assert kinds([PAID], [], elsewhere=[PAID]) == []
        assert kinds([PAID], [], elsewhere=[replace(PAID, amount_fen=1)]) == [CaseKind.AMOUNT]

    def test_two_refunds_of_one_payment_are_two(self):
        other = replace(BACK, number="R2")

        assert kinds([BACK, other], [BACK, other]) == []

    def test_two_strangers_under_one_number_have_keys_of_their_own(self):
        """A payer whose money came twice under one order of ours."""
        other = replace(PAID, transaction_id="T2")

        for theirs in ([PAID, other], [other, PAID]):
            assert [one.key for one in compare([], theirs)] == ["P1", "P1:T2"]


class TestMissing:
    def test_lists_only_what_must_be_there(self):
        early = replace(PAID, number="P2", is_expected=False)

        assert list_missing([PAID, BACK, early], [BACK]) == [PAID]


CHANGES = {
    "missing_row": (CaseKind.MISSING_CHANNEL, CaseKind.REFUND),
    "extra_ours": (CaseKind.MISSING_LOCAL, CaseKind.REFUND),
    "amount": (CaseKind.AMOUNT, CaseKind.REFUND),
    "status": (CaseKind.STATUS, CaseKind.STATUS),
    "duplicate": (CaseKind.DUPLICATE, CaseKind.DUPLICATE),
    "nothing": (None, None),
}


@st.composite
def spoilt_days(draw):
    """A day on both sides with at most one difference a row, and which kinds were seeded."""
    ours, theirs, seeded = [], [], []
    for number in range(draw(st.integers(0, 12))):
        is_refund = draw(st.booleans())
        entry = Entry(
            f"N{number}",
            draw(st.integers(1, 10**9)),
            is_refund=is_refund,
            transaction_id=f"T{number}",
        )
        change = draw(st.sampled_from(sorted(CHANGES)))
        if change != "extra_ours":
            ours.append(entry)
        if change == "amount":
            theirs.append(replace(entry, amount_fen=entry.amount_fen + draw(st.integers(1, 9))))
        elif change == "status":
            theirs.append(replace(entry, moved=Moved.NO))
        elif change != "missing_row":
            theirs += [entry] * (2 if change == "duplicate" else 1)
        if (kind := CHANGES[change][is_refund]) is not None:
            seeded.append(kind)
    return draw(st.permutations(ours)), draw(st.permutations(theirs)), seeded


class TestProperties:
    @given(spoilt_days())
    def test_exactly_what_was_seeded_is_found(self, day):
        ours, theirs, seeded = day

        found = compare(ours, theirs)

        assert Counter(one.kind for one in found) == Counter(seeded)
        assert len({(one.kind, one.key) for one in found}) == len(found)

    @given(spoilt_days(), st.randoms())
    def test_the_order_of_rows_changes_nothing(self, day, random):
        ours, theirs, _ = day
        found = compare(ours, theirs)

        random.shuffle(theirs)

        assert compare(ours[::-1], theirs) == found
