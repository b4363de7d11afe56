"""An engine process, asked over its real channel, and a recipe that misbehaves in it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from textwrap import dedent
from threading import Thread
from typing import Any, TypeVar

from memplanner.messages import protocol
from memplanner.messages.protocol import AnyReply, Run, read_reply
from memplanner.messages.run import RunResult, RunStarted
from memplanner.plan import Plan
from tests.forked_start import ForkedStart

SECONDS = 120.0
"""For an answer that waits for torch on a machine with other work."""
PLAN = Plan.model_validate(
    {"precision": "fp32", "training": {"batch_size": 2, "sequence_length": 16}}
)
T = TypeVar("T", bound=protocol.Reply)


class Engine:
    """An engine of its own; every line that it sends must be a reply.

    It starts as a user's does, unless it may be ``forked`` from a process that has torch.
    """

    def __init__(self, log: Path, *, forked: bool = False) -> None:
        self.log = log
        start: Any = ForkedStart if forked else subprocess.Popen
        with log.open("wb") as errors:
            self.process = start(
                [sys.executable, "-W", "error", "-m", "memplanner.server"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        self._replies: SimpleQueue[AnyReply | str] = SimpleQueue()
        self._reader = Thread(target=self._read)
        self._reader.start()
        self._id = 0

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                self._replies.put(read_reply.validate_json(line))
            except ValueError as error:
                self._replies.put(f"{line[:200]!r} is no reply: {error}")

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, *requests: Callable[[int], protocol.Request]) -> tuple[int, ...]:
        """Sends requests in one write; their ids."""
        ids = tuple(range(self._id + 1, self._id + 1 + len(requests)))
        self._id = ids[-1]
        made = [make(number) for make, number in zip(requests, ids, strict=True)]
        self.write(b"".join(one.model_dump_json(by_alias=True).encode() + b"\n" for one in made))
        return ids

    def reply(self, seconds: float = SECONDS) -> AnyReply:
        """The next reply, whatever it answers."""
        try:
            reply = self._replies.get(timeout=seconds)
        except Empty:
            raise AssertionError(f"no reply; the log: {self.log.read_text()[-3000:]}") from None
        assert not isinstance(reply, str), reply
        return reply

    def answers(self, *ids: int) -> dict[int, AnyReply]:
        """The last reply to each; those on the way are dropped."""
        found: dict[int, AnyReply] = {}
        first: dict[int, protocol.FirstFigures] = {}
        while len(found) < len(ids):
            reply = self.reply()
            assert reply.id in ids, reply
            if isinstance(reply, protocol.FirstFigures):
                first[reply.id] = reply
            elif isinstance(reply, protocol.RestEstimated):
                whole = reply.figures.added_to(first[reply.id].estimate)
                reply = protocol.Estimated(id=reply.id, estimate=whole)
            if is_last(reply):
                assert reply.id not in found, "answered twice"
                found[reply.id] = reply
        return found

    def ask(self, answer: type[T], kind: type[protocol.Request], **fields: Any) -> T:
        """The last reply to a request, which must be of a kind."""
        (number,) = self.send(lambda number: kind(id=number, **fields))
        reply = self.answers(number)[number]
        assert isinstance(reply, answer), reply
        return reply

    def open(self, source: str | Path, **fields: Any) -> protocol.Opened:
        return self.ask(protocol.Opened, protocol.OpenModel, source=str(source), **fields)

    def estimate(self, plan: Plan = PLAN, device: str = "cpu") -> protocol.Estimated:
        return self.ask(protocol.Estimated, protocol.MakeEstimate, plan=plan, device=device)

    def estimate_beside(self, plan: Plan, other: int, device: str = "cpu") -> bool:
        """An estimate while ``other`` is being answered; whether that ended ``other``."""
        (number,) = self.send(
            lambda number: protocol.MakeEstimate(id=number, plan=plan, device=device)
        )
        superseded = False
        while (reply := self.reply()).id != number or not is_last(reply):
            assert reply.id in (other, number), reply
            superseded = superseded or isinstance(reply, protocol.Superseded)
        assert isinstance(reply, protocol.Estimated | protocol.RestEstimated), reply
        return superseded

    def start_run(self, steps: int, **fields: Any) -> tuple[int, RunStarted]:
        """Starts a run and waits until its worker has begun; its id."""
        (number,) = self.send(
            lambda number: protocol.ApplyPlan(
                id=number, plan=PLAN, device="cpu", steps=steps, **fields
            )
        )
        reply = self.reply()
        assert isinstance(reply, Run), reply
        assert isinstance(reply.event, RunStarted)
        return number, reply.event

    def end(self) -> None:
        """Ends the process by force where it still is."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            try:
                stream.close()
            except BrokenPipeError:
                continue


def is_last(reply: AnyReply) -> bool:
    """Whether a reply ends its request."""
    if isinstance(reply, Run):
        return isinstance(reply.event, RunResult)
    return not isinstance(reply, protocol.Progress | protocol.FirstFigures | protocol.Effect)


def recipe(folder: Path, *, top: str = "", model: str = "", forward: str = "") -> Path:
    """A recipe that does something of its own at import, in ``model()`` and in each forward."""
    path = folder / "own.py"
    path.write_text(
        dedent("""
        import os, sys, time
        import torch
        from torch import nn

        class Odd(BaseException):
            pass

        {top}

        class Own(nn.Module):
            def __init__(self):
                super().__init__()
                self.table = nn.Embedding(50, 8)
                self.head = nn.Linear(8, 50)

            def forward(self, ids):
                {forward}
                return self.head(self.table(ids)).square().mean()

        def model():
            {model}
            return Own()

        def batch(batch_size, sequence_length):
            return {{"ids": torch.randint(0, 50, (batch_size, sequence_length))}}
        """).format(top=top, model=model or "pass", forward=forward or "pass")
    )
    return path
