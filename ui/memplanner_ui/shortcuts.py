"""Which keys each action has: as declared, or as the user has chosen; kept in the settings."""

from __future__ import annotations

from PySide6.QtCore import QKeyCombination, QObject, Qt, Signal
from PySide6.QtGui import QKeySequence

from memplanner_ui.actions import ACTIONS, Actions
from memplanner_ui.language import translate
from memplanner_ui.settings import SettingsFile

DECLARED = {declared.name: declared.keys for declared in ACTIONS}
_OF_FIELDS = frozenset(
    QKeySequence(keys).toString()
    for keys in ("Ctrl+A", "Ctrl+C", "Ctrl+V", "Ctrl+X", "Ctrl+Ins", "Ctrl+Left", "Ctrl+Right")
)
"""What every field and table has for itself."""
_WITH = (
    Qt.KeyboardModifier.ControlModifier
    | Qt.KeyboardModifier.AltModifier
    | Qt.KeyboardModifier.MetaModifier
)


def portable(keys: str) -> str:
    """The keys as they are stored on every system; empty for what is no key."""
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.PortableText)


def native(keys: str) -> str:
    """The keys as this system writes them."""
    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)


def refusal(keys: str) -> str:
    """Why these keys can be no action's, in one sentence; empty where they can."""
    sequence = QKeySequence(keys)
    if sequence.isEmpty():
        return translate("Window", "Press the keys that the command is to have.")
    if portable(keys) in _OF_FIELDS:
        return translate(
            "Window", "{keys} edits or copies in fields and tables; choose other keys."
        ).format(keys=native(keys))
    pressed: QKeyCombination = sequence[0]  # type: ignore[index]  # PySide's stub lacks it
    function = Qt.Key.Key_F1 <= pressed.key() <= Qt.Key.Key_F35
    if not function and not pressed.keyboardModifiers() & _WITH:
        return translate(
            "Window", "{keys} alone is typed into fields; hold Ctrl, Alt or Meta with it."
        ).format(keys=native(keys))
    return ""


class Shortcuts(QObject):
    """Gives actions their keys, at once and at the next start. No keys are ever two actions'."""

    changed = Signal()

    def __init__(self, actions: Actions, settings: SettingsFile, parent: QObject) -> None:
        super().__init__(parent)
        self._actions, self._settings = actions, settings
        for name, keys in settings.values.keys.items():
            if name in DECLARED:  # an older version may have had more
                self._actions.set_keys(name, keys)

    def keys_of(self, name: str) -> tuple[str, ...]:
        """The keys of an action, as they are stored."""
        return self._settings.values.keys.get(name, DECLARED[name])

    def is_own(self, name: str) -> bool:
        """Whether the user has chosen the keys of an action."""
        return name in self._settings.values.keys

    def holder_of(self, keys: str, but: str = "") -> str | None:
        """The action that has these keys, if it is not ``but``."""
        wanted = portable(keys)
        holders = (
            name for name in DECLARED if name != but and wanted in map(portable, self.keys_of(name))
        )
        return next(holders, None)

    def choose(self, name: str, keys: str) -> None:
        """Gives an action these keys alone, or none; another that had them has them no more."""
        chosen = dict(self._settings.values.keys)
        holder = self.holder_of(keys, but=name) if keys else None
        if holder is not None:
            left = (one for one in self.keys_of(holder) if portable(one) != portable(keys))
            chosen[holder] = tuple(left)
        chosen[name] = (portable(keys),) if keys else ()
        self._keep(chosen)

    def reset(self, name: str) -> None:
        """Gives an action the keys it came with; another that has one of them loses it."""
        chosen = {one: keys for one, keys in self._settings.values.keys.items() if one != name}
        back = set(map(portable, DECLARED[name]))
        for other in DECLARED:
            keys = chosen.get(other, DECLARED[other])
            if other != name and back & set(map(portable, keys)):
                chosen[other] = tuple(one for one in keys if portable(one) not in back)
        self._keep(chosen)

    def reset_all(self) -> None:
        """Gives every action the keys it came with."""
        self._keep({})

    def _keep(self, chosen: dict[str, tuple[str, ...]]) -> None:
        chosen = {name: keys for name, keys in chosen.items() if keys != DECLARED[name]}
        self._settings.update(keys=chosen)
        for name in DECLARED:
            self._actions.set_keys(name, self.keys_of(name))
        self.changed.emit()
