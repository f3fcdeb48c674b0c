"""Create the tables of the spine

Lock: none that matters; every table is new.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # GiST indexes over plain columns beside ranges; a trusted extension, so no superuser is needed.
    op.execute('CREATE EXTENSION IF NOT EXISTS btree_gist')
    op.create_table('account',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('phone', sa.Text(), nullable=False),
    sa.Column('is_active', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("phone ~ '^1[3-9][0-9]{9}$'", name=op.f('ck_account_phone_form')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_account')),
    sa.UniqueConstraint('phone', name=op.f('uq_account_phone'))
    )
    op.create_table('bill',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('community_id', sa.BigInteger(), nullable=False),
    sa.Column('batch_id', sa.BigInteger(), nullable=False),
    sa.Column('house_id', sa.BigInteger(), nullable=False),
    sa.Column('fee_item_id', sa.BigInteger(), nullable=False),
    sa.Column('bill_no', sa.Text(), nullable=False),
    sa.Column('period_from', sa.Date(), nullable=False),
    sa.Column('period_until', sa.Date(), nullable=False),
    sa.Column('issue_date', sa.Date(), nullable=False),
    sa.Column('due_date', sa.Date(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.Column('paid_fen', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('published_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('pending_review', 'cancelled', 'published', 'partially_paid', 'paid', 'voided')", name=op.f('ck_bill_state_known')),
    sa.CheckConstraint("state NOT IN ('paid', 'partially_paid', 'published') OR (state = 'paid') = (paid_fen = amount_fen)", name=op.f('ck_bill_paid_means_all')),
    sa.CheckConstraint('amount_fen >= 0', name=op.f('ck_bill_amount_fen_range')),
    sa.CheckConstraint('paid_fen >= 0 AND paid_fen <= amount_fen', name=op.f('ck_bill_paid_fen_range')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bill')),
    sa.UniqueConstraint('community_id', 'bill_no', name=op.f('uq_bill_community_id'))
    )
    op.create_index('ix_bill_batch_id', 'bill', ['batch_id'], unique=False)
    op.create_index('uq_bill_live', 'bill', ['house_id', 'fee_item_id', 'period_from'], unique=True, postgresql_where=sa.text("state NOT IN ('cancelled', 'voided')"))
    op.create_table('bill_line',
    sa.Column('bill_id', sa.BigInteger(), nullable=False),
    sa.Column('line_no', sa.Integer(), nullable=False),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.Column('trace', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.PrimaryKeyConstraint('bill_id', 'line_no', name=op.f('pk_bill_line'))
    )
    op.create_table('channel_pause',
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('paused_until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.CheckConstraint("channel IN ('official_template', 'sms')", name=op.f('ck_channel_pause_channel_known')),
    sa.PrimaryKeyConstraint('channel', name=op.f('pk_channel_pause'))
    )
    op.create_table('community',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('address', sa.Text(), server_default='', nullable=False),
    sa.Column('liable_from_rule', sa.Text(), server_default='handover_date', nullable=False),
    sa.Column('is_reviewer_other', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('sends_bill_sms', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('is_active', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("code ~ '^[A-Z0-9]{2,8}$'", name=op.f('ck_community_code_form')),
    sa.CheckConstraint("liable_from_rule IN ('handover_date', 'next_month_first')", name=op.f('ck_community_liable_from_rule_known')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_community')),
    sa.UniqueConstraint('code', name=op.f('uq_community_code'))
    )
    op.create_table('job_slot',
    sa.Column('job', sa.Text(), nullable=False),
    sa.Column('slot_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('outcome', sa.Text(), server_default='', nullable=False),
    sa.PrimaryKeyConstraint('job', 'slot_at', name=op.f('pk_job_slot'))
    )
    op.create_table('login_code',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('phone', sa.Text(), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=False),
    sa.Column('code_hmac', sa.Text(), nullable=False),
    sa.Column('ip', sa.Text(), nullable=False),
    sa.Column('tries_left', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('tries_left >= 0', name=op.f('ck_login_code_tries_left_range')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_login_code'))
    )
    op.create_index('ix_login_code_ip', 'login_code', ['ip', 'created_at'], unique=False)
    op.create_index('ix_login_code_phone', 'login_code', ['phone', 'purpose', 'created_at'], unique=False)
    op.create_table('platform_notice',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('remote_ip', sa.Text(), nullable=False),
    sa.Column('headers', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('body_size', sa.BigInteger(), nullable=False),
    sa.Column('body_sha256', sa.Text(), nullable=False),
    sa.Column('verdict', sa.Text(), nullable=False),
    sa.Column('dedup_key', sa.String(), nullable=True),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_platform_notice'))
    )
    op.create_index('ix_platform_notice_received_at', 'platform_notice', ['source', 'received_at'], unique=False)
    op.create_index('uq_platform_notice_dedup_key', 'platform_notice', ['source', 'dedup_key'], unique=True, postgresql_where=sa.text('dedup_key IS NOT NULL'))
    op.create_table('staff',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('login_name', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('is_active', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("role IN ('administrator', 'manager', 'finance', 'cashier', 'customer_service', 'engineer', 'auditor')", name=op.f('ck_staff_role_known')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_staff')),
    sa.UniqueConstraint('login_name', name=op.f('uq_staff_login_name'))
    )
    op.create_table('audit_entry',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('actor_kind', sa.Text(), nullable=False),
    sa.Column('actor_id', sa.BigInteger(), nullable=True),
    sa.Column('actor_name', sa.Text(), nullable=False),
    sa.Column('action', sa.Text(), nullable=False),
    sa.Column('subject_type', sa.Text(), nullable=False),
    sa.Column('subject_id', sa.BigInteger(), nullable=True),
    sa.Column('community_id', sa.BigInteger(), nullable=True),
    sa.Column('facts', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('request_id', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['community_id'], ['community.id'], name=op.f('fk_audit_entry_community_id_community')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_entry'))
    )
    op.create_index('ix_audit_entry_subject', 'audit_entry', ['subject_type', 'subject_id'], unique=False)
    op.create_table('bill_batch',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('community_id', sa.BigInteger(), nullable=False),
    sa.Column('period_from', sa.Date(), nullable=False),
    sa.Column('period_until', sa.Date(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('houses_total', sa.Integer(), server_default='0', nullable=False),
    sa.Column('houses_done', sa.Integer(), server_default='0', nullable=False),
    sa.Column('bill_count', sa.Integer(), server_default='0', nullable=False),
    sa.Column('amount_fen', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('content_sha256', sa.String(), nullable=True),
    sa.Column('made_by_staff_id', sa.BigInteger(), nullable=False),
    sa.Column('approved_by_staff_id', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('approved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('published_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('draft', 'generating', 'failed', 'pending_review', 'rejected', 'approved', 'published', 'cancelled')", name=op.f('ck_bill_batch_state_known')),
    sa.CheckConstraint('period_until > period_from', name=op.f('ck_bill_batch_span_not_empty')),
    sa.ForeignKeyConstraint(['approved_by_staff_id'], ['staff.id'], name=op.f('fk_bill_batch_approved_by_staff_id_staff')),
    sa.ForeignKeyConstraint(['community_id'], ['community.id'], name=op.f('fk_bill_batch_community_id_community')),
    sa.ForeignKeyConstraint(['made_by_staff_id'], ['staff.id'], name=op.f('fk_bill_batch_made_by_staff_id_staff')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_bill_batch'))
    )
    op.create_index('ix_bill_batch_community_id', 'bill_batch', ['community_id', 'period_from'], unique=False)
    op.create_table('building',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('community_id', sa.BigInteger(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['community_id'], ['community.id'], name=op.f('fk_building_community_id_community')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_building')),
    sa.UniqueConstraint('community_id', 'name', name=op.f('uq_building_community_id'))
    )
    op.create_table('fee_item',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('community_id', sa.BigInteger(), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('charge_method', sa.Text(), nullable=False),
    sa.Column('rounding', sa.Text(), server_default='fen', nullable=False),
    sa.Column('proration', sa.Text(), server_default='actual_month', nullable=False),
    sa.Column('issue_offset_days', sa.Integer(), server_default='0', nullable=False),
    sa.Column('due_days', sa.Integer(), server_default='30', nullable=False),
    sa.Column('starts_on', sa.Date(), nullable=False),
    sa.Column('ends_on', sa.Date(), nullable=True),
    sa.Column('is_active', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("charge_method IN ('area', 'fixed')", name=op.f('ck_fee_item_charge_method_known')),
    sa.CheckConstraint("code ~ '^[A-Z]{2,4}$'", name=op.f('ck_fee_item_code_form')),
    sa.CheckConstraint("proration IN ('actual_month', 'days_30', 'whole_month')", name=op.f('ck_fee_item_proration_known')),
    sa.CheckConstraint("rounding IN ('fen', 'jiao', 'yuan')", name=op.f('ck_fee_item_rounding_known')),
    sa.CheckConstraint('due_days >= 0', name=op.f('ck_fee_item_due_days_range')),
    sa.CheckConstraint('ends_on > starts_on', name=op.f('ck_fee_item_span_not_empty')),
    sa.CheckConstraint('issue_offset_days >= 0', name=op.f('ck_fee_item_issue_offset_days_range')),
    sa.ForeignKeyConstraint(['community_id'], ['community.id'], name=op.f('fk_fee_item_community_id_community')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_fee_item')),
    sa.UniqueConstraint('community_id', 'code', name=op.f('uq_fee_item_community_id'))
    )
    op.create_table('import_batch',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('community_id', sa.BigInteger(), nullable=False),
    sa.Column('sheet', sa.Text(), nullable=False),
    sa.Column('file_name', sa.Text(), nullable=False),
    sa.Column('file_sha256', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('rows_total', sa.Integer(), nullable=False),
    sa.Column('rows_done', sa.Integer(), server_default='0', nullable=False),
    sa.Column('counts', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    sa.Column('problems', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("state IN ('importing', 'finished', 'failed')", name=op.f('ck_import_batch_state_known')),
    sa.ForeignKeyConstraint(['community_id'], ['community.id'], name=op.f('fk_import_batch_community_id_community')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_import_batch'))
    )
    op.create_index('ix_import_batch_community_id', 'import_batch', ['community_id', 'id'], unique=False)
    op.create_table('number_series',
    sa.Column('community_id', sa.BigInteger(), nullable=False),
    sa.Column('series', sa.Text(), nullable=False),
    sa.Column('last_number', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['community_id'], ['community.id'], name=op.f('fk_number_series_community_id_community')),
    sa.PrimaryKeyConstraint('community_id', 'series', name=op.f('pk_number_series'))
    )
    op.create_table('outbox_message',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('community_id', sa.BigInteger(), nullable=True),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('lane', sa.Text(), sa.Computed("CASE kind WHEN 'login_code' THEN kind ELSE channel END", persisted=True), nullable=False),
    sa.Column('recipient', sa.Text(), nullable=False),
    sa.Column('fallback_phone', sa.String(), nullable=True),
    sa.Column('payload', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('dedup_key', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('attempts', sa.Integer(), server_default='0', nullable=False),
    sa.Column('next_attempt_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lease', sa.String(), nullable=True),
    sa.Column('provider_id', sa.String(), nullable=True),
    sa.Column('last_error', sa.Text(), server_default='', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("channel IN ('official_template', 'sms')", name=op.f('ck_outbox_message_channel_known')),
    sa.CheckConstraint("kind IN ('login_code', 'bill_published', 'payment_received')", name=op.f('ck_outbox_message_kind_known')),
    sa.CheckConstraint("state IN ('pending', 'sending', 'sent', 'failed', 'cancelled')", name=op.f('ck_outbox_message_state_known')),
    sa.CheckConstraint('attempts >= 0', name=op.f('ck_outbox_message_attempts_range')),
    sa.ForeignKeyConstraint(['community_id'], ['community.id'], name=op.f('fk_outbox_message_community_id_community')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_outbox_message')),
    sa.UniqueConstraint('dedup_key', name=op.f('uq_outbox_message_dedup_key'))
    )
    op.create_index('ix_outbox_message_due', 'outbox_message', ['lane', 'next_attempt_at', 'id'], unique=False, postgresql_where=sa.text("state IN ('pending', 'sending')"))
    op.create_index('ix_outbox_message_provider_id', 'outbox_message', ['channel', 'provider_id'], unique=False)
    op.create_table('owner',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('community_id', sa.BigInteger(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('phone', sa.String(), nullable=True),
    sa.Column('email', sa.Text(), server_default='', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("phone ~ '^1[3-9][0-9]{9}$'", name=op.f('ck_owner_phone_form')),
    sa.ForeignKeyConstraint(['community_id'], ['community.id'], name=op.f('fk_owner_community_id_community')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_owner'))
    )
    op.create_index('ix_owner_phone', 'owner', ['phone'], unique=False)
    op.create_index('uq_owner_phone', 'owner', ['community_id', 'phone'], unique=True, postgresql_where=sa.text('phone IS NOT NULL'))
    op.create_table('payment_order',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('community_id', sa.BigInteger(), nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('mchid', sa.Text(), nullable=False),
    sa.Column('appid', sa.Text(), nullable=False),
    sa.Column('openid', sa.Text(), nullable=False),
    sa.Column('out_trade_no', sa.Text(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.Column('prepay_id', sa.String(), nullable=True),
    sa.Column('refused_because', sa.Text(), server_default='', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('query_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('query_count', sa.Integer(), server_default='0', nullable=False),
    sa.CheckConstraint("state IN ('created', 'prepaying', 'unknown', 'succeeded', 'closed', 'failed')", name=op.f('ck_payment_order_state_known')),
    sa.CheckConstraint('amount_fen > 0', name=op.f('ck_payment_order_amount_fen_positive')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_payment_order_account_id_account')),
    sa.ForeignKeyConstraint(['community_id'], ['community.id'], name=op.f('fk_payment_order_community_id_community')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_payment_order')),
    sa.UniqueConstraint('out_trade_no', name=op.f('uq_payment_order_out_trade_no'))
    )
    op.create_index('ix_payment_order_account_id', 'payment_order', ['account_id', 'id'], unique=False)
    op.create_index('ix_payment_order_query_at', 'payment_order', ['query_at'], unique=False, postgresql_where=sa.text('query_at IS NOT NULL'))
    op.create_table('session_token',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('token_sha256', sa.Text(), nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('openid', sa.Text(), server_default='', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_session_token_account_id_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_session_token')),
    sa.UniqueConstraint('token_sha256', name=op.f('uq_session_token_token_sha256'))
    )
    op.create_index('ix_session_token_account_id', 'session_token', ['account_id'], unique=False)
    op.create_table('staff_task',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('community_id', sa.BigInteger(), nullable=True),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('done_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['community_id'], ['community.id'], name=op.f('fk_staff_task_community_id_community')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_staff_task'))
    )
    op.create_index('uq_staff_task_open', 'staff_task', ['kind', 'subject'], unique=True, postgresql_where=sa.text('done_at IS NULL'))
    op.create_table('wechat_identity',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('appid', sa.Text(), nullable=False),
    sa.Column('openid', sa.Text(), nullable=False),
    sa.Column('unionid', sa.String(), nullable=True),
    sa.Column('account_id', sa.BigInteger(), nullable=True),
    sa.Column('is_following', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('asked_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_wechat_identity_account_id_account')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_wechat_identity')),
    sa.UniqueConstraint('appid', 'openid', name=op.f('uq_wechat_identity_appid'))
    )
    op.create_index('ix_wechat_identity_account_id', 'wechat_identity', ['account_id'], unique=False)
    op.create_index('ix_wechat_identity_unionid', 'wechat_identity', ['unionid'], unique=False)
    op.create_table('bill_batch_item',
    sa.Column('batch_id', sa.BigInteger(), nullable=False),
    sa.Column('fee_item_id', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['batch_id'], ['bill_batch.id'], name=op.f('fk_bill_batch_item_batch_id_bill_batch')),
    sa.ForeignKeyConstraint(['fee_item_id'], ['fee_item.id'], name=op.f('fk_bill_batch_item_fee_item_id_fee_item')),
    sa.PrimaryKeyConstraint('batch_id', 'fee_item_id', name=op.f('pk_bill_batch_item'))
    )
    op.create_table('bill_lock',
    sa.Column('bill_id', sa.BigInteger(), nullable=False),
    sa.Column('order_id', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['bill_id'], ['bill.id'], name=op.f('fk_bill_lock_bill_id_bill')),
    sa.ForeignKeyConstraint(['order_id'], ['payment_order.id'], name=op.f('fk_bill_lock_order_id_payment_order')),
    sa.PrimaryKeyConstraint('bill_id', name=op.f('pk_bill_lock'))
    )
    op.create_index('ix_bill_lock_order_id', 'bill_lock', ['order_id'], unique=False)
    op.create_table('fee_standard',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('fee_item_id', sa.BigInteger(), nullable=False),
    sa.Column('unit_price', sa.Numeric(precision=12, scale=6), nullable=False),
    sa.Column('priced_from', sa.Date(), nullable=False),
    sa.Column('priced_until', sa.Date(), nullable=True),
    postgresql.ExcludeConstraint((sa.column('fee_item_id'), '='), (sa.text('daterange(priced_from, priced_until)'), '&&'), using='gist', name='ex_fee_standard_fee_item_id'),
    sa.CheckConstraint('priced_until > priced_from', name=op.f('ck_fee_standard_span_not_empty')),
    sa.CheckConstraint('unit_price > 0', name=op.f('ck_fee_standard_unit_price_positive')),
    sa.ForeignKeyConstraint(['fee_item_id'], ['fee_item.id'], name=op.f('fk_fee_standard_fee_item_id_fee_item')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_fee_standard'))
    )
    op.create_table('house',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('community_id', sa.BigInteger(), nullable=False),
    sa.Column('building_id', sa.BigInteger(), nullable=False),
    sa.Column('unit_no', sa.Text(), nullable=False),
    sa.Column('floor_no', sa.Integer(), nullable=True),
    sa.Column('room_no', sa.Text(), nullable=False),
    sa.Column('layout', sa.Text(), server_default='', nullable=False),
    sa.Column('building_area', sa.Numeric(precision=10, scale=4), nullable=False),
    sa.Column('inner_area', sa.Numeric(precision=10, scale=4), nullable=True),
    sa.Column('billing_area', sa.Numeric(precision=10, scale=4), nullable=False),
    sa.Column('fee_coefficient', sa.Numeric(precision=10, scale=4), server_default='1', nullable=False),
    sa.Column('handover_date', sa.Date(), nullable=True),
    sa.Column('note', sa.Text(), server_default='', nullable=False),
    sa.CheckConstraint('billing_area > 0', name=op.f('ck_house_billing_area_positive')),
    sa.CheckConstraint('building_area > 0', name=op.f('ck_house_building_area_positive')),
    sa.CheckConstraint('fee_coefficient > 0', name=op.f('ck_house_fee_coefficient_positive')),
    sa.CheckConstraint('inner_area IS NULL OR inner_area > 0', name=op.f('ck_house_inner_area_positive')),
    sa.ForeignKeyConstraint(['building_id'], ['building.id'], name=op.f('fk_house_building_id_building')),
    sa.ForeignKeyConstraint(['community_id'], ['community.id'], name=op.f('fk_house_community_id_community')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_house')),
    sa.UniqueConstraint('building_id', 'unit_no', 'room_no', name=op.f('uq_house_building_id'))
    )
    op.create_index('ix_house_community_id', 'house', ['community_id', 'id'], unique=False)
    op.create_table('idempotency_key',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('subject', sa.Text(), nullable=False),
    sa.Column('action', sa.Text(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('body_sha256', sa.Text(), nullable=False),
    sa.Column('order_id', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['order_id'], ['payment_order.id'], name=op.f('fk_idempotency_key_order_id_payment_order')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_idempotency_key')),
    sa.UniqueConstraint('subject', 'action', 'key', name='uq_idempotency_key_key')
    )
    op.create_table('payment',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('community_id', sa.BigInteger(), nullable=True),
    sa.Column('order_id', sa.BigInteger(), nullable=True),
    sa.Column('channel', sa.Text(), nullable=False),
    sa.Column('mchid', sa.Text(), nullable=False),
    sa.Column('provider_transaction_id', sa.Text(), nullable=False),
    sa.Column('out_trade_no', sa.Text(), nullable=False),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.Column('paid_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('booked_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('amount_fen > 0', name=op.f('ck_payment_amount_fen_positive')),
    sa.ForeignKeyConstraint(['community_id'], ['community.id'], name=op.f('fk_payment_community_id_community')),
    sa.ForeignKeyConstraint(['order_id'], ['payment_order.id'], name=op.f('fk_payment_order_id_payment_order')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_payment')),
    sa.UniqueConstraint('channel', 'mchid', 'provider_transaction_id', name='uq_payment_provider_transaction_id')
    )
    op.create_index('ix_payment_order_id', 'payment', ['order_id'], unique=False)
    op.create_table('payment_order_bill',
    sa.Column('order_id', sa.BigInteger(), nullable=False),
    sa.Column('bill_id', sa.BigInteger(), nullable=False),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['bill_id'], ['bill.id'], name=op.f('fk_payment_order_bill_bill_id_bill')),
    sa.ForeignKeyConstraint(['order_id'], ['payment_order.id'], name=op.f('fk_payment_order_bill_order_id_payment_order')),
    sa.PrimaryKeyConstraint('order_id', 'bill_id', name=op.f('pk_payment_order_bill'))
    )
    op.create_table('allocation',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('payment_id', sa.BigInteger(), nullable=False),
    sa.Column('bill_id', sa.BigInteger(), nullable=False),
    sa.Column('line_no', sa.Integer(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("kind IN ('principal')", name=op.f('ck_allocation_kind_known')),
    sa.CheckConstraint('amount_fen <> 0', name=op.f('ck_allocation_amount_fen_not_zero')),
    sa.ForeignKeyConstraint(['bill_id', 'line_no'], ['bill_line.bill_id', 'bill_line.line_no'], name=op.f('fk_allocation_bill_id_bill_line')),
    sa.ForeignKeyConstraint(['payment_id'], ['payment.id'], name=op.f('fk_allocation_payment_id_payment')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_allocation'))
    )
    op.create_index('ix_allocation_bill_id', 'allocation', ['bill_id'], unique=False)
    op.create_index('ix_allocation_payment_id', 'allocation', ['payment_id'], unique=False)
    op.create_table('bill_exception',
    sa.Column('batch_id', sa.BigInteger(), nullable=False),
    sa.Column('house_id', sa.BigInteger(), nullable=False),
    sa.Column('fee_item_id', sa.BigInteger(), nullable=False),
    sa.Column('why', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['batch_id'], ['bill_batch.id'], name=op.f('fk_bill_exception_batch_id_bill_batch')),
    sa.ForeignKeyConstraint(['fee_item_id'], ['fee_item.id'], name=op.f('fk_bill_exception_fee_item_id_fee_item')),
    sa.ForeignKeyConstraint(['house_id'], ['house.id'], name=op.f('fk_bill_exception_house_id_house')),
    sa.PrimaryKeyConstraint('batch_id', 'house_id', 'fee_item_id', name=op.f('pk_bill_exception'))
    )
    op.create_table('house_binding',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('account_id', sa.BigInteger(), nullable=False),
    sa.Column('house_id', sa.BigInteger(), nullable=False),
    sa.Column('owner_id', sa.BigInteger(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("role IN ('owner', 'family', 'tenant')", name=op.f('ck_house_binding_role_known')),
    sa.CheckConstraint("status IN ('pending', 'active', 'rejected', 'revoked')", name=op.f('ck_house_binding_status_known')),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_house_binding_account_id_account')),
    sa.ForeignKeyConstraint(['house_id'], ['house.id'], name=op.f('fk_house_binding_house_id_house')),
    sa.ForeignKeyConstraint(['owner_id'], ['owner.id'], name=op.f('fk_house_binding_owner_id_owner')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_house_binding'))
    )
    op.create_index('ix_house_binding_house_id', 'house_binding', ['house_id'], unique=False)
    op.create_index('uq_house_binding_live', 'house_binding', ['account_id', 'house_id'], unique=True, postgresql_where=sa.text("status IN ('pending', 'active')"))
    op.create_table('house_person',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('house_id', sa.BigInteger(), nullable=False),
    sa.Column('owner_id', sa.BigInteger(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('share_ratio', sa.Numeric(precision=9, scale=8), nullable=True),
    sa.Column('person_from', sa.Date(), nullable=False),
    sa.Column('person_until', sa.Date(), nullable=True),
    postgresql.ExcludeConstraint((sa.column('house_id'), '='), (sa.column('owner_id'), '='), (sa.text('daterange(person_from, person_until)'), '&&'), using='gist', name='ex_house_person_house_id'),
    sa.CheckConstraint("role IN ('title_holder', 'co_owner', 'family', 'tenant', 'contact')", name=op.f('ck_house_person_role_known')),
    sa.CheckConstraint('person_until > person_from', name=op.f('ck_house_person_span_not_empty')),
    sa.CheckConstraint('share_ratio > 0 AND share_ratio <= 1', name=op.f('ck_house_person_share_ratio_range')),
    sa.ForeignKeyConstraint(['house_id'], ['house.id'], name=op.f('fk_house_person_house_id_house')),
    sa.ForeignKeyConstraint(['owner_id'], ['owner.id'], name=op.f('fk_house_person_owner_id_owner')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_house_person'))
    )
    op.create_index('ix_house_person_owner_id', 'house_person', ['owner_id'], unique=False)
    op.create_table('occupancy',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('house_id', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('occupied_from', sa.Date(), nullable=False),
    sa.Column('occupied_until', sa.Date(), nullable=True),
    postgresql.ExcludeConstraint((sa.column('house_id'), '='), (sa.text('daterange(occupied_from, occupied_until)'), '&&'), using='gist', name='ex_occupancy_house_id'),
    sa.CheckConstraint("state IN ('unsold', 'delivered', 'vacant', 'renovating', 'occupied', 'rented')", name=op.f('ck_occupancy_state_known')),
    sa.CheckConstraint('occupied_until > occupied_from', name=op.f('ck_occupancy_span_not_empty')),
    sa.ForeignKeyConstraint(['house_id'], ['house.id'], name=op.f('fk_occupancy_house_id_house')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_occupancy'))
    )
    op.create_table('receipt',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('community_id', sa.BigInteger(), nullable=False),
    sa.Column('payment_id', sa.BigInteger(), nullable=False),
    sa.Column('receipt_no', sa.Text(), nullable=False),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.Column('snapshot', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('issued_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('amount_fen > 0', name=op.f('ck_receipt_amount_fen_positive')),
    sa.ForeignKeyConstraint(['community_id'], ['community.id'], name=op.f('fk_receipt_community_id_community')),
    sa.ForeignKeyConstraint(['payment_id'], ['payment.id'], name=op.f('fk_receipt_payment_id_payment')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_receipt')),
    sa.UniqueConstraint('community_id', 'receipt_no', name=op.f('uq_receipt_community_id')),
    sa.UniqueConstraint('payment_id', name=op.f('uq_receipt_payment_id'))
    )
    op.create_table('suspense',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('payment_id', sa.BigInteger(), nullable=False),
    sa.Column('amount_fen', sa.BigInteger(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('amount_fen > 0', name=op.f('ck_suspense_amount_fen_positive')),
    sa.ForeignKeyConstraint(['payment_id'], ['payment.id'], name=op.f('fk_suspense_payment_id_payment')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_suspense'))
    )
    op.create_index('ix_suspense_payment_id', 'suspense', ['payment_id'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_suspense_payment_id', table_name='suspense')
    op.drop_table('suspense')
    op.drop_table('receipt')
    op.drop_table('occupancy')
    op.drop_index('ix_house_person_owner_id', table_name='house_person')
    op.drop_table('house_person')
    op.drop_index('uq_house_binding_live', table_name='house_binding', postgresql_where=sa.text("status IN ('pending', 'active')"))
    op.drop_index('ix_house_binding_house_id', table_name='house_binding')
    op.drop_table('house_binding')
    op.drop_table('bill_exception')
    op.drop_index('ix_allocation_payment_id', table_name='allocation')
    op.drop_index('ix_allocation_bill_id', table_name='allocation')
    op.drop_table('allocation')
    op.drop_table('payment_order_bill')
    op.drop_index('ix_payment_order_id', table_name='payment')
    op.drop_table('payment')
    op.drop_table('idempotency_key')
    op.drop_index('ix_house_community_id', table_name='house')
    op.drop_table('house')
    op.drop_table('fee_standard')
    op.drop_index('ix_bill_lock_order_id', table_name='bill_lock')
    op.drop_table('bill_lock')
    op.drop_table('bill_batch_item')
    op.drop_index('ix_wechat_identity_unionid', table_name='wechat_identity')
    op.drop_index('ix_wechat_identity_account_id', table_name='wechat_identity')
    op.drop_table('wechat_identity')
    op.drop_index('uq_staff_task_open', table_name='staff_task', postgresql_where=sa.text('done_at IS NULL'))
    op.drop_table('staff_task')
    op.drop_index('ix_session_token_account_id', table_name='session_token')
    op.drop_table('session_token')
    op.drop_index('ix_payment_order_query_at', table_name='payment_order', postgresql_where=sa.text('query_at IS NOT NULL'))
    op.drop_index('ix_payment_order_account_id', table_name='payment_order')
    op.drop_table('payment_order')
    op.drop_index('uq_owner_phone', table_name='owner', postgresql_where=sa.text('phone IS NOT NULL'))
    op.drop_index('ix_owner_phone', table_name='owner')
    op.drop_table('owner')
    op.drop_index('ix_outbox_message_provider_id', table_name='outbox_message')
    op.drop_index('ix_outbox_message_due', table_name='outbox_message', postgresql_where=sa.text("state IN ('pending', 'sending')"))
    op.drop_table('outbox_message')
    op.drop_table('number_series')
    op.drop_index('ix_import_batch_community_id', table_name='import_batch')
    op.drop_table('import_batch')
    op.drop_table('fee_item')
    op.drop_table('building')
    op.drop_index('ix_bill_batch_community_id', table_name='bill_batch')
    op.drop_table('bill_batch')
    op.drop_index('ix_audit_entry_subject', table_name='audit_entry')
    op.drop_table('audit_entry')
    op.drop_table('staff')
    op.drop_index('uq_platform_notice_dedup_key', table_name='platform_notice', postgresql_where=sa.text('dedup_key IS NOT NULL'))
    op.drop_index('ix_platform_notice_received_at', table_name='platform_notice')
    op.drop_table('platform_notice')
    op.drop_index('ix_login_code_phone', table_name='login_code')
    op.drop_index('ix_login_code_ip', table_name='login_code')
    op.drop_table('login_code')
    op.drop_table('job_slot')
    op.drop_table('community')
    op.drop_table('channel_pause')
    op.drop_table('bill_line')
    op.drop_index('uq_bill_live', table_name='bill', postgresql_where=sa.text("state NOT IN ('cancelled', 'voided')"))
    op.drop_index('ix_bill_batch_id', table_name='bill')
    op.drop_table('bill')
    op.drop_table('account')
