"""What a transfer writes: the ends of the old parts, the buyers, debts and shares; steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from domain.actors import Actor
from domain.approvals import ApprovalKind
from domain.errors import InvalidInput, NotFound
from domain.phones import mask_phone, normalise_phone
from domain.transfers import Side
from models import (
    House,
    HousePerson,
    HouseTransfer,
    Owner,
    OwnerPhone,
    PersonRole,
    PrepaidAccount,
    TransferDebt,
    TransferParty,
    TransferShare,
)
from services.accounts import bind_houses
from services.approvals.requests import Payout, ask_about
from services.people.owners import OwnerWords, add_owner
from services.people.part_rows import NewPart, add_part, end_part
from services.people.phones import tell_registered
from services.people.rows import check_words
from services.people.transfer_facts import TransferBill, TransferPerson, TransferPrepaid, is_owning
from services.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who buys: an owner on file, or the name and phone of a new one; with their share.

    A phone that is on file in the community names the owner who has it, whatever the name.
    """

    owner_id: int | None = None
    name: str = ""
    phone: str = ""
    share_ratio: Decimal | None = None


@dataclass(slots=True)
class Done:
    """What an undo must put back or take away."""

    ended: list[tuple[int, str | None]] = field(default_factory=list)
    """Ids of parts that were ended, and until when they ran before."""
    bindings: list[int] = field(default_factory=list)
    added: list[int] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Give it as it is kept."""
        return {"ended": self.ended, "bindings": self.bindings, "added": self.added}


def check_buyers(buyers: Sequence[Buyer]) -> None:
    """Refuse buyers that cannot be written.

    Raises:
        InvalidInput: none, or one without a name or with a phone that is none.
    """
    if not 1 <= len(buyers) <= 20:
        raise InvalidInput(fields={"buyers": ["请填写新业主，最多 20 位"]})
    for buyer in buyers:
        if buyer.owner_id is None:
            check_words(name=buyer.name)
        if buyer.share_ratio is not None and not 0 < buyer.share_ratio <= 1:
            raise InvalidInput(fields={"share_ratio": ["应大于 0，不超过 1"]})
        if buyer.phone:
            normalise_phone(buyer.phone)


def find_buyers(
    tx: Transaction, actor: Actor, house: House, buyers: Sequence[Buyer]
) -> list[tuple[Owner, Decimal | None]]:
    """Find or write the owners who buy, with their shares.

    Raises:
        NotFound: no such owner in the community.
        InvalidInput: one buys twice.
    """
    found = [(_find_buyer(tx, actor, house, buyer), buyer.share_ratio) for buyer in buyers]
    if len({owner.id for owner, _ in found}) != len(found):
        raise InvalidInput(fields={"buyers": ["同一位新业主重复"]})
    return found


def _find_buyer(tx: Transaction, actor: Actor, house: House, buyer: Buyer) -> Owner:
    number = normalise_phone(buyer.phone) if buyer.phone else None
    of_community = (Owner.community_id == house.community_id) & Owner.ended_on.is_(None)
    if buyer.owner_id is not None:
        owner = tx.session.execute(
            select(Owner).where(Owner.id == buyer.owner_id, of_community)
        ).scalar_one_or_none()
        if owner is None:
            raise NotFound
        return owner
    if number:
        owner = tx.session.execute(
            select(Owner)
            .join(OwnerPhone, OwnerPhone.owner_id == Owner.id)
            .where(OwnerPhone.phone == number, of_community)
        ).scalar_one_or_none()
        if owner is not None:
            return owner
    words = OwnerWords(name=buyer.name)
    return add_owner(tx, actor, community_id=house.community_id, words=words, phone=number)


def end_old_parts(
    tx: Transaction,
    actor: Actor,
    people: Sequence[TransferPerson],
    cut_on: date,
    *,
    buyer_ids: set[int],
    kept_ids: set[int],
) -> Done:
    """End the parts of sellers, and of family and tenants who are not kept, with their bindings.

    An owner who buys stays bound; whoever came after the cut day is the buyers' own affair.

    Raises:
        InvalidInput: the day is not after the first one of somebody who must go.
    """
    done = Done()
    for person in people:
        row = tx.session.get_one(HousePerson, person.person_id)
        is_buyer = person.owner_id in buyer_ids
        may_stay = person.owner_id in kept_ids or row.person_from >= cut_on
        if may_stay and not is_owning(person) and not is_buyer:
            continue
        if row.person_from >= cut_on:
            raise InvalidInput(
                fields={"cut_on": [f"应晚于{person.name}的开始日期 {row.person_from}"]}
            )
        done.ended.append((row.id, row.person_until.isoformat() if row.person_until else None))
        if is_owning(person) and is_buyer:
            row.person_until = cut_on
            tx.session.flush()
        else:
            done.bindings += end_part(tx, actor, row, cut_on, because="transfer")
    return done


def write_buyers(
    tx: Transaction,
    actor: Actor,
    transfer: HouseTransfer,
    buyers: Sequence[tuple[Owner, Decimal | None]],
    done: Done,
) -> None:
    """Write the buyers' parts, bind accounts with their phones, and invite the others."""
    for place, (owner, share) in enumerate(buyers):
        role = PersonRole.CO_OWNER if place else PersonRole.TITLE_HOLDER
        part = NewPart(owner.id, role, share, transfer.cut_on)
        done.added.append(add_part(tx, transfer.house_id, part).id)
        tx.session.add(
            TransferParty(
                transfer_id=transfer.id, owner_id=owner.id, side=Side.BUYER, share_ratio=share
            )
        )
        bound = bind_houses(tx, actor, owner_id=owner.id)
        if not bound and owner.phone:
            tell_registered(tx, owner, owner.phone, about=f"transfer{transfer.id}")


def write_sellers(
    tx: Transaction, transfer: HouseTransfer, sellers: Sequence[TransferPerson]
) -> None:
    """Write who sold."""
    for owner_id in sorted({seller.owner_id for seller in sellers}):
        tx.session.add(TransferParty(transfer_id=transfer.id, owner_id=owner_id, side=Side.SELLER))


def write_bills(
    tx: Transaction, transfer: HouseTransfer, bills: Sequence[TransferBill], *, stays: bool
) -> None:
    """Write how bills part at the cut day, and which of them stay the sellers' debt."""
    for bill in bills:
        if bill.parting is not None:
            tx.session.add(
                TransferShare(
                    transfer_id=transfer.id,
                    bill_id=bill.id,
                    amount_fen=bill.amount_fen,
                    seller_days=bill.parting.seller_days,
                    buyer_days=bill.parting.buyer_days,
                    seller_fen=bill.parting.seller_fen,
                    buyer_fen=bill.parting.buyer_fen,
                )
            )
        if stays and bill.open_fen:
            tx.session.add(TransferDebt(bill_id=bill.id, transfer_id=transfer.id))
    tx.session.flush()


def ask_refunds(
    tx: Transaction,
    actor: Actor,
    transfer: HouseTransfer,
    accounts: Sequence[TransferPrepaid],
    payout: Payout,
) -> list[int]:
    """Ask to pay what the house paid ahead back; somebody else decides, nothing moves before.

    A step beside `services.approvals.requests`, for one request in the transfer's transaction.
    """
    asked = []
    for account in accounts:
        row = tx.session.get_one(PrepaidAccount, account.account_id)
        asked.append(
            ask_about(
                tx,
                actor,
                ApprovalKind.PREPAID_REFUND,
                subject=f"prepaid:{row.id}",
                community_id=row.community_id,
                house_id=row.house_id,
                amount_fen=row.balance_fen,
                reason=f"过户退还预存：{transfer.reason}"[:200],
                facts={
                    "account_id": row.id,
                    "channel": payout.channel,
                    "payee_name": payout.payee_name,
                    "payee_phone": payout.payee_phone,
                    "voucher_no": payout.voucher_no,
                },
            )
        )
    return asked


def transfer_facts(
    transfer: HouseTransfer,
    sellers: Sequence[TransferPerson],
    buyers: Sequence[tuple[Owner, Decimal | None]],
) -> dict[str, Any]:
    """Tell a transfer for the record."""
    return {
        "before": {"owners": [seller.name for seller in sellers]},
        "after": {
            "owners": [f"{owner.name} {mask_phone(owner.phone)}".strip() for owner, _ in buyers],
            "cut_on": transfer.cut_on.isoformat(),
            "unpaid": transfer.unpaid,
            "prepaid": transfer.prepaid,
            "transfer_id": transfer.id,
        },
        "reason": transfer.reason,
    }
