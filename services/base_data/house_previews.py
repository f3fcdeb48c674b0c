"""What a change of a house will do to bills and people, told before it is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NoReturn

from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.bill_states import PAYABLE_BILLS
from domain.errors import InvalidInput
from domain.estate_fields import as_json
from domain.periods import Span, local_date
from models import Bill, Community, House, HouseBinding, HousePerson
from services.base_data.changes import check_day, retire
from services.base_data.house_fees import (
    ComingBill,
    DraftBills,
    foresee,
    foresee_drafts,
    read_items,
)
from services.base_data.house_rows import (
    HouseNameTaken,
    find_blocks,
    label_of,
    lock_house,
)
from services.base_data.houses import apply_changes, read_house_changes
from services.bills.run_items import RunItem
from services.unit_of_work import Transaction, UnitOfWork, violates


@dataclass(frozen=True, slots=True)
class FeeEffect:
    """An item whose coming bills change; amounts of a full period in fen, None where no bill."""

    fee_item_id: int
    name: str
    period_before: Span | None
    before_fen: int | None
    period_after: Span | None
    after_fen: int | None
    why_not: str
    """Why the house can no longer be charged, if it cannot."""


@dataclass(frozen=True, slots=True)
class DraftEffect:
    """An open batch of which bills of the house would come out otherwise: regenerate it."""

    batch_id: int
    month: Span
    bill_count: int
    before_fen: int
    after_fen: int


@dataclass(frozen=True, slots=True)
class HousePreview:
    """What a change will do.

    ``unpaid`` bills are published and stay as they are. ``people_count`` and ``binding_count`` are
    those who would see a retired house as history only; 0 where nothing is retired. ``blocks`` is
    what must be settled before the house can be retired.
    """

    house_id: int
    house: str
    before: Mapping[str, str | int | bool | None]
    after: Mapping[str, str | int | bool | None]
    fees: Sequence[FeeEffect]
    drafts: Sequence[DraftEffect]
    unpaid_count: int
    unpaid_fen: int
    people_count: int
    binding_count: int
    blocks: Sequence[str]


class _Rehearsed(Exception):
    """Carries what was found out of a transaction that must leave nothing behind."""

    def __init__(self, preview: HousePreview) -> None:
        super().__init__()
        self.preview = preview


@dataclass(frozen=True)
class HousePreviews:
    """Rehearses changes of houses."""

    unit_of_work: UnitOfWork

    def preview(
        self,
        *,
        actor: Actor,
        house_id: int,
        changes: Mapping[str, object],
        holds_from: date | None = None,
        retired_on: date | None = None,
    ) -> HousePreview:
        """Tell what a change, or a retirement, of a house will do; nothing is written.

        The change is carried out, its bills are computed by the bill run's own code, and then all
        of it is rolled back: what is told is what would be.

        Raises:
            InvalidInput: a field cannot be used, or nothing would change.
            NotFound: no such house. IsRetired: it is retired.
            HouseNameTaken, ChangeNotLater: the change itself would be refused.
        """
        actor.must(Permission.MANAGE_ESTATE)
        today = local_date(self.unit_of_work.clock.now())
        if (retired_on is None) == (not changes):
            raise InvalidInput("请填写要修改的内容，或停用日期，两者取一")
        wanted: dict[str, Any] = {}
        if retired_on is None:
            # What is seen is what is on file now: a preview is of this moment.
            wanted = read_house_changes(changes, dict.fromkeys(changes), holds_from, today=today)
        else:
            check_day("retired_on", retired_on, today=today)
        after = max(today, *(day for day in (holds_from, retired_on) if day), date.min)

        def work(tx: Transaction) -> NoReturn:
            house = lock_house(tx, actor, house_id)
            look = _Look(tx.session, house, after)
            before = look.take()
            columns = {*wanted, "billing_area"} if retired_on is None else {"retired_on"}
            held = {name: getattr(house, name) for name in columns}
            blocks: list[str] = []
            if retired_on is None:
                apply_changes(
                    tx, actor, house, wanted, seen={}, holds_from=holds_from, reason="预览"
                )
            else:
                blocks = find_blocks(tx.session, house_id, retired_on)
                retire(house, retired_on)
            tx.session.flush()
            changed = [name for name in sorted(held) if getattr(house, name) != held[name]]
            unpaid_count, unpaid_fen = _unpaid(tx.session, house_id)
            people, bindings = _people(tx.session, house_id, today) if retired_on else (0, 0)
            raise _Rehearsed(
                HousePreview(
                    house_id,
                    look.label,
                    {name: as_json(held[name]) for name in changed},
                    {name: as_json(getattr(house, name)) for name in changed},
                    *look.compare(before, look.take()),
                    unpaid_count,
                    unpaid_fen,
                    people,
                    bindings,
                    tuple(blocks),
                )
            )

        try:
            self.unit_of_work.run(work)
        except _Rehearsed as done:
            return done.preview
        except IntegrityError as error:
            if violates(error, "uq_house_building_id"):
                raise HouseNameTaken from error
            raise


_Taken = tuple[dict[int, ComingBill], list[DraftBills]]


class _Look:
    """Looks at the coming bills of a locked house, before and after."""

    def __init__(self, session: Session, house: House, after: date) -> None:
        self._session, self._house_id, self._after = session, house.id, after
        self._community = session.get_one(Community, house.community_id)
        self._items: list[RunItem] = read_items(session, house.community_id)
        self.label = label_of(session, house.id)

    def take(self) -> _Taken:
        """Compute what will be billed as the house stands in this transaction."""
        args = self._session, self._community, self._house_id
        return foresee(*args, self._items, self._after), foresee_drafts(*args)

    def compare(
        self, before: _Taken, after: _Taken
    ) -> tuple[tuple[FeeEffect, ...], tuple[DraftEffect, ...]]:
        """Tell the items and batches that differ."""
        nothing = ComingBill(None, 0)
        fees = []
        for item in self._items:
            old, new = before[0].get(item.id, nothing), after[0].get(item.id, nothing)
            if old != new:
                fees.append(
                    FeeEffect(
                        item.id,
                        item.row.name,
                        old.period,
                        old.amount_fen if old.period else None,
                        new.period,
                        new.amount_fen if new.period else None,
                        new.why_not,
                    )
                )
        drafts = [
            effect
            for one, other in zip(before[1], after[1], strict=True)
            if (effect := _compare_drafts(one, other)) is not None
        ]
        return tuple(fees), tuple(drafts)


def _compare_drafts(before: DraftBills, after: DraftBills) -> DraftEffect | None:
    differ = [
        key
        for key in before.bills.keys() | after.bills.keys()
        if before.bills.get(key) != after.bills.get(key)
    ]
    if not differ:
        return None
    sums = [
        sum(side.bills[key][0] for key in differ if key in side.bills) for side in (before, after)
    ]
    return DraftEffect(before.batch_id, before.month, len(differ), *sums)


def _unpaid(session: Session, house_id: int) -> tuple[int, int]:
    count, fen = session.execute(
        select(func.count(), func.coalesce(func.sum(Bill.amount_fen - Bill.paid_fen), 0)).where(
            Bill.house_id == house_id, Bill.is_live, Bill.state.in_(PAYABLE_BILLS)
        )
    ).one()
    return count, int(fen)


def _people(session: Session, house_id: int, today: date) -> tuple[int, int]:
    people = session.scalar(
        select(func.count(func.distinct(HousePerson.owner_id))).where(
            HousePerson.house_id == house_id,
            or_(HousePerson.person_until.is_(None), HousePerson.person_until > today),
        )
    )
    bindings = session.scalar(
        select(func.count())
        .select_from(HouseBinding)
        .where(HouseBinding.house_id == house_id, HouseBinding.status == "active")
    )
    return people or 0, bindings or 0
