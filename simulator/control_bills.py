"""The control interface of bills: what is to be wrong with them."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from simulator.control_forms import BadAsk, count, merchant_of
from simulator.pay_bills import FAULTS
from simulator.world import World, the_world

bp = Blueprint("control_bills", __name__, url_prefix="/_sim")

_KEYS = {"kind", "bill", "out_trade_no", "times", "tenant"}


def _read(world: World, raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise BadAsk("a fault is a JSON object")
    strange = set(raw) - _KEYS
    if strange:
        raise BadAsk(f"unknown keys: {', '.join(sorted(strange))}")
    if raw.get("kind") not in FAULTS:
        raise BadAsk(f"kind is one of {', '.join(FAULTS)}")
    if raw.get("bill") not in (None, "trade", "fundflow"):
        raise BadAsk("bill is trade or fundflow")
    return {
        "kind": raw["kind"],
        "bill": raw.get("bill"),
        "out_trade_no": raw.get("out_trade_no"),
        "times": count(raw, "times") if raw.get("times") is not None else None,
        "mchid": merchant_of(world, raw).mchid,
    }


def _listed(world: World) -> Response:
    return jsonify({"faults": world.state.bill_faults})


@bp.get("/bill_faults")
def list_faults() -> Response:
    """List the faults; `times` is how often one will still be there, null for always."""
    return _listed(the_world())


@bp.post("/bill_faults")
def add_faults() -> Response:
    """Have one thing, or each of an array of things, be wrong with the bills from now on."""
    world = the_world()
    raw = request.get_json(force=True, silent=True)
    faults = [_read(world, one) for one in (raw if isinstance(raw, list) else [raw])]
    with world.lock:
        world.state.bill_faults += faults
        world.changed()
    return _listed(world)


@bp.delete("/bill_faults")
def clear_faults() -> Response:
    """Have the bills be right again."""
    world = the_world()
    with world.lock:
        world.state.bill_faults.clear()
        world.changed()
    return _listed(world)
