"""Alipay's 账务明细: what went in and out of the balance, one row a movement.

Source: the columns as a public reader of these files lists them (file 23746281293).
"""

from dataclasses import dataclass

from simulator.alipay_notices import yuan
from simulator.alipay_wire import instant_text

COLUMNS = (
    "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,"
    "账户余额（元）,交易渠道,业务类型,备注"
)
_RULE = "-" * 41


@dataclass(frozen=True)
class Move:
    """One movement of the balance; negative is out."""

    trade_no: str
    out_trade_no: str
    subject: str
    at: float
    account: str
    amount_fen: int
    kind: str


def _row(move: Move, number: int, balance_fen: int) -> str:
    cells = [
        f"{move.trade_no[:8]}{number:012d}\t",
        move.trade_no + "\t",
        move.out_trade_no + "\t",
        move.subject.replace(",", "，"),
        instant_text(move.at),
        move.account + "\t",
        yuan(max(move.amount_fen, 0)),
        yuan(min(move.amount_fen, 0)),
        yuan(balance_fen),
        "支付宝",
        move.kind,
        "",
    ]
    return ",".join(cells)


def details(head: list[str], moves: list[Move], exported_at: str) -> str:
    """Return the file; the balance starts the day at nothing."""
    rows, balance_fen = [], 0
    for number, move in enumerate(moves, start=1):
        balance_fen += move.amount_fen
        rows.append(_row(move, number, balance_fen))
    incomes = [move.amount_fen for move in moves if move.amount_fen > 0]
    outlays = [move.amount_fen for move in moves if move.amount_fen <= 0]
    text = [
        *head,
        f"#{_RULE}账务明细列表{_RULE[1:]}",
        COLUMNS,
        *rows,
        f"#{_RULE}账务明细列表结束{_RULE[5:]}",
        f"#支出合计：{len(outlays)}笔，共{yuan(sum(outlays))}元",
        f"#收入合计：{len(incomes)}笔，共{yuan(sum(incomes))}元",
        f"#导出时间：[{exported_at}]",
    ]
    return "\r\n".join(text) + "\r\n"
