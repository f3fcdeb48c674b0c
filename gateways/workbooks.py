"""Reading spreadsheets that strangers hand in: everything is checked before calamine sees it."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import isfinite
from posixpath import join, normpath
from xml.sax import SAXException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]  # no types
from defusedxml.expatreader import DefusedExpatParser  # type: ignore[import-untyped]  # no types
from python_calamine import CalamineError, load_workbook

from domain.errors import InvalidInput
from services.ports import Cell, Sheet

_FILE_LIMIT = 10 * 1024 * 1024
_UNPACKED_LIMIT = 50 * 1024 * 1024
_RATIO_LIMIT = 100
_MEMBER_LIMIT = 200
_ROW_LIMIT = 20_000
_COLUMN_LIMIT = 60
"""Source: reliability.md, bad-input matrix, xlsx."""

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
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})", re.ASCII)
_ROW = re.compile(r"[0-9]{1,7}", re.ASCII)
_WORKSHEET_LINK = "/worksheet"


class WorkbookTooLarge(InvalidInput):
    """The file is larger than 10 MB."""

    code = "workbook_too_large"
    message = "文件超过 10 MB，请拆成几个文件再导入"


class NotXlsx(InvalidInput):
    """The file is no .xlsx workbook, whatever its name says."""

    code = "not_xlsx"
    message = "这不是 Excel 工作簿（.xlsx），请用 Excel 或 WPS 另存为 .xlsx 后再导入"


class OldWorkbook(InvalidInput):
    """The file is an .xls of Excel 97 to 2003."""

    code = "old_workbook"
    message = "这是旧版 Excel 文件（.xls），请另存为 .xlsx 后再导入"


class WorkbookEncrypted(InvalidInput):
    """The workbook has a password."""

    code = "workbook_encrypted"
    message = "工作簿设有密码，请取消密码后再导入"


class WorkbookDamaged(InvalidInput):
    """The file begins like a workbook and cannot be read to its end."""

    code = "workbook_damaged"
    message = "工作簿已损坏，请用 Excel 或 WPS 打开后另存一份再导入"


class WorkbookUnpacksTooLarge(InvalidInput):
    """The file unpacks to more than we take: too much, too dense or too many parts."""

    code = "workbook_unpacks_too_large"
    message = "工作簿解开后太大，请只保留要导入的内容再试"


class WorkbookUnsafe(InvalidInput):
    """The workbook declares entities or a document type, which no spreadsheet program writes."""

    code = "workbook_unsafe"
    message = "工作簿含有不安全的内容，不能导入"


class SheetTooBig(InvalidInput):
    """The sheet reaches beyond 20,000 rows or 60 columns."""

    code = "sheet_too_big"
    message = "表格超过 20000 行或 60 列，请删去多余的行列再导入"


class SheetMissing(InvalidInput):
    """The workbook has no sheet of that name, and not just one."""

    code = "sheet_missing"

    def __init__(self, wanted: str) -> None:
        super().__init__(f"工作簿里没有名为「{wanted}」的工作表")


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
    if len(content) > _FILE_LIMIT:
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
        _transfer(package, safe, _WORKBOOK, sheets)
        _transfer(package, safe, _LINKS, links)
        chosen = _choose([one for one in sheets.found if one.link in links.targets], sheet_name)
        part = links.targets[chosen.link]
        if part not in names or part in _NEEDED or part in _WANTED:
            raise WorkbookDamaged
        for name in _WANTED:
            if name in names:
                _transfer(package, safe, name, ContentHandler())
        _transfer(package, safe, part, _CellLimits())
    copy.seek(0)
    with load_workbook(copy) as workbook:
        rows = workbook.get_sheet_by_name(chosen.name).to_python(skip_empty_area=False)
    return Sheet(chosen.name, [[_cell(value) for value in row] for row in rows])


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


def _transfer(
    package: zipfile.ZipFile, safe: zipfile.ZipFile, name: str, handler: ContentHandler
) -> None:
    """Copy one part, parsing it on the way; the handler may stop it early by raising."""
    parser = DefusedExpatParser(forbid_dtd=True)
    parser.setContentHandler(handler)
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


class _SheetList(ContentHandler):
    """Collects the sheets that ``workbook.xml`` lists."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[_Listed] = []

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802  # SAX's name
        if _local(name) != "sheet":
            return
        links = [attrs.getValue(key) for key in attrs.getNames() if _local(key) == "id"]
        if links:
            is_visible = attrs.get("state", "visible") == "visible"
            self.found.append(_Listed(attrs.get("name", ""), links[0], is_visible))


class _LinkList(ContentHandler):
    """Collects where the workbook's links to worksheets lead, as names in the zip."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: dict[str, str] = {}

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802  # SAX's name
        if _local(name) == "Relationship" and attrs.get("Type", "").endswith(_WORKSHEET_LINK):
            target = attrs.get("Target", "")
            full = target.lstrip("/") if target.startswith("/") else normpath(join("xl", target))
            self.targets[attrs.get("Id", "")] = full


class _CellLimits(ContentHandler):
    """Stops as soon as a cell with content lies beyond the limits, or there are too many cells.

    Cells that only carry a style do not count towards the area: clerks colour whole columns.
    """

    def __init__(self) -> None:
        super().__init__()
        self._cells = 0
        self._row = 0
        self._reach = 0
        self._is_outside = False

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802  # SAX's name
        local = _local(name)
        if local == "row":
            reference = attrs.get("r")
            self._row = self._row + 1 if reference is None else _row_number(reference)
            self._reach = 0
        elif local == "c":
            self._place(attrs.get("r"))
        elif local in ("v", "is") and self._is_outside:
            raise SheetTooBig

    def _place(self, reference: str | None) -> None:
        self._cells += 1
        if self._cells > _ROW_LIMIT * _COLUMN_LIMIT:
            raise SheetTooBig
        row, column = self._row, self._reach + 1
        if reference is not None:
            match = _REFERENCE.fullmatch(reference)
            if match is None:
                raise WorkbookDamaged
            # Where a cell and its row disagree, readers do too: the farther one counts.
            row, column = max(self._row, _row_number(match[2])), _column_number(match[1])
        self._reach = max(self._reach, column)
        self._is_outside = row > _ROW_LIMIT or column > _COLUMN_LIMIT


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
        case float() if not isfinite(value):
            return str(value)
        case time():
            return value.isoformat()
        case timedelta():
            return str(value)
        case str() | bool() | int() | float() | datetime() | date():
            return value
        case _:
            raise WorkbookDamaged
