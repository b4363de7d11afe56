"""Real generations written plainly with torch and transformers: what users run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tests.truth.ground_truth import Births, allocator_peak_bytes


@dataclass(frozen=True)
class MeasuredUse:
    """One generation or forward at both levels, in bytes."""

    tensor_bytes: int
    prefill_bytes: int
    """The highest up to the end of the first forward."""
    allocator_bytes: int


def measure_generation(module: Any, inputs: dict[str, Any], **settings: Any) -> MeasuredUse:
    """``module.generate(**inputs, **settings)`` that no token ends."""
    module.eval()
    module.generation_config.eos_token_id = None
    module.generation_config.pad_token_id = None

    def fresh() -> dict[str, Any]:
        """A cache is for one generation."""
        return {name: value() if callable(value) else value for name, value in settings.items()}

    def use(watch: Births | None = None) -> None:
        forwards = 0

        def mark(*_: Any) -> None:
            nonlocal forwards
            forwards += 1
            if watch is not None and forwards == 2:
                watch.mark("decode")

        hook = module.register_forward_pre_hook(mark)
        module.generate(**inputs, do_sample=False, **fresh())
        hook.remove()

    return _measure(use, module, inputs)


def measure_forward(module: nn.Module, inputs: dict[str, Any]) -> MeasuredUse:
    """One forward without gradients."""
    module.eval()

    def use(watch: Births | None = None) -> None:
        with torch.no_grad():
            module(**inputs)

    return _measure(use, module, inputs)


def _measure(use: Any, module: nn.Module, inputs: dict[str, Any]) -> MeasuredUse:
    use()  # what code makes once is not of a use
    before = [*module.parameters(), *module.buffers()]
    before += [value for value in inputs.values() if isinstance(value, torch.Tensor)]
    watch = Births((tensor, "standing") for tensor in before)
    with watch:
        use(watch)
    curve = highest = 0
    stop = watch.marks.get("decode", len(watch.events))
    for event in watch.events[:stop]:
        size = watch.size_bytes[abs(event) - 1]
        curve += size if event > 0 else -size
        highest = max(highest, curve)
    return MeasuredUse(watch.highest_bytes, highest, allocator_peak_bytes(use, before))
