"""Payment and refund callbacks: how one is made, sealed and signed."""

import json
import uuid
from typing import Any

from simulator import crypto, pay_keys, pay_wire
from simulator.chance import ALNUM
from simulator.clock import beijing
from simulator.credentials import Merchant
from simulator.pay_keys import Signer
from simulator.world import World

SUMMARIES = {
    "TRANSACTION.SUCCESS": "支付成功",
    "REFUND.SUCCESS": "退款成功",
    "REFUND.ABNORMAL": "退款异常",
    "REFUND.CLOSED": "退款关闭",
}


def seal(
    world: World,
    merchant: Merchant,
    resource: dict[str, Any],
    *,
    event_type: str = "TRANSACTION.SUCCESS",
    apiv3_key: str | None = None,
) -> str:
    """Return the body of a callback with its resource encrypted."""
    original = "refund" if event_type.startswith("REFUND.") else "transaction"
    nonce = world.chance.text(12, ALNUM)
    plain = json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode()
    body = {
        "id": str(uuid.uuid4()),
        "create_time": beijing(world.clock.time()),
        "resource_type": "encrypt-resource",
        "event_type": event_type,
        "summary": SUMMARIES.get(event_type, event_type),
        "resource": {
            "original_type": original,
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": crypto.encrypt_resource(
                plain,
                apiv3_key=apiv3_key or merchant.apiv3_key,
                nonce=nonce,
                associated_data=original,
            ),
            "associated_data": original,
            "nonce": nonce,
        },
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def headers(
    world: World,
    merchant: Merchant,
    body: str,
    *,
    timestamp: int | None = None,
    signer: Signer | None = None,
) -> dict[str, str]:
    """Return the headers of one delivery, signed now unless another time is given.

    Who signs is the merchant's key mode's choice, unless it is given.
    """
    signer = signer or pay_keys.for_callback(world, merchant)
    return {
        "Content-Type": "application/json",
        "Accept": "*/*",
        "User-Agent": "Mozilla/4.0",
        "Pragma": "no-cache",
        "Request-ID": world.chance.text(40),
        **pay_wire.signature_headers(world, body.encode(), signer=signer, timestamp=timestamp),
    }
