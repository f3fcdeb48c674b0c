"""What stands in the trade bill and the fund-flow bill of a day, from the state of the platform.

Source: https://pay.weixin.qq.com/docs/merchant/products/bill-download/format-trade.html and
https://pay.weixin.qq.com/docs/merchant/products/bill-download/format-fundflow.html
"""

from dataclasses import dataclass
from datetime import datetime

from simulator.bill_files import Line, Sheet, total, yuan, yuan_of_fee
from simulator.clock import BEIJING
from simulator.state import Order, Refund
from simulator.world import World

FEE_PER_MILLE = 6
RATE = "0.60%"
DAY_S = 86_400

_HEAD = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,"
    "付款银行,货币种类,应结订单金额,代金券金额"
)
_REFUND_PART = "微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态"
_GOODS = "商品名称,商户数据包,手续费,费率,订单金额"
TRADE_COLUMNS = {
    "ALL": tuple(f"{_HEAD},{_REFUND_PART},{_GOODS},申请退款金额,费率备注".split(",")),
    "SUCCESS": tuple(f"{_HEAD},{_GOODS},费率备注".split(",")),
    "REFUND": tuple(
        f"{_HEAD},退款申请时间,退款成功时间,{_REFUND_PART},{_GOODS},申请退款金额,费率备注".split(
            ","
        )
    ),
}
_FUND_HEAD = (
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),"
    "资金变更提交申请人,备注,业务凭证号"
)
FUND_COLUMNS = tuple(_FUND_HEAD.split(","))
# The bill's words for a refund's state are not the interface's (platforms.md 4.6). Which they are
# for the last two is not on the pages read.
_REFUND_WORDS = {
    "SUCCESS": "SUCCESS",
    "PROCESSING": "PROCESSING",
    "ABNORMAL": "CHANGE",
    "CLOSED": "FAIL",
}


@dataclass(frozen=True)
class Day:
    """One Beijing day."""

    date: str
    from_s: float

    @property
    def until_s(self) -> float:
        """The first instant of the next day."""
        return self.from_s + DAY_S

    def holds(self, instant: float) -> bool:
        """Tell whether an instant falls into the day."""
        return self.from_s <= instant < self.until_s


def read_day(text: str) -> Day:
    """Read YYYY-MM-DD.

    Raises:
        ValueError: it is no date in this form.
    """
    midnight = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=BEIJING)
    if midnight.strftime("%Y-%m-%d") != text:
        raise ValueError("not in the form YYYY-MM-DD")
    return Day(text, midnight.timestamp())


def moment(instant: float) -> str:
    """Write an instant as the bills do, in Beijing time."""
    return datetime.fromtimestamp(int(instant), BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def fee_fen(fen: int) -> int:
    """Return the platform's fee, rounded half up to a fen."""
    return (fen * FEE_PER_MILLE + 500) // 1000


def _common(order: Order) -> dict[str, str]:
    return {
        "公众账号ID": order.appid,
        "商户号": order.mchid,
        "特约商户号": "0",
        "设备号": "",
        "微信订单号": order.transaction_id,
        "商户订单号": order.out_trade_no,
        "用户标识": order.openid,
        "交易类型": order.trade_type,
        "付款银行": "OTHERS",
        "货币种类": order.currency,
        "代金券金额": "0.00",
        "充值券退款金额": "0.00",
        "商品名称": order.description,
        "商户数据包": order.attach,
        "费率": RATE,
        "费率备注": "",
    }


def _payment_line(order: Order) -> Line:
    cells = _common(order) | {
        "交易时间": moment(order.success_at),
        "交易状态": "SUCCESS",
        "应结订单金额": yuan(order.total_fen),
        "微信退款单号": "0",
        "商户退款单号": "0",
        "退款金额": "0.00",
        "退款类型": "",
        "退款状态": "",
        "手续费": yuan_of_fee(fee_fen(order.total_fen)),
        "订单金额": yuan(order.total_fen),
        "申请退款金额": "0.00",
    }
    return Line(order.out_trade_no, cells, ("应结订单金额", "订单金额"))


def _state_at_end(refund: Refund, day: Day) -> str:
    # A bill is a picture of its day; what became of the refund later does not change it.
    return refund.state if 0 < refund.settled_at < day.until_s else "PROCESSING"


def _refund_line(order: Order, refund: Refund, day: Day, kind: str) -> Line:
    state = _state_at_end(refund, day)
    cells = _common(order) | {
        # Seen in files of real merchants: only the refund bill keeps the time of the payment.
        "交易时间": moment(order.success_at if kind == "REFUND" else refund.made_at),
        "交易状态": "REFUND",
        "应结订单金额": "0.00",
        "退款申请时间": moment(refund.made_at),
        "退款成功时间": moment(refund.settled_at) if state == "SUCCESS" else "",
        "微信退款单号": refund.refund_id,
        "商户退款单号": refund.out_refund_no,
        "退款金额": yuan(refund.refund_fen),
        "退款类型": "ORIGINAL",
        "退款状态": _REFUND_WORDS[state],
        "手续费": yuan_of_fee(-fee_fen(refund.refund_fen)),
        "订单金额": "0.00",
        "申请退款金额": yuan(refund.refund_fen),
    }
    return Line(order.out_trade_no, cells, ("退款金额", "申请退款金额"))


def _trade_sums(lines: list[Line]) -> dict[str, str]:
    return {
        "总交易单数": str(len(lines)),
        "应结订单总金额": f"{total(lines, '应结订单金额'):.2f}",
        "退款总金额": f"{total(lines, '退款金额'):.2f}",
        "充值券退款总金额": f"{total(lines, '充值券退款金额'):.2f}",
        "手续费总金额": f"{total(lines, '手续费'):.5f}",
        "订单总金额": f"{total(lines, '订单金额'):.2f}",
        "申请退款总金额": f"{total(lines, '申请退款金额'):.2f}",
    }


def _success_sums(lines: list[Line]) -> dict[str, str]:
    kept = ("总交易单数", "应结订单总金额", "手续费总金额", "订单总金额")
    return {name: value for name, value in _trade_sums(lines).items() if name in kept}


def paid_orders(world: World, mchid: str) -> list[Order]:
    """Return a merchant's paid orders. Call it with the lock held."""
    return [one for one in world.state.orders.values() if one.mchid == mchid and one.is_paid]


def _refunds(world: World, mchid: str) -> list[tuple[Order, Refund]]:
    return [
        (world.state.orders[f"{mchid}:{one.out_trade_no}"], one)
        for one in world.state.refunds.values()
        if one.mchid == mchid
    ]


def trade_sheet(world: World, mchid: str, day: Day, kind: str) -> Sheet:
    """Return the trade bill of a day, its rows by time; kind is ALL, SUCCESS or REFUND."""
    with world.lock:
        timed: list[tuple[float, Line]] = []
        if kind != "REFUND":
            timed += [
                (one.success_at, _payment_line(one))
                for one in paid_orders(world, mchid)
                if day.holds(one.success_at)
            ]
        if kind != "SUCCESS":
            timed += [
                (one.made_at, _refund_line(order, one, day, kind))
                for order, one in _refunds(world, mchid)
                if day.holds(one.made_at)
            ]
    lines = [line for _, line in sorted(timed, key=lambda pair: pair[0])]
    sums = _success_sums if kind == "SUCCESS" else _trade_sums
    return Sheet(TRADE_COLUMNS[kind], lines, sums)


@dataclass(frozen=True)
class _Flow:
    """Money that came to the account or left it; `fen` is negative when it left."""

    at: float
    fen: int
    number: str
    out_trade_no: str
    proof: str
    kind: str
    name: str


def _flows_of_payment(order: Order) -> list[_Flow]:
    where = (order.transaction_id, order.out_trade_no, order.out_trade_no)
    return [
        _Flow(order.success_at, order.total_fen, *where, "交易", "交易"),
        _Flow(order.success_at, -fee_fen(order.total_fen), *where, "扣除交易手续费", "交易"),
    ]


def _flows_of_refund(refund: Refund) -> list[_Flow]:
    where = (refund.refund_id, refund.out_trade_no, refund.out_refund_no)
    fee = fee_fen(refund.refund_fen)
    flows = [
        _Flow(refund.made_at, -refund.refund_fen, *where, "退款", "退款"),
        _Flow(refund.made_at, fee, *where, "退还交易手续费", "退款"),
    ]
    if refund.state == "CLOSED":
        flows += [
            _Flow(refund.settled_at, refund.refund_fen, *where, "退款关闭", "退款"),
            _Flow(refund.settled_at, -fee, *where, "扣除交易手续费", "退款"),
        ]
    return flows


def _fund_line(mchid: str, flow: _Flow, ordinal: int, balance_fen: int) -> Line:
    cells = {
        "记账时间": moment(flow.at),
        "微信支付业务单号": flow.number,
        "资金流水单号": f"{mchid}{moment(flow.at)[:10].replace('-', '')}{ordinal:010d}",
        "业务名称": flow.name,
        "业务类型": flow.kind,
        "收支类型": "收入" if flow.fen > 0 else "支出",
        "收支金额(元)": yuan(abs(flow.fen)),
        "账户结余(元)": yuan(balance_fen),
        "资金变更提交申请人": "system",
        "备注": "",
        "业务凭证号": flow.proof,
    }
    return Line(flow.out_trade_no, cells, ("收支金额(元)",))


def _fund_sums(lines: list[Line]) -> dict[str, str]:
    came = [line for line in lines if line.cells["收支类型"] == "收入"]
    left = [line for line in lines if line.cells["收支类型"] == "支出"]
    return {
        "资金流水总笔数": str(len(lines)),
        "收入笔数": str(len(came)),
        "收入金额": f"{total(came, '收支金额(元)'):.2f}",
        "支出笔数": str(len(left)),
        "支出金额": f"{total(left, '收支金额(元)'):.2f}",
    }


def fund_sheet(world: World, mchid: str, day: Day) -> Sheet:
    """Return the fund-flow bill of a day; the balance counts from the account's first payment."""
    with world.lock:
        flows = [flow for one in paid_orders(world, mchid) for flow in _flows_of_payment(one)]
        flows += [flow for _, one in _refunds(world, mchid) for flow in _flows_of_refund(one)]
    lines, balance_fen = [], 0
    moving = [flow for flow in flows if flow.fen]
    for ordinal, flow in enumerate(sorted(moving, key=lambda one: one.at), start=1):
        balance_fen += flow.fen
        if day.holds(flow.at):
            lines.append(_fund_line(mchid, flow, ordinal, balance_fen))
    return Sheet(FUND_COLUMNS, lines, _fund_sums)


def stranger_line(world: World, sheet: Sheet, mchid: str, day: Day) -> Line:
    """Make a row of a payment nobody ordered, in the form of this sheet."""
    order = Order(
        mchid=mchid,
        appid=world.credentials.app("miniapp", world.credentials.merchants[mchid].tenant).appid,
        trade_type="NATIVE",
        out_trade_no="SIMEXTRA" + world.chance.digits(16),
        description="没有对应订单的一笔",
        notify_url="",
        total_fen=8888,
        currency="CNY",
        openid=world.identity(mchid, "nobody"),
        attach="",
        expires_at=day.until_s,
        asked={},
        made_at=day.from_s,
        state="SUCCESS",
        transaction_id="4200" + world.chance.digits(24),
        success_at=day.until_s - 60,
    )
    if sheet.columns == FUND_COLUMNS:
        return _fund_line(mchid, _flows_of_payment(order)[0], 0, order.total_fen)
    return _payment_line(order)
