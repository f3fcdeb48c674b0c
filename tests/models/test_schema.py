"""What the database itself refuses, whatever the program does."""

import threading

import pytest
from psycopg.errors import ForeignKeyViolation, IntegrityConstraintViolation
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from tests import factories

APPEND_ONLY = (
    "audit_entry",
    "allocation",
    "payment",
    "receipt",
    "bill_line",
    "suspense",
    "prepaid_entry",
    "deposit_entry",
    "refund",
    "channel_call",
    "receipt_mark",
    "refund_part",
    "shift_count",
    "suspense_resolution",
    "phone_reveal",
    "audit_link",
    "consent",
    "equipment_state_change",
    "maintenance_task_event",
    "repair_event",
    "repair_rating",
    "repair_follow_up",
)
OTHERS = (
    (
        "INSERT INTO audit_entry (at, actor_kind, actor_name, action, subject_type, facts,"
        " request_id) VALUES (now(), 'system', '测试', 'x', 'x', '{}', '')"
    ),
    ("INSERT INTO audit_link SELECT 1, min(id), repeat('0', 64), now() FROM audit_entry"),
    (
        "INSERT INTO payment_order (community_id, account_id, channel, mchid, appid, openid,"
        " out_trade_no, description, state, amount_fen, created_at, expires_at, query_at)"
        " SELECT community_id, account.id, 'wechat', 'm', 'a', 'o', 'P1', 'x', 'succeeded', 21002,"
        " now(), now(), now() FROM house, account"
    ),
    (
        "INSERT INTO payment (order_id, channel, mchid, provider_transaction_id, out_trade_no,"
        " amount_fen, paid_at, booked_at)"
        " SELECT id, 'wechat', 'm', 't1', 'P1', 21002, now(), now() FROM payment_order"
    ),
    (
        "INSERT INTO payment (channel, mchid, provider_transaction_id, out_trade_no, amount_fen,"
        " paid_at, booked_at) VALUES ('wechat', 'm', 't2', 'P2', 5, now(), now())"
    ),
    (
        "INSERT INTO allocation (payment_id, bill_id, line_no, kind, amount_fen, created_at)"
        " SELECT payment.id, bill.id, 1, 'principal', 21002, now() FROM bill, payment"
        " WHERE out_trade_no = 'P1'"
    ),
    (
        "INSERT INTO receipt (community_id, payment_id, receipt_no, amount_fen, snapshot,"
        " issued_at) SELECT house.community_id, payment.id, 'CH-1', 21002, '{}', now()"
        " FROM house, payment WHERE out_trade_no = 'P1'"
    ),
    (
        "INSERT INTO suspense (payment_id, amount_fen, reason, created_at)"
        " SELECT id, 5, 'x', now() FROM payment WHERE out_trade_no = 'P2'"
    ),
    (
        "INSERT INTO idempotency_key (subject, action, key, body_sha256, created_at)"
        " VALUES ('account 1', 'pay', 'key', '', now())"
    ),
    (
        "INSERT INTO platform_notice (source, received_at, remote_ip, headers, body, body_size,"
        " body_sha256, verdict, dedup_key, request_id)"
        " VALUES ('wechat_pay', now(), '', '{}', 'x', 1, '', 'taken', 'one', '')"
    ),
    "INSERT INTO staff_task (kind, subject, title, created_at) VALUES ('k', 's', 't', now())",
    (
        "INSERT INTO outbox_message (kind, channel, recipient, payload, dedup_key, state,"
        " next_attempt_at, created_at) VALUES ('login_code', 'sms', 'x', '{}', 'k', 'sent', now(),"
        " now())"
    ),
    (
        "INSERT INTO login_code (phone, purpose, code_hmac, ip, tries_left, created_at, expires_at)"
        " VALUES ('19900000001', 'sign_in', '', '', 5, now(), now())"
    ),
    (
        "INSERT INTO session_token (token_sha256, account_id, created_at, expires_at)"
        " SELECT 'x', id, now(), now() FROM account"
    ),
    (
        "INSERT INTO import_batch (community_id, sheet, file_name, file_sha256, state, rows_total,"
        " created_at) SELECT id, '', '', '', 'finished', 0, now() FROM community"
    ),
    "INSERT INTO import_file (batch_id, content) SELECT id, 'x' FROM import_batch",
    "INSERT INTO channel_pause VALUES ('sms', now(), '')",
    "INSERT INTO building_unit (building_id, unit_no) SELECT min(id), '1' FROM building",
    (
        "INSERT INTO parking_space (community_id, space_no, right_kind, created_at)"
        " SELECT id, 'B1-001', 'owned', now() FROM community"
    ),
    (
        "INSERT INTO car (community_id, plate_no, created_at)"
        " SELECT id, '粤B96741', now() FROM community"
    ),
    (
        "INSERT INTO staff_scope (staff_id, community_id)"
        " SELECT min(staff.id), community.id FROM staff, community GROUP BY community.id"
    ),
    (
        "INSERT INTO occupancy (house_id, state, occupied_from)"
        " SELECT id, 'occupied', '2020-01-01' FROM house"
    ),
    (
        "INSERT INTO house_measure (house_id, measured_until, billing_area, fee_coefficient)"
        " SELECT id, '2026-01-01', 80, 1 FROM house"
    ),
    (
        "INSERT INTO staff (login_name, name, role, created_at)"
        " VALUES ('other', '另一位', 'finance', now())"
    ),
    (
        "INSERT INTO equipment (community_id, building_id, code, asset_no, name, category,"
        " warranty_until, created_at) SELECT community_id, id, '23456789ABCD', 'DT-1', '1号电梯',"
        " 'lift', '2020-01-01', now() FROM building"
        " ORDER BY id LIMIT 1"
    ),
    (
        "INSERT INTO equipment_state_change (equipment_id, from_state, to_state, changed_on,"
        " reason, at) SELECT id, '', 'in_use', '2026-01-01', '登记', now() FROM equipment"
    ),
    (
        "INSERT INTO equipment_document (equipment_id, doc_type, title, version, at)"
        " SELECT id, 'manual', 'x', 1, now() FROM equipment"
    ),
    (
        "INSERT INTO maintenance_template (community_id, code, name, category, kind, every, unit,"
        " checklist, created_at) SELECT community_id, 'T', 'x', 'lift', 'routine', 1, 'month',"
        " '[]', now() FROM equipment"
    ),
    (
        "INSERT INTO maintenance_plan (community_id, name, kind, basis, every, unit, starts_on,"
        " counts_from, lead_days, window_days, checklist, created_by, created_at)"
        " SELECT community_id, 'x', 'routine', 'fixed_calendar', 1, 'month', '2026-01-01',"
        " '2026-01-01', 3, 0, '[]', (SELECT min(id) FROM staff), now() FROM equipment"
    ),
    (
        "INSERT INTO maintenance_plan_equipment (plan_id, equipment_id, counts_from)"
        " SELECT maintenance_plan.id, equipment.id, '2026-01-01' FROM maintenance_plan, equipment"
    ),
    (
        "INSERT INTO maintenance_task (plan_id, equipment_id, community_id, due_on, name, kind,"
        " checklist, lead_days, window_days, assignee_role, created_at)"
        " SELECT maintenance_plan.id, equipment.id, equipment.community_id, '2026-01-01', 'x',"
        " 'routine', '[]', 3, 0, 'engineer', now() FROM maintenance_plan, equipment"
    ),
    (
        "INSERT INTO maintenance_task_event (task_id, act, from_state, to_state, at)"
        " SELECT id, 'remind', 'scheduled', 'reminded', now() FROM maintenance_task"
    ),
    (
        "INSERT INTO maintenance_result (task_id, item_key, title, verdict)"
        " SELECT id, 'i1', 'x', 'normal' FROM maintenance_task"
    ),
    "UPDATE account SET login_name = 'yezhu'",
    (
        "INSERT INTO staff_session (staff_id, token_sha256, device, ip, is_remembered, created_at,"
        " seen_at, expires_at, reauthenticated_at)"
        " SELECT max(id), 'x', '', '', false, now(), now(), now(), now() FROM staff"
    ),
    (
        "INSERT INTO sign_in_attempt (door, login_hmac, ip, device_sha256, at, outcome, is_known)"
        " VALUES ('staff', 'x', '', '', now(), 'failed', false)"
    ),
    (
        "INSERT INTO password_reset (staff_id, login_hmac, ip, token_sha256, created_at,"
        " expires_at) VALUES (NULL, 'x', '', 'x', now(), now())"
    ),
    ("INSERT INTO recovery_code (staff_id, code_hmac) SELECT max(id), 'x' FROM staff"),
    (
        "INSERT INTO role_grant (staff_id, role, state, opens_account, requested_by_staff_id,"
        " requested_at) SELECT min(id), 'finance', 'requested', false, min(id), now() FROM staff"
    ),
    (
        "INSERT INTO staff_token (staff_id, name, token_sha256, created_at)"
        " SELECT id, 't', 'x', now() FROM staff WHERE login_name = 'other'"
    ),
    (
        "INSERT INTO payment_order_bill (order_id, bill_id, amount_fen)"
        " SELECT payment_order.id, bill.id, 21002 FROM payment_order, bill"
    ),
    (
        "INSERT INTO meter (community_id, house_id, meter_no, kind, opening_reading, opened_on,"
        " created_at) SELECT community_id, id, 'W1', 'cold_water', 0, '2020-01-01', now()"
        " FROM house"
    ),
    (
        "INSERT INTO meter_reading (meter_id, read_on, reading, source, created_at)"
        " SELECT id, '2026-10-31', 5, 'manual', now() FROM meter"
    ),
    (
        "INSERT INTO share_pool (community_id, fee_item_id, period_from, period_until, amount_fen,"
        " share_by, created_at)"
        " SELECT community_id, id, '2026-10-01', '2026-11-01', 300, 'custom', now() FROM fee_item"
    ),
    (
        "INSERT INTO share_pool_weight (pool_id, house_id, weight)"
        " SELECT share_pool.id, house.id, 1 FROM share_pool, house"
    ),
    (
        "INSERT INTO one_off_charge (community_id, house_id, fee_item_id, charged_on, sequence,"
        " amount_fen, source_document, created_at)"
        " SELECT house.community_id, house.id, fee_item.id, '2026-10-09', 1, 500, 'BX1', now()"
        " FROM house, fee_item"
    ),
    (
        "INSERT INTO discount_rule (community_id, name, kind, percent, starts_on, created_at)"
        " SELECT id, '优惠', 'percentage', 5, '2020-01-01', now() FROM community"
    ),
    (
        "INSERT INTO late_fee_rule (fee_item_id, daily_rate, starts_on, created_at)"
        " SELECT id, 0.0005, '2020-01-01', now() FROM fee_item"
    ),
    (
        "INSERT INTO late_fee_pause (community_id, paused_from, paused_until, reason, created_at)"
        " SELECT id, '2026-02-15', '2026-02-23', '春节', now() FROM community"
    ),
    (
        "INSERT INTO bill_late_fee (bill_id, paid_fen, waived_fen, frozen_fen, frozen_on, trace)"
        " SELECT id, 5, 0, 10, '2026-12-24', '{}' FROM bill"
    ),
    (
        "INSERT INTO approval_request (community_id, kind, subject, house_id, amount_fen, reason,"
        " state, requested_by_staff_id, requested_at)"
        " SELECT house.community_id, 'void', 'bill:1', house.id, 5, 'x', 'requested',"
        " min(staff.id), now() FROM house, staff GROUP BY house.id"
    ),
    (
        "INSERT INTO approval_request (community_id, kind, subject, house_id, amount_fen, reason,"
        " state, requested_by_staff_id, requested_at, decided_by_staff_id, decided_at)"
        " SELECT house.community_id, 'prepaid_refund', 'account:1', house.id, 5, 'x', 'approved',"
        " min(staff.id), now(), max(staff.id), now() FROM house, staff GROUP BY house.id"
    ),
    (
        "INSERT INTO bill_adjustment (community_id, house_id, fee_item_id, of_bill_id,"
        " approval_request_id, amount_fen, reason, created_at)"
        " SELECT bill.community_id, house_id, fee_item_id, bill.id, approval.id, -5, 'x', now()"
        " FROM bill, (SELECT min(id) AS id FROM approval_request) approval"
    ),
    ("INSERT INTO prepaid_account (community_id, house_id) SELECT community_id, id FROM house"),
    (
        "INSERT INTO prepaid_entry (account_id, kind, amount_fen, balance_fen, payment_id,"
        " created_at) SELECT prepaid_account.id, 'topup', 5, 5, payment.id, now()"
        " FROM prepaid_account, payment WHERE out_trade_no = 'P2'"
    ),
    (
        "INSERT INTO refund (community_id, house_id, approval_request_id, refund_no, kind, state,"
        " channel, amount_fen, payee_name, payee_phone, created_at, refunded_at)"
        " SELECT community_id, house_id, id, 'R1', 'prepaid', 'succeeded', 'cash', 5, '王五',"
        " '19900000001', now(), now() FROM approval_request WHERE state = 'approved'"
    ),
    (
        "INSERT INTO deposit (community_id, house_id, name, payer_name, amount_fen, created_at)"
        " SELECT community_id, id, '装修押金', '王五', 9, now() FROM house"
    ),
    (
        "INSERT INTO deposit_entry (deposit_id, kind, amount_fen, payment_id, created_at)"
        " SELECT deposit.id, 'take', 9, payment.id, now() FROM deposit, payment"
        " WHERE out_trade_no = 'P2'"
    ),
    (
        "INSERT INTO refund (community_id, refund_no, kind, state, payment_id, channel, amount_fen,"
        " created_at, query_at) SELECT community_id, 'R2', 'payment', 'processing', id, 'wechat',"
        " 5, now(), now() FROM payment WHERE out_trade_no = 'P2'"
    ),
    (
        "INSERT INTO refund_part (refund_id, part_no, source, amount_fen, suspense_id)"
        " SELECT refund.id, 1, 'suspense', 5, suspense.id FROM refund, suspense"
        " WHERE refund_no = 'R2'"
    ),
    (
        "INSERT INTO suspense_resolution (suspense_id, kind, amount_fen, account_id, created_at)"
        " SELECT suspense.id, 'prepaid', 1, prepaid_account.id, now()"
        " FROM suspense, prepaid_account"
    ),
    (
        "INSERT INTO receipt_mark (receipt_id, kind, staff_id, created_at)"
        " SELECT receipt.id, 'printed', min(staff.id), now() FROM receipt, staff"
        " GROUP BY receipt.id"
    ),
    (
        "INSERT INTO channel_call (order_id, what, outcome, took_ms, at)"
        " SELECT id, 'open', 'ok', 5, now() FROM payment_order"
    ),
    (
        "INSERT INTO pay_code (community_id, house_id, version, token_sha256, created_at)"
        " SELECT community_id, id, 1, 'x', now() FROM house"
    ),
    "INSERT INTO community_merchant SELECT id, 'wechat', 'm', now() FROM community",
    (
        "INSERT INTO cashier_shift (community_id, staff_id, opened_at)"
        " SELECT community.id, min(staff.id), now() FROM community, staff GROUP BY community.id"
    ),
    "INSERT INTO shift_count SELECT id, 'cash', 5, 5 FROM cashier_shift",
    (
        "INSERT INTO reconciliation_run (channel, mchid, day, state, started_at)"
        " VALUES ('wechat', 'm', '2026-11-24', 'failed', now())"
    ),
    (
        "INSERT INTO reconciliation_case (run_id, kind, key, state, opened_at)"
        " SELECT id, 'amount', 'P1', 'open', now() FROM reconciliation_run"
    ),
    (
        "INSERT INTO phone_reveal (owner_id, who, reason, at)"
        " SELECT id, '员工', '核实', now() FROM owner"
    ),
    (
        "INSERT INTO binding_application (account_id, community_id, house_text, name, role, proof,"
        " state, created_at) SELECT account.id, community.id, '1栋101', '王五', 'owner', 'x',"
        " 'pending', now() FROM account, community"
    ),
    (
        "INSERT INTO house_invitation (house_id, invited_by_account_id, phone, name, role,"
        " token_sha256, state, created_at, expires_at) SELECT house.id, account.id, '19900000009',"
        " '家人', 'family', 'x', 'open', now(), now() FROM house, account"
    ),
    (
        "INSERT INTO house_transfer (community_id, house_id, cut_on, unpaid, prepaid, reason, done,"
        " key_id, made_by_staff_id, made_at) SELECT house.community_id, house.id, '2026-10-15',"
        " 'seller', 'stays', 'x', '{}', min(idempotency_key.id), min(staff.id), now()"
        " FROM house, idempotency_key, staff GROUP BY house.id"
    ),
    (
        "INSERT INTO transfer_party (transfer_id, owner_id, side)"
        " SELECT house_transfer.id, owner.id, 'seller' FROM house_transfer, owner"
    ),
    (
        "INSERT INTO transfer_share SELECT house_transfer.id, bill.id, 21002, 14, 17, 9485, 11517"
        " FROM house_transfer, bill"
    ),
    (
        "INSERT INTO consent (account_id, kind, act, version, channel, at)"
        " SELECT id, 'privacy_policy', 'given', '1', 'web', now() FROM account"
    ),
    (
        "INSERT INTO privacy_export (account_id, state, asked_at)"
        " SELECT id, 'asked', now() FROM account"
    ),
    (
        "INSERT INTO account_deletion (account_id, state, asked_at, due_at)"
        " SELECT id, 'cooling', now(), now() + interval '7 days' FROM account"
    ),
    (
        "INSERT INTO stored_file (kind, key, small_key, content_type, size, sha256, account_id,"
        " created_at) SELECT 'photo', 'k', 's', 'image/jpeg', 1, 'x', id, now() FROM account"
    ),
    (
        "INSERT INTO message_setting (community_id, kind, uses_wechat, uses_sms)"
        " SELECT min(id), 'notice', true, false FROM community"
    ),
    (
        "INSERT INTO subscribe_quota (identity_id, template_id, changed_at)"
        " SELECT min(id), 't', now() FROM wechat_identity"
    ),
    (
        "INSERT INTO notice (community_id, title, body, is_pinned, state, written_by_staff_id,"
        " written_at, published_at) SELECT (SELECT min(id) FROM community), '停水', '明天停水',"
        " false, 'published', min(id), now(), now() FROM staff"
    ),
    "INSERT INTO transfer_debt SELECT bill.id, house_transfer.id FROM bill, house_transfer",
    (
        "INSERT INTO repair_incident (community_id, building_id, category, title, "
        "opened_by_staff_id, opened_at) SELECT community_id, building_id, 'water', '停水', "
        "(SELECT min(id) FROM staff), now() FROM house"
    ),
    (
        "INSERT INTO repair_order (community_id, repair_no, house_id, building_id, "
        "category, priority, source, description, contact_name, contact_phone, "
        "reporter_account_id, state, incident_id, key_id, one_off_charge_id,"
        " opened_at, opened_on, clock_from_at, "
        "response_due_at, arrive_due_at, finish_due_at, warn_due_at) SELECT community_id,"
        " 'BX202611240001', house.id, building_id, 'water', 'normal', 'owner', '漏水', '王',"
        " '19900000034', account.id, 'pending_dispatch', (SELECT min(id) FROM "
        "repair_incident), (SELECT min(id) FROM idempotency_key),"
        " (SELECT min(id) FROM one_off_charge), now(), '2026-11-24',"
        " now(), now(), now(), now(), now() FROM "
        "house, account"
    ),
    (
        "INSERT INTO repair_event (repair_id, at, act, to_state, actor_kind, actor_name) "
        "SELECT id, now(), 'open', 'submitted', 'owner', 'x' FROM repair_order"
    ),
    (
        "INSERT INTO repair_pause (repair_id, reason, started_at) SELECT id, 'parts', "
        "'2026-11-01T00:00Z' FROM repair_order"
    ),
    (
        "INSERT INTO repair_part (repair_id, name, quantity, unit_price_fen, amount_fen, "
        "added_at) SELECT id, '阀芯', 1, 1, 1, now() FROM repair_order"
    ),
    (
        "INSERT INTO repair_quote (repair_id, amount_fen, note, state, made_by_staff_id, "
        "made_at) SELECT id, 1, 'x', 'pending', (SELECT min(id) FROM staff), now() FROM "
        "repair_order"
    ),
    (
        "INSERT INTO repair_rating (repair_id, score, account_id, at) SELECT id, 5, "
        "reporter_account_id, now() FROM repair_order"
    ),
    (
        "INSERT INTO repair_follow_up (repair_id, is_satisfied, note, staff_id, at) "
        "SELECT id, true, 'x', (SELECT min(id) FROM staff), now() FROM repair_order"
    ),
    ("INSERT INTO repair_rule (community_id) SELECT community_id FROM house"),
    (
        "INSERT INTO repair_sla (community_id, priority, response_minutes, "
        "arrive_minutes, finish_minutes) SELECT community_id, 'normal', 1, 2, 3 FROM "
        "house"
    ),
    ("INSERT INTO staff_skill (staff_id, category) SELECT min(id), 'water' FROM staff"),
    (
        "INSERT INTO staff_duty (staff_id, weekday, from_minute, until_minute) SELECT "
        "min(id), 0, 0, 10 FROM staff"
    ),
)


@pytest.fixture
def world(database):
    """One row of everything, all of it fine."""
    with database.session() as session:
        house = factories.make_house(session)
        owner = factories.make_owner(session, house=house)
        account = factories.make_account(session, owner=owner, houses=[house])
        factories.make_identity(session, account=account, appid="wx1")
        factories.make_bill(session, house=house, state="paid", paid_fen=21002)
        for sql in OTHERS:
            session.execute(text(sql))
    return database


@pytest.fixture
def copy(world):
    """Insert a copy of a table's first row with some columns replaced by SQL expressions."""

    def copy(table, **changes):
        columns = [
            row["column_name"]
            for row in world.rows(
                "SELECT column_name FROM information_schema.columns WHERE table_name = :table"
                " AND table_schema = 'public' AND column_name <> 'id'"
                " AND is_generated = 'NEVER'",
                table=table,
            )
        ]
        values = ", ".join(str(changes.get(column, column)) for column in columns)
        return world.do(
            f"INSERT INTO {table} ({', '.join(columns)})"
            f" SELECT {values} FROM {table} ORDER BY {columns[0]} LIMIT 1"
        )

    return copy


COPY_LINES = "COPY bill_line (bill_id, line_no, amount_fen, trace) FROM STDIN"
UNKNOWN = "'unheard_of'"
ASKED = {
    "kind": "'void'",
    "subject": "'bill:1'",
    "state": "'requested'",
    "decided_by_staff_id": "NULL",
}
DECIDED = ASKED | {"state": "'approved'", "decided_by_staff_id": "(SELECT max(id) FROM staff)"}
GRANTED = {"state": "'granted'", "decided_by_staff_id": "(SELECT max(id) FROM staff)"}
CHECKS = [
    ("repair_incident", {"category": UNKNOWN}, "ck_repair_incident_category_known"),
    ("repair_order", {"repair_no": "'BX1'", "category": UNKNOWN}, "ck_repair_order_category_known"),
    ("repair_order", {"repair_no": "'BX1'", "priority": UNKNOWN}, "ck_repair_order_priority_known"),
    ("repair_order", {"repair_no": "'BX1'", "source": UNKNOWN}, "ck_repair_order_source_known"),
    ("repair_order", {"repair_no": "'BX1'", "state": UNKNOWN}, "ck_repair_order_state_known"),
    ("repair_order", {"repair_no": "'BX1'", "cause": UNKNOWN}, "ck_repair_order_cause_known"),
    (
        "repair_order",
        {"repair_no": "'BX1'", "contact_phone": "'1'"},
        "ck_repair_order_contact_phone_form",
    ),
    (
        "repair_order",
        {"repair_no": "'BX1'", "assignee_staff_id": "(SELECT min(id) FROM staff)"},
        "ck_repair_order_unassigned_is_free",
    ),
    (
        "repair_order",
        {"repair_no": "'BX1'", "state": "'assigned'"},
        "ck_repair_order_worked_on_by_somebody",
    ),
    (
        "repair_order",
        {"repair_no": "'BX1'", "state": "'closed'"},
        "ck_repair_order_ended_at_a_time",
    ),
    (
        "repair_order",
        {"repair_no": "'BX1'", "charge_fen": "-1"},
        "ck_repair_order_charge_fen_range",
    ),
    (
        "repair_order",
        {"repair_no": "'BX1'", "labour_minutes": "-1"},
        "ck_repair_order_labour_minutes_range",
    ),
    (
        "repair_order",
        {"repair_no": "'BX1'", "charge_fen": "1", "house_id": "NULL"},
        "ck_repair_order_charged_to_a_house",
    ),
    ("repair_event", {"act": UNKNOWN, "from_state": "'submitted'"}, "ck_repair_event_act_known"),
    ("repair_event", {"to_state": UNKNOWN}, "ck_repair_event_to_state_known"),
    ("repair_event", {"from_state": "'submitted'"}, "ck_repair_event_first_opens"),
    ("repair_pause", {"reason": UNKNOWN, "ended_at": "now()"}, "ck_repair_pause_reason_known"),
    (
        "repair_pause",
        {"ended_at": "started_at - interval '1 s'"},
        "ck_repair_pause_span_not_negative",
    ),
    ("repair_part", {"quantity": "0"}, "ck_repair_part_quantity_positive"),
    ("repair_part", {"unit_price_fen": "-1"}, "ck_repair_part_unit_price_fen_range"),
    ("repair_part", {"amount_fen": "-1"}, "ck_repair_part_amount_fen_range"),
    ("repair_quote", {"state": UNKNOWN, "decided_at": "now()"}, "ck_repair_quote_state_known"),
    (
        "repair_quote",
        {"amount_fen": "0", "state": "'refused'", "decided_at": "now()"},
        "ck_repair_quote_amount_fen_positive",
    ),
    ("repair_quote", {"state": "'refused'"}, "ck_repair_quote_decided_at_a_time"),
    ("repair_rating", {"score": "6"}, "ck_repair_rating_score_range"),
    ("repair_rule", {"dispatch_mode": UNKNOWN}, "ck_repair_rule_dispatch_mode_known"),
    ("repair_rule", {"accept_minutes": "0"}, "ck_repair_rule_accept_minutes_range"),
    ("repair_sla", {"priority": UNKNOWN}, "ck_repair_sla_priority_known"),
    ("repair_sla", {"arrive_minutes": "0"}, "ck_repair_sla_minutes_in_order"),
    ("staff_skill", {"category": UNKNOWN}, "ck_staff_skill_category_known"),
    ("staff_duty", {"weekday": "7"}, "ck_staff_duty_weekday_range"),
    ("staff_duty", {"until_minute": "0"}, "ck_staff_duty_minutes_in_order"),
    ("audit_link", {"number": 0}, "ck_audit_link_number_positive"),
    ("audit_link", {"sha256": "'x'"}, "ck_audit_link_sha256_form"),
    ("community", {"building_type": UNKNOWN}, "ck_community_building_type_known"),
    ("community", {"land_area": 0}, "ck_community_land_area_positive"),
    ("community", {"built_area": 0}, "ck_community_built_area_positive"),
    ("community", {"green_percent": "100.01"}, "ck_community_green_percent_range"),
    (
        "community",
        {"retired_on": "date '2026-01-01'", "is_active": "true"},
        "ck_community_retired_is_inactive",
    ),
    ("building", {"building_type": UNKNOWN}, "ck_building_building_type_known"),
    ("building", {"floor_count": 0}, "ck_building_floor_count_range"),
    ("building_unit", {"floor_count": 0}, "ck_building_unit_floor_count_range"),
    ("building_unit", {"lift_count": 21}, "ck_building_unit_lift_count_range"),
    ("parking_space", {"right_kind": UNKNOWN}, "ck_parking_space_right_kind_known"),
    ("parking_space", {"area": 0}, "ck_parking_space_area_positive"),
    ("role_grant", {"role": UNKNOWN}, "ck_role_grant_role_known"),
    ("role_grant", GRANTED | {"state": UNKNOWN}, "ck_role_grant_state_known"),
    ("role_grant", {"state": "'granted'"}, "ck_role_grant_decided_by_somebody"),
    (
        "role_grant",
        GRANTED | {"decided_by_staff_id": "requested_by_staff_id"},
        "ck_role_grant_two_people",
    ),
    (
        "role_grant",
        GRANTED
        | {
            "decided_by_staff_id": "staff_id",
            "requested_by_staff_id": "(SELECT max(id) FROM staff)",
        },
        "ck_role_grant_two_people",
    ),
    ("sign_in_attempt", {"door": UNKNOWN}, "ck_sign_in_attempt_door_known"),
    ("sign_in_attempt", {"outcome": UNKNOWN}, "ck_sign_in_attempt_outcome_known"),
    ("staff", {"phone": "'1990000'"}, "ck_staff_phone_form"),
    ("account", {"phone": "'1990000'"}, "ck_account_phone_form"),
    ("account", {"phone": "'19900000001 '"}, "ck_account_phone_form"),
    ("allocation", {"amount_fen": 0}, "ck_allocation_amount_fen_not_zero"),
    ("allocation", {"kind": UNKNOWN}, "ck_allocation_kind_known"),
    ("bill", {"amount_fen": -1, "paid_fen": 0, "state": "'voided'"}, "ck_bill_amount_fen_range"),
    ("bill", {"paid_fen": -1, "state": "'voided'"}, "ck_bill_paid_fen_range"),
    ("bill", {"paid_fen": 21003, "state": "'voided'"}, "ck_bill_paid_fen_range"),
    ("bill", {"paid_fen": 21001}, "ck_bill_paid_means_all"),
    ("bill", {"state": "'partially_paid'"}, "ck_bill_paid_means_all"),
    ("bill", {"state": "'published'"}, "ck_bill_paid_means_all"),
    ("bill", {"state": UNKNOWN}, "ck_bill_state_known"),
    ("bill_batch", {"period_until": "period_from"}, "ck_bill_batch_span_not_empty"),
    ("bill_batch", {"state": UNKNOWN}, "ck_bill_batch_state_known"),
    ("channel_pause", {"channel": UNKNOWN}, "ck_channel_pause_channel_known"),
    ("community", {"code": "'c'"}, "ck_community_code_form"),
    ("community", {"code": "'C-1'"}, "ck_community_code_form"),
    ("community", {"liable_from_rule": UNKNOWN}, "ck_community_liable_from_rule_known"),
    ("fee_item", {"charge_method": UNKNOWN}, "ck_fee_item_charge_method_known"),
    ("fee_item", {"code": "'W1'"}, "ck_fee_item_code_form"),
    ("fee_item", {"due_days": -1}, "ck_fee_item_due_days_range"),
    ("fee_item", {"issue_offset_days": -1}, "ck_fee_item_issue_offset_days_range"),
    ("fee_item", {"proration": UNKNOWN}, "ck_fee_item_proration_known"),
    ("fee_item", {"rounding": UNKNOWN}, "ck_fee_item_rounding_known"),
    ("fee_item", {"ends_on": "starts_on"}, "ck_fee_item_span_not_empty"),
    ("fee_standard", {"priced_until": "priced_from"}, "ck_fee_standard_span_not_empty"),
    ("fee_standard", {"unit_price": 0}, "ck_fee_standard_unit_price_positive"),
    ("house", {"billing_area": 0}, "ck_house_billing_area_positive"),
    ("house", {"building_area": 0}, "ck_house_building_area_positive"),
    ("house", {"fee_coefficient": 0}, "ck_house_fee_coefficient_positive"),
    ("house", {"inner_area": 0}, "ck_house_inner_area_positive"),
    ("house_binding", {"role": UNKNOWN}, "ck_house_binding_role_known"),
    ("house_binding", {"status": UNKNOWN}, "ck_house_binding_status_known"),
    ("house_person", {"role": UNKNOWN}, "ck_house_person_role_known"),
    ("house_person", {"share_ratio": 0}, "ck_house_person_share_ratio_range"),
    ("notice", {"state": UNKNOWN, "published_at": "NULL"}, "ck_notice_state_known"),
    ("notice", {"title": "''"}, "ck_notice_not_empty"),
    ("notice", {"published_at": "NULL"}, "ck_notice_published_at_a_time"),
    ("notice", {"publish_at": "now()"}, "ck_notice_scheduled_at_a_time"),
    ("notice", {"withdrawn_at": "now()"}, "ck_notice_withdrawn_at_a_time"),
    ("message_setting", {"kind": UNKNOWN}, "ck_message_setting_kind_known"),
    ("subscribe_quota", {"quota": -1}, "ck_subscribe_quota_quota_range"),
    ("house_person", {"share_ratio": "1.00000001"}, "ck_house_person_share_ratio_range"),
    ("house_person", {"person_until": "person_from"}, "ck_house_person_span_not_empty"),
    ("import_batch", {"state": UNKNOWN}, "ck_import_batch_state_known"),
    ("import_file", {"content": "''::bytea"}, "ck_import_file_content_size"),
    (
        "import_file",
        {"content": "convert_to(repeat('x', 10485761), 'UTF8')"},
        "ck_import_file_content_size",
    ),
    ("login_code", {"tries_left": -1}, "ck_login_code_tries_left_range"),
    ("occupancy", {"occupied_until": "occupied_from"}, "ck_occupancy_span_not_empty"),
    ("occupancy", {"state": UNKNOWN}, "ck_occupancy_state_known"),
    ("outbox_message", {"attempts": -1}, "ck_outbox_message_attempts_range"),
    ("outbox_message", {"channel": UNKNOWN}, "ck_outbox_message_channel_known"),
    ("outbox_message", {"kind": UNKNOWN}, "ck_outbox_message_kind_known"),
    ("outbox_message", {"state": UNKNOWN}, "ck_outbox_message_state_known"),
    ("owner", {"phone": "'+8619900000001'"}, "ck_owner_phone_form"),
    ("payment", {"amount_fen": 0}, "ck_payment_amount_fen_positive"),
    ("payment_order", {"amount_fen": 0}, "ck_payment_order_amount_fen_positive"),
    ("payment_order", {"state": UNKNOWN}, "ck_payment_order_state_known"),
    ("receipt", {"amount_fen": 0}, "ck_receipt_amount_fen_positive"),
    ("staff", {"role": UNKNOWN}, "ck_staff_role_known"),
    ("suspense", {"amount_fen": 0}, "ck_suspense_amount_fen_positive"),
    ("allocation", {"line_no": "NULL"}, "ck_allocation_principal_of_a_line"),
    ("allocation", {"kind": "'late_fee'"}, "ck_allocation_principal_of_a_line"),
    ("approval_request", {"amount_fen": 0}, "ck_approval_request_amount_fen_positive"),
    ("approval_request", DECIDED | {"kind": UNKNOWN}, "ck_approval_request_kind_known"),
    ("approval_request", DECIDED | {"state": UNKNOWN}, "ck_approval_request_state_known"),
    (
        "approval_request",
        DECIDED | {"decided_by_staff_id": "requested_by_staff_id"},
        "ck_approval_request_two_people",
    ),
    (
        "approval_request",
        DECIDED | {"decided_by_staff_id": "NULL"},
        "ck_approval_request_decided_by_somebody",
    ),
    (
        "approval_request",
        DECIDED | {"state": "'requested'"},
        "ck_approval_request_decided_by_somebody",
    ),
    ("bill_adjustment", {"amount_fen": 0}, "ck_bill_adjustment_amount_fen_not_zero"),
    ("bill_adjustment", {"state": "'applied'"}, "ck_bill_adjustment_applied_to_a_bill"),
    (
        "bill_adjustment",
        {"applied_bill_id": "of_bill_id"},
        "ck_bill_adjustment_applied_to_a_bill",
    ),
    ("bill_adjustment", {"state": UNKNOWN}, "ck_bill_adjustment_state_known"),
    ("bill_late_fee", {"frozen_on": "NULL"}, "ck_bill_late_fee_frozen_as_a_whole"),
    ("bill_late_fee", {"trace": "NULL"}, "ck_bill_late_fee_frozen_as_a_whole"),
    ("bill_late_fee", {"frozen_fen": "NULL"}, "ck_bill_late_fee_frozen_as_a_whole"),
    ("bill_late_fee", {"frozen_fen": 4}, "ck_bill_late_fee_frozen_fen_range"),
    ("bill_late_fee", {"paid_fen": -1}, "ck_bill_late_fee_paid_fen_range"),
    ("bill_late_fee", {"waived_fen": -1}, "ck_bill_late_fee_waived_fen_range"),
    ("bill_line", {"kind": UNKNOWN}, "ck_bill_line_kind_known"),
    ("bill_line", {"kind": "'waiver'"}, "ck_bill_line_taken_off_is_negative"),
    (
        "bill_line",
        {"kind": "'discount'", "amount_fen": 0},
        "ck_bill_line_taken_off_is_negative",
    ),
    (
        "community",
        {"review_change_percent": -1},
        "ck_community_review_change_percent_range",
    ),
    ("deposit", {"amount_fen": 0}, "ck_deposit_amount_fen_positive"),
    ("deposit", {"deducted_fen": -1}, "ck_deposit_spent_range"),
    ("deposit", {"returned_fen": -1}, "ck_deposit_spent_range"),
    ("deposit", {"deducted_fen": "amount_fen", "returned_fen": 1}, "ck_deposit_spent_range"),
    ("deposit_entry", {"amount_fen": 0}, "ck_deposit_entry_amount_fen_positive"),
    ("deposit_entry", {"kind": "'return'"}, "ck_deposit_entry_kind_fits"),
    ("deposit_entry", {"payment_id": "NULL"}, "ck_deposit_entry_kind_fits"),
    ("deposit_entry", {"kind": UNKNOWN}, "ck_deposit_entry_kind_known"),
    ("discount_rule", {"amount_fen": 0}, "ck_discount_rule_amount_fen_positive"),
    ("discount_rule", {"cap_fen": 0}, "ck_discount_rule_cap_fen_positive"),
    ("discount_rule", {"kind": UNKNOWN}, "ck_discount_rule_kind_known"),
    ("discount_rule", {"percent": 0}, "ck_discount_rule_percent_range"),
    ("discount_rule", {"percent": "100.0001"}, "ck_discount_rule_percent_range"),
    ("discount_rule", {"ends_on": "starts_on"}, "ck_discount_rule_span_not_empty"),
    ("fee_item", {"billing_timing": UNKNOWN}, "ck_fee_item_billing_timing_known"),
    ("fee_item", {"cycle_anchor": UNKNOWN}, "ck_fee_item_cycle_anchor_known"),
    ("fee_item", {"cycle_from_month": 13}, "ck_fee_item_cycle_from_month_range"),
    ("fee_item", {"cycle_from_month": 0}, "ck_fee_item_cycle_from_month_range"),
    ("fee_item", {"cycle_months": 4}, "ck_fee_item_cycle_months_known"),
    ("fee_item", {"due_day": 0}, "ck_fee_item_due_day_range"),
    ("fee_item", {"due_day": 32}, "ck_fee_item_due_day_range"),
    ("fee_item", {"charge_method": "'meter'"}, "ck_fee_item_meter_has_kind"),
    ("fee_item", {"meter_kind": UNKNOWN}, "ck_fee_item_meter_kind_known"),
    ("fee_item", {"tier_from_month": 13}, "ck_fee_item_tier_from_month_range"),
    ("fee_item", {"tier_window": UNKNOWN}, "ck_fee_item_tier_window_known"),
    ("fee_item", {"vacancy_rate": "-0.1"}, "ck_fee_item_vacancy_rate_range"),
    ("fee_item", {"vacancy_rate": "1.1"}, "ck_fee_item_vacancy_rate_range"),
    ("fee_standard", {"unit_price": "NULL"}, "ck_fee_standard_one_way_to_price"),
    ("fee_standard", {"formula": "'area'"}, "ck_fee_standard_one_way_to_price"),
    ("fee_standard", {"tiers": "'[]'"}, "ck_fee_standard_one_way_to_price"),
    ("fee_standard", {"surcharge": -1}, "ck_fee_standard_surcharge_range"),
    ("house", {"household_size": 0}, "ck_house_household_size_positive"),
    ("house_measure", {"billing_area": 0}, "ck_house_measure_billing_area_positive"),
    ("house_measure", {"fee_coefficient": 0}, "ck_house_measure_fee_coefficient_positive"),
    ("late_fee_pause", {"paused_until": "paused_from"}, "ck_late_fee_pause_span_not_empty"),
    ("late_fee_rule", {"cap_ratio": 0}, "ck_late_fee_rule_cap_ratio_positive"),
    ("late_fee_rule", {"daily_rate": 0}, "ck_late_fee_rule_daily_rate_range"),
    ("late_fee_rule", {"daily_rate": "0.011"}, "ck_late_fee_rule_daily_rate_range"),
    ("late_fee_rule", {"grace_days": -1}, "ck_late_fee_rule_grace_days_range"),
    ("late_fee_rule", {"grace_mode": UNKNOWN}, "ck_late_fee_rule_grace_mode_known"),
    ("late_fee_rule", {"ends_on": "starts_on"}, "ck_late_fee_rule_span_not_empty"),
    ("meter", {"closed_on": "opened_on"}, "ck_meter_closed_with_reading"),
    ("meter", {"closing_reading": 5}, "ck_meter_closed_with_reading"),
    ("meter", {"kind": UNKNOWN}, "ck_meter_kind_known"),
    ("meter", {"modulus": 0}, "ck_meter_modulus_positive"),
    ("meter", {"multiplier": 0}, "ck_meter_multiplier_positive"),
    ("meter", {"opening_reading": -1}, "ck_meter_opening_reading_range"),
    (
        "meter",
        {"closed_on": "opened_on - 1", "closing_reading": 5},
        "ck_meter_span_in_order",
    ),
    ("meter_reading", {"reading": -1}, "ck_meter_reading_reading_range"),
    ("meter_reading", {"source": UNKNOWN}, "ck_meter_reading_source_known"),
    ("one_off_charge", {"amount_fen": 0}, "ck_one_off_charge_amount_fen_positive"),
    ("one_off_charge", {"sequence": 0}, "ck_one_off_charge_sequence_positive"),
    ("one_off_charge", {"state": UNKNOWN}, "ck_one_off_charge_state_known"),
    ("payment", {"channel": UNKNOWN}, "ck_payment_channel_known"),
    ("payment_order", {"topup_fen": -1}, "ck_payment_order_topup_fen_range"),
    ("payment_order", {"topup_fen": 1}, "ck_payment_order_topup_of_a_house"),
    (
        "payment_order",
        {"topup_house_id": "(SELECT id FROM house)"},
        "ck_payment_order_topup_of_a_house",
    ),
    ("payment_order_bill", {"amount_fen": -1}, "ck_payment_order_bill_parts_range"),
    ("payment_order_bill", {"late_fee_fen": -1}, "ck_payment_order_bill_parts_range"),
    ("payment_order_bill", {"discount_fen": -1}, "ck_payment_order_bill_parts_range"),
    ("prepaid_account", {"balance_fen": -1}, "ck_prepaid_account_balance_fen_range"),
    ("prepaid_entry", {"amount_fen": 0}, "ck_prepaid_entry_amount_fen_not_zero"),
    ("prepaid_entry", {"balance_fen": -1}, "ck_prepaid_entry_balance_fen_range"),
    ("prepaid_entry", {"amount_fen": -1}, "ck_prepaid_entry_kind_fits"),
    ("prepaid_entry", {"payment_id": "NULL"}, "ck_prepaid_entry_kind_fits"),
    ("prepaid_entry", {"kind": "'offset'"}, "ck_prepaid_entry_kind_fits"),
    (
        "prepaid_entry",
        {"kind": "'offset'", "amount_fen": -1, "payment_id": "NULL"},
        "ck_prepaid_entry_kind_fits",
    ),
    ("prepaid_entry", {"kind": "'refund'", "amount_fen": -1}, "ck_prepaid_entry_kind_fits"),
    (
        "prepaid_entry",
        {"kind": "'refund'", "refund_id": "(SELECT min(id) FROM refund)"},
        "ck_prepaid_entry_kind_fits",
    ),
    ("prepaid_entry", {"kind": "'transfer'"}, "ck_prepaid_entry_kind_fits"),
    ("prepaid_entry", {"kind": UNKNOWN}, "ck_prepaid_entry_kind_known"),
    ("refund", {"amount_fen": 0}, "ck_refund_amount_fen_positive"),
    ("refund", {"channel": "'prepaid'"}, "ck_refund_channel_known"),
    ("share_pool", {"amount_fen": 0}, "ck_share_pool_amount_fen_positive"),
    ("share_pool", {"share_by": UNKNOWN}, "ck_share_pool_share_by_known"),
    ("share_pool", {"period_until": "period_from"}, "ck_share_pool_span_not_empty"),
    ("share_pool", {"state": UNKNOWN}, "ck_share_pool_state_known"),
    ("share_pool", {"units": 5}, "ck_share_pool_units_with_price"),
    ("share_pool", {"unit_price": 5}, "ck_share_pool_units_with_price"),
    ("share_pool_weight", {"weight": 0}, "ck_share_pool_weight_weight_positive"),
    ("approval_request", ASKED | {"is_alone": "true"}, "ck_approval_request_alone_refunds_only"),
    ("cashier_shift", {"state": "'closed'"}, "ck_cashier_shift_closed_at_a_time"),
    ("cashier_shift", {"closed_at": "now()"}, "ck_cashier_shift_closed_at_a_time"),
    ("cashier_shift", {"float_fen": -1}, "ck_cashier_shift_float_fen_range"),
    ("cashier_shift", {"state": UNKNOWN}, "ck_cashier_shift_state_known"),
    (
        "cashier_shift",
        {"state": "'handed_over'", "closed_at": "now()"},
        "ck_cashier_shift_taken_over_by_somebody",
    ),
    (
        "cashier_shift",
        {
            "state": "'handed_over'",
            "closed_at": "now()",
            "taken_over_by_staff_id": "staff_id",
        },
        "ck_cashier_shift_two_people",
    ),
    ("channel_call", {"order_id": "NULL"}, "ck_channel_call_about_one"),
    ("channel_call", {"refund_id": "(SELECT min(id) FROM refund)"}, "ck_channel_call_about_one"),
    ("community", {"surplus_policy": UNKNOWN}, "ck_community_surplus_policy_known"),
    ("community", {"refund_alone_fen": -1}, "ck_community_refund_alone_fen_range"),
    ("community_merchant", {"channel": "'cash'"}, "ck_community_merchant_channel_known"),
    ("payment_order", {"account_id": "NULL"}, "ck_payment_order_somebody_pays"),
    (
        "payment_order",
        {"account_id": "NULL", "pay_code_id": "(SELECT id FROM pay_code)"},
        "ck_payment_order_somebody_pays",
    ),
    ("payment_order", {"way": UNKNOWN}, "ck_payment_order_way_known"),
    (
        "receipt_mark",
        {"kind": UNKNOWN, "amount_fen": 5, "refund_id": "(SELECT min(id) FROM refund)"},
        "ck_receipt_mark_kind_known",
    ),
    ("receipt_mark", {"kind": "'void'"}, "ck_receipt_mark_kind_fits"),
    ("receipt_mark", {"amount_fen": 5}, "ck_receipt_mark_kind_fits"),
    (
        "reconciliation_case",
        {"key": "'P2'", "state": "'handled'"},
        "ck_reconciliation_case_handled_with_words",
    ),
    ("reconciliation_case", {"kind": UNKNOWN}, "ck_reconciliation_case_kind_known"),
    (
        "reconciliation_case",
        {"key": "'P2'", "state": UNKNOWN},
        "ck_reconciliation_case_state_known",
    ),
    (
        "reconciliation_run",
        {"mchid": "'n'", "state": "'done'"},
        "ck_reconciliation_run_done_at_a_time",
    ),
    (
        "reconciliation_run",
        {"mchid": "'n'", "done_at": "now()"},
        "ck_reconciliation_run_done_at_a_time",
    ),
    (
        "reconciliation_run",
        {"mchid": "'n'", "state": UNKNOWN},
        "ck_reconciliation_run_state_known",
    ),
    ("refund", {"refund_no": "'R3'", "kind": UNKNOWN}, "ck_refund_kind_known"),
    ("refund", {"refund_no": "'R3'", "kind": "'payment'"}, "ck_refund_of_a_payment"),
    (
        "refund",
        {"refund_no": "'R3'", "payment_id": "(SELECT min(id) FROM payment)"},
        "ck_refund_of_a_payment",
    ),
    ("refund", {"refund_no": "'R3'", "state": UNKNOWN}, "ck_refund_state_known"),
    ("refund", {"refund_no": "'R3'", "refunded_at": "NULL"}, "ck_refund_succeeded_at_a_time"),
    ("refund", {"refund_no": "'R3'", "state": "'failed'"}, "ck_refund_succeeded_at_a_time"),
    ("refund_part", {"amount_fen": 0}, "ck_refund_part_amount_fen_positive"),
    ("refund_part", {"kind": UNKNOWN}, "ck_refund_part_kind_known"),
    ("refund_part", {"suspense_id": "NULL"}, "ck_refund_part_source_fits"),
    ("refund_part", {"source": "'bill'"}, "ck_refund_part_source_fits"),
    (
        "refund_part",
        {"source": UNKNOWN, "deposit_id": "(SELECT id FROM deposit)"},
        "ck_refund_part_source_known",
    ),
    ("shift_count", {"channel": "'wechat'"}, "ck_shift_count_channel_known"),
    ("shift_count", {"counted_fen": -1}, "ck_shift_count_counted_fen_range"),
    ("suspense_resolution", {"amount_fen": 0}, "ck_suspense_resolution_amount_fen_positive"),
    ("suspense_resolution", {"account_id": "NULL"}, "ck_suspense_resolution_kind_fits"),
    ("suspense_resolution", {"kind": "'refund'"}, "ck_suspense_resolution_kind_fits"),
    ("suspense_resolution", {"kind": UNKNOWN}, "ck_suspense_resolution_kind_known"),
]
CHECKS += [
    (
        "binding_application",
        {"house_text": "'x'", "state": "'rejected'"},
        "ck_binding_application_decided_by_somebody",
    ),
    (
        "binding_application",
        {"house_text": "'x'", "decided_by_staff_id": "(SELECT min(id) FROM staff)"},
        "ck_binding_application_decided_by_somebody",
    ),
    (
        "binding_application",
        {"house_text": "'x'", "binding_id": "(SELECT min(id) FROM house_binding)"},
        "ck_binding_application_approved_binds",
    ),
    (
        "binding_application",
        {"house_text": "'x'", "role": UNKNOWN},
        "ck_binding_application_role_known",
    ),
    ("binding_application", {"state": UNKNOWN}, "ck_binding_application_state_known"),
    ("house_binding", {"because": UNKNOWN}, "ck_house_binding_because_known"),
    ("house_binding", {"ended_because": UNKNOWN}, "ck_house_binding_ended_because_known"),
    ("house_invitation", {"state": "'accepted'"}, "ck_house_invitation_accepted_binds"),
    ("house_invitation", {"phone": "'5'"}, "ck_house_invitation_phone_form"),
    ("house_invitation", {"phone": "''"}, "ck_house_invitation_phone_form"),
    ("account", {"phone": "'deleted-1'"}, "ck_account_phone_form"),
    (
        "equipment",
        {"code": "'ABCDEFGHJKLM'", "asset_no": "''", "category": UNKNOWN},
        "ck_equipment_category_known",
    ),
    (
        "equipment",
        {"code": "'ABCDEFGHJKLM'", "asset_no": "''", "importance": UNKNOWN},
        "ck_equipment_importance_known",
    ),
    (
        "equipment",
        {"code": "'ABCDEFGHJKLM'", "asset_no": "''", "state": UNKNOWN},
        "ck_equipment_state_known",
    ),
    ("equipment", {"code": "'0000'", "asset_no": "''"}, "ck_equipment_code_form"),
    (
        "equipment",
        {"code": "'ABCDEFGHJKLM'", "asset_no": "''", "name": "''"},
        "ck_equipment_name_given",
    ),
    (
        "equipment_state_change",
        {"from_state": UNKNOWN},
        "ck_equipment_state_change_from_state_known",
    ),
    ("equipment_state_change", {"to_state": UNKNOWN}, "ck_equipment_state_change_to_state_known"),
    (
        "equipment_document",
        {"version": 2, "doc_type": UNKNOWN},
        "ck_equipment_document_doc_type_known",
    ),
    ("equipment_document", {"title": "''"}, "ck_equipment_document_title_given"),
    ("equipment_document", {"version": 0}, "ck_equipment_document_version_positive"),
    ("equipment_state_change", {"from_state": "to_state"}, "ck_equipment_state_change_moves"),
    ("maintenance_plan", {"assignee_role": UNKNOWN}, "ck_maintenance_plan_assignee_role_known"),
    ("maintenance_plan", {"basis": UNKNOWN}, "ck_maintenance_plan_basis_known"),
    ("maintenance_plan", {"kind": UNKNOWN}, "ck_maintenance_plan_kind_known"),
    ("maintenance_plan", {"state": UNKNOWN}, "ck_maintenance_plan_state_known"),
    ("maintenance_plan", {"unit": UNKNOWN}, "ck_maintenance_plan_unit_known"),
    ("maintenance_plan", {"every": 0}, "ck_maintenance_plan_every_positive"),
    ("maintenance_plan", {"lead_days": 61}, "ck_maintenance_plan_lead_days_range"),
    ("maintenance_plan", {"window_days": -1}, "ck_maintenance_plan_window_days_range"),
    ("maintenance_plan", {"fixed_days": "'[\"03-15\"]'::jsonb"}, "ck_maintenance_plan_one_rule"),
    ("maintenance_plan", {"ends_on": "starts_on - 1"}, "ck_maintenance_plan_span_not_empty"),
    (
        "maintenance_result",
        {"item_key": "'i2'", "verdict": UNKNOWN},
        "ck_maintenance_result_verdict_known",
    ),
    (
        "maintenance_task",
        {"due_on": "date '2026-02-01'", "assignee_role": UNKNOWN},
        "ck_maintenance_task_assignee_role_known",
    ),
    (
        "maintenance_task",
        {"due_on": "date '2026-02-01'", "kind": UNKNOWN},
        "ck_maintenance_task_kind_known",
    ),
    (
        "maintenance_task",
        {"due_on": "date '2026-02-01'", "state": UNKNOWN},
        "ck_maintenance_task_state_known",
    ),
    (
        "maintenance_task",
        {"due_on": "date '2026-02-01'", "state": "'submitted'"},
        "ck_maintenance_task_submitted_on_a_day",
    ),
    (
        "maintenance_task",
        {
            "due_on": "date '2026-02-01'",
            "state": "'verified'",
            "submitted_on": "due_on",
            "submitted_by": "(SELECT min(id) FROM staff)",
            "verified_by": "(SELECT min(id) FROM staff)",
        },
        "ck_maintenance_task_verified_by_other",
    ),
    (
        "maintenance_task",
        {"due_on": "date '2026-02-01'", "is_withdrawn": "true"},
        "ck_maintenance_task_withdrawn_is_cancelled",
    ),
    ("maintenance_task_event", {"act": UNKNOWN}, "ck_maintenance_task_event_act_known"),
    (
        "maintenance_task_event",
        {"from_state": UNKNOWN},
        "ck_maintenance_task_event_from_state_known",
    ),
    ("maintenance_task_event", {"to_state": UNKNOWN}, "ck_maintenance_task_event_to_state_known"),
    (
        "maintenance_template",
        {"code": "'X'", "category": UNKNOWN},
        "ck_maintenance_template_category_known",
    ),
    (
        "maintenance_template",
        {"code": "'X'", "kind": UNKNOWN},
        "ck_maintenance_template_kind_known",
    ),
    (
        "maintenance_template",
        {"code": "'X'", "unit": UNKNOWN},
        "ck_maintenance_template_unit_known",
    ),
    ("maintenance_template", {"code": "'X'", "every": 0}, "ck_maintenance_template_every_positive"),
    (
        "maintenance_template",
        {"code": "'X'", "kind": "'statutory'"},
        "ck_maintenance_template_statutory_has_source",
    ),
    ("consent", {"kind": UNKNOWN}, "ck_consent_kind_known"),
    ("consent", {"act": UNKNOWN}, "ck_consent_act_known"),
    ("consent", {"channel": UNKNOWN}, "ck_consent_channel_known"),
    ("consent", {"version": "''"}, "ck_consent_version_given"),
    ("privacy_export", {"state": UNKNOWN}, "ck_privacy_export_state_known"),
    ("privacy_export", {"state": "'ready'"}, "ck_privacy_export_ready_has_file"),
    ("stored_file", {"kind": UNKNOWN}, "ck_stored_file_kind_known"),
    ("stored_file", {"small_key": "NULL"}, "ck_stored_file_photo_has_small"),
    ("stored_file", {"size": "0"}, "ck_stored_file_size_range"),
    ("stored_file", {"account_id": "NULL"}, "ck_stored_file_handed_in_by_one_person"),
    ("stored_file", {"subject_id": "1"}, "ck_stored_file_attached_as_a_whole"),
    (
        "stored_file",
        {
            "subject_type": UNKNOWN,
            "subject_id": "1",
            "attached_at": "now()",
            "community_id": "(SELECT min(id) FROM community)",
        },
        "ck_stored_file_subject_type_known",
    ),
    ("stored_file", {"small_key": "'s2'"}, "uq_stored_file_key"),
    ("stored_file", {"key": "'k2'"}, "uq_stored_file_small_key"),
    ("account_deletion", {"due_at": "asked_at"}, "ck_account_deletion_due_later"),
    ("account_deletion", {"ended_at": "now()"}, "ck_account_deletion_ended_at_a_time"),
    (
        "account_deletion",
        {"state": UNKNOWN, "ended_at": "now()"},
        "ck_account_deletion_state_known",
    ),
    ("house_invitation", {"role": "'owner'"}, "ck_house_invitation_role_known"),
    ("house_invitation", {"state": UNKNOWN}, "ck_house_invitation_state_known"),
    ("house_transfer", {"prepaid": UNKNOWN}, "ck_house_transfer_prepaid_known"),
    ("house_transfer", {"unpaid": UNKNOWN}, "ck_house_transfer_unpaid_known"),
    ("house_transfer", {"undone_at": "now()"}, "ck_house_transfer_undone_by_somebody"),
    (
        "owner",
        {"phone": "'19900000008'", "ended_on": "date '2026-01-01'"},
        "ck_owner_ended_has_no_phone",
    ),
    (
        "owner_phone",
        {"phone": "'+8619900000001'", "is_primary": "false"},
        "ck_owner_phone_phone_form",
    ),
    ("transfer_party", {"side": UNKNOWN}, "ck_transfer_party_side_known"),
    ("transfer_party", {"share_ratio": 0}, "ck_transfer_party_share_ratio_range"),
    ("transfer_party", {"share_ratio": "1.01"}, "ck_transfer_party_share_ratio_range"),
    ("transfer_share", {"seller_days": 0}, "ck_transfer_share_days_positive"),
    ("transfer_share", {"buyer_days": 0}, "ck_transfer_share_days_positive"),
    ("transfer_share", {"seller_fen": 9484}, "ck_transfer_share_parts_add_up"),
    (
        "transfer_share",
        {"seller_fen": -1, "buyer_fen": 21003},
        "ck_transfer_share_parts_add_up",
    ),
]
REPEATS = [
    ("audit_link", {"number": 2}, "uq_audit_link_audit_entry_id"),
    ("binding_application", {}, "uq_binding_application_pending"),
    ("house_invitation", {"token_sha256": "'y'"}, "uq_house_invitation_open"),
    ("house_invitation", {"phone": "'19900000008'"}, "uq_house_invitation_token_sha256"),
    ("house_transfer", {}, "uq_house_transfer_day"),
    ("equipment", {"asset_no": "''"}, "uq_equipment_code"),
    ("equipment", {"code": "'ABCDEFGHJKLM'"}, "uq_equipment_asset_no"),
    ("equipment_document", {}, "uq_equipment_document_equipment_id"),
    ("maintenance_template", {}, "uq_maintenance_template_community_id"),
    ("maintenance_task", {}, "uq_maintenance_task_plan_id"),
    ("maintenance_result", {}, "uq_maintenance_result_task_id"),
    (
        "repair_order",
        {"key_id": "NULL", "one_off_charge_id": "NULL"},
        "uq_repair_order_community_id",
    ),
    (
        "repair_order",
        {"repair_no": "'BX2'", "one_off_charge_id": "NULL"},
        "uq_repair_order_key_id",
    ),
    (
        "repair_order",
        {"repair_no": "'BX2'", "key_id": "NULL"},
        "uq_repair_order_one_off_charge_id",
    ),
    ("repair_pause", {}, "uq_repair_pause_open"),
    ("repair_quote", {}, "uq_repair_quote_pending"),
    ("privacy_export", {}, "uq_privacy_export_open"),
    ("account_deletion", {}, "uq_account_deletion_open"),
    (
        "owner_phone",
        {"owner_id": "(SELECT max(id) FROM owner)", "is_primary": "false"},
        "uq_owner_phone_community_id",
    ),
    ("owner_phone", {"phone": "'19900000008'"}, "uq_owner_phone_primary"),
    ("account", {}, "uq_account_phone"),
    ("approval_request", ASKED, "uq_approval_request_open"),
    ("bill", {"state": "'cancelled'"}, "uq_bill_community_id"),
    ("bill", {"bill_no": "'other'"}, "uq_bill_live"),
    ("building", {}, "uq_building_community_id"),
    ("car", {}, "uq_car_community_id"),
    ("parking_space", {}, "uq_parking_space_community_id"),
    ("community", {}, "uq_community_code"),
    ("fee_item", {}, "uq_fee_item_community_id"),
    ("house", {}, "uq_house_building_id"),
    ("house_binding", {}, "uq_house_binding_live"),
    ("house_binding", {"status": "'pending'"}, "uq_house_binding_live"),
    ("idempotency_key", {}, "uq_idempotency_key_key"),
    ("meter", {}, "uq_meter_community_id"),
    ("meter_reading", {}, "uq_meter_reading_live"),
    ("meter_reading", {"reading": 6}, "uq_meter_reading_live"),
    ("one_off_charge", {}, "uq_one_off_charge_house_id"),
    ("outbox_message", {}, "uq_outbox_message_dedup_key"),
    ("owner", {}, "uq_owner_phone"),
    ("payment", {}, "uq_payment_provider_transaction_id"),
    ("payment_order", {}, "uq_payment_order_out_trade_no"),
    ("platform_notice", {}, "uq_platform_notice_dedup_key"),
    ("prepaid_account", {}, "uq_prepaid_account_house_id"),
    ("receipt", {"receipt_no": "'other'"}, "uq_receipt_payment_id"),
    (
        "receipt",
        {"payment_id": "(SELECT id FROM payment WHERE out_trade_no = 'P2')"},
        "uq_receipt_community_id",
    ),
    ("refund", {"refund_no": "'other'"}, "uq_refund_approval_request_id"),
    (
        "refund",
        {"approval_request_id": "(SELECT id FROM approval_request WHERE kind = 'void')"},
        "uq_refund_refund_no",
    ),
    ("cashier_shift", {}, "uq_cashier_shift_open"),
    ("pay_code", {"token_sha256": "'y'", "revoked_at": "now()"}, "uq_pay_code_house_id"),
    ("pay_code", {"token_sha256": "'y'", "version": 2}, "uq_pay_code_live"),
    (
        "pay_code",
        {"version": 2, "revoked_at": "now()"},
        "uq_pay_code_token_sha256",
    ),
    (
        "receipt",
        {
            "payment_id": "(SELECT id FROM payment WHERE out_trade_no = 'P2')",
            "receipt_no": "'CH-2'",
        },
        "uq_receipt_verify_token",
    ),
    ("reconciliation_case", {}, "uq_reconciliation_case_run_id"),
    ("reconciliation_run", {}, "uq_reconciliation_run_channel"),
    ("session_token", {}, "uq_session_token_token_sha256"),
    ("share_pool", {"amount_fen": 5}, "uq_share_pool_open"),
    ("account", {"phone": "'19900000099'"}, "uq_account_login_name"),
    ("password_reset", {}, "uq_password_reset_token_sha256"),
    ("recovery_code", {}, "uq_recovery_code_staff_id"),
    ("role_grant", {}, "uq_role_grant_open"),
    ("staff_session", {}, "uq_staff_session_token_sha256"),
    ("staff", {}, "uq_staff_login_name"),
    ("staff_task", {}, "uq_staff_task_open"),
    ("staff_token", {}, "uq_staff_token_token_sha256"),
    ("wechat_identity", {}, "uq_wechat_identity_appid"),
]
OVERLAPS = [
    ("fee_standard", {}, "ex_fee_standard_fee_item_id"),
    ("fee_standard", {"priced_from": "date '2030-01-01'"}, "ex_fee_standard_fee_item_id"),
    (
        "house_person",
        {"role": "'family'", "person_from": "date '2030-01-01'"},
        "ex_house_person_house_id",
    ),
    ("late_fee_rule", {}, "ex_late_fee_rule_fee_item_id"),
    ("late_fee_rule", {"starts_on": "date '2030-01-01'"}, "ex_late_fee_rule_fee_item_id"),
    (
        "occupancy",
        {"state": "'rented'", "occupied_from": "date '2030-01-01'"},
        "ex_occupancy_house_id",
    ),
    (
        "occupancy",
        {
            "state": "'vacant'",
            "occupied_from": "date '2019-01-01'",
            "occupied_until": "date '2020-01-02'",
        },
        "ex_occupancy_house_id",
    ),
]
REFUSALS = CHECKS + REPEATS + OVERLAPS
ALLOWED = [
    ("privacy_export", {"state": "'failed'"}),
    ("equipment", {"code": "'ABCDEFGHJKLM'", "asset_no": "''"}),
    ("maintenance_plan", {"every": "NULL", "unit": "NULL", "fixed_days": "'[\"03-15\"]'::jsonb"}),
    ("account_deletion", {"state": "'cancelled'", "ended_at": "now()"}),
    ("consent", {"act": "'withdrawn'"}),
    ("role_grant", GRANTED),
    ("bill", {"bill_no": "'other'", "state": "'cancelled'"}),
    ("bill", {"bill_no": "'other'", "state": "'voided'"}),
    ("bill", {"bill_no": "'other'", "period_from": "date '2026-09-01'"}),
    ("house_binding", {"status": "'revoked'"}),
    ("house_binding", {"status": "'rejected'"}),
    ("owner", {"phone": "NULL"}),
    ("platform_notice", {"dedup_key": "NULL"}),
    ("staff_task", {"done_at": "now()"}),
    (
        "occupancy",
        {"occupied_from": "date '2019-01-01'", "occupied_until": "date '2020-01-01'"},
    ),
    (
        "fee_standard",
        {"priced_from": "date '2019-01-01'", "priced_until": "date '2020-01-01'"},
    ),
    (
        "house_person",
        {"person_from": "date '2019-01-01'", "person_until": "date '2020-01-01'"},
    ),
    ("allocation", {"amount_fen": -1}),
    ("allocation", {"kind": "'late_fee'", "line_no": "NULL"}),
    ("approval_request", DECIDED),
    ("approval_request", ASKED | {"subject": "'bill:2'"}),
    ("approval_request", ASKED | {"kind": "'waiver'"}),
    ("bill", {"bill_no": "'other'", "sequence": 2}),
    ("bill_adjustment", {"state": "'applied'", "applied_bill_id": "of_bill_id"}),
    ("bill_adjustment", {"amount_fen": 5}),
    ("bill_line", {"line_no": 2, "kind": "'waiver'", "amount_fen": -1}),
    ("bill_line", {"line_no": 2, "kind": "'adjustment'", "amount_fen": 1}),
    ("deposit", {"deducted_fen": 4, "returned_fen": 5}),
    ("discount_rule", {"percent": 100}),
    ("fee_item", {"code": "'XX'", "charge_method": "'meter'", "meter_kind": "'gas'"}),
    ("fee_item", {"code": "'XX'", "charge_method": "'formula'", "meter_kind": "'gas'"}),
    (
        "fee_standard",
        {
            "unit_price": "NULL",
            "formula": "'area'",
            "priced_from": "date '2019-01-01'",
            "priced_until": "date '2020-01-01'",
        },
    ),
    (
        "late_fee_rule",
        {
            "daily_rate": "0.01",
            "starts_on": "date '2019-01-01'",
            "ends_on": "date '2020-01-01'",
        },
    ),
    ("meter", {"meter_no": "'W2'", "closed_on": "opened_on", "closing_reading": 5}),
    ("meter_reading", {"superseded_at": "now()"}),
    ("meter_reading", {"read_on": "date '2026-10-30'"}),
    ("one_off_charge", {"sequence": 2}),
    ("prepaid_account", {"fee_item_id": "(SELECT id FROM fee_item)"}),
    ("prepaid_entry", {"kind": "'offset'", "amount_fen": -1}),
    ("prepaid_entry", {"kind": "'correction'", "payment_id": "NULL"}),
    ("prepaid_entry", {"kind": "'transfer'", "other_account_id": "account_id"}),
    ("share_pool", {"state": "'cancelled'"}),
    ("share_pool", {"period_from": "date '2026-09-01'", "units": 5, "unit_price": 1}),
]


class TestConstraints:
    @pytest.mark.parametrize(
        ("table", "changes", "constraint"), REFUSALS, ids=[str(case) for case in REFUSALS]
    )
    def test_what_breaks_a_rule_is_refused(self, copy, table, changes, constraint):
        with pytest.raises(IntegrityError) as refusal:
            copy(table, **changes)

        assert refusal.value.orig.diag.constraint_name == constraint

    @pytest.mark.parametrize(("table", "changes"), ALLOWED, ids=[str(case) for case in ALLOWED])
    def test_what_only_resembles_a_breach_is_taken(self, copy, table, changes):
        assert copy(table, **changes) == 1

    def test_every_rule_of_the_database_is_tried_here(self, database):
        named = database.rows(
            "SELECT conname AS name FROM pg_constraint WHERE contype IN ('c', 'u', 'x')"
            " AND connamespace = 'public'::regnamespace"
            " UNION SELECT indexrelid::regclass::text FROM pg_index"
            " WHERE indisunique AND indpred IS NOT NULL"
        )

        assert {row["name"] for row in named} == {constraint for *_, constraint in REFUSALS}


def refused(database, sql, kind=IntegrityConstraintViolation):
    with pytest.raises(DBAPIError) as refusal:
        database.do(sql)
    assert isinstance(refusal.value.orig, kind)
    return str(refusal.value.orig)


class TestAppendOnly:
    @pytest.mark.parametrize("table", APPEND_ONLY)
    @pytest.mark.parametrize(
        "sql",
        [
            "DELETE FROM {}",
            "DELETE FROM {} WHERE false",
            "TRUNCATE {} CASCADE",
        ],
    )
    def test_rows_do_not_go(self, world, table, sql):
        assert "only grows" in refused(world, sql.format(table))

        assert world.value(f"SELECT count(*) > 0 FROM {table}")

    @pytest.mark.parametrize(
        ("table", "column"),
        [
            ("audit_entry", "facts"),
            ("allocation", "amount_fen"),
            ("payment", "amount_fen"),
            ("receipt", "snapshot"),
            ("bill_line", "amount_fen"),
            ("suspense", "reason"),
            ("prepaid_entry", "amount_fen"),
            ("deposit_entry", "amount_fen"),
            ("channel_call", "outcome"),
            ("receipt_mark", "kind"),
            ("refund_part", "amount_fen"),
            ("shift_count", "counted_fen"),
            ("suspense_resolution", "amount_fen"),
        ],
    )
    def test_rows_do_not_change(self, world, table, column):
        assert "only grows" in refused(world, f"UPDATE {table} SET {column} = {column}")

    @pytest.mark.parametrize(
        "change",
        [
            "amount_fen = 4",
            "refund_no = 'R9'",
            "channel = 'cash'",
            "kind = 'reversal'",
            "created_at = created_at - interval '1 s'",
            "community_id = 1 - coalesce(community_id, 0)",
            "payment_id = (SELECT id FROM payment WHERE out_trade_no = 'P1')",
            "approval_request_id = (SELECT min(id) FROM approval_request)",
        ],
    )
    def test_a_refund_stays_what_it_is(self, world, change):
        assert "cannot be changed so" in refused(
            world, f"UPDATE refund SET {change} WHERE refund_no = 'R2'"
        )

    def test_a_refund_that_ended_stays_ended(self, world):
        refused(world, "UPDATE refund SET state = 'failed', refunded_at = NULL WHERE id = 1")

        ended = "state = 'succeeded', refunded_at = now(), query_at = NULL"
        assert world.do(f"UPDATE refund SET {ended} WHERE refund_no = 'R2'") == 1
        refused(world, "UPDATE refund SET reason = 'x' WHERE refund_no = 'R2'")

    def test_every_trigger_of_the_database_is_tried_here(self, database):
        triggers = database.rows(
            "SELECT tgrelid::regclass || '.' || tgname AS name FROM pg_trigger"
            " WHERE NOT tgisinternal AND tgenabled <> 'D'"
        )

        assert {row["name"] for row in triggers} == {
            *(f"{table}.append_only_{table}" for table in APPEND_ONLY),
            "platform_notice.keep_evidence",
            "refund.keep_refund",
            "bill.check_references",
            "bill.keep_keys",
            "bill.note_collection_insert",
            "bill.note_collection_update",
            "bill_line.check_references",
            "house.keep_billed",
            "house.keep_keys",
            "bill_batch_item.keep_keys",
            "bill_batch_item.keep_billed",
            "owner.add_phones",
            "owner.change_phone",
            "owner.drop_phones",
        }


class TestOwnerPhones:
    """Source: migration 0009. The primary phone of an owner has its row, whoever writes it."""

    @pytest.fixture
    def phones(self, world):
        return lambda: [
            (row["phone"], row["is_primary"])
            for row in world.rows("SELECT phone, is_primary FROM owner_phone ORDER BY phone")
        ]

    @pytest.fixture
    def first(self, phones):
        [(phone, _)] = phones()
        return phone

    def test_an_owner_comes_with_it(self, phones, first):
        assert phones() == [(first, True)]

    def test_many_owners_come_with_theirs(self, world, phones):
        world.do(
            "INSERT INTO owner (community_id, name, phone, created_at)"
            " SELECT id, '甲', '1880000000' || n, now() FROM community, generate_series(1, 3) n"
        )

        assert len(phones()) == 4

    def test_a_new_primary_phone_takes_the_place_of_the_old(self, world, phones):
        world.do("UPDATE owner SET phone = '18800000001'")

        assert phones() == [("18800000001", True)]

    def test_another_phone_becomes_the_primary_one(self, world, copy, phones):
        copy("owner_phone", phone="'18800000001'", is_primary="false")

        world.do("UPDATE owner SET phone = '18800000001'")

        assert phones() == [("18800000001", True)]

    def test_no_phone_is_no_row(self, world, phones):
        world.do("UPDATE owner SET phone = NULL")

        assert phones() == []

    def test_another_phone_of_somebody_is_taken_too(self, copy):
        copy("owner_phone", phone="'18800000001'", is_primary="false")

        with pytest.raises(IntegrityError) as refusal:
            copy("owner", phone="'18800000001'")

        assert refusal.value.orig.diag.constraint_name == "uq_owner_phone_community_id"

    def test_an_owner_goes_with_their_phones(self, world):
        with world.session() as session:
            owner_id = factories.make_owner(session).id

        world.do("DELETE FROM owner WHERE id = :id", id=owner_id)

        assert not world.value("SELECT count(*) FROM owner_phone WHERE owner_id = :id", id=owner_id)


class TestEvidence:
    def test_it_takes_a_verdict_and_a_key(self, world):
        assert world.do("UPDATE platform_notice SET verdict = 'booked', dedup_key = 'two'") == 1

    @pytest.mark.parametrize(
        "change",
        [
            "source = 'other'",
            "received_at = received_at + interval '1 s'",
            "remote_ip = '::1'",
            'headers = \'{"a": "b"}\'',
            "body = 'y'",
            "body_size = 2",
            "body_sha256 = 'y'",
            "request_id = 'y'",
        ],
    )
    def test_what_came_stays_as_it_came(self, world, change):
        message = refused(world, f"UPDATE platform_notice SET {change}, verdict = 'booked'")

        assert "evidence only takes a verdict" in message

    def test_it_does_not_go(self, world):
        refused(world, "DELETE FROM platform_notice")


class TestCollectionChanges:
    """Source: migration 0004. What bills change of the collection summary is noted with it."""

    @pytest.fixture
    def noted(self, world):
        """What was noted since the world was made: count, receivable, received, written off."""
        seen = world.value("SELECT max(id) FROM collection_change")
        return lambda: [
            tuple(row.values())
            for row in world.rows(
                "SELECT bill_count, receivable_fen, received_fen, written_off_fen"
                " FROM collection_change WHERE id > :seen ORDER BY id",
                seen=seen,
            )
        ]

    def test_a_draft_counts_nothing(self, copy, noted):
        copy("bill", bill_no="'other'", sequence=2, state="'pending_review'", paid_fen=0)

        assert noted() == []

    def test_a_bill_counts_once_it_is_published(self, world, copy, noted):
        copy("bill", bill_no="'other'", sequence=2, state="'pending_review'", paid_fen=0)

        world.do("UPDATE bill SET state = 'published' WHERE bill_no = 'other'")

        assert noted() == [(1, 21002, 0, 0)]

    def test_a_voided_bill_counts_no_more(self, world, noted):
        world.do("UPDATE bill SET state = 'voided'")

        assert noted() == [(-1, -21002, -21002, 0)]

    def test_what_is_paid_and_what_is_written_off(self, world, copy, noted):
        copy("bill", bill_no="'other'", sequence=2, state="'published'", paid_fen=0)

        world.do("UPDATE bill SET state = 'partially_paid', paid_fen = 2 WHERE bill_no = 'other'")
        world.do("UPDATE bill SET state = 'written_off' WHERE bill_no = 'other'")

        assert noted() == [(1, 21002, 0, 0), (0, 0, 2, 0), (0, 0, 0, 21000)]

    def test_what_changes_no_sum_is_not_noted(self, world, noted):
        world.do("UPDATE bill SET published_at = now()")

        assert noted() == []

    def test_many_bills_at_once_are_one_change(self, world, noted):
        world.do(
            "INSERT INTO bill (community_id, batch_id, house_id, fee_item_id, bill_no, period_from,"
            " period_until, issue_date, due_date, state, amount_fen, sequence)"
            " SELECT community_id, batch_id, house_id, fee_item_id, n::text, period_from,"
            " period_until, issue_date, due_date, 'published', 3, n"
            " FROM bill, generate_series(2, 1500) n"
        )

        assert noted() == [(1499, 4497, 0, 0)]


class TestBillReferences:
    """Source: docs/adr/0008. The bulk tables check what they refer to once per statement."""

    @pytest.fixture
    def strange(self, world):
        """A house, and an item of a batch, of another community."""
        with world.session() as session:
            house = factories.make_house(session)
            factories.make_bill(session, house=house)
            return house

    @pytest.mark.parametrize(
        "changes",
        [
            {"house_id": 404},
            {"batch_id": 404},
            {"fee_item_id": 404},
            {"community_id": 404},
            {"house_id": "(SELECT max(id) FROM house)"},
            {"community_id": "(SELECT max(id) FROM community)"},
            {"batch_id": "(SELECT max(id) FROM bill_batch)"},
            {"fee_item_id": "(SELECT max(id) FROM fee_item)"},
        ],
    )
    def test_a_bill_refers_to_what_is_there_and_belongs_together(self, copy, strange, changes):
        with pytest.raises(IntegrityError) as refusal:
            copy("bill", bill_no="'other'", state="'cancelled'", **changes)

        assert isinstance(refusal.value.orig, ForeignKeyViolation)

    def test_a_line_refers_to_a_bill_that_is_there(self, copy):
        with pytest.raises(IntegrityError) as refusal:
            copy("bill_line", bill_id=404)

        assert isinstance(refusal.value.orig, ForeignKeyViolation)

    def test_one_bad_row_among_good_ones_stops_all(self, world):
        refused(
            world,
            "INSERT INTO bill_line (bill_id, line_no, amount_fen, trace)"
            " SELECT bill.id, n, 1, CAST('{}' AS jsonb) FROM bill, generate_series(2, 9) n"
            " UNION ALL SELECT 404, 1, 1, CAST('{}' AS jsonb)",
            ForeignKeyViolation,
        )

        assert world.value("SELECT count(*) FROM bill_line") == 1

    def test_a_copy_is_checked_too(self, world):
        with world.engine.connect() as connection:
            cursor = connection.connection.cursor()
            with (
                pytest.raises(ForeignKeyViolation),
                cursor.copy(COPY_LINES) as to,
            ):
                to.write("404\t1\t1\t{}\n")
            connection.rollback()

    @pytest.mark.parametrize(
        "column", ["id", "community_id", "batch_id", "house_id", "fee_item_id"]
    )
    def test_a_bill_keeps_its_keys(self, world, column):
        assert "keeps its keys" in refused(world, f"UPDATE bill SET {column} = {column}")

    @pytest.mark.parametrize("sql", ["DELETE FROM bill", "TRUNCATE bill CASCADE"])
    def test_a_bill_does_not_go(self, world, sql):
        refused(world, sql)

        assert world.value("SELECT count(*) FROM bill") == 1

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE house SET community_id = community_id",
            "UPDATE house SET id = id",
            "TRUNCATE house CASCADE",
            "UPDATE bill_batch_item SET fee_item_id = fee_item_id",
            "UPDATE bill_batch_item SET batch_id = batch_id",
            "TRUNCATE bill_batch_item",
        ],
    )
    def test_what_it_hangs_on_keeps_its_keys(self, world, sql):
        assert "keeps its keys" in refused(world, sql)

    @pytest.mark.parametrize("table", ["house", "bill_batch_item"])
    def test_what_has_bills_does_not_go(self, world, table):
        assert "has bills" in refused(world, f"DELETE FROM {table}", ForeignKeyViolation)

    def test_a_house_without_bills_may_go(self, world):
        with world.session() as session:
            house_id = factories.make_house(session).id

        assert world.do("DELETE FROM house WHERE id = :id", id=house_id) == 1

    def test_a_house_whose_bill_is_being_written_does_not_go(self, world):
        """The delete waits for the writer and then sees the bill."""
        with world.session() as session:
            house = factories.make_house(session)
        results = []

        def delete():
            try:
                results.append(world.do("DELETE FROM house WHERE id = :id", id=house.id))
            except IntegrityError as error:
                results.append(type(error.orig))

        thread = threading.Thread(target=delete)
        with world.session() as session:
            factories.make_bill(session, house=house)
            thread.start()
            thread.join(timeout=0.2)
            assert results == []
        thread.join(timeout=30)

        assert results == [ForeignKeyViolation]
