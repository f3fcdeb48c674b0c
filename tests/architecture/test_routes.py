"""Every route says who may use it, and the open ones are on a list that was read."""

import re

import pytest

REVIEWED = {
    # Signing in: one cannot be signed in yet.
    ("POST", "/api/v1/phone-codes"),
    ("POST", "/api/v1/sessions/by-phone-code"),
    ("POST", "/api/v1/sessions/by-wechat"),
    ("POST", "/api/v1/sessions/by-wechat-phone"),
    ("POST", "/api/v1/sessions/by-password"),
    ("POST", "/api/v1/staff/sessions"),
    # A forgotten password: the answer is the same whether there is an account or not.
    ("POST", "/api/v1/password-resets"),
    ("POST", "/api/v1/password-resets/by-code"),
    ("POST", "/api/v1/staff/password-resets"),
    ("POST", "/api/v1/staff/password-resets/by-code"),
    ("POST", "/api/v1/staff/password-resets/by-link"),
    # Documents without data.
    ("GET", "/api/docs"),
    ("GET", "/api/docs/files/<string:name>"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/s/<any('page.css', 'pay.js', 'reset.js'):name>"),
    # Whoever comes from a mailed link: the token is behind the # and reaches no server.
    ("GET", "/staff/reset"),
    # Where a page of the channel sends a browser back to: no data.
    ("GET", "/h5/payments"),
    # Whoever scans the code on a door may pay what is owed behind it.
    ("GET", "/p/<door_token:token>"),
    ("POST", "/p/<door_token:token>/pay"),
    ("GET", "/p/<door_token:token>/payments/<door_token:visit>"),
    ("GET", "/p/<door_token:token>/payments/<door_token:visit>/receipt.pdf"),
    ("POST", "/p/<door_token:token>/payments/<door_token:visit>/refresh"),
    # Whoever holds a printed receipt may ask whether it is true.
    ("GET", "/r/<door_token:token>"),
    # Whoever scans the label of equipment learns its name and place.
    ("GET", "/e/<number:code>"),
    # Whoever was shown a file holds a link to it, signed for minutes.
    ("GET", "/api/v1/files/<row_id:file_id>"),
    # Machines that watch; the numbers ask for their own token.
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    # The signature of the platform is checked inside, on the raw bytes.
    ("POST", "/notify/wechatpay"),
    ("POST", "/notify/wechatpay/refund"),
    ("POST", "/notify/alipay"),
}
PLATFORM = {
    ("GET", "/wechat/<any(official, miniapp):account_name>"),
    ("POST", "/wechat/<any(official, miniapp):account_name>"),
}
OWNER = {
    ("POST", "/api/v1/repairs"),
    ("GET", "/api/v1/repairs"),
    ("GET", "/api/v1/repairs/alike"),
    ("GET", "/api/v1/repairs/<row_id:repair_id>"),
    ("POST", "/api/v1/repairs/<row_id:repair_id>/cancel"),
    ("POST", "/api/v1/repairs/<row_id:repair_id>/confirm"),
    ("POST", "/api/v1/repairs/<row_id:repair_id>/reopen"),
    ("POST", "/api/v1/repairs/<row_id:repair_id>/quote"),
    ("POST", "/api/v1/repairs/<row_id:repair_id>/rating"),
    ("POST", "/api/v1/photos"),
    ("DELETE", "/api/v1/sessions"),
    ("DELETE", "/api/v1/sessions/current"),
    ("GET", "/api/v1/bills"),
    ("GET", "/api/v1/bills/<row_id:bill_id>"),
    ("GET", "/api/v1/bills/outstanding"),
    ("GET", "/api/v1/houses"),
    ("GET", "/api/v1/houses/<row_id:house_id>/statement"),
    ("GET", "/api/v1/houses/<row_id:house_id>/statement.pdf"),
    ("GET", "/api/v1/houses/<row_id:house_id>/statement.xlsx"),
    ("GET", "/api/v1/payments"),
    ("GET", "/api/v1/payments/<row_id:payment_id>"),
    ("GET", "/api/v1/prepaid"),
    ("GET", "/api/v1/receipts/<number:receipt_no>"),
    ("GET", "/api/v1/receipts/<number:receipt_no>.pdf"),
    ("POST", "/api/v1/password"),
    ("POST", "/api/v1/payments"),
    ("POST", "/api/v1/payments/<row_id:payment_id>/cancel"),
    ("POST", "/api/v1/payments/<row_id:payment_id>/refresh"),
    ("GET", "/api/v1/bindings"),
    ("POST", "/api/v1/bindings"),
    ("PATCH", "/api/v1/bindings/<row_id:binding_id>"),
    ("DELETE", "/api/v1/bindings/<row_id:binding_id>"),
    ("GET", "/api/v1/bindings/applications"),
    ("POST", "/api/v1/bindings/applications"),
    ("DELETE", "/api/v1/bindings/applications/<row_id:application_id>"),
    ("GET", "/api/v1/invitations"),
    ("POST", "/api/v1/invitations"),
    ("POST", "/api/v1/invitations/accept"),
    ("DELETE", "/api/v1/invitations/<row_id:invitation_id>"),
    ("POST", "/api/v1/phone-change"),
    ("POST", "/api/v1/phone-change/codes"),
    ("GET", "/api/v1/consents"),
    ("POST", "/api/v1/consents"),
    ("POST", "/api/v1/consents/<string:kind>/withdraw"),
    ("GET", "/api/v1/privacy/exports"),
    ("POST", "/api/v1/privacy/exports"),
    ("GET", "/api/v1/privacy/exports/<row_id:export_id>/file"),
    ("GET", "/api/v1/privacy/deletion"),
    ("POST", "/api/v1/privacy/deletion"),
    ("DELETE", "/api/v1/privacy/deletion"),
    ("POST", "/api/v1/privacy/deletion/codes"),
    ("GET", "/api/v1/notices"),
    ("GET", "/api/v1/notices/<row_id:notice_id>"),
    ("GET", "/api/v1/subscriptions"),
    ("POST", "/api/v1/subscriptions"),
}
STAFF = {
    ("GET", "/api/v1/staff/equipment"),
    ("POST", "/api/v1/staff/equipment"),
    ("GET", "/api/v1/staff/equipment/expiring"),
    ("GET", "/api/v1/staff/equipment/failing"),
    ("POST", "/api/v1/staff/equipment/labels"),
    ("GET", "/api/v1/staff/equipment/<row_id:equipment_id>"),
    ("PATCH", "/api/v1/staff/equipment/<row_id:equipment_id>"),
    ("GET", "/api/v1/staff/equipment/<row_id:equipment_id>/documents"),
    ("POST", "/api/v1/staff/equipment/<row_id:equipment_id>/documents"),
    ("POST", "/api/v1/staff/equipment/<row_id:equipment_id>/specs"),
    ("POST", "/api/v1/staff/equipment/<row_id:equipment_id>/state"),
    ("GET", "/api/v1/staff/maintenance-templates"),
    ("POST", "/api/v1/staff/maintenance-templates"),
    ("POST", "/api/v1/staff/maintenance-templates/library"),
    ("PATCH", "/api/v1/staff/maintenance-templates/<row_id:template_id>"),
    ("GET", "/api/v1/staff/maintenance-plans"),
    ("POST", "/api/v1/staff/maintenance-plans"),
    ("GET", "/api/v1/staff/maintenance-plans/<row_id:plan_id>"),
    ("PATCH", "/api/v1/staff/maintenance-plans/<row_id:plan_id>"),
    ("POST", "/api/v1/staff/maintenance-plans/<row_id:plan_id>/equipment"),
    ("POST", "/api/v1/staff/maintenance-plans/<row_id:plan_id>/pause"),
    ("POST", "/api/v1/staff/maintenance-plans/<row_id:plan_id>/resume"),
    ("POST", "/api/v1/staff/maintenance-plans/<row_id:plan_id>/end"),
    ("GET", "/api/v1/staff/maintenance-tasks"),
    ("GET", "/api/v1/staff/maintenance-tasks/<row_id:task_id>"),
    ("POST", "/api/v1/staff/maintenance-tasks/<row_id:task_id>/start"),
    ("POST", "/api/v1/staff/maintenance-tasks/<row_id:task_id>/submit"),
    ("POST", "/api/v1/staff/maintenance-tasks/<row_id:task_id>/verify"),
    ("POST", "/api/v1/staff/maintenance-tasks/<row_id:task_id>/return"),
    ("POST", "/api/v1/staff/maintenance-tasks/<row_id:task_id>/skip"),
    ("POST", "/api/v1/staff/maintenance-tasks/<row_id:task_id>/cancel"),
    ("POST", "/api/v1/staff/maintenance-tasks/<row_id:task_id>/assign"),
    ("GET", "/api/v1/staff/repairs"),
    ("POST", "/api/v1/staff/repairs"),
    ("GET", "/api/v1/staff/repairs/<row_id:repair_id>"),
    ("GET", "/api/v1/staff/repairs/<row_id:repair_id>/engineers"),
    ("POST", "/api/v1/staff/repairs/<row_id:repair_id>/assign"),
    ("POST", "/api/v1/staff/repairs/<row_id:repair_id>/rotate"),
    ("POST", "/api/v1/staff/repairs/<row_id:repair_id>/offer"),
    ("POST", "/api/v1/staff/repairs/<row_id:repair_id>/grab"),
    ("POST", "/api/v1/staff/repairs/<row_id:repair_id>/accept"),
    ("POST", "/api/v1/staff/repairs/<row_id:repair_id>/return"),
    ("POST", "/api/v1/staff/repairs/<row_id:repair_id>/transfer"),
    ("POST", "/api/v1/staff/repairs/<row_id:repair_id>/arrive"),
    ("POST", "/api/v1/staff/repairs/<row_id:repair_id>/suspend"),
    ("POST", "/api/v1/staff/repairs/<row_id:repair_id>/resume"),
    ("POST", "/api/v1/staff/repairs/<row_id:repair_id>/quote"),
    ("POST", "/api/v1/staff/repairs/<row_id:repair_id>/finish"),
    ("POST", "/api/v1/staff/repairs/<row_id:repair_id>/force-close"),
    ("POST", "/api/v1/staff/repairs/<row_id:repair_id>/follow-up"),
    ("POST", "/api/v1/staff/repairs/<row_id:repair_id>/note"),
    ("GET", "/api/v1/staff/repair-incidents/suggestions"),
    ("GET", "/api/v1/staff/repair-incidents"),
    ("POST", "/api/v1/staff/repair-incidents"),
    ("POST", "/api/v1/staff/repair-incidents/<row_id:incident_id>/note"),
    ("POST", "/api/v1/staff/repair-incidents/<row_id:incident_id>/end"),
    ("GET", "/api/v1/staff/communities/<row_id:community_id>/repair-rules"),
    ("PUT", "/api/v1/staff/communities/<row_id:community_id>/repair-rules"),
    ("PUT", "/api/v1/staff/accounts/<row_id:staff_id>/repair-work"),
    ("GET", "/api/v1/staff/repair-analysis"),
    ("GET", "/api/v1/staff/notices"),
    ("POST", "/api/v1/staff/notices"),
    ("PUT", "/api/v1/staff/notices/<row_id:notice_id>"),
    ("GET", "/api/v1/staff/notices/<row_id:notice_id>/ways"),
    ("POST", "/api/v1/staff/notices/<row_id:notice_id>/publish"),
    ("POST", "/api/v1/staff/notices/<row_id:notice_id>/withdraw"),
    ("GET", "/api/v1/staff/history"),
    ("GET", "/api/v1/staff/history.xlsx"),
    ("POST", "/api/v1/staff/photos"),
    ("POST", "/api/v1/staff/documents"),
    ("GET", "/api/v1/staff/imports"),
    ("GET", "/api/v1/staff/imports/<row_id:batch_id>"),
    ("GET", "/api/v1/staff/imports/<row_id:batch_id>/errors.xlsx"),
    ("GET", "/api/v1/staff/imports/<row_id:batch_id>/problems"),
    ("GET", "/api/v1/staff/imports/template.xlsx"),
    ("POST", "/api/v1/staff/imports"),
    ("POST", "/api/v1/staff/imports/<row_id:batch_id>/commit"),
    ("POST", "/api/v1/staff/imports/<row_id:batch_id>/undo"),
    ("GET", "/api/v1/staff/payments/<number:number>/life"),
    ("POST", "/api/v1/staff/payments/<number:number>/ask"),
    ("POST", "/api/v1/staff/meter-readings"),
    ("GET", "/api/v1/staff/sessions"),
    ("DELETE", "/api/v1/staff/sessions"),
    ("DELETE", "/api/v1/staff/sessions/current"),
    ("DELETE", "/api/v1/staff/sessions/<row_id:session_id>"),
    ("POST", "/api/v1/staff/sessions/current/proof"),
    ("POST", "/api/v1/staff/password"),
    ("POST", "/api/v1/staff/totp"),
    ("POST", "/api/v1/staff/totp/confirmation"),
    ("DELETE", "/api/v1/staff/totp"),
    ("GET", "/api/v1/staff/accounts"),
    ("POST", "/api/v1/staff/accounts"),
    ("POST", "/api/v1/staff/accounts/<row_id:staff_id>"),
    ("POST", "/api/v1/staff/accounts/<row_id:staff_id>/role"),
    ("POST", "/api/v1/staff/accounts/<row_id:staff_id>/scope"),
    ("POST", "/api/v1/staff/accounts/<row_id:staff_id>/disable"),
    ("POST", "/api/v1/staff/accounts/<row_id:staff_id>/enable"),
    ("POST", "/api/v1/staff/accounts/<row_id:staff_id>/password-reset"),
    ("GET", "/api/v1/staff/role-grants"),
    ("POST", "/api/v1/staff/role-grants/<row_id:grant_id>/grant"),
    ("POST", "/api/v1/staff/role-grants/<row_id:grant_id>/refuse"),
    ("POST", "/api/v1/staff/owner-accounts"),
    ("GET", "/api/v1/staff/communities"),
    ("POST", "/api/v1/staff/communities"),
    ("GET", "/api/v1/staff/communities/<row_id:community_id>"),
    ("PATCH", "/api/v1/staff/communities/<row_id:community_id>"),
    ("POST", "/api/v1/staff/communities/<row_id:community_id>/retire"),
    ("POST", "/api/v1/staff/communities/<row_id:community_id>/restore"),
    ("GET", "/api/v1/staff/buildings"),
    ("POST", "/api/v1/staff/buildings"),
    ("GET", "/api/v1/staff/buildings/<row_id:building_id>"),
    ("PATCH", "/api/v1/staff/buildings/<row_id:building_id>"),
    ("PATCH", "/api/v1/staff/buildings/<row_id:building_id>/units"),
    ("POST", "/api/v1/staff/buildings/<row_id:building_id>/retire"),
    ("POST", "/api/v1/staff/buildings/<row_id:building_id>/restore"),
    ("POST", "/api/v1/staff/buildings/<row_id:building_id>/remove"),
    ("GET", "/api/v1/staff/houses"),
    ("POST", "/api/v1/staff/houses"),
    ("GET", "/api/v1/staff/houses/<row_id:house_id>"),
    ("PATCH", "/api/v1/staff/houses/<row_id:house_id>"),
    ("POST", "/api/v1/staff/houses/<row_id:house_id>/preview"),
    ("POST", "/api/v1/staff/houses/<row_id:house_id>/use"),
    ("POST", "/api/v1/staff/houses/<row_id:house_id>/retire"),
    ("POST", "/api/v1/staff/houses/<row_id:house_id>/restore"),
    ("POST", "/api/v1/staff/houses/<row_id:house_id>/remove"),
    ("GET", "/api/v1/staff/parking-spaces"),
    ("POST", "/api/v1/staff/parking-spaces"),
    ("PATCH", "/api/v1/staff/parking-spaces/<row_id:space_id>"),
    ("POST", "/api/v1/staff/parking-spaces/<row_id:space_id>/retire"),
    ("POST", "/api/v1/staff/parking-spaces/<row_id:space_id>/restore"),
    ("POST", "/api/v1/staff/parking-spaces/<row_id:space_id>/remove"),
    ("GET", "/api/v1/staff/cars"),
    ("POST", "/api/v1/staff/cars"),
    ("PATCH", "/api/v1/staff/cars/<row_id:car_id>"),
    ("POST", "/api/v1/staff/cars/<row_id:car_id>/remove"),
    ("GET", "/api/v1/staff/meters"),
    ("PATCH", "/api/v1/staff/meters/<row_id:meter_id>"),
    ("POST", "/api/v1/staff/meters/<row_id:meter_id>/retire"),
    ("GET", "/api/v1/staff/owners"),
    ("POST", "/api/v1/staff/owners"),
    ("GET", "/api/v1/staff/owners/<row_id:owner_id>"),
    ("PATCH", "/api/v1/staff/owners/<row_id:owner_id>"),
    ("POST", "/api/v1/staff/owners/<row_id:owner_id>/end"),
    ("POST", "/api/v1/staff/owners/<row_id:owner_id>/remove"),
    ("POST", "/api/v1/staff/owners/<row_id:owner_id>/phones"),
    ("POST", "/api/v1/staff/owners/<row_id:owner_id>/phones/<row_id:phone_id>/remove"),
    ("POST", "/api/v1/staff/owners/<row_id:owner_id>/phones/change"),
    ("POST", "/api/v1/staff/owners/<row_id:owner_id>/phone-codes"),
    ("POST", "/api/v1/staff/owners/<row_id:owner_id>/reveal"),
    ("GET", "/api/v1/staff/owners/<row_id:owner_id>/reveals"),
    ("GET", "/api/v1/staff/houses/<row_id:house_id>/people"),
    ("POST", "/api/v1/staff/houses/<row_id:house_id>/people"),
    ("PUT", "/api/v1/staff/houses/<row_id:house_id>/shares"),
    ("PUT", "/api/v1/staff/house-people/<row_id:person_id>/rights"),
    ("POST", "/api/v1/staff/house-people/<row_id:person_id>/end"),
    ("POST", "/api/v1/staff/house-people/<row_id:person_id>/remove"),
    ("GET", "/api/v1/staff/houses/<row_id:house_id>/transfer"),
    ("POST", "/api/v1/staff/houses/<row_id:house_id>/transfer"),
    ("GET", "/api/v1/staff/houses/<row_id:house_id>/transfers"),
    ("POST", "/api/v1/staff/transfers/<row_id:transfer_id>/undo"),
    ("GET", "/api/v1/staff/bindings"),
    ("POST", "/api/v1/staff/bindings/<row_id:binding_id>/revoke"),
    ("GET", "/api/v1/staff/bindings/applications"),
    ("POST", "/api/v1/staff/bindings/applications/<row_id:application_id>/approve"),
    ("POST", "/api/v1/staff/bindings/applications/<row_id:application_id>/reject"),
    ("GET", "/api/v1/staff/privacy/requests"),
}
_MADE_BY_SMOREST = "api-docs.openapi_json"
GARBAGE = ["", "Bearer", "Bearer x", "Bearer " + "x" * 43, "Basic " + "x" * 43, "Bearer é" * 30]


@pytest.fixture
def routes(app):
    """(method, rule, access) of everything that can be reached."""
    return {
        (
            method,
            rule.rule,
            "open"
            if rule.endpoint == _MADE_BY_SMOREST
            else getattr(app.view_functions[rule.endpoint], "access", None),
        )
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def of(routes, access):
    return {(method, rule) for method, rule, found in routes if found == access}


def test_every_route_says_who_may_use_it(routes):
    assert {access for _, _, access in routes} == {"owner", "open", "platform", "staff"}


def test_the_open_routes_are_those_that_were_reviewed(routes):
    assert of(routes, "open") == REVIEWED


def test_the_platforms_routes_are_those_that_were_reviewed(routes):
    assert of(routes, "platform") == PLATFORM


def test_the_owners_routes_are_those_that_were_reviewed(routes):
    assert of(routes, "owner") == OWNER


def test_the_routes_of_staff_are_those_that_were_reviewed(routes):
    assert of(routes, "staff") == STAFF


def test_every_view_says_it_by_its_mark_and_not_by_chance(app):
    marked = [getattr(view, "access", None) for view in app.view_functions.values()]

    assert marked.count(None) == 1  # flask-smorest's own view of the description


@pytest.mark.parametrize("token", [None, *GARBAGE], ids=range(len(GARBAGE) + 1))
def test_every_guarded_route_asks_for_a_session(client, routes, token):
    headers = {} if token is None else {"Authorization": token}

    for method, rule in of(routes, "owner") | of(routes, "staff"):
        path = re.sub(r"<[^>]*receipt_no>", "CH1-2026-0000001", rule)
        path = re.sub(r"<[^>]+>", "1", path)
        answer = client.open(path, method=method, headers=headers)
        assert answer.status_code == 401, (method, path)
        assert answer.json["error"]["code"] == "not_signed_in"


def test_no_route_changes_anything_by_get(routes):
    words = ("cancel", "refresh", "delete", "sign-out", "start")

    for method, rule, _ in routes:
        if method == "GET":
            assert not [word for word in words if word in rule], rule


def test_nothing_stands_outside_the_known_prefixes(routes):
    for _, rule, _ in routes:
        assert rule.startswith(
            ("/api/", "/notify/", "/wechat/", "/p/", "/r/", "/e/", "/s/", "/h5/", "/staff/")
        ) or rule in {
            "/healthz",
            "/readyz",
            "/metrics",
        }
