"""The token of a door code (收款码) and what may be shown of a house to whoever scans it."""

from __future__ import annotations

import base64
import hashlib
import hmac

TOKEN_LENGTH = 22


def derive_token(key: bytes, *, house_id: int, version: int) -> str:
    """Make the token of a house's code: 128 bits, the same for the same key, house and version.

    It is derived, not kept, so that a sheet can be printed again and no table gives it away.
    """
    digest = hmac.digest(key, f"pay_code:{house_id}:{version}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def mask_house(building: str, unit_no: str, room_no: str) -> str:
    """Name a house so that its people recognise it and strangers do not learn the door.

    ``1栋2单元303`` becomes ``1栋2单元3**``; a room of one character shows nothing of itself.
    """
    shown = room_no[:1] if len(room_no) > 1 else ""
    unit = f"{unit_no}单元" if unit_no else ""
    return f"{building}{unit}{shown}**"
