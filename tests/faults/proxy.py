"""A proxy between an app and PostgreSQL that can cut the line at a COMMIT."""

import asyncio
import threading
from contextlib import suppress
from enum import StrEnum
from urllib.parse import parse_qs, urlsplit

_COMMIT = b"COMMIT"
_BLOCK = 65536


class Cut(StrEnum):
    """Where the line breaks."""

    BEFORE = "before"
    """The server never hears of the COMMIT."""
    REPLY = "reply"
    """The server commits; what it answers never arrives."""


class FaultProxy:
    """Forwards to a PostgreSQL; a context manager. Each client has a connection of its own there.

    Attributes:
        cuts: how often the line was cut.
        commits: how many COMMITs were seen.
    """

    def __init__(self, database_url):
        self._target = _address(database_url)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._server = None
        self._cut, self._nth = None, 0
        self._tasks = set()
        self.cuts = self.commits = 0
        user, password, name = _account(database_url)
        self._url = (
            f"postgresql+psycopg://{user}{password}@127.0.0.1:{{}}/{name}?gssencmode=disable"
        )

    @property
    def url(self):
        """The SQLAlchemy URL of the same database through the proxy."""
        return self._url.format(self._server.sockets[0].getsockname()[1])

    def cut(self, where, nth=1):
        """Cut the line at the nth COMMIT from now on, once."""
        self._nth, self._cut = nth, where

    def heal(self):
        """Cut nothing any more."""
        self._cut = None

    def __enter__(self):
        self._thread.start()
        start = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result()
        return self

    def __exit__(self, *error):
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        there, back = await self._connect()
        is_cut = asyncio.Event()
        ways = [
            asyncio.create_task(self._to_server(reader, back, is_cut)),
            asyncio.create_task(self._to_client(there, writer, is_cut)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for each in (writer, back):
                each.transport.abort()
            self._tasks.discard(asyncio.current_task())

    async def _connect(self):
        if isinstance(self._target, str):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection(*self._target)

    async def _to_server(self, reader, back, is_cut):
        with suppress(ConnectionError):
            while data := await reader.read(_BLOCK):
                where = self._at_commit(data)
                if where is Cut.BEFORE:
                    return
                if where is Cut.REPLY:
                    is_cut.set()
                back.write(data)
                await back.drain()

    async def _to_client(self, there, writer, is_cut):
        with suppress(ConnectionError):
            while data := await there.read(_BLOCK):
                if is_cut.is_set():
                    return  # the COMMIT is done, for the server has answered
                writer.write(data)
                await writer.drain()

    def _at_commit(self, data):
        if _COMMIT not in data:
            return None
        self.commits += 1
        if self._cut is None:
            return None
        self._nth -= 1
        if self._nth:
            return None
        where, self._cut = self._cut, None
        self.cuts += 1
        return where


def _address(database_url):
    parts = urlsplit(database_url)
    folder = parse_qs(parts.query).get("host")
    if folder and folder[0].startswith("/"):
        port = parse_qs(parts.query).get("port", ["5432"])[0]
        return f"{folder[0]}/.s.PGSQL.{port}"
    return parts.hostname or "127.0.0.1", parts.port or 5432


def _account(database_url):
    parts = urlsplit(database_url)
    password = f":{parts.password}" if parts.password else ""
    return parts.username or "", password, parts.path.lstrip("/")
