"""Alipay's bills: a link to a zip of two GBK files for each kind, made from the trades as they are.

Source: https://opendocs.alipay.com/open/028wox (parameters, 30 s, no bill of today); the layout
of 业务明细 from a stored bill of 2019-09-16 (public repository file 42123731404), its summary's
columns from file 40676890335, those of 账务明细 from 23746281293; the answered codes
`isp.bill_not_exist` and `invalid_arguments` as seen in production (file 67137505057).
"""

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, request

from simulator import alipay_ledger
from simulator.alipay_accounts import AlipayApp
from simulator.alipay_checks import strange
from simulator.alipay_notices import masked, yuan
from simulator.alipay_wire import Asked, Refused, instant_text, now_text
from simulator.calls import judge, this_call
from simulator.clock import BEIJING
from simulator.state import Trade
from simulator.world import World, the_world

LINK_LIFETIME_S = 30
DETAIL_COLUMNS = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,"
    "对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,"
    "商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,"
    "退款批次号/请求号,服务费（元）,分润（元）,备注"
)
SUMMARY_COLUMNS = (
    "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,"
    "支付宝优惠（元）,商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）"
)
_RULE = "-" * 41
_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?")

bp = Blueprint("alipay_bills", __name__, url_prefix="/ali/bill")


@dataclass(frozen=True)
class Line:
    """One movement of a day: a payment, or a refund with a negative amount."""

    trade_no: str
    out_trade_no: str
    subject: str
    buyer: str
    created_at: float
    at: float
    amount_fen: int
    request_no: str = ""

    @property
    def fee_fen(self) -> int:
        """The service fee of 0.6 %, rounded half away from zero: negative for a payment."""
        fee = (abs(self.amount_fen) * 6 + 500) // 1000
        return fee if self.request_no else -fee


def _of(trade: Trade, at: float, amount_fen: int, request_no: str = "") -> Line:
    return Line(
        trade.trade_no,
        trade.out_trade_no,
        trade.subject,
        trade.buyer,
        trade.created_at,
        at,
        amount_fen,
        request_no,
    )


def lines(world: World, app: AlipayApp, bill_date: str) -> list[Line]:
    """Return what moved on a day, or in a month, in the order it moved."""
    found = []
    for trade in world.state.trades.values():
        if trade.app_id == app.app_id and trade.paid_at:
            found.append(_of(trade, trade.paid_at, trade.total_fen))
            found += [
                _of(trade, one["at"], -one["amount_fen"], one["out_request_no"])
                for one in trade.refunds
            ]
    return sorted(
        (one for one in found if instant_text(one.at).startswith(bill_date)), key=lambda one: one.at
    )


def _extra(found: list[Line]) -> list[Line]:
    extra = replace(found[0], trade_no="2026" + "0" * 24, out_trade_no="NOT_OURS", amount_fen=100)
    return [*found, replace(extra, request_no="")]


def _amount_off(found: list[Line]) -> list[Line]:
    return [replace(found[0], amount_fen=found[0].amount_fen + 1), *found[1:]]


SPOILERS: dict[str, Callable[[list[Line]], list[Line]]] = {
    "missing_row": lambda found: found[1:],
    "extra_row": _extra,
    "amount_off": _amount_off,
    "duplicate_row": lambda found: [found[0], *found],
}


def _check(world: World, asked: Asked) -> tuple[str, str]:
    strange(asked.biz, {"bill_type", "bill_date", "smid"})
    kind, date = str(asked.biz.get("bill_type")), str(asked.biz.get("bill_date"))
    if kind not in ("trade", "signcustomer"):
        raise Refused("invalid_arguments", "bill_type为trade或signcustomer")
    if not _DATE.fullmatch(date):
        raise Refused("invalid_arguments", "bill_date格式为yyyy-MM-dd或yyyy-MM")
    if date >= now_text(world)[: len(date)]:
        raise Refused("invalid_arguments", "只能下载前一日24点前的账单")
    return kind, date


def link(world: World, asked: Asked) -> str:
    """Return a link to a bill; it lives 30 seconds of virtual time.

    Raises:
        Refused: invalid_arguments for today, the future or a wrong date; isp.bill_not_exist
            when nothing moved, or while a fault says it is still being made.
    """
    kind, date = _check(world, asked)
    fault = this_call().action.get("alipay_bill", "")
    with world.lock:
        if fault == "creating" or not lines(world, asked.app, date):
            raise Refused("isp.bill_not_exist")
        token = world.chance.text(40)
        world.state.alipay_bills[token] = {
            "app_id": asked.app.app_id,
            "kind": kind,
            "date": date,
            "fault": fault,
            "at": world.clock.time(),
        }
        world.changed()
    return f"{world.base_url}/ali/bill/download?fileId={token}"


@bp.get("/download")
def download() -> Response:
    """Hand out the zip of a link that is not yet 30 seconds old."""
    world = the_world()
    with world.lock:
        asked = world.state.alipay_bills.get(request.args.get("fileId", ""))
        if asked is None or world.clock.time() - asked["at"] > LINK_LIFETIME_S:
            judge("the link has expired")
            return Response("下载链接已失效", 403, content_type="text/html;charset=utf-8")
        app = world.credentials.alipay[asked["app_id"]]
        packed = _zip(files(world, app, asked))
    name = f"{app.seller_id}0156_{asked['date'].replace('-', '')}.csv.zip"
    response = Response(packed, content_type="application/zip")
    response.headers["Content-Disposition"] = f"attachment; filename={name}"
    return response


class _GbkName(zipfile.ZipInfo):
    """An entry named in GBK without the UTF-8 mark, as the real archive has them."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802
        return self.filename.encode("gbk"), self.flag_bits


def _zip(named: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in named.items():
            # Emoji and rare characters have no place in GBK.
            archive.writestr(_GbkName(name), text.encode("gbk", "replace"))
    return packed.getvalue()


def files(world: World, app: AlipayApp, asked: dict[str, Any]) -> dict[str, str]:
    """Return the texts of a bill by file name: details and summary, faults applied."""
    found = lines(world, app, asked["date"])
    if asked["fault"] in SPOILERS:
        found = SPOILERS[asked["fault"]](found)
    stem = f"{app.seller_id}0156_{asked['date'].replace('-', '')}"
    if asked["kind"] == "signcustomer":
        moves = [move for one in found for move in _moves(one)]
        head = _head(app, asked["date"], "账务明细")
        return {f"{stem}_账务明细.csv": alipay_ledger.details(head, moves, now_text(world))}
    return {
        f"{stem}_业务明细.csv": _details(world, app, asked["date"], found),
        f"{stem}_业务明细(汇总).csv": _summary(world, app, asked["date"], found),
    }


def _head(app: AlipayApp, date: str, what: str) -> list[str]:
    first = datetime.strptime(date + "-01" * (len(date) == 7), "%Y-%m-%d").replace(tzinfo=BEIJING)
    # Thirty-two days on is in the next month, whatever the month.
    after = (
        first + timedelta(days=1)
        if len(date) == 10
        else (first + timedelta(days=32)).replace(day=1)
    )
    start, end = (day.strftime("%Y年%m月%d日 00:00:00") for day in (first, after))
    return [
        f"#支付宝{what}查询",
        f"#账号：[{app.seller_id}0156]",
        f"#起始日期：[{start}]   终止日期：[{end}]",
    ]


def _detail(one: Line) -> str:
    amount = yuan(one.amount_fen)
    subject = one.subject.replace(",", "，")
    cells = [
        one.trade_no + "\t",
        one.out_trade_no + "\t",
        "退款\t" if one.request_no else "交易\t",
        subject,
        instant_text(one.created_at),
        instant_text(one.at),
        *["\t"] * 4,
        f"*某({masked(one.buyer)})\t",
        amount,
        amount,
        *["0.00"] * 5,
        "",
        "0.00\t",
        "0.00",
        one.request_no + "\t",
        yuan(one.fee_fen),
        "0.00",
        subject,
    ]
    return ",".join(cells)


def _total(found: list[Line], *, is_refund: bool) -> tuple[int, int]:
    """Return how many payments, or refunds, there are and their sum in fen."""
    amounts = [one.amount_fen for one in found if bool(one.request_no) == is_refund]
    return len(amounts), sum(amounts)


def _details(world: World, app: AlipayApp, date: str, found: list[Line]) -> str:
    paid, paid_fen = _total(found, is_refund=False)
    back, back_fen = _total(found, is_refund=True)
    rows = [
        *_head(app, date, "业务明细"),
        f"#{_RULE}业务明细列表{_RULE[1:]}",
        DETAIL_COLUMNS,
        *[_detail(one) for one in found],
        f"#{_RULE}业务明细列表结束{_RULE[5:]}",
        f"#交易合计：{paid}笔，商家实收共{yuan(paid_fen)}元，商家优惠共0.00元",
        f"#退款合计：{back}笔，商家实收退款共{yuan(back_fen)}元，商家优惠退款共0.00元",
        f"#导出时间：[{_spelt(now_text(world))}]",
    ]
    return "\r\n".join(rows) + "\r\n"


def _spelt(instant: str) -> str:
    return f"{instant[:4]}年{instant[5:7]}月{instant[8:10]}日{instant[10:]}"


def _summary(world: World, app: AlipayApp, date: str, found: list[Line]) -> str:
    paid, _ = _total(found, is_refund=False)
    back, _ = _total(found, is_refund=True)
    total = sum(one.amount_fen for one in found)
    fee = sum(one.fee_fen for one in found)
    counts = [str(paid), str(back), yuan(total), yuan(total), "0.00", "0.00", "0.00"]
    tail = [yuan(fee), "0.00", yuan(total + fee)]
    rows = [
        *_head(app, date, "业务汇总"),
        f"#{_RULE}业务汇总列表{_RULE[1:]}",
        SUMMARY_COLUMNS,
        ",".join(["", "", *counts, *tail]),
        ",".join(["合计", "", *counts, *tail]),
        f"#{_RULE[1:]}业务汇总列表结束{_RULE[4:]}",
        f"#导出时间：[{_spelt(now_text(world))}]",
    ]
    return "\r\n".join(rows) + "\r\n"


def _moves(one: Line) -> list[alipay_ledger.Move]:
    kind = "交易退款" if one.request_no else "在线支付"
    whose = (one.trade_no, one.out_trade_no, one.subject, one.at, masked(one.buyer))
    fee_kind = "退费" if one.request_no else "收费"
    return [
        alipay_ledger.Move(*whose, one.amount_fen, kind),
        alipay_ledger.Move(*whose, one.fee_fen, fee_kind),
    ]
