"""Updates inside of backward are the same updates, earlier."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.tape.record import record
from memplanner.tape.tape import GRADIENTS
from memplanner.techniques.prepare import check, prepare
from memplanner.techniques.step import Held, run_step
from memplanner.techniques.updates_in_backward import UpdatesInBackward
from tests.estimate.recordings import CPU, H100, META, planned, recipe, record_whole, tiny
from tests.techniques.test_optimizer import KINDS
from tests.techniques.test_step import REAL, Looking, Plainly

IN_BACKWARD = {"optimizer__update": "in_backward"}


def trained(name: str, steps: int = 3, **values: Any) -> list[torch.Tensor]:
    """The parameters of a tiny model after some steps."""
    plan = planned(1, 4, optimizer__name=name, optimizer__learning_rate=0.01, **values)
    torch.manual_seed(1)
    prepared = prepare(tiny("llama", num_hidden_layers=1), plan, CPU, REAL)
    batches = [prepared.model.batch(1, 4, REAL)]
    held = Held()
    looking = Looking(prepared, held)
    for _ in range(steps):
        for _ in run_step(prepared, batches, Plainly(), looking, held):
            assert ("in_backward" in values.values()) == all(
                parameter.grad is None for parameter in prepared.module.parameters()
            )
    return list(prepared.module.parameters())


@pytest.mark.parametrize("name", KINDS)
def test_the_parameters_are_those_of_updates_after_backward(name: str) -> None:
    """Bit for bit: every parameter's update looks at that parameter alone."""
    torch.manual_seed(0)
    after = trained(name)
    torch.manual_seed(0)
    inside = trained(name, **IN_BACKWARD)
    assert all(torch.equal(one, other) for one, other in zip(after, inside, strict=True))


def test_a_tied_weight_is_updated_once() -> None:
    """When both of its gradients have been added."""
    torch.manual_seed(0)
    tied = nn.Linear(4, 4, bias=False)
    network = nn.Sequential(tied, nn.Tanh(), tied)
    optimizer = UpdatesInBackward([tied.weight], lambda part: torch.optim.SGD(part, lr=0.5))
    before = tied.weight.detach().clone()
    value = torch.randn(3, 4)
    network(value).sum().backward()
    after, tied.weight.data = tied.weight.detach().clone(), before
    del optimizer
    network(value).sum().backward()
    assert tied.weight.grad is not None
    torch.testing.assert_close(after, before - 0.5 * tied.weight.grad)


def test_hooks_do_nothing_once_the_optimizer_is_gone() -> None:
    layer = nn.Linear(2, 2)
    optimizer = UpdatesInBackward(list(layer.parameters()), torch.optim.AdamW)
    layer(torch.ones(1, 2)).sum().backward()
    assert layer.weight.grad is None
    del optimizer
    layer(torch.ones(1, 2)).sum().backward()
    assert layer.weight.grad is not None


def test_states_of_all_parameters_are_found_in_one_place() -> None:
    layer = nn.Linear(2, 2)
    parameters = list(layer.parameters())
    optimizer = UpdatesInBackward(parameters, torch.optim.Adagrad)
    assert set(optimizer.state) == set(parameters)
    layer(torch.ones(1, 2)).sum().backward()
    assert all(float(optimizer.state[parameter]["step"]) == 1 for parameter in parameters)


def test_gradients_are_never_there_together() -> None:
    """All happens in backward; of gradients one layer's are alive at most."""
    tape = record_whole(tiny("llama"), planned(**IN_BACKWARD), CPU)
    gradients = tape.category[abs(tape.events) - 1] == GRADIENTS
    alive = (gradients * tape.deltas_bytes).cumsum()
    largest = int(tape.size_bytes[tape.category == GRADIENTS].max())
    assert alive[-1] == 0
    assert largest <= alive.max() < 2 * largest
    (step,) = (span for span in tape.phases if span.phase == "optimizer_step")
    assert step.start == step.stop


@pytest.mark.parametrize("implementation", ["fused", "bitsandbytes_8bit"])
def test_implementations_run_weightless(implementation: str) -> None:
    plan = planned(optimizer__implementation=implementation, **IN_BACKWARD)
    model = tiny("llama", num_hidden_layers=1)
    tape = record(model, plan, H100, model.build(META))
    assert (tape.category == GRADIENTS).sum() == len(list(model.build(META).parameters()))


def test_a_step_that_must_be_run_for_real_takes_the_same(tmp_path: Any) -> None:
    model = recipe(tmp_path, RECIPE)
    plan = planned(**IN_BACKWARD)
    weightless, real = (
        record(model, plan, CPU, model.build(device), device) for device in (META, REAL)
    )
    assert weightless.curve_bytes.max() == real.curve_bytes.max()
    for tape in (weightless, real):
        assert (tape.category == GRADIENTS).sum() == 4


RECIPE = """
import torch
from torch import nn

def model():
    return nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 8))

def batch(batch_size, sequence_length):
    return {"input": torch.randn(batch_size, 64)}
"""


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"training.gradient_accumulation_steps": 2}, r"choose training\.gradient_accumulation"),
        ({"precision": "fp16_mixed"}, r"choose precision=bf16_mixed or after_backward"),
        ({"optimizer.implementation": "torchao_8bit"}, r"choose bitsandbytes_8bit"),
    ],
)
def test_what_needs_all_gradients_is_refused(values: dict[str, Any], reason: str) -> None:
    plan = Plan().with_values({"optimizer.update": "in_backward", **values})
    with pytest.raises(PlanError, match=reason):
        check(plan, H100)


def test_a_plan_says_what_becomes_of_gradients() -> None:
    prepared = prepare(tiny("llama"), planned(**IN_BACKWARD), CPU, META)
    assert any("cannot be clipped together" in note for note in prepared.notes)
