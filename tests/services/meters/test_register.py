from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError

from domain.actors import Permission
from domain.errors import InvalidInput, NotAllowed, NotFound
from services.meters.register import MeterNoTaken, MetersNotSwappable, NewCounter, NewMeter
from services.meters.timelines import MeterClosed, ReadingBilled
from tests import factories
from tests.factories import actor_without
from tests.services.meters.conftest import OCTOBER, SEPTEMBER

CLOSED = "closed_on = '2026-10-31', closing_reading = 110"


@pytest.fixture
def register(services, manager, house):
    def register(*, actor=manager, community_id=house.community_id, **changes):
        values = {
            "meter_no": "W9",
            "kind": "cold_water",
            "house_id": house.id,
            "opening_reading": Decimal("12.5"),
            "opened_on": SEPTEMBER,
        }
        return services.meter_register.register(
            actor=actor, community_id=community_id, meter=NewMeter(**(values | changes))
        )

    return register


@pytest.fixture
def replace(services, manager, meter):
    def replace(closing="110", *, closed_on=OCTOBER, meter_id=meter.id, actor=manager, **changes):
        values = {"meter_no": "W9", "opening_reading": Decimal("0.5")}
        return services.meter_register.replace(
            actor=actor,
            meter_id=meter_id,
            closing_reading=Decimal(closing),
            closed_on=closed_on,
            new=NewCounter(**(values | changes)),
        )

    return replace


@pytest.fixture
def swap(services, manager, meter, neighbour):
    def swap(*, meter_id=meter.id, other_meter_id=neighbour.id, reason="接反了", actor=manager):
        return services.meter_register.swap(
            actor=actor, meter_id=meter_id, other_meter_id=other_meter_id, reason=reason
        )

    return swap


def fields(refused):
    return set(refused.value.fields)


class TestRegister:
    def test_a_meter_goes_on_file_with_what_it_showed(self, register, house, on_file, audit):
        row = on_file(register(multiplier=Decimal(40), modulus=Decimal(100_000)))

        assert (row.meter_no, row.kind, row.house_id) == ("W9", "cold_water", house.id)
        assert (row.opening_reading, row.opened_on) == (Decimal("12.5"), SEPTEMBER)
        assert (row.multiplier, row.modulus) == (40, 100_000)
        assert row.closed_on is None
        assert audit("meter_registered") == [
            {
                "meter_no": "W9",
                "kind": "cold_water",
                "house_id": house.id,
                "opening_reading": "12.5",
                "opened_on": "2026-09-30",
                "replaces_meter_id": None,
            }
        ]

    def test_a_public_meter_has_no_house(self, register, on_file):
        assert on_file(register(house_id=None)).house_id is None

    def test_its_number_is_written_plainly(self, register, on_file):
        assert on_file(register(meter_no=" Ｗ９")).meter_no == "W9"

    def test_a_number_is_given_once_in_a_community(self, register, database, audit):
        register()

        with pytest.raises(MeterNoTaken):
            register()

        assert audit() == ["meter_registered"]
        with database.session() as session:
            other = factories.make_house(session)
        register(community_id=other.community_id, house_id=other.id)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("meter_no", ""),
            ("meter_no", "W" * 41),
            ("opening_reading", Decimal(-1)),
            ("opening_reading", Decimal("0.00001")),
            ("opening_reading", Decimal("NaN")),
            ("multiplier", Decimal(0)),
            ("multiplier", Decimal(10**6)),
            ("multiplier", Decimal("0.00001")),
            ("multiplier", Decimal("NaN")),
            ("modulus", Decimal(0)),
            ("modulus", Decimal(10**10)),
            ("modulus", Decimal("Infinity")),
            ("opened_on", date(1948, 12, 31)),
        ],
        ids=repr,
    )
    def test_what_cannot_be_a_meter_is_told_by_field(self, register, database, field, value):
        with pytest.raises(InvalidInput) as refused:
            register(**{field: value})

        assert fields(refused) == {field}
        assert database.rows("SELECT * FROM meter") == []

    def test_it_cannot_show_more_than_its_modulus_or_begin_tomorrow(self, register):
        for changes in ({"modulus": Decimal(10)}, {"opened_on": date(2026, 11, 25)}):
            with pytest.raises(InvalidInput) as refused:
                register(**changes)
            assert fields(refused) == {"opening_reading"}

    def test_the_house_must_be_in_the_community(self, register, database):
        with database.session() as session:
            other = factories.make_house(session)
        for changes in ({"house_id": other.id}, {"house_id": 404}, {"community_id": 404}):
            with pytest.raises(NotFound):
                register(**changes)

    def test_a_breach_of_another_rule_is_no_taken_number(self, register):
        with pytest.raises(IntegrityError):
            register(kind="oil")

    def test_two_that_register_a_number_at_once(self, register, together, database):
        results = together(register, register)

        assert sum(isinstance(one, MeterNoTaken) for one in results) == 1
        assert database.value("SELECT count(*) FROM meter") == 1

    def test_only_with_the_permission(self, register, engineer, database):
        for actor in (engineer, actor_without(Permission.MANAGE_METERS)):
            with pytest.raises(NotAllowed):
                register(actor=actor)

        assert database.rows("SELECT * FROM meter") == []


class TestReplace:
    """Without segments of their own, a changed meter gave negative usage elsewhere."""

    def test_the_old_one_closes_and_the_new_one_opens_on_the_same_day(
        self, replace, meter, house, on_file, audit
    ):
        new = on_file(replace())

        old = on_file(meter.id)
        assert (old.closing_reading, old.closed_on) == (110, OCTOBER)
        assert (new.meter_no, new.opening_reading, new.opened_on) == ("W9", Decimal("0.5"), OCTOBER)
        assert (new.house_id, new.kind, new.community_id) == (
            house.id,
            "cold_water",
            house.community_id,
        )
        assert new.replaces_meter_id == meter.id
        assert audit() == ["meter_registered", "meter_replaced"]
        assert audit("meter_replaced")[0] | {"by_meter_id": 0} == {
            "meter_no": "W1",
            "closing_reading": "110",
            "closed_on": "2026-10-31",
            "by_meter_id": 0,
        }

    def test_the_reading_of_the_day_may_close_it(self, replace, put, meter, on_file):
        put(meter, (OCTOBER, 110))

        replace("110")

        assert on_file(meter.id).closed_on == OCTOBER

    def test_also_once_it_was_billed(self, replace, put, meter, house, bill_water, on_file):
        put(meter, (OCTOBER, 110))
        bill_water(house.id, "W1")

        replace("110")

        assert on_file(meter.id).closed_on == OCTOBER

    @pytest.mark.parametrize("closing", ["104", "-1", "NaN", "111"])
    def test_the_closing_reading_obeys_the_rules(self, replace, put, meter, on_file, closing):
        put(meter, (SEPTEMBER, 105), (OCTOBER, 110))

        with pytest.raises(InvalidInput) as refused:
            replace(closing)

        assert fields(refused) == {"closing_reading"}
        assert on_file(meter.id).closed_on is None

    def test_nothing_was_read_after_the_end(self, replace, put, meter):
        put(meter, (OCTOBER, 110))

        with pytest.raises(InvalidInput) as refused:
            replace("110", closed_on=SEPTEMBER)

        assert fields(refused) == {"closed_on"}

    def test_a_meter_ends_once(self, replace):
        replace()

        with pytest.raises(MeterClosed):
            replace(meter_no="W10")

    def test_what_was_billed_is_not_closed_below_the_bill(
        self, replace, house, bill_water, meter, on_file
    ):
        bill_water(house.id, "W1")

        with pytest.raises(ReadingBilled):
            replace()

        assert on_file(meter.id).closed_on is None
        replace(closed_on=date(2026, 11, 1))

    def test_a_number_that_is_taken_leaves_the_old_one_open(self, replace, meter, on_file):
        with pytest.raises(MeterNoTaken):
            replace(meter_no="W1")

        assert on_file(meter.id).closed_on is None

    def test_a_new_one_that_cannot_be_leaves_the_old_one_open(self, replace, meter, on_file):
        with pytest.raises(InvalidInput):
            replace(opening_reading=Decimal(-1))

        assert on_file(meter.id).closed_on is None

    def test_no_such_meter(self, replace):
        with pytest.raises(NotFound):
            replace(meter_id=404)

    def test_two_that_replace_at_once(self, replace, together, database):
        results = together(replace, lambda: replace(meter_no="W10"))

        assert sum(isinstance(one, MeterClosed) for one in results) == 1
        assert database.value("SELECT count(*) FROM meter") == 2

    def test_only_with_the_permission(self, replace, engineer, meter, on_file):
        for actor in (engineer, actor_without(Permission.MANAGE_METERS)):
            with pytest.raises(NotAllowed):
                replace(actor=actor)

        assert on_file(meter.id).closed_on is None


class TestSwap:
    def test_the_two_change_houses_and_both_say_so(
        self, swap, meter, neighbour, house, on_file, audit
    ):
        assert swap() == ()

        assert on_file(meter.id).house_id == neighbour.house_id
        assert on_file(neighbour.id).house_id == house.id
        one, other = audit("meter_swapped")
        assert (one["meter_no"], one["with_meter_no"]) == ("W1", "W2")
        assert (one["before_house_id"], one["after_house_id"]) == (house.id, neighbour.house_id)
        assert (other["meter_no"], other["before_house_id"]) == ("W2", neighbour.house_id)
        assert one["reason"] == other["reason"] == "接反了"

    def test_twice_is_as_before(self, swap, meter, house, on_file):
        swap()
        swap()

        assert on_file(meter.id).house_id == house.id

    def test_the_bills_that_used_the_wrong_meter_are_told(
        self, swap, house, neighbour, bill_water, audit
    ):
        mine = bill_water(house.id, "W1")
        theirs = bill_water(neighbour.house_id, "W0", "W2")
        bill_water(house.id, "W7")

        wrong = swap()

        assert [(bill.bill_no, bill.house_id) for bill in wrong] == [
            (mine, house.id),
            (theirs, neighbour.house_id),
        ]
        assert audit("meter_swapped")[0]["wrong_bills"] == [mine, theirs]

    @pytest.mark.breaks_promises  # its batch is not under review
    def test_bills_under_review_are_not_among_them(self, swap, house, bill_water):
        bill_water(house.id, "W1", state="pending_review")

        assert swap() == ()

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE meter SET kind = 'hot_water' WHERE meter_no = 'W2'",
            "UPDATE meter SET house_id = NULL WHERE meter_no = 'W2'",
            "UPDATE meter SET house_id = (SELECT house_id FROM meter WHERE meter_no = 'W1')",
            f"UPDATE meter SET {CLOSED} WHERE meter_no = 'W2'",
            f"UPDATE meter SET {CLOSED} WHERE meter_no = 'W1'",
        ],
        ids=["another kind", "public", "one house", "closed", "closed itself"],
    )
    def test_only_two_that_can_be_mixed_up(self, swap, database, audit, change):
        database.do(change)
        before = database.rows("SELECT id, house_id FROM meter ORDER BY id")

        with pytest.raises(MetersNotSwappable):
            swap()

        assert database.rows("SELECT id, house_id FROM meter ORDER BY id") == before
        assert audit() == []

    def test_not_across_communities_nor_with_itself(self, swap, database, meter):
        with database.session() as session:
            foreign = factories.make_meter(session, house=factories.make_house(session))

        for other_id in (foreign.id, meter.id):
            with pytest.raises(MetersNotSwappable):
                swap(other_meter_id=other_id)

    def test_no_such_meter(self, swap):
        with pytest.raises(NotFound):
            swap(other_meter_id=404)
        with pytest.raises(NotFound):
            swap(meter_id=404)

    @pytest.mark.parametrize("reason", ["", "字" * 201])
    def test_a_reason_is_needed(self, swap, reason):
        with pytest.raises(InvalidInput) as refused:
            swap(reason=reason)

        assert fields(refused) == {"reason"}

    def test_only_with_the_permission(self, swap, engineer, meter, house, on_file):
        for actor in (engineer, actor_without(Permission.MANAGE_METERS)):
            with pytest.raises(NotAllowed):
                swap(actor=actor)

        assert on_file(meter.id).house_id == house.id

    def test_two_that_swap_at_once_end_where_they_began(
        self, swap, together, meter, neighbour, house, on_file
    ):
        together(swap, lambda: swap(meter_id=neighbour.id, other_meter_id=meter.id))

        assert on_file(meter.id).house_id == house.id
