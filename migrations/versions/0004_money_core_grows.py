"""Let the ledgers of prepaid money and deposits and what was paid back only grow

Lock: ACCESS EXCLUSIVE on each table for the instant of CREATE TRIGGER; run on empty tables.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

APPEND_ONLY = ("prepaid_entry", "deposit_entry", "refund")


def upgrade() -> None:
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only_{table} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    for table in APPEND_ONLY:
        op.execute(f"DROP TRIGGER append_only_{table} ON {table}")
