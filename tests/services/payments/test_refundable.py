"""What staff are shown of a payment before they ask to give some of it back."""

import pytest

from domain.errors import NotAllowed, NotFound


@pytest.fixture
def look(services, scene):
    return lambda number, actor=None, community_id=None: services.payment_refund_requests.look(
        actor=actor or scene.manager,
        community_id=community_id or scene.community_id,
        number=number,
    )


def shown(payment):
    return [(part.shown, part.amount_fen) for part in payment.parts]


def test_where_the_money_is_in_the_order_in_which_it_is_taken(
    look, take, add_bill, charge_late, database
):
    charge_late()
    add_bill(126000, days_late=47)
    receipt = take(130000)
    number = database.value("SELECT bill_no FROM bill")

    found = look(receipt.receipt_no)

    assert shown(found) == [
        ("预存余额", 1039),
        (f"账单 {number}滞纳金", 2961),
        (f"账单 {number}", 126000),
    ]
    assert found.refundable_fen == found.amount_fen == 130000


def test_by_the_order_number_or_the_channels(look, take, database):
    receipt = take(5000)
    [payment] = database.rows("SELECT out_trade_no, provider_transaction_id FROM payment")

    for number in (payment["out_trade_no"], payment["provider_transaction_id"]):
        assert look(number).payment_id == receipt.taken_id


def test_held_money_that_only_moved_is_none_to_give_back(
    services, scene, look, take, add_bill, database
):
    take(5000)
    add_bill(1000)
    services.prepaid_offsets.offset(actor=scene.manager, house_id=scene.house_id)
    number = database.value("SELECT out_trade_no FROM payment WHERE channel = 'prepaid'")

    assert look(number).refundable_fen == 0


def test_another_communitys_or_none(look, take):
    receipt = take(5000)

    with pytest.raises(NotFound):
        look(receipt.receipt_no, community_id=999)
    with pytest.raises(NotFound):
        look("nothing")


def test_whoever_may_not_ask_for_money(look, take, scene):
    receipt = take(5000)

    with pytest.raises(NotAllowed):
        look(receipt.receipt_no, actor=scene.cashier)
