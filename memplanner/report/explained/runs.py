"""How figures of runs were made: predicted beside measured, now and in the history."""

from __future__ import annotations

from memplanner.messages.device import Device
from memplanner.messages.history import KeptRun
from memplanner.report import past_runs
from memplanner.report.explained.explanation import MADE, Explanation, Row, sentence
from memplanner.report.parts import exact
from memplanner.units import NOTHING, format_bytes, format_difference, format_duration

_PAGE = f"{MADE}#how-it-is-checked"
ERROR = "(predicted − measured) / measured"


def how_measured(device: Device) -> str:
    """What a run reads on a device, in sentences."""
    if device.kind == "cpu":
        return (
            "Measured on the real step: allocated is the storages alive, which a dispatch mode "
            "watches as they are made and freed; process memory is what the system says the "
            "process holds."
        )
    return (
        "Measured on the real step: allocated and reserved are the counters of torch’s caching "
        "allocator, the whole device is what its driver reports."
    )


def of_comparison(
    title: str, predicted_bytes: int | None, measured_bytes: int | None, device: Device
) -> Explanation:
    """A line of predicted beside measured."""
    rows = [
        Row("Predicted", *_size(predicted_bytes)),
        Row("Measured", *_size(measured_bytes)),
    ]
    error = None
    if predicted_bytes is not None and measured_bytes:
        error = (predicted_bytes - measured_bytes) / measured_bytes
        rows.append(Row("Difference", format_difference(measured_bytes, predicted_bytes)))
        rows.append(Row("Error", past_runs.error_words(error), ERROR))
    how = (
        "Predicted: from the recorded step, before anything ran. "
        f"{how_measured(device)} Both are of a steady step, the first one left out."
    )
    return Explanation(
        title, past_runs.error_words(error), how, tuple(rows),
        "none: one is a prediction without its device’s margin, the other was measured.",
        page=_PAGE,
    )  # fmt: skip


def of_past_run(run: KeptRun) -> Explanation:
    """A run of the history, with how its prediction was made at that time."""
    rows = [
        Row("Predicted", *_size(run.predicted.allocated_bytes)),
        Row("Measured", *_size(run.measured.allocated_bytes)),
        Row("Error", past_runs.error_words(run.error), ERROR),
    ]
    if run.step_seconds is not None:
        rows.append(
            Row("Step, measured", format_duration(run.step_seconds), "median after the first")
        )
    if run.estimated_seconds is not None:
        words = "by the data sheet alone"
        if run.device.kind == "cpu":
            words = "by stand-ins for a data sheet, before runs corrected them"
        rows.append(Row("Step, estimated", format_duration(run.estimated_seconds), words))
    how = f"Of {run.model} on {run.device.name}, {past_runs.when(run)}. "
    how += f"{how_measured(run.device)} Tensors at the peak are compared."
    if ended := past_runs.outcome_words(run):
        how += f" The run {ended}: its peak is of no whole step, and it counts in no median."
    sources = [f"Prediction: {sentence(run.method)}"] if run.method else []
    versions = [f"torch {run.torch}"] if run.torch else []
    versions += [f"driver {run.driver}"] if run.driver else []
    if versions:
        sources.append(f"Run with {', '.join(versions)}")
    return Explanation(
        "Past run", past_runs.error_words(run.error), how, tuple(rows),
        "none: it is what was predicted and measured then.", tuple(sources), _PAGE,
    )  # fmt: skip


def _size(size_bytes: int | None) -> tuple[str, str]:
    if size_bytes is None:
        return NOTHING, "not known"
    return format_bytes(size_bytes), exact(size_bytes)
