"""How far each layer's output moves when its weight is compressed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from memplanner.messages.run import LayerQuality

ROWS = 64
"""Tokens whose inputs and outputs are kept of each layer: some 80 MiB for 135 M parameters in fp32,
and 330 MiB for 8 B in bf16."""


@dataclass(frozen=True, slots=True)
class _Kept:
    given: torch.Tensor
    output: torch.Tensor
    type: type[nn.Module]
    size_bytes: int


class LayerOutputs:
    """What linear layers were given and gave in the uncompressed model, in host memory."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._names: set[str] = set()
        self.reshaped = 0
        """Layers that ``compare`` found with other inputs or outputs than they had."""
        self._last: tuple[torch.Tensor | None, torch.Tensor | None] = (None, None)

    @contextmanager
    def watching(self, module: nn.Module) -> Iterator[None]:
        """Keeps the first call of every linear layer in ``module`` that runs inside."""
        with ExitStack() as stack:
            for name, layer in module.named_modules():
                if _is_linear(layer):
                    self._names.add(name)
                    handle = layer.register_forward_hook(self._hook(name))
                    stack.callback(handle.remove)
            yield
        self._last = (None, None)

    def _hook(self, name: str) -> Any:
        def keep(layer: nn.Module, given: tuple[Any, ...], output: Any) -> None:
            if name in self._kept or not given or not isinstance(output, torch.Tensor):
                return
            source = given[0]
            before, rows = self._last
            if source is not before or rows is None:  # query, key and value share theirs
                rows = _rows(source)
            self._last = (source, rows)
            self._kept[name] = _Kept(rows, _rows(output), type(layer), own_bytes(layer))

        return keep

    @torch.no_grad()
    def compare(self, module: nn.Module) -> tuple[LayerQuality, ...] | None:
        """The layers that are not what they were, given the same inputs again.

        None where layers went away, since those that are left may have moved up.
        """
        layers = dict(module.named_modules())
        if not self._names <= layers.keys():
            return None
        found = (self._compared(name, layers[name], kept) for name, kept in self._kept.items())
        return tuple(row for row in found if row is not None)

    def _compared(self, name: str, layer: nn.Module, kept: _Kept) -> LayerQuality | None:
        device = next(layer.parameters()).device
        given = kept.given.to(device)
        if _inputs(layer) != given.shape[-1] or _outputs(layer) != kept.output.shape[-1]:
            self.reshaped += 1  # a structure was taken out of it
            return None
        output = layer(given).cpu().double()
        before = kept.output.double()
        difference, norm = float((output - before).norm()), float(before.norm())
        after_bytes = own_bytes(layer)
        if difference == 0 and type(layer) is kept.type and after_bytes == kept.size_bytes:
            return None
        error = difference / norm if norm else (float("inf") if difference else 0.0)
        return LayerQuality(
            name=name,
            type=type(layer).__name__,
            output_error=error,
            before_bytes=kept.size_bytes,
            after_bytes=after_bytes,
        )


def own_bytes(module: nn.Module) -> int:
    """Parameters and stored buffers; tables that layers share are no layer's own."""
    return sum(tensor.nbytes for tensor in module.state_dict().values())


def _is_linear(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear) or type(layer).__name__ == "Conv1D"


def _inputs(layer: Any) -> int:
    return int(layer.nx if hasattr(layer, "nx") else layer.in_features)


def _outputs(layer: Any) -> int:
    return int(layer.nf if hasattr(layer, "nf") else layer.out_features)


def _rows(tensor: torch.Tensor) -> torch.Tensor:
    """At most ``ROWS`` rows of the last dimension, evenly over all of them."""
    flat = tensor.detach().reshape(-1, tensor.shape[-1])
    if len(flat) > ROWS:
        flat = flat[torch.linspace(0, len(flat) - 1, ROWS, device=flat.device).long()]
    return flat.cpu().clone()
