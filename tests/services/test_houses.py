"""What changes about a house by date; bills made of it are in tests/services/bills."""

import re
from datetime import date
from decimal import Decimal

import pytest

from domain.actors import Permission
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.houses import HouseState
from services.houses import ChangeNotLater
from services.retirement import HouseRetired
from tests import factories
from tests.factories import actor_without

SPRING, SUMMER = date(2026, 3, 1), date(2026, 6, 1)


@pytest.fixture
def manager(database):
    with database.session() as session:
        return factories.staff(session)


@pytest.fixture
def house_id(database):
    with database.session() as session:
        return factories.make_house(session).id


@pytest.fixture
def change_measure(services, manager, house_id):
    def change_measure(area="92.1", coefficient="1", holds_from=SPRING, **changes):
        values = {"actor": manager, "house_id": house_id, "reason": "房产证更正"} | changes
        services.houses.change_measure(
            billing_area=Decimal(area),
            fee_coefficient=Decimal(coefficient),
            holds_from=holds_from,
            **values,
        )

    return change_measure


@pytest.fixture
def change_use(services, manager, house_id):
    def change_use(state=HouseState.VACANT, holds_from=SPRING, **changes):
        values = {"actor": manager, "house_id": house_id, "reason": "业主申报"} | changes
        services.houses.change_use(state=state, holds_from=holds_from, **values)

    return change_use


@pytest.fixture
def now(database):
    """What holds of the house today."""
    return lambda: tuple(
        database.rows("SELECT billing_area, fee_coefficient FROM house")[0].values()
    )


@pytest.fixture
def before(database):
    """What held until which days, oldest first."""
    return lambda: [
        tuple(row.values())
        for row in database.rows(
            "SELECT measured_until, billing_area, fee_coefficient FROM house_measure"
            " ORDER BY measured_until"
        )
    ]


@pytest.fixture
def uses(database):
    return lambda: [
        tuple(row.values())
        for row in database.rows(
            "SELECT state, occupied_from, occupied_until FROM occupancy ORDER BY occupied_from"
        )
    ]


@pytest.mark.usefixtures("house_id")
def test_nothing_changes_of_a_retired_house(change_measure, change_use, database, now, uses):
    database.do("UPDATE house SET retired_on = '2026-02-01'")

    for change in (change_measure, change_use):
        with pytest.raises(HouseRetired):
            change()

    assert (now(), uses()) == ((Decimal("89.37"), Decimal(1)), [])


class TestChangeMeasure:
    def test_what_held_before_is_kept_until_the_day(self, change_measure, now, before, audit):
        change_measure("92.1", "0.8", reason=" 房产证更正 ")

        assert now() == (Decimal("92.1"), Decimal("0.8"))
        assert before() == [(SPRING, Decimal("89.37"), Decimal(1))]
        assert audit("house_measure_changed") == [
            {
                "before": {"billing_area": "89.3700", "fee_coefficient": "1.0000"},
                "after": {"billing_area": "92.1", "fee_coefficient": "0.8"},
                "holds_from": "2026-03-01",
                "reason": "房产证更正",
            }
        ]

    def test_one_change_after_another(self, change_measure, now, before):
        change_measure("92.1")
        change_measure("95", holds_from=SUMMER)

        assert now() == (Decimal(95), Decimal(1))
        assert [(until, area) for until, area, _ in before()] == [
            (SPRING, Decimal("89.37")),
            (SUMMER, Decimal("92.1")),
        ]

    def test_a_correction_has_no_day_and_leaves_no_history(
        self, change_measure, now, before, audit
    ):
        change_measure("93", holds_from=None)

        assert now() == (Decimal(93), Decimal(1))
        assert before() == []
        assert audit("house_measure_changed")[0]["holds_from"] is None

    def test_a_correction_after_a_change_leaves_what_held_before_it(
        self, change_measure, now, before
    ):
        change_measure("92.1")

        change_measure("93", holds_from=None)

        assert now() == (Decimal(93), Decimal(1))
        assert before() == [(SPRING, Decimal("89.37"), Decimal(1))]

    @pytest.mark.parametrize("day", [SPRING, date(2026, 2, 28)])
    def test_history_is_not_rewritten(self, change_measure, now, before, day):
        change_measure("92.1")

        with pytest.raises(ChangeNotLater):
            change_measure("95", holds_from=day)

        assert now() == (Decimal("92.1"), Decimal(1))
        assert len(before()) == 1

    @pytest.mark.parametrize("field", ["billing_area", "fee_coefficient"])
    @pytest.mark.parametrize("number", ["0", "-1", "NaN", "Infinity", "100000", "1.00001"])
    def test_what_is_no_measure_is_named(self, change_measure, now, field, number):
        words = {"billing_area": "area", "fee_coefficient": "coefficient"}

        with pytest.raises(InvalidInput) as refusal:
            change_measure(**{words[field]: number})

        assert list(refusal.value.fields) == [field]
        assert re.search(r"[一-鿿]", refusal.value.fields[field][0])
        assert now() == (Decimal("89.37"), Decimal(1))

    def test_not_without_a_reason(self, change_measure):
        with pytest.raises(InvalidInput) as refusal:
            change_measure(area="0", reason=" ")

        assert set(refusal.value.fields) == {"billing_area", "reason"}

    def test_no_such_house(self, change_measure):
        with pytest.raises(NotFound):
            change_measure(house_id=404)

    def test_many_at_once_leave_one_history(self, change_measure, before, together):
        results = together(*(lambda n=n: change_measure(str(90 + n)) for n in range(6)))

        assert results.count(None) == 1
        assert sum(isinstance(result, ChangeNotLater) for result in results) == 5
        assert [area for _, area, _ in before()] == [Decimal("89.37")]

    def test_only_with_the_permission(self, change_measure, now):
        with pytest.raises(NotAllowed):
            change_measure(actor=actor_without(Permission.MANAGE_ESTATE))

        assert now() == (Decimal("89.37"), Decimal(1))


class TestChangeUse:
    def test_a_first_use(self, change_use, uses, audit):
        change_use(reason=" 业主申报 ")

        assert uses() == [("vacant", SPRING, None)]
        assert audit("house_use_changed") == [
            {
                "before": None,
                "after": "vacant",
                "holds_from": "2026-03-01",
                "reason": "业主申报",
            }
        ]

    def test_the_use_before_ends_where_the_new_one_begins(self, change_use, uses, audit):
        change_use()

        change_use(HouseState.RENTED, SUMMER)

        assert uses() == [("vacant", SPRING, SUMMER), ("rented", SUMMER, None)]
        assert audit("house_use_changed")[-1]["before"] == "vacant"

    def test_a_use_that_ended_long_ago_keeps_its_end(self, change_use, uses, database):
        change_use()
        database.do("UPDATE occupancy SET occupied_until = '2026-04-01'")

        change_use(HouseState.OCCUPIED, SUMMER)

        assert uses() == [
            ("vacant", SPRING, date(2026, 4, 1)),
            ("occupied", SUMMER, None),
        ]

    @pytest.mark.parametrize("day", [SPRING, date(2026, 2, 28)])
    def test_history_is_not_rewritten(self, change_use, uses, day):
        change_use()

        with pytest.raises(ChangeNotLater):
            change_use(HouseState.OCCUPIED, day)

        assert uses() == [("vacant", SPRING, None)]

    def test_not_without_a_reason(self, change_use, uses):
        with pytest.raises(InvalidInput) as refusal:
            change_use(reason=" ")

        assert list(refusal.value.fields) == ["reason"]
        assert uses() == []

    def test_no_such_house(self, change_use):
        with pytest.raises(NotFound):
            change_use(house_id=404)

    def test_only_with_the_permission(self, change_use, uses):
        with pytest.raises(NotAllowed):
            change_use(actor=actor_without(Permission.MANAGE_ESTATE))

        assert uses() == []
