"""How a real device runs the parts of a step: through accelerate."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from memplanner.errors import RunError
from memplanner.messages.device import Device
from memplanner.plan import Plan
from memplanner.techniques.base import RecomputeContext
from memplanner.techniques.precision import mixed_precision
from memplanner.techniques.prepare import Prepared
from memplanner.techniques.step import Backend

KERNELS = {
    "math": SDPBackend.MATH,
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
}
"""By the plan's name; the others are the model's own code."""


def torch_device(device: Device) -> torch.device:
    """The device as torch names it, made torch's current one.

    Raises ``RunError`` for a card that is not in this machine, or that this torch cannot use.
    """
    if device.kind == "cpu":
        return torch.device("cpu")
    if device.index is None:
        raise RunError(f"{device.name} is not in this machine; choose one of its own devices.")
    if not torch.cuda.is_available():
        raise RunError(
            f"{device.name} is here, but this torch ({torch.__version__}) cannot use it; "
            "install a CUDA build of torch."
        )
    chosen = torch.device("cuda", device.index)
    torch.cuda.set_device(chosen)  # accelerate and user code take the current one
    return chosen


def make_accelerator(plan: Plan, *, cpu: bool) -> Accelerator:
    """The plan's Accelerator. Raises ``RunError`` where accelerate refuses the precision."""
    try:
        return Accelerator(
            cpu=cpu,
            mixed_precision=mixed_precision(plan),
            gradient_accumulation_steps=plan.training.gradient_accumulation_steps,
        )
    except ValueError as error:
        raise RunError(
            f"precision={plan.precision} cannot run here ({error}); choose fp32."
        ) from error


def recomputation(plan: Plan) -> RecomputeContext:
    """The attention kernel again for blocks that run forward once more in backward.

    The choice is a setting of the process that ends with the forward; autocast torch brings back
    by itself.
    """
    kernel = KERNELS.get(plan.attention.kernel)

    def context(block: nn.Module) -> AbstractContextManager[object]:
        return nullcontext() if kernel is None else sdpa_kernel(kernel)

    return context


class CountingBackend(Backend, Protocol):
    """How a real device runs the parts of a step."""

    updates: int
    """Optimizer steps that were made: a loss scaler skips those whose gradients overflow."""


class AccelerateBackend:
    """The module itself is not wrapped: accelerate would convert its outputs to fp32."""

    def __init__(self, accelerator: Accelerator, prepared: Prepared) -> None:
        self._accelerator = accelerator
        self._module = prepared.module
        self.updates = 0
        self._kernel = KERNELS.get(prepared.plan.attention.kernel)
        self._optimizer: Any = accelerator.prepare_optimizer(
            prepared.optimizer, device_placement=False
        )

    def forward_context(self) -> AbstractContextManager[object]:
        """Accumulation, autocast and the attention kernel, as the plan asks."""
        stack = ExitStack()
        stack.enter_context(self._accelerator.accumulate(self._module))
        stack.enter_context(self._accelerator.autocast())
        if self._kernel is not None:
            stack.enter_context(sdpa_kernel(self._kernel))
        return stack

    def backward(self, loss: torch.Tensor) -> None:
        """Divides the loss by the micro-batches, scales it for fp16, runs backward."""
        self._accelerator.backward(loss)

    def optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Steps the optimizer, through the loss scaler where there is one."""
        self._optimizer.step()
        if not self._optimizer.step_was_skipped:
            self.updates += 1
