"""How quick the window is, how much it holds, and that it stays so: each figure beside its bar.

    python -m benchmarks.window [--only start edit frames layers soak] [--soak-minutes 0.5]

Each part is measured in a process of its own, without a screen (Qt's ``offscreen`` platform)
unless QT_QPA_PLATFORM names another. Processor time (``busy``) is told beside the clock's, since a
machine with other work stretches the one alone; what one thread does alone is held against its bar
by that.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from statistics import median, quantiles
from time import monotonic
from typing import Any, NamedTuple

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from rich.console import Console
from rich.table import Table

from benchmarks.window_frames import Taken, measure_edits, measure_frames, measure_layers
from benchmarks.window_soak import measure_soak
from memplanner.units import MIB, format_bytes

STARTS = 7
EMPTY = """
import sys, time
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMainWindow

class Empty(QMainWindow):
    def paintEvent(self, event):
        super().paintEvent(event)
        print(time.monotonic() - float(sys.argv[1]), time.process_time(), flush=True)
        QTimer.singleShot(0, application.quit)

application = QApplication([])
window = Empty()
window.resize(1440, 900)
window.show()
application.exec()
"""
OURS = """
import sys, time
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from memplanner import __main__ as program
from memplanner_ui import application
from memplanner_ui.main_window import MainWindow

began = sys.argv[1]

def say():
    print(time.monotonic() - float(began), time.process_time(), flush=True)

paint = MainWindow.paintEvent
def paintEvent(self, event):
    paint(self, event)
    if not self.assembled:
        say()
MainWindow.paintEvent = paintEvent

def begin(window, source):  # instead of the engine: it is there, with the start page
    QApplication.processEvents()
    say()
    window.close()
application._begin = begin
sys.argv = ["memplanner", "gui"]
program.main()
"""
"""The window as ``memplanner gui`` opens it: says when it is first painted, and when whole."""


class Row(NamedTuple):
    """One line of the table."""

    what: str
    figure: str
    bar: str = ""
    holds: bool | None = None
    """None where there is no bar."""
    beside: str = ""


def _started(code: str, count: int, home: str) -> list[tuple[float, float]]:
    """``count`` lines that a new process says of itself: seconds since its start, of which busy.

    Modules are compiled once, as an installed program's are, whatever this process does.
    """
    environment = {**os.environ, "XDG_CONFIG_HOME": home, "PYTHONPYCACHEPREFIX": f"{home}/compiled"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", code, str(monotonic())],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    lines = [tuple(map(float, line.split())) for line in done.stdout.splitlines()]
    assert len(lines) >= count, done.stdout
    return [(lines[place][0], lines[place][1]) for place in (0, -1)][:count]


def start_rows() -> list[Row]:
    """Process start to the first painted window, beside an empty one, by turns."""
    empty, first, whole = [], [], []
    with tempfile.TemporaryDirectory() as home:
        for code, count in ((EMPTY, 1), (OURS, 2)):
            _started(code, count, home)  # reads and compiles all files once
        for _ in range(STARTS):
            empty += _started(EMPTY, 1, home)
            one, two = _started(OURS, 2, home)
            first.append(one)
            whole.append(two)

    def middle(taken: list[tuple[float, float]], which: int) -> float:
        return median(one[which] for one in taken)

    ratio = middle(first, 0) / middle(empty, 0)
    busy = middle(first, 1) / middle(empty, 1)
    words = "{:.2f} s ({:.2f} s busy)"
    return [
        Row("an empty PySide6 window painted", words.format(middle(empty, 0), middle(empty, 1))),
        Row("the window painted first", words.format(middle(first, 0), middle(first, 1)),
            "≤ 2 × the empty one", ratio <= 2, f"{ratio:.2f} ×; busy {busy:.2f} ×"),
        Row("its start page is there", words.format(middle(whole, 0), middle(whole, 1)),
            beside=f"{middle(whole, 0) / middle(empty, 0):.1f} × the empty one"),
    ]  # fmt: skip


def _milliseconds(what: str, taken: list[Taken], bar_ms: float, *, busy: bool = False) -> Row:
    """The bar is of the 95th percentile by the clock; ``busy``: of the processor's time."""
    clock, processor = ([one[place] * 1e3 for one in taken] for place in (0, 1))
    high = [quantiles(one, n=20)[18] for one in (clock, processor)]
    figure = f"p50 {median(clock):.1f} ms, p95 {high[0]:.1f} ms"
    beside = f"busy: p50 {median(processor):.1f} ms, p95 {high[1]:.1f} ms; {len(taken)} times"
    return Row(what, figure, f"p95 ≤ {bar_ms:.0f} ms", high[busy] <= bar_ms, beside)


def edit_rows() -> list[Row]:
    """From an edit of the plan to everything painted anew, with the real engine."""
    rows = []
    for device in ("cpu", "H100 80GB"):
        found = apart("edit", device)
        for what, key in (
            ("batch size, by steps", "batch"),
            ("sequence length, by steps", "sequence"),
            ("sequence length, anywhere", "jumps"),
        ):
            words = f"{what}, of the 8B, {device}: until all is painted"
            rows.append(_milliseconds(words, found[key], 33))
        rows.append(_milliseconds("until the edit itself is painted", found["first"], 16))
    return rows


def frame_rows() -> list[Row]:
    """Live curves and a long snapshot, painted again and again."""
    found = apart("frames")
    return [
        _milliseconds(
            "live: four curves of an hour at 20 Hz, a frame", found["live"], 10, busy=True
        ),
        _milliseconds("snapshot of 1,048,576 points, a frame", found["snapshot"], 10, busy=True),
    ]


def layer_rows() -> list[Row]:
    """A tree of 100,000 rows."""
    found = apart("layers")
    return [
        _milliseconds(f"{found['rows']:,} layers: {words}", found[what], 150, busy=True)
        for what, words in (
            ("first", "shown first"),
            ("show", "shown again"),
            ("sort", "sorted"),
            ("filter", "filtered"),
        )
    ]


def soak_rows(minutes: float) -> list[Row]:
    """The window with a plan applied over and over."""
    found = apart("soak", minutes)
    samples = found["samples"]
    first, last = samples[0], samples[-1]
    # The bar is of growth without end: the slope of the second half, when caches are full.
    half = samples[len(samples) // 2 :]
    slope = _slope([one["minutes"] for one in half], [one["resident_bytes"] for one in half])
    most = max(one["resident_bytes"] for one in samples)
    rows = [
        Row("resident memory of the window’s process", format_bytes(most), "≤ 300 MiB",
            most <= 300 * MIB, f"begins at {format_bytes(first['resident_bytes'])}"),
        Row("torch in it", "no" if not found["torch"] else "yes", "no", not found["torch"]),
        Row(f"its slope, second half of {last['minutes']:.1f} min",
            f"{slope / MIB:+.2f} MiB a minute", "flat: < 0.5", slope < MIB / 2,
            f"{found['runs']} runs, {found['edits']} edits, {len(samples)} samples"),
    ]  # fmt: skip
    for what in ("widgets", "timers", "threads", "descriptors", "children"):
        begin, end = half[0][what], last[what]
        rows.append(Row(f"{what} at the same state", f"{begin} → {end}", "no more", end <= begin))
    return rows


def _slope(x: list[float], y: list[float]) -> float:
    """Of the line that fits best; 0 of less than three points."""
    if len(x) < 3:
        return 0.0
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    over = sum((one - mean_x) * (two - mean_y) for one, two in zip(x, y, strict=True))
    return over / sum((one - mean_x) ** 2 for one in x)


MEASUREMENTS: dict[str, Callable[..., dict[str, Any]]] = {
    "edit": measure_edits,
    "frames": measure_frames,
    "layers": measure_layers,
    "soak": measure_soak,
}
PARTS = ("start", "edit", "frames", "layers", "soak")


def apart(name: str, *arguments: object) -> dict[str, Any]:
    """The measurement ``name``, made in a process of its own, without the user's settings."""
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.window", "--measure",
             json.dumps([name, *arguments])],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, "XDG_CONFIG_HOME": home, "XDG_DATA_HOME": home},
        )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--soak-minutes", type=float, default=0.5)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        name, *arguments = json.loads(options.measure)
        print(json.dumps(MEASUREMENTS[name](*arguments)))
        return
    parts: dict[str, Callable[[], list[Row]]] = {
        "start": start_rows,
        "edit": edit_rows,
        "frames": frame_rows,
        "layers": layer_rows,
        "soak": lambda: soak_rows(options.soak_minutes),
    }
    rows = [row for part in PARTS if part in options.only for row in parts[part]()]
    show(rows)
    sys.exit(any(row.holds is False for row in rows))


def show(rows: list[Row]) -> None:
    """Prints the table."""
    table = Table(title="The window")
    for heading in ("", "measured", "bar", "", "beside"):
        table.add_column(heading)
    for row in rows:
        mark = {None: "", True: "✓", False: "✗"}[row.holds]
        table.add_row(row.what, row.figure, row.bar, mark, row.beside)
    Console(width=max(130, Console().width)).print(table)


if __name__ == "__main__":
    main()
