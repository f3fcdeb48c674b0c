"""Give the money core its tables: meters, pools, discounts, late fees, prepaid money, approvals

Lock: ACCESS EXCLUSIVE on bill, bill_line, fee_item, payment and their like while columns with
constant defaults and checks are added: each is read once; bill and bill_line are rewritten
(a computed column; traces become json).
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

CHECKS = (
    (
        "allocation",
        "ck_allocation_principal_of_a_line",
        "(kind = 'principal') = (line_no IS NOT NULL)",
    ),
    (
        "bill_line",
        "ck_bill_line_kind_known",
        "kind IN ('principal', 'discount', 'adjustment', 'waiver')",
    ),
    (
        "bill_line",
        "ck_bill_line_taken_off_is_negative",
        "kind NOT IN ('discount', 'waiver') OR amount_fen < 0",
    ),
    ("community", "ck_community_review_change_percent_range", "review_change_percent >= 0"),
    (
        "fee_item",
        "ck_fee_item_billing_timing_known",
        "billing_timing IN ('in_advance', 'in_arrears')",
    ),
    ("fee_item", "ck_fee_item_cycle_anchor_known", "cycle_anchor IN ('calendar', 'anniversary')"),
    ("fee_item", "ck_fee_item_cycle_from_month_range", "cycle_from_month BETWEEN 1 AND 12"),
    ("fee_item", "ck_fee_item_cycle_months_known", "cycle_months IN (1, 2, 3, 6, 12)"),
    ("fee_item", "ck_fee_item_due_day_range", "due_day BETWEEN 1 AND 31"),
    (
        "fee_item",
        "ck_fee_item_meter_has_kind",
        "(charge_method = 'meter') <= (meter_kind IS NOT NULL)",
    ),
    (
        "fee_item",
        "ck_fee_item_meter_kind_known",
        "meter_kind IN ('cold_water', 'hot_water', 'electricity', 'gas', 'heat')",
    ),
    ("fee_item", "ck_fee_item_tier_from_month_range", "tier_from_month BETWEEN 1 AND 12"),
    ("fee_item", "ck_fee_item_tier_window_known", "tier_window IN ('month', 'year')"),
    ("fee_item", "ck_fee_item_vacancy_rate_range", "vacancy_rate >= 0 AND vacancy_rate <= 1"),
    (
        "fee_standard",
        "ck_fee_standard_one_way_to_price",
        "num_nonnulls(unit_price, tiers, formula) = 1",
    ),
    ("fee_standard", "ck_fee_standard_surcharge_range", "surcharge >= 0"),
    ("house", "ck_house_household_size_positive", "household_size > 0"),
    (
        "payment",
        "ck_payment_channel_known",
        "channel IN ('wechat', 'cash', 'card', 'bank_transfer', 'cheque', 'prepaid', 'deposit')",
    ),
    ("payment_order", "ck_payment_order_topup_fen_range", "topup_fen >= 0"),
    (
        "payment_order",
        "ck_payment_order_topup_of_a_house",
        "(topup_fen > 0) = (topup_house_id IS NOT NULL)",
    ),
    (
        "payment_order_bill",
        "ck_payment_order_bill_parts_range",
        "amount_fen >= 0 AND late_fee_fen >= 0 AND discount_fen >= 0",
    ),
)
CHANGED = (
    (
        "allocation",
        "ck_allocation_kind_known",
        "kind IN ('principal')",
        "kind IN ('principal', 'late_fee')",
    ),
    (
        "bill",
        "ck_bill_state_known",
        "state IN ('pending_review', 'cancelled', 'published', 'partially_paid', 'paid', 'voided')",
        "state IN ('pending_review', 'cancelled', 'published', 'partially_paid', 'paid', 'voided', 'written_off')",
    ),
    (
        "fee_item",
        "ck_fee_item_charge_method_known",
        "charge_method IN ('area', 'fixed')",
        "charge_method IN ('area', 'fixed', 'meter', 'share', 'formula', 'one_off')",
    ),
)


def upgrade() -> None:
    op.create_table(
        "staff_token",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_staff_token_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_token")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_staff_token_token_sha256")),
    )
    op.create_table(
        "collection_change",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("period_month", sa.Date(), nullable=False),
        sa.Column("building_id", sa.BigInteger(), nullable=False),
        sa.Column("fee_item_id", sa.BigInteger(), nullable=False),
        sa.Column("due_date", sa.Date(), nullable=False),
        sa.Column("bill_count", sa.BigInteger(), nullable=False),
        sa.Column("receivable_fen", sa.BigInteger(), nullable=False),
        sa.Column("received_fen", sa.BigInteger(), nullable=False),
        sa.Column("written_off_fen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collection_change")),
    )
    op.create_index(
        "ix_collection_change_community_id", "collection_change", ["community_id"], unique=False
    )
    op.create_table(
        "collection_summary",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("period_month", sa.Date(), nullable=False),
        sa.Column("building_id", sa.BigInteger(), nullable=False),
        sa.Column("fee_item_id", sa.BigInteger(), nullable=False),
        sa.Column("due_date", sa.Date(), nullable=False),
        sa.Column("bill_count", sa.BigInteger(), nullable=False),
        sa.Column("receivable_fen", sa.BigInteger(), nullable=False),
        sa.Column("received_fen", sa.BigInteger(), nullable=False),
        sa.Column("written_off_fen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "community_id",
            "period_month",
            "building_id",
            "fee_item_id",
            "due_date",
            name=op.f("pk_collection_summary"),
        ),
    )
    op.create_table(
        "bill_late_fee",
        sa.Column("bill_id", sa.BigInteger(), nullable=False),
        sa.Column("paid_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("waived_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("frozen_fen", sa.BigInteger(), nullable=True),
        sa.Column("frozen_on", sa.Date(), nullable=True),
        sa.Column("trace", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint(
            "(frozen_fen IS NULL) = (frozen_on IS NULL) AND (frozen_on IS NULL) = (trace IS NULL)",
            name=op.f("ck_bill_late_fee_frozen_as_a_whole"),
        ),
        sa.CheckConstraint(
            "frozen_fen >= paid_fen", name=op.f("ck_bill_late_fee_frozen_fen_range")
        ),
        sa.CheckConstraint("paid_fen >= 0", name=op.f("ck_bill_late_fee_paid_fen_range")),
        sa.CheckConstraint("waived_fen >= 0", name=op.f("ck_bill_late_fee_waived_fen_range")),
        sa.ForeignKeyConstraint(
            ["bill_id"], ["bill.id"], name=op.f("fk_bill_late_fee_bill_id_bill")
        ),
        sa.PrimaryKeyConstraint("bill_id", name=op.f("pk_bill_late_fee")),
    )
    op.create_table(
        "discount_rule",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("percent", sa.Numeric(precision=10, scale=4), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("buy_months", sa.Integer(), nullable=True),
        sa.Column("free_months", sa.Integer(), nullable=True),
        sa.Column("early_days", sa.Integer(), nullable=True),
        sa.Column("priority", sa.Integer(), server_default="100", nullable=False),
        sa.Column("is_stackable", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("cap_fen", sa.BigInteger(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column(
            "is_for_all_houses", sa.Boolean(), server_default=sa.text("true"), nullable=False
        ),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('percentage', 'fixed', 'free_months', 'early_payment', 'vacancy')",
            name=op.f("ck_discount_rule_kind_known"),
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_discount_rule_amount_fen_positive")),
        sa.CheckConstraint("cap_fen > 0", name=op.f("ck_discount_rule_cap_fen_positive")),
        sa.CheckConstraint("ends_on > starts_on", name=op.f("ck_discount_rule_span_not_empty")),
        sa.CheckConstraint(
            "percent > 0 AND percent <= 100", name=op.f("ck_discount_rule_percent_range")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_discount_rule_community_id_community")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_discount_rule")),
    )
    op.create_index(
        "ix_discount_rule_community_id", "discount_rule", ["community_id"], unique=False
    )
    op.create_table(
        "late_fee_pause",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=True),
        sa.Column("paused_from", sa.Date(), nullable=False),
        sa.Column("paused_until", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by_staff_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "paused_until > paused_from", name=op.f("ck_late_fee_pause_span_not_empty")
        ),
        sa.ForeignKeyConstraint(
            ["bill_id"], ["bill.id"], name=op.f("fk_late_fee_pause_bill_id_bill")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
            name=op.f("fk_late_fee_pause_community_id_community"),
        ),
        sa.ForeignKeyConstraint(
            ["made_by_staff_id"],
            ["staff.id"],
            name=op.f("fk_late_fee_pause_made_by_staff_id_staff"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_late_fee_pause")),
    )
    op.create_index("ix_late_fee_pause_bill_id", "late_fee_pause", ["bill_id"], unique=False)
    op.create_index(
        "ix_late_fee_pause_community_id", "late_fee_pause", ["community_id"], unique=False
    )
    op.create_table(
        "bill_batch_tick",
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("fee_item_id", sa.BigInteger(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("ticked_by_staff_id", sa.BigInteger(), nullable=False),
        sa.Column("ticked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["bill_batch.id"], name=op.f("fk_bill_batch_tick_batch_id_bill_batch")
        ),
        sa.ForeignKeyConstraint(
            ["fee_item_id"], ["fee_item.id"], name=op.f("fk_bill_batch_tick_fee_item_id_fee_item")
        ),
        sa.ForeignKeyConstraint(
            ["ticked_by_staff_id"],
            ["staff.id"],
            name=op.f("fk_bill_batch_tick_ticked_by_staff_id_staff"),
        ),
        sa.PrimaryKeyConstraint("batch_id", "kind", "fee_item_id", name=op.f("pk_bill_batch_tick")),
    )
    op.create_table(
        "discount_item",
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("fee_item_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["fee_item_id"], ["fee_item.id"], name=op.f("fk_discount_item_fee_item_id_fee_item")
        ),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["discount_rule.id"], name=op.f("fk_discount_item_rule_id_discount_rule")
        ),
        sa.PrimaryKeyConstraint("rule_id", "fee_item_id", name=op.f("pk_discount_item")),
    )
    op.create_table(
        "late_fee_rule",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("fee_item_id", sa.BigInteger(), nullable=False),
        sa.Column("daily_rate", sa.Numeric(precision=10, scale=8), nullable=False),
        sa.Column("cap_ratio", sa.Numeric(precision=10, scale=8), nullable=True),
        sa.Column("grace_days", sa.Integer(), server_default="0", nullable=False),
        sa.Column("grace_mode", sa.Text(), server_default="exempt", nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("fee_item_id"), "="),
            (sa.text("daterange(starts_on, ends_on)"), "&&"),
            using="gist",
            name="ex_late_fee_rule_fee_item_id",
        ),
        sa.CheckConstraint(
            "grace_mode IN ('exempt', 'retroactive')",
            name=op.f("ck_late_fee_rule_grace_mode_known"),
        ),
        sa.CheckConstraint("cap_ratio > 0", name=op.f("ck_late_fee_rule_cap_ratio_positive")),
        sa.CheckConstraint(
            "daily_rate > 0 AND daily_rate <= 0.01", name=op.f("ck_late_fee_rule_daily_rate_range")
        ),
        sa.CheckConstraint("ends_on > starts_on", name=op.f("ck_late_fee_rule_span_not_empty")),
        sa.CheckConstraint("grace_days >= 0", name=op.f("ck_late_fee_rule_grace_days_range")),
        sa.ForeignKeyConstraint(
            ["fee_item_id"], ["fee_item.id"], name=op.f("fk_late_fee_rule_fee_item_id_fee_item")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_late_fee_rule")),
    )
    op.create_table(
        "share_pool",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("fee_item_id", sa.BigInteger(), nullable=False),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_until", sa.Date(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.Numeric(precision=14, scale=4), nullable=True),
        sa.Column("unit_price", sa.Numeric(precision=12, scale=6), nullable=True),
        sa.Column("share_by", sa.Text(), nullable=False),
        sa.Column("building_ids", sa.ARRAY(sa.BigInteger()), nullable=True),
        sa.Column("source_document", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("made_by_staff_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "share_by IN ('area', 'household', 'coefficient', 'custom')",
            name=op.f("ck_share_pool_share_by_known"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'cancelled')", name=op.f("ck_share_pool_state_known")
        ),
        sa.CheckConstraint(
            "(units IS NULL) = (unit_price IS NULL)", name=op.f("ck_share_pool_units_with_price")
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_share_pool_amount_fen_positive")),
        sa.CheckConstraint("period_until > period_from", name=op.f("ck_share_pool_span_not_empty")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_share_pool_community_id_community")
        ),
        sa.ForeignKeyConstraint(
            ["fee_item_id"], ["fee_item.id"], name=op.f("fk_share_pool_fee_item_id_fee_item")
        ),
        sa.ForeignKeyConstraint(
            ["made_by_staff_id"], ["staff.id"], name=op.f("fk_share_pool_made_by_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_pool")),
    )
    op.create_index(
        "uq_share_pool_open",
        "share_pool",
        ["fee_item_id", "period_from"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "approval_request",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("house_id", sa.BigInteger(), nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "facts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_by_staff_id", sa.BigInteger(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by_staff_id", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_note", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "(state = 'requested') = (decided_by_staff_id IS NULL)",
            name=op.f("ck_approval_request_decided_by_somebody"),
        ),
        sa.CheckConstraint(
            "kind IN ('waiver', 'void', 'write_off', 'late_fee_waiver', 'adjustment', 'prepaid_refund', 'deposit_return')",
            name=op.f("ck_approval_request_kind_known"),
        ),
        sa.CheckConstraint(
            "state IN ('requested', 'approved', 'rejected')",
            name=op.f("ck_approval_request_state_known"),
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_approval_request_amount_fen_positive")),
        sa.CheckConstraint(
            "decided_by_staff_id <> requested_by_staff_id",
            name=op.f("ck_approval_request_two_people"),
        ),
        sa.ForeignKeyConstraint(
            ["bill_id"], ["bill.id"], name=op.f("fk_approval_request_bill_id_bill")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
            name=op.f("fk_approval_request_community_id_community"),
        ),
        sa.ForeignKeyConstraint(
            ["decided_by_staff_id"],
            ["staff.id"],
            name=op.f("fk_approval_request_decided_by_staff_id_staff"),
        ),
        sa.ForeignKeyConstraint(
            ["house_id"], ["house.id"], name=op.f("fk_approval_request_house_id_house")
        ),
        sa.ForeignKeyConstraint(
            ["requested_by_staff_id"],
            ["staff.id"],
            name=op.f("fk_approval_request_requested_by_staff_id_staff"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_request")),
    )
    op.create_index(
        "ix_approval_request_community_id",
        "approval_request",
        ["community_id", "state"],
        unique=False,
    )
    op.create_index(
        "uq_approval_request_open",
        "approval_request",
        ["kind", "subject"],
        unique=True,
        postgresql_where=sa.text("state = 'requested'"),
    )
    op.create_table(
        "deposit",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("house_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("payer_name", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("deducted_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("returned_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_deposit_amount_fen_positive")),
        sa.CheckConstraint(
            "deducted_fen >= 0 AND returned_fen >= 0 AND deducted_fen + returned_fen <= amount_fen",
            name=op.f("ck_deposit_spent_range"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_deposit_community_id_community")
        ),
        sa.ForeignKeyConstraint(["house_id"], ["house.id"], name=op.f("fk_deposit_house_id_house")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deposit")),
    )
    op.create_index("ix_deposit_community_id", "deposit", ["community_id"], unique=False)
    op.create_index("ix_deposit_house_id", "deposit", ["house_id"], unique=False)
    op.create_table(
        "discount_house",
        sa.Column("rule_id", sa.BigInteger(), nullable=False),
        sa.Column("house_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["house_id"], ["house.id"], name=op.f("fk_discount_house_house_id_house")
        ),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["discount_rule.id"], name=op.f("fk_discount_house_rule_id_discount_rule")
        ),
        sa.PrimaryKeyConstraint("rule_id", "house_id", name=op.f("pk_discount_house")),
    )
    op.create_table(
        "house_measure",
        sa.Column("house_id", sa.BigInteger(), nullable=False),
        sa.Column("measured_until", sa.Date(), nullable=False),
        sa.Column("billing_area", sa.Numeric(precision=10, scale=4), nullable=False),
        sa.Column("fee_coefficient", sa.Numeric(precision=10, scale=4), nullable=False),
        sa.CheckConstraint("billing_area > 0", name=op.f("ck_house_measure_billing_area_positive")),
        sa.CheckConstraint(
            "fee_coefficient > 0", name=op.f("ck_house_measure_fee_coefficient_positive")
        ),
        sa.ForeignKeyConstraint(
            ["house_id"], ["house.id"], name=op.f("fk_house_measure_house_id_house")
        ),
        sa.PrimaryKeyConstraint("house_id", "measured_until", name=op.f("pk_house_measure")),
    )
    op.create_table(
        "meter",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("house_id", sa.BigInteger(), nullable=True),
        sa.Column("meter_no", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "multiplier", sa.Numeric(precision=10, scale=4), server_default="1", nullable=False
        ),
        sa.Column("modulus", sa.Numeric(precision=14, scale=4), nullable=True),
        sa.Column("opening_reading", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("closing_reading", sa.Numeric(precision=14, scale=4), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("replaces_meter_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('cold_water', 'hot_water', 'electricity', 'gas', 'heat')",
            name=op.f("ck_meter_kind_known"),
        ),
        sa.CheckConstraint(
            "(closed_on IS NULL) = (closing_reading IS NULL)",
            name=op.f("ck_meter_closed_with_reading"),
        ),
        sa.CheckConstraint("closed_on >= opened_on", name=op.f("ck_meter_span_in_order")),
        sa.CheckConstraint("modulus > 0", name=op.f("ck_meter_modulus_positive")),
        sa.CheckConstraint("multiplier > 0", name=op.f("ck_meter_multiplier_positive")),
        sa.CheckConstraint("opening_reading >= 0", name=op.f("ck_meter_opening_reading_range")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_meter_community_id_community")
        ),
        sa.ForeignKeyConstraint(["house_id"], ["house.id"], name=op.f("fk_meter_house_id_house")),
        sa.ForeignKeyConstraint(
            ["replaces_meter_id"], ["meter.id"], name=op.f("fk_meter_replaces_meter_id_meter")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meter")),
        sa.UniqueConstraint("community_id", "meter_no", name=op.f("uq_meter_community_id")),
    )
    op.create_index("ix_meter_house_id", "meter", ["house_id", "kind"], unique=False)
    op.create_table(
        "one_off_charge",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("house_id", sa.BigInteger(), nullable=False),
        sa.Column("fee_item_id", sa.BigInteger(), nullable=False),
        sa.Column("charged_on", sa.Date(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("source_document", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("made_by_staff_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'cancelled')", name=op.f("ck_one_off_charge_state_known")
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_one_off_charge_amount_fen_positive")),
        sa.CheckConstraint("sequence > 0", name=op.f("ck_one_off_charge_sequence_positive")),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
            name=op.f("fk_one_off_charge_community_id_community"),
        ),
        sa.ForeignKeyConstraint(
            ["fee_item_id"], ["fee_item.id"], name=op.f("fk_one_off_charge_fee_item_id_fee_item")
        ),
        sa.ForeignKeyConstraint(
            ["house_id"], ["house.id"], name=op.f("fk_one_off_charge_house_id_house")
        ),
        sa.ForeignKeyConstraint(
            ["made_by_staff_id"],
            ["staff.id"],
            name=op.f("fk_one_off_charge_made_by_staff_id_staff"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_off_charge")),
        sa.UniqueConstraint(
            "house_id",
            "fee_item_id",
            "charged_on",
            "sequence",
            name=op.f("uq_one_off_charge_house_id"),
        ),
    )
    op.create_index(
        "ix_one_off_charge_community_id",
        "one_off_charge",
        ["community_id", "charged_on"],
        unique=False,
    )
    op.create_table(
        "prepaid_account",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("house_id", sa.BigInteger(), nullable=False),
        sa.Column("fee_item_id", sa.BigInteger(), nullable=True),
        sa.Column("balance_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("balance_fen >= 0", name=op.f("ck_prepaid_account_balance_fen_range")),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
            name=op.f("fk_prepaid_account_community_id_community"),
        ),
        sa.ForeignKeyConstraint(
            ["fee_item_id"], ["fee_item.id"], name=op.f("fk_prepaid_account_fee_item_id_fee_item")
        ),
        sa.ForeignKeyConstraint(
            ["house_id"], ["house.id"], name=op.f("fk_prepaid_account_house_id_house")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prepaid_account")),
        sa.UniqueConstraint(
            "house_id",
            "fee_item_id",
            name=op.f("uq_prepaid_account_house_id"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index(
        "ix_prepaid_account_community_id", "prepaid_account", ["community_id"], unique=False
    )
    op.create_table(
        "share_pool_weight",
        sa.Column("pool_id", sa.BigInteger(), nullable=False),
        sa.Column("house_id", sa.BigInteger(), nullable=False),
        sa.Column("weight", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.CheckConstraint("weight > 0", name=op.f("ck_share_pool_weight_weight_positive")),
        sa.ForeignKeyConstraint(
            ["house_id"], ["house.id"], name=op.f("fk_share_pool_weight_house_id_house")
        ),
        sa.ForeignKeyConstraint(
            ["pool_id"], ["share_pool.id"], name=op.f("fk_share_pool_weight_pool_id_share_pool")
        ),
        sa.PrimaryKeyConstraint("pool_id", "house_id", name=op.f("pk_share_pool_weight")),
    )
    op.create_table(
        "bill_adjustment",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("house_id", sa.BigInteger(), nullable=False),
        sa.Column("fee_item_id", sa.BigInteger(), nullable=False),
        sa.Column("of_bill_id", sa.BigInteger(), nullable=False),
        sa.Column("approval_request_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("applied_bill_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(state = 'applied') = (applied_bill_id IS NOT NULL)",
            name=op.f("ck_bill_adjustment_applied_to_a_bill"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'applied', 'cancelled')", name=op.f("ck_bill_adjustment_state_known")
        ),
        sa.CheckConstraint("amount_fen <> 0", name=op.f("ck_bill_adjustment_amount_fen_not_zero")),
        sa.ForeignKeyConstraint(
            ["applied_bill_id"], ["bill.id"], name=op.f("fk_bill_adjustment_applied_bill_id_bill")
        ),
        sa.ForeignKeyConstraint(
            ["approval_request_id"],
            ["approval_request.id"],
            name=op.f("fk_bill_adjustment_approval_request_id_approval_request"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
            name=op.f("fk_bill_adjustment_community_id_community"),
        ),
        sa.ForeignKeyConstraint(
            ["fee_item_id"], ["fee_item.id"], name=op.f("fk_bill_adjustment_fee_item_id_fee_item")
        ),
        sa.ForeignKeyConstraint(
            ["house_id"], ["house.id"], name=op.f("fk_bill_adjustment_house_id_house")
        ),
        sa.ForeignKeyConstraint(
            ["of_bill_id"], ["bill.id"], name=op.f("fk_bill_adjustment_of_bill_id_bill")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bill_adjustment")),
    )
    op.create_index(
        "ix_bill_adjustment_open",
        "bill_adjustment",
        ["community_id", "house_id"],
        unique=False,
        postgresql_where=sa.text("state <> 'cancelled'"),
    )
    op.create_table(
        "meter_reading",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("meter_id", sa.BigInteger(), nullable=False),
        sa.Column("read_on", sa.Date(), nullable=False),
        sa.Column("reading", sa.Numeric(precision=14, scale=4), nullable=False),
        sa.Column("is_rollover", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("read_by_staff_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("superseded_because", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "source IN ('manual', 'excel', 'api')", name=op.f("ck_meter_reading_source_known")
        ),
        sa.CheckConstraint("reading >= 0", name=op.f("ck_meter_reading_reading_range")),
        sa.ForeignKeyConstraint(
            ["meter_id"], ["meter.id"], name=op.f("fk_meter_reading_meter_id_meter")
        ),
        sa.ForeignKeyConstraint(
            ["read_by_staff_id"], ["staff.id"], name=op.f("fk_meter_reading_read_by_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meter_reading")),
    )
    op.create_index(
        "uq_meter_reading_live",
        "meter_reading",
        ["meter_id", "read_on"],
        unique=True,
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.create_table(
        "refund",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("house_id", sa.BigInteger(), nullable=False),
        sa.Column("approval_request_id", sa.BigInteger(), nullable=False),
        sa.Column("refund_no", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("payee_name", sa.Text(), nullable=False),
        sa.Column("payee_phone", sa.Text(), nullable=False),
        sa.Column("voucher_no", sa.Text(), server_default="", nullable=False),
        sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "channel IN ('cash', 'bank_transfer')", name=op.f("ck_refund_channel_known")
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_refund_amount_fen_positive")),
        sa.ForeignKeyConstraint(
            ["approval_request_id"],
            ["approval_request.id"],
            name=op.f("fk_refund_approval_request_id_approval_request"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_refund_community_id_community")
        ),
        sa.ForeignKeyConstraint(["house_id"], ["house.id"], name=op.f("fk_refund_house_id_house")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund")),
        sa.UniqueConstraint("approval_request_id", name=op.f("uq_refund_approval_request_id")),
        sa.UniqueConstraint("refund_no", name=op.f("uq_refund_refund_no")),
    )
    op.create_index("ix_refund_community_id", "refund", ["community_id"], unique=False)
    op.create_table(
        "deposit_entry",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("deposit_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("refund_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "CASE kind WHEN 'return' THEN refund_id IS NOT NULL ELSE payment_id IS NOT NULL END",
            name=op.f("ck_deposit_entry_kind_fits"),
        ),
        sa.CheckConstraint(
            "kind IN ('take', 'deduct', 'return')", name=op.f("ck_deposit_entry_kind_known")
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_deposit_entry_amount_fen_positive")),
        sa.ForeignKeyConstraint(
            ["deposit_id"], ["deposit.id"], name=op.f("fk_deposit_entry_deposit_id_deposit")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payment.id"], name=op.f("fk_deposit_entry_payment_id_payment")
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refund.id"], name=op.f("fk_deposit_entry_refund_id_refund")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_deposit_entry_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deposit_entry")),
    )
    op.create_index("ix_deposit_entry_deposit_id", "deposit_entry", ["deposit_id"], unique=False)
    op.create_index("ix_deposit_entry_payment_id", "deposit_entry", ["payment_id"], unique=False)
    op.create_table(
        "prepaid_entry",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("balance_fen", sa.BigInteger(), nullable=False),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("refund_id", sa.BigInteger(), nullable=True),
        sa.Column("other_account_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "CASE kind WHEN 'topup' THEN amount_fen > 0 AND payment_id IS NOT NULL WHEN 'offset' THEN amount_fen < 0 AND payment_id IS NOT NULL WHEN 'refund' THEN amount_fen < 0 AND refund_id IS NOT NULL WHEN 'transfer' THEN other_account_id IS NOT NULL ELSE true END",
            name=op.f("ck_prepaid_entry_kind_fits"),
        ),
        sa.CheckConstraint(
            "kind IN ('topup', 'offset', 'refund', 'transfer', 'correction')",
            name=op.f("ck_prepaid_entry_kind_known"),
        ),
        sa.CheckConstraint("amount_fen <> 0", name=op.f("ck_prepaid_entry_amount_fen_not_zero")),
        sa.CheckConstraint("balance_fen >= 0", name=op.f("ck_prepaid_entry_balance_fen_range")),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["prepaid_account.id"],
            name=op.f("fk_prepaid_entry_account_id_prepaid_account"),
        ),
        sa.ForeignKeyConstraint(
            ["other_account_id"],
            ["prepaid_account.id"],
            name=op.f("fk_prepaid_entry_other_account_id_prepaid_account"),
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payment.id"], name=op.f("fk_prepaid_entry_payment_id_payment")
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refund.id"], name=op.f("fk_prepaid_entry_refund_id_refund")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_prepaid_entry_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prepaid_entry")),
    )
    op.create_index(
        "ix_prepaid_entry_account_id", "prepaid_entry", ["account_id", "id"], unique=False
    )
    op.create_index("ix_prepaid_entry_payment_id", "prepaid_entry", ["payment_id"], unique=False)
    op.alter_column("allocation", "line_no", existing_type=sa.INTEGER(), nullable=True)
    op.create_foreign_key(
        op.f("fk_allocation_bill_id_bill"), "allocation", "bill", ["bill_id"], ["id"]
    )
    op.add_column("bill", sa.Column("sequence", sa.Integer(), server_default="1", nullable=False))
    op.add_column("bill", sa.Column("replaces_bill_id", sa.BigInteger(), nullable=True))
    op.add_column(
        "bill",
        sa.Column(
            "is_live",
            sa.Boolean(),
            sa.Computed("state <> ALL (ARRAY['cancelled'::text, 'voided'::text])", persisted=True),
            nullable=False,
        ),
    )
    op.execute("ALTER TABLE bill SET (fillfactor = 50)")
    op.drop_index(
        op.f("uq_bill_live"),
        table_name="bill",
        postgresql_where="(state <> ALL (ARRAY['cancelled'::text, 'voided'::text]))",
    )
    op.create_index(
        "uq_bill_live",
        "bill",
        ["house_id", "fee_item_id", "period_from", "sequence"],
        unique=True,
        postgresql_where=sa.text("is_live"),
    )
    op.create_index(
        "ix_bill_gone",
        "bill",
        ["house_id", "fee_item_id", "period_from"],
        unique=False,
        postgresql_where=sa.text("NOT is_live"),
    )
    op.add_column(
        "bill_line", sa.Column("kind", sa.Text(), server_default="principal", nullable=False)
    )
    op.execute("ALTER TABLE bill_line ALTER COLUMN trace TYPE json USING trace::json")
    op.add_column(
        "community",
        sa.Column("late_fee_first", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "community",
        sa.Column("offsets_prepaid", sa.Boolean(), server_default=sa.text("true"), nullable=False),
    )
    op.add_column(
        "community",
        sa.Column("review_change_percent", sa.Integer(), server_default="20", nullable=False),
    )
    op.add_column(
        "fee_item", sa.Column("cycle_months", sa.Integer(), server_default="1", nullable=False)
    )
    op.add_column(
        "fee_item", sa.Column("cycle_anchor", sa.Text(), server_default="calendar", nullable=False)
    )
    op.add_column(
        "fee_item", sa.Column("cycle_from_month", sa.Integer(), server_default="1", nullable=False)
    )
    op.add_column(
        "fee_item",
        sa.Column("billing_timing", sa.Text(), server_default="in_arrears", nullable=False),
    )
    op.add_column("fee_item", sa.Column("due_day", sa.Integer(), nullable=True))
    op.add_column(
        "fee_item",
        sa.Column("is_per_period", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "fee_item",
        sa.Column(
            "vacancy_rate", sa.Numeric(precision=10, scale=8), server_default="1", nullable=False
        ),
    )
    op.add_column("fee_item", sa.Column("meter_kind", sa.String(), nullable=True))
    op.add_column(
        "fee_item", sa.Column("tier_window", sa.Text(), server_default="month", nullable=False)
    )
    op.add_column(
        "fee_item", sa.Column("tier_from_month", sa.Integer(), server_default="1", nullable=False)
    )
    op.add_column(
        "fee_item",
        sa.Column(
            "is_tier_per_house", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
    )
    op.add_column(
        "fee_item",
        sa.Column(
            "is_tier_per_person", sa.Boolean(), server_default=sa.text("false"), nullable=False
        ),
    )
    op.add_column(
        "fee_standard",
        sa.Column(
            "surcharge", sa.Numeric(precision=12, scale=6), server_default="0", nullable=False
        ),
    )
    op.add_column(
        "fee_standard",
        sa.Column(
            "tiers", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
    )
    op.add_column("fee_standard", sa.Column("formula", sa.String(), nullable=True))
    op.add_column(
        "fee_standard",
        sa.Column(
            "constants",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
    )
    op.alter_column(
        "fee_standard", "unit_price", existing_type=sa.NUMERIC(precision=12, scale=6), nullable=True
    )
    op.add_column("house", sa.Column("household_size", sa.Integer(), nullable=True))
    op.add_column("idempotency_key", sa.Column("payment_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_idempotency_key_payment_id_payment"),
        "idempotency_key",
        "payment",
        ["payment_id"],
        ["id"],
    )
    op.add_column("payment", sa.Column("house_id", sa.BigInteger(), nullable=True))
    op.add_column("payment", sa.Column("taken_by_staff_id", sa.BigInteger(), nullable=True))
    op.add_column("payment", sa.Column("payer_name", sa.Text(), server_default="", nullable=False))
    op.add_column("payment", sa.Column("voucher_no", sa.Text(), server_default="", nullable=False))
    op.add_column("payment", sa.Column("note", sa.Text(), server_default="", nullable=False))
    op.create_index("ix_payment_community_id", "payment", ["community_id", "paid_at"], unique=False)
    op.create_foreign_key(
        op.f("fk_payment_house_id_house"), "payment", "house", ["house_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_payment_taken_by_staff_id_staff"),
        "payment",
        "staff",
        ["taken_by_staff_id"],
        ["id"],
    )
    op.add_column(
        "payment_order", sa.Column("topup_fen", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column("payment_order", sa.Column("topup_house_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_payment_order_topup_house_id_house"),
        "payment_order",
        "house",
        ["topup_house_id"],
        ["id"],
    )
    op.add_column(
        "payment_order_bill",
        sa.Column("late_fee_fen", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.add_column(
        "payment_order_bill",
        sa.Column("discount_fen", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.add_column(
        "payment_order_bill", sa.Column("discount_rule_id", sa.BigInteger(), nullable=True)
    )
    op.create_foreign_key(
        op.f("fk_payment_order_bill_discount_rule_id_discount_rule"),
        "payment_order_bill",
        "discount_rule",
        ["discount_rule_id"],
        ["id"],
    )
    for table, name, _, after in CHANGED:
        op.drop_constraint(op.f(name), table, type_="check")
        op.create_check_constraint(op.f(name), table, after)
    for table, name, rule in CHECKS:
        op.create_check_constraint(op.f(name), table, rule)


def downgrade() -> None:
    op.drop_table("staff_token")
    for table, name, _ in CHECKS:
        op.drop_constraint(op.f(name), table, type_="check")
    for table, name, before, _ in CHANGED:
        op.drop_constraint(op.f(name), table, type_="check")
        op.create_check_constraint(op.f(name), table, before)
    op.drop_constraint(
        op.f("fk_payment_order_bill_discount_rule_id_discount_rule"),
        "payment_order_bill",
        type_="foreignkey",
    )
    op.drop_column("payment_order_bill", "discount_rule_id")
    op.drop_column("payment_order_bill", "discount_fen")
    op.drop_column("payment_order_bill", "late_fee_fen")
    op.drop_constraint(
        op.f("fk_payment_order_topup_house_id_house"), "payment_order", type_="foreignkey"
    )
    op.drop_column("payment_order", "topup_house_id")
    op.drop_column("payment_order", "topup_fen")
    op.drop_constraint(op.f("fk_payment_taken_by_staff_id_staff"), "payment", type_="foreignkey")
    op.drop_constraint(op.f("fk_payment_house_id_house"), "payment", type_="foreignkey")
    op.drop_index("ix_payment_community_id", table_name="payment")
    op.drop_column("payment", "note")
    op.drop_column("payment", "voucher_no")
    op.drop_column("payment", "payer_name")
    op.drop_column("payment", "taken_by_staff_id")
    op.drop_column("payment", "house_id")
    op.drop_constraint(
        op.f("fk_idempotency_key_payment_id_payment"), "idempotency_key", type_="foreignkey"
    )
    op.drop_column("idempotency_key", "payment_id")
    op.drop_column("house", "household_size")
    op.alter_column(
        "fee_standard",
        "unit_price",
        existing_type=sa.NUMERIC(precision=12, scale=6),
        nullable=False,
    )
    op.drop_column("fee_standard", "constants")
    op.drop_column("fee_standard", "formula")
    op.drop_column("fee_standard", "tiers")
    op.drop_column("fee_standard", "surcharge")
    op.drop_column("fee_item", "is_tier_per_person")
    op.drop_column("fee_item", "is_tier_per_house")
    op.drop_column("fee_item", "tier_from_month")
    op.drop_column("fee_item", "tier_window")
    op.drop_column("fee_item", "meter_kind")
    op.drop_column("fee_item", "vacancy_rate")
    op.drop_column("fee_item", "is_per_period")
    op.drop_column("fee_item", "due_day")
    op.drop_column("fee_item", "billing_timing")
    op.drop_column("fee_item", "cycle_from_month")
    op.drop_column("fee_item", "cycle_anchor")
    op.drop_column("fee_item", "cycle_months")
    op.drop_column("community", "review_change_percent")
    op.drop_column("community", "offsets_prepaid")
    op.drop_column("community", "late_fee_first")
    op.execute("ALTER TABLE bill_line ALTER COLUMN trace TYPE jsonb USING trace::jsonb")
    op.drop_column("bill_line", "kind")
    op.drop_index("ix_bill_gone", table_name="bill")
    op.drop_index(
        "uq_bill_live",
        table_name="bill",
        postgresql_where=sa.text("is_live"),
    )
    op.create_index(
        op.f("uq_bill_live"),
        "bill",
        ["house_id", "fee_item_id", "period_from"],
        unique=True,
        postgresql_where="(state <> ALL (ARRAY['cancelled'::text, 'voided'::text]))",
    )
    op.execute("ALTER TABLE bill RESET (fillfactor)")
    op.drop_column("bill", "is_live")
    op.drop_column("bill", "replaces_bill_id")
    op.drop_column("bill", "sequence")
    op.drop_constraint(op.f("fk_allocation_bill_id_bill"), "allocation", type_="foreignkey")
    op.alter_column("allocation", "line_no", existing_type=sa.INTEGER(), nullable=False)
    op.drop_index("ix_prepaid_entry_payment_id", table_name="prepaid_entry")
    op.drop_index("ix_prepaid_entry_account_id", table_name="prepaid_entry")
    op.drop_table("prepaid_entry")
    op.drop_index("ix_deposit_entry_payment_id", table_name="deposit_entry")
    op.drop_index("ix_deposit_entry_deposit_id", table_name="deposit_entry")
    op.drop_table("deposit_entry")
    op.drop_index("ix_refund_community_id", table_name="refund")
    op.drop_table("refund")
    op.drop_index(
        "uq_meter_reading_live",
        table_name="meter_reading",
        postgresql_where=sa.text("superseded_at IS NULL"),
    )
    op.drop_table("meter_reading")
    op.drop_index(
        "ix_bill_adjustment_open",
        table_name="bill_adjustment",
        postgresql_where=sa.text("state <> 'cancelled'"),
    )
    op.drop_table("bill_adjustment")
    op.drop_table("share_pool_weight")
    op.drop_index("ix_prepaid_account_community_id", table_name="prepaid_account")
    op.drop_table("prepaid_account")
    op.drop_index("ix_one_off_charge_community_id", table_name="one_off_charge")
    op.drop_table("one_off_charge")
    op.drop_index("ix_meter_house_id", table_name="meter")
    op.drop_table("meter")
    op.drop_table("house_measure")
    op.drop_table("discount_house")
    op.drop_index("ix_deposit_house_id", table_name="deposit")
    op.drop_index("ix_deposit_community_id", table_name="deposit")
    op.drop_table("deposit")
    op.drop_index(
        "uq_approval_request_open",
        table_name="approval_request",
        postgresql_where=sa.text("state = 'requested'"),
    )
    op.drop_index("ix_approval_request_community_id", table_name="approval_request")
    op.drop_table("approval_request")
    op.drop_index(
        "uq_share_pool_open", table_name="share_pool", postgresql_where=sa.text("state = 'open'")
    )
    op.drop_table("share_pool")
    op.drop_table("late_fee_rule")
    op.drop_table("discount_item")
    op.drop_table("bill_batch_tick")
    op.drop_index("ix_late_fee_pause_community_id", table_name="late_fee_pause")
    op.drop_index("ix_late_fee_pause_bill_id", table_name="late_fee_pause")
    op.drop_table("late_fee_pause")
    op.drop_index("ix_discount_rule_community_id", table_name="discount_rule")
    op.drop_table("discount_rule")
    op.drop_table("bill_late_fee")
    op.drop_table("collection_summary")
    op.drop_index("ix_collection_change_community_id", table_name="collection_change")
    op.drop_table("collection_change")
