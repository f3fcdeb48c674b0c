"""The maintained summary: written by triggers, folded by a job, checked by the ledger."""

import pytest

from domain.actors import operator, system_actor
from domain.errors import NotAllowed
from tests import factories
from tests.histories import History
from tests.services.reports.asking import collection

PLATFORM = system_actor("测试")


class TestFold:
    def test_moves_changes_into_sums_and_changes_no_figure(self, services, reports, database):
        history = History(services, database, 7)
        history.publish()
        before = collection(reports, history)
        assert database.value("SELECT count(*) FROM collection_change")

        folded = reports.fold_summary(actor=PLATFORM)

        assert folded
        assert database.value("SELECT count(*) FROM collection_change") == 0
        after = collection(reports, history)
        assert (after.rows, after.totals) == (before.rows, before.totals)
        assert reports.fold_summary(actor=PLATFORM) == 0

    def test_two_at_once_fold_once(self, services, reports, database, together):
        history = History(services, database, 7)
        history.publish()
        changes = database.value("SELECT count(*) FROM collection_change")

        folded = together(*[lambda: reports.fold_summary(actor=PLATFORM)] * 4)

        assert sum(folded) == changes

    def test_drafts_leave_no_trace(self, database, app):
        with database.session() as session:
            house = factories.make_house(session)
            factories.make_bill(session, house=house, state="pending_review", published_at=None)
        database.do("UPDATE bill SET state = 'cancelled'")
        database.do("UPDATE bill_batch SET state = 'cancelled'")

        assert database.value("SELECT count(*) FROM collection_change") == 0

    def test_what_changes_nothing_is_not_written(self, database, app):
        with database.session() as session:
            factories.make_bill(session, house=factories.make_house(session))
        assert database.value("SELECT count(*) FROM collection_change") == 1

        database.do("UPDATE bill SET issue_date = issue_date")

        assert database.value("SELECT count(*) FROM collection_change") == 1

    def test_is_for_the_machinery(self, reports):
        with pytest.raises(NotAllowed):
            reports.fold_summary(actor=factories.actor_without("run_platform_work"))


_MANY = 1_500
_FILL = """
WITH houses AS (
    INSERT INTO house (community_id, building_id, unit_no, room_no, building_area, billing_area)
    SELECT community_id, building_id, '9', n::text, 1, 1
      FROM house, generate_series(2, :many) n WHERE id = :house_id RETURNING id),
bills AS (
    INSERT INTO bill (community_id, batch_id, house_id, fee_item_id, bill_no, period_from,
                      period_until, issue_date, due_date, state, amount_fen)
    SELECT community_id, batch_id, houses.id, fee_item_id, 'X' || houses.id, period_from,
           period_until, issue_date, due_date, 'pending_review', amount_fen
      FROM bill, houses WHERE bill.house_id = :house_id RETURNING id, amount_fen)
INSERT INTO bill_line (bill_id, line_no, amount_fen, trace)
SELECT id, 1, amount_fen, '{}' FROM bills
"""


class TestTriggers:
    def test_many_bills_in_one_statement_are_one_change(self, database, app):
        """From a thousand rows on the trigger plans for their number; it counts the same."""
        with database.session() as session:
            house = factories.make_house(session)
            factories.make_bill(
                session, house=house, lines=(7,), state="pending_review", published_at=None
            )
        database.do(_FILL, many=_MANY, house_id=house.id)
        database.do("UPDATE bill_batch SET bill_count = :many, amount_fen = 7 * :many", many=_MANY)
        assert database.value("SELECT count(*) FROM collection_change") == 0

        database.do("UPDATE bill SET state = 'published', published_at = now()")

        (change,) = database.rows("SELECT * FROM collection_change")
        assert (change["bill_count"], change["receivable_fen"]) == (_MANY, 7 * _MANY)
        assert (change["received_fen"], change["written_off_fen"]) == (0, 0)
        assert change["period_month"].isoformat() == "2026-10-01"

    @pytest.mark.breaks_promises
    @pytest.mark.parametrize(
        "tampering",
        [
            "UPDATE collection_change SET received_fen = received_fen + 1",
            "DELETE FROM collection_change",
            "UPDATE collection_change SET due_date = due_date + 1",
        ],
    )
    def test_the_ledger_sees_a_wrong_summary(self, services, database, tampering):
        with database.session() as session:
            factories.make_bill(session, house=factories.make_house(session))

        database.do(tampering)

        broken = [c.title for c in services.ledger.verify(actor=operator()) if not c.holds]
        assert broken == ["报表汇总 = 逐笔计算"]
