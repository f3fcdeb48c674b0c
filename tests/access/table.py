"""Who may use which route, on whose rows, and what they are answered: the one table.

A line says which roles may, what the route is about, and the status for the own row. For everybody
else the answer follows from the rule that `test_matrix` states, so that it need not be repeated.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.actors import Role

Values = Callable[[Any], dict[str, Any]]

ADMINISTRATOR, MANAGER, FINANCE, CASHIER = (
    Role.ADMINISTRATOR,
    Role.MANAGER,
    Role.FINANCE,
    Role.CASHIER,
)
SERVICE, ENGINEER, AUDITOR = Role.CUSTOMER_SERVICE, Role.ENGINEER, Role.AUDITOR
EVERY_ROLE = tuple(Role)
VIEWERS = (MANAGER, FINANCE, CASHIER, SERVICE, AUDITOR)
KEEPERS = (SERVICE, MANAGER)
METER_READERS = (FINANCE, ENGINEER)
ESTATE_KEEPERS = (ADMINISTRATOR, MANAGER)
ESTATE_VIEWERS = (ADMINISTRATOR, *VIEWERS)
FILERS = (MANAGER, SERVICE, ENGINEER)
METER_KEEPERS = (MANAGER, FINANCE)
DISPATCHERS = (SERVICE, MANAGER)
REPAIR_VIEWERS = (MANAGER, SERVICE, AUDITOR)


@dataclass(frozen=True)
class Line:
    """One route.

    ``of`` is what a row of it belongs to: ``house`` (a building's staff may, another building's
    not), ``community`` (staff of the whole community), ``self`` (only one's own account: there is
    nothing of others to ask for) or ``list`` (tells rows, of the scope only).
    """

    own: int
    roles: tuple[Role, ...] = ()
    of: str = "house"
    body: Values | None = None
    query: Values | None = None
    ids: Mapping[str, str] = field(default_factory=dict)
    """Which row of a place a path means where its name is not enough."""
    blind: tuple[Role, ...] = ()
    """Roles that may use the route, though for them rows of this kind are not there."""
    scope: str = ""
    """Whose scope the askers have, where ``of`` does not say it: ``community``."""
    tells: str = ""
    """What of the own place a list must tell."""


def _with(**values: Any) -> Values:
    return lambda _place: values


def _of(*names: str, **more: Any) -> Values:
    return lambda place: {name: place[name] for name in names} | more


WHY = {"reason": "x"}
DAYS = {"from": "2026-01-01", "until": "2026-01-31"}
APPLICATION = {"application_id": "own_application_id"}
OPEN_PAYMENT = {"payment_id": "open_payment_id"}
STAFF_HOUSE = "/api/v1/staff/houses/<row_id:house_id>"
STAFF_OWNER = "/api/v1/staff/owners/<row_id:owner_id>"
STAFF_ACCOUNT = "/api/v1/staff/accounts/<row_id:staff_id>"
PERSON = "/api/v1/staff/house-people/<row_id:person_id>"
STAFF_APPLICATION = "/api/v1/staff/bindings/applications/<row_id:application_id>"
BATCH = "/api/v1/staff/imports/<row_id:batch_id>"
STAFF_COMMUNITY = "/api/v1/staff/communities/<row_id:community_id>"
STAFF_BUILDING = "/api/v1/staff/buildings/<row_id:building_id>"
STAFF_SPACE = "/api/v1/staff/parking-spaces/<row_id:space_id>"
STAFF_CAR = "/api/v1/staff/cars/<row_id:car_id>"
STAFF_NOTICE = "/api/v1/staff/notices/<row_id:notice_id>"
STAFF_METER = "/api/v1/staff/meters/<row_id:meter_id>"
REPAIR, STAFF_REPAIR = (
    "/api/v1/repairs/<row_id:repair_id>",
    "/api/v1/staff/repairs/<row_id:repair_id>",
)
INCIDENT = "/api/v1/staff/repair-incidents/<row_id:incident_id>"
NEW_REPAIR = _of("house_id", category="water", description="水管漏水")
RULES = {"dispatch_mode": "grab", "accept_minutes": 20, "fee_item_id": None}
NOTE = {"note": "x"}
NOTED = {"changes": {"note": "x"}, "expected": {"note": ""}}
RETIRED = {"retired_on": "2026-11-16", "reason": "x"}

OWNERS: dict[tuple[str, str], Line] = {
    ("POST", "/api/v1/repairs"): Line(201, body=NEW_REPAIR),
    ("GET", "/api/v1/repairs"): Line(200, of="list", tells="repair_words"),
    ("GET", "/api/v1/repairs/alike"): Line(
        200, of="list", query=_of("house_id", category="water"), tells="repair_words"
    ),
    ("GET", REPAIR): Line(200),
    ("POST", f"{REPAIR}/cancel"): Line(204, body=_with(**WHY)),
    ("POST", f"{REPAIR}/confirm"): Line(409),
    ("POST", f"{REPAIR}/reopen"): Line(409, body=_with(**WHY)),
    ("POST", f"{REPAIR}/quote"): Line(409, body=_with(agrees=True)),
    ("POST", f"{REPAIR}/rating"): Line(409, body=_with(score=5)),
    ("DELETE", "/api/v1/sessions"): Line(204, of="self"),
    ("DELETE", "/api/v1/sessions/current"): Line(204, of="self"),
    ("GET", "/api/v1/bills"): Line(200, of="list", tells="house_label"),
    ("GET", "/api/v1/bills/<row_id:bill_id>"): Line(200),
    ("GET", "/api/v1/bills/outstanding"): Line(200, of="list"),
    ("GET", "/api/v1/houses"): Line(200, of="list", tells="house_label"),
    ("GET", "/api/v1/houses/<row_id:house_id>/statement"): Line(200, query=_with(**DAYS)),
    ("GET", "/api/v1/houses/<row_id:house_id>/statement.pdf"): Line(200, query=_with(**DAYS)),
    ("GET", "/api/v1/houses/<row_id:house_id>/statement.xlsx"): Line(200, query=_with(**DAYS)),
    ("GET", "/api/v1/payments"): Line(200, of="list", tells="number"),
    ("GET", "/api/v1/payments/<row_id:payment_id>"): Line(200),
    ("GET", "/api/v1/prepaid"): Line(200, of="list"),
    ("GET", "/api/v1/receipts/<number:receipt_no>"): Line(200),
    ("GET", "/api/v1/receipts/<number:receipt_no>.pdf"): Line(200),
    ("POST", "/api/v1/password"): Line(422, of="self", body=_with(password="x", new_password="y")),
    ("POST", "/api/v1/payments"): Line(201, body=lambda place: {"bill_ids": [place["bill_id"]]}),
    ("POST", "/api/v1/payments/<row_id:payment_id>/cancel"): Line(200, ids=OPEN_PAYMENT),
    ("POST", "/api/v1/payments/<row_id:payment_id>/refresh"): Line(200, ids=OPEN_PAYMENT),
    ("GET", "/api/v1/bindings"): Line(200, of="list", tells="house_label"),
    ("POST", "/api/v1/bindings"): Line(200, of="self"),
    ("PATCH", "/api/v1/bindings/<row_id:binding_id>"): Line(404, body=_with()),
    ("DELETE", "/api/v1/bindings/<row_id:binding_id>"): Line(204),
    ("GET", "/api/v1/bindings/applications"): Line(200, of="list"),
    ("POST", "/api/v1/bindings/applications"): Line(
        201,
        of="self",
        body=lambda place: {
            "community": place["community_code"],
            "house": "x",
            "name": "x",
            "role": "owner",
            "proof": "x",
        },
    ),
    ("DELETE", "/api/v1/bindings/applications/<row_id:application_id>"): Line(204, ids=APPLICATION),
    ("GET", "/api/v1/invitations"): Line(200, of="list", tells="house_label"),
    ("POST", "/api/v1/invitations"): Line(
        201, body=_of("house_id", phone="13600000009", name="x", role="family")
    ),
    ("POST", "/api/v1/invitations/accept"): Line(404, of="self", body=_with(token="x")),
    ("DELETE", "/api/v1/invitations/<row_id:invitation_id>"): Line(204),
    ("POST", "/api/v1/phone-change"): Line(
        422, of="self", body=_with(phone="18800000001", old_code="123456", new_code="123456")
    ),
    ("POST", "/api/v1/phone-change/codes"): Line(202, of="self", body=_with(phone="18800000001")),
}

OWNERS |= {
    ("GET", "/api/v1/consents"): Line(200, of="self"),
    ("POST", "/api/v1/consents"): Line(
        204, of="self", body=_with(kind="marketing", version="2026-11-25")
    ),
    ("POST", "/api/v1/consents/<string:kind>/withdraw"): Line(204, of="self"),
    ("GET", "/api/v1/notices"): Line(200, of="list", tells="notice_title"),
    ("GET", "/api/v1/notices/<row_id:notice_id>"): Line(200),
    ("GET", "/api/v1/subscriptions"): Line(200, of="self"),
    ("POST", "/api/v1/subscriptions"): Line(
        200, of="self", body=_with(answers=[{"template_id": "x", "said": "reject"}])
    ),
    ("GET", "/api/v1/privacy/exports"): Line(200, of="list"),
    ("POST", "/api/v1/privacy/exports"): Line(202, of="self"),
    ("POST", "/api/v1/photos"): Line(422, of="self"),
    ("GET", "/api/v1/privacy/exports/<row_id:export_id>/file"): Line(200),
    ("GET", "/api/v1/privacy/deletion"): Line(200, of="self"),
    ("POST", "/api/v1/privacy/deletion"): Line(409, of="self", body=_with(code="123456")),
    ("DELETE", "/api/v1/privacy/deletion"): Line(404, of="self"),
    ("POST", "/api/v1/privacy/deletion/codes"): Line(202, of="self"),
}

STAFF: dict[tuple[str, str], Line] = {
    ("POST", "/api/v1/staff/photos"): Line(422, FILERS, of="self"),
    ("POST", "/api/v1/staff/documents"): Line(422, FILERS, of="self"),
    ("GET", "/api/v1/staff/repairs"): Line(
        200, REPAIR_VIEWERS, of="list", tells="repair_words", blind=(ENGINEER,)
    ),
    ("POST", "/api/v1/staff/repairs"): Line(201, (*DISPATCHERS, ENGINEER), body=NEW_REPAIR),
    ("GET", STAFF_REPAIR): Line(200, REPAIR_VIEWERS, blind=(ENGINEER,)),
    ("GET", f"{STAFF_REPAIR}/engineers"): Line(200, DISPATCHERS, scope="community"),
    ("POST", f"{STAFF_REPAIR}/assign"): Line(204, DISPATCHERS, body=_of("staff_id")),
    ("POST", f"{STAFF_REPAIR}/rotate"): Line(201, DISPATCHERS),
    ("POST", f"{STAFF_REPAIR}/offer"): Line(204, DISPATCHERS),
    **{
        ("POST", f"{STAFF_REPAIR}/{act}"): Line(
            404, (ENGINEER,), body=None if body is None else _with(**body)
        )
        for act, body in {
            "grab": None,
            "accept": None,
            "return": WHY,
            "transfer": WHY | {"staff_id": 1},
            "arrive": {},
            "suspend": NOTE | {"waits_for": "parts", "until_on": "2026-11-26"},
            "resume": None,
            "quote": NOTE | {"amount_fen": 1},
            "finish": {"cause": "ageing", "measure": "x"},
        }.items()
    },
    ("POST", f"{STAFF_REPAIR}/force-close"): Line(204, (MANAGER,), body=_with(**WHY)),
    ("POST", f"{STAFF_REPAIR}/follow-up"): Line(
        409, DISPATCHERS, body=_with(is_satisfied=True, **NOTE)
    ),
    ("POST", f"{STAFF_REPAIR}/note"): Line(204, DISPATCHERS, body=_with(**NOTE)),
    ("GET", "/api/v1/staff/repair-incidents/suggestions"): Line(
        200, DISPATCHERS, of="community", query=_of("community_id")
    ),
    ("GET", "/api/v1/staff/repair-incidents"): Line(
        200, REPAIR_VIEWERS, of="community", query=_of("community_id")
    ),
    ("POST", "/api/v1/staff/repair-incidents"): Line(
        409,
        DISPATCHERS,
        body=lambda place: {
            "repair_ids": [place["repair_id"], place["repair_id"] + 1],
            "title": "x",
        },
    ),
    ("POST", f"{INCIDENT}/note"): Line(200, DISPATCHERS, body=_with(**NOTE)),
    ("POST", f"{INCIDENT}/end"): Line(204, DISPATCHERS, body=_with(**NOTE)),
    ("GET", f"{STAFF_COMMUNITY}/repair-rules"): Line(200, REPAIR_VIEWERS, of="community"),
    ("PUT", f"{STAFF_COMMUNITY}/repair-rules"): Line(
        204, (MANAGER,), of="community", body=_with(**RULES)
    ),
    ("PUT", f"{STAFF_ACCOUNT}/repair-work"): Line(204, (MANAGER,), of="community", body=_with()),
    ("GET", "/api/v1/staff/repair-analysis"): Line(
        200,
        REPAIR_VIEWERS,
        of="community",
        query=_of("community_id", from_on="2026-01-01", until_on="2026-12-31"),
    ),
    ("GET", "/api/v1/staff/history"): Line(
        200, (ADMINISTRATOR, MANAGER, FINANCE, AUDITOR), of="list", tells="house_label"
    ),
    ("GET", "/api/v1/staff/history.xlsx"): Line(
        200, (ADMINISTRATOR, MANAGER, FINANCE, AUDITOR), of="list"
    ),
    ("GET", "/api/v1/staff/imports"): Line(
        200, KEEPERS, of="list", scope="community", tells="file_name", blind=METER_READERS
    ),
    ("GET", BATCH): Line(200, KEEPERS, of="community", blind=METER_READERS),
    ("GET", f"{BATCH}/errors.xlsx"): Line(200, KEEPERS, of="community", blind=METER_READERS),
    ("GET", f"{BATCH}/problems"): Line(200, KEEPERS, of="community", blind=METER_READERS),
    ("GET", "/api/v1/staff/imports/template.xlsx"): Line(
        200, (*KEEPERS, *METER_READERS), of="self"
    ),
    ("POST", "/api/v1/staff/imports"): Line(
        422,
        KEEPERS,
        of="community",
        query=lambda place: {"community": place["community_code"], "kind": "owners"},
    ),
    ("POST", f"{BATCH}/commit"): Line(409, KEEPERS, of="community", blind=METER_READERS),
    ("POST", f"{BATCH}/undo"): Line(200, KEEPERS, of="community", blind=METER_READERS),
    ("GET", "/api/v1/staff/payments/<number:number>/life"): Line(
        200,
        VIEWERS,
        of="community",
        query=lambda place: {"community": place["community_code"]},
    ),
    ("POST", "/api/v1/staff/payments/<number:number>/ask"): Line(
        200,
        VIEWERS,
        of="community",
        query=lambda place: {"community": place["community_code"]},
    ),
    ("POST", "/api/v1/staff/meter-readings"): Line(
        200,
        (ENGINEER, MANAGER, FINANCE, SERVICE),
        of="community",
        body=lambda place: {
            "community": place["community_code"],
            "readings": [{"meter_no": "W404", "read_on": "2026-10-31", "reading": "1"}],
        },
    ),
    ("GET", "/api/v1/staff/privacy/requests"): Line(
        200, (ADMINISTRATOR, MANAGER), of="list", tells="phone_masked"
    ),
    ("GET", "/api/v1/staff/sessions"): Line(200, EVERY_ROLE, of="self"),
    ("DELETE", "/api/v1/staff/sessions"): Line(204, EVERY_ROLE, of="self"),
    ("DELETE", "/api/v1/staff/sessions/current"): Line(204, EVERY_ROLE, of="self"),
    ("DELETE", "/api/v1/staff/sessions/<row_id:session_id>"): Line(204, EVERY_ROLE),
    ("POST", "/api/v1/staff/sessions/current/proof"): Line(
        401, EVERY_ROLE, of="self", body=_with(password="x")
    ),
    ("POST", "/api/v1/staff/password"): Line(
        422, EVERY_ROLE, of="self", body=_with(password="x", new_password="y")
    ),
    ("POST", "/api/v1/staff/totp"): Line(201, EVERY_ROLE, of="self"),
    ("POST", "/api/v1/staff/totp/confirmation"): Line(
        409, EVERY_ROLE, of="self", body=_with(code="123456")
    ),
    ("DELETE", "/api/v1/staff/totp"): Line(204, EVERY_ROLE, of="self"),
    ("GET", "/api/v1/staff/accounts"): Line(
        200, (ADMINISTRATOR,), of="list", scope="community", tells="name"
    ),
    ("POST", "/api/v1/staff/accounts"): Line(
        201,
        (ADMINISTRATOR,),
        of="community",
        body=lambda place: {
            "login_name": "new.staff",
            "name": "新",
            "role": "engineer",
            "communities": [place["community_code"]],
        },
    ),
    ("POST", STAFF_ACCOUNT): Line(200, (ADMINISTRATOR,), of="community", body=_with(name="x")),
    ("POST", f"{STAFF_ACCOUNT}/role"): Line(
        200, (ADMINISTRATOR,), of="community", body=_with(role="engineer")
    ),
    ("POST", f"{STAFF_ACCOUNT}/scope"): Line(
        204,
        (ADMINISTRATOR,),
        of="community",
        body=lambda place: {"communities": [place["community_code"]]},
    ),
    ("POST", f"{STAFF_ACCOUNT}/disable"): Line(204, (ADMINISTRATOR,), of="community"),
    ("POST", f"{STAFF_ACCOUNT}/enable"): Line(200, (ADMINISTRATOR,), of="community"),
    ("POST", f"{STAFF_ACCOUNT}/password-reset"): Line(
        200, (ADMINISTRATOR,), of="community", body=_with()
    ),
    ("GET", "/api/v1/staff/role-grants"): Line(
        200, (ADMINISTRATOR, MANAGER), of="list", scope="community", tells="name"
    ),
    ("POST", "/api/v1/staff/role-grants/<row_id:grant_id>/grant"): Line(
        204, (ADMINISTRATOR, MANAGER), of="community"
    ),
    ("POST", "/api/v1/staff/role-grants/<row_id:grant_id>/refuse"): Line(
        204, (ADMINISTRATOR, MANAGER), of="community"
    ),
    ("POST", "/api/v1/staff/owner-accounts"): Line(
        201,
        (ADMINISTRATOR, SERVICE),
        of="community",
        body=lambda place: {"phone": place["phone"], "login_name": "owner.x"},
    ),
    ("GET", "/api/v1/staff/communities"): Line(
        200, ESTATE_VIEWERS, of="list", tells="community_code"
    ),
    # A new community is for staff of the whole company; these work for one.
    ("POST", "/api/v1/staff/communities"): Line(
        404, ESTATE_KEEPERS, of="self", body=_with(code="NEW1", name="新小区")
    ),
    ("GET", STAFF_COMMUNITY): Line(200, ESTATE_VIEWERS, of="community"),
    ("PATCH", STAFF_COMMUNITY): Line(204, ESTATE_KEEPERS, of="community", body=_with(**NOTED)),
    ("POST", f"{STAFF_COMMUNITY}/retire"): Line(
        409, ESTATE_KEEPERS, of="community", body=_with(**RETIRED)
    ),
    ("POST", f"{STAFF_COMMUNITY}/restore"): Line(
        204, ESTATE_KEEPERS, of="community", body=_with(**WHY)
    ),
    ("GET", "/api/v1/staff/buildings"): Line(
        200,
        ESTATE_VIEWERS,
        of="list",
        query=lambda place: {"community": place["community_code"]},
        tells="building_name",
    ),
    ("POST", "/api/v1/staff/buildings"): Line(
        201,
        ESTATE_KEEPERS,
        of="community",
        body=lambda place: {"community": place["community_code"], "name": "88栋"},
    ),
    ("GET", STAFF_BUILDING): Line(200, ESTATE_VIEWERS),
    ("PATCH", STAFF_BUILDING): Line(204, ESTATE_KEEPERS, body=_with(**NOTED)),
    ("PATCH", f"{STAFF_BUILDING}/units"): Line(
        204, ESTATE_KEEPERS, body=_with(unit_no="1", **NOTED)
    ),
    ("POST", f"{STAFF_BUILDING}/retire"): Line(409, ESTATE_KEEPERS, body=_with(**RETIRED)),
    ("POST", f"{STAFF_BUILDING}/restore"): Line(204, ESTATE_KEEPERS, body=_with(**WHY)),
    ("POST", f"{STAFF_BUILDING}/remove"): Line(409, ESTATE_KEEPERS, body=_with(**WHY)),
    ("GET", "/api/v1/staff/houses"): Line(200, ESTATE_VIEWERS, of="list", tells="house_label"),
    ("POST", "/api/v1/staff/houses"): Line(
        201, ESTATE_KEEPERS, body=_of("building_id", room_no="909", building_area="80")
    ),
    ("GET", STAFF_HOUSE): Line(200, ESTATE_VIEWERS),
    ("PATCH", STAFF_HOUSE): Line(204, ESTATE_KEEPERS, body=_with(**NOTED)),
    ("POST", f"{STAFF_HOUSE}/preview"): Line(
        200, ESTATE_KEEPERS, body=_with(changes={"building_area": "92.1"})
    ),
    ("POST", f"{STAFF_HOUSE}/use"): Line(
        204, ESTATE_KEEPERS, body=_with(state="vacant", holds_from="2026-11-01", **WHY)
    ),
    ("POST", f"{STAFF_HOUSE}/retire"): Line(409, ESTATE_KEEPERS, body=_with(**RETIRED)),
    ("POST", f"{STAFF_HOUSE}/restore"): Line(204, ESTATE_KEEPERS, body=_with(**WHY)),
    ("POST", f"{STAFF_HOUSE}/remove"): Line(409, ESTATE_KEEPERS, body=_with(**WHY)),
    ("GET", "/api/v1/staff/parking-spaces"): Line(
        200,
        ESTATE_VIEWERS,
        of="community",
        query=lambda place: {"community": place["community_code"]},
        tells="space_no",
    ),
    ("POST", "/api/v1/staff/parking-spaces"): Line(
        201,
        ESTATE_KEEPERS,
        of="community",
        body=lambda place: {
            "community": place["community_code"],
            "space_no": "B9-999",
            "right_kind": "owned",
        },
    ),
    ("PATCH", STAFF_SPACE): Line(204, ESTATE_KEEPERS, of="community", body=_with(**NOTED)),
    ("POST", f"{STAFF_SPACE}/retire"): Line(
        409, ESTATE_KEEPERS, of="community", body=_with(**RETIRED)
    ),
    ("POST", f"{STAFF_SPACE}/restore"): Line(
        204, ESTATE_KEEPERS, of="community", body=_with(**WHY)
    ),
    ("POST", f"{STAFF_SPACE}/remove"): Line(409, ESTATE_KEEPERS, of="community", body=_with(**WHY)),
    ("GET", "/api/v1/staff/cars"): Line(
        200,
        ESTATE_VIEWERS,
        of="community",
        query=lambda place: {"community": place["community_code"]},
        tells="plate_no",
    ),
    ("POST", "/api/v1/staff/cars"): Line(
        201,
        ESTATE_KEEPERS,
        of="community",
        body=lambda place: {"community": place["community_code"], "plate_no": "粤B99999"},
    ),
    ("GET", "/api/v1/staff/notices"): Line(
        200,
        KEEPERS,
        of="community",
        query=lambda place: {"community": place["community_code"]},
        tells="notice_title",
    ),
    ("POST", "/api/v1/staff/notices"): Line(
        201,
        KEEPERS,
        of="community",
        body=lambda place: {"community": place["community_code"], "title": "x", "body": "x"},
    ),
    ("PUT", STAFF_NOTICE): Line(409, KEEPERS, of="community", body=_with(title="x", body="x")),
    ("GET", f"{STAFF_NOTICE}/ways"): Line(200, KEEPERS, of="community"),
    ("POST", f"{STAFF_NOTICE}/publish"): Line(409, (MANAGER,), of="community", body=_with()),
    ("POST", f"{STAFF_NOTICE}/withdraw"): Line(204, (MANAGER,), of="community", body=_with(**WHY)),
    ("PATCH", STAFF_CAR): Line(204, ESTATE_KEEPERS, of="community", body=_with(**NOTED)),
    ("POST", f"{STAFF_CAR}/remove"): Line(204, ESTATE_KEEPERS, of="community", body=_with(**WHY)),
    ("GET", "/api/v1/staff/meters"): Line(
        200,
        (*ESTATE_VIEWERS, ENGINEER),
        of="list",
        query=lambda place: {"community": place["community_code"]},
        tells="meter_no",
    ),
    ("PATCH", STAFF_METER): Line(
        204,
        METER_KEEPERS,
        body=_with(changes={"modulus": "100000"}, expected={"modulus": None}, **WHY),
    ),
    ("POST", f"{STAFF_METER}/retire"): Line(
        204,
        METER_KEEPERS,
        body=_with(closing_reading="130", closed_on="2026-10-31", **WHY),
    ),
    ("GET", "/api/v1/staff/owners"): Line(200, VIEWERS, of="list", tells="name"),
    ("POST", "/api/v1/staff/owners"): Line(
        201,
        KEEPERS,
        of="community",
        body=lambda place: {"community": place["community_code"], "name": "新业主"},
    ),
    ("GET", STAFF_OWNER): Line(200, VIEWERS),
    ("PATCH", STAFF_OWNER): Line(204, KEEPERS, body=_with(note="x", **WHY)),
    ("POST", f"{STAFF_OWNER}/end"): Line(409, KEEPERS, body=_with(**WHY)),
    ("POST", f"{STAFF_OWNER}/remove"): Line(409, KEEPERS, body=_with(**WHY)),
    ("POST", f"{STAFF_OWNER}/phones"): Line(201, KEEPERS, body=_with(phone="18800000001", **WHY)),
    ("POST", f"{STAFF_OWNER}/phones/<row_id:phone_id>/remove"): Line(
        204, KEEPERS, body=_with(**WHY)
    ),
    ("POST", f"{STAFF_OWNER}/phones/change"): Line(
        204, KEEPERS, body=_with(phone="18800000001", paper="身份证", **WHY)
    ),
    ("POST", f"{STAFF_OWNER}/phone-codes"): Line(202, KEEPERS, body=_with(phone="18800000001")),
    ("POST", f"{STAFF_OWNER}/reveal"): Line(200, (MANAGER, FINANCE, SERVICE), body=_with(**WHY)),
    ("GET", f"{STAFF_OWNER}/reveals"): Line(200, VIEWERS),
    ("GET", f"{STAFF_HOUSE}/people"): Line(200, VIEWERS),
    ("POST", f"{STAFF_HOUSE}/people"): Line(
        409, KEEPERS, body=_of("owner_id", role="contact", **WHY)
    ),
    ("PUT", f"{STAFF_HOUSE}/shares"): Line(
        204,
        KEEPERS,
        body=lambda place: {
            "shares": [{"person_id": place["person_id"], "share_ratio": "1"}],
            **WHY,
        },
    ),
    ("PUT", f"{PERSON}/rights"): Line(422, KEEPERS, body=_with(rights={}, **WHY)),
    ("POST", f"{PERSON}/end"): Line(204, KEEPERS, body=_with(until="2026-10-01", **WHY)),
    ("POST", f"{PERSON}/remove"): Line(409, KEEPERS, body=_with(**WHY)),
    ("GET", f"{STAFF_HOUSE}/transfer"): Line(200, KEEPERS, query=_with(cut_on="2026-10-15")),
    ("POST", f"{STAFF_HOUSE}/transfer"): Line(
        409,
        KEEPERS,
        body=_with(cut_on="2026-10-16", version="x", buyers=[{"name": "x"}], **WHY),
    ),
    ("GET", f"{STAFF_HOUSE}/transfers"): Line(200, VIEWERS),
    ("POST", "/api/v1/staff/transfers/<row_id:transfer_id>/undo"): Line(
        409, KEEPERS, body=_with(**WHY)
    ),
    ("GET", "/api/v1/staff/bindings"): Line(200, VIEWERS, of="list", tells="house_label"),
    ("POST", "/api/v1/staff/bindings/<row_id:binding_id>/revoke"): Line(
        204, KEEPERS, body=_with(**WHY)
    ),
    ("GET", "/api/v1/staff/bindings/applications"): Line(200, KEEPERS, of="list", tells="name"),
    ("POST", f"{STAFF_APPLICATION}/approve"): Line(201, KEEPERS, body=_with(**WHY)),
    ("POST", f"{STAFF_APPLICATION}/reject"): Line(204, KEEPERS, body=_with(**WHY)),
}

EQUIPMENT_VIEWERS = (MANAGER, SERVICE, ENGINEER, AUDITOR)
EQUIPMENT = "/api/v1/staff/equipment/<row_id:equipment_id>"
TEMPLATE = "/api/v1/staff/maintenance-templates/<row_id:template_id>"
MAINTENANCE_PLAN = "/api/v1/staff/maintenance-plans/<row_id:plan_id>"
TASK = "/api/v1/staff/maintenance-tasks/<row_id:task_id>"
ITEM = {"key": "i1", "title": "外观"}
TEMPLATE_WORDS = {
    "code": "X-1",
    "name": "x",
    "category": "lift",
    "kind": "routine",
    "every": 1,
    "unit": "month",
    "checklist": [ITEM],
}
PLAN_WORDS = {
    "name": "x",
    "kind": "routine",
    "basis": "fixed_calendar",
    "every": 1,
    "unit": "month",
    "starts_on": "2026-11-01",
    "checklist": [ITEM],
}
STOPPED = {"state": "stopped", "expected": "in_use", "changed_on": "2026-11-01", "reason": "x"}

STAFF |= {
    ("GET", "/api/v1/staff/equipment"): Line(
        200, EQUIPMENT_VIEWERS, of="list", tells="equipment_name"
    ),
    ("POST", "/api/v1/staff/equipment"): Line(
        201, (MANAGER,), body=_of("community_id", "building_id", name="x", category="lift")
    ),
    ("GET", "/api/v1/staff/equipment/expiring"): Line(
        200, EQUIPMENT_VIEWERS, of="list", tells="equipment_name"
    ),
    ("GET", "/api/v1/staff/equipment/failing"): Line(200, EQUIPMENT_VIEWERS, of="list"),
    ("POST", "/api/v1/staff/equipment/labels"): Line(
        200, EQUIPMENT_VIEWERS, body=lambda place: {"equipment_ids": [place["equipment_id"]]}
    ),
    ("GET", EQUIPMENT): Line(200, EQUIPMENT_VIEWERS),
    ("PATCH", EQUIPMENT): Line(204, (MANAGER,), body=_with(**NOTED, **WHY)),
    ("GET", f"{EQUIPMENT}/documents"): Line(200, EQUIPMENT_VIEWERS),
    # The file is nobody's: its own answer is told apart in tests/services/equipment.
    ("POST", f"{EQUIPMENT}/documents"): Line(
        404, (MANAGER,), body=_with(doc_type="manual", title="x", document_id=9_999_999)
    ),
    ("POST", f"{EQUIPMENT}/specs"): Line(204, (MANAGER,), body=_with(specs={"a": "b"}, **WHY)),
    ("POST", f"{EQUIPMENT}/state"): Line(204, (MANAGER,), body=_with(**STOPPED)),
    ("GET", "/api/v1/staff/maintenance-templates"): Line(
        200, EQUIPMENT_VIEWERS, of="list", scope="community", tells="template_code"
    ),
    ("POST", "/api/v1/staff/maintenance-templates"): Line(
        201, (MANAGER,), of="community", body=_of("community_id", **TEMPLATE_WORDS)
    ),
    ("POST", "/api/v1/staff/maintenance-templates/library"): Line(
        200, (MANAGER,), of="community", body=_of("community_id")
    ),
    ("PATCH", TEMPLATE): Line(204, (MANAGER,), of="community", body=_with(**TEMPLATE_WORDS, **WHY)),
    ("GET", "/api/v1/staff/maintenance-plans"): Line(
        200, EQUIPMENT_VIEWERS, of="list", scope="community", tells="plan_name"
    ),
    ("POST", "/api/v1/staff/maintenance-plans"): Line(
        201,
        (MANAGER,),
        of="community",
        body=lambda place: {
            "community_id": place["community_id"],
            "equipment_ids": [place["equipment_id"]],
            **PLAN_WORDS,
        },
    ),
    ("GET", MAINTENANCE_PLAN): Line(200, EQUIPMENT_VIEWERS, of="community"),
    ("PATCH", MAINTENANCE_PLAN): Line(
        204, (MANAGER,), of="community", body=_with(**PLAN_WORDS, **WHY)
    ),
    ("POST", f"{MAINTENANCE_PLAN}/equipment"): Line(
        204,
        (MANAGER,),
        of="community",
        body=lambda place: {"equipment_ids": [place["equipment_id"]], **WHY},
    ),
    ("POST", f"{MAINTENANCE_PLAN}/pause"): Line(204, (MANAGER,), of="community", body=_with(**WHY)),
    ("POST", f"{MAINTENANCE_PLAN}/resume"): Line(
        409, (MANAGER,), of="community", body=_with(**WHY)
    ),
    ("POST", f"{MAINTENANCE_PLAN}/end"): Line(204, (MANAGER,), of="community", body=_with(**WHY)),
    ("GET", "/api/v1/staff/maintenance-tasks"): Line(
        200, EQUIPMENT_VIEWERS, of="list", query=_with(which="all"), tells="equipment_name"
    ),
    ("GET", TASK): Line(200, EQUIPMENT_VIEWERS),
    ("POST", f"{TASK}/start"): Line(204, (ENGINEER,)),
    ("POST", f"{TASK}/submit"): Line(
        409, (ENGINEER,), body=_with(results=[{"key": "i1", "verdict": "normal"}])
    ),
    ("POST", f"{TASK}/verify"): Line(409, (MANAGER,)),
    ("POST", f"{TASK}/return"): Line(409, (MANAGER,), body=_with(**WHY)),
    ("POST", f"{TASK}/skip"): Line(204, (MANAGER,), body=_with(**WHY)),
    ("POST", f"{TASK}/cancel"): Line(204, (MANAGER,), body=_with(**WHY)),
    ("POST", f"{TASK}/assign"): Line(204, (MANAGER,), body=_with(assignee_id=None)),
}
