"""Let ledgers of held money only grow, and keep the collection summary by triggers on bills

Lock: ACCESS EXCLUSIVE on each table for the instant of CREATE TRIGGER, and SHARE ROW EXCLUSIVE on
bill while its present rows are added up; run on empty tables.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

APPEND_ONLY = ("prepaid_entry", "deposit_entry", "refund")
COUNTED = "('published', 'partially_paid', 'paid', 'written_off')"
KEYS = "community_id, period_month, building_id, fee_item_id, due_date"
SUMS = "bill_count, receivable_fen, received_fen, written_off_fen"


def upgrade() -> None:
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only_{table} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    _keep_summary()


def _measured(rows: str, sign: str) -> str:
    """What bills of a relation count, added or taken away; others are left out before anything."""
    return f"""
        SELECT community_id, house_id, fee_item_id, period_from, due_date,
               {sign} 1 AS bill_count, {sign} amount_fen AS receivable_fen,
               {sign} paid_fen AS received_fen,
               CASE state WHEN 'written_off' THEN {sign} (amount_fen - paid_fen) ELSE 0 END
                   AS written_off_fen
          FROM {rows} WHERE state IN {COUNTED}
    """


def _summed(measured: str) -> str:
    """Add up by key; what changes nothing is no row."""
    return f"""
        SELECT measured.community_id, date_trunc('month', measured.period_from)::date,
               house.building_id, measured.fee_item_id, measured.due_date,
               sum(bill_count)::bigint, sum(receivable_fen)::bigint, sum(received_fen)::bigint,
               sum(written_off_fen)::bigint
          FROM ({measured}) measured JOIN house ON house.id = measured.house_id
         GROUP BY 1, 2, 3, 4, 5
        HAVING sum(bill_count) <> 0 OR sum(receivable_fen) <> 0 OR sum(received_fen) <> 0
            OR sum(written_off_fen) <> 0
    """


def _keep_summary() -> None:
    """Write what each statement changed of the collection summary, once per statement.

    Drafts are filtered out first: a bill run costs one look at its rows. A statement over many
    bills is planned for their number; one over a few takes the plan that the session keeps.
    """
    added = _measured("new_rows", "+")
    changed = f"{added} UNION ALL {_measured('old_rows', '-')}"
    for name, measured in (("insert", added), ("update", changed)):
        append = f"INSERT INTO collection_change ({KEYS}, {SUMS}) {_summed(measured)}"
        op.execute(
            f"""
            CREATE FUNCTION note_collection_{name}() RETURNS trigger LANGUAGE plpgsql AS $body$
            BEGIN
                IF EXISTS (SELECT FROM new_rows OFFSET 1000) THEN
                    EXECUTE $many${append}$many$;
                ELSE
                    {append};
                END IF;
                RETURN NULL;
            END $body$
            """
        )
    op.execute(
        "CREATE TRIGGER note_collection_insert AFTER INSERT ON bill"
        " REFERENCING NEW TABLE AS new_rows"
        " FOR EACH STATEMENT EXECUTE FUNCTION note_collection_insert()"
    )
    op.execute(
        "CREATE TRIGGER note_collection_update AFTER UPDATE ON bill"
        " REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows"
        " FOR EACH STATEMENT EXECUTE FUNCTION note_collection_update()"
    )
    op.execute(f"INSERT INTO collection_summary ({KEYS}, {SUMS}) {_summed(_measured('bill', '+'))}")


def downgrade() -> None:
    for name in ("insert", "update"):
        op.execute(f"DROP TRIGGER note_collection_{name} ON bill")
        op.execute(f"DROP FUNCTION note_collection_{name}()")
    op.execute("DELETE FROM collection_summary")
    op.execute("DELETE FROM collection_change")
    for table in APPEND_ONLY:
        op.execute(f"DROP TRIGGER append_only_{table} ON {table}")
