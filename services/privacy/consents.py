"""What owners agreed to: an append-only history of which the newest row of a kind holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.consents import (
    CONSENT_SHOWN,
    ConsentAct,
    ConsentChannel,
    ConsentKind,
    still_needed,
)
from domain.errors import Conflict
from models import Account, Consent
from services.audit import record
from services.unit_of_work import Transaction, UnitOfWork


class ConsentOutdated(Conflict):
    """The text was replaced by a newer one meanwhile, or none of that version was ever there."""

    code = "consent_outdated"
    message = "内容已更新，请阅读最新版本后再同意"


@dataclass(frozen=True, slots=True)
class ConsentView:
    """How an owner stands to one text: ``agreed_version`` is empty where they do not agree."""

    kind: ConsentKind
    kind_shown: str
    current_version: str
    agreed_version: str
    given_at: datetime | None
    withdrawn_at: datetime | None
    is_needed: bool


@dataclass(frozen=True)
class Consents:
    """An owner's own word; ``current`` has the version of each text that holds now."""

    unit_of_work: UnitOfWork
    current: Mapping[ConsentKind, str]

    def list_own(self, *, actor: Actor) -> Sequence[ConsentView]:
        """Tell how the owner stands to every text."""
        actor.must(Permission.MANAGE_OWN_PRIVACY)
        with self.unit_of_work.reading() as session:
            newest = read_consents(session, actor.account_id)
        needed = still_needed(held_versions(newest), self.current)
        return [self._view(kind, newest.get(kind), kind in needed) for kind in ConsentKind]

    def give(self, *, actor: Actor, kind: ConsentKind, version: str) -> None:
        """Note that the owner agrees to the current version; agreeing twice is agreeing once.

        Raises:
            ConsentOutdated: it is not the current one.
        """
        actor.must(Permission.MANAGE_OWN_PRIVACY)
        if version != self.current[kind]:
            raise ConsentOutdated

        def work(tx: Transaction) -> None:
            _lock(tx, actor.account_id)
            held = held_versions(read_consents(tx.session, actor.account_id))
            if held.get(kind) != version:
                write_consent(
                    tx, actor, kind=kind, act=ConsentAct.GIVEN, version=version, channel=_way(actor)
                )

        self.unit_of_work.run(work)

    def withdraw(self, *, actor: Actor, kind: ConsentKind) -> None:
        """Note that the owner agrees no longer; what was done before stays lawful.

        Source: PIPL arts. 15 and 16: withdrawing is as easy as giving and costs no service.
        """
        actor.must(Permission.MANAGE_OWN_PRIVACY)

        def work(tx: Transaction) -> None:
            _lock(tx, actor.account_id)
            held = held_versions(read_consents(tx.session, actor.account_id))
            if kind in held:
                write_consent(
                    tx,
                    actor,
                    kind=kind,
                    act=ConsentAct.WITHDRAWN,
                    version=held[kind],
                    channel=_way(actor),
                )

        self.unit_of_work.run(work)

    def _view(self, kind: ConsentKind, newest: Consent | None, is_needed: bool) -> ConsentView:
        is_given = newest is not None and newest.act == ConsentAct.GIVEN
        return ConsentView(
            kind,
            CONSENT_SHOWN[kind],
            self.current[kind],
            newest.version if newest and is_given else "",
            newest.at if newest and is_given else None,
            newest.at if newest and not is_given else None,
            is_needed,
        )


def read_consents(session: Session, account_id: int) -> dict[ConsentKind, Consent]:
    """Read the newest row of each kind."""
    rows = session.scalars(
        select(Consent).where(Consent.account_id == account_id).order_by(Consent.id)
    )
    return {ConsentKind(row.kind): row for row in rows}


def held_versions(newest: Mapping[ConsentKind, Consent]) -> dict[ConsentKind, str]:
    """Tell which version of each kind is agreed to now."""
    return {kind: row.version for kind, row in newest.items() if row.act == ConsentAct.GIVEN}


def consents_needed(
    session: Session, account_id: int, current: Mapping[ConsentKind, str]
) -> tuple[ConsentKind, ...]:
    """Tell which texts an owner is still asked to agree to."""
    return still_needed(held_versions(read_consents(session, account_id)), current)


def write_consent(
    tx: Transaction,
    actor: Actor,
    *,
    kind: ConsentKind,
    act: ConsentAct,
    version: str,
    channel: ConsentChannel,
    account_id: int | None = None,
) -> None:
    """Add a row to the history of an account, by default the actor's own."""
    whose = actor.account_id if account_id is None else account_id
    tx.session.add(
        Consent(account_id=whose, kind=kind, act=act, version=version, channel=channel, at=tx.now)
    )
    record(
        tx,
        actor,
        f"consent_{act}",
        subject_type="account",
        subject_id=whose,
        facts={"kind": kind, "version": version, "channel": channel},
    )


def _lock(tx: Transaction, account_id: int) -> None:
    tx.session.execute(select(Account.id).where(Account.id == account_id).with_for_update())


def _way(actor: Actor) -> ConsentChannel:
    return ConsentChannel.MINI_PROGRAM if actor.openid else ConsentChannel.WEB
