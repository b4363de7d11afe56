"""What a search may change in a plan: the techniques' own alternatives, multiplied out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from memplanner.errors import PlanError
from memplanner.messages.search import PlanChange, SearchGoal
from memplanner.plan import Plan
from memplanner.plan.difference import difference
from memplanner.plan.factoring import divisors
from memplanner.plan.section import Section
from memplanner.techniques.base import Alternative, Technique
from memplanner.techniques.inference import trains
from memplanner.techniques.prepare import at_work, check
from memplanner.techniques.target import Target
from memplanner.units import format_count

_FIRST = ("sharding", "precision", "adapters", "quantization")
"""What others depend on: which parameters are trained, in how many bits, on how many cards."""
_LAST = ("offload", "optimizer")
"""What comes after backward: plans that differ in it alone share most of their step."""


@dataclass(slots=True)
class Space:
    """The plans that a goal allows near ``plan`` on one target, the plan itself first."""

    plan: Plan
    target: Target
    goal: SearchGoal
    words: dict[tuple[str, object], str] = field(default_factory=dict)
    """What tags say of a key with a value."""
    told: dict[Section, str] = field(default_factory=dict)
    """What they say of a whole section, whichever of its keys are changed."""
    _sections: dict[tuple[Section | str, Alternative], Section | str | None] = field(
        default_factory=dict
    )
    _axes: tuple[Technique, ...] = ()

    def __post_init__(self) -> None:
        allowed = self.goal.techniques
        known = [
            technique
            for technique in (at_work(self.plan) if trains(self.plan) else ())
            if allowed is None or technique.name in allowed
        ]
        names = {technique.name: technique for technique in known}
        between = [name for name in names if name not in {*_FIRST, *_LAST}]
        self._axes = tuple(names[name] for name in (*_FIRST, *between, *_LAST) if name in names)

    def plans(self) -> Iterator[Plan]:
        """Every combination that can be carried out, as far as that is known without a recording.

        In the order of the alternatives: what an early axis says changes slowest.
        """
        for start in (self.plan, *self.other_batches()):
            for plan in self._multiplied(start, self._axes):
                if possible(plan, self.target):
                    yield plan

    def other_batches(self) -> Iterator[Plan]:
        """The plan with other micro-batches of the same samples a step, the next smaller first."""
        training = self.plan.training
        keys = ("training.batch_size", "training.gradient_accumulation_steps")
        if not all(self.may_change(key) for key in keys) or not trains(self.plan):
            return
        samples = training.batch_size * training.gradient_accumulation_steps
        sizes = [size for size in divisors(samples) if size != training.batch_size]
        for size in sorted(
            sizes, key=lambda size: (size > training.batch_size, abs(size - training.batch_size))
        ):
            changed = {"batch_size": size, "gradient_accumulation_steps": samples // size}
            yield self.plan.model_copy(update={"training": training.model_copy(update=changed)})

    def plans_that_change(self, count: int) -> Iterator[Plan]:
        """Those in which exactly so many sections are changed; micro-batches count as one."""
        for start in (self.plan, *self.other_batches()):
            others = count - (start is not self.plan)
            for plan in self._multiplied(start, self._axes, exactly=others):
                if possible(plan, self.target):
                    yield plan

    def changes(self, plan: Plan, before: Plan | None = None) -> tuple[PlanChange, ...]:
        """What ``plan`` changes in the space's own plan or in ``before``, with words for tags."""
        return tuple(
            PlanChange(
                key=change.key,
                before=_plain(change.before),
                after=_plain(change.after),
                words=self._words(change.key, change.after, plan),
            )
            for change in difference(before or self.plan, plan)
        )

    def _multiplied(
        self, plan: Plan, axes: Sequence[Technique], exactly: int | None = None
    ) -> Iterator[Plan]:
        if exactly is not None and not 0 <= exactly <= len(axes):
            return
        if not axes:
            yield plan
            return
        axis, *others = axes
        yield from self._multiplied(plan, others, exactly)
        for changed in self._alternatives(axis, plan):
            yield from self._multiplied(changed, others, None if exactly is None else exactly - 1)

    def _alternatives(self, axis: Technique, plan: Plan) -> Iterator[Plan]:
        now = getattr(plan, axis.name)
        seen = {now}
        for alternative in axis.alternatives(plan, self.target):
            key = (now, alternative)
            if key not in self._sections:
                self._sections[key] = self._changed(axis.name, now, alternative)
            section = self._sections[key]
            if section is not None and section not in seen:
                seen.add(section)
                yield plan.model_copy(update={axis.name: section})

    def _changed(
        self, name: str, now: Section | str, alternative: Alternative
    ) -> Section | str | None:
        """The section with the alternative; None where a pinned key would change."""
        before = {
            setting.key: getattr(now, setting.key.partition(".")[2])
            if isinstance(now, Section)
            else now
            for setting in alternative
        }
        for setting in alternative:
            self.words.setdefault((setting.key, setting.value), setting.words)
            if setting.value != before[setting.key] and self._pinned(setting.key):
                return None
        try:
            changed = (
                Plan()
                .model_copy(update={name: now})
                .with_values({setting.key: setting.value for setting in alternative})
            )
        except PlanError:  # the section itself refuses it
            return None
        found: Section | str = getattr(changed, name)
        return found

    def _pinned(self, key: str) -> bool:
        return key in self.goal.pinned or key.partition(".")[0] in self.goal.pinned

    def may_change(self, key: str) -> bool:
        """Whether a key is left to the search."""
        allowed = self.goal.techniques
        return not self._pinned(key) and (allowed is None or key.partition(".")[0] in allowed)

    def _words(self, key: str, value: object, plan: Plan) -> str:
        training = plan.training
        if key == "training.batch_size":
            return f"micro-batch {training.batch_size}"
        if key == "training.gradient_accumulation_steps":
            steps = training.gradient_accumulation_steps
            return f"{steps} micro-batches" if steps > 1 else "no accumulation"
        if key == "training.sequence_length":
            return f"{format_count(training.sequence_length)} tokens"
        if key == "sharding.cards_per_node":
            return f"{value} cards"
        whole = self.told.get(getattr(plan, key.partition(".")[0]))
        if whole is not None:
            return whole
        known = self.words.get((key, value))
        return known if known is not None else f"{key.rpartition('.')[2].replace('_', ' ')} {value}"


def possible(plan: Plan, target: Target) -> bool:
    """Whether nothing in the plan conflicts on the target; the model may refuse it still."""
    try:
        check(plan, target)
    except PlanError:
        return False
    return True


def _plain(value: object) -> bool | int | float | str:
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return "none" if value is None else str(value)
