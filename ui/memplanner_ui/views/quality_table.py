"""A quality report as a table that can be sorted and copied."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHeaderView, QVBoxLayout, QWidget

from memplanner.messages.run import QualityReport
from memplanner.units import NOTHING, format_bytes
from memplanner_ui.language import translatable, translate
from memplanner_ui.look import type as fonts
from memplanner_ui.views.figures_table import FiguresTable
from memplanner_ui.views.quality_charts import error_words

_TITLES = (
    translatable("Views", "Layer"),
    translatable("Views", "Kind"),
    translatable("Views", "Output error"),
    translatable("Views", "Before"),
    translatable("Views", "After"),
)


def text_of(report: QualityReport) -> str:
    """The whole report as lines of tab-separated text, with plain numbers."""
    before, after = report.before, report.after
    lines = [
        "\t".join((translate("Views", "Judged on"), report.data)),
        "\t".join(("", translate("Views", "before"), translate("Views", "after"))),
    ]
    for title, old, new in (
        (translate("Views", "perplexity"), before.perplexity, after.perplexity),
        (translate("Views", "mean loss"), before.loss, after.loss),
        (translate("Views", "memory, bytes"), before.memory_bytes, after.memory_bytes),
        (translate("Views", "file, bytes"), before.disk_bytes, after.disk_bytes),
        (
            translate("Views", "{unit} per second").format(unit=report.unit),
            before.per_second,
            after.per_second,
        ),
    ):
        lines.append(f"{title}\t{_plain(old)}\t{_plain(new)}")
    lines += ["", "\t".join(_plain_titles())]
    lines += [
        f"{layer.name}\t{layer.type}\t{layer.output_error:.6g}\t{layer.before_bytes}"
        f"\t{layer.after_bytes}"
        for layer in report.layers
    ]
    return "\n".join(lines)


def _plain(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _plain_titles() -> tuple[str, ...]:
    return (
        translate("Views", "layer"),
        translate("Views", "kind"),
        translate("Views", "output error"),
        translate("Views", "before, bytes"),
        translate("Views", "after, bytes"),
    )


class QualityTable(QDialog):
    """The layers of a report in rows; a header sorts by its column."""

    def __init__(self, report: QualityReport, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._report = report
        self.setWindowTitle(translate("Views", "What compression costs, by layer"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.table = FiguresTable(
            translate("Views", "Layers that compression has changed"), words=2
        )
        self.table.set_titles([translate("Views", title) for title in _TITLES])
        self.table.setAlternatingRowColors(True)
        self.table.set_rows(
            [
                (
                    layer.name,
                    layer.type,
                    (error_words(layer.output_error), layer.output_error),
                    (format_bytes(layer.before_bytes), layer.before_bytes),
                    (format_bytes(layer.after_bytes), layer.after_bytes),
                )
                for layer in report.layers
            ]
        )
        self.table.copy_wanted.connect(self.copy)
        header = self.table.horizontalHeader()
        header.setSortIndicatorClearable(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)  # else it would sort at once
        self.table.setSortingEnabled(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        buttons = QDialogButtonBox()
        buttons.addButton(translate("Views", "Close"), QDialogButtonBox.ButtonRole.RejectRole)
        copy = buttons.addButton(
            translate("Views", "Copy all"), QDialogButtonBox.ButtonRole.ActionRole
        )
        copy.clicked.connect(self.copy)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.table, 1)
        column.addWidget(buttons)
        self.resize(fonts.scaled(720), fonts.scaled(460))

    def copy(self) -> None:
        """Puts the whole report on the clipboard."""
        QGuiApplication.clipboard().setText(text_of(self._report))
