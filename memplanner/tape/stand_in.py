"""Stand-ins for modules whose forward cannot go on without values.

A module may hand its tensors to C++ or numpy, read their memory, or refuse what has none. A copy of
that module alone is then run for real, forward and backward, on random numbers; what it allocated
and kept is noted, and the step's recording plays it back. Where its real shapes would take too
long, it is run on smaller ones, and each storage is scaled by how it grew from one to twice as
many. A module that cannot run on this machine at all is taken to keep its inputs and outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from memplanner.tape.module_run import (
    MODULE_ERRORS,
    CallShapes,
    ModuleRun,
    Refusal,
    by_formula,
    filled,
    in_a_thread,
    observe,
    scaled_run,
    unfinished_copy,
)
from memplanner.tape.tensor_trees import map_tensors, tensors_in

LARGEST_COPY_BYTES = 2**31
"""Parameters of a module that is copied to be run."""
LARGEST_WORK = 2**31
"""Rows times parameters of a copy that is run with its own shapes: a second or so."""

WeightsOf = Callable[[str], nn.Module | None]
"""The real module at a path, where the model is small enough to be built; else None."""


class StandIns:
    """The stand-ins of one model, and what was measured for them."""

    def __init__(self, real_module: WeightsOf) -> None:
        self._real_module = real_module
        self._types: dict[type[nn.Module], str] = {}
        """With the error that each raised."""
        self._measured: dict[Any, ModuleRun] = {}
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
                copied = unfinished_copy(module)
                forward = _Forward(self, name, module, copied, autocast)
                module.forward = forward

    @property
    def count(self) -> int:
        """How many kinds of module have one."""
        return len(self._types)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done, in sentences for the user."""
        told = tuple(f"{kind} {how}" for kind, how in self._how.items())
        if not told:
            return ()
        kinds = ", ".join(self._how)
        return (
            *told,
            f"How long a step takes is not told: nothing is known of the kernels of {kinds}.",
        )

    def run(self, forward: _Forward, args: Any, kwargs: Any) -> ModuleRun:
        """What the module would allocate with these inputs."""
        module = forward.module
        key = (
            type(module), forward.autocast, torch.is_grad_enabled(),
            *((tuple(part.shape), part.dtype, part.requires_grad)
              for part in (*tensors_in((args, kwargs)), *module.parameters())),
        )  # fmt: skip
        known = self._measured.get(key)
        if known is None:
            known = in_a_thread(lambda: self._measure(forward, args, kwargs))
            self._measured[key] = known
        return known

    def _measure(self, forward: _Forward, args: Any, kwargs: Any) -> ModuleRun:
        kind, error = type(forward.module).__name__, self._types[type(forward.module)]
        parameters = sum(part.numel() for part in forward.module.parameters())
        parameter_bytes = sum(part.nbytes for part in forward.module.parameters())
        copied = forward.copied if parameter_bytes <= LARGEST_COPY_BYTES else None
        if copied is not None:
            real = filled(copied, self._real_module(forward.name))
            shapes = CallShapes.of(args, kwargs)
            try:
                if parameters * shapes.rows <= LARGEST_WORK:
                    run = observe(real, args, kwargs, {}, forward.autocast)
                    self._how[kind] = (
                        "cannot run without values: it alone was run for real on the CPU."
                    )
                    return run
                run = scaled_run(real, args, kwargs, shapes, forward.autocast)
                self._how[kind] = (
                    "cannot run without values: it alone was run for real on smaller inputs, and "
                    "what it took was scaled up."
                )
                return run
            except MODULE_ERRORS as again:
                if str(again) == error and not needs_device(again):
                    raise Refusal(error) from again
        self._how[kind] = (
            "cannot run on this machine: it is taken to return what it is given, and to keep both."
        )
        return by_formula(args, kwargs)


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
    def forward(context: Any, run: ModuleRun, inputs: int, *tensors: torch.Tensor) -> Any:
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
        run: ModuleRun = context.run
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
