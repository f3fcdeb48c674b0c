from datetime import timedelta

import pytest

from domain.actors import DataScope, Permission, visitor
from domain.errors import InvalidInput, NotAllowed, NotFound, NotSignedIn
from domain.house_roles import Rights, rights_of
from services.accounts import bind_houses
from services.bills.own_bills import BillFilter
from services.bindings import own_bill_ids
from services.people.applications import (
    AlreadyApplied,
    ApplicationDecided,
    TooManyApplications,
    WantedBinding,
)
from services.people.binding_rows import AlreadyBound
from services.people.invitations import Invited, TooManyInvitations
from tests import factories
from tests.factories import actor_without
from tests.gateways.test_photos import photo

PHONE = "18800000001"
WIFE = Invited(PHONE, "王太太", "family")
TENANT = Invited(PHONE, "房客", "tenant")


@pytest.fixture
def stranger(sign_up):
    """Somebody signed in whose phone is on no file."""
    return sign_up(PHONE)


@pytest.fixture
def community(database, place):
    return database.value("SELECT name FROM community WHERE id = :id", id=place.community_id)


@pytest.fixture
def apply(services, community, stranger):
    def apply(house="3栋1单元502", role="owner", actor=None, **changes):
        values = {"community": community, "name": "王小明", "proof": "房产证号 123"} | changes
        return services.binding_applications.apply(
            actor=actor or stranger, wanted=WantedBinding(house=house, role=role, **values)
        )

    return apply


@pytest.fixture
def houses_of(services):
    return lambda actor: [
        (house.id, house.role) for house in services.estate.list_own_houses(actor=actor)
    ]


@pytest.fixture
def join(services, place, stranger):
    """Let the stranger accept an invitation of the owner; return the binding."""

    def join(invited=WIFE):
        made = services.invitations.invite(
            actor=place.owner, house_id=place.house_id, invited=invited
        )
        return services.invitations.accept(actor=stranger, token=made.token)

    return join


class TestRightsInSql:
    """The query and `domain.house_roles.rights_of` say the same of every role and decision."""

    @pytest.mark.parametrize("role", ["owner", "family", "tenant"])
    @pytest.mark.parametrize("sees", [None, True, False])
    @pytest.mark.parametrize("pays", [None, True, False])
    def test_agree(self, services, place, database, role, sees, pays):
        with database.session() as session:
            house = session.get_one(factories.House, place.house_id)
            bill = factories.make_bill(session, house=house)
        database.do(
            "UPDATE house_binding SET role = :role, may_see_bills = :sees, may_pay = :pays",
            role=role,
            sees=sees,
            pays=pays,
        )

        seen = services.own_bills.list_own(
            actor=place.owner, which=BillFilter.ALL, house_id=None, before_id=None, limit=9
        )
        expected = rights_of(role, Rights(sees, pays))
        assert bool(seen) is expected.may_see_bills
        with database.session() as session:
            today = services.clock.now().date()
            payable = session.execute(own_bill_ids(place.owner, today, to_pay=True)).scalars().all()
        assert (bill.id in payable) is expected.may_pay


class TestApply:
    def test_waits_for_staff_and_shows_its_state(self, apply, services, stranger, place, audit):
        apply()

        [view] = services.binding_applications.list_own(actor=stranger)
        assert (view.state, view.house_text, view.house_id) == ("pending", "3栋1单元502", None)
        [review] = services.binding_applications.list_applications(actor=place.clerk)
        assert (review.house_id, review.house) == (place.house_id, "3栋1单元502")
        assert review.phone_masked == "188****0001"
        assert audit("binding_applied")[0]["before"] is None

    def test_photos_of_papers_are_shown_to_whoever_reviews(
        self, apply, services, stranger, sign_up, place
    ):
        photo_ids = [
            services.file_desk.take_photo(actor=stranger, content=photo()).id for _ in range(2)
        ]
        foreign = services.file_desk.take_photo(actor=sign_up("18800000077"), content=photo()).id

        with pytest.raises(NotFound):
            apply(photo_ids=[*photo_ids, foreign])
        assert services.binding_applications.list_own(actor=stranger) == []
        apply(photo_ids=photo_ids)

        [own] = services.binding_applications.list_own(actor=stranger)
        [review] = services.binding_applications.list_applications(actor=place.clerk)
        assert [one.id for one in own.photos] == photo_ids
        assert [one.id for one in review.photos] == photo_ids

    def test_the_answer_does_not_tell_whether_there_is_such_a_house(
        self, apply, services, stranger
    ):
        apply()
        apply("99栋9单元999")

        views = services.binding_applications.list_own(actor=stranger)
        assert {(view.state, view.house_id, view.house) for view in views} == {
            ("pending", None, "")
        }

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"house": ""}, "house"),
            ({"house": "长" * 41}, "house"),
            ({"name": " "}, "name"),
            ({"name": "长" * 100}, "name"),
            ({"proof": ""}, "proof"),
            ({"proof": "长" * 501}, "proof"),
            ({"role": "contact"}, "role"),
            ({"community": "没有的小区"}, "community"),
        ],
    )
    def test_what_cannot_be_used(self, apply, changes, field):
        with pytest.raises(InvalidInput) as refusal:
            apply(**changes)

        assert field in refusal.value.fields

    def test_the_same_twice(self, apply):
        apply()

        with pytest.raises(AlreadyApplied):
            apply()

    def test_five_at_once_and_not_one_more(self, apply):
        for number in range(5):
            apply(f"{number}栋101")

        with pytest.raises(TooManyApplications):
            apply("9栋101")

    def test_a_flood_of_threads_leaves_five(self, apply, together, database):
        results = together(*[lambda number=number: apply(f"{number}栋101") for number in range(12)])

        refused = [result for result in results if isinstance(result, TooManyApplications)]
        assert len(refused) == 7
        assert database.value("SELECT count(*) FROM binding_application") == 5

    def test_ten_within_a_day(self, apply, services, stranger, clock):
        for number in range(10):
            made = apply(f"{number}栋101")
            services.binding_applications.withdraw(actor=stranger, application_id=made)

        with pytest.raises(TooManyApplications):
            apply()
        clock.advance(days=1, minutes=1)
        apply()

    def test_withdrawn_is_over(self, apply, services, stranger, place):
        made = apply()
        services.binding_applications.withdraw(actor=stranger, application_id=made)

        with pytest.raises(ApplicationDecided):
            services.binding_applications.reject(actor=place.clerk, application_id=made, reason="x")

    def test_nobody_elses_is_there(self, apply, services, place):
        made = apply()

        with pytest.raises(NotFound):
            services.binding_applications.withdraw(actor=place.owner, application_id=made)
        assert services.binding_applications.list_own(actor=place.owner) == []

    def test_an_account_that_was_switched_off(self, apply, database):
        database.do("UPDATE account SET is_active = false")

        with pytest.raises(NotSignedIn):
            apply()


class TestReview:
    @pytest.fixture
    def approve(self, services, place):
        def approve(application_id, actor=None, **chosen):
            return services.binding_applications.approve(
                actor=actor or place.clerk,
                application_id=application_id,
                **({"reason": "核对房产证"} | chosen),
            )

        return approve

    def test_an_owner_gets_the_phone_on_file(
        self, apply, approve, place, stranger, houses_of, database, audit, services
    ):
        approve(apply(), owner_id=place.owner_id)

        assert houses_of(stranger) == [(place.house_id, "owner")]
        assert database.rows(
            "SELECT phone, is_primary FROM owner_phone WHERE owner_id = :id ORDER BY id",
            id=place.owner_id,
        )[1] == {"phone": PHONE, "is_primary": False}
        [view] = services.binding_applications.list_own(actor=stranger)
        assert (view.state, view.decision_note) == ("approved", "核对房产证")
        assert audit("binding_approved")[0]["before"] == {"state": "pending"}

    def test_which_owner_must_be_said(self, apply, approve):
        with pytest.raises(InvalidInput) as refusal:
            approve(apply())

        assert "owner_id" in refusal.value.fields

    def test_an_owner_of_another_house_is_none_of_this(self, apply, approve, database, place):
        with database.session() as session:
            neighbour = factories.make_owner(session, community_id=place.community_id)

        with pytest.raises(NotFound):
            approve(apply(), owner_id=neighbour.id)

    def test_family_is_put_on_file(self, apply, approve, stranger, houses_of, place, database):
        approve(apply(role="family", name="王太太"))

        assert houses_of(stranger) == [(place.house_id, "family")]
        [person] = database.rows("SELECT * FROM owner WHERE phone = :phone", phone=PHONE)
        assert (person["name"], person["pinyin"]) == ("王太太", "wangtaitai")

    def test_a_contact_on_file_becomes_family(
        self, apply, approve, place, database, houses_of, stranger
    ):
        with database.session() as session:
            house = session.get_one(factories.House, place.house_id)
            factories.make_owner(session, house=house, role="contact", phone=PHONE)

        approve(apply(role="family"))

        assert houses_of(stranger) == [(place.house_id, "family")]

    def test_a_house_that_was_not_understood_must_be_chosen(
        self, apply, approve, place, stranger, houses_of
    ):
        made = apply("三号楼五零二", role="family")
        with pytest.raises(InvalidInput) as refusal:
            approve(made)
        assert "house_id" in refusal.value.fields

        approve(made, house_id=place.house_id)

        assert houses_of(stranger) == [(place.house_id, "family")]

    def test_a_house_of_another_community_is_none(self, apply, approve, database):
        with database.session() as session:
            other = factories.make_house(session)

        with pytest.raises(NotFound):
            approve(apply(role="family"), house_id=other.id)

    def test_refused_with_a_reason_that_is_read(self, apply, services, stranger, place, houses_of):
        made = apply()

        services.binding_applications.reject(
            actor=place.clerk, application_id=made, reason="房产证不清楚"
        )

        [view] = services.binding_applications.list_own(actor=stranger)
        assert (view.state, view.decision_note) == ("rejected", "房产证不清楚")
        assert houses_of(stranger) == []

    def test_two_reviewers_at_once(self, apply, approve, together, database):
        made = apply(role="family")

        results = together(*[lambda: approve(made)] * 4)

        assert sum(isinstance(result, ApplicationDecided) for result in results) == 3
        assert database.value("SELECT count(*) FROM house_binding WHERE account_id <> 1") == 1

    def test_bound_already(self, apply, approve, place):
        with pytest.raises(AlreadyBound):
            approve(apply(actor=place.owner))

    def test_out_of_scope_is_not_there(self, apply, approve, services, database, place):
        made = apply(role="family")
        unclear = apply("不清楚", role="family")
        with database.session() as session:
            far = factories.staff(session, scope=DataScope(frozenset({404})))
            near = factories.staff(
                session,
                scope=DataScope(
                    frozenset(), frozenset({place.community_id}), frozenset({place.building_id})
                ),
            )

        for refused in (
            lambda: approve(made, actor=far),
            lambda: services.binding_applications.reject(
                actor=far, application_id=made, reason="x"
            ),
            lambda: approve(unclear, actor=near, house_id=place.house_id),
        ):
            with pytest.raises(NotFound):
                refused()
        assert services.binding_applications.list_applications(actor=far) == []
        [seen] = services.binding_applications.list_applications(actor=near)
        assert seen.id == made

    def test_decisions_need_reasons(self, apply, approve, services, place):
        made = apply()

        with pytest.raises(InvalidInput):
            approve(made, reason=" ", owner_id=place.owner_id)
        with pytest.raises(InvalidInput):
            services.binding_applications.reject(actor=place.clerk, application_id=made, reason="")


class TestInvite:
    def test_family_joins_by_the_token(self, join, stranger, houses_of, place, audit, services):
        join()

        assert houses_of(stranger) == [(place.house_id, "family")]
        [view] = services.invitations.list_own(actor=place.owner)
        assert (view.state, view.phone_masked) == ("accepted", "188****0001")
        assert PHONE not in str(audit("house_invited"))

    def test_the_token_is_kept_as_a_hash_only(self, services, place, database):
        made = services.invitations.invite(actor=place.owner, house_id=place.house_id, invited=WIFE)

        assert made.token not in str(database.rows("SELECT * FROM house_invitation"))

    def test_once(self, services, place, stranger, sign_up):
        made = services.invitations.invite(actor=place.owner, house_id=place.house_id, invited=WIFE)
        services.invitations.accept(actor=stranger, token=made.token)

        with pytest.raises(NotFound):
            services.invitations.accept(actor=stranger, token=made.token)

    def test_many_threads_accept_once(self, services, place, stranger, together, bindings):
        made = services.invitations.invite(actor=place.owner, house_id=place.house_id, invited=WIFE)

        results = together(
            *[lambda: services.invitations.accept(actor=stranger, token=made.token)] * 6
        )

        assert sum(isinstance(result, int) for result in results) == 1
        assert len(bindings()) == 2

    def test_only_by_the_phone_that_was_invited(self, services, place, sign_up, houses_of):
        other = sign_up("18800000002")
        made = services.invitations.invite(actor=place.owner, house_id=place.house_id, invited=WIFE)

        with pytest.raises(NotFound):
            services.invitations.accept(actor=other, token=made.token)
        assert houses_of(other) == []

    def test_for_seven_days(self, services, place, stranger, clock):
        made = services.invitations.invite(actor=place.owner, house_id=place.house_id, invited=WIFE)
        clock.advance(days=7)

        with pytest.raises(NotFound):
            services.invitations.accept(actor=stranger, token=made.token)
        assert services.invitations.list_own(actor=stranger) == []
        assert services.invitations.list_own(actor=place.owner)[0].state == "expired"

    def test_revoked_is_over(self, services, place, stranger):
        made = services.invitations.invite(actor=place.owner, house_id=place.house_id, invited=WIFE)
        services.invitations.revoke(actor=place.owner, invitation_id=made.id)

        with pytest.raises(NotFound):
            services.invitations.accept(actor=stranger, token=made.token)
        with pytest.raises(NotFound):
            services.invitations.revoke(actor=place.owner, invitation_id=made.id)

    def test_a_second_one_to_a_phone_ends_the_first(self, services, place, stranger):
        first, second = (
            services.invitations.invite(actor=place.owner, house_id=place.house_id, invited=WIFE)
            for _ in range(2)
        )

        with pytest.raises(NotFound):
            services.invitations.accept(actor=stranger, token=first.token)
        services.invitations.accept(actor=stranger, token=second.token)

    def test_not_of_whoever_owns_the_house_no_longer(self, services, place, stranger, database):
        made = services.invitations.invite(actor=place.owner, house_id=place.house_id, invited=WIFE)
        database.do("UPDATE house_binding SET status = 'revoked'")

        with pytest.raises(NotFound):
            services.invitations.accept(actor=stranger, token=made.token)

    def test_only_owners_invite(self, services, join, place, stranger):
        join()

        for house_id in (place.house_id, 404):
            with pytest.raises(NotFound):
                services.invitations.invite(
                    actor=stranger, house_id=house_id, invited=Invited("18800000003", "x", "tenant")
                )

    @pytest.mark.parametrize(
        "invited", [Invited(PHONE, "", "family"), Invited(PHONE, "x", "owner")]
    )
    def test_what_cannot_be_used(self, services, place, invited):
        with pytest.raises(InvalidInput):
            services.invitations.invite(actor=place.owner, house_id=place.house_id, invited=invited)

    def test_a_lease_that_is_over(self, services, place, clock):
        invited = Invited(PHONE, "房客", "tenant", until=clock.now().date() - timedelta(days=1))

        with pytest.raises(InvalidInput):
            services.invitations.invite(actor=place.owner, house_id=place.house_id, invited=invited)

    def test_ten_are_open_at_most(self, services, place):
        for number in range(10):
            services.invitations.invite(
                actor=place.owner,
                house_id=place.house_id,
                invited=Invited(f"1880000010{number}", "x", "tenant"),
            )

        with pytest.raises(TooManyInvitations):
            services.invitations.invite(actor=place.owner, house_id=place.house_id, invited=WIFE)

    def test_a_tenant_has_what_the_owner_gave(self, services, place, stranger, join, clock):
        until = clock.now().date() + timedelta(days=100)
        join(Invited(PHONE, "房客", "tenant", Rights(may_see_bills=True), until))

        [view] = services.house_bindings.list_own(actor=stranger)
        assert view.rights == Rights(True, False, True)
        assert view.live_until == until

    def test_somebody_elses_is_not_there_to_revoke(self, services, place, stranger):
        made = services.invitations.invite(actor=place.owner, house_id=place.house_id, invited=WIFE)

        with pytest.raises(NotFound):
            services.invitations.revoke(actor=stranger, invitation_id=made.id)


class TestUnbind:
    def test_oneself_and_it_stays_ended(self, services, place, houses_of):
        [own] = services.house_bindings.list_own(actor=place.owner)

        services.house_bindings.unbind(actor=place.owner, binding_id=own.id)

        assert houses_of(place.owner) == []
        assert not services.accounts.unit_of_work.run(
            lambda tx: bind_houses(tx, place.clerk, account_id=place.account_id)
        )

    def test_who_left_may_come_back_by_the_phone_on_file(self, services, place, houses_of):
        [own] = services.house_bindings.list_own(actor=place.owner)
        services.house_bindings.unbind(actor=place.owner, binding_id=own.id)

        assert services.house_bindings.bind_by_phone(actor=place.owner) == 1

        assert houses_of(place.owner) == [(place.house_id, "owner")]

    def test_who_was_put_out_by_staff_does_not(self, services, place, houses_of):
        [own] = services.house_bindings.list_own(actor=place.owner)
        services.house_bindings.revoke(actor=place.clerk, binding_id=own.id, reason="x")

        assert services.house_bindings.bind_by_phone(actor=place.owner) == 0

    def test_the_owner_ends_others_of_the_house(
        self, services, place, join, stranger, houses_of, database
    ):
        binding_id = join()

        services.house_bindings.unbind(actor=place.owner, binding_id=binding_id)

        assert houses_of(stranger) == []
        assert (
            database.value("SELECT ended_because FROM house_binding WHERE id = :id", id=binding_id)
            == "owner"
        )

    def test_others_end_nobody_else(self, services, place, join, stranger):
        join()
        [own] = services.house_bindings.list_own(actor=place.owner)[1:]

        for refused in (
            lambda: services.house_bindings.unbind(actor=stranger, binding_id=own.id),
            lambda: services.house_bindings.decide_rights(
                actor=stranger, binding_id=own.id, rights=Rights(False, False, False)
            ),
        ):
            with pytest.raises(NotFound):
                refused()

    def test_an_owner_ends_no_other_owner(self, services, place, database, stranger):
        with database.session() as session:
            house = session.get_one(factories.House, place.house_id)
            factories.make_owner(session, house=house, role="co_owner", phone=PHONE)
        services.accounts.unit_of_work.run(
            lambda tx: bind_houses(tx, place.clerk, account_id=stranger.account_id)
        )
        [theirs, _] = services.house_bindings.list_own(actor=place.owner)

        for refused in (
            lambda: services.house_bindings.unbind(actor=place.owner, binding_id=theirs.id),
            lambda: services.house_bindings.decide_rights(
                actor=place.owner, binding_id=theirs.id, rights=Rights(False)
            ),
        ):
            with pytest.raises(NotFound):
                refused()

    def test_one_sees_the_others_of_owned_houses_only(self, services, place, join, stranger):
        join()

        assert len(services.house_bindings.list_own(actor=place.owner)) == 2
        [own] = services.house_bindings.list_own(actor=stranger)
        assert own.is_own


class TestRights:
    def test_the_owner_lets_a_tenant_see_and_takes_it_back(
        self, services, place, join, stranger, database, audit
    ):
        with database.session() as session:
            house = session.get_one(factories.House, place.house_id)
            factories.make_bill(session, house=house)
        binding_id = join(TENANT)

        def seen():
            return services.own_bills.sum_outstanding(actor=stranger).bill_count

        found = [seen()]
        for sees in (True, False):
            services.house_bindings.decide_rights(
                actor=place.owner, binding_id=binding_id, rights=Rights(may_see_bills=sees)
            )
            found.append(seen())

        assert found == [0, 1, 0]
        assert [facts["after"]["may_see_bills"] for facts in audit("binding_rights_changed")] == [
            True,
            False,
        ]


class TestStaff:
    def test_list_and_revoke(self, services, place, houses_of, audit):
        [view] = services.house_bindings.list_bindings(
            actor=place.cashier, community_id=place.community_id, house_id=place.house_id
        )

        services.house_bindings.revoke(actor=place.clerk, binding_id=view.id, reason="本人要求")

        assert houses_of(place.owner) == []
        assert audit("house_unbound")[0]["reason"] == "本人要求"
        with pytest.raises(NotFound):
            services.house_bindings.revoke(actor=place.clerk, binding_id=view.id, reason="x")

    def test_page_by_page(self, services, place, join):
        join()
        first, second = (
            services.house_bindings.list_bindings(actor=place.clerk, limit=1, before_id=before)
            for before in (None, 2)
        )

        assert [view.id for view in (*first, *second)] == [2, 1]

    def test_out_of_scope_is_not_there(self, services, place, database):
        with database.session() as session:
            far = factories.staff(session, scope=DataScope(frozenset({404})))

        assert services.house_bindings.list_bindings(actor=far) == []
        with pytest.raises(NotFound):
            services.house_bindings.revoke(actor=far, binding_id=1, reason="x")


class TestPermissions:
    @pytest.mark.parametrize("actor", [visitor(), actor_without(Permission.MANAGE_OWN_BINDINGS)])
    def test_of_owners(self, services, apply, place, actor):
        bound, invitations, applications = (
            services.house_bindings,
            services.invitations,
            services.binding_applications,
        )

        for refused in (
            lambda: apply(actor=actor),
            lambda: applications.list_own(actor=actor),
            lambda: applications.withdraw(actor=actor, application_id=1),
            lambda: bound.list_own(actor=actor),
            lambda: bound.bind_by_phone(actor=actor),
            lambda: bound.unbind(actor=actor, binding_id=1),
            lambda: bound.decide_rights(actor=actor, binding_id=1, rights=Rights()),
            lambda: invitations.invite(actor=actor, house_id=1, invited=WIFE),
            lambda: invitations.list_own(actor=actor),
            lambda: invitations.revoke(actor=actor, invitation_id=1),
            lambda: invitations.accept(actor=actor, token="x"),
        ):
            with pytest.raises(NotAllowed):
                refused()

    @pytest.mark.parametrize("actor", [visitor(), actor_without(Permission.REVIEW_BINDINGS)])
    def test_of_staff(self, services, actor):
        applications = services.binding_applications

        for refused in (
            lambda: applications.list_applications(actor=actor),
            lambda: applications.approve(actor=actor, application_id=1, reason="x"),
            lambda: applications.reject(actor=actor, application_id=1, reason="x"),
            lambda: services.house_bindings.revoke(actor=actor, binding_id=1, reason="x"),
        ):
            with pytest.raises(NotAllowed):
                refused()
        with pytest.raises(NotAllowed):
            services.house_bindings.list_bindings(actor=visitor())
