"""Reading spreadsheets that strangers hand in: everything is checked before calamine sees it."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import isfinite
from posixpath import join, normpath
from xml.sax import SAXException

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]  # no types
from defusedxml.expatreader import DefusedExpatParser  # type: ignore[import-untyped]  # no types
from python_calamine import CalamineError, load_workbook

from domain.imports import FILE_LIMIT
from domain.sheets import Merge
from gateways.workbook_refusals import (
    NotXlsx,
    OldWorkbook,
    SheetMissing,
    SheetTooBig,
    WorkbookDamaged,
    WorkbookEncrypted,
    WorkbookTooLarge,
    WorkbookUnpacksTooLarge,
    WorkbookUnsafe,
)
from services.ports import Cell, Sheet

_UNPACKED_LIMIT = 50 * 1024 * 1024
_RATIO_LIMIT = 100
_MEMBER_LIMIT = 200
_ROW_LIMIT = 60_000
_COLUMN_LIMIT = 60
_AREA_LIMIT = 1_200_000
"""Source: reliability.md, bad-input matrix, xlsx; 60,000 rows are for P7, the area is as before."""

_CHUNK = 64 * 1024
_ZIP_MAGIC = b"PK\x03\x04"
_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Old .xls files, and .xlsx files with a password, which Office wraps in the old container."""
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
_PLAIN_PACKING = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_WORKBOOK = "xl/workbook.xml"
_LINKS = "xl/_rels/workbook.xml.rels"
_NEEDED = (_WORKBOOK, _LINKS)
_WANTED = ("[Content_Types].xml", "_rels/.rels", "xl/sharedStrings.xml", "xl/styles.xml")
_MERGE = re.compile(r"([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})", re.ASCII)
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})", re.ASCII)
_ROW = re.compile(r"[0-9]{1,7}", re.ASCII)
_WORKSHEET_LINK = "/worksheet"


class XlsxReader:
    """Reads one sheet of an .xlsx file.

    The parts that matter are unpacked under a limit, parsed once by a defused parser, and packed
    again; calamine opens only that copy, so a zip directory that lies to one reader and not to the
    other does no harm.
    """

    def read(self, content: bytes, *, sheet_name: str) -> Sheet:
        """Read a sheet by name; the only visible sheet is taken whatever its name.

        Returns:
            Its rows from row 1 and column A; formulas as their stored results, times of day and
            spans as text.

        Raises:
            WorkbookTooLarge: the file itself is too large.
            NotXlsx: it is something else.
            OldWorkbook: an .xls file.
            WorkbookEncrypted: it has a password.
            WorkbookDamaged: it cannot be read to its end.
            WorkbookUnpacksTooLarge: it unpacks to too much.
            WorkbookUnsafe: it declares entities.
            SheetTooBig: the sheet has too many rows or columns.
            SheetMissing: there is no such sheet.
        """
        _check_container(content)
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as package:
                return _read_package(package, sheet_name)
        except DefusedXmlException:
            raise WorkbookUnsafe from None
        except (
            CalamineError,
            SAXException,
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            OSError,
            ValueError,
        ):
            # All that these readers were seen to raise when their input was mutated at random.
            raise WorkbookDamaged from None


def _check_container(content: bytes) -> None:
    if len(content) > FILE_LIMIT:
        raise WorkbookTooLarge
    if content.startswith(_OLE_MAGIC):
        raise WorkbookEncrypted if _ENCRYPTED_STREAM in content else OldWorkbook
    if not content.startswith(_ZIP_MAGIC):
        raise NotXlsx


def _read_package(package: zipfile.ZipFile, sheet_name: str) -> Sheet:
    _check_directory(package.infolist())
    names = set(package.namelist())
    if not names.issuperset(_NEEDED):
        raise NotXlsx
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as safe:
        sheets, links = _SheetList(), _LinkList()
        _transfer(package, safe, _WORKBOOK, sheets.start)
        _transfer(package, safe, _LINKS, links.start)
        chosen = _choose([one for one in sheets.found if one.link in links.targets], sheet_name)
        part = links.targets[chosen.link]
        if part not in names or part in _NEEDED or part in _WANTED:
            raise WorkbookDamaged
        for name in _WANTED:
            if name in names:
                _transfer(package, safe, name, None)
        limits = _CellLimits()
        _transfer(package, safe, part, limits.start)
    copy.seek(0)
    with load_workbook(copy) as workbook:
        rows = workbook.get_sheet_by_name(chosen.name).to_python(skip_empty_area=False)
    cells = [[value if type(value) is str else _cell(value) for value in row] for row in rows]
    return Sheet(chosen.name, cells, limits.merged)


def _check_directory(members: list[zipfile.ZipInfo]) -> None:
    if any(member.flag_bits & 1 for member in members):
        raise WorkbookEncrypted
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if (
        len(members) > _MEMBER_LIMIT
        or unpacked > _UNPACKED_LIMIT
        or unpacked > _RATIO_LIMIT * max(packed, 1)
    ):
        raise WorkbookUnpacksTooLarge
    is_plain = all(member.compress_type in _PLAIN_PACKING for member in members)
    if not is_plain or len({member.filename for member in members}) < len(members):
        raise WorkbookDamaged


_Start = Callable[[str, dict[str, str]], None]
"""Called with the name and the attributes of each element as it begins."""


class _Parser(DefusedExpatParser):  # type: ignore[misc]  # no types
    """The defused parser, with only the one handler that we need: a sheet has a million elements.

    SAX would wrap the attributes of each of them.
    """

    def __init__(self, start: _Start | None) -> None:
        self._start = start
        super().__init__(forbid_dtd=True)

    def reset(self) -> None:
        """Begin a document."""
        super().reset()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = None
        self._parser.CharacterDataHandler = None


def _transfer(
    package: zipfile.ZipFile, safe: zipfile.ZipFile, name: str, start: _Start | None
) -> None:
    """Copy one part, parsing it on the way; the handler may stop it early by raising."""
    parser = _Parser(start)
    with package.open(name) as source, safe.open(name, "w") as target:
        # zipfile gives no more than the directory promised, and checks the checksum at the end.
        while chunk := source.read(_CHUNK):
            parser.feed(chunk)
            target.write(chunk)
    parser.close()


@dataclass(frozen=True, slots=True)
class _Listed:
    name: str
    link: str
    is_visible: bool


class _SheetList:
    """Collects the sheets that ``workbook.xml`` lists."""

    def __init__(self) -> None:
        self.found: list[_Listed] = []

    def start(self, name: str, attrs: dict[str, str]) -> None:
        """Look at an element."""
        if _local(name) != "sheet":
            return
        links = [value for key, value in attrs.items() if _local(key) == "id"]
        if links:
            is_visible = attrs.get("state", "visible") == "visible"
            self.found.append(_Listed(attrs.get("name", ""), links[0], is_visible))


class _LinkList:
    """Collects where the workbook's links to worksheets lead, as names in the zip."""

    def __init__(self) -> None:
        self.targets: dict[str, str] = {}

    def start(self, name: str, attrs: dict[str, str]) -> None:
        """Look at an element."""
        if _local(name) == "Relationship" and attrs.get("Type", "").endswith(_WORKSHEET_LINK):
            target = attrs.get("Target", "")
            full = target.lstrip("/") if target.startswith("/") else normpath(join("xl", target))
            self.targets[attrs.get("Id", "")] = full


class _CellLimits:
    """Stops as soon as a cell with content lies beyond the limits, or there are too many cells.

    Cells that only carry a style do not count towards the area: clerks colour whole columns.
    """

    def __init__(self) -> None:
        self._cells = 0
        self._row, self._row_text = 0, ""
        self._place_of = (0, 0)
        self._reach = 0
        self._last_row = self._last_column = 0
        self._columns: dict[str, int] = {}
        self._merged_rows = 0
        self.merged: list[Merge] = []
        """What is merged downwards."""

    def start(self, name: str, attrs: dict[str, str]) -> None:
        """Look at an element."""
        if name == "c":
            self._place(attrs.get("r"))
        elif name == "v":
            row, column = self._place_of
            if row > self._last_row or column > self._last_column:
                self._reach_out(row, column)
        else:
            self._look(_local(name), attrs)

    def _look(self, local: str, attrs: dict[str, str]) -> None:
        if local == "row":
            reference = attrs.get("r")
            self._row = self._row + 1 if reference is None else _row_number(reference)
            self._row_text = reference or ""
            self._reach = 0
        elif local in ("v", "is"):
            self._reach_out(*self._place_of)
        elif local == "c":
            self._place(attrs.get("r"))
        elif local == "mergeCell":
            self._merge(attrs.get("ref", ""))

    def _reach_out(self, row: int, column: int) -> None:
        """Look how far cells with content reach."""
        self._last_row = max(row, self._last_row)
        self._last_column = max(column, self._last_column)
        is_outside = self._last_row > _ROW_LIMIT or self._last_column > _COLUMN_LIMIT
        if is_outside or self._last_row * self._last_column > _AREA_LIMIT:
            raise SheetTooBig

    def _place(self, reference: str | None) -> None:
        self._cells += 1
        if self._cells > _AREA_LIMIT:
            raise SheetTooBig
        row, column = self._row, self._reach + 1
        if reference is not None:
            known = 0
            if self._row_text and reference.endswith(self._row_text):
                known = self._columns.get(reference[: -len(self._row_text)], 0)
            if known:
                column = known
            else:
                row, column = self._read(reference)
        if column > self._reach:
            self._reach = column
        self._place_of = row, column

    def _read(self, reference: str) -> tuple[int, int]:
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            raise WorkbookDamaged
        column = self._columns[match[1]] = _column_number(match[1])
        # Where a cell and its row disagree, readers do too: the farther one counts.
        return max(self._row, _row_number(match[2])), column

    def _merge(self, reference: str) -> None:
        match = _MERGE.fullmatch(reference)
        if match is None:
            return  # A single cell: nothing is merged.
        first_row, last_row = int(match[2]) - 1, min(int(match[4]), self._last_row) - 1
        first_column, last_column = _column_number(match[1]) - 1, _column_number(match[3]) - 1
        if last_row <= first_row or first_column >= self._last_column:
            return
        self._merged_rows += last_row - first_row
        if self._merged_rows > _AREA_LIMIT:
            raise SheetTooBig
        self.merged.append((first_row, first_column, last_row, last_column))


def _row_number(digits: str) -> int:
    if not _ROW.fullmatch(digits):
        raise WorkbookDamaged
    return int(digits)


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _choose(found: list[_Listed], wanted: str) -> _Listed:
    named = [sheet for sheet in found if sheet.name.strip() == wanted]
    visible = [sheet for sheet in found if sheet.is_visible]
    for candidates in (named, visible):
        if len(candidates) == 1:
            return candidates[0]
    raise SheetMissing(wanted)


def _cell(value: object) -> Cell:
    match value:
        case str():
            return value
        case float() if not isfinite(value):
            return str(value)
        case time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case bool() | int() | float() | datetime() | date():
            return value
        case _:
            raise WorkbookDamaged
