"""File → Report…: what is open, as HTML, PDF and CSV."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PySide6.QtCore import QSizeF
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from memplanner.report.differences import Compared
from memplanner.report.page import Report
from memplanner_ui.main_window import MainWindow
from memplanner_ui.report_pdf import text_document, write_pdf
from tests.report.estimates import PLAN, estimate, run
from tests.ui.acting import LONG, edit

PAGE = QSizeF(500, 740)


def report() -> Report:
    made = estimate(3, seconds=1.5)
    lora = PLAN.with_values({"adapters.method": "lora"})
    others = (Compared("<b>LoRA</b>", estimate(1, lora)), Compared("none", None, "It cannot be."))
    return Report(made, {"torch": "2.13.0"}, "2026-01-31", "this", others, run(made))


def test_the_dialog_names_the_model_and_the_device(opened: MainWindow) -> None:
    opened.actions_["report"].trigger()
    (dialog,) = opened.findChildren(QFileDialog)
    assert dialog.selectedFiles()[0].endswith("llama-3.1-8b on CPU.html")
    dialog.reject()


def test_html_and_csv_are_of_the_plan_that_is_open(
    qtbot: QtBot, opened: MainWindow, tmp_path: Path
) -> None:
    edit(qtbot, opened, "training.batch_size", 4)
    opened.actions_["keep_plan"].trigger()
    edit(qtbot, opened, "training.batch_size", 2)
    opened.actions_["view_compare"].trigger()
    qtbot.waitUntil(lambda: len(opened.compare.others()) == 1, timeout=LONG)
    page, table = tmp_path / "report.html", tmp_path / "layers.csv"
    opened.report.write(str(page))
    opened.report.write(str(table))
    text = page.read_text("utf-8")
    assert "A new plan*" in text
    assert "B micro-batch 4" in text
    assert "torch 2.13.0" in text
    made = opened.session.document.estimate
    assert made is not None
    with table.open(encoding="utf-8", newline="") as file:
        sizes = [int(row["total_bytes"]) for row in csv.DictReader(file)]
    assert sum(sizes) == made.peak.allocated_bytes


def test_a_place_that_cannot_be_written_is_a_notice(opened: MainWindow, tmp_path: Path) -> None:
    for ending in ("html", "pdf"):
        opened.workspace.notice.clear()
        opened.report.write(str(tmp_path / "missing" / f"report.{ending}"))
        assert "choose another place" in opened.workspace.notice.accessibleName() + (
            opened.workspace.notice.accessibleDescription()
        )


def test_without_an_estimate_there_is_no_report(opened: MainWindow, tmp_path: Path) -> None:
    opened.session.document.set_estimate(None)
    opened.actions_["report"].trigger()
    assert not opened.findChildren(QFileDialog)
    opened.report.write(str(tmp_path / "report.html"))
    assert not (tmp_path / "report.html").exists()


def test_the_pdf_is_one(opened: MainWindow, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    opened.report.write(str(path))
    data = path.read_bytes()
    assert data.startswith(b"%PDF-")
    assert data.rstrip().endswith(b"%%EOF")
    assert [one.name for one in tmp_path.glob("*.pdf")] == ["report.pdf"]


@pytest.mark.usefixtures("qapp")
def test_the_paper_says_what_the_page_says_and_draws_every_picture(tmp_path: Path) -> None:
    document = text_document(report(), PAGE)
    text = document.toPlainText().replace("\N{NO-BREAK SPACE}", " ")
    for expected in (
        "small on H100 80GB", "<b>LoRA</b>", "It cannot be.", "3 steps ran as planned.",
        "model.layers.*.mlp, 3 alike", "CUDA context", "torch 2.13.0",
    ):  # fmt: skip
        assert expected in text
    assert "[picture:" not in text
    assert text.count("\N{OBJECT REPLACEMENT CHARACTER}") == 3
    assert document.size().width() <= PAGE.width()
    image = QImage(500, 740, QImage.Format.Format_RGB32)
    image.fill(0xFFFFFFFF)
    painter = QPainter(image)
    document.drawContents(painter)
    painter.end()
    colors = {image.pixel(x, y) & 0xFFFFFF for x in range(0, 500, 2) for y in range(0, 740, 2)}
    assert 0x2E5794 in colors  # parameters
    path = tmp_path / "report.pdf"
    write_pdf(report(), path)
    assert path.stat().st_size > 10_000
