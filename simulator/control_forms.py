"""Reading what the control interface is asked, strictly, so that a misspelt option is noticed."""

import re
from typing import Any

from flask import request

from simulator.credentials import Merchant
from simulator.world import World

_PHONE = re.compile(r"1\d{10}")


class BadAsk(Exception):
    """The control interface cannot do that; the text says why."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


def ask(*known: str) -> dict[str, Any]:
    """Return the JSON object of the request, empty without a body.

    Raises:
        BadAsk: it is no object, or has a key that is not known here.
    """
    if not request.get_data():
        return {}
    data = request.get_json(force=True, silent=True)
    if not isinstance(data, dict):
        raise BadAsk("the body must be a JSON object")
    strange = set(data) - set(known)
    if strange:
        raise BadAsk(f"unknown keys: {', '.join(sorted(strange))}; known: {', '.join(known)}")
    return data


def number(data: dict[str, Any], key: str) -> float:
    """Return a number.

    Raises:
        BadAsk: it is none.
    """
    value = data[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadAsk(f"{key} must be a number")
    return float(value)


def count(data: dict[str, Any], key: str, default: int = 1) -> int:
    """Return how many times something is to be done, 1 to 100.

    Raises:
        BadAsk: it is out of this range.
    """
    value = data.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100:
        raise BadAsk(f"{key} must be a whole number from 1 to 100")
    return value


def checked_phone(value: Any) -> str:
    """Return a mainland mobile number.

    Raises:
        BadAsk: it is none.
    """
    if not isinstance(value, str) or not _PHONE.fullmatch(value):
        raise BadAsk("phone must be 11 digits that begin with 1")
    return value


def appid_of(world: World, data: dict[str, Any], kind: str) -> str:
    """Return the appid asked for, by `appid` or `tenant`; ours if none is.

    Raises:
        BadAsk: there is no such app.
    """
    if "appid" in data:
        if data["appid"] not in world.credentials.apps:
            raise BadAsk("no such appid", 404)
        return str(data["appid"])
    if data.get("tenant", "main") not in ("main", "foreign"):
        raise BadAsk("tenant is main or foreign")
    return world.credentials.app(kind, data.get("tenant", "main")).appid


def merchant_of(world: World, data: dict[str, Any]) -> Merchant:
    """Return the merchant asked for by `tenant`; ours if none is.

    Raises:
        BadAsk: there is no such tenant.
    """
    if data.get("tenant", "main") not in ("main", "foreign"):
        raise BadAsk("tenant is main or foreign")
    return world.credentials.merchant(data.get("tenant", "main"))
