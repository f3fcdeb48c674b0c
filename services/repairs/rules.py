"""How a community gives repairs to people, and within which time they are mended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.charges import ChargeMethod
from domain.errors import InvalidInput
from domain.repairs import (
    ACCEPT_WITHIN_MINUTES,
    DEFAULT_SLA,
    DispatchMode,
    RepairPriority,
    SlaMinutes,
)
from models import FeeItem, RepairRule, RepairSla
from services.audit import record
from services.people.rows import check_community
from services.unit_of_work import Transaction, UnitOfWork

_LONGEST_MINUTES = 525_600


@dataclass(frozen=True, slots=True)
class Rules:
    """How repairs of a community are handled; ``sla`` has every priority, in minutes."""

    dispatch_mode: DispatchMode = DispatchMode.ASSIGN
    accept_minutes: int = ACCEPT_WITHIN_MINUTES
    fee_item_id: int | None = None
    sla: Mapping[RepairPriority, SlaMinutes] = field(default_factory=lambda: dict(DEFAULT_SLA))


def rules_of(session: Session, community_id: int) -> Rules:
    """Read how repairs of a community are handled."""
    own = session.get(RepairRule, community_id)
    rows: Sequence[RepairSla] = session.scalars(
        select(RepairSla).where(RepairSla.community_id == community_id)
    ).all()
    sla = dict(DEFAULT_SLA) | {
        RepairPriority(row.priority): SlaMinutes(
            row.response_minutes, row.arrive_minutes, row.finish_minutes
        )
        for row in rows
    }
    if own is None:
        return Rules(sla=sla)
    return Rules(DispatchMode(own.dispatch_mode), own.accept_minutes, own.fee_item_id, sla)


@dataclass(frozen=True)
class RepairRules:
    """Shows and sets how the repairs of a community are handled."""

    unit_of_work: UnitOfWork

    def show(self, *, actor: Actor, community_id: int) -> Rules:
        """Show the rules that hold in a community.

        Raises:
            NotFound: no such community in scope as a whole.
        """
        actor.must(Permission.VIEW_REPAIRS)
        actor.must_cover(community_id)
        with self.unit_of_work.reading() as session:
            check_community(session, actor, community_id)
            return rules_of(session, community_id)

    def set_rules(self, *, actor: Actor, community_id: int, rules: Rules) -> None:
        """Set all rules of a community; limits of repairs that are open already stay.

        Raises:
            InvalidInput: minutes that are not in order, or the item is no one-off item.
            NotFound: no such community in scope as a whole.
        """
        actor.must(Permission.MANAGE_REPAIRS)
        actor.must_cover(community_id)
        _check(rules)

        def work(tx: Transaction) -> None:
            check_community(tx.session, actor, community_id)
            _check_item(tx, community_id, rules.fee_item_id)
            values = {
                "dispatch_mode": rules.dispatch_mode,
                "accept_minutes": rules.accept_minutes,
                "fee_item_id": rules.fee_item_id,
            }
            tx.session.execute(
                insert(RepairRule)
                .values(community_id=community_id, **values)
                .on_conflict_do_update(index_elements=["community_id"], set_=values)
            )
            tx.session.execute(delete(RepairSla).where(RepairSla.community_id == community_id))
            tx.session.add_all(
                RepairSla(
                    community_id=community_id,
                    priority=priority,
                    response_minutes=one.response,
                    arrive_minutes=one.arrive,
                    finish_minutes=one.finish,
                )
                for priority, one in rules.sla.items()
            )
            record(
                tx,
                actor,
                "repair_rules_set",
                subject_type="community",
                subject_id=community_id,
                community_id=community_id,
                facts={
                    "rules": values | {"dispatch_mode": str(rules.dispatch_mode)},
                    "sla": {str(name): asdict(one) for name, one in rules.sla.items()},
                },
            )

        self.unit_of_work.run(work)


def _check(rules: Rules) -> None:
    fields: dict[str, list[str]] = {}
    if not 1 <= rules.accept_minutes <= 10_080:
        fields["accept_minutes"] = ["应为 1 至 10080 分钟"]
    for priority, one in rules.sla.items():
        if not 1 <= one.response <= one.arrive <= one.finish <= _LONGEST_MINUTES:
            fields[f"sla.{priority}"] = ["响应、到场、完成时限应依次不减"]
    if fields:
        raise InvalidInput(fields=fields)


def _check_item(tx: Transaction, community_id: int, fee_item_id: int | None) -> None:
    if fee_item_id is None:
        return
    known = tx.session.execute(
        select(FeeItem.id).where(
            FeeItem.id == fee_item_id,
            FeeItem.community_id == community_id,
            FeeItem.charge_method == ChargeMethod.ONE_OFF,
        )
    ).first()
    if known is None:
        raise InvalidInput(fields={"fee_item_id": ["请选择本小区的临时收费项目"]})
