"""Made-up programs that allocate and free, and settings to run them under."""

from __future__ import annotations

from hypothesis import strategies as st

from memplanner.estimate.allocator.settings import AllocatorSettings
from memplanner.units import KIB, MIB

sizes = st.one_of(
    st.integers(1, 4 * KIB),
    st.integers(1, 2 * MIB),
    st.integers(MIB, 12 * MIB),
    st.integers(1, 40).map(lambda count: count * 2 * MIB),
    st.integers(10 * MIB, 300 * MIB),
)
programs = st.lists(
    st.one_of(
        st.tuples(st.just("allocate"), sizes),
        st.tuples(st.just("allocate"), st.sampled_from([MIB, 5 * MIB, 20 * MIB, 64 * MIB])),
        st.tuples(st.just("free"), st.integers(0, 10**6)),
        st.tuples(st.just("free"), st.just(-1)),
    ),
    max_size=80,
)
"""``free`` names one of what is alive, by its number from the oldest."""
TEXTS = (
    "",
    "expandable_segments:True",
    "max_split_size_mb:20",
    "max_split_size_mb:64,max_non_split_rounding_mb:40",
    "large_segment_size_mb:32",
    "roundup_power2_divisions:[4:2,64:8,>:4]",
    "roundup_power2_divisions:8,expandable_segments:True",
    "expandable_segments:True,max_split_size_mb:40",
    "expandable_segments:True,large_segment_size_mb:12",
    "garbage_collection_threshold:0.6,per_process_memory_fraction:0.5",
    "garbage_collection_threshold:0.3,per_process_memory_fraction:0.9,max_split_size_mb:30",
    "per_process_memory_fraction:0.3,expandable_segments:True",
    "per_process_memory_fraction:0.3,expandable_segments:True,garbage_collection_threshold:0.2",
)
settings_of = st.sampled_from(TEXTS).map(AllocatorSettings.parse)
DEVICE_BYTES = 1024 * MIB
limits = st.sampled_from([None, 1000 * MIB, 301 * MIB, 90 * MIB, 5 * MIB])
