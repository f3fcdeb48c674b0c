"""Bills of any house as staff see them."""

from datetime import date
from decimal import Decimal

import pytest

from domain.actors import Permission
from domain.errors import NotAllowed, NotFound
from domain.periods import Span
from tests.factories import actor_without

SEPTEMBER = date(2026, 9, 1)


@pytest.fixture
def house_id(make_houses):
    (house_id,) = make_houses("89.37")
    return house_id


@pytest.fixture
def published(house_id, make_item, approved, publish, bills):
    """September's bill of the house is published."""
    make_item()
    publish(approved(month=SEPTEMBER))
    return bills()[0]


class TestFind:
    @pytest.fixture
    def find(self, services, desk, published):
        def find(bill_no=published["bill_no"], actor=desk.maker, community_id=desk.community_id):
            return services.house_bills.find(
                actor=actor, community_id=community_id, bill_no=bill_no
            )

        return find

    def test_by_its_number(self, find, published):
        assert find() == published["id"]

    def test_a_number_that_is_not_there_is_named(self, find):
        with pytest.raises(NotFound, match="没有账单号为 XX1 的账单"):
            find("XX1")

    def test_a_bill_of_another_community(self, find, make_desk):
        with pytest.raises(NotFound):
            find(community_id=make_desk().community_id)

    def test_only_with_the_permission(self, find):
        with pytest.raises(NotAllowed):
            find(actor=actor_without(Permission.VIEW_HOUSE_MONEY))


class TestListBills:
    @pytest.fixture
    def listed(self, services, desk, house_id):
        def listed(house_id=house_id, actor=desk.maker):
            return services.house_bills.list_bills(actor=actor, house_id=house_id)

        return listed

    def test_a_bill_with_all_that_staff_ask_for(self, published, listed):
        [bill] = listed()

        assert (bill.id, bill.bill_no, bill.item) == (
            published["id"],
            published["bill_no"],
            "物业费",
        )
        assert bill.period == Span(SEPTEMBER, date(2026, 10, 1))
        assert (bill.state, bill.amount_fen, bill.paid_fen) == ("published", 21002, 0)
        assert (bill.due_date, bill.replaces_bill_no) == (published["due_date"], None)

    def test_newest_first_whatever_their_state(self, published, generated, listed):
        generated()

        assert [bill.state for bill in listed()] == ["pending_review", "published"]

    def test_a_bill_made_anew_names_the_voided_one(
        self, services, desk, published, generated, listed
    ):
        requests, decisions = services.money_requests, services.money_decisions
        request_id = requests.request_void(
            actor=desk.maker, bill_id=published["id"], reason="面积录错"
        )
        decisions.approve(actor=desk.reviewer, request_id=request_id, note="")

        generated(month=SEPTEMBER)

        new, old = listed()
        assert (new.replaces_bill_no, old.state) == (published["bill_no"], "voided")

    def test_only_of_the_house(self, published, make_houses, listed):
        (other,) = make_houses("1")

        assert listed(house_id=other) == []

    def test_only_with_the_permission(self, listed):
        with pytest.raises(NotAllowed):
            listed(actor=actor_without(Permission.VIEW_HOUSE_MONEY))


class TestExplain:
    def test_every_line_in_its_order(self, services, desk, house_id, make_item, generated, bills):
        make_item(price="1")
        services.houses.change_measure(
            actor=desk.maker,
            house_id=house_id,
            billing_area=Decimal(100),
            fee_coefficient=Decimal(1),
            holds_from=date(2026, 10, 17),
            reason="房产证更正",
        )
        generated()

        said = services.house_bills.explain(actor=desk.maker, bill_id=bills()[0]["id"])

        assert said == [
            "2026-10-01 ~ 2026-10-16：89.37 ㎡ × 1 元/㎡·月 × 16/31 个月 = 46.13 元",
            "2026-10-17 ~ 2026-10-31（面积变更）：100 ㎡ × 1 元/㎡·月 × 15/31 个月 = 48.39 元",
        ]

    def test_no_such_bill(self, services, desk):
        with pytest.raises(NotFound):
            services.house_bills.explain(actor=desk.maker, bill_id=404)

    def test_only_with_the_permission(self, services, published):
        with pytest.raises(NotAllowed):
            services.house_bills.explain(
                actor=actor_without(Permission.VIEW_HOUSE_MONEY), bill_id=published["id"]
            )
