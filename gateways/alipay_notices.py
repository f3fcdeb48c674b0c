"""Verifying and reading the notices of Alipay, and the trades in them and in answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from domain.money import NotAnAmount, parse_yuan
from gateways.alipay_calls import BEIJING, TIME_FORM, is_signature
from gateways.merchant_accounts import AlipayAccount
from services.pay_ports import (
    ChannelRefund,
    ChannelTrade,
    NoticeRefused,
    RefundWord,
    TradeState,
)

CHANNEL = "alipay"

_BODY_LIMIT = 64 * 1024
_MOST_FIELDS = 100
_AGE_LIMIT_S = 26 * 3600
"""Its last copy comes after 25 hours; source: platforms.md 4.7."""
_SIGN_TYPE = "RSA2"
_NOT_SIGNED = ("sign", "sign_type")
_REFUND_MARKS = ("refund_fee", "gmt_refund", "out_biz_no")
_STATES = {
    "WAIT_BUYER_PAY": TradeState.NOTPAY,
    "TRADE_SUCCESS": TradeState.SUCCESS,
    "TRADE_FINISHED": TradeState.SUCCESS,
    "TRADE_CLOSED": TradeState.CLOSED,
}
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,3})?", re.ASCII)


def read_notice_form(body: bytes) -> dict[str, str]:
    """Read the form strictly; believe nothing of it yet.

    Raises:
        NoticeRefused: ``too_large`` or ``form``, which a repeated field is too.
    """
    if len(body) > _BODY_LIMIT:
        raise NoticeRefused("too_large")
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError:
        raise NoticeRefused("form") from None
    form = dict(pairs)
    if not form or len(form) != len(pairs):
        raise NoticeRefused("form")
    return form


def read_notice(
    *, form: Mapping[str, str], account: AlipayAccount, received_at: datetime
) -> ChannelTrade | ChannelRefund:
    """Verify and read the form of a notice that names the account's app.

    Raises:
        NoticeRefused: kind of signature, signature, charset, age, seller or shape is wrong.

    Source: https://opendocs.alipay.com/open/270/105902, platforms.md 4.7.
    """
    if form.get("app_id") != account.app_id:
        raise NoticeRefused("app_unknown")
    if form.get("sign_type") != _SIGN_TYPE:
        raise NoticeRefused("sign_type")
    signed = "&".join(f"{key}={form[key]}" for key in sorted(form) if key not in _NOT_SIGNED)
    if not is_signature(account.public_key, signed.encode(), form.get("sign")):
        raise NoticeRefused("signature")
    if form.get("charset", "utf-8").lower() != "utf-8":
        raise NoticeRefused("charset")
    age = received_at - read_time(form, "notify_time")
    if abs(age.total_seconds()) > _AGE_LIMIT_S:
        raise NoticeRefused("stale")
    if form.get("seller_id") != account.seller_id:
        raise NoticeRefused("seller")
    if any(name in form for name in _REFUND_MARKS):
        return _refund(form, account)
    return read_trade(form, account=account, paid_at_name="gmt_payment")


def _refund(form: Mapping[str, str], account: AlipayAccount) -> ChannelRefund:
    """Read the notice of a refund, which comes to the payment's address.

    Its ``refund_fee`` is all that was paid back of the trade so far, so that nothing is said here
    of what this one gave back.
    """
    read_fen(form, "refund_fee")
    return ChannelRefund(
        channel=CHANNEL,
        mchid=account.seller_id,
        out_trade_no=read_text(form, "out_trade_no"),
        refund_no=read_text(form, "out_biz_no") if form.get("out_biz_no") else "",
        word=RefundWord.SUCCESS,
        refunded_at=read_time(form, "gmt_refund"),
    )


def read_trade(
    data: Mapping[str, Any], *, account: AlipayAccount, paid_at_name: str
) -> ChannelTrade:
    """Read a trade in Alipay's words; compare nothing.

    A closed trade that was paid was paid back in full; closed otherwise, no money moved.

    Raises:
        NoticeRefused: ``shape``: a field is absent or malformed.
    """
    state = _STATES.get(read_text(data, "trade_status"), TradeState.OTHER)
    if state is TradeState.CLOSED and data.get(paid_at_name):
        state = TradeState.REFUND
    trade = ChannelTrade(
        channel=CHANNEL,
        mchid=account.seller_id,
        appid=account.app_id,
        out_trade_no=read_text(data, "out_trade_no"),
        state=state,
    )
    if state not in (TradeState.SUCCESS, TradeState.REFUND):
        return trade
    return replace(
        trade,
        transaction_id=read_text(data, "trade_no"),
        amount_fen=read_fen(data, "total_amount"),
        currency="CNY",
        paid_at=read_time(data, paid_at_name),
    )


def read_text(data: Mapping[str, Any], name: str) -> str:
    """Pick a text.

    Raises:
        NoticeRefused: ``shape``.
    """
    value = data.get(name)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise NoticeRefused("shape")
    return value


def read_fen(data: Mapping[str, Any], name: str) -> int:
    """Pick an amount in yuan above zero, as fen.

    Raises:
        NoticeRefused: ``shape``.
    """
    try:
        amount_fen = parse_yuan(read_text(data, name))
    except NotAnAmount:
        raise NoticeRefused("shape") from None
    if amount_fen <= 0:
        raise NoticeRefused("shape")
    return amount_fen


def read_time(data: Mapping[str, Any], name: str) -> datetime:
    """Pick an instant, which Alipay writes in Beijing time.

    Raises:
        NoticeRefused: ``shape``.
    """
    text = read_text(data, name)
    if not _TIME.fullmatch(text):
        raise NoticeRefused("shape")
    try:
        moment = datetime.strptime(text[:19], TIME_FORM).replace(tzinfo=BEIJING)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise NoticeRefused("shape") from None
