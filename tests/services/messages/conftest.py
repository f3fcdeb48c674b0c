"""Somebody of a house whom every way may reach, and the platform's side of it."""

from dataclasses import dataclass

import pytest

from domain.actors import system_actor
from domain.messages import MessageKind
from models import SubscribeQuota, WechatIdentity
from services.messages.telling import tell_house
from tests import factories

SYSTEM = system_actor("测试")
PHONE = "19900000001"
BILL = {
    "house": "1栋101",
    "items": "物业费",
    "amount": "210.02",
    "due_on": "2026年12月1日 23:59",
}
KIND = MessageKind.BILL_DUE_SOON


@dataclass(frozen=True)
class Resident:
    """Ids, openids and the phone of an owner with an account."""

    house_id: int
    community_id: int
    owner_id: int
    account_id: int
    mini: str
    official: str
    phone: str = PHONE


@pytest.fixture
def template_id(services):
    return services.subscriptions.subscribe.templates[KIND]


@pytest.fixture
def resident(database, services, simulator):
    """An owner bound to a house who follows the account; the community pays for SMS."""
    person = simulator.person(PHONE)
    simulator.post(f"people/{PHONE}/follow")
    with database.session() as session:
        house = factories.make_house(session)
        owner = factories.make_owner(session, house=house, phone=PHONE)
        account = factories.make_account(session, owner=owner, houses=[house])
        factories.make_identity(
            session,
            account=account,
            appid=services.accounts.official_account.appid,
            openid=person["openid_official"],
            is_following=True,
        )
        factories.make_identity(
            session,
            account=account,
            appid=services.subscriptions.subscribe.appid,
            openid=person["openid_miniapp"],
        )
        found = Resident(
            house.id,
            house.community_id,
            owner.id,
            account.id,
            person["openid_miniapp"],
            person["openid_official"],
        )
    database.do("UPDATE community SET sends_bill_sms = true")
    return found


@pytest.fixture
def permit(database, simulator, template_id, resident):
    """Permit some messages, on the platform and in our ledger; the two may differ."""

    def permit(times=1, *, known=None):
        if times:
            simulator.post(f"people/{PHONE}/subscribe", template_id=template_id, times=times)
        with database.session() as session:
            identity = session.query(WechatIdentity).filter_by(openid=resident.mini).one()
            session.add(
                SubscribeQuota(
                    identity_id=identity.id,
                    template_id=template_id,
                    quota=times if known is None else known,
                    changed_at=factories.MADE_AT,
                )
            )

    return permit


@pytest.fixture
def tell(services, resident):
    """Tell the house of a bill; ``key`` names the event."""

    def tell(key="due_soon:1", kind=KIND, payload=BILL, **more):
        return services.outbox.unit_of_work.run(
            lambda tx: tell_house(
                tx,
                kind=kind,
                house_id=resident.house_id,
                payload=payload,
                event_key=key,
                community_id=resident.community_id,
                **more,
            )
        )

    return tell


@pytest.fixture
def deliver(services):
    return lambda: services.outbox.deliver_due(actor=SYSTEM)


@pytest.fixture
def rows(database):
    return lambda: database.rows("SELECT * FROM outbox_message ORDER BY id")


@pytest.fixture
def ways(rows):
    """The ways that were tried, each with what became of it."""
    return lambda: [(row["channel"], row["state"]) for row in rows()]


@pytest.fixture
def quota(database):
    return lambda: database.value("SELECT quota FROM subscribe_quota")
