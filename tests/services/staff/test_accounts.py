import pytest
from sqlalchemy.exc import IntegrityError

from domain.actors import (
    EVERYWHERE,
    ROLE_PERMISSIONS,
    ActorKind,
    MustFirst,
    PasswordChangeNeeded,
    Permission,
    ReauthenticationNeeded,
    Role,
    operator,
    visitor,
)
from domain.errors import InvalidInput, NotAllowed, NotFound, NotSignedIn
from services.approvals.decisions import RequesterIsApprover
from services.password_doors import LoginNameTaken, WrongCredentials
from services.staff.proofs import TotpNeeded
from services.staff.reach import Reach
from tests import factories
from tests.factories import actor_without
from tests.services.staff.conftest import HOME, PASSWORD


@pytest.fixture
def create(services):
    def create(**changes):
        values = {"login_name": "li", "name": "李工", "role": Role.FINANCE} | changes
        return services.staff.create(**{"actor": operator(), **values})

    return create


class TestCreate:
    def test_an_account_is_handed_out_and_on_record(self, create, database, audit):
        made = create(name=" 李工 ")

        row = database.rows("SELECT id, login_name, name, role, is_active FROM staff")[0]
        assert tuple(row.values()) == (made.staff_id, "li", "李工", "finance", True)
        assert made.grant_id is None
        assert audit("staff_created") == [{"login_name": "li", "role": "finance"}]

    def test_a_login_name_can_be_used_once(self, create, database):
        create()

        with pytest.raises(LoginNameTaken):
            create(name="另一个")

        assert database.value("SELECT count(*) FROM staff") == 1

    def test_case_tells_login_names_apart(self, create):
        assert create() != create(login_name="LI")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("login_name", ""),
            ("login_name", " "),
            ("login_name", "li si"),
            ("login_name", "li\n"),
            ("login_name", "l" * 41),
            ("name", "  "),
            ("name", "长" * 41),
        ],
    )
    def test_a_name_that_cannot_be_used_is_refused_not_shortened(
        self, create, database, field, value
    ):
        with pytest.raises(InvalidInput) as refusal:
            create(**{field: value})

        assert list(refusal.value.fields) == [field]
        assert database.rows("SELECT * FROM staff") == []

    def test_another_breach_is_not_called_a_taken_name(self, create):
        with pytest.raises(IntegrityError):
            create(role="king")

    def test_only_with_the_permission(self, create, database):
        with pytest.raises(NotAllowed):
            create(actor=actor_without(Permission.MANAGE_STAFF))

        assert database.rows("SELECT * FROM staff") == []


class TestActAs:
    @pytest.mark.parametrize("role", Role)
    def test_one_acts_with_the_permissions_of_the_role(self, services, create, role):
        made = create(role=role)

        actor = services.staff.act_as(login_name="li", request_id="req-1")

        assert (actor.kind, actor.id, actor.name) == (ActorKind.STAFF, made.staff_id, "李工")
        assert actor.permissions == ROLE_PERMISSIONS[role]
        assert actor.request_id == "req-1"

    def test_an_unknown_name_is_told_what_to_do(self, services):
        with pytest.raises(NotFound, match=r"nobody.*flask staff create"):
            services.staff.act_as(login_name="nobody")

    def test_whoever_left_acts_no_more(self, services, create, database):
        create()
        database.do("UPDATE staff SET is_active = false")

        with pytest.raises(NotFound):
            services.staff.act_as(login_name="li")


class TestOneTimePassword:
    def test_opens_a_session_that_must_change_it(self, services, create, row):
        made = create()

        opened = services.staff_sessions.sign_in(
            actor=visitor(), login_name="li", password=made.password, visit=HOME
        )

        assert opened.must_first is MustFirst.CHANGE_PASSWORD

    def test_is_told_once_and_kept_as_a_hash(self, create, database):
        made = create()

        kept = str(database.rows("SELECT * FROM staff, audit_entry"))
        assert made.password not in kept
        assert made.password not in repr(made)
        assert "$argon2id$" in kept


class TestContacts:
    def test_phone_and_mail_are_kept_and_shown_masked(self, services, create):
        create(phone="199-0000-0001", email="li@cuihu.cn")

        (shown,) = services.staff.list_all(actor=operator())

        assert (shown.phone_masked, shown.has_email) == ("199****0001", True)

    @pytest.mark.parametrize(
        "changes",
        [
            {"email": "no address"},
            {"email": "a@b"},
            {"email": "a@b.cn\nBcc: c@d.cn"},
            {"email": "甲@b.cn"},
            {"email": "a" * 200 + "@b.cn"},
            {"phone": "12345"},
        ],
    )
    def test_what_is_none_is_refused(self, create, database, changes):
        with pytest.raises(InvalidInput):
            create(**changes)

        assert database.rows("SELECT * FROM staff") == []


class TestEdit:
    def test_changes_what_is_given_and_tells_the_record_which(self, services, wang, row, audit):
        services.staff.edit(actor=operator(), staff_id=wang.id, name="王小芳", phone="", email=None)

        after = row(wang)
        assert (after.name, after.phone, after.email) == ("王小芳", None, "w@c.cn")
        assert audit("staff_edited") == [{"changed": ["name", "phone"]}]
        assert "199" not in str(audit("staff_edited"))

    def test_nothing_new_is_not_on_record(self, services, wang, audit):
        services.staff.edit(actor=operator(), staff_id=wang.id, name="王芳")

        assert audit("staff_edited") == []

    def test_an_empty_name_is_refused(self, services, wang):
        with pytest.raises(InvalidInput):
            services.staff.edit(actor=operator(), staff_id=wang.id, name=" ")


class TestAuthorityActsAtOnce:
    @pytest.mark.parametrize(
        ("change", "action"),
        [
            (
                lambda staff, actor, who: staff.change_role(
                    actor=actor, staff_id=who, role=Role.AUDITOR
                ),
                "staff_role_changed",
            ),
            (lambda staff, actor, who: staff.disable(actor=actor, staff_id=who), "staff_disabled"),
            (
                lambda staff, actor, who: staff.reset_password(actor=actor, staff_id=who),
                "staff_password_reset",
            ),
        ],
        ids=["role", "disable", "reset"],
    )
    def test_sessions_end_and_it_is_on_record(self, services, wang, audit, change, action):
        token = wang.sign_in(remember=True).token

        change(services.staff, operator(), wang.id)

        with pytest.raises(NotSignedIn):
            services.staff_sessions.authenticate(token=token)
        assert len(audit(action)) == 1

    def test_a_disabled_one_signs_in_no_more_until_enabled(self, services, wang):
        services.staff.disable(actor=operator(), staff_id=wang.id)
        with pytest.raises(WrongCredentials):
            wang.sign_in()

        services.staff.enable(actor=operator(), staff_id=wang.id)

        assert wang.sign_in().token

    def test_a_disabled_ones_key_opens_nothing(self, services, wang):
        key = services.staff_tokens.create(actor=operator(), login_name="wang", name="x").token
        services.staff.disable(actor=operator(), staff_id=wang.id)

        with pytest.raises(NotSignedIn):
            services.staff_tokens.authenticate(token=key)

    def test_after_a_reset_only_the_new_password_opens(self, services, wang):
        made = services.staff.reset_password(actor=operator(), staff_id=wang.id)

        with pytest.raises(WrongCredentials):
            wang.sign_in()
        assert wang.sign_in(made.password).must_first is MustFirst.CHANGE_PASSWORD

    def test_a_password_that_was_handed_out_lapses(self, services, wang, clock):
        made = services.staff.reset_password(actor=operator(), staff_id=wang.id)
        clock.advance(days=7)

        with pytest.raises(WrongCredentials):
            wang.sign_in(made.password)

    def test_one_that_was_changed_does_not(self, services, wang, clock):
        made = services.staff.reset_password(actor=operator(), staff_id=wang.id)
        token = wang.sign_in(made.password).token
        services.staff_sessions.change_password(
            actor=services.staff_sessions.authenticate(token=token),
            password=made.password,
            new_password="nine quiet lanterns",
            visit=HOME,
        )
        clock.advance(days=8)

        assert wang.sign_in("nine quiet lanterns").token

    @pytest.mark.parametrize(
        ("act", "change"),
        [
            ("reset_password", {}),
            ("edit", {"phone": "19900000077"}),
            ("edit", {"email": "boss@example.com"}),
        ],
    )
    def test_nobody_steps_alone_into_the_place_of_who_has_power_over_money(
        self, services, wang, administrator, member, act, change
    ):
        admin = administrator.signed_in()

        found = getattr(services.staff, act)(actor=admin, staff_id=wang.id, **change)

        password = getattr(found, "password", PASSWORD)
        with pytest.raises(WrongCredentials):
            wang.sign_in(password)
        [grant] = services.role_grants.list_open(actor=admin)
        with pytest.raises(RequesterIsApprover):
            services.role_grants.grant(actor=admin, grant_id=grant.id)
        services.role_grants.grant(
            actor=member("manager", login_name="boss").signed_in(), grant_id=grant.id
        )
        assert wang.sign_in(password).token

    def test_whoever_has_no_power_over_money_needs_no_second_person(
        self, services, member, administrator
    ):
        lee = member("engineer", login_name="lee")
        admin = administrator.signed_in()

        assert services.staff.edit(actor=admin, staff_id=lee.id, phone="19900000078") is None
        made = services.staff.reset_password(actor=admin, staff_id=lee.id)

        assert made.grant_id is None
        assert lee.sign_in(made.password).token

    def test_another_name_needs_none_either(self, services, wang, administrator):
        admin = administrator.signed_in()

        assert services.staff.edit(actor=admin, staff_id=wang.id, name="王芳芳") is None

        assert wang.sign_in().token

    def test_a_reset_leaves_the_second_factor_unless_it_is_lost(
        self, services, wang, with_totp, row
    ):
        with_totp(wang)
        made = services.staff.reset_password(actor=operator(), staff_id=wang.id)
        with pytest.raises(TotpNeeded):
            wang.sign_in(made.password)

        made = services.staff.reset_password(actor=operator(), staff_id=wang.id, drops_totp=True)

        assert wang.sign_in(made.password).token

    def test_a_key_does_nothing_while_its_owner_must_change_the_password(self, services, wang):
        key = services.staff_tokens.create(actor=operator(), login_name="wang", name="x").token
        services.staff.reset_password(actor=operator(), staff_id=wang.id)

        with pytest.raises(PasswordChangeNeeded):
            services.staff_tokens.authenticate(token=key).must(Permission.VIEW_ESTATE)


class TestScope:
    @pytest.fixture
    def estate(self, database):
        with database.session() as session:
            one = factories.make_community(session, code="ONE", name="一期")
            two = factories.make_community(session, code="TWO", name="二期")
            building = factories.make_building(session, community=two, name="3栋")
            return one, two, building

    def test_communities_and_buildings_by_code_or_name(self, services, wang, estate, audit):
        one, _, building = estate

        services.staff.change_scope(
            actor=operator(),
            staff_id=wang.id,
            reach=Reach(communities=("ONE",), buildings=(("二期", "3栋"),)),
        )

        scope = services.staff.act_as(login_name="wang").scope
        assert (scope.community_ids, scope.building_ids) == ({one.id}, {building.id})
        assert audit("staff_scope_set") == [{"before": [], "after": ["一期", "二期/3栋"]}]

    def test_acts_through_an_open_session(self, services, wang, estate):
        token = wang.sign_in().token
        services.staff.change_scope(
            actor=operator(), staff_id=wang.id, reach=Reach(communities=("ONE",))
        )

        scope = services.staff_sessions.authenticate(token=token).scope

        assert scope.community_ids == {estate[0].id}

    def test_an_empty_reach_is_everything_again(self, services, wang, estate):
        for reach in (Reach(communities=("ONE",)), Reach()):
            services.staff.change_scope(actor=operator(), staff_id=wang.id, reach=reach)

        assert services.staff.act_as(login_name="wang").scope == EVERYWHERE

    @pytest.mark.parametrize(
        "reach",
        [
            Reach(communities=("NONE",)),
            Reach(buildings=(("TWO", "9栋"),)),
            Reach(buildings=(("ONE", "3栋"),)),
        ],
    )
    def test_what_is_not_there_is_told(self, services, wang, estate, reach):
        with pytest.raises(NotFound):
            services.staff.change_scope(actor=operator(), staff_id=wang.id, reach=reach)

        assert services.staff.act_as(login_name="wang").scope == EVERYWHERE

    @pytest.fixture
    def of_one(self, database, estate):
        """An administrator of the first community only."""
        with database.session() as session:
            return factories.staff(
                session, Role.ADMINISTRATOR, scope=factories.scope_of_community(estate[0])
            )

    @pytest.mark.parametrize("reach", [Reach(), Reach(communities=("TWO",))])
    def test_nobody_hands_out_more_than_they_have(self, services, of_one, create, reach):
        with pytest.raises(NotFound):
            create(actor=of_one, role=Role.ENGINEER, reach=reach)

        assert create(actor=of_one, role=Role.ENGINEER, reach=Reach(communities=("ONE",)))

    def test_whoever_works_for_a_building_belongs_to_its_community(
        self, services, of_one, wang, estate, database
    ):
        with database.session() as session:
            building = factories.make_building(session, community=estate[0], name="5栋")
        services.staff.change_scope(
            actor=operator(),
            staff_id=wang.id,
            reach=Reach(buildings=((estate[0].code, building.name),)),
        )

        services.staff.edit(actor=of_one, staff_id=wang.id, name="王工")

        assert "王工" in [one.name for one in services.staff.list_all(actor=of_one)]

    def test_whoever_works_for_one_community_more_is_out_of_scope(
        self, services, of_one, wang, estate
    ):
        services.staff.change_scope(
            actor=operator(),
            staff_id=wang.id,
            reach=Reach(communities=(estate[0].code, estate[1].code)),
        )

        with pytest.raises(NotFound):
            services.staff.disable(actor=of_one, staff_id=wang.id)

    def test_whoever_is_out_of_scope_is_as_if_not_there(self, services, of_one, wang):
        for act in (
            lambda: services.staff.edit(actor=of_one, staff_id=wang.id, name="x"),
            lambda: services.staff.disable(actor=of_one, staff_id=wang.id),
            lambda: services.staff.reset_password(actor=of_one, staff_id=wang.id),
            lambda: services.staff.find_id(actor=of_one, login_name="wang"),
            lambda: services.staff.edit(actor=of_one, staff_id=999, name="x"),
        ):
            with pytest.raises(NotFound):
                act()
        assert "wang" not in [one.login_name for one in services.staff.list_all(actor=of_one)]


class TestGuards:
    @pytest.fixture
    def acts(self, services, wang):
        staff = services.staff
        return [
            lambda who: staff.create(actor=who, login_name="x", name="x", role=Role.ENGINEER),
            lambda who: staff.edit(actor=who, staff_id=wang.id, name="x"),
            lambda who: staff.change_role(actor=who, staff_id=wang.id, role=Role.ENGINEER),
            lambda who: staff.change_scope(actor=who, staff_id=wang.id, reach=Reach()),
            lambda who: staff.disable(actor=who, staff_id=wang.id),
            lambda who: staff.enable(actor=who, staff_id=wang.id),
            lambda who: staff.reset_password(actor=who, staff_id=wang.id),
            lambda who: services.staff_tokens.create(actor=who, login_name="wang", name="x"),
        ]

    def test_take_the_permission(self, acts):
        for act in acts:
            with pytest.raises(NotAllowed) as refusal:
                act(actor_without(Permission.MANAGE_STAFF))
            assert not isinstance(refusal.value, ReauthenticationNeeded)

    def test_take_a_fresh_session(self, acts, administrator, stale):
        actor = stale(administrator.signed_in())

        for act in acts:
            with pytest.raises(ReauthenticationNeeded):
                act(actor)

    def test_no_key_of_a_program_does_any_of_it(self, services, acts, administrator):
        key = services.staff_tokens.create(actor=operator(), login_name="admin", name="x").token
        actor = services.staff_tokens.authenticate(token=key)

        for act in acts:
            with pytest.raises(ReauthenticationNeeded):
                act(actor)
