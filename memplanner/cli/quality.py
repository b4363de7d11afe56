"""A quality report as the terminal shows it."""

from __future__ import annotations

from collections.abc import Callable

from rich.table import Table

from memplanner.messages.run import LayerQuality, QualityFigures, QualityReport
from memplanner.units import MINUS, NOTHING, format_bytes, format_count

LARGEST = 8
"""Layers with the largest errors that are listed; the JSON has all."""

MakeTable = Callable[..., Table]


def quality_tables(report: QualityReport, make: MakeTable) -> list[Table]:
    """Before and after, and the layers whose outputs moved most. ``make`` takes columns."""
    tables = [_before_and_after(report, make)]
    if report.layers:
        tables.append(_layers(report.layers, make))
    return tables


def figure(value: float | None) -> str:
    """A loss, perplexity or speed in four figures; a dash where there is none."""
    if value is None:
        return NOTHING
    if 1000 <= abs(value) < 1e6:
        return format_count(round(value))
    return f"{value:.4g}"


def change(before: float | None, after: float | None) -> str:
    """Such as ``+4.1%`` of ``before``; a dash where one is not known."""
    if before is None or after is None or not before:
        return NOTHING
    return share(after / before - 1)


def share(value: float | None) -> str:
    """Such as ``+4.1%``; a dash where it is not known."""
    return NOTHING if value is None else f"{value:+.1%}".replace("-", MINUS)


def _before_and_after(report: QualityReport, make: MakeTable) -> Table:
    table = make(f"Quality on {report.data}", "Before", "After", "Difference")
    before, after = report.before, report.after
    rows: list[tuple[str, Callable[[QualityFigures], float | None], Callable[..., str]]] = [
        ("perplexity", lambda each: each.perplexity, figure),
        ("mean loss", lambda each: each.loss, figure),
        ("in memory", lambda each: each.memory_bytes, format_bytes),
        ("on disk", lambda each: each.disk_bytes, format_bytes),
        (f"{report.unit} per second, forward", lambda each: each.per_second, figure),
    ]
    for name, value, words in rows:
        old, new = value(before), value(after)
        if old is not None or new is not None:
            table.add_row(name, words(old), words(new), change(old, new))
    return table


def _layers(layers: tuple[LayerQuality, ...], make: MakeTable) -> Table:
    shown = f", the largest {LARGEST} of {len(layers)}" if len(layers) > LARGEST else ""
    table = make(f"Output errors{shown}", "Error", "Before", "After")
    for layer in sorted(layers, key=lambda layer: -layer.output_error)[:LARGEST]:
        table.add_row(
            layer.name,
            f"{layer.output_error:.2%}",
            format_bytes(layer.before_bytes),
            format_bytes(layer.after_bytes),
        )
    return table
