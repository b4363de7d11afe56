"""The window of the help: contents and search at the left, the page at the right."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QUrl
from PySide6.QtGui import QAction, QDesktopServices, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSplitter,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from memplanner_ui.help.contents import Contents
from memplanner_ui.help.pages import HOME, has_page, page, search
from memplanner_ui.help.rendering import anchor_name, render
from memplanner_ui.language import translate
from memplanner_ui.look import icons, theme
from memplanner_ui.look import type as fonts
from memplanner_ui.views.rows import ElidedLabel, hairline

_WIDTH, _HEIGHT, _CONTENTS = 1000, 760, 296
_FRAME = (4, 36)
"""What the frame and the title of a window take."""
_WEB = ("http", "https")


class HelpWindow(QWidget):
    """Pages with a way back. A link to the web shows its address before a browser is opened."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setWindowTitle(translate("Help", "Help – memplanner"))
        self.setProperty("surface", "window")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._trail: list[tuple[str, str]] = []
        """Pages and anchors that were read, in order."""
        self._at = -1
        self._rendered = ""
        self.field = QLineEdit()
        self.contents = Contents()
        self.browser = QTextBrowser()
        self.back = self._button(
            "left", translate("Help", "Back"), QKeySequence.StandardKey.Back, self.go_back
        )
        self.forward = self._button(
            "right", translate("Help", "Forward"), QKeySequence.StandardKey.Forward, self.go_forward
        )
        self.home = QPushButton(translate("Help", "Contents"))
        self.address = ElidedLabel()
        self.open_web = QPushButton(translate("Help", "Open in a browser"))
        self._where = QLabel()
        self._web = QWidget()
        self._set_up()
        room = self.screen().availableGeometry().size() - QSize(*_FRAME)
        self.resize(QSize(fonts.scaled(_WIDTH), fonts.scaled(_HEIGHT)).boundedTo(room))
        theme.current().changed.connect(self._restyle)

    def _button(
        self, icon: str, name: str, key: QKeySequence.StandardKey, pressed: object
    ) -> QPushButton:
        button = QPushButton()
        button.setFixedSize(28, 28)
        button.setStyleSheet("padding: 0; min-height: 0;")
        icons.set_icon(button, icon)
        button.setAccessibleName(name)
        shown = QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
        button.setToolTip(f"{name} ({shown})")
        button.clicked.connect(pressed)
        shortcut = QShortcut(QKeySequence(key), self)
        shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
        shortcut.activated.connect(button.click)
        return button

    def _set_up(self) -> None:
        self.field.setPlaceholderText(translate("Help", "Search the help"))
        self.field.setAccessibleName(translate("Help", "Search the help"))
        self.field.setClearButtonEnabled(True)
        action = QAction(self.field)
        icons.set_icon(action, "search", "text3")
        self.field.addAction(action, QLineEdit.ActionPosition.LeadingPosition)
        self.field.textChanged.connect(self._search)
        self.field.returnPressed.connect(self.contents.choose_first)
        find = QShortcut(QKeySequence(QKeySequence.StandardKey.Find), self)
        find.activated.connect(self.focus_search)
        self.home.clicked.connect(lambda: self.show_page(HOME))
        self.contents.chosen.connect(self.show_page)
        self.browser.setOpenLinks(False)
        self.browser.setAccessibleName(translate("Help", "Page"))
        self.browser.anchorClicked.connect(self.follow)
        self.browser.setStyleSheet("QTextBrowser { border: none; }")
        self.browser.setProperty("surface", "base")
        for button in (self.home, self.open_web):
            button.setProperty("small", True)
        bar = QHBoxLayout()
        bar.setContentsMargins(10, 7, 10, 7)
        bar.setSpacing(6)
        for widget in (self.back, self.forward, self.home):
            bar.addWidget(widget)
        bar.addStretch(1)
        self.field.setFixedWidth(fonts.scaled(280))
        bar.addWidget(self.field)
        foot = QHBoxLayout(self._web)
        foot.setContentsMargins(12, 6, 10, 6)
        foot.setSpacing(8)
        foot.addWidget(self._where)
        foot.addWidget(self.address, 1)
        foot.addWidget(self.open_web)
        self.open_web.clicked.connect(self._open_web)
        self._web.hide()
        parts = QSplitter(Qt.Orientation.Horizontal)
        parts.setHandleWidth(1)
        parts.setChildrenCollapsible(False)
        for part in (self.contents, self.browser):
            parts.addWidget(_page_of(part))
        parts.setStretchFactor(1, 1)
        parts.setSizes([fonts.scaled(_CONTENTS), fonts.scaled(_WIDTH - _CONTENTS)])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(hairline())
        column.addWidget(parts, 1)
        column.addWidget(self._web)

    def minimumSizeHint(self) -> QSize:
        return QSize(480, 320)

    # Pages

    @property
    def place(self) -> str:
        """The page that is shown, with its anchor."""
        if self._at < 0:
            return ""
        name, anchor = self._trail[self._at]
        return f"{name}#{anchor}" if anchor else name

    def open_at(self, place: str) -> None:
        """Shows a page (``name#anchor``) in front of other windows."""
        self.show_page(place)
        self.show()
        self._scroll()  # the first time its lines are broken anew when it is shown
        self.raise_()
        self.activateWindow()
        self.browser.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_page(self, place: str) -> None:
        """Goes to a page; the way back leads to the one before."""
        name, _, anchor = place.partition("#")
        wanted = name or HOME, anchor
        if self._at < 0 or self._trail[self._at] != wanted:
            self._trail[self._at + 1 :] = [wanted]
            self._at += 1
        self._show()

    def go_back(self) -> None:
        """To the page before."""
        if self._at > 0:
            self._at -= 1
            self._show()

    def go_forward(self) -> None:
        """To the page that was gone back from."""
        if self._at + 1 < len(self._trail):
            self._at += 1
            self._show()

    def _show(self) -> None:
        name, _ = self._trail[self._at]
        shown = page(name)
        if self._rendered != name:
            render(shown, self.browser.document())
            self._rendered = name
        self._scroll()
        self.setWindowTitle(
            translate("Help", "{title} – memplanner help").format(title=shown.title)
        )
        self.back.setEnabled(self._at > 0)
        self.forward.setEnabled(self._at + 1 < len(self._trail))
        self._web.hide()
        self._mark()

    def _scroll(self) -> None:
        """To the heading that is wanted, or the page's beginning."""
        name, anchor = self._trail[self._at]
        heading = page(name).heading_of(anchor) if anchor else None
        if heading is None:
            self.browser.verticalScrollBar().setValue(0)
        else:
            self.browser.scrollToAnchor(anchor_name(heading))

    def follow(self, link: QUrl) -> None:
        """Follows a link: to another page, or shows the address of one on the web."""
        if link.scheme() in _WEB:
            self._show_address(translate("Help", "On the web:"), link.toString(), opens=True)
            self.open_web.setFocus(Qt.FocusReason.OtherFocusReason)
            return
        path, anchor = link.path(), link.fragment()
        if not path:
            path = self._trail[self._at][0]
        if has_page(path):
            self.show_page(f"{path}#{anchor}" if anchor else path)
        else:  # a file of the sources is not installed with the program
            path = path.removeprefix("../")
            self._show_address(translate("Help", "In memplanner’s sources:"), path, opens=False)

    def _show_address(self, where: str, address: str, *, opens: bool) -> None:
        self._where.setText(where)
        self.address.set_text(address)
        self.open_web.setVisible(opens)
        self._web.show()

    def _open_web(self) -> None:
        QDesktopServices.openUrl(QUrl(self.address.whole))
        self._web.hide()

    def _restyle(self) -> None:
        self._rendered = ""
        if self._at >= 0:
            self._show()

    # Contents and search

    def focus_search(self) -> None:
        """Puts the cursor into the search field."""
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.field.selectAll()

    def _search(self, words: str) -> None:
        if words.strip():
            self.contents.show_hits(search(words))
        else:
            self.contents.show_pages()
            self._mark()

    def _mark(self) -> None:
        """Selects the page that is read, while contents are listed."""
        if not self.field.text().strip() and self._at >= 0:
            self.contents.mark(self._trail[self._at][0])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            if self.field.text():
                self.field.clear()
            else:
                self.close()
        else:
            super().keyPressEvent(event)


def _page_of(widget: QWidget) -> QWidget:
    """A widget in one of its own: a splitter would take a focus ring in it for a pane."""
    page_ = QWidget()
    column = QVBoxLayout(page_)
    column.setContentsMargins(0, 0, 0, 0)
    column.addWidget(widget)
    return page_
