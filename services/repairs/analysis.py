"""Why things break, how often again, how fast they are mended and what it costs; sums in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from domain.actors import Actor, Permission
from domain.errors import InvalidInput
from domain.houses import PUBLIC_AREA
from domain.repairs import (
    CATEGORY_SHOWN,
    CAUSE_SHOWN,
    REPEAT_WITHIN_DAYS,
    FaultCause,
    RepairCategory,
)
from services.people.rows import check_community
from services.unit_of_work import UnitOfWork

_LONGEST_DAYS = 1_100
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class CauseShare:
    """How many finished repairs had a cause at a place; ``percent`` counts up to this line."""

    cause: str
    cause_shown: str
    building_id: int | None
    building: str
    equipment_id: int | None
    count: int
    cost_fen: int
    cumulative_percent: int


@dataclass(frozen=True, slots=True)
class Repeat:
    """A thing that broke again within 30 days of having been mended; each time counts."""

    category: str
    category_shown: str
    house_id: int | None
    building_id: int | None
    equipment_id: int | None
    count: int


@dataclass(frozen=True, slots=True)
class Speed:
    """Means in whole minutes over as many repairs as each ``…_n`` says; none over none.

    Pauses do not count to the time to repair.
    """

    opened_n: int
    respond_n: int
    mean_respond_minutes: int | None
    repair_n: int
    mean_repair_minutes: int | None
    breached_n: int
    reopened_n: int
    rated_n: int
    mean_score_hundredths: int | None
    cost_fen: int
    charged_fen: int


@dataclass(frozen=True, slots=True)
class FaultAnalysis:
    """What repairs that were opened in a span of days tell."""

    speed: Speed
    causes: Sequence[CauseShare]
    repeats: Sequence[Repeat]


@dataclass(frozen=True)
class RepairAnalysis:
    """Learns from repairs."""

    unit_of_work: UnitOfWork

    def analyse(
        self, *, actor: Actor, community_id: int, from_on: date, until_on: date
    ) -> FaultAnalysis:
        """Analyse the repairs of a community opened from one day to another, both counted.

        Raises:
            NotFound: no such community in scope as a whole.
            InvalidInput: the days are not in order, or more than three years apart.
        """
        actor.must(Permission.VIEW_REPAIRS)
        actor.must_cover(community_id)
        if not 0 <= (until_on - from_on).days <= _LONGEST_DAYS:
            raise InvalidInput(fields={"until_on": ["应不早于开始日期，最长三年"]})
        values = {
            "community_id": community_id,
            "from_on": from_on,
            "until_on": until_on,
            "repeat_days": REPEAT_WITHIN_DAYS,
            "shown": _SHOWN,
        }
        with self.unit_of_work.snapshot() as session:
            check_community(session, actor, community_id)
            return FaultAnalysis(
                _read_speed(session, values),
                _read_causes(session, values),
                _read_repeats(session, values),
            )


def _read_speed(session: Session, values: dict[str, Any]) -> Speed:
    row = session.execute(_SPEED, values).mappings().one()
    return Speed(**row)


def _read_causes(session: Session, values: dict[str, Any]) -> list[CauseShare]:
    return [
        CauseShare(
            cause=row.cause,
            cause_shown=CAUSE_SHOWN[FaultCause(row.cause)],
            building_id=row.building_id,
            building=row.building or PUBLIC_AREA,
            equipment_id=row.equipment_id,
            count=row.times,
            cost_fen=row.cost_fen,
            cumulative_percent=row.cumulative_percent,
        )
        for row in session.execute(_CAUSES, values)
    ]


def _read_repeats(session: Session, values: dict[str, Any]) -> list[Repeat]:
    return [
        Repeat(
            row.category,
            CATEGORY_SHOWN[RepairCategory(row.category)],
            row.house_id,
            row.building_id,
            row.equipment_id,
            row.times,
        )
        for row in session.execute(_REPEATS, values)
    ]


_SPEED = text(
    """
    WITH chosen AS (
        SELECT repair.*, labour_fen + coalesce((SELECT sum(amount_fen) FROM repair_part part
                                    WHERE part.repair_id = repair.id), 0) AS cost_fen,
               coalesce((SELECT sum(extract(epoch FROM least(coalesce(pause.ended_at, finished_at),
                                                             finished_at) - pause.started_at))
                           FROM repair_pause pause
                          WHERE pause.repair_id = repair.id
                            AND pause.started_at < finished_at), 0) AS paused_s
          FROM repair_order repair
         WHERE community_id = :community_id AND opened_on BETWEEN :from_on AND :until_on
           AND state <> 'cancelled')
    SELECT count(*) AS opened_n,
           count(accepted_at) AS respond_n,
           round(avg(extract(epoch FROM accepted_at - opened_at)) / 60)::int
             AS mean_respond_minutes,
           count(finished_at) AS repair_n,
           round(avg(extract(epoch FROM finished_at - opened_at) - paused_s) / 60)::int
             AS mean_repair_minutes,
           count(breached_at) AS breached_n,
           count(*) FILTER (WHERE reopened_count > 0) AS reopened_n,
           count(rating.score) AS rated_n,
           round(avg(rating.score) * 100)::int AS mean_score_hundredths,
           coalesce(sum(cost_fen), 0)::bigint AS cost_fen,
           coalesce(sum(charge_fen), 0)::bigint AS charged_fen
      FROM chosen LEFT JOIN repair_rating rating ON rating.repair_id = chosen.id
    """
)
_CAUSES = text(
    """
    WITH finished AS (
        SELECT cause, building_id, equipment_id,
               labour_fen + coalesce((SELECT sum(amount_fen) FROM repair_part part
                                       WHERE part.repair_id = repair.id), 0) AS cost_fen
          FROM repair_order repair
         WHERE community_id = :community_id AND opened_on BETWEEN :from_on AND :until_on
           AND cause <> '' AND state <> 'cancelled'),
    grouped AS (
        SELECT cause, building_id, equipment_id, count(*) AS times,
               sum(cost_fen)::bigint AS cost_fen
          FROM finished GROUP BY cause, building_id, equipment_id)
    SELECT cause, building_id, equipment_id, building.name AS building, times, cost_fen,
           floor(100 * sum(times) OVER (ORDER BY times DESC, cause, building_id, equipment_id)
                 / sum(times) OVER ())::int AS cumulative_percent
      FROM grouped LEFT JOIN building ON building.id = grouped.building_id
     ORDER BY times DESC, cause, building_id, equipment_id
     LIMIT :shown
    """
)
_REPEATS = text(
    """
    SELECT again.category, again.house_id, again.building_id, again.equipment_id,
           count(*) AS times
      FROM repair_order again
     WHERE again.community_id = :community_id AND again.opened_on BETWEEN :from_on AND :until_on
       AND again.state <> 'cancelled'
       AND EXISTS (
           SELECT FROM repair_order before
            WHERE before.community_id = again.community_id AND before.id < again.id
              AND before.category = again.category AND before.state <> 'cancelled'
              AND (before.equipment_id = again.equipment_id
                   OR (again.equipment_id IS NULL AND before.equipment_id IS NULL
                       AND (before.house_id = again.house_id
                            OR (again.house_id IS NULL AND before.house_id IS NULL
                                AND before.building_id = again.building_id))))
              AND before.finished_at <= again.opened_at
              AND before.finished_at > again.opened_at - make_interval(days => :repeat_days))
     GROUP BY again.category, again.house_id, again.building_id, again.equipment_id
     ORDER BY times DESC, again.category, again.house_id, again.building_id, again.equipment_id
     LIMIT :shown
    """
)
