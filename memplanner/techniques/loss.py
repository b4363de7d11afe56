"""The loss of language models in chunks of positions (``chunked_loss.py`` has the numerics)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.techniques.base import Alternative, Setting, Situation, Technique
from memplanner.techniques.chunked_loss import chunk_loss
from memplanner.techniques.precision import autocast_type
from memplanner.techniques.target import Target


class Loss(Technique):
    """Gives the head its labels, so that it computes the loss itself."""

    name = "loss"
    order = 40
    """After adapters and quantization, which may change the head."""
    stages = "last"
    """No other one has the head."""

    def conflicts(self, plan: Plan, target: Target) -> Sequence[str]:
        """Gradients that are made in the forward know of no loss scaler."""
        if plan.loss.method == "chunked" and plan.precision == "fp16_mixed":
            return (
                "loss.method=chunked makes the logits' gradients in the forward, before a loss "
                "scaler keeps them from vanishing in fp16; choose precision=bf16_mixed or "
                "loss.method=recomputed.",
            )
        return ()

    def alternatives(self, plan: Plan, target: Target) -> Sequence[Alternative]:
        """The loss in chunks, and whole where it is not."""
        words = f"loss in {plan.loss.chunks} chunks"
        return (
            (Setting("loss.method", "chunked", words),),
            (Setting("loss.method", "whole", "loss whole"),),
        )

    def transform(self, module: nn.Module, situation: Situation) -> nn.Module:
        """The module with its loss in chunks, in place."""
        section = situation.plan.loss
        if section.method != "whole":
            check_head(module)
            chunk_loss(
                module,
                section.chunks,
                compute_type=autocast_type(situation.plan),
                recomputed=section.method == "recomputed",
                error=PlanError,
            )
        return module

    def notes(self, plan: Plan, target: Target) -> Sequence[str]:
        """What is not there any more, and what is there earlier."""
        if plan.loss.method == "whole":
            return ()
        words = "The loss is computed in chunks: the model's output has no logits in training"
        if plan.loss.method == "recomputed":
            return (f"{words}, and the head's product is computed twice.",)
        return (f"{words}, and the head's gradient is there from the forward on.",)


def check_head(module: Any) -> None:
    """Raises ``PlanError`` where the module is not a causal language model of transformers."""
    loss = getattr(module, "loss_function", None)
    head = module.get_output_embeddings() if hasattr(module, "get_output_embeddings") else None
    if getattr(loss, "__name__", "") != "ForCausalLMLoss" or not isinstance(head, nn.Module):
        raise PlanError(
            "A loss in chunks needs a causal language model of transformers, and "
            f"{type(module).__name__} is none; choose loss.method=whole."
        )
