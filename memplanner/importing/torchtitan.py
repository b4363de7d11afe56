"""The flags of a torchtitan run as a plan.

Keys and defaults are those of torchtitan 0.3 (``config/configs.py``, ``trainer.py``,
``distributed/activation_checkpoint.py``, ``components/loss.py``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from memplanner.importing.found import Found, ruled
from memplanner.importing.imported import Imported
from memplanner.importing.keys import Keys, shown
from memplanner.importing.torchtitan_stages import (
    SEVERAL,
    USUAL_WEIGHT,
    blocks_of_stages,
)
from memplanner.plan import Plan

TITLE = "torchtitan"
LOOP = {
    "training.outputs": "until_loss",
    "training.zero_grad": "before_forward",
    "loss.method": "chunked",
    "loss.chunks": 8,
}
"""``trainer.py: train_step``, ``components/loss.py: ChunkedLossWrapper``."""
MODELS = {
    "llama-3.1-8b": ("llama3", "llama3_8b"),
    "llama-3.1-70b": ("llama3", "llama3_70b"),
    "llama-3.1-405b": ("llama3", "llama3_405b"),
}
"""By preset: torchtitan's module and configuration."""
USUAL: dict[str, dict[str, Any]] = {
    "llama3_8b": {"batch": 1, "sequence": 8192, "policy": "selective", "blocks": 32},
    "llama3_70b": {"batch": 8, "sequence": 8192, "policy": "full", "blocks": 80},
    "llama3_405b": {"batch": 2, "sequence": 8192, "policy": "full", "blocks": 126},
}
"""What the configurations themselves say (``models/llama3/config_registry.py``)."""
KEPT = ("attention", "every_second_mm")
"""Operations of torchtitan's selective checkpointing that a plan can name."""
SCHEDULES = {
    "1f1b": "1f1b", "gpipe": "gpipe", "interleaved1f1b": "interleaved_1f1b",
    "interleavedzerobubble": "zero_bubble", "zbvzerobubble": "zero_bubble",
}  # fmt: skip
_SEVERAL = frozenset({"interleaved_1f1b", "zero_bubble"})
ROTATIONS = {"allgather": "all_gather", "alltoall": "all_to_all"}
"""torch's words, and accelerate's and torchtitan's up to 0.2; torchtitan 0.3 always gathers
(``models/common/decoder_sharding.py``)."""
_WALKS = {"fused": "fused", "foreach": "foreach", "for_loop": "for_loop"}
_ASIDE = re.compile(
    r"(metrics|checkpoint|profiler|profiling|dataloader|lr_scheduler|validator|debug|comm|"
    r"tokenizer|hf_assets_path|dump_folder|job|print_config)(\..*|_\w*)?|"
    r"training\.(steps|max_norm|gc_freq|gc_debug|dataset\w*|mixed_precision_reduce|"
    r"disable_cuda_graphs)|"
    r"parallelism\.(context_parallel_(load_balancer|ptrr_mask_key)|spmd_backend)|"
    r"compile\.(components|backend)|activation_checkpoint\.(preserve_rng_state|determinism_check|"
    r"debug|early_stop)"
)
_FLAG = re.compile(r"--(no[-_])?([A-Za-z_][\w.\-]*)(?:=(.*))?", re.DOTALL)


def read(words: Sequence[str], base: Plan, origin: str) -> Imported:
    """The plan of a command line; without a known configuration torchtitan's own defaults."""
    launched, flags, policy = _parse(words)
    keys = Keys(flags, origin)
    found = Found(trainer="torchtitan", title=TITLE, base=ruled(base, LOOP))
    module, config = keys.word("module"), keys.word("config")
    found.model = next((f"preset:{name}" for name, pair in MODELS.items() if pair[1] == config), "")
    if config and not found.model:
        found.notes.append(
            f"The model {module} {config} is not known here by that name; open it yourself."
        )
    _read_cards(keys, found, launched)
    _read_inside(keys, found)
    _read_stages(keys, found, int(USUAL.get(config, {}).get("blocks", 0)))
    _read_batch(keys, found, config)
    _read_checkpointing(keys, found, policy or str(USUAL.get(config, {}).get("policy", "none")))
    _read_precision(keys, found)
    walk = keys.word("optimizer.implementation", default="fused").replace("-", "_")
    found.values["optimizer.implementation"] = _WALKS.get(walk, "fused")
    if walk not in _WALKS:
        found.no_place.append(f"optimizer.implementation: {shown(walk)} has no place in a plan.")
    section = base.optimizer
    found.values["optimizer.learning_rate"] = section.learning_rate
    found.values["optimizer.weight_decay"] = section.weight_decay
    found.values["loss.chunks"] = keys.whole("loss.num_chunks", default=8)
    if keys.flag("compile.enable"):
        found.values["compilation.mode"] = "blocks"
        backend = keys.word("compile.backend", default="inductor")
        if backend in ("inductor", "aot_eager_decomp_partition"):
            found.values["compilation.backend"] = backend
        else:
            found.no_place.append(f"compile.backend: {shown(backend)} has no place in a plan.")
    _read_offload(keys, found)
    return found.imported(keys, _ASIDE, origin)


def _parse(words: Sequence[str]) -> tuple[dict[str, str], dict[str, object], str]:
    """What torchrun is told, torchtitan's flags, and the policy of checkpointing."""
    launched: dict[str, str] = {}
    flags: dict[str, object] = {}
    policy, rest = "", list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith(("activation-checkpoint:", "activation_checkpoint:")):
            policy = word.partition(":")[2].replace("_", "-")
            continue
        match = _FLAG.fullmatch(word)
        if match is None:
            continue
        negated, name, value = match.groups()
        name = name.replace("-", "_")
        if value is None:
            follows = bool(rest) and not rest[0].startswith("--") and ":" not in rest[0]
            value = rest.pop(0) if follows and name != "compile.enable" else ""
        tail = name.rpartition(".")[2]
        if tail.startswith("no_") and not value:  # as tyro writes it: --training.no-gc-debug
            negated, name = "no", f"{name.rpartition('.')[0]}.{tail[3:]}"
        if name in ("nnodes", "nproc_per_node"):
            launched[name] = value
        else:
            flags[name] = value if value else negated is None
    known = {name: value for name, value in flags.items() if "." in name or name in _WHOLE}
    return launched, known, policy


_WHOLE = ("module", "config")


def _read_cards(keys: Keys, found: Found, launched: dict[str, str]) -> None:
    values, section = found.values, found.base.sharding
    nodes = _count(launched.get("nnodes"), section.nodes)
    per_node = _count(launched.get("nproc_per_node"), section.cards_per_node)
    values["sharding.nodes"], values["sharding.cards_per_node"] = nodes, per_node

    def degree(name: str) -> int:
        return keys.whole(f"parallelism.{name}", default=1) or 1

    replicas = degree("data_parallel_replicate_degree")
    tensor, context = degree("tensor_parallel_degree"), degree("context_parallel_degree")
    pipeline, expert = degree("pipeline_parallel_degree"), degree("expert_parallel_degree")
    shard = keys.whole("parallelism.data_parallel_shard_degree", default=-1) or -1
    if shard == -1:
        shard = max(1, nodes * per_node // (replicas * tensor * context * pipeline))
    whole = shard * replicas * tensor * context * pipeline
    if whole != nodes * per_node:
        values["sharding.nodes"] = max(1, whole // 8) if whole % 8 == 0 else 1
        values["sharding.cards_per_node"] = whole // values["sharding.nodes"]
    values |= {"sharding.tensor": tensor, "sharding.context": context,
               "sharding.pipeline": pipeline, "sharding.expert": expert}  # fmt: skip
    reshard = keys.word("parallelism.fsdp_reshard_after_forward", default="default")
    keeps = reshard == "never" or (reshard == "default" and pipeline > 1)
    if shard * context > 1:
        values["sharding.data"] = "zero_2" if keeps else "zero_3"
        values["sharding.replicas"] = replicas
    elif replicas > 1:
        values["sharding.data"] = "replicated"


def _read_inside(keys: Keys, found: Found) -> None:
    """What cards do that hold parts of layers or of sequences.

    The head's logits stay where they are computed (``components/loss.py``); up to 0.2 a flag could
    say otherwise.
    """
    values = found.values
    together = keys.flag("parallelism.enable_sequence_parallel", default=True)
    whole = keys.flag("parallelism.disable_loss_parallel")
    if int(values["sharding.tensor"]) > 1:
        values["sharding.sequence_parallel"] = together
        values["sharding.loss_parallel"] = not whole
    rotation = keys.word("parallelism.context_parallel_rotate_method", default="allgather")
    if int(values["sharding.context"]) > 1:
        values["sharding.context_rotation"] = ROTATIONS.get(rotation, "all_gather")
        if rotation not in ROTATIONS:
            found.no_place.append(f"The rotation {shown(rotation)} has no place in a plan.")


def _read_stages(keys: Keys, found: Found, blocks: int) -> None:
    """The schedule of a pipeline, and how many of the model's blocks each stage gets, if known."""
    values, cards = found.values, int(found.values["sharding.pipeline"])
    name = keys.word("parallelism.pipeline_parallel_schedule", default="1F1B").lower()
    first, last = (
        keys.whole(f"parallelism.pipeline_parallel_{end}_stage_less_layers", default=USUAL_WEIGHT)
        for end in ("first", "last")
    )
    each = keys.whole("parallelism.pipeline_parallel_layers_per_stage", default=0) or 0
    if cards == 1:
        return
    if name not in SCHEDULES:
        found.no_place.append(f"The schedule {shown(name)} has no place in a plan.")
        return
    schedule = values["sharding.schedule"] = SCHEDULES[name]
    ends = max(first or 0, 0), max(last or 0, 0)
    stages = cards * (SEVERAL if schedule in _SEVERAL else 1)
    if each > 0 and blocks:
        stages = -(-(blocks + sum(ends)) // each)
    if schedule in _SEVERAL:
        values["sharding.stages_per_card"] = max(stages // cards, SEVERAL)
    values["sharding.stage_blocks"] = blocks_of_stages(blocks, stages, *ends) if blocks else ()


def _read_offload(keys: Keys, found: Found) -> None:
    """FSDP2's offload, which torchtitan lets pin what lies in host memory."""
    values = found.values
    asked = keys.flag("training.enable_cpu_offload")
    shares = str(values.get("sharding.data", "")) in ("zero_2", "zero_3")
    if asked and not shares:
        found.no_place.append(
            "Offload to host memory of parameters that are not shared out has no place in a plan; "
            "they are planned on the card."
        )
    place = "host" if asked and shares else "none"
    values |= {"offload.parameters": place, "offload.optimizer": place}
    if asked:
        values["offload.pin_memory"] = True


def _count(text: str | None, usual: int) -> int:
    """A number of machines or cards; torchrun also takes ranges and words, which are not known."""
    return int(text) if text is not None and text.isdecimal() and int(text) else usual


def _read_batch(keys: Keys, found: Found, config: str) -> None:
    usual = USUAL.get(config, {})
    values = found.values
    local = keys.whole("training.local_batch_size", default=int(usual.get("batch", 8))) or 1
    values["training.sequence_length"] = keys.whole(
        "training.seq_len", default=int(usual.get("sequence", 2048))
    )
    ranks = int(values["sharding.nodes"]) * int(values["sharding.cards_per_node"])
    split = int(values["sharding.tensor"]) * int(values["sharding.context"])
    data = max(1, ranks // (split * int(values["sharding.pipeline"])))
    whole = keys.whole("training.global_batch_size", default=-1) or -1
    micro = keys.whole("parallelism.pipeline_parallel_microbatch_size", default=1) or 1
    steps = 1 if whole < 1 else max(1, whole // (local * data))
    if int(values["sharding.pipeline"]) > 1:
        steps, local = steps * max(1, local // micro), micro
    values["training.batch_size"] = local
    values["training.gradient_accumulation_steps"] = steps


def _read_checkpointing(keys: Keys, found: Found, policy: str) -> None:
    values = found.values
    budget = keys.number("activation_checkpoint.memory_budget")
    keys.take("activation_checkpoint.force_recompute_mm_shapes_by_fqns")
    if policy == "memory-budget":
        values["compilation.memory_budget"] = 0.5 if budget is None else budget
    elif policy == "selective":
        values["activation_checkpointing.policy"] = "selective"
        values["activation_checkpointing.operations"] = KEPT
        found.notes.append(
            "torchtitan also keeps what other cards have sent; attention and every second product "
            "are planned."
        )
    elif policy in ("full", "none"):
        values["activation_checkpointing.policy"] = policy
    else:
        found.no_place.append(f"activation-checkpoint:{shown(policy)} has no place in a plan.")


def _read_precision(keys: Keys, found: Found) -> None:
    stored = keys.word("training.dtype", default="float32")
    computed = keys.word("training.mixed_precision_param", default="bfloat16")
    values = found.values
    ranks = int(values["sharding.nodes"]) * int(values["sharding.cards_per_node"])
    shares = str(values.get("sharding.data", "")).startswith("zero") and ranks > 1
    if stored == "float32":
        values["precision"] = "bf16_mixed" if computed == "bfloat16" else "fp32"
    elif computed == "bfloat16" and not shares:
        values["precision"] = "bf16_autocast"
    else:
        values["precision"] = "bf16"
        if shares and computed != "bfloat16":
            found.no_place.append("Parameters in bfloat16 that are gathered in float32 have no "
                                  "place in a plan; bf16 is planned.")  # fmt: skip
