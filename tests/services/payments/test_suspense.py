"""Money that fits nothing, and the people who place it."""

import pytest

from domain.errors import InvalidInput, NotAllowed, NotFound
from services.payments.suspense import LessInSuspense
from tests.factories import actor_without
from tests.services.payments.conftest import SYSTEM


@pytest.fixture
def unknown(start, trade_for, services):
    """222.02 for an order that we never made: of no community."""
    trade = trade_for(start(), out_trade_no="P0000000000000XXXXXXXXXXXX")
    services.settlement.settle(actor=SYSTEM, trade=trade)


@pytest.fixture
def listed(services, people, payer):
    return lambda: services.suspense.list_open(
        actor=people["finance"], community_id=payer.community_id
    )


@pytest.fixture
def place(services, people, payer):
    def place(suspense_id, amount_fen, **changes):
        services.suspense.to_prepaid(
            **{
                "actor": people["finance"],
                "community_id": payer.community_id,
                "suspense_id": suspense_id,
                "house_id": payer.house_id,
                "amount_fen": amount_fen,
                "note": "业主来电核实",
            }
            | changes
        )

    return place


@pytest.mark.usefixtures("unknown")
class TestToPrepaid:
    def test_is_listed_placed_and_gone(self, listed, place, database, audit):
        [one] = listed()
        assert (one.open_fen, one.reason_shown, one.is_of_no_community) == (
            22202,
            "没有对应的订单",
            True,
        )

        place(one.id, 22000)
        assert [left.open_fen for left in listed()] == [202]
        place(one.id, 202)

        assert listed() == []
        assert database.value("SELECT balance_fen FROM prepaid_account") == 22202
        assert audit().count("suspense_to_prepaid") == 2

    def test_never_more_than_is_there(self, listed, place, database):
        [one] = listed()
        place(one.id, 22000)

        with pytest.raises(LessInSuspense, match=r"¥2\.02"):
            place(one.id, 203)

        assert database.value("SELECT balance_fen FROM prepaid_account") == 22000

    def test_by_many_at_once_is_placed_once(self, listed, place, together, database):
        [one] = listed()

        results = together(*[lambda: place(one.id, 22202)] * 6)

        assert sum(isinstance(result, LessInSuspense) for result in results) == 5
        assert database.value("SELECT balance_fen FROM prepaid_account") == 22202

    def test_not_what_a_refund_will_take(self, listed, place, services, people, payer, database):
        [one] = listed()
        asked = services.payment_refund_requests.ask(
            actor=people["asker"],
            community_id=payer.community_id,
            payment_id=one.payment_id,
            amount_fen=22202,
            reason="退回付款人",
        )
        services.money_decisions.approve(actor=people["manager"], request_id=asked.request_id)

        with pytest.raises(LessInSuspense):
            place(one.id, 1)
        assert listed() == []

    def test_not_of_a_house_elsewhere(self, listed, place, make_payer):
        stranger = make_payer(100, phone="19900000055")
        [one] = listed()

        with pytest.raises(NotFound):
            place(one.id, 1, house_id=stranger.house_id)

    @pytest.mark.parametrize(
        "changes", [{"amount_fen": 0}, {"amount_fen": -1}, {"note": " "}, {"note": "x" * 201}]
    )
    def test_needs_an_amount_and_a_word_why(self, listed, place, changes):
        [one] = listed()

        with pytest.raises(InvalidInput):
            place(one.id, **({"amount_fen": 1} | changes))

    def test_not_without_the_permission(self, listed, place, services, payer):
        [one] = listed()

        with pytest.raises(NotAllowed):
            place(one.id, 1, actor=actor_without("move_prepaid"))
        with pytest.raises(NotAllowed):
            services.suspense.list_open(
                actor=actor_without("view_house_money"), community_id=payer.community_id
            )

    def test_not_of_another_community(
        self, place, services, database, start, trade_for, make_payer
    ):
        stranger = make_payer(100, phone="19900000055")
        trade = trade_for(start(key="key-00000002"), amount_fen=1, transaction_id="4200009")
        services.settlement.settle(actor=SYSTEM, trade=trade)
        suspense_id = database.value("SELECT max(id) FROM suspense")

        with pytest.raises(NotFound):
            place(suspense_id, 1, community_id=stranger.community_id, house_id=stranger.house_id)

    def test_no_such_money(self, place):
        with pytest.raises(NotFound):
            place(999999, 1)
