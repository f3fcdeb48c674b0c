from datetime import date
from decimal import Decimal

import pytest

from domain.actors import Actor, ActorKind, Permission
from domain.errors import NotAllowed, NotFound
from domain.meters import MeterKind
from domain.periods import calendar_month
from models import Building, Community
from tests import factories
from tests.factories import actor_without
from tests.services.meters.conftest import OCTOBER, SEPTEMBER


@pytest.fixture
def lists(services):
    return services.meter_lists


@pytest.fixture
def nobody():
    may = frozenset(Permission) - {Permission.READ_METERS, Permission.VIEW_ESTATE}
    return Actor(ActorKind.STAFF, 1, "都看不了的人", may)


class TestFinding:
    def test_a_community_by_code_or_name(self, lists, engineer, house, database):
        with database.session() as session:
            community = session.get_one(Community, house.community_id)

        for word in (community.code, community.name):
            found = lists.find_community(actor=engineer, code=word)
            assert (found.id, found.code) == (community.id, community.code)

    def test_a_meter_by_its_number(self, lists, engineer, meter):
        found = lists.find_meter(actor=engineer, community_id=meter.community_id, meter_no=" Ｗ１")

        assert found == meter.id

    def test_a_house_by_its_name(self, lists, engineer, house, database):
        with database.session() as session:
            building = session.get_one(Building, house.building_id)
            shop = factories.make_house(session, building=building, unit_no="", room_no="S1")

        for label, wanted in (
            (f"{building.name}1单元{house.room_no}", house.id),
            (f"{building.name}S1", shop.id),
        ):
            found = lists.find_house(actor=engineer, community_id=house.community_id, label=label)
            assert found == wanted

    def test_what_is_not_there_is_not_found(self, lists, engineer, meter):
        with pytest.raises(NotFound):
            lists.find_community(actor=engineer, code="XX")
        for meter_no in ("W9", "", "\x00"):
            with pytest.raises(NotFound):
                lists.find_meter(actor=engineer, community_id=meter.community_id, meter_no=meter_no)
        with pytest.raises(NotFound):
            lists.find_meter(actor=engineer, community_id=404, meter_no="W1")
        with pytest.raises(NotFound):
            lists.find_house(actor=engineer, community_id=meter.community_id, label="1")


class TestListMeters:
    @pytest.fixture
    def found(self, lists, engineer, meter):
        def found(**which):
            values = {"actor": engineer, "community_id": meter.community_id} | which
            return lists.list_meters(**values)

        return found

    def test_tells_where_it_is_and_what_it_showed_last(self, found, meter, house, put):
        put(meter, (SEPTEMBER, 110), (OCTOBER, "112.5"))

        (view,) = found()

        assert (view.id, view.meter_no, view.kind) == (meter.id, "W1", MeterKind.COLD_WATER)
        assert (view.house_id, view.house[-len(house.room_no) :]) == (house.id, house.room_no)
        assert (view.read_on, view.reading) == (OCTOBER, Decimal("112.5"))
        assert (str(view.opening_reading), str(view.multiplier)) == ("100", "1")

    def test_a_superseded_reading_is_not_the_last(self, found, meter, put):
        put(meter, (OCTOBER, 112), superseded_at=factories.MADE_AT)

        assert found()[0].reading is None

    def test_public_and_closed_meters_are_there_too(self, found, meter, database):
        with database.session() as session:
            factories.make_meter(
                session,
                community_id=meter.community_id,
                modulus=Decimal(1000),
                closed_on=OCTOBER,
                closing_reading=Decimal(120),
            )

        (public,) = found()[1:]

        assert (public.house, public.house_id) == ("", None)
        assert (public.closed_on, public.closing_reading, public.modulus) == (OCTOBER, 120, 1000)

    def test_of_one_house(self, found, meter, neighbour):
        assert [view.id for view in found(house_id=neighbour.house_id)] == [neighbour.id]

    def test_by_part_of_number_or_house(self, found, meter, neighbour, house):
        assert [view.meter_no for view in found(search="w2 ")] == ["W2"]
        assert [view.meter_no for view in found(search=f"单元{house.room_no}")] == ["W1"]
        assert found(search="%") == []

    def test_of_one_community(self, found, meter):
        assert found(community_id=404) == []

    def test_many_take_one_statement(self, found, house, meter, database, put, statements):
        with database.session() as session:
            for _ in range(30):
                factories.make_meter(session, house=house)
        statements.clear()

        assert len(found()) == 31
        assert len(statements) == 1


class TestShow:
    def test_all_that_was_read_newest_first_with_who_and_why(
        self, lists, manager, engineer, meter, put, services
    ):
        put(meter, (SEPTEMBER, 110), read_by_staff_id=engineer.id, note="锁门")
        put(meter, (OCTOBER, 113), source="excel")
        services.meter_readings.correct(
            actor=manager,
            meter_id=meter.id,
            read_on=OCTOBER,
            reading=Decimal(112),
            reason="看错",
        )

        detail = lists.show(actor=manager, meter_id=meter.id)

        assert [(one.read_on, one.reading, one.superseded_because) for one in detail.readings] == [
            (OCTOBER, 112, ""),
            (OCTOBER, 113, "看错"),
            (SEPTEMBER, 110, ""),
        ]
        assert [one.read_by for one in detail.readings] == [manager.name, "", engineer.name]
        assert detail.readings[1].superseded_at is not None
        assert (detail.readings[2].source, detail.readings[2].note) == ("manual", "锁门")
        assert detail.usages[-1].month == date(2026, 10, 1)
        assert detail.usages[-1].usage == 2
        assert detail.meter.reading == 112

    def test_no_such_meter(self, lists, manager):
        with pytest.raises(NotFound):
            lists.show(actor=manager, meter_id=404)


class TestListUnread:
    @pytest.fixture
    def unread(self, lists, engineer, meter):
        def unread(kind=MeterKind.COLD_WATER, community_id=meter.community_id):
            found = lists.list_unread(
                actor=engineer,
                community_id=community_id,
                kind=kind,
                month=calendar_month(OCTOBER),
            )
            return [view.meter_no for view in found]

        return unread

    def test_who_was_read_in_the_month_is_not(self, unread, meter, neighbour, put):
        put(meter, (date(2026, 10, 1), 101))
        put(neighbour, (SEPTEMBER, 101), (date(2026, 11, 1), 103))

        assert unread() == ["W2"]

    def test_a_superseded_reading_is_none(self, unread, meter, put):
        put(meter, (OCTOBER, 112), superseded_at=factories.MADE_AT)

        assert unread() == ["W1"]

    def test_of_one_kind_and_community(self, unread):
        assert unread(kind=MeterKind.GAS) == []
        assert unread(community_id=404) == []

    @pytest.mark.parametrize(
        ("change", "is_unread"),
        [
            ("opened_on = '2026-10-15'", True),
            ("opened_on = '2026-10-31'", False),
            ("opened_on = '2026-11-01'", False),
            ("closed_on = '2026-10-15', closing_reading = 110", False),
            ("closed_on = '2026-09-30', closing_reading = 110", False),
            ("closed_on = '2026-11-01', closing_reading = 110", True),
        ],
    )
    def test_a_meter_is_read_as_long_as_it_is_in_use(self, unread, database, change, is_unread):
        database.do(f"UPDATE meter SET {change}")

        assert (unread() == ["W1"]) is is_unread


class TestPermission:
    def test_either_is_enough_and_none_is_not(self, lists, nobody, meter):
        calls = (
            lambda actor: lists.find_community(actor=actor, code="CH1"),
            lambda actor: lists.find_meter(
                actor=actor, community_id=meter.community_id, meter_no="W1"
            ),
            lambda actor: lists.find_house(
                actor=actor, community_id=meter.community_id, label="1栋1单元101"
            ),
            lambda actor: lists.list_meters(actor=actor, community_id=meter.community_id),
            lambda actor: lists.show(actor=actor, meter_id=meter.id),
            lambda actor: lists.list_unread(
                actor=actor,
                community_id=meter.community_id,
                kind=MeterKind.GAS,
                month=calendar_month(OCTOBER),
            ),
        )

        for call in calls:
            for missing in (Permission.READ_METERS, Permission.VIEW_ESTATE):
                call(actor_without(missing))
            with pytest.raises(NotAllowed):
                call(nobody)
