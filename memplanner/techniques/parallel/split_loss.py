"""The loss over a split vocabulary: each rank has the logits of its part, and no rank has all.

The head's outputs stay where they are computed; what the loss needs of all of them, a maximum and
two sums for each position, is summed over the ranks (torch's ``loss_parallel``,
``torch/distributed/tensor/parallel/loss.py``; Shoeybi et al. 2019, arXiv:1909.08053, section 3).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.techniques.parallel.stages import Received
from memplanner.techniques.parallel.tensor_rules import GATHERED, Rules

HEAD_IN_PARTS = "colwise_to_parts_of_logits"
"""Our word for a head whose logits are not gathered."""


def split_loss(module: nn.Module, rules: Rules) -> Rules:
    """``rules`` with a head that keeps its part of the logits; the loss is a plain tensor still.

    A stage of a pipeline that has no head stays as it is. Raises ``PlanError`` where no head is
    split along the vocabulary.
    """
    ask: Any = getattr(module, "get_output_embeddings", None)
    if ask is not None and isinstance(ask(), Received):
        return rules
    found = {path: HEAD_IN_PARTS for path, word in rules.items() if word in GATHERED}
    if not found:
        raise PlanError(
            f"sharding.loss_parallel=true finds no head of {type(module).__name__} that tensor "
            "parallel splits along the vocabulary; choose sharding.loss_parallel=false."
        )
    module.register_forward_hook(_with_plain_loss)
    return rules | found


def _with_plain_loss(module: nn.Module, args: Any, output: Any) -> Any:
    """A hook behind a forward: every rank has the whole loss."""
    loss = output["loss"] if isinstance(output, dict) else output.loss
    if hasattr(loss, "to_local"):
        output["loss"] = loss.to_local()
    return output


@contextmanager
def splitting_loss(plan: Plan) -> Iterator[None]:
    """What forward and backward run in, so that a cross entropy is over parts of the logits.

    torch's own context stays on behind an error.
    """
    if not plan.sharding.splits_loss:
        yield
        return
    from torch.distributed.tensor.parallel import loss

    loss._enable_custom_loss_ops()
    try:
        yield
    finally:
        loss._disable_custom_loss_ops()
