from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError

from domain.actors import Permission
from domain.charges import ChargeMethod, Price
from domain.cycles import BillingTiming, CycleAnchor
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.formulas import Formula
from domain.meters import MeterKind
from domain.money import Rounding
from domain.periods import Proration
from domain.tiers import TierTable, TierWindow
from services.fees.checks import NewFeeItem, NewPrice
from services.fees.items import FeeItemCodeTaken, PriceNotLater
from tests import factories
from tests.factories import actor_without

ITEM = NewFeeItem("WY", "物业费", ChargeMethod.AREA, Decimal("2.35"), date(2026, 1, 1))


@pytest.fixture
def community_id(database):
    with database.session() as session:
        return factories.make_community(session).id


@pytest.fixture
def manager(database):
    with database.session() as session:
        return factories.staff(session)


@pytest.fixture
def add(services, manager, community_id):
    def add(actor=manager, community_id=community_id, **changes):
        return services.fees.add_item(
            actor=actor, community_id=community_id, item=replace(ITEM, **changes)
        )

    return add


@pytest.fixture
def set_price(services, manager):
    def set_price(fee_item_id, unit_price, priced_from, actor=manager):
        services.fees.set_price(
            actor=actor,
            fee_item_id=fee_item_id,
            price=NewPrice(Decimal(unit_price)),
            priced_from=priced_from,
        )

    return set_price


@pytest.fixture
def prices(services, manager, community_id):
    def prices():
        (item,) = services.fees.list_items(actor=manager, community_id=community_id)
        return item.prices

    return prices


class TestAddItem:
    def test_it_is_added_with_its_first_price(self, add, database, prices):
        item_id = add(
            name=" 物业费 ",
            rounding=Rounding.JIAO,
            proration=Proration.DAYS_30,
            issue_offset_days=4,
            due_days=25,
        )

        row = database.rows("SELECT * FROM fee_item")[0]
        assert (row["id"], row["code"], row["name"]) == (item_id, "WY", "物业费")
        assert (row["charge_method"], row["rounding"], row["proration"]) == (
            "area",
            "jiao",
            "days_30",
        )
        assert (row["issue_offset_days"], row["due_days"]) == (4, 25)
        assert prices() == (Price(Decimal("2.35"), date(2026, 1, 1)),)

    def test_it_is_on_record(self, add, audit):
        add()

        assert audit("fee_item_added") == [
            {
                "code": "WY",
                "name": "物业费",
                "charge_method": "area",
                "unit_price": "2.35",
                "priced_from": "2026-01-01",
            }
        ]

    def test_a_code_can_be_used_once_per_community(self, add, database):
        add()
        with database.session() as session:
            other = factories.make_community(session).id

        with pytest.raises(FeeItemCodeTaken):
            add(name="另一个")
        add(community_id=other)

        assert database.value("SELECT count(*) FROM fee_standard") == 2

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("code", "W"),
            ("code", "WYFEE"),
            ("code", "wy"),
            ("code", "W1"),
            ("code", "物业"),
            ("code", ""),
            ("name", " "),
            ("name", "长" * 21),
            ("unit_price", Decimal(0)),
            ("unit_price", Decimal("-2.35")),
            ("unit_price", Decimal(1_000_000)),
            ("unit_price", Decimal("NaN")),
            ("unit_price", Decimal("Infinity")),
            ("unit_price", Decimal("0.0000001")),
            ("unit_price", Decimal("1E-40")),
            ("issue_offset_days", -1),
            ("issue_offset_days", 366),
            ("due_days", -1),
            ("due_days", 366),
        ],
    )
    def test_what_cannot_be_used_is_named(self, add, database, field, value):
        with pytest.raises(InvalidInput) as refusal:
            add(**{field: value})

        assert list(refusal.value.fields) == [field]
        assert database.rows("SELECT * FROM fee_item") == []

    def test_all_bad_fields_are_named_at_once(self, add):
        with pytest.raises(InvalidInput) as refusal:
            add(code="", name="", unit_price=Decimal(0), due_days=-1)

        assert set(refusal.value.fields) == {"code", "name", "unit_price", "due_days"}

    def test_no_such_community(self, add):
        with pytest.raises(NotFound):
            add(community_id=404)

    def test_another_breach_is_not_called_a_taken_code(self, add):
        with pytest.raises(IntegrityError):
            add(proration="by_mood")

    def test_only_with_the_permission(self, add, database):
        with pytest.raises(NotAllowed):
            add(actor=actor_without(Permission.MANAGE_FEES))

        assert database.rows("SELECT * FROM fee_item") == []


class TestAddEveryMethod:
    TIERS = (("180", "5"), ("260.50", "7.10"), (None, "9"))

    def test_tiers_are_kept_as_they_read(self, add, prices, audit):
        add(
            charge_method=ChargeMethod.METER,
            unit_price=None,
            meter_kind=MeterKind.COLD_WATER,
            tiers=self.TIERS,
        )

        [price] = prices()
        assert price.tiers == TierTable.read(self.TIERS)
        assert (price.unit_price, price.formula) == (None, None)
        assert audit("fee_item_added")[0]["tiers"] == [list(row) for row in self.TIERS]

    def test_a_formula_is_kept_with_its_constants(self, add, prices, audit):
        constants = {"rate": Decimal("0.50")}

        add(
            charge_method=ChargeMethod.FORMULA,
            unit_price=None,
            formula="area * rate * months",
            constants=constants,
        )

        [price] = prices()
        assert price.formula == Formula.read("area * rate * months", constants)
        facts = audit("fee_item_added")[0]
        assert (facts["formula"], facts["constants"]) == ("area * rate * months", {"rate": "0.50"})

    def test_a_surcharge_is_kept_with_the_price(self, add, prices, audit):
        add(surcharge=Decimal("12.50"))

        assert prices()[0].surcharge == Decimal("12.50")
        assert audit("fee_item_added")[0]["surcharge"] == "12.50"

    @pytest.mark.parametrize("method", [ChargeMethod.SHARE, ChargeMethod.ONE_OFF])
    def test_what_brings_its_own_amounts_has_no_price(self, add, prices, method):
        add(charge_method=method, unit_price=None)

        assert prices() == ()

    def test_cycle_and_tiers_are_kept(self, add, database):
        fields = {
            "cycle_months": 3,
            "cycle_anchor": CycleAnchor.ANNIVERSARY,
            "cycle_from_month": 2,
            "billing_timing": BillingTiming.IN_ADVANCE,
            "due_day": 15,
            "meter_kind": MeterKind.GAS,
            "tier_window": TierWindow.YEAR,
            "tier_from_month": 7,
            "is_tier_per_house": True,
            "is_tier_per_person": True,
        }

        add(charge_method=ChargeMethod.METER, **fields)

        row = database.rows("SELECT * FROM fee_item")[0]
        assert {name: row[name] for name in fields} == fields

    def test_a_price_per_period_and_a_vacancy_rate_are_kept(self, add, database):
        add(
            charge_method=ChargeMethod.FIXED,
            is_per_period=True,
            vacancy_rate=Decimal("0.7"),
        )

        row = database.rows("SELECT is_per_period, vacancy_rate FROM fee_item")[0]
        assert tuple(row.values()) == (True, Decimal("0.7"))


class TestHopelessFormula:
    """Source: domain.md D1, a formula is tried on houses before it is saved."""

    @pytest.fixture
    def house(self, database, community_id):
        def house(**changes):
            with database.session() as session:
                community = session.get_one(factories.Community, community_id)
                building = factories.make_building(session, community=community)
                return factories.make_house(session, building=building, **changes).id

        return house

    @pytest.fixture
    def add_formula(self, add):
        return lambda formula, **more: add(
            charge_method=ChargeMethod.FORMULA, unit_price=None, formula=formula, **more
        )

    @pytest.mark.parametrize("months", [1, 3, 12])
    @pytest.mark.parametrize("timing", BillingTiming)
    def test_one_that_fails_for_every_house_is_refused(
        self, house, add_formula, database, months, timing
    ):
        house()
        house()

        with pytest.raises(InvalidInput) as refusal:
            add_formula("10 / floor", cycle_months=months, billing_timing=timing)

        assert refusal.value.fields == {"formula": ["公式需要楼层，但没有填写"]}
        assert database.rows("SELECT * FROM fee_item") == []

    def test_all_reasons_are_told(self, house, add_formula):
        house(floor_no=3)
        house()

        with pytest.raises(InvalidInput) as refusal:
            add_formula("10 / (floor - 3)")

        assert refusal.value.fields == {"formula": ["公式里除数为 0", "公式需要楼层，但没有填写"]}

    def test_a_house_that_cannot_be_tried_excuses_nothing(self, house, add_formula):
        house()
        house(handover_date=None)

        with pytest.raises(InvalidInput):
            add_formula("10 / floor")

    def test_one_that_works_for_some_house_is_taken(self, house, add_formula):
        house(floor_no=3)
        house()

        add_formula("10 / floor")

    def test_without_houses_there_is_nothing_to_try(self, add_formula):
        add_formula("10 / floor")

    def test_houses_without_a_meter_say_nothing_of_the_formula(self, house, add_formula):
        house()

        add_formula("usage * 2", meter_kind=MeterKind.COLD_WATER)

    def test_one_that_counts_usage_without_a_meter_is_refused(self, house, add_formula):
        house()

        with pytest.raises(InvalidInput):
            add_formula("usage * 2")

    def test_a_new_formula_of_an_item_is_tried_as_well(
        self, services, manager, house, add_formula, prices
    ):
        item_id = add_formula("area * months", cycle_months=12)
        house()

        with pytest.raises(InvalidInput) as refusal:
            services.fees.set_price(
                actor=manager,
                fee_item_id=item_id,
                price=NewPrice(formula="10 / floor"),
                priced_from=date(2027, 6, 16),
            )

        assert list(refusal.value.fields) == ["formula"]
        assert len(prices()) == 1


class TestSetPrice:
    def test_the_one_before_ends_where_the_new_one_begins(self, add, set_price, prices):
        item_id = add()

        set_price(item_id, "2.50", date(2026, 6, 16))
        set_price(item_id, "2.75", date(2027, 1, 1))

        assert prices() == (
            Price(Decimal("2.35"), date(2026, 1, 1), date(2026, 6, 16)),
            Price(Decimal("2.50"), date(2026, 6, 16), date(2027, 1, 1)),
            Price(Decimal("2.75"), date(2027, 1, 1)),
        )

    def test_it_is_on_record_before_and_after(self, add, set_price, audit):
        set_price(add(), "2.50", date(2026, 6, 16))

        assert audit("price_set") == [
            {
                "before": {"unit_price": "2.350000"},
                "after": {"unit_price": "2.50"},
                "priced_from": "2026-06-16",
            }
        ]

    @pytest.mark.parametrize("day", [date(2026, 1, 1), date(2025, 12, 31)])
    def test_history_is_not_rewritten(self, add, set_price, prices, day):
        item_id = add()

        with pytest.raises(PriceNotLater):
            set_price(item_id, "2.50", day)

        assert prices() == (Price(Decimal("2.35"), date(2026, 1, 1)),)

    @pytest.mark.parametrize("unit_price", ["0", "-1", "NaN", "0.0000001", "1000000"])
    def test_a_price_that_cannot_be_used_is_refused(self, add, set_price, unit_price):
        item_id = add()

        with pytest.raises(InvalidInput) as refusal:
            set_price(item_id, unit_price, date(2026, 6, 16))

        assert list(refusal.value.fields) == ["unit_price"]

    def test_no_such_item(self, set_price):
        with pytest.raises(NotFound):
            set_price(404, "2.50", date(2026, 6, 16))

    @pytest.mark.parametrize("method", [ChargeMethod.SHARE, ChargeMethod.ONE_OFF])
    def test_an_item_without_prices_gets_none(self, add, set_price, prices, method):
        item_id = add(charge_method=method, unit_price=None)

        with pytest.raises(InvalidInput, match="没有单价"):
            set_price(item_id, "2.50", date(2026, 6, 16))

        assert prices() == ()

    def test_a_price_of_another_way_is_refused(self, services, manager, add):
        with pytest.raises(InvalidInput) as refusal:
            services.fees.set_price(
                actor=manager,
                fee_item_id=add(),
                price=NewPrice(tiers=[(None, "5")]),
                priced_from=date(2026, 6, 16),
            )

        assert list(refusal.value.fields) == ["tiers"]

    def test_tiers_may_follow_a_unit_price(self, services, manager, add, prices, audit):
        item_id = add(charge_method=ChargeMethod.METER, meter_kind=MeterKind.GAS)

        services.fees.set_price(
            actor=manager,
            fee_item_id=item_id,
            price=NewPrice(tiers=[("100", "2"), (None, "3")], surcharge=Decimal(5)),
            priced_from=date(2026, 6, 16),
        )

        before, after = prices()
        assert (before.unit_price, before.ends_before) == (Decimal("2.35"), date(2026, 6, 16))
        assert after.tiers == TierTable.read([("100", "2"), (None, "3")])
        [facts] = audit("price_set")
        assert facts["before"] == {"unit_price": "2.350000"}
        assert facts["after"] == {"tiers": [["100", "2"], [None, "3"]], "surcharge": "5"}

    def test_a_formula_with_another_constant_is_another_price(
        self, services, manager, add, prices, audit
    ):
        item_id = add(
            charge_method=ChargeMethod.FORMULA,
            unit_price=None,
            formula="area * rate",
            constants={"rate": Decimal("0.5")},
        )

        services.fees.set_price(
            actor=manager,
            fee_item_id=item_id,
            price=NewPrice(formula="area * rate", constants={"rate": Decimal("0.6")}),
            priced_from=date(2026, 6, 16),
        )

        assert [
            price.formula.evaluate({"area": Decimal(10)}) for price in prices() if price.formula
        ] == [5, 6]
        [facts] = audit("price_set")
        assert facts["before"]["constants"] == {"rate": "0.5"}
        assert facts["after"]["constants"] == {"rate": "0.6"}

    def test_many_at_once_leave_one_history(self, add, set_price, prices, together):
        item_id = add()

        results = together(
            *(
                lambda fen=fen: set_price(item_id, f"2.{fen}", date(2026, 6, 16))
                for fen in range(50, 58)
            )
        )

        assert results.count(None) == 1
        assert sum(isinstance(result, PriceNotLater) for result in results) == 7
        assert [price.starts_on for price in prices()] == [date(2026, 1, 1), date(2026, 6, 16)]

    def test_only_with_the_permission(self, add, set_price, prices):
        item_id = add()

        with pytest.raises(NotAllowed):
            set_price(
                item_id,
                "2.50",
                date(2026, 6, 16),
                actor=actor_without(Permission.MANAGE_FEES),
            )

        assert len(prices()) == 1


class TestEndItem:
    @pytest.fixture
    def end(self, services, manager):
        def end(item_id, day=date(2026, 6, 16), reason="业主大会决定", actor=manager):
            services.fees.end_item(actor=actor, fee_item_id=item_id, ends_before=day, reason=reason)

        return end

    def test_it_ends_with_its_reason(self, services, manager, community_id, add, end, audit):
        end(add(), reason=" 业主大会决定 ")

        [item] = services.fees.list_items(actor=manager, community_id=community_id)
        assert item.ends_before == date(2026, 6, 16)
        assert audit("fee_item_ended") == [
            {"before": None, "ends_before": "2026-06-16", "reason": "业主大会决定"}
        ]

    def test_it_may_end_otherwise(self, add, end, audit):
        item_id = add()
        end(item_id)

        end(item_id, date(2026, 7, 1))

        assert audit("fee_item_ended")[-1]["before"] == "2026-06-16"

    @pytest.mark.parametrize("day", [date(2026, 1, 1), date(2025, 12, 31)])
    def test_an_item_without_a_bill_may_be_withdrawn(
        self, end, add, services, manager, community_id, day
    ):
        end(add(), day)

        [item] = services.fees.list_items(actor=manager, community_id=community_id)
        assert not item.is_active

    def test_one_with_a_bill_does_not_end_before_it_began(self, end, add, database, community_id):
        item_id = add()
        with database.session() as session:
            community = session.get_one(factories.Community, community_id)
            house = factories.make_house(
                session, building=factories.make_building(session, community=community)
            )
            item = session.get_one(factories.FeeItem, item_id)
            factories.make_bill(session, house=house, item=item)

        with pytest.raises(InvalidInput) as refusal:
            end(item_id, date(2026, 1, 1))

        assert list(refusal.value.fields) == ["ends_before"]
        assert database.value("SELECT ends_on FROM fee_item") is None

    def test_not_without_a_reason(self, add, end):
        with pytest.raises(InvalidInput) as refusal:
            end(add(), reason="  ")

        assert list(refusal.value.fields) == ["reason"]

    def test_no_such_item(self, end):
        with pytest.raises(NotFound):
            end(404)

    def test_only_with_the_permission(self, add, end):
        with pytest.raises(NotAllowed):
            end(add(), actor=actor_without(Permission.MANAGE_FEES))


class TestListItems:
    def test_items_of_the_community_each_with_its_own_prices(
        self, services, add, manager, community_id, database
    ):
        with database.session() as session:
            factories.make_item(session)
        add()
        add(code="LJ", name="垃圾费", charge_method=ChargeMethod.FIXED, unit_price=Decimal(12))

        items = services.fees.list_items(actor=manager, community_id=community_id)

        assert [(item.code, item.charge_method, item.is_active) for item in items] == [
            ("WY", "area", True),
            ("LJ", "fixed", True),
        ]
        assert [[price.unit_price for price in item.prices] for item in items] == [
            [Decimal("2.35")],
            [Decimal(12)],
        ]

    def test_only_with_the_permission(self, services, community_id):
        with pytest.raises(NotAllowed):
            services.fees.list_items(
                actor=actor_without(Permission.VIEW_ESTATE), community_id=community_id
            )
