import io
import json
import zipfile
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.actors import Permission
from domain.consents import ConsentKind
from domain.errors import NotAllowed, NotFound
from domain.privacy_states import ExportState
from domain.register import REGISTER
from services.privacy.exports import ExportTooOften, ExportUnderWay
from services.privacy.own_data import WHOSE, exported_columns, gather
from tests import factories
from tests.factories import actor_without
from tests.models.test_schema import world  # noqa: F401 - one row of everything
from tests.services.privacy.conftest import SYSTEM


@pytest.fixture
def exports(services):
    return services.privacy_exports


@pytest.fixture
def copy_of(exports):
    """Ask for a copy and give what its JSON says: rows by table."""

    def copy_of(actor):
        exports.ask(actor=actor)
        exports.make_due(actor=SYSTEM)
        content = exports.file(actor=actor, export_id=exports.list_own(actor=actor)[0].id)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.namelist() == ["data.json", "个人信息副本.xlsx"]
            told = json.loads(archive.read("data.json"))
        return {table: part["rows"] for table, part in told["tables"].items()}

    return copy_of


@pytest.fixture
def full_world(services, world):  # noqa: F811
    """The world, whose one account is about each of its rows."""
    world.do("UPDATE car SET owner_id = (SELECT min(id) FROM owner)")
    world.do("UPDATE parking_space SET owner_id = (SELECT min(id) FROM owner)")
    world.do(
        "INSERT INTO refund (community_id, refund_no, kind, state, payment_id, channel, amount_fen,"
        " created_at, query_at) SELECT community_id, 'R3', 'payment', 'processing', id, 'wechat',"
        " 5, now(), now() FROM payment WHERE out_trade_no = 'P1'"
    )
    world.do("UPDATE outbox_message SET recipient = '19900000001'")
    world.do("UPDATE deposit SET payer_name = (SELECT name FROM owner LIMIT 1)")
    yield world
    world.empty()


class TestAsk:
    def test_a_worker_makes_it(self, exports, payer, queue, clock):
        asked = exports.ask(actor=payer.actor)
        queue.run()

        [made] = exports.list_own(actor=payer.actor)
        assert (asked.state, made.state) == (ExportState.ASKED, ExportState.READY)
        assert made.expires_at == clock.now() + timedelta(days=7)

    def test_one_at_a_time(self, exports, payer):
        exports.ask(actor=payer.actor)

        with pytest.raises(ExportUnderWay):
            exports.ask(actor=payer.actor)

    def test_asked_twice_at_the_same_moment_is_one(self, exports, payer, database, together):
        ask = lambda: exports.ask(actor=payer.actor)  # noqa: E731

        answers = together(ask, ask)

        assert sum(isinstance(answer, ExportUnderWay) for answer in answers) == 1
        assert database.value("SELECT count(*) FROM privacy_export") == 1

    def test_three_a_day(self, exports, payer, clock):
        for _ in range(3):
            exports.ask(actor=payer.actor)
            exports.make_due(actor=SYSTEM)

        with pytest.raises(ExportTooOften) as refusal:
            exports.ask(actor=payer.actor)
        assert 0 < refusal.value.retry_after_s <= 86401

        clock.advance(days=1)
        assert exports.ask(actor=payer.actor)

    @pytest.mark.parametrize(
        ("name", "values"), [("ask", {}), ("list_own", {}), ("file", {"export_id": 1})]
    )
    def test_asks_for_the_permission(self, exports, name, values):
        with pytest.raises(NotAllowed):
            getattr(exports, name)(actor=actor_without(Permission.MANAGE_OWN_PRIVACY), **values)


class TestMakeDue:
    def test_is_for_the_machine(self, exports):
        with pytest.raises(NotAllowed):
            exports.make_due(actor=actor_without(Permission.RUN_PLATFORM_WORK))

    def test_what_fails_is_tried_three_times(self, exports, payer, database, monkeypatch):
        exports.ask(actor=payer.actor)
        monkeypatch.setitem(WHOSE, "account", "no_such_column")

        for _ in range(3):
            assert exports.make_due(actor=SYSTEM) == 0
        assert exports.list_own(actor=payer.actor)[0].state == ExportState.ASKED
        exports.make_due(actor=SYSTEM)

        assert exports.list_own(actor=payer.actor)[0].state == ExportState.FAILED

    def test_those_given_up_meanwhile_are_left(self, services, payer, make_payer, database):
        """The accounts are closed while the first copy is being written."""

        class Closing:
            def write_workbook(self, documents):
                database.do("UPDATE privacy_export SET state = 'failed'")
                return services.privacy_exports.documents.write_workbook(documents)

        exports = replace(services.privacy_exports, documents=Closing())
        for who in (payer, make_payer(phone="19900000002")):
            exports.ask(actor=who.actor)

        assert exports.make_due(actor=SYSTEM) == 0

        assert database.rows("SELECT content, attempts FROM privacy_export ORDER BY id") == [
            {"content": None, "attempts": 1},
            {"content": None, "attempts": 0},
        ]

    def test_another_worker_leaves_it(self, exports, payer, unit_of_work):
        exports.ask(actor=payer.actor)

        with unit_of_work.exclusive("privacy_exports"):
            assert exports.make_due(actor=SYSTEM) == 0

        assert exports.make_due(actor=SYSTEM) == 1


class TestFile:
    @pytest.fixture
    def export_id(self, exports, payer):
        exports.ask(actor=payer.actor)
        exports.make_due(actor=SYSTEM)
        return exports.list_own(actor=payer.actor)[0].id

    def test_is_on_record(self, exports, payer, export_id, audit):
        exports.file(actor=payer.actor, export_id=export_id)

        assert audit("privacy_export_taken") == [{"export_id": export_id}]

    def test_of_another_is_not_there(self, exports, export_id, database):
        with database.session() as session:
            other = factories.owner(factories.make_account(session, phone="19900000002"))

        with pytest.raises(NotFound):
            exports.file(actor=other, export_id=export_id)
        assert exports.list_own(actor=other) == []

    def test_one_not_ready_is_not_there(self, exports, payer, clock):
        asked = exports.ask(actor=payer.actor)

        with pytest.raises(NotFound):
            exports.file(actor=payer.actor, export_id=asked.id)

    def test_after_a_week_it_is_gone(self, exports, services, payer, export_id, clock, database):
        clock.advance(days=7)

        with pytest.raises(NotFound):
            exports.file(actor=payer.actor, export_id=export_id)
        services.retention.erase_outdated(actor=SYSTEM)

        assert database.rows("SELECT state, content FROM privacy_export") == [
            {"state": "erased", "content": None}
        ]


class TestContent:
    def test_every_exported_line_of_the_register_has_its_rows(self, full_world, unit_of_work):

        with unit_of_work.snapshot() as session:
            parts = {part.table: part for part in gather(session, 1)}

        assert set(parts) == {held.table for held in REGISTER if held.exported} == set(WHOSE)
        assert [table for table, part in parts.items() if not part.rows] == []
        for held in REGISTER:
            if held.exported:
                told = parts[held.table].columns
                assert {*held.columns, *held.facts} <= set(told)

    def test_a_line_without_rows_is_found(self):
        assert set(exported_columns()) == set(WHOSE)

    def test_tells_what_one_paid(self, paid, copy_of):
        told = copy_of(paid.actor)

        assert [bill["paid_fen"] for bill in told["bill"]] == [21002, 0]
        assert [payment["amount_fen"] for payment in told["payment"]] == [21002]
        assert told["receipt"][0]["snapshot"]["payer_phone"] == "199****0001"
        assert told["account"][0]["phone"] == "19900000001"
        assert told["outbox_message"]

    def test_has_nothing_of_a_neighbour(self, paid, make_payer, pay, settle, copy_of):
        other = make_payer(300, phone="19900000002")
        settle(pay(other, key="key-00000002"), number=2)

        told = json.dumps(copy_of(paid.actor))

        assert "19900000002" not in told
        assert "业主2" not in told
        assert "key-00000002" not in told

    def test_has_nothing_of_a_co_owner_but_the_house(self, paid, make_payer, copy_of):
        make_payer(house_id=paid.house_id, phone="19900000002")

        told = copy_of(paid.actor)

        assert [one["name"] for one in told["owner"]] == ["业主1"]
        assert len(told["house_person"]) == 1
        assert "19900000002" not in json.dumps(told)

    def test_another_phone_of_the_owner_is_masked(self, paid, database, copy_of):
        """It may be their spouse's, who is told neither the other."""
        database.do(
            "INSERT INTO owner_phone (owner_id, community_id, phone, is_primary, created_at)"
            " SELECT id, community_id, '19900000077', false, now() FROM owner"
        )

        phones = [one["phone"] for one in copy_of(paid.actor)["owner_phone"]]

        assert sorted(phones) == ["199****0077", "19900000001"]

    def test_bills_are_those_of_the_days_it_was_theirs(self, payer, database, copy_of):
        [first, second] = payer.bill_ids
        database.do(
            "UPDATE bill SET period_from = '2021-01-01', period_until = '2021-02-01'"
            " WHERE id = :id",
            id=first,
        )
        database.do("UPDATE house_person SET person_from = '2021-02-01'")

        told = copy_of(payer.actor)

        numbers = {row["id"]: row["bill_no"] for row in database.rows("SELECT * FROM bill")}
        assert [bill["bill_no"] for bill in told["bill"]] == [numbers[second]]

    def test_messages_of_before_the_account_are_somebody_elses(
        self, payer, database, clock, copy_of
    ):
        database.do("UPDATE account SET created_at = :now", now=clock.now())
        database.do(
            "INSERT INTO outbox_message (kind, channel, recipient, payload, dedup_key, state,"
            " next_attempt_at, created_at, sent_at) VALUES ('bill_published', 'sms', '19900000001',"
            " '{\"house\": \"别人家\"}', 'k', 'sent', now(), :before, :before)",
            before=clock.now() - timedelta(days=30),
        )

        assert copy_of(payer.actor)["outbox_message"] == []

    def test_who_looked_at_the_phone_is_told(self, payer, services, database, copy_of):
        with database.session() as session:
            clerk = factories.staff(session, role="customer_service", name="小李")
        services.owner_phones.reveal(
            actor=clerk, owner_id=database.value("SELECT id FROM owner"), reason="核实漏水"
        )

        [reveal] = copy_of(payer.actor)["phone_reveal"]

        assert (reveal["who"], reveal["reason"]) == ("小李", "核实漏水")

    def test_an_account_of_nothing_is_told_so(self, database, app, copy_of):
        with database.session() as session:
            nobody = factories.owner(factories.make_account(session, phone="19900000009"))

        told = copy_of(nobody)

        assert {table for table, rows in told.items() if rows} == {"account"}

    def test_consents_are_told(self, payer, services, copy_of):
        version = services.consents.current[ConsentKind.TERMS]
        services.consents.give(actor=payer.actor, kind=ConsentKind.TERMS, version=version)

        [consent] = copy_of(payer.actor)["consent"]

        assert (consent["kind"], consent["act"], consent["version"]) == ("terms", "given", version)
