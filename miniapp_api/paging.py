"""Keyset pages: one more row is asked for than shown, so that the last page knows that it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class HasId(Protocol):
    """Something that is listed by its id, newest first."""

    @property
    def id(self) -> int:
        """The id to go on from."""
        ...


def make_page(found: Sequence[HasId], limit: int) -> dict[str, Any]:
    """Cut the row beyond the limit off; ``next_before_id`` is null on the last page."""
    items = found[:limit]
    has_more = len(found) > len(items)
    return {"items": items, "next_before_id": items[-1].id if has_more else None}
