"""Why a house cannot be charged inside a bill run."""

from __future__ import annotations


class NotChargeable(Exception):
    """A house that cannot be charged: an exception row, never a zero. ``why`` is Chinese.

    Not a `PropertyError`: it names a house's trouble inside a run and never reaches a front.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
