"""Let passwords that were handed out lapse

Lock: ACCESS EXCLUSIVE on staff and account for the instant in which a column without default is
added; accounts that still have a one-time password are updated row by row, and there are few.
Code of before goes on working; what it hands out does not lapse.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("staff", "account"):
        op.add_column(
            table, sa.Column("one_time_until", sa.DateTime(timezone=True), nullable=True)
        )
        op.execute(
            f"UPDATE {table} SET one_time_until = now() + interval '7 days'"
            " WHERE must_change_password"
        )


def downgrade() -> None:
    for table in ("account", "staff"):
        op.drop_column(table, "one_time_until")
