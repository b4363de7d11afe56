"""Takes the README's pictures: the real window on the real engine, in light and in dark.

python packaging/screenshots.py [FOLDER]
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_SCALE_FACTOR", "2")

from PySide6.QtCore import QDeadlineTimer, QEventLoop, QSize, QTimer

from memplanner.plan import Plan
from memplanner_ui.application import make_application
from memplanner_ui.document import Document
from memplanner_ui.engine import EngineClient
from memplanner_ui.look.theme import SchemeChoice, apply_theme
from memplanner_ui.main_window import MainWindow
from memplanner_ui.session import Session
from memplanner_ui.settings import SettingsFile
from memplanner_ui.workspace import COMPARE, RANKS, SEARCH, TIMELINE

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SIZE = QSize(1440, 900)
SOURCE, DEVICE, LARGER_DEVICE = "preset:llama-3.1-8b", "H100 80GB", "H200 141GB"
PLAN: dict[str, object] = {
    "training.batch_size": 1,
    "training.sequence_length": 4096,
    "training.gradient_accumulation_steps": 8,
    "precision": "bf16",
}
CHECKPOINTED = {**PLAN, "activation_checkpointing.policy": "full", "optimizer.name": "sgd"}
SHARDED = {
    **PLAN,
    "training.batch_size": 2,
    "training.gradient_accumulation_steps": 16,
    "sharding.nodes": 2,
    "sharding.cards_per_node": 8,
    "sharding.pipeline": 4,
    "sharding.data": "zero_2",
    "sharding.node_link": 50,
}
SELECTIVE: dict[str, object] = {
    "activation_checkpointing.policy": "every_n",
    "loss.method": "chunked",
}
COMPARED: tuple[dict[str, object], ...] = (
    {"adapters.method": "lora", "activation_checkpointing.policy": "none"},
    {"optimizer.implementation": "bitsandbytes_8bit"},
)
RUN_SOURCE, RUN_DEVICE = "preset:smollm2-135m", "CPU"
RUN_PLAN: dict[str, object] = {
    "training.batch_size": 1,
    "training.sequence_length": 64,
    "training.gradient_accumulation_steps": 2,
    "precision": "fp32",
}
LONGEST_MS = 120_000
LONGEST_RUN_MS = 600_000
LOOK_MS = 50
"""Between two looks at whether what is waited for has come."""
SETTLED_MS = 600
"""Longer than any motion of the window."""


class Picture(NamedTuple):
    """One picture: its file, its theme, what is planned, and the module it selects."""

    name: str
    theme: SchemeChoice
    source: str
    device: str
    plan: dict[str, object]
    module: str = ""
    """Selected; empty: the picture shows another view, or a run of the plan."""
    timeline: bool = False
    ranks: bool = False
    search: bool = False
    compared: tuple[dict[str, object], ...] = ()
    """Changes of the plan that are kept, and stand beside it."""


PICTURES = (
    Picture(
        "layers-light",
        "light",
        SOURCE,
        LARGER_DEVICE,
        {**PLAN, "training.gradient_accumulation_steps": 1},
        "model.layers.0.mlp",
    ),
    Picture("layers-dark", "dark", SOURCE, DEVICE, PLAN, "model.layers.0.self_attn"),
    Picture("timeline-light", "light", SOURCE, DEVICE, CHECKPOINTED, timeline=True),
    Picture("sharding-light", "light", SOURCE, DEVICE, SHARDED, ranks=True),
    Picture("search-light", "light", SOURCE, DEVICE, PLAN, search=True),
    Picture("compare-light", "light", SOURCE, DEVICE, {**PLAN, **SELECTIVE}, compared=COMPARED),
    Picture("live-light", "light", RUN_SOURCE, RUN_DEVICE, RUN_PLAN),
)


def main() -> int:
    """Takes every picture; the exit code."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    application = make_application()
    for picture in PICTURES:
        apply_theme(application, picture.theme)
        path = folder / f"{picture.name}.png"
        take(picture, path)
        print(path)
    return 0


def take(picture: Picture, path: Path) -> None:
    """Opens a window, brings it to what the picture shows, saves it and closes the window."""
    with tempfile.TemporaryDirectory() as settings:
        os.environ["XDG_DATA_HOME"] = settings  # a run goes into no history of the user's
        engine = EngineClient()
        file = SettingsFile(Path(settings) / "window.json")
        file.update(tour_seen=True)
        session = Session(Document(), engine, file)
        window = MainWindow(session)
        session.setParent(window)
        window.resize(SIZE)
        window.show()
        engine.start()
        wait_for(lambda: bool(session.devices), "the devices")
        session.choose_device(next(one for one in session.devices if one.name == picture.device))
        session.open(picture.source)
        document = session.document
        wait_for(lambda: document.estimate is not None, "the first estimate")
        document.set_plan(Plan().with_values(picture.plan))
        wait_for(lambda: document.estimate_is_current, "the estimate of the plan")
        if picture.timeline:
            window.workspace.show_view(TIMELINE)
        elif picture.ranks:
            window.workspace.show_view(RANKS)
        elif picture.search:
            window.workspace.show_view(SEARCH)
            control = window.search
            wait_for(
                lambda: len(control.found) > 0 and not control.searching,
                "the search",
                LONGEST_RUN_MS,
            )
        elif picture.compared:
            keep_others(window, picture.compared)
        elif picture.module:
            show_module(session, picture.module)
            told = window.effects
            wait_for(lambda: told.told_plan == document.plan and not told.waits, "the effects")
        else:
            window.actions_["apply"].trigger()
            wait_for(lambda: window.runs.result is not None, "the run", LONGEST_RUN_MS)
        rest(SETTLED_MS)
        if not window.grab().save(str(path)):
            raise SystemExit(f"{path} could not be written; name another folder.")
        document.history.setClean()
        window.close()
        wait_for(lambda: engine.process_id is None, "the engine's end")
        window.deleteLater()
        rest(0)


def keep_others(window: MainWindow, others: tuple[dict[str, object], ...]) -> None:
    """Keeps changed plans and shows them beside the open one."""
    document, compare = window.session.document, window.compare
    plan = document.plan
    for changes in others:
        document.set_plan(plan.with_values(changes))
        compare.keep()
    document.set_plan(plan)
    wait_for(lambda: document.estimate_is_current, "the estimate of the plan")
    window.workspace.show_view(COMPARE)
    wait_for(lambda: not compare.waits, "the plans side by side")


def show_module(session: Session, name: str) -> None:
    """Selects a module and waits for what the engine says of it."""
    details: list[object] = []
    session.detail_arrived.connect(details.append)
    session.selection.select(name)
    wait_for(lambda: any(details), "the module's detail")


def wait_for(holds: Callable[[], bool], what: str, longest_ms: int = LONGEST_MS) -> None:
    """Lets the window live until something holds."""
    deadline = QDeadlineTimer(longest_ms)
    while not holds():
        if deadline.hasExpired():
            raise SystemExit(f"Waited too long for {what}.")
        rest(LOOK_MS)


def rest(milliseconds: int) -> None:
    """Lets the window live for a while; asleep in between, for what else is at work."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


if __name__ == "__main__":
    sys.exit(main())
