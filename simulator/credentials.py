"""The accounts on the platforms: two tenants' apps, merchants and Alipay apps, and one for SMS.

They are made once and kept in a file, as one opens accounts once. The second tenant exists so
that mixed-up openids, appids and keys are caught.
"""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from simulator import alipay_accounts, certificates, crypto, message_templates
from simulator.alipay_accounts import AlipayApp
from simulator.certificates import Certificate
from simulator.chance import ALNUM, BASE64URL, HEX, Chance

SIGN_NAME = "安居物业"


@dataclass(frozen=True)
class App:
    """A mini-program or an official account."""

    kind: str
    appid: str
    secret: str
    token: str
    aes_key: str
    original_id: str
    tenant: str


@dataclass(frozen=True)
class Merchant:
    """A WeChat Pay merchant together with the platform's keys that speak to it."""

    mchid: str
    apiv3_key: str
    key: rsa.RSAPrivateKey
    serial: str
    platform_key: rsa.RSAPrivateKey
    public_key_id: str
    certificate: Certificate
    appids: frozenset[str]
    tenant: str


@dataclass(frozen=True)
class SmsAccount:
    """A Tencent Cloud account with one SMS application."""

    secret_id: str
    secret_key: str
    app_id: str


@dataclass(frozen=True)
class MailAccount:
    """An account at the mail server."""

    username: str
    password: str


@dataclass(frozen=True)
class Credentials:
    """All accounts of the platform."""

    apps: dict[str, App]
    merchants: dict[str, Merchant]
    sms: SmsAccount
    templates: dict[str, str]
    identity_salt: str
    alipay: dict[str, AlipayApp]
    mail: MailAccount

    def app(self, kind: str, tenant: str = "main") -> App:
        """Return the tenant's mini-program or official account."""
        return next(a for a in self.apps.values() if (a.kind, a.tenant) == (kind, tenant))

    def merchant(self, tenant: str = "main") -> Merchant:
        """Return the tenant's merchant."""
        return next(m for m in self.merchants.values() if m.tenant == tenant)

    def alipay_app(self, tenant: str = "main") -> AlipayApp:
        """Return the tenant's app on Alipay."""
        return next(a for a in self.alipay.values() if a.tenant == tenant)

    def as_console(
        self,
        base_url: str,
        tenant: str = "main",
        *,
        platform_certificates: str = "",
        mail_port: int = 0,
    ) -> dict[str, str]:
        """Return what one copies from the platforms' consoles, named as the settings are.

        Of the platform certificates it is those given, or else the first.
        """
        mini, official = self.app("miniapp", tenant), self.app("official", tenant)
        merchant = self.merchant(tenant)
        return {
            "WECHAT_MINIAPP_APPID": mini.appid,
            "WECHAT_MINIAPP_SECRET": mini.secret,
            "WECHAT_MINIAPP_TOKEN": mini.token,
            "WECHAT_MINIAPP_AES_KEY": mini.aes_key,
            "WECHAT_OFFICIAL_APPID": official.appid,
            "WECHAT_OFFICIAL_SECRET": official.secret,
            "WECHAT_OFFICIAL_TOKEN": official.token,
            "WECHAT_OFFICIAL_AES_KEY": official.aes_key,
            "WECHAT_API_BASE": f"{base_url}/wx/",
            "WECHAT_OPEN_BASE": f"{base_url}/wx",
            "WECHAT_TEMPLATE_BILL_PUBLISHED": self.templates["wx_bill_published"],
            "WECHAT_TEMPLATE_PAYMENT_RECEIVED": self.templates["wx_payment_received"],
            "WECHAT_TEMPLATES": message_templates.official(self.templates),
            "WECHAT_SUBSCRIBE_TEMPLATES": message_templates.subscribe(self.templates),
            "WECHATPAY_MCHID": merchant.mchid,
            "WECHATPAY_APIV3_KEY": merchant.apiv3_key,
            "WECHATPAY_PRIVATE_KEY": crypto.private_pem(merchant.key),
            "WECHATPAY_CERT_SERIAL": merchant.serial,
            "WECHATPAY_PUBLIC_KEY": crypto.public_pem(merchant.platform_key),
            "WECHATPAY_PUBLIC_KEY_ID": merchant.public_key_id,
            "WECHATPAY_PLATFORM_CERTIFICATES": platform_certificates or merchant.certificate.pem,
            "WECHATPAY_API_BASE": f"{base_url}/pay",
            **self.alipay_app(tenant).as_console(base_url),
            "SMS_PROVIDER": "tencent",
            "SMS_SECRET_ID": self.sms.secret_id,
            "SMS_SECRET_KEY": self.sms.secret_key,
            "SMS_APP_ID": self.sms.app_id,
            "SMS_SIGN_NAME": SIGN_NAME,
            "SMS_TEMPLATE_LOGIN_CODE": self.templates["sms_login_code"],
            "SMS_TEMPLATE_BILL_PUBLISHED": self.templates["sms_bill_published"],
            "SMS_TEMPLATE_PAYMENT_RECEIVED": self.templates["sms_payment_received"],
            "SMS_TEMPLATE_HOUSE_REGISTERED": self.templates["sms_house_registered"],
            "SMS_TEMPLATES": message_templates.sms(self.templates),
            "SMS_API_BASE": base_url,
            "MAIL_HOST": "127.0.0.1",
            "MAIL_PORT": str(mail_port),
            "MAIL_SECURITY": "none",
            "MAIL_USERNAME": self.mail.username,
            "MAIL_PASSWORD": self.mail.password,
            "MAIL_SENDER": self.mail.username,
        }


def _new_app(chance: Chance, *, kind: str, tenant: str) -> dict[str, str]:
    return {
        "kind": kind,
        "tenant": tenant,
        "appid": "wx" + chance.text(16, HEX),
        "secret": chance.text(32, HEX),
        "token": chance.text(24),
        # 43 characters of base64 make 32 bytes only if the last one's two lowest bits are zero.
        "aes_key": chance.text(42) + chance.text(1, "AEIMQUYcgkosw048"),
        "original_id": "gh_" + chance.text(12, HEX),
    }


def _new_merchant(chance: Chance, *, tenant: str, appids: list[str]) -> dict[str, Any]:
    mchid = "16" + chance.digits(8)
    return {
        "mchid": mchid,
        "tenant": tenant,
        "apiv3_key": chance.text(32),
        "key": crypto.private_pem(crypto.new_rsa_key()),
        "serial": chance.text(40, HEX).upper(),
        "platform_key": crypto.private_pem(crypto.new_rsa_key()),
        "public_key_id": f"PUB_KEY_ID_01{mchid}2024112900{chance.digits(12)}",
        "certificate": certificates.new(chance, time.time()),
        "appids": appids,
    }


def make(chance: Chance) -> dict[str, Any]:
    """Open all accounts; the result is plain JSON."""
    apps: list[dict[str, str]] = []
    merchants: list[dict[str, Any]] = []
    for tenant in ("main", "foreign"):
        own = [_new_app(chance, kind=kind, tenant=tenant) for kind in ("miniapp", "official")]
        apps += own
        merchants.append(_new_merchant(chance, tenant=tenant, appids=[app["appid"] for app in own]))
    return {
        "apps": apps,
        "merchants": merchants,
        "sms": {
            "secret_id": "AKID" + chance.text(32, ALNUM),
            "secret_key": chance.text(32, ALNUM),
            "app_id": "1400" + chance.digits(6),
        },
        "templates": {
            "wx_bill_published": chance.text(43, BASE64URL),
            "wx_payment_received": chance.text(43, BASE64URL),
            **message_templates.make(chance),
            "sms_login_code": chance.digits(7),
            "sms_bill_published": chance.digits(7),
            "sms_payment_received": chance.digits(7),
            "sms_house_registered": chance.digits(7),
        },
        "identity_salt": chance.text(32),
        "alipay": alipay_accounts.make(chance),
        "mail": _new_mail(chance),
    }


def _new_mail(chance: Chance) -> dict[str, str]:
    return {"username": f"anju{chance.digits(4)}@mail.example", "password": chance.text(24)}


def read(data: dict[str, Any]) -> Credentials:
    """Build the accounts from what `make` returned."""
    merchants = [
        Merchant(
            **{
                **one,
                "key": crypto.load_private_pem(one["key"]),
                "platform_key": crypto.load_private_pem(one["platform_key"]),
                "certificate": certificates.read(one["certificate"]),
                "appids": frozenset(one["appids"]),
            }
        )
        for one in data["merchants"]
    ]
    return Credentials(
        apps={one["appid"]: App(**one) for one in data["apps"]},
        merchants={one.mchid: one for one in merchants},
        sms=SmsAccount(**data["sms"]),
        templates=data["templates"],
        identity_salt=data["identity_salt"],
        alipay=alipay_accounts.read(data["alipay"]),
        mail=MailAccount(**data["mail"]),
    )


def _complete(data: dict[str, Any], chance: Chance) -> bool:
    """Add what accounts opened by an older version lack; tell whether anything was added."""
    lacking = [one for one in data["merchants"] if "certificate" not in one]
    for merchant in lacking:
        merchant["certificate"] = certificates.new(chance, time.time())
    lacks_alipay = "alipay" not in data
    if lacks_alipay:
        data["alipay"] = alipay_accounts.make(chance)
    lacks_mail = "mail" not in data
    if lacks_mail:
        data["mail"] = _new_mail(chance)
    lacks_templates = not set(data["templates"]) >= message_templates.NAMES
    if lacks_templates:
        data["templates"] = message_templates.make(chance) | data["templates"]
    return bool(lacking) or lacks_alipay or lacks_mail or lacks_templates


def _write(path: Path, data: dict[str, Any]) -> None:
    scratch = path.with_suffix(".tmp")
    scratch.touch(mode=0o600)
    scratch.write_text(json.dumps(data, ensure_ascii=False, indent=1), "utf-8")
    os.replace(scratch, path)


def load_or_make(folder: Path | None, chance: Chance) -> Credentials:
    """Read the accounts from the folder, or open them and write them there.

    Accounts kept by an older version get what they lack; the others stay as they are.
    """
    if folder is None:
        return read(make(chance))
    path = folder / "credentials.json"
    if not path.exists():
        _write(path, make(chance))
    data = json.loads(path.read_text("utf-8"))
    if _complete(data, chance):
        _write(path, data)
    return read(data)
