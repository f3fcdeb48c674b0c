"""What the use-cases need of the world, as Protocols, and the plain values that cross them.

Adapters live in ``gateways`` and ``jobs``. Every call to a platform may raise the two vendor kinds:
`domain.errors.PlatformRefused` (the answer is no; ``vendor_code`` is the platform's word) and
`domain.errors.PlatformUnavailable` (no usable answer: the effect is unknown).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from domain.cells import Cell as Cell
from domain.import_templates import SheetTemplate
from domain.messages import MessageKind
from domain.sheets import Merge


class Clock(Protocol):
    """Tells the time; injected so that tests own it."""

    def now(self) -> datetime:
        """Tell the present as an aware UTC instant."""
        ...


class JobQueue(Protocol):
    """Wakes a worker. A bell, never the record: what it carries a row also remembers."""

    def enqueue(self, job: str, **ids: int) -> None:
        """Ask for a job by name. Whatever it raises, the caller has already committed."""
        ...


class Probe(Protocol):
    """One link to the world that `flask doctor` asks about."""

    @property
    def name(self) -> str:
        """What the link is called, in Chinese."""
        ...

    def check(self) -> str:
        """Try the link for real and say in a short Chinese sentence what was seen.

        Raises:
            PropertyError: it does not work; the message says why.
        """
        ...


@dataclass(frozen=True, slots=True)
class WechatLogin:
    """Who ``wx.login`` says is holding the phone."""

    appid: str
    openid: str
    unionid: str | None


class MiniProgram(Protocol):
    """The mini-program's server side."""

    @property
    def appid(self) -> str:
        """Whose openids these are."""
        ...

    def sign_in(self, *, code: str) -> WechatLogin:
        """Exchange a single-use ``wx.login`` code; its session_key never leaves the gateway."""
        ...

    def phone_number(self, *, code: str) -> str:
        """Exchange a single-use ``getPhoneNumber`` code for the phone, 11 digits. Costs money.

        Raises:
            PlatformRefused: also for a number that is not a mainland mobile one.
        """
        ...


@dataclass(frozen=True, slots=True)
class Follower:
    """What the official account may know of an openid; ``unionid`` only while they follow."""

    openid: str
    unionid: str | None
    is_following: bool


class OfficialAccount(Protocol):
    """The official account's server side."""

    @property
    def appid(self) -> str:
        """Whose openids these are."""
        ...

    def send_template(
        self,
        *,
        openid: str,
        kind: MessageKind,
        payload: Mapping[str, str],
        client_msg_id: str,
    ) -> str:
        """Send a template message and return the platform's msgid as text.

        ``payload`` holds the keys of ``MESSAGES[kind]``. The same ``client_msg_id`` for one openid
        is delivered once within ten minutes.
        """
        ...

    def show_follower(self, *, openid: str) -> Follower:
        """Look a follower up."""
        ...

    def page_sign_in_url(self, *, return_url: str, state: str) -> str:
        """Tell where to send a browser inside WeChat so that it comes back with a code."""
        ...

    def page_openid(self, *, code: str) -> str:
        """Exchange that code for the openid of whoever holds the phone; never a virtual user's."""
        ...


class SubscribeSender(Protocol):
    """Sends subscribe messages of the mini-program."""

    @property
    def appid(self) -> str:
        """Whose openids these are."""
        ...

    @property
    def templates(self) -> Mapping[MessageKind, str]:
        """The ids of the templates that were chosen; a kind that is absent cannot be sent."""
        ...

    def send_subscribe(self, *, openid: str, kind: MessageKind, payload: Mapping[str, str]) -> str:
        """Send one message and return the platform's msgid as text; nothing drops a repeat."""
        ...


class SmsSender(Protocol):
    """Sends one short message."""

    def send(self, *, phone: str, kind: MessageKind, payload: Mapping[str, str]) -> str:
        """Send to 11 digits and return the provider's serial number."""
        ...


class MailSender(Protocol):
    """Sends one e-mail of plain text."""

    @property
    def is_on(self) -> bool:
        """Whether a mail server is configured at all."""
        ...

    def send(
        self, *, address: str, kind: MessageKind, payload: Mapping[str, str], message_id: str
    ) -> str:
        """Send one message and return its Message-ID; the same ``message_id`` gives the same."""
        ...


class PasswordHasher(Protocol):
    """Keeps passwords as hashes that are slow to guess."""

    def hash(self, password: str) -> str:
        """Hash with a salt of its own; the parameters stand in the hash. Slow on purpose."""
        ...

    def verify(self, password_hash: str, password: str) -> bool:
        """Tell whether it is the password; an empty hash takes as long and is never right."""
        ...

    def needs_rehash(self, password_hash: str) -> bool:
        """Tell whether the hash was made with other parameters than those of today."""
        ...


class SecretBox(Protocol):
    """Seals what must be read again, under a key that is not in the database."""

    def seal(self, words: str) -> str:
        """Seal; the same words never look the same twice."""
        ...

    def open(self, sealed: str) -> str:
        """Open what was sealed.

        Raises:
            ValueError: it was changed, or sealed under another key.
        """
        ...


class TotpCodes(Protocol):
    """Codes of an authenticator app, RFC 6238: six digits, 30 seconds."""

    def new_secret(self) -> str:
        """Make a secret of 160 bits, in base 32."""
        ...

    def uri(self, *, secret: str, login_name: str) -> str:
        """Tell the ``otpauth:`` address that an app reads from a QR code."""
        ...

    def step_of(self, *, secret: str, code: str, at: datetime) -> int | None:
        """Tell which step a code is of, one before and after the present; None for a wrong one."""
        ...


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a workbook: rows from the first, row 1 at index 0; short rows may occur."""

    name: str
    rows: Sequence[Sequence[Cell]]
    merged: Sequence[Merge] = ()
    """Cells merged downwards; only their first row holds the value."""


class WorkbookReader(Protocol):
    """Reads spreadsheets that strangers hand in."""

    def read(self, content: bytes, *, sheet_name: str) -> Sheet:
        """Read one sheet by name; a workbook with a single sheet gives that one whatever its name.

        Raises:
            InvalidInput: not an .xlsx, too large or too many cells, no such sheet. The file is
                checked from its zip directory before anything is unpacked.
        """
        ...


class ImportSheetWriter(Protocol):
    """Writes workbooks that clerks fill in and hand in."""

    def write_template(self, templates: Sequence[SheetTemplate]) -> bytes:
        """Write an .xlsx with an empty sheet for each template, and one that explains them."""
        ...

    def write_marked(self, sheet: Sheet, *, header_row: int, marks: Mapping[int, str]) -> bytes:
        """Write a sheet as it was, with one last column that says what is wrong in which row.

        ``marks`` are reasons by row as Excel counts them; ``header_row`` counts from 0. A column
        of reasons from before gives way to the new one. Text is never a formula.
        """
        ...


class ColumnKind(StrEnum):
    """What the cells of a column hold, and so how they are shown."""

    TEXT = "text"
    FEN = "fen"
    """Whole fen, shown as yuan with two decimals."""
    COUNT = "count"
    DATE = "date"


@dataclass(frozen=True, slots=True)
class Column:
    """One column; ``width`` is relative, about as many Chinese characters as it should hold.

    Columns of more than 60 together make the page lie across.
    """

    title: str
    kind: ColumnKind
    width: int


TableCell = str | int | date | None
"""A number means what its column says; text may stand in any column; None is an empty cell."""


@dataclass(frozen=True, slots=True)
class TableDocument:
    """One table as people print and file it.

    ``facts`` are labels with their values above the table; ``rows`` and ``totals`` have one cell
    for each column; ``notes`` stand below: definitions, filter, as-of time. ``watermark`` marks
    every page.
    """

    title: str
    subtitle: str
    facts: Sequence[tuple[str, str]]
    columns: Sequence[Column]
    rows: Sequence[Sequence[TableCell]]
    totals: Sequence[Sequence[TableCell]]
    notes: Sequence[str]
    watermark: str = ""


class DocumentWriter(Protocol):
    """Writes tables as files; the same document always gives the same bytes."""

    def write_pdf(self, document: TableDocument) -> bytes:
        """Lay a table out on A4 pages with its header on each; wide tables lie across."""
        ...

    def write_workbook(self, documents: Sequence[TableDocument]) -> bytes:
        """Write an .xlsx with one sheet for each table, at least one; text is never a formula."""
        ...
