from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_library_workspaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their megabytes would hide the bytes of tiny models; ``test_on_device`` asks for them."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":0:0")
