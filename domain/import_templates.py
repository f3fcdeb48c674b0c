"""The workbook that we hand out to be filled in: one empty sheet for each kind of import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain import house_sheet, reading_sheet, space_sheet


@dataclass(frozen=True, slots=True)
class TemplateColumn:
    """One column: its title, what is meant by it, and what may stand in it.

    ``width`` is about as many Chinese characters as it should hold. ``is_text`` keeps what looks
    like a number as it was typed.
    """

    title: str
    hint: str
    example: str
    width: int = 6
    is_needed: bool = False
    is_text: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SheetTemplate:
    """One sheet to be filled in."""

    name: str
    columns: Sequence[TemplateColumn]


_BUILDING = TemplateColumn("楼栋", "楼栋的名称", "1栋", is_needed=True, is_text=True)
_UNIT = TemplateColumn("单元", "没有单元则留空", "1", is_text=True)
_ROOM = TemplateColumn("房号", "文本，不要让表格改成日期", "101", is_needed=True, is_text=True)
_PHONE_HINT = "11 位手机号，文本；与姓名一一对应，多个用顿号隔开"
_DAY_HINT = "例如 2020-06-01、2020年6月1日、2020.6.1"
HOUSES = SheetTemplate(
    house_sheet.SHEET_NAME,
    (
        _BUILDING,
        _UNIT,
        TemplateColumn("楼层", "整数，地下为负数", "1"),
        _ROOM,
        TemplateColumn("户型", "", "三室两厅两卫", width=8, is_text=True),
        TemplateColumn("建筑面积(㎡)", "最多 4 位小数，按它计费", "89.37", is_needed=True),
        TemplateColumn("套内面积(㎡)", "可留空", "72.38"),
        TemplateColumn(
            "房屋状态",
            "从下拉列表中选择；留空为已交付",
            "自住",
            choices=("未售", "已交付", "空置", "装修", "自住", "出租"),
        ),
        TemplateColumn("交付日期", _DAY_HINT + "；没有则不计费", "2020-06-01"),
        TemplateColumn("业主姓名", "多位业主用顿号隔开，或每人一行", "陈建、李涵", is_text=True),
        TemplateColumn("手机号", _PHONE_HINT, "19900000001、19900000002", width=12, is_text=True),
        TemplateColumn("邮箱", "可留空", "name@example.com", width=10, is_text=True),
        TemplateColumn("产权份额", "例如 50%；多位业主留空则平分", "100%", is_text=True),
        TemplateColumn("备注", "200 字以内", "", width=12, is_text=True),
    ),
)
SPACES = SheetTemplate(
    space_sheet.SHEET_NAME,
    (
        TemplateColumn("车位号", "同一小区不重复", "B1-001", is_needed=True, is_text=True),
        TemplateColumn("区域", "可留空", "地下", is_text=True),
        TemplateColumn("面积(㎡)", "可留空", "12.72"),
        TemplateColumn(
            "性质",
            "从下拉列表中选择",
            "产权",
            is_needed=True,
            choices=space_sheet.RIGHT_CHOICES,
        ),
        TemplateColumn("使用人", "与业主档案一致", "陈建", is_text=True),
        TemplateColumn("手机号", "业主档案中的手机号", "19900000001", width=8, is_text=True),
        TemplateColumn("车牌号", "多个用顿号隔开", "粤B96741、粤BD12345", width=12, is_text=True),
        TemplateColumn("备注", "200 字以内", "", width=12, is_text=True),
    ),
)
READINGS = SheetTemplate(
    reading_sheet.SHEET_NAME,
    (
        TemplateColumn("楼栋", "新表必填", "1栋", is_text=True),
        TemplateColumn("单元", "没有单元则留空", "1", is_text=True),
        TemplateColumn("房号", "新表必填", "101", is_text=True),
        TemplateColumn("表号", "表上的编号", "W0101", width=8, is_needed=True, is_text=True),
        TemplateColumn(
            "表类型",
            "新表必填，从下拉列表中选择",
            "冷水",
            choices=("冷水", "热水", "电", "燃气", "热力"),
        ),
        TemplateColumn("抄表日期", _DAY_HINT, "2026-10-31", is_needed=True),
        TemplateColumn("读数", "最多 4 位小数", "603.35", is_needed=True),
        TemplateColumn("是否归零", "表走过了量程填 是", "", choices=("是", "否")),
        TemplateColumn("备注", "200 字以内", "", width=12, is_text=True),
    ),
)
TEMPLATES = (HOUSES, SPACES, READINGS)
ADVICE = (
    "每张工作表的第一行是表头，请从第二行开始填写；带 * 的列必填。",
    "同一房屋有几位业主时，写在同一格里用顿号隔开，或每人一行。",
    "表头的名称可以照自己的习惯写，例如 楼号、室号、联系电话；列的顺序也可以不同。",
    "先检查再导入：有问题的行会列出原因与建议，其余行照常导入；改好后可以整份再次上传。",
)
