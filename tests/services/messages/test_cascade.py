"""From way to way, against the simulator: what each answer of a platform leads to."""

from datetime import datetime, timedelta

import pytest

from domain.messages import DAILY_CAP, MessageKind
from domain.periods import SHANGHAI, local_date, start_of_local_day
from tests.services.messages.conftest import BILL, PHONE, SYSTEM

SUBSCRIBE, TEMPLATE = "subscribe/send", "template/send"
NOON = datetime(2026, 11, 25, 12, tzinfo=SHANGHAI)


@pytest.fixture(autouse=True)
def noon(services, clock, simulator):
    clock.set(NOON)


def sent(simulator, path):
    return [one for one in simulator.journal(path) if one["verdict"] == "ok"]


class TestSubscribe:
    def test_uses_one_permission_and_no_other_way(
        self, tell, permit, deliver, ways, quota, simulator
    ):
        permit(2)
        tell()

        deliver()

        assert (ways(), quota()) == ([("subscribe", "sent")], 1)
        assert sent(simulator, TEMPLATE) == []
        assert simulator.sms(PHONE) == []

    def test_never_sends_more_than_was_permitted(
        self, tell, permit, deliver, ways, quota, simulator
    ):
        permit(2)
        for number in range(4):
            tell(f"due_soon:{number}")

        deliver()

        assert len(sent(simulator, SUBSCRIBE)) == 2
        assert len(simulator.journal(SUBSCRIBE)) == 2
        assert quota() == 0
        assert sorted(ways()) == sorted(
            [("subscribe", "sent")] * 2
            + [("subscribe", "failed")] * 2
            + [("official_template", "sent")] * 2
        )

    def test_a_refusal_ends_the_ledger_and_takes_the_next_way(
        self, tell, permit, deliver, ways, quota
    ):
        permit(0, known=3)
        tell()

        deliver()

        assert (ways(), quota()) == ([("subscribe", "failed"), ("official_template", "sent")], 0)

    @pytest.mark.parametrize("errcode", [40003, 47001, 47003, 43104, 99999])
    def test_what_will_never_be_taken_gives_the_permission_back(
        self, tell, permit, deliver, ways, quota, simulator, errcode
    ):
        permit()
        simulator.fault(host="wx", path=SUBSCRIBE, errcode=errcode)
        tell()

        deliver()

        assert (ways(), quota()) == ([("subscribe", "failed"), ("official_template", "sent")], 1)

    @pytest.mark.parametrize("errcode", [40037, 40164, 48001])
    def test_a_wrong_configuration_calls_a_person_and_waits(
        self, tell, permit, deliver, ways, quota, simulator, database, errcode
    ):
        permit()
        simulator.fault(host="wx", path=SUBSCRIBE, errcode=errcode)
        tell()

        deliver()

        assert (ways(), quota()) == ([("subscribe", "pending")], 1)
        assert database.value("SELECT subject FROM staff_task") == f"subscribe:{errcode}"

    def test_a_used_up_quota_of_the_day_rests_until_midnight(
        self, tell, permit, deliver, simulator, database, clock
    ):
        permit()
        simulator.fault(host="wx", path=SUBSCRIBE, errcode=45009)
        tell()

        deliver()

        midnight = start_of_local_day(local_date(clock.now()) + timedelta(days=1))
        assert database.value("SELECT paused_until FROM channel_pause") == midnight

    @pytest.mark.parametrize("errcode", [-1, 45011])
    def test_a_busy_platform_is_asked_again(
        self, tell, permit, deliver, ways, quota, simulator, clock, rows, errcode
    ):
        permit()
        simulator.fault(host="wx", path=SUBSCRIBE, errcode=errcode)
        tell()
        deliver()
        assert (ways(), quota()) == ([("subscribe", "pending")], 1)
        clock.set(rows()[0]["next_attempt_at"])

        deliver()

        assert (ways(), quota()) == ([("subscribe", "sent")], 0)


class TestNextWay:
    def test_who_no_longer_follows_gets_an_sms(self, tell, deliver, ways, simulator):
        simulator.fault(host="wx", path=TEMPLATE, errcode=43004)
        tell()

        deliver()

        assert ways() == [("official_template", "failed"), ("sms", "sent")]
        assert "210.02" in simulator.sms(PHONE)[0]["text"]

    def test_through_all_ways_to_the_visit_list(
        self, tell, permit, deliver, ways, simulator, database
    ):
        permit(0, known=1)
        simulator.fault(host="wx", path=TEMPLATE, errcode=43004)
        simulator.fault(host="sms", sms_code="LimitExceeded.PhoneNumberDailyLimit")
        tell()

        deliver()

        assert ways() == [
            ("subscribe", "failed"),
            ("official_template", "failed"),
            ("sms", "failed"),
            ("visit", "failed"),
        ]
        assert database.value("SELECT count(*) FROM staff_task") == 0

    def test_what_may_not_cost_money_ends_on_the_visit_list(self, tell, deliver, ways, simulator):
        simulator.fault(host="wx", path=TEMPLATE, errcode=43004)
        progress = {"title": "水管", "state": "已派工", "at": "2026-11-25", "note": "王师傅"}
        tell("repair:1:assigned", MessageKind.REPAIR_PROGRESS, progress)

        deliver()

        assert ways() == [("official_template", "failed"), ("visit", "failed")]

    def test_a_later_word_that_it_did_not_arrive_goes_on_once(
        self, tell, services, deliver, ways, rows
    ):
        tell()
        deliver()

        for _ in range(2):
            services.outbox.note_result(
                actor=SYSTEM, provider_id=rows()[0]["provider_id"], status="failed:user block"
            )
        deliver()

        assert ways() == [("official_template", "failed"), ("sms", "sent")]

    def test_telling_again_afterwards_is_still_the_same_event(self, tell, deliver, ways, simulator):
        simulator.fault(host="wx", path=TEMPLATE, errcode=43004)
        tell()
        deliver()

        assert tell() == 0
        assert len(ways()) == 2


class TestHoldBack:
    @pytest.mark.parametrize(
        "gone",
        [
            "UPDATE house_binding SET status = 'revoked'",
            "UPDATE house_binding SET live_until = '2026-11-25'",
            "UPDATE account SET is_active = false",
            "UPDATE house_binding SET role = 'tenant'",
        ],
    )
    def test_who_left_before_it_was_sent_is_not_told(
        self, tell, deliver, rows, database, simulator, gone
    ):
        tell()
        database.do(gone)

        assert deliver() == 0

        assert [(row["state"], row["last_error"], row["payload"]) for row in rows()] == [
            ("cancelled", "moved_out", {})
        ]
        assert simulator.journal(TEMPLATE) == []

    def test_nor_an_owner_without_an_account(self, tell, deliver, rows, database, simulator):
        database.do("DELETE FROM house_binding")
        tell()
        database.do("UPDATE house_person SET person_until = '2026-11-25'")

        assert deliver() == 0
        assert [(row["channel"], row["state"]) for row in rows()] == [("sms", "cancelled")]
        assert simulator.sms(PHONE) == []

    @pytest.mark.parametrize("hour", [22, 23, 0, 7])
    def test_at_night_it_waits_for_the_morning(self, tell, deliver, rows, clock, simulator, hour):
        night = NOON.replace(hour=hour) + timedelta(days=1)
        clock.set(night)
        tell()

        assert deliver() == 0

        morning = rows()[0]["next_attempt_at"].astimezone(SHANGHAI)
        assert (morning.hour, rows()[0]["attempts"]) == (8, 0)
        clock.set(morning)
        assert deliver() == 1

    def test_what_is_urgent_goes_out_at_night(self, tell, deliver, clock, simulator):
        night = NOON.replace(hour=23)
        clock.set(night)
        paid = {
            "house": "1栋101",
            "amount": "1.00",
            "paid_at": "2026-11-25 23:00",
            "receipt_no": "R1",
        }
        tell("paid:1", MessageKind.PAYMENT_RECEIVED, paid)

        assert deliver() == 1

    def test_beyond_the_days_cap_it_waits(self, tell, deliver, rows, clock):
        for number in range(DAILY_CAP + 2):
            tell(f"due_soon:{number}")

        assert deliver() == DAILY_CAP

        waiting = [row for row in rows() if row["state"] == "pending"]
        assert len(waiting) == 2
        assert {row["next_attempt_at"] for row in waiting} == {
            NOON.replace(hour=8) + timedelta(days=1)
        }
        assert BILL["amount"] == waiting[0]["payload"]["amount"]
