"""Parts that a plan or a model compiles run as they are written while a step is recorded."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def uncompiled() -> Iterator[None]:
    """Compiled parts run as they are written; what is asked of torch only where it is loaded."""
    if "torch._dynamo.eval_frame" not in sys.modules:
        yield
        return
    with warnings.catch_warnings(), torch.compiler.set_stance("force_eager"):
        warnings.filterwarnings("ignore", "Using `torch.compile.module.` when there are global")
        yield
