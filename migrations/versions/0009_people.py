"""Keep owners with all their phones and letters, rights of people, bindings by other ways, transfers

Lock: ACCESS EXCLUSIVE on owner, house_person, house_binding and outbox_message for the instant in
which columns, triggers and a check are added; constants fill them, so nothing is rewritten. SHARE
on owner, house, house_person and house_binding while indexes are built: some seconds at a million owners.
Code of before goes on working: what it writes of an owner's phone the trigger copies.
`flask owners letters` fills the letters of names that are on file.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KINDS = "'login_code', 'bill_published', 'payment_received', 'password_reset'"


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    # Every part of one or two characters: trigrams know no shorter words, and Chinese names are.
    op.execute(
        """
        CREATE FUNCTION name_grams(name text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT
        PARALLEL SAFE RETURN (
            SELECT coalesce(array_agg(DISTINCT substr(lower(name), at, size)), '{}')
              FROM generate_series(1, length(name)) at, generate_series(1, 2) size
             WHERE at + size <= length(name) + 1)
        """
    )
    _create_tables()
    _add_columns()
    _keep_phones()
    op.execute(
        "CREATE TRIGGER append_only_phone_reveal BEFORE UPDATE OR DELETE OR TRUNCATE"
        " ON phone_reveal FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.drop_constraint(op.f("ck_outbox_message_kind_known"), "outbox_message")
    op.create_check_constraint(
        op.f("ck_outbox_message_kind_known"),
        "outbox_message",
        f"kind IN ({KINDS}, 'house_registered')",
    )


def _keep_phones() -> None:
    """Keep the row of an owner's primary phone in step with the owner.

    A primary phone that is replaced goes: whoever wants to keep it as another phone adds it anew.
    """
    op.execute(
        """
        INSERT INTO owner_phone (owner_id, community_id, phone, is_primary, created_at)
        SELECT id, community_id, phone, true, created_at
          FROM owner WHERE phone IS NOT NULL
        """
    )
    op.execute(
        """
        CREATE FUNCTION add_owner_phones() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO owner_phone (owner_id, community_id, phone, is_primary, created_at)
            SELECT id, community_id, phone, true, created_at FROM new_rows
             WHERE phone IS NOT NULL;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER add_phones AFTER INSERT ON owner REFERENCING NEW TABLE AS new_rows"
        " FOR EACH STATEMENT EXECUTE FUNCTION add_owner_phones()"
    )
    op.execute(
        """
        CREATE FUNCTION change_owner_phone() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            DELETE FROM owner_phone WHERE owner_id = NEW.id AND is_primary;
            IF NEW.phone IS NOT NULL THEN
                DELETE FROM owner_phone WHERE owner_id = NEW.id AND phone = NEW.phone;
                INSERT INTO owner_phone (owner_id, community_id, phone, is_primary, created_at)
                VALUES (NEW.id, NEW.community_id, NEW.phone, true, now());
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER change_phone AFTER UPDATE OF phone ON owner FOR EACH ROW"
        " WHEN (OLD.phone IS DISTINCT FROM NEW.phone) EXECUTE FUNCTION change_owner_phone()"
    )
    op.execute(
        """
        CREATE FUNCTION drop_owner_phones() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            DELETE FROM owner_phone WHERE owner_id = OLD.id;
            RETURN OLD;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER drop_phones BEFORE DELETE ON owner FOR EACH ROW"
        " EXECUTE FUNCTION drop_owner_phones()"
    )


def _create_tables() -> None:
    op.create_table(
        "owner_phone",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("label", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("phone ~ '^1[3-9][0-9]{9}$'", name=op.f("ck_owner_phone_phone_form")),
        sa.ForeignKeyConstraint(
            ["community_id"], ["community.id"], name=op.f("fk_owner_phone_community_id_community")
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["owner.id"], name=op.f("fk_owner_phone_owner_id_owner")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_owner_phone")),
        sa.UniqueConstraint("community_id", "phone", name=op.f("uq_owner_phone_community_id")),
    )
    op.create_index("ix_owner_phone_exact", "owner_phone", ["phone"], unique=False)
    op.create_index("ix_owner_phone_owner_id", "owner_phone", ["owner_id"], unique=False)
    op.create_index(
        "ix_owner_phone_parts",
        "owner_phone",
        ["phone"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"phone": "gin_trgm_ops"},
    )
    op.create_index(
        "uq_owner_phone_primary",
        "owner_phone",
        ["owner_id"],
        unique=True,
        postgresql_where=sa.text("is_primary"),
    )
    op.create_table(
        "phone_reveal",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("staff_id", sa.BigInteger(), nullable=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["owner.id"], name=op.f("fk_phone_reveal_owner_id_owner")
        ),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff.id"], name=op.f("fk_phone_reveal_staff_id_staff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phone_reveal")),
    )
    op.create_index("ix_phone_reveal_owner_id", "phone_reveal", ["owner_id", "id"], unique=False)
    op.create_table(
        "binding_application",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("house_text", sa.Text(), nullable=False),
        sa.Column("house_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("proof", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by_staff_id", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_note", sa.Text(), server_default="", nullable=False),
        sa.Column("binding_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(state = 'approved') = (binding_id IS NOT NULL)",
            name=op.f("ck_binding_application_approved_binds"),
        ),
        sa.CheckConstraint(
            "(state IN ('approved', 'rejected')) = (decided_by_staff_id IS NOT NULL)",
            name=op.f("ck_binding_application_decided_by_somebody"),
        ),
        sa.CheckConstraint(
            "role IN ('owner', 'family', 'tenant')", name=op.f("ck_binding_application_role_known")
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'approved', 'rejected', 'withdrawn')",
            name=op.f("ck_binding_application_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_binding_application_account_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["binding_id"],
            ["house_binding.id"],
            name=op.f("fk_binding_application_binding_id_house_binding"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
            name=op.f("fk_binding_application_community_id_community"),
        ),
        sa.ForeignKeyConstraint(
            ["decided_by_staff_id"],
            ["staff.id"],
            name=op.f("fk_binding_application_decided_by_staff_id_staff"),
        ),
        sa.ForeignKeyConstraint(
            ["house_id"], ["house.id"], name=op.f("fk_binding_application_house_id_house")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_binding_application")),
    )
    op.create_index(
        "ix_binding_application_community_id",
        "binding_application",
        ["community_id", "state"],
        unique=False,
    )
    op.create_index(
        "ix_binding_application_house_id", "binding_application", ["house_id"], unique=False
    )
    op.create_index(
        "uq_binding_application_pending",
        "binding_application",
        ["account_id", "community_id", "house_text"],
        unique=True,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_table(
        "house_invitation",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("house_id", sa.BigInteger(), nullable=False),
        sa.Column("invited_by_account_id", sa.BigInteger(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("may_see_bills", sa.Boolean(), nullable=True),
        sa.Column("may_pay", sa.Boolean(), nullable=True),
        sa.Column("may_report", sa.Boolean(), nullable=True),
        sa.Column("stays_until", sa.Date(), nullable=True),
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("binding_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(state = 'accepted') = (binding_id IS NOT NULL)",
            name=op.f("ck_house_invitation_accepted_binds"),
        ),
        sa.CheckConstraint(
            "phone ~ '^1[3-9][0-9]{9}$'", name=op.f("ck_house_invitation_phone_form")
        ),
        sa.CheckConstraint(
            "role IN ('family', 'tenant')", name=op.f("ck_house_invitation_role_known")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'accepted', 'revoked')", name=op.f("ck_house_invitation_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["binding_id"],
            ["house_binding.id"],
            name=op.f("fk_house_invitation_binding_id_house_binding"),
        ),
        sa.ForeignKeyConstraint(
            ["house_id"], ["house.id"], name=op.f("fk_house_invitation_house_id_house")
        ),
        sa.ForeignKeyConstraint(
            ["invited_by_account_id"],
            ["account.id"],
            name=op.f("fk_house_invitation_invited_by_account_id_account"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_house_invitation")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_house_invitation_token_sha256")),
    )
    op.create_index(
        "ix_house_invitation_invited_by",
        "house_invitation",
        ["invited_by_account_id"],
        unique=False,
    )
    op.create_index("ix_house_invitation_phone", "house_invitation", ["phone"], unique=False)
    op.create_index(
        "uq_house_invitation_open",
        "house_invitation",
        ["house_id", "phone"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "house_transfer",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("house_id", sa.BigInteger(), nullable=False),
        sa.Column("cut_on", sa.Date(), nullable=False),
        sa.Column("unpaid", sa.Text(), nullable=False),
        sa.Column("prepaid", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("done", postgresql.JSONB(), nullable=False),
        sa.Column("key_id", sa.BigInteger(), nullable=False),
        sa.Column("made_by_staff_id", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_by_staff_id", sa.BigInteger(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "prepaid IN ('stays', 'refund')", name=op.f("ck_house_transfer_prepaid_known")
        ),
        sa.CheckConstraint(
            "unpaid IN ('seller', 'buyer')", name=op.f("ck_house_transfer_unpaid_known")
        ),
        sa.CheckConstraint(
            "(undone_at IS NULL) = (undone_by_staff_id IS NULL)",
            name=op.f("ck_house_transfer_undone_by_somebody"),
        ),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
            name=op.f("fk_house_transfer_community_id_community"),
        ),
        sa.ForeignKeyConstraint(
            ["house_id"], ["house.id"], name=op.f("fk_house_transfer_house_id_house")
        ),
        sa.ForeignKeyConstraint(
            ["key_id"],
            ["idempotency_key.id"],
            name=op.f("fk_house_transfer_key_id_idempotency_key"),
        ),
        sa.ForeignKeyConstraint(
            ["made_by_staff_id"],
            ["staff.id"],
            name=op.f("fk_house_transfer_made_by_staff_id_staff"),
        ),
        sa.ForeignKeyConstraint(
            ["undone_by_staff_id"],
            ["staff.id"],
            name=op.f("fk_house_transfer_undone_by_staff_id_staff"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_house_transfer")),
    )
    op.create_index(
        "ix_house_transfer_community_id", "house_transfer", ["community_id"], unique=False
    )
    op.create_index(
        "uq_house_transfer_day",
        "house_transfer",
        ["house_id", "cut_on"],
        unique=True,
        postgresql_where=sa.text("undone_at IS NULL"),
    )
    op.create_table(
        "transfer_debt",
        sa.Column("bill_id", sa.BigInteger(), nullable=False),
        sa.Column("transfer_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["bill_id"], ["bill.id"], name=op.f("fk_transfer_debt_bill_id_bill")
        ),
        sa.ForeignKeyConstraint(
            ["transfer_id"],
            ["house_transfer.id"],
            name=op.f("fk_transfer_debt_transfer_id_house_transfer"),
        ),
        sa.PrimaryKeyConstraint("bill_id", name=op.f("pk_transfer_debt")),
    )
    op.create_index("ix_transfer_debt_transfer_id", "transfer_debt", ["transfer_id"], unique=False)
    op.create_table(
        "transfer_party",
        sa.Column("transfer_id", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("share_ratio", sa.Numeric(precision=9, scale=8), nullable=True),
        sa.CheckConstraint(
            "side IN ('seller', 'buyer')", name=op.f("ck_transfer_party_side_known")
        ),
        sa.CheckConstraint(
            "share_ratio > 0 AND share_ratio <= 1", name=op.f("ck_transfer_party_share_ratio_range")
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["owner.id"], name=op.f("fk_transfer_party_owner_id_owner")
        ),
        sa.ForeignKeyConstraint(
            ["transfer_id"],
            ["house_transfer.id"],
            name=op.f("fk_transfer_party_transfer_id_house_transfer"),
        ),
        sa.PrimaryKeyConstraint("transfer_id", "owner_id", "side", name=op.f("pk_transfer_party")),
    )
    op.create_index("ix_transfer_party_owner_id", "transfer_party", ["owner_id"], unique=False)
    op.create_table(
        "transfer_share",
        sa.Column("transfer_id", sa.BigInteger(), nullable=False),
        sa.Column("bill_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("seller_days", sa.Integer(), nullable=False),
        sa.Column("buyer_days", sa.Integer(), nullable=False),
        sa.Column("seller_fen", sa.BigInteger(), nullable=False),
        sa.Column("buyer_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "seller_days > 0 AND buyer_days > 0", name=op.f("ck_transfer_share_days_positive")
        ),
        sa.CheckConstraint(
            "seller_fen >= 0 AND buyer_fen >= 0 AND seller_fen + buyer_fen = amount_fen",
            name=op.f("ck_transfer_share_parts_add_up"),
        ),
        sa.ForeignKeyConstraint(
            ["bill_id"], ["bill.id"], name=op.f("fk_transfer_share_bill_id_bill")
        ),
        sa.ForeignKeyConstraint(
            ["transfer_id"],
            ["house_transfer.id"],
            name=op.f("fk_transfer_share_transfer_id_house_transfer"),
        ),
        sa.PrimaryKeyConstraint("transfer_id", "bill_id", name=op.f("pk_transfer_share")),
    )


def _add_columns() -> None:
    op.add_column(
        "house_binding",
        sa.Column("because", sa.Text(), server_default="phone_on_file", nullable=False),
    )
    op.add_column("house_binding", sa.Column("may_see_bills", sa.Boolean(), nullable=True))
    op.add_column("house_binding", sa.Column("may_pay", sa.Boolean(), nullable=True))
    op.add_column("house_binding", sa.Column("may_report", sa.Boolean(), nullable=True))
    op.add_column("house_binding", sa.Column("live_until", sa.Date(), nullable=True))
    op.create_index("ix_house_binding_owner_id", "house_binding", ["owner_id"], unique=False)
    op.add_column("house_person", sa.Column("may_see_bills", sa.Boolean(), nullable=True))
    op.add_column("house_person", sa.Column("may_pay", sa.Boolean(), nullable=True))
    op.add_column("house_person", sa.Column("may_report", sa.Boolean(), nullable=True))
    op.create_index(
        "ix_house_room_no",
        "house",
        ["room_no"],
        postgresql_ops={"room_no": "text_pattern_ops"},
    )
    op.create_index("ix_house_person_house_id", "house_person", ["house_id"], unique=False)
    op.add_column("owner", sa.Column("wechat_note", sa.Text(), server_default="", nullable=False))
    op.add_column("owner", sa.Column("note", sa.Text(), server_default="", nullable=False))
    op.add_column("owner", sa.Column("pinyin", sa.Text(), server_default="", nullable=False))
    op.add_column("owner", sa.Column("initials", sa.Text(), server_default="", nullable=False))
    op.add_column("owner", sa.Column("ended_on", sa.Date(), nullable=True))
    op.create_index("ix_owner_community_id", "owner", ["community_id", "id"], unique=False)
    op.create_index(
        "ix_owner_initials",
        "owner",
        ["initials"],
        unique=False,
        postgresql_ops={"initials": "text_pattern_ops"},
    )
    op.create_index(
        "ix_owner_name_grams",
        "owner",
        [sa.literal_column("name_grams(name)")],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index(
        "ix_owner_pinyin",
        "owner",
        ["pinyin"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"pinyin": "gin_trgm_ops"},
    )
    op.create_check_constraint(
        op.f("ck_owner_ended_has_no_phone"), "owner", "ended_on IS NULL OR phone IS NULL"
    )
    op.add_column(
        "house_binding", sa.Column("ended_because", sa.Text(), server_default="", nullable=False)
    )
    op.create_check_constraint(
        op.f("ck_house_binding_ended_because_known"),
        "house_binding",
        "ended_because IN ('', 'self', 'owner', 'staff', 'phone', 'part', 'transfer')",
    )
    op.create_check_constraint(
        op.f("ck_house_binding_because_known"),
        "house_binding",
        "because IN ('phone_on_file', 'application', 'invitation')",
    )


def downgrade() -> None:
    op.execute("DELETE FROM outbox_message WHERE kind = 'house_registered'")
    op.drop_constraint(op.f("ck_outbox_message_kind_known"), "outbox_message")
    op.create_check_constraint(
        op.f("ck_outbox_message_kind_known"), "outbox_message", f"kind IN ({KINDS})"
    )
    for name in ("add_phones", "change_phone", "drop_phones"):
        op.execute(f"DROP TRIGGER {name} ON owner")
    for name in ("add_owner_phones", "change_owner_phone", "drop_owner_phones"):
        op.execute(f"DROP FUNCTION {name}()")
    op.drop_constraint(op.f("ck_owner_ended_has_no_phone"), "owner")
    op.drop_column("house_binding", "ended_because")
    op.drop_constraint(op.f("ck_house_binding_because_known"), "house_binding")
    op.drop_index(
        "ix_owner_pinyin",
        table_name="owner",
        postgresql_using="gin",
        postgresql_ops={"pinyin": "gin_trgm_ops"},
    )
    op.drop_index("ix_owner_name_grams", table_name="owner", postgresql_using="gin")
    op.drop_index(
        "ix_owner_initials", table_name="owner", postgresql_ops={"initials": "text_pattern_ops"}
    )
    op.drop_index("ix_owner_community_id", table_name="owner")
    op.drop_column("owner", "ended_on")
    op.drop_column("owner", "initials")
    op.drop_column("owner", "pinyin")
    op.drop_column("owner", "note")
    op.drop_column("owner", "wechat_note")
    op.drop_index("ix_house_room_no", table_name="house")
    op.drop_index("ix_house_person_house_id", table_name="house_person")
    op.drop_column("house_person", "may_report")
    op.drop_column("house_person", "may_pay")
    op.drop_column("house_person", "may_see_bills")
    op.drop_index("ix_house_binding_owner_id", table_name="house_binding")
    op.drop_column("house_binding", "live_until")
    op.drop_column("house_binding", "may_report")
    op.drop_column("house_binding", "may_pay")
    op.drop_column("house_binding", "may_see_bills")
    op.drop_column("house_binding", "because")
    op.drop_table("transfer_share")
    op.drop_index("ix_transfer_party_owner_id", table_name="transfer_party")
    op.drop_table("transfer_party")
    op.drop_index("ix_transfer_debt_transfer_id", table_name="transfer_debt")
    op.drop_table("transfer_debt")
    op.drop_index(
        "uq_house_transfer_day",
        table_name="house_transfer",
        postgresql_where=sa.text("undone_at IS NULL"),
    )
    op.drop_index("ix_house_transfer_community_id", table_name="house_transfer")
    op.drop_table("house_transfer")
    op.drop_index(
        "uq_house_invitation_open",
        table_name="house_invitation",
        postgresql_where=sa.text("state = 'open'"),
    )
    op.drop_index("ix_house_invitation_phone", table_name="house_invitation")
    op.drop_index("ix_house_invitation_invited_by", table_name="house_invitation")
    op.drop_table("house_invitation")
    op.drop_index(
        "uq_binding_application_pending",
        table_name="binding_application",
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.drop_index("ix_binding_application_house_id", table_name="binding_application")
    op.drop_index("ix_binding_application_community_id", table_name="binding_application")
    op.drop_table("binding_application")
    op.drop_index("ix_phone_reveal_owner_id", table_name="phone_reveal")
    op.drop_table("phone_reveal")
    op.drop_index(
        "uq_owner_phone_primary", table_name="owner_phone", postgresql_where=sa.text("is_primary")
    )
    op.drop_index(
        "ix_owner_phone_parts",
        table_name="owner_phone",
        postgresql_using="gin",
        postgresql_ops={"phone": "gin_trgm_ops"},
    )
    op.drop_index("ix_owner_phone_owner_id", table_name="owner_phone")
    op.drop_index("ix_owner_phone_exact", table_name="owner_phone")
    op.drop_table("owner_phone")
    op.execute("DROP FUNCTION name_grams(text)")
    op.execute("DROP EXTENSION pg_trgm")
