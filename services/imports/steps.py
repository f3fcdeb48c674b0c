"""What the transactions of an import did, kept beside what they wrote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, insert, select, text, update

from domain.imports import ImportCannotMove, ImportState
from models import ImportBatch, ImportStep
from services.unit_of_work import Transaction

_COUNT = text(
    """
    SELECT made.key, sum(jsonb_array_length(made.value))
      FROM import_step, jsonb_each(made) AS made WHERE batch_id = :batch_id GROUP BY 1
    """
)
_COUNT_CHANGED = text(
    """
    SELECT changed.value ->> 'table', count(*)
      FROM import_step, jsonb_array_elements(changed) AS changed
     WHERE batch_id = :batch_id GROUP BY 1
    """
)


@dataclass(slots=True)
class Step:
    """What one transaction makes and changes, gathered as it goes."""

    made: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    changed: list[dict[str, Any]] = field(default_factory=list)

    def change(
        self, table: str, row_id: int, values: Mapping[str, tuple[Any, Any]]
    ) -> dict[str, dict[str, str | None]]:
        """Note that columns of a row change from one value to another; tell it in words."""
        before = {name: _as_word(old) for name, (old, _) in values.items()}
        after = {name: _as_word(new) for name, (_, new) in values.items()}
        self.changed.append({"table": table, "id": row_id, "before": before, "after": after})
        return {name: {"before": before[name], "after": after[name]} for name in values}


def _as_word(value: Any) -> str | None:
    return None if value is None else str(value)


def keep_step(tx: Transaction, batch_id: int, step: Step, *, rows_done: int) -> None:
    """Write a step and how far the import is with it, in the transaction of the step itself.

    Raises:
        ImportCannotMove: the batch is not being imported any more: another worker ended it.
    """
    going_on = tx.session.execute(
        update(ImportBatch)
        .where(ImportBatch.id == batch_id, ImportBatch.state == ImportState.IMPORTING)
        .values(rows_done=rows_done, attempts=0)
        .returning(ImportBatch.id)
    ).scalar_one_or_none()
    if going_on is None:
        raise ImportCannotMove
    if not step.made and not step.changed:
        return
    last = tx.session.scalar(
        select(func.coalesce(func.max(ImportStep.step_no), 0)).where(
            ImportStep.batch_id == batch_id
        )
    )
    tx.session.execute(
        insert(ImportStep).values(
            batch_id=batch_id, step_no=(last or 0) + 1, made=dict(step.made), changed=step.changed
        )
    )


def count_steps(tx: Transaction, batch_id: int) -> tuple[dict[str, int], dict[str, int]]:
    """Tell by table how many rows the steps of a batch made and changed."""
    made = tx.session.execute(_COUNT, {"batch_id": batch_id}).all()
    changed = tx.session.execute(_COUNT_CHANGED, {"batch_id": batch_id}).all()
    return (
        {name: int(count) for name, count in made},
        {name: int(count) for name, count in changed},
    )
