"""What is timed in a window: edits with the real engine, frames of long curves, a long tree."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter, sleep, thread_time
from typing import Any

import numpy as np
from PySide6.QtCore import QEventLoop, Qt
from PySide6.QtWidgets import QApplication

from memplanner.garbage import nothing_here_is_waste
from memplanner.messages.estimate import Estimate
from memplanner.messages.run import RunSample
from memplanner.messages.snapshot import Snapshot, SnapshotCurve, packed
from memplanner.units import GIB
from memplanner_ui.application import make_application
from memplanner_ui.document import Document
from memplanner_ui.engine import EngineClient, EngineState
from memplanner_ui.look.theme import apply_theme
from memplanner_ui.main_window import MainWindow
from memplanner_ui.session import Session
from memplanner_ui.settings import SettingsFile
from memplanner_ui.views.layers import LayersView
from memplanner_ui.views.live import LiveView
from memplanner_ui.views.snapshot import SnapshotView
from tests.ui import sample

EDITS = 40
PAUSE_SECONDS = 0.05
"""Between two edits, as one who turns a spin box makes them."""
FRAMES = 100
HZ, HOUR = 20, 3600
POINTS = 2**20
LAYERS = 100_000
LONGEST_SECONDS = 600.0


Taken = tuple[float, float]
"""Seconds by the clock, and those of this thread's processor."""


def now() -> Taken:
    """To take the difference of, by ``since``."""
    return perf_counter(), thread_time()


def since(then: Taken) -> Taken:
    """What has gone by."""
    clock, busy = now()
    return clock - then[0], busy - then[1]


def application() -> QApplication:
    """Qt's application in the window's light colours."""
    made = make_application()
    apply_theme(made, "light")
    return made


def until(done: Callable[[], object], *, pause: float = 0.0) -> None:
    """Handles events until ``done``; raises ``TimeoutError`` when that takes minutes."""
    end = perf_counter() + LONGEST_SECONDS
    while not done():
        QApplication.processEvents()
        if perf_counter() > end:
            raise TimeoutError("the window does not come to it")
        sleep(pause)


def open_window(source: str, device: str) -> MainWindow:
    """A window on the real engine with a model open, estimated and at rest."""
    settings = SettingsFile()
    settings.update(tour_seen=True)
    session = Session(Document(), EngineClient(), settings)
    window = MainWindow(session)
    session.setParent(window)
    nothing_here_is_waste()  # as the application does then
    window.show()
    session.engine.start()
    until(lambda: session.devices, pause=0.01)
    session.choose_device(
        next(one for one in session.devices if device in one.selector.lower() + one.name)
    )
    session.open(source)
    until(lambda: session.document.estimate_is_current, pause=0.01)
    rest(window)
    return window


def rest(window: MainWindow) -> None:
    """Until the engine owes nothing that anybody waits for; what it does in idle time goes on."""
    until(lambda: window.session.engine.state is EngineState.READY, pause=0.01)


def close(window: MainWindow) -> None:
    """Closes it without a question, and ends its engine."""
    window.session.document.history.setClean()
    window.close()
    window.deleteLater()
    QApplication.processEvents()


def processor_seconds(process_id: int) -> float:
    """What all threads of another process have had of the processors, to the microsecond."""
    threads = Path(f"/proc/{process_id}/task").glob("*/schedstat")
    return sum(int(one.read_text().split()[0]) for one in threads) / 1e9


def measure_edits(device: str) -> dict[str, Any]:
    """Seconds from each edit of the plan until all of its figures are painted.

    The processor's are those of the window's thread and, until its answer has come, the engine's:
    one after the other, as if they never worked at once. ``first`` is until the edit itself is
    painted, which the window does alone.
    """
    application()
    window = open_window("preset:llama-3.1-8b", device)
    session = window.session
    engine, process = session.engine.process_id, session.engine._process
    assert engine is not None
    assert process is not None
    first: list[Taken] = []

    def seconds(key: str, value: int) -> Taken:
        waiting, arrived, answered = QEventLoop(), [0.0], list[bool]()

        def end() -> None:
            answered.append(True)
            waiting.quit()

        def note(line: bytes) -> None:
            arrived[0] = processor_seconds(engine)

        process.line.disconnect(session.engine._on_line)
        process.line.connect(note)  # before it is read
        process.line.connect(session.engine._on_line)
        hear = session.answered.connect(end)
        engine_began, started = processor_seconds(engine), now()
        session.edit(key, value)
        QApplication.processEvents()
        first.append(since(started))
        if not answered:
            waiting.exec()  # as a window does, without turning in a circle
        QApplication.processEvents()  # paints what has changed,
        QApplication.processEvents()  # and what was put off until the next turn
        clock, busy = since(started)
        session.answered.disconnect(hear)
        process.line.disconnect(note)
        pause = perf_counter() + PAUSE_SECONDS
        until(lambda: perf_counter() > pause, pause=0.005)
        return clock, busy + arrived[0] - engine_began

    for value in (2, 3, 4):  # the engine records at a few points, then computes
        seconds("training.batch_size", value)
        seconds("training.sequence_length", 2048 * value)
    first.clear()
    batch = [seconds("training.batch_size", 5 + one) for one in range(EDITS)]
    seconds("training.sequence_length", 1024 - 64)  # where the steps begin is no step
    first.pop()
    sequence = [seconds("training.sequence_length", 1024 + 64 * one) for one in range(EDITS)]
    anywhere = 64 * np.random.default_rng(7).permutation(np.arange(8, 128))[:EDITS]
    jumps = [seconds("training.sequence_length", one) for one in anywhere.tolist()]
    close(window)
    return {"batch": batch, "sequence": sequence, "jumps": jumps, "first": first}


def _live() -> tuple[LiveView, list[RunSample]]:
    """The live view of a run an hour long, and samples to go on with."""
    view = LiveView()
    events = sample.run_samples(720, points_a_phase=6)
    taken = [one for one in events if isinstance(one, RunSample)]
    count = HZ * HOUR + FRAMES
    many = -(-count // len(taken))
    view.start(sample.run_started(720 * many))
    samples = []
    for round_ in range(many):
        for place, one in enumerate(taken):
            number = round_ * len(taken) + place
            samples.append(
                one.model_copy(update={"seconds": number / HZ, "step": one.step + 720 * round_})
            )
    for one in samples[: HZ * HOUR]:
        view.handle(one)
    view.ranges.choose("run")
    return view, samples[HZ * HOUR : count]


def _snapshot() -> SnapshotView:
    """The view of a history of a million events."""
    chance = np.random.default_rng(3)
    allocated = (chance.random(POINTS) * 8 * GIB + 60 * GIB).astype("<i8")
    peak = int(allocated.argmax())
    view = SnapshotView()
    curve = SnapshotCurve(
        device=0,
        events=POINTS,
        points=POINTS,
        time_us=packed((np.arange(POINTS, dtype="<i8") * 40).tobytes()),
        allocated_bytes=packed(allocated.tobytes()),
        reserved_bytes=packed((allocated + GIB).tobytes()),
        peak_point=peak,
        peak_bytes=int(allocated[peak]),
        reserved_peak_bytes=int(allocated[peak]) + GIB,
        before_bytes=GIB,
        stacks=(),
    )
    view.set_estimate(sample.estimate())
    view.set_snapshot(Snapshot(path="history.pickle", curves=(curve,), seconds=0.1))
    return view


def measure_frames() -> dict[str, Any]:
    """Seconds of each frame of a run that has gone on for an hour, and of a long snapshot."""
    application()
    live, samples = _live()
    snapshot = _snapshot()
    for view in (live, snapshot):
        view.resize(1100, 800)
        view.show()
    QApplication.processEvents()
    live._timer.stop()  # frames come from here
    taken: dict[str, list[Taken]] = {"live": [], "snapshot": []}
    for place, one in enumerate(samples):
        started = now()
        live.handle(one)
        live._draw()
        QApplication.processEvents()  # paints what has changed
        taken["live"].append(since(started))
        left = place * (POINTS // (4 * FRAMES))  # half the history in sight, moved as one drags it
        started = now()
        snapshot.plot.set_range(left, left + POINTS // 2)
        QApplication.processEvents()
        taken["snapshot"].append(since(started))
    live.close()
    snapshot.close()
    return taken


def measure_layers(times: int = 12) -> dict[str, Any]:
    """Seconds to show, sort and filter a long tree, until it is painted.

    ``first`` is in a view that has shown nothing yet, of names that nobody has read.
    """
    application()
    rows = sample.layers(LAYERS // 13)
    made = [sample.estimate(rows=rows), sample.estimate(2, rows=rows)]
    taken: dict[str, list[Taken]] = {"first": [], "show": [], "sort": [], "filter": []}
    view = _empty_layers()

    def timed(name: str, change: Callable[[], object]) -> None:
        started = now()
        change()
        QApplication.processEvents()  # paints it
        taken[name].append(since(started))

    for _ in range(times):
        text = made[0].model_dump_json(by_alias=True)
        estimate = Estimate.model_validate_json(text)
        view.close()
        view = _empty_layers()
        timed("first", partial(view.set_estimate, estimate))
    queries = ("name:up_proj", "type:Linear size>10MiB", "mlp", "")
    for turn in range(times):
        timed("show", lambda turn=turn: view.set_estimate(made[turn % 2]))
        order = Qt.SortOrder.DescendingOrder if turn % 2 else Qt.SortOrder.AscendingOrder
        timed("sort", lambda turn=turn, order=order: view.tree.sortByColumn(2 + turn % 3, order))
        for query in queries:
            timed("filter", lambda query=query: _ask(view, query))
    return {"rows": len(rows), **taken}


def _empty_layers() -> LayersView:
    view = LayersView()
    view.resize(1100, 800)
    view.group_box.setChecked(False)
    view.show()
    QApplication.processEvents()
    return view


def _ask(view: LayersView, query: str) -> None:
    view.filter_field.setText(query)
    view.filter_field.read()  # not after the pause in which one types on
