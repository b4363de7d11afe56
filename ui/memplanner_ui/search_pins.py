"""The options that a search leaves as they are.

Pins are about searching, not about what runs: they are no part of the plan, its file or its
history. They stay while a model is open, whatever becomes of the plan.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

AT_FIRST = ("training.sequence_length",)
"""Another length is another task."""


class Pins(QObject):
    """Keys of the plan, in the order in which they were pinned."""

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._keys: tuple[str, ...] = AT_FIRST

    @property
    def keys(self) -> tuple[str, ...]:
        """The pinned keys."""
        return self._keys

    def set(self, key: str, pinned: bool) -> None:
        """Pins a key, or lets it go."""
        if pinned != (key in self._keys):
            others = tuple(one for one in self._keys if one != key)
            self._keys = (*others, key) if pinned else others
            self.changed.emit()

    def toggle(self, key: str) -> None:
        """Pins a key that is not pinned, lets go one that is."""
        self.set(key, key not in self._keys)

    def forget(self) -> None:
        """Back to the pins of a model that was just opened."""
        if self._keys != AT_FIRST:
            self._keys = AT_FIRST
            self.changed.emit()
