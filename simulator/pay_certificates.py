"""WeChat Pay's list of platform certificates, encrypted for the merchant.

Source: https://pay.weixin.qq.com/wiki/doc/apiv3/apis/chapter7_1_3.shtml
"""

from typing import Any

from flask import Blueprint, Response

from simulator import crypto, pay_keys
from simulator.certificates import Certificate
from simulator.chance import ALNUM
from simulator.clock import beijing
from simulator.credentials import Merchant
from simulator.pay_orders import merchant_call
from simulator.pay_wire import Refused, authenticate, json_answer
from simulator.world import World, the_world

bp = Blueprint("pay_certificates", __name__, url_prefix="/pay/v3")


def _entry(world: World, merchant: Merchant, certificate: Certificate) -> dict[str, Any]:
    nonce = world.chance.text(12, ALNUM)
    return {
        "serial_no": certificate.serial,
        "effective_time": beijing(certificate.from_s),
        "expire_time": beijing(certificate.until_s),
        "encrypt_certificate": {
            "algorithm": "AEAD_AES_256_GCM",
            "nonce": nonce,
            "associated_data": "certificate",
            "ciphertext": crypto.encrypt_resource(
                certificate.pem.encode(),
                apiv3_key=merchant.apiv3_key,
                nonce=nonce,
                associated_data="certificate",
            ),
        },
    }


@bp.get("/certificates")
@merchant_call
def certificates() -> Response:
    """List the certificates in use; a merchant that has only the public key has none."""
    merchant, world = authenticate(), the_world()
    if pay_keys.mode(world, merchant) == "pubkey_only":
        raise Refused(
            404,
            "RESOURCE_NOT_EXISTS",
            "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。",
        )
    live = pay_keys.live_certificates(world, merchant)
    return json_answer({"data": [_entry(world, merchant, one) for one in live]})
