"""One module run for real by itself: what it allocated, and what autograd kept of it.

Where its real shapes would take too long, it is run on smaller ones, and each storage is scaled by
how it grew from one to twice as many.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from math import log2, prod
from typing import Any

import torch
from torch import nn

from memplanner.tape.tensor_trees import map_tensors, tensors_in
from memplanner.tape.values import sample
from memplanner.tape.watch import StorageWatch

_SMALL_BATCH, _SMALL_LENGTH = 2, 16
MODULE_ERRORS = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError,
    NotImplementedError, OSError, RuntimeError, TypeError, ValueError,
)  # fmt: skip


class Refusal(Exception):  # noqa: N818  (the module's own refusal, not an error of ours)
    """The module refuses its inputs for real as well."""


@dataclass(slots=True)
class ModuleRun:
    """What one real run of a module allocated: storages by number."""

    size_bytes: list[int]
    forward: list[int]
    """Births (number + 1) and deaths (−number − 1), up to the return."""
    backward: list[int]
    outputs: list[tuple[int | None, tuple[int, ...], torch.dtype, bool]]
    """Of each output: storage (None: that of an input), shape, type, whether it has a gradient."""
    kept_outputs: frozenset[int]
    """Outputs that are kept for backward."""
    kept_inputs: frozenset[int]
    gradients: dict[int, int]
    """Storages of gradients, with the place of their tensor among inputs and parameters."""
    structure: Any
    """What the module returned; tensors replaced by their number."""

    def same(self, other: ModuleRun) -> bool:
        """Whether two runs differ in sizes only."""
        return (
            self.forward == other.forward
            and self.backward == other.backward
            and len(self.outputs) == len(other.outputs)
        )


@dataclass(frozen=True, slots=True)
class CallShapes:
    """The sizes of a module's inputs that can be made smaller."""

    batch: int
    length: int
    rows: int

    @classmethod
    def of(cls, args: Any, kwargs: Any) -> CallShapes:
        """By the first tensor: its first size is the batch's, its second the sequence's."""
        first = next(tensors_in((args, kwargs)), None)
        if first is None or first.dim() == 0:
            return cls(1, 1, 1)
        length = first.size(1) if first.dim() == 3 else 1
        rows = (
            first.numel() // max(first.size(-1), 1) if first.is_floating_point() else first.numel()
        )
        return cls(first.size(0), length, rows)

    def smaller(self, batch: int, length: int) -> dict[int, int]:
        """What each size becomes."""
        changed = {self.length: length} if self.length > 1 else {}
        return changed | ({self.batch: batch} if self.batch != self.length else {})


def in_a_thread(measure: Callable[[], ModuleRun]) -> ModuleRun:
    """What ``measure`` returns, in a thread without the recording's modes, hooks and autocast."""
    grad = torch.is_grad_enabled()

    def work() -> ModuleRun:
        with torch.set_grad_enabled(grad):
            return measure()

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(work).result()


def observe(
    module: nn.Module, args: Any, kwargs: Any, sizes: dict[int, int], autocast: torch.dtype | None
) -> ModuleRun:
    """Runs a real module forward and backward, on inputs of the given sizes."""

    def real(part: torch.Tensor) -> torch.Tensor:
        if part.device.type != "meta":
            return part
        shape = tuple(sizes.get(size, size) for size in part.shape)
        made = sample(shape, part.dtype)
        if made.is_floating_point() and made.numel() > 1:
            made.sub_(0.5)
        return made.requires_grad_(part.requires_grad)

    real_args, real_kwargs = map_tensors(real, (args, kwargs))
    given = list(tensors_in((real_args, real_kwargs)))
    watch = StorageWatch(module)
    standing = [*given, *module.parameters(), *module.buffers()]
    inputs = {watch.see(part, "input"): place for place, part in reversed([*enumerate(given)])}
    for part in standing:
        watch.see(part, "standing")
    start = len(watch.events)
    saved: set[int] = set()

    def pack(part: torch.Tensor) -> torch.Tensor:
        index = watch.index_of(part)
        if index is not None:
            saved.add(index)
        return part

    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda part: part),
        torch.autocast("cpu", dtype=autocast, enabled=autocast is not None),
        watch,
    ):
        output = module(*real_args, **real_kwargs)
    outputs = list(tensors_in(output))
    described = [
        (
            None if (index := watch.see(part, "output")) in inputs else index,
            tuple(part.shape), part.dtype, part.requires_grad,
        )
        for part in outputs
    ]  # fmt: skip
    numbers = iter(range(len(outputs)))
    structure = map_tensors(lambda _: torch.tensor(next(numbers)), output)
    forward = watch.events[start:]
    stop = len(watch.events)
    roots = [part for part in outputs if part.requires_grad]
    if roots:
        incoming = [torch.ones_like(part) for part in roots]
        for part in incoming:
            watch.see(part, "gradient")
        stop = len(watch.events)
        with watch:
            watch.phase("backward", 0)
            torch.autograd.backward(roots, incoming)
    gradients: dict[int, int] = {}
    for place, part in enumerate((*given, *module.parameters())):
        number = None if part.grad is None else watch.index_of(part.grad)
        if number is not None:
            gradients.setdefault(number, place)
    own = {index for index, *_ in described}
    backward = [event for event in watch.events[stop:] if abs(event) - 1 not in own]
    return ModuleRun(
        size_bytes=watch.size_bytes,
        forward=forward,
        backward=backward,
        outputs=described,
        kept_outputs=frozenset(index for index in own if index is not None and index in saved),
        kept_inputs=frozenset(inputs[index] for index in saved if index in inputs),
        gradients=gradients,
        structure=structure,
    )


def scaled_run(
    module: nn.Module, args: Any, kwargs: Any, shapes: CallShapes, autocast: torch.dtype | None
) -> ModuleRun:
    """A run on smaller inputs, each size scaled by how it grows with batch and sequence."""
    base = (_SMALL_BATCH, _SMALL_LENGTH)
    points = (base, (2 * base[0], base[1]), (base[0], 2 * base[1]))
    runs = [observe(module, args, kwargs, shapes.smaller(*point), autocast) for point in points]
    first = runs[0]
    factors = (
        shapes.batch / base[0] if shapes.batch != shapes.length else 1.0,
        shapes.length / base[1] if shapes.length > 1 else 1.0,
    )

    def scaled(values: list[int]) -> int:
        """The value at the real shape; the values are those of the three points."""
        value = float(values[0])
        for other, factor in zip(values[1:], factors, strict=True):
            if values[0] and other and factor != 1.0:
                value *= factor ** log2(other / values[0])
        return round(value)

    alike = all(first.same(run) for run in runs[1:])
    whole = factors[0] * factors[1]
    first.size_bytes = [
        scaled([run.size_bytes[place] for run in runs]) if alike else round(size * whole)
        for place, size in enumerate(first.size_bytes)
    ]
    first.outputs = [
        (
            storage,
            tuple(
                scaled([run.outputs[place][1][axis] for run in runs]) for axis in range(len(shape))
            ),
            dtype, differentiable,
        )
        for place, (storage, shape, dtype, differentiable) in enumerate(first.outputs)
    ]  # fmt: skip
    return first


def by_formula(args: Any, kwargs: Any) -> ModuleRun:
    """A module that returns something like its first input of floats, and keeps both."""
    given = list(tensors_in((args, kwargs)))
    place, first = next(
        ((place, part) for place, part in enumerate(given) if part.is_floating_point()), (0, None)
    )
    shape = tuple(first.shape) if first is not None else ()
    dtype = first.dtype if first is not None else torch.float32
    size = prod(shape) * dtype.itemsize
    return ModuleRun(
        size_bytes=[size], forward=[1], backward=[], outputs=[(0, shape, dtype, True)],
        kept_outputs=frozenset({0}), kept_inputs=frozenset({place} if given else ()), gradients={},
        structure=torch.tensor(0),
    )  # fmt: skip


def unfinished_copy(module: nn.Module) -> nn.Module | None:
    """A weightless copy that can be filled, without what a plan wrapped around its forward."""
    try:
        copied = deepcopy(module)
    except MODULE_ERRORS:  # it holds what cannot be copied: a file, a lock
        return None
    for part in copied.modules():
        part.__dict__.pop("forward", None)
    return copied


def filled(module: nn.Module, real: nn.Module | None) -> nn.Module:
    """The module on the CPU, with the values of the real one where there is one."""
    known: dict[str, torch.Tensor] = {}
    if real is not None:
        known = {**dict(real.named_parameters()), **dict(real.named_buffers())}
    filled: dict[int, torch.Tensor] = {}
    for path, part in module.named_modules():
        for table in (part._parameters, part._buffers):
            for name, tensor in table.items():
                if tensor is None or not tensor.is_meta:
                    continue
                if id(tensor) not in filled:
                    value = known.get(f"{path}.{name}" if path else name)
                    if value is None or value.shape != tensor.shape:
                        value = sample(tuple(tensor.shape), tensor.dtype)
                        value = value.sub_(0.5).mul_(0.04) if tensor.dim() > 1 else value
                    made: torch.Tensor = value.detach().to(tensor.dtype, copy=True)
                    if isinstance(tensor, nn.Parameter):
                        made = nn.Parameter(made, requires_grad=tensor.requires_grad)
                    filled[id(tensor)] = made
                table[name] = filled[id(tensor)]
    return module
