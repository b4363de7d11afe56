"""Motion: 120 ms ease-out to a new value; instant where the system or the user wants no motion."""

from __future__ import annotations

from PySide6.QtCore import QEasingCurve, QVariantAnimation
from PySide6.QtWidgets import QApplication, QStyle, QWidget

BAR_MILLISECONDS = 120
FOLD_MILLISECONDS = 100

_PROPERTY = "reduceMotion"


def set_reduced(reduced: bool) -> None:
    """Turns motion off (or on again) for the whole application: the user's own choice."""
    application = QApplication.instance()
    if application is not None:
        application.setProperty(_PROPERTY, reduced)


def reduced() -> bool:
    """Whether everything is to be instant."""
    application = QApplication.instance()
    if application is None or application.property(_PROPERTY):
        return True
    hint = QStyle.StyleHint.SH_Widget_Animation_Duration
    return QApplication.style().styleHint(hint) <= 0


def run_to_end(widget: QWidget, milliseconds: int = BAR_MILLISECONDS) -> QVariantAnimation:
    """A stopped animation from 0 to 1 owned by ``widget``, with the project's easing."""
    animation = QVariantAnimation(widget)
    animation.setStartValue(0.0)
    animation.setEndValue(1.0)
    animation.setDuration(milliseconds)
    animation.setEasingCurve(QEasingCurve.Type.OutCubic)
    return animation
