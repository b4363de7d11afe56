"""Choices for the layers that are selected in the tree: the menu, the edit, and the marks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, QPoint
from PySide6.QtWidgets import QMenu

from memplanner.errors import PlanError
from memplanner.plan import Plan
from memplanner.plan.per_layer import parse, value_of
from memplanner_ui.checkpoint_edits import (
    RECOMPUTED,
    Recomputable,
    recomputed,
    with_recomputed,
)
from memplanner_ui.language import summary_of_plan, translate
from memplanner_ui.layer_edits import (
    BITS,
    RATIOS,
    WHOLE,
    LinearLayers,
    bits_words,
    marks,
    ratio_words,
    with_bits,
    with_ratio,
)
from memplanner_ui.notices import Notice
from memplanner_ui.session import Session
from memplanner_ui.views.layers import LayersView
from memplanner_ui.views.module_panel import ModulePanel

_Edit = Callable[[Plan, LinearLayers, Sequence[str], str | None], Plan]


class LayerChoices(QObject):
    """Every choice is one edit that can be undone, however many layers it is for."""

    def __init__(
        self, session: Session, view: LayersView, panel: ModulePanel, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._session, self._view = session, view
        self._layers = LinearLayers()
        self._recomputable = Recomputable()
        self._read_of: list[tuple[str, str]] = []
        """Names and types of the rows that both were read of."""
        self._marked: tuple[object, ...] = ()
        """What the marks that are shown follow from."""
        document = session.document
        document.estimate_changed.connect(lambda _: self._read())
        document.plan_changed.connect(lambda _: self._mark())
        view.tree.menu_wanted.connect(self.open_menu)
        panel.choice_wanted.connect(self.open_menu)

    @property
    def layers(self) -> LinearLayers:
        """The linear layers of the estimate that is shown."""
        return self._layers

    def open_menu(self, at: QPoint) -> None:
        """Shows what can be chosen for the selected layers."""
        menu = self.menu()
        menu.popup(at)

    def menu(self) -> QMenu:
        """The menu of the selected rows; it deletes itself when it is closed."""
        tree, plan = self._view.tree, self._session.document.plan
        picked = self._layers.below(tree.picked())
        menu = QMenu(tree)
        menu.setToolTipsVisible(True)
        none = translate("Window", "no linear layer")
        words = _named(picked, none, translate("Window", "{count} linear layers"))
        bits = menu.addMenu(translate("Window", "Keep in bits: {words}").format(words=words))
        usual = self._usual_bits(plan)
        self._offer(bits, picked, "bits", [(bits_words(value), value) for value in BITS])
        bits.addSeparator()
        self._offer(
            bits,
            picked,
            "bits",
            [(translate("Window", "Leave out of quantization"), WHOLE), (usual, None)],
        )
        prune = menu.addMenu(translate("Window", "Prune: {words}").format(words=words))
        self._offer(prune, picked, "ratio", [(ratio_words(value), value) for value in RATIOS])
        prune.addSeparator()
        as_all = translate("Window", "As the section says: {summary}").format(
            summary=summary_of_plan(plan.pruning.summary)
        )
        self._offer(
            prune, picked, "ratio", [(translate("Window", "Leave unpruned"), "0"), (as_all, None)]
        )
        bits.setEnabled(bool(picked))
        if plan.pruning.structure in ("none", "unstructured"):
            prune.setEnabled(bool(picked))
        else:
            prune.setTitle(translate("Window", "Prune: only with single weights"))
            prune.setEnabled(False)
        self._offer_recomputation(menu, self._recomputable.among(tree.picked()))
        menu.addSeparator()
        menu.addActions(tree.actions())
        menu.aboutToHide.connect(menu.deleteLater)
        return menu

    def _offer(
        self,
        menu: QMenu,
        picked: Sequence[str],
        kind: str,
        choices: Sequence[tuple[str, str | None]],
    ) -> None:
        plan = self._session.document.plan
        section = plan.quantization if kind == "bits" else plan.pruning
        overrides = parse(section.per_layer)
        now = {value_of(name, overrides) for name in picked}
        off = section.summary == "off"
        for words, value in choices:
            action = menu.addAction(words)
            action.setCheckable(True)
            action.setChecked(now == {value} and not off)
            action.setEnabled(not off or value not in (None, WHOLE, "0"))
            action.triggered.connect(lambda _=False, value=value: self.choose(kind, picked, value))

    def _offer_recomputation(self, menu: QMenu, picked: Sequence[str]) -> None:
        plan = self._session.document.plan
        section = plan.activation_checkpointing
        now = set(recomputed(plan, self._recomputable))
        none = translate("Window", "nothing to recompute")
        words = _named(picked, none, translate("Window", "{count} modules"))
        inner = menu.addMenu(translate("Window", "Checkpoint: {words}").format(words=words))
        inner.setEnabled(bool(picked))
        instead = section.policy not in ("none", "named")
        again = inner.addAction(
            translate("Window", "Recompute in backward, instead of {summary}").format(
                summary=summary_of_plan(section.summary)
            )
            if instead
            else translate("Window", "Recompute in backward")
        )
        again.setToolTip(
            translate(
                "Window", "The module keeps its input, and runs forward once more in backward."
            )
        )
        keep = inner.addAction(translate("Window", "Keep activations"))
        for action, wanted in ((again, True), (keep, False)):
            action.setCheckable(True)
            action.setChecked(not instead and all((name in now) is wanted for name in picked))
            action.triggered.connect(
                lambda _=False, wanted=wanted: self.choose_recomputed(picked, wanted)
            )
        keep.setEnabled(bool(now.intersection(picked)))

    def choose_recomputed(self, picked: Sequence[str], recompute: bool) -> None:
        """Recomputes ``picked`` in backward, or no longer."""
        document = self._session.document
        plan = with_recomputed(document.plan, self._recomputable, picked, recompute=recompute)
        what = (
            picked[0]
            if len(picked) == 1
            else translate("Window", "{count} modules").format(count=len(picked))
        )
        said = translate("Window", "activations kept")
        if recompute:
            said = translate("Window", RECOMPUTED)
        document.set_plan(plan, f"{what}: {said}")

    @staticmethod
    def _usual_bits(plan: Plan) -> str:
        return translate("Window", "As the section says: {summary}").format(
            summary=summary_of_plan(plan.quantization.summary)
        )

    def choose(self, kind: str, picked: Sequence[str], value: str | None) -> None:
        """Gives ``picked`` their own ``bits`` or pruning ``ratio``; None takes it away."""
        document = self._session.document
        edit: _Edit = with_bits if kind == "bits" else with_ratio
        try:
            plan = edit(document.plan, self._layers, picked, value)
        except PlanError as error:
            self._session.noticed.emit(Notice("caution", str(error).removeprefix("the plan: ")))
            return
        said = translate("Window", "as the section says")
        if value is not None:
            said = bits_words(value) if kind == "bits" else ratio_words(value)
        what = (
            picked[0]
            if len(picked) == 1
            else translate("Window", "{count} layers").format(count=len(picked))
        )
        document.set_plan(plan, f"{what}: {said}")

    def _read(self) -> None:
        estimate = self._session.document.estimate
        layers = () if estimate is None else estimate.layers
        rows = [(layer.name, layer.type) for layer in layers]
        if rows != self._read_of:  # most edits leave them as they are
            self._read_of = rows
            self._layers, self._recomputable = LinearLayers.of(layers), Recomputable.of(layers)
        self._mark()

    def _mark(self) -> None:
        plan = self._session.document.plan
        sections = plan.quantization, plan.pruning, plan.activation_checkpointing
        causes = (*sections, self._layers, self._recomputable)
        if causes == self._marked:
            return
        self._marked = causes
        found, again = dict(marks(plan, self._layers)), translate("Window", RECOMPUTED)
        for name in recomputed(plan, self._recomputable):
            found[name] = f"{found[name]}, {again}" if name in found else again
        self._view.tree.layer_model.set_marks(found)


def _named(picked: Sequence[str], none: str, many: str) -> str:
    """One module by its name, several by ``many`` with their count."""
    if not picked:
        return none
    return _short(picked[0]) if len(picked) == 1 else many.format(count=len(picked))


def _short(name: str) -> str:
    """The end of a path, which tells layers apart."""
    parts = name.split(".")
    return name if len(parts) < 3 else "…" + ".".join(parts[-2:])
