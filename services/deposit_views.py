"""Deposits as staff see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from domain.houses import house_label
from domain.prepaid import DEPOSIT_SHOWN, DepositMove
from models import Building, Deposit, DepositEntry, House


@dataclass(frozen=True, slots=True)
class DepositEntryView:
    """One move of a deposit; the kind tells whether it came or went."""

    at: datetime
    kind: DepositMove
    kind_shown: str
    amount_fen: int
    note: str


@dataclass(frozen=True, slots=True)
class DepositView:
    """A deposit, what is left of it, and its moves, oldest first."""

    id: int
    house_id: int
    house: str
    name: str
    payer_name: str
    amount_fen: int
    deducted_fen: int
    returned_fen: int
    created_at: datetime
    entries: tuple[DepositEntryView, ...]

    @property
    def left_fen(self) -> int:
        """What is still held."""
        return self.amount_fen - self.deducted_fen - self.returned_fen


def read_deposits(session: Session, *which: ColumnElement[bool]) -> list[DepositView]:
    """Read deposits, newest first; the caller's conditions carry the scope."""
    rows = session.execute(
        select(Deposit, Building.name, House.unit_no, House.room_no)
        .join(House, House.id == Deposit.house_id)
        .join(Building, Building.id == House.building_id)
        .where(*which)
        .order_by(Deposit.id.desc())
    ).all()
    entries: dict[int, list[DepositEntryView]] = {}
    for entry in session.scalars(
        select(DepositEntry)
        .where(DepositEntry.deposit_id.in_([row[0].id for row in rows]))
        .order_by(DepositEntry.id)
    ):
        kind = DepositMove(entry.kind)
        view = DepositEntryView(
            entry.created_at, kind, DEPOSIT_SHOWN[kind], entry.amount_fen, entry.note
        )
        entries.setdefault(entry.deposit_id, []).append(view)
    return [
        DepositView(
            id=deposit.id,
            house_id=deposit.house_id,
            house=house_label(building, unit_no, room_no),
            name=deposit.name,
            payer_name=deposit.payer_name,
            amount_fen=deposit.amount_fen,
            deducted_fen=deposit.deducted_fen,
            returned_fen=deposit.returned_fen,
            created_at=deposit.created_at,
            entries=tuple(entries.get(deposit.id, ())),
        )
        for deposit, building, unit_no, room_no in rows
    ]
