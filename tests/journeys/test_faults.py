"""The worker dies in mid-delivery, Redis forgets all, the platforms are away: nothing is lost."""

import re
import threading
import time

import psycopg
import pytest
import redis
import requests
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from localstack.stack import Stack
from tests import factories

FOLLOWERS = 60
PAYER = "19900000001"


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """The whole product, durable, with a published-to-be batch and followers to tell of it."""
    with Stack(tmp_path_factory.mktemp("stack"), takes_any_port=True) as stack:
        yield stack


class World:
    """Looks at the running product and the simulated platforms from outside."""

    def __init__(self, stack):
        self.stack = stack
        self.engine = create_engine(stack.postgres.url)

    def sim(self, control, **body):
        answer = requests.post(f"{self.stack.simulator_url}/_sim/{control}", json=body, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def look(self, control, **params):
        url = f"{self.stack.simulator_url}/_sim/{control}"
        return requests.get(url, params=params, timeout=30).json()

    def rows(self, sql):
        with psycopg.connect(self.stack.postgres.url.replace("+psycopg", "", 1)) as connection:
            return connection.execute(sql).fetchall()

    def states(self):
        return dict(self.rows("SELECT state, count(*) FROM outbox_message GROUP BY state"))

    def until(self, look, within_s):
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if found := look():
                return found
            time.sleep(0.2)
        raise AssertionError(f"not within {within_s} s: {self.states()}")

    def cards(self):
        """How many template cards each follower has in the chat."""
        return [
            sum(bubble["kind"] == "template" for bubble in self.look(f"people/{phone}/chat"))
            for phone in self.phones
        ]


@pytest.fixture(scope="module")
def world(stack):
    """A community whose owners all follow the account, and an approved batch."""
    world = World(stack)
    world.phones = [f"1990000{number:04d}" for number in range(1, FOLLOWERS + 1)]
    people = [world.sim("people", phone=phone) for phone in world.phones]
    for phone in world.phones:
        world.sim(f"people/{phone}/follow")
    credentials = world.look("credentials")
    with Session(world.engine) as session:
        community = factories.make_community(session, code="CH", sends_bill_sms=False)
        building = factories.make_building(session, community=community)
        factories.make_item(session, community=community)
        for phone, person in zip(world.phones, people, strict=True):
            house = factories.make_house(session, building=building)
            owner = factories.make_owner(session, house=house, phone=phone)
            account = factories.make_account(session, owner=owner, houses=[house])
            factories.make_identity(
                session,
                account=account,
                appid=credentials["WECHAT_MINIAPP_APPID"],
                openid=person["openid_miniapp"],
            )
            official = session.query(factories.WechatIdentity).filter_by(
                appid=credentials["WECHAT_OFFICIAL_APPID"], openid=person["openid_official"]
            )
            official.one().account_id = account.id
        session.commit()
    for words in (
        ("staff", "create", "wang", "--name", "王会计", "--role", "finance"),
        ("staff", "create", "li", "--name", "李经理", "--role", "manager"),
    ):
        stack.run(*words)
    said = stack.run("bills", "generate", "--community", "CH", "--as", "wang")
    world.batch_id = re.search(r"批次 (\d+)", said)[1]
    stack.run("bills", "approve", world.batch_id, "--as", "li")
    yield world
    world.engine.dispose()


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.timeout(900)
class TestNothingIsLost:
    def test_in_one_long_night(self, stack, world):
        """Figures are printed, as the fault matrix asks."""
        self.kill_flush_and_outage(stack, world)
        self.money_is_booked_while_redis_is_away(stack, world)

    def kill_flush_and_outage(self, stack, world):
        began = time.monotonic()
        requests.post(
            f"{stack.simulator_url}/_sim/faults",
            json=[
                {
                    "match": {"host": "wx", "path": "template/send"},
                    "times": 40,
                    "action": {"latency_ms": 1500, "when": "after"},
                }
            ],
            timeout=10,
        )
        publishing = threading.Thread(
            target=stack.run, args=("bills", "publish", world.batch_id, "--as", "li")
        )
        publishing.start()
        world.until(lambda: world.states().get("sending"), 60)
        world.until(lambda: world.look("journal", path="template/send")["requests"], 60)

        # In mid-delivery: the platform has taken messages that we have not marked yet.
        stack.kill("worker")
        with redis.Redis.from_url(stack.redis.url) as queue:
            queue.flushall()
        publishing.join()
        requests.delete(f"{stack.simulator_url}/_sim/faults", timeout=10)
        cut_off = world.states()
        assert cut_off.get("sending"), cut_off
        stack.start_again("worker")

        # The platforms go away for a while; an owner who wants to pay then is told so, and a
        # payment that was under way is booked when the platforms are back.
        stack.kill("simulator")
        time.sleep(5)
        stack.start_again("simulator")

        world.until(lambda: set(world.states()) == {"sent"}, 300)

        cards = world.cards()
        assert cards == [1] * FOLLOWERS
        asked = len(world.look("journal", path="template/send")["requests"])
        print(
            f"killed with {cut_off} rows; all {FOLLOWERS} sent after "
            f"{time.monotonic() - began:.0f} s, each shown once ({asked} calls since the restart)"
        )

    def money_is_booked_while_redis_is_away(self, stack, world):
        """The request that makes a message due never fails because the queue does."""
        sent_before = world.states()["sent"]
        stack.redis.kill()

        web = f"{stack.web_url}/api/v1"
        wechat = world.sim(f"people/{PAYER}/wx_login")["code"]
        signed = requests.post(
            f"{web}/sessions/by-wechat", json={"wechat_code": wechat}, timeout=30
        )
        assert signed.status_code == 201, signed.text
        headers = {"Authorization": f"Bearer {signed.json()['token']}"}
        bills = requests.get(f"{web}/bills?which=unpaid", headers=headers, timeout=30).json()
        started = requests.post(
            f"{web}/payments",
            json={"bill_ids": [bill["id"] for bill in bills["items"]]},
            headers=headers | {"Idempotency-Key": "while-redis-is-away"},
            timeout=30,
        )
        assert started.status_code == 201, started.text
        paid = world.sim("pay_ticket", **started.json()["ticket"], wait=True)
        assert paid["errMsg"] == "requestPayment:ok"
        [notice] = world.look("outbox")
        assert notice["state"] == "done"

        payment_id = started.json()["payment"]["id"]
        view = requests.get(f"{web}/payments/{payment_id}", headers=headers, timeout=30).json()
        assert view["state"] == "succeeded"
        world.until(lambda: world.states().get("sent") == sent_before + 1, 150)

        stack.redis.restart()
        stack.run("verify", "ledger")
