import calendar
import json
import threading
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import groupby

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.actors import Permission, system_actor
from domain.bill_states import BatchCannotMove
from domain.errors import NotAllowed, NotFound
from services.bills import generation
from services.bills.generation import BatchBusy
from services.fees.checks import NewPrice
from services.numbers import take_numbers
from tests import factories
from tests.factories import LONG_AGO, actor_without

SYSTEM = system_actor("测试")
OCTOBER = (date(2026, 10, 1), date(2026, 11, 1))


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(generation, "CHUNK_HOUSES", 2)


@pytest.fixture
def lines(database):
    """Amount and trace of every line, by bill."""

    def lines():
        rows = database.rows("SELECT amount_fen, trace FROM bill_line ORDER BY bill_id, line_no")
        return [(row["amount_fen"], row["trace"]) for row in rows]

    return lines


@pytest.fixture
def amounts(lines):
    return lambda: [amount_fen for amount_fen, _ in lines()]


@pytest.fixture
def exceptions(database):
    def exceptions():
        rows = database.rows("SELECT house_id, why FROM bill_exception ORDER BY house_id")
        return [tuple(row.values()) for row in rows]

    return exceptions


@pytest.fixture
def cut_off(draft, generate):
    """Start a run that is killed when so many houses are done."""

    class Cut(BaseException):
        """Like a signal: no error of ours that anybody could note."""

    def cut_off(after_houses):
        def die(done, total):
            if done >= after_houses:
                raise Cut

        batch_id = draft()
        with pytest.raises(Cut):
            generate(batch_id, progress=die)
        return batch_id

    return cut_off


def charged_exactly(price_spans, handover, area, coefficient, proration, step, month=OCTOBER):
    """What a house owes, day by day and in fractions, as D1 and D2 say it."""
    first, end = month
    days_of_month = calendar.monthrange(first.year, first.month)[1]
    liable = [
        first + timedelta(days=number)
        for number in range((end - first).days)
        if first + timedelta(days=number) >= handover
    ]

    def months(days):
        if days == days_of_month or (days and proration == "whole_month"):
            return Fraction(1)
        if proration == "days_30":
            return Fraction(min(days, 30), 30)
        return Fraction(days, days_of_month)

    def price_on(day):
        return next(
            (price, starts_on)
            for price, starts_on, ends_before in price_spans
            if starts_on <= day and (ends_before is None or day < ends_before)
        )

    owed, counted = [], 0
    for (price, _), days in groupby(liable, key=price_on):
        before, counted = counted, counted + len(list(days))
        exact_fen = (
            100
            * Fraction(price)
            * Fraction(area)
            * Fraction(coefficient)
            * (months(counted) - months(before))
        )
        owed.append(int(exact_fen / step + Fraction(1, 2)) * step)
    return owed


class TestGenerate:
    def test_every_house_gets_a_bill_for_every_item(
        self, draft, generate, make_houses, make_item, bills, desk
    ):
        first, second = make_houses("89.37", "100.24")
        item = make_item(code="WY", issue_offset_days=4, due_days=25)
        other = make_item(code="LJ", charge_method="fixed", price="12")
        batch_id = draft()

        assert generate(batch_id) == 4

        made = bills()
        assert {(bill["house_id"], bill["fee_item_id"]): bill["amount_fen"] for bill in made} == {
            (first, item): 21002,
            (first, other): 1200,
            (second, item): 23556,
            (second, other): 1200,
        }
        bill = next(bill for bill in made if bill["fee_item_id"] == item)
        assert (bill["community_id"], bill["batch_id"]) == (desk.community_id, batch_id)
        assert (bill["period_from"], bill["period_until"]) == OCTOBER
        assert (bill["issue_date"], bill["due_date"]) == (date(2026, 11, 5), date(2026, 11, 30))
        assert (bill["state"], bill["paid_fen"], bill["published_at"]) == (
            "pending_review",
            0,
            None,
        )

    def test_the_batch_knows_its_sums_and_is_on_record(
        self, generated, make_houses, make_item, database, audit
    ):
        make_houses("89.37", "100.24")
        make_item()

        generated()

        row = database.rows("SELECT * FROM bill_batch")[0]
        assert (row["state"], row["bill_count"], row["amount_fen"]) == (
            "pending_review",
            2,
            44558,
        )
        assert (row["houses_done"], row["houses_total"]) == (2, 2)
        assert audit() == ["batch_drafted", "batch_generating", "batch_generated"]
        assert audit("batch_generated") == [{"bill_count": 2, "amount_fen": 44558}]

    def test_houses_of_other_communities_are_not_charged(
        self, generated, make_houses, make_item, database, bills
    ):
        (own,) = make_houses("50")
        make_item()
        with database.session() as session:
            factories.make_house(session)

        generated()

        assert [bill["house_id"] for bill in bills()] == [own]

    def test_a_community_without_houses_has_an_empty_batch(self, generated, make_item, state):
        make_item()

        assert state(generated()) == "pending_review"

    def test_a_second_run_finds_nothing_to_do(self, generated, generate, make_item, make_houses):
        make_houses("50")
        make_item()
        batch_id = generated()

        assert generate(batch_id) == 0

    def test_another_batch_of_the_month_fills_only_gaps(
        self, generated, draft, generate, make_houses, make_item, bills
    ):
        make_houses("50", "60")
        make_item()
        generated()
        (late,) = make_houses("70")

        assert generate(draft()) == 1

        assert [bill["house_id"] for bill in bills()][-1] == late
        assert len(bills()) == 3

    def test_progress_is_told_and_kept_after_each_chunk(
        self, draft, generate, make_houses, make_item, small_chunks, database
    ):
        make_houses("50", "60", "70", "80", "90")
        make_item()
        told = []

        generate(
            draft(),
            progress=lambda done, total: told.append(
                (done, total, database.value("SELECT houses_done FROM bill_batch"))
            ),
        )

        assert told == [(2, 5, 2), (4, 5, 4), (5, 5, 5)]

    def test_no_such_batch(self, generate):
        with pytest.raises(NotFound):
            generate(404)

    def test_only_with_the_permission(self, draft, generate, make_houses, make_item, state, bills):
        make_houses("50")
        make_item()
        batch_id = draft()

        with pytest.raises(NotAllowed):
            generate(batch_id, actor=actor_without(Permission.GENERATE_BILLS))

        assert (state(batch_id), bills()) == ("draft", [])


class TestCharges:
    def test_a_house_handed_over_in_the_month_owes_from_that_day(
        self, generated, make_houses, make_item, lines
    ):
        make_houses("89.37", handover_date=date(2026, 10, 17))
        make_item()

        generated()

        ((amount_fen, trace),) = lines()
        assert amount_fen == 10162
        assert (trace["from"], trace["until"]) == ("2026-10-17", "2026-11-01")
        assert trace["months"] == "15/31"

    def test_where_the_community_says_so_it_owes_from_the_next_month(
        self, generated, make_houses, make_item, bills, exceptions, database
    ):
        database.do("UPDATE community SET liable_from_rule = 'next_month_first'")
        make_houses("89.37", handover_date=date(2026, 10, 17))
        (before,) = make_houses("89.37", handover_date=date(2026, 9, 30))
        make_item()

        generated()

        assert [bill["house_id"] for bill in bills()] == [before]
        assert exceptions() == []

    @pytest.mark.parametrize("handover", [date(2026, 11, 1), date(2027, 3, 1)])
    def test_a_house_handed_over_later_owes_nothing_yet(
        self, generated, make_houses, make_item, bills, exceptions, handover
    ):
        make_houses("89.37", handover_date=handover)
        make_item()

        generated()

        assert (bills(), exceptions()) == ([], [])

    def test_without_a_handover_date_a_house_is_an_exception_not_a_zero(
        self, generated, make_houses, make_item, bills, exceptions
    ):
        (house_id,) = make_houses("89.37", handover_date=None)
        make_item()

        generated()

        assert bills() == []
        assert exceptions() == [(house_id, "没有交付日期，无法确定起费日")]

    def test_an_item_without_a_price_for_part_of_the_month_is_an_exception(
        self, generated, make_houses, make_item, database, bills, exceptions
    ):
        (house_id,) = make_houses("89.37")
        item_id = make_item(price=None)
        with database.session() as session:
            factories.add(
                session,
                factories.FeeStandard(
                    fee_item_id=item_id, unit_price=Decimal(2), priced_from=date(2026, 10, 10)
                ),
            )

        generated()

        assert bills() == []
        assert exceptions() == [(house_id, "2026-10-01 ~ 2026-10-09 没有价格")]

    def test_a_missing_price_stops_no_other_item(
        self, generated, make_houses, make_item, bills, exceptions
    ):
        make_houses("89.37")
        make_item(price=None)
        other = make_item(charge_method="fixed", price="12")

        generated()

        assert [bill["fee_item_id"] for bill in bills()] == [other]
        assert len(exceptions()) == 1

    def test_a_price_change_splits_the_line(
        self, services, desk, generated, make_houses, make_item, lines, bills
    ):
        make_houses("89.37")
        services.fees.set_price(
            actor=desk.maker,
            fee_item_id=make_item(),
            price=NewPrice(Decimal("2.50")),
            priced_from=date(2026, 9, 16),
        )

        generated(month=date(2026, 9, 1))

        assert [(amount_fen, trace["unit_price"]) for amount_fen, trace in lines()] == [
            (10501, "2.35"),
            (11171, "2.5"),
        ]
        assert [bill["amount_fen"] for bill in bills()] == [21672]

    @pytest.mark.parametrize(
        ("window", "amount_fen"),
        [
            ({"starts_on": date(2026, 10, 17)}, 10162),
            ({"ends_on": date(2026, 10, 16)}, 10162),
            ({"ends_on": date(2026, 10, 1)}, None),
            ({"starts_on": date(2026, 11, 1)}, None),
        ],
    )
    def test_an_item_is_charged_only_while_it_runs(
        self, generated, make_houses, make_item, amounts, exceptions, window, amount_fen
    ):
        make_houses("89.37")
        make_item(**window)

        generated()

        assert amounts() == ([] if amount_fen is None else [amount_fen])
        assert exceptions() == []

    def test_a_coefficient_multiplies_the_area(self, generated, make_houses, make_item, lines):
        make_houses("89.37", fee_coefficient=Decimal("0.7"))
        make_item()

        generated()

        ((amount_fen, trace),) = lines()
        assert (amount_fen, trace["coefficient"]) == (14701, "0.7")

    @pytest.mark.parametrize(
        ("rounding", "amount_fen", "rounding_fen"),
        [("fen", 21002, 0), ("jiao", 21000, -2), ("yuan", 21000, -2)],
    )
    def test_rounding_is_the_item_s_and_stays_visible(
        self, generated, make_houses, make_item, lines, rounding, amount_fen, rounding_fen
    ):
        make_houses("89.37")
        make_item(rounding=rounding)

        generated()

        ((charged_fen, trace),) = lines()
        assert (charged_fen, trace["rounding_fen"]) == (amount_fen, rounding_fen)

    def test_the_billing_area_is_charged_not_the_building_area(
        self, generated, make_houses, make_item, database, amounts
    ):
        make_houses("89.37")
        database.do("UPDATE house SET billing_area = 100")
        make_item()

        generated()

        assert amounts() == [23500]

    def test_an_amount_below_half_a_fen_is_a_bill_of_zero(
        self, generated, make_houses, make_item, bills
    ):
        make_houses("10")
        make_item(price="0.000001")

        generated()

        assert [bill["amount_fen"] for bill in bills()] == [0]


@st.composite
def communities(draw):
    """Houses and one item with up to three prices, as money would meet them."""
    area = st.decimals("0.0001", "999", places=4)
    day = st.dates(date(2026, 9, 15), date(2026, 11, 15))
    cuts = sorted(draw(st.sets(st.dates(date(2026, 9, 20), date(2026, 11, 10)), max_size=2)))
    edges = [LONG_AGO, *cuts, None]
    prices = [draw(st.decimals("0.000001", "99", places=6)) for _ in edges[1:]]
    return {
        "houses": draw(
            st.lists(
                st.tuples(area, st.decimals("0.1", "3", places=4), st.just(LONG_AGO) | day),
                min_size=1,
                max_size=5,
            )
        ),
        "prices": list(zip(prices, edges, edges[1:], strict=False)),
        "method": draw(st.sampled_from(["area", "fixed"])),
        "rounding": draw(st.sampled_from(["fen", "jiao", "yuan"])),
        "proration": draw(st.sampled_from(["actual_month", "days_30", "whole_month"])),
    }


class TestSums:
    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(case=communities())
    def test_a_batch_is_the_sum_of_independent_exact_lines(
        self, case, make_desk, database, services
    ):
        desk = make_desk()
        with database.session() as session:
            community = session.get_one(factories.Community, desk.community_id)
            building = factories.make_building(session, community=community)
            item = factories.make_item(
                session,
                community=community,
                price=None,
                code="WY",
                charge_method=case["method"],
                rounding=case["rounding"],
                proration=case["proration"],
            )
            for price, starts_on, ends_before in case["prices"]:
                factories.add(
                    session,
                    factories.FeeStandard(
                        fee_item_id=item.id,
                        unit_price=price,
                        priced_from=starts_on,
                        priced_until=ends_before,
                    ),
                )
            houses = {
                factories.make_house(
                    session,
                    building=building,
                    building_area=area,
                    billing_area=area,
                    fee_coefficient=coefficient,
                    handover_date=handover,
                ).id: (area, coefficient, handover)
                for area, coefficient, handover in case["houses"]
            }
        is_area = case["method"] == "area"
        expected = {
            house_id: charged_exactly(
                case["prices"],
                handover,
                area if is_area else 1,
                coefficient if is_area else 1,
                case["proration"],
                {"fen": 1, "jiao": 10, "yuan": 100}[case["rounding"]],
            )
            for house_id, (area, coefficient, handover) in houses.items()
        }

        batch_id = services.batches.draft(
            actor=desk.maker, community_id=desk.community_id, month=OCTOBER[0]
        )
        services.generation.generate(actor=desk.maker, batch_id=batch_id)

        rows = database.rows(
            "SELECT house_id, array_agg(bill_line.amount_fen ORDER BY line_no) AS lines"
            " FROM bill JOIN bill_line ON bill_line.bill_id = bill.id"
            " WHERE batch_id = :id GROUP BY house_id",
            id=batch_id,
        )
        assert {row["house_id"]: row["lines"] for row in rows} == {
            house_id: owed for house_id, owed in expected.items() if owed
        }
        view = services.batches.show(actor=desk.maker, batch_id=batch_id)
        assert view.amount_fen == sum(map(sum, expected.values()))

    def test_a_trace_is_enough_to_compute_its_line_again(
        self, generated, make_houses, make_item, lines
    ):
        make_houses("89.37", "133.3333", handover_date=date(2026, 10, 12))
        make_item(rounding="jiao")

        generated()

        for amount_fen, trace in lines():
            exact_fen = (
                100
                * Fraction(trace["unit_price"])
                * Fraction(trace["area"])
                * Fraction(trace["coefficient"])
                * Fraction(trace["months"])
            )
            assert amount_fen - trace["rounding_fen"] == int(exact_fen + Fraction(1, 2))
            assert json.dumps(trace)


class TestNumbers:
    def test_they_follow_each_other_over_chunks_and_items(
        self, generated, make_houses, make_item, small_chunks, bills, database
    ):
        make_houses(*["50"] * 5)
        make_item(code="WY")
        make_item(code="LJ")

        generated()

        code = database.value("SELECT code FROM community")
        assert {bill["bill_no"][:-6] for bill in bills()} == {
            f"{code}202610WY",
            f"{code}202610LJ",
        }
        assert sorted(int(bill["bill_no"][-6:]) for bill in bills()) == list(range(1, 11))

    def test_each_month_counts_for_itself_batches_of_one_month_go_on(
        self, generated, make_houses, make_item, bills
    ):
        make_houses("50")
        make_item(code="WY")
        generated(month=date(2026, 9, 1))
        generated()
        make_houses("60")

        generated()

        assert sorted(bill["bill_no"][-14:] for bill in bills()) == [
            "202609WY000001",
            "202610WY000001",
            "202610WY000002",
        ]

    def test_a_run_that_was_cut_off_leaves_no_gap(
        self, cut_off, generate, make_houses, make_item, small_chunks, bills
    ):
        make_houses(*["50"] * 5)
        make_item(code="WY")

        generate(cut_off(after_houses=2))

        assert [int(bill["bill_no"][-6:]) for bill in bills()] == [1, 2, 3, 4, 5]


class TestCutOff:
    @pytest.fixture
    def scene(self, make_houses, make_item, small_chunks):
        make_houses(*["50"] * 5)
        make_houses("60", handover_date=None)
        make_item()

    def test_what_was_done_stays_and_the_batch_waits(self, cut_off, scene, state, bills):
        batch_id = cut_off(after_houses=4)

        assert state(batch_id) == "generating"
        assert len(bills()) == 4

    def test_another_run_makes_only_what_is_missing(
        self, cut_off, scene, generate, bills, exceptions, state, database
    ):
        batch_id = cut_off(after_houses=4)
        before = bills()

        assert generate(batch_id) == 1

        assert bills()[:4] == before
        assert len(exceptions()) == 1
        assert state(batch_id) == "pending_review"
        assert database.value("SELECT bill_count FROM bill_batch") == 5

    def test_a_death_in_the_middle_of_a_chunk_undoes_that_chunk(
        self, draft, generate, scene, bills, database, monkeypatch
    ):
        batch_id = draft()
        write = generation.write_chunk
        chunks = []

        def die_at_the_end_of_the_second(tx, run, rendered):
            chunks.append(rendered)
            write(tx, run, rendered)
            if len(chunks) == 2:
                raise MemoryError

        monkeypatch.setattr(generation, "write_chunk", die_at_the_end_of_the_second)
        with pytest.raises(MemoryError):
            generate(batch_id)
        monkeypatch.undo()

        assert len(bills()) == 2
        assert database.value("SELECT count(*) FROM bill_line") == 2
        assert generate(batch_id) == 3

    def test_an_error_of_ours_fails_the_batch_and_calls_a_person(
        self, services, draft, generate, scene, state, database, monkeypatch
    ):
        batch_id = draft()
        database.do("ALTER TABLE bill_line ADD CONSTRAINT no_room CHECK (false) NOT VALID")
        try:
            with pytest.raises(Exception, match="no_room"):
                generate(batch_id)
        finally:
            database.do("ALTER TABLE bill_line DROP CONSTRAINT no_room")

        assert state(batch_id) == "failed"
        assert database.value("SELECT kind FROM staff_task") == "bill_run_failed"
        assert services.generation.resume(actor=SYSTEM) == 0
        assert generate(batch_id) > 0
        assert state(batch_id) == "pending_review"

    def test_the_sweep_goes_on_with_it(self, services, cut_off, scene, state, audit):
        batch_id = cut_off(after_houses=2)

        assert services.generation.resume(actor=SYSTEM) == 1

        assert state(batch_id) == "pending_review"
        assert audit().count("batch_generating") == 1
        assert services.generation.resume(actor=SYSTEM) == 0

    def test_the_sweep_leaves_a_run_alone_that_goes_on(
        self, services, draft, generate, scene, bills
    ):
        resumed = []

        def sweep(done, total):
            if not resumed:
                resumed.append(services.generation.resume(actor=SYSTEM))

        generate(draft(), progress=sweep)

        assert resumed == [0]
        assert len(bills()) == 5

    def test_the_sweep_goes_past_a_run_that_ends_under_its_eyes(
        self, services, cut_off, scene, state, database, monkeypatch
    ):
        """Between its look and its turn the command finishes the batch."""
        ended, waiting = cut_off(after_houses=2), cut_off(after_houses=2)
        real = services.generation.unit_of_work.exclusive
        asked = []

        def exclusive(unit_of_work, name):
            if not asked:
                database.do("UPDATE bill_batch SET state = 'cancelled' WHERE id = :id", id=ended)
            asked.append(name)
            return real(name)

        monkeypatch.setattr(type(services.generation.unit_of_work), "exclusive", exclusive)

        assert services.generation.resume(actor=SYSTEM) == 1

        assert state(waiting) == "pending_review"

    def test_only_the_machine_may_sweep(self, services, cut_off, scene, state):
        batch_id = cut_off(after_houses=2)

        with pytest.raises(NotAllowed):
            services.generation.resume(actor=actor_without(Permission.RUN_PLATFORM_WORK))

        assert state(batch_id) == "generating"


class TestAtOnce:
    @pytest.fixture
    def scene(self, make_houses, make_item, small_chunks):
        make_houses(*["50"] * 9)
        make_item(code="WY")
        make_item(code="LJ")

    @pytest.fixture
    def is_whole(self, database):
        """Eighteen live bills, none twice, numbered without a gap."""

        def is_whole():
            rows = database.rows(
                "SELECT count(*) AS bills, count(DISTINCT (house_id, fee_item_id)) AS keys,"
                " max(right(bill_no, 6)::int) AS last FROM bill WHERE state <> 'cancelled'"
            )
            return set(rows[0].values()) == {18}

        return is_whole

    def test_two_runs_of_one_batch(self, draft, generate, scene, together, is_whole):
        batch_id = draft()

        results = together(*[lambda: generate(batch_id)] * 3)

        assert results.count(18) == 1
        others = [result for result in results if not isinstance(result, int)]
        assert len(others) == 2
        assert all(isinstance(result, BatchBusy | BatchCannotMove) for result in others)
        assert is_whole()

    def test_two_batches_of_the_same_month(self, draft, generate, scene, together, is_whole):
        batch_ids = [draft() for _ in range(3)]

        results = together(*(lambda id_=id_: generate(id_) for id_ in batch_ids))

        assert sum(result for result in results if isinstance(result, int)) == 18
        refused = [result for result in results if not isinstance(result, int)]
        assert all(isinstance(result, BatchBusy) for result in refused)
        assert is_whole()

    def test_a_batch_whose_month_was_busy_finds_nothing_left(
        self, draft, generate, scene, is_whole, state
    ):
        late = draft()
        refused = []

        def try_the_other(done, total):
            with pytest.raises(BatchBusy):
                generate(late)
            refused.append(late)

        generate(draft(), progress=try_the_other)

        assert refused
        assert generate(late) == 0
        assert state(late) == "pending_review"
        assert is_whole()

    @pytest.mark.breaks_promises  # the number that was taken is no bill's
    def test_numbers_that_somebody_else_took_meanwhile_are_left_to_them(
        self, unit_of_work, draft, generate, scene, desk, bills
    ):
        def take_one(done, total):
            if done == 2:
                unit_of_work.run(
                    lambda tx: take_numbers(
                        tx, community_id=desk.community_id, series="bill:202610"
                    )
                )

        generate(draft(), progress=take_one)

        numbers = [int(bill["bill_no"][-6:]) for bill in bills()]
        assert len(set(numbers)) == 18
        assert max(numbers) == 19

    def test_a_run_that_is_on_keeps_others_out(self, draft, generate, scene, services, desk):
        batch_id = draft()
        seen = []

        def look(done, total):
            thread = threading.Thread(target=try_too)
            thread.start()
            thread.join()

        def try_too():
            try:
                generate(batch_id)
            except BatchBusy:
                seen.append("busy")

        generate(batch_id, progress=look)

        assert set(seen) == {"busy"}

    def test_a_batch_cancelled_meanwhile_stops_and_keeps_no_live_bill(
        self, services, desk, draft, generate, scene, bills, state
    ):
        batch_id = draft()

        def cancel(done, total):
            services.batches.cancel(actor=desk.maker, batch_id=batch_id, reason="停")

        with pytest.raises(BatchBusy):
            generate(batch_id, progress=cancel)

        assert state(batch_id) == "cancelled"
        assert {bill["state"] for bill in bills()} == {"cancelled"}


class TestStatistics:
    def test_review_and_publication_find_fresh_ones(
        self, database, draft, generate, make_houses, make_item
    ):
        """Without them a planner once took minutes to approve what takes a second."""
        make_houses(*["50"] * 20)
        make_item(code="WY")
        database.do("UPDATE pg_class SET reltuples = -1 WHERE relname IN ('bill', 'bill_line')")

        generate(draft())

        assert database.rows(
            "SELECT relname, reltuples::int AS rows FROM pg_class"
            " WHERE relname IN ('bill', 'bill_line') ORDER BY relname"
        ) == [{"relname": "bill", "rows": 20}, {"relname": "bill_line", "rows": 20}]
