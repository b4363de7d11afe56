"""The allocator's settings, as torch reads them from the environment.

Source: ``c10/core/AllocatorConfig.{h,cpp}`` and ``c10/cuda/CUDAAllocatorConfig.{h,cpp}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from memplanner.errors import PlanError
from memplanner.units import MIB

DIVISION_INTERVALS = 16
"""From 1 MiB to 64 GiB, each twice the last (``kRoundUpPowerOfTwoIntervals``)."""
LARGE_SEGMENT_BYTES = 20 * MIB
SMALLEST_LARGE_ALLOCATION_MB = 10
"""``kMinLargeAlloc``; a large segment must be larger."""

Backend = Literal["native", "cudaMallocAsync"]


class AllocatorSettings(BaseModel):
    """What changes where memory comes from; options of the pinned host memory are left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: Backend = "native"
    expandable_segments: bool = False
    max_split_size_bytes: int | None = None
    """Larger blocks are not split; None: every block may be."""
    max_non_split_rounding_bytes: int = LARGE_SEGMENT_BYTES
    """How much larger than a request an unsplittable block may be."""
    garbage_collection_threshold: float = 0.0
    """Acts only where ``per_process_memory_fraction`` is below 1, as in torch."""
    roundup_power2_divisions: tuple[int, ...] = (0,) * DIVISION_INTERVALS
    large_segment_size_bytes: int = LARGE_SEGMENT_BYTES
    per_process_memory_fraction: float = 1.0

    @classmethod
    def parse(cls, text: str) -> AllocatorSettings:
        """The settings that ``text`` asks for, such as ``expandable_segments:True``.

        Raises ``PlanError`` where torch would refuse it.
        """
        values = _values(text)
        # torch reads the segments' size first: the two below must not be smaller
        segment = _LARGE_SEGMENT(values["large_segment_size_mb"]) if (
            "large_segment_size_mb" in values
        ) else LARGE_SEGMENT_BYTES  # fmt: skip
        found: dict[str, object] = {
            "large_segment_size_bytes": segment,
            "max_non_split_rounding_bytes": segment,
        }
        for key, value in values.items():
            if key in _OTHER:
                continue
            if key in ("max_split_size_mb", "max_non_split_rounding_mb"):
                read = _megabytes(key, segment // MIB)
                found[key.removesuffix("_mb") + "_bytes"] = read(value)
            elif key in _READERS:
                found[key] = _READERS[key](value)
        return cls.model_validate(found)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> AllocatorSettings:
        """The settings that torch would take from ``environment``.

        ``PYTORCH_ALLOC_CONF`` comes first for what all accelerators share
        (``AcceleratorAllocatorConfig::instance``), ``PYTORCH_CUDA_ALLOC_CONF`` for CUDA's own keys
        (``CUDAAllocatorConfig::instance``).
        """
        general = environment.get("PYTORCH_ALLOC_CONF")
        cuda = environment.get("PYTORCH_CUDA_ALLOC_CONF")
        shared = cls.parse(_first(general, cuda))
        own = cls.parse(_first(cuda, general))
        return shared.model_copy(
            update={
                "backend": own.backend,
                "per_process_memory_fraction": own.per_process_memory_fraction,
            }
        )


def _first(*texts: str | None) -> str:
    """What the first variable that is set says: an empty one is set, and hides the next."""
    return next((text for text in texts if text is not None), "")


def _values(text: str) -> dict[str, str]:
    """Keys and values; a list keeps its brackets. White space means nothing."""
    rest = re.sub(r"\s", "", text)
    values: dict[str, str] = {}
    while rest:
        match = re.match(r"([^,:\[\]]+):(\[[^\[\]]*\]|[^,:\[\]]+)(,|$)", rest)
        if match is None:
            raise PlanError(
                f"The allocator setting “{text}” cannot be read at “{rest}”: write it as "
                "key:value,key:value, such as expandable_segments:True."
            )
        if match[1] not in _KNOWN:
            raise PlanError(
                f"The allocator has no setting “{match[1]}”; it has {', '.join(sorted(_KNOWN))}."
            )
        values[match[1]] = match[2]
        rest = rest[match.end() :]
    return values


def _megabytes(key: str, smallest: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not value.isascii() or not value.isdigit() or int(value) < smallest:
            raise PlanError(
                f"The allocator setting {key} must be a whole number of MiB, at least {smallest}, "
                f"not “{value}”."
            )
        return int(value) * MIB

    return read


def _truth(key: str) -> Callable[[str], bool]:
    def read(value: str) -> bool:
        if value not in ("True", "False"):
            raise PlanError(f"The allocator setting {key} must be True or False, not “{value}”.")
        return value == "True"

    return read


def _fraction(key: str, *, ends: bool) -> Callable[[str], float]:
    def read(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not (0 <= number <= 1 if ends else 0 < number < 1):
            between = "from 0 to 1" if ends else "between 0 and 1"
            raise PlanError(
                f"The allocator setting {key} must be a number {between}, not “{value}”."
            )
        return number

    return read


def _backend(value: str) -> str:
    if value not in ("native", "cudaMallocAsync"):
        raise PlanError(
            f"The allocator setting backend must be native or cudaMallocAsync, not “{value}”."
        )
    return value


def _divisions(value: str) -> tuple[int, ...]:
    """``parseRoundUpPower2Divisions``: one number, or ``[256:1,512:2,1024:4,>:8]`` in MiB."""
    if not value.startswith("["):
        return (_power_of_two(value, value, zero=False),) * DIVISION_INTERVALS
    divisions = [0] * DIVISION_INTERVALS
    last = 0
    first = True
    for part in filter(None, value[1:-1].split(",")):
        boundary, _, count = part.partition(":")
        number = _power_of_two(count, part, zero=True)
        if boundary == ">":
            divisions[last + 1 :] = [number] * (DIVISION_INTERVALS - last - 1)
            continue
        last = min(_power_of_two(boundary, part, zero=False).bit_length(), DIVISION_INTERVALS) - 1
        if first:
            divisions[:last] = [number] * last
            first = False
        divisions[last] = number
    return tuple(divisions)


def _power_of_two(text: str, part: str, *, zero: bool) -> int:
    number = int(text) if text.isascii() and text.isdigit() else -1
    if number < 0 or number & (number - 1) or (number == 0 and not zero):
        raise PlanError(
            "The allocator setting roundup_power2_divisions takes powers of two, such as 4 or "
            f"[256:1,512:2,>:8], not “{part}”."
        )
    return number


_LARGE_SEGMENT = _megabytes("large_segment_size_mb", SMALLEST_LARGE_ALLOCATION_MB + 1)
_READERS: dict[str, Callable[[str], object]] = {
    "backend": _backend,
    "expandable_segments": _truth("expandable_segments"),
    "garbage_collection_threshold": _fraction("garbage_collection_threshold", ends=False),
    "per_process_memory_fraction": _fraction("per_process_memory_fraction", ends=True),
    "roundup_power2_divisions": _divisions,
}
_SIZES = {"large_segment_size_mb", "max_split_size_mb", "max_non_split_rounding_mb"}
_OTHER = {
    "graph_capture_record_stream_reuse",
    "pinned_free_catch_all",
    "pinned_max_cached_size_mb",
    "pinned_max_round_threshold_mb",
    "pinned_num_register_threads",
    "pinned_reserve_segment_size_mb",
    "pinned_use_background_threads",
    "pinned_use_cuda_host_register",
    "pinned_use_hip_host_register",
    "release_lock_on_cudamalloc",
    "release_lock_on_hipmalloc",
    "throw_on_cudamalloc_oom",
}
"""Read by torch, without influence on what a training step takes of the card."""
_KNOWN = _OTHER | _SIZES | _READERS.keys()
