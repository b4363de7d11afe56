"""Teacher, student and both logits as rows of their own, where a plan distils."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import numpy.typing as npt

from memplanner.messages.estimate import Part
from memplanner.tape.tape import ACTIVATIONS, INPUTS, TEMPORARIES, Array, Tape

PARTS = ("teacher", "teacher logits", "student", "student logits", "losses and batch")
TEACHER, TEACHER_LOGITS, STUDENT, STUDENT_LOGITS, REST = range(len(PARTS))
_MODULES = {
    "teacher": TEACHER,
    "teacher_logits": TEACHER_LOGITS,
    "student": STUDENT,
    "student_logits": STUDENT_LOGITS,
}
"""The children of ``memplanner.techniques.distilling.pair.Distilled``."""


def parts_at(tape: Tape, alive: Array, scratch_bytes: int, scratch_module: str) -> tuple[Part, ...]:
    """The bytes of each part of the storages ``alive``; empty where nothing is distilled.

    A part's logits are all tensors of its logits' shape, in any type and flattened too: logits,
    probabilities, logarithms, gradients. The rows add up to what is allocated.
    """
    if "student_logits" not in tape.module_names:
        return ()
    of_module = np.array([_part(name) for name in tape.module_names])
    part = of_module[tape.module]
    for owner, logits in ((TEACHER, TEACHER_LOGITS), (STUDENT, STUDENT_LOGITS)):
        for shape in _shapes(tape, PARTS[logits].replace(" ", "_")):
            part[(part == owner) & _like(tape, shape)] = logits
    if "teacher" not in tape.module_names:  # they come with the batch
        part[_ahead(tape)] = TEACHER_LOGITS
    sizes = np.bincount(
        part[alive], weights=tape.size_bytes[alive], minlength=len(PARTS)
    ).astype(np.int64)  # fmt: skip
    sizes[_part(scratch_module)] += scratch_bytes
    return tuple(
        Part(name=name, size_bytes=int(size)) for name, size in zip(PARTS, sizes, strict=True)
    )


def _part(module: str) -> int:
    return _MODULES.get(module.partition(".")[0], REST)


def _shapes(tape: Tape, module: str) -> Sequence[tuple[int, ...]]:
    """The shape of the logits that ``module`` was given."""
    if module not in tape.module_names:
        return ()
    return tape.module_shapes.get(tape.module_names.index(module), ((), ()))[0][:1]


def _like(tape: Tape, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Storages of tensors with as many numbers and as long a last dimension."""
    alike = np.array(
        [
            bool(info.shape) and info.shape[-1] == shape[-1] and prod(info.shape) == prod(shape)
            for info in tape.storages
        ]
    )
    inside = (tape.category == ACTIVATIONS) | (tape.category == TEMPORARIES)
    found: npt.NDArray[np.bool_] = alike[tape.source] & inside
    return found


def _ahead(tape: Tape) -> npt.NDArray[np.bool_]:
    """The batch's tensors that the teacher has made: of all positions that have logits."""
    found = np.zeros(len(tape.size_bytes), dtype=np.bool_)
    for shape in _shapes(tape, "student_logits"):
        alike = np.array(
            [
                len(info.shape) == len(shape) and info.shape[:-1] == shape[:-1]
                for info in tape.storages
            ]
        )
        found |= (tape.category == INPUTS) & alike[tape.source]
    return found
