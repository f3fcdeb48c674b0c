"""Keep files, foresight and steps of imports, so that they can be resumed and undone

Lock: ACCESS EXCLUSIVE on import_batch for the instant in which columns are added; constants fill
them, so nothing is rewritten. Checking the known states looks at every batch, of which there are
few. Code of before goes on working.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STATES = (
    "('uploaded', 'checking', 'checked', 'importing', 'finished', 'failed', 'undoing', 'undone')"
)
STATES_BEFORE = "('importing', 'finished', 'failed')"


def upgrade() -> None:
    _allow_states(STATES)
    op.add_column("import_batch", sa.Column("staff_id", sa.BigInteger()))
    op.create_foreign_key(
        op.f("fk_import_batch_staff_id_staff"), "import_batch", "staff", ["staff_id"], ["id"]
    )
    op.add_column(
        "import_batch", sa.Column("attempts", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column(
        "import_batch", sa.Column("foreseen", JSONB(), nullable=False, server_default="{}")
    )
    op.add_column(
        "import_batch", sa.Column("failure", sa.Text(), nullable=False, server_default="")
    )
    op.add_column("import_batch", sa.Column("undone_at", sa.DateTime(timezone=True)))
    op.create_index(
        "ix_import_batch_busy",
        "import_batch",
        ["id"],
        postgresql_where=sa.text("state IN ('uploaded', 'checking', 'importing', 'undoing')"),
    )
    op.create_table(
        "import_file",
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("errors", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_import_file")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["import_batch.id"], name=op.f("fk_import_file_batch_id_import_batch")
        ),
        sa.CheckConstraint(
            "octet_length(content) BETWEEN 1 AND 10485760",
            name=op.f("ck_import_file_content_size"),
        ),
    )
    op.create_table(
        "import_step",
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("step_no", sa.Integer(), nullable=False),
        sa.Column("made", JSONB(), nullable=False),
        sa.Column("changed", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "step_no", name=op.f("pk_import_step")),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["import_batch.id"], name=op.f("fk_import_step_batch_id_import_batch")
        ),
    )


def _allow_states(states: str) -> None:
    op.drop_constraint(op.f("ck_import_batch_state_known"), "import_batch")
    op.create_check_constraint(
        op.f("ck_import_batch_state_known"), "import_batch", f"state IN {states}"
    )


def downgrade() -> None:
    op.drop_table("import_step")
    op.drop_table("import_file")
    op.drop_index("ix_import_batch_busy", "import_batch")
    op.drop_column("import_batch", "undone_at")
    op.drop_column("import_batch", "failure")
    op.drop_column("import_batch", "foreseen")
    op.drop_column("import_batch", "attempts")
    op.drop_constraint(op.f("fk_import_batch_staff_id_staff"), "import_batch")
    op.drop_column("import_batch", "staff_id")
    op.execute(
        "UPDATE import_batch SET state = 'failed' WHERE state NOT IN ('importing', 'finished')"
    )
    _allow_states(STATES_BEFORE)
