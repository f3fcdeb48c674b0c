from datetime import datetime, timedelta

import pytest

from domain.actors import EVERYWHERE, DataScope, Permission, staff_actor, system_actor, visitor
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.messages import Channel
from domain.notice_states import NOTICE_MOVES, NoticeState
from domain.periods import SHANGHAI
from models import Building, Community
from services.notices.board import NoticeCannotMove
from services.notices.rows import NoticeWords
from tests import factories

SYSTEM = system_actor("测试")
WORDS = NoticeWords("停水通知", "明天 9:00 至 12:00 停水。")
NOON = datetime(2026, 11, 25, 12, tzinfo=SHANGHAI)


@pytest.fixture(autouse=True)
def noon(services, clock):
    clock.set(NOON)


@pytest.fixture
def estate(database, services):
    """Two buildings of one community, an owner with an account in each, and one without."""
    with database.session() as session:
        community = factories.make_community(session)
        found = {"community": community.id}
        for name in ("east", "west"):
            building = factories.make_building(session, community=community, name=name)
            house = factories.make_house(session, building=building)
            owner = factories.make_owner(session, house=house)
            account = factories.make_account(session, owner=owner, houses=[house])
            factories.make_identity(
                session,
                account=account,
                appid=services.accounts.official_account.appid,
                is_following=True,
            )
            found |= {name: building.id, f"{name}_owner": factories.owner(account)}
        factories.make_owner(session, house=factories.make_house(session, building=building))
        staff = factories.make_staff(session)
        found["manager"] = staff_actor(
            staff_id=staff.id, name=staff.name, role="manager", scope=EVERYWHERE
        )
        found["clerk"] = staff_actor(
            staff_id=staff.id, name=staff.name, role="customer_service", scope=EVERYWHERE
        )
        assert session.get(Community, community.id)
        assert session.query(Building).count() == 2
    return found


@pytest.fixture
def board(services):
    return services.notice_board


@pytest.fixture
def draft(board, estate):
    def draft(words=WORDS, **more):
        return board.draft(
            actor=estate["clerk"], community_id=estate["community"], words=words, **more
        )

    return draft


@pytest.fixture
def published(board, estate, draft):
    notice_id = draft()
    board.publish(actor=estate["manager"], notice_id=notice_id)
    return notice_id


@pytest.fixture
def seen(services, estate):
    """The titles that an owner of a building sees."""

    def seen(name):
        found = services.own_notices.list_own(
            actor=estate[f"{name}_owner"], before_id=None, limit=20
        )
        return [notice.title for notice in found]

    return seen


class TestDraft:
    def test_nobody_sees_it(self, draft, seen, database):
        draft()

        assert seen("east") == []
        assert database.value("SELECT count(*) FROM outbox_message") == 0

    @pytest.mark.parametrize(
        ("words", "field"),
        [
            (NoticeWords(" ", "x"), "title"),
            (NoticeWords("长" * 61, "x"), "title"),
            (NoticeWords("x", ""), "body"),
            (NoticeWords("x", "长" * 5001), "body"),
            (NoticeWords("x", "x", building_ids=(999_999,)), "building_ids"),
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, draft, words, field, database):
        with pytest.raises(InvalidInput) as raised:
            draft(words)

        assert list(raised.value.fields) == [field]
        assert database.value("SELECT count(*) FROM notice") == 0

    def test_nor_a_building_of_another_community(self, draft, database):
        with database.session() as session:
            other = factories.make_building(session).id

        with pytest.raises(InvalidInput):
            draft(NoticeWords("x", "x", building_ids=(other,)))

    def test_edit_ends_a_schedule(self, board, estate, draft, database):
        notice_id = draft()
        board.publish(actor=estate["manager"], notice_id=notice_id, at=NOON + timedelta(hours=1))

        board.edit(actor=estate["clerk"], notice_id=notice_id, words=NoticeWords("停电", "x"))

        assert database.rows("SELECT title, state, publish_at FROM notice") == [
            {"title": "停电", "state": "draft", "publish_at": None}
        ]

    def test_what_is_published_is_not_changed(self, board, estate, published):
        with pytest.raises(NoticeCannotMove):
            board.edit(actor=estate["clerk"], notice_id=published, words=WORDS)


class TestPreview:
    def test_counts_each_person_by_the_way(self, board, estate, draft, database):
        ways = board.preview(actor=estate["clerk"], notice_id=draft())

        assert ways == {Channel.OFFICIAL_TEMPLATE: 2, Channel.VISIT: 1}
        assert database.value("SELECT count(*) FROM outbox_message") == 0

    def test_of_one_building_only_its_people(self, board, estate, draft):
        notice_id = draft(NoticeWords("x", "x", building_ids=(estate["east"],)))

        ways = board.preview(actor=estate["clerk"], notice_id=notice_id)

        assert ways == {Channel.OFFICIAL_TEMPLATE: 1}


class TestPublish:
    def test_everybody_is_told_once_and_sees_it(self, board, estate, draft, seen, database):
        notice_id = draft()

        assert board.publish(actor=estate["manager"], notice_id=notice_id) == 3

        assert seen("east") == seen("west") == ["停水通知"]
        assert database.value("SELECT count(DISTINCT dedup_key) FROM outbox_message") == 3
        with pytest.raises(NoticeCannotMove):
            board.publish(actor=estate["manager"], notice_id=notice_id)
        assert database.value("SELECT count(*) FROM outbox_message") == 3

    def test_to_one_building(self, board, estate, draft, seen):
        notice_id = draft(NoticeWords("停水通知", "x", building_ids=(estate["east"],)))

        assert board.publish(actor=estate["manager"], notice_id=notice_id) == 1

        other = draft(NoticeWords("停电通知", "x", building_ids=(estate["west"],)))
        board.publish(actor=estate["manager"], notice_id=other)

        assert (seen("east"), seen("west")) == (["停水通知"], ["停电通知"])

    def test_a_clerk_may_write_but_not_publish(self, board, estate, draft):
        with pytest.raises(NotAllowed):
            board.publish(actor=estate["clerk"], notice_id=draft())

    def test_at_a_time(self, board, estate, draft, seen, clock):
        notice_id = draft()
        board.publish(actor=estate["manager"], notice_id=notice_id, at=NOON + timedelta(hours=1))
        assert board.publish_due(actor=SYSTEM) == 0
        assert seen("east") == []

        clock.set(NOON + timedelta(hours=1))

        assert [board.publish_due(actor=SYSTEM) for _ in range(2)] == [1, 0]
        assert seen("east") == ["停水通知"]

    @pytest.mark.parametrize("ahead", [timedelta(0), timedelta(hours=-1), timedelta(days=91)])
    def test_not_in_the_past_nor_far_ahead(self, board, estate, draft, ahead):
        with pytest.raises(InvalidInput):
            board.publish(actor=estate["manager"], notice_id=draft(), at=NOON + ahead)

    def test_two_at_once_tell_once(self, board, estate, draft, together, database):
        notice_id = draft()

        results = together(
            *[lambda: board.publish(actor=estate["manager"], notice_id=notice_id)] * 4
        )

        assert sorted(map(str, results)).count("3") == 1
        assert database.value("SELECT count(*) FROM outbox_message") == 3

    def test_a_thousand_people_are_told_in_a_few_statements(
        self, board, estate, draft, database, services
    ):
        with database.session() as session:
            building = session.get_one(Building, estate["east"])
            for _ in range(150):
                house = factories.make_house(session, building=building)
                factories.make_owner(session, house=house)

        assert board.publish(actor=estate["manager"], notice_id=draft()) == 153


class TestWithdraw:
    def test_nobody_sees_it_and_what_is_not_out_stays_in(
        self, board, estate, published, seen, services, database
    ):
        board.withdraw(actor=estate["manager"], notice_id=published, reason="写错了")

        assert seen("east") == []
        assert services.outbox.deliver_due(actor=SYSTEM) == 0
        assert (
            database.value("SELECT count(*) FROM outbox_message WHERE last_error = 'withdrawn'")
            == 2
        )

    def test_only_what_is_published(self, board, estate, draft):
        with pytest.raises(NoticeCannotMove):
            board.withdraw(actor=estate["manager"], notice_id=draft(), reason="x")

    def test_needs_a_reason(self, board, estate, published):
        with pytest.raises(InvalidInput):
            board.withdraw(actor=estate["manager"], notice_id=published, reason=" ")

    def test_a_withdrawn_notice_is_the_end(self):
        assert NOTICE_MOVES[NoticeState.WITHDRAWN] == frozenset()
        assert set(NOTICE_MOVES) == set(NoticeState)


class TestRead:
    def test_opening_marks_it_read(self, services, estate, published, board):
        own = services.own_notices
        assert [
            one.is_read for one in own.list_own(actor=estate["east_owner"], before_id=None, limit=9)
        ] == [False]

        for _ in range(2):
            own.show(actor=estate["east_owner"], notice_id=published)

        [listed] = own.list_own(actor=estate["east_owner"], before_id=None, limit=9)
        assert listed.is_read
        [shown] = board.list_notices(
            actor=estate["manager"], community_id=estate["community"], before_id=None, limit=9
        )
        assert shown.read_count == 1

    def test_other_peoples_notices_are_not_there(self, services, estate, board, draft):
        notice_id = draft(NoticeWords("x", "x", building_ids=(estate["east"],)))
        board.publish(actor=estate["manager"], notice_id=notice_id)

        with pytest.raises(NotFound):
            services.own_notices.show(actor=estate["west_owner"], notice_id=notice_id)

    def test_who_left_sees_none(self, services, estate, published, database, seen):
        database.do("UPDATE house_binding SET live_until = '2026-11-25'")

        assert seen("east") == []

    def test_a_visitor_sees_none(self, services, app):
        with pytest.raises(NotAllowed):
            services.own_notices.list_own(actor=visitor(), before_id=None, limit=9)


def test_out_of_scope_is_not_there(board, estate, published, database):
    elsewhere = staff_actor(
        staff_id=estate["manager"].id,
        name="x",
        role="manager",
        scope=DataScope(frozenset({999_999})),
    )
    assert Permission.PUBLISH_NOTICES in elsewhere.permissions

    with pytest.raises(NotFound):
        board.withdraw(actor=elsewhere, notice_id=published, reason="x")
