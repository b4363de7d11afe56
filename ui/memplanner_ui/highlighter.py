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


class Highlighter(QSyntaxHighlighter):
    """Highlights by a file's ending; a text of another kind stays plain."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        self._rules: list[tuple[re.Pattern[str], str]] = []
        theme.current().changed.connect(self.rehighlight)

    def set_file_name(self, name: str) -> None:
        """Chooses the rules."""
        rules = _RULES.get(name.rsplit(".", 1)[-1], ())
        self._rules = [(re.compile(pattern), color) for pattern, color in rules]
        self.rehighlight()

    def highlightBlock(self, text: str) -> None:
        for pattern, name in self._rules:
            ink = QTextCharFormat()
            ink.setForeground(QColor(theme.current().color(name)))
            for match in pattern.finditer(text):
                self.setFormat(match.start(), match.end() - match.start(), ink)
