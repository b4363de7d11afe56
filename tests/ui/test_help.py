"""Help: every topic has its page, links lead somewhere, and the window finds what has the focus."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QTextDocument
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from memplanner.plan import Plan
from memplanner.plan.section import Section
from memplanner_ui.help import topics
from memplanner_ui.help.pages import HOME, page, page_names, parse, search, slug
from memplanner_ui.help.rendering import anchor_name, render
from memplanner_ui.help.window import HelpWindow
from memplanner_ui.main_window import MainWindow
from memplanner_ui.workspace import SEARCH
from tests.report.test_explained import TIME
from tests.ui import sample

DOCS = Path(__file__).parents[2] / "docs"
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
SECTIONS = [
    name
    for name, field in Plan.model_fields.items()
    if name == "precision"
    or (isinstance(field.annotation, type) and issubclass(field.annotation, Section))
]


def leads_somewhere(place: str, of: str = HOME) -> bool:
    """Whether a page has what a link in page ``of`` names."""
    name, _, anchor = place.partition("#")
    shown = page(name or of) if (name or of) in page_names() else None
    return shown is not None and (not anchor or shown.heading_of(anchor) is not None)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_of_the_plan_has_a_page(section: str) -> None:
    assert leads_somewhere(topics.of_section(section))


def test_every_view_and_part_of_the_window_has_a_page(opened: MainWindow) -> None:
    tabs = opened.workspace.tabs
    views = [str(tabs.tabData(place)) for place in range(tabs.count())]
    assert len(views) >= 9
    for view in views:
        assert view in topics.VIEWS
        assert leads_somewhere(topics.of_view(view))
    parts = (topics.START, topics.HEADER, topics.PLAN, topics.PALETTE)
    assert all(leads_somewhere(part) for part in parts)
    topic = opened.help.topic
    rows = opened.left.plan.sections()["optimizer"].rows["optimizer.name"]
    assert topic(rows) == topics.of_section("optimizer")
    assert topic(opened.left.plan) == topics.PLAN
    assert topic(opened.header.verdict) == topics.HEADER
    opened.workspace.show_view(SEARCH)
    assert topic(None) == topics.of_view(SEARCH)
    opened.actions_["help"].trigger()
    assert opened.help.help.isVisible()
    opened.help.help.close()


@pytest.mark.parametrize("name", page_names())
def test_links_between_pages_lead_somewhere(name: str) -> None:
    for link in _LINK.findall(page(name).markdown):
        if link.startswith("../"):
            assert (DOCS / link).exists(), f"{link} is no file of the project"
        elif not link.startswith("http"):
            assert leads_somewhere(link, name), f"{link} leads nowhere"


def test_the_first_page_lists_every_other() -> None:
    listed = set(_LINK.findall(page(HOME).markdown))
    assert listed == set(page_names()) - {HOME}
    assert page_names()[0] == HOME


def test_what_explanations_name_is_there() -> None:
    from memplanner.report.explained import cost, explanations

    estimate = sample.estimate().model_copy(update={"time": TIME, "host_bytes": 1})
    told = [*explanations(estimate), cost.of_step(TIME)]
    assert all(leads_somewhere(one.page) for one in told)


@pytest.mark.parametrize("name", ["techniques.md", "how-a-number-is-made.md"])
def test_rendered_headings_are_the_sections_and_can_be_gone_to(qapp: object, name: str) -> None:
    shown, document = page(name), QTextDocument()
    render(shown, document)
    found = []
    block = document.begin()
    while block.isValid():
        if block.blockFormat().headingLevel():
            names = block.begin().fragment().charFormat().anchorNames()
            found.append((block.text(), *names))
        block = block.next()
    assert found == [
        (section.title, anchor_name(place)) for place, section in enumerate(shown.sections)
    ]


def test_an_anchor_before_a_heading_is_one_of_its_own_and_not_shown() -> None:
    text = '# A\n\n<a id="my_b"></a>\n## B `c`, d\n\n```\n# no heading\n```\n'
    shown = parse("x.md", text)
    assert [section.title for section in shown.sections] == ["A", "B c, d"]
    assert shown.heading_of("my-b") == shown.heading_of("b-c-d") == 1
    assert "<a id" not in shown.markdown
    assert slug("8. What a card shows") == "8-what-a-card-shows"


def test_a_search_finds_sections_with_all_words_and_headings_first() -> None:
    hits = search("activation offload")
    assert hits[0].anchor == "activation-offload"
    assert all(leads_somewhere(f"{hit.page}#{hit.anchor}") for hit in hits)
    assert search("zzqqxx") == []


def test_pages_are_gone_back_to_and_the_web_is_asked_for(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = QWidget()
    qtbot.addWidget(owner)
    window = HelpWindow(owner)
    window.show_page(HOME)
    window.follow(QUrl("techniques.md#pruning"))
    assert window.place == "techniques.md#pruning"
    window.follow(QUrl("#distillation"))
    assert window.place == "techniques.md#distillation"
    window.back.click()
    window.back.click()
    assert window.place == HOME
    assert not window.back.isEnabled()
    window.forward.click()
    assert window.place == "techniques.md#pruning"
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    window.follow(QUrl("https://arxiv.org/abs/2106.09685"))
    assert not opened
    assert window.address.whole == "https://arxiv.org/abs/2106.09685"
    window.open_web.click()
    assert opened == ["https://arxiv.org/abs/2106.09685"]
    window.follow(QUrl("../README.md"))  # which is not installed
    assert window.address.whole == "README.md"
    assert not window.open_web.isVisibleTo(window)
    window.field.setText("galore")
    assert window.contents.places()[0].startswith("techniques.md#")
    window.contents.choose_first()
    assert window.place == window.contents.places()[0]
    window.field.clear()
    assert window.contents.places() == list(page_names())
