"""What compression costs and saves, in a few lines of the run's panel."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from memplanner.messages.run import QualityReport
from memplanner.units import NOTHING, format_bytes, format_count
from memplanner_ui.views.rows import Part
from memplanner_ui.views.run_charts import loss_words

ARROW = "→"


class QualityPart(Part):
    """Before → after: perplexity or loss, sizes, speed; and the layer whose output moved most."""

    def __init__(self) -> None:
        super().__init__("Quality")
        self._perplexity = self.add_pair("Perplexity")
        self._loss = self.add_pair("Mean loss")
        self._memory = self.add_pair("In memory")
        self._disk = self.add_pair("On disk")
        self._speed = self.add_pair("Forward, per second")
        self._error = self.add_pair("Largest output error")

    def set_report(self, report: QualityReport | None) -> None:
        """Shows ``report``; without one nothing."""
        self.right.setText("" if report is None else report.data.partition(",")[0])
        if report is None:
            for shown in (self._perplexity, self._loss, self._memory, self._disk, self._speed):
                shown.setText("")
            self._error.setText("")
            return
        before, after = report.before, report.after
        self.right.setToolTip(report.data)
        self._perplexity.setText(_pair(before.perplexity, after.perplexity, _loss))
        self._loss.setText(_pair(before.loss, after.loss, _loss))
        self._memory.setText(_pair(before.memory_bytes, after.memory_bytes, format_bytes))
        self._disk.setText(_pair(before.disk_bytes, after.disk_bytes, format_bytes))
        self._speed.setText(_pair(before.per_second, after.per_second, _speed))
        largest = max(report.layers, key=lambda layer: layer.output_error, default=None)
        self._error.setText(NOTHING if largest is None else f"{largest.output_error:.1%}")
        self._error.setToolTip("" if largest is None else largest.name)


def _pair(before: float | None, after: float | None, words: Callable[..., str]) -> str:
    """``24.35 → 24.37``; a dash for what is not known."""
    if before is None and after is None:
        return NOTHING
    old, new = (NOTHING if value is None else words(value) for value in (before, after))
    return f"{old} {ARROW} {new}"


def _loss(value: float) -> str:
    return format_count(round(value)) if 1000 <= value < inf else loss_words(value)


def _speed(value: float) -> str:
    return format_count(round(value)) if value >= 100 else f"{value:.3g}"
