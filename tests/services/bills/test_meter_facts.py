"""Which readings a period counts, also on the short way for houses like their neighbours."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from domain.charges import ChargeMethod
from domain.meters import MeterKind
from domain.tiers import TierWindow
from services.fees.checks import NewFeeItem, NewPrice
from tests import factories

TIERS = [("10", "1"), (None, "2")]


@pytest.fixture
def meter(database):
    """A meter of a house with readings; the first is the opening one."""

    def meter(house_id, *readings, kind="cold_water", **more):
        (opened_on, opening), *later = readings
        with database.session() as session:
            row = factories.make_meter(
                session,
                house=session.get_one(factories.House, house_id),
                kind=kind,
                opened_on=opened_on,
                opening_reading=Decimal(opening),
                **more,
            )
            for read_on, reading in later:
                factories.make_reading(session, meter=row, read_on=read_on, reading=reading)
            return row.id

    return meter


@pytest.fixture
def add_item(services, desk):
    def add_item(method=ChargeMethod.METER, **more):
        fields = {"tiers": TIERS, "meter_kind": MeterKind.COLD_WATER} | more
        item = NewFeeItem("SF", "水费", method, None, date(2020, 1, 1), **fields)
        return services.fees.add_item(actor=desk.maker, community_id=desk.community_id, item=item)

    return add_item


@pytest.fixture
def amounts(database):
    return lambda: {
        row["house_id"]: row["amount_fen"]
        for row in database.rows("SELECT house_id, amount_fen FROM bill WHERE state <> 'cancelled'")
    }


@pytest.fixture
def why_not(database):
    return lambda: {
        row["house_id"]: row["why"] for row in database.rows("SELECT * FROM bill_exception")
    }


class TestNeighbours:
    """Houses that used the same share the work: only if they used it in the period."""

    @pytest.fixture
    def houses(self, make_houses):
        return make_houses("1", "2")

    def test_usage_read_after_the_period_is_not_this_periods(
        self, clock, add_item, houses, meter, generated, amounts, why_not
    ):
        """A run that comes late sees November's readings, and charges them in November."""
        clock.set(datetime(2026, 12, 5, tzinfo=UTC))
        first, second = houses
        meter(first, (date(2026, 9, 28), "0"), (date(2026, 10, 28), "30"))
        meter(second, (date(2026, 9, 28), "0"), (date(2026, 11, 28), "30"))
        add_item()

        generated(month=date(2026, 10, 1))

        assert amounts() == {first: 5000}
        assert "之后没有读数" in why_not()[second]

    def test_usage_of_half_a_period_of_two_months_is_not_the_whole(
        self, add_item, houses, meter, generated, amounts, why_not
    ):
        first, second = houses
        meter(first, (date(2026, 7, 28), "0"), (date(2026, 10, 28), "30"))
        meter(second, (date(2026, 7, 28), "0"), (date(2026, 8, 28), "30"))
        add_item(cycle_months=2, cycle_from_month=9)

        generated(month=date(2026, 10, 1))

        assert list(amounts()) == [first]
        assert "之后没有读数" in why_not()[second]

    def test_neighbours_on_the_short_way_owe_what_they_would_alone(
        self, database, add_item, make_houses, meter, generated, amounts
    ):
        houses = make_houses(*("1" for _ in range(6)))
        for house in houses:
            meter(house, (date(2026, 9, 28), "0"), (date(2026, 10, 28), "30"))
        add_item()

        generated()

        assert set(amounts().values()) == {5000}
        traces = database.rows("SELECT trace FROM bill_line ORDER BY bill_id")
        numbers = {row["trace"]["segments"][0]["meter_no"] for row in traces}
        assert len(numbers) == len(houses)

    def test_a_meter_number_that_needs_escaping_survives_both_ways(
        self, database, add_item, houses, meter, generated
    ):
        strange = ['3"\\单元\t1', 'W\\n"2']
        for house, meter_no in zip(houses, strange, strict=True):
            meter(house, (date(2026, 9, 28), "0"), (date(2026, 10, 28), "30"), meter_no=meter_no)
        add_item()

        generated()

        rows = database.rows("SELECT trace FROM bill_line ORDER BY bill_id")
        assert [row["trace"]["segments"][0]["meter_no"] for row in rows] == strange

    def test_a_neighbour_with_other_usage_before_in_the_year_climbs_on_its_own(
        self, add_item, houses, meter, generated, amounts
    ):
        first, second = houses
        for house, used in ((first, "0"), (second, "10")):
            meter(
                house,
                (date(2025, 12, 31), "0"),
                (date(2026, 9, 30), used),
                (date(2026, 10, 28), str(int(used) + 10)),
            )
        add_item(tier_window=TierWindow.YEAR)

        generated()

        assert amounts() == {first: 1000, second: 2000}

    @pytest.mark.parametrize(
        ("change", "fen"),
        [
            ("multiplier = 2", 11000),
            ("closed_on = '2026-10-28', closing_reading = 31", 5200),
        ],
    )
    def test_a_meter_that_is_special_is_counted_on_its_own(
        self, database, add_item, houses, meter, generated, amounts, change, fen
    ):
        first, second = houses
        meter(first, (date(2026, 9, 28), "0"), (date(2026, 10, 28), "30"))
        special = meter(second, (date(2026, 9, 28), "0"), (date(2026, 10, 28), "30"))
        database.do(f"UPDATE meter SET {change} WHERE id = :id", id=special)
        add_item()

        generated()

        assert amounts() == {first: 5000, second: fen}


class TestReadings:
    @pytest.fixture
    def house(self, make_houses):
        (house,) = make_houses("1")
        return house

    def test_the_last_reading_before_the_period_is_where_it_begins(
        self, add_item, house, meter, generated, database, amounts
    ):
        meter(
            house,
            (date(2026, 7, 31), "0"),
            (date(2026, 9, 20), "5"),
            (date(2026, 9, 30), "7"),
            (date(2026, 10, 15), "8"),
            (date(2026, 10, 31), "9"),
        )
        add_item()

        generated()

        assert amounts() == {house: 200}
        [segment] = database.value("SELECT trace FROM bill_line")["segments"]
        assert (segment["from_on"], segment["until_on"]) == ("2026-09-30", "2026-10-31")

    @pytest.mark.parametrize(("window", "fen"), [(TierWindow.MONTH, 300), (TierWindow.YEAR, 600)])
    def test_a_meter_that_was_closed_before_the_period_counts_only_for_the_year(
        self, add_item, house, meter, generated, amounts, window, fen
    ):
        old = meter(
            house,
            (date(2026, 7, 31), "0"),
            closed_on=date(2026, 9, 30),
            closing_reading=Decimal(500),
        )
        meter(
            house,
            (date(2026, 9, 30), "0"),
            (date(2026, 10, 28), "3"),
            replaces_meter_id=old,
        )
        add_item(tier_window=window)

        generated()

        assert amounts() == {house: fen}

    def test_replaced_meters_climb_the_tiers_together(
        self, add_item, house, meter, generated, amounts
    ):
        swap = date(2026, 10, 12)
        old = meter(house, (date(2026, 9, 28), "0"), closed_on=swap, closing_reading=Decimal(8))
        meter(house, (swap, "0"), (date(2026, 10, 28), "7"), replaces_meter_id=old)
        add_item()

        generated()

        assert amounts() == {house: 2000}  # ten at 1 yuan, five at 2


class TestFormulas:
    def test_an_old_formula_that_counted_usage_asks_nobody_for_a_meter(
        self, services, desk, add_item, make_houses, generated, amounts, why_not
    ):
        (house,) = make_houses("100")
        item_id = add_item(ChargeMethod.FORMULA, tiers=None, formula="usage * 2")
        services.fees.set_price(
            actor=desk.maker,
            fee_item_id=item_id,
            price=NewPrice(formula="area * months"),
            priced_from=date(2026, 10, 1),
        )

        generated()

        assert amounts() == {house: 10000}
        assert why_not() == {}

    def test_a_sale_does_not_charge_the_usage_twice(
        self, database, add_item, make_houses, meter, generated, amounts
    ):
        (house,) = make_houses("100")
        meter(house, (date(2026, 9, 28), "0"), (date(2026, 10, 28), "31"))
        add_item(ChargeMethod.FORMULA, tiers=None, formula="usage * 2")
        with database.session() as session:
            factories.make_owner(session, house=session.get_one(factories.House, house))
        database.do("UPDATE house_person SET person_until = '2026-10-11'")

        generated()

        assert amounts() == {house: 6200}
        assert database.value("SELECT count(*) FROM bill_line") == 2
