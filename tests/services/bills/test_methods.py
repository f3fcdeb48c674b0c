"""Every way of charging, from what is on file to the lines of a bill."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from domain.charges import ChargeMethod
from domain.cycles import BillingTiming, CycleAnchor
from domain.discounts import DiscountKind, DiscountRule
from domain.houses import HouseState
from domain.meters import MeterKind
from domain.shares import ShareBy
from domain.tiers import TierWindow
from services.bills.drafting import PoolAlreadyShared, PoolMissing
from services.fees.checks import NewFeeItem, NewPrice
from services.fees.pools import NewPool, PoolBilled, PoolExists
from tests import factories

SINCE = date(2020, 1, 1)
SEPTEMBER = date(2026, 9, 1)
OCTOBER = date(2026, 10, 1)


@pytest.fixture
def add_item(services, desk):
    """Put an item on file through the use-case, as a manager would."""

    def add_item(method, price=None, code="SF", **more):
        item = NewFeeItem(
            code,
            "项目",
            ChargeMethod(method),
            None if price is None else Decimal(price),
            more.pop("starts_on", SINCE),
            **more,
        )
        return services.fees.add_item(actor=desk.maker, community_id=desk.community_id, item=item)

    return add_item


@pytest.fixture
def meter(database):
    """Put a meter with readings on a house; the first reading is the opening one."""

    def meter(house_id, *readings, kind="cold_water", **more):
        (opened_on, opening), *later = readings
        with database.session() as session:
            house = session.get_one(factories.House, house_id)
            row = factories.make_meter(
                session,
                house=house,
                kind=kind,
                opening_reading=Decimal(opening),
                opened_on=opened_on,
                **more,
            )
            for read_on, reading, *rollover in later:
                factories.make_reading(
                    session,
                    meter=row,
                    read_on=read_on,
                    reading=Decimal(reading),
                    is_rollover=bool(rollover),
                )
            return row.id

    return meter


@pytest.fixture
def billed(database):
    """Amounts and traces of all lines of the bills of an item that were not cancelled."""

    def billed():
        return [
            (row["amount_fen"], row["trace"])
            for row in database.rows(
                "SELECT line.amount_fen, line.trace FROM bill_line line"
                " JOIN bill ON bill.id = line.bill_id WHERE bill.state <> 'cancelled'"
                " ORDER BY bill.house_id, bill.fee_item_id, bill.period_from, line.line_no"
            )
        ]

    return billed


@pytest.fixture
def amounts(billed):
    return lambda: [amount_fen for amount_fen, _ in billed()]


@pytest.fixture
def why_not(database):
    return lambda: [
        row["why"] for row in database.rows("SELECT why FROM bill_exception ORDER BY house_id")
    ]


def end_of(month, day=None):
    return date(2026, month, day or 28)


class TestMeter:
    """Source: domain.md D1 and D15."""

    @pytest.mark.parametrize(
        ("before", "now", "more", "price", "fen"),
        [
            ("1338.15", "1362.40", {}, "3.85", 9336),
            ("11.90", "12.35", {"multiplier": Decimal(40)}, "0.5283", 951),
            ("0", "1000", {}, "0.5283", 52830),
        ],
    )
    def test_usage_times_unit_price(
        self, add_item, make_houses, meter, generated, amounts, before, now, more, price, fen
    ):
        (house,) = make_houses("89.37")
        meter(house, (end_of(8), before), (end_of(10), now), **more)
        add_item("meter", price, meter_kind=MeterKind.COLD_WATER)

        generated()

        assert amounts() == [fen]

    def test_a_declared_rollover_counts_on(self, add_item, make_houses, meter, generated, amounts):
        (house,) = make_houses("89.37")
        meter(
            house,
            (end_of(9), "99987"),
            (end_of(10), "21", "rollover"),
            modulus=Decimal(100_000),
        )
        add_item("meter", "3.85", meter_kind=MeterKind.COLD_WATER)

        generated()

        assert amounts() == [13090]

    def test_a_replaced_meter_gives_two_segments_and_one_line(
        self, database, add_item, make_houses, meter, generated, billed
    ):
        (house,) = make_houses("89.37")
        old = meter(
            house,
            (end_of(9), "812.6"),
            closed_on=date(2026, 10, 12),
            closing_reading=Decimal("820.1"),
        )
        meter(house, (date(2026, 10, 12), "0"), (end_of(10), "6.4"), replaces_meter_id=old)
        add_item("meter", "3.85", meter_kind=MeterKind.COLD_WATER)

        generated()

        [(amount_fen, trace)] = billed()
        assert amount_fen == 5352
        assert [segment["usage"] for segment in trace["segments"]] == ["7.5", "6.4"]

    def test_a_skipped_month_is_caught_up_by_the_next(
        self, add_item, make_houses, meter, generated, amounts, why_not
    ):
        (house,) = make_houses("89.37")
        meter(house, (end_of(8), "100"), (end_of(10), "130"))
        add_item("meter", "2", meter_kind=MeterKind.COLD_WATER)

        generated(month=SEPTEMBER)
        assert amounts() == []
        assert "没有读数" in why_not()[0]

        generated(month=OCTOBER)
        assert amounts() == [6000]

    @pytest.mark.parametrize(
        ("readings", "why"),
        [
            ([], "没有登记冷水表"),
            ([(end_of(10), "100")], "之后没有读数"),
            ([(end_of(9), "100")], "之后没有读数"),
            ([(end_of(9), "100"), (end_of(10), "99")], "小于"),
        ],
    )
    def test_what_cannot_be_counted_is_an_exception_and_never_zero(
        self, add_item, make_houses, meter, generated, amounts, why_not, readings, why
    ):
        (house,) = make_houses("89.37")
        if readings:
            meter(house, *readings)
        add_item("meter", "2", meter_kind=MeterKind.COLD_WATER)

        generated()

        assert amounts() == []
        assert len(why_not()) == 1
        assert why in why_not()[0] or "低于" in why_not()[0] or "比" in why_not()[0]

    def test_meters_of_another_kind_do_not_count(
        self, add_item, make_houses, meter, generated, amounts
    ):
        (house,) = make_houses("89.37")
        meter(house, (end_of(9), "0"), (end_of(10), "5"))
        meter(house, (end_of(9), "0"), (end_of(10), "700"), kind="electricity")
        add_item("meter", "2", meter_kind=MeterKind.COLD_WATER)

        generated()

        assert amounts() == [1000]

    def test_a_superseded_reading_does_not_count(
        self, database, add_item, make_houses, meter, generated, amounts
    ):
        (house,) = make_houses("89.37")
        meter(house, (end_of(9), "0"), (end_of(10), "500"))
        database.do("UPDATE meter_reading SET superseded_at = now()")
        database.do(
            "INSERT INTO meter_reading (meter_id, read_on, reading, source, created_at)"
            " SELECT meter_id, read_on, 5, 'manual', now() FROM meter_reading"
        )
        add_item("meter", "2", meter_kind=MeterKind.COLD_WATER)

        generated()

        assert amounts() == [1000]

    def test_a_price_change_spreads_the_usage_over_the_days(
        self, services, desk, add_item, make_houses, meter, generated, billed
    ):
        (house,) = make_houses("89.37")
        meter(house, (date(2026, 9, 30), "0"), (date(2026, 10, 31), "31"))
        item_id = add_item("meter", "2", meter_kind=MeterKind.COLD_WATER)
        services.fees.set_price(
            actor=desk.maker,
            fee_item_id=item_id,
            price=NewPrice(Decimal(3)),
            priced_from=date(2026, 10, 11),
        )

        generated()

        assert [(fen, trace["usage"]) for fen, trace in billed()] == [(2000, "10"), (6300, "21")]


class TestNothingIsLost:
    """Usage that no bill took yet is taken by the next one, whatever kept it."""

    @pytest.fixture
    def run_month(self, services, desk, generated, tick_all, approve, publish, amounts):
        """Bill and publish a month; tell the amounts of all bills so far."""

        def run_month(month):
            batch_id = generated(month=month)
            tick_all(batch_id)
            approve(batch_id)
            publish(batch_id)
            return amounts()

        return run_month

    def test_what_a_skipped_house_used_comes_with_its_next_bill(
        self, add_item, make_houses, meter, run_month
    ):
        """Two meters, one of which was not read: the other one's month waits as well."""
        (house,) = make_houses("50")
        meter(house, (end_of(8), "0"), (end_of(9), "10"), (end_of(10), "20"))
        meter(house, (end_of(8), "0"), (end_of(10), "5"))
        add_item("meter", "1", meter_kind=MeterKind.COLD_WATER)

        assert run_month(SEPTEMBER) == []
        assert run_month(OCTOBER) == [2000, 500]

    def test_a_meter_replaced_in_a_skipped_month_is_counted_to_its_end(
        self, add_item, make_houses, meter, run_month
    ):
        (house,) = make_houses("50")
        old = meter(
            house,
            (end_of(8), "100"),
            closed_on=date(2026, 9, 20),
            closing_reading=Decimal("111"),
        )
        meter(house, (date(2026, 9, 20), "0"), (end_of(10), "9"), replaces_meter_id=old)
        add_item("meter", "1", meter_kind=MeterKind.COLD_WATER)

        run_month(SEPTEMBER)

        assert sum(run_month(OCTOBER)) == 2000

    def test_a_meter_replaced_on_the_last_day_is_billed_up_to_it(
        self, add_item, make_houses, meter, run_month
    ):
        (house,) = make_houses("50")
        old = meter(
            house,
            (end_of(8), "100"),
            closed_on=date(2026, 9, 30),
            closing_reading=Decimal("110"),
        )
        meter(house, (date(2026, 9, 30), "0"), (end_of(10), "7"), replaces_meter_id=old)
        add_item("meter", "1", meter_kind=MeterKind.COLD_WATER)

        assert run_month(SEPTEMBER) == [1000]
        assert run_month(OCTOBER) == [1000, 700]

    def test_a_meter_that_came_after_the_period_is_no_trouble(
        self, add_item, make_houses, meter, run_month
    ):
        (house,) = make_houses("50")
        meter(house, (end_of(8), "0"), (end_of(9), "10"))
        meter(house, (date(2026, 10, 5), "0"))
        add_item("meter", "1", meter_kind=MeterKind.COLD_WATER)

        assert run_month(SEPTEMBER) == [1000]

    def test_monthly_tiers_count_for_every_month_that_is_caught_up(
        self, add_item, make_houses, meter, run_month
    ):
        (house,) = make_houses("50")
        meter(house, (end_of(8), "0"), (end_of(10), "20"))
        add_item("meter", meter_kind=MeterKind.COLD_WATER, tiers=[("10", "1"), (None, "9")])

        run_month(SEPTEMBER)

        assert run_month(OCTOBER) == [2000]

    def test_a_house_counts_from_the_reading_before_it_was_handed_over(
        self, add_item, make_houses, meter, generated, amounts
    ):
        (house,) = make_houses("50", handover_date=date(2026, 10, 20))
        meter(house, (end_of(9), "0"), (date(2026, 10, 19), "40"), (date(2026, 10, 31), "45"))
        add_item("meter", "1", meter_kind=MeterKind.COLD_WATER)

        generated()

        assert amounts() == [500]

    def test_an_item_that_ends_counts_up_to_the_reading_before_its_end(
        self, add_item, make_houses, meter, services, desk, generated, amounts
    ):
        (house,) = make_houses("50")
        meter(house, (end_of(9), "0"), (date(2026, 10, 15), "10"), (date(2026, 10, 31), "40"))
        item_id = add_item("meter", "1", meter_kind=MeterKind.COLD_WATER)
        services.fees.end_item(
            actor=desk.maker, fee_item_id=item_id, ends_before=date(2026, 10, 16), reason="改直供"
        )

        generated()

        assert amounts() == [1000]


TIERS = [("180", "5"), ("260", "7"), (None, "9")]


class TestTiers:
    def test_a_year_climbs_on_from_what_was_used_before(
        self, add_item, make_houses, meter, generated, amounts
    ):
        """Source: D15, 0+300; 170+25; 255+10 as three houses of one year."""
        houses = make_houses("50", "60", "70")
        for house, (before, usage) in zip(houses, [(0, 300), (170, 25), (255, 10)], strict=True):
            meter(
                house,
                (date(2025, 12, 31), "1000"),
                (date(2026, 9, 30), str(1000 + before)),
                (date(2026, 10, 31), str(1000 + before + usage)),
            )
        add_item(
            "meter",
            meter_kind=MeterKind.COLD_WATER,
            tiers=TIERS,
            tier_window=TierWindow.YEAR,
        )

        generated()

        assert amounts() == [182000, 15500, 8000]

    def test_each_month_begins_anew(self, add_item, make_houses, meter, generated, amounts):
        (house,) = make_houses("50")
        meter(house, (end_of(8), "0"), (end_of(9), "200"), (end_of(10), "400"))
        add_item("meter", meter_kind=MeterKind.COLD_WATER, tiers=TIERS)

        generated(month=SEPTEMBER)
        generated(month=OCTOBER)

        assert amounts() == [104000, 104000]

    @pytest.mark.parametrize(("per_house", "fen"), [(False, [100000, 100000]), (True, [260000])])
    def test_two_meters_climb_alone_or_together(
        self, add_item, make_houses, meter, generated, amounts, per_house, fen
    ):
        (house,) = make_houses("50")
        for _ in range(2):
            meter(house, (end_of(9), "0"), (end_of(10), "200"))
        add_item(
            "meter",
            meter_kind=MeterKind.COLD_WATER,
            tiers=[("200", "5"), (None, "8")],
            is_tier_per_house=per_house,
        )

        generated()

        assert amounts() == fen

    @pytest.mark.parametrize("price", [{"price": "1"}, {"tiers": [(None, "1")]}])
    def test_a_surcharge_is_paid_once_and_for_liable_days(
        self, add_item, make_houses, meter, generated, amounts, price
    ):
        (house,) = make_houses("50", handover_date=date(2026, 10, 17))
        for _ in range(2):
            meter(house, (end_of(9), "0"), (end_of(10), "10"))
        add_item("meter", meter_kind=MeterKind.COLD_WATER, surcharge=Decimal(31), **price)

        generated()

        assert amounts() == [2500, 1000]  # 10.00 + 31.00 × 15/31, and 10.00

    def test_limits_grow_with_the_household(
        self, database, add_item, make_houses, meter, generated, amounts
    ):
        houses = make_houses("50", "60")
        for house in houses:
            meter(house, (end_of(9), "0"), (end_of(10), "30"))
        database.do("UPDATE house SET household_size = 3 WHERE id = :id", id=houses[0])
        add_item(
            "meter",
            meter_kind=MeterKind.COLD_WATER,
            tiers=[("10", "1"), (None, "2")],
            is_tier_per_person=True,
        )

        generated()

        assert amounts() == [3000, 5000]

    def test_a_new_table_begins_with_the_next_window(
        self, services, desk, add_item, make_houses, meter, generated, amounts
    ):
        (house,) = make_houses("50")
        meter(house, (end_of(9), "0"), (end_of(10), "10"))
        item_id = add_item("meter", meter_kind=MeterKind.COLD_WATER, tiers=[(None, "1")])
        services.fees.set_price(
            actor=desk.maker,
            fee_item_id=item_id,
            price=NewPrice(tiers=[(None, "9")]),
            priced_from=date(2026, 10, 2),
        )

        generated()

        assert amounts() == [1000]

    def test_neighbours_of_equal_usage_share_the_work_and_keep_their_own_readings(
        self, add_item, make_houses, meter, generated, billed
    ):
        houses = make_houses("50", "60", "70")
        for number, house in enumerate(houses):
            meter(house, (end_of(9), str(number)), (end_of(10), str(number + 7)))
        add_item("meter", meter_kind=MeterKind.COLD_WATER, tiers=TIERS)

        generated()

        assert [fen for fen, _ in billed()] == [3500] * 3
        assert [trace["segments"][0]["from"] for _, trace in billed()] == ["0", "1", "2"]


class TestShare:
    @pytest.fixture
    def pool(self, services, desk):
        def pool(item_id, month=OCTOBER, share_by=ShareBy.AREA, amount_fen=10000, **more):
            return services.share_pools.add(
                actor=desk.maker,
                community_id=desk.community_id,
                fee_item_id=item_id,
                month=month,
                pool=NewPool(share_by, amount_fen=amount_fen, **more),
            )

        return pool

    def test_by_area_adds_up_to_the_pool(self, add_item, make_houses, pool, generated, amounts):
        make_houses("89.37", "120.15", "66.48")
        pool(add_item("share"))

        generated()

        assert amounts() == [3238, 4353, 2409]

    def test_by_household_ties_go_to_who_came_first(
        self, add_item, make_houses, pool, generated, amounts
    ):
        make_houses("10", "500", "30")
        pool(add_item("share"), share_by=ShareBy.HOUSEHOLD)

        generated()

        assert amounts() == [3334, 3333, 3333]

    def test_by_own_weights_lists_who_has_none(
        self, add_item, make_houses, pool, generated, amounts, why_not
    ):
        first, second, third, _ = make_houses("10", "20", "30", "40")
        weights = {first: Decimal(50), second: Decimal(30), third: Decimal(20)}
        pool(add_item("share"), share_by=ShareBy.CUSTOM, amount_fen=21001, weights=weights)

        generated()

        assert amounts() == [10501, 6300, 4200]
        assert why_not() == ["没有分摊权重，不参加公摊"]

    def test_units_times_price_is_rounded_once(
        self, services, desk, add_item, make_houses, generated, billed
    ):
        make_houses("10")
        services.share_pools.add(
            actor=desk.maker,
            community_id=desk.community_id,
            fee_item_id=add_item("share"),
            month=OCTOBER,
            pool=NewPool(ShareBy.AREA, units=Decimal("100.5"), unit_price=Decimal("0.5283")),
        )

        generated()

        [(fen, trace)] = billed()
        assert (fen, trace["units"], trace["unit_price"]) == (5309, "100.5", "0.5283")

    def test_only_the_named_buildings_bear_it(
        self, database, desk, add_item, make_houses, pool, generated, amounts, why_not
    ):
        (bearer,) = make_houses("50")
        make_houses("60")
        building_id = database.value("SELECT building_id FROM house WHERE id = :id", id=bearer)
        pool(add_item("share"), building_ids=[building_id])

        generated()

        assert amounts() == [10000]
        assert why_not() == []

    def test_a_house_not_handed_over_bears_nothing(
        self, add_item, make_houses, pool, generated, amounts, why_not
    ):
        make_houses("50")
        make_houses("60", handover_date=date(2027, 1, 1))
        make_houses("70", handover_date=None)
        pool(add_item("share"))

        generated()

        assert amounts() == [10000]
        assert why_not() == ["没有交付日期，无法确定起费日"]

    def test_without_a_pool_it_is_not_charged(self, add_item, make_houses, draft):
        make_houses("50")
        item_id = add_item("share")

        with pytest.raises(PoolMissing):
            draft(fee_item_ids=[item_id])

    def test_a_published_pool_is_never_shared_again(
        self, add_item, make_houses, pool, approved, publish, draft, services, desk
    ):
        """Source: domain.md D1, WPF's +60 over a pool of 300."""
        make_houses("50")
        item_id = add_item("share")
        pool_id = pool(item_id)
        publish(approved())
        make_houses("60")

        with pytest.raises(PoolAlreadyShared):
            draft(fee_item_ids=[item_id])
        with pytest.raises(PoolBilled):
            services.share_pools.cancel(actor=desk.maker, pool_id=pool_id, reason="录错")
        with pytest.raises(PoolBilled):
            pool(item_id)

    def test_a_pool_of_other_days_is_not_shared_over_the_period(
        self, database, add_item, make_houses, pool, generated, amounts, why_not
    ):
        make_houses("50")
        pool(add_item("share"))
        database.do("UPDATE share_pool SET period_until = '2026-10-16'")

        generated()

        assert amounts() == []
        assert why_not() == ["公摊账期 2026-10-01 ~ 2026-10-15 与收费周期不一致"]

    @pytest.mark.breaks_promises  # voided without a request
    def test_a_voided_share_is_made_again_and_no_other(
        self, database, add_item, make_houses, pool, approved, publish, generated, bills
    ):
        make_houses("50", "50")
        item_id = add_item("share")
        pool(item_id)
        publish(approved())
        first = bills()[0]["id"]
        database.do("UPDATE bill SET state = 'voided' WHERE id = :id", id=first)

        generated(fee_item_ids=[item_id])

        assert [(bill["amount_fen"], bill["replaces_bill_id"]) for bill in bills()][2:] == [
            (5000, first)
        ]

    def test_areas_are_those_of_the_period(
        self, services, desk, add_item, make_houses, pool, generated, amounts
    ):
        house, _ = make_houses("50", "50")
        pool(add_item("share"))
        services.houses.change_measure(
            actor=desk.maker,
            house_id=house,
            billing_area=Decimal(150),
            fee_coefficient=Decimal(1),
            holds_from=date(2026, 12, 1),
            reason="加建",
        )

        generated()

        assert amounts() == [5000, 5000]

    def test_one_pool_per_period(self, add_item, make_houses, pool):
        item_id = add_item("share")
        pool(item_id)

        with pytest.raises(PoolExists):
            pool(item_id)


class TestFormula:
    def test_is_evaluated_exactly(self, add_item, make_houses, generated, billed):
        make_houses("89.37")
        add_item(
            "formula", formula="max(area * rate, 20) * months", constants={"rate": Decimal("0.5")}
        )

        generated()

        [(fen, trace)] = billed()
        assert fen == 4469
        assert trace["values"] == {"area": "89.37", "months": "1"}

    def test_an_error_is_an_exception_and_never_zero(
        self, add_item, make_houses, generated, amounts, why_not
    ):
        make_houses("50", floor_no=3)
        make_houses("60")
        add_item("formula", formula="100 / floor")

        generated()

        assert amounts() == [3333]
        assert "楼层" in why_not()[0]

    def test_may_count_usage(self, add_item, make_houses, meter, generated, amounts):
        (house,) = make_houses("50")
        meter(house, (end_of(9), "0"), (end_of(10), "12.5"))
        add_item("formula", formula="usage * 2 + 1", meter_kind=MeterKind.COLD_WATER)

        generated()

        assert amounts() == [2600]


class TestOneOff:
    @pytest.fixture
    def charge(self, services, desk):
        def charge(house_id, item_id, amount_fen, day=date(2026, 10, 9)):
            return services.one_offs.add(
                actor=desk.maker,
                community_id=desk.community_id,
                house_id=house_id,
                fee_item_id=item_id,
                charged_on=day,
                amount_fen=amount_fen,
                source_document="维修单 BX202610090001",
            )

        return charge

    def test_two_of_one_day_are_two_bills(
        self, add_item, make_houses, charge, generated, amounts, generate
    ):
        (house,) = make_houses("50", handover_date=None)
        item_id = add_item("one_off")
        charge(house, item_id, 5000)
        charge(house, item_id, 700)

        batch_id = generated(fee_item_ids=[item_id])

        assert amounts() == [5000, 700]
        assert generate(batch_id) == 0

    def test_each_item_bills_its_own(self, add_item, make_houses, charge, generated, bills):
        (house,) = make_houses("50")
        repair, card = add_item("one_off"), add_item("one_off", code="MK")
        charge(house, repair, 5000)
        charge(house, card, 700)

        generated()

        assert [(bill["fee_item_id"], bill["amount_fen"]) for bill in bills()] == [
            (card, 700),
            (repair, 5000),
        ]

    def test_another_month_is_not_charged(self, add_item, make_houses, charge, generated, amounts):
        (house,) = make_houses("50")
        item_id = add_item("one_off")
        charge(house, item_id, 5000)
        charge(house, item_id, 700, day=date(2026, 9, 30))

        generated(fee_item_ids=[item_id])

        assert amounts() == [5000]


class TestTime:
    def test_a_quarter_in_advance_is_billed_as_it_begins(
        self, clock, add_item, make_houses, generated, bills, amounts
    ):
        make_houses("100")
        add_item("area", "1", cycle_months=3, billing_timing=BillingTiming.IN_ADVANCE, due_day=15)

        generated(month=date(2026, 10, 1))
        assert amounts() == [30000]
        [bill] = bills()
        assert (bill["period_from"], bill["period_until"]) == (date(2026, 10, 1), date(2027, 1, 1))
        assert (bill["issue_date"], bill["due_date"]) == (date(2026, 10, 1), date(2026, 10, 15))

        generated(month=date(2026, 11, 1))
        assert len(bills()) == 1

    def test_a_house_that_joins_a_quarter_midway_is_billed_for_its_part(
        self, add_item, make_houses, generated, bills, amounts
    ):
        make_houses("100", handover_date=date(2026, 11, 16))
        add_item("area", "1", cycle_months=3, billing_timing=BillingTiming.IN_ADVANCE)

        generated(month=date(2026, 10, 1))
        assert bills() == []

        generated(month=date(2026, 11, 1))
        assert amounts() == [15000]
        assert bills()[0]["period_from"] == date(2026, 10, 1)

    def test_an_anniversary_counts_a_whole_month_from_the_handover_day(
        self, clock, add_item, make_houses, generated, bills, amounts
    ):
        clock.set(datetime(2026, 3, 20, tzinfo=UTC))
        make_houses("100", handover_date=date(2025, 10, 31))
        add_item("area", "1", cycle_anchor=CycleAnchor.ANNIVERSARY)

        generated(month=date(2026, 2, 1))

        assert amounts() == [10000]
        assert (bills()[0]["period_from"], bills()[0]["period_until"]) == (
            date(2026, 1, 31),
            date(2026, 2, 28),
        )

    def test_fixed_per_period_is_not_times_months(
        self, clock, add_item, make_houses, generated, amounts
    ):
        clock.set(datetime(2027, 1, 2, tzinfo=UTC))
        make_houses("100")
        add_item("fixed", "80", cycle_months=12, is_per_period=True)

        generated(month=date(2026, 12, 1))

        assert amounts() == [8000]

    def test_vacant_days_cost_their_part(
        self, services, desk, add_item, make_houses, generated, billed
    ):
        (house,) = make_houses("89.37")
        add_item("area", "2.35", vacancy_rate=Decimal("0.7"))
        for state, day in ((HouseState.OCCUPIED, SINCE), (HouseState.VACANT, date(2026, 10, 17))):
            services.houses.change_use(
                actor=desk.maker, house_id=house, state=state, holds_from=day, reason="业主申报"
            )

        generated()

        assert [(fen, trace.get("vacancy_rate")) for fen, trace in billed()] == [
            (10840, None),
            (7114, "0.7"),
        ]

    def test_a_house_that_is_always_vacant_has_one_line(
        self, services, desk, add_item, make_houses, generated, amounts
    ):
        """Source: D15, vacancy 70 %."""
        (house,) = make_houses("89.37")
        add_item("area", "2.35", vacancy_rate=Decimal("0.7"))
        services.houses.change_use(
            actor=desk.maker,
            house_id=house,
            state=HouseState.VACANT,
            holds_from=SINCE,
            reason="未入住",
        )

        generated()

        assert amounts() == [14701]

    def test_an_area_change_splits_the_line(
        self, services, desk, add_item, make_houses, generated, billed
    ):
        (house,) = make_houses("89.37")
        add_item("area", "2.35")
        services.houses.change_measure(
            actor=desk.maker,
            house_id=house,
            billing_area=Decimal("92.10"),
            fee_coefficient=Decimal(1),
            holds_from=date(2026, 10, 17),
            reason="房产证更正",
        )

        generated()

        assert [(fen, trace["area"], trace.get("since")) for fen, trace in billed()] == [
            (10840, "89.37", None),
            (10473, "92.1", ["area"]),
        ]

    def test_a_house_whose_area_changed_owes_other_than_its_new_equals(
        self, services, desk, add_item, make_houses, generated, bills
    ):
        _, changed = make_houses("100", "50")
        add_item("area", "1")
        services.houses.change_measure(
            actor=desk.maker,
            house_id=changed,
            billing_area=Decimal(100),
            fee_coefficient=Decimal(1),
            holds_from=date(2026, 10, 17),
            reason="房产证更正",
        )

        generated()

        assert [bill["amount_fen"] for bill in bills()] == [10000, 2581 + 4839]

    def test_a_sale_splits_the_line(self, database, add_item, make_houses, generated, billed):
        (house,) = make_houses("100")
        add_item("area", "1")
        with database.session() as session:
            row = session.get_one(factories.House, house)
            factories.make_owner(session, house=row)
            factories.make_owner(session, house=row, person_from=date(2026, 10, 17))
        database.do(
            "UPDATE house_person SET person_until = '2026-10-17' WHERE person_from = '2020-01-01'"
        )

        generated()

        assert [(fen, trace.get("since")) for fen, trace in billed()] == [
            (5161, None),
            (4839, ["owner"]),
        ]

    def test_a_surcharge_is_per_month(self, add_item, make_houses, generated, amounts):
        make_houses("100", handover_date=date(2026, 10, 17))
        add_item("area", "1", surcharge=Decimal(20))

        generated()

        assert amounts() == [5806]  # 120.00 × 15/31


class TestDiscounts:
    @pytest.fixture
    def discount(self, services, desk):
        def discount(item_id, kind, house_ids=None, **more):
            values = {
                "id": 0,
                "name": "优惠",
                "percent": None,
                "amount_fen": None,
                "buy_months": None,
                "free_months": None,
                "early_days": None,
                "priority": 100,
                "is_stackable": False,
                "cap_fen": None,
                "starts_on": SINCE,
                "ends_before": None,
            } | more
            return services.discounts.add(
                actor=desk.maker,
                community_id=desk.community_id,
                rule=DiscountRule(kind=kind, **values),
                fee_item_ids=[item_id],
                house_ids=house_ids,
            )

        return discount

    def test_is_a_line_of_its_own_with_its_basis(
        self, add_item, make_houses, discount, generated, billed, bills
    ):
        make_houses("89.37")
        discount(add_item("area", "2.35"), DiscountKind.PERCENTAGE, percent=Decimal(5))

        generated()

        (_, _), (fen, trace) = billed()
        assert (fen, trace["basis_fen"], trace["kind"]) == (-1050, 21002, "percentage")
        assert bills()[0]["amount_fen"] == 19952

    def test_only_the_chosen_houses(self, add_item, make_houses, discount, generated, bills):
        """Neighbours of equal area share the work only where no rule tells them apart."""
        _, chosen, _ = make_houses("50", "50", "50")
        discount(add_item("area", "1"), DiscountKind.FIXED, house_ids=[chosen], amount_fen=1000)

        generated()

        assert [bill["amount_fen"] for bill in bills()] == [5000, 4000, 5000]

    def test_vacancy_counts_vacant_days_only(
        self, services, desk, add_item, make_houses, discount, generated, bills
    ):
        (house,) = make_houses("100")
        discount(add_item("area", "1"), DiscountKind.VACANCY, percent=Decimal(50))
        services.houses.change_use(
            actor=desk.maker,
            house_id=house,
            state=HouseState.VACANT,
            holds_from=date(2026, 10, 17),
            reason="未入住",
        )

        generated()

        assert bills()[0]["amount_fen"] == 10000 - 2420  # 48.39 ÷ 2, half up

    def test_eleven_months_bring_one(
        self, clock, add_item, make_houses, discount, generated, bills
    ):
        clock.set(datetime(2027, 1, 2, tzinfo=UTC))
        make_houses("100")
        item_id = add_item("area", "1", cycle_months=12)
        discount(item_id, DiscountKind.FREE_MONTHS, buy_months=11, free_months=1)

        generated(month=date(2026, 12, 1))

        assert bills()[0]["amount_fen"] == 110000

    def test_a_bill_never_falls_below_nothing(
        self, add_item, make_houses, discount, generated, bills
    ):
        make_houses("10")
        discount(add_item("area", "1"), DiscountKind.FIXED, amount_fen=99999)

        generated()

        assert bills()[0]["amount_fen"] == 0
