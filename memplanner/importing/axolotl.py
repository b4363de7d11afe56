"""axolotl's YAML as a plan.

Keys and defaults are those of axolotl 0.19 (``utils/schemas/config.py: AxolotlInputConfig``);
its loop is transformers' Trainer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from memplanner.importing.cards import read_ddp, read_trainer_cards
from memplanner.importing.found import Found, ruled
from memplanner.importing.hugging_face import (
    LOOP,
    read_checkpointing,
    read_compilation,
    read_int8,
    read_kernel,
    read_lora,
)
from memplanner.importing.imported import Imported
from memplanner.importing.keys import Keys, shown
from memplanner.importing.optimizer_words import read_optimizer
from memplanner.plan import Plan

TITLE = "Axolotl"
OPTIMIZERS = {"ao_adamw_8bit": "adamw_torch_8bit", "ao_adamw_4bit": "adamw_torch_4bit"}
_ATTENTION = {
    "flash_attention": "flash_attention_2", "sdp_attention": "sdpa", "eager_attention": "eager"
}  # fmt: skip
_ASIDE = re.compile(
    r"datasets|test_datasets|pretraining_dataset|dataset_\w+|output_dir|base_model(_config)?|"
    r"tokenizer_\w+|model_type|special_tokens|tokens|chat_template\w*|val_set_size|"
    r"(save|eval|evals|saves|logging|wandb|mlflow|comet|use_wandb|hub|warmup|lr_scheduler|"
    r"dataloader|adam|loss_watchdog|early_stopping|resume|ddp)_?\w*|num_epochs|max_steps|"
    r"lr_scheduler|cosine_\w+|seed|strict|debug|group_by_length|train_on_inputs|tf32|"
    r"max_grad_norm|trust_remote_code|local_rank|auto_resume_from_checkpoints|"
    r"pad_to_sequence_len|eval_sample_packing|sample_packing_\w+|excess_length_strategy|"
    r"shuffle_merged_datasets|remove_unused_columns|gc_steps|save_safetensors|"
    r"type_of_model|lora_model_dir|is_\w+_derived_model|profiler_steps\w*|world_size|"
    r"low_cpu_mem_usage|xformers_attention|plugins|generate_samples|use_tensorboard|"
    r"load_best_model_at_end|metric_for_best_model|greater_is_better|push_dataset_to_hub|"
    r"skip_prepare_dataset|min_sample_len|max_prompt_len|include_tkps|neftune_noise_alpha"
)


def read(keys: Keys, base: Plan, origin: str, beside: Mapping[str, str]) -> Imported:
    """The plan of the file: what it does not say is axolotl's default."""
    found = Found(trainer="axolotl", title=TITLE, base=ruled(base, LOOP))
    found.model = keys.word("base_model") or None
    values = found.values
    values["training.batch_size"] = keys.whole("micro_batch_size", default=1)
    values["training.sequence_length"] = keys.whole("sequence_len", default=512)
    steps = keys.whole("gradient_accumulation_steps", default=1) or 1
    values["training.gradient_accumulation_steps"] = steps
    values["optimizer.learning_rate"] = keys.number("learning_rate") or 2e-5
    values["optimizer.weight_decay"] = keys.number("weight_decay") or 0.0
    word = keys.word("optimizer", default="adamw_torch_fused")
    read_optimizer(
        Keys({"optim": OPTIMIZERS.get(word, word), "optim_args": keys.take("optim_args"),
              "optim_target_modules": keys.take("optim_target_modules")}, origin), found
    )  # fmt: skip
    _read_precision(keys, found)
    for old, new in _ATTENTION.items():
        if keys.flag(old) and "attn_implementation" not in keys:
            values["attention.kernel"] = {"flash_attention_2": "flash", "eager": "eager"}.get(
                new, "auto"
            )
    if "attn_implementation" in keys or "attention.kernel" not in values:
        read_kernel(keys, found)
    read_degrees(keys, found)
    read_trainer_cards(keys, found, steps, beside, by_config=True)
    read_ddp(keys, found)
    _read_checkpointing(keys, found)
    read_compilation(keys, found)
    _read_adapters(keys, found)
    if keys.flag("chunked_cross_entropy"):
        values["loss.method"] = "chunked"
        values["loss.chunks"] = keys.whole("chunked_cross_entropy_num_chunks", default=8)
        found.notes.append(
            "Chunked cross-entropy keeps the logits whole; the loss in chunks that is planned "
            "does not."
        )
    if keys.flag("sample_packing"):
        found.notes.append("Samples are packed; micro-batch × sequence tokens are planned.")
    return found.imported(keys, _ASIDE, origin)


def _read_precision(keys: Keys, found: Found) -> None:
    """``utils/config/__init__.py: resolve_dtype``: parameters have the type of the autocast."""
    bf16, fp16 = keys.word("bf16", default="auto").lower(), keys.flag("fp16")
    bfloat16, float16 = keys.flag("bfloat16"), keys.flag("float16")
    keys.take("float32")
    if bf16 == "full":
        found.values["precision"] = "bf16"
    elif bf16 in ("true", "yes", "on") or bfloat16 or (bf16 == "auto" and not (fp16 or float16)):
        found.values["precision"] = "bf16_autocast"
    elif fp16 or float16:
        found.values["precision"] = "fp16"
        found.no_place.append(
            "fp16 with parameters in fp16 under autocast has no place in a plan; plain fp16 is "
            "planned."
        )
    else:
        found.values["precision"] = "fp32"


def read_degrees(keys: Keys, found: Found) -> None:
    """Replicas, shards, tensor and context parallelism, whose product is the number of cards."""
    shard = keys.whole("dp_shard_size")
    replicas = keys.whole("dp_replicate_size", default=1) or 1
    tensor = keys.whole("tensor_parallel_size", default=1) or 1
    context = keys.whole("context_parallel_size", "sequence_parallel_degree", default=1) or 1
    values, section = found.values, found.base.sharding
    if shard is not None or replicas * tensor * context > 1:
        cards = (shard or 1) * replicas * tensor * context
        if shard is None and section.ranks % cards == 0:
            cards = section.ranks
        if section.ranks != cards:
            values |= _machines(cards)
    if replicas > 1:
        values["sharding.replicas"] = replicas
    if tensor > 1:
        values["sharding.tensor"] = tensor
    if context > 1:
        values["sharding.context"] = context


def _machines(cards: int) -> dict[str, int]:
    """Machines of eight cards where there are more than one of them would take."""
    if cards > 8 and cards % 8 == 0:
        return {"sharding.nodes": cards // 8, "sharding.cards_per_node": 8}
    return {"sharding.nodes": 1, "sharding.cards_per_node": cards}


def _read_checkpointing(keys: Keys, found: Found) -> None:
    word = keys.word("gradient_checkpointing", default="false").lower()
    if word in ("offload", "offload_disk"):
        found.no_place.append(
            f"gradient_checkpointing: {word} moves the blocks' inputs off the card, which has no "
            "place in a plan; they are planned on it."
        )
        word = "true"
    read_checkpointing(
        Keys({"gradient_checkpointing": word,
              "gradient_checkpointing_kwargs": keys.take("gradient_checkpointing_kwargs")},
             "the file"), found, usual=False
    )  # fmt: skip
    selective = keys.take("selective_checkpointing")
    if selective:
        saved = selective.get("save") if isinstance(selective, Mapping) else None
        names = [str(name) for name in (saved or ["attention"])]
        known = {"attention": "attention", "aten::mm": "mm", "aten::addmm": "addmm",
                 "aten::bmm": "bmm"}  # fmt: skip
        found.values["activation_checkpointing.policy"] = "selective"
        found.values["activation_checkpointing.operations"] = tuple(
            known[name] for name in names if name in known
        ) or ("attention",)
        if odd := [name for name in names if name not in known]:
            found.no_place.append(
                f"selective_checkpointing of {shown(', '.join(odd))} has no place in a plan."
            )
    offload = keys.word("activation_offloading", default="false").lower()
    if offload in ("true", "legacy"):
        # core/builders/base.py, loaders/model.py: it takes recomputation's place beside adapters
        adapted = keys.word("adapter") in ("lora", "qlora")
        found.values["activation_offload.to"] = "host"
        found.values["activation_checkpointing.policy"] = "none" if adapted else "full"
    elif offload != "false":
        found.no_place.append(f"activation_offloading: {offload} has no place in a plan.")


def _read_adapters(keys: Keys, found: Found) -> None:
    adapter = keys.word("adapter")
    more = keys.part("bnb_config_kwargs")
    nested = more.flag("bnb_4bit_use_double_quant", default=True)
    kind = more.word("bnb_4bit_quant_type", default="nf4")
    if keys.flag("load_in_4bit") or adapter == "qlora":
        found.values["quantization.method"] = "nf4"
        found.values["quantization.double_quantization"] = nested
        if kind != "nf4":
            found.notes.append(f"The levels {shown(kind)} take what NF4 takes; NF4 is planned.")
    elif keys.flag("load_in_8bit"):
        read_int8(found)
    rank, alpha = keys.whole("lora_r"), keys.number("lora_alpha")
    dropout, targets = keys.number("lora_dropout"), keys.words("lora_target_modules")
    if keys.flag("lora_target_linear"):
        targets = ("all-linear",)
    if adapter in ("lora", "qlora"):
        read_lora(found, rank=rank or 8, alpha=8.0 if alpha is None else alpha,
                  dropout=dropout or 0.0, targets=targets)  # fmt: skip
    elif adapter:
        found.no_place.append(f"adapter: {shown(adapter)} has no place in a plan.")
