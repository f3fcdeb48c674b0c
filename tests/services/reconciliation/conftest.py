"""A day of payments at both channels, lived through the simulator with both clocks set."""

import time
from datetime import date, datetime, timedelta

import pytest

from domain.payment_states import PaymentChannel, PayWay
from domain.periods import SHANGHAI
from services.payments.order_rows import HowToPay
from tests import factories
from tests.services.payments.conftest import SYSTEM, make_payer  # noqa: F401 - who pays
from tests.world import merchant_of

DAY = date(2026, 11, 20)
WAYS = {PaymentChannel.WECHAT: PayWay.MINIAPP, PaymentChannel.ALIPAY: PayWay.ALIPAY_QR}


class Days:
    """Lives through days: moves both clocks, pays, refunds, reconciles."""

    def __init__(self, services, simulator, database, pay_as, monkeypatch):
        self.services = services
        self.simulator = simulator
        self.database = database
        self._pay_as = pay_as
        self._monkeypatch = monkeypatch
        self._paid = 0

    def at(self, day, clock):
        """Set our clock and the platforms' to a time of a Beijing day."""
        self.set(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=SHANGHAI))

    def morning_after(self, day=DAY):
        """The next day, when every statement of the day is made."""
        self.at(day + timedelta(days=1), "12:30")

    def set(self, instant):
        self.services.clock.set(instant)
        # The platforms' libraries sign with the machine's time, and the platforms look at it.
        self._monkeypatch.setattr(time, "time", instant.timestamp)
        self.simulator.post("clock", set=instant.isoformat(), frozen=True)

    def wait(self, **span):
        self.set(self.services.clock.now() + timedelta(**span))

    def pay(self, amount_fen=1000, *, channel=PaymentChannel.WECHAT, is_heard=True):
        """Pay a bill of an owner of their own now; unheard, we do not learn of it."""
        self._paid += 1
        payer = self._pay_as(amount_fen, phone=f"1990000{self._paid:04d}")
        started = self.services.payments.start(
            actor=payer.actor,
            bill_ids=payer.bill_ids,
            idempotency_key="key-00000001",
            how=HowToPay(WAYS[channel]),
        ).payment
        path = "pay" if channel is PaymentChannel.WECHAT else "alipay/pay"
        self.simulator.post(f"{path}/{started.out_trade_no}", callbacks="lost")
        if is_heard:
            self.services.sweep.ask(order_id=started.id)
        return started

    def refund(self, payment, amount_fen):
        """Give money of a payment back by its way, and hear that it is done."""
        (row,) = self.database.rows(
            "SELECT id, community_id FROM payment WHERE out_trade_no = :number",
            number=payment.out_trade_no,
        )
        self.database.do("UPDATE community SET refund_alone_fen = 100000000")
        with self.database.session() as session:
            asker = factories.staff(session, "manager")
        self.services.payment_refund_requests.ask(
            actor=asker,
            community_id=row["community_id"],
            payment_id=row["id"],
            amount_fen=amount_fen,
            reason="业主退房",
        )
        self.services.refunds.send_due(actor=SYSTEM)
        self.wait(minutes=2)
        self.services.refunds.send_due(actor=SYSTEM)
        return self.database.value("SELECT refund_no FROM refund ORDER BY id DESC LIMIT 1")

    def reconcile(self, channel=PaymentChannel.WECHAT, day=DAY):
        return self.services.reconciliation.run(
            actor=SYSTEM, channel=channel, mchid=merchant_of(self.services, channel), day=day
        )

    def spoil(self, kind, channel=PaymentChannel.WECHAT, times=1, **more):
        """Have the next statement be wrong."""
        if channel is PaymentChannel.WECHAT:
            self.simulator.post("bill_faults", kind=kind, bill="trade", times=times, **more)
        else:
            self.simulator.fault(host="ali", times=times, alipay_bill=kind)

    def cases(self):
        """Kind, number and state of every difference."""
        return [
            (row["kind"], row["key"], row["state"])
            for row in self.database.rows("SELECT * FROM reconciliation_case ORDER BY id")
        ]

    def tasks(self, kind=None):
        """Kinds of the open tasks, or how many there are of one."""
        kinds = [
            row["kind"]
            for row in self.database.rows("SELECT kind FROM staff_task WHERE done_at IS NULL")
        ]
        return kinds if kind is None else kinds.count(kind)


@pytest.fixture
def days(services, simulator, database, make_payer, monkeypatch):  # noqa: F811
    days = Days(services, simulator, database, make_payer, monkeypatch)
    days.at(DAY, "10:00")
    yield days
    simulator.post("reset")


@pytest.fixture
def staff(database):
    """A member of the finance staff."""
    with database.session() as session:
        return factories.staff(session, "finance", login_name="wang")
