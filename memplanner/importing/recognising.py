"""Which trainer a file is for, by its keys."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from memplanner.errors import PlanError
from memplanner.plan import Plan

SIGNS: dict[str, tuple[str, ...]] = {
    "accelerate": ("compute_environment", "distributed_type", "num_processes", "num_machines",
                   "mixed_precision", "machine_rank", "main_training_function"),
    "deepspeed": ("zero_optimization", "train_micro_batch_size_per_gpu", "train_batch_size"),
    "axolotl": ("base_model", "micro_batch_size", "sequence_len", "adapter", "datasets",
                "lora_target_linear", "sample_packing", "val_set_size"),
    "llama_factory": ("finetuning_type", "cutoff_len", "stage", "template", "lora_target",
                      "lora_rank", "pure_bf16", "quantization_bit", "flash_attn",
                      "disable_gradient_checkpointing", "dataset_dir"),
    "trl": ("use_peft", "lora_r", "max_length", "dataset_name", "load_in_4bit", "dtype",
            "lora_target_modules", "attn_implementation", "bnb_4bit_quant_type", "packing"),
    "hugging_face": ("per_device_train_batch_size", "output_dir", "optim", "learning_rate",
                     "gradient_accumulation_steps", "num_train_epochs", "fsdp", "bf16"),
}  # fmt: skip
"""Keys of each trainer that others have not, or have less often."""
_SHARED = frozenset({"deepspeed", "fsdp_config", "gradient_accumulation_steps"})


def recognised(values: Mapping[str, Any], origin: str) -> str:
    """The trainer whose keys ``values`` have; ``plan`` for a plan of memplanner.

    Raises ``PlanError`` where none has.
    """
    if "schema" in values or isinstance(values.get("training"), Mapping):
        return "plan"
    counts = {
        name: sum(sign in values for sign in signs if sign not in _SHARED)
        for name, signs in SIGNS.items()
    }
    # TRL's and LLaMA-Factory's files have TrainingArguments too
    basic = counts.pop("hugging_face")
    best = max(counts, key=lambda name: counts[name])
    if counts[best]:
        return best
    if basic:
        return "hugging_face"
    if any(get_close_matches(str(key), Plan.model_fields, n=1, cutoff=0.8) for key in values):
        return "plan"  # with a mistake, which the plan tells
    raise PlanError(
        f"{origin} has no keys of a trainer that is known here; name a YAML of accelerate, "
        "transformers, TRL, axolotl or LLaMA-Factory, a JSON of DeepSpeed, or torchtitan's flags."
    )
