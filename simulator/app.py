"""The HTTP side of the simulator: one Flask app for all platforms and their control."""

from functools import partial

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from simulator import (
    alipay_bills,
    alipay_cashier,
    alipay_gateway,
    control,
    control_alipay,
    control_bills,
    control_keys,
    control_mail,
    control_pay,
    control_people,
    control_refunds,
    pay_bills,
    pay_certificates,
    pay_h5,
    pay_orders,
    pay_refunds,
    pay_wire,
    phone,
    refunding,
    sms,
    wechat_mini,
    wechat_oauth,
    wechat_official,
    wechat_tokens,
    wire,
)
from simulator.calls import current_call, judge
from simulator.control_forms import BadAsk
from simulator.outbox import Outbox
from simulator.world import World

LARGEST_BODY = 8_000_000


def create_app(world: World, outbox: Outbox) -> Flask:
    """Build the app around a world and its outbox."""
    app = Flask("simulator")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    # The parts come in the order people read them in, not by the alphabet.
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.extensions["world"] = world
    app.extensions["outbox"] = outbox
    outbox.chores.append(partial(refunding.settle_due, world, outbox))
    wire.install(app)
    for room in (
        phone,
        sms,
        wechat_tokens,
        wechat_mini,
        wechat_oauth,
        wechat_official,
        pay_orders,
        pay_refunds,
        pay_bills,
        pay_h5,
        pay_certificates,
        control,
        control_people,
        control_pay,
        control_refunds,
        control_bills,
        alipay_gateway,
        alipay_cashier,
        alipay_bills,
        control_alipay,
        control_keys,
        control_mail,
    ):
        app.register_blueprint(room.bp)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(BadAsk, _bad_ask)
    return app


def _bad_ask(bad: BadAsk) -> tuple[Response, int]:
    return jsonify({"error": bad.text}), bad.status


def _http_error(error: HTTPException) -> Response | tuple[Response, int]:
    status = error.code or 500
    call = current_call()
    if call is None:
        return jsonify({"error": error.description or error.name}), status
    judge(f"{status} {error.name}: {request.method} {call.path}")
    if call.host == "pay" and status < 500:
        return pay_wire.error(status, "RESOURCE_NOT_EXISTS", "接口不存在")
    return Response(f"{status} {error.name}", status, mimetype="text/plain")
