"""F27: a channel that is slow, silent, broken or forged leaves "unknown", which ends well later."""

from dataclasses import dataclass

import pytest

from domain.errors import PlatformUnavailable
from domain.payment_states import PayWay
from services.pay_ports import RefundToSend, RefundWord
from services.payments.order_rows import HowToPay
from tests.faults.rig import IS_FULL, report, sized
from tests.services.payments.conftest import SYSTEM

FEN = 21002
BUDGET_S = (3, 8)
HURRIED_S = (0.3, 0.3)
"""Our patience in the small size: the same fault in a thirtieth of the time."""
TROUBLES = {
    "slow": {"latency_ms": 9000 if IS_FULL else 800},
    "slow after the effect": {"latency_ms": 9000 if IS_FULL else 800, "when": "after"},
    "cut before the effect": {"reset": True},
    "cut after the effect": {"lost_answer": True},
    "broken": {"status": 502},
    "forged": {"badly_signed": True},
    "not signed": {"unsigned": True},
}

pytestmark = [pytest.mark.fault, pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Side:
    """One channel as its payer and the simulator see it."""

    way: PayWay
    host: str
    calls: dict[str, dict[str, str]]
    pay: str


SIDES = {
    "wechat": Side(
        PayWay.MINIAPP,
        "pay",
        {
            "order": {"path": "transactions/jsapi", "method": "POST"},
            "query": {"path": "transactions/out-trade-no/", "method": "GET"},
            "close": {"path": "/close", "method": "POST"},
            "refund": {"path": "refund/domestic/refunds", "method": "POST"},
        },
        "pay/",
    ),
    "alipay": Side(
        PayWay.ALIPAY_QR,
        "ali",
        {
            "order": {"method": "alipay.trade.precreate"},
            "query": {"method": "alipay.trade.query"},
            "close": {"method": "alipay.trade.close"},
            "refund": {"method": "alipay.trade.refund"},
        },
        "alipay/pay/",
    ),
}


@pytest.fixture(params=sorted(SIDES))
def side(request):
    return SIDES[request.param]


SHOWN_EVERY_DAY = sorted(set(TROUBLES) - {"slow", "not signed"})


@pytest.fixture(params=sized(SHOWN_EVERY_DAY, sorted(TROUBLES)))
def trouble(request):
    return request.param


@pytest.fixture(autouse=True)
def hurried(services, side, monkeypatch):
    """Shorten how long we wait for an answer, as far as the size asks for it."""
    channel = services.pay_channels.default(side.way.channel)
    if side.way is PayWay.MINIAPP:
        assert channel._calls.sdk._core._timeout == BUDGET_S
        if not IS_FULL:
            monkeypatch.setattr(channel._calls.sdk._core, "_timeout", HURRIED_S)
    else:
        assert channel._calls._timeout_s == BUDGET_S
        if not IS_FULL:
            monkeypatch.setattr(channel._calls, "_timeout_s", HURRIED_S)


class Payment:
    """One payment through its whole life, with trouble at one of its calls."""

    def __init__(self, side, services, simulator, database, payer):
        self.side, self.services, self.simulator = side, services, simulator
        self.database, self.payer = database, payer

    def start(self):
        how = HowToPay(self.side.way, payer_ip="127.0.0.1")
        return self.services.payments.start(
            actor=self.payer.actor,
            bill_ids=self.payer.bill_ids,
            idempotency_key="one-key-0001",
            how=how,
        )

    def trouble(self, call, action):
        answer = self.simulator.http.post(
            f"{self.simulator.url}/_sim/faults",
            json=[
                {
                    "match": {"host": self.side.host} | self.side.calls[call],
                    "times": 1,
                    "action": action,
                }
            ],
            timeout=30,
        )
        assert answer.ok, answer.text

    def fired(self):
        return sum(rule["fired"] for rule in self.simulator.get("faults")["faults"])

    def scan(self, started):
        if self.side.way is PayWay.ALIPAY_QR:
            self.simulator.post("alipay/scan", qr_code=started.to_pay_with.code_url)

    def pay(self, started):
        self.scan(started)
        self.simulator.post(self.side.pay + started.payment.out_trade_no, callbacks="lost")

    def state(self):
        return self.database.value("SELECT state FROM payment_order")

    def numbers(self):
        return [row["out_trade_no"] for row in self.database.rows("SELECT * FROM payment_order")]


@pytest.fixture
def payment(side, services, simulator, database, make_payer):
    return Payment(side, services, simulator, database, make_payer(FEN))


def test_order(payment, trouble, sweeps, promises):
    """The payer is told to try again; the same tap goes on under the same number."""
    payment.trouble("order", TROUBLES[trouble])
    with pytest.raises(PlatformUnavailable):
        payment.start()
    assert payment.state() == "unknown"
    [number] = payment.numbers()

    again = payment.start()
    assert payment.fired() == 1
    assert again.payment.out_trade_no == number
    assert payment.numbers() == [number]
    payment.pay(again)
    took_s = sweeps(lambda: payment.state() == "succeeded")

    report(f"F27 order {payment.side.way} {trouble}", settled_after_s=took_s)
    assert payment.database.value("SELECT sum(amount_fen) FROM payment") == FEN
    assert promises()


def test_order_that_is_given_up_is_closed(payment, trouble, sweeps, promises):
    """Nobody tries again: once it has expired its bills are free."""
    payment.trouble("order", TROUBLES[trouble])
    with pytest.raises(PlatformUnavailable):
        payment.start()

    took_s = sweeps(lambda: payment.state() == "closed")

    report(f"F27 order given up {payment.side.way} {trouble}", settled_after_s=took_s)
    assert payment.database.value("SELECT count(*) FROM bill_lock") == 0
    assert promises()


def test_query(payment, trouble, sweeps, promises, services, clock):
    payment.pay(payment.start())
    payment.trouble("query", TROUBLES[trouble])
    clock.advance(seconds=31)

    assert services.sweep.sweep(actor=SYSTEM) == 1
    assert payment.fired() == 1
    assert payment.state() == "prepaying"
    took_s = sweeps(lambda: payment.state() == "succeeded")

    report(f"F27 query {payment.side.way} {trouble}", settled_after_s=took_s)
    assert payment.database.value("SELECT sum(amount_fen) FROM payment") == FEN
    assert promises()


def test_close(payment, trouble, sweeps, promises, services, clock):
    payment.scan(payment.start())
    payment.trouble("close", TROUBLES[trouble])
    clock.advance(minutes=16)

    assert services.sweep.sweep(actor=SYSTEM) == 1
    assert payment.fired() == 1
    assert payment.state() == "prepaying"
    assert payment.database.value("SELECT count(*) FROM bill_lock") == 1
    took_s = sweeps(lambda: payment.state() == "closed")

    report(f"F27 close {payment.side.way} {trouble}", settled_after_s=took_s)
    assert payment.database.value("SELECT count(*) FROM bill_lock") == 0
    assert promises()


def test_refund(payment, trouble, sweeps, promises, services, people, simulator):
    """It keeps its number, and the channel pays back once."""
    simulator.post("refund_mode", mode="auto", delay_s=0)
    payment.pay(payment.start())
    sweeps(lambda: payment.state() == "succeeded")
    asked = services.payment_refund_requests.ask(
        actor=people["asker"],
        community_id=payment.payer.community_id,
        payment_id=payment.database.value("SELECT id FROM payment"),
        amount_fen=FEN // 2,
        reason="业主申请退款",
    )
    services.money_decisions.approve(actor=people["manager"], request_id=asked.request_id)
    payment.trouble("refund", TROUBLES[trouble])

    assert services.refunds.send_due(actor=SYSTEM) == 1
    assert payment.fired() == 1
    assert payment.database.value("SELECT state FROM refund") == "processing"
    took_s = sweeps(lambda: payment.database.value("SELECT state FROM refund") == "succeeded")

    report(f"F27 refund {payment.side.way} {trouble}", settled_after_s=took_s)
    assert payment.database.value("SELECT count(*) FROM refund") == 1
    if payment.side.way is PayWay.MINIAPP:
        [there] = simulator.get("refunds")
        assert there["amount_fen"] == FEN // 2
    assert payment.database.value("SELECT sum(amount_fen) FROM allocation") == FEN - FEN // 2
    assert promises()


def test_control_a_new_number_for_each_try_pays_back_twice(
    payment, side, services, sweeps, simulator
):
    """Silence taken for "no", and the refund sent anew: the channel cannot know it is the same."""
    simulator.post("refund_mode", mode="auto", delay_s=0)
    payment.pay(payment.start())
    sweeps(lambda: payment.state() == "succeeded")
    [number] = payment.numbers()
    channel = services.pay_channels.default(side.way.channel)
    payment.trouble("refund", TROUBLES["cut after the effect"])
    first, second = (
        RefundToSend(f"R{number}{try_no}", number, FEN // 2, FEN, "业主申请退款")
        for try_no in (1, 2)
    )

    with pytest.raises(PlatformUnavailable):
        channel.refund(first)
    simulator.post("clock", callers="real", advance=61)  # WeChat takes one refund a minute
    channel.refund(second)

    given_back = [
        channel.query_refund(refund_no=each.refund_no, out_trade_no=number).word
        for each in (first, second)
    ]
    report(f"F27 control {side.way}", refunds_of_one=given_back.count(RefundWord.SUCCESS))
    assert given_back == [RefundWord.SUCCESS] * 2
