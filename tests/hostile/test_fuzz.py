"""A share of the long fuzzing (``benchmarks/fuzz.py``), by hypothesis: the same every time."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from benchmarks.fuzz import Trial
from benchmarks.fuzz_inputs import inputs

EXAMPLES = {
    "safetensors": 200, "gguf": 100, "onnx": 200, "archive": 200, "keras": 60,
    "config": 100, "index": 200, "folder": 100, "plan": 100, "trainer": 100, "snapshot": 200,
    "text": 100, "protocol": 200,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("reader", EXAMPLES)
def test_damage_is_read_or_ends_in_one_sentence(tmp_path: Path, reader: str) -> None:
    trial = Trial(reader, tmp_path)

    @seed(7)
    @settings(
        max_examples=EXAMPLES[reader],
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    @given(start=st.integers(0, 2**32))
    def check(start: int) -> None:
        assert trial.wrong(next(inputs(reader, start))) is None

    with closing(trial):
        check()


@pytest.mark.parametrize("reader", EXAMPLES)
def test_any_bytes_are_read_or_end_in_one_sentence(tmp_path: Path, reader: str) -> None:
    trial = Trial(reader, tmp_path)

    @seed(7)
    @settings(
        max_examples=100,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    @given(data=st.binary(max_size=300))
    def check(data: bytes) -> None:
        assert trial.wrong(data) is None

    with closing(trial):
        check()
