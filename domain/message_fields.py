"""Making a value fit a field of a template, so that the platform never refuses it for its form."""

from __future__ import annotations

import re
import unicodedata

_PREFIX = re.compile(r"\A([a-z_]+?)[0-9]+\Z")
_LIMITS = {"thing": 20, "phrase": 5, "name": 10, "letter": 32, "character_string": 32}
"""Code points. Source: platforms.md 4.3. A letter of ``name`` counts as a character when mixed."""
_PLAIN_NAME_LIMIT = 20
_NOT_WRITTEN = "-"
_NOT_SAID = {"phrase": "无", "name": "无"}
"""What stands for nothing where a dash is not allowed."""


def fit_field(field_key: str, value: str) -> str:
    """Shorten a text field to the platform's limit by code points; never a number or date.

    An amount gets its sign: the platform allows one, and people read ``¥408.89`` better.
    Line breaks become spaces, and an empty value becomes a dash, since the platform refuses both.
    A ``character_string`` loses what it may not hold, and a ``phrase`` keeps only characters.

    Source: platforms.md 4.3, official api_sendmessage page.
    """
    text = " ".join(value.split())
    found = _PREFIX.match(field_key)
    prefix = found.group(1) if found else ""
    if prefix == "character_string":
        text = "".join(one for one in unicodedata.normalize("NFKC", text) if "!" <= one <= "~")
    elif prefix == "phrase":
        text = "".join(one for one in text if "\u4e00" <= one <= "\u9fff")
    text = text or _NOT_SAID.get(prefix, _NOT_WRITTEN)
    if prefix == "amount":
        return f"¥{text}" if text[0].isdigit() else text
    return _cut(text, prefix)


def _cut(text: str, prefix: str) -> str:
    limit = _LIMITS.get(prefix)
    if prefix == "name" and text.isascii():
        limit = _PLAIN_NAME_LIMIT
    if limit is None or len(text) <= limit:
        return text
    if prefix == "thing":
        return text[: limit - 1] + "…"
    return text[:limit]
