"""A role with power over money takes two people."""

import pytest

from domain.actors import Permission, ReauthenticationNeeded, Role
from domain.errors import NotAllowed, NotFound
from services.approvals.decisions import AlreadyDecided, RequesterIsApprover
from services.password_doors import WrongCredentials
from services.staff.grants import GrantPending
from tests import factories
from tests.factories import actor_without


@pytest.fixture
def manager(member):
    return member("manager", login_name="li").signed_in()


@pytest.fixture
def admin(administrator):
    return administrator.signed_in()


@pytest.fixture
def made(services, admin):
    return services.staff.create(actor=admin, login_name="new", name="新人", role=Role.CASHIER)


@pytest.fixture
def staff_row(database):
    return lambda name: database.rows("SELECT * FROM staff WHERE login_name = :name", name=name)[0]


class TestCreate:
    def test_an_account_with_a_money_role_waits(self, services, made, staff_row, member):
        assert made.grant_id
        assert staff_row("new")["is_active"] is False

    def test_and_opens_when_somebody_else_grants_it(
        self, services, made, manager, staff_row, audit
    ):
        (waiting,) = services.role_grants.list_open(actor=manager)
        assert (waiting.id, waiting.login_name, waiting.role) == (
            made.grant_id,
            "new",
            Role.CASHIER,
        )

        services.role_grants.grant(actor=manager, grant_id=made.grant_id)

        assert staff_row("new")["is_active"] is True
        assert services.role_grants.list_open(actor=manager) == []
        assert audit("staff_role_granted") == [
            {"grant_id": made.grant_id, "role": "cashier", "before": "cashier"}
        ]

    def test_refused_it_stays_shut(self, services, made, manager, staff_row):
        services.role_grants.refuse(actor=manager, grant_id=made.grant_id)

        assert staff_row("new")["is_active"] is False

    def test_a_role_without_money_needs_nobody_else(self, services, admin, staff_row):
        made = services.staff.create(actor=admin, login_name="eng", name="工程", role=Role.ENGINEER)

        assert made.grant_id is None
        assert staff_row("eng")["is_active"] is True


class TestChangeRole:
    def test_the_old_one_goes_on_until_the_new_one_is_granted(
        self, services, admin, manager, member
    ):
        somebody = member("customer_service")
        token = somebody.sign_in().token

        grant_id = services.staff.change_role(actor=admin, staff_id=somebody.id, role=Role.FINANCE)

        before = services.staff_sessions.authenticate(token=token)
        assert before.role is Role.CUSTOMER_SERVICE
        services.role_grants.grant(actor=manager, grant_id=grant_id)
        assert somebody.signed_in().role is Role.FINANCE

    def test_one_wait_at_a_time(self, services, admin, member):
        somebody = member("customer_service")
        services.staff.change_role(actor=admin, staff_id=somebody.id, role=Role.FINANCE)

        with pytest.raises(GrantPending):
            services.staff.change_role(actor=admin, staff_id=somebody.id, role=Role.CASHIER)

    def test_money_is_taken_away_by_one(self, services, admin, wang):
        grant_id = services.staff.change_role(actor=admin, staff_id=wang.id, role=Role.AUDITOR)

        assert grant_id is None
        assert wang.signed_in().role is Role.AUDITOR

    def test_switching_on_again_waits_too(self, services, admin, manager, wang):
        services.staff.disable(actor=admin, staff_id=wang.id)

        grant_id = services.staff.enable(actor=admin, staff_id=wang.id)

        with pytest.raises(WrongCredentials):
            wang.sign_in()
        services.role_grants.grant(actor=manager, grant_id=grant_id)
        assert wang.sign_in().token


class TestTwoPeople:
    def test_never_whoever_asked(self, services, made, admin):
        with pytest.raises(RequesterIsApprover):
            services.role_grants.grant(actor=admin, grant_id=made.grant_id)
        with pytest.raises(RequesterIsApprover):
            services.role_grants.refuse(actor=admin, grant_id=made.grant_id)

    def test_never_whose_role_it_is(self, services, admin, manager, member):
        other = member("manager")
        grant_id = services.staff.change_role(
            actor=admin, staff_id=other.id, role=Role.ADMINISTRATOR
        )

        with pytest.raises(RequesterIsApprover):
            services.role_grants.grant(actor=other.signed_in(), grant_id=grant_id)

        services.role_grants.grant(actor=manager, grant_id=grant_id)

    @pytest.mark.parametrize("role", ["cashier", "finance", "customer_service", "auditor"])
    def test_only_who_may(self, services, made, member, role):
        actor = member(role).signed_in()

        with pytest.raises(NotAllowed):
            services.role_grants.grant(actor=actor, grant_id=made.grant_id)
        with pytest.raises(NotAllowed):
            services.role_grants.list_open(actor=actor)

    def test_only_fresh(self, services, made, manager, stale):
        for decide in (services.role_grants.grant, services.role_grants.refuse):
            with pytest.raises(ReauthenticationNeeded):
                decide(actor=stale(manager), grant_id=made.grant_id)

    def test_only_once(self, services, made, manager):
        services.role_grants.grant(actor=manager, grant_id=made.grant_id)

        with pytest.raises(AlreadyDecided):
            services.role_grants.refuse(actor=manager, grant_id=made.grant_id)

    def test_two_at_the_same_moment_decide_once(self, services, made, manager, member, together):
        other = member("manager").signed_in()

        results = together(
            lambda: services.role_grants.grant(actor=manager, grant_id=made.grant_id),
            lambda: services.role_grants.refuse(actor=other, grant_id=made.grant_id),
        )

        assert sum(isinstance(one, AlreadyDecided) for one in results) == 1

    def test_outside_of_ones_scope_there_is_none(self, services, made, database):
        with database.session() as session:
            community = factories.make_community(session)
            actor = factories.staff(
                session, Role.MANAGER, scope=factories.scope_of_community(community)
            )

        assert services.role_grants.list_open(actor=actor) == []
        with pytest.raises(NotFound):
            services.role_grants.grant(actor=actor, grant_id=made.grant_id)

    def test_an_unknown_one(self, services, manager):
        with pytest.raises(NotFound):
            services.role_grants.grant(actor=manager, grant_id=999)

    def test_only_with_the_permission(self, services, made):
        for decide in (services.role_grants.grant, services.role_grants.refuse):
            with pytest.raises(NotAllowed):
                decide(actor=actor_without(Permission.APPROVE_ROLES), grant_id=made.grant_id)
