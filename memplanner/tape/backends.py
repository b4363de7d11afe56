"""How the parts of a step run while it is recorded: without weights, or for real on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from memplanner.plan import Plan
from memplanner.tape.rules import DeviceRules
from memplanner.tape.watch import StorageWatch
from memplanner.techniques.optimizer import weightless_fused
from memplanner.techniques.precision import autocast_type
from memplanner.techniques.target import Target


class RecordingBackend:
    """What both ways share: the divided loss, the optimizer's step."""

    remembers = False
    """Whether the first step may differ from later ones for what the model's code then keeps."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.forward_only = False
        """Whether backward does nothing, so that the optimizer has nothing to do either."""

    def forward_context(self) -> AbstractContextManager[object]:
        """What a forward runs in."""
        raise NotImplementedError  # each way has its own

    def recompute_context(self) -> AbstractContextManager[object]:
        """What a block's recomputation in backward runs in."""
        return self.forward_context()

    def backward(self, loss: torch.Tensor) -> None:
        """Backward of the divided loss, as accelerate divides it."""
        if self.forward_only:
            return
        micro_batches = self._plan.training.gradient_accumulation_steps
        if micro_batches > 1:
            loss = loss / micro_batches
        with weightless_fused():  # the plan may update in backward
            loss.backward()

    def optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """The optimizer's step."""
        with weightless_fused():
            optimizer.step()


class MetaBackend(RecordingBackend):
    """Without weights: the target's rules stand in for its kernels and its autocast."""

    def __init__(self, target: Target, plan: Plan) -> None:
        super().__init__(plan)
        self._target = target

    def forward_context(self) -> AbstractContextManager[object]:
        """The target's rules."""
        return DeviceRules(self._target, self._plan)


class CpuBackend(RecordingBackend):
    """For real on the CPU: torch's own autocast and choice of kernels."""

    remembers = True

    def forward_context(self) -> AbstractContextManager[object]:
        """Autocast and the attention kernel, as the plan asks."""
        stack = ExitStack()
        dtype = autocast_type(self._plan)
        if dtype is not None:
            stack.enter_context(torch.autocast("cpu", dtype=dtype))
        stack.enter_context(self.recompute_context())
        return stack

    def recompute_context(self) -> AbstractContextManager[object]:
        """The attention kernel; torch's checkpointing brings autocast back by itself."""
        stack = ExitStack()
        if self._plan.attention.kernel == "math":
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        return stack


class Recomputation:
    """Gives recomputed blocks their contexts again, and tells the watch which one is at work."""

    def __init__(self, backend: RecordingBackend) -> None:
        self._backend = backend
        self.watch: StorageWatch | None = None

    @contextmanager
    def __call__(self, block: nn.Module) -> Iterator[None]:
        """The contexts of one block's recomputation."""
        assert self.watch is not None
        self.watch.enter(block)
        try:
            with self._backend.recompute_context():
                yield
        finally:
            self.watch.leave()
