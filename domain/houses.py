"""How a house is called."""

from __future__ import annotations


def house_label(building: str, unit_no: str, room_no: str) -> str:
    """Name a house the way its owners do: ``1栋2单元303``; without a unit ``1栋303``."""
    return f"{building}{unit_no}单元{room_no}" if unit_no else f"{building}{room_no}"
