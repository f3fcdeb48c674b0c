"""P9: reports beside one aggregate query over the same rows, and pages from the summary.

Each size has a database of its own with one community: twenty bills a house over ten months and two
items, four of five paid and one of fifty with a waiver, each with its lines, traces and money. The
full computation is what a report as of an earlier day does; a page is one as of now.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from statistics import quantiles
from typing import Any

from benchmarks.figures import Figure
from benchmarks.world import World, make_world

ROUNDS = 5
_PAGES = 40
_PAGE_MS = 300.0

_FILL = """
INSERT INTO community (id, code, name, created_at) VALUES (1, 'BENCH', '基准小区', now());
INSERT INTO building (id, community_id, name)
SELECT n, 1, n || '栋' FROM generate_series(1, 100) n;
INSERT INTO house (community_id, building_id, unit_no, room_no, building_area, billing_area,
                   fee_coefficient, handover_date)
SELECT 1, n % 100 + 1, '1', n::text, 89, 89, 1, '2020-01-01' FROM generate_series(1, {houses}) n;
INSERT INTO staff (id, login_name, name, role, created_at)
VALUES (1, 'bench', '基准', 'finance', now());
INSERT INTO fee_item (id, community_id, code, name, charge_method, starts_on, created_at)
VALUES (1, 1, 'WY', '物业费', 'area', '2020-01-01', now()),
       (2, 1, 'LJ', '垃圾清运费', 'fixed', '2020-01-01', now());
INSERT INTO bill_batch (id, community_id, period_from, period_until, state, made_by_staff_id,
                        created_at)
SELECT n, 1, month, month + interval '1 month', 'published', 1, now()
  FROM (SELECT n, (date_trunc('month', now()) - n * interval '1 month')::date AS month
          FROM generate_series(1, 10) n) months;
INSERT INTO bill_batch_item
SELECT n, item FROM generate_series(1, 10) n, generate_series(1, 2) item;
INSERT INTO bill (community_id, batch_id, house_id, fee_item_id, bill_no, period_from, period_until,
                  issue_date, due_date, state, amount_fen, paid_fen, published_at)
SELECT 1, batch.id, house.id, item.id,
       'BENCH' || to_char(period_from, 'YYYYMM') || item.code || lpad(house.id::text, 6, '0'),
       period_from, period_until, period_until, period_until + 30,
       CASE WHEN (house.id + batch.id) % 5 = 0 THEN 'published' ELSE 'paid' END,
       fen, CASE WHEN (house.id + batch.id) % 5 = 0 THEN 0 ELSE fen END,
       period_until::timestamp AT TIME ZONE 'Asia/Shanghai'
  FROM bill_batch batch, house, fee_item item,
       LATERAL (SELECT 1000 + house.id % 9000 AS fen) money;
INSERT INTO bill_line (bill_id, line_no, amount_fen, kind, trace)
SELECT id, 1, amount_fen + CASE WHEN id % 50 = 0 THEN 10 ELSE 0 END, 'principal',
       jsonb_build_object('method', 'area', 'unit_price', '2.35', 'months', '1', 'area', '89',
                          'from', period_from, 'until', period_until, 'rounding', 'fen',
                          'rounding_fen', 0, 'coefficient', '1') FROM bill
UNION ALL
SELECT id, 2, -10, 'waiver',
       jsonb_build_object('method', 'waiver', 'reason', '漏水', 'taken_on', due_date)
  FROM bill WHERE id % 50 = 0;
INSERT INTO payment (id, community_id, channel, mchid, provider_transaction_id, out_trade_no,
                     amount_fen, paid_at, booked_at)
SELECT min(id), 1, 'wechat', '19', min(id)::text, min(id)::text, sum(paid_fen),
       min(published_at) + interval '10 days', min(published_at) + interval '10 days'
  FROM bill WHERE state = 'paid' GROUP BY house_id, batch_id;
INSERT INTO allocation (payment_id, bill_id, line_no, kind, amount_fen, created_at)
SELECT min(id) OVER (PARTITION BY house_id, batch_id), id, 1, 'principal', paid_fen, published_at
  FROM bill WHERE state = 'paid';
"""

_FLOOR = """
SELECT count(DISTINCT house.building_id), sum(bill.amount_fen), sum(line.amount_fen),
       sum(allocation.amount_fen)
  FROM bill
  JOIN house ON house.id = bill.house_id
  JOIN bill_line line ON line.bill_id = bill.id
  LEFT JOIN (allocation JOIN payment ON payment.id = allocation.payment_id)
    ON allocation.bill_id = line.bill_id AND allocation.line_no = line.line_no
   AND payment.paid_at < now() - interval '1 day'
 WHERE bill.community_id = 1 AND bill.published_at < now() - interval '1 day'
"""
"""One aggregate over the rows that a report reads: bills, houses, lines, allocations, payments."""


def measure(*, large: bool) -> list[Figure]:
    """Measure at 10,000 and 100,000 bills, and maybe at a million."""
    figures = []
    for bills in (10_000, 100_000, *([1_000_000] if large else [])):
        with make_world() as world:
            _fill(world, bills)
            told = world.run("benchmarks.reports")
        conditions = f"{bills:,} bills, PostgreSQL 18, {ROUNDS} rounds"
        figures += [
            Figure("P9", f"{name}, full", ours, told["floor"], "ms", 2.0, conditions, is_most=True)
            for name, ours in told["full"].items()
        ]
        limit = [_PAGE_MS] * ROUNDS
        figures += [
            Figure("P9p", f"{name}, page p95", ours, limit, "ms", 1.0, conditions, is_most=True)
            for name, ours in told["pages"].items()
        ]
    return figures


def _fill(world: World, bills: int) -> None:
    with world.connect() as connection:
        connection.execute(_FILL.format(houses=bills // 20))
        connection.execute("VACUUM ANALYZE")


def _run() -> None:
    """Fold the summary, then time reports and the floor in turn; print milliseconds as JSON."""
    from sqlalchemy import text

    from domain.actors import operator, system_actor
    from domain.periods import Span, add_months, local_date
    from services import assembly
    from services.reports.tables import ArrearsBy, CollectionBy, ReportFilter
    from wsgi import create_app

    reports = assembly.of(create_app()).reports
    reports.fold_summary(actor=system_actor("基准"))
    today = local_date(reports.unit_of_work.clock.now())
    month = today.replace(day=1)
    months = Span(add_months(month, -11), add_months(month, 1))
    now = ReportFilter(1, months)
    then = ReportFilter(1, months, as_of=today - timedelta(days=1))
    actor = operator()

    def floor() -> None:
        with reports.unit_of_work.snapshot() as session:
            session.execute(text(_FLOOR)).one()

    full: dict[str, Callable[[], Any]] = {
        "collection by building": lambda: reports.collection(
            actor=actor, which=then, by=CollectionBy.BUILDING
        ),
        "collection by month": lambda: reports.collection(
            actor=actor, which=then, by=CollectionBy.MONTH
        ),
        "arrears by building": lambda: reports.arrears(
            actor=actor, which=then, by=ArrearsBy.BUILDING
        ),
    }
    with reports.unit_of_work.reading() as session:
        middle = session.execute(text("SELECT max(id) / 2 FROM house")).scalar_one()
    pages: dict[str, Callable[[], Any]] = {
        "collection by building": lambda: reports.collection(
            actor=actor, which=now, by=CollectionBy.BUILDING
        ),
        "collection by month": lambda: reports.collection(
            actor=actor, which=now, by=CollectionBy.MONTH
        ),
        "arrears by building": lambda: reports.arrears(
            actor=actor, which=now, by=ArrearsBy.BUILDING
        ),
        "arrears by house": lambda: reports.arrears(
            actor=actor, which=now, by=ArrearsBy.HOUSE, after_id=middle
        ),
    }
    told: dict[str, Any] = {
        "floor": [],
        "full": {name: [] for name in full},
        "pages": {name: [] for name in pages},
    }
    for once in (floor, *full.values(), *pages.values()):
        once()
    for _ in range(ROUNDS):
        told["floor"].append(_time_ms(floor))
        for name, report in full.items():
            told["full"][name].append(_time_ms(report))
        for name, page in pages.items():
            taken = [_time_ms(page) for _ in range(_PAGES)]
            told["pages"][name].append(quantiles(taken, n=20)[-1])
    print(json.dumps(told))


def _time_ms(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    _run()
