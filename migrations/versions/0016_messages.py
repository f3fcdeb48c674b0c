"""Tell people by the cheapest way that reaches them; keep what they permit and what is decided

Lock: ACCESS EXCLUSIVE on outbox_message, channel_pause and wechat_identity for the instant in which
columns are added, which a constant fills; the wider checks look at all rows of the first two: a
second at a million. Building the indices of outbox_message stops writers for as long. Code of
before goes on working.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

KINDS_BEFORE = (
    "login_code",
    "bill_published",
    "payment_received",
    "password_reset",
    "house_registered",
)
KINDS = (
    "login_code",
    "bill_published",
    "bill_due_soon",
    "bill_overdue",
    "payment_received",
    "password_reset",
    "house_registered",
    "repair_progress",
    "work_order",
    "feedback_received",
    "feedback_reply",
    "notice",
    "maintenance_due",
)
CHANNELS_BEFORE = ("official_template", "sms", "mail")
CHANNELS = ("subscribe", "official_template", "sms", "mail", "visit")
PEOPLE = ("account", "owner", "staff", "house")


def upgrade() -> None:
    _check("outbox_message", "kind", KINDS)
    _check("outbox_message", "channel", CHANNELS)
    _check("channel_pause", "channel", CHANNELS)
    for one in PEOPLE:
        op.add_column("outbox_message", sa.Column(f"{one}_id", sa.BigInteger(), nullable=True))
        op.create_foreign_key(
            op.f(f"fk_outbox_message_{one}_id_{one}"),
            "outbox_message",
            one,
            [f"{one}_id"],
            ["id"],
        )
    op.add_column(
        "outbox_message",
        sa.Column(
            "waits_for_day", sa.Boolean(), nullable=False, server_default=sa.text("false")
        ),
    )
    for one in ("account", "owner"):
        op.create_index(
            f"ix_outbox_message_{one}_id", "outbox_message", [f"{one}_id", "sent_at"]
        )
    op.create_index(
        "ix_outbox_message_visit",
        "outbox_message",
        ["community_id", "id"],
        postgresql_where=sa.text("channel = 'visit'"),
    )
    op.add_column("wechat_identity", sa.Column("staff_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk_wechat_identity_staff_id_staff"),
        "wechat_identity",
        "staff",
        ["staff_id"],
        ["id"],
    )
    op.create_index("ix_wechat_identity_staff_id", "wechat_identity", ["staff_id"])
    op.create_table(
        "subscribe_quota",
        sa.Column("identity_id", sa.BigInteger(), nullable=False),
        sa.Column("template_id", sa.Text(), nullable=False),
        sa.Column("quota", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("quota >= 0", name=op.f("ck_subscribe_quota_quota_range")),
        sa.PrimaryKeyConstraint("identity_id", "template_id", name=op.f("pk_subscribe_quota")),
        sa.ForeignKeyConstraint(
            ["identity_id"],
            ["wechat_identity.id"],
            name=op.f("fk_subscribe_quota_identity_id_wechat_identity"),
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "bill_reminder",
        sa.Column("house_id", sa.BigInteger(), nullable=False),
        sa.Column("due_date", sa.Date(), nullable=False),
        sa.Column("days_after", sa.Integer(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "house_id", "due_date", "days_after", name=op.f("pk_bill_reminder")
        ),
        sa.ForeignKeyConstraint(
            ["house_id"], ["house.id"], name=op.f("fk_bill_reminder_house_id_house")
        ),
    )
    _create_notices()
    op.create_table(
        "message_setting",
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("uses_wechat", sa.Boolean(), nullable=False),
        sa.Column("uses_sms", sa.Boolean(), nullable=False),
        sa.CheckConstraint(_known("kind", KINDS), name=op.f("ck_message_setting_kind_known")),
        sa.PrimaryKeyConstraint("community_id", "kind", name=op.f("pk_message_setting")),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
            name=op.f("fk_message_setting_community_id_community"),
        ),
    )


def _create_notices() -> None:
    op.create_table(
        "notice",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("is_pinned", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("written_by_staff_id", sa.BigInteger(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("publish_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('draft', 'scheduled', 'published', 'withdrawn')",
            name=op.f("ck_notice_state_known"),
        ),
        sa.CheckConstraint("title <> '' AND body <> ''", name=op.f("ck_notice_not_empty")),
        sa.CheckConstraint(
            "(state IN ('published', 'withdrawn')) = (published_at IS NOT NULL)",
            name=op.f("ck_notice_published_at_a_time"),
        ),
        sa.CheckConstraint(
            "(state = 'scheduled') = (publish_at IS NOT NULL)",
            name=op.f("ck_notice_scheduled_at_a_time"),
        ),
        sa.CheckConstraint(
            "(state = 'withdrawn') = (withdrawn_at IS NOT NULL)",
            name=op.f("ck_notice_withdrawn_at_a_time"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_notice_community_id_community")
        ),
        sa.ForeignKeyConstraint(
            ["written_by_staff_id"],
            ["staff.id"],
            name=op.f("fk_notice_written_by_staff_id_staff"),
        ),
    )
    op.create_index("ix_notice_community_id", "notice", ["community_id", "id"])
    op.create_index(
        "ix_notice_due",
        "notice",
        ["publish_at"],
        postgresql_where=sa.text("state = 'scheduled'"),
    )
    for other, more in (("building", []), ("account", ["read_at"])):
        table = "notice_building" if other == "building" else "notice_read"
        op.create_table(
            table,
            sa.Column("notice_id", sa.BigInteger(), nullable=False),
            sa.Column(f"{other}_id", sa.BigInteger(), nullable=False),
            *(sa.Column(name, sa.DateTime(timezone=True), nullable=False) for name in more),
            sa.PrimaryKeyConstraint("notice_id", f"{other}_id", name=op.f(f"pk_{table}")),
            sa.ForeignKeyConstraint(
                ["notice_id"], ["notice.id"], name=op.f(f"fk_{table}_notice_id_notice")
            ),
            sa.ForeignKeyConstraint(
                [f"{other}_id"], [f"{other}.id"], name=op.f(f"fk_{table}_{other}_id_{other}")
            ),
        )


def _known(column: str, values: tuple[str, ...]) -> str:
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _check(table: str, column: str, values: tuple[str, ...]) -> None:
    name = op.f(f"ck_{table}_{column}_known")
    op.drop_constraint(name, table)
    op.create_check_constraint(name, table, _known(column, values))


def downgrade() -> None:
    op.drop_table("message_setting")
    for table in ("notice_read", "notice_building", "notice"):
        op.drop_table(table)
    op.drop_table("bill_reminder")
    op.drop_table("subscribe_quota")
    op.drop_index("ix_wechat_identity_staff_id", table_name="wechat_identity")
    op.drop_column("wechat_identity", "staff_id")
    op.drop_index(
        "ix_outbox_message_visit",
        table_name="outbox_message",
        postgresql_where=sa.text("channel = 'visit'"),
    )
    for one in ("account", "owner"):
        op.drop_index(f"ix_outbox_message_{one}_id", table_name="outbox_message")
    op.drop_column("outbox_message", "waits_for_day")
    for one in PEOPLE:
        op.drop_column("outbox_message", f"{one}_id")
    # The code of before neither knows these messages nor may it send them.
    op.execute(f"DELETE FROM outbox_message WHERE NOT {_known('kind', KINDS_BEFORE)}")
    op.execute(f"DELETE FROM outbox_message WHERE NOT {_known('channel', CHANNELS_BEFORE)}")
    op.execute(f"DELETE FROM channel_pause WHERE NOT {_known('channel', CHANNELS_BEFORE)}")
    _check("outbox_message", "kind", KINDS_BEFORE)
    _check("outbox_message", "channel", CHANNELS_BEFORE)
    _check("channel_pause", "channel", CHANNELS_BEFORE)
