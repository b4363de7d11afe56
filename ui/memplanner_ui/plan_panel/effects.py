"""The effects that the plan panel shows: collected as they come, and best ones put in headers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from PySide6.QtCore import QObject

from memplanner.messages.effects import OptionEffect
from memplanner.messages.estimate import Verdict
from memplanner.plan import Plan
from memplanner_ui.language import translate
from memplanner_ui.plan_panel.badge import Effect
from memplanner_ui.plan_panel.effect_words import shown
from memplanner_ui.plan_panel.panel import PlanPanel
from memplanner_ui.plan_panel.rows import Choose, FieldRow
from memplanner_ui.plan_panel.section import SectionRows


class PanelEffects(QObject):
    """Takes effects one by one. Those of an earlier plan stay, dimmed, until theirs have come."""

    def __init__(self, panel: PlanPanel) -> None:
        super().__init__(panel)
        self._panel = panel
        self._plan = Plan()
        self._verdict: Verdict | None = None
        self._known: dict[str, dict[str, tuple[OptionEffect, Effect]]] = {}
        """By key and value."""

    def begin(self, plan: Plan, verdict: Verdict | None) -> None:
        """Effects of ``plan`` will come; ``verdict`` is its own."""
        self._plan, self._verdict = plan, verdict
        self._known = {}
        self.dim()

    def add(self, effect: OptionEffect) -> None:
        """Shows one effect."""
        section = self._panel.sections().get(effect.key.split(".", 1)[0])
        rows = None if section is None else section.rows.get(effect.key)
        if section is None or rows is None:
            return
        numeric = isinstance(rows, FieldRow) and rows.option.kind != "flag"
        at = rows.option.words(effect.value) if numeric else ""
        words = shown(effect, self._verdict, type(self._plan), at)
        known = self._known.setdefault(effect.key, {})
        known[str(effect.value)] = effect, words
        if isinstance(rows, Choose):
            rows.set_effect(str(effect.value), words)
        else:
            rows.set_effect("", self._of_field(rows, known.values()))
        self._show_offers(section, effect.key)

    def finish(self) -> None:
        """No more will come: what was not told of this plan is not shown."""
        for section in self._panel.sections().values():
            for key, rows in section.rows.items():
                known = self._known.get(key, {})
                if isinstance(rows, Choose):
                    for choice in rows.option.choices:
                        if choice.value not in known:
                            rows.set_effect(choice.value, None)
                elif not known:
                    rows.set_effect("", None)
                self._show_offers(section, key)

    def effects_of(self, key: str) -> tuple[OptionEffect, ...]:
        """What is known of an option's other values."""
        return tuple(effect for effect, _ in self._known.get(key, {}).values())

    def dim(self) -> None:
        """The plan has changed."""
        for section in self._panel.sections().values():
            section.dim()

    def clear(self) -> None:
        """Nothing is known."""
        self._known = {}
        self.finish()

    def _of_field(self, rows: FieldRow, known: Iterable[tuple[OptionEffect, Effect]]) -> Effect:
        """The next value up, or down where the plan does not fit; all of them in the tip."""
        told = list(known)
        if rows.option.kind == "flag":
            return told[0][1]
        told.sort(key=lambda one: float(one[0].value))
        now = float(rows.option.value(self._plan))
        higher = [words for effect, words in told if float(effect.value) > now]
        lower = [words for effect, words in told if float(effect.value) < now]
        down = self._verdict in ("at_risk", "does_not_fit")
        first = (lower[-1:] or higher[:1]) if down else (higher[:1] or lower[-1:])
        lines = (_said(one) for _, one in told)
        return replace(first[0], tip="\n".join(lines), up=first[0] in higher)

    def _show_offers(self, section: SectionRows, key: str) -> None:
        def of(keys: Iterable[str]) -> Iterator[Effect]:
            return (words for one in keys for _, words in self._known.get(one, {}).values())

        section.show_offer(key, _best(of([key])), _best(of(section.rows)))


def _best(effects: Iterable[Effect]) -> Effect | None:
    """The one that saves most; where all take more, the one that takes least.

    Where nothing can be chosen, why; None where something is the same and nothing saves.
    """
    told = list(effects)
    possible = [one for one in told if not one.refused]
    if possible:
        best = min(possible, key=lambda one: one.size_bytes or 0)
        return best if best.size_bytes else None
    words = {one.rest or one.memory for one in told}
    return Effect(words.pop(), "faint") if len(words) == 1 else None


def _said(effect: Effect) -> str:
    """An effect in a line, with the value that has it."""
    words = f"{effect.memory}, {effect.rest}" if effect.rest else effect.memory
    return translate("Plan panel", "at {at}: {words}").format(at=effect.at, words=words)
