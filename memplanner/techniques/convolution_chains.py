"""Which convolutions' channels may go: found in a weightless forward, operation by operation.

A chain is safe where each tensor from one convolution to the next is used once, and what is in
between treats every channel by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode

from memplanner.techniques.sparsity.channels import Chain

_BY_NUMBER = frozenset(
    {
        "relu", "relu_", "hardtanh", "hardtanh_", "leaky_relu", "leaky_relu_", "silu", "silu_",
        "gelu", "gelu_", "hardswish", "hardswish_", "elu", "elu_", "sigmoid", "tanh", "mish",
        "max_pool2d_with_indices", "max_pool2d", "avg_pool2d", "_adaptive_avg_pool2d",
        "upsample_nearest2d", "upsample_bilinear2d", "native_dropout", "detach", "clone",
    }
)  # fmt: skip
"""Operations that give a channel nothing of another (``torch.ops.aten``)."""
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(slots=True)
class _Use:
    """An operation that a tensor went into."""

    operation: str
    module: str
    first: bool
    """Whether the tensor was its first argument."""
    result: int


@dataclass(slots=True)
class _Forward:
    """What became of each tensor."""

    uses: dict[int, list[_Use]] = field(default_factory=dict)
    made: dict[str, list[int]] = field(default_factory=dict)
    """The results of each module's own operation."""
    alive: list[Any] = field(default_factory=list)
    """So that no number is given twice."""


class _Watch(TorchDispatchMode):
    """Notes which operation takes what, and which module is at work."""

    def __init__(self, names: dict[nn.Module, str], seen: _Forward) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own lack of types
        self._names, self._seen = names, seen
        self._stack: list[str] = []

    def __enter__(self) -> _Watch:
        self._hooks = [
            register_module_forward_pre_hook(
                lambda module, _: self._stack.append(self._names.get(module, ""))
            ),
            register_module_forward_hook(self._leave, always_call=True),
        ]
        super().__enter__()  # type: ignore[no-untyped-call]  # torch's own lack of types
        return self

    def _leave(self, *_: Any) -> None:
        self._stack.pop()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]  # torch's own lack of types
        for hook in self._hooks:
            hook.remove()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        first = result[0] if isinstance(result, tuple | list) and result else result
        number = id(first)
        module = self._stack[-1] if self._stack else ""
        operation = func.overloadpacket.__name__
        for place, part in enumerate(_flat((*args, *(kwargs or {}).values()))):
            if isinstance(part, torch.Tensor):
                use = _Use(operation, module, place == 0, number)
                self._seen.uses.setdefault(id(part), []).append(use)
                self._seen.alive.append(part)
        self._seen.alive.append(result)
        if operation == "convolution":
            self._seen.made.setdefault(module, []).append(number)
        return result


def convolution_chains(module: nn.Module, batch: Mapping[str, Any]) -> list[Chain]:
    """The chains of the weightless ``module``, whose forward takes ``batch``; it is run once."""
    if not any(isinstance(part, _CONVOLUTIONS) for part in module.modules()):
        return []
    names = {part: name for name, part in module.named_modules()}
    seen = _Forward()
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        with torch.no_grad(), _Watch(names, seen):
            module(**batch)
    finally:
        for part in training:
            part.training = True
    found = [_chain(module, name, seen) for name, part in module.named_modules()
             if isinstance(part, _CONVOLUTIONS)]  # fmt: skip
    return [chain for chain in found if chain is not None]


def _chain(module: nn.Module, name: str, seen: _Forward) -> Chain | None:
    producer: Any = module.get_submodule(name)
    results = seen.made.get(name, [])
    if len(results) != 1 or producer.groups != 1 or _shares(module, producer):
        return None
    number, place, between = results[0], 0, list[str]()
    while True:
        uses = seen.uses.get(number, [])
        if place >= len(uses):
            return None
        use, in_place = uses[place], uses[place].operation.endswith("_")
        if not use.first or (not in_place and place != len(uses) - 1):
            return None
        part: Any = module.get_submodule(use.module)
        if use.operation == "convolution" and isinstance(part, _CONVOLUTIONS):
            if len(seen.made.get(use.module, [])) != 1 or _shares(module, part):
                return None
            if part.groups == 1:
                return Chain(name, tuple(between), use.module)
            if not part.groups == part.in_channels == part.out_channels:
                return None
            between.append(use.module)
        elif "batch_norm" in use.operation and isinstance(part, _NORMS):
            if _shares(module, part):
                return None
            between.append(use.module)
        elif use.operation not in _BY_NUMBER:
            return None
        number, place = (number, place + 1) if in_place else (use.result, 0)


def _shares(module: nn.Module, part: nn.Module) -> bool:
    """Whether another module has one of its parameters, or is it under another name."""
    own = {id(parameter) for parameter in part.parameters(recurse=False)}
    holders = [
        name
        for name, other in module.named_modules(remove_duplicate=False)
        if own.intersection(id(each) for each in other._parameters.values() if each is not None)
    ]
    return len(holders) > 1


def _flat(values: Any) -> list[Any]:
    found = []
    for value in values:
        found += _flat(value) if isinstance(value, tuple | list) else [value]
    return found
