"""Recording a training step of a weightless model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from memplanner.errors import EstimateError, MemplannerError
from memplanner.garbage import without_collection
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.tape.backends import CpuBackend, MetaBackend, Recomputation, RecordingBackend
from memplanner.tape.collectives import collective, sends
from memplanner.tape.cuda_scratch import scratch_bytes
from memplanner.tape.inference import inference
from memplanner.tape.inner_tensors import is_distributed
from memplanner.tape.interruption import Interrupted, asked
from memplanner.tape.known_operations import once_an_operation
from memplanner.tape.marking_watch import MarkingWatch
from memplanner.tape.module_run import Refusal
from memplanner.tape.pipeline import pipeline_of, record_pipeline
from memplanner.tape.ranks import has_arrived, watching_shards, weightless_ranks
from memplanner.tape.real_calls import ERRORS, RealCalls
from memplanner.tape.results import as_on_every_device, on_cpu
from memplanner.tape.scratch import LARGEST_MODEL_BYTES, Call, describe, measure, takes_scratch
from memplanner.tape.shortcuts import updates_weightless
from memplanner.tape.stand_in import StandIns
from memplanner.tape.steady import Ownership, steady_tape
from memplanner.tape.tape import WORKSPACES, Tape
from memplanner.tape.tensor_trees import tensors_in
from memplanner.tape.uncompiled import uncompiled
from memplanner.tape.unprofiled import unprofiled
from memplanner.tape.values import Values
from memplanner.tape.watch import ADD, StorageWatch
from memplanner.tape.work_facts import facts_of
from memplanner.techniques import step as step_parts
from memplanner.techniques.compilation import breaks
from memplanner.techniques.fused_graph import seeing_kernels
from memplanner.techniques.host_updates import HostUpdates
from memplanner.techniques.kept_within_budget import Choice
from memplanner.techniques.optimizer import weightless_fused
from memplanner.techniques.parallel.pipeline_micro_batches import Order
from memplanner.techniques.parallel.wrapped import unwrapped
from memplanner.techniques.precision import autocast_type
from memplanner.techniques.prepare import Prepared, cast_batch, prepare
from memplanner.techniques.target import Target
from memplanner.techniques.updates_in_backward import UpdatesInBackward

META = torch.device("meta")
_ITEM = torch.ops.aten._local_scalar_dense.default
_TO_COPY = torch.ops.aten._to_copy.default
_REDUCE_SCATTER = torch.ops.c10d._reduce_scatter_base_.default


@once_an_operation
def starts_nothing(func: Any) -> bool:
    """Whether an operation starts no kernel and sends nothing: views, and memory for later."""
    return facts_of(func) is None and not sends(func) and not takes_scratch(func)


class MetaWatch(MarkingWatch):
    """A watch that answers ``.item()`` and gives results the types of the target."""

    def __init__(self, module: nn.Module, target: Target) -> None:
        super().__init__(module)
        self.values = Values()
        self.real_calls = RealCalls(self.values)
        self._target, self._on_cpu = target, target.kind == "cpu"
        self.scratch_device = "cpu" if self._on_cpu else "meta"
        parameters = sum(part.nbytes for part in module.parameters())
        self._wants_scratch = self._on_cpu and parameters <= LARGEST_MODEL_BYTES
        self._infer = inference(on_cpu if self._on_cpu else as_on_every_device)
        self.scratch: dict[int, Call] = {}
        """Storages that stand for the scratch of a kernel, with the call that takes it."""
        self.computed_scratch: list[int] = []
        """The same where a kernel's scratch is computed."""
        self._asked_to_stop = asked()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: torch would wrap every dispatch, and compiles nothing while a mode is on."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if self._asked_to_stop is not None and self._asked_to_stop.is_set():
            raise Interrupted
        if types and is_distributed(types):
            return NotImplemented
        if has_arrived(func):
            return args[0]
        given = kwargs or {}
        if func is _ITEM and args[0].device.type == "meta":
            return self.values.answer(args[0])
        if self.updates and updates_weightless(func, args):
            self.note_work(func, args, given, None)
            return args[0] if isinstance(args[0], torch.Tensor) else None
        if func is ADD and self.adds_in_place(func, args, kwargs):
            self.note_work(func, args, given, args[0])
            return args[0] if args[0].is_meta else args[0].add_(args[1])
        try:
            result = self._infer(func, args, given)
        except ERRORS as error:
            return self._without_meta(func, args, given, error)
        self.values.note(func, args, given, result)
        self.note(func, args, result)
        if starts_nothing(func):
            return result
        sent = collective(func, args)
        if sent is None:
            self.note_work(func, args, given, result)
        else:
            self.note_sent(sent)
            self.collectives[self.see_scratch(str(func))[0]] = sent
        if self._wants_scratch:
            call = describe(func, args, given)
            if call is not None:
                self.scratch[self.see_scratch(str(func))[0]] = call
        elif not self._on_cpu:
            sizes = scratch_bytes(self._target, func, args)
            if sizes:
                self.computed_scratch += self.see_scratch(str(func), sizes)
        if self._on_cpu and func is _REDUCE_SCATTER:
            # gloo reduces a copy (ProcessGroupGloo.cpp: reduce_scatter_tensor_coalesced)
            self.computed_scratch += self.see_scratch(str(func), (args[1].nbytes,))
        return result

    def _without_meta(self, func: Any, args: Any, kwargs: dict[str, Any], error: Exception) -> Any:
        """What ``func`` returns where the meta device cannot tell."""
        if func is _TO_COPY and args[0].is_meta:  # to the CPU: numpy, tolist
            copied = self.values.copied(args[0])
            if not self._on_cpu:  # there it is the same tensor
                self.note(func, args, copied)
            return copied
        module = self.module_names[self.module_at_work]
        result = self.real_calls.run(func, args, kwargs, error, module)
        self.note(func, args, result)
        self.note_work(func, args, kwargs, result)
        return result

    def measure_scratch(self, owned: Ownership) -> None:
        """Gives every kernel's scratch its size; call it when the step was run."""
        owned.category.update(dict.fromkeys(self.computed_scratch, WORKSPACES))
        if self.scratch:
            sizes = measure(list(self.scratch.values()))
            for index, size in zip(self.scratch, sizes, strict=True):
                self.size_bytes[index] = size
                owned.category[index] = WORKSPACES


def record(
    model: Model,
    plan: Plan,
    target: Target,
    module: nn.Module,
    device: torch.device = META,
    *,
    forward_only: bool = False,
    stand_ins: StandIns | None = None,
    kept: Choice | None = None,
    marked: bool = False,
    shortened: Order | None = None,
) -> Tape:
    """The tape of one steady step of ``module``, which is built on ``device`` and changed in place.

    On the meta device nothing is computed; on the CPU the step is run for real, for models that
    cannot run without values. With ``forward_only`` nothing follows the forward. Modules of
    ``stand_ins`` are not run but played back; ``kept`` is what a budget of activations is spent
    on (``checkpoint_survey.py``). A ``marked`` tape has marks where autograd stores gradients
    (``gradients.py``). A pipeline's stage may work in a ``shortened`` order. Raises ``PlanError``
    where the plan cannot be carried out, ``StepError`` where the step cannot be run.
    """
    backend: RecordingBackend
    backend = MetaBackend(target, plan) if device == META else CpuBackend(plan)
    backend.forward_only = forward_only
    ranks = plan.sharding.ranks
    given = (
        model, plan, target, module, device, backend, forward_only, stand_ins, kept, marked,
        shortened,
    )  # fmt: skip
    if ranks > 1 and device == META:
        with weightless_ranks(target.rank, ranks):
            return _record(*given, watching_shards)
    return _record(*given)


def _record(
    model: Model,
    plan: Plan,
    target: Target,
    module: nn.Module,
    device: torch.device,
    backend: RecordingBackend,
    forward_only: bool,
    stand_ins: StandIns | None,
    kept: Choice | None,
    marked: bool,
    shortened: Order | None,
    around: Callable[[StorageWatch], AbstractContextManager[None]] | None = None,
) -> Tape:
    recomputation = Recomputation(backend)
    with weightless_fused():
        prepared = prepare(
            model, plan, target, device, module=module, recompute=recomputation, kept=kept
        )
    watch = MetaWatch(prepared.module, target)
    recomputation.watch = watch
    if stand_ins:
        stand_ins.install(prepared.module, autocast_type(plan))
    training = plan.training
    shape = training.batch_size, training.sequence_length
    pipeline = pipeline_of(prepared, backend, device)
    if pipeline is not None:  # its schedule takes all micro-batches at once
        shape = shape[0] * training.gradient_accumulation_steps, shape[1]
    batch = cast_batch(model.batch(*shape, device), plan)
    if pipeline is not None:
        batch = pipeline.own_inputs(batch)
    if device == META:
        watch.values.note_batch(batch, lambda: model.batch(*shape, torch.device("cpu")))
    owned = Ownership(watch)
    held = step_parts.Held()
    if isinstance(prepared.optimizer, UpdatesInBackward):
        prepared.optimizer.around = owned.updating
    if isinstance(prepared.optimizer, HostUpdates):
        prepared.optimizer.moving = owned.note_gradient
    if plan.offload.parameters == "host":
        around = watching_shards
    hooks = []
    if marked and isinstance(prepared.optimizer, UpdatesInBackward):
        prepared.optimizer.around = owned.marking
    elif marked and plan.sharding.ranks == 1:
        hooks = [
            parameter.register_post_accumulate_grad_hook(watch.mark_gradient)
            for parameter in prepared.module.parameters()
            if parameter.requires_grad
        ]
    with watch, unprofiled(watch), nullcontext() if around is None else around(watch):
        watch.phase("load", 0)
        owned.note_module(prepared.module)
        owned.note_inputs(tensors_in(batch))
        try:
            with without_collection(), uncompiled(), seeing_kernels(watch.note_kernel):
                if pipeline is None:
                    keep = _run(prepared, batch, backend, watch, owned, held)
                else:
                    keep = record_pipeline(
                        prepared, pipeline, batch, backend, watch, owned, held, shortened,
                        carried=_carries(prepared, backend),
                    )  # fmt: skip
        except MemplannerError:
            raise
        except (Exception, SystemExit) as error:  # the model's own code raises what it likes
            refusal = error.__cause__ if isinstance(error, Refusal) else None
            failed = watch.module_names[watch.failed_module(error)]
            types = types_around(unwrapped(prepared.module), failed)
            raise StepError(
                model.name, refusal or error, failed, types,
                refused=refusal is not None, in_update=watch.updates or watch.update_failed,
            ) from error  # fmt: skip
    for hook in hooks:
        hook.remove()
    if not forward_only:
        watch.measure_scratch(owned)
    notes = [*prepared.notes, *watch.values.notes, *watch.real_calls.notes]
    notes += breaks(prepared.module)
    if stand_ins:
        notes += stand_ins.notes
    on_cpu = target.kind == "cpu" or device != META
    tape = steady_tape(watch, owned, keep, on_cpu=on_cpu, notes=tuple(notes))
    return tape if marked else replace(tape, gradients=None)


class StepError(EstimateError):
    """A step could not be run, with the module that gave up."""

    def __init__(
        self,
        model: str,
        error: BaseException,
        module: str,
        types: tuple[type[nn.Module], ...],
        *,
        refused: bool = False,
        in_update: bool = False,
    ) -> None:
        super().__init__(
            f"{model} cannot run a step of this shape: {type(error).__name__}: "
            f"{_first_line(error)}; change batch or sequence, or give a recipe whose batch() fits "
            "the model."
        )
        self.error = error
        self.module = module
        self.types = types
        """Of the module and what it lies in, from the inside."""
        self.refused = refused
        """Whether the module was seen to refuse its inputs with values as well."""
        self.in_update = in_update
        """Whether the optimizer gave up, and not the model."""

    def kept(self) -> StepError:
        """The error without what its tracebacks hold."""
        for error in (self, self.error):
            error.__traceback__ = error.__cause__ = error.__context__ = None
        return self


def types_around(root: nn.Module, path: str) -> tuple[type[nn.Module], ...]:
    """The types of the module at ``path`` and of what it lies in, from the inside."""
    parts = path.split(".") if path else []
    paths = [".".join(parts[:count]) for count in range(len(parts), -1, -1)]
    return tuple(type(root.get_submodule(part)) for part in paths)


def _run(
    prepared: Prepared,
    batch: dict[str, Any],
    backend: RecordingBackend,
    watch: StorageWatch,
    owned: Ownership,
    held: step_parts.Held,
) -> list[int]:
    """Runs what is needed for one steady step; the numbers of its phases in ``watch.phases``.

    The first optimizer step makes the state, a second one right after it is steady. Where the
    loop carries gradients or outputs into the next forward, the model's own code may keep something
    from its first, or backward updates, a whole second step is run.
    """
    training = prepared.plan.training
    micro_batches = min(training.gradient_accumulation_steps, 2)
    carried = _carries(prepared, backend)
    owned.note_states(prepared.optimizer)  # Adagrad has its state before the first step
    for number in range(2 if carried else 1):
        first = len(watch.phases)
        for micro_batch in range(micro_batches):
            if prepared.model.parameters_only:
                _gradients_only(prepared, watch, micro_batch)
            else:
                last = micro_batch == micro_batches - 1
                step_parts.forward_backward(
                    prepared, batch, backend, watch, held, micro_batch, last=last
                )
            owned.note_gradients(prepared.module)
        if number == 0:
            step_parts.optimizer_step(prepared, backend, watch)
            owned.note_states(prepared.optimizer)
            for each in prepared.recurring:  # the steady step is one that takes most
                each.demand()
            if carried:
                step_parts.end_step(prepared, watch, held)
                if training.zero_grad == "before_forward":
                    prepared.optimizer.zero_grad(set_to_none=True)
    keep = list(range(first, first + 2 * micro_batches))
    steady = len(watch.phases)
    step_parts.optimizer_step(prepared, backend, watch)
    owned.note_states(prepared.optimizer)
    step_parts.end_step(prepared, watch, held)
    if training.zero_grad == "before_forward":
        prepared.optimizer.zero_grad(set_to_none=True)
    return [*keep, steady, steady + 1]


def _carries(prepared: Prepared, backend: RecordingBackend) -> bool:
    """Whether a step finds something else than the first one found."""
    training, section = prepared.plan.training, prepared.plan.sharding
    # FSDP2's first step differs from the others in storages without size alone
    like_the_first = section.fully_sharded or section.gradient_degree == 1
    like_the_first = like_the_first and not section.deepspeed
    like_the_first = like_the_first and prepared.plan.offload.parameters == "none"
    return (
        backend.remembers
        or training.zero_grad == "before_backward"
        or training.outputs == "until_next_output"
        or isinstance(prepared.optimizer, UpdatesInBackward)  # the first makes its state there
        or (section.ranks > 1 and not like_the_first)  # DDP's second makes buckets anew, in order
    )


def _gradients_only(prepared: Prepared, watch: StorageWatch, micro_batch: int) -> None:
    """What a backward leaves, for a source that names parameters but no forward."""
    watch.phase("forward", micro_batch)
    watch.phase("backward", micro_batch)
    for parameter in prepared.module.parameters():
        if parameter.requires_grad and parameter.grad is None:
            parameter.grad = torch.empty_like(parameter)
            if isinstance(prepared.optimizer, UpdatesInBackward):
                prepared.optimizer.update(parameter)


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0][:200] if text else "no message"
