"""A broken promise is put before a person, once, and the task ends when it holds again."""

import pytest

from domain.actors import Permission, visitor
from domain.errors import NotAllowed
from services.ledger import BROKEN
from tests import factories
from tests.services.payments.conftest import SYSTEM


@pytest.fixture
def tell(services, database):
    """Check, and give the titles of the open tasks."""

    def tell():
        count = services.ledger.check_and_tell(actor=SYSTEM)
        rows = database.rows(
            "SELECT title FROM staff_task WHERE kind = :kind AND done_at IS NULL", kind=BROKEN
        )
        assert len(rows) == count
        return [row["title"] for row in rows]

    return tell


def test_a_sound_ledger_tells_nobody(tell, app):
    assert tell() == []


def test_a_breach_is_told_once_with_its_rows_and_ends_when_mended(tell, app, database, caplog):
    with database.session() as session:
        bill = factories.make_bill(session, house=factories.make_house(session))
    amount = bill.amount_fen
    database.do("UPDATE bill SET amount_fen = amount_fen + 1")

    (title, *_) = [one for one in tell() if bill.bill_no in one]

    assert "账单 = 明细之和" in title
    assert tell().count(title) == 1
    assert "ERROR" in {record.levelname for record in caplog.records}

    database.do("UPDATE bill SET amount_fen = :amount", amount=amount)
    database.do("UPDATE bill_batch SET amount_fen = :amount", amount=amount)
    assert tell() == []


def test_is_not_for_everybody(services, app):
    for actor in (visitor(), factories.actor_without(Permission.CHECK_LEDGER)):
        with pytest.raises(NotAllowed):
            services.ledger.check_and_tell(actor=actor)
