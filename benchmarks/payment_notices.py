"""P4: a payment notice from its bytes to its answer, beside the cryptography and the statements.

The floor checks the same signature, opens the same envelope and sends the same statements in one
transaction, straight through psycopg, to a copy of the same database: the statements are recorded
from the product itself, working on a third copy.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Flask
from sqlalchemy import Engine, event
from sqlalchemy.engine import make_url

from benchmarks.estate import fill
from benchmarks.figures import Figure
from benchmarks.world import World, make_world
from localstack.engines import start_redis
from settings import Settings
from wsgi import create_app

ROUNDS = 5
IN_A_ROUND = 200
PACE = 50
"""Notices a second for the 99th percentile."""
PACED_S = 20
WARM_UP_S = 4
"""So long at the same pace before it counts: each thread opens its connection once."""
_HOUSES = ROUNDS * IN_A_ROUND + PACE * (WARM_UP_S + PACED_S)
_PATH = "/notify/wechatpay"

_ORDERS = """
INSERT INTO account (id, phone, created_at) VALUES (1, '19900000001', now());
INSERT INTO payment_order (community_id, account_id, channel, way, mchid, appid, openid,
                           out_trade_no, description, state, amount_fen, ticket, created_at,
                           expires_at, query_at)
SELECT 1, 1, 'wechat', 'miniapp', '{mchid}', '{appid}', 'o-bench', 'BENCH' || house_id, '物业费',
       'prepaying', sum(amount_fen), 'wx1', now(), now() + interval '1 hour',
       now() + interval '1 hour'
  FROM bill GROUP BY house_id;
INSERT INTO payment_order_bill (order_id, bill_id, amount_fen)
SELECT payment_order.id, bill.id, bill.amount_fen
  FROM bill JOIN payment_order ON out_trade_no = 'BENCH' || house_id;
INSERT INTO bill_lock (bill_id, order_id) SELECT bill_id, order_id FROM payment_order_bill;
"""

Notice = dict[str, Any]
Statements = list[tuple[str, Any]]


def measure(*, large: bool) -> list[Figure]:
    """Measure the rate of notices one after another, and the 99th percentile at a steady pace."""
    del large
    with (
        tempfile.TemporaryDirectory() as folder,
        _simulator() as simulator,
        start_redis(Path(folder) / "redis") as redis,
        make_world() as world,
    ):
        world.environment |= simulator.credentials | {
            "REDIS_URL": redis.url,
            "TRUSTED_HOSTS": "127.0.0.1,localhost",
            "LOG_LEVEL": "WARNING",
        }
        _fill(world, simulator.credentials)
        with world.connect() as connection:
            amounts = connection.execute(
                "SELECT out_trade_no, amount_fen FROM payment_order ORDER BY id"
            ).fetchall()
        urls = _copies(world, 2)
        return [
            _rates(world, simulator, urls, amounts[: ROUNDS * IN_A_ROUND]),
            _pace(world, simulator, amounts[ROUNDS * IN_A_ROUND :]),
        ]


class _Simulator:
    """A platform that signs notices."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.credentials: dict[str, str] = requests.get(
            f"{url}/_sim/credentials", timeout=10
        ).json()

    def craft(self, orders: list[tuple[str, int]]) -> list[Notice]:
        """Sign a notice for each order, fresh now."""
        with requests.Session() as session, ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda order: self._craft(session, *order), orders))

    def _craft(self, session: requests.Session, out_trade_no: str, amount_fen: int) -> Notice:
        overrides = {
            "out_trade_no": out_trade_no,
            "amount_fen": int(amount_fen),
            "openid": "o-bench",
        }
        answer = session.post(
            f"{self.url}/_sim/craft/pay_callback", json={"overrides": overrides}, timeout=30
        )
        answer.raise_for_status()
        notice: Notice = answer.json()
        return notice


@contextmanager
def _simulator() -> Iterator[_Simulator]:
    words = [sys.executable, "-m", "simulator", "--port", "0", "--backend", "http://127.0.0.1:9"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise RuntimeError("the simulator says nothing")
        try:
            yield _Simulator(json.loads(process.stdout.readline())["url"])
        finally:
            process.terminate()
            process.stdout.read()


def _fill(world: World, credentials: dict[str, str]) -> None:
    fill(world, _HOUSES)
    world.run("benchmarks.publication")
    with world.connect() as connection:
        connection.execute(
            _ORDERS.format(
                mchid=credentials["WECHATPAY_MCHID"], appid=credentials["WECHAT_MINIAPP_APPID"]
            )
        )
        connection.execute("VACUUM ANALYZE")


def _copies(world: World, count: int) -> list[str]:
    """Copy the database; returns the addresses of the copies."""
    url = make_url(world.environment["DATABASE_URL"])
    names = [f"copy_{number}" for number in range(count)]
    maintenance = url.set(drivername="postgresql", database="template1")
    with psycopg.connect(
        maintenance.render_as_string(hide_password=False), autocommit=True
    ) as connection:
        for name in names:
            connection.execute(f'CREATE DATABASE {name} TEMPLATE "{url.database}"')
    return [url.set(database=name).render_as_string(hide_password=False) for name in names]


def _app(world: World, url: str) -> Flask:
    return create_app(Settings.from_env(world.environment | {"DATABASE_URL": url}))


def _rates(
    world: World, simulator: _Simulator, urls: list[str], orders: list[tuple[str, int]]
) -> Figure:
    ours_app, recording_app = _app(world, world.environment["DATABASE_URL"]), _app(world, urls[0])
    floor = _Floor(urls[1], simulator.credentials)
    ours, beside, statements = [], [], 0
    for number in range(ROUNDS):
        notices = simulator.craft(orders[number * IN_A_ROUND : (number + 1) * IN_A_ROUND])
        recorded = _record(recording_app, notices)
        statements = len(recorded[0])
        ours.append(len(notices) / _seconds(partial(_post_all, ours_app, notices)))
        beside.append(len(notices) / _seconds(partial(floor.run, notices, recorded)))
    return Figure(
        "P4",
        "payment notice, verify to answer",
        ours,
        beside,
        "notices/s",
        0.50,
        f"{IN_A_ROUND} notices of 3 bills a round, one after another; floor: {statements} "
        "recorded statements in one transaction, RSA, AES-GCM",
    )


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _post_all(app: Flask, notices: list[Notice]) -> None:
    client = app.test_client()
    for notice in notices:
        answer = client.post(_PATH, data=notice["body"], headers=notice["headers"])
        if answer.status_code != 204:
            raise RuntimeError(f"{answer.status_code}: {answer.text}")


def _record(app: Flask, notices: list[Notice]) -> list[Statements]:
    """Let the product take the notices, and write down what it sends to its database for each."""
    engine: Engine = app.extensions["services"].outbox.unit_of_work.engine
    client, recorded, seen = app.test_client(), [], []

    def note(*call: Any) -> None:
        seen.append((call[2], call[3]))

    event.listen(engine, "before_cursor_execute", note)
    for notice in notices:
        seen.clear()
        answer = client.post(_PATH, data=notice["body"], headers=notice["headers"])
        if answer.status_code != 204:
            raise RuntimeError(f"{answer.status_code}: {answer.text}")
        recorded.append(list(seen))
    event.remove(engine, "before_cursor_execute", note)
    return recorded


class _Floor:
    """What nobody can do without: one check, one opening, the statements, one commit."""

    def __init__(self, url: str, credentials: dict[str, str]) -> None:
        key = serialization.load_pem_public_key(credentials["WECHATPAY_PUBLIC_KEY"].encode())
        if not isinstance(key, rsa.RSAPublicKey):
            raise TypeError("the platform's key is no RSA key")
        self._key = key
        self._aead = AESGCM(credentials["WECHATPAY_APIV3_KEY"].encode())
        self._connection = psycopg.connect(url.replace("+psycopg", "", 1))

    def run(self, notices: list[Notice], recorded: list[Statements]) -> None:
        for notice, statements in zip(notices, recorded, strict=True):
            headers, body = notice["headers"], notice["body"]
            message = f"{headers['Wechatpay-Timestamp']}\n{headers['Wechatpay-Nonce']}\n{body}\n"
            self._key.verify(
                base64.b64decode(headers["Wechatpay-Signature"]),
                message.encode(),
                padding.PKCS1v15(),
                hashes.SHA256(),
            )
            resource = json.loads(body)["resource"]
            json.loads(
                self._aead.decrypt(
                    resource["nonce"].encode(),
                    base64.b64decode(resource["ciphertext"]),
                    resource["associated_data"].encode(),
                )
            )
            with self._connection.transaction(), self._connection.cursor() as cursor:
                for statement, values in statements:
                    cursor.execute(statement, values)
                    if cursor.description:
                        cursor.fetchall()


def _pace(world: World, simulator: _Simulator, orders: list[tuple[str, int]]) -> Figure:
    """Send at a steady pace to two web processes; the time counts from when each was due."""
    notices = simulator.craft(orders)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "gunicorn", "-w", "2", "--threads", "4", "wsgi:create_app()"]
    environment = dict(os.environ) | world.environment
    with subprocess.Popen([*words, "-b", f"127.0.0.1:{port}"], env=environment) as server:
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_for(url)
            waits = _send_paced(url + _PATH, notices)
        finally:
            server.terminate()
    waits = sorted(waits[PACE * WARM_UP_S :])
    return Figure(
        "P4",
        f"99th percentile at {PACE}/s",
        [waits[int(len(waits) * 0.99)] * 1000],
        [100.0],
        "ms",
        1.0,
        f"{len(waits):,} notices over HTTP to gunicorn after {WARM_UP_S} s of them, median "
        f"{waits[len(waits) // 2] * 1000:.0f} ms, worst {waits[-1] * 1000:.0f} ms",
        is_most=True,
    )


def _wait_for(url: str) -> None:
    for _ in range(100):
        try:
            if requests.get(f"{url}/healthz", timeout=1).ok:
                return
        except requests.RequestException:
            time.sleep(0.2)
    raise RuntimeError("the web process did not start")


def _send_paced(url: str, notices: list[Notice]) -> list[float]:
    began, local = time.perf_counter(), threading.local()

    def send(number: int) -> float:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        due = began + number / PACE
        time.sleep(max(0.0, due - time.perf_counter()))
        notice = notices[number]
        answer = local.session.post(url, data=notice["body"], headers=notice["headers"], timeout=30)
        if answer.status_code != 204:
            raise RuntimeError(f"{answer.status_code}: {answer.text}")
        return time.perf_counter() - due

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(send, range(len(notices))))
