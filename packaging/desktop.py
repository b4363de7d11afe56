"""What tells a desktop of the program: its entry, its description, its types of files, its icon."""

from __future__ import annotations

import shutil
from pathlib import Path

from PySide6.QtCore import QByteArray, Qt
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

PACKAGING = Path(__file__).resolve().parent
DRAWING = PACKAGING.parent / "resources" / "icons" / "app.svg"
ICON_SIZES = (16, 22, 24, 32, 48, 64, 128, 256, 512)
"""Those that the hicolor theme has folders for, in pixels."""


def lay_out_for_desktop(share: Path) -> None:
    """Puts the files below ``share``, which is ``/usr/share`` or a user's ``~/.local/share``."""
    for name, place in (
        ("memplanner.desktop", "applications/memplanner.desktop"),
        ("memplanner.metainfo.xml", "metainfo/memplanner.metainfo.xml"),
        ("memplanner-mime.xml", "mime/packages/memplanner.xml"),
    ):
        _copy(PACKAGING / name, share / place)
    icons = share / "icons" / "hicolor"
    _copy(DRAWING, icons / "scalable" / "apps" / "memplanner.svg")
    for size in ICON_SIZES:
        target = icons / f"{size}x{size}" / "apps" / "memplanner.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        if not drawn(size).save(str(target)):
            raise OSError(f"{target} could not be written")


def drawn(size: int) -> QImage:
    """The icon, ``size`` pixels wide and high."""
    image = QImage(size, size, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    QSvgRenderer(QByteArray(DRAWING.read_bytes())).render(painter)
    painter.end()
    return image


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
