"""Places for files: a folder of this machine, or a bucket of anything that speaks S3."""

from __future__ import annotations

import io
import os
import re
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from domain.errors import NotFound, PlatformUnavailable
from settings import SettingsMissing

_KEY = re.compile(r"[a-z0-9]+(?:[/-][a-z0-9]+)*")
_CONNECT_S, _READ_S = 3, 20
_REGION = "us-east-1"
"""What S3 means by none."""
_ABSENT = ("NoSuchKey", "NoSuchObject")


def _checked(key: str) -> str:
    """Hold keys to our own form: none can lead out of the folder or the bucket."""
    if not _KEY.fullmatch(key):
        raise NotFound
    return key


@dataclass(frozen=True, slots=True)
class FolderStore:
    """Implements `services.file_ports.FileStore` by files below one folder."""

    folder: Path

    def put(self, key: str, content: bytes, *, content_type: str) -> None:
        """Write a file: it is there as a whole, and on the disk, or not at all."""
        del content_type
        path = self.folder / _checked(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as written:
                try:
                    written.write(content)
                    written.flush()
                    os.fsync(written.fileno())
                    Path(written.name).replace(path)
                except BaseException:
                    Path(written.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            raise PlatformUnavailable("文件暂时无法保存，请稍后再试") from error

    def get(self, key: str) -> bytes:
        """Read a file."""
        try:
            return (self.folder / _checked(key)).read_bytes()
        except FileNotFoundError:
            raise NotFound from None
        except OSError as error:
            raise PlatformUnavailable from error

    def delete(self, key: str) -> None:
        """Remove a file."""
        try:
            (self.folder / _checked(key)).unlink(missing_ok=True)
        except OSError as error:
            raise PlatformUnavailable from error


class S3Store:
    """Implements `services.file_ports.FileStore` by a bucket: AWS, MinIO, Tencent COS, Aliyun OSS.

    ``endpoint`` is host and port; the bucket must exist.
    """

    def __init__(
        self, *, endpoint: str, bucket: str, access_key: str, secret_key: str, region: str
    ) -> None:
        is_plain = endpoint.startswith("http://")
        self._bucket = bucket
        self._client = Minio(
            endpoint.removeprefix("http://").removeprefix("https://"),
            access_key=access_key,
            secret_key=secret_key,
            secure=not is_plain,
            region=region,
            http_client=urllib3.PoolManager(
                timeout=urllib3.Timeout(connect=_CONNECT_S, read=_READ_S),
                retries=urllib3.Retry(total=2, backoff_factor=0.2, status_forcelist=(500, 503)),
            ),
        )

    def put(self, key: str, content: bytes, *, content_type: str) -> None:
        """Put an object."""
        try:
            self._client.put_object(
                self._bucket,
                _checked(key),
                io.BytesIO(content),
                len(content),
                content_type=content_type,
            )
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            raise PlatformUnavailable("文件暂时无法保存，请稍后再试") from error

    def get(self, key: str) -> bytes:
        """Get an object."""
        try:
            response = self._client.get_object(self._bucket, _checked(key))
            try:
                content: bytes = response.read()
            finally:
                response.close()
                response.release_conn()
        except S3Error as error:
            if error.code in _ABSENT:
                raise NotFound from None
            raise PlatformUnavailable from error
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            raise PlatformUnavailable from error
        return content

    def delete(self, key: str) -> None:
        """Remove an object."""
        try:
            self._client.remove_object(self._bucket, _checked(key))
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            raise PlatformUnavailable from error


def open_store(*, directory: str, url: str) -> FolderStore | S3Store:
    """Open the store that the settings name; a bucket comes before a folder. Calls nobody.

    ``url`` is ``https://KEY:SECRET@HOST/BUCKET?region=REGION``, with KEY and SECRET quoted as in
    any address.

    Raises:
        SettingsMissing: the address cannot be read.
    """
    if not url:
        return FolderStore(Path(directory))
    parts = urlsplit(url)
    bucket = parts.path.strip("/")
    if parts.scheme not in ("http", "https") or not (parts.username and parts.password and bucket):
        raise SettingsMissing(["FILES_URL"])
    return S3Store(
        endpoint=f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
        bucket=bucket,
        access_key=unquote(parts.username),
        secret_key=unquote(parts.password),
        region=parse_qs(parts.query).get("region", [_REGION])[0],
    )


@dataclass(frozen=True, slots=True)
class FileStoreProbe:
    """Keeps a file, reads it back and removes it."""

    store: FolderStore | S3Store

    name = "文件存储"

    def check(self) -> str:
        """Do it for real.

        Raises:
            PlatformUnavailable: it does not work.
        """
        key = f"probe/{secrets.token_hex(8)}"
        content = secrets.token_bytes(64)
        self.store.put(key, content, content_type="application/octet-stream")
        try:
            if self.store.get(key) != content:
                raise PlatformUnavailable("写入的文件读回来不一样")
        except NotFound:
            raise PlatformUnavailable("写入的文件读不回来") from None
        finally:
            self.store.delete(key)
        where = "对象存储" if isinstance(self.store, S3Store) else "本机文件夹"
        return f"{where}可以写入、读取和删除"
