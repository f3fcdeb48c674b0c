"""Owners on file: adding, editing, ending, removing, showing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.errors import Conflict, NotFound
from domain.house_roles import ROLE_SHOWN, Rights, rights_of
from domain.houses import house_label
from domain.periods import local_date
from domain.phones import mask_phone, normalise_phone
from models import Building, House, HouseBinding, HousePerson, Owner, OwnerPhone
from services.audit import record
from services.people.endings import end_bindings
from services.people.names import letters_of
from services.people.rows import (
    check_community,
    check_words,
    lock_owner,
    owners_in_scope,
    rights_on,
    run_with_phone,
)
from services.reasons import check_reason
from services.scopes import houses_in_scope
from services.unit_of_work import Transaction, UnitOfWork

_STILL_REFERRED_TO = "23503"


class OwnerHasHouses(Conflict):
    """The owner still has a part in a house."""

    code = "owner_has_houses"
    message = "该业主名下还有房屋，请先办理过户或结束其房屋关系"


class OwnerHasHistory(Conflict):
    """Something on file depends on the owner: they are ended, never removed."""

    code = "owner_has_history"
    message = "该业主已有房屋、绑定或业务记录，不能删除，只能停用"


@dataclass(frozen=True, slots=True)
class OwnerWords:
    """What is written of an owner; None leaves it as it is."""

    name: str | None = None
    email: str | None = None
    wechat_note: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class PhoneView:
    """A phone of an owner, masked."""

    id: int
    phone_masked: str
    is_primary: bool
    label: str


@dataclass(frozen=True, slots=True)
class OwnerPart:
    """What an owner is to a house, and since and until when."""

    person_id: int
    house_id: int
    house: str
    role: str
    role_shown: str
    share_ratio: str | None
    person_from: date
    person_until: date | None
    rights: Rights
    is_bound: bool


@dataclass(frozen=True, slots=True)
class OwnerView:
    """An owner on file, phones masked."""

    id: int
    community_id: int
    name: str
    email: str
    wechat_note: str
    note: str
    ended_on: date | None
    phones: Sequence[PhoneView]
    parts: Sequence[OwnerPart]


@dataclass(frozen=True)
class Owners:
    """Keeps the owners of communities."""

    unit_of_work: UnitOfWork

    def add(
        self,
        *,
        actor: Actor,
        community_id: int,
        words: OwnerWords,
        phone: str | None = None,
    ) -> int:
        """Put an owner on file and return their id; their houses are tied to them apart.

        Raises:
            NotFound: no such community.
            InvalidInput: no name, or a word too long; NotAPhone: not a mobile number.
            PhoneTaken: another owner of the community has the phone.
        """
        actor.must(Permission.MANAGE_OWNERS)
        check_words(**(asdict(words) | {"name": words.name or ""}))
        number = normalise_phone(phone) if phone else None

        def work(tx: Transaction) -> int:
            check_community(tx.session, actor, community_id)
            owner = add_owner(tx, actor, community_id=community_id, words=words, phone=number)
            return owner.id

        return run_with_phone(self.unit_of_work, work)

    def edit(self, *, actor: Actor, owner_id: int, words: OwnerWords, reason: str) -> None:
        """Change what is written of an owner; phones are changed apart.

        Raises:
            NotFound: no such owner.
            InvalidInput: no reason, or a word that cannot be kept.
        """
        actor.must(Permission.MANAGE_OWNERS)
        check_reason(reason)
        check_words(**asdict(words))

        def work(tx: Transaction) -> None:
            owner = lock_owner(tx, actor, owner_id)
            wanted = {
                field: text.strip() for field, text in asdict(words).items() if text is not None
            }
            before = {field: getattr(owner, field) for field in wanted}
            changed = {field for field, text in wanted.items() if text != before[field]}
            if not changed:
                return
            for field in changed:
                setattr(owner, field, wanted[field])
            if "name" in changed:
                letters = letters_of(owner.name)
                owner.pinyin, owner.initials = letters["pinyin"], letters["initials"]
            note_owner(
                tx,
                actor,
                "owner_changed",
                owner,
                before={field: before[field] for field in sorted(changed)},
                after={field: wanted[field] for field in sorted(changed)},
                reason=reason.strip(),
            )

        self.unit_of_work.run(work)

    def end(self, *, actor: Actor, owner_id: int, reason: str) -> None:
        """Reckon with an owner no more: their phones become free, what they did stays on file.

        Raises:
            NotFound: no such owner.
            OwnerHasHouses: they have a part in a house today or later.
            InvalidInput: no reason.
        """
        actor.must(Permission.MANAGE_OWNERS)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            owner = lock_owner(tx, actor, owner_id)
            today = local_date(tx.now)
            if owner.ended_on is not None:
                return
            has_part = tx.session.scalars(
                select(HousePerson.id).where(
                    HousePerson.owner_id == owner_id,
                    HousePerson.person_until.is_(None) | (HousePerson.person_until > today),
                )
            ).first()
            if has_part is not None:
                raise OwnerHasHouses
            before = {"phone": mask_phone(owner.phone), "ended_on": None}
            end_bindings(tx, actor, HouseBinding.owner_id == owner_id, because="part")
            tx.session.execute(delete(OwnerPhone).where(OwnerPhone.owner_id == owner_id))
            owner.phone, owner.ended_on = None, today
            after = {"phone": "", "ended_on": today.isoformat()}
            note_owner(
                tx, actor, "owner_ended", owner, before=before, after=after, reason=reason.strip()
            )

        self.unit_of_work.run(work)

    def remove(self, *, actor: Actor, owner_id: int, reason: str) -> None:
        """Take away an owner who was typed in by mistake and on whom nothing depends.

        Raises:
            NotFound: no such owner.
            OwnerHasHistory: something depends on them.
            InvalidInput: no reason.
        """
        actor.must(Permission.MANAGE_OWNERS)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            owner = lock_owner(tx, actor, owner_id)
            note_owner(
                tx,
                actor,
                "owner_removed",
                owner,
                before={"name": owner.name, "phone": mask_phone(owner.phone)},
                after=None,
                reason=reason.strip(),
            )
            tx.session.execute(delete(Owner).where(Owner.id == owner_id))

        try:
            self.unit_of_work.run(work)
        except IntegrityError as error:
            if getattr(error.orig, "sqlstate", None) != _STILL_REFERRED_TO:
                raise
            raise OwnerHasHistory from error

    def show(self, *, actor: Actor, owner_id: int) -> OwnerView:
        """Show an owner with their phones masked and their parts in houses, newest first.

        Of houses out of scope nothing is told.

        Raises:
            NotFound: no such owner.
        """
        actor.must(Permission.VIEW_OWNERS)
        with self.unit_of_work.reading() as session:
            owner = session.execute(
                select(Owner).where(Owner.id == owner_id, owners_in_scope(actor))
            ).scalar_one_or_none()
            if owner is None:
                raise NotFound
            return OwnerView(
                owner.id,
                owner.community_id,
                owner.name,
                owner.email,
                owner.wechat_note,
                owner.note,
                owner.ended_on,
                read_phones(session, owner_id),
                _read_parts(session, actor, owner_id),
            )


def add_owner(
    tx: Transaction, actor: Actor, *, community_id: int, words: OwnerWords, phone: str | None
) -> Owner:
    """Write an owner whose words were checked; a step, audited."""
    owner = Owner(
        community_id=community_id,
        name=(words.name or "").strip(),
        phone=phone,
        email=(words.email or "").strip(),
        wechat_note=(words.wechat_note or "").strip(),
        note=(words.note or "").strip(),
        created_at=tx.now,
        **letters_of(words.name or ""),
    )
    tx.session.add(owner)
    tx.session.flush()
    after = {"name": owner.name, "phone": mask_phone(phone)}
    note_owner(tx, actor, "owner_added", owner, before=None, after=after)
    return owner


def note_owner(
    tx: Transaction,
    actor: Actor,
    action: str,
    owner: Owner,
    *,
    before: object,
    after: object,
    reason: str = "",
) -> None:
    """Put what changed of an owner on record; phones must be masked."""
    record(
        tx,
        actor,
        action,
        subject_type="owner",
        subject_id=owner.id,
        community_id=owner.community_id,
        facts={"before": before, "after": after, "reason": reason},
    )


def read_phones(session: Session, owner_id: int) -> tuple[PhoneView, ...]:
    """Read the phones of an owner, masked, the primary one first."""
    rows = session.execute(
        select(OwnerPhone.id, OwnerPhone.phone, OwnerPhone.is_primary, OwnerPhone.label)
        .where(OwnerPhone.owner_id == owner_id)
        .order_by(OwnerPhone.is_primary.desc(), OwnerPhone.id)
    ).all()
    return tuple(
        PhoneView(id_, mask_phone(phone), is_primary, label)
        for id_, phone, is_primary, label in rows
    )


def _read_parts(session: Session, actor: Actor, owner_id: int) -> tuple[OwnerPart, ...]:
    bound = (
        select(func.count())
        .select_from(HouseBinding)
        .where(
            HouseBinding.house_id == HousePerson.house_id,
            HouseBinding.owner_id == HousePerson.owner_id,
            HouseBinding.status == "active",
        )
        .scalar_subquery()
    )
    rows = session.execute(
        select(HousePerson, Building.name, House.unit_no, House.room_no, bound)
        .join(House, House.id == HousePerson.house_id)
        .join(Building, Building.id == House.building_id)
        .where(HousePerson.owner_id == owner_id, houses_in_scope(actor))
        .order_by(HousePerson.person_from.desc(), HousePerson.id.desc())
    ).all()
    return tuple(
        OwnerPart(
            part.id,
            part.house_id,
            house_label(building, unit_no, room_no),
            part.role,
            ROLE_SHOWN[part.role],
            None if part.share_ratio is None else f"{part.share_ratio.normalize():f}",
            part.person_from,
            part.person_until,
            rights_of(part.role, rights_on(part)),
            bindings > 0,
        )
        for part, building, unit_no, room_no, bindings in rows
    )
