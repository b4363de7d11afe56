"""The table of predicted against measured, printed at the end of the run."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch


class Row(NamedTuple):
    """One case: peaks in bytes."""

    name: str
    predicted_bytes: int
    tensor_bytes: int
    predicted_with_scratch_bytes: int
    allocator_bytes: int

    @property
    def error(self) -> float:
        """Against the tensor level."""
        return (self.predicted_bytes - self.tensor_bytes) / self.tensor_bytes

    @property
    def scratch_error(self) -> float:
        """Kernels' scratch included, against the allocator level."""
        return (self.predicted_with_scratch_bytes - self.allocator_bytes) / self.allocator_bytes


ROWS = pytest.StashKey[list[Row]]()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """On a busy machine threads that wait for each other turn milliseconds into seconds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def table(request: pytest.FixtureRequest) -> list[Row]:
    """Rows of the table; append to it."""
    return request.config.stash.setdefault(ROWS, [])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Prints the table."""
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    terminalreporter.section("predicted against measured, one steady step on the CPU")
    for row in rows:
        terminalreporter.write_line(
            f"{row.name:<58} {row.predicted_bytes:>12} {row.tensor_bytes:>12} "
            f"{row.error:>8.3%}   with scratch {row.allocator_bytes:>12} "
            f"{row.scratch_error:>8.3%}"
        )
    errors = [abs(row.error) for row in rows]
    equal = sum(row.predicted_bytes == row.tensor_bytes for row in rows)
    terminalreporter.write_line(
        f"{len(rows)} cases, {equal} equal to the byte, median error "
        f"{statistics.median(errors):.3%}, worst {max(errors):.3%}; "
        f"with scratch worst {max(abs(row.scratch_error) for row in rows):.3%}"
    )
