"""The pages of the help: the Markdown files of ``docs/``, as text. Knows no widget."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

HOME = "index.md"
_ENDING = ".md"
_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*$")
_ANCHOR = re.compile(r'<a id="([^"]+)"></a>$')
_MARKS = re.compile(r"[`*]|!?\[([^\]]*)\]\([^)]*\)")
_BULLETS = re.compile(r"^\s*(?:[-|]|\d+\.)\s*|[-| :]{4,}|\s\|", re.MULTILINE)
_NOT_IN_SLUGS = re.compile(r"[^\w\- ]")
_FENCE = "```"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what stands below it, up to the next heading of any level."""

    level: int
    title: str
    anchors: tuple[str, ...]
    """Those before the heading, and its own as GitHub makes it."""
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """One file: what is rendered, and its sections in order."""

    name: str
    """Of the file, such as ``search.md``."""
    markdown: str
    """Without the lines that only carry an anchor."""
    sections: tuple[Section, ...]

    @property
    def title(self) -> str:
        """Its first heading."""
        return self.sections[0].title if self.sections else self.name

    def heading_of(self, anchor: str) -> int | None:
        """Which of its headings an anchor leads to; ``_`` and ``-`` are the same in it."""
        wanted = anchor.replace("_", "-")
        for place, section in enumerate(self.sections):
            if any(one.replace("_", "-") == wanted for one in section.anchors):
                return place
        return None


@dataclass(frozen=True, slots=True)
class Hit:
    """A section in which words were found."""

    page: str
    title: str
    """Of the section, behind its page's where it is not the page's own."""
    anchor: str
    around: str
    """Some words around the first one found."""


@cache
def page_names() -> tuple[str, ...]:
    """Every page: the one that lists the others, then those in its order, then the rest."""
    names = sorted(one.name for one in files("memplanner.docs").iterdir())
    home = (files("memplanner.docs") / HOME).read_text("utf-8")

    def place(name: str) -> int:
        found = home.find(f"]({name})")
        return -1 if name == HOME else len(home) if found < 0 else found

    return tuple(sorted((name for name in names if name.endswith(_ENDING)), key=place))


def has_page(name: str) -> bool:
    """Whether there is such a page."""
    return name in page_names()


@cache
def page(name: str) -> Page:
    """The page of a name. Raises ``FileNotFoundError``."""
    return parse(name, (files("memplanner.docs") / name).read_text("utf-8"))


def parse(name: str, markdown: str) -> Page:
    """A page of some text."""
    kept: list[str] = []
    sections: list[Section] = []
    waiting: list[str] = []
    """Anchors of the next heading."""
    heading: tuple[int, str, tuple[str, ...]] | None = None
    body: list[str] = []
    fenced = False

    def end() -> None:
        if heading is not None:
            sections.append(Section(*heading, "\n".join(body).strip()))
        body.clear()

    for line in markdown.splitlines():
        if line.startswith(_FENCE):
            fenced = not fenced
        anchor = None if fenced else _ANCHOR.fullmatch(line)
        found = None if fenced else _HEADING.fullmatch(line)
        if anchor is not None:
            waiting.append(anchor[1])
            continue
        kept.append(line)
        if found is None:
            body.append(line)
            continue
        end()
        title = _MARKS.sub(lambda match: match[1] or "", found[2])
        heading = len(found[1]), title, (*waiting, slug(title))
        waiting.clear()
    end()
    return Page(name, "\n".join(kept) + "\n", tuple(sections))


def slug(title: str) -> str:
    """The anchor that GitHub gives a heading."""
    return _NOT_IN_SLUGS.sub("", title.lower()).replace(" ", "-")


def search(words: str, most: int = 60) -> list[Hit]:
    """The sections in which all of ``words`` are found, those with one in the heading first."""
    parts = words.casefold().split()
    if not parts:
        return []
    found: list[tuple[int, int, Hit]] = []
    for name in page_names():
        whole = page(name)
        for place, section in enumerate(whole.sections):
            title = section.title.casefold()
            plain = plain_text(section.text)
            text = f"{title} {plain.casefold()}"
            if not all(part in text for part in parts):
                continue
            shown = section.title if place == 0 else f"{whole.title}: {section.title}"
            in_title = sum(part in title for part in parts)
            hit = Hit(name, shown, section.anchors[-1], _around(plain, parts[0]))
            found.append((-in_title, len(found), hit))
    found.sort(key=lambda one: one[:2])
    return [hit for _, _, hit in found[:most]]


def plain_text(markdown: str) -> str:
    """Markdown without its marks, in one line."""
    words = _MARKS.sub(lambda match: match[1] or "", markdown)
    return " ".join(_BULLETS.sub(" ", words).split())


def _around(text: str, word: str, width: int = 48) -> str:
    at = text.casefold().find(word)
    if at < 0:
        return text[: 2 * width]
    start = max(0, at - width // 2)
    if start:
        start = text.find(" ", start, at) + 1 or start
    cut = text[start : at + len(word) + 2 * width]
    return f"{'…' if start else ''}{cut}{'…' if start + len(cut) < len(text) else ''}"
