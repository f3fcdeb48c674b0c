"""Slips for the printer: receipts and door codes as PDF, QR codes as images."""

from __future__ import annotations

from collections.abc import Sequence

from gateways.door_codes import draw_door_codes
from gateways.equipment_labels import draw_equipment_labels
from gateways.pdf_text import LAYING_OUT
from gateways.qr_codes import draw_png
from gateways.receipt_pages import draw_receipts
from services.printing import DoorCode, EquipmentLabel, ReceiptSheet


class PrintedSlips:
    """Writes slips; keeps nothing between two files and is safe in threads."""

    def write_receipts(self, sheets: Sequence[ReceiptSheet]) -> bytes:
        """Write receipts one after the other into one PDF.

        Characters that the shipped font lacks are shown as 〓. The file carries no time of making.

        Raises:
            ValueError: there is no receipt, a total has no capitals, or an address does not fit a
                code.
        """
        if not sheets:
            raise ValueError("there is no receipt")
        with LAYING_OUT:
            return draw_receipts(sheets)

    def write_door_codes(self, codes: Sequence[DoorCode]) -> bytes:
        """Write the cards of doors, six on an A4 page.

        Raises:
            ValueError: there is no code, or an address does not fit one.
        """
        if not codes:
            raise ValueError("there is no door code")
        with LAYING_OUT:
            return draw_door_codes(codes)

    def write_equipment_labels(self, labels: Sequence[EquipmentLabel]) -> bytes:
        """Write the labels of equipment, fourteen on an A4 page.

        Raises:
            ValueError: there is no label, or an address does not fit a code.
        """
        if not labels:
            raise ValueError("there is no label")
        with LAYING_OUT:
            return draw_equipment_labels(labels)

    def write_qr_png(self, text: str) -> bytes:
        """Draw a QR code as a PNG image.

        Raises:
            ValueError: the text is empty or longer than 300 bytes.
        """
        return draw_png(text)
