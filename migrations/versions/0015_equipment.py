"""Keep equipment with its states and documents, and its maintenance

Lock: SHARE ROW EXCLUSIVE on repair_order and equipment while the rows of repairs are looked at for
their new foreign key; no repair is on file before this. All else are new tables. Code of before
goes on working.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

APPEND_ONLY = ("equipment_state_change", "maintenance_task_event")


def upgrade() -> None:
    op.create_table(
        "maintenance_template",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("every", sa.Integer(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("checklist", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("evidence", sa.Text(), server_default="", nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "category IN ('lift', 'fire', 'water', 'power', 'hvac', 'access', 'monitoring', 'parking', 'lighting', 'pressure', 'other')",
            name=op.f("ck_maintenance_template_category_known"),
        ),
        sa.CheckConstraint(
            "kind <> 'statutory' OR source <> ''",
            name=op.f("ck_maintenance_template_statutory_has_source"),
        ),
        sa.CheckConstraint(
            "kind IN ('routine', 'minor', 'major', 'statutory')",
            name=op.f("ck_maintenance_template_kind_known"),
        ),
        sa.CheckConstraint(
            "unit IN ('day', 'week', 'month', 'year')",
            name=op.f("ck_maintenance_template_unit_known"),
        ),
        sa.CheckConstraint("every > 0", name=op.f("ck_maintenance_template_every_positive")),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
            name=op.f("fk_maintenance_template_community_id_community"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance_template")),
        sa.UniqueConstraint(
            "community_id", "code", name=op.f("uq_maintenance_template_community_id")
        ),
    )
    op.create_table(
        "equipment",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("building_id", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("asset_no", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("importance", sa.Text(), server_default="ordinary", nullable=False),
        sa.Column("brand", sa.Text(), server_default="", nullable=False),
        sa.Column("model_no", sa.Text(), server_default="", nullable=False),
        sa.Column("serial_no", sa.Text(), server_default="", nullable=False),
        sa.Column("floor", sa.Text(), server_default="", nullable=False),
        sa.Column("place", sa.Text(), server_default="", nullable=False),
        sa.Column("purchased_on", sa.Date(), nullable=True),
        sa.Column("installed_on", sa.Date(), nullable=True),
        sa.Column("warranty_until", sa.Date(), nullable=True),
        sa.Column("statutory_until", sa.Date(), nullable=True),
        sa.Column("supplier", sa.Text(), server_default="", nullable=False),
        sa.Column("maintainer", sa.Text(), server_default="", nullable=False),
        sa.Column("maintainer_phone", sa.Text(), server_default="", nullable=False),
        sa.Column("contract_until", sa.Date(), nullable=True),
        sa.Column("custodian_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "specs",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="in_use", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "category IN ('lift', 'fire', 'water', 'power', 'hvac', 'access', 'monitoring', 'parking', 'lighting', 'pressure', 'other')",
            name=op.f("ck_equipment_category_known"),
        ),
        sa.CheckConstraint("code ~ '^[2-9A-HJ-NP-Z]{12}$'", name=op.f("ck_equipment_code_form")),
        sa.CheckConstraint(
            "importance IN ('critical', 'important', 'ordinary')",
            name=op.f("ck_equipment_importance_known"),
        ),
        sa.CheckConstraint("name <> ''", name=op.f("ck_equipment_name_given")),
        sa.CheckConstraint(
            "state IN ('in_use', 'standby', 'under_repair', 'stopped', 'scrapped')",
            name=op.f("ck_equipment_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["building_id"], ["building.id"], name=op.f("fk_equipment_building_id_building")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_equipment_community_id_community")
        ),
        sa.ForeignKeyConstraint(
            ["custodian_id"], ["staff.id"], name=op.f("fk_equipment_custodian_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_equipment")),
        sa.UniqueConstraint("code", name=op.f("uq_equipment_code")),
    )
    op.create_index("ix_equipment_building_id", "equipment", ["building_id"])
    op.create_index("ix_equipment_community_id", "equipment", ["community_id", "id"])
    op.create_index(
        "uq_equipment_asset_no",
        "equipment",
        ["community_id", "asset_no"],
        unique=True,
        postgresql_where=sa.text("asset_no <> ''"),
    )
    op.create_table(
        "maintenance_plan",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("template_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("every", sa.Integer(), nullable=True),
        sa.Column("unit", sa.String(), nullable=True),
        sa.Column(
            "fixed_days",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("counts_from", sa.Date(), nullable=False),
        sa.Column("lead_days", sa.Integer(), nullable=False),
        sa.Column("window_days", sa.Integer(), nullable=False),
        sa.Column("assignee_id", sa.BigInteger(), nullable=True),
        sa.Column("assignee_role", sa.Text(), server_default="engineer", nullable=False),
        sa.Column("checklist", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("looser_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "assignee_role IN ('administrator', 'manager', 'finance', 'cashier', 'customer_service', 'engineer', 'auditor')",
            name=op.f("ck_maintenance_plan_assignee_role_known"),
        ),
        sa.CheckConstraint(
            "basis IN ('fixed_calendar', 'after_completion')",
            name=op.f("ck_maintenance_plan_basis_known"),
        ),
        sa.CheckConstraint(
            "kind IN ('routine', 'minor', 'major', 'statutory')",
            name=op.f("ck_maintenance_plan_kind_known"),
        ),
        sa.CheckConstraint(
            "state IN ('active', 'paused', 'ended')", name=op.f("ck_maintenance_plan_state_known")
        ),
        sa.CheckConstraint(
            "unit IN ('day', 'week', 'month', 'year')", name=op.f("ck_maintenance_plan_unit_known")
        ),
        sa.CheckConstraint(
            "(every IS NULL) = (unit IS NULL) AND (every IS NULL) = (jsonb_array_length(fixed_days) > 0)",
            name=op.f("ck_maintenance_plan_one_rule"),
        ),
        sa.CheckConstraint("ends_on >= starts_on", name=op.f("ck_maintenance_plan_span_not_empty")),
        sa.CheckConstraint("every > 0", name=op.f("ck_maintenance_plan_every_positive")),
        sa.CheckConstraint(
            "lead_days BETWEEN 0 AND 60", name=op.f("ck_maintenance_plan_lead_days_range")
        ),
        sa.CheckConstraint(
            "window_days BETWEEN 0 AND 60", name=op.f("ck_maintenance_plan_window_days_range")
        ),
        sa.ForeignKeyConstraint(
            ["assignee_id"], ["staff.id"], name=op.f("fk_maintenance_plan_assignee_id_staff")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
            name=op.f("fk_maintenance_plan_community_id_community"),
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["staff.id"], name=op.f("fk_maintenance_plan_created_by_staff")
        ),
        sa.ForeignKeyConstraint(
            ["template_id"],
            ["maintenance_template.id"],
            name=op.f("fk_maintenance_plan_template_id_maintenance_template"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance_plan")),
    )
    op.create_index(
        "ix_maintenance_plan_active",
        "maintenance_plan",
        ["id"],
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_index("ix_maintenance_plan_community_id", "maintenance_plan", ["community_id", "id"])
    op.create_table(
        "equipment_state_change",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("equipment_id", sa.BigInteger(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("changed_on", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "from_state IN ('', 'in_use', 'standby', 'under_repair', 'stopped', 'scrapped')",
            name=op.f("ck_equipment_state_change_from_state_known"),
        ),
        sa.CheckConstraint(
            "to_state IN ('in_use', 'standby', 'under_repair', 'stopped', 'scrapped')",
            name=op.f("ck_equipment_state_change_to_state_known"),
        ),
        sa.CheckConstraint("from_state <> to_state", name=op.f("ck_equipment_state_change_moves")),
        sa.ForeignKeyConstraint(
            ["equipment_id"],
            ["equipment.id"],
            name=op.f("fk_equipment_state_change_equipment_id_equipment"),
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_equipment_state_change_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_equipment_state_change")),
    )
    op.create_index(
        "ix_equipment_state_change_equipment_id", "equipment_state_change", ["equipment_id", "id"]
    )
    op.create_table(
        "equipment_document",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("equipment_id", sa.BigInteger(), nullable=False),
        sa.Column("doc_type", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("staff_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "doc_type IN ('certificate', 'inspection', 'contract', 'manual', 'drawing', 'other')",
            name=op.f("ck_equipment_document_doc_type_known"),
        ),
        sa.CheckConstraint("title <> ''", name=op.f("ck_equipment_document_title_given")),
        sa.CheckConstraint("version > 0", name=op.f("ck_equipment_document_version_positive")),
        sa.ForeignKeyConstraint(
            ["equipment_id"],
            ["equipment.id"],
            name=op.f("fk_equipment_document_equipment_id_equipment"),
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_equipment_document_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_equipment_document")),
        sa.UniqueConstraint(
            "equipment_id",
            "doc_type",
            "title",
            "version",
            name=op.f("uq_equipment_document_equipment_id"),
        ),
    )
    op.create_index(
        "ix_equipment_document_expires_on",
        "equipment_document",
        ["expires_on"],
        postgresql_where=sa.text("expires_on IS NOT NULL"),
    )
    op.create_table(
        "maintenance_plan_equipment",
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("equipment_id", sa.BigInteger(), nullable=False),
        sa.Column("counts_from", sa.Date(), nullable=False),
        sa.Column("generated_until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["equipment_id"],
            ["equipment.id"],
            name=op.f("fk_maintenance_plan_equipment_equipment_id_equipment"),
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"],
            ["maintenance_plan.id"],
            name=op.f("fk_maintenance_plan_equipment_plan_id_maintenance_plan"),
        ),
        sa.PrimaryKeyConstraint(
            "plan_id", "equipment_id", name=op.f("pk_maintenance_plan_equipment")
        ),
    )
    op.create_index(
        "ix_maintenance_plan_equipment_equipment_id", "maintenance_plan_equipment", ["equipment_id"]
    )
    op.create_table(
        "maintenance_task",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("equipment_id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("checklist", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("lead_days", sa.Integer(), nullable=False),
        sa.Column("window_days", sa.Integer(), nullable=False),
        sa.Column("assignee_id", sa.BigInteger(), nullable=True),
        sa.Column("assignee_role", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="scheduled", nullable=False),
        sa.Column("is_withdrawn", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("submitted_by", sa.BigInteger(), nullable=True),
        sa.Column("submitted_on", sa.Date(), nullable=True),
        sa.Column("verified_by", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("repair_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(state IN ('submitted', 'verified')) = (submitted_on IS NOT NULL)",
            name=op.f("ck_maintenance_task_submitted_on_a_day"),
        ),
        sa.CheckConstraint(
            "NOT is_withdrawn OR state = 'cancelled'",
            name=op.f("ck_maintenance_task_withdrawn_is_cancelled"),
        ),
        sa.CheckConstraint(
            "assignee_role IN ('administrator', 'manager', 'finance', 'cashier', 'customer_service', 'engineer', 'auditor')",
            name=op.f("ck_maintenance_task_assignee_role_known"),
        ),
        sa.CheckConstraint(
            "kind IN ('routine', 'minor', 'major', 'statutory')",
            name=op.f("ck_maintenance_task_kind_known"),
        ),
        sa.CheckConstraint(
            "state <> 'verified' OR verified_by <> submitted_by",
            name=op.f("ck_maintenance_task_verified_by_other"),
        ),
        sa.CheckConstraint(
            "state IN ('scheduled', 'reminded', 'in_progress', 'submitted', 'verified', 'skipped', 'cancelled')",
            name=op.f("ck_maintenance_task_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["assignee_id"], ["staff.id"], name=op.f("fk_maintenance_task_assignee_id_staff")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
            name=op.f("fk_maintenance_task_community_id_community"),
        ),
        sa.ForeignKeyConstraint(
            ["equipment_id"],
            ["equipment.id"],
            name=op.f("fk_maintenance_task_equipment_id_equipment"),
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"],
            ["maintenance_plan.id"],
            name=op.f("fk_maintenance_task_plan_id_maintenance_plan"),
        ),
        sa.ForeignKeyConstraint(
            ["repair_id"],
            ["repair_order.id"],
            name=op.f("fk_maintenance_task_repair_id_repair_order"),
        ),
        sa.ForeignKeyConstraint(
            ["submitted_by"], ["staff.id"], name=op.f("fk_maintenance_task_submitted_by_staff")
        ),
        sa.ForeignKeyConstraint(
            ["verified_by"], ["staff.id"], name=op.f("fk_maintenance_task_verified_by_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance_task")),
        sa.UniqueConstraint(
            "plan_id", "equipment_id", "due_on", name=op.f("uq_maintenance_task_plan_id")
        ),
    )
    op.create_index(
        "ix_maintenance_task_community_id", "maintenance_task", ["community_id", "due_on", "id"]
    )
    op.create_index("ix_maintenance_task_equipment_id", "maintenance_task", ["equipment_id", "id"])
    op.create_index(
        "ix_maintenance_task_open",
        "maintenance_task",
        ["due_on"],
        postgresql_where=sa.text("state IN ('scheduled', 'reminded', 'in_progress')"),
    )
    op.create_table(
        "maintenance_result",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("item_key", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("value", sa.Numeric(precision=18, scale=6), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "verdict IN ('normal', 'abnormal', 'na')",
            name=op.f("ck_maintenance_result_verdict_known"),
        ),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["maintenance_task.id"],
            name=op.f("fk_maintenance_result_task_id_maintenance_task"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance_result")),
        sa.UniqueConstraint("task_id", "item_key", name=op.f("uq_maintenance_result_task_id")),
    )
    op.create_table(
        "maintenance_task_event",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "act IN ('remind', 'start', 'submit', 'verify', 'return', 'skip', 'cancel', 'withdraw', 'revive')",
            name=op.f("ck_maintenance_task_event_act_known"),
        ),
        sa.CheckConstraint(
            "from_state IN ('scheduled', 'reminded', 'in_progress', 'submitted', 'verified', 'skipped', 'cancelled')",
            name=op.f("ck_maintenance_task_event_from_state_known"),
        ),
        sa.CheckConstraint(
            "to_state IN ('scheduled', 'reminded', 'in_progress', 'submitted', 'verified', 'skipped', 'cancelled')",
            name=op.f("ck_maintenance_task_event_to_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_maintenance_task_event_staff_id_staff")
        ),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["maintenance_task.id"],
            name=op.f("fk_maintenance_task_event_task_id_maintenance_task"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance_task_event")),
    )
    op.create_index(
        "ix_maintenance_task_event_task_id", "maintenance_task_event", ["task_id", "id"]
    )
    op.create_foreign_key(
        op.f("fk_repair_order_equipment_id_equipment"),
        "repair_order",
        "equipment",
        ["equipment_id"],
        ["id"],
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only_{table} BEFORE UPDATE OR DELETE OR TRUNCATE"
            f" ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    op.drop_constraint(
        op.f("fk_repair_order_equipment_id_equipment"), "repair_order", type_="foreignkey"
    )
    op.drop_index("ix_maintenance_task_event_task_id", table_name="maintenance_task_event")
    op.drop_table("maintenance_task_event")
    op.drop_table("maintenance_result")
    op.drop_index(
        "ix_maintenance_task_open",
        table_name="maintenance_task",
        postgresql_where=sa.text("state IN ('scheduled', 'reminded', 'in_progress')"),
    )
    op.drop_index("ix_maintenance_task_equipment_id", table_name="maintenance_task")
    op.drop_index("ix_maintenance_task_community_id", table_name="maintenance_task")
    op.drop_table("maintenance_task")
    op.drop_index(
        "ix_maintenance_plan_equipment_equipment_id", table_name="maintenance_plan_equipment"
    )
    op.drop_table("maintenance_plan_equipment")
    op.drop_index(
        "ix_equipment_document_expires_on",
        table_name="equipment_document",
        postgresql_where=sa.text("expires_on IS NOT NULL"),
    )
    op.drop_table("equipment_document")
    op.drop_index("ix_equipment_state_change_equipment_id", table_name="equipment_state_change")
    op.drop_table("equipment_state_change")
    op.drop_index("ix_maintenance_plan_community_id", table_name="maintenance_plan")
    op.drop_index(
        "ix_maintenance_plan_active",
        table_name="maintenance_plan",
        postgresql_where=sa.text("state = 'active'"),
    )
    op.drop_table("maintenance_plan")
    op.drop_index(
        "uq_equipment_asset_no", table_name="equipment", postgresql_where=sa.text("asset_no <> ''")
    )
    op.drop_index("ix_equipment_community_id", table_name="equipment")
    op.drop_index("ix_equipment_building_id", table_name="equipment")
    op.drop_table("equipment")
    op.drop_table("maintenance_template")
