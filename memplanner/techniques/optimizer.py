"""The optimizer: torch's own, with the implementation that the plan and the device ask for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from memplanner.plan import Plan
from memplanner.techniques.target import Target


def implementation(plan: Plan, target: Target) -> str:
    """``for_loop``, ``foreach`` or ``fused``: what ``auto`` means on the target.

    torch takes for-each where every parameter is on a CUDA, XPU or similar device
    (``torch/optim/optimizer.py: _default_to_fused_or_foreach``), else the loop.
    """
    chosen = plan.optimizer.implementation
    if chosen != "auto":
        return chosen
    return "for_loop" if target.kind == "cpu" else "foreach"


_CHECK = "_device_dtype_check_for_fused"
_FUSED_MODULES = ("torch.optim.adam", "torch.optim.sgd", "torch.optim.adagrad")


@contextmanager
def weightless_fused() -> Iterator[None]:
    """Lets fused optimizers take meta tensors: torch refuses them, for no need of the recording.

    The check (``torch/optim/optimizer.py: _device_dtype_check_for_fused``) looks at the device
    only; the fused kernels themselves are never reached.
    """
    checks = {name: vars(sys.modules[name])[_CHECK] for name in _FUSED_MODULES}
    try:
        for name in checks:
            setattr(sys.modules[name], _CHECK, _accept)
        yield
    finally:
        for name, check in checks.items():
            setattr(sys.modules[name], _CHECK, check)


def _accept(*args: Any, **kwargs: Any) -> None:
    """Accepts any parameter."""


def make_optimizer(module: nn.Module, plan: Plan, target: Target) -> torch.optim.Optimizer:
    """The plan's optimizer over the module's trainable parameters."""
    section = plan.optimizer
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    chosen = implementation(plan, target)
    options: dict[str, Any] = {
        "lr": section.learning_rate,
        "weight_decay": section.weight_decay,
        "foreach": chosen == "foreach",
    }
    if chosen == "fused":
        options["foreach"] = None
        options["fused"] = True
    if section.name in {"sgd", "rmsprop"}:
        options["momentum"] = section.momentum
    kinds: dict[str, type[torch.optim.Optimizer]] = {
        "adamw": torch.optim.AdamW,
        "adam": torch.optim.Adam,
        "sgd": torch.optim.SGD,
        "adafactor": torch.optim.Adafactor,
        "rmsprop": torch.optim.RMSprop,
        "adagrad": torch.optim.Adagrad,
    }
    return kinds[section.name](parameters, **options)
