"""Which plans' steps are made of two recordings, and what is kept of those for other plans."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

from memplanner.estimate.composed import composed, without_marks
from memplanner.estimate.structure import structure_of
from memplanner.plan import Plan
from memplanner.plan.activation_checkpointing import ActivationCheckpointing
from memplanner.plan.activation_offload import ActivationOffload
from memplanner.plan.distillation import Distillation
from memplanner.plan.loss import Loss
from memplanner.plan.offload import Offload
from memplanner.plan.optimizer import Optimizer
from memplanner.plan.pruning import Pruning
from memplanner.plan.training import Training
from memplanner.tape.record import StepError
from memplanner.tape.tape import Tape
from memplanner.techniques.inference import trains
from memplanner.techniques.prepare import at_work
from memplanner.techniques.target import Target

STATELESS = Optimizer(name="sgd", implementation="for_loop", weight_decay=0.0)
"""Has no states and takes no memory: stands in while forward and backward are recorded."""
_BODIES, _UPDATES = 96, 256
"""Recordings that are remembered: some hundred kilobytes each, and some ten."""


def divides(plan: Plan) -> bool:
    """Whether an optimizer's part of a step can be told from the rest of it, as far as is known.

    It cannot where other techniques work in the update, and where gradients that leave for the host
    are added up there.
    """
    section, offload = plan.optimizer, plan.offload
    if not trains(plan) or plan.distillation != Distillation() or plan.pruning != Pruning():
        return False
    if section.projection != "none" or offload.parameters != "none":
        return False
    if plan.compilation.mode != "none" or plan.activation_checkpointing.policy == "budget":
        return False
    if plan.sharding.pipeline > 1 or plan.sharding.deepspeed:
        return False
    if in_backward(plan):
        cards = plan.sharding.ranks == 1 or plan.sharding.fully_sharded  # DDP's come between
        once = plan.training.gradient_accumulation_steps == 1
        # Adagrad's states, and the host's before the last outputs, come in another order
        ordered = section.name != "adagrad" and plan.training.outputs != "until_next_output"
        return cards and once and ordered
    return True


def in_backward(plan: Plan) -> bool:
    """Whether the optimizer does something in backward."""
    return plan.optimizer.update == "in_backward" or plan.offload.optimizer == "host"


def body_of(plan: Plan) -> Plan:
    """The plan whose forward and backward are those of ``plan``.

    Cards that share gradients out let go of them otherwise where parameters are updated in
    backward: their body is one that does so.
    """
    optimizer = STATELESS
    if plan.sharding.ranks > 1:
        optimizer = optimizer.model_copy(update={"update": plan.optimizer.update})
    changed: dict[str, object] = {"optimizer": optimizer, "offload": Offload()}
    if in_backward(plan):  # there is nothing left for the loop to clear
        changed["training"] = plan.training.model_copy(update={"zero_grad": "after_step"})
    return plan.model_copy(update=changed)


def update_of(plan: Plan) -> Plan:
    """The plan of the same update, whatever happens in forward and backward."""
    return plan.model_copy(
        update={
            "training": Training(),
            "activation_checkpointing": ActivationCheckpointing(),
            "activation_offload": ActivationOffload(),
            "loss": Loss(),
        }
    )


Names = tuple[str, ...]


class Keys(NamedTuple):
    """What tells recordings of a plan apart from those of others."""

    alike: Plan
    """The plan, or one that is the same for all plans of the same forward and backward."""
    forwards: Hashable
    """What stands for the module that runs forward and backward."""
    updates: Hashable
    """What stands for the module that is updated."""


_Kept = OrderedDict[Hashable, "Tape | StepError | None"]


@dataclass(slots=True)
class Composing:
    """The recordings that steps are made of."""

    count: int = 0
    """Tapes that were made so."""
    _bodies: _Kept = field(default_factory=OrderedDict)
    _updates: _Kept = field(default_factory=OrderedDict)

    def tape(
        self,
        plan: Plan,
        target: Target,
        keys: Keys,
        stand_ins: int,
        record_body: Callable[[Plan], Tape | None],
        record_update: Callable[[Plan, Names, Names], Tape | None],
    ) -> Tape | None:
        """The tape of a plan that divides, at its batch and sequence.

        ``stand_ins`` says how many modules are played back by now. None where it has to be recorded
        whole.
        """
        base = body_of(plan)
        training = plan.training
        alike = structure_of(body_of(keys.alike), training.batch_size, training.sequence_length)
        body = _known(
            self._bodies,
            (alike, target, keys.forwards, stand_ins),
            _BODIES,
            lambda: record_body(base),
        )
        if body is None or body.gradients is None or not body.gradients.plain:
            return None
        told = body.notes[len(_notes(base, target)) :]
        if plan.optimizer == base.optimizer and not in_backward(plan):
            return without_marks(body, (*_notes(plan, target), *told))
        in_order, modules = body.gradients.names, body.gradients.modules
        if in_backward(plan):
            owners = body.gradients.marks[:, 1].tolist()
            in_order = tuple(body.storages[owner].operation for owner in owners)
            if plan.sharding.ranks == 1:  # as soon as it is updated, a gradient is its module's
                own = body.module[owners].tolist()
                modules = tuple(body.module_names[module] for module in own)
        planned = update_of(plan)
        update = _known(
            self._updates,
            (structure_of(planned, 1, 1), target, keys.updates, stand_ins, in_order, modules),
            _UPDATES,
            lambda: record_update(planned, in_order, modules),
        )
        if update is None:
            return None
        own = tuple(note for note in update.notes if note not in told)
        made = composed(
            body,
            update,
            frees=in_backward(plan) and plan.sharding.ranks == 1,
            updates=plan.optimizer.update == "in_backward",
            notes=(*_notes(plan, target), *told, *own),
        )
        self.count += made is not None
        return made


def _notes(plan: Plan, target: Target) -> tuple[str, ...]:
    """What techniques say, as ``prepare`` puts it before all else."""
    return tuple(note for technique in at_work(plan) for note in technique.notes(plan, target))


def _known(known: _Kept, key: Hashable, most: int, make: Callable[[], Tape | None]) -> Tape | None:
    """What was made for ``key``; an error is raised again each time."""
    if key in known:
        known.move_to_end(key)
        found = known[key]
        if isinstance(found, StepError):
            raise found
        return found
    try:
        made = known[key] = make()
    except StepError as error:
        known[key] = error.kept()
        raise
    if len(known) > most:
        known.popitem(last=False)
    return made
