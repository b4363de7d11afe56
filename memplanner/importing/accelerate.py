"""accelerate's YAML as a plan.

Keys are those of ``accelerate/commands/config/config_args.py: ClusterConfig``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from memplanner.importing.cards import read_fsdp
from memplanner.importing.deepspeed import read_deepspeed
from memplanner.importing.found import Found
from memplanner.importing.imported import Imported
from memplanner.importing.keys import Keys, shown
from memplanner.importing.reading import parse_values
from memplanner.importing.torchtitan import ROTATIONS
from memplanner.plan import Plan

TITLE = "Accelerate"
_ASIDE = re.compile(
    r"compute_environment|debug|gpu_ids|machine_rank|main_training_function|main_process_\w+|"
    r"rdzv_\w+|same_network|tpu_\w+|use_cpu|enable_cpu_affinity|downcast_bf16|"
    r"deepspeed_config\.(zero3_init_flag|deepspeed_multinode_launcher|gradient_clipping|"
    r"zero3_save_16bit_model|offload_\w+_nvme_path|deepspeed_moe_layer_cls_names)|"
    r"fsdp_config\.\w*(offload_params|activation_checkpointing)"
)


def read(keys: Keys, base: Plan, origin: str, beside: Mapping[str, str]) -> Imported:
    """Cards and precision; everything else is the script's and stays as in ``base``."""
    kind = keys.word("distributed_type", default="NO").upper()
    machines = keys.whole("num_machines", default=1) or 1
    ranks = keys.whole("num_processes", default=1) or 1
    if ranks % machines:
        raise keys.wrong("num_processes", ranks, f"a multiple of {machines} machines")
    cards = {"nodes": machines, "cards_per_node": ranks // machines}
    started, section = base, base.sharding
    if section.ranks != ranks:  # its degrees are of other cards
        kept = {name: getattr(section, name) for name in ("card_link", "node_link")}
        started = Plan.parse({**base.to_dict(), "sharding": {**kept, **cards}}, origin=origin)
    found = Found(trainer="accelerate", title=TITLE, base=started)
    values = found.values
    values |= {f"sharding.{name}": value for name, value in cards.items()}
    _read_precision(keys, found)
    if kind == "FSDP":
        read_fsdp(keys, found, on=True)
        _read_degrees(keys, found)
        values["sharding.engine"] = "torch"
    elif kind == "DEEPSPEED":
        _read_deepspeed(keys, found, beside)
    elif kind in ("NO", "MULTI_GPU", "MULTI_CPU", "MULTI_XPU", "MULTI_NPU"):
        if ranks > 1:
            values["sharding.data"] = "replicated"
    else:
        found.no_place.append(f"distributed_type: {shown(kind)} has no place in a plan.")
    if keys.take("dynamo_config"):
        values["compilation.mode"] = "blocks"
        found.notes.append("The whole model is compiled; each of its blocks is planned so.")
    found.notes.append("Everything but cards and precision is the script's; it stays as planned.")
    return found.imported(keys, _ASIDE, origin)


def _read_precision(keys: Keys, found: Found) -> None:
    word = keys.word("mixed_precision", default="no").lower()
    stored = found.base.precision
    half = stored in ("bf16", "fp16", "bf16_autocast")
    if word in ("bf16", "fp16"):
        if stored != f"{word}_autocast":
            found.values["precision"] = f"{word}_mixed"
    elif word in ("no", "false"):
        if not half:
            found.values["precision"] = "fp32"
    else:
        found.no_place.append(f"mixed_precision: {shown(word)} has no place in a plan.")


def _read_degrees(keys: Keys, found: Found) -> None:
    part = keys.part("parallelism_config")
    for name, key in (
        ("dp_replicate_size", "sharding.replicas"),
        ("tp_size", "sharding.tensor"),
        ("cp_size", "sharding.context"),
    ):
        size = part.whole(f"parallelism_config_{name}", default=1)
        found.values[key] = size
    part.take("parallelism_config_dp_shard_size")
    rotation = part.word("parallelism_config_cp_comm_strategy", default="allgather")
    if rotation in ROTATIONS:
        found.values["sharding.context_rotation"] = ROTATIONS[rotation]
    else:
        found.no_place.append(f"The rotation {shown(rotation)} has no place in a plan.")


def _read_deepspeed(keys: Keys, found: Found, beside: Mapping[str, str]) -> None:
    part = keys.part("deepspeed_config")
    values = found.values
    named = part.word("deepspeed_config_file")
    if named:
        text = beside.get(named.replace("\\", "/").rpartition("/")[2])
        if text is None:
            found.no_place.append(
                f"The DeepSpeed configuration {named} does not lie beside the file; put it there."
            )
            return
        read_deepspeed(Keys(parse_values(text, named), named), found, of_trainer=False)
        return
    stage = part.whole("zero_stage", default=2)
    values["sharding.engine"] = "deepspeed" if stage else "torch"
    values["sharding.data"] = f"zero_{stage}" if stage else "replicated"
    steps = part.whole("gradient_accumulation_steps")
    if steps is not None:
        values["training.gradient_accumulation_steps"] = steps
    for name, key in (("optimizer", "optimizer"), ("param", "parameters")):
        place = part.word(f"offload_{name}_device", default="none")
        values[f"sharding.offload_{key}"] = {"cpu": "host"}.get(place, place)
