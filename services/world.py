"""What the use-cases are given from outside: the adapters, and what the settings decide."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.consents import ConsentKind
from services.file_ports import FileStore, PhotoMaker
from services.pay_ports import PayChannels
from services.ports import (
    DocumentWriter,
    ImportSheetWriter,
    MailSender,
    MiniProgram,
    OfficialAccount,
    PasswordHasher,
    Probe,
    SecretBox,
    SmsSender,
    SubscribeSender,
    TotpCodes,
    WorkbookReader,
)
from services.printing import SlipWriter


class World(Protocol):
    """The adapters that the use-cases need; `gateways.Gateways` is one."""

    @property
    def mini_program(self) -> MiniProgram:
        """The mini-program."""
        ...

    @property
    def official_account(self) -> OfficialAccount:
        """The official account."""
        ...

    @property
    def subscribe(self) -> SubscribeSender:
        """Subscribe messages of the mini-program."""
        ...

    @property
    def sms(self) -> SmsSender:
        """Short messages."""
        ...

    @property
    def mail(self) -> MailSender:
        """E-mail."""
        ...

    @property
    def password_hasher(self) -> PasswordHasher:
        """Slow hashes."""
        ...

    @property
    def common_passwords(self) -> Container[str]:
        """Passwords that many people have, in lower case."""
        ...

    @property
    def secret_box(self) -> SecretBox:
        """Secrets that must be read again."""
        ...

    @property
    def totp(self) -> TotpCodes:
        """Authenticator apps."""
        ...

    @property
    def pay_channels(self) -> PayChannels:
        """All merchant accounts of WeChat Pay and Alipay."""
        ...

    @property
    def slips(self) -> SlipWriter:
        """Receipts and door codes as files."""
        ...

    @property
    def workbooks(self) -> WorkbookReader:
        """Spreadsheets."""
        ...

    @property
    def import_sheets(self) -> ImportSheetWriter:
        """Spreadsheets for clerks to fill in."""
        ...

    @property
    def documents(self) -> DocumentWriter:
        """Tables as files."""
        ...

    @property
    def file_store(self) -> FileStore:
        """Where the bytes of photos and documents lie."""
        ...

    @property
    def photo_maker(self) -> PhotoMaker:
        """Draws photos anew."""
        ...

    @property
    def probes(self) -> Sequence[Probe]:
        """What the doctor asks."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """Numbers and keys from the settings that rules need."""

    code_key: bytes
    sms_daily_cap: int
    delivery_width: int
    migration_heads: frozenset[str]
    public_base_url: str
    requires_totp: bool
    consent_versions: Mapping[ConsentKind, str]
