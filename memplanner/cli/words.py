"""Results as a terminal shows them."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from memplanner.cli.quality import quality_tables, share
from memplanner.messages.device import Device
from memplanner.messages.estimate import CATEGORIES, Estimate, Layer
from memplanner.messages.history import CalibrationRecord
from memplanner.messages.protocol import Preset
from memplanner.messages.run import (
    RunEvent,
    RunFigures,
    RunProgress,
    RunResult,
    RunStarted,
    RunStep,
)
from memplanner.units import NOTHING, format_bytes, format_difference, format_parameters

_LARGEST = 12
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)")
_PLAIN_WIDTH = 160
"""Columns where nothing says how wide the output is, as in a pipe."""


def _console(stream: TextIO | None = None) -> Console:
    """Prints what it is given: a name with brackets or colons means nothing here."""
    stream = stream or sys.stdout
    width = None if stream.isatty() else _PLAIN_WIDTH
    return Console(
        file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True, width=width
    )


def _bold(text: str) -> Text:
    return Text(text, style="bold")


def print_estimate(estimate: Estimate) -> None:
    """Verdict, categories, largest modules, method and notes."""
    console = _console()
    peak, device = estimate.peak, estimate.device
    phase = peak.phase.replace("_", " ")
    where = f"{phase}, {peak.module}" if peak.module else phase
    parameters = format_parameters(estimate.model.parameters)
    trained = format_parameters(estimate.model.trainable_parameters)
    console.print(
        _bold(estimate.model.name), f", {parameters} parameters, {trained} trained", sep=""
    )
    console.print(_bold(verdict(estimate)))
    console.print(f"Peak {format_bytes(peak.allocated_bytes)} on {device.name}, in {where}\n")
    table = _table("Category", "At the peak")
    for name in CATEGORIES:
        table.add_row(name.replace("_", " "), format_bytes(getattr(peak.by_category, name)))
    table.add_row(_bold("allocated"), _bold(format_bytes(peak.allocated_bytes)))
    console.print(table)
    if peak.device_bytes is not None:
        console.print(_on_device(estimate))
    console.print(_largest(estimate.layers))
    console.print(f"{estimate.method}, in {estimate.seconds:.2f} s")
    for note in estimate.notes:
        console.print(f"Note: {note}")


def print_calibration(record: CalibrationRecord) -> None:
    """What was measured of a card, and the correction that its runs ask for."""
    console = _console()
    console.print(_bold(record.device_name))
    table = _table("Beside the allocator", "Low", "Expected", "High")
    for row in record.overhead:
        sizes = (row.low_bytes, row.expected_bytes, row.high_bytes)
        table.add_row(row.name, *map(format_bytes, sizes))
    console.print(table)
    correction = record.correction
    if correction is None:
        console.print("Too few runs for a correction.")
        return
    console.print(
        f"Measured is {correction.factor:.3f} of predicted, {correction.low:.3f} to "
        f"{correction.high:.3f} over {correction.comparisons} phases of {correction.runs} runs."
    )
    if correction.bounded:
        console.print("The runs ask for more than is believed: something is not modelled.")


def verdict(estimate: Estimate) -> str:
    """``Fits, 4.3 GiB to spare``, as the window says it."""
    spare, peak = estimate.spare_bytes, estimate.peak
    if spare is None:
        return f"{estimate.device.name}: memory not known"
    if estimate.verdict == "does_not_fit":
        return f"Does not fit: {format_bytes(-spare)} missing"
    if estimate.verdict == "at_risk":
        if peak.device_bytes is None or peak.device_high_bytes is None:
            return "May not fit: what the device holds is not known"
        over = peak.device_high_bytes - peak.device_bytes - spare
        if over <= 0:
            return "May not fit: only by giving cached memory back"
        return f"May not fit: {format_bytes(over)} over at the high end"
    return f"Fits, {format_bytes(spare)} to spare"


def _on_device(estimate: Estimate) -> Table:
    """From allocated memory to what the device shows, with the margin of each row."""
    peak = estimate.peak
    table = _table("On the device", "Low", "Expected", "High")
    rows = [("allocated", peak.allocated_bytes, peak.allocated_bytes, peak.allocated_bytes)]
    if peak.reserved_bytes is not None:
        slack = peak.reserved_bytes - peak.allocated_bytes
        beside = [sum(getattr(row, f"{end}_bytes") for row in estimate.overhead)
                  for end in ("low", "expected", "high")]  # fmt: skip
        whole = (peak.device_low_bytes, peak.device_bytes, peak.device_high_bytes)
        ends = [
            (end or 0) - around - peak.allocated_bytes
            for end, around in zip(whole, beside, strict=True)
        ]
        rows.append(("held back by the allocator", ends[0], slack, ends[2]))
    rows += [
        (row.name, row.low_bytes, row.expected_bytes, row.high_bytes) for row in estimate.overhead
    ]
    for name, *sizes in rows:
        table.add_row(name, *map(format_bytes, sizes))
    whole_device = (peak.device_low_bytes, peak.device_bytes, peak.device_high_bytes)
    sizes_shown = [_bold(format_bytes(size or 0)) for size in whole_device]
    table.add_row(_bold("device"), *sizes_shown)
    if peak.calibrated_bytes is not None:
        table.add_row("device, by runs on this card", "", format_bytes(peak.calibrated_bytes), "")
    return table


def _largest(layers: Sequence[Layer]) -> Table:
    """The largest modules, those alike in different blocks as one row."""
    groups: dict[tuple[object, ...], list[Layer]] = defaultdict(list)
    for layer in layers:
        groups[_NUMBER.sub("*", layer.name), _total(layer), layer.activations_bytes].append(layer)
    table = _table("Largest modules", "Type", "Param.", "Grad.", "Optim.", "Activ.", "Temp.",
                   "Total")  # fmt: skip
    rows = sorted(groups.values(), key=lambda group: _total(group[0]) * len(group), reverse=True)
    for group in rows[:_LARGEST]:
        first = group[0]
        name = first.name or "(in no module)"
        figures = [
            sum(getattr(layer, f"{category}_bytes") for layer in group)
            for category in CATEGORIES[:5]
        ]
        table.add_row(
            f"{_NUMBER.sub('*', name)}, {len(group)} alike" if len(group) > 1 else name,
            first.type,
            *(format_bytes(figure) for figure in figures),
            format_bytes(sum(_total(layer) for layer in group)),
        )
    return table


def _total(layer: Layer) -> int:
    return sum(int(getattr(layer, f"{name}_bytes")) for name in CATEGORIES)


class RunPrinter:
    """A run as it goes: JSON a line, or progress and a table at the end."""

    def __init__(self, stream: TextIO, *, as_json: bool) -> None:
        self._stream, self._as_json = stream, as_json
        self._console = _console(stream)
        self._progress: Progress | None = None

    def event(self, event: RunEvent) -> None:
        """Prints one event."""
        if self._as_json:
            self._stream.write(event.model_dump_json(by_alias=True) + "\n")
            self._stream.flush()
        elif isinstance(event, RunStarted):
            self._console.print(f"{event.model.name} on {event.device.name}, {event.data}")
            self._progress = Progress(console=self._console, transient=True)
            self._progress.add_task("steps", total=event.steps)
            self._progress.start()
        elif isinstance(event, RunProgress):
            self._console.print(f"{event.title}: {event.detail}" if event.detail else event.title)
        elif isinstance(event, RunStep):
            self._console.print(
                f"Step {event.step}: loss {event.loss:.4f}, {event.step_seconds:.2f} s, "
                f"peak {format_bytes(event.peak_bytes)}"
            )
            if self._progress is not None:
                self._progress.advance(self._progress.task_ids[0])
        elif isinstance(event, RunResult):
            self.close()
            self._result(event)

    def close(self) -> None:
        """Takes the progress bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _result(self, result: RunResult) -> None:
        self._console.print(_bold(result.sentence))
        if result.measured is not None:
            self._console.print(_comparison(result.predicted, result.measured))
        if result.quality is not None:
            for table in quality_tables(result.quality, _table):
                self._console.print(table)
        if result.saved is not None:
            self._console.print(
                f"Saved in {result.saved}; memplanner.load_compressed opens that folder again."
            )
        for note in result.notes:
            self._console.print(f"Note: {note}")


def _comparison(predicted: RunFigures, measured: RunFigures) -> Table:
    from memplanner.run import Comparison, compare_categories, compare_phases

    table = _table("", "Predicted", "Measured", "Difference", "Error")
    whole = Comparison("allocated", predicted.allocated_bytes, measured.allocated_bytes)
    for row in (
        *compare_categories(predicted, measured),
        whole,
        *compare_phases(predicted, measured),
    ):
        cells = (
            row.name.replace("_", " "),
            format_bytes(row.predicted_bytes),
            format_bytes(row.measured_bytes),
            format_difference(row.predicted_bytes, row.measured_bytes),
            share(row.error),
        )
        table.add_row(*(map(_bold, cells) if row is whole else cells))
    return table


def print_devices(devices: Iterable[Device]) -> None:
    """This machine's devices, then the catalogue."""
    table = _table("Device", "Memory", "Free now", "Architecture")
    for device in devices:
        here = " (this machine)" if device.local else ""
        table.add_row(
            device.name + here,
            "not known" if device.memory_bytes is None else format_bytes(device.memory_bytes),
            format_bytes(device.free_bytes or 0) if device.local else NOTHING,
            device.architecture or NOTHING,
        )
    _console().print(table)


def print_presets(presets: Iterable[Preset]) -> None:
    """The presets."""
    table = _table("Preset", "Model", "Publisher", "Parameters")
    for preset in presets:
        table.add_row(
            f"preset:{preset.name}",
            preset.title,
            preset.publisher,
            format_parameters(preset.parameters),
        )
    _console().print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    numbers = {"Type", "Model", "Publisher", "Architecture"}
    for place, column in enumerate(columns):
        table.add_column(
            column, justify="left" if place == 0 or column in numbers else "right", no_wrap=True
        )
    return table
