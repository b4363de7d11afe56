"""From what a watch saw to the tape of one steady step: categories, owners, phases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from memplanner.messages.estimate import Phase, Span
from memplanner.tape import tape as kinds
from memplanner.tape.marking_watch import MarkingWatch
from memplanner.tape.tape import Array, StorageInfo, Tape
from memplanner.tape.watch import StorageWatch
from memplanner.tape.work import Work
from memplanner.techniques.host_memory import HOST
from memplanner.techniques.host_updates import HostUpdates
from memplanner.techniques.low_bit.dynamic import DynamicInt8Linear
from memplanner.techniques.low_bit.linear import QuantizedLinear
from memplanner.techniques.parallel.shared_states import inside
from memplanner.techniques.parallel.wrapped import unwrapped
from memplanner.techniques.sparsity.packed import PackedLinear


@dataclass(slots=True)
class Ownership:
    """Which storages are parameters, gradients, states, buffers and inputs, and whose."""

    watch: StorageWatch
    category: dict[int, int] = field(default_factory=dict)
    numel: dict[int, int] = field(default_factory=dict)
    trainable: set[int] = field(default_factory=set)
    names: dict[int, str] = field(default_factory=dict)

    def note_module(self, module: nn.Module) -> None:
        """Notes parameters and buffers; a storage shared by several counts once."""
        for path, child in unwrapped(module).named_modules():
            index = self.watch._module_index[id(child)]
            for name, parameter in child.named_parameters(recurse=False):
                storage = self._claim(parameter, kinds.PARAMETERS, index, "parameter")
                packed = isinstance(child, (QuantizedLinear, DynamicInt8Linear, PackedLinear))
                whole = vars(child).get(name, parameter)  # of a part that a rank holds
                self.numel.setdefault(storage, child.weights_in(name) if packed else whole.numel())
                self.names.setdefault(storage, f"{path}.{name}" if path else name)
                if parameter.requires_grad:
                    self.trainable.add(storage)
                content = getattr(parameter, "in_host_memory", None)
                if content is not None:
                    self._follow(parameter, content, kinds.PARAMETERS)
            for _, buffer in child.named_buffers(recurse=False):
                self._claim(buffer, kinds.BUFFERS, index, "buffer")

    def note_inputs(self, tensors: Iterable[torch.Tensor]) -> None:
        """Notes the batch."""
        for tensor in tensors:
            self._claim(tensor, kinds.INPUTS, 0, "input")

    def note_gradients(self, module: nn.Module) -> None:
        """Notes what backward left in ``grad``; call it when a backward ended."""
        noted = self.watch.gradients if isinstance(self.watch, MarkingWatch) else None
        if noted is not None:
            noted.begin()
        for parameter in module.parameters():
            self.note_gradient(parameter)
            if noted is not None and parameter.grad is not None:
                owner, stored = (self.watch.see(one, "") for one in (parameter, parameter.grad))
                noted.add(parameter, self.names.get(owner, ""), stored)

    def note_states(self, optimizer: torch.optim.Optimizer) -> None:
        """Notes the optimizer's state; call it when a step ended."""
        for parameter, state in inside(optimizer).state.items():
            self._note_state(parameter, state)
        if isinstance(optimizer, HostUpdates):
            for parameter, tensor in optimizer.host_tensors:
                self._follow(parameter, tensor, kinds.OPTIMIZER_STATE)

    @contextmanager
    def updating(self, parameter: torch.Tensor, state: dict[str, Any]) -> Iterator[None]:
        """Notes gradient and state of a parameter that is updated inside of backward."""
        self.note_gradient(parameter)
        with self.watch.updating(parameter):
            yield
        self._note_state(parameter, state)

    @contextmanager
    def marking(self, parameter: torch.Tensor, state: dict[str, Any]) -> Iterator[None]:
        """The same, with a mark where the update begins; it makes and frees nothing itself."""
        assert isinstance(self.watch, MarkingWatch)  # a real step has no marks
        self.watch.place_states(parameter)
        self.note_gradient(parameter)
        self.watch.mark_gradient(parameter)
        known = len(self.watch.events)
        with self.updating(parameter, state):
            yield
        if len(self.watch.events) - known > 1:  # the gradient's death
            self.watch.gradients.refuse()

    def note_gradient(self, parameter: torch.Tensor) -> None:
        """Notes the gradient of a parameter, if it has one."""
        if parameter.grad is not None:
            self._follow(parameter, parameter.grad, kinds.GRADIENTS)

    def _note_state(self, parameter: torch.Tensor, state: dict[str, Any]) -> None:
        for value in state.values():
            if isinstance(value, torch.Tensor):
                for part in _parts(value):
                    self._follow(parameter, part, kinds.OPTIMIZER_STATE)

    def _claim(self, tensor: torch.Tensor, category: int, module: int, operation: str) -> int:
        index = self.watch.see(tensor, operation, module)
        self.category.setdefault(index, category)
        return index

    def _follow(self, parameter: torch.Tensor, tensor: torch.Tensor, category: int) -> None:
        owner = self.watch.see(parameter, "parameter")
        index = self.watch.see(tensor, "gradient")
        module = self.watch.module[owner]
        if self.category.get(index) is None:
            self.category[index] = category
            self.watch.module[index] = module
        elif self.category[index] == category and self.watch.module[index] != module:
            # one storage for a whole sharded block
            self.watch.module[index] = self.watch.around(self.watch.module[index], module)


def _parts(tensor: torch.Tensor) -> Iterable[torch.Tensor]:
    """The tensors that a tensor subclass, such as torchao's states, keeps its values in."""
    flatten = getattr(tensor, "__tensor_flatten__", None)
    if flatten is None:
        return (tensor,)
    inside = [getattr(tensor, name) for name in flatten()[0]]
    return [part for part in inside if isinstance(part, torch.Tensor)]


def steady_tape(
    watch: StorageWatch, owned: Ownership, keep: Iterable[int], *, on_cpu: bool,
    notes: tuple[str, ...] = (),
) -> Tape:  # fmt: skip
    """The tape of the phases whose numbers (in ``watch.phases``) are in ``keep``.

    What the phases before leave alive is there from the start, in ``load``.
    """
    marks = [*watch.phases, ("between_steps", 0, len(watch.events))]
    starts = [mark[2] for mark in marks]
    kept = sorted(keep)
    events = np.array(watch.events, dtype=np.int64)
    context = np.array(watch.event_module, dtype=np.int64)
    chosen: list[tuple[Phase, int, Array]] = []
    position = 0
    alive: list[int] = []
    skipped: list[int] = []
    for number in kept:
        skipped += range(position, starts[number])
        chosen.append(
            (marks[number][0], marks[number][1], np.arange(starts[number], starts[number + 1]))
        )
        position = starts[number + 1]
    # What was skipped shrinks to its survivors; what it freed of the kept, it frees there too.
    born = {int(events[place]): place for place in skipped if events[place] > 0}
    freed_in_kept: list[int] = []
    for place in skipped:
        if events[place] < 0 and born.pop(-int(events[place]), None) is None:
            freed_in_kept.append(place)  # noqa: PERF401  (the condition changes ``born``)
    alive = sorted(born.values())
    order: list[Array] = [np.array(alive, dtype=np.int64)]
    phases = [Span("load", 0, 0, len(alive))]
    seen_births = {int(event) for event in events[alive]}
    count = len(alive)
    for phase, micro_batch, places in chosen:
        seen_births.update(int(event) for event in events[places] if event > 0)
        if phase == "optimizer_step" and freed_in_kept:
            late = [place for place in freed_in_kept if -int(events[place]) in seen_births]
            freed_in_kept = [place for place in freed_in_kept if place not in set(late)]
            places = np.concatenate([np.array(late, dtype=np.int64), places])
        order.append(places)
        phases.append(Span(phase, micro_batch, count, count + len(places)))
        count += len(places)
    places = np.concatenate(order)
    work = watch.work.taken({number: (marks[number][0], marks[number][1]) for number in kept})
    return tape_of(
        watch, owned, events[places], context[places], tuple(phases), on_cpu, notes, work
    )


def tape_of(
    watch: StorageWatch,
    owned: Ownership,
    events: Array,
    context: Array,
    phases: tuple[Span, ...],
    on_cpu: bool,
    notes: tuple[str, ...],
    work: Work,
) -> Tape:
    """Numbers the storages anew, in the order of their births on the tape."""
    births = events[events > 0] - 1
    number = np.full(len(watch.size_bytes), -1, dtype=np.int64)
    number[births] = np.arange(len(births))
    inside = number[np.abs(events) - 1] >= 0
    if not inside.all():
        stops = np.cumsum(inside)
        phases = tuple(
            Span(
                span.phase,
                span.micro_batch,
                int(stops[span.start - 1]) if span.start else 0,
                int(stops[span.stop - 1]) if span.stop else 0,
            )
            for span in phases
        )
        events, context = events[inside], context[inside]
    renumbered = np.sign(events) * (number[np.abs(events) - 1] + 1)
    storages = births.tolist()
    sizes = [
        watch.size_bytes[index]
        if watch.device[index] != HOST and (on_cpu or watch.device[index] != "cpu")
        else 0
        for index in storages
    ]
    owners = {place: watch.first_of(index) for place, index in enumerate(storages)
              if place < phases[0].stop}  # fmt: skip
    category = _categories(watch, owned, storages, renumbered, phases)
    numel = np.zeros(len(storages), dtype=np.int64)
    for place, index in owners.items():
        numel[place] = owned.numel.get(index, 0)
    return Tape(
        size_bytes=np.array(sizes, dtype=np.int64),
        category=category,
        module=np.array([watch.module[index] for index in storages], dtype=np.int64),
        events=renumbered,
        context=context,
        phases=phases,
        storages=tuple(
            StorageInfo(
                operation=owned.names.get(watch.first_of(index), watch.operation[index]),
                host_bytes=watch.size_bytes[index] if watch.device[index] == HOST else 0,
                shape=watch.shape[index],
                dtype=str(watch.dtype[index]).removeprefix("torch."),
                collective=watch.collectives.get(index),
                stream=watch.streams.get(index, 0),
            )
            for index in storages
        ),
        module_names=tuple(watch.module_names),
        module_types=tuple(watch.module_types),
        module_shapes=watch.shapes,
        source=np.arange(len(storages)),
        trainable=np.array(
            [owners.get(place) in owned.trainable for place in range(len(storages))],
            dtype=np.bool_,
        ),
        numel=numel,
        notes=notes,
        work=work,
        gradients=watch.gradients.renumbered(number, watch.module, watch.module_names)
        if isinstance(watch, MarkingWatch)
        else None,
    )


def _categories(
    watch: StorageWatch,
    owned: Ownership,
    storages: list[int],
    events: Array,
    phases: tuple[Span, ...],
) -> Array:
    """Activations outlive their forward, or are recomputed; the rest is temporary."""
    birth = np.zeros(len(storages), dtype=np.int64)
    death = np.full(len(storages), np.iinfo(np.int64).max, dtype=np.int64)
    for place, event in enumerate(events.tolist()):
        if event > 0:
            birth[event - 1] = place
        else:
            death[-event - 1] = place
    category = np.full(len(storages), kinds.TEMPORARIES, dtype=np.int64)
    for span in phases:
        if span.phase in {"forward", "prefill", "decode"}:
            born_here = (birth >= span.start) & (birth < span.stop)
            category[born_here & (death >= span.stop)] = kinds.ACTIVATIONS
        elif span.phase == "load":
            category[birth < span.stop] = kinds.ACTIVATIONS  # the last step's outputs
    for place, index in enumerate(storages):
        known = owned.category.get(watch.first_of(index))
        if known is not None:
            category[place] = known
        elif index in watch.communication:
            category[place] = kinds.COMMUNICATION
        elif watch.recomputed[index]:
            category[place] = kinds.ACTIVATIONS
    return category
