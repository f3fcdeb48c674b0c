"""Pools: what may be put on file, for which period, and when it can no longer be changed."""

import re
from datetime import date
from decimal import Decimal

import pytest

from domain.actors import Permission
from domain.cycles import BillingTiming, CycleAnchor
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.money import MAX_FEN
from domain.periods import Span
from domain.shares import ShareBy
from services.bills.gates import BatchDoesNotAddUp
from services.fees.pools import NewPool, PoolBilled, PoolExists
from tests.factories import actor_without

OCTOBER = date(2026, 10, 1)


@pytest.fixture
def item_id(add_item):
    return add_item("share")


@pytest.fixture
def add(services, desk, item_id):
    def add(share_by=ShareBy.AREA, item_id=item_id, month=OCTOBER, actor=desk.maker, **more):
        community_id = more.pop("community_id", desk.community_id)
        if "units" not in more:
            more.setdefault("amount_fen", 30000)
        return services.share_pools.add(
            actor=actor,
            community_id=community_id,
            fee_item_id=item_id,
            month=month,
            pool=NewPool(share_by, **more),
        )

    return add


@pytest.fixture
def cancel(services, desk):
    def cancel(pool_id, reason="录错", actor=desk.maker):
        services.share_pools.cancel(actor=actor, pool_id=pool_id, reason=reason)

    return cancel


@pytest.fixture
def pools(services, desk):
    return lambda: services.share_pools.list_pools(actor=desk.maker, community_id=desk.community_id)


class TestAdd:
    def test_an_amount(self, desk, item_id, add, pools, audit):
        pool_id = add(source_document=" 供电局 10 月账单 ")

        [pool] = pools()
        assert (pool.id, pool.fee_item_id, pool.item, pool.amount_fen) == (
            pool_id,
            item_id,
            "项目",
            30000,
        )
        assert pool.period == Span(date(2026, 10, 1), date(2026, 11, 1))
        assert (pool.share_by, pool.state) == (ShareBy.AREA, "open")
        assert pool.source_document == "供电局 10 月账单"
        assert audit("pool_added") == [
            {
                "period": "2026-10-01 ~ 2026-10-31",
                "amount_fen": 30000,
                "share_by": "area",
                "source_document": "供电局 10 月账单",
            }
        ]

    def test_units_times_a_price_are_rounded_half_up_once(self, add, pools, database):
        add(units=Decimal("100.5"), unit_price=Decimal("0.004975"))

        [pool] = pools()
        assert pool.amount_fen == 50
        row = database.rows("SELECT units, unit_price FROM share_pool")[0]
        assert tuple(row.values()) == (Decimal("100.5"), Decimal("0.004975"))

    def test_own_weights_and_buildings_are_kept(self, database, add, make_houses):
        first, second = make_houses("1", "2")
        building_id = database.value("SELECT DISTINCT building_id FROM house")

        add(
            ShareBy.CUSTOM,
            weights={second: Decimal("0.5"), first: Decimal(3)},
            building_ids=[building_id, building_id],
        )

        rows = database.rows("SELECT house_id, weight FROM share_pool_weight ORDER BY house_id")
        assert [tuple(row.values()) for row in rows] == [
            (first, Decimal(3)),
            (second, Decimal("0.5")),
        ]
        assert database.value("SELECT building_ids FROM share_pool") == [building_id]

    @pytest.mark.parametrize(
        ("timing", "month", "starts_on"),
        [
            (BillingTiming.IN_ARREARS, date(2026, 12, 24), date(2026, 10, 1)),
            (BillingTiming.IN_ADVANCE, date(2026, 10, 24), date(2026, 10, 1)),
        ],
    )
    def test_is_for_the_period_that_the_month_bills(
        self, add_item, add, pools, timing, month, starts_on
    ):
        item_id = add_item("share", code="GT", cycle_months=3, billing_timing=timing)

        add(item_id=item_id, month=month)

        assert pools()[0].period == Span(starts_on, date(2027, 1, 1))


class TestRefused:
    @pytest.mark.parametrize(
        ("more", "field"),
        [
            ({"amount_fen": None}, "amount_fen"),
            ({"amount_fen": 0}, "amount_fen"),
            ({"amount_fen": -1}, "amount_fen"),
            ({"amount_fen": MAX_FEN + 1}, "amount_fen"),
            ({"units": Decimal(1)}, "amount_fen"),
            ({"units": None, "unit_price": Decimal(1)}, "amount_fen"),
            ({"amount_fen": 5, "units": Decimal(1), "unit_price": Decimal(1)}, "amount_fen"),
            ({"amount_fen": 5, "units": Decimal(1)}, "amount_fen"),
            ({"units": Decimal(0), "unit_price": Decimal(1)}, "amount_fen"),
            ({"units": Decimal(1), "unit_price": Decimal(0)}, "amount_fen"),
            ({"units": Decimal(-1), "unit_price": Decimal(-1)}, "amount_fen"),
            ({"units": Decimal("NaN"), "unit_price": Decimal(1)}, "amount_fen"),
            ({"units": Decimal("0.00001"), "unit_price": Decimal(1000)}, "amount_fen"),
            ({"units": Decimal(1000), "unit_price": Decimal("0.0000001")}, "amount_fen"),
            ({"units": Decimal("0.0001"), "unit_price": Decimal("0.000001")}, "amount_fen"),
            ({"units": Decimal(10**8), "unit_price": Decimal(10**8)}, "amount_fen"),
            ({"share_by": ShareBy.CUSTOM}, "weights"),
            ({"weights": {1: Decimal(1)}}, "weights"),
            ({"share_by": ShareBy.CUSTOM, "weights": {1: Decimal(0)}}, "weights"),
            ({"share_by": ShareBy.CUSTOM, "weights": {1: Decimal(-1)}}, "weights"),
            ({"share_by": ShareBy.CUSTOM, "weights": {1: Decimal("NaN")}}, "weights"),
            ({"share_by": ShareBy.CUSTOM, "weights": {1: Decimal("0.00001")}}, "weights"),
            ({"source_document": "长" * 101}, "source_document"),
        ],
    )
    def test_what_cannot_be_shared_is_named(self, add, pools, more, field):
        with pytest.raises(InvalidInput) as refusal:
            add(**more)

        assert list(refusal.value.fields) == [field]
        assert re.search(r"[一-鿿]", refusal.value.fields[field][0])
        assert pools() == []

    def test_a_month_that_bills_nothing(self, add_item, add):
        item_id = add_item("share", code="GT", cycle_months=3)

        with pytest.raises(InvalidInput) as refusal:
            add(item_id=item_id)

        assert list(refusal.value.fields) == ["month"]

    def test_an_item_that_counts_from_the_handover(self, add_item, add):
        item_id = add_item("share", code="GT", cycle_anchor=CycleAnchor.ANNIVERSARY)

        with pytest.raises(InvalidInput, match="自然月"):
            add(item_id=item_id)

    def test_one_pool_per_period(self, add, pools):
        add()

        with pytest.raises(PoolExists):
            add(amount_fen=5)

        assert len(pools()) == 1

    def test_an_item_that_is_not_shared_or_not_theirs(self, add, add_item, elsewhere):
        other = add_item("area", "1", code="WY")

        for more in (
            {"item_id": other},
            {"item_id": 404},
            {"community_id": elsewhere.community_id},
        ):
            with pytest.raises(NotFound):
                add(**more)

    def test_houses_and_buildings_of_elsewhere(
        self, add, add_item, database, elsewhere, make_houses
    ):
        (house_id,) = make_houses("1")
        database.do(
            "INSERT INTO building (community_id, name) VALUES (:id, '别处')",
            id=elsewhere.community_id,
        )
        strange = database.value("SELECT id FROM building WHERE name = '别处'")

        with pytest.raises(NotFound, match="不属于这个小区"):
            add(building_ids=[strange])
        with pytest.raises(NotFound, match="不属于这个小区"):
            add(ShareBy.CUSTOM, weights={house_id: Decimal(1), 404: Decimal(1)})

    def test_only_with_the_permission(self, add, pools):
        with pytest.raises(NotAllowed):
            add(actor=actor_without(Permission.MANAGE_FEES))

        assert pools() == []


class TestCancel:
    def test_it_makes_room_for_another(self, add, cancel, pools, audit):
        cancel(add(), reason=" 录错 ")

        add(amount_fen=5)

        assert [(pool.amount_fen, pool.state) for pool in pools()] == [
            (5, "open"),
            (30000, "cancelled"),
        ]
        assert audit("pool_cancelled") == [{"reason": "录错"}]

    def test_it_is_cancelled_once(self, add, cancel):
        pool_id = add()
        cancel(pool_id)

        with pytest.raises(NotFound):
            cancel(pool_id)

    def test_no_such_pool(self, cancel):
        with pytest.raises(NotFound):
            cancel(404)

    def test_not_without_a_reason(self, add, cancel, pools):
        with pytest.raises(InvalidInput) as refusal:
            cancel(add(), reason=" ")

        assert list(refusal.value.fields) == ["reason"]
        assert pools()[0].state == "open"

    def test_a_pool_of_bills_under_review_may_go(self, add, make_houses, generated, cancel):
        make_houses("10")
        pool_id = add()
        generated()

        cancel(pool_id)

    def test_then_the_bills_of_the_old_pool_cannot_be_approved(
        self, add, make_houses, generated, cancel, approve
    ):
        """Neither without a pool nor with another one of the same amount."""
        make_houses("10")
        pool_id = add()
        batch_id = generated()
        cancel(pool_id)

        with pytest.raises(BatchDoesNotAddUp, match="公摊"):
            approve(batch_id)

        add(ShareBy.HOUSEHOLD)
        with pytest.raises(BatchDoesNotAddUp, match="公摊"):
            approve(batch_id)

    @pytest.mark.parametrize("is_published", [False, True])
    def test_not_once_its_bills_were_approved(
        self, add, make_houses, approved, publish, cancel, pools, is_published
    ):
        make_houses("10")
        pool_id = add()
        batch_id = approved()
        if is_published:
            publish(batch_id)

        with pytest.raises(PoolBilled):
            cancel(pool_id)
        with pytest.raises(PoolBilled):
            add(amount_fen=5)

        assert [pool.state for pool in pools()] == ["open"]

    def test_another_period_may_have_its_own(self, add, make_houses, approved, publish, pools):
        make_houses("10")
        add()
        publish(approved())

        add(month=date(2026, 11, 1))

        assert len(pools()) == 2

    def test_only_with_the_permission(self, add, cancel):
        with pytest.raises(NotAllowed):
            cancel(add(), actor=actor_without(Permission.MANAGE_FEES))


class TestListPools:
    def test_newest_period_first_and_only_of_the_community(self, add, pools, services, elsewhere):
        add(month=date(2026, 9, 1))
        add(month=date(2026, 11, 1))
        add(month=OCTOBER)

        assert [pool.period.starts_on.month for pool in pools()] == [11, 10, 9]
        assert (
            services.share_pools.list_pools(
                actor=elsewhere.maker, community_id=elsewhere.community_id
            )
            == []
        )

    def test_only_with_the_permission(self, services, desk):
        with pytest.raises(NotAllowed):
            services.share_pools.list_pools(
                actor=actor_without(Permission.VIEW_ESTATE), community_id=desk.community_id
            )
