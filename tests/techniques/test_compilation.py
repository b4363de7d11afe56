"""Blocks under torch.compile: predicted against really compiled steps."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import memplanner as mp
from memplanner.errors import PlanError
from memplanner.estimate.recorder import Recorder
from memplanner.model.blocks import block_lists
from memplanner.plan import Plan
from memplanner.techniques.compilation import breaks, lists_of
from memplanner.techniques.compiled_block import CompiledBlock, Graphs, Settings
from memplanner.techniques.fused_graph import run_fused
from memplanner.techniques.prepare import check, no_context
from memplanner.techniques.target import Target
from tests.truth.comparing import CPU
from tests.truth.ground_truth import allocator_peak_bytes, standing
from tests.truth.small_models import SMALL

SHAPES = {"llama": (2, 128), "vit": (4, 1), "gpt2 dropout": (2, 96), "gpt2 eager": (2, 96)}
SCALARS = 256
"""Bytes: losses and counters, which profiler and recorder count at other moments."""


class Watching(TorchDispatchMode):
    """While it is on, torch compiles nothing."""

    def __init__(self, seen: list[str]) -> None:
        super().__init__()
        self.seen = seen

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


def plan_of(name: str, **compilation: Any) -> Plan:
    batch, length = SHAPES[name]
    values: dict[str, Any] = {
        "precision": "fp32",
        "training": {"batch_size": batch, "sequence_length": length},
        "compilation": {"mode": "blocks", **compilation},
    }
    if SMALL[name].attention == "eager":
        values["attention"] = {"kernel": "eager"}
    return Plan.model_validate(values)


def compiled_peak_bytes(
    module: Any,
    batch: dict[str, Any],
    plan: Plan,
    autocast: AbstractContextManager[object] = nullcontext(),  # noqa: B008  (nothing to enter)
) -> int:
    """The allocator's peak of a steady step whose blocks torch compiles, written plainly."""
    from torch._functorch import config

    torch._dynamo.reset()
    module.train()
    section = plan.compilation
    for blocks in block_lists(module):
        for block in module.get_submodule(blocks.path).children():
            compiled: Any = torch.compile(
                block.forward, backend=section.backend, dynamic=False, fullgraph=True
            )
            block.forward = compiled
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-5, foreach=False)

    def step() -> None:
        with autocast:
            output = module(**batch)
        output.loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    with config.patch(activation_memory_budget=section.memory_budget):
        step()
        step()
        return allocator_peak_bytes(step, standing(module, optimizer, batch))


def both(name: str, plan: Plan, folder: Path) -> tuple[int, int]:
    """Predicted and measured."""
    model = mp.load(str(SMALL[name].write(folder)))
    predicted = mp.estimate(model, plan, device=CPU).peak.allocated_bytes
    batch = model.batch(*SHAPES[name], torch.device("cpu"))
    return predicted, compiled_peak_bytes(SMALL[name].build(), batch, plan)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # dynamo asks
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("budget", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("name", ["llama", "vit", "gpt2 dropout"])
def test_graphs_take_what_is_predicted(name: str, budget: float, tmp_path: Path) -> None:
    plan = plan_of(name, backend="aot_eager_decomp_partition", memory_budget=budget)

    predicted, measured = both(name, plan, tmp_path)

    assert abs(predicted - measured) <= SCALARS


@pytest.mark.slow
def test_a_smaller_budget_takes_less(tmp_path: Path) -> None:
    model = mp.load(str(SMALL["llama"].write(tmp_path)))

    def peak(**section: Any) -> int:
        plan = plan_of("llama", backend="aot_eager_decomp_partition", **section)
        return mp.estimate(model, plan, device=CPU).peak.allocated_bytes

    plain = mp.estimate(model, plan_of("llama").with_values({"compilation.mode": "none"}), CPU)
    peaks = [peak(memory_budget=budget) for budget in (1.0, 0.5, 0.0)]
    assert [plain.peak.allocated_bytes, *peaks] == sorted(
        [plain.peak.allocated_bytes, *peaks], reverse=True
    )


def test_buffers_inside_of_kernels_take_nothing() -> None:
    """A chain of small operations after a product: the last writes into the product's buffer."""
    from torch.fx.experimental.proxy_tensor import make_fx

    def chain(x: torch.Tensor, w: torch.Tensor) -> tuple[torch.Tensor]:
        return (((x @ w).sin() * 2 + 1).exp() @ w,)

    given = [torch.zeros(8, 8, device="meta"), torch.zeros(8, 8, device="meta")]
    graph = make_fx(chain, tracing_mode="fake")(*given)
    seen: list[str] = []

    with Watching(seen):
        (result,) = run_fused(graph)(list(given))

    assert result.shape == (8, 8)
    assert seen == ["aten.mm.default", "aten.mm.default"]


def gradients(module: nn.Module, given: torch.Tensor) -> list[torch.Tensor]:
    module.zero_grad(set_to_none=True)
    module(given).sum().backward()
    return [part.grad for part in module.parameters() if part.grad is not None]


def test_values_are_those_of_the_block_as_written() -> None:
    torch.manual_seed(0)
    written = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(3)))
    x = torch.randn(2, 4)

    expected = gradients(written, x)
    graphs = Graphs(Settings("aot_eager_decomp_partition", 0.0))
    for block in written:
        block.forward = CompiledBlock(block, "alike", graphs, no_context)
    with Watching([]):  # where torch compiles nothing
        found = gradients(written, x)

    assert len(graphs.made) == 2  # the first block's input needs no gradient
    torch.testing.assert_close(found, expected)


def test_an_object_that_graphs_cannot_hold_is_named() -> None:

    block = nn.Identity()
    block.forward = CompiledBlock(  # type: ignore[method-assign]  # what the technique does
        block, "alone", Graphs(Settings("aot_eager_decomp_partition", 1.0)), no_context
    )
    with Watching([]):
        block(object())

    (sentence,) = breaks(block)
    assert sentence == (
        "Identity is recorded as it is written, not compiled: it is given a object."
    )


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"activation_checkpointing.policy": "budget"}, "memory_budget below 1"),
        (
            {"activation_checkpointing.policy": "selective", "compilation.memory_budget": 0.5},
            "choose compilation.memory_budget=1",
        ),
        ({"quantization.method": "nf4", "adapters.method": "lora"}, "choose none or fp8"),
        ({"activation_offload.to": "host"}, "activation_offload"),
        ({"inference.use": "forward"}, "training alone"),
        ({"distillation.student": "smaller"}, "distillation.student=none"),
        ({"pruning.structure": "unstructured"}, "choose structured"),
        ({"sharding.cards_per_node": 2}, "choose sharding.data=zero_2 or zero_3"),
        ({"sharding.cards_per_node": 2, "sharding.tensor": 2}, "choose sharding.tensor=1"),
        ({"sharding.cards_per_node": 2, "sharding.context": 2}, "choose sharding.context=1"),
    ],
)
def test_what_graphs_cannot_hold_is_refused(changes: dict[str, object], named: str) -> None:
    plan = Plan().with_values({"compilation.mode": "blocks", **changes})

    with pytest.raises(PlanError, match=named):
        check(plan, Target("cuda", (8, 0)))


def test_a_compiled_plan_is_recorded_anew_at_each_size(tmp_path: Path) -> None:
    model = mp.load(str(SMALL["llama"].write(tmp_path)))
    plain = Recorder(model)
    off = Plan().with_values({"compilation.memory_budget": 0.5})

    assert plain._key(off, (2, 16)) == plain._key(Plan(), (2, 16))
    on = off.with_values({"compilation.mode": "blocks"})
    assert plain._key(on, (2, 16)) != plain._key(on, (4, 16))


def test_a_model_without_blocks_is_refused() -> None:
    with pytest.raises(PlanError, match="needs repeated blocks"):
        lists_of(nn.Linear(2, 2))
