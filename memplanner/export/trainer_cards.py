"""Cards and checkpointing in the words of transformers' trainer and those built on it."""

from __future__ import annotations

import json
from typing import Any

from memplanner.errors import ExportError
from memplanner.export.deepspeed import DeepSpeed, configuration
from memplanner.export.script_data import META
from memplanner.export.target import Subject
from memplanner.messages.protocol import ExportedFile
from memplanner.model.blocks import block_lists
from memplanner.techniques.parallel.deepspeed import conflicts_with_deepspeed
from memplanner.techniques.parallel.shares_on_host import shares_lie_on_host

_BATCH = ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps")
"""What the trainer fills in by itself."""


def block_classes(subject: Subject) -> list[str]:
    """The classes of the repeated blocks."""
    module = subject.model.build(META)
    names = [
        type(block).__name__
        for found in block_lists(module)
        for block in module.get_submodule(found.path).children()
    ]
    return list(dict.fromkeys(names))


def card_values(subject: Subject) -> dict[str, Any]:
    """``fsdp``, ``deepspeed`` or DDP's buckets; nothing on one card."""
    plan, section = subject.plan, subject.plan.sharding
    if section.ranks == 1:
        return {}
    values: dict[str, Any] = {}
    if section.deepspeed:
        for reason in conflicts_with_deepspeed(plan):
            raise ExportError(reason)
        if section.data != "replicated":
            return {"deepspeed": DeepSpeed.file_name}
    elif section.data in ("zero_2", "zero_3"):
        values["fsdp"] = True
        values["fsdp_config"] = fsdp_values(subject)
    if section.data in ("replicated", "zero_1"):
        if section.bucket_mib != 25:
            values["ddp_bucket_cap_mb"] = section.bucket_mib
        if section.static_graph:
            values["ddp_static_graph"] = True
    steps = plan.training.gradient_accumulation_steps
    if steps > 1 and section.reduction == "each_micro_batch":
        values["accelerator_config"] = {"gradient_accumulation_kwargs": {"sync_each_batch": True}}
    return values


def fsdp_values(subject: Subject) -> dict[str, Any]:
    """``fsdp_config`` of FSDP2."""
    config: dict[str, Any] = {
        "version": 2,
        "reshard_after_forward": subject.plan.sharding.data == "zero_3",
        "transformer_layer_cls_to_wrap": block_classes(subject),
    }
    if shares_checkpoints(subject):
        config["activation_checkpointing"] = True
    if shares_lie_on_host(subject.plan):
        config["cpu_offload"] = True
    return config


def shares_checkpoints(subject: Subject) -> bool:
    """Whether FSDP itself recomputes the blocks that it wraps."""
    plan = subject.plan
    return (
        plan.sharding.fully_sharded
        and not plan.sharding.deepspeed
        and plan.activation_checkpointing.policy == "full"
    )


def deepspeed_file(subject: Subject) -> tuple[ExportedFile, ...]:
    """DeepSpeed's JSON, whose batch is the trainer's to fill in."""
    section = subject.plan.sharding
    if not section.deepspeed or section.data == "replicated":
        return ()
    values = configuration(subject.plan) | dict.fromkeys(_BATCH, "auto")
    return (ExportedFile(name=DeepSpeed.file_name, text=json.dumps(values, indent=2) + "\n"),)
