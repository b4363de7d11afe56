"""The target ``trl``: the YAML that ``trl sft --config`` takes.

Keys are those of TRL 1.16 (``trl/trainer/{sft_config,model_config}.py``,
``trl/scripts/utils.py: ScriptArguments``).
"""

from __future__ import annotations

from typing import Any

from memplanner.export.hugging_face import DTYPES, LOOP_WORDS, argument_values
from memplanner.export.target import Subject
from memplanner.export.trainer import TrainerTarget, model_words, yaml_text
from memplanner.plan import Plan
from memplanner.plan.sharding import Sharding
from memplanner.techniques.parallel.deepspeed import COMPUTE

KERNELS = {"eager": "eager", "flash": "flash_attention_2"}
COMPRESSED_WORDS = {
    "attention.kernel": "it is sdpa, and torch chooses the kernel",
    "compilation.mode": "torch_compile would compile the whole model; the target script compiles "
    "blocks",
    "offload.optimizer": "the target script carries it",
    "offload.parameters": "the target script carries it",
    "distillation.student": "the target script carries it",
    "pruning.structure": "the target script carries it",
    "quantization.method": "the target script carries it",
    "optimizer.update": "the target script carries it",
    "optimizer.projection": "the target script carries it",
}


class Trl(TrainerTarget):
    """Supervised fine-tuning by TRL: model, adapters, quantization and TrainingArguments."""

    name = "trl"
    title = "TRL"
    explanation = "For trl sft: supervised fine-tuning with the Transformers Trainer."
    file_name = "sft.yaml"
    order = 13
    launched = "trl sft --config sft.yaml"
    to_fill_in = "Put your dataset in place of DATASET."
    elsewhere = {  # noqa: RUF012  (a ClassVar of the base)
        **LOOP_WORDS,
        **COMPRESSED_WORDS,
        "loss.method": "TRL computes the head in tiles, which are planned as chunks",
        "loss.chunks": "TRL computes the head in tiles, which are planned as chunks",
    }

    def body(self, subject: Subject) -> str:
        """The arguments."""
        return yaml_text(sft_values(subject))

    def launch_over(self, section: Sharding) -> str:
        """``trl`` starts accelerate by itself."""
        nodes = "" if section.nodes == 1 else f" --num_machines {section.nodes}"
        return f"{self.launched}{nodes} --num_processes {section.ranks}"


def sft_values(subject: Subject) -> dict[str, Any]:
    """Keys of ScriptArguments, ModelConfig and SFTConfig."""
    plan = subject.plan
    values: dict[str, Any] = {
        "model_name_or_path": model_words(subject),
        "dataset_name": "DATASET",
        "dtype": DTYPES.get(plan.precision, "float32"),
        "attn_implementation": KERNELS.get(plan.attention.kernel, "sdpa"),
        "max_length": plan.training.sequence_length,
        **argument_values(subject),
        **_base_and_adapters(plan),
    }
    if plan.activation_offload.to == "host":
        values["activation_offloading"] = True
    return values


def _storage(plan: Plan) -> str:
    """The type that shares of packed weights have in common with others.

    DeepSpeed casts all that is floating to it, which packed weights of another would not survive.
    """
    kind = COMPUTE[plan.precision] if plan.sharding.deepspeed else plan.precision
    return DTYPES.get(kind, "float32")


def _base_and_adapters(plan: Plan) -> dict[str, Any]:
    values: dict[str, Any] = {}
    if plan.quantization.method == "nf4":
        values |= {
            "load_in_4bit": True,
            "bnb_4bit_quant_type": "nf4",
            "use_bnb_nested_quant": plan.quantization.double_quantization,
        }
        if plan.sharding.fully_sharded:  # packed weights are shared out by what they lie in
            values["bnb_4bit_quant_storage"] = _storage(plan)
    section = plan.adapters
    if section.method == "lora":
        values |= {
            "use_peft": True,
            "lora_r": section.rank,
            "lora_alpha": max(1, round(section.alpha)),
            "lora_dropout": section.dropout,
            "lora_target_modules": list(section.target_modules) or "all-linear",
        }
    return values
