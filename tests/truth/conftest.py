"""Truth is measured from one seed, and its rows go into the table at the end of the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.truth.comparing import Row
from tests.truth.table import PROPERTY


@pytest.fixture(autouse=True)
def one_seed() -> None:
    """Routing and dropout are the same each time."""
    torch.manual_seed(0)


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Iterator[list[Row]]:
    """Rows of the table; append to it."""
    rows: list[Row] = []
    yield rows
    request.node.user_properties += [(PROPERTY, tuple(row)) for row in rows]
