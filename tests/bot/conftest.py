"""Pushes as the platform makes them, and a follower who owes something."""

import pytest

from tests import factories
from tests.world import miniapp_of

PHONE = "19900000001"


@pytest.fixture
def craft(simulator):
    """Make a push that nobody sends; `faults` spoil it."""
    return lambda **asked: simulator.post("craft/push", **({"phone": PHONE} | asked))


@pytest.fixture
def push(client):
    """Post a push as the platform would."""

    def push(crafted, account="official"):
        return client.post(
            f"/wechat/{account}",
            query_string=crafted["query"],
            data=crafted["body"].encode(),
            headers=crafted["headers"],
        )

    return push


@pytest.fixture
def verdicts(database):
    return lambda: [
        row["verdict"] for row in database.rows("SELECT verdict FROM platform_notice ORDER BY id")
    ]


@pytest.fixture
def follower(database, services, simulator):
    """An owner who follows the official account and owes 222.02 yuan; their account's id."""
    person = simulator.person(PHONE)
    with database.session() as session:
        house = factories.make_house(session)
        owner = factories.make_owner(session, house=house, phone=PHONE)
        account = factories.make_account(session, owner=owner, houses=[house])
        for appid, openid in (
            (miniapp_of(services), person["openid_miniapp"]),
            (services.accounts.official_account.appid, person["openid_official"]),
        ):
            factories.make_identity(
                session, account=account, appid=appid, openid=openid, unionid=person["unionid"]
            )
        for fen in (21002, 1200):
            factories.make_bill(session, house=house, lines=(fen,))
        return account.id
