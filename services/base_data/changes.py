"""Steps that every change of base data takes: compare with what was seen, write, record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from domain.actors import Actor
from domain.cells import BadCell
from domain.errors import Conflict, InvalidInput, NotFound
from domain.estate_fields import BILLED, as_json, is_same, read_day
from models import Community
from services.audit import record
from services.reasons import check_reason
from services.unit_of_work import Transaction, UnitOfWork, violates

Changed = dict[str, tuple[Any, Any]]
"""Before and after, by column."""
T = TypeVar("T")


class ChangedMeanwhile(Conflict):
    """Somebody else changed the row since it was looked at."""

    code = "changed_meanwhile"
    message = "资料刚被他人修改，请刷新后重新填写"


class StillUsed(Conflict):
    """Something on file depends on it: it can be retired, not deleted."""

    code = "still_used"
    message = "已有业务记录，不能删除，只能停用"


class RetireBlocked(Conflict):
    """Something must be settled before it can be retired; the message says what."""

    code = "retire_blocked"
    message = "还有未了结的事项，不能停用"


class IsRetired(Conflict):
    """It was retired: nothing of it changes before it is taken back."""

    code = "is_retired"
    message = "已停用，请先恢复再修改"


def check_reason_for(reason: str, columns: Mapping[str, object]) -> str:
    """Refuse a change of what bills depend on without a reason; give the reason as it is kept.

    Raises:
        InvalidInput: it is missing where it is needed, or too long.
    """
    if BILLED & columns.keys() or reason.strip():
        check_reason(reason)
    return reason.strip()


def check_seen(changes: Mapping[str, object], seen: Mapping[str, object]) -> None:
    """Refuse a change that does not say what it is a change of.

    Raises:
        InvalidInput: nothing changes, or a column was not seen before.
    """
    if not changes:
        raise InvalidInput("没有要修改的内容")
    if missing := sorted(changes.keys() - seen.keys()):
        raise InvalidInput(fields={f"expected.{name}": ["请填写修改前的值"] for name in missing})


def put(row: Any, wanted: Mapping[str, Any], seen: Mapping[str, object]) -> Changed:
    """Write the wanted values on a locked row; tell what that changed.

    Doing the same change twice changes nothing the second time.

    Raises:
        ChangedMeanwhile: a column that would change holds neither what was seen nor what is wanted.
    """
    changed = {
        name: (getattr(row, name), value)
        for name, value in wanted.items()
        if getattr(row, name) != value
    }
    for name, (before, _) in changed.items():
        if name in seen and not is_same(before, seen[name]):
            raise ChangedMeanwhile
    for name, (_, after) in changed.items():
        setattr(row, name, after)
    return changed


def note(
    tx: Transaction,
    actor: Actor,
    action: str,
    *,
    of: tuple[str, int],
    community_id: int,
    changed: Changed,
    reason: str = "",
    **more: Any,
) -> None:
    """Put a change on record; ``of`` is the kind of the row and its id."""
    record(
        tx,
        actor,
        action,
        subject_type=of[0],
        subject_id=of[1],
        community_id=community_id,
        facts={
            "before": {name: as_json(before) for name, (before, _) in changed.items()},
            "after": {name: as_json(after) for name, (_, after) in changed.items()},
            "reason": reason.strip(),
            **more,
        },
    )


def note_added(
    tx: Transaction,
    actor: Actor,
    action: str,
    *,
    of: tuple[str, int],
    community_id: int,
    values: Mapping[str, Any],
    reason: str = "",
    **more: Any,
) -> None:
    """Put on record that a row was added, with all that was given of it."""
    changed = {name: (None, value) for name, value in values.items() if value not in (None, "")}
    note(
        tx,
        actor,
        action,
        of=of,
        community_id=community_id,
        changed=changed,
        reason=reason,
        **more,
    )


def check_day(field: str, day: date, *, today: date) -> None:
    """Refuse a day that cannot be meant.

    Raises:
        InvalidInput: ``fields`` says why.
    """
    try:
        read_day(day, today)
    except BadCell as bad:
        raise InvalidInput(fields={field: [bad.why]}) from bad


def retire(row: Any, day: date) -> Changed:
    """Retire a locked row from a day on; nothing changes where it is retired since then.

    Raises:
        IsRetired: it is retired since another day.
    """
    if row.retired_on == day:
        return {}
    if row.retired_on is not None:
        raise IsRetired(f"已于 {row.retired_on} 停用，如需改日期请先恢复")
    row.retired_on = day
    return {"retired_on": (None, day)}


def restore(row: Any) -> Changed:
    """Take the retirement of a locked row back; nothing changes where it is not retired."""
    day = row.retired_on
    if day is None:
        return {}
    row.retired_on = None
    return {"retired_on": (day, None)}


def hold_community(tx: Transaction, community_id: int) -> Community:
    """Keep a community from being retired until the transaction ends.

    Raises:
        NotFound: there is none.
        IsRetired: it is retired.
    """
    community = tx.session.execute(
        select(Community).where(Community.id == community_id).with_for_update(read=True)
    ).scalar_one_or_none()
    if community is None:
        raise NotFound
    if community.retired_on is not None:
        raise IsRetired("所在小区已停用，请先恢复小区")
    return community


def run_unless(
    unit_of_work: UnitOfWork,
    work: Callable[[Transaction], T],
    refusal: type[Conflict],
    *,
    rule: str = "",
) -> T:
    """Run work; where it breaks a rule of the database, by default any, say so in our words.

    Raises:
        Conflict: the refusal, when the rule was broken.
    """
    try:
        return unit_of_work.run(work)
    except IntegrityError as error:
        if not rule or violates(error, rule):
            raise refusal from error
        raise


def refuse_retired(row: Any) -> None:
    """Refuse to change a row that is retired.

    Raises:
        IsRetired: it is.
    """
    if row.retired_on is not None:
        raise IsRetired
