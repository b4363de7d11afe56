"""DeepSpeed's JSON as a plan.

Keys and defaults are those of DeepSpeed 0.19.8 (``runtime/config.py: DeepSpeedConfig``,
``runtime/zero/config.py: DeepSpeedZeroConfig``).
"""

from __future__ import annotations

import re

from memplanner.importing.found import NO_COUNT, Found
from memplanner.importing.imported import Imported
from memplanner.importing.keys import Keys, shown
from memplanner.plan import Plan

TITLE = "DeepSpeed"
_ASIDE = re.compile(
    r"(train_batch_size|steps_per_print|wall_clock_breakdown|gradient_clipping|dump_state|"
    r"prescale_gradients|scheduler|scheduler\..*|optimizer\.params\.(betas|eps|lr)|"
    r"zero_allow_untested_optimizer|zero_force_ds_cpu_optimizer|tensorboard.*|wandb.*|"
    r"flops_profiler.*|comms_logger.*|fp16\.(auto_cast|loss_scale|initial_scale_power|"
    r"loss_scale_window|hysteresis|min_loss_scale|consecutive_hysteresis)|communication_data_type|"
    r"zero_optimization\.(round_robin_gradients|"
    r"(stage3_)?gather_16bit_weights_on_model_save|stage3_gather_fp16_weights_on_model_save))"
)
_STAGES = {0: "replicated", 1: "zero_1", 2: "zero_2", 3: "zero_3"}
_OPTIMIZERS = {
    "adamw": "adamw", "adam": "adam", "sgd": "sgd", "lion": "lion", "adagrad": "adagrad"
}  # fmt: skip
_PLACES = {"cpu": "host", "nvme": "nvme", "none": "none"}
_SIZES = {
    "reduce_bucket_size": ("sharding.reduce_bucket_size", 500_000_000),
    "allgather_bucket_size": ("sharding.allgather_bucket_size", 500_000_000),
}
_ZERO_3_SIZES = {
    "sub_group_size": ("sharding.sub_group_size", 1_000_000_000),
    "prefetch_bucket_size": ("sharding.prefetch_bucket_size", 50_000_000),
    "param_persistence_threshold": ("sharding.param_persistence_threshold", 100_000),
    "max_live_parameters": ("sharding.max_live_parameters", 1_000_000_000),
    "max_reuse_distance": ("sharding.max_reuse_distance", 1_000_000_000),
}


def read(keys: Keys, base: Plan, origin: str) -> Imported:
    """The plan of a JSON for ``deepspeed``; what the script decides stays as in ``base``."""
    found = Found(trainer="deepspeed", title=TITLE, base=base)
    found.values["training.zero_grad"] = "after_step"
    read_deepspeed(keys, found, of_trainer=False)
    found.notes.append(
        "Sequence, adapters, checkpointing and attention are the script's; they stay as planned."
    )
    if base.sharding.ranks == 1:
        found.notes.append(NO_COUNT)
    return found.imported(keys, _ASIDE, origin)


def read_deepspeed(keys: Keys, found: Found, *, of_trainer: bool) -> None:
    """Batch, precision, optimizer and ZeRO; ``auto`` is left to the trainer around it."""
    for name in ("bf16", "fp16", "zero_optimization", "optimizer"):
        if _is_auto(keys, name):
            found.notes.append(f"{name} is auto in the DeepSpeed configuration; left as it is.")
    if not of_trainer:
        _read_batch(keys, found)
    else:
        keys.take("train_micro_batch_size_per_gpu", "gradient_accumulation_steps",
                  "train_batch_size", "zero_allow_untested_optimizer",
                  "zero_force_ds_cpu_optimizer", "gradient_clipping", "steps_per_print",
                  "wall_clock_breakdown")  # fmt: skip
    _read_precision(keys, found, of_trainer=of_trainer)
    if not _is_auto(keys, "zero_optimization"):
        _read_zero(keys.part("zero_optimization"), found)
    if not _is_auto(keys, "optimizer"):
        _read_optimizer(keys.part("optimizer"), found)


def _read_batch(keys: Keys, found: Found) -> None:
    micro = _number(keys, "train_micro_batch_size_per_gpu")
    steps = _number(keys, "gradient_accumulation_steps")
    whole = _number(keys, "train_batch_size")
    ranks = found.base.sharding.ranks
    if micro is None and whole is not None:
        micro = max(1, whole // ((steps or 1) * ranks))
    if steps is None and whole is not None and micro is not None:
        steps = max(1, whole // (micro * ranks))
    if micro is not None:
        found.values["training.batch_size"] = micro
    if steps is not None or micro is not None:
        found.values["training.gradient_accumulation_steps"] = steps or 1


def _read_precision(keys: Keys, found: Found, *, of_trainer: bool) -> None:
    on = {name: keys.part(name) for name in ("bf16", "fp16") if not _is_auto(keys, name)}
    words = {name: part.word("enabled", default="false").lower() for name, part in on.items()}
    for part in on.values():
        part.take("auto_cast", "loss_scale", "initial_scale_power", "loss_scale_window",
                  "hysteresis", "min_loss_scale", "consecutive_hysteresis")  # fmt: skip
    if of_trainer or len(on) < 2 or "auto" in words.values():
        return
    mixed = [f"{name}_mixed" for name, word in words.items() if word == "true"]
    if mixed or found.base.precision in ("bf16_mixed", "fp16_mixed"):
        found.values["precision"] = mixed[0] if mixed else "fp32"


def _read_optimizer(part: Keys, found: Found) -> None:
    kind = part.word("type")
    if not kind:
        return
    parameters = part.part("params")
    values, name = found.values, kind.lower()
    if name not in _OPTIMIZERS:
        parameters.take(*[key for key, _ in list(parameters.left())])
        found.no_place.append(f"DeepSpeed's optimizer {shown(kind)} has no place in a plan.")
        return
    name = _OPTIMIZERS[name]
    own = parameters.flag("torch_adam")
    decoupled = parameters.flag("adam_w_mode", default=True)
    if name in ("adamw", "adam"):
        name = "adamw" if decoupled else "adam"
        fused = not own
    else:
        fused = parameters.flag("fused") and name != "lion"
    walk = parameters.take("foreach")
    values["optimizer.name"] = name
    if values.get("sharding.offload_optimizer", "none") == "none":  # else it is DeepSpeed's own
        values["optimizer.implementation"] = (
            "fused" if fused else "auto" if walk is None else "foreach" if walk else "for_loop"
        )
    for key, named in (
        ("lr", "optimizer.learning_rate"), ("weight_decay", "optimizer.weight_decay")
    ):  # fmt: skip
        if parameters.take(key) not in (None, "auto"):
            values[named] = parameters.number(key)
    momentum = parameters.number("momentum")
    if momentum is not None:
        values["optimizer.momentum"] = momentum
    parameters.take("betas", "eps")


def _read_zero(part: Keys, found: Found) -> None:
    stage = _number(part, "stage") or 0
    if stage not in _STAGES:
        raise part.wrong("stage", stage, "0, 1, 2 or 3")
    values = found.values
    values["sharding.data"] = _STAGES[stage]
    if not stage:
        part.take(*[name.rpartition(".")[2] for name, _ in list(part.left())])
        return
    values["sharding.engine"] = "deepspeed"
    sizes = {**_SIZES, **(_ZERO_3_SIZES if stage == 3 else {})}
    for name, (key, usual) in sizes.items():
        given = _number(part, f"stage3_{name}", name)
        values[key] = usual if given is None else given
    for name in _ZERO_3_SIZES if stage < 3 else ():
        part.take(f"stage3_{name}", name)
    overlap = part.take("overlap_comm")
    values["sharding.overlap_comm"] = "auto" if overlap is None else "on" if overlap else "off"
    values["sharding.contiguous_gradients"] = part.flag("contiguous_gradients", default=True)
    part.take("allgather_partitions", "reduce_scatter", "stage3_gather_16bit_weights_on_model_save",
              "gather_16bit_weights_on_model_save", "round_robin_gradients")  # fmt: skip
    for name, key in (
        ("offload_optimizer", "sharding.offload_optimizer"),
        ("offload_param", "sharding.offload_parameters"),
    ):
        place = part.part(name)
        word = place.word("device", default="none")
        if word not in _PLACES:
            raise place.wrong("device", word, "none, cpu or nvme")
        values[key] = _PLACES[word]
        place.take("pin_memory", "nvme_path", "buffer_count", "fast_init")


def _is_auto(keys: Keys, name: str) -> bool:
    """Whether a whole part is left to the trainer."""
    return bool(keys.take(name) == "auto")


def _number(keys: Keys, *names: str) -> int | None:
    """A whole number, or None where the trainer is to fill it in."""
    value = keys.take(*names)
    return None if value in (None, "auto") else keys.whole(*names)
