"""The one object all rooms of the simulator share: clock, accounts, state, and its keeping."""

import hashlib
import hmac
import logging
import threading
import time
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import cast

from flask import current_app

from simulator import state as keeping
from simulator.chance import Chance
from simulator.clock import VirtualClock
from simulator.credentials import Credentials, load_or_make
from simulator.faults import Faults
from simulator.journal import Journal
from simulator.state import Order, Person, State

log = logging.getLogger(__name__)


class World:
    """The platforms as they are right now."""

    def __init__(self, *, folder: Path | None, backend: str, seed: int | None) -> None:
        self.folder = folder
        self.backend = backend.rstrip("/")
        self.base_url = ""
        self.mail_port = 0
        self.seed = seed
        self.clock = VirtualClock()
        self.lock = threading.RLock()
        self.state = State()
        self.epoch = 0
        self._phones: dict[tuple[str, str], str] = {}
        self._changed = threading.Event()
        self._closing = threading.Event()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._load(folder / "state.json")
        self.chance = Chance(None)
        self._next_epoch()
        account_chance = Chance(None if seed is None else f"{seed}:accounts")
        self.credentials: Credentials = load_or_make(folder, account_chance)
        self.faults = Faults(self.chance)
        self.journal = Journal(folder / "journal.jsonl" if folder else None, self.clock)
        self._saver = threading.Thread(target=self._keep_saving, name="saver", daemon=True)
        self._saver.start()

    def _next_epoch(self) -> None:
        # A restart or reset with the same seed must not hand out the ids of before once more.
        self.epoch += 1
        self.chance = Chance(None if self.seed is None else f"{self.seed}:{self.epoch}")

    def _load(self, path: Path) -> None:
        if not path.exists():
            return
        self.state, rest = keeping.load(path.read_text("utf-8"))
        for person in self.state.people.values():
            self._index(person)
        self.clock.restore(rest.get("clock", {}))
        self.epoch = int(rest.get("epoch", 0))

    def changed(self) -> None:
        """Have the state written to disk soon."""
        self._changed.set()

    def _keep_saving(self) -> None:
        rest_s = 0.5
        while not self._closing.is_set():
            self._changed.wait()
            if self._closing.wait(rest_s):
                return
            self._changed.clear()
            started = time.monotonic()
            self.save()
            # A large state takes long to write: spend at most a tenth of the time on it.
            rest_s = max(0.5, 10 * (time.monotonic() - started))

    def save(self) -> None:
        """Write the state to disk now, if it is kept at all."""
        if self.folder is None:
            return
        with self.lock:
            text = keeping.dump(self.state, {"clock": self.clock.dump(), "epoch": self.epoch})
        keeping.replace_file(self.folder / "state.json", text)

    def close(self) -> None:
        """Stop saving in the background and save once more."""
        self._closing.set()
        self._changed.set()
        self._saver.join()
        self.save()
        self.journal.close()

    def reset(self) -> None:
        """Forget everything but the accounts; clock and faults too."""
        with self.lock:
            self.state = State()
            self.clock.reset()
            self._next_epoch()
            self.faults.clear()
            self.faults.chance = self.chance
            self.journal.clear()
        self.changed()

    def identity(self, scope: str, phone: str) -> str:
        """Return the 28-character openid or unionid of a phone; the same after a reset."""
        salt = self.credentials.identity_salt.encode()
        digest = hmac.digest(salt, f"{scope}|{phone}".encode(), hashlib.sha256)
        return "o" + urlsafe_b64encode(digest).decode()[:27]

    def person(self, phone: str, nickname: str | None = None) -> Person:
        """Return the person with this phone, made up if there is none yet."""
        with self.lock:
            found = self.state.people.get(phone)
            if found is None:
                found = Person(
                    phone=phone,
                    nickname=nickname or f"微信用户{phone[-4:]}",
                    unionid=self.identity("unionid", phone),
                    openids={a: self.identity(a, phone) for a in self.credentials.apps},
                )
                self.state.people[phone] = found
                self._index(found)
                self.changed()
            elif nickname:
                found.nickname = nickname
            return found

    def _index(self, person: Person) -> None:
        # Identities do not change, so entries of people a reset has removed do no harm.
        for appid, openid in person.openids.items():
            self._phones[appid, openid] = person.phone

    def person_by_openid(self, appid: str, openid: str) -> Person | None:
        """Return whose openid this is under this appid."""
        with self.lock:
            phone = self._phones.get((appid, openid))
            return self.state.people.get(phone) if phone else None

    def order(self, out_trade_no: str, mchid: str | None = None) -> Order | None:
        """Return an order by its number, our merchant's first when no merchant is named."""
        with self.lock:
            for one in [mchid] if mchid else list(self.credentials.merchants):
                found = self.state.orders.get(f"{one}:{out_trade_no}")
                if found is not None:
                    return found
            return None

    def order_by_transaction(self, mchid: str, transaction_id: str) -> Order | None:
        """Return a merchant's paid order by the platform's number."""
        with self.lock:
            for order in self.state.orders.values():
                if (order.mchid, order.transaction_id) == (mchid, transaction_id):
                    return order
            return None


def the_world() -> World:
    """Return the world of the app that serves this request."""
    return cast("World", current_app.extensions["world"])
