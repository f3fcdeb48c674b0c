"""Templates of maintenance: a community's own copy of the statutory library, and more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from domain.actors import Actor, Permission
from domain.cells import BadCell, read_text
from domain.checklists import ChecklistItem, check_items, items_to_json
from domain.equipment import EquipmentCategory
from domain.errors import Conflict, InvalidInput, NotFound
from domain.maintenance_rules import Basis, DueRule, PlanUnit
from domain.maintenance_states import MaintenanceKind
from domain.statutory_maintenance import STATUTORY_LIBRARY
from models import MaintenanceTemplate
from services.audit import record
from services.base_data.changes import hold_community, run_unless
from services.reasons import check_reason
from services.scopes import in_scope
from services.unit_of_work import Transaction, UnitOfWork


class MaintenanceTemplateCodeTaken(Conflict):
    """Another template of the community has the code."""

    code = "maintenance_template_code_taken"
    message = "本小区已有同编号的维保模板"


@dataclass(frozen=True, slots=True)
class TemplateWords:
    """All that is written of a template."""

    code: str
    name: str
    category: EquipmentCategory
    kind: MaintenanceKind
    every: int
    unit: PlanUnit
    checklist: Sequence[ChecklistItem]
    source: str = ""
    evidence: str = ""
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class TemplateView:
    """A template on file; ``rule`` in words."""

    id: int
    community_id: int
    code: str
    name: str
    category: str
    kind: str
    every: int
    unit: str
    rule: str
    checklist: Sequence[dict[str, Any]]
    source: str
    evidence: str
    is_active: bool


@dataclass(frozen=True)
class MaintenanceTemplates:
    """Keeps the templates of communities."""

    unit_of_work: UnitOfWork

    def load_library(self, *, actor: Actor, community_id: int) -> int:
        """Copy what the statutory library has and the community lacks; return how many.

        Raises:
            NotFound: no such community in scope. IsRetired: it is retired.
        """
        actor.must(Permission.PLAN_MAINTENANCE)
        actor.must_cover(community_id)

        def work(tx: Transaction) -> int:
            hold_community(tx, community_id)
            made = tx.session.scalars(
                insert(MaintenanceTemplate)
                .values(
                    [
                        {
                            "community_id": community_id,
                            "code": one.code,
                            "name": one.name,
                            "category": one.category,
                            "kind": one.kind,
                            "every": one.every,
                            "unit": one.unit,
                            "checklist": items_to_json(one.checklist),
                            "source": one.source,
                            "evidence": one.evidence,
                            "created_at": tx.now,
                        }
                        for one in STATUTORY_LIBRARY
                    ]
                )
                .on_conflict_do_nothing(index_elements=["community_id", "code"])
                .returning(MaintenanceTemplate.id)
            ).all()
            if made:
                record(
                    tx,
                    actor,
                    "maintenance_templates_loaded",
                    subject_type="community",
                    subject_id=community_id,
                    community_id=community_id,
                    facts={"templates": len(made)},
                )
            return len(made)

        return self.unit_of_work.run(work)

    def add(self, *, actor: Actor, community_id: int, words: TemplateWords) -> int:
        """Put a template on file and return its id.

        Raises:
            InvalidInput: a field cannot be used, or a statutory one names no source.
            NotFound: no such community in scope. IsRetired: it is retired.
            MaintenanceTemplateCodeTaken: another one has the code.
        """
        actor.must(Permission.PLAN_MAINTENANCE)
        actor.must_cover(community_id)
        values = _check(words)

        def work(tx: Transaction) -> int:
            hold_community(tx, community_id)
            row = MaintenanceTemplate(community_id=community_id, created_at=tx.now, **values)
            tx.session.add(row)
            tx.session.flush()
            _note(tx, actor, "maintenance_template_added", row, reason="")
            return row.id

        return run_unless(
            self.unit_of_work,
            work,
            MaintenanceTemplateCodeTaken,
            rule="uq_maintenance_template_community_id",
        )

    def change(self, *, actor: Actor, template_id: int, words: TemplateWords, reason: str) -> None:
        """Write a template anew; plans are held to it when they are written next.

        Raises:
            InvalidInput: a field cannot be used, or there is no reason.
            NotFound: no such template in scope.
            MaintenanceTemplateCodeTaken: another one has the code.
        """
        actor.must(Permission.PLAN_MAINTENANCE)
        check_reason(reason)
        values = _check(words)

        def work(tx: Transaction) -> None:
            row = tx.session.execute(
                select(MaintenanceTemplate)
                .where(
                    MaintenanceTemplate.id == template_id,
                    in_scope(MaintenanceTemplate.community_id, actor),
                )
                .with_for_update()
            ).scalar_one_or_none()
            if row is None:
                raise NotFound
            before = {name: getattr(row, name) for name in _TOLD}
            for name, value in values.items():
                setattr(row, name, value)
            tx.session.flush()
            after = {name: values[name] for name in _TOLD}
            changed = {name for name in _TOLD if before[name] != after[name]}
            _note(
                tx,
                actor,
                "maintenance_template_changed",
                row,
                reason=reason,
                before={name: before[name] for name in sorted(changed)},
                after={name: after[name] for name in sorted(changed)},
            )

        run_unless(
            self.unit_of_work,
            work,
            MaintenanceTemplateCodeTaken,
            rule="uq_maintenance_template_community_id",
        )

    def list_templates(
        self, *, actor: Actor, community_id: int | None = None
    ) -> Sequence[TemplateView]:
        """List templates of communities that are in scope as a whole, by kind of equipment."""
        actor.must(Permission.VIEW_EQUIPMENT)
        query = select(MaintenanceTemplate).where(in_scope(MaintenanceTemplate.community_id, actor))
        if community_id is not None:
            query = query.where(MaintenanceTemplate.community_id == community_id)
        with self.unit_of_work.reading() as session:
            rows = session.scalars(
                query.order_by(
                    MaintenanceTemplate.community_id,
                    MaintenanceTemplate.category,
                    MaintenanceTemplate.id,
                )
            ).all()
        return [_view(row) for row in rows]


_TOLD = ("code", "name", "category", "kind", "every", "unit", "source", "evidence", "is_active")


def _check(words: TemplateWords) -> dict[str, Any]:
    DueRule(words.every, words.unit).check(basis=Basis.FIXED_CALENDAR)
    values: dict[str, Any] = {}
    problems: dict[str, list[str]] = {}
    for field, text, limit, needed in (
        ("code", words.code, 20, True),
        ("name", words.name, 50, True),
        ("source", words.source, 200, words.kind is MaintenanceKind.STATUTORY),
        ("evidence", words.evidence, 100, False),
    ):
        try:
            values[field] = read_text(text, limit=limit)
        except BadCell as bad:
            problems[field] = [bad.why]
            continue
        if needed and not values[field]:
            problems[field] = ["必填"]
    if problems:
        raise InvalidInput(fields=problems)
    return {
        **values,
        "category": words.category,
        "kind": words.kind,
        "every": words.every,
        "unit": words.unit,
        "checklist": items_to_json(check_items(words.checklist)),
        "is_active": words.is_active,
    }


def _view(row: MaintenanceTemplate) -> TemplateView:
    return TemplateView(
        id=row.id,
        community_id=row.community_id,
        code=row.code,
        name=row.name,
        category=row.category,
        kind=row.kind,
        every=row.every,
        unit=row.unit,
        rule=str(DueRule(row.every, PlanUnit(row.unit))),
        checklist=tuple(row.checklist),
        source=row.source,
        evidence=row.evidence,
        is_active=row.is_active,
    )


def _note(
    tx: Transaction,
    actor: Actor,
    action: str,
    row: MaintenanceTemplate,
    *,
    reason: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    record(
        tx,
        actor,
        action,
        subject_type="maintenance_template",
        subject_id=row.id,
        community_id=row.community_id,
        facts={"before": before or {}, "after": after or {}, "reason": reason.strip()},
    )
