from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.late_fees import (
    GraceMode,
    LateFee,
    LateFeeSegment,
    LateFeeTerms,
    PrincipalChange,
    accrue,
)
from domain.money import round_half_up
from domain.periods import Span

LONG_AGO = date(2000, 1, 1)
DUE = date(2025, 3, 31)
PAID_ON = date(2025, 5, 17)
DAY = timedelta(days=1)
NOTHING = LateFee(0, None, False, None, ())


def terms(rate="0.0005", **changes):
    given = {
        "daily_rate": Decimal(rate),
        "cap_ratio": None,
        "grace_days": 0,
        "grace_mode": GraceMode.EXEMPT,
        "starts_on": LONG_AGO,
        "ends_before": None,
    }
    return LateFeeTerms(**(given | changes))


def fee(*versions, as_of=PAID_ON, changes=(), pauses=(), principal_fen=126000):
    return accrue(
        due_date=DUE,
        principal_fen=principal_fen,
        changes=changes,
        versions=versions,
        pauses=pauses,
        as_of=as_of,
    )


def days_after(days):
    return DUE + timedelta(days=days)


class TestGoldenVectors:
    """Source: domain.md D15."""

    def test_forty_seven_days(self):
        assert fee(terms()) == LateFee(
            amount_fen=2961,
            cap_fen=None,
            is_capped=False,
            from_on=date(2025, 4, 1),
            segments=(LateFeeSegment(date(2025, 4, 1), PAID_ON, 47, 126000, Decimal("0.0005")),),
        )

    def test_part_paid_after_twenty_days(self):
        late_fee = fee(terms(), changes=[PrincipalChange(days_after(20), 76000)])

        assert late_fee.amount_fen == 2286
        assert [(each.days, each.principal_fen) for each in late_fee.segments] == [
            (20, 126000),
            (27, 76000),
        ]

    @pytest.mark.parametrize(
        ("cap_ratio", "amount_fen", "cap_fen", "is_capped"),
        [
            (None, 189000, None, False),
            (Decimal(1), 126000, 126000, True),
            (Decimal("0.3"), 37800, 37800, True),
            (Decimal("1.5"), 189000, 189000, False),
        ],
    )
    def test_cap(self, cap_ratio, amount_fen, cap_fen, is_capped):
        late_fee = fee(terms("0.003", cap_ratio=cap_ratio), as_of=days_after(500))

        assert late_fee.amount_fen == amount_fen
        assert (late_fee.cap_fen, late_fee.is_capped) == (cap_fen, is_capped)


class TestRounding:
    def test_happens_once_and_half_up(self):
        """One fen at 0.005 for 50 days twice: 0.25 + 0.25, which segment by segment would be 0."""
        late_fee = fee(
            terms("0.005", ends_before=days_after(51)),
            terms("0.0025", starts_on=days_after(51)),
            principal_fen=1,
            as_of=days_after(150),
        )

        assert [each.exact_fen for each in late_fee.segments] == [Fraction(1, 4), Fraction(1, 4)]
        assert late_fee.amount_fen == 1

    def test_of_the_cap_is_half_up(self):
        late_fee = fee(
            terms("0.01", cap_ratio=Decimal("0.5")), principal_fen=5, as_of=PAID_ON + 99 * DAY
        )

        assert (late_fee.amount_fen, late_fee.cap_fen) == (3, 3)


class TestGrace:
    @pytest.mark.parametrize("mode", GraceMode)
    def test_nothing_is_due_on_its_last_day(self, mode):
        assert fee(terms(grace_days=10, grace_mode=mode), as_of=days_after(10)) == NOTHING

    @pytest.mark.parametrize(
        ("mode", "from_on", "days"),
        [(GraceMode.EXEMPT, days_after(11), 1), (GraceMode.RETROACTIVE, days_after(1), 11)],
    )
    def test_on_the_day_after_it(self, mode, from_on, days):
        late_fee = fee(terms(grace_days=10, grace_mode=mode), as_of=days_after(11))

        assert late_fee.from_on == from_on
        assert sum(each.days for each in late_fee.segments) == days

    @pytest.mark.parametrize("mode", GraceMode)
    def test_paid_in_full_on_its_last_day_costs_nothing(self, mode):
        version = terms(grace_days=10, grace_mode=mode)

        assert fee(version, changes=[PrincipalChange(days_after(10), 0)]) == NOTHING

    def test_part_paid_within_it_counts_until_that_day_when_retroactive(self):
        late_fee = fee(
            terms(grace_days=10, grace_mode=GraceMode.RETROACTIVE),
            changes=[PrincipalChange(days_after(4), 76000)],
            as_of=days_after(11),
        )

        assert [(each.days, each.principal_fen) for each in late_fee.segments] == [
            (4, 126000),
            (7, 76000),
        ]

    def test_paid_within_it_and_later_refunded_counts_from_the_refund(self):
        late_fee = fee(
            terms(grace_days=10, grace_mode=GraceMode.RETROACTIVE),
            changes=[PrincipalChange(days_after(4), 0), PrincipalChange(days_after(30), 126000)],
            as_of=days_after(40),
        )

        assert late_fee.from_on == days_after(31)
        assert late_fee.segments[0].days == 10

    def test_is_that_of_the_version_in_force_on_the_day_after_the_due_date(self):
        late_fee = fee(
            terms(grace_days=40, ends_before=days_after(1)),
            terms(grace_days=5, starts_on=days_after(1), ends_before=days_after(2)),
            terms(grace_days=30, starts_on=days_after(2)),
        )

        assert late_fee.from_on == days_after(6)

    def test_of_the_first_later_version_when_none_is_in_force(self):
        version = terms(grace_days=12, starts_on=days_after(10))

        assert fee(version, as_of=days_after(12)) == NOTHING
        assert fee(version).from_on == days_after(13)


class TestVersions:
    def test_no_rule_no_fee(self):
        assert fee() == NOTHING

    def test_days_without_a_version_cost_nothing(self):
        late_fee = fee(
            terms(ends_before=days_after(11)),
            terms(starts_on=days_after(21)),
        )

        assert [(each.from_on, each.until_on, each.days) for each in late_fee.segments] == [
            (days_after(1), days_after(10), 10),
            (days_after(21), days_after(47), 27),
        ]

    def test_each_day_has_the_rate_of_its_day(self):
        late_fee = fee(
            terms("0.0003", starts_on=days_after(11)),
            terms("0.0005", ends_before=days_after(11)),
        )

        assert late_fee.amount_fen == round_half_up(
            126000 * (10 * Fraction("0.0005") + 37 * Fraction("0.0003"))
        )

    def test_a_version_that_changes_only_the_cap_does_not_split(self):
        late_fee = fee(
            terms(cap_ratio=Decimal("0.3"), ends_before=days_after(11)),
            terms(cap_ratio=Decimal("0.01"), starts_on=days_after(11)),
        )

        assert [each.days for each in late_fee.segments] == [47]
        assert (late_fee.amount_fen, late_fee.is_capped) == (1260, True)

    def test_the_cap_outlives_a_rule_that_ended(self):
        version = terms(cap_ratio=Decimal("0.01"), ends_before=days_after(31))

        assert fee(version, as_of=days_after(300)).amount_fen == 1260

    def test_the_cap_of_a_gap_is_that_of_the_next_version(self):
        late_fee = fee(
            terms(cap_ratio=Decimal("0.01"), ends_before=days_after(31)),
            terms(cap_ratio=Decimal("0.005"), starts_on=days_after(60)),
        )

        assert late_fee.cap_fen == 630

    @pytest.mark.parametrize("ends_before", [None, days_after(2)])
    def test_that_overlap_are_a_mistake_of_ours(self, ends_before):
        with pytest.raises(ValueError, match="overlap"):
            fee(terms(ends_before=ends_before), terms(starts_on=days_after(1)))


class TestPauses:
    def test_shorten_a_segment_without_splitting_it(self):
        late_fee = fee(terms(), pauses=[Span(days_after(11), days_after(21))])

        assert late_fee.segments == (
            LateFeeSegment(days_after(1), PAID_ON, 37, 126000, Decimal("0.0005")),
        )

    def test_that_overlap_count_once(self):
        overlapping = [
            Span(days_after(11), days_after(21)),
            Span(days_after(15), days_after(18)),
            Span(days_after(20), days_after(31)),
        ]

        assert fee(terms(), pauses=overlapping) == fee(
            terms(), pauses=[Span(days_after(11), days_after(31))]
        )

    def test_over_the_whole_time_leave_nothing(self):
        assert fee(terms(), pauses=[Span(LONG_AGO, date.max)]) == NOTHING

    def test_do_not_prolong_the_grace(self):
        late_fee = fee(terms(grace_days=10), pauses=[Span(days_after(5), days_after(16))])

        assert [each.days for each in late_fee.segments] == [32]


class TestChanges:
    def test_before_the_due_date_set_the_base_but_not_the_cap(self):
        late_fee = fee(terms("0.1", cap_ratio=Decimal(1)), changes=[PrincipalChange(DUE, 76000)])

        assert [each.principal_fen for each in late_fee.segments] == [76000]
        assert late_fee.cap_fen == 126000

    def test_the_last_given_of_a_day_counts(self):
        changes = [PrincipalChange(days_after(20), 100000), PrincipalChange(days_after(20), 76000)]

        assert fee(terms(), changes=changes).amount_fen == 2286

    def test_after_the_day_asked_for_count_nothing(self):
        changes = [PrincipalChange(PAID_ON, 0), PrincipalChange(PAID_ON + DAY, 126000)]

        assert fee(terms(), changes=changes) == fee(terms())


def days(low=-30, high=150):
    return st.integers(low, high).map(days_after)


@st.composite
def version_lists(draw, cap=None):
    edges = sorted(draw(st.sets(days(), min_size=2, max_size=6)))
    versions = []
    for starts_on, ends_before in zip(edges, [*edges[1:], None], strict=True):
        if draw(st.booleans()):
            versions.append(
                terms(
                    draw(st.sampled_from(["0", "0.0005", "0.003", "0.00012345"])),
                    cap_ratio=draw(st.sampled_from([None, Decimal("0.3"), Decimal("0.05")]))
                    if cap is None
                    else cap,
                    grace_days=draw(st.integers(0, 20)),
                    grace_mode=draw(st.sampled_from(GraceMode)),
                    starts_on=starts_on,
                    ends_before=ends_before,
                )
            )
    return draw(st.permutations(versions))


CHANGES = st.lists(
    st.builds(PrincipalChange, on=days(-10), outstanding_fen=st.sampled_from([0, 1, 76000])),
    max_size=4,
)
PAUSES = st.lists(
    st.builds(
        lambda starts_on, length: Span(starts_on, starts_on + length * DAY),
        days(),
        st.integers(-2, 40),
    ),
    max_size=4,
)


def in_force(versions, day):
    return [
        each
        for each in versions
        if each.starts_on <= day and (each.ends_before is None or day < each.ends_before)
    ]


def in_force_or_near(versions, day):
    later = sorted(each.starts_on for each in versions if each.starts_on > day)
    nearest = later[0] if later else max(each.starts_on for each in versions)
    return (in_force(versions, day) or in_force(versions, nearest))[0]


def outstanding(principal_fen, changes, day):
    for change in sorted(changes, key=lambda change: change.on):
        principal_fen = change.outstanding_fen if change.on < day else principal_fen
    return principal_fen


def day_by_day(versions, changes, pauses, as_of, principal_fen):
    """The rule as its text says it, one day after the other."""
    if not versions:
        return 0
    grace = in_force_or_near(versions, DUE + DAY)
    first = DUE + DAY * (1 + grace.grace_days)
    if as_of < first:
        return 0
    is_retroactive = grace.grace_mode is GraceMode.RETROACTIVE
    if is_retroactive and outstanding(principal_fen, changes, first):
        first = DUE + DAY
    total = Fraction(0)
    for day in (first + n * DAY for n in range((as_of - first).days + 1)):
        if not any(pause.starts_on <= day < pause.ends_before for pause in pauses):
            rate = sum(Fraction(each.daily_rate) for each in in_force(versions, day))
            total += outstanding(principal_fen, changes, day) * rate
    cap_ratio = in_force_or_near(versions, as_of).cap_ratio
    if cap_ratio is not None:
        total = min(total, Fraction(cap_ratio) * principal_fen)
    return round_half_up(total)


class TestAccrue:
    @given(version_lists(), CHANGES, PAUSES, days(), st.sampled_from([1, 99, 126000]))
    def test_equals_the_count_day_by_day(self, versions, changes, pauses, as_of, principal_fen):
        late_fee = fee(
            *versions, changes=changes, pauses=pauses, as_of=as_of, principal_fen=principal_fen
        )

        assert late_fee.amount_fen == day_by_day(versions, changes, pauses, as_of, principal_fen)

    @given(version_lists(cap=Decimal("0.03")), CHANGES, PAUSES, days(), st.integers(0, 50))
    def test_never_falls_with_time(self, versions, changes, pauses, as_of, more):
        today = fee(*versions, changes=changes, pauses=pauses, as_of=as_of)
        later = fee(*versions, changes=changes, pauses=pauses, as_of=as_of + more * DAY)

        assert later.amount_fen >= today.amount_fen

    @given(version_lists(), CHANGES, PAUSES, days())
    def test_is_never_above_the_cap_nor_below_zero(self, versions, changes, pauses, as_of):
        late_fee = fee(*versions, changes=changes, pauses=pauses, as_of=as_of)

        assert late_fee.amount_fen >= 0
        if late_fee.cap_fen is not None:
            assert late_fee.amount_fen <= late_fee.cap_fen

    @given(st.integers(0, 40), st.sampled_from(GraceMode), CHANGES, days())
    def test_is_zero_until_the_grace_is_over(self, grace_days, mode, changes, as_of):
        late_fee = fee(terms(grace_days=grace_days, grace_mode=mode), changes=changes, as_of=as_of)

        if as_of <= days_after(grace_days):
            assert late_fee == NOTHING

    @given(version_lists(), CHANGES, PAUSES, PAUSES, days())
    def test_pauses_never_make_it_dearer(self, versions, changes, pauses, more, as_of):
        paused = fee(*versions, changes=changes, pauses=pauses, as_of=as_of)
        paused_more = fee(*versions, changes=changes, pauses=[*more, *pauses], as_of=as_of)

        assert paused_more.amount_fen <= paused.amount_fen

    @given(version_lists(), CHANGES, PAUSES, days(), st.data())
    def test_splitting_a_pause_changes_nothing(self, versions, changes, pauses, as_of, data):
        split = []
        for pause in pauses:
            cut = pause.starts_on + DAY * data.draw(st.integers(0, pause.days))
            split += [Span(cut, pause.ends_before), Span(pause.starts_on, cut)]

        assert fee(*versions, changes=changes, pauses=split, as_of=as_of) == fee(
            *versions, changes=changes, pauses=pauses, as_of=as_of
        )

    @given(version_lists(), CHANGES, PAUSES, days())
    def test_segments_explain_the_amount(self, versions, changes, pauses, as_of):
        late_fee = fee(*versions, changes=changes, pauses=pauses, as_of=as_of)

        for one, following in zip(late_fee.segments, late_fee.segments[1:], strict=False):
            assert one.until_on < following.from_on
        for each in late_fee.segments:
            assert 0 < each.days <= (each.until_on - each.from_on).days + 1
        whole = round_half_up(sum((each.exact_fen for each in late_fee.segments), Fraction(0)))
        assert late_fee.amount_fen == (late_fee.cap_fen if late_fee.is_capped else whole)

    def test_a_hundred_years_cost_no_more_than_a_day(self):
        """Counted by segments: dates of a century in one of them."""
        late_fee = fee(terms(), as_of=DUE.replace(year=2125))

        assert [each.days for each in late_fee.segments] == [36524]

    def test_versions_may_come_in_any_order(self):
        early = terms("0.001", ends_before=days_after(10))
        late = replace(early, starts_on=days_after(10), ends_before=None)

        assert fee(late, early) == fee(early, late)
