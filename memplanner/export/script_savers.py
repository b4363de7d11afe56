"""Training-side savers in the exported script: the engine's own code as files beside it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from memplanner.export.script_data import META
from memplanner.export.target import Subject
from memplanner.messages.protocol import ExportedFile
from memplanner.plan import Plan
from memplanner.plan.sharding import Sharding
from memplanner.techniques.distilled_model import planned_model
from memplanner.techniques.offload import list_paths
from memplanner.techniques.parallel.shares_on_host import shares_lie_on_host
from memplanner.techniques.precision import autocast_type
from memplanner.techniques.prepare import no_context, transform
from memplanner.techniques.target import Target

_LOSS_FILE = "chunked_loss.py"
_OFFLOAD_FILE = "kept_on_host.py"
_UPDATES_FILE = "host_updates.py"
_BLOCKS_FILE = "streamed_blocks.py"


def loss_arguments(subject: Subject) -> str:
    """What ``chunk_loss`` is given beside the model; empty for a loss that stays whole.

    Raises ``PlanError`` where the model has no head for it.
    """
    plan, model = subject.plan, subject.model
    if plan.loss.method == "whole":
        return ""
    model = planned_model(model, plan)
    alone = plan.model_copy(update={"sharding": Sharding()})  # there are no other ranks here
    transform(model.build(META), model, alone, Target.of(subject.device), no_context, META)
    dtype = autocast_type(plan)
    more = "" if dtype is None else f", compute_type={dtype}"
    if plan.loss.method == "recomputed":
        more += ", recomputed=True"
    return f"chunks={plan.loss.chunks}{more}"


def offload_arguments(plan: Plan) -> str:
    """What ``keep_on_host`` is given beside the model; empty where nothing is offloaded."""
    if plan.activation_offload.to == "none":
        return ""
    pinned = 'device.type == "cuda"' if plan.activation_offload.pin_memory else "False"
    return f"pin_memory={pinned}"


def host_values(subject: Subject) -> dict[str, Any]:
    """What the template reads of parameters and optimizer in host memory.

    Raises ``PlanError`` where the model has no blocks for it.
    """
    section, model = subject.plan.offload, subject.model
    streamed: tuple[str, ...] = ()
    by_shares = shares_lie_on_host(subject.plan)  # which FSDP2 moves
    if section.parameters == "host" and not by_shares:
        streamed = list_paths(model.build(META), model)
    return {
        "host_updates": section.optimizer == "host" and not by_shares,
        "streamed": streamed,
        "pinned": 'device.type == "cuda"' if section.pin_memory else "False",
    }


def saver_files(plan: Plan) -> Iterator[ExportedFile]:
    """The modules that the script imports, each of which needs torch alone."""
    by_shares = shares_lie_on_host(plan)
    used = {
        _LOSS_FILE: plan.loss.method != "whole",
        _OFFLOAD_FILE: plan.activation_offload.to == "host",
        _UPDATES_FILE: not by_shares
        and "host" in (plan.offload.optimizer, plan.offload.parameters),
        _BLOCKS_FILE: not by_shares and plan.offload.parameters == "host",
    }
    for name, is_used in used.items():
        if is_used:
            source = files("memplanner.techniques").joinpath(name)
            yield ExportedFile(name=name, text=source.read_text("utf-8"))
