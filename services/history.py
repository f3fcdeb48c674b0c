"""The history of changes: what is on record, as sentences, within one's own data scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, false, or_, select
from sqlalchemy.orm import Session

from domain.actors import Actor, ActorKind, Permission
from domain.acts import ACT_SHOWN
from domain.change_sentences import name_on_record, on_one_line, say_act
from domain.errors import InvalidInput, NotFound
from domain.periods import SHANGHAI, start_of_local_day
from models import AuditEntry, Bill, House
from services.logs import mask
from services.ports import Column, ColumnKind, DocumentWriter, TableDocument
from services.scopes import houses_in_scope, in_scope
from services.subjects import KIND_SHOWN, names_of
from services.unit_of_work import UnitOfWork

PAGE_LIMIT = 101
"""A page of 100 and the row that tells whether there is another."""
EXPORT_LIMIT = 20_000
_WHO_LIMIT = 50
_COLUMNS = (
    Column("时间", ColumnKind.TEXT, 9),
    Column("操作人", ColumnKind.TEXT, 7),
    Column("内容", ColumnKind.TEXT, 40),
)


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which acts; all of it must hold. Both days count.

    ``who`` is a part of a name; ``house_id`` also finds what was done to the house's bills.
    """

    community_id: int | None = None
    house_id: int | None = None
    subject_type: str | None = None
    subject_id: int | None = None
    who: str = ""
    action: str | None = None
    from_on: date | None = None
    until_on: date | None = None


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One act; ``sentence`` begins with its local day. Phones that people typed are masked, too."""

    id: int
    at: datetime
    who: str
    action: str
    subject_type: str
    subject_id: int | None
    subject: str
    sentence: str


class HistoryTooLong(InvalidInput):
    """More acts were found than a file may hold."""

    code = "history_too_long"
    message = "记录太多，请缩小时间范围后再导出"


@dataclass(frozen=True)
class ChangeHistory:
    """Tells who did what, when and why."""

    unit_of_work: UnitOfWork
    documents: DocumentWriter

    def list_changes(
        self,
        *,
        actor: Actor,
        which: HistoryFilter,
        before_id: int | None = None,
        limit: int = 50,
    ) -> Sequence[HistoryLine]:
        """List acts in scope, newest first, from below ``before_id``.

        Staff of whole communities are told what concerns these; staff of single buildings what
        was done to their houses. What concerns no community is for the whole company.

        Raises:
            InvalidInput: a filter cannot be read.
            NotFound: the house is out of scope.
        """
        actor.must(Permission.VIEW_HISTORY)
        if not 1 <= limit <= PAGE_LIMIT:
            raise InvalidInput(fields={"limit": [f"应为 1 至 {PAGE_LIMIT - 1}"]})
        with self.unit_of_work.reading() as session:
            query = _select(session, actor, which)
            if before_id is not None:
                query = query.where(AuditEntry.id < before_id)
            return _say(session, session.scalars(query.limit(limit)).all())

    def write(self, *, actor: Actor, which: HistoryFilter) -> bytes:
        """Write the same lines as a workbook, newest first.

        Raises:
            HistoryTooLong: more than 20,000.
            InvalidInput, NotFound: as `list_changes`.
        """
        actor.must(Permission.VIEW_HISTORY)
        with self.unit_of_work.snapshot() as session:
            entries = session.scalars(_select(session, actor, which).limit(EXPORT_LIMIT + 1)).all()
            if len(entries) > EXPORT_LIMIT:
                raise HistoryTooLong
            lines = _say(session, entries)
        made_at = self.unit_of_work.clock.now().astimezone(SHANGHAI)
        return self.documents.write_workbook(
            [
                TableDocument(
                    title="操作记录",
                    subtitle="",
                    facts=(
                        ("条数", str(len(lines))),
                        ("制表时间", f"{made_at:%Y-%m-%d %H:%M}"),
                    ),
                    columns=_COLUMNS,
                    rows=[
                        (
                            f"{line.at.astimezone(SHANGHAI):%Y-%m-%d %H:%M:%S}",
                            line.who,
                            line.sentence,
                        )
                        for line in lines
                    ],
                    totals=(),
                    notes=("手机号已隐去中间四位；记录只增不改，可用 flask verify audit 核对。",),
                )
            ]
        )


def _select(session: Session, actor: Actor, which: HistoryFilter) -> Select[AuditEntry]:
    _check(which)
    query = select(AuditEntry).where(_is_seen(actor)).order_by(AuditEntry.id.desc())
    if which.house_id is not None:
        query = query.where(_is_about_house(session, actor, which.house_id))
    if which.community_id is not None:
        query = query.where(_is_of_community(which.community_id))
    if who := which.who.strip():
        query = query.where(AuditEntry.actor_name.contains(who, autoescape=True))
    columns = (
        (AuditEntry.subject_type, which.subject_type),
        (AuditEntry.subject_id, which.subject_id),
        (AuditEntry.action, which.action),
    )
    is_so = [column == value for column, value in columns if value is not None]
    return query.where(*is_so, *_in_days(which))


def _check(which: HistoryFilter) -> None:
    problems: dict[str, list[str]] = {}
    if which.subject_type is not None and which.subject_type not in KIND_SHOWN:
        problems["subject_type"] = ["没有这类对象"]
    if which.action is not None and which.action not in ACT_SHOWN:
        problems["action"] = ["没有这类操作"]
    if len(which.who) > _WHO_LIMIT:
        problems["who"] = [f"请在 {_WHO_LIMIT} 个字以内"]
    if which.from_on and which.until_on and which.until_on < which.from_on:
        problems["until"] = ["结束日期不能早于开始日期"]
    if problems:
        raise InvalidInput(fields=problems)


def _in_days(which: HistoryFilter) -> list[ColumnElement[bool]]:
    days: list[ColumnElement[bool]] = []
    if which.from_on:
        days.append(AuditEntry.at >= start_of_local_day(which.from_on))
    if which.until_on:
        days.append(AuditEntry.at < start_of_local_day(which.until_on + timedelta(days=1)))
    return days


def _is_seen(actor: Actor) -> ColumnElement[bool]:
    if actor.scope.community_ids is None:
        return AuditEntry.id > 0
    of_communities = in_scope(AuditEntry.community_id, actor)
    houses = select(House.id).where(houses_in_scope(actor))
    of_houses = and_(AuditEntry.subject_type == "house", AuditEntry.subject_id.in_(houses))
    return or_(of_communities, of_houses)


def _is_of_community(community_id: int) -> ColumnElement[bool]:
    """Also what owners did to their house, which names no community."""
    houses = select(House.id).where(House.community_id == community_id)
    of_houses = and_(AuditEntry.subject_type == "house", AuditEntry.subject_id.in_(houses))
    return or_(AuditEntry.community_id == community_id, of_houses)


def _is_about_house(session: Session, actor: Actor, house_id: int) -> ColumnElement[bool]:
    seen = session.execute(
        select(House.id).where(House.id == house_id, houses_in_scope(actor))
    ).first()
    if seen is None:
        raise NotFound
    bills = session.scalars(select(Bill.id).where(Bill.house_id == house_id)).all()
    is_bill = AuditEntry.subject_id.in_(bills) if bills else false()
    return or_(
        and_(AuditEntry.subject_type == "house", AuditEntry.subject_id == house_id),
        and_(AuditEntry.subject_type == "bill", is_bill),
    )


def _say(session: Session, entries: Sequence[AuditEntry]) -> list[HistoryLine]:
    owners = {id_ for entry in entries for id_ in _owner_ids(entry)}
    names = names_of(
        session,
        [
            *((entry.subject_type, entry.subject_id) for entry in entries),
            *(("owner", id_) for id_ in owners),
            *(("account", entry.actor_id) for entry in entries if _is_by_owner(entry)),
        ],
        on_record={
            (entry.subject_type, entry.subject_id): name
            for entry in entries
            if (name := name_on_record(entry.facts))
        },
    )
    by_id = {id_: names["owner", id_] for id_ in owners}
    lines = []
    for entry in entries:
        subject = names.get((entry.subject_type, entry.subject_id), "")
        subject = subject or KIND_SHOWN.get(entry.subject_type, "")
        who = entry.actor_name
        if _is_by_owner(entry):
            who = f"业主{names['account', entry.actor_id].removeprefix('账号')}"
        lines.append(
            HistoryLine(
                id=entry.id,
                at=entry.at,
                who=who,
                action=entry.action,
                subject_type=entry.subject_type,
                subject_id=entry.subject_id,
                subject=mask(on_one_line(subject)),
                sentence=mask(
                    say_act(
                        at=entry.at,
                        actor_name=who,
                        action=entry.action,
                        subject=subject,
                        facts=entry.facts,
                        names=by_id,
                    )
                ),
            )
        )
    return lines


def _is_by_owner(entry: AuditEntry) -> bool:
    return entry.actor_kind == ActorKind.OWNER and entry.actor_id is not None


def _owner_ids(entry: AuditEntry) -> set[int]:
    parts = [entry.facts.get("before"), entry.facts.get("after")]
    found = {part.get("owner_id") for part in parts if isinstance(part, dict)}
    return {id_ for id_ in found if isinstance(id_, int)}
