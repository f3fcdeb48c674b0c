"""All merchant accounts that we hold keys of, by number, and whose notice it is that came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from domain.payment_states import PaymentChannel
from gateways.alipay import Alipay
from gateways.alipay_notices import read_notice_form
from gateways.merchant_accounts import MerchantAccounts
from gateways.wechat_notices import BODY_LIMIT, signature_headers
from gateways.wechat_pay import WechatPay
from services.pay_ports import (
    ChannelRefund,
    ChannelTrade,
    MerchantUnknown,
    NoticeRefused,
    PayChannel,
)
from services.ports import Clock


class MerchantChannels:
    """The accounts; `services.pay_ports.PayChannels`."""

    def __init__(self, *, accounts: MerchantAccounts, clock: Clock) -> None:
        self._wechat = [WechatPay(account=one, clock=clock) for one in accounts.wechat]
        self._alipay = [Alipay(account=one, clock=clock) for one in accounts.alipay]

    def all(self) -> Sequence[PayChannel]:
        """List them, WeChat Pay's first, the default of each channel before its others."""
        return (*self._wechat, *self._alipay)

    def default(self, channel: PaymentChannel) -> PayChannel | None:
        """Find the account of the settings, if the channel has one."""
        return next((one for one in self.all() if one.channel is channel), None)

    def of(self, channel: str, mchid: str) -> PayChannel:
        """Find an account by its number.

        Raises:
            MerchantUnknown: there are no keys for it.
        """
        for one in self.all():
            if (one.channel, one.mchid) == (channel, mchid):
                return one
        raise MerchantUnknown

    def read_wechat_notice(
        self, *, headers: Mapping[str, str], body: bytes, received_at: datetime
    ) -> ChannelTrade | ChannelRefund:
        """Verify and decrypt a notice with the keys of the merchants that know its serial.

        Two merchants may know one serial, as a platform certificate signs for many: then the one
        whose own key opens the notice is the one it is for.

        Raises:
            NoticeRefused: no merchant can read it, or it names another than who can.
        """
        if len(body) > BODY_LIMIT:
            raise NoticeRefused("too_large")
        serial = signature_headers(headers)["serial"]
        refused = NoticeRefused("serial_unknown")
        for merchant in self._wechat:
            if not merchant.knows(serial):
                continue
            try:
                return merchant.read_notice(headers=headers, body=body, received_at=received_at)
            except NoticeRefused as error:
                refused = error
        raise refused

    def read_alipay_notice(
        self, *, body: bytes, received_at: datetime
    ) -> ChannelTrade | ChannelRefund:
        """Verify and read a form that Alipay posted, with the key of the app that it names.

        Raises:
            NoticeRefused: it is malformed, for no app of ours, not signed, stale or another's.
        """
        form = read_notice_form(body)
        for app in self._alipay:
            if app.app_id == form.get("app_id"):
                return app.read_notice(form=form, received_at=received_at)
        raise NoticeRefused("app_unknown")
