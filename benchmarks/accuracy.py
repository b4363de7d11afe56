"""Predictions beside peaks that others measured on CUDA cards and published.

    python -m benchmarks.accuracy [--row R046] [--write docs/accuracy.md]

It needs no card. The rows and their plans are in ``benchmarks/reference/rows.yaml``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.reference.document import document, high, percent, size, summaries
from benchmarks.reference.ladders import climb, read_ladders
from benchmarks.reference.outcome import EXPLAINED, Outcome, Summary, predict
from benchmarks.reference.rows import Reference, Row, RowsError, read_rows
from memplanner.errors import MemplannerError
from memplanner.writing import why, write_whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--row", action="append", help="predict this row only; may be repeated")
    parser.add_argument("--write", type=Path, help="write the document to this file")
    options = parser.parse_args()
    if options.row and options.write:
        parser.error("the document is of all rows; leave out --row or --write")
    try:
        reference = read_rows()
        outcomes = predictions(chosen(reference, options.row))
        climbs = (
            [] if options.row else [climb(ladder, reference, outcomes) for ladder in read_ladders()]
        )
    except (MemplannerError, RowsError) as error:
        raise SystemExit(str(error)) from error
    show(reference, outcomes, chosen_only=bool(options.row))
    if options.write:
        try:
            write_whole(options.write, document(reference, outcomes, climbs))
        except OSError as error:
            raise SystemExit(f"{options.write} could not be written: {why(error)}.") from error


def chosen(reference: Reference, ids: Sequence[str] | None) -> Sequence[Row]:
    """The rows to predict. Raises ``RowsError`` for an id that is none of them."""
    if not ids:
        return reference.predicted
    by_id = {row.id: row for row in reference.rows}
    for id_ in ids:
        if id_ not in by_id:
            raise RowsError(f"{id_} is no row; name one of {', '.join(by_id)}")
        if by_id[id_].not_yet:
            raise RowsError(f"{id_} is not predicted yet: {by_id[id_].not_yet}")
    return [by_id[id_] for id_ in ids]


def predictions(rows: Sequence[Row]) -> list[Outcome]:
    """The outcomes of ``rows``, in their order."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return [predict(row) for row in rows]
    return [predict(row) for row in track(rows, "Predicting", console=console, transient=True)]


def show(reference: Reference, outcomes: Sequence[Outcome], *, chosen_only: bool) -> None:
    """Prints the tables."""
    console = Console(width=max(150, Console().width))
    console.print(_table(outcomes))
    for one in outcomes:
        if one.error is not None and abs(one.error) > EXPLAINED:
            console.print(f"{one.row.id}: {one.row.cause or 'unexplained'}", highlight=False)
    if not chosen_only:
        console.print(_medians(summaries(reference, outcomes)))
        for row in reference.not_yet:
            console.print(f"not yet: {row.id} {row.model}: {row.not_yet}", highlight=False)


def _table(outcomes: Iterable[Outcome]) -> Table:
    table = Table(title="* a condition was assumed")
    for heading in ("row", "model", "conditions", "metric"):
        table.add_column(heading)
    for heading in ("predicted", "measured", "error", "high"):
        table.add_column(heading, justify="right")
    for one in outcomes:
        row = one.row
        table.add_row(
            row.id + ("" if row.complete else " *"),
            row.model,
            row.conditions,
            row.metric,
            size(row, one.predicted_bytes),
            f"{row.measured} {row.unit}",
            percent(one.error),
            high(one),
        )
    return table


def _medians(made: Iterable[Summary]) -> Table:
    table = Table()
    for heading in ("", "rows", "median error", "largest", "high ≥ measured"):
        table.add_column(heading, justify="left" if not heading else "right")
    for one in made:
        shares = (one.median_error, one.largest_error, one.covered)
        table.add_row(
            one.name,
            str(one.rows),
            *("–" if share is None else f"{100 * share:.1f} %" for share in shares),
        )
    return table


if __name__ == "__main__":
    main()
