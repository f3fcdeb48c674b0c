"""What strangers try: others' money, forged tokens, fields too many, requests made up.

Who may use which route on whose rows is in tests/access.
"""

import itertools
import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import CHECKS
from schemathesis.core.result import Ok

from domain.errors import NotSignedIn
from miniapp_api import security
from models import House
from tests import factories
from tests.miniapp_api.answers import facts, refusal

NONE = 9_999_999
_CHECKS = ["status_code_conformance", "response_schema_conformance"]
GARBAGE = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer x",
    "Bearer " + "x" * 43,
    "Bearer " + "x" * 101,
    "Bearer " + "x" * 100_000,
    "Bearer ' OR '1'='1' -- aaaaaaaaaaaaaaaaaaaa",
    "Bearer " + "é" * 43,
    "Basic " + "x" * 43,
    "x" * 43,
    "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
    "Bearer " + "\x00" * 43,
]
EXTRA_FIELDS = {
    "role": "administrator",
    "paid_fen": 1,
    "amount_fen": 1,
    "community_id": 1,
    "status": "active",
    "state": "paid",
    "owner_id": 1,
    "account_id": 1,
    "is_active": True,
    "openid": "somebody",
    "__proto__": {},
    "": 1,
}
ACCESS_BODIES: dict[str, dict[str, Any]] = {
    "/api/v1/phone-codes": {"phone": "19900000001"},
    "/api/v1/sessions/by-phone-code": {"phone": "19900000001", "code": "123456"},
    "/api/v1/sessions/by-wechat": {"wechat_code": "abc"},
    "/api/v1/sessions/by-wechat-phone": {"wechat_code": "abc", "phone_code": "def"},
    "/api/v1/sessions/by-password": {"login_name": "x", "password": "x"},
    "/api/v1/password": {"password": "x", "new_password": "y"},
    "/api/v1/password-resets": {"phone": "19900000001"},
    "/api/v1/password-resets/by-code": {
        "phone": "19900000001",
        "code": "123456",
        "new_password": "x",
    },
    "/api/v1/staff/sessions": {"login_name": "x", "password": "x"},
    "/api/v1/staff/password-resets": {"login_name": "x", "by": "phone"},
    "/api/v1/staff/password-resets/by-code": {
        "login_name": "x",
        "code": "123456",
        "new_password": "x",
    },
    "/api/v1/staff/password-resets/by-link": {"token": "x", "new_password": "x"},
    "/api/v1/staff/sessions/current/proof": {"password": "x"},
    "/api/v1/staff/password": {"password": "x", "new_password": "y"},
    "/api/v1/staff/totp/confirmation": {"code": "123456"},
    "/api/v1/staff/accounts": {"login_name": "x", "name": "x", "role": "engineer"},
    "/api/v1/staff/accounts/{staff_id}": {"name": "x"},
    "/api/v1/staff/accounts/{staff_id}/role": {"role": "engineer"},
    "/api/v1/staff/accounts/{staff_id}/scope": {},
    "/api/v1/staff/accounts/{staff_id}/password-reset": {},
    "/api/v1/staff/owner-accounts": {"phone": "19900000001", "login_name": "x"},
    "/api/v1/payments": {"bill_ids": [1]},
    "/api/v1/staff/meter-readings": {
        "community": "CH",
        "readings": [{"meter_no": "W1", "read_on": "2026-10-31", "reading": "1"}],
    },
}


@pytest.fixture
def people(make_signed_in, database, craft, notify):
    """An owner, a neighbour of the same community and somebody of another; each has paid a bill."""
    own = make_signed_in(100, 200)
    with database.session() as session:
        building_id = session.get_one(House, own.house_id).building_id
    neighbour = make_signed_in(300, 400, phone="19900000002", building_id=building_id)
    foreigner = make_signed_in(500, 600, phone="19900000003")
    found = {"own": own, "neighbour": neighbour, "other community": foreigner}
    assert own.community_id == neighbour.community_id != foreigner.community_id
    for person in found.values():
        notify(craft(person.started(person.bill_ids[:1])["out_trade_no"]))
    return found


@pytest.fixture
def owner_routes(app):
    """All (method, rule) that only owners may use."""
    return sorted(
        (method, re.sub(r"<(?:[^:>]+:)?(\w+)>", r"{\1}", rule.rule).removeprefix("/api/v1"))
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if getattr(app.view_functions[rule.endpoint], "access", "") == "owner"
    )


class TestOthersMoney:
    def test_bills_of_others_cannot_be_paid(self, people, money):
        asker, before = people["own"], money()
        none = facts(asker.start([NONE], key="key-none-0001"))
        assert none[0] == 404

        for number, whose in enumerate(("neighbour", "other community")):
            for bills in (
                people[whose].bill_ids[1:],
                people[whose].bill_ids[:1],
                [people["own"].bill_ids[1], people[whose].bill_ids[1]],
            ):
                answer = asker.start(bills, key=f"key-{number}-{bills[-1]:08d}-{len(bills)}")
                assert facts(answer) == none, (whose, bills)

        assert money() == before

    def test_houses_of_others_hold_nothing(self, people):
        none = facts(people["own"].get("/bills", query_string={"house_id": NONE}))

        for whose in ("neighbour", "other community"):
            query = {"house_id": people[whose].house_id}
            assert facts(people["own"].get("/bills", query_string=query)) == none

    @pytest.mark.parametrize("path", ["/houses", "/bills", "/payments", "/bills/outstanding"])
    def test_no_list_mixes_two_owners(self, people, path):
        own, others = people["own"], [people["neighbour"], people["other community"]]

        told = own.get(path).text

        for other in others:
            for bill_id in other.bill_ids:
                assert f'"id":{bill_id},' not in told.replace(" ", "")
            assert other.phone not in told
            assert own.get(path).data != other.get(path).data

    def test_the_same_key_of_another_owner_opens_nothing_of_mine(self, people):
        mine = people["own"].started(people["own"].bill_ids[1:], key="shared-key-0001")

        theirs = people["neighbour"].started(
            people["neighbour"].bill_ids[1:], key="shared-key-0001"
        )

        assert mine["id"] != theirs["id"]


class TestTokens:
    def test_every_owner_route_asks_for_one(self, client, owner_routes, database):
        for (method, path), token in itertools.product(owner_routes, [None, *GARBAGE]):
            path = "/api/v1" + path.format(
                **dict.fromkeys(ROW_IDS, 1), receipt_no="CH1-2026-0000001"
            )
            headers = {} if token is None else {"Authorization": token}
            answer = client.open(path, method=method, headers=headers)
            assert refusal(answer, 401)["code"] == "not_signed_in", (method, path, token)

    def test_a_stranger_is_asked_for_one_before_anything_is_read(self, client):
        for body in (b"", b"{}", b"not JSON", b"x" * 100_000):
            answer = client.post("/api/v1/payments", data=body)
            assert refusal(answer, 401)["code"] == "not_signed_in"

    @pytest.mark.parametrize("token", GARBAGE, ids=range(len(GARBAGE)))
    def test_only_the_form_of_a_token_is_looked_up(self, app, token):
        with app.test_request_context(headers={"Authorization": token}):
            if re.fullmatch(r"Bearer x{43}", token):
                assert security.bearer_token() == "x" * 43
                return
            with pytest.raises(NotSignedIn):
                security.bearer_token()

    def test_a_token_in_the_address_or_a_cookie_is_none(self, client, owner):
        client.set_cookie("session", owner.token)
        client.set_cookie("Authorization", f"Bearer {owner.token}")

        for query in ("token", "access_token", "authorization"):
            refusal(client.get("/api/v1/houses", query_string={query: owner.token}), 401)

    def test_the_hash_of_a_token_is_no_token(self, client, owner, database):
        stolen = database.value("SELECT token_sha256 FROM session_token")

        answer = client.get("/api/v1/houses", headers={"Authorization": f"Bearer {stolen}"})

        refusal(answer, 401)


ROW_IDS = (
    "bill_id",
    "house_id",
    "payment_id",
    "binding_id",
    "application_id",
    "invitation_id",
    "export_id",
    "notice_id",
    "repair_id",
    "kind",
)
_WHY = {"reason": "x"}
_STAFF, _OWNER = "/api/v1/staff/owners", "/api/v1/staff/owners/{owner_id}"
_PERSON, _HOUSE = "/api/v1/staff/house-people/{person_id}", "/api/v1/staff/houses/{house_id}"
_APPLICATION = "/api/v1/staff/bindings/applications/{application_id}"
_NEW_PHONE = {"phone": "18800000001"}
_NOTED = {"changes": {"note": "x"}, "expected": {"note": ""}}
_ESTATE = "/api/v1/staff"
_REPAIR, _INCIDENT = "/api/v1/staff/repairs/{repair_id}", "/api/v1/staff/repair-incidents"
_NEW_REPAIR, _NOTE = {"house_id": 1, "category": "water", "description": "漏水"}, {"note": "x"}
_ITEM = {"key": "i1", "title": "x"}
_TEMPLATE = {
    "code": "X",
    "name": "x",
    "category": "lift",
    "kind": "routine",
    "every": 1,
    "unit": "month",
    "checklist": [_ITEM],
}
_PLAN = {
    "name": "x",
    "kind": "routine",
    "basis": "fixed_calendar",
    "every": 1,
    "unit": "month",
    "starts_on": "2026-11-01",
    "checklist": [_ITEM],
}
_TASK = f"{_ESTATE}/maintenance-tasks/{{task_id}}"
_OWN_PLAN = f"{_ESTATE}/maintenance-plans/{{plan_id}}"
PEOPLE_BODIES = {
    ("POST", f"{_ESTATE}/equipment"): {"community_id": 1, "name": "x", "category": "lift"},
    ("PATCH", f"{_ESTATE}/equipment/{{equipment_id}}"): _NOTED | {"reason": "x"},
    ("POST", f"{_ESTATE}/equipment/labels"): {"equipment_ids": [1]},
    ("POST", f"{_ESTATE}/equipment/{{equipment_id}}/documents"): {
        "doc_type": "manual",
        "title": "x",
        "document_id": 1,
    },
    ("POST", f"{_ESTATE}/equipment/{{equipment_id}}/specs"): {"specs": {}, "reason": "x"},
    ("POST", f"{_ESTATE}/equipment/{{equipment_id}}/state"): {
        "state": "stopped",
        "expected": "in_use",
        "changed_on": "2026-11-01",
        "reason": "x",
    },
    ("POST", f"{_ESTATE}/maintenance-templates"): _TEMPLATE | {"community_id": 1},
    ("POST", f"{_ESTATE}/maintenance-templates/library"): {"community_id": 1},
    ("PATCH", f"{_ESTATE}/maintenance-templates/{{template_id}}"): _TEMPLATE | {"reason": "x"},
    ("POST", f"{_ESTATE}/maintenance-plans"): _PLAN | {"community_id": 1, "equipment_ids": [1]},
    ("PATCH", _OWN_PLAN): _PLAN | {"reason": "x"},
    ("POST", f"{_OWN_PLAN}/equipment"): {"equipment_ids": [1], "reason": "x"},
    ("POST", f"{_OWN_PLAN}/pause"): {"reason": "x"},
    ("POST", f"{_OWN_PLAN}/resume"): {"reason": "x"},
    ("POST", f"{_OWN_PLAN}/end"): {"reason": "x"},
    ("POST", f"{_TASK}/submit"): {"results": [{"key": "i1", "verdict": "normal"}]},
    ("POST", f"{_TASK}/return"): {"reason": "x"},
    ("POST", f"{_TASK}/skip"): {"reason": "x"},
    ("POST", f"{_TASK}/cancel"): {"reason": "x"},
    ("POST", f"{_TASK}/assign"): {"assignee_id": None},
    ("POST", "/api/v1/repairs"): _NEW_REPAIR,
    ("POST", "/api/v1/repairs/{repair_id}/cancel"): _WHY,
    ("POST", "/api/v1/repairs/{repair_id}/reopen"): _WHY,
    ("POST", "/api/v1/repairs/{repair_id}/quote"): {"agrees": True},
    ("POST", "/api/v1/repairs/{repair_id}/rating"): {"score": 5},
    ("POST", "/api/v1/staff/repairs"): _NEW_REPAIR,
    ("POST", f"{_REPAIR}/assign"): {"staff_id": 1},
    ("POST", f"{_REPAIR}/return"): _WHY,
    ("POST", f"{_REPAIR}/transfer"): _WHY | {"staff_id": 1},
    ("POST", f"{_REPAIR}/arrive"): {},
    ("POST", f"{_REPAIR}/suspend"): _NOTE | {"waits_for": "parts", "until_on": "2026-12-01"},
    ("POST", f"{_REPAIR}/quote"): _NOTE | {"amount_fen": 1},
    ("POST", f"{_REPAIR}/finish"): {"cause": "ageing", "measure": "x"},
    ("POST", f"{_REPAIR}/force-close"): _WHY,
    ("POST", f"{_REPAIR}/follow-up"): _NOTE | {"is_satisfied": True},
    ("POST", f"{_REPAIR}/note"): _NOTE,
    ("POST", _INCIDENT): {"repair_ids": [1, 2], "title": "x"},
    ("POST", f"{_INCIDENT}/{{incident_id}}/note"): _NOTE,
    ("POST", f"{_INCIDENT}/{{incident_id}}/end"): _NOTE,
    ("PUT", "/api/v1/staff/communities/{community_id}/repair-rules"): {
        "dispatch_mode": "grab",
        "accept_minutes": 1,
        "fee_item_id": None,
    },
    ("PUT", "/api/v1/staff/accounts/{staff_id}/repair-work"): {},
    ("POST", f"{_ESTATE}/communities"): {"code": "NEW", "name": "x"},
    ("PATCH", f"{_ESTATE}/communities/{{community_id}}"): _NOTED,
    ("POST", f"{_ESTATE}/communities/{{community_id}}/retire"): {"reason": "x"},
    ("POST", f"{_ESTATE}/communities/{{community_id}}/restore"): {"reason": "x"},
    ("POST", f"{_ESTATE}/buildings"): {"community": "CH1", "name": "1栋"},
    ("PATCH", f"{_ESTATE}/buildings/{{building_id}}"): _NOTED,
    ("PATCH", f"{_ESTATE}/buildings/{{building_id}}/units"): _NOTED | {"unit_no": "1"},
    ("POST", f"{_ESTATE}/buildings/{{building_id}}/retire"): {"reason": "x"},
    ("POST", f"{_ESTATE}/buildings/{{building_id}}/restore"): {"reason": "x"},
    ("POST", f"{_ESTATE}/buildings/{{building_id}}/remove"): {"reason": "x"},
    ("POST", f"{_ESTATE}/houses"): {"building_id": 1, "room_no": "1", "building_area": "80"},
    ("PATCH", f"{_ESTATE}/houses/{{house_id}}"): _NOTED,
    ("POST", f"{_ESTATE}/houses/{{house_id}}/preview"): {"changes": {"note": "x"}},
    ("POST", f"{_ESTATE}/houses/{{house_id}}/use"): {"reason": "x", "holds_from": "2026-11-01"},
    ("POST", f"{_ESTATE}/houses/{{house_id}}/retire"): {"reason": "x"},
    ("POST", f"{_ESTATE}/houses/{{house_id}}/restore"): {"reason": "x"},
    ("POST", f"{_ESTATE}/houses/{{house_id}}/remove"): {"reason": "x"},
    ("POST", f"{_ESTATE}/parking-spaces"): {
        "community": "CH1",
        "space_no": "1",
        "right_kind": "owned",
    },
    ("PATCH", f"{_ESTATE}/parking-spaces/{{space_id}}"): _NOTED,
    ("POST", f"{_ESTATE}/parking-spaces/{{space_id}}/retire"): {"reason": "x"},
    ("POST", f"{_ESTATE}/parking-spaces/{{space_id}}/restore"): {"reason": "x"},
    ("POST", f"{_ESTATE}/parking-spaces/{{space_id}}/remove"): {"reason": "x"},
    ("POST", f"{_ESTATE}/cars"): {"community": "CH1", "plate_no": "粤B12345"},
    ("PATCH", f"{_ESTATE}/cars/{{car_id}}"): _NOTED,
    ("POST", f"{_ESTATE}/cars/{{car_id}}/remove"): {"reason": "x"},
    ("PATCH", f"{_ESTATE}/meters/{{meter_id}}"): {
        "changes": {"modulus": "1"},
        "expected": {"modulus": None},
        "reason": "x",
    },
    ("POST", f"{_ESTATE}/meters/{{meter_id}}/retire"): {
        "closing_reading": "1",
        "closed_on": "2026-10-31",
        "reason": "x",
    },
    ("PATCH", "/api/v1/bindings/{binding_id}"): {},
    ("POST", "/api/v1/bindings/applications"): {
        "community": "CH1",
        "house": "x",
        "name": "x",
        "role": "owner",
        "proof": "x",
    },
    ("POST", "/api/v1/invitations"): _NEW_PHONE | {"house_id": 1, "name": "x", "role": "family"},
    ("POST", "/api/v1/invitations/accept"): {"token": "x"},
    ("POST", "/api/v1/phone-change/codes"): _NEW_PHONE,
    ("POST", "/api/v1/consents"): {"kind": "terms", "version": "x"},
    ("POST", "/api/v1/privacy/deletion"): {"code": "123456"},
    ("POST", "/api/v1/staff/notices"): {"community": "CH1", "title": "x", "body": "x"},
    ("PUT", "/api/v1/staff/notices/{notice_id}"): {"title": "x", "body": "x"},
    ("POST", "/api/v1/staff/notices/{notice_id}/publish"): {},
    ("POST", "/api/v1/staff/notices/{notice_id}/withdraw"): _WHY,
    ("POST", "/api/v1/subscriptions"): {"answers": [{"template_id": "x", "said": "reject"}]},
    ("POST", "/api/v1/phone-change"): _NEW_PHONE | {"old_code": "123456", "new_code": "123456"},
    ("POST", _STAFF): {"community": "CH1", "name": "x"},
    ("PATCH", _OWNER): _WHY,
    ("POST", f"{_OWNER}/end"): _WHY,
    ("POST", f"{_OWNER}/remove"): _WHY,
    ("POST", f"{_OWNER}/reveal"): _WHY,
    ("POST", f"{_OWNER}/phone-codes"): _NEW_PHONE,
    ("POST", f"{_OWNER}/phones"): _NEW_PHONE | _WHY,
    ("POST", f"{_OWNER}/phones/change"): _NEW_PHONE | _WHY,
    ("POST", f"{_OWNER}/phones/{{phone_id}}/remove"): _WHY,
    ("POST", f"{_HOUSE}/people"): {"owner_id": 1, "role": "family"} | _WHY,
    ("PUT", f"{_HOUSE}/shares"): {"shares": [{"person_id": 1, "share_ratio": "1"}]} | _WHY,
    ("POST", f"{_HOUSE}/transfer"): {
        "cut_on": "2026-10-15",
        "version": "x",
        "buyers": [{"name": "x"}],
    }
    | _WHY,
    ("PUT", f"{_PERSON}/rights"): {"rights": {}} | _WHY,
    ("POST", f"{_PERSON}/end"): {"until": "2026-01-01"} | _WHY,
    ("POST", f"{_PERSON}/remove"): _WHY,
    ("POST", "/api/v1/staff/transfers/{transfer_id}/undo"): _WHY,
    ("POST", "/api/v1/staff/bindings/{binding_id}/revoke"): _WHY,
    ("POST", f"{_APPLICATION}/approve"): _WHY,
    ("POST", f"{_APPLICATION}/reject"): _WHY,
}


def own_fields(description, method, path):
    """The fields that a body may have, as the description of the API tells."""
    body = description["paths"][path][method.lower()]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    name = schema["$ref"].rpartition("/")[2]
    return set(description["components"]["schemas"][name]["properties"])


class TestMassAssignment:
    def test_every_body_is_tried(self, client):
        described = client.get("/api/v1/openapi.json").json["paths"]

        with_body = {
            path
            for path, methods in described.items()
            for operation in methods.values()
            if isinstance(operation, dict)
            and "application/json" in operation.get("requestBody", {}).get("content", {})
        }

        assert with_body == {*ACCESS_BODIES, *(path for _, path in PEOPLE_BODIES)}

    @pytest.mark.parametrize(("method", "path"), sorted(PEOPLE_BODIES))
    def test_a_field_too_many_about_people_is_refused(
        self, client, owner, database, money, method, path
    ):
        own = own_fields(client.get("/api/v1/openapi.json").json, method, path)
        before = money()
        if "/staff/" in path:
            with database.session() as session:
                clerk = factories.make_staff(session, role="customer_service")
                owner.token = factories.make_staff_token(session, staff=clerk)

        for field in sorted(set(EXTRA_FIELDS) - own):
            answer = owner.call(
                method,
                re.sub(r"{\w+}", "1", path.removeprefix("/api/v1")),
                json=PEOPLE_BODIES[method, path] | {field: EXTRA_FIELDS[field]},
                headers={"Idempotency-Key": "key-00000001"},
            )

            assert "不认识这个字段" in str(refusal(answer, 422)["fields"]), field
        assert money() == before

    @pytest.mark.parametrize("field", sorted(EXTRA_FIELDS))
    @pytest.mark.parametrize("path", sorted(ACCESS_BODIES))
    def test_a_field_too_many_is_refused(self, owner, staff_key, path, field, money):
        if "/staff/" in path:
            owner.token = staff_key
        if field in ACCESS_BODIES[path]:
            pytest.skip("this field is one of its own")
        body, before = ACCESS_BODIES[path] | {field: EXTRA_FIELDS[field]}, money()

        answer = owner.call(
            "POST",
            path.removeprefix("/api/v1").format(staff_id=1),
            json=body,
            headers={"Idempotency-Key": "key-00000001"},
        )

        assert "不认识这个字段" in str(refusal(answer, 422)["fields"])
        assert money() == before


class TestAddresses:
    @pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP"])
    def test_a_claimed_address_is_not_believed(self, client, database, header):
        client.post(
            "/api/v1/phone-codes", json={"phone": "19900000001"}, headers={header: "6.6.6.6"}
        )

        assert database.value("SELECT ip FROM login_code") == "127.0.0.1"

    def test_a_claimed_host_or_scheme_changes_nothing(self, client):
        headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}

        assert client.get("/healthz", headers=headers).status_code == 200
        assert "evil" not in client.get("/api/v1/openapi.json", headers=headers).text

    def test_no_answer_speaks_of_an_address(self, client):
        headers = {"Host": "localhost"}

        assert "http://" not in client.get("/api/docs", headers=headers).text


@pytest.fixture
def fuzz(app, owner):
    """Try one operation of the description with made-up requests; returns how many."""

    def fuzz(operation):
        tried = 0

        @seed(20261124)
        @settings(
            max_examples=40,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def one(case):
            nonlocal tried
            tried += 1
            answer = case.call(headers={"Authorization": f"Bearer {owner.token}"})
            assert answer.status_code != 500
            case.validate_response(answer, checks=CHECKS.get_by_names(_CHECKS))

        one()
        return tried

    return fuzz


class TestFuzz:
    @pytest.mark.slow
    def test_no_request_breaks_the_api(self, app, fuzz):
        description = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
        operations = [
            found.ok() for found in description.get_all_operations() if isinstance(found, Ok)
        ]

        # Signing out would end the session that all others need.
        tried = [fuzz(one) for one in operations if one.method.upper() != "DELETE"]

        assert sum(tried) > 10 * len(tried)
