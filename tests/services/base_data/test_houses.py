"""Houses by hand; what bills make of it is in test_house_previews.py and test_retired_houses.py."""

import re
from datetime import date
from decimal import Decimal

import pytest

from domain.actors import Permission
from domain.errors import InvalidInput, NotAllowed, NotFound
from services.base_data.changes import ChangedMeanwhile, IsRetired, RetireBlocked, StillUsed
from services.base_data.house_rows import HouseNameTaken
from services.houses import ChangeNotLater
from tests import factories
from tests.factories import actor_without
from tests.services.base_data.conftest import DAY, RETIRED_ON

NEW = {"room_no": "503", "building_area": "92.10"}
BAD = [
    ("building_area", "0"),
    ("building_area", "-1"),
    ("building_area", "100000.1"),
    ("building_area", "NaN"),
    ("building_area", Decimal("NaN")),
    ("building_area", Decimal("Infinity")),
    ("building_area", "一百"),
    ("building_area", "1e3"),
    ("building_area", "89.37001"),
    ("building_area", True),
    ("building_area", None),
    ("inner_area", "0"),
    ("billing_area", "-0.1"),
    ("fee_coefficient", "0"),
    ("fee_coefficient", "1001"),
    ("handover_date", date(1800, 1, 1)),
    ("handover_date", date(2056, 1, 1)),
    ("handover_date", "2026-02-30"),
    ("handover_date", "昨天"),
    ("household_size", "0"),
    ("household_size", "两人"),
    ("floor_no", 201),
    ("layout", "长" * 300),
    ("layout", "三室\x07两厅"),
    ("room_no", ""),
    ("room_no", "5" * 300),
    ("room_no", "=1+1"),
    ("note", "a\x00b"),
    ("note", "长" * 201),
    ("retired_on", date(2026, 1, 1)),
    ("community_id", 1),
    ("id", 1),
]


@pytest.fixture
def add(services, manager, house):
    def add(**changes):
        values = {"actor": manager, "building_id": house.building_id}
        values |= {name: changes.pop(name) for name in ("actor", "building_id") if name in changes}
        return services.house_register.add(house={**NEW, **changes}, **values)

    return add


@pytest.fixture
def remove(services, manager, house):
    def remove(house_id=None, reason="录错", **more):
        values = {"actor": manager, "house_id": house_id or house.id} | more
        services.house_register.remove(reason=reason, **values)

    return remove


class TestAdd:
    def test_on_file_with_its_use_and_what_is_billed(self, add, database, audit):
        house_id = add(unit_no="1单元", handover_date="2026-06-01", layout="三室两厅")

        [row] = database.rows("SELECT * FROM house WHERE id = :id", id=house_id)
        assert (row["unit_no"], row["room_no"], row["layout"]) == ("1", "503", "三室两厅")
        assert row["billing_area"] == row["building_area"] == Decimal("92.1")
        assert database.rows("SELECT state, occupied_from FROM occupancy") == [
            {"state": "delivered", "occupied_from": date(2026, 6, 1)}
        ]
        [facts] = audit("house_added")
        assert facts["house"] == "3栋1单元503"
        assert facts["after"]["building_area"] == "92.1"
        assert facts["after"]["handover_date"] == "2026-06-01"

    def test_a_name_that_another_house_has_is_refused(self, add, database):
        with pytest.raises(HouseNameTaken):
            add(unit_no="1", room_no="502")

        assert database.value("SELECT count(*) FROM house") == 1

    def test_so_is_the_same_name_in_other_parts(self, add, database):
        with pytest.raises(HouseNameTaken):
            add(unit_no="", room_no="1单元502")

        assert database.value("SELECT count(*) FROM house") == 1

    def test_two_clerks_at_once_make_one_house(self, add, database, together):
        results = together(*(lambda: add(unit_no="1") for _ in range(4)))

        assert sum(isinstance(one, HouseNameTaken) for one in results) == 3
        assert database.value("SELECT count(*) FROM house") == 2

    @pytest.mark.parametrize("name", ["room_no", "building_area"])
    def test_what_is_needed_is_asked_for(self, services, manager, house, name):
        given = {key: value for key, value in NEW.items() if key != name}

        with pytest.raises(InvalidInput) as refusal:
            services.house_register.add(actor=manager, building_id=house.building_id, house=given)

        assert list(refusal.value.fields) == [name]

    @pytest.mark.parametrize(("name", "value"), BAD)
    def test_what_cannot_be_is_named(self, add, database, name, value):
        with pytest.raises(InvalidInput) as refusal:
            add(**{name: value})

        assert list(refusal.value.fields) == [name]
        assert re.search(r"[一-鿿]", refusal.value.fields[name][0])
        assert database.value("SELECT count(*) FROM house") == 1

    def test_not_to_a_retired_building(self, add, house, database):
        database.do("UPDATE building SET retired_on = '2026-01-01'")

        with pytest.raises(IsRetired):
            add()

    def test_no_such_building(self, add):
        with pytest.raises(NotFound):
            add(building_id=404)

    def test_only_with_the_permission(self, add):
        with pytest.raises(NotAllowed):
            add(actor=actor_without(Permission.MANAGE_ESTATE))


class TestEdit:
    def test_a_correction_with_what_was_before_and_why(self, edit, on_file, audit):
        edit({"building_area": "92.10", "layout": "三室"}, {"building_area": "89.37", "layout": ""})

        assert on_file()["building_area"] == on_file()["billing_area"] == Decimal("92.1")
        assert audit("house_corrected") == [
            {
                "before": {"building_area": "89.37", "billing_area": "89.37", "layout": ""},
                "after": {"building_area": "92.1", "billing_area": "92.1", "layout": "三室"},
                "reason": "房产证更正",
                "house": "3栋1单元502",
            }
        ]

    def test_a_billing_area_of_its_own_does_not_follow(self, edit, on_file, database):
        database.do("UPDATE house SET billing_area = 70")

        edit({"building_area": "92.10"}, {"building_area": "89.37"})

        assert on_file()["billing_area"] == 70

    def test_a_change_from_a_day_on_keeps_what_was_billed_before(
        self, edit, on_file, database, audit
    ):
        edit({"billing_area": "95"}, {"billing_area": "89.37"}, holds_from=date(2026, 11, 11))

        assert on_file()["billing_area"] == 95
        assert database.rows("SELECT measured_until, billing_area FROM house_measure") == [
            {"measured_until": date(2026, 11, 11), "billing_area": Decimal("89.37")}
        ]
        [facts] = audit("house_measure_changed")
        assert facts["holds_from"] == "2026-11-11"
        assert facts["before"] == {"billing_area": "89.37"}

    def test_only_what_is_measured_changes_from_a_day_on(self, edit):
        with pytest.raises(InvalidInput) as refusal:
            edit({"layout": "三室"}, {"layout": ""}, holds_from=DAY)

        assert list(refusal.value.fields) == ["layout"]

    def test_history_is_not_rewritten(self, edit, on_file):
        edit({"billing_area": "95"}, {"billing_area": "89.37"}, holds_from=DAY)

        with pytest.raises(ChangeNotLater):
            edit({"billing_area": "97"}, {"billing_area": "95"}, holds_from=DAY)

        assert on_file()["billing_area"] == 95

    def test_sent_twice_it_is_done_once(self, edit, audit):
        for _ in range(2):
            edit({"billing_area": "95"}, {"billing_area": "89.37"}, holds_from=DAY)

        assert audit().count("house_measure_changed") == 1

    def test_what_somebody_changed_meanwhile_is_not_overwritten(self, edit, on_file, audit):
        edit({"layout": "三室"}, {"layout": ""})

        with pytest.raises(ChangedMeanwhile, match="刚被他人修改"):
            edit({"layout": "两室"}, {"layout": ""})

        assert on_file()["layout"] == "三室"
        assert audit().count("house_corrected") == 1

    def test_of_two_editors_at_the_same_instant_one_is_told(self, edit, on_file, together, audit):
        results = together(
            *(
                lambda n=n: edit({"building_area": str(90 + n)}, {"building_area": "89.37"})
                for n in range(4)
            )
        )

        assert results.count(None) == 1
        assert sum(isinstance(one, ChangedMeanwhile) for one in results) == 3
        assert audit().count("house_corrected") == 1
        assert on_file()["building_area"] == 90 + results.index(None)

    def test_another_column_that_changed_meanwhile_does_not_matter(self, edit, on_file):
        edit({"layout": "三室"}, {"layout": ""})
        edit({"note": "东边户"}, {"note": ""})

        assert (on_file()["layout"], on_file()["note"]) == ("三室", "东边户")

    def test_who_does_not_say_what_they_saw_is_refused(self, edit, on_file):
        with pytest.raises(InvalidInput) as refusal:
            edit({"layout": "三室"}, {})

        assert list(refusal.value.fields) == ["expected.layout"]
        assert on_file()["layout"] == ""

    @pytest.mark.parametrize(
        ("name", "value", "seen"),
        [
            ("building_area", "92", "89.37"),
            ("billing_area", "92", "89.37"),
            ("inner_area", "70", None),
            ("fee_coefficient", "0.8", "1"),
            ("handover_date", "2026-01-01", "2020-01-01"),
            ("household_size", 3, None),
        ],
    )
    def test_what_bills_depend_on_needs_a_reason(self, edit, on_file, name, value, seen):
        before = on_file()

        with pytest.raises(InvalidInput) as refusal:
            edit({name: value}, {name: seen}, reason=" ")

        assert list(refusal.value.fields) == ["reason"]
        assert on_file() == before

    def test_other_words_need_none_and_one_that_is_given_is_short(self, edit, on_file):
        edit({"layout": "三室"}, {"layout": ""}, reason="")

        with pytest.raises(InvalidInput):
            edit({"layout": "四室"}, {"layout": "三室"}, reason="长" * 201)

        assert on_file()["layout"] == "三室"

    @pytest.mark.parametrize(("name", "value"), BAD)
    def test_what_cannot_be_is_named(self, edit, on_file, name, value):
        before = on_file()

        with pytest.raises(InvalidInput) as refusal:
            edit({name: value}, {name: before.get(name)})

        assert list(refusal.value.fields) == [name]
        assert on_file() == before

    def test_what_is_known_may_become_unknown(self, edit, on_file):
        edit({"handover_date": None}, {"handover_date": "2020-01-01"})

        assert on_file()["handover_date"] is None

    def test_a_name_is_corrected_only_to_a_free_one(self, edit, on_file, database, house):
        with database.session() as session:
            building = session.get_one(factories.Building, house.building_id)
            factories.make_house(session, building=building, unit_no="1", room_no="503")

        with pytest.raises(HouseNameTaken):
            edit({"room_no": "503"}, {"room_no": "502"})
        edit({"room_no": "504"}, {"room_no": "502"})

        assert on_file()["room_no"] == "504"

    def test_it_moves_to_another_building_of_the_community_only(
        self, edit, on_file, database, house
    ):
        with database.session() as session:
            community = session.get_one(factories.Community, house.community_id)
            own = factories.make_building(session, community=community).id
            foreign = factories.make_building(session).id

        with pytest.raises(NotFound):
            edit({"building_id": foreign}, {"building_id": house.building_id})
        edit({"building_id": own}, {"building_id": house.building_id})

        assert on_file()["building_id"] == own

    def test_a_clerk_of_one_building_moves_it_to_no_other(self, edit, on_file, database, house):
        with database.session() as session:
            community = session.get_one(factories.Community, house.community_id)
            other = factories.make_building(session, community=community).id
            building = session.get_one(factories.Building, house.building_id)
            clerk = factories.staff(session, scope=factories.scope_of_building(building))

        with pytest.raises(NotFound):
            edit({"building_id": other}, {"building_id": house.building_id}, actor=clerk)

        assert on_file()["building_id"] == house.building_id

    def test_nothing_of_a_retired_house(self, edit, retire, on_file):
        retire()

        with pytest.raises(IsRetired):
            edit({"layout": "三室"}, {"layout": ""})

        assert on_file()["layout"] == ""

    def test_no_change_at_all_is_refused(self, edit):
        with pytest.raises(InvalidInput):
            edit({}, {})

    def test_no_such_house(self, edit):
        with pytest.raises(NotFound):
            edit({"layout": "三室"}, {"layout": ""}, house_id=404)

    def test_only_with_the_permission(self, edit):
        with pytest.raises(NotAllowed):
            edit(
                {"layout": "三室"},
                {"layout": ""},
                actor=actor_without(Permission.MANAGE_ESTATE),
            )


class TestRetire:
    def test_from_a_day_and_why(self, retire, on_file, audit):
        retire()

        assert on_file()["retired_on"] == RETIRED_ON
        assert audit("house_retired") == [
            {
                "before": {"retired_on": None},
                "after": {"retired_on": "2026-11-16"},
                "reason": "两户合并",
                "house": "3栋1单元502",
            }
        ]

    def test_sent_twice_it_is_done_once(self, retire, audit):
        retire()
        retire()

        assert audit().count("house_retired") == 1

    def test_not_on_another_day_while_it_is(self, retire, on_file):
        retire()

        with pytest.raises(IsRetired, match="2026-11-16"):
            retire(date(2026, 12, 1))

        assert on_file()["retired_on"] == RETIRED_ON

    @pytest.mark.parametrize(
        ("day", "reason", "field"),
        [
            (RETIRED_ON, " ", "reason"),
            (date(1800, 1, 1), "x", "retired_on"),
            (date(2066, 1, 1), "x", "retired_on"),
        ],
    )
    def test_not_without_a_reason_or_on_a_day_that_cannot_be(self, retire, day, reason, field):
        with pytest.raises(InvalidInput) as refusal:
            retire(day, reason)

        assert list(refusal.value.fields) == [field]

    def test_not_with_an_unpaid_bill(self, retire, database, house, on_file):
        with database.session() as session:
            factories.make_bill(session, house=session.merge(house))

        with pytest.raises(RetireBlocked, match=r"未缴账单 1 张共 ¥210\.02"):
            retire()

        assert on_file()["retired_on"] is None

    def test_taken_back_it_is_as_before(self, services, manager, retire, house, on_file, audit):
        before = on_file()
        retire()

        for _ in range(2):
            services.house_register.restore(actor=manager, house_id=house.id, reason="弄错了")

        assert on_file() == before
        assert audit().count("house_restored") == 1

    def test_not_taken_back_in_a_retired_building(
        self, services, manager, retire, house, database, on_file
    ):
        retire()
        database.do("UPDATE building SET retired_on = '2026-11-20'")

        with pytest.raises(IsRetired):
            services.house_register.restore(actor=manager, house_id=house.id, reason="x")

        assert on_file()["retired_on"] == RETIRED_ON

    def test_no_such_house(self, retire):
        with pytest.raises(NotFound):
            retire(house_id=404)

    def test_only_with_the_permission(self, retire):
        with pytest.raises(NotAllowed):
            retire(actor=actor_without(Permission.MANAGE_ESTATE))


class TestRemove:
    def test_a_mistake_goes_with_its_use_and_what_it_was_stays_on_record(
        self, add, remove, database, audit
    ):
        house_id = add(unit_no="1")

        remove(house_id)

        assert database.rows("SELECT room_no FROM house") == [{"room_no": "502"}]
        assert database.value("SELECT count(*) FROM occupancy") == 0
        [facts] = audit("house_removed")
        assert facts["before"]["room_no"] == "503"
        assert facts["reason"] == "录错"

    @pytest.mark.parametrize("state", ["paid", "published", "pending_review", "voided"])
    def test_never_with_a_bill_on_it_whatever_became_of_it(
        self, remove, database, house, put_bill, state
    ):
        with database.session() as session:
            paid_fen = 21002 if state == "paid" else 0
            first = state if state != "voided" else "published"
            factories.make_bill(session, house=session.merge(house), state=first, paid_fen=paid_fen)
        if state == "voided":
            put_bill("voided")

        with pytest.raises(StillUsed, match="账单 1 条"):
            remove()

        assert database.value("SELECT count(*) FROM house") == 1
        database.empty()

    def test_never_with_an_owner(self, remove, database, house):
        with database.session() as session:
            factories.make_owner(session, house=session.merge(house))

        with pytest.raises(StillUsed, match="住户关系 1 条"):
            remove()

        assert database.value("SELECT count(*) FROM house") == 1

    @pytest.mark.parametrize("table", ["meter", "prepaid_account", "house_measure"])
    def test_never_with_anything_else(self, remove, database, house, table):
        columns = {
            "meter": "community_id, house_id, meter_no, kind, opening_reading, opened_on,"
            " created_at) SELECT community_id, id, 'W1', 'cold_water', 0, '2026-01-01', now()",
            "prepaid_account": "community_id, house_id) SELECT community_id, id",
            "house_measure": "house_id, measured_until, billing_area, fee_coefficient)"
            " SELECT id, '2026-01-01', 1, 1",
        }
        database.do(f"INSERT INTO {table} ({columns[table]} FROM house")

        with pytest.raises(StillUsed):
            remove()

        assert database.value("SELECT count(*) FROM house") == 1

    def test_no_such_house(self, remove):
        with pytest.raises(NotFound):
            remove(404)

    def test_not_without_a_reason(self, remove):
        with pytest.raises(InvalidInput):
            remove(reason="")

    def test_only_with_the_permission(self, remove):
        with pytest.raises(NotAllowed):
            remove(actor=actor_without(Permission.MANAGE_ESTATE))
