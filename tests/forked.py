"""New processes for tests, forked from one that has imported what they need.

``import torch, transformers`` and what belongs to them costs every process seconds, a fork of one
that has them some milliseconds. So a test can have processes that nothing else has touched.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from time import monotonic
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

SECONDS = 280.0
"""For all to be through, on a machine with other work; pytest's own limit is a little more."""

_IMPORTED = [
    "memplanner.estimate",
    "memplanner.model.sources",
    "memplanner.run.session",
    "memplanner.server.loop",
    "peft",
    "tests.truth.context_ranks",
    "tests.truth.real_pipeline",
    "tests.truth.real_ranks",
    "torch._dynamo.backends.debugging",
    "torch.distributed.checkpoint.state_dict",
    "torch.distributed.fsdp",
    "torch.distributed.optim",
    "torch.distributed.pipelining",
    "torch.distributed.tensor.experimental",
    "torch.distributed.tensor.parallel",
    "torch.testing._internal.distributed.fake_pg",
    "transformers.distributed.expert_parallel",
    "transformers.distributed.tensor_parallel",
    "transformers.models.auto.modeling_auto",
    "transformers.models.gpt2.modeling_gpt2",
    "transformers.models.llama.modeling_llama",
    "transformers.models.mixtral.modeling_mixtral",
    "transformers.models.vit.modeling_vit",
]
"""Modules alone: they start no thread and compute nothing, so what is forked is as new as them."""

NURSERY = multiprocessing.get_context("forkserver")
"""Forks from a process that has imported what tests need."""
NURSERY.set_forkserver_preload(_IMPORTED)

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class ForkedError(AssertionError):
    """A process raised, ended or never came to an end."""


def apart(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What ``function`` returns in a new process. Raises ``ForkedError`` as ``together`` does."""
    (result,) = together([(function, args, kwargs)])
    return result


def script(
    path: Path | str, *arguments: Path | str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """``python path arguments``, but for the time that its imports take."""
    words = [str(path), *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("out", "errors")]
        code = apart(_run_script, words, cwd, *files)
        return subprocess.CompletedProcess(words, code, *(file.read_text() for file in files))


def together(calls: Sequence[Call]) -> list[Any]:
    """What each call returns in a new process of its own, in order.

    All that is called, and what comes back, must be picklable. When one fails, all are ended, and
    ``ForkedError`` is raised with its traceback.
    """
    waiting: dict[Connection, int] = {}
    processes: list[ForkServerProcess] = []
    found: dict[int, Any] = {}
    try:
        for place, call in enumerate(calls):
            mine, theirs = NURSERY.Pipe(duplex=False)
            process = NURSERY.Process(target=_answer, args=(theirs, *call), daemon=True)
            process.start()
            theirs.close()
            waiting[mine] = place
            processes.append(process)
        until = monotonic() + SECONDS  # the first start waits for the imports as well
        while waiting:
            ready = wait(list(waiting), timeout=max(until - monotonic(), 0.0))
            if not ready:
                raise ForkedError(f"processes {sorted(waiting.values())} gave no answer")
            for connection in ready:
                assert isinstance(connection, Connection)
                place = waiting.pop(connection)
                found[place] = _received(connection, place, processes[place])
        for process in processes:
            process.join(timeout=max(until - monotonic(), 0.0))
    finally:
        for process in processes:
            process.kill()
            process.join()
            process.close()
        for connection in waiting:
            connection.close()
    return [found[place] for place in range(len(calls))]


def _received(connection: Connection, place: int, process: ForkServerProcess) -> Any:
    with connection:
        try:
            failure, result = pickle.loads(connection.recv_bytes())  # noqa: S301  (our own process)
        except EOFError:
            process.join()
            code = process.exitcode
            raise ForkedError(f"process {place} ended with {code} and said nothing") from None
    if failure:
        raise ForkedError(f"process {place}:\n{failure}")
    return result


def _answer(
    answers: Connection, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]
) -> None:
    gc.freeze()  # what was imported is no garbage, and takes long to visit
    try:
        result = function(*args, **kwargs)
    except Exception:  # noqa: BLE001  (whatever is raised is told where it is waited for)
        answer = pickle.dumps((traceback.format_exc(), None))
    else:
        # not ``send``, which would share the memory of tensors with a process that is gone then
        answer = pickle.dumps(("", result))
    answers.send_bytes(answer)
    answers.close()


def _run_script(words: list[str], cwd: Path | None, out: Path, errors: Path) -> int:
    """Runs a file as Python does that is started with it; the exit code."""
    for stream, file in ((1, out), (2, errors)):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
        os.dup2(descriptor, stream)
        os.close(descriptor)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    if cwd is not None:
        os.chdir(cwd)
    sys.argv[:] = words
    sys.path[0] = str(Path(words[0]).absolute().parent)
    code = 0
    try:
        runpy.run_path(words[0], run_name="__main__")
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except Exception:  # noqa: BLE001  (as Python does with whatever a script raises)
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code
