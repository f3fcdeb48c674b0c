"""How a house is called."""

from __future__ import annotations

from enum import StrEnum


class HouseState(StrEnum):
    """How a house is used; 未售/已交付/空置/装修中/自住/出租."""

    UNSOLD = "unsold"
    DELIVERED = "delivered"
    VACANT = "vacant"
    RENOVATING = "renovating"
    OCCUPIED = "occupied"
    RENTED = "rented"


class BuildingType(StrEnum):
    """How a community or a building is built; 高层/小高层/多层/别墅/商业/混合."""

    HIGH_RISE = "high_rise"
    MID_RISE = "mid_rise"
    MULTI_STOREY = "multi_storey"
    VILLA = "villa"
    COMMERCIAL = "commercial"
    MIXED = "mixed"


HOUSE_STATE_SHOWN = {
    HouseState.UNSOLD: "未售",
    HouseState.DELIVERED: "已交付",
    HouseState.VACANT: "空置",
    HouseState.RENOVATING: "装修中",
    HouseState.OCCUPIED: "自住",
    HouseState.RENTED: "出租",
}
BUILDING_TYPE_SHOWN = {
    BuildingType.HIGH_RISE: "高层",
    BuildingType.MID_RISE: "小高层",
    BuildingType.MULTI_STOREY: "多层",
    BuildingType.VILLA: "别墅",
    BuildingType.COMMERCIAL: "商业",
    BuildingType.MIXED: "混合",
}


class SpaceRight(StrEnum):
    """By what right a parking space is used; 产权/租赁/公共/人防."""

    OWNED = "owned"
    RENTED = "rented"
    PUBLIC = "public"
    CIVIL_DEFENCE = "civil_defence"


def house_label(building: str, unit_no: str, room_no: str) -> str:
    """Name a house the way its owners do: ``1栋2单元303``; without a unit ``1栋303``."""
    return f"{building}{unit_no}单元{room_no}" if unit_no else f"{building}{room_no}"


PUBLIC_AREA = "公共区域"


def place_label(building: str | None, unit_no: str | None, room_no: str | None) -> str:
    """Name a place: a house, the public area of a building, or that of a whole community."""
    if building is None:
        return PUBLIC_AREA
    if unit_no is None or room_no is None:
        return f"{building}{PUBLIC_AREA}"
    return house_label(building, unit_no, room_no)
