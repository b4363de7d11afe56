"""How ranks reach the process that started them: two connections each over the loopback.

torchrun hands no pipes down to its workers. The port and a secret come to a rank by its
environment; nothing of it lies in a folder, so nothing is left when a process is killed.
"""

from __future__ import annotations

import hmac
import os
import secrets
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from typing import BinaryIO, TextIO

_PORT = "MEMPLANNER_RANKS_PORT"
_SECRET = "MEMPLANNER_RANKS_SECRET"  # noqa: S105  (the name of a variable)
_EVENTS, _ERRORS = "events", "errors"
_LOOPBACK = "127.0.0.1"
_HELLO_SECONDS = 10.0
_LONGEST_HELLO = 200
_KEPT_LINES = 200
"""Of each rank's standard error: a crash dumps the stacks of all threads."""


class Ranks:
    """The starting process's end: takes the ranks' connections, and writes to all of them.

    ``on_line(rank, line)`` is called, from a thread for each rank, for every line of its events,
    and with None at their end.
    """

    def __init__(self, on_line: Callable[[int, str | None], None]) -> None:
        self._on_line = on_line
        self._lock = Lock()
        self._said: list[str] = []
        self._links: dict[int, socket.socket] = {}
        self._errors: dict[int, deque[str]] = {}
        self._error_threads: dict[int, Thread] = {}
        self._secret = secrets.token_hex(16)
        self._server = socket.create_server((_LOOPBACK, 0))

    def start(self) -> dict[str, str]:
        """Takes connections from now on; the environment that ranks must be started with."""
        Thread(target=self._accept, name="ranks", daemon=True).start()
        return {_PORT: str(self._server.getsockname()[1]), _SECRET: self._secret}

    def close(self) -> None:
        """Takes no more connections."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # wakes who waits for one
        self._server.close()

    def say(self, line: str) -> None:
        """Writes a line to every rank; those that come later get it as well."""
        with self._lock:
            self._said.append(line)
            for link in self._links.values():
                _write(link, line)

    def errors(self, rank: int, *, wait_seconds: float = 0.0) -> tuple[str, ...]:
        """The last lines that a rank wrote to standard error; waits for the end of them."""
        thread = self._error_threads.get(rank)
        if thread is not None:
            thread.join(wait_seconds)
        return tuple(self._errors.get(rank, ()))

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._server.accept()
            except OSError:  # closed
                return
            Thread(target=self._greet, args=(link,), name="a rank", daemon=True).start()

    def _greet(self, link: socket.socket) -> None:
        """Reads who it is; what does not know the secret is none of ours."""
        link.settimeout(_HELLO_SECONDS)
        stream = link.makefile("r", encoding="utf-8", errors="replace")
        try:
            words = stream.readline(_LONGEST_HELLO).split()
        except OSError:
            words = []
        if len(words) != 3 or not hmac.compare_digest(words[0], self._secret):
            stream.close()
            link.close()
            return
        link.settimeout(None)
        kind, rank = words[1], int(words[2])
        if kind == _ERRORS:
            link.close()  # as soon as the stream is
            lines = self._errors.setdefault(rank, deque(maxlen=_KEPT_LINES))
            thread = Thread(
                target=_keep, args=(stream, lines), name=f"errors of rank {rank}", daemon=True
            )
            self._error_threads[rank] = thread
            thread.start()
            return
        with self._lock:
            self._links[rank] = link
            for line in self._said:
                _write(link, line)
        with suppress(OSError), stream:  # a rank that was killed may reset its connection
            for line in stream:
                self._on_line(rank, line)
        with self._lock:
            del self._links[rank]
            link.close()
        self._on_line(rank, None)


def _keep(lines: TextIO, kept: deque[str]) -> None:
    with suppress(OSError), lines:
        kept.extend(lines)


def _write(link: socket.socket, line: str) -> None:
    with suppress(OSError):  # it is gone; the end of its events says so
        link.sendall(f"{line}\n".encode())


def join_as(rank: int) -> tuple[TextIO, BinaryIO]:
    """A rank's end of the channel: requests to read, and where events go.

    What is printed from now on goes to the starting process as well. Raises ``OSError`` where
    that is gone.
    """
    errors = _connect(_ERRORS, rank)
    for standard in (1, 2):
        os.dup2(errors.fileno(), standard)
    errors.close()
    with _connect(_EVENTS, rank) as events:  # closed as soon as both streams are
        return events.makefile("r", encoding="utf-8"), events.makefile("wb")


def _connect(kind: str, rank: int) -> socket.socket:
    link = socket.create_connection((_LOOPBACK, int(os.environ[_PORT])))
    link.sendall(f"{os.environ[_SECRET]} {kind} {rank}\n".encode())
    return link
