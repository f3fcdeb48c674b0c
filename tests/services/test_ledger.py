"""Every promise is seen to be broken when it is: each breach is made by hand, past the triggers."""

import pytest

from domain.actors import operator, visitor
from domain.errors import NotAllowed
from tests.services.payments.conftest import (  # noqa: F401 - the same story
    SYSTEM,
    bills,
    make_payer,
    payer,
    start,
    trade_for,
)


@pytest.fixture
def broken(services):
    """Titles of the promises that do not hold."""
    return lambda: {
        check.title: check.broken
        for check in services.ledger.verify(actor=operator())
        if not check.holds
    }


@pytest.fixture
def paid(services, start, trade_for):  # noqa: F811
    """A payment that was booked."""
    payment = start()
    services.settlement.settle(actor=SYSTEM, trade=trade_for(payment))
    return payment


@pytest.fixture
def tamper(test_engine):
    """Change rows as somebody with the database's password could, triggers off."""

    def tamper(sql):
        with test_engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            assert connection.exec_driver_sql(sql).rowcount

    return tamper


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
