"""The two truths of one real, steady training step on the CPU, measured without our own engine."""

from __future__ import annotations

import json
import tempfile
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Births(TorchDispatchMode):
    """Counts the bytes of storages that are alive, and the highest count."""

    def __init__(self, before: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self.live_bytes = 0
        self.highest_bytes = 0
        self._alive: dict[int, weakref.ref[torch.UntypedStorage]] = {}
        for tensor in before:
            self._see(tensor)

    def _see(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._alive:
            return

        def died(_: Any) -> None:
            del self._alive[key]
            self.live_bytes -= size

        self._alive[key] = weakref.ref(storage, died)
        self.live_bytes += size
        self.highest_bytes = max(self.highest_bytes, self.live_bytes)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._see(leaf)
        return result


def standing(
    module: torch.nn.Module, optimizer: torch.optim.Optimizer, batch: dict[str, Any]
) -> list[torch.Tensor]:
    """What is alive between steps."""
    tensors = [*module.parameters(), *module.buffers()]
    tensors += [leaf for leaf in tree_leaves(batch) if isinstance(leaf, torch.Tensor)]
    for state in optimizer.state.values():
        tensors += [value for value in state.values() if isinstance(value, torch.Tensor)]
    return tensors


def tensor_peak_bytes(step: Callable[[], None], before: Iterable[torch.Tensor]) -> int:
    """The highest sum of storages' sizes during ``step``."""
    watch = Births(before)
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
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    live = highest = 0
    memory = [event for event in events if event.get("name") == "[memory]"]
    for event in sorted(memory, key=lambda event: event["ts"]):
        live += event["args"]["Bytes"]
        highest = max(highest, live)
    return highest + sum(sizes.values())
