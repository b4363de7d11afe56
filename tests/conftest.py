"""Every test: a history of its own, and an environment that says nothing to CUDA."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from memplanner.garbage import give_back, nothing_here_is_waste

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

# Tiny tensors gain nothing from several threads, and wait for them where other tests run beside.
# Before torch is imported: it reads this once. Processes that tests start have it from here.
os.environ["OMP_NUM_THREADS"] = "1"
OF_CUDA = ("CUBLAS_WORKSPACE_CONFIG", "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")


@pytest.fixture(scope="session", autouse=True)
def _nothing_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("data"))
    ours = (Path(__file__).parent, tmp_path_factory.getbasetemp(), sys.prefix)
    os.environ["MEMPLANNER_TRUSTED_FOLDERS"] = os.pathsep.join(map(str, ours))
    for name in OF_CUDA:
        os.environ.pop(name, None)


@pytest.fixture(scope="session")
def collected_after() -> tuple[int, int, int]:
    """When Python collects garbage. Its own 700 new objects are one block of a recording."""
    return 10_000, 20, 20


@pytest.fixture(scope="module", autouse=True)
def _imports_are_no_garbage(collected_after: tuple[int, int, int]) -> None:
    """Takes what is there before a file's tests, imports above all, out of garbage collection.

    torch and transformers alone are 400,000 objects; a collection that visits them takes 0.3 s,
    more than most tests.
    """
    gc.collect()
    give_back()  # a trained model's weights, which the C library would keep: gigabytes
    nothing_here_is_waste()
    gc.set_threshold(*collected_after)


@pytest.fixture(scope="session")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with SmolLM2-135M, which all processes of the tests share."""
    from tests.shared_folder import shared_by_all
    from tests.smollm2 import written_once

    return written_once(shared_by_all(tmp_path_factory) / "smollm2")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: at the end, processes that idle take quick ones from others."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Truth's table; here, since the process that prints it may run no test of ``truth``."""
    from tests.truth.table import print_table

    print_table(terminalreporter)
