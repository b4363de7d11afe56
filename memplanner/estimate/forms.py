"""Sizes as functions of batch and sequence.

Every storage of a step is, with few exceptions, a constant times B^i · (S + k)^j. Two recordings at
points whose ratios are all different tell which: the ratio of the two sizes names the form, and
the constant must come out whole and equal at both points. A storage that fits no form makes the
whole tape formless, and another batch or sequence is recorded anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

import numpy as np

from memplanner.tape.tape import WORKSPACES, Array, Tape


@dataclass(frozen=True, slots=True)
class Form:
    """B^batch_power · (S + offset)^sequence_power, times S rounded up to ``padded`` where given."""

    batch_power: int
    sequence_power: int
    offset: int
    padded: int = 0

    def value(self, batch_size: int, sequence_length: int) -> int:
        """The form's value at a point."""
        value = batch_size**self.batch_power * (sequence_length + self.offset) ** (
            self.sequence_power
        )
        if self.padded:
            value *= -(-sequence_length // self.padded) * self.padded
        return int(value)

    def values(self, batch_size: Array, sequence_length: Array) -> Array:
        """The form's values at many points."""
        values: Array = batch_size**self.batch_power * (sequence_length + self.offset) ** (
            self.sequence_power
        )
        if self.padded:
            values = values * (-(-sequence_length // self.padded) * self.padded)
        return values

    def tells(self, *lengths: int) -> bool:
        """Whether padding shows at one of these lengths; a form without any always tells."""
        return not self.padded or any(length % self.padded for length in lengths)


FORMS = (
    Form(0, 0, 0),
    Form(1, 0, 0),
    Form(0, 1, 0),
    Form(1, 1, 0),
    Form(0, 2, 0),
    Form(1, 2, 0),
    Form(0, 1, 1),
    Form(1, 1, 1),
    Form(0, 1, -1),
    Form(1, 1, -1),
    Form(2, 0, 0),
    Form(2, 1, 0),
    Form(2, 2, 0),
    Form(0, 2, 1),
    Form(1, 2, 1),
    Form(0, 2, -1),
    Form(1, 2, -1),
    # Memory-efficient attention on CUDA pads its statistics to 32 and a bias to 8
    # (aten/src/ATen/native/transformers/attention.cpp: pad_bias; cuda/attention.cu).
    Form(0, 0, 0, 32),
    Form(1, 0, 0, 32),
    # and sums its backward in blocks of 64 or 128 (``hardware/kernels.py``).
    Form(1, 0, 0, 64),
    Form(1, 0, 0, 128),
    Form(0, 0, 0, 8),
    Form(1, 0, 0, 8),
    Form(0, 1, 0, 8),
    Form(1, 1, 0, 8),
)


def forms_of_pieces(context: int) -> tuple[Form, ...]:
    """More forms where ``context`` cards have two pieces of a sequence each.

    Kernels then pad both together, or one of them.
    """
    if context == 1:
        return ()
    padded = [form for form in FORMS if form.padded and not form.sequence_power]
    more = {
        replace(form, padded=form.padded * pieces): None
        for pieces in (context, 2 * context)
        for form in padded
    }
    return tuple(form for form in more if form not in FORMS)


def padding_class(sequence_length: int) -> int:
    """Lengths of one class are padded by the same operations: to 8, to 32, or by neither."""
    return (sequence_length % 8 == 0) + (sequence_length % 32 == 0)


@dataclass(frozen=True, slots=True)
class Forms:
    """For each recorded storage a form and its constant: sizes at any batch and sequence."""

    form: Array
    constant_bytes: Array
    known: tuple[Form, ...] = FORMS

    def sizes_bytes(self, batch_size: int, sequence_length: int) -> Array:
        """The size of every recorded storage."""
        values = np.array(
            [form.value(batch_size, sequence_length) for form in self.known], dtype=np.int64
        )
        return self.constant_bytes * values[self.form]

    def table_bytes(self, points: Sequence[tuple[int, int]]) -> Array:
        """The sizes at several points, shaped (storages, points)."""
        batch, length = np.array(points, dtype=np.int64).reshape(-1, 2).T
        values: Array = np.stack([form.values(batch, length) for form in self.known])
        return self.constant_bytes[:, None] * values[self.form]


def other_point(
    batch_size: int,
    sequence_length: int,
    alike: Callable[[int, int], bool],
    known: tuple[Form, ...] = FORMS,
) -> tuple[int, int]:
    """A second point to record at, whose ratios to the first are different for every form.

    ``alike`` tells whether a point is of the same behaviour as the first.
    """
    batches = [batch_size + more for more in (1, 2, 4, 6)] + [batch_size]
    # Far apart first: kernels and models that pad to a multiple then cannot look constant.
    far = (269, 157, 331, 211, 13, 29, 47, -13, -29, -5)
    same_padding = (288, 160, 32, -32)
    lengths = [sequence_length + more for more in (*far, *same_padding)]
    for batch, sequence in product(batches, lengths):
        if sequence > 2 and alike(batch, sequence) and _distinct(
            (batch_size, sequence_length), (batch, sequence), known
        ):  # fmt: skip
            return batch, sequence
    return next((batch, sequence_length) for batch in batches if alike(batch, sequence_length))


def _distinct(first: tuple[int, int], second: tuple[int, int], known: tuple[Form, ...]) -> bool:
    forms = [
        form
        for form in known
        if (second[0] != first[0] or form.batch_power == 0) and form.tells(first[1], second[1])
    ]
    ratios = {Fraction(form.value(*second), form.value(*first) or 1) for form in forms}
    return len(ratios) == len(forms)


def fit(
    first: Tape,
    first_point: tuple[int, int],
    second: Tape,
    second_point: tuple[int, int],
    known: tuple[Form, ...] = FORMS,
) -> Forms | None:
    """The forms that give both tapes' sizes, or None where the tapes differ in more than sizes."""
    if not same_structure(first, second):
        return None
    form, constant = fitted(first.size_bytes, second.size_bytes, first_point, second_point, known)
    return None if (form < 0).any() else Forms(form, constant, known)


def fitted(
    before: Array,
    after: Array,
    first_point: tuple[int, int],
    second_point: tuple[int, int],
    known: tuple[Form, ...] = FORMS,
) -> tuple[Array, Array]:
    """For each amount at two points its form, and its constant; form −1 where none gives both."""
    form = np.full(len(before), -1, dtype=np.int64)
    constant = np.zeros(len(before), dtype=np.int64)
    for number, candidate in enumerate(known):
        one, two = candidate.value(*first_point), candidate.value(*second_point)
        if one == 0 or two == 0 or not candidate.tells(first_point[1], second_point[1]):
            continue
        fits = (
            (form < 0) & (before % one == 0) & (after % two == 0) & (before // one == after // two)
        )
        form[fits] = number
        constant[fits] = before[fits] // one
    return form, constant


def has_scratch(tape: Tape) -> bool:
    """Whether kernels take scratch, which follows no form."""
    return bool(tape.size_bytes[tape.category == WORKSPACES].any())


def same_structure(first: Tape, second: Tape) -> bool:
    """Whether two tapes are the same but for sizes."""
    return (
        np.array_equal(first.events, second.events)
        and np.array_equal(first.category, second.category)
        and np.array_equal(first.module, second.module)
        and all(
            one.operation == two.operation
            for one, two in zip(first.storages, second.storages, strict=True)
        )
    )
