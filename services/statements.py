"""The statement of a house (对账单): every move of what it owes and of what is held for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.errors import InvalidInput, NotFound
from domain.houses import house_label
from domain.periods import add_months, local_date
from models import Building, Community, House, HouseBinding
from services.bindings import bought_on, sees_bills_of, sellers_bill_ids
from services.estate import house_label_column
from services.ports import DocumentWriter
from services.reports.tables import FileForm
from services.scopes import houses_in_scope
from services.statement_accounts import read_accounts
from services.statement_pages import Statement, as_page, as_sheets
from services.unit_of_work import UnitOfWork

_MOST_MONTHS = 36
_FIRST_YEAR = 2000


@dataclass(frozen=True, slots=True)
class StatementFile:
    """A statement as a file; ``name`` is Chinese and has its ending."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Statements:
    """What houses owed, paid and had held for them, over any days.

    Balances follow from the moves alone: what a statement closes with the next one opens with.
    """

    unit_of_work: UnitOfWork
    documents: DocumentWriter

    def show(
        self, *, actor: Actor, community_id: int, house: str, from_on: date, until_on: date
    ) -> Statement:
        """Show staff the statement of a house, named as in ``1栋1单元101``; both days count.

        Raises:
            InvalidInput: the days are not in order, over three years apart, or still to come.
            NotFound: the community has no such house.
        """
        actor.must(Permission.VIEW_HOUSE_MONEY)
        actor.must_reach(community_id)
        return self._read(
            from_on,
            until_on,
            House.community_id == community_id,
            house_label_column() == house.strip(),
            houses_in_scope(actor),
        )

    def show_own(self, *, actor: Actor, house_id: int, from_on: date, until_on: date) -> Statement:
        """Show an owner the statement of a house that is bound to them; both days count.

        After a transfer the buyers' statement begins on the day from which they own, and has
        nothing of bills that stayed with the sellers.

        Raises:
            InvalidInput: the days are not in order, over three years apart, or still to come.
            NotFound: no such house, or it is not theirs.
        """
        actor.must(Permission.VIEW_OWN_BILLS)
        today = local_date(self.unit_of_work.clock.now())
        is_bound = select(HouseBinding.id).where(sees_bills_of(House.id, actor, today)).exists()
        return self._read(from_on, until_on, House.id == house_id, is_bound, owner=actor)

    def write(
        self,
        *,
        actor: Actor,
        community_id: int,
        house: str,
        from_on: date,
        until_on: date,
        form: FileForm,
    ) -> StatementFile:
        """Write the file of what `show` shows staff.

        Raises:
            InvalidInput, NotFound: as `show`.
        """
        actor.must(Permission.VIEW_HOUSE_MONEY)
        actor.must_reach(community_id)
        return self._write(
            self.show(
                actor=actor,
                community_id=community_id,
                house=house,
                from_on=from_on,
                until_on=until_on,
            ),
            form,
        )

    def write_own(
        self, *, actor: Actor, house_id: int, from_on: date, until_on: date, form: FileForm
    ) -> StatementFile:
        """Write the file of what `show_own` shows an owner.

        Raises:
            InvalidInput, NotFound: as `show_own`.
        """
        actor.must(Permission.VIEW_OWN_BILLS)
        return self._write(
            self.show_own(actor=actor, house_id=house_id, from_on=from_on, until_on=until_on), form
        )

    def _read(
        self,
        from_on: date,
        until_on: date,
        *which: ColumnElement[bool],
        owner: Actor | None = None,
    ) -> Statement:
        now = self.unit_of_work.clock.now()
        _check(from_on, until_on, today=local_date(now))
        query: Select[int, str, str, str, str] = (
            select(House.id, Community.name, Building.name, House.unit_no, House.room_no)
            .join(Building, Building.id == House.building_id)
            .join(Community, Community.id == House.community_id)
            .where(*which)
            .order_by(House.id)
            .limit(1)
        )
        with self.unit_of_work.snapshot() as session:
            found = session.execute(query).one_or_none()
            if found is None:
                raise NotFound("没有这个房屋，请写全，例如 1栋1单元101")
            house_id, community, *name = found
            hidden: Sequence[int] = ()
            if owner is not None:
                hidden = sellers_bill_ids(session, owner, house_id, local_date(now))
                from_on = _since(session, owner, house_id, from_on, until_on, local_date(now))
            return Statement(
                house_id=house_id,
                community=community,
                house=house_label(*name),
                from_on=from_on,
                until_on=until_on,
                made_at=now,
                accounts=read_accounts(
                    session, house_id=house_id, from_on=from_on, until_on=until_on, hidden=hidden
                ),
            )

    def _write(self, statement: Statement, form: FileForm) -> StatementFile:
        if form is FileForm.PDF:
            content = self.documents.write_pdf(as_page(statement))
        else:
            content = self.documents.write_workbook(as_sheets(statement))
        return StatementFile(f"{statement.file_stem}.{form}", content)


def _since(
    session: Session, owner: Actor, house_id: int, from_on: date, until_on: date, today: date
) -> date:
    since: date | None = session.execute(
        select(bought_on())
        .select_from(HouseBinding)
        .where(
            HouseBinding.house_id == house_id, sees_bills_of(HouseBinding.house_id, owner, today)
        )
    ).scalar_one_or_none()
    if since is None:
        return from_on
    if until_on < since:
        raise InvalidInput(fields={"until": [f"房屋自 {since} 起归您，只能查询此后的账目"]})
    return max(from_on, since)


def _check(from_on: date, until_on: date, *, today: date) -> None:
    problems: dict[str, list[str]] = {}
    if from_on.year < _FIRST_YEAR:
        problems["from"] = [f"应在 {_FIRST_YEAR} 年以后"]
    elif until_on > today:
        problems["until"] = ["不能晚于今天"]
    elif until_on < from_on:
        problems["until"] = ["结束日期不能早于开始日期"]
    elif until_on >= add_months(from_on, _MOST_MONTHS):
        problems["until"] = ["一次最多查询三年"]
    if problems:
        raise InvalidInput(fields=problems)
