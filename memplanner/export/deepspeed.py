"""The target ``deepspeed``: the JSON that ``deepspeed --deepspeed_config`` and trainers take.

Its keys are those of DeepSpeed 0.19.8 (``runtime/config.py: DeepSpeedConfig``,
``runtime/zero/config.py: DeepSpeedZeroConfig``).
"""

from __future__ import annotations

import json
from typing import Any

from memplanner.errors import ExportError
from memplanner.export.launched import LaunchedTarget
from memplanner.export.target import Subject
from memplanner.messages.protocol import RunsAs
from memplanner.plan import Plan
from memplanner.plan.optimizer import FEW_BITS
from memplanner.plan.sharding import Sharding
from memplanner.techniques.parallel.deepspeed import (
    COMPUTE,
    TORCH_ONLY,
    conflicts_with_deepspeed,
)

STAGES = {"replicated": 0, "zero_1": 1, "zero_2": 2, "zero_3": 3}
NVME_FOLDER = "/local_nvme"
DEVICES = {"none": "none", "host": "cpu", "nvme": "nvme"}
"""DeepSpeed's words for where something lies."""
_OPTIMIZERS = {"adamw": "AdamW", "adam": "Adam", "sgd": "SGD", "lion": "Lion", "adagrad": "Adagrad"}
"""Types that DeepSpeed builds by itself, or takes from ``torch.optim``
(``runtime/engine.py: _configure_basic_optimizer``)."""
_OPTIMIZER_WORDS = ("name", "learning_rate", "momentum", "weight_decay")
"""What its parameters say; projections, updates in backward and states in few bits they cannot."""
_LISTS = {"foreach": True, "for_loop": False}
"""Torch's word ``foreach`` for the plan's implementations."""
_SAID = frozenset(
    {
        "training.batch_size",
        "training.gradient_accumulation_steps",
        "sharding.nodes",
        "sharding.cards_per_node",
        "sharding.data",
        "sharding.engine",
    }
)
TORCH_KEYS = frozenset(f"sharding.{name}" for name in TORCH_ONLY)
"""Refused unless they are the default."""


class DeepSpeed(LaunchedTarget):
    """ZeRO, its buckets and offload, micro-batch, accumulation, precision and the optimizer."""

    name = "deepspeed"
    title = "DeepSpeed"
    explanation = "For the deepspeed launcher and trainers that take its JSON: ZeRO and offload."
    file_name = "deepspeed.json"
    order = 25
    elsewhere = {  # noqa: RUF012  (a ClassVar of the base)
        "training.sequence_length": "cut or pad the samples to it",
        "training.zero_grad": "DeepSpeed frees gradients itself, after the step",
        "training.outputs": "keep or delete the model's outputs in the loop",
        "attention.kernel": "choose attn_implementation when the model is built",
        "activation_checkpointing.policy": "wrap the blocks in torch.utils.checkpoint in the "
        "script, or call the model's gradient_checkpointing_enable()",
        "activation_offload.to": "run the forward in torch.autograd.graph.save_on_cpu()",
        "adapters.method": "add the adapters through peft before deepspeed.initialize()",
        "loss.method": "patch the head and its loss before deepspeed.initialize()",
        "optimizer.name": "build it in the script and give it to deepspeed.initialize()",
        "optimizer.implementation": "build it in the script and give it to deepspeed.initialize()",
        "precision": "cast the model before deepspeed.initialize()",
        "sharding.tensor": "choose sharding.tensor=1; DeepSpeed's AutoTP is not planned here",
        "sharding.engine": "choose sharding.engine=deepspeed to plan its buffers",
    }

    def said(self, subject: Subject) -> frozenset[str]:
        """What the JSON carries."""
        plan = subject.plan
        found = set(_SAID)
        found |= engine_keys()
        if plan.sharding.deepspeed:
            found |= TORCH_KEYS
        if plan.precision in COMPUTE:
            found.add("precision")
        if plan.optimizer.name in _OPTIMIZERS:
            found |= {f"optimizer.{name}" for name in _OPTIMIZER_WORDS}
            if plan.optimizer.implementation not in FEW_BITS:
                found.add("optimizer.implementation")
        return frozenset(found)

    def unsaid(self, subject: Subject) -> tuple[str, ...]:
        """What the JSON leaves out, and what in it must be filled in."""
        section = subject.plan.sharding
        sentences = super().unsaid(subject)
        if "nvme" in (section.offload_optimizer, section.offload_parameters):
            sentences += (
                f"The folder on NVMe is not in the plan: put yours in place of {NVME_FOLDER}.",
            )
        return sentences

    def file(self, subject: Subject, cannot_say: tuple[str, ...], really: RunsAs | None) -> str:
        """The JSON, which can hold no comment.

        Raises ``ExportError`` where DeepSpeed cannot carry the plan out.
        """
        plan = subject.plan
        section = plan.sharding
        if section.ranks > 1 and not section.deepspeed and section.data != "replicated":
            raise ExportError(
                "The plan's buffers are torch's; choose sharding.engine=deepspeed to export it "
                "to DeepSpeed, or the target script or accelerate."
            )
        for reason in conflicts_with_deepspeed(plan):
            raise ExportError(reason)
        return json.dumps(configuration(plan), indent=2) + "\n"


def configuration(plan: Plan) -> dict[str, Any]:
    """DeepSpeed's configuration of the plan, for all its cards.

    ``train_batch_size`` is micro-batch × accumulation × cards, or DeepSpeed refuses it
    (``runtime/config.py: _batch_assertion``).
    """
    training = plan.training
    micro, steps = training.batch_size, training.gradient_accumulation_steps
    values: dict[str, Any] = {
        "train_batch_size": micro * steps * plan.sharding.ranks,
        "train_micro_batch_size_per_gpu": micro,
        "gradient_accumulation_steps": steps,
        "bf16": {"enabled": plan.precision == "bf16_mixed"},
        "fp16": {"enabled": plan.precision == "fp16_mixed"},
        "zero_optimization": zero_optimization(plan.sharding),
    }
    optimizer = _optimizer(plan)
    if optimizer is not None:
        values["optimizer"] = optimizer
        values["zero_allow_untested_optimizer"] = True
        if plan.sharding.offload_optimizer != "none":
            values["zero_force_ds_cpu_optimizer"] = optimizer["type"] in ("AdamW", "Adam")
    return values


def zero_optimization(section: Sharding) -> dict[str, Any]:
    """The part ``zero_optimization``; on one card there is nothing to split."""
    stage = STAGES[section.data] if section.deepspeed else 0
    values: dict[str, Any] = {"stage": stage}
    if not stage:
        return values
    values |= {
        "reduce_bucket_size": section.reduce_bucket_size,
        "contiguous_gradients": section.contiguous_gradients,
    }
    if section.overlap_comm != "auto":
        values["overlap_comm"] = section.overlap_comm == "on"
    if stage < 3:
        values["allgather_bucket_size"] = section.allgather_bucket_size
    else:
        values |= {
            "sub_group_size": section.sub_group_size,
            "stage3_prefetch_bucket_size": section.prefetch_bucket_size,
            "stage3_param_persistence_threshold": section.param_persistence_threshold,
            "stage3_max_live_parameters": section.max_live_parameters,
            "stage3_max_reuse_distance": section.max_reuse_distance,
        }
    for name, place in (
        ("offload_optimizer", section.offload_optimizer),
        ("offload_param", section.offload_parameters),
    ):
        if place != "none":
            values[name] = {"device": DEVICES[place], "pin_memory": True}
            if place == "nvme":
                values[name]["nvme_path"] = NVME_FOLDER
    return values


def _optimizer(plan: Plan) -> dict[str, Any] | None:
    """DeepSpeed's own fused Adam where the plan fuses or offloads it, else torch's.

    ``runtime/engine.py: _configure_basic_optimizer, get_optimizer_configuration``; Lion is always
    DeepSpeed's own.
    """
    section, away = plan.optimizer, plan.sharding.offload_optimizer != "none"
    if section.name not in _OPTIMIZERS:
        return None
    parameters: dict[str, Any] = {
        "lr": section.learning_rate,
        "weight_decay": section.weight_decay,
    }
    if section.name in ("adamw", "adam"):
        parameters["torch_adam"] = section.implementation != "fused" and not away
        parameters["adam_w_mode"] = section.name == "adamw"
    elif section.name != "lion" and section.implementation == "fused" and not away:
        parameters["fused"] = True
    if section.name == "sgd":
        parameters["momentum"] = section.momentum
    if section.name != "lion" and section.implementation in _LISTS and not away:
        parameters["foreach"] = _LISTS[section.implementation]
    return {"type": _OPTIMIZERS[section.name], "params": parameters}


def engine_keys() -> frozenset[str]:
    """The plan's keys that are DeepSpeed's own."""
    own = ("engine", frozenset({"deepspeed"}))
    return frozenset(
        f"sharding.{name}" for name in Sharding.model_fields if Sharding.depends_on(name) == own
    )
