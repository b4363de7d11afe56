"""The window in Simplified Chinese, back in English, and laid out from right to left."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QFontMetrics, QImage
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QDialog,
    QDockWidget,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QRadioButton,
    QTabBar,
    QTableView,
    QTreeView,
    QWidget,
)
from pytestqt.qtbot import QtBot

from memplanner.units import GIB
from memplanner_ui.export_dialog import ExportDialog
from memplanner_ui.keys_dialog import KeysDialog
from memplanner_ui.language import install, plural, summary_of_plan, translate
from memplanner_ui.look.direction import isolated, placed
from memplanner_ui.main_window import MainWindow
from memplanner_ui.open_dialog import OpenDialog
from memplanner_ui.plan_panel.fields import Names
from memplanner_ui.plan_panel.form import sections_of
from memplanner_ui.settings import SettingsFile
from memplanner_ui.views import search_words
from memplanner_ui.views.budget_bar import BudgetBar
from memplanner_ui.views.icicle_data import ALL, Frame, Icicle
from memplanner_ui.views.icicle_map import IcicleMap
from memplanner_ui.views.layer_table import LayerTable
from memplanner_ui.views.rows import ElidedLabel
from memplanner_ui.views.run_charts import PeakChart
from memplanner_ui.views.stacked_bar import StackedBar
from memplanner_ui.views.timeline_plot import TimelinePlot
from memplanner_ui.workspace import LAYERS, LIVE, SEARCH, SENSITIVITY, TIMELINE
from tests.ui import sample, timeline_sample
from tests.ui.acting import edit

FILE = Path(__file__).parents[2] / "ui/memplanner_ui/translations/memplanner_zh_CN.ts"
CHINESE = re.compile("[\u4e00-\u9fff]")
VIEWS = (
    "layers", "timeline", "icicle", "live", "search", "sensitivity", "compare", "ranks", "history",
)  # fmt: skip


def _forget_words() -> None:
    """Words that are made once: the language is chosen before the first window."""
    sections_of.cache_clear()
    search_words._sections.cache_clear()
    search_words.option_of.cache_clear()


@pytest.fixture
def chinese(qapp: QApplication) -> Iterator[None]:
    assert install(qapp, "zh_CN") == "zh_CN"
    _forget_words()
    yield
    assert install(qapp, "en") == "en"
    _forget_words()


@pytest.fixture
def from_right(qapp: QApplication) -> Iterator[None]:
    qapp.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    yield
    qapp.setLayoutDirection(Qt.LayoutDirection.LeftToRight)


def english_words() -> frozenset[str]:
    """Every text that has other words in Chinese, whatever it is the name of."""
    found, kept = set(), set()
    for message in ElementTree.parse(FILE).iter("message"):  # noqa: S314  # our own file
        source, translation = message.findtext("source", ""), message.find("translation")
        assert translation is not None
        texts = {translation.text, *(form.text for form in translation.iter("numerusform"))}
        (kept if source in texts or "{" in source else found).add(source)
    return frozenset(found - kept)


def said_by(widget: QWidget) -> Iterator[str]:
    """The words of a widget: shown, told in a tool tip, or to a screen reader."""
    yield from (widget.toolTip(), widget.accessibleName(), widget.accessibleDescription())
    match widget:
        case ElidedLabel():
            yield widget.whole
        case QAbstractButton() | QLabel():
            yield widget.text()
        case QLineEdit():
            yield widget.placeholderText()
        case QTabBar():
            yield from (widget.tabText(place) for place in range(widget.count()))
        case QMenu():
            for action in widget.actions():
                yield from (action.text().replace("&", "").partition("\t")[0], action.toolTip())
        case QDockWidget() | QDialog():
            yield widget.windowTitle()
        case QHeaderView():
            model = widget.model()
            if model is not None and widget.orientation() == Qt.Orientation.Horizontal:
                for place in range(widget.count()):
                    yield str(model.headerData(place, Qt.Orientation.Horizontal) or "").strip()


def _is_a_name(widget: QWidget) -> bool:
    """Whether it shows what the user named: a module, an operation of torch."""
    above = widget.parentWidget()
    return above is not None and isinstance(above.parentWidget(), Names)


def spoken(window: QWidget) -> Iterator[tuple[QWidget, str]]:
    for widget in (window, *window.findChildren(QWidget)):
        if isinstance(widget.parentWidget(), QWidget) and _is_a_name(widget):
            continue
        for words in said_by(widget):
            for line in words.splitlines():
                yield widget, line.strip()


def show_all(qtbot: QtBot, window: MainWindow) -> Iterator[str]:
    """Opens each view in turn."""
    for view in VIEWS:
        window.workspace.show_view(view)
        qtbot.wait(20)
        yield view


@pytest.fixture
def sharded(qtbot: QtBot, opened: MainWindow) -> MainWindow:
    """A plan that has something to say in every view."""
    edit(qtbot, opened, "training.gradient_accumulation_steps", 4)
    return opened


def test_every_view_speaks_chinese_and_nothing_english_that_has_words(
    qtbot: QtBot, chinese: None, sharded: MainWindow
) -> None:
    english = english_words()
    assert "Optimizer state" in english
    sharded.left.plan.fold_all(False)
    for view in show_all(qtbot, sharded):
        heard = list(spoken(sharded))
        left = {(type(w).__name__, words) for w, words in heard if words in english}
        assert not left, view
        assert sum(bool(CHINESE.search(words)) for _, words in heard) > 300


def test_menus_tabs_and_the_plan_are_in_chinese(chinese: None, sharded: MainWindow) -> None:
    titles = [menu.title().replace("&", "") for menu in sharded.menus.values()]
    assert titles == ["文件", "编辑", "视图", "模型", "方案", "运行", "窗口", "帮助"]
    tabs = sharded.workspace.tabs
    assert [tabs.tabText(place) for place in (0, 1, 3)] == ["层", "时间线", "实时"]
    forms = sharded.left.plan.sections()
    assert forms["activation_checkpointing"].form.title == "激活重计算（检查点）"
    assert forms["adapters"].form.options[1].title == "秩"
    assert "放" in sharded.header.verdict.text
    assert sharded.actions_["undo"].text().startswith("撤销：")


def test_dialogs_and_the_palette_are_in_chinese(
    qtbot: QtBot, chinese: None, sharded: MainWindow
) -> None:
    english = english_words()
    for dialog in (
        ExportDialog(sharded.session, sharded),
        KeysDialog(sharded.shortcuts, sharded),
        OpenDialog(sharded),
    ):
        dialog.show()
        qtbot.wait(50)
        heard = list(spoken(dialog))
        assert not {words for _, words in heard if words in english}, type(dialog)
        assert any(CHINESE.search(words) for _, words in heard)
        dialog.close()
    for entry in sharded.commands.entries():
        if entry.kind in ("command", "option"):
            assert entry.text not in english
            assert entry.detail.partition("   ")[0] not in english or entry.kind == "option"


def test_no_word_is_cut_in_chinese(qtbot: QtBot, chinese: None, sharded: MainWindow) -> None:
    sharded.left.plan.fold_all(False)
    for view in show_all(qtbot, sharded):
        for widget in sharded.findChildren(QWidget):
            if not widget.isVisible() or widget.visibleRegion().isEmpty():
                continue
            match widget:
                case ElidedLabel():
                    pass  # says with “…” and a tool tip that there is more
                case QPushButton() | QCheckBox() | QRadioButton() if widget.text():
                    needed = QFontMetrics(widget.font()).horizontalAdvance(widget.text())
                    assert needed <= widget.width(), (view, widget.text())
                case QLabel() if widget.text() and not widget.wordWrap():
                    if widget.textFormat() == Qt.TextFormat.PlainText:
                        needed = QFontMetrics(widget.font()).horizontalAdvance(widget.text())
                        assert needed <= widget.width() + 1, (view, widget.text())


def test_summaries_are_put_together_again(chinese: None) -> None:
    assert summary_of_plan("LoRA, rank 16") == "LoRA, 秩 16"
    assert summary_of_plan("every block") == "每个块"
    assert summary_of_plan("q_proj") == "q_proj"
    assert summary_of_plan("{0}, off") == "{0}, 关"


def test_numerals_have_the_forms_of_the_language(qapp: QApplication, chinese: None) -> None:
    def cards(count: int) -> str:
        return plural("Window", "{ranks} cards", "{ranks} card", count).format(ranks=count)

    assert (cards(1), cards(8)) == ("1 张卡", "8 张卡")
    install(qapp, "en")
    assert (cards(1), cards(8)) == ("1 card", "8 cards")


def test_qt_itself_speaks_the_language(qapp: QApplication) -> None:
    install(qapp, "zh_CN")
    assert CHINESE.search(translate("QPlatformTheme", "Cancel"))
    install(qapp, "en")
    assert translate("QPlatformTheme", "Cancel") == "Cancel"


def test_a_window_that_is_made_after_going_back_is_english(
    qapp: QApplication, qtbot: QtBot, make_window: Callable[[], MainWindow]
) -> None:
    install(qapp, "zh_CN")
    install(qapp, "en")
    _forget_words()
    window = make_window()
    assert next(menu.title() for menu in window.menus.values()) == "&File"
    heard = {words for _, words in spoken(window) if CHINESE.search(words)}
    assert heard == {"简体中文"}  # how its readers find it


def test_a_chosen_language_is_remembered_and_said_to_come_with_the_next_start(
    qtbot: QtBot, window: MainWindow
) -> None:
    said: list[str] = []
    window.session.noticed.connect(lambda notice: said.append(notice.what))
    assert window.actions_["language_system"].isChecked()
    window.actions_["language_zh_CN"].trigger()
    assert said == ["The language changes when memplanner is opened again."]
    window.session.settings.save()
    assert SettingsFile(window.session.settings.path).values.language == "zh_CN"
    window.actions_["language_zh_CN"].trigger()
    assert len(said) == 1


def test_settings_of_a_language_that_this_version_does_not_speak_are_left_out(
    tmp_path: Path,
) -> None:
    path = tmp_path / "window.json"
    path.write_text('{"schema_version": 2, "language": "tlh", "steps": 7}', "utf-8")
    settings = SettingsFile(path)
    assert (settings.values.language, settings.values.steps) == ("system", 7)
    assert "language" in settings.notes[0]


def test_every_view_opens_from_right_to_left(
    qtbot: QtBot, from_right: None, sharded: MainWindow
) -> None:
    """Nothing lies outside its parent, and painting gives the whole of each plot."""
    for view in show_all(qtbot, sharded):
        picture = sharded.grab()
        assert not picture.isNull()
        for widget in sharded.findChildren(QWidget):
            above = widget.parentWidget()
            if above is None or not widget.isVisible() or widget.isWindow():
                continue
            assert widget.width() >= 0
            assert widget.height() >= 0
            inside = above.rect().intersects(widget.geometry()) or widget.geometry().isEmpty()
            scrolled = above.objectName() == "qt_scrollarea_viewport"
            assert inside or scrolled, (view, widget, widget.geometry())


def test_trees_and_tables_mirror(qtbot: QtBot, from_right: None, sharded: MainWindow) -> None:
    sharded.workspace.show_view(LAYERS)
    tree: QTreeView = sharded.workspace.layers.tree
    assert tree.layoutDirection() == Qt.LayoutDirection.RightToLeft
    first = tree.visualRect(tree.model().index(0, 0))
    last = tree.visualRect(tree.model().index(0, tree.model().columnCount() - 1))
    assert first.left() > last.left()
    sharded.workspace.show_view(TIMELINE)
    sharded.workspace.timeline.toggle_table()
    table: QTableView = sharded.workspace.timeline.table
    assert table.columnViewportPosition(0) > table.columnViewportPosition(1)


def _budget_bar() -> QWidget:
    bar = BudgetBar()
    bar.set_estimate(sample.estimate())
    return bar


def _icicle_map() -> QWidget:
    view = IcicleMap()
    estimate = sample.estimate()
    table = LayerTable(estimate.layers, "a model")
    view.show_icicle(Icicle(table, Frame.of(estimate), fold=True), ALL)
    return view


def _timeline() -> QWidget:
    plot = TimelinePlot()
    step = timeline_sample.step()
    plot.show_step(step, [], (0.0, float(step.total.max())))
    return plot


def _stacked_bar() -> QWidget:
    bar = StackedBar()
    bar.set_values((5, 3, 2, 0, 0, 1, 0, 0, 0))
    return bar


def _peaks() -> QWidget:
    chart = PeakChart()
    chart.set_limits(5 * GIB, 8 * GIB, False)
    chart.set_peaks((4 * GIB, 5 * GIB, 5 * GIB), 9)
    return chart


@pytest.mark.parametrize("make", [_budget_bar, _icicle_map, _timeline, _stacked_bar, _peaks])
def test_what_has_axes_is_drawn_alike_in_every_direction(
    qapp: QApplication, qtbot: QtBot, make: Callable[[], QWidget]
) -> None:
    def drawn() -> QImage:
        widget = make()
        qtbot.addWidget(widget)
        widget.resize(900, 300)
        widget.grab()  # what moves to its place is there the second time
        qtbot.wait(400)
        return widget.grab().toImage()

    before = drawn()
    colors = {before.pixel(x, y) for x in range(0, 900, 3) for y in range(0, before.height(), 3)}
    assert len(colors) > 3
    qapp.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    try:
        assert drawn() == before
    finally:
        qapp.setLayoutDirection(Qt.LayoutDirection.LeftToRight)


def test_plots_of_points_keep_their_axes_at_the_left(
    qtbot: QtBot, from_right: None, sharded: MainWindow
) -> None:
    for view, plot in (
        (SEARCH, sharded.workspace.search.plot),
        (SENSITIVITY, sharded.workspace.sensitivity.plot),
        (LIVE, sharded.workspace.live.view.plot),
    ):
        sharded.workspace.show_view(view)
        qtbot.wait(20)
        assert plot.layoutDirection() == Qt.LayoutDirection.LeftToRight
        axis, box = plot._y_axis, plot._box
        assert axis.sceneBoundingRect().left() < box.sceneBoundingRect().left()


def test_what_is_painted_stands_on_its_own_side(qapp: QApplication, from_right: None) -> None:
    row = QRect(10, 0, 100, 20)
    assert placed(QRect(10, 0, 30, 20), row).toRect() == QRect(80, 0, 30, 20)
    assert placed(QRect(50, 0, 60, 20), row).toRect() == QRect(10, 0, 60, 20)
    assert isolated("79.2 GiB") == "\u206679.2 GiB\u2069"
    qapp.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
    assert placed(QRect(10, 0, 30, 20), row).toRect() == QRect(10, 0, 30, 20)
    assert isolated("79.2 GiB") == "79.2 GiB"
