"""Which templates of the platforms carry which messages, as the settings say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from domain.errors import PlatformRefused
from domain.messages import MessageKind
from settings import SettingsMissing

NO_TEMPLATE = "no_template"
"""Our own word for a message for which no template was chosen: it takes another way."""


@dataclass(frozen=True, slots=True)
class ChosenTemplate:
    """A template of our account; ``fields`` map payload keys to its field keys."""

    id: str
    fields: Mapping[str, str]


def template_of(chosen: Mapping[MessageKind, ChosenTemplate], kind: MessageKind) -> ChosenTemplate:
    """Find the template of a kind.

    Raises:
        PlatformRefused: ``no_template``: none was chosen.
    """
    found = chosen.get(kind)
    if found is None:
        raise no_template(kind)
    return found


def no_template(kind: MessageKind) -> PlatformRefused:
    """Say that a kind has no template on this channel."""
    return PlatformRefused(f"没有选用 {kind} 的消息模板", vendor_code=NO_TEMPLATE)


def read_templates(
    name: str, entries: Iterable[str], fields: Mapping[MessageKind, Mapping[str, str]]
) -> dict[MessageKind, ChosenTemplate]:
    """Read ``kind=id`` or ``kind=id:house>thing12:amount>amount4``: other field keys than ours.

    Raises:
        SettingsMissing: an unknown kind, one that the channel cannot carry, or a key that the kind
            does not have.
    """
    chosen = {}
    for entry in entries:
        word, _, rest = entry.partition("=")
        template_id, *renamed = rest.split(":")
        pairs = [one.partition(">") for one in renamed]
        kind = MessageKind(word) if word in set(MessageKind) else None
        known = fields.get(kind, {}) if kind else {}
        if kind is None or not known or not template_id:
            raise SettingsMissing([f"{name} ({entry})"])
        own = {key: field for key, _, field in pairs}
        if not set(own) <= set(known) or not all(own.values()):
            raise SettingsMissing([f"{name} ({entry})"])
        # Only the keys that are named, if any are: templates differ in how many fields they have.
        chosen[kind] = ChosenTemplate(template_id, own or dict(known))
    return chosen
