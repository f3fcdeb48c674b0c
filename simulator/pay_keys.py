"""Which key the platform signs with: its public-key pair or a platform certificate.

Source: https://pay.weixin.qq.com/docs/partner/products/platform-certificate/update-pub-key.html
and https://pay.weixin.qq.com/wiki/doc/apiv3/wechatpay/wechatpay5_0.shtml
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa

from simulator import certificates
from simulator.certificates import Certificate
from simulator.credentials import Merchant
from simulator.world import World

DEFAULT_MODE = "pubkey_only"
PLAIN_MODES = ("cert", "pubkey", "pubkey_only")
DEFAULT_PERCENT_NEW = 50
MOST_LIVE = 2


@dataclass(frozen=True)
class Signer:
    """A key of the platform and what `Wechatpay-Serial` calls it."""

    serial: str
    key: rsa.RSAPrivateKey


def is_mode(text: str) -> bool:
    """Tell whether this is a key mode: a plain one, or `grey:` and a percentage."""
    name, _, percent = text.partition(":")
    return text in PLAIN_MODES or (
        name == "grey" and percent.isascii() and percent.isdigit() and int(percent) <= 100
    )


def mode(world: World, merchant: Merchant) -> str:
    """Return the merchant's key mode."""
    return world.state.key_modes.get(merchant.mchid, DEFAULT_MODE)


def live_certificates(world: World, merchant: Merchant) -> list[Certificate]:
    """Return the certificates in use, the newest last: one, or two during a rotation."""
    with world.lock:
        added = list(world.state.new_certificates.get(merchant.mchid, []))
        count = world.state.live_certificates.get(merchant.mchid, 1)
    return [merchant.certificate, *(certificates.read(one) for one in added)][-count:]


def pems(world: World, merchant: Merchant) -> str:
    """Return the certificates in use, one PEM after the other."""
    return "".join(one.pem for one in live_certificates(world, merchant))


def _by_key(merchant: Merchant) -> Signer:
    return Signer(merchant.public_key_id, merchant.platform_key)


def _by_certificate(world: World, merchant: Merchant) -> Signer:
    live = live_certificates(world, merchant)
    percent_new = world.state.percent_new.get(merchant.mchid, DEFAULT_PERCENT_NEW)
    is_new = len(live) == 1 or _falls_in(world, percent_new)
    chosen = live[-1] if is_new else live[0]
    return Signer(chosen.serial, chosen.key)


def _falls_in(world: World, percent: int) -> bool:
    # Chance is asked only where there is one, so that seeded runs of the other modes stay alike.
    return percent == 100 or (percent > 0 and world.chance.share() * 100 < percent)


def for_callback(world: World, merchant: Merchant) -> Signer:
    """Return what signs the next callback; during a switch it is one or the other by chance."""
    name, _, percent = mode(world, merchant).partition(":")
    share = {"cert": 0, "grey": int(percent or 0)}.get(name, 100)
    if _falls_in(world, share):
        return _by_key(merchant)
    return _by_certificate(world, merchant)


def known(world: World, merchant: Merchant) -> list[Signer]:
    """Return what a request may name in `Wechatpay-Serial`."""
    now = mode(world, merchant)
    signers = [] if now == "cert" else [_by_key(merchant)]
    if now != "pubkey_only":
        signers += [Signer(one.serial, one.key) for one in live_certificates(world, merchant)]
    return signers


def for_answer(world: World, merchant: Merchant, asked: str | None) -> Signer:
    """Return what signs an answer: what the request named, else what the mode has by default."""
    for signer in known(world, merchant):
        if signer.serial == asked:
            return signer
    if mode(world, merchant) in ("pubkey", "pubkey_only"):
        return _by_key(merchant)
    return _by_certificate(world, merchant)


def rotate(world: World, merchant: Merchant, *, percent_new: int) -> Certificate:
    """Bring a new certificate into use beside the one of now, which signs the rest.

    A second rotation takes the oldest out of use.
    """
    made = certificates.new(world.chance, world.clock.time())
    with world.lock:
        world.state.new_certificates.setdefault(merchant.mchid, []).append(made)
        world.state.live_certificates[merchant.mchid] = MOST_LIVE
        world.state.percent_new[merchant.mchid] = percent_new
        world.changed()
    return certificates.read(made)


def retire(world: World, merchant: Merchant) -> None:
    """End a rotation: only the newest certificate stays in use."""
    with world.lock:
        world.state.live_certificates[merchant.mchid] = 1
        world.changed()
