"""What is said of one figure, and the same as text."""

from __future__ import annotations

from dataclasses import dataclass

MADE, SEARCHED, SHARDED = "how-a-number-is-made.md", "search.md", "sharding.md"
"""Pages of ``docs/`` that tell more."""


@dataclass(frozen=True, slots=True)
class Row:
    """A part of a figure, or what it follows from; ``note`` is where it is from."""

    title: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """How one figure was made."""

    title: str
    """What the figure is of."""
    figure: str
    """As it is shown."""
    how: str
    """Recorded, measured or computed, in sentences."""
    rows: tuple[Row, ...] = ()
    margin: str = ""
    """Low, expected and high, or that there is no margin, and why."""
    sources: tuple[str, ...] = ()
    page: str = MADE
    """The page that tells more, with an anchor."""

    @property
    def heading(self) -> str:
        """Such as ``Optimizer state: 5.0 GiB``."""
        return f"{self.title}: {self.figure}" if self.figure else self.title

    def text(self) -> str:
        """All of it as plain text: what is copied, and what a terminal prints."""
        lines = [self.heading, self.how]
        width = max((len(row.title) for row in self.rows), default=0)
        size = max((len(row.value) for row in self.rows), default=0)
        for row in self.rows:
            line = f"  {row.title.ljust(width)}  {row.value.rjust(size)}"
            lines.append(f"{line}  {row.note}" if row.note else line)
        if self.margin:
            lines.append(f"Margin: {self.margin}")
        lines += [f"Source: {source}" for source in self.sources]
        return "\n".join(lines)


def as_text(explanations: tuple[Explanation, ...]) -> str:
    """Several below each other, with an empty line between."""
    return "\n\n".join(one.text() for one in explanations)


def sentence(words: str) -> str:
    """``words`` with a capital at the beginning and a full stop at the end."""
    words = words.strip()
    return f"{words[:1].upper()}{words[1:].rstrip('.')}." if words else ""
