"""Births and deaths of storages, seen by a dispatch mode: the tape of whatever runs under it.

The same watch records a step on the meta device (to predict) and on a real one (to measure), so
that both are sorted into categories by the same code.
"""

from __future__ import annotations

import sys
import weakref
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.utils._python_dispatch import TorchDispatchMode

from memplanner.messages.estimate import Phase
from memplanner.tape.accumulation import adds_in_place, only_reference
from memplanner.tape.collectives import Collective
from memplanner.tape.inner_tensors import inner_parts, is_distributed
from memplanner.tape.naming import operation_name, shapes_of
from memplanner.tape.streams import current_number
from memplanner.tape.work_notes import WorkNotes
from memplanner.techniques.host_memory import HOST, lies_in_host_memory
from memplanner.techniques.parallel.wrapped import own_type, unwrapped

ROOT = 0
"""The index of the root module, which also stands for no module at all."""

_PLAIN = frozenset({torch.Tensor, nn.Parameter})  # made of no others; asking them is slow
ADD = torch.ops.aten.add.Tensor
_sequence_number = torch._C._autograd._get_sequence_nr


class _Death(weakref.ref[torch.UntypedStorage]):
    """A weak reference that knows which storage died."""

    __slots__ = ("index", "key")
    index: int
    key: int


class StorageWatch(TorchDispatchMode):
    """Notes each storage's birth and death with operation, module and phase.

    ``events`` holds ``index + 1`` for a birth and ``-(index + 1)`` for a death, beside the module
    that was at work (``event_module``). Everything about storage ``index`` lies at that place of
    the other lists. ``live_bytes`` and ``highest_bytes`` may be read from another thread.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own lack of types
        self.module_names: list[str] = []
        self.module_types: list[str] = []
        self._module_index: dict[int, int] = {}
        inner = unwrapped(module)
        places: dict[str, int] = {}
        for name, child in inner.named_modules():  # two stages may have one of the same name
            place = self._module_index[id(child)] = places.setdefault(name, len(places))
            if place == len(self.module_names):
                self.module_names.append(name)
                self.module_types.append(own_type(child).__name__)
        self._module_index.setdefault(id(module), ROOT)
        self.size_bytes: list[int] = []
        self.operation: list[str] = []
        self.module: list[int] = []
        self.dtype: list[torch.dtype] = []
        self.shape: list[tuple[int, ...]] = []
        self.device: list[str] = []
        self.recomputed: list[bool] = []
        self.events: list[int] = []
        self.event_module: list[int] = []
        self.phases: list[tuple[Phase, int, int]] = []
        """``(phase, micro-batch, first event)``, in order."""
        self.shapes: dict[int, tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]] = {}
        """Input and output shapes of each module's first call."""
        self.resized_from: dict[int, int] = {}
        """Of storages that changed their size without an operation: what they were."""
        self.collectives: dict[int, Collective] = {}
        """Storages of no size that stand for what is sent to other ranks."""
        self.failure = 0, ROOT
        """The identity of what a forward raised last, and the innermost module that it left."""
        self.communicates = False
        """Whether the code at work gathers parameters or reduces gradients."""
        self.communication: set[int] = set()
        """The storages that were made for it."""
        self.streams: dict[int, int] = {}
        """The stream that they were asked on."""
        self.work = WorkNotes()
        """What kernels do, where the watch is one that notes it."""
        self.live_bytes = 0
        self.highest_bytes = 0
        self.scratch_device = "cpu"
        self.current_phase: Phase = "load"
        self.current_micro_batch = 0
        self._known: dict[int, _Death] = {}
        self._stack: list[int] = []
        self._context = ROOT
        self._nodes: dict[int, int] = {}
        self._node_numbers: list[int] = []
        self._hooks: list[Any] = []
        self._updating = False
        self.updates = False
        """Whether the optimizer is at work."""
        only_reference()  # it is counted outside of modes

    # Contexts

    def __enter__(self) -> StorageWatch:
        self._hooks = [
            register_module_forward_pre_hook(self._enter_module),
            register_module_forward_hook(self._leave_module, always_call=True),
        ]
        super().__enter__()  # type: ignore[no-untyped-call]  # torch's own lack of types
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]  # torch's own lack of types
        for hook in self._hooks:
            hook.remove()

    def phase(self, phase: Phase, micro_batch: int) -> None:
        """A phase begins: the observer of a training step."""
        self.current_phase, self.current_micro_batch = phase, micro_batch
        self.updates = phase == "optimizer_step"
        self.phases.append((phase, micro_batch, len(self.events)))
        self._context = ROOT

    def enter(self, module: nn.Module) -> None:
        """``module`` is at work until ``leave``: for what runs without a module's own call."""
        self._stack.append(self._module_index.get(id(module), self._top()))

    def leave(self) -> None:
        """Ends ``enter``."""
        self._stack.pop()

    @contextmanager
    def working_for(self, module: nn.Module) -> Iterator[None]:
        """What backward does for ``module`` apart from its graph, such as to reduce gradients."""
        before, self._context = self._context, self._module_index.get(id(module), ROOT)
        try:
            yield
        finally:
            self._context = before

    @contextmanager
    def updating(self, parameter: torch.Tensor) -> Iterator[None]:
        """The optimizer updates ``parameter`` inside of backward."""
        before, self.updates = self.updates, True
        self._updating, self._context = True, self._owner(parameter)
        try:
            yield
        finally:
            self._updating, self.updates = False, before

    @property
    def module_at_work(self) -> int:
        """The index of the module that the last operation belongs to."""
        return self._stack[-1] if self._stack else self._context

    def failed_module(self, error: BaseException) -> int:
        """The index of the innermost module that raised ``error``."""
        if self.failure[0] == id(error):
            return self.failure[1]
        return self._context if self.current_phase == "backward" else ROOT

    def _top(self) -> int:
        return self._stack[-1] if self._stack else ROOT

    def _enter_module(self, module: nn.Module, inputs: Any) -> None:
        index = self._module_index.get(id(module), -1)
        if index < 0:
            index = self._top()
        elif index not in self.shapes:
            self.shapes[index] = (shapes_of(inputs), ())
        self._stack.append(index)

    def _leave_module(self, module: nn.Module, inputs: Any, output: Any) -> None:
        index = self._stack.pop()
        error = sys.exception()
        if error is not None and self.failure[0] != id(error):
            self.failure = id(error), index  # the error itself would keep its frames' tensors
        known = self.shapes.get(index)
        if known is not None and not known[1]:
            self.shapes[index] = (known[0], shapes_of(output))

    # Recording

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if types and is_distributed(types):
            return NotImplemented
        if self.adds_in_place(func, args, kwargs):
            args[0].add_(args[1])
            return args[0]
        result = func(*args, **(kwargs or {}))
        self.note(func, args, result)
        return result

    def adds_in_place(self, func: Any, args: Any, kwargs: Any) -> bool:
        """Whether autograd would have changed ``args[0]`` in place, were there no mode."""
        if self.current_phase != "backward" or self._stack or func is not ADD or self._updating:
            return False
        if not adds_in_place(func, args, kwargs):
            return False
        self._context = self._module_of_node()
        return True

    def note(self, func: Any, args: Any, result: Any) -> None:
        """Notes the storages that ``func`` made."""
        if self.updates:
            self._note_update(func, args, result)
            return
        if self._stack:
            context = self._stack[-1]
            number = _sequence_number() - 1
            if number not in self._nodes:
                self._nodes[number] = context
                self._node_numbers.append(number)
        elif self.current_phase == "backward" or self.communicates:
            context = self._module_of_node()
        else:
            context = ROOT
        self._context = context
        if isinstance(result, torch.Tensor):
            self.see(result, operation_name(func), context)
        elif isinstance(result, (tuple, list)):
            for part in result:
                if isinstance(part, torch.Tensor):
                    self.see(part, operation_name(func), context)

    def _note_update(self, func: Any, args: Any, result: Any) -> None:
        """An operation of the optimizer: it works for the module whose parameter it updates."""
        first = args[0] if args else None
        if isinstance(result, torch.Tensor):
            self._context = max(
                (self._owner(part) for part in args if isinstance(part, torch.Tensor)), default=ROOT
            )
            self.see(result, operation_name(func), self._context)
        elif isinstance(result, (tuple, list)):
            if isinstance(first, torch.Tensor):  # one parameter's, such as a decomposition
                self._context = self._owner(first)
            owners = first if isinstance(first, (tuple, list)) else (first,) * len(result)
            for place, part in enumerate(result):
                if isinstance(part, torch.Tensor):
                    owner = owners[place] if place < len(owners) else None
                    known = self._owner(owner) if isinstance(owner, torch.Tensor) else ROOT
                    self.see(part, operation_name(func), known)

    def _owner(self, tensor: torch.Tensor) -> int:
        index = self.index_of(tensor)
        return ROOT if index is None else self.module[index]

    def _module_of_node(self) -> int:
        node = torch._C._current_autograd_node()
        if node is None:
            return self._context
        number = node._sequence_nr()
        known = self._nodes.get(number)
        if known is not None:
            return known
        variable = getattr(node, "variable", None)
        if variable is not None:  # AccumulateGrad has the number of no forward operation
            return self._context
        place = bisect_right(self._node_numbers, number) - 1
        return self._nodes[self._node_numbers[place]] if place >= 0 else ROOT

    def see(self, tensor: torch.Tensor, operation: str, module: int = ROOT) -> int:
        """The index of the tensor's storage, which is noted as born when it is new."""
        inner = None if type(tensor) in _PLAIN else getattr(tensor, "__tensor_flatten__", None)
        if inner is not None:
            names, _ = inner()
            index = -1
            for part in (getattr(tensor, name) for name in names):
                if isinstance(part, torch.Tensor):  # a tensor over many ranks names its mesh too
                    index = self.see(part, operation, module)
            return index
        if tensor.layout is not torch.strided:
            return max(
                (self.see(part, operation, module) for part in inner_parts(tensor)), default=-1
            )
        storage = tensor.untyped_storage()
        key = storage._cdata
        size = storage.nbytes()
        known = self._known.get(key)
        if known is not None and size == self.size_bytes[known.index]:
            return known.index
        index = len(self.size_bytes)
        if known is None:
            death = self._known[key] = _Death(storage, self._died)
            death.index, death.key = index, key
        self.operation.append(operation)
        self.module.append(module)
        self.dtype.append(tensor.dtype)
        self.shape.append(tuple(tensor.shape))
        in_host = lies_in_host_memory(storage, new=known is None)
        self.device.append(HOST if in_host else tensor.device.type)
        self.recomputed.append(bool(self._stack) and self.current_phase == "backward")
        self._born(index, size, module)
        if known is not None:  # resized: its content moved to a new block
            self._died(known)
            known.index = index
            self._known[key] = known
        return index

    def _born(self, index: int, size_bytes: int, module: int) -> None:
        if self.communicates:
            self.communication.add(index)
            self.streams[index] = current_number()
        self.size_bytes.append(size_bytes)
        self.events.append(index + 1)
        self.event_module.append(module)
        if self.device[index] == HOST:
            return
        self.live_bytes += size_bytes
        if self.live_bytes > self.highest_bytes:
            self.highest_bytes = self.live_bytes

    def see_scratch(self, operation: str, sizes_bytes: Sequence[int] = (0,)) -> list[int]:
        """Storages for what a kernel takes while it runs: born together, and dead at once."""
        first = len(self.size_bytes)
        indices = list(range(first, first + len(sizes_bytes)))
        for index, size in zip(indices, sizes_bytes, strict=True):
            self.size_bytes.append(size)
            self.operation.append(operation)
            self.module.append(self._context)
            self.dtype.append(torch.uint8)
            self.shape.append(())
            self.device.append(self.scratch_device)
            self.recomputed.append(False)
            self.events.append(index + 1)
            self.event_module.append(self._context)
        self.events += [-index - 1 for index in reversed(indices)]
        self.event_module += [self._context] * len(indices)
        return indices

    def _died(self, death: weakref.ref[torch.UntypedStorage]) -> None:
        assert isinstance(death, _Death)
        del self._known[death.key]
        self.events.append(-death.index - 1)
        self.event_module.append(self._context)
        if self.device[death.index] != HOST:
            self.live_bytes -= self.size_bytes[death.index]

    def resized(self, storage: torch.UntypedStorage) -> None:
        """Notes a storage that changed its size, other than by an operation."""
        known = self._known.get(storage._cdata)
        if known is None or storage.nbytes() == self.size_bytes[known.index]:
            return
        old = known.index
        index = len(self.size_bytes)
        self.operation.append(self.operation[old])
        self.module.append(self.module[old])
        self.dtype.append(self.dtype[old])
        self.shape.append(self.shape[old])
        self.device.append(self.device[old])
        self.recomputed.append(False)
        self.resized_from[index] = old
        self._born(index, storage.nbytes(), self.module[old])
        self._died(known)
        known.index = index
        self._known[known.key] = known

    def first_of(self, index: int) -> int:
        """What a storage was before it changed its size, the first time."""
        while index in self.resized_from:
            index = self.resized_from[index]
        return index

    def index_of(self, tensor: torch.Tensor) -> int | None:
        """The index of a storage that is alive, or None when it was never seen."""
        inner = getattr(tensor, "_local_tensor", tensor)  # of a tensor over many ranks
        known = self._known.get(inner.untyped_storage()._cdata)
        return None if known is None else known.index

    def see_all(self, named: Iterable[tuple[torch.Tensor, str, int]]) -> None:
        """Notes tensors that were there before: ``(tensor, operation, module)``."""
        for tensor, operation, module in named:
            self.see(tensor, operation, module)

    def around(self, first: int, second: int) -> int:
        """The index of the innermost module that both modules lie in."""
        one, other = (self.module_names[index].split(".") for index in (first, second))
        alike = sum(
            1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
        )
        return self.module_names.index(".".join(one[:alike]))

    def module_index(self, name: str) -> int:
        """The index of the module with this path."""
        return self.module_names.index(name)
