"""A deadline for the bodies of requests: whoever sends slowly holds no thread for long."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import RequestTimeout
from werkzeug.wsgi import ClosingIterator

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BODY_DEADLINE_S = 10.0
"""How long a body may take from the end of the headers to its last byte.

64 kB in ten seconds is 52 kbit/s: no honest client is slower. The platforms themselves wait five
seconds for an answer. In production the front has the whole body before it calls us
(docs/production.md); this is the second line, and it matters to whoever runs without one.
"""
_BLOCK = 64 * 1024


class _Watch:
    """One body that is being received; ``sock`` is None once nobody waits for it any more."""

    __slots__ = ("due", "has_passed", "sock")

    def __init__(self, sock: socket.socket, due: float) -> None:
        self.sock: socket.socket | None = sock
        self.due = due
        self.has_passed = False


class Watchdog:
    """Shuts the reading side of connections whose time is over; one thread for all of them.

    The read that waits on such a connection ends as if the client had gone, and an answer can still
    be written. Everybody gets the same time, so the oldest watch is always the next to end.
    """

    def __init__(self, *, within_s: float) -> None:
        self.within_s = within_s
        self._watches: deque[_Watch] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def start(self, sock: socket.socket) -> _Watch:
        """Begin to watch a connection."""
        with self._changed:
            # Not earlier than here: a server may fork after it has made the app.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="body-deadline", daemon=True)
                self._thread.start()
            watch = _Watch(sock, time.monotonic() + self.within_s)
            self._watches.append(watch)
            if len(self._watches) == 1:
                self._changed.notify()
        return watch

    def end(self, watch: _Watch) -> None:
        """Stop watching; when this has returned the connection is not touched any more."""
        with self._changed:
            watch.sock = None

    def _run(self) -> None:
        with self._changed:
            while True:
                if not self._watches:
                    self._changed.wait()
                    continue
                watch = self._watches[0]
                left_s = watch.due - time.monotonic()
                if watch.sock is not None and left_s > 0:
                    self._changed.wait(left_s)
                    continue
                self._watches.popleft()
                if watch.sock is not None:
                    watch.has_passed = True
                    with suppress(OSError):  # the client has gone already
                        # Not sock.shutdown: on a TLS socket that would end the encryption, too.
                        socket.socket.shutdown(watch.sock, socket.SHUT_RD)


class _Body(io.RawIOBase):
    """A request's body that says so when it was too slow."""

    def __init__(
        self, stream: Any, *, announced: int | None, sock: socket.socket, watchdog: Watchdog
    ) -> None:
        self._stream = stream
        self._left = announced
        self._watchdog = watchdog
        self._watch = watchdog.start(sock)
        self._is_over = False

    def readable(self) -> bool:
        """Tell the io module that one may read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read as much as the server gives.

        Raises:
            RequestTimeout: the deadline passed before.
        """
        wanted = len(buffer) if self._left is None else min(len(buffer), self._left)
        try:
            data: bytes = self._stream.read(wanted)
        except Exception as error:
            # Half a chunk is another error than half a body of known length.
            self._end()
            if self._watch.has_passed:
                raise RequestTimeout from error
            raise
        buffer[: len(data)] = data
        if self._left is not None:
            self._left -= len(data)
        if not data or self._left == 0:
            self._end()
        if len(data) < wanted and self._left != 0 and self._watch.has_passed:
            raise RequestTimeout
        return len(data)

    def finish(self) -> None:
        """Read and forget what is left, still within the deadline.

        A server that has to do this itself, as gunicorn does before the next request of the
        connection and while it closes one, lets a silent client hold it up.
        """
        with suppress(Exception):
            while not self._is_over:
                self.read(_BLOCK)
        self._end()

    def _end(self) -> None:
        self._is_over = True
        self._watchdog.end(self._watch)


class SlowBodyGuard:
    """Gives every body that gunicorn receives for an app the deadline; other servers are let be."""

    def __init__(self, app: WSGIApplication, *, within_s: float) -> None:
        self._app = app
        self._watchdog = Watchdog(within_s=within_s)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request; what its body still owes is taken in after the answer."""
        sock = environ.get("gunicorn.socket")
        length = environ.get("CONTENT_LENGTH") or ""
        announced = int(length) if length.isascii() and length.isdigit() else None
        is_chunked = bool(environ.get("HTTP_TRANSFER_ENCODING"))
        if sock is None or not (announced or is_chunked):
            return self._app(environ, start_response)
        body = _Body(
            environ["wsgi.input"],
            announced=None if is_chunked else announced,
            sock=sock,
            watchdog=self._watchdog,
        )
        environ["wsgi.input"] = body
        try:
            answer = self._app(environ, start_response)
        except BaseException:
            body.finish()
            raise
        return ClosingIterator(answer, [body.finish])
