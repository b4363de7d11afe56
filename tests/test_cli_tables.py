"""Tables of the terminal: numbers are whole at any width."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from memplanner.cli.tables import table_of

NUMBERS = ("6.3 GiB", "20.1 GiB", "1 365 tokens/s")


@pytest.mark.parametrize("width", [60, 80, 160])
def test_the_first_column_gives_way_and_no_number_is_cut(width: int) -> None:
    table = table_of("Changes", "Peak", "Host", "Rate")
    words = "recompute every block, activations on host, loss in 8 chunks, NF4 weights"
    table.add_row(words, *NUMBERS)
    out = StringIO()
    Console(file=out, width=width).print(table)
    printed = out.getvalue()
    assert all(number in printed for number in NUMBERS)
    assert "…" not in printed
    left = " ".join(line[: width - 30] for line in printed.splitlines())
    assert all(word in left for word in words.replace(",", "").split())
    assert max(map(len, printed.splitlines())) <= width
