"""LLaMA-Factory's YAML as a plan.

Keys and defaults are those of LLaMA-Factory 0.9.5 (``hparams/*.py``); in what types it trains is
in ``model/adapter.py: init_adapter``. Its loop is transformers' Trainer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from memplanner.importing.cards import read_trainer_cards
from memplanner.importing.found import Found, ruled
from memplanner.importing.hugging_face import (
    ASIDE,
    LOOP,
    read_compilation,
    read_int8,
    read_lora,
)
from memplanner.importing.imported import Imported
from memplanner.importing.keys import Keys, shown
from memplanner.importing.optimizer_words import read_optimizer
from memplanner.plan import Plan

TITLE = "LLaMA-Factory"
KERNELS = {"auto": "auto", "sdpa": "auto", "disabled": "eager", "fa2": "flash", "fa3": "flash"}
_ASIDE = re.compile(
    ASIDE.pattern
    + r"|stage|template|dataset\w*|eval_dataset|media_dir|max_samples|overwrite_cache|"
    r"preprocessing_\w+|val_size|plot_loss|use_swanlab|swanlab_\w+|cache_dir|use_fast_tokenizer|"
    r"train_on_prompt|mask_history|tool_format|default_system|tokenized_path|ray_\w+|"
    r"include_\w+|predict_with_generate|ignore_pad_token_for_loss|use_reentrant_gc|"
    r"rope_scaling|new_special_tokens\w*|low_cpu_mem_usage|infer_\w+|vllm_\w+|enable_thinking|"
    r"image_\w+|video_\w+|audio_\w+|mix_strategy|interleave_probs|buffer_size|"
    r"freeze_(vision_tower|multi_modal_projector|language_model)"
)


def read(keys: Keys, base: Plan, origin: str, beside: Mapping[str, str]) -> Imported:
    """The plan of the file: what it does not say is LLaMA-Factory's default."""
    found = Found(trainer="llama_factory", title=TITLE, base=ruled(base, LOOP))
    found.model = keys.word("model_name_or_path") or None
    values = found.values
    values["training.batch_size"] = keys.whole("per_device_train_batch_size", default=8)
    values["training.sequence_length"] = keys.whole("cutoff_len", default=2048)
    steps = keys.whole("gradient_accumulation_steps", default=1) or 1
    values["training.gradient_accumulation_steps"] = steps
    values["optimizer.learning_rate"] = keys.number("learning_rate") or 5e-5
    values["optimizer.weight_decay"] = keys.number("weight_decay") or 0.0
    read_optimizer(keys, found)
    read_trainer_cards(keys, found, steps, beside)
    kind = keys.word("finetuning_type", default="lora").lower()
    _read_adapters(keys, found, kind)
    _read_precision(keys, found, whole=kind == "full")
    word = keys.word("flash_attn", default="auto").lower()
    if word not in KERNELS:
        raise keys.wrong("flash_attn", word, "one of " + ", ".join(KERNELS))
    values["attention.kernel"] = KERNELS[word]
    off = keys.flag("disable_gradient_checkpointing")
    keys.take("gradient_checkpointing", "activation_checkpointing")
    if not off or "activation_checkpointing.policy" not in values:
        values["activation_checkpointing.policy"] = "none" if off else "full"
    read_compilation(keys, found)
    if keys.flag("packing"):
        found.notes.append("Samples are packed; micro-batch × sequence tokens are planned.")
    return found.imported(keys, _ASIDE, origin)


def _read_precision(keys: Keys, found: Found, *, whole: bool) -> None:
    """Trained parameters are in fp32, unless ``pure_bf16``; frozen ones in what is computed in."""
    pure, bf16, fp16 = keys.flag("pure_bf16"), keys.flag("bf16"), keys.flag("fp16")
    if pure:
        found.values["precision"] = "bf16"
    elif bf16:
        found.values["precision"] = "bf16_mixed" if whole else "bf16_autocast"
    elif fp16:
        found.values["precision"] = "fp16_mixed"
        if not whole:
            found.no_place.append(
                "Frozen parameters in fp16 beside adapters in fp32 have no place in a plan; fp32 "
                "ones are planned."
            )
    else:
        found.values["precision"] = "fp32"


def _read_adapters(keys: Keys, found: Found, kind: str) -> None:
    values = found.values
    bits, method = keys.whole("quantization_bit"), keys.word("quantization_method", default="bnb")
    nested = keys.flag("double_quantization", default=True)
    levels = keys.word("quantization_type", default="nf4")
    if bits == 4 and method.lower() in ("bnb", "bitsandbytes"):
        values["quantization.method"] = "nf4"
        values["quantization.double_quantization"] = nested
        if levels != "nf4":
            found.notes.append(f"The levels {shown(levels)} take what NF4 takes; NF4 is planned.")
    elif bits == 8:
        read_int8(found)
    elif bits is not None:
        found.no_place.append(
            f"quantization_bit: {bits} of {shown(method)} has no place in a plan."
        )
    rank = keys.whole("lora_rank", default=8) or 8
    alpha, dropout = keys.number("lora_alpha"), keys.number("lora_dropout")
    targets = keys.words("lora_target") or ("all",)
    keys.take("use_rslora", "lora_modules_to_save", "create_new_adapter")
    if kind == "lora":
        read_lora(found, rank=rank, alpha=2.0 * rank if alpha is None else alpha,
                  dropout=dropout or 0.0,
                  targets=("all-linear",) if targets == ("all",) else targets)  # fmt: skip
    elif kind != "full":
        found.no_place.append(
            f"finetuning_type: {shown(kind)} has no place in a plan; every parameter is planned "
            "to be trained."
        )
