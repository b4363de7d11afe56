"""Dialogs that choose a file or folder; they never block."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFileDialog, QWidget

from memplanner_ui.language import translatable
from memplanner_ui.path_dialog import PathDialog

MODELS_AND_PLANS = translatable(
    "Window",
    "Models, plans and trainers’ files (*.json *.safetensors *.gguf *.py *.pt "
    "*.pth *.bin *.ckpt *.pt2 *.onnx *.keras *.h5 *.yaml *.yml *.sh);;All files (*)",
)
SNAPSHOTS = translatable("Window", "Memory snapshots (*.pickle *.pkl *.snapshot);;All files (*)")
PLANS = translatable("Window", "Plans (*.yaml *.yml)")
PLAN_ENDING = ".plan.yaml"
"""Of a new plan's file; the desktop knows plans by it."""


def choose_file(
    parent: QWidget,
    title: str,
    kinds: str,
    then: Callable[[str], object],
    folder: str = "",
    *,
    machine: str = "",
) -> QDialog:
    """Opens a dialog for an existing file, on another ``machine`` if one is named.

    ``then`` gets its path.
    """
    if machine:
        return _ask_path(parent, title, machine, then)
    dialog = QFileDialog(parent, title, folder, kinds)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    return _open(dialog, then)


def choose_folder(
    parent: QWidget,
    title: str,
    then: Callable[[str], object],
    folder: str = "",
    *,
    machine: str = "",
) -> QDialog:
    """Opens a dialog for an existing folder, on another ``machine`` if one is named.

    ``then`` gets its path.
    """
    if machine:
        return _ask_path(parent, title, machine, then)
    dialog = QFileDialog(parent, title, folder)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    return _open(dialog, then)


def choose_new_file(
    parent: QWidget,
    title: str,
    kinds: str,
    name: str,
    then: Callable[[str], object],
    folder: str = "",
) -> QFileDialog:
    """Opens a dialog for a file to write; ``then`` gets its path."""
    dialog = QFileDialog(parent, title, folder, kinds)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    if "." in name:
        plan = name.endswith(PLAN_ENDING)
        dialog.setDefaultSuffix(PLAN_ENDING[1:] if plan else name.rsplit(".", 1)[-1])
    dialog.selectFile(name)
    return _open(dialog, then)


def _ask_path(
    parent: QWidget, title: str, machine: str, then: Callable[[str], object]
) -> PathDialog:
    dialog = PathDialog(title, machine, parent)
    dialog.chosen.connect(then)
    dialog.open()
    return dialog


def _open(dialog: QFileDialog, then: Callable[[str], object]) -> QFileDialog:
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.fileSelected.connect(then)
    dialog.open()
    return dialog
