"""The layer table: modules in rows, those alike as one, and as CSV."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from memplanner.messages.estimate import CATEGORIES, Estimate, Layer
from memplanner.report import differences
from memplanner.report.differences import IN_NO_MODULE, layer_bytes
from memplanner.report.text import harmless
from memplanner.units import NOTHING, format_parameters


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A module, or several alike, with what it holds at the peak."""

    name: str
    type: str
    parameters: str
    sizes: Mapping[str, int]
    """Bytes by category."""
    total_bytes: int


def layer_table(layers: Sequence[Layer]) -> tuple[LayerRow, ...]:
    """The modules in the model's order, those of different blocks that hold the same as one."""
    groups: dict[tuple[object, ...], list[Layer]] = defaultdict(list)
    for layer in layers:
        if layer_bytes(layer):
            sizes = tuple(getattr(layer, f"{name}_bytes") for name in CATEGORIES)
            groups[differences.pattern(layer.name), layer.type, sizes].append(layer)
    rows = []
    for group in groups.values():
        first, count = group[0], len(group)
        name = differences.pattern(first.name) if count > 1 else first.name
        sizes_of = {
            category: count * getattr(first, f"{category}_bytes") for category in CATEGORIES
        }
        parameters = sum(layer.parameters for layer in group)
        rows.append(
            LayerRow(
                f"{name}, {count} alike" if count > 1 else name or IN_NO_MODULE,
                first.type,
                format_parameters(parameters) if parameters else NOTHING,
                sizes_of,
                sum(sizes_of.values()),
            )
        )
    return tuple(rows)


def columns(layers: Sequence[Layer]) -> list[str]:
    """The categories that any module has something of."""
    return [name for name in CATEGORIES if any(getattr(layer, f"{name}_bytes") for layer in layers)]


def layers_csv(estimate: Estimate) -> str:
    """The layer table as CSV (RFC 4180): a line for each module, bytes in whole numbers."""
    text = io.StringIO()
    writer = csv.writer(text)
    names = [f"{name}_bytes" for name in CATEGORIES]
    writer.writerow(["module", "type", "parameters", *names, "total_bytes", "kept_bytes"])
    for row in estimate.layers:
        sizes = [getattr(row, name) for name in names]
        cells = [harmless(row.name), harmless(row.type), row.parameters]
        writer.writerow([*cells, *sizes, sum(sizes), row.kept_bytes])
    return text.getvalue()
