"""Which meters there are: registered, replaced, and put right where two were mixed up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import cast, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError

from domain.actors import Actor, Permission
from domain.bill_states import BatchState
from domain.cells import BadCell
from domain.errors import Conflict, InvalidInput, NotFound
from domain.meters import READING_LIMIT, MeterKind, Reading, check_reading
from domain.periods import local_date
from domain.reading_sheet import tidy_meter_no
from models import Bill, BillBatch, BillLine, Community, House, Meter
from services.audit import record
from services.bills.freshness import hold_reviews
from services.meters.readings import check_reason, load_one
from services.meters.timelines import (
    BILLED,
    FIRST_YEAR,
    KnownMeter,
    MeterClosed,
    ReadingBilled,
)
from services.retirement import hold_house
from services.scopes import in_scope, must_see
from services.unit_of_work import Transaction, UnitOfWork, violates

_STEP = Decimal("0.0001")
_MULTIPLIER_LIMIT = 10**6


class MeterNoTaken(Conflict):
    """Another meter of the community has the number."""

    code = "meter_no_taken"
    message = "表号已被使用"


class MetersNotSwappable(Conflict):
    """Only two meters of one kind, both in use, in two houses of a community can be mixed up."""

    code = "meters_not_swappable"
    message = "只能互换同一小区、同一类型、都在使用、分属两户的两只表"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCounter:
    """What stands on a meter, and what it shows when it comes into use."""

    meter_no: str
    opening_reading: Decimal
    multiplier: Decimal = Decimal(1)
    modulus: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMeter(NewCounter):
    """A meter and where it is; without a house it is a public one, read for a share pool."""

    kind: MeterKind
    opened_on: date
    house_id: int | None = None


@dataclass(frozen=True, slots=True)
class WrongBill:
    """A published bill that was computed from another house's meter."""

    id: int
    bill_no: str
    house_id: int


@dataclass(frozen=True)
class MeterRegister:
    """The meters of a community."""

    unit_of_work: UnitOfWork

    def register(self, *, actor: Actor, community_id: int, meter: NewMeter) -> int:
        """Put a meter on file and return its id.

        Raises:
            InvalidInput: a field cannot be used; ``fields`` says which and why.
            MeterNoTaken: the number is in use in this community, or was.
            NotFound: no such community, or the house is not in it.
            HouseRetired: the house is retired.
        """
        actor.must(Permission.MANAGE_METERS)
        actor.must_cover(community_id)

        def work(tx: Transaction) -> int:
            if tx.session.get(Community, community_id) is None:
                raise NotFound
            if meter.house_id is not None:
                _find_house(tx, community_id, meter.house_id)
                hold_house(tx, meter.house_id)
            return _add_meter(tx, actor, community_id, meter)

        return self._guarded(work)

    def replace(
        self,
        *,
        actor: Actor,
        meter_id: int,
        closing_reading: Decimal,
        closed_on: date,
        new: NewCounter,
    ) -> int:
        """Close a meter and open another in its place on the same day; return the new one's id.

        The closing reading obeys the rules of any reading. If the counter passed its end, enter
        that reading with its rollover first and close with the same.

        Raises:
            NotFound: no such meter.
            MeterClosed: it was replaced before.
            ReadingBilled: the house was billed up to a later day with another reading.
            MeterNoTaken: as in `register`.
            InvalidInput: a reading or field cannot be; ``fields`` says which and why.
        """
        actor.must(Permission.MANAGE_METERS)

        def work(tx: Transaction) -> int:
            old = load_one(tx, meter_id, since=None)
            must_see(tx.session, actor, community_id=old.community_id, house_id=old.house_id)
            closing = Reading(closed_on, closing_reading)
            check_closing(old, closing, today=local_date(tx.now))
            tx.session.execute(
                update(Meter)
                .where(Meter.id == meter_id)
                .values(closed_on=closed_on, closing_reading=closing_reading)
            )
            new_id = _add_meter(
                tx,
                actor,
                old.community_id,
                NewMeter(
                    meter_no=new.meter_no,
                    opening_reading=new.opening_reading,
                    multiplier=new.multiplier,
                    modulus=new.modulus,
                    kind=old.kind,
                    opened_on=closed_on,
                    house_id=old.house_id,
                ),
                replaces_meter_id=meter_id,
            )
            record(
                tx,
                actor,
                "meter_replaced",
                subject_type="meter",
                subject_id=meter_id,
                community_id=old.community_id,
                facts={
                    "meter_no": old.meter_no,
                    "closing_reading": f"{closing_reading:f}",
                    "closed_on": closed_on.isoformat(),
                    "by_meter_id": new_id,
                },
            )
            return new_id

        return self._guarded(work)

    def swap(
        self, *, actor: Actor, meter_id: int, other_meter_id: int, reason: str
    ) -> tuple[WrongBill, ...]:
        """Exchange the houses of two meters that were put on file the wrong way round.

        Returns:
            The published bills of both houses that one of the two meters went into, oldest first:
            these are to be adjusted. Bills under review are made anew.

        Raises:
            NotFound: one of the meters does not exist.
            MetersNotSwappable: they are not two such meters.
            InvalidInput: the reason is missing or too long.
        """
        actor.must(Permission.MANAGE_METERS)
        reason = check_reason(reason)

        def work(tx: Transaction) -> tuple[WrongBill, ...]:
            hold_reviews(
                tx.session,
                tx.session.scalars(
                    select(Meter.community_id).where(Meter.id.in_((meter_id, other_meter_id)))
                ).all(),
            )
            found = {
                meter.id: meter
                for meter in tx.session.scalars(
                    select(Meter)
                    .where(
                        Meter.id.in_((meter_id, other_meter_id)),
                        in_scope(Meter.community_id, actor),
                    )
                    .order_by(Meter.id)
                    .with_for_update()
                )
            }
            if not {meter_id, other_meter_id} <= set(found):
                raise NotFound
            one, other = found[meter_id], found[other_meter_id]
            _check_swap(one, other)
            wrong = _bills_by(tx, one, other)
            for meter, partner in ((one, other), (other, one)):
                record(
                    tx,
                    actor,
                    "meter_swapped",
                    subject_type="meter",
                    subject_id=meter.id,
                    community_id=meter.community_id,
                    facts={
                        "meter_no": meter.meter_no,
                        "with_meter_no": partner.meter_no,
                        "before_house_id": meter.house_id,
                        "after_house_id": partner.house_id,
                        "reason": reason,
                        "wrong_bills": [bill.bill_no for bill in wrong],
                    },
                )
            one.house_id, other.house_id = other.house_id, one.house_id
            return wrong

        return self.unit_of_work.run(work)

    def _guarded(self, work: Callable[[Transaction], int]) -> int:
        try:
            return self.unit_of_work.run(work)
        except IntegrityError as error:
            if violates(error, "uq_meter_community_id"):
                raise MeterNoTaken from error
            raise


def _find_house(tx: Transaction, community_id: int, house_id: int) -> None:
    found = tx.session.execute(
        select(House.id).where(House.id == house_id, House.community_id == community_id)
    ).scalar_one_or_none()
    if found is None:
        raise NotFound


def _add_meter(
    tx: Transaction,
    actor: Actor,
    community_id: int,
    meter: NewMeter,
    *,
    replaces_meter_id: int | None = None,
) -> int:
    row = Meter(
        community_id=community_id,
        house_id=meter.house_id,
        meter_no=_check_meter(meter, today=local_date(tx.now)),
        kind=meter.kind,
        multiplier=meter.multiplier,
        modulus=meter.modulus,
        opening_reading=meter.opening_reading,
        opened_on=meter.opened_on,
        replaces_meter_id=replaces_meter_id,
        created_at=tx.now,
    )
    tx.session.add(row)
    tx.session.flush()
    record(
        tx,
        actor,
        "meter_registered",
        subject_type="meter",
        subject_id=row.id,
        community_id=community_id,
        facts={
            "meter_no": row.meter_no,
            "kind": meter.kind,
            "house_id": meter.house_id,
            "opening_reading": f"{meter.opening_reading:f}",
            "opened_on": meter.opened_on.isoformat(),
            "replaces_meter_id": replaces_meter_id,
        },
    )
    return row.id


def _check_meter(meter: NewMeter, *, today: date) -> str:
    """Refuse what cannot be a meter; give its number as it goes on file."""
    fields: dict[str, list[str]] = {}
    meter_no = ""
    try:
        meter_no = tidy_meter_no(meter.meter_no)
    except BadCell as bad:
        fields["meter_no"] = [bad.why]
    if not _is_positive(meter.multiplier, _MULTIPLIER_LIMIT):
        fields["multiplier"] = ["倍率应大于 0 且小于 1000000，最多四位小数"]
    if meter.modulus is not None and not _is_positive(meter.modulus, READING_LIMIT):
        fields["modulus"] = ["量程应大于 0，例如 100000"]
    elif why := check_reading(
        reading=meter.opening_reading,
        read_on=meter.opened_on,
        before=None,
        after=None,
        is_rollover=False,
        modulus=meter.modulus,
        opened_on=meter.opened_on,
        closed_on=None,
        today=today,
    ):
        fields["opening_reading"] = [why]
    if meter.opened_on.year < FIRST_YEAR:
        fields["opened_on"] = ["年份太早"]
    if fields:
        raise InvalidInput(fields=fields)
    return meter_no


def _is_positive(number: Decimal, limit: Decimal | int) -> bool:
    return number.is_finite() and 0 < number < limit and not number % _STEP


def check_closing(old: KnownMeter, closing: Reading, *, today: date) -> None:
    """Refuse to close a meter with a reading that it cannot have had.

    Raises:
        MeterClosed, InvalidInput, ReadingBilled: see `MeterRegister.replace`.
    """
    if old.closed_on is not None:
        raise MeterClosed
    if later := old.after(closing.read_on):
        why = f"该表在 {later.read_on} 还有读数，停用日期不能早于它"
        raise InvalidInput(fields={"closed_on": [why]})
    known = old.on(closing.read_on)
    if known is not None and known.reading == closing.reading:
        return
    if why := old.doubt(closing, today=today):
        raise InvalidInput(fields={"closing_reading": [why]})
    if old.is_billed(closing.read_on):
        raise ReadingBilled(old.why_billed)


def _check_swap(one: Meter, other: Meter) -> None:
    is_same_sort = (one.community_id, one.kind) == (other.community_id, other.kind)
    is_in_use = one.closed_on is None and other.closed_on is None
    has_houses = one.house_id is not None and other.house_id is not None
    if not (is_same_sort and is_in_use and has_houses and one.house_id != other.house_id):
        raise MetersNotSwappable


def _bills_by(tx: Transaction, one: Meter, other: Meter) -> tuple[WrongBill, ...]:
    """Find the published bills of both meters' houses whose trace names one of the two."""
    segments = cast(BillLine.trace, JSONB)["segments"]
    rows = tx.session.execute(
        select(Bill.id, Bill.bill_no, Bill.house_id)
        .join(BillLine, BillLine.bill_id == Bill.id)
        .join(BillBatch, BillBatch.id == Bill.batch_id)
        .where(
            Bill.house_id.in_((one.house_id, other.house_id)),
            Bill.is_live,
            Bill.state.in_(BILLED) | (BillBatch.state == BatchState.APPROVED),
            segments.contains([{"meter_no": one.meter_no}])
            | segments.contains([{"meter_no": other.meter_no}]),
        )
        .distinct()
        .order_by(Bill.id)
    )
    return tuple(WrongBill(*row) for row in rows)
