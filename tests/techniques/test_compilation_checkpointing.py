"""Compiled blocks that recompute, and products in fp8 in them: predicted against real steps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import (
    CheckpointPolicy,
    checkpoint,
    create_selective_checkpoint_contexts,
)

import memplanner as mp
from memplanner.errors import PlanError
from memplanner.model.blocks import block_lists
from memplanner.plan import Plan
from memplanner.techniques.activation_checkpointing import ActivationCheckpointing
from memplanner.techniques.base import Situation
from memplanner.techniques.compilation import Compilation
from memplanner.techniques.compiled_block import CompiledBlock
from memplanner.techniques.low_bit.float8 import use_float8
from memplanner.techniques.prepare import no_context
from memplanner.techniques.quantization import Quantization
from memplanner.techniques.recomputed_in_graphs import is_recomputed
from memplanner.techniques.target import Target
from tests.techniques.test_compilation import (
    SCALARS,
    Watching,
    compiled_peak_bytes,
    gradients,
    plan_of,
)
from tests.truth.comparing import CPU
from tests.truth.small_models import SMALL

GRAPHS = "aot_eager_decomp_partition"
SHAPES = {"llama": (2, 128), "vit": (16, 1), "gpt2 dropout": (2, 96)}
"""As many tokens as fp8 products take on every device: a multiple of 16."""
aten = torch.ops.aten


class Case(NamedTuple):
    """A model, and what of its plan is not as usual."""

    model: str
    changes: dict[str, Any]
    recompute: Callable[[nn.Module], None]


def wrapped(part: Any, contexts: Any = None) -> None:
    """A function of its own: Dynamo passes over a frame of torch's, such as a partial's."""
    forward = part.forward

    def recomputed(*args: Any, **kwargs: Any) -> Any:
        if contexts is None:
            return checkpoint(forward, *args, use_reentrant=False, **kwargs)
        return checkpoint(forward, *args, use_reentrant=False, context_fn=contexts, **kwargs)

    part.forward = recomputed


def blocks_of(module: nn.Module) -> list[nn.Module]:
    """The repeated blocks of a model that has one list of them."""
    (blocks,) = block_lists(module)
    return list(module.get_submodule(blocks.path).children())


def full(module: nn.Module) -> None:
    """Every block runs again."""
    for block in blocks_of(module):
        wrapped(block)


def every_second(module: nn.Module) -> None:
    """The first, third, … block runs again."""
    for block in blocks_of(module)[::2]:
        wrapped(block)


def inner(module: nn.Module) -> None:
    """A part of each block runs again."""
    for block in blocks_of(module):
        wrapped(block.mlp)


def products(module: nn.Module) -> None:
    """Each block keeps products of matrices and what attention makes."""
    attention = aten._scaled_dot_product_flash_attention_for_cpu
    kept = {aten.mm, aten.addmm, aten.bmm, aten.baddbmm, aten.convolution, attention}
    kept.add(aten._scaled_mm)

    def keep(context: Any, operation: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
        if operation.overloadpacket in kept:
            return CheckpointPolicy.MUST_SAVE
        return CheckpointPolicy.PREFER_RECOMPUTE

    for block in blocks_of(module):
        wrapped(block, lambda: create_selective_checkpoint_contexts(keep))


def every_second_product(module: nn.Module) -> None:
    """As torchtitan's policy: attention, and one of two products."""
    attention = aten._scaled_dot_product_flash_attention_for_cpu.default

    def contexts() -> Any:
        count = 0

        def keep(context: Any, operation: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
            nonlocal count
            kept = operation is attention
            if operation is aten.mm.default:
                count += 1
                kept = count % 2 == 1
            return CheckpointPolicy.MUST_SAVE if kept else CheckpointPolicy.PREFER_RECOMPUTE

        return create_selective_checkpoint_contexts(keep)

    for block in blocks_of(module):
        wrapped(block, contexts)


def nothing(module: nn.Module) -> None:
    """All is kept."""


FULL = {"activation_checkpointing.policy": "full"}
SELECTIVE = {"activation_checkpointing.policy": "selective"}
FP8 = {"quantization.method": "fp8"}
CASES = {
    "full": Case("llama", FULL, full),
    "full, dropout": Case("gpt2 dropout", FULL, full),
    "every second": Case("vit", {"activation_checkpointing.policy": "every_n"}, every_second),
    "a part": Case(
        "llama",
        {
            "activation_checkpointing.policy": "named",
            "activation_checkpointing.modules": ("model.layers.*.mlp",),
        },
        inner,
    ),
    "products": Case("llama", SELECTIVE, products),
    "products, autocast": Case("llama", {**SELECTIVE, "precision": "bf16_mixed"}, products),
    "every second product": Case(
        "llama",
        {**SELECTIVE, "activation_checkpointing.operations": ("attention", "every_second_mm")},
        every_second_product,
    ),
    "fp8": Case("llama", FP8, nothing),
    "fp8, products": Case("llama", {**FP8, **SELECTIVE}, products),
    "fp8, full, images": Case("vit", {**FP8, **FULL}, full),
}

pytestmark = [
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning"),  # dynamo asks
    pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:<class 'torch.autograd.function:DeprecationWarning"),
]


def both_of(case: Case, backend: str, folder: Path, batch_size: int = 0) -> tuple[int, int]:
    """Predicted and measured, with as many samples as is usual where no number is given."""
    usual, length = SHAPES[case.model]
    batch = batch_size or usual
    plan = plan_of(case.model, backend=backend).with_values(
        {"training.batch_size": batch, "training.sequence_length": length, **case.changes}
    )
    model = mp.load(str(SMALL[case.model].write(folder)))
    predicted = mp.estimate(model, plan, device=CPU).peak.allocated_bytes

    module: Any = SMALL[case.model].build()
    if plan.quantization.method == "fp8":
        head = module.get_output_embeddings() if hasattr(module, "lm_head") else module.classifier
        names = [
            path
            for path, part in module.named_modules()
            if isinstance(part, nn.Linear) and part is not head
        ]
        use_float8(module, names)
    case.recompute(module)
    mixed = plan.precision == "bf16_mixed"
    autocast = torch.autocast("cpu", torch.bfloat16) if mixed else nullcontext()
    given = model.batch(batch, length, torch.device("cpu"))
    return predicted, compiled_peak_bytes(module, given, plan, autocast)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_peaks_of_recomputing_graphs_are_as_predicted(name: str, tmp_path: Path) -> None:
    predicted, measured = both_of(CASES[name], GRAPHS, tmp_path)

    assert abs(predicted - measured) <= SCALARS


@pytest.mark.parametrize("policy", ["full", "selective"])
@pytest.mark.parametrize("watched", [True, False])
def test_values_are_those_of_what_is_kept(policy: str, watched: bool) -> None:
    """In graphs made here, as they are recorded, and in Dynamo's, as they are run."""
    torch.manual_seed(0)
    torch._dynamo.reset()
    written = nn.Sequential(
        *(nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8), nn.SiLU()) for _ in range(3))
    )
    x = torch.randn(4, 8)

    expected = gradients(written, x)
    plan = Plan().with_values(
        {
            "compilation.mode": "blocks",
            "compilation.backend": GRAPHS,
            "activation_checkpointing.policy": policy,
        }
    )
    situation = Situation(Any, plan, Target(), no_context)  # type: ignore[arg-type]  # no model
    compiled = Compilation().transform(written, situation)
    compiled = ActivationCheckpointing().transform(compiled, situation)
    for block in compiled.children():
        assert isinstance(block.forward, CompiledBlock)
        assert is_recomputed(block.forward.written)
    with Watching([]) if watched else nullcontext():
        found = gradients(compiled, x)

    torch.testing.assert_close(found, expected)
    first: Any = compiled[0]
    assert len(first.forward.graphs.made) == (2 if watched else 0)


def test_what_holds_compiled_blocks_is_not_recomputed_around_them() -> None:
    blocks = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(4)))
    plan = Plan().with_values(
        {
            "compilation.mode": "blocks",
            "activation_checkpointing.policy": "named",
            "activation_checkpointing.modules": ("blocks",),
        }
    )
    situation = Situation(Any, plan, Target(), no_context)  # type: ignore[arg-type]  # no model
    module = Compilation().transform(nn.ModuleDict({"blocks": blocks}), situation)

    with pytest.raises(PlanError, match="blocks holds blocks that are compiled"):
        ActivationCheckpointing().transform(module, situation)


def test_a_note_says_that_compiled_blocks_keep_less_in_fp8() -> None:
    plan = Plan().with_values({"quantization.method": "fp8"})
    (plain,) = Quantization().notes(plan, Target("cuda", (9, 0)))
    (compiled,) = Quantization().notes(
        plan.with_values({"compilation.mode": "blocks"}), Target("cuda", (9, 0))
    )

    assert "not memory" in plain
    assert "keep the inputs of products in 8 bits" in compiled


def test_blocks_that_recompute_and_others_have_graphs_of_their_own() -> None:
    module = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(4)))
    plan = Plan().with_values(
        {"compilation.mode": "blocks", "activation_checkpointing.policy": "every_n"}
    )
    situation = Situation(Any, plan, Target(), no_context)  # type: ignore[arg-type]  # no model
    module = ActivationCheckpointing().transform(
        Compilation().transform(module, situation), situation
    )
    x = torch.randn(2, 4, requires_grad=True)
    with Watching([]):
        module(x).sum().backward()

    first: Any = module[0]
    assert len(first.forward.graphs.made) == 2
