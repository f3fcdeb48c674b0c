"""Let staff and owners in by password: sessions, attempts, resets, second factors, role grants

Lock: ACCESS EXCLUSIVE on staff, account, session_token, login_code, outbox_message and
channel_pause for the instant in which columns are added and checks replaced; constants fill the
columns. Two indexes are built on login_code and the check of outbox_message reads its rows: seconds
at a million. Code of before goes on working.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CHANNELS = ("channel IN ('official_template', 'sms')", "channel IN ('official_template', 'sms', 'mail')")
KINDS = (
    "kind IN ('login_code', 'bill_published', 'payment_received')",
    "kind IN ('login_code', 'bill_published', 'payment_received', 'password_reset')",
)
WIDENED = (
    ("channel_pause", "channel_known", CHANNELS),
    ("outbox_message", "channel_known", CHANNELS),
    ("outbox_message", "kind_known", KINDS),
)
ROLES = (
    "role IN ('administrator', 'manager', 'finance', 'cashier', 'customer_service', 'engineer',"
    " 'auditor')"
)
NO = sa.text("false")


def upgrade() -> None:
    for table, name, (_, after) in WIDENED:
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table)
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, after)
    _widen_accounts()
    _widen_login_codes()
    _create_sessions()
    _create_attempts()
    _create_resets()
    _create_grants()


def _widen_accounts() -> None:
    op.add_column("account", sa.Column("login_name", sa.String()))
    op.create_unique_constraint(op.f("uq_account_login_name"), "account", ["login_name"])
    for name in ("phone", "email"):
        op.add_column("staff", sa.Column(name, sa.String()))
    op.create_check_constraint(
        op.f("ck_staff_phone_form"), "staff", "phone ~ '^1[3-9][0-9]{9}$'"
    )
    for table in ("account", "staff"):
        op.add_column(table, _words("password_hash", server_default=""))
        op.add_column(
            table, sa.Column("must_change_password", sa.Boolean(), nullable=False, server_default=NO)
        )
    for name in ("totp_sealed", "totp_offered_sealed"):
        op.add_column("staff", _words(name, server_default=""))
    op.add_column(
        "staff", sa.Column("totp_last_step", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.add_column(
        "session_token", sa.Column("by_password", sa.Boolean(), nullable=False, server_default=NO)
    )


def _widen_login_codes() -> None:
    for name in ("network", "device_sha256"):
        op.add_column("login_code", _words(name, server_default=""))
    op.create_index("ix_login_code_network", "login_code", ["network", "created_at"])
    op.create_index("ix_login_code_device", "login_code", ["device_sha256", "created_at"])


def _create_sessions() -> None:
    op.create_table(
        "staff_session",
        _id(),
        sa.Column("staff_id", sa.BigInteger(), nullable=False),
        _words("token_sha256"),
        _words("device"),
        _words("ip"),
        sa.Column("is_remembered", sa.Boolean(), nullable=False),
        _instant("created_at"),
        _instant("seen_at"),
        _instant("expires_at"),
        _instant("reauthenticated_at"),
        _instant("ended_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_session")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_staff_session_token_sha256")),
        _of_staff("staff_session", "staff_id"),
    )
    op.create_index("ix_staff_session_staff_id", "staff_session", ["staff_id"])


def _create_attempts() -> None:
    op.create_table(
        "sign_in_attempt",
        _id(),
        _words("door"),
        _words("login_hmac"),
        _words("ip"),
        _words("device_sha256"),
        _instant("at"),
        _words("outcome"),
        sa.Column("is_known", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_attempt")),
        sa.CheckConstraint(
            "door IN ('staff', 'owner')", name=op.f("ck_sign_in_attempt_door_known")
        ),
        sa.CheckConstraint(
            "outcome IN ('failed', 'half', 'passed')",
            name=op.f("ck_sign_in_attempt_outcome_known"),
        ),
    )
    op.create_index("ix_sign_in_attempt_login_hmac", "sign_in_attempt", ["login_hmac", "at"])
    op.create_index("ix_sign_in_attempt_at", "sign_in_attempt", ["at"])


def _create_resets() -> None:
    op.create_table(
        "password_reset",
        _id(),
        sa.Column("staff_id", sa.BigInteger()),
        _words("login_hmac"),
        _words("ip"),
        _words("token_sha256"),
        _instant("created_at"),
        _instant("expires_at"),
        _instant("used_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_reset")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_password_reset_token_sha256")),
        _of_staff("password_reset", "staff_id"),
    )
    op.create_index("ix_password_reset_login_hmac", "password_reset", ["login_hmac", "created_at"])
    op.create_table(
        "recovery_code",
        _id(),
        sa.Column("staff_id", sa.BigInteger(), nullable=False),
        _words("code_hmac"),
        _instant("used_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
        sa.UniqueConstraint("staff_id", "code_hmac", name=op.f("uq_recovery_code_staff_id")),
        _of_staff("recovery_code", "staff_id"),
    )


def _create_grants() -> None:
    op.create_table(
        "role_grant",
        _id(),
        sa.Column("staff_id", sa.BigInteger(), nullable=False),
        _words("role"),
        _words("state"),
        sa.Column("opens_account", sa.Boolean(), nullable=False),
        sa.Column("requested_by_staff_id", sa.BigInteger(), nullable=False),
        _instant("requested_at"),
        sa.Column("decided_by_staff_id", sa.BigInteger()),
        _instant("decided_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_grant")),
        sa.CheckConstraint(ROLES, name=op.f("ck_role_grant_role_known")),
        sa.CheckConstraint(
            "state IN ('requested', 'granted', 'refused')", name=op.f("ck_role_grant_state_known")
        ),
        sa.CheckConstraint(
            "decided_by_staff_id <> requested_by_staff_id AND decided_by_staff_id <> staff_id",
            name=op.f("ck_role_grant_two_people"),
        ),
        sa.CheckConstraint(
            "(state = 'requested') = (decided_by_staff_id IS NULL)",
            name=op.f("ck_role_grant_decided_by_somebody"),
        ),
        _of_staff("role_grant", "staff_id"),
        _of_staff("role_grant", "requested_by_staff_id"),
        _of_staff("role_grant", "decided_by_staff_id"),
    )
    op.create_index(
        "uq_role_grant_open",
        "role_grant",
        ["staff_id"],
        unique=True,
        postgresql_where=sa.text("state = 'requested'"),
    )


def _id() -> sa.Column:
    return sa.Column("id", sa.BigInteger(), nullable=False)


def _words(name: str, server_default: str | None = None) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=False, server_default=server_default)


def _instant(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _of_staff(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], ["staff.id"], name=op.f(f"fk_{table}_{column}_staff")
    )


def downgrade() -> None:
    for table in (
        "role_grant",
        "recovery_code",
        "password_reset",
        "sign_in_attempt",
        "staff_session",
    ):
        op.drop_table(table)
    op.drop_index("ix_login_code_device", "login_code")
    op.drop_index("ix_login_code_network", "login_code")
    for name in ("device_sha256", "network"):
        op.drop_column("login_code", name)
    op.drop_column("session_token", "by_password")
    for name in ("totp_last_step", "totp_offered_sealed", "totp_sealed"):
        op.drop_column("staff", name)
    for table in ("staff", "account"):
        for name in ("must_change_password", "password_hash"):
            op.drop_column(table, name)
    op.drop_constraint(op.f("ck_staff_phone_form"), "staff")
    for name in ("email", "phone"):
        op.drop_column("staff", name)
    op.drop_column("account", "login_name")
    op.execute("DELETE FROM outbox_message WHERE channel = 'mail' OR kind = 'password_reset'")
    op.execute("DELETE FROM channel_pause WHERE channel = 'mail'")
    for table, name, (before, _) in reversed(WIDENED):
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table)
        op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, before)
