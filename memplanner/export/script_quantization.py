"""Quantization in the exported script: what it calls, and the module that lies beside it.

No library keeps every format of a plan on every device, so the script brings the engine's own
code: the package ``memplanner.techniques.low_bit`` as one file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from torch import nn

from memplanner.export.layer_names import layer_classes, short_names
from memplanner.export.one_module import one_module
from memplanner.export.python_source import literal
from memplanner.export.target import Subject
from memplanner.techniques.low_bit.formats import Format
from memplanner.techniques.precision import autocast_type
from memplanner.techniques.quantization import compute_type, format_of, layer_formats

LOW_BIT_FILE = "low_bit.py"
_PACKAGE = "memplanner.techniques.low_bit"
_PARTS = (
    "codebooks", "packing", "formats", "encoding", "expansion", "rounding", "bitsandbytes",
    "linear", "aware", "float8",
)  # fmt: skip
"""Each after those that it needs."""
_HEAD = '''"""Linear layers whose weights are kept in few bits: for the script beside this file.

Written by memplanner; it needs torch alone, and takes bitsandbytes' kernels where it is told to.
"""

from __future__ import annotations

'''


@dataclass(frozen=True, slots=True)
class QuantizedLayers:
    """What the script's function ``quantize`` says."""

    names: tuple[str, ...]
    """Of layers: whole paths, or their last parts."""
    classes: str
    """The layers' classes, as ``isinstance`` takes them."""
    options: tuple[str, ...]
    """Of ``Format``."""
    arguments: tuple[str, ...]
    """Of ``quantize_layers``, beside model, names, format and device."""
    trained: bool = False
    """Whether the layers' weights are trained, rounded, instead of packed."""
    float8: bool = False
    """Whether only their products are in fp8: then neither options nor formats matter."""
    own_options: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """For each value that ``per_layer`` gives some layer, the options of its ``Format``."""
    own_names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The whole paths of the layers that have it."""


def quantized_layers(module: nn.Module, subject: Subject) -> QuantizedLayers | None:
    """For the plan's quantization of ``module``, or None without one. Raises ``PlanError``."""
    section = subject.plan.quantization
    if section.method == "none":
        return None
    formats = layer_formats(module, section)
    names = list(formats)
    usual = format_of(section)
    others: dict[str, list[str]] = {}
    for name, kept in formats.items():
        if kept != usual:
            value = "nf4" if kept.method == "nf4" else str(kept.bits)
            others.setdefault(value, []).append(name)
    arguments = []
    plan = subject.plan
    dtype = autocast_type(plan) if section.method == "fp8" else compute_type(plan)
    if dtype is not None:
        arguments.append(f"compute_type={dtype}")
    if section.method == "qat" and section.round_inputs:
        arguments.append("rounds_inputs=True")
    if any(kept.method == "nf4" for kept in formats.values()):
        arguments.append('use_bitsandbytes=device.type == "cuda" and installed()')
    return QuantizedLayers(
        names=tuple(short_names(module, names)),
        classes=layer_classes(module, names),
        options=format_options(usual),
        arguments=tuple(arguments),
        trained=section.method == "qat",
        float8=section.method == "fp8",
        own_options={value: format_options(formats[paths[0]]) for value, paths in others.items()},
        own_names={value: tuple(paths) for value, paths in others.items()},
    )


def format_options(kept: Format) -> tuple[str, ...]:
    """What matters to the method."""
    names = {
        "nf4": ("double_quantization",),
        "linear": ("bits", "granularity", "group_size", "symmetric", "clipping"),
        "companding": ("bits", "granularity", "group_size", "clipping", "curve", "curvature"),
    }[kept.method]
    if kept.granularity != "group":
        names = tuple(name for name in names if name != "group_size")
    return (
        literal(kept.method),
        *(f"{name}={literal(getattr(kept, name))}" for name in names),
    )


@cache
def low_bit_source() -> str:
    """The package as one module."""
    return one_module(_PACKAGE, _PARTS, _HEAD)
