"""Words have room: in the next line, in fewer words or in smaller ones; and so have lines."""

from __future__ import annotations

import pyqtgraph as pg
import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QFontMetrics, QImage, QPainter, QTextDocument
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from memplanner.plan import Plan
from memplanner.report.differences import Compared
from memplanner.units import GIB
from memplanner_ui.highlighter import Highlighter
from memplanner_ui.look import icons
from memplanner_ui.look import type as fonts
from memplanner_ui.look.theme import apply_theme
from memplanner_ui.look.wrapping import in_lines, parts_in_lines
from memplanner_ui.plan_panel import PlanPanel
from memplanner_ui.plan_panel.fields import WholeNumber
from memplanner_ui.plan_panel.refusals import hindrance, refusal
from memplanner_ui.plan_panel.rows import Choose, FieldRow
from memplanner_ui.views.compare import CompareView
from memplanner_ui.views.compare_list import Entry, PlanList
from memplanner_ui.views.history import HistoryView
from memplanner_ui.views.history_data import PastRuns
from memplanner_ui.views.notice import Fix, NoticeBar
from memplanner_ui.views.plain_curve import PlainCurve
from memplanner_ui.views.search_form import SearchForm
from memplanner_ui.views.verdict import Lines, Verdict, lines, painted_lines
from memplanner_ui.workspace import LAYERS, Workspace
from tests.ui import sample

WIDTH = 304 - 51 - 6
"""Pixels that the header's verdict has for its words."""
LONG_NAME = "8 bits, bitsandbytes, Every n-th block, In chunks"


@pytest.fixture(autouse=True)
def _light(qapp: QApplication) -> None:
    apply_theme(qapp, "light")


def at_risk(peak: float, memory: float, low: float, high: float) -> Lines:
    """What the verdict says of a plan whose figures are so many GiB."""
    made = sample.estimate()
    device = made.device.model_copy(update={"memory_bytes": round(memory * GIB)})
    sizes = {
        "device_bytes": round(peak * GIB),
        "device_low_bytes": round(low * GIB),
        "device_high_bytes": round(high * GIB),
    }
    update = {
        "verdict": "at_risk",
        "device": device,
        "peak": made.peak.model_copy(update=sizes),
        "spare_bytes": round((memory - peak) * GIB),
    }
    return lines(made.model_copy(update=update))


def whole(painted: str, width: float, role: fonts.Role) -> bool:
    return "…" not in painted and QFontMetrics(fonts.font(role)).horizontalAdvance(painted) <= width


@pytest.mark.parametrize("over", [0.9, 1.1, 12.4, 104.2])
def test_the_verdict_in_the_header_is_never_cut(over: float) -> None:
    said = at_risk(136.6, 139.8, 132.4, 139.8 + over)
    painted = painted_lines(said, WIDTH)
    for line in painted:
        assert whole(line.text, WIDTH, line.role), line
    assert painted[0].text.startswith("May not fit: up to")
    assert [line.text for line in painted[1:3]] == [said.at_peak, said.likely]
    assert said.verdict.endswith("at the high end"), "who hears it, or points at it, has it whole"


def test_the_verdict_has_its_own_words_where_there_is_room() -> None:
    said = at_risk(75.3, 79.6, 74.6, 80.4)
    painted = painted_lines(said, 600)
    assert [line.text for line in painted] == [said.verdict, said.peak, said.place]
    assert painted[0].role == "verdict"


def test_a_long_place_of_the_peak_goes_on_in_the_next_line(qtbot: QtBot) -> None:
    made = sample.estimate().model_copy(update={"host_bytes": 44 * GIB})
    painted = painted_lines(lines(made), WIDTH)
    assert " ".join(line.text for line in painted if line.ink == "text3") == lines(made).place
    verdict = Verdict()
    qtbot.addWidget(verdict)
    verdict.resize(verdict.sizeHint())
    verdict.set_estimate(made)
    assert verdict.grab().height() == verdict.sizeHint().height()


def test_a_names_parts_stay_together_while_there_is_room() -> None:
    font = fonts.font("body")
    width = QFontMetrics(font).horizontalAdvance("8 bits, bitsandbytes, Every n-th")
    found = parts_in_lines(LONG_NAME, font, width, 2)
    assert found == ["8 bits, bitsandbytes,", "Every n-th block, In chunks"]
    assert in_lines(LONG_NAME, font, width, 2)[0] == "8 bits, bitsandbytes, Every n-th"
    long_part = "a name that somebody gave it and that has no comma in it"
    assert parts_in_lines(long_part, font, width, 2) == in_lines(long_part, font, width, 2)
    assert in_lines("", font, width, 2) == []


def test_names_of_plans_are_whole_in_the_list_and_on_the_cards(qtbot: QtBot) -> None:
    plans = PlanList()
    qtbot.addWidget(plans)
    plans.resize(304, 400)
    plans.show_entries([Entry("", "new plan", "this plan"), Entry("a", LONG_NAME, "kept today")])
    plans.show()
    qtbot.waitExposed(plans)
    one_line, two_lines = (plans.visualItemRect(plans.item(row)).height() for row in range(2))
    assert two_lines > one_line
    view = CompareView()
    qtbot.addWidget(view)
    view.resize(1100, 640)
    first = sample.estimate()
    view.show_plans((Compared("new plan", first), Compared(LONG_NAME, first)), 0, 0)
    view.resize(800, 640)
    view.show()
    qtbot.waitExposed(view)
    shown = [one for one in view.cards.findChildren(QLabel) if one.toolTip() == LONG_NAME]
    (name,) = shown
    assert name.text().replace("\n", " ") == LONG_NAME
    assert name.height() >= name.fontMetrics().lineSpacing() * len(name.text().split("\n"))
    for line in name.text().split("\n"):
        assert name.fontMetrics().horizontalAdvance(line) <= name.width()
    header = view.table.horizontalHeaderItem(2)
    assert header is not None
    assert (header.text(), header.toolTip()) == ("B", LONG_NAME)


def test_six_digits_have_room_in_a_field_of_the_plan(qtbot: QtBot) -> None:
    panel = PlanPanel()
    qtbot.addWidget(panel)
    plan = Plan().with_values({"training.sequence_length": 131072})
    panel.resize(304, 900)
    panel.show_plan(plan, plan)
    panel.show()
    row = panel.sections()["training"].rows["training.sequence_length"]
    assert isinstance(row, FieldRow)
    field = row.field
    assert isinstance(field, WholeNumber)
    room = field.lineEdit().width() - 4  # Qt's own margins
    assert room >= field.fontMetrics().horizontalAdvance("131072")


def test_what_is_ruled_out_says_by_what_in_words_that_fit(qtbot: QtBot) -> None:
    plan = Plan().with_values({"optimizer.implementation": "bitsandbytes_8bit"})
    panel = PlanPanel()
    qtbot.addWidget(panel)
    panel.resize(304, 1600)
    panel.show_plan(plan, Plan())
    panel.show()
    for name in ("sgd", "adafactor", "lion"):
        rows = panel.sections()["optimizer"].rows["optimizer.name"]
        assert isinstance(rows, Choose)
        badge = rows.badge(name)
        assert badge is not None
        assert "…" not in badge.text()
        assert "not with 8 bits" in badge.text()
        assert badge.toolTip() == refusal(plan, "optimizer.name", name)
        badge.resize(QSize(80, badge.height()))
        assert "not possible" in badge.text()


def test_the_choice_in_the_way_is_named_where_it_is_one_alone() -> None:
    plan = Plan().with_values({"optimizer.name": "sgd"})
    assert hindrance(plan, "optimizer.implementation", "torchao_8bit") == "SGD"
    assert hindrance(Plan(), "optimizer.name", "sgd") == ""


@pytest.mark.parametrize("height", [700, 420, 300])
def test_a_notice_in_a_low_window_is_scrolled_and_never_squeezed(qtbot: QtBot, height: int) -> None:
    page, notice, below = QWidget(), NoticeBar(), QWidget()
    qtbot.addWidget(page)
    below.setMinimumHeight(200)
    column = QVBoxLayout(page)
    column.addWidget(notice)
    column.addWidget(below, 1)
    fixes = [Fix(f"Change {one}\nso much to spare", "−3 GiB", "Choose", int) for one in range(5)]
    notice.show_notice("info", "The plan does not fit.", "The smallest changes:", fixes)
    page.resize(700, height)
    page.show()
    qtbot.waitExposed(page)
    for label in notice.findChildren(QLabel):
        assert label.height() >= label.fontMetrics().height(), label.text()
    assert below.geometry().top() > notice.geometry().bottom()
    assert page.rect().contains(below.geometry())


def test_a_notice_has_the_room_that_the_view_below_can_spare(qtbot: QtBot) -> None:
    workspace = Workspace()
    qtbot.addWidget(workspace)
    workspace.resize(760, 536)  # of a screen of 1366 by 768
    workspace.show()
    qtbot.waitExposed(workspace)
    fixes = [Fix(f"Change {one}\nso much to spare", "−3 GiB", "Choose", int) for one in range(4)]
    notice = workspace.notice
    notice.show_notice("info", "The plan does not fit.", "The smallest changes:", fixes)
    workspace.show_view(LAYERS)
    card_height = notice.sizeHint().height()
    qtbot.waitUntil(lambda: notice.height() == card_height)
    assert workspace.views.height() >= workspace.layers.tree.minimumSizeHint().height()


def test_an_icon_keeps_away_from_its_words_and_is_centred_without() -> None:
    with_words, alone = QPushButton("Copy"), QPushButton()
    icons.set_icon(with_words, "copy")
    icons.set_icon(alone, "copy")
    assert with_words.iconSize().width() > with_words.iconSize().height()
    drawn = with_words.icon().pixmap(with_words.iconSize()).toImage()
    ends = [x for x in range(drawn.width()) if _inked(drawn, x)]
    assert max(ends) < with_words.iconSize().height()
    assert alone.icon().availableSizes()[0] == QSize(icons.SIZE, icons.SIZE)


def test_lines_of_plots_are_as_strong_where_pixels_are_half_as_large(qtbot: QtBot) -> None:
    curve = PlainCurve(antialias=False)
    curve.setData([0.0, 10.0], [5.0, 5.0])
    curve.setPen(pg.mkPen("#000000", width=1))
    for ratio in (1, 2):
        image = QImage(10 * ratio, 10 * ratio, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(ratio)
        image.fill("#ffffff")
        painter = QPainter(image)
        curve.paint(painter, None, None)
        painter.end()
        dark = [y for y in range(image.height()) if image.pixelColor(5 * ratio, y).value() < 128]
        assert len(dark) == ratio


def test_a_text_of_several_lines_in_exported_python_is_one_colour(qtbot: QtBot) -> None:

    document = QTextDocument(
        '"""Train as planned\nwith 8 of them.\n"""\nimport sys\nx = """a""" or 1'
    )
    highlighter = Highlighter(document)
    highlighter.set_file_name("train.py")
    colors = []
    block = document.firstBlock()
    while block.isValid():
        colors.append({one.format.foreground().color().name() for one in block.layout().formats()})
        block = block.next()
    assert len(colors[0]) == 1
    assert colors[0] == colors[1] == colors[2]
    assert colors[3].isdisjoint(colors[0])
    assert len(colors[4]) == 3, "the text, a word of the language and a number"


def _inked(image: QImage, x: int) -> bool:
    return any(image.pixelColor(x, y).alpha() > 64 for y in range(image.height()))


def test_what_is_measured_elsewhere_is_said_to_be_there(qtbot: QtBot) -> None:
    history = HistoryView()
    qtbot.addWidget(history)
    history.show_past(PastRuns(), None, "gpu-box")
    assert history.empty.text().startswith("gpu-box keeps no runs yet.")
    assert "this machine" not in history.empty.text()
    history.show_past(PastRuns(), None)
    assert "on this machine" in history.empty.text()
    form = SearchForm()
    qtbot.addWidget(form)
    processor = sample.card(0, 64 * GIB).model_copy(update={"kind": "cpu", "name": "CPU"})
    form.show_device(processor, "gpu-box")
    assert form.where.itemText(0).startswith("gpu-box, ")
    form.show_device(processor)
    assert form.where.itemText(0).startswith("this machine, ")
