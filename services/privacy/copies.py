"""Writes the copy that an owner downloads: a ZIP with JSON for programs and a workbook to read."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from domain.periods import SHANGHAI
from services.ports import Column, ColumnKind, DocumentWriter, TableCell, TableDocument
from services.privacy.own_data import Part

_WIDTH = 20
_YES_NO = {True: "是", False: "否"}
_NOTE = "本副本依据《个人信息保护法》第四十五条提供，含您本人的信息；他人的手机号已掩码。"


def write_copy(documents: DocumentWriter, parts: Sequence[Part], *, made_at: datetime) -> bytes:
    """Write both files into one ZIP; its members are ``data.json`` and ``个人信息副本.xlsx``."""
    made = made_at.astimezone(SHANGHAI).isoformat(timespec="seconds")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.json", json.dumps(_as_json(parts, made), ensure_ascii=False))
        archive.writestr(
            "个人信息副本.xlsx",
            documents.write_workbook([_as_table(part, made) for part in parts]),
        )
    return packed.getvalue()


def _as_json(parts: Sequence[Part], made: str) -> Mapping[str, Any]:
    return {
        "made_at": made,
        "note": _NOTE,
        "tables": {
            part.table: {
                "title": part.title,
                "columns": dict(part.columns),
                "rows": [
                    {column: _plain(value) for column, value in zip(part.columns, row, strict=True)}
                    for row in part.rows
                ],
            }
            for part in parts
        },
    }


def _plain(value: Any) -> Any:
    """Keep what JSON knows; a ratio becomes text, so that nothing of it is lost."""
    if isinstance(value, Decimal | date):
        return str(value)
    return value


def _as_table(part: Part, made: str) -> TableDocument:
    kinds = [
        ColumnKind.FEN if column.endswith("_fen") else ColumnKind.TEXT for column in part.columns
    ]
    return TableDocument(
        title=part.title,
        subtitle="个人信息副本",
        facts=[("生成时间", made)],
        columns=[
            Column(title, kind, _WIDTH)
            for title, kind in zip(part.columns.values(), kinds, strict=True)
        ],
        rows=[
            [_cell(value, kind) for value, kind in zip(row, kinds, strict=True)]
            for row in part.rows
        ],
        totals=[],
        notes=[_NOTE],
    )


def _cell(value: Any, kind: ColumnKind) -> TableCell:
    if value is None or (kind is ColumnKind.FEN and isinstance(value, int)):
        return value
    if isinstance(value, bool):
        return _YES_NO[value]
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
