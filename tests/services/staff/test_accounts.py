import pytest
from sqlalchemy.exc import IntegrityError

from domain.actors import ROLE_PERMISSIONS, ActorKind, Permission, Role, operator
from domain.errors import InvalidInput, NotAllowed, NotFound
from services.staff.accounts import LoginNameTaken
from tests.factories import actor_without


@pytest.fixture
def create(services):
    def create(**changes):
        values = {"login_name": "li", "name": "李工", "role": Role.FINANCE} | changes
        return services.staff.create(**{"actor": operator(), **values})

    return create


class TestCreate:
    def test_an_account_is_handed_out_and_on_record(self, create, database, audit):
        staff_id = create(name=" 李工 ")

        row = database.rows("SELECT id, login_name, name, role, is_active FROM staff")[0]
        assert tuple(row.values()) == (staff_id, "li", "李工", "finance", True)
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
        staff_id = create(role=role)

        actor = services.staff.act_as(login_name="li", request_id="req-1")

        assert (actor.kind, actor.id, actor.name) == (ActorKind.STAFF, staff_id, "李工")
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
