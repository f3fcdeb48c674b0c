"""The Chinese words of the shell: fields that a use-case names, roles that may do a thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from domain.actors import ROLE_PERMISSIONS, ROLE_SHOWN, Permission
from domain.field_words import FIELD_SHOWN


def say_fields(fields: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Say what is wrong with each field; one that has no word here keeps its name."""
    for name, reasons in fields.items():
        yield f"{FIELD_SHOWN.get(name, name)}：{'；'.join(reasons)}"


def say_who_may(permission: str | None) -> str:
    """Say in brackets which roles have a permission; nothing where none has."""
    may = [
        ROLE_SHOWN[role]
        for role, permissions in ROLE_PERMISSIONS.items()
        if permission and Permission(permission) in permissions
    ]
    return f"（可由{'、'.join(may)}办理）" if may else ""
