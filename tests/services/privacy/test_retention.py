from datetime import timedelta

import pytest

from domain.actors import Permission, operator
from domain.errors import NotAllowed
from domain.imports import ImportCannotMove
from domain.personal_data import Keep
from domain.register import REGISTER
from services.privacy.retention import ERASED_NAME, RULES
from tests import factories
from tests.factories import actor_without
from tests.services.privacy.conftest import SYSTEM

ELSEWHERE = {
    "house_person": "holds no word, only who had what; the name goes from owner",
    **dict.fromkeys(
        ("sign_in_attempt", "staff_session", "password_reset"),
        "goes by StaffSessions.drop_old: tests/services/staff/test_sessions.py",
    ),
}
"""What the register keeps for a time and no rule erases, and why."""


@pytest.fixture
def retention(services):
    return services.retention


@pytest.fixture
def erase(retention):
    return lambda: retention.erase_outdated(actor=SYSTEM)


@pytest.fixture
def due(retention):
    """What a dry run counts, by table."""
    return lambda: {
        one.table: one.count for one in retention.count_due(actor=operator()) if one.count
    }


@pytest.fixture
def gone(make_payer, database, clock):
    """An owner sold and paid long ago."""

    def gone(*bills, days_ago=3 * 366 + 1):
        payer = make_payer(*bills)
        until = clock.now().date() - timedelta(days=days_ago)
        database.do(
            "UPDATE house_person SET person_from = '2019-01-01', person_until = :on", on=until
        )
        database.do("UPDATE house_binding SET status = 'revoked', ended_at = now()")
        database.do("UPDATE owner SET created_at = '2019-01-01', email = 'w@example.com'")
        return payer

    return gone


class TestRules:
    def test_every_time_of_the_register_has_its_rule(self):
        timed = {Keep.LOG, Keep.CLAIM, Keep.WEEK, Keep.OWNER}
        held = {line.table for line in REGISTER if line.kept in timed}

        assert held == {rule.table for rule in RULES} | set(ELSEWHERE)

    def test_no_rule_touches_money(self):
        money = {line.table for line in REGISTER if line.kept in {Keep.VOUCHER, Keep.STATEMENT}} | {
            "allocation",
            "bill",
            "suspense",
            "prepaid_account",
        }

        assert not money & {rule.table for rule in RULES}

    def test_is_for_the_machine(self, retention):
        with pytest.raises(NotAllowed):
            retention.erase_outdated(actor=actor_without(Permission.RUN_PLATFORM_WORK))
        with pytest.raises(NotAllowed):
            retention.count_due(actor=actor_without(Permission.VIEW_PRIVACY_REQUESTS))


class TestOwners:
    def test_the_name_of_whoever_left_long_ago_goes(self, gone, erase, due, database, audit):
        gone()
        assert due() == {"owner": 1}

        erase()

        assert database.rows("SELECT name, phone, email, ended_on IS NULL AS lives FROM owner") == [
            {"name": ERASED_NAME, "phone": None, "email": "", "lives": False}
        ]
        assert database.value("SELECT count(*) FROM owner_phone") == 0
        assert {"count": 1, "what": "早已不是业主或住户的人"} in audit("personal_data_erased")

    def test_twice_is_once(self, gone, erase, due):
        gone()
        assert erase() > 0

        assert due() == {}
        assert erase() == 0

    def test_second_phones_and_cars_go_with_them(self, gone, erase, database):
        gone()
        database.do(
            "INSERT INTO owner_phone (owner_id, community_id, phone, is_primary, created_at)"
            " SELECT id, community_id, '19900000077', false, now() FROM owner"
        )
        database.do(
            "INSERT INTO car (community_id, plate_no, owner_id, created_at)"
            " SELECT community_id, '粤B96741', id, now() FROM owner"
        )

        erase()

        assert database.value("SELECT count(*) FROM owner_phone") == 0
        assert database.value("SELECT count(*) FROM car") == 0

    def test_not_before_three_years(self, gone, erase, due):
        gone(days_ago=3 * 365 - 5)

        assert due() == {}
        assert erase() == 0

    def test_not_whoever_lives_here(self, payer, database, due):
        database.do("UPDATE owner SET created_at = '2019-01-01'")

        assert due() == {}

    def test_not_whoever_owes(self, gone, database, due):
        gone(500)
        database.do("UPDATE bill SET period_from = '2019-06-01', period_until = '2019-07-01'")

        assert due() == {}

    def test_not_whoever_is_bound(self, gone, database, due):
        gone()
        database.do("UPDATE house_binding SET status = 'active', ended_at = NULL")

        assert due() == {}

    def test_amounts_stay(self, payer, pay, settle, database, erase, money, services, clock):
        settle(pay(payer))
        database.do(
            "UPDATE house_person SET person_from = '2019-01-01', person_until = '2020-01-01'"
        )
        database.do("UPDATE house_binding SET status = 'revoked', ended_at = now()")
        database.do("UPDATE owner SET created_at = '2019-01-01'")
        clock.advance(days=4 * 366)
        before = money()

        assert erase() > 0

        assert money() == before
        assert database.value("SELECT name FROM owner") == ERASED_NAME
        assert all(check.holds for check in services.ledger.verify(actor=operator()))


class TestLogs:
    def test_codes_and_sessions_go_after_190_days(self, payer, database, clock, erase):
        with database.session() as session:
            account = session.get_one(factories.Account, payer.account_id)
            factories.make_session(session, account=account)
        database.do(
            "INSERT INTO login_code (phone, purpose, code_hmac, ip, tries_left, created_at,"
            " expires_at) VALUES ('19900000001', 'sign_in', '', '', 5, :now, :now)",
            now=clock.now(),
        )
        database.do("UPDATE session_token SET expires_at = :now", now=clock.now())
        clock.advance(days=189)
        assert erase() == 0

        clock.advance(days=2)
        erase()

        assert database.value("SELECT count(*) FROM login_code") == 0
        assert database.value("SELECT count(*) FROM session_token") == 0

    def test_a_live_session_stays(self, payer, database, clock, erase):
        with database.session() as session:
            account = session.get_one(factories.Account, payer.account_id)
            factories.make_session(session, account=account)
        database.do(
            "UPDATE session_token SET created_at = '2020-01-01', expires_at = :later",
            later=clock.now() + timedelta(days=1),
        )

        erase()

        assert database.value("SELECT count(*) FROM session_token") == 1

    def test_invitations_lose_whom_they_invited(self, payer, database, clock, erase):
        database.do(
            "INSERT INTO house_invitation (house_id, invited_by_account_id, phone, name, role,"
            " token_sha256, state, created_at, expires_at) VALUES (:house, :account,"
            " '19900000009', '家人', 'family', 'x', 'open', :now, :now)",
            house=payer.house_id,
            account=payer.account_id,
            now=clock.now(),
        )
        clock.advance(days=191)

        erase()

        assert database.rows("SELECT phone, name, state FROM house_invitation") == [
            {"phone": "", "name": "", "state": "revoked"}
        ]

    def test_messages_lose_whom_and_what_after_three_years(self, paid, database, clock, erase):
        database.do("UPDATE outbox_message SET state = 'sent', sent_at = now(), attempts = 1")
        clock.advance(days=3 * 366)

        erase()

        assert database.rows("SELECT recipient, payload FROM outbox_message") == [
            {"recipient": "", "payload": {}}
        ]
        assert "19900000001" not in database.value(
            "SELECT string_agg(dedup_key, '') FROM outbox_message"
        )

    def test_messages_on_their_way_stay(self, paid, database, clock, erase):
        clock.advance(days=3 * 366)

        erase()

        assert database.value("SELECT recipient <> '' FROM outbox_message")


class TestImports:
    @pytest.fixture
    def batch_id(self, payer, database, clock):
        database.do(
            "INSERT INTO import_batch (community_id, sheet, file_name, file_sha256, state,"
            " rows_total, problems, created_at, finished_at) VALUES (:community, '房屋业主',"
            " '王小明.xlsx', '', 'finished', 1, '[{\"row\": 1}]', :now, :now)",
            community=payer.community_id,
            now=clock.now(),
        )
        batch_id = database.value("SELECT id FROM import_batch")
        database.do("INSERT INTO import_file (batch_id, content) VALUES (:id, 'x')", id=batch_id)
        database.do(
            "INSERT INTO import_step (batch_id, step_no, made, changed)"
            " VALUES (:id, 1, '{}', '[]')",
            id=batch_id,
        )
        return batch_id

    def test_files_and_steps_go_after_190_days(self, batch_id, database, clock, erase):
        clock.advance(days=189)
        erase()
        assert database.value("SELECT count(*) FROM import_file") == 1

        clock.advance(days=2)
        erase()

        assert database.value("SELECT count(*) FROM import_file") == 0
        assert database.value("SELECT count(*) FROM import_step") == 0
        assert database.rows("SELECT file_name, problems FROM import_batch") == [
            {"file_name": "", "problems": []}
        ]

    def test_what_lost_its_steps_is_not_undone(self, services, batch_id, database, clock):
        with database.session() as session:
            clerk = factories.staff(session, role="customer_service")
        clock.advance(days=191)

        with pytest.raises(ImportCannotMove, match="190 天"):
            services.import_workbench.undo(actor=clerk, batch_id=batch_id)

    def test_a_batch_at_work_keeps_its_file(self, batch_id, database, clock, erase):
        database.do("UPDATE import_batch SET state = 'importing', finished_at = NULL")
        clock.advance(days=400)

        erase()

        assert database.value("SELECT count(*) FROM import_file") == 1
