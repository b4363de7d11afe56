"""How the figures of a plan that a search has found were made, and those of a sensitivity."""

from __future__ import annotations

from memplanner.messages.estimate import CATEGORIES
from memplanner.messages.search import FoundPlan
from memplanner.messages.sensitivity import LayerSensitivity, Sensitivity
from memplanner.report.explained.explanation import SEARCHED, Explanation, Row
from memplanner.report.parts import TITLES, exact
from memplanner.units import format_bytes, format_count, format_difference


def of_found(found: FoundPlan, whole_bytes: int) -> Explanation:
    """The peak of a found plan; ``whole_bytes`` is the figure shown."""
    held = found.by_category
    rows = [
        Row(TITLES[name], format_bytes(getattr(held, name)), exact(getattr(held, name)))
        for name in CATEGORIES
        if getattr(held, name)
    ]
    around = whole_bytes - found.allocated_bytes
    if around > 0:
        rows.append(Row("around tensors", format_bytes(around), "allocator, context, programs"))
    if found.spare_bytes is not None:
        memory = whole_bytes + found.spare_bytes
        rows.append(Row("To spare", format_difference(memory, whole_bytes)))
    how = (
        "Tensors: composed from recordings that plans of the search share, equal to the byte to "
        "an estimate of this very plan."
    )
    if found.device_bytes is None:
        how += (
            " The allocator was not replayed for it yet, so this is what tensors take: “≥” says "
            "that the device holds more."
        )
    else:
        how += " The whole device: the allocator was replayed, as for the plan as it is."
    margin = COUNTED_ONLY
    if found.device_high_bytes is not None and found.device_bytes is not None:
        margin = (
            f"{format_bytes(found.device_bytes)} expected, "
            f"{format_bytes(found.device_high_bytes)} high; a plan fits where the high one does."
        )
    changed = ", ".join(one.words for one in found.changes) or "the plan as it is"
    return Explanation(
        f"Peak with {changed}" if found.changes else f"Peak of {changed}",
        format_bytes(whole_bytes), how, tuple(rows), margin, (), f"{SEARCHED}#what-is-exact",
    )  # fmt: skip


COUNTED_ONLY = "not known before the allocator is replayed; tensors are counted to the byte."


def of_sensitivity(measured: Sensitivity, layer: LayerSensitivity) -> Explanation:
    """What one layer loses at each number of bits."""
    rows = []
    for choice in layer.choices:
        note = f"output error {choice.output_error:.3g}"
        if choice.loss_rise is not None:
            note += f", loss {choice.loss_rise:+.3g}"
        rows.append(Row(choice.value, format_bytes(choice.size_bytes), note))
    how = (
        f"Measured on the model’s own weights with {format_count(measured.count)} {measured.unit} "
        f"of {measured.data}: the output error is ‖y′ − y‖ / ‖y‖ of this layer’s outputs for the "
        "inputs it has in the model as it is; the rise of the loss is expected from it."
    )
    return Explanation(
        f"Sensitivity of {layer.name}", f"{format_count(layer.weights)} weights", how, tuple(rows),
        "other text gives other numbers; layers are judged one by one, not together.",
        measured.notes, "techniques.md#quantization",
    )  # fmt: skip
