"""Several cards in the exported script: every rank runs it, started by torchrun.

Over data-parallel cards it says itself what ``memplanner.techniques.parallel`` does, by torch's own
DDP, ZeroRedundancyOptimizer and FSDP2; what splits inside the model it brings along.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from memplanner.errors import ExportError
from memplanner.export.python_source import Imports
from memplanner.export.script_distillation import trained_module
from memplanner.export.script_parallel import (
    brings_parallel,
    check_split,
    cut_of,
    cut_source,
    imported,
    mixes,
    plan_source,
)
from memplanner.export.target import Subject
from memplanner.model.blocks import block_lists
from memplanner.plan import Plan
from memplanner.plan.sharding import Sharding
from memplanner.techniques.parallel.shared_states import shares_states

_RENDEZVOUS = "--rdzv-backend c10d --rdzv-endpoint HOST:29500"


@dataclass(frozen=True, slots=True)
class ShardingParts:
    """What the template says of several cards."""

    ranks: int
    data: str
    words: str
    """Of ``shard``'s docstring."""
    units: tuple[str, ...]
    """Lists of blocks, each of which FSDP2 gathers apart."""
    options: tuple[str, ...]
    """Of ``DistributedDataParallel``."""
    shape: str
    """Of the mesh, as source."""
    dimensions: str
    policy: str
    """Of FSDP2's mixed precision, as source; empty without."""
    prefetch: int
    last_only: bool
    """Gradients are reduced in the last micro-batch alone."""
    fully: bool
    """Whether parameters are shares."""
    shares_states: bool
    """Whether whole parameters are dealt out to optimizers, as ZeRO-1 does."""
    constants: tuple[str, ...] = ()
    """The plan, and where it cuts the model, for ``parallel.py``."""
    carried: tuple[str, ...] = ()
    """What the script takes from there."""
    pipeline: int = 1
    together: bool = False
    """Whether some parameters are split and others are not."""
    averages: bool = True
    """Whether there are cards to average gradients with."""

    @property
    def inside(self) -> bool:
        """Whether the model itself is split."""
        return bool(self.carried)

    @property
    def in_host(self) -> bool:
        """Whether the model is moved to the device as it is split, not before."""
        return self.fully or (self.inside and not self.averages)


_WORDS = {
    "replicated": "Every rank holds the whole model; gradients are averaged in buckets.",
    "zero_1": "Every rank holds the whole model; the optimizer's state is shared out.",
    "zero_2": "Every rank keeps a share; a block is whole from its forward to its backward.",
    "zero_3": "Every rank keeps a share; a block is whole only while it is used.",
}


def sharding_parts(subject: Subject) -> ShardingParts | None:
    """For the plan's cards, or None on one. Raises ``ExportError`` where the script cannot."""
    plan, section = subject.plan, subject.plan.sharding
    if section.ranks == 1:
        return None
    if section.deepspeed:
        raise ExportError(
            "The script runs on torch alone, and sharding.engine is deepspeed; choose "
            "sharding.engine=torch, or train with accelerate's or DeepSpeed's own launcher."
        )
    fully, inside = section.data in {"zero_2", "zero_3"}, brings_parallel(plan)
    units: tuple[str, ...] = ()
    if fully and not inside:
        units = tuple(blocks.path for blocks in block_lists(trained_module(subject)))
    shape, dimensions = "(RANKS,)", ""
    if section.replicas > 1:
        shape = f"({section.replicas}, {section.shard_degree})"
        dimensions = ', mesh_dim_names=("replicas", "shards")'
    accumulates = plan.training.gradient_accumulation_steps > 1
    parts = ShardingParts(
        ranks=section.ranks,
        data=section.data,
        words=_WORDS[section.data],
        units=units,
        options=tuple(_options(section)),
        shape=shape,
        dimensions=dimensions,
        policy=_policy(plan),
        prefetch=section.prefetch if fully else 0,
        last_only=accumulates and section.reduction == "last_micro_batch",
        fully=fully,
        shares_states=shares_states(section),
    )
    return _inside(parts, subject) if inside else parts


def _inside(parts: ShardingParts, subject: Subject) -> ShardingParts:
    """The same for a plan that splits the model itself. Raises ``PlanError`` where it cannot."""
    plan, section = subject.plan, subject.plan.sharding
    check_split(subject)
    cut = cut_of(subject)
    constants = [plan_source(plan)] + ([] if cut is None else [cut_source(cut)])
    alone = section.gradient_degree == 1
    return replace(
        parts,
        fully=section.fully_sharded,
        constants=tuple(constants),
        carried=imported(plan),
        pipeline=section.pipeline,
        together=mixes(section),
        averages=not alone,
        last_only=parts.last_only and section.pipeline == 1,
    )


def _options(section: Sharding) -> list[str]:
    options = ["model", f"bucket_cap_mb={section.bucket_mib}"]
    options += ["gradient_as_bucket_view=True"] if section.bucket_view else []
    options += ["static_graph=True"] if section.static_graph else []
    return options


def _policy(plan: Plan) -> str:
    compute = {"bf16_mixed": "torch.bfloat16", "fp16_mixed": "torch.float16"}.get(plan.precision)
    return "" if compute is None else f"param_dtype={compute}, reduce_dtype=torch.float32"


def torchrun(section: Sharding, script: str) -> str:
    """The command that starts the plan's ranks; on each of several machines the same."""
    cards = f"--nproc-per-node {section.cards_per_node}"
    if section.nodes == 1:
        return f"torchrun --standalone {cards} {script}"
    return f"torchrun --nnodes {section.nodes} {cards} {_RENDEZVOUS} {script}"


def start_words(subject: Subject, script: str) -> tuple[str, ...]:
    """How a script over several cards is started, for its head."""
    section = subject.plan.sharding
    if section.ranks == 1:
        return ()
    where = " on each machine, one of which is HOST" if section.nodes > 1 else ""
    return (f"Its {section.ranks} ranks are started{where} by:", torchrun(section, script))


def add_sharding_imports(imports: Imports, values: dict[str, Any]) -> None:
    """Adds what a script over several cards imports."""
    parts: ShardingParts = values["sharded"]
    imports.add("os")
    imports.add("itertools", "islice")
    imports.add("torch.distributed")
    if parts.inside:
        imports.add("parallel", *parts.carried)
        imports.add("safetensors.torch", "save_file")
        imports.add("torch.distributed.tensor", "DTensor")
        if parts.pipeline > 1:
            imports.add("contextlib", "AbstractContextManager")
            if not values["autocast"]:
                imports.add("contextlib", "nullcontext")
    elif parts.fully:
        imports.add("torch.distributed.device_mesh", "init_device_mesh")
        imports.add("torch.distributed.fsdp", "fully_shard")
        if parts.policy:
            imports.add("torch.distributed.fsdp", "MixedPrecisionPolicy")
        imports.add(
            "torch.distributed.checkpoint.state_dict", "StateDictOptions", "get_model_state_dict"
        )
        imports.add("safetensors.torch", "save_file")
    else:
        imports.add("torch.nn.parallel", "DistributedDataParallel")
        if parts.shares_states:
            imports.add("torch.distributed.optim", "ZeroRedundancyOptimizer")
