"""Tapes of a model under plans: recorded where they must be, computed where they can be.

Structural choices (precision, attention, checkpointing, adapters, optimizer) make a new recording.
Batch and sequence change sizes only, and are evaluated from forms; accumulation beyond two
micro-batches changes nothing at all.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from memplanner.errors import EstimateError, MemplannerError
from memplanner.estimate.cutting import cuts, needs_all_blocks
from memplanner.estimate.fold import unfold
from memplanner.estimate.folded import FoldedStep
from memplanner.estimate.forms import (
    Forms,
    fit,
    has_scratch,
    other_point,
    padding_class,
    same_structure,
)
from memplanner.estimate.generation_forms import borders, forms_of
from memplanner.estimate.named_blocks import Sayings, sayings
from memplanner.estimate.periods import KEPT, Cut
from memplanner.estimate.recording import Point, Recordings
from memplanner.estimate.structure import sizes_follow_forms, structure_of
from memplanner.estimate.whole import same_forward
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.activation_checkpointing import ActivationCheckpointing
from memplanner.plan.quantization import Quantization
from memplanner.plan.sharding import Sharding
from memplanner.tape.interruption import Interrupted, give_up_if_asked
from memplanner.tape.record import without_collection
from memplanner.tape.tape import Array, Tape
from memplanner.techniques.inference import sequence_length
from memplanner.techniques.parallel.pipeline_parts import Part
from memplanner.techniques.target import Target

_REMEMBERED = 64
_THRESHOLDS = ("window", "chunk", "original_max_position", "block_size")


@dataclass(slots=True)
class _Structure:
    """What was recorded for one structural choice."""

    point: Point
    recorded: Tape
    unfolded: Tape
    cuts: tuple[Cut, ...]
    folded: FoldedStep | None
    forms: Forms | None = None
    fitted: bool = False
    checked: list[Point] = field(default_factory=list)
    others: OrderedDict[Point, Tape] = field(default_factory=OrderedDict)
    """Tapes of other points, where sizes follow no forms."""


class Recorder:
    """The recordings of one model."""

    def __init__(self, model: Model) -> None:
        self._recordings = Recordings(model)
        self._structures: OrderedDict[tuple[Plan, Target], _Structure] = OrderedDict()
        self._cuts: dict[tuple[int, bool, Sayings, tuple[Part, ...]], tuple[Cut, ...]] = {}
        self._agreed: dict[tuple[Cut, ...], bool] = {}
        """Whether a forward of the whole model was the folded one; presets' are tested."""
        self._pads = False
        """Whether lengths of one padding class were seen to take other operations than another."""
        self._thresholds = tuple(
            border
            for value in sorted(set(_lengths(model.config)))
            for border in (value, value + 1)  # some code changes at it, some beyond it
        )

    @property
    def model(self) -> Model:
        """The model, which whoever asks for tapes still holds."""
        return self._recordings.model

    @property
    def parameter_sizes(self) -> tuple[int, ...]:
        """Elements of each parameter, in the model's order."""
        return tuple(part.numel() for part in self._recordings.module(()).parameters())

    def point(self, plan: Plan) -> Point:
        """Batch and sequence as the model takes them: its positions limit the sequence."""
        if not self.model.takes_sequence:
            return plan.training.batch_size, 1
        return plan.training.batch_size, sequence_length(self.model, plan)

    def tape(self, plan: Plan, target: Target) -> tuple[Tape, str]:
        """The tape of one steady step of the whole model, and how it was made."""
        point = self.point(plan)
        with without_collection():
            structure = self._structure(plan, target, point)
            return self._at(structure, plan, target, point), self._method(structure)

    def peaks_bytes(self, plan: Plan, target: Target, points: Sequence[Point]) -> Array:
        """The peak at each batch and sequence, kernels' scratch not counted: for searches."""
        peaks = np.zeros(len(points), dtype=np.int64)
        together: dict[int, tuple[_Structure, list[int]]] = {}
        for place, point in enumerate(points):
            structure = self._structure(plan, target, point)
            together.setdefault(id(structure), (structure, []))[1].append(place)
        for structure, places in together.values():
            self._fit(structure, plan, target)
            trusted = [place for place in places if self._trusted(structure, points[place])]
            step = structure.folded
            if structure.forms is not None and step is not None and trusted:
                peaks[trusted] = step.peaks_bytes(
                    structure.forms, [points[place] for place in trusted]
                )
            else:
                trusted = []
            for place in sorted(set(places) - set(trusted)):
                tape = self._at(structure, plan, target, points[place]).without_scratch()
                peaks[place] = tape.curve_bytes.max()
        return peaks

    def exact(self, plan: Plan, target: Target) -> Tape:
        """The tape recorded at this very batch and sequence: its shapes are the real ones."""
        point = self.point(plan)
        structure = self._structure(plan, target, point)
        if point == structure.point:
            return structure.unfolded
        return self._recorded_at(structure, plan, target, point)

    def prepare_changes(self, plan: Plan, target: Target) -> None:
        """Records what later changes of batch and sequence need: for idle moments."""
        batch, length = self.point(plan)
        pads = self._pads
        for alike in {batch, 2 if batch == 1 else 1}:
            self._fit(self._structure(plan, target, (alike, length)), plan, target)
        if self._pads != pads:  # then lengths of another padding are another structure
            self.prepare_changes(plan, target)

    def _key(self, plan: Plan, point: Point) -> Plan:
        """The plan with every value of the same structure made one."""
        alike = sizes_follow_forms(plan, *point)
        length = self._lengths_class(plan, point[1]) if alike else -point[1]
        return structure_of(plan, min(point[0], 2) if alike else point[0], length)

    def _lengths_class(self, plan: Plan, length: int) -> int:
        """The same number for lengths at which the plan's step takes the same operations."""
        classes = [self._length_class(border) for border in borders(plan, length)]
        return classes[0] if len(classes) == 1 else int("".join(f"{one:04}" for one in classes))

    def _length_class(self, length: int) -> int:
        """The same number for lengths that take the same operations."""
        if length == 1:
            return 1
        passed = sum(length >= threshold for threshold in self._thresholds)
        return 2 + 4 * passed + (1 + padding_class(length) if self._pads else 0)

    def _structure(self, plan: Plan, target: Target, point: Point) -> _Structure:
        key = (self._key(plan, point), target)
        known = self._structures.get(key)
        if known is not None:
            self._structures.move_to_end(key)
            return known
        folded = None
        for chosen in _tries(self._choose_cuts(plan, target)):
            folded = self._folded(plan, target, point, chosen)
            if folded is not None:
                break
        if folded is None:  # the blocks are not alike after all
            chosen = ()
            whole = self._recordings.record(plan, target, point, chosen)
            folded = whole, whole
        recorded, unfolded = folded
        give_up_if_asked()
        step = FoldedStep.of(recorded, chosen)
        structure = _Structure(point, recorded, unfolded, chosen, step, checked=[point])
        self._structures[key] = structure
        if len(self._structures) > _REMEMBERED:
            self._structures.popitem(last=False)
        return structure

    def _folded(
        self, plan: Plan, target: Target, point: Point, chosen: tuple[Cut, ...]
    ) -> tuple[Tape, Tape] | None:
        """The cut model's tape and the whole model's made of it; None where it would be another."""
        if chosen not in self._agreed and plan.sharding.ranks > 1:
            # a forward alone leaves shards gathered; and the model's code is the same on one card
            alone = plan.model_copy(update={"sharding": Sharding()})
            whole = chosen if plan.sharding.pipeline == 1 else self._choose_cuts(alone, target)
            self._folded(alone, replace(target, rank=0), point, whole)
            self._agreed[chosen] = self._agreed.get(whole, True)
        if chosen not in self._agreed and sayings(plan):
            # the model's code treats blocks alike whatever a plan says of single ones
            plain = plan.model_copy(
                update={
                    "quantization": Quantization(),
                    "activation_checkpointing": ActivationCheckpointing(),
                }
            )
            longer = self._choose_cuts(plain, target)
            self._folded(plain, target, point, longer)
            self._agreed[chosen] = self._agreed.get(longer, True)
        if self._agreed.get(chosen) is False:
            return None
        try:
            recorded = self._recordings.record(plan, target, point, chosen)
        except EstimateError:  # code that names a block which was cut away
            self._agreed[chosen] = False
            return None
        give_up_if_asked()
        unfolded = _unfold_all(recorded, chosen)
        if unfolded is None:
            return None
        if chosen not in self._agreed and self.model.kind != "preset":
            forward = self._recordings.record(plan, target, point, (), forward_only=True)
            self._agreed[chosen] = same_forward(unfolded, forward)
        return (recorded, unfolded) if self._agreed.get(chosen, True) else None

    def _choose_cuts(self, plan: Plan, target: Target) -> tuple[Cut, ...]:
        checkpointing = plan.activation_checkpointing
        every = checkpointing.every if checkpointing.policy == "every_n" else 1
        parts = self._recordings.parts(plan, target)
        key = (every, needs_all_blocks(plan), sayings(plan), parts)
        known = self._cuts.get(key)
        if known is None:
            records = self._recordings
            module = records.stages(parts, ()) if parts else records.module(())
            known = self._cuts[key] = cuts(module, plan)
        return known

    def _fit(self, structure: _Structure, plan: Plan, target: Target) -> None:
        if structure.fitted:
            return
        structure.fitted = True
        if target.kind == "cpu" and has_scratch(structure.recorded):
            return  # kernels' measured scratch follows no form: other points are measured anew
        key = self._key(plan, structure.point)
        limit = self.model.max_sequence_length

        def alike(batch: int, length: int) -> bool:
            inside = limit is None or not self.model.takes_sequence or length <= limit
            return inside and self._key(plan, (batch, length)) == key

        def no_longer(batch: int, length: int) -> bool:
            return length <= structure.point[1] and alike(batch, length)

        for allowed in (alike, no_longer):  # a user's own code may take no longer sequence
            point = other_point(*structure.point, allowed, forms_of(plan))
            try:
                tape = self._recordings.record(plan, target, point, structure.cuts)
            except MemplannerError:
                continue
            except Interrupted:
                structure.fitted = False  # it is asked for again
                raise
            structure.forms = fit(structure.recorded, structure.point, tape, point, forms_of(plan))
            if structure.forms is None and padding_class(point[1]) != padding_class(
                structure.point[1]
            ):
                self._pads = not same_structure(structure.recorded, tape)
            break
        else:  # or no other shape at all
            return
        structure.checked.append(point)

    def _at(self, structure: _Structure, plan: Plan, target: Target, point: Point) -> Tape:
        if point == structure.point:
            return structure.unfolded
        self._fit(structure, plan, target)
        forms = structure.forms
        if forms is not None and not self._trusted(structure, point):
            tape = self._recordings.record(plan, target, point, structure.cuts)
            alike = same_structure(tape, structure.recorded) and bool(
                (forms.sizes_bytes(*point) == tape.size_bytes).all()
            )
            if alike:
                structure.checked.append(point)
            else:
                structure.forms = forms = None
        if forms is not None:
            sizes = forms.sizes_bytes(*point)[structure.unfolded.source]
            return replace(structure.unfolded, size_bytes=sizes)
        return self._recorded_at(structure, plan, target, point)

    def _recorded_at(self, structure: _Structure, plan: Plan, target: Target, point: Point) -> Tape:
        known = structure.others.get(point)
        if known is None:
            known = _unfold_all(
                self._recordings.record(plan, target, point, structure.cuts), structure.cuts
            )
            if known is None:
                known = self._recordings.record(plan, target, point, ())
            structure.others[point] = known
            if len(structure.others) > _REMEMBERED:
                structure.others.popitem(last=False)
        return known

    def _trusted(self, structure: _Structure, point: Point) -> bool:
        """Whether forms hold at a point: between recorded ones, or by the configuration.

        A configuration names the lengths at which a transformer behaves otherwise; a user's own
        code may branch on any. Recordings of one length tell nothing about another.
        """
        for axis in (0, 1):
            known = {checked[axis] for checked in structure.checked}
            inside = min(known) <= point[axis] <= max(known)
            if not inside and (len(known) == 1 or not self.model.config):
                return False
        return True

    def _method(self, structure: _Structure) -> str:
        if self.model.parameters_only:
            return "weights only: the source names parameters but no forward"
        folded = [f"{cut.periods * cut.period} blocks folded to {KEPT * cut.period}"
                  for cut in structure.cuts]  # fmt: skip
        return self._recordings.how + "".join(f", {part}" for part in folded)


def _tries(chosen: tuple[Cut, ...]) -> Iterator[tuple[Cut, ...]]:
    """The cuts, then the same from the second period on.

    Where the first block alone needs no gradient for its input, the second one's backward ends
    otherwise than the third one's.
    """
    if chosen:
        yield chosen
        later = tuple(cut.without_first() if cut.periods > KEPT + 1 else cut for cut in chosen)
        if later != chosen:
            yield later


def _lengths(config: Mapping[str, Any]) -> Iterator[int]:
    """The lengths that a configuration, or one inside it, names as borders."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _lengths(value)
        elif type(value) is int and value > 0 and any(word in key for word in _THRESHOLDS):
            yield value


def _unfold_all(tape: Tape, chosen: tuple[Cut, ...]) -> Tape | None:
    unfolded: Tape | None = tape
    for cut in chosen:
        unfolded = None if unfolded is None else unfold(unfolded, cut)
    return unfolded


_recorders: WeakKeyDictionary[Model, Recorder] = WeakKeyDictionary()


def recorder(model: Model) -> Recorder:
    """The recorder of a model, kept as long as the model is."""
    known = _recorders.get(model)
    if known is None:
        known = _recorders[model] = Recorder(model)
    return known
