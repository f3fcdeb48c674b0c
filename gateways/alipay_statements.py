"""Statements of Alipay: the trade bill of a day, unpacked, checked and read by column name."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from urllib.parse import urlsplit

from domain.errors import PlatformRefused, PlatformUnavailable
from domain.money import NotAnAmount, parse_yuan
from gateways.alipay_calls import BEIJING, AlipayCalls
from gateways.alipay_notices import CHANNEL
from services.pay_ports import Statement, StatementBroken, StatementNotReady, StatementRow

_METHOD = "alipay.data.dataservice.bill.downloadurl.query"
_NONE = "isp.bill_not_exist"
_MADE_BY = time(12)
"""Bills are made by nine, on busy days later; source: https://opendocs.alipay.com/open/028wox"""
_PACKED_LIMIT = 32 * 1024 * 1024
_LIMIT = 128 * 1024 * 1024
_MOST_FILES = 20
_MOST_RATIO = 200
_KINDS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_SMALL = 1024 * 1024
"""Below this a file may be packed as tightly as it likes."""
_NUMBER, _OURS, _KIND, _REQUEST = "支付宝交易号", "商户订单号", "业务类型", "退款批次号/请求号"
_AMOUNT, _RECEIVED = "订单金额（元）", "商家实收（元）"
_COLUMNS = (_NUMBER, _OURS, _KIND, _REQUEST, _AMOUNT, _RECEIVED)
_IS_REFUND = {"交易": False, "退款": True}
_ACCOUNT = re.compile(r"#账号：\[([0-9]{16})")
_PAID_SUM = re.compile(r"#交易合计：([0-9]{1,9})笔，商家实收共(-?[0-9.]{1,20})元")
_BACK_SUM = re.compile(r"#退款合计：([0-9]{1,9})笔，商家实收退款共(-?[0-9.]{1,20})元")


def read_statement(calls: AlipayCalls, day: date, *, now: datetime) -> Statement:
    """Download and check a day's trade bill.

    Alipay says of a bill that is not made yet and of a day without trade the same: the time tells.

    Raises:
        StatementNotReady: there is none, and it is not noon of the next day yet.
        StatementBroken: archive, layout or sums do not fit.
        PlatformRefused: the question is refused.
        PlatformUnavailable: no usable answer.
    """
    seller_id = calls.account.seller_id
    try:
        packed = _download(calls, day)
    except PlatformRefused as refused:
        if refused.vendor_code != _NONE:
            raise
        made_by = datetime.combine(day + timedelta(days=1), _MADE_BY, BEIJING)
        if now < made_by:
            raise StatementNotReady from None
        return Statement(channel=CHANNEL, mchid=seller_id, day=day, rows=(), content=b"")
    content = unpack(packed)
    return Statement(
        channel=CHANNEL,
        mchid=seller_id,
        day=day,
        rows=read_rows(content, seller_id=seller_id),
        content=content,
    )


def _download(calls: AlipayCalls, day: date) -> bytes:
    """Ask for the address and fetch; an address lives thirty seconds, so twice if it must be."""
    for _ in range(2):
        answer = calls.call(_METHOD, {"bill_type": "trade", "bill_date": day.isoformat()})
        url = checked_address(str(answer.get("bill_download_url")), calls.account.api_base)
        found = calls.download(url, limit=_PACKED_LIMIT)
        if found.status == 200:
            return found.body
        if not 400 <= found.status < 500:
            break
    raise PlatformUnavailable


def checked_address(url: str, base: str) -> str:
    """Let only Alipay's hosts through, though the answer that named it was signed.

    Raises:
        StatementBroken: ``address``.
    """
    parts, ours = urlsplit(url), urlsplit(base)
    is_gateways = (parts.scheme, parts.netloc) == (ours.scheme, ours.netloc)
    host = parts.hostname or ""
    if not is_gateways and not (
        parts.scheme in ("http", "https") and host.endswith((".alipay.com", ".alipayobjects.com"))
    ):
        raise StatementBroken("address")
    return url


def unpack(packed: bytes) -> bytes:
    """Find the one file of single trades in the archive.

    Raises:
        StatementBroken: ``zip``, ``too_large`` or, without exactly one, ``layout``.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            _check_sizes(archive.infolist())
            texts = [_member(archive, one) for one in archive.infolist() if not one.is_dir()]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError):
        raise StatementBroken("zip") from None
    # By what they hold, since their names come in several encodings.
    wanted = [text for text in texts if _NUMBER.encode("gbk") in text]
    if len(wanted) != 1:
        raise StatementBroken("layout")
    return wanted[0]


def _member(archive: zipfile.ZipFile, one: zipfile.ZipInfo) -> bytes:
    # Told how much to read, zipfile unpacks no more of a deflated file, whatever is in it; of the
    # other kinds, and when told nothing, it unpacks all before it looks at the size.
    if one.compress_type not in _KINDS:
        raise StatementBroken("zip")
    with archive.open(one) as file:
        return file.read(one.file_size + 1)


def _check_sizes(members: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse a bomb by what the archive says of itself."""
    total = sum(one.file_size for one in members)
    if len(members) > _MOST_FILES or total > _LIMIT:
        raise StatementBroken("too_large")
    for one in members:
        if one.file_size > _SMALL and one.file_size > one.compress_size * _MOST_RATIO:
            raise StatementBroken("too_large")


def read_rows(content: bytes, *, seller_id: str) -> Sequence[StatementRow]:
    """Read the rows of a trade bill and hold them against its sums; fees are left aside.

    Raises:
        StatementBroken: ``encoding``, ``layout``, ``merchant``, ``amount`` or ``sums``.
    """
    try:
        text = content.decode("gb18030")
    except UnicodeDecodeError:
        raise StatementBroken("encoding") from None
    account = _ACCOUNT.search(text)
    if account is None or account[1] != seller_id:
        raise StatementBroken("merchant")
    cells = list(_cells(text))
    for pattern, is_refund in ((_PAID_SUM, False), (_BACK_SUM, True)):
        _hold_against(pattern.search(text), [one for one in cells if _is_refund(one) is is_refund])
    return tuple(map(_row, cells))


def _cells(text: str) -> Iterator[dict[str, str]]:
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]
    # Nothing is quoted: a comma in a name is written as another mark.
    rows = ([cell.strip() for cell in line.split(",")] for line in lines if line[0] != "#")
    columns = next(rows, [])
    if len(set(columns)) != len(columns) or not set(_COLUMNS) <= set(columns):
        raise StatementBroken("layout")
    for values in rows:
        if len(values) != len(columns):
            raise StatementBroken("layout")
        found = dict(zip(columns, values, strict=True))
        yield {name: found[name] for name in _COLUMNS}


def _is_refund(one: Mapping[str, str]) -> bool:
    if one[_KIND] not in _IS_REFUND:
        raise StatementBroken("layout")
    return _IS_REFUND[one[_KIND]]


def _fen(text: str) -> int:
    digits = text.removeprefix("-")
    try:
        amount_fen = parse_yuan(digits)
    except NotAnAmount:
        raise StatementBroken("amount") from None
    return amount_fen if digits == text else -amount_fen


def _hold_against(said: re.Match[str] | None, cells: Sequence[Mapping[str, str]]) -> None:
    if said is None:
        raise StatementBroken("sums")
    if (int(said[1]), _fen(said[2])) != (len(cells), sum(_fen(one[_RECEIVED]) for one in cells)):
        raise StatementBroken("sums")


def _row(one: Mapping[str, str]) -> StatementRow:
    is_refund, amount_fen = _is_refund(one), _fen(one[_AMOUNT])
    if not one[_OURS] or amount_fen == 0 or (amount_fen < 0) is not is_refund:
        raise StatementBroken("amount")
    return StatementRow(
        out_trade_no=one[_OURS],
        transaction_id=one[_NUMBER],
        amount_fen=abs(amount_fen),
        # Without a number of its own Alipay takes the order's for one.
        refund_no=(one[_REQUEST] or one[_OURS]) if is_refund else "",
    )
