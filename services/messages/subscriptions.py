"""What people permit the mini-program to send them, and which templates to ask them for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import text

from domain.actors import Actor, Permission
from domain.messages import MessageKind
from services.accounts import note_identity
from services.messages.quotas import add_quota, end_quota
from services.ports import SubscribeSender
from services.unit_of_work import Transaction, UnitOfWork

ASKED_AT_ONCE = 3
"""Source: platforms.md 4.3: up to three templates a prompt."""
_LEFT = text(
    """
    SELECT permitted.template_id, sum(permitted.quota)
      FROM subscribe_quota permitted
      JOIN wechat_identity identity ON identity.id = permitted.identity_id
     WHERE identity.account_id = :account_id AND identity.appid = :appid
     GROUP BY permitted.template_id
    """
)


@dataclass(frozen=True, slots=True)
class WantedTemplate:
    """A template to ask for; ``left`` is how many messages of it are still permitted."""

    template_id: str
    kinds: tuple[MessageKind, ...]
    left: int


@dataclass(frozen=True)
class Subscriptions:
    """The ledger as the platform's events write it and as owners read it."""

    unit_of_work: UnitOfWork
    subscribe: SubscribeSender

    def note_prompt(self, *, actor: Actor, openid: str, answers: Sequence[tuple[str, str]]) -> None:
        """Take the platform's word of one prompt: template ids, each with what was answered.

        Each ``accept`` permits one message. The caller takes each event once.

        Source: platforms.md 4.3.
        """
        actor.must(Permission.RUN_PLATFORM_WORK)
        ours = set(self.subscribe.templates.values())
        accepted = sorted(one for one, said in answers if said == "accept" and one in ours)

        def work(tx: Transaction) -> None:
            if not accepted:
                return
            note_identity(tx, appid=self.subscribe.appid, openid=openid)
            for template_id in accepted:
                add_quota(tx, appid=self.subscribe.appid, openid=openid, template_id=template_id)

        self.unit_of_work.run(work)

    def note_change(self, *, actor: Actor, openid: str, answers: Sequence[tuple[str, str]]) -> None:
        """Take the platform's word of what somebody switched off: nothing of it is permitted."""
        actor.must(Permission.RUN_PLATFORM_WORK)
        rejected = sorted({one for one, said in answers if said == "reject"})

        def work(tx: Transaction) -> None:
            for template_id in rejected:
                end_quota(tx, appid=self.subscribe.appid, openid=openid, template_id=template_id)

        self.unit_of_work.run(work)

    def list_wanted(
        self, *, actor: Actor, but: Collection[str] = frozenset()
    ) -> list[WantedTemplate]:
        """List the templates to ask this owner for at their next tap, the scarcest first.

        ``but`` are those just refused. What the client says it was answered permits nothing.
        """
        actor.must(Permission.VIEW_OWN_BILLS)
        with self.unit_of_work.reading() as session:
            rows = session.execute(
                _LEFT, {"account_id": actor.account_id, "appid": self.subscribe.appid}
            )
            left = {template_id: int(quota) for template_id, quota in rows}
        by_template: dict[str, list[MessageKind]] = {}
        for kind, template_id in self.subscribe.templates.items():
            by_template.setdefault(template_id, []).append(kind)
        wanted = [
            WantedTemplate(template_id, tuple(carried), left.get(template_id, 0))
            for template_id, carried in by_template.items()
            if template_id not in but
        ]
        return sorted(wanted, key=lambda one: one.left)[:ASKED_AT_ONCE]
