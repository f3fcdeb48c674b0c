from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError

from domain.actors import Permission
from domain.charges import ChargeMethod, Price
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.money import Rounding
from domain.periods import Proration
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
