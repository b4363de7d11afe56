"""Cards in the words of transformers' trainer: DDP, FSDP and DeepSpeed.

``transformers/training_args.py: _process_fsdp_args``, ``transformers/trainer.py`` for when
gradients are reduced.
"""

from __future__ import annotations

from collections.abc import Mapping

from memplanner.importing.deepspeed import read_deepspeed
from memplanner.importing.found import NO_COUNT, Found
from memplanner.importing.keys import Keys
from memplanner.importing.reading import parse_values

_FSDP_ASIDE = (
    "auto_wrap_policy", "transformer_layer_cls_to_wrap", "transformer_cls_names_to_wrap",
    "min_num_params", "state_dict_type", "final_state_dict_type", "cpu_ram_efficient_loading",
    "sync_module_states", "limit_all_gathers", "backward_prefetch", "xla", "xla_fsdp_v2",
    "xla_fsdp_grad_ckpt",
)  # fmt: skip
"""Of how units are cut and saved: a plan shards each repeated block."""


def read_fsdp(
    keys: Keys, found: Found, *, on: bool, version: int | None = None, offloads: bool = False
) -> None:
    """``fsdp_config``, whose keys may begin with ``fsdp_``.

    ``offloads``: the file says elsewhere that shares lie in host memory.
    """
    config = keys.part("fsdp_config")

    def names(name: str) -> tuple[str, str]:
        return name, f"fsdp_{name}"

    if not on:
        return
    for name in _FSDP_ASIDE:
        config.take(*names(name))
    stated = config.whole(*names("version"))
    older = (version or stated or 2) == 1
    reshard = config.word(*names("reshard_after_forward"), default="true").lower()
    strategy = config.word(*names("sharding_strategy")).lower()
    whole = reshard in ("false", "shard_grad_op", "no_shard") or strategy in ("shard_grad_op", "2")
    found.values["sharding.data"] = "zero_2" if whole else "zero_3"
    found.values["sharding.prefetch"] = 0
    if older or config.flag(*names("use_orig_params")):
        config.take(*names("use_orig_params"), *names("forward_prefetch"))
        if older:
            found.notes.append("It asks for FSDP1; FSDP2 is planned, whose gathers are smaller.")
    if config.flag(*names("activation_checkpointing")):
        found.values["activation_checkpointing.policy"] = "full"
    offloads |= config.flag(*names("cpu_offload"), *names("offload_params"))
    # axolotl's; without a word accelerate makes torch's CPUOffloadPolicy(), which pins
    pinned = config.flag(*names("cpu_offload_pin_memory"), default=True)
    _place_shares(found, offloads=offloads, pinned=pinned)


def _place_shares(found: Found, *, offloads: bool, pinned: bool) -> None:
    """Where FSDP2 keeps what it has shared out, where there are cards to share it."""
    section = found.base.sharding
    machines = found.values.get("sharding.nodes", section.nodes)
    per_machine = found.values.get("sharding.cards_per_node", section.cards_per_node)
    if int(str(machines)) * int(str(per_machine)) > 1:
        place = "host" if offloads else "none"
        found.values |= {"offload.parameters": place, "offload.optimizer": place}
        if offloads:
            found.values["offload.pin_memory"] = pinned
    elif offloads:
        found.no_place.append(
            "FSDP's offload to host memory has no place in a plan for one card; its parameters and "
            "states are planned on the card."
        )


def read_trainer_cards(
    keys: Keys,
    found: Found,
    accumulation: int,
    beside: Mapping[str, str],
    *,
    by_config: bool = False,
) -> None:
    """``fsdp``, ``deepspeed``, DDP's buckets, and when gradients are reduced.

    ``by_config``: the trainer shards where ``fsdp_config`` stands, whatever ``fsdp`` says.
    """
    word = keys.word("fsdp").lower()
    if by_config and "fsdp_config" in keys and word in ("", "false"):
        word = "true"
    on = word not in ("", "false")
    # the older form, such as ``full_shard auto_wrap``
    parts = word.replace("[", "").replace("]", "").replace(",", " ").split()
    version = keys.whole("fsdp_version")
    read_fsdp(keys, found, on=on, version=version, offloads="offload" in parts)
    if on and word != "true" and "shard_grad_op" in word:
        found.values["sharding.data"] = "zero_2"
    read_ddp(keys, found)
    section = found.base.sharding
    each = keys.part("accelerator_config").part("gradient_accumulation_kwargs")
    each_one = each.flag("sync_each_batch")
    engine = keys.take("deepspeed")
    if engine is not None:
        values = engine if isinstance(engine, Mapping) else _beside(str(engine), found, beside)
        if values is not None:
            part = Keys(values, "the DeepSpeed configuration", "deepspeed.")
            read_deepspeed(part, found, of_trainer=True)
            found.no_place += [f"{name} has no place in a plan." for name, _ in part.left()]
    elif accumulation > 1 and section.ranks > 1:
        found.values["sharding.reduction"] = "each_micro_batch" if each_one else "last_micro_batch"
    if (on or engine is not None) and section.ranks == 1:
        found.notes.append(NO_COUNT)


def read_ddp(keys: Keys, found: Found) -> None:
    """The buckets of DistributedDataParallel."""
    bucket = keys.whole("ddp_bucket_cap_mb")
    if bucket:
        found.values["sharding.bucket_mib"] = bucket
    if keys.flag("ddp_static_graph"):
        found.values["sharding.static_graph"] = True
    keys.take("ddp_find_unused_parameters", "ddp_broadcast_buffers")


def _beside(name: str, found: Found, beside: Mapping[str, str]) -> Mapping[str, object] | None:
    text = beside.get(name.replace("\\", "/").rpartition("/")[2])
    if text is None:
        found.no_place.append(
            f"The DeepSpeed configuration {name} does not lie beside the file; put it there."
        )
        return None
    return parse_values(text, name)
