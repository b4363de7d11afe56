"""The pin beside an option: pinned, a search leaves the option as it is."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QRadioButton, QWidget

from memplanner_ui.language import translate
from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.look.direction import placed
from memplanner_ui.plan_panel.form import OptionForm

_WIDTH, _HEIGHT = 24, 24
_ICON = 14.0


class OptionPin(QAbstractButton):
    """Lies in the empty space at the left of an option's rows: shown where the pointer is.

    It takes no focus: the rows would have twice as many stops. The keyboard's way is the action
    “Pin this option”, and the Search view's list of pins.
    """

    toggled_by_user = Signal(str, bool)
    """The option's key, and whether it is to be pinned."""

    def __init__(self, option: OptionForm, rows: QWidget) -> None:
        """Puts itself into ``rows``, beside the value that is chosen there."""
        super().__init__(rows)
        self._option, self._rows = option, rows
        self._choices = rows.findChildren(QRadioButton)
        self._near = False
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFixedSize(_WIDTH, fonts.scaled(_HEIGHT))
        self.clicked.connect(lambda on: self.toggled_by_user.emit(option.key, on))
        theme.current().changed.connect(self.update)
        rows.installEventFilter(self)
        self.show_pinned(False)
        self._place()

    def show_pinned(self, pinned: bool) -> None:
        """Shows whether the option is pinned."""
        self.setChecked(pinned)
        name = translate("Plan panel", "Pin {option}")
        if pinned:
            name = translate("Plan panel", "Unpin {option}")
        self.setAccessibleName(name.format(option=self._option.title))
        self.setToolTip(
            translate("Plan panel", "Pinned: a search does not change it")
            if pinned
            else translate("Plan panel", "Pin: a search does not change it")
        )
        self._show()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        match event.type():
            case QEvent.Type.Enter | QEvent.Type.Leave:
                self._near = event.type() == QEvent.Type.Enter
                self._show()
            case QEvent.Type.Resize | QEvent.Type.Show | QEvent.Type.LayoutRequest:
                self._place()
            case _:
                pass
        return super().eventFilter(watched, event)

    def follow_choice(self) -> None:
        """The chosen value may be another one: the pin stands beside it."""
        self._place()

    def _show(self) -> None:
        self.setVisible(self._near or self.isChecked())
        self.raise_()

    def _place(self) -> None:
        chosen = next((one for one in self._choices if one.isChecked()), None)
        row = None if chosen is None else chosen.parentWidget()
        height = fonts.scaled(_HEIGHT) if row is None else row.height()
        top = QPoint(0, 0) if row is None else row.mapTo(self._rows, QPoint(0, 0))
        if row is None and self._rows.height() < 2 * height:
            height = self._rows.height()
        place = QRect(self.rect()).translated(1, top.y() + (height - self.height()) // 2)
        self.move(placed(place, self._rows.rect()).toRect().topLeft())

    def sizeHint(self) -> QSize:
        return QSize(_WIDTH, fonts.scaled(_HEIGHT))

    def enterEvent(self, event: QEvent) -> None:
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        ink = "accent" if self.isChecked() else "text" if self.underMouse() else "text3"
        painter = QPainter(self)
        area = QRectF(0, 0, _ICON, _ICON)
        area.moveCenter(QRectF(self.rect()).center())
        icons.paint(painter, "pin", area, theme.current().color(ink))
        painter.end()
