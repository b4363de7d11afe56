"""Tapes of a model under plans: recorded where they must be, computed where they can be.

Structural choices (precision, attention, checkpointing, adapters, optimizer) make a new recording.
Batch and sequence change sizes only, and are evaluated from forms; accumulation beyond two
micro-batches changes nothing at all.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np

from memplanner.errors import EstimateError, MemplannerError
from memplanner.estimate.cutting import cuts, needs_all_blocks
from memplanner.estimate.folded import FoldedStep
from memplanner.estimate.forms import (
    fit,
    has_scratch,
    other_point,
    padding_class,
    same_structure,
)
from memplanner.estimate.generation_forms import forms_of
from memplanner.estimate.named_blocks import Sayings, sayings
from memplanner.estimate.peak_forms import PeakForms
from memplanner.estimate.periods import KEPT, Cut
from memplanner.estimate.point_classes import PointClasses
from memplanner.estimate.recorded_structure import (
    RecordedStructure,
    keep_whole,
    tries,
    unfold_all,
)
from memplanner.estimate.recording import Point, Recordings
from memplanner.estimate.step_work import StepWork, at_one_point, between
from memplanner.estimate.structure import structure_of
from memplanner.estimate.whole import same_forward
from memplanner.garbage import without_collection
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.plan.activation_checkpointing import ActivationCheckpointing
from memplanner.plan.quantization import Quantization
from memplanner.plan.sharding import Sharding
from memplanner.tape.interruption import Interrupted, give_up_if_asked
from memplanner.tape.record import StepError
from memplanner.tape.tape import Array, Tape
from memplanner.techniques.inference import sequence_length
from memplanner.techniques.parallel.pipeline_parts import Part
from memplanner.techniques.target import Target

_REMEMBERED = 256


class Recorder:
    """The recordings of one model."""

    def __init__(self, model: Model) -> None:
        self._recordings = Recordings(model)
        self._structures: OrderedDict[tuple[Plan, Target], RecordedStructure] = OrderedDict()
        self._whole: deque[RecordedStructure] = deque()
        self._cuts: dict[tuple[int, bool, Sayings, tuple[Part, ...]], tuple[Cut, ...]] = {}
        self._agreed: dict[tuple[Cut, ...], bool] = {}
        """Whether a forward of the whole model was the folded one; presets' are tested."""
        self._classes = PointClasses(model.config)

    @property
    def model(self) -> Model:
        """The model, which whoever asks for tapes still holds."""
        return self._recordings.model

    @property
    def plays_back(self) -> bool:
        """Whether modules are not run but played back: what their kernels do is not known."""
        return self._recordings.plays_back

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
        for structure, places in self._together(plan, target, points):
            self._fit(structure, plan, target)
            trusted = [place for place in places if self._trusted(structure, points[place])]
            step = structure.folded
            if structure.forms is not None and step is not None and trusted:
                if structure.peaks is None:
                    structure.peaks = PeakForms.of(step, structure.forms)
                peaks[trusted] = structure.peaks.peaks_bytes([points[place] for place in trusted])
            else:
                trusted = []
            for place in sorted(set(places) - set(trusted)):
                tape = self._at(structure, plan, target, points[place]).without_scratch()
                peaks[place] = tape.curve_bytes.max()
        return peaks

    def step_at(
        self, plan: Plan, target: Target, points: Sequence[Point]
    ) -> tuple[FoldedStep, Array] | None:
        """The recorded step and the sizes of its storages, shaped (storages, points).

        None where the points are of several structures, or sizes follow no forms.
        """
        with without_collection():
            structures = self._together(plan, target, points)
            structure = structures[0][0]
            if len(structures) > 1:
                return None
            if all(point == structure.point for point in points):
                table = np.repeat(structure.recorded.size_bytes[:, None], len(points), axis=1)
            else:
                self._fit(structure, plan, target)
                forms = structure.forms
                if forms is None or not all(self._trusted(structure, point) for point in points):
                    return None
                table = forms.table_bytes(points)
        if structure.folded is not None:
            return structure.folded, table
        return FoldedStep(structure.unfolded, ()), table[structure.unfolded.source]

    def work_at(
        self, plan: Plan, target: Target, points: Sequence[Point]
    ) -> list[tuple[StepWork, list[int]]]:
        """What a step's kernels do: tables, each with the places of the points that it is for."""
        found: list[tuple[StepWork, list[int]]] = []
        for structure, places in self._together(plan, target, points):
            if any(points[place] != structure.point for place in places):
                self._fit(structure, plan, target)
            if structure.work is None and all(points[place] == structure.point for place in places):
                structure.alone = structure.alone or at_one_point(structure.whole_work)
                found.append((structure.alone, places))
            elif structure.work is not None:
                found.append((structure.work, places))
            else:
                found += [
                    (at_one_point(self._at(structure, plan, target, points[place]).work), [place])
                    for place in places
                ]
        return found

    def _together(
        self, plan: Plan, target: Target, points: Sequence[Point]
    ) -> list[tuple[RecordedStructure, list[int]]]:
        """The structures of some points, each with their places."""
        alike: dict[tuple[int, int], list[int]] = {}
        for place, point in enumerate(points):
            alike.setdefault(self._classes.of(plan, point), []).append(place)
        found: dict[int, tuple[RecordedStructure, list[int]]] = {}
        for places in alike.values():
            structure = self._structure(plan, target, points[places[0]])
            found.setdefault(id(structure), (structure, []))[1].extend(places)
        return list(found.values())

    def exact(self, plan: Plan, target: Target) -> Tape:
        """The tape recorded at this very batch and sequence: its shapes are the real ones."""
        point = self.point(plan)
        structure = self._structure(plan, target, point)
        if point == structure.point:
            return structure.unfolded
        return self._recorded_at(structure, plan, target, point)

    def standing_bytes(self, plan: Plan, target: Target) -> int:
        """What parameters and buffers take on one device, known without a recording.

        0 where the plan cannot be carried out, or says something of single blocks.
        """
        if plan.sharding.ranks > 1 or sayings(plan) or plan.offload.parameters != "none":
            return 0
        return self._recordings.standing_bytes(plan, target, self._choose_cuts(plan, target))

    def prepare_changes(self, plan: Plan, target: Target) -> None:
        """Records what later changes of batch and sequence need: for idle moments."""
        batch, length = self.point(plan)
        pads = self._classes.pads
        for alike in {batch, 2 if batch == 1 else 1}:
            self._fit(self._structure(plan, target, (alike, length)), plan, target)
        if self._classes.pads != pads:  # then lengths of another padding are another structure
            self.prepare_changes(plan, target)

    def _key(self, plan: Plan, point: Point) -> Plan:
        """The plan with every value of the same structure made one."""
        return structure_of(plan, *self._classes.of(plan, point))

    def _structure(self, plan: Plan, target: Target, point: Point) -> RecordedStructure:
        key = (self._key(plan, point), target)
        known = self._structures.get(key)
        if known is not None:
            self._structures.move_to_end(key)
            return known
        folded = None
        for chosen in tries(self._choose_cuts(plan, target)):
            folded = self._folded(plan, target, point, chosen)
            if folded is not None:
                break
        if folded is None:  # the blocks are not alike after all
            chosen = ()
            whole = self._recordings.record(plan, target, point, chosen)
            folded = whole, whole
        recorded, unfolded = folded
        give_up_if_asked()
        structure = RecordedStructure(
            point, recorded, unfolded, unfolded.work, chosen, checked=[point]
        )
        self._structures[key] = structure
        keep_whole(self._whole, structure)
        if len(self._structures) > _REMEMBERED:
            self._structures.popitem(last=False)
        return structure

    def _folded(
        self, plan: Plan, target: Target, point: Point, chosen: tuple[Cut, ...]
    ) -> tuple[Tape, Tape] | None:
        """The cut model's tape and the whole model's made of it; None where it would be another."""
        tested = self.model.kind == "preset"
        if chosen not in self._agreed and plan.sharding.ranks > 1 and not tested:
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
                    "activation_offload": plan.activation_offload.model_copy(
                        update={"modules": ()}
                    ),
                }
            )
            longer = self._choose_cuts(plain, target)
            if longer not in self._agreed and not tested:
                self._folded(plain, target, point, longer)
            self._agreed[chosen] = self._agreed.get(longer, True)
        if self._agreed.get(chosen) is False:
            return None
        try:
            recorded = self._recordings.record(plan, target, point, chosen)
        except EstimateError as error:
            if isinstance(error, StepError) and error.in_update:
                raise  # whatever blocks there are
            # Code may name a block that was cut away; if not, the whole model cannot run it either.
            self._recordings.record(plan, target, point, ())
            self._agreed[chosen] = False
            return None
        give_up_if_asked()
        unfolded = unfold_all(recorded, chosen)
        if unfolded is None:
            return None
        if chosen not in self._agreed and not tested:
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
            known = self._cuts[key] = cuts(self._recordings.outline(parts), plan)
        return known

    def _fit(self, structure: RecordedStructure, plan: Plan, target: Target) -> None:
        if structure.fitted:
            return
        structure.fitted = True
        if target.kind == "cpu" and has_scratch(structure.recorded):
            return  # kernels' measured scratch follows no form: other points are measured anew
        key = self._key(plan, structure.point)
        limit = self.model.max_sequence_length

        def alike(batch: int, length: int) -> bool:
            inside = limit is None or not self.model.takes_sequence or length <= limit
            inside = inside and length % plan.sharding.sequence_parts == 0
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
            if structure.forms is not None:
                structure.work = between(
                    structure.whole_work, structure.recorded.work, structure.point,
                    tape.work, point, forms_of(plan),
                )  # fmt: skip
            if structure.forms is None and padding_class(point[1]) != padding_class(
                structure.point[1]
            ):
                self._classes.pads = not same_structure(structure.recorded, tape)
            break
        else:  # or no other shape at all
            return
        structure.checked.append(point)

    def _at(self, structure: RecordedStructure, plan: Plan, target: Target, point: Point) -> Tape:
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

    def _recorded_at(
        self, structure: RecordedStructure, plan: Plan, target: Target, point: Point
    ) -> Tape:
        known = structure.others.get(point)
        if known is None:
            known = unfold_all(
                self._recordings.record(plan, target, point, structure.cuts), structure.cuts
            )
            if known is None:
                known = self._recordings.record(plan, target, point, ())
            structure.others[point] = known
            if len(structure.others) > _REMEMBERED:
                structure.others.popitem(last=False)
        return known

    def _trusted(self, structure: RecordedStructure, point: Point) -> bool:
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

    def _method(self, structure: RecordedStructure) -> str:
        if self.model.parameters_only:
            return "weights only: the source names parameters but no forward"
        folded = [f"{cut.periods * cut.period} blocks folded to {KEPT * cut.period}"
                  for cut in structure.cuts]  # fmt: skip
        return self._recordings.how + "".join(f", {part}" for part in folded)


_recorders: WeakKeyDictionary[Model, Recorder] = WeakKeyDictionary()


def recorder(model: Model) -> Recorder:
    """The recorder of a model, kept as long as the model is."""
    known = _recorders.get(model)
    if known is None:
        known = _recorders[model] = Recorder(model)
    return known
