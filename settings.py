"""The settings of the product, read once from the environment by ``wsgi.py``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

_SECRET_MIN_LENGTH = 16
_AES_KEY_LENGTH = 43
_MAIL_SECURITIES = ("tls", "starttls", "none")
_YES_OR_NO = ("yes", "no")
_MINIAPP_STATES = ("formal", "trial", "developer")
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_NEVER_INSIDE = ("change-me", "changeme")
_PLACEHOLDERS = ("change-me", "changeme", "secret", "dev", "test", "password")


class SettingsMissing(Exception):
    """Settings that production cannot do without are absent or left at a placeholder."""

    def __init__(self, names: list[str]) -> None:
        super().__init__("Missing or unsafe settings: " + ", ".join(names))
        self.names = names


def _secret(**changes: Any) -> Any:
    return field(metadata={"secret": True}, repr=False, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting; the environment variable is the field's name in capitals.

    ``.env.example`` explains each one. Fields without a default must be set everywhere.
    """

    database_url: str = _secret()
    redis_url: str = _secret()
    secret_key: str = _secret()
    anju_env: str = "production"
    public_base_url: str
    trusted_hosts: tuple[str, ...]
    proxy_hops: int = 0
    log_level: str = "INFO"
    database_pool_size: int = 10
    metrics_token: str = _secret(default="")
    delivery_width: int = 20

    wechat_api_base: str = "https://api.weixin.qq.com/"
    wechat_miniapp_appid: str
    wechat_miniapp_secret: str = _secret()
    wechat_miniapp_token: str = _secret()
    wechat_miniapp_aes_key: str = _secret()
    wechat_open_base: str = "https://open.weixin.qq.com"
    wechat_official_appid: str
    wechat_official_secret: str = _secret()
    wechat_official_token: str = _secret()
    wechat_official_aes_key: str = _secret()
    wechat_template_bill_published: str
    wechat_template_payment_received: str
    wechat_templates: tuple[str, ...] = ()
    wechat_subscribe_templates: tuple[str, ...] = ()
    wechat_miniapp_state: str = "formal"

    wechatpay_api_base: str = "https://api.mch.weixin.qq.com"
    wechatpay_mchid: str
    wechatpay_apiv3_key: str = _secret()
    wechatpay_private_key: str = _secret()
    wechatpay_cert_serial: str
    wechatpay_public_key: str = ""
    wechatpay_public_key_id: str = ""
    wechatpay_platform_certificates: str = ""

    alipay_api_base: str = "https://openapi.alipay.com/gateway.do"
    alipay_app_id: str = ""
    alipay_seller_id: str = ""
    alipay_private_key: str = _secret(default="")
    alipay_public_key: str = ""

    merchants_file: str = ""

    sms_provider: str = "tencent"
    sms_api_base: str = "https://sms.tencentcloudapi.com"
    sms_secret_id: str = _secret()
    sms_secret_key: str = _secret()
    sms_app_id: str
    sms_sign_name: str
    sms_template_login_code: str
    sms_template_bill_published: str
    sms_template_payment_received: str
    sms_template_house_registered: str
    sms_templates: tuple[str, ...] = ()
    sms_daily_cap: int = 5000

    mail_host: str = ""
    mail_port: int = 465
    mail_security: str = "tls"
    mail_username: str = ""
    mail_password: str = _secret(default="")
    mail_sender: str = ""

    require_totp: str = "no"

    files_dir: str = "/var/lib/anju/files"
    files_url: str = _secret(default="")

    privacy_policy_version: str = "2026-11-25"
    terms_version: str = "2026-11-25"

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read every field from its variable.

        Raises:
            SettingsMissing: names all variables that are missing, not a number, or, in production,
                a secret too short or left at a placeholder. Nothing starts half-configured.
        """
        found: dict[str, Any] = {}
        wrong: list[str] = []
        production = environ.get("ANJU_ENV", "production") != "development"
        for each in fields(cls):
            name = each.name.upper()
            raw = environ.get(name, "").strip()
            if not raw:
                if each.default is MISSING:
                    wrong.append(name)
                continue
            if production and each.metadata.get("secret") and _is_placeholder(raw):
                wrong.append(name)
                continue
            try:
                found[each.name] = _parse(each.type, raw)
            except ValueError:
                wrong.append(name)
        wrong += _unusable(found, production=production)
        wrong += [name for name in _incomplete_accounts(found) if name not in wrong]
        if wrong:
            raise SettingsMissing(wrong)
        found["public_base_url"] = found["public_base_url"].rstrip("/")
        return cls(**found)


def _is_placeholder(raw: str) -> bool:
    lowered = raw.lower()
    return (
        len(raw) < _SECRET_MIN_LENGTH
        or lowered.startswith(_PLACEHOLDERS)
        or any(word in lowered for word in _NEVER_INSIDE)
    )


def _unusable(found: Mapping[str, Any], *, production: bool) -> list[str]:
    """Name the values that are there and cannot work, each with what it should be."""
    wrong = [
        f"{name.upper()} (43 characters)"
        for name in found
        if name.endswith("_aes_key") and len(found[name]) != _AES_KEY_LENGTH
    ]
    if found.get("log_level", "INFO") not in _LOG_LEVELS:
        wrong.append(f"LOG_LEVEL ({', '.join(_LOG_LEVELS)})")
    if found.get("mail_security", "tls") not in _MAIL_SECURITIES:
        wrong.append(f"MAIL_SECURITY ({', '.join(_MAIL_SECURITIES)})")
    if production and "mail_host" in found and found.get("mail_security") == "none":
        wrong.append("MAIL_SECURITY (tls, starttls)")
    if found.get("wechat_miniapp_state", "formal") not in _MINIAPP_STATES:
        wrong.append(f"WECHAT_MINIAPP_STATE ({', '.join(_MINIAPP_STATES)})")
    if found.get("require_totp", "no") not in _YES_OR_NO:
        wrong.append(f"REQUIRE_TOTP ({', '.join(_YES_OR_NO)})")
    if production:
        wrong += [
            f"{name.upper()} (https)"
            for name in found
            if name.endswith("_base") or name == "public_base_url"
            if not found[name].startswith("https://")
        ]
    return wrong


def _incomplete_accounts(found: Mapping[str, Any]) -> list[str]:
    """Name what the accounts lack: Alipay and mail all or nothing, WeChat Pay one kind of key."""
    pair = ("wechatpay_public_key", "wechatpay_public_key_id")
    alipay = ("alipay_app_id", "alipay_seller_id", "alipay_private_key", "alipay_public_key")
    needed = ["mail_sender"] if "mail_host" in found else []
    if "mail_username" in found:
        needed.append("mail_password")
    needed += list(alipay) if any(name in found for name in alipay) else []
    if any(name in found for name in pair):
        needed += pair
    elif "wechatpay_platform_certificates" not in found:
        needed += [*pair, "wechatpay_platform_certificates"]
    return [name.upper() for name in needed if name not in found]


def _parse(kind: Any, raw: str) -> Any:
    if kind == "int":
        # int() alone would take "-1", "1_000" and digits of other scripts.
        if not (raw.isascii() and raw.isdigit() and len(raw) < 10):
            raise ValueError(raw)
        return int(raw)
    if kind == "tuple[str, ...]":
        parts = tuple(part.strip() for part in raw.split(",") if part.strip())
        if not parts:
            raise ValueError(raw)
        return parts
    return raw.replace("\\n", "\n")
