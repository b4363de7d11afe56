"""Stand-ins for modules whose forward cannot go on without values.

A module may hand its tensors to C++ or numpy, read their memory, or refuse what has none. A copy of
that module alone is then run for real, forward and backward, on random numbers; what it allocated
and kept is noted, and the step's recording plays it back. Where its real shapes would take too
long, it is run on smaller ones, and each storage is scaled by how it grew from one to twice as
many. A module that cannot run on this machine at all is taken to keep its inputs and outputs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from math import log2, prod
from typing import Any

import torch
from torch import nn

from memplanner.tape.tensor_trees import map_tensors, tensors_in
from memplanner.tape.values import sample
from memplanner.tape.watch import StorageWatch

LARGEST_COPY_BYTES = 2**31
"""Parameters of a module that is copied to be run."""
LARGEST_WORK = 2**31
"""Rows times parameters of a copy that is run with its own shapes: a second or so."""
_SMALL_BATCH, _SMALL_LENGTH = 2, 16

WeightsOf = Callable[[str], nn.Module | None]
"""The real module at a path, where the model is small enough to be built; else None."""


class Refusal(Exception):  # noqa: N818  (the module's own refusal, not an error of ours)
    """The module refuses its inputs for real as well."""


@dataclass(slots=True)
class _Run:
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

    def same(self, other: _Run) -> bool:
        """Whether two runs differ in sizes only."""
        return (
            self.forward == other.forward
            and self.backward == other.backward
            and len(self.outputs) == len(other.outputs)
        )


class StandIns:
    """The stand-ins of one model, and what was measured for them."""

    def __init__(self, real_module: WeightsOf) -> None:
        self._real_module = real_module
        self._types: dict[type[nn.Module], str] = {}
        """With the error that each raised."""
        self._measured: dict[Any, _Run] = {}
        self._how: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._types)

    def add(self, types: tuple[type[nn.Module], ...], error: BaseException) -> bool:
        """From now on modules of the first of ``types`` that had none have a stand-in.

        False where all had one already.
        """
        fresh = next((kind for kind in types if kind not in self._types), None)
        if fresh is not None:
            self._types[fresh] = str(error)
        return fresh is not None

    def install(self, root: nn.Module, autocast: torch.dtype | None) -> None:
        """Replaces the forwards of modules that need it, in place."""
        for name, module in list(root.named_modules()):
            if type(module) in self._types:
                copied = _unfinished_copy(module)
                forward = _Forward(self, name, module, copied, autocast)
                module.forward = forward

    @property
    def count(self) -> int:
        """How many kinds of module have one."""
        return len(self._types)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done, in sentences for the user."""
        return tuple(f"{kind} {how}" for kind, how in self._how.items())

    def run(self, forward: _Forward, args: Any, kwargs: Any) -> _Run:
        """What the module would allocate with these inputs."""
        module = forward.module
        key = (
            type(module), forward.autocast, torch.is_grad_enabled(),
            *((tuple(part.shape), part.dtype, part.requires_grad)
              for part in (*tensors_in((args, kwargs)), *module.parameters())),
        )  # fmt: skip
        known = self._measured.get(key)
        if known is None:
            known = _in_a_thread(lambda: self._measure(forward, args, kwargs))
            self._measured[key] = known
        return known

    def _measure(self, forward: _Forward, args: Any, kwargs: Any) -> _Run:
        kind, error = type(forward.module).__name__, self._types[type(forward.module)]
        parameters = sum(part.numel() for part in forward.module.parameters())
        size = sum(part.nbytes for part in forward.module.parameters())
        copied = forward.copied if size <= LARGEST_COPY_BYTES else None
        if copied is not None:
            real = _filled(copied, self._real_module(forward.name))
            shapes = _Shapes.of(args, kwargs)
            try:
                if parameters * shapes.rows <= LARGEST_WORK:
                    run = _observe(real, args, kwargs, {}, forward.autocast)
                    self._how[kind] = (
                        "cannot run without values: it alone was run for real on the CPU."
                    )
                    return run
                run = _scaled_run(real, args, kwargs, shapes, forward.autocast)
                self._how[kind] = (
                    "cannot run without values: it alone was run for real on smaller inputs, and "
                    "what it took was scaled up."
                )
                return run
            except _ERRORS as again:
                if str(again) == error and not needs_device(again):
                    raise Refusal(error) from again
        self._how[kind] = (
            "cannot run on this machine: it is taken to return what it is given, and to keep both."
        )
        return _formula(args, kwargs)


_ERRORS = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError,
    NotImplementedError, OSError, RuntimeError, TypeError, ValueError,
)  # fmt: skip


def needs_device(error: BaseException) -> bool:
    """Whether a module misses hardware or a library, which is no fault of its inputs."""
    words = ("cuda", "gpu", "triton", "driver", "backend", "device", "compiled", "install")
    text = str(error).lower()
    return isinstance(error, ImportError) or any(word in text for word in words)


class _Forward:
    """The forward of a module that has a stand-in."""

    def __init__(
        self, owner: StandIns, name: str, module: nn.Module, copied: nn.Module | None,
        autocast: torch.dtype | None,
    ) -> None:  # fmt: skip
        self.owner, self.name, self.module, self.copied = owner, name, module, copied
        self.autocast = autocast

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        run = self.owner.run(self, args, kwargs)
        given = list(tensors_in((args, kwargs)))
        results: Any = _Replay.apply(  # type: ignore[no-untyped-call]  # torch's own lack of types
            run, len(given), *given, *self.module.parameters()
        )
        return map_tensors(lambda part: results[int(part)], run.structure)


class _Replay(torch.autograd.Function):
    """Allocates and frees what the real run did."""

    @staticmethod
    def forward(context: Any, run: _Run, inputs: int, *tensors: torch.Tensor) -> Any:
        """Outputs like the real run's."""
        made: dict[int, torch.Tensor] = {}
        shapes = {place: output for output in run.outputs if (place := output[0]) is not None}
        for event in run.forward:
            number = abs(event) - 1
            if event < 0:
                del made[number]
            elif number in shapes:
                _, shape, dtype, _ = shapes[number]
                made[number] = torch.empty(shape, dtype=dtype, device="meta")
            else:
                made[number] = _bytes(run.size_bytes[number])
        results: list[torch.Tensor] = []
        for storage, shape, dtype, _ in run.outputs:
            known = None if storage is None else made.get(storage)
            if (
                known is None
                or any(known is result for result in results)
                or tuple(known.shape) != shape
            ):
                known = torch.empty(shape, dtype=dtype, device="meta")
            results.append(known)
        for number in shapes:
            made.pop(number, None)
        context.run, context.made = run, made
        kept = [tensors[place] for place in run.kept_inputs if place < inputs]
        kept += [
            result
            for result, output in zip(results, run.outputs, strict=True)
            if output[0] in run.kept_outputs
        ]
        context.like = [(tuple(part.shape), part.dtype) for part in tensors]
        context.save_for_backward(*kept)
        context.mark_non_differentiable(
            *(result for result, output in zip(results, run.outputs, strict=True) if not output[3])
        )
        return tuple(results)

    @staticmethod
    def backward(context: Any, *gradients: Any) -> Any:
        """Gradients of the inputs and parameters."""
        run: _Run = context.run
        made: dict[int, torch.Tensor] = context.made
        wanted = context.needs_input_grad[2:]
        found: list[torch.Tensor | None] = [None] * len(wanted)

        def make(place: int) -> None:
            shape, dtype = context.like[place]
            found[place] = torch.empty(shape, dtype=dtype, device="meta")

        for event in run.backward:
            number = abs(event) - 1
            place = run.gradients.get(number)
            if place is not None:
                if event > 0 and wanted[place]:
                    make(place)
            elif event < 0:
                made.pop(number, None)
            else:
                made[number] = _bytes(run.size_bytes[number])
        made.clear()
        for place, missing in enumerate(found):
            if missing is None and wanted[place]:
                make(place)
        return (None, None, *found)


def _bytes(size: int) -> torch.Tensor:
    return torch.empty(size, dtype=torch.uint8, device="meta")


@dataclass(frozen=True, slots=True)
class _Shapes:
    """The sizes of a module's inputs that can be made smaller."""

    batch: int
    length: int
    rows: int

    @classmethod
    def of(cls, args: Any, kwargs: Any) -> _Shapes:
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


def _in_a_thread(measure: Callable[[], _Run]) -> _Run:
    """What ``measure`` returns, in a thread without the recording's modes, hooks and autocast."""
    grad = torch.is_grad_enabled()
    result: list[Any] = []

    def work() -> None:
        try:
            with torch.set_grad_enabled(grad):
                result.append(measure())
        except Exception as error:  # noqa: BLE001 - raised again by who waits for it
            result.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(result[0], Exception):
        raise result[0]
    run: _Run = result[0]
    return run


def _observe(
    module: nn.Module, args: Any, kwargs: Any, sizes: dict[int, int], autocast: torch.dtype | None
) -> _Run:
    """Runs a real module forward and backward, on inputs of the given sizes."""

    def real(part: torch.Tensor) -> torch.Tensor:
        if part.device.type != "meta":
            return part
        shape = tuple(sizes.get(size, size) for size in part.shape)
        made = sample(shape, part.dtype)
        if part.is_floating_point():
            made = made.sub_(0.5) if made.dtype.is_floating_point and made.numel() > 1 else made
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
    return _Run(
        size_bytes=watch.size_bytes,
        forward=forward,
        backward=backward,
        outputs=described,
        kept_outputs=frozenset(index for index in own if index is not None and index in saved),
        kept_inputs=frozenset(inputs[index] for index in saved if index in inputs),
        gradients=gradients,
        structure=structure,
    )


def _scaled_run(
    module: nn.Module, args: Any, kwargs: Any, shapes: _Shapes, autocast: torch.dtype | None
) -> _Run:
    """A run on smaller inputs, each size scaled by how it grows with batch and sequence."""
    base = (_SMALL_BATCH, _SMALL_LENGTH)
    points = (base, (2 * base[0], base[1]), (base[0], 2 * base[1]))
    runs = [_observe(module, args, kwargs, shapes.smaller(*point), autocast) for point in points]
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


def _formula(args: Any, kwargs: Any) -> _Run:
    """A module that returns something like its first input of floats, and keeps both."""
    given = list(tensors_in((args, kwargs)))
    place, first = next(
        ((place, part) for place, part in enumerate(given) if part.is_floating_point()), (0, None)
    )
    shape = tuple(first.shape) if first is not None else ()
    dtype = first.dtype if first is not None else torch.float32
    size = prod(shape) * dtype.itemsize
    return _Run(
        size_bytes=[size], forward=[1], backward=[], outputs=[(0, shape, dtype, True)],
        kept_outputs=frozenset({0}), kept_inputs=frozenset({place} if given else ()), gradients={},
        structure=torch.tensor(0),
    )  # fmt: skip


def _unfinished_copy(module: nn.Module) -> nn.Module | None:
    """A weightless copy that can be filled, without what a plan wrapped around its forward."""
    try:
        copied = deepcopy(module)
    except _ERRORS:  # it holds what cannot be copied: a file, a lock
        return None
    for part in copied.modules():
        part.__dict__.pop("forward", None)
    return copied


def _filled(module: nn.Module, real: nn.Module | None) -> nn.Module:
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
