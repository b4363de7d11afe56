"""One run, from its request to its result: in the worker process."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import torch

from memplanner.errors import MemplannerError
from memplanner.hardware import host_memory, nvml
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
from memplanner.model.data import TrainingData, batches
from memplanner.model.loaded import Model
from memplanner.run.backend import (
    AccelerateBackend,
    make_accelerator,
    recomputation,
    torch_device,
)
from memplanner.run.comparison import peak_error
from memplanner.run.failure import described, line_at_fault, module_at_fault
from memplanner.run.interruption import Interruption
from memplanner.run.memory_limit import limit_memory, remaining_bytes
from memplanner.run.out_of_memory import advice, asked_bytes, is_out_of_memory
from memplanner.run.quality import Judge
from memplanner.run.request import RunRequest
from memplanner.run.sampler import Position, Sampler
from memplanner.run.trainer import StepResult, Trainer, measured_figures
from memplanner.run.wording import counted, stopped_after
from memplanner.techniques.prepare import Prepared, compression, prepare
from memplanner.techniques.target import Target
from memplanner.units import format_bytes, format_parameters


@dataclass(slots=True)
class Session:
    """Carries out a request; ``send`` takes every event but the result."""

    request: RunRequest
    send: Callable[[RunEvent], None]
    interruption: Interruption
    started: float = field(default_factory=monotonic)
    position: Position = field(default_factory=Position)
    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    work: str = "opening the model"
    """What goes on before the first step."""
    prepared: Prepared | None = None
    last: StepResult | None = None
    """The last steady step: one with the optimizer's state made before it."""
    sampler: Sampler | None = None
    judge: Judge | None = None

    def run(self) -> RunResult:
        """Runs the plan; every way it can end is a result."""
        try:
            try:
                self._run()
            finally:
                self.interruption.close()
                if self.sampler is not None:
                    self.sampler.stop()
        except KeyboardInterrupt as interrupt:
            if self.interruption.low_memory:
                return self._out_of_memory(interrupt, "the machine's memory was about to run out")
            return self._result("stopped", stopped_after(len(self.losses)))
        except MemplannerError as error:
            cause = error.__cause__
            if cause is not None and is_out_of_memory(cause):
                return self._out_of_memory(cause, "an allocation was refused")
            return self._result("failed", str(error))
        except Exception as error:  # noqa: BLE001 - a model's own code raises what it likes
            if is_out_of_memory(error):
                return self._out_of_memory(error, "an allocation was refused")
            line = line_at_fault(error)
            return self._result(
                "failed",
                f"{self.request.model.name} failed in {self._where(error)}: {described(error)}"
                f"{f' ({line})' if line else ''}; correct its source or the plan.",
            )
        if len(self.losses) < self.request.steps:
            return self._result("stopped", stopped_after(len(self.losses)))
        return self._result("finished", f"Finished {counted(len(self.losses))}.")

    def _run(self) -> None:
        request, plan = self.request, self.request.plan
        device = torch_device(request.device)
        sampler = Sampler(
            request.device,
            self.position,
            self.send,
            self.interruption.on_low_memory,
            started=self.started,
        )
        sampler.start()  # it also guards the machine while weights are read
        self.sampler = sampler
        model = load(request.source, inputs=request.inputs, trust_code=request.trust_code)
        data = self._data(model, device)
        self.send(
            RunStarted(
                model=request.model,
                device=request.device,
                plan=plan,
                steps=request.steps,
                process_id=os.getpid(),
                data=data.description,
                predicted=request.predicted,
            )
        )
        self.prepared = prepared = self._prepare(model, device, data)
        accelerator = make_accelerator(plan, cpu=device.type == "cpu")
        backend = AccelerateBackend(accelerator, prepared)
        trainer = Trainer(prepared, backend, data, device, self.position)
        self._train(trainer, backend, sampler)

    def _data(self, model: Model, device: torch.device) -> TrainingData:
        self.work = "reading the data"
        training = self.request.plan.training
        limit = model.max_sequence_length
        length = training.sequence_length
        if limit is not None:
            length = min(length, limit)
        return batches(model, self.request.data, training.batch_size, length, device)

    def _prepare(self, model: Model, device: torch.device, data: TrainingData) -> Prepared:
        self.work = "building the model"
        limit_memory(self.request.device)
        # what is compressed may not fit on a card before
        module = model.build(torch.device("cpu") if compression(self.request.plan) else device)
        kind = "random weights"
        if model.load_weights is not None:
            model.load_weights(module)
            kind = "the source's weights"
        count = format_parameters(sum(part.numel() for part in module.parameters()))
        self._say("Model built", f"{count} parameters, {kind}")
        self.work = "applying the plan"
        target = Target.of(self.request.device)
        prepared = prepare(
            model,
            self.request.plan,
            target,
            device,
            module=module,
            recompute=recomputation(self.request.plan),
            calibration=data.batches,
            witness=self._judge(model, device),
        )
        self.notes += prepared.notes
        if self.judge is not None:
            self.notes += self.judge.notes
        sections = [section.summary for _, section in self.request.plan.sections()]
        self._say("Plan applied", ", ".join(part for part in sections if part not in {"", "off"}))
        return prepared

    def _judge(self, model: Model, device: torch.device) -> Judge | None:
        """Who judges and saves what is compressed; None where nothing real is."""
        request = self.request
        if not compression(request.plan):
            return None
        if model.load_weights is None:
            self.notes.append(
                "The weights are random, so what compression costs is not judged; open a source "
                "that has weights."
            )
            return None
        self.judge = Judge(
            model,
            request.plan,
            device,
            data_path=request.data,
            say=self._say,
            stopped=lambda: self.interruption.after_step,
            judging=request.quality,
            save=None if request.save is None else Path(request.save),
        )
        return self.judge

    def _train(self, trainer: Trainer, backend: AccelerateBackend, sampler: Sampler) -> None:
        steps = self.request.steps
        for number in range(steps):
            if self.interruption.after_step:
                break
            self.position.watch = None  # or samples would say the last step's phase of this one
            self.position.step = number + 1
            steady = backend.updates > 0
            result = trainer.run(profiled=steady and number == steps - 1)
            self.last = result if steady else None
            sampler.take()  # a short step may have had none
            self.losses.append(result.loss)
            self.seconds.append(result.seconds)
            self.send(
                RunStep(
                    seconds=monotonic() - self.started,
                    step=number + 1,
                    loss=result.loss,
                    step_seconds=result.seconds,
                    peak_bytes=result.peak_bytes,
                )
            )
            if number == 0 and backend.updates:
                in_backward = self.request.plan.optimizer.update == "in_backward"
                moment = "in its backward" if in_backward else "at its end"
                self._say("Step 1", f"the optimizer's state is made {moment}")
        skipped = len(self.losses) - backend.updates
        if skipped:
            self.notes.append(
                f"The loss scaler skipped the update of {counted(skipped)}, whose gradients "
                "overflowed fp16."
            )
        if self.interruption.after_step:
            return
        if self.last is None and backend.updates:
            self.last = trainer.run(profiled=True)
            sampler.take()
            self.notes.append("One more step was run to measure a steady one; it is not listed.")

    def _say(self, title: str, detail: str) -> None:
        seconds = monotonic() - self.started
        self.send(RunProgress(seconds=seconds, title=title, detail=detail))

    def _where(self, error: BaseException) -> str:
        """Such as ``forward, layers.3``, or the work before the first step."""
        watch = self.position.watch
        if watch is None or self.prepared is None:
            judging = "" if self.judge is None else self.judge.work
            return judging or self.work
        phase = watch.current_phase.replace("_", " ")
        module = module_at_fault(error, watch, self.prepared.module)
        return f"{phase}, {module}" if module else phase

    def _out_of_memory(self, error: BaseException, reason: str) -> RunResult:
        asked, free = asked_bytes(error), self._free_bytes()
        missing = None if asked is None or free is None else max(asked - free, 0)
        lacking = f", {format_bytes(missing)} missing" if missing else ""
        hint = advice(self.request.plan, self.request.predicted)
        where = self._where(error)
        return self._result(
            "out_of_memory",
            f"Out of memory in {where}: {reason}{lacking}; {hint}.",
            missing_bytes=missing,
            where=where,
        )

    def _free_bytes(self) -> int | None:
        """Not asked of torch: after some errors CUDA answers nothing any more."""
        if self.request.device.kind == "cpu":
            free, left = host_memory().available_bytes, remaining_bytes()
            return free if left is None else min(free, left)
        memory = nvml.memory(self.request.device.index or 0)
        return None if memory is None else memory.free_bytes

    def _result(
        self, outcome: Outcome, sentence: str, *, missing_bytes: int | None = None, where: str = ""
    ) -> RunResult:
        request, predicted = self.request, self.request.predicted
        measured: RunFigures | None = None
        if self.last is not None:
            highest = None if self.sampler is None else self.sampler.highest_device_bytes
            measured = measured_figures(self.last, device_bytes=highest)
            if self.last.allocator is None:
                self.notes.append(
                    "Kernels' own scratch memory was not measured: that is done in the last step."
                )
        return RunResult(
            outcome=outcome,
            sentence=sentence,
            model=request.model,
            device=request.device,
            plan=request.plan,
            predicted=predicted,
            measured=measured,
            error=None if measured is None else peak_error(predicted, measured),
            steps=len(self.losses),
            losses=tuple(self.losses),
            step_seconds=tuple(self.seconds),
            missing_bytes=missing_bytes,
            where=where,
            notes=tuple(self.notes),
            seconds=monotonic() - self.started,
            quality=None if self.judge is None else self.judge.report,
            saved=None if self.judge is None else self.judge.saved,
        )
