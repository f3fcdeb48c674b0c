from datetime import date, timedelta
from decimal import Decimal

import pytest

from domain.actors import DataScope, Permission, visitor
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.house_roles import Rights
from domain.transfers import SharesDoNotAddUp
from models import PersonRole
from services.bills.own_bills import BillFilter
from services.people.part_rows import NewPart
from services.people.parts import PersonHasHistory, PersonIsThere
from tests import factories
from tests.factories import actor_without

PHONE = "18800000001"


@pytest.fixture
def people(services):
    return services.house_people


@pytest.fixture
def newcomer(database, place):
    """The id of an owner of the community who is nobody to the house yet."""
    with database.session() as session:
        return factories.make_owner(session, community_id=place.community_id, phone=PHONE).id


@pytest.fixture
def add(people, place, newcomer):
    def add(role="family", actor=None, house_id=None, owner_id=None, reason="家属", **part):
        return people.add(
            actor=actor or place.clerk,
            house_id=house_id or place.house_id,
            part=NewPart(owner_id or newcomer, PersonRole(role), **part),
            reason=reason,
        )

    return add


@pytest.fixture
def listed(people, place):
    return lambda **more: people.list_people(actor=place.cashier, house_id=place.house_id, **more)


class TestAdd:
    def test_binds_an_account_with_their_phone(self, add, sign_up, services, place, audit, listed):
        wife = sign_up(PHONE)

        add()

        [house] = services.estate.list_own_houses(actor=wife)
        assert (house.id, house.role) == (place.house_id, "family")
        assert [person.role for person in listed()] == ["title_holder", "family"]
        assert audit("person_added")[0]["after"]["role"] == "family"
        assert audit("person_added")[0]["reason"] == "家属"

    def test_a_tenant_sees_no_bills_until_the_owner_lets_them(
        self, add, people, sign_up, services, place, database
    ):
        with database.session() as session:
            factories.make_bill(session, house=session.get_one(factories.House, place.house_id))
        tenant = sign_up(PHONE)
        person_id = add("tenant")

        def seen():
            return len(
                services.own_bills.list_own(
                    actor=tenant, which=BillFilter.ALL, house_id=None, before_id=None, limit=9
                )
            )

        assert seen() == 0
        people.decide_rights(
            actor=place.clerk, person_id=person_id, rights=Rights(may_see_bills=True), reason="x"
        )
        assert seen() == 1

    def test_a_lease_ends_by_itself(self, add, sign_up, services, clock):
        tenant = sign_up(PHONE)
        today = date.fromisoformat(clock.now().date().isoformat())

        add("tenant", person_until=today + timedelta(days=40))
        assert services.estate.list_own_houses(actor=tenant)

        clock.advance(days=41)
        assert services.estate.list_own_houses(actor=tenant) == []

    def test_twice_in_the_same_days(self, add):
        add()

        with pytest.raises(PersonIsThere):
            add("tenant")

    def test_owners_who_are_not_of_the_community(self, add, database):
        with database.session() as session:
            stranger = factories.make_owner(session)

        with pytest.raises(NotFound):
            add(owner_id=stranger.id)

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"share_ratio": Decimal("0.5")}, "share_ratio"),
            ({"role": "co_owner", "share_ratio": Decimal("1.5")}, "share_ratio"),
            ({"role": "co_owner", "share_ratio": Decimal(0)}, "share_ratio"),
            ({"role": "co_owner", "rights": Rights(may_pay=False)}, "rights"),
            (
                {"person_from": date(2026, 1, 1), "person_until": date(2026, 1, 1)},
                "person_until",
            ),
            ({"reason": " "}, "reason"),
        ],
    )
    def test_a_part_that_cannot_be(self, add, changes, field):
        with pytest.raises(InvalidInput) as refusal:
            add(**changes)

        assert field in refusal.value.fields

    def test_out_of_scope_is_not_there(self, add, place, database):
        with database.session() as session:
            stranger = factories.staff(session, scope=DataScope(frozenset({404})))

        with pytest.raises(NotFound):
            add(actor=stranger)


class TestShares:
    def test_all_owners_at_once(self, add, people, place, listed, audit):
        second = add("co_owner")
        first = listed()[0].id

        people.set_shares(
            actor=place.clerk,
            house_id=place.house_id,
            shares={first: Decimal("0.6"), second: Decimal("0.4")},
            reason="房产证",
        )

        assert [person.share_ratio for person in listed()] == ["0.6", "0.4"]
        assert audit("shares_changed")[0]["before"] == {str(first): None, str(second): None}

    @pytest.mark.parametrize("shares", [("0.6", "0.5"), ("0.5", "0.4")])
    def test_shares_that_do_not_add_up(self, add, people, place, listed, shares):
        second = add("co_owner")
        first = listed()[0].id

        with pytest.raises(SharesDoNotAddUp) as refusal:
            people.set_shares(
                actor=place.clerk,
                house_id=place.house_id,
                shares={first: Decimal(shares[0]), second: Decimal(shares[1])},
                reason="x",
            )

        assert "应等于 1" in refusal.value.message
        assert [person.share_ratio for person in listed()] == [None, None]

    def test_one_more_owner_above_the_whole(self, add, people, place, listed):
        people.set_shares(
            actor=place.clerk,
            house_id=place.house_id,
            shares={listed()[0].id: Decimal(1)},
            reason="x",
        )

        with pytest.raises(SharesDoNotAddUp):
            add("co_owner", share_ratio=Decimal("0.5"))

    def test_a_share_of_nobody(self, people, place):
        with pytest.raises(NotFound):
            people.set_shares(
                actor=place.clerk, house_id=place.house_id, shares={404: Decimal(1)}, reason="x"
            )

    def test_no_share_at_all(self, people, place, listed):
        with pytest.raises(InvalidInput):
            people.set_shares(
                actor=place.clerk,
                house_id=place.house_id,
                shares={listed()[0].id: Decimal(0)},
                reason="x",
            )


class TestRights:
    def test_owners_are_not_limited(self, people, place, listed):
        with pytest.raises(InvalidInput):
            people.decide_rights(
                actor=place.clerk,
                person_id=listed()[0].id,
                rights=Rights(may_pay=False),
                reason="x",
            )

    def test_nobody(self, people, place):
        with pytest.raises(NotFound):
            people.decide_rights(actor=place.clerk, person_id=404, rights=Rights(), reason="x")


class TestEnd:
    def test_ends_what_rests_on_it(self, people, place, listed, bindings, clock, audit):
        today = clock.now().date() - timedelta(days=1)

        people.end(actor=place.clerk, person_id=listed()[0].id, until=today, reason="搬走")

        assert listed() == []
        assert len(listed(with_past=True)) == 1
        assert bindings()[0][3:] == ("revoked", "part")
        assert audit("person_ended")[0]["after"]["person_until"] == today.isoformat()

    def test_an_end_to_come_lets_the_binding_live_until_then(
        self, people, place, listed, bindings, clock, services
    ):
        until = clock.now().date() + timedelta(days=40)

        people.end(actor=place.clerk, person_id=listed()[0].id, until=until, reason="x")

        assert bindings()[0][3] == "active"
        assert services.estate.list_own_houses(actor=place.owner)
        clock.advance(days=42)
        assert services.estate.list_own_houses(actor=place.owner) == []

    def test_not_before_it_began(self, people, place, listed):
        with pytest.raises(InvalidInput):
            people.end(
                actor=place.clerk,
                person_id=listed()[0].id,
                until=factories.LONG_AGO,
                reason="x",
            )

    def test_what_has_ended_is_not_there(self, people, place, listed):
        person_id = listed()[0].id
        end = {"actor": place.clerk, "person_id": person_id, "reason": "x"}
        people.end(until=date(2021, 1, 1), **end)

        with pytest.raises(NotFound):
            people.end(until=date(2022, 1, 1), **end)


class TestRemove:
    def test_a_mistake_may_go(self, add, people, place, listed, audit):
        person_id = add()

        people.remove(actor=place.clerk, person_id=person_id, reason="录错")

        assert len(listed(with_past=True)) == 1
        assert audit("person_removed")[0]["after"] is None

    def test_a_binding_rests_on_it(self, people, place, listed):
        with pytest.raises(PersonHasHistory):
            people.remove(actor=place.clerk, person_id=listed()[0].id, reason="x")

    def test_bills_rest_on_it(self, people, place, listed, database):
        database.do("DELETE FROM house_binding")
        with database.session() as session:
            factories.make_bill(session, house=session.get_one(factories.House, place.house_id))

        with pytest.raises(PersonHasHistory):
            people.remove(actor=place.clerk, person_id=listed()[0].id, reason="x")

    def test_a_draft_rests_on_nobody(self, people, place, listed, database):
        database.do("DELETE FROM house_binding")
        with database.session() as session:
            house = session.get_one(factories.House, place.house_id)
            factories.make_bill(session, house=house, state="pending_review", published_at=None)

        people.remove(actor=place.clerk, person_id=listed()[0].id, reason="x")

        assert listed() == []


class TestPermissions:
    @pytest.mark.parametrize("actor", [visitor(), actor_without(Permission.MANAGE_OWNERS)])
    def test_changing(self, add, people, place, actor):
        for refused in (
            lambda: add(actor=actor),
            lambda: people.set_shares(actor=actor, house_id=1, shares={}, reason="x"),
            lambda: people.decide_rights(actor=actor, person_id=1, rights=Rights(), reason="x"),
            lambda: people.end(actor=actor, person_id=1, until=date(2026, 1, 1), reason="x"),
            lambda: people.remove(actor=actor, person_id=1, reason="x"),
        ):
            with pytest.raises(NotAllowed):
                refused()

    def test_seeing(self, people, place, database):
        with pytest.raises(NotAllowed):
            people.list_people(actor=actor_without(Permission.VIEW_OWNERS), house_id=place.house_id)
        with database.session() as session:
            stranger = factories.staff(session, scope=DataScope(frozenset({404})))
        with pytest.raises(NotFound):
            people.list_people(actor=stranger, house_id=place.house_id)
