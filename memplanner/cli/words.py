"""Results as a terminal shows them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.progress import Progress
from rich.table import Table

from memplanner.cli.cost import quality_lines, time_lines
from memplanner.cli.quality import quality_tables, share
from memplanner.cli.tables import bold, console_of, table_of
from memplanner.messages.device import Device
from memplanner.messages.estimate import CATEGORIES, Estimate, Layer, Traffic
from memplanner.messages.history import CalibrationRecord
from memplanner.messages.protocol import Preset
from memplanner.messages.run import (
    RankRun,
    RunEvent,
    RunFigures,
    RunProgress,
    RunResult,
    RunStarted,
    RunStep,
)
from memplanner.messages.search import FoundPlan
from memplanner.report.words import verdict
from memplanner.units import (
    NOTHING,
    format_bytes,
    format_count,
    format_difference,
    format_parameters,
)

_LARGEST = 12
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)")


def print_estimate(estimate: Estimate, price_per_hour: float | None = None) -> None:
    """Verdict, time, categories, largest modules, method and notes.

    ``price_per_hour`` is one card's.
    """
    console = console_of()
    peak, device = estimate.peak, estimate.device
    phase = peak.phase.replace("_", " ")
    where = f"{phase}, {peak.module}" if peak.module else phase
    parameters = format_parameters(estimate.model.parameters)
    trained = format_parameters(estimate.model.trainable_parameters)
    console.print(
        bold(estimate.model.name), f", {parameters} parameters, {trained} trained", sep=""
    )
    console.print(bold(verdict(estimate)))
    console.print(f"Peak {format_bytes(peak.allocated_bytes)} on {device.name}, in {where}")
    trains = estimate.plan.inference.use == "training"
    step = "optimizer step" if trains else "round"
    for line in time_lines(estimate.time, estimate.plan.sharding.ranks, price_per_hour, step):
        console.print(line)
    for line in quality_lines(estimate.quality):
        console.print(line)
    console.print()
    table = table_of("Category", "At the peak")
    for name in CATEGORIES:
        size_bytes = getattr(peak.by_category, name)
        if size_bytes or name not in _SELDOM:
            table.add_row(name.replace("_", " "), format_bytes(size_bytes))
    table.add_row(bold("allocated"), bold(format_bytes(peak.allocated_bytes)))
    console.print(table)
    if estimate.parts:
        parts = table_of("Model", "At the peak")
        for part in estimate.parts:
            parts.add_row(part.name, format_bytes(part.size_bytes))
        console.print(parts)
    if estimate.states:
        states = table_of("From DeepSpeed's estimate to the peak", "Bytes")
        for part in estimate.states:
            states.add_row(part.name, format_bytes(part.size_bytes))
        console.print(states)
    if estimate.ranks:
        console.print(_cards(estimate))
    if estimate.traffic:
        console.print(_traffic(estimate.traffic))
    if peak.device_bytes is not None:
        console.print(_on_device(estimate))
    console.print(_largest(estimate.layers))
    console.print(f"{estimate.method}, in {estimate.seconds:.2f} s")
    for note in estimate.notes:
        console.print(f"Note: {note}")


def print_calibration(record: CalibrationRecord) -> None:
    """What was measured of a card, and the correction that its runs ask for."""
    console = console_of()
    console.print(bold(record.device_name))
    table = table_of("Beside the allocator", "Low", "Expected", "High")
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


_SELDOM = frozenset({"kv_cache", "communication"})
"""Categories that most plans have nothing of."""


def _cards(estimate: Estimate) -> Table:
    """What the cards of each stage take; the other figures are of the one in bold."""
    table = table_of("Cards", "Allocated", "Device", "Peak in", "Verdict")
    stages = len(estimate.ranks) > 1
    for ranks in estimate.ranks:
        name = f"stage {ranks.stage + 1}, {ranks.count} cards" if stages else f"{ranks.count} cards"
        cells = (
            name,
            format_bytes(ranks.allocated_bytes),
            "–" if ranks.device_bytes is None else format_bytes(ranks.device_bytes),
            ranks.phase.replace("_", " "),
            "–" if ranks.verdict is None else ranks.verdict.replace("_", " "),
        )
        shown = stages and ranks.first == estimate.rank
        table.add_row(*(bold(cell) if shown else cell for cell in cells))
    return table


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def _traffic(rows: Sequence[Traffic]) -> Table:
    """What a card sends in a step; times are what links take at their full rate."""
    table = table_of("Sent in a step", "Link", "Calls", "Bytes", "Estimated time")
    for row in rows:
        table.add_row(
            row.kind.replace("_", "-"),
            "within nodes" if row.link == "card" else "between nodes",
            format_count(row.calls),
            format_bytes(row.sent_bytes),
            "rate not known" if row.seconds is None else _time(row.seconds),
        )
    return table


def _on_device(estimate: Estimate) -> Table:
    """From allocated memory to what the device shows, with the margin of each row."""
    peak = estimate.peak
    table = table_of("On the device", "Low", "Expected", "High")
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
    sizes_shown = [bold(format_bytes(size or 0)) for size in whole_device]
    table.add_row(bold("device"), *sizes_shown)
    if peak.calibrated_bytes is not None:
        table.add_row("device, by runs on this card", "", format_bytes(peak.calibrated_bytes), "")
    return table


def _largest(layers: Sequence[Layer]) -> Table:
    """The largest modules, those alike in different blocks as one row."""
    groups: dict[tuple[object, ...], list[Layer]] = defaultdict(list)
    for layer in layers:
        groups[_NUMBER.sub("*", layer.name), _total(layer), layer.activations_bytes].append(layer)
    table = table_of("Largest modules", "Type", "Param.", "Grad.", "Optim.", "Activ.", "Temp.",
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
        self._console = console_of(stream)
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
                f"Step {event.step}: {_made(event)}, "
                f"{event.step_seconds:.2f} s, "
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
        self._console.print(bold(result.sentence))
        if result.measured is not None:
            self._console.print(_comparison(result.predicted, result.measured))
        if any(rank.measured is not None for rank in result.ranks):
            self._console.print(_by_rank(result.ranks))
        if result.quality is not None:
            for table in quality_tables(result.quality, table_of):
                self._console.print(table)
        if result.saved is not None:
            self._console.print(
                f"Saved in {result.saved}; memplanner.load_compressed opens that folder again."
            )
        for note in result.notes:
            self._console.print(f"Note: {note}")


def _by_rank(ranks: Sequence[RankRun]) -> Table:
    """The allocated peak of every rank, predicted against measured."""
    from memplanner.run.comparison import Comparison

    table = table_of("Rank", "Stage", "Predicted", "Measured", "Difference", "Error")
    for rank in ranks:
        predicted = rank.predicted.allocated_bytes
        known = [str(rank.rank), str(rank.stage), format_bytes(predicted)]
        if rank.measured is None:
            table.add_row(*known, NOTHING, NOTHING, NOTHING)
            continue
        row = Comparison("", predicted, rank.measured.allocated_bytes)
        table.add_row(
            *known,
            format_bytes(row.measured_bytes),
            format_difference(row.predicted_bytes, row.measured_bytes),
            share(row.error),
        )
    return table


def _made(step: RunStep) -> str:
    """The loss, or how fast a model in use is."""
    if step.loss is None:
        return f"{step.per_second or 0:.1f} a second"
    return f"loss {step.loss:.4f}{_terms(step)}"


def _terms(step: RunStep) -> str:
    """Such as `` (labels 3.2104, logits 0.4410)``."""
    terms = ", ".join(f"{name} {value:.4f}" for name, value in step.terms.items())
    return f" ({terms})" if terms else ""


def _comparison(predicted: RunFigures, measured: RunFigures) -> Table:
    from memplanner.run.comparison import Comparison, compare_categories, compare_phases

    table = table_of("", "Predicted", "Measured", "Difference", "Error")
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
        table.add_row(*(map(bold, cells) if row is whole else cells))
    return table


def print_devices(devices: Iterable[Device]) -> None:
    """This machine's devices, then the catalogue."""
    table = table_of("Device", "Memory", "Free now", "Architecture")
    for device in devices:
        here = " (this machine)" if device.local else ""
        table.add_row(
            device.name + here,
            "not known" if device.memory_bytes is None else format_bytes(device.memory_bytes),
            format_bytes(device.free_bytes or 0) if device.local else NOTHING,
            device.architecture or NOTHING,
        )
    console_of().print(table)


def print_presets(presets: Iterable[Preset]) -> None:
    """The presets."""
    table = table_of("Preset", "Model", "Publisher", "Parameters")
    for preset in presets:
        table.add_row(
            f"preset:{preset.name}",
            preset.title,
            preset.publisher,
            format_parameters(preset.parameters),
        )
    console_of().print(table)


def said(found: FoundPlan) -> str:
    """A plan's changes in short words, each once; empty for the plan as it is."""
    return ", ".join(dict.fromkeys(change.words for change in found.changes if change.words))
