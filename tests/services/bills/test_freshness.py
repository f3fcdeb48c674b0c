"""A batch is approved only while computing it again would make the same bills."""

from datetime import date
from decimal import Decimal

import pytest

from domain.charges import ChargeMethod
from domain.meters import MeterKind
from services.bills.freshness import BatchStale
from services.bills.gates import BatchDoesNotAddUp
from services.fees.checks import NewFeeItem, NewPrice
from services.meters.judging import NewReading
from tests import factories

OCTOBER = date(2026, 10, 31)


@pytest.fixture
def water(services, desk):
    item = NewFeeItem(
        "SF",
        "水费",
        ChargeMethod.METER,
        Decimal(1),
        date(2020, 1, 1),
        meter_kind=MeterKind.COLD_WATER,
    )
    return services.fees.add_item(actor=desk.maker, community_id=desk.community_id, item=item)


@pytest.fixture
def house_id(make_houses, database):
    """A house whose water meter stands at 100 and was read at 120 in October."""
    (house_id,) = make_houses("50")
    with database.session() as session:
        house = session.get_one(factories.House, house_id)
        meter = factories.make_meter(session, house=house, meter_no="W1")
        factories.make_reading(session, meter=meter, read_on=date(2026, 9, 30), reading="100")
        factories.make_reading(session, meter=meter, read_on=date(2026, 10, 20), reading="120")
    return house_id


@pytest.fixture
def enter(services, desk):
    return lambda reading: services.meter_readings.enter(
        actor=desk.maker,
        community_id=desk.community_id,
        readings=[NewReading("W1", OCTOBER, Decimal(reading))],
        source="manual",
    )


class TestApprove:
    def test_a_reading_that_came_later_is_not_passed_over(
        self, water, house_id, generated, enter, approve, services, desk, bills, tick_all
    ):
        batch_id = generated()
        assert enter("150").taken == 1

        with pytest.raises(BatchStale, match="1 张账单已不一致"):
            approve(batch_id)
        services.regeneration.regenerate(actor=desk.maker, batch_id=batch_id)
        approve(batch_id)

        assert [bill["amount_fen"] for bill in bills() if bill["state"] != "cancelled"] == [5000]

    def test_nor_a_corrected_area_a_price_or_a_new_house(
        self, services, desk, make_item, make_houses, generated, approve
    ):
        item_id = make_item(price="1")
        make_houses("50")
        batch_id = generated()
        services.fees.set_price(
            actor=desk.maker,
            fee_item_id=item_id,
            price=NewPrice(Decimal(2)),
            priced_from=date(2026, 10, 2),
        )
        make_houses("60")

        with pytest.raises(BatchStale, match="1 张账单已不一致、1 张还没生成"):
            approve(batch_id)

    def test_a_one_off_charge_that_was_withdrawn(
        self, services, desk, make_houses, generated, approve, database
    ):
        item = NewFeeItem("LS", "临时", ChargeMethod.ONE_OFF, None, date(2020, 1, 1))
        item_id = services.fees.add_item(
            actor=desk.maker, community_id=desk.community_id, item=item
        )
        (house_id,) = make_houses("50")
        services.one_offs.add(
            actor=desk.maker,
            community_id=desk.community_id,
            house_id=house_id,
            fee_item_id=item_id,
            charged_on=date(2026, 10, 9),
            amount_fen=500,
            source_document="单据",
        )
        batch_id = generated(fee_item_ids=[item_id])
        database.do("UPDATE one_off_charge SET state = 'cancelled'")

        with pytest.raises(BatchDoesNotAddUp, match="临时收费已撤销"):
            approve(batch_id)

    def test_a_reading_and_an_approval_at_once_never_pass_each_other(
        self, water, house_id, generated, enter, approve, together, database, services, desk
    ):
        """Either the reading is refused, or the batch: never are both taken."""
        batch_id = generated()
        for number in range(6):
            told, approved = together(lambda: enter("150"), lambda: approve(batch_id))

            was_taken = not isinstance(told, Exception) and told.taken == 1
            was_approved = not isinstance(approved, Exception)
            assert was_taken != was_approved, (number, told, approved)
            if was_approved:
                return
            database.do("DELETE FROM meter_reading WHERE read_on = :day", day=OCTOBER)
