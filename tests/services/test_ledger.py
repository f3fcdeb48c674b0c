"""Every promise is seen to be broken when it is: each breach is made by hand, past the triggers."""

import pytest

from domain.actors import visitor
from domain.errors import NotAllowed
from domain.payment_states import PaymentChannel
from services.payments.money_in import MoneyIn
from tests.services.payments.conftest import (  # noqa: F401 - the same story
    SYSTEM,
    bills,
    make_payer,
    payer,
    start,
    trade_for,
)


@pytest.fixture
def paid(services, start, trade_for):  # noqa: F811
    """A payment that was booked."""
    payment = start()
    services.settlement.settle(actor=SYSTEM, trade=trade_for(payment))
    return payment


class TestVerify:
    def test_an_empty_ledger_keeps_every_promise(self, broken, app):
        assert broken() == {}

    def test_a_booked_payment_keeps_every_promise(self, broken, paid):
        assert broken() == {}

    @pytest.mark.breaks_promises
    @pytest.mark.parametrize(
        ("sql", "title"),
        [
            ("UPDATE payment SET amount_fen = amount_fen + 1", "每笔收款 = 已入账 + 暂存"),
            ("DELETE FROM allocation WHERE line_no = 1 AND bill_id = 1", "每张账单的已缴金额"),
            (
                "UPDATE allocation SET amount_fen = amount_fen + 1 WHERE bill_id = 1",
                "每条明细的分配不超过",
            ),
            ("UPDATE bill SET state = 'published', paid_fen = 0 WHERE id = 1", "每张账单的已缴"),
            ("UPDATE bill SET state = 'written_off' WHERE id = 1", "已缴金额不小于 0"),
            ("DELETE FROM payment", "成功的订单都有收款"),
            ("UPDATE payment_order SET state = 'prepaying'", "成功的订单都有收款"),
            ("UPDATE receipt SET amount_fen = amount_fen - 1", "收据金额 = 该笔收款"),
            ("DELETE FROM receipt", "收据号连续无缺"),
            ("UPDATE bill_line SET amount_fen = amount_fen + 5 WHERE bill_id = 1", "每户每项每期"),
            ("UPDATE bill_batch SET amount_fen = amount_fen + 1", "批次合计 = 其有效账单"),
            ("UPDATE outbox_message SET attempts = 99", "每条消息都有归宿"),
            (
                (
                    "INSERT INTO suspense (payment_id, amount_fen, reason, created_at)"
                    " VALUES (1, 1, 'x', now())"
                ),
                "每笔暂存款都有待办",
            ),
        ],
    )
    def test_a_breach_is_seen_and_named(self, broken, paid, tamper, sql, title):
        tamper(sql)

        found = broken()

        assert any(promise.startswith(title) for promise in found), found
        assert all(rows for rows in found.values())

    @pytest.mark.breaks_promises
    def test_a_missing_trigger_is_seen(self, broken, database, app):
        database.do("ALTER TABLE audit_entry DISABLE TRIGGER append_only_audit_entry")
        try:
            assert broken() == {"审计与收付记录只增不改（触发器在位）": ("audit_entry",)}
        finally:
            database.do("ALTER TABLE audit_entry ENABLE TRIGGER append_only_audit_entry")

    def test_is_not_for_everybody(self, services):
        with pytest.raises(NotAllowed):
            services.ledger.verify(actor=visitor())


class TestHeldMoney:
    """Late fees, prepaid money, deposits: a scene with one of each, and every way to break it."""

    @pytest.fixture
    def moved(self, services, scene, take, add_bill, charge_late, database):
        charge_late()
        add_bill(126000, days_late=47)
        take(128000)
        other = add_bill(5000, days_late=-30)
        take(3000, named=[other])
        take(1000, named=[add_bill(700, days_late=-40)])
        services.prepaid_offsets.offset(actor=scene.manager, house_id=scene.house_id)
        services.deposits.take(
            actor=scene.cashier,
            community_id=scene.community_id,
            house_id=scene.house_id,
            name="装修押金",
            money=MoneyIn(PaymentChannel.CARD, 50000, "王五"),
            client_key="deposit-0001",
        )
        services.deposits.deduct(
            actor=scene.manager,
            deposit_id=1,
            bill_id=other,
            amount_fen=1000,
            reason="抵扣",
            client_key="deduct-0001",
        )

    def test_keeps_every_promise(self, broken, moved, database):
        assert broken() == {}
        assert database.value("SELECT count(*) FROM payment WHERE channel = 'prepaid'") == 1

    @pytest.mark.breaks_promises
    @pytest.mark.parametrize(
        ("sql", "title"),
        [
            ("UPDATE bill_late_fee SET paid_fen = paid_fen - 1", "每张账单的已缴滞纳金"),
            ("DELETE FROM bill_late_fee", "每张账单的已缴滞纳金"),
            (
                "UPDATE bill_late_fee SET frozen_fen = NULL, frozen_on = NULL, trace = NULL",
                "已缴滞纳金不超过",
            ),
            (
                (
                    "UPDATE prepaid_account SET balance_fen = balance_fen + 1"
                    " WHERE balance_fen = (SELECT max(balance_fen) FROM prepaid_account)"
                ),
                "预存余额",
            ),
            ("UPDATE prepaid_entry SET balance_fen = balance_fen + 1", "预存余额"),
            ("UPDATE prepaid_entry SET amount_fen = -1 WHERE kind = 'offset'", "每笔预存抵扣"),
            ("DELETE FROM prepaid_entry WHERE kind = 'offset'", "每笔预存抵扣"),
            ("DELETE FROM prepaid_entry WHERE kind = 'topup'", "每笔收款 = 已入账"),
            ("DELETE FROM deposit_entry WHERE kind = 'deduct'", "押金 = 收取"),
            ("UPDATE deposit SET returned_fen = 5", "押金 = 收取"),
            ("DELETE FROM deposit_entry WHERE kind = 'take'", "每笔收款 = 已入账"),
            (
                "UPDATE payment SET taken_by_staff_id = NULL WHERE channel = 'cash'",
                "每笔柜台收款",
            ),
            ("UPDATE idempotency_key SET payment_id = NULL", "每笔柜台收款"),
            ("DELETE FROM receipt WHERE id = 1", "每笔入账的收款都有收据"),
            ("UPDATE payment SET channel = 'prepaid' WHERE channel = 'card'", "每笔入账的收款"),
            (
                (
                    "INSERT INTO refund (community_id, house_id, approval_request_id, refund_no,"
                    " kind, state, channel, amount_fen, payee_name, payee_phone, created_at,"
                    " refunded_at) VALUES (1, 1, 1, 'R1', 'prepaid', 'succeeded', 'cash', 5,"
                    " '王五', '', now(), now())"
                ),
                "每笔退预存",
            ),
            (
                "UPDATE bill SET state = 'written_off' WHERE state = 'paid'",
                "已缴金额不小于 0",
            ),
            ("UPDATE bill SET state = 'voided' WHERE state = 'paid'", "已缴金额不小于 0"),
        ],
    )
    def test_a_breach_is_seen_and_named(self, broken, moved, tamper, sql, title):
        tamper(sql)

        found = broken()

        assert any(promise.startswith(title) for promise in found), found

    @pytest.mark.breaks_promises
    def test_half_a_transfer_is_seen(self, broken, moved, tamper):
        tamper(
            "INSERT INTO prepaid_entry (account_id, kind, amount_fen, balance_fen,"
            " other_account_id, created_at) VALUES (1, 'transfer', 5, 5, 1, now())"
        )

        assert any(title.startswith("每次预存转移") for title in broken())


@pytest.mark.breaks_promises
def test_an_order_of_another_sum_is_seen(broken, paid, tamper):
    tamper("UPDATE payment_order SET amount_fen = amount_fen + 1")

    assert "订单金额 = 各账单本金 + 滞纳金 + 预存" in broken()
