"""The Chinese words of the shell: fields that a use-case names, roles that may do a thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from domain.actors import ROLE_PERMISSIONS, ROLE_SHOWN, Permission

_FIELDS = {
    "amount": "金额",
    "amount_fen": "金额",
    "area": "计费面积",
    "arrears_from_fen": "欠费金额",
    "as_of": "截至日期",
    "bill_ids": "账单",
    "bill_no": "账单号",
    "billing_area": "计费面积",
    "buy_months": "缴费月数",
    "buyers": "新业主",
    "cap_fen": "封顶金额",
    "cap_ratio": "封顶比例",
    "card": "刷卡",
    "cash": "现金",
    "channel": "方式",
    "cheque": "支票",
    "client_key": "请求编号",
    "closed_on": "停用日期",
    "closing_reading": "最后读数",
    "code": "编号",
    "coefficient": "收费系数",
    "community": "小区",
    "constant": "公式常量",
    "cut_on": "过户日",
    "cycle_from_month": "周期起始月",
    "daily_rate": "每日比例",
    "day": "日期",
    "due_day": "到期日",
    "due_days": "到期天数",
    "early_days": "早缴天数",
    "email": "邮箱",
    "ends_before": "停用日期",
    "fee_item_ids": "收费项目",
    "filter": "筛选",
    "float": "备用金",
    "formula": "公式",
    "free_months": "赠送月数",
    "from": "开始日期",
    "grace_days": "宽限天数",
    "house": "房屋",
    "house_id": "房屋",
    "house_ids": "房屋",
    "is_per_period": "按期计",
    "issue_offset_days": "出账推后天数",
    "label": "标签",
    "limit": "条数",
    "login_name": "登录名",
    "meter_kind": "表类型",
    "meter_no": "表号",
    "modulus": "量程",
    "month": "账期",
    "multiplier": "倍率",
    "name": "名称",
    "note": "备注",
    "opened_on": "启用日期",
    "opening_reading": "起始读数",
    "password": "密码",
    "owner_id": "业主",
    "paper": "证明材料",
    "payee_name": "收款人姓名",
    "payee_phone": "收款人手机号",
    "payer_name": "付款人",
    "payout": "收款人",
    "percent": "优惠比例",
    "person_until": "结束日期",
    "phone": "手机号",
    "price": "单价",
    "priority": "优先级",
    "proof": "证明",
    "reading": "读数",
    "reason": "原因",
    "received_on": "收款日期",
    "refund_alone_fen": "单人退款额度",
    "rights": "权限",
    "role": "身份",
    "share_ratio": "份额",
    "source_document": "依据",
    "span": "起止时间",
    "surcharge": "附加费",
    "text": "查找内容",
    "tiers": "阶梯",
    "to_house_id": "转入房屋",
    "transfer": "银行转账",
    "unit_price": "单价",
    "units": "用量",
    "until": "结束日期",
    "vacancy_rate": "空置收费比例",
    "voucher_no": "凭证号",
    "wechat_note": "微信备注",
    "weight": "权重",
    "weights": "权重",
    "which": "收据",
}


def say_fields(fields: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Say what is wrong with each field; one that has no word here keeps its name."""
    for name, reasons in fields.items():
        yield f"{_FIELDS.get(name, name)}：{'；'.join(reasons)}"


def say_who_may(permission: str | None) -> str:
    """Say in brackets which roles have a permission; nothing where none has."""
    may = [
        ROLE_SHOWN[role]
        for role, permissions in ROLE_PERMISSIONS.items()
        if permission and Permission(permission) in permissions
    ]
    return f"（可由{'、'.join(may)}办理）" if may else ""
