"""Merchant accounts with their keys: the defaults from the settings, more from a TOML file.

All that cannot work is named at once, by entry and field; no value is ever repeated.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from gateways.platform_keys import (
    PlatformKey,
    read_certificates,
    read_private_key,
    read_public_key,
)
from settings import Settings, SettingsMissing

_WECHAT_FIELDS = ("mchid", "apiv3_key", "private_key", "cert_serial")
_WECHAT_OPTIONAL = ("public_key", "public_key_id", "platform_certificates", "api_base")
_ALIPAY_FIELDS = ("app_id", "seller_id", "private_key", "public_key")
_ALIPAY_OPTIONAL = ("api_base",)
_APIV3_KEY_BYTES = 32
_FILE_LIMIT = 1024 * 1024

_Namer = Callable[[str], str]
_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True, kw_only=True)
class WechatAccount:
    """A merchant of WeChat Pay; ``platform_keys`` are those by which its answers are believed.

    ``public_key_id`` is empty when the platform signs by certificates alone.
    """

    mchid: str
    miniapp_appid: str
    official_appid: str
    cert_serial: str
    api_base: str
    notify_url: str
    public_key_id: str
    platform_keys: Mapping[str, PlatformKey]
    private_key: RSAPrivateKey = field(repr=False)
    apiv3_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlipayAccount:
    """An app on Alipay and the seller behind it."""

    app_id: str
    seller_id: str
    api_base: str
    notify_url: str
    public_key: RSAPublicKey
    private_key: RSAPrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class MerchantAccounts:
    """All accounts, the default of each channel first; Alipay may have none."""

    wechat: tuple[WechatAccount, ...]
    alipay: tuple[AlipayAccount, ...]


def read_accounts(settings: Settings) -> MerchantAccounts:
    """Read the accounts of the settings and of ``MERCHANTS_FILE``.

    Raises:
        SettingsMissing: names every entry and field that is absent, unknown, unreadable or twice.
    """
    reader = _Reader(settings)
    reader.read_defaults()
    if settings.merchants_file:
        reader.read_file(Path(settings.merchants_file))
    reader.refuse_doubles()
    if reader.wrong:
        raise SettingsMissing(reader.wrong)
    return MerchantAccounts(tuple(reader.wechat), tuple(reader.alipay))


class _Reader:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.wrong: list[str] = []
        self.wechat: list[WechatAccount] = []
        self.alipay: list[AlipayAccount] = []

    def read_defaults(self) -> None:
        values = _of_settings(self._settings, "wechatpay", _WECHAT_FIELDS + _WECHAT_OPTIONAL)
        self._add_wechat(values, lambda name: f"WECHATPAY_{name.upper()}")
        if self._settings.alipay_app_id:
            values = _of_settings(self._settings, "alipay", _ALIPAY_FIELDS + _ALIPAY_OPTIONAL)
            self._add_alipay(values, lambda name: f"ALIPAY_{name.upper()}")

    def read_file(self, path: Path) -> None:
        try:
            tables = tomllib.loads(_short_text(path))
        except (OSError, ValueError):
            # A TOML error may quote the line, and the line may be a key.
            self.wrong.append("MERCHANTS_FILE (a readable TOML file)")
            return
        for kind, known, add in (
            ("wechatpay", _WECHAT_FIELDS + _WECHAT_OPTIONAL, self._add_wechat),
            ("alipay", _ALIPAY_FIELDS + _ALIPAY_OPTIONAL, self._add_alipay),
        ):
            for number, table in self._tables(tables, kind):
                named = _file_namer(kind, number)
                add(self._of_table(table, known, path.parent, named), named)
        self.wrong += [
            f"MERCHANTS_FILE {name} (unknown)"
            for name in sorted(set(tables) - {"wechatpay", "alipay"})
            if name.isidentifier()
        ]

    def _tables(self, tables: Mapping[str, Any], kind: str) -> Iterator[tuple[int, dict[str, Any]]]:
        entries = tables.get(kind, [])
        if not isinstance(entries, list) or not all(isinstance(one, dict) for one in entries):
            self.wrong.append(f"MERCHANTS_FILE {kind} (written as [[{kind}]])")
            return
        yield from enumerate(entries, start=1)

    def _of_table(
        self, table: Mapping[str, Any], known: tuple[str, ...], folder: Path, named: _Namer
    ) -> dict[str, str]:
        values: dict[str, str] = {}
        for key, value in table.items():
            name = key.removesuffix("_file")
            if name not in known or not isinstance(value, str) or name in values:
                self.wrong.append(named(key if key.isidentifier() else "?") + " (unknown or twice)")
                continue
            try:
                values[name] = _short_text(folder / value) if name != key else value
            except (OSError, ValueError):
                self.wrong.append(named(key) + " (a readable file)")
        return {name: value.strip() for name, value in values.items()}

    def _add_wechat(self, values: Mapping[str, str], named: _Namer) -> None:
        wrong = _missing(values, _WECHAT_FIELDS)
        private_key = _read(read_private_key, values, "private_key", wrong)
        if len(values.get("apiv3_key", "").encode()) != _APIV3_KEY_BYTES:
            wrong.append("apiv3_key")
        platform_keys = _platform_keys(values, wrong)
        self.wrong += [named(name) for name in dict.fromkeys(wrong)]
        if wrong or private_key is None:
            return
        self.wechat.append(
            WechatAccount(
                mchid=values["mchid"],
                miniapp_appid=self._settings.wechat_miniapp_appid,
                official_appid=self._settings.wechat_official_appid,
                cert_serial=values["cert_serial"],
                api_base=self._base(values, self._settings.wechatpay_api_base, named).rstrip("/"),
                notify_url=f"{self._settings.public_base_url.rstrip('/')}/notify/wechatpay",
                public_key_id=values.get("public_key_id", ""),
                platform_keys=platform_keys,
                private_key=private_key,
                apiv3_key=values["apiv3_key"],
            )
        )

    def _add_alipay(self, values: Mapping[str, str], named: _Namer) -> None:
        wrong = _missing(values, _ALIPAY_FIELDS)
        private_key = _read(read_private_key, values, "private_key", wrong)
        public_key = _read(read_public_key, values, "public_key", wrong)
        self.wrong += [named(name) for name in dict.fromkeys(wrong)]
        if wrong or private_key is None or public_key is None:
            return
        self.alipay.append(
            AlipayAccount(
                app_id=values["app_id"],
                seller_id=values["seller_id"],
                api_base=self._base(values, self._settings.alipay_api_base, named),
                notify_url=f"{self._settings.public_base_url.rstrip('/')}/notify/alipay",
                public_key=public_key,
                private_key=private_key,
            )
        )

    def _base(self, values: Mapping[str, str], default: str, named: _Namer) -> str:
        base = values.get("api_base") or default
        is_safe = base.startswith("https://") or self._settings.anju_env == "development"
        if not is_safe:
            self.wrong.append(named("api_base") + " (https)")
        return base

    def refuse_doubles(self) -> None:
        for kind, name, numbers in (
            ("wechatpay", "mchid", [one.mchid for one in self.wechat]),
            ("alipay", "app_id", [one.app_id for one in self.alipay]),
            ("alipay", "seller_id", [one.seller_id for one in self.alipay]),
        ):
            twice = sorted({one for one in numbers if numbers.count(one) > 1})
            self.wrong += [f"MERCHANTS_FILE {kind} {name} {number} (twice)" for number in twice]


def _of_settings(settings: Settings, kind: str, names: tuple[str, ...]) -> dict[str, str]:
    return {name: getattr(settings, f"{kind}_{name}") for name in names}


def _file_namer(kind: str, number: int) -> _Namer:
    return lambda name: f"MERCHANTS_FILE {kind}[{number}].{name}"


def _short_text(path: Path) -> str:
    with path.open("rb") as file:
        raw = file.read(_FILE_LIMIT + 1)
    if len(raw) > _FILE_LIMIT:
        raise ValueError("too long")
    return raw.decode("utf-8")


def _missing(values: Mapping[str, str], names: tuple[str, ...]) -> list[str]:
    return [name for name in names if not values.get(name)]


def _read(
    read: Callable[[str], _Key], values: Mapping[str, str], name: str, wrong: list[str]
) -> _Key | None:
    try:
        return read(values.get(name, ""))
    except ValueError:
        wrong.append(name)
        return None


def _platform_keys(values: Mapping[str, str], wrong: list[str]) -> Mapping[str, PlatformKey]:
    """Gather the public key and the certificates: one kind is needed, both serve a switch."""
    keys: dict[str, PlatformKey] = {}
    if values.get("platform_certificates"):
        keys.update(_read(read_certificates, values, "platform_certificates", wrong) or {})
    elif not values.get("public_key") and not values.get("public_key_id"):
        wrong += ["public_key", "public_key_id", "platform_certificates"]
        return keys
    if values.get("public_key") or values.get("public_key_id"):
        wrong += _missing(values, ("public_key", "public_key_id"))
        public_key = _read(read_public_key, values, "public_key", wrong)
        if public_key is not None:
            keys[values.get("public_key_id", "")] = PlatformKey(public_key)
    return keys
