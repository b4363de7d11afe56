"""What blocks keep within a budget: never more, the best for it, and what a real step takes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

import memplanner as mp
from memplanner.errors import PlanError
from memplanner.estimate.recorder import Recorder
from memplanner.messages.device import Device
from memplanner.tape.checkpoint_survey import choice, survey
from memplanner.tape.record import record
from memplanner.techniques.kept_within_budget import (
    LONGEST_LIST,
    Blocks,
    Kept,
    Result,
    choose,
    frontier,
)
from memplanner.techniques.prepare import prepare
from tests.estimate.recordings import (
    CPU,
    H100,
    META,
    differences,
    planned,
    recipe,
    record_folded,
    tiny,
)
from tests.truth.ground_truth import named_standing
from tests.truth.real_step import _Steps
from tests.truth.small_models import SMALL

DEVICE = Device(name="cpu", kind="cpu", memory_bytes=16 * 1024**3)
MIB = 2**20
numbers = st.integers(1, 60)


@st.composite
def classes(draw: st.DrawFn) -> list[Blocks]:
    """Classes of blocks with few enough results to try every choice."""
    found = []
    for place in range(draw(st.integers(1, 3))):
        results = [
            Result(("mm", number), draw(numbers), draw(numbers))
            for number in range(draw(st.integers(0, 4)))
        ]
        rest = draw(numbers)
        found.append(
            Blocks(
                key=("layers", place),
                results=tuple(results),
                kept_bytes=draw(st.integers(1, 200)),
                time_ps=sum(result.time_ps for result in results) + rest,
            )
        )
    return found


def every_choice(blocks: list[Blocks]) -> list[tuple[int, int]]:
    """Bytes and time spared of everything that can be chosen."""
    found = [(0, 0)]
    for part in blocks:
        own = [(part.kept_bytes, part.time_ps)]
        for count in range(len(part.results) + 1):
            own += [
                (sum(each.size_bytes for each in some), sum(each.time_ps for each in some))
                for some in combinations(part.results, count)
            ]
        found = [(a + c, b + d) for a, b in found for c, d in own]
    return found


def chosen(blocks: Sequence[Blocks], budget_bytes: int) -> Kept:
    return choose(blocks, frontier(blocks), budget_bytes)


@settings(deadline=None)
@given(blocks=classes(), budget=st.integers(0, 500))
def test_the_choice_is_the_best_of_all(blocks: list[Blocks], budget: int) -> None:
    best = max(time for size, time in every_choice(blocks) if size <= budget)
    kept = chosen(blocks, budget)
    whole = sum(part.time_ps for part in blocks)
    assert kept.size_bytes <= budget
    assert kept.recomputed == pytest.approx(1 - best / whole)
    told = 0
    for part in blocks:
        own = kept.operations[part.key]
        told += (
            part.kept_bytes
            if own is None
            else sum(result.size_bytes for result in part.results if result.operation in own)
        )
    assert told == kept.size_bytes


@pytest.mark.parametrize("seed", range(3))
def test_the_choice_is_that_of_a_linear_program(seed: int) -> None:
    """Of scipy's HiGHS, with more results than could be tried out."""
    draw = np.random.default_rng(seed)
    results = tuple(
        Result(("mm", number), int(draw.integers(1, 2**20)), int(draw.integers(1, 2**20)))
        for number in range(14)
    )
    time_ps = sum(result.time_ps for result in results)
    part = Blocks(("layers", 0), results, kept_bytes=2**40, time_ps=time_ps)
    sizes = np.array([result.size_bytes for result in results])
    for budget in (sizes.sum() // 5, sizes.sum() // 2):
        found = optimize.milp(
            [-result.time_ps for result in results],
            constraints=optimize.LinearConstraint(sizes[None], ub=budget),
            integrality=np.ones(len(results)),
            bounds=optimize.Bounds(0, 1),
            options={"mip_rel_gap": 0},
        )
        assert chosen([part], int(budget)).recomputed == pytest.approx(1 + found.fun / time_ps)


def test_it_beats_the_greedy_choice() -> None:
    """The best time per byte first takes the first result, and has no room for the others."""
    results = (Result(("mm", 0), 6, 7), Result(("mm", 1), 5, 5), Result(("mm", 2), 5, 5))
    kept = chosen([Blocks(("layers", 0), results, kept_bytes=99, time_ps=17)], 10)
    assert kept.operations["layers", 0] == {("mm", 1), ("mm", 2)}


def test_a_long_list_is_thinned_and_stays_sorted() -> None:
    draw = np.random.default_rng(0)
    results = tuple(
        Result(("mm", number), int(draw.integers(1, 2**30)), int(draw.integers(1, 2**30)))
        for number in range(18)
    )
    states = frontier([Blocks(("layers", 0), results, kept_bytes=2**40, time_ps=2**40)])
    assert len(states) <= LONGEST_LIST + 1
    assert states[0][:2] == (0, 0)
    assert states[-1].time_ps == 2**40
    for a, b in pairwise(states):
        assert a.size_bytes < b.size_bytes
        assert a.time_ps < b.time_ps


def budgeted(mib: int, policy: str = "budget") -> mp.Plan:
    return planned(
        2, 48, activation_checkpointing__policy=policy, activation_checkpointing__budget_mib=mib
    )


@pytest.mark.parametrize("name", ["llama", "gpt2", "vit", "t5", "gemma2", "mixtral"])
def test_a_larger_budget_never_recomputes_more(name: str) -> None:
    blocks = survey(tiny(name), budgeted(0), CPU)
    whole = sum(part.kept_bytes for part in blocks)
    states = frontier(blocks)
    found = [choose(blocks, states, whole * step // 12) for step in range(14)]
    assert all(kept.size_bytes <= whole * step // 12 for step, kept in enumerate(found))
    shares = [kept.recomputed for kept in found]
    assert shares == sorted(shares, reverse=True)
    assert (shares[0], shares[-1]) == (1.0, 0.0)
    assert set(found[0].operations.values()) == {frozenset()}
    assert set(found[-1].operations.values()) == {None}


def peak(name: str, folder: Path, sections: dict[str, Any]) -> int:
    plan = _plan(name, sections)
    model = mp.load(SMALL[name].write(folder))
    found = mp.estimate(model, plan, device=DEVICE).peak
    return found.allocated_bytes - found.by_category.workspaces


def _plan(name: str, sections: dict[str, Any]) -> mp.Plan:
    return mp.Plan.model_validate(
        {
            "precision": "fp32",
            "training": {"batch_size": 2, "sequence_length": 96},
            "attention": {"kernel": SMALL[name].attention.replace("sdpa", "auto")},
            **sections,
        }
    )


@pytest.mark.parametrize("name", ["llama", "gpt2 eager", "vit"])
def test_no_byte_is_full_and_enough_is_none(name: str, tmp_path: Path) -> None:
    for mib, policy in ((0, "full"), (4096, "none")):
        section = {"policy": "budget", "budget_mib": mib}
        assert peak(name, tmp_path, {"activation_checkpointing": section}) == peak(
            name, tmp_path, {"activation_checkpointing": {"policy": policy}}
        )


LORA = {"method": "lora", "rank": 4, "target_modules": ["q_proj", "v_proj"]}
CASES: list[tuple[str, int, dict[str, Any]]] = [
    ("llama", 1, {}),
    ("llama", 3, {}),
    ("llama", 8, {}),
    ("gpt2 eager", 4, {}),
    ("gpt2 dropout", 4, {}),
    ("vit", 2, {}),
    ("vit", 5, {}),
    ("t5", 4, {}),
    ("gemma2", 6, {}),
    ("llama", 2, {"precision": "bf16"}),
    ("llama", 3, {"precision": "bf16_mixed"}),
    ("llama", 4, {"adapters": LORA}),
    ("llama", 3, {"training": {"batch_size": 3, "sequence_length": 67}}),
    ("llama", 3, {"loss": {"method": "chunked"}, "optimizer": {"update": "in_backward"}}),
]


@pytest.mark.parametrize(("name", "mib", "sections"), CASES)
def test_peak_is_what_a_real_step_takes(
    name: str, mib: int, sections: dict[str, Any], tmp_path: Path
) -> None:
    """And what blocks keep at the end of a real forward is within the budget."""
    section = {"policy": "budget", "budget_mib": mib}
    plan = _plan(name, {"activation_checkpointing": section, **sections})
    model = mp.load(SMALL[name].write(tmp_path))
    made = choice(model, plan, CPU)
    assert made is not None
    assert 0 < made.kept.recomputed < 1, "another budget would say more"
    kept, highest = real_step(model, plan)
    none, _ = real_step(model, plan.with_values({"activation_checkpointing.policy": "full"}))
    assert 0 < kept - none <= mib * MIB
    found = mp.estimate(model, plan, device=DEVICE).peak
    assert found.allocated_bytes - found.by_category.workspaces == highest


def real_step(model: Any, plan: mp.Plan) -> tuple[int, int]:
    """Of the second real step: bytes alive when the forward ends, and the most."""
    device = torch.device("cpu")
    prepared = prepare(model, plan, CPU, device, kept=choice(model, plan, CPU))
    batch = model.batch(plan.training.batch_size, plan.training.sequence_length, device)
    if plan.precision == "bf16":
        batch = {
            name: part.bfloat16() if part.is_floating_point() else part
            for name, part in batch.items()
        }
    at_end = 0

    def step(watch: Any) -> None:
        nonlocal at_end
        mixed = plan.precision == "bf16_mixed"
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            output = prepared.module(**batch)
            loss = prepared.loss(output)
        if watch is not None:
            at_end = watch.live_bytes
            watch.in_backward = True
        loss.backward()
        if watch is not None:
            watch.in_backward = False
        prepared.optimizer.step()
        prepared.optimizer.zero_grad(set_to_none=True)

    step(None)
    watch = _Steps(named_standing(prepared.module, prepared.optimizer, batch))
    with watch:
        step(watch)
    return at_end, watch.highest_bytes


@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma3"])
@pytest.mark.parametrize("target", [CPU, H100], ids=["cpu", "cuda"])
def test_the_model_unfolds_as_it_is_recorded(name: str, target: Any) -> None:
    """Alike blocks keep alike results, so the choice for all of them is that of those left."""
    plan = planned(
        64, 32, activation_checkpointing__policy="budget", activation_checkpointing__budget_mib=6
    )
    made = choice(tiny(name), plan, target)
    assert made is not None
    assert 0 < made.kept.recomputed < 1
    whole = record(tiny(name), plan, target, tiny(name).build(META), kept=made)
    folded = record_folded(tiny(name), plan, target)
    assert folded is not None
    assert differences(folded, whole) == []


def test_another_batch_is_another_choice() -> None:
    records = Recorder(tiny("llama"))
    for batch_size in (8, 64, 40):
        plan = planned(
            batch_size, 32, activation_checkpointing__policy="budget",
            activation_checkpointing__budget_mib=2,
        )  # fmt: skip
        tape, _ = records.tape(plan, CPU)
        made = choice(records.model, plan, CPU)
        whole = record(records.model, plan, CPU, records.model.build(META), kept=made)
        assert tape.curve_bytes.max() == whole.curve_bytes.max()


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_gradients_are_the_same(name: str) -> None:
    found = []
    for policy in ("none", "budget"):
        plan = budgeted(0, policy)
        kept = None
        if policy == "budget":
            blocks = survey(tiny(name), plan, CPU)
            kept = choice(tiny(name), plan, CPU)
            assert kept is not None
            whole = sum(part.kept_bytes for part in blocks)
            kept = type(kept)(chosen(blocks, whole // 3), whole // 3)
            assert any(kept.kept.operations.values())
        torch.manual_seed(0)
        prepared = prepare(tiny(name), plan, CPU, torch.device("cpu"), kept=kept)
        torch.manual_seed(1)
        batch = prepared.model.batch(2, 48, torch.device("cpu"))
        prepared.loss(prepared.module(**batch)).backward()
        found.append([part.grad for part in prepared.module.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_a_plan_with_a_budget_is_prepared_with_a_choice() -> None:
    with pytest.raises(TypeError, match="with a choice"):
        prepare(tiny("llama"), budgeted(1), CPU, META)


def test_what_it_is_spent_on_is_said() -> None:
    notes = mp.estimate(tiny("llama"), budgeted(1), "cpu").notes
    assert any(note.startswith("Of the budget of 1 MiB, blocks keep ") for note in notes)


def test_a_model_without_repeated_blocks_is_refused(tmp_path: Path) -> None:
    model = recipe(
        tmp_path,
        "import torch\n"
        "def model():\n"
        "    return torch.nn.Linear(2, 2)\n"
        "def batch(batch_size, sequence_length):\n"
        "    return {'input': torch.ones(batch_size, 2)}\n",
    )
    with pytest.raises(PlanError, match=r"policy=budget needs repeated blocks, .*; choose none"):
        mp.estimate(model, budgeted(1), "cpu")
