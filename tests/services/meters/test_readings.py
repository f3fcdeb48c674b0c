from datetime import date, timedelta
from decimal import Decimal

import pytest

from domain.actors import Permission, operator
from domain.errors import InvalidInput, NotAllowed, NotFound
from services.meters.judging import NewReading
from services.meters.timelines import ReadingBilled
from tests import factories
from tests.factories import actor_without
from tests.services.meters.conftest import OCTOBER, SEPTEMBER

AUGUST = date(2026, 8, 31)


@pytest.fixture
def enter(services, engineer, meter):
    """Enter readings given as (meter number, day, reading) and more."""

    def enter(*readings, source="manual", actor=engineer, community_id=meter.community_id):
        found = [
            one
            if isinstance(one, NewReading)
            else NewReading(one[0], one[1], Decimal(one[2]), *one[3:])
            for one in readings
        ]
        return services.meter_readings.enter(
            actor=actor, community_id=community_id, readings=found, source=source
        )

    return enter


@pytest.fixture
def correct(services, manager, meter):
    def correct(reading, *, read_on=OCTOBER, reason="看错了一位", actor=manager, **more):
        values = {"meter_id": meter.id} | more
        return services.meter_readings.correct(
            actor=actor, read_on=read_on, reading=Decimal(reading), reason=reason, **values
        )

    return correct


def why(entered):
    """The one reason for which something was left out."""
    (problem,) = entered.problems
    return problem.why


class TestEnter:
    def test_a_reading_goes_on_file_with_who_read_it(self, enter, engineer, database, audit):
        entered = enter(("W1", OCTOBER, "103.5", False, "锁门"))

        assert (entered.taken, entered.unchanged, entered.problems) == (1, 0, ())
        (row,) = database.rows("SELECT * FROM meter_reading")
        assert (row["read_on"], row["reading"]) == (OCTOBER, Decimal("103.5"))
        assert (row["source"], row["note"]) == ("manual", "锁门")
        assert row["read_by_staff_id"] == engineer.id
        assert audit("readings_entered") == [
            {"source": "manual", "taken": 1, "unchanged": 0, "warnings": 0, "problems": 0}
        ]

    def test_what_the_operator_enters_names_nobody(self, enter, database):
        enter(("W1", OCTOBER, "103"), actor=operator(), source="api")

        (row,) = database.rows("SELECT source, read_by_staff_id FROM meter_reading")
        assert row == {"source": "api", "read_by_staff_id": None}

    def test_the_same_again_changes_nothing(self, enter, database, audit):
        enter(("W1", OCTOBER, "103.5"))

        again = enter(("W1", OCTOBER, "103.5000"))

        assert (again.taken, again.unchanged) == (0, 1)
        assert database.value("SELECT count(*) FROM meter_reading") == 1
        assert audit() == ["readings_entered"]

    def test_the_opening_reading_again_changes_nothing(self, enter, meter, live):
        assert enter(("W1", meter.opened_on, "100")).unchanged == 1
        assert live(meter) == []

    def test_another_value_of_a_day_is_for_a_correction(self, enter, meter, live):
        enter(("W1", OCTOBER, "103.5"))

        entered = enter(("W1", OCTOBER, "104"))

        assert why(entered) == "该表在 2026-10-31 已有读数 103.5，请用更正"
        assert live(meter) == [(OCTOBER, Decimal("103.5"))]

    def test_the_same_value_as_a_rollover_is_another(self, enter, put, meter):
        put(meter, (OCTOBER, 103))

        assert "已有读数" in why(enter(("W1", OCTOBER, "103", True)))

    def test_good_rows_go_in_and_bad_ones_are_told_by_row(self, enter, meter, live):
        entered = enter(
            ("W1", SEPTEMBER, "102"),
            ("W9", OCTOBER, "5"),
            ("", OCTOBER, "5"),
            ("W1", OCTOBER, "101"),
            ("W1", AUGUST, "101"),
        )

        assert entered.taken == 2
        assert [(one.row, one.meter_no) for one in entered.problems] == [
            (2, "W9"),
            (3, ""),
            (4, "W1"),
        ]
        assert entered.problems[0].why == "没有这只表"
        assert "小于上次的 102" in entered.problems[2].why
        assert live(meter) == [(AUGUST, 101), (SEPTEMBER, 102)]

    @pytest.mark.parametrize(
        ("day", "reading", "reason"),
        [
            (OCTOBER, "-1", "不能小于 0"),
            (OCTOBER, "NaN", "不是数字"),
            (OCTOBER, "1e10", "太大"),
            (OCTOBER, "103.00001", "四位小数"),
            (date(2026, 11, 25), "103", "晚于今天"),
            (date(2019, 12, 31), "103", "早于该表启用"),
            (date(1, 1, 1), "103", "早于该表启用"),
            (date(2026, 9, 1), "99", "小于上次的 100"),
            (OCTOBER, "109", "小于上次的 110"),
            (AUGUST, "120", "大于 2026-09-30 的 110"),
        ],
    )
    def test_what_cannot_be_is_told(self, enter, put, meter, live, day, reading, reason):
        put(meter, (SEPTEMBER, 110))

        assert reason in why(enter(("W1", day, reading)))
        assert len(live(meter)) == 1

    def test_the_last_reading_counts_however_long_ago_it_was(self, enter, put, meter):
        put(meter, (date(2021, 1, 31), 140), (date(2021, 2, 28), 150))

        assert "小于上次的 150" in why(enter(("W1", OCTOBER, "145")))

    def test_a_rollover_needs_a_modulus(self, enter, put, meter, database):
        put(meter, (SEPTEMBER, 9990))
        rolled = ("W1", OCTOBER, "5", True)
        assert "没有设置量程" in why(enter(rolled))
        database.do("UPDATE meter SET modulus = 10000")

        assert enter(rolled).taken == 1

    def test_a_closed_meter_takes_readings_of_its_days_alone(self, enter, database, meter):
        database.do("UPDATE meter SET closed_on = '2026-09-30', closing_reading = 110")

        assert "晚于该表停用" in why(enter(("W1", OCTOBER, "111")))
        assert enter(("W1", SEPTEMBER, "110")).unchanged == 1
        assert enter(("W1", AUGUST, "105")).taken == 1

    def test_meters_of_another_community_are_unknown(self, enter, database):
        with database.session() as session:
            other = factories.make_community(session)

        assert why(enter(("W1", OCTOBER, "103"), community_id=other.id)) == "没有这只表"

    def test_full_width_numbers_name_the_same_meter(self, enter):
        assert enter(("Ｗ１ ", OCTOBER, "103")).taken == 1

    def test_a_note_that_cannot_be_kept_is_told(self, enter):
        assert enter(("W1", OCTOBER, "103", False, "字" * 201)).problems
        assert enter(("W1", OCTOBER, "103", False, "\x00")).problems

    def test_nothing_is_nothing(self, enter, audit):
        assert enter().taken == 0
        assert audit() == []

    def test_no_such_community(self, enter):
        with pytest.raises(NotFound):
            enter(("W1", OCTOBER, "103"), community_id=404)

    def test_only_with_the_permission(self, enter, database):
        with pytest.raises(NotAllowed):
            enter(("W1", OCTOBER, "103"), actor=actor_without(Permission.READ_METERS))

        assert database.rows("SELECT * FROM meter_reading") == []


class TestReadingLock:
    """What was billed is not changed below the bill: a double charge of WPF came that way."""

    def test_a_reading_before_the_end_of_a_published_bill_is_refused(
        self, enter, house, bill_water, meter, live
    ):
        bill_water(house.id, "W1")

        assert why(enter(("W1", OCTOBER, "103"))) == "该月冷水费已出账，请用账单调整更正"
        assert why(enter(("W1", AUGUST, "103"))) == "该月冷水费已出账，请用账单调整更正"
        assert live(meter) == []

    def test_the_first_day_after_it_is_free(self, enter, house, bill_water):
        bill_water(house.id, "W1")

        assert enter(("W1", date(2026, 11, 1), "103")).taken == 1

    def test_the_same_value_again_is_still_no_problem(self, enter, house, bill_water, put, meter):
        put(meter, (OCTOBER, 103))
        bill_water(house.id, "W1")

        assert enter(("W1", OCTOBER, "103")).unchanged == 1

    @pytest.mark.breaks_promises  # nothing was paid
    @pytest.mark.parametrize(
        ("state", "paid_fen"), [("partially_paid", 1), ("paid", 21002), ("written_off", 0)]
    )
    def test_bills_that_told_their_owner_lock(self, enter, house, bill_water, state, paid_fen):
        bill_water(house.id, "W1", state=state, paid_fen=paid_fen)

        assert enter(("W1", OCTOBER, "103")).problems

    @pytest.mark.breaks_promises  # their batch is not of that state
    @pytest.mark.parametrize("state", ["pending_review", "cancelled", "voided"])
    def test_bills_under_review_or_gone_do_not(self, enter, house, bill_water, state):
        bill_water(house.id, "W1", state=state)

        assert enter(("W1", OCTOBER, "103")).taken == 1

    @pytest.mark.breaks_promises  # their batch is not of that state
    def test_bills_that_are_approved_are_about_to(self, enter, house, bill_water, database):
        bill_water(house.id, "W1", state="pending_review")
        database.do("UPDATE bill_batch SET state = 'approved'")

        assert enter(("W1", OCTOBER, "103")).problems

    def test_bills_of_another_kind_or_house_do_not(self, enter, house, neighbour, bill_water):
        bill_water(house.id, "E1", kind="electricity")
        bill_water(neighbour.house_id, "W2")

        assert enter(("W1", OCTOBER, "103")).taken == 1

    def test_a_meter_of_another_kind_of_the_house_is_free(self, enter, house, bill_water, database):
        bill_water(house.id, "W1")
        with database.session() as session:
            factories.make_meter(session, house=house, meter_no="E1", kind="electricity")

        assert enter(("E1", OCTOBER, "103")).taken == 1

    def test_a_public_meter_is_billed_by_nobody(self, enter, house, bill_water, database):
        bill_water(house.id, "W1")
        with database.session() as session:
            factories.make_meter(session, community_id=house.community_id, meter_no="P1")

        assert enter(("P1", OCTOBER, "103")).taken == 1


class TestUnusualUsage:
    @pytest.fixture(autouse=True)
    def used_two_a_month(self, put, meter, database):
        database.do("UPDATE meter SET opened_on = '2026-04-30'")
        months = (date(2026, month, 1) - timedelta(days=1) for month in range(6, 11))
        put(meter, *((day, 102 + 2 * number) for number, day in enumerate(months)))

    def test_is_taken_and_told(self, enter):
        entered = enter(("W1", OCTOBER, "130"))

        assert entered.taken == 1
        (warning,) = entered.warnings
        assert (warning.row, warning.meter_no, warning.read_on) == (1, "W1", OCTOBER)
        assert warning.why == "2026-10 用量 20 吨，超过此前月平均 2 吨的 3 倍"

    def test_three_times_the_usual_is_not(self, enter):
        assert enter(("W1", OCTOBER, "116")).warnings == ()

    def test_what_is_older_than_the_months_that_count_is_not_read(self, enter, put, meter):
        put(meter, *((date(2021, 1, 1) + timedelta(days=day), 101) for day in range(60)))

        assert len(enter(("W1", OCTOBER, "130")).warnings) == 1


class TestAtOnce:
    def test_two_that_enter_the_same_reading_put_it_on_file_once(
        self, enter, together, meter, live
    ):
        results = together(*[lambda: enter(("W1", OCTOBER, "103"))] * 2)

        assert sorted((one.taken, one.unchanged) for one in results) == [(0, 1), (1, 0)]
        assert live(meter) == [(OCTOBER, 103)]

    def test_two_that_enter_different_readings_do_not_both_win(self, enter, together, meter, live):
        results = together(
            lambda: enter(("W1", OCTOBER, "103")), lambda: enter(("W1", OCTOBER, "104"))
        )

        assert sorted((one.taken, len(one.problems)) for one in results) == [(0, 1), (1, 0)]
        assert len(live(meter)) == 1

    def test_lists_in_opposite_orders_do_not_lock_each_other_up(self, enter, together, neighbour):
        rows = [("W1", OCTOBER, "103"), ("W2", OCTOBER, "103")]

        results = together(lambda: enter(*rows), lambda: enter(*reversed(rows)))

        assert sorted(one.taken for one in results) == [0, 2]


class TestHowMuchIsAsked:
    def test_many_meters_take_as_many_statements_as_one(
        self, enter, database, house, meter, statements
    ):
        with database.session() as session:
            for number in range(50):
                factories.make_meter(session, house=house, meter_no=f"M{number}")
        enter(("W1", OCTOBER, "103"))
        alone = len(statements)
        statements.clear()

        enter(*((f"M{number}", OCTOBER, "103") for number in range(50)))

        assert len(statements) == alone <= 8


class TestCorrect:
    @pytest.fixture(autouse=True)
    def read(self, put, meter):
        put(meter, (SEPTEMBER, 110), (OCTOBER, 210))

    def test_the_wrong_reading_stays_with_when_and_why(
        self, correct, database, manager, clock, audit, meter
    ):
        correction = correct("120", reason=" 看错了一位 ")

        assert correction.before == 210
        wrong, right = database.rows(
            "SELECT * FROM meter_reading WHERE read_on = :day ORDER BY id", day=OCTOBER
        )
        assert (wrong["reading"], wrong["superseded_because"]) == (210, "看错了一位")
        assert wrong["superseded_at"] == clock.now()
        assert (right["reading"], right["superseded_at"]) == (120, None)
        assert right["read_by_staff_id"] == manager.id
        assert audit("reading_corrected") == [
            {
                "meter_no": "W1",
                "read_on": "2026-10-31",
                "before": "210",
                "after": "120",
                "reason": "看错了一位",
            }
        ]

    def test_it_may_be_corrected_again(self, correct, meter, live):
        correct("120")
        correct("121")

        assert live(meter) == [(SEPTEMBER, 110), (OCTOBER, 121)]

    @pytest.mark.parametrize(
        ("reading", "read_on", "reason"),
        [
            ("105", OCTOBER, "小于上次的 110"),
            ("211", SEPTEMBER, "大于 2026-10-31 的 210"),
            ("-1", OCTOBER, "不能小于 0"),
            ("210", OCTOBER, "与现有读数相同"),
        ],
    )
    def test_what_cannot_be_is_refused_and_nothing_changed(
        self, correct, meter, live, reading, read_on, reason
    ):
        with pytest.raises(InvalidInput) as refused:
            correct(reading, read_on=read_on)

        assert reason in refused.value.fields["reading"][0]
        assert live(meter) == [(SEPTEMBER, 110), (OCTOBER, 210)]

    @pytest.mark.parametrize("reason", ["", "  ", "字" * 201])
    def test_a_reason_is_needed(self, correct, reason):
        with pytest.raises(InvalidInput) as refused:
            correct("120", reason=reason)

        assert "reason" in refused.value.fields

    def test_a_rollover_stays_declared_unless_said_otherwise(self, correct, database, meter):
        database.do("UPDATE meter SET modulus = 1000")
        database.do("UPDATE meter_reading SET reading = 990 WHERE read_on = '2026-09-30'")
        database.do(
            "UPDATE meter_reading SET reading = 5, is_rollover = true WHERE read_on = '2026-10-31'"
        )

        correct("7")
        assert database.value("SELECT is_rollover FROM meter_reading ORDER BY id DESC LIMIT 1")
        correct("995", is_rollover=False)

        assert not database.value("SELECT is_rollover FROM meter_reading ORDER BY id DESC LIMIT 1")

    def test_a_forgotten_rollover_is_declared(self, correct, database, meter):
        database.do("UPDATE meter SET modulus = 1000")

        correct("5", is_rollover=True)

        assert database.value("SELECT is_rollover FROM meter_reading ORDER BY id DESC LIMIT 1")

    def test_what_is_unusual_is_told(self, correct, put, meter):
        put(meter, *((date(2026, month, 28), 100 + month) for month in range(1, 7)))

        assert "超过此前月平均" in correct("990").warning

    def test_the_opening_reading_is_corrected_on_the_meter_and_stays_in_sight(
        self, correct, meter, on_file, database
    ):
        correct("90", read_on=meter.opened_on)

        assert on_file(meter.id).opening_reading == 90
        (wrong,) = database.rows(
            "SELECT reading, superseded_because FROM meter_reading WHERE superseded_at IS NOT NULL"
        )
        assert (wrong["reading"], wrong["superseded_because"]) == (100, "看错了一位")

    def test_the_opening_reading_cannot_exceed_the_next(self, correct, meter):
        with pytest.raises(InvalidInput):
            correct("111", read_on=meter.opened_on)

    @pytest.mark.parametrize("was_read", [True, False])
    def test_the_closing_reading_is_corrected_with_that_of_its_day(
        self, correct, database, meter, on_file, live, was_read
    ):
        if not was_read:
            database.do("DELETE FROM meter_reading WHERE read_on = '2026-10-31'")
        database.do("UPDATE meter SET closed_on = '2026-10-31', closing_reading = 210")

        correct("120")

        assert on_file(meter.id).closing_reading == 120
        assert ((OCTOBER, Decimal(120)) in live(meter)) is was_read
        assert database.value("SELECT count(*) FROM meter_reading WHERE reading = 210") == 1

    def test_once_billed_it_is_too_late(self, correct, house, bill_water, meter, live):
        bill_water(house.id, "W1")

        for day in (SEPTEMBER, OCTOBER):
            with pytest.raises(ReadingBilled, match="该月冷水费已出账，请用账单调整更正"):
                correct("115", read_on=day)
        assert live(meter) == [(SEPTEMBER, 110), (OCTOBER, 210)]

    @pytest.mark.breaks_promises  # their batch is not under review
    def test_bills_under_review_do_not_hold_it(self, correct, house, bill_water):
        bill_water(house.id, "W1", state="pending_review")

        assert correct("120").before == 210

    def test_no_such_meter_or_reading(self, correct):
        with pytest.raises(NotFound):
            correct("120", meter_id=404)
        with pytest.raises(NotFound):
            correct("120", read_on=date(2026, 10, 30))

    def test_only_with_the_permission(self, correct, engineer, meter, live):
        for actor in (engineer, actor_without(Permission.MANAGE_METERS)):
            with pytest.raises(NotAllowed):
                correct("120", actor=actor)

        assert live(meter) == [(SEPTEMBER, 110), (OCTOBER, 210)]

    def test_two_corrections_at_once_leave_one_live(self, correct, together, meter, live):
        together(lambda: correct("120"), lambda: correct("121"))

        assert len(live(meter)) == 2
