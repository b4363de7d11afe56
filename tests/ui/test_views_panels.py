from __future__ import annotations

from math import inf, nan

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from memplanner.messages.run import RunSample, RunStep
from memplanner.units import MIB, format_count
from memplanner_ui.look.theme import apply_theme
from memplanner_ui.views.module_panel import ModulePanel, bar_bytes, shape_words
from memplanner_ui.views.notice import Fix, NoticeBar
from memplanner_ui.views.operations import operation_words
from memplanner_ui.views.run_panel import RunPanel, clock, duration
from memplanner_ui.views.run_progress import ProgressPanel
from memplanner_ui.views.segments import Segments
from memplanner_ui.views.stacked_bar import StackedBar
from tests.ui import sample


@pytest.fixture(autouse=True)
def _theme(qapp: QApplication) -> None:
    apply_theme(qapp, "light")


def words_of(widget: QWidget) -> list[str]:
    """What a widget's visible labels say, elided ones whole."""
    return [
        label.accessibleName() or label.text()
        for label in widget.findChildren(QLabel)
        if label.isVisibleTo(widget)
    ] + [label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget)]


def button(widget: QWidget, start: str) -> QPushButton:
    return next(b for b in widget.findChildren(QPushButton) if b.text().startswith(start))


def test_a_module_is_explained(qtbot: QtBot) -> None:
    panel = ModulePanel()
    qtbot.addWidget(panel)
    detail = sample.detail()
    panel.set_detail(detail)
    said = words_of(panel)
    assert "model.layers.17.mlp" in said
    assert "LlamaMLP, 176 M parameters, one of 32 alike" in said
    assert said.count("14336 × 4096") == 4  # twice each: name and text
    assert "368 MiB" in said
    bar = panel.findChild(StackedBar)
    assert isinstance(bar, StackedBar)
    assert "optimizer state 672 MiB" in bar.accessibleDescription()
    assert sum(bar_bytes(detail)) == 1792 * MIB


def test_nothing_selected_says_so(qtbot: QtBot) -> None:
    panel = ModulePanel()
    qtbot.addWidget(panel)
    panel.set_detail(sample.detail())
    panel.set_detail(None)
    assert panel.detail is None
    assert any(words.startswith("Select a module") for words in words_of(panel))


def test_many_tensors_are_counted(qtbot: QtBot) -> None:
    panel = ModulePanel()
    qtbot.addWidget(panel)
    detail = sample.detail()
    panel.set_detail(detail.model_copy(update={"kept": detail.kept * 10}))
    assert "and 16 more" in words_of(panel)


def test_shapes_in_words() -> None:
    assert shape_words((14336, 4096)) == "14336 × 4096"
    assert shape_words(()) == "scalar"


def test_a_notice_says_what_why_and_how_on(qtbot: QtBot) -> None:
    bar = NoticeBar()
    qtbot.addWidget(bar)
    assert not bar.isVisible()
    done: list[str] = []
    fixes = [
        Fix(
            "Loss in 8 chunks\n3.9 GiB to spare",
            "−5.8 GiB, −2 % time",
            "Choose",
            lambda: done.append("a"),
        ),
        Fix("Every block", "", "Try", lambda: done.append("b")),
    ]
    bar.show_notice("trouble", "The card ran out of memory.", "Its process has ended.", fixes)
    assert bar.isVisible()
    assert bar.text == "The card ran out of memory. Its process has ended."
    said = words_of(bar)
    assert {"Loss in 8 chunks", "3.9 GiB to spare", "−5.8 GiB,", "−2 % time"} <= set(said)
    choose = button(bar, "Choose")
    assert choose.accessibleName() == "Choose: Loss in 8 chunks"
    choose.click()
    button(bar, "Try").click()
    assert done == ["a", "b"]


def test_a_notice_goes_with_escape(qtbot: QtBot) -> None:
    bar = NoticeBar()
    qtbot.addWidget(bar)
    bar.show_notice("caution", "Something is off.")
    with qtbot.waitSignal(bar.dismissed):
        qtbot.keyClick(bar, Qt.Key.Key_Escape)
    assert not bar.isVisible()
    assert bar.text == ""


def test_a_new_notice_replaces_the_last(qtbot: QtBot) -> None:
    bar = NoticeBar()
    qtbot.addWidget(bar)
    bar.show_notice("info", "First.")
    bar.show_notice("info", "Second.")
    qtbot.wait(10)
    assert "First." not in words_of(bar)
    bar.clear()
    assert not bar.isVisible()


def test_the_run_panel_follows_a_run(qtbot: QtBot) -> None:
    panel = RunPanel()
    qtbot.addWidget(panel)
    panel.start(sample.run_started(30))
    assert panel.state == "applying"
    for event in sample.run_samples(14):
        panel.handle(event)
    said = words_of(panel)
    assert "Step 15 of 30" in said
    assert "1:15 gone, about 1:22 left" in said
    assert "5.1 s" in said
    assert "a child process, pid 48213" in said
    panel.handle(sample.run_result())
    assert panel.state == "finished"
    assert not button(panel, "Stop now").isEnabled()


def test_tokens_per_second_are_of_all_cards(qtbot: QtBot) -> None:
    panel = RunPanel()
    qtbot.addWidget(panel)
    started = sample.run_started(30)
    changes: dict[str, object] = {"sharding.cards_per_node": 4, "sharding.data": "zero_2"}
    panel.start(started.model_copy(update={"plan": started.plan.with_values(changes)}))
    for event in sample.run_samples(2):
        panel.handle(event)
    training = started.plan.training
    tokens = training.batch_size * training.gradient_accumulation_steps * training.sequence_length
    assert format_count(round(4 * tokens / 5.1)) in words_of(panel)


def test_the_run_panel_ends_with_what_compression_costs(qtbot: QtBot) -> None:
    panel = RunPanel()
    qtbot.addWidget(panel)
    panel.start(sample.run_started(30))
    assert "Quality" not in words_of(panel)
    panel.handle(sample.run_result().model_copy(update={"quality": sample.quality()}))
    said = words_of(panel)
    for words in ("24.35 → 26.41", "513 MiB → 160 MiB", "8.3 %", "alice.txt"):
        assert words in said
    panel.start(sample.run_started(30))
    assert "Quality" not in words_of(panel)


def test_the_stop_buttons_ask_once(qtbot: QtBot) -> None:
    panel = RunPanel()
    qtbot.addWidget(panel)
    panel.start(sample.run_started(30))
    with qtbot.waitSignal(panel.stop_after_step):
        button(panel, "Stop after").click()
    assert panel.state == "stopping"
    assert not button(panel, "Stop after").isEnabled()
    with qtbot.waitSignal(panel.stop_now):
        button(panel, "Stop now").click()
    assert not button(panel, "Stop now").isEnabled()


def test_a_cleared_run_panel_has_nothing_to_stop(qtbot: QtBot) -> None:
    panel = RunPanel()
    qtbot.addWidget(panel)
    panel.start(sample.run_started(30))
    panel.clear()
    assert "No run yet" in words_of(panel)
    assert not button(panel, "Stop after").isEnabled()


def test_progress_lists_what_was_done_and_how_it_ended(qtbot: QtBot) -> None:
    panel = ProgressPanel()
    qtbot.addWidget(panel)
    panel.start(sample.run_started(3))
    for event in sample.run_progress():
        panel.handle(event)
    one = next(e for e in sample.run_samples(1) if isinstance(e, RunSample))
    panel.handle(one)
    assert {"Step 1", "Forward, micro-batch 1"} <= set(words_of(panel))
    panel.handle(sample.run_result(3))
    assert panel.titles[-1] == "Finished"
    said = words_of(panel)
    assert "Activations, 146 MiB more than predicted." in said
    assert "3 steps ran as planned." in said
    panel.clear()
    assert panel.titles == []


def test_out_of_memory_is_said_with_what_was_missing(qtbot: QtBot) -> None:
    panel = ProgressPanel()
    qtbot.addWidget(panel)
    panel.start(sample.run_started(3))
    lost = {"outcome": "out_of_memory", "missing_bytes": 190 * MIB, "measured": None}
    panel.handle(sample.run_result(3).model_copy(update={**lost, "where": "backward, lm_head"}))
    said = words_of(panel)
    assert "190 MiB were missing." in said
    assert "backward, lm_head" in said
    assert panel.titles[-1] == "Out of memory"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (75.2, "1:15"), (3725, "1:02:05")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_durations_have_three_figures() -> None:
    assert duration(5.1234) == "5.12 s"
    assert duration(0.0812) == "81 ms"


def test_segments_choose_one_or_many(qtbot: QtBot) -> None:
    one = Segments("Show", (("a", "A"), ("b", "B")))
    many = Segments("Lines", (("a", "A"), ("b", "B")), many=True)
    for segments in (one, many):
        qtbot.addWidget(segments)
    with qtbot.waitSignal(one.chosen) as said:
        button(one, "B").click()
    assert said.args == ["b"]
    assert (one.value, one.is_on("a")) == ("b", False)
    button(many, "A").click()
    assert (many.is_on("a"), many.is_on("b")) == (False, True)


@pytest.mark.parametrize(
    ("operation", "dtype", "words"),
    [
        ("_scaled_dot_product_flash_attention_for_cpu", "bfloat16", "attention"),
        ("_scaled_dot_product_efficient_attention", "bfloat16", "attention"),
        ("_to_copy", "float32", "cast to fp32"),
        ("mm", "bfloat16", "matmul"),
        ("_log_softmax", "float32", "log-softmax"),
        ("_made_up_operation", "float32", "made up operation"),
    ],
)
def test_operations_have_the_field_s_words(operation: str, dtype: str, words: str) -> None:
    assert operation_words(operation, dtype) == words


def test_the_module_panel_fits_its_dock_with_a_scroll_bar(qtbot: QtBot) -> None:
    panel = ModulePanel()
    qtbot.addWidget(panel)
    detail = sample.detail()
    long = detail.kept[0].model_copy(
        update={"operation": "_scaled_dot_product_flash_attention", "shape": (16, 128, 32768, 128)}
    )
    panel.set_detail(detail.model_copy(update={"kept": (long,) * 24}))
    panel.resize(296, 300)
    panel.show()
    qtbot.waitUntil(panel.verticalScrollBar().isVisible)
    body = panel.widget()
    assert body.width() == panel.viewport().width()
    sizes = [label for label in body.findChildren(QLabel) if label.text() == "112 MiB"]
    assert sizes
    for label in sizes:
        assert label.width() >= label.fontMetrics().horizontalAdvance(label.text())


@pytest.mark.parametrize(("loss", "word"), [(nan, "not a number"), (inf, "infinite")])
def test_a_loss_that_is_no_number_is_said_and_drawn(qtbot: QtBot, loss: float, word: str) -> None:
    panel = RunPanel()
    qtbot.addWidget(panel)
    panel.resize(304, 700)
    panel.start(sample.run_started(30))
    for event in sample.run_samples(3):
        if isinstance(event, RunStep):
            event = event.model_copy(update={"loss": loss if event.step == 2 else 1.5})
        panel.handle(event)
    assert "1.50" in words_of(panel)
    panel.handle(RunStep(seconds=9, step=4, loss=loss, step_seconds=1, peak_bytes=MIB))
    assert word in words_of(panel)
    assert not panel.grab().isNull()


def test_a_stopped_run_has_nothing_left_to_do(qtbot: QtBot) -> None:
    panel = RunPanel()
    qtbot.addWidget(panel)
    panel.start(sample.run_started(30))
    for event in sample.run_samples(3):
        panel.handle(event)
    panel.handle(sample.run_result(3).model_copy(update={"outcome": "stopped"}))
    said = words_of(panel)
    assert "Step 3 of 30" in said
    assert not any("left" in words for words in said)
