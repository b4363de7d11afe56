"""The target ``torchtitan``: a shell file that starts a run with the plan's flags.

Flags are those of torchtitan 0.3 (``config/configs.py``; ``python -m torchtitan.train``).
"""

from __future__ import annotations

from memplanner.errors import ExportError
from memplanner.export.target import Subject
from memplanner.export.trainer import TrainerTarget
from memplanner.importing.torchtitan import MODELS
from memplanner.importing.torchtitan_stages import SEVERAL, USUAL_WEIGHT, weights_of
from memplanner.messages.protocol import ExportedFile
from memplanner.model.loaded import Model
from memplanner.model.presets import PREFIX
from memplanner.plan import Plan
from memplanner.plan.sharding import Sharding
from memplanner.techniques.parallel.shares_on_host import shares_lie_on_host

_SCHEDULES = {"1f1b": "1F1B", "gpipe": "GPipe", "interleaved_1f1b": "Interleaved1F1B",
              "zero_bubble": "InterleavedZeroBubble"}  # fmt: skip
_WALKS = {"fused": "fused", "foreach": "foreach", "for_loop": "for-loop"}


class Torchtitan(TrainerTarget):
    """Batch, precision, checkpointing, compilation and every kind of parallelism."""

    name = "torchtitan"
    title = "torchtitan"
    explanation = "A shell file of flags, for pretraining over many cards."
    file_name = "torchtitan.sh"
    opens = False
    order = 16
    elsewhere = {  # noqa: RUF012  (a ClassVar of the base)
        "training.outputs": "torchtitan drops outputs with the loss",
        "training.zero_grad": "torchtitan clears gradients before the step",
        "loss.method": "torchtitan computes the loss in chunks",
        "optimizer.name": "torchtitan's configurations train with AdamW",
        "optimizer.learning_rate": "it stands in the configuration's param_groups",
        "optimizer.weight_decay": "it stands in the configuration's param_groups",
        "sharding.data": "torch's ZeRO-1 is carried by the target script",
        "adapters.method": "add a LoRA converter to the configuration in torchtitan's registry",
    }

    def check_model(self, model: Model) -> None:
        """Takes the models that torchtitan has itself."""
        if model.source.removeprefix(PREFIX) not in MODELS:
            raise ExportError(
                f"torchtitan trains models of its own, and {model.name} is none of them; open one "
                f"of {', '.join(PREFIX + name for name in MODELS)}, or choose the target script."
            )

    def left_out(self, subject: Subject) -> frozenset[str]:
        """The learning rate and the decay, where they are not the plan's first ones."""
        usual, section = Plan().optimizer, subject.plan.optimizer
        return frozenset(
            f"optimizer.{name}"
            for name in ("learning_rate", "weight_decay")
            if getattr(section, name) != getattr(usual, name)
        )

    def body(self, subject: Subject) -> str:
        """The command. Raises ``ExportError`` where DeepSpeed is planned."""
        plan = subject.plan
        if plan.sharding.deepspeed:
            raise ExportError(
                "torchtitan shards by FSDP2, and sharding.engine=deepspeed is planned; choose "
                "sharding.engine=torch."
            )
        section = plan.sharding
        flags = [*_model(subject.model), *_batch(plan), *_precision(plan), *_cards(plan)]
        if shares_lie_on_host(plan):
            flags.append("--training.enable_cpu_offload")
        flags += ["--optimizer.implementation", _WALKS.get(plan.optimizer.implementation, "fused")]
        if plan.loss.method != "whole":
            flags += ["--loss.num_chunks", str(plan.loss.chunks)]
        compiled, recomputed = _compilation(plan)
        start = f"torchrun --nnodes {section.nodes} --nproc_per_node {section.cards_per_node}"
        lines = [start, "    -m torchtitan.train"]
        lines += [f"    {line}" for line in _by_flag([*flags, *compiled])]
        # options of the run go before the subcommand
        lines += ['    "$@"', f"    {' '.join(recomputed)}"]
        return "set -euo pipefail\n" + " \\\n".join(lines) + "\n"

    def beside(self, subject: Subject) -> tuple[ExportedFile, ...]:
        """Its flags name no file."""
        return ()

    def launch(self, subject: Subject) -> str:
        """On every machine."""
        more = ", on each machine with its rendezvous options" * (subject.plan.sharding.nodes > 1)
        return f"bash {self.file_name}{more}"


def _by_flag(flags: list[str]) -> list[str]:
    """Each flag with its value on a line."""
    lines: list[str] = []
    for word in flags:
        if word.startswith("--"):
            lines.append(word)
        else:
            lines[-1] += f" {word}"
    return lines


def _model(model: Model) -> list[str]:
    module, config = MODELS[model.source.removeprefix(PREFIX)]
    return ["--module", module, "--config", config]


def _batch(plan: Plan) -> list[str]:
    training, section = plan.training, plan.sharding
    steps = training.gradient_accumulation_steps
    staged = section.pipeline > 1
    local = training.batch_size * (steps if staged else 1)
    whole = training.batch_size * steps * section.data_degree
    flags = ["--training.seq_len", str(training.sequence_length)]
    flags += ["--training.local_batch_size", str(local), "--training.global_batch_size", str(whole)]
    if staged:
        flags += ["--parallelism.pipeline_parallel_microbatch_size", str(training.batch_size)]
    return flags


def _precision(plan: Plan) -> list[str]:
    half = plan.precision in ("bf16", "bf16_autocast", "fp16")
    computed = plan.precision not in ("fp32", "bf16") or (
        plan.precision == "bf16" and plan.sharding.fully_sharded
    )
    return [
        "--training.dtype", "bfloat16" if half else "float32",
        "--training.mixed_precision_param", "bfloat16" if computed else "float32",
    ]  # fmt: skip


def _cards(plan: Plan) -> list[str]:
    section = plan.sharding
    sharded = section.data in ("zero_2", "zero_3")
    replicas = section.replicas if sharded else section.data_degree
    shard = section.data_degree // replicas
    flags = [
        "--parallelism.data_parallel_replicate_degree", str(replicas),
        "--parallelism.data_parallel_shard_degree", str(shard),
    ]  # fmt: skip
    if sharded:
        word = "always" if section.data == "zero_3" else "never"
        flags += ["--parallelism.fsdp_reshard_after_forward", word]
    for name, degree in (
        ("tensor", section.tensor),
        ("context", section.context),
        ("pipeline", section.pipeline),
        ("expert", section.expert),
    ):
        if degree > 1:
            flags += [f"--parallelism.{name}_parallel_degree", str(degree)]
    if section.tensor > 1 and not section.sequence_parallel:
        flags.append("--parallelism.no-enable-sequence-parallel")
    if section.pipeline > 1:
        flags += ["--parallelism.pipeline_parallel_schedule", _SCHEDULES[section.schedule]]
        flags += _stages(section)
        flags.append("--training.disable_cuda_graphs")
    return flags


def _stages(section: Sharding) -> list[str]:
    """How the blocks are dealt out, where torchtitan can be told to."""
    weights = weights_of(section.stage_blocks) if section.stage_blocks else None
    first, last = (USUAL_WEIGHT, USUAL_WEIGHT) if weights is None else weights
    flags: list[str] = []
    for end, weight in (("first", first), ("last", last)):
        if weight != USUAL_WEIGHT:
            flags += [f"--parallelism.pipeline_parallel_{end}_stage_less_layers", str(weight)]
    stages = len(section.stage_blocks)
    if weights is not None and stages > SEVERAL * section.pipeline:
        each = -(-(sum(section.stage_blocks) + first + last) // stages)
        flags += ["--parallelism.pipeline_parallel_layers_per_stage", str(each)]
    return flags


def _compilation(plan: Plan) -> tuple[list[str], list[str]]:
    """Flags of ``compile``, and the subcommand that says what is recomputed."""
    section, policy = plan.compilation, plan.activation_checkpointing.policy
    flags = []
    if section.mode == "blocks":
        flags = ["--compile.enable", "--compile.backend", section.backend]
        if section.memory_budget < 1 and policy == "none":
            budget = ["--activation-checkpoint.memory-budget", repr(section.memory_budget)]
            return flags, ["activation-checkpoint:memory-budget", *budget]
    word = policy if policy in ("none", "selective") else "full"
    return flags, [f"activation-checkpoint:{word}"]
