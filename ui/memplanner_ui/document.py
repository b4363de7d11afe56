"""What is open: the model, the plan and its history, the device, the last estimate."""

from __future__ import annotations

from pathlib import Path
from weakref import ref

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from memplanner.messages.device import Device
from memplanner.messages.estimate import Estimate, ModelInfo
from memplanner.plan import Plan, difference
from memplanner.plan.file import read_plan, write_plan
from memplanner_ui.language import of_plan, plural, translatable, translate
from memplanner_ui.plan_on_disk import PlanFile

_MERGE_ID = 1
NEW_PLAN = translatable("Window", "new plan")


class EditPlan(QUndoCommand):
    """One change of the plan: the plan before and the plan after."""

    def __init__(self, document: Document, before: Plan, after: Plan, text: str, key: str) -> None:
        super().__init__(text)
        # Weak, as the document has the history that has this: PySide crashes where Python's
        # garbage collection has to take such a circle apart.
        self._document = ref(document)
        self._before = before
        self._after = after
        self._key = key
        """Edits of the same key become one while a slider or a spin box is moved; empty: never."""

    def redo(self) -> None:
        """Makes the later plan the current one."""
        self._show(self._after)

    def undo(self) -> None:
        """Makes the earlier plan the current one."""
        self._show(self._before)

    def _show(self, plan: Plan) -> None:
        document = self._document()
        if document is not None:
            document._show_plan(plan)

    def id(self) -> int:
        """Tells Qt which commands may merge."""
        return _MERGE_ID if self._key else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Takes over a later edit of the same key; nothing is left when it returns to the start."""
        if not isinstance(other, EditPlan) or other._key != self._key:
            return False
        self._after = other._after
        self.setText(other.text())
        self.setObsolete(self._after == self._before)
        return True


class Document(QObject):
    """The state of a session. Views read it and listen; only ``Session`` and edits change it."""

    model_changed = Signal()
    plan_changed = Signal(object)
    """The new ``Plan``."""
    estimate_changed = Signal(object)
    """The new ``Estimate``, or None."""
    device_changed = Signal(object)
    """The new ``Device``, or None."""
    title_changed = Signal()
    """The name or the saved state changed."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.source: str | None = None
        self.inputs: tuple[str, ...] = ()
        self.trust_code = False
        self.model: ModelInfo | None = None
        self.notes: tuple[str, ...] = ()
        self.path: Path | None = None
        """Of the plan's file; None before it is saved."""
        self.file = PlanFile()
        """What the window knows of that file."""
        self.first_plan = Plan()
        """What a reset returns to: the plan a model came with."""
        self.estimate: Estimate | None = None
        self.device: Device | None = None
        self.history = QUndoStack(self)
        self.history.cleanChanged.connect(self._on_clean)
        self._plan = Plan()
        self._gesture = 0

    # The model

    def open_model(
        self,
        source: str,
        model: ModelInfo,
        first_plan: Plan,
        *,
        inputs: tuple[str, ...] = (),
        trust_code: bool = False,
        notes: tuple[str, ...] = (),
        keep_plan: bool = False,
    ) -> None:
        """Shows a model that the engine has opened, with its first plan unless one is kept."""
        self.source, self.inputs, self.trust_code = source, inputs, trust_code
        self.model, self.notes, self.first_plan = model, notes, first_plan
        self.set_estimate(None)
        if not keep_plan:
            self.path = None
            self.history.clear()
            self._show_plan(first_plan)
        self.model_changed.emit()
        self.title_changed.emit()

    def close_model(self) -> None:
        """Back to nothing open."""
        self.source, self.model, self.notes, self.path = None, None, (), None
        self.history.clear()
        self.set_estimate(None)
        self._show_plan(Plan())
        self.model_changed.emit()
        self.title_changed.emit()

    # The plan

    @property
    def plan(self) -> Plan:
        """The plan as it is now."""
        return self._plan

    @property
    def plan_name(self) -> str:
        """The plan's file without its ending, or ``new plan``."""
        return (
            translate("Window", NEW_PLAN)
            if self.path is None
            else self.path.stem.removesuffix(".plan")
        )

    @property
    def dirty(self) -> bool:
        """Whether there are edits that no file has."""
        return not self.history.isClean()

    def set_value(self, key: str, value: object, *, merge: bool = False) -> None:
        """Changes one key, undoably; ``merge`` joins it with the last edit of the same key.

        Raises ``PlanError``.
        """
        self.set_plan(self._plan.with_values({key: value}), merge_key=key if merge else "")

    def set_plan(self, plan: Plan, text: str = "", *, merge_key: str = "") -> None:
        """Makes ``plan`` the current one, undoably."""
        if plan == self._plan:
            return
        key = f"{merge_key} {self._gesture}" if merge_key else ""
        text = text or _words_of(self._plan, plan)
        self.history.push(EditPlan(self, self._plan, plan, text, key))

    def end_gesture(self) -> None:
        """A slider or spin box was let go: its next edit is one of its own."""
        self._gesture += 1

    def reset_section(self, name: str) -> None:
        """Gives a section (or a single value) of the plan its first value again."""
        value = getattr(self.first_plan, name)
        self.set_plan(
            self._plan.model_copy(update={name: value}),
            translate("Window", "reset {name}").format(name=of_plan(name)),
        )

    def open_plan(self, path: Path) -> None:
        """Reads a plan's file, undoably. Raises ``PlanError``."""
        found = PlanFile()
        found.take(path)
        plan = read_plan(path)
        self.set_plan(plan, translate("Window", "open {name}").format(name=path.name))
        self.path, self.file = path, found
        self.history.setClean()
        self.title_changed.emit()

    def restore(self, plan: Plan, path: Path | None) -> None:
        """Shows a plan with edits that no file has, undoably; ``path`` has the one before them."""
        self.set_plan(plan, translate("Window", "restore the plan"))
        self.path = path
        self.file.take(path)
        self.title_changed.emit()

    def save_plan(self, path: Path) -> None:
        """Writes the plan's file. Raises ``PlanError``."""
        write_plan(self._plan, path)
        self.path = path
        self.file.take(path)
        self.history.setClean()
        self.title_changed.emit()

    def _on_clean(self, _clean: bool) -> None:
        self.title_changed.emit()

    def _show_plan(self, plan: Plan) -> None:
        if plan != self._plan:
            self._plan = plan
            self.plan_changed.emit(plan)

    # What follows from it

    def set_device(self, device: Device | None) -> None:
        """Plans for another device."""
        if device != self.device:
            self.device = device
            self.device_changed.emit(device)

    def set_estimate(self, estimate: Estimate | None) -> None:
        """Shows an estimate, or that there is none."""
        if estimate is not self.estimate:
            self.estimate = estimate
            self.estimate_changed.emit(estimate)

    @property
    def estimate_is_current(self) -> bool:
        """Whether the estimate is of the plan and device as they are now."""
        return self.estimate is not None and self.estimate.plan == self._plan


def _words_of(before: Plan, after: Plan) -> str:
    """An edit in words, such as ``batch size 4`` or ``3 changes``."""
    changes = difference(before, after)
    if len(changes) != 1:
        return plural("Window", "{count} changes", "{count} change", len(changes)).format(
            count=len(changes)
        )
    name = of_plan(changes[0].key.rsplit(".", 1)[-1].replace("_", " "))
    value = changes[0].after
    return f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}"
