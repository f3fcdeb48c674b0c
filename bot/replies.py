"""Everything the official account says."""

from __future__ import annotations

from domain.money import show_yuan

HELP = (
    "您可以发送：\n【账单】查看未缴账单\n【为什么】看账单怎么算出来的\n【绑定】绑定房屋\n"
    "有急事请直接联系物业服务中心。"
)
NOT_BOUND = (
    "还没有认出您是哪位业主。请打开“安居”小程序，用登记在物业的手机号登录一次，"
    "之后就能在这里查账单、收通知。"
)
BOUND = "您已绑定，缴费通知和收据会发到这里。发送【账单】可查看未缴账单。"
NOTHING_OWED = "您没有未缴账单。感谢您的支持！"
WELCOME = "欢迎关注安居物业！\n" + HELP
APOLOGY = "系统出错了，请稍后再试。"
_SHOWN = 5
_BYTES = 2000
"""Source: platforms.md 4.1: a text reply holds 2,048 bytes."""


def owed(bills: list[tuple[str, str, int]], *, bill_count: int, amount_fen: int) -> str:
    """List what is left to pay; bills are (house, item and period, fen)."""
    lines = [f"您有 {bill_count} 张未缴账单，合计 {show_yuan(amount_fen)}："]
    lines += [f"{house} {what} {show_yuan(fen)}" for house, what, fen in bills[:_SHOWN]]
    if bill_count > _SHOWN:
        lines.append(f"……还有 {bill_count - _SHOWN} 张")
    lines.append("请打开“安居”小程序缴费。")
    return "\n".join(lines)


def explained(bills: list[tuple[str, int, list[str]]]) -> str:
    """Say how bills came about: (house, item and period; fen left to pay; a sentence per line).

    Cut at whole sentences before a reply gets too long.
    """
    more = "……其余请在“安居”小程序的账单详情中查看。"
    lines: list[str] = []
    for what, fen, sentences in bills:
        for line in (f"{what} 待缴 {show_yuan(fen)}", *sentences):
            if len("\n".join((*lines, line, more)).encode()) > _BYTES:
                return "\n".join((*lines, more))
            lines.append(line)
    return "\n".join(lines)
