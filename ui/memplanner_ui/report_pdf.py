"""The report on paper: a text document whose pictures are painted as vectors, printed to PDF."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import (
    QByteArray,
    QIODevice,
    QMarginsF,
    QObject,
    QRect,
    QRectF,
    QSaveFile,
    QSizeF,
)
from PySide6.QtGui import (
    QFont,
    QPageLayout,
    QPageSize,
    QPainter,
    QPdfWriter,
    QPyTextObject,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
)
from PySide6.QtSvg import QSvgRenderer

from memplanner.report import page

_PICTURE = QTextFormat.ObjectTypes.UserObject + 1
_SVG = QTextFormat.Property.UserProperty + 1
_MARGIN_MM = 16.0
_POINTS = 8.5
_OBJECT = "\N{OBJECT REPLACEMENT CHARACTER}"


class _Pictures(QPyTextObject):
    """Paints SVG as wide as the page."""

    def __init__(self, width: float, parent: QObject) -> None:
        super().__init__(parent)
        self._width = width

    def intrinsicSize(self, doc: QTextDocument, position: int, kind: QTextFormat) -> QSizeF:
        size = _renderer(kind).defaultSize()
        return QSizeF(self._width, self._width * size.height() / max(1, size.width()))

    def drawObject(
        self,
        painter: QPainter,
        rect: QRectF | QRect,
        doc: QTextDocument,
        position: int,
        kind: QTextFormat,
    ) -> None:
        _renderer(kind).render(painter, QRectF(rect))


def _renderer(kind: QTextFormat) -> QSvgRenderer:
    return QSvgRenderer(QByteArray(str(kind.property(_SVG)).encode()))


def write_pdf(report: page.Report, path: Path) -> None:
    """Writes the report as A4 pages, whole or not at all. Raises ``OSError``."""
    file = QSaveFile(str(path))
    if not file.open(QIODevice.OpenModeFlag.WriteOnly):
        raise OSError(0, file.errorString(), str(path))
    writer = QPdfWriter(file)
    writer.setTitle(f"{report.estimate.model.name} on {report.estimate.device.name}")
    writer.setCreator("memplanner")
    writer.setResolution(300)
    margins = QMarginsF(_MARGIN_MM, _MARGIN_MM, _MARGIN_MM, _MARGIN_MM)
    layout = QPageLayout(
        QPageSize(QPageSize.PageSizeId.A4),
        QPageLayout.Orientation.Portrait,
        margins,
        QPageLayout.Unit.Millimeter,
    )
    writer.setPageLayout(layout)
    document = text_document(report, QSizeF(layout.paintRectPoints().size()))
    document.print_(writer)
    if not file.commit():
        raise OSError(0, file.errorString(), str(path))


def text_document(report: page.Report, size: QSizeF) -> QTextDocument:
    """The report laid out for pages of ``size`` points."""
    pictures: list[str] = []
    text = page.paper(report, pictures)
    document = QTextDocument()
    font = QFont()
    font.setPointSizeF(_POINTS)
    document.setDefaultFont(font)
    document.setDocumentMargin(0)
    document.setPageSize(size)
    document.documentLayout().registerHandler(_PICTURE, _Pictures(size.width(), document))
    document.setHtml(text)
    for number, svg in enumerate(pictures):
        found = document.find(f"[picture:{number}]")
        if not found.isNull():
            _insert(found, svg)
    return document


def _insert(cursor: QTextCursor, svg: str) -> None:
    picture = QTextCharFormat()
    picture.setObjectType(_PICTURE)
    picture.setProperty(_SVG, svg)
    cursor.insertText(_OBJECT, picture)
