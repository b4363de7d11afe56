"""Reading the allocator's settings, and rounding by them."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplanner.errors import PlanError
from memplanner.estimate.allocator.rounding import round_sizes, segment_bytes
from memplanner.estimate.allocator.settings import AllocatorSettings
from memplanner.units import KIB, MIB

GOOD = {
    "": {},
    "expandable_segments:True": {"expandable_segments": True},
    " max_split_size_mb : 128 , ": {"max_split_size_bytes": 128 * MIB},
    "garbage_collection_threshold:0.8,max_split_size_mb:64": {
        "garbage_collection_threshold": 0.8,
        "max_split_size_bytes": 64 * MIB,
    },
    "large_segment_size_mb:64": {
        "large_segment_size_bytes": 64 * MIB,
        "max_non_split_rounding_bytes": 64 * MIB,
    },
    "max_split_size_mb:100,large_segment_size_mb:40": {
        "max_split_size_bytes": 100 * MIB,
        "large_segment_size_bytes": 40 * MIB,
        "max_non_split_rounding_bytes": 40 * MIB,
    },
    "roundup_power2_divisions:4": {"roundup_power2_divisions": (4,) * 16},
    # of torch's documentation, notes/cuda.rst: 1 below 256 MiB … and 8 from 1 GiB on
    "roundup_power2_divisions:[256:1,512:2,1024:4,>:8]": {
        "roundup_power2_divisions": (*[1] * 9, 2, 4, *[8] * 5)
    },
    "pinned_use_background_threads:True,per_process_memory_fraction:0.5": {
        "per_process_memory_fraction": 0.5
    },
    "backend:cudaMallocAsync": {"backend": "cudaMallocAsync"},
}
BAD = {
    "max_split_size_mb": "key:value",
    "max_split_size_mb:": "key:value",
    "max_split_size_mb=128": "key:value",
    "expandable_segments:True;max_split_size_mb:30": "key:value",
    "expandable_segments:true": "True or False",
    "expandable_segment:True": "expandable_segments",
    "max_split_size_mb:19": "at least 20",
    "max_split_size_mb:-1": "at least 20",
    "max_split_size_mb:lots": "at least 20",
    "max_split_size_mb:30,large_segment_size_mb:40": "at least 40",
    "large_segment_size_mb:10": "at least 11",
    "garbage_collection_threshold:1": "between 0 and 1",
    "garbage_collection_threshold:nan": "between 0 and 1",
    "per_process_memory_fraction:1.5": "from 0 to 1",
    "roundup_power2_divisions:3": "powers of two",
    "roundup_power2_divisions:[100:2]": "powers of two",
    "roundup_power2_divisions:[256]": "powers of two",
    "roundup_power2_divisions:[256:1,512:2": "key:value",
    "backend:cuda": "native or cudaMallocAsync",
    ",": "key:value",
}


@pytest.mark.parametrize("text", GOOD)
def test_settings_mean_what_torch_says(text: str) -> None:
    assert AllocatorSettings.parse(text) == AllocatorSettings.model_validate(GOOD[text])


@pytest.mark.parametrize("text", BAD)
def test_malformed_settings_get_one_sentence(text: str) -> None:
    with pytest.raises(PlanError) as caught:
        AllocatorSettings.parse(text)
    assert BAD[text] in str(caught.value)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_an_unknown_setting_names_the_known_ones() -> None:
    with pytest.raises(PlanError, match=r"expandable_segments, .*max_split_size_mb"):
        AllocatorSettings.parse("split:1")


@given(st.text(alphabet="abc_:,[]> 0123456789.TrueFalse", max_size=40))
def test_no_text_breaks_the_reader(text: str) -> None:
    with suppress(PlanError):
        assert AllocatorSettings.parse(text).large_segment_size_bytes > 10 * MIB


def test_torch_takes_what_is_taken_here() -> None:
    """The installed torch reads the same strings, the keys of CUDA alone apart."""
    shared = [text for text in GOOD if "backend" not in text and "process" not in text]
    refused = [
        "max_split_size_mb:19",
        "max_split_size_mb:30,large_segment_size_mb:40",
        "large_segment_size_mb:10",
        "garbage_collection_threshold:1",
        "roundup_power2_divisions:3",
        "roundup_power2_divisions:[100:2]",
        "expandable_segments:true",
    ]
    program = (
        "import torch\n"
        f"for text in {shared!r}: torch._C._accelerator_setAllocatorSettings(text)\n"
        f"for text in {refused!r}:\n"
        "    try: torch._C._accelerator_setAllocatorSettings(text)\n"
        "    except ValueError: continue\n"
        "    raise SystemExit(text)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


def test_the_general_variable_comes_first_but_for_what_is_cudas_own() -> None:
    both = AllocatorSettings.from_environment(
        {
            "PYTORCH_ALLOC_CONF": "max_split_size_mb:40,per_process_memory_fraction:0.9",
            "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True,per_process_memory_fraction:0.5",
        }
    )
    assert both.max_split_size_bytes == 40 * MIB
    assert not both.expandable_segments
    assert both.per_process_memory_fraction == 0.5
    for name in ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"):
        assert AllocatorSettings.from_environment(
            {name: "expandable_segments:True"}
        ).expandable_segments
    assert AllocatorSettings.from_environment({}) == AllocatorSettings()


def rounded(size_bytes: int, text: str = "") -> int:
    return int(round_sizes(np.array([size_bytes]), AllocatorSettings.parse(text))[0])


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [(0, 0), (1, 512), (511, 512), (512, 512), (513, 1024), (MIB + 1, MIB + 512)],
)
def test_sizes_are_multiples_of_512(size_bytes: int, expected: int) -> None:
    assert rounded(size_bytes) == expected


def test_the_documented_rounding_to_power_two_divisions() -> None:
    """notes/cuda.rst: with 4 divisions, 1200 lies between 1024 and 2048, at 1280.

    Sizes up to 512 × divisions are rounded to 512 alone, so the example is tried in KiB.
    """
    text = "roundup_power2_divisions:4"
    steps = [1024, 1280, 1536, 1792, 2048]
    assert [rounded(step * KIB, text) for step in steps] == [step * KIB for step in steps]
    assert rounded(1200 * KIB, text) == 1280 * KIB
    assert rounded(1793 * KIB, text) == 2048 * KIB
    assert rounded(1200, text) == 1536


def test_divisions_follow_the_interval_of_the_size() -> None:
    text = "roundup_power2_divisions:[64:2,128:4,>:1]"
    assert rounded(33 * MIB, text) == 48 * MIB  # below the first interval: as in the first
    assert rounded(65 * MIB, text) == 96 * MIB
    assert rounded(129 * MIB, text) == 160 * MIB
    assert rounded(257 * MIB, text) == 257 * MIB


@given(st.integers(1, 2**38), st.sampled_from([0, 1, 2, 4, 8, 16, 32]))
def test_rounding_is_the_least_step_that_holds_the_size(size_bytes: int, divisions: int) -> None:
    given_text = f"roundup_power2_divisions:[1:{divisions},>:{divisions}]"
    step = 512
    if divisions > 1 and size_bytes > 512 * divisions:
        step = 2 ** (size_bytes.bit_length() - 1) // divisions
    assert rounded(size_bytes, given_text) == -(-size_bytes // step) * step


def test_segments_are_2_or_20_mib_or_the_size_itself() -> None:
    plain = AllocatorSettings()
    assert segment_bytes(512, plain) == segment_bytes(MIB, plain) == 2 * MIB
    assert segment_bytes(MIB + 512, plain) == segment_bytes(10 * MIB - 512, plain) == 20 * MIB
    assert segment_bytes(10 * MIB, plain) == 10 * MIB
    assert segment_bytes(10 * MIB + 512, plain) == 12 * MIB
    assert segment_bytes(5 * MIB, AllocatorSettings.parse("large_segment_size_mb:64")) == 64 * MIB
