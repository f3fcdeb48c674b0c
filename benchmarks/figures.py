"""One measured figure: ours beside a floor, from the same run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """A ratio with its two sides.

    ``ours`` and ``beside`` are one value per round, in the same order; ``goal`` is the least
    ratio, or the most when ``is_most``.
    """

    id: str
    name: str
    ours: Sequence[float]
    beside: Sequence[float]
    unit: str
    goal: float
    conditions: str
    is_most: bool = False

    @property
    def ratio(self) -> float:
        """The median of ours over the median of the other side."""
        return median(self.ours) / median(self.beside)

    @property
    def is_met(self) -> bool:
        """Whether the goal is reached."""
        return self.ratio <= self.goal if self.is_most else self.ratio >= self.goal

    @property
    def spread(self) -> tuple[float, float]:
        """The smallest and largest ratio of a round."""
        ratios = [ours / beside for ours, beside in zip(self.ours, self.beside, strict=True)]
        return min(ratios), max(ratios)

    def as_line(self) -> str:
        """Write the figure for people."""
        low, high = self.spread
        sign = "≤" if self.is_most else "≥"
        return (
            f"{self.id:<4}{self.name}: {median(self.ours):,.0f} beside {median(self.beside):,.0f} "
            f"{self.unit} = {self.ratio:.0%} ({low:.0%}…{high:.0%}), goal {sign} {self.goal:.0%}: "
            f"{'met' if self.is_met else 'NOT MET'}; {self.conditions}"
        )

    def as_json(self) -> dict[str, Any]:
        """Write the figure in the form of design/performance.md."""
        return {
            "id": self.id,
            "name": self.name,
            "ours": median(self.ours),
            "beside": median(self.beside),
            "unit": self.unit,
            "ratio": round(self.ratio, 4),
            "goal": self.goal,
            "met": self.is_met,
            "spread": [round(value, 4) for value in self.spread],
            "conditions": self.conditions,
        }
