"""A linear layer whose weight is kept in few bits and expanded for each product."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import nn

from memplanner.techniques.low_bit.bitsandbytes import expand_nf4
from memplanner.techniques.low_bit.encoding import encode
from memplanner.techniques.low_bit.expansion import Tensors, expand_weight, tables
from memplanner.techniques.low_bit.formats import Format

_shapes_alone: ContextVar[bool] = ContextVar("nobody looks at what is in a weight", default=False)


@contextmanager
def shapes_alone() -> Iterator[None]:
    """Inside it ``weight`` has shape, type and device of the expanded matrix, and no values.

    peft reads it twenty times for each adapter that it puts on a layer.
    """
    before = _shapes_alone.set(True)
    try:
        yield
    finally:
        _shapes_alone.reset(before)


class QuantizedLinear(nn.Linear):
    """Frozen: gradients reach its input and its bias. Adapters take it for the linear it is.

    What keeps the weight are parameters of its own (``codes``, ``scale``, …), so whatever walks
    over a module counts them. ``weight`` is the expanded matrix, made anew each time it is read.
    """

    def __init__(
        self,
        weight: torch.Tensor,
        bias: nn.Parameter | None,
        kept: Format,
        constants: Tensors | None = None,
        *,
        compute_type: torch.dtype | None = None,
        use_bitsandbytes: bool = False,
    ) -> None:
        """Encodes ``weight`` (out, in), which is not kept.

        ``constants`` are those of the format on the weight's device, to share them among layers.
        Products are in ``compute_type``, or in the type of their input.
        """
        nn.Module.__init__(self)
        self.out_features, self.in_features = weight.shape
        self.kept = kept
        self.dtype = weight.dtype
        self.compute_type = compute_type
        self.use_bitsandbytes = use_bitsandbytes
        encoded = encode(weight, kept)
        self._kept_names = tuple(encoded)
        for name, tensor in encoded.items():
            self.register_parameter(name, nn.Parameter(tensor, requires_grad=False))
        shared = tables(kept, weight.device) if constants is None else constants
        self._constant_names = tuple(shared)
        for name, table in shared.items():
            self.register_buffer(name, table, persistent=False)
        self.register_parameter("bias", bias)

    @property
    def weight(self) -> torch.Tensor:  # type: ignore[override]  # torch declares an attribute
        """The expanded matrix (out, in) in the type it had before.

        Without values there is nothing to expand: what walks over a module reads only its shape.
        """
        shape = (self.out_features, self.in_features)
        if self.codes.is_meta:
            return torch.empty(shape, dtype=self.dtype, device="meta")
        if _shapes_alone.get():
            device = self.get_parameter("codes").device
            return torch.zeros((), dtype=self.dtype, device=device).expand(shape)
        return self.expanded(self.dtype)

    def expanded(self, dtype: torch.dtype) -> torch.Tensor:
        """The matrix (out, in) in ``dtype``."""
        parts = {name: getattr(self, name) for name in self._kept_names}
        constants = {name: getattr(self, name) for name in self._constant_names}
        shape = (self.out_features, self.in_features)
        expand = expand_nf4 if self.use_bitsandbytes else expand_weight
        return expand(parts, constants, self.kept, shape, dtype)

    def weights_in(self, name: str) -> int:
        """How many of the layer's numbers the parameter ``name`` holds: scales are none."""
        if name == "bias":
            return self.out_features
        return self.out_features * self.in_features if name == "codes" else 0

    def beside_codes(self) -> list[nn.Parameter]:
        """The parameters that expand the codes: scales, and what scales these."""
        return [getattr(self, name) for name in self._kept_names if name != "codes"]

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002  (torch's own name)
        """The product, in the type of ``input``. Neither input nor weight is kept for backward."""
        result: torch.Tensor = _Product.apply(input, self.bias, self)  # type: ignore[no-untyped-call]  # torch's own lack of types
        return result

    def extra_repr(self) -> str:
        """Beside torch's own words the format."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}, {self.kept.method}, {self.kept.bits} bits"
        )


class _Product(torch.autograd.Function):
    """As bitsandbytes' ``MatMul4Bit``: the weight is expanded again in backward."""

    @staticmethod
    def forward(
        ctx: Any, given: torch.Tensor, bias: torch.Tensor | None, layer: QuantizedLinear
    ) -> torch.Tensor:
        ctx.layer = layer
        ctx.given_type = given.dtype
        ctx.bias_type = None if bias is None else bias.dtype
        compute_type = layer.compute_type or given.dtype
        own_bias = None if bias is None else bias.to(compute_type)
        weight = layer.expanded(compute_type)
        return nn.functional.linear(given.to(compute_type), weight, own_bias).to(given.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = gradients
        given = bias = None
        if ctx.needs_input_grad[1]:
            bias = gradient.flatten(0, -2).sum(0).to(ctx.bias_type)
        if ctx.needs_input_grad[0]:
            compute_type = ctx.layer.compute_type or gradient.dtype
            weight = ctx.layer.expanded(compute_type)
            given = (gradient.to(compute_type) @ weight).to(ctx.given_type)
        return given, bias, None


def quantize_layers(
    module: nn.Module,
    names: Sequence[str],
    kept: Format | Mapping[str, Format],
    *,
    device: torch.device | None = None,
    compute_type: torch.dtype | None = None,
    use_bitsandbytes: bool = False,
) -> None:
    """Puts a ``QuantizedLinear`` in the place of each layer in ``names``, one by one.

    ``kept`` is their format, or says it for each; bitsandbytes' kernels expand NF4 alone. Each
    weight is encoded on ``device``, or where it lies. Takes ``nn.Linear`` and the ``Conv1D`` of
    GPT-2, which keeps its weight the other way round.
    """
    constants: dict[tuple[torch.device, Format], Tensors] = {}
    for name in names:
        layer: Any = module.get_submodule(name)
        weight = layer.weight.detach()
        if not isinstance(layer, nn.Linear):
            weight = weight.t().contiguous()
        weight = weight.to(device)
        own_format = kept if isinstance(kept, Format) else kept[name]
        shared = weight.device, own_format
        if shared not in constants:
            constants[shared] = tables(own_format, weight.device)
        quantized = QuantizedLinear(
            weight,
            layer.bias,
            own_format,
            constants[shared],
            compute_type=compute_type,
            use_bitsandbytes=use_bitsandbytes and own_format.method == "nf4",
        )
        parent, _, own = name.rpartition(".")
        setattr(module.get_submodule(parent), own, quantized.train(layer.training))
        del layer, weight
