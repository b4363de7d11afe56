"""Samples show what their sentences claim."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from memplanner.estimate import estimate
from memplanner.hardware import find_device
from memplanner.messages.estimate import Estimate
from memplanner.model import load
from memplanner.plan.samples import Sample, samples

pytestmark = pytest.mark.slow


@cache
def made(sample: Sample, device: str = "", **changes: object) -> Estimate:
    """The estimate of a sample, on its device or another, with some of its values changed."""
    plan = sample.plan.with_values({key.replace("__", "."): v for key, v in changes.items()})
    return estimate(load(sample.source), plan, find_device(device or sample.device)).message()


def half_is_left(sample: Sample) -> None:
    told = made(sample)
    assert told.spare_bytes is not None
    assert 2 * told.spare_bytes > (told.device.memory_bytes or 0)


def plain_adamw_may_need_more(sample: Sample) -> None:
    plain = made(
        sample, optimizer__implementation="auto", optimizer__update="after_backward",
        loss__method="whole",
    )  # fmt: skip
    assert plain.verdict != "fits"


def smaller_cards_do_not_do(sample: Sample) -> None:
    assert made(sample, "H100 80GB").verdict == "does_not_fit"
    assert made(sample).plan.sharding.ranks == 8


def states_alone_are_too_much(sample: Sample) -> None:
    told = made(sample)
    assert told.device.memory_bytes is not None
    assert 16 * told.model.parameters > told.device.memory_bytes


def recomputation_decides(sample: Sample) -> None:
    kept = made(sample, activation_checkpointing__policy="none")
    assert kept.verdict == "does_not_fit"


CLAIMS: dict[str, Callable[[Sample], None]] = {
    "qlora-8b-24-gb": half_is_left,
    "full-8b-80-gb": plain_adamw_may_need_more,
    "full-70b-8-cards": smaller_cards_do_not_do,
    "full-1b-16-gb": states_alone_are_too_much,
    "vit-12-gb": recomputation_decides,
}


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)
def test_a_sample_fits_or_not_as_it_says_and_for_the_reason_it_gives(sample: Sample) -> None:
    assert made(sample).verdict == sample.verdict
    claim = CLAIMS.get(sample.name)
    if claim is not None:
        claim(sample)
