"""Trying items on houses: what they would owe, told and not written."""

from datetime import date

import pytest

from domain.actors import Permission
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.meters import MeterKind
from domain.periods import Span
from services.fees.trials import SAMPLE_HOUSES
from tests.factories import actor_without

OCTOBER = date(2026, 10, 1)


@pytest.fixture
def try_new(services, desk, new_item):
    def try_new(*words, house_ids=(), month=OCTOBER, actor=desk.maker, community_id=None, **more):
        return services.fee_trials.try_new(
            actor=actor,
            community_id=community_id or desk.community_id,
            item=new_item(*words, **more),
            month=month,
            house_ids=house_ids,
        )

    return try_new


@pytest.fixture
def try_item(services, desk):
    def try_item(item_id, **more):
        values = {"actor": desk.maker, "community_id": desk.community_id, "month": OCTOBER} | more
        return services.fee_trials.try_item(fee_item_id=item_id, **values)

    return try_item


class TestTryNew:
    def test_tells_what_each_house_would_owe_and_why(self, make_houses, try_new):
        first, second = make_houses("100", "50.5")

        rows = try_new("area", "2")

        assert [(row.house_id, row.amount_fen, row.why_not) for row in rows] == [
            (first, 20000, ""),
            (second, 10100, ""),
        ]
        assert rows[0].period == Span(date(2026, 10, 1), date(2026, 11, 1))
        assert rows[0].explanations == ("2026-10-01 ~ 2026-10-31：100 ㎡ × 2 元/㎡·月 = 200.00 元",)
        assert rows[0].house.endswith("1单元101")

    def test_writes_nothing(self, make_houses, try_new, database):
        make_houses("100")

        try_new("area", "2")

        for table in ("fee_item", "fee_standard", "bill", "bill_exception", "audit_entry"):
            assert database.value(f"SELECT count(*) FROM {table}") == 0

    def test_a_house_that_cannot_be_charged_is_told_with_the_reason(self, make_houses, try_new):
        make_houses("100", handover_date=None)

        [row] = try_new("area", "2")

        assert (row.amount_fen, row.period, row.explanations) == (0, None, ())
        assert row.why_not == "没有交付日期，无法确定起费日"

    def test_a_formula_tells_house_by_house_where_it_fails(self, make_houses, try_new):
        make_houses("100", floor_no=4)
        make_houses("100")

        rows = try_new("formula", formula="100 / floor")

        assert [(row.amount_fen, row.why_not) for row in rows] == [
            (2500, ""),
            (0, "公式需要楼层，但没有填写"),
        ]

    def test_meters_are_missing_in_words(self, make_houses, try_new):
        make_houses("100")

        [row] = try_new("meter", "5", meter_kind=MeterKind.COLD_WATER)

        assert row.why_not == "没有登记冷水表"

    def test_only_the_named_houses(self, make_houses, try_new):
        _, second, third = make_houses("1", "2", "3")

        rows = try_new("area", "1", house_ids=[third, second, third])

        assert [row.house_id for row in rows] == [second, third]

    def test_a_sample_is_spread_over_the_community(self, make_houses, try_new):
        house_ids = make_houses(*("1" for _ in range(3 * SAMPLE_HOUSES)))

        rows = try_new("area", "1")

        assert [row.house_id for row in rows] == house_ids[::3]

    def test_a_month_in_which_nothing_is_billed_tells_nothing(self, make_houses, try_new):
        make_houses("100")

        assert try_new("area", "1", cycle_months=3) == []

    def test_what_is_no_item_is_refused(self, try_new):
        with pytest.raises(InvalidInput) as refusal:
            try_new("area", "0", code="x")

        assert set(refusal.value.fields) == {"code", "unit_price"}

    def test_no_such_community(self, try_new):
        with pytest.raises(NotFound):
            try_new("area", "1", community_id=404)

    @pytest.mark.parametrize("where", ["elsewhere", "nowhere"])
    def test_a_house_of_another_community(
        self, services, desk, elsewhere, make_houses, where, try_new
    ):
        (house_id,) = make_houses("100")
        more = {"community_id": elsewhere.community_id} if where == "elsewhere" else {}

        with pytest.raises(NotFound, match="不属于这个小区"):
            try_new("area", "1", house_ids=[house_id if more else 404], **more)

    def test_only_with_the_permission(self, try_new):
        with pytest.raises(NotAllowed):
            try_new("area", "1", actor=actor_without(Permission.MANAGE_FEES))


class TestTryItem:
    def test_goes_by_the_price_of_its_days(self, services, add_item, make_houses, try_item):
        make_houses("100")

        [row] = try_item(add_item("area", "1.5"))

        assert row.amount_fen == 15000

    def test_tells_also_what_was_billed_already(
        self, add_item, make_houses, approved, publish, try_item
    ):
        make_houses("100")
        item_id = add_item("area", "1.5")
        publish(approved())

        [row] = try_item(item_id)

        assert row.amount_fen == 15000

    def test_writes_nothing(self, add_item, make_houses, try_item, audit):
        make_houses("100")
        item_id = add_item("area", "1.5")

        try_item(item_id)

        assert audit() == ["fee_item_added"]

    def test_an_item_of_another_community(self, add_item, elsewhere, try_item):
        item_id = add_item("area", "1")

        with pytest.raises(NotFound):
            try_item(item_id, community_id=elsewhere.community_id)
        with pytest.raises(NotFound):
            try_item(404)
        with pytest.raises(NotFound):
            try_item(item_id, community_id=404)

    def test_a_house_of_another_community(self, add_item, try_item):
        with pytest.raises(NotFound):
            try_item(add_item("area", "1"), house_ids=[404])

    def test_only_with_the_permission(self, add_item, try_item):
        with pytest.raises(NotAllowed):
            try_item(add_item("area", "1"), actor=actor_without(Permission.MANAGE_FEES))
