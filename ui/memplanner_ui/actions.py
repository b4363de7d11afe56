"""Every action of the window, declared once: menus, tool bar, shortcuts and palette read this."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QActionGroup, QKeySequence, QUndoStack
from PySide6.QtWidgets import QMenu, QMenuBar

from memplanner_ui.language import translate
from memplanner_ui.look import icons


@dataclass(frozen=True, slots=True)
class Declared:
    """One action. ``name`` is what code calls it, ``menu`` where it stands."""

    name: str
    menu: str
    text: str
    keys: tuple[str, ...] = ()
    icon: str = ""
    tip: str = ""
    group: str = ""
    """Actions of one group exclude one another and can be checked."""
    checkable: bool = False
    separated: bool = False
    """A line stands before it."""
    needs: str = ""
    """``model`` or ``run``: enabled only with one open or under way; ``idle``: not during a run."""


MENUS = ("File", "Edit", "View", "Model", "Plan", "Run", "Window", "Help")
ACTIONS = (
    Declared("open", "File", "Open…", ("Ctrl+O",), "open", "Open a model or a plan",
             needs="idle"),
    Declared("open_folder", "File", "Open folder…", (), "", "A Hugging Face model folder",
             needs="idle"),
    Declared("open_name", "File", "Open by name…", ("Ctrl+Shift+O",), "",
             "A Hugging Face name, or an importable package.module:callable", needs="idle"),
    Declared("save_plan", "File", "Save plan", ("Ctrl+S",), "save", separated=True, needs="model"),
    Declared("save_plan_as", "File", "Save plan as…", ("Ctrl+Shift+S",), needs="model"),
    Declared("export", "File", "Export…", ("Ctrl+E",), "export",
             "Write the plan for a trainer", needs="model"),
    Declared("report", "File", "Report…", ("Ctrl+Shift+E",), "file",
             "One file about the plan: HTML, PDF, or the layer table as CSV", needs="model"),
    Declared("open_snapshot", "File", "Open memory snapshot…", (), "",
             "What torch.cuda.memory._dump_snapshot has written, in the Timeline", needs="model"),
    Declared("close_model", "File", "Close model", ("Ctrl+W",), "", separated=True,
             needs="idle_model"),
    Declared("quit", "File", "Quit", ("Ctrl+Q",), separated=True),
    Declared("undo", "Edit", "Undo", ("Ctrl+Z",), "undo"),
    Declared("redo", "Edit", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "redo"),
    Declared("find", "Edit", "Filter in this view", ("Ctrl+F",), "search", separated=True),
    Declared("palette", "Edit", "Find a command, module or option…", ("Ctrl+K",), "search"),
    Declared("view_layers", "View", "Layers", ("Ctrl+1",), group="view", needs="model"),
    Declared("view_timeline", "View", "Timeline", ("Ctrl+2",), group="view", needs="model"),
    Declared("view_icicle", "View", "Icicle", ("Ctrl+8",), group="view", needs="model"),
    Declared("view_live", "View", "Live", ("Ctrl+3",), group="view", needs="model"),
    Declared("view_search", "View", "Search", ("Ctrl+4",), group="view", needs="model"),
    Declared("view_sensitivity", "View", "Sensitivity", (), group="view", needs="model"),
    Declared("view_compare", "View", "Compare", ("Ctrl+5",), group="view", needs="model"),
    Declared("view_ranks", "View", "Sharding", ("Ctrl+6",), group="view", needs="model"),
    Declared("view_history", "View", "History", ("Ctrl+7",), "",
             "Past runs: predicted against measured", group="view", needs="model"),
    Declared("timeline_table", "View", "Timeline or icicle as a table", ("Alt+T",), "",
             "The icicle as a table where it is shown, else the timeline; or as drawn again",
             needs="model"),
    Declared("left_dock", "View", "Plan", ("F4",), "", "Show or hide the plan", checkable=True,
             separated=True, needs="model"),
    Declared("right_dock", "View", "Details", ("F9",), "", "Show or hide the right side",
             checkable=True, needs="model"),
    Declared("plan_changes", "View", "Changes of the plan", ("Ctrl+Shift+H",), "",
             "Every change since the plan was opened; choose one to go back to it",
             checkable=True, needs="model"),
    Declared("next_pane", "View", "Next pane", ("F6",), separated=True),
    Declared("last_pane", "View", "Last pane", ("Shift+F6",)),
    Declared("scheme_system", "View", "Colours of the system", (), group="scheme", separated=True),
    Declared("scheme_light", "View", "Light", (), group="scheme"),
    Declared("scheme_dark", "View", "Dark", (), group="scheme"),
    Declared("language_system", "View", "Language of the system", group="language",
             separated=True),
    Declared("language_en", "View", "English", group="language"),
    Declared("language_zh_CN", "View", "简体中文", group="language"),
    Declared("presets", "Model", "Presets", (), "model", "Choose another model",
             needs="idle"),
    Declared("reopen", "Model", "Open again", ("F5",), "",
             "Read the source again and record the step anew", needs="idle_model"),
    Declared("choose_device", "Model", "Choose device…", ("Ctrl+Shift+D",), "device",
             separated=True),
    Declared("fit", "Plan", "Fit…", ("Ctrl+Shift+F",), "fit",
             "The smallest change with which the plan fits, or what it leaves unused",
             needs="model"),
    Declared("pin_option", "Plan", "Pin or unpin this option", ("Ctrl+L",), "pin",
             "A search leaves the option with the cursor as it is", needs="model"),
    Declared("keep_plan", "Plan", "Keep this plan", ("Ctrl+D",), "plus",
             "Keep the plan as it is now, to compare it with others", needs="model"),
    Declared("filter_options", "Plan", "Filter options", ("Ctrl+Shift+P",), "search",
             needs="model"),
    Declared("unfold_sections", "Plan", "Unfold all sections", (), "", separated=True,
             needs="model"),
    Declared("fold_sections", "Plan", "Fold all sections", (), needs="model"),
    Declared("reset_plan", "Plan", "Reset the whole plan", (), "",
             "Back to the plan the model came with", separated=True, needs="model"),
    Declared("apply", "Run", "Apply", ("Ctrl+R",), "apply",
             "Run the plan for a few real steps on this machine", needs="idle_model"),
    Declared("run_settings", "Run", "Steps and data…", ("Ctrl+Shift+R",), "settings",
             "How many steps, and on which text", needs="idle_model"),
    Declared("stop", "Run", "Stop after this step", ("Ctrl+.",), "stop", separated=True,
             needs="run"),
    Declared("stop_now", "Run", "Stop now", (), needs="run"),
    Declared("engine_log", "Window", "Engine log", (), "", checkable=True),
    Declared("engine_restart", "Window", "Start the engine again", (), needs="idle"),
    Declared("engine_choose", "Window", "Choose where the engine runs…", (), "",
             "Your training environment’s Python, or another machine over ssh", needs="idle"),
    Declared("help", "Help", "Help on this", ("F1",), "info",
             "The page about what has the focus"),
    Declared("help_contents", "Help", "Contents and search", ("Ctrl+F1",)),
    Declared("explain", "Help", "How was this number made?", ("Shift+F1",), "",
             "The figure with the cursor, or the verdict: formula or recording, sources, margin",
             needs="model"),
    Declared("tour", "Help", "Tour of the window", (), "", "Three notes on what is where",
             separated=True, needs="model"),
    Declared("keys", "Help", "Keys…", (), "", "The keys of every command, to see and to change"),
    Declared("about", "Help", "About memplanner"),
)  # fmt: skip

Handlers = Mapping[str, Callable[[], object]]


class Actions(QObject):
    """The declared actions as ``QAction``, each joined to its handler.

    Raises ``KeyError`` when an action has no handler: none is ever dead.
    """

    def __init__(self, handlers: Handlers, parent: QObject) -> None:
        super().__init__(parent)
        self._actions: dict[str, QAction] = {}
        self._groups: dict[str, QActionGroup] = {}
        for declared in ACTIONS:
            self._actions[declared.name] = self._make(declared, handlers[declared.name])

    def _make(self, declared: Declared, handler: Callable[[], object]) -> QAction:
        action = QAction(words_of(declared.text), self)
        action.setObjectName(declared.name)
        _give_keys(action, declared, declared.keys)
        action.setStatusTip(words_of(declared.tip))
        if declared.icon:
            icons.set_icon(action, declared.icon)
        if declared.group:
            action.setCheckable(True)
            if declared.group not in self._groups:
                self._groups[declared.group] = QActionGroup(self)
            self._groups[declared.group].addAction(action)
        action.setCheckable(bool(declared.checkable or declared.group))
        action.triggered.connect(lambda _=False: handler())
        return action

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name]

    def __iter__(self) -> Iterator[QAction]:
        return iter(self._actions.values())

    def set_keys(self, name: str, keys: Sequence[str]) -> None:
        """Gives an action these keys, of which its tool tip names the first."""
        declared = next(one for one in ACTIONS if one.name == name)
        _give_keys(self._actions[name], declared, keys)

    def check_view(self, view: str) -> None:
        """Checks the action of the view that is shown, and no other view's."""
        for action in self._groups["view"].actions():
            action.setChecked(action.objectName() == f"view_{view}")

    def follow_history(self, history: QUndoStack) -> None:
        """Undo and redo are enabled, and say what they do, as the history allows."""
        for name, can, changed in (
            ("undo", history.canUndoChanged, history.undoTextChanged),
            ("redo", history.canRedoChanged, history.redoTextChanged),
        ):
            self._actions[name].setEnabled(False)
            can.connect(self._actions[name].setEnabled)
            changed.connect(self._retitle_undo if name == "undo" else self._retitle_redo)

    def _retitle_undo(self, text: str) -> None:
        self._actions["undo"].setText(
            translate("Actions", "Undo {change}").format(change=text).strip()
        )

    def _retitle_redo(self, text: str) -> None:
        self._actions["redo"].setText(
            translate("Actions", "Redo {change}").format(change=text).strip()
        )

    def fill(self, bar: QMenuBar) -> dict[str, QMenu]:
        """Adds every menu to ``bar``; the menus by name."""
        menus = {name: bar.addMenu(f"&{words_of(name)}") for name in MENUS}
        for declared in ACTIONS:
            if declared.separated:
                menus[declared.menu].addSeparator()
            menus[declared.menu].addAction(self._actions[declared.name])
        return menus

    def enable(self, *, model: bool, run: bool) -> None:
        """Enables what makes sense with a model open or not, a run under way or not."""
        allowed = {
            "": True,
            "model": model,
            "run": run,
            "idle": not run,
            "idle_model": model and not run,
        }
        for declared in ACTIONS:
            if declared.name not in ("undo", "redo"):
                self._actions[declared.name].setEnabled(allowed[declared.needs])


def words_of(text: str) -> str:
    """A menu, text or tip of ``ACTIONS`` in the user's language."""
    return translate("Actions", text) if text else text


def _give_keys(action: QAction, declared: Declared, keys: Sequence[str]) -> None:
    action.setShortcuts([QKeySequence(one) for one in keys])
    tip = words_of(declared.tip) or words_of(declared.text).rstrip("…")
    if keys:
        native = QKeySequence(keys[0]).toString(QKeySequence.SequenceFormat.NativeText)
        tip = f"{tip} ({native})"
    action.setToolTip(tip)
