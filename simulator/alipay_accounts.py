"""The accounts on Alipay: each tenant's app, the seller behind it, and both key pairs."""

from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from simulator import crypto
from simulator.chance import Chance

TENANTS = ("main", "foreign")


@dataclass(frozen=True)
class AlipayApp:
    """An app on Alipay together with the platform's key pair that speaks to it."""

    app_id: str
    seller_id: str
    seller_email: str
    seller_name: str
    key: rsa.RSAPrivateKey
    platform_key: rsa.RSAPrivateKey
    tenant: str

    def as_console(self, base_url: str) -> dict[str, str]:
        """Return what one copies from the console, named as the settings are."""
        return {
            "ALIPAY_APP_ID": self.app_id,
            "ALIPAY_SELLER_ID": self.seller_id,
            "ALIPAY_PRIVATE_KEY": crypto.private_pem(self.key),
            "ALIPAY_PUBLIC_KEY": crypto.public_pem(self.platform_key),
            "ALIPAY_API_BASE": f"{base_url}/ali/gateway.do",
        }


def make(chance: Chance) -> list[dict[str, Any]]:
    """Open one app for each tenant; the result is plain JSON."""
    return [
        {
            "app_id": "2021" + chance.digits(12),
            "seller_id": "2088" + chance.digits(12),
            "seller_email": f"{tenant}@seller.example",
            "seller_name": {"main": "安居物业", "foreign": "别家物业"}[tenant],
            "key": crypto.private_pem(crypto.new_rsa_key()),
            "platform_key": crypto.private_pem(crypto.new_rsa_key()),
            "tenant": tenant,
        }
        for tenant in TENANTS
    ]


def read(data: list[dict[str, Any]]) -> dict[str, AlipayApp]:
    """Build the apps, by app_id, from what `make` returned."""
    apps = [
        AlipayApp(
            **{
                **one,
                "key": crypto.load_private_pem(one["key"]),
                "platform_key": crypto.load_private_pem(one["platform_key"]),
            }
        )
        for one in data
    ]
    return {app.app_id: app for app in apps}
