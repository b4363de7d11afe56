"""Where the processes of one test run leave what is made once for all of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared_by_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The temporary folder of the whole test run, of which each process has a part."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
