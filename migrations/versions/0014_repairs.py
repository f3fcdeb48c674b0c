"""Keep repairs with their events, pauses, parts, quotes, ratings, incidents, rules, skills and duty

Lock: none on rows: all tables are new; their foreign keys take SHARE ROW EXCLUSIVE on the tables they
name for an instant. Code of before goes on working.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

APPEND_ONLY = ("repair_event", "repair_rating", "repair_follow_up")


def upgrade() -> None:
    op.create_table('repair_sla',
    sa.Column('community_id', sa.BigInteger(), nullable=False),
    sa.Column('priority', sa.Text(), nullable=False),
    sa.Column('response_minutes', sa.Integer(), nullable=False),
    sa.Column('arrive_minutes', sa.Integer(), nullable=False),
    sa.Column('finish_minutes', sa.Integer(), nullable=False),
    sa.CheckConstraint("priority IN ('emergency', 'urgent', 'normal', 'low')", name=op.f('ck_repair_sla_priority_known')),
    sa.CheckConstraint('response_minutes BETWEEN 1 AND arrive_minutes AND arrive_minutes <= finish_minutes AND finish_minutes <= 525600', name=op.f('ck_repair_sla_minutes_in_order')),
    sa.ForeignKeyConstraint(['community_id'], ['community.id'], name=op.f('fk_repair_sla_community_id_community')),
    sa.PrimaryKeyConstraint('community_id', 'priority', name=op.f('pk_repair_sla'))
    )
    op.create_table('staff_duty',
    sa.Column('staff_id', sa.BigInteger(), nullable=False),
    sa.Column('weekday', sa.Integer(), nullable=False),
    sa.Column('from_minute', sa.Integer(), nullable=False),
    sa.Column('until_minute', sa.Integer(), nullable=False),
    sa.CheckConstraint('from_minute >= 0 AND from_minute < until_minute AND until_minute <= 1440', name=op.f('ck_staff_duty_minutes_in_order')),
    sa.CheckConstraint('weekday BETWEEN 0 AND 6', name=op.f('ck_staff_duty_weekday_range')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_staff_duty_staff_id_staff')),
    sa.PrimaryKeyConstraint('staff_id', 'weekday', 'from_minute', name=op.f('pk_staff_duty'))
    )
    op.create_table('staff_skill',
    sa.Column('staff_id', sa.BigInteger(), nullable=False),
    sa.Column('category', sa.Text(), nullable=False),
    sa.CheckConstraint("category IN ('water', 'power', 'doors', 'leak', 'drain', 'lift', 'access', 'lighting', 'fire', 'heating', 'wall', 'other')", name=op.f('ck_staff_skill_category_known')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_staff_skill_staff_id_staff')),
    sa.PrimaryKeyConstraint('staff_id', 'category', name=op.f('pk_staff_skill'))
    )
    op.create_table('repair_incident',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('community_id', sa.BigInteger(), nullable=False),
    sa.Column('building_id', sa.BigInteger(), nullable=True),
    sa.Column('category', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('opened_by_staff_id', sa.BigInteger(), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("category IN ('water', 'power', 'doors', 'leak', 'drain', 'lift', 'access', 'lighting', 'fire', 'heating', 'wall', 'other')", name=op.f('ck_repair_incident_category_known')),
    sa.ForeignKeyConstraint(['building_id'], ['building.id'], name=op.f('fk_repair_incident_building_id_building')),
    sa.ForeignKeyConstraint(['community_id'], ['community.id'], name=op.f('fk_repair_incident_community_id_community')),
    sa.ForeignKeyConstraint(['opened_by_staff_id'], ['staff.id'], name=op.f('fk_repair_incident_opened_by_staff_id_staff')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_repair_incident'))
    )
    op.create_index('ix_repair_incident_community_id', 'repair_incident', ['community_id', 'id'], unique=False)
    op.create_table('repair_rule',
    sa.Column('community_id', sa.BigInteger(), nullable=False),
    sa.Column('dispatch_mode', sa.Text(), server_default='assign', nullable=False),
    sa.Column('accept_minutes', sa.Integer(), server_default='30', nullable=False),
    sa.Column('fee_item_id', sa.BigInteger(), nullable=True),
    sa.CheckConstraint("dispatch_mode IN ('assign', 'grab', 'rotate')", name=op.f('ck_repair_rule_dispatch_mode_known')),
    sa.CheckConstraint('accept_minutes BETWEEN 1 AND 10080', name=op.f('ck_repair_rule_accept_minutes_range')),
    sa.ForeignKeyConstraint(['community_id'], ['community.id'], name=op.f('fk_repair_rule_community_id_community')),
    sa.ForeignKeyConstraint(['fee_item_id'], ['fee_item.id'], name=op.f('fk_repair_rule_fee_item_id_fee_item')),
    sa.PrimaryKeyConstraint('community_id', name=op.f('pk_repair_rule'))
    )
    op.create_table('repair_order',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('community_id', sa.BigInteger(), nullable=False),
    sa.Column('repair_no', sa.Text(), nullable=False),
    sa.Column('house_id', sa.BigInteger(), nullable=True),
    sa.Column('building_id', sa.BigInteger(), nullable=True),
    sa.Column('equipment_id', sa.BigInteger(), nullable=True),
    sa.Column('category', sa.Text(), nullable=False),
    sa.Column('priority', sa.Text(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('contact_name', sa.Text(), server_default='', nullable=False),
    sa.Column('contact_phone', sa.Text(), server_default='', nullable=False),
    sa.Column('reporter_account_id', sa.BigInteger(), nullable=True),
    sa.Column('opened_by_staff_id', sa.BigInteger(), nullable=True),
    sa.Column('key_id', sa.BigInteger(), nullable=True),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('assignee_staff_id', sa.BigInteger(), nullable=True),
    sa.Column('incident_id', sa.BigInteger(), nullable=True),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('opened_on', sa.Date(), nullable=False),
    sa.Column('clock_from_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('response_due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('arrive_due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('finish_due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('warn_due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('assigned_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('accepted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('arrived_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('confirm_from_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('escalated_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('warned_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('breached_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reopened_count', sa.Integer(), server_default='0', nullable=False),
    sa.Column('cause', sa.Text(), server_default='', nullable=False),
    sa.Column('measure', sa.Text(), server_default='', nullable=False),
    sa.Column('labour_minutes', sa.Integer(), server_default='0', nullable=False),
    sa.Column('labour_fen', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('charge_fen', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('one_off_charge_id', sa.BigInteger(), nullable=True),
    sa.CheckConstraint("(state IN ('closed', 'cancelled', 'force_closed')) = (ended_at IS NOT NULL)", name=op.f('ck_repair_order_ended_at_a_time')),
    sa.CheckConstraint("category IN ('water', 'power', 'doors', 'leak', 'drain', 'lift', 'access', 'lighting', 'fire', 'heating', 'wall', 'other')", name=op.f('ck_repair_order_category_known')),
    sa.CheckConstraint("cause IN ('', 'ageing', 'misuse', 'construction', 'outside_force', 'design', 'human', 'other')", name=op.f('ck_repair_order_cause_known')),
    sa.CheckConstraint("contact_phone = '' OR contact_phone ~ '^1[3-9][0-9]{9}$'", name=op.f('ck_repair_order_contact_phone_form')),
    sa.CheckConstraint("priority IN ('emergency', 'urgent', 'normal', 'low')", name=op.f('ck_repair_order_priority_known')),
    sa.CheckConstraint("source IN ('owner', 'chat', 'label', 'desk', 'phone', 'staff', 'maintenance')", name=op.f('ck_repair_order_source_known')),
    sa.CheckConstraint("state IN ('submitted', 'pending_dispatch', 'grabbable', 'assigned', 'accepted', 'in_progress', 'suspended', 'awaiting_quote_approval', 'finished', 'awaiting_payment', 'awaiting_confirmation', 'reopened', 'closed', 'cancelled', 'force_closed')", name=op.f('ck_repair_order_state_known')),
    sa.CheckConstraint("state NOT IN ('assigned', 'accepted', 'in_progress', 'suspended', 'awaiting_quote_approval', 'reopened') OR assignee_staff_id IS NOT NULL", name=op.f('ck_repair_order_worked_on_by_somebody')),
    sa.CheckConstraint("state NOT IN ('submitted', 'pending_dispatch', 'grabbable') OR assignee_staff_id IS NULL", name=op.f('ck_repair_order_unassigned_is_free')),
    sa.CheckConstraint('charge_fen = 0 OR house_id IS NOT NULL', name=op.f('ck_repair_order_charged_to_a_house')),
    sa.CheckConstraint('charge_fen >= 0', name=op.f('ck_repair_order_charge_fen_range')),
    sa.CheckConstraint('labour_minutes >= 0', name=op.f('ck_repair_order_labour_minutes_range')),
    sa.ForeignKeyConstraint(['assignee_staff_id'], ['staff.id'], name=op.f('fk_repair_order_assignee_staff_id_staff')),
    sa.ForeignKeyConstraint(['building_id'], ['building.id'], name=op.f('fk_repair_order_building_id_building')),
    sa.ForeignKeyConstraint(['community_id'], ['community.id'], name=op.f('fk_repair_order_community_id_community')),
    sa.ForeignKeyConstraint(['house_id'], ['house.id'], name=op.f('fk_repair_order_house_id_house')),
    sa.ForeignKeyConstraint(['incident_id'], ['repair_incident.id'], name=op.f('fk_repair_order_incident_id_repair_incident')),
    sa.ForeignKeyConstraint(['key_id'], ['idempotency_key.id'], name=op.f('fk_repair_order_key_id_idempotency_key')),
    sa.ForeignKeyConstraint(['one_off_charge_id'], ['one_off_charge.id'], name=op.f('fk_repair_order_one_off_charge_id_one_off_charge')),
    sa.ForeignKeyConstraint(['opened_by_staff_id'], ['staff.id'], name=op.f('fk_repair_order_opened_by_staff_id_staff')),
    sa.ForeignKeyConstraint(['reporter_account_id'], ['account.id'], name=op.f('fk_repair_order_reporter_account_id_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_repair_order')),
    sa.UniqueConstraint('community_id', 'repair_no', name=op.f('uq_repair_order_community_id')),
    sa.UniqueConstraint('key_id', name=op.f('uq_repair_order_key_id')),
    sa.UniqueConstraint('one_off_charge_id', name=op.f('uq_repair_order_one_off_charge_id'))
    )
    op.create_index('ix_repair_order_building_id', 'repair_order', ['building_id', 'category', 'opened_at'], unique=False)
    op.create_index('ix_repair_order_community_id', 'repair_order', ['community_id', 'id'], unique=False)
    op.create_index('ix_repair_order_equipment_id', 'repair_order', ['equipment_id', 'opened_at'], unique=False)
    op.create_index('ix_repair_order_house_id', 'repair_order', ['house_id', 'id'], unique=False)
    op.create_index('ix_repair_order_incident_id', 'repair_order', ['incident_id'], unique=False)
    op.create_index('ix_repair_order_load', 'repair_order', ['assignee_staff_id'], unique=False, postgresql_where=sa.text("state IN ('assigned', 'accepted', 'in_progress', 'suspended', 'awaiting_quote_approval', 'reopened')"))
    op.create_index('ix_repair_order_open', 'repair_order', ['state'], unique=False, postgresql_where=sa.text("state NOT IN ('closed', 'cancelled', 'force_closed')"))
    op.create_index('ix_repair_order_reporter', 'repair_order', ['reporter_account_id', 'id'], unique=False)
    op.create_table('repair_event',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('repair_id', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('act', sa.Text(), nullable=False),
    sa.Column('from_state', sa.String(), nullable=True),
    sa.Column('to_state', sa.Text(), nullable=False),
    sa.Column('actor_kind', sa.Text(), nullable=False),
    sa.Column('actor_id', sa.BigInteger(), nullable=True),
    sa.Column('actor_name', sa.Text(), nullable=False),
    sa.Column('assignee_staff_id', sa.BigInteger(), nullable=True),
    sa.Column('note', sa.Text(), server_default='', nullable=False),
    sa.Column('is_internal', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.CheckConstraint("(act = 'open') = (from_state IS NULL)", name=op.f('ck_repair_event_first_opens')),
    sa.CheckConstraint("act IN ('open', 'queue', 'offer', 'assign', 'grab', 'accept', 'return', 'transfer', 'arrive', 'suspend', 'resume', 'quote', 'approve_quote', 'refuse_quote', 'finish', 'bill', 'hand_over', 'settle', 'confirm', 'auto_close', 'reopen', 'cancel', 'force_close', 'note')", name=op.f('ck_repair_event_act_known')),
    sa.CheckConstraint("to_state IN ('submitted', 'pending_dispatch', 'grabbable', 'assigned', 'accepted', 'in_progress', 'suspended', 'awaiting_quote_approval', 'finished', 'awaiting_payment', 'awaiting_confirmation', 'reopened', 'closed', 'cancelled', 'force_closed')", name=op.f('ck_repair_event_to_state_known')),
    sa.ForeignKeyConstraint(['assignee_staff_id'], ['staff.id'], name=op.f('fk_repair_event_assignee_staff_id_staff')),
    sa.ForeignKeyConstraint(['repair_id'], ['repair_order.id'], name=op.f('fk_repair_event_repair_id_repair_order')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_repair_event'))
    )
    op.create_index('ix_repair_event_repair_id', 'repair_event', ['repair_id', 'id'], unique=False)
    op.create_table('repair_follow_up',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('repair_id', sa.BigInteger(), nullable=False),
    sa.Column('is_satisfied', sa.Boolean(), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('staff_id', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['repair_id'], ['repair_order.id'], name=op.f('fk_repair_follow_up_repair_id_repair_order')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_repair_follow_up_staff_id_staff')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_repair_follow_up'))
    )
    op.create_index('ix_repair_follow_up_repair_id', 'repair_follow_up', ['repair_id', 'id'], unique=False)
    op.create_table('repair_part',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('repair_id', sa.BigInteger(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('quantity', sa.Numeric(precision=12, scale=3), nullable=False),
    sa.Column('unit_price_fen', sa.BigInteger(), nullable=False),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.Column('added_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('amount_fen >= 0', name=op.f('ck_repair_part_amount_fen_range')),
    sa.CheckConstraint('quantity > 0', name=op.f('ck_repair_part_quantity_positive')),
    sa.CheckConstraint('unit_price_fen >= 0', name=op.f('ck_repair_part_unit_price_fen_range')),
    sa.ForeignKeyConstraint(['repair_id'], ['repair_order.id'], name=op.f('fk_repair_part_repair_id_repair_order')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_repair_part'))
    )
    op.create_index('ix_repair_part_repair_id', 'repair_part', ['repair_id'], unique=False)
    op.create_table('repair_pause',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('repair_id', sa.BigInteger(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('until_on', sa.Date(), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("reason IN ('parts', 'owner', 'third_party', 'quote')", name=op.f('ck_repair_pause_reason_known')),
    sa.CheckConstraint('ended_at >= started_at', name=op.f('ck_repair_pause_span_not_negative')),
    sa.ForeignKeyConstraint(['repair_id'], ['repair_order.id'], name=op.f('fk_repair_pause_repair_id_repair_order')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_repair_pause'))
    )
    op.create_index('ix_repair_pause_repair_id', 'repair_pause', ['repair_id', 'id'], unique=False)
    op.create_index('uq_repair_pause_open', 'repair_pause', ['repair_id'], unique=True, postgresql_where=sa.text('ended_at IS NULL'))
    op.create_table('repair_quote',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('repair_id', sa.BigInteger(), nullable=False),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('made_by_staff_id', sa.BigInteger(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('decided_by_account_id', sa.BigInteger(), nullable=True),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("(state = 'pending') = (decided_at IS NULL)", name=op.f('ck_repair_quote_decided_at_a_time')),
    sa.CheckConstraint("state IN ('pending', 'approved', 'refused')", name=op.f('ck_repair_quote_state_known')),
    sa.CheckConstraint('amount_fen > 0', name=op.f('ck_repair_quote_amount_fen_positive')),
    sa.ForeignKeyConstraint(['decided_by_account_id'], ['account.id'], name=op.f('fk_repair_quote_decided_by_account_id_account')),
    sa.ForeignKeyConstraint(['made_by_staff_id'], ['staff.id'], name=op.f('fk_repair_quote_made_by_staff_id_staff')),
    sa.ForeignKeyConstraint(['repair_id'], ['repair_order.id'], name=op.f('fk_repair_quote_repair_id_repair_order')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_repair_quote'))
    )
    op.create_index('ix_repair_quote_repair_id', 'repair_quote', ['repair_id', 'id'], unique=False)
    op.create_index('uq_repair_quote_pending', 'repair_quote', ['repair_id'], unique=True, postgresql_where=sa.text("state = 'pending'"))
    op.create_table('repair_rating',
    sa.Column('repair_id', sa.BigInteger(), nullable=False),
    sa.Column('score', sa.Integer(), nullable=False),
    sa.Column('note', sa.Text(), server_default='', nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('score BETWEEN 1 AND 5', name=op.f('ck_repair_rating_score_range')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_repair_rating_account_id_account')),
    sa.ForeignKeyConstraint(['repair_id'], ['repair_order.id'], name=op.f('fk_repair_rating_repair_id_repair_order')),
    sa.PrimaryKeyConstraint('repair_id', name=op.f('pk_repair_rating'))
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only_{table} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    op.drop_table('repair_rating')
    op.drop_table('repair_quote')
    op.drop_table('repair_pause')
    op.drop_table('repair_part')
    op.drop_table('repair_follow_up')
    op.drop_table('repair_event')
    op.drop_table('repair_order')
    op.drop_table('repair_rule')
    op.drop_table('repair_incident')
    op.drop_table('staff_skill')
    op.drop_table('staff_duty')
    op.drop_table('repair_sla')
