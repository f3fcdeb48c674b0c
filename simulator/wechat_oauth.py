"""Web authorisation inside WeChat: who holds the phone, told to a page by a redirect.

Source: https://developers.weixin.qq.com/doc/service/guide/h5/auth.html
"""

import re
import secrets
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, jsonify, redirect, request

from simulator.chance import ALNUM
from simulator.outbound import is_loopback
from simulator.wechat_mini import new_code, take_code
from simulator.wechat_wire import Refused, endpoint
from simulator.world import the_world

bp = Blueprint("wechat_oauth", __name__)

HOLDER = "sim_phone"
"""The cookie by which a browser says whose phone it plays."""
PASSER_BY = "19900009999"
_STATE = re.compile(r"[0-9A-Za-z]{0,128}")
"""Source: WeChat, 网页授权: letters and digits, 128 bytes at most."""
_SCOPES = ("snsapi_base", "snsapi_userinfo")


@bp.get("/wx/connect/oauth2/authorize")
def authorize() -> Response:
    """Send the browser back with a single-use code, as WeChat does without asking for the base."""
    world, args = the_world(), request.args
    app = world.credentials.apps.get(args.get("appid", ""))
    target = args.get("redirect_uri", "")
    wrong = (
        app is None
        or app.kind != "official"
        or args.get("response_type") != "code"
        or args.get("scope") not in _SCOPES
        or not _STATE.fullmatch(args.get("state", ""))
        or not is_loopback(target)
    )
    if wrong or app is None:
        return Response(
            "redirect_uri域名与后台配置不一致，错误码:10003", 400, mimetype="text/plain"
        )
    phone = request.cookies.get(HOLDER, PASSER_BY)
    with world.lock:
        code = new_code(world, kind="oauth", phone=world.person(phone).phone, appid=app.appid)
    query = urlencode({"code": code.value, "state": args.get("state", "")})
    joint = "&" if urlsplit(target).query else "?"
    answer = redirect(f"{target}{joint}{query}", 302)
    return Response(answer.get_data(), 302, headers=list(answer.headers.items()))


@bp.route("/wx/sns/oauth2/access_token", methods=["GET", "POST"])
@endpoint("GET")
def access_token() -> Response:
    """Exchange a code for the openid; the token of a page is another than the account's."""
    world, args = the_world(), request.args
    app = world.credentials.apps.get(args.get("appid", ""))
    if app is None or app.kind != "official":
        raise Refused(40013)
    if not secrets.compare_digest(app.secret, args.get("secret", "")):
        raise Refused(40125)
    if args.get("grant_type") != "authorization_code":
        raise Refused(40002)
    if not args.get("code"):
        raise Refused(41008)
    with world.lock:
        code = take_code(world, args["code"], kind="oauth", appid=app.appid)
        person = world.person(code.phone)
    return jsonify(
        {
            "access_token": world.chance.text(107, ALNUM),
            "expires_in": 7200,
            "refresh_token": world.chance.text(107, ALNUM),
            "openid": person.openids[app.appid],
            "scope": "snsapi_base",
        }
    )
