"""The people of a house by dates: what each is to it, their shares, and what each may do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypeVar

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from domain.actors import Actor, Permission
from domain.errors import Conflict, InvalidInput, NotFound
from domain.house_roles import OWNING_ROLES, Rights
from domain.periods import local_date
from models import House, HouseBinding, HousePerson, Owner
from services.accounts import bind_houses
from services.audit import record
from services.people.part_rows import (
    NewPart,
    PersonView,
    add_part,
    check_house_shares,
    check_part,
    end_part,
    has_history,
    owning_parts,
    part_facts,
    read_people,
    show_share,
)
from services.people.rows import put_rights
from services.reasons import check_reason
from services.retirement import hold_house
from services.scopes import houses_in_scope, lock_house
from services.unit_of_work import Transaction, UnitOfWork, violates

T = TypeVar("T")


class PersonIsThere(Conflict):
    """The owner has a part in the house on one of these days already."""

    code = "person_is_there"
    message = "此人在这段时间内已登记在该房屋"


class PersonHasHistory(Conflict):
    """Bills, bindings or a transfer rest on the part: it is ended, never removed."""

    code = "person_has_history"
    message = "此人在任期间已有账单、绑定或过户记录，不能删除，只能结束"


@dataclass(frozen=True)
class HousePeople:
    """Keeps who belongs to a house."""

    unit_of_work: UnitOfWork

    def list_people(
        self, *, actor: Actor, house_id: int, with_past: bool = False
    ) -> Sequence[PersonView]:
        """List the people of a house of today and later, maybe those of the past, owners first.

        Raises:
            NotFound: no such house.
        """
        actor.must(Permission.VIEW_OWNERS)
        today = local_date(self.unit_of_work.clock.now())
        with self.unit_of_work.reading() as session:
            found = session.scalars(
                select(House.id).where(House.id == house_id, houses_in_scope(actor))
            ).first()
            if found is None:
                raise NotFound
            people = read_people(session, house_id)
        return [
            person
            for person in people
            if with_past or person.person_until is None or person.person_until > today
        ]

    def add(self, *, actor: Actor, house_id: int, part: NewPart, reason: str) -> int:
        """Let an owner on file be somebody to a house, and return the part's id.

        Accounts with their phones are bound at once.

        Raises:
            NotFound: no such house, or no such owner in its community.
            PersonIsThere: they are somebody to it on one of these days already.
            SharesDoNotAddUp: with it the shares are above 1, or all given and below it.
            InvalidInput: no reason, the days are not in order, or a share is not an owner's.
        """
        actor.must(Permission.MANAGE_OWNERS)
        check_reason(reason)
        check_part(part)

        def work(tx: Transaction) -> int:
            house = lock_house(tx, actor, house_id)
            hold_house(tx, house_id)
            owner = tx.session.execute(
                select(Owner).where(
                    Owner.id == part.owner_id,
                    Owner.community_id == house.community_id,
                    Owner.ended_on.is_(None),
                )
            ).scalar_one_or_none()
            if owner is None:
                raise NotFound
            row = add_part(tx, house_id, part)
            check_house_shares(tx, house_id, row.person_from)
            bind_houses(tx, actor, owner_id=owner.id)
            _note(tx, actor, "person_added", house, None, part_facts(row), reason)
            return row.id

        return self._run(work)

    def decide_rights(self, *, actor: Actor, person_id: int, rights: Rights, reason: str) -> None:
        """Write down what an owner lets somebody of the family or a tenant do.

        It holds for their bindings at once.

        Raises:
            NotFound: no such part.
            InvalidInput: no reason, or the part is an owner's, who may do all.
        """
        actor.must(Permission.MANAGE_OWNERS)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            house, row = _lock_part(tx, actor, person_id)
            if row.role in OWNING_ROLES:
                raise InvalidInput(fields={"rights": ["业主本人拥有全部权限，不能限制"]})
            before = part_facts(row)
            put_rights(row, rights)
            tx.session.execute(
                update(HouseBinding)
                .where(
                    HouseBinding.house_id == row.house_id,
                    HouseBinding.owner_id == row.owner_id,
                    HouseBinding.status.in_(["pending", "active"]),
                )
                .values(
                    may_see_bills=rights.may_see_bills,
                    may_pay=rights.may_pay,
                    may_report=rights.may_report,
                )
            )
            _note(tx, actor, "person_changed", house, before, part_facts(row), reason)

        self._run(work)

    def set_shares(
        self,
        *,
        actor: Actor,
        house_id: int,
        shares: Mapping[int, Decimal | None],
        reason: str,
    ) -> None:
        """Give present owners of a house their shares, all at once; ``shares`` is by part.

        Raises:
            NotFound: no such house, or a part is not of a present owner of it.
            SharesDoNotAddUp: they are above 1, or all given and below it.
            InvalidInput: no reason.
        """
        actor.must(Permission.MANAGE_OWNERS)
        check_reason(reason)
        if any(share is not None and not 0 < share <= 1 for share in shares.values()):
            raise InvalidInput(fields={"share_ratio": ["应大于 0，不超过 1"]})

        def work(tx: Transaction) -> None:
            house = lock_house(tx, actor, house_id)
            today = local_date(tx.now)
            rows = {row.id: row for row in owning_parts(tx, house_id, today)}
            if not set(shares) <= set(rows):
                raise NotFound
            before = {str(id_): show_share(rows[id_].share_ratio) for id_ in shares}
            for id_, share in shares.items():
                rows[id_].share_ratio = share
            tx.session.flush()
            check_house_shares(tx, house_id, today)
            after = {str(id_): show_share(share) for id_, share in shares.items()}
            _note(tx, actor, "shares_changed", house, before, after, reason)

        self._run(work)

    def end(self, *, actor: Actor, person_id: int, until: date, reason: str) -> None:
        """End a part: the day given is the first on which they are nobody to the house.

        From that day on their bindings give nothing; when it is here, they end at once.

        Raises:
            NotFound: no such part, or it has ended.
            InvalidInput: no reason, or the day is not after the part began.
        """
        actor.must(Permission.MANAGE_OWNERS)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            house, row = _lock_part(tx, actor, person_id)
            if row.person_until is not None and row.person_until <= local_date(tx.now):
                raise NotFound
            if until <= row.person_from:
                raise InvalidInput(fields={"until": [f"应晚于开始日期 {row.person_from}"]})
            before = part_facts(row)
            end_part(tx, actor, row, until, because="part")
            _note(tx, actor, "person_ended", house, before, part_facts(row), reason)

        self._run(work)

    def remove(self, *, actor: Actor, person_id: int, reason: str) -> None:
        """Take away a part that was typed in by mistake and on which nothing rests.

        Raises:
            NotFound: no such part.
            PersonHasHistory: the house was billed in its days, an account is or was bound by it,
                or a transfer made it.
            InvalidInput: no reason.
        """
        actor.must(Permission.MANAGE_OWNERS)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            house, row = _lock_part(tx, actor, person_id)
            if has_history(tx, row):
                raise PersonHasHistory
            _note(tx, actor, "person_removed", house, part_facts(row), None, reason)
            tx.session.execute(delete(HousePerson).where(HousePerson.id == person_id))

        self._run(work)

    def _run(self, work: Callable[[Transaction], T]) -> T:
        try:
            return self.unit_of_work.run(work)
        except IntegrityError as error:
            if violates(error, "ex_house_person_house_id"):
                raise PersonIsThere from error
            raise


def _lock_part(tx: Transaction, actor: Actor, person_id: int) -> tuple[House, HousePerson]:
    house_id = tx.session.execute(
        select(HousePerson.house_id).where(HousePerson.id == person_id)
    ).scalar_one_or_none()
    if house_id is None:
        raise NotFound
    house = lock_house(tx, actor, house_id)
    row = tx.session.execute(
        select(HousePerson).where(HousePerson.id == person_id).with_for_update()
    ).scalar_one_or_none()
    if row is None:
        raise NotFound
    return house, row


def _note(
    tx: Transaction,
    actor: Actor,
    action: str,
    house: House,
    before: object,
    after: object,
    reason: str,
) -> None:
    record(
        tx,
        actor,
        action,
        subject_type="house",
        subject_id=house.id,
        community_id=house.community_id,
        facts={"before": before, "after": after, "reason": reason.strip()},
    )
