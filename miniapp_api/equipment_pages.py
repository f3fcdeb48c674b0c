"""The page behind the label of equipment: what it is, where it stands, how to report a fault."""

from __future__ import annotations

from flask import Blueprint, Response

from domain.errors import NotFound
from miniapp_api.limits import VERIFYING, limited
from miniapp_api.pages import show_page, without_script
from miniapp_api.security import actor, open_to_all, own_services

bp = Blueprint("equipment_pages", __name__)


@bp.get("/e/<number:code>")
@open_to_all
@limited(VERIFYING)
def show_equipment(code: str) -> Response:
    """Tell anybody what the label is of: its name and place, and nothing else."""
    try:
        found = own_services().equipment_labels.look_up(actor=actor(), code=code)
    except NotFound:
        return without_script(show_page("equipment_unknown.html", 404))
    return without_script(show_page("equipment.html", equipment=found, code=code.upper()))
