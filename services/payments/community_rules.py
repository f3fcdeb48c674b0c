"""What a community has decided about its payments."""

from __future__ import annotations

from dataclasses import dataclass

from domain.actors import Actor, Permission
from domain.errors import InvalidInput, NotFound
from domain.refund_states import SurplusPolicy
from models import Community
from services.audit import record
from services.unit_of_work import Transaction, UnitOfWork

MOST_ALONE_FEN = 100_000
"""The most that any community may let one person refund alone in a day: 1,000 yuan."""


@dataclass(frozen=True, slots=True)
class PaymentRules:
    """What becomes of surplus, and how much one person may refund alone in a local day."""

    surplus_policy: SurplusPolicy
    refund_alone_fen: int


@dataclass(frozen=True)
class CommunityPaymentRules:
    """Reads and changes these rules; the change is on the record with what it was before."""

    unit_of_work: UnitOfWork

    def show(self, *, actor: Actor, community_id: int) -> PaymentRules:
        """Show the rules of a community.

        Raises:
            NotFound: no such community.
        """
        actor.must(Permission.VIEW_ESTATE)
        actor.must_cover(community_id)
        with self.unit_of_work.reading() as session:
            community = session.get(Community, community_id)
            if community is None:
                raise NotFound
            return PaymentRules(SurplusPolicy(community.surplus_policy), community.refund_alone_fen)

    def change(self, *, actor: Actor, community_id: int, rules: PaymentRules) -> None:
        """Change the rules of a community; what has happened stays as it is.

        Raises:
            NotFound: no such community.
            InvalidInput: one person alone may refund at most 1,000 yuan.
        """
        actor.must(Permission.MANAGE_ESTATE)
        actor.must_cover(community_id)
        if not 0 <= rules.refund_alone_fen <= MOST_ALONE_FEN:
            raise InvalidInput(fields={"refund_alone_fen": ["单人退款额度应为 0 至 1000 元"]})

        def work(tx: Transaction) -> None:
            community = tx.session.get(Community, community_id, with_for_update=True)
            if community is None:
                raise NotFound
            before = _facts(community)
            community.surplus_policy = rules.surplus_policy
            community.refund_alone_fen = rules.refund_alone_fen
            record(
                tx,
                actor,
                "payment_rules_changed",
                subject_type="community",
                subject_id=community_id,
                community_id=community_id,
                facts={"before": before, "after": _facts(community)},
            )

        self.unit_of_work.run(work)


def _facts(community: Community) -> dict[str, str | int]:
    return {
        "surplus_policy": community.surplus_policy,
        "refund_alone_fen": community.refund_alone_fen,
    }
