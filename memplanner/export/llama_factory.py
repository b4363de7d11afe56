"""The target ``llama_factory``: the YAML that ``llamafactory-cli train`` takes.

Keys are those of LLaMA-Factory 0.9.5 (``hparams/*.py``).
"""

from __future__ import annotations

from typing import Any

from memplanner.export.hugging_face import LOOP_WORDS, argument_values
from memplanner.export.target import Subject
from memplanner.export.trainer import TrainerTarget, model_words, yaml_text
from memplanner.export.trl import COMPRESSED_WORDS
from memplanner.plan import Plan
from memplanner.plan.sharding import Sharding

_KERNELS = {"eager": "disabled", "flash": "fa2"}


class LlamaFactory(TrainerTarget):
    """Model, adapters, quantization and TrainingArguments."""

    name = "llama_factory"
    title = "LLaMA-Factory"
    explanation = "For llamafactory-cli train: fine-tuning, with and without adapters."
    file_name = "llama_factory.yaml"
    order = 15
    launched = "llamafactory-cli train llama_factory.yaml"
    to_fill_in = "Put your dataset and your model's template in place of DATASET and default."
    elsewhere = {  # noqa: RUF012  (a ClassVar of the base)
        **LOOP_WORDS,
        **COMPRESSED_WORDS,
        "precision": "LLaMA-Factory keeps what is trained in fp32, unless pure_bf16",
        "activation_offload.to": "the target script carries it",
        "loss.method": "the target script carries it",
    }

    def body(self, subject: Subject) -> str:
        """The arguments."""
        return yaml_text(factory_values(subject))

    def launch_over(self, section: Sharding) -> str:
        """Cards are told to its launcher by variables (``llamafactory/launcher.py``)."""
        nodes = (
            "" if section.nodes == 1 else f"NNODES={section.nodes} NODE_RANK=0 MASTER_ADDR=HOST "
        )
        counts = f"FORCE_TORCHRUN=1 NPROC_PER_NODE={section.cards_per_node} "
        return f"{counts}{nodes}{self.launched}"


def factory_values(subject: Subject) -> dict[str, Any]:
    """Keys of LLaMA-Factory's arguments."""
    plan = subject.plan
    arguments = argument_values(subject)
    recomputes = arguments.pop("gradient_checkpointing")
    arguments.pop("gradient_checkpointing_kwargs", None)
    pure = plan.precision == "bf16"
    values: dict[str, Any] = {
        "model_name_or_path": model_words(subject),
        "stage": "sft",
        "do_train": True,
        "dataset": "DATASET",
        "template": "default",
        "cutoff_len": plan.training.sequence_length,
        "flash_attn": _KERNELS.get(plan.attention.kernel, "sdpa"),
        **arguments,
        "bf16": plan.precision in ("bf16_mixed", "bf16_autocast"),
        "fp16": plan.precision in ("fp16", "fp16_mixed"),
        "pure_bf16": pure,
        "disable_gradient_checkpointing": not recomputes,
    }
    return values | _base_and_adapters(plan)


def _base_and_adapters(plan: Plan) -> dict[str, Any]:
    section = plan.adapters
    if section.method == "none":
        return {"finetuning_type": "full"}
    values: dict[str, Any] = {
        "finetuning_type": "lora",
        "lora_rank": section.rank,
        "lora_alpha": max(1, round(section.alpha)),
        "lora_dropout": section.dropout,
        "lora_target": ",".join(section.target_modules) or "all",
    }
    if plan.quantization.method == "nf4":
        values |= {
            "quantization_bit": 4,
            "quantization_method": "bnb",
            "quantization_type": "nf4",
            "double_quantization": plan.quantization.double_quantization,
        }
    return values
