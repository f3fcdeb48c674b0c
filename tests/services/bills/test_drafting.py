"""Which items a batch charges: those whose time has come."""

from datetime import UTC, date, datetime

import pytest

from domain.charges import ChargeMethod
from domain.cycles import BillingTiming, CycleAnchor
from domain.errors import InvalidInput, NotFound
from domain.shares import ShareBy
from services.bills.drafting import PeriodNotOver, PoolAlreadyShared, PoolMissing
from services.fees.pools import NewPool
from tests import factories

OCTOBER = date(2026, 10, 1)


@pytest.fixture
def chosen(database):
    """The items of a batch."""
    return lambda batch_id: {
        row["fee_item_id"]
        for row in database.rows(
            "SELECT fee_item_id FROM bill_batch_item WHERE batch_id = :id", id=batch_id
        )
    }


@pytest.fixture
def today(clock):
    return lambda day: clock.set(datetime(day.year, day.month, day.day, 4, tzinfo=UTC))


@pytest.fixture
def add_pool(services, desk):
    def add_pool(item_id, month=OCTOBER):
        return services.share_pools.add(
            actor=desk.maker,
            community_id=desk.community_id,
            fee_item_id=item_id,
            month=month,
            pool=NewPool(ShareBy.HOUSEHOLD, amount_fen=300),
        )

    return add_pool


@pytest.fixture
def add_charge(services, desk, make_houses):
    def add_charge(item_id, day=date(2026, 10, 9)):
        (house_id,) = make_houses("1")
        return services.one_offs.add(
            actor=desk.maker,
            community_id=desk.community_id,
            house_id=house_id,
            fee_item_id=item_id,
            charged_on=day,
            amount_fen=500,
            source_document="BX",
        )

    return add_charge


@pytest.fixture
def in_arrears(make_item):
    return make_item()


@pytest.fixture
def in_advance(make_item):
    return make_item(billing_timing=BillingTiming.IN_ADVANCE)


@pytest.fixture
def shared(make_item):
    return make_item(charge_method=ChargeMethod.SHARE, price=None)


@pytest.fixture
def one_off(make_item):
    return make_item(charge_method=ChargeMethod.ONE_OFF, price=None)


class TestArrears:
    def test_not_before_the_last_day_is_over_in_shanghai(self, clock, in_arrears, draft):
        clock.set(datetime(2026, 10, 31, 15, 59, tzinfo=UTC))
        with pytest.raises(PeriodNotOver):
            draft()

        clock.set(datetime(2026, 10, 31, 16, 0, tzinfo=UTC))
        draft()


class TestAdvance:
    def test_at_most_two_months_before(self, today, in_advance, draft):
        today(date(2026, 7, 30))
        with pytest.raises(PeriodNotOver, match="太远"):
            draft()

        today(date(2026, 7, 31))
        draft()

    def test_long_after_it_began(self, in_advance, draft, chosen):
        assert chosen(draft(month=date(2025, 1, 1))) == {in_advance}

    def test_chosen_and_far_off(self, in_advance, draft):
        with pytest.raises(PeriodNotOver, match="太远"):
            draft(month=date(2027, 6, 1), fee_item_ids=[in_advance])


class TestPools:
    def test_with_a_pool(self, shared, add_pool, draft, chosen):
        add_pool(shared)

        assert chosen(draft()) == {shared}

    def test_without_one(self, shared, draft):
        with pytest.raises(PoolMissing):
            draft(fee_item_ids=[shared])

    def test_the_pool_of_another_month_is_none(self, shared, add_pool, draft):
        add_pool(shared, date(2026, 9, 1))

        with pytest.raises(PoolMissing):
            draft(fee_item_ids=[shared])

    def test_a_withdrawn_pool_is_none(self, services, desk, shared, add_pool, draft):
        pool_id = add_pool(shared)
        services.share_pools.cancel(actor=desk.maker, pool_id=pool_id, reason="录错")

        with pytest.raises(PoolMissing):
            draft(fee_item_ids=[shared])

    def test_a_pool_that_was_shared(self, shared, add_pool, make_houses, approved, publish, draft):
        make_houses("1")
        add_pool(shared)
        publish(approved())

        with pytest.raises(PoolAlreadyShared):
            draft(fee_item_ids=[shared])

    def test_a_pool_whose_bills_were_never_published_may_be_shared(
        self, services, desk, shared, add_pool, make_houses, generated, draft
    ):
        make_houses("1")
        add_pool(shared)
        batch_id = generated()

        draft(fee_item_ids=[shared])
        services.batches.cancel(actor=desk.maker, batch_id=batch_id, reason="录错")
        draft(fee_item_ids=[shared])

    def test_a_quarter_is_shared_in_the_month_that_bills_it_and_in_no_other(
        self, today, make_item, in_arrears, add_pool, make_houses, generated, approve, draft, chosen
    ):
        """A batch of October charges nothing of the quarter, so it need not add up to its pool."""
        make_houses("1")
        quarterly = make_item(charge_method=ChargeMethod.SHARE, price=None, cycle_months=3)
        add_pool(quarterly, date(2026, 12, 1))
        batch_id = generated()

        assert chosen(batch_id) == {in_arrears}
        approve(batch_id)
        with pytest.raises(InvalidInput, match="没有要出账的周期"):
            draft(fee_item_ids=[quarterly])
        today(date(2027, 1, 1))
        assert chosen(draft(month=date(2026, 12, 1))) == {in_arrears, quarterly}

    def test_an_item_that_counts_from_the_handover_can_have_none(self, make_item, draft):
        item_id = make_item(
            charge_method=ChargeMethod.SHARE, price=None, cycle_anchor=CycleAnchor.ANNIVERSARY
        )

        with pytest.raises(PoolMissing):
            draft(fee_item_ids=[item_id])


class TestOneOffs:
    def test_with_a_charge(self, one_off, add_charge, draft, chosen):
        add_charge(one_off)

        assert chosen(draft()) == {one_off}

    @pytest.mark.parametrize("day", [date(2026, 9, 30), date(2026, 11, 1)])
    def test_with_charges_of_other_months_only(self, one_off, add_charge, draft, day):
        add_charge(one_off, day)

        with pytest.raises(InvalidInput, match="本月没有临时收费"):
            draft(fee_item_ids=[one_off])

    def test_a_withdrawn_charge_is_none(self, services, desk, one_off, add_charge, draft):
        charge_id = add_charge(one_off)
        services.one_offs.cancel(actor=desk.maker, charge_id=charge_id, reason="录错")

        with pytest.raises(InvalidInput, match="本月没有临时收费"):
            draft(fee_item_ids=[one_off])


class TestChoice:
    def test_by_itself_it_takes_all_whose_time_has_come(
        self, today, in_arrears, in_advance, shared, one_off, draft, chosen
    ):
        today(date(2026, 10, 9))

        assert chosen(draft()) == {in_advance}

    def test_the_others_later(
        self, in_arrears, in_advance, shared, one_off, add_pool, add_charge, draft, chosen
    ):
        add_pool(shared)
        add_charge(one_off)

        assert chosen(draft()) == {in_arrears, in_advance, shared, one_off}

    def test_where_none_is_ready_the_first_says_why(self, in_arrears, shared, draft):
        with pytest.raises(PeriodNotOver):
            draft(month=date(2026, 11, 1))

    def test_a_chosen_one_that_is_not_ready_stops_all(self, in_arrears, shared, draft, database):
        with pytest.raises(PoolMissing):
            draft(fee_item_ids=[in_arrears, shared])

        assert database.value("SELECT count(*) FROM bill_batch") == 0

    def test_an_item_out_of_use_is_not_taken(self, in_arrears, in_advance, database, draft, chosen):
        database.do("UPDATE fee_item SET is_active = false WHERE id = :id", id=in_arrears)

        assert chosen(draft()) == {in_advance}
        with pytest.raises(NotFound):
            draft(fee_item_ids=[in_arrears])

    def test_an_item_of_elsewhere(self, database, in_arrears, draft):
        with database.session() as session:
            strange = factories.make_item(session).id

        with pytest.raises(NotFound):
            draft(fee_item_ids=[in_arrears, strange])

    def test_without_items(self, draft):
        with pytest.raises(InvalidInput, match="还没有收费项目"):
            draft()
