"""The process that starts a sharded run's ranks: ``python -m memplanner.run.ranks``.

It is torchrun (``torch/distributed/launcher/api.py: launch_agent``) with a hub beside it. To its
parent it speaks as the worker of a run on one card does (``worker.py``): a request and stops in,
events and one result out. However it ends, the ranks end with it.
"""

from __future__ import annotations

import os
import sys
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic
from typing import TextIO

import psutil
from pydantic import ValidationError
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from memplanner.messages.run import RunEvent, RunResult
from memplanner.run.channel import Channel, take_standard_streams
from memplanner.run.killing import kill_session
from memplanner.run.ranks_channel import Ranks
from memplanner.run.ranks_gathering import Gathering
from memplanner.run.request import GRACE_SECONDS, STOP_NOW, RunRequest, read_event

_SETTLE_SECONDS = 0.5
"""The others fail when a rank goes away: who says so first is not always who began."""
_END_SECONDS = 5.0
"""For torchrun to see how a rank ended, and for its last words to arrive."""
_SHUTDOWN_SECONDS = 1
"""torchrun gives the other ranks so long to end by themselves."""


@dataclass(frozen=True, slots=True)
class Line:
    """Of a rank's events; None at their end."""

    rank: int
    text: str | None


@dataclass(frozen=True, slots=True)
class Ended:
    """torchrun is through; with return codes of ranks that did not end well."""

    codes: dict[int, int]


@dataclass(slots=True)
class Hub:
    """Gathers what the ranks say, tells the parent, and decides how the run ended."""

    request: RunRequest
    channel: Channel
    lines: SimpleQueue[Line | Ended] = field(default_factory=SimpleQueue)
    told_to_end: bool = False
    codes: dict[int, int] | None = None
    _until: float | None = None

    def run(self, ranks: Ranks) -> RunResult:
        """Follows the ranks to the end of the run."""
        gathering = Gathering(self.request, os.getpid())
        while not gathering.complete:
            try:
                said = self.lines.get(timeout=self._patience(gathering))
            except Empty:
                break
            if isinstance(said, Ended):
                self.codes = said.codes
                if not gathering.results and not gathering.gone:  # none has ever come
                    gathering.gone += sorted(said.codes) or [0]
            elif said.text is None:
                gathering.end(said.rank)
            else:
                self._tell(gathering, said.rank, said.text)
        if self.told_to_end:
            return gathering.stopped()
        if not gathering.trouble:
            return gathering.whole()
        rank = gathering.to_blame()
        if rank in gathering.results:
            return gathering.failed(rank)
        end_children()
        code = self._code(rank)
        return gathering.died(rank, code, ranks.errors(rank, wait_seconds=_END_SECONDS))

    def _patience(self, gathering: Gathering) -> float | None:
        """How long to wait for the next line; for ever while all is well."""
        if self._until is None and (gathering.trouble or self.told_to_end):
            # the parent waits for all of it
            seconds = GRACE_SECONDS / 2 if self.told_to_end else _SETTLE_SECONDS
            self._until = monotonic() + seconds
        return None if self._until is None else max(self._until - monotonic(), 0.0)

    def _tell(self, gathering: Gathering, rank: int, text: str) -> None:
        try:
            event: RunEvent = read_event.validate_json(text)
        except ValidationError:
            return  # the empty line before each event
        for told in gathering.take(rank, event):
            self.channel.send(told)

    def _code(self, rank: int) -> int:
        """How a rank ended, as torchrun saw it; 0 where it did so as if all were well."""
        until = monotonic() + _END_SECONDS
        while self.codes is None and monotonic() < until:
            with suppress(Empty):
                said = self.lines.get(timeout=max(until - monotonic(), 0.0))
                if isinstance(said, Ended):
                    self.codes = said.codes
        return (self.codes or {}).get(rank, 0)


def end_children() -> None:
    """Ends all ranks and what user code has started in them, without asking."""
    for child in psutil.Process().children(recursive=True):
        kill_session(child.pid)  # torchrun makes each the leader of a session of its own
        with suppress(psutil.NoSuchProcess):
            child.kill()


def listen(requests: TextIO, ranks: Ranks, hub: Hub) -> None:
    """Passes the parent's requests on; that it goes away ends everything at once."""
    for line in requests:
        if line.strip() == STOP_NOW:
            hub.told_to_end = True
        ranks.say(line.strip())
        hub.lines.put(Line(0, ""))  # it may be waiting for ever
    end_children()
    os._exit(1)


def launch(count: int) -> dict[int, int]:
    """Starts the ranks by torchrun and waits for their end; return codes of those that failed."""
    os.environ.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // count, 1)))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=str(uuid.uuid4()),
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",  # as --standalone has it
        local_addr="localhost",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=os.devnull),
        shutdown_timeout=_SHUTDOWN_SECONDS,
    )
    flags = ("-P", "-X", "faulthandler", "-m", "memplanner.run.ranks_worker")
    try:
        elastic_launch(config, sys.executable)(*flags)
    except ChildFailedError as error:
        return {rank: failure.exitcode for rank, failure in error.failures.items()}
    except SignalException:
        return {}
    return {}


def main() -> None:
    """Reads the request, runs it on all ranks, sends the result."""
    requests, answers = take_standard_streams()
    request = RunRequest.model_validate_json(requests.readline())
    hub = Hub(request, Channel(answers))
    ranks = Ranks(lambda rank, text: hub.lines.put(Line(rank, text)))
    os.environ.update(ranks.start())
    ranks.say(request.model_dump_json(by_alias=True))

    through = Event()

    def follow() -> None:
        hub.channel.send(hub.run(ranks))
        end_children()
        through.wait(_END_SECONDS)  # or what ended would be nobody's child, and still be listed
        os._exit(0)

    Thread(target=listen, args=(requests, ranks, hub), name="requests", daemon=True).start()
    follower = Thread(target=follow, name="hub", daemon=True)
    follower.start()
    # torchrun takes signals, which only the main thread may
    hub.lines.put(Ended(launch(len(request.ranks))))
    through.set()
    follower.join()


if __name__ == "__main__":
    main()
