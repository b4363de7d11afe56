"""An optimizer's part of a step, recorded without forward and backward.

Gradients are made as backward leaves them, each as its parameter is. What is noted of the update
is put into the tape of a step that was recorded with another optimizer (``estimate/composed.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import torch
from torch import nn

from memplanner.garbage import without_collection
from memplanner.model.loaded import Model
from memplanner.plan import Plan
from memplanner.tape.backends import MetaBackend
from memplanner.tape.ranks import watching_shards, weightless_ranks
from memplanner.tape.record import META, MetaWatch, StepError
from memplanner.tape.steady import Ownership, steady_tape
from memplanner.tape.tape import Tape
from memplanner.techniques import step as step_parts
from memplanner.techniques.host_updates import HostUpdates
from memplanner.techniques.optimizer import weightless_fused
from memplanner.techniques.prepare import Prepared, prepare
from memplanner.techniques.target import Target
from memplanner.techniques.updates_in_backward import UpdatesInBackward


def record_update(
    model: Model,
    plan: Plan,
    target: Target,
    module: nn.Module,
    names: Sequence[str],
    modules: Sequence[str],
) -> Tape | None:
    """The tape of the plan's second update of the parameters with these names, in their order.

    ``modules`` are what their gradients count to when they are updated. ``module`` is
    weightless and changed in place. In the phase ``backward`` is what the optimizer
    does there, each parameter's between the birth and the death of a mark; in ``optimizer_step``
    its step. None where the module has no such parameters. Raises ``PlanError`` as ``prepare``, and
    ``StepError`` where the optimizer cannot make its step.
    """
    ranks = plan.sharding.ranks
    with nullcontext() if ranks == 1 else weightless_ranks(target.rank, ranks):
        with weightless_fused():
            prepared = prepare(model, plan, target, META, module=module)
        watch = MetaWatch(prepared.module, target)
        owned = Ownership(watch)
        around = nullcontext() if ranks == 1 else watching_shards(watch)
        with watch, around, weightless_fused(), without_collection():
            try:
                keep = _run(prepared, MetaBackend(target, plan), watch, owned, names, modules)
            except RuntimeError as error:  # as torch's of tensors over many ranks
                raise StepError(model.name, error, "", (), in_update=True) from error
    if keep is None:
        return None
    watch.measure_scratch(owned)
    notes = (*watch.values.notes, *watch.real_calls.notes)
    return steady_tape(watch, owned, keep, on_cpu=target.kind == "cpu", notes=notes)


def _run(
    prepared: Prepared,
    backend: MetaBackend,
    watch: MetaWatch,
    owned: Ownership,
    names: Sequence[str],
    modules: Sequence[str],
) -> list[int] | None:
    """Runs two updates, of which the second is steady; the numbers of its phases."""
    watch.phase("load", 0)
    owned.note_module(prepared.module)
    known = {
        owned.names.get(watch.see(parameter, "parameter"), ""): parameter
        for parameter in prepared.module.parameters()
        if parameter.requires_grad
    }
    if not set(names) <= set(known):
        return None
    trained = [known[name] for name in names]
    optimizer = prepared.optimizer
    in_backward = isinstance(optimizer, (UpdatesInBackward, HostUpdates))
    if not in_backward:
        for parameter, owner in zip(trained, modules, strict=True):
            _make_gradient(parameter, owner, watch, owned)
    owned.note_states(optimizer)
    if isinstance(optimizer, UpdatesInBackward):
        optimizer.around = owned.updating
    if isinstance(optimizer, HostUpdates):
        optimizer.moving = owned.note_gradient
    for _ in range(2):
        steady = len(watch.phases)
        watch.phase("backward", 0)
        for parameter, owner in zip(trained, modules, strict=True) if in_backward else ():
            _make_gradient(parameter, owner, watch, owned)
            watch.place_states(parameter)
            watch.mark_gradient(parameter)
            if isinstance(optimizer, UpdatesInBackward):
                optimizer.update(parameter)
            elif isinstance(optimizer, HostUpdates):
                optimizer.move(parameter)
        step_parts.optimizer_step(prepared, backend, watch)
        owned.note_states(optimizer)
        if isinstance(optimizer, HostUpdates):
            optimizer.zero_grad()
    return [steady, steady + 1]


def _make_gradient(
    parameter: torch.Tensor, module: str, watch: MetaWatch, owned: Ownership
) -> None:
    """Gives a parameter a gradient that counts to the module of this name."""
    parameter.grad = torch.empty_like(parameter)
    owned.note_gradient(parameter)
    watch.module[watch.see(parameter.grad, "")] = watch.module_index(module)
