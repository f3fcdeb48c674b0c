import pytest

from bot import replies
from bot.conversation import answer, answer_miniapp, dedup_key
from models import House
from tests import factories
from tests.bot.conftest import PHONE


@pytest.fixture
def say(services):
    def say(openid, **fields):
        message = {"FromUserName": openid, "MsgType": "text"} | fields
        return answer(services, message, request_id="test")

    return say


@pytest.fixture
def openid(simulator):
    return simulator.person(PHONE)["openid_official"]


class TestDedupKey:
    def test_messages_go_by_their_number(self):
        assert dedup_key({"MsgId": "7", "CreateTime": "1"}) == dedup_key(
            {"MsgId": "7", "CreateTime": "2"}
        )
        assert dedup_key({"MsgId": "7"}) != dedup_key({"MsgId": "8"})

    @pytest.mark.parametrize("name", ["FromUserName", "CreateTime", "Event", "EventKey", "MsgID"])
    def test_events_go_by_sender_time_and_what_they_are(self, name):
        event = {
            "FromUserName": "o1",
            "CreateTime": "1",
            "Event": "CLICK",
            "EventKey": "a",
            "MsgID": "5",
        }

        assert dedup_key(event) == dedup_key(dict(event))
        assert dedup_key(event) != dedup_key(event | {name: "other"})

    def test_is_of_limited_length_whatever_is_sent(self):
        assert len(dedup_key({"MsgId": "7" * 60_000})) <= 200
        assert len(dedup_key({"FromUserName": "o" * 60_000, "Event": {"a": "b" * 9000}})) < 1100

    def test_a_missing_field_and_null_are_the_same(self):
        assert dedup_key({"Event": "x"}) == dedup_key({"Event": "x", "EventKey": None})


class TestText:
    @pytest.mark.parametrize("content", ["账单", " 账单 ", "缴费", "我的欠费", "物业费多少"])
    def test_tells_what_is_owed(self, follower, say, openid, content):
        said = say(openid, Content=content)

        assert "您有 2 张未缴账单，合计 ¥222.02" in said
        assert "2026-10" in said

    def test_tells_that_nothing_is_owed(self, follower, say, openid, database):
        database.do("UPDATE house_binding SET status = 'revoked'")

        assert say(openid, Content="账单") == replies.NOTHING_OWED
        assert say(openid, Content="为什么") == replies.NOTHING_OWED

    @pytest.mark.parametrize("content", ["账单", "绑定", "为什么"])
    def test_asks_a_stranger_to_bind(self, app, say, content):
        assert say("o-stranger", Content=content) == replies.NOT_BOUND

    @pytest.mark.parametrize("content", ["为什么", "账单怎么算的", "明细"])
    def test_explains_what_is_owed(self, follower, say, openid, content):
        said = say(openid, Content=content)

        assert "待缴 ¥210.02" in said
        assert "89.37 ㎡ × 2.35 元/㎡·月" in said

    def test_an_explanation_never_outgrows_a_reply(self):
        sentences = ["2026-10-01 ~ 2026-10-31：" + "很长的说明" * 20] * 12

        said = replies.explained([("1栋101 物业费 2026-10", 100, sentences)] * 3)

        assert len(said.encode()) <= 2048
        assert said.endswith("查看。")
        assert "很长的说明\n" in said

    def test_says_so_when_bound(self, follower, say, openid):
        assert say(openid, Content="绑定") == replies.BOUND

    @pytest.mark.parametrize("content", ["", "你好", "x" * 2000, "\x01\x02", None, {"a": "b"}])
    def test_helps_with_anything_else(self, follower, say, openid, content):
        assert say(openid, Content=content) == replies.HELP

    def test_a_disabled_account_is_a_stranger(self, follower, say, openid, database):
        database.do("UPDATE account SET is_active = false")

        assert say(openid, Content="账单") == replies.NOT_BOUND

    def test_the_mini_programs_openid_is_not_the_chats(self, follower, say, simulator):
        other = simulator.person(PHONE)["openid_miniapp"]

        assert say(other, Content="账单") == replies.NOT_BOUND

    def test_lists_five_and_counts_the_rest(self, follower, say, openid, database):
        with database.session() as session:
            house = session.query(House).one()
            for fen in (100, 200, 300, 400):
                factories.make_bill(session, house=house, lines=(fen,))

        said = say(openid, Content="账单")

        assert "您有 6 张未缴账单" in said
        assert "……还有 1 张" in said
        assert len(said.splitlines()) == 8

    @pytest.mark.parametrize("kind", ["image", "voice", "video", "location", "link", "", "new"])
    def test_helps_with_other_kinds_of_message(self, app, say, kind):
        assert say("o1", MsgType=kind) == replies.HELP


class TestEvent:
    @pytest.fixture
    def event(self, services):
        def event(openid, name, **fields):
            message = {"FromUserName": openid, "MsgType": "event", "Event": name} | fields
            return answer(services, message, request_id="test")

        return event

    @pytest.fixture
    def follows(self, database):
        return lambda openid: [
            row["is_following"]
            for row in database.rows(
                "SELECT is_following FROM wechat_identity WHERE openid = :openid", openid=openid
            )
        ]

    def test_a_new_follower_is_welcomed_and_asked_about_later(self, app, event, follows, queue):
        assert event("o1", "subscribe") == replies.WELCOME

        assert follows("o1") == [True]
        assert ("learn_followers", {}) in queue.jobs

    @pytest.mark.parametrize(
        "name", ["unsubscribe", "user_authorization_revoke", "user_authorization_cancellation"]
    )
    def test_whoever_leaves_gets_no_messages(self, app, event, follows, name):
        event("o1", "subscribe")

        assert event("o1", name) is None

        assert follows("o1") == [False]

    def test_a_tapped_menu_is_a_written_word(self, follower, event, openid):
        assert "¥222.02" in event(openid, "CLICK", EventKey="账单")

    @pytest.mark.parametrize("name", ["VIEW", "SCAN", "unheard_of", "", None, {"a": "b"}])
    def test_anything_else_is_taken_in_silence(self, app, event, name):
        assert event("o1", name) is None

    @pytest.mark.slow
    def test_a_follower_is_tied_to_their_account(
        self, live, follower, simulator, queue, database, openid
    ):
        database.do("DELETE FROM wechat_identity WHERE openid = :openid", openid=openid)
        simulator.post(f"people/{PHONE}/follow")

        queue.run()

        row = database.rows("SELECT * FROM wechat_identity WHERE openid = :openid", openid=openid)
        assert row[0]["account_id"] == follower
        assert row[0]["is_following"]


class TestMiniProgram:
    @pytest.mark.parametrize("event", ["user_authorization_revoke", "subscribe", "CLICK"])
    def test_touches_nothing_of_the_official_account(self, services, database, event):
        message = {"FromUserName": "o-mini", "MsgType": "event", "Event": event}

        answer_miniapp(services, message, request_id="test")

        assert database.value("SELECT count(*) FROM wechat_identity") == 0
