"""The sensitivity of layers and the quality report: drawn, told in words, copied, acted on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot

from memplanner.messages import protocol
from memplanner.messages.sensitivity import (
    BitAssignment,
    BitsChoice,
    LayerSensitivity,
    Sensitivity,
)
from memplanner.units import MIB
from memplanner_ui.main_window import MainWindow
from memplanner_ui.views.quality_part import QualityPart
from memplanner_ui.views.quality_table import QualityTable, text_of
from memplanner_ui.views.sensitivity import SensitivityView, limits
from tests.ui import sample
from tests.ui.acting import LONG

ERRORS = {"16": 0.0, "8": 0.004, "4": 0.06, "2": 0.9}
SIZES = {"16": 16 * MIB, "8": 9 * MIB, "4": 5 * MIB, "2": 3 * MIB}


def layer(name: str, factor: float = 1.0) -> LayerSensitivity:
    return LayerSensitivity(
        name=name,
        weights=8 * MIB,
        choices=tuple(
            BitsChoice(value=value, size_bytes=SIZES[value], output_error=error * factor,
                       loss_rise=error * factor / 10)
            for value, error in ERRORS.items()
        ),
    )  # fmt: skip


def sensitivity() -> Sensitivity:
    names = [f"model.layers.{block}.mlp.down_proj" for block in range(4)]
    return Sensitivity(
        data="alice.txt", unit="tokens", count=4096, loss=3.2, other_bytes=10 * MIB,
        layers=tuple(layer(name, 1 + place) for place, name in enumerate((*names, "lm_head"))),
        seconds=3.0,
    )  # fmt: skip


@pytest.fixture
def view(qtbot: QtBot) -> SensitivityView:
    view = SensitivityView()
    qtbot.addWidget(view)
    view.resize(800, 500)
    view.show()
    return view


def test_the_budget_lies_between_the_smallest_and_the_largest_model(view: SensitivityView) -> None:
    assert view.budget.isHidden() or not view.budget.isVisible()
    view.set_sensitivity(sensitivity())
    assert limits(sensitivity()) == ((10 + 5 * 3) * MIB, (10 + 5 * 16) * MIB)
    assert (view.budget.minimum(), view.budget.maximum()) == (25, 90)
    wanted = []
    view.bits_wanted.connect(lambda *asked: wanted.append(asked))
    view.budget.setValue(40)
    view.choose_button.click()
    assert wanted == [(40 * MIB, False)]


def test_arrow_keys_go_through_the_layers_and_say_what_each_loses(
    qtbot: QtBot, view: SensitivityView
) -> None:
    view.set_sensitivity(sensitivity())
    view.set_kept({"lm_head": "8"})
    qtbot.keyClick(view.plot, Qt.Key.Key_Right)
    words = view.plot.accessibleDescription()
    assert words == "model.layers.0.mlp.down_proj: 8-bit 0.4 %, 4-bit 6 %, 2-bit 90 %"
    qtbot.keyClick(view.plot, Qt.Key.Key_End)
    assert view.plot.accessibleDescription().endswith("; kept in 8-bit")
    with qtbot.waitSignal(view.layer_chosen) as chosen:
        qtbot.keyClick(view.plot, Qt.Key.Key_Return)
    assert chosen.args == ["lm_head"]


def test_the_table_says_the_same_and_can_be_copied(view: SensitivityView) -> None:
    view.set_sensitivity(sensitivity())
    view.set_kept({"lm_head": "2"})
    view.copy()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].split("\t") == ["Layer", "Weights", "8-bit", "4-bit", "2-bit", "Kept in"]
    assert lines[-1].split("\t")[2:] == ["2 %", "30 %", "450 %", "2-bit"]
    view.measures.choose("loss_rise")
    view.measures.chosen.emit("loss_rise")
    view.copy()
    assert QGuiApplication.clipboard().text().splitlines()[1].split("\t")[2] == "0.0004"


def test_bits_are_measured_and_put_into_the_plan_as_one_edit(
    qtbot: QtBot, opened: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[type[protocol.Request], dict[str, object]]] = []
    real = opened.session.engine.request

    def request(
        kind: type[protocol.Request],
        /,
        *,
        then: Callable[..., None] | None = None,
        **fields: object,
    ) -> int:
        if kind not in (protocol.MeasureSensitivity, protocol.AssignBits):
            return real(kind, then=then, **fields)  # type: ignore[arg-type]  # passed on as given
        asked.append((kind, fields))
        assert then is not None
        if kind is protocol.MeasureSensitivity:
            then(protocol.SensitivityMeasured(id=1, sensitivity=sensitivity()))
        else:
            found = BitAssignment(
                values={"lm_head": "8"}, per_layer=("lm_head=8",), size_bytes=MIB, error=0.1
            )
            then(protocol.BitsAssigned(id=2, assignment=found))
        return 1

    monkeypatch.setattr(opened.session.engine, "request", request)
    document, before = opened.session.document, opened.session.document.plan
    shown = opened.workspace.sensitivity
    shown.measure_button.click()
    assert asked[0][0] is protocol.MeasureSensitivity
    assert shown.sensitivity == sensitivity()
    shown.budget.setValue(40)
    shown.choose_button.click()
    assert asked[1][1]["budget_bytes"] == 40 * MIB
    assert document.plan.quantization.per_layer == ("lm_head=8",)
    assert document.plan.quantization.method == "linear"
    assert document.history.undoText() == "bits for 40 MiB"
    document.history.undo()
    assert document.plan == before
    qtbot.waitUntil(lambda: not opened.effects.waits, timeout=LONG)


def buttons_of(part: QWidget) -> set[str]:
    return {one.text() for one in part.findChildren(QPushButton) if not one.isHidden()}


def test_the_quality_report_is_drawn_told_and_copied(qtbot: QtBot) -> None:
    part = QualityPart()
    qtbot.addWidget(part)
    report = sample.quality()
    part.set_report(report)
    part.show()
    assert "2 layers, the largest model.layers.1.mlp.down_proj, 8.3 percent" in (
        part.chart.accessibleDescription()
    )
    qtbot.keyClick(part.chart, Qt.Key.Key_Right)
    assert part.chart.accessibleDescription() == "model.layers.0.mlp.down_proj, 4 percent"
    with qtbot.waitSignal(part.layer_chosen) as chosen:
        qtbot.keyClick(part.chart, Qt.Key.Key_Return)
    assert chosen.args == ["model.layers.0.mlp.down_proj"]
    part.copy()
    text = QGuiApplication.clipboard().text()
    assert text == text_of(report)
    assert "perplexity\t24.35\t26.41" in text
    assert f"file, bytes\t{513 * MIB}\t{160 * MIB}" in text
    assert "tokens per second\t1234\t–" in text
    assert {"Copy", "Show as table…"} <= buttons_of(part)
    part.set_report(report.model_copy(update={"layers": ()}))
    assert part.chart.isHidden()
    assert buttons_of(part) == {"Copy"}


def test_the_table_of_layers_sorts_by_numbers(qtbot: QtBot) -> None:
    table = QualityTable(sample.quality())
    qtbot.addWidget(table)
    table.table.sortItems(2, Qt.SortOrder.DescendingOrder)
    first = table.table.item(0, 2)
    assert first is not None
    assert first.text() == "8.3 %"
    table.copy()
    assert QGuiApplication.clipboard().text() == text_of(sample.quality())
