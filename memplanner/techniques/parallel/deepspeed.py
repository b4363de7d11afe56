"""What DeepSpeed can be asked for, and the step that stands for its ranks' computation.

DeepSpeed is not run here. Its ranks compute with whole parameters in the type of the products, as
one card does: that step is recorded, and what DeepSpeed keeps and sends beside it is reckoned from
its source (``estimate/deepspeed``, DeepSpeed 0.19.8).
"""

from __future__ import annotations

from collections.abc import Iterator

from memplanner.plan import Plan
from memplanner.plan.optimizer import FEW_BITS
from memplanner.plan.per_layer import parse
from memplanner.plan.sharding import Sharding

COMPUTE = {"fp32": "fp32", "bf16_mixed": "bf16", "fp16_mixed": "fp16"}
"""For each precision that DeepSpeed has: the plan's word for the type that its modules are in.

``bf16`` and ``fp16`` in its configuration cast the whole module, and keep full-precision weights
beside it (``runtime/engine.py: _configure_distributed_model``).
"""
_HALVES = ("bf16", "fp16")
TORCH_ONLY = ("replicas", "bucket_mib", "bucket_view", "static_graph", "prefetch")
"""Fields of the plan's ``sharding`` that DeepSpeed has no words for."""
_ALONE = ("tensor", "pipeline", "context", "expert")


def one_card(plan: Plan) -> Plan:
    """The plan of the step that one of its cards computes, in DeepSpeed's types.

    It casts a module that it is given whole, adapters as well. Where ZeRO-3 builds the model in
    shares it casts nothing later, so that peft's adapters stay in fp32; a quantized model is never
    built so (``runtime/engine.py: _cast_module_mixed_precision``; transformers'
    ``modeling_utils.py: get_init_context``).
    """
    in_shares = plan.sharding.data == "zero_3" and plan.quantization.method == "none"
    return plan.model_copy(
        update={
            "sharding": Sharding() if in_shares else Sharding(engine="deepspeed"),
            "precision": COMPUTE.get(plan.precision, plan.precision),
        }
    )


def casts_whole_module(plan: Plan) -> bool:
    """Whether this is ``one_card``'s plan of a step whose module DeepSpeed has cast."""
    section = plan.sharding
    return section.engine == "deepspeed" and section.ranks == 1 and plan.precision in _HALVES


def conflicts_with_deepspeed(plan: Plan) -> Iterator[str]:
    """Why DeepSpeed cannot carry the plan out, each with the nearest choice that it can."""
    section = plan.sharding
    if not section.deepspeed:
        return
    if section.data == "replicated":
        yield (
            "sharding.engine=deepspeed is for ZeRO, and sharding.data=replicated keeps all on "
            "every card; choose sharding.data=zero_1, or sharding.engine=torch."
        )
    yield from _other_degrees(section)
    yield from _offload(plan)
    yield from _optimizer(plan)
    if plan.precision not in COMPUTE:
        near = "fp16_mixed" if plan.precision == "fp16" else "bf16_mixed"
        yield (
            f"precision={plan.precision} keeps no full-precision weights, and DeepSpeed does; "
            f"choose precision={near}."
        )
    for key, value in (
        ("inference.use", plan.inference.use if plan.inference.use != "training" else ""),
        ("distillation.student", _unless_none(plan.distillation.student)),
        ("quantization.method", _other_than_nf4(plan)),
        ("pruning.structure", _unless_none(plan.pruning.structure)),
    ):
        if value:
            usual = {"inference.use": "training", "quantization.method": "nf4 or none"}.get(
                key, "none"
            )
            yield (
                f"{key}={value} is not planned with DeepSpeed; choose {key}={usual}, or "
                "sharding.engine=torch."
            )


def _other_than_nf4(plan: Plan) -> str:
    """The method that is not bitsandbytes' NF4 with frozen weights, or the bits of some layer.

    NF4's packed weights are parameters of the type that they are packed in
    (``bnb_4bit_quant_storage``), which ZeRO-3 shares out as any others.
    """
    section = plan.quantization
    if section.method not in ("none", "nf4"):
        return section.method
    packed = section.method == "nf4"
    other = {value for _, value in parse(section.per_layer) if value not in ("16", "nf4")}
    return f"nf4 with {min(other)} bits in quantization.per_layer" if packed and other else ""


def _unless_none(value: str) -> str:
    return "" if value == "none" else value


def _other_degrees(section: Sharding) -> Iterator[str]:
    usual = Sharding()
    for name in _ALONE:
        if getattr(section, name) > 1:
            yield (
                f"sharding.{name}={getattr(section, name)} is not planned with DeepSpeed; choose "
                f"sharding.{name}=1, or sharding.engine=torch."
            )
    for name in TORCH_ONLY:
        if getattr(section, name) != getattr(usual, name):
            yield (
                f"sharding.{name} is torch's, and DeepSpeed has no such thing; choose "
                f"sharding.{name}={str(getattr(usual, name)).lower()}, or sharding.engine=torch."
            )
    if section.reduction != "each_micro_batch":
        yield (
            "sharding.reduction=last_micro_batch is torch's; choose each_micro_batch, or "
            "sharding.data=zero_1, with which DeepSpeed reduces once a step."
        )
    if section.data != "zero_3" and not section.contiguous_gradients:
        yield (
            "sharding.contiguous_gradients=false is planned with ZeRO-3 only; choose true, which "
            "is DeepSpeed's default."
        )


def _offload(plan: Plan) -> Iterator[str]:
    section = plan.sharding
    for name in ("optimizer", "parameters"):
        if getattr(plan.offload, name) != "none":
            yield (
                f"offload.{name}={getattr(plan.offload, name)} is for one card; choose "
                f"sharding.offload_{name}=host, which is DeepSpeed's."
            )
    if section.data == "zero_3":
        return
    if section.offload_parameters != "none":
        yield (
            f"sharding.offload_parameters={section.offload_parameters} needs shares of the "
            "parameters; choose sharding.data=zero_3, or offload_parameters=none."
        )
    if section.offload_optimizer == "nvme":
        yield (
            "sharding.offload_optimizer=nvme needs ZeRO-3; choose host, or sharding.data=zero_3."
        )


def _optimizer(plan: Plan) -> Iterator[str]:
    optimizer = plan.optimizer
    if optimizer.name == "adafactor":
        yield (
            "optimizer.name=adafactor needs the shapes of parameters, and ZeRO updates one flat "
            "share of them all; choose adamw or lion."
        )
    if optimizer.implementation in FEW_BITS:
        yield (
            f"optimizer.implementation={optimizer.implementation} is not planned with DeepSpeed; "
            "choose fused."
        )
    if optimizer.update == "in_backward":
        yield "optimizer.update=in_backward is not DeepSpeed's way; choose after_backward."
    if optimizer.projection != "none":
        yield (
            f"optimizer.projection={optimizer.projection} needs the shapes of parameters, and ZeRO "
            "updates one flat share of them all; choose none."
        )
