"""The table of predicted against measured, printed at the end of the run."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tests.truth.comparing import Row

PROPERTY = "predicted against measured"
"""Reports carry the rows, since tests may run in several processes."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """On a busy machine threads that wait for each other turn milliseconds into seconds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Iterator[list[Row]]:
    """Rows of the table; append to it."""
    rows: list[Row] = []
    yield rows
    request.node.user_properties += [(PROPERTY, tuple(row)) for row in rows]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints the table."""
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
    terminalreporter.write_line(
        f"{len(rows)} cases, {equal} equal to the byte, median error "
        f"{statistics.median(errors):.3%}, worst {max(errors):.3%}; along the curve worst "
        f"{max(row.curve_gap for row in rows):.3%}, in a category at the peak worst "
        f"{max(row.category_gap for row in rows):.3%}; with scratch median "
        f"{statistics.median(scratch):.3%}, worst {max(scratch):.3%}"
    )
