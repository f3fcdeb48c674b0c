"""Templates and the limits of their fields.

Source: https://www.cnblogs.com/AtlasLapetos/p/18640979, which copies the official table.
"""

import re
from dataclasses import dataclass
from typing import Any

from simulator.credentials import Credentials
from simulator.wechat_wire import Refused

_TIME = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?"
_DAY = r"\d{4}(?:年\d{1,2}月(?:\d{1,2}日)?|-\d{1,2}-\d{1,2}|/\d{1,2}/\d{1,2}|\.\d{1,2}\.\d{1,2})"
_MOMENT = rf"(?:{_DAY}(?:\s*{_TIME})?|{_TIME})"
_SPAN = rf"{_MOMENT}(?:\s*~\s*{_MOMENT})?"

_RULES = {
    "thing": r"[^\r\n]{1,20}",
    "number": r"[+-]?\d{1,32}(?:\.\d+)?",
    "letter": r"[A-Za-z]{1,32}",
    "symbol": r"[!-/:-@\[-`{-~¥￥（）【】、。，！？：；]{1,5}",
    "character_string": r"[!-~]{1,32}",
    "time": _SPAN,
    "date": _SPAN,
    "amount": r"[¥￥$€£]?\d{1,10}(?:,\d{3})*(?:\.\d{1,2})?元?",
    "phone_number": r"[\d+()\- ]{1,17}",
    "car_number": r"[\u4e00-\u9fff]?[A-Za-z0-9]{1,7}[\u4e00-\u9fff]?",
    "name": r"[\u4e00-\u9fff·]{1,10}|[A-Za-z ]{1,20}|[\u4e00-\u9fffA-Za-z· ]{1,10}",
    "phrase": r"[\u4e00-\u9fff]{1,5}",
}


_PROGRESS = {"thing1": "事项", "phrase2": "进度", "time3": "时间", "thing4": "说明"}
_NOTICE = {"thing1": "标题", "thing2": "小区", "time3": "发布时间"}
_WORK = {"thing1": "事项", "thing2": "地点", "time3": "时间"}


@dataclass(frozen=True)
class Template:
    """A message template: its fields in order, with the labels people see."""

    id: str
    kind: str
    title: str
    labels: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return the template as the control interface lists it."""
        return dict(vars(self))


def templates(credentials: Credentials) -> dict[str, Template]:
    """Return the templates our account and mini-program have chosen, by id."""
    ids = credentials.templates
    listed = [
        Template(
            ids["wx_bill_published"],
            "official",
            "物业账单通知",
            {"thing1": "房屋", "thing2": "收费项目", "amount3": "应缴金额", "time4": "缴费截止"},
        ),
        Template(
            ids["wx_payment_received"],
            "official",
            "缴费成功通知",
            {
                "thing1": "房屋",
                "amount2": "缴费金额",
                "time3": "缴费时间",
                "character_string4": "收据号",
            },
        ),
        Template(
            ids["wx_subscribe_bill"],
            "miniapp",
            "账单提醒",
            {"thing1": "房屋", "amount2": "应缴金额", "time3": "缴费截止"},
        ),
        Template(ids["wx_subscribe_progress"], "miniapp", "处理进度通知", _PROGRESS),
        Template(ids["wx_subscribe_notice"], "miniapp", "小区公告通知", _NOTICE),
        Template(ids["wx_progress"], "official", "处理进度通知", _PROGRESS),
        Template(ids["wx_notice"], "official", "小区公告通知", _NOTICE),
        Template(ids["wx_work"], "official", "工单提醒", _WORK),
    ]
    return {one.id: one for one in listed}


def is_valid(key: str, value: Any) -> bool:
    """Tell whether a value is allowed in the field with this key, such as `thing1`."""
    rule = _RULES.get(key.rstrip("0123456789"))
    if rule is None or not isinstance(value, str) or not value.strip():
        return False
    return re.fullmatch(rule, value, re.ASCII) is not None


def render(template: Template, data: Any) -> list[dict[str, str]]:
    """Check the data of a message against its template and return labelled values.

    Raises:
        Refused: 47003 naming the first field that is missing, unknown or against the limits.
    """
    if not isinstance(data, dict):
        raise Refused(47003, "argument invalid! data invalid")
    for key in [*template.labels, *data]:
        item = data.get(key)
        value = item.get("value") if isinstance(item, dict) else None
        if key not in template.labels or not is_valid(key, value):
            raise Refused(47003, f"argument invalid! data.{key}.value invalid")
    return [
        {"label": label, "value": str(data[key]["value"])} for key, label in template.labels.items()
    ]
