"""An owner with bills to pay, and ways to say what the channel says."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from domain.actors import Actor, Role, system_actor
from domain.periods import local_date
from services.pay_ports import ChannelTrade, TradeState
from tests import factories
from tests.world import merchant_of, miniapp_of

PHONE = "19900000001"
SYSTEM = system_actor("测试")


@dataclass
class Payer:
    """An owner who can pay, and the ids of their bills."""

    actor: Actor
    account_id: int
    house_id: int
    community_id: int
    bill_ids: list[int]
    openid: str


@pytest.fixture
def make_payer(database, services, simulator):
    """Make an owner of a house with bills of the given amounts; their WeChat is bound."""

    def make(*amounts_fen, phone=PHONE, house_id=None):
        person = simulator.person(phone)
        with database.session() as session:
            house = (
                session.get_one(factories.House, house_id)
                if house_id
                else factories.make_house(session)
            )
            owner = factories.make_owner(session, house=house, phone=phone)
            account = factories.make_account(session, owner=owner, houses=[house])
            factories.make_identity(
                session,
                account=account,
                appid=miniapp_of(services),
                openid=person["openid_miniapp"],
            )
            bills = [
                factories.make_bill(session, house=house, lines=(amount_fen,))
                for amount_fen in amounts_fen
            ]
            return Payer(
                actor=factories.owner(account),
                account_id=account.id,
                house_id=house.id,
                community_id=house.community_id,
                bill_ids=[bill.id for bill in bills],
                openid=person["openid_miniapp"],
            )

    return make


@pytest.fixture
def payer(make_payer):
    return make_payer(21002, 1200)


@pytest.fixture
def start(services, payer):
    """Start a payment of all bills of the payer and give its view."""

    def start(key="key-00000001", bill_ids=None):
        started = services.payments.start(
            actor=payer.actor, bill_ids=bill_ids or payer.bill_ids, idempotency_key=key
        )
        return started.payment

    return start


@pytest.fixture
def trade_for(services, clock, payer):
    """What the channel would say of an order once it is paid."""

    def make(payment, **changes: Any):
        trade = ChannelTrade(
            channel="wechat",
            mchid=merchant_of(services),
            appid=miniapp_of(services),
            out_trade_no=payment.out_trade_no,
            state=TradeState.SUCCESS,
            transaction_id="4200001",
            amount_fen=payment.amount_fen,
            currency="CNY",
            payer_openid=payer.openid,
            paid_at=clock.now(),
        )
        return replace(trade, **changes)

    return make


@pytest.fixture
def bills(database):
    """State and paid fen of all bills, by id."""
    return lambda: {
        row["id"]: (row["state"], row["paid_fen"])
        for row in database.rows("SELECT id, state, paid_fen FROM bill")
    }


@pytest.fixture
def people(database):
    """One who asks and two who may decide."""
    with database.session() as session:
        return {
            "asker": factories.staff(session, Role.CUSTOMER_SERVICE),
            "manager": factories.staff(session, Role.MANAGER),
            "finance": factories.staff(session, Role.FINANCE),
        }


@pytest.fixture
def late(make_payer, database, clock):
    """An owner whose bill of 1260.00 is 47 days late at 0.05 % a day: 29.61."""
    payer = make_payer(126000)
    due = local_date(clock.now()) - timedelta(days=47)
    database.do("UPDATE bill SET due_date = :due", due=due)
    with database.session() as session:
        item = session.get_one(factories.FeeItem, 1)
        factories.make_late_fee_rule(session, item=item)
    return payer


@pytest.fixture
def early(make_payer, database, clock):
    """An owner who gets 5 % off for paying 100.00 early."""
    payer = make_payer(10000)
    with database.session() as session:
        item = session.get_one(factories.FeeItem, 1)
        factories.make_early_discount(session, item=item, early_days=36500)
    return payer


@pytest.fixture
def pay(services):
    def pay(payer, key="key-00000001", bill_ids=None, **topup):
        return services.payments.start(
            actor=payer.actor,
            bill_ids=payer.bill_ids if bill_ids is None else bill_ids,
            idempotency_key=key,
            **topup,
        ).payment

    return pay


@pytest.fixture
def settle(services, clock):
    def settle(payment, number=1, **changes):
        trade = ChannelTrade(
            channel="wechat",
            mchid=merchant_of(services),
            appid=miniapp_of(services),
            out_trade_no=payment.out_trade_no,
            state=TradeState.SUCCESS,
            transaction_id=f"42{payment.out_trade_no}{number}",
            amount_fen=payment.amount_fen,
            currency="CNY",
            paid_at=clock.now(),
        )
        return services.settlement.settle(actor=SYSTEM, trade=replace(trade, **changes))

    return settle
