"""The optimizer is torch's own, in the implementation that plan and target ask for."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import torch
from torch import nn

from memplanner.errors import PlanError
from memplanner.plan.optimizer import FUSED
from memplanner.tape.record import MetaWatch
from memplanner.techniques.optimizer import implementation, make_optimizer, weightless_fused
from memplanner.techniques.target import Target
from tests.estimate.recordings import CPU, H100, planned

KINDS = {
    "adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD,
    "adafactor": torch.optim.Adafactor, "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
}  # fmt: skip


def net(device: str = "cpu") -> nn.Module:
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)).to(device)
    module[0].weight.requires_grad_(False)
    return module


def made(name: str, module: nn.Module | None = None, target: Target = CPU, **values: Any) -> Any:
    plan = planned(optimizer__name=name, **values)
    return make_optimizer(net() if module is None else module, plan, target)


def step(optimizer: torch.optim.Optimizer, module: nn.Module) -> None:
    module(torch.ones(3, 4, device=next(module.parameters()).device)).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("chosen", ["for_loop", "foreach", "fused", "auto"])
@pytest.mark.parametrize("target", [CPU, H100], ids=["cpu", "cuda"])
def test_the_kind_and_its_implementation(name: str, chosen: str, target: Target) -> None:
    if chosen == "fused" and name not in FUSED:
        with pytest.raises(PlanError, match=f"torch has no fused {name}"):
            made(name, optimizer__implementation=chosen)
        return
    module = net()
    optimizer = made(name, module, target, optimizer__implementation=chosen)
    lists = target is H100 and name != "adafactor"
    expected = {"auto": "foreach" if lists else "for_loop"}.get(chosen, chosen)
    assert type(optimizer) is KINDS[name]
    assert bool(optimizer.defaults.get("foreach")) is (expected == "foreach")
    assert bool(optimizer.defaults.get("fused")) is (expected == "fused")
    (group,) = optimizer.param_groups
    assert [part is own for part, own in zip(group["params"], trained(module), strict=True)]
    before = [part.detach().clone() for part in trained(module)]
    step(optimizer, module)
    after = trained(module)
    assert all(not torch.equal(one, other) for one, other in zip(before, after, strict=True))


def trained(module: nn.Module) -> list[nn.Parameter]:
    return [part for part in module.parameters() if part.requires_grad]


def test_auto_follows_torchs_default_for_the_device() -> None:
    plan = planned()
    assert plan.optimizer.implementation == "auto"
    assert implementation(plan, CPU) == "for_loop"
    for kind in ("cuda", "rocm", "xpu"):
        assert implementation(plan, Target(kind, (8, 0))) == "foreach"
    assert implementation(planned(optimizer__implementation="fused"), H100) == "fused"


def test_numbers_are_the_plans() -> None:
    optimizer = made("adamw", optimizer__learning_rate=0.25, optimizer__weight_decay=0.5)
    assert optimizer.defaults["lr"] == 0.25
    assert optimizer.defaults["weight_decay"] == 0.5


@pytest.mark.parametrize("name", ["sgd", "rmsprop"])
def test_momentum_is_one_state_more(name: str) -> None:
    def states(momentum: float) -> int:
        module = net()
        optimizer = made(name, module, optimizer__momentum=momentum)
        step(optimizer, module)
        return sum(
            part.shape == parameter.shape
            for parameter, state in optimizer.state.items()
            for part in state.values()
            if isinstance(part, torch.Tensor)
        )

    assert states(0.9) - states(0.0) == len(trained(net()))


@pytest.mark.parametrize("name", sorted(FUSED))
def test_fused_takes_weightless_parameters_only_where_it_is_told_to(name: str) -> None:
    module = net("meta")
    values = {"optimizer__implementation": "fused"}
    if name == "sgd":
        values["optimizer__momentum"] = "0.9"
    with weightless_fused():
        optimizer = made(name, module, H100, **values)
    module(torch.ones(3, 4, device="meta")).sum().backward()
    with pytest.raises(RuntimeError, match="supported devices"):
        optimizer.step()
    watch = MetaWatch(module, H100)
    with watch, weightless_fused():
        watch.phase("optimizer_step", 0)
        optimizer.step()
    assert all(part in optimizer.state for part in trained(module))


def test_the_check_is_torchs_again_when_something_fails_inside() -> None:
    from torch.optim import adam

    before = vars(adam)["_device_dtype_check_for_fused"]
    inside = []
    with suppress(ValueError), weightless_fused():
        inside.append(vars(adam)["_device_dtype_check_for_fused"])
        raise ValueError
    assert inside[0] is not before
    assert vars(adam)["_device_dtype_check_for_fused"] is before
