"""Tables as files for people: PDF to print, workbooks to reckon with."""

from __future__ import annotations

from collections.abc import Sequence

from gateways.pdf_tables import lay_out
from gateways.pdf_text import LAYING_OUT
from gateways.xlsx_tables import fill_workbook
from services.ports import TableDocument


class OfficeDocuments:
    """Writes both kinds of file; keeps nothing between two documents and is safe in threads."""

    def write_pdf(self, document: TableDocument) -> bytes:
        """Lay a table out on A4 pages, upright or across, its header on each.

        Characters that the shipped font lacks are shown as 〓. The same document always gives the
        same bytes: the file carries no time of making.
        """
        with LAYING_OUT:
            return lay_out(document)

    def write_workbook(self, documents: Sequence[TableDocument]) -> bytes:
        """Write one sheet for each table; money and dates are numbers that can be added.

        Text stays text, even if it begins like a formula. The same documents always give the same
        bytes.

        Raises:
            ValueError: there is no document.
        """
        return fill_workbook(documents)
