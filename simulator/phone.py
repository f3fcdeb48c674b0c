"""The phone page: what a person would hold in the hand, for use in a browser."""

from flask import Blueprint, Response, make_response, render_template

bp = Blueprint("phone", __name__)


@bp.get("/")
def page() -> Response:
    """Show the page; everything on it comes from the control interface."""
    response = make_response(render_template("phone.html"))
    response.headers["Content-Security-Policy"] = "default-src 'self'; img-src 'self' data:"
    return response
