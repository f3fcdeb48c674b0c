"""What equipment is, the states it can be in, and which documents are kept of it."""

from __future__ import annotations

import secrets
from datetime import timedelta
from enum import StrEnum

CODE_LENGTH = 12
_CODE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Neither 0, 1, I nor O: people type codes that do not scan."""
CODE_PATTERN = r"^[2-9A-HJ-NP-Z]{12}$"
FAILURE_WINDOW = timedelta(days=90)
FAILURES_TO_PROPOSE = 3
"""So many repairs within the window propose another maintenance plan.

Source: domain.md, idea 12.
"""


class EquipmentState(StrEnum):
    """Whether equipment works."""

    IN_USE = "in_use"
    STANDBY = "standby"
    UNDER_REPAIR = "under_repair"
    STOPPED = "stopped"
    SCRAPPED = "scrapped"


STATE_SHOWN = {
    EquipmentState.IN_USE: "在用",
    EquipmentState.STANDBY: "备用",
    EquipmentState.UNDER_REPAIR: "维修中",
    EquipmentState.STOPPED: "停用",
    EquipmentState.SCRAPPED: "报废",
}
_LIVE = frozenset(EquipmentState) - {EquipmentState.SCRAPPED}
STATE_MOVES: dict[EquipmentState, frozenset[EquipmentState]] = {
    **{state: _LIVE - {state} for state in _LIVE},
    EquipmentState.STOPPED: frozenset(EquipmentState) - {EquipmentState.STOPPED},
    EquipmentState.STANDBY: frozenset(EquipmentState) - {EquipmentState.STANDBY},
    EquipmentState.SCRAPPED: frozenset(),
}
"""What may follow; equipment is taken out of use before it is scrapped, and that is the end."""
MAINTAINED = frozenset({EquipmentState.IN_USE, EquipmentState.STANDBY, EquipmentState.UNDER_REPAIR})
"""States in which maintenance falls due."""


class EquipmentCategory(StrEnum):
    """What kind of equipment it is."""

    LIFT = "lift"
    FIRE = "fire"
    WATER = "water"
    POWER = "power"
    HVAC = "hvac"
    ACCESS = "access"
    MONITORING = "monitoring"
    PARKING = "parking"
    LIGHTING = "lighting"
    PRESSURE = "pressure"
    OTHER = "other"


CATEGORY_SHOWN = {
    EquipmentCategory.LIFT: "电梯",
    EquipmentCategory.FIRE: "消防",
    EquipmentCategory.WATER: "给排水",
    EquipmentCategory.POWER: "供配电",
    EquipmentCategory.HVAC: "暖通空调",
    EquipmentCategory.ACCESS: "门禁",
    EquipmentCategory.MONITORING: "监控",
    EquipmentCategory.PARKING: "停车",
    EquipmentCategory.LIGHTING: "照明",
    EquipmentCategory.PRESSURE: "压力容器",
    EquipmentCategory.OTHER: "其他",
}


class Importance(StrEnum):
    """What stands still when it does: the whole community, a part of it, or nothing much."""

    CRITICAL = "critical"
    IMPORTANT = "important"
    ORDINARY = "ordinary"


IMPORTANCE_SHOWN = {
    Importance.CRITICAL: "关键",
    Importance.IMPORTANT: "重要",
    Importance.ORDINARY: "一般",
}


class DocumentType(StrEnum):
    """What a document of equipment is."""

    CERTIFICATE = "certificate"
    INSPECTION = "inspection"
    CONTRACT = "contract"
    MANUAL = "manual"
    DRAWING = "drawing"
    OTHER = "other"


DOCUMENT_SHOWN = {
    DocumentType.CERTIFICATE: "合格证或登记证",
    DocumentType.INSPECTION: "检验报告",
    DocumentType.CONTRACT: "合同",
    DocumentType.MANUAL: "说明书",
    DocumentType.DRAWING: "图纸",
    DocumentType.OTHER: "其他",
}


class ExpiryKind(StrEnum):
    """What of equipment runs out on a day."""

    WARRANTY = "warranty"
    STATUTORY = "statutory"
    CONTRACT = "contract"
    DOCUMENT = "document"


EXPIRY_SHOWN = {
    ExpiryKind.WARRANTY: "保修",
    ExpiryKind.STATUTORY: "法定检验",
    ExpiryKind.CONTRACT: "维保合同",
    ExpiryKind.DOCUMENT: "文件",
}


def new_code() -> str:
    """Draw the code of a label: 60 bits, so that nobody finds equipment by counting."""
    return "".join(secrets.choice(_CODE_LETTERS) for _ in range(CODE_LENGTH))
