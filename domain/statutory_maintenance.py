"""The library of what law and standards ask to be done to equipment, and how often at least.

It is where a community starts: its managers change their copy of it. Periods vary by region and
contract; where a line says so, the local rule goes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.checklists import ChecklistItem
from domain.equipment import EquipmentCategory
from domain.maintenance_rules import PlanUnit
from domain.maintenance_states import MaintenanceKind


@dataclass(frozen=True, slots=True)
class StatutoryTask:
    """One task of the library."""

    code: str
    name: str
    category: EquipmentCategory
    kind: MaintenanceKind
    every: int
    unit: PlanUnit
    source: str
    evidence: str
    checklist: Sequence[ChecklistItem]


def _items(spec: str) -> Sequence[ChecklistItem]:
    """Read titles separated by spaces; ``*`` asks for a photo."""
    return tuple(
        ChecklistItem(key=f"i{number}", title=word.rstrip("*"), needs_photo=word.endswith("*"))
        for number, word in enumerate(spec.split(), 1)
    )


_C, _K, _U = EquipmentCategory, MaintenanceKind, PlanUnit
STATUTORY_LIBRARY = (
    StatutoryTask(
        "LIFT-15D",
        "电梯半月维护保养",
        _C.LIFT,
        _K.STATUTORY,
        15,
        _U.DAY,
        "TSG T5001 电梯维护保养规则：半月、季度、半年、年度保养，半月保养间隔不超过 15 日",
        "维保记录，使用单位安全管理员签字",
        _items(
            "机房环境与通风 曳引机运行* 制动器间隙 限速器 轿厢照明与应急照明 紧急报警通话"
            " 层门地坎清洁 底坑环境*"
        ),
    ),
    StatutoryTask(
        "LIFT-YEAR",
        "电梯年度定期检验",
        _C.LIFT,
        _K.STATUTORY,
        1,
        _U.YEAR,
        "《特种设备安全法》第四十条：检验合格有效期届满前一个月提出定期检验要求",
        "定期检验报告、检验合格标志",
        _items("检验报告* 检验合格标志张贴* 下次检验日期登记"),
    ),
    StatutoryTask(
        "FIRE-MONTH",
        "建筑消防设施月度检查",
        _C.FIRE,
        _K.STATUTORY,
        1,
        _U.MONTH,
        "GB 25201 建筑消防设施的维护管理：按月检查",
        "建筑消防设施检查记录",
        _items("火灾报警控制器* 消火栓* 自动喷水末端试水 防排烟风机 应急照明与疏散指示 防火门"),
    ),
    StatutoryTask(
        "FIRE-YEAR",
        "建筑消防设施年度检测",
        _C.FIRE,
        _K.STATUTORY,
        1,
        _U.YEAR,
        "《消防法》第十六条第一款第三项：建筑消防设施每年至少进行一次全面检测",
        "消防设施检测报告，存档备查",
        _items("检测报告* 不合格项整改"),
    ),
    StatutoryTask(
        "EXT-MONTH",
        "灭火器月度检查",
        _C.FIRE,
        _K.STATUTORY,
        1,
        _U.MONTH,
        "GB 50444 建筑灭火器配置验收及检查规范：每月检查一次；维修与报废年限按该规范",
        "灭火器检查卡",
        (
            ChecklistItem("i1", "压力指示在绿区", needs_photo=True),
            ChecklistItem("i2", "铅封与喷管"),
            ChecklistItem("i3", "生产或维修日期未超期"),
        ),
    ),
    StatutoryTask(
        "TANK-HALF",
        "二次供水水箱清洗消毒",
        _C.WATER,
        _K.STATUTORY,
        6,
        _U.MONTH,
        "GB 17051 二次供水设施卫生规范与各地二次供水管理办法：每半年至少清洗一次，以当地规定为准",
        "清洗消毒记录、水质检测报告",
        (
            ChecklistItem("i1", "清洗消毒过程", needs_photo=True),
            ChecklistItem("i2", "水质检测报告", needs_photo=True),
            ChecklistItem("i3", "水箱盖锁与防蚊虫网"),
        ),
    ),
    StatutoryTask(
        "LIGHTNING-YEAR",
        "防雷装置检测",
        _C.POWER,
        _K.STATUTORY,
        1,
        _U.YEAR,
        "《防雷减灾管理办法》第十九条：投入使用后的防雷装置每年检测一次",
        "防雷装置检测报告",
        _items("检测报告* 不合格项整改"),
    ),
    StatutoryTask(
        "PRESSURE-YEAR",
        "压力容器年度检查",
        _C.PRESSURE,
        _K.STATUTORY,
        1,
        _U.YEAR,
        "TSG 21 固定式压力容器安全技术监察规程：使用单位每年至少进行一次年度检查",
        "年度检查报告",
        _items("本体与铭牌* 安全阀校验有效期 压力表检定有效期"),
    ),
    StatutoryTask(
        "POWER-YEAR",
        "配电设备预防性试验",
        _C.POWER,
        _K.MAJOR,
        1,
        _U.YEAR,
        "DL/T 596 电力设备预防性试验规程，周期以供用电合同和当地要求为准",
        "试验报告",
        _items("试验报告* 接头温度 绝缘工具检验"),
    ),
)
"""Every task of the library.

Source: the laws and standards that each line names. Read on 2026-11-25, both quoted by others:
《消防法》第十六条 (adjagat.com), and TSG T5001-2009 第十六条 with 特种设备安全监察条例 art. 31
(hudiewan.cc: 15 days). GB 17051-1997 was replaced by GB 17051-2025; its half-year, and all other
lines, are from memory and not checked against the newest editions. domain.md ranks the library
"medium: editable": managers confirm it.
"""
