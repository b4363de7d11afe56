"""What each action of the table does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, QRect
from PySide6.QtWidgets import QApplication, QMenu

from memplanner_ui import files
from memplanner_ui.about import about_box
from memplanner_ui.actions import ACTIONS, words_of
from memplanner_ui.export_dialog import ExportDialog
from memplanner_ui.keys_dialog import KeysDialog
from memplanner_ui.language import Language, translate
from memplanner_ui.look.theme import SchemeChoice, apply_theme
from memplanner_ui.notices import Notice
from memplanner_ui.open_dialog import OpenDialog
from memplanner_ui.palette import Entry
from memplanner_ui.panes import focus_next_pane
from memplanner_ui.workspace import (
    COMPARE,
    HISTORY,
    ICICLE,
    LAYERS,
    LIVE,
    RANKS,
    SEARCH,
    SENSITIVITY,
    TIMELINE,
)

if TYPE_CHECKING:
    from memplanner_ui.main_window import MainWindow

PALETTE_WIDTH = 560
PALETTE_HEIGHT = 420


class Commands(QObject):
    """The verbs. The window makes the actions from ``handlers``."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._session = window.session
        self._document = window.session.document

    def handlers(self) -> dict[str, Callable[[], object]]:
        """By an action's name, what it does."""
        window, session, history = self._window, self._session, self._document.history
        return {
            "open": self.open_file,
            "open_folder": self.open_folder,
            "open_name": self.open_by_name,
            "open_snapshot": self.open_snapshot,
            "save_plan": self.save_plan,
            "save_plan_as": self.save_plan_as,
            "export": lambda: ExportDialog(session, window).open(),
            "report": lambda: window.report.choose_file(),
            "close_model": self._document.close_model,
            "quit": window.close,
            "undo": history.undo,
            "redo": history.redo,
            "find": self.find,
            "palette": self.open_palette,
            "view_layers": lambda: window.workspace.show_view(LAYERS),
            "view_timeline": lambda: window.workspace.show_view(TIMELINE),
            "view_icicle": lambda: window.workspace.show_view(ICICLE),
            "view_live": lambda: window.workspace.show_view(LIVE),
            "view_search": lambda: window.workspace.show_view(SEARCH),
            "view_sensitivity": lambda: window.workspace.show_view(SENSITIVITY),
            "view_compare": lambda: window.workspace.show_view(COMPARE),
            "view_ranks": lambda: window.workspace.show_view(RANKS),
            "view_history": lambda: window.workspace.show_view(HISTORY),
            "timeline_table": self.show_as_table,
            "left_dock": window.show_docks,
            "right_dock": window.show_docks,
            "plan_changes": window.show_docks,
            "next_pane": lambda: focus_next_pane(window.panes(), QApplication.focusWidget()),
            "last_pane": lambda: focus_next_pane(
                window.panes(), QApplication.focusWidget(), back=True
            ),
            "scheme_system": lambda: self.choose_scheme("system"),
            "scheme_light": lambda: self.choose_scheme("light"),
            "scheme_dark": lambda: self.choose_scheme("dark"),
            "language_system": lambda: self.choose_language("system"),
            "language_en": lambda: self.choose_language("en"),
            "language_zh_CN": lambda: self.choose_language("zh_CN"),
            "presets": self._document.close_model,
            "reopen": self.reopen,
            "choose_device": self.choose_device,
            "fit": lambda: window.smallest.fit(),
            "pin_option": self.pin_option,
            "keep_plan": lambda: window.compare.keep(),
            "filter_options": self.filter_options,
            "unfold_sections": lambda: window.left.plan.fold_all(False),
            "fold_sections": lambda: window.left.plan.fold_all(True),
            "reset_plan": lambda: self._document.set_plan(
                self._document.first_plan, translate("Window", "reset the plan")
            ),
            "apply": lambda: window.runs.apply(window.workspace.live.form.settings),
            "run_settings": self.show_run_settings,
            "stop": window.runs.stop,
            "stop_now": window.runs.stop_at_once,
            "engine_log": lambda: window.log.setVisible(window.actions_["engine_log"].isChecked()),
            "engine_restart": session.restart_engine,
            "engine_choose": lambda: window.engine.choose(),
            "help": lambda: window.help.show_here(),
            "help_contents": lambda: window.help.show_contents(),
            "explain": lambda: window.explain.ask(),
            "tour": lambda: window.tour.begin(),
            "keys": self.show_keys,
            "about": self.show_about,
        }

    # Opening and saving

    def open_file(self) -> None:
        """Asks for a file and opens it; on another machine, for whatever its engine opens."""
        if self._session.engine.place.remote:
            self.open_by_name()
            return
        folder = self._session.settings.values.folder
        files.choose_file(
            self._window,
            translate("Window", "Open a model or a plan"),
            translate("Window", files.MODELS_AND_PLANS),
            self._open,
            folder,
        )

    def open_folder(self) -> None:
        """Asks for a folder and opens it."""
        folder = self._session.settings.values.folder
        machine = self._session.engine.place.machine
        title = translate("Window", "Open a model folder")
        files.choose_folder(self._window, title, self._open, folder, machine=machine)

    def _open(self, path: str) -> None:
        if not self._session.engine.place.remote:
            self._session.settings.update(folder=str(Path(path).parent))
        self._session.open(path)

    def open_by_name(self) -> None:
        """Asks for a name and opens what it names."""
        machine = self._session.engine.place.machine
        dialog = OpenDialog(self._window, machine=machine)
        dialog.plan_wanted.connect(self._choose_plan)
        dialog.chosen.connect(lambda source, inputs: self._session.open(source, inputs=inputs))
        dialog.open()

    def _choose_plan(self) -> None:
        """Asks for a plan's file, which the window reads itself."""
        folder = self._session.settings.values.folder
        files.choose_file(
            self._window,
            translate("Window", "Open a plan"),
            translate("Window", files.PLANS),
            self._open,
            folder,
        )

    def open_snapshot(self) -> None:
        """Asks for a memory snapshot and reads it."""
        folder = self._session.settings.values.folder
        files.choose_file(
            self._window,
            translate("Window", "Open a memory snapshot"),
            translate("Window", files.SNAPSHOTS),
            self._session.snapshot_wanted.emit,
            folder,
            machine=self._session.engine.place.machine,
        )

    def reopen(self) -> None:
        """Opens the same source again, with the plan as it is."""
        document = self._document
        if document.source is not None:
            self._session.open(
                document.source,
                inputs=document.inputs,
                trust_code=document.trust_code,
                keep_plan=True,
            )

    def save_plan(self) -> None:
        """Saves to the plan's file, asking for one where there is none."""
        if self._document.path is None:
            self.save_plan_as()
        else:
            self._session.save_plan(self._document.path)

    def save_plan_as(self, then: Callable[[], object] | None = None) -> None:
        """Asks for a file and saves to it; ``then`` follows when it could be written."""
        model = self._document.model
        name = f"{model.name if model else 'my'}{files.PLAN_ENDING}".replace("/", "-")
        if self._document.path is not None:
            name = self._document.path.name

        def save(path: str) -> None:
            self._session.settings.update(folder=str(Path(path).parent))
            if self._session.save_plan(Path(path)) and then is not None:
                then()

        folder = self._session.settings.values.folder
        files.choose_new_file(
            self._window,
            translate("Window", "Save the plan"),
            translate("Window", files.PLANS),
            name,
            save,
            folder,
        )

    def save_then(self, then: Callable[[], object]) -> None:
        """Saves the plan, asking for a file where there is none, and then goes on."""
        path = self._document.path
        if path is None:
            self.save_plan_as(then)
        elif self._session.save_plan(path):
            then()

    # Finding

    def find(self) -> None:
        """Puts the cursor into the filter of what is shown."""
        window = self._window
        if self._document.model is None:
            window.start.focus_filter()
        elif window.left.plan.isAncestorOf(QApplication.focusWidget() or window):
            self.filter_options()
        elif window.workspace.current == SEARCH:
            window.workspace.search.focus_filter()
        elif window.workspace.current == ICICLE:
            window.workspace.icicle.focus_filter()
        elif window.workspace.current == HISTORY:
            window.workspace.history.focus_filter()
        else:
            window.workspace.show_view(LAYERS)
            window.workspace.layers.focus_filter()

    def filter_options(self) -> None:
        """Shows the filter of the plan's options, or hides it."""
        self._window.actions_["left_dock"].setChecked(True)
        self._window.show_docks()
        self._window.left.show_run(False)
        self._window.left.plan.toggle_filter()

    def pin_option(self) -> None:
        """Pins the option that has the cursor, or lets it go."""
        key = self._window.left.plan.key_at(QApplication.focusWidget())
        if key is not None:
            self._window.pins.toggle(key)

    def open_palette(self) -> None:
        """Opens the palette over the top of the window."""
        window = self._window
        width = min(PALETTE_WIDTH, window.width() - 40)
        top = window.mapToGlobal(QPoint(window.width() - width - 12, 70))
        if window.width() < 900:
            top = window.mapToGlobal(QPoint((window.width() - width) // 2, 70))
        place = QRect(top.x(), top.y(), width, min(PALETTE_HEIGHT, window.height() - 90))
        window.palette_.open_over(place, self.entries())

    def entries(self) -> list[Entry]:
        """Everything the palette offers now."""
        found = []
        for declared in ACTIONS:
            action = self._window.actions_[declared.name]
            if action.isEnabled() and declared.name != "palette":
                keys = action.shortcut().toString().replace("+", " ")
                menu = words_of(declared.menu)
                detail = f"{menu}   {keys}" if keys else menu
                found.append(Entry("command", words_of(declared.text), detail, action.trigger))
        for device in self._session.devices:
            choose = partial(self._session.choose_device, device)
            where = self._session.engine.place.where
            words = (
                where if device.local else translate("Window", "not {where}").format(where=where)
            )
            found.append(
                Entry(
                    "device",
                    translate("Window", "Plan for {name}").format(name=device.name),
                    words,
                    choose,
                )
            )
        for sample in self._window.samples.samples:
            show = partial(self._window.samples.open, sample)
            found.append(
                Entry(
                    "sample",
                    translate("Window", "Sample: {title}").format(title=sample.title),
                    sample.sentence,
                    show,
                )
            )
        if self._document.model is None:
            return found
        edit, focus = self._session.edit, self._focus_option
        for option in self._window.left.plan.options():
            key = option.key
            found.append(Entry("option", option.title, key, partial(focus, key)))
            for choice in option.choices:
                words = f"{option.title}: {choice.title}"
                found.append(Entry("option", words, key, partial(edit, key, choice.value)))
        estimate = self._document.estimate
        for layer in estimate.layers if estimate else ():
            if layer.name:
                show = partial(self._show, layer.name)
                found.append(Entry("module", layer.name, layer.type, show))
        return found

    def _focus_option(self, key: str) -> None:
        self._window.actions_["left_dock"].setChecked(True)
        self._window.show_docks()
        self._window.left.show_run(False)
        self._window.left.plan.focus_option(key)

    def _show(self, module: str) -> None:
        self._window.workspace.show_view(LAYERS)
        self._session.selection.select(module)

    # The rest

    def choose_scheme(self, scheme: SchemeChoice) -> None:
        """Takes light or dark, or the system's, now and at the next start."""
        application = QApplication.instance()
        if isinstance(application, QApplication):
            apply_theme(application, scheme)
        self._session.settings.update(scheme=scheme)

    def choose_language(self, language: Language) -> None:
        """Speaks a language, or the system's, from the next start on."""
        if language != self._session.settings.values.language:
            self._session.settings.update(language=language)
            words = translate("Window", "The language changes when memplanner is opened again.")
            self._session.noticed.emit(Notice("info", words))

    def choose_device(self) -> None:
        """Opens the device chooser with the cursor in its field."""
        self._window.tools.device.open_menu()

    def show_as_table(self) -> None:
        """Shows the icicle as a table where it is in sight, else the timeline; or as drawn."""
        workspace = self._window.workspace
        if workspace.current == ICICLE:
            workspace.icicle.toggle_table()
            return
        workspace.show_view(TIMELINE)
        workspace.timeline.toggle_table()

    def show_run_settings(self) -> None:
        """Shows the Live view with the cursor in the number of steps."""
        self._window.workspace.show_view(LIVE)
        self._window.workspace.live.form.focus()

    def fill_plan_menu(self, menu: QMenu) -> None:
        """The menu behind the three dots of the plan."""
        for name, title in self._window.left.plan.changed_sections():
            action = menu.addAction(translate("Window", "Reset {title}").format(title=title))
            action.triggered.connect(lambda _=False, n=name: self._document.reset_section(n))
        if menu.actions():
            menu.addSeparator()
        for name in (
            "reset_plan",
            "unfold_sections",
            "fold_sections",
            "save_plan",
            "save_plan_as",
            "export",
        ):
            menu.addAction(self._window.actions_[name])

    def show_keys(self) -> None:
        """Opens the list of keys, where they can be changed."""
        KeysDialog(self._window.shortcuts, self._window).open()

    def show_about(self) -> None:
        """Says what this is."""
        about_box(self._session.engine.info, self._window).open()
