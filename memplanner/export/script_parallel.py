"""Plans that split inside the model, in the exported script: the engine's own code beside it.

``parallel.py`` is what ``memplanner.techniques.parallel`` does to a module, as far as a plan uses
it; the script gives it the plan's degrees, and for a pipeline where the model is cut.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cache

from memplanner.export.carried import Name, carried, followed
from memplanner.export.carried_plan import classes_in_value, plan_classes, plan_value
from memplanner.export.python_source import Imports, literal
from memplanner.export.script_data import META
from memplanner.export.target import Subject
from memplanner.messages.protocol import ExportedFile
from memplanner.plan import Plan
from memplanner.plan.sharding import Sharding
from memplanner.techniques.parallel.pipeline_anatomy import Anatomy, anatomy
from memplanner.techniques.parallel.pipeline_parts import Part, deal_blocks
from memplanner.techniques.parallel.rank_stages import copy_for_rank, parts_for
from memplanner.techniques.parallel.shared_states import shares_states
from memplanner.techniques.parallel.shares_on_host import shares_lie_on_host
from memplanner.techniques.parallel.tensor_rules import rules_of

FILE = "parallel.py"
_PACKAGE = "memplanner.techniques.parallel"
_HEAD = '''"""One rank's part of a model: for the script beside this file.

Written by memplanner: tensor, pipeline, context and expert parallel as it plans and runs them. It
needs torch and transformers.
"""

from __future__ import annotations

'''
_PLAN: Name = ("memplanner.plan", "Plan")
_SHARDING: Name = ("memplanner.plan.sharding", "Sharding")
_GIVEN: dict[Name, str] = {
    ("memplanner.model.loaded", "Batch"): "Batch = dict[str, Any]",
    ("memplanner.messages.estimate", "Phase"): "Phase = str",
    ("memplanner.errors", "PlanError"): '''class PlanError(ValueError):
    """The model cannot be split as the plan says."""''',
}
_STAND_INS = (*_GIVEN, _SHARDING, _PLAN)


def brings_parallel(plan: Plan) -> bool:
    """Whether cards hold parts of layers, of the blocks, of sequences or of experts.

    So do those whose shares lie in host memory: what the script says itself is the usual.
    """
    section = plan.sharding
    inside = max(section.tensor, section.pipeline, section.context, section.expert) > 1
    return section.ranks > 1 and (inside or shares_lie_on_host(plan))


def mixes(section: Sharding) -> bool:
    """Whether some parameters are split over ranks and others are not."""
    return section.tensor > 1 or section.expert > 1


def names_blocks(plan: Plan) -> bool:
    """Whether single modules are named, of which a stage has its own, counted anew."""
    return plan.sharding.pipeline > 1 and (
        plan.activation_checkpointing.policy == "named"
        or plan.quantization.method != "none"
        or plan.pruning.structure != "none"
        or (plan.activation_offload.to != "none" and bool(plan.activation_offload.modules))
    )


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a pipeline cuts the model."""

    anatomy: Anatomy
    parts: tuple[Part, ...]
    """All stages."""


def cut_of(subject: Subject) -> Cut | None:
    """For a pipeline, or None without one. Raises ``PlanError`` where the model cannot be cut."""
    model, section = subject.model, subject.plan.sharding
    if section.pipeline == 1:
        return None
    module = model.build(META)
    parts_for(model, section, 0, module)
    found = anatomy(model, module)
    parts = deal_blocks(found.block_bytes, found.before_bytes, found.after_bytes, section)
    copy_for_rank(module, model, parts)
    return Cut(found, parts)


def check_split(subject: Subject) -> None:
    """Raises ``PlanError`` where the plan's degrees do not divide what the model has."""
    section = subject.plan.sharding
    if not mixes(section):
        return
    module, dealt_out = subject.model.build(META), list[str]()
    if section.expert > 1:  # imported where used: it takes a while
        from memplanner.techniques.parallel.expert import DISPATCHED, expert_rules

        rules = expert_rules(module, section.expert)
        dealt_out = [path for path, word in rules.items() if word == DISPATCHED]
    if section.tensor > 1:
        rules = rules_of(module, section.tensor, but=dealt_out)
        if section.sequence_parallel:
            from memplanner.techniques.parallel.sequence import sequence_rules

            sequence_rules(module, rules)


def parallel_files(plan: Plan) -> Iterator[ExportedFile]:
    """The module that the script imports, where the plan splits inside the model."""
    if brings_parallel(plan):
        yield ExportedFile(name=FILE, text=_source(_used(plan)))


def imported(plan: Plan) -> tuple[str, ...]:
    """What the script imports from the module."""
    names = _used(plan)
    found = followed(_roots(names), _STAND_INS)
    return (*names, *classes_in_value(plan, found))


def _used(plan: Plan) -> tuple[str, ...]:
    """What the script calls."""
    section, steps = plan.sharding, plan.training.gradient_accumulation_steps
    names = ["data_place", "split"]
    if section.pipeline > 1:
        names += ["Anatomy", "Part", "PipelineStep", "cut", "parts_of_rank", "whole_batch"]
        names += ["whole_names"] if names_blocks(plan) else []
        names += ["unwrapped"] if plan.pruning.is_gradual else []
    else:
        names.append("unwrapped")
        if steps > 1 and section.reduction == "last_micro_batch":
            names.append("reduce_gradients")
        if section.splits_loss:
            names.append("splitting_loss")
    in_backward = plan.optimizer.update == "in_backward"
    if mixes(section) and not in_backward:
        names.append("together")
    if shares_states(section):
        names.append("shared_states")
    return tuple(names)


_ROOTS = {
    "Anatomy": "pipeline_anatomy",
    "Part": "pipeline_parts",
    "PipelineStep": "pipeline_step",
    "cut": "stages",
    "data_place": "mesh",
    "parts_of_rank": "pipeline_parts",
    "reduce_gradients": "wrapped",
    "shared_states": "shared_states",
    "split": "split",
    "splitting_loss": "split_loss",
    "together": "together",
    "unwrapped": "wrapped",
    "whole_batch": "pipeline_step",
}


def _roots(names: Container[str]) -> tuple[Name, ...]:
    found = [(f"{_PACKAGE}.{part}", name) for name, part in _ROOTS.items() if name in names]
    more = [("memplanner.model.blocks", "whole_names")] if "whole_names" in names else []
    return (*found, *more)


@cache
def _source(names: tuple[str, ...]) -> str:
    roots = _roots(names)
    given = {**_GIVEN, _SHARDING: "", _PLAN: ""}
    given[_SHARDING], given[_PLAN] = plan_classes(followed(roots, given))
    imports = Imports()
    imports.add("dataclasses", "dataclass", "field")
    imports.add("typing", "Any")
    return carried(roots, given, _HEAD, imports)


def plan_source(plan: Plan) -> str:
    """``PLAN = …``: what the module looks at of the plan, where it is not the default."""
    found = followed(_roots(_used(plan)), _STAND_INS)
    return f"PLAN = {plan_value(plan, found)}"


def cut_source(cut: Cut) -> str:
    """``ANATOMY = …`` and ``STAGES = …``: sizes have done their part, and are left out."""
    names = [name for name in Anatomy.__dataclass_fields__ if not name.endswith("_bytes")]
    lines = ["ANATOMY = Anatomy("]
    for name in names:
        value = literal(getattr(cut.anatomy, name), before=len(name) + 5, indent=4, after=1)
        lines.append(f"    {name}={value},")
    lines += ["    block_bytes=(),", "    before_bytes=0,", "    after_bytes=0,", ")"]
    lines.append("STAGES = (")
    for part in cut.parts:
        lines.append(f"    Part({part.stage}, {part.stages}, {part.start}, {part.stop}),")
    return "\n".join([*lines, ")"])
