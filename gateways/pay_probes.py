"""What `flask doctor` asks of each merchant account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from domain.errors import PlatformRefused
from gateways.platform_keys import last_expiry
from gateways.wechat_pay import WechatPay
from services.pay_ports import PayChannel, TradeState
from services.ports import Clock

_NOBODYS_NUMBER = "ANJUPROBE0000000000"
_NOTICE_DAYS = 14


@dataclass(frozen=True, slots=True)
class PayProbe:
    """Queries an order that cannot exist: an answer shows that number, keys and serial fit."""

    name: str
    channel: PayChannel
    clock: Clock

    def check(self) -> str:
        """Query it, and look when the platform certificates expire.

        Raises:
            PlatformRefused: the platform refuses the signature or knows that order, or no
                certificate is good for fourteen days more.
            PlatformUnavailable: no usable answer.
        """
        trade = self.channel.query(out_trade_no=_NOBODYS_NUMBER)
        if trade.state is not TradeState.ABSENT:
            raise PlatformRefused("查询不存在的订单，平台却说有", vendor_code=trade.state.value)
        return f"商户 {self.channel.mchid} 的签名被接受，不存在的订单查无此单{self._expiry()}"

    def _expiry(self) -> str:
        if not isinstance(self.channel, WechatPay):
            return ""
        account = self.channel.account
        expires_at = last_expiry(account.platform_keys)
        if expires_at is None:
            return ""
        words = f"平台证书 {expires_at:%Y-%m-%d} 到期"
        is_near = expires_at - self.clock.now() < timedelta(days=_NOTICE_DAYS)
        if is_near and not account.public_key_id:
            raise PlatformRefused(f"{words}，请更换", vendor_code="CERTIFICATE_EXPIRES")
        return f"；{words}"
