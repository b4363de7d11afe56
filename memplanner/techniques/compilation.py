"""Compilation: each repeated block through ``torch.compile``, as torchtitan does.

Of a whole model the compiler makes one graph for forward and one for backward: what is computed
again below a budget may be there for all blocks at once, so that less kept takes more memory.
Blocks compiled one by one compute again what is their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import nn

from memplanner.errors import PlanError
from memplanner.hardware.generated_kernels import GENERATED_HIGH, GENERATED_LOW, RECOMPUTED_LOW
from memplanner.model.blocks import block_lists, signatures
from memplanner.plan import Plan
from memplanner.plan.sharding import Sharding
from memplanner.techniques.base import Situation, Technique
from memplanner.techniques.compiled_block import CompiledBlock, Graphs, Settings
from memplanner.techniques.inference import trains
from memplanner.techniques.parallel.shares_on_host import shares_lie_on_host
from memplanner.techniques.random_in_graphs import STATE_BYTES_CPU
from memplanner.techniques.target import Target

_INDUCTOR = (
    "Inductor's kernels are predicted from what it fuses: peaks of compiled steps measured on a "
    f"CPU were between {100 * -GENERATED_LOW:.0f} % below and {100 * GENERATED_HIGH:.0f} % above "
    f"such predictions, up to {100 * -RECOMPUTED_LOW:.0f} % below where blocks compute again what "
    "they did not keep. Attention that is written out (attention.kernel=eager) it may turn into "
    "the fused kernel, which takes less."
)
_INTO_BLOCKS = ("tensor", "pipeline", "context", "expert")
"""Degrees of the plan's ``sharding`` whose communication lies within blocks or cuts them apart."""


class Compilation(Technique):
    """Puts compiled forwards in place of the blocks' own."""

    name = "compilation"
    order = 24
    """When blocks have their type and their shapes; layers that come later are in the graphs."""

    def conflicts(self, plan: Plan, target: Target) -> Sequence[str]:
        """What a block's graphs cannot hold, or torch does not compile under."""
        return () if plan.compilation.mode == "none" else tuple(_why_not(plan, target))

    def transform(self, module: nn.Module, situation: Situation) -> nn.Module:
        """The module with its blocks compiled, in place. Raises ``PlanError`` without blocks."""
        section = situation.plan.compilation
        if section.mode == "none":
            return module
        state_bytes = STATE_BYTES_CPU if situation.target.kind == "cpu" else 0
        graphs = Graphs(Settings(section.backend, section.memory_budget, state_bytes))
        for path in lists_of(module):
            children = list(module.get_submodule(path).children())
            for block, signature in zip(children, signatures(children), strict=True):
                kind = block if signature is None else (path, signature)
                block.forward = CompiledBlock(block, kind, graphs, situation.recompute_context)
        return module

    def notes(self, plan: Plan, target: Target) -> Sequence[str]:
        """How far generated kernels may be from what is predicted."""
        section = plan.compilation
        if section.mode == "none" or section.backend != "inductor":
            return ()
        return (_INDUCTOR,)


def computes_again(plan: Plan) -> bool:
    """Whether compiled blocks are told to keep less than what is fastest."""
    return plan.activation_checkpointing.policy != "none" or plan.compilation.memory_budget < 1


def lists_of(module: nn.Module) -> tuple[str, ...]:
    """Where the repeated blocks are. Raises ``PlanError`` where there are none."""
    paths = tuple(blocks.path for blocks in block_lists(module))
    if not paths:
        raise PlanError(
            "compilation.mode=blocks needs repeated blocks, and this model has none; choose none."
        )
    return paths


def breaks(module: nn.Module) -> tuple[str, ...]:
    """Which blocks could not be put into graphs when their step was recorded, in sentences."""
    found: dict[str, str] = {}
    for part in module.modules():
        forward = part.__dict__.get("forward")
        if isinstance(forward, CompiledBlock):
            found |= forward.graphs.breaks
    return tuple(
        f"{kind} is recorded as it is written, not compiled: {reason}."
        for kind, reason in found.items()
    )


def _why_not(plan: Plan, target: Target) -> Iterator[str]:
    if not trains(plan):
        yield (
            "compilation.mode=blocks is planned for training alone; choose none, or "
            "inference.use=training."
        )
    if target.kind not in ("cpu", "cuda", "rocm"):
        yield f"compilation.mode=blocks is not planned on {target.kind}; choose none."
    policy = plan.activation_checkpointing.policy
    if policy == "budget":
        yield (
            "activation_checkpointing.policy=budget counts what operations keep one by one, and "
            "compilation puts them into graphs; choose selective, none with a "
            "compilation.memory_budget below 1, or compilation.mode=none."
        )
    if policy == "selective" and plan.compilation.memory_budget < 1:
        yield (  # torch 2.13 keeps a tuple that attention returns, and its autograd refuses it
            "compilation.memory_budget below 1 chooses anew among what "
            "activation_checkpointing.policy=selective keeps, which torch fails at; choose "
            "compilation.memory_budget=1, or activation_checkpointing.policy=none."
        )
    if plan.activation_offload.to != "none":
        yield (
            "activation_offload.to=host moves what each operation keeps, and a compiled block "
            "keeps what its graphs say; choose none, or compilation.mode=none."
        )
    if plan.offload.parameters != "none" and not shares_lie_on_host(plan):
        yield (
            "offload.parameters=host takes a block's parameters away that its graphs hold; choose "
            "none, or compilation.mode=none."
        )
    if plan.quantization.method not in ("none", "fp8"):
        yield (
            f"quantization.method={plan.quantization.method} has layers with a backward of their "
            "own, which is not planned in graphs; choose none or fp8, or compilation.mode=none."
        )
    if plan.pruning.structure not in ("none", "structured"):
        yield (
            f"pruning.structure={plan.pruning.structure} has layers of its own, which are not "
            "planned in graphs; choose structured, or compilation.mode=none."
        )
    if plan.distillation.student != "none":
        yield (
            "distillation looks into blocks, which compilation has put into graphs; choose "
            "distillation.student=none, or compilation.mode=none."
        )
    yield from _over_cards(plan.sharding)


def _over_cards(section: Sharding) -> Iterator[str]:
    """FSDP2 gathers and frees a block's parameters around its graphs; others reach into them."""
    if section.ranks == 1:
        return
    split = [name for name in _INTO_BLOCKS if getattr(section, name) > 1]
    for name in split:
        yield (
            f"sharding.{name}={getattr(section, name)} sends from within blocks, which is not "
            f"planned in graphs; choose sharding.{name}=1, or compilation.mode=none."
        )
    if not split and (section.deepspeed or not section.fully_sharded):
        yield (
            "compilation.mode=blocks is planned over cards with FSDP2 alone (DDP cuts graphs at "
            "its buckets); choose sharding.data=zero_2 or zero_3 with sharding.engine=torch, or "
            "compilation.mode=none."
        )
