"""What goes to the printer on slips: receipts, door codes, labels; and the port that draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

SCAN_TO_PAY = "微信或支付宝扫一扫缴物业费"
SCAN_TO_REPORT = "扫一扫查看设备、报修"


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One line of a receipt: what was received for it, and the discount that was granted on top."""

    house: str
    item: str
    period: str
    amount_fen: int
    discount_fen: int = 0


@dataclass(frozen=True, slots=True)
class ReceiptSheet:
    """A receipt as it is printed; every text as people read it, empty where there is none.

    ``verify_url`` is what the code opens. ``watermark`` lies large and grey across each page, for
    what takes the receipt's force: 作废. ``marks`` stand small and framed at its head, in order:
    补打 第2次, 已退款 ¥12.00.

    Raises:
        ValueError: there is no line, or the lines do not add up to ``total_fen``.
    """

    community: str
    receipt_no: str
    issued_on: str
    payer: str
    houses: Sequence[str]
    channel: str
    paid_at: str
    lines: Sequence[ReceiptLine]
    total_fen: int
    verify_url: str
    transaction_id: str = ""
    out_trade_no: str = ""
    voucher_no: str = ""
    cashier: str = ""
    remarks: Sequence[str] = ()
    marks: Sequence[str] = ()
    watermark: str = ""

    def __post_init__(self) -> None:
        if not self.lines:
            raise ValueError("a receipt needs a line")
        if sum(line.amount_fen for line in self.lines) != self.total_fen:
            raise ValueError("the lines of a receipt must add up to its total")


@dataclass(frozen=True, slots=True)
class DoorCode:
    """One card for a door: the code of a house that its owner scans to pay."""

    community: str
    house: str
    url: str
    hint: str = SCAN_TO_PAY


@dataclass(frozen=True, slots=True)
class EquipmentLabel:
    """One label for equipment: the code that opens its page, and the words beside it."""

    community: str
    name: str
    place: str
    number: str
    url: str
    hint: str = SCAN_TO_REPORT


class SlipWriter(Protocol):
    """Draws slips; the same slips always give the same bytes."""

    def write_receipts(self, sheets: Sequence[ReceiptSheet]) -> bytes:
        """Write a PDF of 210 × 140 mm pages; each receipt begins a page and counts its own.

        Raises:
            ValueError: there is no receipt, a total has no capitals (negative or over
                999,999,999.99 yuan), or an address is empty or longer than 300 bytes.
        """
        ...

    def write_door_codes(self, codes: Sequence[DoorCode]) -> bytes:
        """Write a PDF of A4 pages with six cards each, to be cut along the dashed lines.

        Raises:
            ValueError: there is no code, or an address is empty or longer than 300 bytes.
        """
        ...

    def write_equipment_labels(self, labels: Sequence[EquipmentLabel]) -> bytes:
        """Write a PDF of A4 pages with fourteen labels each, to be cut along the dashed lines.

        Raises:
            ValueError: there is no label, or an address is empty or longer than 300 bytes.
        """
        ...

    def write_qr_png(self, text: str) -> bytes:
        """Draw a QR code with its quiet zone as a PNG image, for screens.

        Raises:
            ValueError: the text is empty or longer than 300 bytes.
        """
        ...
