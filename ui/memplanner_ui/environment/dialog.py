"""Choosing where the engine runs: the places at the left, what each has at the right."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from memplanner_ui.engine import Place
from memplanner_ui.environment.candidates import (
    MACHINES,
    USED,
    Candidate,
    candidates,
    ssh_hosts,
)
from memplanner_ui.environment.facts import Facts
from memplanner_ui.environment.fitness import Fitness, asked_for, fitness, requirements
from memplanner_ui.environment.host_form import HostForm
from memplanner_ui.environment.place_list import PlaceList
from memplanner_ui.environment.probe import Probes
from memplanner_ui.files import choose_file
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import type as fonts
from memplanner_ui.views.rows import ElidedLabel, hairline

_NEW = translatable(
    "Environment",
    "Name a machine that you reach with ssh without being asked for a password, and check it.",
)


class EngineDialog(QDialog):
    """Opened with ``open()``. Pythons here are asked at once, machines when they are looked at."""

    chosen = Signal(object)
    """The ``Place`` where the engine is to run."""

    def __init__(
        self,
        now: Place,
        used: tuple[Place, ...],
        near: Path | None,
        parent: QWidget | None = None,
        *,
        home: Path | None = None,
    ) -> None:
        super().__init__(parent)
        self.another = Candidate(
            Place(),
            MACHINES,
            translate("Environment", "Another machine…"),
            translate("Environment", "over ssh"),
        )
        """The row of a machine that is to be named."""
        self.setWindowTitle(translate("Environment", "Where the engine runs"))
        self.resize(fonts.scaled(860), fonts.scaled(600))
        home = home or Path.home()
        self._needed = requirements()
        self._now = now
        self.probes = Probes(asked_for(), self)
        self.probes.changed.connect(self._on_known)
        self._candidates = candidates(near, used, now, os.environ, home)
        self._shown: Place | None = None
        """Whose facts are shown; None while a new machine is described."""
        self._build(ssh_hosts(home / ".ssh" / "config"))
        self._fill(now)
        for one in self._candidates:
            if not one.place.remote:
                self.probes.ask(one.place)

    def _build(self, hosts: list[str]) -> None:
        self.places = PlaceList()
        self.places.chosen.connect(self._look_at)
        browse = QPushButton(translate("Environment", "Another Python…"))
        browse.setAutoDefault(False)
        browse.clicked.connect(self._browse)
        left = QVBoxLayout()
        left.setContentsMargins(0, 0, 0, 0)
        left.setSpacing(0)
        left.addWidget(self.places, 1)
        left.addWidget(hairline())
        foot = QHBoxLayout()
        foot.setContentsMargins(12, 8, 12, 8)
        foot.addWidget(browse)
        foot.addStretch(1)
        left.addLayout(foot)
        side = QWidget()
        side.setLayout(left)
        side.setFixedWidth(fonts.scaled(280))
        side.setProperty("surface", "panel")
        self.title = ElidedLabel()
        self.title.setFont(fonts.font("mono"))
        self.title.setContentsMargins(14, 10, 14, 10)
        self.form = HostForm(hosts)
        self.form.checked.connect(self._check)
        self.form.changed.connect(self._on_typed)
        self.facts = Facts()
        self._form_line = hairline()
        right = QVBoxLayout()
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(0)
        for widget in (self.title, hairline(), self.form, self._form_line):
            right.addWidget(widget)
        right.addWidget(self.facts, 1)
        cancel = QPushButton(translate("Environment", "Cancel"))
        cancel.setAutoDefault(False)
        cancel.clicked.connect(self.reject)
        self.use = QPushButton(translate("Environment", "Use it"))
        self.use.setProperty("primary", True)
        self.use.setDefault(True)
        self.use.clicked.connect(self._use)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(14, 9, 14, 9)
        buttons.setSpacing(8)
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(self.use)
        middle = QHBoxLayout()
        middle.setContentsMargins(0, 0, 0, 0)
        middle.setSpacing(0)
        middle.addWidget(side)
        middle.addLayout(right, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(middle, 1)
        whole.addWidget(hairline())
        whole.addLayout(buttons)

    # The list

    def _fill(self, current: Place) -> None:
        self.places.fill([*self._candidates, self.another])
        for row in range(self.places.count()):
            candidate = self.places.candidate(row)
            if candidate is not None:
                self._mark(row, candidate)
                if candidate is not self.another and candidate.place.same_as(current):
                    self.places.select(row)

    def _mark(self, row: int, candidate: Candidate) -> None:
        place = candidate.place
        found = None if candidate is self.another else self.probes.environments.get(place)
        if found is not None:
            judged = fitness(place, found, self._needed)
            torch = found.packages.get("torch")
            has = f"torch {torch}" if torch else translate("Environment", "no torch")
            words = f"Python {found.python}, {has}"
            mark = ("check", "fits") if judged.usable else ("caution", "caution")
            self.places.mark(row, words, mark)
        elif candidate is not self.another and place in self.probes.sentences:
            self.places.mark(row, candidate.detail, ("trouble", "trouble"))
        else:
            icon = "plus" if candidate is self.another else "device" if place.remote else ""
            self.places.mark(row, candidate.detail, (icon, "text3") if icon else None)

    def add(self, candidate: Candidate) -> None:
        """Puts another place into the list, asks it, and looks at it."""
        place = candidate.place
        known = [one for one in self._candidates if not one.place.same_as(place)]
        self._candidates = [*known, candidate]
        self.probes.ask(place, first=True)
        self._fill(place)

    def _browse(self) -> None:
        def take(path: str) -> None:
            self.add(Candidate(Place(python=path), USED, Path(path).name, path))

        folder = str(Path(self._now.python or os.environ.get("HOME", ".")).parent)
        choose_file(
            self,
            translate("Environment", "Choose a Python"),
            translate("Environment", "All files (*)"),
            take,
            folder,
        )

    # What is looked at

    def _look_at(self, candidate: Candidate) -> None:
        another = candidate is self.another
        place = candidate.place
        self._shown = None if another else place
        remote = another or place.remote
        self.form.setVisible(remote)
        self._form_line.setVisible(remote)
        if remote:
            self.form.show_place(None if another else place)
        self.title.set_text(translate("Environment", "Another machine") if another else place.title)
        if not another and place.remote and not self._is_known(place):
            self.probes.ask(place, first=True)
        self._show()

    def _is_known(self, place: Place) -> bool:
        asked = self.probes.asks(place)
        return asked or place in self.probes.environments or place in self.probes.sentences

    def _on_typed(self) -> None:
        self._shown = None
        self._show()

    def _check(self, place: Place) -> None:
        known = next((one for one in self._candidates if one.place == place), None)
        if known is not None:
            self.probes.ask(place, first=True)
            self._shown = place
            self._show()
            return
        detail = (
            translate("Environment", "{python} there").format(python=place.python)
            if place.python
            else translate("Environment", "python3 there")
        )
        self.add(Candidate(place, MACHINES, place.machine, detail))

    def _on_known(self, place: Place) -> None:
        for row in range(self.places.count()):
            candidate = self.places.candidate(row)
            if candidate is not None and candidate is not self.another and candidate.place == place:
                self._mark(row, candidate)
        if place == self._shown:
            self._show()

    def _show(self) -> None:
        place = self._shown
        judged = self._judged()
        self.use.setEnabled(judged is not None and judged.usable)
        if place is None:
            self.facts.show_nothing(translate("Environment", _NEW))
            return
        found, trouble = self.probes.environments.get(place), self.probes.sentences.get(place, "")
        if found is not None and judged is not None:
            self.facts.show_facts(found, judged, self.probes.cards.get(place), trouble)
            if place.remote:
                self.form.offer(found.others)
        elif trouble:
            self.facts.show_trouble(trouble)
        else:
            where = (
                translate("Environment", "Connecting to {machine}…").format(machine=place.machine)
                if place.remote
                else translate("Environment", "Asking what is there…")
            )
            self.facts.show_nothing(where)

    def _judged(self) -> Fitness | None:
        place = self._shown
        found = None if place is None else self.probes.environments.get(place)
        return None if place is None or found is None else fitness(place, found, self._needed)

    def _use(self) -> None:
        judged = self._judged()
        if self._shown is not None and judged is not None and judged.usable:
            self.chosen.emit(self._shown.model_copy(update={"brought": judged.brought}))
            self.accept()

    def done(self, result: int) -> None:
        self.probes.cancel()
        super().done(result)
        self.deleteLater()
