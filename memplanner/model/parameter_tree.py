"""A module made of nothing but named tensors: for files that hold weights and no architecture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from memplanner.errors import SourceError, printable
from memplanner.model.counting import count
from memplanner.model.loaded import Batch, Model
from memplanner.model.tensors import StoredTensor

DEEPEST = 32
"""Levels of modules; what is left of a longer name stays one name."""

_TYPES = {
    "BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "I16": torch.int16,
    "U16": torch.uint16, "I32": torch.int32, "U32": torch.uint32, "I64": torch.int64,
    "U64": torch.uint64, "F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32,
    "F64": torch.float64, "F8_E5M2": torch.float8_e5m2, "F8_E4M3": torch.float8_e4m3fn,
    "F8_E8M0": torch.float8_e8m0fnu, "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz, "C64": torch.complex64,
}  # fmt: skip


STATISTICS = ("running_mean", "running_var")
"""How torch's norms call buffers that are floating-point numbers."""


class ParameterTree(nn.Module):
    """Named tensors as nested modules: floating ones are parameters, others buffers.

    Statistics of norms are told by their names, where nothing else says what a tensor is.
    """

    def forward(self, *values: Any, **named: Any) -> Any:
        """Raises ``SourceError``: there is nothing to compute."""
        raise SourceError(
            "The file holds weights alone, so no step can run; put its config.json beside it."
        )


def build_tree(tensors: Sequence[StoredTensor], device: torch.device) -> ParameterTree:
    """A tree of ``tensors`` on ``device`` (uninitialised where it is real), each in its own type.

    A type that torch lacks (GGUF's quantized ones) becomes fp32: that is what training would hold.
    """
    root = ParameterTree()
    for stored in tensors:
        # A leading dot would be lost, since the root's name is empty.
        whole = stored.name.startswith(".")
        *owners, name = [stored.name] if whole else stored.name.split(".", DEEPEST)
        module: nn.Module = root
        for owner in owners:
            child = module._modules.get(owner)
            if child is None:
                # Written into the table: add_module refuses names such as ``forward``.
                child = module._modules[owner] = ParameterTree()
            module = child
        dtype = _TYPES.get(stored.dtype, torch.float32)
        tensor = torch.empty(stored.shape, dtype=dtype, device=device)
        buffer = stored.buffer or name.rpartition(".")[2] in STATISTICS
        if (dtype.is_floating_point or dtype.is_complex) and not buffer:
            module._parameters[name] = nn.Parameter(tensor)
        else:
            module._buffers[name] = tensor
    return root


def tree_model(
    tensors: Sequence[StoredTensor], *, name: str, source: str, kind: str, note: str
) -> Model:
    """A model of which only the parameters are known; ``note`` says why."""
    odd = next((stored for stored in tensors if printable(stored.name) != stored.name), None)
    if odd is not None:
        raise SourceError(
            f"{odd.path} holds a tensor called {odd.name[:80]!r}, which is no text; save the "
            "weights under other names."
        )

    def build(device: torch.device) -> nn.Module:
        return build_tree(tensors, device).train()

    def batch(batch_size: int, sequence_length: int, device: torch.device) -> Batch:
        return {}

    def loss(output: Any) -> torch.Tensor:
        raise SourceError(
            f"{name} holds weights alone, so there is no loss; put its config.json beside it."
        )

    counts = count(build(torch.device("meta")))
    return Model(
        name=name,
        class_name="ParameterTree",
        source=source,
        kind=kind,
        build=build,
        batch=batch,
        loss=loss,
        parameter_count=counts.parameters,
        trainable_parameter_count=counts.trainable,
        buffer_count=counts.buffers,
        takes_sequence=False,
        parameters_only=True,
        notes=(note,),
    )
