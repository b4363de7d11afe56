"""Context parallelism: each rank has its part of every sequence, and attention goes round a ring.

A rank gets two pieces, one from the front and its mirror from the back: under a causal mask all
ranks then compute as much (torch's ``_HeadTailLoadBalancer``). Labels are shifted before they are
dealt out, since the next token of a piece's last position lies on another rank; the loss of a rank
is its part of the whole sequence's mean.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh

from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.techniques.parallel.context_ring import RingAttention

NAME = "ring"
"""The ring among transformers' attentions."""
_RING = "own_ring"
"""The attribute of modules that holds theirs."""
_TOKENS, _HIDDEN = "input_ids", "inputs_embeds"
"""Whole sequences; and what a later stage of a pipeline is handed, this rank's part of them."""
_TAKEN = {_TOKENS, _HIDDEN, "labels"}
_LOSSES = {"ForCausalLMLoss", "loss_function"}
"""Names of transformers' loss of next tokens, and of the one in chunks (``chunked_loss.py``)."""
_IGNORED = -100
"""The label of a position that has no loss (transformers)."""


def split_context(module: nn.Module, mesh: DeviceMesh, plan: Plan, *, on_cpu: bool) -> None:
    """Makes ``module`` take its part of whole sequences, and attend round a ring, in place.

    It still takes whole ``input_ids`` and ``labels``, shaped (batch, positions); as a later stage
    of a pipeline the hidden states of its part. Raises ``PlanError`` for what is no causal language
    model of transformers, or does more than attend from one position to another.
    """
    from transformers import AttentionInterface

    model = _language_model(module)
    ring = RingAttention(mesh.get_group(), plan.sharding.context_rotation, on_cpu)
    # without a function for masks of that name transformers makes none
    AttentionInterface.register(NAME, _attend)
    for part in model.modules():
        vars(part)[_RING] = ring
        if hasattr(part, "set_attn_implementation"):
            part.set_attn_implementation(NAME)
    parts = _Parts(model, mesh.size(), mesh.get_local_rank(), ring)
    module.register_forward_pre_hook(parts.deal_out, prepend=True, with_kwargs=True)
    module.register_forward_hook(parts.check)


def _attend(module: nn.Module, *given: Any, **named: Any) -> Any:
    """One function for all models, as transformers keeps it: each asks its own ring."""
    return vars(module)[_RING](module, *given, **named)


def _language_model(module: nn.Module) -> Any:
    """The language model in ``module``. Raises ``PlanError`` where the ring cannot serve it."""
    found = [part for part in module.modules() if _predicts_next_tokens(part)]
    model: Any = found[0] if found else module
    takes = inspect.signature(type(model).forward).parameters
    if not found or not {"position_ids", "labels"} <= takes.keys():
        raise _refused(model, "is no causal language model of transformers that is told positions")
    if not getattr(model, "_supports_attention_backend", False):
        raise _refused(model, "has attention code of its own")
    if getattr(model.config, "output_router_logits", False):
        raise _refused(model, "balances its experts over whole sequences")
    if any(isinstance(part, nn.Conv1d) for part in model.modules()):
        raise _refused(model, "has convolutions over positions")
    return model


def _predicts_next_tokens(part: Any) -> bool:
    loss = getattr(getattr(part, "loss_function", None), "__name__", "")
    return loss in _LOSSES and isinstance(part.get_output_embeddings(), nn.Module)


def _blocks_in(module: nn.Module) -> int:
    """How many parts the module's outermost lists have, alike or not."""
    return sum(
        len(child) if isinstance(child, nn.ModuleList) else _blocks_in(child)
        for child in module.children()
    )


def _refused(model: nn.Module, why: str) -> PlanError:
    return PlanError(
        f"{type(model).__name__} {why}, and context parallelism splits the positions of causal "
        "attention alone; choose sharding.context=1."
    )


class _Parts:
    """Deals out what a forward is given, and sees that every block asked the ring."""

    def __init__(self, model: nn.Module, degree: int, place: int, ring: RingAttention) -> None:
        self._model, self._degree, self._place, self._ring = model, degree, place, ring
        self._blocks = _blocks_in(model)

    def deal_out(self, module: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """A hook before the forward: this rank's tokens, their positions and next tokens."""
        if args or not kwargs.keys() <= _TAKEN or not kwargs.keys() & {_TOKENS, _HIDDEN}:
            more = ", ".join(sorted(kwargs.keys() - _TAKEN)) or "no named tokens"
            raise _refused(self._model, f"is given {more}")
        self._ring.calls = 0
        name = _TOKENS if _TOKENS in kwargs else _HIDDEN
        taken: torch.Tensor = kwargs[name]
        length = taken.size(1) * (self._degree if name == _HIDDEN else 1)
        places = torch.arange(length, device=taken.device).unsqueeze(0)
        given = {name: taken if name == _HIDDEN else self._own(taken)}
        given["position_ids"] = self._own(places)
        labels = kwargs.get("labels")
        if labels is not None:
            following = nn.functional.pad(labels, (0, 1), value=_IGNORED)[:, 1:]
            given["labels"] = given["shift_labels"] = self._own(following)
            # the mean over ranks is then that over all positions, however many each rank has
            given["num_items_in_batch"] = (following != _IGNORED).sum() / self._degree
        return args, given

    def check(self, module: nn.Module, args: Any, output: Any) -> None:
        """A hook behind the forward. Raises ``PlanError`` for a block that attends otherwise."""
        if self._ring.calls != self._blocks:
            raise _refused(
                self._model,
                f"has {self._blocks} blocks, of which {self._ring.calls} asked the ring",
            )

    def _own(self, whole: torch.Tensor) -> torch.Tensor:
        """This rank's two pieces of what is shaped (batch, positions)."""
        pieces = whole.chunk(2 * self._degree, dim=1)
        return torch.cat([pieces[self._place], pieces[-1 - self._place]], dim=1)
