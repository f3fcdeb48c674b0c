"""Why a workbook that somebody handed in is not read."""

from __future__ import annotations

from domain.errors import InvalidInput


class WorkbookTooLarge(InvalidInput):
    """The file is larger than 10 MB."""

    code = "workbook_too_large"
    message = "文件超过 10 MB，请拆成几个文件再导入"


class NotXlsx(InvalidInput):
    """The file is no .xlsx workbook, whatever its name says."""

    code = "not_xlsx"
    message = "这不是 Excel 工作簿（.xlsx），请用 Excel 或 WPS 另存为 .xlsx 后再导入"


class OldWorkbook(InvalidInput):
    """The file is an .xls of Excel 97 to 2003."""

    code = "old_workbook"
    message = "这是旧版 Excel 文件（.xls），请另存为 .xlsx 后再导入"


class WorkbookEncrypted(InvalidInput):
    """The workbook has a password."""

    code = "workbook_encrypted"
    message = "工作簿设有密码，请取消密码后再导入"


class WorkbookDamaged(InvalidInput):
    """The file begins like a workbook and cannot be read to its end."""

    code = "workbook_damaged"
    message = "工作簿已损坏，请用 Excel 或 WPS 打开后另存一份再导入"


class WorkbookUnpacksTooLarge(InvalidInput):
    """The file unpacks to more than we take: too much, too dense or too many parts."""

    code = "workbook_unpacks_too_large"
    message = "工作簿解开后太大，请只保留要导入的内容再试"


class WorkbookUnsafe(InvalidInput):
    """The workbook declares entities or a document type, which no spreadsheet program writes."""

    code = "workbook_unsafe"
    message = "工作簿含有不安全的内容，不能导入"


class SheetTooBig(InvalidInput):
    """The sheet reaches beyond 60,000 rows, 60 columns or 1,200,000 cells."""

    code = "sheet_too_big"
    message = "表格超过 60000 行、60 列或 120 万格，请删去多余的行列，或拆成几个文件再导入"


class SheetMissing(InvalidInput):
    """The workbook has no sheet of that name, and not just one."""

    code = "sheet_missing"

    def __init__(self, wanted: str) -> None:
        super().__init__(f"工作簿里没有名为「{wanted}」的工作表")


class WorkbookUnreadable(InvalidInput):
    """Reading the file took more memory or time than it may, or killed the reader."""

    code = "workbook_unreadable"
    message = "工作簿无法读取，请用 Excel 或 WPS 打开后，只保留要导入的内容另存一份再试"
