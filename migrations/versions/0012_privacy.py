"""Keep consents, copies of personal data and closings of accounts; let a phone stop opening houses

Lock: ACCESS EXCLUSIVE on account for the instant in which its check is replaced, with a look at its
rows: a second at a million; and on owner_phone for the instant in which a column is added, which a
constant fills. Code of before goes on working.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

PHONE = "phone ~ '^1[3-9][0-9]{9}$'"
DELETED = "(phone = 'deleted-'::text || id) AND NOT is_active"
ERASED = "phone = '' AND state <> 'open'"


def upgrade() -> None:
    op.drop_constraint(op.f("ck_account_phone_form"), "account")
    op.create_check_constraint(
        op.f("ck_account_phone_form"), "account", f"{PHONE} OR ({DELETED})"
    )
    op.drop_constraint(op.f("ck_house_invitation_phone_form"), "house_invitation")
    op.create_check_constraint(
        op.f("ck_house_invitation_phone_form"), "house_invitation", f"{PHONE} OR ({ERASED})"
    )
    op.add_column(
        "owner_phone",
        sa.Column("opens_houses", sa.Boolean(), nullable=False, server_default=sa.text("true")),
    )
    op.create_table(
        "consent",
        *_of_account("consent"),
        _words("kind"),
        _words("act"),
        _words("version"),
        _words("channel"),
        _instant("at"),
        _one_of("consent", "kind", "'privacy_policy', 'terms', 'marketing'"),
        _one_of("consent", "act", "'given', 'withdrawn'"),
        _one_of("consent", "channel", "'mini_program', 'web', 'deletion'"),
        sa.CheckConstraint("version <> ''", name=op.f("ck_consent_version_given")),
    )
    op.create_index("ix_consent_account_id", "consent", ["account_id", "kind", "id"])
    op.execute(
        "CREATE TRIGGER append_only_consent BEFORE UPDATE OR DELETE OR TRUNCATE"
        " ON consent FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.create_table(
        "privacy_export",
        *_of_account("privacy_export"),
        _words("state"),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        _instant("asked_at"),
        _instant("ended_at", nullable=True),
        _instant("expires_at", nullable=True),
        sa.Column("content", sa.LargeBinary()),
        _one_of("privacy_export", "state", "'asked', 'ready', 'erased', 'failed'"),
        sa.CheckConstraint(
            "(state = 'ready') = (content IS NOT NULL AND expires_at IS NOT NULL)",
            name=op.f("ck_privacy_export_ready_has_file"),
        ),
    )
    op.create_index("ix_privacy_export_account_id", "privacy_export", ["account_id", "id"])
    op.create_index(
        "uq_privacy_export_open",
        "privacy_export",
        ["account_id"],
        unique=True,
        postgresql_where=sa.text("state = 'asked'"),
    )
    op.create_table(
        "account_deletion",
        *_of_account("account_deletion"),
        _words("state"),
        _instant("asked_at"),
        _instant("due_at"),
        _instant("ended_at", nullable=True),
        _one_of("account_deletion", "state", "'cooling', 'cancelled', 'done'"),
        sa.CheckConstraint(
            "(state = 'cooling') = (ended_at IS NULL)",
            name=op.f("ck_account_deletion_ended_at_a_time"),
        ),
        sa.CheckConstraint("due_at > asked_at", name=op.f("ck_account_deletion_due_later")),
    )
    op.create_index(
        "uq_account_deletion_open",
        "account_deletion",
        ["account_id"],
        unique=True,
        postgresql_where=sa.text("state = 'cooling'"),
    )
    op.create_index(
        "ix_account_deletion_due",
        "account_deletion",
        ["due_at"],
        postgresql_where=sa.text("state = 'cooling'"),
    )


def _of_account(table: str) -> list[sa.Column | sa.Constraint]:
    return [
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f(f"fk_{table}_account_id_account")
        ),
    ]


def _words(name: str) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=False)


def _instant(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _one_of(table: str, column: str, values: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(
        f"{column} IN ({values})", name=op.f(f"ck_{table}_{column}_known")
    )


def downgrade() -> None:
    op.drop_index(
        "ix_account_deletion_due",
        table_name="account_deletion",
        postgresql_where=sa.text("state = 'cooling'"),
    )
    op.drop_index(
        "uq_account_deletion_open",
        table_name="account_deletion",
        postgresql_where=sa.text("state = 'cooling'"),
    )
    op.drop_table("account_deletion")
    op.drop_index(
        "uq_privacy_export_open",
        table_name="privacy_export",
        postgresql_where=sa.text("state = 'asked'"),
    )
    op.drop_index("ix_privacy_export_account_id", table_name="privacy_export")
    op.drop_table("privacy_export")
    op.drop_index("ix_consent_account_id", table_name="consent")
    op.drop_table("consent")
    op.drop_column("owner_phone", "opens_houses")
    for table in ("account", "house_invitation"):
        op.drop_constraint(op.f(f"ck_{table}_phone_form"), table)
    # Accounts that were closed keep their rows and their money: the check of before is for new ones.
    for table in ("account", "house_invitation"):
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_phone_form CHECK ({PHONE}) NOT VALID"
        )
