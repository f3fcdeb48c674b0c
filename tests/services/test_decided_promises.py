"""What was decided, and every way to give, pay back or move money past a decision: each is seen."""

from datetime import UTC, date, datetime

import pytest

from domain.actors import Role
from domain.payment_states import PaymentChannel
from domain.shares import ShareBy
from services.approvals.requests import Payout
from services.fees.pools import NewPool
from services.payments.money_in import MoneyIn
from tests import factories

PAYOUT = Payout("cash", "陈建", "19900000001")
NOVEMBER = date(2026, 11, 1)
LINE = "INSERT INTO bill_line (bill_id, line_no, kind, amount_fen, trace)"
WAIVERS = "减免明细与批准的减免申请"
LATE_FEES = "减免的滞纳金 ="
REFUNDS = "退预存、退押金、批准的申请"
NOTES = "调整单与批准的账单调整申请"
APPLIED = "已用的调整单与有效账单"
CORRECTIONS = "预存的更正 ="
ENDED = "作废和核销的账单"
BALANCES = "每笔预存流水的余额"
POOLS = "已发布的公摊之和"
NUMBERS = "账单号连续无缺"


def forge_request(kind, bill_id=1, amount_fen=5):
    """Write the statement that puts an approved request on file which carried nothing out."""
    return (
        "INSERT INTO approval_request (community_id, kind, subject, house_id, bill_id, amount_fen,"
        " reason, facts, state, requested_by_staff_id, requested_at, decided_by_staff_id,"
        f" decided_at) SELECT community_id, '{kind}', 'x', house_id, {bill_id}, {amount_fen}, 'x',"
        " facts, state, requested_by_staff_id, now(), decided_by_staff_id, now()"
        " FROM approval_request WHERE state = 'approved' LIMIT 1"
    )


@pytest.fixture
def decided_story(services, database, clock):
    """One of everything that takes two: bills 1 to 4 are by hand, those of November generated."""
    clock.set(datetime(2026, 11, 20, 2, 0, tzinfo=UTC))
    with database.session() as session:
        community = factories.make_community(session)
        building = factories.make_building(session, community=community)
        house, _ = (factories.make_house(session, building=building) for _ in range(2))
        item = factories.make_item(session, community=community)
        shared = factories.make_item(
            session, community=community, name="公摊", charge_method="share", price=None
        )
        factories.make_late_fee_rule(session, item=item)
        old, given_up, wrong, older = (
            factories.make_bill(
                session,
                house=house,
                item=item,
                bill_no=f"OLD{month}",
                period_from=date(2026, month, 1),
                period_until=date(2026, month + 1, 1),
            ).id
            for month in (10, 9, 8, 7)
        )
        finance = factories.staff(session, Role.FINANCE)
        cashier = factories.staff(session, Role.CASHIER)
        manager = factories.staff(session, Role.MANAGER)

    def agree(kind, **asked):
        ask = getattr(services.money_requests, f"request_{kind}")
        request_id = ask(actor=finance, reason="业主申诉", **asked)
        services.money_decisions.approve(actor=manager, request_id=request_id)

    agree("waiver", bill_id=old, amount_fen=1000)
    agree("adjustment", bill_id=old, amount_fen=-15000)
    agree("adjustment", bill_id=older, amount_fen=-10000)
    agree("write_off", bill_id=given_up)
    agree("void", bill_id=wrong)
    clock.set(datetime(2026, 12, 11, 2, 0, tzinfo=UTC))
    agree("late_fee_waiver", bill_id=old, amount_fen=40)
    agree("late_fee_waiver", bill_id=old, amount_fen=2)
    services.share_pools.add(
        actor=manager,
        community_id=community.id,
        fee_item_id=shared.id,
        month=NOVEMBER,
        pool=NewPool(ShareBy.HOUSEHOLD, amount_fen=301),
    )
    batch_id = services.batches.draft(actor=finance, community_id=community.id, month=NOVEMBER)
    services.generation.generate(actor=finance, batch_id=batch_id)
    for one in services.bill_findings.list_findings(actor=manager, batch_id=batch_id):
        services.bill_findings.tick(
            actor=manager,
            batch_id=batch_id,
            kind=one.kind,
            fee_item_id=one.fee_item_id,
            row_count=one.row_count,
        )
    services.batches.approve(actor=manager, batch_id=batch_id)
    services.publication.publish(actor=manager, batch_id=batch_id)
    services.deposits.take(
        actor=cashier,
        community_id=community.id,
        house_id=house.id,
        name="装修押金",
        money=MoneyIn(PaymentChannel.CARD, 2000, "王五"),
        client_key="deposit-0001",
    )
    agree("prepaid_refund", account_id=1, amount_fen=900, payout=PAYOUT)
    agree("prepaid_refund", account_id=1, amount_fen=98, payout=PAYOUT)
    agree("deposit_return", deposit_id=1, amount_fen=1500, payout=PAYOUT)


def test_what_was_decided_keeps_every_promise(broken, decided_story, database):
    assert broken() == {}
    counts = database.rows(
        "SELECT (SELECT count(*) FROM approval_request) AS requests,"
        " (SELECT count(*) FROM bill_adjustment WHERE state = 'applied') AS notes,"
        " (SELECT sum(amount_fen)::bigint FROM prepaid_entry WHERE kind = 'correction') AS ahead,"
        " (SELECT count(*) FROM refund) AS refunds, (SELECT count(*) FROM bill) AS bills"
    )
    assert counts == [
        {"requests": 10, "notes": 2, "ahead": 25000 - 21002, "refunds": 3, "bills": 8}
    ]


@pytest.mark.breaks_promises
@pytest.mark.parametrize(
    ("title", "sql"),
    [
        (WAIVERS, "UPDATE bill_line SET amount_fen = amount_fen - 1 WHERE kind = 'waiver'"),
        (WAIVERS, "UPDATE bill_line SET bill_id = 2, line_no = 9 WHERE kind = 'waiver'"),
        (WAIVERS, "UPDATE bill_line SET trace = '{\"request_id\": \"x\"}' WHERE kind = 'waiver'"),
        (WAIVERS, "UPDATE bill_line SET trace = '{}' WHERE kind = 'waiver'"),
        (WAIVERS, "DELETE FROM bill_line WHERE kind = 'waiver'"),
        (WAIVERS, f"{LINE} VALUES (1, 9, 'waiver', -5, '{{}}')"),
        (WAIVERS, f"{LINE} SELECT 1, 9, kind, -5, trace FROM bill_line WHERE kind = 'waiver'"),
        (WAIVERS, f"{LINE} SELECT 2, 9, kind, -1000, trace FROM bill_line WHERE kind = 'waiver'"),
        (WAIVERS, "UPDATE approval_request SET state = 'rejected' WHERE kind = 'waiver'"),
        (WAIVERS, "UPDATE approval_request SET kind = 'write_off' WHERE kind = 'waiver'"),
        (WAIVERS, "UPDATE approval_request SET amount_fen = 999 WHERE kind = 'waiver'"),
        (WAIVERS, forge_request("waiver")),
        (LATE_FEES, "UPDATE bill_late_fee SET waived_fen = waived_fen + 1"),
        (LATE_FEES, "DELETE FROM bill_late_fee"),
        (LATE_FEES, "INSERT INTO bill_late_fee (bill_id, waived_fen) VALUES (4, 5)"),
        (LATE_FEES, "UPDATE approval_request SET state = 'rejected' WHERE amount_fen = 2"),
        (LATE_FEES, forge_request("late_fee_waiver", bill_id=4)),
        (REFUNDS, "DELETE FROM refund WHERE id = 3"),
        (REFUNDS, "UPDATE refund SET approval_request_id = 1 WHERE id = 1"),
        (REFUNDS, "UPDATE refund SET house_id = 2 WHERE id = 1"),
        (REFUNDS, "UPDATE refund SET amount_fen = 901 WHERE amount_fen = 900"),
        (REFUNDS, "DELETE FROM approval_request WHERE kind = 'deposit_return'"),
        (
            REFUNDS,
            "UPDATE approval_request SET state = 'rejected' WHERE kind = 'deposit_return'",
        ),
        (
            REFUNDS,
            "UPDATE approval_request SET kind = 'deposit_return' WHERE kind = 'prepaid_refund'",
        ),
        (REFUNDS, "UPDATE approval_request SET amount_fen = 901 WHERE amount_fen = 900"),
        (REFUNDS, forge_request("prepaid_refund")),
        (REFUNDS, forge_request("deposit_return")),
        (REFUNDS, "DELETE FROM prepaid_entry WHERE refund_id = 1"),
        (REFUNDS, "DELETE FROM deposit_entry WHERE refund_id = 3"),
        (REFUNDS, "UPDATE prepaid_entry SET refund_id = 2 WHERE refund_id = 1"),
        (
            REFUNDS,
            (
                "INSERT INTO deposit_entry (deposit_id, kind, amount_fen, refund_id, created_at)"
                " VALUES (1, 'return', 5, 404, now())"
            ),
        ),
        (
            REFUNDS,
            (
                "INSERT INTO deposit_entry (deposit_id, kind, amount_fen, refund_id, created_at)"
                " SELECT 1, 'return', amount_fen, refund_id, now() FROM deposit_entry"
                " WHERE kind = 'return'"
            ),
        ),
        (NOTES, "UPDATE bill_adjustment SET amount_fen = amount_fen - 1 WHERE id = 1"),
        (NOTES, "UPDATE bill_adjustment SET of_bill_id = 2 WHERE id = 1"),
        (NOTES, "UPDATE bill_adjustment SET house_id = 2 WHERE id = 1"),
        (NOTES, "UPDATE bill_adjustment SET approval_request_id = 404 WHERE id = 1"),
        (NOTES, "UPDATE bill_adjustment SET approval_request_id = 1 WHERE id = 1"),
        (NOTES, "UPDATE bill_adjustment SET approval_request_id = 2"),
        (NOTES, "DELETE FROM bill_adjustment WHERE id = 1"),
        (
            NOTES,
            (
                "INSERT INTO bill_adjustment (community_id, house_id, fee_item_id, of_bill_id,"
                " approval_request_id, amount_fen, reason, created_at)"
                " SELECT community_id, house_id, fee_item_id, of_bill_id, approval_request_id,"
                " amount_fen, reason, created_at FROM bill_adjustment WHERE id = 1"
            ),
        ),
        (NOTES, "UPDATE approval_request SET facts = '{}' WHERE kind = 'adjustment'"),
        (NOTES, "UPDATE approval_request SET state = 'rejected' WHERE kind = 'adjustment'"),
        (NOTES, forge_request("adjustment")),
        (APPLIED, "UPDATE bill_adjustment SET applied_bill_id = 1 WHERE id = 1"),
        (
            APPLIED,
            "UPDATE bill_adjustment SET state = 'open', applied_bill_id = NULL WHERE id = 1",
        ),
        (APPLIED, "DELETE FROM bill_adjustment WHERE id = 1"),
        (
            APPLIED,
            (
                "UPDATE bill SET state = 'voided'"
                " WHERE id = (SELECT min(applied_bill_id) FROM bill_adjustment)"
            ),
        ),
        (APPLIED, "UPDATE bill_adjustment SET fee_item_id = 404 WHERE id = 1"),
        (APPLIED, "DELETE FROM bill_line WHERE kind = 'adjustment' AND line_no = 2"),
        (APPLIED, f"{LINE} VALUES (1, 9, 'adjustment', -5, '{{}}')"),
        (
            APPLIED,
            (
                f"{LINE} SELECT bill_id, 9, kind, amount_fen, trace FROM bill_line"
                " WHERE kind = 'adjustment' AND line_no = 2"
            ),
        ),
        (APPLIED, "UPDATE bill_line SET amount_fen = amount_fen + 1 WHERE kind = 'adjustment'"),
        (APPLIED, "UPDATE bill_line SET trace = '{}' WHERE kind = 'adjustment'"),
        (
            APPLIED,
            (
                "UPDATE bill_line SET trace = (trace::jsonb || '{\"to_prepaid_fen\": 5}')::json"
                " WHERE kind = 'adjustment'"
            ),
        ),
        (CORRECTIONS, "UPDATE prepaid_entry SET amount_fen = 5 WHERE kind = 'correction'"),
        (CORRECTIONS, "DELETE FROM prepaid_entry WHERE kind = 'correction'"),
        (CORRECTIONS, "UPDATE prepaid_account SET fee_item_id = NULL"),
        (CORRECTIONS, "UPDATE prepaid_account SET house_id = 2"),
        (
            CORRECTIONS,
            (
                "INSERT INTO prepaid_entry (account_id, kind, amount_fen, balance_fen, created_at)"
                " VALUES (1, 'correction', 5, 5, now())"
            ),
        ),
        (BALANCES, "UPDATE prepaid_entry SET balance_fen = balance_fen + 1 WHERE id = 1"),
        (BALANCES, "UPDATE prepaid_entry SET balance_fen = balance_fen - 1 WHERE id = 2"),
        (BALANCES, "DELETE FROM prepaid_entry WHERE id = 2"),
        (ENDED, "UPDATE bill SET state = 'voided' WHERE id = 1"),
        (ENDED, "UPDATE bill SET state = 'written_off' WHERE id = 1"),
        (ENDED, "UPDATE bill SET state = 'published' WHERE state = 'voided'"),
        (ENDED, "UPDATE bill SET state = 'voided' WHERE state = 'written_off'"),
        (ENDED, "DELETE FROM bill WHERE state = 'written_off'"),
        (ENDED, "UPDATE approval_request SET state = 'rejected' WHERE kind = 'void'"),
        (ENDED, "DELETE FROM approval_request WHERE kind = 'write_off'"),
        (ENDED, forge_request("void")),
        (POOLS, "UPDATE share_pool SET amount_fen = 300"),
        (
            POOLS,
            "UPDATE bill_line SET amount_fen = amount_fen + 1 WHERE trace ->> 'method' = 'share'",
        ),
        (
            POOLS,
            "UPDATE bill_line SET trace = '{}' WHERE trace ->> 'method' = 'share'",
        ),
        (
            POOLS,
            (
                "DELETE FROM bill WHERE id = (SELECT min(bill_id) FROM bill_line"
                " WHERE trace ->> 'method' = 'share')"
            ),
        ),
        (NUMBERS, "DELETE FROM bill WHERE id = (SELECT max(id) FROM bill)"),
        (NUMBERS, "UPDATE bill SET bill_no = 'X' WHERE id = (SELECT max(id) FROM bill)"),
        (NUMBERS, "UPDATE number_series SET last_number = 3 WHERE series = 'bill:202611'"),
        (NUMBERS, "DELETE FROM number_series WHERE series = 'bill:202611'"),
    ],
)
def test_a_breach_is_seen_and_named(broken, decided_story, tamper, title, sql):
    tamper(sql)

    found = broken()

    assert any(promise.startswith(title) for promise in found), found
    assert all(rows for rows in found.values())


@pytest.mark.breaks_promises
def test_a_pool_waits_for_the_bill_that_replaces_a_voided_one(broken, decided_story, tamper):
    tamper(
        "UPDATE bill SET state = 'voided' WHERE id = (SELECT min(bill_id) FROM bill_line"
        " WHERE trace ->> 'method' = 'share')"
    )

    assert not any(title.startswith(POOLS) for title in broken())
