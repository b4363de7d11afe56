"""The tool bar: open, the model, the device, undo and redo, apply or stop, export, search."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolBar,
    QToolButton,
    QWidget,
)

from memplanner.units import format_bytes, format_parameters
from memplanner_ui.actions import Actions
from memplanner_ui.choice_button import ChoiceButton
from memplanner_ui.device_chooser import DeviceChooser
from memplanner_ui.language import translate
from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import placed
from memplanner_ui.session import Session

HEIGHT = 42
_SEARCH = 300
"""Width of the way to commands, where there is room."""
_ALL = 1000
"""A share that leaves next to nothing to its neighbour."""


class ActionButton(QPushButton):
    """A button that does, and is enabled as, one action of the table."""

    def __init__(
        self, action: QAction, icon: str, *, primary: bool = False, text: str = ""
    ) -> None:
        super().__init__(text or action.text().rstrip("…"))
        self._action = action
        self.setProperty("primary", primary)
        icons.set_icon(self, icon, "on_accent" if primary else "text")
        self.setFont(fonts.semibold("body") if primary else fonts.font("body"))
        self.clicked.connect(action.trigger)
        action.changed.connect(self._follow)
        self._follow()

    def _follow(self) -> None:
        self.setEnabled(self._action.isEnabled())
        self.setToolTip(self._action.toolTip())


class ModelButton(ChoiceButton):
    """The open model, and the way to another."""

    def __init__(self, session: Session, actions: Actions) -> None:
        super().__init__("model", translate("Window", "Model"), raised=False)
        self._session = session
        self._actions = actions
        session.document.model_changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        model = self._session.document.model
        if model is not None:
            self.show_choice(
                model.name,
                translate("Window", "{parameters} parameters").format(
                    parameters=format_parameters(model.parameters)
                ),
            )
            self.setToolTip(
                translate("Window", "{class_name} from {source}").format(
                    class_name=model.class_name, source=model.source
                )
            )

    def fill_menu(self, menu: QMenu) -> None:
        """Lists the models opened lately, then the ways to open another."""
        for recent in self._session.settings.values.recent:
            if recent.kind == "model" and recent.source != self._session.document.source:
                action = menu.addAction(recent.title)
                action.setToolTip(recent.source)
                action.triggered.connect(
                    lambda _=False, one=recent: self._session.open(one.source, inputs=one.inputs)
                )
        menu.addSeparator()
        for name in ("presets", "open", "open_name", "reopen", "close_model"):
            menu.addAction(self._actions[name])


class DeviceButton(ChoiceButton):
    """The device planned for, with what is free on it, and the way to another."""

    def __init__(self, session: Session) -> None:
        super().__init__("device", translate("Window", "Device"), raised=True)
        self._session = session
        self.chooser = DeviceChooser(self)
        self.chooser.chosen.connect(session.choose_device)
        session.document.device_changed.connect(lambda _: self._show())
        session.devices_changed.connect(self._refresh)
        session.engine.greeted.connect(lambda _: self._refresh())
        self._show()

    def _show(self) -> None:
        device = self._session.document.device
        self.setEnabled(device is not None)
        machine = self._session.engine.place.machine
        if device is None:
            self.show_choice(translate("Window", "Looking for devices…"))
            return
        name = (
            translate("Window", "{name} on {machine}").format(name=device.name, machine=machine)
            if device.local and machine
            else device.name
        )
        if device.memory_bytes is None or device.free_bytes is None:
            self.show_choice(name, translate("Window", "memory not known"))
        else:
            share = device.used_bytes / device.memory_bytes
            self.show_choice(
                name,
                translate("Window", "{free} free").format(free=format_bytes(device.free_bytes)),
                share,
            )
            where = self._session.engine.place.where
            here = (
                where
                if device.local
                else translate("Window", "of the catalogue, not {where}").format(where=where)
            )
            self.setToolTip(
                translate("Window", "{name}, {here}: {memory}, others hold {used}").format(
                    name=device.name,
                    here=here,
                    memory=format_bytes(device.memory_bytes),
                    used=format_bytes(device.used_bytes),
                )
            )

    def open_menu(self) -> None:
        """Opens the chooser below the button."""
        session = self._session
        session.refresh_devices()
        used = session.settings.values.devices
        self.chooser.open_below(
            self, session.devices, used, session.document.device, session.engine.place.where
        )

    def _refresh(self) -> None:
        self._show()
        if self.chooser.isVisible():
            self.chooser.show_devices(self._session.devices)


class SearchButton(QPushButton):
    """Looks like a field and opens the palette."""

    def __init__(self, action: QAction) -> None:
        super().__init__()
        self._keys = action.shortcut().toString().replace("+", " ")
        self.setAccessibleName(translate("Window", "Search commands and modules"))
        self.setToolTip(action.toolTip())
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMaximumWidth(fonts.scaled(_SEARCH))
        self.clicked.connect(action.trigger)
        theme.current().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        """As little as it can do with: what the model and the device leave is taken, too."""
        return self.minimumSizeHint()

    def minimumSizeHint(self) -> QSize:
        return QSize(120, fonts.scaled(28))

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = self.rect().adjusted(0, 0, -1, -1)
        painter.setPen(colors.color("border"))
        painter.setBrush(colors.color("hover" if self.underMouse() else "base"))
        painter.drawRoundedRect(area, 5, 5)
        middle = self.height() // 2
        box = area.adjusted(8, 0, 0, 0)
        box.setSize(QSize(16, 16))
        box.moveTop(middle - 8)
        icons.paint(painter, "search", placed(box, area), colors.color("text2"))
        painter.setFont(fonts.font("secondary"))
        keys = QFontMetrics(painter.font()).horizontalAdvance(self._keys) + 12
        key_area = placed(area.adjusted(area.width() - keys - 5, 5, -5, -5), area)
        painter.setPen(colors.color("border"))
        painter.setBrush(colors.color("panel"))
        painter.drawRoundedRect(key_area, 3, 3)
        painter.setPen(colors.color("text3"))
        painter.drawText(key_area, int(Qt.AlignmentFlag.AlignCenter), self._keys)
        painter.setFont(fonts.font("body"))
        room = area.adjusted(32, 0, -keys - 12, 0)
        text = QFontMetrics(painter.font()).elidedText(
            translate("Window", "Search commands and modules"),
            Qt.TextElideMode.ElideRight,
            room.width(),
        )
        painter.drawText(placed(room, area), int(Qt.AlignmentFlag.AlignVCenter), text)
        painter.end()


class ToolBar(QToolBar):
    """The row of buttons below the menus."""

    def __init__(self, session: Session, actions: Actions, parent: QWidget) -> None:
        super().__init__(translate("Window", "Tool bar"), parent)
        self.setObjectName("tool_bar")
        self.setMovable(False)
        self.setFloatable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.addWidget(_space(8, fonts.scaled(HEIGHT)))  # the row is as high as its highest
        self.setIconSize(QSize(16, 16))
        opener = ActionButton(actions["open"], "open", text=translate("Window", "Open"))
        opener.setFlat(True)
        opener.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.addWidget(opener)
        self.addSeparator()
        self.model = ModelButton(session, actions)
        self._model_place = self.addWidget(self.model)
        self._model_line = self.addSeparator()
        self.device = DeviceButton(session)
        self.addWidget(self.device)
        self.addSeparator()
        for name in ("undo", "redo"):
            button = QToolButton()
            button.setDefaultAction(actions[name])
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setAccessibleName(actions[name].text())
            button.setFixedSize(28, 28)
            self.addWidget(button)
        self.addSeparator()
        fit = ActionButton(actions["fit"], "fit", text=actions["fit"].text())
        self._fit_place = self.addWidget(fit)
        self.apply = ActionButton(actions["apply"], "apply", primary=True)
        stop = ActionButton(actions["stop"], "stop", primary=True, text=translate("Window", "Stop"))
        self._apply_place = self.addWidget(self.apply)
        self._stop_place = self.addWidget(stop)
        self.addWidget(ActionButton(actions["export"], "export"))
        rest = QWidget()
        rest.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        right = QHBoxLayout(rest)
        right.setContentsMargins(0, 0, 0, 0)
        right.addStretch(1)
        right.addWidget(SearchButton(actions["palette"]), _ALL)
        self.addWidget(rest)
        self.addWidget(_space(10, 1))
        self.show_state(model=False, run=False)

    def show_state(self, *, model: bool, run: bool) -> None:
        """The model's button only with a model; Stop in place of Apply while a plan runs."""
        self._model_place.setVisible(model)
        self._model_line.setVisible(model)
        self._fit_place.setVisible(model)
        self._apply_place.setVisible(not run)
        self._stop_place.setVisible(run)


def _space(width: int, height: int) -> QWidget:
    space = QWidget()
    space.setFixedSize(width, height)
    return space
