"""How people are called where others may read it."""

from __future__ import annotations


def mask_name(name: str) -> str:
    """Show a name as 王*: its first character only, and of a single one nothing; none for none."""
    name = name.strip()
    return name[: len(name) > 1] + "*" * max(len(name) - 1, 1) if name else ""
