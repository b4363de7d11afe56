"""One step in the order of the plan, seen by an observer that looks at what is alive."""

from __future__ import annotations

import weakref
from contextlib import nullcontext
from typing import Any

import pytest
import torch

from memplanner.messages.estimate import Phase
from memplanner.techniques.prepare import Prepared, prepare
from memplanner.techniques.step import Held, run_step
from tests.estimate.recordings import CPU, planned, tiny

REAL = torch.device("cpu")


class Plainly:
    """A backend that does only what it must."""

    def __init__(self) -> None:
        self.steps = 0

    def forward_context(self) -> Any:
        return nullcontext()

    def backward(self, loss: torch.Tensor) -> None:
        loss.backward()

    def optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        self.steps += 1
        optimizer.step()


class Looking:
    """Notes at the beginning of each phase whether gradients and the last outputs are there."""

    def __init__(self, prepared: Prepared, held: Held) -> None:
        self._prepared, self._held = prepared, held
        self._output: weakref.ref[torch.Tensor] | None = None
        self.seen: list[tuple[Phase, int]] = []
        self.gradients: list[bool] = []
        self.outputs: list[bool] = []

    def phase(self, phase: Phase, micro_batch: int) -> None:
        if phase == "backward":  # the logits of this forward, as nothing else holds them
            output = self._held.output
            if output is not None:
                self._output = weakref.ref(output["logits"])
        self.seen.append((phase, micro_batch))
        parameters = self._prepared.module.parameters()
        self.gradients.append(any(part.grad is not None for part in parameters))
        self.outputs.append(self._output is not None and self._output() is not None)


def two_steps(micro_batches: int = 2, **values: Any) -> tuple[Looking, list[torch.Tensor]]:
    """The second of two steps, when things are steady."""
    plan = planned(1, 4, training__gradient_accumulation_steps=micro_batches, **values)
    prepared = prepare(tiny("llama", num_hidden_layers=1), plan, CPU, REAL)
    held, backend = Held(), Plainly()
    looking = Looking(prepared, held)
    batches = [prepared.model.batch(1, 4, REAL) for _ in range(micro_batches)]
    for _ in range(2):
        looking.seen, looking.gradients, looking.outputs = [], [], []
        losses = [loss.clone() for loss in run_step(prepared, batches, backend, looking, held)]
    assert backend.steps == 2
    return looking, losses


STEP = [("forward", 0), ("backward", 0), ("forward", 1), ("backward", 1), ("optimizer_step", 0)]


def test_phases_come_in_order_and_each_micro_batch_has_a_loss() -> None:
    looking, losses = two_steps()
    assert looking.seen == [*STEP, ("between_steps", 0)]
    assert len(losses) == 2
    assert all(loss.shape == () and not loss.requires_grad for loss in losses)


def test_gradients_are_cleared_after_the_step() -> None:
    looking, _ = two_steps(training__zero_grad="after_step")
    assert looking.gradients == [False, False, True, True, True, True]


def test_gradients_stay_until_the_next_step_begins() -> None:
    looking, _ = two_steps(training__zero_grad="before_forward")
    assert looking.seen == [("between_steps", 0), *STEP, ("between_steps", 0)]
    assert looking.gradients == [True, False, False, True, True, True, True]


def test_gradients_are_alive_in_the_next_forward() -> None:
    looking, _ = two_steps(training__zero_grad="before_backward")
    assert looking.seen == [*STEP, ("between_steps", 0)]
    assert looking.gradients == [True, False, True, True, True, True]


@pytest.mark.parametrize(
    ("outputs", "alive"),
    [
        ("until_loss", [False] * 6),
        ("until_step_end", [False, True, True, True, True, True]),
        ("until_next_output", [True] * 6),
    ],
)
def test_outputs_live_as_long_as_the_plan_says(outputs: str, alive: list[bool]) -> None:
    looking, _ = two_steps(training__outputs=outputs)
    assert looking.outputs == alive


def test_gradients_of_micro_batches_add_up() -> None:
    def gradient(micro_batches: int) -> torch.Tensor:
        plan = planned(
            1, 4, training__gradient_accumulation_steps=micro_batches,
            training__zero_grad="before_forward",
        )  # fmt: skip
        torch.manual_seed(1)
        prepared = prepare(tiny("llama", num_hidden_layers=1), plan, CPU, REAL)
        torch.manual_seed(2)
        batches = [prepared.model.batch(1, 4, REAL)] * micro_batches
        held = Held()
        looking = Looking(prepared, held)
        for _ in run_step(prepared, batches, Plainly(), looking, held):
            pass
        total = next(prepared.module.parameters()).grad
        assert total is not None
        return total

    torch.testing.assert_close(gradient(3), 3 * gradient(1))


def test_micro_batches_give_the_gradient_of_the_whole_batch() -> None:
    """Of as many tokens each: a mean of means is the mean. Of others only sums are."""
    torch.manual_seed(0)
    model = tiny("llama", num_hidden_layers=2)
    module = model.build(REAL)
    ids = torch.randint(0, 31, (6, 12))
    uneven = ids.clone()
    uneven[0, 4:] = -100
    count = int((uneven[:, 1:] != -100).sum())

    def gradients(labels: torch.Tensor, parts: int, **more: Any) -> list[torch.Tensor]:
        module.zero_grad()
        for some, own in zip(ids.chunk(parts), labels.chunk(parts), strict=True):
            loss = module(input_ids=some, labels=own, **more)["loss"]
            (loss if more else loss / parts).backward()
        return [part.grad.clone() for part in module.parameters() if part.grad is not None]

    for labels, more in ((ids, {}), (uneven, {"num_items_in_batch": count})):
        for parts in (2, 3, 6):
            found = zip(gradients(labels, parts, **more), gradients(labels, 1), strict=True)
            for one, whole in found:
                torch.testing.assert_close(one, whole, rtol=1e-4, atol=1e-6)
    means = zip(gradients(uneven, 6), gradients(uneven, 1), strict=True)
    assert not all(torch.allclose(one, whole, rtol=1e-2) for one, whole in means)


def test_the_step_waits_until_every_loss_was_taken() -> None:
    plan = planned(1, 4, training__gradient_accumulation_steps=2)
    prepared = prepare(tiny("llama", num_hidden_layers=1), plan, CPU, REAL)
    held, backend = Held(), Plainly()
    batches = [prepared.model.batch(1, 4, REAL)] * 2
    losses = run_step(prepared, batches, backend, Looking(prepared, held), held)
    next(losses)
    next(losses)
    assert backend.steps == 0
    assert next(losses, None) is None
    assert backend.steps == 1
