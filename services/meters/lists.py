"""Looking at meters: lists, one meter with all that was read off it, and what nobody read yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, Select, exists, or_, select, true

from domain.actors import Actor, Permission
from domain.cells import BadCell
from domain.errors import NotFound
from domain.houses import house_label
from domain.meters import MeterKind
from domain.periods import Span
from domain.reading_sheet import tidy_meter_no
from domain.usages import in_units, monthly_usages, trim
from models import Building, House, Meter, MeterReading, Staff
from services.estate import CommunityView, find_community, find_house, house_label_column
from services.meters.timelines import load_meters
from services.scopes import houses_in_scope, in_scope
from services.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class MeterView:
    """A meter on file; ``house`` is empty for a public one. Read last is live and not the opening.

    ``closed_on`` None means that it is in use.
    """

    id: int
    community_id: int
    meter_no: str
    kind: MeterKind
    house_id: int | None
    house: str
    multiplier: Decimal
    modulus: Decimal | None
    opened_on: date
    opening_reading: Decimal
    closed_on: date | None
    closing_reading: Decimal | None
    replaces_meter_id: int | None
    read_on: date | None
    reading: Decimal | None


@dataclass(frozen=True, slots=True)
class ReadingView:
    """A reading as it was taken; a superseded one says when and why."""

    read_on: date
    reading: Decimal
    is_rollover: bool
    source: str
    read_by: str
    note: str
    created_at: datetime
    superseded_at: datetime | None
    superseded_because: str


@dataclass(frozen=True, slots=True)
class UsageView:
    """What a meter counted in a month, times its multiplier."""

    month: date
    usage: Decimal


@dataclass(frozen=True, slots=True)
class MeterDetail:
    """A meter, its readings newest first, and its usage by month, oldest first."""

    meter: MeterView
    readings: tuple[ReadingView, ...]
    usages: tuple[UsageView, ...]


@dataclass(frozen=True)
class MeterLists:
    """What there is to see of meters."""

    unit_of_work: UnitOfWork

    def find_community(self, *, actor: Actor, code: str) -> CommunityView:
        """Find a community by its code or name, also for those who only read meters.

        Raises:
            NotFound: none has it.
        """
        self._must_see(actor)
        with self.unit_of_work.reading() as session:
            return find_community(session, actor, code)

    def find_meter(self, *, actor: Actor, community_id: int, meter_no: str) -> int:
        """Tell the id of a meter by its number.

        Raises:
            NotFound: the community has none of this number.
        """
        self._must_see(actor)
        actor.must_reach(community_id)
        try:
            wanted = tidy_meter_no(meter_no)
        except BadCell as bad:
            raise NotFound(f"表号不对：{bad.why}") from bad
        with self.unit_of_work.reading() as session:
            found = session.execute(
                select(Meter.id)
                .outerjoin(House, House.id == Meter.house_id)
                .where(
                    Meter.community_id == community_id,
                    Meter.meter_no == wanted,
                    _seen(actor),
                )
            ).scalar_one_or_none()
        if found is None:
            raise NotFound(f"没有表号为 {wanted} 的表")
        return found

    def find_house(self, *, actor: Actor, community_id: int, label: str) -> int:
        """Tell the id of a house by its name, such as ``1栋1单元101``.

        Raises:
            NotFound: the community has none of this name.
        """
        self._must_see(actor)
        actor.must_reach(community_id)
        with self.unit_of_work.reading() as session:
            return find_house(session, actor, community_id, label)

    def list_meters(
        self, *, actor: Actor, community_id: int, house_id: int | None = None, search: str = ""
    ) -> Sequence[MeterView]:
        """List the meters of a community, as they came on file, closed ones too.

        ``search`` is part of a meter's number or of a house's name such as ``1栋1单元101``.
        """
        self._must_see(actor)
        actor.must_reach(community_id)
        query = _meters().where(Meter.community_id == community_id, _seen(actor))
        if house_id is not None:
            query = query.where(Meter.house_id == house_id)
        if search.strip():
            words = search.strip()
            query = query.where(
                or_(
                    Meter.meter_no.icontains(words, autoescape=True),
                    house_label_column().icontains(words, autoescape=True),
                )
            )
        return self._list(query)

    def list_unread(
        self, *, actor: Actor, community_id: int, kind: MeterKind, month: Span
    ) -> Sequence[MeterView]:
        """List the meters that have still to be read before a month can be billed.

        A meter that was closed in the month or before has nothing to read; one that was opened on
        its last day was read then.
        """
        self._must_see(actor)
        actor.must_reach(community_id)
        is_read = exists().where(
            MeterReading.meter_id == Meter.id,
            MeterReading.superseded_at.is_(None),
            MeterReading.read_on >= month.starts_on,
            MeterReading.read_on < month.ends_before,
        )
        query = _meters().where(
            Meter.community_id == community_id,
            Meter.kind == kind,
            Meter.opened_on < month.last_day,
            or_(Meter.closed_on.is_(None), Meter.closed_on >= month.ends_before),
            ~is_read,
            _seen(actor),
        )
        return self._list(query)

    def show(self, *, actor: Actor, meter_id: int) -> MeterDetail:
        """Show a meter with all its readings, superseded ones too, and its usage by month.

        Raises:
            NotFound: no such meter.
        """
        self._must_see(actor)
        with self.unit_of_work.snapshot() as session:
            row = session.execute(_meters().where(Meter.id == meter_id, _seen(actor))).one_or_none()
            if row is None:
                raise NotFound
            readings = session.execute(
                select(MeterReading, Staff.name)
                .outerjoin(Staff, Staff.id == MeterReading.read_by_staff_id)
                .where(MeterReading.meter_id == meter_id)
                .order_by(MeterReading.read_on.desc(), MeterReading.id.desc())
            )
            (known,) = load_meters(session, Meter.id == meter_id, since=None, locks=False)
            return MeterDetail(
                meter=_view(*row),
                readings=tuple(_view_reading(*reading) for reading in readings),
                usages=tuple(
                    UsageView(month, in_units(usage))
                    for month, usage in monthly_usages(known.span())
                ),
            )

    def _must_see(self, actor: Actor) -> None:
        reads = Permission.READ_METERS
        actor.must(reads if reads in actor.permissions else Permission.VIEW_ESTATE)

    def _list(self, query: _MeterQuery) -> Sequence[MeterView]:
        with self.unit_of_work.reading() as session:
            return [_view(*row) for row in session.execute(query.order_by(Meter.id))]


def _seen(actor: Actor) -> ColumnElement[bool]:
    """Hold meters to the scope; a public one is seen with the whole community."""
    return or_(in_scope(Meter.community_id, actor), houses_in_scope(actor))


_MeterQuery = Select[Meter, str | None, str | None, str | None, date | None, Decimal | None]


def _meters() -> _MeterQuery:
    last = (
        select(MeterReading.read_on, MeterReading.reading)
        .where(MeterReading.meter_id == Meter.id, MeterReading.superseded_at.is_(None))
        .order_by(MeterReading.read_on.desc())
        .limit(1)
        .lateral("last_reading")
    )
    return (
        select(Meter, Building.name, House.unit_no, House.room_no, last.c.read_on, last.c.reading)
        .outerjoin(House, House.id == Meter.house_id)
        .outerjoin(Building, Building.id == House.building_id)
        .outerjoin(last, true())
    )


def _view(
    meter: Meter,
    building: str | None,
    unit_no: str | None,
    room_no: str | None,
    read_on: date | None,
    reading: Decimal | None,
) -> MeterView:
    return MeterView(
        id=meter.id,
        community_id=meter.community_id,
        meter_no=meter.meter_no,
        kind=MeterKind(meter.kind),
        house_id=meter.house_id,
        house=house_label(building, unit_no or "", room_no or "") if building else "",
        multiplier=trim(meter.multiplier),
        modulus=None if meter.modulus is None else trim(meter.modulus),
        opened_on=meter.opened_on,
        opening_reading=trim(meter.opening_reading),
        closed_on=meter.closed_on,
        closing_reading=None if meter.closing_reading is None else trim(meter.closing_reading),
        replaces_meter_id=meter.replaces_meter_id,
        read_on=read_on,
        reading=None if reading is None else trim(reading),
    )


def _view_reading(reading: MeterReading, read_by: str | None) -> ReadingView:
    return ReadingView(
        read_on=reading.read_on,
        reading=trim(reading.reading),
        is_rollover=reading.is_rollover,
        source=reading.source,
        read_by=read_by or "",
        note=reading.note,
        created_at=reading.created_at,
        superseded_at=reading.superseded_at,
        superseded_because=reading.superseded_because,
    )
