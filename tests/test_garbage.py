"""What was freed goes back to the system, and collections wait."""

from __future__ import annotations

import gc
import platform

import psutil
import pytest

from memplanner.garbage import give_back, without_collection


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps nothing")
def test_what_lies_between_things_in_use_goes_back() -> None:
    process = psutil.Process()
    texts = [bytes(2000) for _ in range(60_000)]
    kept = texts[::100]
    texts.clear()
    before = process.memory_info().rss
    assert give_back()
    assert before - process.memory_info().rss > 60 * 2**20  # of 120 MB
    assert len(kept) == 600


def test_collections_are_as_before_when_it_is_over() -> None:
    with without_collection():
        assert not gc.isenabled()
        with without_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
