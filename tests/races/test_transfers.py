"""A house is sold twice at once, or while its seller pays."""

from dataclasses import replace
from datetime import date

import pytest

from domain.errors import NotFound
from domain.payment_states import OrderState
from services.people.transfer_records import TransferHasConsequences
from services.people.transfer_rows import Buyer
from services.people.transfers import TransferOutdated, TransferPlan
from tests import factories

CUT = date(2026, 10, 15)


@pytest.fixture
def clerk(database, app):
    with database.session() as session:
        return factories.staff(session, role="customer_service")


@pytest.fixture
def sell(services, payer, clerk):
    """Sell the payer's house; the plan is made beforehand, as in a wizard that is open."""
    seen = services.transfers.preview(actor=clerk, house_id=payer.house_id, cut_on=CUT)
    plan = TransferPlan(
        payer.house_id, CUT, [Buyer(name="赵买", phone="18800000001")], seen.version
    )

    def sell(key="key-00000001", **changes):
        return services.transfers.carry_out(
            actor=clerk, plan=replace(plan, **changes), reason="买卖", client_key=key
        )

    return sell


class TestTwoTransfers:
    def test_one_wins(self, sell, together, database):
        results = together(
            *[
                lambda number=number: sell(
                    f"key-{number:08d}",
                    buyers=[Buyer(name=f"买家{number}", phone=f"1880000000{number}")],
                )
                for number in range(6)
            ]
        )

        assert sum(isinstance(result, int) for result in results) == 1
        assert sum(isinstance(result, TransferOutdated) for result in results) == 5
        assert database.value("SELECT count(*) FROM house_transfer") == 1
        assert database.value("SELECT count(*) FROM house_person WHERE person_until IS NULL") == 1

    def test_many_clicks_are_one(self, sell, together, database):
        results = together(*[sell] * 6)

        assert len(set(results)) == 1
        assert database.value("SELECT count(*) FROM house_transfer") == 1


class TestTransferWhilePaying:
    @pytest.fixture
    def begin(self, services, payer):
        def begin():
            return services.payments.start(
                actor=payer.actor, bill_ids=payer.bill_ids, idempotency_key="key-pay-0001"
            )

        return begin

    def test_an_open_payment_of_the_seller_is_booked(
        self, services, payer, sell, begin, simulator, clerk
    ):
        started = begin()
        seen = services.transfers.preview(actor=clerk, house_id=payer.house_id, cut_on=CUT)
        assert len(seen.warnings) == 2

        sell()
        ticket = started.ticket
        simulator.post(
            "pay_ticket",
            appId=ticket.appid,
            timeStamp=ticket.time_stamp,
            nonceStr=ticket.nonce_str,
            package=ticket.package,
            signType=ticket.sign_type,
            paySign=ticket.pay_sign,
        )
        view = services.payments.refresh(actor=payer.actor, payment_id=started.payment.id)

        assert view.state is OrderState.SUCCEEDED
        assert view.receipt_no

    def test_the_seller_may_begin_to_pay_after_it(self, sell, begin, database):
        sell()

        begin()

        assert database.value("SELECT count(*) FROM bill_lock") == 2

    def test_both_at_once_lose_nothing(self, sell, begin, together, database):
        results = together(sell, begin)

        assert not [result for result in results if isinstance(result, BaseException)]
        assert database.value("SELECT count(*) FROM transfer_debt") == 2
        assert database.value("SELECT count(*) FROM bill_lock") == 2

    def test_a_transfer_with_an_open_payment_is_not_undone(self, services, sell, begin, clerk):
        transfer_id = sell()
        begin()

        with pytest.raises(TransferHasConsequences):
            services.transfer_records.undo(actor=clerk, transfer_id=transfer_id, reason="x")

    def test_the_buyer_cannot_pay_the_sellers_debt(self, services, payer, sell, database):
        with database.session() as session:
            buyer = factories.owner(factories.make_account(session, phone="18800000001"))
        sell()

        with pytest.raises(NotFound):
            services.payments.start(
                actor=buyer, bill_ids=payer.bill_ids, idempotency_key="key-pay-0002"
            )
