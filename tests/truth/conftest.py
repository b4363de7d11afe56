"""Truth is measured on one thread, and its rows go into the table at the end of the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.truth.comparing import Row
from tests.truth.table import PROPERTY


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
