"""Files that nobody wrote: each is a plan, or one sentence says why not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

import memplanner.importing
from memplanner.errors import PlanError
from memplanner.importing import parse_trainer
from memplanner.importing.recognising import SIGNS

SOURCES = Path(memplanner.importing.__file__).parent
TAKEN = sorted(
    {
        name
        for path in SOURCES.glob("*.py")
        for name in re.findall(r"\"([a-z][a-z0-9_]+)\"", path.read_text())
    }
    | {sign for signs in SIGNS.values() for sign in signs}
)
"""Every key that a reader may look for, and words that it knows."""
single: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-5, 10**6)
    | st.floats(allow_nan=False)
    | st.sampled_from(TAKEN)
    | st.sampled_from(["auto", "cpu", "1e-5", "true", "full", "a, b", "rank=8, scale=x"])
)
values = st.recursive(
    single,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(TAKEN), inner, max_size=4)
    ),
    max_leaves=8,
)
files = st.sampled_from(sorted(SIGNS)).flatmap(
    lambda name: st.dictionaries(
        st.sampled_from([*SIGNS[name] * 8, *TAKEN]), values, min_size=2, max_size=14
    )
)
flags = st.lists(
    st.sampled_from(
        [
            "--module", "llama3", "--config", "llama3_8b", "--training.seq_len", "0", "-4", "x",
            "--parallelism.tensor_parallel_degree", "3", "--compile.enable", "--nnodes", "2:4",
            "--parallelism.data_parallel_shard_degree=2", "activation-checkpoint:full", "2",
            "--training.local_batch_size", "--parallelism.pipeline_parallel_degree",
        ]
    ),
    max_size=14,
)  # fmt: skip


def sentence_of(text: str, origin: str) -> str:
    """Why the text is no plan; empty where it is one."""
    try:
        parse_trainer(text, origin=origin)
    except PlanError as error:
        return str(error)
    return ""


@given(files)
@examples(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_mapping_of_any_kind_is_a_plan_or_a_sentence(mapping: dict[str, Any]) -> None:
    sentence = sentence_of(json.dumps(mapping), "file.json")
    starts = ("file.json", "the DeepSpeed configuration", "the file")
    assert not sentence or (sentence.startswith(starts) and sentence.endswith((".", "?")))


@given(flags)
@examples(max_examples=100, deadline=None)
def test_flags_in_any_order_are_a_plan_or_a_sentence(words: list[str]) -> None:
    sentence = sentence_of(" ".join(["torchrun", "--module", "llama3", *words]), "run.sh")
    assert not sentence or sentence.startswith("run.sh")
