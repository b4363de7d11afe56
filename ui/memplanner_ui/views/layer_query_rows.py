"""A layer table as a query sees it. What is asked for once is kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from memplanner.messages.estimate import Layer
from memplanner_ui.views.parts import NAMED, PARTS

Integers = npt.NDArray[np.int64]


class TableRows:
    """Rows are a table's nodes. The first of them are ``layers``, which know more of themselves.

    ``own_types`` are the types of ``layers``, ``types`` what is said of each row.
    ``total`` has the bytes of each node and what is below it: columns by ``NAMED``, then those
    of overhead, and last those of other programs.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        names: Sequence[str],
        titles: Iterable[str],
        types: Sequence[str],
        own_types: Sequence[str],
        total: Integers,
    ) -> None:
        self.names = names
        self._layers, self._titles, self._types = layers, titles, types
        self._own_types = own_types
        self._total = total

    @cached_property
    def lower_names(self) -> Sequence[str]:
        """Names in lower case."""
        return _lower(self.names)

    @cached_property
    def texts(self) -> Sequence[str]:
        """Name, title and type of each row in lower case."""
        rows = zip(self.names, self._titles, self._types, strict=True)
        return _lower(list(map(" ".join, rows)))

    @cached_property
    def own_types(self) -> Sequence[str]:
        """The model's own types, and words where a row is no module."""
        return [*self._own_types, *self._types[len(self._layers) :]]

    @cached_property
    def dtypes(self) -> Sequence[tuple[str, ...]]:
        """Of each module's own parameters; none where a row is no module."""
        return [*(layer.dtypes for layer in self._layers), *[()] * self._others]

    @cached_property
    def trainable(self) -> Sequence[bool | None]:
        """Whether any of a module's own parameters is trained; None where it has none."""
        known = (
            layer.trainable_parameters > 0 if layer.parameters else None for layer in self._layers
        )
        return [*known, *[None] * self._others]

    @property
    def _others(self) -> int:
        return len(self.names) - len(self._layers)

    def bytes_of(self, part: str) -> Integers:
        """Bytes of each row and what is below it, of one of ``PARTS`` or ``size`` for all."""
        total = self._total
        if part == "size":
            result: Integers = total.sum(axis=1)
        elif part in NAMED:
            result = total[:, NAMED.index(part)]
        elif part == PARTS[-1]:
            result = total[:, -1]
        else:
            result = total[:, len(NAMED) : -1].sum(axis=1)
        return result


def _lower(texts: Sequence[str]) -> Sequence[str]:
    """All in lower case: as one text that takes a tenth of what they take one by one."""
    lower = "\n".join(texts).lower().split("\n")
    return lower if len(lower) == len(texts) else [text.lower() for text in texts]
