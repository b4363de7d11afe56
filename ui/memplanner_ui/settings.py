"""What the window remembers between starts: one JSON file, the user's alone.

The file is written to a new name, flushed and renamed, so that a full disk or a crash leaves the
old one. A file that cannot be read is set aside, never overwritten; of one that can, a value that
makes no sense is left out alone. Keys of a newer version are kept for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from PySide6.QtCore import QObject, QTimer, Signal

from memplanner.writing import why, write_whole
from memplanner_ui.engine.place import HERE, Place
from memplanner_ui.first_look import settings_path
from memplanner_ui.language import Language, translate
from memplanner_ui.settings_reading import SCHEMA, read_settings

RECENT = 12
RECENT_DEVICES = 5
RECENT_PLACES = 8
SAVE_AFTER_MS = 500

Scheme = Literal["system", "light", "dark"]


class Recent(BaseModel):
    """A model or a plan that was opened."""

    model_config = ConfigDict(frozen=True)

    source: str
    """What to open: a source of a model, or a plan's path."""
    title: str
    detail: str = ""
    kind: Literal["model", "plan"] = "model"
    inputs: tuple[str, ...] = ()
    opened: float = 0.0
    """Seconds since the epoch."""


class KeptPlan(BaseModel):
    """A plan of a model that the user keeps under a name."""

    model_config = ConfigDict(frozen=True)

    name: str
    plan: dict[str, Any]
    """As a plan's file has it: an older version's is brought up to date when it is read."""
    kept: float = 0.0
    """Seconds since the epoch."""
    origin: str = ""
    """Where it comes from, such as ``from Search``."""
    pinned: bool = False
    shown: bool = False
    """Whether it stands side by side with others."""


class Settings(BaseModel):
    """The remembered values, and what a newer version has put beside them."""

    model_config = ConfigDict(frozen=True, extra="allow")

    schema_version: int = SCHEMA
    scheme: Scheme = "system"
    language: Language = "system"
    place: Place | None = None
    places: tuple[Place, ...] = ()
    """Where an engine ran, the last first."""
    device: str | None = None
    devices: tuple[str, ...] = ()
    """Selectors of those planned for, the last first."""
    recent: tuple[Recent, ...] = ()
    geometry: str = ""
    """``QWidget.saveGeometry`` in base 64."""
    layout: str = ""
    """``QMainWindow.saveState`` in base 64."""
    folded: dict[str, bool] = {}
    """By section of the plan panel: whether it is folded."""
    folder: str = ""
    """Where the last file was chosen."""
    steps: int = 3
    keys: dict[str, tuple[str, ...]] = {}
    """By action: the keys that the user gave it."""
    tour_seen: bool = False
    """The tour was gone through, or skipped for good."""
    search_goal: dict[str, Any] = {}
    """What was searched for last, as a ``SearchGoal``; an older version's may not be one."""
    price_per_hour: float | None = None
    """Of one card, in whatever currency."""
    kept: dict[str, tuple[KeptPlan, ...]] = {}
    """By the source of a model: its plans that are kept."""

    @property
    def engine_place(self) -> Place:
        """Where the engine runs: as it was chosen last, else this program's own Python."""
        return self.place or HERE


class SettingsFile(QObject):
    """The settings, and their file. Changes are saved half a second later, and by ``save``."""

    failed = Signal(str)
    """One sentence: the settings could not be saved."""

    def __init__(self, path: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = path or settings_path()
        found = read_settings(self.path, Settings)
        self.values = found.values
        self.notes = found.notes
        """What could not be read, a sentence each."""
        self._saved = self.values
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(SAVE_AFTER_MS)
        self._later.timeout.connect(self.save)

    def update(self, **changes: Any) -> None:
        """Changes some values; the file follows."""
        self.values = self.values.model_copy(update=changes)
        if self.values != self._saved:
            self._later.start()

    def remember(self, recent: Recent) -> None:
        """Puts something opened at the top of the recent ones."""
        others = [one for one in self.values.recent if one.source != recent.source]
        self.update(recent=(recent, *others)[:RECENT])

    def remember_device(self, selector: str) -> None:
        """Puts a device at the top of those planned for."""
        others = [one for one in self.values.devices if one != selector]
        self.update(device=selector, devices=(selector, *others)[:RECENT_DEVICES])

    def remember_place(self, place: Place) -> None:
        """Puts where the engine runs at the top of those used; this program's own is no choice."""
        others = [one for one in self.values.places if not one.same_as(place)]
        places = others if place == HERE else [place, *others]
        self.update(place=place, places=tuple(places[:RECENT_PLACES]))

    def save(self) -> None:
        """Writes the file now, if anything changed."""
        self._later.stop()
        if self.values == self._saved:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self.path, self.values.model_dump_json(indent=2), private=True)
        except OSError as error:
            self.failed.emit(
                translate("Window", "{path} could not be saved: {reason}.").format(
                    path=self.path, reason=why(error)
                )
            )
        else:
            self._saved = self.values
