"""F26: our clock jumps six minutes ahead, and back."""

import threading
from collections import Counter
from datetime import timedelta

import pytest

from domain.messages import Channel, MessageKind
from domain.payment_states import PaymentChannel
from gateways.wechat_notices import SignatureCheck
from services.outbox import LEASE, queue_message
from services.timetable import TIMETABLE
from tests import factories
from tests.faults.rig import report, sized, until
from tests.services.payments.conftest import SYSTEM

JUMP = timedelta(minutes=6)
PAYMENTS = sized(10, 100)
MESSAGES = 12
FEN = 21002
PHONE = "19900000001"
PAYLOAD = {
    "house": "1栋1单元101",
    "items": "物业费",
    "amount": "210.02",
    "due_on": "2026年12月1日 23:59",
}

pytestmark = [pytest.mark.fault, pytest.mark.slow]


class TestNotices:
    @pytest.fixture
    def paid(self, make_payer, services, simulator):
        """Start payments and pay them, with notices that nobody sends yet."""

        def paid():
            for number in range(1, PAYMENTS + 1):
                payer = make_payer(FEN, phone=f"199000{number:05d}")
                started = services.payments.start(
                    actor=payer.actor, bill_ids=payer.bill_ids, idempotency_key="one-key-0001"
                )
                simulator.post(f"pay/{started.payment.out_trade_no}", callbacks="hold")

        return paid

    def told(self, client, simulator):
        """Deliver each notice as it is signed now and give the statuses."""
        statuses = []
        for notice in simulator.get("outbox"):
            answer = client.post(
                "/notify/wechatpay", data=notice["body"].encode(), headers=notice["headers"]
            )
            statuses.append(answer.status_code)
        return statuses

    def test_fresh_ones_are_stale_to_us_and_the_sweep_books(
        self, paid, client, simulator, clock, services, database, promises
    ):
        paid()
        clock.advance(seconds=JUMP.total_seconds())

        statuses = self.told(client, simulator)
        assert statuses == [401] * PAYMENTS
        assert database.value("SELECT count(*) FROM payment") == 0
        verdicts = {row["verdict"] for row in database.rows("SELECT verdict FROM platform_notice")}
        assert verdicts == {"stale"}

        services.sweep.sweep(actor=SYSTEM)
        booked = database.value("SELECT count(*) FROM payment")
        report("F26", notices=PAYMENTS, refused_as_stale=len(statuses), booked_by_sweep=booked)
        assert booked == PAYMENTS

        clock.advance(seconds=-JUMP.total_seconds())
        assert self.told(client, simulator) == [204] * PAYMENTS
        assert database.value("SELECT count(*) FROM payment") == PAYMENTS
        assert promises()

    def test_control_who_does_not_look_at_the_age_takes_them(
        self, paid, simulator, clock, services
    ):
        """The signature alone is as good in ten years: only the age makes a replay stale."""
        paid()
        clock.advance(days=3650)
        account = services.pay_channels.default(PaymentChannel.WECHAT).account
        signatures = SignatureCheck(keys=account.platform_keys)

        taken = 0
        for notice in simulator.get("outbox"):
            signatures.verify(
                headers=notice["headers"],
                body=notice["body"].encode(),
                at=clock.now(),
                is_answer=True,
            )
            taken += 1

        report("F26 control", notices_of_ten_years_ago=PAYMENTS, taken=taken)
        assert taken == PAYMENTS


class TestLeases:
    @pytest.fixture
    def follower(self, simulator, database, services):
        """Somebody who follows the official account, known to us."""
        person = simulator.person(PHONE)
        simulator.post(f"people/{PHONE}/follow")
        with database.session() as session:
            factories.make_identity(
                session,
                appid=services.accounts.official_account.appid,
                openid=person["openid_official"],
                is_following=True,
            )
        return person["openid_official"]

    @pytest.fixture
    def due(self, services, follower):
        """Make messages due."""

        def work(tx):
            for number in range(MESSAGES):
                queue_message(
                    tx,
                    kind=MessageKind.BILL_PUBLISHED,
                    channel=Channel.OFFICIAL_TEMPLATE,
                    recipient=follower,
                    payload=PAYLOAD,
                    dedup_key=f"jump:{number}",
                )

        return lambda: services.outbox.unit_of_work.run(work)

    def shown(self, simulator):
        return sum(bubble["kind"] == "template" for bubble in simulator.get(f"people/{PHONE}/chat"))

    def test_a_lease_that_a_jump_ends_early_shows_nothing_twice(
        self, due, services, simulator, clock, database, promises
    ):
        due()
        simulator.fault(
            host="wx", path="template/send", times=MESSAGES, latency_ms=700, when="after"
        )
        first = threading.Thread(target=services.outbox.deliver_due, kwargs={"actor": SYSTEM})
        first.start()
        until(lambda: simulator.journal("template/send") or self.shown(simulator))

        clock.advance(seconds=JUMP.total_seconds())
        assert JUMP > LEASE
        services.outbox.deliver_due(actor=SYSTEM)
        first.join()

        calls = len(simulator.journal("template/send"))
        states = {row["state"] for row in database.rows("SELECT state FROM outbox_message")}
        report("F26 leases", messages=MESSAGES, calls=calls, shown=self.shown(simulator))
        assert calls > MESSAGES, "the jump was to end leases of messages on the wire"
        assert self.shown(simulator) == MESSAGES
        assert states == {"sent"}
        assert promises()

    def test_a_jump_ahead_and_back_runs_no_slot_twice_and_stops_no_job(self, services, clock):
        ran = []

        def tick():
            for entry in TIMETABLE:
                services.timetable.tick(entry, run=lambda job=entry.job: ran.append(job))

        for seconds in (0, JUMP.total_seconds(), 0, -JUMP.total_seconds(), 0):
            clock.advance(seconds=seconds)
            tick()
        assert Counter(ran)["sweep_payments"] == 2
        clock.advance(seconds=30)
        tick()
        assert Counter(ran)["sweep_payments"] == 3
