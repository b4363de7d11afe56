"""The two truths of one real, steady training step on the CPU, measured without our own engine."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Births(TorchDispatchMode):
    """Notes every storage's birth and death; what is alive when it starts is born first.

    ``events`` holds number + 1 for a birth and −number − 1 for a death.
    """

    def __init__(self, before: Iterable[tuple[torch.Tensor, str]]) -> None:
        super().__init__()
        self.size_bytes: list[int] = []
        self.operation: list[str] = []
        self.category: dict[int, str] = {}
        self.events: list[int] = []
        self.marks: dict[str, int] = {}
        """The place of the first event after each moment."""
        self.live_bytes = 0
        self.highest_bytes = 0
        self.in_backward = False
        self._alive: dict[int, tuple[int, weakref.ref[torch.UntypedStorage]]] = {}
        for tensor, category in before:
            self.category.setdefault(self._see(tensor, "standing"), category)
        self.mark("step")

    def mark(self, name: str) -> None:
        """A moment that can be asked for later; of several of one name the first counts."""
        self.marks.setdefault(name, len(self.events))

    def number_of(self, tensor: torch.Tensor) -> int | None:
        """The number of a tensor's storage, if it is known and alive."""
        known = self._alive.get(tensor.untyped_storage()._cdata)
        return None if known is None else known[0]

    def note(self, tensors: Iterable[torch.Tensor], category: str) -> None:
        """Says what storages are for, where nothing was said before."""
        for tensor in tensors:
            number = self.number_of(tensor)
            if number is not None:
                self.category.setdefault(number, category)

    def alive(self) -> set[int]:
        """Numbers of the storages alive now."""
        return {number for number, _ in self._alive.values()}

    def _see(self, tensor: torch.Tensor, operation: str) -> int:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        known = self._alive.get(key)
        if known is not None:
            return known[0]
        number = len(self.size_bytes)

        def died(_: Any) -> None:
            del self._alive[key]
            self.events.append(-number - 1)
            self.live_bytes -= size

        self._alive[key] = number, weakref.ref(storage, died)
        if self.in_backward and torch.is_grad_enabled():  # a forward that runs again
            self.category[number] = "activations"
        self.size_bytes.append(size)
        self.operation.append(operation)
        self.events.append(number + 1)
        self.live_bytes += size
        self.highest_bytes = max(self.highest_bytes, self.live_bytes)
        return number

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.in_backward and not kwargs and _sums_in_place(func, args):
            return args[0].add_(args[1])
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._see(leaf, str(func))
        return result


def _sums_in_place(func: Any, args: Any) -> bool:
    """Whether autograd adds two gradients in place here, which it does not under a mode.

    By its own rule, ``can_accumulate_inplace``: nothing else may refer to the first. A mode finds
    four references to it then, two to its storage.
    """
    return (
        func is torch.ops.aten.add.Tensor
        and len(args) == 2
        and all(isinstance(part, torch.Tensor) for part in args)
        and args[0].shape == args[1].shape
        and not torch.is_grad_enabled()
        and torch._C._current_autograd_node() is not None
        and args[0]._use_count() == 4
        and torch._C._storage_Use_Count(args[0].untyped_storage()._cdata) == 2
        and torch.ops.aten.is_non_overlapping_and_dense.default(args[0])
    )


def standing(
    module: torch.nn.Module, optimizer: torch.optim.Optimizer, batch: dict[str, Any]
) -> list[torch.Tensor]:
    """What is alive between steps."""
    return [tensor for tensor, _ in named_standing(module, optimizer, batch)]


def named_standing(
    module: torch.nn.Module, optimizer: torch.optim.Optimizer, batch: dict[str, Any]
) -> list[tuple[torch.Tensor, str]]:
    """What is alive between steps, with the category of each."""
    tensors = [(tensor, "parameters") for tensor in module.parameters()]
    tensors += [(tensor, "buffers") for tensor in module.buffers()]
    tensors += [(leaf, "inputs") for leaf in tree_leaves(batch) if isinstance(leaf, torch.Tensor)]
    for state in optimizer.state.values():
        tensors += [
            (value, "optimizer_state")
            for value in state.values()
            if isinstance(value, torch.Tensor)
        ]
    return tensors


def tensor_peak_bytes(step: Callable[[], None], before: Iterable[torch.Tensor]) -> int:
    """The highest sum of storages' sizes during ``step``."""
    watch = Births((tensor, "parameters") for tensor in before)
    with watch:
        step()
    return watch.highest_bytes


def allocator_peak_bytes(step: Callable[[], None], before: Iterable[torch.Tensor]) -> int:
    """The highest sum of the CPU allocator's blocks during ``step``, kernels' scratch included."""
    sizes = {
        tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in before
    }
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    recorded = profiler.profiler
    assert recorded is not None
    assert recorded.kineto_results is not None
    # as they are, not through the trace's file: to write and read that takes as long as the step
    memory = [event for event in recorded.kineto_results.events() if event.name() == "[memory]"]
    live = highest = 0
    for event in sorted(memory, key=lambda event: event.start_ns()):
        live += event.nbytes()
        highest = max(highest, live)
    return highest + sum(sizes.values())
