"""The table of predicted against measured, printed at the end of the run.

Tests may run in several processes, so their reports carry the rows.
"""

from __future__ import annotations

import statistics
from typing import Any

from tests.truth.comparing import Row

PROPERTY = "predicted against measured"


def print_table(terminalreporter: Any) -> None:
    """Prints the rows that the run's reports carry."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    rows = [
        Row(*values)
        for report in reports
        if getattr(report, "when", "") == "teardown" or getattr(report, "failed", False)
        for name, values in getattr(report, "user_properties", ())
        if name == PROPERTY
    ]
    rows = sorted(set(rows))
    if not rows:
        return
    terminalreporter.section("predicted against measured, one steady step on the CPU")
    terminalreporter.write_line(
        f"{'case':<62} {'predicted':>12} {'measured':>12} {'error':>8}  {'curve':>7} "
        f"{'category':>8}  {'allocator':>12} {'error':>8}"
    )
    for row in rows:
        gap = f"{row.category_gap:.3%}"
        terminalreporter.write_line(
            f"{row.name:<62} {row.predicted_bytes:>12} {row.tensor_bytes:>12} "
            f"{row.error:>8.3%}  {row.curve_gap:>7.3%} {gap:>8}  {row.allocator_bytes:>12} "
            f"{row.scratch_error:>8.3%}" + (f" {row.category}" if row.category_gap else "")
        )
    errors = [abs(row.error) for row in rows]
    scratch = [abs(row.scratch_error) for row in rows]
    equal = sum(row.predicted_bytes == row.tensor_bytes for row in rows)
    models = {row.name.partition(": ")[0] for row in rows}
    terminalreporter.write_line(
        f"{len(rows)} cases of {len(models)} models, {equal} equal to the byte, median error "
        f"{statistics.median(errors):.3%}, worst {max(errors):.3%}; along the curve worst "
        f"{max(row.curve_gap for row in rows):.3%}, in a category at the peak worst "
        f"{max(row.category_gap for row in rows):.3%}; with scratch median "
        f"{statistics.median(scratch):.3%}, worst {max(scratch):.3%}"
    )
