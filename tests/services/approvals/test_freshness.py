"""What gives money away asks for the password of the last ten minutes."""

from dataclasses import replace

import pytest

from domain.actors import ReauthenticationNeeded
from tests.services.approvals.conftest import PAYOUT

REQUESTS = {
    "request_waiver": {"bill_id": 1, "amount_fen": 1, "reason": "x"},
    "request_write_off": {"bill_id": 1, "reason": "x"},
    "request_void": {"bill_id": 1, "reason": "x"},
    "request_late_fee_waiver": {"bill_id": 1, "amount_fen": 1, "reason": "x"},
    "request_adjustment": {"bill_id": 1, "amount_fen": 1, "reason": "x"},
    "request_prepaid_refund": {"account_id": 1, "amount_fen": 1, "payout": PAYOUT, "reason": "x"},
    "request_deposit_return": {"deposit_id": 1, "amount_fen": 1, "payout": PAYOUT, "reason": "x"},
}


@pytest.fixture
def stale(scene):
    return replace(scene.manager, is_fresh=False)


@pytest.mark.parametrize("request_name", REQUESTS)
def test_asking(services, stale, database, request_name):
    ask = getattr(services.money_requests, request_name)

    with pytest.raises(ReauthenticationNeeded):
        ask(actor=stale, **REQUESTS[request_name])

    assert database.rows("SELECT * FROM approval_request") == []


def test_deciding(services, scene, ask, stale, database):
    request_id = ask("write_off")

    with pytest.raises(ReauthenticationNeeded):
        services.money_decisions.approve(actor=stale, request_id=request_id)
    with pytest.raises(ReauthenticationNeeded):
        services.money_decisions.reject(actor=stale, request_id=request_id, note="x")

    assert database.value("SELECT state FROM approval_request") == "requested"
    services.money_decisions.approve(actor=scene.manager, request_id=request_id)


def test_refunds_and_reversals(services, scene, stale):
    with pytest.raises(ReauthenticationNeeded):
        services.payment_refund_requests.ask(
            actor=stale,
            community_id=scene.community_id,
            payment_id=1,
            amount_fen=1,
            reason="x",
        )
    with pytest.raises(ReauthenticationNeeded):
        services.reversals.reverse(
            actor=stale, community_id=scene.community_id, receipt_no="x", reason="x"
        )
