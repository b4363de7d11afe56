"""Colours for exported text: YAML, JSON and Python, lightly."""

from __future__ import annotations

import re

from PySide6.QtGui import QColor, QSyntaxHighlighter, QTextCharFormat, QTextDocument

from memplanner_ui.look import theme

_NUMBER = r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w.])"
_RULES: dict[str, tuple[tuple[str, str], ...]] = {
    "yaml": (
        (r"^\s*(?:- )?[\w.\-]+(?=:)", "accent"),
        (_NUMBER, "parameters"),
        (r"\b(?:true|false|null)\b", "fits"),
        (r"(?:^|\s)#.*$", "text3"),
    ),
    "json": (
        (r'"[^"]*"(?=\s*:)', "accent"),
        (_NUMBER, "parameters"),
        (r"\b(?:true|false|null)\b", "fits"),
    ),
    "py": (
        (
            r"\b(?:and|as|assert|class|def|elif|else|except|False|finally|for|from|if|import|in|"
            r"is|lambda|None|not|or|pass|raise|return|True|try|while|with|yield)\b",
            "accent",
        ),
        (_NUMBER, "parameters"),
        (r"\"[^\"]*\"|'[^']*'", "fits"),
        (r"#.*$", "text3"),
    ),
}
_RULES["yml"] = _RULES["yaml"]
_QUOTES, _TEXT_INK = '"""', "fits"
"""What begins and ends a text of several lines, and its colour."""
_OUTSIDE, _INSIDE = -1, 1
"""States of a line of Python: whether it ends within such a text."""


class Highlighter(QSyntaxHighlighter):
    """Highlights by a file's ending; a text of another kind stays plain."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        self._rules: list[tuple[re.Pattern[str], str]] = []
        self._is_python = False
        theme.current().changed.connect(self.rehighlight)

    def set_file_name(self, name: str) -> None:
        """Chooses the rules."""
        kind = name.rsplit(".", 1)[-1]
        self._is_python, rules = kind == "py", _RULES.get(kind, ())
        self._rules = [(re.compile(pattern), color) for pattern, color in rules]
        self.rehighlight()

    def highlightBlock(self, text: str) -> None:
        for pattern, name in self._rules:
            ink = QTextCharFormat()
            ink.setForeground(QColor(theme.current().color(name)))
            for match in pattern.finditer(text):
                self.setFormat(match.start(), match.end() - match.start(), ink)
        if self._is_python:
            self._paint_long_text(text)

    def _paint_long_text(self, text: str) -> None:
        ink = QTextCharFormat()
        ink.setForeground(QColor(theme.current().color(_TEXT_INK)))
        inside, at = self.previousBlockState() == _INSIDE, 0
        while inside or (at := text.find(_QUOTES, at)) >= 0:
            end = text.find(_QUOTES, at if inside else at + len(_QUOTES))
            stop = len(text) if end < 0 else end + len(_QUOTES)
            self.setFormat(at, stop - at, ink)
            inside, at = end < 0, stop
            if inside:
                break
        self.setCurrentBlockState(_INSIDE if inside else _OUTSIDE)
