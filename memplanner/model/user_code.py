"""Building modules and batches from a user's own code, weightless where it allows it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from memplanner.errors import MemplannerError, SourceError
from memplanner.model.hugging_face import one_line
from memplanner.model.loaded import Batch
from memplanner.model.weightless import move

META = torch.device("meta")


@contextmanager
def named_errors(origin: str, file: Path | None = None) -> Iterator[None]:
    """Turns whatever a user's code raises into a ``SourceError`` that names file and line."""
    try:
        yield
    except MemplannerError:
        raise
    except (Exception, SystemExit) as error:  # a user's code raises what it likes
        where = _line(error, file)
        raise SourceError(
            f"{origin} raised {type(error).__name__}{where} ({one_line(error)}); correct the code."
        ) from error


def build_module(
    make: Callable[[], Any], device: torch.device, *, origin: str, file: Path | None = None
) -> nn.Module:
    """The module that ``make`` returns, on ``device``, in training mode.

    For ``meta`` it is made under ``torch.device("meta")``; code that cannot run so (it reads a
    value of a weight) is run on the CPU and the result stripped of its data. Raises
    ``SourceError``.
    """
    with named_errors(origin, file):
        if device.type != "meta":
            with torch.device(device):
                module = make()
        else:
            try:
                with META:
                    module = make()
            except Exception:  # noqa: BLE001 - any failure here is retried, and then reported
                module = make()
    if not isinstance(module, nn.Module):
        raise SourceError(
            f"{origin} returns {type(module).__name__} and no torch.nn.Module; return the model."
        )
    with named_errors(origin, file):
        return move(module, device).train()


def make_batch(
    make: Callable[[], Any], device: torch.device, *, origin: str, file: Path | None = None
) -> Batch:
    """The keyword arguments that ``make`` returns, with all tensors on ``device``.

    Raises ``SourceError``.
    """
    with named_errors(origin, file):
        if device.type == "meta":
            try:
                with META:
                    batch = make()
            except Exception:  # noqa: BLE001 - any failure here is retried, and then reported
                batch = make()
        else:
            with torch.device(device):
                batch = make()
    if not isinstance(batch, Mapping) or not all(isinstance(name, str) for name in batch):
        raise SourceError(
            f"{origin} returns {type(batch).__name__} and no dict of tensors by name; return the "
            "model's keyword arguments."
        )
    return {name: _on(value, device) for name, value in batch.items()}


def _on(value: Any, device: torch.device) -> Any:
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {name: _on(item, device) for name, item in value.items()}
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(_on(item, device) for item in value)
    return value


def _line(error: BaseException, file: Path | None) -> str:
    """`` in line 12 of model.py``: the innermost frame in ``file``, else the innermost of all."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f" in line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if file is not None and Path(frame.filename) == file]
    if own:
        return f" in line {own[-1].lineno}"
    if frames and file is None:
        return f" in line {frames[-1].lineno} of {Path(frames[-1].filename).name}"
    return ""
