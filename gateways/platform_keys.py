"""Keys as the settings hold them: our private ones, and the platforms' with which they sign."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

_BARE = re.compile(r"[A-Za-z0-9+/=\s]{64,}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PlatformKey:
    """A key that a platform signs with; a certificate's is good for a time only."""

    key: RSAPublicKey
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def is_valid_at(self, instant: datetime) -> bool:
        """Whether it may be believed at an instant; a bare public key always may."""
        if self.valid_from is not None and instant < self.valid_from:
            return False
        return self.valid_until is None or instant <= self.valid_until


def read_public_key(text: str) -> RSAPublicKey:
    """Read a public key: PEM, or its bare base64 as Alipay's console shows it.

    Raises:
        ValueError: it is none, or not RSA; the text is not repeated.
    """
    try:
        key = load_pem_public_key(_as_pem(text, "PUBLIC KEY"))
    except ValueError:
        raise ValueError("not a public key") from None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("not an RSA key")
    return key


def read_private_key(text: str) -> RSAPrivateKey:
    """Read a private key: PEM, or bare base64 in either form that Alipay's tool writes.

    Raises:
        ValueError: it is none, or not RSA; the text is not repeated.
    """
    for label in ("PRIVATE KEY", "RSA PRIVATE KEY"):
        try:
            key = load_pem_private_key(_as_pem(text, label), password=None)
        except (ValueError, TypeError):
            continue
        if isinstance(key, RSAPrivateKey):
            return key
    raise ValueError("not a private key")


def private_pem(key: RSAPrivateKey) -> str:
    """Write a private key in the one form that every SDK reads."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def public_pem(key: RSAPublicKey) -> str:
    """Write a public key in the one form that every SDK reads."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def read_certificates(pems: str) -> Mapping[str, PlatformKey]:
    """Read certificates, one PEM after the other, by serial as ``Wechatpay-Serial`` writes it.

    Raises:
        ValueError: there is none, or one cannot be read.
    """
    try:
        found = dict(map(_of_certificate, x509.load_pem_x509_certificates(pems.encode())))
    except ValueError:
        raise ValueError("not certificates") from None
    return found


def last_expiry(keys: Mapping[str, PlatformKey]) -> datetime | None:
    """Tell when the last of the certificates expires; None if there is none."""
    return max(_expiries(keys), default=None)


def _expiries(keys: Mapping[str, PlatformKey]) -> Iterator[datetime]:
    return (one.valid_until for one in keys.values() if one.valid_until is not None)


def _of_certificate(certificate: x509.Certificate) -> tuple[str, PlatformKey]:
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("not an RSA key")
    return f"{certificate.serial_number:X}", PlatformKey(
        key, certificate.not_valid_before_utc, certificate.not_valid_after_utc
    )


def _as_pem(text: str, label: str) -> bytes:
    stripped = text.strip()
    if _BARE.fullmatch(stripped):
        body = "".join(stripped.split())
        lines = [body[start : start + 64] for start in range(0, len(body), 64)]
        stripped = "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"])
    return stripped.encode()
