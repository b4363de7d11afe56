"""The optimizer: torch's own, with the implementation that the plan and the device ask for.

Those that keep their states in few bits are bitsandbytes' and torchao's, which are optional: for
weightless parameters their states are allocated without them (``low_bit/states.py``).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from memplanner.errors import PlanError
from memplanner.messages.cost import QualityReason
from memplanner.plan import Plan
from memplanner.plan.optimizer import FEW_BITS
from memplanner.techniques.base import (
    Alternative,
    Recurring,
    Technique,
    Told,
    reasons,
)
from memplanner.techniques.distilling.pair import trained_part
from memplanner.techniques.host_memory import in_host_memory, put_in_host_memory
from memplanner.techniques.host_updates import HostUpdates
from memplanner.techniques.layer_choice import linear_names
from memplanner.techniques.lion import Lion
from memplanner.techniques.low_bit.states import (
    WeightlessAdam,
    bitsandbytes_states,
    bitsandbytes_temporaries_on_cpu,
    torchao_states,
)
from memplanner.techniques.low_rank_updates import LowRankUpdates
from memplanner.techniques.optimizer_alternatives import optimizer_alternatives
from memplanner.techniques.optimizer_conflicts import why_not_in_backward, why_not_projected
from memplanner.techniques.parallel.shared_states import shared_states, shares_states
from memplanner.techniques.parallel.shares_on_host import put_states_on_host, shares_lie_on_host
from memplanner.techniques.parallel.together import first_parameter, together
from memplanner.techniques.target import Target
from memplanner.techniques.updates_in_backward import UpdatesInBackward

_EIGHT_BITS: Told = (
    "small_change",
    "States are rounded to 8 bits a number, block by block: runs end as with 32 bits (Dettmers et "
    "al. 2022, arXiv:2110.02861).",
)
_ANOTHER_RULE = "is another rule than AdamW and needs a learning rate of its own"
_QUALITY: Mapping[str, Told] = {
    "bitsandbytes_8bit": _EIGHT_BITS,
    "bitsandbytes_paged_8bit": _EIGHT_BITS,
    "torchao_8bit": _EIGHT_BITS,
    "torchao_4bit": (
        "small_change",
        "States are rounded to 4 bits a number; the published losses are close to those of 32 "
        "bits (Li et al. 2023, arXiv:2309.01507).",
    ),
    "galore": (
        "check_quality",
        "Updates of linear layers are of a low rank (Zhao et al. 2024, arXiv:2403.03507).",
    ),
    "adafactor": (
        "small_change",
        f"Adafactor {_ANOTHER_RULE} (Shazeer and Stern 2018, arXiv:1804.04235).",
    ),
    "lion": ("small_change", f"Lion {_ANOTHER_RULE} (Chen et al. 2023, arXiv:2302.06675)."),
    "rmsprop": ("small_change", f"RMSprop {_ANOTHER_RULE}."),
    "adagrad": ("small_change", f"Adagrad {_ANOTHER_RULE}."),
    "sgd": (
        "check_quality",
        "SGD trains transformers worse than Adam does (Zhang et al. 2020, arXiv:1912.03194).",
    ),
}


class Optimizer(Technique):
    """What is to say about the optimizer; ``make_optimizer`` makes it."""

    name = "optimizer"

    def conflicts(self, plan: Plan, target: Target) -> Sequence[str]:
        """Paged states need CUDA; updates in backward need each gradient once, and as it is."""
        section = plan.optimizer
        reasons = []
        if section.implementation == "bitsandbytes_paged_8bit" and target.kind != "cuda":
            reasons.append(
                "optimizer.implementation=bitsandbytes_paged_8bit exists on CUDA cards only; "
                "choose bitsandbytes_8bit."
            )
        if section.update == "in_backward":
            reasons += why_not_in_backward(plan)
        if section.projection != "none":
            reasons += why_not_projected(plan)
        return reasons

    def alternatives(self, plan: Plan, target: Target) -> Sequence[Alternative]:
        """Smaller states, updates in backward, no temporaries."""
        return optimizer_alternatives(plan)

    def quality(self, plan: Plan) -> Sequence[QualityReason]:
        """States in few bits, gradients in a low rank, another rule than AdamW's."""
        section = plan.optimizer
        few = _QUALITY.get(section.implementation)
        low = _QUALITY.get(section.projection)
        return (
            *reasons("optimizer", few),
            *reasons("optimizer", low),
            *reasons("optimizer", _QUALITY.get(section.name)),
        )

    def notes(self, plan: Plan, target: Target) -> Sequence[str]:
        """What updates in backward do to gradients; what an estimate of few bits leaves out."""
        chosen = plan.optimizer.implementation
        notes = []
        if plan.optimizer.update == "in_backward":
            notes.append(
                "Each gradient is freed as soon as its parameter is updated, in backward: they "
                "cannot be clipped together, and training.zero_grad has nothing to do."
            )
        if plan.optimizer.projection == "galore":
            notes.append(
                "The prediction is of a step that finds new projections, which takes most; "
                "what the decomposition takes inside its kernel on a card is not predicted."
            )
        if chosen not in FEW_BITS:
            return notes
        if not _installed(chosen):
            notes.append(f"The plan can be estimated, but not run: {_missing(chosen)}")
        if chosen == "bitsandbytes_paged_8bit":
            notes.append(
                "Paged states are not counted: the driver keeps them on the card while there is "
                "room, and in host memory when there is none."
            )
        if chosen.startswith("torchao"):
            notes.append("torchao compiles its step; what that keeps meanwhile is not predicted.")
        return notes


def implementation(plan: Plan, target: Target) -> str:
    """``for_loop``, ``foreach`` or ``fused``: what ``auto`` means on the target.

    torch takes for-each where every parameter is on a CUDA or XPU device
    (``torch/optim/optimizer.py: _default_to_fused_or_foreach``), else the loop; Adafactor always
    takes the loop (``torch/optim/_adafactor.py: adafactor``), and so does Lion, which is ours.
    """
    chosen = plan.optimizer.implementation
    if chosen != "auto":
        return chosen
    lists = target.kind in _FOREACH_KINDS and plan.optimizer.name not in ("adafactor", "lion")
    return "foreach" if lists else "for_loop"


_FOREACH_KINDS = frozenset({"cuda", "rocm", "xpu"})
"""Of devices on which for-each is torch's default (``torch/utils/_foreach_utils.py``)."""
_CHECK = "_device_dtype_check_for_fused"
_FUSED_MODULES = ("torch.optim.adam", "torch.optim.sgd", "torch.optim.adagrad")


@contextmanager
def weightless_fused() -> Iterator[None]:
    """Lets fused optimizers take meta tensors: torch refuses them, for no need of the recording.

    The check (``torch/optim/optimizer.py: _device_dtype_check_for_fused``) looks at the device
    only; the fused kernels themselves are never reached.
    """
    checks = {name: vars(sys.modules[name])[_CHECK] for name in _FUSED_MODULES}
    try:
        for name in checks:
            setattr(sys.modules[name], _CHECK, _accept)
        yield
    finally:
        for name, check in checks.items():
            setattr(sys.modules[name], _CHECK, check)


def _accept(*args: Any, **kwargs: Any) -> None:
    """Accepts any parameter."""


def make_optimizer(module: nn.Module, plan: Plan, target: Target) -> torch.optim.Optimizer:
    """The plan's optimizer over the module's trainable parameters.

    Raises ``PlanError`` where it needs a library that is not installed.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if shares_lie_on_host(plan):
        optimizer = _maker(module, parameters, plan, Target())(parameters)  # the host's is a CPU's
        put_states_on_host(optimizer)
        return optimizer
    if plan.offload.optimizer == "host":
        return _on_host(module, parameters, plan)
    make = _maker(module, parameters, plan, target)
    if plan.optimizer.update == "in_backward":
        return UpdatesInBackward(parameters, make)
    return make(parameters)


def _on_host(module: nn.Module, parameters: list[nn.Parameter], plan: Plan) -> HostUpdates:
    """The plan's optimizer in host memory, which is a CPU's."""
    optimizer = HostUpdates(
        parameters,
        _maker(module, parameters, plan, Target()),
        pin_memory=plan.offload.pin_memory,
        in_host=in_host_memory,
    )
    states = [value for state in optimizer.state.values() for value in state.values()]
    made = [tensor for _, tensor in optimizer.host_tensors]
    for tensor in (*made, *states):  # no watch has seen them made
        if isinstance(tensor, torch.Tensor):
            put_in_host_memory(tensor)
    return optimizer


def _maker(
    module: nn.Module, parameters: list[nn.Parameter], plan: Plan, target: Target
) -> Callable[[list[nn.Parameter]], torch.optim.Optimizer]:
    """Makes the plan's optimizer of some of the parameters."""

    def make(part: list[nn.Parameter]) -> torch.optim.Optimizer:
        if shares_states(plan.sharding):
            return shared_states(module, part, lambda own: _made(own, plan, target))
        return _made(part, plan, target)

    section = plan.optimizer
    if section.projection == "none":
        return make
    found = projected_matrices(trained_part(module), section.rank)
    matrices = [each for each in parameters if id(each) in found]
    decoupled = section.name == "adamw"
    decay = section.weight_decay * (section.learning_rate if decoupled else 1)

    def make_low(part: list[nn.Parameter]) -> torch.optim.Optimizer:
        if not any(id(each) in found for each in part):
            return make(part)
        return LowRankUpdates(
            part,
            matrices,
            make,
            rank=section.rank,
            gap=section.update_gap,
            scale=section.scale,
            decay=decay,
            decoupled=decoupled,
        )

    return make_low


def projected_matrices(module: nn.Module, rank: int) -> set[int]:
    """Identities of what GaLore projects: trained weights of linear layers but the head.

    Both sides are longer than ``rank``. Raises ``PlanError`` where there is none.
    """
    layers = [module.get_submodule(name) for name in linear_names(module)]
    weights = [each for layer in layers for each in layer.parameters(recurse=False)]
    matrices = [each for each in weights if each.dim() == 2 and each.requires_grad]
    found = {id(each) for each in matrices if min(each.shape) > rank}
    if not found:
        longest = max((min(each.shape) for each in matrices), default=0)
        choice = f"optimizer.rank={longest // 2} or " if longest > 1 else ""
        raise PlanError(
            f"optimizer.projection=galore finds no trained linear layer but the head with more "
            f"than optimizer.rank={rank} inputs and outputs; choose {choice}"
            "optimizer.projection=none."
        )
    return found


def recurring_in(optimizer: torch.optim.Optimizer) -> tuple[Recurring, ...]:
    """What only some steps of the optimizer do."""
    if isinstance(optimizer, UpdatesInBackward):
        return tuple(each for own in optimizer.optimizers for each in recurring_in(own))
    return (optimizer,) if isinstance(optimizer, LowRankUpdates) and optimizer.projects else ()


def _made(parameters: list[nn.Parameter], plan: Plan, target: Target) -> torch.optim.Optimizer:
    section = plan.optimizer
    chosen = implementation(plan, target)
    if chosen in FEW_BITS:
        return _in_few_bits(parameters, plan, target)
    options: dict[str, Any] = {
        "lr": section.learning_rate,
        "weight_decay": section.weight_decay,
        "foreach": chosen == "foreach",
    }
    groups = together(parameters, plan.sharding)
    if section.name == "lion":
        return Lion(groups, **options)
    if chosen == "fused":
        options["foreach"] = None
        options["fused"] = True
    if section.name in {"sgd", "rmsprop"}:
        options["momentum"] = section.momentum
    return _class(plan)(groups, **options)


_CLASSES = {
    "adamw": "AdamW",
    "adam": "Adam",
    "sgd": "SGD",
    "adafactor": "Adafactor",
    "rmsprop": "RMSprop",
    "adagrad": "Adagrad",
}
"""In ``torch.optim``."""
_OF_LIBRARIES = {
    "bitsandbytes_8bit": ("bitsandbytes", "{}8bit"),
    "bitsandbytes_paged_8bit": ("bitsandbytes", "Paged{}8bit"),
    "torchao_8bit": ("torchao", "{}8bit"),
    "torchao_4bit": ("torchao", "{}4bit"),
}
"""For an implementation that is not torch's: the library, and its class for that of torch."""


def optimizer_class(plan: Plan) -> tuple[str, str]:
    """Where the optimizer comes from and its name, such as ``("torch.optim", "AdamW")``."""
    if plan.optimizer.name == "lion":
        return "lion", "Lion"
    library, pattern = _OF_LIBRARIES.get(plan.optimizer.implementation, ("torch", "{}"))
    return f"{library}.optim", pattern.format(_CLASSES[plan.optimizer.name])


def _class(plan: Plan) -> Callable[..., torch.optim.Optimizer]:
    """Imported only when it is called for: a library takes seconds."""
    module, name = optimizer_class(plan)
    found: Callable[..., torch.optim.Optimizer] = getattr(import_module(module), name)
    return found


def _installed(chosen: str) -> bool:
    return find_spec(_OF_LIBRARIES[chosen][0]) is not None


def _missing(chosen: str) -> str:
    library, _ = _OF_LIBRARIES[chosen]
    return (
        f"optimizer.implementation={chosen} needs {library}, which is not installed; "
        f"run pip install 'memplanner[{library}]', or choose auto."
    )


def _in_few_bits(
    parameters: list[nn.Parameter], plan: Plan, target: Target
) -> torch.optim.Optimizer:
    """The library's optimizer, or for weightless parameters what it keeps.

    Raises ``PlanError`` where the parameters are real and the library is not installed.
    """
    section, chosen = plan.optimizer, plan.optimizer.implementation
    first = first_parameter(parameters)
    if first is not None and first.is_meta:
        if chosen.startswith("torchao"):
            return WeightlessAdam(parameters, torchao_states(8 if chosen == "torchao_8bit" else 4))
        make_state = bitsandbytes_states(paged=chosen == "bitsandbytes_paged_8bit")
        temporaries = bitsandbytes_temporaries_on_cpu if target.kind == "cpu" else None
        return WeightlessAdam(parameters, make_state, temporaries)
    if not _installed(chosen):
        raise PlanError(_missing(chosen))
    return _class(plan)(parameters, lr=section.learning_rate, weight_decay=section.weight_decay)
