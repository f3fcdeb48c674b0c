"""The mini-program's interfaces: login, phone number, subscribe messages."""

import secrets
from base64 import b64encode

from flask import Blueprint, Response, jsonify, request

from simulator import push
from simulator.chat import add_template_card
from simulator.state import Code
from simulator.wechat_fields import render, templates
from simulator.wechat_wire import Refused, app_of_token, body_json, endpoint, only_known
from simulator.world import World, the_world

CODE_LIFETIME_S = 300

bp = Blueprint("wechat_mini", __name__)


def new_code(
    world: World, *, kind: str, phone: str, appid: str, country_code: str | int = "86"
) -> Code:
    """Hand out a single-use code, as wx.login or the phone number button would."""
    with world.lock:
        now = world.clock.time()
        code = Code(
            world.chance.text(64 if kind == "phone" else 32),
            kind,
            phone,
            appid,
            now,
            country_code=country_code,
        )
        world.state.codes[code.value] = code
        world.changed()
        return code


def take_code(world: World, value: str, *, kind: str, appid: str) -> Code:
    """Use up a code.

    Raises:
        Refused: 40029 unknown, another's or too old; 40163 used.
    """
    code = world.state.codes.get(value)
    if code is None or (code.kind, code.appid) != (kind, appid):
        raise Refused(40029)
    if code.used:
        # The phone interface knows one error for all bad codes.
        raise Refused(40029 if kind == "phone" else 40163)
    if world.clock.time() - code.made_at > CODE_LIFETIME_S:
        raise Refused(40029)
    code.used = True
    world.changed()
    return code


@bp.route("/wx/sns/jscode2session", methods=["GET", "POST"])
@endpoint("GET")
def code_to_session() -> Response:
    """Exchange a login code for openid and session_key; success carries no errcode."""
    world = the_world()
    args = request.args
    if not args.get("appid"):
        raise Refused(41002)
    if not args.get("secret"):
        raise Refused(41004)
    app = world.credentials.apps.get(args["appid"])
    if app is None or app.kind != "miniapp":
        raise Refused(40013)
    if not secrets.compare_digest(app.secret, args["secret"]):
        raise Refused(40125)
    if args.get("grant_type") != "authorization_code":
        raise Refused(40002)
    if not args.get("js_code"):
        raise Refused(41008)
    with world.lock:
        code = take_code(world, args["js_code"], kind="login", appid=app.appid)
        person = world.person(code.phone)
    return jsonify(
        {
            "openid": person.openids[app.appid],
            "session_key": b64encode(secrets.token_bytes(16)).decode(),
            "unionid": person.unionid,
        }
    )


@bp.route("/wx/wxa/business/getuserphonenumber", methods=["GET", "POST"])
@endpoint("POST")
def phone_number() -> Response:
    """Exchange a phone code for the number; the watermark names the mini-program."""
    world = the_world()
    app = app_of_token("miniapp")
    data = body_json()
    only_known(data, {"code", "openid"})
    if not isinstance(data.get("code"), str) or not data["code"]:
        raise Refused(41008)
    with world.lock:
        code = take_code(world, data["code"], kind="phone", appid=app.appid)
    return jsonify(
        {
            "errcode": 0,
            "errmsg": "ok",
            "phone_info": {
                "phoneNumber": code.phone,
                "purePhoneNumber": code.phone,
                "countryCode": code.country_code,
                "watermark": {"timestamp": int(world.clock.time()), "appid": app.appid},
            },
        }
    )


_SUBSCRIBE_FIELDS = {"touser", "template_id", "page", "data", "miniprogram_state", "lang"}
_STATES = ("developer", "trial", "formal")
_LANGUAGES = ("zh_CN", "en_US", "zh_HK", "zh_TW")


@bp.route("/wx/cgi-bin/message/subscribe/send", methods=["GET", "POST"])
@endpoint("POST")
def send_subscribe_message() -> Response:
    """Send one subscribe message and use up one of the person's permissions."""
    world = the_world()
    app = app_of_token("miniapp")
    data = body_json()
    only_known(data, _SUBSCRIBE_FIELDS)
    person = world.person_by_openid(app.appid, str(data.get("touser", "")))
    if person is None:
        raise Refused(40003)
    template = templates(world.credentials).get(str(data.get("template_id", "")))
    if template is None or template.kind != "miniapp":
        raise Refused(40037)
    for key, allowed in (("miniprogram_state", _STATES), ("lang", _LANGUAGES)):
        if data.get(key) not in allowed:
            raise Refused(47003, f"argument invalid! {key} invalid")
    page = data.get("page", "")
    if not isinstance(page, str) or page.startswith("/"):
        raise Refused(41030)
    values = render(template, data.get("data"))
    with world.lock:
        if person.quotas.get(template.id, 0) < 1:
            raise Refused(43101)
        person.quotas[template.id] -= 1
        msgid = int(world.chance.digits(18))
        add_template_card(
            world, person, template, values, account="miniapp", target=page, msgid=msgid
        )
    entry = {"TemplateId": template.id, "MsgID": str(msgid), "ErrorCode": "0"}
    sent = push.miniapp_event(
        world, person, "subscribe_msg_sent_event", [entry | {"ErrorStatus": "success"}], {}
    )
    push.send_later(world, sent)
    return jsonify({"errcode": 0, "errmsg": "ok", "msgid": msgid})
