"""Choices for single layers: the plan that follows when some are picked in the tree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from memplanner.errors import PlanError
from memplanner.messages.estimate import Layer
from memplanner.plan import Plan
from memplanner.plan.per_layer import compact, is_named, parse, value_of, with_values
from memplanner_ui.language import translate

WHOLE = "16"
"""In ``quantization.per_layer``: the layer stays as it is."""
BITS = ("8", "6", "5", "4", "3", "2", "nf4")
"""Worth offering; the plan takes 7, too."""
RATIOS = ("0.25", "0.5", "0.75", "0.9")
_WRAPPED = ".base_layer"
"""What peft adds to the path of a layer that an adapter goes around."""
_NOT_CALLED = "NonDynamicallyQuantizableLinear"


@dataclass(frozen=True, slots=True)
class LinearLayers:
    """The linear layers of an estimate's tree, by the paths they have in the model itself."""

    names: tuple[str, ...] = ()
    """In the model's order."""
    quantized: frozenset[str] = frozenset()

    @classmethod
    def of(cls, layers: Iterable[Layer]) -> LinearLayers:
        """Those among ``layers``; an adapter's own are none of them."""
        names: dict[str, None] = {}
        quantized = set()
        for layer in layers:
            if not is_linear(layer.type) or ".lora_" in layer.name:
                continue
            name = layer.name.removesuffix(_WRAPPED)
            names[name] = None
            if layer.type == "QuantizedLinear":
                quantized.add(name)
        return cls(tuple(names), frozenset(quantized))

    def below(self, modules: Iterable[str]) -> tuple[str, ...]:
        """The layers that are one of ``modules`` or lie inside one."""
        wanted = tuple(name.removesuffix(_WRAPPED) for name in modules)
        return tuple(
            name
            for name in self.names
            if any(not one or name == one or name.startswith(one + ".") for one in wanted)
        )


def bits_words(value: str) -> str:
    """``4-bit``, ``NF4`` or ``16-bit``."""
    return "NF4" if value == "nf4" else translate("Window", "{bits}-bit").format(bits=value)


def ratio_words(value: str) -> str:
    """``50 % pruned``."""
    if float(value) == 0:
        return translate("Window", "not pruned")
    return translate("Window", "{share} % pruned").format(share=f"{float(value) * 100:.0f}")


def with_bits(plan: Plan, layers: LinearLayers, picked: Sequence[str], value: str | None) -> Plan:
    """``plan`` with ``picked`` kept in ``value``, as ``quantization.per_layer`` writes it.

    None gives them back what the section says of all. Where nothing is quantized so far, these
    layers alone are. Raises ``PlanError``.
    """
    section = plan.quantization
    if section.method == "none":
        if value in (None, WHOLE):
            return plan
        chosen: dict[str, object] = {
            "quantization.method": "nf4" if value == "nf4" else "linear",
            "quantization.layers": "named",
            "quantization.target_modules": patterns(layers.names, picked),
            "quantization.per_layer": (),
        }
        if value != "nf4":
            chosen["quantization.bits"] = value
        return plan.with_values(chosen)
    overrides = parse(section.per_layer)
    inside = [
        name
        for name in layers.names
        if name in layers.quantized or value_of(name, overrides) == WHOLE
    ]
    outside = [name for name in picked if name not in inside]
    changes: dict[str, object] = {}
    if value in (None, WHOLE):
        picked = [name for name in picked if name in inside]
    elif outside:
        inside = [name for name in layers.names if name in inside or name in outside]
        changes["quantization.layers"] = "named"
        changes["quantization.target_modules"] = patterns(layers.names, inside)
    usual = "nf4" if section.method == "nf4" else str(section.bits)
    own = None if value == usual else value
    changes["quantization.per_layer"] = _merged(section.per_layer, inside, picked, own)
    return plan.with_values(changes)


def with_ratio(plan: Plan, layers: LinearLayers, picked: Sequence[str], value: str | None) -> Plan:
    """``plan`` with the share ``value`` of each of ``picked`` pruned; None as with bits.

    Raises ``PlanError`` where what is pruned is no single weights.
    """
    section = plan.pruning
    if section.structure == "none":
        if value is None or float(value) == 0:
            return plan
        return plan.with_values(
            {
                "pruning.structure": "unstructured",
                "pruning.ratio": value,
                "pruning.layers": "named",
                "pruning.target_modules": patterns(layers.names, picked),
                "pruning.per_layer": (),
            }
        )
    if section.structure != "unstructured":
        raise PlanError(
            "Ratios for single layers are of single weights; choose pruning.structure=unstructured."
        )
    inside = [name for name in layers.names if _is_pruned(name, plan)]
    outside = [name for name in picked if name not in inside]
    changes: dict[str, object] = {}
    if value is None or float(value) == 0:
        picked = [name for name in picked if name in inside]
    elif outside:
        inside = [name for name in layers.names if name in inside or name in outside]
        changes["pruning.layers"] = "named"
        changes["pruning.target_modules"] = patterns(layers.names, inside)
    own = None if value is not None and float(value) == section.ratio else value
    changes["pruning.per_layer"] = _merged(section.per_layer, inside, picked, own)
    return plan.with_values(changes)


def marks(plan: Plan, layers: LinearLayers) -> Mapping[str, str]:
    """By layer, what the plan does to it, in a word or two."""
    found: dict[str, str] = {}
    section = plan.quantization
    bits = parse(section.per_layer) if section.method != "none" else ()
    usual = "nf4" if section.method == "nf4" else str(section.bits)
    ratios = parse(plan.pruning.per_layer) if plan.pruning.structure == "unstructured" else ()
    for name in layers.names:
        words = []
        own = value_of(name, bits)
        if name in layers.quantized or own == WHOLE:
            words.append(bits_words(own or usual))
        share = value_of(name, ratios)
        if share is not None and _is_pruned(name, plan):
            words.append(ratio_words(share))
        if words:
            found[name] = ", ".join(words)
            if name in layers.quantized:
                found[name + _WRAPPED] = found[name]
    return found


def patterns(names: Sequence[str], picked: Iterable[str]) -> tuple[str, ...]:
    """``picked`` of ``names`` in as few patterns as are found."""
    wanted = frozenset(picked)
    texts = compact({name: "x" if name in wanted else None for name in names})
    return tuple(one.pattern for one in parse(texts))


def _merged(
    texts: Sequence[str], inside: Sequence[str], picked: Iterable[str], value: str | None
) -> tuple[str, ...]:
    return with_values(texts, inside, dict.fromkeys(picked, value))


def is_linear(type_: str) -> bool:
    """Whether a row's type is a layer that is one product."""
    return (type_.endswith("Linear") or type_ == "Conv1D") and type_ != _NOT_CALLED


def _is_pruned(name: str, plan: Plan) -> bool:
    """Whether the section chooses the layer; a head is what stands beside the rest of the model."""
    section = plan.pruning
    if section.layers == "named":
        return any(is_named(name, pattern) for pattern in section.target_modules)
    return section.layers == "all" or "." in name
