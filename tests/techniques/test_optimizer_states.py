"""States in few bits: what they take, what is refused, and the libraries beside it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.plan.optimizer import FEW_BITS
from memplanner.techniques import optimizer
from memplanner.techniques.low_bit.states import (
    SMALLEST,
    WeightlessAdam,
    bitsandbytes_states,
    torchao_states,
)
from memplanner.techniques.optimizer import make_optimizer
from memplanner.techniques.prepare import check, prepare
from tests.estimate.recordings import CPU, H100, META, planned, tiny

SIZES = st.integers(1, 40_000)


def states_bytes(optimizer: torch.optim.Optimizer) -> int:
    """Of all states, each storage once; those of tensor subclasses by their parts."""
    storages: dict[int, int] = {}

    def add(tensor: torch.Tensor) -> None:
        flatten = getattr(tensor, "__tensor_flatten__", None)
        if flatten is not None:
            for name in flatten()[0]:
                add(getattr(tensor, name))
            return
        storage = tensor.untyped_storage()
        storages[storage._cdata] = storage.nbytes()

    for state in optimizer.state.values():
        for value in state.values():
            if isinstance(value, torch.Tensor):
                add(value)
    return sum(storages.values())


def stepped(optimizer: torch.optim.Optimizer, *parameters: nn.Parameter) -> int:
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    return states_bytes(optimizer)


def weightless(*sizes: int, dtype: torch.dtype = torch.float32) -> list[nn.Parameter]:
    return [nn.Parameter(torch.empty(size, device="meta", dtype=dtype)) for size in sizes]


@settings(deadline=None)
@given(st.lists(SIZES, min_size=1, max_size=4))
def test_bitsandbytes_takes_a_byte_a_number_and_a_scale_for_256(sizes: list[int]) -> None:
    parameters = weightless(*sizes, dtype=torch.bfloat16)
    found = stepped(WeightlessAdam(parameters, bitsandbytes_states(paged=False)), *parameters)
    expected = 0
    for size in sizes:
        expected += 8 * size if size < 4096 else 2 * (size + 4 * -(-size // 256))
    tables = 2 * 256 * 4 if any(size >= 4096 for size in sizes) else 0
    assert found == expected + tables


@settings(deadline=None)
@given(SIZES, st.sampled_from([torch.float32, torch.bfloat16]))
def test_torchao_takes_a_byte_or_half_a_number(size: int, dtype: torch.dtype) -> None:
    for bits, block in ((8, 256), (4, 128)):
        (parameter,) = weightless(size, dtype=dtype)
        found = stepped(WeightlessAdam([parameter], torchao_states(bits)), parameter)
        whole = size >= SMALLEST and size % block == 0
        each = size * bits // 8 + 4 * size // block + 4 * 2**bits
        expected = each if whole else size * dtype.itemsize
        assert found == 2 * expected + 4  # and the step


def test_paged_states_are_no_memory_that_torch_knows_of() -> None:
    small, large = weightless(50_000, 200_000)
    found = stepped(WeightlessAdam([small, large], bitsandbytes_states(paged=True)), small, large)
    scales = 2 * 4 * (-(-50_000 // 256) - (-200_000 // 256))
    assert found == 2 * 50_000 + scales + 2 * 1024


def test_states_are_made_once_and_only_where_there_is_a_gradient() -> None:
    with_gradient, without = weightless(5000, 5000)
    own = WeightlessAdam([with_gradient, without], bitsandbytes_states(paged=False))
    first = stepped(own, with_gradient)
    assert stepped(own, with_gradient) == first
    assert list(own.state) == [with_gradient]


def test_a_step_keeps_less_in_few_bits() -> None:
    found = {}
    for chosen in ("auto", *sorted(FEW_BITS)):
        plan = planned(optimizer__implementation=chosen)
        module = nn.Linear(128, 128, device="meta")
        found[chosen] = stepped(make_optimizer(module, plan, H100), *module.parameters())
    assert found["torchao_4bit"] < found["torchao_8bit"] < found["auto"] / 3
    assert found["bitsandbytes_8bit"] < found["auto"] / 3
    assert found["bitsandbytes_paged_8bit"] == found["bitsandbytes_8bit"]  # small states stay


# What is refused, and what is said


@pytest.mark.parametrize("chosen", sorted(FEW_BITS))
@pytest.mark.parametrize("name", ["sgd", "adafactor", "rmsprop", "adagrad"])
def test_only_adam_is_kept_in_few_bits(name: str, chosen: str) -> None:
    with pytest.raises(PlanError) as error:
        Plan.parse({"optimizer": {"name": name, "implementation": chosen}}, origin="p")
    assert str(error.value) == (
        f"p: optimizer: {chosen} is an implementation of adamw and adam, not of {name}; "
        "choose adamw, or implementation auto."
    )


def test_paged_states_are_for_cuda() -> None:
    plan = planned(optimizer__implementation="bitsandbytes_paged_8bit")
    check(plan, H100)
    with pytest.raises(PlanError, match=r"exists on CUDA cards only; choose bitsandbytes_8bit\."):
        check(plan, CPU)


@pytest.mark.parametrize(
    ("chosen", "library"), [("bitsandbytes_8bit", "bitsandbytes"), ("torchao_4bit", "torchao")]
)
def test_without_its_library_a_plan_is_estimated_but_not_run(
    chosen: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimizer, "find_spec", lambda name: None)
    plan = planned(optimizer__implementation=chosen)
    notes = prepare(tiny("llama"), plan, CPU, META).notes
    missing = (
        f"optimizer.implementation={chosen} needs {library}, which is not installed; "
        f"run pip install 'memplanner[{library}]', or choose auto."
    )
    assert f"The plan can be estimated, but not run: {missing}" in notes
    with pytest.raises(PlanError) as error:
        make_optimizer(nn.Linear(4, 4), plan, CPU)
    assert str(error.value) == missing


def test_notes_name_what_is_not_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimizer, "find_spec", lambda name: object())

    def notes(chosen: str, target: Any) -> str:
        plan = planned(optimizer__implementation=chosen)
        return " ".join(prepare(tiny("llama"), plan, target, META).notes)

    assert notes("bitsandbytes_8bit", CPU) == notes("bitsandbytes_8bit", H100) == ""
    assert "host memory when there is none" in notes("bitsandbytes_paged_8bit", H100)
    assert "compiles its step" in notes("torchao_8bit", H100)


# The libraries themselves, where they are installed


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from([1, 4095, 4096, 4097, 8192, 20_001]), min_size=1, max_size=3))
def test_bitsandbytes_allocates_the_same(sizes: list[int]) -> None:
    library = pytest.importorskip("bitsandbytes", reason="an optional requirement")
    real = [nn.Parameter(torch.ones(size)) for size in sizes]
    parameters = weightless(*sizes)
    own = WeightlessAdam(parameters, bitsandbytes_states(paged=False))
    assert stepped(library.optim.AdamW8bit(real, lr=1e-3), *real) == stepped(own, *parameters)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, 8192, 8320])
def test_torchao_allocates_the_same(size: int, bits: int) -> None:
    """Asks for its buffers only: its step would be compiled."""
    library = pytest.importorskip("torchao.optim", reason="an optional requirement")
    theirs = getattr(library, f"AdamW{bits}bit")([nn.Parameter(torch.ones(size))], lr=1e-3)
    parameter = theirs.param_groups[0]["params"][0]
    theirs.state[parameter] = {
        "step": torch.tensor(0.0),
        "exp_avg": theirs._new_buffer(parameter, True),
        "exp_avg_sq": theirs._new_buffer(parameter, False),
    }
    (own,) = weightless(size)
    assert states_bytes(theirs) == stepped(WeightlessAdam([own], torchao_states(bits)), own)
