"""Plain pages for whoever holds a link or scans a code: no sign-in, no outside file.

Scripts are there where only a script can: to open WeChat's pay sheet, and to keep the token of a
mailed link from every log. All else works without.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from flask import Blueprint, Response, make_response, render_template, send_from_directory

from domain.passwords import LENGTH_ALONE, LENGTH_CAP
from domain.periods import SHANGHAI
from miniapp_api.security import open_to_all

bp = Blueprint("pages", __name__, template_folder="templates")

_STATIC = Path(__file__).parent / "static"
_CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_KEPT_S = 3600


def show_page(template: str, status: int = 200, **values: object) -> Response:
    """Fill a template and answer with it.

    The page's address carries a token: other hosts learn our name only, which WeChat's H5 payment
    asks for.
    """
    response = make_response(render_template(template, **values), status)
    response.headers["Content-Security-Policy"] = _CSP
    response.headers["Referrer-Policy"] = "origin"
    return response


def without_script(response: Response) -> Response:
    """Forbid a page that has no script to run any."""
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    return response


@bp.app_template_filter("clock")
def show_clock(at: datetime) -> str:
    """Write an instant the way people here read it."""
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


@bp.get("/h5/payments")
@open_to_all
def after_paying() -> Response:
    """Receive an owner's browser back from a page of the channel, which proves nothing here."""
    return show_page("paid_outside.html")


@bp.get("/staff/reset")
@open_to_all
def reset_password() -> Response:
    """Ask whoever comes from a mailed link for a new password; the token never comes here."""
    response = show_page("staff_reset.html", least=LENGTH_ALONE, most=LENGTH_CAP)
    response.headers["Content-Security-Policy"] = f"{_CSP}; connect-src 'self'; form-action 'none'"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@bp.get("/s/<any('page.css', 'pay.js', 'reset.js'):name>")
@open_to_all
def static_file(name: str) -> Response:
    """Give a file that the pages share."""
    response = send_from_directory(_STATIC, name, max_age=_KEPT_S)
    response.headers["Cache-Control"] = f"public, max-age={_KEPT_S}"
    return response
