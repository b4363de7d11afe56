"""What a watch writes down of operations and modules beside their bytes."""

from __future__ import annotations

from typing import Any

import torch

from memplanner.tape.known_operations import once_an_operation


@once_an_operation
def operation_name(func: Any) -> str:
    """``str(func)``, which torch puts together anew each time."""
    return str(func)


def shapes_of(value: Any) -> tuple[tuple[int, ...], ...]:
    """The shapes of a module's inputs or outputs."""
    if isinstance(value, torch.Tensor):
        return (tuple(value.shape),)
    if isinstance(value, (tuple, list)):
        return tuple(tuple(part.shape) for part in value if isinstance(part, torch.Tensor))
    return ()
