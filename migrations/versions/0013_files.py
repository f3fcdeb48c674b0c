"""Keep photos and documents that people hand in

Lock: none on what is there; a new table only. Its references take SHARE ROW EXCLUSIVE on account,
staff and community for an instant. Code of before goes on working.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

SUBJECTS = (
    "'binding_application', 'equipment', 'equipment_document', 'feedback', 'feedback_event',"
    " 'maintenance_result', 'notice', 'repair', 'repair_event'"
)


def upgrade() -> None:
    op.create_table(
        "stored_file",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("small_key", sa.String()),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), server_default="", nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer()),
        sa.Column("height", sa.Integer()),
        sa.Column("account_id", sa.BigInteger()),
        sa.Column("staff_id", sa.BigInteger()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("subject_type", sa.String()),
        sa.Column("subject_id", sa.BigInteger()),
        sa.Column("community_id", sa.BigInteger()),
        sa.Column("attached_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "kind IN ('photo', 'document')", name=op.f("ck_stored_file_kind_known")
        ),
        sa.CheckConstraint(
            f"subject_type IN ({SUBJECTS})", name=op.f("ck_stored_file_subject_type_known")
        ),
        sa.CheckConstraint(
            "(account_id IS NULL) <> (staff_id IS NULL)",
            name=op.f("ck_stored_file_handed_in_by_one_person"),
        ),
        sa.CheckConstraint(
            "(subject_type IS NULL) = (subject_id IS NULL)"
            " AND (subject_type IS NULL) = (attached_at IS NULL)"
            " AND (subject_type IS NULL) = (community_id IS NULL)",
            name=op.f("ck_stored_file_attached_as_a_whole"),
        ),
        sa.CheckConstraint(
            "(kind = 'photo') = (small_key IS NOT NULL)",
            name=op.f("ck_stored_file_photo_has_small"),
        ),
        sa.CheckConstraint("size > 0", name=op.f("ck_stored_file_size_range")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_stored_file_account_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_stored_file_staff_id_staff")
        ),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_stored_file_community_id_community")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stored_file")),
        sa.UniqueConstraint("key", name=op.f("uq_stored_file_key")),
        sa.UniqueConstraint("small_key", name=op.f("uq_stored_file_small_key")),
    )
    op.create_index(
        "ix_stored_file_subject",
        "stored_file",
        ["subject_type", "subject_id", "id"],
        postgresql_where=sa.text("subject_type IS NOT NULL"),
    )
    op.create_index(
        "ix_stored_file_loose",
        "stored_file",
        ["created_at"],
        postgresql_where=sa.text("subject_type IS NULL"),
    )
    op.create_index("ix_stored_file_account_id", "stored_file", ["account_id"])
    op.create_index("ix_stored_file_staff_id", "stored_file", ["staff_id"])


def downgrade() -> None:
    op.drop_table("stored_file")
