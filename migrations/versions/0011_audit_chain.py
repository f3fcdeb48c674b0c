"""Link audit rows by hashes

Lock: SHARE ROW EXCLUSIVE on audit_entry for the instant in which a foreign key to it is made.
Code of before goes on working: what it writes is linked after the fact, as everything is.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_link",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("audit_entry_id", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number > 0", name=op.f("ck_audit_link_number_positive")),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_audit_link_sha256_form")),
        sa.ForeignKeyConstraint(
            ["audit_entry_id"],
            ["audit_entry.id"],
            name=op.f("fk_audit_link_audit_entry_id_audit_entry"),
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_link")),
        sa.UniqueConstraint("audit_entry_id", name=op.f("uq_audit_link_audit_entry_id")),
    )
    op.execute(
        "CREATE TRIGGER append_only_audit_link BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_link"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.create_index(
        "ix_audit_entry_community_id", "audit_entry", ["community_id", "id"], unique=False
    )


def downgrade() -> None:
    op.drop_index("ix_audit_entry_community_id", table_name="audit_entry")
    op.drop_table("audit_link")
