"""Statements of WeChat Pay: a day's trade bill, downloaded, checked, read by column name."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import date

from domain.errors import PlatformRefused, PlatformUnavailable
from domain.money import NotAnAmount, parse_yuan
from gateways.downloads import gunzip
from gateways.wechat_calls import WechatCalls, answer_text
from gateways.wechat_notices import CHANNEL
from services.pay_ports import Statement, StatementBroken, StatementNotReady, StatementRow

_NONE = "NO_STATEMENT_EXIST"
_CREATING = "STATEMENT_CREATING"
_PACKED_LIMIT = 32 * 1024 * 1024
_LIMIT = 128 * 1024 * 1024
_OFFICIAL_BASE = "https://api.mch.weixin.qq.com"
_DOWNLOAD_PATH = "/v3/billdownload/file?"
_MARK = "`"
_NO_REFUND = ("", "0")
_COLUMNS = (
    "商户号",
    "微信订单号",
    "商户订单号",
    "交易状态",
    "微信退款单号",
    "商户退款单号",
    "退款状态",
    "订单金额",
    "申请退款金额",
)
_SUMS = ("总交易单数", "订单总金额", "申请退款总金额")


def read_statement(calls: WechatCalls, day: date) -> Statement:
    """Download and check a day's trade bill.

    Raises:
        StatementNotReady: it is not made yet.
        StatementBroken: checksum, layout or sums do not fit.
        PlatformRefused: the question is refused.
        PlatformUnavailable: no usable answer.

    Source: https://pay.weixin.qq.com/doc/v3/merchant/4012556654 (platforms.md 4.6).
    """
    try:
        content = _download(calls, day)
    except PlatformRefused as refused:
        if refused.vendor_code == _CREATING:
            raise StatementNotReady from None
        if refused.vendor_code != _NONE:
            raise
        return Statement(channel=CHANNEL, mchid=calls.account.mchid, day=day, rows=(), content=b"")
    return Statement(
        channel=CHANNEL,
        mchid=calls.account.mchid,
        day=day,
        rows=read_rows(content, mchid=calls.account.mchid),
        content=content,
    )


def _download(calls: WechatCalls, day: date) -> bytes:
    """Ask for the address and fetch; an address lives five minutes, so twice if it must be."""
    for _ in range(2):
        offer = calls.call(
            "statement",
            calls.sdk.trade_bill,
            bill_date=day.isoformat(),
            bill_type="ALL",
            tar_type="GZIP",
        )
        path = _path(answer_text(offer, "download_url"), calls.account.api_base)
        found = calls.download(path, limit=_PACKED_LIMIT)
        if found.status == 200:
            content = gunzip(found.body, limit=_LIMIT)
            check_sum(content, offer)
            return content
        if not 400 <= found.status < 500:
            break
    raise PlatformUnavailable


def _path(url: str, base: str) -> str:
    for known in (base, _OFFICIAL_BASE):
        path = url.removeprefix(known)
        if path != url and path.startswith(_DOWNLOAD_PATH):
            return path
    raise StatementBroken("address")


def check_sum(content: bytes, offer: Mapping[str, object]) -> None:
    """Hold the unpacked file against the SHA-1 that came with its address.

    Raises:
        StatementBroken: ``checksum``: another sum, or none.
    """
    # Which sum is the platform's choice; the address that gave the file was signed.
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    if offer.get("hash_type") != "SHA1" or not hmac.compare_digest(
        digest.encode(), str(offer.get("hash_value")).lower().encode()
    ):
        raise StatementBroken("checksum")


def read_rows(content: bytes, *, mchid: str) -> Sequence[StatementRow]:
    """Read the rows of a trade bill and hold them against its sums.

    Raises:
        StatementBroken: ``encoding``, ``layout``, ``merchant``, ``amount`` or ``sums``.
    """
    lines = _lines(content)
    columns = lines[0].split(",")
    cells = [_cells(line, columns, _COLUMNS) for line in lines[1:-2]]
    sums = _cells(lines[-1], lines[-2].split(","), _SUMS)
    if any(one["商户号"] != mchid for one in cells):
        raise StatementBroken("merchant")
    _hold_against(sums, cells)
    return tuple(_row(one) for one in cells)


def _lines(content: bytes) -> list[str]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise StatementBroken("encoding") from None
    # Not splitlines: a description may hold one of the rarer marks that it knows.
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    if len(lines) < 3:
        raise StatementBroken("layout")
    return lines


def _cells(line: str, columns: list[str], needed: tuple[str, ...]) -> dict[str, str]:
    # A backtick stands before each value; a description may itself hold a comma.
    values = line.removeprefix(_MARK).split(f",{_MARK}")
    found = dict(zip(columns, values, strict=False))
    if not line.startswith(_MARK) or len(values) != len(columns) or len(found) != len(columns):
        raise StatementBroken("layout")
    if not set(needed) <= set(found):
        raise StatementBroken("layout")
    return {name: found[name].strip() for name in needed}


def _fen(text: str) -> int:
    try:
        return parse_yuan(text)
    except NotAnAmount:
        raise StatementBroken("amount") from None


def _hold_against(sums: Mapping[str, str], cells: Sequence[Mapping[str, str]]) -> None:
    counted = (
        str(len(cells)),
        sum(_fen(one["订单金额"]) for one in cells),
        sum(_fen(one["申请退款金额"]) for one in cells),
    )
    if counted != (sums["总交易单数"], _fen(sums["订单总金额"]), _fen(sums["申请退款总金额"])):
        raise StatementBroken("sums")


def _row(one: Mapping[str, str]) -> StatementRow:
    is_refund = one["商户退款单号"] not in _NO_REFUND
    amount_fen = _fen(one["申请退款金额" if is_refund else "订单金额"])
    if amount_fen == 0 or not one["商户订单号"]:
        raise StatementBroken("amount")
    return StatementRow(
        out_trade_no=one["商户订单号"],
        transaction_id=one["微信订单号"],
        amount_fen=amount_fen,
        refund_no=one["商户退款单号"] if is_refund else "",
        provider_refund_id=one["微信退款单号"] if is_refund else "",
        status=one["退款状态" if is_refund else "交易状态"],
    )
