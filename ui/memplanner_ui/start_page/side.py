"""The side of the start page: the device, the engine, what was open lately, first steps."""

from __future__ import annotations

import time
from datetime import date

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from memplanner.messages.device import Device
from memplanner.messages.protocol import EngineInfo
from memplanner.units import format_bytes
from memplanner_ui.actions import Actions
from memplanner_ui.days import day_words
from memplanner_ui.engine_words import engine_words
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import hatch, icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import placed
from memplanner_ui.session import Session
from memplanner_ui.settings import Recent
from memplanner_ui.views.rows import ElidedLabel, Panel, Part, label, tag

FIRST_STEPS = (
    (translatable("Start page", "Open a model"), "open"),
    (translatable("Start page", "Apply the plan on this machine"), "apply"),
    (translatable("Start page", "Export to your trainer"), "export"),
    (translatable("Start page", "Any command by name"), "palette"),
)


def when(seconds: float, now: float) -> str:
    """A moment as ``today``, ``yesterday`` or ``20 Nov``."""
    days = date.fromtimestamp(now).toordinal() - date.fromtimestamp(seconds).toordinal()
    if days <= 0:
        return translate("Start page", "today")
    if days == 1:
        return translate("Start page", "yesterday")
    return day_words(date.fromtimestamp(seconds), digits=2)


class _MemoryBar(QWidget):
    """What others hold, hatched, against the device's memory."""

    def __init__(self, device: Device) -> None:
        super().__init__()
        self._device = device
        self.setFixedHeight(fonts.scaled(14))

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme.current()
        painter = QPainter(self)
        area = QRectF(self.rect())
        painter.fillRect(area, colors.color("free"))
        memory = self._device.memory_bytes or 1
        area.setWidth(area.width() * min(1.0, self._device.used_bytes / memory))
        hatch.fill(painter, area, colors.color("other"), colors.color("text3"))
        painter.end()


class _Row(QPushButton):
    """A row that is a button: icon, two lines, a word at the right."""

    def __init__(self, icon: str, title: str, detail: str, right: str) -> None:
        super().__init__()
        self._icon, self._title, self._detail, self._right = icon, title, detail, right
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(", ".join(part for part in (title, detail, right) if part))
        self.setToolTip(f"{title}\n{detail}" if detail else title)

    def sizeHint(self) -> QSize:
        return QSize(100, fonts.scaled(42 if self._detail else 26))

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme.current()
        painter = QPainter(self)
        if self.underMouse():
            painter.fillRect(self.rect(), colors.color("hover"))
        middle = self.height() / 2
        icon = placed(QRectF(2, middle - 8, 16, 16), self.rect())
        icons.paint(painter, self._icon, icon, colors.color("text2"))
        lines = [(self._title, "body", "text")]
        if self._detail:
            lines.append(
                (
                    self._detail,
                    "secondary",
                    "text2",
                )
            )
        painter.setFont(fonts.font("secondary"))
        width = painter.fontMetrics().horizontalAdvance(self._right)
        right = placed(self.rect().adjusted(0, 0, -4, 0), self.rect())
        painter.setPen(colors.color("text3"))
        flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(right, int(flags), self._right)
        height = fonts.scaled(16)
        top = round(middle - height * len(lines) / 2)
        for text, role, ink in lines:
            painter.setFont(fonts.font(role))  # type: ignore[arg-type]  # roles, as written above
            painter.setPen(colors.color(ink))
            room = self.width() - 28 - width - 12
            shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room)
            line = placed(QRectF(28, top, room, height), self.rect())
            painter.drawText(line, int(Qt.AlignmentFlag.AlignVCenter), shown)
            top += height
        painter.end()


class StartSide(Panel):
    """Rebuilt whenever the device, the engine or the recent list changes."""

    def __init__(self, session: Session, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(translate("Start page", "Device, engine and recent"), parent)
        self._session = session
        self._actions = actions
        session.document.device_changed.connect(lambda _: self.rebuild())
        session.devices_changed.connect(self.rebuild)
        session.engine.greeted.connect(lambda _: self.rebuild())
        session.engine.state_changed.connect(lambda _: self._engine_state())
        self._info: EngineInfo | None = None
        self.rebuild()

    def _engine_state(self) -> None:
        if self._info is not self._session.engine.info or self._info is None:
            self.rebuild()

    def rebuild(self) -> None:
        """Shows everything as it is now."""
        self._info = self._session.engine.info
        self.clear_parts()
        self.add_part(self._device_part())
        self.add_part(self._engine_part())
        recent = self._session.settings.values.recent
        if recent:
            self.add_part(self._recent_part(recent[:6]))
        self.add_part(self._steps_part())

    def _device_part(self) -> Part:
        device = self._session.document.device
        local = device is not None and device.local
        part = Part(
            translate("Start page", "Detected device")
            if local or device is None
            else translate("Start page", "Planned for")
        )
        if device is None:
            part.add(label(translate("Start page", "Looking for devices…"), "body", "faint"))
            return part
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        name = ElidedLabel(device.name)
        name.setFont(fonts.font("heading"))
        line.addWidget(name, 1)
        another = QPushButton(translate("Start page", "Plan for another card…"))
        another.setProperty("flat", True)
        another.setProperty("small", True)
        another.clicked.connect(self._actions["choose_device"].trigger)
        line.addWidget(another)
        part.add(row)
        if device.kind == "cuda" and device.architecture:
            part.add(
                label(
                    translate("Start page", "compute {architecture}").format(
                        architecture=device.architecture
                    ),
                    "secondary",
                    "secondary",
                )
            )
        if device.memory_bytes is not None and device.free_bytes is not None:
            part.add(_MemoryBar(device))
            part.add_pair(
                translate("Start page", "Other processes"), format_bytes(device.used_bytes)
            )
            part.add_pair(
                translate("Start page", "Free"),
                translate("Start page", "{free} of {memory}").format(
                    free=format_bytes(device.free_bytes), memory=format_bytes(device.memory_bytes)
                ),
            )
        return part

    def _engine_part(self) -> Part:
        part = Part(translate("Start page", "Engine"))
        info = self._info
        engine = self._session.engine
        if info is None:
            words = engine_words(engine.state, engine.place, None, bringing=engine.bringing)
            part.add(label(words, "body", "faint"))
        else:
            if engine.place.remote:
                part.add_pair(translate("Start page", "Machine"), engine.place.machine)
            shown = part.add_pair(
                translate("Start page", "Interpreter"),
                f"Python {info.python}",
            )
            shown.setToolTip(info.interpreter)
            part.add_pair("torch", info.torch or translate("Start page", "not installed"))
            part.add_pair(
                "transformers", info.transformers or translate("Start page", "not installed")
            )
            part.add_pair(
                translate("Start page", "Host memory"),
                translate("Start page", "{host_memory}, {host_free} free").format(
                    host_memory=format_bytes(info.host_memory_bytes),
                    host_free=format_bytes(info.host_free_bytes),
                ),
            )
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 4, 0, 0)
        choose = QPushButton(translate("Start page", "Choose another…"))
        choose.setProperty("small", True)
        choose.clicked.connect(self._actions["engine_choose"].trigger)
        line.addWidget(choose)
        line.addStretch(1)
        part.add(row)
        return part

    def _recent_part(self, recent: tuple[Recent, ...]) -> Part:
        part = Part(translate("Start page", "Recent"))
        now = time.time()
        for one in recent:
            icon = "plan" if one.kind == "plan" else "file"
            row = _Row(icon, one.title, one.detail, when(one.opened, now))
            row.clicked.connect(
                lambda _=False, one=one: self._session.open(one.source, inputs=one.inputs)
            )
            part.add(row)
        return part

    def _steps_part(self) -> Part:
        part = Part(translate("Start page", "First steps"))
        for text, name in FIRST_STEPS:
            words = translate("Start page", text)
            keys = self._actions[name].shortcut().toString().replace("+", " ")
            row = QWidget()
            line = QHBoxLayout(row)
            line.setContentsMargins(0, 0, 0, 0)
            line.addWidget(label(words, "body"), 1)
            line.addWidget(tag(keys))
            part.add(row)
        return part
