"""The style sheet, made from the tokens."""

from __future__ import annotations

from collections.abc import Callable
from string import Template

from PySide6.QtGui import QColor


def style_sheet(colors: dict[str, QColor], marks: str, scaled: Callable[[float], int]) -> str:
    """The application's style sheet in ``colors``; ``marks`` is the folder of its images."""
    values = {name: color.name() for name, color in colors.items()}
    heights = {f"h{pixels}": str(scaled(pixels)) for pixels in (16, 18, 22, 24, 25, 26, 28, 32, 34)}
    return Template(_SHEET).substitute(values, marks=marks, **heights)


_SHEET = """
QWidget { color: $text; }
QMainWindow, QDialog { background: $window; }
QToolTip { background: $raised; color: $text; border: 1px solid $border; padding: 4px 6px; }
QLabel[ink="secondary"] { color: $text2; }
QLabel[ink="faint"] { color: $text3; }
QLabel[ink="fits"] { color: $fits; }
QLabel[ink="trouble"] { color: $trouble; }
QLabel[ink="caution"] { color: $caution; }
QLabel[ink="accent"] { color: $accent; }
QLabel[tag="plain"], QLabel[tag="accent"], QLabel[tag="trouble"] {
    border-radius: 3px; padding: 1px 5px;
}
QLabel[tag="plain"] { background: $hover; color: $text2; }
QLabel[tag="accent"] { background: $selection; color: $accent; }
QLabel[tag="trouble"] { background: $hover; color: $trouble; }
QWidget[surface="panel"] { background: $panel; }
QWidget[surface="base"] { background: $base; }
QWidget[surface="window"] { background: $window; }
QFrame[line="hairline"] { background: $hairline; border: none; max-height: 1px; min-height: 1px; }

QPushButton, QToolButton[raised="true"] {
    background: $raised; border: 1px solid $border; border-radius: 5px;
    padding: 0 11px; min-height: ${h26}px;
}
QPushButton[small="true"] { min-height: ${h22}px; padding: 0 9px; }
QPushButton:hover, QToolButton[raised="true"]:hover { background: $hover; }
QPushButton:pressed, QToolButton[raised="true"]:pressed { background: $selection; }
QPushButton:disabled, QToolButton[raised="true"]:disabled { color: $text3; background: $window; }
QPushButton[primary="true"], QToolButton[primary="true"] {
    background: $accent; color: $on_accent; border-color: $accent;
}
QPushButton[primary="true"]:disabled, QToolButton[primary="true"]:disabled {
    background: $hover; color: $text3; border-color: $border;
}
QPushButton[flat="true"] { background: transparent; border-color: transparent; }
QPushButton[flat="true"]:hover { background: $hover; }
QToolButton { border: 1px solid transparent; border-radius: 5px; padding: 3px; }
QToolButton:hover { background: $hover; }
QToolButton:checked { background: $selection; }
QToolButton::menu-indicator { image: none; }

QPushButton[segment="first"], QPushButton[segment="middle"], QPushButton[segment="last"],
QPushButton[segment="only"] {
    border-radius: 0; padding: 0 9px; min-height: ${h22}px; color: $text2; border-left-width: 0;
}
QPushButton[segment="first"] {
    border-left-width: 1px; border-top-left-radius: 5px; border-bottom-left-radius: 5px;
}
QPushButton[segment="last"] { border-top-right-radius: 5px; border-bottom-right-radius: 5px; }
QPushButton[segment="only"] { border-radius: 5px; border-left-width: 1px; }
QPushButton[segment]:checked { background: $selection; color: $accent; font-weight: 600; }

QLineEdit, QAbstractSpinBox, QComboBox, QPlainTextEdit {
    background: $base; border: 1px solid $border; border-radius: 5px; padding: 0 7px;
    min-height: ${h22}px; selection-background-color: $accent; selection-color: $on_accent;
}
QPlainTextEdit { padding: 6px; }
QLineEdit:disabled, QAbstractSpinBox:disabled, QComboBox:disabled {
    background: $window; color: $text3;
}
QAbstractSpinBox { padding: 0 0 0 5px; }
QAbstractSpinBox QLineEdit { padding: 0; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {
    subcontrol-origin: border; width: 18px; border: none; background: transparent;
}
QAbstractSpinBox::up-button { subcontrol-position: top right; margin: 1px 1px 0 0; }
QAbstractSpinBox::down-button { subcontrol-position: bottom right; margin: 0 1px 1px 0; }
QAbstractSpinBox::up-button:hover, QAbstractSpinBox::down-button:hover { background: $hover; }
QAbstractSpinBox::up-arrow { image: url($marks/up.svg); width: 12px; height: 12px; }
QAbstractSpinBox::down-arrow { image: url($marks/down.svg); width: 12px; height: 12px; }
QAbstractSpinBox::up-arrow:disabled, QAbstractSpinBox::up-arrow:off {
    image: url($marks/up_disabled.svg);
}
QAbstractSpinBox::down-arrow:disabled, QAbstractSpinBox::down-arrow:off {
    image: url($marks/down_disabled.svg);
}
QComboBox { padding-right: 22px; background: $raised; }
QComboBox::drop-down { border: none; width: 22px; subcontrol-position: center right; }
QComboBox::down-arrow { image: url($marks/down.svg); width: 14px; height: 14px; }
QComboBox QAbstractItemView {
    background: $raised; border: 1px solid $border; outline: none; padding: 3px;
    selection-background-color: $selection; selection-color: $text;
}

QCheckBox, QRadioButton { spacing: 7px; min-height: ${h24}px; background: transparent; }
QCheckBox:disabled, QRadioButton:disabled { color: $text3; }
QCheckBox::indicator, QRadioButton::indicator, QTreeView::indicator, QListView::indicator {
    width: 12px; height: 12px; border: 1.4px solid $text3; background: $base;
}
QCheckBox::indicator, QTreeView::indicator, QListView::indicator { border-radius: 3px; }
QRadioButton::indicator { border-radius: 7px; }
QCheckBox::indicator:hover, QRadioButton::indicator:hover { border-color: $accent; }
QCheckBox::indicator:checked, QTreeView::indicator:checked, QListView::indicator:checked {
    background: $accent; border-color: $accent; image: url($marks/tick.svg);
}
QCheckBox::indicator:indeterminate {
    background: $accent; border-color: $accent; image: url($marks/dash.svg);
}
QRadioButton::indicator:checked {
    background: $accent; border-color: $accent; image: url($marks/dot.svg);
}
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled { border-color: $border; }

QTabBar { background: $window; qproperty-drawBase: 0; }
QTabBar::tab {
    background: transparent; color: $text2; padding: 0 8px; height: ${h32}px;
    border: 1px solid transparent; border-top: 2px solid transparent; margin: 0;
}
QTabBar::tab:selected {
    background: $base; color: $text; font-weight: 600; border-color: $border;
    border-top: 2px solid $accent; border-bottom-color: $base;
}
QTabBar::tab:hover:!selected { color: $text; background: $hover; }
QTabBar::tab:disabled { color: $text3; }
QTabWidget::pane { border: none; }

QDockWidget { titlebar-close-icon: url($marks/cross.svg); }
QDockWidget::title {
    background: $panel; padding: 7px 14px; border-bottom: 1px solid $hairline; text-align: left;
}
QMainWindow::separator { background: $border; width: 1px; height: 1px; }
QMainWindow::separator:hover { background: $accent; }
QSplitter::handle { background: $hairline; }
QSplitter::handle:hover { background: $accent; }

QMenuBar { background: $window; padding: 2px 8px; }
QMenuBar::item { padding: 4px 9px; border-radius: 5px; background: transparent; }
QMenuBar::item:selected { background: $hover; }
QMenu { background: $raised; border: 1px solid $border; border-radius: 7px; padding: 4px; }
QMenu::item { padding: 4px 24px 4px 26px; border-radius: 4px; }
QMenu::item:selected { background: $selection; }
QMenu::item:disabled { color: $text3; }
QMenu::separator { height: 1px; background: $hairline; margin: 4px 6px; }
QMenu::icon { padding-left: 6px; }
QToolBar { background: $window; border: none; border-bottom: 1px solid $border; spacing: 6px; }
QToolBar::separator { background: $border; width: 1px; margin: 6px 6px; }
QStatusBar { background: $window; border-top: 1px solid $border; color: $text2; }
QStatusBar::item { border: none; }

QTreeView, QTableView, QListView {
    background: $base; alternate-background-color: $alternate; border: none; outline: none;
    selection-background-color: $selection; selection-color: $text;
}
QTableWidget::item { padding: 0 5px 0 1px; }
QTreeView::branch { background: transparent; }
QTreeView::branch:selected { background: $selection; }
QTreeView::branch:has-children:closed { image: url($marks/right.svg); }
QTreeView::branch:has-children:open { image: url($marks/down.svg); }
QTreeView::item:hover, QListView::item:hover { background: $hover; }
QTreeView::item:selected, QListView::item:selected, QTableView::item:selected {
    background: $selection; color: $text;
}
QHeaderView { background: $panel; }
QHeaderView::section {
    background: $panel; color: $text2; border: none; border-bottom: 1px solid $border;
    padding: 0 8px 0 4px; height: ${h25}px;
}
QHeaderView::section:hover { color: $text; }
QHeaderView::up-arrow { image: url($marks/up.svg); width: 12px; height: 12px; }
QHeaderView::down-arrow { image: url($marks/down.svg); width: 12px; height: 12px; }
QTableCornerButton::section { background: $panel; border: none; }

QScrollArea { border: none; background: transparent; }
QScrollBar { background: transparent; border: none; margin: 0; }
QScrollBar:vertical { width: 11px; }
QScrollBar:horizontal { height: 11px; }
QScrollBar::handle { background: $border; border-radius: 3px; margin: 2px; }
QScrollBar::handle:vertical { min-height: 28px; }
QScrollBar::handle:horizontal { min-width: 28px; }
QScrollBar::handle:hover { background: $text3; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }

QProgressBar {
    background: $hover; border: none; border-radius: 2px; max-height: 7px; min-height: 7px;
    text-align: center; color: transparent;
}
QProgressBar::chunk { background: $accent; border-radius: 2px; }
QSlider::groove:horizontal { background: $hairline; height: 4px; border-radius: 2px; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::handle:horizontal {
    background: $raised; border: 1px solid $border; width: 14px; height: 14px; margin: -6px 0;
    border-radius: 8px;
}
"""
