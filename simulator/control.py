"""The control interface under `/_sim`: accounts, clock, faults, tokens, journal, SMS inbox."""

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from simulator import outbound, pay_keys, pay_wire, wechat_tokens
from simulator.clock import beijing_ms, read_iso
from simulator.control_forms import BadAsk, ask, number
from simulator.faults import BadRule
from simulator.outbox import Outbox
from simulator.wechat_fields import templates
from simulator.world import World, the_world

WAIT_S = 60.0
QUIET_S = 6.0  # a little longer than one try may take

bp = Blueprint("control", __name__, url_prefix="/_sim")


def the_outbox() -> Outbox:
    """Return the outbox of the app that serves this request."""
    outbox = current_app.extensions["outbox"]
    if not isinstance(outbox, Outbox):
        raise TypeError("no outbox")
    return outbox


@bp.get("/health")
def health() -> Response:
    """Say that the platforms are up."""
    return jsonify({"ok": True})


@bp.get("/credentials")
def credentials() -> Response:
    """Show what one copies from the consoles; `?tenant=foreign` shows the other tenant's."""
    world = the_world()
    tenant = request.args.get("tenant", "main")
    if tenant not in ("main", "foreign"):
        raise BadAsk("tenant is main or foreign")
    pems = pay_keys.pems(world, world.credentials.merchant(tenant))
    return jsonify(
        world.credentials.as_console(
            world.base_url, tenant, platform_certificates=pems, mail_port=world.mail_port
        )
    )


@bp.get("/templates")
def list_templates() -> Response:
    """List the message templates with their labels."""
    known = templates(the_world().credentials).values()
    return jsonify({"templates": [one.as_json() for one in known]})


@bp.post("/reset")
def reset() -> Response:
    """Forget everything but the accounts; the clock is real again and the faults are gone."""
    world = the_world()
    # What is still on its way belongs to before, and should not arrive after.
    outbound.wait_until_quiet(QUIET_S)
    world.reset()
    pay_wire.forget_nonces()
    the_outbox().forget()
    return jsonify({"ok": True})


def _clock(world: World, **more: Any) -> Response:
    now = world.clock.time()
    saved = world.clock.dump()
    return jsonify(
        {
            "now": beijing_ms(now),
            "timestamp": now,
            "offset_s": saved["offset_s"],
            "frozen": saved["frozen_at"] is not None,
            **more,
        }
    )


@bp.get("/clock")
def show_clock() -> Response:
    """Tell the virtual time."""
    return _clock(the_world())


@bp.post("/clock")
def move_clock() -> Response:
    """Advance or set the virtual time, then wait until the callbacks that became due are done."""
    world, data = the_world(), ask("advance", "set", "frozen", "callers", "wait")
    if "set" in data:
        try:
            world.clock.set_to(read_iso(str(data["set"])))
        except ValueError as error:
            raise BadAsk("set is no ISO instant") from error
    if "advance" in data:
        world.clock.advance(number(data, "advance"))
    if "callers" in data:
        if data["callers"] not in ("real", "virtual"):
            raise BadAsk("callers is real or virtual")
        world.clock.callers_are_real = data["callers"] == "real"
    if "frozen" in data:
        world.clock.freeze(frozen=bool(data["frozen"]))
    world.changed()
    the_outbox().wake()
    idle = the_outbox().wait_until_idle(WAIT_S) if data.get("wait", True) else False
    return _clock(world, idle=idle)


@bp.get("/faults")
def list_faults() -> Response:
    """List the fault rules in the order they are asked."""
    return jsonify({"faults": [rule.as_json() for rule in the_world().faults.listed()]})


@bp.post("/faults")
def add_faults() -> Response:
    """Put one rule, or an array of rules, in force."""
    raw = request.get_json(force=True, silent=True)
    rules = raw if isinstance(raw, list) else [raw]
    try:
        added = [the_world().faults.add(rule) for rule in rules if isinstance(rule, dict)]
    except BadRule as bad:
        raise BadAsk(str(bad)) from bad
    if len(added) != len(rules):
        raise BadAsk("a rule is a JSON object")
    return jsonify({"faults": [rule.as_json() for rule in added]})


@bp.delete("/faults")
def clear_faults() -> Response:
    """Take all rules out of force."""
    the_world().faults.clear()
    return jsonify({"faults": []})


@bp.delete("/faults/<int:rule_id>")
def remove_fault(rule_id: int) -> Response:
    """Take one rule out of force."""
    return jsonify({"removed": the_world().faults.remove(rule_id)})


@bp.post("/tokens/<appid>/<what>")
def spoil_tokens(appid: str, what: str) -> Response:
    """Revoke (40001) or expire (42001) all access tokens of an app."""
    world, data = the_world(), ask("keep_serving")
    if appid not in world.credentials.apps:
        raise BadAsk("no such appid", 404)
    if what == "revoke":
        keep = bool(data.get("keep_serving", False))
        count = wechat_tokens.revoke(world, appid, keep_serving=keep)
    elif what == "expire":
        count = wechat_tokens.expire(world, appid)
    else:
        raise BadAsk("revoke or expire", 404)
    return jsonify({"count": count})


@bp.get("/journal")
def show_journal() -> Response:
    """Show the requests after `since` whose path contains `path`, oldest first."""
    journal = the_world().journal
    try:
        since, limit = (int(request.args.get(key, 0)) for key in ("since", "limit"))
    except ValueError as error:
        raise BadAsk("since and limit are numbers") from error
    found = journal.since(since, request.args.get("path", ""), limit)
    host = request.args.get("host")
    return jsonify(
        {
            "requests": [one for one in found if host in (None, one["host"])],
            "last_seq": journal.last_seq,
        }
    )


@bp.get("/sms")
def show_sms() -> Response:
    """Show the inbox of a phone, or of all, newest first."""
    world = the_world()
    phone = request.args.get("phone")
    with world.lock:
        found = [one for one in world.state.sms if phone in (None, one["phone"])]
    return jsonify(found[::-1])
