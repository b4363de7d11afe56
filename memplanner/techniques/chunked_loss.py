"""Cross-entropy of a linear head in chunks of positions, whose logits never exist whole.

Of one chunk after the other: logits, their loss, the gradient of the logits, and from it those of
the head and its input; so the logits of all positions never exist together. The idea is Liger's
(Hsu et al. 2024, arXiv:2410.10989, "FusedLinearCrossEntropy"); here it is torch alone. Or, as in
cut cross-entropy (Wijmans et al. 2024, arXiv:2411.09009), the forward makes the loss alone, and
backward makes each chunk's logits once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
        own_weight, own_bias = _cast(weight, bias, dtype)
        sums = _Sums(hidden, ctx.needs_input_grad)
        loss = torch.zeros((), device=hidden.device)
        for part in _parts(len(hidden), chunks):
            given = hidden[part].to(dtype)
            own = nn.functional.linear(given, own_weight, own_bias).float()
            added, gradient = _cross_entropy(own, targets.part(part))
            del own
            loss += added
            gradient = gradient.to(dtype)
            sums.add(part, given, own_weight, gradient)
            del gradient  # or it would live beside the next chunk's logits
        ctx.gradients = sums.hidden, sums.weight, sums.bias
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


class RecomputedCrossEntropy(torch.autograd.Function):
    """The loss of a head; backward makes the logits of each chunk once more.

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
        ctx.save_for_backward(hidden, weight, bias)
        ctx.given = targets, chunks, compute_type or hidden.dtype
        own_weight, own_bias = _cast(weight, bias, ctx.given[2])
        loss = torch.zeros((), device=hidden.device)
        for part in _parts(len(hidden), chunks):
            given = hidden[part].to(own_weight.dtype)
            own = nn.functional.linear(given, own_weight, own_bias).float()
            loss += _loss(own, targets.part(part))
            del own  # or it would live beside the next chunk's logits
        return loss

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients of the head's input, weight and bias."""
        (gradient,) = gradients
        hidden, weight, bias = ctx.saved_tensors
        targets, chunks, dtype = ctx.given
        own_weight, own_bias = _cast(weight, bias, dtype)
        sums = _Sums(hidden, ctx.needs_input_grad)
        for part in _parts(len(hidden), chunks):
            given = hidden[part].to(dtype)
            own = nn.functional.linear(given, own_weight, own_bias).float()
            _, of_logits = _cross_entropy(own, targets.part(part))
            del own
            of_logits = of_logits.mul_(gradient).to(dtype)  # scaled before it is rounded
            sums.add(part, given, own_weight, of_logits)
            del of_logits
        of_weight, of_bias = sums.weight, sums.bias
        return (
            sums.hidden,
            None if of_weight is None else of_weight.to(weight.dtype),
            None if of_bias is None or bias is None else of_bias.to(bias.dtype),
            None,
            None,
            None,
        )


class _Sums:
    """The gradients of a head's input, weight and bias, chunk by chunk."""

    def __init__(self, hidden: torch.Tensor, wanted: tuple[bool, ...]) -> None:
        wants_hidden, self._wants_weight, self._wants_bias = wanted[:3]
        self.hidden = torch.empty_like(hidden) if wants_hidden else None
        self.weight: torch.Tensor | None = None
        self.bias: torch.Tensor | None = None

    def add(
        self, part: slice, given: torch.Tensor, weight: torch.Tensor, of_logits: torch.Tensor
    ) -> None:
        """Adds those of one chunk, from the gradient of its logits."""
        if self.hidden is not None:
            self.hidden[part] = of_logits @ weight
        if self._wants_weight:
            if self.weight is None:
                self.weight = of_logits.t() @ given
            else:
                self.weight.addmm_(of_logits.t(), given)
        if self._wants_bias:
            summed = of_logits.sum(0)
            self.bias = summed if self.bias is None else self.bias.add_(summed)


def _cast(
    weight: torch.Tensor, bias: torch.Tensor | None, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor | None]:
    return weight.to(dtype), None if bias is None else bias.to(dtype)


def _parts(positions: int, chunks: int) -> Iterator[slice]:
    rows = -(-positions // chunks)
    for start in range(0, positions, rows):
        yield slice(start, start + rows)


def _loss(own: torch.Tensor, targets: Targets) -> torch.Tensor:
    """The part of the loss; ``own`` are the logits in fp32, changed in place."""
    counted = targets.labels != targets.ignored
    labels = targets.labels.masked_fill(~counted, 0).unsqueeze(1)
    if targets.cap is not None:
        own.div_(targets.cap).tanh_().mul_(targets.cap)
    own.sub_(own.amax(1, keepdim=True))
    chosen = own.gather(1, labels)
    total = own.exp_().sum(1, keepdim=True)
    return ((total.log() - chosen) * (counted / targets.divisor).unsqueeze(1)).sum()


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

    def __init__(
        self, layer: nn.Linear, chunks: int, compute_type: torch.dtype | None, *, recomputed: bool
    ) -> None:
        self._plain: Callable[[torch.Tensor], torch.Tensor] = layer.forward
        self._layer, self._chunks, self._compute_type = layer, chunks, compute_type
        self._loss: Any = RecomputedCrossEntropy if recomputed else ChunkedCrossEntropy
        self.waits = False
        """Whether the next call hands its input on as it is."""
        self.given: torch.Tensor | None = None
        """What the last call handed on, until its loss was made."""

    def __call__(self, input: torch.Tensor, targets: Targets | None = None) -> torch.Tensor:  # noqa: A002  (torch's own name)
        if targets is not None:
            loss: torch.Tensor = self._loss.apply(
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
    recomputed: bool = False,
    error: type[Exception] = RuntimeError,
) -> None:
    """Makes a causal language model of transformers compute its training loss in chunks.

    With ``recomputed`` the gradients are made in backward, from logits made once more. Where the
    model is called in training with labels, its output has a loss and no logits; elsewhere it does
    what it did. ``compute_type`` is autocast's, where there is autocast. Raises ``error`` for a
    head that is no plain linear layer, and in a forward that uses the logits otherwise.
    """
    layer = model.get_output_embeddings()
    if not _is_plain(layer):
        library = type(layer).__module__.partition(".")[0]
        raise error(
            f"A loss in chunks needs torch's plain linear head, and this one is {library}'s "
            f"{type(layer).__name__}; leave the head out of quantization, pruning and adapters, "
            "or choose loss.method=whole."
        )
    head = _Head(layer, chunks, compute_type, recomputed=recomputed)
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
