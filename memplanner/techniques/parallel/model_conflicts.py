"""Which plans cannot share parameters, split layers, deal out experts or share a sequence."""

from __future__ import annotations

from collections.abc import Iterator

from memplanner.plan import Plan
from memplanner.techniques.inference import trains
from memplanner.techniques.parallel.context_conflicts import (
    conflicts_with_context,
    divided_lengths,
)
from memplanner.techniques.target import Target


def conflicts_with_splitting(plan: Plan, target: Target) -> Iterator[str]:
    """Sentences, each with the nearest choice that can be carried out."""
    section = plan.sharding
    yield from _with_shares(plan)
    if section.sequence_parallel and section.tensor == 1:
        yield (
            "sharding.sequence_parallel=true splits over the cards of tensor parallelism, and "
            "sharding.tensor is 1; choose sharding.sequence_parallel=false."
        )
    if section.loss_parallel and not (section.tensor > 1 and trains(plan)):
        yield (
            "sharding.loss_parallel=true splits the loss of training over the cards of tensor "
            "parallelism; choose sharding.loss_parallel=false, or sharding.tensor=2 and "
            "inference.use=training."
        )
    if section.tensor > 1:
        yield from _with_layers(plan)
    if section.expert > 1:
        yield from _with_experts(plan)
    if section.tensor > 1 or section.expert > 1:
        yield from _with_parts(plan)
    yield from conflicts_with_context(plan, target)


def _with_shares(plan: Plan) -> Iterator[str]:
    """What FSDP2 alone can do, and what it cannot."""
    section = plan.sharding
    if not section.takes_effect("replicas"):
        if section.replicas > 1:
            yield (
                f"sharding.replicas={section.replicas} are copies that lie in shares, and "
                f"sharding.data={section.data} has none; choose sharding.replicas=1, or "
                "sharding.data=zero_2 or zero_3."
            )
        return


def _with_layers(plan: Plan) -> Iterator[str]:
    section = plan.sharding
    length = plan.training.sequence_length
    if section.sequence_parallel and section.context == 1 and length % section.tensor:
        choices = divided_lengths(length, section.tensor)
        yield (
            f"sharding.sequence_parallel=true needs a sequence that sharding.tensor="
            f"{section.tensor} divides, and training.sequence_length is {length}; choose {choices}."
        )


def _with_experts(plan: Plan) -> Iterator[str]:
    section = plan.sharding
    if section.data not in {"zero_2", "zero_3"}:
        yield (
            f"sharding.expert={section.expert} needs gradients that are shared out by FSDP2, and "
            f"sharding.data is {section.data}; choose zero_2 or zero_3."
        )
    for name in ("replicas", "pipeline"):
        if getattr(section, name) > 1:
            yield (
                f"sharding.expert={section.expert} cannot be joined with sharding.{name}="
                f"{getattr(section, name)}; choose sharding.{name}=1, or sharding.expert=1."
            )


def _with_parts(plan: Plan) -> Iterator[str]:
    """What works on whole layers."""
    by = "sharding.tensor" if plan.sharding.tensor > 1 else "sharding.expert"
    whole: dict[str, tuple[str, str]] = {
        "adapters.method": (plan.adapters.method, "none"),
        "quantization.method": (plan.quantization.method, "none"),
        "loss.method": (plan.loss.method, "whole"),
        "optimizer.projection": (plan.optimizer.projection, "none"),
        "activation_offload.to": (plan.activation_offload.to, "none"),
    }
    if plan.pruning.structure != "structured":
        whole["pruning.structure"] = (plan.pruning.structure, "none")
    if plan.optimizer.implementation not in {"auto", "for_loop", "foreach", "fused"}:
        whole["optimizer.implementation"] = plan.optimizer.implementation, "auto"
    for name, (chosen, possible) in whole.items():
        if chosen != possible:
            yield (
                f"{name}={chosen} works on whole layers, which {by} splits; choose "
                f"{name}={possible}, or {by}=1."
            )
