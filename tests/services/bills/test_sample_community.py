"""Three months of the sample community, computed a second time by other means.

The checker reads the workbook by itself and works in fractions from the words of domain.md; it
shares no code with the product.
"""

import calendar
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from python_calamine import CalamineWorkbook

from domain.actors import Role
from domain.charges import ChargeMethod
from domain.meters import MeterKind
from domain.shares import ShareBy
from services.fees.checks import NewFeeItem
from services.fees.pools import NewPool
from tests import factories
from tests.world import ROOT

SAMPLE = ROOT / "sample" / "cuihu-garden.xlsx"
MONTHS = [date(2026, 8, 1), date(2026, 9, 1), date(2026, 10, 1)]
POOLS_FEN = {date(2026, 8, 1): 1_234_567, date(2026, 9, 1): 1_000_001, date(2026, 10, 1): 987_654}
TIERS = [(Fraction(12), Fraction(3)), (Fraction(25), Fraction("4.45")), (None, Fraction("6.9"))]


def half_up(fen):
    return floor(fen + Fraction(1, 2))


def read_houses():
    """Area and first liable day by (building, unit, room); the sheet has a row per co-owner."""
    rows = CalamineWorkbook.from_path(SAMPLE).get_sheet_by_name("房屋业主").to_python()
    found = {}
    for building, unit, _, room, _, area, _, _, handover, *_ in rows[1:]:
        key = (building, unit.removesuffix("单元"), room)
        found.setdefault(key, (Fraction(str(area)), handover or None))
    return found


def read_readings():
    rows = CalamineWorkbook.from_path(SAMPLE).get_sheet_by_name("水表读数").to_python()
    found = defaultdict(dict)
    for building, unit, room, _, _, read_on, reading in rows[1:]:
        key = (building, unit.removesuffix("单元"), room)
        found[key][read_on] = Fraction(str(reading))
    return found


def months_of(handover, month):
    """What part of a calendar month a house is liable for."""
    days = calendar.monthrange(month.year, month.month)[1]
    last = month.replace(day=days)
    if handover is None or handover > last:
        return Fraction(0)
    return Fraction((last - max(handover, month)).days + 1, days)


def tiered(usage):
    owed, begins = Fraction(0), Fraction(0)
    for limit, price in TIERS:
        top = usage if limit is None else min(usage, limit)
        owed += max(top - begins, Fraction(0)) * price
        begins = limit
    return half_up(owed * 100)


def shared(total_fen, weights):
    """Largest remainder over areas; keys are in the order in which houses were put on file."""
    whole = sum(weights.values())
    exact = {key: total_fen * weight / whole for key, weight in weights.items()}
    given = {key: floor(fen) for key, fen in exact.items()}
    left = total_fen - sum(given.values())
    order = list(weights)
    by_remainder = sorted(order, key=lambda key: (given[key] - exact[key], order.index(key)))
    for key in by_remainder[:left]:
        given[key] += 1
    return given


def expect(month):
    """What every house owes by item code, in fen."""
    readings = read_readings()
    houses = read_houses()
    days = calendar.monthrange(month.year, month.month)[1]
    last_day = month.replace(day=days)
    day_before = date.fromordinal(month.toordinal() - 1)
    owed = {}
    for key, (area, handover) in houses.items():
        months = months_of(handover, month)
        if not months:
            continue
        owed[key, "WY"] = half_up(100 * Fraction("2.35") * area * months)
        owed[key, "LJ"] = half_up(100 * Fraction(12) * months)
        if {day_before, last_day} <= readings[key].keys():
            owed[key, "SF"] = tiered(readings[key][last_day] - readings[key][day_before])
    weights = {key: area for key, (area, handover) in houses.items() if months_of(handover, month)}
    for key, fen in shared(POOLS_FEN[month], weights).items():
        owed[key, "GT"] = fen
    return owed


@pytest.fixture
def desk(services, database, clock):
    clock.set(datetime(2026, 11, 2, 2, 0, tzinfo=UTC))
    with database.session() as session:
        community_id = factories.make_community(session, code="CH", name="翠湖花园").id
        maker = factories.staff(session, Role.MANAGER)
        reviewer = factories.staff(session, Role.MANAGER)
    content = SAMPLE.read_bytes()
    for taking in (services.house_owner_import, services.meter_reading_import):
        taking.carry_out(
            actor=maker, community_id=community_id, content=content, file_name="翠湖花园.xlsx"
        )
    return community_id, maker, reviewer


@pytest.fixture
def item_ids(services, desk):
    community_id, maker, _ = desk
    since = date(2026, 1, 1)
    items = [
        NewFeeItem("WY", "物业费", ChargeMethod.AREA, Decimal("2.35"), since),
        NewFeeItem("LJ", "垃圾清运费", ChargeMethod.FIXED, Decimal(12), since),
        NewFeeItem(
            "SF",
            "水费",
            ChargeMethod.METER,
            None,
            since,
            meter_kind=MeterKind.COLD_WATER,
            tiers=[("12", "3"), ("25", "4.45"), (None, "6.9")],
        ),
        NewFeeItem("GT", "公摊电费", ChargeMethod.SHARE, None, since),
    ]
    return {
        item.code: services.fees.add_item(actor=maker, community_id=community_id, item=item)
        for item in items
    }


def run_month(services, desk, item_ids, month):
    """Make, review and publish the bills of a month."""
    community_id, maker, reviewer = desk
    services.share_pools.add(
        actor=maker,
        community_id=community_id,
        fee_item_id=item_ids["GT"],
        month=month,
        pool=NewPool(ShareBy.AREA, amount_fen=POOLS_FEN[month]),
    )
    batch_id = services.batches.draft(actor=maker, community_id=community_id, month=month)
    services.generation.generate(actor=maker, batch_id=batch_id)
    for one in services.bill_findings.list_findings(actor=reviewer, batch_id=batch_id):
        services.bill_findings.tick(
            actor=reviewer,
            batch_id=batch_id,
            kind=one.kind,
            fee_item_id=one.fee_item_id,
            row_count=one.row_count,
        )
    services.batches.approve(actor=reviewer, batch_id=batch_id)
    services.publication.publish(actor=reviewer, batch_id=batch_id)
    return batch_id


class TestSampleCommunity:
    @pytest.mark.slow
    @pytest.mark.timeout(300)
    def test_every_house_agrees_to_the_fen_over_three_months(
        self, services, database, desk, item_ids
    ):
        for month in MONTHS:
            batch_id = run_month(services, desk, item_ids, month)

            rows = database.rows(
                "SELECT building.name AS building, house.unit_no, house.room_no,"
                " fee_item.code, bill.amount_fen FROM bill"
                " JOIN house ON house.id = bill.house_id"
                " JOIN building ON building.id = house.building_id"
                " JOIN fee_item ON fee_item.id = bill.fee_item_id"
                " WHERE bill.batch_id = :id AND bill.state <> 'cancelled'",
                id=batch_id,
            )
            billed = {
                ((row["building"], row["unit_no"], row["room_no"]), row["code"]): row["amount_fen"]
                for row in rows
            }

            expected = expect(month)
            assert len(expected) > 2000
            assert billed == expected
