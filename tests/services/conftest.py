"""What tests of use-cases look at: the unit of work, and the statements that it sends."""

import pytest
from sqlalchemy import event, select, true

from domain.actors import operator
from models import Bill
from tests import factories
from tests.services.house_money import (  # noqa: F401 - a house that owes money
    add_bill,
    balance,
    bill,
    charge_late,
    late_fee,
    scene,
    take,
    today,
)


@pytest.fixture
def unit_of_work(services):
    return services.outbox.unit_of_work


@pytest.fixture
def statements(unit_of_work):
    """Every statement that the use-cases send from here on, in order."""
    seen = []

    def note(connection, cursor, statement, parameters, context, executemany):
        seen.append(statement)

    event.listen(unit_of_work.engine, "before_cursor_execute", note)
    yield seen
    event.remove(unit_of_work.engine, "before_cursor_execute", note)


@pytest.fixture
def audit(database):
    """Actions on record, oldest first; with a name, the facts of those."""

    def audit(action=None):
        rows = database.rows("SELECT action, facts FROM audit_entry ORDER BY id")
        if action is None:
            return [row["action"] for row in rows]
        return [row["facts"] for row in rows if row["action"] == action]

    return audit


@pytest.fixture
def decided(database):
    """Put a decision about a bill, or the only one, on file; the test carries it out by hand."""

    def decided(kind, amount_fen=1, bill_id=None):
        with database.session() as session:
            bill = session.scalars(
                select(Bill).where(Bill.id == bill_id if bill_id else true())
            ).one()
            return factories.make_approval(session, bill=bill, kind=kind, amount_fen=amount_fen).id

    return decided


@pytest.fixture
def put_bill(database, decided):
    """Give a bill, or all, a state past the use-cases, with the decision it needs."""

    def put_bill(state, bill_id=None):
        which = f"id = {bill_id}" if bill_id else "true"
        if kind := {"voided": "void", "written_off": "write_off"}.get(state):
            for row in database.rows(f"SELECT id FROM bill WHERE {which}"):
                decided(kind, bill_id=row["id"])
        assert database.do(f"UPDATE bill SET state = :state WHERE {which}", state=state)

    return put_bill


@pytest.fixture
def broken(services):
    """Titles of the promises that do not hold."""
    return lambda: {
        check.title: check.broken
        for check in services.ledger.verify(actor=operator())
        if not check.holds
    }


@pytest.fixture
def tamper(test_engine):
    """Change rows as somebody with the database's password could, triggers off."""

    def tamper(sql):
        with test_engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            assert connection.exec_driver_sql(sql).rowcount

    return tamper
