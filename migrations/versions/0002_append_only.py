"""Let audit, money and bill lines only grow, keep evidence, check the references of bills

Lock: ACCESS EXCLUSIVE on each table for the instant of CREATE TRIGGER; run on empty tables.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BILLED = {
    "house": "house_id = OLD.id",
    "bill_batch_item": "batch_id = OLD.batch_id AND fee_item_id = OLD.fee_item_id",
}
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
    _check_references()
    op.execute(
        "CREATE TRIGGER keep_evidence BEFORE UPDATE OR DELETE ON platform_notice"
        " FOR EACH ROW EXECUTE FUNCTION keep_evidence()"
    )


def _check_references() -> None:
    """Check what bills and lines refer to once per statement; see docs/adr/0008.

    On the other side nothing that a bill refers to can be deleted: the deleting statement first
    waits for everybody who is writing bills, so that neither can miss the other.
    """
    op.execute(
        """
        CREATE FUNCTION check_bill_references() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (SELECT FROM (SELECT DISTINCT house_id, community_id FROM new_rows) named
                         LEFT JOIN house ON house.id = named.house_id
                               AND house.community_id = named.community_id
                        WHERE house.id IS NULL)
               OR EXISTS (SELECT FROM (SELECT DISTINCT batch_id, fee_item_id FROM new_rows) named
                            LEFT JOIN bill_batch_item item ON item.batch_id = named.batch_id
                                  AND item.fee_item_id = named.fee_item_id
                           WHERE item.batch_id IS NULL) THEN
                RAISE EXCEPTION 'a bill refers to a house or batch item that is not there'
                    USING ERRCODE = 'foreign_key_violation';
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER check_references AFTER INSERT ON bill"
        " REFERENCING NEW TABLE AS new_rows"
        " FOR EACH STATEMENT EXECUTE FUNCTION check_bill_references()"
    )
    op.execute(
        """
        CREATE FUNCTION check_line_references() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (SELECT FROM new_rows LEFT JOIN bill ON bill.id = new_rows.bill_id
                        WHERE bill.id IS NULL) THEN
                RAISE EXCEPTION 'a line refers to a bill that is not there'
                    USING ERRCODE = 'foreign_key_violation';
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER check_references AFTER INSERT ON bill_line"
        " REFERENCING NEW TABLE AS new_rows"
        " FOR EACH STATEMENT EXECUTE FUNCTION check_line_references()"
    )
    op.execute(
        """
        CREATE FUNCTION keep_bill_keys() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'what bills hang on keeps its keys: % of % refused', TG_OP, TG_TABLE_NAME
                USING ERRCODE = 'integrity_constraint_violation';
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER keep_keys BEFORE DELETE OR TRUNCATE"
        " OR UPDATE OF id, community_id, batch_id, house_id, fee_item_id ON bill"
        " FOR EACH STATEMENT EXECUTE FUNCTION keep_bill_keys()"
    )
    # What is referred to keeps the keys by which it is: nobody would look at the bills again.
    op.execute(
        "CREATE TRIGGER keep_keys BEFORE TRUNCATE OR UPDATE OF batch_id, fee_item_id"
        " ON bill_batch_item FOR EACH STATEMENT EXECUTE FUNCTION keep_bill_keys()"
    )
    op.execute(
        "CREATE TRIGGER keep_keys BEFORE TRUNCATE OR UPDATE OF id, community_id"
        " ON house FOR EACH STATEMENT EXECUTE FUNCTION keep_bill_keys()"
    )
    for table, column in BILLED.items():
        op.execute(
            f"""
            CREATE FUNCTION keep_billed_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                LOCK TABLE bill IN SHARE ROW EXCLUSIVE MODE;
                IF EXISTS (SELECT FROM bill WHERE {column}) THEN
                    RAISE EXCEPTION '{table} has bills and cannot be deleted'
                        USING ERRCODE = 'foreign_key_violation';
                END IF;
                RETURN OLD;
            END $$
            """
        )
        op.execute(
            f"CREATE TRIGGER keep_billed BEFORE DELETE ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION keep_billed_{table}()"
        )


def downgrade() -> None:
    for table in BILLED:
        op.execute(f"DROP TRIGGER keep_billed ON {table}")
        op.execute(f"DROP FUNCTION keep_billed_{table}()")
    for table in ("bill", "bill_batch_item", "house"):
        op.execute(f"DROP TRIGGER keep_keys ON {table}")
    op.execute("DROP FUNCTION keep_bill_keys()")
    op.execute("DROP TRIGGER check_references ON bill_line")
    op.execute("DROP FUNCTION check_line_references()")
    op.execute("DROP TRIGGER check_references ON bill")
    op.execute("DROP FUNCTION check_bill_references()")
    op.execute("DROP TRIGGER keep_evidence ON platform_notice")
    for table in APPEND_ONLY:
        op.execute(f"DROP TRIGGER append_only_{table} ON {table}")
    op.execute("DROP FUNCTION keep_evidence()")
    op.execute("DROP FUNCTION refuse_change()")
