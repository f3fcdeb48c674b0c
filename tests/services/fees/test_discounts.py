"""Discount rules: which are taken, for whom, until when, and in which order they are listed."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from domain.actors import Permission
from domain.discounts import DiscountKind, DiscountRule
from domain.errors import InvalidInput, NotAllowed, NotFound
from tests.factories import LONG_AGO, actor_without

FIVE_OFF = DiscountRule(
    id=0,
    name="九五折",
    kind=DiscountKind.PERCENTAGE,
    percent=Decimal(5),
    amount_fen=None,
    buy_months=None,
    free_months=None,
    early_days=None,
    priority=100,
    is_stackable=False,
    cap_fen=None,
    starts_on=LONG_AGO,
    ends_before=None,
)


@pytest.fixture
def item_id(add_item):
    return add_item("area", "1")


@pytest.fixture
def add(services, desk, item_id):
    def add(items=(item_id,), houses=None, actor=desk.maker, community_id=None, **changes):
        return services.discounts.add(
            actor=actor,
            community_id=community_id or desk.community_id,
            rule=replace(FIVE_OFF, **changes),
            fee_item_ids=items,
            house_ids=houses,
        )

    return add


@pytest.fixture
def stop(services, desk):
    def stop(rule_id, reason="活动结束", actor=desk.maker):
        services.discounts.stop(actor=actor, rule_id=rule_id, reason=reason)

    return stop


@pytest.fixture
def rules(services, desk):
    return lambda: services.discounts.list_rules(actor=desk.maker, community_id=desk.community_id)


class TestAdd:
    def test_it_is_kept_as_it_was_typed(self, add, rules, item_id, audit):
        rule_id = add(
            name=" 九五折 ",
            priority=7,
            is_stackable=True,
            cap_fen=5000,
            starts_on=date(2026, 1, 1),
            ends_before=date(2027, 1, 1),
        )

        [view] = rules()
        assert view.rule == replace(
            FIVE_OFF,
            id=rule_id,
            priority=7,
            is_stackable=True,
            cap_fen=5000,
            starts_on=date(2026, 1, 1),
            ends_before=date(2027, 1, 1),
        )
        assert (view.fee_item_ids, view.house_ids, view.is_active) == ((item_id,), None, True)
        assert audit("discount_added") == [
            {
                "name": "九五折",
                "kind": "percentage",
                "percent": "5",
                "amount_fen": None,
                "fee_item_ids": [item_id],
                "house_count": None,
            }
        ]

    @pytest.mark.parametrize(
        "changes",
        [
            {"kind": DiscountKind.VACANCY},
            {"kind": DiscountKind.EARLY_PAYMENT, "early_days": 30},
            {"kind": DiscountKind.FIXED, "percent": None, "amount_fen": 1000},
            {"kind": DiscountKind.FREE_MONTHS, "percent": None, "buy_months": 11, "free_months": 1},
        ],
    )
    def test_every_kind_is_kept(self, add, rules, changes):
        rule_id = add(**changes)

        assert rules()[0].rule == replace(FIVE_OFF, id=rule_id, **changes)

    def test_for_chosen_houses_and_several_items(self, add, add_item, rules, make_houses, item_id):
        chosen, _, also = make_houses("1", "2", "3")
        other = add_item("fixed", "80", code="CW")

        add(items=[other, item_id, other], houses=[also, chosen, also])

        [view] = rules()
        assert set(view.fee_item_ids) == {item_id, other}
        assert view.house_ids is not None
        assert set(view.house_ids) == {chosen, also}

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"name": " "}, "name"),
            ({"percent": None}, "percent"),
            ({"percent": Decimal(0)}, "percent"),
            ({"percent": Decimal(101)}, "percent"),
            ({"amount_fen": 5}, "amount_fen"),
            ({"priority": -1}, "priority"),
            ({"cap_fen": 0}, "cap_fen"),
            ({"ends_before": LONG_AGO}, "ends_before"),
            ({"items": []}, "fee_item_ids"),
            ({"houses": []}, "house_ids"),
        ],
    )
    def test_what_makes_no_sense_is_named(self, add, rules, changes, field):
        with pytest.raises(InvalidInput) as refusal:
            add(**changes)

        assert list(refusal.value.fields) == [field]
        assert rules() == []

    def test_what_is_of_elsewhere(self, add, rules, elsewhere, make_houses, item_id):
        (house_id,) = make_houses("1")

        for changes in (
            {"items": [404]},
            {"items": [item_id, 404]},
            {"houses": [house_id, 404]},
            {"community_id": elsewhere.community_id},
        ):
            with pytest.raises(NotFound, match="不属于这个小区"):
                add(**changes)
        assert rules() == []

    def test_only_with_the_permission(self, add, rules):
        with pytest.raises(NotAllowed):
            add(actor=actor_without(Permission.MANAGE_FEES))

        assert rules() == []


class TestStop:
    def test_bills_to_come_are_not_made_cheaper(
        self, add, stop, rules, make_houses, generated, bills, audit
    ):
        make_houses("100")
        stop(add(), reason=" 活动结束 ")

        generated()

        assert bills()[0]["amount_fen"] == 10000
        assert not rules()[0].is_active
        assert audit("discount_stopped") == [{"reason": "活动结束"}]

    def test_bills_that_have_it_keep_it(self, add, stop, make_houses, approved, publish, bills):
        make_houses("100")
        rule_id = add()
        publish(approved())

        stop(rule_id)

        assert bills()[0]["amount_fen"] == 9500

    def test_once(self, add, stop):
        rule_id = add()
        stop(rule_id)

        with pytest.raises(NotFound):
            stop(rule_id)

    def test_no_such_rule(self, stop):
        with pytest.raises(NotFound):
            stop(404)

    def test_not_without_a_reason(self, add, stop, rules):
        with pytest.raises(InvalidInput) as refusal:
            stop(add(), reason=" ")

        assert list(refusal.value.fields) == ["reason"]
        assert rules()[0].is_active

    def test_only_with_the_permission(self, add, stop):
        with pytest.raises(NotAllowed):
            stop(add(), actor=actor_without(Permission.MANAGE_FEES))


class TestListRules:
    def test_by_priority_and_stopped_ones_last(self, services, add, stop, rules, elsewhere):
        late = add(priority=200)
        stopped = add(priority=1)
        early = add(priority=5)
        stop(stopped)

        assert [view.rule.id for view in rules()] == [early, late, stopped]
        assert (
            services.discounts.list_rules(
                actor=elsewhere.maker, community_id=elsewhere.community_id
            )
            == []
        )

    def test_only_with_the_permission(self, services, desk):
        with pytest.raises(NotAllowed):
            services.discounts.list_rules(
                actor=actor_without(Permission.VIEW_ESTATE), community_id=desk.community_id
            )
