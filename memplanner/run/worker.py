"""The process in which a plan runs: ``python -m memplanner.run.worker``.

It reads its request from standard input and answers with events, a line each, on what standard
output was when it started; whatever else prints goes to standard error. A CUDA context dies with
it, and a crash in user code stays in here.
"""

from __future__ import annotations

import os
import sys
from _thread import interrupt_main
from dataclasses import dataclass, field
from threading import Lock, Thread
from time import monotonic
from typing import TextIO

import torch

from memplanner.errors import MemplannerError, RunError
from memplanner.messages.device import Device
from memplanner.messages.estimate import ModelInfo
from memplanner.messages.run import (
    Outcome,
    RunEvent,
    RunFigures,
    RunProgress,
    RunResult,
    RunStarted,
    RunStep,
)
from memplanner.model import load
from memplanner.model.data import batches
from memplanner.model.loaded import Model
from memplanner.run.backend import AccelerateBackend, make_accelerator
from memplanner.run.comparison import peak_error
from memplanner.run.out_of_memory import advice, asked_bytes, is_out_of_memory
from memplanner.run.request import STOP_AFTER_STEP, STOP_NOW, RunRequest
from memplanner.run.sampler import Sampler
from memplanner.run.trainer import StepResult, Trainer, measured_figures
from memplanner.techniques.prepare import Prepared, prepare
from memplanner.techniques.target import Target
from memplanner.units import format_bytes, format_parameters


class Channel:
    """The line channel to the parent; threads may write to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, Lock()

    def send(self, event: RunEvent) -> None:
        """Writes one event."""
        line = event.model_dump_json(by_alias=True)
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()


@dataclass(slots=True)
class Stops:
    """What was asked of a run while it goes."""

    after_step: bool = False
    now: bool = False
    low_memory: bool = False

    def listen(self, stream: TextIO) -> None:
        """Reads requests until the parent goes away, which stops the run as well."""
        for line in stream:
            if line.strip() == STOP_AFTER_STEP:
                self.after_step = True
            elif line.strip() == STOP_NOW:
                break
        self.now = True
        interrupt_main()

    def on_low_memory(self) -> None:
        """The host runs out of memory: ends the run before the machine swaps."""
        self.low_memory = True
        interrupt_main()


@dataclass(slots=True)
class Session:
    """One run from its request to its result."""

    request: RunRequest
    channel: Channel
    stops: Stops
    started: float = field(default_factory=monotonic)
    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    last: StepResult | None = None
    trainer: Trainer | None = None
    sampler: Sampler | None = None

    def run(self) -> RunResult:
        """Runs the plan; every way it can end is a result."""
        model = load(
            self.request.source, inputs=self.request.inputs, trust_code=self.request.trust_code
        )
        info = model_info(model)
        try:
            self._steps(model, info)
        except KeyboardInterrupt:
            if self.stops.low_memory:
                return self._out_of_memory(info, None, "the host was about to run out of memory")
            return self._result(info, "stopped", f"Stopped after {len(self.losses)} steps.")
        except MemplannerError as error:
            return self._result(info, "failed", str(error))
        except (RuntimeError, MemoryError, ValueError, TypeError, IndexError, KeyError,
                AttributeError, OSError) as error:  # fmt: skip
            # whatever the model's own code raises in a real step
            if is_out_of_memory(error):
                return self._out_of_memory(info, asked_bytes(error), "an allocation was refused")
            return self._result(
                info,
                "failed",
                f"{info.name} failed in {self._where()}: {type(error).__name__}: "
                f"{_first_line(error)}; correct its source or the plan.",
            )
        finally:
            if self.sampler is not None:
                self.sampler.stop()
        if len(self.losses) < self.request.steps:
            return self._result(info, "stopped", f"Stopped after {len(self.losses)} steps.")
        return self._result(info, "finished", f"Finished {len(self.losses)} steps.")

    def _steps(self, model: Model, info: ModelInfo) -> None:
        request, plan = self.request, self.request.plan
        device = torch_device(request.device)
        training = plan.training
        length = min(training.sequence_length, model.max_sequence_length or 2**62)
        data = batches(model, request.data, training.batch_size, length, device)
        self.channel.send(
            RunStarted(
                model=info,
                device=request.device,
                plan=plan,
                steps=request.steps,
                process_id=os.getpid(),
                data=data.description,
                predicted=request.predicted,
            )
        )
        prepared = self._prepare(model, device)
        accelerator = make_accelerator(plan, cpu=device.type == "cpu")
        backend = AccelerateBackend(accelerator, prepared)
        self.trainer = trainer = Trainer(prepared, backend, data)
        self.sampler = Sampler(request.device, trainer, self.channel.send, self.stops.on_low_memory)
        self.sampler.start()
        on_cpu = device.type == "cpu"
        for number in range(request.steps):
            trainer.step = number
            is_last = number == request.steps - 1
            # the first step makes the optimizer's state and is not steady
            result = trainer.run(profiled=on_cpu and is_last and number > 0)
            self.last = result if number > 0 else None
            self.losses.append(result.loss)
            self.seconds.append(result.seconds)
            self.channel.send(
                RunStep(
                    seconds=monotonic() - self.started,
                    step=number,
                    loss=result.loss,
                    step_seconds=result.seconds,
                    peak_bytes=result.peak_bytes,
                )
            )
            if number == 0:
                self._say("Step 1", "the optimizer's state is made at its end")
            if self.stops.after_step:
                break
        if self.last is None and len(self.losses) == 1 and not self.stops.after_step:
            self.last = trainer.run(profiled=on_cpu)
            self.notes.append(
                "One more step was run to measure a steady one; its loss is not listed."
            )

    def _prepare(self, model: Model, device: torch.device) -> Prepared:
        target = Target.of(self.request.device)
        if device.type == "cuda":
            free = self.request.device.free_bytes
            total = self.request.device.memory_bytes
            if free is not None and total:
                torch.cuda.set_per_process_memory_fraction(min(free / total, 1.0), device)
        module = model.build(device)
        kind = "random weights"
        if model.load_weights is not None:
            model.load_weights(module)
            kind = "the source's weights"
        count = format_parameters(sum(part.numel() for part in module.parameters()))
        self._say("Model built", f"{count} parameters, {kind}")
        prepared = prepare(model, self.request.plan, target, device, module=module)
        self.notes += prepared.notes
        sections = [section.summary for _, section in self.request.plan.sections()]
        self._say("Plan applied", ", ".join(part for part in sections if part not in {"", "off"}))
        return prepared

    def _say(self, title: str, detail: str) -> None:
        seconds = monotonic() - self.started
        self.channel.send(RunProgress(seconds=seconds, title=title, detail=detail))

    def _where(self) -> str:
        watch = None if self.trainer is None else self.trainer.watch
        if watch is None:
            return "building the model"
        module = watch.module_names[watch.module_at_work]
        phase = watch.current_phase.replace("_", " ")
        return f"{phase}, {module}" if module else phase

    def _out_of_memory(self, info: ModelInfo, asked: int | None, reason: str) -> RunResult:
        free = _free_bytes(self.request.device)
        missing = None if asked is None else max(asked - free, 0)
        lacking = "" if not missing else f", {format_bytes(missing)} missing"
        hint = advice(self.request.plan, self.request.predicted)
        return self._result(
            info,
            "out_of_memory",
            f"Out of memory in {self._where()}: {reason}{lacking}; {hint}.",
            missing=missing,
            where=self._where(),
        )

    def _result(
        self,
        info: ModelInfo,
        outcome: Outcome,
        sentence: str,
        *,
        missing: int | None = None,
        where: str = "",
    ) -> RunResult:
        measured: RunFigures | None = None
        if self.last is not None:
            measured = measured_figures(
                self.last,
                on_cpu=self.request.device.kind == "cpu",
                device_bytes=None if self.sampler is None else self.sampler.highest_device_bytes,
            )
        predicted = self.request.predicted
        return RunResult(
            outcome=outcome,
            sentence=sentence,
            model=info,
            device=self.request.device,
            plan=self.request.plan,
            predicted=predicted,
            measured=measured,
            error=None if measured is None else peak_error(predicted, measured),
            steps=len(self.losses),
            losses=tuple(self.losses),
            step_seconds=tuple(self.seconds),
            missing_bytes=missing,
            where=where,
            notes=tuple(self.notes),
            seconds=monotonic() - self.started,
        )


def model_info(model: Model) -> ModelInfo:
    """The model as messages name it."""
    return ModelInfo(
        name=model.name,
        class_name=model.class_name,
        source=model.source,
        kind=model.kind,
        parameters=model.parameter_count,
        trainable_parameters=model.trainable_parameter_count,
        buffers=model.buffer_count,
        weights="random" if model.load_weights is None else "real",
        max_sequence_length=model.max_sequence_length,
        takes_sequence=model.takes_sequence,
    )


def torch_device(device: Device) -> torch.device:
    """The device as torch names it. Raises ``RunError`` for a card that is not in this machine."""
    if device.kind == "cpu":
        return torch.device("cpu")
    if device.index is None:
        raise RunError(f"{device.name} is not in this machine; choose one of its own devices.")
    if not torch.cuda.is_available():
        raise RunError(
            f"{device.name} is here, but this torch ({torch.__version__}) cannot use it; "
            "install a CUDA build of torch."
        )
    return torch.device("cuda", device.index)


def _free_bytes(device: Device) -> int:
    if device.kind == "cpu":
        from memplanner.hardware import host_device

        return host_device().free_bytes or 0
    return int(torch.cuda.mem_get_info(device.index or 0)[0])


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else "no message"


def main() -> None:
    """Reads the request, runs it, sends the result."""
    channel = Channel(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    os.dup2(2, 1)  # what user code prints must not stand between the lines
    sys.stdout = sys.stderr
    request = RunRequest.model_validate_json(sys.stdin.readline())
    stops = Stops()
    Thread(target=stops.listen, args=(sys.stdin,), name="stop requests", daemon=True).start()
    session = Session(request, channel, stops)
    channel.send(session.run())
    os._exit(0)  # the result is sent; nothing of user code may hold the process


if __name__ == "__main__":
    main()
