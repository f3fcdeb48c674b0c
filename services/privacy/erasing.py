"""What closing an account erases; a step of the transaction that closes it.

No amount, no bill, payment, receipt or entry of a ledger is touched: the law keeps those, and they
name the account by its id only.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import CursorResult, text

from domain.actors import Actor
from domain.consents import ConsentAct, ConsentChannel
from domain.phones import closed_phone
from models import Account, HouseBinding
from services.people.endings import end_bindings
from services.privacy.consents import held_versions, read_consents, write_consent
from services.unit_of_work import Transaction

_CODES_STAY = timedelta(days=1)
"""Codes of the last day carry the limits of whoever sends them; they go with the others."""
_FATES: tuple[tuple[str, str], ...] = (
    (
        "messages",
        """
        UPDATE outbox_message
           SET recipient = '', fallback_phone = NULL, payload = '{}', last_error = '',
               dedup_key = 'erased:' || id,
               state = CASE WHEN state IN ('pending', 'sending') THEN 'cancelled' ELSE state END
         WHERE recipient = :phone OR fallback_phone = :phone
            OR outbox_message.account_id = :account_id
            OR recipient IN (SELECT openid FROM wechat_identity WHERE account_id = :account_id)
        """,
    ),
    ("wechat_identities", "DELETE FROM wechat_identity WHERE account_id = :account_id"),
    (
        "sessions",
        """
        UPDATE session_token SET openid = '', revoked_at = coalesce(revoked_at, :now)
         WHERE account_id = :account_id
        """,
    ),
    ("codes", "DELETE FROM login_code WHERE phone = :phone AND created_at < :codes_before"),
    (
        "applications",
        """
        UPDATE binding_application
           SET name = '', house_text = '', proof = '', decision_note = '',
               state = CASE state WHEN 'pending' THEN 'withdrawn' ELSE state END
         WHERE account_id = :account_id
        """,
    ),
    (
        "invitations",
        """
        UPDATE house_invitation
           SET phone = '', name = '',
               ended_at = coalesce(ended_at, :now),
               state = CASE state WHEN 'open' THEN 'revoked' ELSE state END
         WHERE invited_by_account_id = :account_id OR phone = :phone
        """,
    ),
    (
        "exports",
        """
        UPDATE privacy_export
           SET content = NULL, ended_at = coalesce(ended_at, :now),
               state = CASE state WHEN 'asked' THEN 'failed' WHEN 'ready' THEN 'erased'
                                  ELSE state END
         WHERE account_id = :account_id
        """,
    ),
    (
        # What belongs to nothing is removed with its bytes by the next sweep.
        "files",
        """
        UPDATE stored_file
           SET subject_type = NULL, subject_id = NULL, community_id = NULL, attached_at = NULL
         WHERE account_id = :account_id
        """,
    ),
    (
        "phones",
        "UPDATE owner_phone SET opens_houses = false WHERE phone = :phone AND opens_houses",
    ),
)


def erase_account(tx: Transaction, actor: Actor, account: Account) -> dict[str, int]:
    """Erase what is an account's own, and return how many rows of each kind.

    Whoever has the number next gets an empty account: the phone on file opens no house any more.
    The account's row stays, with its id, as payments name it.
    """
    bindings = end_bindings(
        tx, actor, HouseBinding.account_id == account.id, because="self", ends_sessions=False
    )
    counts = {"bindings": len(bindings)}
    held = held_versions(read_consents(tx.session, account.id))
    for kind, version in held.items():
        write_consent(
            tx,
            actor,
            kind=kind,
            act=ConsentAct.WITHDRAWN,
            version=version,
            channel=ConsentChannel.DELETION,
            account_id=account.id,
        )
    values = {
        "account_id": account.id,
        "phone": account.phone,
        "now": tx.now,
        "codes_before": tx.now - _CODES_STAY,
    }
    for name, sql in _FATES:
        done: CursorResult[Any] = tx.session.execute(text(sql), values)  # type: ignore[assignment]
        counts[name] = done.rowcount
    account.is_active = False
    account.phone = closed_phone(account.id)
    account.login_name, account.password_hash = None, ""
    account.must_change_password = False
    tx.session.flush()
    return counts
