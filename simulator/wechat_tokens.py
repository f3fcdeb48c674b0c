"""Access tokens: two pools per app, their limits, overlap, revocation and expiry.

Source: https://developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken
"""

import math
from typing import Any

from flask import Blueprint, Response, jsonify, request

from simulator.calls import judge
from simulator.chance import BASE64URL
from simulator.clock import beijing_day
from simulator.credentials import App
from simulator.state import Token
from simulator.wechat_wire import Refused, body_json, endpoint, only_known
from simulator.world import World, the_world

LIFETIME_S = 7200
OVERLAP_S = 300  # how long an old token still works, and how early a stable one is replaced
PLAIN_PER_DAY = 2000
STABLE_PER_DAY = 500_000
FORCED_PER_DAY = 20
FORCED_APART_S = 30

bp = Blueprint("wechat_tokens", __name__)


def _identify(appid: Any, secret: Any) -> App:
    if not appid:
        raise Refused(41002)
    if not secret:
        raise Refused(41004)
    app = the_world().credentials.apps.get(appid)
    if app is None:
        raise Refused(40013)
    if app.secret != secret:
        raise Refused(40125)
    return app


def _new_token(world: World, app: App, pool: str) -> Token:
    now = world.clock.time()
    # 512 characters, so that a column or cache that is too short is noticed.
    value = f"{len(world.state.tokens) % 100:02d}_" + world.chance.text(509, BASE64URL)
    token = Token(value, app.appid, pool, now, now + LIFETIME_S)
    world.state.tokens[value] = token
    for old in [t for t in world.state.tokens.values() if t.expires_at < now - 86_400]:
        del world.state.tokens[old.value]
    world.changed()
    return token


def _current(world: World, app: App, pool: str) -> Token | None:
    mine = [t for t in world.state.tokens.values() if (t.appid, t.pool) == (app.appid, pool)]
    usable = [t for t in mine if t.still_served or not t.revoked]
    return usable[-1] if usable else None


def _answer(world: World, token: Token) -> Response:
    left = math.ceil(token.expires_at - world.clock.time())
    return jsonify({"access_token": token.value, "expires_in": max(left, 0)})


def _check_quota(world: World, app: App, name: str, limit: int) -> None:
    day = beijing_day(world.clock.time())
    if world.state.count(f"{name}:{app.appid}:{day}") > limit:
        raise Refused(45009)


@bp.route("/wx/cgi-bin/token", methods=["GET", "POST"])
@endpoint("GET")
def plain_token() -> Response:
    """Make a new token each time; the one before works 300 s longer."""
    world = the_world()
    if request.args.get("grant_type") != "client_credential":
        raise Refused(40002)
    app = _identify(request.args.get("appid"), request.args.get("secret"))
    with world.lock:
        _check_quota(world, app, "token", PLAIN_PER_DAY)
        old = _current(world, app, "plain")
        if old is not None:
            old.expires_at = min(old.expires_at, world.clock.time() + OVERLAP_S)
        return _answer(world, _new_token(world, app, "plain"))


@bp.route("/wx/cgi-bin/stable_token", methods=["GET", "POST"])
@endpoint("POST")
def stable_token() -> Response:
    """Return the same token until 300 s before its end, or a new one by force."""
    world = the_world()
    data = body_json()
    only_known(data, {"grant_type", "appid", "secret", "force_refresh"})
    if data.get("grant_type") != "client_credential":
        raise Refused(40002)
    app = _identify(data.get("appid"), data.get("secret"))
    forced = data.get("force_refresh", False)
    if not isinstance(forced, bool):
        raise Refused(47001)
    with world.lock:
        _check_quota(world, app, "stable_token", STABLE_PER_DAY)
        old = _current(world, app, "stable")
        if forced and (old is None or _may_force(world, app)):
            if old is not None:
                old.revoked, old.still_served = True, False
            return _answer(world, _new_token(world, app, "stable"))
        if old is not None and old.expires_at - world.clock.time() > OVERLAP_S:
            return _answer(world, old)
        return _answer(world, _new_token(world, app, "stable"))


def _may_force(world: World, app: App) -> bool:
    now = world.clock.time()
    counters = world.state.counters
    last_key, day_key = f"forced_at:{app.appid}", f"forced:{app.appid}:{beijing_day(now)}"
    if now - counters.get(last_key, -FORCED_APART_S) < FORCED_APART_S:
        judge("ok, but the forced refresh came less than 30 s after the last: old token")
        return False
    if counters.get(day_key, 0) >= FORCED_PER_DAY:
        judge("ok, but 20 forced refreshes were used up today: old token")
        return False
    counters[last_key] = int(now)
    world.state.count(day_key)
    return True


def revoke(world: World, appid: str, *, keep_serving: bool) -> int:
    """Make all tokens of an app invalid (40001); tell how many there were.

    With keep_serving, `stable_token` in normal mode goes on handing out the bad one.
    """
    with world.lock:
        mine = [t for t in world.state.tokens.values() if t.appid == appid and not t.revoked]
        for token in mine:
            token.revoked, token.still_served = True, keep_serving
        world.changed()
        return len(mine)


def expire(world: World, appid: str) -> int:
    """Let all tokens of an app reach their end now (42001); tell how many there were."""
    with world.lock:
        now = world.clock.time()
        mine = [t for t in world.state.tokens.values() if t.appid == appid and t.expires_at > now]
        for token in mine:
            token.expires_at = now
        world.changed()
        return len(mine)
