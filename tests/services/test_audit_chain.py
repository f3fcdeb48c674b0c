import json
import re
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from domain.actors import Permission, operator, system_actor
from domain.errors import NotAllowed
from models import AuditEntry
from services import audit_chain
from services.audit import record
from services.audit_chain import BROKEN, START, audit_rows, canonical_bytes, link_of
from tests.factories import actor_without
from tests.world import ROOT

SYSTEM = system_actor("测试")


@pytest.fixture
def write(services):
    """Write audit rows, each in its own transaction."""

    def write(count=1, **facts):
        for number in range(count):
            services.audit_chain.unit_of_work.run(
                lambda tx, number=number: record(
                    tx,
                    operator(),
                    "task_done",
                    subject_type="house",
                    subject_id=number,
                    facts={"number": number, "words": "面积 89.37 → 92.10", **facts},
                )
            )

    return write


@pytest.fixture
def chain(services):
    return services.audit_chain


@pytest.fixture
def tamper(database):
    """Change rows as whoever owns the database can: with the triggers switched off."""

    def tamper(sql):
        with database.engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            return connection.exec_driver_sql(sql).rowcount

    return tamper


class TestSeal:
    def test_every_row_gets_one_link(self, chain, write, database):
        write(3)

        assert chain.seal(actor=SYSTEM) == 3
        assert chain.seal(actor=SYSTEM) == 0
        write(1)
        assert chain.seal(actor=SYSTEM) == 1
        assert database.rows("SELECT number, audit_entry_id FROM audit_link ORDER BY 1") == [
            {"number": number, "audit_entry_id": number} for number in range(1, 5)
        ]

    def test_a_row_that_commits_late_gets_a_later_link(self, chain, write, services, database):
        with services.audit_chain.unit_of_work.engine.connect() as slow:
            slow.exec_driver_sql(
                "INSERT INTO audit_entry (at, actor_kind, actor_name, action, subject_type, facts,"
                " request_id) VALUES (now(), 'system', 'x', 'tested', 'x', '{}', '')"
            )
            write(2)
            assert chain.seal(actor=SYSTEM) == 2
            slow.commit()

        assert chain.seal(actor=SYSTEM) == 1
        assert [
            row["audit_entry_id"]
            for row in database.rows("SELECT audit_entry_id FROM audit_link ORDER BY number")
        ] == [2, 3, 1]
        assert chain.verify(actor=operator()).holds

    def test_writers_and_sealers_at_once_link_each_row_once(self, chain, write, together, database):
        together(
            *[lambda: write(20)] * 3,
            *[lambda: [chain.seal(actor=SYSTEM) for _ in range(8)]] * 3,
        )
        chain.seal(actor=SYSTEM)

        assert database.value("SELECT count(*) FROM audit_entry") == 60
        assert database.value("SELECT count(DISTINCT audit_entry_id) FROM audit_link") == 60
        report = chain.verify(actor=operator())
        assert (report.holds, report.looked_at, report.head.number) == (True, 60, 60)

    def test_more_than_a_chunk(self, chain, database):
        database.do(
            "INSERT INTO audit_entry (at, actor_kind, actor_name, action, subject_type, facts,"
            " request_id) SELECT now(), 'system', 'x', 'tested', 'x', '{}', ''"
            " FROM generate_series(1, 4500)"
        )

        assert chain.seal(actor=SYSTEM) == 4500
        assert chain.verify(actor=operator()).head.number == 4500

    def test_only_by_our_own_machinery(self, chain):
        with pytest.raises(NotAllowed):
            chain.seal(actor=actor_without(Permission.RUN_PLATFORM_WORK))


class TestVerify:
    def test_an_empty_chain_holds(self, chain):
        report = chain.verify(actor=operator())

        assert (report.holds, report.head.number, report.head.sha256) == (True, 0, START)

    @pytest.mark.parametrize(
        ("sql", "sentence"),
        [
            ("UPDATE audit_entry SET facts = '{}' WHERE id = 2", "第 2 环与操作记录（编号 2）不符"),
            ("UPDATE audit_entry SET actor_name = '别人' WHERE id = 2", "第 2 环与操作记录"),
            (
                "UPDATE audit_entry SET at = at + interval '1 microsecond' WHERE id = 2",
                "第 2 环与操作记录",
            ),
            ("DELETE FROM audit_entry WHERE id = 2", "第 2 环的操作记录（编号 2）被删除"),
            ("DELETE FROM audit_link WHERE number = 2", "第 2 环至第 2 环不见了"),
            (
                "UPDATE audit_link SET sha256 = repeat('0', 64) WHERE number = 3",
                "第 3 环与操作记录（编号 3）不符",
            ),
            (
                "UPDATE audit_link SET linked_at = linked_at - interval '1 year' WHERE number = 3",
                "第 3 环与操作记录（编号 3）不符",
            ),
        ],
    )
    def test_what_the_owner_of_the_database_did_is_found(self, chain, write, tamper, sql, sentence):
        write(4)
        chain.seal(actor=SYSTEM)
        assert chain.verify(actor=operator()).holds

        tamper(sql)

        report = chain.verify(actor=operator())
        assert not report.holds
        assert sentence in "".join(report.problems)

    def test_a_row_slipped_in_between_is_found(self, chain, write, tamper):
        write(2)
        chain.seal(actor=SYSTEM)
        tamper(
            "INSERT INTO audit_entry (id, at, actor_kind, actor_name, action, subject_type, facts,"
            " request_id) VALUES (77, '2020-01-01', 'staff', '李工', 'tested', 'x', '{}', '')"
        )

        report = chain.verify(actor=operator())

        assert report.problems == ("有 1 条操作记录没有入链，从编号 77 起",)

    def test_a_row_slipped_in_under_an_old_date_is_found_after_it_was_linked(
        self, chain, write, database, clock
    ):
        write(3)
        chain.seal(actor=SYSTEM)
        clock.advance(minutes=1)
        database.do(
            "INSERT INTO audit_entry (at, actor_kind, actor_name, action, subject_type, facts,"
            " request_id) VALUES (:at, 'staff', '李工', 'tested', 'x', '{}', '')",
            at=clock.now() - timedelta(days=2),
        )
        assert chain.seal(actor=SYSTEM) == 1

        report = chain.verify(actor=operator())

        assert report.problems == ("第 4 环的操作记录（编号 4）是后来插入的",)

    def test_what_waited_while_the_ticker_was_down_was_not_slipped_in(
        self, chain, write, clock, monkeypatch
    ):
        monkeypatch.setattr(audit_chain, "_CHUNK", 2)
        write(1)
        chain.seal(actor=SYSTEM)
        clock.advance(minutes=1)
        write(5)
        clock.advance(days=3)
        chain.unit_of_work.run(audit_chain._seal_chunk)
        clock.advance(minutes=1)
        write(1)
        assert chain.seal(actor=SYSTEM) == 4

        assert chain.verify(actor=operator()).problems == ()

    def test_a_row_of_a_transaction_that_took_long_was_not_slipped_in(
        self, chain, write, database, clock
    ):
        began = clock.now()
        clock.advance(minutes=30)
        write(1)
        chain.seal(actor=SYSTEM)
        clock.advance(minutes=1)
        database.do(
            "INSERT INTO audit_entry (at, actor_kind, actor_name, action, subject_type, facts,"
            " request_id) VALUES (:at, 'staff', '李工', 'tested', 'x', '{}', '')",
            at=began,
        )
        chain.seal(actor=SYSTEM)

        assert chain.verify(actor=operator()).holds

    def test_a_young_row_may_still_wait_for_its_link(self, chain, write, clock):
        write(1)
        assert chain.verify(actor=operator()).holds
        clock.advance(minutes=11)
        assert not chain.verify(actor=operator()).holds

    def test_a_chain_that_was_made_anew_is_found_by_an_old_head(self, chain, write, tamper):
        write(3)
        chain.seal(actor=SYSTEM)
        head = chain.verify(actor=operator()).head.sha256
        tamper("UPDATE audit_entry SET actor_name = '别人' WHERE id = 1")
        tamper("DELETE FROM audit_link")
        chain.seal(actor=SYSTEM)

        assert chain.verify(actor=operator()).holds
        report = chain.verify(actor=operator(), head=head)

        assert report.problems == ("给出的链头不在链中：链可能被重做过",)

    def test_links_taken_off_the_end_are_missed_by_the_head_that_sealing_logged(
        self, chain, write, tamper, caplog
    ):
        write(2)
        chain.seal(actor=SYSTEM)
        write(1)
        with caplog.at_level("INFO"):
            chain.seal(actor=SYSTEM)
            chain.seal(actor=SYSTEM)
        [line] = [one for one in caplog.records if "head of the audit chain" in one.message]
        tamper("DELETE FROM audit_link WHERE number = 3")
        tamper("DELETE FROM audit_entry WHERE id = 3")

        assert chain.verify(actor=operator()).holds
        assert line.number == 3
        assert not chain.verify(actor=operator(), head=line.sha256).holds

    def test_the_head_of_an_empty_chain_stays_in_it(self, chain, write):
        head = chain.verify(actor=operator()).head.sha256
        assert chain.verify(actor=operator(), head=head).holds
        write(1)
        chain.seal(actor=SYSTEM)

        assert chain.verify(actor=operator(), head=head).holds

    def test_an_old_head_stays_in_the_chain(self, chain, write):
        write(2)
        chain.seal(actor=SYSTEM)
        head = chain.verify(actor=operator()).head.sha256
        write(2)
        chain.seal(actor=SYSTEM)

        assert chain.verify(actor=operator(), head=head).holds

    def test_only_with_the_permission(self, chain):
        for refused in (chain.verify, chain.check_and_tell):
            with pytest.raises(NotAllowed):
                refused(actor=actor_without(Permission.CHECK_LEDGER))


class TestTell:
    def test_a_task_while_it_is_broken_and_the_head_in_the_log(
        self, chain, write, tamper, database, caplog
    ):
        write(2)
        chain.seal(actor=SYSTEM)
        head = chain.verify(actor=operator()).head
        caplog.clear()
        with caplog.at_level("INFO"):
            assert chain.check_and_tell(actor=SYSTEM) == 0
        [line] = [one for one in caplog.records if "head of the audit chain" in one.message]
        assert (line.number, line.sha256) == (2, head.sha256)
        assert database.value("SELECT count(*) FROM staff_task") == 0

        tamper("UPDATE audit_entry SET action = 'x' WHERE id = 1")
        assert chain.check_and_tell(actor=SYSTEM) == 1
        [task] = database.rows("SELECT kind, title FROM staff_task WHERE done_at IS NULL")
        assert task["kind"] == BROKEN
        assert "第 1 环" in task["title"]

        tamper("UPDATE audit_entry SET action = 'task_done' WHERE id = 1")
        chain.check_and_tell(actor=SYSTEM)
        assert database.value("SELECT count(*) FROM staff_task WHERE done_at IS NULL") == 0


@pytest.mark.parametrize("table", ["audit_entry", "audit_link"])
@pytest.mark.parametrize(
    "sql", ["UPDATE {} SET audit_entry_id = 1", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
def test_the_tables_only_grow(chain, write, database, table, sql):
    write(1)
    chain.seal(actor=SYSTEM)
    if table == "audit_entry":
        sql = sql.replace("audit_entry_id = 1", "action = 'x'")

    with pytest.raises(Exception, match="only grows"):
        database.do(sql.format(table))


TEXTS = st.text(alphabet=st.characters(exclude_characters="\0", codec="utf-8"), max_size=5)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=25, min_value=-9, max_value=9)
FACTS = st.recursive(
    st.integers() | NUMBERS | TEXTS | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def as_json(facts):
    """Write facts with every digit of their numbers, in the order in which they stand."""
    if isinstance(facts, dict):
        inner = ",".join(f"{json.dumps(key)}:{as_json(value)}" for key, value in facts.items())
        return f"{{{inner}}}"
    if isinstance(facts, list):
        return f"[{','.join(map(as_json, facts))}]"
    return f"{facts + 0:f}" if isinstance(facts, Decimal) else json.dumps(facts)


def in_order(facts):
    """The same with keys sorted, as text that tells a number from a word."""
    if isinstance(facts, dict):
        return {key: in_order(facts[key]) for key in sorted(facts)}
    return [in_order(one) for one in facts] if isinstance(facts, list) else facts


def turned(facts):
    return dict(reversed(list(facts.items()))) if isinstance(facts, dict) else facts


@pytest.fixture(scope="module")
def bytes_of(made_app, test_engine):
    """The bytes of a row with these columns, once the database has kept it."""

    def bytes_of(facts="{}", **columns):
        values = {
            "id": 1,
            "at": "2026-11-23T00:00:00Z",
            "actor_kind": "staff",
            "actor_id": 1,
            "actor_name": "李工",
            "action": "tested",
            "subject_type": "house",
            "subject_id": 1,
            "community_id": None,
            "request_id": "",
        } | columns
        with test_engine.connect() as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            connection.execute(
                text(
                    f"INSERT INTO audit_entry ({', '.join(values)}, facts) VALUES"
                    f" ({', '.join(f':{name}' for name in values)}, CAST(:facts AS jsonb))"
                ),
                values | {"facts": facts},
            )
            row = connection.execute(audit_rows().where(AuditEntry.id == values["id"])).one()
            return canonical_bytes(row)

    return bytes_of


class TestCanonicalBytes:
    @given(FACTS, FACTS)
    def test_equal_facts_have_equal_bytes_and_others_have_not(self, bytes_of, one, other):
        assert bytes_of(as_json(one)) == bytes_of(as_json(turned(one)))
        is_same = as_json(in_order(one)) == as_json(in_order(other))
        assert (bytes_of(as_json(one)) == bytes_of(as_json(other))) is is_same

    def test_an_instant_is_the_same_in_every_zone(self, bytes_of):
        assert bytes_of(at="2026-11-23T08:00:00+08:00") == bytes_of(at="2026-11-23T00:00:00Z")

    @pytest.mark.parametrize("column", AuditEntry.__table__.columns.keys())
    def test_every_column_counts(self, bytes_of, column):
        kind = AuditEntry.__table__.columns[column].type.python_type
        other = {int: 9, str: "9", datetime: "2026-11-23T00:00:00.000001Z"}.get(kind, '{"x": 1}')

        assert bytes_of() != bytes_of(**{column: other})

    def test_what_is_kept_is_what_was_hashed(self, chain, write, database):
        write(1, share="0.5", tiny=1e-7, nested={"b": [1, None], "a": "，\n"})
        chain.seal(actor=SYSTEM)

        with database.session() as session:
            content = canonical_bytes(session.execute(audit_rows()).one())
        [link] = database.rows("SELECT sha256, linked_at FROM audit_link")
        assert link["sha256"] == link_of(START, link["linked_at"], content)

    def test_a_number_that_python_cannot_read_stops_neither_sealing_nor_the_check(
        self, chain, write, tamper
    ):
        write(2)
        tamper("UPDATE audit_entry SET facts = '{\"x\": 1e5000}' WHERE id = 1")

        assert chain.seal(actor=SYSTEM) == 2
        assert chain.verify(actor=operator()).holds
        tamper("UPDATE audit_entry SET facts = '{\"x\": 1e5001}' WHERE id = 1")
        assert "第 1 环" in chain.verify(actor=operator()).problems[0]


def test_the_shell_tells_it(app, write, chain, tamper):
    def flask(*words):
        return app.test_cli_runner().invoke(args=words)

    write(2)
    chain.seal(actor=SYSTEM)

    told = flask("verify", "audit")
    assert told.exit_code == 0
    assert "2 条操作记录与哈希链相符" in told.output
    [head] = re.findall(r"[0-9a-f]{64}", told.output)
    assert flask("verify", "audit", "--head", head).exit_code == 0
    assert flask("verify", "audit", "--head", "0" * 64).exit_code == 1

    tamper("UPDATE audit_entry SET action = 'x' WHERE id = 2")
    told = flask("verify", "audit")
    assert told.exit_code == 1
    assert "第 2 环" in told.output


@pytest.fixture
def lesser_account(database):
    """The account that docs/production.md makes for the application."""
    [sql] = re.findall(
        r"```sql\n(CREATE ROLE anju_app.*?)```", (ROOT / "docs/production.md").read_text(), re.S
    )
    with database.engine.begin() as connection:
        connection.exec_driver_sql(sql.replace("…", "x"))
    yield "anju_app"
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP OWNED BY anju_app")
        connection.exec_driver_sql("DROP ROLE anju_app")


class TestLesserAccount:
    def test_writes_and_reads(self, database, lesser_account):
        with database.engine.connect() as connection:
            connection.exec_driver_sql(f"SET ROLE {lesser_account}")
            connection.exec_driver_sql(
                "INSERT INTO audit_entry (at, actor_kind, actor_name, action, subject_type, facts,"
                " request_id) VALUES (now(), 'system', 'x', 'tested', 'x', '{}', '')"
            )
            connection.exec_driver_sql("UPDATE community SET note = ''")
            connection.exec_driver_sql("CREATE TEMPORARY TABLE some_ids (id bigint)")

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE audit_entry SET action = 'x'",
            "DELETE FROM audit_link",
            "TRUNCATE audit_entry",
            "DELETE FROM phone_reveal",
            "UPDATE payment SET amount_fen = 1",
            "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
            "SET session_replication_role = replica",
        ],
    )
    def test_cannot_switch_the_guards_off(self, database, lesser_account, sql):
        with database.engine.connect() as connection:
            connection.exec_driver_sql(f"SET ROLE {lesser_account}")
            with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
                connection.exec_driver_sql(sql)
