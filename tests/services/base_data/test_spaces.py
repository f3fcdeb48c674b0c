"""Parking spaces and the cars on them."""

from decimal import Decimal

import pytest

from domain.actors import Permission
from domain.errors import InvalidInput, NotAllowed, NotFound
from services.base_data.cars import PlateTaken
from services.base_data.changes import ChangedMeanwhile, IsRetired, RetireBlocked, StillUsed
from services.base_data.spaces import SpaceNoTaken
from services.retirement import HouseRetired
from tests import factories
from tests.factories import actor_without
from tests.services.base_data.conftest import RETIRED_ON

PLATE = "粤B96741"


@pytest.fixture
def owner_id(database, house):
    with database.session() as session:
        return factories.make_owner(session, house=session.merge(house), name="王小明").id


@pytest.fixture
def elsewhere(database):
    """A house and an owner of another community."""
    with database.session() as session:
        house = factories.make_house(session)
        return {"house_id": house.id, "owner_id": factories.make_owner(session, house=house).id}


@pytest.fixture
def add(services, manager, house):
    def add(space_no="B1-001", right_kind="owned", **more):
        values = {"actor": more.pop("actor", manager), "community_id": house.community_id}
        space = {"space_no": space_no, "right_kind": right_kind, **more}
        return services.space_register.add(space=space, **values)

    return add


@pytest.fixture
def park(services, manager, house):
    def park(plate_no=PLATE, **more):
        values = {"actor": more.pop("actor", manager), "community_id": house.community_id}
        return services.car_register.add(car={"plate_no": plate_no, **more}, **values)

    return park


@pytest.fixture
def spaces(services, manager, house):
    return lambda **more: services.space_register.find(
        actor=manager, community_id=house.community_id, **more
    )


@pytest.fixture
def cars(services, manager, house):
    return lambda **more: services.car_register.find(
        actor=manager, community_id=house.community_id, **more
    )


class TestSpaces:
    def test_added_with_house_and_holder(self, add, park, spaces, house, owner_id, audit):
        space_id = add(zone="地下", area="12.5", house_id=house.id, owner_id=owner_id)
        park(space_id=space_id, owner_id=owner_id)

        [space] = spaces()
        assert (space.space_no, space.area, space.house, space.owner, space.plates) == (
            "B1-001",
            Decimal("12.5"),
            "3栋1单元502",
            "王小明",
            (PLATE,),
        )
        assert audit("space_added")[0]["after"]["right_kind"] == "owned"

    def test_found_by_number_page_by_page(self, add, spaces):
        add("B1-001")
        add("B2-001")

        assert [one.space_no for one in spaces(text="B2")] == ["B2-001"]
        [first] = spaces(limit=1)
        assert [one.space_no for one in spaces(before_id=first.id)] == ["B1-001"]
        with pytest.raises(InvalidInput):
            spaces(limit=102)

    def test_a_number_is_given_once(self, add, together, database):
        results = together(*(lambda: add() for _ in range(3)))

        assert sum(isinstance(one, SpaceNoTaken) for one in results) == 2
        assert database.value("SELECT count(*) FROM parking_space") == 1

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("space_no", ""),
            ("right_kind", "bought"),
            ("right_kind", None),
            ("area", "0"),
            ("house_id", 404),
            ("owner_id", 404),
            ("house_id", True),
            ("retired_on", "2026-01-01"),
        ],
    )
    def test_what_cannot_be_is_named(self, add, name, value):
        with pytest.raises(InvalidInput) as refusal:
            add(**{name: value})

        assert list(refusal.value.fields) == [name]

    @pytest.mark.parametrize("name", ["house_id", "owner_id"])
    def test_another_communitys_people_are_not_there(self, add, elsewhere, name):
        with pytest.raises(InvalidInput) as refusal:
            add(**{name: elsewhere[name]})

        assert list(refusal.value.fields) == [name]

    def test_nor_an_owner_who_is_no_more(self, add, owner_id, database):
        database.do("UPDATE owner SET ended_on = '2026-01-01', phone = NULL")

        with pytest.raises(InvalidInput):
            add(owner_id=owner_id)

    def test_not_to_a_retired_house(self, add, retire, house):
        retire()

        with pytest.raises(HouseRetired):
            add(house_id=house.id)

    def test_sold_to_another(self, services, manager, add, spaces, owner_id, audit):
        space_id = add(right_kind="rented")

        services.space_register.edit(
            actor=manager,
            space_id=space_id,
            changes={"right_kind": "owned", "owner_id": owner_id},
            seen={"right_kind": "rented", "owner_id": None},
        )

        assert (spaces()[0].right_kind, spaces()[0].owner) == ("owned", "王小明")
        assert audit("space_corrected")[0]["after"] == {"right_kind": "owned", "owner_id": owner_id}

    def test_two_editors(self, services, manager, add, together, spaces):
        space_id = add()

        results = together(
            *(
                lambda n=n: services.space_register.edit(
                    actor=manager,
                    space_id=space_id,
                    changes={"zone": f"{n}区"},
                    seen={"zone": ""},
                )
                for n in range(3)
            )
        )

        assert results.count(None) == 1
        assert sum(isinstance(one, ChangedMeanwhile) for one in results) == 2
        assert spaces()[0].zone == f"{results.index(None)}区"

    def test_retired_when_no_car_stands_on_it_and_back(
        self, services, manager, add, park, spaces, audit
    ):
        register = services.space_register
        space_id = add()
        car_id = park(space_id=space_id)
        change = {"actor": manager, "space_id": space_id}

        with pytest.raises(RetireBlocked, match=PLATE):
            register.retire(retired_on=RETIRED_ON, reason="改建", **change)
        services.car_register.remove(actor=manager, car_id=car_id, reason="已卖车")
        register.retire(retired_on=RETIRED_ON, reason="改建", **change)
        assert spaces()[0].retired_on == RETIRED_ON
        with pytest.raises(IsRetired):
            register.edit(changes={"zone": "x"}, seen={"zone": ""}, **change)
        with pytest.raises(InvalidInput):
            park(space_id=space_id)

        register.restore(reason="未改建", **change)
        assert spaces()[0].retired_on is None
        assert [one for one in audit() if one.startswith("space_")] == [
            "space_added",
            "space_retired",
            "space_restored",
        ]

    def test_retired_while_a_car_is_put_on_it(
        self, services, manager, add, park, together, database
    ):
        space_id = add()

        results = together(
            lambda: services.space_register.retire(
                actor=manager, space_id=space_id, retired_on=RETIRED_ON, reason="改建"
            ),
            lambda: park(space_id=space_id),
        )

        assert sum(isinstance(one, RetireBlocked | InvalidInput) for one in results) == 1
        is_retired = database.value("SELECT retired_on FROM parking_space") is not None
        assert is_retired == (database.value("SELECT count(*) FROM car") == 0)

    def test_a_mistake_goes_and_what_is_used_stays(
        self, services, manager, add, park, database, audit
    ):
        mistake, used = add("X"), add("B1-001")
        park(space_id=used)

        services.space_register.remove(actor=manager, space_id=mistake, reason="录错")
        with pytest.raises(StillUsed, match="车辆 1 条"):
            services.space_register.remove(actor=manager, space_id=used, reason="录错")

        assert database.rows("SELECT space_no FROM parking_space") == [{"space_no": "B1-001"}]
        assert audit("space_removed")[0]["before"]["space_no"] == "X"

    def test_only_with_the_permission(self, services, add, house):
        space_id = add()
        nobody = {"actor": actor_without(Permission.MANAGE_ESTATE), "space_id": space_id}
        register = services.space_register

        for work in (
            lambda: add("X", actor=nobody["actor"]),
            lambda: register.edit(changes={"zone": "x"}, seen={"zone": ""}, **nobody),
            lambda: register.retire(retired_on=RETIRED_ON, reason="x", **nobody),
            lambda: register.restore(reason="x", **nobody),
            lambda: register.remove(reason="x", **nobody),
            lambda: register.find(
                actor=actor_without(Permission.VIEW_ESTATE), community_id=house.community_id
            ),
        ):
            with pytest.raises(NotAllowed):
                work()

    def test_not_without_a_reason(self, services, manager, add):
        change = {"actor": manager, "space_id": add(), "reason": " "}

        for work in (
            lambda: services.space_register.retire(retired_on=RETIRED_ON, **change),
            lambda: services.space_register.restore(**change),
            lambda: services.space_register.remove(**change),
        ):
            with pytest.raises(InvalidInput):
                work()

    def test_what_is_not_there_is_not_found(self, services, manager):
        with pytest.raises(NotFound):
            services.space_register.find(actor=manager, community_id=404)
        with pytest.raises(NotFound):
            services.space_register.restore(actor=manager, space_id=404, reason="x")
        with pytest.raises(NotFound):
            services.car_register.find(actor=manager, community_id=404)
        with pytest.raises(NotFound):
            services.car_register.remove(actor=manager, car_id=404, reason="x")


class TestCars:
    def test_registered_by_its_plate_however_it_is_typed(self, park, cars, audit):
        park("粤ｂ·96741")

        [car] = cars(text="b967")
        assert (car.plate_no, car.space_no, car.owner) == (PLATE, "", "")
        assert audit("car_added")[0]["after"] == {"plate_no": PLATE}

    @pytest.mark.parametrize("plate_no", ["", "96741", "粤BI6741", "x" * 300, None, "粤B96741\n;"])
    def test_what_is_no_plate_is_refused(self, park, plate_no):
        with pytest.raises(InvalidInput) as refusal:
            park(plate_no)

        assert list(refusal.value.fields) == ["plate_no"]

    def test_once_in_a_community(self, park, together, database):
        results = together(*(lambda: park() for _ in range(3)))

        assert sum(isinstance(one, PlateTaken) for one in results) == 2
        assert database.value("SELECT count(*) FROM car") == 1

    def test_moved_to_another_space(self, services, manager, add, park, cars, audit):
        old, new = add("B1-001"), add("B1-002")
        car_id = park(space_id=old)

        services.car_register.edit(
            actor=manager, car_id=car_id, changes={"space_id": new}, seen={"space_id": old}
        )
        with pytest.raises(ChangedMeanwhile):
            services.car_register.edit(
                actor=manager, car_id=car_id, changes={"space_id": None}, seen={"space_id": old}
            )

        assert cars()[0].space_no == "B1-002"
        assert audit("car_changed")[0]["before"] == {"space_id": old}

    def test_only_with_the_permission(self, services, park, house):
        car_id = park()
        nobody = {"actor": actor_without(Permission.MANAGE_ESTATE), "car_id": car_id}

        for work in (
            lambda: park("粤B12345", actor=nobody["actor"]),
            lambda: services.car_register.edit(changes={"note": "x"}, seen={"note": ""}, **nobody),
            lambda: services.car_register.remove(reason="x", **nobody),
            lambda: services.car_register.find(
                actor=actor_without(Permission.VIEW_ESTATE), community_id=house.community_id
            ),
        ):
            with pytest.raises(NotAllowed):
                work()

    def test_gone_with_what_it_was_on_record(self, services, manager, park, cars, audit):
        car_id = park()

        with pytest.raises(InvalidInput):
            services.car_register.remove(actor=manager, car_id=car_id, reason="")
        services.car_register.remove(actor=manager, car_id=car_id, reason="已卖车")

        assert cars() == []
        assert audit("car_removed")[0]["before"] == {"plate_no": PLATE}
