"""Why a file is not taken."""

from __future__ import annotations

from domain.errors import Conflict, InvalidInput


class FileMissing(InvalidInput):
    """The form has no file, or an empty one."""

    code = "file_missing"
    message = "没有收到文件，请重新选择"


class PhotoUnreadable(InvalidInput):
    """The bytes are no picture in a form that we take."""

    code = "photo_unreadable"
    message = "照片无法识别，请上传 JPG、PNG 或 WebP 格式的照片"


class PhotoTooLarge(InvalidInput):
    """More bytes or pixels than we take."""

    code = "photo_too_large"
    message = "照片太大，请选择 10 MB 以内的照片"


class DocumentRefused(InvalidInput):
    """A kind of document that we do not take, or one that is not what its name says."""

    code = "document_refused"
    message = "文件类型不支持或与扩展名不符，可上传 PDF、JPG、PNG、DOCX、XLSX"


class DocumentTooLarge(InvalidInput):
    """More bytes than we take."""

    code = "document_too_large"
    message = "文件太大，请选择 20 MB 以内的文件"


class TooManyFiles(InvalidInput):
    """More photos than one thing may have."""

    code = "too_many_files"
    message = "一次最多 9 张照片"


class TooManyLooseFiles(Conflict):
    """So many files were handed in and not used."""

    code = "too_many_loose_files"
    message = "未提交的文件太多，请先提交，或明天再传"
