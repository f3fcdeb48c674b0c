"""The controls of the mail server: what arrived, and how a recipient is answered."""

from flask import Blueprint, Response, jsonify, request

from simulator.control_forms import BadAsk
from simulator.world import the_world

_KNOWN = (250, 451, 550)

bp = Blueprint("control_mail", __name__, url_prefix="/_sim")


@bp.get("/mails")
def show_mails() -> Response:
    """Show the inbox of an address, or of all, newest first."""
    world = the_world()
    address = request.args.get("address")
    with world.lock:
        found = [one for one in world.state.mails if address in (None, one["to"])]
    return jsonify(found[::-1])


@bp.post("/mails/answers")
def set_answer() -> Response:
    """Have an address answered with 250, 451 or 550 from now on."""
    form = request.get_json(silent=True) or {}
    address, code = form.get("address"), form.get("code")
    if not isinstance(address, str) or code not in _KNOWN:
        raise BadAsk("address is a text, code one of 250, 451, 550")
    world = the_world()
    with world.lock:
        world.state.mail_answers[address] = code
    world.changed()
    return jsonify({"address": address, "code": code})
