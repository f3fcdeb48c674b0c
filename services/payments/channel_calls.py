"""The record of what we asked a channel about an order or a refund, and what it said."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from domain.errors import PlatformRefused, PlatformUnavailable
from models import ChannelCall
from services.unit_of_work import UnitOfWork

UNAVAILABLE = "unavailable"


@dataclass
class Said:
    """What the channel said, as far as it goes on the record."""

    outcome: str = "ok"


@dataclass(frozen=True)
class ChannelCalls:
    """Writes each call down, whatever came of it."""

    unit_of_work: UnitOfWork

    @contextmanager
    def noting(
        self, what: str, *, order_id: int | None = None, refund_id: int | None = None
    ) -> Iterator[Said]:
        """Note a call that the block makes; the block may set what was said.

        Refusals and silence are noted and go on to the caller.
        """
        said, began = Said(), time.monotonic()
        try:
            yield said
        except PlatformRefused as refused:
            said.outcome = refused.vendor_code
            raise
        except PlatformUnavailable:
            said.outcome = UNAVAILABLE
            raise
        finally:
            took_ms = round((time.monotonic() - began) * 1000)
            self.unit_of_work.run(
                lambda tx: tx.session.add(
                    ChannelCall(
                        order_id=order_id,
                        refund_id=refund_id,
                        what=what,
                        outcome=said.outcome,
                        took_ms=took_ms,
                        at=tx.now,
                    )
                )
            )
