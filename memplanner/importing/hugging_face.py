"""TrainingArguments of transformers, alone or with TRL's keys around them, as a plan.

Defaults are those of ``transformers/training_args.py`` (5.24) and of TRL 1.16
(``trl/trainer/{base_config,sft_config,model_config}.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import ceil

from memplanner.importing.cards import read_trainer_cards
from memplanner.importing.found import Found, ruled
from memplanner.importing.imported import Imported
from memplanner.importing.keys import Keys, shown
from memplanner.importing.optimizer_words import read_optimizer
from memplanner.plan import Plan

HUGGING_FACE, TRL = "Hugging Face Trainer", "TRL"
LOOP = {"training.outputs": "until_loss", "training.zero_grad": "after_step"}
"""Of transformers' Trainer (``trainer.py: compute_loss, _inner_training_loop``)."""
TILE_TOKENS, TILE_VOCABULARY, USUAL_VOCABULARY = 4096, 32768, 131072
"""Tiles of TRL's head (``trl/kernels/chunked_logprob.py``), and a vocabulary of today's models."""
ASIDE = re.compile(
    r"output_dir|overwrite_output_dir|num_train_epochs|max_steps|seed|data_seed|run_name|do_\w+|"
    r"(logging|save|eval|evaluation|lr_scheduler|warmup|dataloader|hub|adam|push_to_hub|ddp|"
    r"trackio|mlflow|wandb|dataset|skip_memory|ignore|include|resume|load_best|"
    r"length_column)_?\w*|report_to|"
    r"max_grad_norm|remove_unused_columns|label_names|metric_for_best_model|greater_is_better|"
    r"disable_tqdm|tf32|group_by_length|train_sampling_strategy|log_level\w*|use_cpu|"
    r"per_device_eval_batch_size|streaming|model_revision|trust_remote_code|"
    r"model_name_or_path|use_cache|full_determinism|project|"
    r"completion_only_loss|assistant_only_loss|chat_template_path|eos_token|pad_token|"
    r"truncation_mode|shuffle_dataset|packing_strategy|eval_packing|config_name|tokenizer_name|"
    r"bnb_4bit_quant_storage|lora_task_type|pad_to_multiple_of|parallelism_config_backend"
)
_TYPES = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16", "torch.float32": "fp32",
          "torch.bfloat16": "bf16", "torch.float16": "fp16"}  # fmt: skip
KERNELS = {
    "eager": "eager", "sdpa": "auto", "flash_attention_2": "flash", "flash_attention_3": "flash",
    "kernels-community/flash-attn2": "flash", "kernels-community/flash-attn3": "flash",
}  # fmt: skip


def read_trl(keys: Keys, base: Plan, origin: str, beside: Mapping[str, str]) -> Imported:
    """The plan of a YAML for ``trl sft``: what the file does not say is TRL's default."""
    found = Found(trainer="trl", title=TRL, base=ruled(base, LOOP))
    found.model = keys.word("model_name_or_path") or None
    values = found.values
    values["training.sequence_length"] = keys.whole("max_length", "max_seq_length", default=1024)
    _read_arguments(keys, found, beside, of_trl=True)
    dtype = keys.word("dtype", "torch_dtype", default="float32")
    fp16 = keys.flag("fp16")
    values["precision"] = precision(
        dtype, bf16=keys.flag("bf16", default=not fp16), fp16=fp16, found=found
    )
    read_kernel(keys, found)
    _read_base_and_adapters(keys, found)
    if keys.flag("activation_offloading"):
        values["activation_offload.to"] = "host"
    tokens = int(found.values["training.batch_size"]) * int(values["training.sequence_length"])
    values["loss.method"], values["loss.chunks"] = "recomputed", head_chunks(tokens)
    loss = keys.word("loss_type", default="nll")
    if loss not in ("nll", "chunked_nll"):
        found.no_place.append(f"loss_type: {shown(loss)} has no place in a plan.")
    if keys.flag("packing") or keys.flag("padding_free"):
        found.notes.append("Samples are packed; micro-batch × sequence tokens are planned.")
    return found.imported(keys, ASIDE, origin)


def read_hugging_face(keys: Keys, base: Plan, origin: str, beside: Mapping[str, str]) -> Imported:
    """The plan of TrainingArguments; what the script decides stays as in ``base``."""
    found = Found(trainer="hugging_face", title=HUGGING_FACE, base=base.with_values(dict(LOOP)))
    found.model = keys.word("model_name_or_path") or None
    _read_arguments(keys, found, beside, of_trl=False)
    bf16, fp16 = keys.flag("bf16"), keys.flag("fp16")
    if "dtype" in keys or "torch_dtype" in keys:
        dtype = keys.word("dtype", "torch_dtype")
    else:
        halves = {"bf16": "bfloat16", "bf16_autocast": "bfloat16", "fp16": "float16"}
        dtype = halves.get(base.precision, "float32")
        found.notes.append(
            f"In what type the model is loaded is the script's to say; {dtype} is taken."
        )
    found.values["precision"] = precision(dtype, bf16=bf16, fp16=fp16, found=found)
    found.notes.append("Sequence, adapters and attention are the script's; they stay as planned.")
    return found.imported(keys, ASIDE, origin)


def precision(dtype: str, *, bf16: bool, fp16: bool, found: Found) -> str:
    """The plan's word for parameters of ``dtype`` under the trainer's autocast."""
    if dtype == "auto":
        found.notes.append(
            "The model is loaded in the type of its checkpoint; bfloat16 is taken, as is usual."
        )
        dtype = "bfloat16"
    stored = _TYPES.get(dtype)
    if stored is None:
        found.no_place.append(f"dtype: {shown(dtype)} has no place in a plan; fp32 is planned.")
        stored = "fp32"
    if not (bf16 or fp16):
        return stored
    if stored == "fp32":
        return "bf16_mixed" if bf16 else "fp16_mixed"
    if stored == "bf16" and bf16:
        return "bf16_autocast"
    found.no_place.append(
        f"Parameters in {dtype} under {'bf16' if bf16 else 'fp16'} autocast have no place in a "
        f"plan; {stored} is planned."
    )
    return stored


def read_kernel(keys: Keys, found: Found) -> None:
    """``attn_implementation``."""
    word = keys.word("attn_implementation", default="sdpa")
    found.values["attention.kernel"] = KERNELS.get(word, "auto")
    if word not in KERNELS:
        found.no_place.append(
            f"attn_implementation: {shown(word)} has no place in a plan; sdpa is planned."
        )


def head_chunks(tokens: int) -> int:
    """Chunks of positions that are as large as the tiles of TRL's head."""
    per_chunk = TILE_TOKENS * TILE_VOCABULARY // USUAL_VOCABULARY
    return min(1024, max(2, ceil(tokens / per_chunk)))


def read_checkpointing(keys: Keys, found: Found, *, usual: bool) -> None:
    """Transformers' new name and its old one."""
    names = ("activation_checkpointing", "gradient_checkpointing")
    on = keys.flag(*names, default=usual)
    # FSDP's own has been read before it
    if on or found.values.get("activation_checkpointing.policy") != "full":
        found.values["activation_checkpointing.policy"] = "full" if on else "none"
    part = keys.part(*(f"{name}_kwargs" for name in names))
    part.take("use_reentrant", "determinism_check", "preserve_rng_state", "early_stop")


def _read_arguments(keys: Keys, found: Found, beside: Mapping[str, str], *, of_trl: bool) -> None:
    values = found.values
    values["training.batch_size"] = keys.whole("per_device_train_batch_size", default=8)
    steps = keys.whole("gradient_accumulation_steps", default=1) or 1
    values["training.gradient_accumulation_steps"] = steps
    rate = keys.number("learning_rate")
    values["optimizer.learning_rate"] = (2e-5 if of_trl else 5e-5) if rate is None else rate
    values["optimizer.weight_decay"] = keys.number("weight_decay") or 0.0
    read_optimizer(keys, found)
    read_trainer_cards(keys, found, steps, beside)
    read_checkpointing(keys, found, usual=of_trl)
    read_compilation(keys, found)


def read_compilation(keys: Keys, found: Found) -> None:
    """``torch_compile``: the whole model, where a plan compiles its blocks."""
    word = keys.word("torch_compile").lower()
    on = word in ("true", "auto") or keys.take("torch_compile_mode") is not None
    backend = keys.word("torch_compile_backend")
    if on or backend:
        found.values["compilation.mode"] = "blocks"
        found.notes.append("The whole model is compiled; each of its blocks is planned so.")
        if backend not in ("", "inductor"):
            found.no_place.append(f"torch_compile_backend: {shown(backend)} has no place here.")


def _read_base_and_adapters(keys: Keys, found: Found) -> None:
    values = found.values
    kind = keys.word("bnb_4bit_quant_type", default="nf4")
    nested = keys.flag("use_bnb_nested_quant")
    if keys.flag("load_in_4bit"):
        values["quantization.method"] = "nf4"
        values["quantization.double_quantization"] = nested
        if kind != "nf4":
            found.notes.append(f"The levels {shown(kind)} take what NF4 takes; NF4 is planned.")
    elif keys.flag("load_in_8bit"):
        read_int8(found)
    if keys.flag("use_peft"):
        alpha = keys.number("lora_alpha")
        dropout = keys.number("lora_dropout")
        read_lora(
            found,
            rank=keys.whole("lora_r", default=16) or 16,
            alpha=32.0 if alpha is None else alpha,
            dropout=0.05 if dropout is None else dropout,
            targets=keys.words("lora_target_modules"),
        )
        for name in ("use_dora", "lora_modules_to_save", "lora_target_parameters"):
            if keys.take(name):
                found.no_place.append(f"{name} has no place in a plan; plain LoRA is planned.")
        keys.take("use_rslora")
        of_deepspeed = values.get("sharding.engine") == "deepspeed"  # whose engine casts them
        if "quantization.method" in values and not of_deepspeed:  # trl/trainer/sft_trainer.py
            found.notes.append(
                "TRL keeps the adapters of a quantized model in bf16; they are planned in fp32."
            )
    else:
        keys.take("lora_r", "lora_alpha", "lora_dropout", "lora_target_modules", "use_rslora",
                  "use_dora", "lora_modules_to_save", "lora_target_parameters")  # fmt: skip


def read_int8(found: Found) -> None:
    """LLM.int8 of bitsandbytes: a byte a weight and a scale a row."""
    found.values |= {
        "quantization.method": "linear", "quantization.bits": 8,
        "quantization.granularity": "channel", "quantization.symmetric": True,
    }  # fmt: skip
    found.notes.append(
        "bitsandbytes' 8 bits are planned as linear ones with a scale a row; its copies of "
        "outliers are not."
    )


def read_lora(
    found: Found, *, rank: int, alpha: float, dropout: float, targets: tuple[str, ...]
) -> None:
    """The section ``adapters``; no targets are peft's own choice for the model."""
    values = found.values
    values |= {
        "adapters.method": "lora", "adapters.rank": rank, "adapters.alpha": alpha,
        "adapters.dropout": dropout,
    }  # fmt: skip
    if not targets:
        targets = ("q_proj", "v_proj")
        found.notes.append(
            "No target layers are named; peft takes those of the model's kind, for most "
            "q_proj and v_proj."
        )
    values["adapters.target_modules"] = () if targets == ("all-linear",) else targets
