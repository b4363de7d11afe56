"""Whole training runs on the CPU from process start, written plainly with torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from memplanner.model.loaded import Model
from memplanner.plan import Plan
from tests.truth.ground_truth import Births
from tests.truth.real_step import _InBackward, _optimizer, loss_of

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Run:
    """Births and deaths of a run; ``steps[i]`` is where a step begins, the last where all ends."""

    events: list[int]
    size_bytes: list[int]
    steps: list[int]

    def deltas(self, part: int) -> list[int]:
        """The changes of one part, without those of nothing: 0 is the setup, then the steps."""
        start, stop = [0, *self.steps][part : part + 2]
        signed = [
            self.size_bytes[abs(event) - 1] * (1 if event > 0 else -1)
            for event in self.events[start:stop]
        ]
        return [delta for delta in signed if delta]


class _Mover:
    """Copies to another place; what is there already stays, as with ``Tensor.to``."""

    def __init__(self) -> None:
        self.moved: list[torch.Tensor] = []

    def __call__(self, tensor: torch.Tensor) -> torch.Tensor:
        if any(tensor.data_ptr() == there.data_ptr() for there in self.moved):
            return tensor
        self.moved.append(tensor.clone())
        return self.moved[-1]


def real_run(model: Model, plan: Plan, steps: int) -> Run:
    """Moves the model, then trains it for some steps with the plan's loop."""
    training = plan.training
    module = model.build(CPU).train()
    batch: dict[str, Any] = model.batch(training.batch_size, training.sequence_length, CPU)
    watch = Births([])
    starts: list[int] = []
    copies: dict[int, torch.Tensor] = {}
    with watch:
        module._apply(_Mover())
        for value in batch.values():
            if isinstance(value, torch.Tensor) and id(value) not in copies:
                copies[id(value)] = value.clone()
        moved = {name: copies.get(id(value), value) for name, value in batch.items()}
        in_backward = plan.optimizer.update == "in_backward"
        optimizer: Any = _InBackward(module, plan) if in_backward else _optimizer(module, plan)
        output = loss = None
        for _ in range(steps):
            starts.append(len(watch.events))
            if training.zero_grad == "before_forward":
                optimizer.zero_grad(set_to_none=True)
            for micro_batch in range(training.gradient_accumulation_steps):
                output = module(**moved)
                loss = loss_of(output)
                if training.outputs == "until_loss":
                    output = None
                if micro_batch == 0 and training.zero_grad == "before_backward":
                    optimizer.zero_grad(set_to_none=True)
                watch.in_backward = True
                loss.backward()
                watch.in_backward = False
            optimizer.step()
            if training.zero_grad == "after_step":
                optimizer.zero_grad(set_to_none=True)
            if training.outputs != "until_next_output":
                output = loss = None
        starts.append(len(watch.events))
        return Run(list(watch.events), list(watch.size_bytes), starts)
