"""No full phone leaves by any GET route, log line or audit row, but for those on the reviewed list.

The world has known full numbers in every column that may hold one. Each GET route of owners, staff
and the open ones is asked for the world's rows by somebody who may do everything.
"""

import io
import json
import logging
import re
import zipfile

import pytest
from sqlalchemy import text

from domain.actors import operator, system_actor
from services.logs import MaskingFormatter
from services.people.phones import PhoneProof
from services.sign_in_attempts import Visit
from tests import factories
from tests.models.test_schema import world  # noqa: F401 - one row of everything

PHONE = re.compile(r"(?<![0-9])(?:86)?1[3-9][0-9]{9}(?![0-9])")
_RANDOM = re.compile(r'"request_id":\s*"[0-9a-f]+"|sign=[0-9a-f]+')
"""Made by chance: now and then eleven digits in a row among them look like a phone."""
SHOWS_PHONES = {
    "/api/v1/privacy/exports/<row_id:export_id>/file": "the owner's own copy, of their own phone",
}
"""Reading a phone in full is a POST with a reason: /api/v1/staff/owners/{id}/reveal."""
NO_DATA = {
    "/api/v1/staff/imports/template.xlsx",
    "/api/docs",
    "/api/docs/files/<string:name>",
    "/api/v1/openapi.json",
    "/s/<any('page.css', 'pay.js', 'reset.js'):name>",
    "/staff/reset",
    "/healthz",
    "/readyz",
    "/metrics",
}
"""Documents with examples in them, and pages without a row of anybody."""
QUERIES = {
    "/api/v1/repairs/alike": "house_id=1&category=water",
    "/api/v1/staff/repair-analysis": "community_id=1&from_on=2026-01-01&until_on=2026-12-31",
    "/api/v1/staff/repair-incidents": "community_id=1",
    "/api/v1/staff/repair-incidents/suggestions": "community_id=1",
    "/api/v1/houses/<row_id:house_id>/statement": "from=2026-10-01&until=2026-11-24",
    "/api/v1/houses/<row_id:house_id>/statement.pdf": "from=2026-10-01&until=2026-11-24",
    "/api/v1/houses/<row_id:house_id>/statement.xlsx": "from=2026-10-01&until=2026-11-24",
    "/api/v1/staff/buildings": "community=CH1",
    "/api/v1/staff/cars": "community=CH1",
    "/api/v1/staff/meters": "community=CH1",
    "/api/v1/staff/notices": "community=CH1",
    "/api/v1/staff/parking-spaces": "community=CH1",
    "/api/v1/staff/houses/<row_id:house_id>/transfer": "cut_on=2026-11-05",
    "/api/v1/staff/payments/<number:number>/life": "community=CH1",
}
UNANSWERED = {
    "/api/v1/staff/imports/<row_id:batch_id>/errors.xlsx": "the world's batch has no such file",
    "/api/v1/files/<row_id:file_id>": "a link is signed: tests/miniapp_api/test_stored_files.py",
    "/p/<door_token:token>": "the world's code is a hash: tests/miniapp_api/test_door.py",
    "/p/<door_token:token>/payments/<door_token:visit>": "as above",
    "/p/<door_token:token>/payments/<door_token:visit>/receipt.pdf": "as above",
}
"""Routes that have nothing to say of this world; what they say elsewhere has tests of its own."""
SNAPSHOT = {
    "community": "翠湖花园",
    "channel": "微信支付",
    "transaction_id": "t1",
    "out_trade_no": "P1",
    "payer_phone": "199****0001",
    "payer_name": "",
    "voucher_no": "",
    "cashier": "",
    "paid_at": "2026-11-24T08:00:00+00:00",
    "lines": [
        {
            "house": "1栋101",
            "item": "物业费",
            "period": "2026-10",
            "bill_no": "B1",
            "kind": "principal",
            "amount_fen": 21002,
            "discount_fen": 0,
        }
    ],
    "remarks": [],
}
"""What a receipt of services/payments/receipts.py holds."""
PHONES = {
    "owner": "19900000001",
    "second": "19900000031",
    "invited": "19900000009",
    "payee": "19900000032",
    "staff": "19900000033",
    "reporter": "19900000034",
}


def unpacked(body):
    """The words of an answer; of a ZIP or workbook those of all its members."""
    if not body.startswith(b"PK"):
        return body
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return b" ".join(unpacked(archive.read(name)) for name in archive.namelist())


@pytest.fixture
def told(client, services, world, app, database, clock):  # noqa: F811
    """Answers of every GET route: (rule, access, status, body)."""
    tokens = _dress(world, clock.now())
    services.privacy_exports.make_due(actor=system_actor("x"))
    ids = _ids(world)
    found = []
    for rule in app.url_map.iter_rules():
        access = getattr(app.view_functions[rule.endpoint], "access", "open")
        if "GET" not in rule.methods or access == "platform" or rule.rule in NO_DATA:
            continue
        path = re.sub(r"<(?:[^:>]+:)?(\w+)>", lambda match: str(ids[match[1]]), rule.rule)
        for token in tokens[access]:
            answer = client.get(
                path,
                query_string=QUERIES.get(rule.rule, ""),
                headers={"Authorization": f"Bearer {token}"} if token else {},
            )
            found.append((rule.rule, access, answer.status_code, unpacked(answer.data)))
    yield found
    database.empty()


def _dress(world, now):  # noqa: F811
    """Put a full number wherever one may stand, and sign an owner and a manager in."""
    world.do("UPDATE owner SET email = 'wang@example.com'")
    world.do(
        "INSERT INTO owner_phone (owner_id, community_id, phone, is_primary, created_at)"
        " SELECT id, community_id, :phone, false, now() FROM owner",
        phone=PHONES["second"],
    )
    world.do("UPDATE house_binding SET status = 'active'")
    world.do("UPDATE import_batch SET sheet = '房屋业主'")
    world.do("UPDATE binding_application SET house_id = (SELECT min(id) FROM house)")
    with world.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.execute(
            text("UPDATE receipt SET snapshot = :snapshot"), {"snapshot": json.dumps(SNAPSHOT)}
        )
    with world.session() as session:
        account = session.query(factories.Account).order_by(factories.Account.id).first()
        manager, administrator = (
            factories.make_staff(session, role=role, login_name=role, phone=PHONES["staff"])
            for role in ("manager", "administrator")
        )
        return {
            "owner": [factories.make_session(session, account=account)],
            "staff": [
                factories.make_staff_session(session, staff=manager, at=now),
                factories.make_staff_session(session, staff=administrator, at=now),
            ],
            "open": [None],
        }


def _ids(world):  # noqa: F811
    tables = {
        "bill_id": "bill",
        "building_id": "building",
        "community_id": "community",
        "house_id": "house",
        "payment_id": "payment_order",
        "batch_id": "import_batch",
        "owner_id": "owner",
        "export_id": "privacy_export",
        "equipment_id": "equipment",
        "plan_id": "maintenance_plan",
        "task_id": "maintenance_task",
        "file_id": "stored_file",
        "repair_id": "repair_order",
        "notice_id": "notice",
    }
    return {
        **{name: world.value(f"SELECT min(id) FROM {table}") for name, table in tables.items()},
        "receipt_no": "CH-1",
        "number": "P1",
        "token": world.value("SELECT verify_token FROM receipt"),
        "code": world.value("SELECT min(code) FROM equipment"),
        "visit": "x" * 32,
    }


class TestAnswers:
    def test_no_answer_has_a_full_phone_but_the_reviewed(self, told):
        plain = [
            (rule, _RANDOM.sub("", body.decode("utf-8", "replace"))) for rule, *_, body in told
        ]
        showing = {rule: PHONE.findall(body) for rule, body in plain if PHONE.search(body)}

        assert set(showing) - set(SHOWS_PHONES) == set()

    def test_every_route_had_something_to_say(self, told):
        told_of = {rule for rule, _, status, _ in told if status == 200}

        assert {rule for rule, *_ in told} - told_of == set(UNANSWERED)

    def test_masked_phones_are_in_what_was_told(self, told):
        everything = b"".join(body for _, _, _, body in told)

        for phone in map(PHONES.get, ("owner", "second", "invited", "reporter")):
            assert f"{phone[:3]}****{phone[-4:]}".encode() in everything

    def test_routes_of_each_kind_were_asked(self, told):
        asked = [access for _, access, _, _ in told]

        assert asked.count("owner") > 12
        assert asked.count("staff") > 12

    def test_a_full_phone_would_be_seen(self, told):
        copies = [body for rule, _, _, body in told if rule in SHOWS_PHONES]

        assert copies
        assert all(PHONE.search(body.decode("utf-8", "replace")) for body in copies)
        assert not PHONE.search('{"transaction_id": "420000119900000001"}')

    def test_ones_own_copy_has_no_other_phone_in_full(self, told):
        for rule, _, _, body in told:
            if rule in SHOWS_PHONES:
                found = set(PHONE.findall(body.decode("utf-8", "replace")))
                assert found == {PHONES["owner"]}


class TestLeavings:
    @pytest.fixture
    def story(self, services, world):  # noqa: F811
        """Acts on phones, each of which leaves audit rows and log lines."""
        owner_id = world.value("SELECT min(id) FROM owner")
        phones = services.owner_phones
        phones.reveal(actor=operator(), owner_id=owner_id, reason="核实身份")
        phones.add(actor=operator(), owner_id=owner_id, phone=PHONES["second"], reason="多一个号")
        phones.change(
            actor=operator(),
            owner_id=owner_id,
            phone_id=None,
            new_phone=PHONES["payee"],
            proof=PhoneProof(paper="身份证"),
            reason="换号",
            visit=Visit("10.0.0.1"),
        )
        yield world
        world.empty()

    def test_audit_rows_hold_none(self, story):
        rows = story.rows("SELECT action, row_to_json(audit_entry)::text AS words FROM audit_entry")

        assert {"owner_phone_changed", "owner_phone_revealed"} <= {row["action"] for row in rows}
        assert [row["action"] for row in rows if PHONE.search(row["words"])] == []

    def test_log_lines_hold_none(self, client, app):
        lines = []

        class Keeping(logging.Handler):
            def emit(self, record):
                lines.append(self.format(record))

        keeping = Keeping()
        keeping.setFormatter(MaskingFormatter())
        root, level = logging.getLogger(), logging.getLogger().level
        root.addHandler(keeping)
        root.setLevel("INFO")
        try:
            client.get("/api/v1/staff/owners?text=19900000001")
            client.post("/api/v1/phone-codes", json={"phone": PHONES["owner"]})
            logging.getLogger("services.x").info("打给 %s", PHONES["owner"])
        finally:
            root.removeHandler(keeping)
            root.setLevel(level)

        assert any("199****0001" in line for line in lines)
        assert [line for line in lines if PHONE.search(line)] == []
        assert all(json.loads(line) for line in lines)
