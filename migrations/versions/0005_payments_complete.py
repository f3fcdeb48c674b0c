"""Complete payments: every channel, refunds, shifts, receipts that can be checked, reconciliation

Lock: ACCESS EXCLUSIVE on payment, payment_order, platform_notice, receipt and refund while columns
are added; receipt is rewritten (each row gets its token), the others are read once for the checks.
Code of before goes on writing orders, payments and receipts; refunds it cannot write any more.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NEW_TABLES = (
    "reconciliation_run",
    "cashier_shift",
    "community_merchant",
    "reconciliation_case",
    "shift_count",
    "pay_code",
    "channel_call",
    "receipt_mark",
    "refund_part",
    "suspense_resolution",
)
NEW_COLUMNS = (
    ("allocation", "refund_id"),
    ("approval_request", "is_alone"),
    ("community", "surplus_policy"),
    ("community", "refund_alone_fen"),
    ("payment", "shift_id"),
    ("payment_order", "pay_code_id"),
    ("payment_order", "visit_sha256"),
    ("payment_order", "way"),
    ("payment_order", "payer_ip"),
    ("payment_order", "paid_seen_at"),
    ("platform_notice", "out_trade_no"),
    ("receipt", "verify_token"),
    ("refund", "kind"),
    ("refund", "payment_id"),
    ("refund", "state"),
    ("refund", "reason"),
    ("refund", "provider_refund_id"),
    ("refund", "refused_because"),
    ("refund", "staff_id"),
    ("refund", "shift_id"),
    ("refund", "created_at"),
    ("refund", "query_at"),
    ("refund", "query_count"),
)
APPEND_ONLY = ("channel_call", "receipt_mark", "refund_part", "shift_count", "suspense_resolution")
CHECKS = (
    (
        "community",
        "ck_community_surplus_policy_known",
        "surplus_policy IN ('prepaid', 'refund', 'ask')",
    ),
    ("community", "ck_community_refund_alone_fen_range", "refund_alone_fen >= 0"),
    (
        "approval_request",
        "ck_approval_request_alone_refunds_only",
        "NOT is_alone OR kind = 'payment_refund'",
    ),
    (
        "payment_order",
        "ck_payment_order_way_known",
        "way IN ('miniapp', 'jsapi', 'native', 'h5', 'alipay_wap', 'alipay_page', 'alipay_qr')",
    ),
    (
        "payment_order",
        "ck_payment_order_somebody_pays",
        "account_id IS NOT NULL OR pay_code_id IS NOT NULL AND visit_sha256 IS NOT NULL",
    ),
    ("refund", "ck_refund_kind_known", "kind IN ('payment', 'reversal', 'prepaid', 'deposit')"),
    (
        "refund",
        "ck_refund_state_known",
        "state IN ('processing', 'abnormal', 'succeeded', 'failed')",
    ),
    (
        "refund",
        "ck_refund_of_a_payment",
        "(kind IN ('payment', 'reversal')) = (payment_id IS NOT NULL)",
    ),
    (
        "refund",
        "ck_refund_succeeded_at_a_time",
        "(state = 'succeeded') = (refunded_at IS NOT NULL)",
    ),
)
CHANGED = (
    (
        "approval_request",
        "ck_approval_request_two_people",
        "decided_by_staff_id <> requested_by_staff_id",
        "is_alone OR decided_by_staff_id <> requested_by_staff_id",
    ),
    (
        "approval_request",
        "ck_approval_request_kind_known",
        "kind IN ('waiver', 'void', 'write_off', 'late_fee_waiver', 'adjustment', 'prepaid_refund', 'deposit_return')",
        "kind IN ('waiver', 'void', 'write_off', 'late_fee_waiver', 'adjustment', 'prepaid_refund', 'deposit_return', 'payment_refund')",
    ),
    (
        "bill_line",
        "ck_bill_line_kind_known",
        "kind IN ('principal', 'discount', 'adjustment', 'waiver')",
        "kind IN ('principal', 'discount', 'adjustment', 'waiver', 'restored')",
    ),
    (
        "payment",
        "ck_payment_channel_known",
        "channel IN ('wechat', 'cash', 'card', 'bank_transfer', 'cheque', 'prepaid', 'deposit')",
        "channel IN ('wechat', 'alipay', 'cash', 'card', 'bank_transfer', 'cheque', 'prepaid', 'deposit')",
    ),
    (
        "refund",
        "ck_refund_channel_known",
        "channel IN ('cash', 'bank_transfer')",
        "channel IN ('alipay', 'bank_transfer', 'card', 'cash', 'cheque', 'wechat')",
    ),
)


def upgrade() -> None:
    op.execute("DROP TRIGGER append_only_refund ON refund")
    _make_tables()
    _add_columns()
    op.execute(
        "UPDATE refund SET state = 'succeeded', created_at = refunded_at, kind = CASE"
        " WHEN EXISTS (SELECT FROM deposit_entry WHERE refund_id = refund.id)"
        " THEN 'deposit' ELSE 'prepaid' END"
    )
    for column in ("kind", "state", "created_at"):
        op.alter_column("refund", column, nullable=False)
    for table, name, _old, new in CHANGED:
        op.drop_constraint(name, table)
        op.create_check_constraint(op.f(name), table, new)
    for table, name, check in CHECKS:
        op.create_check_constraint(op.f(name), table, check)
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only_{table} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    _guard_refund()


def _guard_refund() -> None:
    """Keep what a refund is, and let none leave how it ended."""
    op.execute(
        """
        CREATE FUNCTION keep_refund() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF OLD.state IN ('succeeded', 'failed')
               OR (OLD.refund_no, OLD.kind, OLD.channel, OLD.amount_fen, OLD.created_at)
                  IS DISTINCT FROM
                  (NEW.refund_no, NEW.kind, NEW.channel, NEW.amount_fen, NEW.created_at)
               OR OLD.payment_id IS DISTINCT FROM NEW.payment_id
               OR OLD.community_id IS DISTINCT FROM NEW.community_id
               OR OLD.approval_request_id IS DISTINCT FROM NEW.approval_request_id THEN
                RAISE EXCEPTION 'refund % cannot be changed so', OLD.refund_no
                    USING ERRCODE = 'integrity_constraint_violation';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER keep_refund BEFORE UPDATE ON refund"
        " FOR EACH ROW EXECUTE FUNCTION keep_refund()"
    )
    op.execute(
        "CREATE TRIGGER append_only_refund BEFORE DELETE OR TRUNCATE ON refund"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    """Go back; refused by the checks of before while rows exist that they do not know."""
    op.execute("DROP TRIGGER keep_refund ON refund")
    op.execute("DROP FUNCTION keep_refund()")
    op.execute("DROP TRIGGER append_only_refund ON refund")
    for table, name, _check in reversed(CHECKS):
        op.drop_constraint(name, table)
    for table, name, old, _new in reversed(CHANGED):
        op.drop_constraint(name, table)
        op.create_check_constraint(op.f(name), table, old)
    for column in ("community_id", "house_id", "approval_request_id", "refunded_at"):
        op.alter_column("refund", column, nullable=False)
    for column in ("payee_name", "payee_phone"):
        op.alter_column("refund", column, server_default=None)
    for column in ("community_id", "house_id"):
        op.alter_column("approval_request", column, nullable=False)
    op.alter_column("payment_order", "account_id", nullable=False)
    op.alter_column("payment_order", "ticket", new_column_name="prepay_id")
    for table, column in reversed(NEW_COLUMNS):
        op.drop_column(table, column)
    for table in reversed(NEW_TABLES):
        op.drop_table(table)
    op.execute(
        "CREATE TRIGGER append_only_refund BEFORE UPDATE OR DELETE OR TRUNCATE ON refund"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _make_tables() -> None:
    op.create_table(
        "reconciliation_run",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("mchid", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("has_statement", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=True),
        sa.Column("statement_sha256", sa.Text(), server_default="", nullable=False),
        sa.Column("their_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("our_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("their_paid_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("our_paid_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("their_refunded_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("our_refunded_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "(state = 'done') = (done_at IS NOT NULL)",
            name=op.f("ck_reconciliation_run_done_at_a_time"),
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'done', 'failed')", name=op.f("ck_reconciliation_run_state_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_run")),
        sa.UniqueConstraint("channel", "mchid", "day", name=op.f("uq_reconciliation_run_channel")),
    )
    op.create_index(
        "ix_reconciliation_run_next_at",
        "reconciliation_run",
        ["next_at"],
        unique=False,
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_table(
        "cashier_shift",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("float_fen", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("taken_over_by_staff_id", sa.BigInteger(), nullable=True),
        sa.Column("taken_over_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'handed_over') = (taken_over_by_staff_id IS NOT NULL)",
            name=op.f("ck_cashier_shift_taken_over_by_somebody"),
        ),
        sa.CheckConstraint(
            "(state IN ('closed', 'handed_over')) = (closed_at IS NOT NULL)",
            name=op.f("ck_cashier_shift_closed_at_a_time"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'closing', 'closed', 'handed_over')",
            name=op.f("ck_cashier_shift_state_known"),
        ),
        sa.CheckConstraint("float_fen >= 0", name=op.f("ck_cashier_shift_float_fen_range")),
        sa.CheckConstraint(
            "taken_over_by_staff_id <> staff_id", name=op.f("ck_cashier_shift_two_people")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_cashier_shift_community_id_community")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_cashier_shift_staff_id_staff")
        ),
        sa.ForeignKeyConstraint(
            ["taken_over_by_staff_id"],
            ["staff.id"],
            name=op.f("fk_cashier_shift_taken_over_by_staff_id_staff"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cashier_shift")),
    )
    op.create_index(
        "ix_cashier_shift_community_id",
        "cashier_shift",
        ["community_id", "opened_at"],
        unique=False,
    )
    op.create_index(
        "uq_cashier_shift_open",
        "cashier_shift",
        ["community_id", "staff_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('open', 'closing')"),
    )
    op.create_table(
        "community_merchant",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("mchid", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "channel IN ('alipay', 'wechat')", name=op.f("ck_community_merchant_channel_known")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
            name=op.f("fk_community_merchant_community_id_community"),
        ),
        sa.PrimaryKeyConstraint("community_id", "channel", name=op.f("pk_community_merchant")),
    )
    op.create_table(
        "reconciliation_case",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("ours_fen", sa.BigInteger(), nullable=True),
        sa.Column("theirs_fen", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owner_staff_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'handled') <= (note <> '')",
            name=op.f("ck_reconciliation_case_handled_with_words"),
        ),
        sa.CheckConstraint(
            "kind IN ('missing_local', 'missing_channel', 'amount', 'status', 'refund', 'duplicate', 'cash')",
            name=op.f("ck_reconciliation_case_kind_known"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'auto_resolved', 'handled', 'escalated')",
            name=op.f("ck_reconciliation_case_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
            name=op.f("fk_reconciliation_case_community_id_community"),
        ),
        sa.ForeignKeyConstraint(
            ["owner_staff_id"],
            ["staff.id"],
            name=op.f("fk_reconciliation_case_owner_staff_id_staff"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["reconciliation_run.id"],
            name=op.f("fk_reconciliation_case_run_id_reconciliation_run"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_case")),
        sa.UniqueConstraint("run_id", "kind", "key", name=op.f("uq_reconciliation_case_run_id")),
    )
    op.create_index(
        "ix_reconciliation_case_open",
        "reconciliation_case",
        ["run_id"],
        unique=False,
        postgresql_where=sa.text("state IN ('open', 'escalated')"),
    )
    op.create_table(
        "shift_count",
        sa.Column("shift_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("counted_fen", sa.BigInteger(), nullable=False),
        sa.Column("expected_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "channel IN ('bank_transfer', 'card', 'cash', 'cheque')",
            name=op.f("ck_shift_count_channel_known"),
        ),
        sa.CheckConstraint("counted_fen >= 0", name=op.f("ck_shift_count_counted_fen_range")),
        sa.ForeignKeyConstraint(
            ["shift_id"], ["cashier_shift.id"], name=op.f("fk_shift_count_shift_id_cashier_shift")
        ),
        sa.PrimaryKeyConstraint("shift_id", "channel", name=op.f("pk_shift_count")),
    )
    op.create_table(
        "pay_code",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("house_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_pay_code_community_id_community")
        ),
        sa.ForeignKeyConstraint(
            ["house_id"], ["house.id"], name=op.f("fk_pay_code_house_id_house")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pay_code")),
        sa.UniqueConstraint("house_id", "version", name=op.f("uq_pay_code_house_id")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_pay_code_token_sha256")),
    )
    op.create_index("ix_pay_code_community_id", "pay_code", ["community_id"], unique=False)
    op.create_index(
        "uq_pay_code_live",
        "pay_code",
        ["house_id"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "channel_call",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("refund_id", sa.BigInteger(), nullable=True),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(order_id, refund_id) = 1", name=op.f("ck_channel_call_about_one")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["payment_order.id"], name=op.f("fk_channel_call_order_id_payment_order")
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refund.id"], name=op.f("fk_channel_call_refund_id_refund")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_call")),
    )
    op.create_index("ix_channel_call_order_id", "channel_call", ["order_id"], unique=False)
    op.create_index("ix_channel_call_refund_id", "channel_call", ["refund_id"], unique=False)
    op.create_table(
        "receipt_mark",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("receipt_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("refund_id", sa.BigInteger(), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("staff_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(refund_id, amount_fen) = CASE kind WHEN 'printed' THEN 0 ELSE 2 END",
            name=op.f("ck_receipt_mark_kind_fits"),
        ),
        sa.CheckConstraint(
            "kind IN ('void', 'refunded', 'printed')", name=op.f("ck_receipt_mark_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["receipt_id"], ["receipt.id"], name=op.f("fk_receipt_mark_receipt_id_receipt")
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refund.id"], name=op.f("fk_receipt_mark_refund_id_refund")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_receipt_mark_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipt_mark")),
    )
    op.create_index("ix_receipt_mark_receipt_id", "receipt_mark", ["receipt_id"], unique=False)
    op.create_table(
        "refund_part",
        sa.Column("refund_id", sa.BigInteger(), nullable=False),
        sa.Column("part_no", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(), nullable=True),
        sa.Column("suspense_id", sa.BigInteger(), nullable=True),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("deposit_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "CASE source WHEN 'bill' THEN bill_id IS NOT NULL AND kind IS NOT NULL WHEN 'suspense' THEN suspense_id IS NOT NULL WHEN 'prepaid' THEN account_id IS NOT NULL ELSE deposit_id IS NOT NULL END",
            name=op.f("ck_refund_part_source_fits"),
        ),
        sa.CheckConstraint(
            "kind IS NULL OR kind IN ('principal', 'late_fee')",
            name=op.f("ck_refund_part_kind_known"),
        ),
        sa.CheckConstraint(
            "source IN ('bill', 'prepaid', 'suspense', 'deposit')",
            name=op.f("ck_refund_part_source_known"),
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_refund_part_amount_fen_positive")),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["prepaid_account.id"],
            name=op.f("fk_refund_part_account_id_prepaid_account"),
        ),
        sa.ForeignKeyConstraint(["bill_id"], ["bill.id"], name=op.f("fk_refund_part_bill_id_bill")),
        sa.ForeignKeyConstraint(
            ["deposit_id"], ["deposit.id"], name=op.f("fk_refund_part_deposit_id_deposit")
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refund.id"], name=op.f("fk_refund_part_refund_id_refund")
        ),
        sa.ForeignKeyConstraint(
            ["suspense_id"], ["suspense.id"], name=op.f("fk_refund_part_suspense_id_suspense")
        ),
        sa.PrimaryKeyConstraint("refund_id", "part_no", name=op.f("pk_refund_part")),
    )
    op.create_index("ix_refund_part_bill_id", "refund_part", ["bill_id"], unique=False)
    op.create_table(
        "suspense_resolution",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("suspense_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("refund_id", sa.BigInteger(), nullable=True),
        sa.Column("account_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "CASE kind WHEN 'refund' THEN refund_id IS NOT NULL ELSE account_id IS NOT NULL END",
            name=op.f("ck_suspense_resolution_kind_fits"),
        ),
        sa.CheckConstraint(
            "kind IN ('prepaid', 'refund')", name=op.f("ck_suspense_resolution_kind_known")
        ),
        sa.CheckConstraint(
            "amount_fen > 0", name=op.f("ck_suspense_resolution_amount_fen_positive")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["prepaid_account.id"],
            name=op.f("fk_suspense_resolution_account_id_prepaid_account"),
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refund.id"], name=op.f("fk_suspense_resolution_refund_id_refund")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_suspense_resolution_staff_id_staff")
        ),
        sa.ForeignKeyConstraint(
            ["suspense_id"],
            ["suspense.id"],
            name=op.f("fk_suspense_resolution_suspense_id_suspense"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suspense_resolution")),
    )
    op.create_index(
        "ix_suspense_resolution_suspense_id", "suspense_resolution", ["suspense_id"], unique=False
    )


def _add_columns() -> None:
    for column in ("community_id", "house_id"):
        op.alter_column("approval_request", column, nullable=True)
    op.add_column("allocation", sa.Column("refund_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_allocation_refund_id_refund"), "allocation", "refund", ["refund_id"], ["id"]
    )
    op.add_column(
        "approval_request",
        sa.Column("is_alone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "community",
        sa.Column("surplus_policy", sa.Text(), server_default="prepaid", nullable=False),
    )
    op.add_column(
        "community",
        sa.Column("refund_alone_fen", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.add_column("payment", sa.Column("shift_id", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_payment_shift_id",
        "payment",
        ["shift_id"],
        unique=False,
        postgresql_where=sa.text("shift_id IS NOT NULL"),
    )
    op.create_foreign_key(
        op.f("fk_payment_shift_id_cashier_shift"), "payment", "cashier_shift", ["shift_id"], ["id"]
    )
    op.add_column("payment_order", sa.Column("pay_code_id", sa.BigInteger(), nullable=True))
    op.add_column("payment_order", sa.Column("visit_sha256", sa.String(), nullable=True))
    op.add_column(
        "payment_order", sa.Column("way", sa.Text(), server_default="miniapp", nullable=False)
    )
    op.add_column(
        "payment_order", sa.Column("payer_ip", sa.Text(), server_default="", nullable=False)
    )
    op.add_column(
        "payment_order", sa.Column("paid_seen_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.alter_column("payment_order", "account_id", existing_type=sa.BIGINT(), nullable=True)
    op.create_foreign_key(
        op.f("fk_payment_order_pay_code_id_pay_code"),
        "payment_order",
        "pay_code",
        ["pay_code_id"],
        ["id"],
    )
    op.alter_column("payment_order", "prepay_id", new_column_name="ticket")
    op.add_column("platform_notice", sa.Column("out_trade_no", sa.String(), nullable=True))
    op.create_index(
        "ix_platform_notice_out_trade_no",
        "platform_notice",
        ["out_trade_no"],
        unique=False,
        postgresql_where=sa.text("out_trade_no IS NOT NULL"),
    )
    op.add_column(
        "receipt",
        sa.Column(
            "verify_token",
            sa.Text(),
            server_default=sa.text("replace((gen_random_uuid())::text, '-'::text, ''::text)"),
            nullable=False,
        ),
    )
    op.create_unique_constraint(op.f("uq_receipt_verify_token"), "receipt", ["verify_token"])
    op.add_column("refund", sa.Column("kind", sa.Text(), nullable=True))
    op.add_column("refund", sa.Column("payment_id", sa.BigInteger(), nullable=True))
    op.add_column("refund", sa.Column("state", sa.Text(), nullable=True))
    op.add_column("refund", sa.Column("reason", sa.Text(), server_default="", nullable=False))
    op.add_column(
        "refund", sa.Column("provider_refund_id", sa.Text(), server_default="", nullable=False)
    )
    op.add_column(
        "refund", sa.Column("refused_because", sa.Text(), server_default="", nullable=False)
    )
    op.add_column("refund", sa.Column("staff_id", sa.BigInteger(), nullable=True))
    op.add_column("refund", sa.Column("shift_id", sa.BigInteger(), nullable=True))
    op.add_column("refund", sa.Column("created_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("refund", sa.Column("query_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "refund", sa.Column("query_count", sa.Integer(), server_default="0", nullable=False)
    )
    op.alter_column("refund", "community_id", existing_type=sa.BIGINT(), nullable=True)
    op.alter_column("refund", "house_id", existing_type=sa.BIGINT(), nullable=True)
    op.alter_column("refund", "approval_request_id", existing_type=sa.BIGINT(), nullable=True)
    op.alter_column(
        "refund", "payee_name", existing_type=sa.TEXT(), server_default="", existing_nullable=False
    )
    op.alter_column(
        "refund", "payee_phone", existing_type=sa.TEXT(), server_default="", existing_nullable=False
    )
    op.alter_column(
        "refund", "refunded_at", existing_type=postgresql.TIMESTAMP(timezone=True), nullable=True
    )
    op.create_index("ix_refund_payment_id", "refund", ["payment_id"], unique=False)
    op.create_index(
        "ix_refund_query_at",
        "refund",
        ["query_at"],
        unique=False,
        postgresql_where=sa.text("query_at IS NOT NULL"),
    )
    op.create_foreign_key(
        op.f("fk_refund_payment_id_payment"), "refund", "payment", ["payment_id"], ["id"]
    )
    op.create_foreign_key(op.f("fk_refund_staff_id_staff"), "refund", "staff", ["staff_id"], ["id"])
    op.create_foreign_key(
        op.f("fk_refund_shift_id_cashier_shift"), "refund", "cashier_shift", ["shift_id"], ["id"]
    )
