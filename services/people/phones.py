"""Phones of owners, as staff keep them: more phones, changing one, looking at one with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from domain.actors import Actor, ActorKind, Permission
from domain.errors import InvalidInput, NotFound
from domain.messages import Channel, MessageKind
from domain.periods import local_date
from domain.phones import mask_phone, normalise_phone
from models import Building, Community, House, HousePerson, Owner, OwnerPhone, PhoneReveal
from services.accounts import bind_houses
from services.outbox import queue_message
from services.people.endings import part_from_phone
from services.people.owners import note_owner
from services.people.rows import (
    PhoneTaken,
    check_words,
    house_names,
    lock_owner,
    owners_in_scope,
    run_with_phone,
)
from services.phone_codes import CodeTooSoon, PhoneCodes, WrongCode
from services.reasons import check_reason
from services.sign_in_attempts import Visit
from services.unit_of_work import Transaction, UnitOfWork

NEW_PHONE = "owner_new_phone"
_PAPER_LENGTHS = range(2, 201)


@dataclass(frozen=True, slots=True)
class PhoneProof:
    """Why a new phone is the owner's: the code sent to it, or the words for a paper seen."""

    code: str = ""
    paper: str = ""


@dataclass(frozen=True, slots=True)
class RevealView:
    """Somebody looked at the full phones of an owner."""

    at: datetime
    who: str
    reason: str


@dataclass(frozen=True)
class OwnerPhones:
    """What staff do with phones of owners."""

    unit_of_work: UnitOfWork
    codes: PhoneCodes

    def add(self, *, actor: Actor, owner_id: int, phone: str, label: str = "", reason: str) -> int:
        """Give an owner one more phone and return its id; it opens their houses like the first.

        Raises:
            NotFound: no such owner, or they are ended.
            PhoneTaken: another owner of the community has it.
            InvalidInput: no reason, or not a phone.
        """
        actor.must(Permission.MANAGE_OWNERS)
        check_reason(reason)
        check_words(label=label)
        number = normalise_phone(phone)

        def work(tx: Transaction) -> int:
            owner = _lock_living(tx, actor, owner_id)
            _check_free(tx, owner, number)
            row_id = _put_phone(tx, owner, number, label)
            bind_houses(tx, actor, owner_id=owner_id)
            note_owner(
                tx,
                actor,
                "owner_phone_added",
                owner,
                before=None,
                after={"phone": mask_phone(number), "label": label.strip()},
                reason=reason.strip(),
            )
            return row_id

        return run_with_phone(self.unit_of_work, work)

    def remove(self, *, actor: Actor, owner_id: int, phone_id: int, reason: str) -> None:
        """Take a phone of an owner away; what rested on it ends at once.

        Raises:
            NotFound: no such owner or phone.
            InvalidInput: no reason.
        """
        actor.must(Permission.MANAGE_OWNERS)
        check_reason(reason)

        def work(tx: Transaction) -> None:
            owner = lock_owner(tx, actor, owner_id)
            row = _find_phone(tx, owner_id, phone_id)
            if row.is_primary:
                owner.phone = None
                tx.session.flush()
            tx.session.execute(delete(OwnerPhone).where(OwnerPhone.id == phone_id))
            ended = part_from_phone(tx, actor, owner_id=owner_id, phone=row.phone)
            note_owner(
                tx,
                actor,
                "owner_phone_removed",
                owner,
                before={"phone": mask_phone(row.phone), "is_primary": row.is_primary},
                after={"binding_count": len(ended)},
                reason=reason.strip(),
            )

        self.unit_of_work.run(work)

    def send_code(self, *, actor: Actor, owner_id: int, phone: str, visit: Visit) -> None:
        """Send a code to the phone that is to be an owner's; they read it to the desk.

        Raises:
            NotFound: no such owner.
            PhoneTaken: another owner of the community has it.
            CodeTooSoon: too many codes; NotAPhone: not a mobile number.
        """
        actor.must(Permission.MANAGE_OWNERS)
        number = normalise_phone(phone)

        def work(tx: Transaction) -> CodeTooSoon | None:
            owner = _lock_living(tx, actor, owner_id)
            _check_free(tx, owner, number)
            return self.codes.send(
                tx, phone=number, purpose=NEW_PHONE, visit=visit, recipient=number
            )

        if too_soon := self.unit_of_work.run(work):
            raise too_soon

    def change(
        self,
        *,
        actor: Actor,
        owner_id: int,
        phone_id: int | None,
        new_phone: str,
        proof: PhoneProof,
        reason: str,
        visit: Visit,
    ) -> None:
        """Put a new phone in the place of an old one; without ``phone_id`` the first one.

        In one transaction what rested on the old phone ends, accounts with the new one are bound,
        and it is told by SMS.

        Raises:
            NotFound: no such owner or phone.
            PhoneTaken: another owner of the community has the new phone.
            WrongCode: the code is not the newest one sent to it; costs a try.
            InvalidInput: no reason, no proof, or the phone is none or is the old one.
        """
        actor.must(Permission.MANAGE_OWNERS)
        actor.must_be_fresh()
        check_reason(reason)
        number = normalise_phone(new_phone)
        if bool(proof.code) == (len(proof.paper.strip()) in _PAPER_LENGTHS):
            raise InvalidInput(fields={"proof": ["请填写新手机收到的验证码，或核对过的证明材料"]})

        def work(tx: Transaction) -> bool:
            owner = _lock_living(tx, actor, owner_id)
            if proof.code and not self.codes.take(
                tx,
                phone=number,
                purpose=NEW_PHONE,
                code=proof.code,
                visit=visit,
                spends=True,
            ):
                return False
            old = _find_phone(tx, owner_id, phone_id) if phone_id else _first_phone(tx, owner_id)
            if old is not None and old.phone == number:
                raise InvalidInput(fields={"phone": ["新手机号与原手机号相同"]})
            _check_free(tx, owner, number)
            ended = replace_phone(tx, actor, owner, old, number)
            note_owner(
                tx,
                actor,
                "owner_phone_changed",
                owner,
                before={"phone": mask_phone(old.phone if old else None)},
                after={
                    "phone": mask_phone(number),
                    "proof": "code" if proof.code else proof.paper.strip(),
                    "binding_count": ended,
                },
                reason=reason.strip(),
            )
            tell_registered(tx, owner, number)
            return True

        # A wrong guess must be committed, so it is an answer and not an exception in there.
        if not run_with_phone(self.unit_of_work, work):
            raise WrongCode

    def reveal(self, *, actor: Actor, owner_id: int, reason: str) -> Sequence[str]:
        """Tell the full phones of an owner, first one first; who looked and why is kept.

        Raises:
            NotFound: no such owner.
            InvalidInput: no reason.
        """
        actor.must(Permission.REVEAL_PHONES)
        check_reason(reason)

        def work(tx: Transaction) -> Sequence[str]:
            owner = lock_owner(tx, actor, owner_id)
            tx.session.add(
                PhoneReveal(
                    owner_id=owner_id,
                    staff_id=actor.id if actor.kind is ActorKind.STAFF else None,
                    who=actor.name,
                    reason=reason.strip(),
                    at=tx.now,
                )
            )
            phones = tx.session.scalars(
                select(OwnerPhone.phone)
                .where(OwnerPhone.owner_id == owner_id)
                .order_by(OwnerPhone.is_primary.desc(), OwnerPhone.id)
            ).all()
            note_owner(
                tx,
                actor,
                "owner_phone_revealed",
                owner,
                before=None,
                after={"phones": [mask_phone(phone) for phone in phones]},
                reason=reason.strip(),
            )
            return phones

        return self.unit_of_work.run(work)

    def list_reveals(self, *, actor: Actor, owner_id: int, limit: int = 50) -> Sequence[RevealView]:
        """List who looked at an owner's full phones, newest first.

        Raises:
            NotFound: no such owner.
        """
        actor.must(Permission.VIEW_OWNERS)
        with self.unit_of_work.reading() as session:
            found = session.scalars(
                select(Owner.id).where(Owner.id == owner_id, owners_in_scope(actor))
            ).first()
            if found is None:
                raise NotFound
            rows = session.execute(
                select(PhoneReveal.at, PhoneReveal.who, PhoneReveal.reason)
                .where(PhoneReveal.owner_id == owner_id)
                .order_by(PhoneReveal.id.desc())
                .limit(limit)
            ).all()
        return [RevealView(*row) for row in rows]


def replace_phone(
    tx: Transaction, actor: Actor, owner: Owner, old: OwnerPhone | None, number: str
) -> int:
    """Write the new phone, end what rested on the old one, bind anew; tell how many ended."""
    old_number, is_first = (old.phone, old.is_primary) if old else ("", True)
    if is_first:
        owner.phone = number
        tx.session.flush()
    elif old is not None:
        old_id, label = old.id, old.label
        tx.session.execute(delete(OwnerPhone).where(OwnerPhone.id == old_id))
        _put_phone(tx, owner, number, label)
    ended = part_from_phone(tx, actor, owner_id=owner.id, phone=old_number) if old_number else []
    bind_houses(tx, actor, owner_id=owner.id)
    return len(ended)


def tell_registered(tx: Transaction, owner: Owner, number: str, *, about: str = "") -> None:
    """Tell a phone by SMS that it is on file for the owner's newest house; none, no message."""
    today = local_date(tx.now)
    found = tx.session.execute(
        select(Community.name, *house_names(), House.id)
        .join(House, House.community_id == Community.id)
        .join(Building, Building.id == House.building_id)
        .join(HousePerson, HousePerson.house_id == House.id)
        .where(
            HousePerson.owner_id == owner.id,
            HousePerson.person_until.is_(None) | (HousePerson.person_until > today),
        )
        .order_by(HousePerson.person_from.desc(), HousePerson.id.desc())
        .limit(1)
    ).first()
    if found is None:
        return
    community, building, unit_no, room_no, house_id = found
    unit = f"{unit_no}单元" if unit_no else ""
    queue_message(
        tx,
        kind=MessageKind.HOUSE_REGISTERED,
        channel=Channel.SMS,
        recipient=number,
        payload={"community": community, "house": f"{building}{unit}{room_no}"},
        dedup_key=f"house_registered:{house_id}:{number}:{about or local_date(tx.now)}",
        community_id=owner.community_id,
    )


def _lock_living(tx: Transaction, actor: Actor, owner_id: int) -> Owner:
    owner = lock_owner(tx, actor, owner_id)
    if owner.ended_on is not None:
        raise NotFound
    return owner


def _check_free(tx: Transaction, owner: Owner, number: str) -> None:
    holder = tx.session.execute(
        select(OwnerPhone.owner_id).where(
            OwnerPhone.community_id == owner.community_id, OwnerPhone.phone == number
        )
    ).scalar_one_or_none()
    if holder == owner.id:
        raise PhoneTaken("该手机号已登记在这位业主名下")
    if holder is not None:
        raise PhoneTaken


def _put_phone(tx: Transaction, owner: Owner, number: str, label: str) -> int:
    """Write a phone; the first one of an owner is the primary one, by the trigger."""
    if owner.phone is None:
        owner.phone = number
        tx.session.flush()
        row = _first_phone(tx, owner.id)
        assert row is not None  # noqa: S101 - the trigger has just written it
        row.label = label.strip()
        return row.id
    row = OwnerPhone(
        owner_id=owner.id,
        community_id=owner.community_id,
        phone=number,
        is_primary=False,
        label=label.strip(),
        created_at=tx.now,
    )
    tx.session.add(row)
    tx.session.flush()
    return row.id


def _first_phone(tx: Transaction, owner_id: int) -> OwnerPhone | None:
    return tx.session.execute(
        select(OwnerPhone).where(OwnerPhone.owner_id == owner_id, OwnerPhone.is_primary)
    ).scalar_one_or_none()


def _find_phone(tx: Transaction, owner_id: int, phone_id: int) -> OwnerPhone:
    row = tx.session.execute(
        select(OwnerPhone).where(OwnerPhone.id == phone_id, OwnerPhone.owner_id == owner_id)
    ).scalar_one_or_none()
    if row is None:
        raise NotFound
    return row
