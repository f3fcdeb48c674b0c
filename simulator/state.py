"""What the platforms remember, and how it is kept on disk across a restart."""

import json
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

KEPT_MESSAGES = 20_000  # of each inbox; older ones are forgotten


@dataclass
class Person:
    """Someone with a phone, a WeChat and perhaps a subscription to our account."""

    phone: str
    nickname: str
    unionid: str
    openids: dict[str, str]
    follows: bool = False
    followed_at: float = 0.0
    blocks: bool = False
    quotas: dict[str, int] = field(default_factory=dict)


@dataclass
class Code:
    """A single-use code the client side hands to a server: kind `login` or `phone`."""

    value: str
    kind: str
    phone: str
    appid: str
    made_at: float
    used: bool = False
    country_code: str | int = "86"


@dataclass
class Token:
    """An access token; `pool` is `plain` or `stable`."""

    value: str
    appid: str
    pool: str
    made_at: float
    expires_at: float
    revoked: bool = False
    still_served: bool = False


@dataclass
class Order:
    """A WeChat Pay order, in the platform's own words."""

    mchid: str
    appid: str
    trade_type: str
    out_trade_no: str
    description: str
    notify_url: str
    total_fen: int
    currency: str
    openid: str
    attach: str
    expires_at: float
    asked: dict[str, Any]
    made_at: float
    state: str = "NOTPAY"
    transaction_id: str = ""
    success_at: float = 0.0
    code_url: str = ""

    @property
    def is_paid(self) -> bool:
        """Whether the money came, be it refunded since or not."""
        return self.state in ("SUCCESS", "REFUND")


@dataclass
class Refund:
    """A refund: state `PROCESSING`, `SUCCESS`, `ABNORMAL` or `CLOSED`."""

    mchid: str
    out_refund_no: str
    refund_id: str
    out_trade_no: str
    transaction_id: str
    total_fen: int
    refund_fen: int
    reason: str
    notify_url: str
    asked: dict[str, Any]
    made_at: float
    state: str = "PROCESSING"
    settled_at: float = 0.0


@dataclass
class Prepay:
    """What one pays an order with: a prepay_id, or the token in an h5_url."""

    value: str
    mchid: str
    out_trade_no: str
    made_at: float
    trade_type: str = "JSAPI"


@dataclass
class Trade:
    """An Alipay trade; its status is empty until a buyer has opened it, and it then exists.

    `doors` are the QR codes and cashier pages that lead to it; each refund has `out_request_no`,
    `amount_fen`, `reason` and `at`.
    """

    app_id: str
    out_trade_no: str
    method: str
    product_code: str
    subject: str
    body: str
    passback_params: str
    total_fen: int
    notify_url: str
    return_url: str
    made_at: float
    payable_until: float
    doors: list[str] = field(default_factory=list)
    status: str = ""
    trade_no: str = ""
    buyer: str = ""
    created_at: float = 0.0
    paid_at: float = 0.0
    closed_at: float = 0.0
    refunds: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Notice:
    """One callback on its way: state `pending`, `held`, `done`, `given_up` or `lost`.

    `wire` says whose it is: `pay` for WeChat Pay, `ali` for Alipay, whose `mchid` is the app_id.
    """

    id: str
    kind: str
    mchid: str
    out_trade_no: str
    url: str
    body: str
    state: str
    next_at: float | None
    made_at: float
    copies: int = 1
    tries: int = 0
    out_refund_no: str = ""
    attempts: list[dict[str, Any]] = field(default_factory=list)
    wire: str = "pay"


@dataclass
class BillLink:
    """A download address of a bill, with the file behind it."""

    value: str
    mchid: str
    made_at: float
    is_packed: bool
    text: str


@dataclass
class State:
    """Everything but keys, clock, faults and journal. Plain data; guard it by the world's lock."""

    people: dict[str, Person] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    prepays: dict[str, Prepay] = field(default_factory=dict)
    notices: dict[str, Notice] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)
    refunds_due: dict[str, float] = field(default_factory=dict)
    refund_mode: dict[str, Any] = field(default_factory=lambda: {"mode": "auto", "delay_s": 1.0})
    balances_fen: dict[str, int] = field(default_factory=dict)
    bill_links: dict[str, BillLink] = field(default_factory=dict)
    bill_faults: list[dict[str, Any]] = field(default_factory=list)
    key_modes: dict[str, str] = field(default_factory=dict)
    new_certificates: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    live_certificates: dict[str, int] = field(default_factory=dict)
    percent_new: dict[str, int] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    sent_ids: dict[str, list[Any]] = field(default_factory=dict)
    menus: dict[str, Any] = field(default_factory=dict)
    sms: list[dict[str, Any]] = field(default_factory=list)
    mails: list[dict[str, Any]] = field(default_factory=list)
    mail_answers: dict[str, int] = field(default_factory=dict)
    chat: list[dict[str, Any]] = field(default_factory=list)
    pushes: list[dict[str, Any]] = field(default_factory=list)
    trades: dict[str, Trade] = field(default_factory=dict)
    alipay_bills: dict[str, Any] = field(default_factory=dict)
    alipay_notices: str = "pending"

    def count(self, name: str) -> int:
        """Add one to a named counter and return it."""
        self.counters[name] = self.counters.get(name, 0) + 1
        return self.counters[name]


_RECORDS: dict[str, type] = {
    "people": Person,
    "codes": Code,
    "tokens": Token,
    "orders": Order,
    "prepays": Prepay,
    "notices": Notice,
    "refunds": Refund,
    "bill_links": BillLink,
    "trades": Trade,
}


def remember(inbox: list[dict[str, Any]], entry: dict[str, Any]) -> dict[str, Any]:
    """Append to an inbox and forget the oldest entries beyond what is kept."""
    inbox.append(entry)
    if len(inbox) > KEPT_MESSAGES:
        del inbox[: KEPT_MESSAGES // 10]
    return entry


def dump(state: State, extra: dict[str, Any]) -> str:
    """Write the state and what belongs beside it as JSON. Call it with the lock held."""
    data = {**vars(state), **extra}
    return json.dumps(data, ensure_ascii=False, default=vars)


def load(text: str) -> tuple[State, dict[str, Any]]:
    """Read what `dump` wrote: the state, and the rest."""
    data = json.loads(text)
    state = State()
    for one in fields(State):
        value = data.pop(one.name, None)
        if value is None:
            continue
        record = _RECORDS.get(one.name)
        if record is not None:
            value = {key: record(**item) for key, item in value.items()}
        setattr(state, one.name, value)
    return state, data


def replace_file(path: Path, text: str) -> None:
    """Write a file so that a crash leaves either the old or the new one."""
    scratch = path.with_suffix(".tmp")
    scratch.write_text(text, "utf-8")
    os.replace(scratch, path)
