from datetime import date, datetime, timedelta

import pytest

from domain.actors import visitor
from domain.errors import NotAllowed
from domain.periods import SHANGHAI
from models import House, LateFeePause
from tests import factories
from tests.services.messages.conftest import PHONE, SYSTEM

DUE = date(2026, 12, 1)


def on(day, hour=12):
    return datetime(day.year, day.month, day.day, hour, tzinfo=SHANGHAI)


@pytest.fixture
def bill(database, resident):
    """One unpaid bill of the house; its id."""
    with database.session() as session:
        house = session.get_one(House, resident.house_id)
        return factories.make_bill(session, house=house, due_date=DUE).id


@pytest.fixture
def remind(services, clock):
    def remind(days_after, hour=12):
        clock.set(on(DUE + timedelta(days=days_after), hour))
        return services.bill_reminders.remind_due(actor=SYSTEM)

    return remind


@pytest.fixture
def told(rows):
    return lambda: [(row["kind"], row["payload"].get("amount")) for row in rows()]


class TestRemind:
    @pytest.mark.parametrize(
        ("days_after", "kind"),
        [(-3, "bill_due_soon"), (0, "bill_due_soon"), (7, "bill_overdue")],
    )
    def test_before_on_and_after_the_day(self, bill, remind, told, days_after, kind):
        assert remind(days_after) == 1
        assert told() == [(kind, "210.02")]

    @pytest.mark.parametrize("days_after", [-30, -4, -2, -1, 1, 6, 8])
    def test_on_no_other_day(self, bill, remind, rows, days_after):
        assert remind(days_after) == 0
        assert rows() == []

    def test_until_the_day_is_over_in_beijing_nothing_is_overdue(self, bill, remind, told):
        for days_after in range(-10, 1):
            remind(days_after, hour=23)

        assert {kind for kind, _ in told()} == {"bill_due_soon"}

    def test_every_hour_is_once(self, bill, remind, rows):
        assert [remind(-3, hour) for hour in (9, 10, 11)] == [1, 0, 0]
        assert len(rows()) == 1

    def test_several_bills_are_one_sum(self, bill, remind, told, database, resident):
        with database.session() as session:
            house = session.get_one(House, resident.house_id)
            factories.make_bill(session, house=house, due_date=DUE, lines=(1000,))

        remind(-3)

        assert told() == [("bill_due_soon", "220.02")]

    @pytest.mark.parametrize(
        "gone",
        [
            "UPDATE bill SET state = 'paid', paid_fen = amount_fen",
            "UPDATE bill SET state = 'voided'",
            "UPDATE community SET is_active = false",
        ],
    )
    @pytest.mark.breaks_promises
    def test_not_of_what_is_not_owed(self, bill, remind, rows, database, gone):
        database.do(gone)

        remind(-3)

        assert rows() == []

    def test_not_of_a_bill_in_dispute(self, bill, remind, rows, database, resident):
        with database.session() as session:
            session.add(
                LateFeePause(
                    community_id=resident.community_id,
                    bill_id=bill,
                    paused_from=date(2026, 11, 1),
                    paused_until=date(2027, 1, 1),
                    reason="面积有争议",
                    created_at=factories.MADE_AT,
                )
            )

        assert remind(7) == 0
        assert rows() == []

    def test_only_our_machinery_reminds(self, services):
        with pytest.raises(NotAllowed):
            services.bill_reminders.remind_due(actor=visitor())


class TestWhenSent:
    @pytest.mark.breaks_promises
    def test_it_says_what_is_owed_by_then(self, bill, remind, deliver, database, simulator):
        remind(-3)
        database.do("UPDATE bill SET state = 'partially_paid', paid_fen = 1002")

        assert deliver() == 1

        [sent] = simulator.journal("template/send")
        assert sent["body"]["data"]["amount3"]["value"] == "¥200.00"

    @pytest.mark.breaks_promises
    def test_who_has_paid_is_not_told(self, bill, remind, deliver, database, rows, simulator):
        remind(7)
        database.do("UPDATE bill SET state = 'paid', paid_fen = amount_fen")

        assert deliver() == 0

        assert [(row["state"], row["last_error"]) for row in rows()] == [("cancelled", "paid")]
        assert simulator.journal("template/send") == []
        assert simulator.sms(PHONE) == []
