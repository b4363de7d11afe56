"""The device chooser: a pop-up below the device's button, with a field that filters."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractItemView, QFrame, QLineEdit, QListView, QVBoxLayout, QWidget

from memplanner.messages.device import Device
from memplanner_ui.device_list import HERE, ROW_HEIGHT, DeviceDelegate, DeviceRows, rows_of
from memplanner_ui.language import translate
from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.views.rows import label

WIDTH = 360
HEIGHT = 420
_MARGIN = 8
_PAGE = 10
_STEPS = {
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_PageDown: _PAGE,
    Qt.Key.Key_PageUp: -_PAGE,
}


class DeviceChooser(QFrame):
    """Emits ``chosen`` with a ``Device``. The keys work while the cursor is in the field."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self._devices: Sequence[Device] = ()
        self._used: Sequence[str] = ()
        self._chosen: str | None = None
        self._where = translate("Window", HERE)
        # A click on the button while this is open closes it and does not open it again.
        self.setAttribute(Qt.WidgetAttribute.WA_NoMouseReplay)
        self.setAccessibleName(translate("Window", "Choose a device"))
        self.field = QLineEdit()
        self.field.setPlaceholderText(translate("Window", "Search devices"))
        self.field.setAccessibleName(translate("Window", "Search devices"))
        self.field.setClearButtonEnabled(True)
        search = QAction(self.field)
        icons.set_icon(search, "search", "text3")
        self.field.addAction(search, QLineEdit.ActionPosition.LeadingPosition)
        self.field.textChanged.connect(self._filter)
        self.field.installEventFilter(self)
        self.rows = DeviceRows(self)
        self.list = QListView()
        self.list.setModel(self.rows)
        self.list.setItemDelegate(DeviceDelegate(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setMouseTracking(True)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setAccessibleName(translate("Window", "Devices"))
        self.list.clicked.connect(lambda index: self._choose(index.row()))
        self.none = label("", "body", "faint", wrap=True)
        self.none.setContentsMargins(6, 4, 6, 6)
        column = QVBoxLayout(self)
        column.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
        column.addWidget(self.field)
        column.addWidget(self.list, 1)
        column.addWidget(self.none)
        column.addStretch(0)

    def open_below(
        self,
        button: QWidget,
        devices: Sequence[Device],
        used: Sequence[str],
        chosen: Device | None,
        where: str = "",
    ) -> None:
        """Opens below ``button``; ``used`` are selectors, the last used first.

        ``where`` says which machine the local devices are in.
        """
        self._where = where[:1].upper() + where[1:]
        self._chosen = None if chosen is None else chosen.selector
        self._used = used
        self._devices = devices
        if self.field.text():
            self.field.clear()  # which filters
        else:
            self._filter()
        self.setGeometry(self._place(button))
        self.show()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)
        self._show_current()

    def show_devices(self, devices: Sequence[Device]) -> None:
        """Takes newer devices, keeping the words and the row."""
        if devices == self._devices:
            return
        self._devices = devices
        now = self.rows.device(self.list.currentIndex().row())
        scrolled = self.list.verticalScrollBar().value()
        self._filter()
        if now is not None:
            same = [
                place
                for place, row in enumerate(self.rows.rows)
                if row.device is not None and row.device.selector == now.selector
            ]
            if same:
                self.list.setCurrentIndex(self.rows.index(same[0]))
        self.list.verticalScrollBar().setValue(scrolled)

    def _place(self, button: QWidget) -> QRect:
        """Below the button, moved and made smaller where the screen ends."""
        corner = button.mapToGlobal(QPoint(0, button.height() + 2))
        wanted = fonts.scaled(ROW_HEIGHT) * len(self.rows.rows)
        wanted += self.field.sizeHint().height() + 2 * _MARGIN + 14
        screen = button.screen().availableGeometry()
        width = min(fonts.scaled(WIDTH), screen.width())
        height = min(max(wanted, fonts.scaled(120)), fonts.scaled(HEIGHT), screen.height())
        left = max(screen.left(), min(corner.x(), screen.right() + 1 - width))
        top = max(screen.top(), min(corner.y(), screen.bottom() + 1 - height))
        return QRect(left, top, width, height)

    def _filter(self) -> None:
        words = self.field.text()
        self.rows.show(rows_of(self._devices, self._used, self._chosen, words, self._where))
        nothing = not self.rows.rows
        self.list.setVisible(not nothing)
        self.none.setVisible(nothing)
        if nothing:
            said = " ".join(words.split())
            self.none.setText(
                translate("Window", "No device has “{said}” in its name.").format(said=said)
                if said
                else translate("Window", "No devices yet.")
            )
            return
        chosen = next((place for place, row in enumerate(self.rows.rows) if row.chosen), -1)
        if words.strip() or chosen < 0:
            chosen = self.rows.next_device(-1, 1)
        self.list.setCurrentIndex(self.rows.index(chosen))
        if self.isVisible():
            self._show_current()

    def _show_current(self) -> None:
        place = self.list.currentIndex().row()
        above = place > 0 and self.rows.device(place - 1) is None
        self.list.scrollTo(self.rows.index(place - 1 if above else place))
        self.list.scrollTo(self.rows.index(place))

    def _choose(self, place: int) -> None:
        device = self.rows.device(place)
        if device is not None:
            self.close()
            self.chosen.emit(device)

    def paintEvent(self, event: QPaintEvent) -> None:
        colors = theme.current()
        painter = QPainter(self)
        painter.fillRect(self.rect(), colors.color("panel"))
        painter.setPen(colors.color("border"))  # a popup has no frame of the desktop's
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is not self.field or event.type() != QEvent.Type.KeyPress:
            return super().eventFilter(watched, event)
        assert isinstance(event, QKeyEvent)
        key, place = Qt.Key(event.key()), self.list.currentIndex().row()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._choose(place)
        elif key == Qt.Key.Key_Escape:
            self.close()
        elif key in _STEPS:
            self.list.setCurrentIndex(self.rows.index(self.rows.next_device(place, _STEPS[key])))
            self._show_current()
        else:
            return super().eventFilter(watched, event)
        return True
