"""Communities in full."""

from datetime import date
from decimal import Decimal

import pytest

from domain.actors import Permission
from domain.errors import InvalidInput, NotAllowed, NotFound
from services.base_data.changes import ChangedMeanwhile, IsRetired, RetireBlocked
from tests import factories
from tests.factories import actor_without

DAY = date(2026, 12, 1)


@pytest.fixture
def place(database):
    with database.session() as session:
        return factories.make_community(session, name="翠湖花园").id


@pytest.fixture
def edit(services, manager, place):
    def edit(changes, seen, reason="", **more):
        values = {"actor": manager, "community_id": place} | more
        services.community_register.edit(changes=changes, seen=seen, reason=reason, **values)

    return edit


@pytest.fixture
def retire(services, manager, place):
    def retire(retired_on=DAY, reason="合同到期", **more):
        values = {"actor": manager, "community_id": place} | more
        services.community_register.retire(retired_on=retired_on, reason=reason, **values)

    return retire


@pytest.fixture
def show(services, manager, place):
    return lambda: services.community_register.show(actor=manager, community_id=place)


class TestEdit:
    def test_every_column_of_it(self, edit, show, audit):
        changes = {
            "name": "翠湖花园一期",
            "address": "广东省深圳市南山区翠湖路 8 号",
            "province": "广东省",
            "city": "深圳市",
            "district": "南山区",
            "street": "翠湖路",
            "street_no": "8 号",
            "land_area": "20000.5",
            "built_area": "80000",
            "building_type": "high_rise",
            "green_percent": "35.5",
            "completed_on": "2018-06-30",
            "developer": "翠湖置业",
            "service_phone": "0755-12345678",
            "note": "南门为主入口",
            "liable_from_rule": "next_month_first",
        }
        before = show()

        edit(changes, {name: getattr(before, name) for name in changes}, reason="资料补录")

        after = show()
        assert (after.name, after.land_area, after.green_percent) == (
            "翠湖花园一期",
            Decimal("20000.5"),
            Decimal("35.5"),
        )
        assert after.completed_on == date(2018, 6, 30)
        [facts] = audit("community_changed")
        assert facts["after"] == changes
        assert facts["before"]["name"] == "翠湖花园"
        assert facts["reason"] == "资料补录"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("name", " "),
            ("name", "长" * 300),
            ("code", "NEW"),
            ("land_area", "0"),
            ("green_percent", "100.1"),
            ("green_percent", "-1"),
            ("green_percent", "33.333"),
            ("completed_on", "2027-01-01"),
            ("building_type", "castle"),
            ("liable_from_rule", ""),
            ("is_active", False),
            ("refund_alone_fen", 10**9),
            ("is_reviewer_other", False),
            ("retired_on", "2026-01-01"),
        ],
    )
    def test_what_cannot_be_is_named(self, edit, show, name, value):
        before = show()

        with pytest.raises(InvalidInput) as refusal:
            edit({name: value}, {name: None}, reason="x")

        assert list(refusal.value.fields) == [name]
        assert show() == before

    def test_from_when_on_houses_owe_needs_a_reason(self, edit, show):
        with pytest.raises(InvalidInput) as refusal:
            edit({"liable_from_rule": "next_month_first"}, {"liable_from_rule": "handover_date"})

        assert list(refusal.value.fields) == ["reason"]
        assert show().liable_from_rule == "handover_date"

    def test_two_editors(self, edit, show, together):
        results = together(
            *(lambda n=n: edit({"note": f"第{n}版"}, {"note": ""}) for n in range(4))
        )

        assert results.count(None) == 1
        assert sum(isinstance(one, ChangedMeanwhile) for one in results) == 3
        assert show().note == f"第{results.index(None)}版"

    def test_no_such_community(self, edit):
        with pytest.raises(NotFound):
            edit({"note": "x"}, {"note": ""}, community_id=404)

    def test_only_with_the_permission(self, edit):
        with pytest.raises(NotAllowed):
            edit({"note": "x"}, {"note": ""}, actor=actor_without(Permission.MANAGE_ESTATE))


class TestRetire:
    def test_an_empty_one_and_back(self, retire, show, services, manager, place, database, audit):
        retire()
        retire()

        assert show().retired_on == DAY
        assert database.value("SELECT is_active FROM community WHERE id = :id", id=place) is False
        [facts] = audit("community_retired")
        assert facts["after"] == {"retired_on": "2026-12-01", "is_active": False}

        for _ in range(2):
            services.community_register.restore(actor=manager, community_id=place, reason="续签")

        assert show().retired_on is None
        assert database.value("SELECT is_active FROM community WHERE id = :id", id=place) is True
        assert audit().count("community_restored") == 1

    def test_not_before_all_below_is_and_it_says_what(self, retire, show, database, place):
        with database.session() as session:
            community = session.get_one(factories.Community, place)
            building = factories.make_building(session, community=community)
            house = factories.make_house(session, building=building)
            factories.make_meter(session, house=house)

        with pytest.raises(RetireBlocked) as refusal:
            retire()

        assert refusal.value.message == (
            "不能停用：未停用的楼栋 1 栋、未停用的房屋 1 户、在用表具 1 只"
        )
        assert show().retired_on is None

    def test_a_batch_that_is_under_way(self, retire, database, place, services, manager):
        with database.session() as session:
            community = session.get_one(factories.Community, place)
            factories.make_item(session, community=community)
        services.batches.draft(actor=manager, community_id=place, month=date(2026, 10, 1))

        with pytest.raises(RetireBlocked, match="未完成的账单批次 1 个"):
            retire()

    def test_nothing_of_it_changes_then(self, retire, edit, services, manager, place):
        retire()

        with pytest.raises(IsRetired):
            edit({"note": "x"}, {"note": ""})
        with pytest.raises(IsRetired):
            services.building_register.add(
                actor=manager, community_id=place, building={"name": "1栋"}
            )
        with pytest.raises(IsRetired):
            retire(date(2026, 12, 2))

    def test_not_without_a_reason(self, retire, services, manager, place):
        with pytest.raises(InvalidInput):
            retire(reason="")
        with pytest.raises(InvalidInput):
            services.community_register.restore(actor=manager, community_id=place, reason="")

    def test_only_with_the_permission(self, retire, services, place):
        nobody = actor_without(Permission.MANAGE_ESTATE)
        with pytest.raises(NotAllowed):
            retire(actor=nobody)
        with pytest.raises(NotAllowed):
            services.community_register.restore(actor=nobody, community_id=place, reason="x")


def test_shown_with_what_is_in_it(show, database, place):
    with database.session() as session:
        community = session.get_one(factories.Community, place)
        building = factories.make_building(session, community=community)
        factories.make_house(session, building=building)
        factories.make_house(session, building=building, retired_on=DAY)

    assert (show().building_count, show().house_count) == (1, 1)


def test_looking_takes_the_permission(services, place):
    with pytest.raises(NotAllowed):
        services.community_register.show(
            actor=actor_without(Permission.VIEW_ESTATE), community_id=place
        )
