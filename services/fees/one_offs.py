"""One-off charges: a typed amount for a house, with the document it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select

from domain.actors import Actor, Permission
from domain.charges import ChargeMethod
from domain.errors import Conflict, InvalidInput, NotFound
from domain.houses import house_label
from domain.money import MAX_FEN
from models import Bill, Building, FeeItem, House, OneOffCharge
from services.audit import record
from services.retirement import HouseRetired
from services.scopes import in_scope
from services.unit_of_work import Transaction, UnitOfWork


class ChargeBilled(Conflict):
    """The charge has a bill: void that one instead."""

    code = "charge_billed"
    message = "这笔收费已出账，请改为作废账单"


@dataclass(frozen=True, slots=True)
class NewCharge:
    """A charge that was checked: a house, an item, a day, an amount and what it rests on."""

    community_id: int
    house_id: int
    fee_item_id: int
    charged_on: date
    amount_fen: int
    source_document: str


@dataclass(frozen=True, slots=True)
class OneOffView:
    """A one-off charge on file."""

    id: int
    house: str
    item: str
    charged_on: date
    amount_fen: int
    source_document: str
    state: str


@dataclass(frozen=True)
class OneOffCharges:
    """Charges that happen once."""

    unit_of_work: UnitOfWork

    def add(
        self,
        *,
        actor: Actor,
        community_id: int,
        house_id: int,
        fee_item_id: int,
        charged_on: date,
        amount_fen: int,
        source_document: str,
    ) -> int:
        """Put a charge on file and return its id; the run of its month bills it.

        Raises:
            InvalidInput: no amount or no document.
            NotFound: no such house or one-off item in this community.
            HouseRetired: it is retired by that day.
        """
        actor.must(Permission.MANAGE_FEES)
        actor.must_cover(community_id)
        fields: dict[str, list[str]] = {}
        if not 1 <= amount_fen <= MAX_FEN:
            fields["amount_fen"] = ["金额应大于 0"]
        if not 1 <= len(source_document.strip()) <= 100:
            fields["source_document"] = ["请填写收费依据，100 字以内"]
        if fields:
            raise InvalidInput(fields=fields)

        new = NewCharge(
            community_id, house_id, fee_item_id, charged_on, amount_fen, source_document.strip()
        )
        return self.unit_of_work.run(lambda tx: add_charge(tx, actor, new))

    def cancel(self, *, actor: Actor, charge_id: int, reason: str) -> None:
        """Withdraw a charge that has no live bill.

        Raises:
            InvalidInput: no reason given.
            NotFound: no such open charge.
            ChargeBilled: it has a bill.
        """
        actor.must(Permission.MANAGE_FEES)
        if not reason.strip():
            raise InvalidInput(fields={"reason": ["请填写原因"]})

        def work(tx: Transaction) -> None:
            charge = tx.session.execute(
                select(OneOffCharge)
                .where(
                    OneOffCharge.id == charge_id,
                    OneOffCharge.state == "open",
                    in_scope(OneOffCharge.community_id, actor),
                )
                .with_for_update()
            ).scalar_one_or_none()
            if charge is None:
                raise NotFound
            billed = tx.session.execute(
                select(Bill.id).where(
                    Bill.house_id == charge.house_id,
                    Bill.fee_item_id == charge.fee_item_id,
                    Bill.period_from == charge.charged_on,
                    Bill.sequence == charge.sequence,
                    Bill.is_live,
                )
            ).first()
            if billed is not None:
                raise ChargeBilled
            charge.state = "cancelled"
            record(
                tx,
                actor,
                "one_off_cancelled",
                subject_type="one_off_charge",
                subject_id=charge_id,
                community_id=charge.community_id,
                facts={"amount_fen": charge.amount_fen, "reason": reason.strip()[:200]},
            )

        self.unit_of_work.run(work)

    def list_charges(self, *, actor: Actor, community_id: int) -> Sequence[OneOffView]:
        """List the charges of a community, newest first."""
        actor.must(Permission.VIEW_ESTATE)
        actor.must_cover(community_id)
        with self.unit_of_work.reading() as session:
            rows = session.execute(
                select(OneOffCharge, FeeItem.name, Building.name, House.unit_no, House.room_no)
                .join(FeeItem, FeeItem.id == OneOffCharge.fee_item_id)
                .join(House, House.id == OneOffCharge.house_id)
                .join(Building, Building.id == House.building_id)
                .where(OneOffCharge.community_id == community_id)
                .order_by(OneOffCharge.charged_on.desc(), OneOffCharge.id.desc())
            ).all()
        return [
            OneOffView(
                id=row.id,
                house=house_label(building, unit_no, room_no),
                item=item,
                charged_on=row.charged_on,
                amount_fen=row.amount_fen,
                source_document=row.source_document,
                state=row.state,
            )
            for row, item, building, unit_no, room_no in rows
        ]


def add_charge(tx: Transaction, actor: Actor, new: NewCharge) -> int:
    """Put a charge on file and return its id; a step for whoever may.

    Raises:
        NotFound: no such house or one-off item in this community.
        HouseRetired: it is retired by that day.
    """
    known = tx.session.execute(
        select(House)
        .join(FeeItem, FeeItem.community_id == House.community_id)
        .where(
            House.id == new.house_id,
            House.community_id == new.community_id,
            FeeItem.id == new.fee_item_id,
            FeeItem.charge_method == ChargeMethod.ONE_OFF,
        )
        .with_for_update(of=House)
    ).scalar_one_or_none()
    if known is None:
        raise NotFound("没有这户房屋或这个临时收费项目")
    if known.retired_on is not None and known.retired_on <= new.charged_on:
        raise HouseRetired
    last = tx.session.execute(
        select(func.max(OneOffCharge.sequence)).where(
            OneOffCharge.house_id == new.house_id,
            OneOffCharge.fee_item_id == new.fee_item_id,
            OneOffCharge.charged_on == new.charged_on,
        )
    ).scalar_one()
    row = OneOffCharge(
        community_id=new.community_id,
        house_id=new.house_id,
        fee_item_id=new.fee_item_id,
        charged_on=new.charged_on,
        sequence=(last or 0) + 1,
        amount_fen=new.amount_fen,
        source_document=new.source_document,
        made_by_staff_id=actor.id,
        created_at=tx.now,
    )
    tx.session.add(row)
    tx.session.flush()
    record(
        tx,
        actor,
        "one_off_added",
        subject_type="one_off_charge",
        subject_id=row.id,
        community_id=new.community_id,
        facts={"amount_fen": new.amount_fen, "source_document": row.source_document},
    )
    return row.id
