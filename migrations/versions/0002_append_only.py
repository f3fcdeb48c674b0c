"""Let audit, money and bill lines only grow, and keep evidence as it came

Lock: ACCESS EXCLUSIVE on each table for the instant of CREATE TRIGGER; run on empty tables.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

APPEND_ONLY = ("audit_entry", "allocation", "payment", "receipt", "bill_line", "suspense")


def upgrade() -> None:
    op.execute(
        """
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% only grows: % refused', TG_TABLE_NAME, TG_OP
                USING ERRCODE = 'integrity_constraint_violation';
        END $$
        """
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only_{table} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        """
        CREATE FUNCTION keep_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE'
               AND (NEW.id, NEW.source, NEW.received_at, NEW.remote_ip, NEW.headers, NEW.body,
                    NEW.body_size, NEW.body_sha256, NEW.request_id)
                   IS NOT DISTINCT FROM
                   (OLD.id, OLD.source, OLD.received_at, OLD.remote_ip, OLD.headers, OLD.body,
                    OLD.body_size, OLD.body_sha256, OLD.request_id) THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION 'evidence only takes a verdict: % refused', TG_OP
                USING ERRCODE = 'integrity_constraint_violation';
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER keep_evidence BEFORE UPDATE OR DELETE ON platform_notice"
        " FOR EACH ROW EXECUTE FUNCTION keep_evidence()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER keep_evidence ON platform_notice")
    for table in APPEND_ONLY:
        op.execute(f"DROP TRIGGER append_only_{table} ON {table}")
    op.execute("DROP FUNCTION keep_evidence()")
    op.execute("DROP FUNCTION refuse_change()")
