"""Recording a model in use: a generation by a few of its tokens, or one forward.

Between the first token and the last nothing new happens: the cache grows. So the prompt and the
first token are recorded, and of the later ones those where memory can be highest; each by running
``generate`` again from a point just before it (``Passage``). On the tape, one moment leads to the
next by a ramp: what has died in between dies, what was made in between is born, turn by turn.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes

from memplanner.errors import MemplannerError
from memplanner.garbage import without_collection
from memplanner.messages.estimate import Phase
from memplanner.model.loaded import Batch, Model
from memplanner.plan import Plan
from memplanner.plan.inference import Inference
from memplanner.tape.backends import CpuBackend, MetaBackend, Recomputation, RecordingBackend
from memplanner.tape.joining import Part, alive_after, joined
from memplanner.tape.module_run import Refusal
from memplanner.tape.record import META, MetaWatch, StepError, types_around
from memplanner.tape.stand_in import StandIns
from memplanner.tape.steady import Ownership
from memplanner.tape.tape import INPUTS, KV_CACHE, Tape
from memplanner.tape.tensor_trees import tensors_in
from memplanner.tape.uncompiled import uncompiled
from memplanner.techniques.base import ChooseKept
from memplanner.techniques.generating.loop import (
    UNWANTED,
    WHOLE,
    Passage,
    cached_tensors,
    generate,
    model_inputs,
    run_forward,
)
from memplanner.techniques.precision import autocast_type
from memplanner.techniques.prepare import Prepared, cast_batch, prepare
from memplanner.techniques.target import Target

_FOR_DECODE = "_optimize_model_for_decode"
"""transformers' context that changes the kernels of experts while tokens are written."""


class Constants(TorchFunctionMode):
    """Notes what ``torch.tensor`` makes on the meta device, where it dispatches no operation."""

    def __init__(self, watch: MetaWatch) -> None:
        super().__init__()
        self._watch = watch

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        result = func(*args, **given)
        if func is torch.tensor and result.is_meta:
            self._watch.see(result, "aten.lift_fresh.default", self._watch.module_at_work)
            with _disable_current_modes():  # what is known of a value takes nothing
                real = func(*args, **{**given, "device": "cpu"})
            self._watch.values.note_real(result, real, guessed=False)
        return result


@dataclass(slots=True)
class Recorded:
    """Follows a generation: phases that are wanted, and which storages are its cache."""

    watch: MetaWatch
    owned: Ownership
    wanted: dict[int, int] = field(default_factory=dict)
    """Of the passage at work: decodes to keep by their number in it; −1 is the prefill."""
    parts: list[Part] = field(default_factory=list)
    first_setup: list[int] = field(default_factory=list)
    """What the first passage had made before its first forward, and kept."""
    sizes: dict[int, int] = field(default_factory=dict)
    """Storages that stand for others of another size."""
    _setup_start: int = 0
    _open: tuple[Phase, int, int] | None = None

    def phase(self, phase: Phase, number: int) -> None:
        """Ends the phase before, and begins one."""
        self.close()
        self.watch.phase(phase, number)
        if phase == "prefill":
            self._setup_start = len(self.watch.size_bytes)
        place = number if phase == "decode" else -1
        if phase in {"forward", "between_steps"}:
            kept = None if number == UNWANTED else 0
        else:
            kept = self.wanted.get(place)
        if kept is not None:
            self._open = phase, kept, len(self.watch.events)

    def cache(self, cache: Any) -> None:
        """Claims every storage that the cache holds now."""
        for tensor in cached_tensors(cache):
            index = self.watch.index_of(tensor)
            if index is not None:
                self.owned.category.setdefault(index, KV_CACHE)

    def set_up(self) -> None:
        """The passage's first forward begins: what was made for it has the plan's length.

        A passage further on has a longer prompt, but what lies in a generation's frames meanwhile
        (positions, masks) was made of the plan's.
        """
        made = [
            storage for storage in alive_after(self.watch.events) if storage >= self._setup_start
        ]
        if not self.first_setup:
            self.first_setup = made
        elif len(made) == len(self.first_setup):
            for storage, first in zip(made, self.first_setup, strict=True):
                self.sizes[storage] = self.watch.size_bytes[first]

    def close(self) -> None:
        """Ends the phase."""
        if self._open is not None:
            phase, number, start = self._open
            self.parts.append(Part(phase, number, start, len(self.watch.events)))
            self._open = None


def record_use(
    model: Model,
    plan: Plan,
    target: Target,
    module: nn.Module,
    device: torch.device = META,
    *,
    forward_only: bool = False,
    stand_ins: StandIns | None = None,
    kept: ChooseKept | None = None,
) -> Tape:
    """The tape of one use of ``module``, as ``tape.record.record`` is of one training step.

    With ``forward_only`` a generation ends with its prompt; ``kept`` is for backward. Raises
    ``PlanError`` and ``StepError``.
    """
    backend: RecordingBackend
    backend = MetaBackend(target, plan) if device == META else CpuBackend(plan)
    recompute = Recomputation(backend)
    prepared = prepare(model, plan, target, device, module=module, recompute=recompute)
    watch = MetaWatch(prepared.module, target)
    if stand_ins:
        stand_ins.install(prepared.module, autocast_type(plan))
    if target.kind == "cpu" and hasattr(prepared.module, _FOR_DECODE):
        # transformers asks the device of the weights, which is none
        setattr(prepared.module, _FOR_DECODE, nullcontext)
    owned = Ownership(watch)
    ignored: set[int] = set()
    inputs = _inputs(prepared, device, watch, plan.training.sequence_length)
    seen = Recorded(watch, owned)
    with watch:
        watch.phase("load", 0)
        owned.note_module(prepared.module)
        owned.trainable.clear()
        owned.note_inputs(tensors_in(inputs))
        loaded = len(watch.events)
        try:
            with without_collection(), uncompiled(), Constants(watch):
                if plan.inference.use == "forward":
                    _forward(prepared, inputs, backend, seen)
                else:
                    _generation(prepared, inputs, backend, seen, ignored, forward_only)
        except MemplannerError:
            raise
        except (Exception, SystemExit) as error:  # the model's own code raises what it likes
            refusal = error.__cause__ if isinstance(error, Refusal) else None
            failed = watch.module_names[watch.failed_module(error)]
            raise StepError(
                model.name, refusal or error, failed, types_around(prepared.module, failed),
                refused=refusal is not None,
            ) from error  # fmt: skip
        seen.close()
    if not forward_only:
        watch.measure_scratch(owned)
    for storage, size in seen.sizes.items():  # the watch would have taken a change for a resize
        watch.size_bytes[storage] = size
    notes = [*prepared.notes, *watch.values.notes, *watch.real_calls.notes]
    if stand_ins:
        notes += stand_ins.notes
    on_cpu = target.kind == "cpu" or device != META
    return joined(watch, owned, seen.parts, loaded, ignored, on_cpu=on_cpu, notes=tuple(notes))


def decodes_to_record(section: Inference) -> list[int]:
    """Which decodes, counted from 1, are recorded beside the first: where memory can be highest.

    The last one, and before it the last in which a quantized cache packs its latest tokens.
    """
    last = section.new_tokens - 1
    found = {last}
    if section.cache == "quantized":
        found.add(last - last % section.cache_residual)
    return sorted(number for number in found if number >= 2)


def _inputs(prepared: Prepared, device: torch.device, watch: MetaWatch, length: int) -> Batch:
    """What the model is given, of ``length`` tokens; their values are known to the watch."""
    plan, model = prepared.plan, prepared.model
    shape = plan.training.batch_size, length
    batch = model_inputs(cast_batch(model.batch(*shape, device), plan), plan.inference.use)
    if device == META:
        real = torch.device("cpu")
        watch.values.note_batch(
            batch, lambda: model_inputs(model.batch(*shape, real), plan.inference.use)
        )
    return batch


def _forward(prepared: Prepared, inputs: Batch, backend: RecordingBackend, seen: Recorded) -> None:
    output = run_forward(prepared.module, inputs, backend.forward_context(), seen)
    seen.phase("between_steps", 0)
    del output


def _generation(
    prepared: Prepared,
    inputs: Batch,
    backend: RecordingBackend,
    seen: Recorded,
    ignored: set[int],
    forward_only: bool,
) -> None:
    section = prepared.plan.inference
    numbers = [] if forward_only else decodes_to_record(section)
    count = 1 if forward_only else min(section.new_tokens, 2)
    seen.wanted = {-1: 0, 0: 0}
    passage = WHOLE if count == section.new_tokens else Passage(tokens=count)
    _passage(prepared, inputs, backend, seen, passage)
    for number in numbers:
        passage = Passage(ahead=number - 2, tokens=3)
        if number == section.new_tokens - 1:
            passage = Passage(ahead=number - 2)
        seen.wanted = {1: number - 1}
        further = _further_inputs(prepared, inputs, seen, ignored, passage.ahead)
        _passage(prepared, further, backend, seen, passage)


def _passage(
    prepared: Prepared, inputs: Batch, backend: RecordingBackend, seen: Recorded, passage: Passage
) -> None:
    def at_first(cache: Any) -> None:
        seen.set_up()
        _as_recorded(prepared.module, cache)

    result = generate(
        prepared.module,
        inputs,
        prepared.plan.inference,
        backend.forward_context(),
        seen,
        passage,
        at_first,
    )
    if result is not None:
        seen.phase("between_steps", 0)
    del result


def _further_inputs(
    prepared: Prepared, inputs: Batch, seen: Recorded, ignored: set[int], ahead: int
) -> Batch:
    """The inputs with ``ahead`` tokens more; they stand for those of the plan's length."""
    module: Any = prepared.module
    device = next(part.device for part in tensors_in(inputs))
    if module.config.is_encoder_decoder:
        settings = module.generation_config
        start = settings.decoder_start_token_id
        start = settings.bos_token_id if start is None else start
        rows = next(tensors_in(inputs)).shape[0]
        written = torch.full((rows, 1 + ahead), start or 0, device=device)
        shape, token = tuple(written.shape), start or 0
        seen.watch.values.note_batch([written], lambda: [torch.full(shape, token)])
        further = {**inputs, "decoder_input_ids": written}
        index = seen.watch.see(written, "input")
        seen.sizes[index] = rows * written.element_size()
        return further
    length = prepared.plan.training.sequence_length + ahead
    further = _inputs(prepared, device, seen.watch, length)
    for tensor in tensors_in(further):
        ignored.add(seen.watch.see(tensor, "input"))
        seen.owned.category[seen.watch.see(tensor, "input")] = INPUTS
    return further


def _as_recorded(module: nn.Module, cache: Any) -> None:
    """Makes a new cache one of the recorded blocks alone, and of their device.

    Code asks the cache's last layer whether there is a state; a cut model never fills it, so
    layers of blocks that were cut away are taken for the last one of their kind. Counters that
    transformers makes in host memory and moves when a layer is first used are moved at once, for
    all layers: then every block does the same.
    """
    used = {
        number
        for block in module.modules()
        if type(number := getattr(block, "layer_idx", None)) is int
    }
    device = next(module.parameters()).device
    for part in (cache, *(getattr(cache, name, None) for name in _PAIR)):
        layers = getattr(part, "layers", None)
        if not isinstance(layers, list):
            continue
        whole, counters = list(layers), []
        for place, layer in enumerate(whole):
            for name, value in vars(layer).items():
                if isinstance(value, torch.Tensor) and value.dim() == 0 and device == META:
                    counters.append(value.to(device))
                    setattr(layer, name, counters[-1])
            alike = [
                number for number in used if number < place and type(whole[number]) is type(layer)
            ]
            if place not in used and alike:
                layers[place] = whole[max(alike)]
        part.without_blocks = [layer for layer in whole if layer not in layers]
        part.counters = counters  # or they would die among the blocks' keys and values


_PAIR = ("self_attention_cache", "cross_attention_cache")
