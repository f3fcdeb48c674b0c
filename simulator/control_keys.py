"""The control interface of the platform's keys: which mode, and a new certificate."""

from typing import Any

from flask import Blueprint, Response, jsonify

from simulator import pay_keys
from simulator.control_forms import BadAsk, ask, merchant_of
from simulator.credentials import Merchant
from simulator.world import World, the_world

bp = Blueprint("control_keys", __name__, url_prefix="/_sim")


def _view(world: World, merchant: Merchant) -> dict[str, Any]:
    live = pay_keys.live_certificates(world, merchant)
    return {
        "mchid": merchant.mchid,
        "tenant": merchant.tenant,
        "mode": pay_keys.mode(world, merchant),
        "public_key_id": merchant.public_key_id,
        "certificates": [{"serial": one.serial, "pem": one.pem} for one in live],
    }


@bp.get("/key_mode")
def show_modes() -> Response:
    """Show each merchant's mode and the certificates in use, the newest last."""
    world = the_world()
    merchants = world.credentials.merchants.values()
    return jsonify({"merchants": [_view(world, one) for one in merchants]})


@bp.post("/key_mode")
def set_mode() -> Response:
    """Set the mode: cert, pubkey, pubkey_only, or grey: and the percentage signed by key."""
    world, data = the_world(), ask("mode", "tenant")
    merchant = merchant_of(world, data)
    if not pay_keys.is_mode(str(data.get("mode"))):
        raise BadAsk("mode is cert, pubkey, pubkey_only or grey:0 to grey:100")
    with world.lock:
        world.state.key_modes[merchant.mchid] = data["mode"]
        world.changed()
    return jsonify(_view(world, merchant))


@bp.post("/rotate_certificate")
def rotate() -> Response:
    """Bring a new certificate into use beside the old one; with `retire`, end the rotation."""
    world, data = the_world(), ask("tenant", "percent_new", "retire")
    merchant = merchant_of(world, data)
    percent = data.get("percent_new", pay_keys.DEFAULT_PERCENT_NEW)
    if isinstance(percent, bool) or not isinstance(percent, int) or not 0 <= percent <= 100:
        raise BadAsk("percent_new is a whole number from 0 to 100")
    if data.get("retire"):
        pay_keys.retire(world, merchant)
    else:
        pay_keys.rotate(world, merchant, percent_new=percent)
    return jsonify(_view(world, merchant))
