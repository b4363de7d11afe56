"""Where in a step something went wrong: the module, and the line of the user's own code."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path
from typing import Any

from torch import nn

from memplanner.masking import mask
from memplanner.run.lost_device import is_lost, lost_sentence
from memplanner.run.request import RunRequest
from memplanner.tape.watch import StorageWatch

_LIBRARIES = (
    *(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")),
    str(Path(__file__).parents[1]),
)
_LONGEST = 300


class FaultWatch(StorageWatch):
    """A watch that remembers whose backward failed: no traceback leads there."""

    failed_backward: int | None = None

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        try:
            return super().__torch_dispatch__(func, types, args, kwargs)
        except Exception:  # whatever it is, it goes on up: only its place is noted
            if self.current_phase == "backward":
                self.failed_backward = self._module_of_node()
            raise


def module_at_fault(error: BaseException, watch: FaultWatch, root: nn.Module) -> str:
    """The path of the innermost module in which ``error`` was raised; empty for ``root`` itself."""
    names = {id(child): name for name, child in root.named_modules()}
    found: str | None = None
    entry = error.__traceback__
    while entry is not None:
        owner = entry.tb_frame.f_locals.get("self")
        if isinstance(owner, nn.Module):
            found = names.get(id(owner), found)
        entry = entry.tb_next
    if found is None and watch.failed_backward is not None:
        found = watch.module_names[watch.failed_backward]
    return found or ""


def line_at_fault(error: BaseException) -> str:
    """Such as ``line 12 of model.py``: the innermost that is in no library; empty without one."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(_LIBRARIES) and Path(frame.filename).is_file():
            return f"line {frame.lineno} of {Path(frame.filename).name}"
    return ""


def described(error: BaseException) -> str:
    """The class and the first line of the message of ``error``, without secrets."""
    lines = mask(str(error).strip()).splitlines()
    return f"{type(error).__name__}: {lines[0][:_LONGEST] if lines else 'no message'}"


def failure_sentence(request: RunRequest, where: str, error: BaseException) -> str:
    """What was raised, where, and what to do about it."""
    if is_lost(error):
        return lost_sentence(request.device, where, described(error))
    line = line_at_fault(error)
    return (
        f"{request.model.name} failed in {where}: {described(error)}"
        f"{f' ({line})' if line else ''}; correct its source or the plan."
    )
