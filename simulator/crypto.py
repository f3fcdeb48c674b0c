"""Signing and encryption as the platforms do it, written from their pages and from no SDK."""

import base64
import binascii
import hashlib
import hmac
import os
import struct

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PKCS7_BLOCK = 32  # WeChat pads to 32 bytes although the AES block is 16.


class Undecipherable(Exception):
    """An encrypted message that cannot be opened; the text says at which step."""


def push_signature(*parts: str) -> str:
    """Return the SHA-1 of the sorted, joined parts.

    Source: https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.md
    """
    joined = "".join(sorted(parts)).encode()
    return hashlib.sha1(joined, usedforsecurity=False).hexdigest()


def _push_cipher(aes_key: str) -> Cipher[modes.CBC]:
    key = base64.b64decode(aes_key + "=")
    return Cipher(algorithms.AES(key), modes.CBC(key[:16]))


def encrypt_push(
    plain: bytes, *, aes_key: str, appid: str, random_bytes: bytes | None = None
) -> str:
    """Encrypt one message in safe mode: 16 random bytes, length, message, appid, padding."""
    head = os.urandom(16) if random_bytes is None else random_bytes
    packed = head + struct.pack(">I", len(plain)) + plain + appid.encode()
    fill = PKCS7_BLOCK - len(packed) % PKCS7_BLOCK
    encryptor = _push_cipher(aes_key).encryptor()
    padded = packed + bytes([fill]) * fill
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def decrypt_push(cipher_text: str, *, aes_key: str, appid: str) -> bytes:
    """Open one safe-mode message and check the appid inside.

    Raises:
        Undecipherable: it is malformed, badly padded or made for another appid.
    """
    try:
        raw = base64.b64decode(cipher_text, validate=True)
    except binascii.Error as error:
        raise Undecipherable("Encrypt is not base64") from error
    if not raw or len(raw) % 16:
        raise Undecipherable("Encrypt is no whole number of AES blocks")
    decryptor = _push_cipher(aes_key).decryptor()
    padded = decryptor.update(raw) + decryptor.finalize()
    fill = padded[-1]
    if not 1 <= fill <= PKCS7_BLOCK or padded[-fill:] != bytes([fill]) * fill:
        raise Undecipherable("the padding is wrong")
    packed = padded[:-fill]
    if len(packed) < 20:
        raise Undecipherable("the message is too short")
    (length,) = struct.unpack(">I", packed[16:20])
    if packed[20 + length :] != appid.encode():
        raise Undecipherable("the appid inside is another one")
    return packed[20 : 20 + length]


def rsa_sign(key: rsa.RSAPrivateKey, message: bytes) -> str:
    """Sign with SHA-256 and PKCS #1 v1.5; the result is base64."""
    return base64.b64encode(key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode()


def is_rsa_signature(key: rsa.RSAPublicKey, message: bytes, signature: str) -> bool:
    """Tell whether the base64 signature is this key's over these bytes."""
    try:
        raw = base64.b64decode(signature, validate=True)
        key.verify(raw, message, padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, InvalidSignature):
        return False
    return True


def lines(*parts: str | bytes) -> bytes:
    r"""Join parts in WeChat Pay's form: each ends with `\n`, the last one too."""
    return b"".join((p if isinstance(p, bytes) else p.encode()) + b"\n" for p in parts)


def encrypt_resource(plain: bytes, *, apiv3_key: str, nonce: str, associated_data: str) -> str:
    """Encrypt a callback's resource with AES-256-GCM; the result is base64."""
    sealed = AESGCM(apiv3_key.encode()).encrypt(nonce.encode(), plain, associated_data.encode())
    return base64.b64encode(sealed).decode()


def tc3_signature(
    *,
    secret_key: str,
    canonical_request: bytes,
    timestamp: int,
    day: str,
    service: str,
) -> str:
    """Return Tencent Cloud's TC3-HMAC-SHA256 signature in hexadecimal.

    Source: https://cloud.tencent.com/document/api/382/52072
    """
    digest = hashlib.sha256(canonical_request).hexdigest()
    scope = f"{day}/{service}/tc3_request"
    to_sign = f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{digest}"
    key = ("TC3" + secret_key).encode()
    for part in (day, service, "tc3_request", to_sign):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()


def new_rsa_key() -> rsa.RSAPrivateKey:
    """Make a 2048-bit key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_pem(key: rsa.RSAPrivateKey) -> str:
    """Write a key as PKCS #8 PEM without a passphrase."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def public_pem(key: rsa.RSAPrivateKey) -> str:
    """Write the public half as PEM."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def load_private_pem(text: str) -> rsa.RSAPrivateKey:
    """Read what `private_pem` wrote."""
    key = serialization.load_pem_private_key(text.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("not an RSA key")
    return key
