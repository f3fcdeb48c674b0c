"""The official account's interfaces: template messages, followers, menu, customer service."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from simulator import push
from simulator.chat import add_bubble, add_template_card
from simulator.clock import beijing_day
from simulator.credentials import App
from simulator.state import Person
from simulator.wechat_fields import Template, render, templates
from simulator.wechat_wire import Refused, app_of_token, body_json, endpoint, only_known
from simulator.world import World, the_world

TEMPLATES_PER_DAY = 100_000
SAME_MESSAGE_S = 600  # how long client_msg_id keeps a second copy away (OWN in platforms.md 4.2)
CUSTOMER_SERVICE_S = 48 * 3600
CUSTOMER_SERVICE_COUNT = 5

bp = Blueprint("wechat_official", __name__)

_TEMPLATE_FIELDS = {
    "touser",
    "template_id",
    "url",
    "topcolor",
    "miniprogram",
    "data",
    "client_msg_id",
}


def _recipient(world: World, app: App, openid: Any) -> Person:
    person = world.person_by_openid(app.appid, str(openid or ""))
    if person is None:
        raise Refused(40003)
    return person


def _target(world: World, app: App, data: dict[str, Any]) -> str:
    """Return where a tap on the card leads; the mini-program wins over the page."""
    mini = data.get("miniprogram")
    if mini is None or mini == {}:
        return str(data.get("url") or "")
    if not isinstance(mini, dict):
        raise Refused(47001)
    if mini.get("appid") != world.credentials.app("miniapp", app.tenant).appid:
        raise Refused(40013, "invalid appid, the mini-program is not bound to this account")
    return str(mini.get("pagepath") or "")


def _earlier_id(world: World, app: App, data: dict[str, Any]) -> int | None:
    """Return the msgid of the same message sent before, if client_msg_id says it is the same."""
    key = data.get("client_msg_id")
    if key is None:
        return None
    if not isinstance(key, str) or not 1 <= len(key) <= 64:
        raise Refused(47003, "argument invalid! client_msg_id invalid")
    found = world.state.sent_ids.get(f"{app.appid}:{data['touser']}:{key}")
    if found is None or world.clock.time() - found[1] >= SAME_MESSAGE_S:
        return None
    return int(found[0])


def _accept_template(world: World, app: App, data: dict[str, Any]) -> tuple[int, Person | None]:
    """Check and deliver; the person is None when it was a second copy."""
    only_known(data, _TEMPLATE_FIELDS)
    person = _recipient(world, app, data.get("touser"))
    template: Template | None = templates(world.credentials).get(str(data.get("template_id")))
    # Only the first tenant's account has chosen templates.
    if template is None or template.kind != "official" or app.tenant != "main":
        raise Refused(40037)
    values = render(template, data.get("data"))
    target = _target(world, app, data)
    with world.lock:
        if not person.follows:
            raise Refused(43004)
        earlier = _earlier_id(world, app, data)
        if earlier is not None:
            return earlier, None
        day = beijing_day(world.clock.time())
        if world.state.count(f"template:{app.appid}:{day}") > TEMPLATES_PER_DAY:
            raise Refused(45009)
        msgid = int(world.chance.digits(18))
        if "client_msg_id" in data:
            key = f"{app.appid}:{person.openids[app.appid]}:{data['client_msg_id']}"
            world.state.sent_ids[key] = [msgid, world.clock.time()]
        if not person.blocks:
            add_template_card(
                world, person, template, values, account="official", target=target, msgid=msgid
            )
        return msgid, person


@bp.route("/wx/cgi-bin/message/template/send", methods=["GET", "POST"])
@endpoint("POST")
def send_template() -> Response:
    """Accept a template message; whether it arrived is told later by an event."""
    world = the_world()
    app = app_of_token("official")
    msgid, person = _accept_template(world, app, body_json())
    if person is not None:
        status = "failed:user block" if person.blocks else "success"
        push.send_later(
            world,
            push.official_event(
                world, app, person, "TEMPLATESENDJOBFINISH", {"MsgID": msgid, "Status": status}
            ),
        )
    return jsonify({"errcode": 0, "errmsg": "ok", "msgid": msgid})


@bp.route("/wx/cgi-bin/user/info", methods=["GET", "POST"])
@endpoint("GET")
def user_info() -> Response:
    """Describe a follower; of someone who does not follow only the openid is told."""
    world = the_world()
    app = app_of_token("official")
    openid = request.args.get("openid", "")
    person = _recipient(world, app, openid)
    if not person.follows:
        return jsonify({"subscribe": 0, "openid": openid})
    return jsonify(
        {
            "subscribe": 1,
            "openid": openid,
            "language": "zh_CN",
            "subscribe_time": int(person.followed_at),
            "unionid": person.unionid,
            "remark": "",
            "groupid": 0,
            "tagid_list": [],
            "subscribe_scene": "ADD_SCENE_QR_CODE",
            "qr_scene": 0,
            "qr_scene_str": "",
        }
    )


def _check_buttons(buttons: Any, most: int) -> None:
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= most:
        raise Refused(40017, "invalid button size")
    for button in buttons:
        if not isinstance(button, dict) or not button.get("name"):
            raise Refused(40018, "invalid button name size")
        if "sub_button" in button and most == 3:
            _check_buttons(button["sub_button"], 5)
        elif button.get("type") == "click" and not button.get("key"):
            raise Refused(40019, "invalid button key size")
        elif button.get("type") not in ("click", "view", "miniprogram"):
            raise Refused(40016, "invalid button type")


@bp.route("/wx/cgi-bin/menu/create", methods=["GET", "POST"])
@endpoint("POST")
def create_menu() -> Response:
    """Keep the account's menu; the phone page shows it."""
    world = the_world()
    app = app_of_token("official")
    data = body_json()
    _check_buttons(data.get("button"), 3)
    with world.lock:
        world.state.menus[app.appid] = {"button": data["button"]}
        world.changed()
    return jsonify({"errcode": 0, "errmsg": "ok"})


@bp.route("/wx/cgi-bin/menu/get", methods=["GET", "POST"])
@endpoint("GET")
def show_menu() -> Response:
    """Return the menu kept."""
    world = the_world()
    menu = world.state.menus.get(app_of_token("official").appid)
    if menu is None:
        raise Refused(46003)
    return jsonify({"menu": menu})


@bp.route("/wx/cgi-bin/menu/delete", methods=["GET", "POST"])
@endpoint("GET")
def delete_menu() -> Response:
    """Forget the menu."""
    world = the_world()
    app = app_of_token("official")
    with world.lock:
        world.state.menus.pop(app.appid, None)
        world.changed()
    return jsonify({"errcode": 0, "errmsg": "ok"})


@bp.route("/wx/cgi-bin/message/custom/send", methods=["GET", "POST"])
@endpoint("POST")
def send_customer_service() -> Response:
    """Send a text to someone who wrote within 48 hours, at most five times."""
    world = the_world()
    app = app_of_token("official")
    data = body_json()
    only_known(data, {"touser", "msgtype", "text", "customservice"})
    person = _recipient(world, app, data.get("touser"))
    text = data.get("text")
    content = text.get("content") if isinstance(text, dict) else None
    if data.get("msgtype") != "text" or not isinstance(content, str) or not content:
        raise Refused(47001)
    with world.lock:
        counters = world.state.counters
        wrote_at = counters.get(f"wrote_at:{person.phone}", 0)
        if not person.follows or world.clock.time() - wrote_at > CUSTOMER_SERVICE_S:
            raise Refused(45015)
        if world.state.count(f"served:{person.phone}") > CUSTOMER_SERVICE_COUNT:
            raise Refused(45047)
        add_bubble(world, person, side="account", kind="text", text=content)
    return jsonify({"errcode": 0, "errmsg": "ok"})
