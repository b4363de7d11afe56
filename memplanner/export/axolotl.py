"""The target ``axolotl``: the YAML that ``axolotl train`` takes.

Keys are those of axolotl 0.19 (``utils/schemas/config.py: AxolotlInputConfig``).
"""

from __future__ import annotations

from typing import Any

from memplanner.export.hugging_face import LOOP_WORDS
from memplanner.export.target import Subject
from memplanner.export.trainer import TrainerTarget, model_words, yaml_text
from memplanner.export.trainer_cards import (
    block_classes,
    card_values,
    shares_checkpoints,
)
from memplanner.export.trl import COMPRESSED_WORDS, KERNELS
from memplanner.importing.axolotl import OPTIMIZERS
from memplanner.importing.optimizer_words import optimizer_words
from memplanner.plan import Plan
from memplanner.plan.sharding import Sharding
from memplanner.techniques.parallel.shares_on_host import shares_lie_on_host

_OPTIMIZERS = {word: own for own, word in OPTIMIZERS.items()}
_KEPT = {"attention": "attention", "mm": "aten::mm", "addmm": "aten::addmm", "bmm": "aten::bmm"}
"""Operations of a selective policy in axolotl's words."""


class Axolotl(TrainerTarget):
    """Model, adapters, quantization, checkpointing and cards."""

    name = "axolotl"
    title = "Axolotl"
    explanation = "For axolotl train: fine-tuning, with and without adapters."
    file_name = "axolotl.yaml"
    order = 14
    launched = "axolotl train axolotl.yaml"
    to_fill_in = "Put your dataset in place of DATASET."
    elsewhere = {  # noqa: RUF012  (a ClassVar of the base)
        **LOOP_WORDS,
        **COMPRESSED_WORDS,
        "precision": "axolotl loads parameters in the type that it computes in",
        "loss.method": "its chunked_cross_entropy keeps the logits whole; the target script does "
        "not",
        "sharding.reduction": "axolotl reduces after the last micro-batch",
        "sharding.static_graph": "the target script carries it",
    }

    def body(self, subject: Subject) -> str:
        """The configuration."""
        return yaml_text(axolotl_values(subject))

    def launch_over(self, section: Sharding) -> str:
        """``axolotl`` starts accelerate by itself."""
        nodes = "" if section.nodes == 1 else f" --num-machines {section.nodes}"
        return f"{self.launched} --launcher accelerate --{nodes} --num-processes {section.ranks}"


def axolotl_values(subject: Subject) -> dict[str, Any]:
    """Keys of ``AxolotlInputConfig``."""
    plan = subject.plan
    training, section = plan.training, plan.optimizer
    optimizer = optimizer_words(section)
    word = optimizer.pop("optim")
    if "optim_target_modules" in optimizer:
        optimizer["optim_target_modules"] = "all_linear"
    values: dict[str, Any] = {
        "base_model": model_words(subject),
        "datasets": [{"path": "DATASET", "type": "completion"}],
        "output_dir": "output",
        "sequence_len": training.sequence_length,
        "micro_batch_size": training.batch_size,
        "gradient_accumulation_steps": training.gradient_accumulation_steps,
        "num_epochs": 1,
        "optimizer": _OPTIMIZERS.get(word, word),
        **optimizer,
        "learning_rate": section.learning_rate,
        "lr_scheduler": "cosine",
        "weight_decay": section.weight_decay,
        "bf16": plan.precision in ("bf16", "bf16_mixed", "bf16_autocast"),
        "fp16": plan.precision in ("fp16", "fp16_mixed"),
        "attn_implementation": KERNELS.get(plan.attention.kernel, "sdpa"),
        **_checkpointing(subject),
        **_base_and_adapters(plan),
    }
    return values | _cards(subject)


def _checkpointing(subject: Subject) -> dict[str, Any]:
    section = subject.plan.activation_checkpointing
    whole = section.policy == "full" and not shares_checkpoints(subject)
    away = subject.plan.activation_offload.to == "host"
    values: dict[str, Any] = {
        # which offloading takes for granted, and replaces beside adapters
        "gradient_checkpointing": whole or away or section.policy == "selective"
    }
    if values["gradient_checkpointing"]:
        values["gradient_checkpointing_kwargs"] = {"use_reentrant": False}
    if section.policy == "selective":
        kept = [_KEPT[name] for name in section.operations if name in _KEPT]
        values["selective_checkpointing"] = {"save": kept or ["attention"]}
    if away:
        values["activation_offloading"] = True
    return values


def _base_and_adapters(plan: Plan) -> dict[str, Any]:
    values: dict[str, Any] = {}
    section = plan.adapters
    quantized = plan.quantization.method == "nf4" and section.method == "lora"
    if quantized:
        values["load_in_4bit"] = True
        if not plan.quantization.double_quantization:
            values["bnb_config_kwargs"] = {"bnb_4bit_use_double_quant": False}
    if section.method == "lora":
        values |= {
            "adapter": "qlora" if quantized else "lora",
            "lora_r": section.rank,
            "lora_alpha": max(1, round(section.alpha)),
            "lora_dropout": section.dropout,
        }
        if section.target_modules:
            values["lora_target_modules"] = list(section.target_modules)
        else:
            values["lora_target_linear"] = True
    return values


def _cards(subject: Subject) -> dict[str, Any]:
    """FSDP in axolotl's words, with the degrees that it knows."""
    section = subject.plan.sharding
    values = card_values(subject)
    values.pop("accelerator_config", None)
    values.pop("ddp_static_graph", None)
    if values.pop("fsdp", False):
        values |= {
            "fsdp_version": 2,
            "fsdp_config": {
                "reshard_after_forward": section.data == "zero_3",
                "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
                "transformer_layer_cls_to_wrap": ",".join(block_classes(subject)),
                "offload_params": shares_lie_on_host(subject.plan),
                "state_dict_type": "FULL_STATE_DICT",
            },
        }
        if shares_checkpoints(subject):
            values["fsdp_config"]["activation_checkpointing"] = True
        if shares_lie_on_host(subject.plan) and not subject.plan.offload.pin_memory:
            values["fsdp_config"]["cpu_offload_pin_memory"] = False
        if section.replicas * section.tensor * section.context > 1:
            shard = section.data_degree // section.replicas
            values |= {"dp_replicate_size": section.replicas, "dp_shard_size": shard}
            values |= {"tensor_parallel_size": section.tensor}
            values |= {"context_parallel_size": section.context}
    return values
