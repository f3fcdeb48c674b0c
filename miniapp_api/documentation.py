"""The OpenAPI description and its page, served from here alone: no CDN."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flask import Blueprint as FlaskBlueprint
from flask import Flask, Response, render_template, send_from_directory
from flask_smorest import Api, Blueprint
from swagger_ui_bundle import swagger_ui_path

from miniapp_api.schemas import ErrorOut
from miniapp_api.security import open_to_all
from miniapp_api.strict_json import StrictParser

_SCHEMES = {"owner": "session", "staff": "staff_session_or_key"}
"""What a route that carries a mark asks for."""
_REFUSALS = {
    401: "没有登录或登录已失效",
    403: "没有权限",
    404: "没有，或不是您的",
    409: "当前状态不能进行",
    422: "填写有误，fields 说明哪一项",
    429: "太频繁，Retry-After 说明多久后再来",
    502: "平台拒绝",
    503: "平台没有响应，或系统暂时不可用：可重试",
}
_PART = re.compile(r"<(?:[^:>]+:)?(\w+)>")
_OWN_FILES = frozenset({"start.js", "narrow.css"})
_UI_FILES = frozenset({"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"})

docs = FlaskBlueprint(
    "api_docs", __name__, template_folder="templates", static_folder=None, url_prefix="/api/docs"
)


class ApiBlueprint(Blueprint):
    """A group of routes below ``/api/v1``."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, import_name: str, *, description: str) -> None:
        super().__init__(name, import_name, url_prefix="/api/v1", description=description)

    def refusals(self, *statuses: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Document which errors a route can answer; all have the one shape."""

        def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
            for status in statuses:
                view = self.alt_response(status, schema=ErrorOut, description=_REFUSALS[status])(
                    view
                )
            return view

        return decorate


class OurApi(Api):
    """An API whose every error is described in our shape, also those nobody listed."""

    ERROR_SCHEMA = ErrorOut


def make_api(app: Flask) -> Api:
    """Make the API and its description at ``/api/v1/openapi.json``."""
    app.config.update(
        API_TITLE="安居 API",
        API_VERSION="v1",
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/api/v1",
        OPENAPI_JSON_PATH="openapi.json",
    )
    api = OurApi(
        app,
        spec_kwargs={
            "info": {
                "description": "业主小程序与 H5 使用的接口，以及员工系统（如抄表）使用的接口。"
                "金额一律为整数分；时刻为 UTC，日期为北京时间。"
            },
        },
    )
    for scheme in _SCHEMES.values():
        api.spec.components.security_scheme(scheme, {"type": "http", "scheme": "bearer"})
    app.register_blueprint(docs)
    return api


def describe_security(app: Flask, api: Api) -> None:
    """Say in the description which routes ask for a session or for a staff key."""
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        scheme = _SCHEMES.get(getattr(view, "access", ""))
        if scheme is None:
            continue
        path = api.spec.to_dict()["paths"].get(_as_openapi(rule.rule), {})
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            path.get(method.lower(), {})["security"] = [{scheme: []}]


def _as_openapi(rule: str) -> str:
    return _PART.sub(r"{\1}", rule)


@docs.get("")
@open_to_all
def page() -> str:
    """Show the description to people."""
    return render_template("api_docs.html")


@docs.get("/files/<string:name>")
@open_to_all
def ui_file(name: str) -> Response:
    """Serve one of the few files of Swagger UI."""
    if name in _OWN_FILES:
        return send_from_directory(str(docs.root_path) + "/static", name)
    return send_from_directory(swagger_ui_path, name if name in _UI_FILES else "none")
