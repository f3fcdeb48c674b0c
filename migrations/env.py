"""Runs migrations on the app's own database, one at a time across all machines."""

from __future__ import annotations

from alembic import context
from flask import current_app
from sqlalchemy import text

import models

_LOCK = 7_204_511
"""Advisory lock key: two deployments that migrate at once would otherwise race."""


def run_migrations() -> None:
    """Upgrade or downgrade in one transaction per migration; waits for a lock at most 10 s."""
    engine = current_app.extensions["migrate"].db.engine
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
        connection.execute(text("SET lock_timeout = '10s'"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=models.db.metadata,
            transaction_per_migration=True,
            compare_server_default=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
        connection.commit()


run_migrations()
