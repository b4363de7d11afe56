"""Cross-entropy of a linear head in chunks of positions, with its gradient made in the forward.

Of one chunk after the other: logits, their loss, the gradient of the logits, and from it those of
the head and its input; so the logits of all positions never exist together. The idea is Liger's
(Hsu et al. 2024, arXiv:2410.10989, "FusedLinearCrossEntropy"); here it is torch alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NamedTuple

import torch
from torch import nn

IGNORED = -100
"""The label of positions without a loss (``torch.nn.functional.cross_entropy``)."""


class Targets(NamedTuple):
    """What a loss is made of, beside the head's input."""

    labels: torch.Tensor
    """Of every position, flat."""
    divisor: torch.Tensor | float
    """What the sum of the losses is divided by."""
    ignored: int
    cap: float | None = None
    """Logits are ``cap · tanh(logits / cap)`` first, as Gemma 2's are."""

    def part(self, positions: slice) -> Targets:
        """The same of some positions."""
        return self._replace(labels=self.labels[positions])


class ChunkedCrossEntropy(torch.autograd.Function):
    """The loss of a head; its backward only scales gradients that the forward has made.

    The gradient of the weight is summed in the type of the products.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: Targets,
        chunks: int,
        compute_type: torch.dtype | None,
    ) -> torch.Tensor:
        """The scalar loss, in fp32; ``hidden`` is (positions, width)."""
        dtype = compute_type or hidden.dtype
        own_weight = weight.to(dtype)
        own_bias = None if bias is None else bias.to(dtype)
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        of_hidden = torch.empty_like(hidden) if wants_hidden else None
        of_weight: torch.Tensor | None = None
        of_bias: torch.Tensor | None = None
        loss = torch.zeros((), device=hidden.device)
        rows = -(-len(hidden) // chunks)
        for start in range(0, len(hidden), rows):
            part = slice(start, start + rows)
            given = hidden[part].to(dtype)
            own = nn.functional.linear(given, own_weight, own_bias).float()
            added, gradient = _cross_entropy(own, targets.part(part))
            del own
            loss += added
            gradient = gradient.to(dtype)
            if of_hidden is not None:
                of_hidden[part] = gradient @ own_weight
            if wants_weight:
                if of_weight is None:
                    of_weight = gradient.t() @ given
                else:
                    of_weight.addmm_(gradient.t(), given)
            if wants_bias:
                summed = gradient.sum(0)
                of_bias = summed if of_bias is None else of_bias.add_(summed)
            del gradient  # or it would live beside the next chunk's logits
        ctx.gradients = of_hidden, of_weight, of_bias
        ctx.types = weight.dtype, None if bias is None else bias.dtype
        return loss

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients of the head's input, weight and bias."""
        (gradient,) = gradients
        (of_hidden, of_weight, of_bias), ctx.gradients = ctx.gradients, None
        for made in (of_hidden, of_weight, of_bias):
            if made is not None:
                made.mul_(gradient)
        weight_type, bias_type = ctx.types
        return (
            of_hidden,
            None if of_weight is None else of_weight.to(weight_type),
            None if of_bias is None else of_bias.to(bias_type),
            None,
            None,
            None,
        )


def _cross_entropy(own: torch.Tensor, targets: Targets) -> tuple[torch.Tensor, torch.Tensor]:
    """The part of the loss, and the gradient of the logits, which takes their place.

    ``own`` are the logits in fp32; in place they become exponentials, then probabilities.
    """
    counted = targets.labels != targets.ignored
    labels = targets.labels.masked_fill(~counted, 0).unsqueeze(1)
    slope: torch.Tensor | None = None
    if targets.cap is not None:
        own.div_(targets.cap).tanh_()
        slope = own.square().neg_().add_(1.0)
        own.mul_(targets.cap)
    own.sub_(own.amax(1, keepdim=True))
    chosen = own.gather(1, labels)
    own.exp_()
    total = own.sum(1, keepdim=True)
    weight = (counted / targets.divisor).unsqueeze(1)
    loss = ((total.log() - chosen) * weight).sum()
    own.div_(total)
    own.scatter_add_(1, labels, torch.full_like(chosen, -1.0))
    own.mul_(weight)
    return loss, own if slope is None else own.mul_(slope)


class _Head:
    """A linear head that waits for the labels before it does its work."""

    def __init__(self, layer: nn.Linear, chunks: int, compute_type: torch.dtype | None) -> None:
        self._plain: Callable[[torch.Tensor], torch.Tensor] = layer.forward
        self._layer, self._chunks, self._compute_type = layer, chunks, compute_type
        self.waits = False
        """Whether the next call hands its input on as it is."""
        self.given: torch.Tensor | None = None
        """What the last call handed on, until its loss was made."""

    def __call__(self, input: torch.Tensor, targets: Targets | None = None) -> torch.Tensor:  # noqa: A002  (torch's own name)
        if targets is not None:
            loss: torch.Tensor = ChunkedCrossEntropy.apply(  # type: ignore[no-untyped-call]  # torch's own lack of types
                input.flatten(0, -2), self._layer.weight, self._layer.bias,
                targets, self._chunks, self._compute_type,
            )  # fmt: skip
            return loss
        if self.waits:
            self.given = input
            return input
        return self._plain(input)


def chunk_loss(
    model: Any,
    chunks: int,
    *,
    compute_type: torch.dtype | None = None,
    error: type[Exception] = RuntimeError,
) -> None:
    """Makes a causal language model of transformers compute its training loss in chunks.

    Where it is called in training with labels, its output has a loss and no logits; elsewhere it
    does what it did. ``compute_type`` is autocast's, where there is autocast. Raises ``error`` for
    a head that is no plain linear layer, and in a forward that uses the logits otherwise.
    """
    layer = model.get_output_embeddings()
    if not _is_plain(layer):
        library = type(layer).__module__.partition(".")[0]
        raise error(
            f"loss.method=chunked needs torch's plain linear head, and this one is {library}'s "
            f"{type(layer).__name__}; leave the head out of quantization, pruning and adapters, "
            "or choose loss.method=whole."
        )
    head = _Head(layer, chunks, compute_type)
    plain_forward, plain_loss = model.forward, model.loss_function
    cap: float | None = getattr(model.config, "final_logit_softcapping", None)
    layer.forward = head

    def loss_function(
        logits: torch.Tensor,
        labels: torch.Tensor,
        *args: Any,
        num_items_in_batch: torch.Tensor | int | None = None,
        ignore_index: int = IGNORED,
        shift_labels: torch.Tensor | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """The loss of every position's next token, as transformers' ``ForCausalLMLoss``."""
        if not head.waits or logits is not head.given:
            if head.waits:
                raise error(_changed(model))
            given = {"num_items_in_batch": num_items_in_batch, "ignore_index": ignore_index}
            result: torch.Tensor = plain_loss(
                logits, labels, *args, shift_labels=shift_labels, **given, **kwargs
            )
            return result
        head.given = None
        if shift_labels is None:
            shift_labels = nn.functional.pad(labels, (0, 1), value=ignore_index)[..., 1:]
        flat = shift_labels.reshape(-1)
        divisor = num_items_in_batch
        if divisor is None:
            divisor = (flat != ignore_index).sum()
        loss: torch.Tensor = layer(logits, Targets(flat, divisor, ignore_index, cap))
        made.append(True)
        return loss

    made: list[bool] = []

    @wraps(plain_forward)
    def forward(*args: Any, **kwargs: Any) -> Any:
        if not model.training or kwargs.get("labels") is None:
            return plain_forward(*args, **kwargs)
        made.clear()
        head.waits = True
        if cap is not None:
            model.config.final_logit_softcapping = None  # the loss does it
        try:
            output = plain_forward(*args, **kwargs)
        finally:
            head.waits, head.given = False, None
            if cap is not None:
                model.config.final_logit_softcapping = cap
        if not made:
            raise error(_changed(model))
        if isinstance(output, Mapping):  # what it calls logits is the head's input
            rest = {name: value for name, value in output.items() if name != "logits"}
            output = type(output)(**rest)
        return output

    model.loss_function = loss_function
    model.forward = forward


def _is_plain(layer: Any) -> bool:
    """Whether the layer is sure to be a product and no more."""
    return type(layer) is nn.Linear


def _changed(model: nn.Module) -> str:
    return (
        f"{type(model).__name__} does more between its head and its loss than chunks can follow "
        "(a scale of the logits, a loss of its own); choose loss.method=whole."
    )
