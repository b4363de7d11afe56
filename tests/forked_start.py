"""``subprocess.Popen`` of ``python -m module``, but for the time that the module's imports take.

What is started so has its own session, environment, streams and exit code. How a process really
starts is tested where ``subprocess`` itself is used.
"""

from __future__ import annotations

import faulthandler
import os
import runpy
import sys
import warnings
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from subprocess import PIPE, TimeoutExpired
from types import SimpleNamespace
from typing import IO, Any

from tests.forked import NURSERY

_RUN = "-m"


class ForkedStart:
    """A process forked from one that has imported what it needs; speaks as ``Popen`` does.

    It is given what the project's own calls give: a module by ``-m`` after options of the
    interpreter, pipes or files as streams, and a session of its own.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: int,
        stdout: int,
        stderr: Any,
        encoding: str | None = None,
        errors: str | None = None,
        env: Mapping[str, str] | None = None,
        start_new_session: bool = False,
    ) -> None:
        assert command[0] == sys.executable
        assert (stdin, stdout) == (PIPE, PIPE)
        place = command.index(_RUN)
        text: dict[str, Any] = {"encoding": encoding, "errors": errors} if encoding else {}
        kind = "" if encoding else "b"
        taken, given = NURSERY.Pipe(duplex=False)
        answers, answered = NURSERY.Pipe(duplex=False)
        theirs = [taken, answered]
        self.stderr: IO[Any] | None = None
        errors_to: Connection | int
        if stderr == PIPE:
            told, errors_to = NURSERY.Pipe(duplex=False)
            self.stderr = os.fdopen(_own(told), f"r{kind}", **text)
            theirs.append(errors_to)
        else:
            errors_to = _as_connection(stderr.fileno())
            theirs.append(errors_to)
        self.stdin: IO[Any] | None = os.fdopen(_own(given), f"w{kind}", **text)
        self.stdout: IO[Any] | None = os.fdopen(_own(answers), f"r{kind}", **text)
        self._process = NURSERY.Process(
            target=_run,
            args=(
                theirs,
                tuple(command[1:place]),
                command[place + 1 :],
                dict(os.environ if env is None else env),
                os.getcwd(),
                start_new_session,
            ),
        )
        self._process.start()
        for end in theirs:
            end.close()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise TimeoutExpired(_RUN, timeout or 0.0)
        return code

    def kill(self) -> None:
        self._process.kill()


FORKED = SimpleNamespace(Popen=ForkedStart, PIPE=PIPE)
"""What the project's modules take for ``subprocess`` where their processes are to be forked."""


def ready() -> None:
    """Starts what processes are forked from, where it is not there yet."""
    forkserver.ensure_running()


def _own(end: Connection) -> int:
    """The descriptor of a pipe's end, which it does not close any more."""
    descriptor = os.dup(end.fileno())
    end.close()
    return descriptor


def _as_connection(descriptor: int) -> Connection:
    """What takes a descriptor along to the new process."""
    return Connection(os.dup(descriptor), readable=False)


def _run(
    streams: list[Connection],
    options: tuple[str, ...],
    words: list[str],
    environment: dict[str, str],
    folder: str,
    alone: bool,
) -> None:
    if alone:
        os.setsid()
    for place, stream in enumerate(streams):
        os.dup2(stream.fileno(), place)
        stream.close()
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    if "faulthandler" in options:
        faulthandler.enable(sys.stderr)
    if "error" in options:
        warnings.simplefilter("error")
    paths = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:] = [*paths, *(path for path in sys.path if path not in paths)]
    sys.argv[:] = [str(Path(sys.executable)), *words[1:]]
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)
