"""Checks of the promises of reliability.md against live data; nothing is mended here."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from domain.actors import Actor, Permission
from services.decided_promises import DECIDED_RULES
from services.money_promises import MONEY_RULES
from services.payment_promises import PAYMENT_RULES
from services.promises import RULES
from services.tasks import close_tasks_but, open_task
from services.unit_of_work import Transaction, UnitOfWork

_SHOWN = 20
BROKEN = "promise_broken"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Check:
    """One promise: what was looked at, how many rows, and the first that break it."""

    promise: str
    title: str
    looked_at: int
    broken: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether no row breaks it."""
        return not self.broken


@dataclass(frozen=True)
class Ledger:
    """Proves that the money adds up, at any time, on a live system."""

    unit_of_work: UnitOfWork

    def verify(self, *, actor: Actor) -> Sequence[Check]:
        """Check every promise on one snapshot of the data.

        Source: reliability.md, "The promises".
        """
        actor.must(Permission.CHECK_LEDGER)
        with self.unit_of_work.snapshot() as session:
            return [
                Check(
                    promise=rule.promise,
                    title=rule.title,
                    looked_at=session.execute(text(rule.population)).scalar_one(),
                    broken=tuple(
                        session.scalars(
                            text(f"{rule.breaches} LIMIT {_SHOWN}"),
                        )
                    ),
                )
                for rule in (*MONEY_RULES, *PAYMENT_RULES, *DECIDED_RULES, *RULES)
            ]

    def check_and_tell(self, *, actor: Actor) -> int:
        """Check every promise, keep a task open for each that is broken, and return how many are.

        The task names the first rows that break it and ends by itself once it holds again.
        """
        actor.must(Permission.CHECK_LEDGER)
        broken = [check for check in self.verify(actor=actor) if not check.holds]
        for check in broken:
            log.error(
                "a promise of the ledger is broken",
                extra={"promise": check.promise, "rows": check.broken},
            )
        self.unit_of_work.run(lambda tx: _tell(tx, broken))
        return len(broken)


def _tell(tx: Transaction, broken: Sequence[Check]) -> None:
    for check in broken:
        open_task(
            tx,
            kind=BROKEN,
            subject=f"{check.promise} {check.title}",
            title=f"账目承诺不成立：{check.title}，例如 {'、'.join(check.broken[:5])}",
        )
    close_tasks_but(
        tx, kind=BROKEN, subjects=[f"{check.promise} {check.title}" for check in broken]
    )
