"""Choosing where the engine runs, from the window; and saying where it does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from memplanner_ui.engine import EngineState, Place
from memplanner_ui.engine_words import engine_tip, engine_words

if TYPE_CHECKING:
    from memplanner_ui.environment.dialog import EngineDialog
    from memplanner_ui.main_window import MainWindow

SLOW_SECONDS = 3
"""From here on, how long a connection has taken by now is said as well."""


class EngineControl(QObject):
    """Keeps the status bar's words, and opens the dialog."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window, self._session = window, window.session
        self._began = 0.0
        self._tick = QTimer(self)
        self._tick.setInterval(1000)
        self._tick.timeout.connect(self._say)
        engine = self._session.engine
        engine.state_changed.connect(self._on_state)
        engine.greeted.connect(lambda _: self._say())
        self._session.place_wanted.connect(self.choose)
        action = window.actions_["engine_choose"]
        window.status.engine.clicked.connect(action.trigger)
        action.enabledChanged.connect(window.status.engine.setEnabled)
        self._say()

    def choose(self) -> EngineDialog:
        """Opens the dialog; what is chosen there starts at once."""
        from memplanner_ui.environment.dialog import EngineDialog  # the window starts without it

        document, engine = self._session.document, self._session.engine
        source = document.source
        near = Path(source) if source is not None and Path(source).exists() else document.path
        used = self._session.settings.values.places
        dialog = EngineDialog(engine.place, used, near, self._window)
        dialog.chosen.connect(self.use)
        dialog.open()
        return dialog

    def use(self, place: Place) -> None:
        """Starts the engine in a place, with the model and the plan as they are."""
        self._session.restart_engine(place)

    def _on_state(self, state: EngineState) -> None:
        if state is not EngineState.STARTING:
            self._tick.stop()
        elif not self._tick.isActive():
            self._began = time.monotonic()
            self._tick.start()
        self._say()

    def _say(self) -> None:
        engine = self._session.engine
        words = engine_words(engine.state, engine.place, engine.info, bringing=engine.bringing)
        waited = round(time.monotonic() - self._began)
        if engine.state is EngineState.STARTING and waited >= SLOW_SECONDS:
            words += f", {waited} s"
        self._window.status.engine.say(words, engine_tip(engine.place, engine.info))
