"""Meters by hand: correcting what stands on one, and closing one that nothing replaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from domain.actors import Actor, Permission
from domain.errors import NotFound
from domain.estate_fields import METER, read_values
from domain.meters import Reading
from domain.periods import local_date
from models import Meter
from services.base_data.changes import check_seen, note, put
from services.bills.freshness import hold_reviews
from services.meters.readings import check_reason, load_one
from services.meters.register import MeterNoTaken, check_closing
from services.meters.timelines import MeterClosed
from services.scopes import must_see
from services.unit_of_work import Transaction, UnitOfWork, violates


@dataclass(frozen=True)
class MeterKeeping:
    """Corrects and closes the meters of a community; `MeterRegister` adds and replaces them."""

    unit_of_work: UnitOfWork

    def edit(
        self,
        *,
        actor: Actor,
        meter_id: int,
        changes: Mapping[str, object],
        seen: Mapping[str, object],
        reason: str,
    ) -> None:
        """Correct the number of a meter, or where its counter ends; readings stay as they are.

        Raises:
            InvalidInput: no reason, or a field cannot be used.
            NotFound: no such meter. MeterClosed: it is in use no more.
            ChangedMeanwhile: somebody changed it since.
            MeterNoTaken: another meter of the community has the number.
        """
        actor.must(Permission.MANAGE_METERS)
        check_seen(changes, seen)
        wanted = read_values(METER, changes, today=local_date(self.unit_of_work.clock.now()))
        kept = check_reason(reason)

        def work(tx: Transaction) -> None:
            row = _lock(tx, actor, meter_id)
            if row.closed_on is not None:
                raise MeterClosed
            if changed := put(row, wanted, seen):
                tx.session.flush()
                note(
                    tx,
                    actor,
                    "meter_changed",
                    of=("meter", meter_id),
                    community_id=row.community_id,
                    changed=changed,
                    reason=kept,
                )

        try:
            self.unit_of_work.run(work)
        except IntegrityError as error:
            if violates(error, "uq_meter_community_id"):
                raise MeterNoTaken from error
            raise

    def retire(
        self,
        *,
        actor: Actor,
        meter_id: int,
        closing_reading: Decimal,
        closed_on: date,
        reason: str,
    ) -> None:
        """Close a meter with its last reading at the end of a day; nothing comes in its place.

        Raises:
            InvalidInput: no reason, or the reading cannot be; ``fields`` says which and why.
            NotFound: no such meter. MeterClosed: it is in use no more.
            ReadingBilled: the house was billed up to a later day with another reading.
        """
        actor.must(Permission.MANAGE_METERS)
        kept = check_reason(reason)

        def work(tx: Transaction) -> None:
            row = _lock(tx, actor, meter_id)
            known = load_one(tx, meter_id, since=None)
            check_closing(known, Reading(closed_on, closing_reading), today=local_date(tx.now))
            row.closed_on, row.closing_reading = closed_on, closing_reading
            note(
                tx,
                actor,
                "meter_retired",
                of=("meter", meter_id),
                community_id=row.community_id,
                changed={
                    "closed_on": (None, closed_on),
                    "closing_reading": (None, closing_reading),
                },
                reason=kept,
            )

        self.unit_of_work.run(work)


def _lock(tx: Transaction, actor: Actor, meter_id: int) -> Meter:
    known = tx.session.get(Meter, meter_id)
    if known is None:
        raise NotFound
    must_see(tx.session, actor, community_id=known.community_id, house_id=known.house_id)
    hold_reviews(tx.session, [known.community_id])
    return tx.session.execute(
        select(Meter)
        .where(Meter.id == meter_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()
