"""Platform certificates: X.509 as WeChat Pay's, signed by themselves."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from simulator import crypto
from simulator.chance import HEX, Chance

LIFETIME = timedelta(days=5 * 365)
HEAD_START = timedelta(days=30)


@dataclass(frozen=True)
class Certificate:
    """A platform certificate with its private key; the serial is 40 hexadecimal digits."""

    serial: str
    key: rsa.RSAPrivateKey
    pem: str

    @property
    def from_s(self) -> float:
        """The instant from which it is valid."""
        return _parsed(self.pem).not_valid_before_utc.timestamp()

    @property
    def until_s(self) -> float:
        """The instant until which it is valid."""
        return _parsed(self.pem).not_valid_after_utc.timestamp()


@cache
def _parsed(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def new(chance: Chance, now: float) -> dict[str, str]:
    """Make a certificate, valid for five years and a while back; the result is plain JSON."""
    key = crypto.new_rsa_key()
    # A serial is positive and at most 20 bytes, and the platform's have no zero in front.
    serial = (chance.text(1, "1234567") + chance.text(39, HEX)).upper()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Simulated Tenpay"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Simulated Tenpay sign"),
        ]
    )
    begin = datetime.fromtimestamp(int(now), UTC) - HEAD_START
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int(serial, 16))
        .not_valid_before(begin)
        .not_valid_after(begin + LIFETIME)
        .sign(key, hashes.SHA256())
    )
    return {
        "serial": serial,
        "key": crypto.private_pem(key),
        "pem": certificate.public_bytes(serialization.Encoding.PEM).decode(),
    }


@cache
def _key(pem: str) -> rsa.RSAPrivateKey:
    return crypto.load_private_pem(pem)


def read(data: dict[str, Any]) -> Certificate:
    """Build a certificate from what `new` returned."""
    return Certificate(serial=data["serial"], key=_key(data["key"]), pem=data["pem"])
