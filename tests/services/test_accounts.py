from datetime import timedelta

import pytest

from domain.actors import ActorKind, Permission, system_actor
from domain.errors import NotAllowed
from domain.periods import local_date
from services.accounts import bind_houses, bind_identity, note_identity, open_account
from tests import factories
from tests.factories import actor_without

SYSTEM = system_actor("测试")
PHONE = "19900000001"


@pytest.fixture
def bindings(database):
    def bindings():
        rows = database.rows("SELECT account_id, house_id, role, status FROM house_binding")
        return [tuple(row.values()) for row in rows]

    return bindings


@pytest.fixture
def identities(database):
    """Each openid with what is known of it."""

    def identities():
        rows = database.rows("SELECT * FROM wechat_identity ORDER BY id")
        return {row["openid"]: row for row in rows}

    return identities


@pytest.fixture
def account_id(database):
    with database.session() as session:
        return factories.make_account(session, phone=PHONE).id


class TestBindHouses:
    @pytest.fixture
    def bind(self, unit_of_work):
        return lambda **which: unit_of_work.run(lambda tx: bind_houses(tx, SYSTEM, **which))

    @pytest.fixture
    def put(self, database):
        """Put a person with the phone on file, with a part in a house of their own."""

        def put(role="title_holder", **changes):
            with database.session() as session:
                house = factories.make_house(session)
                factories.make_owner(session, house=house, phone=PHONE, role=role, **changes)
                return house

        return put

    @pytest.mark.parametrize(
        ("role", "binding_role"),
        [
            ("title_holder", "owner"),
            ("co_owner", "owner"),
            ("family", "family"),
            ("tenant", "tenant"),
        ],
    )
    def test_the_phone_on_file_binds_by_the_part_in_the_house(
        self, bind, put, account_id, bindings, role, binding_role
    ):
        house = put(role)

        assert bind(account_id=account_id) == 1

        assert bindings() == [(account_id, house.id, binding_role, "active")]

    def test_a_contact_sees_nothing(self, bind, put, account_id):
        put("contact")

        assert bind(account_id=account_id) == 0

    def test_each_binding_is_on_record(self, bind, put, account_id, audit):
        put()

        bind(account_id=account_id)

        assert audit("house_bound") == [{"account_id": account_id, "because": "phone_on_file"}]

    def test_a_second_time_changes_nothing(self, bind, put, account_id, bindings, audit):
        put()
        bind(account_id=account_id)

        assert bind(account_id=account_id) == 0

        assert len(bindings()) == 1
        assert len(audit()) == 1

    def test_a_part_counts_from_its_first_day_until_its_last(
        self, bind, put, account_id, clock, database
    ):
        today = local_date(clock.now())
        put(person_from=today + timedelta(days=1))
        ends_today = put()
        database.do(
            "UPDATE house_person SET person_until = :today WHERE house_id = :id",
            today=today,
            id=ends_today.id,
        )

        assert bind(account_id=account_id) == 0

        starts_today = put(person_from=today)
        assert bind(account_id=account_id) == 1
        assert database.value("SELECT house_id FROM house_binding") == starts_today.id

    def test_a_disabled_account_is_not_bound(self, bind, put, account_id, database):
        put()
        database.do("UPDATE account SET is_active = false")

        assert bind(account_id=account_id) == 0

    def test_only_the_account_or_community_that_is_asked_for(self, bind, put, account_id, database):
        house = put()
        with database.session() as session:
            other = factories.make_account(session)

        assert bind(account_id=other.id) == 0
        assert bind(community_id=house.community_id + 1) == 0
        assert bind(community_id=house.community_id) == 1

    def test_another_phone_is_somebody_else(self, bind, account_id, database):
        with database.session() as session:
            factories.make_owner(session, house=factories.make_house(session), phone="19900000002")

        assert bind(account_id=account_id) == 0

    def test_an_ended_binding_may_be_made_again(self, bind, put, account_id, database, bindings):
        put()
        bind(account_id=account_id)
        database.do("UPDATE house_binding SET status = 'revoked'")

        assert bind(account_id=account_id) == 1

        assert [binding[3] for binding in bindings()] == ["revoked", "active"]


class TestOpenAccount:
    def test_a_phone_has_one_account_however_many_ask(self, unit_of_work, together, database):
        ids = together(*[lambda: unit_of_work.run(lambda tx: open_account(tx, phone=PHONE).id)] * 6)

        assert len(set(ids)) == 1
        assert database.value("SELECT count(*) FROM account") == 1


class TestNoteIdentity:
    @pytest.fixture
    def note(self, unit_of_work):
        def note(**facts):
            unit_of_work.run(lambda tx: note_identity(tx, appid="wx1", openid="one", **facts))

        return note

    def test_facts_that_are_not_given_stay(self, note, identities, account_id, clock):
        note(unionid="union", account_id=account_id, is_following=True)
        clock.advance(minutes=1)

        note()

        row = identities()["one"]
        assert (row["unionid"], row["account_id"]) == ("union", account_id)
        assert row["is_following"]
        assert row["seen_at"] == clock.now()

    def test_false_is_a_fact(self, note, identities):
        note(is_following=True)
        note(is_following=False)

        assert not identities()["one"]["is_following"]


class TestBindIdentity:
    @pytest.fixture
    def bind(self, unit_of_work):
        def bind(account_id, openid="one", unionid=None):
            unit_of_work.run(
                lambda tx: bind_identity(
                    tx, SYSTEM, account_id=account_id, appid="wx1", openid=openid, unionid=unionid
                )
            )

        return bind

    def test_binding_again_is_no_news(self, bind, account_id, audit):
        bind(account_id)
        bind(account_id)

        assert audit() == ["wechat_identity_bound"]

    def test_all_identities_of_one_person_go_to_one_account(
        self, bind, account_id, identities, database
    ):
        with database.session() as session:
            other = factories.make_account(session)
            factories.make_identity(session, account=other, appid="wx2", openid="same", unionid="u")
            factories.make_identity(session, account=other, appid="wx2", openid="not")

        bind(account_id, unionid="u")

        owners = {openid: row["account_id"] for openid, row in identities().items()}
        assert owners == {"one": account_id, "same": account_id, "not": other.id}

    def test_without_a_unionid_nobody_else_moves(self, bind, account_id, identities, database):
        with database.session() as session:
            factories.make_identity(session, appid="wx2", openid="stranger")

        bind(account_id)

        assert identities()["stranger"]["account_id"] is None


class TestWho:
    @pytest.fixture
    def know(self, services, database, account_id):
        def know(appid=services.accounts.official_account.appid):
            with database.session() as session:
                account = session.get_one(factories.Account, account_id)
                factories.make_identity(session, account=account, appid=appid, openid="one")

        return know

    def test_a_bound_openid_is_its_owner(self, services, know, account_id):
        know()

        actor = services.accounts.who(openid="one", request_id="req-1")

        assert (actor.account_id, actor.request_id) == (account_id, "req-1")

    def test_an_unknown_openid_is_a_visitor(self, services):
        actor = services.accounts.who(openid="nobody", request_id="req-1")

        assert (actor.kind, actor.request_id) == (ActorKind.VISITOR, "req-1")

    def test_an_openid_of_another_app_is_a_visitor(self, services, know):
        know("another-app")

        assert services.accounts.who(openid="one").kind is ActorKind.VISITOR

    def test_a_disabled_account_is_a_visitor(self, services, know, database):
        know()
        database.do("UPDATE account SET is_active = false")

        assert services.accounts.who(openid="one").kind is ActorKind.VISITOR


class TestFollow:
    def test_it_is_noted_and_wechat_is_asked_later(self, services, identities, queue):
        services.accounts.follow(actor=SYSTEM, openid="one")

        row = identities()["one"]
        assert row["is_following"]
        assert row["appid"] == services.accounts.official_account.appid
        assert queue.jobs == [("learn_followers", {})]

    def test_unfollowing_is_noted(self, services, identities):
        services.accounts.follow(actor=SYSTEM, openid="one")

        services.accounts.unfollow(actor=SYSTEM, openid="one")

        assert not identities()["one"]["is_following"]

    def test_only_with_the_permission(self, services, identities):
        actor = actor_without(Permission.RUN_PLATFORM_WORK)

        with pytest.raises(NotAllowed):
            services.accounts.follow(actor=actor, openid="one")
        with pytest.raises(NotAllowed):
            services.accounts.unfollow(actor=actor, openid="one")
        with pytest.raises(NotAllowed):
            services.accounts.learn_followers(actor=actor)

        assert identities() == {}


class TestLearnFollowers:
    @pytest.fixture
    def person(self, simulator):
        """Somebody who follows the account at the platform; the push finds nobody listening."""

        def person(phone=PHONE, verb="follow"):
            simulator.person(phone)
            simulator.http.post(f"{simulator.url}/_sim/people/{phone}/{verb}", json={}, timeout=30)
            return simulator.person(phone)

        return person

    @pytest.fixture
    def learn(self, services):
        return lambda: services.accounts.learn_followers(actor=SYSTEM)

    def test_a_follower_is_tied_to_the_account_of_the_same_person(
        self, services, person, learn, identities, account_id, database, clock
    ):
        known = person()
        with database.session() as session:
            account = session.get_one(factories.Account, account_id)
            factories.make_identity(
                session,
                account=account,
                appid="mini",
                openid=known["openid_miniapp"],
                unionid=known["unionid"],
            )
        services.accounts.follow(actor=SYSTEM, openid=known["openid_official"])

        assert learn() == 1

        row = identities()[known["openid_official"]]
        assert (row["account_id"], row["unionid"]) == (account_id, known["unionid"])
        assert row["asked_at"] == clock.now()

    def test_a_stranger_s_unionid_is_kept_for_the_day_they_sign_in(
        self, services, person, learn, identities
    ):
        stranger = person()
        services.accounts.follow(actor=SYSTEM, openid=stranger["openid_official"])

        learn()

        row = identities()[stranger["openid_official"]]
        assert (row["account_id"], row["unionid"]) == (None, stranger["unionid"])

    def test_each_is_asked_about_once(self, services, person, learn, simulator):
        services.accounts.follow(actor=SYSTEM, openid=person()["openid_official"])
        learn()

        assert learn() == 0

        assert len(simulator.journal("user/info")) == 1

    def test_when_wechat_does_not_tell_it_is_asked_again(
        self, services, person, learn, simulator, caplog
    ):
        services.accounts.follow(actor=SYSTEM, openid=person()["openid_official"])
        simulator.fault(host="wx", path="user/info", times=None, status=500)

        assert learn() == 0

        simulator.clear_faults()
        assert learn() == 1

    def test_one_that_wechat_refuses_stops_no_other(self, services, person, learn, caplog):
        services.accounts.follow(actor=SYSTEM, openid="no-such-openid")
        services.accounts.follow(actor=SYSTEM, openid=person()["openid_official"])

        assert learn() == 1

    def test_one_who_left_meanwhile_is_asked_about_when_they_come_back(
        self, services, person, learn, identities
    ):
        gone = person(verb="unfollow")
        openid = gone["openid_official"]
        services.accounts.follow(actor=SYSTEM, openid=openid)
        learn()
        assert not identities()[openid]["is_following"]

        person()
        services.accounts.follow(actor=SYSTEM, openid=openid)

        assert learn() == 1
        assert identities()[openid]["unionid"] == gone["unionid"]

    def test_those_who_left_are_not_asked_about(self, services, person, learn, simulator):
        openid = person()["openid_official"]
        services.accounts.follow(actor=SYSTEM, openid=openid)
        services.accounts.unfollow(actor=SYSTEM, openid=openid)

        assert learn() == 0

        assert simulator.journal("user/info") == []
