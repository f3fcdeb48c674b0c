import threading
import time
from datetime import timedelta

import pytest

from domain.actors import system_actor, visitor
from domain.delivery import ATTEMPTS_CAP
from domain.errors import NotAllowed, NotFound
from domain.messages import Channel, MessageKind
from domain.periods import local_date, start_of_local_day
from services.outbox import LEASE, queue_message
from tests import factories

SYSTEM = system_actor("测试")
PHONE = "19900000001"
PAYLOAD = {
    "house": "1栋1单元101",
    "items": "物业费",
    "amount": "210.02",
    "due_on": "2026年12月1日 23:59",
}


@pytest.fixture
def put(services):
    """Queue a message."""

    def put(channel=Channel.SMS, recipient=PHONE, key="event:1", **changes):
        values = {"kind": MessageKind.BILL_PUBLISHED, "payload": PAYLOAD} | changes
        services.outbox.unit_of_work.run(
            lambda tx: queue_message(
                tx, channel=channel, recipient=recipient, dedup_key=key, **values
            )
        )

    return put


@pytest.fixture
def deliver(services):
    return lambda: services.outbox.deliver_due(actor=SYSTEM)


@pytest.fixture
def follower(database, services, simulator):
    """The official openid of somebody who follows the account, known to us."""
    person = simulator.person(PHONE)
    simulator.http.post(f"{simulator.url}/_sim/people/{PHONE}/follow", json={}, timeout=30)
    with database.session() as session:
        factories.make_identity(
            session,
            appid=services.accounts.official_account.appid,
            openid=person["openid_official"],
            is_following=True,
        )
    return person["openid_official"]


@pytest.fixture
def rows(database):
    return lambda: database.rows("SELECT * FROM outbox_message ORDER BY id")


@pytest.fixture
def sent_templates(simulator):
    return lambda: [one for one in simulator.journal("template/send") if one["verdict"] == "ok"]


class TestQueueMessage:
    def test_the_same_event_is_one_message(self, put, rows):
        put()
        put()

        assert len(rows()) == 1

    def test_a_worker_is_woken_after_the_commit(self, put, queue):
        put()

        assert queue.jobs == [("deliver_messages", {})]

    def test_no_message_survives_a_rollback(self, services, rows, queue):
        def work(tx):
            queue_message(
                tx,
                kind=MessageKind.BILL_PUBLISHED,
                channel=Channel.SMS,
                recipient=PHONE,
                payload=PAYLOAD,
                dedup_key="event:1",
            )
            raise RuntimeError("no")

        with pytest.raises(RuntimeError):
            services.outbox.unit_of_work.run(work)

        assert rows() == []
        assert queue.jobs == []


class TestDeliver:
    def test_an_sms_arrives_with_its_words(self, put, deliver, simulator, rows):
        put()

        assert deliver() == 1

        assert "210.02" in simulator.sms(PHONE)[0]["text"]
        assert rows()[0]["state"] == "sent"
        assert rows()[0]["provider_id"]

    def test_a_template_message_arrives_with_its_fields(
        self, put, deliver, follower, sent_templates
    ):
        put(Channel.OFFICIAL_TEMPLATE, follower)

        deliver()

        [sent] = sent_templates()
        assert sent["body"]["data"]["amount3"]["value"] == "¥210.02"

    def test_what_was_sent_is_not_sent_again(self, put, deliver, simulator):
        put()

        assert [deliver(), deliver()] == [1, 0]
        assert len(simulator.sms(PHONE)) == 1

    def test_a_login_code_is_wiped_once_it_is_out(self, put, deliver, rows):
        put(kind=MessageKind.LOGIN_CODE, payload={"code": "123456", "minutes": "5"})

        deliver()

        assert rows()[0]["payload"] == {}

    def test_a_stale_code_is_dropped_unsent(self, put, deliver, clock, simulator, rows):
        put(
            kind=MessageKind.LOGIN_CODE,
            payload={"code": "123456", "minutes": "5"},
            expires_at=clock.now() + timedelta(minutes=5),
        )
        clock.advance(minutes=5)

        assert deliver() == 0

        assert simulator.sms(PHONE) == []
        assert (rows()[0]["state"], rows()[0]["payload"]) == ("cancelled", {})

    def test_more_than_one_batch_goes_out(self, services, put, deliver, simulator):
        count = services.outbox.width * 2 + 1
        for number in range(count):
            put(recipient=f"1990000{number:04d}", key=f"event:{number}")

        assert deliver() == count
        assert len(simulator.get("sms")) == count

    def test_a_login_code_waits_for_no_slow_template(self, app, services, put, follower, simulator):
        """It goes out while the other lane is still busy, in the same run."""
        for number in range(services.outbox.width * 2):
            put(Channel.OFFICIAL_TEMPLATE, follower, key=f"event:{number}")
        simulator.fault(host="wx", path="template/send", times=None, latency_ms=1500)
        delivering = threading.Thread(target=services.outbox.deliver_due, kwargs={"actor": SYSTEM})
        delivering.start()
        while not simulator.journal("template/send"):
            time.sleep(0.05)

        put(kind=MessageKind.LOGIN_CODE, payload={"code": "123456", "minutes": "5"}, key="code")
        while not simulator.sms(PHONE):
            time.sleep(0.05)

        assert delivering.is_alive()
        simulator.clear_faults()
        delivering.join()

    def test_two_deliverers_send_each_message_once(self, app, services, put, simulator):
        for number in range(60):
            put(recipient=f"1990000{number:04d}", key=f"event:{number}")
        threads = [
            threading.Thread(target=services.outbox.deliver_due, kwargs={"actor": SYSTEM})
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(simulator.get("sms")) == 60

    def test_only_our_machinery_delivers(self, services):
        with pytest.raises(NotAllowed):
            services.outbox.deliver_due(actor=visitor())


class TestDeliverWithoutAnAnswer:
    def test_waits_longer_each_time_and_tells_staff_in_the_end(
        self, put, deliver, clock, simulator, rows, database
    ):
        put()
        simulator.fault(host="sms", status=502, times=100)

        for attempt in range(1, ATTEMPTS_CAP):
            deliver()
            assert (rows()[0]["state"], rows()[0]["attempts"]) == ("pending", attempt)
            assert deliver() == 0
            clock.set(rows()[0]["next_attempt_at"])
        deliver()

        assert rows()[0]["state"] == "failed"
        assert database.value("SELECT kind FROM staff_task") == "message_not_delivered"

    def test_after_the_platform_is_back_everything_arrives(
        self, put, deliver, clock, simulator, rows
    ):
        put()
        simulator.fault(host="sms", status=502)
        deliver()
        clock.set(rows()[0]["next_attempt_at"])

        assert deliver() == 1

    def test_a_lost_answer_does_not_send_a_template_twice(
        self, put, deliver, clock, simulator, follower, rows
    ):
        put(Channel.OFFICIAL_TEMPLATE, follower)
        simulator.fault(host="wx", path="template/send", lost_answer=True)
        deliver()
        assert rows()[0]["state"] == "pending"
        clock.set(rows()[0]["next_attempt_at"])

        assert deliver() == 1

        cards = [one for one in simulator.get(f"people/{PHONE}/chat") if one["kind"] == "template"]
        assert len(cards) == 1

    def test_whoever_died_leaves_rows_that_are_due_when_the_lease_ends(
        self, services, put, deliver, clock, rows
    ):
        put()
        services.outbox._claim("lease-of-the-dead", Channel.SMS)

        assert deliver() == 0
        clock.advance(seconds=LEASE.total_seconds() + 1)
        assert deliver() == 1
        assert rows()[0]["attempts"] == 2

    def test_a_zombie_cannot_mark_what_is_no_longer_its_own(self, services, put, clock, rows):
        put()
        batch = services.outbox._claim("lease-of-the-zombie", Channel.SMS)
        clock.advance(seconds=LEASE.total_seconds() + 1)
        services.outbox._claim("lease-of-the-living", Channel.SMS)

        outcomes = [services.outbox.senders.send(message) for message in batch]
        services.outbox._mark("lease-of-the-zombie", batch, outcomes)

        assert (rows()[0]["state"], rows()[0]["lease"]) == ("sending", "lease-of-the-living")


class TestDeliverRefused:
    @pytest.mark.parametrize("errcode", [40003, 43004])
    def test_who_does_not_follow_gets_an_sms_and_is_marked(
        self, put, deliver, simulator, follower, rows, database, errcode
    ):
        put(Channel.OFFICIAL_TEMPLATE, follower, fallback_phone=PHONE)
        simulator.fault(host="wx", path="template/send", errcode=errcode)

        deliver()

        assert [row["state"] for row in rows()] == ["failed", "sent"]
        assert len(simulator.sms(PHONE)) == 1
        assert database.value("SELECT is_following FROM wechat_identity") is False

    @pytest.mark.parametrize("errcode", [47003, 47001, 99999])
    def test_what_the_platform_will_never_take_goes_the_other_way(
        self, put, deliver, simulator, follower, rows, database, errcode
    ):
        put(Channel.OFFICIAL_TEMPLATE, follower, fallback_phone=PHONE)
        simulator.fault(host="wx", path="template/send", errcode=errcode)

        deliver()

        assert [row["state"] for row in rows()] == ["failed", "sent"]
        assert database.value("SELECT is_following FROM wechat_identity") is True

    def test_without_another_channel_a_person_is_told(
        self, put, deliver, simulator, follower, rows, database
    ):
        put(Channel.OFFICIAL_TEMPLATE, follower)
        simulator.fault(host="wx", path="template/send", errcode=43004)

        deliver()

        assert [row["state"] for row in rows()] == ["failed"]
        assert database.value("SELECT kind FROM staff_task") == "message_not_delivered"

    def test_a_used_up_quota_rests_until_midnight_in_beijing(
        self, put, deliver, clock, simulator, follower, rows, database
    ):
        put(Channel.OFFICIAL_TEMPLATE, follower)
        simulator.fault(host="wx", path="template/send", errcode=45009)

        deliver()
        put(Channel.OFFICIAL_TEMPLATE, follower, key="event:2")
        assert deliver() == 0

        midnight = start_of_local_day(local_date(clock.now()) + timedelta(days=1))
        assert database.value("SELECT paused_until FROM channel_pause") == midnight
        assert rows()[0]["attempts"] == 0
        clock.set(midnight + timedelta(seconds=1))
        simulator.post("clock", set=clock.now().isoformat())
        assert deliver() == 2

    def test_a_wrong_configuration_rests_and_calls_a_person(
        self, put, deliver, simulator, follower, rows, database
    ):
        put(Channel.OFFICIAL_TEMPLATE, follower)
        simulator.fault(host="wx", path="template/send", errcode=40037)

        deliver()

        assert rows()[0]["state"] == "pending"
        assert database.value("SELECT kind FROM staff_task") == "message_channel_refused"
        assert database.value("SELECT reason FROM channel_pause") == "40037"

    def test_a_resting_channel_does_not_hold_the_other_up(self, put, deliver, simulator, follower):
        put(Channel.OFFICIAL_TEMPLATE, follower)
        simulator.fault(host="wx", path="template/send", errcode=45009)
        deliver()
        put(key="event:2")

        assert deliver() == 1

    def test_a_refused_sms_calls_a_person(self, put, deliver, simulator, rows, database):
        put()
        simulator.fault(host="sms", sms_code="LimitExceeded.PhoneNumberDailyLimit")

        deliver()

        assert rows()[0]["state"] == "failed"
        assert database.value("SELECT kind FROM staff_task") == "message_not_delivered"


class TestNoteResult:
    @pytest.fixture
    def sent(self, put, deliver, follower, rows):
        put(Channel.OFFICIAL_TEMPLATE, follower, fallback_phone=PHONE)
        deliver()
        return rows()[0]["provider_id"]

    def test_a_block_sends_it_by_sms_once(self, services, sent, deliver, simulator, rows):
        for _ in range(2):
            services.outbox.note_result(actor=SYSTEM, provider_id=sent, status="failed:user block")
        deliver()

        assert [row["state"] for row in rows()] == ["failed", "sent"]
        assert len(simulator.sms(PHONE)) == 1

    def test_success_changes_nothing(self, services, sent, rows):
        services.outbox.note_result(actor=SYSTEM, provider_id=sent, status="success")

        assert [row["state"] for row in rows()] == ["sent"]

    def test_a_word_on_a_message_not_marked_yet_is_asked_for_again(self, services):
        with pytest.raises(NotFound):
            services.outbox.note_result(actor=SYSTEM, provider_id="unknown", status="success")


class TestBrokenLane:
    def test_ends_the_others_too(self, services, put, database):
        """A database that goes away under one lane must not leave the others looking for ever."""
        put(kind=MessageKind.LOGIN_CODE, payload={"code": "123456", "minutes": "5"})
        database.do("ALTER TABLE outbox_message ADD CONSTRAINT no_more CHECK (state <> 'sent')")
        try:
            with pytest.raises(Exception, match="no_more"):
                services.outbox.deliver_due(actor=SYSTEM)
        finally:
            database.do("ALTER TABLE outbox_message DROP CONSTRAINT no_more")
