import pytest
from sqlalchemy.exc import IntegrityError

from domain.actors import Permission, visitor
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.periods import LiableFromRule
from services.estate import CommunityCodeTaken, CommunityView, OwnHouse
from tests import factories
from tests.factories import actor_without


@pytest.fixture
def manager(database):
    with database.session() as session:
        return factories.staff(session)


@pytest.fixture
def add(services, manager):
    def add(**changes):
        values = {"actor": manager, "code": "CH", "name": "翠湖花园"} | changes
        return services.estate.add_community(**values)

    return add


class TestAddCommunity:
    def test_it_is_put_on_file(self, add, database):
        community_id = add(
            name=" 翠湖花园 ",
            address=" 湖滨路 1 号 ",
            liable_from_rule=LiableFromRule.NEXT_MONTH_FIRST,
        )

        row = database.rows("SELECT * FROM community")[0]
        assert row["id"] == community_id
        assert (row["code"], row["name"], row["address"]) == ("CH", "翠湖花园", "湖滨路 1 号")
        assert row["liable_from_rule"] == "next_month_first"
        assert row["is_reviewer_other"]
        assert row["sends_bill_sms"]

    def test_it_is_on_record(self, add, audit):
        add()

        assert audit("community_added") == [{"code": "CH", "name": "翠湖花园"}]

    def test_a_code_can_be_used_once(self, add, database, audit):
        add()

        with pytest.raises(CommunityCodeTaken):
            add(name="另一个")

        assert database.value("SELECT count(*) FROM community") == 1
        assert len(audit()) == 1

    @pytest.mark.parametrize("code", ["A", "ABCDEFGHI", "ch", "C-1", "", "ＣＨ", "C H", "翠湖"])
    def test_a_code_that_would_spoil_bill_numbers_is_refused(self, add, code):
        with pytest.raises(InvalidInput) as refusal:
            add(code=code)

        assert list(refusal.value.fields) == ["code"]

    @pytest.mark.parametrize("code", ["CH", "CH2", "ABCDEFGH", "12"])
    def test_capitals_and_digits_make_a_code(self, add, code):
        assert add(code=code) == 1

    @pytest.mark.parametrize("name", ["", "  ", "长" * 51])
    def test_a_name_is_needed_and_short(self, add, name):
        with pytest.raises(InvalidInput) as refusal:
            add(name=name)

        assert list(refusal.value.fields) == ["name"]

    def test_another_breach_is_not_called_a_taken_code(self, add):
        with pytest.raises(IntegrityError):
            add(liable_from_rule="some_day")

    def test_only_with_the_permission(self, add, database):
        with pytest.raises(NotAllowed):
            add(actor=actor_without(Permission.MANAGE_ESTATE))

        assert database.rows("SELECT * FROM community") == []


class TestShowCommunity:
    def test_it_is_found_by_its_code(self, services, add, manager):
        community_id = add()

        shown = services.estate.show_community(actor=manager, code="CH")

        assert shown == CommunityView(community_id, "CH", "翠湖花园")

    def test_an_unknown_code_is_named(self, services, manager):
        with pytest.raises(NotFound, match="XX"):
            services.estate.show_community(actor=manager, code="XX")

    def test_only_with_the_permission(self, services):
        with pytest.raises(NotAllowed):
            services.estate.show_community(actor=actor_without(Permission.VIEW_ESTATE), code="CH")


class TestListOwnHouses:
    def test_bound_houses_by_their_names(self, services, database):
        with database.session() as session:
            community = factories.make_community(session, name="翠湖花园")
            building = factories.make_building(session, community=community, name="1栋")
            flat, shop = (
                factories.make_house(session, building=building, unit_no=unit_no, room_no=room_no)
                for unit_no, room_no in (("2", "303"), ("", "商1"))
            )
            owner = factories.make_owner(session, house=flat)
            account = factories.make_account(session, owner=owner, houses=[flat, shop])

        houses = services.estate.list_own_houses(actor=factories.owner(account))

        assert houses == [
            OwnHouse(flat.id, community.id, "翠湖花园", "1栋2单元303", "owner"),
            OwnHouse(shop.id, community.id, "翠湖花园", "1栋商1", "owner"),
        ]

    def test_neither_strangers_houses_nor_ended_bindings(self, services, database):
        with database.session() as session:
            house, sold = (factories.make_house(session) for _ in range(2))
            owner = factories.make_owner(session, house=house)
            factories.make_account(session, owner=owner, houses=[house])
            stranger = factories.make_account(
                session, owner=factories.make_owner(session), houses=[sold]
            )
        database.do("UPDATE house_binding SET status = 'revoked' WHERE house_id = :id", id=sold.id)

        assert services.estate.list_own_houses(actor=factories.owner(stranger)) == []

    @pytest.mark.parametrize("actor", [visitor(), actor_without(Permission.VIEW_OWN_BILLS)])
    def test_only_with_the_permission(self, services, actor):
        with pytest.raises(NotAllowed):
            services.estate.list_own_houses(actor=actor)
