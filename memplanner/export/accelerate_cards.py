"""Several cards in the words of an accelerate configuration: DDP, DeepSpeed for ZeRO-1, FSDP2.

Its keys are those of ``accelerate/commands/launch.py: launch_command_parser``.
"""

from __future__ import annotations

from dataclasses import dataclass

from memplanner.errors import ExportError
from memplanner.export.deepspeed import DEVICES, NVME_FOLDER, TORCH_KEYS, engine_keys
from memplanner.export.script_distillation import trained_module
from memplanner.export.target import Subject
from memplanner.model.blocks import block_lists
from memplanner.plan.sharding import Sharding
from memplanner.techniques.parallel.deepspeed import conflicts_with_deepspeed
from memplanner.techniques.parallel.shares_on_host import shares_lie_on_host
from memplanner.techniques.precision import AUTOCAST, mixed_precision

_COUNTS = frozenset({"sharding.nodes", "sharding.cards_per_node"})
_BUCKETS = frozenset({"sharding.bucket_mib", "sharding.bucket_view", "sharding.static_graph"})


@dataclass(frozen=True, slots=True)
class Cards:
    """Lines of the configuration, the keys of the plan that they carry, and what to know."""

    lines: tuple[str, ...]
    said: frozenset[str]
    notes: tuple[str, ...] = ()


def cards(subject: Subject) -> Cards:
    """What accelerate can say of the plan's cards."""
    section, on_cpu = subject.plan.sharding, subject.device.kind == "cpu"
    if section.ranks == 1:
        return Cards(("distributed_type: 'NO'", "num_machines: 1", "num_processes: 1"), frozenset())
    where = [f"num_machines: {section.nodes}", f"num_processes: {section.ranks}"]
    if section.nodes > 1:
        where += [
            "main_process_ip: HOST  # of the machine with rank 0",
            "main_process_port: 29500",
            "rdzv_backend: c10d",
        ]
    if section.deepspeed:
        lines, said, notes = _deepspeed_planned(subject)
    elif section.data in {"zero_2", "zero_3"} and not on_cpu:
        lines, said, notes = _fully_sharded(subject)
    elif section.data == "zero_1" and not on_cpu:
        lines, said, notes = _deepspeed(subject)
    else:
        kind = "MULTI_CPU" if on_cpu else "MULTI_GPU"
        alone = section.tensor * section.pipeline * section.context * section.expert == 1
        said = _replicated(section) if alone and section.data == "replicated" else frozenset()
        lines, notes = [f"distributed_type: {kind}"], []
    return Cards((*lines, *where), _COUNTS | said, tuple(notes))


def mixed_words(subject: Subject) -> str:
    """``bf16``, ``fp16`` or ``no``: FSDP's own casts are asked for by the same key."""
    plan = subject.plan
    if plan.sharding.casts_parameters and plan.precision in AUTOCAST:
        return "fp16" if plan.precision == "fp16_mixed" else "bf16"
    return mixed_precision(plan)


def _replicated(section: Sharding) -> frozenset[str]:
    """The buckets are the script's to say, unless they are torch's own."""
    usual = Sharding()
    own = any(
        getattr(section, key.partition(".")[2]) != getattr(usual, key.partition(".")[2])
        for key in _BUCKETS
    )
    return frozenset({"sharding.data"}) | (frozenset() if own else _BUCKETS)


def _deepspeed(subject: Subject) -> tuple[list[str], frozenset[str], list[str]]:
    micro_batches = subject.plan.training.gradient_accumulation_steps
    lines = [
        "distributed_type: DEEPSPEED",
        "deepspeed_config:",
        f"  gradient_accumulation_steps: {micro_batches}",
        "  zero3_init_flag: false",
        "  zero_stage: 1",
    ]
    note = (
        "accelerate reaches ZeRO-1 through DeepSpeed, whose buffers are its own; the plan's are "
        "those of torch's ZeroRedundancyOptimizer."
    )
    return lines, frozenset({"sharding.data"}) | _BUCKETS, [note]


def _deepspeed_planned(subject: Subject) -> tuple[list[str], frozenset[str], list[str]]:
    """ZeRO by DeepSpeed, whose buffers have no words here unless they are DeepSpeed's own.

    Raises ``ExportError`` where DeepSpeed cannot carry the plan out.
    """
    for reason in conflicts_with_deepspeed(subject.plan):
        raise ExportError(reason)
    section, usual = subject.plan.sharding, Sharding(engine="deepspeed")
    places = {"offload_optimizer", "offload_parameters"}
    buffers = engine_keys() - {f"sharding.{name}" for name in places}
    lines = [
        "distributed_type: DEEPSPEED",
        "deepspeed_config:",
        f"  gradient_accumulation_steps: {subject.plan.training.gradient_accumulation_steps}",
        f"  zero3_init_flag: {'true' if section.data == 'zero_3' else 'false'}",
        f"  zero_stage: {section.data[-1]}",
    ]
    for place, word in (
        (section.offload_optimizer, "optimizer"),
        (section.offload_parameters, "param"),
    ):
        lines.append(f"  offload_{word}_device: {DEVICES[place]}")
        if place == "nvme":
            lines.append(f"  offload_{word}_nvme_path: {NVME_FOLDER}")
    names = [key.partition(".")[2] for key in buffers]
    own = any(getattr(section, name) != getattr(usual, name) for name in names)
    said = {"sharding.data", *TORCH_KEYS, "training.gradient_accumulation_steps"}
    if not own:
        said |= {"sharding.engine", *engine_keys()}
    return lines, frozenset(said), []


def _fully_sharded(subject: Subject) -> tuple[list[str], frozenset[str], list[str]]:
    plan, section = subject.plan, subject.plan.sharding
    module = trained_module(subject)
    blocks = [
        type(block).__name__
        for found in block_lists(module)
        for block in module.get_submodule(found.path).children()
    ]
    lines = ["distributed_type: FSDP", "fsdp_config:"]
    said = {"sharding.data", "sharding.replicas"}
    if blocks:
        lines += [
            "  fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP",
            f"  fsdp_transformer_layer_cls_to_wrap: {','.join(dict.fromkeys(blocks))}",
        ]
    else:
        lines.append("  fsdp_auto_wrap_policy: NO_WRAP")
    recomputes = plan.activation_checkpointing.policy == "full"
    if recomputes:
        lines.append("  fsdp_activation_checkpointing: true")
        said.add("activation_checkpointing.policy")
    whole = "true" if section.data == "zero_3" else "false"
    on_host = shares_lie_on_host(plan)
    if on_host:
        said |= {"offload.parameters", "offload.optimizer"}
    lines += [
        f"  fsdp_offload_params: {'true' if on_host else 'false'}",
        f"  fsdp_reshard_after_forward: {whole}",
        "  fsdp_state_dict_type: FULL_STATE_DICT",
        "  fsdp_version: 2",
    ]
    if section.prefetch == 0:
        said.add("sharding.prefetch")
    if section.replicas * section.tensor * section.context > 1:
        lines += [
            "parallelism_config:",
            f"  parallelism_config_dp_replicate_size: {section.replicas}",
            f"  parallelism_config_dp_shard_size: {section.data_degree // section.replicas}",
            f"  parallelism_config_tp_size: {section.tensor}",
            f"  parallelism_config_cp_size: {section.context}",
        ]
        said |= {"sharding.tensor", "sharding.context"}
    if section.context > 1:
        rotation = section.context_rotation.replace("_", "")
        lines.append(f"  parallelism_config_cp_comm_strategy: {rotation}")
        said.add("sharding.context_rotation")
    notes = []
    if plan.precision in AUTOCAST:
        notes.append(
            "accelerate reduces gradients in the type that it computes in, and the plan in fp32."
        )
    return lines, frozenset(said), notes
