"""What the reports say, over histories that the real use-cases made."""

import io
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from python_calamine import CalamineWorkbook

from domain.actors import operator
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.periods import SHANGHAI, Span
from services.reports.tables import (
    ArrearsBy,
    CashBy,
    CollectionBy,
    CollectionRow,
    FileForm,
    OfflineBy,
    ReportFilter,
    as_document,
)
from tests import factories
from tests.histories import History
from tests.services.reports.asking import YEARS, arrears, cash, collection, offline


@pytest.fixture(params=[1, 2])
def history(request, services, database):
    return History(services, database, request.param)


def added(rows, *names):
    """Add up rows by hand, as somebody who checks would."""
    return tuple(sum(getattr(row, name) for row in rows) for name in names)


COLLECTION = ("receivable_fen", "received_fen", "written_off_fen", "outstanding_fen")
CASH = (
    "payment_count",
    "amount_fen",
    "principal_fen",
    "late_fee_fen",
    "prepaid_fen",
    "deposit_fen",
    "suspense_fen",
)
WENT_BACK = ("refunded_fen", "net_fen")


@pytest.mark.slow
class TestOneTruth:
    def test_every_way_to_add_up_gives_the_same(self, reports, history, database):
        history.live(90)

        details = database.rows(
            "SELECT coalesce(sum(amount_fen), 0)::bigint AS receivable,"
            " coalesce(sum(paid_fen), 0)::bigint AS received,"
            " coalesce(sum(amount_fen - paid_fen) FILTER (WHERE state = 'written_off'), 0)::bigint"
            " AS written_off FROM bill"
            " WHERE state IN ('published', 'partially_paid', 'paid', 'written_off')"
        )[0]
        assert details["received"] > 0
        for by in CollectionBy:
            report = collection(reports, history, by)
            assert added([report.totals], *COLLECTION[:3]) == tuple(details.values())
            assert added(report.rows, *COLLECTION) == added([report.totals], *COLLECTION)

    def test_the_summary_equals_the_full_computation(self, reports, history):
        """As of the end of a day: what the summary said then, every bill says later."""
        seen = {}

        def look():
            seen[history.today] = [
                *(collection(reports, history, by) for by in CollectionBy),
                *(arrears(reports, history, by) for by in ArrearsBy),
            ]

        history.live(90, at_day_end=look)
        history.clock.advance(days=1)

        assert len(seen) > 20
        for day, then in seen.items():
            now = [
                *(collection(reports, history, by, as_of=day) for by in CollectionBy),
                *(arrears(reports, history, by, as_of=day) for by in ArrearsBy),
            ]
            for old, new in zip(then, now, strict=True):
                assert (new.rows, new.totals) == (old.rows, old.totals), day

    def test_arrears_add_up_to_what_is_open_and_overdue(self, reports, history, database):
        history.live(90)

        overdue_fen = database.value(
            "SELECT coalesce(sum(amount_fen - paid_fen), 0)::bigint FROM bill"
            " WHERE state IN ('published', 'partially_paid') AND due_date < :today",
            today=history.today,
        )
        assert overdue_fen > 0
        for by in ArrearsBy:
            report = arrears(reports, history, by)
            assert report.totals.overdue_fen == sum(report.totals.aged_fen) == overdue_fen
            assert sum(row.overdue_fen for row in report.rows) == overdue_fen
            aged = zip(*(row.aged_fen for row in report.rows), strict=True)
            assert tuple(map(sum, aged)) == report.totals.aged_fen

    def test_cash_adds_up_to_the_payments_however_it_is_cut(self, reports, history, database):
        history.live(90)

        amount_fen = database.value(
            "SELECT sum(amount_fen)::bigint FROM payment"
            " WHERE channel NOT IN ('prepaid', 'deposit')"
        )
        went_back_fen = database.value(
            "SELECT coalesce(sum(amount_fen), 0)::bigint FROM refund"
            " WHERE state = 'succeeded' AND payment_id IS NOT NULL"
        )
        for by in CashBy:
            report = cash(reports, history, by)
            assert report.totals.amount_fen == amount_fen
            figures = (*CASH, *WENT_BACK)
            assert added(report.rows, *figures) == added([report.totals], *figures)
            assert report.totals.refunded_fen == went_back_fen
            for row in (*report.rows, report.totals):
                assert row.amount_fen == sum(added([row], *CASH[2:]))

    def test_recovery_is_what_arrears_lost_to_payments(self, reports, history, database):
        history.live(90)
        span = Span(date(2026, 3, 1), date(2029, 1, 1))
        which = ReportFilter(history.community_id, span)

        found = [reports.recovery(actor=operator(), which=which, by=by) for by in CollectionBy]

        paid = database.rows(
            "SELECT kind, sum(allocation.amount_fen)::bigint AS fen FROM allocation"
            " JOIN payment ON payment.id = payment_id JOIN bill ON bill.id = bill_id"
            " WHERE due_date < :day AND (CASE WHEN allocation.amount_fen > 0 THEN paid_at"
            " ELSE allocation.created_at END AT TIME ZONE 'Asia/Shanghai')::date >= :day"
            " GROUP BY kind",
            day=span.starts_on,
        )
        by_kind = {row["kind"]: row["fen"] for row in paid}
        for report in found:
            assert report.totals.principal_fen == by_kind.get("principal", 0)
            assert report.totals.late_fee_fen == by_kind.get("late_fee", 0)
            assert added(report.rows, "bill_count", "principal_fen", "late_fee_fen") == added(
                [report.totals], "bill_count", "principal_fen", "late_fee_fen"
            )

    def test_narrowing_cuts_the_whole_into_parts(self, reports, history):
        history.live(90)
        whole = collection(reports, history)

        for name, ids in (
            ("building_ids", history.building_ids),
            ("fee_item_ids", history.item_ids),
        ):
            for as_of in (None, history.today - timedelta(days=40)):
                whole = collection(reports, history, as_of=as_of).totals
                parts = [
                    collection(reports, history, as_of=as_of, **{name: (one,)}).totals
                    for one in ids
                ]
                assert added(parts, *COLLECTION) == added([whole], *COLLECTION)


@pytest.fixture
def scene(services, database):
    """A community whose figures fit in a head: today is 24 November 2026."""

    class Scene:
        clock = services.clock

    services.clock.set(datetime(2026, 11, 24, 12, tzinfo=SHANGHAI))
    with database.session() as session:
        community = factories.make_community(session, name="翠湖花园")
        Scene.community_id = community.id
        Scene.houses = []
        for name in ("1栋", "2栋"):
            building = factories.make_building(session, community=community, name=name)
            Scene.houses += [
                factories.make_house(session, building=building, room_no=room)
                for room in ("101", "102")
            ]
        Scene.item = factories.make_item(session, community=community)

        def bill(house, fen, due_date, month=10, **more):
            return factories.make_bill(
                session,
                house=house,
                item=Scene.item,
                lines=(fen,),
                due_date=due_date,
                period_from=date(2026, month, 1),
                period_until=date(2026, month + 1, 1),
                **more,
            )

        bill(Scene.houses[0], 10_000, date(2026, 11, 23))
        bill(Scene.houses[0], 20_000, date(2026, 10, 25), month=9)
        bill(Scene.houses[1], 3_000, date(2026, 11, 24))
        bill(Scene.houses[2], 700, date(2025, 11, 24))
        bill(Scene.houses[2], 70, date(2025, 11, 23), month=9)
        bill(Scene.houses[3], 0, date(2026, 1, 1), state="paid")
    return Scene


class TestArrears:
    def test_ages_by_days_overdue_and_is_due_until_the_day_has_ended(self, reports, scene):
        report = arrears(reports, scene, ArrearsBy.HOUSE)

        assert [(row.label, row.overdue_fen, row.aged_fen) for row in report.rows] == [
            ("1栋1单元101", 30_000, (30_000, 0, 0, 0, 0)),
            ("2栋1单元101", 770, (0, 0, 0, 700, 70)),
        ]
        assert report.totals.overdue_fen == 30_770

    def test_one_day_more_moves_a_bill_to_the_next_age(self, reports, scene):
        scene.clock.advance(days=1)

        aged = arrears(reports, scene, ArrearsBy.ITEM).totals.aged_fen

        assert aged == (13_000, 20_000, 0, 0, 770)

    def test_pages_through_houses_with_totals_over_all(self, reports, scene):
        first = arrears(reports, scene, ArrearsBy.HOUSE, limit=1)
        second = arrears(reports, scene, ArrearsBy.HOUSE, limit=1, after_id=first.next_after_id)

        assert [row.label for row in (*first.rows, *second.rows)] == ["1栋1单元101", "2栋1单元101"]
        assert second.next_after_id is None
        assert first.totals == second.totals
        assert first.totals.overdue_fen == 30_770

    def test_pages_as_of_an_earlier_day_too(self, reports, scene):
        scene.clock.advance(days=1)
        day = date(2026, 11, 24)

        first = arrears(reports, scene, ArrearsBy.HOUSE, limit=1, as_of=day)
        second = arrears(
            reports, scene, ArrearsBy.HOUSE, limit=1, after_id=first.next_after_id, as_of=day
        )

        assert [row.overdue_fen for row in (*first.rows, *second.rows)] == [30_000, 770]
        assert second.next_after_id is None

    @pytest.mark.parametrize("limit", [0, 201])
    def test_no_longer_page_than_two_hundred(self, reports, scene, limit):
        with pytest.raises(InvalidInput):
            arrears(reports, scene, ArrearsBy.HOUSE, limit=limit)

    def test_narrows_to_months(self, reports, scene):
        report = arrears(reports, scene, span=Span(date(2026, 9, 1), date(2026, 10, 1)))

        assert report.totals.overdue_fen == 20_070


class TestCollection:
    def test_says_what_is_counted_of_what_and_as_of_when(self, reports, scene):
        report = collection(
            reports, scene, span=Span(date(2026, 9, 1), date(2026, 11, 1)), building_ids=(1,)
        )

        assert "收缴率＝实收÷应收" in report.definition
        assert report.filter == (
            ("账期", "2026-09 至 2026-10"),
            ("楼栋", "1栋"),
            ("收费项目", "全部"),
        )
        assert report.as_of == scene.clock.now()
        assert [row.label for row in report.rows] == ["2026-09", "2026-10"]

    def test_as_of_an_earlier_day_is_the_end_of_it(self, reports, scene):
        report = collection(reports, scene, as_of=date(2026, 10, 31))

        assert report.as_of.isoformat() == "2026-10-31T16:00:00+00:00"

    @pytest.mark.parametrize(
        ("receivable_fen", "received_fen", "rate"),
        [
            (0, 0, "—"),
            (30_000, 10_000, "33.33%"),
            (30_000, 20_000, "66.67%"),
            (80_000, 1, "0.00%"),
            (40_000, 2, "0.01%"),
            (20_000, 20_000, "100.00%"),
        ],
    )
    def test_the_rate_is_exact_to_two_decimals_half_up(self, receivable_fen, received_fen, rate):
        assert CollectionRow("", receivable_fen, received_fen, 0).collection_rate == rate

    def test_bills_not_yet_published_then_do_not_count(self, reports, scene, database):
        before = collection(reports, scene, as_of=date(2025, 12, 31))

        assert before.rows == ()
        assert before.totals.receivable_fen == 0


class TestRefusals:
    def test_who_may_not_see_reports_sees_none(self, reports, scene):
        actor = factories.actor_without("view_reports")
        which = ReportFilter(scene.community_id, YEARS)

        for ask in (
            lambda: reports.collection(actor=actor, which=which, by=CollectionBy.MONTH),
            lambda: reports.arrears(actor=actor, which=which, by=ArrearsBy.ITEM),
            lambda: reports.recovery(actor=actor, which=which, by=CollectionBy.ITEM),
            lambda: reports.cash_in(actor=actor, which=which, by=CashBy.DAY),
            lambda: reports.offline(actor=actor, which=which, by=OfflineBy.DAY),
        ):
            with pytest.raises(NotAllowed):
                ask()

    @pytest.mark.parametrize(
        "changes",
        [
            {"span": None},
            {"span": Span(date(2026, 9, 2), date(2026, 11, 1))},
            {"span": Span(date(2026, 9, 1), date(2026, 10, 31))},
            {"span": Span(date(2026, 10, 1), date(2026, 9, 1))},
            {"as_of": date(2026, 11, 25)},
        ],
    )
    def test_what_cannot_be_asked_of_collection(self, reports, scene, changes):
        with pytest.raises(InvalidInput):
            collection(reports, scene, **changes)

    def test_cash_has_no_buildings(self, reports, scene):
        with pytest.raises(InvalidInput):
            cash(reports, scene, building_ids=(1,))

    @pytest.mark.parametrize(
        "changes",
        [{"community_id": 10**9}, {"building_ids": (10**9,)}, {"fee_item_ids": (10**9,)}],
    )
    def test_what_is_not_of_the_community_is_not_there(self, reports, scene, changes):
        with pytest.raises(NotFound):
            collection(reports, scene, **changes)

    def test_another_communitys_building_is_not_there(self, reports, scene, database):
        with database.session() as session:
            other = factories.make_building(session).id

        with pytest.raises(NotFound):
            collection(reports, scene, building_ids=(other,))


class TestFiles:
    def test_the_workbook_equals_the_screen(self, services, reports, database):
        history = History(services, database, 5)
        history.live(60)
        every = [
            *(collection(reports, history, by) for by in CollectionBy),
            *(arrears(reports, history, by) for by in ArrearsBy),
            *(cash(reports, history, by) for by in CashBy),
            *(offline(reports, history, by) for by in OfflineBy),
        ]

        for report in every:
            content = reports.write(actor=operator(), report=report, form=FileForm.XLSX)
            sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
            cells = sheet.to_python()
            document = as_document(report)
            head = cells.index(
                [column.title for column in document.columns]
                + [""] * (len(cells[0]) - len(document.columns))
            )
            table = cells[head + 1 : head + 1 + len(document.rows) + 1]
            expected = [*document.rows, *document.totals]
            assert [_read(row, document.columns) for row in table] == [
                [_shown(cell, column) for cell, column in zip(row, document.columns, strict=True)]
                for row in expected
            ]
            words = " ".join(str(cell) for row in cells for cell in row)
            assert report.definition in words
            assert "截至" in words
            for label, value in report.filter:
                assert label in words
                assert value in words

    def test_the_pdf_is_one(self, reports, scene):
        report = arrears(reports, scene)

        assert reports.write(actor=operator(), report=report, form=FileForm.PDF)[:5] == b"%PDF-"


def _shown(cell, column):
    return f"{Decimal(cell) / 100:.2f}" if column.kind == "fen" else str(cell)


def _read(row, columns):
    """What a spreadsheet shows: numbers are floats in the file."""
    cells = zip(row[: len(columns)], columns, strict=True)
    return [
        f"{cell:.2f}"
        if column.kind == "fen"
        else str(int(cell) if column.kind == "count" else cell)
        for cell, column in cells
    ]
