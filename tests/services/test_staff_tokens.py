import pytest

from domain.actors import ActorKind, Permission, Role, operator
from domain.errors import InvalidInput, NotAllowed, NotFound, NotSignedIn
from tests import factories
from tests.factories import actor_without


@pytest.fixture
def tokens(services):
    return services.staff_tokens


@pytest.fixture
def engineer(database):
    with database.session() as session:
        return factories.make_staff(session, login_name="qian", role="engineer")


@pytest.fixture
def made(tokens, engineer):
    return tokens.create(actor=operator(), login_name="qian", name=" 抄表系统 ")


class TestCreate:
    def test_the_key_is_told_once_and_kept_as_a_hash(self, made, engineer, database, audit):
        (row,) = database.rows("SELECT * FROM staff_token")

        assert (made.token[:3], len(made.token)) == ("sk_", 46)
        assert (row["id"], row["staff_id"], row["name"]) == (made.id, engineer.id, "抄表系统")
        assert made.token not in str(row)
        assert audit("staff_token_created") == [{"staff_id": engineer.id, "name": "抄表系统"}]

    def test_each_is_another(self, tokens, made):
        other = tokens.create(actor=operator(), login_name="qian", name="抄表系统")

        assert other.token != made.token

    @pytest.mark.parametrize("name", ["", " ", "字" * 41, "a\nb"])
    def test_it_needs_a_name(self, tokens, engineer, name):
        with pytest.raises(InvalidInput) as refused:
            tokens.create(actor=operator(), login_name="qian", name=name)

        assert set(refused.value.fields) == {"name"}

    def test_only_for_somebody_active(self, tokens, engineer, database):
        database.do("UPDATE staff SET is_active = false")

        for login_name in ("qian", "nobody"):
            with pytest.raises(NotFound):
                tokens.create(actor=operator(), login_name=login_name, name="x")

    def test_only_with_the_permission(self, tokens, engineer, database):
        with pytest.raises(NotAllowed):
            tokens.create(actor=actor_without(Permission.MANAGE_STAFF), login_name="qian", name="x")

        assert database.rows("SELECT * FROM staff_token") == []


class TestScope:
    def test_keys_of_whoever_sees_more_are_out_of_scope(self, tokens, made, database):
        with database.session() as session:
            community = factories.make_community(session)
            actor = factories.staff(
                session, Role.ADMINISTRATOR, scope=factories.scope_of_community(community)
            )

        with pytest.raises(NotFound):
            tokens.create(actor=actor, login_name="qian", name="抄表系统")
        with pytest.raises(NotFound):
            tokens.revoke(actor=actor, token_id=made.id)
        assert not tokens.list_tokens(actor=actor, login_name="qian")


class TestAuthenticate:
    def test_it_is_who_the_key_belongs_to(self, tokens, made, engineer):
        actor = tokens.authenticate(token=made.token, request_id="request-1")

        assert (actor.kind, actor.id, actor.name) == (
            ActorKind.STAFF,
            engineer.id,
            engineer.name,
        )
        assert (actor.role, actor.request_id) == (Role.ENGINEER, "request-1")
        assert Permission.READ_METERS in actor.permissions
        assert Permission.MANAGE_METERS not in actor.permissions

    def test_an_unknown_key_opens_nothing(self, tokens, made):
        with pytest.raises(NotSignedIn):
            tokens.authenticate(token="x" * 43)

    def test_nor_does_the_hash(self, tokens, made, database):
        with pytest.raises(NotSignedIn):
            tokens.authenticate(token=database.value("SELECT token_sha256 FROM staff_token"))

    def test_nor_that_of_somebody_who_left(self, tokens, made, database):
        database.do("UPDATE staff SET is_active = false")

        with pytest.raises(NotSignedIn):
            tokens.authenticate(token=made.token)


class TestRevoke:
    def test_it_ends_the_key_at_once_and_leaves_the_others(self, tokens, made, audit, database):
        other = tokens.create(actor=operator(), login_name="qian", name="手机")

        tokens.revoke(actor=operator(), token_id=made.id)

        with pytest.raises(NotSignedIn):
            tokens.authenticate(token=made.token)
        assert tokens.authenticate(token=other.token).role is Role.ENGINEER
        assert "staff_token_revoked" in audit()

    def test_only_once(self, tokens, made, clock, database):
        tokens.revoke(actor=operator(), token_id=made.id)
        revoked_at = database.value("SELECT revoked_at FROM staff_token")
        clock.advance(days=1)

        with pytest.raises(NotFound):
            tokens.revoke(actor=operator(), token_id=made.id)

        assert database.value("SELECT revoked_at FROM staff_token") == revoked_at

    def test_no_such_key(self, tokens):
        with pytest.raises(NotFound):
            tokens.revoke(actor=operator(), token_id=404)

    def test_only_with_the_permission(self, tokens, made):
        with pytest.raises(NotAllowed):
            tokens.revoke(actor=actor_without(Permission.MANAGE_STAFF), token_id=made.id)

        assert tokens.authenticate(token=made.token)


class TestListTokens:
    def test_newest_first_with_revoked_ones_and_without_what_opens(self, tokens, made, clock):
        tokens.revoke(actor=operator(), token_id=made.id)
        other = tokens.create(actor=operator(), login_name="qian", name="手机")

        found = tokens.list_tokens(actor=operator(), login_name="qian")

        assert [(one.id, one.name) for one in found] == [(other.id, "手机"), (made.id, "抄表系统")]
        assert [one.revoked_at for one in found] == [None, clock.now()]
        assert made.token not in str(found)
        assert tokens.list_tokens(actor=operator(), login_name="nobody") == []

    def test_only_with_the_permission(self, tokens):
        with pytest.raises(NotAllowed):
            tokens.list_tokens(actor=actor_without(Permission.MANAGE_STAFF), login_name="qian")
