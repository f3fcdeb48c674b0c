"""What tests of use-cases look at: the unit of work, and the statements that it sends."""

import pytest
from sqlalchemy import event

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
