"""``docs/accuracy.md``: the reference table as a document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from benchmarks.reference.ladders import Climb
from benchmarks.reference.ladders import part as ladders_part
from benchmarks.reference.outcome import EXPLAINED, Outcome, Summary, summarize
from benchmarks.reference.rows import Reference, Row

INTRODUCTION = """\
# How accurate predictions are

Peaks that others measured on CUDA cards and published, beside what memplanner predicts for the \
same plan, without a card. This page is written by `make accuracy`; the rows, with the plan of \
each, are in [`benchmarks/reference/rows.yaml`](../benchmarks/reference/rows.yaml).

The other half of the evidence is the truth suite (`pytest tests/truth`), which holds predictions \
against real training steps on the CPU, byte by byte.

- **Metric** is the figure that was published: *allocated* and *reserved* are those of torch's \
allocator, *device* is the whole card. The prediction is of the same figure.
- **High** is the high value of the whole card's prediction, for which “fits” is promised, and \
whether it is at or above the measured one. Where the published figure is *allocated* or \
*reserved*, the card held more than that, so this says less.
- **Complete** rows have sources that state everything the peak depends on. Only these count in \
the medians at the top; a row marked * has a condition that matters and that we had to assume.
- GB are 10⁹ bytes, GiB are 2³⁰.
- No number of the engine was fitted to a row. Two conditions that sources leave open were settled \
by measurements, as said below: which of two norms LitGPT ran, and the length of PEFT's batches. \
The other reading of these rows is predicted too.
"""


def document(
    reference: Reference, outcomes: Sequence[Outcome], climbs: Sequence[Climb] = ()
) -> str:
    """The whole page."""
    parts = [INTRODUCTION, "## Medians", _summaries(summaries(reference, outcomes))]
    for key, source in reference.sources.items():
        own = [one for one in outcomes if one.row.source == key]
        if own:
            parts += [f"## {source.title}", f"`{source.file}`", source.reading, _rows(own)]
            parts += [_remarks(own)] if _remarks(own) else []
    parts += [ladders_part(climbs)] if climbs else []
    parts += ["## Not yet", "What a plan cannot say yet is not predicted.", _later(reference)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def summaries(reference: Reference, outcomes: Sequence[Outcome]) -> list[Summary]:
    """Of complete rows together and by source, then of all rows that are predicted."""
    complete = [one for one in outcomes if one.row.complete]
    made = [summarize("All complete rows", complete)]
    for key, source in reference.sources.items():
        own = [one for one in outcomes if one.row.source == key]
        if own:
            whole = all(one.row.complete for one in own)
            made.append(summarize(source.title + ("" if whole else " *"), own))
    other = [replace(one, predicted_bytes=one.otherwise_bytes) if one.row.otherwise else one
             for one in complete]  # fmt: skip
    return [
        *made,
        summarize("All rows that are predicted", outcomes),
        summarize("All complete rows, under their other readings", other),
    ]


def size(row: Row, size_bytes: int | None) -> str:
    """``size_bytes`` in the row's own unit, such as ``4.80 GB``."""
    if size_bytes is None:
        return "–"
    return f"{size_bytes / (10**9 if row.unit == 'GB' else 2**30):.2f} {row.unit}"


def percent(share: float | None) -> str:
    """A signed share, such as ``−0.4 %``."""
    if share is None:
        return "–"
    return f"{100 * share:+.1f} %".replace("-", "−").replace("−0.0", "0.0").replace("+0.0", "0.0")


def high(outcome: Outcome) -> str:
    """The high value and whether it covers the measured one."""
    if outcome.is_covered is None:
        return "–"
    shown = size(outcome.row, outcome.high_bytes)
    return shown if outcome.is_covered else f"{shown}, below"


def _summaries(made: Iterable[Summary]) -> str:
    lines = ["| | rows | median error | largest | high ≥ measured |", "|---|---:|---:|---:|---:|"]
    for one in made:
        shares = [
            "–" if share is None else f"{100 * share:.{places}f} %"
            for share, places in (
                (one.median_error, 1), (one.largest_error, 1), (one.covered, 0),
            )
        ]  # fmt: skip
        lines.append(f"| {one.name} | {one.rows} | {' | '.join(shares)} |")
    return "\n".join(lines)


def _rows(outcomes: Iterable[Outcome]) -> str:
    lines = [
        "| row | model | conditions | card | metric | predicted | measured | error | high |",
        "|---|---|---|---|---|---:|---:|---:|---:|",
    ]
    for one in outcomes:
        row = one.row
        cells = (
            row.id + ("" if row.complete else " *"), row.model, row.conditions, row.device,
            row.metric, size(row, one.predicted_bytes), f"{row.measured} {row.unit}",
            percent(one.error), high(one),
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _remarks(outcomes: Iterable[Outcome]) -> str:
    lines = []
    for one in outcomes:
        parts = [one.row.reading] if one.row.reading else []
        if one.row.otherwise is not None:
            other = size(one.row, one.otherwise_bytes)
            parts.append(f"{one.row.otherwise.reading}: {other} ({percent(one.otherwise_error)}).")
        if one.error is not None and abs(one.error) > EXPLAINED:
            parts.append(one.row.cause or "The error is unexplained.")
        if parts:
            lines.append(f"- {one.row.id}: {' '.join(parts)}")
    return "\n".join(lines)


def _later(reference: Reference) -> str:
    lines = ["| row | source | model | conditions | measured | why |", "|---|---|---|---|---:|---|"]
    for row in reference.not_yet:
        cells = (
            row.id, reference.sources[row.source].title, row.model, row.conditions,
            f"{row.measured} {row.unit} {row.metric}", row.not_yet,
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
