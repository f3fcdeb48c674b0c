"""The control interface of people: what they do in WeChat, and what they see there."""

from typing import Any

from flask import Blueprint, Response, jsonify, request

from simulator import craft_push, push
from simulator.chat import add_bubble
from simulator.control_forms import BadAsk, appid_of, ask, checked_phone, count
from simulator.craft_pay import UnknownFault
from simulator.state import Person
from simulator.wechat_fields import templates
from simulator.wechat_mini import new_code
from simulator.world import World, the_world

bp = Blueprint("control_people", __name__, url_prefix="/_sim")


def _view(world: World, person: Person) -> dict[str, Any]:
    return {
        "phone": person.phone,
        "nickname": person.nickname,
        "unionid": person.unionid,
        "openid_miniapp": person.openids[world.credentials.app("miniapp").appid],
        "openid_official": person.openids[world.credentials.app("official").appid],
        "follows": person.follows,
    }


def _known(phone: str) -> Person:
    person = the_world().state.people.get(checked_phone(phone))
    if person is None:
        raise BadAsk("no such person", 404)
    return person


@bp.post("/people")
def make_person() -> Response:
    """Create a person, or return the one with this phone."""
    world, data = the_world(), ask("phone", "nickname")
    person = world.person(checked_phone(data.get("phone")), data.get("nickname"))
    return jsonify(_view(world, person))


@bp.get("/people")
def list_people() -> Response:
    """List all people, the oldest first."""
    world = the_world()
    with world.lock:
        return jsonify([_view(world, person) for person in world.state.people.values()])


@bp.get("/people/<phone>")
def show_person(phone: str) -> Response:
    """Show one person with the openids under every appid, permissions and blocks."""
    world, person = the_world(), _known(phone)
    return jsonify(
        {
            **_view(world, person),
            "openids": person.openids,
            "quotas": person.quotas,
            "blocks": person.blocks,
        }
    )


@bp.post("/people/<phone>/wx_login")
def wx_login(phone: str) -> Response:
    """Do wx.login: a single-use code for the mini-program."""
    world, data = the_world(), ask("appid", "tenant")
    appid = appid_of(world, data, "miniapp")
    code = new_code(world, kind="login", phone=_known(phone).phone, appid=appid)
    return jsonify({"code": code.value})


@bp.post("/people/<phone>/phone_code")
def phone_code(phone: str) -> Response:
    """Press the phone number button: a single-use code for the mini-program."""
    world, data = the_world(), ask("appid", "tenant", "country_code")
    appid = appid_of(world, data, "miniapp")
    country = data.get("country_code", "86")
    if not isinstance(country, str | int):
        raise BadAsk("country_code is a text or a number")
    code = new_code(
        world, kind="phone", phone=_known(phone).phone, appid=appid, country_code=country
    )
    return jsonify({"code": code.value})


def _delivered(world: World, message: push.Push, data: dict[str, Any]) -> Response:
    results = push.send_copies(world, message, count(data, "copies"))
    more = {"copies": results} if len(results) > 1 else {}
    return jsonify({**results[0], **more})


@bp.post("/people/<phone>/follow")
def follow(phone: str) -> Response:
    """Follow the account, perhaps by a code with a scene; a follower who scans again sends SCAN."""
    world, data, person = the_world(), ask("scene", "copies"), _known(phone)
    app = world.credentials.app("official")
    scene = str(data.get("scene", ""))
    with world.lock:
        is_again = person.follows and bool(scene)
        if not person.follows:
            person.follows, person.followed_at = True, world.clock.time()
        person.blocks = False
        add_bubble(world, person, side="system", kind="notice", text="你已关注该公众号")
    key = scene if is_again else (f"qrscene_{scene}" if scene else "")
    more = {"EventKey": key, **({"Ticket": world.chance.text(80)} if scene else {})}
    event = push.official_event(world, app, person, "SCAN" if is_again else "subscribe", more)
    return _delivered(world, event, data)


@bp.post("/people/<phone>/unfollow")
def unfollow(phone: str) -> Response:
    """Stop following."""
    world, data, person = the_world(), ask("copies"), _known(phone)
    with world.lock:
        person.follows = False
        add_bubble(world, person, side="system", kind="notice", text="你已取消关注该公众号")
    app = world.credentials.app("official")
    event = push.official_event(world, app, person, "unsubscribe", {"EventKey": ""})
    return _delivered(world, event, data)


def _wrote(world: World, person: Person) -> None:
    world.state.counters[f"wrote_at:{person.phone}"] = int(world.clock.time())
    world.state.counters[f"served:{person.phone}"] = 0


@bp.post("/people/<phone>/text")
def write_text(phone: str) -> Response:
    """Write to the account; one who does not follow cannot."""
    world, data, person = the_world(), ask("content", "copies", "msg_id"), _known(phone)
    content = data.get("content")
    if not isinstance(content, str) or not content:
        raise BadAsk("content must be a text")
    if not person.follows:
        raise BadAsk("this person does not follow the account", 409)
    with world.lock:
        _wrote(world, person)
        add_bubble(world, person, side="person", kind="text", text=content)
    app = world.credentials.app("official")
    message = push.official_text(world, app, person, content, data.get("msg_id"))
    return _delivered(world, message, data)


@bp.post("/people/<phone>/click")
def click_menu(phone: str) -> Response:
    """Tap a menu button."""
    world, data, person = the_world(), ask("key", "copies"), _known(phone)
    key = data.get("key")
    if not isinstance(key, str) or not key:
        raise BadAsk("key must be a text")
    if not person.follows:
        raise BadAsk("this person does not follow the account", 409)
    with world.lock:
        _wrote(world, person)
    app = world.credentials.app("official")
    event = push.official_event(world, app, person, "CLICK", {"EventKey": key})
    return _delivered(world, event, data)


@bp.post("/people/<phone>/event")
def send_event(phone: str) -> Response:
    """Send any other event of the account, such as `user_authorization_revoke`."""
    world, data, person = the_world(), ask("event", "fields", "copies"), _known(phone)
    app = world.credentials.app("official")
    fields = dict(data.get("fields") or {})
    event = push.official_event(world, app, person, str(data.get("event", "")), fields)
    return _delivered(world, event, data)


@bp.post("/people/<phone>/block")
def block(phone: str) -> Response:
    """Refuse the account's messages while still following, or allow them again."""
    world, data, person = the_world(), ask("blocked"), _known(phone)
    with world.lock:
        person.blocks = bool(data.get("blocked", True))
        world.changed()
    return jsonify({"blocks": person.blocks})


@bp.post("/people/<phone>/subscribe")
def subscribe(phone: str) -> Response:
    """Accept one more message of a mini-program template, without an event to the backend."""
    world, data, person = the_world(), ask("template_id", "times"), _known(phone)
    template = templates(world.credentials).get(str(data.get("template_id")))
    if template is None or template.kind != "miniapp":
        raise BadAsk("no such mini-program template", 404)
    with world.lock:
        quota = person.quotas.get(template.id, 0) + count(data, "times")
        person.quotas[template.id] = quota
        world.changed()
    return jsonify({"template_id": template.id, "quota": quota})


def _apply_popup(world: World, person: Person, event: str, entries: list[dict[str, Any]]) -> None:
    known = templates(world.credentials)
    for entry in entries:
        template_id = str(entry.get("TemplateId"))
        if template_id not in known:
            continue
        status = entry.get("SubscribeStatusString")
        if event == "subscribe_msg_popup_event" and status == "accept":
            person.quotas[template_id] = person.quotas.get(template_id, 0) + 1
        elif event == "subscribe_msg_change_event" and status == "reject":
            person.quotas[template_id] = 0


@bp.post("/people/<phone>/mini_push")
def mini_push(phone: str) -> Response:
    """Send a mini-program event in JSON; an accepted prompt adds a permission."""
    world, data, person = the_world(), ask("event", "list", "fields", "copies"), _known(phone)
    entries = data.get("list") or []
    if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
        raise BadAsk("list must be an array of objects")
    name = str(data.get("event", "subscribe_msg_popup_event"))
    with world.lock:
        _apply_popup(world, person, name, entries)
        world.changed()
    event = push.miniapp_event(world, person, name, entries, dict(data.get("fields") or {}))
    return _delivered(world, event, data)


@bp.get("/people/<phone>/chat")
def show_chat(phone: str) -> Response:
    """Show what this person sees, oldest first."""
    world, person = the_world(), _known(phone)
    with world.lock:
        return jsonify([one for one in world.state.chat if one["phone"] == person.phone])


@bp.get("/menu")
def show_menu() -> Response:
    """Show the account's menu; no buttons if there is none."""
    world = the_world()
    appid = world.credentials.app("official").appid
    return jsonify(world.state.menus.get(appid) or {"button": []})


@bp.get("/pushes")
def list_pushes() -> Response:
    """List every push with its attempts and reply, oldest first; `?phone=` narrows it."""
    world = the_world()
    phone = request.args.get("phone")
    with world.lock:
        return jsonify([one for one in world.state.pushes if phone in (None, one["phone"])])


def _account(data: dict[str, Any]) -> str:
    account = data.get("account", "official")
    if account not in push.PATHS:
        raise BadAsk("account is official or miniapp")
    return str(account)


@bp.post("/push/verify")
def verify_url() -> Response:
    """Check the backend's URL as the console does when one saves it."""
    world, data = the_world(), ask("account")
    return jsonify(push.verify_url(world, world.credentials.app(_account(data))))


@bp.post("/craft/push")
def craft() -> Response:
    """Make a push by hand, with the faults asked for; nobody sends it."""
    data = ask(
        "account",
        "phone",
        "kind",
        "content",
        "event",
        "event_key",
        "list",
        "raw",
        "extra",
        "msg_id",
        "faults",
    )
    _account(data)
    try:
        return jsonify(craft_push.craft(the_world(), data))
    except UnknownFault as unknown:
        raise BadAsk(str(unknown)) from unknown
