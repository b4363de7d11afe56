"""A page as a rich-text document: Markdown, then anchors and the theme's looks put on it."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtGui import (
    QBrush,
    QFont,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextFrameFormat,
    QTextTable,
)

from memplanner_ui.help.pages import Page
from memplanner_ui.look import theme
from memplanner_ui.look import type as fonts

_HEADINGS = {1: 19.0, 2: 15.0, 3: 13.0}
_HEADING_LEAST = 12.5
_ABOVE = {1: 4.0, 2: 20.0}
_LINE = 128
"""Per cent of a line's height."""


def anchor_name(heading: int) -> str:
    """What a heading is called inside a rendered page."""
    return f"heading-{heading}"


def render(page: Page, document: QTextDocument) -> None:
    """Fills ``document`` with a page, in the theme's colours and at the system's text size."""
    document.clear()
    document.setDefaultFont(fonts.font("body"))
    document.setMarkdown(page.markdown, QTextDocument.MarkdownFeature.MarkdownDialectGitHub)
    document.setDocumentMargin(fonts.scaled(18))
    heading = 0
    for block in list(_blocks(document)):
        level = block.blockFormat().headingLevel()
        if level:
            _dress_heading(block, level, anchor_name(heading))
            heading += 1
        elif _is_code(block):
            _dress_code(block)
        else:
            _dress_text(block)
    for frame in document.rootFrame().childFrames():
        if isinstance(frame, QTextTable):
            _dress_table(frame)


def _blocks(document: QTextDocument) -> Iterator[QTextBlock]:
    block = document.begin()
    while block.isValid():
        yield block
        block = block.next()


def _is_code(block: QTextBlock) -> bool:
    kind = block.blockFormat()
    return bool(
        kind.hasProperty(QTextFormat.Property.BlockCodeFence)
        or kind.hasProperty(QTextFormat.Property.BlockCodeLanguage)
    )


def _dress_heading(block: QTextBlock, level: int, name: str) -> None:
    cursor = QTextCursor(block)
    cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
    looks = QTextCharFormat()
    size = _HEADINGS.get(level, _HEADING_LEAST) / fonts.BODY
    looks.setFontPointSize(fonts.font("body").pointSizeF() * size)
    looks.setFontWeight(QFont.Weight.DemiBold)
    looks.setForeground(theme.current().color("text"))
    cursor.mergeCharFormat(looks)
    first = QTextCursor(block)
    first.movePosition(QTextCursor.MoveOperation.NextCharacter, QTextCursor.MoveMode.KeepAnchor)
    anchor = QTextCharFormat()
    anchor.setAnchor(True)
    anchor.setAnchorNames([name])
    first.mergeCharFormat(anchor)
    space = block.blockFormat()
    space.setTopMargin(fonts.scaled(_ABOVE.get(level, 14.0)))
    space.setBottomMargin(fonts.scaled(6))
    QTextCursor(block).setBlockFormat(space)


def _dress_code(block: QTextBlock) -> None:
    colors = theme.current()
    kind = block.blockFormat()
    kind.setBackground(colors.color("hover"))
    kind.setNonBreakableLines(False)
    kind.setLeftMargin(0)
    after = block.next()
    last = not (after.isValid() and _is_code(after))
    kind.setBottomMargin(fonts.scaled(10 if last else 0))
    QTextCursor(block).setBlockFormat(kind)
    _set_font(block, only_fixed=False)


def _dress_text(block: QTextBlock) -> None:
    kind = block.blockFormat()
    kind.setLineHeight(_LINE, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
    if block.textList() is None and QTextCursor(block).currentTable() is None:
        kind.setBottomMargin(fonts.scaled(8))
        kind.setTopMargin(0)
    QTextCursor(block).setBlockFormat(kind)
    _set_font(block, only_fixed=True)


def _set_font(block: QTextBlock, *, only_fixed: bool) -> None:
    """Code in the window's own monospace font, on a ground of its own; links in the accent."""
    colors = theme.current()
    mono = fonts.font("mono")
    places = []
    it = block.begin()
    while not it.atEnd():
        fragment = it.fragment()
        format_ = fragment.charFormat()
        fixed = format_.fontFixedPitch() or not only_fixed
        places.append((fragment.position(), fragment.length(), fixed, format_.isAnchor()))
        it += 1
    for start, length, fixed, link in places:
        looks = QTextCharFormat()
        if fixed:
            looks.setFontFamilies([mono.family()])
            looks.setFontPointSize(mono.pointSizeF())
            if only_fixed:
                looks.setBackground(QBrush(colors.color("hover")))
        looks.setForeground(colors.color("accent" if link else "text"))
        cursor = QTextCursor(block.document())
        cursor.setPosition(start)
        cursor.setPosition(start + length, QTextCursor.MoveMode.KeepAnchor)
        cursor.mergeCharFormat(looks)


def _dress_table(table: QTextTable) -> None:
    colors = theme.current()
    looks = table.format()
    looks.setBorder(1)
    looks.setBorderBrush(QBrush(colors.color("border")))
    looks.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
    looks.setBorderCollapse(True)
    looks.setCellSpacing(0)
    looks.setCellPadding(fonts.scaled(5))
    looks.setTopMargin(fonts.scaled(4))
    looks.setBottomMargin(fonts.scaled(12))
    table.setFormat(looks)
    for column in range(table.columns()):
        cell = table.cellAt(0, column)
        head = cell.format()
        head.setBackground(colors.color("panel"))
        cell.setFormat(head)
