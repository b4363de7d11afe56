from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny tensors gain nothing from several threads, and wait for them on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def no_library_workspaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their megabytes would hide the bytes of tiny models; ``test_on_device`` asks for them."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":0:0")
