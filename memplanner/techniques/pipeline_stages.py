"""Stages: of the whole model a rank keeps what its place in the pipeline needs, first of all."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from memplanner.plan import Plan
from memplanner.techniques.base import Situation, Technique
from memplanner.techniques.target import Target


class PipelineStages(Technique):
    """Cuts the rank's stages out of the model; the other techniques are applied to each."""

    name = "sharding"
    order = 5
    """First: what others see are stages."""
    stages = "together"

    def conflicts(self, plan: Plan, target: Target) -> Sequence[str]:
        """What stages cannot have."""
        section, training = plan.sharding, plan.training
        if section.pipeline == 1:
            return ()
        from memplanner.techniques.parallel.pipeline_micro_batches import refused

        reasons = []
        unsuited = refused(section, training.gradient_accumulation_steps)
        if unsuited:
            reasons.append(unsuited)
        in_buckets = section.data in {"replicated", "zero_1"} and section.data_degree > 1
        if section.schedule == "zero_bubble" and in_buckets:
            reasons.append(
                "sharding.schedule=zero_bubble computes gradients of weights apart, which DDP does "
                "not see; choose sharding.data=zero_2 or sharding.schedule=interleaved_1f1b."
            )
        if plan.precision == "fp16_mixed":
            reasons.append(
                "A loss scaler on one stage knows nothing of the others' gradients; choose "
                "precision=bf16_mixed or sharding.pipeline=1."
            )
        if plan.activation_checkpointing.policy == "budget":
            reasons.append(
                "A budget of activations is spent on the whole model; choose "
                "activation_checkpointing.policy=full or sharding.pipeline=1."
            )
        if section.data == "zero_1" and section.data_degree > 1:
            reasons.append(
                "ZeRO-1 deals out the parameters of the whole model, of which a stage has some; "
                "choose sharding.data=zero_2 or replicated."
            )
        if plan.pruning.structure == "structured" or plan.pruning.needs_data:
            reasons.append(
                "Structured pruning and scores from batches need the whole model; choose "
                "pruning.structure=unstructured with method=magnitude, or sharding.pipeline=1."
            )
        return reasons

    def transform(self, module: nn.Module, situation: Situation) -> nn.Module:
        """The rank's stages, made in place of the whole module."""
        section = situation.plan.sharding
        if section.pipeline == 1:
            return module
        from memplanner.techniques.parallel.rank_stages import cut_for_rank

        return cut_for_rank(module, situation.model, section, situation.target.rank)

    def notes(self, plan: Plan, target: Target) -> Sequence[str]:
        """What a pipeline does in another way than a loop over micro-batches."""
        section = plan.sharding
        if section.pipeline == 1:
            return ()
        notes = []
        if section.sequence_parallel and section.tensor > 1:
            notes.append("Stages hand whole sequences on, and split them again.")
        if plan.training.outputs != "until_loss":
            notes.append("A pipeline lets go of a micro-batch's outputs when its loss is there.")
        if section.reduction == "each_micro_batch" and section.data_degree > 1:
            notes.append("A pipeline brings gradients together once, after the last backward.")
        return notes
