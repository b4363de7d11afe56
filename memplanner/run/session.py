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
from memplanner.plan.inference import Round, only_trains
from memplanner.run.ahead import with_logits_ahead
from memplanner.run.backend import (
    AccelerateBackend,
    CountingBackend,
    make_accelerator,
    recomputation,
    torch_device,
)
from memplanner.run.comparison import peak_error
from memplanner.run.compiled_step import compiled_notes
from memplanner.run.failure import failure_sentence, module_at_fault
from memplanner.run.generation import User
from memplanner.run.interruption import Interruption
from memplanner.run.memory_limit import limit_memory, remaining_bytes
from memplanner.run.out_of_memory import advice, asked_bytes, is_out_of_memory
from memplanner.run.quality import Judge
from memplanner.run.quality_data import scored_on
from memplanner.run.request import RunRequest
from memplanner.run.sampler import Position, Sampler
from memplanner.run.trainer import StepResult, Trainer, measured_figures
from memplanner.run.wording import counted, stopped_after
from memplanner.tape.checkpoint_survey import choice
from memplanner.techniques.distilled_model import planned_model
from memplanner.techniques.inference import sequence_length, trains
from memplanner.techniques.parallel.wrapped import unwrapped
from memplanner.techniques.prepare import Prepared, compression, prepare
from memplanner.techniques.streamed_blocks import settle
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
            return self._result("stopped", stopped_after(len(self.seconds), self._word))
        except MemplannerError as error:
            cause = error.__cause__
            if cause is not None and is_out_of_memory(cause):
                return self._out_of_memory(cause, "an allocation was refused")
            return self._result("failed", str(error))
        except Exception as error:  # noqa: BLE001 - a model's own code raises what it likes
            if is_out_of_memory(error):
                return self._out_of_memory(error, "an allocation was refused")
            where = self._where(error)
            return self._result("failed", failure_sentence(self.request, where, error), where=where)
        if len(self.seconds) < self.request.steps:
            return self._result("stopped", stopped_after(len(self.seconds), self._word))
        return self._result("finished", f"Finished {counted(len(self.seconds), self._word)}.")

    @property
    def _word(self) -> Round:
        return self.request.plan.inference.round

    def _run(self) -> None:
        request, plan = self.request, self.request.plan
        device = self._join()
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
        planned = planned_model(model, plan)
        data = self._data(model, sequence_length(planned, plan), device)
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
        given = self._with_logits(data, model, device)
        self.prepared = prepared = self._prepare(model, planned, device, data)
        given = self._own(given)
        if not trains(plan):
            self._use(User(prepared, given, device, self.position), sampler)
            return
        backend = self._backend(prepared, device)
        lasting = plan.sharding.ranks > 1
        trainer = Trainer(prepared, backend, given, device, self.position, lasting)
        self._train(trainer, backend, sampler)
        if self.judge is not None:
            self.work = "saving the trained model"
            settle(prepared.module)
            self.judge.after_training(prepared.module)

    def _join(self) -> torch.device:
        """The device to run on, with all that must be there before the model is."""
        return torch_device(self.request.device)

    def _target(self) -> Target:
        return Target.of(self.request.device)

    def _own(self, data: TrainingData) -> TrainingData:
        """What of the data this process trains on."""
        return data

    def _backend(self, prepared: Prepared, device: torch.device) -> CountingBackend:
        accelerator = make_accelerator(prepared.plan, cpu=device.type == "cpu")
        return AccelerateBackend(accelerator, prepared)

    def _ends_early(self) -> bool:
        """Whether it was asked to stop after the step."""
        return self.interruption.after_step

    def _data(self, model: Model, length: int, device: torch.device) -> TrainingData:
        self.work = "reading the data"
        training = self.request.plan.training
        return batches(model, self.request.data, training.batch_size, length, device)

    def _with_logits(self, data: TrainingData, model: Model, device: torch.device) -> TrainingData:
        """The data with a teacher's logits, where the plan has them computed ahead of time."""
        plan = self.request.plan
        if plan.distillation.student == "none" or plan.distillation.teacher_logits == "live":
            return data
        self.work = "computing the teacher's logits"
        self._limit_memory()
        # one step more than was asked for may be run, to measure a steady one
        count = (self.request.steps + 1) * plan.training.gradient_accumulation_steps
        target = self._target()
        given = with_logits_ahead(data, model, plan, target, device, count)
        self._say("Teacher's logits computed", f"of {count} micro-batches, kept in host memory")
        return given

    def _prepare(
        self, model: Model, planned: Model, device: torch.device, data: TrainingData
    ) -> Prepared:
        self.work = "building the model"
        self._limit_memory()
        # what is compressed, and a teacher, may not fit on a card before
        in_host_memory = compression(self.request.plan) or planned is not model
        in_host_memory = in_host_memory or self.request.plan.offload.parameters == "host"
        # sharding moves one block after the other to the device
        in_host_memory = in_host_memory or self.request.plan.sharding.casts_parameters
        module = planned.build(torch.device("cpu") if in_host_memory else device)
        kind = "random weights"
        if planned.load_weights is not None:
            planned.load_weights(module)
            kind = "the source's weights"
        count = format_parameters(sum(part.numel() for part in module.parameters()))
        self._say("Model built", f"{count} parameters, {kind}")
        self.work = "applying the plan"
        target = self._target()
        scored, note = scored_on(planned, self.request, data.batches, device)
        self.notes += filter(None, (note,))
        prepared = prepare(
            planned,
            self.request.plan,
            target,
            device,
            module=module,
            recompute=recomputation(self.request.plan),
            calibration=scored,
            witness=self._judge(model, device),
            kept=choice(planned, self.request.plan, target),
        )
        self.notes += prepared.notes
        if self.judge is not None:
            self.notes += self.judge.notes
        sections = [
            section.summary
            for name, section in self.request.plan.sections()
            if self._word == "step" or not only_trains(name)
        ]
        said = ", ".join(part for part in sections if part not in {"", "off", "auto"})
        self._say("Plan applied", said)
        return prepared

    def _limit_memory(self) -> None:
        limit_memory(self.request.device)

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

    def _train(self, trainer: Trainer, backend: CountingBackend, sampler: Sampler) -> None:
        steps = self.request.steps
        for number in range(steps):
            if self._ends_early():
                break
            self.position.watch = None  # or samples would say the last step's phase of this one
            self.position.step = number + 1
            steady = backend.updates > 0
            result = trainer.run(profiled=steady and number == steps - 1)
            self.last = result if steady else None
            sampler.take()  # a short step may have had none
            if result.loss is not None:
                self.losses.append(result.loss)
            self.seconds.append(result.seconds)
            self.send(
                RunStep(
                    seconds=monotonic() - self.started,
                    step=number + 1,
                    loss=result.loss,
                    terms=result.terms,
                    step_seconds=result.seconds,
                    peak_bytes=result.peak_bytes,
                )
            )
            if number == 0 and backend.updates:
                in_backward = self.request.plan.optimizer.update == "in_backward"
                moment = "in its backward" if in_backward else "at its end"
                self._say("Step 1", f"the optimizer's state is made {moment}")
        skipped = len(self.seconds) - backend.updates
        if skipped:
            self.notes.append(
                f"The loss scaler skipped the update of {counted(skipped)}, whose gradients "
                "overflowed fp16."
            )
        if self._ends_early():
            return
        recurring = trainer.prepared.recurring
        left_out = dict.fromkeys(each.words for each in recurring if not each.happened)
        if backend.updates and (self.last is None or left_out):
            for each in recurring:
                each.demand()
            self.position.watch = None
            self.last = trainer.run(profiled=True)
            sampler.take()
            kind = f"one with {' and '.join(left_out)}" if left_out else "a steady one"
            self.notes.append(f"One more step was run to measure {kind}; it is not listed.")

    def _use(self, user: User, sampler: Sampler) -> None:
        """Uses the model as often as steps were asked for; the last use is measured."""
        for number in range(self.request.steps):
            if self.interruption.after_step:
                break
            self.position.watch = None
            self.position.step = number + 1
            result = user.run(profiled=number == self.request.steps - 1)
            self.last = result
            sampler.take()
            self.seconds.append(result.seconds)
            self.send(
                RunStep(
                    seconds=monotonic() - self.started,
                    step=number + 1,
                    loss=None,
                    step_seconds=result.seconds,
                    peak_bytes=result.peak_bytes,
                    per_second=user.counts / result.seconds,
                )
            )

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
        module = module_at_fault(error, watch, unwrapped(self.prepared.module))
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
            if self.last.standing is not None:
                self.notes += compiled_notes()
        return RunResult(
            outcome=outcome,
            sentence=sentence,
            model=request.model,
            device=request.device,
            plan=request.plan,
            predicted=predicted,
            measured=measured,
            error=None if measured is None else peak_error(predicted, measured),
            steps=len(self.seconds),
            losses=tuple(self.losses),
            step_seconds=tuple(self.seconds),
            missing_bytes=missing_bytes,
            where=where,
            notes=tuple(self.notes),
            seconds=monotonic() - self.started,
            quality=None if self.judge is None else self.judge.report,
            saved=None if self.judge is None else self.judge.saved,
        )
