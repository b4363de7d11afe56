"""What the program says of itself."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMessageBox, QWidget

from memplanner.messages.protocol import EngineInfo
from memplanner_ui.language import translate


def about_box(info: EngineInfo | None, parent: QWidget) -> QMessageBox:
    """The box that says it, with the engine's version where it is known."""
    license_ = translate("Window", "Apache License 2.0.")
    if info is not None:
        license_ = translate("Window", "Version {version}. Apache License 2.0.").format(
            version=info.version
        )
    purpose = translate("Window", "Plan the memory that training a model takes, before it runs.")
    box = QMessageBox(parent)
    box.setWindowTitle(translate("Window", "About memplanner"))
    box.setText(f"<b>memplanner</b><p>{purpose}</p><p>{license_}</p>")
    box.setIconPixmap(QGuiApplication.windowIcon().pixmap(48, 48))
    box.addButton(translate("Window", "Close"), QMessageBox.ButtonRole.RejectRole)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    return box
