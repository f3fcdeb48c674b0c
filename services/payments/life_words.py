"""The Chinese words for what stands in the record of a payment's calls and notices in English."""

from __future__ import annotations

from services.payments.suspense import SUSPENSE_SHOWN

_CALLS = {
    "open": "向渠道下单",
    "query": "向渠道查询订单",
    "close": "请渠道关闭订单",
    "refund": "请渠道退款",
    "query_refund": "向渠道查询退款",
}
_OUTCOMES = {
    "ok": "成功",
    "unavailable": "没有应答，结果未知",
    "SUCCESS": "成功",
    "NOTPAY": "未支付",
    "CLOSED": "已关闭",
    "REFUND": "已支付，有退款",
    "ABSENT": "渠道没有这个单号",
    "PROCESSING": "处理中",
    "ABNORMAL": "退款异常",
}
_VERDICTS = {
    "received": "还没有处理",
    "taken": "正在处理",
    "booked": "已入账",
    "already_booked": "重复通知，早已入账",
    "in_suspense": "已收款，有款项转暂存",
    "noted": "已记录",
    "already_ended": "重复通知，退款早已有结果",
    "unknown_refund": "没有这个退款单号",
    "other_amount": "金额与我们的记录不符",
    "signature": "验签不通过，不采信",
    "stale": "通知过期，不采信",
    "too_large": "内容太大，不采信",
}


def say_call(what: str, outcome: str) -> str:
    """Say what a channel was asked and what it answered; its own error codes stay as they are."""
    return f"{_CALLS.get(what, what)}：{_OUTCOMES.get(outcome, outcome)}"


def say_verdict(verdict: str) -> str:
    """Say what became of a notice; a refusal that is not named here keeps its word."""
    if shown := _VERDICTS.get(verdict) or SUSPENSE_SHOWN.get(verdict):
        return shown
    return "已记录" if verdict.startswith("noted_") else f"不采信（{verdict}）"
