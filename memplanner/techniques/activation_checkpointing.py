"""Activation checkpointing: blocks that run forward again in backward.

Source: ``torch/utils/checkpoint.py`` (non-reentrant); selective policies through
``create_selective_checkpoint_contexts``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import (
    CheckpointPolicy,
    checkpoint,
    create_selective_checkpoint_contexts,
)

from memplanner.errors import PlanError
from memplanner.model.blocks import block_lists
from memplanner.techniques.base import RecomputeContext, Situation, Technique

_KEPT_OPERATIONS = frozenset(
    getattr(torch.ops.aten, name)
    for name in (
        "mm",
        "bmm",
        "addmm",
        "baddbmm",
        "convolution",
        "_scaled_dot_product_flash_attention",
        "_scaled_dot_product_efficient_attention",
        "_scaled_dot_product_cudnn_attention",
        "_scaled_dot_product_flash_attention_for_cpu",
        "_scaled_dot_product_fused_attention_overrideable",
    )
    if hasattr(torch.ops.aten, name)
)
"""What a selective policy keeps: what costs the most time to compute again."""


class ActivationCheckpointing(Technique):
    """Wraps the forward of chosen blocks; the module's names and state stay as they are."""

    name = "activation_checkpointing"
    order = 25
    """Before adapters, which make alike blocks look different."""

    def transform(self, module: nn.Module, situation: Situation) -> nn.Module:
        """The module with the chosen blocks recomputed in backward."""
        section = situation.plan.activation_checkpointing
        if section.policy == "none":
            return module
        lists = block_lists(module)
        if not lists:
            raise PlanError(
                f"activation_checkpointing.policy={section.policy} needs repeated blocks, and "
                "this model has none; choose none."
            )
        every = section.every if section.policy == "every_n" else 1
        for blocks in lists:
            container = module.get_submodule(blocks.path)
            for index, block in enumerate(container.children()):
                if index % every == 0:
                    _wrap(block, situation.recompute_context, section.policy == "selective")
        return module


def _wrap(block: nn.Module, recompute_context: RecomputeContext, selective: bool) -> None:
    contexts = partial(_contexts, block, recompute_context, selective)
    forward: Callable[..., Any] = block.forward

    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        return checkpoint(forward, *args, use_reentrant=False, context_fn=contexts, **kwargs)

    block.forward = checkpointed


def _contexts(
    block: nn.Module, recompute_context: RecomputeContext, selective: bool
) -> tuple[AbstractContextManager[object], AbstractContextManager[object]]:
    if not selective:
        return nullcontext(), recompute_context(block)
    first, second = create_selective_checkpoint_contexts(_policy)
    return first, _both(recompute_context(block), second)


def _policy(context: Any, operation: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
    kept = getattr(operation, "overloadpacket", operation) in _KEPT_OPERATIONS
    return CheckpointPolicy.MUST_SAVE if kept else CheckpointPolicy.PREFER_RECOMPUTE


@contextmanager
def _both(outer: AbstractContextManager[object], inner: AbstractContextManager[object]) -> Any:
    with ExitStack() as stack:
        stack.enter_context(outer)
        stack.enter_context(inner)
        yield
